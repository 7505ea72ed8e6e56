// The visible label of a picture.
#include "mark/label/picture_label.h"

#include <math.h>
#include <string.h>

#include "picture/canvas.h"

enum { LEAST_SIDE = 32, LEAST_CAPITAL = 6 };
static const double least_height = 0.05, most_height = 0.25, least_contrast = 4.5;
static const double most_width = 0.6;  // that words take where shorter ones would do

static const char *const places[INK_LABEL_PLACES] = {"bottom-right", "bottom-left", "top-right",
                                                     "top-left",     "bottom",      "top"};

const char *ink_label_place_name(ink_label_place place) {
  return places[place];
}

ink_status ink_label_place_parse(const char *name, ink_label_place *place, ink_error *error) {
  for (int i = 0; i < INK_LABEL_PLACES; i++) {
    if (strcmp(places[i], name) == 0) {
      *place = (ink_label_place)i;
      return INK_OK;
    }
  }
  return ink_fail(error, INK_ERR_USAGE,
                  "a label cannot stand at \"%s\"; it stands bottom-right, bottom-left, top-right, "
                  "top-left, bottom or top",
                  name);
}

ink_label_style ink_label_style_default(void) {
  // A little above the standard's twentieth, so that rounding to pixels never falls below it.
  return (ink_label_style){.place = INK_LABEL_BOTTOM_RIGHT,
                           .height = 0.052,
                           .ink = {255, 255, 255},
                           .plate = {0, 0, 0},
                           .opacity = 0.6};
}

// ---- legibility --------------------------------------------------------------------------------

