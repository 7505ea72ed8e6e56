// Packing and the register tile in vectors of the instruction set at hand. Included with INK_TABLE
// naming the table to define and, for BF16 elements, INK_PAIRS defined.
#include <stddef.h>
#include <string.h>

#include "tensor/cpu/gemm.h"
#include "tensor/cpu/register_tile.h"
#include "tensor/gemm.h"

enum {
  STEPS = INK_GEMM_STEPS,
  // Rows of a panel of a, and panels of b, stand a little further apart than a power of two so that
  // they fall into different cache sets.
  A_STRIDE = STEPS + 16,
  B_PANEL = COLUMNS * (STEPS + 4)
};

// This unit is built without contraction, for its values are those of ink_to_f32: what is fused is
// said.
static inline __attribute__((always_inline)) vec multiply_add(vec a, vec b, vec sum) {
#if defined(INK_PAIRS)
  return fused(a, b, sum);
#elif defined(__AVX512F__)
  return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)sum);
#elif defined(__AVX2__)
  return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)sum);
#else
  return sum + a * b;
#endif
}

static inline __attribute__((always_inline)) vec broadcast(const float *p) {
#if defined(__AVX512F__)
  return (vec)_mm512_set1_ps(*p);
#elif defined(__AVX2__)
  return (vec)_mm256_set1_ps(*p);
#else
  return splat(*p);
#endif
}

// ---- the register tile ------------------------------------------------------------------------

// `rows`, a_row and a_step are constants where this is inlined.
static inline __attribute__((always_inline)) void tile(const int rows, const int64_t a_row,
                                                       const int64_t a_step, int64_t columns,
                                                       int64_t steps, const float *restrict a,
                                                       const float *restrict b, float *restrict c,
                                                       int64_t stride, bool add,
                                                       const float *bias) {
  vec sum[ROWS][WIDE];
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int j = 0; j < WIDE; j++) sum[i][j] = (vec){0};
  }
  // The result comes from far; it is here when the sums are done.
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int j = 0; j < WIDE; j++) __builtin_prefetch(c + i * stride + j * LANES, 1);
  }
  for (int64_t k = 0; k < steps; k++) {
    vec line[WIDE];
#pragma GCC unroll 4
    for (int j = 0; j < WIDE; j++) line[j] = load(b + j * LANES);
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
      vec factor = broadcast(a + i * a_row);
#pragma GCC unroll 4
      for (int j = 0; j < WIDE; j++) sum[i][j] = multiply_add(factor, line[j], sum[i][j]);
    }
    a += a_step;
    b += COLUMNS;
  }
  // Whole vectors apart: masked stores are many times slower (AMD Zen 4).
  if (columns == COLUMNS) {
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
      for (int j = 0; j < WIDE; j++) {
        float *to = c + i * stride + j * LANES;
        if (add) sum[i][j] = load(to) + sum[i][j];
        if (bias) sum[i][j] = sum[i][j] + load(bias + j * LANES);
        store(to, sum[i][j]);
      }
    }
    return;
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int j = 0; j < WIDE; j++) {
      float *to = c + i * stride + j * LANES;
      int64_t n = columns > j * LANES ? columns - j * LANES : 0;
      if (add) sum[i][j] = get(to, n) + sum[i][j];
      if (bias) sum[i][j] = sum[i][j] + get(bias + j * LANES, n);
      put(to, n, sum[i][j]);
    }
  }
}

#define TILE(n)                                                         \
  case n:                                                               \
    if (a_along_k) {                                                    \
      tile(n, A_STRIDE, 1, columns, steps, a, b, c, stride, add, bias); \
    } else {                                                            \
      tile(n, 1, ROWS, columns, steps, a, b, c, stride, add, bias);     \
    }                                                                   \
    return;

static void multiply(int64_t rows, int64_t columns, int64_t k, const void *a, bool a_along_k,
                     const void *b, float *c, int64_t stride, bool add, const float *bias) {
  int64_t steps = (k + ELEMENTS - 1) / ELEMENTS;
  switch (rows) {
    TILE(1)
    TILE(2)
    TILE(3)
    TILE(4)
#if defined(__AVX2__)
    TILE(5)
    TILE(6)
#endif
#if defined(__AVX512F__)
    TILE(7)
    TILE(8)
    TILE(9)
    TILE(10)
    TILE(11)
    TILE(12)
    TILE(13)
    TILE(14)
#endif
    default:
      return;
  }
}

