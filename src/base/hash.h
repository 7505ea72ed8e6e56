// SHA-256 (FIPS 180-4), through OpenSSL; and the ids that git gives files.
#ifndef INK_BASE_HASH_H
#define INK_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { INK_SHA256_HEX = 65 };  // 64 lower-case hexadecimal digits and a NUL

typedef struct ink_sha256 {
  void *state;
} ink_sha256;

// Begin; end with ink_sha256_finish, which also releases it (hex may be NULL to give up).
ink_status ink_sha256_start(ink_sha256 *hash, ink_error *error);
void ink_sha256_add(ink_sha256 *hash, const void *bytes, size_t size);
void ink_sha256_finish(ink_sha256 *hash, char hex[INK_SHA256_HEX]);

// Hash of a buffer, and of a file's content.
ink_status ink_sha256_of(const void *bytes, size_t size, char hex[INK_SHA256_HEX],
                         ink_error *error);
ink_status ink_sha256_file(const char *path, char hex[INK_SHA256_HEX], ink_error *error);

enum { INK_GIT_BLOB_HEX = 41 };  // 40 lower-case hexadecimal digits and a NUL

// The id of a file as a git blob: SHA-1 over "blob SIZE", a NUL and the content. It tells broken
// copies from whole ones; against an adversary SHA-1 no longer does.
ink_status ink_git_blob_file(const char *path, char hex[INK_GIT_BLOB_HEX], ink_error *error);

// CRC-32 as PNG and ZIP have it (ISO/IEC 15948, annex D), of what follows bytes whose CRC is `crc`
// (0: of nothing). Bit by bit, for labels and manifests.
uint32_t ink_crc32(uint32_t crc, const void *bytes, size_t size);

#endif
