// Painting small, enlarging, and painting over the large picture ("hires fix"): large pictures with
// the composition of the size that the model was trained for.
#ifndef INK_DIFFUSION_HIRES_H
#define INK_DIFFUSION_HIRES_H

#include "diffusion/pipeline.h"
#include "diffusion/upscale.h"

typedef struct ink_paint_hires {
  double scale;            // above 1, up to 8; sides become multiples of the autoencoder's factor
  double strength;         // share of the steps that paint over the enlarged picture
  ink_upscaler *upscaler;  // NULL: Lanczos
} ink_paint_hires;

// Paint in two passes, both with the request's words, seed, sampler and ControlNets. The request
// paints from nothing (USAGE otherwise). In *painting, width and height are those of the first
// pass, the picture is the large one, and times are those of both.
ink_status ink_pipeline_paint_hires(ink_pipeline *pipeline, const ink_paint_request *request,
                                    const ink_paint_hires *hires, ink_painting *painting,
                                    ink_error *error);

#endif
