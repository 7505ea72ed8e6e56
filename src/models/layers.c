// Layers that several architectures share: projections, norms, cached attention, rotary frequencies
// (Su et al. 2021; the "llama3" scaling is that of the Llama 3.1 release).
#include "models/layers.h"

#include <math.h>

#include "models/architecture.h"

ink_tensor *ink_project(ink_compute *c, const ink_tensor *x, const ink_projection *projection) {
  const ink_tensor *weight = projection->weight;
  if (projection->transposed) weight = ink_permute(c, weight, (const int[]){1, 0});
  return ink_linear(c, x, weight, projection->bias);
}

ink_tensor *ink_normalise(ink_compute *c, const ink_tensor *x, const ink_norm *norm,
                          float epsilon) {
  return norm->bias ? ink_layer_norm(c, x, norm->weight, norm->bias, epsilon)
                    : ink_rms_norm(c, x, norm->weight, epsilon);
}

ink_tensor *ink_split_heads(ink_compute *c, const ink_tensor *x, int64_t n_head) {
  if (!x) return NULL;
  return ink_reshape(c, x, 4, (const int64_t[]){x->shape[0], x->shape[1], n_head, -1});
}

ink_tensor *ink_merge_heads(ink_compute *c, const ink_tensor *x) {
  if (!x) return NULL;
  return ink_reshape(c, x, 3, (const int64_t[]){x->shape[0], x->shape[1], -1});
}

// Each sequence over a cache of its own.
static ink_tensor *attend_apart(ink_compute *c, const ink_pass *pass, int32_t layer,
                                const ink_tensor *q, const ink_tensor *k, const ink_tensor *v,
                                float scale) {
  ink_tensor *all = ink_tensor_new(c->arena, INK_F32, 4, q->shape);
  if (!all) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for attention");
  for (int64_t b = 0; b < q->shape[0]; b++) {
    ink_kv_cache *cache = pass->input->caches[b];
    ink_tensor keys, values;
    ink_attention_mask mask = {.causal = true, .query_offset = ink_kv_cache_length(cache)};
    ink_kv_cache_append(c, cache, layer, ink_slice(c, k, 0, b, 1), ink_slice(c, v, 0, b, 1), &keys,
                        &values);
    if (c->error.status != INK_OK) return NULL;
    ink_store(c, ink_attention(c, ink_slice(c, q, 0, b, 1), &keys, &values, scale, mask),
              ink_slice(c, all, 0, b, 1));
  }
  return all;
}

ink_tensor *ink_attend(ink_compute *c, const ink_pass *pass, int32_t layer, const ink_tensor *q,
                       const ink_tensor *k, const ink_tensor *v) {
  if (!q || !k || !v) return NULL;
  float scale = 1.0f / sqrtf((float)q->shape[3]);
  if (pass->input->caches) {
    return ink_merge_heads(c, attend_apart(c, pass, layer, q, k, v, scale));
  }
  ink_tensor keys, values;
  if (pass->input->cache) {
    keys = *k;
    values = *v;
    ink_kv_cache_append(c, pass->input->cache, layer, k, v, &keys, &values);
    k = &keys;
    v = &values;
  }
  return ink_merge_heads(c, ink_attention(c, q, k, v, scale, pass->mask));
}

ink_tensor *ink_drop(ink_compute *c, const ink_pass *pass, int32_t place, const ink_tensor *x) {
  const ink_decoder_input *input = pass->input;
  // 2^16 places in each step: more than two for each of the layers a config may have.
  uint64_t stream = (input->dropout_step << 16) + (uint64_t)place;
  return ink_dropout(c, x, input->dropout, ink_random_at(input->dropout_seed, stream, 0));
}

void ink_rope_frequencies(const ink_decoder_config *config, float *frequencies) {
  int32_t n = config->rope_dim / 2;
  for (int32_t i = 0; i < n; i++) {
    double frequency = pow(config->rope_theta, -(double)i / n);
    if (config->rope_scaling == INK_ROPE_LINEAR) frequency /= config->rope_factor;
    if (config->rope_scaling == INK_ROPE_LLAMA3) {
      double low = config->rope_low_frequency_factor, high = config->rope_high_frequency_factor;
      // How often this pair turned around within the original context.
      double turns = config->rope_original_context * frequency / (2 * M_PI);
      double keep = (turns - low) / (high - low);
      if (keep < 0) keep = 0;
      if (keep > 1) keep = 1;
      frequency = (1 - keep) * frequency / config->rope_factor + keep * frequency;
    }
    frequencies[i] = (float)frequency;
  }
}
