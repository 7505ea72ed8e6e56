// Products: the result is cut into tiles, each the work of one thread, which packs its operands
// block by block of k and runs the register tile over them (Goto and van de Geijn, "Anatomy of
// High-Performance Matrix Multiplication", 2008).
#include "tensor/gemm.h"

#include <stdlib.h>

#include "base/checked.h"
#include "tensor/cpu/gemm.h"
#include "tensor/isa.h"

enum {
  // Columns of a tile when k takes several blocks, so that its part of the result stays in cache
  // between them.
  MOST_COLUMNS = 1024,
  // Below this many multiplications a second thread costs more than it does.
  SMALL_WORK = 1 << 17
};

typedef struct product {
  const ink_gemm_kernels *kernels;
  int64_t m, n, k;
  ink_matrix a, b;
  const float *bias;
  float *result;
  int64_t result_stride;
  bool accumulate;
  int64_t tile_rows, tile_columns;  // elements of the result
  int64_t tiles_across;
  char *scratch;  // per thread: panels of a, of b, and room for packing
  size_t scratch_bytes;
} product;

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int64_t divided_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

const ink_gemm_kernels *ink_gemm_kernels_for(ink_dtype element) {
#if defined(__x86_64__)
  const ink_cpu *cpu = ink_cpu_about();
  if (cpu->bf16 && element == INK_BF16) return &ink_gemm_avx512_bf16;
  if (cpu->isa == INK_ISA_AVX512) return &ink_gemm_avx512;
  if (cpu->isa == INK_ISA_AVX2) return &ink_gemm_avx2;
#else
  (void)element;
#endif
  return &ink_gemm_portable;
}

// Element (row, column); of a block type, column is the first of a block.
static const char *element_at(const ink_matrix *m, int64_t row, int64_t column) {
  const ink_dtype_info *type = ink_dtype_about(m->dtype);
  int64_t index = row * m->row_stride + column * m->column_stride;
  return (const char *)m->data + index / type->block_elements * (int64_t)type->block_bytes;
}

static int64_t bytes_of(const ink_matrix *m, int64_t stride) {
  const ink_dtype_info *type = ink_dtype_about(m->dtype);
  return stride / type->block_elements * (int64_t)type->block_bytes;
}

static ink_gemm_lines a_lines(const product *p, int64_t row, int64_t k) {
  bool along = p->a.column_stride == 1;
  return (ink_gemm_lines){p->a.dtype, element_at(&p->a, row, k),
                          bytes_of(&p->a, along ? p->a.row_stride : p->a.column_stride), along};
}

static ink_gemm_lines b_lines(const product *p, int64_t k, int64_t column) {
  bool along = p->b.row_stride == 1;
  return (ink_gemm_lines){p->b.dtype, element_at(&p->b, k, column),
                          bytes_of(&p->b, along ? p->b.column_stride : p->b.row_stride), along};
}

static void run_tile(void *context, size_t index, int thread) {
  const product *p = context;
  const ink_gemm_kernels *kernels = p->kernels;
  int64_t i0 = (int64_t)index / p->tiles_across * p->tile_rows;
  int64_t j0 = (int64_t)index % p->tiles_across * p->tile_columns;
  int64_t i1 = smaller(i0 + p->tile_rows, p->m), j1 = smaller(j0 + p->tile_columns, p->n);
  int64_t group = INK_GEMM_LINES / kernels->columns * kernels->columns;
  char *a = p->scratch + (size_t)thread * p->scratch_bytes;
  char *b = a + kernels->a_bytes * divided_up(p->tile_rows, kernels->rows);
  char *scratch = b + kernels->b_bytes * divided_up(group, kernels->columns);
  bool a_along_k = p->a.column_stride == 1;
  int64_t block = INK_GEMM_STEPS * kernels->elements;
  // A product without terms is its bias, or zero: one empty block.
  for (int64_t k = 0; k == 0 || k < p->k; k += block) {
    int64_t depth = smaller(block, p->k - k);
    bool add = p->accumulate || k > 0, last = k + block >= p->k;
    ink_gemm_lines lines = a_lines(p, i0, k);
    kernels->pack_a(&lines, i1 - i0, depth, a, (float *)(void *)scratch);
    for (int64_t g = j0; g < j1; g += group) {
      int64_t end = smaller(g + group, j1);
      lines = b_lines(p, k, g);
      kernels->pack_b(&lines, end - g, depth, b, (float *)(void *)scratch);
      for (int64_t j = g; j < end; j += kernels->columns) {
        const char *panel = b + (j - g) / kernels->columns * kernels->b_bytes;
        const float *bias = last && p->bias ? p->bias + j : NULL;
        for (int64_t i = i0; i < i1; i += kernels->rows) {
          kernels->multiply(smaller(kernels->rows, i1 - i), smaller(kernels->columns, end - j),
                            depth, a + (i - i0) / kernels->rows * kernels->a_bytes, a_along_k,
                            panel, p->result + i * p->result_stride + j, p->result_stride, add,
                            bias);
        }
      }
    }
  }
}

