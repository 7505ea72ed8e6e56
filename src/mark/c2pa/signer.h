// A private key with its certificates: what signs claims.
#ifndef INK_MARK_C2PA_SIGNER_H
#define INK_MARK_C2PA_SIGNER_H

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"
#include "mark/c2pa/stamper.h"
#include "mark/c2pa/token.h"

enum { INK_SIGNER_CERTIFICATES = 8 };

// COSE algorithm identifiers (RFC 9053) that C2PA allows (specification 2.4, section 13.2.1).
typedef enum ink_cose_algorithm {
  INK_COSE_ES256 = -7,
  INK_COSE_ES384 = -35,
  INK_COSE_ES512 = -36,
  INK_COSE_PS256 = -37,
  INK_COSE_PS384 = -38,
  INK_COSE_PS512 = -39,
  INK_COSE_EDDSA = -8
} ink_cose_algorithm;

// "es256" …; NULL for identifiers that C2PA does not allow.
const char *ink_cose_algorithm_name(int64_t algorithm);
// The hash that goes with it; NULL for EdDSA, which hashes by itself.
const EVP_MD *ink_cose_algorithm_hash(int64_t algorithm);

typedef struct ink_signer {
  EVP_PKEY *key;     // of a key in a token: its public half
  ink_token *token;  // where the private key stays; NULL: `key` is it
  ink_cose_algorithm algorithm;
  // DER, leaf first, without the root; owned.
  unsigned char *certificates[INK_SIGNER_CERTIFICATES];
  size_t sizes[INK_SIGNER_CERTIFICATES];
  size_t n_certificate;
  int64_t not_before, not_after;  // of the leaf, seconds since 1970
  const ink_stamper *stamper;     // who stamps what is signed; NULL: nobody. Borrowed
} ink_signer;

// A signer from PEM texts: a private key (PKCS #8, or as OpenSSL writes it; encrypted ones need the
// passphrase) and its certificates, leaf first. The algorithm follows the key: P-256 ES256, P-384
// ES384, P-521 ES512, RSA PS256, Ed25519 EdDSA. A self-signed certificate behind the leaf is left
// out of the chain, as C2PA wants it. CONFLICT when key and leaf do not belong together, FORMAT
// when the leaf does not meet C2PA's certificate profile, USAGE for a passphrase that does not fit.
// `name` is what errors call the key.
ink_status ink_signer_read(const char *key, const char *certificates, const char *passphrase,
                           const char *name, ink_signer **signer, ink_error *error);
// The same from files.
ink_status ink_signer_open(const char *key_path, const char *certificates_path,
                           const char *passphrase, ink_signer **signer, ink_error *error);
// A signer whose private key stays in a token, named by a URI (RFC 7512). `certificates` (PEM) NULL
// or without any: those of the token; NOT_FOUND when it has none. A signature is made and checked,
// so that a certificate of another key is a CONFLICT here and not later. Other errors as
// ink_token_open.
ink_status ink_signer_of_token(const char *uri, const char *certificates, const char *pin,
                               ink_signer **signer, ink_error *error);
void ink_signer_free(ink_signer *signer);

// CONFLICT when the certificate is not valid yet, or not any more. `name` is what errors call it.
ink_status ink_signer_in_time(const ink_signer *signer, const char *name, ink_error *error);

// Why OpenSSL refused, for error texts: its latest reason, or "unknown reason". Clears its queue.
const char *ink_openssl_reason(void);

#endif
