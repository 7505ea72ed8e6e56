// Certificates: C2PA's profile for those that sign claims (specification 2.4, section 14.5.1),
// their names and times, and whether a chain leads to an anchor.
#ifndef INK_MARK_C2PA_CERTIFICATE_H
#define INK_MARK_C2PA_CERTIFICATE_H

#include <jansson.h>
#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// OIDs of extended key usages: that of C2PA claim signing.
#define INK_OID_CLAIM_SIGNING "1.3.6.1.4.1.62558.2.1"

// True when a certificate may sign claims; otherwise `why` says what it lacks.
bool ink_certificate_fits(X509 *certificate, char *why, size_t size);
// True when a certificate may sign time-stamps (RFC 3161, section 2.3).
bool ink_certificate_stamps(X509 *certificate);

// Validity in seconds since 1970.
void ink_certificate_validity(X509 *certificate, int64_t *not_before, int64_t *not_after);
// {serialNumber, issuer {C, O, …}, subject, validity {notBefore, notAfter}}, as crJSON has it.
json_t *ink_certificate_json(X509 *certificate);
// The common name of its subject, else its organisation, else "".
void ink_certificate_name(X509 *certificate, char *name, size_t size);
// "2026-01-02T03:04:05+00:00".
void ink_time_text(int64_t seconds, char text[32]);

// Anchors of trust: certificates from PEM text; an intermediate may be one. NULL anchors trust
// nobody.
typedef struct ink_anchors ink_anchors;
// All of several files, one after the other; *anchors NULL begins with none.
ink_status ink_anchors_open(const char *path, ink_anchors **anchors, ink_error *error);
void ink_anchors_free(ink_anchors *anchors);
// True when the leaf leads through `others` (n of them, may be NULL) to an anchor, at a time.
bool ink_anchors_trust(const ink_anchors *anchors, X509 *leaf, X509 *const *others, size_t n,
                       int64_t time);

#endif
