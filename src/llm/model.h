// A model as users name it: weights, decoder and tokenizer together; and how likely it finds a
// text.
#ifndef INK_LLM_MODEL_H
#define INK_LLM_MODEL_H

#include "base/pool.h"
#include "base/status.h"
#include "models/decoder.h"
#include "tokenizer/tokenizer.h"
#include "weights/weights.h"

// Its name and SHA-256 are those of the weights (ink_weights_name, ink_weights_sha256).
typedef struct ink_model {
  ink_weights *weights;
  ink_tokenizer *tokenizer;
  ink_decoder *decoder;
  int32_t *absent;  // ids of the decoder that no token has, ascending: padding, never drawn
  size_t n_absent;
} ink_model;

// Open the model at `path`: a Hugging Face folder, a .gguf or .safetensors file. Release with
// ink_model_free. Failures name the file; CONFLICT when the tokenizer has tokens that the decoder
// does not know.
ink_status ink_model_open_at(const char *path, ink_model **model, ink_error *error);
// The same by path or name: whatever ink_model_resolve finds without the network.
ink_status ink_model_open(const char *reference, ink_model **model, ink_error *error);
void ink_model_free(ink_model *model);

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
ink_status ink_llm_score_text(const ink_model *model, ink_pool *pool, const char *text, size_t size,
                              ink_score *score, ink_error *error);
void ink_score_free(ink_score *score);

#endif
