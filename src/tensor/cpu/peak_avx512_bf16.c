// The loop of the roofline for BF16 pairs with AVX-512 BF16.
#include <immintrin.h>

#include "tensor/cpu/peak.h"

enum { SUMS = 24 };

int64_t ink_peak_avx512_bf16(int64_t steps, float *sink) {
  __m512 sum[SUMS];
  __m512bh x = (__m512bh)_mm512_set1_epi16(0x3f80);
#pragma GCC unroll 24
  for (int i = 0; i < SUMS; i++) sum[i] = _mm512_set1_ps(*sink + (float)i);
  for (int64_t k = 0; k < steps; k++) {
#pragma GCC unroll 24
    for (int i = 0; i < SUMS; i++) sum[i] = _mm512_dpbf16_ps(sum[i], x, x);
  }
#pragma GCC unroll 24
  for (int i = 1; i < SUMS; i++) sum[0] = _mm512_add_ps(sum[0], sum[i]);
  *sink = _mm512_reduce_add_ps(sum[0]);
  return steps * SUMS * 64;  // operations of one instruction
}
