// One register of floats, as wide as the instruction set of the translation unit that includes
// this, and the few things C's vector extensions do not say. Included by the bodies of the kernels
// alone.
#ifndef INK_TENSOR_CPU_VECTOR_H
#define INK_TENSOR_CPU_VECTOR_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#include "tensor/half.h"

#if defined(__AVX512F__)
enum { LANES = 16, REGISTERS = 32 };
typedef float vec __attribute__((vector_size(64)));
typedef int32_t ivec __attribute__((vector_size(64)));
#elif defined(__AVX2__)
enum { LANES = 8, REGISTERS = 16 };
typedef float vec __attribute__((vector_size(32)));
typedef int32_t ivec __attribute__((vector_size(32)));
#else
enum { LANES = 4, REGISTERS = 16 };
typedef float vec __attribute__((vector_size(16)));
typedef int32_t ivec __attribute__((vector_size(16)));
#endif
typedef vec unaligned_vec __attribute__((aligned(4), may_alias));
// The same register as whole numbers of 32 and 64 bits.
typedef uint32_t uvec __attribute__((vector_size(4 * LANES)));
typedef uint64_t wide_vec __attribute__((vector_size(4 * LANES)));

static inline vec splat(float x) {
  return x - (vec){0};
}

static inline vec load(const float *p) {
  return *(const unaligned_vec *)p;
}

static inline void store(float *p, vec x) {
  *(unaligned_vec *)p = x;
}

// max_of and min_of give their second operand when one is NaN.
#if defined(__AVX512F__)

static inline __mmask16 lanes_below(int64_t n) {
  return (__mmask16)(n >= LANES ? 0xffffu : (1u << n) - 1);
}
// The first n lanes (all of them from LANES on), zero in the others.
static inline vec get(const float *p, int64_t n) {
  return (vec)_mm512_maskz_loadu_ps(lanes_below(n), p);
}
static inline void put(float *p, int64_t n, vec x) {
  _mm512_mask_storeu_ps(p, lanes_below(n), (__m512)x);
}
static inline vec max_of(vec a, vec b) {
  return (vec)_mm512_max_ps((__m512)a, (__m512)b);
}
static inline vec min_of(vec a, vec b) {
  return (vec)_mm512_min_ps((__m512)a, (__m512)b);
}

#else

static inline vec get(const float *p, int64_t n) {
  if (__builtin_expect(n >= LANES, 1)) return load(p);
  vec x = {0};
  for (int64_t i = 0; i < n; i++) x[i] = p[i];
  return x;
}
static inline void put(float *p, int64_t n, vec x) {
  if (__builtin_expect(n >= LANES, 1)) {
    store(p, x);
    return;
  }
  for (int64_t i = 0; i < n; i++) p[i] = x[i];
}
#if defined(__AVX2__)
static inline vec max_of(vec a, vec b) {
  return (vec)_mm256_max_ps((__m256)a, (__m256)b);
}
static inline vec min_of(vec a, vec b) {
  return (vec)_mm256_min_ps((__m256)a, (__m256)b);
}
#else
static inline vec max_of(vec a, vec b) {
  ivec greater = a > b;
  return (vec)(((ivec)a & greater) | ((ivec)b & ~greater));
}
static inline vec min_of(vec a, vec b) {
  ivec less = a < b;
  return (vec)(((ivec)a & less) | ((ivec)b & ~less));
}
#endif

#endif

// BF16 in memory: exact towards F32; to nearest even, NaN kept, from it (tensor/half.h; the
// instruction of AVX-512 BF16 takes subnormals as zero). As get and put above, the first n lanes.
typedef uint16_t hvec __attribute__((vector_size(2 * LANES)));
typedef hvec unaligned_hvec __attribute__((aligned(2), may_alias));

#if defined(__AVX512F__)

