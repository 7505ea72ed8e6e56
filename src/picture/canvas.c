// Text as a picture.
#include "picture/canvas.h"

#include <math.h>
#include <pango/pangocairo.h>
#include <stdlib.h>

#include "base/text.h"

enum { MOST_CAPITAL = 10000, TRIAL = 200 };

// ---- layout ------------------------------------------------------------------------------------

// One pixel a point, and neither hinting nor subpixels: the same text has the same shape on every
// screen and at every place.
static PangoContext *open_context(const char *language) {
  PangoContext *context = pango_font_map_create_context(pango_cairo_font_map_get_default());
  cairo_font_options_t *options = cairo_font_options_create();
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  pango_cairo_context_set_font_options(context, options);
  pango_cairo_context_set_resolution(context, 72);
  cairo_font_options_destroy(options);
  if (language) pango_context_set_language(context, pango_language_from_string(language));
  return context;
}

static PangoLayout *lay_out(PangoContext *context, const ink_lettering *l, const char *text,
                            double size) {
  PangoLayout *layout = pango_layout_new(context);
  PangoFontDescription *font = pango_font_description_new();
  pango_font_description_set_family(font, l->font ? l->font : "sans-serif");
  if (l->bold) pango_font_description_set_weight(font, PANGO_WEIGHT_BOLD);
  pango_font_description_set_absolute_size(font, size * PANGO_SCALE);
  pango_layout_set_font_description(layout, font);
  pango_layout_set_text(layout, text, -1);
  pango_font_description_free(font);
  return layout;
}

// The font size at which a capital is as tall as asked: found from one at a trial size.
static double size_of(PangoContext *context, const ink_lettering *l) {
  PangoLayout *layout = lay_out(context, l, "H", TRIAL);
  PangoRectangle ink;
  pango_layout_get_extents(layout, &ink, NULL);
  g_object_unref(layout);
  double capital = (double)ink.height / PANGO_SCALE;
  return capital > 0 ? l->capital_height * TRIAL / capital : l->capital_height;
}

static ink_status check(const ink_lettering *l, ink_error *error) {
  if (!l->text || !l->text[0] || !ink_utf8_valid(l->text, strlen(l->text), NULL)) {
    return ink_fail(error, INK_ERR_USAGE, "the text to draw is empty or not UTF-8");
  }
  if (!(l->capital_height >= 1 && l->capital_height <= MOST_CAPITAL)) {
    return ink_fail(error, INK_ERR_USAGE, "letters of %g pixels; they are from 1 to %d",
                    l->capital_height, MOST_CAPITAL);
  }
  return INK_OK;
}

static ink_status open_layout(const ink_lettering *l, PangoLayout **layout, ink_error *error) {
  *layout = NULL;
  INK_TRY(check(l, error));
  PangoContext *context = open_context(l->language);
  *layout = lay_out(context, l, l->text, size_of(context, l));
  g_object_unref(context);
  int unknown = pango_layout_get_unknown_glyphs_count(*layout);
  if (unknown == 0) return INK_OK;
  g_object_unref(*layout);
  *layout = NULL;
  return ink_fail(error, INK_ERR_NOT_FOUND,
                  "no installed font has %d of the characters of \"%s\"; for Chinese, install the "
                  "package fonts-droid-fallback or fonts-noto-cjk",
                  unknown, l->text);
}

// The ink's box in whole pixels, and where the layout's origin lies from its corner.
typedef struct box {
  int32_t width, height;
  double left, top;
} box;

static box box_of(PangoLayout *layout) {
  PangoRectangle ink;
  pango_layout_get_extents(layout, &ink, NULL);
  double left = floor((double)ink.x / PANGO_SCALE), top = floor((double)ink.y / PANGO_SCALE);
  double right = ceil((double)(ink.x + ink.width) / PANGO_SCALE);
  double bottom = ceil((double)(ink.y + ink.height) / PANGO_SCALE);
  return (box){(int32_t)fmax(1, right - left), (int32_t)fmax(1, bottom - top), -left, -top};
}

