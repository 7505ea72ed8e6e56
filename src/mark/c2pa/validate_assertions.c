// The assertions that a claim lists: each is there, as it was signed, and says what it may; soft
// bindings are those of the content (C2PA specification 2.4, sections 15.10 and 18.10).
#include <jansson.h>
#include <string.h>

#include "mark/c2pa/digest.h"
#include "mark/c2pa/validate_parts.h"

bool ink_validate_is_label(const char *label, const char *base) {
  size_t n = strlen(base);
  return strncmp(label, base, n) == 0 && (!label[n] || strncmp(label + n, "__", 2) == 0);
}

bool ink_validate_is_binding(const char *label) {
  static const char *const bindings[] = {
      "c2pa.hash.data",    "c2pa.hash.boxes",           "c2pa.hash.bmff",       "c2pa.hash.bmff.v2",
      "c2pa.hash.bmff.v3", "c2pa.hash.collection.data", "c2pa.hash.multi-asset"};
  for (size_t i = 0; i < sizeof bindings / sizeof *bindings; i++) {
    if (ink_validate_is_label(label, bindings[i])) return true;
  }
  return false;
}

bool ink_validate_hash_is(const ink_cbor *expected, const char *algorithm, const ink_jumbf *box) {
  unsigned char hash[INK_DIGEST_MOST];
  size_t size = ink_digest_size(algorithm);
  return size && expected->size == size &&
         ink_digest_of(algorithm, box->bytes, box->size, hash, NULL) == INK_OK &&
         memcmp(expected->bytes, hash, size) == 0;
}

