// Pictures that tests draw, damage, compare and keep on disk. The program itself writes marked ones
// only (publish/picture.h).
#ifndef INK_TESTS_PICTURES_H
#define INK_TESTS_PICTURES_H

#include <math.h>

#include "base/random.h"
#include "files.h"
#include "picture/codec.h"

// A picture from a file; *extras may be NULL.
static inline ink_picture read_picture(const char *path, ink_picture_extras *extras) {
  ink_error error = {0};
  ink_picture picture;
  assert_ok(ink_picture_load(path, NULL, &picture, extras, &error));
  return picture;
}

// A picture to a file, its format by its ending.
static inline ink_status save_picture(const ink_picture *picture, const char *path,
                                      const ink_picture_encoding *encoding, ink_error *error) {
  ink_picture_format format = INK_PICTURE_PNG;
  ink_text bytes = {0};
  INK_TRY(ink_picture_format_of(path, &format, error));
  ink_status status = ink_picture_encode(picture, format, encoding, &bytes, error);
  if (status == INK_OK) status = ink_file_save(path, bytes.bytes, bytes.size, error);
  ink_text_free(&bytes);
  return status;
}

static inline ink_text encoded_picture(const ink_picture *picture, ink_picture_format format,
                                       int quality) {
  ink_error error = {0};
  ink_text bytes = {0};
  ink_picture_encoding encoding = {.quality = quality};
  assert_ok(ink_picture_encode(picture, format, &encoding, &bytes, &error));
  return bytes;
}

static inline ink_picture through_jpeg(const ink_picture *picture, int quality) {
  ink_error error = {0};
  ink_text bytes = encoded_picture(picture, INK_PICTURE_JPEG, quality);
  ink_picture back;
  assert_ok(ink_picture_decode(bytes.bytes, bytes.size, "memory", NULL, &back, NULL, &error));
  ink_text_free(&bytes);
  return back;
}

// Soft shapes with some noise, as photographs have.
static inline ink_picture scene(int32_t width, int32_t height, uint64_t seed) {
  ink_error error = {0};
  ink_picture p;
  assert_ok(ink_picture_new(width, height, 3, &p, &error));
  ink_random random = ink_random_at(seed, 0, 0);
  for (int32_t y = 0; y < height; y++) {
    for (int32_t x = 0; x < width; x++) {
      double u = (double)x / width, v = (double)y / height, s = (double)seed;
      double colour[3] = {128 + 100 * sin(5 * u + s), 128 + 90 * cos(4 * v - 3 * u),
                          40 + 180 * u * v};
      for (int c = 0; c < 3; c++) {
        double value = colour[c] + 3 * ink_random_normal(&random);
        ink_picture_at(&p, x, y)[c] = (uint8_t)fmin(fmax(value, 0), 255);
      }
    }
  }
  return p;
}

// Peak signal to noise of two pictures of one shape, in dB; infinite where they are the same.
static inline double psnr_of(const ink_picture *a, const ink_picture *b) {
  assert_int_equal(ink_picture_bytes(a), ink_picture_bytes(b));
  double squares = 0;
  for (size_t i = 0; i < ink_picture_bytes(a); i++) {
    double d = (double)a->pixels[i] - b->pixels[i];
    squares += d * d;
  }
  return 10 * log10(255.0 * 255 * (double)ink_picture_bytes(a) / squares);
}

#endif
