// DPM-Solver++ (Lu et al. 2022, arXiv 2211.01095): exponential integrators over half the log
// signal-to-noise ratio, lambda = -log sigma, for the signal that the network predicts.
#include "diffusion/sampler_parts.h"

// What a multistep update knows of the step: from sigma s to sigma t.
typedef struct stride {
  ink_level s, t;
  double h;     // lambda_t - lambda_s; infinite when the step ends at 0
  double r;     // the step before, as a share of h
  bool second;  // an earlier prediction is to be used
} stride;

// diffusers falls back to first order at the last of few steps, or when it ends without noise.
static bool first_order(const ink_sampler *s) {
  bool last = s->step == s->schedule->n_steps - 1;
  return s->n_history < 2 ||
         (last && (!s->schedule->config.final_sigma_min || s->schedule->n_steps < 15));
}

static stride stride_of(const ink_sampler *s) {
  double from = ink_sigma_now(s), to = ink_sigma_next(s);
  stride d = {.s = ink_level_of_sigma(from), .t = ink_level_of_sigma(to), .h = log(from / to)};
  d.second = !first_order(s);
  if (d.second) d.r = log(s->schedule->sigmas[s->step - 1] / from) / d.h;
  return d;
}

static ink_status predict(ink_sampler *s, const float *x, ink_error *error) {
  INK_TRY(ink_denoise(s, x, ink_level_of_sigma(ink_sigma_now(s)), ink_timestep_now(s), error));
  ink_remember(s, s->denoised);
  return INK_OK;
}

ink_status ink_dpmpp_2m_step(ink_sampler *s, float *x, ink_error *error) {
  INK_TRY(predict(s, x, error));
  stride d = stride_of(s);
  double gain = -d.t.alpha * expm1(-d.h);
  double slope = d.second ? gain / (2 * d.r) : 0;
  INK_COMBINE3(s->n, x, d.t.sigma / d.s.sigma, x, gain + slope, s->history[0], -slope,
               s->history[1]);
  return INK_OK;
}

ink_status ink_dpmpp_2m_sde_step(ink_sampler *s, float *x, ink_error *error) {
  INK_TRY(predict(s, x, error));
  if (ink_sigma_next(s) == 0) {
    INK_COMBINE2(s->n, x, 1, s->denoised, 0, x);
    return INK_OK;
  }
  stride d = stride_of(s);
  double damp = exp(-s->eta * d.h);
  double gain = -d.t.alpha * expm1(-(1 + s->eta) * d.h);
  double slope = d.second ? gain / (2 * d.r) : 0;
  INK_COMBINE3(s->n, x, d.t.sigma / d.s.sigma * damp, x, gain + slope, s->history[0], -slope,
               s->history[1]);
  return ink_add_noise_between(s, x, d.t.sigma * sqrt(-expm1(-2 * s->eta * d.h)), ink_sigma_now(s),
                               ink_sigma_next(s), error);
}

// How far below a level to step down, so that fresh noise of `up` comes back to it.
typedef struct ancestral {
  double down, up;
} ancestral;

static ancestral ancestral_of(const ink_sampler *s, double sigma, double next) {
  double up = fmin(next, s->eta * sqrt(next * next * (sigma * sigma - next * next)) / sigma);
  return (ancestral){sqrt(next * next - up * up), up};
}

ink_status ink_dpmpp_2s_ancestral_step(ink_sampler *s, float *x, ink_error *error) {
  double sigma = ink_sigma_now(s), next = ink_sigma_next(s);
  ancestral a = ancestral_of(s, sigma, next);
  double down = a.down;
  INK_TRY(ink_denoise_exploding(s, x, sigma, ink_timestep_now(s), error));
  if (down > 0) {
    double middle = sqrt(sigma * down);
    float *y = s->scratch;
    INK_COMBINE2(s->n, y, middle / sigma, x, 1 - middle / sigma, s->denoised);
    double timestep = ink_schedule_timestep_of(s->schedule, middle);
    INK_TRY(ink_denoise_exploding(s, y, middle, timestep, error));
  }
  INK_COMBINE2(s->n, x, down / sigma, x, 1 - down / sigma, s->denoised);
  return ink_add_fresh_noise(s, x, a.up, error);
}

// k-diffusion's form: two evaluations, at the step's begin and at the middle of its lambdas.
ink_status ink_dpmpp_sde_step(ink_sampler *s, float *x, ink_error *error) {
  double sigma = ink_sigma_now(s), next = ink_sigma_next(s);
  INK_TRY(ink_denoise_exploding(s, x, sigma, ink_timestep_now(s), error));
  if (next == 0) {
    INK_COMBINE2(s->n, x, 1, s->denoised, 0, x);
    return INK_OK;
  }
  // A Brownian motion is asked about levels as they come out of single precision there.
  float t = -logf((float)sigma), t_next = -logf((float)next);
  double from = (double)expf(-t), middle = (double)expf(-(t + 0.5F * (t_next - t))),
         to = (double)expf(-t_next);
  ancestral half = ancestral_of(s, from, middle), whole = ancestral_of(s, from, to);
  float *y = s->scratch;
  INK_COMBINE2(s->n, y, half.down / from, x, 1 - half.down / from, s->denoised);
  INK_TRY(ink_add_noise_between(s, y, half.up, from, middle, error));
  double timestep = ink_schedule_timestep_of(s->schedule, middle);
  INK_TRY(ink_denoise_exploding(s, y, middle, timestep, error));
  INK_COMBINE2(s->n, x, whole.down / from, x, 1 - whole.down / from, s->denoised);
  return ink_add_noise_between(s, x, whole.up, from, to, error);
}

// k-diffusion's third-order multistep solver of the diffusion SDE.
ink_status ink_dpmpp_3m_sde_step(ink_sampler *s, float *x, ink_error *error) {
  const double *sigmas = s->schedule->sigmas;
  int32_t i = s->step;
  double sigma = ink_sigma_now(s), next = ink_sigma_next(s);
  INK_TRY(ink_denoise_exploding(s, x, sigma, ink_timestep_now(s), error));
  ink_remember(s, s->denoised);
  if (next == 0) {
    INK_COMBINE2(s->n, x, 1, s->denoised, 0, x);
    return INK_OK;
  }
  double h = log(sigma / next), h_eta = h * (s->eta + 1);
  double phi_1 = -expm1(-h_eta), phi_2 = expm1(-h_eta) / h_eta + 1, phi_3 = phi_2 / h_eta - 0.5;
  // Differences of the signal become coefficients of the last three predictions.
  double c[4] = {exp(-h_eta), phi_1, 0, 0};
  if (s->n_history >= 3) {
    double r0 = log(sigmas[i - 1] / sigma) / h, r1 = log(sigmas[i - 2] / sigmas[i - 1]) / h;
    double first = phi_2 * (1 + r0 / (r0 + r1)) - phi_3 / (r0 + r1);  // of (m0 - m1) / r0
    double second = -phi_2 * r0 / (r0 + r1) + phi_3 / (r0 + r1);      // of (m1 - m2) / r1
    c[1] += first / r0;
    c[2] = -first / r0 + second / r1;
    c[3] = -second / r1;
  } else if (s->n_history == 2) {
    double r = log(sigmas[i - 1] / sigma) / h;
    c[1] += phi_2 / r;
    c[2] = -phi_2 / r;
  }
  ink_combine(s->n, x, 4, c,
              (const float *const[]){x, s->history[0], s->history[1], s->history[2]});
  return ink_add_noise_between(s, x, next * sqrt(-expm1(-2 * h * s->eta)), sigma, next, error);
}
