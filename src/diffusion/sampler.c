// The table of samplers, and what the families share.
#include "diffusion/sampler.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "diffusion/sampler_parts.h"

typedef struct entry {
  ink_sampler_info info;
  ink_sampler_method step;
} entry;

static const entry samplers[INK_SAMPLER_COUNT] = {
    [INK_SAMPLER_EULER] = {{"euler", "Euler", "EulerDiscreteScheduler", INK_GRID_CONTINUOUS, true,
                            false, false, 0},
                           ink_euler_step},
    [INK_SAMPLER_EULER_ANCESTRAL] = {{"euler-a", "Euler a", "EulerAncestralDiscreteScheduler",
                                      INK_GRID_CONTINUOUS, true, true, false, 1},
                                     ink_euler_ancestral_step},
    [INK_SAMPLER_HEUN] = {{"heun", "Heun", "HeunDiscreteScheduler", INK_GRID_CONTINUOUS, true,
                           false, false, 0},
                          ink_heun_step},
    [INK_SAMPLER_DPM2] = {{"dpm2", "DPM2", "KDPM2DiscreteScheduler", INK_GRID_CONTINUOUS_DPM2, true,
                           false, false, 0},
                          ink_dpm2_step},
    [INK_SAMPLER_DPMPP_2M] = {{"dpm++2m", "DPM++ 2M", "DPMSolverMultistepScheduler", INK_GRID_DPM,
                               false, false, false, 0},
                              ink_dpmpp_2m_step},
    [INK_SAMPLER_DPMPP_2M_SDE] = {{"dpm++2m-sde", "DPM++ 2M SDE", NULL, INK_GRID_DPM, false, true,
                                   true, 1},
                                  ink_dpmpp_2m_sde_step},
    [INK_SAMPLER_DPMPP_2S_ANCESTRAL] = {{"dpm++2s-a", "DPM++ 2S a", NULL, INK_GRID_CONTINUOUS, true,
                                         true, false, 1},
                                        ink_dpmpp_2s_ancestral_step},
    [INK_SAMPLER_DPMPP_SDE] = {{"dpm++sde", "DPM++ SDE", "DPMSolverSDEScheduler",
                                INK_GRID_CONTINUOUS, true, true, true, 1},
                               ink_dpmpp_sde_step},
    [INK_SAMPLER_DPMPP_3M_SDE] = {{"dpm++3m-sde", "DPM++ 3M SDE", NULL, INK_GRID_CONTINUOUS, true,
                                   true, true, 1},
                                  ink_dpmpp_3m_sde_step},
    [INK_SAMPLER_DDIM] = {{"ddim", "DDIM", "DDIMScheduler", INK_GRID_DDIM, false, false, false, 0},
                          ink_ddim_step},
    [INK_SAMPLER_PNDM] = {{"pndm", "PLMS", "PNDMScheduler", INK_GRID_PNDM, false, false, false, 0},
                          ink_pndm_step},
    [INK_SAMPLER_UNIPC] = {{"unipc", "UniPC", "UniPCMultistepScheduler", INK_GRID_DPM, false, false,
                            false, 0},
                           ink_unipc_step},
    [INK_SAMPLER_LCM] = {{"lcm", "LCM", "LCMScheduler", INK_GRID_DISTILLED, false, true, false, 1},
                         ink_lcm_step},
    [INK_SAMPLER_TCD] = {{"tcd", "TCD", "TCDScheduler", INK_GRID_DISTILLED, false, true, false,
                          0.3},
                         ink_tcd_step},
};

const ink_sampler_info *ink_sampler_about(ink_sampler_kind kind) {
  return &samplers[kind].info;
}

// ---- arithmetic ---------------------------------------------------------------------------------

void ink_combine(size_t n, float *out, int n_terms, const double *coefficients,
                 const float *const *arrays) {
  double c[8];
  const float *a[8];
  int k = 0;
  for (int i = 0; i < n_terms; i++) {
    if (coefficients[i] == 0) continue;
    c[k] = coefficients[i];
    a[k++] = arrays[i];
  }
  for (size_t i = 0; i < n; i++) {
    double sum = 0;
    for (int j = 0; j < k; j++) sum += c[j] * (double)a[j][i];
    out[i] = (float)sum;
  }
}

