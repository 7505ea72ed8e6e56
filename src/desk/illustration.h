// The picture of a piece: what its text names, painted by a small model.
#ifndef INK_DESK_ILLUSTRATION_H
#define INK_DESK_ILLUSTRATION_H

#include <jansson.h>

#include "base/hash.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/status.h"
#include "mark/watermark/gaussian_shading.h"
#include "picture/picture.h"

// How a playbook wants it (its key `picture`).
typedef struct ink_illustration_plan {
  const char *model;  // as a user names it
  int32_t steps;      // 1 to 1000
  double guidance;    // 1 to 30
  int32_t side;       // of the finished picture in pixels, to which it is brought
  int32_t motifs;     // at most so many things in it, 1 to 4
} ink_illustration_plan;

// Read the value of `picture`, an object; `name` is what errors call it. FORMAT names a key that is
// unknown, of the wrong type or out of range.
ink_status ink_illustration_plan_read(const json_t *json, const char *name,
                                      ink_illustration_plan *plan, ink_error *error);

typedef struct ink_illustration {
  ink_picture picture;  // RGB; empty: the text names nothing that has a shape
  char *prompt;         // Chinese; also what the picture shows, in words
  char *model;          // its name
  char model_sha256[INK_SHA256_HEX];
  char key_id[INK_SHADING_KEY_ID];  // of the mark in its noise; "": none
  double kept_noise;                // how much of it the picture keeps; 0: none
} ink_illustration;

// Paint what `heading` (may be NULL) and `text` name. The noise carries `identity` (a UUID; NULL:
// it carries none) under the key that every inkstone has, so that whoever has the record can paint
// the picture again. It depends on plan, texts, seed, identity, model and instruction set alone.
// Zero-initialise *illustration; release with ink_illustration_free.
ink_status ink_illustrate(const ink_illustration_plan *plan, const char *heading, const char *text,
                          uint64_t seed, const char *identity, ink_pool *pool,
                          const ink_progress *progress, ink_illustration *illustration,
                          ink_error *error);
void ink_illustration_free(ink_illustration *illustration);

// Its part of the recipe, new: model, prompt, steps, guidance, side, watermark. NULL without
// memory.
json_t *ink_illustration_json(const ink_illustration *illustration,
                              const ink_illustration_plan *plan);

#endif
