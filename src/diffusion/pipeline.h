// Painting with Stable Diffusion: text to picture, picture to picture, and parts of a picture anew.
#ifndef INK_DIFFUSION_PIPELINE_H
#define INK_DIFFUSION_PIPELINE_H

#include "base/pool.h"
#include "base/progress.h"
#include "diffusion/sampler.h"
#include "picture/picture.h"
#include "tensor/ops.h"

struct ink_stable_diffusion;

// A model that is ready to paint. Its weights are mapped; what the kernels make of them is kept
// from picture to picture. One picture at a time.
typedef struct ink_pipeline ink_pipeline;

// Open a diffusers folder, or a single file. CLIP's vocabulary for a single file is looked for in a
// folder `tokenizer` beside it, then in the hub's cache (NOT_FOUND says what to do); what the UNet
// of a 2.x file predicts is found out by running it once. `pool` outlives the pipeline (NULL: this
// thread alone). *pipeline is the caller's, NULL on failure.
ink_status ink_pipeline_open(const char *path, ink_pool *pool, ink_pipeline **pipeline,
                             ink_error *error);
void ink_pipeline_free(ink_pipeline *pipeline);
const struct ink_stable_diffusion *ink_pipeline_about(const ink_pipeline *pipeline);
// The sides of a picture as the model was trained for it.
int32_t ink_pipeline_side(const ink_pipeline *pipeline);
// The number that sides are multiples of: 8.
int32_t ink_pipeline_factor(const ink_pipeline *pipeline);

struct ink_lora_report;
// Merge a plug-in (models/lora.h) into the model, for all pictures from now on. *report says what
// it changed and what of it fits nothing, also on failure. CONFLICT: it belongs to another model,
// or tensors of it fit nothing, unless it may be `partial`.
ink_status ink_pipeline_merge_lora(ink_pipeline *pipeline, const char *path, double weight,
                                   bool partial, struct ink_lora_report *report, ink_error *error);
enum { INK_PIPELINE_MOST_LORAS = 16 };

// Teach the text encoders a word by textual inversion, from a .safetensors or PyTorch file in the
// layouts of diffusers and A1111 (XL: clip_l and clip_g). `word` is what stands for it in prompts,
// whatever its case; NULL: the one that diffusers' layout names, else the file's name without
// ending. CONFLICT: it was made for another model, or the word is taken.
ink_status ink_pipeline_add_embedding(ink_pipeline *pipeline, const char *path, const char *word,
                                      ink_error *error);
const char *ink_pipeline_word_at(const ink_pipeline *pipeline, size_t i);
enum { INK_PIPELINE_MOST_WORDS = 64 };

// Open a ControlNet (models/controlnet.h) beside the model: a diffusers folder, a file of one
// beside its config.json, or a file in the original's names. Requests name it by its number, from
// 0. CONFLICT: it was made for another model.
ink_status ink_pipeline_add_control(ink_pipeline *pipeline, const char *path, ink_error *error);
// Where its parameters lie.
const struct ink_weights *ink_pipeline_control_weights(const ink_pipeline *pipeline, size_t i);
enum { INK_PIPELINE_MOST_CONTROLS = 4, INK_PAINT_MOST_CONTROLS = 8 };

// Set a tiny autoencoder (TAESD, models/taesd.h) beside the model's own, in place of any before: a
// diffusers folder, a file in diffusers' names, or a decoder file of the project's own. Previews
// are decoded with it, and pictures where a request asks for it. CONFLICT: its latents are not the
// model's, with the channels and the factor of both; that it was made for the same family it
// cannot tell.
ink_status ink_pipeline_set_taesd(ink_pipeline *pipeline, const char *path, ink_error *error);
// Where its parameters lie; NULL: none was set.
const struct ink_weights *ink_pipeline_taesd_weights(const ink_pipeline *pipeline);

// A picture that leads the painting through a ControlNet.
typedef struct ink_paint_control {
  size_t model;                // which of the pipeline's ControlNets
  const ink_picture *picture;  // brought to the size asked for
  bool canny;                  // show its edges (picture/edges.h) instead of itself
  double weight;               // 1 as trained, 0 nothing, up to 10
  double start, end;           // share of the steps during which it leads: 0 and 1 for all
} ink_paint_control;

enum { INK_PAINT_MOST_SIDE = 4096, INK_PAINT_MOST_STEPS = 1000, INK_PAINT_MOST_CACHE = 100 };

// Is shown the picture as each step makes it out: small, one pixel for each of the latent's, or
// decoded where there is a tiny autoencoder, set or the model's own.
typedef struct ink_paint_preview {
  void (*show)(void *context, int32_t step, int32_t n_steps, const ink_picture *picture);
  void *context;
} ink_paint_preview;

