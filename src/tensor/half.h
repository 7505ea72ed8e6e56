// The two 16-bit floats, element by element: IEEE 754 binary16 and bfloat16. Towards 16 bits they
// round to nearest even, overflow to infinity and keep NaN (made quiet), as VCVTPS2PH does.
#ifndef INK_TENSOR_HALF_H
#define INK_TENSOR_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t ink_float_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline float ink_bits_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static inline float ink_f32_from_bf16(uint16_t h) {
  return ink_bits_float((uint32_t)h << 16);
}

static inline uint16_t ink_bf16_from_f32(float x) {
  uint32_t bits = ink_float_bits(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float ink_f32_from_f16(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff;
  if (rest >= 0x7c00) return ink_bits_float(sign | 0x7f800000u | (rest & 0x3ff) << 13);
  // The exponent is rebiased by a multiplication, which also makes subnormals right.
  float magnitude = ink_bits_float(rest << 13) * 0x1p112f;
  return ink_bits_float(sign | ink_float_bits(magnitude));
}

static inline uint16_t ink_f16_from_f32(float x) {
  uint32_t bits = ink_float_bits(x), sign = bits >> 16 & 0x8000;
  bits &= 0x7fffffffu;
  if (bits > 0x7f800000u) return (uint16_t)(sign | 0x7e00 | (bits >> 13 & 0x3ff));
  if (bits >= 0x477ff000u) return (uint16_t)(sign | 0x7c00);  // rounds to 65,536 or more
  if (bits < 0x38800000u) {
    // Below the smallest normal: adding 0.5 leaves the rounded multiple of 2^-24 in the mantissa.
    float shifted = ink_bits_float(bits) + 0.5f;
    return (uint16_t)(sign | (ink_float_bits(shifted) - 0x3f000000u));
  }
  bits += 0xfff + (bits >> 13 & 1);
  return (uint16_t)(sign | (bits - 0x38000000u) >> 13);
}

#endif
