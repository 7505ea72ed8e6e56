// Writing manifests: what a piece says of itself becomes a signed C2PA manifest store in a file
// (C2PA specification 2.4: claim 10.3, hard binding 9.2 and 10.4, assertions 18).
#ifndef INK_MARK_C2PA_MANIFEST_H
#define INK_MARK_C2PA_MANIFEST_H

#include <jansson.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"
#include "mark/c2pa/carrier.h"
#include "mark/c2pa/signer.h"

#define INK_SOURCE_TRAINED "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
#define INK_SOURCE_COMPOSITE \
  "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

// What went into a piece. Strings and bytes are borrowed.
typedef struct ink_c2pa_ingredient {
  // "inputTo": a prompt, a model; "componentOf": a part; "parentOf": what was edited. Parents
  // belong to the action c2pa.opened, components to c2pa.placed, inputs to the other actions.
  const char *relationship;
  const char *title;      // dc:title
  const char *format;     // media type; NULL for none
  const char *instance;   // an identifier of its content ("sha256:…"); NULL for none
  const char *data_type;  // "c2pa.types.generator" for a model …; NULL for none
  const void *data;       // content that is kept in the manifest; NULL for none
  size_t data_size;
  const void *thumbnail;  // a small JPEG; NULL for none
  size_t thumbnail_size;
  // A manifest store that the ingredient carried, and what its validation gave (as
  // ink_c2pa_report has it); its manifests are kept in ours. NULL for none.
  const void *store;
  size_t store_size;
  const json_t *validation;
} ink_c2pa_ingredient;

typedef struct ink_c2pa_action {
  const char *action;                      // "c2pa.created", "c2pa.opened" …
  const char *source_type;                 // digitalSourceType; NULL for none
  const char *agent_name, *agent_version;  // softwareAgent; NULL for none
} ink_c2pa_action;

// A JSON assertion of one's own.
typedef struct ink_c2pa_assertion {
  const char *label;  // "org.inkstone.recipe"
  const json_t *json;
} ink_c2pa_assertion;

// A watermark in the content that names the piece: c2pa.soft-binding, and the action
// c2pa.watermarked.bound (sections 18.10 and 18.14.5).
typedef struct ink_c2pa_soft_binding {
  const char *algorithm;
  const void *value;
  size_t size;
} ink_c2pa_soft_binding;

// How a manifest is bound to the file around it.
typedef enum ink_c2pa_binding {
  INK_C2PA_BIND_DATA,  // c2pa.hash.data, of archives c2pa.hash.collection.data
  INK_C2PA_BIND_BOXES  // c2pa.hash.boxes, where the carrier's parts have names
} ink_c2pa_binding;

enum { INK_C2PA_RESERVE_MOST = 1 << 15 };

// All that a manifest says. Everything is borrowed; the same description, file and Ed25519 key give
// the same bytes.
typedef struct ink_c2pa_manifest {
  const char *identity;            // UUID: the manifest is "urn:c2pa:<identity>"
  const char *created;             // RFC 3339, UTC
  const char *title;               // dc:title
  const char *format;              // dc:format; NULL: the carrier's media type
  const char *version;             // of this program, for claim_generator_info; NULL: its own
  const ink_c2pa_action *actions;  // the first is c2pa.created or c2pa.opened
  size_t n_action;
  const ink_c2pa_ingredient *ingredients;
  size_t n_ingredient;
  const ink_c2pa_assertion *assertions;
  size_t n_assertion;
  const ink_c2pa_soft_binding *soft;  // NULL: none
  const void *thumbnail;              // of the piece, a small JPEG; NULL for none
  size_t thumbnail_size;
  const char *model;      // for c2pa.ai-disclosure; NULL: no such assertion
  const char *oversight;  // its humanOversightLevel; NULL: none said
  const char *training;   // cawg.training-mining: "allowed", "notAllowed"; NULL: none
  // Fields for cawg.metadata: an object whose names have a prefix, and whose "@context" says what
  // the prefixes mean. NULL: none.
  const json_t *metadata;
  ink_c2pa_binding binding;
  size_t reserve;  // bytes left free for later updates (ink_c2pa_update), at most RESERVE_MOST
} ink_c2pa_manifest;

// Append to `out` the file with a signed manifest in it. The file must not have one yet (CONFLICT).
// A NULL carrier makes a sidecar: `out` is then the manifest store alone, bound to the file as it
// is.
ink_status ink_c2pa_sign(const unsigned char *bytes, size_t size, const ink_carrier *carrier,
                         const ink_c2pa_manifest *manifest, const ink_signer *signer, ink_text *out,
                         ink_error *error);

// Append to `out` a signed file with an update manifest (section 11.2.3) behind those that it has:
// something is said later, and the content stays as the manifest before binds it. The description
// has one ingredient, the parentOf that ink_c2pa_parent_read gave for these bytes, and the actions
// c2pa.opened and, behind it, c2pa.edited.metadata and c2pa.published; no thumbnail, no soft
// binding. Where the signer has a stamper, the signatures before that have no time-stamp get one
// too (c2pa.time-stamp, section 18.17).
//
// Formats that state the length of the store elsewhere (RIFF, MP3, PDF, archives) bind that: there
// the store keeps its size, and the update takes the padding of the signature before it; `reserve`
// and time-stamps leave some. UNSUPPORTED when it does not suffice. A NULL carrier: `out` is the
// store alone. CONFLICT when the bytes do not hold that store.
ink_status ink_c2pa_update(const unsigned char *bytes, size_t size, const ink_carrier *carrier,
                           const ink_c2pa_manifest *manifest, const ink_signer *signer,
                           ink_text *out, ink_error *error);

#endif
