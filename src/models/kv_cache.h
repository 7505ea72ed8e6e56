// Keys and values of the positions a decoder has seen.
#ifndef INK_MODELS_KV_CACHE_H
#define INK_MODELS_KV_CACHE_H

#include "tensor/ops.h"

struct ink_decoder_config;

// Memory grows with the length, by doubling, up to the capacity.
typedef struct ink_kv_cache ink_kv_cache;

// An empty cache for `n_batch` sequences of up to `capacity` positions. dtype: F32, or F16 at half
// the size.
ink_status ink_kv_cache_new(const struct ink_decoder_config *config, int64_t n_batch,
                            int64_t capacity, ink_dtype dtype, ink_kv_cache **cache,
                            ink_error *error);
void ink_kv_cache_free(ink_kv_cache *cache);

int64_t ink_kv_cache_length(const ink_kv_cache *cache);
// Bytes its positions take now.
size_t ink_kv_cache_bytes(const ink_kv_cache *cache);

// Forget all positions from `length` on. A length beyond the present one changes nothing.
void ink_kv_cache_truncate(ink_kv_cache *cache, int64_t length);

// Write k and v (B, T, G, D) of one layer behind the present length and give views (B, length + T,
// G, D) of all that is there. The length itself moves once per step, with ink_kv_cache_advance.
void ink_kv_cache_append(ink_compute *c, ink_kv_cache *cache, int32_t layer, const ink_tensor *k,
                         const ink_tensor *v, ink_tensor *keys, ink_tensor *values);
void ink_kv_cache_advance(ink_kv_cache *cache, int64_t n);

#endif
