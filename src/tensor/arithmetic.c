// Elementwise operations: sums, products, activations, dropout.
#include <string.h>

#include "tensor/operation.h"

// What an elementwise kernel needs; fields an operation has no use for stay empty.
typedef struct elementwise {
  const ink_kernels *kernels;
  const float *x, *y, *z;  // operands, in the order of the operation
  float *to, *to_second;
  bool add, add_second;
  int64_t period;  // elements of a broadcast second operand
  float factor;
  void (*one)(const float *x, float *y, int64_t n);
  void (*one_back)(const float *x, const float *dy, float *dx, bool add, int64_t n);
  ink_random random;
  uint32_t threshold;
} elementwise;

static void run(ink_compute *c, int64_t n, ink_range_task task, elementwise *job) {
  job->kernels = ink_kernels_here();
  ink_each_range(c->pool, n, INK_GRAIN, task, job);
}

// ---- add, mul
// ------------------------------------------------------------------------------------

typedef void (*binary_kernel)(const float *a, const float *b, float *y, int64_t n);

// kernel(x, y, to) over [begin, end), y repeated every `period` elements.
static void each_period(const elementwise *job, binary_kernel kernel, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end;) {
    int64_t at = i % job->period, n = job->period - at;
    if (n > end - i) n = end - i;
    kernel(job->x + i, job->y + at, job->to + i, n);
    i += n;
  }
}

static void add_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const elementwise *job = context;
  each_period(job, job->kernels->add, begin, end);
}

static void mul_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const elementwise *job = context;
  each_period(job, job->add ? job->kernels->mul_to : job->kernels->mul, begin, end);
}

static void give_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const elementwise *job = context;
  if (job->add) {
    job->kernels->add_to(job->x + begin, job->to + begin, end - begin);
  } else {
    memcpy(job->to + begin, job->x + begin, (size_t)(end - begin) * sizeof(float));
  }
}

static void scale_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const elementwise *job = context;
  (job->add ? job->kernels->scale_to : job->kernels->scale)(job->factor, job->x + begin,
                                                            job->to + begin, end - begin);
}

typedef struct binary_record {
  ink_record record;
  ink_tensor a, b;
  const float *x, *y;  // operands in order, for the product
} binary_record;

// The gradient of the second operand: dy (times the first) summed over what was broadcast.
static void second_operand_back(ink_compute *c, binary_record *r, const float *dy) {
  ink_gradient to = ink_gradient_of(c, &r->b);
  if (!to.data) return;
  int64_t n = ink_tensor_elements(&r->a), period = ink_tensor_elements(&r->b);
  if (period == n) {
    elementwise job = {.x = dy, .y = r->x, .to = to.data, .add = to.add, .period = n};
    run(c, n, r->x ? mul_range : give_range, &job);
  } else {
    ink_column_sums(c, "ink_tape_backward", dy, r->x, period > 0 ? n / period : 0, period, to.data,
                    to.add);
  }
  ink_gradient_done(c, &to);
}

static void add_back(ink_compute *c, ink_record *record) {
  binary_record *r = (binary_record *)record;
  const float *dy = record->output->gradient;
  second_operand_back(c, r, dy);
  if (ink_gradient_move(c, &r->a, record)) return;
  ink_gradient to = ink_gradient_of(c, &r->a);
  if (!to.data) return;
  elementwise job = {.x = dy, .to = to.data, .add = to.add};
  run(c, ink_tensor_elements(&r->a), give_range, &job);
  ink_gradient_done(c, &to);
}

static void mul_back(ink_compute *c, ink_record *record) {
  binary_record *r = (binary_record *)record;
  const float *dy = record->output->gradient;
  second_operand_back(c, r, dy);
  ink_gradient to = ink_gradient_of(c, &r->a);
  if (!to.data) return;
  elementwise job = {
      .x = dy, .y = r->y, .to = to.data, .add = to.add, .period = ink_tensor_elements(&r->b)};
  run(c, ink_tensor_elements(&r->a), mul_range, &job);
  ink_gradient_done(c, &to);
}

// True when b's shape is that of a's last dimensions.
static bool broadcasts(const ink_tensor *a, const ink_tensor *b) {
  if (b->rank > a->rank) return false;
  for (int i = 1; i <= b->rank; i++) {
    if (a->shape[a->rank - i] != b->shape[b->rank - i]) return false;
  }
  return true;
}

