// A session: runs the prompt, then draws one token per step and turns tokens into final text.
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "base/text.h"
#include "llm/llm.h"
#include "llm/logits.h"
#include "llm/model.h"

enum {
  CHUNK = 512,    // positions that run together; between chunks a session can be cancelled
  TOGETHER = 64,  // sessions that do, which bounds the memory of their logits
};

struct ink_session {
  const ink_model *model;
  ink_session_options options;
  ink_text stops;  // the stop strings, each with its NUL
  const char *stop[INK_MAX_STOPS];
  int32_t end_tokens[INK_MAX_END_TOKENS];
  int64_t context;
  ink_compute compute;
  ink_kv_cache *cache;
  ink_token_stream *stream;

  int32_t *tokens;  // prompt and what was drawn
  size_t n_token, token_capacity;
  size_t n_prompt;
  ink_text text;   // settled by the tokenizer
  size_t emitted;  // bytes of it that are final
  bool deaf;       // the listener wants no more
  ink_finish finish;
  atomic_bool cancelled;

  float *logits;
  float *raw;     // logits as the model gave them, for logprobs
  void *scratch;  // 8 bytes per token of the vocabulary

  double started, first_token, latest;  // clock seconds
  ink_timing timing;
};

ink_session_options ink_session_default(void) {
  return (ink_session_options){
      .sampling = ink_sampling_default(), .n_logprobs = -1, .cache = INK_F32};
}

const char *ink_finish_name(ink_finish finish) {
  static const char *const names[] = {"", "stop", "length", "cancelled"};
  return names[finish];
}

static ink_status check_options(const ink_session_options *o, const ink_decoder_config *config,
                                ink_error *error) {
  INK_TRY(ink_sampling_check(&o->sampling, error));
  if (o->context < 0 || o->context > config->context) {
    return ink_fail(error, INK_ERR_USAGE, "a context of %lld; this model has 1 to %d",
                    (long long)o->context, config->context);
  }
  if (o->max_tokens < 0) {
    return ink_fail(error, INK_ERR_USAGE, "max_tokens is %lld; it must be 0 (no limit) or more",
                    (long long)o->max_tokens);
  }
  if (o->n_logprobs < -1 || o->n_logprobs > INK_MAX_LOGPROBS) {
    return ink_fail(error, INK_ERR_USAGE, "logprobs is %d; it must be from 0 to %d", o->n_logprobs,
                    INK_MAX_LOGPROBS);
  }
  if (o->n_stop > INK_MAX_STOPS || o->n_end_token > INK_MAX_END_TOKENS) {
    return ink_fail(error, INK_ERR_USAGE, "at most %d stop strings and %d end tokens",
                    INK_MAX_STOPS, INK_MAX_END_TOKENS);
  }
  for (size_t i = 0; i < o->n_stop; i++) {
    if (o->stop[i][0] == '\0' || !ink_utf8_valid(o->stop[i], strlen(o->stop[i]), NULL)) {
      return ink_fail(error, INK_ERR_USAGE, "stop string %zu is empty or not UTF-8", i + 1);
    }
  }
  return INK_OK;
}

// Copy what the caller need not keep.
static ink_status keep_options(ink_session *s, const ink_session_options *o, ink_error *error) {
  s->options = *o;
  size_t at[INK_MAX_STOPS];
  for (size_t i = 0; i < o->n_stop; i++) {
    at[i] = s->stops.size;
    ink_text_add_bytes(&s->stops, o->stop[i], strlen(o->stop[i]) + 1);
  }
  INK_TRY(ink_text_status(&s->stops, error));
  for (size_t i = 0; i < o->n_stop; i++) s->stop[i] = s->stops.bytes + at[i];
  if (o->n_end_token > 0) {
    memcpy(s->end_tokens, o->end_tokens, o->n_end_token * sizeof *o->end_tokens);
  }
  s->options.stop = s->stop;
  s->options.end_tokens = s->end_tokens;
  return INK_OK;
}

