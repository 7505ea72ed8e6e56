// Samplers on whole timesteps: DDIM (Song et al. 2021, arXiv 2010.02502, equation 12) and PNDM (Liu
// et al. 2022, arXiv 2202.09778, equations 9 to 13).
#include "diffusion/sampler_parts.h"

// Timesteps between one step and the next.
static int64_t interval(const ink_sampler *s) {
  return s->schedule->config.n_train / s->schedule->n_asked;
}

ink_status ink_ddim_step(ink_sampler *s, float *x, ink_error *error) {
  int64_t t = (int64_t)ink_timestep_now(s);
  double alpha_t = ink_schedule_alpha_cumprod(s->schedule, t);
  double alpha_next = ink_schedule_alpha_cumprod(s->schedule, t - interval(s));
  ink_level now = ink_level_of_alpha_cumprod(alpha_t);
  INK_TRY(ink_denoise(s, x, now, (double)t, error));
  ink_predicted_noise(s, x, now, s->output);
  ink_clip_denoised(s);
  double variance = (1 - alpha_next) / (1 - alpha_t) * (1 - alpha_t / alpha_next);
  double deviation = s->eta * sqrt(variance);
  double direction = sqrt(fmax(1 - alpha_next - deviation * deviation, 0));
  INK_COMBINE2(s->n, x, sqrt(alpha_next), s->denoised, direction, s->output);
  return ink_add_fresh_noise(s, x, deviation, error);
}

// PNDM's transfer (equation 11): from timestep t to `to` with what the network said about x.
static void transfer(ink_sampler *s, const float *x, int64_t t, int64_t to, const float *said,
                     float *out) {
  double alpha_t = ink_schedule_alpha_cumprod(s->schedule, t);
  double alpha_to = ink_schedule_alpha_cumprod(s->schedule, to);
  ink_level level = ink_level_of_alpha_cumprod(alpha_t);
  double of_x = sqrt(alpha_to / alpha_t);
  double of_noise = -(alpha_to - alpha_t) /
                    (alpha_t * sqrt(1 - alpha_to) + sqrt(alpha_t * (1 - alpha_t) * alpha_to));
  double of_said = of_noise;
  if (s->schedule->config.prediction == INK_PREDICTS_V) {
    of_said = of_noise * level.alpha;
    of_x += of_noise * level.sigma;
  }
  INK_COMBINE2(s->n, out, of_x, x, of_said, said);
}

// One of the four evaluations of a Runge-Kutta step; `kept` is the latent it began with, `scratch`
// gathers the slopes.
static void runge_kutta(ink_sampler *s, float *x) {
  int32_t phase = s->step % 4;
  int64_t start = (int64_t)s->schedule->timesteps[s->step / 4 * 4];
  int64_t to = (int64_t)ink_timestep_now(s) - (phase % 2 ? 0 : interval(s) / 2);
  if (phase == 0) {
    ink_remember(s, s->output);
    INK_COMBINE2(s->n, s->kept, 1, x, 0, x);
    INK_COMBINE2(s->n, s->scratch, 1.0 / 6, s->output, 0, x);
  } else {
    double share = phase == 3 ? 1.0 / 6 : 1.0 / 3;
    INK_COMBINE2(s->n, s->scratch, 1, s->scratch, share, s->output);
  }
  transfer(s, s->kept, start, to, phase == 3 ? s->scratch : s->output, x);
}

// Adams and Bashforth's formulas over what the network said, as far as there is history.
static void multistep(ink_sampler *s, float *x) {
  static const double weights[4][4] = {{1},
                                       {3.0 / 2, -1.0 / 2},
                                       {23.0 / 12, -16.0 / 12, 5.0 / 12},
                                       {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24}};
  int64_t t = (int64_t)ink_timestep_now(s);
  if (s->step - s->first == 1 && s->schedule->config.skip_prk) {
    // The second evaluation stands where the first step led: it repeats that step with the mean.
    // diffusers does so wherever a run begins, and so do we.
    INK_COMBINE2(s->n, s->scratch, 0.5, s->output, 0.5, s->history[0]);
    transfer(s, s->kept, t + interval(s), t, s->scratch, x);
    return;
  }
  ink_remember(s, s->output);
  if (s->step == s->first) INK_COMBINE2(s->n, s->kept, 1, x, 0, x);
  ink_combine(s->n, s->scratch, s->n_history, weights[s->n_history - 1],
              (const float *const *)s->history);
  transfer(s, x, t, t - interval(s), s->scratch, x);
}

ink_status ink_pndm_step(ink_sampler *s, float *x, ink_error *error) {
  double t = ink_timestep_now(s);
  double alpha = ink_schedule_alpha_cumprod(s->schedule, (int64_t)t);
  INK_TRY(ink_denoise(s, x, ink_level_of_alpha_cumprod(alpha), t, error));
  if (!s->schedule->config.skip_prk && s->step < 12) {
    runge_kutta(s, x);
  } else {
    multistep(s, x);
  }
  return INK_OK;
}
