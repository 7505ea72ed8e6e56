// One painting from request to picture.
#include "diffusion/pipeline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/pipeline_parts.h"
#include "weights/weights.h"

// ---- the model ----------------------------------------------------------------------------------

ink_status ink_pipeline_open(const char *path, ink_pool *pool, ink_pipeline **out,
                             ink_error *error) {
  *out = NULL;
  ink_pipeline *p = calloc(1, sizeof *p);
  if (!p) return ink_fail(error, INK_ERR_MEMORY, "no memory to open %s", path);
  p->pool = pool;
  ink_status status = ink_stable_diffusion_open(path, &p->model, error);
  if (status == INK_OK && !p->model->vae && !p->model->taesd) {
    status = ink_fail(error, INK_ERR_NOT_FOUND, "%s: the model has no autoencoder", path);
  }
  for (size_t i = 0; status == INK_OK && i < p->model->n_text; i++) {
    status = ink_paint_open_tokenizer(p->model, i, &p->tokenizers[i], error);
  }
  if (status == INK_OK) status = ink_paint_probe(p->model, pool, error);
  if (status == INK_OK) {
    p->prepared = ink_paint_prepared(p);
    if (!p->prepared) status = ink_fail(error, INK_ERR_MEMORY, "no memory to open %s", path);
  }
  if (status != INK_OK) {
    ink_pipeline_free(p);
    return status;
  }
  *out = p;
  return INK_OK;
}

void ink_pipeline_free(ink_pipeline *pipeline) {
  if (!pipeline) return;
  ink_prepared_free(pipeline->prepared);
  ink_paint_free_controls(pipeline);
  ink_paint_free_taesd(pipeline);
  ink_paint_free_words(pipeline);
  while (pipeline->n_loras) ink_lora_remove(pipeline->loras[--pipeline->n_loras]);
  for (size_t i = 0; i < INK_SD_TEXTS; i++) ink_tokenizer_free(pipeline->tokenizers[i]);
  ink_stable_diffusion_free(pipeline->model);
  free(pipeline);
}

static ink_status merge_lora(ink_pipeline *p, const ink_weights *file,
                             const ink_lora_options *options, ink_lora_report *report,
                             ink_error *error) {
  ink_arena *arena = ink_arena_new(0);
  // What the kernels made of the weights before is no longer true.
  ink_prepared *fresh = arena ? ink_paint_prepared(p) : NULL;
  if (!fresh) {
    ink_arena_free(arena);
    return ink_fail(error, INK_ERR_MEMORY, "no memory for a plug-in");
  }
  ink_prepared_free(p->prepared);
  p->prepared = fresh;
  ink_compute compute = {.arena = arena, .pool = p->pool};
  ink_status status =
      ink_lora_merge(&compute, p->model, file, options, &p->loras[p->n_loras], report, error);
  if (status == INK_OK) p->n_loras++;
  ink_arena_free(arena);
  return status;
}

ink_status ink_pipeline_merge_lora(ink_pipeline *pipeline, const char *path, double weight,
                                   bool partial, ink_lora_report *report, ink_error *error) {
  *report = (ink_lora_report){0};
  if (pipeline->n_loras == INK_PIPELINE_MOST_LORAS) {
    return ink_fail(error, INK_ERR_USAGE, "at most %d plug-ins at a time", INK_PIPELINE_MOST_LORAS);
  }
  if (!(fabs(weight) <= 100)) {
    return ink_fail(error, INK_ERR_USAGE, "%s: a weight of %g; it must lie in -100 … 100", path,
                    weight);
  }
  ink_weights *file;
  INK_TRY(ink_weights_open(path, &file, error));
  ink_lora_options options = {
      .unet_strength = weight, .text_strength = weight, .allow_unmatched = partial};
  ink_status status = merge_lora(pipeline, file, &options, report, error);
  ink_weights_close(file);
  return status;
}

const struct ink_stable_diffusion *ink_pipeline_about(const ink_pipeline *pipeline) {
  return pipeline->model;
}

int32_t ink_pipeline_side(const ink_pipeline *pipeline) {
  return ink_unet_about(pipeline->model->unet)->sample_size * ink_paint_factor(pipeline);
}

