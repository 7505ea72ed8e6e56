// Noise schedules. A model is trained with a fixed amount of noise at each of its timesteps (Ho et
// al. 2020, arXiv 2006.11239); a run visits a few of these levels. A level is given by its sigma,
// the ratio of noise to signal: x = (signal + sigma * noise) / sqrt(1 + sigma^2) has unit variance.
// Numbers follow diffusers' schedulers, single precision included where it is visible.
#ifndef INK_DIFFUSION_SCHEDULE_H
#define INK_DIFFUSION_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

// How the variance added at each training timestep grows.
typedef enum ink_betas {
  INK_BETAS_LINEAR,
  INK_BETAS_SCALED_LINEAR,  // the square root is linear: Stable Diffusion
  INK_BETAS_SQUARED_COSINE  // Nichol and Dhariwal 2021, arXiv 2102.09672
} ink_betas;

// What the network's output stands for.
typedef enum ink_prediction {
  INK_PREDICTS_EPSILON,  // the noise
  INK_PREDICTS_V,        // alpha * noise - sigma * signal (Salimans and Ho 2022, arXiv 2202.00512)
  INK_PREDICTS_SAMPLE    // the signal
} ink_prediction;

// How the timesteps of a run lie among those of training (Lin et al. 2023, arXiv 2305.08891, table
// 2).
typedef enum ink_spacing {
  INK_SPACING_LEADING,
  INK_SPACING_TRAILING,
  INK_SPACING_LINSPACE
} ink_spacing;

// Which levels a run visits.
typedef enum ink_curve {
  INK_CURVE_SPACED,       // those of the spaced timesteps
  INK_CURVE_KARRAS,       // Karras et al. 2022, arXiv 2206.00364, equation 5, rho 7
  INK_CURVE_EXPONENTIAL,  // even in log sigma
  INK_CURVE_BETA,         // quantiles of the beta distribution (0.6, 0.6): arXiv 2407.12173
  INK_CURVE_SGM_UNIFORM,  // even in time, the last interval left out
  INK_CURVE_SIMPLE,       // every (n_train / n)-th level of training, from the noisiest
  INK_CURVE_AYS,          // Align Your Steps (arXiv 2404.14507), levels for Stable Diffusion 1
  INK_CURVE_AYS_XL,       // the same for Stable Diffusion XL
  INK_CURVE_TRAILING,     // timesteps spaced from the noisiest on, whatever the configuration says
  INK_CURVE_COUNT
} ink_curve;

// "default", "karras", "exponential", "beta", "sgm-uniform", "simple", "ays", "ays-xl",
// "trailing".
const char *ink_curve_name(ink_curve curve);
// As A1111 writes it: "Karras", "SGM Uniform".
const char *ink_curve_label(ink_curve curve);
// By its name here, in A1111 or in ComfyUI, as ink_sampler_parse does it.
bool ink_curve_parse(const char *name, ink_curve *curve);

// A model's noise as its scheduler_config.json states it.
typedef struct ink_noise_config {
  int32_t n_train;  // timesteps of training
  double beta_start, beta_end;
  ink_betas betas;
  bool zero_terminal_snr;  // rescale so that the last timestep is pure noise (arXiv 2305.08891)
  ink_prediction prediction;
  ink_spacing spacing;
  int32_t steps_offset;  // added to "leading" timesteps
  bool final_alpha_one;  // beyond timestep 0 lies the clean picture, not the level of timestep 0
  bool final_sigma_min;  // the last level is that of timestep 0, not 0
  bool skip_prk;         // PNDM: begin with linear multistep instead of Runge-Kutta
  bool clip_sample;      // confine predicted signals to +-clip_range
  double clip_range;
  int32_t original_steps;   // LCM, TCD: steps of the teacher
  double timestep_scaling;  // LCM: of the boundary condition
  int32_t solver_order;     // UniPC: 1 to 3
} ink_noise_config;

// Stable Diffusion 1's: 1,000 timesteps, scaled linear 0.00085 to 0.012, epsilon.
ink_noise_config ink_noise_config_default(void);

// The families of rules by which solvers choose timesteps.
typedef enum ink_grid {
  INK_GRID_CONTINUOUS,       // fractional timesteps: Euler and its kin
  INK_GRID_CONTINUOUS_DPM2,  // as above, but whole timesteps under Karras
  INK_GRID_DPM,              // whole timesteps, the last of n + 1 left out
  INK_GRID_DDIM,             // whole timesteps, spaced only
  INK_GRID_PNDM,             // as DDIM, with the timesteps that the method visits more than once
  INK_GRID_DISTILLED         // subset of the teacher's timesteps: LCM, TCD
} ink_grid;

enum { INK_MOST_TRAIN_TIMESTEPS = 100000 };

typedef struct ink_schedule {
  ink_noise_config config;
  ink_grid grid;
  ink_curve curve;
  float *alphas_cumprod;  // n_train: the share of signal in the variance at each timestep
  float *train_sigmas;    // n_train
  int32_t n_asked;        // steps asked for
  int32_t n_steps;        // steps to take: more than were asked for only with PNDM
  double *timesteps;      // n_steps
  double *sigmas;         // n_steps + 1
} ink_schedule;

// Lay out a run of n_steps steps. The schedule is the caller's (ink_schedule_free). USAGE: a
// configuration out of range, steps not in 1 … n_train or more than a distilled model's teacher
// had, a curve that the grid cannot follow.
ink_status ink_schedule_new(const ink_noise_config *config, ink_grid grid, ink_curve curve,
                            int32_t n_steps, ink_schedule **schedule, ink_error *error);
void ink_schedule_free(ink_schedule *schedule);

// The fractional timestep whose level is sigma (linear in log sigma), within [0, n_train - 1].
double ink_schedule_timestep_of(const ink_schedule *schedule, double sigma);

// The share of signal at a whole timestep; below 0 the configuration's final one.
double ink_schedule_alpha_cumprod(const ink_schedule *schedule, int64_t timestep);

#endif
