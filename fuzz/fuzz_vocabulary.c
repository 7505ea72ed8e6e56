// Fuzz target: vocab.json and merges.txt, with a NUL between them in the input.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tokenizer/internal.h"
#include "tokenizer_use.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ink_error error = {0};
  ink_tokenizer *tokenizer;
  ink_tokenizer_sides sides = {0};
  const char *vocab = (const char *)bytes;
  const char *end = size ? memchr(vocab, 0, size) : NULL;
  size_t vocab_size = end ? (size_t)(end - vocab) : size;
  const char *merges = end ? end + 1 : vocab + size;
  size_t merges_size = size - (size_t)(merges - vocab);
  if (ink_tokenizer_read_pair("input", vocab, vocab_size, merges, merges_size, &sides, &tokenizer,
                              &error) != INK_OK) {
    return 0;
  }
  use_tokenizer(tokenizer);
  ink_tokenizer_free(tokenizer);
  return 0;
}
