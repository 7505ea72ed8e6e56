// Two passes: small, then large.
#include "diffusion/hires.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/pipeline_parts.h"

static int32_t side_of(int32_t side, double scale, int32_t factor) {
  return (int32_t)lround((double)side * scale / factor) * factor;
}

static ink_status check(const ink_paint_request *q, const ink_paint_hires *h, ink_error *error) {
  if (!(h->scale > 1 && h->scale <= 8)) {
    return ink_fail(error, INK_ERR_USAGE,
                    "a second pass at %g times the size; it must lie above 1, up to 8", h->scale);
  }
  if (!(h->strength > 0 && h->strength <= 1)) {
    return ink_fail(error, INK_ERR_USAGE,
                    "a second pass with a strength of %g; it must lie above 0, up to 1",
                    h->strength);
  }
  if (q->init) {
    return ink_fail(error, INK_ERR_USAGE,
                    "a second pass enlarges what is painted from nothing; for a picture that is "
                    "there, enlarge it first");
  }
  return INK_OK;
}

// Where memory is limited, what the first pass prepared makes room for the upscaler.
static ink_status make_room(ink_pipeline *pipeline, ink_error *error) {
  ink_prepared *fresh = ink_paint_prepared(pipeline);
  if (!fresh) return ink_fail(error, INK_ERR_MEMORY, "no memory for prepared weights");
  ink_prepared_free(pipeline->prepared);
  pipeline->prepared = fresh;
  return INK_OK;
}

static ink_status enlarge(ink_pipeline *pipeline, const ink_paint_request *q,
                          const ink_paint_hires *h, const ink_picture *small, int32_t width,
                          int32_t height, ink_picture *out, size_t *peak, ink_error *error) {
  if (!h->upscaler) {
    return ink_picture_resize(small, width, height, INK_RESIZE_LANCZOS, out, error);
  }
  ink_picture large;
  if (q->ram) INK_TRY(make_room(pipeline, error));
  INK_TRY(ink_upscaler_run(h->upscaler, small, q->precision, q->ram, &large, peak, error));
  ink_status status = ink_picture_resize(&large, width, height, INK_RESIZE_LANCZOS, out, error);
  ink_picture_free(&large);
  return status;
}

// The times of the first pass before those of the second.
static ink_status join_times(const ink_painting *first, ink_painting *second, ink_error *error) {
  size_t n = (size_t)first->n_steps, m = (size_t)second->n_steps;
  double *all = calloc(n + m + 1, sizeof *all);
  if (!all) return ink_fail(error, INK_ERR_MEMORY, "no memory for steps");
  memcpy(all, first->step_seconds, n * sizeof *all);
  memcpy(all + n, second->step_seconds, m * sizeof *all);
  free(second->step_seconds);
  second->step_seconds = all;
  second->n_steps += first->n_steps;
  second->encode_seconds += first->encode_seconds;
  second->decode_seconds += first->decode_seconds;
  if (first->peak_bytes > second->peak_bytes) second->peak_bytes = first->peak_bytes;
  return INK_OK;
}

static ink_status paint_over(ink_pipeline *pipeline, const ink_paint_request *q,
                             const ink_paint_hires *h, const ink_painting *first,
                             ink_painting *painting, ink_error *error) {
  int32_t factor = ink_paint_factor(pipeline);
  ink_paint_request second = *q;
  ink_picture large;
  second.width = side_of(first->width, h->scale, factor);
  second.height = side_of(first->height, h->scale, factor);
  second.strength = h->strength;
  second.first_noise = NULL;
  second.kept_noise = 0;
  size_t peak = 0;
  INK_TRY(
      enlarge(pipeline, q, h, &first->picture, second.width, second.height, &large, &peak, error));
  second.init = &large;
  ink_status status = ink_pipeline_paint(pipeline, &second, painting, error);
  ink_picture_free(&large);
  INK_TRY(status);
  painting->width = first->width;
  painting->height = first->height;
  if (peak > painting->peak_bytes) painting->peak_bytes = peak;
  status = join_times(first, painting, error);
  if (status != INK_OK) ink_painting_free(painting);
  return status;
}

ink_status ink_pipeline_paint_hires(ink_pipeline *pipeline, const ink_paint_request *q,
                                    const ink_paint_hires *hires, ink_painting *painting,
                                    ink_error *error) {
  *painting = (ink_painting){0};
  INK_TRY(check(q, hires, error));
  ink_paint_request small = *q;
  ink_painting first;
  small.keep_values = small.last = false;
  INK_TRY(ink_pipeline_paint(pipeline, &small, &first, error));
  ink_status status = paint_over(pipeline, q, hires, &first, painting, error);
  ink_painting_free(&first);
  return status;
}
