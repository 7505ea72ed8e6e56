// COSE_Sign1: reading, verifying, signing, writing.
#include "mark/c2pa/cose.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

enum { TAG_SIGN1 = 18, HEADER_ALGORITHM = 1, HEADER_CHAIN = 33, BUILDER_LIMIT = 1 << 24 };

// ---- reading

static ink_status malformed(const char *what, ink_error *error) {
  return ink_fail(error, INK_ERR_FORMAT, "signature: %s", what);
}

static ink_status read_chain(const ink_cbor *chain, ink_cose *cose, ink_error *error) {
  const ink_cbor *at = chain->kind == INK_CBOR_ARRAY ? chain->first : chain;
  for (; at; at = chain->kind == INK_CBOR_ARRAY ? at->next : NULL) {
    if (at->kind != INK_CBOR_BYTES || !at->size) {
      return malformed("a certificate is not a byte string", error);
    }
    if (cose->n_certificate == INK_SIGNER_CERTIFICATES) {
      return malformed("its chain of certificates is too long", error);
    }
    cose->certificates[cose->n_certificate] = at->bytes;
    cose->sizes[cose->n_certificate++] = at->size;
  }
  return cose->n_certificate ? INK_OK : malformed("it has no certificate", error);
}

// The chain stands under label 33; early writers used the name, and the unprotected header.
static const ink_cbor *find_chain(const ink_cbor *protected_header, const ink_cbor *unprotected) {
  const ink_cbor *const headers[] = {protected_header, unprotected};
  for (int i = 0; i < 2; i++) {
    const ink_cbor *chain = ink_cbor_get_int(headers[i], HEADER_CHAIN);
    if (!chain) chain = ink_cbor_get(headers[i], "x5chain");
    if (chain) return chain;
  }
  return NULL;
}

static const ink_cbor *first_stamp(const ink_cbor *unprotected, const char *key, size_t *n) {
  const ink_cbor *stamps = ink_cbor_member(unprotected, key, INK_CBOR_MAP);
  const ink_cbor *tokens = ink_cbor_member(stamps, "tstTokens", INK_CBOR_ARRAY);
  *n = tokens ? tokens->n : 0;
  return tokens ? ink_cbor_member(tokens->first, "val", INK_CBOR_BYTES) : NULL;
}

ink_status ink_cose_read(ink_arena *arena, const void *bytes, size_t size, ink_cose *cose,
                         ink_error *error) {
  const ink_cbor *item;
  *cose = (ink_cose){0};
  INK_TRY(ink_cbor_read(arena, bytes, size, "signature", &item, error));
  if (item->kind == INK_CBOR_TAG && item->n == TAG_SIGN1) {
    item = item->first;
  } else if (item->kind == INK_CBOR_TAG) {
    return malformed("its CBOR tag is not that of COSE_Sign1", error);
  }
  if (item->kind != INK_CBOR_ARRAY || item->n != 4) return malformed("not a COSE_Sign1", error);
  const ink_cbor *header = item->first, *unprotected = header->next;
  const ink_cbor *payload = unprotected->next;
  cose->signature = payload->next;
  if (header->kind != INK_CBOR_BYTES || unprotected->kind != INK_CBOR_MAP ||
      cose->signature->kind != INK_CBOR_BYTES) {
    return malformed("not a COSE_Sign1", error);
  }
  // The claim is detached; an empty string in place of null was once usual.
  if (payload->kind != INK_CBOR_NULL && !(payload->kind == INK_CBOR_BYTES && !payload->size)) {
    return malformed("it holds a payload; C2PA's claims are detached", error);
  }
  const ink_cbor *map;
  INK_TRY(ink_cbor_read(arena, header->bytes, header->size, "protected header", &map, error));
  cose->protected_header = header->bytes;
  cose->protected_size = header->size;
  if (!ink_cbor_int(ink_cbor_get_int(map, HEADER_ALGORITHM), &cose->algorithm) ||
      !ink_cose_algorithm_name(cose->algorithm)) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "signature: its algorithm is none that C2PA allows");
  }
  const ink_cbor *chain = find_chain(map, unprotected);
  if (!chain) return malformed("it has no certificate", error);
  INK_TRY(read_chain(chain, cose, error));
  cose->stamp = first_stamp(unprotected, "sigTst2", &cose->n_stamp);
  if (!cose->stamp) {
    cose->stamp = first_stamp(unprotected, "sigTst", &cose->n_stamp);
    cose->stamp_of_claim = cose->stamp != NULL;
  }
  return INK_OK;
}

