// Samplers of distilled models: latent consistency (Luo et al. 2023, arXiv 2310.04378, algorithm 3)
// and trajectory consistency (Zheng et al. 2024, arXiv 2402.19159, algorithm 4).
#include "diffusion/sampler_parts.h"

static bool last(const ink_sampler *s) {
  return s->step == s->schedule->n_steps - 1;
}

ink_status ink_lcm_step(ink_sampler *s, float *x, ink_error *error) {
  double t = ink_timestep_now(s);
  ink_level now = ink_level_of_alpha_cumprod(ink_schedule_alpha_cumprod(s->schedule, (int64_t)t));
  INK_TRY(ink_denoise(s, x, now, t, error));
  ink_clip_denoised(s);
  // The boundary condition: near timestep 0 the answer is the latent itself.
  const double sigma_data = 0.5;
  double scaled = t * s->schedule->config.timestep_scaling;
  double norm = scaled * scaled + sigma_data * sigma_data;
  INK_COMBINE2(s->n, s->denoised, scaled / sqrt(norm), s->denoised, sigma_data * sigma_data / norm,
               x);
  if (last(s)) {
    INK_COMBINE2(s->n, x, 1, s->denoised, 0, x);
    return INK_OK;
  }
  double alpha =
      ink_schedule_alpha_cumprod(s->schedule, (int64_t)s->schedule->timesteps[s->step + 1]);
  INK_TRY(ink_draw_noise(s, error));
  INK_COMBINE2(s->n, x, sqrt(alpha), s->denoised, sqrt(1 - alpha), s->noise);
  return INK_OK;
}

ink_status ink_tcd_step(ink_sampler *s, float *x, ink_error *error) {
  int64_t t = (int64_t)ink_timestep_now(s);
  int64_t next = last(s) ? 0 : (int64_t)s->schedule->timesteps[s->step + 1];
  int64_t below = (int64_t)floor((1 - s->eta) * (double)next);
  double alpha_next = ink_schedule_alpha_cumprod(s->schedule, next);
  double alpha_below = ink_schedule_alpha_cumprod(s->schedule, below);
  ink_level now = ink_level_of_alpha_cumprod(ink_schedule_alpha_cumprod(s->schedule, t));
  INK_TRY(ink_denoise(s, x, now, (double)t, error));
  ink_predicted_noise(s, x, now, s->output);
  ink_level level = ink_level_of_alpha_cumprod(alpha_below);
  INK_COMBINE2(s->n, x, level.alpha, s->denoised, level.sigma, s->output);
  if (last(s) || s->eta == 0) return INK_OK;
  // Back up from there to the next timestep.
  double share = alpha_next / alpha_below;
  INK_TRY(ink_draw_noise(s, error));
  INK_COMBINE2(s->n, x, sqrt(share), x, sqrt(1 - share), s->noise);
  return INK_OK;
}
