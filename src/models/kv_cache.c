// The key/value cache: one tensor (B, positions, G, D) per layer for keys and one for values.
#include "models/kv_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "models/decoder.h"

enum { FIRST_POSITIONS = 64 };

struct ink_kv_cache {
  ink_dtype dtype;
  int32_t n_layer;
  int64_t n_batch, capacity, length;
  int64_t allocated;  // positions there is memory for
  int64_t n_kv_head, head_dim;
  unsigned char *memory;  // layer after layer: keys, values
};

ink_status ink_kv_cache_new(const ink_decoder_config *config, int64_t n_batch, int64_t capacity,
                            ink_dtype dtype, ink_kv_cache **cache, ink_error *error) {
  *cache = NULL;
  if (dtype != INK_F32 && dtype != INK_F16) {
    return ink_fail(error, INK_ERR_USAGE, "a cache holds F32 or F16, not %s",
                    ink_dtype_about(dtype)->name);
  }
  if (n_batch < 1 || capacity < 1) {
    return ink_fail(error, INK_ERR_USAGE, "a cache for %lld sequences of %lld positions",
                    (long long)n_batch, (long long)capacity);
  }
  ink_kv_cache *made = calloc(1, sizeof *made);
  if (!made) return ink_fail(error, INK_ERR_MEMORY, "no memory for a cache");
  *made = (ink_kv_cache){.dtype = dtype,
                         .n_layer = config->n_layer,
                         .n_batch = n_batch,
                         .capacity = capacity,
                         .n_kv_head = config->n_kv_head,
                         .head_dim = config->head_dim};
  *cache = made;
  return INK_OK;
}

void ink_kv_cache_free(ink_kv_cache *cache) {
  if (!cache) return;
  free(cache->memory);
  free(cache);
}

int64_t ink_kv_cache_length(const ink_kv_cache *cache) {
  return cache->length;
}

static size_t position_bytes(const ink_kv_cache *cache) {
  return (size_t)(cache->n_kv_head * cache->head_dim) * ink_dtype_about(cache->dtype)->block_bytes;
}

size_t ink_kv_cache_bytes(const ink_kv_cache *cache) {
  return (size_t)(2 * cache->n_layer * cache->n_batch * cache->allocated) * position_bytes(cache);
}

void ink_kv_cache_truncate(ink_kv_cache *cache, int64_t length) {
  if (length < 0) length = 0;
  if (length < cache->length) cache->length = length;
}

// Copy the first `length` positions of every sequence of every layer between two layouts.
static void copy_positions(unsigned char *to, int64_t to_positions, const unsigned char *from,
                           int64_t from_positions, int64_t n_sequences, int64_t length,
                           size_t bytes) {
  if (length == 0) return;
  for (int64_t i = 0; i < n_sequences; i++) {
    memcpy(to + (size_t)(i * to_positions) * bytes, from + (size_t)(i * from_positions) * bytes,
           (size_t)length * bytes);
  }
}

static int64_t n_sequences(const ink_kv_cache *cache) {
  return 2 * cache->n_layer * cache->n_batch;
}

static ink_status reserve(ink_kv_cache *cache, int64_t positions, ink_error *error) {
  if (positions > cache->capacity) {
    return ink_fail(error, INK_ERR_USAGE,
                    "%lld positions do not fit the cache, which holds %lld; shorten the text or "
                    "raise the context",
                    (long long)positions, (long long)cache->capacity);
  }
  if (positions <= cache->allocated) return INK_OK;
  int64_t wanted = cache->allocated ? 2 * cache->allocated : FIRST_POSITIONS;
  if (wanted < positions) wanted = positions;
  if (wanted > cache->capacity) wanted = cache->capacity;
  size_t size = position_bytes(cache);
  unsigned char *memory = NULL;
  if (ink_mul_size(size, (size_t)n_sequences(cache), &size) &&
      ink_mul_size(size, (size_t)wanted, &size)) {
    memory = malloc(size);
  }
  if (!memory) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory for a cache of %lld positions",
                    (long long)wanted);
  }
  copy_positions(memory, wanted, cache->memory, cache->allocated, n_sequences(cache), cache->length,
                 position_bytes(cache));
  free(cache->memory);
  cache->memory = memory;
  cache->allocated = wanted;
  return INK_OK;
}

// Positions [0, length) of one layer's keys (which = 0) or values (which = 1).
static ink_tensor layer_view(const ink_kv_cache *cache, int32_t layer, int which, int64_t length) {
  int64_t shape[] = {cache->n_batch, cache->allocated, cache->n_kv_head, cache->head_dim};
  size_t sequence = (size_t)((2 * layer + which) * cache->n_batch);
  ink_tensor view = ink_tensor_view(
      cache->dtype, cache->memory + sequence * (size_t)cache->allocated * position_bytes(cache), 4,
      shape);
  view.shape[1] = length;
  return view;
}

void ink_kv_cache_append(ink_compute *c, ink_kv_cache *cache, int32_t layer, const ink_tensor *k,
                         const ink_tensor *v, ink_tensor *keys, ink_tensor *values) {
  if (!k || !v) return;
  int64_t length = cache->length + k->shape[1];
  ink_error error = {0};
  ink_status status = reserve(cache, length, &error);
  if (status != INK_OK) {
    ink_compute_fail(c, status, "%s", error.text);
    return;
  }
  *keys = layer_view(cache, layer, 0, length);
  *values = layer_view(cache, layer, 1, length);
  ink_store(c, k, ink_slice(c, keys, 1, cache->length, k->shape[1]));
  ink_store(c, v, ink_slice(c, values, 1, cache->length, v->shape[1]));
}

void ink_kv_cache_advance(ink_kv_cache *cache, int64_t n) {
  cache->length += n;
}
