// Fuzz target: metadata moved from one picture file to another, and within one. The first two bytes
// say where the first file ends; what is made of files that open must open.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "picture/metadata.h"

static const ink_picture_limits limits = {.most_side = 256, .most_pixels = 1 << 14};

static bool opens(ink_picture_file file, const char *xmp) {
  ink_picture picture;
  ink_picture_extras extras = {0};
  ink_error error = {0};
  if (ink_picture_decode(file.bytes, file.size, "input", &limits, &picture, &extras, &error) !=
      INK_OK) {
    return false;
  }
  bool has = !xmp || (extras.xmp && strcmp(extras.xmp, xmp) == 0);
  ink_picture_free(&picture);
  ink_picture_extras_free(&extras);
  return has;
}

static void move(ink_picture_file pixels, ink_picture_file metadata) {
  static const char xmp[] = "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"></x:xmpmeta>";
  ink_picture_format format, other;
  ink_error error = {0};
  ink_text out = {0};
  if (!ink_picture_format_by_bytes(pixels.bytes, pixels.size, &format) ||
      !ink_picture_format_by_bytes(metadata.bytes, metadata.size, &other) || format != other) {
    return;
  }
  bool fine = opens(pixels, NULL) && opens(metadata, NULL);
  if (ink_picture_with_metadata(format, pixels, metadata, xmp, &out, &error) == INK_OK && fine) {
    ink_picture_file made = {(const unsigned char *)out.bytes, out.size};
    if (!opens(made, xmp)) abort();
  }
  ink_text_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  if (size < 2) return 0;
  size_t end = (size_t)bytes[0] << 8 | bytes[1];
  bytes += 2;
  size -= 2;
  if (end > size) end = size;
  ink_picture_file first = {bytes, end}, second = {bytes + end, size - end};
  move(first, first);
  move(first, second);
  return 0;
}
