// From a picture to its noise.
#include "diffusion/inversion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/pipeline_parts.h"

// ---- the equation -------------------------------------------------------------------------------

// Shares of signal and noise: x = signal * clean + noise * eps.
typedef struct level {
  double signal, noise;
} level;

static level level_at(const ink_schedule *s, int64_t timestep) {
  double alpha = ink_schedule_alpha_cumprod(s, timestep);
  return (level){sqrt(alpha), sqrt(1 - alpha)};
}

// A step as x_to = of_x x_from + of_guess guess + of_said said, where `said` is what the network
// says of `guess` at `to`. Where guess is x_to, it is the solution of DDIM's step from `to` back to
// `from`.
typedef struct transfer {
  double of_x, of_guess, of_said;
} transfer;

// For a network that says eps, which is (guess - to.signal clean) / to.noise for one that says
// clean.
static transfer by_noise(level from, level to) {
  return (transfer){.of_x = to.signal / from.signal,
                    .of_said = to.noise - to.signal * from.noise / from.signal};
}

static transfer transfer_of(ink_prediction prediction, level from, level to) {
  switch (prediction) {
    case INK_PREDICTS_V: {
      // clean = to.signal x - to.noise v and eps = to.signal v + to.noise x: nothing is divided by
      // the signal, which may be 0.
      double share = from.signal * to.signal + from.noise * to.noise;
      return (transfer){.of_x = 1 / share,
                        .of_said = -(from.noise * to.signal - from.signal * to.noise) / share};
    }
    case INK_PREDICTS_SAMPLE: {
      // eps = (x - to.signal clean) / to.noise, of x itself where noise prevails; among little
      // noise that would divide by next to nothing, and the guess stands for x.
      if (from.noise > from.signal) {
        return (transfer){.of_x = to.noise / from.noise,
                          .of_said = to.signal - to.noise * from.signal / from.noise};
      }
      transfer t = by_noise(from, to);
      return (transfer){.of_x = t.of_x,
                        .of_guess = t.of_said / to.noise,
                        .of_said = -t.of_said * to.signal / to.noise};
    }
    case INK_PREDICTS_EPSILON:
    default:
      return by_noise(from, to);
  }
}

ink_status ink_ddim_invert(const ink_schedule *schedule, size_t n, int32_t corrections,
                           const ink_denoiser *denoiser, const ink_progress *progress,
                           float *latent, ink_error *error) {
  float *memory = calloc(2 * n, sizeof *memory);
  if (!memory) return ink_fail(error, INK_ERR_MEMORY, "no memory to invert a picture");
  float *said = memory, *guess = memory + n;
  ink_prediction prediction = schedule->config.prediction;
  level from = level_at(schedule, -1);
  ink_status status = INK_OK;
  int32_t steps = schedule->n_steps;
  for (int32_t done = 0; done < steps && status == INK_OK; done++) {
    if (!ink_progress_report(progress, done, steps, "inverting")) {
      status =
          ink_fail(error, INK_ERR_CANCELLED, "stopped after %d of %d steps", (int)done, (int)steps);
      break;
    }
    double timestep = schedule->timesteps[steps - 1 - done];
    level to = level_at(schedule, (int64_t)timestep);
    transfer t = transfer_of(prediction, from, to);
    memcpy(guess, latent, n * sizeof *guess);
    for (int32_t i = 0; i <= corrections && status == INK_OK; i++) {
      status = denoiser->predict(denoiser->context, guess, timestep, said, error);
      for (size_t k = 0; k < n && status == INK_OK; k++) {
        guess[k] = (float)(t.of_x * (double)latent[k] + t.of_guess * (double)guess[k] +
                           t.of_said * (double)said[k]);
      }
    }
    memcpy(latent, guess, n * sizeof *guess);
    from = to;
  }
  ink_progress_report(progress, steps, steps, "inverting");
  free(memory);
  return status;
}

// ---- under a model ------------------------------------------------------------------------------

ink_inversion_options ink_inversion_options_default(void) {
  return (ink_inversion_options){.steps = 25, .guidance_scale = 1};
}

void ink_inversion_free(ink_inversion *inversion) {
  free(inversion->noise);
  *inversion = (ink_inversion){0};
}

