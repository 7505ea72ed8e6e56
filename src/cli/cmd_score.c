// inkstone score: how likely a decoder finds a text, token by token.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/generation.h"

// Spelled as the vocabulary has it; ids beyond the tokenizer's have no spelling.
static const char *spelling(const ink_model *model, int32_t id) {
  const char *token = ink_tokenizer_token(model->tokenizer, id);
  return token ? token : "";
}

static json_t *number_or_null(double value) {
  return isnan(value) ? json_null() : json_real(value);
}

static ink_status print_json(const ink_model *model, const ink_score *score, ink_error *error) {
  json_t *ids = json_array(), *tokens = json_array(), *logprobs = json_array();
  for (size_t i = 0; i < score->n; i++) {
    json_array_append_new(ids, json_integer(score->ids[i]));
    json_array_append_new(tokens, json_string(spelling(model, score->ids[i])));
    json_array_append_new(logprobs, number_or_null(score->logprobs[i]));
  }
  json_t *json =
      json_pack("{s:o,s:o,s:o,s:f,s:o,s:s}", "ids", ids, "tokens", tokens, "logprobs", logprobs,
                "nll", score->nll, "perplexity", number_or_null(score->perplexity), "model",
                ink_weights_name(model->weights));
  return ink_cli_print_json(json, error);
}

static void print_table(const ink_model *model, const ink_score *score) {
  for (size_t i = 0; i < score->n; i++) {
    if (isnan(score->logprobs[i])) {
      printf("%8d  %10s  %s\n", score->ids[i], "-", spelling(model, score->ids[i]));
    } else {
      printf("%8d  %10.4f  %s\n", score->ids[i], score->logprobs[i],
             spelling(model, score->ids[i]));
    }
  }
  printf("nll %.4f\nperplexity %.4f\n", score->nll, score->perplexity);
}

static ink_status score_text(const ink_cli_model *m, const char *argument, bool json,
                             ink_error *error) {
  char *text = NULL;
  size_t size = 0;
  INK_TRY(ink_cli_text(argument, &text, &size, error));
  ink_score score = {0};
  ink_status status = ink_llm_score_text(m->model, m->pool, text, size, &score, error);
  if (status == INK_OK && json) {
    status = print_json(m->model, &score, error);
  } else if (status == INK_OK) {
    print_table(m->model, &score);
  }
  ink_score_free(&score);
  free(text);
  return status;
}

static ink_status run(const ink_command *self, int argc, char **argv, ink_error *error) {
  ink_cli_model model;
  bool json = false;
  ink_option options[INK_CLI_MODEL_OPTIONS + 1] = {0};
  ink_cli_model_options(&model, options);
  options[INK_CLI_MODEL_OPTIONS] = (ink_option){
      .name = "json", .kind = INK_OPTION_FLAG, .value = &json, .help = "print one JSON object"};
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  if (n > 1) return ink_fail(error, INK_ERR_USAGE, "one text at a time; put it in quotes");
  ink_status status = ink_cli_model_open(&model, error);
  if (status == INK_OK) status = score_text(&model, n == 1 ? argv[1] : NULL, json, error);
  ink_cli_model_close(&model);
  return status;
}

const ink_command ink_command_score = {
    .name = "score",
    .summary = "Tell how likely a model finds a text",
    .usage = "score [TEXT] [OPTIONS]",
    .examples = "inkstone score \"床前明月光\" --json\n",
    .run = run,
};
