// Staging, packing and the register tile of convolutions in vectors of the instruction set at hand.
// Included with INK_TABLE naming the table to define and, for BF16 elements, INK_PAIRS defined.
#include <stddef.h>
#include <string.h>

#include "tensor/cpu/convolve.h"
#include "tensor/cpu/register_tile.h"
#include "tensor/half.h"

enum {
  AHEAD = 8,  // steps of b that are fetched ahead
  // One line of cache more than a power of two, so that pixels fall into different cache sets.
  PIXEL = INK_CONVOLVE_CHANNELS * 4 / ELEMENTS + 64,
  LINEAR_PIXEL = INK_LINEAR_CHANNELS * 4 / ELEMENTS + 64
};

typedef float word __attribute__((may_alias));

// ---- the register tile ------------------------------------------------------------------------

// `rows` and `pixel` are constants where this is inlined.
static inline __attribute__((always_inline)) void tile(const int rows, const int64_t pixel,
                                                       const ink_convolve_tile *t) {
  vec sum[ROWS][WIDE];
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int j = 0; j < WIDE; j++) sum[i][j] = (vec){0};
  }
  const word *b = (const word *)(const void *)t->b;
  int64_t steps = t->steps;
  if (t->add || !t->y) {
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
      for (int j = 0; j < WIDE; j++) {
        __builtin_prefetch(t->sums + i * t->sums_stride + j * LANES, 1);
      }
    }
  }
  if (t->also) {
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
      __builtin_prefetch((const char *)t->also + i * t->y_stride * (t->y_bf16 ? 2 : 4));
    }
  }
  for (int64_t tap = 0; tap < t->taps; tap++) {
    const char *a = t->a + t->tap[tap];
    for (int64_t s = 0; s < steps; s++) {
      vec line[WIDE];
#pragma GCC unroll 4
      for (int j = 0; j < WIDE; j++) __builtin_prefetch(b + AHEAD * COLUMNS + j * LANES);
#pragma GCC unroll 4
      for (int j = 0; j < WIDE; j++) line[j] = load((const float *)b + j * LANES);
#pragma GCC unroll 16
      for (int i = 0; i < rows; i++) {
        vec factor = splat(*(const word *)(const void *)(a + i * pixel));
#pragma GCC unroll 4
        for (int j = 0; j < WIDE; j++) sum[i][j] = fused(factor, line[j], sum[i][j]);
      }
      a += sizeof(float);
      b += COLUMNS;
    }
  }
  if (t->add) {
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
      for (int j = 0; j < WIDE; j++) {
        sum[i][j] = load(t->sums + i * t->sums_stride + j * LANES) + sum[i][j];
      }
    }
  }
  if (!t->y) {
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
      for (int j = 0; j < WIDE; j++) store(t->sums + i * t->sums_stride + j * LANES, sum[i][j]);
    }
    return;
  }
  int64_t left[WIDE];
#pragma GCC unroll 4
  for (int j = 0; j < WIDE; j++) {
    left[j] = t->columns - j * LANES;
    if (left[j] < 0) left[j] = 0;
    if (!t->bias) continue;
    vec bias = get(t->bias + j * LANES, left[j]);
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) sum[i][j] = sum[i][j] + bias;
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int j = 0; j < WIDE; j++) {
      int64_t at = i * t->y_stride + j * LANES;
      if (t->y_add) sum[i][j] = get((const float *)t->y + at, left[j]) + sum[i][j];
      if (t->also) {
        sum[i][j] += t->y_bf16 ? get_bf16((const uint16_t *)t->also + at, left[j])
                               : get((const float *)t->also + at, left[j]);
      }
      if (t->relu) sum[i][j] = max_of(splat(0.0f), sum[i][j]);  // NaN stays
      if (t->y_bf16) {
        put_bf16((uint16_t *)t->y + at, left[j], sum[i][j]);
      } else if (left[j] >= LANES) {
        store((float *)t->y + at, sum[i][j]);
      } else {
        put((float *)t->y + at, left[j], sum[i][j]);
      }
    }
  }
}

#if defined(__AVX512F__)
#define EACH_ROW(ROW) \
  ROW(1)              \
  ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) ROW(7) ROW(8) ROW(9) ROW(10) ROW(11) ROW(12) ROW(13) ROW(14)
#elif defined(__AVX2__)
#define EACH_ROW(ROW) ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6)
#else
#define EACH_ROW(ROW) ROW(1) ROW(2) ROW(3) ROW(4)
#endif
#define CONVOLUTION_TILE(n) \
  case n:                   \
    return tile(n, PIXEL, t);
