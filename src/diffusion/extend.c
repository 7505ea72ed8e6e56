// Outpainting: a larger canvas, and the mask of what is new.
#include "diffusion/extend.h"

#include <stdio.h>
#include <string.h>

ink_status ink_margins_parse(const char *text, ink_margins *m, ink_error *error) {
  int top, right, bottom, left, end = 0;
  *m = (ink_margins){0};
  if (sscanf(text, "%5d%n", &top, &end) == 1 && !text[end]) {
    right = bottom = left = top;
  } else if (sscanf(text, "%5d,%5d,%5d,%5d%n", &top, &right, &bottom, &left, &end) != 4 ||
             text[end]) {
    return ink_fail(error, INK_ERR_USAGE, "\"%s\": margins are TOP,RIGHT,BOTTOM,LEFT in pixels",
                    text);
  }
  if (top < 0 || right < 0 || bottom < 0 || left < 0 || top + right + bottom + left == 0) {
    return ink_fail(error, INK_ERR_USAGE, "\"%s\": margins are 0 or more, and one is more than 0",
                    text);
  }
  *m = (ink_margins){top, right, bottom, left};
  return INK_OK;
}

static int32_t up_to_multiple(int32_t side, int32_t multiple) {
  return (multiple - side % multiple) % multiple;
}

// How far a pixel lies from the nearest margin, in pixels within the picture; beyond `most` it does
// not matter.
static int32_t depth(const ink_picture *canvas, ink_margins m, int32_t x, int32_t y, int32_t most) {
  int32_t least = most;
  if (m.top && y - m.top < least) least = y - m.top;
  if (m.left && x - m.left < least) least = x - m.left;
  if (m.bottom && canvas->height - m.bottom - 1 - y < least) {
    least = canvas->height - m.bottom - 1 - y;
  }
  if (m.right && canvas->width - m.right - 1 - x < least) least = canvas->width - m.right - 1 - x;
  return least;
}

ink_status ink_picture_extend(const ink_picture *picture, ink_margins m, int32_t multiple,
                              ink_picture *canvas, ink_picture *mask, ink_error *error) {
  *canvas = *mask = (ink_picture){0};
  int64_t width = (int64_t)picture->width + m.left + m.right,
          height = (int64_t)picture->height + m.top + m.bottom;
  if (width > INK_PICTURE_MOST_SIDE || height > INK_PICTURE_MOST_SIDE) {
    return ink_fail(error, INK_ERR_USAGE, "%lld x %lld with its margins is too large",
                    (long long)width, (long long)height);
  }
  m.right += up_to_multiple((int32_t)width, multiple);
  m.bottom += up_to_multiple((int32_t)height, multiple);
  INK_TRY(ink_picture_pad(picture, m.left, m.top, m.right, m.bottom, NULL, canvas, error));
  ink_status status = ink_picture_new(canvas->width, canvas->height, 1, mask, error);
  if (status != INK_OK) {
    ink_picture_free(canvas);
    return status;
  }
  for (int32_t y = 0; y < mask->height; y++) {
    for (int32_t x = 0; x < mask->width; x++) {
      int32_t d = depth(canvas, m, x, y, multiple);
      *ink_picture_at(mask, x, y) = d < 0 ? 255 : (uint8_t)(255 - 255 * (d + 1) / (multiple + 1));
      if (d >= multiple) *ink_picture_at(mask, x, y) = 0;
    }
  }
  return INK_OK;
}
