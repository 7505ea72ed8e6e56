// Writing verse with the poet.
#include "llm/poet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "lang/simplify.h"
#include "llm/verse.h"
#include "tokenizer/tokenizer.h"
#include "weights/weights.h"

// What each character costs, in nats per token of the poem, that stands in it more than once
// without being doubled: classical verse avoids such echoes, small models do not.
static const double ECHO_PRICE = 0.35;

ink_poet_request ink_poet_default(void) {
  ink_poet_request request = {.sampling = ink_sampling_default(), .candidates = 4};
  request.sampling.temperature = 0.9f;
  request.sampling.top_p = 0.95f;
  return request;
}

// What one poem needs, opened once for all candidates.
typedef struct workshop {
  const ink_model *model;
  const ink_poet_request *request;
  ink_pool *pool;
  const ink_verse_form *form;
  char *fields[INK_POEM_FIELDS];  // of the brief, simplified
  char *opening;
  ink_verse_lexicon *lexicon;
  ink_verse *verse;
  ink_logit_processor processor;
  int32_t *prompt;
  size_t n_prompt;
} workshop;

static void close_workshop(workshop *w) {
  for (size_t i = 0; i < INK_POEM_FIELDS; i++) free(w->fields[i]);
  free(w->opening);
  free(w->prompt);
  ink_verse_free(w->verse);
  ink_verse_lexicon_free(w->lexicon);
}

static const char *given(const char *text) {
  return text && text[0] ? text : NULL;
}

static ink_status simplified(const char *text, char **out, ink_error *error) {
  if (!given(text)) return INK_OK;
  size_t bad;
  if (!ink_utf8_valid(text, strlen(text), &bad)) {
    return ink_fail_at(error, INK_ERR_USAGE, (int64_t)bad, "the brief is not valid UTF-8");
  }
  ink_text simple = {0};
  ink_simplify(text, strlen(text), &simple);
  *out = strdup(ink_text_string(&simple));
  ink_status status = ink_text_status(&simple, error);
  ink_text_free(&simple);
  if (status == INK_OK && !*out)
    status = ink_fail(error, INK_ERR_MEMORY, "no memory for the brief");
  return status;
}

static ink_status unknown_form(const char *name, ink_error *error) {
  ink_text known = {0};
  const ink_verse_form *form;
  for (size_t i = 0; (form = ink_verse_form_at(i)); i++) {
    ink_text_format(&known, "%s%s", i ? " " : "", form->names[0]);
  }
  ink_status status = ink_fail(error, INK_ERR_USAGE, "no form \"%s\"; there are: %s", name,
                               ink_text_string(&known));
  ink_text_free(&known);
  return status;
}

// The prompt names a ci by its tune and shi by its form; the rhyme group only where it was asked
// for.
static ink_status open_prompt(workshop *w, ink_error *error) {
  ink_poem_brief brief = {0};
  for (size_t i = 0; i < INK_POEM_FIELDS; i++) brief.field[i] = w->fields[i];
  if (w->form) brief.field[INK_POEM_FORM] = w->form->names[0];
  if (w->form && w->form->kind == INK_VERSE_CI) {
    brief.field[INK_POEM_FORM] = "词";
    brief.field[INK_POEM_TUNE] = w->form->names[0];
  }
  const char *asked = w->fields[INK_POEM_RHYME];
  if (asked) {
    // The corpus knows groups by their last character: 一东 is 东.
    int group = ink_rhyme_group_find(asked);
    const char *name = group >= 0 ? ink_rhyme_group_at(group)->name : asked;
    if (group >= 0) {
      size_t size = strlen(name);
      while (size > 0 && ((unsigned char)name[size - 1] & 0xC0) == 0x80) size--;
      name = name + size - 1;
    }
    brief.field[INK_POEM_RHYME] = name;
    if (ink_poem_value(INK_POEM_RHYME, name) < 0) brief.field[INK_POEM_RHYME] = NULL;
  }
  brief.opening = w->opening;
  ink_text prompt = {0};
  ink_status status = ink_poem_prompt(&brief, &prompt, error);
  if (status == INK_OK) status = ink_text_status(&prompt, error);
  if (status == INK_OK) {
    status = ink_tokenizer_encode(w->model->tokenizer, ink_text_string(&prompt), prompt.size,
                                  INK_ENCODE_SPECIAL, &w->prompt, &w->n_prompt, error);
  }
  ink_text_free(&prompt);
  return status;
}

bool ink_poet_knows_poems(const ink_model *model) {
  ink_text mark = {0};
  bool known = ink_poem_control_token((size_t)ink_poem_body_tag(), &mark) &&
               ink_tokenizer_id(model->tokenizer, mark.bytes, mark.size) == ink_poem_body_tag();
  ink_text_free(&mark);
  return known;
}

static ink_status open_workshop(workshop *w, ink_error *error) {
  const ink_poem_brief *brief = &w->request->brief;
  if (!ink_poet_knows_poems(w->model)) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s knows no poems: its vocabulary lacks their control tokens; forms need the "
                    "model \"poet\"",
                    ink_weights_name(w->model->weights));
  }
  for (size_t i = 0; i < INK_POEM_FIELDS; i++) {
    INK_TRY(simplified(brief->field[i], &w->fields[i], error));
  }
  INK_TRY(simplified(brief->opening, &w->opening, error));
  const char *name = w->fields[INK_POEM_FORM];
  if (!name && !w->request->free_form) name = "七绝";
  if (name) {
    w->form = ink_verse_form_find(name);
    if (!w->form) return unknown_form(name, error);
  }
  ink_verse_demand demand = {.form = w->form,
                             .pattern = w->fields[INK_POEM_PATTERN],
                             .acrostic = w->fields[INK_POEM_ACROSTIC],
                             .rhymes = w->fields[INK_POEM_RHYMES],
                             .group = w->fields[INK_POEM_RHYME],
                             .opening = w->opening};
  if (!w->request->free_form) {
    INK_TRY(ink_verse_lexicon_of(w->model->tokenizer, &w->lexicon, error));
    INK_TRY(ink_verse_new(w->lexicon, &demand, &w->verse, error));
    w->processor = ink_verse_processor(w->verse);
  }
  return open_prompt(w, error);
}

