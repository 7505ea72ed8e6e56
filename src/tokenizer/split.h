// Pre-tokenizers: how a text is cut into the words that the model encodes one by one.
#ifndef INK_TOKENIZER_SPLIT_H
#define INK_TOKENIZER_SPLIT_H

#include "tokenizer/pattern.h"

// What becomes of the matches of a pattern.
typedef enum ink_split_behavior {
  INK_SPLIT_REMOVED,
  INK_SPLIT_ISOLATED,              // each a word of its own
  INK_SPLIT_MERGED_WITH_PREVIOUS,  // one word with what stands before
  INK_SPLIT_MERGED_WITH_NEXT,
  INK_SPLIT_CONTIGUOUS  // neighbouring matches are one word
} ink_split_behavior;

typedef enum ink_splitter_kind {
  INK_SPLITTER_PATTERN,
  INK_SPLITTER_PREFIX_SPACE,  // a space before a word that has none
  INK_SPLITTER_METASPACE,     // spaces to `content`, and `content` in front as `prepend` says
  INK_SPLITTER_BYTES          // each byte by its character (tokenizer/bytes.h)
} ink_splitter_kind;

typedef enum ink_prepend { INK_PREPEND_NEVER, INK_PREPEND_FIRST, INK_PREPEND_ALWAYS } ink_prepend;

typedef struct ink_splitter {
  ink_splitter_kind kind;
  ink_pattern *pattern;  // owned by the tokenizer
  ink_split_behavior behavior;
  bool invert;          // what lies between the matches is what counts as match
  const char *content;  // of METASPACE
  size_t content_size;
  ink_prepend prepend;
} ink_splitter;

// Takes one word; its bytes are valid during the call.
typedef ink_status (*ink_word)(void *context, const char *word, size_t size, ink_error *error);

typedef struct ink_splitting {
  const ink_splitter *steps;
  size_t n;
  ink_matcher *matcher;
  ink_text *buffers;  // one for each step
  ink_word word;
  void *context;
} ink_splitting;

// Cut well-formed text[0 … size) and hand every word that is not empty to splitting->word, in
// order. `at_start`: it stands at the beginning of the whole text.
ink_status ink_split(const ink_splitting *splitting, const char *text, size_t size, bool at_start,
                     ink_error *error);

#endif
