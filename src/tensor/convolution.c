// Convolution of pictures. Forward by blocks (tensor/convolve.h). Backward: the data's gradient is
// a convolution of dy with the taps turned around, one for each phase of the stride; the weight's
// is a correlation of the picture with dy (tensor/correlate.h).
#include <string.h>

#include "tensor/convolve.h"
#include "tensor/correlate.h"
#include "tensor/gemm.h"
#include "tensor/operation.h"

typedef struct convolution_record {
  ink_record record;
  ink_tensor x, weight, bias;
  const float *dense_x;
  int64_t stride, y_height, y_width;
  ink_padding padding;
} convolution_record;

// ---- backward -----------------------------------------------------------------------------------

static ink_matrix by_rows(const float *data, int64_t rows, int64_t columns) {
  return (ink_matrix){INK_F32, data, rows, columns, columns, 1};
}

static ink_matrix turned(ink_matrix m) {
  return (ink_matrix){m.dtype, m.data, m.columns, m.rows, m.column_stride, m.row_stride};
}

// One kernel tap at every pixel: a linear layer over all pixels.
static bool is_linear(const convolution_record *r) {
  return r->weight.shape[2] * r->weight.shape[3] == 1 && r->stride == 1 &&
         r->y_height == r->x.shape[1] && r->y_width == r->x.shape[2] && r->padding.top == 0 &&
         r->padding.left == 0;
}

static void weight_back(ink_compute *c, const char *name, const convolution_record *r,
                        const float *dy, float *dw, bool add, const ink_gradient *db) {
  int64_t out = r->weight.shape[0], channels = r->weight.shape[1];
  int64_t pixels = r->x.shape[0] * r->y_height * r->y_width;
  if (is_linear(r)) {
    ink_error error = {0};
    ink_status status =
        ink_gemm(c->pool, c->precision, turned(by_rows(dy, pixels, out)),
                 by_rows(r->dense_x, pixels, channels), NULL, dw, channels, add, &error);
    if (status != INK_OK) ink_compute_fail(c, status, "%s: %s", name, error.text);
    if (db->data) ink_column_sums(c, name, dy, NULL, pixels, out, db->data, db->add);
    return;
  }
  ink_correlation v = {.x = r->dense_x,
                       .dy = dy,
                       .batch = r->x.shape[0],
                       .height = r->x.shape[1],
                       .width = r->x.shape[2],
                       .channels = channels,
                       .y_height = r->y_height,
                       .y_width = r->y_width,
                       .out = out,
                       .kernel_height = r->weight.shape[2],
                       .kernel_width = r->weight.shape[3],
                       .stride = r->stride,
                       .top = r->padding.top,
                       .left = r->padding.left,
                       .d_weight = dw,
                       .add = add,
                       .d_bias = db->data,
                       .add_bias = db->add};
  ink_correlate(c, name, &v);
}

// Along one dimension, with stride s: pixels i of the picture with (i + before) % s == phase meet
// the taps phase, phase + s, … alone. They are i = first, first + s, …; the gradient is a
// convolution of stride 1 of dy, padded by `before`, with those taps in reverse.
typedef struct phase {
  int64_t first, count;
  int64_t taps, before;
} phase;

static phase phase_of(int64_t which, int64_t stride, int64_t before, int64_t length,
                      int64_t kernel) {
  int64_t skipped = before > which ? (before - which + stride - 1) / stride : 0;
  phase p = {.first = which + skipped * stride - before,
             .taps = kernel > which ? (kernel - which + stride - 1) / stride : 0};
  p.count = p.first < length ? (length - p.first + stride - 1) / stride : 0;
  p.before = p.taps - 1 - skipped;
  return p;
}

// Rows of phases that return to the picture.
typedef struct interleaving {
  const float *from;  // (batch, down.count, across.count, C), or NULL for zeros
  float *to;          // (batch, height, width, C)
  int64_t height, width, channels, stride;
  phase down, across;
  bool add;
} interleaving;

static void interleave_rows(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const interleaving *j = context;
  for (int64_t row = begin; row < end; row++) {
    int64_t y = j->down.first + row % j->down.count * j->stride;
    float *to =
        j->to + ((row / j->down.count * j->height + y) * j->width + j->across.first) * j->channels;
    const float *from = j->from + (j->from ? row * j->across.count * j->channels : 0);
    for (int64_t x = 0; x < j->across.count; x++, to += j->stride * j->channels) {
      if (!j->from) {
        memset(to, 0, (size_t)j->channels * sizeof *to);
      } else if (j->add) {
        ink_kernels_here()->add_to(from + x * j->channels, to, j->channels);
      } else {
        memcpy(to, from + x * j->channels, (size_t)j->channels * sizeof *to);
      }
    }
  }
}

