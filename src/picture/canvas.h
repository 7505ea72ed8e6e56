// Text as a picture, by pango and cairo: any script that an installed font knows.
#ifndef INK_PICTURE_CANVAS_H
#define INK_PICTURE_CANVAS_H

#include "base/status.h"
#include "picture/picture.h"

typedef struct ink_lettering {
  const char *text;      // UTF-8; lines end with \n
  const char *language;  // BCP 47, decides the shapes of Han characters; NULL: the locale's
  const char *font;      // family, as fontconfig knows it; NULL: its sans-serif
  bool bold;
  double capital_height;  // of a Latin capital, in pixels, 1 … 10,000; Han characters are taller
  uint8_t colour[4];      // RGBA
} ink_lettering;

// The text on nothing: RGBA, as large as its ink. NOT_FOUND when no installed font has a character
// of it, with the way out.
ink_status ink_canvas_letter(const ink_lettering *lettering, ink_picture *out, ink_error *error);
// Its size in pixels without drawing it.
ink_status ink_canvas_measure(const ink_lettering *lettering, int32_t *width, int32_t *height,
                              ink_error *error);

// Blend a colour (RGBA) over a rectangle with rounded corners; what lies outside the picture is
// left out.
ink_status ink_canvas_plate(ink_picture *picture, int32_t x, int32_t y, int32_t width,
                            int32_t height, int32_t radius, const uint8_t colour[4],
                            ink_error *error);

#endif
