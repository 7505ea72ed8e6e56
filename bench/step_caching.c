// Step caching against the exact picture, and against fewer steps that take no longer: seconds of a
// picture's steps, and PSNR to the picture of all steps, over the prompts of a file, one a line.
//
//     build/bench/step_caching MODEL PROMPTS [STEPS [SAMPLER [f32|bf16 [SIDE]]]]
//
// Times are those of one run after another: on a quiet machine.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "diffusion/pipeline.h"

enum { MOST = 64 };

static void need(ink_status status, const ink_error *error) {
  if (status == INK_OK) return;
  fprintf(stderr, "step_caching: %s\n", error->text);
  exit(1);
}

static double seconds_of(const ink_painting *p) {
  double sum = 0;
  for (int32_t i = 0; i < p->n_steps; i++) sum += p->step_seconds[i];
  return sum;
}

static double decibels(const ink_picture *a, const ink_picture *b) {
  double sum = 0;
  size_t n = ink_picture_bytes(a);
  for (size_t i = 0; i < n; i++) {
    double d = (double)a->pixels[i] - (double)b->pixels[i];
    sum += d * d;
  }
  return 10 * log10(255.0 * 255 * (double)n / (sum + 1e-9));
}

typedef struct prompts {
  char lines[MOST][512];
  int n;
} prompts;

static bool read_prompts(const char *path, prompts *p) {
  FILE *file = fopen(path, "r");
  if (!file) return false;
  while (p->n < MOST && fgets(p->lines[p->n], sizeof *p->lines, file)) {
    p->lines[p->n][strcspn(p->lines[p->n], "\n")] = 0;
    if (p->lines[p->n][0]) p->n++;
  }
  fclose(file);
  return p->n > 0;
}

// The pictures of all prompts; with `exact` what they differ from those by.
typedef struct outcome {
  double seconds, mean, least;  // decibels
} outcome;

static outcome paint_all(ink_pipeline *pipeline, ink_paint_request q, const prompts *p,
                         ink_picture *pictures, const ink_picture *exact) {
  outcome o = {.least = INFINITY};
  ink_error error = {0};
  for (int i = 0; i < p->n; i++) {
    ink_painting painting;
    q.prompt = p->lines[i];
    q.seed = (uint64_t)i;
    need(ink_pipeline_paint(pipeline, &q, &painting, &error), &error);
    o.seconds += seconds_of(&painting) / p->n;
    if (exact) {
      double db = decibels(&painting.picture, &exact[i]);
      o.mean += db / p->n;
      o.least = fmin(o.least, db);
    }
    if (pictures) {
      pictures[i] = painting.picture;
      painting.picture = (ink_picture){0};
    }
    ink_painting_free(&painting);
  }
  return o;
}

static void print(const char *what, int of, const outcome *o, double full) {
  printf("%-9s %3d  %.3f s  %.2f x  %5.1f dB  least %5.1f dB\n", what, of, o->seconds,
         full / o->seconds, o->mean, o->least);
}

// The most steps that take no longer.
static int steps_within(double seconds, double full, int steps) {
  int n = (int)(seconds / full * steps);
  return n < 1 ? 1 : n;
}

int main(int argc, char **argv) {
  static const int intervals[] = {2, 3, 4, 5, 7, 10};
  static prompts p;
  ink_error error = {0};
  ink_sampler_kind sampler;
  if (argc < 3 || !read_prompts(argv[2], &p)) {
    fprintf(stderr, "step_caching MODEL PROMPTS [STEPS [SAMPLER [f32|bf16 [SIDE]]]]\n");
    return 2;
  }
  ink_pool *pool = ink_pool_new(0);
  ink_pipeline *pipeline;
  need(ink_pipeline_open(argv[1], pool, &pipeline, &error), &error);
  ink_paint_request q = ink_paint_request_default();
  if (argc > 3) q.steps = atoi(argv[3]);
  if (argc > 4 && ink_sampler_parse(argv[4], &sampler)) q.sampler = &sampler;
  if (argc > 5 && strcmp(argv[5], "bf16") == 0) q.precision = INK_PRECISION_BF16;
  if (argc > 6) q.width = q.height = atoi(argv[6]);
  ink_picture exact[MOST];
  outcome full = paint_all(pipeline, q, &p, exact, NULL);
  printf("exact     %3d  %.3f s\n", q.steps, full.seconds);
  for (size_t i = 0; i < sizeof intervals / sizeof *intervals; i++) {
    ink_paint_request cached = q, fewer = q;
    cached.cache = intervals[i];
    outcome o = paint_all(pipeline, cached, &p, NULL, exact);
    print("cache", cached.cache, &o, full.seconds);
    fewer.steps = steps_within(o.seconds, full.seconds, q.steps);
    o = paint_all(pipeline, fewer, &p, NULL, exact);
    print("steps", fewer.steps, &o, full.seconds);
  }
  for (int i = 0; i < p.n; i++) ink_picture_free(&exact[i]);
  ink_pipeline_free(pipeline);
  ink_pool_free(pool);
  return 0;
}
