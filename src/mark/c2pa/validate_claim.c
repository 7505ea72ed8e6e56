// The claim of a manifest, and who signed it when: signature, certificate, time-stamps (C2PA
// specification 2.4, sections 15.6 to 15.8).
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "mark/c2pa/validate_parts.h"

// ---- the claim

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

const char *ink_claim_algorithm(ink_validator *v, const ink_cbor *claim) {
  const char *algorithm = ink_cbor_string(v->arena, ink_cbor_get(claim, "alg"));
  return algorithm ? algorithm : "sha256";
}

bool ink_read_claim(ink_validator *v, ink_manifest_view *m) {
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
  m->algorithm = ink_claim_algorithm(v, m->claim);
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

void ink_check_signature(ink_validator *v, ink_manifest_view *m) {
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
    bool good;
    if (ink_cose_verify(&m->cose, key, m->claim_box->bytes, m->claim_box->size, &good, NULL) !=
        INK_OK) {
      v->failed = true;
    } else if (!good) {
      ink_find(v, m->results, INK_FAILURE, "claimSignature.mismatch", box,
               "the signature is not that of the claim");
    } else if (time < not_before || time > not_after) {
      ink_find(
          v, m->results, INK_FAILURE, "claimSignature.outsideValidity", box,
          time < not_before ? "its certificate was not valid yet" : "its certificate has expired");
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
