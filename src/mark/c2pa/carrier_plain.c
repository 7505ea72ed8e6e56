// Plain text: the store is a run of variation selectors behind U+FEFF at the end of the text,
// invisible and kept by copying (C2PA specification 2.4, appendix A.8, C2PATextManifestWrapper).
// What is left when the run is taken out is hashed in normalisation form C.
//
//   "C2PATXT" NUL | version 1 | u32 length, big-endian | store
//   byte b < 16: U+FE00 + b (3 bytes of UTF-8); else U+E0100 + b - 16 (4 bytes)
#include <string.h>

#include "base/bytes.h"
#include "mark/c2pa/carrier.h"

enum { HEADER = 13, MAGIC = 8, VERSION = 1 };
static const char mark[] = "\xEF\xBB\xBF";
static const char magic[MAGIC + 1] = "C2PATXT\0";

// The byte that a selector at `at` stands for, or -1; *length is what it takes.
static int selector_at(const unsigned char *bytes, size_t size, size_t at, size_t *length) {
  int32_t rune;
  *length = ink_utf8_decode((const char *)bytes + at, size - at, &rune);
  if (rune >= 0xFE00 && rune <= 0xFE0F) return rune - 0xFE00;
  if (rune >= 0xE0100 && rune <= 0xE01EF) return rune - 0xE0100 + 16;
  return -1;
}

// Decode up to `most` bytes from `at`; returns how many, and where they end.
static size_t decode(const unsigned char *bytes, size_t size, size_t at, size_t most, ink_text *out,
                     size_t *end) {
  size_t n = 0, length;
  for (int value; n < most && (value = selector_at(bytes, size, at, &length)) >= 0; n++) {
    unsigned char byte = (unsigned char)value;
    ink_text_add_bytes(out, &byte, 1);
    at += length;
  }
  *end = at;
  return n;
}

static ink_status read_wrapper(const unsigned char *bytes, size_t size, size_t at, ink_place *place,
                               size_t *end, ink_error *error) {
  ink_text head = {0};
  size_t got = decode(bytes, size, at + 3, HEADER, &head, end);
  ink_status status = ink_text_status(&head, error);
  bool wrapper = status == INK_OK && got >= MAGIC && memcmp(head.bytes, magic, MAGIC) == 0;
  const unsigned char *h = (const unsigned char *)head.bytes;
  size_t length = 0;
  bool good = wrapper && got == HEADER && h[MAGIC] == VERSION;
  if (good) {
    length = ink_big32(h + 9);
    good = length <= (size - *end) / 3;  // each byte takes three at least
  }
  ink_text_free(&head);
  if (!wrapper) return status;
  if (place->present) {
    return ink_place_fault(place, "manifest.text.multipleWrappers",
                           "the text has several manifests");
  }
  place->present = true;
  place->start = at;
  if (!good || decode(bytes, size, *end, length, &place->store, end) != length) {
    return ink_place_fault(place, "manifest.text.corruptedWrapper", "the wrapper is cut short");
  }
  place->length = *end - at;
  return INK_OK;
}

static ink_status find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       ink_place *place, ink_error *error) {
  (void)carrier;
  for (size_t at = ink_find_bytes(bytes, size, 0, mark); at < size;) {
    size_t end = at + 3;
    INK_TRY(read_wrapper(bytes, size, at, place, &end, error));
    if (place->code) return INK_OK;
    at = ink_find_bytes(bytes, size, at + 3, mark);
  }
  return ink_text_status(&place->store, error);
}

static void add_selectors(ink_text *out, const void *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    unsigned char b = ((const unsigned char *)bytes)[i];
    ink_text_add_rune(out, b < 16 ? 0xFE00U + b : 0xE0100U + b - 16);
  }
}

static ink_status embed(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                        size_t *length, ink_error *error) {
  (void)carrier;
  size_t bad;
  if (!ink_utf8_valid((const char *)bytes, size, &bad)) {
    return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)bad, "plain text: not UTF-8");
  }
  unsigned char head[HEADER] = {0};
  memcpy(head, magic, MAGIC);
  head[MAGIC] = VERSION;
  for (int i = 0; i < 4; i++) head[9 + i] = (unsigned char)(store_size >> (24 - 8 * i));
  ink_text_add_bytes(out, bytes, size);
  *start = size;
  size_t before = out->size;
  ink_text_add(out, mark);
  add_selectors(out, head, sizeof head);
  add_selectors(out, store, store_size);
  *length = out->size - before;
  return ink_text_status(out, error);
}

const ink_carrier ink_carrier_plain = {.name = "text",
                                       .media_type = "text/plain",
                                       .endings = {"txt"},
                                       .normalised = true,
                                       .find = find,
                                       .embed = embed,
                                       .value_sized = true};
