// inkstone write: go on from a prompt.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/progress.h"
#include "cli/generation.h"
#include "cli/noting.h"
#include "cli/verse_options.h"

typedef struct request {
  char *prompt;
  size_t prompt_size;
  bool special, json;
  int64_t logprobs;
  ink_string_list stop;
} request;

// The prompt as ids, with what the tokenizer puts before a text. The caller frees *ids.
static ink_status encode(const ink_model *model, const request *r, int32_t **ids, size_t *n,
                         ink_error *error) {
  unsigned flags = INK_ENCODE_AFFIX | (r->special ? (unsigned)INK_ENCODE_SPECIAL : 0);
  return ink_tokenizer_encode(model->tokenizer, r->prompt, r->prompt_size, flags, ids, n, error);
}

static json_t *top_of(const ink_model *model, const ink_step *step) {
  json_t *list = json_array();
  for (int32_t i = 0; i < step->n_top; i++) {
    const char *token = ink_tokenizer_token(model->tokenizer, step->top[i].token);
    json_array_append_new(list, json_pack("{s:i,s:s?,s:f}", "id", step->top[i].token, "token",
                                          token, "logprob", (double)step->top[i].logprob));
  }
  return list;
}

// Step to the end; a step's log-probabilities are added to the two arrays when they are wanted.
static ink_status run(ink_session *session, const ink_model *model, json_t *logprobs, json_t *top,
                      ink_error *error) {
  ink_step step = {0};
  while (step.finish == INK_FINISH_NONE) {
    if (ink_cli_interrupted()) ink_session_cancel(session);
    INK_TRY(ink_session_step(session, &step, error));
    if (!logprobs || step.token < 0) continue;
    json_array_append_new(logprobs, json_real((double)step.logprob));
    json_array_append_new(top, top_of(model, &step));
  }
  return INK_OK;
}

static ink_status print_json(const ink_session *session, const ink_model *model, int64_t seed,
                             const char *label, const ink_watermark *watermark, double began_ms,
                             json_t *logprobs, json_t *top, ink_error *error) {
  char sha256[INK_SHA256_HEX];
  INK_TRY(ink_weights_sha256(model->weights, INK_HASH_NOTED, sha256, error));
  size_t n;
  const int32_t *tokens = ink_session_tokens(session, &n);
  ink_timing timing = ink_session_timing(session);
  json_t *ids = json_array();
  for (size_t i = 0; i < n; i++) json_array_append_new(ids, json_integer(tokens[i]));
  json_t *json = json_pack(
      "{s:s,s:s,s:o,s:I,s:{s:s,s:s},s:s,s:I,s:{s:f,s:f,s:f}}", "text", ink_session_text(session),
      "label", label, "tokens", ids, "seed", (json_int_t)seed, "model", "name",
      ink_weights_name(model->weights), "sha256", sha256, "finish_reason",
      ink_finish_name(ink_session_finished(session)), "prompt_tokens",
      (json_int_t)timing.prompt_tokens, "timing", "prompt_ms", timing.prompt_ms, "first_token_ms",
      began_ms + timing.first_token_ms, "tokens_per_second", timing.tokens_per_second);
  if (json) {
    json_object_set_new(json, "watermark",
                        watermark ? json_string(ink_watermark_id(watermark)) : json_null());
  }
  if (json && logprobs) {
    json_object_set(json, "logprobs", logprobs);
    json_object_set(json, "top_logprobs", top);
  }
  return ink_cli_print_json(json, error);
}

static ink_status write_text(const ink_cli_model *m, ink_cli_sampling *sampling, const request *r,
                             ink_error *error) {
  int32_t *ids = NULL;
  size_t n = 0;
  ink_session *session = NULL;
  ink_cli_mark mark;
  ink_session_options options = ink_cli_session_options(sampling);
  options.stop = r->stop.items;
  options.n_stop = r->stop.n;
  options.n_logprobs = (int32_t)r->logprobs;
  ink_cli_stream stream = {0};
  if (!r->json) {
    options.on_text = ink_cli_print;
    options.context_of_text = &stream;
  }
  const char *label = ink_cli_announce(sampling->seed);
  json_t *logprobs = r->logprobs >= 0 ? json_array() : NULL;
  json_t *top = r->logprobs >= 0 ? json_array() : NULL;
  ink_status status = ink_cli_mark_session(sampling, m->model, &mark, &options, error);
  if (status == INK_OK) status = encode(m->model, r, &ids, &n, error);
  if (status == INK_OK) {
    status = ink_session_new(m->model, &options, m->pool, &session, error);
  }
  double began_ms = ink_clock_since_start() * 1e3;
  if (status == INK_OK) status = ink_session_prompt(session, ids, n, error);
  if (status == INK_OK) status = run(session, m->model, logprobs, top, error);
  if (status == INK_OK && r->json) {
    status = print_json(session, m->model, sampling->seed, label, mark.watermark, began_ms,
                        logprobs, top, error);
  } else if (status == INK_OK) {
    ink_cli_print_end(&stream);
  }
  if (status == INK_OK) {
    size_t n_token;
    ink_session_tokens(session, &n_token);
    status =
        ink_cli_note_text(m, sampling, &mark, "write", ink_session_text(session), n_token, error);
  }
  if (status == INK_OK && ink_session_finished(session) == INK_FINISH_CANCELLED) {
    status = ink_fail(error, INK_ERR_CANCELLED, "stopped before the end");
  }
  json_decref(logprobs);
  json_decref(top);
  ink_session_free(session);
  ink_watermark_free(mark.watermark);
  free(ids);
  return status;
}

