// The validator's way through a manifest store.
#include "mark/c2pa/validate.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/progress.h"
#include "mark/c2pa/digest.h"
#include "mark/c2pa/validate_parts.h"

enum { ARENA = 1 << 28 };

const char *ink_c2pa_state_name(ink_c2pa_state state) {
  static const char *const names[] = {"none", "Invalid", "Valid", "Trusted"};
  return names[state];
}

// ---- findings

static const char *const kinds[] = {"success", "informational", "failure"};

json_t *ink_results_new(ink_validator *v) {
  json_t *results = json_pack("{s:[], s:[], s:[]}", kinds[0], kinds[1], kinds[2]);
  if (!results) v->failed = true;
  return results;
}

void ink_find(ink_validator *v, json_t *results, ink_finding kind, const char *code,
              const ink_jumbf *box, const char *format, ...) {
  char text[320];
  ink_text uri = {0}, explanation = {0};
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (box) ink_jumbf_uri(box, &uri);
  ink_text_add_lossy(&explanation, text, strlen(text));
  json_t *finding = json_pack("{s:s, s:s, s:s}", "code", code, "url", ink_text_string(&uri),
                              "explanation", ink_text_string(&explanation));
  // A failure that goes missing would make a file valid.
  if (!finding || json_array_append_new(json_object_get(results, kinds[kind]), finding) != 0) {
    v->failed = true;
  }
  ink_text_free(&uri);
  ink_text_free(&explanation);
}

// ---- the claim

const ink_cbor *ink_validate_content(ink_validator *v, const ink_jumbf *box) {
  const ink_jumbf *content = ink_jumbf_content(box, "cbor");
  const ink_cbor *item = NULL;
  if (!content) return NULL;
  if (ink_cbor_read(v->arena, content->bytes, content->size, box->label, &item, NULL) != INK_OK) {
    return NULL;
  }
  return item;
}

static bool claim_is_whole(const ink_manifest_view *m) {
  const ink_cbor *claim = m->claim;
  if (claim->kind != INK_CBOR_MAP || !ink_cbor_member(claim, "signature", INK_CBOR_TEXT) ||
      !ink_cbor_member(claim, "instanceID", INK_CBOR_TEXT)) {
    return false;
  }
  if (!m->v2) return ink_cbor_member(claim, "assertions", INK_CBOR_ARRAY) != NULL;
  const ink_cbor *generator = ink_cbor_member(claim, "claim_generator_info", INK_CBOR_MAP);
  const ink_cbor *gathered = ink_cbor_get(claim, "gathered_assertions");
  return ink_cbor_member(generator, "name", INK_CBOR_TEXT) &&
         ink_cbor_member(claim, "created_assertions", INK_CBOR_ARRAY) &&
         (!gathered || gathered->kind == INK_CBOR_ARRAY);
}

static bool read_claim(ink_validator *v, ink_manifest_view *m) {
  const ink_jumbf *claim = NULL;
  size_t n = 0;
  for (const ink_jumbf *at = m->box->first; at; at = at->next) {
    if (!at->label || strcmp(at->kind, "c2cl") != 0) continue;
    claim = at;
    n++;
  }
  if (n != 1) {
    ink_find(v, m->results, INK_FAILURE, n ? "claim.multiple" : "claim.missing", m->box,
             n ? "the manifest has several claims" : "the manifest has no claim");
    return false;
  }
  m->v2 = strcmp(claim->label, "c2pa.claim.v2") == 0;
  if (!m->v2 && strcmp(claim->label, "c2pa.claim") != 0) {
    ink_find(v, m->results, INK_FAILURE, "claim.missing", claim, "no claim has such a label");
    return false;
  }
  m->claim_box = ink_jumbf_content(claim, "cbor");
  m->claim = ink_validate_content(v, claim);
  if (!m->claim) {
    ink_find(v, m->results, INK_FAILURE, "claim.cbor.invalid", claim, "the claim is not CBOR");
    return false;
  }
  if (!claim_is_whole(m)) {
    ink_find(v, m->results, INK_FAILURE, "claim.malformed", claim,
             "the claim lacks what every claim has");
    return false;
  }
  m->algorithm = ink_cbor_string(v->arena, ink_cbor_get(m->claim, "alg"));
  if (!m->algorithm) m->algorithm = "sha256";
  return true;
}

