// Inside the room: as much of PDF (ISO 32000-2) as labels and manifests need: the objects that the
// catalog and the trailer lead to, and updates at the end of a file. Values are known by their
// offset in the file or, behind it, in the object streams that were unpacked; 0 is none.
#ifndef INK_MARK_C2PA_PDF_H
#define INK_MARK_C2PA_PDF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"

enum { INK_PDF_UPDATES = 64, INK_PDF_STREAMS = 64, INK_PDF_OBJECTS = 8 };

// Cross-references of the file as it was written first, or of an update: a table, a stream, or in
// hybrid files a table with a stream beside it.
typedef struct ink_pdf_section {
  size_t at;  // as "startxref" or /Prev give it
  bool is_table;
  size_t stream;          // its dictionary; 0: there is none
  size_t index, size;     // which objects it lists: /Index, or 0 to /Size
  size_t width[3], rows;  // of its fields (/W); where its rows begin in `entries`
} ink_pdf_section;

// An object stream, unpacked.
typedef struct ink_pdf_packed {
  size_t number, begin, end;
  size_t first, n;  // of its objects: where they begin, and how many there are
} ink_pdf_packed;

typedef struct ink_pdf {
  const unsigned char *bytes;  // the file, and what was unpacked: they move when more is
  size_t size, file_size;
  ink_pdf_section sections[INK_PDF_UPDATES];  // the newest first
  size_t n_section;
  size_t trailer;             // dictionary of the newest
  const unsigned char *file;  // as it was given, once `bytes` are others
  ink_text entries, unpacked;
  ink_pdf_packed packed[INK_PDF_STREAMS];
  size_t n_packed;
  bool unpacking;
  const char *fault;  // why an object stream could not be read, an English constant
} ink_pdf;

// Find the cross-references; the bytes must outlive what is read of them. FORMAT and UNSUPPORTED,
// as they are not in order or not read here. Release with ink_pdf_free; after a failure there is
// nothing to release.
ink_status ink_pdf_load(const unsigned char *bytes, size_t size, ink_pdf *pdf, ink_error *error);
void ink_pdf_free(ink_pdf *pdf);

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
// The object that a value refers to, or the value itself. Unpacks the object stream that it is in.
size_t ink_pdf_resolve(ink_pdf *pdf, size_t at);
size_t ink_pdf_catalog(ink_pdf *pdf);
// True when the cross-references list an object of this number.
bool ink_pdf_has(const ink_pdf *pdf, size_t number);
// The bytes of a stream as they stand in the file.
bool ink_pdf_stream(ink_pdf *pdf, size_t stream, size_t *start, size_t *length);
// What they unpack to, appended: false where that is more than `most` bytes, or not read here.
bool ink_pdf_unpack_stream(ink_pdf *pdf, size_t stream, size_t most, ink_text *out);
// The bytes of a stream that no filter stands before.
bool ink_pdf_plain_stream(ink_pdf *pdf, size_t stream, size_t *start, size_t *length);

// ---- updates

typedef struct ink_pdf_object {
  size_t number, generation, offset;
} ink_pdf_object;

typedef struct ink_pdf_writer {
  ink_pdf pdf;
  ink_text *out;
  size_t begin;  // of the file in `out`
  size_t next;   // number of the next new object; whoever takes one counts it up
  size_t root, root_generation, catalog;
  ink_pdf_object objects[INK_PDF_OBJECTS];
  size_t n_object;
} ink_pdf_writer;

// Append the file and begin an incremental update. FORMAT when its catalog cannot be read;
// UNSUPPORTED, in the words of `encrypted`, when it is that. Release writer->pdf with ink_pdf_free;
// after a failure there is nothing to release.
ink_status ink_pdf_update(const unsigned char *bytes, size_t size, const char *encrypted,
                          ink_text *out, ink_pdf_writer *writer, ink_error *error);
// "N G obj"; what follows up to "endobj" is the caller's.
void ink_pdf_begin(ink_pdf_writer *writer, size_t number, size_t generation);
// Copy a dictionary without its ">>".
void ink_pdf_dictionary_open(ink_pdf_writer *writer, size_t at);
// Cross-references, as a stream where the newest of the file are one, and trailer; `info` is the
// number of a new /Info, or 0: it is as it was. FORMAT when the file uses one object, begun twice,
// for two things.
ink_status ink_pdf_close(ink_pdf_writer *writer, size_t info, ink_error *error);

#endif
