// How far one tensor is from another, as losses: squared error and Huber's (Huber 1964), which is
// the square below a difference of delta and straight above.
#include <math.h>
#include <string.h>

#include "tensor/operation.h"

typedef struct distance {
  const ink_kernels *kernels;
  int64_t item;  // elements of one leading index
  const float *x, *target, *weights;
  float delta;
  double factor;    // of each term
  double *partial;  // forward: one sum per range
  float *to;        // backward
  bool add;
} distance;

typedef struct distance_record {
  ink_record record;
  ink_tensor x, target;
  distance job;
} distance_record;

// The stretch of one item that begins at element `at` and ends before `end`.
static int64_t stretch(const distance *j, int64_t at, int64_t end, double *weight) {
  int64_t left = j->item - at % j->item;
  *weight = j->factor * (j->weights ? (double)j->weights[at / j->item] : 1.0);
  return left < end - at ? left : end - at;
}

static void distance_range(void *context, int64_t begin, int64_t end, int64_t range) {
  const distance *j = context;
  double sum = 0.0, weight;
  for (int64_t at = begin, n; at < end; at += n) {
    n = stretch(j, at, end, &weight);
    sum += weight * (double)j->kernels->huber(j->delta, j->x + at, j->target + at, n);
  }
  j->partial[range] = sum;
}

static void distance_back_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const distance *j = context;
  double weight;
  for (int64_t at = begin, n; at < end; at += n) {
    n = stretch(j, at, end, &weight);
    j->kernels->huber_back(j->delta, (float)weight, j->x + at, j->target + at, j->to + at, j->add,
                           n);
  }
}

static void give(ink_compute *c, const ink_tensor *x, distance job) {
  ink_gradient to = ink_gradient_of(c, x);
  if (!to.data) return;
  job.to = to.data;
  job.add = to.add;
  ink_each_range(c->pool, ink_tensor_elements(x), INK_GRAIN, distance_back_range, &job);
  ink_gradient_done(c, &to);
}

static void distance_back(ink_compute *c, ink_record *record) {
  distance_record *r = (distance_record *)record;
  distance job = r->job;
  job.factor *= (double)record->output->gradient[0];
  give(c, &r->x, job);
  job.factor = -job.factor;
  give(c, &r->target, job);
}

static ink_tensor *distance_of(ink_compute *c, const char *name, const ink_tensor *x,
                               const ink_tensor *target, const ink_tensor *weights, float delta,
                               double factor) {
  if (!ink_op_begin2(c, name, x, target) || !ink_op_expect(c, name, "operand", x, INK_F32) ||
      !ink_op_expect(c, name, "target", target, INK_F32) ||
      (weights && !ink_op_expect(c, name, "weights", weights, INK_F32))) {
    return NULL;
  }
  if (!ink_tensor_same_shape(x, target)) return ink_op_misfit(c, name, x, target);
  if (weights && (weights->rank != 1 || x->rank < 1 || weights->shape[0] != x->shape[0])) {
    return ink_op_misfit(c, name, x, weights);
  }
  int64_t n = ink_tensor_elements(x), ranges = (n + INK_GRAIN - 1) / INK_GRAIN;
  ink_tensor *y = ink_op_result(c, name, INK_F32, 0, NULL);
  distance job = {.kernels = ink_kernels_here(),
                  .item = x->rank > 0 && n > 0 ? n / x->shape[0] : 1,
                  .x = ink_op_dense(c, name, x),
                  .target = ink_op_dense(c, name, target),
                  .weights = weights ? ink_op_dense(c, name, weights) : NULL,
                  .delta = delta,
                  .factor = factor,
                  .partial = ink_op_take(c, name, (size_t)ranges, sizeof(double))};
  if (c->error.status != INK_OK) return NULL;
  ink_each_range(c->pool, n, INK_GRAIN, distance_range, &job);
  double total = 0.0;
  for (int64_t i = 0; i < ranges; i++) total += job.partial[i];
  *(float *)y->data = (float)total;
  if (ink_op_differentiable(c, x) || ink_op_differentiable(c, target)) {
    distance_record *r = ink_op_record(c, sizeof *r, distance_back, y);
    if (!r) return NULL;
    r->x = *x;
    r->target = *target;
    r->job = job;
  }
  return y;
}

ink_tensor *ink_squared_error(ink_compute *c, const ink_tensor *x, const ink_tensor *target,
                              const ink_tensor *weights) {
  return distance_of(c, "ink_squared_error", x, target, weights, INFINITY, 2.0);
}

ink_tensor *ink_huber(ink_compute *c, const ink_tensor *x, const ink_tensor *target,
                      const ink_tensor *weights, float delta) {
  if (!(delta > 0.0f)) {
    return ink_compute_fail(c, INK_ERR_USAGE, "ink_huber: delta %g is not above 0", (double)delta);
  }
  return distance_of(c, "ink_huber", x, target, weights, delta, 1.0);
}
