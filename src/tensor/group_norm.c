// GroupNorm (Wu and He 2018) over pictures, alone or with SiLU behind it. Statistics gather channel
// by channel, as differences from the first pixel so that a large mean costs no digits, and are
// joined into groups in double precision.
#include <math.h>
#include <string.h>

#include "tensor/half.h"
#include "tensor/operation.h"

typedef struct group_norm {
  const ink_kernels *kernels;
  ink_dtype dtype;
  int64_t batch, pixels, channels, groups;
  int64_t grain, chunks;  // pixels of a task; tasks of a picture
  const void *x;
  void *y;
  bool silu;
  const float *weight, *bias;
  float epsilon;
  float *partial;         // (batch, chunks, 2, C): sums and sums of squares of one chunk
  float *factor, *term;   // (batch, C): y = x * factor + term
  float *mean, *inverse;  // (batch, groups)
  // backward
  const float *dy;
  float *dx;
  bool add;
  float *from_dy, *from_x, *constant;  // (batch, C): dx = dy from_dy + x from_x + constant
} group_norm;

typedef struct group_norm_record {
  ink_record record;
  ink_tensor x, weight, bias;
  group_norm job;
} group_norm_record;

static const void *row_at(const group_norm *j, int64_t row) {
  size_t size = j->dtype == INK_BF16 ? sizeof(uint16_t) : sizeof(float);
  return (const char *)j->x + (size_t)(row * j->channels) * size;
}

// Pixels of one chunk of one picture.
static void chunk_of(const group_norm *j, size_t index, int64_t *picture, int64_t *begin,
                     int64_t *end) {
  *picture = (int64_t)index / j->chunks;
  int64_t chunk = (int64_t)index % j->chunks;
  *begin = chunk * j->grain;
  *end = *begin + j->grain < j->pixels ? *begin + j->grain : j->pixels;
}

static void sums_task(void *context, size_t index, int thread) {
  (void)thread;
  const group_norm *j = context;
  int64_t b, begin, end;
  chunk_of(j, index, &b, &begin, &end);
  float *sums = j->partial + (int64_t)index * 2 * j->channels;
  bool bf16 = j->dtype == INK_BF16;
  j->kernels->channel_sums(bf16, end - begin, j->channels, row_at(j, b * j->pixels),
                           row_at(j, b * j->pixels + begin), sums, sums + j->channels);
}

static float first_pixel(const group_norm *j, int64_t b, int64_t channel) {
  const void *row = row_at(j, b * j->pixels);
  if (j->dtype == INK_BF16) return ink_f32_from_bf16(((const uint16_t *)row)[channel]);
  return ((const float *)row)[channel];
}

// Mean and 1 / deviation of one group of one picture, and what they make of its channels.
static void join_task(void *context, size_t index, int thread) {
  (void)thread;
  const group_norm *j = context;
  int64_t b = (int64_t)index / j->groups, g = (int64_t)index % j->groups;
  int64_t width = j->channels / j->groups, first = g * width;
  double n = (double)j->pixels, mean = 0.0, square = 0.0, pivot = (double)first_pixel(j, b, first);
  for (int64_t i = first; i < first + width; i++) {
    double sum = 0.0, squares = 0.0;
    for (int64_t chunk = 0; chunk < j->chunks; chunk++) {
      const float *sums = j->partial + (b * j->chunks + chunk) * 2 * j->channels;
      sum += (double)sums[i];
      squares += (double)sums[j->channels + i];
    }
    // Differences from this channel's first pixel become differences from the group's pivot.
    double shift = (double)first_pixel(j, b, i) - pivot;
    mean += (sum / n + shift) / (double)width;
    square += (squares / n + 2.0 * shift * sum / n + shift * shift) / (double)width;
  }
  double variance = square - mean * mean;
  if (variance < 0.0) variance = 0.0;
  double inverse = 1.0 / sqrt(variance + (double)j->epsilon);
  mean += pivot;
  j->mean[index] = (float)mean;
  j->inverse[index] = (float)inverse;
  for (int64_t i = first; i < first + width; i++) {
    double factor = inverse * (double)j->weight[i];
    j->factor[b * j->channels + i] = (float)factor;
    j->term[b * j->channels + i] = (float)((double)j->bias[i] - mean * factor);
  }
}