// Cut the result so that every thread finds work and packing pays. Tiles never change a byte.
static void cut(product *p, int threads) {
  int64_t down = divided_up(p->m, p->kernels->rows);
  int64_t across = divided_up(p->n, p->kernels->columns);
  int64_t wanted = p->m * p->n * p->k < SMALL_WORK ? 1 : threads;
  int64_t tiles_down = divided_up(down, INK_GEMM_LINES / p->kernels->rows);
  int64_t tiles_across = divided_up(across, MOST_COLUMNS / p->kernels->columns);
  while (tiles_down * tiles_across < wanted && (tiles_down < down || tiles_across < across)) {
    // Halve the longer side: a square repeats the least packing.
    bool by_rows = tiles_across >= across ||
                   (tiles_down < down && down * p->kernels->rows * tiles_across >=
                                             across * p->kernels->columns * tiles_down);
    if (by_rows) {
      tiles_down = smaller(2 * tiles_down, down);
    } else {
      tiles_across = smaller(2 * tiles_across, across);
    }
  }
  p->tile_rows = divided_up(down, tiles_down) * p->kernels->rows;
  p->tile_columns = divided_up(across, tiles_across) * p->kernels->columns;
  p->tiles_across = divided_up(p->n, p->tile_columns);
}

static ink_status check(const ink_matrix *a, const ink_matrix *b, int64_t result_stride,
                        ink_error *error) {
  if (a->columns != b->rows || a->rows < 0 || a->columns < 0 || b->columns < 0) {
    return ink_fail(error, INK_ERR_INTERNAL, "product of %lld x %lld and %lld x %lld",
                    (long long)a->rows, (long long)a->columns, (long long)b->rows,
                    (long long)b->columns);
  }
  bool unit = (a->row_stride == 1 || a->column_stride == 1) &&
              (b->row_stride == 1 || b->column_stride == 1);
  if (!unit || result_stride < b->columns) {
    return ink_fail(error, INK_ERR_INTERNAL, "product of operands without a stride of 1");
  }
  bool known_a = a->dtype == INK_F32 || a->dtype == INK_BF16;
  bool known_b = b->dtype != INK_I32 && (int)b->dtype >= 0 && b->dtype < INK_DTYPE_COUNT;
  if (!known_a || !known_b) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "product of operands of these element types");
  }
  if (ink_dtype_is_block(b->dtype)) {
    int64_t block = ink_dtype_about(b->dtype)->block_elements;
    if (b->row_stride != 1 || b->rows % block != 0 || b->column_stride % block != 0) {
      return ink_fail(error, INK_ERR_INTERNAL, "product with a block type not seen by its rows");
    }
  }
  return INK_OK;
}

ink_status ink_gemm(ink_pool *pool, ink_precision precision, ink_matrix a, ink_matrix b,
                    const float *bias, float *result, int64_t result_stride, bool accumulate,
                    ink_error *error) {
  INK_TRY(check(&a, &b, result_stride, error));
  if (a.rows == 0 || b.columns == 0) return INK_OK;
  // Products of BF16 operands are exact in F32, so the faster instruction loses nothing.
  bool pairs = precision == INK_PRECISION_BF16 || (a.dtype == INK_BF16 && b.dtype == INK_BF16);
  product p = {.kernels = ink_gemm_kernels_for(pairs ? INK_BF16 : INK_F32),
               .m = a.rows,
               .n = b.columns,
               .k = a.columns,
               .a = a,
               .b = b,
               .bias = bias,
               .result = result,
               .result_stride = result_stride,
               .accumulate = accumulate};
  int threads = ink_pool_threads(pool);
  cut(&p, threads);
  size_t tiles = (size_t)(divided_up(p.m, p.tile_rows) * p.tiles_across);
  p.scratch_bytes =
      (size_t)(p.kernels->a_bytes * divided_up(p.tile_rows, p.kernels->rows) +
               p.kernels->b_bytes * (INK_GEMM_LINES / p.kernels->columns) + INK_GEMM_SCRATCH);
  size_t bytes;
  if (!ink_mul_size(p.scratch_bytes, (size_t)threads, &bytes) ||
      !(p.scratch = aligned_alloc(64, bytes))) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory for the panels of a product");
  }
  ink_pool_run(pool, tiles, run_tile, &p);
  free(p.scratch);
  return INK_OK;
}
