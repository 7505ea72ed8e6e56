// What the parts of the validator share.
#ifndef INK_MARK_C2PA_VALIDATE_PARTS_H
#define INK_MARK_C2PA_VALIDATE_PARTS_H

#include "mark/c2pa/cbor.h"
#include "mark/c2pa/cose.h"
#include "mark/c2pa/jumbf.h"
#include "mark/c2pa/timestamp.h"
#include "mark/c2pa/validate.h"

enum {
  INK_MANIFESTS_MOST = 64,
  INK_ASSERTIONS_MOST = 512,
  INK_REDACTIONS_MOST = 1024,  // of all claims in a store
  INK_INGREDIENTS_DEEP = 16
};

// What one manifest says of others: a time-stamp assertion, or the URI of an assertion that was
// taken out.
typedef struct ink_store_word {
  const ink_jumbf *box;  // where it is said: the assertion, the manifest
  const ink_cbor *item;
  const struct ink_store_word *next;
} ink_store_word;

typedef struct ink_validator {
  const unsigned char *bytes;
  size_t size;
  const ink_carrier *carrier;
  const ink_place *place;  // of the store in the file; NULL for a sidecar
  const ink_c2pa_options *options;
  int64_t now;
  ink_arena *arena;
  const ink_jumbf *store;
  const ink_store_word *stamps, *redacted;
  ink_c2pa_report *report;
  // Manifests that were looked at already: an ingredient may stand in several.
  const ink_jumbf *seen[INK_MANIFESTS_MOST];
  size_t n_seen;
  bool failed;  // no memory for a finding
  ink_error *error;
} ink_validator;

// One manifest on its way through validation.
typedef struct ink_manifest_view {
  const ink_jumbf *box;
  const ink_cbor *claim;
  const ink_jumbf *claim_box;  // its content
  bool v2;
  const char *algorithm;  // of hashes, where none is named
  ink_cose cose;
  json_t *results;
  const ink_jumbf *bindings[4];  // hard bindings
  size_t n_binding;
  bool soft;     // it has a soft binding
  json_t *json;  // crJSON of this manifest
} ink_manifest_view;

typedef enum ink_finding { INK_SUCCESS, INK_INFORMATIONAL, INK_FAILURE } ink_finding;

// Add {code, url, explanation} to results; the url is that of a box (NULL: of the store).
void ink_find(ink_validator *v, json_t *results, ink_finding kind, const char *code,
              const ink_jumbf *box, const char *format, ...) INK_PRINTF(6, 7);
json_t *ink_results_new(ink_validator *v);
// "success" …, the member of results.
const char *ink_finding_name(ink_finding kind);

// The one CBOR item that an assertion or a claim is; NULL when it is none.
const ink_cbor *ink_validate_content(ink_validator *v, const ink_jumbf *box);

// ---- one manifest, and all that lead from it (validate.c)

ink_status ink_check_manifest(ink_validator *v, const ink_jumbf *box, bool active, int depth,
                              json_t *results);
// The claim and what of it the others need; false, with a finding, where there is none to go on
// with.
bool ink_read_claim(ink_validator *v, ink_manifest_view *m);
// The hash of what a claim lists, where that names none itself (section 10.2.1); the arena's.
const char *ink_claim_algorithm(ink_validator *v, const ink_cbor *claim);
// Its signature: whose, of when, of this claim.
void ink_check_signature(ink_validator *v, ink_manifest_view *m);
// All assertions that the claim lists, and none that it does not.
void ink_check_assertions(ink_validator *v, ink_manifest_view *m);
// True when the manifest has one that is whole. Of the active manifest (`compare`) each must be the
// content's (section 18.10.5.1).
bool ink_check_soft_bindings(ink_validator *v, ink_manifest_view *m, bool compare);
void ink_check_actions(ink_validator *v, ink_manifest_view *m);
ink_status ink_check_ingredients(ink_validator *v, ink_manifest_view *m, int depth);
// The file against its hard binding.
ink_status ink_check_binding(ink_validator *v, ink_manifest_view *m, const ink_jumbf *assertion);

// ---- of assertions (validate_assertions.c)

// True for the label, and for those that are numbered.
bool ink_validate_is_label(const char *label, const char *base);
bool ink_validate_is_binding(const char *label);
// True when a byte string is the hash of a box.
bool ink_validate_hash_is(const ink_cbor *expected, const char *algorithm, const ink_jumbf *box);

// ---- as JSON (crjson.c)

// Label, assertions and claim of a manifest.
json_t *ink_crjson_manifest(ink_validator *v, const ink_manifest_view *m);

// ---- update manifests, and what manifests say of each other (validate_update.c)

// Gather stamps and redacted of all manifests in the store.
ink_status ink_validate_gather(ink_validator *v);
// A claim of another manifest says that it was taken out.
bool ink_validate_redacted(ink_validator *v, const ink_jumbf *manifest, const char *label);
// Something was taken out of the manifest.
bool ink_validate_has_redactions(ink_validator *v, const ink_jumbf *manifest);
// Nothing is left in an assertion that was taken out.
bool ink_validate_emptied(const ink_jumbf *assertion);
// What the claim takes out may be taken out; an action says rightly what.
void ink_check_redactions(ink_validator *v, ink_manifest_view *m);
void ink_check_redaction(ink_validator *v, ink_manifest_view *m, const ink_jumbf *box,
                         const ink_cbor *action);
// What an update manifest may hold, and its actions say.
void ink_check_update(ink_validator *v, ink_manifest_view *m);
void ink_check_update_action(ink_validator *v, ink_manifest_view *m, const ink_jumbf *box,
                             const ink_cbor *name);
// The form of a time-stamp assertion.
void ink_check_stamps(ink_validator *v, ink_manifest_view *m, const ink_jumbf *box);

#endif
