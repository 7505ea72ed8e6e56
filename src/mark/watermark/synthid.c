// SynthID-Text: the bits of a token, the tournament over a draw, the score of a text.
//
// The hash of both references is h' = (h + x) * 6364136223846793005 + 1 modulo 2^64. transformers
// looks its lowest 16 bits up in a table of random bits, and these depend on the lowest 16 bits of
// everything that went in: behind one context, the bit of key i for token t is
//     table[(t * m^2 + c_i) mod 2^16]
// with m the multiplier and c_i made of context and key. With the table reordered once,
// turned[x] = table[x * m^2], that is turned[t + d_i]: the bits of the whole vocabulary are a run
// of the turned table, and a tournament streams instead of hashing vocabulary * depth times.
//
// A layer of the tournament multiplies the chance of each token by 1 + g - mass, with g the token's
// bit and mass the chance of all tokens whose bit is set. Streaming, two layers go in one pass: the
// second mass follows from the chances of the four pairs of bits before the first layer. And they
// need not add up to 1 meanwhile: a layer leaves their total as it is, so masses are shares of it.
#include "mark/watermark/synthid.h"

#include <jansson.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mersenne.h"
#include "mark/watermark/context_set.h"
#include "mark/watermark/cpu/draw.h"

#define MULTIPLIER 6364136223846793005U

enum { TABLE = 1 << 16, WORDS = TABLE / 64, MOST_CONFIG = 1 << 20, ID_DIGITS = 16 };

// Streaming over all tokens costs many times less a token than looking at some: those that are left
// are looked at where they are fewer than one in so many.
enum { FEW = 16 };

struct ink_synthid {
  ink_synthid_config config;
  char id[ID_DIGITS + 1];
  uint64_t start;        // of every hash
  double share;          // of ones in the table: the chance of a bit in unmarked text
  uint64_t undo;         // inverse of MULTIPLIER^2 modulo TABLE
  uint8_t table[TABLE];  // transformers
  // Bit x is table[x * MULTIPLIER^2], twice over, and a word that is read and of no matter.
  uint64_t turned[2 * WORDS + 1];
};

static uint64_t add_to_hash(uint64_t hash, uint64_t x) {
  return (hash + x) * MULTIPLIER + 1;
}

static ink_status sha256(const void *bytes, size_t size, unsigned char digest[32],
                         ink_error *error) {
  if (EVP_Digest(bytes, size, digest, NULL, EVP_sha256(), NULL) == 1) return INK_OK;
  return ink_fail(error, INK_ERR_INTERNAL, "SHA-256 failed");
}

// ---- configuration -----------------------------------------------------------------------------

ink_status ink_synthid_config_of(const void *secret, size_t size, ink_synthid_config *config,
                                 ink_error *error) {
  static const char everyone[] = "inkstone: the watermark keys that every copy has";
  if (!secret) {
    secret = everyone;
    size = sizeof everyone - 1;
  }
  *config = (ink_synthid_config){.variant = INK_SYNTHID_TRANSFORMERS, .ngram = 5, .depth = 30};
  unsigned char input[33], digest[32];
  INK_TRY(sha256(secret, size, input, error));
  for (size_t i = 0; i < config->depth; i++) {
    input[32] = (unsigned char)i;
    INK_TRY(sha256(input, sizeof input, digest, error));
    // 31 bits: any other implementation reads them without trouble.
    uint32_t key = (uint32_t)digest[0] | (uint32_t)digest[1] << 8 | (uint32_t)digest[2] << 16 |
                   (uint32_t)(digest[3] & 0x7F) << 24;
    config->keys[i] = key;
  }
  return INK_OK;
}

