// Fuzz target: the walk through a JPEG file.
#include <stddef.h>
#include <stdint.h>

#include "carrier.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  fuzz_carrier(ink_carrier_named("jpeg"), bytes, size);
  return 0;
}
