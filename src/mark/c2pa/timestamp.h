// Time-stamp tokens (RFC 3161) as C2PA stores them with signatures.
#ifndef INK_MARK_C2PA_TIMESTAMP_H
#define INK_MARK_C2PA_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mark/c2pa/certificate.h"

typedef enum ink_timestamp_state {
  INK_TIMESTAMP_MALFORMED,  // no token, a signature that is not its signer's, a signer that may not
  INK_TIMESTAMP_MISMATCH,   // it stamps something else
  INK_TIMESTAMP_OUTSIDE,    // its signer's certificate was not valid at its time
  INK_TIMESTAMP_VALIDATED
} ink_timestamp_state;

typedef struct ink_timestamp {
  ink_timestamp_state state;
  int64_t time;    // seconds since 1970; set when validated
  bool trusted;    // its signer leads to an anchor
  char name[128];  // of its signer
  json_t *signer;  // ink_certificate_json, or NULL; owned
} ink_timestamp;

// Check a token (a TimeStampToken, or a TimeStampResp around one) against the bytes that it should
// stamp. Release with ink_timestamp_free.
void ink_timestamp_check(const void *token, size_t size, const void *stamped, size_t stamped_size,
                         const ink_anchors *anchors, ink_timestamp *timestamp);
void ink_timestamp_free(ink_timestamp *timestamp);

#endif
