// Fuzz target: the walk through a PNG file.
#include <stddef.h>
#include <stdint.h>

#include "carrier.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  fuzz_carrier(ink_carrier_named("png"), bytes, size);
  return 0;
}
