// Updates of a decoder on random tokens: what the trainer does between two batches.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "base/random.h"
#include "cli/benchmark.h"
#include "models/decoder.h"
#include "tensor/tape.h"
#include "train/optimizer.h"
#include "train/trainer.h"

typedef struct run {
  const char *work;
  ink_decoder_config model;
  int64_t rows, time;  // sequences of a pass and their length
  int64_t passes;      // per update
  int64_t document;    // positions of each packed document
  bool muon;
} run;

// models/poet/recipe.yaml with poems of 64 tokens; GPT-2 small (Radford et al. 2019) as in llm.c.
static const run runs[] = {
    {.work = "train poet 4x2048",
     .model = {.architecture = "qwen3",
               .vocab = 8192,
               .context = 256,
               .n_layer = 6,
               .n_head = 4,
               .n_kv_head = 4,
               .head_dim = 64,
               .hidden = 256,
               .ff = 768,
               .norm_epsilon = 1e-6f,
               .tied_head = true,
               .qk_norm = true,
               .rope_dim = 64,
               .rope_theta = 10000},
     .rows = 1,
     .time = 2048,
     .passes = 4,
     .document = 64,
     .muon = true},
    {.work = "train gpt2-124m 4x256",
     .model = {.architecture = "gpt2",
               .vocab = 50257,
               .context = 1024,
               .n_layer = 12,
               .n_head = 12,
               .n_kv_head = 12,
               .head_dim = 64,
               .hidden = 768,
               .ff = 3072,
               .norm_epsilon = 1e-5f,
               .activation = INK_ACTIVATION_GELU_TANH,
               .tied_head = true,
               .qkv_bias = true,
               .output_bias = true,
               .mlp_bias = true},
     .rows = 4,
     .time = 256,
     .passes = 1,
     .document = 256},
};

typedef struct training {
  const run *run;
  ink_decoder *decoder;
  ink_arena *lasting, *passing;
  ink_trained *trained;
  size_t n_trained;
  ink_optimizer *optimizer;
  int32_t *ids, *targets, *positions, *first_key;
  int64_t step;
} training;

static void training_close(training *t) {
  ink_decoder_free(t->decoder);
  ink_arena_free(t->lasting);
  ink_arena_free(t->passing);
}

static ink_status no_memory(const run *r, ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "no memory for %s", r->work);
}

static ink_status training_open(training *t, const run *r, ink_error *error) {
  *t = (training){.run = r, .lasting = ink_arena_new(0), .passing = ink_arena_new(0)};
  if (!t->lasting || !t->passing) return no_memory(r, error);
  ink_decoder_init init = {.seed = 1, .std = 0.02f, .residual = INK_RESIDUAL_SCALED};
  INK_TRY(ink_decoder_new(&r->model, &init, &t->decoder, error));
  ink_parameter *parameters = ink_decoder_parameters(t->decoder, &t->n_trained);
  t->trained = ink_arena_zeros(t->lasting, t->n_trained, sizeof *t->trained);
  if (!t->trained) return no_memory(r, error);
  for (size_t i = 0; i < t->n_trained; i++) {
    ink_tensor *value = parameters[i].tensor;
    ink_tensor *gradient = ink_tensor_new(t->lasting, INK_F32, value->rank, value->shape);
    if (!gradient) return no_memory(r, error);
    INK_TRY(ink_tape_parameter(t->lasting, value, gradient, error));
    bool matrix = parameters[i].role == INK_PARAMETER_MATRIX;
    t->trained[i] = (ink_trained){.name = parameters[i].name,
                                  .value = value,
                                  .gradient = gradient,
                                  .rule = matrix && r->muon ? INK_RULE_MUON : INK_RULE_ADAMW,
                                  .decay = matrix};
  }
  ink_optimizer_options options = {.adam_rate = 1e-4,
                                   .beta1 = 0.9,
                                   .beta2 = 0.95,
                                   .epsilon = 1e-8,
                                   .muon_rate = 0.02,
                                   .muon_momentum = 0.95,
                                   .muon_decay = 0.1,
                                   .clip = 1};
  INK_TRY(ink_optimizer_new(t->lasting, &options, t->trained, t->n_trained, &t->optimizer, error));
  size_t n = (size_t)(r->rows * r->time);
  t->ids = ink_arena_zeros(t->lasting, n, sizeof *t->ids);
  t->targets = ink_arena_zeros(t->lasting, n, sizeof *t->targets);
  t->positions = ink_arena_zeros(t->lasting, n, sizeof *t->positions);
  t->first_key = ink_arena_zeros(t->lasting, n, sizeof *t->first_key);
  if (!t->ids || !t->targets || !t->positions || !t->first_key) return no_memory(r, error);
  ink_random random = ink_random_at(2, 0, 0);
  for (size_t i = 0; i < n; i++) {
    int32_t at = (int32_t)((int64_t)i % r->time), document = (int32_t)r->document;
    t->ids[i] = (int32_t)ink_random_below(&random, (uint64_t)r->model.vocab);
    t->targets[i] = (int32_t)ink_random_below(&random, (uint64_t)r->model.vocab);
    t->positions[i] = at % document;
    t->first_key[i] = at / document * document;
  }
  return INK_OK;
}

