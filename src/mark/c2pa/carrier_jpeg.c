// JPEG (ISO/IEC 10918-1): the store runs through neighbouring segments APP11 (ISO 19566-5, annex D;
// C2PA specification 2.4, appendix A.3.1), which are left out of the hash whole.
//
//   FF EB | u16 length | "JP" | u16 box instance | u32 number of the segment, from 1 | part
//   From the second segment on the part begins with the store's size and type once more.
#include <string.h>

#include "base/checked.h"
#include "mark/c2pa/carrier.h"

enum { APP0 = 0xE0, APP11 = 0xEB, SOS = 0xDA, EOI = 0xD9, HEADER = 12, BOX = 8, PART = 64000 };

static bool recognise(const unsigned char *bytes, size_t size) {
  return size >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
}

static uint32_t u32_at(const unsigned char *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

typedef struct segment {
  unsigned char marker;
  size_t start, length;  // with the marker
} segment;

// The segment at *at, which moves behind it. False at the start of the scan, at the end, or where
// the bytes are no segment.
static bool next_segment(const unsigned char *bytes, size_t size, size_t *at, segment *out) {
  size_t i = *at;
  if (!ink_fits(i, 4, size) || bytes[i] != 0xFF) return false;
  unsigned char marker = bytes[i + 1];
  if (marker == SOS || marker == EOI || marker < 0xC0 || marker == 0xFF) return false;
  size_t length = (size_t)bytes[i + 2] << 8 | bytes[i + 3];
  if (length < 2 || !ink_fits(i + 2, length, size)) return false;
  *out = (segment){marker, i, length + 2};
  *at = i + 2 + length;
  return true;
}

// A JUMBF part: its box begins with the size and "jumb".
static bool is_part(const unsigned char *bytes, const segment *s) {
  const unsigned char *at = bytes + s->start;
  return s->marker == APP11 && s->length >= HEADER + BOX && memcmp(at + 4, "JP", 2) == 0 &&
         memcmp(at + HEADER + 4, "jumb", 4) == 0;
}

// The first part of a manifest store: behind the box its description names the type "c2pa".
static bool begins_store(const unsigned char *bytes, const segment *s) {
  const unsigned char *at = bytes + s->start + HEADER + BOX;
  return is_part(bytes, s) && u32_at(bytes + s->start + 8) == 1 && s->length >= HEADER + BOX + 12 &&
         memcmp(at + 4, "jumdc2pa", 8) == 0;
}

static ink_status gather(const unsigned char *bytes, size_t size, size_t at, const segment *first,
                         ink_place *place, ink_error *error) {
  const unsigned char *head = bytes + first->start;
  size_t total = u32_at(head + HEADER);
  place->present = true;
  place->start = first->start;
  place->length = first->length;
  if (total > INK_STORE_MOST) {
    return ink_place_fault(place, "general.error", "the manifest store is too long");
  }
  ink_text_add_bytes(&place->store, head + HEADER, first->length - HEADER);
  for (uint32_t number = 2; place->store.size < total; number++) {
    segment s;
    if (!next_segment(bytes, size, &at, &s) || !is_part(bytes, &s)) {
      return ink_place_fault(place, "general.error", "a part of the manifest store is missing");
    }
    const unsigned char *part = bytes + s.start;
    if (memcmp(part + 6, head + 6, 2) != 0 || u32_at(part + 8) != number ||
        memcmp(part + HEADER, head + HEADER, BOX) != 0) {
      return ink_place_fault(place, "general.error", "the parts of the manifest store do not fit");
    }
    ink_text_add_bytes(&place->store, part + HEADER + BOX, s.length - HEADER - BOX);
    place->length += s.length;
  }
  if (place->store.size != total) {
    return ink_place_fault(place, "general.error", "the manifest store is longer than its box");
  }
  return ink_text_status(&place->store, error);
}

static ink_status find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       ink_place *place, ink_error *error) {
  (void)carrier;
  segment s;
  for (size_t at = 2; next_segment(bytes, size, &at, &s);) {
    if (!begins_store(bytes, &s)) continue;
    if (place->present) {
      return ink_place_fault(place, "general.error", "the JPEG has several manifest stores");
    }
    INK_TRY(gather(bytes, size, at, &s, place, error));
    if (place->code) return INK_OK;
    at = place->start + place->length;
  }
  return INK_OK;
}

static ink_status embed(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                        size_t *length, ink_error *error) {
  (void)carrier;
  if (!recognise(bytes, size) || store_size < BOX) {
    return ink_fail(error, INK_ERR_FORMAT, "JPEG: it does not begin with its marker");
  }
  segment s;
  size_t after = 2;
  for (size_t at = 2; next_segment(bytes, size, &at, &s) && s.marker == APP0;) after = at;
  ink_text_add_bytes(out, bytes, after);
  *start = after;
  uint32_t number = 1;
  for (size_t done = 0; done < store_size; number++) {
    size_t repeat = number > 1 ? BOX : 0;
    size_t part = store_size - done < PART ? store_size - done : PART;
    size_t size_field = HEADER - 2 + repeat + part;
    unsigned char head[HEADER] = {0xFF,
                                  APP11,
                                  (unsigned char)(size_field >> 8),
                                  (unsigned char)size_field,
                                  'J',
                                  'P',
                                  0,
                                  1,
                                  (unsigned char)(number >> 24),
                                  (unsigned char)(number >> 16),
                                  (unsigned char)(number >> 8),
                                  (unsigned char)number};
    ink_text_add_bytes(out, head, HEADER);
    ink_text_add_bytes(out, store, repeat);
    ink_text_add_bytes(out, store + done, part);
    done += part;
  }
  *length = out->size - after;
  ink_text_add_bytes(out, bytes + after, size - after);
  return ink_text_status(out, error);
}

const ink_carrier ink_carrier_jpeg = {.name = "jpeg",
                                      .media_type = "image/jpeg",
                                      .endings = {"jpg", "jpeg"},
                                      .recognise = recognise,
                                      .find = find,
                                      .embed = embed};
