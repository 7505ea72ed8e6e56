// Growing strings and UTF-8.
#include "base/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

void ink_text_free(ink_text *text) {
  free(text->bytes);
  *text = (ink_text){0};
}

void ink_text_clear(ink_text *text) {
  text->size = 0;
  if (text->bytes) text->bytes[0] = 0;
}

static bool reserve(ink_text *text, size_t more) {
  size_t needed;
  if (text->failed) return false;
  if (!ink_add_size(text->size, more, &needed) || !ink_add_size(needed, 1, &needed)) {
    text->failed = true;
    return false;
  }
  if (needed <= text->capacity) return true;
  size_t capacity = text->capacity ? text->capacity : 64;
  while (capacity < needed) capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
  char *bytes = realloc(text->bytes, capacity);
  if (!bytes) {
    text->failed = true;
    return false;
  }
  text->bytes = bytes;
  text->capacity = capacity;
  return true;
}

void ink_text_add_bytes(ink_text *text, const void *bytes, size_t size) {
  if (!reserve(text, size)) return;
  if (size) memcpy(text->bytes + text->size, bytes, size);
  text->size += size;
  text->bytes[text->size] = 0;
}

void ink_text_add(ink_text *text, const char *string) {
  ink_text_add_bytes(text, string, strlen(string));
}

void ink_text_add_rune(ink_text *text, uint32_t rune) {
  char bytes[4];
  ink_text_add_bytes(text, bytes, ink_utf8_encode(rune, bytes));
}

void ink_text_format(ink_text *text, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int size = vsnprintf(NULL, 0, format, args);
  if (size < 0) {
    text->failed = true;
  } else if (reserve(text, (size_t)size)) {
    vsnprintf(text->bytes + text->size, (size_t)size + 1, format, again);
    text->size += (size_t)size;
  }
  va_end(again);
  va_end(args);
}

const char *ink_text_string(const ink_text *text) {
  return text->bytes ? text->bytes : "";
}

ink_status ink_text_status(const ink_text *text, ink_error *error) {
  if (!text->failed) return INK_OK;
  return ink_fail(error, INK_ERR_MEMORY, "no memory for a text of more than %zu bytes", text->size);
}

// What the second byte may be after `first`: the range excludes overlong forms, surrogates and what
// lies beyond U+10FFFF.
static bool second_fits(unsigned first, unsigned second) {
  unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  return second >= low && second <= high;
}

size_t ink_utf8_decode(const char *bytes, size_t size, int32_t *rune) {
  const unsigned char *s = (const unsigned char *)bytes;
  *rune = -1;
  if (size == 0) return 0;
  unsigned first = s[0];
  if (first < 0x80) {
    *rune = (int32_t)first;
    return 1;
  }
  if (first < 0xC2 || first > 0xF4) return 1;
  size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (size < length) return 1;
  if (!second_fits(first, s[1])) return 1;
  uint32_t value = first & (0xFFu >> (length + 1));
  value = value << 6 | (s[1] & 0x3Fu);
  for (size_t i = 2; i < length; i++) {
    if ((s[i] & 0xC0) != 0x80) return 1;
    value = value << 6 | (s[i] & 0x3Fu);
  }
  *rune = (int32_t)value;
  return length;
}

size_t ink_utf8_encode(uint32_t rune, char out[4]) {
  if (rune < 0x80) {
    out[0] = (char)rune;
    return 1;
  }
  if (rune < 0x800) {
    out[0] = (char)(0xC0 | rune >> 6);
    out[1] = (char)(0x80 | (rune & 0x3F));
    return 2;
  }
  if (rune < 0x10000) {
    out[0] = (char)(0xE0 | rune >> 12);
    out[1] = (char)(0x80 | (rune >> 6 & 0x3F));
    out[2] = (char)(0x80 | (rune & 0x3F));
    return 3;
  }
  out[0] = (char)(0xF0 | rune >> 18);
  out[1] = (char)(0x80 | (rune >> 12 & 0x3F));
  out[2] = (char)(0x80 | (rune >> 6 & 0x3F));
  out[3] = (char)(0x80 | (rune & 0x3F));
  return 4;
}