// ---- packing ----------------------------------------------------------------------------------

#if defined(__AVX512F__)
#include "tensor/cpu/gemm_decode.h"
#endif

// Turn a square of LANES lines, `stride` words apart, into LANES lines `to_stride` apart.
static inline void turn(const float *from, int64_t stride, float *to, int64_t to_stride) {
#if defined(__AVX512F__)
  __m512 x[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) x[i] = _mm512_loadu_ps(from + i * stride);
  cross(x);
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) _mm512_storeu_ps(to + i * to_stride, x[i]);
#elif defined(__AVX2__)
  __m256 x[8], y[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) x[i] = _mm256_loadu_ps(from + i * stride);
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    __m256 p = _mm256_unpacklo_ps(x[i], x[i + 1]), q = _mm256_unpackhi_ps(x[i], x[i + 1]);
    __m256 r = _mm256_unpacklo_ps(x[i + 2], x[i + 3]), s = _mm256_unpackhi_ps(x[i + 2], x[i + 3]);
    y[i] = _mm256_shuffle_ps(p, r, 0x44);
    y[i + 1] = _mm256_shuffle_ps(p, r, 0xee);
    y[i + 2] = _mm256_shuffle_ps(q, s, 0x44);
    y[i + 3] = _mm256_shuffle_ps(q, s, 0xee);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    _mm256_storeu_ps(to + j * to_stride, _mm256_permute2f128_ps(y[j], y[j + 4], 0x20));
    _mm256_storeu_ps(to + (j + 4) * to_stride, _mm256_permute2f128_ps(y[j], y[j + 4], 0x31));
  }
#else
  for (int i = 0; i < LANES; i++) {
    for (int j = 0; j < LANES; j++) to[j * to_stride + i] = from[i * stride + j];
  }
#endif
}

// n elements of a line as words of a panel: F32, or pairs of BF16 with zero up to a whole step.
static void words(ink_dtype dtype, const char *from, int64_t n, float *to) {
#if defined(INK_PAIRS)
  uint16_t *half = (uint16_t *)to;
  if (dtype == INK_BF16) {
    memcpy(half, from, (size_t)n * sizeof *half);
  } else {
    float line[STEPS * ELEMENTS];
    const float *x = line;
    if (dtype == INK_F32) {
      x = (const float *)(const void *)from;
    } else {
      ink_to_f32(dtype, from, line, n);
    }
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
      __m512bh pairs = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i + 16), _mm512_loadu_ps(x + i));
      _mm512_storeu_si512(half + i, (__m512i)pairs);
    }
    for (; i < n; i += 16) {
      __m256i pairs = (__m256i)_mm512_cvtneps_pbh((__m512)get(x + i, n - i));
      _mm256_mask_storeu_epi16(half + i, lanes_below(n - i), pairs);
    }
  }
  if (n % 2) half[n] = 0;
#else
  ink_to_f32(dtype, from, to, n);
#endif
}

// Lines along k become rows of panels.
static void pack_rows(const ink_gemm_lines *from, int64_t count, int64_t k, float *panels) {
  for (int64_t i = 0; i < count; i++) {
    float *panel = panels + i / ROWS * (A_STRIDE * ROWS);
    words(from->dtype, from->data + i * from->stride, k, panel + i % ROWS * A_STRIDE);
  }
}

