// Fuzz target: validation of a manifest store: claims, assertions, COSE, certificates, time-stamps,
// ingredients. None that was changed may come out Valid with another claim; that is the business of
// the tests, this is of memory and time.
#include <stddef.h>
#include <stdint.h>

#include "mark/c2pa/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const unsigned char asset[] = "asset";
  ink_error error = {0};
  ink_c2pa_report report = {0};
  ink_c2pa_options options = {.now = 1800000000};
  if (ink_c2pa_validate(asset, sizeof asset - 1, NULL, bytes, size, &options, &report, &error) ==
      INK_OK) {
    ink_c2pa_report_free(&report);
  }
  return 0;
}
