// Pictures made larger by repeating pixels and smaller by averaging them: each the other's
// backward, up to a factor.
#include <string.h>

#include "tensor/gemm.h"
#include "tensor/operation.h"

// A large picture (B, height * factor, width * factor, C) and a small one (B, height, width, C).
typedef struct resampling {
  const ink_kernels *kernels;
  int64_t height, width, channels, factor;
  size_t size;  // bytes of an element
  const void *from;
  void *to;
  bool add;
  float scale;
} resampling;

typedef struct resampling_record {
  ink_record record;
  ink_tensor x;
  resampling job;
} resampling_record;

// Rows of the large picture from those of the small one.
static void repeat_rows(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const resampling *j = context;
  size_t pixel = (size_t)j->channels * j->size;
  for (int64_t row = begin; row < end; row++) {
    int64_t b = row / (j->height * j->factor), y = row % (j->height * j->factor) / j->factor;
    const char *from = (const char *)j->from + (size_t)((b * j->height + y) * j->width) * pixel;
    char *to = (char *)j->to + (size_t)(row * j->width * j->factor) * pixel;
    for (int64_t x = 0; x < j->width; x++, from += pixel) {
      for (int64_t i = 0; i < j->factor; i++, to += pixel) memcpy(to, from, pixel);
    }
  }
}

// As above in F32, times `scale`, adding where told.
static void spread_rows(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const resampling *j = context;
  for (int64_t row = begin; row < end; row++) {
    int64_t b = row / (j->height * j->factor), y = row % (j->height * j->factor) / j->factor;
    const float *from = (const float *)j->from + (b * j->height + y) * j->width * j->channels;
    float *to = (float *)j->to + row * j->width * j->factor * j->channels;
    for (int64_t x = 0; x < j->width; x++, from += j->channels) {
      for (int64_t i = 0; i < j->factor; i++, to += j->channels) {
        (j->add ? j->kernels->scale_to : j->kernels->scale)(j->scale, from, to, j->channels);
      }
    }
  }
}

// Rows of the small picture: sums of squares of the large one, times `scale`. Channels are taken a
// piece at a time.
static void gather_rows(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const resampling *j = context;
  enum { PIECE = 512 };
  float sum[PIECE], line[PIECE];
  ink_dtype dtype = j->size == sizeof(float) ? INK_F32 : INK_BF16;
  int64_t wide = j->width * j->factor;
  for (int64_t row = begin; row < end; row++) {
    for (int64_t x = 0; x < j->width; x++) {
      for (int64_t channel = 0; channel < j->channels; channel += PIECE) {
        int64_t n = j->channels - channel < PIECE ? j->channels - channel : PIECE;
        memset(sum, 0, (size_t)n * sizeof *sum);
        for (int64_t i = 0; i < j->factor * j->factor; i++) {
          int64_t y = row * j->factor + i / j->factor;
          int64_t at = (y * wide + x * j->factor + i % j->factor) * j->channels + channel;
          ink_to_f32(dtype, (const char *)j->from + (size_t)at * j->size, line, n);
          j->kernels->add_to(line, sum, n);
        }
        j->kernels->scale(j->scale, sum, sum, n);
        void *to = (char *)j->to + (size_t)((row * j->width + x) * j->channels + channel) * j->size;
        if (j->add) {
          j->kernels->add_to(sum, to, n);
        } else {
          ink_from_f32(dtype, sum, to, n);
        }
      }
    }
  }
}

static void run(ink_compute *c, const resampling *job, int64_t batch, bool large,
                ink_range_task task) {
  int64_t factor = large ? job->factor : 1;
  int64_t grain = ink_row_grain(job->width * factor * job->channels);
  ink_each_range(c->pool, batch * job->height * factor, grain, task, (void *)(uintptr_t)job);
}

static void resampling_back(ink_compute *c, ink_record *record, bool large, ink_range_task task) {
  resampling_record *r = (resampling_record *)record;
  ink_gradient dx = ink_gradient_of(c, &r->x);
  if (!dx.data) return;
  resampling job = r->job;
  job.from = record->output->gradient;
  job.to = dx.data;
  job.add = dx.add;
  run(c, &job, r->x.shape[0], large, task);
  ink_gradient_done(c, &dx);
}

static void upsample_back(ink_compute *c, ink_record *record) {
  resampling_back(c, record, false, gather_rows);
}

static void pool_back(ink_compute *c, ink_record *record) {
  resampling_back(c, record, true, spread_rows);
}

static ink_tensor *resample(ink_compute *c, const char *name, const ink_tensor *x, int64_t factor,
                            bool up) {
  if (!ink_op_begin1(c, name, x) || !ink_op_expect_float(c, name, "picture", x)) return NULL;
  char text[96];
  bool fits = x->rank == 4 && factor >= 1 && factor <= 64;
  if (fits && !up) fits = x->shape[1] % factor == 0 && x->shape[2] % factor == 0;
  if (!fits) {
    return ink_compute_fail(c, INK_ERR_USAGE, "%s: a picture %s by a factor of %lld", name,
                            ink_tensor_describe(x, text), (long long)factor);
  }
  int64_t height = x->shape[1], width = x->shape[2];
  const int64_t shape[] = {x->shape[0], up ? height * factor : height / factor,
                           up ? width * factor : width / factor, x->shape[3]};
  ink_tensor *y = ink_op_result(c, name, x->dtype, 4, shape);
  resampling job = {.kernels = ink_kernels_here(),
                    .height = up ? height : shape[1],
                    .width = up ? width : shape[2],
                    .channels = x->shape[3],
                    .factor = factor,
                    .size = ink_dtype_about(x->dtype)->block_bytes,
                    .from = ink_op_dense(c, name, x),
                    .scale = up ? 1.0f : 1.0f / (float)(factor * factor)};
  if (!y || !job.from) return NULL;
  job.to = y->data;
  if (ink_tensor_elements(x) > 0) run(c, &job, x->shape[0], up, up ? repeat_rows : gather_rows);
  if (ink_op_differentiable(c, x)) {
    resampling_record *r = ink_op_record(c, sizeof *r, up ? upsample_back : pool_back, y);
    if (!r) return NULL;
    r->x = *x;
    r->job = job;
  }
  return y;
}

ink_tensor *ink_upsample_nearest(ink_compute *c, const ink_tensor *x, int64_t factor) {
  return resample(c, "ink_upsample_nearest", x, factor, true);
}

ink_tensor *ink_average_pool(ink_compute *c, const ink_tensor *x, int64_t factor) {
  return resample(c, "ink_average_pool", x, factor, false);
}
