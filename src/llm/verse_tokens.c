// The lexicon of a tokenizer.
#include <stdlib.h>

#include "base/text.h"
#include "llm/verse.h"
#include "tokenizer/tokenizer.h"

ink_status ink_verse_lexicon_of(const ink_tokenizer *tokenizer, ink_verse_lexicon **lexicon,
                                ink_error *error) {
  *lexicon = NULL;
  size_t n = ink_tokenizer_size(tokenizer), n_end;
  int32_t *runes = malloc((n ? n : 1) * sizeof *runes);
  if (!runes) return ink_fail(error, INK_ERR_MEMORY, "no memory for the lexicon of %zu tokens", n);
  for (size_t id = 0; id < n; id++) {
    size_t size;
    int32_t rune;
    const char *bytes = ink_tokenizer_bytes(tokenizer, (int32_t)id, &size);
    const char *spelling = ink_tokenizer_token(tokenizer, (int32_t)id);
    // A byte token ("<0x0A>") stands for a part of a character, not for one.
    bool one = bytes && size && ink_utf8_decode(bytes, size, &rune) == size && spelling[0] != '<' &&
               !ink_tokenizer_is_special(tokenizer, (int32_t)id);
    runes[id] = one ? rune : -1;
  }
  const int32_t *ends = ink_tokenizer_ends(tokenizer, &n_end);
  ink_status status = ink_verse_lexicon_new(runes, n, ends, n_end, lexicon, error);
  free(runes);
  return status;
}