int32_t ink_pipeline_factor(const ink_pipeline *pipeline) {
  return ink_paint_factor(pipeline);
}

// ---- the request --------------------------------------------------------------------------------

ink_paint_request ink_paint_request_default(void) {
  return (ink_paint_request){.prompt = "",
                             .negative = "",
                             .steps = 20,
                             .guidance_scale = 7.5,
                             .eta = (double)NAN,
                             .strength = 0.75};
}

void ink_painting_free(ink_painting *painting) {
  ink_picture_free(&painting->picture);
  free(painting->values);
  free(painting->latent);
  free(painting->step_seconds);
  *painting = (ink_painting){0};
}

static ink_status check_number(const char *name, double value, double low, double high,
                               ink_error *error) {
  if (value >= low && value <= high) return INK_OK;
  return ink_fail(error, INK_ERR_USAGE, "%s is %g; it must lie in %g … %g", name, value, low, high);
}

static int32_t nearest_side(int32_t side, int32_t factor) {
  int32_t most = INK_PAINT_MOST_SIDE / factor * factor;
  int64_t near = ((int64_t)side + factor / 2) / factor * factor;
  return near < factor ? factor : near > most ? most : (int32_t)near;
}

static ink_status check_size(const ink_paint_run *run, int32_t factor) {
  int32_t width = nearest_side(run->width, factor), height = nearest_side(run->height, factor);
  if (run->width == width && run->height == height) return INK_OK;
  return ink_fail(run->error, INK_ERR_USAGE,
                  "a picture of %d x %d; this model takes multiples of %d up to %d, such as "
                  "%d x %d",
                  (int)run->width, (int)run->height, (int)factor, INK_PAINT_MOST_SIDE, (int)width,
                  (int)height);
}

static ink_status check_request(const ink_paint_run *run) {
  const ink_paint_request *q = run->request;
  const ink_stable_diffusion *sd = run->pipeline->model;
  ink_error *error = run->error;
  int32_t factor = ink_paint_factor(run->pipeline);
  INK_TRY(check_size(run, factor));
  INK_TRY(check_number("steps", q->steps, 1, INK_PAINT_MOST_STEPS, error));
  INK_TRY(check_number("guidance", q->guidance_scale, 0, 100, error));
  INK_TRY(check_number("kept noise", q->kept_noise, 0, 1, error));
  INK_TRY(check_number("guidance rescale", q->guidance_rescale, 0, 1, error));
  if (!isnan(q->eta)) INK_TRY(check_number("eta", q->eta, 0, 1, error));
  int32_t layers = ink_clip_about(sd->texts[0].clip)->n_layer - sd->texts[0].skip - 1;
  INK_TRY(check_number("clip skip", q->clip_skip, 0, layers, error));
  INK_TRY(check_number("variation", q->variation, 0, 1, error));
  INK_TRY(check_number("cache", q->cache, 0, INK_PAINT_MOST_CACHE, error));
  if (q->init) INK_TRY(check_number("strength", q->strength, 0, 1, error));
  if (q->mask && !q->init) {
    return ink_fail(error, INK_ERR_USAGE, "a mask needs a picture to begin from");
  }
  if (q->taesd_decode && !run->pipeline->taesd) {
    return ink_fail(error, INK_ERR_USAGE, "no tiny autoencoder was set to decode the picture with");
  }
  INK_TRY(ink_paint_check_controls(run));
  int32_t in = ink_unet_about(sd->unet)->in_channels;
  bool inpainting = in == 2 * run->channels + 1;
  if (inpainting && !q->mask) {
    return ink_fail(error, INK_ERR_USAGE, "%s is a model for inpainting: give a picture and a mask",
                    sd->path);
  }
  if (in != run->channels && !inpainting) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: a UNet that reads %d channels", sd->path, in);
  }
  return INK_OK;
}

// ---- schedule and sampler -----------------------------------------------------------------------

