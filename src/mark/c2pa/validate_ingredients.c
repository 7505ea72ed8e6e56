// What went into a file: the manifests of ingredients, and what is found of them beyond what was
// recorded (C2PA specification 2.4, sections 15.11 and 18.15).
#include <string.h>

#include "mark/c2pa/validate_parts.h"

// What an ingredient's assertion already tells of a finding.
static bool is_recorded(const ink_cbor *ingredient, const char *kind, const char *code,
                        const char *url) {
  const ink_cbor *results = ink_cbor_get(ingredient, "validationResults");
  const ink_cbor *lists[2] = {
      ink_cbor_member(ink_cbor_get(results, "activeManifest"), kind, INK_CBOR_ARRAY),
      ink_cbor_member(ingredient, "validationStatus", INK_CBOR_ARRAY)};
  for (int i = 0; i < 2; i++) {
    for (const ink_cbor *at = lists[i] ? lists[i]->first : NULL; at; at = at->next) {
      if (ink_cbor_is(ink_cbor_get(at, "code"), code) &&
          ink_cbor_is(ink_cbor_get(at, "url"), url)) {
        return true;
      }
    }
  }
  return false;
}

static void add_delta(ink_validator *v, const ink_jumbf *box, const ink_cbor *ingredient,
                      const json_t *results) {
  json_t *kept = ink_results_new(v);
  size_t n = 0;
  for (int kind = 0; kind < 3; kind++) {
    const char *name = ink_finding_name((ink_finding)kind);
    size_t i;
    json_t *finding;
    json_array_foreach(json_object_get(results, name), i, finding) {
      const char *code = json_string_value(json_object_get(finding, "code"));
      const char *url = json_string_value(json_object_get(finding, "url"));
      if (is_recorded(ingredient, name, code, url)) continue;
      if (json_array_append(json_object_get(kept, name), finding) != 0) v->failed = true;
      n++;
    }
  }
  ink_text uri = {0};
  ink_jumbf_uri(box, &uri);
  json_t *delta = n ? json_pack("{s:s, s:O}", "ingredientAssertionURI", ink_text_string(&uri),
                                "validationDeltas", kept)
                    : NULL;
  if (uri.failed) v->failed = true;
  if (n && json_array_append_new(v->report->deltas, delta) != 0) v->failed = true;
  ink_text_free(&uri);
  json_decref(kept);
}

// Of a hashed URI in an assertion of the manifest.
static const char *algorithm_of(ink_validator *v, const ink_manifest_view *m,
                                const ink_cbor *reference) {
  const char *algorithm = ink_cbor_string(v->arena, ink_cbor_get(reference, "alg"));
  return algorithm ? algorithm : m->algorithm;
}

static ink_status check_provenance(ink_validator *v, const ink_manifest_view *m,
                                   const ink_jumbf *box, const ink_cbor *ingredient,
                                   const ink_cbor *reference, bool v3, int depth, json_t *results) {
  const char *uri = ink_cbor_string(v->arena, ink_cbor_get(reference, "url"));
  const ink_cbor *hash = ink_cbor_member(reference, "hash", INK_CBOR_BYTES);
  const ink_jumbf *manifest = ink_jumbf_resolve(v->store, NULL, uri);
  if (!manifest || manifest->parent != v->store || !hash) {
    ink_find(v, results, INK_FAILURE, "ingredient.manifest.missing", box,
             "the manifest of the ingredient is not in the store");
    return INK_OK;
  }
  if (v3) {
    // Where something was taken out of it, its signature alone tells that it is the one.
    bool same = ink_validate_hash_is(hash, algorithm_of(v, m, reference), manifest),
         redacted = ink_validate_has_redactions(v, manifest);
    if (!redacted)
      ink_find(v, results, same ? INK_SUCCESS : INK_FAILURE,
               same ? "ingredient.manifest.validated" : "ingredient.manifest.mismatch", box,
               same ? "the manifest of the ingredient is what was signed"
                    : "the manifest of the ingredient is not what was signed");
    const ink_cbor *signature = ink_cbor_get(ingredient, "claimSignature");
    const ink_cbor *expected = ink_cbor_member(signature, "hash", INK_CBOR_BYTES);
    const ink_jumbf *target = ink_jumbf_child(manifest, "c2pa.signature");
    if (redacted && !(expected && target)) {
      ink_find(v, results, INK_FAILURE, "ingredient.claimSignature.missing", box,
               "the ingredient, of which something was taken out, is not told by its signature");
    } else if (expected && target) {
      same = ink_validate_hash_is(expected, algorithm_of(v, m, signature), target);
      ink_find(v, results, same ? INK_SUCCESS : INK_FAILURE,
               same ? "ingredient.claimSignature.validated" : "ingredient.claimSignature.mismatch",
               box, same ? "as signed" : "it is not what was signed");
    }
  }
  for (size_t i = 0; i < v->n_seen; i++) {
    if (v->seen[i] == manifest) return INK_OK;
  }
  return ink_check_manifest(v, manifest, false, depth + 1, results);
}

ink_status ink_check_ingredients(ink_validator *v, ink_manifest_view *m, int depth) {
  const ink_jumbf *store = ink_jumbf_child(m->box, "c2pa.assertions");
  size_t n_parent = 0;
  ink_status status = INK_OK;
  for (const ink_jumbf *at = store ? store->first : NULL; at && status == INK_OK; at = at->next) {
    if (!at->label || strncmp(at->label, "c2pa.ingredient", 15) != 0) continue;
    const ink_cbor *map = ink_validate_content(v, at);
    if (!map || map->kind != INK_CBOR_MAP) continue;
    const ink_cbor *relationship = ink_cbor_get(map, "relationship");
    n_parent += ink_cbor_is(relationship, "parentOf");
    const ink_cbor *reference = ink_cbor_member(map, "activeManifest", INK_CBOR_MAP);
    bool v3 = reference != NULL;
    if (!reference) reference = ink_cbor_member(map, "c2pa_manifest", INK_CBOR_MAP);
    json_t *results = ink_results_new(v);
    if (reference) {
      status = check_provenance(v, m, at, map, reference, v3, depth, results);
    } else if (!ink_cbor_is(relationship, "inputTo")) {
      ink_find(v, results, INK_INFORMATIONAL, "ingredient.unknownProvenance", at,
               "nothing tells where the ingredient comes from");
    }
    if (status == INK_OK) add_delta(v, at, map, results);
    json_decref(results);
  }
  if (n_parent > 1) {
    ink_find(v, m->results, INK_FAILURE, "manifest.multipleParents", m->box,
             "a manifest has one parent at most");
  }
  return status;
}
