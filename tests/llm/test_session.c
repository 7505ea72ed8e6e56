// Sessions on the tiny reference models: what they write, how they stop, what they refuse.
#include <math.h>

#include "base/text.h"
#include "llm/llm.h"
#include "llm_testing.h"

static const int32_t prompt[] = {5, 40, 90, 12, 7};
enum { N_PROMPT = sizeof prompt / sizeof *prompt };

// What a run left.
typedef struct written {
  char *text;
  int32_t tokens[256];
  size_t n;
  ink_finish finish;
  ink_text streamed;
  size_t pieces;
} written;

static bool stream(void *context, const char *text, size_t size) {
  written *w = context;
  assert_true(size > 0);
  assert_true(ink_utf8_valid(text, size, NULL));
  ink_text_add_bytes(&w->streamed, text, size);
  w->pieces++;
  return true;
}

static void collect(const ink_session *session, written *w) {
  const int32_t *tokens = ink_session_tokens(session, &w->n);
  assert_true(w->n <= 256);
  memcpy(w->tokens, tokens, w->n * sizeof *tokens);
  w->text = strdup(ink_session_text(session));
  w->finish = ink_session_finished(session);
  assert_string_equal(w->text, ink_text_string(&w->streamed));
}

static written run(const ink_model *model, ink_session_options options, int threads) {
  ink_error error = {0};
  written w = {0};
  ink_pool *pool = ink_pool_new(threads);
  ink_session *session;
  options.on_text = stream;
  options.context_of_text = &w;
  assert_ok(ink_session_new(model, &options, pool, &session, &error));
  assert_ok(ink_session_prompt(session, prompt, N_PROMPT, &error));
  assert_ok(ink_session_run(session, &error));
  collect(session, &w);
  ink_session_free(session);
  ink_pool_free(pool);
  return w;
}

static void drop(written *w) {
  free(w->text);
  ink_text_free(&w->streamed);
}

static bool same(const written *a, const written *b) {
  return a->n == b->n && memcmp(a->tokens, b->tokens, a->n * sizeof *a->tokens) == 0 &&
         strcmp(a->text, b->text) == 0;
}

static ink_session_options free_run(int64_t max_tokens, uint64_t seed) {
  ink_session_options options = ink_session_default();
  options.max_tokens = max_tokens;
  options.sampling.seed = seed;
  options.ignore_end = true;
  return options;
}

