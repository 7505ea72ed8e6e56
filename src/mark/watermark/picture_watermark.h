// The watermark in the noise that a picture is painted from: how it gets there, and how it is found
// again by turning the painting back (diffusion/inversion.h).
#ifndef INK_MARK_WATERMARK_PICTURE_WATERMARK_H
#define INK_MARK_WATERMARK_PICTURE_WATERMARK_H

#include "diffusion/inversion.h"
#include "mark/ledger/picture_identity.h"
#include "mark/mark.h"
#include "mark/watermark/gaussian_shading.h"

// What the noise is to carry.
typedef struct ink_picture_watermark {
  ink_shading_key key;
  uint8_t identity[INK_SHADING_IDENTITY];
} ink_picture_watermark;

// As a painting takes it (ink_paint_request.first_noise); the watermark must outlive it.
ink_noise_shaper ink_picture_watermark_shaper(ink_picture_watermark *watermark);

// How much of its noise a picture of this size keeps to the end (ink_paint_request.kept_noise), so
// that it can be found: none where Gaussian Shading stands by itself, in latents of
// INK_SHADING_LEAST values and more.
double ink_picture_watermark_kept(const ink_pipeline *pipeline, int32_t width, int32_t height);

// A mark counts as found below this: one picture in a million without is named wrongly.
#define INK_PICTURE_WATERMARK_P_VALUE 1e-6

typedef struct ink_picture_watermark_search {
  const ink_shading_key *keys;  // n_key of them
  size_t n_key;
  int32_t width, height;  // that the picture was painted in; 0: not known
  int32_t steps;          // of the inversion; 0: INK_PICTURE_WATERMARK_STEPS
  const char *prompt;     // NULL: without words, which finds more once a picture was damaged
  double guidance_scale;  // with a prompt
  ink_precision precision;
  const ink_progress *progress;  // may be NULL
} ink_picture_watermark_search;
enum { INK_PICTURE_WATERMARK_STEPS = 2 };

typedef struct ink_picture_watermark_finding {
  double p_value;  // times the keys and sizes that were tried; at most 1
  size_t n_size;   // how many sizes those were
  bool found;      // p_value is below INK_PICTURE_WATERMARK_P_VALUE
  size_t key;      // which of the keys agrees best
  ink_shading_reading reading;
  char identity[INK_UUID_TEXT];  // what the noise carries, where it is found and was surely read
  int32_t width, height;         // that the picture was brought to
  ink_inversion inversion;       // the noise, all frequencies alike, for ink_shading_match
} ink_picture_watermark_finding;

// Look for Gaussian Shading in the noise under a model. Where the size in which it was painted is
// not known, a square picture is brought to the size that the model paints and, if it is larger by
// a half, looked at in its own as well; any other is looked at in its own. Release with
// ink_picture_watermark_finding_free. Errors as ink_pipeline_invert.
ink_status ink_picture_watermark_find(ink_pipeline *pipeline, const ink_picture *picture,
                                      const ink_picture_watermark_search *search,
                                      ink_picture_watermark_finding *finding, ink_error *error);
void ink_picture_watermark_finding_free(ink_picture_watermark_finding *finding);

// The noise of a picture at one size, all frequencies alike and 0 where a label would stand, as a
// finding holds it. Of the search its steps, precision and progress count.
ink_status ink_picture_watermark_invert(ink_pipeline *pipeline, const ink_picture *picture,
                                        const ink_picture_watermark_search *search, int32_t width,
                                        int32_t height, ink_inversion *inversion, ink_error *error);

// The label of pieces in the ledger that carry such a mark.
#define INK_PICTURE_WATERMARK_LABEL "watermark:gaussian-shading"

#endif
