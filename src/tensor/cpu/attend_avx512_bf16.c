// Attention by AVX-512 BF16. Two register tiles: scores take 12 queries by 32 keys, two
// neighbouring elements a step; results take 6 queries by up to 64 elements of a head (5 by 80),
// two neighbouring keys a step. Between them each row of scores becomes probabilities, in powers of
// two.
#include <math.h>
#include <string.h>

#include "tensor/cpu/attend.h"
#include "tensor/cpu/vector.h"

enum { SCORE_ROWS = 12, PANEL = INK_ATTEND_PANEL, KEYS = INK_ATTEND_KEYS };

typedef float word __attribute__((may_alias));

static inline __attribute__((always_inline)) vec fused(vec a, vec b, vec sum) {
  return (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}

static inline int64_t pairs(int64_t n) {
  return (n + 1) / 2;
}

// ---- packing ------------------------------------------------------------------------------------

void ink_attend_pack_keys(const uint16_t *k, int64_t stride, int64_t n, int64_t width,
                          char *panel) {
  float *to = (float *)(void *)panel;
  int64_t steps = pairs(width);
  for (int64_t first = 0; first < PANEL; first += LANES) {
    for (int64_t s = 0; s < steps; s += LANES) {
      vec square[LANES];
      int64_t left = width - 2 * s < 2 * LANES ? width - 2 * s : 2 * LANES;
      __mmask32 mask = (__mmask32)(left >= 32 ? 0xffffffffu : (1u << left) - 1);
      for (int64_t i = 0; i < LANES; i++) {
        square[i] = (vec){0};
        if (first + i < n) {
          square[i] = (vec)_mm512_maskz_loadu_epi16(mask, k + (first + i) * stride + 2 * s);
        }
      }
      transpose(square);
      for (int64_t i = 0; i < LANES && s + i < steps; i++) {
        store(to + (s + i) * PANEL + first, square[i]);
      }
    }
  }
}

void ink_attend_pack_values(const uint16_t *v, int64_t stride, int64_t n, int64_t width,
                            int64_t columns, char *to) {
  for (int64_t i = 0; i < n; i += 2, to += columns * 4) {
    const uint16_t *even = v + i * stride, *odd = even + stride;
    for (int64_t e = 0; e < columns; e += LANES) {
      int64_t left = width - e < 0 ? 0 : width - e;
      __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes_below(left), even + e));
      __m512i high = _mm512_setzero_si512();
      if (i + 1 < n) {
        high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes_below(left), odd + e));
      }
      _mm512_storeu_si512(to + e * 4, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
  }
}

// ---- scores -------------------------------------------------------------------------------------

// s (12, 32) = q k^T.
static void scores(const char *q, int64_t steps, const char *panel, float *s) {
  vec sum[SCORE_ROWS][2];
#pragma GCC unroll 12
  for (int i = 0; i < SCORE_ROWS; i++) sum[i][0] = sum[i][1] = (vec){0};
  const float *b = (const float *)(const void *)panel;
  for (int64_t step = 0; step < steps; step++, q += 4, b += PANEL) {
    vec first = load(b), second = load(b + LANES);
#pragma GCC unroll 12
    for (int i = 0; i < SCORE_ROWS; i++) {
      vec factor = splat(*(const word *)(const void *)(q + i * INK_ATTEND_Q_ROW));
      sum[i][0] = fused(factor, first, sum[i][0]);
      sum[i][1] = fused(factor, second, sum[i][1]);
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < SCORE_ROWS; i++) {
    store(s + i * KEYS, sum[i][0]);
    store(s + i * KEYS + LANES, sum[i][1]);
  }
}

// ---- probabilities ------------------------------------------------------------------------------

// 2^x within a relative error of 3e-06: a minimax fit of degree 4 to 2^(x - floor(x)), exact at 0,
// which the last instruction moves by floor(x). 0 for -infinity; NaN stays.
static inline __attribute__((always_inline)) vec power_of_two(vec x) {
  enum { TOWARDS_MINUS_INFINITY = 1 };
  vec r = (vec)_mm512_reduce_ps((__m512)x, TOWARDS_MINUS_INFINITY);
  vec p = 0.0134266838f * r + 0.0522424728f;
  p = p * r + 0.241280198f;
  p = p * r + 0.693044841f;
  p = p * r + 1.0f;
  return (vec)_mm512_scalef_ps((__m512)p, (__m512)x);
}

// One row of n scores becomes probabilities relative to its running maximum, zero up to an even
// number. *fall is how far the maximum before lies below the new one, in powers of two; returns the
// sum. n is a constant where this is inlined for a whole chunk.
static inline __attribute__((always_inline)) float soften(const float *s, const int64_t n,
                                                          float scale, float *greatest, float *fall,
                                                          char *p) {
  vec x[KEYS / LANES], most = splat(-INFINITY);  // a whole chunk stays in registers
  int64_t vectors = (n + LANES - 1) / LANES;
#pragma GCC unroll 16
  for (int j = 0; j < KEYS / LANES; j++) {
    x[j] = splat(-INFINITY);
    if (j < vectors) {
      x[j] = (vec)_mm512_mask_loadu_ps((__m512)x[j], lanes_below(n - j * LANES), s + j * LANES);
    }
    most = max_of(x[j], most);
  }
  float before = *greatest, now = _mm512_reduce_max_ps((__m512)most) * scale;
  now = now > before ? now : before;
  *greatest = now;
  *fall = before - now;
  vec total = {0};
#pragma GCC unroll 4
  for (int j = 0; j < KEYS / LANES; j += 2) {
    if (j >= vectors) break;
    vec a = power_of_two(x[j] * scale - now), b = power_of_two(x[j + 1] * scale - now);
    int64_t left = n - j * LANES;
    if (left < 2 * LANES) {
      a = (vec)_mm512_maskz_mov_ps(lanes_below(left), (__m512)a);
      b = (vec)_mm512_maskz_mov_ps(left > LANES ? lanes_below(left - LANES) : 0, (__m512)b);
    }
    total += a + b;
    _mm512_storeu_si512(p + j * LANES * 2, (__m512i)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a));
  }
  return _mm512_reduce_add_ps((__m512)total);
}

