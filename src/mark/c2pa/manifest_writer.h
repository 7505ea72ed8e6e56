// What the parts of the writer share: a manifest on its way into a store.
#ifndef INK_MARK_C2PA_MANIFEST_WRITER_H
#define INK_MARK_C2PA_MANIFEST_WRITER_H

#include "mark/c2pa/cbor.h"
#include "mark/c2pa/jumbf.h"
#include "mark/c2pa/manifest_parts.h"

enum { INK_REFERENCES_MOST = 64 };

// An assertion in the store, as others refer to it.
typedef struct ink_reference {
  char label[128];
  unsigned char hash[32];
} ink_reference;

typedef struct ink_manifest_writer {
  const ink_c2pa_manifest *manifest;
  const char *format;
  ink_cbor_builder cbor;
  ink_text *out;
  char label[96];  // of the manifest
  ink_reference references[INK_REFERENCES_MOST];
  size_t n_reference;
  const ink_manifest_pass *pass;
  ink_error *error;
} ink_manifest_writer;

// ---- assertions, each behind the last, with a reference of its own (manifest_assertions.c)

ink_status ink_assertion_cbor(ink_manifest_writer *w, const char *label, const ink_cbor *item);
ink_status ink_assertion_json(ink_manifest_writer *w, const char *label, const json_t *json);
// One that holds a file: its media type, and its bytes.
ink_status ink_assertion_embed(ink_manifest_writer *w, const char *label, const char *format,
                               const void *data, size_t size);
// {url, hash} of an assertion that was written.
ink_cbor *ink_assertion_refer(ink_manifest_writer *w, const ink_reference *r);

ink_status ink_write_soft_binding(ink_manifest_writer *w);
ink_status ink_write_metadata(ink_manifest_writer *w);
// The caller's fields.
ink_status ink_write_fields(ink_manifest_writer *w);
ink_status ink_write_stamps(ink_manifest_writer *w);
ink_status ink_write_disclosure(ink_manifest_writer *w);
ink_status ink_write_training(ink_manifest_writer *w);

// ---- ingredients (manifest_ingredients.c)

// The manifests of ingredients, each once; they stand before ours.
ink_status ink_write_carried_manifests(ink_manifest_writer *w);
// The ingredients, and the actions that take them.
ink_status ink_write_actions(ink_manifest_writer *w);

// ---- the hard binding (manifest_binding.c)

ink_status ink_write_binding(ink_manifest_writer *w, const ink_manifest_binding *bound);

#endif