ink_status ink_paint_scheduler(const ink_paint_run *run, ink_scheduler_config *config) {
  const ink_stable_diffusion *sd = run->pipeline->model;
  const ink_paint_request *q = run->request;
  if (sd->scheduler) {
    INK_TRY(ink_scheduler_config_read(sd->scheduler, "scheduler_config.json", q->sampler, config,
                                      run->error));
  } else {
    *config = (ink_scheduler_config){.noise = ink_noise_config_default(),
                                     .sampler = q->sampler ? *q->sampler : INK_SAMPLER_DPMPP_2M};
    config->noise.zero_terminal_snr = sd->zero_terminal_snr;
    config->noise.prediction = sd->prediction == INK_SD_PREDICTS_V        ? INK_PREDICTS_V
                               : sd->prediction == INK_SD_PREDICTS_SAMPLE ? INK_PREDICTS_SAMPLE
                                                                          : INK_PREDICTS_EPSILON;
  }
  if (q->curve) config->curve = *q->curve;
  return INK_OK;
}

ink_status ink_pipeline_settle(ink_pipeline *pipeline, const ink_paint_request *request,
                               ink_paint_settled *settled, ink_error *error) {
  ink_scheduler_config config;
  ink_paint_run run = {.pipeline = pipeline, .request = request, .error = error};
  INK_TRY(ink_paint_scheduler(&run, &config));
  int32_t side = ink_pipeline_side(pipeline);
  *settled = (ink_paint_settled){.width = request->width ? request->width : side,
                                 .height = request->height ? request->height : side,
                                 .sampler = config.sampler,
                                 .curve = config.curve};
  return INK_OK;
}

static ink_status lay_out(ink_paint_run *run, ink_painting *painting) {
  ink_scheduler_config config;
  INK_TRY(ink_paint_scheduler(run, &config));
  painting->sampler = config.sampler;
  painting->curve = config.curve;
  ink_grid grid = ink_sampler_about(config.sampler)->grid;
  INK_TRY(ink_schedule_new(&config.noise, grid, config.curve, run->request->steps, &run->schedule,
                           run->error));
  return ink_sampler_new(config.sampler, run->schedule, run->n, run->request->eta, &run->sampler,
                         run->error);
}

// ---- noise --------------------------------------------------------------------------------------

static ink_status draw_turned(void *context, float *noise, size_t n, ink_error *error) {
  ink_paint_run *run = context;
  ink_noise_source source = ink_noise_source_of(&run->generator);
  INK_TRY(source.draw(source.context, run->turned, n, error));
  ink_paint_turn_in(run, run->turned, noise);
  return INK_OK;
}

static ink_status draw_between(void *context, double from, double to, float *noise, size_t n,
                               ink_error *error) {
  ink_paint_run *run = context;
  INK_TRY(ink_brownian_step(&run->brownian, from, to, run->turned, n, error));
  ink_paint_turn_in(run, run->turned, noise);
  return INK_OK;
}

// The motion goes over the levels that the run visits from this step on.
static void begin_brownian(ink_paint_run *run, int32_t first) {
  const ink_paint_request *q = run->request;
  const double *sigmas = run->schedule->sigmas + first;
  if (!q->brownian || !ink_sampler_is_sde(run->sampler)) return;
  int32_t last = run->schedule->n_steps - first;
  while (last > 0 && sigmas[last] <= 0) last--;
  run->brownian = (ink_brownian){.kind = q->noise,
                                 .seed = q->seed,
                                 .stream = q->stream,
                                 .low = sigmas[last],
                                 .high = sigmas[0]};
  run->noise.between = draw_between;
}

// The first noise turned towards that of the variation's seed.
static ink_status vary(ink_paint_run *run, float *noise) {
  const ink_paint_request *q = run->request;
  ink_noise other;
  ink_noise_start(&other, q->noise, q->variation_seed, q->stream);
  ink_noise_source source = ink_noise_source_of(&other);
  float *towards = run->drawn;
  INK_TRY(source.draw(source.context, towards, run->n, run->error));
  // run->turned still holds the noise as it was drawn, (C, H, W).
  ink_noise_turn(run->channels, run->h, run->w, q->variation, towards, run->turned);
  ink_paint_turn_in(run, run->turned, noise);
  return INK_OK;
}

