// Loops that do nothing but one kind of operation, one table per instruction set: what the
// registers allow, without memory in the way.
#ifndef INK_TENSOR_CPU_PEAK_H
#define INK_TENSOR_CPU_PEAK_H

#include <stddef.h>
#include <stdint.h>

// Each runs `steps` rounds and returns the operations done; *sink keeps the compiler honest.
typedef int64_t (*ink_peak_loop)(int64_t steps, float *sink);

typedef struct ink_peak_loops {
  ink_peak_loop f32, bf16, int8;  // NULL: no such instruction
  // Read n bytes (a multiple of 512).
  void (*read)(const void *data, size_t n, float *sink);
} ink_peak_loops;

extern const ink_peak_loops ink_peak_portable;
#if defined(__x86_64__)
extern const ink_peak_loops ink_peak_avx2, ink_peak_avx512;
int64_t ink_peak_avx512_bf16(int64_t steps, float *sink);
int64_t ink_peak_avx512_vnni(int64_t steps, float *sink);
#endif

#endif