static ink_tensor *binary(ink_compute *c, const char *name, const ink_tensor *a,
                          const ink_tensor *b, ink_range_task task, ink_backward backward,
                          bool keep) {
  if (!ink_op_begin2(c, name, a, b) || !ink_op_expect(c, name, "operand", a, INK_F32) ||
      !ink_op_expect(c, name, "operand", b, INK_F32)) {
    return NULL;
  }
  if (!broadcasts(a, b)) return ink_op_misfit(c, name, a, b);
  ink_tensor *y = ink_op_result_like(c, name, a);
  elementwise job = {.x = ink_op_dense(c, name, a),
                     .y = ink_op_dense(c, name, b),
                     .period = ink_tensor_elements(b)};
  if (!y || !job.x || !job.y) return NULL;
  job.to = y->data;
  run(c, ink_tensor_elements(a), task, &job);
  if (ink_op_differentiable(c, a) || ink_op_differentiable(c, b)) {
    binary_record *r = ink_op_record(c, sizeof *r, backward, y);
    if (!r) return NULL;
    r->a = *a;
    r->b = *b;
    r->x = keep ? job.x : NULL;
    r->y = keep ? job.y : NULL;
  }
  return y;
}

ink_tensor *ink_add(ink_compute *c, const ink_tensor *a, const ink_tensor *b) {
  return binary(c, "ink_add", a, b, add_range, add_back, false);
}

ink_tensor *ink_mul(ink_compute *c, const ink_tensor *a, const ink_tensor *b) {
  return binary(c, "ink_mul", a, b, mul_range, mul_back, true);
}

// ---- one operand
// ---------------------------------------------------------------------------------

typedef struct unary_record {
  ink_record record;
  ink_tensor x;
  elementwise job;  // as in the forward pass
} unary_record;

static void one_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const elementwise *job = context;
  job->one(job->x + begin, job->to + begin, end - begin);
}

static void one_back_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const elementwise *job = context;
  job->one_back(job->x + begin, job->y + begin, job->to + begin, job->add, end - begin);
}

static void dropout_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const elementwise *job = context;
  job->kernels->dropout(job->random.seed, job->random.stream,
                        job->random.position + (uint64_t)begin, job->threshold, job->factor,
                        job->x + begin, job->to + begin, job->add, end - begin);
}

static void activation_back(ink_compute *c, ink_record *record) {
  unary_record *r = (unary_record *)record;
  ink_gradient to = ink_gradient_of(c, &r->x);
  if (!to.data) return;
  elementwise job = r->job;
  job.y = record->output->gradient;
  job.to = to.data;
  job.add = to.add;
  run(c, ink_tensor_elements(&r->x), one_back_range, &job);
  ink_gradient_done(c, &to);
}

// Scaling and dropout are linear: backward is the same step applied to dy.
static void linear_back(ink_compute *c, ink_record *record, ink_range_task task) {
  unary_record *r = (unary_record *)record;
  ink_gradient to = ink_gradient_of(c, &r->x);
  if (!to.data) return;
  elementwise job = r->job;
  job.x = record->output->gradient;
  job.to = to.data;
  job.add = to.add;
  run(c, ink_tensor_elements(&r->x), task, &job);
  ink_gradient_done(c, &to);
}

static void scale_back(ink_compute *c, ink_record *record) {
  linear_back(c, record, scale_range);
}

static void dropout_back(ink_compute *c, ink_record *record) {
  linear_back(c, record, dropout_range);
}

static ink_tensor *unary(ink_compute *c, const char *name, const ink_tensor *x, elementwise job,
                         ink_range_task task, ink_backward backward) {
  if (!ink_op_begin1(c, name, x) || !ink_op_expect(c, name, "operand", x, INK_F32)) return NULL;
  ink_tensor *y = ink_op_result_like(c, name, x);
  job.x = ink_op_dense(c, name, x);
  if (!y || !job.x) return NULL;
  job.to = y->data;
  run(c, ink_tensor_elements(x), task, &job);
  if (ink_op_differentiable(c, x)) {
    unary_record *r = ink_op_record(c, sizeof *r, backward, y);
    if (!r) return NULL;
    r->x = *x;
    r->job = job;
  }
  return y;
}

ink_tensor *ink_scale(ink_compute *c, const ink_tensor *x, float factor) {
  return unary(c, "ink_scale", x, (elementwise){.factor = factor}, scale_range, scale_back);
}

ink_tensor *ink_silu(ink_compute *c, const ink_tensor *x) {
  const ink_kernels *kernels = ink_kernels_here();
  elementwise job = {.one = kernels->silu, .one_back = kernels->silu_back};
  return unary(c, "ink_silu", x, job, one_range, activation_back);
}

ink_tensor *ink_gelu(ink_compute *c, const ink_tensor *x, bool tanh_approximation) {
  const ink_kernels *kernels = ink_kernels_here();
  elementwise job = {
      .one = tanh_approximation ? kernels->gelu_tanh : kernels->gelu_erf,
      .one_back = tanh_approximation ? kernels->gelu_tanh_back : kernels->gelu_erf_back};
  return unary(c, "ink_gelu", x, job, one_range, activation_back);
}

