// COSE_Sign1 (RFC 9052) as C2PA uses it (specification 2.4, section 13.2): detached claim, chain in
// the protected header, padding and time-stamps in the unprotected one.
#ifndef INK_MARK_C2PA_COSE_H
#define INK_MARK_C2PA_COSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "mark/c2pa/cbor.h"
#include "mark/c2pa/signer.h"

typedef struct ink_cose {
  int64_t algorithm;
  const unsigned char *protected_header;  // the map within the byte string
  size_t protected_size;
  const unsigned char *certificates[INK_SIGNER_CERTIFICATES];  // DER, leaf first
  size_t sizes[INK_SIGNER_CERTIFICATES];
  size_t n_certificate;
  const ink_cbor *signature;  // a byte string
  // The first time-stamp token (DER): sigTst2 has a TimeStampToken over the signature, sigTst a
  // TimeStampResp or TimeStampToken over the claim. NULL for none.
  const ink_cbor *stamp;
  bool stamp_of_claim;  // it stands under sigTst
  size_t n_stamp;       // tokens there are; more than one is a fault (section 15.8.1)
} ink_cose;

// Read a signature box's CBOR. FORMAT when it is not a COSE_Sign1 with an algorithm that C2PA
// allows and a chain. It borrows the bytes and the arena.
ink_status ink_cose_read(ink_arena *arena, const void *bytes, size_t size, ink_cose *cose,
                         ink_error *error);
// Whether the signature over a claim is the leaf's. The one failure is MEMORY.
ink_status ink_cose_verify(const ink_cose *cose, EVP_PKEY *key, const void *claim, size_t size,
                           bool *good, ink_error *error);
// What a time-stamp of this signature stamps: the Sig_structure "CounterSignature" of the claim
// (sigTst) or of the signature's own byte string (sigTst2).
ink_status ink_cose_stamped(const ink_cose *cose, const void *claim, size_t size, ink_text *out,
                            ink_error *error);

// ---- writing

enum { INK_COSE_SIGNATURE = 1024 };  // bytes of the longest signature, RSA of 8,192 bits

// The protected header of a signer: algorithm and chain.
ink_status ink_cose_protect(const ink_signer *signer, ink_text *header, ink_error *error);
// Sign a claim under that header.
ink_status ink_cose_sign(const ink_signer *signer, const ink_text *header, const void *claim,
                         size_t claim_size, unsigned char signature[INK_COSE_SIGNATURE],
                         size_t *signature_size, ink_error *error);
// What a time-stamp of a new signature stamps (sigTst2).
ink_status ink_cose_to_stamp(const ink_text *header, const unsigned char *signature, size_t size,
                             ink_text *out, ink_error *error);

enum { INK_COSE_STAMP_LEAST_PAD = 256 };

// The whole structure, with `n_pad` bytes of padding of which the first `n_high` are 0xFF and the
// rest zero: carriers in which the value of a byte decides its length need the choice. `stamp`
// (NULL or empty: none) is a TimeStampToken, which takes its room from the padding, so that the
// structure is as long as without; UNSUPPORTED when fewer than INK_COSE_STAMP_LEAST_PAD bytes would
// be left.
ink_status ink_cose_write(const ink_text *header, const unsigned char *signature, size_t size,
                          size_t n_pad, size_t n_high, const ink_text *stamp, ink_text *out,
                          ink_error *error);
// Padding that a structure needs for a token of this size.
size_t ink_cose_stamp_room(size_t token_size);

#endif
