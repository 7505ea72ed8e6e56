// Signs of noise as bits.
#include "mark/gaussian_shading.h"

#include <errno.h>
#include <math.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/hash.h"
#include "mark/convolutional.h"

enum { CHANNELS = 4, SIDE = 8, NONCES = 1 << 16 };

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

ink_status ink_shading_key_id(const ink_shading_key *key, char id[INK_SHADING_KEY_ID],
                              ink_error *error) {
  static const char purpose[] = "inkstone: the name of a picture watermark key";
  uint8_t words[sizeof purpose - 1 + INK_SHADING_KEY];
  char hex[INK_SHA256_HEX];
  memcpy(words, purpose, sizeof purpose - 1);
  memcpy(words + sizeof purpose - 1, key->bytes, INK_SHADING_KEY);
  INK_TRY(ink_sha256_of(words, sizeof words, hex, error));
  snprintf(id, INK_SHADING_KEY_ID, "%.16s", hex);
  return INK_OK;
}

// ---- the key of an installation ----------------------------------------------------------------

// Make the file unless it is there: of two programs that start together one makes it, and both read
// it.
static ink_status make_key_file(const char *folder, const char *path, ink_error *error) {
  char *signer = ink_path_join(folder, "signer.pem");
  bool holds_keys = signer && ink_file_exists(signer);
  free(signer);
  if (!holds_keys) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s holds no keys; `inkstone key init` makes them",
                    folder);
  }
  uint8_t secret[INK_SHADING_KEY];
  char line[2 * INK_SHADING_KEY + 2], beside[4096];
  if (RAND_bytes(secret, sizeof secret) != 1) {
    return ink_fail(error, INK_ERR_INTERNAL, "no random numbers for a key");
  }
  for (size_t i = 0; i < sizeof secret; i++) snprintf(line + 2 * i, 3, "%02x", secret[i]);
  snprintf(line + 2 * sizeof secret, 2, "\n");
  int size = snprintf(beside, sizeof beside, "%s.%ld", path, (long)getpid());
  ink_status status =
      size > 0 && (size_t)size < sizeof beside
          ? ink_file_save_private(beside, line, 2 * sizeof secret + 1, error)
          : ink_fail(error, INK_ERR_USAGE, "%s: the name of the folder is too long", folder);
  if (status == INK_OK && link(beside, path) != 0 && errno != EEXIST) {
    status = ink_fail(error, INK_ERR_IO, "%s: cannot be made: %s", path, strerror(errno));
  }
  if (size > 0 && (size_t)size < sizeof beside) unlink(beside);
  OPENSSL_cleanse(secret, sizeof secret);
  OPENSSL_cleanse(line, sizeof line);
  return status;
}

