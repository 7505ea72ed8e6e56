// Training the painter's autoencoder (AutoencoderTiny) on scenes that are drawn as it goes.
#ifndef INK_TRAIN_PAINTING_AUTOENCODER_H
#define INK_TRAIN_PAINTING_AUTOENCODER_H

#include "train/painting/course.h"

typedef struct ink_autoencoder_trainer ink_autoencoder_trainer;

// Prepare a run in the folder `out`, or take one up, as ink_trainer_new.
ink_status ink_autoencoder_trainer_new(const ink_autoencoder_recipe *recipe, const char *out,
                                       bool force, ink_pool *pool,
                                       ink_autoencoder_trainer **trainer, ink_error *error);
void ink_autoencoder_trainer_free(ink_autoencoder_trainer *trainer);

// Train to the last step. Held-out scenes give the loss of their pixels and the PSNR, and at each
// such look a sheet, originals above what came back. At the end out/<name> holds config.json, whose
// scaling_factor brings latents to unit deviation, and the averaged weights.
ink_status ink_autoencoder_trainer_run(ink_autoencoder_trainer *trainer,
                                       const ink_train_listener *listener, ink_error *error);

ink_course *ink_autoencoder_trainer_course(ink_autoencoder_trainer *trainer);

// A finished one, its parameters as copies to compute with. Free with ink_taesd_free. *config
// receives its config.json, the caller's.
ink_status ink_autoencoder_load(const char *folder, ink_taesd **taesd, json_t **config,
                                ink_error *error);

#endif
