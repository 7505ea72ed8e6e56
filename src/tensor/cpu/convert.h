// Conversion of runs of elements, one table per instruction set. All tables give the same bytes.
#ifndef INK_TENSOR_CPU_CONVERT_H
#define INK_TENSOR_CPU_CONVERT_H

#include <stdint.h>

#include "tensor/tensor.h"

typedef struct ink_convert_kernels {
  void (*f32_from_f16)(const uint16_t *from, float *to, int64_t n);
  void (*f32_from_bf16)(const uint16_t *from, float *to, int64_t n);
  void (*f16_from_f32)(const float *from, uint16_t *to, int64_t n);
  void (*bf16_from_f32)(const float *from, uint16_t *to, int64_t n);
  // `n` blocks to their elements.
  void (*f32_from_q8_0)(const void *from, float *to, int64_t n);
  void (*f32_from_q4_0)(const void *from, float *to, int64_t n);
  void (*f32_from_q4_k)(const void *from, float *to, int64_t n);
  void (*f32_from_q6_k)(const void *from, float *to, int64_t n);
} ink_convert_kernels;

extern const ink_convert_kernels ink_convert_portable, ink_convert_avx2, ink_convert_avx512;

#endif
