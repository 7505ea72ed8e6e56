// What the tokenizer room asks of a code point: of Unicode 16.0, the version the reference
// implementation's regular expressions follow; of 9.0, which its normalizers do; and of 8.0, where
// it tells punctuation.
#ifndef INK_TOKENIZER_UNICODE_H
#define INK_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A run of code points of one general category ("Lu", "Mn" …).
typedef struct ink_rune_range {
  uint32_t first, last;
  char category[3];
} ink_rune_range;

// The code points assigned from Unicode 15.0 to 16.0, ascending (UCD, DerivedAge.txt and
// DerivedGeneralCategory.txt): libraries that follow Unicode 14 do not know them.
extern const ink_rune_range ink_unicode_recent[];
extern const size_t ink_unicode_n_recent;

bool ink_rune_is_space(int32_t rune);    // White_Space
bool ink_rune_is_numeric(int32_t rune);  // Nd, Nl, No
// P* as of Unicode 8.0, and ASCII's punctuation and symbols.
bool ink_rune_is_punctuation(int32_t rune);
bool ink_rune_is_mark(int32_t rune);  // Mn, Mc, Me
// A mark, or a character with a decomposition, that Unicode 9.0 does not have: the reference leaves
// it where and as it is.
bool ink_rune_is_beyond_unicode9(int32_t rune);
// \w of Unicode Technical Standard 18, Annex C: Alphabetic, M, Nd, Pc, Join_Control.
bool ink_rune_is_word(int32_t rune);

#endif
