// Signs of noise as bits.
#include "mark/gaussian_shading.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

enum { CHANNELS = 4, SIDE = 8, BITS = CHANNELS * SIDE * SIDE, NONCES = 1 << 16 };

ink_status ink_shading_key_of(const void *secret, size_t size, ink_shading_key *key,
                              ink_error *error) {
  static const char everyone[] = "inkstone: the picture watermark key that every copy has";
  if (!secret) {
    secret = everyone;
    size = sizeof everyone - 1;
  }
  if (EVP_Digest(secret, size, key->bytes, NULL, EVP_sha256(), NULL) == 1) return INK_OK;
  return ink_fail(error, INK_ERR_INTERNAL, "SHA-256 failed");
}

static ink_status elements(ink_latent_shape s, size_t *n, ink_error *error) {
  size_t area;
  if (s.channels < 1 || s.height < 1 || s.width < 1 ||
      !ink_mul_size((size_t)s.height, (size_t)s.width, &area) ||
      !ink_mul_size(area, (size_t)s.channels, n) || *n > INT32_MAX) {
    return ink_fail(error, INK_ERR_USAGE, "a latent of %d x %d x %d", s.channels, s.height,
                    s.width);
  }
  return INK_OK;
}

// Which of the 256 bits an element carries.
static int bit_at(ink_latent_shape s, size_t element) {
  size_t column = element % (size_t)s.width, line = element / (size_t)s.width;
  size_t row = line % (size_t)s.height, channel = line / (size_t)s.height;
  return (int)(((channel % CHANNELS) * SIDE + row % SIDE) * SIDE + column % SIDE);
}

// Even bits are the identity's, from its first byte's highest bit on; odd ones are zero.
static bool is_known(int bit) {
  return bit % 2 == 1;
}

static unsigned identity_bit(const uint8_t *identity, int bit) {
  return identity[bit / 16] >> (7 - bit / 2 % 8) & 1;
}

// n bits of key stream, eight to a byte from the lowest.
static ink_status stream(EVP_CIPHER_CTX *cipher, const ink_shading_key *key, uint16_t nonce,
                         size_t n, uint8_t *bits, ink_error *error) {
  // Initial counter 0, then the nonce (RFC 8439, 2.3), as OpenSSL takes them.
  uint8_t iv[16] = {[4] = (uint8_t)nonce, [5] = (uint8_t)(nonce >> 8)};
  int written = 0, size = (int)((n + 7) / 8);
  memset(bits, 0, (size_t)size);
  if (EVP_EncryptInit_ex(cipher, EVP_chacha20(), NULL, key->bytes, iv) == 1 &&
      EVP_EncryptUpdate(cipher, bits, &written, bits, size) == 1) {
    return INK_OK;
  }
  return ink_fail(error, INK_ERR_INTERNAL, "ChaCha20 failed");
}

static unsigned bit_of(const uint8_t *bits, size_t i) {
  return bits[i / 8] >> (i % 8) & 1;
}

ink_status ink_shading_apply(const ink_shading_key *key, uint16_t nonce,
                             const uint8_t identity[INK_SHADING_IDENTITY], ink_latent_shape shape,
                             float *noise, ink_error *error) {
  size_t n = 0;
  INK_TRY(elements(shape, &n, error));
  uint8_t *bits = malloc((n + 7) / 8);
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  ink_status status = bits && cipher ? stream(cipher, key, nonce, n, bits, error)
                                     : ink_fail(error, INK_ERR_MEMORY, "no memory for a watermark");
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    int bit = bit_at(shape, i);
    unsigned plain = is_known(bit) ? 0 : identity_bit(identity, bit);
    noise[i] = copysignf(noise[i], plain ^ bit_of(bits, i) ? 1.0F : -1.0F);
  }
  EVP_CIPHER_CTX_free(cipher);
  free(bits);
  return status;
}

// ---- reading -----------------------------------------------------------------------------------