static ink_status read_keys(const json_t *json, const char *name, ink_synthid_config *config,
                            ink_error *error) {
  const json_t *keys = json_object_get(json, "keys");
  size_t n = json_array_size(keys);
  if (!json_is_array(keys) || n < 1 || n > INK_SYNTHID_MAX_DEPTH) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /keys must be a list of 1 to %d whole numbers",
                    name, INK_SYNTHID_MAX_DEPTH);
  }
  for (size_t i = 0; i < n; i++) {
    const json_t *key = json_array_get(keys, i);
    if (!json_is_integer(key)) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: /keys/%zu must be a whole number", name, i);
    }
    config->keys[i] = json_integer_value(key);
  }
  config->depth = n;
  return INK_OK;
}

static ink_status read_config(const json_t *json, const char *name, ink_synthid_config *config,
                              ink_error *error) {
  if (!json_is_object(json)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: must be a JSON object with \"keys\"", name);
  }
  static const char *const known[] = {"keys",
                                      "ngram_len",
                                      "sampling_table_seed",
                                      "sampling_table_size",
                                      "variant",
                                      "device",
                                      "context_history_size",
                                      "skip_first_ngram_calls",
                                      "watermarking_type",
                                      "debug_mode",
                                      NULL};
  INK_TRY(ink_json_only(json, name, known, error));
  INK_TRY(read_keys(json, name, config, error));
  int64_t ngram = config->ngram, seed = 0, table = TABLE, history = INK_SYNTHID_HISTORY;
  bool skip = false, debug = false;
  const char *variant = "transformers";
  INK_TRY(ink_json_get_int(json, "ngram_len", name, 2, INK_SYNTHID_MAX_NGRAM, &ngram, error));
  INK_TRY(ink_json_get_int(json, "sampling_table_seed", name, 0, UINT32_MAX, &seed, error));
  INK_TRY(ink_json_get_int(json, "sampling_table_size", name, TABLE, TABLE, &table, error));
  INK_TRY(ink_json_get_int(json, "context_history_size", name, history, history, &history, error));
  INK_TRY(ink_json_get_bool(json, "skip_first_ngram_calls", name, &skip, error));
  INK_TRY(ink_json_get_bool(json, "debug_mode", name, &debug, error));
  INK_TRY(ink_json_get_string(json, "variant", name, &variant, error));
  bool deepmind = strcmp(variant, "deepmind") == 0;
  if (!deepmind && strcmp(variant, "transformers") != 0) {
    return ink_fail(error, INK_ERR_FORMAT,
                    "%s: /variant is \"%s\"; it is \"transformers\" or \"deepmind\"", name,
                    variant);
  }
  if (skip || debug) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: /%s must be false", name,
                    skip ? "skip_first_ngram_calls" : "debug_mode");
  }
  config->variant = deepmind ? INK_SYNTHID_DEEPMIND : INK_SYNTHID_TRANSFORMERS;
  config->ngram = (int32_t)ngram;
  config->table_seed = (uint32_t)seed;
  return INK_OK;
}

ink_status ink_synthid_config_read(const char *path, ink_synthid_config *config, ink_error *error) {
  *config = (ink_synthid_config){.ngram = 5};
  json_t *json = NULL;
  INK_TRY(ink_json_load(path, MOST_CONFIG, &json, error));
  ink_status status = read_config(json, path, config, error);
  json_decref(json);
  return status;
}

// ---- preparation -------------------------------------------------------------------------------

static void fill_table(ink_synthid *s) {
  ink_mersenne mersenne;
  ink_mersenne_seed(&mersenne, s->config.table_seed);
  // torch.randint(0, 2): one word of 32 bits each, modulo 2.
  unsigned ones = 0;
  for (int i = 0; i < TABLE; i++) {
    s->table[i] = (uint8_t)(ink_mersenne_u32(&mersenne) & 1);
    ones += s->table[i];
  }
  s->share = (double)ones / TABLE;
  uint64_t square = MULTIPLIER * MULTIPLIER;
  for (uint64_t x = 0; x < TABLE; x++) {
    uint64_t bit = (uint64_t)s->table[x * square % TABLE] << x % 64;
    s->turned[x / 64] |= bit;
    s->turned[x / 64 + WORDS] |= bit;
  }
  // Newton's iteration doubles the correct bits of an inverse modulo a power of two.
  s->undo = square;
  for (int i = 0; i < 4; i++) s->undo *= 2 - square * s->undo;
}