// Drawn in any case, so that what a stochastic sampler draws later is independent of it.
static ink_status draw_first(ink_paint_run *run, float *noise) {
  const ink_noise_shaper *first = run->request->first_noise;
  INK_TRY(run->noise.draw(run->noise.context, noise, run->n, run->error));
  if (run->request->variation > 0) INK_TRY(vary(run, noise));
  if (!first) return INK_OK;
  INK_TRY(first->shape(first->context, (int32_t)run->channels, (int32_t)run->h, (int32_t)run->w,
                       run->turned, run->error));
  ink_paint_turn_in(run, run->turned, noise);
  return INK_OK;
}

// How much a place of the latent differs from those around it: the root mean square over channels
// and neighbours, in deviations of latents.
static float liveliness(const ink_paint_run *run, int64_t row, int64_t column) {
  int64_t h = (int64_t)run->h, w = (int64_t)run->w, channels = (int64_t)run->channels, n = 0;
  const float *here = run->latent + (row * w + column) * channels;
  double square = 0;
  for (int64_t y = row > 0 ? row - 1 : 0; y <= row + 1 && y < h; y++) {
    for (int64_t x = column > 0 ? column - 1 : 0; x <= column + 1 && x < w; x++) {
      if (y == row && x == column) continue;
      const float *there = run->latent + (y * w + x) * channels;
      for (int64_t c = 0; c < channels; c++) {
        double difference = (double)there[c] - (double)here[c];
        square += difference * difference;
      }
      n += channels;
    }
  }
  return n ? (float)sqrt(square / (double)n) : 0;
}

// On plain ground noise is seen soonest, and white and black cut it off, so that it is found least.
static float share_where(float lively) {
  static const float plain = 0.3F, from = 0.4F, to = 1.4F;
  float ramp = fminf(fmaxf((lively - from) / (to - from), 0), 1);
  return plain + (1 - plain) * ramp;
}

static void keep_noise(ink_paint_run *run) {
  float most = (float)run->request->kept_noise;
  if (most == 0) return;
  float *share = run->turned;  // of each place, measured before any is changed
  for (size_t place = 0; place < (size_t)(run->h * run->w); place++) {
    int64_t row = (int64_t)place / (int64_t)run->w, column = (int64_t)place % (int64_t)run->w;
    share[place] = most * share_where(liveliness(run, row, column));
    // Nothing is added where the picture stays.
    if (run->request->mask) share[place] *= run->mask[place];
  }
  for (size_t i = 0; i < run->n; i++) {
    float noise = share[i / (size_t)run->channels];
    run->latent[i] = sqrtf(1 - noise * noise) * run->latent[i] + noise * run->first[i];
  }
}

// ---- the run ------------------------------------------------------------------------------------

// True for models whose UNet reads the mask and the latent of what stays.
static bool shows_mask(const ink_paint_run *run) {
  return ink_unet_about(run->pipeline->model->unet)->in_channels != run->channels;
}

// The latent to begin with, and the step to begin at.
static ink_status begin(ink_paint_run *run, int32_t *first_step) {
  const ink_paint_request *q = run->request;
  *first_step = 0;
  if (!q->init) {
    INK_TRY(draw_first(run, run->latent));
    memcpy(run->first, run->latent, run->n * sizeof *run->first);
    ink_sampler_begin(run->sampler, run->latent);
    return INK_OK;
  }
  // An inpainting model is shown what stays; from noise alone it needs no other latent.
  bool from_noise = q->mask && q->strength == 1;
  INK_TRY(ink_paint_begin_from(run, !from_noise || !shows_mask(run)));
  INK_TRY(draw_first(run, run->first));
  int32_t n = q->steps, painted = (int32_t)(n * q->strength);
  if (painted < 1) {
    return ink_fail(run->error, INK_ERR_USAGE,
                    "a strength of %g of %d steps leaves none to paint; raise either", q->strength,
                    (int)n);
  }
  *first_step = n - painted;
  if (from_noise) {
    memcpy(run->latent, run->first, run->n * sizeof *run->latent);
    ink_sampler_begin(run->sampler, run->latent);
  } else {
    ink_sampler_add_noise(run->sampler, *first_step, run->clean, run->first, run->latent);
  }
  return INK_OK;
}