static void check_content(ink_validator *v, ink_manifest_view *m, const ink_jumbf *box) {
  const ink_jumbf *json = ink_jumbf_content(box, "json");
  if (ink_jumbf_content(box, "cbor") && !ink_validate_content(v, box)) {
    ink_find(v, m->results, INK_FAILURE, "assertion.cbor.invalid", box, "it is not CBOR");
  }
  if (json) {
    json_t *read = json_loadb((const char *)json->bytes, json->size,
                              JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (!read) {
      ink_find(v, m->results, INK_FAILURE, "assertion.json.invalid", box, "it is not JSON");
    }
    json_decref(read);
  }
  if (ink_validate_is_label(box->label, "c2pa.time-stamp")) ink_check_stamps(v, m, box);
}

// One hashed URI of the claim. *box is what it names, when it names one assertion of this manifest.
static void check_reference(ink_validator *v, ink_manifest_view *m, const ink_cbor *reference,
                            const ink_jumbf **box) {
  const char *uri = ink_cbor_string(v->arena, ink_cbor_get(reference, "url"));
  const ink_cbor *hash = ink_cbor_member(reference, "hash", INK_CBOR_BYTES);
  const char *algorithm = ink_cbor_string(v->arena, ink_cbor_get(reference, "alg"));
  const ink_jumbf *found = ink_jumbf_resolve(v->store, m->box, uri);
  *box = NULL;
  if (!uri || !hash) {
    ink_find(v, m->results, INK_FAILURE, "claim.malformed", m->box,
             "an entry of its assertions is no hashed URI");
    return;
  }
  const char *label = strrchr(uri, '/') ? strrchr(uri, '/') + 1 : uri;
  if (!found || !found->label) {
    if (ink_validate_redacted(v, m->box, label)) return;
    ink_find(v, m->results, INK_FAILURE, "assertion.missing", m->box, "%s is not there", uri);
    return;
  }
  if (!found->parent || found->parent->parent != m->box ||
      strcmp(found->parent->label, "c2pa.assertions") != 0 ||
      strcmp(found->parent->kind, "c2as") != 0) {
    ink_find(v, m->results, INK_FAILURE, "assertion.outsideManifest", found,
             "it is not among the assertions of its manifest");
    return;
  }
  *box = found;
  if (ink_validate_redacted(v, m->box, found->label)) {
    if (!ink_validate_emptied(found)) {
      ink_find(v, m->results, INK_FAILURE, "assertion.notRedacted", found,
               "a claim says that it was taken out, and it is there");
    }
    return;
  }
  if (!algorithm) algorithm = m->algorithm;
  if (!ink_digest_size(algorithm)) {
    ink_find(v, m->results, INK_FAILURE, "algorithm.unsupported", found,
             "no hash of C2PA is named \"%.40s\"", algorithm);
  } else if (ink_validate_hash_is(hash, algorithm, found)) {
    ink_find(v, m->results, INK_SUCCESS, "assertion.hashedURI.match", found, "as signed");
    check_content(v, m, found);
  } else {
    ink_find(v, m->results, INK_FAILURE, "assertion.hashedURI.mismatch", found,
             "it is not what was signed");
  }
}

// All assertions that the claim lists, and none that it does not.
void ink_check_assertions(ink_validator *v, ink_manifest_view *m) {
  const char *const lists[] = {"assertions", "created_assertions", "gathered_assertions"};
  const ink_jumbf *listed[INK_ASSERTIONS_MOST];
  size_t n = 0;
  for (size_t i = m->v2 ? 1 : 0; i < (m->v2 ? 3U : 1U); i++) {
    const ink_cbor *list = ink_cbor_get(m->claim, lists[i]);
    for (const ink_cbor *at = list ? list->first : NULL; at; at = at->next) {
      const ink_jumbf *box;
      if (n == INK_ASSERTIONS_MOST) {
        ink_find(v, m->results, INK_FAILURE, "claim.malformed", m->box, "too many assertions");
        return;
      }
      check_reference(v, m, at, &box);
      if (!box) continue;
      listed[n++] = box;
      if (ink_validate_is_binding(box->label)) {
        if (m->n_binding < sizeof m->bindings / sizeof *m->bindings) {
          m->bindings[m->n_binding++] = box;
        }
      }
    }
  }
  const ink_jumbf *store = ink_jumbf_child(m->box, "c2pa.assertions");
  for (const ink_jumbf *at = store ? store->first : NULL; at; at = at->next) {
    bool declared = false;
    for (size_t i = 0; i < n; i++) declared = declared || listed[i] == at;
    if (!declared) {
      ink_find(v, m->results, INK_FAILURE, "assertion.undeclared", at->label ? at : store,
               "the claim does not speak of it");
    }
  }
}

// ---- soft bindings (section 18.10)

// Algorithm and blocks of an assertion; NULL where it is not whole.
static const ink_cbor *soft_blocks(ink_validator *v, const ink_manifest_view *m,
                                   const ink_jumbf *assertion, const char **algorithm) {
  const ink_cbor *map = ink_validate_content(v, assertion);
  const ink_cbor *blocks = ink_cbor_member(map, "blocks", INK_CBOR_ARRAY);
  *algorithm = ink_cbor_string(v->arena, ink_cbor_get(map, "alg"));
  if (!*algorithm) *algorithm = ink_cbor_string(v->arena, ink_cbor_get(m->claim, "alg_soft"));
  if (!*algorithm || !blocks || !blocks->n) return NULL;
  for (const ink_cbor *at = blocks->first; at; at = at->next) {
    if (!ink_cbor_member(at, "scope", INK_CBOR_MAP) ||
        !ink_cbor_member(at, "value", INK_CBOR_BYTES)) {
      return NULL;
    }
  }
  return blocks;
}

bool ink_check_soft_bindings(ink_validator *v, ink_manifest_view *m, bool compare) {
  const ink_jumbf *store = ink_jumbf_child(m->box, "c2pa.assertions");
  bool has = false, match = true;
  for (const ink_jumbf *at = store ? store->first : NULL; at; at = at->next) {
    const char *algorithm;
    if (!at->label || !ink_validate_is_label(at->label, "c2pa.soft-binding")) continue;
    const ink_cbor *blocks = soft_blocks(v, m, at, &algorithm);
    has = has || blocks;
    match = match && blocks;
    for (const ink_cbor *block = blocks ? blocks->first : NULL; compare && block;
         block = block->next) {
      const ink_cbor *value = ink_cbor_member(block, "value", INK_CBOR_BYTES);
      match = match && v->options->soft_matches(v->options->soft_context, algorithm, value->bytes,
                                                value->size);
    }
  }
  if (compare && has) v->report->soft = match ? INK_C2PA_SOFT_MATCH : INK_C2PA_SOFT_MISMATCH;
  return has;
}
