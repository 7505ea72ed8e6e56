// Inside the room: the one filter that cross-reference and object streams are written with:
// FlateDecode, behind it PNG's predictors (ISO 32000-2, 7.4.4; zlib, RFC 1950; PNG, section 9).
#ifndef INK_MARK_C2PA_PDF_FILTER_H
#define INK_MARK_C2PA_PDF_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

typedef struct ink_pdf_filter {
  bool deflated;      // the bytes as they are, without
  bool predicted;     // /Predictor from 10 to 15: each row begins with the number of its own
  size_t row, pixel;  // bytes of a row, and from one pixel to the next
} ink_pdf_filter;

enum { INK_PDF_ROW_MOST = 1 << 20 };

// The size of rows from /Colors, /BitsPerComponent and /Columns; false when there are none such.
bool ink_pdf_filter_shape(ink_pdf_filter *filter, size_t colours, size_t bits, size_t columns);

// Append the first `most` bytes, or all where there are fewer, of what was packed. False, with
// `out` as it was, when the bytes end or break before that, or memory does (`out` has then failed).
bool ink_pdf_unfilter(const ink_pdf_filter *filter, const unsigned char *bytes, size_t size,
                      size_t most, ink_text *out);

#endif
