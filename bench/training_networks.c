// Training of small picture networks with random weights, as the painter's are: a UNet over latents
// of 16 x 16 with a text beside them, a tiny autoencoder over pictures of 128 x 128, a text encoder
// of 32 tokens. Each forward and backward, and the optimiser's update (Muon for matrices and
// convolutions, AdamW for the rest): milliseconds (medians), samples a second, and GFLOP/s, where a
// multiplication and an addition count as two and backward costs twice the forward.
//
//     build/bench/training_networks [bf16|f32] [unet|autoencoder|text|all] [RUNS] [BATCH]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/pool.h"
#include "models/clip.h"
#include "models/taesd.h"
#include "models/unet.h"
#include "tensor/tape.h"
#include "train/optimizer.h"

enum { MOST_RUNS = 99, TOKENS = 32, LATENT_SIDE = 16, LATENT_CHANNELS = 8, PICTURE_SIDE = 128 };

typedef struct bench {
  ink_arena *lasting;
  ink_compute compute;
  int64_t batch;
  int runs;
} bench;

// A network to train: its parameters, its loss, and the multiplications of one sample forward.
typedef struct subject {
  const char *name;
  const void *network;
  ink_parameter *parameters;
  size_t n;
  double products;
  ink_tensor *input, *context, *target;
  ink_tensor *(*loss)(bench *b, const struct subject *s);
} subject;

static double milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double median(double *times, int n) {
  qsort(times, (size_t)n, sizeof *times, by_value);
  return times[n / 2];
}

static void check(ink_status status, const ink_error *error) {
  if (status == INK_OK) return;
  fprintf(stderr, "%s\n", error->text);
  exit(1);
}

static ink_tensor *values(bench *b, int rank, const int64_t *shape) {
  ink_tensor *x = ink_tensor_new(b->lasting, INK_F32, rank, shape);
  if (!x) exit(1);
  for (int64_t i = 0; i < ink_tensor_elements(x); i++) {
    ((float *)x->data)[i] = (float)(i * 7919 % 1000) / 500.0f - 1;
  }
  return x;
}

// ---- multiplications ----------------------------------------------------------------------------

static bool has(const char *name, const char *part) {
  return strstr(name, part) != NULL;
}

// Pixels, or tokens, that a weight of the UNet meets in one sample.
static int64_t unet_pixels(const ink_unet_config *g, const char *name) {
  int block = 0, level = 0;
  if (has(name, "time_emb")) return 1;
  if (has(name, "attn2.to_k") || has(name, "attn2.to_v")) return TOKENS;
  if (sscanf(name, "down_blocks.%d", &block) == 1) level = block + has(name, "downsamplers");
  if (sscanf(name, "up_blocks.%d", &block) == 1) {
    level = g->n_level - 1 - block - has(name, "upsamplers");
  }
  if (has(name, "mid_block")) level = g->n_level - 1;
  return (LATENT_SIDE >> level) * (LATENT_SIDE >> level);
}

static double unet_products(const ink_unet_config *g, const ink_parameter *parameters, size_t n) {
  double products = 0;
  for (size_t i = 0; i < n; i++) {
    const ink_tensor *w = parameters[i].tensor;
    const char *name = parameters[i].name;
    int64_t pixels = unet_pixels(g, name);
    if (w->rank < 2) continue;
    products += (double)(pixels * ink_tensor_elements(w));
    if (has(name, "attn1.to_q")) products += (double)(2 * pixels * pixels * w->shape[0]);
    if (has(name, "attn2.to_q")) products += (double)(2 * pixels * TOKENS * w->shape[0]);
  }
  return products;
}

// Convolutions outside blocks halve the side in the encoder and double it in the decoder, but for
// the first and the last of each.
static double taesd_products(const ink_parameter *parameters, size_t n, int64_t latent_channels) {
  double products = 0;
  int64_t side = PICTURE_SIDE;
  bool decoder = false;
  for (size_t i = 0; i < n; i++) {
    const ink_tensor *w = parameters[i].tensor;
    if (w->rank != 4) continue;
    bool first = i == 0, ends = w->shape[0] == latent_channels || w->shape[0] == 3;
    if (!decoder && has(parameters[i].name, "decoder.")) decoder = first = true;
    if (!first && !ends && !has(parameters[i].name, ".conv.")) {
      side = decoder ? 2 * side : side / 2;
    }
    products += (double)(side * side * ink_tensor_elements(w));
  }
  return products;
}

static double clip_products(const ink_parameter *parameters, size_t n) {
  double products = 0;
  for (size_t i = 0; i < n; i++) {
    const ink_tensor *w = parameters[i].tensor;
    if (w->rank != 2 || has(parameters[i].name, "embedding")) continue;
    products += (double)(TOKENS * ink_tensor_elements(w));
    if (has(parameters[i].name, "q_proj")) products += 2.0 * TOKENS * TOKENS * (double)w->shape[0];
  }
  return products;
}

// ---- measuring ----------------------------------------------------------------------------------

