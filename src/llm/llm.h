// Writing with a decoder: a session holds prompt, cache, sampler and constraints, and gives one
// token per step. What it writes depends on model, options, prompt and seed alone.
#ifndef INK_LLM_LLM_H
#define INK_LLM_LLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/status.h"
#include "tensor/tensor.h"

struct ink_model;

// Something that changes logits before a token is drawn: a constraint, a guard, a watermark.
// Higher rooms implement it; a session calls its processors in order.
typedef struct ink_logit_processor {
  // tokens[0 … n): the sequence so far, the prompt counted. Set logits[id] to -INFINITY to forbid a
  // token. When all are forbidden the step fails.
  ink_status (*process)(void *self, const int32_t *tokens, size_t n, float *logits, size_t n_vocab,
                        ink_error *error);
  // A token was drawn (also an end token). NULL when it is of no interest.
  ink_status (*accept)(void *self, int32_t token, ink_error *error);
  void *self;
} ink_logit_processor;

// Something that weighs anew what the filters left, right before the draw: a watermark.
typedef struct ink_reweigher {
  // written[0 … n): the tokens drawn so far, the prompt not counted. weights[id] is the chance of a
  // token up to a common factor, 0 for those that are out; at least one must stay above 0.
  ink_status (*reweigh)(void *self, const int32_t *written, size_t n, float *weights,
                        size_t n_vocab, ink_error *error);
  void *self;
} ink_reweigher;

// How a token is drawn. In this order, as in transformers: repetition penalty, processors,
// temperature, top-k, top-p, min-p, reweigher, then one draw.
typedef struct ink_sampling {
  float temperature;         // [0, 100]; 0: the most likely token (lowest id among equals)
  int32_t top_k;             // keep the k most likely; 0: all
  float top_p;               // (0, 1]: keep the fewest whose probabilities reach it; 1: all
  float min_p;               // [0, 1): drop those below min_p times the most likely; 0: none
  float repetition_penalty;  // (0, 100]: positive logits of tokens already there are divided by it,
                             // negative ones multiplied (Keskar et al. 2019); 1: none
  uint64_t seed;             // the draw at position p uses Philox at (seed, piece, p)
  uint64_t piece;
} ink_sampling;

// temperature 1, all filters off, seed 0, piece 0.
ink_sampling ink_sampling_default(void);
// USAGE, naming field, value and range, when one is out of it.
ink_status ink_sampling_check(const ink_sampling *sampling, ink_error *error);

// The repetition penalty, once for each token of tokens[0 … n_token). scratch: 8 n_vocab bytes.
void ink_sample_penalty(const ink_sampling *sampling, const int32_t *tokens, size_t n_token,
                        float *logits, size_t n_vocab, void *scratch);
// Temperature and filters: the logits become weights, as a reweigher sees them. At temperature 0
// all weight is on one token. scratch: 8 n_vocab bytes. USAGE when no token is left, INTERNAL when
// a logit is not a number.
ink_status ink_sample_weigh(const ink_sampling *sampling, float *logits, size_t n_vocab,
                            void *scratch, ink_error *error);
// The draw for position `position`: a token by its weight, never one of weight 0.
int32_t ink_sample_draw(const ink_sampling *sampling, const float *weights, size_t n_vocab,
                        size_t position);
// Both in one; the logits are overwritten.
ink_status ink_sample(const ink_sampling *sampling, float *logits, size_t n_vocab, size_t position,
                      void *scratch, int32_t *token, ink_error *error);

typedef enum ink_finish {
  INK_FINISH_NONE,  // it goes on
  INK_FINISH_STOP,  // an end token or a stop string
  INK_FINISH_LENGTH,
  INK_FINISH_CANCELLED
} ink_finish;
// "stop", "length", "cancelled", or "" while it goes on.
const char *ink_finish_name(ink_finish finish);

typedef struct ink_logprob {
  int32_t token;
  float logprob;
} ink_logprob;

enum { INK_MAX_LOGPROBS = 20, INK_MAX_STOPS = 16, INK_MAX_END_TOKENS = 16 };

// One step of a session.
typedef struct ink_step {
  int32_t token;
  // With n_logprobs >= 0: natural logarithms under the model, before penalty, processors and
  // temperature; of the token, and of the most likely ones in falling order.
  float logprob;
  ink_logprob top[INK_MAX_LOGPROBS];
  int32_t n_top;
  ink_finish finish;
} ink_step;

typedef struct ink_session_options {
  ink_sampling sampling;
  int64_t max_tokens;       // 0: as many as the context holds
  int64_t context;          // positions at most; 0: what the model was made for
  const char *const *stop;  // stop strings; the text ends before the first that appears
  size_t n_stop;
  int32_t n_logprobs;  // most likely tokens that a step reports, to INK_MAX_LOGPROBS; -1: none
  const ink_logit_processor *processors;  // borrowed
  size_t n_processor;
  const ink_reweigher *reweigher;  // borrowed; NULL: none. Not asked at temperature 0
  const int32_t *end_tokens;       // that end the text besides those of the tokenizer
  size_t n_end_token;
  bool ignore_end;  // forbid end tokens
  ink_dtype cache;  // F32 or F16
  // Called with text as it becomes final: whole UTF-8 characters (bytes that are none come as
  // U+FFFD), never a part of what may yet be a stop string. False cancels. May be NULL.
  bool (*on_text)(void *context, const char *text, size_t size);
  void *context_of_text;
} ink_session_options;

ink_session_options ink_session_default(void);

typedef struct ink_timing {
  double prompt_ms;          // running the prompt
  double first_token_ms;     // from ink_session_prompt to the first token
  double tokens_per_second;  // of the tokens after the first
  int64_t prompt_tokens;     // in the prompt
  int64_t cached_tokens;     // of these, taken from the cache
} ink_timing;

typedef struct ink_session ink_session;

// A session on a model, which must outlive it, as must `pool` (may be NULL). Options are copied,
// except for the processors and the reweigher.
ink_status ink_session_new(const struct ink_model *model, const ink_session_options *options,
                           ink_pool *pool, ink_session **session, ink_error *error);
void ink_session_free(ink_session *session);

// Begin: the sequence is now ids[0 … n), and the text empty. The longest common beginning with what
// the session holds stays in the cache. USAGE, with the numbers, when prompt and max_tokens do not
// fit the context; nothing is ever cut off.
ink_status ink_session_prompt(ink_session *session, const int32_t *ids, size_t n, ink_error *error);
// Draw one token. After the step that finishes, further steps are USAGE. CANCELLED is no error here
// but a finish.
ink_status ink_session_step(ink_session *session, ink_step *step, ink_error *error);
// One step of each of n different sessions on one model. Their tokens run through the decoder
// together, which costs little more than those of one; each writes what it would write alone.
// steps[i] is that of sessions[i]. The pool of the first one works for all. After a failure only
// ink_session_free and ink_session_prompt remain for any of them.
ink_status ink_session_step_together(ink_session *const *sessions, size_t n, ink_step *steps,
                                     ink_error *error);
// Step until it finishes.
ink_status ink_session_run(ink_session *session, ink_error *error);
// Ask it to end before its next step or chunk of prompt. Safe from another thread or a signal.
void ink_session_cancel(ink_session *session);

// What was written so far. Valid until the next step or prompt. A model may write U+0000: the size
// counts what stands behind it as well.
const char *ink_session_text(const ink_session *session);
size_t ink_session_text_size(const ink_session *session);
const int32_t *ink_session_tokens(const ink_session *session, size_t *n);
ink_finish ink_session_finished(const ink_session *session);
ink_timing ink_session_timing(const ink_session *session);

#endif
