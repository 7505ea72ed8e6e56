// Writing verse with the poet: candidates of one or many requests, written together.
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
  ink_poet_request request = {.sampling = ink_sampling_default(), .candidates = 8, .relevance = 4};
  request.sampling.temperature = 0.8f;
  request.sampling.top_p = 0.9f;
  return request;
}

// What the model must be asked for one request, found once for all its candidates.
typedef struct commission {
  const ink_poet_request *request;
  const ink_verse_form *form;
  char *fields[INK_POEM_FIELDS];  // of the brief, simplified
  char *opening;
  int32_t *prompt;
  size_t n_prompt;
  int32_t *bare;  // the prompt without title and theme, to compare candidates by; or NULL
  size_t n_bare;
  int32_t begun, finished;  // candidates
  double best;              // what the best of them is worth
} commission;

// A candidate that is being written. Stays where it is: its session borrows the processor.
typedef struct writer {
  commission *own;
  int32_t candidate;
  ink_verse *verse;
  ink_logit_processor processor;
  ink_session *session;
  double sum;  // of log-probabilities
  int64_t n;
} writer;

enum { AT_ONCE = 32 };  // candidates that are written together

typedef struct workshop {
  const ink_model *model;
  ink_pool *pool;
  const ink_progress *progress;
  ink_verse_lexicon *lexicon;  // NULL until a form asks for it
  commission *commissions;     // (n)
  ink_poem_draft *drafts;      // (n)
  size_t n, n_opened, n_done;  // requests; candidates written
  size_t n_candidates;
  writer *writers[AT_ONCE];
  size_t n_writer;
} workshop;

// Give back what only its candidates need; may be called again.
static void close_commission(commission *c) {
  for (size_t i = 0; i < INK_POEM_FIELDS; i++) {
    free(c->fields[i]);
    c->fields[i] = NULL;
  }
  free(c->opening);
  free(c->prompt);
  free(c->bare);
  c->opening = NULL;
  c->prompt = c->bare = NULL;
}

static void close_writer(writer *w) {
  ink_session_free(w->session);
  ink_verse_free(w->verse);
  free(w);
}

static void close_workshop(workshop *w) {
  for (size_t i = 0; i < w->n_writer; i++) close_writer(w->writers[i]);
  for (size_t i = 0; w->commissions && i < w->n; i++) close_commission(&w->commissions[i]);
  free(w->commissions);
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
static ink_status make_prompt(const commission *w, const ink_tokenizer *tokenizer, bool bare,
                              int32_t **ids, size_t *n, ink_error *error) {
  ink_poem_brief brief = {0};
  for (size_t i = 0; i < INK_POEM_FIELDS; i++) {
    bool shown = !bare || (i != INK_POEM_TITLE && i != INK_POEM_THEME);
    brief.field[i] = shown ? w->fields[i] : NULL;
  }
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
    status = ink_tokenizer_encode(tokenizer, ink_text_string(&prompt), prompt.size,
                                  INK_ENCODE_SPECIAL, ids, n, error);
  }
  ink_text_free(&prompt);
  return status;
}

ink_status ink_poet_knows_poems(const ink_model *model, bool *known, ink_error *error) {
  ink_text mark = {0};
  *known = ink_poem_control_token((size_t)ink_poem_body_tag(), &mark);
  ink_status status = ink_text_status(&mark, error);
  *known = *known && status == INK_OK &&
           ink_tokenizer_id(model->tokenizer, mark.bytes, mark.size) == ink_poem_body_tag();
  ink_text_free(&mark);
  return status;
}

static ink_status open_commission(const workshop *w, const ink_poet_request *request,
                                  commission *own, ink_error *error) {
  own->request = request;
  own->best = -INFINITY;
  if (request->candidates < 1 || request->candidates > 64) {
    return ink_fail(error, INK_ERR_USAGE, "candidates is %d; it must lie in 1 … 64",
                    request->candidates);
  }
  for (size_t i = 0; i < INK_POEM_FIELDS; i++) {
    INK_TRY(simplified(request->brief.field[i], &own->fields[i], error));
  }
  INK_TRY(simplified(request->brief.opening, &own->opening, error));
  const char *name = own->fields[INK_POEM_FORM];
  if (!name && !request->free_form) name = "七绝";
  if (name) {
    own->form = ink_verse_form_find(name);
    if (!own->form) return unknown_form(name, error);
  }
  const ink_tokenizer *tokenizer = w->model->tokenizer;
  INK_TRY(make_prompt(own, tokenizer, false, &own->prompt, &own->n_prompt, error));
  bool about = own->fields[INK_POEM_TITLE] || own->fields[INK_POEM_THEME];
  if (!about || request->candidates == 1 || request->relevance == 0) return INK_OK;
  return make_prompt(own, tokenizer, true, &own->bare, &own->n_bare, error);
}