static int digit_of(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static ink_status read_key_file(const char *path, ink_shading_key *key, ink_error *error) {
  enum { MOST = 4096, DIGITS = 2 * INK_SHADING_KEY };
  char *line;
  size_t size;
  INK_TRY(ink_file_read(path, MOST, &line, &size, error));
  bool good = size >= DIGITS && strspn(line, "0123456789abcdef") == DIGITS &&
              strspn(line + DIGITS, "\r\n") == size - DIGITS;
  for (size_t i = 0; good && i < INK_SHADING_KEY; i++) {
    key->bytes[i] = (uint8_t)(digit_of(line[2 * i]) << 4 | digit_of(line[2 * i + 1]));
  }
  OPENSSL_cleanse(line, size);
  free(line);
  if (good) return INK_OK;
  return ink_fail(error, INK_ERR_FORMAT,
                  "%s: a key is %d hexadecimal digits; move the file away to get a new one, which "
                  "reads no picture that was painted before",
                  path, DIGITS);
}

ink_status ink_shading_key_open(const char *folder, bool make, ink_shading_key *key,
                                ink_error *error) {
  char *path = ink_path_join(folder, "watermark.key");
  if (!path) return ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  ink_status status = INK_OK;
  if (make && !ink_file_exists(path)) status = make_key_file(folder, path, error);
  if (status == INK_OK) status = read_key_file(path, key, error);
  free(path);
  return status;
}

// ---- writing -----------------------------------------------------------------------------------

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

// Where an element stands in its tile, and whether the tile is of the second kind.
typedef struct place {
  int bit;  // of 256
  int kind;
} place;

static place place_of(ink_latent_shape s, size_t element) {
  size_t column = element % (size_t)s.width, line = element / (size_t)s.width;
  size_t row = line % (size_t)s.height, channel = line / (size_t)s.height;
  return (place){
      .bit = (int)(((channel % CHANNELS) * SIDE + row % SIDE) * SIDE + column % SIDE),
      .kind = (int)((channel / CHANNELS + row / SIDE + column / SIDE) % INK_CONVOLUTIONAL_CODES)};
}

static bool is_known(place p) {
  return p.bit % 2 == 1;
}

// Which bit of the code word an element carries. Neighbours in the picture, which are damaged
// together, lie far apart in the word.
static int code_index(place p) {
  enum { STRIDE = 45 };
  return p.bit / 2 * STRIDE % INK_CONVOLUTIONAL_BITS;
}

static ink_status nonce_of(const uint8_t identity[INK_SHADING_IDENTITY], uint16_t *nonce,
                           ink_error *error) {
  uint8_t hash[32];
  if (EVP_Digest(identity, INK_SHADING_IDENTITY, hash, NULL, EVP_sha256(), NULL) != 1) {
    return ink_fail(error, INK_ERR_INTERNAL, "SHA-256 failed");
  }
  *nonce = (uint16_t)(hash[0] << 8 | hash[1]);
  return INK_OK;
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

static bool bit_of(const uint8_t *bits, size_t i) {
  return bits[i / 8] >> (i % 8) & 1;
}

// What the signs of a latent are under an identity: a bit for each, set for above zero.
static ink_status signs_of(const ink_shading_key *key, const uint8_t identity[INK_SHADING_IDENTITY],
                           ink_latent_shape shape, size_t n, uint8_t **out, ink_error *error) {
  uint16_t nonce = 0;
  uint8_t code[INK_CONVOLUTIONAL_CODES][INK_CONVOLUTIONAL_BITS];
  INK_TRY(nonce_of(identity, &nonce, error));
  ink_convolutional_encode(identity, code);
  uint8_t *bits = malloc((n + 7) / 8);
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  ink_status status = bits && cipher ? stream(cipher, key, nonce, n, bits, error)
                                     : ink_fail(error, INK_ERR_MEMORY, "no memory for a watermark");
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    place p = place_of(shape, i);
    if (!is_known(p) && code[p.kind][code_index(p)]) bits[i / 8] ^= (uint8_t)(1 << i % 8);
  }
  EVP_CIPHER_CTX_free(cipher);
  if (status == INK_OK) {
    *out = bits;
  } else {
    free(bits);
  }
  return status;
}

ink_status ink_shading_apply(const ink_shading_key *key,
                             const uint8_t identity[INK_SHADING_IDENTITY], ink_latent_shape shape,
                             float *noise, ink_error *error) {
  size_t n = 0;
  uint8_t *bits;
  INK_TRY(elements(shape, &n, error));
  INK_TRY(signs_of(key, identity, shape, n, &bits, error));
  for (size_t i = 0; i < n; i++) noise[i] = copysignf(noise[i], bit_of(bits, i) ? 1.0F : -1.0F);
  free(bits);
  return INK_OK;
}

ink_status ink_shading_match(const ink_shading_key *key,
                             const uint8_t identity[INK_SHADING_IDENTITY], ink_latent_shape shape,
                             const float *noise, double *p_value, ink_error *error) {
  size_t n = 0, hits = 0;
  uint8_t *bits;
  INK_TRY(elements(shape, &n, error));
  INK_TRY(signs_of(key, identity, shape, n, &bits, error));
  for (size_t i = 0; i < n; i++) hits += (noise[i] > 0) == bit_of(bits, i);
  free(bits);
  *p_value = ink_fair_coins(n, hits);
  return INK_OK;
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
    if (!is_known(place_of(shape, i))) continue;
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

// The identity by the votes of all copies. A sign far from zero is surer: the odds grow about
// linearly with its size, which counts up to twice the usual.
static ink_status decode(ink_latent_shape shape, const float *noise, const signs *s,
                         ink_shading_reading *r, ink_error *error) {
  double votes[INK_CONVOLUTIONAL_CODES][INK_CONVOLUTIONAL_BITS] = {{0}};
  double square = 0;
  for (size_t i = 0; i < s->n; i++) square += (double)noise[i] * (double)noise[i];
  double most = 2 * sqrt(square / (double)s->n);
  for (size_t i = 0; i < s->n; i++) {
    place p = place_of(shape, i);
    if (is_known(p)) continue;
    double weight = fmin(fabs((double)noise[i]), most);
    bool one = (s->sign[i / 64] ^ s->key_stream[i / 64]) >> (i % 64) & 1;
    votes[p.kind][code_index(p)] += one ? weight : -weight;
  }
  ink_convolutional_decode(votes, r->identity);
  uint16_t nonce = 0;
  INK_TRY(nonce_of(r->identity, &nonce, error));
  r->sure = nonce == r->nonce;
  return INK_OK;
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
    reading->hits = best;
    reading->n = s.n_known;
    status = decode(shape, noise, &s, reading, error);
  }
  EVP_CIPHER_CTX_free(cipher);
  free_signs(&s);
  return status;
}
