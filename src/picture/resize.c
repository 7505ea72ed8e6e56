// Resampling, in Pillow's arithmetic: weights of 22 bits, rows first, each pass rounded to bytes.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "picture/picture.h"

enum { WEIGHT_BITS = 32 - 8 - 2 };

static double box(double x) {
  return x > -0.5 && x <= 0.5 ? 1 : 0;
}

static double bilinear(double x) {
  x = fabs(x);
  return x < 1 ? 1 - x : 0;
}

static double bicubic(double x) {
  const double a = -0.5;
  x = fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

static double sinc(double x) {
  return x == 0 ? 1 : sin(x * M_PI) / (x * M_PI);
}

static double lanczos(double x) {
  return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

typedef struct kernel {
  double (*weight)(double x);
  double support;
} kernel;

static kernel kernel_of(ink_resize_filter filter) {
  switch (filter) {
    case INK_RESIZE_BOX:
      return (kernel){box, 0.5};
    case INK_RESIZE_BILINEAR:
      return (kernel){bilinear, 1};
    case INK_RESIZE_BICUBIC:
      return (kernel){bicubic, 2};
    case INK_RESIZE_LANCZOS:
    default:
      return (kernel){lanczos, 3};
  }
}

// What one output sample is made of: input samples first … first + n - 1.
typedef struct span {
  int32_t first, n;
} span;

// The weights of one direction.
typedef struct plan {
  span *spans;
  int32_t *weights;  // most of them for each output sample
  int32_t most;
} plan;

static void plan_free(plan *p) {
  free(p->spans);
  free(p->weights);
}

static void weigh(const kernel *k, double centre, double shrink, span s, double *scratch,
                  int32_t *weights) {
  double sum = 0;
  for (int32_t i = 0; i < s.n; i++) {
    scratch[i] = k->weight((i + s.first - centre + 0.5) / shrink);
    sum += scratch[i];
  }
  for (int32_t i = 0; i < s.n; i++) {
    double weight = sum != 0 ? scratch[i] / sum : scratch[i];
    double scaled = weight * (1 << WEIGHT_BITS);
    weights[i] = (int32_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
  }
}

static ink_status plan_new(const kernel *k, int32_t from, int32_t to, plan *p, ink_error *error) {
  double scale = (double)from / to, shrink = scale < 1 ? 1 : scale;
  double support = k->support * shrink;
  *p = (plan){.most = (int32_t)ceil(support) * 2 + 1};
  size_t n;
  bool fits = ink_mul_size((size_t)to, (size_t)p->most, &n);
  p->spans = calloc((size_t)to, sizeof *p->spans);
  p->weights = fits ? calloc(n, sizeof *p->weights) : NULL;
  double *scratch = calloc((size_t)p->most, sizeof *scratch);
  bool fine = p->spans && p->weights && scratch;
  for (int32_t i = 0; i < to && fine; i++) {
    double centre = (i + 0.5) * scale;
    int32_t first = (int32_t)(centre - support + 0.5), last = (int32_t)(centre + support + 0.5);
    if (first < 0) first = 0;
    if (last > from) last = from;
    p->spans[i] = (span){first, last - first};
    weigh(k, centre, shrink, p->spans[i], scratch, p->weights + (size_t)i * (size_t)p->most);
  }
  free(scratch);
  if (fine) return INK_OK;
  plan_free(p);
  *p = (plan){0};
  return ink_fail(error, INK_ERR_MEMORY, "no memory to resize %d to %d samples", (int)from,
                  (int)to);
}

// Sum of weighted samples `step` bytes apart, rounded and confined to a byte.
static uint8_t gather(const uint8_t *samples, size_t step, const int32_t *weights, int32_t n) {
  int32_t sum = 1 << (WEIGHT_BITS - 1);
  for (int32_t i = 0; i < n; i++) sum += samples[(size_t)i * step] * weights[i];
  sum >>= WEIGHT_BITS;
  return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static void resize_rows(const ink_picture *in, const plan *p, ink_picture *out) {
  for (int32_t y = 0; y < out->height; y++) {
    for (int32_t x = 0; x < out->width; x++) {
      span s = p->spans[x];
      const int32_t *weights = p->weights + (size_t)x * (size_t)p->most;
      for (int32_t c = 0; c < in->channels; c++) {
        ink_picture_at(out, x, y)[c] =
            gather(ink_picture_at(in, s.first, y) + c, (size_t)in->channels, weights, s.n);
      }
    }
  }
}

static void resize_columns(const ink_picture *in, const plan *p, ink_picture *out) {
  size_t row = ink_picture_row(in);
  for (int32_t y = 0; y < out->height; y++) {
    span s = p->spans[y];
    const int32_t *weights = p->weights + (size_t)y * (size_t)p->most;
    const uint8_t *from = ink_picture_at(in, 0, s.first);
    uint8_t *to = ink_picture_at(out, 0, y);
    for (size_t i = 0; i < row; i++) to[i] = gather(from + i, row, weights, s.n);
  }
}

static void premultiply(ink_picture *p) {
  int32_t a = p->channels - 1;
  size_t n = (size_t)p->width * (size_t)p->height;
  uint8_t *at = p->pixels;
  for (size_t i = 0; i < n; i++, at += p->channels) {
    for (int32_t c = 0; c < a; c++) {
      unsigned t = (unsigned)at[c] * at[a] + 128;
      at[c] = (uint8_t)(((t >> 8) + t) >> 8);
    }
  }
}

static void unpremultiply(ink_picture *p) {
  int32_t a = p->channels - 1;
  size_t n = (size_t)p->width * (size_t)p->height;
  uint8_t *at = p->pixels;
  for (size_t i = 0; i < n; i++, at += p->channels) {
    if (at[a] == 0 || at[a] == 255) continue;
    for (int32_t c = 0; c < a; c++) {
      unsigned value = 255u * at[c] / at[a];
      at[c] = (uint8_t)(value > 255 ? 255 : value);
    }
  }
}

// A direction in which nothing changes is left out, as Pillow does.
static ink_status resize_in_turn(const ink_picture *in, int32_t width, int32_t height,
                                 const kernel *k, ink_picture *out, ink_error *error) {
  ink_picture middle = {0};
  plan p = {0};
  ink_status status = INK_OK;
  const ink_picture *from = in;
  if (width != in->width) {
    status = plan_new(k, in->width, width, &p, error);
    if (status == INK_OK) status = ink_picture_new(width, in->height, in->channels, &middle, error);
    if (status == INK_OK) resize_rows(in, &p, &middle);
    plan_free(&p);
    p = (plan){0};
    from = &middle;
  }
  if (status == INK_OK) status = ink_picture_new(width, height, in->channels, out, error);
  if (status == INK_OK && height != in->height) {
    status = plan_new(k, in->height, height, &p, error);
    if (status == INK_OK) resize_columns(from, &p, out);
    plan_free(&p);
  } else if (status == INK_OK) {
    memcpy(out->pixels, from->pixels, ink_picture_bytes(out));
  }
  ink_picture_free(&middle);
  if (status != INK_OK) ink_picture_free(out);
  return status;
}

ink_status ink_picture_resize(const ink_picture *picture, int32_t width, int32_t height,
                              ink_resize_filter filter, ink_picture *out, ink_error *error) {
  *out = (ink_picture){0};
  if (width < 1 || height < 1 || width > INK_PICTURE_MOST_SIDE || height > INK_PICTURE_MOST_SIDE) {
    return ink_fail(error, INK_ERR_USAGE, "a picture of %d x %d; sides go from 1 to %d", (int)width,
                    (int)height, INK_PICTURE_MOST_SIDE);
  }
  kernel k = kernel_of(filter);
  bool same = width == picture->width && height == picture->height;
  if (!ink_picture_has_alpha(picture) || same) {
    return resize_in_turn(picture, width, height, &k, out, error);
  }
  ink_picture multiplied;
  INK_TRY(ink_picture_convert(picture, picture->channels, &multiplied, error));
  premultiply(&multiplied);
  ink_status status = resize_in_turn(&multiplied, width, height, &k, out, error);
  ink_picture_free(&multiplied);
  if (status == INK_OK) unpremultiply(out);
  return status;
}
