// The label of a picture, measured in its pixels.
#include "mark/label/picture_label.h"
#include "picture/canvas.h"
#include "testing.h"

static ink_picture filled(int32_t width, int32_t height, int32_t channels, uint8_t value) {
  ink_error error = {0};
  ink_picture picture;
  assert_ok(ink_picture_new(width, height, channels, &picture, &error));
  memset(picture.pixels, value, ink_picture_bytes(&picture));
  return picture;
}

// A test of drawn text has nothing to look at where no font is installed.
static bool has_font(const char *text) {
  ink_error error = {0};
  int32_t width, height;
  ink_lettering l = {.text = text, .language = "zh-Hans", .capital_height = 20};
  if (ink_canvas_measure(&l, &width, &height, &error) == INK_OK) return true;
  print_message("# skipped: %s\n", error.text);
  return false;
}

// Rows from the first to the last in which a pixel is as bright as the ink, within the label.
static int32_t ink_rows(const ink_picture *p, const ink_label_box *box, uint8_t bright) {
  int32_t first = -1, last = -2;
  for (int32_t y = box->y; y < box->y + box->height; y++) {
    for (int32_t x = box->x; x < box->x + box->width; x++) {
      if (ink_picture_at(p, x, y)[0] < bright) continue;
      if (first < 0) first = y;
      last = y;
    }
  }
  return last - first + 1;
}

