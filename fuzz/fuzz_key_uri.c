// Fuzz target: names of keys in tokens (RFC 7512).
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mark/c2pa/key_uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ink_error error = {0};
  ink_key_uri uri;
  char *text = malloc(size + 1);
  if (!text) return 0;
  memcpy(text, bytes, size);
  text[size] = 0;
  if (ink_key_uri_read(text, &uri, &error) == INK_OK) ink_key_uri_free(&uri);
  free(text);
  return 0;
}
