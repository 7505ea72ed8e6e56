// What the writers of manifests share: one pass over a description, to a signed store.
#ifndef INK_MARK_C2PA_MANIFEST_PARTS_H
#define INK_MARK_C2PA_MANIFEST_PARTS_H

#include <stdbool.h>

#include "mark/c2pa/cose.h"
#include "mark/c2pa/manifest.h"

// Where the store lies, and the hash of the rest.
typedef struct ink_manifest_binding {
  bool excluded;  // false: a sidecar excludes nothing
  size_t start, length;
  unsigned char hash[32];
  // An archive, or a file that is bound by its boxes, and the file as far as it is made: its parts
  // are bound instead.
  const ink_carrier *parts;
  const unsigned char *file;
  size_t file_size;
} ink_manifest_binding;

// A time-stamp of the signature of an earlier manifest.
typedef struct ink_manifest_stamp {
  const char *label;  // of the manifest
  ink_text token;
} ink_manifest_stamp;

// What a pass needs and keeps.
typedef struct ink_manifest_pass {
  const ink_c2pa_manifest *manifest;
  const char *format;
  const char *kind;  // of the box: "c2ma", "c2um"
  const ink_signer *signer;
  const ink_manifest_stamp *stamps;  // of earlier manifests
  size_t n_stamp;
  ink_text header;  // protected header of the signature
  ink_text stamp;   // a time-stamp token of the signature; empty: none
  size_t n_pad;
  // Out: the store with the signature box at its end, and what rewriting that box takes.
  ink_text store;
  size_t root, urn, box;  // where the boxes around the signature begin
  unsigned char signature[INK_COSE_SIGNATURE];
  size_t signature_size;
} ink_manifest_pass;

// Identity, time, title, actions, reserve.
ink_status ink_manifest_check(const ink_c2pa_manifest *manifest, ink_error *error);
// A pass for a carrier (NULL: none), with its protected header; release with ink_manifest_end.
ink_status ink_manifest_begin(const ink_carrier *carrier, const ink_c2pa_manifest *manifest,
                              const ink_signer *signer, const char *kind, ink_manifest_pass *pass,
                              ink_error *error);
void ink_manifest_end(ink_manifest_pass *pass);
// Write and sign the store; a NULL binding binds nothing.
ink_status ink_manifest_build(ink_manifest_pass *pass, const ink_manifest_binding *bound,
                              ink_error *error);
// Write the signature box at the end of the store anew, with what n_pad is now and the first
// `n_high` bytes of the padding 0xFF, and close the boxes around it.
ink_status ink_manifest_close(ink_manifest_pass *pass, size_t n_high, ink_error *error);
// Have the signature stamped, and put the token beside it where the padding has room for it: the
// store stays as long as it was.
ink_status ink_manifest_stamp_it(ink_manifest_pass *pass, ink_error *error);
// True for a token that the padding had no room for; the next pass has it.
bool ink_manifest_wants_room(ink_manifest_pass *pass);

#endif