// The latent of what stays, for models that are shown it.
static ink_status encode_masked(ink_paint_run *run) {
  if (!shows_mask(run)) return INK_OK;
  return ink_paint_encode(run, &run->init, &run->mask_picture, run->masked);
}

// Where the mask is black the latent follows the picture, at the noise of the next step.
static void keep_outside(ink_paint_run *run) {
  ink_sampler_add_noise(run->sampler, ink_sampler_done(run->sampler), run->clean, run->first,
                        run->drawn);
  for (size_t i = 0; i < run->n; i++) {
    float m = run->mask[i / (size_t)run->channels];
    run->latent[i] = (1 - m) * run->drawn[i] + m * run->latent[i];
  }
}

static ink_status check_finite(const ink_paint_run *run, int32_t step) {
  for (size_t i = 0; i < run->n; i++) {
    if (isfinite(run->latent[i])) continue;
    return ink_fail(run->error, INK_ERR_INTERNAL,
                    "the latent is not finite after step %d; try another sampler or F32",
                    (int)step + 1);
  }
  return INK_OK;
}

static ink_status take_steps(ink_paint_run *run, int32_t first, ink_painting *painting) {
  const ink_paint_request *q = run->request;
  ink_denoiser denoiser = {ink_paint_predict, run};
  int32_t n = run->schedule->n_steps - first;
  bool blend = q->mask && !shows_mask(run);
  painting->step_seconds = calloc((size_t)n, sizeof *painting->step_seconds);
  if (!painting->step_seconds) return ink_fail(run->error, INK_ERR_MEMORY, "no memory for steps");
  INK_TRY(ink_sampler_start(run->sampler, first, run->error));
  for (int32_t i = 0; i < n; i++) {
    if (!ink_progress_report(q->progress, i, n, "painting")) {
      return ink_fail(run->error, INK_ERR_CANCELLED, "stopped after %d of %d steps", (int)i,
                      (int)n);
    }
    double start = ink_clock_seconds();
    run->step_begins = (double)i / n;
    run->step_ends = (double)(i + 1) / n;
    INK_TRY(ink_paint_texts(run, first + i));
    INK_TRY(ink_sampler_step(run->sampler, run->latent, &denoiser, &run->noise, run->error));
    if (blend) keep_outside(run);
    INK_TRY(check_finite(run, i));
    ink_paint_show(run, i + 1, n);
    painting->step_seconds[i] = ink_clock_seconds() - start;
    painting->n_steps = i + 1;
  }
  ink_progress_report(q->progress, n, n, "decoding");
  return INK_OK;
}

// The picture's own pixels where the mask is black, a mixture where it is grey.
static void keep_pixels(const ink_paint_run *run, ink_picture *picture) {
  for (size_t i = 0; i < ink_picture_bytes(picture); i++) {
    unsigned m = run->mask_picture.pixels[i / 3];
    picture->pixels[i] =
        (uint8_t)((picture->pixels[i] * m + run->init.pixels[i] * (255 - m) + 127) / 255);
  }
}

// What was transparent stays so where the mask is black; what is painted is opaque. Colours weigh
// as much as they are seen, since those of transparent pixels mean nothing.
static ink_status keep_alpha(const ink_paint_run *run, ink_picture *picture) {
  ink_picture full, own, with;
  INK_TRY(ink_picture_convert(run->request->init, 4, &full, run->error));
  ink_status status = ink_picture_resize(&full, picture->width, picture->height, INK_RESIZE_LANCZOS,
                                         &own, run->error);
  ink_picture_free(&full);
  INK_TRY(status);
  status = ink_picture_convert(picture, 4, &with, run->error);
  if (status != INK_OK) {
    ink_picture_free(&own);
    return status;
  }
  for (size_t i = 0; i < ink_picture_bytes(&with); i += 4) {
    unsigned m = run->mask_picture.pixels[i / 4], painted = 255 * m,
             kept = own.pixels[i + 3] * (255 - m), both = painted + kept;
    for (size_t c = i; c < i + 3 && both; c++) {
      with.pixels[c] =
          (uint8_t)((with.pixels[c] * painted + own.pixels[c] * kept + both / 2) / both);
    }
    with.pixels[i + 3] = (uint8_t)((both + 127) / 255);
  }
  ink_picture_free(&own);
  ink_picture_free(picture);
  *picture = with;
  return INK_OK;
}

