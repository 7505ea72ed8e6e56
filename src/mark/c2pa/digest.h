// Hashes of boxes and of files with ranges left out (C2PA specification 2.4, sections 13.1
// and 9.2).
#ifndef INK_MARK_C2PA_DIGEST_H
#define INK_MARK_C2PA_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { INK_DIGEST_MOST = 64 };

// Bytes of a file that no hash covers.
typedef struct ink_digest_range {
  size_t start, length;
} ink_digest_range;

// Size of a hash by C2PA's name ("sha256", "sha384", "sha512"); 0 for others.
size_t ink_digest_size(const char *algorithm);
ink_status ink_digest_sha256(const void *bytes, size_t size, unsigned char hash[32],
                             ink_error *error);
// `hash` has room for ink_digest_size bytes.
ink_status ink_digest_of(const char *algorithm, const void *bytes, size_t size, unsigned char *hash,
                         ink_error *error);
// Hash of what is left without the ranges, which must rise, not overlap, and lie within the bytes;
// `normalised`: in normalisation form C, for which the rest must be UTF-8 (FORMAT). UNSUPPORTED for
// an algorithm of another name.
ink_status ink_digest_ranges(const char *algorithm, const unsigned char *bytes, size_t size,
                             const ink_digest_range *ranges, size_t n, bool normalised,
                             unsigned char *hash, ink_error *error);

#endif