double ink_fair_coins(size_t n, size_t hits) {
  // log C(n, i) - n log 2, from `hits` up; the terms fall, so the first is the scale.
  if (hits == 0) return 1;
  if (hits > n) return 0;
  double total = (double)n, first = lgamma(total + 1) - lgamma((double)hits + 1) -
                                    lgamma(total - (double)hits + 1) - total * log(2);
  double term = 1, sum = 0;
  for (size_t i = hits; i <= n && term > sum * 1e-18; i++) {
    sum += term;
    term *= (total - (double)i) / ((double)i + 1);
  }
  double p = exp(first) * sum;
  return p < 1 ? p : 1;
}

// Signs as words, and which of them have known bits: agreement is then a count of bits.
typedef struct signs {
  size_t n, n_word, n_known;
  uint64_t *sign, *known, *key_stream;
} signs;

static void free_signs(signs *s) {
  free(s->sign);
  free(s->known);
  free(s->key_stream);
}

static ink_status take_signs(ink_latent_shape shape, const float *noise, signs *s,
                             ink_error *error) {
  *s = (signs){0};
  INK_TRY(elements(shape, &s->n, error));
  s->n_word = (s->n + 63) / 64;
  s->sign = calloc(s->n_word, sizeof *s->sign);
  s->known = calloc(s->n_word, sizeof *s->known);
  s->key_stream = calloc(s->n_word, sizeof *s->key_stream);
  if (!s->sign || !s->known || !s->key_stream) {
    free_signs(s);
    return ink_fail(error, INK_ERR_MEMORY, "no memory to read a watermark");
  }
  for (size_t i = 0; i < s->n; i++) {
    uint64_t here = (uint64_t)1 << (i % 64);
    if (noise[i] > 0) s->sign[i / 64] |= here;
    if (!is_known(bit_at(shape, i))) continue;
    s->known[i / 64] |= here;
    s->n_known++;
  }
  return INK_OK;
}

// Known bits are zero, so their signs are the key stream itself.
static size_t agreeing(const signs *s) {
  size_t differ = 0;
  for (size_t i = 0; i < s->n_word; i++) {
    uint64_t word = (s->sign[i] ^ s->key_stream[i]) & s->known[i];
    differ += (size_t)__builtin_popcountll(word);
  }
  return s->n_known - differ;
}

static void vote(ink_latent_shape shape, const signs *s, ink_shading_reading *r) {
  uint32_t ones[BITS] = {0}, copies[BITS] = {0};
  for (size_t i = 0; i < s->n; i++) {
    int bit = bit_at(shape, i);
    ones[bit] += (uint32_t)((s->sign[i / 64] ^ s->key_stream[i / 64]) >> (i % 64) & 1);
    copies[bit]++;
  }
  r->certainty = 1;
  for (int bit = 0; bit < BITS; bit += 2) {
    if (copies[bit] == 0) {
      r->certainty = 0.5;
      continue;
    }
    double share = (double)ones[bit] / copies[bit];
    if (share > 0.5) r->identity[bit / 16] |= (uint8_t)(1 << (7 - bit / 2 % 8));
    r->certainty = fmin(r->certainty, fmax(share, 1 - share));
  }
}

ink_status ink_shading_read(const ink_shading_key *key, ink_latent_shape shape, const float *noise,
                            ink_shading_reading *reading, ink_error *error) {
  *reading = (ink_shading_reading){.p_value = 1};
  signs s;
  INK_TRY(take_signs(shape, noise, &s, error));
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  ink_status status =
      cipher ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory to read a watermark");
  size_t best = 0;
  for (uint32_t nonce = 0; nonce < NONCES && status == INK_OK; nonce++) {
    status = stream(cipher, key, (uint16_t)nonce, s.n, (uint8_t *)s.key_stream, error);
    size_t hits = agreeing(&s);
    if (hits <= best) continue;
    best = hits;
    reading->nonce = (uint16_t)nonce;
  }
  if (status == INK_OK) {
    status = stream(cipher, key, reading->nonce, s.n, (uint8_t *)s.key_stream, error);
  }
  if (status == INK_OK && s.n_known > 0) {
    double p = NONCES * ink_fair_coins(s.n_known, best);
    reading->p_value = p < 1 ? p : 1;
    reading->agreement = (double)best / (double)s.n_known;
    vote(shape, &s, reading);
  }
  EVP_CIPHER_CTX_free(cipher);
  free_signs(&s);
  return status;
}