// ---- a candidate ------------------------------------------------------------------------------

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

static ink_status take(const writer *w, double logprob, ink_poem_draft *draft, ink_error *error) {
  const char *written = ink_session_text(w->session);
  size_t n;
  const int32_t *tokens = ink_session_tokens(w->session, &n);
  ink_poem_draft made = {.candidate = w->candidate, .logprob = logprob};
  ink_text text = {0};
  if (w->own->opening) ink_text_add(&text, w->own->opening);
  ink_text_add(&text, written);
  if (!text.size || text.bytes[text.size - 1] != '\n') ink_text_add(&text, "\n");
  made.form = strdup(w->own->form ? w->own->form->names[0] : "");
  made.finish = ink_session_finished(w->session);
  made.tokens = malloc((n ? n : 1) * sizeof *made.tokens);
  made.timing = ink_session_timing(w->session);
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

static ink_status open_writer(workshop *shop, commission *own, ink_error *error) {
  // A commission is open before it has writers. NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
  const ink_poet_request *request = own->request;
  ink_session_options options = ink_session_default();
  writer *w = shop->writers[shop->n_writer] = calloc(1, sizeof *w);
  if (!w) return ink_fail(error, INK_ERR_MEMORY, "no memory for a poem");
  shop->n_writer++;
  w->own = own;
  w->candidate = own->begun++;
  options.sampling = request->sampling;
  options.sampling.piece += (uint64_t)w->candidate;
  options.max_tokens = request->max_tokens;
  options.n_logprobs = 0;  // report the token's own log-probability
  if (request->candidates == 1) {
    options.on_text = request->on_text;
    options.context_of_text = request->context_of_text;
  }
  if (!request->free_form) {
    ink_verse_demand demand = {.form = own->form,
                               .pattern = own->fields[INK_POEM_PATTERN],
                               .acrostic = own->fields[INK_POEM_ACROSTIC],
                               .rhymes = own->fields[INK_POEM_RHYMES],
                               .group = own->fields[INK_POEM_RHYME],
                               .opening = own->opening};
    if (!shop->lexicon) {
      INK_TRY(ink_verse_lexicon_of(shop->model->tokenizer, &shop->lexicon, error));
    }
    INK_TRY(ink_verse_new(shop->lexicon, &demand, &w->verse, error));
    w->processor = ink_verse_processor(w->verse);
    options.processors = &w->processor;
    options.n_processor = 1;
  }
  INK_TRY(ink_session_new(shop->model, &options, shop->pool, &w->session, error));
  return ink_session_prompt(w->session, own->prompt, own->n_prompt, error);
}

// Put a candidate to each free place, in order of the requests.
static ink_status fill_places(workshop *w, const ink_poet_request *requests, ink_error *error) {
  while (w->n_writer < AT_ONCE) {
    commission *own = w->n_opened ? &w->commissions[w->n_opened - 1] : NULL;
    ink_status status = INK_OK;
    if (!own || own->begun == own->request->candidates) {
      if (w->n_opened == w->n) break;
      own = &w->commissions[w->n_opened];
      status = open_commission(w, &requests[w->n_opened++], own, error);
    }
    if (status == INK_OK) {
      status = open_writer(w, own, error);
    }
    if (status != INK_OK && w->n > 1) ink_context(error, status, "poem %zu", w->n_opened);
    INK_TRY(status);
  }
  return INK_OK;
}

// How much likelier title and theme make a candidate, in nats a token.
static ink_status relevance_of(const workshop *w, const writer *done, double logprob,
                               double *relevance, ink_error *error) {
  const commission *own = done->own;
  size_t n;
  const int32_t *tokens = ink_session_tokens(done->session, &n);
  *relevance = 0;
  if (!own->bare || n == 0) return INK_OK;
  int32_t *ids = malloc((own->n_bare + n) * sizeof *ids);
  if (!ids) return ink_fail(error, INK_ERR_MEMORY, "no memory to compare poems");
  memcpy(ids, own->bare, own->n_bare * sizeof *ids);
  memcpy(ids + own->n_bare, tokens, n * sizeof *ids);
  ink_score score = {0};
  ink_status status = ink_llm_score(w->model, w->pool, ids, own->n_bare + n, &score, error);
  double sum = 0;
  for (size_t i = own->n_bare; status == INK_OK && i < score.n; i++) sum += score.logprobs[i];
  if (status == INK_OK) *relevance = logprob - sum / (double)n;
  ink_score_free(&score);
  free(ids);
  return status;
}

// A candidate is whole: keep it where it is the best of its request, and free its place.
static ink_status finish(workshop *w, size_t place, ink_error *error) {
  writer *done = w->writers[place];
  commission *own = done->own;
  double logprob = done->n ? done->sum / (double)done->n : 0;
  double relevance;
  INK_TRY(relevance_of(w, done, logprob, &relevance, error));
  double value = logprob + own->request->relevance * relevance -
                 ECHO_PRICE * echoes(ink_session_text(done->session));
  ink_poem_draft *draft = &w->drafts[own - w->commissions];
  bool better = value > own->best || (value == own->best && done->candidate < draft->candidate);
  if (own->finished == 0 || better) {
    own->best = value;
    INK_TRY(take(done, logprob, draft, error));
  }
  const char *form = own->form ? own->form->names[0] : "";
  if (++own->finished == own->request->candidates) close_commission(own);
  close_writer(done);
  w->writers[place] = w->writers[--w->n_writer];
  w->n_done++;
  if (!ink_progress_report(w->progress, (int64_t)w->n_done, (int64_t)w->n_candidates, form)) {
    return ink_fail(error, INK_ERR_CANCELLED, "stopped before %s finished",
                    w->n > 1 ? "all poems were" : "the poem was");
  }
  return INK_OK;
}

static ink_status write_all(workshop *w, const ink_poet_request *requests, ink_error *error) {
  bool known;
  INK_TRY(ink_poet_knows_poems(w->model, &known, error));
  if (!known) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s knows no poems: its vocabulary lacks their control tokens; forms need the "
                    "model \"poet\"",
                    ink_weights_name(w->model->weights));
  }
  for (size_t i = 0; i < w->n; i++) w->n_candidates += (size_t)requests[i].candidates;
  INK_TRY(fill_places(w, requests, error));
  while (w->n_writer > 0) {
    ink_session *sessions[AT_ONCE];
    ink_step steps[AT_ONCE];
    for (size_t i = 0; i < w->n_writer; i++) sessions[i] = w->writers[i]->session;
    INK_TRY(ink_session_step_together(sessions, w->n_writer, steps, error));
    for (size_t i = w->n_writer; i-- > 0;) {  // backwards: the last one fills the place of one done
      writer *own = w->writers[i];
      if (steps[i].token >= 0) {  // else it was cancelled: nothing was drawn
        own->sum += (double)steps[i].logprob;
        own->n++;
      }
      if (steps[i].finish != INK_FINISH_NONE) INK_TRY(finish(w, i, error));
    }
    INK_TRY(fill_places(w, requests, error));
  }
  return INK_OK;
}

ink_status ink_poet_write_many(const ink_model *model, const ink_poet_request *requests, size_t n,
                               ink_pool *pool, const ink_progress *progress, ink_poem_draft *drafts,
                               ink_error *error) {
  memset(drafts, 0, n * sizeof *drafts);
  workshop w = {.model = model, .pool = pool, .progress = progress, .drafts = drafts, .n = n};
  w.commissions = calloc(n ? n : 1, sizeof *w.commissions);
  ink_status status = w.commissions ? write_all(&w, requests, error)
                                    : ink_fail(error, INK_ERR_MEMORY, "no memory for %zu poems", n);
  close_workshop(&w);
  for (size_t i = 0; status != INK_OK && i < n; i++) ink_poem_draft_free(&drafts[i]);
  return status;
}

ink_status ink_poet_write(const ink_model *model, const ink_poet_request *request, ink_pool *pool,
                          const ink_progress *progress, ink_poem_draft *draft, ink_error *error) {
  return ink_poet_write_many(model, request, 1, pool, progress, draft, error);
}

void ink_poem_draft_free(ink_poem_draft *draft) {
  free(draft->form);
  free(draft->text);
  free(draft->tokens);
  *draft = (ink_poem_draft){0};
}
