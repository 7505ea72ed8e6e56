// The instruction set of this process: CPUID and XGETBV (Intel SDM volume 1, chapter 13; AMD APM
// volume 3, appendix E), lowered by INKSTONE_ISA.
#include "tensor/isa.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static const char *const isa_names[INK_ISA_COUNT] = {"portable", "avx2", "avx512"};

const char *ink_isa_name(ink_isa isa) {
  return isa >= 0 && isa < INK_ISA_COUNT ? isa_names[isa] : "unknown";
}

#if defined(__x86_64__)

// Which register states the operating system saves (XCR0).
static uint64_t saved_states(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

static bool has(uint32_t word, int bit) {
  return (word >> bit & 1) != 0;
}

static ink_cpu detect(void) {
  ink_cpu cpu = {INK_ISA_PORTABLE, false, false};
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return cpu;
  enum { OSXSAVE = 27, FMA = 12, F16C = 29, AVX = 28 };
  if (!has(c, OSXSAVE) || !has(c, FMA) || !has(c, F16C) || !has(c, AVX)) return cpu;
  uint64_t states = saved_states();
  const uint64_t ymm = 0x6, zmm = 0xe6;
  if ((states & ymm) != ymm || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return cpu;
  enum { AVX2 = 5, AVX512F = 16, AVX512DQ = 17, AVX512BW = 30, AVX512VL = 31, VNNI = 11 };
  if (!has(b, AVX2)) return cpu;
  cpu.isa = INK_ISA_AVX2;
  if ((states & zmm) != zmm) return cpu;
  if (!has(b, AVX512F) || !has(b, AVX512DQ) || !has(b, AVX512BW) || !has(b, AVX512VL)) return cpu;
  cpu.isa = INK_ISA_AVX512;
  cpu.vnni = has(c, VNNI);
  enum { BF16 = 5 };
  cpu.bf16 = __get_cpuid_count(7, 1, &a, &b, &c, &d) && has(a, BF16);
  return cpu;
}

#else

static ink_cpu detect(void) {
  return (ink_cpu){INK_ISA_PORTABLE, false, false};
}

#endif

// -1 when INKSTONE_ISA holds a word we do not know, INK_ISA_COUNT when it is not set.
static int wanted_isa(void) {
  const char *word = getenv("INKSTONE_ISA");
  if (!word || !word[0]) return INK_ISA_COUNT;
  for (int i = 0; i < INK_ISA_COUNT; i++) {
    if (strcmp(word, isa_names[i]) == 0) return i;
  }
  return -1;
}

static ink_cpu lowered(ink_cpu cpu) {
  int wanted = wanted_isa();
  if (wanted < 0 || wanted >= (int)cpu.isa) return cpu;
  return (ink_cpu){(ink_isa)wanted, false, false};
}

// CPUID traps under most hypervisors, so the answer is kept; written once, then only read.
static ink_cpu kept;
static pthread_once_t kept_once = PTHREAD_ONCE_INIT;

static void keep(void) {
  kept = lowered(detect());
}

const ink_cpu *ink_cpu_about(void) {
  pthread_once(&kept_once, keep);
  return &kept;
}

ink_status ink_cpu_check(ink_error *error) {
  int wanted = wanted_isa();
  if (wanted < 0) {
    return ink_fail(error, INK_ERR_USAGE, "INKSTONE_ISA=%s: say portable, avx2 or avx512",
                    getenv("INKSTONE_ISA"));
  }
  ink_isa present = detect().isa;
  if (wanted < INK_ISA_COUNT && wanted > (int)present) {
    return ink_fail(error, INK_ERR_USAGE, "INKSTONE_ISA=%s: this machine offers no more than %s",
                    isa_names[wanted], isa_names[present]);
  }
  return INK_OK;
}
