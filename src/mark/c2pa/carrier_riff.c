// RIFF (WebP, WAV): the store is a chunk "C2PA", the last one; it is left out of the hash whole
// (C2PA specification 2.4, appendix A.3.5 and A.4).
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "mark/c2pa/carrier.h"

enum { RIFF = 12, CHUNK = 8 };

static bool is_riff(const unsigned char *bytes, size_t size, const char *form) {
  return size >= RIFF && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, form, 4) == 0;
}

static bool is_webp(const unsigned char *bytes, size_t size) {
  return is_riff(bytes, size, "WEBP");
}

static bool is_wav(const unsigned char *bytes, size_t size) {
  return is_riff(bytes, size, "WAVE");
}

// Where the RIFF chunk ends, with the byte that makes it even.
static ink_status end_of(const unsigned char *bytes, size_t size, size_t *end, ink_error *error) {
  if (size < RIFF || memcmp(bytes, "RIFF", 4) != 0) {
    return ink_fail(error, INK_ERR_FORMAT, "RIFF: it does not begin with its mark");
  }
  uint64_t stated = (uint64_t)ink_little32(bytes + 4) + CHUNK;
  if (stated < size) stated += stated & 1;  // some writers leave the last byte out
  if (stated < RIFF || stated > size) {
    return ink_fail_at(error, INK_ERR_FORMAT, 4, "RIFF: it is longer than its file");
  }
  *end = (size_t)stated;
  return INK_OK;
}

static ink_status find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       ink_place *place, ink_error *error) {
  (void)carrier;
  size_t end = 0;
  INK_TRY(end_of(bytes, size, &end, error));
  for (size_t at = RIFF; at < end;) {
    if (!ink_fits(at, CHUNK, end) || !ink_fits(at + CHUNK, ink_little32(bytes + at + 4), end)) {
      return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)at, "RIFF: a chunk is cut short");
    }
    size_t length = ink_little32(bytes + at + 4);
    size_t whole = CHUNK + length + (length & 1);
    if (whole > end - at) whole = end - at;  // the last byte that evens may be missing
    if (memcmp(bytes + at, "C2PA", 4) == 0) {
      if (place->present) {
        return ink_place_fault(place, "general.error", "the file has several chunks C2PA");
      }
      place->present = true;
      place->start = at;
      place->length = CHUNK + length;  // the byte that evens is part of the content
      ink_text_add_bytes(&place->store, bytes + at + CHUNK, length);
    }
    at += whole;
  }
  return ink_text_status(&place->store, error);
}

static ink_status embed(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                        size_t *length, ink_error *error) {
  (void)carrier;
  size_t end = 0;
  INK_TRY(end_of(bytes, size, &end, error));
  size_t odd = end & 1, whole = odd + CHUNK + store_size + (store_size & 1);
  if (end + whole - CHUNK > UINT32_MAX) {
    return ink_fail(error, INK_ERR_FORMAT, "RIFF: no room for a manifest store below 4 GiB");
  }
  unsigned char head[CHUNK] = {'C', '2', 'P', 'A'};
  ink_little_into(head + 4, store_size, 4);
  ink_text_add_bytes(out, bytes, end);
  ink_text_add_bytes(out, "", odd);
  if (!out->failed) {
    ink_little_into((unsigned char *)out->bytes + out->size - odd - end + 4, end + whole - CHUNK,
                    4);
  }
  *start = end + odd;
  *length = CHUNK + store_size;
  ink_text_add_bytes(out, head, CHUNK);
  ink_text_add_bytes(out, store, store_size);
  ink_text_add_bytes(out, "", store_size & 1);
  ink_text_add_bytes(out, bytes + end, size - end);
  return ink_text_status(out, error);
}

static ink_status take_out(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                           const ink_place *place, ink_text *out, ink_error *error) {
  (void)carrier;
  size_t begin = out->size, length = place->length + (place->length & 1);
  if (length > size - place->start) length = size - place->start;
  size_t end = place->start + length;
  uint32_t stated = ink_little32(bytes + 4);
  ink_text_add_bytes(out, bytes, place->start);
  ink_text_add_bytes(out, bytes + end, size - end);
  if (!out->failed && stated >= length) {
    ink_little_into((unsigned char *)out->bytes + begin + 4, stated - (uint32_t)length, 4);
  }
  return ink_text_status(out, error);
}

// Section 18.7.3.5: the head of the file by its form, each chunk by its name, a list by that of the
// list, all with the bytes that even them. Of the store's chunk that byte is bound nowhere, and
// must be zero.
static ink_status divide(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                         const ink_place *place, ink_text *ranges, ink_error *error) {
  (void)carrier;
  size_t end = 0;
  INK_TRY(end_of(bytes, size, &end, error));
  if (end != size) {
    return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)end, "RIFF: bytes follow its last chunk");
  }
  for (size_t at = 0; at < end;) {
    char name[5] = "";
    if (!ink_fits(at, CHUNK, end) ||
        (at && !ink_fits(at + CHUNK, ink_little32(bytes + at + 4), end))) {
      return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)at, "RIFF: a chunk is cut short");
    }
    size_t length = at ? ink_little32(bytes + at + 4) : RIFF - CHUNK;
    size_t whole = CHUNK + length + (length & 1);
    if (whole > end - at) whole = end - at;
    bool list = at && memcmp(bytes + at, "LIST", 4) == 0 && length >= 4;
    memcpy(name, bytes + at + (at && !list ? 0 : CHUNK), 4);
    if (place->present && at == place->start) {
      ink_named_range store = {.name = "C2PA", .start = at, .length = whole};
      if (whole > place->length && bytes[at + whole - 1]) {
        return ink_fail(error, INK_ERR_FORMAT, "RIFF: the byte that evens the store is not zero");
      }
      ink_text_add_bytes(ranges, &store, sizeof store);
    } else {
      ink_range_add(ranges, place, name, at, whole);
    }
    at += whole;
  }
  return ink_text_status(ranges, error);
}

const ink_carrier ink_carrier_webp = {.name = "webp",
                                      .media_type = "image/webp",
                                      .endings = {"webp"},
                                      .recognise = is_webp,
                                      .find = find,
                                      .embed = embed,
                                      .remove = take_out,
                                      .divide = divide};
const ink_carrier ink_carrier_wav = {.name = "wav",
                                     .media_type = "audio/wav",
                                     .endings = {"wav"},
                                     .recognise = is_wav,
                                     .find = find,
                                     .embed = embed,
                                     .remove = take_out,
                                     .divide = divide};
