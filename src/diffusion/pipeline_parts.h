// Inside the room: the parts of a painting.
#ifndef INK_DIFFUSION_PIPELINE_PARTS_H
#define INK_DIFFUSION_PIPELINE_PARTS_H

#include "diffusion/brownian.h"
#include "diffusion/pipeline.h"
#include "diffusion/prompt.h"
#include "diffusion/scheduler_config.h"
#include "models/controlnet.h"
#include "models/lora.h"
#include "models/stable_diffusion.h"
#include "tensor/prepared.h"
#include "tokenizer/tokenizer.h"

typedef struct ink_pipeline_control {
  ink_controlnet *net;
  struct ink_weights *weights;
} ink_pipeline_control;

// A taught word: for each text encoder its rows among those of all words.
typedef struct ink_pipeline_word {
  char *word;
  int32_t first[INK_SD_TEXTS], n[INK_SD_TEXTS];  // n 0: that encoder reads it as any other
} ink_pipeline_word;

// The rows (n, width) that an encoder was taught.
typedef struct ink_pipeline_taught {
  float *rows;
  int64_t n;
} ink_pipeline_taught;

struct ink_pipeline {
  ink_stable_diffusion *model;
  ink_taesd *taesd;  // beside the model's own autoencoder; NULL: none
  struct ink_weights *taesd_weights;
  ink_tokenizer *tokenizers[INK_SD_TEXTS];
  ink_pool *pool;
  ink_prepared *prepared;
  ink_lora *loras[INK_PIPELINE_MOST_LORAS];
  size_t n_loras;
  ink_pipeline_control controls[INK_PIPELINE_MOST_CONTROLS];
  size_t n_controls;
  ink_pipeline_word words[INK_PIPELINE_MOST_WORDS];
  size_t n_words;
  ink_pipeline_taught taught[INK_SD_TEXTS];
};

// Which weights are prepared, where not all are at once.
typedef enum ink_paint_part {
  INK_PAINT_TEXTS,
  INK_PAINT_STEPS,
  INK_PAINT_PICTURES,
  INK_PAINT_NO_PART
} ink_paint_part;

// One painting under way. Latents are (H, W, C).
typedef struct ink_paint_run {
  ink_pipeline *pipeline;
  const ink_paint_request *request;
  int32_t width, height;   // of the picture
  int64_t h, w, channels;  // of the latent
  size_t n;                // its numbers
  bool guided;             // both prompts in one batch
  ink_compute kept;        // results that outlive steps: the texts
  ink_compute compute;     // results of a step
  ink_schedule *schedule;
  ink_sampler *sampler;
  ink_noise generator;
  ink_noise_source noise;          // of the generator, as (H, W, C)
  ink_brownian brownian;           // where the request asks for it
  float *memory;                   // behind the arrays below
  float *latent, *drawn, *turned;  // turned: a latent as (C, H, W)
  // Painting from a picture:
  float *clean;                    // its latent
  float *first;                    // the noise laid over it
  float *mask;                     // (H, W), 1: painted anew
  float *masked;                   // the latent of what stays, for inpainting models
  ink_picture init, mask_picture;  // at the size of the picture
  // ControlNets:
  const ink_tensor *hints[INK_PAINT_MOST_CONTROLS];  // what each is shown
  double step_begins, step_ends;                     // the step under way, as shares of the run
  // Memory: one part's weights at a time, and the most that was held when some were let go.
  bool one_part;
  ink_paint_part part;
  size_t most_bytes;
  // The texts as they read now:
  ink_text prompt, negative;
  const ink_tensor *context, *pooled;
  ink_unet_text *text;
  // Step caching; kept with the texts, and let go with them.
  ink_unet_deep deep;
  int32_t since;   // evaluations since it was filled
  int32_t reused;  // evaluations that it served
  ink_error *error;
} ink_paint_run;

// What the networks compute in between: half the memory and the fast kernels where 16 bits are
// asked for. Sums, latents and samplers stay in single precision.
static inline ink_dtype ink_paint_activations(const ink_paint_run *run) {
  return run->request->precision == INK_PRECISION_BF16 ? INK_BF16 : INK_F32;
}

// The vocabulary of a text encoder.
ink_status ink_paint_open_tokenizer(const ink_stable_diffusion *sd, size_t which,
                                    ink_tokenizer **tokenizer, ink_error *error);