ink_status ink_canvas_measure(const ink_lettering *l, int32_t *width, int32_t *height,
                              ink_error *error) {
  PangoLayout *layout;
  INK_TRY(open_layout(l, &layout, error));
  box b = box_of(layout);
  *width = b.width;
  *height = b.height;
  g_object_unref(layout);
  return INK_OK;
}

// ---- drawing -----------------------------------------------------------------------------------

// Coverage of the ink, one byte a pixel, as the alpha of a colour.
static void colour_in(const unsigned char *coverage, int stride, const uint8_t colour[4],
                      ink_picture *out) {
  for (int32_t y = 0; y < out->height; y++) {
    for (int32_t x = 0; x < out->width; x++) {
      uint8_t *to = ink_picture_at(out, x, y);
      unsigned alpha = coverage[(size_t)y * (size_t)stride + (size_t)x] * colour[3];
      for (int c = 0; c < 3; c++) to[c] = colour[c];
      to[3] = (uint8_t)((alpha + 127) / 255);
    }
  }
}

ink_status ink_canvas_letter(const ink_lettering *l, ink_picture *out, ink_error *error) {
  *out = (ink_picture){0};
  PangoLayout *layout;
  INK_TRY(open_layout(l, &layout, error));
  box b = box_of(layout);
  ink_status status = ink_picture_new(b.width, b.height, 4, out, error);
  cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, b.width, b.height);
  cairo_t *cairo = cairo_create(surface);
  cairo_move_to(cairo, b.left, b.top);
  pango_cairo_show_layout(cairo, layout);
  cairo_surface_flush(surface);
  if (status == INK_OK && cairo_status(cairo) != CAIRO_STATUS_SUCCESS) {
    status = ink_fail(error, INK_ERR_MEMORY, "the text could not be drawn: %s",
                      cairo_status_to_string(cairo_status(cairo)));
  }
  if (status == INK_OK) {
    colour_in(cairo_image_surface_get_data(surface), cairo_image_surface_get_stride(surface),
              l->colour, out);
  } else {
    ink_picture_free(out);
  }
  cairo_destroy(cairo);
  cairo_surface_destroy(surface);
  g_object_unref(layout);
  return status;
}

// How much of a pixel a rounded rectangle covers, 0 … 1: the distance of its centre to the edge.
static double covered(double x, double y, double width, double height, double radius) {
  double dx = fmax(fabs(x - width / 2) - width / 2 + radius, 0);
  double dy = fmax(fabs(y - height / 2) - height / 2 + radius, 0);
  double outside = sqrt(dx * dx + dy * dy) - radius;
  return fmin(fmax(0.5 - outside, 0), 1);
}

ink_status ink_canvas_plate(ink_picture *picture, int32_t x, int32_t y, int32_t width,
                            int32_t height, int32_t radius, const uint8_t colour[4],
                            ink_error *error) {
  if (width < 1 || height < 1 || radius < 0) {
    return ink_fail(error, INK_ERR_USAGE, "a plate of %d x %d with corners of %d", width, height,
                    radius);
  }
  ink_picture plate;
  INK_TRY(ink_picture_new(width, height, 4, &plate, error));
  int32_t most = (width < height ? width : height) / 2;
  double corner = radius < most ? radius : most;
  for (int32_t j = 0; j < height; j++) {
    for (int32_t i = 0; i < width; i++) {
      uint8_t *to = ink_picture_at(&plate, i, j);
      for (int c = 0; c < 3; c++) to[c] = colour[c];
      to[3] = (uint8_t)lround(colour[3] * covered(i + 0.5, j + 0.5, width, height, corner));
    }
  }
  ink_status status = picture->channels == 4
                          ? ink_picture_composite(picture, &plate, x, y, error)
                          : ink_fail(error, INK_ERR_USAGE, "a plate needs a picture with alpha");
  ink_picture_free(&plate);
  return status;
}
