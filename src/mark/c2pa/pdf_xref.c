// Where the objects of a PDF are: tables and streams of cross-references, object streams (ISO
// 32000-2, sections 7.5.4, 7.5.7 and 7.5.8).
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "mark/c2pa/carrier.h"
#include "mark/c2pa/pdf.h"
#include "mark/c2pa/pdf_filter.h"

enum {
  TAIL = 2048,
  ENTRY = 20,
  MOST_OBJECTS = 8388607,       // Annex C
  MOST_ENTRIES = 1 << 26,       // bytes of all cross-reference streams, unpacked
  MOST_OBJECT_STREAM = 1 << 25  // bytes of one, unpacked
};

static ink_status broken(const char *what, ink_error *error) {
  return ink_fail(error, INK_ERR_FORMAT, "PDF: %s", ink_error_say(error, what));
}

static ink_status refuse(const char *what, ink_error *error) {
  return ink_fail(error, INK_ERR_UNSUPPORTED, "PDF: %s", ink_error_say(error, what));
}

// ---- packed streams

// The one value of a list, or a value that stands alone; 0 when there is none.
static bool only_value(ink_pdf *p, size_t at, size_t *value) {
  *value = at = ink_pdf_resolve(p, at);
  if (!at || p->bytes[at] != '[') return true;
  at = ink_pdf_skip_space(p, at + 1);
  *value = 0;
  if (ink_pdf_is_word(p, at, "]")) return true;
  size_t end = ink_pdf_skip(p, at);
  if (!end || !ink_pdf_is_word(p, ink_pdf_skip_space(p, end), "]")) return false;
  *value = ink_pdf_resolve(p, at);
  return true;
}

static bool read_count(ink_pdf *p, size_t dictionary, const char *key, size_t otherwise,
                       size_t *count) {
  size_t at = ink_pdf_value(p, dictionary, key);
  *count = otherwise;
  if (!at) return true;
  at = ink_pdf_resolve(p, at);
  return at && ink_pdf_read_number(p, &at, count);
}

// How a stream is packed; false when not in a way that is read here.
static bool read_filter(ink_pdf *p, size_t stream, ink_pdf_filter *f) {
  size_t name, parameters, predictor, colours, bits, columns;
  *f = (ink_pdf_filter){0};
  if (!only_value(p, ink_pdf_value(p, stream, "/Filter"), &name)) return false;
  if (!name) return true;
  f->deflated = ink_pdf_is_name(p, name, "/FlateDecode");
  if (!f->deflated || !only_value(p, ink_pdf_value(p, stream, "/DecodeParms"), &parameters) ||
      !read_count(p, parameters, "/Predictor", 1, &predictor) ||
      !read_count(p, parameters, "/Colors", 1, &colours) ||
      !read_count(p, parameters, "/BitsPerComponent", 8, &bits) ||
      !read_count(p, parameters, "/Columns", 1, &columns)) {
    return false;
  }
  f->predicted = predictor >= 10 && predictor <= 15;
  return predictor == 1 || (f->predicted && ink_pdf_filter_shape(f, colours, bits, columns));
}

bool ink_pdf_unpack_stream(ink_pdf *p, size_t stream, size_t most, ink_text *out) {
  ink_pdf_filter filter;
  size_t start, length, begin = out->size;
  return ink_pdf_stream(p, stream, &start, &length) && read_filter(p, stream, &filter) &&
         ink_pdf_unfilter(&filter, p->bytes + start, length, most + 1, out) &&
         out->size - begin <= most;
}

// ---- cross-references

typedef enum kind { ABSENT, FREE, PLAIN, PACKED } kind;

typedef struct entry {
  kind kind;
  size_t place;  // PLAIN: in the file; PACKED: number of the object stream
  size_t index;  // PACKED: in it
} entry;

// Sections of a table from `at`; each names its first object and how many. Calls end with the place
// of the trailer's dictionary, or 0. *found is set when `wanted` is listed.
static size_t walk_table(const ink_pdf *p, size_t at, size_t wanted, entry *found) {
  size_t first, count;
  at = ink_pdf_skip_space(p, at);
  if (!ink_pdf_is_word(p, at, "xref")) return 0;
  for (at = ink_pdf_skip_space(p, at + 4); !ink_pdf_is_word(p, at, "trailer");
       at = ink_pdf_skip_space(p, at)) {
    if (!ink_pdf_read_number(p, &at, &first) || !ink_pdf_read_number(p, &at, &count)) return 0;
    at = ink_pdf_skip_space(p, at);
    if (count > (p->file_size - at) / ENTRY) return 0;
    if (wanted >= first && wanted - first < count) {
      size_t line = at + (wanted - first) * ENTRY;
      *found = (entry){.kind = p->bytes[line + 17] == 'n' ? PLAIN : FREE};
      if (found->kind == PLAIN && !ink_pdf_read_number(p, &line, &found->place)) return 0;
    }
    at += count * ENTRY;
  }
  return ink_pdf_skip_space(p, at + 7);
}

