// MP3: the store is the object of a frame GEOB in the ID3 tag (ID3v2.3, ID3v2.4) at the start of
// the file; the object's bytes are left out of the hash (C2PA specification 2.4, appendix A.3.4).
//
//   "ID3" | version | 0 | flags | size (7 bits a byte) | frames
//   frame = "GEOB" | size (2.4: 7 bits a byte) | flags (2) | 0 | media type NUL | name NUL |
//           description NUL | object
#include "mark/c2pa/carrier_mp3.h"

#include <string.h>

#include "base/checked.h"
#include "mark/c2pa/carrier.h"

enum { TAG = 10, FRAME = 10, MOST = (1 << 28) - 1 };
static const char fields[] = "\0application/c2pa\0c2pa\0c2pa manifest store";  // each with its NUL

static size_t size_at(const unsigned char *bytes, int bits) {
  return (size_t)bytes[0] << 3 * bits | (size_t)bytes[1] << 2 * bits | (size_t)bytes[2] << bits |
         bytes[3];
}

static void add_size(ink_text *out, size_t size, int bits) {
  unsigned char bytes[4];
  for (int i = 0; i < 4; i++) {
    bytes[i] = (unsigned char)(size >> ((3 - i) * bits) & ((1U << bits) - 1));
  }
  ink_text_add_bytes(out, bytes, 4);
}

size_t ink_id3_size(const unsigned char *bytes, size_t size) {
  if (size < TAG || memcmp(bytes, "ID3", 3) != 0) return 0;
  for (int i = 6; i < TAG; i++) {
    if (bytes[i] & 0x80) return 0;
  }
  bool foot = bytes[3] == 4 && bytes[5] & 0x10;
  size_t whole = TAG + size_at(bytes + 6, 7) + (foot ? TAG : 0);
  return whole <= size ? whole : 0;
}

// A tag whose frames follow its header and stand as they are: no unsynchronisation, no extended
// header, no footer.
static bool is_plain(const unsigned char *bytes) {
  return (bytes[3] == 3 || bytes[3] == 4) && (bytes[5] & 0xF0) == 0;
}

static bool is_sync(const unsigned char *bytes, size_t size, size_t at) {
  return ink_fits(at, 2, size) && bytes[at] == 0xFF && (bytes[at + 1] & 0xE6) == 0xE2;  // layer III
}

static bool recognise(const unsigned char *bytes, size_t size) {
  return is_sync(bytes, size, ink_id3_size(bytes, size));
}

static ink_status find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       ink_place *place, ink_error *error) {
  (void)carrier;
  size_t end = ink_id3_size(bytes, size);
  if (!end || !is_plain(bytes)) return INK_OK;
  int bits = bytes[3] == 4 ? 7 : 8;
  for (size_t at = TAG; ink_fits(at, FRAME, end) && bytes[at];) {
    size_t length = size_at(bytes + at + 4, bits), head = sizeof fields;
    const unsigned char *data = bytes + at + FRAME;
    if (!ink_fits(at + FRAME, length, end)) {
      return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)at,
                         "MP3: a frame of its tag is cut short");
    }
    // Media type first: writers name and describe the object as they like.
    bool store =
        memcmp(bytes + at, "GEOB", 4) == 0 && length > 18 && memcmp(data + 1, fields + 1, 17) == 0;
    if (store) {
      const unsigned char *name = memchr(data + 18, 0, length - 18);
      size_t left = name ? length - (size_t)(name + 1 - data) : 0;
      const unsigned char *text = left ? memchr(name + 1, 0, left) : NULL;
      if (place->present || !text || (data[0] != 0 && data[0] != 3)) {
        return ink_place_fault(place, "general.error", "the MP3's manifest cannot be read");
      }
      head = (size_t)(text + 1 - data);
      place->present = true;
      place->start = at + FRAME + head;
      place->length = length - head;
      ink_text_add_bytes(&place->store, data + head, length - head);
    }
    at += FRAME + length;
  }
  return ink_text_status(&place->store, error);
}

bool ink_id3_next(const unsigned char *bytes, size_t size, size_t *at, ink_id3_frame *frame) {
  size_t end = ink_id3_size(bytes, size);
  if (!end || !is_plain(bytes)) return false;
  if (*at < TAG) *at = TAG;
  if (!ink_fits(*at, FRAME, end) || !bytes[*at]) return false;
  size_t length = size_at(bytes + *at + 4, bytes[3] == 4 ? 7 : 8);
  if (!ink_fits(*at + FRAME, length, end)) return false;
  *frame = (ink_id3_frame){(const char *)bytes + *at, bytes + *at + FRAME, length};
  *at += FRAME + length;
  return true;
}

ink_status ink_id3_add(const unsigned char *bytes, size_t size, const char *id,
                       const ink_text *content, ink_text *out, size_t *at, ink_error *error) {
  size_t tag = ink_id3_size(bytes, size), begin = out->size;
  if (tag && !is_plain(bytes)) {
    return ink_fail(
        error, INK_ERR_UNSUPPORTED,
        "MP3: its ID3 tag is of a kind that is not written here; have a tagger write it "
        "as ID3v2.3 or 2.4, or put the manifest beside it (`inkstone sign --sidecar`)");
  }
  size_t old = tag ? tag - TAG : 0;
  int bits = tag && bytes[3] == 3 ? 8 : 7;
  if (old + FRAME + content->size > MOST) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "MP3: no room for a manifest in its tag");
  }
  ink_text_add_bytes(out, tag ? (const char *)bytes : "ID3\4\0\0", 6);
  add_size(out, old + FRAME + content->size, 7);
  ink_text_add_bytes(out, id, 4);
  add_size(out, content->size, bits);
  ink_text_add_bytes(out, "\0\0", 2);
  *at = out->size - begin;
  ink_text_add_bytes(out, content->bytes, content->size);
  ink_text_add_bytes(out, bytes + (tag ? TAG : 0), size - (tag ? TAG : 0));
  return ink_text_status(out, error);
}

static ink_status embed(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                        size_t *length, ink_error *error) {
  (void)carrier;
  ink_text frame = {0};
  ink_text_add_bytes(&frame, fields, sizeof fields);
  ink_text_add_bytes(&frame, store, store_size);
  ink_status status = ink_text_status(&frame, error);
  if (status == INK_OK) status = ink_id3_add(bytes, size, "GEOB", &frame, out, start, error);
  *start += sizeof fields;
  *length = store_size;
  ink_text_free(&frame);
  return status;
}

static ink_status take_out(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                           const ink_place *place, ink_text *out, ink_error *error) {
  (void)carrier;
  size_t end = place->start + place->length, old = ink_id3_size(bytes, size), frame = 0;
  ink_id3_frame around = {0};
  for (size_t at = 0; at < end; frame = (size_t)(around.data - bytes) - FRAME) {
    if (!ink_id3_next(bytes, size, &at, &around)) {
      return ink_fail(error, INK_ERR_FORMAT, "MP3: no frame holds its manifest");
    }
  }
  size_t left = old - (end - frame);
  if (left > TAG) {
    ink_text_add_bytes(out, bytes, 6);
    add_size(out, left - TAG, 7);
    ink_text_add_bytes(out, bytes + TAG, frame - TAG);
  }
  ink_text_add_bytes(out, bytes + end, size - end);
  return ink_text_status(out, error);
}

const ink_carrier ink_carrier_mp3 = {.name = "mp3",
                                     .media_type = "audio/mpeg",
                                     .endings = {"mp3"},
                                     .recognise = recognise,
                                     .find = find,
                                     .embed = embed,
                                     .remove = take_out};