bool ink_utf8_valid(const char *bytes, size_t size, size_t *bad) {
  for (size_t at = 0; at < size;) {
    uint64_t eight;
    if (size - at >= sizeof eight) {
      memcpy(&eight, bytes + at, sizeof eight);
      if (!(eight & 0x8080808080808080u)) {  // ASCII
        at += sizeof eight;
        continue;
      }
    }
    int32_t rune;
    size_t length = ink_utf8_decode(bytes + at, size - at, &rune);
    if (rune < 0) {
      if (bad) *bad = at;
      return false;
    }
    at += length;
  }
  return true;
}

size_t ink_utf8_ill_formed(const char *bytes, size_t size, bool *incomplete) {
  const unsigned char *s = (const unsigned char *)bytes;
  if (incomplete) *incomplete = false;
  if (size == 0) return 0;
  unsigned first = s[0];
  if (first < 0xC2 || first > 0xF4) return 1;
  size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  size_t n = 1;
  while (n < length && n < size) {
    if (n == 1 ? !second_fits(first, s[1]) : (s[n] & 0xC0) != 0x80) return n;
    n++;
  }
  if (incomplete) *incomplete = n < length;
  return n;
}

void ink_text_add_lossy(ink_text *text, const char *bytes, size_t size) {
  while (size) {
    size_t good = size;
    ink_utf8_valid(bytes, size, &good);
    ink_text_add_bytes(text, bytes, good);
    bytes += good;
    size -= good;
    if (!size) return;
    size_t bad = ink_utf8_ill_formed(bytes, size, NULL);
    ink_text_add_rune(text, INK_RUNE_INVALID);
    bytes += bad;
    size -= bad;
  }
}

size_t ink_utf8_length(const char *bytes, size_t size) {
  size_t n = 0;
  int32_t rune;
  for (size_t at = 0; at < size; n++) at += ink_utf8_decode(bytes + at, size - at, &rune);
  return n;
}

// ---- nearest names

enum { NAME_RUNES = 48 };

// Code points of a name, at most NAME_RUNES + 1 of them.
static size_t runes_of(const char *name, int32_t runes[NAME_RUNES + 1]) {
  size_t n = 0, size = strlen(name);
  for (size_t at = 0; at < size && n <= NAME_RUNES;) {
    at += ink_utf8_decode(name + at, size - at, &runes[n++]);
  }
  return n;
}

static size_t least_of(size_t a, size_t b) {
  return a < b ? a : b;
}

// Optimal string alignment: the edits named in the header, no part of a name edited twice.
static size_t distance(const int32_t *a, size_t n_a, const int32_t *b, size_t n_b) {
  size_t rows[3][NAME_RUNES + 1];
  size_t *before = rows[0], *above = rows[1], *row = rows[2];
  for (size_t j = 0; j <= n_b; j++) above[j] = before[j] = j;
  for (size_t i = 1; i <= n_a; i++) {
    row[0] = i;
    for (size_t j = 1; j <= n_b; j++) {
      row[j] = least_of(above[j - 1] + (a[i - 1] != b[j - 1]), 1 + least_of(above[j], row[j - 1]));
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = least_of(row[j], before[j - 2] + 1);
    }
    size_t *spare = before;
    before = above;
    above = row;
    row = spare;
  }
  return above[n_b];
}

int ink_text_nearest(const char *given, const char *const *names, size_t n) {
  int32_t wanted[NAME_RUNES + 1], known[NAME_RUNES + 1];
  size_t n_wanted = runes_of(given, wanted);
  if (n_wanted > NAME_RUNES) return -1;
  size_t least = 2 + n_wanted / 4;
  int nearest = -1;
  for (size_t i = 0; i < n; i++) {
    size_t n_known = runes_of(names[i], known);
    if (n_known > NAME_RUNES) continue;
    size_t d = distance(wanted, n_wanted, known, n_known);
    if (d < least && d < n_known) {
      least = d;
      nearest = (int)i;
    }
  }
  return nearest;
}

void ink_url_escape(ink_text *out, const char *text, bool slashes) {
  for (const char *at = text; *at; at++) {
    unsigned char c = (unsigned char)*at;
    if (isalnum(c) || strchr("-._~", c) || (slashes && c == '/')) {
      ink_text_add_bytes(out, at, 1);
    } else {
      ink_text_format(out, "%%%02X", c);
    }
  }
}
