// The certificate profile, names, times, trust.
#include "mark/c2pa/certificate.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"

enum { MOST_ANCHORS = 1 << 24 };

static bool refuse(char *why, size_t size, const char *text) {
  snprintf(why, size, "%s", text);
  return false;
}

static bool fits_key(X509 *certificate, char *why, size_t size) {
  EVP_PKEY *key = X509_get0_pubkey(certificate);
  if (!key) return refuse(why, size, "its public key cannot be read");
  int bits = EVP_PKEY_get_bits(key);
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
      return bits >= 2048 || refuse(why, size, "an RSA key of fewer than 2,048 bits");
    case EVP_PKEY_EC:
      return bits == 256 || bits == 384 || bits == 521 ||
             refuse(why, size, "a curve other than P-256, P-384 and P-521");
    case EVP_PKEY_ED25519:
      return true;
    default:
      return refuse(why, size, "a kind of key that C2PA does not allow");
  }
}

static bool fits_signature(X509 *certificate, char *why, size_t size) {
  switch (X509_get_signature_nid(certificate)) {
    case NID_ecdsa_with_SHA256:
    case NID_ecdsa_with_SHA384:
    case NID_ecdsa_with_SHA512:
    case NID_sha256WithRSAEncryption:
    case NID_sha384WithRSAEncryption:
    case NID_sha512WithRSAEncryption:
    case NID_rsassaPss:
    case NID_ED25519:
      return true;
    default:
      return refuse(why, size, "signed with an algorithm that C2PA does not allow");
  }
}

// At least one usage that signs content, and none that means any.
static bool fits_usage(X509 *certificate, char *why, size_t size) {
  static const char *const accepted[] = {
      "1.3.6.1.5.5.7.3.4",          // emailProtection
      "1.3.6.1.5.5.7.3.36",         // documentSigning
      "1.3.6.1.4.1.311.76.59.1.9",  // Microsoft's media provenance
      INK_OID_CLAIM_SIGNING,
  };
  EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
  bool good = false, any = false;
  int n = usages ? sk_ASN1_OBJECT_num(usages) : 0;
  for (int i = 0; i < n; i++) {
    char oid[80];
    OBJ_obj2txt(oid, sizeof oid, sk_ASN1_OBJECT_value(usages, i), 1);
    any = any || strcmp(oid, "2.5.29.37.0") == 0;
    for (size_t j = 0; j < sizeof accepted / sizeof *accepted; j++) {
      good = good || strcmp(oid, accepted[j]) == 0;
    }
  }
  sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);
  if (!n) return refuse(why, size, "no extended key usage");
  if (any) return refuse(why, size, "the extended key usage \"any\"");
  return good || refuse(why, size, "no extended key usage that signs content");
}

bool ink_certificate_fits(X509 *certificate, char *why, size_t size) {
  uint32_t flags = X509_get_extension_flags(certificate);
  if (flags & EXFLAG_INVALID) return refuse(why, size, "its extensions cannot be read");
  if (X509_get_version(certificate) != X509_VERSION_3) return refuse(why, size, "not X.509 v3");
  const ASN1_BIT_STRING *issuer_id, *subject_id;
  X509_get0_uids(certificate, &issuer_id, &subject_id);
  if (issuer_id || subject_id) return refuse(why, size, "it has unique identifiers");
  if (flags & EXFLAG_SI) return refuse(why, size, "self-signed");
  if (flags & EXFLAG_CA) return refuse(why, size, "the certificate of an authority");
  if (flags & EXFLAG_CRITICAL) return refuse(why, size, "a critical extension that is not known");
  if (!(flags & EXFLAG_KUSAGE) || !(X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE)) {
    return refuse(why, size, "its key may not sign (no key usage digitalSignature)");
  }
  if (X509_get_key_usage(certificate) & KU_KEY_CERT_SIGN) {
    return refuse(why, size, "its key may sign certificates");
  }
  if (!X509_get0_authority_key_id(certificate)) {
    return refuse(why, size, "no authority key identifier");
  }
  return fits_signature(certificate, why, size) && fits_key(certificate, why, size) &&
         fits_usage(certificate, why, size);
}

bool ink_certificate_stamps(X509 *certificate) {
  return (X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) &&
         X509_get_extended_key_usage(certificate) == XKU_TIMESTAMP;
}

static int64_t seconds_of(const ASN1_TIME *time) {
  struct tm broken = {0};
  if (ASN1_TIME_to_tm(time, &broken) != 1) return 0;
  return (int64_t)timegm(&broken);
}

void ink_certificate_validity(X509 *certificate, int64_t *not_before, int64_t *not_after) {
  *not_before = seconds_of(X509_get0_notBefore(certificate));
  *not_after = seconds_of(X509_get0_notAfter(certificate));
}