static void apply_task(void *context, size_t index, int thread) {
  (void)thread;
  const group_norm *j = context;
  int64_t b, begin, end;
  chunk_of(j, index, &b, &begin, &end);
  bool bf16 = j->dtype == INK_BF16;
  int64_t row = b * j->pixels + begin;
  void *y = (char *)j->y + ((const char *)row_at(j, row) - (const char *)j->x);
  j->kernels->scale_channels(bf16, j->silu, end - begin, j->channels, row_at(j, row),
                             j->factor + b * j->channels, j->term + b * j->channels, y);
}

// ---- backward -----------------------------------------------------------------------------------

// Sums of dy and of x dy over a chunk. Where SiLU came behind the norm, dy of the norm alone is
// made and kept in y.
static void products_task(void *context, size_t index, int thread) {
  (void)thread;
  const group_norm *j = context;
  int64_t b, begin, end;
  chunk_of(j, index, &b, &begin, &end);
  int64_t row = b * j->pixels + begin, at = row * j->channels;
  float *sums = j->partial + (int64_t)index * 2 * j->channels;
  j->kernels->channel_products(end - begin, j->channels, row_at(j, row), j->dy + at,
                               j->factor + b * j->channels, j->term + b * j->channels,
                               j->silu ? (float *)j->y + at : NULL, sums, sums + j->channels);
}

// With n = (x - mean) r and g = w dy: dx = r (g - mean(g) - n mean(g n)), means over the group.
// Afterwards the first chunk of each picture holds sums of dy and of dy n over its pixels.
static void coefficients_task(void *context, size_t index, int thread) {
  (void)thread;
  const group_norm *j = context;
  int64_t b = (int64_t)index / j->groups, g = (int64_t)index % j->groups;
  int64_t width = j->channels / j->groups, first = g * width;
  double m = (double)j->mean[index], r = (double)j->inverse[index], mean_g = 0.0, mean_gn = 0.0;
  for (int64_t i = first; i < first + width; i++) {
    double sum = 0.0, product = 0.0;
    for (int64_t chunk = 0; chunk < j->chunks; chunk++) {
      const float *sums = j->partial + (b * j->chunks + chunk) * 2 * j->channels;
      sum += (double)sums[i];
      product += (double)sums[j->channels + i];
    }
    product = (product - m * sum) * r;
    float *total = j->partial + b * j->chunks * 2 * j->channels;
    total[i] = (float)sum;
    total[j->channels + i] = (float)product;
    mean_g += (double)j->weight[i] * sum;
    mean_gn += (double)j->weight[i] * product;
  }
  mean_g /= (double)(j->pixels * width);
  mean_gn /= (double)(j->pixels * width);
  for (int64_t i = first; i < first + width; i++) {
    int64_t at = b * j->channels + i;
    j->from_dy[at] = (float)(r * (double)j->weight[i]);
    j->from_x[at] = (float)(-r * r * mean_gn);
    j->constant[at] = (float)(-r * mean_g + r * r * m * mean_gn);
  }
}

static void dx_task(void *context, size_t index, int thread) {
  (void)thread;
  const group_norm *j = context;
  int64_t b, begin, end;
  chunk_of(j, index, &b, &begin, &end);
  int64_t row = b * j->pixels + begin, at = row * j->channels, first = b * j->channels;
  j->kernels->blend_channels(end - begin, j->channels, j->dy + at, j->from_dy + first,
                             row_at(j, row), j->from_x + first, j->constant + first, j->dx + at,
                             j->add);
}

