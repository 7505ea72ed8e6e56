// Packing and the register tile in vectors of the instruction set at hand. Included with INK_TABLE
// naming the table to define and, for BF16 elements, INK_PAIRS defined.
#include <stddef.h>
#include <string.h>

#include "tensor/cpu/gemm.h"
#include "tensor/cpu/vector.h"
#include "tensor/gemm.h"

// The register tile. Per step: WIDE loads of b and ROWS broadcasts of a for ROWS * WIDE fused
// multiplications; ROWS * WIDE sums, WIDE columns and one broadcast fill the registers.
#if defined(__AVX512F__)
enum { ROWS = 14, WIDE = 2 };
#elif defined(__AVX2__)
enum { ROWS = 6, WIDE = 2 };
#else
enum { ROWS = 4, WIDE = 2 };
#endif
enum {
  COLUMNS = WIDE * LANES,
  STEPS = INK_GEMM_STEPS,
  // Rows of a stand apart by more than the steps so that they fall into different cache sets.
  A_STRIDE = STEPS + 16
};

#if defined(INK_PAIRS)
enum { ELEMENTS = 2 };
#else
enum { ELEMENTS = 1 };
#endif

static inline __attribute__((always_inline)) vec fused(vec a, vec b, vec sum) {
#if defined(INK_PAIRS)
  return (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
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
  for (int64_t k = 0; k < steps; k++) {
    vec line[WIDE];
#pragma GCC unroll 4
    for (int j = 0; j < WIDE; j++) line[j] = load(b + j * LANES);
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
      vec factor = broadcast(a + i * a_row);
#pragma GCC unroll 4
      for (int j = 0; j < WIDE; j++) sum[i][j] = fused(factor, line[j], sum[i][j]);
    }
    a += a_step;
    b += COLUMNS;
  }
  for (int i = 0; i < rows; i++, c += stride) {
    for (int j = 0; j < WIDE; j++) {
      int64_t n = columns - j * LANES;
      if (n <= 0) break;
      vec s = sum[i][j];
      if (add) s = get(c + j * LANES, n) + s;
      if (bias) s = s + get(bias + j * LANES, n);
      put(c + j * LANES, n, s);
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

// Turn a square of LANES lines, `stride` words apart, into LANES lines `to_stride` apart.
static inline void turn(const float *from, int64_t stride, float *to, int64_t to_stride) {
#if defined(__AVX512F__)
  __m512 x[16], y[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) x[i] = _mm512_loadu_ps(from + i * stride);
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    __m512 p = _mm512_unpacklo_ps(x[i], x[i + 1]), q = _mm512_unpackhi_ps(x[i], x[i + 1]);
    __m512 r = _mm512_unpacklo_ps(x[i + 2], x[i + 3]), s = _mm512_unpackhi_ps(x[i + 2], x[i + 3]);
    // y[i + j]: element 4 l + j of four lines in 128-bit lane l.
    y[i] = _mm512_shuffle_ps(p, r, 0x44);
    y[i + 1] = _mm512_shuffle_ps(p, r, 0xee);
    y[i + 2] = _mm512_shuffle_ps(q, s, 0x44);
    y[i + 3] = _mm512_shuffle_ps(q, s, 0xee);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    __m512 p = _mm512_shuffle_f32x4(y[j], y[j + 4], 0x88);
    __m512 q = _mm512_shuffle_f32x4(y[j], y[j + 4], 0xdd);
    __m512 r = _mm512_shuffle_f32x4(y[j + 8], y[j + 12], 0x88);
    __m512 s = _mm512_shuffle_f32x4(y[j + 8], y[j + 12], 0xdd);
    _mm512_storeu_ps(to + j * to_stride, _mm512_shuffle_f32x4(p, r, 0x88));
    _mm512_storeu_ps(to + (j + 4) * to_stride, _mm512_shuffle_f32x4(q, s, 0x88));
    _mm512_storeu_ps(to + (j + 8) * to_stride, _mm512_shuffle_f32x4(p, r, 0xdd));
    _mm512_storeu_ps(to + (j + 12) * to_stride, _mm512_shuffle_f32x4(q, s, 0xdd));
  }
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

// Elements per second are bounded by memory, not by this: n elements of a line as words of a panel,
// F32 or pairs of BF16, zero up to a whole step.
static void words(ink_dtype dtype, const char *from, int64_t n, float *to) {
#if defined(INK_PAIRS)
  uint16_t *half = (uint16_t *)to;
  if (dtype == INK_BF16) {
    memcpy(half, from, (size_t)n * sizeof *half);
  } else {
    float line[INK_GEMM_STEPS * ELEMENTS];
    const float *x = line;
    if (dtype == INK_F32) {
      x = (const float *)from;
    } else {
      ink_to_f32(dtype, from, line, n);
    }
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
      __m512bh pair = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i + 16), _mm512_loadu_ps(x + i));
      _mm512_storeu_si512(half + i, (__m512i)pair);
    }
    for (; i < n; i += 16) {
      vec part = get(x + i, n - i);
      __m256i pair = (__m256i)_mm512_cvtneps_pbh((__m512)part);
      _mm256_mask_storeu_epi16(half + i, lanes_below(n - i), pair);
    }
  }
  if (n % 2) half[n] = 0;
#else
  ink_to_f32(dtype, from, to, n);
#endif
}

