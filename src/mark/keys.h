// The keys of an installation: an authority of its own and the leaf that signs, or what an operator
// brought along. They lie in one folder that only its owner reads.
//
//   signer.pem      private key and chain of what signs; of a key in a token its URI (RFC 7512)
//   authority.pem   private key and certificate of the authority that issued it; absent with an
//                   operator's certificate
//   retired/        certificates that signed before
#ifndef INK_MARK_KEYS_H
#define INK_MARK_KEYS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"
#include "mark/c2pa/certificate.h"
#include "mark/c2pa/signer.h"

// A signature without a time-stamp can only be judged while its certificate is valid: the leaf
// lives long, and rotation does not wait for its end. Warned of the last days.
enum { INK_KEYS_LEAF_YEARS = 10, INK_KEYS_AUTHORITY_YEARS = 20, INK_KEYS_WARNING_DAYS = 30 };

// $XDG_DATA_HOME/inkstone/keys or its default; malloc'ed, NULL (and INK_OK) when there is no home.
ink_status ink_keys_folder(char **folder, ink_error *error);

// Make authority and leaf (ES256; extended key usage claim signing and e-mail protection). The
// private keys are encrypted under the passphrase unless it is NULL. CONFLICT when the folder holds
// keys already.
ink_status ink_keys_init(const char *folder, const char *passphrase, ink_error *error);
// Take over an operator's key and chain (PEM); the key stays encrypted as it is. `key_path` may be
// the URI of a key in a token (mark/c2pa/token.h), whose PIN the passphrase then is; the URI is
// kept, and may hold no pin-value; without `certificates_path` the chain is the token's. What
// signed before is retired when `replace` is set, else it is a CONFLICT, and so is a certificate
// that is not valid today.
ink_status ink_keys_import(const char *folder, const char *key_path, const char *certificates_path,
                           const char *passphrase, bool replace, ink_error *error);
// Issue a new leaf with a new key and retire the old one's certificate; its private key is gone
// then. What it signed stays verifiable.
ink_status ink_keys_rotate(const char *folder, const char *passphrase, ink_error *error);

// The signer of a folder; with `make` a folder without keys gets them first. NOT_FOUND without.
ink_status ink_keys_signer(const char *folder, const char *passphrase, bool make,
                           ink_signer **signer, ink_error *error);
// {folder, signer {…}, authority {…} or null, state, days_left, token (its URI) or null, retired
// [{…}]}: certificates as crJSON has them. The state is that of what signs, today; days_left is 0
// where it has ended. No passphrase is needed.
#define INK_KEYS_VALID "valid"
#define INK_KEYS_EARLY "not yet valid"
#define INK_KEYS_EXPIRED "expired"
ink_status ink_keys_show(const char *folder, json_t **json, ink_error *error);
// True when there are keys in the folder, and when its own authority issued what signs.
bool ink_keys_there(const char *folder);
bool ink_keys_own(const char *folder);
// Whether a certificate of this serial number (hexadecimal) signs for the folder, or did before.
// The one failure is MEMORY: what cannot be read knows none.
ink_status ink_keys_know(const char *folder, const char *serial, bool *known, ink_error *error);

#endif
