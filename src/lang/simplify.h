// Traditional and variant characters to the simplified ones of the poet's vocabulary, one for one.
// The table is OpenCC's (Apache-2.0) and our own list of glyphs in old editions; docs/prosody.md.
#ifndef INK_LANG_SIMPLIFY_H
#define INK_LANG_SIMPLIFY_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

// The simplified character for one code point out of context; itself where there is none.
uint32_t ink_simplify_rune(uint32_t rune);

// Append `text` in simplified characters. 乾 祇 徵 於 沈, each of which wrote two words that
// simplification has parted, are decided by their neighbours: 乾坤, but 未干. Every code point
// gives exactly one; ill-formed bytes become U+FFFD. Running out of memory shows in
// ink_text_status(out).
void ink_simplify(const char *text, size_t size, ink_text *out);

#endif
