// Scenes as a file, for trainers elsewhere: models/painter/train_gpu.py learns from it.
#ifndef INK_TRAIN_PAINTING_SCENES_H
#define INK_TRAIN_PAINTING_SCENES_H

#include "base/pool.h"
#include "base/progress.h"
#include "tokenizer/tokenizer.h"
#include "train/scene.h"

// The seed of the held-out scenes that every run is measured with.
enum { INK_HELD_OUT_SEED = 20261125 };

typedef struct ink_scenes_source {
  const ink_sprites *sprites;
  const ink_tokenizer *tokenizer;
  ink_scene_split split;
  uint64_t seed;
  int64_t n;
  int32_t side;
  int32_t context;  // ids of a caption (ink_caption_encode)
} ink_scenes_source;

// Write scenes 0 … n-1 of the seed as a safetensors file, which appears when it is whole:
//   captions I32 (n, 8, context), of which the first `counts` I32 (n) are captions of the scene;
//   kinds I32 (n), ink_scene_kind;  pictures U8 (n, side, side, 3), sRGB, rows from the top.
// Equal bytes for any team (NULL: this thread). CANCELLED by the listener, which may be NULL.
ink_status ink_scenes_write(const char *path, const ink_scenes_source *source, ink_pool *pool,
                            const ink_progress *progress, ink_error *error);

#endif
