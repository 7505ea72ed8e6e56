// Private keys that stay in a token (a smart card, a security module): PKCS #11 (OASIS, version
// 2.40), spoken to the module that a URI names, which is loaded only then.
//
// OpenSSL's engine for it is not used: it writes URIs with their PIN to stderr, cannot tell a
// missing token from a missing key, and ends the process with a fault after an error.
#ifndef INK_MARK_C2PA_TOKEN_H
#define INK_MARK_C2PA_TOKEN_H

#include <stddef.h>

#include "base/status.h"
#include "base/text.h"
#include "mark/c2pa/key_uri.h"

typedef struct ink_token ink_token;

// Find the token and log in, and find the key. The module is that of the URI, else of
// INKSTONE_PKCS11_MODULE, else p11-kit's, which knows those of the system. The PIN is that of the
// URI, else of its pin-source, else `pin` (NULL: none); it is kept for keys that ask for it at each
// signature, and is in no message. NOT_FOUND names what is absent: module, token or key; USAGE: a
// PIN is wanted or wrong, or several keys are meant; IO: the token does not do as it should.
ink_status ink_token_open(const ink_key_uri *uri, const char *pin, ink_token **token,
                          ink_error *error);
void ink_token_free(ink_token *token);

// What signs, in terms of the mechanism.
typedef enum ink_token_scheme {
  INK_TOKEN_ECDSA,    // of a hash; the signature is r and s at full length
  INK_TOKEN_RSA_PSS,  // of a hash, with a salt of its length
  INK_TOKEN_EDDSA     // of the message itself
} ink_token_scheme;

// Sign; *size is the room, and then the length. hash_size is that of the scheme's hash.
ink_status ink_token_sign(ink_token *token, ink_token_scheme scheme, const void *bytes,
                          size_t n_bytes, unsigned char *signature, size_t *size, ink_error *error);
// Append, in PEM, the certificate that the token holds for the key, and those of its issuers there,
// without the root. Nothing is appended where it holds none.
ink_status ink_token_certificates(ink_token *token, ink_text *pem, ink_error *error);

#endif
