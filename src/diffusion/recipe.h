// What a painting was made of, as it is written into the picture: our own JSON, which repeats it,
// and the parameters that A1111's readers know.
#ifndef INK_DIFFUSION_RECIPE_H
#define INK_DIFFUSION_RECIPE_H

#include <jansson.h>

#include "base/hash.h"
#include "diffusion/extend.h"
#include "diffusion/infotext.h"
#include "diffusion/pipeline.h"

enum { INK_PAINT_MOST_LORAS = 16 };

typedef struct ink_paint_recipe_lora {
  char *path;
  char sha256[INK_SHA256_HEX];
  // Of a safetensors file without its header, by which others know plug-ins ("Lora hashes"); ""
  // where it is not known. It is found anew from the file and not kept in the JSON.
  char content_sha256[INK_SHA256_HEX];
  double weight;
  bool partial;  // tensors of it fit nothing and were left out
} ink_paint_recipe_lora;

typedef struct ink_paint_recipe_word {
  char *path, *word;  // word NULL: the file's own
  char sha256[INK_SHA256_HEX];
} ink_paint_recipe_word;

typedef struct ink_paint_recipe_control {
  char *kind;   // "canny" is computed from the picture; others tell what the picture is
  char *model;  // as a user names it
  char model_sha256[INK_SHA256_HEX], picture_sha256[INK_SHA256_HEX];
  double weight, start, end;
} ink_paint_recipe_control;

// What the picture carries in its noise and its pixels (mark/watermark/picture_watermark.h).
typedef struct ink_paint_recipe_watermark {
  bool stated;            // recipes from elsewhere, and old ones, say nothing
  char gaussian_key[17];  // Gaussian Shading under the key of this name; "": none
  bool dwt_dct;           // the message that Stable Diffusion's scripts write
  double kept;            // how much of that noise stands in the latent that is decoded; 0: none
} ink_paint_recipe_watermark;

// Zero-initialise it, or start from ink_paint_recipe_default. Strings are its own.
typedef struct ink_paint_recipe {
  char *model;  // as a user names it
  char model_sha256[INK_SHA256_HEX];
  char *prompt, *negative;  // without tags of plug-ins
  int32_t width, height, steps, clip_skip;
  double guidance_scale, guidance_rescale, strength;
  double eta;  // NAN: the sampler's own
  bool has_sampler, has_curve;
  ink_sampler_kind sampler;
  ink_curve curve;
  uint64_t seed, stream;
  ink_noise_kind noise;
  bool brownian;  // samplers of the SDE draw from a Brownian motion
  int32_t cache;  // step caching; 0: none
  uint64_t variation_seed;
  double variation;    // share of the way to that seed's noise
  ink_margins extend;  // all 0: none
  double hires_scale;  // of the second pass; 0: none
  double hires_strength;
  char *hires_upscaler;  // NULL: Lanczos
  char hires_sha256[INK_SHA256_HEX];
  char *taesd;  // tiny autoencoder that decoded the picture; NULL: the model's own
  char taesd_sha256[INK_SHA256_HEX];
  int32_t grid;   // how many pictures are side by side; 0: one picture
  bool upscaled;  // by `model`, and nothing else
  bool bf16;
  char init_sha256[INK_SHA256_HEX], mask_sha256[INK_SHA256_HEX];  // of the files; "": none
  ink_paint_recipe_lora loras[INK_PAINT_MOST_LORAS];
  size_t n_loras;
  ink_paint_recipe_word words[INK_PIPELINE_MOST_WORDS];
  size_t n_words;
  ink_paint_recipe_control controls[INK_PAINT_MOST_CONTROLS];
  size_t n_controls;
  ink_paint_recipe_watermark watermark;
} ink_paint_recipe;

void ink_paint_recipe_free(ink_paint_recipe *recipe);

// Take tags of plug-ins (diffusion/prompt.h) out of the prompt and put them behind the recipe's
// own. USAGE: a tag that does not parse, or too many.
ink_status ink_paint_recipe_take_tags(ink_paint_recipe *recipe, ink_error *error);

// As one JSON object, new; NULL without memory.
json_t *ink_paint_recipe_to_json(const ink_paint_recipe *recipe);
// Read it back; `name` is what errors call it. FORMAT: a member of a wrong type or out of range, or
// a version that is not known.
ink_status ink_paint_recipe_from_json(const json_t *json, const char *name,
                                      ink_paint_recipe *recipe, ink_error *error);

// As A1111's parameters.
ink_status ink_paint_recipe_to_infotext(const ink_paint_recipe *recipe, ink_infotext *info,
                                        ink_error *error);
// As a graph for ComfyUI's /prompt, which its editor opens: checkpoint, texts, sampler, decoder.
// New; NULL without memory, or for samplers that ComfyUI does not have.
json_t *ink_paint_recipe_to_comfyui(const ink_paint_recipe *recipe);
// Take what such a graph says, of ComfyUI's own: checkpoint, plug-ins, texts, empty latent and one
// sampler. Nodes that nothing here obeys are appended to `left`, comma-separated. `name` is what
// errors call it. UNSUPPORTED: a graph without a KSampler, or whose texts come from elsewhere;
// FORMAT: a number that is none.
ink_status ink_paint_recipe_from_comfyui(const json_t *graph, const char *name,
                                         ink_paint_recipe *recipe, ink_text *left,
                                         ink_error *error);
// Take what A1111's parameters say. Fields that nothing here obeys are appended to `left`,
// comma-separated: the picture cannot be met exactly. FORMAT: a number that is none.
ink_status ink_paint_recipe_from_infotext(const ink_infotext *info, ink_paint_recipe *recipe,
                                          ink_text *left, ink_error *error);

// The request that the recipe stands for; it borrows the recipe's strings and fields.
ink_paint_request ink_paint_recipe_request(const ink_paint_recipe *recipe);

#endif
