// Added tokens: spellings that are looked for in the text itself, before anything is split.
#ifndef INK_TOKENIZER_ADDED_H
#define INK_TOKENIZER_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INK_ADDED_LONGEST = 1024 };  // bytes of a spelling; it bounds the work at each place

typedef struct ink_added_token {
  const char *text;  // what is looked for
  size_t size;
  int32_t id;
  bool special;
  bool single_word;     // not inside a word
  bool lstrip, rstrip;  // takes the white space on that side with it
} ink_added_token;

// Sorted by text; `first[b] … first[b + 1]` begin with byte b. Zero-initialised it is empty.
typedef struct ink_added_set {
  ink_added_token *tokens;
  size_t n;
  size_t first[257];
  int only_byte;  // the one byte that all begin with, or -1
} ink_added_set;

// Take over tokens[0 … n), of which none may be empty or longer than INK_ADDED_LONGEST: they are
// sorted in place, and must outlive the set. Of equal spellings the first in order of ids stays.
void ink_added_set_start(ink_added_set *set, ink_added_token *tokens, size_t n);

// The leftmost longest token in text[0 … size) that begins at or after `from`; NULL when there is
// none.
const ink_added_token *ink_added_set_find(const ink_added_set *set, const char *text, size_t size,
                                          size_t from, size_t *start);

#endif
