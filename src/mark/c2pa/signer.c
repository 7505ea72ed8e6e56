// Private keys and certificate chains from PEM.
#include "mark/c2pa/signer.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "mark/c2pa/certificate.h"
#include "mark/c2pa/cose.h"

enum { MOST_PEM = 1 << 20 };

static const struct {
  ink_cose_algorithm algorithm;
  const char *name, *hash, *curve;
} algorithms[] = {{INK_COSE_ES256, "es256", "SHA256", "prime256v1"},
                  {INK_COSE_ES384, "es384", "SHA384", "secp384r1"},
                  {INK_COSE_ES512, "es512", "SHA512", "secp521r1"},
                  {INK_COSE_PS256, "ps256", "SHA256", NULL},
                  {INK_COSE_PS384, "ps384", "SHA384", NULL},
                  {INK_COSE_PS512, "ps512", "SHA512", NULL},
                  {INK_COSE_EDDSA, "ed25519", NULL, NULL}};
enum { N_ALGORITHM = sizeof algorithms / sizeof *algorithms };

const char *ink_cose_algorithm_name(int64_t algorithm) {
  for (size_t i = 0; i < N_ALGORITHM; i++) {
    if (algorithms[i].algorithm == algorithm) return algorithms[i].name;
  }
  return NULL;
}

const EVP_MD *ink_cose_algorithm_hash(int64_t algorithm) {
  for (size_t i = 0; i < N_ALGORITHM; i++) {
    if (algorithms[i].algorithm == algorithm && algorithms[i].hash) {
      return EVP_get_digestbyname(algorithms[i].hash);
    }
  }
  return NULL;
}

const char *ink_openssl_reason(void) {
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason ? reason : "unknown reason";
}

static ink_status choose_algorithm(ink_signer *signer, const char *name, ink_error *error) {
  char curve[64] = "";
  size_t size;
  switch (EVP_PKEY_get_base_id(signer->key)) {
    case EVP_PKEY_EC:
      EVP_PKEY_get_utf8_string_param(signer->key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof curve,
                                     &size);
      for (size_t i = 0; i < N_ALGORITHM; i++) {
        if (!algorithms[i].curve || strcmp(algorithms[i].curve, curve) != 0) continue;
        signer->algorithm = algorithms[i].algorithm;
        return INK_OK;
      }
      return ink_fail(error, INK_ERR_UNSUPPORTED,
                      "%s: C2PA signs with the curves P-256, P-384 and P-521, not %s", name, curve);
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
      signer->algorithm = INK_COSE_PS256;
      return INK_OK;
    case EVP_PKEY_ED25519:
      signer->algorithm = INK_COSE_EDDSA;
      return INK_OK;
    default:
      return ink_fail(error, INK_ERR_UNSUPPORTED,
                      "%s: C2PA signs with ECDSA, RSA or Ed25519 keys only", name);
  }
}

static ink_status add_certificate(ink_signer *signer, X509 *certificate, const char *name,
                                  ink_error *error) {
  bool root =
      X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(certificate)) == 0;
  if (root && signer->n_certificate) return INK_OK;
  if (signer->n_certificate == INK_SIGNER_CERTIFICATES) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: a chain of more than %d certificates", name,
                    INK_SIGNER_CERTIFICATES);
  }
  if (signer->n_certificate == 0) {
    char why[160];
    if (!signer->token && X509_check_private_key(certificate, signer->key) != 1) {
      ERR_clear_error();
      return ink_fail(error, INK_ERR_CONFLICT,
                      "%s: the first certificate does not belong to the private key", name);
    }
    if (!ink_certificate_fits(certificate, why, sizeof why)) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: not a certificate that signs claims: %s", name,
                      why);
    }
    ink_certificate_validity(certificate, &signer->not_before, &signer->not_after);
  }
  int size = i2d_X509(certificate, &signer->certificates[signer->n_certificate]);
  if (size <= 0) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for a certificate", name);
  signer->sizes[signer->n_certificate++] = (size_t)size;
  return INK_OK;
}

static ink_status read_certificates(ink_signer *signer, const char *pem, const char *name,
                                    ink_error *error) {
  BIO *bio = BIO_new_mem_buf(pem, -1);
  if (!bio) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for its certificates", name);
  ink_status status = INK_OK;
  for (X509 *at; status == INK_OK && (at = PEM_read_bio_X509(bio, NULL, NULL, NULL));) {
    status = add_certificate(signer, at, name, error);
    X509_free(at);
  }
  BIO_free(bio);
  ERR_clear_error();  // the end of the text is an error to OpenSSL
  if (status == INK_OK && signer->n_certificate == 0) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: no certificate in PEM", name);
  }
  return status;
}

ink_status ink_signer_read(const char *key, const char *certificates, const char *passphrase,
                           const char *name, ink_signer **signer, ink_error *error) {
  *signer = NULL;
  ink_signer *made = calloc(1, sizeof *made);
  BIO *bio = BIO_new_mem_buf(key, -1);
  if (!made || !bio) {
    free(made);
    BIO_free(bio);
    return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for a key", name);
  }
  // Without a callback OpenSSL takes the last argument for the passphrase; an empty one keeps it
  // from asking on the terminal.
  made->key =
      PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t)(passphrase ? passphrase : ""));
  BIO_free(bio);
  ink_status status = INK_OK;
  if (!made->key) {
    bool encrypted = strstr(key, "ENCRYPTED") != NULL;
    const char *reason = ink_openssl_reason();
    status = encrypted
                 ? ink_fail(error, INK_ERR_USAGE,
                            passphrase ? "%s: the passphrase does not open the key"
                                       : "%s: the key has a passphrase; give it in a file "
                                         "with --passphrase-file",
                            name)
                 : ink_fail(error, INK_ERR_FORMAT, "%s: no private key in PEM (%s)", name, reason);
  }
  if (status == INK_OK) status = choose_algorithm(made, name, error);
  if (status == INK_OK) status = read_certificates(made, certificates, name, error);
  if (status == INK_OK) {
    *signer = made;
  } else {
    ink_signer_free(made);
  }
  return status;
}