// The middle of the autoencoder's distribution.
static ink_status draw_nothing(void *context, float *noise, size_t n, ink_error *error) {
  (void)context;
  (void)error;
  memset(noise, 0, n * sizeof *noise);
  return INK_OK;
}

static ink_status encode(ink_paint_run *run, const ink_picture *picture) {
  INK_TRY(ink_paint_fit(run, picture, 3, &run->init));
  run->noise = (ink_noise_source){.draw = draw_nothing};
  return ink_paint_encode(run, &run->init, NULL, run->latent);
}

static ink_status follow(ink_paint_run *run, int32_t corrections) {
  const ink_stable_diffusion *sd = run->pipeline->model;
  const ink_paint_request *q = run->request;
  if (ink_unet_about(sd->unet)->in_channels != run->channels) {
    return ink_fail(run->error, INK_ERR_UNSUPPORTED,
                    "%s: the noise of a picture can only be found under models that paint from "
                    "noise and words alone",
                    sd->path);
  }
  if (q->steps < 1 || q->steps > INK_PAINT_MOST_STEPS || corrections < 0) {
    return ink_fail(run->error, INK_ERR_USAGE, "%d steps; an inversion takes 1 … %d", (int)q->steps,
                    INK_PAINT_MOST_STEPS);
  }
  ink_scheduler_config config;
  INK_TRY(ink_paint_scheduler(run, &config));
  INK_TRY(ink_schedule_new(&config.noise, INK_GRID_DDIM, INK_CURVE_SPACED, q->steps, &run->schedule,
                           run->error));
  INK_TRY(ink_paint_texts(run, 0));
  ink_denoiser denoiser = {ink_paint_predict, run};
  return ink_ddim_invert(run->schedule, run->n, corrections, &denoiser, q->progress, run->latent,
                         run->error);
}

static ink_status give(const ink_paint_run *run, ink_inversion *inversion) {
  for (size_t i = 0; i < run->n; i++) {
    if (isfinite(run->latent[i])) continue;
    return ink_fail(run->error, INK_ERR_INTERNAL,
                    "the noise that was found is not finite; try F32");
  }
  inversion->noise = calloc(run->n, sizeof *inversion->noise);
  if (!inversion->noise) return ink_fail(run->error, INK_ERR_MEMORY, "no memory for noise");
  ink_paint_turn_out(run, run->latent, inversion->noise);
  inversion->channels = (int32_t)run->channels;
  inversion->height = (int32_t)run->h;
  inversion->width = (int32_t)run->w;
  return INK_OK;
}

// From a picture or, where that is NULL, from a latent.
static ink_status invert(ink_pipeline *pipeline, const ink_picture *picture, const float *latent,
                         const ink_inversion_options *options, ink_inversion *inversion,
                         ink_error *error) {
  ink_error own = {0};
  ink_sampler_kind ddim = INK_SAMPLER_DDIM;
  ink_paint_request request = ink_paint_request_default();
  request.prompt = options->prompt ? options->prompt : "";
  request.guidance_scale = options->prompt ? options->guidance_scale : 1;
  request.sampler = &ddim;
  request.width = options->width;
  request.height = options->height;
  request.steps = options->steps;
  request.precision = options->precision;
  request.progress = options->progress;
  *inversion = (ink_inversion){0};
  ink_paint_run run = {.pipeline = pipeline, .request = &request, .error = error ? error : &own};
  ink_status status = ink_paint_prepare(&run);
  if (status == INK_OK && picture) status = encode(&run, picture);
  if (status == INK_OK && !picture) ink_paint_turn_in(&run, latent, run.latent);
  if (status == INK_OK) status = follow(&run, options->corrections);
  if (status == INK_OK) status = give(&run, inversion);
  ink_paint_release(&run);
  return status;
}

ink_status ink_pipeline_invert(ink_pipeline *pipeline, const ink_picture *picture,
                               const ink_inversion_options *options, ink_inversion *inversion,
                               ink_error *error) {
  return invert(pipeline, picture, NULL, options, inversion, error);
}

ink_status ink_pipeline_invert_latent(ink_pipeline *pipeline, const float *latent,
                                      const ink_inversion_options *options,
                                      ink_inversion *inversion, ink_error *error) {
  return invert(pipeline, NULL, latent, options, inversion, error);
}
