// Reading and writing the tags of one Exif block.
#include "picture/exif.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "picture/formats.h"

enum {
  TAG_IMAGE_DESCRIPTION = 0x010E,
  TAG_MAKE = 0x010F,
  TAG_MODEL = 0x0110,
  TAG_ORIENTATION = 0x0112,
  TAG_EXIF_IFD = 0x8769,
  TAG_USER_COMMENT = 0x9286,
  TYPE_ASCII = 2,
  TYPE_SHORT = 3,
  TYPE_LONG = 4,
  TYPE_UNDEFINED = 7,
  ENTRY = 12,  // bytes of a tag in a directory
  CHARSET = 8  // bytes before a UserComment's text
};

// ---- reading ------------------------------------------------------------------------------------

typedef struct block {
  const unsigned char *bytes;
  size_t size;
  bool big_endian;
} block;

static uint32_t number(const block *b, size_t at, size_t n) {
  return (uint32_t)(b->big_endian ? ink_big : ink_little)(b->bytes + at, n);
}

// The bytes of a tag's value; false when it is not within the block.
static bool value_of(const block *b, size_t entry, const unsigned char **value, size_t *size) {
  static const unsigned char widths[14] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4};
  uint32_t type = number(b, entry + 2, 2), count = number(b, entry + 4, 4);
  if (type >= sizeof widths || !widths[type]) return false;
  uint64_t bytes = (uint64_t)count * widths[type];
  uint64_t at = bytes <= 4 ? entry + 8 : number(b, entry + 8, 4);
  if (!ink_fits(at, bytes, b->size)) return false;
  *value = b->bytes + at;
  *size = (size_t)bytes;
  return true;
}

// UTF-16 to UTF-8. Writers disagree on its byte order whatever the block's own is; text that people
// write has more zero bytes on the high side.
static void add_utf16(ink_text *text, const unsigned char *units, size_t size) {
  size_t zeros[2] = {0, 0};
  for (size_t i = 0; i + 1 < size; i += 2) {
    zeros[0] += units[i] == 0;
    zeros[1] += units[i + 1] == 0;
  }
  size_t high = zeros[1] > zeros[0] ? 1 : 0;
  for (size_t i = 0; i + 1 < size; i += 2) {
    uint32_t rune = (uint32_t)(units[i + high] << 8 | units[i + 1 - high]);
    if (rune == 0) break;
    if (rune >= 0xD800 && rune < 0xDC00 && i + 3 < size) {
      uint32_t low = (uint32_t)(units[i + 2 + high] << 8 | units[i + 3 - high]);
      if (low >= 0xDC00 && low < 0xE000) {
        rune = 0x10000 + ((rune - 0xD800) << 10) + (low - 0xDC00);
        i += 2;
      }
    }
    ink_text_add_rune(text, rune >= 0xD800 && rune < 0xE000 ? INK_RUNE_INVALID : rune);
  }
}

static ink_status read_comment(const unsigned char *value, size_t size, ink_picture_extras *extras,
                               ink_error *error) {
  if (size < CHARSET) return INK_OK;
  ink_text text = {0};
  if (memcmp(value, "UNICODE", CHARSET) == 0) {
    add_utf16(&text, value + CHARSET, size - CHARSET);
  } else {
    const unsigned char *end = memchr(value + CHARSET, 0, size - CHARSET);
    size_t length = end ? (size_t)(end - value) - CHARSET : size - CHARSET;
    ink_text_add_bytes(&text, value + CHARSET, length);
  }
  ink_status status = ink_text_status(&text, error);
  if (status == INK_OK && text.size) {
    status = ink_picture_note_found(extras, "parameters", text.bytes, text.size, error);
  }
  ink_text_free(&text);
  return status;
}

// The keys that a string may carry before a colon; any other string is none of our business. In
// the order of the tags that hold them: ImageDescription, Make, Model. ComfyUI's reader takes them
// from any tag, as "prompt" and as "Prompt". Its own nodes write the graph into Model; the many
// that write it into Make are followed here, since readers that take Model for JSON fail on it.
static const struct {
  const char *key, *written;
} keyed[] = {{"inkstone", "inkstone"}, {"prompt", "Prompt"}, {"workflow", "workflow"}};
enum { N_KEYED = sizeof keyed / sizeof *keyed };

