// Painting turned back: the noise that a picture may have been painted from. DDIM is an ordinary
// differential equation (Song et al. 2021, arXiv 2010.02502, section 4.3) and can be followed
// towards noise; without the prompt, and with no guidance, the signs of the noise are met well
// enough to read a watermark (Yang et al. 2024, CVPR, section 3.3).
#ifndef INK_DIFFUSION_INVERSION_H
#define INK_DIFFUSION_INVERSION_H

#include "diffusion/pipeline.h"

// Follow a clean latent of n floats, replaced in place, up to the noisiest timestep of the schedule
// (of INK_GRID_DDIM). The step to a timestep asks the network at that timestep, as diffusers'
// inverse schedulers do, with the latent as it was before; each of `corrections` asks once more
// with the result, which approaches the latent that DDIM comes back from. A last timestep that is
// pure noise (zero terminal signal-to-noise ratio) is met without division by its signal.
// CANCELLED by the listener (may be NULL).
ink_status ink_ddim_invert(const ink_schedule *schedule, size_t n, int32_t corrections,
                           const ink_denoiser *denoiser, const ink_progress *progress,
                           float *latent, ink_error *error);

typedef struct ink_inversion_options {
  int32_t width, height;  // that the picture is brought to; 0: the model's own
  int32_t steps, corrections;
  // What the picture was painted from, where that is known; NULL: no words, and no guidance.
  const char *prompt;
  double guidance_scale;
  ink_precision precision;
  const ink_progress *progress;  // may be NULL
} ink_inversion_options;
// 25 steps without correction at the model's own size, without words, in F32.
ink_inversion_options ink_inversion_options_default(void);

typedef struct ink_inversion {
  float *noise;  // (channels, height, width), about standard normal
  int32_t channels, height, width;
} ink_inversion;
void ink_inversion_free(ink_inversion *inversion);

// Find the noise of a picture, of any size and channels, under a model. *inversion is the caller's,
// empty on failure. UNSUPPORTED: a model that paints from more than noise and words. Otherwise
// errors as ink_pipeline_paint.
ink_status ink_pipeline_invert(ink_pipeline *pipeline, const ink_picture *picture,
                               const ink_inversion_options *options, ink_inversion *inversion,
                               ink_error *error);
// The same from a latent as the UNet knows it, (channels, height, width) of the options' size: the
// autoencoder is left out.
ink_status ink_pipeline_invert_latent(ink_pipeline *pipeline, const float *latent,
                                      const ink_inversion_options *options,
                                      ink_inversion *inversion, ink_error *error);

#endif
