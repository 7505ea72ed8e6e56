// Encoding of the block types (layouts: ggml, GGUF specification). Scales of the 256-element types
// are fitted by least squares over candidate steps, in the manner of Lloyd 1982.
#include "tensor/blocks.h"

#include <math.h>
#include <string.h>

#include "tensor/half.h"

// ---- encoding: the plain types ----------------------------------------------------------------

// The level nearest to x (halves away from zero) within [low, high]; low for NaN.
static int level_of(float x, int low, int high) {
  if (!(x > (float)low)) return low;
  if (x >= (float)high) return high;
  return (int)roundf(x);
}

static float reciprocal(float x) {
  return x != 0.0f ? 1.0f / x : 0.0f;
}

static void encode_q8_0(const float *x, ink_block_q8_0 *block) {
  float largest = 0.0f;
  for (int i = 0; i < INK_BLOCK; i++) largest = fmaxf(largest, fabsf(x[i]));
  float scale = largest / 127.0f, inverse = reciprocal(scale);
  block->scale = ink_f16_from_f32(scale);
  for (int i = 0; i < INK_BLOCK; i++) block->q[i] = (int8_t)level_of(x[i] * inverse, -127, 127);
}

// The element of largest magnitude, the first among equals.
static float extreme(const float *x, int n) {
  float found = 0.0f;
  for (int i = 0; i < n; i++) {
    if (fabsf(x[i]) > fabsf(found)) found = x[i];
  }
  return found;
}

static uint8_t nibble(float x) {
  float shifted = x + 8.5f;
  return !(shifted > 0.0f) ? 0 : shifted >= 15.0f ? 15 : (uint8_t)shifted;
}

static void encode_q4_0(const float *x, ink_block_q4_0 *block) {
  // The extreme takes level -8, whatever its sign.
  float scale = extreme(x, INK_BLOCK) / -8.0f, inverse = reciprocal(scale);
  block->scale = ink_f16_from_f32(scale);
  for (int i = 0; i < INK_BLOCK / 2; i++) {
    uint8_t low = nibble(x[i] * inverse), high = nibble(x[i + INK_BLOCK / 2] * inverse);
    block->q[i] = (uint8_t)(low | high << 4);
  }
}

// ---- encoding: Q4_K ---------------------------------------------------------------------------

// A sub-block's affine code x ≈ step * q - base with base >= 0.
typedef struct affine {
  float step, base;
} affine;

static float squared_error(const float *x, affine code) {
  float inverse = reciprocal(code.step), sum = 0.0f;
  for (int i = 0; i < 32; i++) {
    float q = (float)level_of((x[i] + code.base) * inverse, 0, 15);
    float difference = code.step * q - code.base - x[i];
    sum += difference * difference;
  }
  return sum;
}

// The code of least squares for the levels that `code` gives.
static affine refit(const float *x, affine code) {
  float inverse = reciprocal(code.step);
  float q1 = 0.0f, q2 = 0.0f, x1 = 0.0f, xq = 0.0f;
  for (int i = 0; i < 32; i++) {
    float q = (float)level_of((x[i] + code.base) * inverse, 0, 15);
    q1 += q;
    q2 += q * q;
    x1 += x[i];
    xq += x[i] * q;
  }
  float determinant = 32.0f * q2 - q1 * q1;
  if (determinant > 0.0f) {
    affine fitted = {(32.0f * xq - q1 * x1) / determinant, (q1 * xq - q2 * x1) / determinant};
    if (fitted.base >= 0.0f && fitted.step > 0.0f) return fitted;
  }
  // All levels equal, or a positive lowest value, which the format cannot say: no base.
  if (q2 > 0.0f && xq > 0.0f) return (affine){xq / q2, 0.0f};
  return code;
}

// Start from grids that reach a little beyond or short of the range, since giving up an extreme
// often serves the other 31 better.
static affine fit_affine(const float *x) {
  float lowest = 0.0f, highest = x[0];
  for (int i = 0; i < 32; i++) {
    lowest = fminf(lowest, x[i]);
    highest = fmaxf(highest, x[i]);
  }
  if (!(highest > lowest)) return (affine){0.0f, -lowest};
  affine best = {(highest - lowest) / 15.0f, -lowest};
  float least = squared_error(x, best);
  for (int k = 0; k <= 20; k++) {
    affine code = {(highest - lowest) / (14.0f + 0.1f * (float)k), -lowest};
    for (int round = 0; round < 2; round++) {
      code = refit(x, code);
      float error = squared_error(x, code);
      if (error < least) {
        least = error;
        best = code;
      }
    }
  }
  return best;
}

static void pack_q4_k_steps(const uint8_t s[8], const uint8_t m[8], uint8_t packed[12]) {
  for (int j = 0; j < 4; j++) {
    packed[j] = (uint8_t)(s[j] | s[j + 4] >> 4 << 6);
    packed[j + 4] = (uint8_t)(m[j] | m[j + 4] >> 4 << 6);
    packed[j + 8] = (uint8_t)((s[j + 4] & 15) | (m[j + 4] & 15) << 4);
  }
}

// The steps around (s, m) that code x best under the rounded scale and minimum.
static void refine_steps(const float *x, float scale, float minimum, uint8_t *s, uint8_t *m) {
  int s0 = *s, m0 = *m;
  float least = INFINITY;
  for (int ds = -1; ds <= 1; ds++) {
    for (int dm = -1; dm <= 1; dm++) {
      int si = s0 + ds, mi = m0 + dm;
      if (si < 0 || si > 63 || mi < 0 || mi > 63) continue;
      float error = squared_error(x, (affine){scale * (float)si, minimum * (float)mi});
      if (error < least) {
        least = error;
        *s = (uint8_t)si;
        *m = (uint8_t)mi;
      }
    }
  }
}