static void group_norm_back(ink_compute *c, ink_record *record) {
  group_norm_record *r = (group_norm_record *)record;
  const char *name = "ink_group_norm (backward)";
  group_norm j = r->job;
  ink_gradient dx = ink_gradient_of(c, &r->x), dw = ink_gradient_of(c, &r->weight),
               db = ink_gradient_of(c, &r->bias);
  ink_arena_mark mark = ink_arena_save(c->arena);
  size_t all = (size_t)(j.batch * j.channels), tasks = (size_t)(j.batch * j.chunks);
  j.partial = ink_op_take(c, name, tasks * 2 * (size_t)j.channels, sizeof(float));
  j.from_dy = ink_op_take(c, name, all, sizeof(float));
  j.from_x = ink_op_take(c, name, all, sizeof(float));
  j.constant = ink_op_take(c, name, all, sizeof(float));
  j.dy = record->output->gradient;
  j.dx = dx.data;
  j.add = dx.add;
  if (j.silu) j.y = ink_op_take(c, name, all * (size_t)j.pixels, sizeof(float));
  if (c->error.status == INK_OK) {
    ink_pool_run(c->pool, tasks, products_task, &j);
    if (j.silu) j.dy = j.y;
    ink_pool_run(c->pool, (size_t)(j.batch * j.groups), coefficients_task, &j);
    if (dx.data) ink_pool_run(c->pool, tasks, dx_task, &j);
    for (int64_t b = 0; b < j.batch; b++) {
      const float *total = j.partial + b * j.chunks * 2 * j.channels;
      for (int64_t i = 0; i < j.channels; i++) {
        if (db.data) db.data[i] = (b > 0 || db.add ? db.data[i] : 0.0f) + total[i];
        if (dw.data) dw.data[i] = (b > 0 || dw.add ? dw.data[i] : 0.0f) + total[j.channels + i];
      }
    }
    ink_gradient_done(c, &dx);
    ink_gradient_done(c, &dw);
    ink_gradient_done(c, &db);
  }
  ink_arena_release(c->arena, mark);
}

// ---- forward ------------------------------------------------------------------------------------

static bool check_groups(ink_compute *c, const char *name, const ink_tensor *x, int64_t groups,
                         const ink_tensor *weight, const ink_tensor *bias) {
  if (!ink_op_begin(c, name, 3, (const ink_tensor *const[]){x, weight, bias}) ||
      !ink_op_expect_float(c, name, "picture", x) ||
      !ink_op_expect(c, name, "weight", weight, INK_F32) ||
      !ink_op_expect(c, name, "bias", bias, INK_F32)) {
    return false;
  }
  int64_t channels = ink_op_width(x);
  if (x->rank < 2 || weight->rank != 1 || weight->shape[0] != channels) {
    ink_op_misfit(c, name, x, weight);
    return false;
  }
  if (!ink_tensor_same_shape(weight, bias)) {
    ink_op_misfit(c, name, weight, bias);
    return false;
  }
  if (groups >= 1 && channels % groups == 0) return true;
  ink_compute_fail(c, INK_ERR_USAGE, "%s: %lld channels in %lld groups", name, (long long)channels,
                   (long long)groups);
  return false;
}

