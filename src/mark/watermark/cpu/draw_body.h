// The passes over a vocabulary in vectors of the instruction set at hand. Included with INK_TABLE
// naming the table to define.
#include "mark/watermark/cpu/draw.h"
#include "tensor/cpu/vector.h"

enum {
  WORD = 64,                         // tokens whose bits share a word
  PARTS = INK_DRAW_STRANDS / LANES,  // registers that hold one value of every strand
  GROUPS = WORD / INK_DRAW_STRANDS,  // of strands in a word
  BLOCK = 1024,                      // tokens that are added up in float
};

// ---- lanes where a bit is set ------------------------------------------------------------------

#if defined(__AVX512F__)

typedef __mmask16 lanes;
static inline lanes lanes_of(uint64_t word, int shift) {
  return (lanes)(word >> shift);
}
static inline vec pick(lanes set, float zero, float one) {
  return (vec)_mm512_mask_blend_ps(set, _mm512_set1_ps(zero), _mm512_set1_ps(one));
}
static inline vec add_where(lanes set, vec sum, vec x) {
  return (vec)_mm512_mask_add_ps((__m512)sum, set, (__m512)sum, (__m512)x);
}
static inline unsigned lanes_above(vec a, vec b) {
  return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ);
}

#else

#if defined(__AVX2__)