void ink_time_text(int64_t seconds, char text[32]) {
  struct tm broken;
  time_t time = (time_t)seconds;
  if (!gmtime_r(&time, &broken) || !strftime(text, 32, "%Y-%m-%dT%H:%M:%S+00:00", &broken)) {
    text[0] = 0;
  }
}

static json_t *name_json(const X509_NAME *name) {
  json_t *object = json_object();
  for (int i = 0; i < X509_NAME_entry_count(name); i++) {
    const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
    const ASN1_OBJECT *kind = X509_NAME_ENTRY_get_object(entry);
    char key[80];
    int nid = OBJ_obj2nid(kind);
    if (nid == NID_undef) {
      OBJ_obj2txt(key, sizeof key, kind, 1);
    } else {
      snprintf(key, sizeof key, "%s", OBJ_nid2sn(nid));
    }
    unsigned char *text = NULL;
    int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
    if (size >= 0) json_object_set_new(object, key, json_stringn((char *)text, (size_t)size));
    OPENSSL_free(text);
  }
  return object;
}

json_t *ink_certificate_json(X509 *certificate) {
  int64_t not_before, not_after;
  char begin[32], end[32];
  ink_certificate_validity(certificate, &not_before, &not_after);
  ink_time_text(not_before, begin);
  ink_time_text(not_after, end);
  BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
  char *hex = serial ? BN_bn2hex(serial) : NULL;
  for (char *at = hex; at && *at; at++) {
    if (*at >= 'A' && *at <= 'F') *at = (char)(*at - 'A' + 'a');
  }
  json_t *json = json_pack("{s:s, s:o, s:o, s:{s:s, s:s}}", "serialNumber", hex ? hex : "",
                           "issuer", name_json(X509_get_issuer_name(certificate)), "subject",
                           name_json(X509_get_subject_name(certificate)), "validity", "notBefore",
                           begin, "notAfter", end);
  OPENSSL_free(hex);
  BN_free(serial);
  return json;
}

void ink_certificate_name(X509 *certificate, char *name, size_t size) {
  json_t *subject = name_json(X509_get_subject_name(certificate));
  const char *text = json_string_value(json_object_get(subject, "CN"));
  if (!text) text = json_string_value(json_object_get(subject, "O"));
  snprintf(name, size, "%s", text ? text : "");
  json_decref(subject);
}

// ---- trust

struct ink_anchors {
  X509_STORE *store;
};

static ink_status read_anchors(const char *pem, const char *name, ink_anchors **anchors,
                               ink_error *error) {
  if (!*anchors) {
    ink_anchors *made = calloc(1, sizeof *made);
    if (made) made->store = X509_STORE_new();
    if (!made || !made->store) {
      free(made);
      return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for anchors", name);
    }
    *anchors = made;
  }
  BIO *bio = BIO_new_mem_buf(pem, -1);
  size_t n = 0;
  for (X509 *at; bio && (at = PEM_read_bio_X509(bio, NULL, NULL, NULL));) {
    n += X509_STORE_add_cert((*anchors)->store, at) == 1;
    X509_free(at);
  }
  BIO_free(bio);
  ERR_clear_error();
  if (!n) return ink_fail(error, INK_ERR_FORMAT, "%s: no certificate in PEM", name);
  return INK_OK;
}

ink_status ink_anchors_open(const char *path, ink_anchors **anchors, ink_error *error) {
  char *pem;
  size_t size;
  INK_TRY(ink_file_read(path, MOST_ANCHORS, &pem, &size, error));
  ink_status status = read_anchors(pem, path, anchors, error);
  free(pem);
  return status;
}

void ink_anchors_free(ink_anchors *anchors) {
  if (!anchors) return;
  X509_STORE_free(anchors->store);
  free(anchors);
}

bool ink_anchors_trust(const ink_anchors *anchors, X509 *leaf, X509 *const *others, size_t n,
                       int64_t time) {
  if (!anchors) return false;
  STACK_OF(X509) *untrusted = sk_X509_new_null();
  X509_STORE_CTX *context = X509_STORE_CTX_new();
  bool trusted = false;
  if (untrusted && context) {
    for (size_t i = 0; i < n; i++) sk_X509_push(untrusted, others[i]);
    if (X509_STORE_CTX_init(context, anchors->store, leaf, untrusted) == 1) {
      X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
      X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
      X509_VERIFY_PARAM_set_time(parameters, (time_t)time);
      trusted = X509_verify_cert(context) == 1;
    }
  }
  X509_STORE_CTX_free(context);
  sk_X509_free(untrusted);
  ERR_clear_error();
  return trusted;
}
