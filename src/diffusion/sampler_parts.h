// Inside the room: what the families of samplers share.
#ifndef INK_DIFFUSION_SAMPLER_PARTS_H
#define INK_DIFFUSION_SAMPLER_PARTS_H

#include <math.h>

#include "diffusion/sampler.h"

enum { INK_SAMPLER_HISTORY = 4 };

struct ink_sampler {
  ink_sampler_kind kind;
  const ink_schedule *schedule;
  size_t n;
  double eta;
  int32_t first, step;  // where the run began; the step to take next
  // For the length of a step:
  const ink_denoiser *denoiser;
  const ink_noise_source *noise_source;
  // Arrays of n.
  float *input, *output;  // what goes into the network and comes out
  float *denoised;        // the clean latent as last predicted
  float *noise;
  float *kept, *scratch;                // a latent to return to; a latent on the way
  float *history[INK_SAMPLER_HISTORY];  // earlier predictions, the latest first
  int32_t n_history;                    // how many of them hold something
  int32_t order;                        // UniPC: order of the last prediction
  float *memory;                        // behind all of them
};

typedef ink_status (*ink_sampler_method)(ink_sampler *s, float *x, ink_error *error);

ink_status ink_euler_step(ink_sampler *s, float *x, ink_error *error);
ink_status ink_euler_ancestral_step(ink_sampler *s, float *x, ink_error *error);
ink_status ink_heun_step(ink_sampler *s, float *x, ink_error *error);
ink_status ink_dpm2_step(ink_sampler *s, float *x, ink_error *error);
ink_status ink_dpmpp_2m_step(ink_sampler *s, float *x, ink_error *error);
ink_status ink_dpmpp_2m_sde_step(ink_sampler *s, float *x, ink_error *error);
ink_status ink_dpmpp_2s_ancestral_step(ink_sampler *s, float *x, ink_error *error);
ink_status ink_dpmpp_sde_step(ink_sampler *s, float *x, ink_error *error);
ink_status ink_dpmpp_3m_sde_step(ink_sampler *s, float *x, ink_error *error);
ink_status ink_ddim_step(ink_sampler *s, float *x, ink_error *error);
ink_status ink_pndm_step(ink_sampler *s, float *x, ink_error *error);
ink_status ink_unipc_step(ink_sampler *s, float *x, ink_error *error);
ink_status ink_lcm_step(ink_sampler *s, float *x, ink_error *error);
ink_status ink_tcd_step(ink_sampler *s, float *x, ink_error *error);

// A level in unit variance: x = alpha * signal + sigma * noise.
typedef struct ink_level {
  double alpha, sigma;
} ink_level;

static inline ink_level ink_level_of_sigma(double sigma) {
  double alpha = 1 / sqrt(sigma * sigma + 1);
  return (ink_level){alpha, sigma * alpha};
}
static inline ink_level ink_level_of_alpha_cumprod(double alpha_cumprod) {
  return (ink_level){sqrt(alpha_cumprod), sqrt(1 - alpha_cumprod)};
}

// Sigma of the step to take, and of the level it leads to; its timestep.
static inline double ink_sigma_now(const ink_sampler *s) {
  return s->schedule->sigmas[s->step];
}
static inline double ink_sigma_next(const ink_sampler *s) {
  return s->schedule->sigmas[s->step + 1];
}
static inline double ink_timestep_now(const ink_sampler *s) {
  return s->schedule->timesteps[s->step];
}

// out[i] = sum of coefficients[k] * arrays[k][i], each element gathered in double precision. `out`
// may be one of the arrays. Coefficients of 0 leave their array unread.
void ink_combine(size_t n, float *out, int n_terms, const double *coefficients,
                 const float *const *arrays);
#define INK_COMBINE2(n, out, a, x, b, y) \
  ink_combine(n, out, 2, (const double[]){a, b}, (const float *const[]){x, y})
#define INK_COMBINE3(n, out, a, x, b, y, c, z) \
  ink_combine(n, out, 3, (const double[]){a, b, c}, (const float *const[]){x, y, z})
#define INK_COMBINE4(n, out, a, x, b, y, c, z, d, w) \
  ink_combine(n, out, 4, (const double[]){a, b, c, d}, (const float *const[]){x, y, z, w})

// Ask the network about x = signal + sigma * noise: s->denoised.
ink_status ink_denoise_exploding(ink_sampler *s, const float *x, double sigma, double timestep,
                                 ink_error *error);
// Ask it about a latent of unit variance: its raw answer in s->output, the signal in s->denoised.
ink_status ink_denoise(ink_sampler *s, const float *x, ink_level level, double timestep,
                       ink_error *error);
// The noise that x holds according to s->output (which may be `out`) and s->denoised.
void ink_predicted_noise(const ink_sampler *s, const float *x, ink_level level, float *out);
// Confine s->denoised where the configuration asks for it.
void ink_clip_denoised(ink_sampler *s);

// Standard normals in s->noise. USAGE when the step was given no source.
ink_status ink_draw_noise(ink_sampler *s, ink_error *error);
// Add coefficient * fresh noise to x; nothing is drawn for 0.
ink_status ink_add_fresh_noise(ink_sampler *s, float *x, double coefficient, ink_error *error);

// The same with the noise of the step between two sigmas, where the source tells such apart.
ink_status ink_add_noise_between(ink_sampler *s, float *x, double coefficient, double from,
                                 double to, ink_error *error);

// Put a copy of an array before the history, whose oldest falls out.
void ink_remember(ink_sampler *s, const float *array);

#endif