ink_status ink_denoise_exploding(ink_sampler *s, const float *x, double sigma, double timestep,
                                 ink_error *error) {
  ink_level level = ink_level_of_sigma(sigma);
  ink_combine(s->n, s->input, 1, &level.alpha, &x);
  INK_TRY(s->denoiser->predict(s->denoiser->context, s->input, timestep, s->output, error));
  switch (s->schedule->config.prediction) {
    case INK_PREDICTS_EPSILON:
      INK_COMBINE2(s->n, s->denoised, 1, x, -sigma, s->output);
      break;
    case INK_PREDICTS_V:
      INK_COMBINE2(s->n, s->denoised, level.alpha * level.alpha, x, -level.sigma, s->output);
      break;
    case INK_PREDICTS_SAMPLE:
    default:
      memcpy(s->denoised, s->output, s->n * sizeof *s->denoised);
      break;
  }
  return INK_OK;
}

ink_status ink_denoise(ink_sampler *s, const float *x, ink_level level, double timestep,
                       ink_error *error) {
  INK_TRY(s->denoiser->predict(s->denoiser->context, x, timestep, s->output, error));
  switch (s->schedule->config.prediction) {
    case INK_PREDICTS_EPSILON:
      INK_COMBINE2(s->n, s->denoised, 1 / level.alpha, x, -level.sigma / level.alpha, s->output);
      break;
    case INK_PREDICTS_V:
      INK_COMBINE2(s->n, s->denoised, level.alpha, x, -level.sigma, s->output);
      break;
    case INK_PREDICTS_SAMPLE:
    default:
      memcpy(s->denoised, s->output, s->n * sizeof *s->denoised);
      break;
  }
  return INK_OK;
}

void ink_predicted_noise(const ink_sampler *s, const float *x, ink_level level, float *out) {
  switch (s->schedule->config.prediction) {
    case INK_PREDICTS_EPSILON:
      if (out != s->output) memcpy(out, s->output, s->n * sizeof *out);
      break;
    case INK_PREDICTS_V:
      INK_COMBINE2(s->n, out, level.alpha, s->output, level.sigma, x);
      break;
    case INK_PREDICTS_SAMPLE:
    default:
      INK_COMBINE2(s->n, out, 1 / level.sigma, x, -level.alpha / level.sigma, s->output);
      break;
  }
}

void ink_clip_denoised(ink_sampler *s) {
  const ink_noise_config *config = &s->schedule->config;
  if (!config->clip_sample) return;
  float most = (float)config->clip_range;
  for (size_t i = 0; i < s->n; i++) s->denoised[i] = fminf(fmaxf(s->denoised[i], -most), most);
}

// ---- noise and history --------------------------------------------------------------------------

ink_status ink_draw_noise(ink_sampler *s, ink_error *error) {
  if (!s->noise_source || !s->noise_source->draw) {
    return ink_fail(error, INK_ERR_USAGE, "%s draws noise, and no source was given",
                    samplers[s->kind].info.label);
  }
  return s->noise_source->draw(s->noise_source->context, s->noise, s->n, error);
}

ink_status ink_add_fresh_noise(ink_sampler *s, float *x, double coefficient, ink_error *error) {
  if (coefficient == 0) return INK_OK;
  INK_TRY(ink_draw_noise(s, error));
  INK_COMBINE2(s->n, x, 1, x, coefficient, s->noise);
  return INK_OK;
}

ink_status ink_add_noise_between(ink_sampler *s, float *x, double coefficient, double from,
                                 double to, ink_error *error) {
  const ink_noise_source *source = s->noise_source;
  if (!source || !source->between) return ink_add_fresh_noise(s, x, coefficient, error);
  if (coefficient == 0) return INK_OK;
  INK_TRY(source->between(source->context, from, to, s->noise, s->n, error));
  INK_COMBINE2(s->n, x, 1, x, coefficient, s->noise);
  return INK_OK;
}

void ink_remember(ink_sampler *s, const float *array) {
  float *oldest = s->history[INK_SAMPLER_HISTORY - 1];
  for (int i = INK_SAMPLER_HISTORY - 1; i > 0; i--) s->history[i] = s->history[i - 1];
  s->history[0] = oldest;
  memcpy(oldest, array, s->n * sizeof *oldest);
  if (s->n_history < INK_SAMPLER_HISTORY) s->n_history++;
}

// ---- the run ------------------------------------------------------------------------------------