// Relative luminance of sRGB (WCAG 2.2).
static double luminance(const double rgb[3]) {
  double linear[3];
  for (int i = 0; i < 3; i++) {
    double v = rgb[i] / 255;
    linear[i] = v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
  }
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

// Contrast of the ink with the plate over a grey background.
static double contrast_over(const ink_label_style *s, double background) {
  double ink[3], plate[3];
  for (int i = 0; i < 3; i++) {
    ink[i] = s->ink[i];
    plate[i] = s->opacity * s->plate[i] + (1 - s->opacity) * background;
  }
  double a = luminance(ink), b = luminance(plate);
  return a > b ? (a + 0.05) / (b + 0.05) : (b + 0.05) / (a + 0.05);
}

ink_status ink_label_style_check(const ink_label_style *s, ink_error *error) {
  if (!(s->height >= least_height && s->height <= most_height)) {
    return ink_fail(error, INK_ERR_USAGE,
                    "a label of %g of the shorter side; the standard (GB 45438-2025, 5.2) asks for "
                    "%g at least, and %g is the most here",
                    s->height, least_height, most_height);
  }
  if (!(s->opacity >= 0 && s->opacity <= 1)) {
    return ink_fail(error, INK_ERR_USAGE, "an opacity of %g; it is from 0 to 1", s->opacity);
  }
  double contrast = fmin(contrast_over(s, 0), contrast_over(s, 255));
  if (contrast < least_contrast) {
    return ink_fail(
        error, INK_ERR_USAGE,
        "the label would be hard to read over some pictures: its contrast falls to "
        "%.1f where %.1f is the least; change its colours or make its plate more opaque",
        contrast, least_contrast);
  }
  return INK_OK;
}

// ---- placing -----------------------------------------------------------------------------------

typedef struct sides {
  int32_t width, height;
} sides;

// The first words whose plate is within a share of the picture's width; text is NULL where none
// are.
static ink_status choose_within(sides picture, double share, const char *const *words,
                                ink_lettering *lettering, int32_t margin, int32_t *width,
                                int32_t *height, ink_error *error) {
  for (; *words; words++) {
    lettering->text = *words;
    INK_TRY(ink_canvas_measure(lettering, width, height, error));
    if (*width + 4 * margin <= picture.width && *height + 4 * margin <= picture.height &&
        *width + 2 * margin <= share * picture.width) {
      return INK_OK;
    }
  }
  lettering->text = NULL;
  return INK_OK;
}

// Words that leave the picture room beside them, or else the longest that it has room for.
static ink_status choose(sides picture, const char *const *words, ink_lettering *lettering,
                         int32_t margin, int32_t *width, int32_t *height, ink_error *error) {
  const double shares[] = {most_width, 1};
  for (int i = 0; i < 2; i++) {
    INK_TRY(choose_within(picture, shares[i], words, lettering, margin, width, height, error));
    if (lettering->text) return INK_OK;
  }
  return ink_fail(error, INK_ERR_USAGE,
                  "a picture of %d x %d has no room for its label; make the label smaller or the "
                  "picture larger",
                  picture.width, picture.height);
}

static void place_at(sides picture, ink_label_place place, int32_t margin, ink_label_box *box) {
  bool top = place == INK_LABEL_TOP || place == INK_LABEL_TOP_LEFT || place == INK_LABEL_TOP_RIGHT;
  bool left = place == INK_LABEL_TOP_LEFT || place == INK_LABEL_BOTTOM_LEFT;
  bool middle = place == INK_LABEL_TOP || place == INK_LABEL_BOTTOM;
  int32_t right = picture.width - box->width;
  box->x = middle ? right / 2 : left ? margin : right - margin;
  box->y = top ? margin : picture.height - box->height - margin;
}

// Draw plate and letters on a picture with colour and alpha.
static ink_status draw(ink_picture *picture, const ink_label_style *s, const ink_lettering *l,
                       int32_t margin, const ink_label_box *box, ink_error *error) {
  uint8_t plate[4] = {s->plate[0], s->plate[1], s->plate[2], (uint8_t)lround(255 * s->opacity)};
  ink_picture letters;
  INK_TRY(ink_canvas_letter(l, &letters, error));
  ink_status status =
      ink_canvas_plate(picture, box->x, box->y, box->width, box->height, margin, plate, error);
  if (status == INK_OK) {
    status = ink_picture_composite(picture, &letters, box->x + margin, box->y + margin, error);
  }
  ink_picture_free(&letters);
  return status;
}

// Words, letters and plate for a picture of these sides.
static ink_status lay_out(sides picture, const char *language, const ink_label_style *style,
                          ink_lettering *lettering, int32_t *margin, ink_label_box *box,
                          ink_error *error) {
  INK_TRY(ink_label_style_check(style, error));
  int32_t side = picture.width < picture.height ? picture.width : picture.height;
  if (side < LEAST_SIDE) {
    return ink_fail(error, INK_ERR_USAGE,
                    "a picture of %d x %d is too small for a legible label; its sides must be %d "
                    "at least",
                    picture.width, picture.height, LEAST_SIDE);
  }
  *box = (ink_label_box){.capital = (int32_t)ceil(style->height * side)};
  if (box->capital < LEAST_CAPITAL) box->capital = LEAST_CAPITAL;
  *lettering = (ink_lettering){.language = language,
                               .font = style->font,
                               .capital_height = box->capital,
                               .colour = {style->ink[0], style->ink[1], style->ink[2], 255}};
  *margin = box->capital / 2 > 2 ? box->capital / 2 : 2;
  const char *const *words = ink_label_wordings(style->kind, INK_LABEL_PICTURE, language);
  INK_TRY(choose(picture, words, lettering, *margin, &box->width, &box->height, error));
  box->words = lettering->text;
  box->width += 2 * *margin;
  box->height += 2 * *margin;
  place_at(picture, style->place, *margin, box);
  return INK_OK;
}

ink_status ink_label_box_of(int32_t width, int32_t height, const char *language,
                            const ink_label_style *style, ink_label_box *box, ink_error *error) {
  ink_lettering lettering;
  int32_t margin;
  return lay_out((sides){width, height}, language, style, &lettering, &margin, box, error);
}

ink_status ink_mark_picture(ink_picture *picture, const char *language,
                            const ink_label_style *style, ink_label_box *box, ink_error *error) {
  ink_label_box where;
  ink_lettering lettering;
  int32_t margin;
  INK_TRY(lay_out((sides){picture->width, picture->height}, language, style, &lettering, &margin,
                  &where, error));

  ink_picture work, back = {0};
  INK_TRY(ink_picture_convert(picture, 4, &work, error));
  ink_status status = draw(&work, style, &lettering, margin, &where, error);
  if (status == INK_OK) status = ink_picture_convert(&work, picture->channels, &back, error);
  ink_picture_free(&work);
  INK_TRY(status);
  ink_picture_free(picture);
  *picture = back;
  if (box) *box = where;
  return INK_OK;
}
