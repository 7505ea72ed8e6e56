// Moving metadata between picture files of one format.
#include "picture/metadata.h"

#include <stdlib.h>
#include <string.h>
#include <webp/mux.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/hash.h"
#include "picture/exif.h"

bool ink_picture_format_by_bytes(const void *bytes, size_t size, ink_picture_format *format) {
  const unsigned char *b = bytes;
  if (size >= 8 && memcmp(b, "\x89PNG\r\n\x1a\n", 8) == 0) {
    *format = INK_PICTURE_PNG;
  } else if (size >= 3 && memcmp(b, "\xFF\xD8\xFF", 3) == 0) {
    *format = INK_PICTURE_JPEG;
  } else if (size >= 12 && memcmp(b, "RIFF", 4) == 0 && memcmp(b + 8, "WEBP", 4) == 0) {
    *format = INK_PICTURE_WEBP;
  } else {
    return false;
  }
  return true;
}

bool ink_picture_is_lossless(const void *bytes, size_t size) {
  ink_picture_format format;
  const unsigned char *b = bytes;
  if (!ink_picture_format_by_bytes(bytes, size, &format)) return false;
  if (format != INK_PICTURE_WEBP) return format == INK_PICTURE_PNG;
  for (size_t at = 12; ink_fits(at, 8, size);) {
    if (memcmp(b + at, "VP8L", 4) == 0) return true;
    if (memcmp(b + at, "VP8 ", 4) == 0) return false;
    uint64_t length = ink_little32(b + at + 4);
    if (!ink_fits(at + 8, length + (length & 1), size)) return false;
    at += 8 + (size_t)(length + (length & 1));
  }
  return false;
}

static bool is_one(ink_picture_file a, ink_picture_file b) {
  return a.bytes == b.bytes && a.size == b.size;
}

// Exif whose pixels were turned already.
static ink_status upright(const unsigned char *bytes, size_t size, ink_text *exif,
                          ink_error *error) {
  ink_text_add_bytes(exif, bytes, size);
  INK_TRY(ink_text_status(exif, error));
  size_t head = size >= 6 && memcmp(bytes, "Exif\0", 6) == 0 ? 6 : 0;
  ink_exif_set_upright((unsigned char *)exif->bytes + head, size - head);
  return INK_OK;
}

// ---- PNG: chunks --------------------------------------------------------------------------------

enum { PNG_HEAD = 8, PNG_CHUNK = 12 };

// The chunk at *at, which moves behind it; false at the end or where chunks are cut short.
static bool next_chunk(ink_picture_file file, size_t *at, const unsigned char **chunk,
                       size_t *length) {
  if (!ink_fits(*at, PNG_CHUNK, file.size)) return false;
  *chunk = file.bytes + *at;
  *length = ink_big32(*chunk);
  if (!ink_fits(*at, (uint64_t)*length + PNG_CHUNK, file.size)) return false;
  *at += *length + PNG_CHUNK;
  return true;
}

static bool is_chunk(const unsigned char *chunk, const char *type) {
  return memcmp(chunk + 4, type, 4) == 0;
}

static bool is_png_xmp(const unsigned char *chunk, size_t length) {
  static const char key[] = "XML:com.adobe.xmp";
  bool text = is_chunk(chunk, "iTXt") || is_chunk(chunk, "tEXt") || is_chunk(chunk, "zTXt");
  return text && length >= sizeof key && memcmp(chunk + 8, key, sizeof key) == 0;
}

static void put_chunk(ink_text *out, const char *type, const ink_text *data) {
  ink_text_add_big(out, (uint32_t)data->size, 4);
  size_t begin = out->size;
  ink_text_add(out, type);
  ink_text_add_bytes(out, ink_text_string(data), data->size);
  if (!out->failed) ink_text_add_big(out, ink_crc32(0, out->bytes + begin, out->size - begin), 4);
}

// Texts and what else the chunks of another file say.
static ink_status put_png_metadata(ink_picture_file metadata, ink_text *out, ink_error *error) {
  static const char *const kept[] = {"tEXt", "zTXt", "iTXt", "pHYs", "tIME"};
  const unsigned char *chunk;
  size_t length, at = PNG_HEAD;
  while (next_chunk(metadata, &at, &chunk, &length)) {
    if (is_png_xmp(chunk, length)) continue;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
      if (is_chunk(chunk, kept[i])) ink_text_add_bytes(out, chunk, length + PNG_CHUNK);
    }
    if (is_chunk(chunk, "eXIf")) {
      ink_text exif = {0};
      ink_status status = upright(chunk + 8, length, &exif, error);
      if (status == INK_OK) put_chunk(out, "eXIf", &exif);
      ink_text_free(&exif);
      INK_TRY(status);
    }
  }
  return INK_OK;
}