ink_status ink_sampler_new(ink_sampler_kind kind, const ink_schedule *schedule, size_t n,
                           double eta, ink_sampler **out, ink_error *error) {
  *out = NULL;
  const ink_sampler_info *info = &samplers[kind].info;
  if (schedule->grid != info->grid) {
    return ink_fail(error, INK_ERR_USAGE, "the schedule was laid out for another sampler than %s",
                    info->label);
  }
  if (kind == INK_SAMPLER_PNDM && schedule->config.prediction == INK_PREDICTS_SAMPLE) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "PNDM is defined for models that predict noise or v, not the sample; choose "
                    "another sampler");
  }
  enum { ARRAYS = 6 + INK_SAMPLER_HISTORY };
  size_t total;
  ink_sampler *s = calloc(1, sizeof *s);
  if (s && ink_mul_size(n, ARRAYS, &total)) s->memory = calloc(total, sizeof *s->memory);
  if (!s || !s->memory) {
    ink_sampler_free(s);
    return ink_fail(error, INK_ERR_MEMORY, "no memory for a sampler of %zu numbers", n);
  }
  s->kind = kind;
  s->schedule = schedule;
  s->n = n;
  s->eta = isnan(eta) ? info->eta : eta;
  float **arrays[ARRAYS] = {&s->input, &s->output, &s->denoised, &s->noise, &s->kept, &s->scratch};
  for (int i = 0; i < INK_SAMPLER_HISTORY; i++) arrays[6 + i] = &s->history[i];
  for (size_t i = 0; i < ARRAYS; i++) *arrays[i] = s->memory + i * n;
  *out = s;
  return INK_OK;
}

void ink_sampler_free(ink_sampler *sampler) {
  if (!sampler) return;
  free(sampler->memory);
  free(sampler);
}

ink_status ink_sampler_start(ink_sampler *s, int32_t first, ink_error *error) {
  if (first < 0 || first >= s->schedule->n_steps) {
    return ink_fail(error, INK_ERR_USAGE, "a run of %d steps cannot begin at step %d",
                    (int)s->schedule->n_steps, (int)first);
  }
  if (first > 0 && s->kind == INK_SAMPLER_PNDM && !s->schedule->config.skip_prk) {
    return ink_fail(
        error, INK_ERR_UNSUPPORTED,
        "PNDM with Runge-Kutta steps cannot begin in the middle; choose another sampler");
  }
  s->first = s->step = first;
  s->n_history = 0;
  s->order = 0;
  memset(s->denoised, 0, s->n * sizeof *s->denoised);
  return INK_OK;
}

// The level of a latent at a step, in the sampler's own terms.
static ink_level level_at(const ink_sampler *s, int32_t step) {
  const ink_schedule *schedule = s->schedule;
  const ink_sampler_info *info = &samplers[s->kind].info;
  double sigma = schedule->sigmas[step];
  if (info->variance_exploding) return (ink_level){1, sigma};
  if (info->grid == INK_GRID_DPM) return ink_level_of_sigma(sigma);
  if (step == schedule->n_steps) return ink_level_of_alpha_cumprod(1);
  return ink_level_of_alpha_cumprod(
      ink_schedule_alpha_cumprod(schedule, (int64_t)schedule->timesteps[step]));
}

void ink_sampler_begin(const ink_sampler *s, float *latent) {
  if (!samplers[s->kind].info.variance_exploding) return;
  double sigma = s->schedule->sigmas[0];
  // The noisiest of "leading" timesteps is not quite noise: leave room for the signal.
  double scale =
      s->schedule->config.spacing == INK_SPACING_LEADING ? sqrt(sigma * sigma + 1) : sigma;
  const float *from = latent;
  ink_combine(s->n, latent, 1, &scale, &from);
}

void ink_sampler_add_noise(const ink_sampler *s, int32_t step, const float *clean,
                           const float *noise, float *out) {
  ink_level level = level_at(s, step);
  INK_COMBINE2(s->n, out, level.alpha, clean, level.sigma, noise);
}

ink_status ink_sampler_step(ink_sampler *s, float *latent, const ink_denoiser *denoiser,
                            const ink_noise_source *noise, ink_error *error) {
  if (s->step >= s->schedule->n_steps) {
    return ink_fail(error, INK_ERR_USAGE, "all %d steps are taken", (int)s->schedule->n_steps);
  }
  s->denoiser = denoiser;
  s->noise_source = noise;
  ink_status status = samplers[s->kind].step(s, latent, error);
  s->denoiser = NULL;
  s->noise_source = NULL;
  if (status == INK_OK) s->step++;
  return status;
}

bool ink_sampler_is_sde(const ink_sampler *sampler) {
  return samplers[sampler->kind].info.sde;
}

int32_t ink_sampler_done(const ink_sampler *sampler) {
  return sampler->step;
}

const float *ink_sampler_denoised(const ink_sampler *sampler) {
  return sampler->denoised;
}