static ink_tensor *group_norm_with(ink_compute *c, const char *name, const ink_tensor *x,
                                   int64_t groups, const ink_tensor *weight, const ink_tensor *bias,
                                   float epsilon, bool silu) {
  if (!check_groups(c, name, x, groups, weight, bias)) return NULL;
  int64_t channels = ink_op_width(x);
  ink_tensor *y = ink_op_result_like(c, name, x);
  group_norm j = {.kernels = ink_kernels_here(),
                  .dtype = x->dtype,
                  .batch = x->shape[0],
                  .channels = channels,
                  .groups = groups,
                  .grain = ink_row_grain(channels),
                  .x = ink_op_dense(c, name, x),
                  .silu = silu,
                  .weight = ink_op_dense(c, name, weight),
                  .bias = ink_op_dense(c, name, bias),
                  .epsilon = epsilon};
  if (c->error.status != INK_OK) return NULL;
  if (ink_tensor_elements(x) == 0) return y;
  j.pixels = ink_tensor_elements(x) / (j.batch * channels);
  j.chunks = (j.pixels + j.grain - 1) / j.grain;
  j.y = y->data;
  size_t all = (size_t)(j.batch * channels), tasks = (size_t)(j.batch * j.chunks);
  bool record = ink_op_differentiable(c, x) || ink_op_differentiable(c, weight) ||
                ink_op_differentiable(c, bias);
  ink_arena_mark mark = ink_arena_save(c->arena);
  j.factor = ink_op_take(c, name, all, sizeof(float));
  j.term = ink_op_take(c, name, all, sizeof(float));
  j.mean = ink_op_take(c, name, (size_t)(j.batch * groups), sizeof(float));
  j.inverse = ink_op_take(c, name, (size_t)(j.batch * groups), sizeof(float));
  if (record) mark = ink_arena_save(c->arena);
  j.partial = ink_op_take(c, name, tasks * 2 * (size_t)channels, sizeof(float));
  if (c->error.status != INK_OK) return NULL;
  ink_pool_run(c->pool, tasks, sums_task, &j);
  ink_pool_run(c->pool, (size_t)(j.batch * groups), join_task, &j);
  ink_pool_run(c->pool, tasks, apply_task, &j);
  ink_arena_release(c->arena, mark);
  if (record) {
    group_norm_record *r = ink_op_record(c, sizeof *r, group_norm_back, y);
    if (!r) return NULL;
    r->x = *x;
    r->weight = *weight;
    r->bias = *bias;
    r->job = j;
  }
  return y;
}

ink_tensor *ink_group_norm(ink_compute *c, const ink_tensor *x, int64_t groups,
                           const ink_tensor *weight, const ink_tensor *bias, float epsilon) {
  return group_norm_with(c, "ink_group_norm", x, groups, weight, bias, epsilon, false);
}

ink_tensor *ink_group_norm_silu(ink_compute *c, const ink_tensor *x, int64_t groups,
                                const ink_tensor *weight, const ink_tensor *bias, float epsilon) {
  return group_norm_with(c, "ink_group_norm_silu", x, groups, weight, bias, epsilon, true);
}

// ---- in two steps -------------------------------------------------------------------------------

static bool refuse_tape(ink_compute *c, const char *name) {
  if (c->error.status == INK_OK && c->tape) {
    ink_compute_fail(c, INK_ERR_UNSUPPORTED, "%s: has no gradient", name);
  }
  return c->error.status != INK_OK;
}