static ink_status build(ink_session *s, const ink_session_options *options, ink_pool *pool,
                        ink_error *error) {
  const ink_decoder_config *config = ink_decoder_about(s->model->decoder);
  INK_TRY(check_options(options, config, error));
  INK_TRY(keep_options(s, options, error));
  s->context = options->context ? options->context : config->context;
  INK_TRY(ink_kv_cache_new(config, 1, s->context, options->cache, &s->cache, error));
  size_t vocab = (size_t)config->vocab;
  s->compute = (ink_compute){.arena = ink_arena_new(0), .pool = pool};
  s->stream = ink_token_stream_new(s->model->tokenizer, INK_DECODE_SKIP_SPECIAL);
  s->logits = malloc(vocab * sizeof *s->logits);
  s->raw = malloc(vocab * sizeof *s->raw);
  s->scratch = malloc(vocab * 8);
  if (!s->compute.arena || !s->stream || !s->logits || !s->raw || !s->scratch) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory for a session");
  }
  return INK_OK;
}

ink_status ink_session_new(const ink_model *model, const ink_session_options *options,
                           ink_pool *pool, ink_session **session, ink_error *error) {
  *session = NULL;
  ink_session *s = calloc(1, sizeof *s);
  if (!s) return ink_fail(error, INK_ERR_MEMORY, "no memory for a session");
  s->model = model;
  ink_status status = build(s, options, pool, error);
  if (status != INK_OK) {
    ink_session_free(s);
    return status;
  }
  *session = s;
  return INK_OK;
}

void ink_session_free(ink_session *s) {
  if (!s) return;
  ink_kv_cache_free(s->cache);
  ink_arena_free(s->compute.arena);
  ink_token_stream_free(s->stream);
  ink_text_free(&s->stops);
  ink_text_free(&s->text);
  free(s->tokens);
  free(s->logits);
  free(s->raw);
  free(s->scratch);
  free(s);
}

// ---- the prompt --------------------------------------------------------------------------------

static ink_status check_prompt(const ink_session *s, const int32_t *ids, size_t n,
                               ink_error *error) {
  if (n == 0) return ink_fail(error, INK_ERR_USAGE, "the prompt is empty");
  int64_t wanted = s->options.max_tokens ? s->options.max_tokens : 1;
  if (n > (size_t)s->context || wanted > s->context - (int64_t)n) {
    return ink_fail(error, INK_ERR_USAGE,
                    "a prompt of %zu tokens and %lld to write do not fit the context of %lld; "
                    "shorten the prompt, ask for fewer or raise the context",
                    n, (long long)wanted, (long long)s->context);
  }
  int32_t vocab = ink_decoder_about(s->model->decoder)->vocab;
  for (size_t i = 0; i < n; i++) {
    if (ids[i] < 0 || ids[i] >= vocab) {
      return ink_fail(error, INK_ERR_USAGE, "token %d (element %zu) is not in the vocabulary of %d",
                      ids[i], i, vocab);
    }
  }
  return INK_OK;
}

static ink_status reserve_tokens(ink_session *s, size_t n, ink_error *error) {
  if (n <= s->token_capacity) return INK_OK;
  size_t capacity = 2 * s->token_capacity > n ? 2 * s->token_capacity : n + 64;
  int32_t *grown = realloc(s->tokens, capacity * sizeof *grown);
  if (!grown) return ink_fail(error, INK_ERR_MEMORY, "no memory for %zu tokens", n);
  s->tokens = grown;
  s->token_capacity = capacity;
  return INK_OK;
}

ink_status ink_session_prompt(ink_session *s, const int32_t *ids, size_t n, ink_error *error) {
  INK_TRY(check_prompt(s, ids, n, error));
  INK_TRY(reserve_tokens(s, n, error));
  s->started = ink_clock_seconds();
  size_t cached = (size_t)ink_kv_cache_length(s->cache), common = 0;
  // The last token always runs: its logits are what the first draw needs.
  while (common < cached && common + 1 < n && s->tokens[common] == ids[common]) common++;
  ink_kv_cache_truncate(s->cache, (int64_t)common);
  memmove(s->tokens, ids, n * sizeof *ids);
  s->n_token = s->n_prompt = n;
  ink_token_stream_free(s->stream);
  s->stream = ink_token_stream_new(s->model->tokenizer, INK_DECODE_SKIP_SPECIAL);
  if (!s->stream) return ink_fail(error, INK_ERR_MEMORY, "no memory for a session");
  ink_text_clear(&s->text);
  s->emitted = 0;
  s->deaf = false;
  s->finish = INK_FINISH_NONE;
  atomic_store(&s->cancelled, false);
  s->timing = (ink_timing){.prompt_tokens = (int64_t)n, .cached_tokens = (int64_t)common};
  return INK_OK;
}

