// Pictures that grow: margins to be painted, and the mask for it.
#ifndef INK_DIFFUSION_EXTEND_H
#define INK_DIFFUSION_EXTEND_H

#include "picture/picture.h"

// In the order of CSS: top, right, bottom, left.
typedef struct ink_margins {
  int32_t top, right, bottom, left;
} ink_margins;

// "TOP,RIGHT,BOTTOM,LEFT" in pixels, or one number for all. USAGE: anything else, negative, or
// nothing to paint.
ink_status ink_margins_parse(const char *text, ink_margins *margins, ink_error *error);

// The picture with its margins, its edges carried on into them; below and to the right they grow
// until both sides are multiples of `multiple`. The mask is white in the margins and fades out over
// `multiple` pixels within the picture, so that no seam shows. Both are the caller's, empty on
// failure.
ink_status ink_picture_extend(const ink_picture *picture, ink_margins margins, int32_t multiple,
                              ink_picture *canvas, ink_picture *mask, ink_error *error);

#endif
