// The network that removes noise from latent pictures (Rombach et al. 2022, arXiv 2112.10752;
// Podell et al. 2023, arXiv 2307.01952), as diffusers' UNet2DConditionModel: Stable Diffusion 1.x,
// 2.x, XL base and refiner, their inpainting and few-step variants, and smaller ones of the same
// blocks.
#ifndef INK_MODELS_UNET_H
#define INK_MODELS_UNET_H

#include <jansson.h>

#include "models/decoder.h"
#include "models/source.h"
#include "tensor/ops.h"

enum { INK_UNET_LEVELS = 8, INK_UNET_LAYERS = 8 };

// One resolution of the network, the finest first.
typedef struct ink_unet_level {
  int32_t channels;
  int32_t n_layer;  // residual blocks on the way down; one more on the way up
  bool cross_down;  // with transformers, on the way down
  bool cross_up;    // and up
  // Blocks of the transformer behind each residual block, on the way down and up.
  int32_t depth[INK_UNET_LAYERS], depth_up[INK_UNET_LAYERS];
  int32_t n_head;
} ink_unet_level;

typedef struct ink_unet_config {
  int32_t in_channels;   // 4; 9 for inpainting (latent, mask, masked picture's latent); 8 for edits
  int32_t out_channels;  // 4
  int32_t sample_size;   // latent height and width it was trained for
  int32_t n_level;
  ink_unet_level levels[INK_UNET_LEVELS];
  bool mid;        // a middle part: a residual block,
  bool mid_cross;  // a transformer,
  bool mid_pair;   // and a second residual block
  int32_t mid_depth;
  int32_t n_group;  // of group norms
  float norm_epsilon;
  int32_t context;         // width of the text's hidden states
  bool linear_projection;  // into and out of transformers, instead of 1x1 convolutions
  bool flip_sin_to_cos;    // cosines first in the embedding of time
  float freq_shift;
  int32_t time_cond;      // width of the embedded guidance scale (LCM); 0: none
  int32_t pooled;         // XL: width of the pooled text; 0: none
  int32_t n_time_id;      // XL: sizes and crops, 6 (base) or 5 (refiner)
  int32_t time_id_width;  // XL: embedding of each of them, 256
} ink_unet_config;

// Read unet/config.json of diffusers. UNSUPPORTED: a block type or an option that is not known, by
// name. FORMAT: a field of the wrong type or range. CONFLICT: fields that contradict each other.
ink_status ink_unet_config_from_json(const json_t *json, const char *name, ink_unet_config *config,
                                     ink_error *error);
// The config of a single file, read from its tensors' names and shapes below `prefix`
// ("model.diffusion_model."). Heads are not in the shapes: 8 in each transformer where the text is
// 768 wide (1.x), else 64 channels each.
ink_status ink_unet_config_from_weights(const struct ink_weights *weights, const char *prefix,
                                        ink_unet_config *config, ink_error *error);
// Stable Diffusion 1.5's.
ink_unet_config ink_unet_config_sd15(void);

typedef struct ink_unet ink_unet;

// Make one from a source (models/source.h). *unet is the caller's; NULL on failure. A tensor that
// is missing is NOT_FOUND, one of another shape or too many CONFLICT, all by name.
ink_status ink_unet_new(const ink_unet_config *config, const ink_source *source, ink_unet **unet,
                        ink_error *error);
void ink_unet_free(ink_unet *unet);
const ink_unet_config *ink_unet_about(const ink_unet *unet);
// All parameters in the order of the forward pass, by their names in diffusers.
ink_parameter *ink_unet_parameters(ink_unet *unet, size_t *n);

enum { INK_UNET_MOST_SKIPS = INK_UNET_LEVELS * 8 };
// How many tensors the way down leaves for the way up.
size_t ink_unet_n_skips(const ink_unet_config *config);

// What a ControlNet adds to the skip connections (B, H', W', C) and to the middle.
typedef struct ink_unet_residuals {
  const ink_tensor *skips[INK_UNET_MOST_SKIPS];
  size_t n;
  const ink_tensor *middle;
} ink_unet_residuals;

// Keys and values of the text in every transformer: they do not change from step to step.
typedef struct ink_unet_text ink_unet_text;

// What the deep part of one evaluation made, to stand in for that part in later ones, since it
// changes slowly from step to step (DeepCache: Ma et al. 2023, arXiv 2312.00858).
typedef struct ink_unet_deep {
  // Steps of the way up, the last ones, that are computed in every evaluation, with as many of the
  // way down: 1 … ink_unet_n_skips - 1.
  int32_t shallow;
  // Take what is kept in place of the rest, gone on with along the line through the last two
  // timesteps, by half of what lies between them at most; else compute it, and keep it.
  bool reuse;
  ink_arena *arena;         // where features are kept: not the arena of intermediate results
  int32_t n;                // how many are: 0 at first
  ink_tensor *features[2];  // the last kept, and the one before
  float timesteps[2];       // theirs
} ink_unet_deep;

typedef struct ink_unet_input {
  const ink_tensor *sample;           // F32 (B, H, W, in_channels)
  const ink_tensor *timesteps;        // F32 (B)
  const ink_tensor *context;          // F32 (B, S, context); may be NULL with `text`
  const ink_unet_text *text;          // or NULL: computed from `context`
  const ink_tensor *pooled;           // XL: F32 (B, pooled)
  const ink_tensor *time_ids;         // XL: F32 (B, n_time_id)
  const ink_tensor *guidance;         // LCM: F32 (B), the guidance scale less 1; NULL for zeros
  const ink_unet_residuals *control;  // or NULL
  ink_unet_deep *deep;                // or NULL: all is computed
  ink_dtype activations;  // INK_F32, or INK_BF16 to halve memory; never BF16 with a tape
} ink_unet_input;

// The text's keys and values for all steps, in the arena. Batches of the forward pass must be
// those of `context`. Errors stay in the compute context; NULL then.
ink_unet_text *ink_unet_prepare_text(ink_compute *c, const ink_unet *unet,
                                     const ink_tensor *context, ink_dtype activations);

// One evaluation: F32 (B, H, W, out_channels). Height and width of any size. Without a tape,
// intermediate results are given back to the arena on the way. Errors stay in the compute context;
// NULL then.
ink_tensor *ink_unet_forward(ink_compute *c, const ink_unet *unet, const ink_unet_input *input);

#endif
