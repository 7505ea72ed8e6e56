// Fuzz target: the other carriers; the first byte chooses which.
#include <stddef.h>
#include <stdint.h>

#include "carrier.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const char *const names[] = {"webp", "wav", "svg", "html", "markdown", "shell",
                                      "text", "pdf", "gif", "mp3",  "docx"};
  if (!size) return 0;
  fuzz_carrier(ink_carrier_named(names[bytes[0] % 11]), bytes + 1, size - 1);
  return 0;
}
