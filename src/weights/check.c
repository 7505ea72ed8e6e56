// Checks that the readers of this room share.
#include "weights/check.h"

#include <stdint.h>

#include "base/text.h"

bool ink_name_valid(const char *bytes, size_t size, size_t *bad) {
  *bad = 0;
  if (size == 0) return false;
  while (*bad < size) {
    int32_t rune;
    size_t length = ink_utf8_decode(bytes + *bad, size - *bad, &rune);
    // Below 0x20, 0x7F and 0x80 … 0x9F are the control characters of Unicode (category Cc); an
    // ill-formed byte decodes as -1.
    if (rune < 0x20 || (rune >= 0x7F && rune < 0xA0)) return false;
    *bad += length;
  }
  return true;
}

int ink_name_shown(const char *bytes, size_t size) {
  enum { MOST = 96 };
  if (size <= MOST) return (int)size;
  size_t shown = MOST;
  while (shown > MOST - 4 && ((unsigned char)bytes[shown] & 0xC0) == 0x80) shown--;
  return (int)shown;
}
