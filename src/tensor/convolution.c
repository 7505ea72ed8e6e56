// Convolution of pictures. Forward by blocks (tensor/convolve.h). Backward as one product of
// matrices for each tap: with the picture padded, and cut into phases by the stride, the pixels
// that a tap meets are an even run of rows, so that no matrix of patches is made.
#include <string.h>

#include "tensor/convolve.h"
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

// A picture with zeros around it, phase by phase: pixel (r, q) of phase (i, j) is pixel
// (r * stride + i, q * stride + j) of the padded picture. Pixels of the result take rows of
// `columns` as well, so that tap (ty, tx) meets, for all pixels of the result at once, the rows
// from `offset` of one phase on.
typedef struct phases {
  int64_t batch, height, width, channels;  // of the picture
  int64_t stride, top, left;
  int64_t rows, columns;  // of a phase
  int64_t tail;           // pixels behind the last picture that taps may touch
} phases;

static int64_t phase_pixels(const phases *p) {
  return p->batch * p->rows * p->columns;
}

static int64_t phase_size(const phases *p) {
  return (phase_pixels(p) + p->tail) * p->channels;
}

typedef struct phase_job {
  const phases *p;
  float *picture, *parts;
  bool back, add;  // from the phases into the picture
} phase_job;

// One row of one picture.
static void phase_row(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const phase_job *j = context;
  const phases *p = j->p;
  for (int64_t row = begin; row < end; row++) {
    int64_t b = row / p->height, y = row % p->height + p->top;
    float *picture = j->picture + row * p->width * p->channels;
    for (int64_t x = 0; x < p->width; x++, picture += p->channels) {
      int64_t column = x + p->left;
      int64_t phase = y % p->stride * p->stride + column % p->stride;
      float *part = j->parts + phase * phase_size(p) +
                    ((b * p->rows + y / p->stride) * p->columns + column / p->stride) * p->channels;
      if (!j->back) {
        memcpy(part, picture, (size_t)p->channels * sizeof *part);
      } else if (j->add) {
        ink_kernels_here()->add_to(part, picture, p->channels);
      } else {
        memcpy(picture, part, (size_t)p->channels * sizeof *part);
      }
    }
  }
}

static ink_matrix by_rows(const float *data, int64_t rows, int64_t columns) {
  return (ink_matrix){INK_F32, data, rows, columns, columns, 1};
}

static ink_matrix turned(ink_matrix m) {
  return (ink_matrix){m.dtype, m.data, m.columns, m.rows, m.column_stride, m.row_stride};
}

static bool product(ink_compute *c, const char *name, ink_matrix a, ink_matrix b, float *to,
                    bool add) {
  ink_error error = {0};
  ink_status status = ink_gemm(c->pool, c->precision, a, b, NULL, to, b.columns, add, &error);
  if (status != INK_OK) ink_compute_fail(c, status, "%s: %s", name, error.text);
  return status == INK_OK;
}

// Where tap (ty, tx) begins: a phase, and a pixel in it.
static int64_t tap_start(const phases *p, int64_t ty, int64_t tx) {
  int64_t phase = ty % p->stride * p->stride + tx % p->stride;
  return phase * phase_size(p) + (ty / p->stride * p->columns + tx / p->stride) * p->channels;
}

// A weight (out, C, kh, kw) seen as (kh, kw, out, C).
static ink_tensor by_taps(const ink_tensor *weight) {
  const int order[] = {2, 3, 0, 1};
  ink_tensor view = *weight;
  for (int i = 0; i < 4; i++) {
    view.shape[i] = weight->shape[order[i]];
    view.stride[i] = weight->stride[order[i]];
  }
  return view;
}

