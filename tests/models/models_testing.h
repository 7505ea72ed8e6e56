// What the tests of models share: the reference models with what transformers says of them.
#ifndef INK_TESTS_MODELS_TESTING_H
#define INK_TESTS_MODELS_TESTING_H

#include <math.h>

#include "models/decoder.h"
#include "scratch.h"
#include "testing.h"
#include "weights/weights.h"

// One file of a reference model, and the logits that belong to it.
typedef struct reference {
  const char *path, *expected;  // below tests/fixtures/models
  bool quantised;
} reference;

static const reference references[] = {
    {"gpt2", "gpt2/expected.safetensors", false},
    {"gpt2/model.gguf", "gpt2/expected.safetensors", false},
    {"gpt2-bf16", "gpt2-bf16/expected.safetensors", false},
    {"llama", "llama/expected.safetensors", false},
    {"llama/model.gguf", "llama/expected.safetensors", false},
    {"llama-tied", "llama-tied/expected.safetensors", false},
    {"llama-tied/model.gguf", "llama-tied/expected.safetensors", false},
    {"qwen2", "qwen2/expected.safetensors", false},
    {"qwen2/model.gguf", "qwen2/expected.safetensors", false},
    {"qwen3", "qwen3/expected.safetensors", false},
    {"qwen3/model.gguf", "qwen3/expected.safetensors", false},
    {"qwen3/model-q8_0.gguf", "qwen3/expected-q8_0.safetensors", true},
    {"qwen3/model-q4_0.gguf", "qwen3/expected-q4_0.safetensors", true},
    {"qwen3-k", "qwen3-k/expected.safetensors", true},
};
enum { N_REFERENCES = sizeof references / sizeof *references };
static const int prompt_lengths[] = {1, 2, 7, 33};

static inline const char *model_path(const char *name) {
  return below(fixture_path("models"), name);
}

static inline ink_status read_config(const ink_weights *weights, ink_decoder_config *config,
                                     ink_error *error) {
  return ink_weights_format_of(weights) == INK_WEIGHTS_GGUF
             ? ink_decoder_config_from_gguf(weights, config, error)
             : ink_decoder_config_from_json(ink_weights_config(weights), "config.json", config,
                                            error);
}

static inline ink_decoder *open_decoder(const ink_weights *weights) {
  ink_error error = {0};
  ink_decoder_config config;
  ink_decoder *decoder;
  assert_ok(read_config(weights, &config, &error));
  assert_ok(ink_decoder_open(&config, weights, &decoder, &error));
  return decoder;
}

static inline ink_weights *open_weights(const char *name) {
  ink_error error = {0};
  ink_weights *weights;
  assert_ok(ink_weights_open(model_path(name), &weights, &error));
  return weights;
}

// Logits (T, V) of ids, run in pieces: the lengths of `pieces` in turn, over and over; NULL: whole
// and without a cache. malloc'ed.
static inline float *run_pieces(const ink_decoder *decoder, const int32_t *ids, int64_t n,
                                const int *pieces, ink_dtype cache_type, int threads) {
  ink_error error = {0};
  ink_compute c = {.arena = ink_arena_new(0), .pool = ink_pool_new(threads)};
  int64_t vocab = ink_decoder_about(decoder)->vocab;
  float *logits = malloc((size_t)(n * vocab) * sizeof *logits);
  ink_kv_cache *cache = NULL;
  if (pieces) {
    assert_ok(ink_kv_cache_new(ink_decoder_about(decoder), 1, n, cache_type, &cache, &error));
  }
  int turn = 0;
  for (int64_t start = 0; start < n;) {
    int64_t length = n - start;
    if (pieces) {
      if (pieces[turn] < length) length = pieces[turn];
      turn = pieces[turn + 1] ? turn + 1 : 0;
    }
    ink_tensor view =
        ink_tensor_view(INK_I32, (int32_t *)(uintptr_t)ids + start, 2, (int64_t[]){1, length});
    ink_decoder_input input = {.ids = &view, .cache = cache};
    ink_tensor *out = ink_decoder_head(&c, decoder, ink_decoder_forward(&c, decoder, &input));
    assert_ok(ink_compute_status(&c, &error));
    assert_int_equal(ink_tensor_elements(out), length * vocab);
    memcpy(logits + start * vocab, out->data, (size_t)(length * vocab) * sizeof *logits);
    start += length;
  }
  ink_kv_cache_free(cache);
  ink_pool_free(c.pool);
  ink_arena_free(c.arena);
  return logits;
}

static inline double largest_difference(const float *a, const float *b, size_t n) {
  double most = 0;
  for (size_t i = 0; i < n; i++) {
    double difference = fabs((double)a[i] - (double)b[i]);
    if (!(difference <= most)) most = difference;  // a NaN counts
  }
  return most;
}

#endif
