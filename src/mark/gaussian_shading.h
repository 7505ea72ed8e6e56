// Gaussian Shading (Yang et al., "Provable Performance-Lossless Image Watermarking for Diffusion
// Models", CVPR 2024): the signs of a picture's initial noise carry bits under a stream cipher, so
// that noise with the mark is as normal as noise without. Who has the key inverts the diffusion and
// reads the signs.
//
// 256 bits are laid out as 4 x 8 x 8 over the latent and repeated; every copy is enciphered
// differently (ChaCha20, RFC 8439). Half of the bits are the piece's identity, the other half are
// zero and tell whether there is a mark at all. Each picture has a nonce of 16 bits, so that the
// noise of two pictures shares nothing; a detector tries all of them, which its p-value accounts
// for.
#ifndef INK_MARK_GAUSSIAN_SHADING_H
#define INK_MARK_GAUSSIAN_SHADING_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { INK_SHADING_KEY = 32, INK_SHADING_IDENTITY = 16 };

typedef struct ink_shading_key {
  uint8_t bytes[INK_SHADING_KEY];
} ink_shading_key;

// A key from a secret; secret NULL: the one that every inkstone has.
ink_status ink_shading_key_of(const void *secret, size_t size, ink_shading_key *key,
                              ink_error *error);

// The shape of a latent: channels, rows, columns, in this order in memory.
typedef struct ink_latent_shape {
  int32_t channels, height, width;
} ink_latent_shape;

// Give normal noise the signs that carry `identity`: noise[i] keeps its size. `nonce` is best made
// of the picture's seed. USAGE: a shape that has no elements.
ink_status ink_shading_apply(const ink_shading_key *key, uint16_t nonce,
                             const uint8_t identity[INK_SHADING_IDENTITY], ink_latent_shape shape,
                             float *noise, ink_error *error);

typedef struct ink_shading_reading {
  // The chance that noise without this key's mark agrees as well, under the best of all nonces.
  double p_value;
  double agreement;  // of the signs whose bits are known; one half without a mark
  uint16_t nonce;
  uint8_t identity[INK_SHADING_IDENTITY];  // by majority of the copies
  double certainty;  // the least share of its copies that voted for a bit of the identity
} ink_shading_reading;

// Read the mark of noise that was found by inversion.
ink_status ink_shading_read(const ink_shading_key *key, ink_latent_shape shape, const float *noise,
                            ink_shading_reading *reading, ink_error *error);

// The chance of at least `hits` of n fair coins.
double ink_fair_coins(size_t n, size_t hits);

#endif