// Forward and backward of one pass; the mean loss is added to *loss.
static ink_status pass(training *t, ink_pool *pool, ink_precision precision, double *loss,
                       ink_error *error) {
  const run *r = t->run;
  int64_t n = r->rows * r->time;
  ink_arena_mark mark = ink_arena_save(t->passing);
  ink_compute c = {
      .arena = t->passing, .pool = pool, .tape = ink_tape_new(t->passing), .precision = precision};
  if (!c.tape) return no_memory(r, error);
  const int64_t shape[] = {r->rows, r->time};
  ink_tensor ids = ink_tensor_view(INK_I32, t->ids, 2, shape);
  ink_tensor positions = ink_tensor_view(INK_I32, t->positions, 2, shape);
  ink_tensor first_key = ink_tensor_view(INK_I32, t->first_key, 2, shape);
  ink_tensor targets = ink_tensor_view(INK_I32, t->targets, 1, &n);
  ink_decoder_input input = {.ids = &ids, .positions = &positions, .first_key = &first_key};
  const ink_tensor *hidden = ink_decoder_forward(&c, t->decoder, &input);
  hidden = ink_reshape(&c, hidden, 2, (int64_t[]){n, r->model.hidden});
  const ink_tensor *sum = ink_linear_cross_entropy(&c, hidden, ink_decoder_head_weight(t->decoder),
                                                   &targets, NULL, NULL);
  ink_tape_backward(&c, sum, 1.0f / (float)(n * r->passes));
  ink_status status = ink_compute_status(&c, error);
  if (status == INK_OK) *loss += (double)*(const float *)sum->data / (double)(n * r->passes);
  ink_arena_release(t->passing, mark);
  return status;
}

static ink_status update(training *t, ink_pool *pool, ink_precision precision, double *loss,
                         ink_error *error) {
  for (size_t i = 0; i < t->n_trained; i++) {
    const ink_tensor *g = t->trained[i].gradient;
    memset(g->data, 0, (size_t)ink_tensor_elements(g) * sizeof(float));
  }
  *loss = 0;
  for (int64_t i = 0; i < t->run->passes; i++) {
    INK_TRY(pass(t, pool, precision, loss, error));
  }
  double norm;
  return ink_optimizer_step(t->optimizer, pool, ++t->step, 1, &norm, error);
}

static ink_status measure(ink_benchmark *b, training *t, ink_error *error) {
  const run *r = t->run;
  int64_t tokens = r->rows * r->time * r->passes;
  double pairs = (double)tokens * (double)(r->document + 1) / 2;
  double work = ink_train_flops(&r->model, tokens, (int64_t)pairs), loss;
  for (int p = 0; p < 2; p++) {
    ink_precision precision = p ? INK_PRECISION_BF16 : INK_PRECISION_F32;
    double rates[99], limits[99];
    INK_TRY(update(t, b->pool, precision, &loss, error));  // memory is taken for the first time
    for (int i = 0; i < b->rounds; i++) {
      limits[i] = ink_roofline_measure(b->roofline, INK_ROOF_F32);
      double began = ink_clock_seconds();
      INK_TRY(update(t, b->pool, precision, &loss, error));
      rates[i] = work / (ink_clock_seconds() - began);
    }
    double rate = ink_benchmark_median(rates, b->rounds);
    char more[80];
    snprintf(more, sizeof more, "%.0f tokens/s, loss %.3f", (double)tokens * rate / work, loss);
    ink_benchmark_add(b, r->work, p ? "bf16" : "f32", rate, ink_benchmark_median(limits, b->rounds),
                      more);
    if (ink_roofline_measure(b->roofline, INK_ROOF_BF16) == 0) break;
  }
  return INK_OK;
}

ink_status ink_benchmark_training(ink_benchmark *b, ink_error *error) {
  for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
    training t;
    ink_status status = training_open(&t, &runs[i], error);
    if (status == INK_OK) status = measure(b, &t, error);
    training_close(&t);
    INK_TRY(status);
  }
  return INK_OK;
}
