// The weights of Llama-3.2-1B in several codings, multiplied by the rows of one step of decoding or
// by a prompt: products alone, which are most of both.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "base/random.h"
#include "cli/benchmark.h"
#include "tensor/gemm.h"

enum { HIDDEN = 2048, FEED = 8192, KEYS = 512, VOCABULARY = 128256, LAYERS = 16 };

typedef struct weight {
  int64_t out, in;
} weight;

// Of one layer: q, k, v, attention output, gate, up, down.
static const weight layer[] = {{HIDDEN, HIDDEN}, {KEYS, HIDDEN}, {KEYS, HIDDEN}, {HIDDEN, HIDDEN},
                               {FEED, HIDDEN},   {FEED, HIDDEN}, {HIDDEN, FEED}};
enum { MATRICES = sizeof layer / sizeof *layer, MOST_ROWS = 512, MOST_ROUNDS = 99 };
static const weight head = {VOCABULARY, HIDDEN};

static size_t bytes_of(weight w, ink_dtype dtype) {
  const ink_dtype_info *about = ink_dtype_about(dtype);
  return (size_t)(w.out * (w.in / about->block_elements)) * about->block_bytes;
}

static size_t layer_bytes(ink_dtype dtype) {
  size_t bytes = 0;
  for (int i = 0; i < MATRICES; i++) bytes += bytes_of(layer[i], dtype);
  return bytes;
}

typedef struct model {
  ink_dtype dtype;
  char *weights;  // layers, then the head
  float *x, *y;   // (MOST_ROWS, FEED), (MOST_ROWS, FEED) or (4, VOCABULARY)
} model;

static ink_status run_product(ink_benchmark *b, const model *m, int64_t rows, weight w,
                              const char **at, ink_error *error) {
  ink_matrix left = {INK_F32, m->x, rows, w.in, w.in, 1};
  ink_matrix right = {m->dtype, *at, w.in, w.out, 1, w.in};
  *at += bytes_of(w, m->dtype);
  return ink_gemm(b->pool, INK_PRECISION_F32, left, right, NULL, m->y, w.out, false, error);
}

// Seconds of one step: `layers` layers, and the head where told.
static ink_status run_step(ink_benchmark *b, const model *m, int64_t rows, int layers,
                           bool with_head, double *seconds, ink_error *error) {
  const char *at = m->weights;
  double began = ink_clock_seconds();
  for (int l = 0; l < layers; l++) {
    for (int i = 0; i < MATRICES; i++) INK_TRY(run_product(b, m, rows, layer[i], &at, error));
  }
  if (with_head) INK_TRY(run_product(b, m, rows, head, &at, error));
  *seconds = ink_clock_seconds() - began;
  return INK_OK;
}

// A step of decoding reads every weight once, for all the rows there are.
static ink_status decoding(ink_benchmark *b, const model *m, int64_t rows, ink_error *error) {
  double bytes = (double)(LAYERS * layer_bytes(m->dtype) + bytes_of(head, m->dtype));
  double rates[MOST_ROUNDS], limits[MOST_ROUNDS], seconds;
  for (int i = 0; i < b->rounds; i++) {
    limits[i] = ink_roofline_measure(b->roofline, INK_ROOF_READ);
    INK_TRY(run_step(b, m, rows, LAYERS, true, &seconds, error));
    rates[i] = bytes / seconds;
  }
  double rate = ink_benchmark_median(rates, b->rounds);
  char work[64], more[64];
  snprintf(work, sizeof work, "llama-1b decode, %d %s", (int)rows, rows == 1 ? "row" : "rows");
  snprintf(more, sizeof more, "GB/s, %.1f steps/s", rate / bytes);
  ink_benchmark_add(b, work, ink_dtype_about(m->dtype)->name, rate,
                    ink_benchmark_median(limits, b->rounds), more);
  return INK_OK;
}

// A prompt of 512 tokens: two layers stand for all, the head is asked for one row only.
static ink_status prompt(ink_benchmark *b, const model *m, ink_error *error) {
  enum { SAMPLE = 2 };
  double parameters = 0;
  for (int i = 0; i < MATRICES; i++) parameters += (double)(layer[i].out * layer[i].in);
  double rates[MOST_ROUNDS], limits[MOST_ROUNDS], seconds;
  for (int i = 0; i < b->rounds; i++) {
    limits[i] = ink_roofline_measure(b->roofline, INK_ROOF_F32);
    INK_TRY(run_step(b, m, MOST_ROWS, SAMPLE, false, &seconds, error));
    rates[i] = 2 * parameters * SAMPLE * MOST_ROWS / seconds;
  }
  double rate = ink_benchmark_median(rates, b->rounds);
  char more[64];
  snprintf(more, sizeof more, "GFLOP/s, %.0f tokens/s", rate / (2 * parameters * LAYERS));
  ink_benchmark_add(b, "llama-1b prompt of 512", ink_dtype_about(m->dtype)->name, rate,
                    ink_benchmark_median(limits, b->rounds), more);
  return INK_OK;
}

// Coded random numbers, one stretch repeated: weights of any value run at the same speed.
static void fill(const model *m, size_t bytes) {
  enum { STRETCH = 1 << 18 };
  const ink_dtype_info *about = ink_dtype_about(m->dtype);
  float *values = m->y;
  ink_random random = ink_random_at(1, 0, 0);
  for (int i = 0; i < STRETCH; i++) values[i] = ink_random_float(&random) - 0.5f;
  size_t stretch = STRETCH / (size_t)about->block_elements * about->block_bytes;
  ink_from_f32(m->dtype, values, m->weights, STRETCH);
  for (size_t at = stretch; at < bytes; at += stretch) {
    memcpy(m->weights + at, m->weights, bytes - at < stretch ? bytes - at : stretch);
  }
  for (int i = 0; i < MOST_ROWS * FEED; i++) m->x[i] = ink_random_float(&random) - 0.5f;
}

static ink_status measure(ink_benchmark *b, ink_dtype dtype, ink_error *error) {
  size_t bytes = LAYERS * layer_bytes(dtype) + bytes_of(head, dtype);
  model m = {.dtype = dtype,
             .weights = malloc(bytes),
             .x = malloc(sizeof(float) * MOST_ROWS * FEED),
             .y = malloc(sizeof(float) * MOST_ROWS * FEED)};
  ink_status status = INK_OK;
  if (!m.weights || !m.x || !m.y) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory for %zu MB of weights", bytes >> 20);
  } else {
    fill(&m, bytes);
    status = decoding(b, &m, 1, error);
    if (status == INK_OK) status = decoding(b, &m, 4, error);
    if (status == INK_OK) status = prompt(b, &m, error);
  }
  free(m.weights);
  free(m.x);
  free(m.y);
  return status;
}

ink_status ink_benchmark_weights(ink_benchmark *b, ink_error *error) {
  static const ink_dtype dtypes[] = {INK_BF16, INK_Q8_0, INK_Q4_K, INK_Q6_K};
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
    INK_TRY(measure(b, dtypes[i], error));
  }
  return INK_OK;
}