static void letters_are_a_twentieth_of_the_shorter_side(void **state) {
  (void)state;
  if (!has_font("本图片由AI生成")) return;
  static const struct {
    int32_t width, height;
    const char *language;
  } cases[] = {{512, 512, "zh-Hans"}, {512, 512, "en"},  {1024, 300, "zh-Hans"}, {300, 1024, "en"},
               {128, 128, "zh-Hans"}, {128, 128, "en"},  {64, 64, "zh-Hans"},    {2000, 40, "zh"},
               {1920, 1080, "en"},    {3000, 2000, "zh"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error = {0};
    ink_picture picture = filled(cases[i].width, cases[i].height, 3, 0);
    ink_label_style style = ink_label_style_default();
    ink_label_box box;
    assert_ok(ink_mark_picture(&picture, cases[i].language, &style, &box, &error));
    ink_label_box foretold;
    assert_ok(ink_label_box_of(cases[i].width, cases[i].height, cases[i].language, &style,
                               &foretold, &error));
    assert_int_equal(foretold.x, box.x);
    assert_int_equal(foretold.y, box.y);
    assert_int_equal(foretold.width, box.width);
    assert_int_equal(foretold.height, box.height);
    int32_t side = cases[i].width < cases[i].height ? cases[i].width : cases[i].height;
    // Half-bright rows count as ink's edge; the capital alone must reach the height.
    int32_t rows = ink_rows(&picture, &box, 128);
    print_message("# %d x %d %s: capitals %d, ink %d rows, %.3f of the side\n", cases[i].width,
                  cases[i].height, cases[i].language, box.capital, rows, (double)rows / side);
    assert_true(20 * box.capital >= side);
    assert_true(20 * rows >= side);
    assert_true(box.x >= 0 && box.x + box.width <= cases[i].width);
    assert_true(box.y >= 0 && box.y + box.height <= cases[i].height);
    ink_picture_free(&picture);
  }
}

static void a_capital_is_as_tall_as_asked(void **state) {
  (void)state;
  if (!has_font("AI")) return;
  static const double heights[] = {6, 13, 26.6, 100};
  for (int i = 0; i < 4; i++) {
    ink_error error = {0};
    ink_lettering l = {.text = "AI", .capital_height = heights[i], .colour = {255, 255, 255, 255}};
    int32_t width, height;
    assert_ok(ink_canvas_measure(&l, &width, &height, &error));
    assert_true(height >= heights[i] - 1 && height <= heights[i] + 2);
  }
}

static void words_leave_the_picture_room(void **state) {
  (void)state;
  if (!has_font("AI-generated")) return;
  static const struct {
    int32_t width, height;
    const char *words;
  } cases[] = {{1920, 1080, "AI-generated image"},
               {1024, 1024, "AI-generated"},
               {128, 128, "AI-generated"},
               {56, 56, "AI-\ngenerated"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error = {0};
    ink_label_style style = ink_label_style_default();
    ink_label_box box;
    assert_ok(ink_label_box_of(cases[i].width, cases[i].height, "en", &style, &box, &error));
    assert_string_equal(box.words, cases[i].words);
  }
}

// The label is read by what differs between ink and plate, whatever lies below.
static void labels_are_legible_over_black_white_and_noise(void **state) {
  (void)state;
  if (!has_font("AI")) return;
  for (int kind = 0; kind < 3; kind++) {
    ink_error error = {0};
    ink_picture picture = filled(256, 256, 3, kind == 1 ? 255 : 0);
    for (size_t i = 0; kind == 2 && i < ink_picture_bytes(&picture); i++) {
      picture.pixels[i] = (uint8_t)(i * 2654435761U >> 24);
    }
    ink_label_style style = ink_label_style_default();
    ink_label_box box;
    assert_ok(ink_mark_picture(&picture, "en", &style, &box, &error));
    int ink = 0, plate = 0;
    for (int32_t y = box.y + 1; y < box.y + box.height - 1; y++) {
      for (int32_t x = box.x + 1; x < box.x + box.width - 1; x++) {
        uint8_t value = ink_picture_at(&picture, x, y)[0];
        ink += value >= 230;
        plate += value <= 103;
      }
    }
    assert_true(ink > 100);
    assert_true(plate > 3 * ink);
    ink_picture_free(&picture);
  }
}

static void nothing_beside_the_plate_changes(void **state) {
  (void)state;
  if (!has_font("AI")) return;
  for (int32_t channels = 1; channels <= 4; channels++) {
    for (int place = 0; place < INK_LABEL_PLACES; place++) {
      ink_error error = {0};
      ink_picture picture = filled(200, 160, channels, 90);
      ink_label_style style = ink_label_style_default();
      style.place = (ink_label_place)place;
      ink_label_box box;
      assert_ok(ink_mark_picture(&picture, "en", &style, &box, &error));
      assert_int_equal(picture.channels, channels);
      size_t changed = 0;
      for (int32_t y = 0; y < 160; y++) {
        for (int32_t x = 0; x < 200; x++) {
          bool within = x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height;
          bool same = ink_picture_at(&picture, x, y)[0] == 90;
          if (!within && !same) fail_msg("pixel %d, %d changed", x, y);
          changed += !same;
        }
      }
      assert_true(changed > 100);
      ink_picture_free(&picture);
    }
  }
}

static void styles_below_the_law_are_refused(void **state) {
  (void)state;
  ink_error error = {0};
  ink_picture picture = filled(200, 200, 3, 0);
  ink_label_style style = ink_label_style_default();
  style.height = 0.049;
  assert_int_equal(ink_mark_picture(&picture, "en", &style, NULL, &error), INK_ERR_USAGE);
  style = ink_label_style_default();
  style.opacity = 0.2;  // white letters vanish over white
  assert_int_equal(ink_mark_picture(&picture, "en", &style, NULL, &error), INK_ERR_USAGE);
  style = ink_label_style_default();
  memset(style.plate, 250, 3);
  assert_int_equal(ink_mark_picture(&picture, "en", &style, NULL, &error), INK_ERR_USAGE);
  ink_picture tiny = filled(400, 31, 3, 0);
  style = ink_label_style_default();
  assert_int_equal(ink_mark_picture(&tiny, "en", &style, NULL, &error), INK_ERR_USAGE);
  ink_label_place place;
  assert_int_equal(ink_label_place_parse("centre", &place, &error), INK_ERR_USAGE);
  assert_ok(ink_label_place_parse("top-left", &place, &error));
  assert_int_equal(place, INK_LABEL_TOP_LEFT);
  ink_picture_free(&picture);
  ink_picture_free(&tiny);
}

static void a_character_that_no_font_has_is_named(void **state) {
  (void)state;
  ink_error error = {0};
  // A private-use character that no common font draws.
  ink_lettering l = {.text = "\xF4\x8F\xBF\x80", .capital_height = 20};
  int32_t width, height;
  assert_int_equal(ink_canvas_measure(&l, &width, &height, &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "fonts-"));
  l.text = "";
  assert_int_equal(ink_canvas_measure(&l, &width, &height, &error), INK_ERR_USAGE);
  l.text = "\xFF";
  assert_int_equal(ink_canvas_measure(&l, &width, &height, &error), INK_ERR_USAGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(letters_are_a_twentieth_of_the_shorter_side),
      cmocka_unit_test(words_leave_the_picture_room),
      cmocka_unit_test(a_capital_is_as_tall_as_asked),
      cmocka_unit_test(labels_are_legible_over_black_white_and_noise),
      cmocka_unit_test(nothing_beside_the_plate_changes),
      cmocka_unit_test(styles_below_the_law_are_refused),
      cmocka_unit_test(a_character_that_no_font_has_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
