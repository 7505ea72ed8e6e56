// Samplers: from noise to a picture's latent, one step at a time. They act on plain arrays and know
// the network as a callback.
#ifndef INK_DIFFUSION_SAMPLER_H
#define INK_DIFFUSION_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "diffusion/noise.h"
#include "diffusion/schedule.h"

typedef enum ink_sampler_kind {
  INK_SAMPLER_EULER,               // Karras et al. 2022, arXiv 2206.00364, algorithm 2, first order
  INK_SAMPLER_EULER_ANCESTRAL,     // with fresh noise each step
  INK_SAMPLER_HEUN,                // Karras et al., algorithm 2 without churn
  INK_SAMPLER_DPM2,                // Lu et al. 2022, arXiv 2206.00927, second order, midpoint
  INK_SAMPLER_DPMPP_2M,            // Lu et al. 2022, arXiv 2211.01095, algorithm 2
  INK_SAMPLER_DPMPP_2M_SDE,        // the same for the diffusion SDE
  INK_SAMPLER_DPMPP_2S_ANCESTRAL,  // arXiv 2211.01095, algorithm 1, with fresh noise each step
  INK_SAMPLER_DPMPP_SDE,           // arXiv 2211.01095, algorithm 1 for the diffusion SDE
  INK_SAMPLER_DPMPP_3M_SDE,        // third order, k-diffusion
  INK_SAMPLER_DDIM,                // Song et al. 2021, arXiv 2010.02502
  INK_SAMPLER_PNDM,                // Liu et al. 2022, arXiv 2202.09778
  INK_SAMPLER_UNIPC,               // Zhao et al. 2023, arXiv 2302.04867, B2(h)
  INK_SAMPLER_LCM,                 // Luo et al. 2023, arXiv 2310.04378
  INK_SAMPLER_TCD,                 // Zheng et al. 2024, arXiv 2402.19159
  INK_SAMPLER_COUNT
} ink_sampler_kind;

typedef struct ink_sampler_info {
  const char *name;    // on the command line: "dpm++2m"
  const char *label;   // as A1111 writes it: "DPM++ 2M"
  const char *class_;  // of diffusers' scheduler; NULL where it has none
  ink_grid grid;
  bool variance_exploding;  // its latent is signal + sigma * noise, else it keeps unit variance
  bool stochastic;          // draws noise after the first
  bool sde;                 // and for stretches of sigma: a Brownian motion can give it
  double eta;               // how much, where nobody says
} ink_sampler_info;

const ink_sampler_info *ink_sampler_about(ink_sampler_kind kind);
// By its name here, in A1111 or in ComfyUI, whatever the case, spaces and hyphens; false when there
// is none.
bool ink_sampler_parse(const char *name, ink_sampler_kind *kind);
// The same where a schedule may follow, as in A1111 before version 1.9: "DPM++ 2M Karras".
bool ink_sampler_parse_scheduled(const char *name, ink_sampler_kind *kind, ink_curve *curve,
                                 bool *has_curve);

// The network, guidance and all.
typedef struct ink_denoiser {
  // Reads `input`, the noisy latent at unit variance, and the timestep (which may be fractional);
  // writes as many floats to `output`, in the terms of the schedule's prediction.
  ink_status (*predict)(void *context, const float *input, double timestep, float *output,
                        ink_error *error);
  void *context;
} ink_denoiser;

typedef struct ink_sampler ink_sampler;

// A sampler for latents of n floats; the schedule, made for the sampler's grid, must outlive it.
// `eta` scales the noise of stochastic samplers and of DDIM; NAN takes the sampler's own value.
// UNSUPPORTED: a prediction that the method is not defined for.
ink_status ink_sampler_new(ink_sampler_kind kind, const ink_schedule *schedule, size_t n,
                           double eta, ink_sampler **sampler, ink_error *error);
void ink_sampler_free(ink_sampler *sampler);

// Begin at step `first` (0, or later for image-to-image), forgetting all history. USAGE unless
// 0 <= first < schedule->n_steps; UNSUPPORTED: PNDM with Runge-Kutta steps, later than 0.
ink_status ink_sampler_start(ink_sampler *sampler, int32_t first, ink_error *error);

// Turn standard normal noise into the latent of a run from nothing.
void ink_sampler_begin(const ink_sampler *sampler, float *latent);
// The noisy form of a clean latent as step `step` expects it; n_steps: after the last. `out` may be
// `clean`.
void ink_sampler_add_noise(const ink_sampler *sampler, int32_t step, const float *clean,
                           const float *noise, float *out);

// Take the next step: the latent is replaced. Stochastic samplers draw from `noise`; for others it
// may be NULL. Failures of the callbacks pass through and leave the sampler to be started anew.
ink_status ink_sampler_step(ink_sampler *sampler, float *latent, const ink_denoiser *denoiser,
                            const ink_noise_source *noise, ink_error *error);

// Whether it solves the diffusion's SDE, so that its source of noise is asked for stretches.
bool ink_sampler_is_sde(const ink_sampler *sampler);

// Steps done so far, those before the start counted; n_steps: all.
int32_t ink_sampler_done(const ink_sampler *sampler);
// The clean latent as the last step saw it, for previews. Borrowed.
const float *ink_sampler_denoised(const ink_sampler *sampler);

#endif
