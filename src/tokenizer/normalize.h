// Normalizers: what a tokenizer file does to text before it is split (UAX 15 forms, replacement,
// stripping). Every one takes time in proportion to the text.
#ifndef INK_TOKENIZER_NORMALIZE_H
#define INK_TOKENIZER_NORMALIZE_H

#include "tokenizer/pattern.h"

typedef enum ink_normalizer_kind {
  INK_NORMALIZE_NFC,
  INK_NORMALIZE_NFD,
  INK_NORMALIZE_NFKC,
  INK_NORMALIZE_NFKD,
  INK_NORMALIZE_LOWERCASE,
  INK_NORMALIZE_STRIP,          // white space at the ends
  INK_NORMALIZE_STRIP_ACCENTS,  // combining marks
  INK_NORMALIZE_REPLACE,        // every match of `pattern` by `content`
  INK_NORMALIZE_PREPEND,        // `content`, unless the text is empty
  INK_NORMALIZE_BYTE_LEVEL      // each byte by its character (tokenizer/bytes.h)
} ink_normalizer_kind;

typedef struct ink_normalizer {
  ink_normalizer_kind kind;
  bool left, right;      // of STRIP
  ink_pattern *pattern;  // of REPLACE, owned by the tokenizer
  const char *content;   // of REPLACE and PREPEND
  size_t content_size;
} ink_normalizer;

// Apply `n` normalizers in order to well-formed text. The result is *to, of *to_size bytes: the
// text itself when nothing changed, else bytes in one of the two buffers, valid until these change.
// *cut is set when characters at the very beginning were taken away.
ink_status ink_normalize(const ink_normalizer *steps, size_t n, ink_matcher *matcher,
                         const char *text, size_t size, ink_text buffers[2], const char **to,
                         size_t *to_size, bool *cut, ink_error *error);

#endif
