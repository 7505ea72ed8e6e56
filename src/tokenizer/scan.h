// Reading JSON in one pass, without building a tree: a vocabulary has some hundred thousand
// members, and a tree of them costs more than everything else there is to open a tokenizer.
#ifndef INK_TOKENIZER_SCAN_H
#define INK_TOKENIZER_SCAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

// A place in a JSON text (RFC 8259). Faults of the text are FORMAT with the byte offset.
typedef struct ink_scan {
  const char *name;  // what errors call the text
  const char *bytes;
  size_t size;
  size_t at;
  ink_text text;  // holds a string that has escapes
  ink_error *error;
} ink_scan;

void ink_scan_end(ink_scan *scan);  // releases what the scan holds

// A string without NUL. It is valid until the next string is read.
typedef struct ink_scan_string {
  const char *bytes;
  size_t size;
} ink_scan_string;

// The first byte of the next value, after white space; 0 at the end of the text.
char ink_scan_peek(ink_scan *scan);
ink_status ink_scan_read_string(ink_scan *scan, ink_scan_string *out);
// An integer in [0, INT64_MAX] without fraction or exponent.
ink_status ink_scan_read_integer(ink_scan *scan, int64_t *out);

// Walk an object: begin, then `next` until *more is false; after each key read or skip its value.
// *count, zero at first, is the walk's own.
ink_status ink_scan_enter(ink_scan *scan, char bracket);
ink_status ink_scan_next_member(ink_scan *scan, size_t *count, bool *more, ink_scan_string *key);
// The same for an array.
ink_status ink_scan_next_item(ink_scan *scan, size_t *count, bool *more);

// Pass over a value, whose insides are only checked for balance.
ink_status ink_scan_skip(ink_scan *scan);
// Read a value into a tree, which is the caller's.
ink_status ink_scan_read_value(ink_scan *scan, json_t **out);
// Only white space may be left.
ink_status ink_scan_finish(ink_scan *scan);

// Fail at the scan's place: `what` is wrong.
ink_status ink_scan_fail(const ink_scan *scan, const char *what);

#endif
