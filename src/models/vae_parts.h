// Inside the room: the parts of an autoencoder, which run over whole pictures or band by band.
#ifndef INK_MODELS_VAE_PARTS_H
#define INK_MODELS_VAE_PARTS_H

#include "models/network.h"
#include "models/vae.h"

typedef struct ink_vae_level {
  ink_resnet *resnets;
  int32_t n;
  ink_convolution resample;  // to the next level; weight NULL at the last
} ink_vae_level;

typedef struct ink_vae_middle {
  ink_resnet first, second;
  ink_norm norm;
  ink_projection q, k, v, out;  // weight NULL: no attention
} ink_vae_middle;

typedef struct ink_vae_half {
  ink_convolution in, out;
  ink_vae_level *levels;  // in the order of the forward pass
  ink_vae_middle middle;
  ink_norm out_norm;
} ink_vae_half;

struct ink_vae {
  ink_vae_config config;
  ink_network network;
  ink_vae_half encoder, decoder;
  ink_convolution quant, post_quant;  // weight NULL: none
};

static inline ink_groups ink_vae_groups(const ink_vae *vae) {
  return (ink_groups){vae->config.n_group, 1e-6f};
}

ink_tensor *ink_vae_run_middle(ink_compute *c, const ink_vae_middle *w, ink_groups groups,
                               ink_tensor *x);

// ---- bands --------------------------------------------------------------------------------------

// The same networks, layer after layer in bands of rows: two pictures' memory by turns instead of
// all that a layer has at once, and the same bytes, for each norm sees the statistics of the whole
// picture and each band the rows around it. One picture at a time, no tape.
static inline bool ink_vae_in_bands(const ink_compute *c, const ink_tensor *x) {
  return !c->tape && x->shape[0] == 1;
}
// Picture F32 to both moments side by side, in the activations' type. Bands of about `band_bytes`
// (0: enough that the rows seen twice cost little), which never change a byte.
ink_tensor *ink_vae_encode_bands(ink_compute *c, const ink_vae *vae, const ink_tensor *picture,
                                 ink_dtype activations, size_t band_bytes);
// Latents F32 to the picture F32.
ink_tensor *ink_vae_decode_bands(ink_compute *c, const ink_vae *vae, const ink_tensor *latents,
                                 ink_dtype activations, size_t band_bytes);

#endif
