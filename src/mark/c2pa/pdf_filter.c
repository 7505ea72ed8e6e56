// Unpacking the streams that PDF keeps cross-references and objects in.
#include "mark/c2pa/pdf_filter.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/checked.h"

enum { CHUNK = 1 << 14, MOST_COLOURS = 32 };

bool ink_pdf_filter_shape(ink_pdf_filter *f, size_t colours, size_t bits, size_t columns) {
  bool known = bits == 1 || bits == 2 || bits == 4 || bits == 8 || bits == 16;
  if (!known || !colours || colours > MOST_COLOURS || !columns || columns > INK_PDF_ROW_MOST) {
    return false;
  }
  size_t pixel = colours * bits;
  f->row = (pixel * columns + 7) / 8;
  f->pixel = (pixel + 7) / 8;
  return f->row <= INK_PDF_ROW_MOST;
}

// The first `most` bytes of a zlib stream; all that was read has come whole.
static bool inflate_bytes(const unsigned char *bytes, size_t size, size_t most, ink_text *out) {
  z_stream z = {0};
  unsigned char chunk[CHUNK];
  if (size > UINT_MAX || inflateInit(&z) != Z_OK) return false;
  z.next_in = (unsigned char *)(uintptr_t)bytes;
  z.avail_in = (uInt)size;
  int state = Z_OK;
  while (state == Z_OK && most && !out->failed) {
    z.next_out = chunk;
    z.avail_out = (uInt)(most < CHUNK ? most : CHUNK);
    uInt room = z.avail_out;
    state = inflate(&z, Z_NO_FLUSH);
    ink_text_add_bytes(out, chunk, room - z.avail_out);
    most -= room - z.avail_out;
  }
  inflateEnd(&z);
  return !out->failed && (state == Z_STREAM_END || !most);
}

static int paeth(int left, int up, int corner) {
  int p = left + up - corner, a = abs(p - left), b = abs(p - up), c = abs(p - corner);
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

// A row in place: what its neighbours let expect is added to each byte.
static bool add_expected(unsigned char type, unsigned char *row, const unsigned char *above,
                         size_t size, size_t pixel) {
  if (type > 4) return false;
  for (size_t i = 0; i < size; i++) {
    int left = i >= pixel ? row[i - pixel] : 0, up = above ? above[i] : 0;
    int corner = i >= pixel && above ? above[i - pixel] : 0;
    const int expected[] = {0, left, up, (left + up) / 2, paeth(left, up, corner)};
    row[i] = (unsigned char)(row[i] + expected[type]);
  }
  return true;
}

static bool undo_predictor(const ink_pdf_filter *f, const ink_text *raw, size_t most,
                           ink_text *out) {
  size_t above = SIZE_MAX;
  for (size_t at = 0; at < raw->size && most;) {
    unsigned char type = (unsigned char)raw->bytes[at++];
    size_t size = raw->size - at < f->row ? raw->size - at : f->row, begin = out->size;
    if (size > most) size = most;
    ink_text_add_bytes(out, raw->bytes + at, size);
    if (out->failed || !out->bytes) return false;
    unsigned char *all = (unsigned char *)out->bytes;
    if (size &&
        !add_expected(type, all + begin, above == SIZE_MAX ? NULL : all + above, size, f->pixel)) {
      return false;
    }
    above = begin;
    at += size;
    most -= size;
  }
  return true;
}

bool ink_pdf_unfilter(const ink_pdf_filter *f, const unsigned char *bytes, size_t size, size_t most,
                      ink_text *out) {
  size_t begin = out->size, rows = f->predicted ? most / f->row + 1 : 0, raw_most;
  bool good = false;
  if (!f->deflated) {
    ink_text_add_bytes(out, bytes, size < most ? size : most);
    good = !out->failed;
  } else if (!f->predicted) {
    good = inflate_bytes(bytes, size, most, out);
  } else if (ink_add_size(most, rows, &raw_most)) {
    ink_text raw = {0};
    good = inflate_bytes(bytes, size, raw_most, &raw) && undo_predictor(f, &raw, most, out);
    out->failed = out->failed || raw.failed;
    ink_text_free(&raw);
  }
  if (!good && out->bytes) {
    out->size = begin;
    out->bytes[begin] = 0;
  }
  return good;
}
