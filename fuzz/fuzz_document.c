// Fuzz target: the label of an office document, unpacked and read.
#include <stddef.h>
#include <stdint.h>

#include "mark/label/document_label.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  json_t *aigc = NULL;
  if (ink_document_aigc(bytes, size, &aigc, NULL) == INK_OK) json_decref(aigc);
  return 0;
}
