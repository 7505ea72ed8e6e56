// Reading and updating PDF.
#include "mark/c2pa/pdf.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "mark/c2pa/carrier.h"

enum { DEEP = 32, TAIL = 2048, ENTRY = 20 };

// ---- tokens

static bool is_space(unsigned char c) {
  return c == 0 || c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' ';
}

static bool is_delimiter(unsigned char c) {
  return c && strchr("()<>[]{}/%", c);
}

size_t ink_pdf_skip_space(const ink_pdf *p, size_t at) {
  while (at < p->size) {
    if (p->bytes[at] == '%') {
      while (at < p->size && p->bytes[at] != '\n' && p->bytes[at] != '\r') at++;
    } else if (is_space(p->bytes[at])) {
      at++;
    } else {
      break;
    }
  }
  return at;
}

bool ink_pdf_is_word(const ink_pdf *p, size_t at, const char *word) {
  size_t n = strlen(word);
  return at <= p->size && p->size - at >= n && memcmp(p->bytes + at, word, n) == 0;
}

bool ink_pdf_read_number(const ink_pdf *p, size_t *at, size_t *number) {
  size_t i = ink_pdf_skip_space(p, *at), begin = i;
  *number = 0;
  for (; i < p->size && p->bytes[i] >= '0' && p->bytes[i] <= '9'; i++) {
    if (i - begin > 10) return false;
    *number = *number * 10 + (size_t)(p->bytes[i] - '0');
  }
  *at = i;
  return i > begin;
}

bool ink_pdf_read_reference(const ink_pdf *p, size_t *at, size_t *number, size_t *generation) {
  size_t i = *at;
  if (!ink_pdf_read_number(p, &i, number) || !ink_pdf_read_number(p, &i, generation)) return false;
  i = ink_pdf_skip_space(p, i);
  if (i >= p->size || p->bytes[i] != 'R') return false;
  *at = i + 1;
  return true;
}

static size_t skip_string(const ink_pdf *p, size_t at) {
  int deep = 0;
  for (; at < p->size; at++) {
    if (p->bytes[at] == '\\') {
      at++;
    } else if (p->bytes[at] == '(') {
      deep++;
    } else if (p->bytes[at] == ')' && --deep == 0) {
      return at + 1;
    }
  }
  return p->size;
}

static size_t skip_value(const ink_pdf *p, size_t at, int depth) {
  size_t number, generation;
  at = ink_pdf_skip_space(p, at);
  if (at >= p->size || depth > DEEP) return 0;
  unsigned char c = p->bytes[at];
  if (c == '(') return skip_string(p, at);
  if (ink_pdf_is_word(p, at, "<<") || c == '[') {
    const char *close = c == '[' ? "]" : ">>";
    at += c == '[' ? 1 : 2;
    for (;;) {
      at = ink_pdf_skip_space(p, at);
      if (ink_pdf_is_word(p, at, close)) return at + strlen(close);
      at = skip_value(p, at, depth + 1);
      if (!at) return 0;
    }
  }
  if (c == '<') {
    const unsigned char *end = memchr(p->bytes + at, '>', p->size - at);
    return end ? (size_t)(end - p->bytes) + 1 : 0;
  }
  if (ink_pdf_read_reference(p, &at, &number, &generation)) return at;
  if (c != '/' && is_delimiter(c)) return 0;
  for (at++; at < p->size && !is_space(p->bytes[at]) && !is_delimiter(p->bytes[at]);) at++;
  return at;
}

size_t ink_pdf_skip(const ink_pdf *p, size_t at) {
  return skip_value(p, at, 0);
}

size_t ink_pdf_value(const ink_pdf *p, size_t at, const char *key) {
  size_t n = strlen(key);
  at = ink_pdf_skip_space(p, at);
  if (!ink_pdf_is_word(p, at, "<<")) return 0;
  for (at += 2;;) {
    at = ink_pdf_skip_space(p, at);
    if (at >= p->size || p->bytes[at] != '/') return 0;
    size_t end = ink_pdf_skip(p, at);
    if (!end) return 0;
    size_t value = ink_pdf_skip_space(p, end);
    if (end - at == n && memcmp(p->bytes + at, key, n) == 0) return value;
    at = ink_pdf_skip(p, value);
    if (!at) return 0;
  }
}

bool ink_pdf_is_dictionary(const ink_pdf *p, size_t at) {
  if (!ink_pdf_is_word(p, at, "<<")) return false;
  for (at += 2;;) {
    at = ink_pdf_skip_space(p, at);
    if (ink_pdf_is_word(p, at, ">>")) return true;
    if (at >= p->size || p->bytes[at] != '/') return false;
    at = ink_pdf_skip(p, at);
    if (at) at = ink_pdf_skip(p, at);
    if (!at) return false;
  }
}