// ---- the signature

// What became of one token.
static bool report_stamp(ink_validator *v, ink_manifest_view *m, const ink_jumbf *box,
                         const ink_timestamp *stamp, bool of_claim, json_t *json) {
  switch (stamp->state) {
    case INK_TIMESTAMP_MALFORMED:
      ink_find(v, m->results, INK_INFORMATIONAL, "timeStamp.malformed", box,
               "the time-stamp is none, or not signed by its signer");
      return false;
    case INK_TIMESTAMP_MISMATCH:
      ink_find(v, m->results, INK_INFORMATIONAL, "timeStamp.mismatch", box,
               "the time-stamp of %s is of something else", stamp->name);
      return false;
    case INK_TIMESTAMP_OUTSIDE:
      ink_find(v, m->results, INK_INFORMATIONAL, "timeStamp.outsideValidity", box,
               "the certificate of %s was not valid at its time-stamp", stamp->name);
      return false;
    case INK_TIMESTAMP_VALIDATED:
      break;
  }
  ink_find(v, m->results, INK_SUCCESS, "timeStamp.validated", box, "time-stamped by %s",
           stamp->name);
  // Claims of version 1 are older than the list of time-stamp authorities.
  if (!stamp->trusted && (m->v2 || !of_claim)) {
    ink_find(v, m->results, INK_INFORMATIONAL, "timeStamp.untrusted", box,
             "%s is not on the list of time-stamp authorities", stamp->name);
    return false;
  }
  char text[32];
  ink_find(v, m->results, INK_SUCCESS, "timeStamp.trusted", box, "%s is trusted", stamp->name);
  ink_time_text(stamp->time, text);
  json_object_set_new(json, "timeStampInfo",
                      json_pack("{s:s, s:O}", "timestamp", text, "certificateInfo", stamp->signer));
  return true;
}

// The token beside the signature. True when it proves a time.
static bool check_header_stamp(ink_validator *v, ink_manifest_view *m, const ink_jumbf *box,
                               json_t *json, int64_t *time) {
  ink_text stamped = {0};
  ink_timestamp stamp = {0};
  if (m->cose.n_stamp > 1) {
    ink_find(v, m->results, INK_INFORMATIONAL, "timeStamp.malformed", box,
             "there are %zu time-stamps where one is allowed", m->cose.n_stamp);
    return false;
  }
  bool good =
      ink_cose_stamped(&m->cose, m->claim_box->bytes, m->claim_box->size, &stamped, NULL) == INK_OK;
  if (good) {
    ink_timestamp_check(m->cose.stamp->bytes, m->cose.stamp->size, stamped.bytes, stamped.size,
                        v->options->stamp_anchors, &stamp);
    good = report_stamp(v, m, box, &stamp, m->cose.stamp_of_claim, json);
    *time = stamp.time;
  } else {
    v->failed = true;
  }
  ink_text_free(&stamped);
  ink_timestamp_free(&stamp);
  return good;
}

// A token that another manifest holds for this one: of the signature's bytes, as c2pa-rs reads
// section 18.17.3, or of the structure that tokens beside signatures stamp.
static bool check_late_stamp(ink_validator *v, ink_manifest_view *m, const ink_jumbf *box,
                             const ink_cbor *token, json_t *json, int64_t *time) {
  ink_timestamp stamp = {0};
  ink_text stamped = {0};
  const ink_cbor *signature = m->cose.signature;
  ink_timestamp_check(token->bytes, token->size, signature->bytes, signature->size,
                      v->options->stamp_anchors, &stamp);
  if (stamp.state == INK_TIMESTAMP_MISMATCH) {
    ink_cose plain = m->cose;
    plain.stamp_of_claim = false;
    ink_timestamp_free(&stamp);
    if (ink_cose_stamped(&plain, NULL, 0, &stamped, NULL) != INK_OK) v->failed = true;
    ink_timestamp_check(token->bytes, token->size, ink_text_string(&stamped), stamped.size,
                        v->options->stamp_anchors, &stamp);
  }
  bool good = report_stamp(v, m, box, &stamp, false, json);
  *time = stamp.time;
  ink_text_free(&stamped);
  ink_timestamp_free(&stamp);
  return good;
}

