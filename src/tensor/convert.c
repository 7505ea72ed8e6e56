// Elements between F32 and every other type.
#include <string.h>

#include "tensor/blocks.h"
#include "tensor/gemm.h"
#include "tensor/half.h"

void ink_to_f32(ink_dtype dtype, const void *from, float *to, int64_t n) {
  switch (dtype) {
    case INK_F32:
      if (n > 0) memcpy(to, from, (size_t)n * sizeof *to);
      return;
    case INK_F16: {
      const uint16_t *h = from;
      for (int64_t i = 0; i < n; i++) to[i] = ink_f32_from_f16(h[i]);
      return;
    }
    case INK_BF16: {
      const uint16_t *h = from;
      for (int64_t i = 0; i < n; i++) to[i] = ink_f32_from_bf16(h[i]);
      return;
    }
    case INK_I32: {
      const int32_t *v = from;
      for (int64_t i = 0; i < n; i++) to[i] = (float)v[i];
      return;
    }
    default:
      ink_dequantise(dtype, from, to, n);
  }
}

// Towards zero, the ends of the range for what lies beyond, 0 for NaN.
static int32_t integer_of(float x) {
  if (x >= 0x1p31f) return INT32_MAX;
  if (x < -0x1p31f) return INT32_MIN;
  return x == x ? (int32_t)x : 0;
}

void ink_from_f32(ink_dtype dtype, const float *from, void *to, int64_t n) {
  switch (dtype) {
    case INK_F32:
      if (n > 0) memcpy(to, from, (size_t)n * sizeof *from);
      return;
    case INK_F16: {
      uint16_t *h = to;
      for (int64_t i = 0; i < n; i++) h[i] = ink_f16_from_f32(from[i]);
      return;
    }
    case INK_BF16: {
      uint16_t *h = to;
      for (int64_t i = 0; i < n; i++) h[i] = ink_bf16_from_f32(from[i]);
      return;
    }
    case INK_I32: {
      int32_t *v = to;
      for (int64_t i = 0; i < n; i++) v[i] = integer_of(from[i]);
      return;
    }
    default:
      ink_quantise(dtype, from, to, n);
  }
}
