// Conversions as loops that compilers vectorise, compiled once per instruction set. Included with
// INK_TABLE naming the table to define.
#include "tensor/blocks.h"
#include "tensor/cpu/convert.h"
#include "tensor/half.h"

#if defined(__F16C__)
#include <immintrin.h>
#endif

static void f32_from_bf16(const uint16_t *restrict from, float *restrict to, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = ink_f32_from_bf16(from[i]);
}

static void bf16_from_f32(const float *restrict from, uint16_t *restrict to, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = ink_bf16_from_f32(from[i]);
}

static void f32_from_f16(const uint16_t *restrict from, float *restrict to, int64_t n) {
  int64_t i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= n; i += 16) {
    _mm512_storeu_ps(to + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(from + i))));
  }
#elif defined(__F16C__)
  for (; i + 8 <= n; i += 8) {
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(from + i))));
  }
#endif
  for (; i < n; i++) to[i] = ink_f32_from_f16(from[i]);
}

static void f16_from_f32(const float *restrict from, uint16_t *restrict to, int64_t n) {
  int64_t i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= n; i += 16) {
    __m256i h = _mm512_cvtps_ph(_mm512_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT);
    _mm256_storeu_si256((__m256i *)(to + i), h);
  }
#elif defined(__F16C__)
  for (; i + 8 <= n; i += 8) {
    __m128i h = _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128((__m128i *)(to + i), h);
  }
#endif
  for (; i < n; i++) to[i] = ink_f16_from_f32(from[i]);
}

static void f32_from_q8_0(const void *from, float *restrict to, int64_t n) {
  const ink_block_q8_0 *restrict block = from;
  for (; n > 0; n--, block++, to += INK_BLOCK) {
    float scale = ink_f32_from_f16(block->scale);
    for (int i = 0; i < INK_BLOCK; i++) to[i] = scale * (float)block->q[i];
  }
}

static void f32_from_q4_0(const void *from, float *restrict to, int64_t n) {
  const ink_block_q4_0 *restrict block = from;
  for (; n > 0; n--, block++, to += INK_BLOCK) {
    float scale = ink_f32_from_f16(block->scale);
    for (int i = 0; i < INK_BLOCK / 2; i++) to[i] = scale * (float)((block->q[i] & 15) - 8);
    for (int i = 0; i < INK_BLOCK / 2; i++) {
      to[i + INK_BLOCK / 2] = scale * (float)((block->q[i] >> 4) - 8);
    }
  }
}

static void f32_from_q4_k(const void *from, float *restrict to, int64_t n) {
  const ink_block_q4_k *restrict block = from;
  for (; n > 0; n--, block++) {
    float scale = ink_f32_from_f16(block->scale), minimum = ink_f32_from_f16(block->minimum);
    uint8_t s[8], m[8];
    ink_q4_k_steps(block->steps, s, m);
    for (int j = 0; j < 8; j += 2, to += 64) {
      const uint8_t *restrict q = block->q + 16 * j;
      float step = scale * (float)s[j], base = minimum * (float)m[j];
      for (int i = 0; i < 32; i++) to[i] = step * (float)(q[i] & 15) - base;
      step = scale * (float)s[j + 1];
      base = minimum * (float)m[j + 1];
      for (int i = 0; i < 32; i++) to[i + 32] = step * (float)(q[i] >> 4) - base;
    }
  }
}

static void f32_from_q6_k(const void *from, float *restrict to, int64_t n) {
  const ink_block_q6_k *restrict block = from;
  for (; n > 0; n--, block++) {
    float scale = ink_f32_from_f16(block->scale);
    const uint8_t *low = block->low, *high = block->high;
    const int8_t *s = block->s;
    for (int half = 0; half < 2; half++, low += 64, high += 32, s += 8, to += 128) {
      for (int part = 0; part < 2; part++) {
        const uint8_t *restrict a = low + 16 * part, *restrict b = a + 32;
        const uint8_t *restrict h = high + 16 * part;
        float *restrict t = to + 16 * part;
        float s0 = scale * (float)s[part], s1 = scale * (float)s[part + 2];
        float s2 = scale * (float)s[part + 4], s3 = scale * (float)s[part + 6];
        for (int i = 0; i < 16; i++) t[i] = s0 * (float)((a[i] & 15) + (h[i] & 3) * 16 - 32);
        for (int i = 0; i < 16; i++) t[i + 32] = s1 * (float)((b[i] & 15) + (h[i] & 12) * 4 - 32);
        for (int i = 0; i < 16; i++) t[i + 64] = s2 * (float)((a[i] >> 4) + (h[i] & 48) - 32);
        for (int i = 0; i < 16; i++) t[i + 96] = s3 * (float)((b[i] >> 4) + (h[i] >> 6 << 4) - 32);
      }
    }
  }
}

const ink_convert_kernels INK_TABLE = {
    f32_from_f16,  f32_from_bf16, f16_from_f32,  bf16_from_f32,
    f32_from_q8_0, f32_from_q4_0, f32_from_q4_k, f32_from_q6_k,
};