static void put_png_xmp(const char *xmp, ink_text *out) {
  // Keyword, not compressed, no language, no translated keyword.
  static const char head[] = "XML:com.adobe.xmp\0\0\0\0";
  ink_text data = {0};
  ink_text_add_bytes(&data, head, sizeof head);
  ink_text_add(&data, xmp);
  if (data.failed) out->failed = true;
  put_chunk(out, "iTXt", &data);
  ink_text_free(&data);
}

static ink_status png(ink_picture_file pixels, ink_picture_file metadata, const char *xmp,
                      ink_text *out, ink_error *error) {
  bool one = is_one(pixels, metadata), ended = false, put = false;
  const unsigned char *chunk;
  size_t length, at = PNG_HEAD;
  ink_text_add_bytes(out, pixels.bytes, PNG_HEAD);
  while (!ended && next_chunk(pixels, &at, &chunk, &length)) {
    ended = is_chunk(chunk, "IEND");
    if (!put && is_chunk(chunk, "IDAT")) {
      put = true;
      if (!one) INK_TRY(put_png_metadata(metadata, out, error));
      if (xmp) put_png_xmp(xmp, out);
    }
    if (!is_png_xmp(chunk, length)) ink_text_add_bytes(out, chunk, length + PNG_CHUNK);
  }
  if (!ended || !put) return ink_fail(error, INK_ERR_FORMAT, "PNG: a chunk is cut short");
  return ink_text_status(out, error);
}

// ---- JPEG: segments -----------------------------------------------------------------------------

enum { SOS = 0xDA, APP0 = 0xE0, APP1 = 0xE1, APP13 = 0xED, COM = 0xFE, MOST_SEGMENT = 65533 };
static const char exif_name[] = "Exif\0";  // 6 bytes with the NUL that ends it here
static const char xmp_name[] = "http://ns.adobe.com/xap/1.0/";
static const char more_xmp_name[] = "http://ns.adobe.com/xmp/extension/";

typedef struct segment {
  const unsigned char *start, *data;
  size_t size, data_size;  // size: with marker and length
  int marker;
} segment;

// The next segment before the picture's data. 1: there is one; 0: the data begins at *at; -1: the
// file is not in order.
static int next_segment(ink_picture_file file, size_t *at, segment *s) {
  size_t begin = *at;
  while (ink_fits(*at, 2, file.size) && file.bytes[*at] == 0xFF && file.bytes[*at + 1] == 0xFF)
    ++*at;
  if (!ink_fits(*at, 4, file.size) || file.bytes[*at] != 0xFF) return -1;
  s->marker = file.bytes[*at + 1];
  if (s->marker == SOS) {
    *at = begin;
    return 0;
  }
  size_t length = ink_big16(file.bytes + *at + 2);
  if (length < 2 || !ink_fits(*at + 2, length, file.size)) return -1;
  *s = (segment){.start = file.bytes + *at,
                 .data = file.bytes + *at + 4,
                 .size = length + 2,
                 .data_size = length - 2,
                 .marker = s->marker};
  *at += s->size;
  return 1;
}

static bool is_named(const segment *s, int marker, const void *name, size_t size) {
  return s->marker == marker && s->data_size >= size && memcmp(s->data, name, size) == 0;
}

static bool is_exif(const segment *s) {
  return is_named(s, APP1, exif_name, sizeof exif_name);
}

static void put_segment(ink_text *out, int marker, const void *bytes, size_t size) {
  ink_text_add_big(out, 0xFF00U | (unsigned)marker, 2);
  ink_text_add_big(out, (uint32_t)size + 2, 2);
  ink_text_add_bytes(out, bytes, size);
}

static ink_status put_jpeg_xmp(const char *xmp, ink_text *out, ink_error *error) {
  size_t size = strlen(xmp);
  if (size + sizeof xmp_name > MOST_SEGMENT) {
    return ink_fail(error, INK_ERR_USAGE,
                    "the XMP takes %zu bytes and JPEG has %d for it; choose PNG or WebP", size,
                    MOST_SEGMENT);
  }
  ink_text_add_big(out, 0xFF00U | APP1, 2);
  ink_text_add_big(out, (uint32_t)(size + sizeof xmp_name + 2), 2);
  ink_text_add_bytes(out, xmp_name, sizeof xmp_name);
  ink_text_add(out, xmp);
  return INK_OK;
}

