// Inside the room: the visible label of a PDF, drawn over its first or last page (ISO 32000-2,
// sections 7.7.3 and 8.9.7).
#ifndef INK_MARK_LABEL_PDF_VISIBLE_H
#define INK_MARK_LABEL_PDF_VISIBLE_H

#include "mark/c2pa/pdf.h"
#include "mark/label/label_parts.h"

// Append the page with its label to an update that has begun: words on a plate at a corner or edge,
// upright as the page is shown, over whatever stands there. Letters are drawn as a stencil, so that
// no font has to be there where the page is read. The page's own contents stay as they are. A
// document whose pages cannot be reached, or that bears a signature, gets none: `out` says why.
// NOT_FOUND: no font for the words on this machine.
ink_status ink_pdf_show_label(ink_pdf_writer *writer, const ink_label_work *work, ink_labelled *out,
                              ink_error *error);

#endif
