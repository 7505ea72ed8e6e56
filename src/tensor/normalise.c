// Normalisation over the last dimension: RMSNorm (Zhang and Sennrich 2019), LayerNorm (Ba et al.
// 2016), softmax.
#include <string.h>

#include "tensor/operation.h"

typedef struct rows_job {
  const ink_kernels *kernels;
  ink_dtype dtype;  // of x and y, forward
  int64_t width;
  const float *x, *weight, *bias, *dy;
  float *mean, *inverse;  // one per row
  float epsilon;
  float *y;  // result, or dx
  bool add;
  float *d_weight, *d_bias;  // (ranges, width), one sum per range
} rows_job;

typedef struct norm_record {
  ink_record record;
  ink_tensor x, weight, bias;
  const float *dense_x, *dense_weight;
  float *mean, *inverse;
  const float *y;  // softmax
} norm_record;

static void rms_norm_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const rows_job *j = context;
  int64_t at = begin * j->width;
  j->kernels->rms_norm(end - begin, j->width, j->x + at, j->weight, j->epsilon, j->y + at,
                       j->inverse + begin);
}

static void layer_norm_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const rows_job *j = context;
  int64_t at = begin * j->width;
  if (j->dtype == INK_BF16) {
    j->kernels->layer_norm_bf16(end - begin, j->width, (const uint16_t *)(const void *)j->x + at,
                                j->weight, j->bias, j->epsilon, (uint16_t *)(void *)j->y + at);
    return;
  }
  j->kernels->layer_norm(end - begin, j->width, j->x + at, j->weight, j->bias, j->epsilon,
                         j->y + at, j->mean + begin, j->inverse + begin);
}

static void norm_back_range(void *context, int64_t begin, int64_t end, int64_t range) {
  const rows_job *j = context;
  int64_t at = begin * j->width;
  float *d_weight = j->d_weight ? j->d_weight + range * j->width : NULL;
  float *d_bias = j->d_bias ? j->d_bias + range * j->width : NULL;
  if (d_weight) memset(d_weight, 0, (size_t)j->width * sizeof *d_weight);
  if (d_bias) memset(d_bias, 0, (size_t)j->width * sizeof *d_bias);
  float *dx = j->y ? j->y + at : NULL;
  if (j->mean) {
    j->kernels->layer_norm_back(end - begin, j->width, j->x + at, j->weight, j->mean + begin,
                                j->inverse + begin, j->dy + at, dx, j->add, d_weight, d_bias);
  } else {
    j->kernels->rms_norm_back(end - begin, j->width, j->x + at, j->weight, j->inverse + begin,
                              j->dy + at, dx, j->add, d_weight);
  }
}

static void norm_back(ink_compute *c, ink_record *record) {
  norm_record *r = (norm_record *)record;
  const char *name = "ink_tape_backward";
  int64_t rows = ink_op_rows(&r->x), width = ink_op_width(&r->x), grain = ink_row_grain(width);
  size_t sums = (size_t)((rows + grain - 1) / grain * width);
  ink_gradient dx = ink_gradient_of(c, &r->x), dw = ink_gradient_of(c, &r->weight),
               db = ink_gradient_of(c, &r->bias);
  ink_arena_mark mark = ink_arena_save(c->arena);
  rows_job job = {.kernels = ink_kernels_here(),
                  .width = width,
                  .x = r->dense_x,
                  .weight = r->dense_weight,
                  .dy = record->output->gradient,
                  .mean = r->mean,
                  .inverse = r->inverse,
                  .y = dx.data,
                  .add = dx.add,
                  .d_weight = dw.data ? ink_op_take(c, name, sums, sizeof(float)) : NULL,
                  .d_bias = db.data ? ink_op_take(c, name, sums, sizeof(float)) : NULL};
  if (c->error.status == INK_OK) {
    ink_each_range(c->pool, rows, grain, norm_back_range, &job);
    int64_t ranges = (rows + grain - 1) / grain;
    if (dw.data) ink_column_sums(c, name, job.d_weight, NULL, ranges, width, dw.data, dw.add);
    if (db.data) ink_column_sums(c, name, job.d_bias, NULL, ranges, width, db.data, db.add);
    ink_gradient_done(c, &dx);
    ink_gradient_done(c, &dw);
    ink_gradient_done(c, &db);
  }
  ink_arena_release(c->arena, mark);
}

static bool check_vector(ink_compute *c, const char *name, const ink_tensor *x,
                         const ink_tensor *vector) {
  if (!ink_op_expect(c, name, "weight", vector, INK_F32)) return false;
  if (x->rank > 0 && vector->rank == 1 && vector->shape[0] == ink_op_width(x)) return true;
  ink_op_misfit(c, name, x, vector);
  return false;
}

