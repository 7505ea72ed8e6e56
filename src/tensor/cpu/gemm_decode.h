// Sixteen rows of a coded weight become sixteen columns of a panel: their bytes are turned as
// 32-bit words, 16 x 16 at a time, and decoded lane by lane of the columns. The values are those
// of ink_to_f32, bit by bit. AVX-512 alone; included by cpu/gemm_body.h.
//
// Per square of 16 words a column: 16 loads and 64 shuffles for 16 (F32), 32 (F16, BF16), 64
// (Q8_0) or 128 (Q4_0, Q4_K) elements a column, then 3 to 5 operations for 16 elements.
#include "tensor/blocks.h"

enum { SQUARE = 16 };

// Transpose a square of words.
static inline __attribute__((always_inline)) void cross(__m512 x[SQUARE]) {
  __m512 y[SQUARE];
#pragma GCC unroll 4
  for (int i = 0; i < SQUARE; i += 4) {
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
    x[j] = _mm512_shuffle_f32x4(p, r, 0x88);
    x[j + 4] = _mm512_shuffle_f32x4(q, s, 0x88);
    x[j + 8] = _mm512_shuffle_f32x4(p, r, 0xdd);
    x[j + 12] = _mm512_shuffle_f32x4(q, s, 0xdd);
  }
}

#if !defined(INK_PAIRS)

// Four neighbours of 16 columns, from the bytes of a word: factor * byte - base, or without base
// factor * byte for signed bytes.
static inline __attribute__((always_inline)) void give_signed(__m512i word, __m512 factor,
                                                              float *to) {
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    __m512i byte = _mm512_srai_epi32(_mm512_slli_epi32(word, (unsigned)(24 - 8 * j)), 24);
    _mm512_storeu_ps(to + j * COLUMNS, _mm512_mul_ps(factor, _mm512_cvtepi32_ps(byte)));
  }
}

static inline __attribute__((always_inline)) __m512i byte_of(__m512i word, int j) {
  return _mm512_and_si512(_mm512_srli_epi32(word, (unsigned)(8 * j)), _mm512_set1_epi32(255));
}

// The same with `less` taken off each byte first.
static inline __attribute__((always_inline)) void give_less(__m512i word, int less, __m512 factor,
                                                            float *to) {
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    __m512i byte = _mm512_sub_epi32(byte_of(word, j), _mm512_set1_epi32(less));
    _mm512_storeu_ps(to + j * COLUMNS, _mm512_mul_ps(factor, _mm512_cvtepi32_ps(byte)));
  }
}

static inline __attribute__((always_inline)) void give_above(__m512i word, __m512 step, __m512 base,
                                                             float *to) {
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    __m512 product = _mm512_mul_ps(step, _mm512_cvtepi32_ps(byte_of(word, j)));
    _mm512_storeu_ps(to + j * COLUMNS, _mm512_sub_ps(product, base));
  }
}

static inline __m512i nibbles(__m512i word, int high) {
  return _mm512_and_si512(_mm512_srli_epi32(word, (unsigned)(4 * high)),
                          _mm512_set1_epi32(0x0f0f0f0f));
}

// The next block of k lies behind this one; no hardware follows that many lines at once.
static inline __attribute__((always_inline)) void fetch_ahead(const void *from, int64_t bytes) {
  __builtin_prefetch((const char *)from + bytes, 0, 2);
}

static inline __m512 from_halves(const uint16_t *halves) {
  return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)halves));
}

static void decode_halves(ink_dtype dtype, const char *from, int64_t stride, int64_t k, float *to) {
  for (int64_t i = 0; i < k; i += 32, to += 32 * COLUMNS) {
    __m512 x[SQUARE];
#pragma GCC unroll 16
    for (int c = 0; c < SQUARE; c++) {
      x[c] = _mm512_loadu_ps(from + c * stride + i * 2);
      fetch_ahead(from + c * stride + i * 2, k * 2);
    }
    cross(x);
    for (int t = 0; t < SQUARE; t++) {
      __m512i word = _mm512_castps_si512(x[t]);
      __m512i low = _mm512_slli_epi32(word, 16);
      __m512i high = _mm512_and_si512(word, _mm512_set1_epi32((int)0xffff0000));
      if (dtype == INK_F16) {
        __m256i first = _mm512_cvtepi32_epi16(word);
        __m256i second = _mm512_cvtepi32_epi16(_mm512_srli_epi32(word, 16));
        low = _mm512_castps_si512(_mm512_cvtph_ps(first));
        high = _mm512_castps_si512(_mm512_cvtph_ps(second));
      }
      _mm512_storeu_si512(to + 2 * t * COLUMNS, low);
      _mm512_storeu_si512(to + (2 * t + 1) * COLUMNS, high);
    }
  }
}