static ink_status paint(ink_paint_run *run, ink_painting *painting) {
  painting->width = run->width;
  painting->height = run->height;
  painting->steps = run->request->steps;
  INK_TRY(check_request(run));
  INK_TRY(lay_out(run, painting));
  double start = ink_clock_seconds();
  int32_t first;
  INK_TRY(ink_paint_budget(run));
  INK_TRY(ink_paint_see_controls(run));
  INK_TRY(begin(run, &first));
  begin_brownian(run, first);
  if (run->request->mask) INK_TRY(encode_masked(run));
  INK_TRY(ink_paint_texts(run, first));
  painting->encode_seconds = ink_clock_seconds() - start;
  INK_TRY(take_steps(run, first, painting));
  keep_noise(run);
  start = ink_clock_seconds();
  if (run->request->last) INK_TRY(ink_paint_forget(run));
  INK_TRY(ink_paint_decode(run, ink_paint_decoder(run), run->latent, painting));
  if (run->request->mask && ink_picture_has_alpha(run->request->init)) {
    INK_TRY(keep_alpha(run, &painting->picture));
  } else if (run->request->mask) {
    keep_pixels(run, &painting->picture);
  }
  painting->decode_seconds = ink_clock_seconds() - start;
  painting->peak_bytes = ink_paint_peak(run);
  painting->n_reused = run->reused;
  return INK_OK;
}

ink_status ink_paint_prepare(ink_paint_run *run) {
  ink_pipeline *p = run->pipeline;
  const ink_paint_request *q = run->request;
  int32_t factor = ink_paint_factor(p), side = ink_pipeline_side(p);
  run->width = q->width ? q->width : side;
  run->height = q->height ? q->height : side;
  INK_TRY(check_size(run, factor));
  run->h = run->height / factor;
  run->w = run->width / factor;
  run->channels = ink_paint_channels(p);
  run->n = (size_t)(run->h * run->w * run->channels);
  // A model that is told the guidance scale needs no second prompt.
  run->guided = q->guidance_scale > 1 && ink_unet_about(p->model->unet)->time_cond == 0;
  ink_noise_start(&run->generator, q->noise, q->seed, q->stream);
  run->noise = (ink_noise_source){.draw = draw_turned, .context = run};
  enum { ARRAYS = 7 };
  run->memory = calloc(ARRAYS * run->n, sizeof *run->memory);
  ink_compute compute = {.pool = p->pool, .precision = q->precision, .prepared = p->prepared};
  run->kept = run->compute = compute;
  run->kept.arena = ink_arena_new(0);
  run->compute.arena = ink_arena_new(0);
  if (!run->memory || !run->kept.arena || !run->compute.arena) {
    return ink_fail(run->error, INK_ERR_MEMORY, "no memory to paint %d x %d", (int)run->width,
                    (int)run->height);
  }
  float **arrays[ARRAYS] = {&run->latent, &run->drawn, &run->turned, &run->clean,
                            &run->first,  &run->mask,  &run->masked};
  for (size_t i = 0; i < ARRAYS; i++) *arrays[i] = run->memory + i * run->n;
  return INK_OK;
}

void ink_paint_release(ink_paint_run *run) {
  ink_sampler_free(run->sampler);
  ink_schedule_free(run->schedule);
  ink_text_free(&run->prompt);
  ink_text_free(&run->negative);
  ink_picture_free(&run->init);
  ink_picture_free(&run->mask_picture);
  ink_arena_free(run->kept.arena);
  ink_arena_free(run->compute.arena);
  free(run->memory);
}

ink_status ink_pipeline_paint(ink_pipeline *pipeline, const ink_paint_request *request,
                              ink_painting *painting, ink_error *error) {
  *painting = (ink_painting){0};
  ink_error own = {0};
  ink_paint_run run = {.pipeline = pipeline, .request = request, .error = error ? error : &own};
  ink_status status = ink_paint_prepare(&run);
  if (status == INK_OK) status = paint(&run, painting);
  ink_paint_release(&run);
  if (status != INK_OK) ink_painting_free(painting);
  return status;
}
