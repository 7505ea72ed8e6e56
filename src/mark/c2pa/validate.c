// The validator's way through a manifest store: from the file to the store, from manifest to
// manifest, to the state of all.
#include "mark/c2pa/validate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/progress.h"
#include "mark/c2pa/validate_parts.h"

enum { ARENA = 1 << 28 };

const ink_cbor *ink_validate_content(ink_validator *v, const ink_jumbf *box) {
  const ink_jumbf *content = ink_jumbf_content(box, "cbor");
  const ink_cbor *item = NULL;
  if (!content) return NULL;
  ink_status status =
      ink_cbor_read(v->arena, content->bytes, content->size, box->label, &item, NULL);
  // What was not read for want of memory is not malformed, and passing it over would hide it.
  v->failed = v->failed || status == INK_ERR_MEMORY;
  return status == INK_OK ? item : NULL;
}

// ---- one manifest

// The manifest that an update manifest updates.
static const ink_jumbf *parent_of(ink_validator *v, const ink_jumbf *box) {
  const ink_jumbf *store = ink_jumbf_child(box, "c2pa.assertions");
  for (const ink_jumbf *at = store ? store->first : NULL; at; at = at->next) {
    if (!at->label || strncmp(at->label, "c2pa.ingredient", 15) != 0) continue;
    const ink_cbor *map = ink_validate_content(v, at);
    const ink_cbor *reference = ink_cbor_get(map, "activeManifest");
    if (!reference) reference = ink_cbor_get(map, "c2pa_manifest");
    const char *uri = ink_cbor_string(v->arena, ink_cbor_get(reference, "url"));
    if (ink_cbor_is(ink_cbor_get(map, "relationship"), "parentOf") && uri) {
      return ink_jumbf_resolve(v->store, NULL, uri);
    }
  }
  return NULL;
}

static const ink_jumbf *binding_of(const ink_jumbf *manifest) {
  const ink_jumbf *store = ink_jumbf_child(manifest, "c2pa.assertions");
  for (const ink_jumbf *at = store ? store->first : NULL; at; at = at->next) {
    if (at->label && ink_validate_is_binding(at->label)) return at;
  }
  return NULL;
}

static ink_status check_bindings(ink_validator *v, ink_manifest_view *m, bool active) {
  if (strcmp(m->box->kind, "c2um") == 0) {
    ink_check_update(v, m);
    const ink_jumbf *at = m->box;
    for (int i = 0; at && strcmp(at->kind, "c2um") == 0 && i < INK_INGREDIENTS_DEEP; i++) {
      at = parent_of(v, at);
    }
    const ink_jumbf *binding = at && strcmp(at->kind, "c2ma") == 0 ? binding_of(at) : NULL;
    if (!binding) {
      ink_find(v, m->results, INK_FAILURE, "claim.hardBindings.missing", m->box,
               "what the manifest updates binds no content");
      return INK_OK;
    }
    return active ? ink_check_binding(v, m, binding) : INK_OK;
  }
  if (m->n_binding != 1) {
    ink_find(v, m->results, INK_FAILURE,
             m->n_binding ? "assertion.multipleHardBindings" : "claim.hardBindings.missing", m->box,
             m->n_binding ? "the manifest binds its content more than once"
                          : "the manifest is not bound to any content");
    return INK_OK;
  }
  return active ? ink_check_binding(v, m, m->bindings[0]) : INK_OK;
}

ink_status ink_check_manifest(ink_validator *v, const ink_jumbf *box, bool active, int depth,
                              json_t *results) {
  if (depth > INK_INGREDIENTS_DEEP || v->n_seen == INK_MANIFESTS_MOST) {
    ink_find(v, results, INK_FAILURE, "general.error", box,
             "more manifests, or deeper, than are looked at");
    return INK_OK;
  }
  v->seen[v->n_seen++] = box;
  ink_manifest_view *m = ink_arena_zeros(v->arena, 1, sizeof *m);
  if (!m) return ink_fail(v->error, INK_ERR_MEMORY, "no memory to validate a manifest");
  m->box = box;
  m->results = results;
  if (strcmp(box->kind, "c2ma") != 0 && strcmp(box->kind, "c2um") != 0) {
    if (strcmp(box->kind, "c2cm") == 0) {
      return ink_fail(v->error, INK_ERR_UNSUPPORTED,
                      "the manifest %s is compressed, which is not read here", box->label);
    }
    ink_find(v, results, INK_FAILURE, "claim.missing", box, "it is no manifest");
    return INK_OK;
  }
  bool claimed = ink_read_claim(v, m);
  m->json = ink_crjson_manifest(v, m);
  ink_status status = INK_OK;
  if (claimed) {
    ink_check_signature(v, m);
    ink_check_assertions(v, m);
    ink_check_redactions(v, m);
    m->soft = ink_check_soft_bindings(v, m, active && v->options->soft_matches);
    ink_check_actions(v, m);
    status = check_bindings(v, m, active);
    // Ingredients come behind what they went into.
    if (m->json) {
      json_object_set(m->json, "validationResults", results);
      if (json_array_append(v->report->manifests, m->json) != 0) v->failed = true;
    }
    if (status == INK_OK) status = ink_check_ingredients(v, m, depth);
  }
  json_decref(m->json);
  return status;
}

// ---- the file

static bool only_untrusted(const json_t *results) {
  size_t i;
  json_t *finding;
  json_array_foreach(json_object_get(results, "failure"), i, finding) {
    const char *code = json_string_value(json_object_get(finding, "code"));
    if (strcmp(code, "signingCredential.untrusted") != 0) return false;
  }
  return true;
}

