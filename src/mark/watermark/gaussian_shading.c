// Intervals of normal noise as bits.
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

// An interval of the normal distribution, of 16 that are equally likely: the lowest bit is set for
// values above zero, the others are an eighth of the sizes, 0 that of the largest.
typedef uint8_t interval;
enum { SIZES = 8, INTERVALS = 2 * SIZES };

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
  if (!ink_folder_has(folder, "signer.pem")) {
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

// A run of a nonce's key stream: `size` bytes from byte `from`, a multiple of the cipher's block.
enum { CIPHER_BLOCK = 64 };
static ink_status stream(EVP_CIPHER_CTX *cipher, const ink_shading_key *key, uint16_t nonce,
                         size_t from, size_t size, uint8_t *bytes, ink_error *error) {
  // The counter of blocks, then the nonce (RFC 8439, 2.3), as OpenSSL takes them.
  uint32_t counter = (uint32_t)(from / CIPHER_BLOCK);
  uint8_t iv[16] = {(uint8_t)counter,         (uint8_t)(counter >> 8), (uint8_t)(counter >> 16),
                    (uint8_t)(counter >> 24), (uint8_t)nonce,          (uint8_t)(nonce >> 8)};
  int written = 0;
  memset(bytes, 0, size);
  if (EVP_EncryptInit_ex(cipher, EVP_chacha20(), NULL, key->bytes, iv) == 1 &&
      EVP_EncryptUpdate(cipher, bytes, &written, bytes, (int)size) == 1) {
    return INK_OK;
  }
  return ink_fail(error, INK_ERR_INTERNAL, "ChaCha20 failed");
}

// Two intervals to a byte, the first in its lower half.
static size_t bytes_of(size_t n) {
  return (n + 1) / 2;
}

static interval interval_of(const uint8_t *bytes, size_t i) {
  return bytes[i / 2] >> (i % 2 * 4) & (INTERVALS - 1);
}

static bool is_above(interval v) {
  return v & 1;
}

// In which interval each of n values lies under an identity, as `stream` gives them.
static ink_status intervals_of(EVP_CIPHER_CTX *cipher, const ink_shading_key *key,
                               const uint8_t identity[INK_SHADING_IDENTITY], ink_latent_shape shape,
                               size_t n, uint8_t *bytes, ink_error *error) {
  uint16_t nonce = 0;
  INK_TRY(ink_shading_nonce(identity, &nonce, error));
  INK_TRY(stream(cipher, key, nonce, 0, bytes_of(n), bytes, error));
  if (n < INK_SHADING_LEAST) return INK_OK;
  uint8_t code[INK_CONVOLUTIONAL_CODES][INK_CONVOLUTIONAL_BITS];
  ink_convolutional_encode(identity, code);
  for (size_t i = 0; i < n; i++) {
    place p = place_of(shape, i);
    if (!is_known(p) && code[p.kind][code_index(p)]) bytes[i / 2] ^= (uint8_t)(1 << i % 2 * 4);
  }
  return INK_OK;
}

// The size that a standard normal exceeds with this chance, above 0 and up to 1: Abramowitz and
// Stegun 26.2.23, and Newton's steps, which leave no error above rounding.
static double size_exceeded(double chance) {
  double t = sqrt(-2 * log(chance / 2));
  double x = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                     (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  for (int i = 0; i < 3; i++) {
    x += (erfc(x / sqrt(2)) - chance) * sqrt(M_PI / 2) * exp(x * x / 2);
  }
  return fmax(x, 0);
}

// What lies within this interval as the value lies within its eighth of sizes.
static float move_into(interval v, float value) {
  double within = erfc(fabs((double)value) / sqrt(2)) * SIZES;
  // No float is so large that it would be less; it keeps the size finite.
  within = fmax(within - floor(within), 0x1p-40);
  interval eighth = v / 2;
  double size = size_exceeded((eighth + within) / SIZES);
  return (float)(is_above(v) ? size : -size);
}

ink_status ink_shading_apply(const ink_shading_key *key,
                             const uint8_t identity[INK_SHADING_IDENTITY], ink_latent_shape shape,
                             float *noise, ink_error *error) {
  size_t n = 0;
  INK_TRY(elements(shape, &n, error));
  uint8_t *bytes = calloc(bytes_of(n), 1);
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  ink_status status = bytes && cipher
                          ? intervals_of(cipher, key, identity, shape, n, bytes, error)
                          : ink_fail(error, INK_ERR_MEMORY, "no memory for a watermark");
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    noise[i] = move_into(interval_of(bytes, i), noise[i]);
  }
  EVP_CIPHER_CTX_free(cipher);
  free(bytes);
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

// What the mark makes of noise: the mean of each interval's sizes, with its sign.
static void fill_means(float mean[INTERVALS]) {
  double above = 0;  // the density at the interval's upper end
  for (int i = 0; i < SIZES; i++) {
    double least = size_exceeded((i + 1.0) / SIZES);
    double density = exp(-least * least / 2) / sqrt(2 * M_PI);
    mean[2 * i + 1] = (float)(2 * SIZES * (density - above));
    mean[2 * i] = -mean[2 * i + 1];
    above = density;
  }
}

typedef struct evidence {
  ink_latent_shape shape;
  size_t n;
  bool carries;   // an identity beside the known bits
  float *weight;  // the noise that was found, as weigh() gives it
  float mean[INTERVALS];
  uint8_t *bytes;  // room for intervals as `stream` gives them
  EVP_CIPHER_CTX *cipher;
} evidence;

static void free_evidence(evidence *e) {
  EVP_CIPHER_CTX_free(e->cipher);
  free(e->weight);
  free(e->bytes);
}

static ink_status take_evidence(ink_latent_shape shape, const float *noise, evidence *e,
                                ink_error *error) {
  *e = (evidence){.shape = shape};
  INK_TRY(elements(shape, &e->n, error));
  e->carries = e->n >= INK_SHADING_LEAST;
  e->weight = calloc(e->n, sizeof *e->weight);
  e->bytes = calloc(bytes_of(e->n), 1);
  e->cipher = EVP_CIPHER_CTX_new();
  if (!e->weight || !e->bytes || !e->cipher) {
    free_evidence(e);
    return ink_fail(error, INK_ERR_MEMORY, "no memory to read a watermark");
  }
  weigh(noise, e->n, e->weight);
  fill_means(e->mean);
  return INK_OK;
}

// Whether the bit of a sign is known where the identity is not.
static bool tells(const evidence *e, size_t i) {
  return !e->carries || is_known(place_of(e->shape, i));
}

// The sum of signs' weights, those that disagree taken off, over its deviation: without the mark
// about standard normal. All signs, or those whose bits are known.
static double score_of(const evidence *e, bool all) {
  double sum = 0, square = 0;
  for (size_t i = 0; i < e->n; i++) {
    if (!all && !tells(e, i)) continue;
    double part = (double)e->weight[i] * (double)e->mean[interval_of(e->bytes, i)];
    sum += part;
    square += part * part;
  }
  return square > 0 ? sum / sqrt(square) : 0;
}

// ---- known identities ---------------------------------------------------------------------------

struct ink_shading_matcher {
  evidence evidence;
};

ink_status ink_shading_matcher_new(ink_latent_shape shape, const float *noise,
                                   ink_shading_matcher **matcher, ink_error *error) {
  *matcher = calloc(1, sizeof **matcher);
  if (!*matcher) return ink_fail(error, INK_ERR_MEMORY, "no memory to read a watermark");
  ink_status status = take_evidence(shape, noise, &(*matcher)->evidence, error);
  if (status == INK_OK) return INK_OK;
  free(*matcher);
  *matcher = NULL;
  return status;
}

ink_status ink_shading_matcher_try(ink_shading_matcher *matcher, const ink_shading_key *key,
                                   const uint8_t identity[INK_SHADING_IDENTITY], double *p_value,
                                   ink_error *error) {
  evidence *e = &matcher->evidence;
  INK_TRY(intervals_of(e->cipher, key, identity, e->shape, e->n, e->bytes, error));
  *p_value = ink_weighted_coins(score_of(e, true));
  return INK_OK;
}

void ink_shading_matcher_free(ink_shading_matcher *matcher) {
  if (!matcher) return;
  free_evidence(&matcher->evidence);
  free(matcher);
}

ink_status ink_shading_match(const ink_shading_key *key,
                             const uint8_t identity[INK_SHADING_IDENTITY], ink_latent_shape shape,
                             const float *noise, double *p_value, ink_error *error) {
  ink_shading_matcher *matcher;
  *p_value = 1;
  INK_TRY(ink_shading_matcher_new(shape, noise, &matcher, error));
  ink_status status = ink_shading_matcher_try(matcher, key, identity, p_value, error);
  ink_shading_matcher_free(matcher);
  return status;
}

// ---- identities that are not known --------------------------------------------------------------

// Of each byte of a run of key stream, what its known signs add to the sum: 256 numbers a byte.
static void fill_table(const evidence *e, size_t from, size_t size, float *table) {
  memset(table, 0, size * 256 * sizeof *table);
  for (size_t i = 2 * from; i < 2 * (from + size) && i < e->n; i++) {
    float *entry = table + (i / 2 - from) * 256;
    if (!tells(e, i)) continue;
    for (unsigned byte = 0; byte < 256; byte++) {
      entry[byte] += e->weight[i] * e->mean[byte >> (i % 2 * 4) & (INTERVALS - 1)];
    }
  }
}

// What a run adds to the sums of all nonces.
static ink_status add_run(evidence *e, const ink_shading_key *key, size_t from, size_t size,
                          const float *table, float *sums, ink_error *error) {
  for (uint32_t nonce = 0; nonce < NONCES; nonce++) {
    INK_TRY(stream(e->cipher, key, (uint16_t)nonce, from, size, e->bytes, error));
    // Four sums side by side, for one would wait for itself.
    float sum[4] = {0};
    for (size_t i = 0; i < size; i++) sum[i % 4] += table[i * 256 + e->bytes[i]];
    sums[nonce] += (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }
  return INK_OK;
}

// The nonce whose known signs add up to most. Sums are not brought to their deviations, which
// hardly differ: whichever is chosen, its own p-value times the number of nonces holds.
static ink_status find_nonce(evidence *e, const ink_shading_key *key, uint16_t *best,
                             ink_error *error) {
  enum { RUN = 16 * CIPHER_BLOCK };  // whose table stays in the second-level cache
  float *table = calloc(RUN * 256, sizeof *table), *sums = calloc(NONCES, sizeof *sums);
  ink_status status =
      table && sums ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory to read a watermark");
  size_t n_byte = bytes_of(e->n);
  for (size_t from = 0; from < n_byte && status == INK_OK; from += RUN) {
    size_t size = n_byte - from < RUN ? n_byte - from : RUN;
    fill_table(e, from, size, table);
    status = add_run(e, key, from, size, table, sums, error);
  }
  for (uint32_t nonce = 0; nonce < NONCES && status == INK_OK; nonce++) {
    if (sums[nonce] > sums[*best]) *best = (uint16_t)nonce;
  }
  free(table);
  free(sums);
  return status;
}

static void count_hits(const evidence *e, ink_shading_reading *r) {
  for (size_t i = 0; i < e->n; i++) {
    if (e->weight[i] == 0 || !tells(e, i)) continue;
    r->n++;
    r->hits += (e->weight[i] > 0) == is_above(interval_of(e->bytes, i));
  }
}

// The identity by the votes of all copies.
static ink_status decode(const evidence *e, ink_shading_reading *r, ink_error *error) {
  double votes[INK_CONVOLUTIONAL_CODES][INK_CONVOLUTIONAL_BITS] = {{0}};
  for (size_t i = 0; i < e->n; i++) {
    place p = place_of(e->shape, i);
    if (is_known(p)) continue;
    votes[p.kind][code_index(p)] -=
        (double)e->weight[i] * (double)e->mean[interval_of(e->bytes, i)];
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
  ink_status status = find_nonce(&e, key, &reading->nonce, error);
  if (status == INK_OK) {
    status = stream(e.cipher, key, reading->nonce, 0, bytes_of(e.n), e.bytes, error);
  }
  if (status == INK_OK) {
    reading->p_value = fmin(NONCES * ink_weighted_coins(score_of(&e, false)), 1);
    count_hits(&e, reading);
    if (e.carries) status = decode(&e, reading, error);
  }
  free_evidence(&e);
  return status;
}