ink_tensor *ink_group_statistics(ink_compute *c, const ink_tensor *x, int64_t groups,
                                 const ink_tensor *weight, const ink_tensor *bias, float epsilon) {
  const char *name = "ink_group_statistics";
  if (refuse_tape(c, name) || !check_groups(c, name, x, groups, weight, bias)) return NULL;
  int64_t channels = ink_op_width(x);
  if (ink_tensor_elements(x) == 0) {
    return ink_compute_fail(c, INK_ERR_USAGE, "%s: a picture without pixels has no statistics",
                            name);
  }
  int64_t batch = x->shape[0];
  ink_tensor *y = ink_op_result(c, name, INK_F32, 3, (int64_t[]){batch, 2, channels});
  group_norm j = {.kernels = ink_kernels_here(),
                  .dtype = x->dtype,
                  .batch = batch,
                  .channels = channels,
                  .groups = groups,
                  .grain = ink_row_grain(channels),
                  .pixels = ink_tensor_elements(x) / (batch * channels)};
  j.chunks = (j.pixels + j.grain - 1) / j.grain;
  size_t all = (size_t)(batch * channels), tasks = (size_t)(batch * j.chunks);
  ink_arena_mark mark = ink_arena_save(c->arena);
  j.x = ink_op_dense(c, name, x);
  j.weight = ink_op_dense(c, name, weight);
  j.bias = ink_op_dense(c, name, bias);
  j.epsilon = epsilon;
  j.factor = ink_op_take(c, name, all, sizeof(float));
  j.term = ink_op_take(c, name, all, sizeof(float));
  j.mean = ink_op_take(c, name, (size_t)(batch * groups), sizeof(float));
  j.inverse = ink_op_take(c, name, (size_t)(batch * groups), sizeof(float));
  j.partial = ink_op_take(c, name, tasks * 2 * (size_t)channels, sizeof(float));
  if (c->error.status != INK_OK) return NULL;
  ink_pool_run(c->pool, tasks, sums_task, &j);
  ink_pool_run(c->pool, (size_t)(batch * groups), join_task, &j);
  size_t bytes = (size_t)channels * sizeof(float);
  for (int64_t b = 0; b < batch; b++) {
    float *to = (float *)y->data + b * 2 * channels;
    memcpy(to, j.factor + b * channels, bytes);
    memcpy(to + channels, j.term + b * channels, bytes);
  }
  ink_arena_release(c->arena, mark);
  return y;
}

static ink_tensor *scale_channels(ink_compute *c, const ink_tensor *x, const ink_tensor *statistics,
                                  bool silu, const ink_tensor *into) {
  const char *name = "ink_scale_channels";
  if (refuse_tape(c, name) ||
      !ink_op_begin(c, name, 2, (const ink_tensor *const[]){x, statistics}) ||
      !ink_op_expect_float(c, name, "picture", x) ||
      !ink_op_expect(c, name, "statistics", statistics, INK_F32)) {
    return NULL;
  }
  int64_t channels = ink_op_width(x);
  if (x->rank < 2 || statistics->rank != 3 || statistics->shape[0] != x->shape[0] ||
      statistics->shape[1] != 2 || statistics->shape[2] != channels) {
    return ink_op_misfit(c, name, x, statistics);
  }
  ink_tensor *y = ink_op_result_into(c, name, into, x->dtype, x->rank, x->shape);
  group_norm j = {.kernels = ink_kernels_here(),
                  .dtype = x->dtype,
                  .batch = x->shape[0],
                  .channels = channels,
                  .grain = ink_row_grain(channels),
                  .x = ink_op_dense(c, name, x),
                  .silu = silu};
  const float *values = ink_op_dense(c, name, statistics);
  size_t all = (size_t)(j.batch * channels), bytes = (size_t)channels * sizeof(float);
  j.factor = ink_op_take(c, name, all, sizeof(float));
  j.term = ink_op_take(c, name, all, sizeof(float));
  if (c->error.status != INK_OK) return NULL;
  if (ink_tensor_elements(x) == 0) return y;
  for (int64_t b = 0; b < j.batch; b++) {
    memcpy(j.factor + b * channels, values + b * 2 * channels, bytes);
    memcpy(j.term + b * channels, values + (b * 2 + 1) * channels, bytes);
  }
  j.pixels = ink_tensor_elements(x) / (j.batch * channels);
  j.chunks = (j.pixels + j.grain - 1) / j.grain;
  j.y = y->data;
  ink_pool_run(c->pool, (size_t)(j.batch * j.chunks), apply_task, &j);
  return y;
}

ink_tensor *ink_scale_channels(ink_compute *c, const ink_tensor *x, const ink_tensor *statistics,
                               bool silu) {
  return scale_channels(c, x, statistics, silu, NULL);
}

void ink_scale_channels_into(ink_compute *c, const ink_tensor *x, const ink_tensor *statistics,
                             bool silu, const ink_tensor *into) {
  ink_arena_mark mark = ink_arena_save(c->arena);
  scale_channels(c, x, statistics, silu, into);
  ink_arena_release(c->arena, mark);
}