// The hash of the DeepMind variant starts at SHA-256(keys as little-endian int64), read as a big
// number, modulo 2^63 - 1.
static ink_status deepmind_start(ink_synthid *s, ink_error *error) {
  unsigned char bytes[8 * INK_SYNTHID_MAX_DEPTH], digest[32];
  for (size_t i = 0; i < s->config.depth; i++) {
    for (int b = 0; b < 8; b++)
      bytes[8 * i + (size_t)b] = (unsigned char)((uint64_t)s->config.keys[i] >> 8 * b);
  }
  INK_TRY(sha256(bytes, 8 * s->config.depth, digest, error));
  // 2^63 is 1 modulo 2^63 - 1, so a byte shifts in by a rotation of 63 bits.
  uint64_t modulus = ((uint64_t)1 << 63) - 1, rest = 0;
  for (int i = 0; i < 32; i++) {
    rest = ((rest << 8) & modulus) + (rest >> 55) + digest[i];
    rest = (rest & modulus) + (rest >> 63);
  }
  s->start = rest == modulus ? 0 : rest;
  s->share = 0.5;
  return INK_OK;
}

static ink_status name_it(ink_synthid *s, ink_error *error) {
  const ink_synthid_config *c = &s->config;
  // Whatever decides the bits, in fixed places.
  unsigned char bytes[16 + 8 * INK_SYNTHID_MAX_DEPTH] = {(unsigned char)c->variant,
                                                         (unsigned char)c->ngram};
  for (int b = 0; b < 4; b++) bytes[4 + b] = (unsigned char)(c->table_seed >> 8 * b);
  for (size_t i = 0; i < c->depth; i++) {
    for (int b = 0; b < 8; b++)
      bytes[16 + 8 * i + (size_t)b] = (unsigned char)((uint64_t)c->keys[i] >> 8 * b);
  }
  char hex[INK_SHA256_HEX];
  INK_TRY(ink_sha256_of(bytes, 16 + 8 * c->depth, hex, error));
  memcpy(s->id, hex, ID_DIGITS);
  return INK_OK;
}

ink_status ink_synthid_new(const ink_synthid_config *config, ink_synthid **synthid,
                           ink_error *error) {
  *synthid = NULL;
  if (config->ngram < 2 || config->ngram > INK_SYNTHID_MAX_NGRAM) {
    return ink_fail(error, INK_ERR_USAGE, "the watermark's ngram is %d; it must be from 2 to %d",
                    config->ngram, INK_SYNTHID_MAX_NGRAM);
  }
  if (config->depth < 1 || config->depth > INK_SYNTHID_MAX_DEPTH) {
    return ink_fail(error, INK_ERR_USAGE, "the watermark has %zu keys; it takes 1 to %d",
                    config->depth, INK_SYNTHID_MAX_DEPTH);
  }
  ink_synthid *s = calloc(1, sizeof *s);
  if (!s) return ink_fail(error, INK_ERR_MEMORY, "no memory for a watermark");
  s->config = *config;
  ink_status status = name_it(s, error);
  if (status == INK_OK && config->variant == INK_SYNTHID_TRANSFORMERS) {
    s->start = 1;
    fill_table(s);
  } else if (status == INK_OK) {
    status = deepmind_start(s, error);
  }
  if (status != INK_OK) {
    free(s);
    return status;
  }
  *synthid = s;
  return INK_OK;
}

void ink_synthid_free(ink_synthid *synthid) {
  free(synthid);
}

const ink_synthid_config *ink_synthid_about(const ink_synthid *s) {
  return &s->config;
}

