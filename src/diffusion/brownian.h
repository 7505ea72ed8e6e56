// Noise of SDE samplers as increments of one Brownian motion over sigma, so that more or fewer
// steps follow the same path: k-diffusion's BrownianTreeNoiseSampler, which A1111, ComfyUI and
// diffusers' DPMSolverSDEScheduler draw from, over torchsde's BrownianTree (Li et al. 2020, arXiv
// 2001.01328, section 4; Levy's construction by halves).
#ifndef INK_DIFFUSION_BROWNIAN_H
#define INK_DIFFUSION_BROWNIAN_H

#include "diffusion/noise.h"

typedef struct ink_brownian {
  ink_noise_kind kind;  // whose normals: torch's on the CPU, on CUDA, or our own
  uint64_t seed;
  uint64_t stream;   // for the own generator
  double low, high;  // least sigma above 0 and largest of the run
} ink_brownian;

// The noise of a step from one sigma to another, both within low … high: n standard normals, the
// increment over the root of its length. Sigmas count in single precision and to 6 decimals, as
// there. USAGE: they are not in that range.
ink_status ink_brownian_step(const ink_brownian *motion, double from, double to, float *noise,
                             size_t n, ink_error *error);

#endif