// Lines along k become columns of panels, LANES at a time by way of squares.
static void pack_turned(const ink_gemm_lines *from, int64_t count, int64_t k, float *panels,
                        float *scratch) {
  int64_t steps = (k + ELEMENTS - 1) / ELEMENTS, whole = (steps + LANES - 1) / LANES * LANES;
  int64_t padded = (count + COLUMNS - 1) / COLUMNS * COLUMNS;
  for (int64_t j = 0; j < padded; j += LANES) {
    float *panel = panels + j / COLUMNS * B_PANEL + j % COLUMNS;
    const float *lines = scratch;
    int64_t stride = A_STRIDE;
#if defined(__AVX512F__) && !defined(INK_PAIRS)
    const char *first = from->data + j * from->stride;
    if (j + LANES <= count && decode(from->dtype, first, from->stride, k, panel)) continue;
#endif
    if (ELEMENTS == 1 && from->dtype == INK_F32 && j + LANES <= count && whole == steps &&
        from->stride % (int64_t)sizeof(float) == 0) {
      lines = (const float *)(const void *)(from->data + j * from->stride);
      stride = from->stride / (int64_t)sizeof(float);
    } else {
      for (int64_t i = 0; i < LANES; i++) {
        float *line = scratch + i * A_STRIDE;
        int64_t done = 0;
        if (i + j < count) {
          words(from->dtype, from->data + (i + j) * from->stride, k, line);
          done = steps;
        }
        if (done < whole) memset(line + done, 0, (size_t)(whole - done) * sizeof *line);
      }
    }
    for (int64_t s = 0; s < whole; s += LANES) {
      turn(lines + s, stride, panel + s * COLUMNS, COLUMNS);
    }
  }
}

// LANES words of one step, from lines across k; `next` is the line of the pair's second element,
// NULL where k ends. n words are wanted, the others are zero or of no matter.
static inline vec words_across(const float *line, const float *next, int64_t n) {
#if defined(INK_PAIRS)
  // Word j holds elements (k, j) and (k + 1, j).
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  __m512 low = (__m512)get(line, n);
  __m512 high = next ? (__m512)get(next, n) : _mm512_setzero_ps();
  __m512i pairs = (__m512i)_mm512_cvtne2ps_pbh(high, low);
  return (vec)_mm512_permutexvar_epi16(order, pairs);
#else
  (void)next;
  return get(line, n);
#endif
}

// Lines across k become panels `width` words wide, `size` words apart.
static inline __attribute__((always_inline)) void pack_across(const ink_gemm_lines *from,
                                                              int64_t count, int64_t k,
                                                              const int64_t width,
                                                              const int64_t size, float *panels,
                                                              float *scratch) {
  for (int64_t e = 0; e < k; e += ELEMENTS) {
    const char *at = from->data + e * from->stride;
    const float *line = (const float *)(const void *)at, *next = NULL;
    bool both = ELEMENTS == 2 && e + 1 < k;
    if (both) next = (const float *)(const void *)(at + from->stride);
    if (from->dtype != INK_F32) {
      ink_to_f32(from->dtype, at, scratch, count);
      line = scratch;
      if (both) {
        ink_to_f32(from->dtype, at + from->stride, scratch + count, count);
        next = scratch + count;
      }
    }
    float *to = panels + e / ELEMENTS * width;
    for (int64_t j = 0; j < count; j += width, to += size) {
      // A vector that sticks out of the step is overwritten by the next step; panels have room
      // behind their last.
      for (int64_t l = 0; l < width; l += LANES) {
        int64_t n = count - j - l;
        if (n >= LANES) {
          store(to + l, words_across(line + j + l, next ? next + j + l : NULL, LANES));
        } else if (n > 0) {
          store(to + l, words_across(line + j + l, next ? next + j + l : NULL, n));
        } else {
          store(to + l, (vec){0});
        }
      }
    }
  }
}

static void pack_a(const ink_gemm_lines *from, int64_t count, int64_t k, void *panels,
                   float *scratch) {
  if (from->along_k) {
    pack_rows(from, count, k, panels);
  } else {
    pack_across(from, count, k, ROWS, A_STRIDE * ROWS, panels, scratch);
  }
}

static void pack_b(const ink_gemm_lines *from, int64_t count, int64_t k, void *panels,
                   float *scratch) {
  if (from->along_k) {
    pack_turned(from, count, k, panels, scratch);
  } else {
    pack_across(from, count, k, COLUMNS, B_PANEL, panels, scratch);
  }
}

const ink_gemm_kernels INK_TABLE = {
    .rows = ROWS,
    .columns = COLUMNS,
    .elements = ELEMENTS,
    .a_bytes = ROWS * A_STRIDE * (int64_t)sizeof(float),
    .b_bytes = B_PANEL * (int64_t)sizeof(float),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .multiply = multiply,
};