static void encode_q4_k(const float *x, ink_block_q4_k *block) {
  affine codes[8];
  float most_step = 0.0f, most_base = 0.0f;
  for (int j = 0; j < 8; j++) {
    codes[j] = fit_affine(x + 32 * j);
    most_step = fmaxf(most_step, codes[j].step);
    most_base = fmaxf(most_base, codes[j].base);
  }
  block->scale = ink_f16_from_f32(most_step / 63.0f);
  block->minimum = ink_f16_from_f32(most_base / 63.0f);
  float scale = ink_f32_from_f16(block->scale), minimum = ink_f32_from_f16(block->minimum);
  uint8_t s[8], m[8];
  memset(block->q, 0, sizeof block->q);
  for (int j = 0; j < 8; j++) {
    s[j] = (uint8_t)level_of(codes[j].step * reciprocal(scale), 0, 63);
    m[j] = (uint8_t)level_of(codes[j].base * reciprocal(minimum), 0, 63);
    refine_steps(x + 32 * j, scale, minimum, &s[j], &m[j]);
    float inverse = reciprocal(scale * (float)s[j]), base = minimum * (float)m[j];
    for (int i = 0; i < 32; i++) {
      int q = level_of((x[32 * j + i] + base) * inverse, 0, 15);
      block->q[j / 2 * 32 + i] |= (uint8_t)(q << (j % 2 * 4));
    }
  }
  pack_q4_k_steps(s, m, block->steps);
}

// ---- encoding: Q6_K ---------------------------------------------------------------------------

static float linear_error(const float *x, float step) {
  float inverse = reciprocal(step), sum = 0.0f;
  for (int i = 0; i < 16; i++) {
    float difference = step * (float)level_of(x[i] * inverse, -32, 31) - x[i];
    sum += difference * difference;
  }
  return sum;
}

// The step of least squared error for one sub-block, negative when its extreme is positive: level
// -32 reaches further than 31.
static float fit_linear(const float *x) {
  float most = extreme(x, 16);
  if (most == 0.0f) return 0.0f;
  float best = most / -32.0f, least = linear_error(x, best);
  for (int k = 0; k <= 18; k++) {
    float step = most / -(31.1f + 0.1f * (float)k), inverse = 1.0f / step;
    float xq = 0.0f, q2 = 0.0f;
    for (int i = 0; i < 16; i++) {
      float q = (float)level_of(x[i] * inverse, -32, 31);
      xq += x[i] * q;
      q2 += q * q;
    }
    if (q2 > 0.0f) step = xq / q2;
    float error = linear_error(x, step);
    if (error < least) {
      least = error;
      best = step;
    }
  }
  return best;
}

static void encode_q6_k(const float *x, ink_block_q6_k *block) {
  float steps[16];
  for (int j = 0; j < 16; j++) steps[j] = fit_linear(x + 16 * j);
  block->scale = ink_f16_from_f32(extreme(steps, 16) / -128.0f);
  float scale = ink_f32_from_f16(block->scale);
  memset(block->low, 0, sizeof block->low);
  memset(block->high, 0, sizeof block->high);
  for (int j = 0; j < 16; j++) {
    int middle = level_of(steps[j] * reciprocal(scale), -128, 127), chosen = middle;
    float least = INFINITY;
    for (int s = middle - 1; s <= middle + 1; s++) {
      if (s < -128 || s > 127) continue;
      float error = linear_error(x + 16 * j, scale * (float)s);
      if (error < least) {
        least = error;
        chosen = s;
      }
    }
    block->s[j] = (int8_t)chosen;
    float inverse = reciprocal(scale * (float)chosen);
    for (int i = 16 * j; i < 16 * j + 16; i++) {
      int q = level_of(x[i] * inverse, -32, 31) + 32, half = i / 128, k = i % 128 / 32, l = i % 32;
      block->low[64 * half + 32 * (k % 2) + l] |= (uint8_t)((q & 15) << (k / 2 * 4));
      block->high[32 * half + l] |= (uint8_t)(q >> 4 << (2 * k));
    }
  }
}

void ink_quantise(ink_dtype dtype, const float *from, void *blocks, int64_t n) {
  switch (dtype) {
    case INK_Q8_0: {
      ink_block_q8_0 *b = blocks;
      for (int64_t i = 0; i < n / INK_BLOCK; i++) encode_q8_0(from + i * INK_BLOCK, b + i);
      return;
    }
    case INK_Q4_0: {
      ink_block_q4_0 *b = blocks;
      for (int64_t i = 0; i < n / INK_BLOCK; i++) encode_q4_0(from + i * INK_BLOCK, b + i);
      return;
    }
    case INK_Q4_K: {
      ink_block_q4_k *b = blocks;
      for (int64_t i = 0; i < n / INK_SUPER_BLOCK; i++)
        encode_q4_k(from + i * INK_SUPER_BLOCK, b + i);
      return;
    }
    case INK_Q6_K: {
      ink_block_q6_k *b = blocks;
      for (int64_t i = 0; i < n / INK_SUPER_BLOCK; i++)
        encode_q6_k(from + i * INK_SUPER_BLOCK, b + i);
      return;
    }
    default:
      return;
  }
}