ink_status ink_signer_open(const char *key_path, const char *certificates_path,
                           const char *passphrase, ink_signer **signer, ink_error *error) {
  char *key = NULL, *certificates = NULL;
  size_t key_size = 0, size = 0;
  *signer = NULL;
  ink_status status = ink_file_read(key_path, MOST_PEM, &key, &key_size, error);
  if (status == INK_OK) {
    status = ink_file_read(certificates_path, MOST_PEM, &certificates, &size, error);
  }
  if (status == INK_OK) {
    status = ink_signer_read(key, certificates, passphrase, key_path, signer, error);
  }
  if (key) OPENSSL_cleanse(key, key_size);
  free(key);
  free(certificates);
  return status;
}

// The public key of the first certificate.
static EVP_PKEY *public_key(const char *pem) {
  BIO *bio = BIO_new_mem_buf(pem, -1);
  X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
  EVP_PKEY *key = certificate ? X509_get_pubkey(certificate) : NULL;
  X509_free(certificate);
  BIO_free(bio);
  ERR_clear_error();
  return key;
}

// What the token signs must verify under the certificate.
static ink_status prove(const ink_signer *signer, const char *name, ink_error *error) {
  static const char claim[] = "does this key belong to this certificate?";
  ink_text header = {0}, made = {0};
  unsigned char signature[INK_COSE_SIGNATURE];
  size_t size;
  ink_cose cose;
  ink_arena *arena = ink_arena_new(1 << 22);
  ink_status status = arena ? ink_cose_protect(signer, &header, error)
                            : ink_fail(error, INK_ERR_MEMORY, "%s: no memory for a key", name);
  if (status == INK_OK) {
    status = ink_cose_sign(signer, &header, claim, sizeof claim, signature, &size, error);
  }
  if (status == INK_OK) {
    status = ink_cose_write(&header, signature, size, 0, 0, NULL, &made, error);
  }
  if (status == INK_OK) {
    status = ink_cose_read(arena, made.bytes, made.size, &cose, error);
  }
  bool good = false;
  if (status == INK_OK) {
    status = ink_cose_verify(&cose, signer->key, claim, sizeof claim, &good, error);
  }
  if (status == INK_OK && !good) {
    status = ink_fail(error, INK_ERR_CONFLICT,
                      "%s: the first certificate does not belong to the private key", name);
  }
  ink_arena_free(arena);
  ink_text_free(&header);
  ink_text_free(&made);
  return status;
}

static ink_status complete(ink_signer *signer, const char *certificates, const char *name,
                           ink_error *error) {
  ink_text own = {0};
  ink_status status = INK_OK;
  if (!certificates || !strstr(certificates, "BEGIN CERTIFICATE")) {
    status = ink_token_certificates(signer->token, &own, error);
    certificates = ink_text_string(&own);
    if (status == INK_OK && !own.size) {
      status = ink_fail(error, INK_ERR_NOT_FOUND,
                        "%s holds no certificate of the key; give it in a file with --certificates",
                        name);
    }
  }
  if (status == INK_OK) {
    signer->key = public_key(certificates);
    if (!signer->key) {
      status = ink_fail(error, INK_ERR_FORMAT, "%s: no certificate in PEM", name);
    }
  }
  if (status == INK_OK) status = choose_algorithm(signer, name, error);
  if (status == INK_OK) status = read_certificates(signer, certificates, name, error);
  if (status == INK_OK) status = prove(signer, name, error);
  ink_text_free(&own);
  return status;
}

ink_status ink_signer_of_token(const char *uri, const char *certificates, const char *pin,
                               ink_signer **signer, ink_error *error) {
  ink_key_uri named;
  *signer = NULL;
  INK_TRY(ink_key_uri_read(uri, &named, error));
  ink_signer *made = calloc(1, sizeof *made);
  ink_status status = made ? ink_token_open(&named, pin, &made->token, error)
                           : ink_fail(error, INK_ERR_MEMORY, "no memory for a key");
  ink_key_uri_free(&named);
  if (status == INK_OK) status = complete(made, certificates, "the token", error);
  if (status == INK_OK) {
    *signer = made;
  } else {
    ink_signer_free(made);
  }
  return status;
}

ink_status ink_signer_in_time(const ink_signer *signer, const char *name, ink_error *error) {
  int64_t now = (int64_t)time(NULL);
  char day[32];
  if (signer->not_before > now) {
    ink_time_text(signer->not_before, day);
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s: the certificate is valid from %.10s on, and not yet; is the clock right?",
                    name, day);
  }
  if (signer->not_after > now) return INK_OK;
  ink_time_text(signer->not_after, day);
  return ink_fail(error, INK_ERR_CONFLICT,
                  "%s: the certificate has expired on %.10s; ask who issued it for a new one", name,
                  day);
}

void ink_signer_free(ink_signer *signer) {
  if (!signer) return;
  ink_token_free(signer->token);
  EVP_PKEY_free(signer->key);
  for (size_t i = 0; i < signer->n_certificate; i++) OPENSSL_free(signer->certificates[i]);
  free(signer);
}
