// Fuzz target: tokenizer.json, and what is done with a tokenizer that it gives.
#include <stddef.h>
#include <stdint.h>

#include "tokenizer_use.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ink_error error = {0};
  ink_tokenizer *tokenizer;
  ink_tokenizer_files files = {
      .name = "input", .tokenizer = (const char *)bytes, .tokenizer_size = size};
  if (ink_tokenizer_from_memory(&files, &tokenizer, &error) != INK_OK) return 0;
  use_tokenizer(tokenizer);
  ink_tokenizer_free(tokenizer);
  return 0;
}
