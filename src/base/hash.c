// SHA-256, through OpenSSL's EVP interface.
#include "base/hash.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "base/file.h"

ink_status ink_sha256_start(ink_sha256 *hash, ink_error *error) {
  EVP_MD_CTX *state = EVP_MD_CTX_new();
  if (!state || EVP_DigestInit_ex(state, EVP_sha256(), NULL) != 1) {
    EVP_MD_CTX_free(state);
    hash->state = NULL;
    return ink_fail(error, INK_ERR_MEMORY, "SHA-256 is not available from the crypto library");
  }
  hash->state = state;
  return INK_OK;
}

void ink_sha256_add(ink_sha256 *hash, const void *bytes, size_t size) {
  if (size) EVP_DigestUpdate(hash->state, bytes, size);
}

void ink_sha256_finish(ink_sha256 *hash, char hex[INK_SHA256_HEX]) {
  unsigned char digest[32] = {0};
  if (hex) {
    EVP_DigestFinal_ex(hash->state, digest, NULL);
    for (int i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
  }
  EVP_MD_CTX_free(hash->state);
  hash->state = NULL;
}

ink_status ink_sha256_of(const void *bytes, size_t size, char hex[INK_SHA256_HEX],
                         ink_error *error) {
  ink_sha256 hash;
  INK_TRY(ink_sha256_start(&hash, error));
  ink_sha256_add(&hash, bytes, size);
  ink_sha256_finish(&hash, hex);
  return INK_OK;
}

ink_status ink_sha256_file(const char *path, char hex[INK_SHA256_HEX], ink_error *error) {
  ink_map map;
  INK_TRY(ink_map_open(path, &map, error));
  ink_status status = ink_sha256_of(map.data, map.size, hex, error);
  ink_map_close(&map);
  return status;
}

ink_status ink_git_blob_file(const char *path, char hex[INK_GIT_BLOB_HEX], ink_error *error) {
  ink_map map;
  char start[40];
  unsigned char digest[20];
  INK_TRY(ink_map_open(path, &map, error));
  int size = snprintf(start, sizeof start, "blob %zu", map.size) + 1;
  EVP_MD_CTX *state = EVP_MD_CTX_new();
  bool fine = state && EVP_DigestInit_ex(state, EVP_sha1(), NULL) == 1 &&
              EVP_DigestUpdate(state, start, (size_t)size) == 1 &&
              (map.size == 0 || EVP_DigestUpdate(state, map.data, map.size) == 1) &&
              EVP_DigestFinal_ex(state, digest, NULL) == 1;
  EVP_MD_CTX_free(state);
  ink_map_close(&map);
  if (!fine) {
    return ink_fail(error, INK_ERR_MEMORY, "SHA-1 is not available from the crypto library");
  }
  for (int i = 0; i < 20; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
  return INK_OK;
}

uint32_t ink_crc32(uint32_t crc, const void *bytes, size_t size) {
  crc = ~crc;
  for (size_t i = 0; i < size; i++) {
    crc ^= ((const unsigned char *)bytes)[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320U : 0);
  }
  return ~crc;
}