const char *ink_synthid_id(const ink_synthid *s) {
  return s->id;
}

// ---- the bits of a token -----------------------------------------------------------------------

int64_t ink_synthid_context(const ink_synthid *s, const int32_t *context) {
  uint64_t hash = s->start;
  for (int32_t i = 0; i + 1 < s->config.ngram; i++) {
    hash = add_to_hash(hash, (uint64_t)(int64_t)context[i]);
  }
  return (int64_t)hash;
}

// DeepMind's bit: twelve rounds that fold in 1 and shift, then bit 30.
static unsigned deepmind_bit(uint64_t hash) {
  for (int i = 0; i < 12; i++) hash = (uint64_t)((int64_t)add_to_hash(hash, 1) >> 5);
  return (unsigned)(hash >> 30) & 1;
}

uint64_t ink_synthid_bits(const ink_synthid *s, int64_t context, int32_t token) {
  uint64_t hash = add_to_hash((uint64_t)context, (uint64_t)(int64_t)token), bits = 0;
  for (size_t i = 0; i < s->config.depth; i++) {
    uint64_t key = add_to_hash(hash, (uint64_t)s->config.keys[i]);
    unsigned bit =
        s->config.variant == INK_SYNTHID_DEEPMIND ? deepmind_bit(key) : s->table[key % TABLE];
    bits |= (uint64_t)bit << i;
  }
  return bits;
}

// Where in the turned table the bits of key `key` begin behind a context: token t's is t further.
static uint64_t place_of(const ink_synthid *s, uint64_t context, int64_t key) {
  uint64_t of_token_0 = add_to_hash(add_to_hash(context, 0), (uint64_t)key);
  return of_token_0 * s->undo % TABLE;
}

// ---- writing -----------------------------------------------------------------------------------

// The bits of tokens in one layer.
typedef struct bit_row {
  uint64_t words[WORDS];
} bit_row;

struct ink_synthid_stream {
  const ink_synthid *synthid;
  const ink_draw_kernels *kernels;
  uint64_t history[INK_SYNTHID_HISTORY];  // a ring; zero where nothing was met, as the reference
  size_t steps;                           // contexts that went in
  bit_row rows[4];                        // of the layers at work
  // Where few tokens are left: which, and their weights side by side.
  int32_t *places;
  float *weights;
  size_t capacity;
};

ink_status ink_synthid_stream_new(const ink_synthid *synthid, ink_synthid_stream **stream,
                                  ink_error *error) {
  *stream = NULL;
  if (synthid->config.variant != INK_SYNTHID_TRANSFORMERS) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "text is marked in the variant of transformers; that of DeepMind is read only");
  }
  *stream = calloc(1, sizeof **stream);
  if (!*stream) return ink_fail(error, INK_ERR_MEMORY, "no memory for a watermark");
  (*stream)->synthid = synthid;
  (*stream)->kernels = ink_draw_kernels_here();
  return INK_OK;
}

void ink_synthid_stream_free(ink_synthid_stream *stream) {
  if (!stream) return;
  free(stream->places);
  free(stream->weights);
  free(stream);
}

// The context of token n of a text: what lies before the text counts as zeros.
static uint64_t context_at(const ink_synthid *s, const int32_t *written, size_t n) {
  int32_t context[INK_SYNTHID_MAX_NGRAM] = {0};
  size_t width = (size_t)s->config.ngram - 1;
  for (size_t i = 0; i < width; i++) {
    if (n + i >= width) context[i] = written[n + i - width];
  }
  return (uint64_t)ink_synthid_context(s, context);
}

// Remember a context; true when it was there.
static bool met_before(ink_synthid_stream *stream, uint64_t context) {
  bool met = false;
  for (size_t i = 0; i < INK_SYNTHID_HISTORY && !met; i++) met = stream->history[i] == context;
  stream->history[stream->steps++ % INK_SYNTHID_HISTORY] = context;
  return met;
}

