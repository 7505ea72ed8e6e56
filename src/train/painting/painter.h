// Training the painter: a UNet and the text encoder it listens to, together, on the latents of
// encoded scenes (Rombach et al. 2022). The network predicts v (Salimans and Ho 2022) under a
// schedule whose last timestep is noise alone (Lin et al. 2023).
#ifndef INK_TRAIN_PAINTING_PAINTER_H
#define INK_TRAIN_PAINTING_PAINTER_H

#include "base/progress.h"
#include "train/painting/course.h"

typedef struct ink_painter_trainer ink_painter_trainer;

// Prepare a run in the folder `out`, or take one up, as ink_trainer_new. Scenes that are not
// encoded yet (out/studies.safetensors) are encoded here, with progress.
ink_status ink_painter_trainer_new(const ink_painter_recipe *recipe, const char *out, bool force,
                                   ink_pool *pool, const ink_progress *progress,
                                   ink_painter_trainer **trainer, ink_error *error);
void ink_painter_trainer_free(ink_painter_trainer *trainer);

// Train to the last step. valid_loss is the mean square of v's error on scenes of
// INK_SCENE_HELD_OUT and valid_second on new scenes like those of training; a note gives the former
// by quarters of the noise's range. Contact sheets of the recipe's prompts come every few minutes.
// With each, and at the end, out/<name> is a diffusers folder of the averaged weights.
ink_status ink_painter_trainer_run(ink_painter_trainer *trainer, const ink_train_listener *listener,
                                   ink_error *error);

ink_course *ink_painter_trainer_course(ink_painter_trainer *trainer);

// Lay the recipe's scenes out into a file (ink_scenes_write), from the folder `data` whatever the
// recipe names: n of them (0: as many as it says), or of those that measure.
ink_status ink_painter_lay_out(const ink_painter_recipe *recipe, const char *data, int64_t n,
                               bool held_out, const char *out, ink_pool *pool,
                               const ink_progress *progress, ink_error *error);

// The loss weight of v at this share of signal in the variance. With S the ratio of signal to noise
// it is min(S + 1, gamma) / (S + 1): Hang et al.'s clamp (min-SNR, arXiv 2303.09556) on the weights
// that v itself stands for, so that the timestep without signal, where every picture begins,
// counts.
double ink_painter_weight(double alpha_cumprod, double gamma);
// The timestep of n at a share, 0 … 1, of all weights: weight_until[i] is the sum of those before
// timestep i, weight_until[n] of all. Even shares give each timestep as often as it weighs.
int64_t ink_painter_timestep_at(const double *weight_until, int64_t n, double share);

#endif