// ---- cross-references

// Sections of a table from `at`; each names its first object and how many. Calls end with the place
// of the trailer's dictionary, or 0. *offset is set when `wanted` is listed as in use.
static size_t walk_table(const ink_pdf *p, size_t at, size_t wanted, size_t *offset) {
  size_t first, count;
  at = ink_pdf_skip_space(p, at);
  if (!ink_pdf_is_word(p, at, "xref")) return 0;
  for (at = ink_pdf_skip_space(p, at + 4); !ink_pdf_is_word(p, at, "trailer");
       at = ink_pdf_skip_space(p, at)) {
    if (!ink_pdf_read_number(p, &at, &first) || !ink_pdf_read_number(p, &at, &count)) return 0;
    at = ink_pdf_skip_space(p, at);
    if (count > (p->size - at) / ENTRY) return 0;
    if (wanted >= first && wanted - first < count &&
        p->bytes[at + (wanted - first) * ENTRY + 17] == 'n') {
      size_t entry = at + (wanted - first) * ENTRY;
      if (!ink_pdf_read_number(p, &entry, offset)) return 0;
    }
    at += count * ENTRY;
  }
  return ink_pdf_skip_space(p, at + 7);
}

static ink_status refuse(const char *what, ink_error *error) {
  return ink_fail(error, INK_ERR_UNSUPPORTED, "PDF: %s", what);
}

ink_status ink_pdf_load(const unsigned char *bytes, size_t size, ink_pdf *p, ink_error *error) {
  *p = (ink_pdf){.bytes = bytes, .size = size};
  size_t from = size > TAIL ? size - TAIL : 0, last = size, at = from;
  while ((at = ink_find_bytes(bytes, size, at, "startxref")) != size) last = at++;
  size_t table, none = 0;
  at = last + 9;
  if (last == size || !ink_pdf_read_number(p, &at, &table)) {
    return ink_fail(error, INK_ERR_FORMAT, "PDF: it does not say where its cross-references are");
  }
  while (p->n_table < INK_PDF_UPDATES) {
    if (table >= size || !ink_pdf_is_word(p, ink_pdf_skip_space(p, table), "xref")) {
      return refuse("its cross-references are a stream, which is not read here", error);
    }
    size_t trailer = walk_table(p, table, SIZE_MAX, &none);
    if (!trailer) return ink_fail(error, INK_ERR_FORMAT, "PDF: its cross-references are broken");
    if (!p->n_table) p->trailer = trailer;
    p->tables[p->n_table++] = table;
    if (ink_pdf_value(p, trailer, "/XRefStm")) {
      return refuse("its cross-references are also a stream, which is not read here", error);
    }
    size_t previous = ink_pdf_value(p, trailer, "/Prev");
    if (!previous) return INK_OK;
    if (!ink_pdf_read_number(p, &previous, &table)) break;
  }
  return ink_fail(error, INK_ERR_FORMAT, "PDF: its updates do not end");
}

// What stands behind "n g obj" of an object, 0 when it is not there.
static size_t object(const ink_pdf *p, size_t number) {
  for (size_t i = 0; i < p->n_table; i++) {
    size_t at = 0, found, generation;
    if (!walk_table(p, p->tables[i], number, &at) || !at) continue;
    if (!ink_pdf_read_number(p, &at, &found) || found != number ||
        !ink_pdf_read_number(p, &at, &generation))
      return 0;
    at = ink_pdf_skip_space(p, at);
    return ink_pdf_is_word(p, at, "obj") ? ink_pdf_skip_space(p, at + 3) : 0;
  }
  return 0;
}

size_t ink_pdf_resolve(const ink_pdf *p, size_t at) {
  size_t number, generation, behind = at;
  if (!at) return 0;
  return ink_pdf_read_reference(p, &behind, &number, &generation) ? object(p, number) : at;
}

size_t ink_pdf_catalog(const ink_pdf *p) {
  return ink_pdf_resolve(p, ink_pdf_value(p, p->trailer, "/Root"));
}

bool ink_pdf_stream(const ink_pdf *p, size_t stream, size_t *start, size_t *length) {
  size_t at = ink_pdf_resolve(p, ink_pdf_value(p, stream, "/Length"));
  if (!at || !ink_pdf_read_number(p, &at, length) || ink_pdf_value(p, stream, "/Filter")) {
    return false;
  }
  at = ink_pdf_skip_space(p, ink_pdf_skip(p, stream));
  if (!ink_pdf_is_word(p, at, "stream")) return false;
  at += 6;
  if (ink_pdf_is_word(p, at, "\r\n")) {
    at += 2;
  } else if (ink_pdf_is_word(p, at, "\n")) {
    at++;
  } else {
    return false;
  }
  *start = at;
  return ink_fits(at, *length, p->size) &&
         ink_pdf_is_word(p, ink_pdf_skip_space(p, at + *length), "endstream");
}