static inline vec wide_of(__m256i halves) {
  return (vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16);
}
static inline vec load_bf16(const uint16_t *p) {
  return wide_of(_mm256_loadu_si256((const __m256i_u *)(const void *)p));
}
static inline vec get_bf16(const uint16_t *p, int64_t n) {
  if (__builtin_expect(n >= LANES, 1)) return load_bf16(p);
  return wide_of(_mm256_maskz_loadu_epi16(lanes_below(n), p));
}
static inline void put_bf16(uint16_t *p, int64_t n, vec x) {
#if defined(__AVX512BF16__)
  __m256i halves = (__m256i)_mm512_cvtneps_pbh((__m512)x);
#else
  __m512i bits = (__m512i)x, odd = _mm512_srli_epi32(bits, 16);
  __m512i half =
      _mm512_add_epi32(_mm512_and_si512(odd, _mm512_set1_epi32(1)), _mm512_set1_epi32(0x7fff));
  __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, half), 16);
  __mmask16 nan = _mm512_cmp_ps_mask((__m512)x, (__m512)x, _CMP_UNORD_Q);
  rounded = _mm512_mask_or_epi32(rounded, nan, odd, _mm512_set1_epi32(0x40));
  __m256i halves = _mm512_cvtepi32_epi16(rounded);
#endif
  if (__builtin_expect(n >= LANES, 1)) {
    _mm256_storeu_si256((__m256i_u *)(void *)p, halves);
  } else {
    _mm256_mask_storeu_epi16(p, lanes_below(n), halves);
  }
}

#else

static inline vec load_bf16(const uint16_t *p) {
#if defined(__AVX2__)
  __m128i halves = _mm_loadu_si128((const __m128i_u *)(const void *)p);
  return (vec)_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16);
#else
  return (vec)(__builtin_convertvector(*(const unaligned_hvec *)p, uvec) << 16);
#endif
}
static inline vec get_bf16(const uint16_t *p, int64_t n) {
  if (__builtin_expect(n >= LANES, 1)) return load_bf16(p);
  vec x = {0};
  for (int64_t i = 0; i < n; i++) x[i] = ink_f32_from_bf16(p[i]);
  return x;
}
static inline void put_bf16(uint16_t *p, int64_t n, vec x) {
  uvec bits = (uvec)x, rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  uvec nan = (uvec)(x != x);  // NOLINT(misc-redundant-expression): so it is for NaN alone
  hvec h = __builtin_convertvector((rounded & ~nan) | ((bits >> 16 | 0x40) & nan), hvec);
  if (__builtin_expect(n >= LANES, 1)) {
    *(unaligned_hvec *)p = h;
    return;
  }
  for (int64_t i = 0; i < n; i++) p[i] = h[i];
}

#endif

// Products of the low halves of 64-bit lanes, and two registers of 64-bit lanes interleaved.
static inline wide_vec mul_halves(wide_vec a, wide_vec b) {
#if defined(__AVX512F__)
  return (wide_vec)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (wide_vec)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#else
  return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}
static inline void interleave(wide_vec a, wide_vec b, wide_vec *low, wide_vec *high) {
#if defined(__AVX512F__)
  *low = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  *high = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#elif defined(__AVX2__)
  *low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  *high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
#else
  *low = __builtin_shufflevector(a, b, 0, 2);
  *high = __builtin_shufflevector(a, b, 1, 3);
#endif
}

// a where the mask is set, b elsewhere.
static inline vec choose(ivec mask, vec a, vec b) {
  return (vec)(((ivec)a & mask) | ((ivec)b & ~mask));
}

// Sum of the lanes: halves onto halves.
static inline float sum_of(vec x) {
  float lane[LANES];
  memcpy(lane, &x, sizeof x);
  for (int half = LANES / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) lane[i] += lane[i + half];
  }
  return lane[0];
}

static inline float greatest_of(vec x) {
  float lane[LANES];
  memcpy(lane, &x, sizeof x);
  for (int half = LANES / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
  }
  return lane[0];
}

