// A file that another is made from, as an ingredient of the other's manifest: the manifests that it
// carried are kept (C2PA specification 2.4, section 18.16).
#ifndef INK_MARK_C2PA_PARENT_H
#define INK_MARK_C2PA_PARENT_H

#include <stdbool.h>

#include "base/hash.h"
#include "mark/c2pa/manifest.h"
#include "mark/c2pa/validate.h"

// Zero-initialise it; release with ink_c2pa_parent_free. The ingredient borrows from the rest.
typedef struct ink_c2pa_parent {
  // "parentOf", with its title, media type and the SHA-256 of the file.
  ink_c2pa_ingredient ingredient;
  bool is_signed;  // it carried manifests, which the ingredient holds
  // It carried something that is no manifest store, which cannot be kept: why, else "".
  char fault[160];
  char *title;
  char instance[8 + INK_SHA256_HEX];
  ink_text bare;       // the file without its manifests
  ink_text thumbnail;  // JPEG; empty for what is no picture
  ink_place place;
  ink_c2pa_report report;
  json_t *validation;
} ink_c2pa_parent;

// Read a parent from a file's bytes, which need not outlive it. `carrier` NULL: it has no place for
// manifests. `title` is copied. What is wrong with the manifests it carries is no error: it is
// stated in the ingredient, or in `fault`.
ink_status ink_c2pa_parent_read(const char *title, const ink_carrier *carrier,
                                const unsigned char *bytes, size_t size, ink_c2pa_parent *parent,
                                ink_error *error);
// The same of a file whose manifest store lies beside it.
ink_status ink_c2pa_parent_beside(const char *title, const ink_carrier *carrier,
                                  const unsigned char *bytes, size_t size, const void *sidecar,
                                  size_t sidecar_size, ink_c2pa_parent *parent, ink_error *error);
void ink_c2pa_parent_free(ink_c2pa_parent *parent);

#endif
