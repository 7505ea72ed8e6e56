// Scenes as files: what is said of them, and beside it the pictures, for trainers elsewhere
// (models/painter/train_gpu.py learns from it), or latents, for ours (studies.h).
#ifndef INK_TRAIN_PAINTING_SCENES_H
#define INK_TRAIN_PAINTING_SCENES_H

#include "base/pool.h"
#include "base/progress.h"
#include "tokenizer/tokenizer.h"
#include "train/scene.h"
#include "weights/safetensors.h"

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

// The ids of a caption: begin, words as far as they fit, end, and end again up to `context`.
ink_status ink_caption_encode(const ink_tokenizer *tokenizer, const char *text, int32_t context,
                              int32_t *ids, ink_error *error);

// What a file holds beside the words: a tensor of a line for each scene, which `write` hands to the
// writer, the first scene's first.
typedef struct ink_scenes_content {
  ink_safetensors_entry entry;
  ink_status (*write)(void *context, ink_safetensors_writer *writer, ink_error *error);
  void *context;
} ink_scenes_content;

// Write scenes 0 … n-1 of the seed as a safetensors file, which appears when it is whole: the
// content, and
//   captions I32 (n, 8, context), of which the first `counts` I32 (n) are captions of the scene;
//   kinds I32 (n), ink_scene_kind.
// Equal words for any team (NULL: this thread). CANCELLED by the listener, which may be NULL.
ink_status ink_scenes_save(const char *path, const ink_scenes_source *source,
                           const ink_scenes_content *content, const char *const (*metadata)[2],
                           size_t n_metadata, ink_pool *pool, const ink_progress *progress,
                           ink_error *error);

// The same with pictures U8 (n, side, side, 3), sRGB, rows from the top.
ink_status ink_scenes_write(const char *path, const ink_scenes_source *source, ink_pool *pool,
                            const ink_progress *progress, ink_error *error);

#endif
