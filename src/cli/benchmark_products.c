// Limits, and dense products beside them.
#include <stdio.h>
#include <stdlib.h>

#include "base/progress.h"
#include "base/random.h"
#include "cli/benchmark.h"
#include "tensor/gemm.h"

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double ink_benchmark_median(double *values, int n) {
  qsort(values, (size_t)n, sizeof *values, ascending);
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

void ink_benchmark_add(ink_benchmark *b, const char *work, const char *kind, double rate,
                       double limit, const char *more) {
  json_t *row = json_pack("{s:s, s:s, s:f}", "work", work, "kind", kind, "rate", rate * 1e-9);
  if (row && limit > 0) {
    json_object_set_new(row, "limit", json_real(limit * 1e-9));
    json_object_set_new(row, "share", json_real(rate / limit));
  }
  if (row && more) json_object_set_new(row, "more", json_string(more));
  json_array_append_new(b->rows, row);
  if (b->show) b->show(work, kind, rate * 1e-9, limit * 1e-9, more);
}

enum { MOST_ROUNDS = 99 };

static const struct {
  const char *kind, *unit;
} roofs[INK_ROOF_COUNT] = {
    {"f32", "GFLOP/s"}, {"bf16", "GFLOP/s"}, {"int8", "GOP/s"}, {"read", "GB/s"}};

void ink_benchmark_limits(ink_benchmark *b) {
  for (int roof = 0; roof < INK_ROOF_COUNT; roof++) {
    double rates[MOST_ROUNDS];
    for (int i = 0; i < b->rounds; i++) {
      rates[i] = ink_roofline_measure(b->roofline, (ink_roof)roof);
    }
    double rate = ink_benchmark_median(rates, b->rounds);
    if (rate > 0) ink_benchmark_add(b, "limit", roofs[roof].kind, rate, 0, roofs[roof].unit);
  }
}

// ---- products -----------------------------------------------------------------------------------

typedef struct shape {
  const char *work;
  int64_t m, n, k;
} shape;

// Rows of x, rows of the weight, width of both.
static const shape shapes[] = {
    {"poet q 2048x256x256", 2048, 256, 256},
    {"poet up 2048x768x256", 2048, 768, 256},
    {"poet down 2048x256x768", 2048, 256, 768},
    {"poet head 256x8192x256", 256, 8192, 256},
    {"gpt2 qkv 1024x2304x768", 1024, 2304, 768},
    {"gpt2 up 1024x3072x768", 1024, 3072, 768},
    {"gpt2 down 1024x768x3072", 1024, 768, 3072},
    {"llama-1b qkv 512x3072x2048", 512, 3072, 2048},
    {"llama-1b up 512x8192x2048", 512, 8192, 2048},
    {"llama-1b down 512x2048x8192", 512, 2048, 8192},
};

static const char *const layouts[] = {"x W^T", "dy W", "dy^T x"};

static float *random_floats(int64_t n) {
  float *x = malloc((size_t)n * sizeof *x);
  ink_random random = ink_random_at(1, 0, 0);
  for (int64_t i = 0; x && i < n; i++) x[i] = ink_random_float(&random) - 0.5f;
  return x;
}

// Seconds of one product of a layout: forward, gradient of x, gradient of the weight. The
// operands' memory serves all three, only the strides differ.
static ink_status run_product(ink_benchmark *b, const shape *s, int layout, ink_precision precision,
                              const float *x, const float *w, float *y, double *seconds,
                              ink_error *error) {
  ink_matrix left = {INK_F32, x, s->m, s->k, s->k, 1}, right = {INK_F32, w, s->k, s->n, 1, s->k};
  if (layout >= 1) right = (ink_matrix){INK_F32, w, s->k, s->n, s->n, 1};
  if (layout == 2) left = (ink_matrix){INK_F32, x, s->m, s->k, 1, s->m};
  double began = ink_clock_seconds();
  INK_TRY(ink_gemm(b->pool, precision, left, right, NULL, y, s->n, false, error));
  *seconds = ink_clock_seconds() - began;
  return INK_OK;
}

static ink_status measure(ink_benchmark *b, const shape *s, const float *x, const float *w,
                          float *y, ink_error *error) {
  double work = 2.0 * (double)s->m * (double)s->n * (double)s->k;
  for (int p = 0; p < 2; p++) {
    ink_precision precision = p ? INK_PRECISION_BF16 : INK_PRECISION_F32;
    for (int layout = 0; layout < 3; layout++) {
      double rates[MOST_ROUNDS], limits[MOST_ROUNDS], seconds;
      INK_TRY(run_product(b, s, layout, precision, x, w, y, &seconds, error));
      int times = 1 + (int)(0.02 / seconds);
      for (int i = 0; i < b->rounds; i++) {
        limits[i] = ink_roofline_measure(b->roofline, p ? INK_ROOF_BF16 : INK_ROOF_F32);
        double sum = 0;
        for (int j = 0; j < times; j++) {
          INK_TRY(run_product(b, s, layout, precision, x, w, y, &seconds, error));
          sum += seconds;
        }
        rates[i] = work * times / sum;
      }
      double limit = ink_benchmark_median(limits, b->rounds);
      ink_benchmark_add(b, s->work, p ? "bf16" : "f32", ink_benchmark_median(rates, b->rounds),
                        limit, layouts[layout]);
      if (p && limit == 0) return INK_OK;
    }
  }
  return INK_OK;
}

ink_status ink_benchmark_products(ink_benchmark *b, ink_error *error) {
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    const shape *s = &shapes[i];
    float *x = random_floats(s->m * s->k), *w = random_floats(s->n * s->k);
    float *y = random_floats(s->m * s->n);
    ink_status status = x && w && y ? measure(b, s, x, w, y, error)
                                    : ink_fail(error, INK_ERR_MEMORY, "no memory for %s", s->work);
    free(x);
    free(w);
    free(y);
    INK_TRY(status);
  }
  return INK_OK;
}
