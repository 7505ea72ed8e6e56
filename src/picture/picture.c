// Pictures and the simple things done to them.
#include "picture/picture.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

ink_status ink_picture_new(int32_t width, int32_t height, int32_t channels, ink_picture *picture,
                           ink_error *error) {
  *picture = (ink_picture){0};
  if (width < 1 || height < 1 || width > INK_PICTURE_MOST_SIDE || height > INK_PICTURE_MOST_SIDE) {
    return ink_fail(error, INK_ERR_USAGE, "a picture of %d x %d; sides go from 1 to %d", (int)width,
                    (int)height, INK_PICTURE_MOST_SIDE);
  }
  if (channels < 1 || channels > 4) {
    return ink_fail(error, INK_ERR_USAGE, "a picture of %d channels; they go from 1 to 4",
                    (int)channels);
  }
  size_t size;
  bool fits = ink_mul_size((size_t)width, (size_t)height, &size) &&
              ink_mul_size(size, (size_t)channels, &size);
  uint8_t *pixels = fits ? malloc(size) : NULL;
  if (!pixels) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory for a picture of %d x %d", (int)width,
                    (int)height);
  }
  *picture = (ink_picture){width, height, channels, pixels};
  return INK_OK;
}

void ink_picture_free(ink_picture *picture) {
  free(picture->pixels);
  *picture = (ink_picture){0};
}

// ---- channels -----------------------------------------------------------------------------------

static uint8_t luma(const uint8_t *p) {
  return (uint8_t)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16);
}

static void convert_pixel(const uint8_t *from, int32_t has, uint8_t *to, int32_t wants) {
  bool grey = has <= 2;
  uint8_t alpha = has % 2 == 0 ? from[has - 1] : 255;
  if (wants <= 2) {
    to[0] = grey ? from[0] : luma(from);
  } else {
    for (int c = 0; c < 3; c++) to[c] = grey ? from[0] : from[c];
  }
  if (wants % 2 == 0) to[wants - 1] = alpha;
}

ink_status ink_picture_convert(const ink_picture *picture, int32_t channels, ink_picture *out,
                               ink_error *error) {
  INK_TRY(ink_picture_new(picture->width, picture->height, channels, out, error));
  size_t n = (size_t)picture->width * (size_t)picture->height;
  const uint8_t *from = picture->pixels;
  uint8_t *to = out->pixels;
  for (size_t i = 0; i < n; i++, from += picture->channels, to += channels) {
    convert_pixel(from, picture->channels, to, channels);
  }
  return INK_OK;
}

// a * b / 255, rounded; exact for bytes.
static uint8_t times(unsigned a, unsigned b) {
  unsigned t = a * b + 128;
  return (uint8_t)(((t >> 8) + t) >> 8);
}

ink_status ink_picture_flatten(const ink_picture *picture, const uint8_t colour[3],
                               ink_picture *out, ink_error *error) {
  if (!ink_picture_has_alpha(picture)) {
    return ink_picture_convert(picture, picture->channels, out, error);
  }
  int32_t has = picture->channels, wants = has - 1;
  INK_TRY(ink_picture_new(picture->width, picture->height, wants, out, error));
  size_t n = (size_t)picture->width * (size_t)picture->height;
  uint8_t grey = luma(colour);
  const uint8_t *from = picture->pixels;
  uint8_t *to = out->pixels;
  for (size_t i = 0; i < n; i++, from += has, to += wants) {
    unsigned alpha = from[wants];
    for (int32_t c = 0; c < wants; c++) {
      unsigned under = wants == 1 ? grey : colour[c];
      unsigned sum = (unsigned)times(from[c], alpha) + times(under, 255 - alpha);
      to[c] = (uint8_t)(sum > 255 ? 255 : sum);
    }
  }
  return INK_OK;
}

// ---- places -------------------------------------------------------------------------------------

ink_status ink_picture_crop(const ink_picture *picture, int32_t x, int32_t y, int32_t width,
                            int32_t height, ink_picture *out, ink_error *error) {
  *out = (ink_picture){0};
  bool within = x >= 0 && y >= 0 && width >= 1 && height >= 1 && width <= picture->width &&
                height <= picture->height && x <= picture->width - width &&
                y <= picture->height - height;
  if (!within) {
    return ink_fail(error, INK_ERR_USAGE, "a part of %d x %d at (%d, %d) is not within %d x %d",
                    (int)width, (int)height, (int)x, (int)y, (int)picture->width,
                    (int)picture->height);
  }
  INK_TRY(ink_picture_new(width, height, picture->channels, out, error));
  for (int32_t row = 0; row < height; row++) {
    memcpy(ink_picture_at(out, 0, row), ink_picture_at(picture, x, y + row), ink_picture_row(out));
  }
  return INK_OK;
}