void ink_session_cancel(ink_session *s) {
  atomic_store(&s->cancelled, true);
}

// ---- the decoder -------------------------------------------------------------------------------

// Tokens that the cache lacks and that shall run.
static size_t waiting(const ink_session *s) {
  if (atomic_load(&s->cancelled)) return 0;
  return s->n_token - (size_t)ink_kv_cache_length(s->cache);
}

// Run the next `time` tokens of each session in one pass; those that then wait for none get the
// logits of their last one.
static ink_status run_chunk(ink_session *const *sessions, size_t n, int64_t time,
                            ink_error *error) {
  ink_compute *c = &sessions[0]->compute;
  const ink_decoder *decoder = sessions[0]->model->decoder;
  ink_arena_mark mark = ink_arena_save(c->arena);
  ink_tensor *ids = ink_tensor_new(c->arena, INK_I32, 2, (int64_t[]){(int64_t)n, time});
  ink_kv_cache *caches[TOGETHER];
  if (!ids) ink_compute_fail(c, INK_ERR_MEMORY, "no memory for %zu sequences", n);
  for (size_t i = 0; ids && i < n; i++) {
    caches[i] = sessions[i]->cache;
    memcpy((int32_t *)ids->data + (int64_t)i * time,
           sessions[i]->tokens + ink_kv_cache_length(caches[i]), (size_t)time * sizeof(int32_t));
  }
  ink_decoder_input input = {.ids = ids, .caches = caches};
  const ink_tensor *hidden = ids ? ink_decoder_forward(c, decoder, &input) : NULL;
  if (hidden && waiting(sessions[0]) == 0) {
    const ink_tensor *logits = ink_decoder_head(c, decoder, ink_slice(c, hidden, 1, time - 1, 1));
    for (size_t i = 0; logits && i < n; i++) {
      size_t vocab = (size_t)logits->shape[2];
      memcpy(sessions[i]->logits, (const float *)logits->data + i * vocab, vocab * sizeof(float));
    }
  }
  ink_arena_release(c->arena, mark);
  ink_status status = ink_compute_status(c, error);
  c->error = (ink_error){0};
  return status;
}

// Run all that waits; sessions that wait for the same number of tokens share a pass.
static ink_status run_pending(ink_session *const *sessions, size_t n, ink_error *error) {
  double began = ink_clock_seconds();
  for (size_t first = 0; first < n;) {
    size_t time = waiting(sessions[first]), n_chosen = 1;
    if (time == 0) {
      first++;
      continue;
    }
    if (time > CHUNK) time = CHUNK;
    ink_session *chosen[TOGETHER] = {sessions[first]};
    for (size_t i = first + 1; i < n && n_chosen < TOGETHER && (n_chosen + 1) * time <= CHUNK;
         i++) {
      if (waiting(sessions[i]) == time) chosen[n_chosen++] = sessions[i];
    }
    INK_TRY(run_chunk(chosen, n_chosen, (int64_t)time, error));
  }
  double took = (ink_clock_seconds() - began) * 1e3;
  for (size_t i = 0; i < n; i++) {
    if (sessions[i]->n_token == sessions[i]->n_prompt) sessions[i]->timing.prompt_ms = took;
  }
  return INK_OK;
}

// ---- the draw ----------------------------------------------------------------------------------

static bool is_end(const ink_session *s, int32_t token) {
  for (size_t i = 0; i < s->options.n_end_token; i++) {
    if (s->end_tokens[i] == token) return true;
  }
  return ink_tokenizer_is_end(s->model->tokenizer, token);
}

static void forbid(const ink_session *s, float *logits, size_t vocab) {
  for (size_t i = 0; i < s->model->n_absent; i++) logits[s->model->absent[i]] = -INFINITY;
  if (!s->options.ignore_end) return;
  size_t n;
  const int32_t *ends = ink_tokenizer_ends(s->model->tokenizer, &n);
  for (size_t i = 0; i < n; i++) {
    if (ends[i] >= 0 && (size_t)ends[i] < vocab) logits[ends[i]] = -INFINITY;
  }
  for (size_t i = 0; i < s->options.n_end_token; i++) {
    int32_t end = s->end_tokens[i];
    if (end >= 0 && (size_t)end < vocab) logits[end] = -INFINITY;
  }
}