// ---- what is signed

// RFC 9052, section 4.4: [context, protected header, external data (none), payload].
static ink_status signed_bytes(const char *context, const void *header, size_t header_size,
                               const void *payload, size_t payload_size, ink_text *out,
                               ink_error *error) {
  ink_arena *arena = ink_arena_new(BUILDER_LIMIT);
  if (!arena) return ink_fail(error, INK_ERR_MEMORY, "signature: no memory");
  ink_cbor_builder b = {.arena = arena};
  ink_cbor *array = ink_cbor_new_array(&b);
  ink_cbor_add(&b, array, ink_cbor_new_text(&b, context));
  ink_cbor_add(&b, array, ink_cbor_new_bytes(&b, header, header_size));
  ink_cbor_add(&b, array, ink_cbor_new_bytes(&b, "", 0));
  ink_cbor_add(&b, array, ink_cbor_new_bytes(&b, payload, payload_size));
  ink_status status = ink_cbor_write(&b, array, out, error);
  ink_arena_free(arena);
  return status;
}

ink_status ink_cose_stamped(const ink_cose *cose, const void *claim, size_t size, ink_text *out,
                            ink_error *error) {
  const void *payload = cose->stamp_of_claim ? claim : cose->signature->span;
  size_t payload_size = cose->stamp_of_claim ? size : cose->signature->span_size;
  return signed_bytes("CounterSignature", cose->protected_header, cose->protected_size, payload,
                      payload_size, out, error);
}

static bool is_ecdsa(int64_t algorithm) {
  return algorithm == INK_COSE_ES256 || algorithm == INK_COSE_ES384 || algorithm == INK_COSE_ES512;
}

// The key must be of the algorithm's kind.
static bool key_fits(EVP_PKEY *key, int64_t algorithm) {
  int kind = EVP_PKEY_get_base_id(key);
  if (is_ecdsa(algorithm)) return kind == EVP_PKEY_EC;
  if (algorithm == INK_COSE_EDDSA) return kind == EVP_PKEY_ED25519;
  return kind == EVP_PKEY_RSA || kind == EVP_PKEY_RSA_PSS;
}

static EVP_MD_CTX *begin(EVP_PKEY *key, int64_t algorithm, bool sign) {
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  EVP_PKEY_CTX *parameters = NULL;
  const EVP_MD *hash = ink_cose_algorithm_hash(algorithm);
  int good = context != NULL;
  if (good) {
    good = sign ? EVP_DigestSignInit(context, &parameters, hash, NULL, key)
                : EVP_DigestVerifyInit(context, &parameters, hash, NULL, key);
  }
  if (good == 1 && !is_ecdsa(algorithm) && algorithm != INK_COSE_EDDSA) {
    good = EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  if (good == 1) return context;
  EVP_MD_CTX_free(context);
  return NULL;
}

static size_t field_size(EVP_PKEY *key) {
  return ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;
}

// COSE writes r and s at full length, one after the other; OpenSSL wants DER.
static unsigned char *der_of(EVP_PKEY *key, const unsigned char *raw, size_t size, int *der_size) {
  size_t field = field_size(key);
  if (size != 2 * field) return NULL;
  ECDSA_SIG *pair = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(raw, (int)field, NULL), *s = BN_bin2bn(raw + field, (int)field, NULL);
  unsigned char *der = NULL;
  if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
    *der_size = i2d_ECDSA_SIG(pair, &der);
  } else {
    BN_free(r);
    BN_free(s);
  }
  ECDSA_SIG_free(pair);
  return der;
}

