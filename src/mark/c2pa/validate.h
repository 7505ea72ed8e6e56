// Validating what a file says of itself (C2PA specification 2.4, chapter 15): structure, hashes,
// signature, certificate, time-stamp, ingredients; with the specification's status codes.
#ifndef INK_MARK_C2PA_VALIDATE_H
#define INK_MARK_C2PA_VALIDATE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "mark/c2pa/carrier.h"
#include "mark/c2pa/certificate.h"

typedef enum ink_c2pa_state {
  INK_C2PA_NONE,     // the file has no manifest
  INK_C2PA_INVALID,  // something in it does not hold
  INK_C2PA_VALID,    // all of it holds; who signed is not on the list of those who are trusted
  INK_C2PA_TRUSTED
} ink_c2pa_state;

// "none", "Invalid", "Valid", "Trusted".
const char *ink_c2pa_state_name(ink_c2pa_state state);

typedef struct ink_c2pa_options {
  const ink_anchors *anchors;        // whose signatures are trusted; NULL: nobody's
  const ink_anchors *stamp_anchors;  // whose time-stamps are
  int64_t now;                       // seconds since 1970; 0: the clock
  // The store was found apart from the file: what its hard binding leaves out is not excused.
  bool recovered;
  // Whether a soft binding of the active manifest is that of the content; NULL: not asked.
  bool (*soft_matches)(void *context, const char *algorithm, const unsigned char *value,
                       size_t size);
  void *soft_context;
} ink_c2pa_options;

typedef enum ink_c2pa_soft {
  INK_C2PA_SOFT_NONE,   // the manifest has none, or it was not asked for
  INK_C2PA_SOFT_MATCH,  // all of them match
  INK_C2PA_SOFT_MISMATCH
} ink_c2pa_soft;

// Zero-initialise it; release with ink_c2pa_report_free.
typedef struct ink_c2pa_report {
  ink_c2pa_state state;
  char active[160];  // label of the active manifest
  // {success, informational, failure}: arrays of {code, url, explanation}, of the active manifest.
  json_t *results;
  // [{ingredientAssertionURI, validationDeltas {success, informational, failure}}]: what was found
  // of ingredients beyond what their assertions tell.
  json_t *deltas;
  // The manifests as crJSON has them, the active one first.
  json_t *manifests;
  // The report speaks English, since it goes into manifests and to programs. What its explanations
  // are in the language of the error that went along, by their English.
  json_t *said;
  ink_c2pa_soft soft;
} ink_c2pa_report;

// Validate a file whose carrier is known (NULL: none; then only a sidecar tells of it). `sidecar`
// is a manifest store that lies apart, or NULL; a store in the file goes before it. What is wrong
// with the file stands in the report and is INK_OK. Errors are those of memory, and UNSUPPORTED for
// ways of binding that are not known here.
ink_status ink_c2pa_validate(const unsigned char *bytes, size_t size, const ink_carrier *carrier,
                             const unsigned char *sidecar, size_t sidecar_size,
                             const ink_c2pa_options *options, ink_c2pa_report *report,
                             ink_error *error);
void ink_c2pa_report_free(ink_c2pa_report *report);

// True when a status code stands among the failures, or anywhere, of the active manifest.
bool ink_c2pa_failed_with(const ink_c2pa_report *report, const char *code);
bool ink_c2pa_says(const ink_c2pa_report *report, const char *code);
// The JSON of an assertion of that manifest, borrowed; NULL when there is none.
const json_t *ink_c2pa_assertion_of(const ink_c2pa_report *report, const char *label);

#endif
