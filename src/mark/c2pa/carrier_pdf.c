// PDF (ISO 32000-2): the store is an embedded file that the catalog associates with the document
// (/AFRelationship /C2PA_Manifest), added by an incremental update; the bytes of its stream are
// left out of the hash (C2PA specification 2.4, appendix A.6). Files whose cross-references are
// streams are not read.
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "mark/c2pa/carrier.h"

enum { UPDATES_MOST = 64, FILES_MOST = 256, DEEP = 32, TAIL = 2048, ENTRY = 20 };

typedef struct pdf {
  const unsigned char *bytes;
  size_t size;
  size_t tables[UPDATES_MOST];  // cross-reference tables, the newest first
  size_t n_table;
  size_t trailer;  // dictionary of the newest
} pdf;

// ---- tokens

static bool is_space(unsigned char c) {
  return c == 0 || c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' ';
}

static bool is_delimiter(unsigned char c) {
  return c && strchr("()<>[]{}/%", c);
}

static size_t skip_space(const pdf *p, size_t at) {
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

static bool is_word(const pdf *p, size_t at, const char *word) {
  size_t n = strlen(word);
  return at <= p->size && p->size - at >= n && memcmp(p->bytes + at, word, n) == 0;
}

static bool read_number(const pdf *p, size_t *at, size_t *number) {
  size_t i = skip_space(p, *at), begin = i;
  *number = 0;
  for (; i < p->size && p->bytes[i] >= '0' && p->bytes[i] <= '9'; i++) {
    if (i - begin > 10) return false;
    *number = *number * 10 + (size_t)(p->bytes[i] - '0');
  }
  *at = i;
  return i > begin;
}

// "12 0 R"; *at moves behind it.
static bool read_reference(const pdf *p, size_t *at, size_t *number, size_t *generation) {
  size_t i = *at;
  if (!read_number(p, &i, number) || !read_number(p, &i, generation)) return false;
  i = skip_space(p, i);
  if (i >= p->size || p->bytes[i] != 'R') return false;
  *at = i + 1;
  return true;
}

static size_t skip_string(const pdf *p, size_t at) {
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

// Behind the value at `at`; 0 where there is none.
static size_t skip_value(const pdf *p, size_t at, int depth) {
  size_t number, generation;
  at = skip_space(p, at);
  if (at >= p->size || depth > DEEP) return 0;
  unsigned char c = p->bytes[at];
  if (c == '(') return skip_string(p, at);
  if (is_word(p, at, "<<") || c == '[') {
    const char *close = c == '[' ? "]" : ">>";
    at += c == '[' ? 1 : 2;
    for (;;) {
      at = skip_space(p, at);
      if (is_word(p, at, close)) return at + strlen(close);
      at = skip_value(p, at, depth + 1);
      if (!at) return 0;
    }
  }
  if (c == '<') {
    const unsigned char *end = memchr(p->bytes + at, '>', p->size - at);
    return end ? (size_t)(end - p->bytes) + 1 : 0;
  }
  if (read_reference(p, &at, &number, &generation)) return at;
  if (c != '/' && is_delimiter(c)) return 0;
  for (at++; at < p->size && !is_space(p->bytes[at]) && !is_delimiter(p->bytes[at]);) at++;
  return at;
}

// The value under a key ("/Root") of the dictionary at `at`; 0 when it has none.
static size_t value_of(const pdf *p, size_t at, const char *key) {
  size_t n = strlen(key);
  at = skip_space(p, at);
  if (!is_word(p, at, "<<")) return 0;
  for (at += 2;;) {
    at = skip_space(p, at);
    if (at >= p->size || p->bytes[at] != '/') return 0;
    size_t end = skip_value(p, at, 0);
    if (!end) return 0;
    size_t value = skip_space(p, end);
    if (end - at == n && memcmp(p->bytes + at, key, n) == 0) return value;
    at = skip_value(p, value, 0);
    if (!at) return 0;
  }
}

// True when all of a dictionary is names and values.
static bool is_dictionary(const pdf *p, size_t at) {
  if (!is_word(p, at, "<<")) return false;
  for (at += 2;;) {
    at = skip_space(p, at);
    if (is_word(p, at, ">>")) return true;
    if (at >= p->size || p->bytes[at] != '/') return false;
    at = skip_value(p, at, 0);
    if (at) at = skip_value(p, at, 0);
    if (!at) return false;
  }
}

// ---- cross-references

// Sections of a table from `at`; each names its first object and how many. Calls end with the place
// of the trailer's dictionary, or 0. *offset is set when `wanted` is listed as in use.
static size_t walk_table(const pdf *p, size_t at, size_t wanted, size_t *offset) {
  size_t first, count;
  at = skip_space(p, at);
  if (!is_word(p, at, "xref")) return 0;
  for (at = skip_space(p, at + 4); !is_word(p, at, "trailer"); at = skip_space(p, at)) {
    if (!read_number(p, &at, &first) || !read_number(p, &at, &count)) return 0;
    at = skip_space(p, at);
    if (count > (p->size - at) / ENTRY) return 0;
    if (wanted >= first && wanted - first < count &&
        p->bytes[at + (wanted - first) * ENTRY + 17] == 'n') {
      size_t entry = at + (wanted - first) * ENTRY;
      if (!read_number(p, &entry, offset)) return 0;
    }
    at += count * ENTRY;
  }
  return skip_space(p, at + 7);
}

static ink_status refuse(const char *what, ink_error *error) {
  return ink_fail(error, INK_ERR_UNSUPPORTED, "PDF: %s", what);
}

static ink_status load(const unsigned char *bytes, size_t size, pdf *p, ink_error *error) {
  *p = (pdf){.bytes = bytes, .size = size};
  size_t from = size > TAIL ? size - TAIL : 0, last = size, at = from;
  while ((at = ink_find_bytes(bytes, size, at, "startxref")) != size) last = at++;
  size_t table, none = 0;
  at = last + 9;
  if (last == size || !read_number(p, &at, &table)) {
    return ink_fail(error, INK_ERR_FORMAT, "PDF: it does not say where its cross-references are");
  }
  while (p->n_table < UPDATES_MOST) {
    if (table >= size || !is_word(p, skip_space(p, table), "xref")) {
      return refuse("its cross-references are a stream, which is not read here", error);
    }
    size_t trailer = walk_table(p, table, SIZE_MAX, &none);
    if (!trailer) return ink_fail(error, INK_ERR_FORMAT, "PDF: its cross-references are broken");
    if (!p->n_table) p->trailer = trailer;
    p->tables[p->n_table++] = table;
    if (value_of(p, trailer, "/XRefStm")) {
      return refuse("its cross-references are also a stream, which is not read here", error);
    }
    size_t previous = value_of(p, trailer, "/Prev");
    if (!previous) return INK_OK;
    if (!read_number(p, &previous, &table)) break;
  }
  return ink_fail(error, INK_ERR_FORMAT, "PDF: its updates do not end");
}

// What stands behind "n g obj" of an object, 0 when it is not there.
static size_t object(const pdf *p, size_t number) {
  for (size_t i = 0; i < p->n_table; i++) {
    size_t at = 0, found, generation;
    if (!walk_table(p, p->tables[i], number, &at) || !at) continue;
    if (!read_number(p, &at, &found) || found != number || !read_number(p, &at, &generation))
      return 0;
    at = skip_space(p, at);
    return is_word(p, at, "obj") ? skip_space(p, at + 3) : 0;
  }
  return 0;
}

// The object that a value refers to, or the value itself.
static size_t resolve(const pdf *p, size_t at) {
  size_t number, generation, behind = at;
  if (!at) return 0;
  return read_reference(p, &behind, &number, &generation) ? object(p, number) : at;
}

static size_t catalog(const pdf *p) {
  return resolve(p, value_of(p, p->trailer, "/Root"));
}

// ---- the store

static bool is_name(const pdf *p, size_t at, const char *name) {
  return at && is_word(p, at, name) && skip_value(p, at, 0) == at + strlen(name);
}

// The stream of a file specification's embedded file.
static bool read_stream(const pdf *p, size_t specification, size_t *start, size_t *length) {
  size_t stream = resolve(p, value_of(p, resolve(p, value_of(p, specification, "/EF")), "/F"));
  size_t at = resolve(p, value_of(p, stream, "/Length"));
  if (!at || !read_number(p, &at, length) || value_of(p, stream, "/Filter")) return false;
  at = skip_space(p, skip_value(p, stream, 0));
  if (!is_word(p, at, "stream")) return false;
  at += 6;
  if (is_word(p, at, "\r\n")) {
    at += 2;
  } else if (is_word(p, at, "\n")) {
    at++;
  } else {
    return false;
  }
  *start = at;
  return ink_fits(at, *length, p->size) && is_word(p, skip_space(p, at + *length), "endstream");
}

static ink_status find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       ink_place *place, ink_error *error) {
  (void)carrier;
  pdf p;
  // Without the name no association can be a manifest's, whatever form the rest has.
  if (ink_find_bytes(bytes, size, 0, "C2PA_Manifest") == size) return INK_OK;
  INK_TRY(load(bytes, size, &p, error));
  size_t list = resolve(&p, value_of(&p, catalog(&p), "/AF"));
  if (!list || bytes[list] != '[') return INK_OK;
  size_t n = 0;
  for (size_t at = skip_space(&p, list + 1); at < size && bytes[at] != ']';) {
    if (++n > FILES_MOST) {
      return ink_place_fault(place, "general.error", "the PDF has too many associated files");
    }
    size_t specification = resolve(&p, at);
    if (is_name(&p, value_of(&p, specification, "/AFRelationship"), "/C2PA_Manifest")) {
      if (place->present) {
        return ink_place_fault(place, "general.error", "the PDF has several manifests");
      }
      place->present = true;
      if (!read_stream(&p, specification, &place->start, &place->length) ||
          place->length > INK_STORE_MOST) {
        return ink_place_fault(place, "general.error", "the PDF's manifest cannot be read");
      }
      ink_text_add_bytes(&place->store, bytes + place->start, place->length);
    }
    at = skip_value(&p, at, 0);
    if (!at) break;
    at = skip_space(&p, at);
  }
  return ink_text_status(&place->store, error);
}

// ---- the update

// A value of the trailer, copied with its key.
static void copy_value(const pdf *p, const char *key, ink_text *out) {
  size_t at = value_of(p, p->trailer, key), end = at ? skip_value(p, at, 0) : 0;
  if (!end) return;
  ink_text_format(out, "%s ", key);
  ink_text_add_bytes(out, p->bytes + at, end - at);
  ink_text_add(out, "\n");
}

static ink_status embed(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                        size_t *length, ink_error *error) {
  (void)carrier;
  pdf p;
  INK_TRY(load(bytes, size, &p, error));
  size_t root = value_of(&p, p.trailer, "/Root"), n = 0, at = value_of(&p, p.trailer, "/Size");
  size_t root_number, root_generation, dictionary = catalog(&p);
  if (!root || !dictionary || !is_dictionary(&p, dictionary) || !at || !read_number(&p, &at, &n) ||
      !read_reference(&p, &root, &root_number, &root_generation) ||
      !skip_value(&p, dictionary, 0)) {
    return ink_fail(error, INK_ERR_FORMAT, "PDF: its catalog cannot be read");
  }
  if (value_of(&p, p.trailer, "/Encrypt")) {
    return refuse("it is encrypted; a manifest can only stand beside it (--sidecar)", error);
  }
  if (value_of(&p, dictionary, "/AF")) {
    return refuse("it has associated files already; a manifest can stand beside it (--sidecar)",
                  error);
  }
  size_t begin = out->size, offsets[4], dictionary_end = skip_value(&p, dictionary, 0);
  bool names = value_of(&p, dictionary, "/Names") != 0;
  ink_text_add_bytes(out, bytes, size);
  ink_text_add(out, "\n");
  offsets[0] = out->size - begin;
  ink_text_format(
      out,
      "%zu 0 obj\n<< /Type /EmbeddedFile /Subtype /application#2Fc2pa /Length %zu >>\nstream\n", n,
      store_size);
  *start = out->size - begin;
  *length = store_size;
  ink_text_add_bytes(out, store, store_size);
  ink_text_add(out, "\nendstream\nendobj\n");
  offsets[1] = out->size - begin;
  ink_text_format(
      out,
      "%zu 0 obj\n<< /Type /Filespec /AFRelationship /C2PA_Manifest /Desc (Content "
      "Credentials)\n/F (content_credential.c2pa) /UF (content_credential.c2pa) /Subtype "
      "/application#2Fc2pa /EF << /F %zu 0 R >> >>\nendobj\n",
      n + 1, n);
  offsets[2] = out->size - begin;
  // The catalog once more, with the association; the name tree lists the file where there is none.
  ink_text_format(out, "%zu %zu obj\n", root_number, root_generation);
  ink_text_add_bytes(out, bytes + dictionary, dictionary_end - 2 - dictionary);
  ink_text_format(out, "\n/AF [%zu 0 R]", n + 1);
  if (!names) {
    ink_text_format(
        out, "\n/Names << /EmbeddedFiles << /Names [(content_credential.c2pa) %zu 0 R] >> >>",
        n + 1);
  }
  ink_text_add(out, " >>\nendobj\n");
  offsets[3] = out->size - begin;
  ink_text_format(out, "xref\n%zu 1\n%010zu %05zu n \n%zu 2\n%010zu 00000 n \n%010zu 00000 n \n",
                  root_number, offsets[2], root_generation, n, offsets[0], offsets[1]);
  ink_text_format(out, "trailer\n<< /Size %zu\n/Prev %zu\n", n + 2, p.tables[0]);
  copy_value(&p, "/Root", out);
  copy_value(&p, "/Info", out);
  copy_value(&p, "/ID", out);
  ink_text_format(out, ">>\nstartxref\n%zu\n%%%%EOF\n", offsets[3]);
  return ink_text_status(out, error);
}

// Our update is the last thing in the file, and all of it.
static ink_status take_out(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                           const ink_place *place, ink_text *out, ink_error *error) {
  (void)carrier;
  // Backwards over "\nN 0 obj\n<< … >>\nstream\n".
  size_t at = place->start;
  int lines = 0;
  while (at > 0 && lines < 4) lines += bytes[--at] == '\n';
  pdf p, before;
  if (lines == 4 && load(bytes, size, &p, NULL) == INK_OK && p.n_table > 1 &&
      p.tables[0] > place->start && p.tables[1] < at && load(bytes, at, &before, NULL) == INK_OK &&
      before.tables[0] == p.tables[1]) {
    ink_text_add_bytes(out, bytes, at);
    return ink_text_status(out, error);
  }
  return refuse("its manifest stands among other things and cannot be taken out", error);
}

static bool recognise(const unsigned char *bytes, size_t size) {
  return size >= 8 && memcmp(bytes, "%PDF-", 5) == 0;
}

const ink_carrier ink_carrier_pdf = {.name = "pdf",
                                     .media_type = "application/pdf",
                                     .endings = {"pdf"},
                                     .recognise = recognise,
                                     .find = find,
                                     .embed = embed,
                                     .remove = take_out};