static ink_status run_write(const ink_command *self, int argc, char **argv, ink_error *error) {
  ink_cli_model model;
  ink_cli_sampling sampling = ink_cli_sampling_default();
  request r = {.logprobs = -1};
  ink_cli_verse verse;
  enum { SHARED = INK_CLI_MODEL_OPTIONS + INK_CLI_SAMPLING_OPTIONS + INK_CLI_VERSE_OPTIONS };
  ink_option options[SHARED + 4] = {0};
  ink_option *own = options + SHARED;
  ink_cli_model_options(&model, options);
  ink_cli_sampling_options(&sampling, options + INK_CLI_MODEL_OPTIONS);
  ink_cli_verse_options(&verse, options + INK_CLI_MODEL_OPTIONS + INK_CLI_SAMPLING_OPTIONS);
  own[0] = (ink_option){.name = "stop",
                        .kind = INK_OPTION_LIST,
                        .value = &r.stop,
                        .argument = "TEXT",
                        .help = "end before this text; may be repeated"};
  own[1] = (ink_option){.name = "special",
                        .kind = INK_OPTION_FLAG,
                        .value = &r.special,
                        .help = "read special tokens that the prompt spells out"};
  own[2] = (ink_option){.name = "logprobs",
                        .kind = INK_OPTION_INT,
                        .value = &r.logprobs,
                        .argument = "N",
                        .help = "with --json: log-probabilities of the tokens and the N likeliest",
                        .low = 0,
                        .high = INK_MAX_LOGPROBS};
  own[3] = (ink_option){
      .name = "json", .kind = INK_OPTION_FLAG, .value = &r.json, .help = "print one JSON object"};
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  if (n > 1) return ink_fail(error, INK_ERR_USAGE, "one prompt at a time; put it in quotes");
  ink_cli_catch_interrupts();
  // Verse is too short to be marked: who asks for a mark wants text.
  bool marked = strcmp(sampling.watermark, "auto") != 0 && strcmp(sampling.watermark, "off") != 0;
  if (marked && ink_cli_verse_asked(&verse)) {
    return ink_fail(error, INK_ERR_USAGE,
                    "verse is too short to carry a watermark; leave --watermark out");
  }
  // Verse needs no prompt.
  if (n == 1 || !ink_cli_verse_asked(&verse)) {
    INK_TRY(ink_cli_text(n == 1 ? argv[1] : NULL, &r.prompt, &r.prompt_size, error));
  }
  ink_status status = ink_cli_model_open(&model, error);
  // The poet knows text as poems only: a bare prompt is how one begins.
  bool bare = !r.special && r.logprobs < 0 && r.stop.n == 0 && !marked, poet = false;
  if (status == INK_OK && bare) status = ink_poet_knows_poems(model.model, &poet, error);
  if (status == INK_OK) {
    if (ink_cli_verse_asked(&verse) || poet) {
      status = ink_cli_write_verse(&model, &sampling, &verse, r.prompt, r.json, error);
    } else {
      status = write_text(&model, &sampling, &r, error);
    }
  }
  ink_cli_model_close(&model);
  free(r.prompt);
  return status;
}

const ink_command ink_command_write = {
    .name = "write",
    .summary = "Write text from a prompt",
    .usage = "write [PROMPT] [OPTIONS]",
    .examples =
        "inkstone write --form 七律 --title 秋夜山居 --acrostic 我爱中华\n"
        "inkstone write 明月几时有，\n"
        "inkstone write --model Qwen/Qwen3-0.6B \"The inkstone\" --max-tokens 64\n",
    .run = run_write,
};