// Time at which the signature was made, as far as it is proven; else now (section 15.8.1).
static int64_t check_stamp(ink_validator *v, ink_manifest_view *m, const ink_jumbf *signature,
                           json_t *json) {
  int64_t time = v->now;
  if (m->cose.stamp && check_header_stamp(v, m, signature, json, &time)) return time;
  for (const ink_store_word *at = v->stamps; at; at = at->next) {
    const ink_cbor *token = ink_cbor_member(at->item, m->box->label, INK_CBOR_BYTES);
    if (token && check_late_stamp(v, m, at->box, token, json, &time)) return time;
  }
  return v->now;
}

static void check_credential(ink_validator *v, ink_manifest_view *m, const ink_jumbf *signature,
                             X509 *leaf, int64_t time, json_t *json) {
  char why[160], name[128];
  ink_certificate_name(leaf, name, sizeof name);
  json_object_set_new(json, "algorithm", json_string(ink_cose_algorithm_name(m->cose.algorithm)));
  json_object_set_new(json, "certificateInfo", ink_certificate_json(leaf));
  if (!ink_certificate_fits(leaf, why, sizeof why)) {
    ink_find(v, m->results, INK_FAILURE, "signingCredential.invalid", signature,
             "the certificate may not sign claims: %s", why);
    return;
  }
  X509 *others[INK_SIGNER_CERTIFICATES];
  size_t n = 0;
  for (size_t i = 1; i < m->cose.n_certificate; i++) {
    const unsigned char *der = m->cose.certificates[i];
    others[n] = d2i_X509(NULL, &der, (long)m->cose.sizes[i]);
    if (others[n]) n++;
  }
  if (ink_anchors_trust(v->options->anchors, leaf, others, n, time)) {
    ink_find(v, m->results, INK_SUCCESS, "signingCredential.trusted", signature, "%s is trusted",
             name);
  } else {
    ink_find(v, m->results, INK_FAILURE, "signingCredential.untrusted", signature,
             "%s is not on the list of those who are trusted", name);
  }
  for (size_t i = 0; i < n; i++) X509_free(others[i]);
}

static void check_signature(ink_validator *v, ink_manifest_view *m) {
  const char *uri = ink_cbor_string(v->arena, ink_cbor_get(m->claim, "signature"));
  const ink_jumbf *box = ink_jumbf_resolve(v->store, m->box, uri);
  const ink_jumbf *content = ink_jumbf_content(box, "cbor");
  if (!content || box->parent != m->box || strcmp(box->kind, "c2cs") != 0 ||
      strcmp(box->label, "c2pa.signature") != 0) {
    ink_find(v, m->results, INK_FAILURE, "claimSignature.missing", m->box,
             "the claim's signature is not in its manifest");
    return;
  }
  ink_error fault = {0};
  json_t *json = json_object();
  if (m->json && json) json_object_set_new(m->json, "signature", json_incref(json));
  if (ink_cose_read(v->arena, content->bytes, content->size, &m->cose, &fault) != INK_OK) {
    ink_find(
        v, m->results, INK_FAILURE,
        fault.status == INK_ERR_UNSUPPORTED ? "algorithm.unsupported" : "claimSignature.mismatch",
        box, "%s", fault.text);
    json_decref(json);
    return;
  }
  const unsigned char *der = m->cose.certificates[0];
  X509 *leaf = d2i_X509(NULL, &der, (long)m->cose.sizes[0]);
  EVP_PKEY *key = leaf ? X509_get0_pubkey(leaf) : NULL;
  if (!key || der != m->cose.certificates[0] + m->cose.sizes[0]) {
    ink_find(v, m->results, INK_FAILURE, "signingCredential.invalid", box,
             "its certificate cannot be read");
  } else {
    int64_t not_before, not_after, time = check_stamp(v, m, box, json);
    check_credential(v, m, box, leaf, time, json);
    ink_certificate_validity(leaf, &not_before, &not_after);
    if (!ink_cose_verify(&m->cose, key, m->claim_box->bytes, m->claim_box->size)) {
      ink_find(v, m->results, INK_FAILURE, "claimSignature.mismatch", box,
               "the signature is not that of the claim");
    } else if (time < not_before || time > not_after) {
      ink_find(v, m->results, INK_FAILURE, "claimSignature.outsideValidity", box,
               "its certificate %s", time < not_before ? "was not valid yet" : "has expired");
    } else {
      ink_find(v, m->results, INK_SUCCESS, "claimSignature.insideValidity", box,
               "made while its certificate is valid");
      ink_find(v, m->results, INK_SUCCESS, "claimSignature.validated", box,
               "the claim is what was signed");
    }
  }
  X509_free(leaf);
  json_decref(json);
  ERR_clear_error();
}

