// ControlNet (Zhang et al. 2023, arXiv 2302.05543), as diffusers' ControlNetModel: a copy of a
// UNet's way down that sees a picture besides, and adds what it finds to the UNet's skip
// connections.
#ifndef INK_MODELS_CONTROLNET_H
#define INK_MODELS_CONTROLNET_H

#include "models/unet.h"

enum { INK_CONTROLNET_LEVELS = 8 };

typedef struct ink_controlnet_config {
  ink_unet_config unet;   // its way down and its middle
  int32_t hint_channels;  // of the picture: 3
  int32_t n_hint;
  int32_t hint_widths[INK_CONTROLNET_LEVELS];  // of the network that shrinks the picture
  bool bgr;  // it wants the picture's colours in the order blue, green, red
} ink_controlnet_config;

// Read config.json. Errors as for UNets.
ink_status ink_controlnet_config_from_json(const json_t *json, const char *name,
                                           ink_controlnet_config *config, ink_error *error);

// The config of a file in the original's names, from its shapes below `prefix` ("control_model." or
// ""); as ink_unet_config_from_weights.
ink_status ink_controlnet_config_from_weights(const struct ink_weights *weights, const char *prefix,
                                              ink_controlnet_config *config, ink_error *error);

typedef struct ink_controlnet ink_controlnet;

// As ink_unet_new. In the naming LDM the tensors are called as in the original's files
// ("control_model." is the usual prefix).
ink_status ink_controlnet_new(const ink_controlnet_config *config, const ink_source *source,
                              ink_controlnet **controlnet, ink_error *error);
void ink_controlnet_free(ink_controlnet *controlnet);
const ink_controlnet_config *ink_controlnet_about(const ink_controlnet *controlnet);
ink_parameter *ink_controlnet_parameters(ink_controlnet *controlnet, size_t *n);
// The picture is so many times wider and higher than the latents: 8.
int32_t ink_controlnet_factor(const ink_controlnet *controlnet);

// What to add to a UNet's pass over the same input, times `strength`. `hint` is F32 (B, H * factor,
// W * factor, hint_channels) in [0, 1]. Without a tape, intermediate results are given back to the
// arena. False with the error in the compute context.
bool ink_controlnet_forward(ink_compute *c, const ink_controlnet *controlnet,
                            const ink_unet_input *input, const ink_tensor *hint, float strength,
                            ink_unet_residuals *residuals);

#endif