static void greedy_continuations_equal_transformers(void **state) {
  (void)state;
  static const char *const names[][2] = {{"gpt2", "gpt2"},
                                         {"gpt2/model.gguf", "gpt2"},
                                         {"gpt2-bf16", "gpt2-bf16"},
                                         {"llama", "llama"},
                                         {"llama/model.gguf", "llama"},
                                         {"llama-tied", "llama-tied"},
                                         {"qwen2", "qwen2"},
                                         {"qwen2/model.gguf", "qwen2"},
                                         {"qwen3", "qwen3"},
                                         {"qwen3/model.gguf", "qwen3"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[256];
    snprintf(path, sizeof path, "models/%s/expected.safetensors", names[i][1]);
    ink_error error = {0};
    ink_weights *expected;
    assert_ok(ink_weights_open(fixture_path(path), &expected, &error));
    const ink_tensor *ids = ink_weights_find(expected, "ids.7");
    const ink_tensor *greedy = ink_weights_find(expected, "greedy.7");
    ink_model *model = open_model(names[i][0]);
    ink_session_options options = ink_session_default();
    options.sampling.temperature = 0;
    options.max_tokens = greedy->shape[0];
    ink_session *session;
    assert_ok(ink_session_new(model, &options, NULL, &session, &error));
    assert_ok(ink_session_prompt(session, ids->data, 7, &error));
    assert_ok(ink_session_run(session, &error));
    size_t n;
    const int32_t *tokens = ink_session_tokens(session, &n);
    const int32_t *wanted = greedy->data;
    for (size_t t = 0; t < n; t++) {
      if (tokens[t] != wanted[t]) fail_msg("%s: token %zu differs", names[i][0], t);
    }
    bool ended = ink_tokenizer_is_end(model->tokenizer, tokens[n - 1]);
    assert_true(ended || n == (size_t)greedy->shape[0]);
    assert_int_equal(ink_session_finished(session), ended ? INK_FINISH_STOP : INK_FINISH_LENGTH);
    ink_session_free(session);
    ink_model_free(model);
    ink_weights_close(expected);
  }
}

static void the_seed_alone_decides_and_threads_do_not(void **state) {
  (void)state;
  ink_model *model = open_model("qwen3");
  written first = run(model, free_run(60, 11), 1), again = run(model, free_run(60, 11), 1);
  written two = run(model, free_run(60, 11), 2), seven = run(model, free_run(60, 11), 7);
  written other = run(model, free_run(60, 12), 1);
  assert_int_equal(first.n, 60);
  assert_int_equal(first.finish, INK_FINISH_LENGTH);
  assert_true(same(&first, &again) && same(&first, &two) && same(&first, &seven));
  assert_false(same(&first, &other));
  drop(&first);
  drop(&again);
  drop(&two);
  drop(&seven);
  drop(&other);
  ink_model_free(model);
}

// Every stretch of the text as a stop string: also those that begin or end inside a token.
static void text_ends_before_a_stop_string_wherever_tokens_break(void **state) {
  (void)state;
  ink_model *model = open_model("llama");
  written full = run(model, free_run(40, 3), 1);
  size_t size = strlen(full.text), tried = 0;
  for (size_t start = 1; start < size; start++) {
    if (((unsigned char)full.text[start] & 0xC0) == 0x80) continue;
    for (size_t length = 1; length < 12 && start + length <= size; length += 2) {
      if (((unsigned char)full.text[start + length] & 0xC0) == 0x80) continue;
      char stop[16] = {0};
      memcpy(stop, full.text + start, length);
      const char *list[] = {"never written", stop};
      ink_session_options options = free_run(40, 3);
      options.stop = list;
      options.n_stop = 2;
      written cut = run(model, options, 1);
      size_t expected = (size_t)(strstr(full.text, stop) - full.text);
      assert_int_equal(strlen(cut.text), expected);
      assert_memory_equal(cut.text, full.text, expected);
      assert_int_equal(cut.finish, INK_FINISH_STOP);
      assert_true(cut.n <= full.n);
      drop(&cut);
      tried++;
    }
  }
  assert_true(tried > 50);
  drop(&full);
  ink_model_free(model);
}

// A listener never sees text that a stop string later takes away: it gets no more than the text, as
// `collect` checks, and what a stop string may begin with waits for the next token.
static void the_beginning_of_a_stop_string_is_held_back_and_given_at_the_end(void **state) {
  (void)state;
  ink_model *model = open_model("llama");
  written full = run(model, free_run(20, 3), 1);
  char tail[64];
  size_t size = strlen(full.text);
  size_t start = size - 1;
  while (start > 0 && ((unsigned char)full.text[start] & 0xC0) == 0x80) start--;
  snprintf(tail, sizeof tail, "%sunfinished", full.text + start);
  const char *list[] = {tail};
  ink_session_options options = free_run(20, 3);
  options.stop = list;
  options.n_stop = 1;
  written held = run(model, options, 1);
  assert_true(same(&full, &held));
  assert_int_equal(held.finish, INK_FINISH_LENGTH);
  drop(&full);
  drop(&held);
  ink_model_free(model);
}

// Makes a session write given tokens.
typedef struct script {
  const int32_t *tokens;
  size_t at;
} script;

static ink_status follow(void *self, const int32_t *tokens, size_t n, float *logits, size_t n_vocab,
                         ink_error *error) {
  (void)tokens;
  (void)n;
  (void)error;
  script *s = self;
  for (size_t i = 0; i < n_vocab; i++) {
    if ((int32_t)i != s->tokens[s->at]) logits[i] = -INFINITY;
  }
  s->at++;
  return INK_OK;
}

static void of_two_stop_strings_that_end_together_the_longer_one_counts(void **state) {
  (void)state;
  ink_model *model = open_model("qwen3");
  ink_error error = {0};
  int32_t *ids;
  size_t n;
  assert_ok(
      ink_tokenizer_encode(model->tokenizer, "abXYZef", 7, INK_ENCODE_PLAIN, &ids, &n, &error));
  const char *const orders[2][2] = {{"YZ", "XYZ"}, {"XYZ", "YZ"}};
  for (size_t i = 0; i < 2; i++) {
    script forced = {.tokens = ids};
    ink_logit_processor processor = {follow, NULL, &forced};
    ink_session_options options = ink_session_default();
    options.max_tokens = (int64_t)n;
    options.processors = &processor;
    options.n_processor = 1;
    options.stop = orders[i];
    options.n_stop = 2;
    written w = run(model, options, 1);
    assert_string_equal(w.text, "ab");
    assert_int_equal(w.finish, INK_FINISH_STOP);
    drop(&w);
  }
  free(ids);
  ink_model_free(model);
}

static void text_goes_on_behind_a_null_character(void **state) {
  (void)state;
  ink_model *model = open_model("qwen3");
  ink_error error = {0};
  int32_t *ids;
  size_t n;
  assert_ok(ink_tokenizer_encode(model->tokenizer, "a\0b", 3, INK_ENCODE_PLAIN, &ids, &n, &error));
  script forced = {.tokens = ids};
  ink_logit_processor processor = {follow, NULL, &forced};
  ink_session_options options = ink_session_default();
  options.max_tokens = (int64_t)n;
  options.processors = &processor;
  options.n_processor = 1;
  ink_session *session;
  assert_ok(ink_session_new(model, &options, NULL, &session, &error));
  assert_ok(ink_session_prompt(session, prompt, N_PROMPT, &error));
  assert_ok(ink_session_run(session, &error));
  assert_int_equal(ink_session_text_size(session), 3);
  assert_memory_equal(ink_session_text(session), "a\0b", 3);
  ink_session_free(session);
  free(ids);
  ink_model_free(model);
}

static bool repeats(const written *w) {
  for (size_t i = 0; i < w->n; i++) {
    for (size_t j = 0; j < i; j++) {
      if (w->tokens[i] == w->tokens[j]) return true;
    }
  }
  return false;
}

static void a_heavy_penalty_leaves_no_repetition(void **state) {
  (void)state;
  ink_model *model = open_model("qwen3");
  ink_session_options options = free_run(40, 0);
  options.sampling.temperature = 0;
  written plain = run(model, options, 1);
  options.sampling.repetition_penalty = 100;
  written penalised = run(model, options, 1);
  assert_true(repeats(&plain));
  assert_false(repeats(&penalised));
  drop(&plain);
  drop(&penalised);
  ink_model_free(model);
}

static void logprobs_are_those_of_the_score(void **state) {
  (void)state;
  ink_model *model = open_model("qwen2");
  ink_session_options options = free_run(30, 8);
  options.n_logprobs = 5;
  options.sampling.temperature = 0.7f;
  options.sampling.repetition_penalty = 1.5f;
  ink_error error = {0};
  ink_session *session;
  int32_t ids[N_PROMPT + 30];
  float logprobs[30];
  memcpy(ids, prompt, sizeof prompt);
  assert_ok(ink_session_new(model, &options, NULL, &session, &error));
  assert_ok(ink_session_prompt(session, prompt, N_PROMPT, &error));
  for (int i = 0; i < 30; i++) {
    ink_step step;
    assert_ok(ink_session_step(session, &step, &error));
    ids[N_PROMPT + i] = step.token;
    logprobs[i] = step.logprob;
    assert_int_equal(step.n_top, 5);
    double mass = 0;
    for (int t = 0; t < 5; t++) {
      mass += exp((double)step.top[t].logprob);
      if (t > 0) assert_true(step.top[t].logprob <= step.top[t - 1].logprob);
      if (step.top[t].token == step.token) assert_true(step.top[t].logprob == step.logprob);
    }
    assert_true(mass <= 1 + 1e-6);
    assert_true(step.logprob <= step.top[0].logprob);
    assert_int_equal(step.finish, i == 29 ? INK_FINISH_LENGTH : INK_FINISH_NONE);
  }
  ink_score score;
  assert_ok(ink_llm_score(model, NULL, ids, N_PROMPT + 30, &score, &error));
  for (int i = 0; i < 30; i++) {
    assert_true(fabs(score.logprobs[N_PROMPT + i] - (double)logprobs[i]) < 1e-5);
  }
  ink_score_free(&score);
  ink_session_free(session);
  ink_model_free(model);
}

// ---- cancelling, limits ------------------------------------------------------------------------

static bool stop_listening(void *context, const char *text, size_t size) {
  (void)text;
  (void)size;
  return ++*(int *)context < 3;
}

static void a_listener_can_cancel(void **state) {
  (void)state;
  ink_model *model = open_model("qwen3");
  ink_session_options options = free_run(100, 1);
  int calls = 0;
  options.on_text = stop_listening;
  options.context_of_text = &calls;
  ink_error error = {0};
  ink_session *session;
  assert_ok(ink_session_new(model, &options, NULL, &session, &error));
  assert_ok(ink_session_prompt(session, prompt, N_PROMPT, &error));
  assert_ok(ink_session_run(session, &error));
  assert_int_equal(ink_session_finished(session), INK_FINISH_CANCELLED);
  assert_string_equal(ink_finish_name(ink_session_finished(session)), "cancelled");
  assert_int_equal(calls, 3);
  size_t n;
  ink_session_tokens(session, &n);
  assert_true(n >= 3 && n < 100);
  ink_session_free(session);
  ink_model_free(model);
}

static void a_cancelled_session_ends_before_its_next_token_and_begins_anew(void **state) {
  (void)state;
  ink_model *model = open_model("qwen3");
  ink_session_options options = free_run(10, 1);
  ink_error error = {0};
  ink_session *session;
  ink_step step;
  assert_ok(ink_session_new(model, &options, NULL, &session, &error));
  assert_ok(ink_session_prompt(session, prompt, N_PROMPT, &error));
  assert_ok(ink_session_step(session, &step, &error));
  ink_session_cancel(session);
  assert_ok(ink_session_step(session, &step, &error));
  assert_int_equal(step.finish, INK_FINISH_CANCELLED);
  assert_int_equal(step.token, -1);
  size_t n;
  ink_session_tokens(session, &n);
  assert_int_equal(n, 1);
  assert_int_equal(ink_session_step(session, &step, &error), INK_ERR_USAGE);
  assert_ok(ink_session_prompt(session, prompt, N_PROMPT, &error));
  assert_ok(ink_session_run(session, &error));
  assert_int_equal(ink_session_finished(session), INK_FINISH_LENGTH);
  ink_session_free(session);
  ink_model_free(model);
}

static void what_does_not_fit_the_context_is_refused_with_the_numbers(void **state) {
  (void)state;
  ink_model *model = open_model("gpt2");  // 64 positions
  static int32_t ids[70];
  ink_error error = {0};
  ink_session *session;
  ink_session_options options = ink_session_default();
  assert_ok(ink_session_new(model, &options, NULL, &session, &error));
  assert_int_equal(ink_session_prompt(session, ids, 64, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "64 tokens"));
  assert_non_null(strstr(error.text, "context of 64"));
  assert_int_equal(ink_session_prompt(session, ids, 70, &error), INK_ERR_USAGE);
  assert_int_equal(ink_session_prompt(session, ids, 0, &error), INK_ERR_USAGE);
  ids[1] = 288;
  assert_int_equal(ink_session_prompt(session, ids, 3, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "288"));
  ids[1] = 0;
  ink_session_free(session);

  options.max_tokens = 60;
  assert_ok(ink_session_new(model, &options, NULL, &session, &error));
  assert_int_equal(ink_session_prompt(session, ids, 5, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "60"));
  ink_session_free(session);

  options.max_tokens = 0;
  options.context = 65;
  assert_int_equal(ink_session_new(model, &options, NULL, &session, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "65"));
  ink_score score;
  assert_int_equal(ink_llm_score(model, NULL, ids, 65, &score, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "65 tokens"));
  ink_model_free(model);
}

static void writing_fills_the_context_and_no_more(void **state) {
  (void)state;
  ink_model *model = open_model("gpt2");
  written w = run(model, free_run(0, 4), 1);
  assert_int_equal(w.n + N_PROMPT, 64);
  assert_int_equal(w.finish, INK_FINISH_LENGTH);
  drop(&w);
  ink_model_free(model);
}

static void options_out_of_range_are_refused(void **state) {
  (void)state;
  ink_model *model = open_model("qwen3");
  const char *empty[] = {""}, *broken[] = {"\xFF"};
  ink_session_options good = ink_session_default(), bad[] = {good, good, good, good, good, good};
  bad[0].max_tokens = -1;
  bad[1].n_logprobs = 21;
  bad[2].stop = empty;
  bad[2].n_stop = 1;
  bad[3].stop = broken;
  bad[3].n_stop = 1;
  bad[4].sampling.top_p = 2;
  bad[5].cache = INK_Q8_0;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ink_error error = {0};
    ink_session *session;
    assert_int_equal(ink_session_new(model, &bad[i], NULL, &session, &error), INK_ERR_USAGE);
    assert_null(session);
    assert_true(error.text[0] != '\0');
  }
  ink_model_free(model);
}