// ---- assertions

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

static bool hash_matches(const ink_cbor *expected, const char *algorithm, const ink_jumbf *box) {
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
  } else if (hash_matches(hash, algorithm, found)) {
    ink_find(v, m->results, INK_SUCCESS, "assertion.hashedURI.match", found, "as signed");
    check_content(v, m, found);
  } else {
    ink_find(v, m->results, INK_FAILURE, "assertion.hashedURI.mismatch", found,
             "it is not what was signed");
  }
}

// All assertions that the claim lists, and none that it does not.
static void check_assertions(ink_validator *v, ink_manifest_view *m) {
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

// True when the manifest has one that is whole. Of the active manifest each must be the content's
// (section 18.10.5.1).
static bool check_soft_bindings(ink_validator *v, ink_manifest_view *m, bool compare) {
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

// ---- actions

static const ink_cbor *first_ingredient(const ink_cbor *action) {
  const ink_cbor *parameters = ink_cbor_get(action, "parameters");
  const ink_cbor *list = ink_cbor_member(parameters, "ingredients", INK_CBOR_ARRAY);
  if (list) return list->first;
  return ink_cbor_member(parameters, "ingredient", INK_CBOR_MAP);
}

// Opened and placed things are ingredients (section 15.10.3.2).
static void check_action(ink_validator *v, ink_manifest_view *m, const ink_jumbf *box,
                         const ink_cbor *action, bool first) {
  const ink_cbor *name = ink_cbor_member(action, "action", INK_CBOR_TEXT);
  bool opened = ink_cbor_is(name, "c2pa.opened"), created = ink_cbor_is(name, "c2pa.created");
  bool update = strcmp(m->box->kind, "c2um") == 0;
  if (update && name) ink_check_update_action(v, m, box, name);
  if (ink_cbor_is(name, "c2pa.redacted")) ink_check_redaction(v, m, box, action);
  if (!name || (first && !opened && !created && !update)) {
    ink_find(v, m->results, INK_FAILURE, "assertion.action.malformed", box,
             "the first action is neither c2pa.created nor c2pa.opened");
    return;
  }
  if (!first && (opened || created)) {
    ink_find(v, m->results, INK_FAILURE, "assertion.action.malformed", box,
             "an action that only comes first comes later");
  }
  if (ink_cbor_is(name, "c2pa.watermarked.bound") && !m->soft) {
    ink_find(v, m->results, INK_FAILURE, "assertion.action.softBindingMissing", box,
             "an action speaks of a watermark that no soft binding describes");
  }
  if (!opened && !ink_cbor_is(name, "c2pa.placed") && !ink_cbor_is(name, "c2pa.removed")) return;
  const ink_cbor *ingredient = first_ingredient(action);
  const char *uri = ink_cbor_string(v->arena, ink_cbor_get(ingredient, "url"));
  const ink_jumbf *target = ink_jumbf_resolve(v->store, m->box, uri);
  const ink_cbor *map = target ? ink_validate_content(v, target) : NULL;
  const ink_cbor *relationship = ink_cbor_get(map, "relationship");
  bool fits = target && (opened ? ink_cbor_is(relationship, "parentOf")
                                : ink_cbor_is(relationship, "componentOf"));
  if (!fits) {
    ink_find(v, m->results, INK_FAILURE, "assertion.action.ingredientMismatch", box,
             "an action has not the ingredient that it needs");
  }
}

static void check_actions(ink_validator *v, ink_manifest_view *m) {
  const ink_jumbf *store = ink_jumbf_child(m->box, "c2pa.assertions");
  size_t n = 0;
  if (!m->v2) return;
  for (const ink_jumbf *at = store ? store->first : NULL; at; at = at->next) {
    if (!at->label || (!ink_validate_is_label(at->label, "c2pa.actions.v2") &&
                       !ink_validate_is_label(at->label, "c2pa.actions"))) {
      continue;
    }
    const ink_cbor *list = ink_cbor_member(ink_validate_content(v, at), "actions", INK_CBOR_ARRAY);
    if (!list || !list->n) {
      ink_find(v, m->results, INK_FAILURE, "assertion.action.malformed", at, "no actions in it");
      continue;
    }
    for (const ink_cbor *action = list->first; action; action = action->next) {
      check_action(v, m, at, action, n == 0 && action == list->first);
    }
    n++;
  }
  if (!n && strcmp(m->box->kind, "c2ma") == 0) {
    ink_find(v, m->results, INK_FAILURE, "assertion.action.malformed", m->box,
             "the manifest says neither c2pa.created nor c2pa.opened");
  }
}

// ---- ingredients

static ink_status check_manifest(ink_validator *v, const ink_jumbf *box, bool active, int depth,
                                 json_t *results);

// What an ingredient's assertion already tells of a finding.
static bool is_recorded(const ink_validator *v, const ink_cbor *ingredient, const char *kind,
                        const char *code, const char *url) {
  const ink_cbor *results = ink_cbor_get(ingredient, "validationResults");
  const ink_cbor *lists[2] = {
      ink_cbor_member(ink_cbor_get(results, "activeManifest"), kind, INK_CBOR_ARRAY),
      ink_cbor_member(ingredient, "validationStatus", INK_CBOR_ARRAY)};
  (void)v;
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
    size_t i;
    json_t *finding;
    json_array_foreach(json_object_get(results, kinds[kind]), i, finding) {
      const char *code = json_string_value(json_object_get(finding, "code"));
      const char *url = json_string_value(json_object_get(finding, "url"));
      if (is_recorded(v, ingredient, kinds[kind], code, url)) continue;
      if (json_array_append(json_object_get(kept, kinds[kind]), finding) != 0) v->failed = true;
      n++;
    }
  }
  ink_text uri = {0};
  ink_jumbf_uri(box, &uri);
  json_t *delta = n ? json_pack("{s:s, s:O}", "ingredientAssertionURI", ink_text_string(&uri),
                                "validationDeltas", kept)
                    : NULL;
  if (n && json_array_append_new(v->report->deltas, delta) != 0) v->failed = true;
  ink_text_free(&uri);
  json_decref(kept);
}

static ink_status check_provenance(ink_validator *v, const ink_jumbf *box,
                                   const ink_cbor *ingredient, const ink_cbor *reference, bool v3,
                                   int depth, json_t *results) {
  const char *uri = ink_cbor_string(v->arena, ink_cbor_get(reference, "url"));
  const ink_cbor *hash = ink_cbor_member(reference, "hash", INK_CBOR_BYTES);
  const char *algorithm = ink_cbor_string(v->arena, ink_cbor_get(reference, "alg"));
  const ink_jumbf *manifest = ink_jumbf_resolve(v->store, NULL, uri);
  if (!algorithm) algorithm = "sha256";
  if (!manifest || manifest->parent != v->store || !hash) {
    ink_find(v, results, INK_FAILURE, "ingredient.manifest.missing", box,
             "the manifest of the ingredient is not in the store");
    return INK_OK;
  }
  if (v3) {
    // Where something was taken out of it, its signature alone tells that it is the one.
    bool same = hash_matches(hash, algorithm, manifest),
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
      same = hash_matches(expected, algorithm, target);
      ink_find(v, results, same ? INK_SUCCESS : INK_FAILURE,
               same ? "ingredient.claimSignature.validated" : "ingredient.claimSignature.mismatch",
               box, same ? "as signed" : "it is not what was signed");
    }
  }
  for (size_t i = 0; i < v->n_seen; i++) {
    if (v->seen[i] == manifest) return INK_OK;
  }
  return check_manifest(v, manifest, false, depth + 1, results);
}