ink_tensor *ink_dropout(ink_compute *c, const ink_tensor *x, float rate, ink_random random) {
  if (!ink_op_begin1(c, "ink_dropout", x)) return NULL;
  if (!(rate >= 0.0f && rate < 1.0f)) {
    return ink_compute_fail(c, INK_ERR_USAGE, "ink_dropout: the rate %g is not in [0, 1)",
                            (double)rate);
  }
  // The caller's tensor is handed back as it came, and it is not written to.
  if (!c->tape || rate == 0.0f) return (ink_tensor *)(uintptr_t)x;
  elementwise job = {.random = random,
                     .threshold = (uint32_t)((double)rate * 0x1p32),
                     .factor = 1.0f / (1.0f - rate)};
  return unary(c, "ink_dropout", x, job, dropout_range, dropout_back);
}

// ---- swiglu
// --------------------------------------------------------------------------------------

static void swiglu_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const elementwise *job = context;
  job->kernels->swiglu(job->x + begin, job->y + begin, job->to + begin, end - begin);
}

static void swiglu_back_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const elementwise *job = context;
  job->kernels->swiglu_back(
      job->x + begin, job->y + begin, job->z + begin, job->to ? job->to + begin : NULL, job->add,
      job->to_second ? job->to_second + begin : NULL, job->add_second, end - begin);
}

static void swiglu_back(ink_compute *c, ink_record *record) {
  binary_record *r = (binary_record *)record;
  ink_gradient gate = ink_gradient_of(c, &r->a), up = ink_gradient_of(c, &r->b);
  elementwise job = {.x = r->x,
                     .y = r->y,
                     .z = record->output->gradient,
                     .to = gate.data,
                     .add = gate.add,
                     .to_second = up.data,
                     .add_second = up.add};
  if (c->error.status != INK_OK) return;
  run(c, ink_tensor_elements(&r->a), swiglu_back_range, &job);
  ink_gradient_done(c, &gate);
  ink_gradient_done(c, &up);
}

ink_tensor *ink_swiglu(ink_compute *c, const ink_tensor *gate, const ink_tensor *up) {
  if (c->error.status == INK_OK && gate && up && !ink_tensor_same_shape(gate, up)) {
    return ink_op_misfit(c, "ink_swiglu", gate, up);
  }
  return binary(c, "ink_swiglu", gate, up, swiglu_range, swiglu_back, true);
}

// ---- sum
// -----------------------------------------------------------------------------------------

typedef struct sum_job {
  const float *x;
  double *partial;
} sum_job;

static void sum_range(void *context, int64_t begin, int64_t end, int64_t range) {
  const sum_job *job = context;
  job->partial[range] = (double)ink_kernels_here()->sum(job->x + begin, end - begin);
}

static void fill_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const elementwise *job = context;
  for (int64_t i = begin; i < end; i++) {
    job->to[i] = job->add ? job->to[i] + job->factor : job->factor;
  }
}

static void sum_back(ink_compute *c, ink_record *record) {
  unary_record *r = (unary_record *)record;
  ink_gradient to = ink_gradient_of(c, &r->x);
  if (!to.data) return;
  elementwise job = {.to = to.data, .add = to.add, .factor = record->output->gradient[0]};
  run(c, ink_tensor_elements(&r->x), fill_range, &job);
  ink_gradient_done(c, &to);
}

ink_tensor *ink_sum(ink_compute *c, const ink_tensor *x) {
  const char *name = "ink_sum";
  if (!ink_op_begin1(c, name, x) || !ink_op_expect(c, name, "operand", x, INK_F32)) return NULL;
  ink_tensor *y = ink_op_result(c, name, INK_F32, 0, NULL);
  int64_t n = ink_tensor_elements(x), ranges = (n + INK_GRAIN - 1) / INK_GRAIN;
  sum_job job = {.x = ink_op_dense(c, name, x),
                 .partial = ink_op_take(c, name, (size_t)ranges, sizeof(double))};
  if (!y || !job.x || !job.partial) return NULL;
  ink_each_range(c->pool, n, INK_GRAIN, sum_range, &job);
  double total = 0.0;
  for (int64_t i = 0; i < ranges; i++) total += job.partial[i];
  *(float *)y->data = (float)total;
  if (ink_op_differentiable(c, x)) {
    unary_record *r = ink_op_record(c, sizeof *r, sum_back, y);
    if (!r) return NULL;
    r->x = *x;
  }
  return y;
}