// The next run of objects that a stream lists; false behind the last one. *at begins as 0.
static bool next_run(const ink_pdf *p, const ink_pdf_section *s, size_t *at, size_t *first,
                     size_t *count) {
  if (!s->index) {
    *first = 0;
    *count = s->size;
    return !(*at)++;
  }
  if (!*at) *at = s->index + 1;
  return ink_pdf_read_number(p, at, first) && ink_pdf_read_number(p, at, count);
}

static uint64_t read_field(const unsigned char **at, size_t width, uint64_t otherwise) {
  const unsigned char *field = *at;
  *at += width;
  return width ? ink_big(field, width) : otherwise;
}

static entry find_in_stream(const ink_pdf *p, const ink_pdf_section *s, size_t wanted) {
  size_t at = 0, first, count, rank = 0;
  while (next_run(p, s, &at, &first, &count)) {
    if (wanted >= first && wanted - first < count) {
      size_t row = s->width[0] + s->width[1] + s->width[2];
      const unsigned char *field =
          (const unsigned char *)p->entries.bytes + s->rows + (rank + wanted - first) * row;
      uint64_t type = read_field(&field, s->width[0], 1);
      entry e = {.kind = type == 1 ? PLAIN : type == 2 ? PACKED : FREE};
      e.place = read_field(&field, s->width[1], 0);
      e.index = read_field(&field, s->width[2], 0);
      return e;
    }
    rank += count;
  }
  return (entry){.kind = ABSENT};
}

// What the newest section that lists an object says. Objects that a table calls free may be in the
// stream beside it (7.5.8.4).
static entry find_entry(const ink_pdf *p, size_t number) {
  for (size_t i = 0; i < p->n_section; i++) {
    const ink_pdf_section *s = &p->sections[i];
    entry found = {.kind = ABSENT}, beside = {.kind = ABSENT};
    if (s->is_table && !walk_table(p, s->at, number, &found)) return (entry){.kind = FREE};
    if (found.kind <= FREE && s->stream) beside = find_in_stream(p, s, number);
    if (beside.kind != ABSENT) found = beside;
    if (found.kind != ABSENT) return found;
  }
  return (entry){.kind = ABSENT};
}

// The runs follow each other, so that none lists what another does.
static ink_status read_index(ink_pdf *p, ink_pdf_section *s, size_t *rows, ink_error *error) {
  size_t at = 0, first, count, next = 0;
  s->index = ink_pdf_resolve(p, ink_pdf_value(p, s->stream, "/Index"));
  *rows = 0;
  if (!read_count(p, s->stream, "/Size", 0, &s->size) || !s->size ||
      (s->index && (p->bytes[s->index] != '[' || !ink_pdf_skip(p, s->index)))) {
    return broken("its cross-references are broken", error);
  }
  while (next_run(p, s, &at, &first, &count)) {
    if (first > MOST_OBJECTS || count > MOST_OBJECTS) {
      return refuse("its cross-references are larger than is read here", error);
    }
    if (first < next) return broken("its cross-references list an object twice", error);
    next = first + count;
    *rows += count;
  }
  if (s->index && ink_pdf_skip_space(p, at) + 1 != ink_pdf_skip(p, s->index)) {
    return broken("its cross-references are broken", error);
  }
  return INK_OK;
}

static ink_status read_widths(const ink_pdf *p, ink_pdf_section *s, ink_error *error) {
  enum { WIDEST = 8 };
  size_t at = ink_pdf_value(p, s->stream, "/W");
  bool good = at && ink_pdf_is_word(p, at++, "[");
  for (int i = 0; i < 3 && good; i++) {
    good = ink_pdf_read_number(p, &at, &s->width[i]);
    if (good && s->width[i] > WIDEST) {
      return refuse("its cross-references have numbers of more than eight bytes", error);
    }
  }
  if (!good || !s->width[1] || !ink_pdf_is_word(p, ink_pdf_skip_space(p, at), "]")) {
    return broken("its cross-references are broken", error);
  }
  return INK_OK;
}