// Of two rows `half` apart: lanes with that bit of the one change places with lanes without it of
// the other. half is a constant where this is inlined.
static inline __attribute__((always_inline)) void exchange(vec *a, vec *b, int half) {
  vec x = *a, y = *b;
#if defined(__AVX512F__)
  if (half == 8) {
    *a = __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    *b =
        __builtin_shufflevector(x, y, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  }
  if (half == 4) {
    *a = __builtin_shufflevector(x, y, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
    *b = __builtin_shufflevector(x, y, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
  }
  if (half == 2) {
    *a = __builtin_shufflevector(x, y, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
    *b = __builtin_shufflevector(x, y, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  }
  if (half == 1) {
    *a = __builtin_shufflevector(x, y, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
    *b = __builtin_shufflevector(x, y, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
  }
#elif defined(__AVX2__)
  if (half == 4) {
    *a = __builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11);
    *b = __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15);
  }
  if (half == 2) {
    *a = __builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13);
    *b = __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15);
  }
  if (half == 1) {
    *a = __builtin_shufflevector(x, y, 0, 8, 2, 10, 4, 12, 6, 14);
    *b = __builtin_shufflevector(x, y, 1, 9, 3, 11, 5, 13, 7, 15);
  }
#else
  if (half == 2) {
    *a = __builtin_shufflevector(x, y, 0, 1, 4, 5);
    *b = __builtin_shufflevector(x, y, 2, 3, 6, 7);
  }
  if (half == 1) {
    *a = __builtin_shufflevector(x, y, 0, 4, 2, 6);
    *b = __builtin_shufflevector(x, y, 1, 5, 3, 7);
  }
#endif
}

// Transpose a square of LANES registers: halves, quarters, … are exchanged across the diagonal.
static inline void transpose(vec square[LANES]) {
#pragma GCC unroll 4
  for (int half = LANES / 2; half > 0; half /= 2) {
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) {
      if (i & half) continue;
      exchange(&square[i], &square[i + half], half);
    }
  }
}

// e^x within 2 units in the last place for x in [-87.3, 88]; 0 below (e^0 is exactly 1), held at
// e^88 above; NaN stays. Cody and Waite's reduction by ln 2 in two parts; the polynomial is a
// minimax fit of degree 6, relative error 3e-9, to e^r on |r| <= ln(2) / 2.
static inline vec exp_of(vec x) {
  const vec shift = splat(0x1.8p23f);
  vec held = max_of(splat(-87.3f), min_of(splat(88.0f), x));
  vec shifted = held * 1.44269504f + shift;
  vec n = shifted - shift;
  vec r = held - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  vec p = 0.00138145358f * r + 0.00836874557f;
  p = p * r + 0.0416683909f;
  p = p * r + 0.166665204f;
  p = p * r + 0.499999934f;
  p = p * r * r + r + 1.0f;
  ivec power = ((ivec)shifted << 23) + 0x3f800000;
  return (vec)((ivec)(p * (vec)power) & ~(x < splat(-87.3f)));
}

// 1 / (1 + e^-x).
static inline vec sigmoid_of(vec x) {
  return 1.0f / (1.0f + exp_of(-x));
}

// As above for results that are rounded to BF16: relative error below 2^-13.
static inline vec rough_sigmoid_of(vec x) {
#if defined(__AVX512F__)
  return (vec)_mm512_rcp14_ps((__m512)(1.0f + exp_of(-x)));
#else
  return sigmoid_of(x);
#endif
}

// Hyperbolic tangent by e^2x; absolute error about 1e-7.
static inline vec tanh_of(vec x) {
  return 1.0f - 2.0f / (exp_of(2.0f * x) + 1.0f);
}

// The complement of the error function for x >= 0: t e^(-x^2 + P(t)) with t = 1 / (1 + x / 2), P a
// minimax fit of degree 9, relative error 4e-8.
static inline vec erfc_of(vec x) {
  vec t = 1.0f / (1.0f + 0.5f * x);
  vec p = 0.140341778f * t - 0.655878411f;
  p = p * t + 1.09818376f;
  p = p * t - 0.618648092f;
  p = p * t - 0.144087602f;
  p = p * t + 0.0348973262f;
  p = p * t + 0.0232833101f;
  p = p * t + 0.388978176f;
  p = p * t + 0.998364836f;
  p = p * t - 1.26543504f;
  return t * exp_of(p - x * x);
}

#endif
