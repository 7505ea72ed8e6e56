// Where the parameters of a network come from: weights in one of the layouts in which the parts of
// Stable Diffusion are published, or fresh random numbers.
#ifndef INK_MODELS_SOURCE_H
#define INK_MODELS_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

struct ink_weights;

// How tensors are called.
typedef enum ink_naming {
  INK_NAMING_DIFFUSERS,  // as diffusers and transformers save them
  INK_NAMING_LDM,        // as latent-diffusion did (CompVis): single files of Stable Diffusion
  INK_NAMING_OPENCLIP    // as OpenCLIP does: text encoders in single files of 2.x and XL
} ink_naming;

typedef struct ink_source {
  // NULL: fresh numbers, normal with a variance of 1 / (3 fan_in) (as torch's layers begin), norms
  // one, biases zero; each tensor keyed by (seed, its name).
  const struct ink_weights *weights;
  uint64_t seed;
  // Fresh matrices in BF16, uniform with the same variance: quick to make and half the size, to
  // measure speed with the shapes of a published model.
  bool rough;
  const char *prefix;  // stands before every name ("first_stage_model."); NULL for nothing
  ink_naming naming;
  // Take F32 copies, to train on; `weights` may be closed afterwards. Otherwise tensors stay where
  // they are and `weights` must outlive the network.
  bool trainable;
  // Tensors below the prefix that the network has no use for are let pass instead of refused.
  bool allow_foreign;
} ink_source;

#endif
