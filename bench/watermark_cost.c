// What text watermarks cost a token, beside the time that decoding it takes.
//
//   ninja -C build bench/watermark_cost
//   build/bench/watermark_cost [MILLISECONDS]
//
// For vocabularies of the usual sizes, and for as many tokens as are still in the draw (40 and 400,
// as top-k and top-p leave them, and all of them): the median time of 400 tokens that a scheme
// reweighs, and its share of MILLISECONDS a token (18: Llama-3.2-1B in Q8_0 at this machine's
// memory bandwidth). One thread, as in a session.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/progress.h"
#include "base/random.h"
#include "mark/watermark/watermark.h"

enum { TOKENS = 400 };

static void check(ink_status status, const ink_error *error) {
  if (status == INK_OK) return;
  fprintf(stderr, "%s\n", error->text);
  exit(1);
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// Weights that fall as Zipf's law has it, on tokens drawn by lot; the others are out of the draw.
static void draw_weights(ink_random *random, size_t vocab, size_t kept, float *weights) {
  for (size_t i = 0; i < vocab; i++) weights[i] = 0;
  for (size_t i = 0; i < kept; i++) {
    size_t at = kept == vocab ? i : ink_random_u32(random) % vocab;
    weights[at] = 1 / (float)(i + 1);
  }
}

static double median_time(ink_watermark *watermark, size_t vocab, size_t kept) {
  ink_error error = {0};
  ink_reweigher reweigher;
  static int32_t written[TOKENS];
  static double times[TOKENS];
  ink_random random = ink_random_at(1, 2, 3);
  float *weights = calloc(vocab, sizeof *weights);
  if (!weights) exit(1);
  check(ink_watermark_reweigher(watermark, &reweigher, &error), &error);
  for (size_t n = 0; n < TOKENS; n++) {
    draw_weights(&random, vocab, kept, weights);
    double began = ink_clock_since_start();
    check(reweigher.reweigh(reweigher.self, written, n, weights, vocab, &error), &error);
    times[n] = 1e3 * (ink_clock_since_start() - began);
    written[n] = (int32_t)(ink_random_u32(&random) % vocab);
  }
  free(weights);
  qsort(times, TOKENS, sizeof *times, by_size);
  return times[TOKENS / 2];
}

int main(int argc, char **argv) {
  static const size_t vocabularies[] = {32000, 128256, 151936}, draws[] = {40, 400, SIZE_MAX};
  double token = argc > 1 ? strtod(argv[1], NULL) : 18;
  printf("Milliseconds a token, and the share of %g\n\n| vocabulary | in the draw |", token);
  for (int i = 0; i < INK_WATERMARK_SCHEMES; i++) {
    printf(" %s |", ink_watermark_name((ink_watermark_scheme)i));
  }
  printf("\n|---|---|---|---|---|\n");
  for (size_t v = 0; v < sizeof vocabularies / sizeof *vocabularies; v++) {
    for (size_t d = 0; d < sizeof draws / sizeof *draws; d++) {
      size_t vocab = vocabularies[v], kept = draws[d] < vocab ? draws[d] : vocab;
      printf("| %zu | %zu |", vocab, kept);
      for (int i = 0; i < INK_WATERMARK_SCHEMES; i++) {
        ink_error error = {0};
        ink_watermark *watermark;
        check(ink_watermark_open((ink_watermark_scheme)i, NULL, vocab, &watermark, &error), &error);
        double ms = median_time(watermark, vocab, kept);
        printf(" %.3f, %.1f %% |", ms, 100 * ms / token);
        ink_watermark_free(watermark);
      }
      printf("\n");
    }
  }
  return 0;
}
