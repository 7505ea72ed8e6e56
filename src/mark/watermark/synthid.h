// SynthID-Text (Dathathri et al., "Scalable watermarking for identifying large language model
// outputs", Nature 634, 2024): a tournament over pseudo-random bits tilts each draw a little, and
// whoever knows the keys counts the bits.
//
// The bits g_1 … g_depth of a token hang on it and the ngram - 1 tokens before it. Two published
// arithmetics: that of transformers (SynthIDTextWatermarkLogitsProcessor), which we write and read,
// and that of google-deepmind/synthid-text, which we read.
//
// Limits. A mark needs choice: text of little entropy (facts, code, verse in a strict form,
// temperature 0) carries none. It fades under paraphrase and translation. Whoever knows the keys
// can also write marked text: a mark shows that a tool with these keys drew the words, not who used
// it.
#ifndef INK_MARK_WATERMARK_SYNTHID_H
#define INK_MARK_WATERMARK_SYNTHID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/status.h"
#include "llm/llm.h"

typedef enum ink_synthid_variant {
  INK_SYNTHID_TRANSFORMERS,
  INK_SYNTHID_DEEPMIND
} ink_synthid_variant;

enum {
  INK_SYNTHID_MAX_DEPTH = 64,
  INK_SYNTHID_MAX_NGRAM = 16,
  INK_SYNTHID_HISTORY = 1024  // contexts that are remembered, as in both references
};

typedef struct ink_synthid_config {
  ink_synthid_variant variant;
  int32_t ngram;  // tokens hashed together, the drawn one counted: 2 … INK_SYNTHID_MAX_NGRAM
  size_t depth;   // keys, 1 … INK_SYNTHID_MAX_DEPTH
  int64_t keys[INK_SYNTHID_MAX_DEPTH];
  uint32_t table_seed;  // transformers: of the 65,536 bits that hashes are looked up in
} ink_synthid_config;

// ngram 5 and 30 keys drawn from a secret (any bytes): key i is made of SHA-256(secret, i). With
// secret NULL the keys that every inkstone has, so that every inkstone finds the mark.
ink_status ink_synthid_config_of(const void *secret, size_t size, ink_synthid_config *config,
                                 ink_error *error);
// Read {"keys": [...], "ngram_len": 5, "sampling_table_seed": 0, "variant": "transformers"}, the
// watermarking_config of transformers; keys it has besides these must have their usual values.
ink_status ink_synthid_config_read(const char *path, ink_synthid_config *config, ink_error *error);

typedef struct ink_synthid ink_synthid;

// Check and prepare. USAGE names what is out of range. Release with ink_synthid_free. Immutable:
// any number of threads and streams may share one.
ink_status ink_synthid_new(const ink_synthid_config *config, ink_synthid **synthid,
                           ink_error *error);
void ink_synthid_free(ink_synthid *synthid);
const ink_synthid_config *ink_synthid_about(const ink_synthid *synthid);
// Names the configuration without telling the keys: the first 16 digits of a SHA-256.
const char *ink_synthid_id(const ink_synthid *synthid);

// Hash of the ngram - 1 tokens before a token, oldest first.
int64_t ink_synthid_context(const ink_synthid *synthid, const int32_t *context);
// The bits of a token behind a context: bit i is g of key i.
uint64_t ink_synthid_bits(const ink_synthid *synthid, int64_t context, int32_t token);

// -- Writing -------------------------------------------------------------------------------------

// The state of one text that is being written.
typedef struct ink_synthid_stream ink_synthid_stream;

// UNSUPPORTED for the DeepMind variant, which is read only. The synthid is borrowed.
ink_status ink_synthid_stream_new(const ink_synthid *synthid, ink_synthid_stream **stream,
                                  ink_error *error);
void ink_synthid_stream_free(ink_synthid_stream *stream);
// What a session takes. Contexts that were met before leave the draw alone, as in the references:
// so the mark costs no quality over repeated text.
ink_reweigher ink_synthid_reweigher(ink_synthid_stream *stream);

// -- Finding -------------------------------------------------------------------------------------

typedef struct ink_synthid_score {
  size_t tokens;         // that were given
  size_t used;           // with a context of their own before them, each context and n-gram once
  double mean;           // of the bits; one half in text without the mark
  double weighted_mean;  // layers weighted from 10 down to 1, as DeepMind's weighted_mean_score
  double z;              // of the weighted mean, in standard deviations
  // Probability that text without the mark scores as high: one-sided, normal approximation of a sum
  // of used * depth independent bits. 1 when none were used.
  double p_value;
} ink_synthid_score;

// Score tokens as a tokenizer gives them for a text (its own first token left out).
ink_status ink_synthid_score_tokens(const ink_synthid *synthid, const int32_t *tokens, size_t n,
                                    ink_synthid_score *score, ink_error *error);

#endif
