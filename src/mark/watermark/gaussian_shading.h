// Gaussian Shading (Yang et al., "Provable Performance-Lossless Image Watermarking for Diffusion
// Models", CVPR 2024): a stream cipher chooses, for every value of a picture's initial noise, in
// which of 16 equally likely intervals it lies, and the picture's seed where in it, so that noise
// with the mark is as normal as noise without. Who has the key inverts the diffusion and compares.
//
// Of the four bits that name an interval one is the sign and carries the mark's bits; three are the
// size's and carry none, for what inversion finds of sizes is too little to be read. But who knows
// the sizes knows which signs were met most surely.
//
// A tile of 4 x 8 x 8 signs holds 256 bits and is repeated over the latent, as often as it fits,
// cut off where it does not; every copy is enciphered differently (ChaCha20, RFC 8439). 64 copies
// lie in the latent of Stable Diffusion (4 x 64 x 64). Every other bit of a tile is zero and tells
// whether there is a mark at all. The others carry the piece's identity of 128 bits in a
// convolutional code of rate 1/2: one half of the code word in every other tile, the other half
// between.
//
// Each picture has a nonce of 16 bits, made of its identity, so that the noise of two pictures
// shares nothing. A detector tries all of them, which its p-value accounts for; and a nonce that
// does not belong to the identity that was read tells that it was misread.
//
// Latents of fewer than INK_SHADING_LEAST values cannot carry 128 bits through what a picture goes
// through. There all bits are zero, and the nonce alone tells which piece it is: a record that
// knows the identities of pieces recognises theirs (ink_shading_match).
//
// Signs are weighed by the size of the noise that was found and by that of the noise that the key
// gave. Since signs are fair coins whatever the sizes, that costs no certainty.
#ifndef INK_MARK_WATERMARK_GAUSSIAN_SHADING_H
#define INK_MARK_WATERMARK_GAUSSIAN_SHADING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { INK_SHADING_KEY = 32, INK_SHADING_IDENTITY = 16, INK_SHADING_KEY_ID = 17 };
enum { INK_SHADING_LEAST = 8192 };

typedef struct ink_shading_key {
  uint8_t bytes[INK_SHADING_KEY];
} ink_shading_key;

// A key from a secret; secret NULL: the one that every inkstone has.
ink_status ink_shading_key_of(const void *secret, size_t size, ink_shading_key *key,
                              ink_error *error);
// The key of an installation, kept beside its signing key in a file that only its owner reads
// (`watermark.key`: 64 hexadecimal digits). With `make` a folder that holds a signing key gets one;
// else NOT_FOUND.
ink_status ink_shading_key_open(const char *folder, bool make, ink_shading_key *key,
                                ink_error *error);
// Read such a file.
ink_status ink_shading_key_read(const char *path, ink_shading_key *key, ink_error *error);
// Names a key without telling it: 16 hexadecimal digits.
ink_status ink_shading_key_id(const ink_shading_key *key, char id[INK_SHADING_KEY_ID],
                              ink_error *error);

// The shape of a latent: channels, rows, columns, in this order in memory.
typedef struct ink_latent_shape {
  int32_t channels, height, width;
} ink_latent_shape;

// Give normal noise the signs that carry `identity`, and the sizes that go with them: noise[i]
// keeps its place within its eighth of sizes. USAGE: a shape that has no elements.
ink_status ink_shading_apply(const ink_shading_key *key,
                             const uint8_t identity[INK_SHADING_IDENTITY], ink_latent_shape shape,
                             float *noise, ink_error *error);

// What a picture of this identity has for a nonce.
ink_status ink_shading_nonce(const uint8_t identity[INK_SHADING_IDENTITY], uint16_t *nonce,
                             ink_error *error);

typedef struct ink_shading_reading {
  // A bound of the chance that noise without this key's mark agrees as well, under the best of all
  // nonces.
  double p_value;
  size_t hits, n;  // of n signs whose bits are known so many agree; half of them without a mark
  uint16_t nonce;
  uint8_t identity[INK_SHADING_IDENTITY];  // zero where the latent is too small to carry it
  bool sure;  // the nonce belongs to the identity: of misread ones one in 65,536 does
} ink_shading_reading;

// Read the mark of noise that was found by inversion; where nothing is known of it, it is 0.
ink_status ink_shading_read(const ink_shading_key *key, ink_latent_shape shape, const float *noise,
                            ink_shading_reading *reading, ink_error *error);

// A bound of the chance that noise that does not carry this very identity agrees as well with it.
// All signs count, so that a known identity is recognised where none could be read.
ink_status ink_shading_match(const ink_shading_key *key,
                             const uint8_t identity[INK_SHADING_IDENTITY], ink_latent_shape shape,
                             const float *noise, double *p_value, ink_error *error);

// Noise made ready for many identities.
typedef struct ink_shading_matcher ink_shading_matcher;
// As ink_shading_match, step by step; *matcher is the caller's, NULL on failure.
ink_status ink_shading_matcher_new(ink_latent_shape shape, const float *noise,
                                   ink_shading_matcher **matcher, ink_error *error);
ink_status ink_shading_matcher_try(ink_shading_matcher *matcher, const ink_shading_key *key,
                                   const uint8_t identity[INK_SHADING_IDENTITY], double *p_value,
                                   ink_error *error);
void ink_shading_matcher_free(ink_shading_matcher *matcher);

// A bound of the chance that a weighted sum of fair coins that count +1 and -1, the weights'
// squares adding up to 1, reaches the score: Bentkus and Dzindzalieta 2015, Bernoulli 21(2), 3.178
// times the normal tail. It holds for any weights.
double ink_weighted_coins(double score);

// The chance of at least `hits` of n fair coins; never below the least normal double.
double ink_fair_coins(size_t n, size_t hits);

#endif