// The taps of one phase, (out, C, down.taps, across.taps), as F32.
static void phase_taps(ink_compute *c, const ink_tensor *weight, int64_t stride, int64_t which_y,
                       int64_t which_x, const phase *down, const phase *across, void *scratch,
                       float *to) {
  ink_tensor view = *weight;
  view.shape[2] = down->taps;
  view.shape[3] = across->taps;
  view.data = (char *)view.data + (which_y * view.stride[2] + which_x * view.stride[3]) *
                                      (int64_t)ink_dtype_about(view.dtype)->block_bytes;
  view.stride[2] *= stride;
  view.stride[3] *= stride;
  ink_gather(c->pool, &view, view.dtype == INK_F32 ? to : scratch);
  if (view.dtype != INK_F32) ink_to_f32(view.dtype, scratch, to, ink_tensor_elements(&view));
}

static void data_back(ink_compute *c, const char *name, const convolution_record *r,
                      const float *dy, const ink_gradient *dx) {
  int64_t out = r->weight.shape[0], channels = r->weight.shape[1], s = r->stride;
  int64_t kernel_height = r->weight.shape[2], kernel_width = r->weight.shape[3];
  size_t count = (size_t)(out * channels * kernel_height * kernel_width);
  float *taps = ink_op_take(c, name, count, sizeof *taps);
  void *scratch = r->weight.dtype == INK_F32 ? taps : ink_op_take(c, name, count, sizeof(uint16_t));
  for (int64_t i = 0; taps && scratch && i < s * s && c->error.status == INK_OK; i++) {
    phase down = phase_of(i / s, s, r->padding.top, r->x.shape[1], kernel_height);
    phase across = phase_of(i % s, s, r->padding.left, r->x.shape[2], kernel_width);
    if (down.count * across.count == 0) continue;
    ink_arena_mark mark = ink_arena_save(c->arena);
    float *y = dx->data;
    if (down.taps * across.taps == 0) {
      y = NULL;
    } else {
      if (s > 1) {
        size_t pixels = (size_t)(r->x.shape[0] * down.count * across.count);
        y = ink_op_take(c, name, pixels * (size_t)channels, sizeof *y);
        if (!y) return;
      }
      ink_tensor weight = r->weight;
      if (s > 1 || weight.dtype != INK_F32 || !ink_tensor_is_contiguous(&weight)) {
        phase_taps(c, &r->weight, s, i / s, i % s, &down, &across, scratch, taps);
        weight = ink_tensor_view(INK_F32, taps, 4,
                                 (const int64_t[]){out, channels, down.taps, across.taps});
      }
      ink_convolution v = {.x_dtype = INK_F32,
                           .y_dtype = INK_F32,
                           .x = dy,
                           .y = y,
                           .batch = r->x.shape[0],
                           .height = r->y_height,
                           .width = r->y_width,
                           .channels = out,
                           .y_height = down.count,
                           .y_width = across.count,
                           .out = channels,
                           .kernel_height = down.taps,
                           .kernel_width = across.taps,
                           .stride = 1,
                           .top = down.before,
                           .left = across.before,
                           .weight = &weight,
                           .passing = true,
                           .turned = true,
                           .add = s == 1 && dx->add};
      if (is_linear(r)) {
        v.width = v.y_width = v.batch * v.height * v.width;
        v.batch = v.height = v.y_height = 1;
      }
      if (out > 0 && !ink_convolve(c, name, &v)) return;
      if (out == 0) y = NULL;
    }
    if (s > 1 || !y) {
      interleaving job = {.from = y,
                          .to = dx->data,
                          .height = r->x.shape[1],
                          .width = r->x.shape[2],
                          .channels = channels,
                          .stride = s,
                          .down = down,
                          .across = across,
                          .add = dx->add};
      if (y || !dx->add) {
        ink_each_range(c->pool, r->x.shape[0] * down.count, ink_row_grain(across.count * channels),
                       interleave_rows, &job);
      }
    }
    ink_arena_release(c->arena, mark);
  }
}

static void convolution_back(ink_compute *c, ink_record *record) {
  convolution_record *r = (convolution_record *)record;
  const char *name = "ink_conv2d (backward)";
  const float *dy = record->output->gradient;
  int64_t out = r->weight.shape[0], pixels = r->x.shape[0] * r->y_height * r->y_width;
  ink_gradient dx = ink_gradient_of(c, &r->x), dw = ink_gradient_of(c, &r->weight),
               db = ink_gradient_of(c, &r->bias);
  ink_arena_mark mark = ink_arena_save(c->arena);
  if (c->error.status == INK_OK && dw.data) weight_back(c, name, r, dy, dw.data, dw.add, &db);
  if (c->error.status == INK_OK && dx.data) data_back(c, name, r, dy, &dx);
  if (c->error.status == INK_OK && !dw.data && db.data) {
    ink_column_sums(c, name, dy, NULL, pixels, out, db.data, db.add);
  }
  if (c->error.status == INK_OK) {
    ink_gradient_done(c, &dx);
    ink_gradient_done(c, &dw);
    ink_gradient_done(c, &db);
  }
  ink_arena_release(c->arena, mark);
}