// Set where the sign is.
typedef __m256i lanes;
static inline lanes lanes_of(uint64_t word, int shift) {
  const __m256i up = _mm256_sub_epi32(_mm256_set1_epi32(31 - shift % 32),
                                      _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  return _mm256_sllv_epi32(_mm256_set1_epi32((int32_t)(uint32_t)(word >> shift / 32 * 32)), up);
}
static inline vec pick(lanes set, float zero, float one) {
  return (vec)_mm256_blendv_ps(_mm256_set1_ps(zero), _mm256_set1_ps(one), (__m256)set);
}
static inline vec add_where(lanes set, vec sum, vec x) {
  return sum + (vec)_mm256_blendv_ps(_mm256_setzero_ps(), (__m256)x, (__m256)set);
}

#else

typedef ivec lanes;
static inline lanes lanes_of(uint64_t word, int shift) {
  const ivec bit = {1, 2, 4, 8};
  return (((int32_t)(word >> shift & 0xff) - (ivec){0}) & bit) == bit;
}
static inline vec pick(lanes set, float zero, float one) {
  ivec a = (ivec)splat(zero), b = (ivec)splat(one);
  return (vec)(a ^ ((a ^ b) & set));
}
static inline vec add_where(lanes set, vec sum, vec x) {
  return sum + (vec)((ivec)x & set);
}

#endif

static inline unsigned lanes_above(vec a, vec b) {
#if defined(__AVX2__)
  return (unsigned)_mm256_movemask_ps((__m256)(a > b));
#else
  unsigned bits = 0;
  for (int i = 0; i < LANES; i++) bits |= (unsigned)(a[i] > b[i]) << i;
  return bits;
#endif
}

#endif

// ---- looking for tokens and adding them up -----------------------------------------------------

static size_t present(const float *weights, size_t n, size_t most, int32_t *places) {
  size_t found = 0;
  for (size_t i = 0; i < n; i += LANES) {
    unsigned above = lanes_above(get(weights + i, (int64_t)(n - i)), splat(0));
    for (; above; above &= above - 1) {
      if (found == most) return most + 1;
      places[found++] = (int32_t)i + __builtin_ctz(above);
    }
  }
  return found;
}

static inline void spread(const vec sums[PARTS], double strands[INK_DRAW_STRANDS]) {
  for (int part = 0; part < PARTS; part++) {
    float lane[LANES];
    memcpy(lane, &sums[part], sizeof lane);
    for (int i = 0; i < LANES; i++) strands[part * LANES + i] += (double)lane[i];
  }
}

static void sum(const float *weights, size_t n, double strands[INK_DRAW_STRANDS]) {
  for (size_t start = 0; start < n; start += BLOCK) {
    size_t end = n - start < BLOCK ? n : start + BLOCK;
    vec sums[PARTS] = {{0}};
    for (size_t i = start; i < end; i += INK_DRAW_STRANDS) {
#pragma GCC unroll 4
      for (int part = 0; part < PARTS; part++) {
        size_t at = i + (size_t)(part * LANES);
        if (at < end) sums[part] += get(weights + at, (int64_t)(end - at));
      }
    }
    spread(sums, strands);
  }
}

// ---- two layers of a tournament ----------------------------------------------------------------

typedef struct running {
  vec first[PARTS], second[PARTS], both[PARTS];
} running;

// The 64 tokens of a word.
static inline __attribute__((always_inline)) void one_word(const ink_draw_layers *now,
                                                           const ink_draw_layers *next, size_t word,
                                                           float *weights, running *sums) {
  uint64_t a = now->first[word], b = now->second[word];
  uint64_t c = next->first[word], d = next->second[word];
#pragma GCC unroll 4
  for (int group = 0; group < GROUPS; group++) {
#pragma GCC unroll 4
    for (int part = 0; part < PARTS; part++) {
      int at = group * INK_DRAW_STRANDS + part * LANES;
      vec x = load(weights + at);
      x *= pick(lanes_of(a, at), now->first_factor[0], now->first_factor[1]);
      x *= pick(lanes_of(b, at), now->second_factor[0], now->second_factor[1]);
      store(weights + at, x);
      lanes in_first = lanes_of(c, at), in_second = lanes_of(d, at);
      sums->first[part] = add_where(in_first, sums->first[part], x);
      sums->second[part] = add_where(in_second, sums->second[part], x);
      sums->both[part] = add_where(in_first & in_second, sums->both[part], x);
    }
  }
}

static void two_layers(const ink_draw_layers *now, const ink_draw_layers *next, float *weights,
                       size_t n, ink_draw_sums *sums) {
  size_t words = n / WORD, rest = n % WORD;
  for (size_t start = 0; start <= words; start += BLOCK / WORD) {
    size_t end = words - start < BLOCK / WORD ? words : start + BLOCK / WORD;
    running here = {0};
    for (size_t word = start; word < end; word++) {
      one_word(now, next, word, weights + word * WORD, &here);
    }
    if (end == words && rest > 0 && end - start < BLOCK / WORD) {
      float last[WORD] = {0};
      memcpy(last, weights + words * WORD, rest * sizeof *last);
      one_word(now, next, words, last, &here);
      memcpy(weights + words * WORD, last, rest * sizeof *last);
    }
    spread(here.first, sums->first);
    spread(here.second, sums->second);
    spread(here.both, sums->both);
  }
}

// ---- the exponential race ----------------------------------------------------------------------

// The first word of Philox4x32-10 at counters (token, 0, 0, 1): a token in the low half of every
// lane of 64 bits (what stands in the high halves does not matter).
static inline wide_vec first_word(wide_vec token, uint64_t hash) {
  uint32_t k0 = (uint32_t)hash, k1 = (uint32_t)(hash >> 32);
  wide_vec c0 = token, c1 = {0}, c2 = {0}, c3 = {0};
  c3 += 1;
#pragma GCC unroll 10
  for (int round = 0; round < 10; round++) {
    wide_vec p0 = mul_halves(c0, (wide_vec){0} + 0xD2511F53u);
    wide_vec p1 = mul_halves(c2, (wide_vec){0} + 0xCD9E8D57u);
    c0 = (p1 >> 32) ^ c1 ^ (uint64_t)k0;
    c2 = (p0 >> 32) ^ c3 ^ (uint64_t)k1;
    c1 = p1;
    c3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c0;
}

// Token t arrives at -ln(u) / weight, which is at least (1 - u) / weight: only where 1 - u is
// below best * weight can it win. 24 bits of 1 - u, cut off, are enough to ask, and the few whose
// logarithm has to be taken are found without one. The margin covers all rounding.
static size_t contender(uint64_t hash, double best, const float *weights, size_t from, size_t n) {
  const float reach = (float)(best * 0x1p24 * (1 + 1e-6));
  wide_vec places;
  for (int i = 0; i < LANES / 2; i++) places[i] = 2 * (uint64_t)i;
  for (size_t i = from / LANES * LANES; i < n; i += LANES) {
    vec w = get(weights + i, (int64_t)(n - i));
    vec bound = w * reach;
    unsigned above = lanes_above(w, splat(0));
    // 1 - u is never below 2^-33.
    above &= lanes_above(bound, splat(0x1p-10f));
    if (i < from) above &= ~0u << (from - i);
    if (!above) continue;
    wide_vec even = ~first_word(places + i, hash) & 0xffffffff;
    wide_vec odd = ~first_word(places + (i + 1), hash) & 0xffffffff;
    ivec bits = (ivec)((even >> 8) | (odd >> 8 << 32));
    above &= ~lanes_above(__builtin_convertvector(bits, vec), bound);
    if (above) return i + (size_t)__builtin_ctz(above);
  }
  return n;
}

const ink_draw_kernels INK_TABLE = {
    .present = present, .sum = sum, .two_layers = two_layers, .contender = contender};
