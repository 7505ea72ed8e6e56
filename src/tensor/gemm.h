// Dense and block-quantised products on raw memory: the ground under ink_linear, ink_matmul and the
// optimisers. Each element of a result is one chain of sums (tensor/cpu/gemm.h), so that its bytes
// depend neither on threads nor on the other rows.
#ifndef INK_TENSOR_GEMM_H
#define INK_TENSOR_GEMM_H

#include "base/pool.h"
#include "tensor/ops.h"
#include "tensor/tensor.h"

// One operand: element (row, column) stands at data[row * row_stride + column * column_stride], one
// of the strides is 1. Block types: column_stride 1 and rows as stored.
typedef struct ink_matrix {
  ink_dtype dtype;
  const void *data;
  int64_t rows, columns;
  int64_t row_stride, column_stride;
} ink_matrix;

// result (M, N) = a (M, K) · b (K, N) [+ result when accumulate] [+ bias (N)], F32 sums and result.
// result rows are contiguous, `result_stride` elements apart. a is F32 or BF16; b is F32, F16,
// BF16, or a block type seen transposed (rows of the stored weight are the columns of b).
ink_status ink_gemm(ink_pool *pool, ink_precision precision, ink_matrix a, ink_matrix b,
                    const float *bias, float *result, int64_t result_stride, bool accumulate,
                    ink_error *error);

// Convert n elements (a multiple of the block) between F32 and any type; quantising follows ggml's
// reference rounding for Q8_0 and Q4_0 bit by bit.
void ink_to_f32(ink_dtype dtype, const void *from, float *to, int64_t n);
void ink_from_f32(ink_dtype dtype, const float *from, void *to, int64_t n);

#endif