// What to paint. Start from ink_paint_request_default.
typedef struct ink_paint_request {
  const char *prompt, *negative;  // in the syntax of diffusion/prompt.h
  int32_t width, height;          // multiples of the autoencoder's factor, 8; 0: the model's own
  int32_t steps;
  double guidance_scale;    // 1: none, and half the work
  double guidance_rescale;  // 0 to 1: keep the contrast of the prompt alone (arXiv 2305.08891)
  const ink_sampler_kind *sampler;  // NULL: the model's own
  const ink_curve *curve;           // NULL: the model's own
  double eta;                       // NAN: the sampler's own
  int32_t clip_skip;  // layers of the text encoder that are left out, beyond the model's
  uint64_t seed;
  uint64_t stream;  // which picture of a run, for the own generator
  ink_noise_kind noise;
  bool brownian;  // samplers of the SDE draw from a Brownian motion, as A1111 and ComfyUI do
  // Gets the first noise as it was drawn. NULL: it stays so.
  const ink_noise_shaper *first_noise;
  // How much of the first noise, 0 to 1, stands in the latent that is decoded, which is lessened to
  // make room: sqrt(1 - x x) latent + x noise, where the latent is lively; three tenths of it on
  // plain ground, and under a mask as much less as it is darker. What it carries is found again
  // where paintings themselves keep little of it.
  double kept_noise;
  const ink_picture *init;  // picture to begin from; brought to the size asked for
  double strength;          // share of the steps that it is painted over with, above 0, up to 1
  // What is painted anew: white all, black nothing, grey in part. Needs `init`, whose pixels stay
  // where the mask is black.
  const ink_picture *mask;
  const ink_paint_control *controls;  // n_controls of them; their effects add up
  size_t n_controls;
  ink_precision precision;  // of products, and with BF16 of what lies between
  // Most bytes of results and prepared weights, 0: any. Where they do not all fit at once, the
  // weights of text encoders, UNet and autoencoder are prepared in turn and let go again.
  size_t ram;
  // Step caching (DeepCache, arXiv 2312.00858): after the first quarter of the steps, the UNet's
  // deep part is computed in one evaluation of so many, and gone on with in between. 0 or 1: in
  // each.
  int32_t cache;
  bool last;  // no other picture follows: the UNet's prepared weights need not outlive its steps
  // Variations: the first noise turned towards that of another seed, by a share of 0 to 1.
  uint64_t variation_seed;
  double variation;
  bool
      taesd_decode;  // decode the picture with the tiny autoencoder that was set: quick and rougher
  const ink_paint_preview *preview;  // may be NULL
  bool keep_values;                  // give the picture before it is rounded, and its latent
  const ink_progress *progress;      // may be NULL; between steps it can stop the work
} ink_paint_request;

// 20 steps, guidance 7.5, strength 0.75, own noise, F32.
ink_paint_request ink_paint_request_default(void);

// What a request leaves to the model, decided.
typedef struct ink_paint_settled {
  int32_t width, height;
  ink_sampler_kind sampler;
  ink_curve curve;
} ink_paint_settled;
// Decide it as ink_pipeline_paint will. Errors of the model's own configuration.
ink_status ink_pipeline_settle(ink_pipeline *pipeline, const ink_paint_request *request,
                               ink_paint_settled *settled, ink_error *error);

// What came of it. The picture is the caller's (ink_painting_free).
typedef struct ink_painting {
  ink_picture picture;  // RGB
  float *values;        // asked for: (H, W, 3), about in [-1, 1]; before the mask keeps pixels
  float *latent;        // asked for: what it was decoded from, (C, H, W), as the UNet knows it
  int32_t width, height, steps;
  ink_sampler_kind sampler;
  ink_curve curve;
  double encode_seconds, decode_seconds;
  double *step_seconds;  // n_steps of them
  int32_t n_steps;
  int32_t n_reused;   // evaluations of the UNet whose deep part was that of an earlier one
  size_t peak_bytes;  // of results and prepared weights; the weights' file is mapped beside them
} ink_painting;
void ink_painting_free(ink_painting *painting);

// Paint. The picture depends on model, request and instruction set alone. With the CPU's noise and
// F32 it is diffusers' picture of the same seed. USAGE: a field out of range, by name; CANCELLED by
// the listener. A result that is not finite is INTERNAL and says after which step.
ink_status ink_pipeline_paint(ink_pipeline *pipeline, const ink_paint_request *request,
                              ink_painting *painting, ink_error *error);

#endif