static ink_status read_string(const unsigned char *value, size_t size, ink_picture_extras *extras,
                              ink_error *error) {
  for (size_t i = 0; i < N_KEYED; i++) {
    size_t length = strlen(keyed[i].key);
    if (size <= length || strncasecmp((const char *)value, keyed[i].key, length) != 0 ||
        value[length] != ':') {
      continue;
    }
    return ink_picture_note_found(extras, keyed[i].key, (const char *)value + length + 1,
                                  size - length - 1, error);
  }
  return INK_OK;
}

static ink_status read_directory(const block *b, uint32_t at, bool inner,
                                 ink_picture_extras *extras, int *orientation, ink_error *error) {
  if (!ink_fits(at, 2, b->size)) return INK_OK;
  uint32_t n = number(b, at, 2);
  for (uint32_t i = 0; i < n; i++) {
    size_t entry = (size_t)at + 2 + (size_t)i * ENTRY;
    const unsigned char *value;
    size_t size;
    if (!ink_fits(entry, ENTRY, b->size)) break;
    uint32_t tag = number(b, entry, 2), type = number(b, entry + 2, 2);
    if (!value_of(b, entry, &value, &size)) continue;
    if (tag == TAG_ORIENTATION && type == TYPE_SHORT && size >= 2) {
      uint32_t found = number(b, entry + 8, 2);
      if (found >= 1 && found <= 8) *orientation = (int)found;
    } else if (tag == TAG_EXIF_IFD && type == TYPE_LONG && size >= 4 && !inner) {
      INK_TRY(read_directory(b, number(b, entry + 8, 4), true, extras, orientation, error));
    } else if (tag == TAG_USER_COMMENT) {  // some writers call its type bytes or a string
      INK_TRY(read_comment(value, size, extras, error));
    } else if (tag >= TAG_IMAGE_DESCRIPTION && tag <= TAG_MODEL && type == TYPE_ASCII) {
      INK_TRY(read_string(value, size, extras, error));
    }
  }
  return INK_OK;
}

ink_status ink_exif_read(const unsigned char *bytes, size_t size, ink_picture_extras *extras,
                         int *orientation, ink_error *error) {
  if (size < 8) return INK_OK;
  block b = {bytes, size, bytes[0] == 'M'};
  if (memcmp(bytes, b.big_endian ? "MM\0*" : "II*\0", 4) != 0) return INK_OK;
  return read_directory(&b, number(&b, 4, 4), false, extras, orientation, error);
}

void ink_exif_set_upright(unsigned char *bytes, size_t size) {
  if (size < 8) return;
  block b = {bytes, size, bytes[0] == 'M'};
  if (memcmp(bytes, b.big_endian ? "MM\0*" : "II*\0", 4) != 0) return;
  uint32_t at = number(&b, 4, 4);
  if (!ink_fits(at, 2, size)) return;
  uint32_t n = number(&b, at, 2);
  for (uint32_t i = 0; i < n; i++) {
    size_t entry = (size_t)at + 2 + (size_t)i * ENTRY;
    if (!ink_fits(entry, ENTRY, size)) return;
    if (number(&b, entry, 2) != TAG_ORIENTATION || number(&b, entry + 2, 2) != TYPE_SHORT) continue;
    bytes[entry + 8] = b.big_endian ? 0 : 1;
    bytes[entry + 9] = b.big_endian ? 1 : 0;
  }
}

// ---- writing ------------------------------------------------------------------------------------

static void put(ink_text *out, uint32_t value, int n) {
  for (int i = n - 1; i >= 0; i--) {
    unsigned char byte = (unsigned char)(value >> (8 * i));
    ink_text_add_bytes(out, &byte, 1);
  }
}

static void add_utf16_be(ink_text *out, const char *text) {
  size_t size = strlen(text);
  for (size_t at = 0; at < size;) {
    int32_t rune;
    at += ink_utf8_decode(text + at, size - at, &rune);
    uint32_t r = rune < 0 ? INK_RUNE_INVALID : (uint32_t)rune;
    if (r >= 0x10000) {
      put(out, 0xD800 + ((r - 0x10000) >> 10), 2);
      put(out, 0xDC00 + ((r - 0x10000) & 0x3FF), 2);
    } else {
      put(out, r, 2);
    }
  }
}

