// Elementwise operations: sums, products, activations, dropout.
#include <string.h>

#include "tensor/gemm.h"
#include "tensor/operation.h"

// What an elementwise kernel needs; fields an operation has no use for stay empty.
typedef struct elementwise elementwise;

// One stretch of F32 operands forward.
typedef void (*forward_kernel)(const elementwise *job, const float *x, const float *y, float *to,
                               int64_t n);

struct elementwise {
  const ink_kernels *kernels;
  const float *x, *y, *z;  // operands, in the order of the operation
  float *to, *to_second;
  bool add, add_second;
  // Forward, operands and result may be BF16: they pass through F32 a piece at a time.
  forward_kernel forward;
  ink_dtype x_dtype, y_dtype;
  // A broadcast second operand: stretches of `period` of its elements, the next one every `block`.
  int64_t period, block;
  float factor;
  void (*one)(const float *x, float *y, int64_t n);
  void (*one_back)(const float *x, const float *dy, float *dx, bool add, int64_t n);
  ink_random random;
  uint32_t threshold;
};

static void run(ink_compute *c, int64_t n, ink_range_task task, elementwise *job) {
  job->kernels = ink_kernels_here();
  ink_each_range(c->pool, n, INK_GRAIN, task, job);
}

enum { PIECE = 1024 };

static const float *as_f32(ink_dtype dtype, const float *from, int64_t at, int64_t n,
                           float *piece) {
  if (dtype == INK_F32) return from + at;
  ink_to_f32(dtype, (const uint16_t *)(const void *)from + at, piece, n);
  return piece;
}

// The operation over [begin, end) of the result.
static void forward_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const elementwise *job = context;
  float x_piece[PIECE], y_piece[PIECE], to_piece[PIECE];
  bool plain = job->x_dtype == INK_F32 && (!job->y || job->y_dtype == INK_F32);
  for (int64_t i = begin; i < end;) {
    int64_t n = end - i, at = i;
    if (job->y && job->period > 0) {
      at = i / job->block * job->period + i % job->period;
      int64_t left = job->period - i % job->period;
      if (n > left) n = left;
    }
    if (!plain && n > PIECE) n = PIECE;
    const float *x = as_f32(job->x_dtype, job->x, i, n, x_piece);
    const float *y = job->y ? as_f32(job->y_dtype, job->y, at, n, y_piece) : NULL;
    bool direct = job->x_dtype == INK_F32;
    float *to = direct ? job->to + i : to_piece;
    job->forward(job, x, y, to, n);
    if (!direct) ink_from_f32(job->x_dtype, to, (uint16_t *)(void *)job->to + i, n);
    i += n;
  }
}

// ---- add, mul -----------------------------------------------------------------------------------

static void add_forward(const elementwise *job, const float *x, const float *y, float *to,
                        int64_t n) {
  job->kernels->add(x, y, to, n);
}

static void mul_forward(const elementwise *job, const float *x, const float *y, float *to,
                        int64_t n) {
  job->kernels->mul(x, y, to, n);
}

// Backward of a product: x times y, y repeated every `period` elements of a block.
static void mul_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const elementwise *job = context;
  for (int64_t i = begin; i < end;) {
    int64_t at = i / job->block * job->period + i % job->period;
    int64_t n = job->period - i % job->period;
    if (n > end - i) n = end - i;
    (job->add ? job->kernels->mul_to : job->kernels->mul)(job->x + i, job->y + at, job->to + i, n);
    i += n;
  }
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

static void scale_forward(const elementwise *job, const float *x, const float *y, float *to,
                          int64_t n) {
  (void)y;
  job->kernels->scale(job->factor, x, to, n);
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
  int64_t period, block;
} binary_record;

// The gradient of the second operand: dy (times the first) summed over what was broadcast.
static void second_operand_back(ink_compute *c, binary_record *r, const float *dy) {
  ink_gradient to = ink_gradient_of(c, &r->b);
  if (!to.data) return;
  int64_t n = ink_tensor_elements(&r->a), period = r->period;
  if (ink_tensor_elements(&r->b) == n) {
    elementwise job = {.x = dy, .y = r->x, .to = to.data, .add = to.add, .period = n, .block = n};
    if (n > 0) run(c, n, r->x ? mul_range : give_range, &job);
  } else {
    for (int64_t at = 0, i = 0; at < n && period > 0; at += r->block, i += period) {
      ink_column_sums(c, "ink_tape_backward", dy + at, r->x ? r->x + at : NULL, r->block / period,
                      period, to.data + i, to.add);
    }
    if (n == 0 && !to.add) {
      memset(to.data, 0, (size_t)ink_tensor_elements(&r->b) * sizeof(float));
    }
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
      .x = dy, .y = r->y, .to = to.data, .add = to.add, .period = r->period, .block = r->block};
  run(c, ink_tensor_elements(&r->a), mul_range, &job);
  ink_gradient_done(c, &to);
}

