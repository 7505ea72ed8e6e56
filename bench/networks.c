// The networks of Stable Diffusion 1.5 in their real shapes with random weights, which run at the
// speed of real ones: one guided step of the UNet (batch 2), decoding and encoding a picture, a
// prompt pair through CLIP. Seconds of each run after the first, which prepares weights, the least
// and the median; and the memory of activations and prepared weights.
//
//     build/bench/networks [bf16|f32] [unet|decoder|encoder|taesd|clip|all] [SIDE] [RUNS]
//
// SIDE is that of the picture, 512 when not given.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/pool.h"
#include "models/clip.h"
#include "models/taesd.h"
#include "models/unet.h"
#include "models/vae.h"
#include "tensor/prepared.h"

enum { MOST_RUNS = 99 };

typedef struct bench {
  ink_compute compute;
  ink_dtype activations;
  int64_t side;
  int runs;
} bench;

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static ink_tensor *values(bench *b, int rank, const int64_t *shape) {
  ink_tensor *x = ink_tensor_new(b->compute.arena, INK_F32, rank, shape);
  if (!x) exit(1);
  for (int64_t i = 0; i < ink_tensor_elements(x); i++) {
    ((float *)x->data)[i] = (float)(i * 7919 % 1000) / 500.0f - 1;
  }
  return x;
}

typedef void (*pass)(bench *b, const void *network, const void *input);

// Run it once to prepare the weights, then some times by the clock.
static void measure(bench *b, const char *name, pass run, const void *network, const void *input) {
  double times[MOST_RUNS];
  ink_error error = {0};
  for (int i = -1; i < b->runs; i++) {
    ink_arena_mark mark = ink_arena_save(b->compute.arena);
    double start = seconds();
    run(b, network, input);
    double took = seconds() - start;
    ink_arena_release(b->compute.arena, mark);
    if (i >= 0) times[i] = took;
    if (ink_compute_status(&b->compute, &error) != INK_OK) {
      fprintf(stderr, "%s: %s\n", name, error.text);
      exit(1);
    }
  }
  qsort(times, (size_t)b->runs, sizeof *times, by_value);
  printf("%-8s least %7.3f s  median %7.3f s  activations %5zu MiB  prepared %5zu MiB\n", name,
         times[0], times[b->runs / 2], ink_arena_peak(b->compute.arena) >> 20,
         ink_prepared_bytes(b->compute.prepared) >> 20);
}

static void run_unet(bench *b, const void *network, const void *input) {
  ink_unet_forward(&b->compute, network, input);
}

static void run_decoder(bench *b, const void *network, const void *input) {
  ink_vae_decode(&b->compute, network, input, b->activations);
}

static void run_encoder(bench *b, const void *network, const void *input) {
  ink_vae_encode(&b->compute, network, input, b->activations);
}

static void run_taesd(bench *b, const void *network, const void *input) {
  ink_taesd_decode(&b->compute, network, input, b->activations);
}

static void run_clip(bench *b, const void *network, const void *input) {
  ink_clip_forward(&b->compute, network, input);
}

static void check(ink_status status, const ink_error *error) {
  if (status == INK_OK) return;
  fprintf(stderr, "%s\n", error->text);
  exit(1);
}

// Prepared weights are known by their addresses, which the next network may have again.
static void forget(bench *b) {
  ink_prepared_free(b->compute.prepared);
  b->compute.prepared = ink_prepared_new(NULL, NULL);
}

static const ink_source fresh = {.seed = 1, .rough = true};

static void bench_unet(bench *b) {
  ink_unet_config config = ink_unet_config_sd15();
  ink_unet *unet;
  ink_error error = {0};
  check(ink_unet_new(&config, &fresh, &unet, &error), &error);
  int64_t side = b->side / 8;
  ink_tensor *context = values(b, 3, (int64_t[]){2, 77, config.context});
  ink_unet_input input = {.sample = values(b, 4, (int64_t[]){2, side, side, config.in_channels}),
                          .timesteps = values(b, 1, (int64_t[]){2}),
                          .text = ink_unet_prepare_text(&b->compute, unet, context, b->activations),
                          .activations = b->activations};
  measure(b, "unet", run_unet, unet, &input);
  // A step whose deep part was kept (step caching).
  ink_unet_deep deep = {.shallow = 1, .arena = ink_arena_new(0)};
  input.deep = &deep;
  run_unet(b, unet, &input);
  deep.reuse = true;
  measure(b, "cached", run_unet, unet, &input);
  ink_arena_free(deep.arena);
  forget(b);
  ink_unet_free(unet);
}

