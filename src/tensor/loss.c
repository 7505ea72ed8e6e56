// The loss of a language model: the output layer and cross-entropy in one, a chunk of rows at a
// time, so that the logits never stand whole in memory.
#include <string.h>

#include "tensor/gemm.h"
#include "tensor/operation.h"

enum { CHUNK = 256, ROWS_AT_ONCE = 4 };

typedef struct loss_job {
  const ink_kernels *kernels;
  int64_t vocabulary, first;  // row of the chunk's start
  float *logits;              // (chunk, V)
  const int32_t *targets;
  const float *weights;
  float *nll;  // of all rows, unweighted
  bool gradient;
} loss_job;

static void loss_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const loss_job *j = context;
  for (int64_t i = begin; i < end; i++) {
    float *logits = j->logits + i * j->vocabulary;
    int64_t row = j->first + i;
    float weight = j->weights ? j->weights[row] : 1.0f;
    if (j->targets[row] < 0) {
      j->nll[row] = 0.0f;
      if (j->gradient) memset(logits, 0, (size_t)j->vocabulary * sizeof *logits);
    } else {
      j->nll[row] =
          j->kernels->cross_entropy(j->vocabulary, logits, j->targets[row], weight, j->gradient);
    }
  }
}

typedef struct loss_record {
  ink_record record;
  ink_tensor x, weight;
  float *dx, *dw;  // for a seed of 1
} loss_record;

typedef struct give_job {
  float seed;
  const float *from;
  ink_gradient to;
} give_job;

static void give_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const give_job *j = context;
  const ink_kernels *kernels = ink_kernels_here();
  (j->to.add ? kernels->scale_to : kernels->scale)(j->seed, j->from + begin, j->to.data + begin,
                                                   end - begin);
}

static void give(ink_compute *c, const ink_tensor *x, const float *from, float seed) {
  if (!from) return;
  give_job job = {seed, from, ink_gradient_of(c, x)};
  if (!job.to.data) return;
  ink_each_range(c->pool, ink_tensor_elements(x), INK_GRAIN, give_range, &job);
  ink_gradient_done(c, &job.to);
}

static void loss_back(ink_compute *c, ink_record *record) {
  loss_record *r = (loss_record *)record;
  float seed = record->output->gradient[0];
  give(c, &r->x, r->dx, seed);
  give(c, &r->weight, r->dw, seed);
}

static ink_matrix matrix(const float *data, int64_t rows, int64_t columns, bool turned) {
  return (ink_matrix){.dtype = INK_F32,
                      .data = data,
                      .rows = turned ? columns : rows,
                      .columns = turned ? rows : columns,
                      .row_stride = turned ? 1 : columns,
                      .column_stride = turned ? columns : 1};
}

ink_tensor *ink_linear_cross_entropy(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                                     const ink_tensor *targets, const ink_tensor *weights,
                                     float *row_nll) {
  const char *name = "ink_linear_cross_entropy";
  const ink_tensor *inputs[] = {x, weight, targets};
  if (!ink_op_begin(c, name, 3, inputs) || !ink_op_expect(c, name, "operand", x, INK_F32) ||
      !ink_op_expect(c, name, "weight", weight, INK_F32) ||
      !ink_op_expect(c, name, "targets", targets, INK_I32) ||
      (weights && !ink_op_expect(c, name, "weights", weights, INK_F32))) {
    return NULL;
  }
  if (x->rank != 2 || weight->rank != 2 || x->shape[1] != weight->shape[1]) {
    return ink_op_misfit(c, name, x, weight);
  }
  if (targets->rank != 1 || targets->shape[0] != x->shape[0]) {
    return ink_op_misfit(c, name, x, targets);
  }
  if (weights && (weights->rank != 1 || weights->shape[0] != x->shape[0])) {
    return ink_op_misfit(c, name, x, weights);
  }
  int64_t n = x->shape[0], width = x->shape[1], vocabulary = weight->shape[0];
  bool need_x = ink_op_differentiable(c, x), need_w = ink_op_differentiable(c, weight);
  ink_tensor *y = ink_op_result(c, name, INK_F32, 0, NULL);
  const float *rows = ink_op_dense(c, name, x), *w = ink_op_dense(c, name, weight);
  float *dx = need_x ? ink_op_take(c, name, (size_t)(n * width), sizeof(float)) : NULL;
  float *dw = need_w ? ink_op_take(c, name, (size_t)(vocabulary * width), sizeof(float)) : NULL;
  ink_arena_mark mark = ink_arena_save(c->arena);
  loss_job job = {.kernels = ink_kernels_here(),
                  .vocabulary = vocabulary,
                  .logits = ink_op_take(c, name, (size_t)(CHUNK * vocabulary), sizeof(float)),
                  .targets = ink_op_dense_ids(c, name, targets),
                  .weights = weights ? ink_op_dense(c, name, weights) : NULL,
                  .nll = ink_op_take(c, name, (size_t)n, sizeof(float)),
                  .gradient = need_x || need_w};
  if (c->error.status != INK_OK) return NULL;
  for (int64_t i = 0; i < n; i++) {
    if (job.targets[i] < -1 || job.targets[i] >= vocabulary) {
      return ink_compute_fail(c, INK_ERR_USAGE,
                              "%s: target %d at row %lld; the vocabulary has %lld", name,
                              (int)job.targets[i], (long long)i, (long long)vocabulary);
    }
  }
  if (dw && n == 0) memset(dw, 0, (size_t)(vocabulary * width) * sizeof *dw);

  ink_error error = {0};
  ink_status status = INK_OK;
  for (int64_t at = 0; at < n && status == INK_OK; at += CHUNK) {
    int64_t take = n - at < CHUNK ? n - at : CHUNK;
    ink_matrix part = matrix(rows + at * width, take, width, false);
    status = ink_gemm(c->pool, c->precision, part, matrix(w, vocabulary, width, true), NULL,
                      job.logits, vocabulary, false, &error);
    if (status != INK_OK) break;
    job.first = at;
    ink_each_range(c->pool, take, ROWS_AT_ONCE, loss_range, &job);
    if (dx) {
      status = ink_gemm(c->pool, c->precision, matrix(job.logits, take, vocabulary, false),
                        matrix(w, vocabulary, width, false), NULL, dx + at * width, width, false,
                        &error);
    }
    if (dw && status == INK_OK) {
      status = ink_gemm(c->pool, c->precision, matrix(job.logits, take, vocabulary, true), part,
                        NULL, dw, width, at > 0, &error);
    }
  }
  if (status != INK_OK) return ink_compute_fail(c, status, "%s: %s", name, error.text);

  double total = 0.0;
  for (int64_t i = 0; i < n; i++) {
    total += (job.weights ? (double)job.weights[i] : 1.0) * (double)job.nll[i];
    if (row_nll) row_nll[i] = job.nll[i];
  }
  *(float *)y->data = (float)total;
  ink_arena_release(c->arena, mark);
  if (job.gradient) {
    loss_record *r = ink_op_record(c, sizeof *r, loss_back, y);
    if (!r) return NULL;
    r->x = *x;
    r->weight = *weight;
    r->dx = dx;
    r->dw = dw;
  }
  return y;
}
