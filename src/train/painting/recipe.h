// Recipes of the painter: of its autoencoder, and of the network that paints with its text encoder.
#ifndef INK_TRAIN_PAINTING_RECIPE_H
#define INK_TRAIN_PAINTING_RECIPE_H

#include <jansson.h>

#include "models/clip.h"
#include "models/taesd.h"
#include "models/unet.h"
#include "train/optimizer.h"
#include "train/recipe.h"

// What the runs of all networks that learn from pictures have in common (sections name, data, init,
// optimizer, run).
typedef struct ink_course_recipe {
  char *name;   // of what is made; names its folder
  char *data;   // the folder that `inkstone train data pictures` wrote
  char *start;  // a model folder whose weights to begin from; NULL: fresh ones
  uint64_t init_seed;
  uint64_t seed;  // of scenes, captions, noise
  int64_t steps;
  int64_t batch;  // pictures per update
  int64_t micro;  // pictures per forward pass; divides batch
  int32_t side;   // of a picture
  ink_precision precision;
  ink_optimizer_options optimizer;
  bool muon;                  // Muon for the matrices inside blocks, else AdamW for all
  int64_t warmup, decay;      // steps of the WSD schedule
  double floor;               // rate at the end, as a share of the plateau
  double average;             // what a step leaves of the averaged weights, which are the result
  int64_t validate_every;     // steps; 0: only at the end
  int64_t validate_pictures;  // held-out ones
  double sheet_minutes;       // between contact sheets
  double checkpoint_minutes;
  char sha256[65];  // of the recipe file
} ink_course_recipe;

typedef struct ink_autoencoder_recipe {
  ink_course_recipe course;
  // The encoder stays as it was and with it all latents: a painter may learn from them meanwhile.
  bool decoder_only;
  ink_taesd_config model;
  json_t *config;  // the same as vae/config.json
  // The loss, over values in [-1, 1]: Huber's, divided by delta, of the pixels and of the pictures
  // at half and quarter size; squared differences of neighbours; squared latents.
  double delta;
  double pixels, half, quarter, edges, latents;
  double noise;  // standard deviation of what is laid over the latents before they are decoded
} ink_autoencoder_recipe;

typedef struct ink_painter_recipe {
  ink_course_recipe course;
  char *autoencoder;  // folder of the finished autoencoder (config.json and weights)
  int64_t scenes;     // that are encoded once, and trained on
  char **concepts;    // the only ones in them, by name; none: all (train/scene.h)
  size_t n_concept;
  double freedom;  // of their layout, 0 … 1 (ink_sprites_set_freedom)
  ink_unet_config unet;
  ink_clip_config text;
  json_t *unet_config, *text_config;  // the same as config.json of diffusers and transformers
  json_t *scheduler;                  // scheduler_config.json
  double gamma;                       // of the loss weights by noise: see ink_painter_weight
  double drop;                        // share of samples that are shown no caption
  // The contact sheets.
  char **prompts;
  size_t n_prompt;
  double guidance;
  int32_t sheet_steps;
} ink_painter_recipe;

// Read and check. Unknown keys, wrong types and values out of range are FORMAT with their place.
// Release with the _free beside.
ink_status ink_autoencoder_recipe_load(const char *path, ink_autoencoder_recipe *recipe,
                                       ink_error *error);
void ink_autoencoder_recipe_free(ink_autoencoder_recipe *recipe);
ink_status ink_painter_recipe_load(const char *path, ink_painter_recipe *recipe, ink_error *error);
void ink_painter_recipe_free(ink_painter_recipe *recipe);

#endif
