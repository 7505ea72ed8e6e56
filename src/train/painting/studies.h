// Studies: scenes that the autoencoder has encoded once, with the token ids of their captions. The
// painter learns from these; drawing and encoding again would cost more than learning.
#ifndef INK_TRAIN_PAINTING_STUDIES_H
#define INK_TRAIN_PAINTING_STUDIES_H

#include "base/progress.h"
#include "models/taesd.h"
#include "tensor/ops.h"
#include "train/painting/scenes.h"

#define INK_STUDIES_NAME "studies.safetensors"

// What decides the content of the file.
typedef struct ink_studies_source {
  ink_scenes_source scenes;
  ink_taesd *taesd;  // its encoder counts; the decoder may change
  double scale;      // latents times this are kept
  int64_t micro;     // pictures at once
  ink_precision precision;
} ink_studies_source;

typedef struct ink_studies ink_studies;

// Open the file, or make it when it is not there or was made from another source; it appears when
// it is whole. CANCELLED by the listener.
ink_status ink_studies_open(const char *path, const ink_studies_source *source, ink_pool *pool,
                            const ink_progress *progress, ink_studies **studies, ink_error *error);
void ink_studies_close(ink_studies *studies);

// Latent `index`, as F16 (h, w, channels).
const uint16_t *ink_studies_latent(const ink_studies *studies, int64_t index);
// Numbers in a latent.
size_t ink_studies_latent_size(const ink_studies *studies);
// How many captions there are, and the ids (context) of one of them.
int32_t ink_studies_n_caption(const ink_studies *studies, int64_t index);
const int32_t *ink_studies_caption(const ink_studies *studies, int64_t index, int32_t which);

#endif