// A stream of cross-references at `at`, unpacked.
static ink_status read_stream(ink_pdf *p, size_t at, ink_pdf_section *s, ink_error *error) {
  size_t number, rows, start, length, row;
  ink_pdf_filter filter;
  bool named =
      at < p->size && ink_pdf_read_number(p, &at, &number) && ink_pdf_read_number(p, &at, &number);
  at = ink_pdf_skip_space(p, at);
  if (!named || !ink_pdf_is_word(p, at, "obj")) {
    return broken("its cross-references are broken", error);
  }
  s->stream = ink_pdf_skip_space(p, at + 3);
  if (!ink_pdf_is_dictionary(p, s->stream) ||
      !ink_pdf_is_name(p, ink_pdf_value(p, s->stream, "/Type"), "/XRef")) {
    return broken("its cross-references are broken", error);
  }
  INK_TRY(read_widths(p, s, error));
  INK_TRY(read_index(p, s, &rows, error));
  if (!ink_pdf_stream(p, s->stream, &start, &length)) {
    return broken("its cross-references are broken", error);
  }
  if (!read_filter(p, s->stream, &filter)) {
    return refuse("its cross-references are packed in a way that is not read here", error);
  }
  row = s->width[0] + s->width[1] + s->width[2];
  s->rows = p->entries.size;
  if (rows > (MOST_ENTRIES - s->rows) / row) {
    return refuse("its cross-references are larger than is read here", error);
  }
  bool unpacked = ink_pdf_unfilter(&filter, p->bytes + start, length, rows * row, &p->entries);
  INK_TRY(ink_text_status(&p->entries, error));
  if (!unpacked || p->entries.size - s->rows < rows * row) {
    return broken("its cross-references are cut short", error);
  }
  return INK_OK;
}

// The section at `at`: a table, one with a stream beside it, or a stream.
static ink_status read_section(ink_pdf *p, size_t at, size_t *trailer, ink_error *error) {
  ink_pdf_section *s = &p->sections[p->n_section];
  entry none;
  *s = (ink_pdf_section){.at = at};
  s->is_table = at < p->size && ink_pdf_is_word(p, ink_pdf_skip_space(p, at), "xref");
  if (!s->is_table) {
    INK_TRY(read_stream(p, at, s, error));
    *trailer = s->stream;
  } else {
    *trailer = walk_table(p, at, SIZE_MAX, &none);
    if (!*trailer) return broken("its cross-references are broken", error);
    size_t beside = ink_pdf_value(p, *trailer, "/XRefStm");
    if (beside) {
      if (!ink_pdf_read_number(p, &beside, &at)) {
        return broken("its cross-references are broken", error);
      }
      INK_TRY(read_stream(p, at, s, error));
    }
  }
  p->n_section++;
  return INK_OK;
}

static ink_status read_sections(ink_pdf *p, ink_error *error) {
  size_t size = p->size, last = size, at = size > TAIL ? size - TAIL : 0, trailer, from;
  while ((at = ink_find_bytes(p->bytes, size, at, "startxref")) != size) last = at++;
  from = last + 9;
  if (last == size || !ink_pdf_read_number(p, &from, &at)) {
    return broken("it does not say where its cross-references are", error);
  }
  while (p->n_section < INK_PDF_UPDATES) {
    for (size_t i = 0; i < p->n_section; i++) {
      if (p->sections[i].at == at) return broken("its updates do not end", error);
    }
    INK_TRY(read_section(p, at, &trailer, error));
    if (p->n_section == 1) p->trailer = trailer;
    size_t previous = ink_pdf_value(p, trailer, "/Prev");
    if (!previous) return INK_OK;
    if (!ink_pdf_read_number(p, &previous, &at)) break;
  }
  return broken("its updates do not end", error);
}

ink_status ink_pdf_load(const unsigned char *bytes, size_t size, ink_pdf *p, ink_error *error) {
  *p = (ink_pdf){.bytes = bytes, .size = size, .file_size = size};
  ink_status status = read_sections(p, error);
  if (status != INK_OK) ink_pdf_free(p);
  return status;
}

void ink_pdf_free(ink_pdf *p) {
  ink_text_free(&p->entries);
  ink_text_free(&p->unpacked);
  *p = (ink_pdf){0};
}

// ---- objects

// What stands behind "n g obj", 0 when it is not there.
static size_t plain_object(const ink_pdf *p, size_t at, size_t number) {
  size_t found, generation;
  if (!at || at >= p->file_size || !ink_pdf_read_number(p, &at, &found) || found != number ||
      !ink_pdf_read_number(p, &at, &generation)) {
    return 0;
  }
  at = ink_pdf_skip_space(p, at);
  return ink_pdf_is_word(p, at, "obj") ? ink_pdf_skip_space(p, at + 3) : 0;
}