// Scales are gathered before they are used: a wide load right behind narrow stores waits for them.
enum { MOST_BLOCKS = INK_GEMM_STEPS / INK_BLOCK };

static void decode_q8_0(const char *from, int64_t stride, int64_t k, float *to) {
  int64_t blocks = k / INK_BLOCK;
  uint16_t scales[MOST_BLOCKS][SQUARE];
  for (int c = 0; c < SQUARE; c++) {
    const ink_block_q8_0 *row = (const void *)(from + c * stride);
    for (int64_t i = 0; i < blocks; i++) scales[i][c] = row[i].scale;
  }
  for (int64_t i = 0; i < blocks; i += 2) {
    int64_t next = i + 1 < blocks ? i + 1 : i;
    __m512 x[SQUARE];
#pragma GCC unroll 16
    for (int c = 0; c < SQUARE; c++) {
      const ink_block_q8_0 *row = (const void *)(from + c * stride);
      fetch_ahead(&row[i], blocks * (int64_t)sizeof *row);
      __m256i first = _mm256_loadu_si256((const __m256i *)row[i].q);
      __m256i second = _mm256_loadu_si256((const __m256i *)row[next].q);
      x[c] = _mm512_castsi512_ps(_mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1));
    }
    cross(x);
    for (int64_t half = 0; half < 2 && i + half < blocks; half++, to += INK_BLOCK * COLUMNS) {
      __m512 scale = from_halves(scales[i + half]);
      for (int t = 0; t < 8; t++) {
        give_signed(_mm512_castps_si512(x[8 * half + t]), scale, to + 4 * t * COLUMNS);
      }
    }
  }
}

static void decode_q4_0(const char *from, int64_t stride, int64_t k, float *to) {
  int64_t blocks = k / INK_BLOCK;
  uint16_t scales[MOST_BLOCKS][SQUARE];
  for (int c = 0; c < SQUARE; c++) {
    const ink_block_q4_0 *row = (const void *)(from + c * stride);
    for (int64_t i = 0; i < blocks; i++) scales[i][c] = row[i].scale;
  }
  for (int64_t i = 0; i < blocks; i += 4) {
    __m512 x[SQUARE];
#pragma GCC unroll 16
    for (int c = 0; c < SQUARE; c++) {
      const ink_block_q4_0 *row = (const void *)(from + c * stride);
      fetch_ahead(&row[i], blocks * (int64_t)sizeof *row);
      __m512i line = _mm512_setzero_si512();
#pragma GCC unroll 4
      for (int q = 3; q >= 0; q--) {
        int64_t at = i + q < blocks ? i + q : i;
        __m128i part = _mm_loadu_si128((const __m128i *)row[at].q);
        if (q == 3) line = _mm512_inserti32x4(line, part, 3);
        if (q == 2) line = _mm512_inserti32x4(line, part, 2);
        if (q == 1) line = _mm512_inserti32x4(line, part, 1);
        if (q == 0) line = _mm512_inserti32x4(line, part, 0);
      }
      x[c] = _mm512_castsi512_ps(line);
    }
    cross(x);
    for (int64_t q = 0; q < 4 && i + q < blocks; q++) {
      __m512 scale = from_halves(scales[i + q]);
      for (int high = 0; high < 2; high++) {
        for (int t = 0; t < 4; t++, to += 4 * COLUMNS) {
          give_less(nibbles(_mm512_castps_si512(x[4 * q + t]), high), 8, scale, to);
        }
      }
    }
  }
}

// Byte j of 16 words of 64 bits, as floats.
static inline __m512 bytes_at(const uint64_t words[SQUARE], int j) {
  __m512i low = _mm512_srli_epi64(_mm512_loadu_si512(words), (unsigned)(8 * j));
  __m512i high = _mm512_srli_epi64(_mm512_loadu_si512(words + 8), (unsigned)(8 * j));
  __m128i bytes = _mm_unpacklo_epi64(_mm512_cvtepi64_epi8(low), _mm512_cvtepi64_epi8(high));
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
}