// How b is repeated to a's shape: over a's leading dimensions, or, dimension by dimension, over
// inner ones where b has 1. False when it is neither.
static bool broadcasts(const ink_tensor *a, const ink_tensor *b, int64_t *period, int64_t *block) {
  if (b->rank > a->rank) return false;
  const int64_t *tail = a->shape + (a->rank - b->rank);
  int first = 0;
  while (first < b->rank && b->shape[first] == tail[first]) first++;
  int last = b->rank;
  while (last > first && b->shape[last - 1] == tail[last - 1]) last--;
  for (int i = first; i < last; i++) {
    if (b->shape[i] != 1) return false;
  }
  *period = *block = 1;
  for (int i = last; i < b->rank; i++) *period *= b->shape[i];
  for (int i = first; i < b->rank; i++) *block *= tail[i];
  if (first == last) {  // over leading dimensions
    *period = ink_tensor_elements(b);
    *block = ink_tensor_elements(a);
    return true;
  }
  // Inner dimensions are repeated: b's outer ones must be all of a's.
  return b->rank == a->rank;
}

static ink_tensor *binary(ink_compute *c, const char *name, const ink_tensor *a,
                          const ink_tensor *b, forward_kernel forward, ink_backward backward,
                          bool keep, const ink_tensor *into) {
  if (!ink_op_begin2(c, name, a, b) || !ink_op_expect_float(c, name, "operand", a) ||
      !ink_op_expect_float(c, name, "operand", b)) {
    return NULL;
  }
  // ink_op_begin2 lets no NULL pass. NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
  elementwise job = {.forward = forward, .x_dtype = a->dtype, .y_dtype = b->dtype};
  if (!broadcasts(a, b, &job.period, &job.block)) return ink_op_misfit(c, name, a, b);
  ink_tensor *y = ink_op_result_into(c, name, into, a->dtype, a->rank, a->shape);
  job.x = ink_op_dense(c, name, a);
  job.y = ink_op_dense(c, name, b);
  if (!y || !job.x || !job.y) return NULL;
  job.to = y->data;
  run(c, ink_tensor_elements(a), forward_range, &job);
  if (ink_op_differentiable(c, a) || ink_op_differentiable(c, b)) {
    // Gradients are F32, and so is what makes them.
    if (!ink_op_expect(c, name, "operand on the tape", a, INK_F32) ||
        (keep && !ink_op_expect(c, name, "operand on the tape", b, INK_F32))) {
      return NULL;
    }
    binary_record *r = ink_op_record(c, sizeof *r, backward, y);
    if (!r) return NULL;
    r->a = *a;
    r->b = *b;
    r->x = keep ? job.x : NULL;
    r->y = keep ? job.y : NULL;
    r->period = job.period;
    r->block = job.block;
  }
  return y;
}

ink_tensor *ink_add(ink_compute *c, const ink_tensor *a, const ink_tensor *b) {
  return binary(c, "ink_add", a, b, add_forward, add_back, false, NULL);
}

void ink_add_into(ink_compute *c, const ink_tensor *a, const ink_tensor *b,
                  const ink_tensor *into) {
  ink_arena_mark mark = ink_arena_save(c->arena);
  binary(c, "ink_add", a, b, add_forward, NULL, false, into);
  ink_arena_release(c->arena, mark);
}

ink_tensor *ink_mul(ink_compute *c, const ink_tensor *a, const ink_tensor *b) {
  return binary(c, "ink_mul", a, b, mul_forward, mul_back, true, NULL);
}

// ---- one operand --------------------------------------------------------------------------------

typedef struct unary_record {
  ink_record record;
  ink_tensor x;
  elementwise job;  // as in the forward pass
} unary_record;

