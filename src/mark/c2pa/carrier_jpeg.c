// JPEG (ISO/IEC 10918-1): the store runs through neighbouring segments APP11 (ISO 19566-5, annex D;
// C2PA specification 2.4, appendix A.3.1), which are left out of the hash whole.
//
//   FF EB | u16 length | "JP" | u16 box instance | u32 number of the segment, from 1 | part
//   From the second segment on the part begins with the store's size and type once more.
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "mark/c2pa/carrier.h"

enum { APP0 = 0xE0, APP11 = 0xEB, SOS = 0xDA, EOI = 0xD9, HEADER = 12, BOX = 8, PART = 64000 };

static bool recognise(const unsigned char *bytes, size_t size) {
  return size >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
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
  size_t length = ink_big16(bytes + i + 2);
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
  return is_part(bytes, s) && ink_big32(bytes + s->start + 8) == 1 &&
         s->length >= HEADER + BOX + 12 && memcmp(at + 4, "jumdc2pa", 8) == 0;
}

static ink_status gather(const unsigned char *bytes, size_t size, size_t at, const segment *first,
                         ink_place *place, ink_error *error) {
  const unsigned char *head = bytes + first->start;
  size_t total = ink_big32(head + HEADER);
  place->present = true;
  place->start = first->start;
  place->length = first->length;
  if (total > INK_STORE_MOST) {
    return ink_place_fault(place, "general.error", "the manifest store is too long");
  }
  ink_text_add_bytes(&place->store, head + HEADER, first->length - HEADER);
  for (uint32_t number = 2; place->store.size < total; number++) {
    segment s;
    INK_TRY(ink_text_status(&place->store, error));
    if (!next_segment(bytes, size, &at, &s) || !is_part(bytes, &s)) {
      return ink_place_fault(place, "general.error", "a part of the manifest store is missing");
    }
    const unsigned char *part = bytes + s.start;
    if (memcmp(part + 6, head + 6, 2) != 0 || ink_big32(part + 8) != number ||
        memcmp(part + HEADER, head + HEADER, BOX) != 0) {
      return ink_place_fault(place, "general.error", "the parts of the manifest store do not fit");
    }
    ink_text_add_bytes(&place->store, part + HEADER + BOX, s.length - HEADER - BOX);
    place->length += s.length;
  }
  INK_TRY(ink_text_status(&place->store, error));
  if (place->store.size != total) {
    return ink_place_fault(place, "general.error", "the manifest store is longer than its box");
  }
  return INK_OK;
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

static void name_of(unsigned char marker, char name[16]) {
  static const struct {
    unsigned char first, last;
    const char *name;
  } names[] = {{0xC4, 0xC4, "DHT"}, {0xC8, 0xC8, "JPG"}, {0xCC, 0xCC, "DAC"}, {0xC0, 0xCF, "SOF"},
               {0xD0, 0xD7, "RST"}, {0xD8, 0xD8, "SOI"}, {EOI, EOI, "EOI"},   {SOS, SOS, "SOS"},
               {0xDB, 0xDB, "DQT"}, {0xDC, 0xDC, "DNL"}, {0xDD, 0xDD, "DRI"}, {0xE0, 0xEF, "APP"},
               {0xFE, 0xFE, "COM"}};
  snprintf(name, 16, "%02x", marker);
  for (size_t i = sizeof names / sizeof *names; i-- > 0;) {
    if (marker < names[i].first || marker > names[i].last) continue;
    bool one = names[i].first == names[i].last;
    snprintf(name, 16, one ? "%s" : "%s%d", names[i].name, marker - names[i].first);
    if (one) return;
  }
}

// Behind the data of a scan: restart markers and stuffed bytes are part of it.
static size_t skip_scan(const unsigned char *bytes, size_t size, size_t at) {
  for (; at + 1 < size; at++) {
    if (bytes[at] != 0xFF || bytes[at + 1] == 0 || bytes[at + 1] == 0xFF) continue;
    if (bytes[at + 1] < 0xD0 || bytes[at + 1] > 0xD7) return at;
  }
  return size;
}

static ink_status divide(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                         const ink_place *place, ink_text *ranges, ink_error *error) {
  (void)carrier;
  if (size < 2) return ink_fail_at(error, INK_ERR_FORMAT, 0, "JPEG: it is cut short");
  ink_range_add(ranges, place, "SOI", 0, 2);
  for (size_t at = 2; at < size;) {
    char name[16];
    if (!ink_fits(at, 2, size) || bytes[at] != 0xFF) {
      return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)at, "JPEG: no segment begins here");
    }
    unsigned char marker = bytes[at + 1];
    size_t length = 2;
    if (marker != EOI) {
      if (!ink_fits(at, 4, size)) {
        return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)at, "JPEG: a segment is cut short");
      }
      length += ink_big16(bytes + at + 2);
      if (!ink_fits(at, length, size)) {
        return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)at, "JPEG: a segment is cut short");
      }
      if (marker == SOS) length = skip_scan(bytes, size, at + length) - at;
    }
    name_of(marker, name);
    ink_range_add(ranges, place, name, at, length);
    at += length;
  }
  return ink_text_status(ranges, error);
}

const ink_carrier ink_carrier_jpeg = {.name = "jpeg",
                                      .media_type = "image/jpeg",
                                      .endings = {"jpg", "jpeg"},
                                      .recognise = recognise,
                                      .find = find,
                                      .embed = embed,
                                      .divide = divide};