// The most likely tokens, in falling order; the lower id first among equals.
static void find_top(const float *logits, size_t vocab, double log_sum, int32_t n, ink_step *step) {
  if (n == 0) return;
  for (size_t i = 0; i < vocab; i++) {
    float logprob = (float)((double)logits[i] - log_sum);
    if (step->n_top == n && !(logprob > step->top[n - 1].logprob)) continue;
    if (step->n_top < n) step->n_top++;
    int32_t place = step->n_top - 1;
    for (; place > 0 && logprob > step->top[place - 1].logprob; place--) {
      step->top[place] = step->top[place - 1];
    }
    step->top[place] = (ink_logprob){(int32_t)i, logprob};
  }
}

static ink_status draw(ink_session *s, ink_step *step, ink_error *error) {
  const ink_session_options *o = &s->options;
  size_t vocab = (size_t)ink_decoder_about(s->model->decoder)->vocab;
  if (o->n_logprobs >= 0) memcpy(s->raw, s->logits, vocab * sizeof *s->raw);
  ink_sample_penalty(&o->sampling, s->tokens, s->n_token, s->logits, vocab, s->scratch);
  forbid(s, s->logits, vocab);
  for (size_t i = 0; i < o->n_processor; i++) {
    const ink_logit_processor *p = &o->processors[i];
    INK_TRY(p->process(p->self, s->tokens, s->n_token, s->logits, vocab, error));
  }
  INK_TRY(ink_sample_weigh(&o->sampling, s->logits, vocab, s->scratch, error));
  if (o->reweigher && o->sampling.temperature > 0) {
    const ink_reweigher *r = o->reweigher;
    INK_TRY(r->reweigh(r->self, s->tokens + s->n_prompt, s->n_token - s->n_prompt, s->logits, vocab,
                       error));
  }
  step->token = ink_sample_draw(&o->sampling, s->logits, vocab, s->n_token);
  for (size_t i = 0; i < o->n_processor; i++) {
    const ink_logit_processor *p = &o->processors[i];
    if (p->accept) INK_TRY(p->accept(p->self, step->token, error));
  }
  if (o->n_logprobs >= 0) {
    double log_sum = ink_log_sum_exp(s->raw, vocab);
    step->logprob = (float)((double)s->raw[step->token] - log_sum);
    find_top(s->raw, vocab, log_sum, o->n_logprobs, step);
  }
  return INK_OK;
}

// ---- the text ----------------------------------------------------------------------------------

// Where the first stop string begins in text that is not final yet; the text's size when none does.
static size_t find_stop(const ink_session *s) {
  const char *text = ink_text_string(&s->text);
  size_t found = s->text.size;
  for (size_t i = 0; i < s->options.n_stop; i++) {
    const char *hit =
        memmem(text + s->emitted, s->text.size - s->emitted, s->stop[i], strlen(s->stop[i]));
    if (hit && (size_t)(hit - text) < found) found = (size_t)(hit - text);
  }
  return found;
}

// How many bytes at the end of the text may be the beginning of a stop string.
static size_t held_back(const ink_session *s) {
  size_t open = s->text.size - s->emitted, held = 0;
  const char *end = ink_text_string(&s->text) + s->text.size;
  for (size_t i = 0; i < s->options.n_stop; i++) {
    size_t most = strlen(s->stop[i]) - 1;
    if (most > open) most = open;
    for (size_t n = most; n > held; n--) {
      if (memcmp(end - n, s->stop[i], n) == 0) held = n;
    }
  }
  return held;
}

static void emit(ink_session *s, size_t upto) {
  size_t size = upto - s->emitted;
  const char *piece = ink_text_string(&s->text) + s->emitted;
  s->emitted = upto;
  if (size == 0 || s->deaf || !s->options.on_text) return;
  s->deaf = !s->options.on_text(s->options.context_of_text, piece, size);
  if (s->deaf) ink_session_cancel(s);
}

