// The kernels of dense products, one table per instruction set: packing of operands into panels,
// and the register tile that multiplies two panels (Goto and van de Geijn 2008; BLIS, Van Zee and
// van de Geijn 2015). Control stays in tensor/gemm.c.
//
// Each element of a result is one chain of sums in the order of k within a block of
// INK_GEMM_STEPS steps, and the blocks are added in order. It depends on nothing but its own row
// and column, so rows, tiles and threads never change a byte.
#ifndef INK_TENSOR_CPU_GEMM_H
#define INK_TENSOR_CPU_GEMM_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/tensor.h"

// A panel holds at most this many steps of k: one element each in F32, two neighbours in BF16.
enum { INK_GEMM_STEPS = 256 };

// Where packing reads: parallel lines of one element type, `stride` bytes apart, each contiguous
// along k (a row of a, a row of the stored weight) or across it.
typedef struct ink_gemm_lines {
  ink_dtype dtype;
  const char *data;  // of the first element to pack
  int64_t stride;
  bool along_k;
} ink_gemm_lines;

typedef struct ink_gemm_kernels {
  int64_t rows, columns;     // of the register tile
  int64_t elements;          // of k per step
  int64_t a_bytes, b_bytes;  // of a full panel of each kind

  // `count` rows of a or columns of b, at most INK_GEMM_LINES, as panels that follow each other; k
  // elements (at most INK_GEMM_STEPS * elements). What is missing in a step or among the last
  // panel's columns becomes zero. scratch: INK_GEMM_SCRATCH bytes.
  void (*pack_a)(const ink_gemm_lines *from, int64_t count, int64_t k, void *panels,
                 float *scratch);
  void (*pack_b)(const ink_gemm_lines *from, int64_t count, int64_t k, void *panels,
                 float *scratch);

  // c (rows, columns), `stride` floats between rows, = [c +] a · b [+ bias].
  void (*multiply)(int64_t rows, int64_t columns, int64_t k, const void *a, bool a_along_k,
                   const void *b, float *c, int64_t stride, bool add, const float *bias);
} ink_gemm_kernels;

enum { INK_GEMM_LINES = 256, INK_GEMM_SCRATCH = 16 * 512 * (int)sizeof(float) };

extern const ink_gemm_kernels ink_gemm_portable, ink_gemm_avx2, ink_gemm_avx512,
    ink_gemm_avx512_bf16;

#endif
