// The upscaler ESRGAN (Wang et al. 2018, arXiv 1809.00219; Real-ESRGAN, arXiv 2107.10833): RRDBNet,
// in the project's newer and older files.
#ifndef INK_MODELS_ESRGAN_H
#define INK_MODELS_ESRGAN_H

#include "models/decoder.h"
#include "models/source.h"
#include "tensor/ops.h"

typedef struct ink_esrgan_config {
  int32_t in_channels, out_channels;  // of pictures: 3
  int32_t scale;                      // 1, 2 or 4 (older files also 8)
  int32_t unshuffle;  // squares of so many pixels go in as channels: 2 for scale 2, 4 for 1
  int32_t features;   // 64
  int32_t growth;     // 32
  int32_t n_block;    // 23
  int32_t n_up;       // enlargements by two: 2
} ink_esrgan_config;

// The config of a file, from its names and shapes. *naming tells which of the two it is: DIFFUSERS
// for "conv_first.weight", LDM for "model.0.weight". NOT_FOUND when it is neither.
ink_status ink_esrgan_config_from_weights(const struct ink_weights *weights,
                                          ink_esrgan_config *config, ink_naming *naming,
                                          ink_error *error);

typedef struct ink_esrgan ink_esrgan;

// As ink_unet_new.
ink_status ink_esrgan_new(const ink_esrgan_config *config, const ink_source *source,
                          ink_esrgan **esrgan, ink_error *error);
void ink_esrgan_free(ink_esrgan *esrgan);
const ink_esrgan_config *ink_esrgan_about(const ink_esrgan *esrgan);

// Pictures F32 (B, H, W, 3) in [0, 1] to F32 (B, H * scale, W * scale, 3), about in [0, 1]. H and W
// are multiples of `unshuffle`. One picture alone goes in bands of rows that take about
// `band_bytes` (0: enough that the rows seen twice cost little; small bands cost time), which never
// changes a byte. Errors stay in the compute context; NULL then.
ink_tensor *ink_esrgan_forward(ink_compute *c, const ink_esrgan *esrgan, const ink_tensor *picture,
                               ink_dtype activations, size_t band_bytes);

#endif
