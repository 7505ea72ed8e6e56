// PNG (ISO/IEC 15948): the store is a chunk "caBX" behind IHDR; its four parts are left out of the
// hash (C2PA specification 2.4, appendix A.3.2).
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/hash.h"
#include "mark/c2pa/carrier.h"

enum { SIGNATURE = 8, CHUNK = 12, AFTER_IHDR = SIGNATURE + CHUNK + 13 };

static const unsigned char signature[SIGNATURE] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

static bool recognise(const unsigned char *bytes, size_t size) {
  return size >= SIGNATURE && memcmp(bytes, signature, SIGNATURE) == 0;
}

static ink_status find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       ink_place *place, ink_error *error) {
  (void)carrier;
  size_t at = SIGNATURE;
  while (at < size) {
    if (!ink_fits(at, CHUNK, size) ||
        !ink_fits(at, (uint64_t)ink_big32(bytes + at) + CHUNK, size)) {
      if (place->present)
        return ink_place_fault(place, "general.error", "a PNG chunk is cut short");
      return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)at, "PNG: a chunk is cut short");
    }
    size_t length = ink_big32(bytes + at);
    const unsigned char *type = bytes + at + 4, *data = bytes + at + 8;
    if (memcmp(type, "caBX", 4) == 0) {
      if (place->present) {
        return ink_place_fault(place, "general.error", "the PNG has several chunks caBX");
      }
      place->present = true;
      place->start = at;
      place->length = length + CHUNK;
      if (ink_crc32(0, type, length + 4) != ink_big32(data + length)) {
        return ink_place_fault(place, "general.error", "the chunk caBX has another CRC");
      }
      ink_text_add_bytes(&place->store, data, length);
    }
    at += length + CHUNK;
    if (memcmp(type, "IEND", 4) == 0) break;
  }
  return ink_text_status(&place->store, error);
}

static ink_status embed(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                        size_t *length, ink_error *error) {
  (void)carrier;
  if (!recognise(bytes, size) || size < AFTER_IHDR || ink_big32(bytes + SIGNATURE) != 13 ||
      memcmp(bytes + SIGNATURE + 4, "IHDR", 4) != 0) {
    return ink_fail(error, INK_ERR_FORMAT, "PNG: it does not begin with the chunk IHDR");
  }
  ink_text_add_bytes(out, bytes, AFTER_IHDR);
  ink_text_add_big(out, store_size, 4);
  ink_text_add(out, "caBX");
  ink_text_add_bytes(out, store, store_size);
  ink_text_add_big(out, ink_crc32(ink_crc32(0, "caBX", 4), store, store_size), 4);
  ink_text_add_bytes(out, bytes + AFTER_IHDR, size - AFTER_IHDR);
  *start = AFTER_IHDR;
  *length = store_size + CHUNK;
  return ink_text_status(out, error);
}

static ink_status divide(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                         const ink_place *place, ink_text *ranges, ink_error *error) {
  (void)carrier;
  if (size < SIGNATURE) return ink_fail_at(error, INK_ERR_FORMAT, 0, "PNG: it is cut short");
  ink_range_add(ranges, place, "PNGh", 0, SIGNATURE);
  for (size_t at = SIGNATURE; at < size;) {
    char name[5] = "";
    if (!ink_fits(at, CHUNK, size) ||
        !ink_fits(at, (uint64_t)ink_big32(bytes + at) + CHUNK, size)) {
      return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)at, "PNG: a chunk is cut short");
    }
    memcpy(name, bytes + at + 4, 4);
    ink_range_add(ranges, place, name, at, ink_big32(bytes + at) + CHUNK);
    at += ink_big32(bytes + at) + CHUNK;
  }
  return ink_text_status(ranges, error);
}

const ink_carrier ink_carrier_png = {.name = "png",
                                     .media_type = "image/png",
                                     .endings = {"png"},
                                     .recognise = recognise,
                                     .find = find,
                                     .embed = embed,
                                     .divide = divide};
