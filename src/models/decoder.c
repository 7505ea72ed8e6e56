// The registry of decoders, and the forward pass that all of them share around their blocks.
#include "models/decoder.h"

#include <stdlib.h>
#include <string.h>

#include "models/architecture.h"

static const ink_architecture *const registry[] = {&ink_architecture_gpt2, &ink_architecture_llama,
                                                   &ink_architecture_qwen2,
                                                   &ink_architecture_qwen3};
enum { N_ARCHITECTURES = sizeof registry / sizeof *registry };

const ink_architecture *ink_architecture_find(const char *name, const char *input,
                                              ink_error *error) {
  char known[128] = "";
  for (size_t i = 0; i < N_ARCHITECTURES; i++) {
    if (strcmp(registry[i]->name, name) == 0) return registry[i];
    strcat(known, i ? ", " : "");
    strcat(known, registry[i]->name);
  }
  ink_fail(error, INK_ERR_UNSUPPORTED, "%s: architecture \"%.64s\" is not known (known: %s)", input,
           name, known);
  return NULL;
}

void ink_decoder_free(ink_decoder *decoder) {
  if (!decoder) return;
  ink_arena_free(decoder->arena);
  free(decoder->parameters);
  free(decoder);
}

const ink_decoder_config *ink_decoder_about(const ink_decoder *decoder) {
  return &decoder->config;
}

ink_parameter *ink_decoder_parameters(ink_decoder *decoder, size_t *n) {
  *n = decoder->n_parameter;
  return decoder->parameters;
}

int64_t ink_decoder_size(const ink_decoder *decoder) {
  int64_t size = 0;
  for (size_t i = 0; i < decoder->n_parameter; i++) {
    size += ink_tensor_elements(decoder->parameters[i].tensor);
  }
  return size;
}

const ink_tensor *ink_decoder_head_weight(const ink_decoder *decoder) {
  return decoder->head.weight;
}

ink_tensor *ink_decoder_head(ink_compute *c, const ink_decoder *decoder, const ink_tensor *hidden) {
  return ink_project(c, hidden, &decoder->head);
}

// ---- the forward pass --------------------------------------------------------------------------

// Every element of an I32 tensor (contiguous) within [0, limit).
static bool within(ink_compute *c, const ink_tensor *x, int32_t limit, const char *what) {
  const int32_t *values = x->data;
  int64_t n = ink_tensor_elements(x);
  for (int64_t i = 0; i < n; i++) {
    if (values[i] >= 0 && values[i] < limit) continue;
    ink_compute_fail(c, INK_ERR_USAGE, "%s %d (element %lld) is not in the model's range 0 to %d",
                     what, values[i], (long long)i, limit - 1);
    return false;
  }
  return true;
}

static bool is_ids(const ink_tensor *x, int64_t batch, int64_t time) {
  return x->dtype == INK_I32 && x->rank == 2 && x->shape[0] == batch && x->shape[1] == time &&
         ink_tensor_is_contiguous(x);
}

// Positions that sequence b has behind it.
static int64_t held(const ink_decoder_input *input, int64_t b) {
  const ink_kv_cache *cache = input->caches ? input->caches[b] : input->cache;
  return cache ? ink_kv_cache_length(cache) : 0;
}

static bool check_input(ink_compute *c, const ink_decoder *d, const ink_decoder_input *input) {
  char shape[96];
  const ink_tensor *ids = input->ids;
  if (!ids || ids->rank != 2 || !is_ids(ids, ids->shape[0], ids->shape[1]) || ids->shape[0] < 1 ||
      ids->shape[1] < 1) {
    ink_compute_fail(c, INK_ERR_USAGE, "a decoder takes ids I32 (B, T), not %s",
                     ids ? ink_tensor_describe(ids, shape) : "nothing");
    return false;
  }
  int64_t batch = ids->shape[0], time = ids->shape[1];
  const ink_tensor *same[] = {input->positions, input->first_key};
  for (size_t i = 0; i < 2; i++) {
    if (same[i] && !is_ids(same[i], batch, time)) {
      ink_compute_fail(c, INK_ERR_USAGE, "%s %s do not have the shape of the ids",
                       i ? "first keys" : "positions", ink_tensor_describe(same[i], shape));
      return false;
    }
  }
  if ((input->cache || input->caches) && c->tape) {
    ink_compute_fail(c, INK_ERR_USAGE, "a cache holds constants and cannot be trained through");
    return false;
  }
  if (input->caches && (input->cache || input->positions || input->first_key)) {
    ink_compute_fail(c, INK_ERR_USAGE,
                     "sequences with caches of their own share no cache, positions or first keys");
    return false;
  }
  for (int64_t b = 0; !input->positions && b < (input->caches ? batch : 1); b++) {
    int64_t length = held(input, b) + time;
    if (length <= d->config.context) continue;
    ink_compute_fail(c, INK_ERR_USAGE, "%lld tokens do not fit the model's context of %d",
                     (long long)length, d->config.context);
    return false;
  }
  return within(c, ids, d->config.vocab, "token") &&
         (!input->positions || within(c, input->positions, d->config.context, "position"));
}

// The positions behind what the caches hold: I32 (T), or (B, T) where each sequence has its own.
static ink_tensor *consecutive(ink_compute *c, const ink_decoder_input *input) {
  const int64_t *shape = input->ids->shape;
  int64_t batch = input->caches ? shape[0] : 1, time = shape[1];
  ink_tensor *positions =
      ink_tensor_new(c->arena, INK_I32, input->caches ? 2 : 1, input->caches ? shape : &time);
  if (!positions) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for positions");
  int32_t *values = positions->data;
  for (int64_t b = 0; b < batch; b++) {
    for (int64_t t = 0; t < time; t++) *values++ = (int32_t)(held(input, b) + t);
  }
  return positions;
}

// One block, its intermediate results given back at once: what it leaves is copied over x.
static void run_block_in_place(ink_compute *c, const ink_pass *pass, int32_t layer, ink_tensor *x) {
  ink_arena_mark mark = ink_arena_save(c->arena);
  ink_tensor *y = pass->decoder->architecture->block(c, pass, layer, x);
  ink_store(c, y, x);
  ink_arena_release(c->arena, mark);
}

ink_tensor *ink_decoder_forward(ink_compute *c, const ink_decoder *decoder,
                                const ink_decoder_input *input) {
  if (c->error.status != INK_OK || !check_input(c, decoder, input)) return NULL;
  int64_t time = input->ids->shape[1];
  ink_pass pass = {.decoder = decoder, .input = input};
  if (!input->caches) {
    pass.mask = (ink_attention_mask){
        .causal = true, .query_offset = held(input, 0), .first_key = input->first_key};
  }
  ink_tensor given;
  if (input->positions) {
    given = *input->positions;
    pass.positions = &given;
  } else {
    pass.positions = consecutive(c, input);
  }
  ink_tensor *x = decoder->architecture->embed(c, &pass);
  for (int32_t i = 0; x && i < decoder->config.n_layer; i++) {
    if (c->tape) {
      x = decoder->architecture->block(c, &pass, i, x);
    } else {
      run_block_in_place(c, &pass, i, x);
    }
  }
  x = ink_normalise(c, x, &decoder->final_norm, decoder->config.norm_epsilon);
  if (x && input->cache) ink_kv_cache_advance(input->cache, time);
  for (int64_t b = 0; x && input->caches && b < input->ids->shape[0]; b++) {
    ink_kv_cache_advance(input->caches[b], time);
  }
  return x;
}