bool ink_pdf_is_name(const ink_pdf *p, size_t at, const char *name) {
  return at && ink_pdf_is_word(p, at, name) && ink_pdf_skip(p, at) == at + strlen(name);
}

// ---- updates

ink_status ink_pdf_update(const unsigned char *bytes, size_t size, ink_text *out, ink_pdf_writer *w,
                          ink_error *error) {
  *w = (ink_pdf_writer){.out = out, .begin = out->size};
  INK_TRY(ink_pdf_load(bytes, size, &w->pdf, error));
  const ink_pdf *p = &w->pdf;
  size_t root = ink_pdf_value(p, p->trailer, "/Root"), at = ink_pdf_value(p, p->trailer, "/Size");
  w->catalog = ink_pdf_catalog(p);
  if (!root || !w->catalog || !ink_pdf_is_dictionary(p, w->catalog) || !at ||
      !ink_pdf_read_number(p, &at, &w->next) ||
      !ink_pdf_read_reference(p, &root, &w->root, &w->root_generation)) {
    return ink_fail(error, INK_ERR_FORMAT, "PDF: its catalog cannot be read");
  }
  // New objects must not stand in place of old ones.
  bool taken = w->root >= w->next || w->next > SIZE_MAX - INK_PDF_OBJECTS;
  for (size_t i = 0; i < INK_PDF_OBJECTS && !taken; i++) taken = object(p, w->next + i) != 0;
  if (taken) {
    return ink_fail(error, INK_ERR_FORMAT, "PDF: it has more objects than its trailer says");
  }
  w->catalog_end = ink_pdf_skip(p, w->catalog);
  ink_text_add_bytes(out, bytes, size);
  ink_text_add(out, "\n");
  return ink_text_status(out, error);
}

void ink_pdf_begin(ink_pdf_writer *w, size_t number, size_t generation) {
  if (w->n_object == INK_PDF_OBJECTS) {
    w->out->failed = true;
    return;
  }
  w->objects[w->n_object++] = (ink_pdf_object){number, generation, w->out->size - w->begin};
  ink_text_format(w->out, "%zu %zu obj\n", number, generation);
}

void ink_pdf_dictionary_open(ink_pdf_writer *w, size_t at) {
  size_t end = ink_pdf_skip(&w->pdf, at);
  ink_text_add_bytes(w->out, w->pdf.bytes + at, end - 2 - at);
}

static int by_number(const void *a, const void *b) {
  size_t x = ((const ink_pdf_object *)a)->number, y = ((const ink_pdf_object *)b)->number;
  return (x > y) - (x < y);
}

// A value of the trailer, copied with its key.
static void copy_value(const ink_pdf *p, const char *key, ink_text *out) {
  size_t at = ink_pdf_value(p, p->trailer, key), end = at ? ink_pdf_skip(p, at) : 0;
  if (!end) return;
  ink_text_format(out, "%s ", key);
  ink_text_add_bytes(out, p->bytes + at, end - at);
  ink_text_add(out, "\n");
}

void ink_pdf_close(ink_pdf_writer *w, size_t info) {
  const ink_pdf *p = &w->pdf;
  size_t table = w->out->size - w->begin;
  qsort(w->objects, w->n_object, sizeof *w->objects, by_number);
  ink_text_add(w->out, "xref\n");
  for (size_t i = 0, run; i < w->n_object; i += run) {
    for (run = 1;
         i + run < w->n_object && w->objects[i + run].number == w->objects[i].number + run;)
      run++;
    ink_text_format(w->out, "%zu %zu\n", w->objects[i].number, run);
    for (size_t j = i; j < i + run; j++) {
      ink_text_format(w->out, "%010zu %05zu n \n", w->objects[j].offset, w->objects[j].generation);
    }
  }
  ink_text_format(w->out, "trailer\n<< /Size %zu\n/Prev %zu\n", w->next, p->tables[0]);
  copy_value(p, "/Root", w->out);
  if (info) {
    ink_text_format(w->out, "/Info %zu 0 R\n", info);
  } else {
    copy_value(p, "/Info", w->out);
  }
  copy_value(p, "/ID", w->out);
  ink_text_format(w->out, ">>\nstartxref\n%zu\n%%%%EOF\n", table);
}