static ink_status reserve(ink_synthid_stream *stream, size_t n, ink_error *error) {
  if (n <= stream->capacity) return INK_OK;
  free(stream->places);
  free(stream->weights);
  stream->places = malloc(n * sizeof *stream->places);
  stream->weights = malloc(n * sizeof *stream->weights);
  stream->capacity = stream->places && stream->weights ? n : 0;
  if (stream->capacity) return INK_OK;
  return ink_fail(error, INK_ERR_MEMORY, "no memory for the candidates of a draw");
}

// A tournament under way: the tokens at `places`, or the whole vocabulary.
typedef struct tournament {
  const ink_synthid *synthid;
  uint64_t context;
  const int32_t *places;  // or NULL
  size_t n;
} tournament;

// The bits of layer `layer`. A layer beyond the last has none set, and changes nothing.
static const uint64_t *lay_out(const tournament *t, size_t layer, bit_row *row) {
  const ink_synthid *s = t->synthid;
  if (layer >= s->config.depth) {
    memset(row, 0, sizeof *row);
    return row->words;
  }
  uint64_t place = place_of(s, t->context, s->config.keys[layer]);
  if (!t->places) {  // a run of the turned table
    const uint64_t *from = s->turned + place / 64;
    unsigned shift = place % 64;
    for (size_t i = 0; i < WORDS; i++) {
      row->words[i] = from[i] >> shift | from[i + 1] << 1 << (63 - shift);
    }
    return row->words;
  }
  for (size_t i = 0; i < t->n; i += 64) {
    uint64_t word = 0;
    for (size_t j = t->n - i < 64 ? t->n - i : 64; j-- > 0;) {
      uint64_t at = place + (uint64_t)t->places[i + j] % TABLE;
      word = word << 1 | (s->turned[at / 64] >> at % 64 & 1);
    }
    row->words[i / 64] = word;
  }
  return row->words;
}

// What a layer multiplies chances with, by the bit of their token.
static void factors_of(double mass, float factor[2]) {
  factor[0] = 1 - (float)mass;
  factor[1] = 2 - (float)mass;
}

// Two layers a pass; the first pass multiplies by 1 and the last finds no bits to add up by. Behind
// the table the bits of the whole vocabulary come again.
static void hold(const tournament *t, const ink_draw_kernels *kernels, bit_row rows[4],
                 float *weights) {
  double strands[INK_DRAW_STRANDS] = {0};
  kernels->sum(weights, t->n, strands);
  double total = ink_draw_join(strands);
  size_t depth = t->synthid->config.depth;
  ink_draw_layers now = {.first_factor = {1, 1}, .second_factor = {1, 1}};
  now.first = now.second = lay_out(t, depth, &rows[3]);
  for (size_t layer = 0; layer < depth + 2; layer += 2) {
    ink_draw_layers next = {.first = lay_out(t, layer, &rows[layer % 4]),
                            .second = lay_out(t, layer + 1, &rows[layer % 4 + 1])};
    ink_draw_sums sums = {{0}, {0}, {0}};
    for (size_t start = 0; start < t->n; start += TABLE) {
      size_t size = t->n - start < TABLE ? t->n - start : TABLE;
      kernels->two_layers(&now, &next, weights + start, size, &sums);
    }
    double both = ink_draw_join(sums.both), second = ink_draw_join(sums.second) - both;
    factors_of(ink_draw_join(sums.first) / total, next.first_factor);
    double after = (double)next.first_factor[0] * second + (double)next.first_factor[1] * both;
    factors_of(after / total, next.second_factor);
    now = next;
  }
}

