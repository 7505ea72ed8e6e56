// GIF 89a: the store is an application extension "C2PA_GIF" behind the global colour table, in
// sub-blocks; the extension is left out of the hash (C2PA specification 2.4, appendix A.3.6).
#include "mark/c2pa/carrier_gif.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "mark/c2pa/carrier.h"

enum { MARK = 6, HEADER = 13, VERSION = 4, BLOCK = 255, TRAILER = 0x3B };
static const unsigned char head[14] = {0x21, 0xFF, 0x0B, 'C', '2', 'P', 'A',
                                       '_',  'G',  'I',  'F', 1,   0,   0};

static bool recognise(const unsigned char *bytes, size_t size) {
  return size >= HEADER && (memcmp(bytes, "GIF87a", 6) == 0 || memcmp(bytes, "GIF89a", 6) == 0);
}

static size_t table_size(unsigned char packed) {
  return packed & 0x80 ? (size_t)3 << ((packed & 7) + 1) : 0;
}

size_t ink_gif_data(const unsigned char *bytes, size_t size, size_t at, ink_text *data) {
  while (at < size && bytes[at]) {
    if (!ink_fits(at + 1, bytes[at], size)) return 0;
    if (data) ink_text_add_bytes(data, bytes + at + 1, bytes[at]);
    at += 1 + (size_t)bytes[at];
  }
  return at < size ? at + 1 : 0;
}

// Behind the block at `at`; 0 where there is none, or it is the trailer.
static size_t skip_block(const unsigned char *bytes, size_t size, size_t at) {
  if (bytes[at] == 0x21) return ink_fits(at, 2, size) ? ink_gif_data(bytes, size, at + 2, NULL) : 0;
  if (bytes[at] != 0x2C || !ink_fits(at, 10, size)) return 0;
  size_t data = at + 10 + table_size(bytes[at + 9]) + 1;
  return data <= size ? ink_gif_data(bytes, size, data, NULL) : 0;
}

bool ink_gif_next(const unsigned char *bytes, size_t size, size_t *at, ink_gif_block *block) {
  if (*at == 0) {
    if (!recognise(bytes, size)) return false;
    *at = HEADER + table_size(bytes[10]);
  }
  if (!ink_fits(*at, 2, size)) return false;
  size_t next = skip_block(bytes, size, *at);
  if (!next) return false;
  *block = (ink_gif_block){.start = *at, .end = next, .is_image = bytes[*at] == 0x2C};
  if (!block->is_image) block->label = bytes[*at + 1];
  *at = next;
  return true;
}

static ink_status find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       ink_place *place, ink_error *error) {
  (void)carrier;
  if (!recognise(bytes, size)) {
    return ink_fail(error, INK_ERR_FORMAT, "GIF: it does not begin with its mark");
  }
  for (size_t at = HEADER + table_size(bytes[10]); at < size;) {
    bool store = ink_fits(at, sizeof head, size) && memcmp(bytes + at, head, sizeof head) == 0;
    if (store && place->present) {
      return ink_place_fault(place, "general.error", "the GIF has several manifests");
    }
    size_t next = store ? ink_gif_data(bytes, size, at + sizeof head, &place->store)
                        : skip_block(bytes, size, at);
    if (store) {
      place->present = true;
      place->start = at;
      place->length = next ? next - at : size - at;
      if (!next) return ink_place_fault(place, "general.error", "the GIF's manifest is cut short");
    }
    if (!next) break;
    at = next;
  }
  return ink_text_status(&place->store, error);
}

static ink_status embed(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                        size_t *length, ink_error *error) {
  (void)carrier;
  size_t begin = out->size, at = recognise(bytes, size) ? HEADER + table_size(bytes[10]) : size + 1;
  if (at > size) return ink_fail(error, INK_ERR_FORMAT, "GIF: its colour table is cut short");
  ink_text_add_bytes(out, bytes, at);
  if (!out->failed) out->bytes[begin + VERSION] = '9';  // the first version had no extensions
  ink_text_add_bytes(out, head, sizeof head);
  for (size_t done = 0; done < store_size;) {
    size_t n = store_size - done < BLOCK ? store_size - done : BLOCK;
    unsigned char count = (unsigned char)n;
    ink_text_add_bytes(out, &count, 1);
    ink_text_add_bytes(out, store + done, n);
    done += n;
  }
  ink_text_add_bytes(out, "", 1);
  *start = at;
  *length = out->size - begin - at;
  ink_text_add_bytes(out, bytes + at, size - at);
  return ink_text_status(out, error);
}

// A file of the first version stays one of the second.
static ink_status take_out(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                           const ink_place *place, ink_text *out, ink_error *error) {
  (void)carrier;
  size_t end = place->start + place->length;
  ink_text_add_bytes(out, bytes, place->start);
  ink_text_add_bytes(out, bytes + end, size - end);
  return ink_text_status(out, error);
}

// Section 18.7.3.4: a descriptor counts with its colour table, an extension by both its labels.
static ink_status divide(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                         const ink_place *place, ink_text *ranges, ink_error *error) {
  (void)carrier;
  size_t at = recognise(bytes, size) ? HEADER + table_size(bytes[10]) : size + 1;
  if (at > size) return ink_fail(error, INK_ERR_FORMAT, "GIF: its colour table is cut short");
  ink_range_add(ranges, place, "GIF89a", 0, MARK);
  ink_range_add(ranges, place, "LSD", MARK, at - MARK);
  while (at < size && bytes[at] != TRAILER) {
    char name[8] = "2C";
    size_t next = skip_block(bytes, size, at), data = next;
    if (!next) {
      return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)at, "GIF: a block is none, or cut short");
    }
    if (bytes[at] == 0x21) {
      snprintf(name, sizeof name, "21%02X", bytes[at + 1]);
    } else {
      data = at + 10 + table_size(bytes[at + 9]);
    }
    ink_range_add(ranges, place, name, at, data - at);
    if (data < next) ink_range_add(ranges, place, "TBID", data, next - data);
    at = next;
  }
  if (at + 1 != size) {
    return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)at, "GIF: it does not end with its trailer");
  }
  ink_range_add(ranges, place, "3B", at, 1);
  return ink_text_status(ranges, error);
}

const ink_carrier ink_carrier_gif = {.name = "gif",
                                     .media_type = "image/gif",
                                     .endings = {"gif"},
                                     .recognise = recognise,
                                     .find = find,
                                     .embed = embed,
                                     .remove = take_out,
                                     .divide = divide};
