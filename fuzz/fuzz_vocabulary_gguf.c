// Fuzz target: a vocabulary in GGUF metadata; what opens is written in the other format, too.
#include <stddef.h>
#include <stdint.h>

#include "tokenizer/export.h"
#include "tokenizer_use.h"
#include "weights/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ink_error error = {0};
  ink_gguf *file;
  ink_tokenizer *tokenizer;
  if (ink_gguf_parse(bytes, size, "input", &file, &error) != INK_OK) return 0;
  if (ink_tokenizer_from_gguf(file, &tokenizer, &error) == INK_OK) {
    json_t *document, *config, *roles;
    use_tokenizer(tokenizer);
    ink_gguf_writer *writer = ink_gguf_writer_new();
    if (writer) ink_tokenizer_put_gguf(tokenizer, 1 << 12, writer, &error);
    ink_gguf_writer_free(writer);
    if (ink_tokenizer_to_json(tokenizer, 512, &document, &config, &roles, &error) == INK_OK) {
      json_decref(document);
      json_decref(config);
      json_decref(roles);
    }
    ink_tokenizer_free(tokenizer);
  }
  ink_gguf_close(file);
  return 0;
}
