// The autoencoder between pictures and latents (Rombach et al. 2022, arXiv 2112.10752), as
// diffusers' AutoencoderKL.
#ifndef INK_MODELS_VAE_H
#define INK_MODELS_VAE_H

#include <jansson.h>

#include "models/decoder.h"
#include "models/source.h"
#include "tensor/ops.h"

enum { INK_VAE_LEVELS = 8 };

typedef struct ink_vae_config {
  int32_t in_channels, out_channels;  // 3
  int32_t latent_channels;            // 4
  int32_t n_level;
  int32_t channels[INK_VAE_LEVELS];
  int32_t n_layer;  // residual blocks of a level on the way down; one more on the way up
  int32_t n_group;
  bool mid_attention;
  bool quant, post_quant;  // 1x1 convolutions on the latents
  double scaling_factor;   // the network's latents are (latent - shift) * scale
  double shift_factor;
} ink_vae_config;

// Read vae/config.json. Errors as for UNets.
ink_status ink_vae_config_from_json(const json_t *json, const char *name, ink_vae_config *config,
                                    ink_error *error);
// The config of a single file, from names and shapes below `prefix` ("first_stage_model."). The
// scaling factor is not in the shapes: 0.18215, that of 1.x and 2.x.
ink_status ink_vae_config_from_weights(const struct ink_weights *weights, const char *prefix,
                                       ink_vae_config *config, ink_error *error);
// Stable Diffusion 1.5's.
ink_vae_config ink_vae_config_sd15(void);

typedef struct ink_vae ink_vae;

// As ink_unet_new.
ink_status ink_vae_new(const ink_vae_config *config, const ink_source *source, ink_vae **vae,
                       ink_error *error);
void ink_vae_free(ink_vae *vae);
const ink_vae_config *ink_vae_about(const ink_vae *vae);
ink_parameter *ink_vae_parameters(ink_vae *vae, size_t *n);
// Latent pixels are so many picture pixels wide and high: 8.
int32_t ink_vae_factor(const ink_vae *vae);

// Distribution of the latents of a picture.
typedef struct ink_vae_moments {
  ink_tensor *mean;          // F32 (B, H / factor, W / factor, latent_channels)
  ink_tensor *log_variance;  // the same, kept within [-30, 20]
} ink_vae_moments;

// Encode pictures F32 (B, H, W, 3) in [-1, 1]; H and W are multiples of the factor. Latents are
// not scaled: see the config. activations: INK_F32, or INK_BF16, whose range is the same, so that
// neither overflows. Errors stay in the compute context; NULL then.
ink_vae_moments ink_vae_encode(ink_compute *c, const ink_vae *vae, const ink_tensor *picture,
                               ink_dtype activations);
// Decode latents F32 (B, h, w, latent_channels), scaling undone, to pictures F32 (B, h * factor,
// w * factor, 3), about in [-1, 1].
ink_tensor *ink_vae_decode(ink_compute *c, const ink_vae *vae, const ink_tensor *latents,
                           ink_dtype activations);

#endif
