// Fuzz target: what a hub says is in a repository, and the choice from it.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "weights/listing.h"

static void choose(const ink_listing *listing, const char *reference) {
  ink_hub_ref ref;
  ink_error error = {0};
  size_t *indices, n;
  if (ink_hub_ref_parse(reference, &ref, &error) != INK_OK) abort();
  if (ink_listing_select(listing, &ref, &indices, &n, &error) != INK_OK) return;
  for (size_t i = 0; i < n; i++) {
    if (indices[i] >= listing->n) abort();
    if (!ink_hub_path_is_safe(listing->files[indices[i]].path)) abort();
    for (size_t j = 0; j < i; j++) {
      if (indices[i] == indices[j]) abort();
    }
  }
  free(indices);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ink_error error = {0};
  ink_listing listing = {0};
  if (ink_listing_parse((const char *)bytes, size, "input", &listing, &error) == INK_OK) {
    choose(&listing, "a/b");
    choose(&listing, "a/b:Q4_K_M");
  }
  ink_listing_free(&listing);
  return 0;
}