static int32_t clamp(int32_t value, int32_t most) {
  return value < 0 ? 0 : value > most ? most : value;
}

ink_status ink_picture_pad(const ink_picture *picture, int32_t left, int32_t top, int32_t right,
                           int32_t bottom, const uint8_t *colour, ink_picture *out,
                           ink_error *error) {
  *out = (ink_picture){0};
  int64_t width = (int64_t)picture->width + left + right;
  int64_t height = (int64_t)picture->height + top + bottom;
  if (left < 0 || top < 0 || right < 0 || bottom < 0 || width > INK_PICTURE_MOST_SIDE ||
      height > INK_PICTURE_MOST_SIDE) {
    return ink_fail(error, INK_ERR_USAGE,
                    "margins of %d, %d, %d, %d; they are not negative, and sides end at %d",
                    (int)left, (int)top, (int)right, (int)bottom, INK_PICTURE_MOST_SIDE);
  }
  INK_TRY(ink_picture_new((int32_t)width, (int32_t)height, picture->channels, out, error));
  size_t pixel = (size_t)picture->channels;
  for (int32_t y = 0; y < out->height; y++) {
    for (int32_t x = 0; x < out->width; x++) {
      int32_t from_x = clamp(x - left, picture->width - 1);
      int32_t from_y = clamp(y - top, picture->height - 1);
      bool inside = from_x == x - left && from_y == y - top;
      const uint8_t *from = inside || !colour ? ink_picture_at(picture, from_x, from_y) : colour;
      memcpy(ink_picture_at(out, x, y), from, pixel);
    }
  }
  return INK_OK;
}

// One pixel over another, straight alpha in and out.
static void over_pixel(uint8_t *under, const uint8_t *over, int32_t channels) {
  if (channels % 2 == 1) {
    memcpy(under, over, (size_t)channels);
    return;
  }
  int32_t a = channels - 1;
  unsigned above = over[a], below = times(under[a], 255 - above), sum = above + below;
  for (int32_t c = 0; c < a && sum; c++) {
    under[c] = (uint8_t)((over[c] * above + under[c] * below + sum / 2) / sum);
  }
  under[a] = (uint8_t)sum;
}

ink_status ink_picture_composite(ink_picture *under, const ink_picture *over, int32_t x, int32_t y,
                                 ink_error *error) {
  if (under->channels != over->channels) {
    return ink_fail(error, INK_ERR_USAGE, "a picture of %d channels over one of %d: convert one",
                    (int)over->channels, (int)under->channels);
  }
  for (int32_t row = 0; row < over->height; row++) {
    int64_t to_y = (int64_t)y + row;
    if (to_y < 0 || to_y >= under->height) continue;
    for (int32_t column = 0; column < over->width; column++) {
      int64_t to_x = (int64_t)x + column;
      if (to_x < 0 || to_x >= under->width) continue;
      over_pixel(ink_picture_at(under, (int32_t)to_x, (int32_t)to_y),
                 ink_picture_at(over, column, row), over->channels);
    }
  }
  return INK_OK;
}

ink_status ink_picture_orient(const ink_picture *picture, int orientation, ink_picture *out,
                              ink_error *error) {
  *out = (ink_picture){0};
  if (orientation < 1 || orientation > 8) {
    return ink_fail(error, INK_ERR_USAGE, "orientation %d; Exif knows 1 … 8", orientation);
  }
  bool swapped = orientation >= 5;
  int32_t w = picture->width, h = picture->height;
  INK_TRY(ink_picture_new(swapped ? h : w, swapped ? w : h, picture->channels, out, error));
  for (int32_t y = 0; y < h; y++) {
    for (int32_t x = 0; x < w; x++) {
      int32_t right = w - 1 - x, down = h - 1 - y;
      // Where the stored pixel (x, y) is shown.
      const int32_t places[8][2] = {{x, y}, {right, y}, {right, down}, {x, down},
                                    {y, x}, {down, x},  {down, right}, {y, right}};
      const int32_t *to = places[orientation - 1];
      memcpy(ink_picture_at(out, to[0], to[1]), ink_picture_at(picture, x, y),
             (size_t)picture->channels);
    }
  }
  return INK_OK;
}
