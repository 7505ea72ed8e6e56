// Inside the room: what the parameters of Stable Diffusion's parts are called in single files, in
// the order of their original code: latent-diffusion (CompVis) and OpenCLIP.
#ifndef INK_MODELS_NAMING_H
#define INK_MODELS_NAMING_H

#include "models/network.h"

// Each takes the name in diffusers or transformers and gives the stored one; false when there is
// none. `config` is the network's.
bool ink_unet_stored_name(const void *config, ink_naming naming, const char *name,
                          ink_stored_name *out);
bool ink_vae_stored_name(const void *config, ink_naming naming, const char *name,
                         ink_stored_name *out);
// Text encoders: OpenCLIP keeps q, k and v in one tensor and the projection transposed. `config` is
// not used.
bool ink_clip_stored_name(const void *config, ink_naming naming, const char *name,
                          ink_stored_name *out);

#endif
