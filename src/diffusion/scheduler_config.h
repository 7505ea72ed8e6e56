// scheduler_config.json of a diffusers folder: the noise of a model and the sampler it comes with.
#ifndef INK_DIFFUSION_SCHEDULER_CONFIG_H
#define INK_DIFFUSION_SCHEDULER_CONFIG_H

#include "base/json.h"
#include "diffusion/sampler.h"

typedef struct ink_scheduler_config {
  ink_noise_config noise;
  ink_sampler_kind sampler;
  ink_curve curve;
} ink_scheduler_config;

// Read the parsed file; `name` is what errors call it. With `chosen` the sampler is that one,
// whatever class the file names; members that the file leaves out have the defaults of the class
// that diffusers has for the sampler. UNSUPPORTED: a class or a way of sampling that inkstone does
// not have; FORMAT: members of a wrong type or out of range.
ink_status ink_scheduler_config_read(const json_t *file, const char *name,
                                     const ink_sampler_kind *chosen, ink_scheduler_config *config,
                                     ink_error *error);

#endif
