// Solvers of the probability flow in the terms of Karras et al. 2022 (arXiv 2206.00364):
// dx = (x - denoised(x, sigma)) / sigma * dsigma. Euler, Euler with fresh noise, Heun, and
// DPM-Solver of second order (Lu et al. 2022, arXiv 2206.00927).
#include "diffusion/sampler_parts.h"

// x moved from sigma to `to` along the line through `denoised`.
static void move(ink_sampler *s, const float *x, const float *denoised, double sigma, double to,
                 float *out) {
  INK_COMBINE2(s->n, out, to / sigma, x, 1 - to / sigma, denoised);
}

ink_status ink_euler_step(ink_sampler *s, float *x, ink_error *error) {
  double sigma = ink_sigma_now(s);
  INK_TRY(ink_denoise_exploding(s, x, sigma, ink_timestep_now(s), error));
  move(s, x, s->denoised, sigma, ink_sigma_next(s), x);
  return INK_OK;
}

ink_status ink_euler_ancestral_step(ink_sampler *s, float *x, ink_error *error) {
  double sigma = ink_sigma_now(s), next = ink_sigma_next(s);
  // Step down below the next level and come back to it with noise.
  double up = fmin(next, s->eta * sqrt(next * next * (sigma * sigma - next * next)) / sigma);
  double down = sqrt(next * next - up * up);
  INK_TRY(ink_denoise_exploding(s, x, sigma, ink_timestep_now(s), error));
  move(s, x, s->denoised, sigma, down, x);
  return ink_add_fresh_noise(s, x, up, error);
}

ink_status ink_heun_step(ink_sampler *s, float *x, ink_error *error) {
  double sigma = ink_sigma_now(s), next = ink_sigma_next(s);
  INK_TRY(ink_denoise_exploding(s, x, sigma, ink_timestep_now(s), error));
  if (next == 0) {
    move(s, x, s->denoised, sigma, next, x);
    return INK_OK;
  }
  // The mean of the slopes at both ends: (x - a) / sigma and (y - b) / next.
  float *a = s->kept, *y = s->scratch;
  INK_COMBINE2(s->n, a, 1, s->denoised, 0, x);
  move(s, x, a, sigma, next, y);
  INK_TRY(ink_denoise_exploding(s, y, next, s->schedule->timesteps[s->step + 1], error));
  double half = (next - sigma) / 2;
  INK_COMBINE4(s->n, x, 1 + half / sigma, x, -half / sigma, a, half / next, y, -half / next,
               s->denoised);
  return INK_OK;
}

ink_status ink_dpm2_step(ink_sampler *s, float *x, ink_error *error) {
  double sigma = ink_sigma_now(s), next = ink_sigma_next(s);
  INK_TRY(ink_denoise_exploding(s, x, sigma, ink_timestep_now(s), error));
  if (next == 0) {
    move(s, x, s->denoised, sigma, next, x);
    return INK_OK;
  }
  double middle = sqrt(sigma * next);
  float *y = s->scratch;
  move(s, x, s->denoised, sigma, middle, y);
  double timestep = ink_schedule_timestep_of(s->schedule, middle);
  INK_TRY(ink_denoise_exploding(s, y, middle, timestep, error));
  double slope = (next - sigma) / middle;
  INK_COMBINE3(s->n, x, 1, x, slope, y, -slope, s->denoised);
  return INK_OK;
}
