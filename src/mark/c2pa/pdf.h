// Inside the room: as much of PDF (ISO 32000-2) as labels and manifests need: the objects that the
// catalog and the trailer lead to, and updates at the end of a file. Files whose cross-references
// are streams are not read. Values are known by their offset in the file; 0 is none.
#ifndef INK_MARK_C2PA_PDF_H
#define INK_MARK_C2PA_PDF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"

enum { INK_PDF_UPDATES = 64, INK_PDF_OBJECTS = 8 };

typedef struct ink_pdf {
  const unsigned char *bytes;
  size_t size;
  size_t tables[INK_PDF_UPDATES];  // cross-reference tables, the newest first
  size_t n_table;
  size_t trailer;  // dictionary of the newest
} ink_pdf;

// Find the cross-references. FORMAT and UNSUPPORTED, as they are not in order or not read here.
ink_status ink_pdf_load(const unsigned char *bytes, size_t size, ink_pdf *pdf, ink_error *error);

// ---- tokens

size_t ink_pdf_skip_space(const ink_pdf *pdf, size_t at);
bool ink_pdf_is_word(const ink_pdf *pdf, size_t at, const char *word);
bool ink_pdf_is_name(const ink_pdf *pdf, size_t at, const char *name);
bool ink_pdf_read_number(const ink_pdf *pdf, size_t *at, size_t *number);
// "12 0 R"; *at moves behind it.
bool ink_pdf_read_reference(const ink_pdf *pdf, size_t *at, size_t *number, size_t *generation);
// Behind the value at `at`; 0 where there is none.
size_t ink_pdf_skip(const ink_pdf *pdf, size_t at);

// ---- objects

// The value under a key ("/Root") of the dictionary at `at`; 0 when it has none.
size_t ink_pdf_value(const ink_pdf *pdf, size_t at, const char *key);
// True when all of a dictionary is names and values.
bool ink_pdf_is_dictionary(const ink_pdf *pdf, size_t at);
// The object that a value refers to, or the value itself.
size_t ink_pdf_resolve(const ink_pdf *pdf, size_t at);
size_t ink_pdf_catalog(const ink_pdf *pdf);
// The bytes of a stream that no filter stands before.
bool ink_pdf_stream(const ink_pdf *pdf, size_t stream, size_t *start, size_t *length);

// ---- updates

typedef struct ink_pdf_object {
  size_t number, generation, offset;
} ink_pdf_object;

typedef struct ink_pdf_writer {
  ink_pdf pdf;
  ink_text *out;
  size_t begin;  // of the file in `out`
  size_t next;   // number of the next new object; whoever takes one counts it up
  size_t root, root_generation, catalog, catalog_end;
  ink_pdf_object objects[INK_PDF_OBJECTS];
  size_t n_object;
} ink_pdf_writer;

// Append the file and begin an incremental update. FORMAT when its catalog cannot be read.
ink_status ink_pdf_update(const unsigned char *bytes, size_t size, ink_text *out,
                          ink_pdf_writer *writer, ink_error *error);
// "N G obj"; what follows up to "endobj" is the caller's.
void ink_pdf_begin(ink_pdf_writer *writer, size_t number, size_t generation);
// Copy a dictionary without its ">>".
void ink_pdf_dictionary_open(ink_pdf_writer *writer, size_t at);
// Cross-references and trailer; `info` is the number of a new /Info, or 0: it is as it was.
// Failures stay in the text.
void ink_pdf_close(ink_pdf_writer *writer, size_t info);

#endif