static ink_optimizer *make_trainable(bench *b, const subject *s) {
  ink_trained *trained = ink_arena_zeros(b->lasting, s->n, sizeof *trained);
  ink_error error = {0};
  if (!trained) exit(1);
  for (size_t i = 0; i < s->n; i++) {
    ink_tensor *w = s->parameters[i].tensor;
    ink_tensor *gradient = ink_tensor_new(b->lasting, INK_F32, w->rank, w->shape);
    if (!gradient) exit(1);
    memset(gradient->data, 0, (size_t)ink_tensor_elements(gradient) * sizeof(float));
    check(ink_tape_parameter(b->lasting, w, gradient, &error), &error);
    bool matrix = w->rank >= 2 && !has(s->parameters[i].name, "embedding");
    trained[i] = (ink_trained){.name = s->parameters[i].name,
                               .value = w,
                               .gradient = gradient,
                               .rule = matrix ? INK_RULE_MUON : INK_RULE_ADAMW,
                               .decay = matrix};
    if (w->rank == 4) {  // a matrix of rows, one for each output channel
      const int64_t shape[] = {w->shape[0], ink_tensor_elements(w) / w->shape[0]};
      ink_tensor *views = ink_arena_zeros(b->lasting, 2, sizeof *views);
      if (!views) exit(1);
      views[0] = ink_tensor_view(INK_F32, w->data, 2, shape);
      views[1] = ink_tensor_view(INK_F32, gradient->data, 2, shape);
      trained[i].value = &views[0];
      trained[i].gradient = &views[1];
    }
  }
  ink_optimizer_options options = {.adam_rate = 1e-6,
                                   .beta1 = 0.9,
                                   .beta2 = 0.99,
                                   .epsilon = 1e-8,
                                   .muon_rate = 1e-6,
                                   .muon_momentum = 0.95,
                                   .muon_precision = b->compute.precision,
                                   .clip = 1};
  ink_optimizer *optimizer;
  check(ink_optimizer_new(b->lasting, &options, trained, s->n, &optimizer, &error), &error);
  return optimizer;
}

static void measure(bench *b, const subject *s) {
  double forward[MOST_RUNS], backward[MOST_RUNS], update[MOST_RUNS];
  ink_error error = {0};
  ink_optimizer *optimizer = make_trainable(b, s);
  for (int i = -1; i < b->runs; i++) {
    ink_arena_mark mark = ink_arena_save(b->compute.arena);
    double start = milliseconds();
    b->compute.tape = ink_tape_new(b->compute.arena);
    ink_tensor *loss = s->loss(b, s);
    double between = milliseconds();
    ink_tape_backward(&b->compute, loss, 1.0f / (float)b->batch);
    double end = milliseconds(), norm;
    check(ink_compute_status(&b->compute, &error), &error);
    ink_arena_release(b->compute.arena, mark);
    check(ink_optimizer_step(optimizer, b->compute.pool, i + 2, 1, &norm, &error), &error);
    if (i < 0) continue;
    forward[i] = between - start;
    backward[i] = end - between;
    update[i] = milliseconds() - end;
  }
  double f = median(forward, b->runs), g = median(backward, b->runs), u = median(update, b->runs);
  double work = 2e-6 * s->products * (double)b->batch;
  printf(
      "%-12s batch %3lld  %6.1f MFLOP  forward %7.1f ms %4.0f  backward %7.1f ms %4.0f  "
      "together %4.0f GFLOP/s %6.1f samples/s  update %6.1f ms  memory %5zu MiB\n",
      s->name, (long long)b->batch, 2e-6 * s->products, f, work / f, g, 2 * work / g,
      3 * work / (f + g), 1e3 * (double)b->batch / (f + g), u,
      ink_arena_peak(b->compute.arena) >> 20);
}

// ---- the networks -------------------------------------------------------------------------------

static const ink_source fresh = {.seed = 1, .trainable = true};

static ink_tensor *unet_loss(bench *b, const subject *s) {
  ink_unet_input input = {
      .sample = s->input, .timesteps = s->target, .context = s->context, .activations = INK_F32};
  ink_tensor timesteps = ink_tensor_view(INK_F32, s->target->data, 1, &b->batch);
  input.timesteps = &timesteps;
  return ink_squared_error(&b->compute, ink_unet_forward(&b->compute, s->network, &input),
                           s->target, NULL);
}

static void bench_unet(bench *b) {
  ink_unet_config g = {.in_channels = LATENT_CHANNELS,
                       .out_channels = LATENT_CHANNELS,
                       .sample_size = LATENT_SIDE,
                       .n_level = 3,
                       .mid = true,
                       .mid_cross = true,
                       .mid_pair = true,
                       .mid_depth = 1,
                       .n_group = 32,
                       .norm_epsilon = 1e-5f,
                       .context = 224,
                       .flip_sin_to_cos = true};
  static const int32_t channels[] = {96, 160, 256};
  for (int i = 0; i < 3; i++) {
    g.levels[i] = (ink_unet_level){.channels = channels[i],
                                   .n_layer = 2,
                                   .cross_down = i > 0,
                                   .cross_up = i > 0,
                                   .depth = {i > 0, i > 0},
                                   .depth_up = {i > 0, i > 0, i > 0},
                                   .n_head = channels[i] / 32};
  }
  ink_unet *unet;
  ink_error error = {0};
  check(ink_unet_new(&g, &fresh, &unet, &error), &error);
  subject s = {.name = "unet", .network = unet, .loss = unet_loss};
  s.parameters = ink_unet_parameters(unet, &s.n);
  s.products = unet_products(&g, s.parameters, s.n);
  const int64_t latents[] = {b->batch, LATENT_SIDE, LATENT_SIDE, LATENT_CHANNELS};
  s.input = values(b, 4, latents);
  s.target = values(b, 4, latents);
  s.context = values(b, 3, (int64_t[]){b->batch, TOKENS, g.context});
  measure(b, &s);
  ink_unet_free(unet);
}

