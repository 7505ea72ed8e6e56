// RFC 3161 tokens, through OpenSSL's TS and PKCS #7.
#include "mark/c2pa/timestamp.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs7.h>
#include <openssl/ts.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

static PKCS7 *read_token(const unsigned char *bytes, size_t size) {
  const unsigned char *at = bytes;
  if (size > 1 << 20) return NULL;
  PKCS7 *token = d2i_PKCS7(NULL, &at, (long)size);
  if (token) return token;
  at = bytes;
  TS_RESP *response = d2i_TS_RESP(NULL, &at, (long)size);
  if (response && TS_RESP_get_token(response)) token = PKCS7_dup(TS_RESP_get_token(response));
  TS_RESP_free(response);
  return token;
}

// The hash of what was stamped, under the token's own algorithm.
static bool imprint_matches(TS_TST_INFO *info, const void *stamped, size_t size) {
  TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(info);
  const ASN1_OBJECT *oid;
  X509_ALGOR_get0(&oid, NULL, NULL, TS_MSG_IMPRINT_get_algo(imprint));
  const EVP_MD *hash = EVP_get_digestbyobj(oid);
  const ASN1_OCTET_STRING *expected = TS_MSG_IMPRINT_get_msg(imprint);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_size = 0;
  int nid = hash ? EVP_MD_get_type(hash) : NID_undef;
  if (nid != NID_sha256 && nid != NID_sha384 && nid != NID_sha512) return false;
  if (EVP_Digest(stamped, size, digest, &digest_size, hash, NULL) != 1) return false;
  return ASN1_STRING_length(expected) == (int)digest_size &&
         memcmp(ASN1_STRING_get0_data(expected), digest, digest_size) == 0;
}

static bool time_of(TS_TST_INFO *info, int64_t *seconds) {
  struct tm broken = {0};
  if (ASN1_TIME_to_tm(TS_TST_INFO_get_time(info), &broken) != 1) return false;
  *seconds = (int64_t)timegm(&broken);
  return true;
}

// The signature over the token's content by a certificate within the token.
static bool signature_holds(PKCS7 *token) {
  BIO *content = BIO_new(BIO_s_null());
  bool holds =
      content && PKCS7_verify(token, NULL, NULL, NULL, content, PKCS7_NOVERIFY | PKCS7_BINARY) == 1;
  BIO_free(content);
  return holds;
}

static void judge(PKCS7 *token, TS_TST_INFO *info, const void *stamped, size_t size,
                  const ink_anchors *anchors, ink_timestamp *out) {
  STACK_OF(X509) *signers = PKCS7_get0_signers(token, NULL, 0);
  X509 *signer = signers && sk_X509_num(signers) == 1 ? sk_X509_value(signers, 0) : NULL;
  if (signer) ink_certificate_name(signer, out->name, sizeof out->name);
  if (signer && time_of(info, &out->time)) {
    int64_t not_before, not_after;
    ink_certificate_validity(signer, &not_before, &not_after);
    out->signer = ink_certificate_json(signer);
    if (!imprint_matches(info, stamped, size)) {
      out->state = INK_TIMESTAMP_MISMATCH;
    } else if (!signature_holds(token) || !ink_certificate_stamps(signer)) {
      out->state = INK_TIMESTAMP_MALFORMED;
    } else if (out->time < not_before || out->time > not_after) {
      out->state = INK_TIMESTAMP_OUTSIDE;
    } else {
      out->state = INK_TIMESTAMP_VALIDATED;
      X509 *others[8];
      size_t n = 0;
      STACK_OF(X509) *chain = token->d.sign->cert;
      for (int i = 0; i < sk_X509_num(chain) && n < 8; i++) others[n++] = sk_X509_value(chain, i);
      out->trusted = ink_anchors_trust(anchors, signer, others, n, out->time);
    }
  }
  sk_X509_free(signers);
}

void ink_timestamp_check(const void *token, size_t size, const void *stamped, size_t stamped_size,
                         const ink_anchors *anchors, ink_timestamp *timestamp) {
  *timestamp = (ink_timestamp){.state = INK_TIMESTAMP_MALFORMED};
  PKCS7 *read = read_token(token, size);
  if (read && PKCS7_type_is_signed(read) && read->d.sign) {
    TS_TST_INFO *info = PKCS7_to_TS_TST_INFO(read);
    if (info) judge(read, info, stamped, stamped_size, anchors, timestamp);
    TS_TST_INFO_free(info);
  }
  PKCS7_free(read);
  ERR_clear_error();
}

void ink_timestamp_free(ink_timestamp *timestamp) {
  json_decref(timestamp->signer);
  *timestamp = (ink_timestamp){0};
}
