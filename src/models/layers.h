// Layers that several architectures share.
#ifndef INK_MODELS_LAYERS_H
#define INK_MODELS_LAYERS_H

#include "models/decoder.h"
#include "tensor/ops.h"

struct ink_pass;

// A linear layer. Stored (out, in), or (in, out) when `transposed`.
typedef struct ink_projection {
  ink_tensor *weight;
  ink_tensor *bias;  // or NULL
  bool transposed;
} ink_projection;

// A normalisation: RMSNorm, or LayerNorm when it has a bias.
typedef struct ink_norm {
  ink_tensor *weight;
  ink_tensor *bias;
} ink_norm;

// x (…, in) -> (…, out).
ink_tensor *ink_project(ink_compute *c, const ink_tensor *x, const ink_projection *projection);
ink_tensor *ink_normalise(ink_compute *c, const ink_tensor *x, const ink_norm *norm, float epsilon);

// (B, T, n_head * D) seen as (B, T, n_head, D), and back.
ink_tensor *ink_split_heads(ink_compute *c, const ink_tensor *x, int64_t n_head);
ink_tensor *ink_merge_heads(ink_compute *c, const ink_tensor *x);

// Causal attention of q (B, T, H, D) over k and v (B, T, G, D) and, with a cache, all that came
// before. Result (B, T, H * D).
ink_tensor *ink_attend(ink_compute *c, const struct ink_pass *pass, int32_t layer,
                       const ink_tensor *q, const ink_tensor *k, const ink_tensor *v);

// Dropout at a place of its own: 0 behind the embedding, then two in each layer.
ink_tensor *ink_drop(ink_compute *c, const struct ink_pass *pass, int32_t place,
                     const ink_tensor *x);

// Radians per position of each pair of elements, rope_dim / 2 of them: theta^(-2i / rope_dim),
// scaled as the config says.
void ink_rope_frequencies(const ink_decoder_config *config, float *frequencies);

#endif