// ---- the cache ---------------------------------------------------------------------------------

static void a_prompt_that_begins_alike_is_not_run_again_and_writes_the_same(void **state) {
  (void)state;
  ink_model *model = open_model("qwen3");
  ink_error error = {0};
  ink_session_options options = free_run(20, 2);
  ink_session *warm, *cold;
  assert_ok(ink_session_new(model, &options, NULL, &warm, &error));
  assert_ok(ink_session_new(model, &options, NULL, &cold, &error));
  assert_ok(ink_session_prompt(warm, prompt, N_PROMPT, &error));
  assert_ok(ink_session_run(warm, &error));
  assert_int_equal(ink_session_timing(warm).cached_tokens, 0);
  // The conversation goes on: prompt, what was written, more.
  int32_t longer[N_PROMPT + 23];
  size_t n;
  memcpy(longer, prompt, sizeof prompt);
  memcpy(longer + N_PROMPT, ink_session_tokens(warm, &n), 20 * sizeof *longer);
  assert_int_equal(n, 20);
  for (int i = 0; i < 3; i++) longer[N_PROMPT + 20 + i] = 30 + i;
  assert_ok(ink_session_prompt(warm, longer, N_PROMPT + 23, &error));
  assert_ok(ink_session_prompt(cold, longer, N_PROMPT + 23, &error));
  assert_int_equal(ink_session_timing(warm).cached_tokens, N_PROMPT + 19);
  assert_int_equal(ink_session_timing(warm).prompt_tokens, N_PROMPT + 23);
  assert_ok(ink_session_run(warm, &error));
  assert_ok(ink_session_run(cold, &error));
  assert_string_equal(ink_session_text(warm), ink_session_text(cold));
  const int32_t *a = ink_session_tokens(warm, &n), *b = ink_session_tokens(cold, &n);
  assert_memory_equal(a, b, 20 * sizeof *a);
  // A prompt that turns elsewhere in its middle.
  int32_t turned[N_PROMPT + 23];
  memcpy(turned, longer, sizeof turned);
  turned[9] = (turned[9] + 1) % 280;
  ink_session *fresh;
  assert_ok(ink_session_new(model, &options, NULL, &fresh, &error));
  assert_ok(ink_session_prompt(fresh, turned, N_PROMPT + 23, &error));
  assert_ok(ink_session_prompt(warm, turned, N_PROMPT + 23, &error));
  assert_int_equal(ink_session_timing(warm).cached_tokens, 9);
  assert_ok(ink_session_run(fresh, &error));
  assert_ok(ink_session_run(warm, &error));
  assert_string_equal(ink_session_text(warm), ink_session_text(fresh));
  assert_string_not_equal(ink_session_text(warm), ink_session_text(cold));
  ink_session_free(fresh);
  // The first prompt again: all but its last token is there.
  char *before = strdup(ink_session_text(cold));
  assert_ok(ink_session_prompt(cold, longer, N_PROMPT + 23, &error));
  assert_int_equal(ink_session_timing(cold).cached_tokens, N_PROMPT + 22);
  assert_ok(ink_session_run(cold, &error));
  assert_string_equal(ink_session_text(cold), before);
  free(before);
  ink_session_free(warm);
  ink_session_free(cold);
  ink_model_free(model);
}

