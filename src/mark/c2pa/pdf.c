// Reading and updating PDF.
#include "mark/c2pa/pdf.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"

enum { DEEP = 32 };

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
  size_t end = skip_value(p, at, 0);
  if (at < p->file_size && end > p->file_size) return 0;
  for (size_t i = 0; i < p->n_packed; i++) {
    if (at < p->packed[i].end && end > p->packed[i].end) return 0;
  }
  return end;
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

// ---- objects

size_t ink_pdf_catalog(ink_pdf *p) {
  return ink_pdf_resolve(p, ink_pdf_value(p, p->trailer, "/Root"));
}

bool ink_pdf_stream(ink_pdf *p, size_t stream, size_t *start, size_t *length) {
  size_t at = ink_pdf_resolve(p, ink_pdf_value(p, stream, "/Length"));
  // Streams are not packed into others.
  if (!at || !ink_pdf_read_number(p, &at, length) || stream >= p->file_size) return false;
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
  return ink_fits(at, *length, p->file_size) &&
         ink_pdf_is_word(p, ink_pdf_skip_space(p, at + *length), "endstream");
}

bool ink_pdf_plain_stream(ink_pdf *p, size_t stream, size_t *start, size_t *length) {
  return !ink_pdf_value(p, stream, "/Filter") && ink_pdf_stream(p, stream, start, length);
}

bool ink_pdf_is_name(const ink_pdf *p, size_t at, const char *name) {
  return at && ink_pdf_is_word(p, at, name) && ink_pdf_skip(p, at) == at + strlen(name);
}

// ---- updates

static ink_status read_catalog(ink_pdf_writer *w, const char *encrypted, ink_error *error) {
  ink_pdf *p = &w->pdf;
  if (ink_pdf_value(p, p->trailer, "/Encrypt")) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "PDF: %s", ink_error_say(error, encrypted));
  }
  if (p->n_section == INK_PDF_UPDATES) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "PDF: it has too many updates for one more");
  }
  size_t root = ink_pdf_value(p, p->trailer, "/Root"), at = ink_pdf_value(p, p->trailer, "/Size");
  w->catalog = ink_pdf_catalog(p);
  if (!w->catalog && p->fault) {
    return ink_fail(error, INK_ERR_FORMAT, "PDF: %s", ink_error_say(error, p->fault));
  }
  if (!root || !w->catalog || !ink_pdf_is_dictionary(p, w->catalog) || !at ||
      !ink_pdf_read_number(p, &at, &w->next) ||
      !ink_pdf_read_reference(p, &root, &w->root, &w->root_generation)) {
    return ink_fail(error, INK_ERR_FORMAT, "PDF: its catalog cannot be read");
  }
  // New objects must not stand in place of old ones.
  bool taken = w->root >= w->next || w->next > SIZE_MAX - INK_PDF_OBJECTS;
  for (size_t i = 0; i < INK_PDF_OBJECTS && !taken; i++) taken = ink_pdf_has(p, w->next + i);
  if (taken) {
    return ink_fail(error, INK_ERR_FORMAT, "PDF: it has more objects than its trailer says");
  }
  return INK_OK;
}

ink_status ink_pdf_update(const unsigned char *bytes, size_t size, const char *encrypted,
                          ink_text *out, ink_pdf_writer *w, ink_error *error) {
  *w = (ink_pdf_writer){.out = out, .begin = out->size};
  INK_TRY(ink_pdf_load(bytes, size, &w->pdf, error));
  ink_status status = read_catalog(w, encrypted, error);
  if (status == INK_OK) {
    ink_text_add_bytes(out, bytes, size);
    ink_text_add(out, "\n");
    status = ink_text_status(out, error);
  }
  if (status != INK_OK) ink_pdf_free(&w->pdf);
  return status;
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

// What the trailer and the stream in its place say alike.
static void add_trailer(ink_pdf_writer *w, size_t info) {
  const ink_pdf *p = &w->pdf;
  ink_text_format(w->out, "/Size %zu\n/Prev %zu\n", w->next, p->sections[0].at);
  copy_value(p, "/Root", w->out);
  if (info) {
    ink_text_format(w->out, "/Info %zu 0 R\n", info);
  } else {
    copy_value(p, "/Info", w->out);
  }
  copy_value(p, "/ID", w->out);
}

// How many of the objects from `i` on, which are in order, have numbers that follow each other.
static size_t run_length(const ink_pdf_writer *w, size_t i) {
  size_t run = 1;
  while (i + run < w->n_object && w->objects[i + run].number == w->objects[i].number + run) run++;
  return run;
}

static void add_table(ink_pdf_writer *w, size_t info) {
  ink_text_add(w->out, "xref\n");
  for (size_t i = 0, run; i < w->n_object; i += run) {
    run = run_length(w, i);
    ink_text_format(w->out, "%zu %zu\n", w->objects[i].number, run);
    for (size_t j = i; j < i + run; j++) {
      ink_text_format(w->out, "%010zu %05zu n \n", w->objects[j].offset, w->objects[j].generation);
    }
  }
  ink_text_add(w->out, "trailer\n<< ");
  add_trailer(w, info);
  ink_text_add(w->out, ">>\n");
}

// A stream, which lists itself as well. Bytes as they are: there are too few to pack them.
static void add_cross_stream(ink_pdf_writer *w, size_t info) {
  enum { TYPE = 1, GENERATION = 2, IN_USE = 1 };
  size_t place = w->out->size - w->begin > UINT32_MAX ? 8 : 4;
  ink_text_add(w->out, "<< /Type /XRef /Index [");
  for (size_t i = 0, run; i < w->n_object; i += run) {
    run = run_length(w, i);
    ink_text_format(w->out, "%s%zu %zu", i ? " " : "", w->objects[i].number, run);
  }
  ink_text_format(w->out, "] /W [%d %zu %d] /Length %zu\n", TYPE, place, GENERATION,
                  w->n_object * (TYPE + place + GENERATION));
  add_trailer(w, info);
  ink_text_add(w->out, ">>\nstream\n");
  for (size_t i = 0; i < w->n_object; i++) {
    ink_text_add_big(w->out, IN_USE, TYPE);
    ink_text_add_big(w->out, w->objects[i].offset, place);
    ink_text_add_big(w->out, w->objects[i].generation, GENERATION);
  }
  ink_text_add(w->out, "\nendstream\nendobj\n");
}

ink_status ink_pdf_close(ink_pdf_writer *w, size_t info, ink_error *error) {
  bool stream = !w->pdf.sections[0].is_table;
  size_t at = w->out->size - w->begin;
  if (stream) ink_pdf_begin(w, w->next++, 0);
  qsort(w->objects, w->n_object, sizeof *w->objects, by_number);
  for (size_t i = 1; i < w->n_object; i++) {
    if (w->objects[i].number == w->objects[i - 1].number) {
      return ink_fail(error, INK_ERR_FORMAT, "PDF: one object stands for two things");
    }
  }
  if (stream) {
    add_cross_stream(w, info);
  } else {
    add_table(w, info);
  }
  ink_text_format(w->out, "startxref\n%zu\n%%%%EOF\n", at);
  return ink_text_status(w->out, error);
}