static ink_status reweigh(void *self, const int32_t *written, size_t n, float *weights,
                          size_t n_vocab, ink_error *error) {
  ink_synthid_stream *stream = self;
  const ink_synthid *s = stream->synthid;
  if (n != stream->steps) {  // another text, or one that went back
    memset(stream->history, 0, sizeof stream->history);
    stream->steps = 0;
    while (stream->steps < n) met_before(stream, context_at(s, written, stream->steps));
  }
  uint64_t context = context_at(s, written, n);
  if (met_before(stream, context)) return INK_OK;
  size_t most = n_vocab / FEW < TABLE ? n_vocab / FEW : TABLE;
  INK_TRY(reserve(stream, most + 1, error));
  size_t left = stream->kernels->present(weights, n_vocab, most, stream->places);
  if (left == 0) return INK_OK;
  tournament t = {.synthid = s, .context = context, .n = n_vocab};
  if (left > most) {
    hold(&t, stream->kernels, stream->rows, weights);
    return INK_OK;
  }
  t.places = stream->places;
  t.n = left;
  for (size_t i = 0; i < left; i++) stream->weights[i] = weights[stream->places[i]];
  hold(&t, stream->kernels, stream->rows, stream->weights);
  for (size_t i = 0; i < left; i++) weights[stream->places[i]] = stream->weights[i];
  return INK_OK;
}

ink_reweigher ink_synthid_reweigher(ink_synthid_stream *stream) {
  return (ink_reweigher){.reweigh = reweigh, .self = stream};
}

// ---- finding -----------------------------------------------------------------------------------

// Layer i's weight: falling evenly from 10 to 1, their mean 1.
static void layer_weights(size_t depth, double weights[INK_SYNTHID_MAX_DEPTH]) {
  double sum = 0;
  for (size_t i = 0; i < depth; i++) {
    weights[i] = depth == 1 ? 10 : 10 - 9.0 * (double)i / (double)(depth - 1);
    sum += weights[i];
  }
  for (size_t i = 0; i < depth; i++) weights[i] *= (double)depth / sum;
}

static ink_status count_bits(const ink_synthid *s, const int32_t *tokens, size_t n,
                             ink_context_set *met, ink_synthid_score *score,
                             uint64_t ones[INK_SYNTHID_MAX_DEPTH], ink_error *error) {
  size_t width = (size_t)s->config.ngram - 1;
  for (size_t i = width; i < n; i++) {
    int64_t context = ink_synthid_context(s, tokens + i - width);
    bool is_new;
    INK_TRY(ink_context_set_add(met, (uint64_t)context, &is_new, error));
    if (!is_new) continue;
    uint64_t bits = ink_synthid_bits(s, context, tokens[i]);
    for (size_t layer = 0; layer < s->config.depth; layer++) ones[layer] += bits >> layer & 1;
    score->used++;
  }
  return INK_OK;
}

ink_status ink_synthid_score_tokens(const ink_synthid *s, const int32_t *tokens, size_t n,
                                    ink_synthid_score *score, ink_error *error) {
  *score = (ink_synthid_score){.tokens = n, .mean = 0.5, .weighted_mean = 0.5, .p_value = 1};
  ink_context_set met = {0};
  uint64_t ones[INK_SYNTHID_MAX_DEPTH] = {0};
  ink_status status = count_bits(s, tokens, n, &met, score, ones, error);
  ink_context_set_free(&met);
  INK_TRY(status);
  if (score->used == 0) return INK_OK;

  size_t depth = s->config.depth;
  double weights[INK_SYNTHID_MAX_DEPTH], used = (double)score->used;
  layer_weights(depth, weights);
  double sum = 0, weighted = 0, squares = 0;
  for (size_t i = 0; i < depth; i++) {
    sum += (double)ones[i];
    weighted += weights[i] * (double)ones[i];
    squares += weights[i] * weights[i];
  }
  double bits = used * (double)depth;
  score->mean = sum / bits;
  score->weighted_mean = weighted / bits;
  double deviation = sqrt(s->share * (1 - s->share) * squares * used);
  score->z = (weighted - s->share * bits) / deviation;
  score->p_value = 0.5 * erfc(score->z / sqrt(2));
  return INK_OK;
}
