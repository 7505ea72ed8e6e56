// Dense layers and products of matrices, on ink_gemm.
#include <string.h>

#include "tensor/convolve.h"
#include "tensor/gemm.h"
#include "tensor/operation.h"

// Run a product; a failure is recorded under the operation's name.
static bool product(ink_compute *c, const char *name, ink_matrix a, ink_matrix b, const float *bias,
                    float *result, int64_t result_stride, bool add) {
  ink_error error = {0};
  ink_status status =
      ink_gemm(c->pool, c->precision, a, b, bias, result, result_stride, add, &error);
  if (status != INK_OK) ink_compute_fail(c, status, "%s: %s", name, error.text);
  return status == INK_OK;
}

static ink_matrix dense_matrix(const float *data, int64_t rows, int64_t columns) {
  return (ink_matrix){.dtype = INK_F32,
                      .data = data,
                      .rows = rows,
                      .columns = columns,
                      .row_stride = columns > 0 ? columns : 1,
                      .column_stride = 1};
}

static ink_matrix transposed(ink_matrix m) {
  ink_matrix t = m;
  t.rows = m.columns;
  t.columns = m.rows;
  t.row_stride = m.column_stride;
  t.column_stride = m.row_stride;
  return t;
}

// A matrix of rank 2 as it lies; a dense copy when none of its strides is 1.
static bool matrix_of(ink_compute *c, const char *name, const ink_tensor *x, ink_matrix *m) {
  *m = (ink_matrix){.dtype = x->dtype,
                    .data = x->data,
                    .rows = x->shape[0],
                    .columns = x->shape[1],
                    .row_stride = x->stride[0],
                    .column_stride = x->stride[1]};
  if (m->columns == 1) m->column_stride = 1;
  if (m->rows == 1 && m->column_stride != 1) m->row_stride = 1;
  if (m->row_stride == 1 || m->column_stride == 1) return true;
  const float *copied = ink_op_dense(c, name, x);
  *m = dense_matrix(copied, x->shape[0], x->shape[1]);
  m->dtype = x->dtype;
  return copied != NULL;
}

// x with its leading dimensions made one, without a copy where the strides allow it.
static bool rows_of(ink_compute *c, const char *name, const ink_tensor *x, ink_matrix *m) {
  int64_t width = ink_op_width(x), rows = ink_op_rows(x);
  bool even = x->rank > 0 && (x->stride[x->rank - 1] == 1 || width == 1);
  int64_t stride = width, expected = -1;
  for (int i = x->rank - 2; i >= 0; i--) {
    if (x->shape[i] == 1) continue;
    if (expected < 0) {
      stride = x->stride[i];
    } else if (x->stride[i] != expected) {
      even = false;
    }
    expected = x->stride[i] * x->shape[i];
  }
  const float *data = even ? x->data : ink_op_dense(c, name, x);
  *m = dense_matrix(data, rows, width);
  if (even) m->row_stride = stride;
  return data != NULL;
}

// ---- linear -------------------------------------------------------------------------------------

typedef struct linear_record {
  ink_record record;
  ink_tensor x, weight, bias;
  ink_matrix rows;  // x
  ink_matrix w;     // (out, in)
} linear_record;

// The whole of a block-quantised or 16-bit matrix as F32, for the one product that needs it so.
static bool as_f32(ink_compute *c, const char *name, ink_matrix *w) {
  if (w->dtype == INK_F32) return true;
  const ink_dtype_info *type = ink_dtype_about(w->dtype);
  bool by_rows = w->column_stride == 1;
  int64_t lines = by_rows ? w->rows : w->columns, length = by_rows ? w->columns : w->rows;
  int64_t stride = by_rows ? w->row_stride : w->column_stride;
  float *copied = ink_op_take(c, name, (size_t)(lines * length), sizeof(float));
  if (!copied) return false;
  for (int64_t i = 0; i < lines; i++) {
    const char *line =
        (const char *)w->data + i * stride / type->block_elements * (int64_t)type->block_bytes;
    ink_to_f32(w->dtype, line, copied + i * length, length);
  }
  ink_matrix dense = dense_matrix(copied, lines, length);
  *w = by_rows ? dense : transposed(dense);
  return true;
}