#define LINEAR_TILE(n) \
  case n:              \
    return tile(n, LINEAR_PIXEL, t);

static void multiply(const ink_convolve_tile *t) {
  if (t->linear) {
    switch (t->rows) { EACH_ROW(LINEAR_TILE) }
  } else {
    switch (t->rows) { EACH_ROW(CONVOLUTION_TILE) }
  }
}

// ---- staging and packing ------------------------------------------------------------------------

static void stage_f32(const float *from, int64_t n, void *to) {
#if defined(INK_PAIRS)
  uint16_t *half = to;
  int64_t i = 0;
  for (; i + 2 * LANES <= n; i += 2 * LANES) {
    __m512bh pairs = _mm512_cvtne2ps_pbh((__m512)load(from + i + LANES), (__m512)load(from + i));
    _mm512_storeu_si512(half + i, (__m512i)pairs);
  }
  for (; i < n; i += LANES) put_bf16(half + i, n - i, get(from + i, n - i));
  if (n % 2) half[n] = 0;
#else
  memcpy(to, from, (size_t)n * sizeof *from);
#endif
}

static void stage_bf16(const uint16_t *from, int64_t n, void *to) {
#if defined(INK_PAIRS)
  uint16_t *half = to;
  int64_t i = 0;
  for (; i + 2 * LANES <= n; i += 2 * LANES) {
    _mm512_storeu_si512(half + i, _mm512_loadu_si512(from + i));
  }
  if (i < n) memcpy(half + i, from + i, (size_t)(n - i) * sizeof *half);
  if (n % 2) half[n] = 0;
#else
  float *x = to;
  for (int64_t i = 0; i < n; i += LANES) put(x + i, n - i, get_bf16(from + i, n - i));
#endif
}

static void stage(ink_dtype dtype, const void *from, int64_t stride, int64_t pixels, int64_t n,
                  char *to, int64_t to_bytes) {
  if (dtype == INK_F32) {
    const float *x = from;
    for (int64_t p = 0; p < pixels; p++) stage_f32(x + p * stride, n, to + p * to_bytes);
  } else {
    const uint16_t *x = from;
    for (int64_t p = 0; p < pixels; p++) stage_bf16(x + p * stride, n, to + p * to_bytes);
  }
}

// LANES steps of one column as words: elements i, i + 1, … of a line whose neighbours stand `in`
// apart; n of them are there.
static inline vec column_words(const float *from, int64_t in, int64_t n) {
  vec part[ELEMENTS];
  for (int e = 0; e < ELEMENTS; e++) {
    int64_t left = n - e * LANES;
    if (in == 1) {
      part[e] = get(from + e * LANES, left < 0 ? 0 : left);
      continue;
    }
    part[e] = (vec){0};
#if defined(__AVX512F__)
    if (left <= 0) continue;
    __m512i at =
        _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                           _mm512_set1_epi32((int)in));
    part[e] = (vec)_mm512_mask_i32gather_ps(_mm512_setzero_ps(), lanes_below(left), at,
                                            from + e * LANES * in, sizeof(float));
#else
    for (int64_t i = 0; i < LANES && i < left; i++) part[e][i] = from[(e * LANES + i) * in];
#endif
  }
#if defined(INK_PAIRS)
  return (vec)_mm512_cvtne2ps_pbh((__m512)part[1], (__m512)part[0]);
#else
  return part[0];
#endif
}

static void pack(const float *from, int64_t out, int64_t in, int64_t columns, int64_t channels,
                 void *to) {
  float *words = to;
  int64_t steps = (channels + ELEMENTS - 1) / ELEMENTS;
  for (int64_t s = 0; s < steps; s += LANES) {
    for (int64_t j = 0; j < COLUMNS; j += LANES) {
      vec square[LANES];
      for (int64_t i = 0; i < LANES; i++) {
        square[i] = (vec){0};
        if (j + i < columns) {
          square[i] =
              column_words(from + (j + i) * out + s * ELEMENTS * in, in, channels - s * ELEMENTS);
        }
      }
      transpose(square);
      for (int64_t i = 0; i < LANES && s + i < steps; i++) {
        store(words + (s + i) * COLUMNS + j, square[i]);
      }
    }
  }
}

const ink_convolve_kernels INK_TABLE = {
    .rows = ROWS,
    .columns = COLUMNS,
    .elements = ELEMENTS,
    .pixel_bytes = {PIXEL, LINEAR_PIXEL},
    .stage = stage,
    .pack = pack,
    .multiply = multiply,
};