// ---- one candidate
// ----------------------------------------------------------------------------------

// The share of characters that stand in the poem before, not counting doubled ones.
static double echoes(const char *text) {
  int32_t seen[512];
  size_t n = 0, repeated = 0;
  int32_t before = 0;
  for (size_t at = 0, size = strlen(text); at < size && n < 512;) {
    int32_t rune;
    at += ink_utf8_decode(text + at, size - at, &rune);
    if (rune < 0x3400) continue;  // marks and line breaks lie below the ideographs
    if (rune >= 0xFF00 && rune <= 0xFFEF) continue;
    bool known = false;
    for (size_t i = 0; i < n && !known; i++) known = seen[i] == rune;
    repeated += known && rune != before;
    seen[n++] = before = rune;
  }
  return n ? (double)repeated / (double)n : 0;
}

static ink_status take(const workshop *w, ink_session *session, int32_t candidate, double logprob,
                       ink_poem_draft *draft, ink_error *error) {
  const char *written = ink_session_text(session);
  size_t n;
  const int32_t *tokens = ink_session_tokens(session, &n);
  ink_poem_draft made = {.candidate = candidate, .logprob = logprob};
  ink_text text = {0};
  if (w->opening) ink_text_add(&text, w->opening);
  ink_text_add(&text, written);
  if (!text.size || text.bytes[text.size - 1] != '\n') ink_text_add(&text, "\n");
  made.form = strdup(w->form ? w->form->names[0] : "");
  made.finish = ink_session_finished(session);
  made.tokens = malloc((n ? n : 1) * sizeof *made.tokens);
  made.timing = ink_session_timing(session);
  if (!made.form || !made.tokens || text.failed) {
    ink_poem_draft_free(&made);
    ink_text_free(&text);
    return ink_fail(error, INK_ERR_MEMORY, "no memory for the poem");
  }
  memcpy(made.tokens, tokens, n * sizeof *made.tokens);
  made.n_token = n;
  made.text = text.bytes;
  ink_poem_draft_free(draft);
  *draft = made;
  return INK_OK;
}

// Write one poem; *value is what candidates are compared by.
static ink_status write_candidate(workshop *w, int32_t candidate, ink_session **session,
                                  double *logprob, double *value, ink_error *error) {
  ink_session_options options = ink_session_default();
  options.sampling = w->request->sampling;
  options.sampling.piece += (uint64_t)candidate;
  options.max_tokens = w->request->max_tokens;
  options.n_logprobs = 0;  // report the token's own log-probability
  if (w->request->candidates == 1) {
    options.on_text = w->request->on_text;
    options.context_of_text = w->request->context_of_text;
  }
  if (w->verse) {
    ink_verse_restart(w->verse);
    options.processors = &w->processor;
    options.n_processor = 1;
  }
  INK_TRY(ink_session_new(w->model, &options, w->pool, session, error));
  INK_TRY(ink_session_prompt(*session, w->prompt, w->n_prompt, error));
  double sum = 0;
  int64_t n = 0;
  for (ink_step step = {0}; step.finish == INK_FINISH_NONE;) {
    INK_TRY(ink_session_step(*session, &step, error));
    if (step.token < 0) continue;  // cancelled: nothing was drawn
    sum += (double)step.logprob;
    n++;
  }
  *logprob = n ? sum / (double)n : 0;
  *value = *logprob - ECHO_PRICE * echoes(ink_session_text(*session));
  return INK_OK;
}

ink_status ink_poet_write(const ink_model *model, const ink_poet_request *request, ink_pool *pool,
                          const ink_progress *progress, ink_poem_draft *draft, ink_error *error) {
  *draft = (ink_poem_draft){0};
  if (request->candidates < 1 || request->candidates > 64) {
    return ink_fail(error, INK_ERR_USAGE, "candidates is %d; it must lie in 1 … 64",
                    request->candidates);
  }
  workshop w = {.model = model, .request = request, .pool = pool};
  ink_status status = open_workshop(&w, error);
  double best = -INFINITY;
  for (int32_t i = 0; status == INK_OK && i < request->candidates; i++) {
    ink_session *session = NULL;
    double logprob, value;
    status = write_candidate(&w, i, &session, &logprob, &value, error);
    if (status == INK_OK && (i == 0 || value > best)) {
      best = value;
      status = take(&w, session, i, logprob, draft, error);
    }
    ink_session_free(session);
    if (status == INK_OK &&
        !ink_progress_report(progress, i + 1, request->candidates,
                             w.form ? w.form->names[0] : "")) {
      status = ink_fail(error, INK_ERR_CANCELLED, "stopped before the poem was finished");
    }
  }
  close_workshop(&w);
  if (status != INK_OK) ink_poem_draft_free(draft);
  return status;
}

void ink_poem_draft_free(ink_poem_draft *draft) {
  free(draft->form);
  free(draft->text);
  free(draft->tokens);
  *draft = (ink_poem_draft){0};
}