static void bench_vae(bench *b, bool decoder) {
  ink_vae_config config = ink_vae_config_sd15();
  ink_vae *vae;
  ink_error error = {0};
  check(ink_vae_new(&config, &fresh, &vae, &error), &error);
  int64_t side = decoder ? b->side / 8 : b->side;
  ink_tensor *x = values(b, 4, (int64_t[]){1, side, side, decoder ? 4 : 3});
  measure(b, decoder ? "decoder" : "encoder", decoder ? run_decoder : run_encoder, vae, x);
  forget(b);
  ink_vae_free(vae);
}

// TAESD's decoder: 64 channels everywhere.
static void bench_taesd(bench *b) {
  ink_taesd_config config = {.in_channels = 3,
                             .out_channels = 3,
                             .latent_channels = 4,
                             .n_level = 4,
                             .encoder_channels = {64, 64, 64, 64},
                             .decoder_channels = {64, 64, 64, 64},
                             .encoder_blocks = {1, 3, 3, 3},
                             .decoder_blocks = {3, 3, 3, 1},
                             .scaling_factor = 1};
  ink_taesd *taesd;
  ink_error error = {0};
  check(ink_taesd_new(&config, NULL, &fresh, &taesd, &error), &error);
  int64_t side = b->side / 8;
  measure(b, "taesd", run_taesd, taesd, values(b, 4, (int64_t[]){1, side, side, 4}));
  forget(b);
  ink_taesd_free(taesd);
}

static void bench_clip(bench *b) {
  ink_clip_config config = ink_clip_config_large();
  ink_clip *clip;
  ink_error error = {0};
  check(ink_clip_new(&config, &fresh, &clip, &error), &error);
  ink_tensor *ids = ink_tensor_new(b->compute.arena, INK_I32, 2, (int64_t[]){2, 77});
  if (!ids) exit(1);
  for (int32_t i = 0; i < 2 * 77; i++) ((int32_t *)ids->data)[i] = i * 311;
  ink_clip_input input = {.ids = ids, .final_norm = true};
  measure(b, "clip", run_clip, clip, &input);
  forget(b);
  ink_clip_free(clip);
}

int main(int argc, char **argv) {
  const char *what = argc > 2 ? argv[2] : "all";
  bool all = strcmp(what, "all") == 0;
  bench b = {.activations = argc > 1 && strcmp(argv[1], "f32") == 0 ? INK_F32 : INK_BF16,
             .side = argc > 3 ? atoll(argv[3]) : 512,
             .runs = argc > 4 ? atoi(argv[4]) : 3};
  if (b.side < 64 || b.side > 4096 || b.side % 64 || b.runs < 1 || b.runs > MOST_RUNS) {
    fprintf(stderr, "a side of 64 to 4096, a multiple of 64, and 1 to %d runs\n", MOST_RUNS);
    return 2;
  }
  b.compute = (ink_compute){
      .arena = ink_arena_new(0), .pool = ink_pool_new(0), .prepared = ink_prepared_new(NULL, NULL)};
  if (all || strcmp(what, "unet") == 0) bench_unet(&b);
  if (all || strcmp(what, "decoder") == 0) bench_vae(&b, true);
  if (all || strcmp(what, "encoder") == 0) bench_vae(&b, false);
  if (all || strcmp(what, "taesd") == 0) bench_taesd(&b);
  if (all || strcmp(what, "clip") == 0) bench_clip(&b);
  ink_prepared_free(b.compute.prepared);
  ink_pool_free(b.compute.pool);
  ink_arena_free(b.compute.arena);
  return 0;
}
