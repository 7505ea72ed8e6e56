// Checkpoints and the finished model's folder, both as safetensors.
#ifndef INK_TRAIN_CHECKPOINT_H
#define INK_TRAIN_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "train/optimizer.h"
#include "train/recipe.h"

#define INK_CHECKPOINT_NAME "checkpoint.safetensors"

// Where a run stands, besides tensors. All randomness is keyed by these counters.
typedef struct ink_train_state {
  int64_t step;           // updates done
  int64_t tokens;         // positions, or pictures, trained on
  uint64_t epoch, index;  // the corpus cursor
} ink_train_state;

// Write values, averages and optimiser states (F32, bit for bit) with the state and the recipe's
// hash.
ink_status ink_checkpoint_save(const char *path, const char *recipe_sha256,
                               const ink_trained *trained, size_t n, const ink_train_state *state,
                               ink_error *error);

// Read one back into the tensors of `trained`. CONFLICT when it was made by another recipe (unless
// `force`) or its tensors are not those of the model; nothing is changed then.
ink_status ink_checkpoint_load(const char *path, const char *recipe_sha256, bool force,
                               ink_trained *trained, size_t n, ink_train_state *state,
                               ink_error *error);

// Write out/<recipe name>/ as a Hugging Face folder: config.json, generation_config.json,
// model.safetensors (F32) and copies of the corpus' tokenizer files.
ink_status ink_train_export(ink_decoder *decoder, const ink_recipe *recipe, const char *out,
                            ink_error *error);

#endif