// Settle the text behind the token that was just drawn, and find out whether it is the last one.
static ink_status settle(ink_session *s, int32_t token, ink_error *error) {
  size_t written = s->n_token - s->n_prompt;
  bool full = (int64_t)s->n_token >= s->context ||
              (s->options.max_tokens && (int64_t)written >= s->options.max_tokens);
  if (is_end(s, token)) {
    s->finish = INK_FINISH_STOP;
  } else {
    INK_TRY(ink_token_stream_push(s->stream, token, &s->text, error));
    if (full) s->finish = INK_FINISH_LENGTH;
  }
  if (s->finish != INK_FINISH_NONE) {
    INK_TRY(ink_token_stream_finish(s->stream, &s->text, error));
  }
  INK_TRY(ink_text_status(&s->text, error));
  size_t stop = find_stop(s);
  if (stop < s->text.size) {
    s->finish = INK_FINISH_STOP;
    s->text.size = stop;
    s->text.bytes[stop] = '\0';
  }
  emit(s, s->finish == INK_FINISH_NONE ? s->text.size - held_back(s) : s->text.size);
  return INK_OK;
}

// What was held back becomes text when the session is cancelled.
static ink_status end_cancelled(ink_session *s, ink_error *error) {
  s->finish = INK_FINISH_CANCELLED;
  INK_TRY(ink_token_stream_finish(s->stream, &s->text, error));
  INK_TRY(ink_text_status(&s->text, error));
  emit(s, s->text.size);
  return INK_OK;
}

static void note_time(ink_session *s) {
  s->latest = ink_clock_seconds();
  if (s->n_token == s->n_prompt + 1) {
    s->first_token = s->latest;
    s->timing.first_token_ms = (s->latest - s->started) * 1e3;
  } else if (s->latest > s->first_token) {
    s->timing.tokens_per_second =
        (double)(s->n_token - s->n_prompt - 1) / (s->latest - s->first_token);
  }
}

// Draw the next token from the logits that are there.
static ink_status finish_step(ink_session *s, ink_step *step, ink_error *error) {
  if (atomic_load(&s->cancelled)) {
    INK_TRY(end_cancelled(s, error));
    step->finish = s->finish;
    return INK_OK;
  }
  INK_TRY(reserve_tokens(s, s->n_token + 1, error));
  INK_TRY(draw(s, step, error));
  s->tokens[s->n_token++] = step->token;
  note_time(s);
  INK_TRY(settle(s, step->token, error));
  step->finish = s->finish;
  return INK_OK;
}

ink_status ink_session_step_together(ink_session *const *sessions, size_t n, ink_step *steps,
                                     ink_error *error) {
  for (size_t i = 0; i < n; i++) {
    const ink_session *s = sessions[i];
    steps[i] = (ink_step){.token = -1, .logprob = NAN};
    if (s->n_token == 0 || s->finish != INK_FINISH_NONE) {
      return ink_fail(error, INK_ERR_USAGE, "a session steps between a prompt and its finish");
    }
    if (s->model != sessions[0]->model) {
      return ink_fail(error, INK_ERR_USAGE, "sessions of different models cannot step together");
    }
  }
  INK_TRY(run_pending(sessions, n, error));
  for (size_t i = 0; i < n; i++) INK_TRY(finish_step(sessions[i], &steps[i], error));
  return INK_OK;
}

ink_status ink_session_step(ink_session *s, ink_step *step, ink_error *error) {
  return ink_session_step_together(&s, 1, step, error);
}

ink_status ink_session_run(ink_session *s, ink_error *error) {
  ink_step step = {0};
  while (s->finish == INK_FINISH_NONE) INK_TRY(ink_session_step(s, &step, error));
  return INK_OK;
}

const char *ink_session_text(const ink_session *s) {
  return ink_text_string(&s->text);
}

size_t ink_session_text_size(const ink_session *s) {
  return s->text.size;
}

const int32_t *ink_session_tokens(const ink_session *s, size_t *n) {
  *n = s->n_token - s->n_prompt;
  return s->tokens + s->n_prompt;
}

ink_finish ink_session_finished(const ink_session *s) {
  return s->finish;
}

ink_timing ink_session_timing(const ink_session *s) {
  return s->timing;
}