// ---- processors --------------------------------------------------------------------------------

typedef struct watcher {
  int32_t only;  // the one token that is allowed; -1: none
  int32_t end;   // allowed instead once `at` tokens were accepted
  size_t at;
  size_t accepted, seen;
  int32_t last;
  bool fails;
} watcher;

static ink_status watch(void *self, const int32_t *tokens, size_t n, float *logits, size_t n_vocab,
                        ink_error *error) {
  watcher *w = self;
  if (w->fails) return ink_fail(error, INK_ERR_CONFLICT, "no such form");
  assert_int_equal(n, N_PROMPT + w->accepted);
  assert_memory_equal(tokens, prompt, sizeof prompt);
  int32_t only = w->accepted >= w->at ? w->end : w->only;
  for (size_t i = 0; i < n_vocab; i++) {
    if ((int32_t)i != only) logits[i] = -INFINITY;
  }
  w->seen++;
  return INK_OK;
}

static ink_status accept(void *self, int32_t token, ink_error *error) {
  (void)error;
  watcher *w = self;
  w->accepted++;
  w->last = token;
  return INK_OK;
}

static void processors_decide_and_hear_what_was_drawn(void **state) {
  (void)state;
  ink_model *model = open_model("qwen3");
  int32_t end = ink_tokenizer_eos(model->tokenizer);
  assert_true(end >= 0);
  watcher w = {.only = 33, .end = end, .at = 4};
  ink_logit_processor processor = {watch, accept, &w};
  ink_session_options options = ink_session_default();
  options.processors = &processor;
  options.n_processor = 1;
  written got = run(model, options, 1);
  assert_int_equal(got.finish, INK_FINISH_STOP);
  assert_int_equal(got.n, 5);
  for (int i = 0; i < 4; i++) assert_int_equal(got.tokens[i], 33);
  assert_int_equal(got.tokens[4], end);
  assert_int_equal(w.accepted, 5);
  assert_int_equal(w.seen, 5);
  assert_int_equal(w.last, end);
  size_t size;
  ink_tokenizer_bytes(model->tokenizer, 33, &size);
  assert_int_equal(strlen(got.text), 4 * size);
  drop(&got);
  ink_model_free(model);
}

