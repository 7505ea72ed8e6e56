// Products: operands are brought to F32, the result is cut into tiles that do not depend on the
// number of threads, and each tile is one product on one thread.
#include "tensor/gemm.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "tensor/isa.h"

#if defined(INK_ONEDNN)
#include <dnnl.h>
// libdnnl is built on OpenMP; its threads must stay out of ours.
void omp_set_num_threads(int n);
#endif

enum { TILE_ROWS = 256, TILE_COLUMNS = 256 };

typedef struct product {
  int64_t m, n, k;
  const float *a, *b;
  int64_t a_row, a_column, b_row, b_column;
  const float *bias;
  float *result;
  int64_t result_stride;
  bool accumulate;
  bool onednn;
} product;

// One tile, rows [i0, i1) and columns [j0, j1): sums in the order of k.
static void plain_tile(const product *p, int64_t i0, int64_t i1, int64_t j0, int64_t j1) {
  for (int64_t i = i0; i < i1; i++) {
    for (int64_t j = j0; j < j1; j++) {
      float sum = 0.0f;
      for (int64_t k = 0; k < p->k; k++) {
        sum += p->a[i * p->a_row + k * p->a_column] * p->b[k * p->b_row + j * p->b_column];
      }
      float *to = p->result + i * p->result_stride + j;
      *to = p->accumulate ? *to + sum : sum;
    }
  }
}

#if defined(INK_ONEDNN)
static int64_t at_least(int64_t stride, int64_t length) {
  return stride > length ? stride : length;
}

static void onednn_tile(const product *p, int64_t i0, int64_t i1, int64_t j0, int64_t j1) {
  omp_set_num_threads(1);
  bool a_rows = p->a_column == 1, b_rows = p->b_column == 1;
  int64_t m = i1 - i0, n = j1 - j0;
  // A single line may come with any stride; BLAS wants one that covers it.
  int64_t lda = a_rows ? at_least(p->a_row, p->k) : at_least(p->a_column, m);
  int64_t ldb = b_rows ? at_least(p->b_row, n) : at_least(p->b_column, p->k);
  dnnl_status_t status =
      dnnl_sgemm(a_rows ? 'N' : 'T', b_rows ? 'N' : 'T', m, n, p->k, 1.0f, p->a + i0 * p->a_row,
                 lda, p->b + j0 * p->b_column, ldb, p->accumulate ? 1.0f : 0.0f,
                 p->result + i0 * p->result_stride + j0, p->result_stride);
  if (status != dnnl_success) plain_tile(p, i0, i1, j0, j1);
}
#endif

static void run_tile(void *context, size_t index, int thread) {
  (void)thread;
  const product *p = context;
  int64_t across = (p->n + TILE_COLUMNS - 1) / TILE_COLUMNS;
  int64_t i0 = (int64_t)index / across * TILE_ROWS, j0 = (int64_t)index % across * TILE_COLUMNS;
  int64_t i1 = i0 + TILE_ROWS < p->m ? i0 + TILE_ROWS : p->m;
  int64_t j1 = j0 + TILE_COLUMNS < p->n ? j0 + TILE_COLUMNS : p->n;
#if defined(INK_ONEDNN)
  if (p->onednn) {
    onednn_tile(p, i0, i1, j0, j1);
  } else {
    plain_tile(p, i0, i1, j0, j1);
  }
#else
  plain_tile(p, i0, i1, j0, j1);
#endif
  if (!p->bias) return;
  for (int64_t i = i0; i < i1; i++) {
    for (int64_t j = j0; j < j1; j++) p->result[i * p->result_stride + j] += p->bias[j];
  }
}

// The operand as F32: itself, or a copy in *scratch (the caller frees it) whose lines of stride 1
// lie packed.
static ink_status as_f32(const ink_matrix *m, const float **data, int64_t *row, int64_t *column,
                         float **scratch, ink_error *error) {
  *row = m->row_stride;
  *column = m->column_stride;
  *data = m->data;
  if (m->dtype == INK_F32) return INK_OK;
  bool by_rows = m->column_stride == 1;
  int64_t lines = by_rows ? m->rows : m->columns, length = by_rows ? m->columns : m->rows;
  int64_t stride = by_rows ? m->row_stride : m->column_stride;
  size_t bytes;
  if (!ink_mul_size((size_t)lines, (size_t)length * sizeof(float), &bytes) ||
      !(*scratch = malloc(bytes ? bytes : 1))) {
    return ink_fail(error, INK_ERR_MEMORY, "a product needs %lld x %lld floats of scratch",
                    (long long)lines, (long long)length);
  }
  const ink_dtype_info *type = ink_dtype_about(m->dtype);
  for (int64_t i = 0; i < lines; i++) {
    const char *line =
        (const char *)m->data + i * stride / type->block_elements * (int64_t)type->block_bytes;
    ink_to_f32(m->dtype, line, *scratch + i * length, length);
  }
  *data = *scratch;
  *row = by_rows ? length : 1;
  *column = by_rows ? 1 : length;
  return INK_OK;
}

// Strides of a matrix with one row or column may be anything; make them those of a packed one.
static ink_matrix normalised(ink_matrix m) {
  if (m.column_stride == 1 && m.rows <= 1) m.row_stride = m.columns > 1 ? m.columns : 1;
  if (m.row_stride == 1 && m.column_stride != 1 && m.columns <= 1) {
    m.column_stride = m.rows > 1 ? m.rows : 1;
  }
  return m;
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
      return ink_fail(error, INK_ERR_INTERNAL,
                      "product with a block type that is not seen by rows");
    }
  }
  return INK_OK;
}

ink_status ink_gemm(ink_pool *pool, ink_precision precision, ink_matrix a, ink_matrix b,
                    const float *bias, float *result, int64_t result_stride, bool accumulate,
                    ink_error *error) {
  (void)precision;
  INK_TRY(check(&a, &b, result_stride, error));
  if (a.rows == 0 || b.columns == 0) return INK_OK;
  a = normalised(a);
  b = normalised(b);
  product p = {.m = a.rows,
               .n = b.columns,
               .k = a.columns,
               .bias = bias,
               .result = result,
               .result_stride = result_stride,
               .accumulate = accumulate};
#if defined(INK_ONEDNN)
  p.onednn = ink_cpu_about()->isa != INK_ISA_PORTABLE && p.k > 0;
#endif
  float *scratch_a = NULL, *scratch_b = NULL;
  ink_status status = as_f32(&a, &p.a, &p.a_row, &p.a_column, &scratch_a, error);
  if (status == INK_OK) status = as_f32(&b, &p.b, &p.b_row, &p.b_column, &scratch_b, error);
  if (status == INK_OK) {
    size_t down = (size_t)((p.m + TILE_ROWS - 1) / TILE_ROWS);
    size_t across = (size_t)((p.n + TILE_COLUMNS - 1) / TILE_COLUMNS);
    ink_pool_run(pool, down * across, run_tile, &p);
  }
  free(scratch_a);
  free(scratch_b);
  return status;
}