// Lines along k become rows of a panel.
static void pack_a_rows(const ink_gemm_lines *from, int64_t count, int64_t k, float *panel) {
  for (int64_t i = 0; i < count; i++) {
    words(from->dtype, from->data + i * from->stride, k, panel + i * A_STRIDE);
  }
}

// Lines along k become columns of a panel `width` words wide: LANES at a time by way of a square.
static void pack_turned(const ink_gemm_lines *from, int64_t count, int64_t k, float *panel,
                        float *scratch) {
  int64_t steps = (k + ELEMENTS - 1) / ELEMENTS, whole = (steps + LANES - 1) / LANES * LANES;
  for (int64_t j = 0; j < COLUMNS; j += LANES) {
    const float *lines = scratch;
    int64_t stride = A_STRIDE;
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
      turn(lines + s, stride, panel + s * COLUMNS + j, COLUMNS);
    }
  }
}

// One step of lines across k: `count` words, of which the panel holds `width`.
static inline void step_across(const ink_gemm_lines *from, int64_t k, int64_t end, int64_t count,
                               float *to, float *scratch) {
  const char *line = from->data + k * from->stride;
#if defined(INK_PAIRS)
  // Word j holds elements (k, j) and (k + 1, j).
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const char *next = line + from->stride;
  bool both = k + 1 < end;
  for (int64_t j = 0; j < count; j += 16) {
    __mmask16 lanes = lanes_below(count - j);
    __m512i pair;
    if (from->dtype == INK_BF16) {
      const uint16_t *p = (const uint16_t *)(const void *)line + j;
      const uint16_t *q = (const uint16_t *)(const void *)next + j;
      __m256i low = _mm256_maskz_loadu_epi16(lanes, p);
      __m256i high = both ? _mm256_maskz_loadu_epi16(lanes, q) : _mm256_setzero_si256();
      pair = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    } else {
      const float *p = (const float *)(const void *)line, *q = (const float *)(const void *)next;
      if (from->dtype != INK_F32) {
        ink_to_f32(from->dtype, line, scratch, count);
        if (both) ink_to_f32(from->dtype, next, scratch + count, count);
        p = scratch;
        q = scratch + count;
      }
      __m512 low = _mm512_maskz_loadu_ps(lanes, p + j);
      __m512 high = both ? _mm512_maskz_loadu_ps(lanes, q + j) : _mm512_setzero_ps();
      pair = (__m512i)_mm512_cvtne2ps_pbh(high, low);
    }
    _mm512_mask_storeu_epi32(to + j, lanes, _mm512_permutexvar_epi16(order, pair));
  }
#else
  (void)end;
  if (from->dtype != INK_F32) {
    ink_to_f32(from->dtype, line, scratch, count);
    memcpy(to, scratch, (size_t)count * sizeof *to);
    return;
  }
  const float *p = (const float *)(const void *)line;
  for (int64_t j = 0; j < count; j += LANES) put(to + j, count - j, get(p + j, count - j));
#endif
}

static void pack_across(const ink_gemm_lines *from, int64_t count, int64_t k, int64_t width,
                        float *panel, float *scratch) {
  for (int64_t e = 0; e < k; e += ELEMENTS, panel += width) {
    step_across(from, e, k, count, panel, scratch);
    if (count < width) memset(panel + count, 0, (size_t)(width - count) * sizeof *panel);
  }
}

static void pack_a(const ink_gemm_lines *from, int64_t count, int64_t k, void *panel,
                   float *scratch) {
  if (from->along_k) {
    pack_a_rows(from, count, k, panel);
  } else {
    pack_across(from, count, k, ROWS, panel, scratch);
  }
}

static void pack_b(const ink_gemm_lines *from, int64_t count, int64_t k, void *panel,
                   float *scratch) {
  if (from->along_k) {
    pack_turned(from, count, k, panel, scratch);
  } else {
    pack_across(from, count, k, COLUMNS, panel, scratch);
  }
}

const ink_gemm_kernels INK_TABLE = {
    .rows = ROWS,
    .columns = COLUMNS,
    .elements = ELEMENTS,
    .a_bytes = ROWS * A_STRIDE * (int64_t)sizeof(float),
    .b_bytes = COLUMNS * STEPS * (int64_t)sizeof(float),
    .pack_a = pack_a,
    .pack_b = pack_b,
    .multiply = multiply,
};
