// Signs of noise as bits.
#include "mark/watermark/gaussian_shading.h"

#include <errno.h>
#include <float.h>
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
#include "mark/watermark/convolutional.h"

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

// Of a digit that is known to be one.
static unsigned digit_of(char c) {
  return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10) & 15;
}

ink_status ink_shading_key_read(const char *path, ink_shading_key *key, ink_error *error) {
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
  if (status == INK_OK) status = ink_shading_key_read(path, key, error);
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

ink_status ink_shading_nonce(const uint8_t identity[INK_SHADING_IDENTITY], uint16_t *nonce,
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

// What the signs of a latent are under an identity: a bit for each of n, set for above zero.
static ink_status signs_of(EVP_CIPHER_CTX *cipher, const ink_shading_key *key,
                           const uint8_t identity[INK_SHADING_IDENTITY], ink_latent_shape shape,
                           size_t n, uint8_t *bits, ink_error *error) {
  uint16_t nonce = 0;
  INK_TRY(ink_shading_nonce(identity, &nonce, error));
  INK_TRY(stream(cipher, key, nonce, n, bits, error));
  if (n < INK_SHADING_LEAST) return INK_OK;
  uint8_t code[INK_CONVOLUTIONAL_CODES][INK_CONVOLUTIONAL_BITS];
  ink_convolutional_encode(identity, code);
  for (size_t i = 0; i < n; i++) {
    place p = place_of(shape, i);
    if (!is_known(p) && code[p.kind][code_index(p)]) bits[i / 8] ^= (uint8_t)(1 << i % 8);
  }
  return INK_OK;
}

ink_status ink_shading_apply(const ink_shading_key *key,
                             const uint8_t identity[INK_SHADING_IDENTITY], ink_latent_shape shape,
                             float *noise, ink_error *error) {
  size_t n = 0;
  INK_TRY(elements(shape, &n, error));
  uint8_t *bits = calloc((n + 7) / 8, 1);
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  ink_status status = bits && cipher ? signs_of(cipher, key, identity, shape, n, bits, error)
                                     : ink_fail(error, INK_ERR_MEMORY, "no memory for a watermark");
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    noise[i] = copysignf(noise[i], bit_of(bits, i) ? 1.0F : -1.0F);
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
  return fmin(fmax(exp(first) * sum, DBL_MIN), 1);
}

double ink_weighted_coins(double score) {
  const double constant = 3.179;  // 1 / (4 Q(sqrt 2)), rounded up
  if (!(score > 0)) return 1;
  return fmin(fmax(constant * 0.5 * erfc(score / sqrt(2)), DBL_MIN), 1);
}

// The noise, cut at twice its usual size, since the odds of a sign grow about linearly with its
// size and damage makes outliers.
static void weigh(const float *noise, size_t n, float *weight) {
  double square = 0;
  for (size_t i = 0; i < n; i++) square += (double)noise[i] * (double)noise[i];
  float most = (float)(2 * sqrt(square / (double)n));
  for (size_t i = 0; i < n; i++) weight[i] = fminf(fmaxf(noise[i], -most), most);
}

typedef struct evidence {
  ink_latent_shape shape;
  size_t n, n_known, n_byte;
  bool carries;
  float *weight;
  float *table;         // of each byte of key stream, what its known signs add to the score
  uint8_t *key_stream;  // room for that of a nonce
} evidence;

static void free_evidence(evidence *e) {
  free(e->weight);
  free(e->table);
  free(e->key_stream);
}

// Known bits are zero, so their signs are the key stream itself.
static void fill_table(evidence *e) {
  double square = 0;
  for (size_t i = 0; i < e->n; i++) {
    if (!e->carries || is_known(place_of(e->shape, i))) {
      square += (double)e->weight[i] * (double)e->weight[i];
      e->n_known += e->weight[i] != 0;
    }
  }
  float unit = square > 0 ? (float)(1 / sqrt(square)) : 0;
  for (size_t byte = 0; byte < e->n_byte; byte++) {
    float *entry = e->table + byte * 256;
    for (size_t i = byte * 8; i < e->n && i < byte * 8 + 8; i++) {
      if (e->carries && !is_known(place_of(e->shape, i))) continue;
      for (unsigned value = 0; value < 256; value++) {
        entry[value] += (value >> (i % 8) & 1 ? 1 : -1) * e->weight[i] * unit;
      }
    }
  }
}

static ink_status take_evidence(ink_latent_shape shape, const float *noise, evidence *e,
                                ink_error *error) {
  *e = (evidence){.shape = shape};
  INK_TRY(elements(shape, &e->n, error));
  e->carries = e->n >= INK_SHADING_LEAST;
  e->n_byte = (e->n + 7) / 8;
  e->weight = calloc(e->n, sizeof *e->weight);
  e->table = calloc(e->n_byte, 256 * sizeof *e->table);
  e->key_stream = calloc(e->n_byte, 1);
  if (!e->weight || !e->table || !e->key_stream) {
    free_evidence(e);
    return ink_fail(error, INK_ERR_MEMORY, "no memory to read a watermark");
  }
  weigh(noise, e->n, e->weight);
  fill_table(e);
  return INK_OK;
}

// The sum of known signs' weights, those that disagree taken off, over its deviation: without the
// mark about standard normal.
static double score_of(const evidence *e) {
  double sum = 0;
  for (size_t byte = 0; byte < e->n_byte; byte++) {
    sum += (double)e->table[byte * 256 + e->key_stream[byte]];
  }
  return sum;
}

static size_t count_hits(const evidence *e) {
  size_t hits = 0;
  for (size_t i = 0; i < e->n; i++) {
    if (e->weight[i] == 0 || (e->carries && !is_known(place_of(e->shape, i)))) continue;
    hits += (e->weight[i] > 0) == bit_of(e->key_stream, i);
  }
  return hits;
}

// ---- known identities ---------------------------------------------------------------------------

struct ink_shading_matcher {
  ink_latent_shape shape;
  size_t n;
  float *weight;  // of each sign; their squares add up to 1
  uint8_t *bits;
  EVP_CIPHER_CTX *cipher;
};

ink_status ink_shading_matcher_new(ink_latent_shape shape, const float *noise, const float *first,
                                   ink_shading_matcher **matcher, ink_error *error) {
  size_t n = 0;
  *matcher = NULL;
  INK_TRY(elements(shape, &n, error));
  ink_shading_matcher *m = calloc(1, sizeof *m);
  if (!m) return ink_fail(error, INK_ERR_MEMORY, "no memory to read a watermark");
  *m = (ink_shading_matcher){.shape = shape,
                             .n = n,
                             .weight = calloc(n, sizeof *m->weight),
                             .bits = calloc((n + 7) / 8, 1),
                             .cipher = EVP_CIPHER_CTX_new()};
  if (!m->weight || !m->bits || !m->cipher) {
    ink_shading_matcher_free(m);
    return ink_fail(error, INK_ERR_MEMORY, "no memory to read a watermark");
  }
  weigh(noise, n, m->weight);
  double square = 0;
  for (size_t i = 0; i < n; i++) {
    if (first) m->weight[i] *= fabsf(first[i]);
    square += (double)m->weight[i] * (double)m->weight[i];
  }
  float unit = square > 0 ? (float)(1 / sqrt(square)) : 0;
  for (size_t i = 0; i < n; i++) m->weight[i] *= unit;
  *matcher = m;
  return INK_OK;
}

ink_status ink_shading_matcher_try(ink_shading_matcher *m, const ink_shading_key *key,
                                   const uint8_t identity[INK_SHADING_IDENTITY], double *p_value,
                                   ink_error *error) {
  INK_TRY(signs_of(m->cipher, key, identity, m->shape, m->n, m->bits, error));
  double sum = 0;
  for (size_t i = 0; i < m->n; i++) {
    sum += bit_of(m->bits, i) ? (double)m->weight[i] : -(double)m->weight[i];
  }
  *p_value = ink_weighted_coins(sum);
  return INK_OK;
}

void ink_shading_matcher_free(ink_shading_matcher *matcher) {
  if (!matcher) return;
  EVP_CIPHER_CTX_free(matcher->cipher);
  free(matcher->weight);
  free(matcher->bits);
  free(matcher);
}

ink_status ink_shading_match(const ink_shading_key *key,
                             const uint8_t identity[INK_SHADING_IDENTITY], ink_latent_shape shape,
                             const float *noise, const float *first, double *p_value,
                             ink_error *error) {
  ink_shading_matcher *matcher;
  *p_value = 1;
  INK_TRY(ink_shading_matcher_new(shape, noise, first, &matcher, error));
  ink_status status = ink_shading_matcher_try(matcher, key, identity, p_value, error);
  ink_shading_matcher_free(matcher);
  return status;
}

// ---- identities that are not known --------------------------------------------------------------

// The identity by the votes of all copies.
static ink_status decode(const evidence *e, ink_shading_reading *r, ink_error *error) {
  double votes[INK_CONVOLUTIONAL_CODES][INK_CONVOLUTIONAL_BITS] = {{0}};
  for (size_t i = 0; i < e->n; i++) {
    place p = place_of(e->shape, i);
    if (is_known(p)) continue;
    double weight = (double)e->weight[i];
    votes[p.kind][code_index(p)] += bit_of(e->key_stream, i) ? -weight : weight;
  }
  ink_convolutional_decode(votes, r->identity);
  uint16_t nonce = 0;
  INK_TRY(ink_shading_nonce(r->identity, &nonce, error));
  r->sure = nonce == r->nonce;
  return INK_OK;
}

ink_status ink_shading_read(const ink_shading_key *key, ink_latent_shape shape, const float *noise,
                            ink_shading_reading *reading, ink_error *error) {
  *reading = (ink_shading_reading){.p_value = 1};
  evidence e;
  INK_TRY(take_evidence(shape, noise, &e, error));
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  ink_status status =
      cipher ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory to read a watermark");
  double best = -INFINITY;
  for (uint32_t nonce = 0; nonce < NONCES && status == INK_OK; nonce++) {
    status = stream(cipher, key, (uint16_t)nonce, e.n, e.key_stream, error);
    double score = score_of(&e);
    if (score <= best) continue;
    best = score;
    reading->nonce = (uint16_t)nonce;
  }
  if (status == INK_OK) status = stream(cipher, key, reading->nonce, e.n, e.key_stream, error);
  if (status == INK_OK) {
    reading->p_value = fmin(NONCES * ink_weighted_coins(best), 1);
    reading->n = e.n_known;
    reading->hits = count_hits(&e);
    if (e.carries) status = decode(&e, reading, error);
  }
  EVP_CIPHER_CTX_free(cipher);
  free_evidence(&e);
  return status;
}