static void decode_q4_k(const char *from, int64_t stride, int64_t k, float *to) {
  for (int64_t i = 0; i < k / INK_SUPER_BLOCK; i++) {
    uint16_t scales[SQUARE], minima[SQUARE];
    uint64_t steps[SQUARE], bases[SQUARE];
    for (int c = 0; c < SQUARE; c++) {
      const ink_block_q4_k *block = (const ink_block_q4_k *)(const void *)(from + c * stride) + i;
      scales[c] = block->scale;
      minima[c] = block->minimum;
      // ink_q4_k_steps on four bytes at a time.
      uint32_t w[3];
      memcpy(w, block->steps, sizeof w);
      const uint32_t six = 0x3f3f3f3f, four = 0x0f0f0f0f, two = 0x30303030;
      uint32_t s_high = (w[2] & four) | (w[0] >> 2 & two);
      uint32_t m_high = (w[2] >> 4 & four) | (w[1] >> 2 & two);
      steps[c] = (w[0] & six) | (uint64_t)s_high << 32;
      bases[c] = (w[1] & six) | (uint64_t)m_high << 32;
    }
    __m512 scale = from_halves(scales), minimum = from_halves(minima);
    for (int part = 0; part < 2; part++) {
      __m512 x[SQUARE];
#pragma GCC unroll 16
      for (int c = 0; c < SQUARE; c++) {
        const ink_block_q4_k *block = (const ink_block_q4_k *)(const void *)(from + c * stride) + i;
        x[c] = _mm512_loadu_ps(block->q + 64 * part);
        fetch_ahead(block->q + 64 * part, k / INK_SUPER_BLOCK * (int64_t)sizeof *block);
      }
      cross(x);
      for (int group = 0; group < 2; group++) {
        for (int high = 0; high < 2; high++) {
          int j = 4 * part + 2 * group + high;
          __m512 step = _mm512_mul_ps(scale, bytes_at(steps, j));
          __m512 base = _mm512_mul_ps(minimum, bytes_at(bases, j));
          for (int t = 0; t < 8; t++, to += 4 * COLUMNS) {
            give_above(nibbles(_mm512_castps_si512(x[8 * group + t]), high), step, base, to);
          }
        }
      }
    }
  }
}

static void decode_q6_k(const char *from, int64_t stride, int64_t k, float *to) {
  for (int64_t i = 0; i < k / INK_SUPER_BLOCK; i++) {
    uint16_t scales[SQUARE];
    int8_t s[16][SQUARE];
    __m512 high[SQUARE];
    for (int c = 0; c < SQUARE; c++) {
      const ink_block_q6_k *block = (const ink_block_q6_k *)(const void *)(from + c * stride) + i;
      scales[c] = block->scale;
      for (int j = 0; j < 16; j++) s[j][c] = block->s[j];
      high[c] = _mm512_loadu_ps(block->high);
    }
    cross(high);
    __m512 scale = from_halves(scales);
    for (int half = 0; half < 2; half++) {
      __m512 x[SQUARE];
#pragma GCC unroll 16
      for (int c = 0; c < SQUARE; c++) {
        const ink_block_q6_k *block = (const ink_block_q6_k *)(const void *)(from + c * stride) + i;
        x[c] = _mm512_loadu_ps(block->low + 64 * half);
        fetch_ahead(block->low + 64 * half, k / INK_SUPER_BLOCK * (int64_t)sizeof *block);
      }
      cross(x);
      for (int q = 0; q < 4; q++) {
        for (int t = 0; t < 8; t++, to += 4 * COLUMNS) {
          __m512i low = nibbles(_mm512_castps_si512(x[8 * (q & 1) + t]), q / 2);
          __m512i top = _mm512_srli_epi32(_mm512_castps_si512(high[8 * half + t]), 2 * (unsigned)q);
          top = _mm512_slli_epi32(_mm512_and_si512(top, _mm512_set1_epi32(0x03030303)), 4);
          __m128i steps = _mm_loadu_si128((const __m128i *)s[8 * half + 2 * q + t / 4]);
          __m512 step = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(steps));
          give_less(_mm512_or_si512(low, top), 32, _mm512_mul_ps(scale, step), to);
        }
      }
    }
  }
}

// k elements of 16 lines, `stride` bytes apart, to the first 16 columns at `to`; false where the
// type or k does not come in whole squares.
static bool decode(ink_dtype dtype, const char *from, int64_t stride, int64_t k, float *to) {
  switch ((int)dtype) {
    case INK_F16:
    case INK_BF16:
      if (k % 32 != 0) return false;
      decode_halves(dtype, from, stride, k, to);
      return true;
    case INK_Q8_0:
      decode_q8_0(from, stride, k, to);
      return true;
    case INK_Q4_0:
      decode_q4_0(from, stride, k, to);
      return true;
    case INK_Q4_K:
      decode_q4_k(from, stride, k, to);
      return true;
    case INK_Q6_K:
      decode_q6_k(from, stride, k, to);
      return true;
    default:
      return false;
  }
}

#endif