static void linear_back(ink_compute *c, ink_record *record) {
  linear_record *r = (linear_record *)record;
  const char *name = "ink_linear (backward)";
  int64_t n = r->rows.rows, in = r->w.columns, out = r->w.rows;
  const float *dy = record->output->gradient;
  ink_matrix d = dense_matrix(dy, n, out);

  ink_gradient dx = ink_gradient_of(c, &r->x);
  if (dx.data) {
    ink_arena_mark mark = ink_arena_save(c->arena);
    ink_matrix w = r->w;
    if (as_f32(c, name, &w) && product(c, name, d, w, NULL, dx.data, in, dx.add)) {
      ink_gradient_done(c, &dx);
    }
    ink_arena_release(c->arena, mark);
  }
  if (r->weight.slot) {
    // Into the gradient as it lies: (out, in) by rows, or by columns for a transposed weight.
    ink_tensor dw = ink_gradient_view(c, &r->weight);
    if (!dw.data) return;
    if (dw.stride[1] == 1 || in == 1) {
      product(c, name, transposed(d), r->rows, NULL, dw.data, dw.stride[0], true);
    } else if (dw.stride[0] == 1 || out == 1) {
      product(c, name, transposed(r->rows), d, NULL, dw.data, dw.stride[1], true);
    } else {
      ink_arena_mark mark = ink_arena_save(c->arena);
      float *dense = ink_op_take(c, name, (size_t)(in * out), sizeof(float));
      if (dense && product(c, name, transposed(d), r->rows, NULL, dense, in, false)) {
        ink_scatter_add(c->pool, dense, &dw);
      }
      ink_arena_release(c->arena, mark);
    }
  }
  ink_gradient db = ink_gradient_of(c, &r->bias);
  if (db.data) {
    ink_column_sums(c, name, dy, NULL, n, out, db.data, db.add);
    ink_gradient_done(c, &db);
  }
}

// With BF16 activations: a convolution of one tap, whose weight can be prepared.
static ink_tensor *linear_bf16(ink_compute *c, const char *name, const ink_tensor *x,
                               const ink_tensor *weight, const ink_tensor *bias,
                               const int64_t *shape) {
  if (ink_op_differentiable(c, weight) || ink_op_differentiable(c, bias)) {
    return ink_compute_fail(c, INK_ERR_USAGE, "%s: BF16 activations are for inference", name);
  }
  ink_tensor w = *weight;
  if (!ink_tensor_is_contiguous(weight)) {
    if (ink_dtype_is_block(weight->dtype)) return ink_op_misfit(c, name, x, weight);
    w = ink_tensor_view(weight->dtype, NULL, 2, weight->shape);
    w.data = (void *)(uintptr_t)ink_op_dense(c, name, weight);
  }
  ink_tensor *y = ink_op_result(c, name, INK_BF16, x->rank, shape);
  ink_convolution v = {.x_dtype = INK_BF16,
                       .y_dtype = INK_BF16,
                       .x = ink_op_dense(c, name, x),
                       .y = y ? y->data : NULL,
                       .batch = 1,
                       .height = 1,
                       .width = ink_op_rows(x),
                       .channels = ink_op_width(x),
                       .y_height = 1,
                       .y_width = ink_op_rows(x),
                       .out = weight->shape[0],
                       .kernel_height = 1,
                       .kernel_width = 1,
                       .stride = 1,
                       .bias = bias ? ink_op_dense(c, name, bias) : NULL,
                       .weight = &w,
                       .passing = w.data != weight->data};
  if (c->error.status != INK_OK || !ink_convolve(c, name, &v)) return NULL;
  return y;
}