static void convolution_back(ink_compute *c, ink_record *record) {
  convolution_record *r = (convolution_record *)record;
  const char *name = "ink_conv2d (backward)";
  const float *dy = record->output->gradient;
  int64_t out = r->weight.shape[0], channels = r->weight.shape[1];
  int64_t kh = r->weight.shape[2], kw = r->weight.shape[3], taps = kh * kw;
  phases p = {.batch = r->x.shape[0],
              .height = r->x.shape[1],
              .width = r->x.shape[2],
              .channels = channels,
              .stride = r->stride,
              .top = r->padding.top,
              .left = r->padding.left};
  // Every pixel of the picture and of the taps has a place.
  int64_t last_row = p.height - 1 + p.top, last_column = p.width - 1 + p.left;
  int64_t tap_row = (r->y_height - 1) * p.stride + kh - 1;
  int64_t tap_column = (r->y_width - 1) * p.stride + kw - 1;
  p.rows = (last_row > tap_row ? last_row : tap_row) / p.stride + 1;
  p.columns = (last_column > tap_column ? last_column : tap_column) / p.stride + 1;
  p.tail = kh * p.columns + kw;
  size_t parts = (size_t)(p.stride * p.stride * phase_size(&p));
  int64_t pixels = phase_pixels(&p);
  size_t count = (size_t)(taps * out * channels);

  ink_gradient dx = ink_gradient_of(c, &r->x), db = ink_gradient_of(c, &r->bias);
  ink_tensor dw = ink_gradient_view(c, &r->weight);
  ink_arena_mark mark = ink_arena_save(c->arena);
  // dy at the places of a phase, zero between and behind.
  float *d = ink_op_zeros(c, name, (size_t)(pixels * out), sizeof *d);
  for (int64_t row = 0; d && row < p.batch * r->y_height; row++) {
    int64_t b = row / r->y_height, y = row % r->y_height;
    memcpy(d + (b * p.rows + y) * p.columns * out, dy + row * r->y_width * out,
           (size_t)(r->y_width * out) * sizeof *d);
  }
  if (dw.data && d) {
    float *x = ink_op_zeros(c, name, parts, sizeof *x);
    float *gathered = ink_op_take(c, name, count, sizeof *gathered);
    if (x && gathered) {
      phase_job job = {.p = &p, .picture = (float *)(uintptr_t)r->dense_x, .parts = x};
      ink_each_range(c->pool, p.batch * p.height, 1, phase_row, &job);
      for (int64_t t = 0; t < taps; t++) {
        product(c, name, turned(by_rows(d, pixels, out)),
                by_rows(x + tap_start(&p, t / kw, t % kw), pixels, channels),
                gathered + t * out * channels, false);
      }
      ink_tensor view = by_taps(&dw);
      if (c->error.status == INK_OK) ink_scatter_add(c->pool, gathered, &view);
    }
  }
  if (dx.data && d) {
    float *x = ink_op_zeros(c, name, parts, sizeof *x);
    float *w = ink_op_take(c, name, count, sizeof *w);
    if (x && w) {
      // (out, C, kh, kw) as (kh, kw, out, C); a 16-bit weight comes by way of its own type.
      ink_tensor view = by_taps(&r->weight);
      void *own = w;
      if (view.dtype != INK_F32) own = ink_op_take(c, name, count, sizeof(uint16_t));
      if (own) ink_gather(c->pool, &view, own);
      if (own != w && own) ink_to_f32(view.dtype, own, w, (int64_t)count);
      for (int64_t t = 0; t < taps && c->error.status == INK_OK; t++) {
        product(c, name, by_rows(d, pixels, out), by_rows(w + t * out * channels, out, channels),
                x + tap_start(&p, t / kw, t % kw), true);
      }
      phase_job job = {.p = &p, .picture = dx.data, .parts = x, .back = true, .add = dx.add};
      if (c->error.status == INK_OK) {
        ink_each_range(c->pool, p.batch * p.height, 1, phase_row, &job);
        ink_gradient_done(c, &dx);
      }
    }
  }
  if (db.data) {
    ink_column_sums(c, name, dy, NULL, p.batch * r->y_height * r->y_width, out, db.data, db.add);
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

ink_tensor *ink_conv2d(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                       const ink_tensor *bias, int64_t stride, ink_padding padding) {
  const char *name = "ink_conv2d";
  if (!ink_op_begin2(c, name, x, weight) || !check(c, name, x, weight, bias, stride, padding)) {
    return NULL;
  }
  ink_tensor w = *weight;
  if (!ink_tensor_is_contiguous(weight)) {
    w = ink_tensor_view(weight->dtype, NULL, 4, weight->shape);
    w.data = (void *)(uintptr_t)ink_op_dense(c, name, weight);
    if (!w.data) return NULL;
  }
  ink_convolution v = {.x_dtype = x->dtype,
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
                       .weight = &w,
                       .passing = w.data != weight->data};
  v.y_height = (v.height + padding.top + padding.bottom - v.kernel_height) / stride + 1;
  v.y_width = (v.width + padding.left + padding.right - v.kernel_width) / stride + 1;
  const int64_t shape[] = {v.batch, v.y_height, v.y_width, v.out};
  ink_tensor *y = ink_op_result(c, name, x->dtype, 4, shape);
  if (!y || !v.x || (bias && !v.bias)) return NULL;
  v.y = y->data;
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
    convolution_record *kept = ink_op_record(c, sizeof *kept, convolution_back, y);
    if (!kept) return NULL;
    r.record = kept->record;
    *kept = r;
  }
  return y;
}
