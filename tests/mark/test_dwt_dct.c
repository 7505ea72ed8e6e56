// The watermark of invisible-watermark: theirs is read, ours survives what theirs survives.
#include <math.h>

#include "mark/watermark/dwt_dct.h"
#include "pictures.h"

static ink_dwt_dct_reading read_it(const ink_picture *picture) {
  ink_error error = {0};
  ink_dwt_dct_reading reading;
  assert_ok(ink_dwt_dct_read(picture, &reading, &error));
  return reading;
}

// How many bits of a message are read.
static int bits_read(const ink_picture *picture, const ink_dwt_dct_message *m) {
  double shares[INK_DWT_DCT_MOST_BITS];
  assert_true(ink_dwt_dct_shares(picture, m->n_bit, shares));
  int n = 0;
  for (size_t i = 0; i < m->n_bit; i++) {
    n += (shares[i] * 255 > 127) == ((m->bytes[i / 8] >> (7 - i % 8) & 1) == 1);
  }
  return n;
}

static void marks_of_invisible_watermark_are_read_as_it_reads_them(void **state) {
  (void)state;
  // What make_dwt_dct.py --check prints: on soft shapes the package loses bits of its own.
  static const struct {
    const char *path;
    int bits[3];
  } said[] = {{"mark/dwt-dct-sdxl.png", {37, 66, 28}}, {"mark/dwt-dct-flux2.png", {27, 68, 37}}};
  size_t n;
  const ink_dwt_dct_message *messages = ink_dwt_dct_messages(&n);
  for (int i = 0; i < 2; i++) {
    ink_picture picture = read_picture(fixture_path(said[i].path), NULL);
    for (size_t j = 0; j < n; j++) {
      assert_int_equal(bits_read(&picture, &messages[j]), said[i].bits[j]);
    }
    ink_dwt_dct_reading r = read_it(&picture);
    assert_non_null(r.message);
    assert_true(strstr(said[i].path, r.message->name) != NULL);
    ink_picture_free(&picture);
  }
}

// With INKSTONE_KEEP naming a folder the pictures stay there, to be read by the reference.
static void keep(const ink_picture *picture, const char *name) {
  ink_error error = {0};
  const char *folder = getenv("INKSTONE_KEEP");
  char path[4096];
  if (!folder) return;
  snprintf(path, sizeof path, "%s/ours-%s.png", folder, name);
  assert_ok(save_picture(picture, path, NULL, &error));
}

static void every_message_is_read_back_whole(void **state) {
  (void)state;
  size_t n;
  const ink_dwt_dct_message *messages = ink_dwt_dct_messages(&n);
  for (size_t i = 0; i < n; i++) {
    ink_error error = {0};
    ink_picture picture = scene(384, 320, i), before = scene(384, 320, i);
    assert_ok(ink_dwt_dct_write(&picture, &messages[i], &error));
    keep(&picture, messages[i].name);
    ink_dwt_dct_reading r = read_it(&picture);
    assert_ptr_equal(r.message, &messages[i]);
    assert_int_equal(r.agreeing, messages[i].n_bit);
    double psnr = psnr_of(&picture, &before);
    print_message("# %s: %.1f dB\n", messages[i].name, psnr);
    assert_true(psnr > 36);
    ink_picture_free(&picture);
    ink_picture_free(&before);
  }
}

static void marks_survive_jpeg_noise_and_brightness(void **state) {
  (void)state;
  ink_error error = {0};
  size_t n;
  const ink_dwt_dct_message *sdxl = ink_dwt_dct_messages(&n);
  int jpeg = 0, noise = 0, brighter = 0;
  enum { PICTURES = 10 };
  for (uint64_t seed = 0; seed < PICTURES; seed++) {
    ink_picture picture = scene(512, 512, seed);
    assert_ok(ink_dwt_dct_write(&picture, sdxl, &error));
    ink_picture back = through_jpeg(&picture, 90);
    jpeg += read_it(&back).p_value < 1e-6;
    ink_picture_free(&back);
    ink_random random = ink_random_at(seed, 1, 0);
    for (size_t j = 0; j < ink_picture_bytes(&picture); j++) {
      double value = picture.pixels[j] + 4 * ink_random_normal(&random);
      picture.pixels[j] = (uint8_t)fmin(fmax(value, 0), 255);
    }
    noise += read_it(&picture).p_value < 1e-6;
    ink_picture_free(&picture);
    picture = scene(512, 512, seed);
    assert_ok(ink_dwt_dct_write(&picture, sdxl, &error));
    for (size_t j = 0; j < ink_picture_bytes(&picture); j++) {
      picture.pixels[j] = (uint8_t)fmin(picture.pixels[j] + 12.0, 255);
    }
    brighter += read_it(&picture).p_value < 1e-6;
    ink_picture_free(&picture);
  }
  print_message("# of %d: JPEG 90 %d, noise %d, brighter %d\n", PICTURES, jpeg, noise, brighter);
  assert_true(jpeg >= 9 && noise >= 9 && brighter >= 9);
}

static void pictures_without_the_mark_are_not_found(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 30; seed++) {
    ink_picture picture = scene(300, 300, seed);
    assert_true(read_it(&picture).p_value > 1e-6);
    memset(picture.pixels, (int)(8 * seed), ink_picture_bytes(&picture));
    assert_true(read_it(&picture).p_value > 1e-6);
    ink_picture_free(&picture);
  }
}

static void pictures_that_no_reader_looks_at_are_refused(void **state) {
  (void)state;
  ink_error error = {0};
  size_t n;
  const ink_dwt_dct_message *sdxl = ink_dwt_dct_messages(&n);
  ink_picture tiny = scene(255, 256, 1), grey;
  assert_int_equal(ink_dwt_dct_write(&tiny, sdxl, &error), INK_ERR_USAGE);
  assert_null(read_it(&tiny).message);
  assert_ok(ink_picture_new(300, 300, 1, &grey, &error));
  assert_int_equal(ink_dwt_dct_write(&grey, sdxl, &error), INK_ERR_USAGE);
  ink_picture_free(&tiny);
  ink_picture_free(&grey);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(marks_of_invisible_watermark_are_read_as_it_reads_them),
      cmocka_unit_test(every_message_is_read_back_whole),
      cmocka_unit_test(marks_survive_jpeg_noise_and_brightness),
      cmocka_unit_test(pictures_without_the_mark_are_not_found),
      cmocka_unit_test(pictures_that_no_reader_looks_at_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
