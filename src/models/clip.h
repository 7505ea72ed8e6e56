// The text encoders of Stable Diffusion: CLIP (Radford et al. 2021, arXiv 2103.00020) as
// transformers' CLIPTextModel and CLIPTextModelWithProjection; OpenCLIP's H and bigG have the same
// form.
#ifndef INK_MODELS_CLIP_H
#define INK_MODELS_CLIP_H

#include <jansson.h>

#include "models/decoder.h"
#include "models/source.h"
#include "tensor/ops.h"

typedef struct ink_clip_config {
  int32_t vocab;
  int32_t context;  // 77
  int32_t n_layer;
  int32_t n_head;
  int32_t hidden;
  int32_t ff;
  int32_t projection;  // width of the projected pooled text; 0: none
  bool quick_gelu;     // else exact GELU
  float norm_epsilon;
  int32_t end_token;  // the pooled text is taken there; -1: at the highest id
} ink_clip_config;

// Read text_encoder/config.json. Errors as for UNets.
ink_status ink_clip_config_from_json(const json_t *json, const char *name, ink_clip_config *config,
                                     ink_error *error);
// The config of an encoder in a single file, from names and shapes below `prefix`. Heads have 64
// channels.
ink_status ink_clip_config_from_weights(const struct ink_weights *weights, const char *prefix,
                                        ink_naming naming, ink_clip_config *config,
                                        ink_error *error);
// CLIP ViT-L/14's text part: 12 layers of 768.
ink_clip_config ink_clip_config_large(void);

typedef struct ink_clip ink_clip;

// As ink_unet_new.
ink_status ink_clip_new(const ink_clip_config *config, const ink_source *source, ink_clip **clip,
                        ink_error *error);
void ink_clip_free(ink_clip *clip);
const ink_clip_config *ink_clip_about(const ink_clip *clip);
ink_parameter *ink_clip_parameters(ink_clip *clip, size_t *n);

typedef struct ink_clip_input {
  const ink_tensor *ids;  // I32 (B, T), T <= context
  // Textual inversion: rows (B, T, hidden) F32 instead of the table's, where ids alone decide the
  // end. NULL: looked up.
  const ink_tensor *embeddings;
  int32_t skip;     // how many of the last layers are left out of `hidden`: 1 is the penultimate
  bool final_norm;  // normalise `hidden` too (1.x, 2.x; not XL)
  bool pooled;      // also give pooled and projected, which need all layers
} ink_clip_input;

typedef struct ink_clip_output {
  ink_tensor *hidden;     // F32 (B, T, hidden)
  ink_tensor *pooled;     // F32 (B, hidden): last layer, normed, at the end token; or NULL
  ink_tensor *projected;  // F32 (B, projection), or NULL
} ink_clip_output;

// Encode. Ids outside the vocabulary and a skip outside [0, n_layer] are USAGE. Errors stay in the
// compute context; all three are NULL then.
ink_clip_output ink_clip_forward(ink_compute *c, const ink_clip *clip, const ink_clip_input *input);
// Rows of the token table (B, T, hidden), for textual inversion to change.
ink_tensor *ink_clip_embed(ink_compute *c, const ink_clip *clip, const ink_tensor *ids);

#endif