ink_status ink_cose_verify(const ink_cose *cose, EVP_PKEY *key, const void *claim, size_t size,
                           bool *good, ink_error *error) {
  *good = false;
  if (!key_fits(key, cose->algorithm)) return INK_OK;
  ink_text message = {0};
  unsigned char *der = NULL;
  const unsigned char *signature = cose->signature->bytes;
  size_t signature_size = cose->signature->size;
  ink_status status = signed_bytes("Signature1", cose->protected_header, cose->protected_size,
                                   claim, size, &message, error);
  bool whole = status == INK_OK;
  if (whole && is_ecdsa(cose->algorithm)) {
    int der_size = 0;
    der = der_of(key, signature, signature_size, &der_size);
    whole = der && der_size > 0;
    signature = der;
    signature_size = (size_t)der_size;
  }
  EVP_MD_CTX *context = whole ? begin(key, cose->algorithm, false) : NULL;
  *good = context && EVP_DigestVerify(context, signature, signature_size,
                                      (const unsigned char *)message.bytes, message.size) == 1;
  EVP_MD_CTX_free(context);
  OPENSSL_free(der);
  ink_text_free(&message);
  ERR_clear_error();
  return status;
}

// ---- writing

ink_status ink_cose_protect(const ink_signer *signer, ink_text *header, ink_error *error) {
  ink_arena *arena = ink_arena_new(BUILDER_LIMIT);
  if (!arena) return ink_fail(error, INK_ERR_MEMORY, "signature: no memory");
  ink_cbor_builder b = {.arena = arena};
  ink_cbor *map = ink_cbor_new_map(&b), *chain = NULL;
  if (signer->n_certificate == 1) {
    chain = ink_cbor_new_bytes(&b, signer->certificates[0], signer->sizes[0]);
  } else {
    chain = ink_cbor_new_array(&b);
    for (size_t i = 0; i < signer->n_certificate; i++) {
      ink_cbor_add(&b, chain, ink_cbor_new_bytes(&b, signer->certificates[i], signer->sizes[i]));
    }
  }
  ink_cbor_put_int(&b, map, HEADER_ALGORITHM, ink_cbor_new_int(&b, signer->algorithm));
  ink_cbor_put_int(&b, map, HEADER_CHAIN, chain);
  ink_status status = ink_cbor_write(&b, map, header, error);
  ink_arena_free(arena);
  return status;
}

// The pair in DER becomes r and s at full length.
static bool raw_of(EVP_PKEY *key, const unsigned char *der, size_t size, unsigned char *raw,
                   size_t *raw_size) {
  size_t field = field_size(key);
  ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)size);
  bool good = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, (int)field) > 0 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + field, (int)field) > 0;
  ECDSA_SIG_free(pair);
  *raw_size = 2 * field;
  return good;
}

// A key in a token signs the hash, but for Ed25519, which hashes by itself.
static ink_status sign_in_token(const ink_signer *signer, const ink_text *message,
                                unsigned char *signature, size_t *size, ink_error *error) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  const EVP_MD *kind = ink_cose_algorithm_hash(signer->algorithm);
  if (!kind) {
    return ink_token_sign(signer->token, INK_TOKEN_EDDSA, message->bytes, message->size, signature,
                          size, error);
  }
  if (EVP_Digest(message->bytes, message->size, hash, &n, kind, NULL) != 1) {
    return ink_fail(error, INK_ERR_INTERNAL, "the crypto library does not hash: %s",
                    ink_openssl_reason());
  }
  bool ecdsa = is_ecdsa(signer->algorithm);
  INK_TRY(ink_token_sign(signer->token, ecdsa ? INK_TOKEN_ECDSA : INK_TOKEN_RSA_PSS, hash, n,
                         signature, size, error));
  if (!ecdsa || *size == 2 * field_size(signer->key)) return INK_OK;
  return ink_fail(error, INK_ERR_CONFLICT,
                  "the private key is of another curve than its certificate");
}

ink_status ink_cose_sign(const ink_signer *signer, const ink_text *header, const void *claim,
                         size_t claim_size, unsigned char signature[INK_COSE_SIGNATURE],
                         size_t *signature_size, ink_error *error) {
  ink_text message = {0};
  unsigned char made[INK_COSE_SIGNATURE];
  size_t size = sizeof made;
  INK_TRY(
      signed_bytes("Signature1", header->bytes, header->size, claim, claim_size, &message, error));
  if (signer->token) {
    ink_status status = sign_in_token(signer, &message, signature, &size, error);
    ink_text_free(&message);
    *signature_size = size;
    return status;
  }
  EVP_MD_CTX *context = begin(signer->key, signer->algorithm, true);
  bool good = context && EVP_DigestSign(context, made, &size, (const unsigned char *)message.bytes,
                                        message.size) == 1;
  EVP_MD_CTX_free(context);
  ink_text_free(&message);
  if (good && is_ecdsa(signer->algorithm)) {
    good = raw_of(signer->key, made, size, signature, signature_size);
  } else if (good) {
    memcpy(signature, made, size);
    *signature_size = size;
  }
  if (good) return INK_OK;
  return ink_fail(error, INK_ERR_INTERNAL, "the private key does not sign: %s",
                  ink_openssl_reason());
}

