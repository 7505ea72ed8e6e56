// Hashes, through OpenSSL's EVP interface.
#include "mark/c2pa/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/text.h"

static const EVP_MD *hash_of(const char *algorithm) {
  if (strcmp(algorithm, "sha256") == 0) return EVP_sha256();
  if (strcmp(algorithm, "sha384") == 0) return EVP_sha384();
  if (strcmp(algorithm, "sha512") == 0) return EVP_sha512();
  return NULL;
}

size_t ink_digest_size(const char *algorithm) {
  const EVP_MD *hash = hash_of(algorithm);
  return hash ? (size_t)EVP_MD_get_size(hash) : 0;
}

ink_status ink_digest_of(const char *algorithm, const void *bytes, size_t size, unsigned char *hash,
                         ink_error *error) {
  const EVP_MD *method = hash_of(algorithm);
  if (!method) return ink_fail(error, INK_ERR_UNSUPPORTED, "no hash is named \"%s\"", algorithm);
  if (EVP_Digest(bytes, size, hash, NULL, method, NULL) == 1) return INK_OK;
  return ink_fail(error, INK_ERR_MEMORY, "%s is not available from the crypto library", algorithm);
}

ink_status ink_digest_sha256(const void *bytes, size_t size, unsigned char hash[32],
                             ink_error *error) {
  return ink_digest_of("sha256", bytes, size, hash, error);
}

static ink_status digest_normalised(const char *algorithm, const ink_text *rest,
                                    unsigned char *hash, ink_error *error) {
  utf8proc_uint8_t *form = NULL;
  utf8proc_ssize_t size =
      utf8proc_map((const utf8proc_uint8_t *)ink_text_string(rest), (utf8proc_ssize_t)rest->size,
                   &form, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  if (size == UTF8PROC_ERROR_NOMEM) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory for a normalised text");
  }
  if (size < 0) {
    return ink_fail(error, INK_ERR_FORMAT, "the text is not UTF-8: %s", utf8proc_errmsg(size));
  }
  ink_status status = ink_digest_of(algorithm, form, (size_t)size, hash, error);
  free(form);
  return status;
}

ink_status ink_digest_ranges(const char *algorithm, const unsigned char *bytes, size_t size,
                             const ink_digest_range *ranges, size_t n, bool normalised,
                             unsigned char *hash, ink_error *error) {
  const EVP_MD *method = hash_of(algorithm);
  if (!method) return ink_fail(error, INK_ERR_UNSUPPORTED, "no hash is named \"%s\"", algorithm);
  EVP_MD_CTX *state = EVP_MD_CTX_new();
  ink_text rest = {0};
  bool good = state && EVP_DigestInit_ex(state, method, NULL) == 1;
  size_t at = 0;
  for (size_t i = 0; good && i <= n; i++) {
    size_t end = i < n ? ranges[i].start : size;
    if (normalised) {
      ink_text_add_bytes(&rest, bytes + at, end - at);
    } else {
      good = EVP_DigestUpdate(state, bytes + at, end - at) == 1;
    }
    if (i < n) at = end + ranges[i].length;
  }
  ink_status status = INK_OK;
  if (good && normalised) {
    status = ink_text_status(&rest, error);
    if (status == INK_OK) status = digest_normalised(algorithm, &rest, hash, error);
  } else if (!good || EVP_DigestFinal_ex(state, hash, NULL) != 1) {
    status =
        ink_fail(error, INK_ERR_MEMORY, "%s is not available from the crypto library", algorithm);
  }
  EVP_MD_CTX_free(state);
  ink_text_free(&rest);
  return status;
}