static const ink_pdf_packed *fault(ink_pdf *p, const char *what) {
  p->fault = what;
  return NULL;
}

// An object stream, unpacked behind the file and what was unpacked before. What lies between them
// is no value's, so that none goes on from one into the next.
static const ink_pdf_packed *unpack(ink_pdf *p, size_t number) {
  static const char wall[] = "\n)\n";
  // A stream's own length and filter must not depend on what is packed (7.5.7).
  if (p->unpacking) return fault(p, "an object stream depends on another");
  for (size_t i = 0; i < p->n_packed; i++) {
    if (p->packed[i].number == number) return &p->packed[i];
  }
  if (p->n_packed == INK_PDF_STREAMS) return fault(p, "it needs too many object streams");
  entry e = find_entry(p, number);
  if (e.kind == PACKED) return fault(p, "an object stream depends on another");
  ink_pdf_packed *s = &p->packed[p->n_packed];
  ink_pdf_filter filter;
  size_t start = 0, length = 0, n = 0, first = 0;
  size_t stream = e.kind == PLAIN ? plain_object(p, e.place, number) : 0;
  p->unpacking = true;
  p->fault = NULL;
  bool good = stream && ink_pdf_is_name(p, ink_pdf_value(p, stream, "/Type"), "/ObjStm") &&
              read_count(p, stream, "/N", 0, &n) && read_count(p, stream, "/First", 0, &first) &&
              ink_pdf_stream(p, stream, &start, &length);
  bool known = good && read_filter(p, stream, &filter);
  p->unpacking = false;
  if (p->fault) return NULL;
  if (!good) return fault(p, "an object stream cannot be read");
  if (!known) return fault(p, "an object stream is packed in a way that is not read here");
  if (!p->unpacked.size) {
    ink_text_add_bytes(&p->unpacked, p->bytes, p->file_size);
    ink_text_add(&p->unpacked, wall);
  }
  size_t begin = p->unpacked.size;
  // The file's own bytes, which do not move while others are added.
  const unsigned char *file = p->file ? p->file : p->bytes;
  good = ink_pdf_unfilter(&filter, file + start, length, MOST_OBJECT_STREAM + 1, &p->unpacked);
  size_t size = p->unpacked.size - begin;
  if (good && size <= MOST_OBJECT_STREAM) ink_text_add(&p->unpacked, wall);
  if (p->unpacked.failed) return fault(p, "its object streams do not fit into memory");
  if (!p->file) p->file = p->bytes;
  p->bytes = (const unsigned char *)p->unpacked.bytes;
  p->size = p->unpacked.size;
  if (good && size > MOST_OBJECT_STREAM) {
    p->size = p->unpacked.size = begin;
    return fault(p, "an object stream is larger than is read here");
  }
  if (!good || first > size || n > size) return fault(p, "an object stream cannot be unpacked");
  *s = (ink_pdf_packed){
      .number = number, .begin = begin, .end = begin + size, .first = begin + first, .n = n};
  p->n_packed++;
  return s;
}

static size_t packed_object(ink_pdf *p, const entry *e, size_t number) {
  const ink_pdf_packed *s = unpack(p, e->place);
  size_t found = 0, offset = 0;
  if (!s || e->index >= s->n) return 0;
  size_t at = s->begin;
  for (size_t i = 0; i <= e->index; i++) {
    if (!ink_pdf_read_number(p, &at, &found) || !ink_pdf_read_number(p, &at, &offset)) return 0;
  }
  if (found != number || at > s->first || offset >= s->end - s->first) return 0;
  at = ink_pdf_skip_space(p, s->first + offset);
  return at < s->end ? at : 0;
}

static size_t object(ink_pdf *p, size_t number) {
  entry e = find_entry(p, number);
  if (e.kind == PLAIN) return plain_object(p, e.place, number);
  return e.kind == PACKED ? packed_object(p, &e, number) : 0;
}

size_t ink_pdf_resolve(ink_pdf *p, size_t at) {
  size_t number, generation, behind = at;
  if (!at) return 0;
  return ink_pdf_read_reference(p, &behind, &number, &generation) ? object(p, number) : at;
}

bool ink_pdf_has(const ink_pdf *p, size_t number) {
  return find_entry(p, number).kind >= PLAIN;
}