// ---- forward ------------------------------------------------------------------------------------

static bool check(ink_compute *c, const char *name, const ink_tensor *x, const ink_tensor *weight,
                  const ink_tensor *bias, int64_t stride, ink_padding padding) {
  if (!ink_op_expect_float(c, name, "picture", x)) return false;
  if (weight->dtype != INK_F32 && weight->dtype != INK_F16 && weight->dtype != INK_BF16) {
    ink_compute_fail(c, INK_ERR_UNSUPPORTED, "%s: a weight of type %s", name,
                     ink_dtype_about(weight->dtype)->name);
    return false;
  }
  if (x->rank != 4 || weight->rank != 4 || x->shape[3] != weight->shape[1] || x->shape[3] == 0) {
    ink_op_misfit(c, name, x, weight);
    return false;
  }
  if (bias) {
    if (!ink_op_expect(c, name, "bias", bias, INK_F32)) return false;
    if (bias->rank != 1 || bias->shape[0] != weight->shape[0]) {
      ink_op_misfit(c, name, weight, bias);
      return false;
    }
  }
  const int64_t most = 1 << 20;
  const int64_t sides[] = {padding.top, padding.left, padding.bottom, padding.right};
  bool fine = stride >= 1 && stride <= most;
  for (int i = 0; i < 4; i++) fine = fine && sides[i] >= 0 && sides[i] <= most;
  fine = fine && x->shape[1] + padding.top + padding.bottom >= weight->shape[2] &&
         x->shape[2] + padding.left + padding.right >= weight->shape[3] && weight->shape[2] > 0 &&
         weight->shape[3] > 0 && weight->shape[2] <= 1024 && weight->shape[3] <= 1024;
  if (fine) return true;
  char picture[96], kernel[96];
  ink_compute_fail(c, INK_ERR_USAGE,
                   "%s: a kernel %s with stride %lld and padding %lld, %lld, %lld, %lld does not "
                   "fit a picture %s",
                   name, ink_tensor_describe(weight, kernel), (long long)stride,
                   (long long)padding.top, (long long)padding.left, (long long)padding.bottom,
                   (long long)padding.right, ink_tensor_describe(x, picture));
  return false;
}

// All but the size and place of the result.
static ink_convolution describe(ink_compute *c, const char *name, const ink_tensor *x,
                                const ink_tensor *weight, const ink_tensor *bias, int64_t stride,
                                ink_padding padding) {
  return (ink_convolution){.x_dtype = x->dtype,
                           .y_dtype = x->dtype,
                           .x = ink_op_dense(c, name, x),
                           .batch = x->shape[0],
                           .height = x->shape[1],
                           .width = x->shape[2],
                           .channels = x->shape[3],
                           .out = weight->shape[0],
                           .kernel_height = weight->shape[2],
                           .kernel_width = weight->shape[3],
                           .stride = stride,
                           .top = padding.top,
                           .left = padding.left,
                           .bias = bias ? ink_op_dense(c, name, bias) : NULL,
                           .weight = weight};
}

// What is done to the result in the pass that makes it: relu(… + also), `also` NULL for nothing.
typedef struct afterwards {
  const ink_tensor *also;
} afterwards;

static ink_tensor *convolve(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                            const ink_tensor *bias, int64_t stride, ink_padding padding,
                            const ink_tensor *into, const afterwards *behind) {
  const char *name = behind ? "ink_conv2d_relu" : "ink_conv2d";
  if (!ink_op_begin2(c, name, x, weight) || !check(c, name, x, weight, bias, stride, padding)) {
    return NULL;
  }
  ink_tensor w = *weight;
  if (!ink_tensor_is_contiguous(weight)) {
    w = ink_tensor_view(weight->dtype, NULL, 4, weight->shape);
    w.data = (void *)(uintptr_t)ink_op_dense(c, name, weight);
    if (!w.data) return NULL;
  }
  ink_convolution v = describe(c, name, x, &w, bias, stride, padding);
  v.passing = w.data != weight->data;
  v.y_height = (v.height + padding.top + padding.bottom - v.kernel_height) / stride + 1;
  v.y_width = (v.width + padding.left + padding.right - v.kernel_width) / stride + 1;
  const int64_t shape[] = {v.batch, v.y_height, v.y_width, v.out};
  ink_tensor *y = ink_op_result_into(c, name, into, x->dtype, 4, shape);
  if (!y || !v.x || (bias && !v.bias)) return NULL;
  v.y = y->data;
  if (behind) {
    v.relu = true;
    if (behind->also) {
      if (behind->also->dtype != y->dtype || !ink_tensor_same_shape(behind->also, y)) {
        return ink_op_misfit(c, name, behind->also, y);
      }
      v.also = ink_op_dense(c, name, behind->also);
      if (!v.also) return NULL;
    }
  }
  convolution_record r = {.x = *x,
                          .weight = *weight,
                          .bias = bias ? *bias : (ink_tensor){0},
                          .dense_x = v.x,
                          .stride = stride,
                          .y_height = v.y_height,
                          .y_width = v.y_width,
                          .padding = padding};
  bool points = v.kernel_height * v.kernel_width == 1 && stride == 1 && v.y_height == v.height &&
                v.y_width == v.width;
  if (points) {  // a linear layer over all pixels
    v.width = v.y_width = v.batch * v.height * v.width;
    v.batch = v.height = v.y_height = 1;
  }
  if (!ink_convolve(c, name, &v)) return NULL;
  if (ink_op_differentiable(c, x) || ink_op_differentiable(c, weight) ||
      ink_op_differentiable(c, bias)) {
    if (!ink_op_expect(c, name, "picture on the tape", x, INK_F32)) return NULL;
    convolution_record *kept = ink_op_record(c, sizeof *kept, convolution_back, y);
    if (!kept) return NULL;
    r.record = kept->record;
    *kept = r;
  }
  return y;
}

