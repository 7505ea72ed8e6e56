// An identity in the pixels outlives what happens to pictures on their way.
#include <math.h>

#include "mark/ledger/picture_identity.h"
#include "mark/watermark/dwt_dct.h"
#include "pictures.h"

static const char identity[] = "f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

// Flat areas of saturated colour, black and white, as drawings have.
static ink_picture drawing(int32_t width, int32_t height, uint64_t seed) {
  ink_error error = {0};
  ink_picture p;
  static const uint8_t flat[6][3] = {{255, 255, 255}, {0, 0, 0},     {255, 0, 0},
                                     {0, 0, 255},     {255, 255, 0}, {12, 200, 90}};
  assert_ok(ink_picture_new(width, height, 3, &p, &error));
  for (int32_t y = 0; y < height; y++) {
    for (int32_t x = 0; x < width; x++) {
      double u = (double)x / width, v = (double)y / height, s = (double)seed;
      memcpy(ink_picture_at(&p, x, y), flat[((int)(3 * u + s) + 2 * (int)(2 * v)) % 6], 3);
    }
  }
  return p;
}

static ink_picture looks(int32_t width, int32_t height, uint64_t seed, bool drawn) {
  return drawn ? drawing(width, height, seed) : scene(width, height, seed);
}

static ink_picture resized(const ink_picture *picture, int percent) {
  ink_error error = {0};
  ink_picture out;
  assert_ok(ink_picture_resize(picture, picture->width * percent / 100,
                               picture->height * percent / 100, INK_RESIZE_BICUBIC, &out, &error));
  return out;
}

static ink_picture noisy(const ink_picture *picture, double sigma) {
  ink_error error = {0};
  ink_picture out;
  assert_ok(ink_picture_convert(picture, 3, &out, &error));
  ink_random random = ink_random_at(9, 1, 0);
  for (size_t j = 0; j < ink_picture_bytes(&out); j++) {
    double value = out.pixels[j] + sigma * ink_random_normal(&random);
    out.pixels[j] = (uint8_t)fmin(fmax(value, 0), 255);
  }
  return out;
}

static ink_identity_reading read_it(const ink_picture *picture) {
  ink_error error = {0};
  ink_identity_reading reading;
  assert_ok(ink_picture_identity_read(picture, &reading, &error));
  return reading;
}

static void an_identity_is_read_back_whole_and_hardly_seen(void **state) {
  (void)state;
  static const struct {
    int32_t width, height;
    bool drawn;
    double psnr;
  } cases[] = {{512, 512, 0, 42},
               {512, 384, 0, 42},
               {200, 900, 0, 42},
               {512, 512, 1, 36},
               {333, 257, 1, 36}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error = {0};
    ink_picture before = looks(cases[i].width, cases[i].height, i, cases[i].drawn);
    ink_picture picture = looks(cases[i].width, cases[i].height, i, cases[i].drawn);
    assert_true(ink_picture_identity_fits(&picture));
    assert_ok(ink_picture_identity_write(&picture, identity, &error));
    ink_identity_reading reading = read_it(&picture);
    assert_true(reading.whole);
    assert_true(reading.p_value < 1e-9);
    assert_string_equal(reading.identity, identity);
    double psnr = psnr_of(&picture, &before);
    print_message("# %d x %d, %s: %.1f dB\n", picture.width, picture.height,
                  cases[i].drawn ? "drawn" : "photographed", psnr);
    assert_true(psnr > cases[i].psnr);
    ink_picture_free(&picture);
    ink_picture_free(&before);
  }
}

static void an_identity_outlives_jpeg_resizing_and_noise(void **state) {
  (void)state;
  enum { PICTURES = 10, WAYS = 6 };
  static const char *const names[WAYS] = {"JPEG 75", "JPEG 50",         "resize 50 %",
                                          "noise 8", "JPEG 70 at 75 %", "the message of SDXL"};
  int whole[WAYS] = {0}, known[WAYS] = {0};
  uint8_t bytes[INK_IDENTITY_BYTES];
  assert_true(ink_identity_bytes(identity, bytes));
  for (uint64_t seed = 0; seed < PICTURES; seed++) {
    ink_error error = {0};
    size_t n;
    ink_picture p = looks(512, 512, seed, seed % 2), ways[WAYS];
    assert_ok(ink_picture_identity_write(&p, identity, &error));
    ways[0] = through_jpeg(&p, 75);
    ways[1] = through_jpeg(&p, 50);
    ways[2] = resized(&p, 50);
    ways[3] = noisy(&p, 8);
    ink_picture smaller = resized(&p, 75);
    ways[4] = through_jpeg(&smaller, 70);
    ink_picture_free(&smaller);
    assert_ok(ink_picture_convert(&p, 3, &ways[5], &error));
    assert_ok(ink_dwt_dct_write(&ways[5], ink_dwt_dct_messages(&n), &error));
    for (int i = 0; i < WAYS; i++) {
      ink_identity_reading reading = read_it(&ways[i]);
      whole[i] += reading.whole;
      known[i] += ink_identity_likeness(&reading, bytes) < 1e-9;
      ink_picture_free(&ways[i]);
    }
    ink_picture_free(&p);
  }
  for (int i = 0; i < WAYS; i++) {
    print_message("# %s: of %d whole %d, known %d\n", names[i], PICTURES, whole[i], known[i]);
    assert_true(known[i] >= 9);
  }
}

static void no_identity_is_read_where_none_was_written(void **state) {
  (void)state;
  uint8_t bytes[INK_IDENTITY_BYTES];
  assert_true(ink_identity_bytes(identity, bytes));
  for (uint64_t seed = 0; seed < 200; seed++) {
    ink_picture p = looks(192 + 16 * (int32_t)(seed % 5), 192, seed, seed % 2);
    ink_identity_reading reading = read_it(&p);
    assert_true(reading.looked);
    assert_false(reading.whole);
    assert_true(ink_identity_likeness(&reading, bytes) > 1e-9);
    ink_picture_free(&p);
  }
}

static void pictures_that_cannot_hold_one_are_refused(void **state) {
  (void)state;
  ink_error error = {0};
  ink_picture small = scene(191, 400, 1), grey, tiny = scene(48, 48, 1);
  assert_int_equal(ink_picture_identity_write(&small, identity, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "191 x 400"));
  ink_picture large = scene(256, 256, 1);
  assert_ok(ink_picture_convert(&large, 1, &grey, &error));
  assert_int_equal(ink_picture_identity_write(&grey, identity, &error), INK_ERR_USAGE);
  assert_false(read_it(&grey).whole);
  assert_int_equal(ink_picture_identity_write(&large, "not one", &error), INK_ERR_USAGE);
  assert_false(read_it(&tiny).looked);
  ink_picture_free(&small);
  ink_picture_free(&grey);
  ink_picture_free(&large);
  ink_picture_free(&tiny);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_identity_is_read_back_whole_and_hardly_seen),
      cmocka_unit_test(an_identity_outlives_jpeg_resizing_and_noise),
      cmocka_unit_test(no_identity_is_read_where_none_was_written),
      cmocka_unit_test(pictures_that_cannot_hold_one_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
