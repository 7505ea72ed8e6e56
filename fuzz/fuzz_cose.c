// Fuzz target: COSE_Sign1, the certificate profile, time-stamp tokens.
#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "mark/c2pa/certificate.h"
#include "mark/c2pa/cose.h"
#include "mark/c2pa/timestamp.h"

static volatile unsigned sink;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ink_error error = {0};
  ink_cose cose;
  ink_arena *arena = ink_arena_new(1 << 26);
  if (!arena) return 0;
  if (ink_cose_read(arena, bytes, size, &cose, &error) == INK_OK) {
    for (size_t i = 0; i < cose.n_certificate; i++) {
      const unsigned char *der = cose.certificates[i];
      X509 *certificate = d2i_X509(NULL, &der, (long)cose.sizes[i]);
      if (!certificate) continue;
      char text[160];
      sink += ink_certificate_fits(certificate, text, sizeof text);
      ink_certificate_name(certificate, text, sizeof text);
      json_decref(ink_certificate_json(certificate));
      EVP_PKEY *key = X509_get0_pubkey(certificate);
      bool good = false;
      if (key) sink += ink_cose_verify(&cose, key, "claim", 5, &good, NULL) == INK_OK && good;
      X509_free(certificate);
    }
    if (cose.stamp) {
      ink_timestamp stamp;
      ink_timestamp_check(cose.stamp->bytes, cose.stamp->size, "claim", 5, NULL, &stamp);
      ink_timestamp_free(&stamp);
    }
  }
  ink_arena_free(arena);
  return 0;
}