static ink_status check_ingredients(ink_validator *v, ink_manifest_view *m, int depth) {
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
      status = check_provenance(v, at, map, reference, v3, depth, results);
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

static ink_status check_manifest(ink_validator *v, const ink_jumbf *box, bool active, int depth,
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
  bool claimed = read_claim(v, m);
  m->json = ink_crjson_manifest(v, m);
  ink_status status = INK_OK;
  if (claimed) {
    check_signature(v, m);
    check_assertions(v, m);
    ink_check_redactions(v, m);
    m->soft = check_soft_bindings(v, m, active && v->options->soft_matches);
    check_actions(v, m);
    status = check_bindings(v, m, active);
    // Ingredients come behind what they went into.
    if (m->json) {
      json_object_set(m->json, "validationResults", results);
      if (json_array_append(v->report->manifests, m->json) != 0) v->failed = true;
    }
    if (status == INK_OK) status = check_ingredients(v, m, depth);
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
    for (const ink_jumbf *other = store->first; other != at; other = other->next) {
      if (at->label && other->label && strcmp(at->label, other->label) == 0) {
        ink_find(v, results, INK_FAILURE, "general.error", at, "two manifests have one label");
      }
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
  return check_manifest(v, active, true, 0, results);
}

static ink_status validate_place(ink_validator *v, const unsigned char *sidecar,
                                 size_t sidecar_size) {
  ink_place place = {0};
  ink_error fault = {0};
  json_t *results = v->report->results;
  ink_status status = INK_OK;
  if (v->carrier) {
    status = v->carrier->find(v->carrier, v->bytes, v->size, &place, &fault);
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
  ink_status status = report->results && report->deltas && report->manifests
                          ? validate_place(v, sidecar, sidecar_size)
                          : INK_ERR_MEMORY;
  if (status == INK_OK && v->failed) status = INK_ERR_MEMORY;
  if (status == INK_ERR_MEMORY) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory to validate a manifest");
  }
  if (status == INK_OK && report->state != INK_C2PA_NONE) report->state = judge(report);
  if (status != INK_OK) ink_c2pa_report_free(report);
  ink_arena_free(arena);
  free(v);
  return status;
}

void ink_c2pa_report_free(ink_c2pa_report *report) {
  json_decref(report->results);
  json_decref(report->deltas);
  json_decref(report->manifests);
  *report = (ink_c2pa_report){0};
}

static bool has_code(const json_t *list, const char *code) {
  size_t i;
  json_t *finding;
  json_array_foreach((json_t *)list, i, finding) {
    if (strcmp(json_string_value(json_object_get(finding, "code")), code) == 0) return true;
  }
  return false;
}

bool ink_c2pa_failed_with(const ink_c2pa_report *report, const char *code) {
  return has_code(json_object_get(report->results, "failure"), code);
}

bool ink_c2pa_says(const ink_c2pa_report *report, const char *code) {
  for (int i = 0; i < 3; i++) {
    if (has_code(json_object_get(report->results, kinds[i]), code)) return true;
  }
  return false;
}

const json_t *ink_c2pa_described(const ink_c2pa_report *report) {
  size_t i;
  json_t *manifest;
  // Each stands before its ingredients, and an update has no other than what it updates.
  json_array_foreach(report->manifests, i, manifest) {
    if (!json_is_true(json_object_get(manifest, "isUpdateManifest"))) return manifest;
  }
  return NULL;
}

const json_t *ink_c2pa_assertion_of(const ink_c2pa_report *report, const char *label) {
  return json_object_get(json_object_get(ink_c2pa_described(report), "assertions"), label);
}