static ink_tensor *taesd_loss(bench *b, const subject *s) {
  ink_tensor *latents = ink_taesd_encode(&b->compute, s->network, s->input, INK_F32);
  return ink_squared_error(&b->compute, ink_taesd_decode(&b->compute, s->network, latents, INK_F32),
                           s->target, NULL);
}

static void bench_taesd(bench *b, int32_t width) {
  ink_taesd_config g = {.in_channels = 3,
                        .out_channels = 3,
                        .latent_channels = LATENT_CHANNELS,
                        .n_level = 4,
                        .scaling_factor = 1};
  for (int i = 0; i < 4; i++) {
    g.encoder_channels[i] = g.decoder_channels[i] = width;
    g.encoder_blocks[i] = i == 0 ? 1 : 3;
    g.decoder_blocks[i] = i == 3 ? 1 : 3;
  }
  ink_taesd *taesd;
  ink_error error = {0};
  check(ink_taesd_new(&g, &fresh, &fresh, &taesd, &error), &error);
  char name[32];
  snprintf(name, sizeof name, "autoenc. %d", width);
  subject s = {.name = name, .network = taesd, .loss = taesd_loss};
  s.parameters = ink_taesd_parameters(taesd, &s.n);
  s.products = taesd_products(s.parameters, s.n, LATENT_CHANNELS);
  const int64_t pictures[] = {b->batch, PICTURE_SIDE, PICTURE_SIDE, 3};
  s.input = values(b, 4, pictures);
  s.target = values(b, 4, pictures);
  measure(b, &s);
  ink_taesd_free(taesd);
}

static ink_tensor *clip_loss(bench *b, const subject *s) {
  ink_clip_input input = {.ids = s->input, .final_norm = true};
  return ink_squared_error(&b->compute, ink_clip_forward(&b->compute, s->network, &input).hidden,
                           s->target, NULL);
}

static void bench_clip(bench *b) {
  ink_clip_config g = {.vocab = 8192,
                       .context = TOKENS,
                       .n_layer = 4,
                       .n_head = 7,
                       .hidden = 224,
                       .ff = 896,
                       .quick_gelu = true,
                       .norm_epsilon = 1e-5f,
                       .end_token = -1};
  ink_clip *clip;
  ink_error error = {0};
  check(ink_clip_new(&g, &fresh, &clip, &error), &error);
  subject s = {.name = "text", .network = clip, .loss = clip_loss};
  s.parameters = ink_clip_parameters(clip, &s.n);
  s.products = clip_products(s.parameters, s.n);
  s.input = ink_tensor_new(b->lasting, INK_I32, 2, (int64_t[]){b->batch, TOKENS});
  if (!s.input) exit(1);
  for (int64_t i = 0; i < b->batch * TOKENS; i++) {
    ((int32_t *)s.input->data)[i] = (int32_t)(i * 311 % g.vocab);
  }
  s.target = values(b, 3, (int64_t[]){b->batch, TOKENS, g.hidden});
  measure(b, &s);
  ink_clip_free(clip);
}

int main(int argc, char **argv) {
  bool bf16 = argc < 2 || strcmp(argv[1], "f32") != 0;
  const char *what = argc > 2 ? argv[2] : "all";
  bool all = strcmp(what, "all") == 0;
  bench b = {.runs = argc > 3 ? atoi(argv[3]) : 5};
  int batch = argc > 4 ? atoi(argv[4]) : 0;
  if (b.runs < 1 || b.runs > MOST_RUNS || batch < 0 || batch > 4096) {
    fprintf(stderr, "1 to %d runs, batches of at most 4096\n", MOST_RUNS);
    return 2;
  }
  b.lasting = ink_arena_new(0);
  b.compute = (ink_compute){.arena = ink_arena_new(0),
                            .pool = ink_pool_new(0),
                            .precision = bf16 ? INK_PRECISION_BF16 : INK_PRECISION_F32};
  b.batch = batch ? batch : 32;
  if (all || strcmp(what, "unet") == 0) bench_unet(&b);
  if (all || strcmp(what, "text") == 0) bench_clip(&b);
  b.batch = batch ? batch : 8;
  if (all || strcmp(what, "autoencoder") == 0) {
    bench_taesd(&b, 32);
    bench_taesd(&b, 48);
  }
  ink_pool_free(b.compute.pool);
  ink_arena_free(b.compute.arena);
  ink_arena_free(b.lasting);
  return 0;
}
