// inkstone write, where it writes verse.
#include "cli/verse_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "lang/verse_form.h"
#include "weights/weights.h"

void ink_cli_verse_options(ink_cli_verse *verse, ink_option *options) {
  *verse = (ink_cli_verse){.candidates = 1};
  const ink_option own[INK_CLI_VERSE_OPTIONS] = {
      {.name = "form",
       .letter = 'f',
       .kind = INK_OPTION_STRING,
       .value = &verse->form,
       .argument = "FORM",
       .help = "verse in this form: 五绝 七绝 五律 七律, or a tune such as 浣溪沙"},
      {.name = "title",
       .kind = INK_OPTION_STRING,
       .value = &verse->title,
       .argument = "TEXT",
       .help = "verse: its title"},
      {.name = "theme",
       .kind = INK_OPTION_STRING,
       .value = &verse->theme,
       .argument = "WORDS",
       .help = "verse: what it is about"},
      {.name = "author",
       .kind = INK_OPTION_STRING,
       .value = &verse->author,
       .argument = "NAME",
       .help = "verse: in the manner of a poet"},
      {.name = "acrostic",
       .kind = INK_OPTION_STRING,
       .value = &verse->acrostic,
       .argument = "TEXT",
       .help = "verse: the characters that lines begin with"},
      {.name = "rhyme",
       .kind = INK_OPTION_STRING,
       .value = &verse->rhyme,
       .argument = "GROUP",
       .help = "verse: the rhyme group, such as 一东"},
      {.name = "rhymes",
       .kind = INK_OPTION_STRING,
       .value = &verse->rhymes,
       .argument = "WORDS",
       .help = "verse: the rhyme words, in order"},
      {.name = "candidates",
       .kind = INK_OPTION_INT,
       .value = &verse->candidates,
       .argument = "N",
       .help = "verse: write N poems and keep the best (default 1)",
       .low = 1,
       .high = 64},
  };
  memcpy(options, own, sizeof own);
}

bool ink_cli_verse_asked(const ink_cli_verse *v) {
  return v->form || v->title || v->theme || v->author || v->acrostic || v->rhyme || v->rhymes;
}

static bool go_on(void *context, int64_t done, int64_t total, const char *state) {
  (void)context, (void)done, (void)total, (void)state;
  return !ink_cli_interrupted();
}

static ink_status print_json(const ink_cli_model *m, const ink_poem_draft *draft, int64_t seed,
                             const char *label, double began_ms, ink_error *error) {
  char sha256[INK_SHA256_HEX];
  INK_TRY(ink_weights_sha256(m->model->weights, INK_HASH_NOTED, sha256, error));
  json_t *ids = json_array();
  for (size_t i = 0; i < draft->n_token; i++) {
    json_array_append_new(ids, json_integer(draft->tokens[i]));
  }
  const ink_timing *timing = &draft->timing;
  json_t *json = json_pack(
      "{s:s, s:s, s:s, s:o, s:I, s:{s:s, s:s}, s:s, s:I, s:f, s:{s:f, s:f, s:f}}", "text",
      draft->text, "label", label, "form", draft->form, "tokens", ids, "seed", (json_int_t)seed,
      "model", "name", ink_weights_name(m->model->weights), "sha256", sha256, "finish_reason",
      ink_finish_name(draft->finish), "prompt_tokens", (json_int_t)timing->prompt_tokens, "logprob",
      draft->logprob, "timing", "prompt_ms", timing->prompt_ms, "first_token_ms",
      began_ms + timing->first_token_ms, "tokens_per_second", timing->tokens_per_second);
  return ink_cli_print_json(json, error);
}

ink_status ink_cli_write_verse(const ink_cli_model *m, ink_cli_sampling *sampling,
                               const ink_cli_verse *verse, const char *opening, bool json,
                               ink_error *error) {
  const ink_verse_form *form;
  if (verse->form) INK_TRY(ink_verse_form_named(verse->form, &form, error));
  ink_poet_request request = ink_poet_default();
  ink_session_options session = ink_cli_session_options(sampling);
  request.sampling = session.sampling;
  request.max_tokens = session.max_tokens;
  request.candidates = (int32_t)verse->candidates;
  request.free_form = !ink_cli_verse_asked(verse);
  request.brief.field[INK_POEM_FORM] = verse->form;
  request.brief.field[INK_POEM_TITLE] = verse->title;
  request.brief.field[INK_POEM_THEME] = verse->theme;
  request.brief.field[INK_POEM_AUTHOR] = verse->author;
  request.brief.field[INK_POEM_ACROSTIC] = verse->acrostic;
  request.brief.field[INK_POEM_RHYME] = verse->rhyme;
  request.brief.field[INK_POEM_RHYMES] = verse->rhymes;
  request.brief.opening = opening;
  bool streamed = !json && request.candidates == 1;
  ink_cli_stream stream = {0};
  if (streamed) {
    request.on_text = ink_cli_print;
    request.context_of_text = &stream;
  }
  const char *label = ink_cli_announce(sampling->seed);
  ink_progress progress = {go_on, NULL};
  ink_poem_draft draft;
  double began_ms = ink_clock_since_start() * 1e3;
  if (streamed && opening) ink_cli_print(&stream, opening, strlen(opening));
  INK_TRY(ink_poet_write(m->model, &request, m->pool, &progress, &draft, error));
  ink_status status = INK_OK;
  if (json) {
    status = print_json(m, &draft, sampling->seed, label, began_ms, error);
  } else if (!streamed) {
    ink_cli_print(&stream, draft.text, strlen(draft.text));
  } else {
    ink_cli_print_end(&stream);
  }
  if (status == INK_OK && draft.finish == INK_FINISH_CANCELLED) {
    status = ink_fail(error, INK_ERR_CANCELLED, "stopped before the end");
  }
  ink_poem_draft_free(&draft);
  return status;
}
