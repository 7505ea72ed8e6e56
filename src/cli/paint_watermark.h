// The watermark of `inkstone paint`: which one a picture gets, and under whose key.
#ifndef INK_CLI_PAINT_WATERMARK_H
#define INK_CLI_PAINT_WATERMARK_H

#include "diffusion/recipe.h"
#include "mark/watermark/picture_watermark.h"

// Whose key the noise is shaped with.
typedef enum ink_paint_key {
  INK_PAINT_KEY_NONE,
  INK_PAINT_KEY_OWN,     // the installation's
  INK_PAINT_KEY_PUBLIC,  // that of every inkstone
  INK_PAINT_KEY_RECIPE   // the one that the recipe names
} ink_paint_key;

typedef struct ink_paint_watermark {
  ink_paint_key whose;
  // The picture is painted over another: its noise carries the mark where it is kept, and only
  // there.
  bool over_another, asked;
  ink_picture_watermark carried;
} ink_paint_watermark;

// Decide by the flag (NULL: not given), the recipe as flags have changed it, whether it was read
// from a picture (`repeated`), and whether one is painted over: another (--init), or its own
// enlarged (--hires). Says on stderr where a picture goes without. USAGE: a word that is none, or
// Gaussian Shading where a picture is enlarged and painted over.
ink_status ink_paint_watermark_choose(const char *flag, bool repeated, bool over_another,
                                      bool enlarged, bool unmarked, ink_paint_recipe *recipe,
                                      ink_paint_watermark *watermark, ink_error *error);

// Open the key and name it in the recipe; a first use makes it. CONFLICT: the recipe's picture was
// painted under a key of another installation.
ink_status ink_paint_watermark_open(ink_paint_watermark *watermark, ink_paint_recipe *recipe,
                                    ink_error *error);

// Ready the next picture: complete the recipe with what is left to the model, make its identity,
// and set `request` from the recipe, with the noise shaped where it is to be. `shaper` must outlive
// the painting. A picture that is painted over another and keeps none of its noise
// (ink_picture_watermark_kept) goes without Gaussian Shading. USAGE: too small for the watermark
// that was asked for, or Gaussian Shading asked for where no noise is kept.
ink_status ink_paint_watermark_ready(ink_paint_watermark *watermark, ink_pipeline *pipeline,
                                     ink_paint_recipe *recipe, ink_noise_shaper *shaper,
                                     ink_paint_request *request, ink_error *error);

#endif
