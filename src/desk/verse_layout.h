// How a poem stands on a page: its lines, their tones, where it rhymes, where stanzas part.
#ifndef INK_DESK_VERSE_LAYOUT_H
#define INK_DESK_VERSE_LAYOUT_H

#include "base/text.h"
#include "check/verse.h"
#include "mark/document.h"

typedef struct ink_verse_layout {
  ink_document_line *lines;
  size_t n_line;
  ink_text rhyme_names;  // "一东", of each rhyme, joined by 、
  char *storage;         // of the lines' strings
} ink_verse_layout;

// Regulated verse stands clause by clause, ci sentence by sentence with a gap between stanzas. The
// layout owns its strings; release with ink_verse_layout_free. Zero-initialise it.
ink_status ink_verse_lay_out(const char *text, const ink_verse_report *report,
                             ink_verse_layout *layout, ink_error *error);
void ink_verse_layout_free(ink_verse_layout *layout);

#endif