static void one_forward(const elementwise *job, const float *x, const float *y, float *to,
                        int64_t n) {
  (void)y;
  job->one(x, to, n);
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

// A job without a forward kernel runs by `task` and is F32.
static ink_tensor *unary(ink_compute *c, const char *name, const ink_tensor *x, elementwise job,
                         ink_range_task task, ink_backward backward) {
  if (!ink_op_begin1(c, name, x)) return NULL;
  if (!(job.forward ? ink_op_expect_float(c, name, "operand", x)
                    : ink_op_expect(c, name, "operand", x, INK_F32))) {
    return NULL;
  }
  ink_tensor *y = ink_op_result_like(c, name, x);
  job.x = ink_op_dense(c, name, x);
  job.x_dtype = x->dtype;
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

static ink_tensor *activation(ink_compute *c, const char *name, const ink_tensor *x,
                              void (*one)(const float *x, float *y, int64_t n),
                              void (*one_back)(const float *x, const float *dy, float *dx, bool add,
                                               int64_t n)) {
  elementwise job = {.forward = one_forward, .one = one, .one_back = one_back};
  return unary(c, name, x, job, forward_range, activation_back);
}

ink_tensor *ink_scale(ink_compute *c, const ink_tensor *x, float factor) {
  elementwise job = {.forward = scale_forward, .factor = factor};
  return unary(c, "ink_scale", x, job, forward_range, scale_back);
}

ink_tensor *ink_silu(ink_compute *c, const ink_tensor *x) {
  const ink_kernels *kernels = ink_kernels_here();
  return activation(c, "ink_silu", x, kernels->silu, kernels->silu_back);
}

ink_tensor *ink_gelu(ink_compute *c, const ink_tensor *x, bool tanh_approximation) {
  const ink_kernels *kernels = ink_kernels_here();
  return tanh_approximation
             ? activation(c, "ink_gelu", x, kernels->gelu_tanh, kernels->gelu_tanh_back)
             : activation(c, "ink_gelu", x, kernels->gelu_erf, kernels->gelu_erf_back);
}

ink_tensor *ink_gelu_quick(ink_compute *c, const ink_tensor *x) {
  const ink_kernels *kernels = ink_kernels_here();
  return activation(c, "ink_gelu_quick", x, kernels->gelu_quick, kernels->gelu_quick_back);
}

ink_tensor *ink_relu(ink_compute *c, const ink_tensor *x) {
  const ink_kernels *kernels = ink_kernels_here();
  return activation(c, "ink_relu", x, kernels->relu, kernels->relu_back);
}

ink_tensor *ink_tanh(ink_compute *c, const ink_tensor *x) {
  const ink_kernels *kernels = ink_kernels_here();
  return activation(c, "ink_tanh", x, kernels->tanh, kernels->tanh_back);
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

// ---- swiglu -------------------------------------------------------------------------------------

static void swiglu_forward(const elementwise *job, const float *x, const float *y, float *to,
                           int64_t n) {
  job->kernels->swiglu(x, y, to, n);
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
  return binary(c, "ink_swiglu", gate, up, swiglu_forward, swiglu_back, true, NULL);
}

// ---- geglu --------------------------------------------------------------------------------------

typedef struct geglu_job {
  const ink_kernels *kernels;
  ink_dtype dtype;
  int64_t width;  // of the result
  const float *x, *dy;
  float *y;  // result, or dx
  bool add;
} geglu_job;

typedef struct geglu_record {
  ink_record record;
  ink_tensor x;
  geglu_job job;
} geglu_record;

static void geglu_rows(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const geglu_job *j = context;
  for (int64_t row = begin; row < end; row++) {
    int64_t from = 2 * row * j->width, to = row * j->width;
    if (j->dtype == INK_F32) {
      j->kernels->geglu(j->x + from, j->x + from + j->width, j->y + to, j->width);
    } else {
      const uint16_t *x = (const uint16_t *)(const void *)j->x + from;
      j->kernels->geglu_bf16(x, x + j->width, (uint16_t *)(void *)j->y + to, j->width);
    }
  }
}

static void geglu_back_rows(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const geglu_job *j = context;
  for (int64_t row = begin; row < end; row++) {
    const float *x = j->x + 2 * row * j->width;
    float *dx = j->y + 2 * row * j->width;
    j->kernels->geglu_back(x, x + j->width, j->dy + row * j->width, dx, dx + j->width, j->add,
                           j->width);
  }
}

static void geglu_back(ink_compute *c, ink_record *record) {
  geglu_record *r = (geglu_record *)record;
  ink_gradient to = ink_gradient_of(c, &r->x);
  if (!to.data) return;
  geglu_job job = r->job;
  job.dy = record->output->gradient;
  job.y = to.data;
  job.add = to.add;
  ink_each_range(c->pool, ink_op_rows(&r->x), ink_row_grain(2 * job.width), geglu_back_rows, &job);
  ink_gradient_done(c, &to);
}

ink_tensor *ink_geglu(ink_compute *c, const ink_tensor *x) {
  const char *name = "ink_geglu";
  if (!ink_op_begin1(c, name, x) || !ink_op_expect_float(c, name, "operand", x)) return NULL;
  int64_t width = ink_op_width(x), shape[INK_MAX_RANK];
  if (x->rank < 1 || width % 2 != 0) {
    char text[96];
    return ink_compute_fail(c, INK_ERR_CONFLICT, "%s: %s does not end in two halves", name,
                            ink_tensor_describe(x, text));
  }
  memcpy(shape, x->shape, sizeof shape);
  shape[x->rank - 1] = width / 2;
  ink_tensor *y = ink_op_result(c, name, x->dtype, x->rank, shape);
  geglu_job job = {.kernels = ink_kernels_here(),
                   .dtype = x->dtype,
                   .width = width / 2,
                   .x = ink_op_dense(c, name, x)};
  if (!y || !job.x) return NULL;
  job.y = y->data;
  ink_each_range(c->pool, ink_op_rows(x), ink_row_grain(width), geglu_rows, &job);
  if (ink_op_differentiable(c, x)) {
    geglu_record *r = ink_op_record(c, sizeof *r, geglu_back, y);
    if (!r) return NULL;
    r->x = *x;
    r->job = job;
  }
  return y;
}

// ---- sum ----------------------------------------------------------------------------------------

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
