// Which instructions this process may use: found once from CPUID and XGETBV (or the aarch64
// hwcaps), lowered by INKSTONE_ISA=portable|avx2|avx512.
#ifndef INK_TENSOR_ISA_H
#define INK_TENSOR_ISA_H

#include <stdbool.h>

#include "base/status.h"

typedef enum ink_isa { INK_ISA_PORTABLE, INK_ISA_AVX2, INK_ISA_AVX512, INK_ISA_COUNT } ink_isa;

typedef struct ink_cpu {
  ink_isa isa;  // AVX2 stands for AVX2 + FMA + F16C, AVX512 for F, BW, DQ, VL on top
  bool vnni;    // AVX-512 VNNI; false below AVX512
  bool bf16;    // AVX-512 BF16; false below AVX512
} ink_cpu;

// What this process uses. A machine that lacks what INKSTONE_ISA names gets what it has.
const ink_cpu *ink_cpu_about(void);
// USAGE when INKSTONE_ISA holds another word, or names what this machine does not have: programs
// ask at their start.
ink_status ink_cpu_check(ink_error *error);
const char *ink_isa_name(ink_isa isa);

#endif