static void a_processor_that_fails_or_forbids_all_ends_the_step(void **state) {
  (void)state;
  ink_model *model = open_model("qwen3");
  watcher w = {.only = -1, .at = SIZE_MAX};
  ink_logit_processor processor = {watch, accept, &w};
  ink_session_options options = ink_session_default();
  options.processors = &processor;
  options.n_processor = 1;
  ink_error error = {0};
  ink_session *session;
  ink_step step;
  assert_ok(ink_session_new(model, &options, NULL, &session, &error));
  assert_ok(ink_session_prompt(session, prompt, N_PROMPT, &error));
  assert_int_equal(ink_session_step(session, &step, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "constraints"));
  w.fails = true;
  assert_int_equal(ink_session_step(session, &step, &error), INK_ERR_CONFLICT);
  assert_string_equal(error.text, "no such form");
  ink_session_free(session);
  ink_model_free(model);
}

static void end_tokens_stop_the_text_and_can_be_forbidden(void **state) {
  (void)state;
  ink_model *model = open_model("qwen3");
  // A token the free run draws, as an end token of this session.
  ink_session_options options = free_run(30, 21);
  options.ignore_end = false;
  written full = run(model, options, 1);
  assert_true(full.n > 10);
  int32_t end = full.tokens[9];
  size_t first = 0;
  while (full.tokens[first] != end) first++;
  options.end_tokens = &end;
  options.n_end_token = 1;
  written ended = run(model, options, 1);
  assert_int_equal(ended.finish, INK_FINISH_STOP);
  assert_int_equal(ended.n, first + 1);
  options.ignore_end = true;
  written ignored = run(model, options, 1);
  assert_int_equal(ignored.n, 30);
  for (size_t i = 0; i < ignored.n; i++) assert_int_not_equal(ignored.tokens[i], end);
  drop(&full);
  drop(&ended);
  drop(&ignored);
  ink_model_free(model);
}