static ink_tensor *norm(ink_compute *c, const char *name, const ink_tensor *x,
                        const ink_tensor *weight, const ink_tensor *bias, float epsilon,
                        bool centred) {
  if (!ink_op_begin2(c, name, x, weight) ||
      !(centred ? ink_op_expect_float(c, name, "operand", x)
                : ink_op_expect(c, name, "operand", x, INK_F32)) ||
      !check_vector(c, name, x, weight) || (bias && !check_vector(c, name, x, bias))) {
    return NULL;
  }
  int64_t rows = ink_op_rows(x), width = ink_op_width(x);
  ink_tensor *y = ink_op_result_like(c, name, x);
  rows_job job = {.kernels = ink_kernels_here(),
                  .dtype = x->dtype,
                  .width = width,
                  .x = ink_op_dense(c, name, x),
                  .weight = ink_op_dense(c, name, weight),
                  .bias = bias ? ink_op_dense(c, name, bias) : NULL,
                  .mean = centred ? ink_op_take(c, name, (size_t)rows, sizeof(float)) : NULL,
                  .inverse = ink_op_take(c, name, (size_t)rows, sizeof(float)),
                  .epsilon = epsilon};
  if (c->error.status != INK_OK) return NULL;
  job.y = y->data;
  ink_each_range(c->pool, rows, ink_row_grain(width), centred ? layer_norm_range : rms_norm_range,
                 &job);
  if (ink_op_differentiable(c, x) || ink_op_differentiable(c, weight) ||
      ink_op_differentiable(c, bias)) {
    if (!ink_op_expect(c, name, "operand on the tape", x, INK_F32)) return NULL;
    norm_record *r = ink_op_record(c, sizeof *r, norm_back, y);
    if (!r) return NULL;
    r->x = *x;
    r->weight = *weight;
    if (bias) r->bias = *bias;
    r->dense_x = job.x;
    r->dense_weight = job.weight;
    r->mean = job.mean;
    r->inverse = job.inverse;
  }
  return y;
}

ink_tensor *ink_rms_norm(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                         float epsilon) {
  return norm(c, "ink_rms_norm", x, weight, NULL, epsilon, false);
}

ink_tensor *ink_layer_norm(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                           const ink_tensor *bias, float epsilon) {
  return norm(c, "ink_layer_norm", x, weight, bias, epsilon, true);
}

// ---- softmax ------------------------------------------------------------------------------------

static void softmax_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const rows_job *j = context;
  int64_t at = begin * j->width;
  j->kernels->softmax(end - begin, j->width, j->x + at, j->y + at);
}

static void log_softmax_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const rows_job *j = context;
  int64_t at = begin * j->width;
  j->kernels->log_softmax(end - begin, j->width, j->x + at, j->y + at);
}

static void softmax_back_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const rows_job *j = context;
  int64_t at = begin * j->width;
  j->kernels->softmax_back(end - begin, j->width, j->x + at, j->dy + at, j->y + at, j->add);
}

static void log_softmax_back_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const rows_job *j = context;
  int64_t at = begin * j->width;
  j->kernels->log_softmax_back(end - begin, j->width, j->x + at, j->dy + at, j->y + at, j->add);
}

static void any_softmax_back(ink_compute *c, ink_record *record, ink_range_task task) {
  norm_record *r = (norm_record *)record;
  ink_gradient dx = ink_gradient_of(c, &r->x);
  if (!dx.data) return;
  rows_job job = {.kernels = ink_kernels_here(),
                  .width = ink_op_width(&r->x),
                  .x = r->y,
                  .dy = record->output->gradient,
                  .y = dx.data,
                  .add = dx.add};
  ink_each_range(c->pool, ink_op_rows(&r->x), ink_row_grain(job.width), task, &job);
  ink_gradient_done(c, &dx);
}

static void softmax_back(ink_compute *c, ink_record *record) {
  any_softmax_back(c, record, softmax_back_range);
}

static void log_softmax_back(ink_compute *c, ink_record *record) {
  any_softmax_back(c, record, log_softmax_back_range);
}

static ink_tensor *any_softmax(ink_compute *c, const char *name, const ink_tensor *x,
                               ink_range_task task, ink_backward backward) {
  if (!ink_op_begin1(c, name, x) || !ink_op_expect(c, name, "operand", x, INK_F32)) return NULL;
  ink_tensor *y = ink_op_result_like(c, name, x);
  rows_job job = {
      .kernels = ink_kernels_here(), .width = ink_op_width(x), .x = ink_op_dense(c, name, x)};
  if (!y || !job.x) return NULL;
  job.y = y->data;
  if (job.width > 0) {
    ink_each_range(c->pool, ink_op_rows(x), ink_row_grain(job.width), task, &job);
  }
  if (ink_op_differentiable(c, x)) {
    norm_record *r = ink_op_record(c, sizeof *r, backward, y);
    if (!r) return NULL;
    r->x = *x;
    r->y = y->data;
  }
  return y;
}

ink_tensor *ink_softmax(ink_compute *c, const ink_tensor *x) {
  return any_softmax(c, "ink_softmax", x, softmax_range, softmax_back);
}

ink_tensor *ink_log_softmax(ink_compute *c, const ink_tensor *x) {
  return any_softmax(c, "ink_log_softmax", x, log_softmax_range, log_softmax_back);
}