// Exif and IPTC, comments, and the parts of XMP beyond its packet, which name themselves there.
static ink_status put_jpeg_metadata(ink_picture_file metadata, ink_text *out, ink_error *error) {
  segment s;
  size_t at = 2;
  int found;
  while ((found = next_segment(metadata, &at, &s)) == 1) {
    if (is_exif(&s)) {
      ink_text exif = {0};
      ink_status status = upright(s.data, s.data_size, &exif, error);
      if (status == INK_OK) put_segment(out, APP1, exif.bytes, exif.size);
      ink_text_free(&exif);
      INK_TRY(status);
    } else if (s.marker == APP13 || s.marker == COM ||
               is_named(&s, APP1, more_xmp_name, sizeof more_xmp_name)) {
      ink_text_add_bytes(out, s.start, s.size);
    }
  }
  return found == 0 ? INK_OK : ink_fail(error, INK_ERR_FORMAT, "JPEG: a segment is cut short");
}

static ink_status jpeg(ink_picture_file pixels, ink_picture_file metadata, const char *xmp,
                       ink_text *out, ink_error *error) {
  bool one = is_one(pixels, metadata), put = false;
  segment s;
  size_t at = 2;
  int found;
  ink_text_add_bytes(out, pixels.bytes, 2);
  do {
    found = next_segment(pixels, &at, &s);
    // JFIF and Exif come first, then all else.
    if (!put && !(found == 1 && (s.marker == APP0 || is_exif(&s)))) {
      put = true;
      if (!one) INK_TRY(put_jpeg_metadata(metadata, out, error));
      if (xmp) INK_TRY(put_jpeg_xmp(xmp, out, error));
    }
    bool old = found == 1 && is_named(&s, APP1, xmp_name, sizeof xmp_name);
    if (found == 1 && !old) ink_text_add_bytes(out, s.start, s.size);
  } while (found == 1);
  if (found < 0) return ink_fail(error, INK_ERR_FORMAT, "JPEG: a segment is cut short");
  ink_text_add_bytes(out, pixels.bytes + at, pixels.size - at);
  return ink_text_status(out, error);
}

// ---- WebP: chunks, through libwebp --------------------------------------------------------------

// Exif of the other file.
static ink_status copy_webp_exif(WebPMux *from, WebPMux *to, bool *fine, ink_error *error) {
  WebPData chunk;
  if (WebPMuxGetChunk(from, "EXIF", &chunk) != WEBP_MUX_OK) return INK_OK;
  ink_text exif = {0};
  ink_status status = upright(chunk.bytes, chunk.size, &exif, error);
  if (status == INK_OK) {
    WebPData copy = {(const uint8_t *)exif.bytes, exif.size};
    *fine = WebPMuxSetChunk(to, "EXIF", &copy, 1) == WEBP_MUX_OK;
  }
  ink_text_free(&exif);
  return status;
}

static ink_status webp(ink_picture_file pixels, ink_picture_file metadata, const char *xmp,
                       ink_text *out, ink_error *error) {
  WebPData image = {pixels.bytes, pixels.size}, other = {metadata.bytes, metadata.size},
           whole = {0};
  WebPMux *mux = WebPMuxCreate(&image, 0), *from = WebPMuxCreate(&other, 0);
  bool fine = mux && from;
  if (!fine) {
    WebPMuxDelete(mux);
    WebPMuxDelete(from);
    return ink_fail(error, INK_ERR_FORMAT, "WebP: its chunks are not in order");
  }
  ink_status status = INK_OK;
  if (!is_one(pixels, metadata)) status = copy_webp_exif(from, mux, &fine, error);
  if (xmp) {
    WebPData packet = {(const uint8_t *)xmp, strlen(xmp)};
    fine = fine && WebPMuxSetChunk(mux, "XMP ", &packet, 0) == WEBP_MUX_OK;
  } else {
    WebPMuxDeleteChunk(mux, "XMP ");
  }
  fine = fine && status == INK_OK && WebPMuxAssemble(mux, &whole) == WEBP_MUX_OK;
  if (fine) ink_text_add_bytes(out, whole.bytes, whole.size);
  WebPDataClear(&whole);
  WebPMuxDelete(mux);
  WebPMuxDelete(from);
  INK_TRY(status);
  if (!fine) return ink_fail(error, INK_ERR_FORMAT, "WebP: it could not be put together");
  return ink_text_status(out, error);
}

ink_status ink_picture_with_metadata(ink_picture_format format, ink_picture_file pixels,
                                     ink_picture_file metadata, const char *xmp, ink_text *out,
                                     ink_error *error) {
  switch (format) {
    case INK_PICTURE_PNG:
      return png(pixels, metadata, xmp, out, error);
    case INK_PICTURE_JPEG:
      return jpeg(pixels, metadata, xmp, out, error);
    case INK_PICTURE_WEBP:
    default:
      return webp(pixels, metadata, xmp, out, error);
  }
}
