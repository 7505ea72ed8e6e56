// Elements between F32 and every other type.
#include "tensor/cpu/convert.h"

#include <string.h>

#include "tensor/blocks.h"
#include "tensor/gemm.h"
#include "tensor/isa.h"

static const ink_convert_kernels *kernels(void) {
#if defined(__x86_64__)
  ink_isa isa = ink_cpu_about()->isa;
  if (isa == INK_ISA_AVX512) return &ink_convert_avx512;
  if (isa == INK_ISA_AVX2) return &ink_convert_avx2;
#endif
  return &ink_convert_portable;
}

void ink_to_f32(ink_dtype dtype, const void *from, float *to, int64_t n) {
  const ink_convert_kernels *convert = kernels();
  switch (dtype) {
    case INK_F32:
      if (n > 0) memcpy(to, from, (size_t)n * sizeof *to);
      return;
    case INK_F16:
      convert->f32_from_f16(from, to, n);
      return;
    case INK_BF16:
      convert->f32_from_bf16(from, to, n);
      return;
    case INK_I32: {
      const int32_t *v = from;
      for (int64_t i = 0; i < n; i++) to[i] = (float)v[i];
      return;
    }
    case INK_Q8_0:
      convert->f32_from_q8_0(from, to, n / INK_BLOCK);
      return;
    case INK_Q4_0:
      convert->f32_from_q4_0(from, to, n / INK_BLOCK);
      return;
    case INK_Q4_K:
      convert->f32_from_q4_k(from, to, n / INK_SUPER_BLOCK);
      return;
    case INK_Q6_K:
      convert->f32_from_q6_k(from, to, n / INK_SUPER_BLOCK);
      return;
    default:
      return;
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
    case INK_F16:
      kernels()->f16_from_f32(from, to, n);
      return;
    case INK_BF16:
      kernels()->bf16_from_f32(from, to, n);
      return;
    case INK_I32: {
      int32_t *v = to;
      for (int64_t i = 0; i < n; i++) v[i] = integer_of(from[i]);
      return;
    }
    default:
      ink_quantise(dtype, from, to, n);
  }
}