ink_status ink_cose_to_stamp(const ink_text *header, const unsigned char *signature, size_t size,
                             ink_text *out, ink_error *error) {
  ink_arena *arena = ink_arena_new(BUILDER_LIMIT);
  if (!arena) return ink_fail(error, INK_ERR_MEMORY, "signature: no memory");
  ink_cbor_builder b = {.arena = arena};
  ink_text item = {0};
  // The byte string with its head: what the specification calls the serialised signature.
  ink_status status = ink_cbor_write(&b, ink_cbor_new_bytes(&b, signature, size), &item, error);
  if (status == INK_OK) {
    status = signed_bytes("CounterSignature", header->bytes, header->size, item.bytes, item.size,
                          out, error);
  }
  ink_text_free(&item);
  ink_arena_free(arena);
  return status;
}

// "sigTst2" and "tstTokens" with their heads, a map in an array in a map, "val", and its value.
static size_t stamp_size(size_t token_size) {
  size_t head = token_size < 24 ? 1 : token_size < 256 ? 2 : token_size < 65536 ? 3 : 5;
  return 8 + 1 + 10 + 1 + 1 + 4 + head + token_size;
}

size_t ink_cose_stamp_room(size_t token_size) {
  return stamp_size(token_size) + INK_COSE_STAMP_LEAST_PAD;
}

static ink_cbor *stamps_of(ink_cbor_builder *b, const ink_text *token) {
  ink_cbor *stamps = ink_cbor_new_map(b), *tokens = ink_cbor_new_array(b);
  ink_cbor *one = ink_cbor_new_map(b);
  ink_cbor_put(b, one, "val", ink_cbor_new_bytes(b, token->bytes, token->size));
  ink_cbor_add(b, tokens, one);
  ink_cbor_put(b, stamps, "tstTokens", tokens);
  return stamps;
}

ink_status ink_cose_write(const ink_text *header, const unsigned char *signature, size_t size,
                          size_t n_pad, size_t n_high, const ink_text *stamp, ink_text *out,
                          ink_error *error) {
  bool stamped = stamp && stamp->size;
  if (stamped) {
    // Both lengths of padding have heads of three bytes.
    if (n_pad >= 65536 || n_pad < ink_cose_stamp_room(stamp->size)) {
      return ink_fail(error, INK_ERR_UNSUPPORTED,
                      "signature: no room for a time-stamp of %zu bytes", stamp->size);
    }
    n_pad -= stamp_size(stamp->size);
  }
  unsigned char *pad = calloc(1, n_pad + 1);
  ink_arena *arena = ink_arena_new(BUILDER_LIMIT);
  if (!pad || !arena) {
    free(pad);
    ink_arena_free(arena);
    return ink_fail(error, INK_ERR_MEMORY, "signature: no memory");
  }
  memset(pad, 0xFF, n_high < n_pad ? n_high : n_pad);
  ink_cbor_builder b = {.arena = arena};
  ink_cbor *array = ink_cbor_new_array(&b), *unprotected = ink_cbor_new_map(&b);
  ink_cbor_put(&b, unprotected, "pad", ink_cbor_new_bytes(&b, pad, n_pad));
  if (stamped) ink_cbor_put(&b, unprotected, "sigTst2", stamps_of(&b, stamp));
  ink_cbor_add(&b, array, ink_cbor_new_bytes(&b, header->bytes, header->size));
  ink_cbor_add(&b, array, unprotected);
  ink_cbor_add(&b, array, ink_cbor_new_null(&b));
  ink_cbor_add(&b, array, ink_cbor_new_bytes(&b, signature, size));
  ink_status status = ink_cbor_write(&b, ink_cbor_new_tag(&b, TAG_SIGN1, array), out, error);
  ink_arena_free(arena);
  free(pad);
  return status;
}
