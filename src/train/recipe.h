// A recipe: all that decides a training run, read from a YAML file. The same recipe and data give
// the same model, byte for byte, on one machine type.
#ifndef INK_TRAIN_RECIPE_H
#define INK_TRAIN_RECIPE_H

#include <stdint.h>

#include "models/decoder.h"
#include "train/optimizer.h"

// What a recipe trains; `kind:` in the file, a decoder where it does not say.
typedef enum ink_recipe_kind {
  INK_RECIPE_DECODER,      // this header
  INK_RECIPE_AUTOENCODER,  // train/painting/recipe.h
  INK_RECIPE_PAINTER       // the same
} ink_recipe_kind;
ink_status ink_recipe_kind_of(const char *path, ink_recipe_kind *kind, ink_error *error);

typedef struct ink_recipe {
  char *name;   // of the model; names its folder
  char *data;   // folder that holds train.bin, valid.bin and tokenizer.json
  char *start;  // model folder whose weights to begin from; NULL: fresh ones
  ink_decoder_config model;
  ink_decoder_init init;
  uint64_t seed;  // of data order, field dropout and dropout
  int64_t steps;
  int64_t batch_tokens;  // positions per update
  int64_t micro_tokens;  // positions per forward pass; divides batch_tokens
  int32_t context;       // longest document in positions
  ink_precision precision;
  float dropout;
  ink_optimizer_options optimizer;
  bool muon;                   // Muon for the matrices inside blocks, else AdamW for all
  int64_t warmup, decay;       // steps of the WSD schedule
  double floor;                // rate at the end, as a share of the plateau
  int64_t validate_every;      // steps; 0: only at the end
  int64_t validate_documents;  // at most so many of valid.bin; 0: all
  double checkpoint_minutes;
  char sha256[65];  // of the recipe file, so that a checkpoint of another is noticed
} ink_recipe;

// Read and check. Unknown keys, wrong types and values out of range are FORMAT with their place.
// Paths in it are relative to the working directory. Release with ink_recipe_free.
ink_status ink_recipe_load(const char *path, ink_recipe *recipe, ink_error *error);
void ink_recipe_free(ink_recipe *recipe);

#endif
