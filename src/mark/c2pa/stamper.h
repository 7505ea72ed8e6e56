// Asking a time-stamp authority for a token (RFC 3161 over HTTP, its section 3.4), as C2PA's
// signatures carry it (specification 2.4, section 10.3.2.5: version 2, over the signature).
#ifndef INK_MARK_C2PA_STAMPER_H
#define INK_MARK_C2PA_STAMPER_H

#include <stddef.h>

#include "base/status.h"
#include "base/text.h"

enum { INK_STAMPER_SECONDS = 30 };  // that a server is given, unless told otherwise

// Whom a signer asks. The signer borrows it.
typedef struct ink_stamper {
  // Append to `token` the TimeStampToken (DER) of some bytes. Where nothing is appended and the
  // status is INK_OK the signature goes without.
  ink_status (*stamp)(const struct ink_stamper *self, const void *bytes, size_t size,
                      ink_text *token, ink_error *error);
  const char *url;  // http:// or https://
  int seconds;      // to wait, at most; 0: INK_STAMPER_SECONDS
} ink_stamper;

// Ask the server at stamper->url, with a nonce, for a token with its certificate, and check that it
// is the answer: granted, of these bytes, with the nonce, its signature good. USAGE: no web
// address; NETWORK: the server does not answer, or not with a token; CONFLICT: with a token of
// something else. Whether its signer is trusted is a validator's question.
ink_status ink_stamper_ask(const ink_stamper *stamper, const void *bytes, size_t size,
                           ink_text *token, ink_error *error);

#endif