ink_tensor *ink_linear(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                       const ink_tensor *bias) {
  const char *name = "ink_linear";
  if (!ink_op_begin2(c, name, x, weight) || !ink_op_expect_float(c, name, "operand", x)) {
    return NULL;
  }
  if (x->rank < 1 || weight->rank != 2 || weight->shape[1] != ink_op_width(x)) {
    return ink_op_misfit(c, name, x, weight);
  }
  if (bias) {
    if (!ink_op_expect(c, name, "bias", bias, INK_F32)) return NULL;
    if (bias->rank != 1 || bias->shape[0] != weight->shape[0]) {
      return ink_op_misfit(c, name, weight, bias);
    }
  }
  int64_t shape[INK_MAX_RANK];
  memcpy(shape, x->shape, sizeof shape);
  shape[x->rank - 1] = weight->shape[0];
  if (x->dtype == INK_BF16) return linear_bf16(c, name, x, weight, bias, shape);
  ink_tensor *y = ink_op_result(c, name, INK_F32, x->rank, shape);
  const float *added = bias ? ink_op_dense(c, name, bias) : NULL;
  ink_matrix rows, w;
  if (!y || (bias && !added) || !rows_of(c, name, x, &rows) || !matrix_of(c, name, weight, &w) ||
      !product(c, name, rows, transposed(w), added, y->data, w.rows, false)) {
    return NULL;
  }
  if (ink_op_differentiable(c, x) || ink_op_differentiable(c, weight) ||
      ink_op_differentiable(c, bias)) {
    linear_record *r = ink_op_record(c, sizeof *r, linear_back, y);
    if (!r) return NULL;
    r->x = *x;
    r->weight = *weight;
    if (bias) r->bias = *bias;
    r->rows = rows;
    r->w = w;
  }
  return y;
}

// ---- matmul -------------------------------------------------------------------------------------

typedef struct matmul_record {
  ink_record record;
  ink_tensor a, b;
  const float *x, *y;  // dense operands
} matmul_record;

static void matmul_back(ink_compute *c, ink_record *record) {
  matmul_record *r = (matmul_record *)record;
  const char *name = "ink_matmul (backward)";
  int rank = r->a.rank;
  int64_t n = r->a.shape[rank - 2], k = r->a.shape[rank - 1], m = r->b.shape[rank - 1];
  int64_t batch = 1;
  for (int i = 0; i < rank - 2; i++) batch *= r->a.shape[i];
  ink_gradient da = ink_gradient_of(c, &r->a), db = ink_gradient_of(c, &r->b);
  for (int64_t i = 0; i < batch && c->error.status == INK_OK; i++) {
    ink_matrix d = dense_matrix(record->output->gradient + i * n * m, n, m);
    if (da.data) {
      product(c, name, d, transposed(dense_matrix(r->y + i * k * m, k, m)), NULL,
              da.data + i * n * k, k, da.add);
    }
    if (db.data) {
      product(c, name, transposed(dense_matrix(r->x + i * n * k, n, k)), d, NULL,
              db.data + i * k * m, m, db.add);
    }
  }
  ink_gradient_done(c, &da);
  ink_gradient_done(c, &db);
}

ink_tensor *ink_matmul(ink_compute *c, const ink_tensor *a, const ink_tensor *b) {
  const char *name = "ink_matmul";
  if (!ink_op_begin2(c, name, a, b) || !ink_op_expect(c, name, "operand", a, INK_F32) ||
      !ink_op_expect(c, name, "operand", b, INK_F32)) {
    return NULL;
  }
  int rank = a->rank;
  bool fits = rank >= 2 && b->rank == rank && a->shape[rank - 1] == b->shape[rank - 2];
  int64_t batch = 1, shape[INK_MAX_RANK] = {0};
  for (int i = 0; fits && i < rank - 2; i++) {
    fits = a->shape[i] == b->shape[i];
    shape[i] = a->shape[i];
    batch *= shape[i];
  }
  if (!fits) return ink_op_misfit(c, name, a, b);
  int64_t n = a->shape[rank - 2], k = a->shape[rank - 1], m = b->shape[rank - 1];
  shape[rank - 2] = n;
  shape[rank - 1] = m;
  ink_tensor *y = ink_op_result(c, name, INK_F32, rank, shape);
  const float *x = ink_op_dense(c, name, a), *z = ink_op_dense(c, name, b);
  if (!y || !x || !z) return NULL;
  for (int64_t i = 0; i < batch; i++) {
    if (!product(c, name, dense_matrix(x + i * n * k, n, k), dense_matrix(z + i * k * m, k, m),
                 NULL, (float *)y->data + i * n * m, m, false)) {
      return NULL;
    }
  }
  if (ink_op_differentiable(c, a) || ink_op_differentiable(c, b)) {
    matmul_record *r = ink_op_record(c, sizeof *r, matmul_back, y);
    if (!r) return NULL;
    r->a = *a;
    r->b = *b;
    r->x = x;
    r->y = z;
  }
  return y;
}
