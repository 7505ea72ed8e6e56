// Uses a tokenizer that a fuzz target opened: encodes a little of everything and decodes it again.
#ifndef INK_FUZZ_TOKENIZER_USE_H
#define INK_FUZZ_TOKENIZER_USE_H

#include <stdlib.h>
#include <string.h>

#include "tokenizer/tokenizer.h"

static inline void use_tokenizer(const ink_tokenizer *tokenizer) {
  static const char text[] =
      "It's 12 o'clock.\n  夜深了 <s>\xF0\x9F\x99\x82\xFF</s> <|endoftext|> aaaa";
  ink_error error = {0};
  int32_t *ids = NULL;
  size_t n = 0;
  unsigned flags = INK_ENCODE_SPECIAL | INK_ENCODE_AFFIX;
  if (ink_tokenizer_encode(tokenizer, text, sizeof text - 1, flags, &ids, &n, &error) == INK_OK) {
    ink_text back = {0};
    for (size_t i = 0; i < n; i++) {  // every id is a token's
      if (!ink_tokenizer_token(tokenizer, ids[i])) abort();
    }
    if (ink_tokenizer_decode(tokenizer, ids, n, INK_DECODE_SKIP_SPECIAL, &back, &error) == INK_OK &&
        !ink_utf8_valid(ink_text_string(&back), back.size, NULL)) {
      abort();
    }
    ink_text_free(&back);
  }
  free(ids);
}

#endif