// A value that a directory points to.
typedef struct tag {
  uint32_t id, type;
  ink_text value;
} tag;

// The tags in the order of keyed[], which is that of their numbers, then the comment.
static void collect(const ink_picture_extras *extras, tag tags[N_KEYED + 1]) {
  for (size_t i = 0; i < N_KEYED; i++) {
    const char *text = ink_picture_note(extras, keyed[i].key);
    if (!text) continue;
    ink_text_format(&tags[i].value, "%s:%s", keyed[i].written, text);
    ink_text_add_bytes(&tags[i].value, "", 1);
  }
  const char *parameters = ink_picture_note(extras, "parameters");
  if (!parameters) return;
  ink_text_add_bytes(&tags[N_KEYED].value, "UNICODE", CHARSET);
  add_utf16_be(&tags[N_KEYED].value, parameters);
}

static void put_entry(ink_text *out, const tag *t, uint32_t *data) {
  uint32_t size = (uint32_t)t->value.size;
  put(out, t->id, 2);
  put(out, t->type, 2);
  put(out, size, 4);
  if (size > 4) {
    put(out, *data, 4);
    *data += size + size % 2;
    return;
  }
  ink_text_add_bytes(out, t->value.bytes, size);
  for (uint32_t i = size; i < 4; i++) put(out, 0, 1);
}

static void put_data(ink_text *out, const tag *t) {
  if (t->value.size <= 4) return;
  ink_text_add_bytes(out, t->value.bytes, t->value.size);
  if (t->value.size % 2) put(out, 0, 1);
}

// Directory 0 with the strings, then the Exif directory with the comment, then the values.
static void put_block(ink_text *out, const tag tags[N_KEYED + 1]) {
  uint32_t n = 0;
  for (int i = 0; i < N_KEYED; i++) n += tags[i].value.size > 0;
  const tag *comment = tags[N_KEYED].value.size ? &tags[N_KEYED] : NULL;
  uint32_t first = comment ? n + 1 : n, exif = 8 + 2 + first * ENTRY + 4;
  uint32_t data = comment ? exif + 2 + ENTRY + 4 : exif;
  ink_text_add_bytes(out, "MM\0*", 4);
  put(out, 8, 4);
  put(out, first, 2);
  for (int i = 0; i < N_KEYED; i++) {
    if (tags[i].value.size) put_entry(out, &tags[i], &data);
  }
  if (comment) {
    put(out, TAG_EXIF_IFD, 2);
    put(out, TYPE_LONG, 2);
    put(out, 1, 4);
    put(out, exif, 4);
  }
  put(out, 0, 4);
  if (comment) {
    put(out, 1, 2);
    put_entry(out, comment, &data);
    put(out, 0, 4);
  }
  for (int i = 0; i <= N_KEYED; i++) put_data(out, &tags[i]);
}

ink_status ink_exif_write(const ink_picture_extras *extras, ink_text *out, ink_error *error) {
  if (!extras) return INK_OK;
  tag tags[N_KEYED + 1] = {{TAG_IMAGE_DESCRIPTION, TYPE_ASCII, {0}},
                           {TAG_MAKE, TYPE_ASCII, {0}},
                           {TAG_MODEL, TYPE_ASCII, {0}},
                           {TAG_USER_COMMENT, TYPE_UNDEFINED, {0}}};
  collect(extras, tags);
  bool fits = true, any = false;
  for (int i = 0; i <= N_KEYED; i++) {
    fits = fits && !tags[i].value.failed && tags[i].value.size < (64u << 20);
    any = any || tags[i].value.size;
  }
  if (fits && any) put_block(out, tags);
  for (int i = 0; i <= N_KEYED; i++) ink_text_free(&tags[i].value);
  if (!fits) return ink_fail(error, INK_ERR_MEMORY, "no memory for the notes of a picture");
  return ink_text_status(out, error);
}