ink_tensor *ink_conv2d(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                       const ink_tensor *bias, int64_t stride, ink_padding padding) {
  return convolve(c, x, weight, bias, stride, padding, NULL, NULL);
}

ink_tensor *ink_conv2d_relu(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                            const ink_tensor *bias, int64_t stride, ink_padding padding,
                            const ink_tensor *also) {
  if (!c->tape) {
    return convolve(c, x, weight, bias, stride, padding, NULL, &(afterwards){.also = also});
  }
  ink_tensor *y = ink_conv2d(c, x, weight, bias, stride, padding);
  return ink_relu(c, also ? ink_add(c, also, y) : y);
}

void ink_conv2d_relu_into(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                          const ink_tensor *bias, int64_t stride, ink_padding padding,
                          const ink_tensor *also, const ink_tensor *into) {
  ink_arena_mark mark = ink_arena_save(c->arena);
  convolve(c, x, weight, bias, stride, padding, into, &(afterwards){.also = also});
  ink_arena_release(c->arena, mark);
}

void ink_conv2d_into(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                     const ink_tensor *bias, int64_t stride, ink_padding padding,
                     const ink_tensor *into) {
  ink_arena_mark mark = ink_arena_save(c->arena);
  convolve(c, x, weight, bias, stride, padding, into, NULL);
  ink_arena_release(c->arena, mark);
}

// ---- enlarged pictures --------------------------------------------------------------------------

static ink_tensor *convolve_enlarged(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                                     const ink_tensor *bias, int64_t first, int64_t rows,
                                     const ink_tensor *into) {
  const char *name = "ink_conv2d_enlarged";
  const ink_padding around = {1, 1, 1, 1};
  if (!ink_op_begin2(c, name, x, weight) || !check(c, name, x, weight, bias, 1, around)) {
    return NULL;
  }
  if (c->tape) return ink_compute_fail(c, INK_ERR_UNSUPPORTED, "%s: has no gradient", name);
  if (weight->shape[2] != 3 || weight->shape[3] != 3 || first < 0 || rows < 0 ||
      first > 2 * x->shape[1] || rows > 2 * x->shape[1] - first) {
    return ink_op_misfit(c, name, x, weight);
  }
  if (!ink_tensor_is_contiguous(weight)) {
    return ink_compute_fail(c, INK_ERR_UNSUPPORTED, "%s: a weight that is a view", name);
  }
  ink_convolution v = describe(c, name, x, weight, bias, 1, around);
  v.enlarged = true;
  v.row = first;
  v.y_height = rows;
  v.y_width = 2 * x->shape[2];
  const int64_t shape[] = {v.batch, v.y_height, v.y_width, v.out};
  ink_tensor *y = ink_op_result_into(c, name, into, x->dtype, 4, shape);
  if (!y || !v.x || (bias && !v.bias)) return NULL;
  v.y = y->data;
  return ink_convolve(c, name, &v) ? y : NULL;
}

ink_tensor *ink_conv2d_enlarged(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                                const ink_tensor *bias, int64_t first, int64_t rows) {
  return convolve_enlarged(c, x, weight, bias, first, rows, NULL);
}

void ink_conv2d_enlarged_into(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                              const ink_tensor *bias, int64_t first, const ink_tensor *into) {
  ink_arena_mark mark = ink_arena_save(c->arena);
  if (into)
    convolve_enlarged(c, x, weight, bias, first, into->rank == 4 ? into->shape[1] : 0, into);
  ink_arena_release(c->arena, mark);
}
