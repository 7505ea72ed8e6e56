// What the fuzz targets of carriers share: find a store; where there is none, put one in, find it
// there, take it out and have the file again.
#ifndef INK_FUZZ_CARRIER_H
#define INK_FUZZ_CARRIER_H

#include <stdlib.h>
#include <string.h>

#include "mark/c2pa/carrier.h"

// The parts of a file follow each other and are all of it.
static inline void fuzz_divide(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                               const ink_place *place) {
  ink_error error = {0};
  ink_text parts = {0};
  if (carrier->divide && carrier->divide(carrier, bytes, size, place, &parts, &error) == INK_OK) {
    const ink_named_range *range = (const ink_named_range *)(const void *)parts.bytes;
    size_t end = 0;
    for (size_t i = 0; i < parts.size / sizeof *range; i++) {
      if (range[i].start != end || range[i].length > size - end) abort();
      end += range[i].length;
    }
    if (end != size) abort();
  }
  ink_text_free(&parts);
}

static inline void fuzz_carrier(const ink_carrier *carrier, const unsigned char *bytes,
                                size_t size) {
  static const unsigned char store[] = {
      0,   0, 0,  38, 'j', 'u', 'm', 'b', 0,   0, 0,  30,  'j', 'u', 'm', 'd', 'c', '2', 'p',
      'a', 0, 17, 0,  16,  128, 0,   0,   170, 0, 56, 155, 113, 3,   'c', '2', 'p', 'a', 0};
  ink_error error = {0};
  ink_place place = {0};
  ink_text file = {0}, bare = {0};
  size_t start, length;
  ink_status status = carrier->find(carrier, bytes, size, &place, &error);
  if (status == INK_OK && !place.code) fuzz_divide(carrier, bytes, size, &place);
  if (status == INK_OK && place.present && !place.code) {
    if (place.start > size || place.length > size - place.start) abort();
    ink_carrier_remove(carrier, bytes, size, &bare, &error);
  } else if (status == INK_OK && !place.present &&
             carrier->embed(carrier, bytes, size, store, sizeof store, &file, &start, &length,
                            &error) == INK_OK) {
    if (carrier->find(carrier, (unsigned char *)file.bytes, file.size, &place, &error) != INK_OK ||
        !place.present || place.code || place.start != start || place.length != length ||
        place.store.size != sizeof store || memcmp(place.store.bytes, store, sizeof store) != 0) {
      abort();
    }
    fuzz_divide(carrier, (unsigned char *)file.bytes, file.size, &place);
    if (ink_carrier_remove(carrier, (unsigned char *)file.bytes, file.size, &bare, &error) !=
        INK_OK) {
      abort();
    }
    // RIFF may gain the byte that evens it.
    if (!carrier->remove && (bare.size != size || memcmp(bare.bytes, bytes, size) != 0)) abort();
  }
  ink_place_free(&place);
  ink_text_free(&file);
  ink_text_free(&bare);
}

#endif