// Rows that pad a decoder's tables have no token and are never drawn.
static void ids_without_a_token_are_never_drawn(void **state) {
  (void)state;
  ink_model *model = open_model("qwen3");
  size_t vocab = (size_t)ink_decoder_about(model->decoder)->vocab, absent = 0;
  for (size_t i = 0; i < vocab; i++) {
    if (!ink_tokenizer_token(model->tokenizer, (int32_t)i)) absent++;
  }
  assert_int_equal(model->n_absent, absent);
  assert_true(absent > 0);
  ink_session_options options = free_run(400, 5);
  options.sampling.temperature = 100;
  ink_error error = {0};
  ink_session *session;
  assert_ok(ink_session_new(model, &options, NULL, &session, &error));
  assert_ok(ink_session_prompt(session, prompt, N_PROMPT, &error));
  assert_ok(ink_session_run(session, &error));
  size_t n;
  const int32_t *tokens = ink_session_tokens(session, &n);
  assert_int_equal(n, 400);
  for (size_t i = 0; i < n; i++) assert_non_null(ink_tokenizer_token(model->tokenizer, tokens[i]));
  ink_session_free(session);
  ink_model_free(model);
}

// Sessions with prompts of several lengths (one longer than a chunk's worth of the others), which
// end at different steps: each writes what it writes alone, with one thread and with two.
static void sessions_that_step_together_write_what_they_write_alone(void **state) {
  (void)state;
  enum { N = 7 };
  static const char *const names[] = {"qwen3", "gpt2", "llama", "qwen3/model-q8_0.gguf"};
  for (size_t m = 0; m < sizeof names / sizeof *names; m++) {
    ink_model *model = open_model(names[m]);
    for (int threads = 1; threads <= 2; threads++) {
      ink_error error = {0};
      ink_pool *pool = ink_pool_new(threads);
      ink_session *alone[N], *together[N], *going[N];
      ink_step steps[N];
      size_t n_going = 0;
      for (size_t i = 0; i < N; i++) {
        int32_t ids[20];
        size_t n = 1 + i % 4 * 6;
        for (size_t t = 0; t < n; t++) ids[t] = (int32_t)(3 + (7 * i + 5 * t) % 60);
        ink_session_options options = free_run((int64_t)(3 + 5 * i % 11), i);
        options.n_logprobs = 0;
        assert_ok(ink_session_new(model, &options, NULL, &alone[i], &error));
        assert_ok(ink_session_prompt(alone[i], ids, n, &error));
        assert_ok(ink_session_run(alone[i], &error));
        assert_ok(ink_session_new(model, &options, pool, &together[i], &error));
        assert_ok(ink_session_prompt(together[i], ids, n, &error));
        going[n_going++] = together[i];
      }
      while (n_going > 0) {
        assert_ok(ink_session_step_together(going, n_going, steps, &error));
        size_t left = 0;
        for (size_t i = 0; i < n_going; i++) {
          if (steps[i].finish == INK_FINISH_NONE) going[left++] = going[i];
        }
        n_going = left;
      }
      for (size_t i = 0; i < N; i++) {
        size_t n, wanted;
        const int32_t *tokens = ink_session_tokens(together[i], &n);
        const int32_t *expected = ink_session_tokens(alone[i], &wanted);
        assert_int_equal(n, wanted);
        assert_memory_equal(tokens, expected, n * sizeof *tokens);
        assert_string_equal(ink_session_text(together[i]), ink_session_text(alone[i]));
        ink_session_free(together[i]);
        ink_session_free(alone[i]);
      }
      ink_pool_free(pool);
    }
    ink_model_free(model);
  }
}

