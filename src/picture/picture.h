// Raster pictures of eight bits a channel, and what is done to them: crop, pad, lay over each
// other, turn, resize.
#ifndef INK_PICTURE_PICTURE_H
#define INK_PICTURE_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// Rows from the top, pixels from the left, channels together, no padding. Channels: 1 grey, 2 grey
// and alpha, 3 RGB, 4 RGBA; alpha is not multiplied in. Values are those of the file, sRGB unless a
// profile beside them says otherwise. Zero-initialise it.
typedef struct ink_picture {
  int32_t width, height, channels;
  uint8_t *pixels;  // owned; NULL: no picture
} ink_picture;

enum { INK_PICTURE_MOST_SIDE = 65535 };

// A picture that is not cleared. USAGE: sides or channels out of range.
ink_status ink_picture_new(int32_t width, int32_t height, int32_t channels, ink_picture *picture,
                           ink_error *error);
// Safe on an empty picture, which it becomes.
void ink_picture_free(ink_picture *picture);

static inline size_t ink_picture_row(const ink_picture *picture) {
  return (size_t)picture->width * (size_t)picture->channels;
}
static inline size_t ink_picture_bytes(const ink_picture *picture) {
  return ink_picture_row(picture) * (size_t)picture->height;
}
static inline uint8_t *ink_picture_at(const ink_picture *picture, int32_t x, int32_t y) {
  return picture->pixels + (size_t)y * ink_picture_row(picture) +
         (size_t)x * (size_t)picture->channels;
}
static inline bool ink_picture_has_alpha(const ink_picture *picture) {
  return picture->channels % 2 == 0;
}

// In what follows `out` is a new picture of the caller's, empty on failure.

// The same picture with 1 to 4 channels. Grey is 0.299 R + 0.587 G + 0.114 B, rounded as Pillow
// does; alpha that is added is opaque, alpha that is dropped is forgotten (see
// ink_picture_flatten).
ink_status ink_picture_convert(const ink_picture *picture, int32_t channels, ink_picture *out,
                               ink_error *error);
// Without alpha, over a colour.
ink_status ink_picture_flatten(const ink_picture *picture, const uint8_t colour[3],
                               ink_picture *out, ink_error *error);
// The part of width by height whose left upper corner is (x, y). USAGE: it is not within.
ink_status ink_picture_crop(const ink_picture *picture, int32_t x, int32_t y, int32_t width,
                            int32_t height, ink_picture *out, ink_error *error);
// A margin around the picture; `colour` has as many values as the picture channels, NULL repeats
// the edge. USAGE: a negative margin.
ink_status ink_picture_pad(const ink_picture *picture, int32_t left, int32_t top, int32_t right,
                           int32_t bottom, const uint8_t *colour, ink_picture *out,
                           ink_error *error);
// Lay `over` on `under` with its corner at (x, y), which may lie outside: Porter and Duff's over
// (1984), for straight alpha. Both have the same channels.
ink_status ink_picture_composite(ink_picture *under, const ink_picture *over, int32_t x, int32_t y,
                                 ink_error *error);
// Turn and mirror as Exif's orientation asks for, 1 to 8 (CIPA DC-008, 4.6.4).
ink_status ink_picture_orient(const ink_picture *picture, int orientation, ink_picture *out,
                              ink_error *error);

typedef enum ink_resize_filter {
  INK_RESIZE_BOX,
  INK_RESIZE_BILINEAR,
  INK_RESIZE_BICUBIC,  // Keys 1981, a = -0.5
  INK_RESIZE_LANCZOS   // three lobes
} ink_resize_filter;

// Separable resampling, the filter widened where the picture shrinks and cut at its edges, alpha
// multiplied in meanwhile: byte for byte what Pillow's Image.resize gives.
ink_status ink_picture_resize(const ink_picture *picture, int32_t width, int32_t height,
                              ink_resize_filter filter, ink_picture *out, ink_error *error);

#endif
