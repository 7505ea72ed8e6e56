// A model as users name it: weights, decoder and tokenizer together; and how likely it finds a
// text.
#ifndef INK_LLM_MODEL_H
#define INK_LLM_MODEL_H

#include "base/hash.h"
#include "base/pool.h"
#include "base/status.h"
#include "models/decoder.h"

struct ink_weights;
struct ink_tokenizer;

enum { INK_MAX_END_TOKENS = 16 };

typedef struct ink_model {
  char *name;  // last part of the path or reference
  char *path;  // the folder or file it was opened from
  struct ink_weights *weights;
  struct ink_tokenizer *tokenizer;
  ink_decoder *decoder;
  int32_t end_tokens[INK_MAX_END_TOKENS];  // any of them ends a text
  size_t n_end_token;
  char *chat_template;  // Jinja source, or NULL
} ink_model;

// Open a Hugging Face folder or a GGUF file. Release with ink_model_free. NOT_FOUND, FORMAT,
// CONFLICT or UNSUPPORTED name the file; vocabularies of tokenizer and decoder that do not fit are
// CONFLICT.
ink_status ink_model_open(const char *path, ink_model **model, ink_error *error);
void ink_model_free(ink_model *model);

bool ink_model_is_end(const ink_model *model, int32_t token);

// SHA-256 of the weights: of the file when there is one, of the lines "<sha256>  <file>\n" (what
// sha256sum prints) when they are sharded. Reads them all; nothing is cached.
ink_status ink_model_sha256(const ink_model *model, char hex[INK_SHA256_HEX], ink_error *error);

// How likely a sequence is. Zero-initialise; free with ink_score_free.
typedef struct ink_score {
  int32_t *ids;
  double *logprobs;  // natural, of ids[i] after ids[0 … i); NaN for the first
  size_t n;
  double nll;         // sum of -logprob, in nats
  double perplexity;  // exp of their mean; NaN when no token has one before it
} ink_score;

// Score ids. USAGE when they do not fit the context.
ink_status ink_llm_score(const ink_model *model, ink_pool *pool, const int32_t *ids, size_t n,
                         ink_score *score, ink_error *error);
// Encode a text as the model's tokenizer does by itself (with its first token if it adds one) and
// score that.
ink_status ink_llm_score_text(const ink_model *model, ink_pool *pool, const char *text,
                              ink_score *score, ink_error *error);
void ink_score_free(ink_score *score);

#endif