static ink_c2pa_state judge(const ink_c2pa_report *report) {
  bool holds = only_untrusted(report->results);
  size_t i;
  json_t *delta;
  json_array_foreach(report->deltas, i, delta) {
    holds = holds && only_untrusted(json_object_get(delta, "validationDeltas"));
  }
  // What did not say that the signature and the content are good is not valid.
  holds = holds && ink_c2pa_says(report, "claimSignature.validated") &&
          (ink_c2pa_says(report, "assertion.dataHash.match") ||
           ink_c2pa_says(report, "assertion.collectionHash.match") ||
           ink_c2pa_says(report, "assertion.boxesHash.match"));
  if (!holds) return INK_C2PA_INVALID;
  return ink_c2pa_says(report, "signingCredential.trusted") ? INK_C2PA_TRUSTED : INK_C2PA_VALID;
}

// True when a box in front of this one has its label.
static bool has_label_before(const ink_jumbf *store, const ink_jumbf *box) {
  for (const ink_jumbf *at = store->first; box->label && at != box; at = at->next) {
    if (at->label && strcmp(at->label, box->label) == 0) return true;
  }
  return false;
}

static ink_status check_store(ink_validator *v, const unsigned char *bytes, size_t size) {
  ink_error fault = {0};
  ink_jumbf *store;
  json_t *results = v->report->results;
  ink_status status = ink_jumbf_read(v->arena, bytes, size, &store, &fault);
  if (status == INK_ERR_MEMORY) return ink_fail(v->error, status, "%s", fault.text);
  if (status != INK_OK) {
    ink_find(v, results, INK_FAILURE, "general.error", NULL, "%s", fault.text);
    return INK_OK;
  }
  v->store = store;
  if (strcmp(store->kind, "c2pa") != 0 || strcmp(store->label, "c2pa") != 0) {
    ink_find(v, results, INK_FAILURE, "general.error", NULL, "it is no manifest store");
    return INK_OK;
  }
  const ink_jumbf *active = NULL;
  for (const ink_jumbf *at = store->first; at; at = at->next) {
    if (at->label) active = at;
    if (has_label_before(store, at)) {
      ink_find(v, results, INK_FAILURE, "general.error", at, "two manifests have one label");
    }
    if (!at->label) {
      ink_find(v, results, INK_FAILURE, "general.error", NULL,
               "the store holds what is no manifest");
    }
  }
  if (!active) {
    ink_find(v, results, INK_FAILURE, "claim.missing", store, "the store is empty");
    return INK_OK;
  }
  snprintf(v->report->active, sizeof v->report->active, "%s", active->label);
  INK_TRY(ink_validate_gather(v));
  return ink_check_manifest(v, active, true, 0, results);
}

static ink_status validate_place(ink_validator *v, const unsigned char *sidecar,
                                 size_t sidecar_size) {
  ink_place place = {0};
  ink_error fault = {0};
  json_t *results = v->report->results;
  ink_status status = INK_OK;
  if (v->carrier) {
    status = ink_carrier_find(v->carrier, v->bytes, v->size, &place, &fault);
    if (status == INK_ERR_MEMORY) {
      ink_place_free(&place);
      return ink_fail(v->error, status, "%s", fault.text);
    }
  }
  v->report->state = INK_C2PA_INVALID;
  if (status != INK_OK && !sidecar) {
    ink_find(v, results, INK_FAILURE, "general.error", NULL, "%s", fault.text);
    status = INK_OK;
  } else if (place.present && place.code) {
    ink_find(v, results, INK_FAILURE, place.code, NULL, "%s", place.why);
  } else if (place.present) {
    v->place = &place;
    status = check_store(v, (const unsigned char *)ink_text_string(&place.store), place.store.size);
    v->place = NULL;
  } else if (sidecar) {
    status = check_store(v, sidecar, sidecar_size);
  } else {
    v->report->state = INK_C2PA_NONE;
  }
  ink_place_free(&place);
  return status;
}

ink_status ink_c2pa_validate(const unsigned char *bytes, size_t size, const ink_carrier *carrier,
                             const unsigned char *sidecar, size_t sidecar_size,
                             const ink_c2pa_options *options, ink_c2pa_report *report,
                             ink_error *error) {
  static const ink_c2pa_options nobody;
  *report = (ink_c2pa_report){0};
  ink_validator *v = calloc(1, sizeof *v);
  ink_arena *arena = ink_arena_new(ARENA);
  if (!v || !arena) {
    free(v);
    ink_arena_free(arena);
    return ink_fail(error, INK_ERR_MEMORY, "no memory to validate a manifest");
  }
  *v = (ink_validator){.bytes = bytes,
                       .size = size,
                       .carrier = carrier,
                       .options = options ? options : &nobody,
                       .arena = arena,
                       .report = report,
                       .error = error};
  v->now = v->options->now ? v->options->now : (int64_t)time(NULL);
  report->results = ink_results_new(v);
  report->deltas = json_array();
  report->manifests = json_array();
  report->said = json_object();
  ink_status status = report->results && report->deltas && report->manifests && report->said
                          ? validate_place(v, sidecar, sidecar_size)
                          : INK_ERR_MEMORY;
  if (status == INK_OK && (v->failed || ink_arena_refused(arena))) status = INK_ERR_MEMORY;
  if (status == INK_ERR_MEMORY) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory to validate a manifest");
  }
  if (status == INK_OK && report->state != INK_C2PA_NONE) report->state = judge(report);
  if (status != INK_OK) ink_c2pa_report_free(report);
  ink_arena_free(arena);
  free(v);
  return status;
}
