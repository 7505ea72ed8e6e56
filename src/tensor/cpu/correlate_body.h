// Staging and the register tile of weight gradients in vectors of the instruction set at hand.
// Included with INK_TABLE naming the table to define and, for BF16 elements, INK_PAIRS defined.
#include <stddef.h>
#include <string.h>

#include "tensor/cpu/correlate.h"
#include "tensor/cpu/register_tile.h"

typedef float word __attribute__((may_alias));

// `rows` is a constant where this is inlined.
static inline __attribute__((always_inline)) void tile(const int rows,
                                                       const ink_correlate_tile *t) {
  vec sum[ROWS][WIDE];
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int j = 0; j < WIDE; j++) sum[i][j] = (vec){0};
  }
  int64_t a_step = t->a_step, b_step = t->b_step;
  for (int64_t image = 0; image < t->images; image++) {
    for (int64_t line = 0; line < t->lines; line++) {
      const char *a = t->a + image * t->a_image + line * t->a_line;
      const char *b = t->b + image * t->b_image + line * t->b_line;
      for (int64_t s = 0; s < t->steps; s++, a += a_step, b += b_step) {
        vec column[WIDE];
#pragma GCC unroll 4
        for (int j = 0; j < WIDE; j++) {
          column[j] = load((const float *)(const void *)b + j * LANES);
        }
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
          vec factor = splat(((const word *)(const void *)a)[i]);
#pragma GCC unroll 4
          for (int j = 0; j < WIDE; j++) sum[i][j] = fused(factor, column[j], sum[i][j]);
        }
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int j = 0; j < WIDE; j++) {
      float *to = t->sums + i * COLUMNS + j * LANES;
      store(to, load(to) + sum[i][j]);
    }
  }
}

#define ROW(n) \
  case n:      \
    return tile(n, t);

static void multiply(const ink_correlate_tile *t) {
  switch (t->rows) {
    ROW(1)
    ROW(2)
    ROW(3)
    ROW(4)
#if defined(__AVX2__)
    ROW(5)
    ROW(6)
#endif
#if defined(__AVX512F__)
    ROW(7)
    ROW(8)
    ROW(9)
    ROW(10)
    ROW(11)
    ROW(12)
    ROW(13)
    ROW(14)
#endif
    default:
      return;
  }
}

static inline vec word_of(vec first, vec second) {
#if defined(INK_PAIRS)
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  __m512i pairs = (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
  return (vec)_mm512_permutexvar_epi16(order, pairs);
#else
  (void)second;
  return first;
#endif
}

// The words of one pixel for one panel of `width`, `channels` of which are there.
static inline __attribute__((always_inline)) void stage_panel(const float *first,
                                                              const float *second, int64_t channels,
                                                              int64_t width, float *to) {
  for (int64_t i = 0; i < width; i += LANES) {
    int64_t n = channels > i ? channels - i : 0;
    vec x = get(first + i, n), y = {0};
    if (second) y = get(second + i, n);
    store(to + i, word_of(x, y));
  }
}

static inline __attribute__((always_inline)) void stage_pixels(const float *first,
                                                               const float *second, int64_t pixels,
                                                               int64_t stride, int64_t channels,
                                                               int64_t width, int64_t panel_bytes,
                                                               char *to) {
  for (int64_t p = 0; p < pixels; p++, to += width * (int64_t)sizeof(float)) {
    char *panel = to;
    for (int64_t c = 0; c < channels; c += width, panel += panel_bytes) {
      stage_panel(first + c, second ? second + c : NULL, channels - c, width,
                  (float *)(void *)panel);
    }
    first += stride;
    if (second) second += stride;
  }
}

// sums += the elements of all pixels, channel by channel.
static void gather_sums(const float *x, int64_t pixels, int64_t stride, int64_t channels,
                        float *sums) {
  for (int64_t c = 0; c < channels; c += LANES) {
    int64_t n = channels - c;
    vec sum = get(sums + c, n);
    for (int64_t p = 0; p < pixels; p++) sum += get(x + p * stride + c, n);
    put(sums + c, n, sum);
  }
}

static void stage(const float *first, const float *second, int64_t pixels, int64_t stride,
                  int64_t channels, int64_t width, int64_t panel_bytes, char *to, float *sums) {
  // Panels of the loaded side have a constant width.
  if (second && width == COLUMNS) {
    stage_pixels(first, second, pixels, stride, channels, COLUMNS, panel_bytes, to);
  } else {
    stage_pixels(first, second, pixels, stride, channels, width, panel_bytes, to);
  }
  if (!sums) return;
  gather_sums(first, pixels, stride, channels, sums);
  if (second) gather_sums(second, pixels, stride, channels, sums);
}

const ink_correlate_kernels INK_TABLE = {
    .rows = ROWS,
    .columns = COLUMNS,
    .elements = ELEMENTS,
    .stage = stage,
    .multiply = multiply,
};