// Find out what the UNet of a single file predicts, where it does not say.
ink_status ink_paint_probe(ink_stable_diffusion *sd, ink_pool *pool, ink_error *error);
// Take the memory of a run whose pipeline, request and error are set; release it, in any case, with
// ink_paint_release. USAGE: sides that the model does not take.
ink_status ink_paint_prepare(ink_paint_run *run);
void ink_paint_release(ink_paint_run *run);
// The model's noise, sampler and curve, as the request asks for them.
ink_status ink_paint_scheduler(const ink_paint_run *run, ink_scheduler_config *config);

// See whether the painting fits into what the request allows, and how. MEMORY: it does not, with
// what it would take.
ink_status ink_paint_budget(ink_paint_run *run);
// Called before a part of the model is used.
ink_status ink_paint_enter(ink_paint_run *run, ink_paint_part part);
// Let go of what the kernels made of the weights.
ink_status ink_paint_forget(ink_paint_run *run);
// The most that results and prepared weights took so far.
size_t ink_paint_peak(const ink_paint_run *run);
// An empty cache of prepared weights, which gives back the pages of the files as it fills; NULL
// without memory.
ink_prepared *ink_paint_prepared(ink_pipeline *pipeline);
// Give back the pages of a text encoder: none reads it until the prompt changes.
void ink_paint_let_text_go(const ink_pipeline *pipeline, size_t which);

// Show the picture as it is after a step, where the request asks for it.
void ink_paint_show(ink_paint_run *run, int32_t step, int32_t n_steps);

// Encode the prompts as they read at a step, unless they read so already.
ink_status ink_paint_texts(ink_paint_run *run, int32_t step);

// A latent of (C, H, W) to the run's (H, W, C), and back.
void ink_paint_turn_in(const ink_paint_run *run, const float *from, float *to);
void ink_paint_turn_out(const ink_paint_run *run, const float *from, float *to);
// Factor between latent and picture; channels of the latent.
int32_t ink_paint_factor(const ink_pipeline *pipeline);
int64_t ink_paint_channels(const ink_pipeline *pipeline);
// A picture of so many channels, transparency over white, at the run's size.
ink_status ink_paint_fit(const ink_paint_run *run, const ink_picture *from, int32_t channels,
                         ink_picture *out);
// A latent out of a picture at the run's size, scaled as the UNet knows it; the autoencoder's
// distribution is drawn from the generator. Where a mask (or NULL) is white the picture counts as
// grey.
ink_status ink_paint_encode(ink_paint_run *run, const ink_picture *picture, const ink_picture *mask,
                            float *latent);
// A picture out of a latent; its values too where the request keeps them. By `taesd`, or by the
// model's own autoencoder where that is NULL.
ink_status ink_paint_decode(ink_paint_run *run, const ink_taesd *taesd, const float *latent,
                            ink_painting *painting);
// The tiny autoencoder that decodes the request's picture; NULL: the model's own decodes it.
static inline const ink_taesd *ink_paint_decoder(const ink_paint_run *run) {
  return run->request->taesd_decode ? run->pipeline->taesd : NULL;
}
void ink_paint_free_taesd(ink_pipeline *pipeline);
// Read init and mask of the request into run->init, mask_picture and mask, and the latent of init
// into run->clean where it is needed.
ink_status ink_paint_begin_from(ink_paint_run *run, bool with_latent);

// Prompts with taught words. Their rows have ids from the vocabulary's size on; `context` is an
// ink_paint_words.
typedef struct ink_paint_words {
  const ink_pipeline *pipeline;
  size_t which;  // text encoder
} ink_paint_words;
ink_status ink_paint_encode_words(void *context, const char *text, size_t size, int32_t **ids,
                                  size_t *n, ink_error *error);
// What the encoder reads in place of its table; such ids become 0. NULL: no taught word is among
// them, or a failure in the context.
const ink_tensor *ink_paint_teach(ink_compute *c, const ink_pipeline *pipeline, size_t which,
                                  ink_tensor *ids);
void ink_paint_free_words(ink_pipeline *pipeline);

// ControlNets: what the request asks of them; the pictures that they are shown; what they add to a
// step's evaluation of the UNet, whose sample may be wider than the latent. False: nothing, or a
// failure in the compute context. The pipeline's own are freed.
ink_status ink_paint_check_controls(const ink_paint_run *run);
ink_status ink_paint_see_controls(ink_paint_run *run);
bool ink_paint_control_step(ink_paint_run *run, const ink_unet_input *unet_input,
                            const ink_tensor *sample, ink_unet_residuals *sum);
void ink_paint_free_controls(ink_pipeline *pipeline);

// The network with guidance, for samplers; the context is the run.
ink_status ink_paint_predict(void *context, const float *input, double timestep, float *output,
                             ink_error *error);

#endif
