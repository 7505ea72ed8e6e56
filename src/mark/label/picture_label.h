// The visible label of a picture: words at an edge or corner whose letters are at least a twentieth
// of the shorter side (GB 45438-2025, section 5.2), on a plate that makes them legible over
// anything.
#ifndef INK_MARK_LABEL_PICTURE_LABEL_H
#define INK_MARK_LABEL_PICTURE_LABEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "mark/label/wording.h"
#include "picture/picture.h"

typedef enum ink_label_place {
  INK_LABEL_BOTTOM_RIGHT,
  INK_LABEL_BOTTOM_LEFT,
  INK_LABEL_TOP_RIGHT,
  INK_LABEL_TOP_LEFT,
  INK_LABEL_BOTTOM,  // the middle of the edge
  INK_LABEL_TOP,
  INK_LABEL_PLACES
} ink_label_place;

// "bottom-right" …; and back: USAGE lists them.
const char *ink_label_place_name(ink_label_place place);
ink_status ink_label_place_parse(const char *name, ink_label_place *place, ink_error *error);

typedef struct ink_label_style {
  ink_label_kind kind;  // what the words claim
  ink_label_place place;
  // Height of a capital letter as a share of the shorter side: 0.05 (what the standard asks at
  // least) to 0.25.
  double height;
  uint8_t ink[3], plate[3];
  // 0 … 1; ink and plate must keep a contrast of 4.5 (WCAG 2.2, 1.4.3) over black and white.
  double opacity;
  const char *font;  // family; NULL: sans-serif
} ink_label_style;

// Bottom right, 0.052 of the shorter side, white on three fifths black.
ink_label_style ink_label_style_default(void);

// USAGE: a style that breaks the rules above.
ink_status ink_label_style_check(const ink_label_style *style, ink_error *error);

typedef struct ink_label_box {
  int32_t x, y, width, height;  // of the plate
  int32_t capital;              // height of a capital letter
  const char *words;
} ink_label_box;

// Label a picture in place; kind and language decide the words (mark/label/wording.h), of which the
// longest is taken that covers three fifths of the width at most, or else the longest that fits.
// The picture keeps its channels; a grey one needs grey colours. USAGE: a style that breaks the
// rules above, or a picture too small for legible letters (its shorter side below 32). NOT_FOUND:
// no font. *box may be NULL.
ink_status ink_mark_picture(ink_picture *picture, const char *language,
                            const ink_label_style *style, ink_label_box *box, ink_error *error);

// Where ink_mark_picture would put it in a picture of these sides. Errors as there.
ink_status ink_label_box_of(int32_t width, int32_t height, const char *language,
                            const ink_label_style *style, ink_label_box *box, ink_error *error);

#endif
