// A whole Stable Diffusion: its networks, found in a diffusers folder or in a single file, and what
// the files say about how to use them.
#ifndef INK_MODELS_STABLE_DIFFUSION_H
#define INK_MODELS_STABLE_DIFFUSION_H

#include <jansson.h>

#include "models/clip.h"
#include "models/taesd.h"
#include "models/unet.h"
#include "models/vae.h"
#include "weights/weights.h"

typedef enum ink_sd_family {
  INK_SD_1,          // text of width 768 from CLIP-L
  INK_SD_2,          // text of width 1024 from OpenCLIP H
  INK_SD_XL,         // text from CLIP-L and OpenCLIP bigG, pooled text, sizes
  INK_SD_XL_REFINER  // text from OpenCLIP bigG alone
} ink_sd_family;

// What the UNet's output stands for.
typedef enum ink_sd_prediction {
  INK_SD_PREDICTS_UNKNOWN,  // the file does not say: see ink_stable_diffusion_probe
  INK_SD_PREDICTS_EPSILON,
  INK_SD_PREDICTS_V,
  INK_SD_PREDICTS_SAMPLE
} ink_sd_prediction;

// A text encoder, and how its states are taken.
typedef struct ink_sd_text {
  ink_clip *clip;
  int32_t skip;  // layers left out, before any that a user leaves out
  bool final_norm;
  bool pooled;      // its projected text is what XL pools
  char *tokenizer;  // path of its tokenizer in a diffusers folder; NULL in a single file, whose
                    // tokenizer is CLIP's own
  int32_t pad;      // token behind the end: -1 for the end token again, else 0 (OpenCLIP)
} ink_sd_text;

enum { INK_SD_TEXTS = 2 };

typedef struct ink_stable_diffusion {
  char *path;
  ink_sd_family family;
  ink_sd_prediction prediction;
  bool zero_terminal_snr;
  json_t *scheduler;  // scheduler_config.json; NULL in a single file
  // What a folder's generation_config.json advises, as language models have it; 0: nothing.
  double guidance_scale;
  ink_sd_text texts[INK_SD_TEXTS];
  size_t n_text;
  ink_unet *unet;
  ink_vae *vae;  // one of the two, or neither where a single file leaves it out
  ink_taesd *taesd;
  struct ink_weights *weights[5];  // where the parameters lie
  size_t n_weights;
} ink_stable_diffusion;

// Open a diffusers folder (model_index.json, unet/, vae/, text_encoder/, text_encoder_2/,
// tokenizer/, scheduler/) or a single file (.safetensors, .ckpt). *sd is the caller's; NULL on
// failure. Tensors stay in the mapped files. NOT_FOUND names a part or a tensor that is missing,
// CONFLICT a tensor that belongs to none of the parts; leftovers of training are let pass.
ink_status ink_stable_diffusion_open(const char *path, ink_stable_diffusion **sd, ink_error *error);
void ink_stable_diffusion_free(ink_stable_diffusion *sd);

// "Stable Diffusion 2 (inpainting)", for messages; a static text.
const char *ink_stable_diffusion_name(const ink_stable_diffusion *sd);

// One SHA-256 for all files of the model: that of ink_weights_sha256 where there is one, else of
// these hashes, a line each, in the order of `weights`.
ink_status ink_stable_diffusion_sha256(const ink_stable_diffusion *sd, ink_hash_trust trust,
                                       char hex[INK_SHA256_HEX], ink_error *error);

// Decide between epsilon and v by running the UNet once on a plain picture at the last timestep.
// For single files of 2.x, which do not say; a rule of experience. The context's arena is given
// back. UNKNOWN with the error in the context.
ink_sd_prediction ink_stable_diffusion_probe(ink_compute *c, const ink_stable_diffusion *sd);

// What a single file holds.
typedef struct ink_sd_layout {
  ink_sd_family family;
  ink_sd_prediction prediction;
  bool zero_terminal_snr;
  const char *unet, *vae;  // prefixes; vae NULL: not there
  struct {
    const char *prefix;
    ink_naming naming;
  } texts[INK_SD_TEXTS];
  size_t n_text;
} ink_sd_layout;

// Tell by names and shapes. UNSUPPORTED: a diffusion model of another kind, by its name where it is
// known.
ink_status ink_sd_layout_of(const struct ink_weights *weights, ink_sd_layout *layout,
                            ink_error *error);

#endif
