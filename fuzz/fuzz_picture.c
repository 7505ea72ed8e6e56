// Fuzz target: the picture readers, and the writers over what they read.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "picture/codec.h"

static volatile unsigned sink;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const ink_picture_limits limits = {.most_side = 2048, .most_pixels = 1 << 18};
  ink_picture picture, back;
  ink_picture_extras extras = {0}, again = {0};
  ink_error error = {0};
  if (ink_picture_decode(bytes, size, "input", &limits, &picture, &extras, &error) != INK_OK) {
    if (picture.pixels || extras.n_notes || !error.text[0]) abort();
    return 0;
  }
  for (size_t i = 0; i < ink_picture_bytes(&picture); i++) sink += picture.pixels[i];
  // What was read can be written as PNG, pixels and words alike.
  ink_picture_extras words = {.notes = extras.notes, .n_notes = extras.n_notes};
  ink_picture_encoding encoding = {.extras = &words};
  ink_text out = {0};
  if (ink_picture_encode(&picture, INK_PICTURE_PNG, &encoding, &out, &error) != INK_OK) abort();
  if (ink_picture_decode(out.bytes, out.size, "again", &limits, &back, &again, &error) != INK_OK) {
    abort();
  }
  if (memcmp(back.pixels, picture.pixels, ink_picture_bytes(&picture)) != 0) abort();
  for (size_t i = 0; i < extras.n_notes; i++) {
    const char *text = ink_picture_note(&again, extras.notes[i].key);
    if (!text || strcmp(text, extras.notes[i].text) != 0) abort();
  }
  ink_text_free(&out);
  ink_picture_free(&picture);
  ink_picture_free(&back);
  ink_picture_extras_free(&extras);
  ink_picture_extras_free(&again);
  return 0;
}