// All rows of a chunk of n keys; the sums so far, and what came before, shrink with the maximum.
static void soften_rows(const ink_attend_tile *t, int64_t n, float scale) {
  enum { ROWS = (INK_ATTEND_ROWS + LANES - 1) / LANES * LANES };
  float total[ROWS] = {0}, fall[ROWS] = {0};
  if (n == KEYS) {
    for (int i = 0; i < t->rows; i++) {
      total[i] = soften(t->s + i * KEYS, KEYS, scale, t->greatest + i, fall + i,
                        t->p + i * INK_ATTEND_P_ROW);
    }
  } else {
    for (int i = 0; i < t->rows; i++) {
      total[i] =
          soften(t->s + i * KEYS, n, scale, t->greatest + i, fall + i, t->p + i * INK_ATTEND_P_ROW);
    }
  }
  for (int i = 0; i < INK_ATTEND_ROWS; i += LANES) {
    int64_t left = INK_ATTEND_ROWS - i;
    vec shrink = power_of_two(load(fall + i));
    put(t->shrink + i, left, shrink);
    put(t->sum + i, left, get(t->sum + i, left) * shrink + load(total + i));
  }
}

// ---- results ------------------------------------------------------------------------------------

// o (rows, vectors * 16) = o * shrink + p v. rows and vectors are constants where this is inlined.
static inline __attribute__((always_inline)) void results(const int rows, const int vectors,
                                                          int64_t steps, const char *p,
                                                          const char *v, int64_t columns,
                                                          const float *shrink, float *o) {
  vec sum[6][5];
#pragma GCC unroll 6
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 5
    for (int j = 0; j < vectors; j++) sum[i][j] = shrink[i] * load(o + i * columns + j * LANES);
  }
  const float *b = (const float *)(const void *)v;
  for (int64_t step = 0; step < steps; step++, p += 4, b += columns) {
    vec line[5];
#pragma GCC unroll 5
    for (int j = 0; j < vectors; j++) line[j] = load(b + j * LANES);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
      vec factor = splat(*(const word *)(const void *)(p + i * INK_ATTEND_P_ROW));
#pragma GCC unroll 5
      for (int j = 0; j < vectors; j++) sum[i][j] = fused(factor, line[j], sum[i][j]);
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 5
    for (int j = 0; j < vectors; j++) store(o + i * columns + j * LANES, sum[i][j]);
  }
}

static inline __attribute__((always_inline)) void all_rows(const int rows, const int vectors,
                                                           const ink_attend_tile *t, int64_t column,
                                                           int64_t steps, const char *v) {
  for (int i = 0; i < t->rows; i += rows) {
    results(rows, vectors, steps, t->p + i * INK_ATTEND_P_ROW, v + column * 4, t->columns,
            t->shrink + i, t->o + i * t->columns + column);
  }
}

// All rows of the tile for `vectors` registers of the head from `column` on.
static void results_part(const ink_attend_tile *t, int vectors, int64_t column, int64_t steps,
                         const char *v) {
  switch (vectors) {
    case 1:
      return all_rows(6, 1, t, column, steps, v);
    case 2:
      return all_rows(6, 2, t, column, steps, v);
    case 3:
      return all_rows(6, 3, t, column, steps, v);
    case 4:
      return all_rows(6, 4, t, column, steps, v);
    default:
      return all_rows(5, 5, t, column, steps, v);
  }
}

void ink_attend_bf16(const ink_attend_tile *t) {
  int64_t steps = pairs(t->width), panel_bytes = steps * PANEL * 4;
  float scale = t->scale * 1.44269504f;  // powers of two
  for (int i = 0; i < INK_ATTEND_ROWS; i++) {
    t->greatest[i] = -INFINITY;
    t->sum[i] = 0.0f;
  }
  memset(t->o, 0, (size_t)(INK_ATTEND_ROWS * t->columns) * sizeof *t->o);
  int64_t registers = t->columns / LANES, parts = (registers + 4) / 5;
  for (int64_t key = 0; key < t->keys; key += KEYS) {
    int64_t n = t->keys - key < KEYS ? t->keys - key : KEYS;
    for (int64_t j = 0; j < n; j += PANEL) {
      const char *panel = t->k + (key + j) / PANEL * panel_bytes;
      for (int i = 0; i < t->rows; i += SCORE_ROWS) {
        scores(t->q + i * INK_ATTEND_Q_ROW, steps, panel, t->s + i * KEYS + j);
      }
    }
    soften_rows(t, n, scale);
    const char *v = t->v + key / 2 * t->columns * 4;
    for (int64_t part = 0; part < parts; part++) {
      int64_t begin = registers * part / parts, end = registers * (part + 1) / parts;
      results_part(t, (int)(end - begin), begin * LANES, pairs(n), v);
    }
  }
}

void ink_attend_finish(const ink_attend_tile *t, uint16_t *y, int64_t stride) {
  for (int i = 0; i < t->rows; i++) {
    float factor = t->sum[i] > 0.0f ? 1.0f / t->sum[i] : 0.0f;
    for (int64_t e = 0; e < t->width; e += LANES) {
      put_bf16(y + i * stride + e, t->width - e, factor * load(t->o + i * t->columns + e));
    }
  }
}
