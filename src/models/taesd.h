// The tiny autoencoder for previews and quick decoding (TAESD; madebyollin/taesd), as diffusers'
// AutoencoderTiny and in its own pairs of files.
#ifndef INK_MODELS_TAESD_H
#define INK_MODELS_TAESD_H

#include <jansson.h>

#include "models/decoder.h"
#include "models/source.h"
#include "tensor/ops.h"

enum { INK_TAESD_LEVELS = 8 };

typedef struct ink_taesd_config {
  int32_t in_channels, out_channels;  // 3
  int32_t latent_channels;            // 4
  int32_t n_level;                    // the same on both ways
  int32_t encoder_channels[INK_TAESD_LEVELS], decoder_channels[INK_TAESD_LEVELS];
  int32_t encoder_blocks[INK_TAESD_LEVELS], decoder_blocks[INK_TAESD_LEVELS];
  // Blocks at the latent's size see the whole picture through a normalised detour (FLUX.2's).
  bool pooled;
  double scaling_factor;  // the diffusion network's latents are latent * scale
  double shift_factor;
} ink_taesd_config;

// Read vae/config.json of class AutoencoderTiny. Errors as for UNets.
ink_status ink_taesd_config_from_json(const json_t *json, const char *name,
                                      ink_taesd_config *config, ink_error *error);
// The config of the project's own files (taesd_encoder.pth, taesd_decoder.pth and their relatives),
// or of a file in diffusers' names, from their shapes. Either may be NULL.
ink_status ink_taesd_config_from_weights(const struct ink_weights *encoder,
                                         const struct ink_weights *decoder,
                                         ink_taesd_config *config, ink_error *error);

typedef struct ink_taesd ink_taesd;

// Make one from a source for each half, or NULL to leave it out; of a diffusers folder both are the
// same. In the naming LDM they are the project's own files. Otherwise as ink_unet_new.
ink_status ink_taesd_new(const ink_taesd_config *config, const ink_source *encoder,
                         const ink_source *decoder, ink_taesd **taesd, ink_error *error);
// The decoder alone, out of what holds one: a diffusers folder with its config.json, a file in
// diffusers' names, or the project's own decoder file. A file alone has latents of the scale 1, as
// all published ones do. UNSUPPORTED: an encoder. Otherwise as above.
ink_status ink_taesd_new_decoder(const struct ink_weights *weights, ink_taesd **taesd,
                                 ink_error *error);
void ink_taesd_free(ink_taesd *taesd);
const ink_taesd_config *ink_taesd_about(const ink_taesd *taesd);
// Parameters of both halves, encoder first, by their names in diffusers.
ink_parameter *ink_taesd_parameters(ink_taesd *taesd, size_t *n);
int32_t ink_taesd_factor(const ink_taesd *taesd);

// Pictures F32 (B, H, W, 3) in [-1, 1] to latents F32 (B, H / factor, W / factor, latent_channels),
// and back. USAGE when the half was left out. Errors stay in the compute context; NULL then.
ink_tensor *ink_taesd_encode(ink_compute *c, const ink_taesd *taesd, const ink_tensor *picture,
                             ink_dtype activations);
ink_tensor *ink_taesd_decode(ink_compute *c, const ink_taesd *taesd, const ink_tensor *latents,
                             ink_dtype activations);

#endif
