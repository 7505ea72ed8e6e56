// The loop of the roofline for 8-bit integers with AVX-512 VNNI.
#include <immintrin.h>

#include "tensor/cpu/peak.h"

enum { SUMS = 24 };

int64_t ink_peak_avx512_vnni(int64_t steps, float *sink) {
  __m512i sum[SUMS];
  __m512i x = _mm512_set1_epi8(1);
#pragma GCC unroll 24
  for (int i = 0; i < SUMS; i++) sum[i] = _mm512_set1_epi32((int)*sink + i);
  for (int64_t k = 0; k < steps; k++) {
#pragma GCC unroll 24
    for (int i = 0; i < SUMS; i++) sum[i] = _mm512_dpbusd_epi32(sum[i], x, x);
  }
#pragma GCC unroll 24
  for (int i = 1; i < SUMS; i++) sum[0] = _mm512_add_epi32(sum[0], sum[i]);
  *sink = (float)_mm512_reduce_add_epi32(sum[0]);
  return steps * SUMS * 128;  // operations of one instruction
}