static void a_cancelled_session_does_not_hold_up_the_others(void **state) {
  (void)state;
  ink_model *model = open_model("qwen3");
  ink_error error = {0};
  ink_session *sessions[2];
  ink_step steps[2];
  ink_session_options options = free_run(5, 1);
  for (size_t i = 0; i < 2; i++) {
    assert_ok(ink_session_new(model, &options, NULL, &sessions[i], &error));
    assert_ok(ink_session_prompt(sessions[i], prompt, N_PROMPT, &error));
  }
  ink_session_cancel(sessions[0]);
  assert_ok(ink_session_step_together(sessions, 2, steps, &error));
  assert_int_equal(steps[0].finish, INK_FINISH_CANCELLED);
  assert_int_equal(steps[0].token, -1);
  assert_int_equal(steps[1].finish, INK_FINISH_NONE);
  assert_true(steps[1].token >= 0);
  // One that has finished cannot go on, whoever stands beside it.
  assert_int_equal(ink_session_step_together(sessions, 2, steps, &error), INK_ERR_USAGE);
  for (size_t i = 0; i < 2; i++) ink_session_free(sessions[i]);
  ink_model_free(model);
}

static void timings_are_counted(void **state) {
  (void)state;
  ink_model *model = open_model("qwen3");
  ink_session_options options = free_run(20, 2);
  ink_error error = {0};
  ink_session *session;
  assert_ok(ink_session_new(model, &options, NULL, &session, &error));
  assert_ok(ink_session_prompt(session, prompt, N_PROMPT, &error));
  assert_ok(ink_session_run(session, &error));
  ink_timing timing = ink_session_timing(session);
  assert_true(timing.prompt_ms > 0 && timing.first_token_ms >= timing.prompt_ms);
  assert_true(timing.tokens_per_second > 0);
  assert_int_equal(timing.prompt_tokens, N_PROMPT);
  ink_session_free(session);
  ink_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(greedy_continuations_equal_transformers),
      cmocka_unit_test(the_seed_alone_decides_and_threads_do_not),
      cmocka_unit_test(text_ends_before_a_stop_string_wherever_tokens_break),
      cmocka_unit_test(the_beginning_of_a_stop_string_is_held_back_and_given_at_the_end),
      cmocka_unit_test(of_two_stop_strings_that_end_together_the_longer_one_counts),
      cmocka_unit_test(text_goes_on_behind_a_null_character),
      cmocka_unit_test(a_heavy_penalty_leaves_no_repetition),
      cmocka_unit_test(logprobs_are_those_of_the_score),
      cmocka_unit_test(a_listener_can_cancel),
      cmocka_unit_test(a_cancelled_session_ends_before_its_next_token_and_begins_anew),
      cmocka_unit_test(what_does_not_fit_the_context_is_refused_with_the_numbers),
      cmocka_unit_test(writing_fills_the_context_and_no_more),
      cmocka_unit_test(options_out_of_range_are_refused),
      cmocka_unit_test(a_prompt_that_begins_alike_is_not_run_again_and_writes_the_same),
      cmocka_unit_test(processors_decide_and_hear_what_was_drawn),
      cmocka_unit_test(a_processor_that_fails_or_forbids_all_ends_the_step),
      cmocka_unit_test(end_tokens_stop_the_text_and_can_be_forbidden),
      cmocka_unit_test(ids_without_a_token_are_never_drawn),
      cmocka_unit_test(sessions_that_step_together_write_what_they_write_alone),
      cmocka_unit_test(a_cancelled_session_does_not_hold_up_the_others),
      cmocka_unit_test(timings_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
