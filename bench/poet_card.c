// The figures on the poet's card (models/poet/README.md, which says what each means):
//
//   inkstone train data poetry --from CHECKOUT --out CORPUS
//   ninja -C build bench/poet_card && build/bench/poet_card CORPUS
//
// Poems are written to the briefs (form and title) of poems from test.bin, seed i for the i-th
// brief, without choosing among candidates unless --candidates says so. The same build gives the
// same figures.
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "check/verse.h"
#include "llm/logits.h"
#include "llm/poet.h"
#include "llm/verse.h"
#include "poet_card_corpus.h"

enum { FORMS = 4, MOST_POEMS = 1000, SHORT_LINE = 5, LONG_LINE = 7 };
static const char *const forms[FORMS] = {"五绝", "七绝", "五律", "七律"};

typedef struct stand {
  ink_model *model;
  ink_verse_lexicon *lexicon;
  ink_pool *pool;
  ink_dataset *train, *valid, *test;
  card_lines *lines;
  card_titles *titles;
  ink_sampling sampling;
  int n_poem;  // of each form
  int candidates;
  double relevance;
} stand;

static void give_up(const ink_error *error) {
  fprintf(stderr, "poet_card: %s\n", error->text);
  exit(1);
}

static void need(ink_status status, const ink_error *error) {
  if (status != INK_OK) give_up(error);
}

// ---- likelihoods -------------------------------------------------------------------------------

// What the model says of one poem.
typedef struct likelihood {
  double all, characters;  // nats of the body with its marks and <eos>, and of its characters alone
  int64_t n_all, n_character;
  // Where the constraint admits the poem: nats by which it raises the poem's probability, the sum
  // of -log(share of the model's probability that lies on allowed tokens).
  bool admitted;
  double raised;
} likelihood;

static void raise(ink_verse *verse, const float *logits, size_t vocab, double log_sum,
                  int32_t token, likelihood *out) {
  static _Thread_local uint64_t bits[(1 << 16) / 64];
  ink_error error = {0};
  if (!out->admitted) return;
  ink_verse_allowed(verse, bits);
  double allowed = 0;
  for (size_t id = 0; id < vocab; id++) {
    if (bits[id / 64] >> (id % 64) & 1) allowed += exp((double)logits[id] - log_sum);
  }
  out->raised -= log(allowed);
  if (ink_verse_accept(verse, token, &error) != INK_OK) out->admitted = false;
}

// ids[0 … n), of which the first n_prefix are the prompt. form NULL: no constraint is asked.
static likelihood likelihood_of(const stand *s, const int32_t *ids, int32_t n, int32_t n_prefix,
                                const ink_verse_form *form) {
  ink_error error = {0};
  likelihood out = {.admitted = form != NULL};
  ink_verse *verse = NULL;
  if (form) {
    need(ink_verse_new(s->lexicon, &(ink_verse_demand){.form = form}, &verse, &error), &error);
  }
  ink_compute c = {.arena = ink_arena_new(0)};
  int32_t copy[CARD_CONTEXT + 1];
  memcpy(copy, ids, (size_t)n * sizeof *copy);
  ink_tensor view = ink_tensor_view(INK_I32, copy, 2, (int64_t[]){1, n - 1});
  ink_decoder_input input = {.ids = &view};
  const ink_tensor *hidden = ink_decoder_forward(&c, s->model->decoder, &input);
  if (hidden) hidden = ink_slice(&c, hidden, 1, n_prefix - 1, n - n_prefix);
  const ink_tensor *logits = ink_decoder_head(&c, s->model->decoder, hidden);
  need(ink_compute_status(&c, &error), &error);
  size_t vocab = (size_t)logits->shape[2];
  for (int32_t i = n_prefix; i < n; i++) {
    const float *row = (const float *)logits->data + (size_t)(i - n_prefix) * vocab;
    double log_sum = ink_log_sum_exp(row, vocab), nats = log_sum - (double)row[ids[i]];
    out.all += nats;
    out.n_all++;
    if (!card_is_mark(s->model, ids[i])) {
      out.characters += nats;
      out.n_character++;
    }
    if (verse) raise(verse, row, vocab, log_sum, ids[i], &out);
  }
  if (verse && !ink_verse_done(verse)) out.admitted = false;
  ink_verse_free(verse);
  ink_arena_free(c.arena);
  return out;
}

typedef struct held_out {
  const stand *s;
  const ink_dataset *data;
  likelihood *each;
} held_out;

static void score_document(void *context, size_t index, int thread) {
  (void)thread;
  held_out *h = context;
  ink_error error = {0};
  card_poem poem;
  ink_dataset_plan plan = ink_dataset_scoring_plan();
  need(card_poem_read(h->s->model, h->data, &plan, (int64_t)index, &poem, &error), &error);
  const ink_verse_form *form = NULL;
  for (int f = 0; f < FORMS; f++) {
    if (!strcmp(poem.form, forms[f])) form = ink_verse_form_find(forms[f]);
  }
  h->each[index] = likelihood_of(h->s, poem.ids, poem.n, poem.n_prefix, form);
  card_poem_free(&poem);
}

static void sum_up(const likelihood *each, size_t n, const char *name) {
  likelihood all = {0};
  for (size_t i = 0; i < n; i++) {
    all.all += each[i].all;
    all.characters += each[i].characters;
    all.n_all += each[i].n_all;
    all.n_character += each[i].n_character;
  }
  printf("loss %-24s %.3f nats a token, %.3f a character (%zu poems, %lld characters)\n", name,
         all.all / (double)all.n_all, all.characters / (double)all.n_character, n,
         (long long)all.n_character);
}

static void report_loss(const stand *s) {
  const ink_dataset *sets[] = {s->valid, s->test};
  for (int k = 0; k < 2; k++) {
    size_t n = (size_t)ink_dataset_documents(sets[k]);
    held_out h = {s, sets[k], calloc(n, sizeof *h.each)};
    ink_pool_run(s->pool, n, score_document, &h);
    if (k == 0) sum_up(h.each, n < 800 ? n : 800, "validation, first 800");
    sum_up(h.each, n, k ? "test" : "validation");
    likelihood all = {0};
    int64_t poems = 0;
    for (size_t i = 0; k && i < n; i++) {
      if (!h.each[i].admitted) continue;
      poems++;
      all.raised += h.each[i].raised;
      all.n_character += h.each[i].n_character;
    }
    if (k) {
      printf(
          "constraint along %lld human poems that it admits: raises them by %.3f nats a "
          "character\n",
          (long long)poems, all.raised / (double)all.n_character);
    }
    free(h.each);
  }
}

// ---- rates -------------------------------------------------------------------------------------

// What a set of poems is like.
typedef struct tally {
  int64_t poems, form, rhyme, tones, legal;  // of the poems
  int64_t lines, lines_in_tone;              // of those whose form is kept
  int64_t lines_5, copied_5, lines_7, copied_7;
  int64_t poems_with_copies;
  int64_t characters, echoes;  // echo: stood in the poem before, and not just before
  double nats, raised;         // of the characters under the free model
  int64_t admitted_characters;
  int64_t found;    // by its title among others
  uint64_t *pairs;  // neighbouring characters of lines
  size_t n_pair, pair_capacity;
} tally;

static void add_pair(tally *t, int32_t a, int32_t b) {
  if (t->n_pair == t->pair_capacity) {
    t->pair_capacity = t->pair_capacity ? 2 * t->pair_capacity : 1 << 14;
    t->pairs = realloc(t->pairs, t->pair_capacity * sizeof *t->pairs);
    if (!t->pairs) exit(1);
  }
  t->pairs[t->n_pair++] = (uint64_t)a << 32 | (uint32_t)b;
}

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

// Share of different pairs among all.
static double distinct_pairs(tally *t) {
  qsort(t->pairs, t->n_pair, sizeof *t->pairs, by_value);
  size_t different = 0;
  for (size_t i = 0; i < t->n_pair; i++) different += i == 0 || t->pairs[i] != t->pairs[i - 1];
  return t->n_pair ? (double)different / (double)t->n_pair : 0;
}

// `others`: in how many training poems a line must stand to count as copied; 1, or 2 for poems that
// are training poems themselves.
static void count_lines(const stand *s, const int32_t *ids, int32_t n, int others, tally *t) {
  bool copies = false;
  int32_t seen[CARD_CONTEXT + 1], n_seen = 0;
  for (int32_t i = 0, from = 0; i <= n; i++) {
    if (i < n && !card_is_mark(s->model, ids[i])) {
      bool known = false;
      for (int32_t k = 0; k < n_seen; k++) known = known || seen[k] == ids[i];
      t->echoes += known && seen[n_seen - 1] != ids[i];
      seen[n_seen++] = ids[i];
      t->characters++;
      if (i > from) add_pair(t, ids[i - 1], ids[i]);
      continue;
    }
    int32_t length = i - from;
    bool copied = length >= SHORT_LINE && card_lines_find(s->lines, ids + from, length) >= others;
    t->lines_5 += length >= SHORT_LINE;
    t->copied_5 += copied;
    t->lines_7 += length >= LONG_LINE;
    t->copied_7 += copied && length >= LONG_LINE;
    copies = copies || copied;
    from = i + 1;
  }
  t->poems_with_copies += copies;
}

static void judge(const char *text, const ink_verse_form *form, tally *t) {
  ink_verse_report report;
  ink_error error = {0};
  t->poems++;
  if (ink_check_verse(text, strlen(text), form, NULL, &report, &error) != INK_OK) return;
  if (!report.length_ok) return;
  t->form++;
  t->rhyme += report.rhyme_ok && report.distinct_ok;
  t->tones += report.tones_ok;
  t->legal += report.legal;
  bool wrong[INK_VERSE_CLAUSES] = {false};
  for (int i = 0; i < report.n_fault; i++) {
    ink_verse_fault_kind kind = report.faults[i].kind;
    if (kind == INK_VERSE_FAULT_TONE || kind == INK_VERSE_FAULT_UNKNOWN) {
      wrong[report.faults[i].clause] = true;
    }
  }
  for (int k = 0; k < report.n_clause; k++) t->lines_in_tone += !wrong[k];
  t->lines += report.n_clause;
}

static double percent(int64_t part, int64_t whole) {
  return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void print_tally(const char *name, tally *t) {
  printf(
      "%-28s form %.1f rhyme %.1f tones %.1f all %.1f; lines in tone %.1f; nats a character "
      "%.3f; copied lines of 5+ %.2f (%lld), of 7+ %.2f (%lld); echoes %.2f; distinct pairs "
      "%.3f; found by title %.1f\n",
      name, percent(t->form, t->poems), percent(t->rhyme, t->poems), percent(t->tones, t->poems),
      percent(t->legal, t->poems), percent(t->lines_in_tone, t->lines),
      t->nats / (double)t->characters, percent(t->copied_5, t->lines_5), (long long)t->lines_5,
      percent(t->copied_7, t->lines_7), (long long)t->lines_7, percent(t->echoes, t->characters),
      distinct_pairs(t), percent(t->found, t->poems));
}

static void add_tally(tally *to, const tally *t) {
  to->poems += t->poems;
  to->form += t->form;
  to->rhyme += t->rhyme;
  to->tones += t->tones;
  to->legal += t->legal;
  to->lines += t->lines;
  to->lines_in_tone += t->lines_in_tone;
  to->lines_5 += t->lines_5;
  to->copied_5 += t->copied_5;
  to->lines_7 += t->lines_7;
  to->copied_7 += t->copied_7;
  to->poems_with_copies += t->poems_with_copies;
  to->characters += t->characters;
  to->echoes += t->echoes;
  to->nats += t->nats;
  to->raised += t->raised;
  to->admitted_characters += t->admitted_characters;
  to->found += t->found;
  for (size_t i = 0; i < t->n_pair; i++) {
    add_pair(to, (int32_t)(t->pairs[i] >> 32), (int32_t)t->pairs[i]);
  }
}

// Poems of a form that have a title, up to `most`, from all over the corpus.
static int choose(const stand *s, const ink_dataset *data, const char *form, int most,
                  card_poem *poems) {
  ink_error error = {0};
  ink_dataset_plan plan = card_brief_plan();
  int n = 0;
  uint64_t all = (uint64_t)ink_dataset_documents(data);
  for (uint64_t i = 0; i < all && n < most; i++) {
    int64_t document = (int64_t)ink_dataset_order(all, 1, 0, i);
    need(card_poem_read(s->model, data, &plan, document, &poems[n], &error), &error);
    if (poems[n].title && !strcmp(poems[n].form, form)) {
      n++;
    } else {
      card_poem_free(&poems[n]);
    }
  }
  return n;
}

// Score and count one poem: its prompt and body as ids.
static void take_in(const stand *s, const int32_t *ids, int32_t n, int32_t n_prefix,
                    const char *text, const ink_verse_form *form, int others, tally *t) {
  likelihood own = likelihood_of(s, ids, n, n_prefix, form);
  t->nats += own.characters;
  if (own.admitted) {
    t->raised += own.raised;
    t->admitted_characters += own.n_character;
  }
  judge(text, form, t);
  count_lines(s, ids + n_prefix, n - n_prefix, others, t);
}

// How many of n poems fit their own title better than those of 19 others.
static int64_t found_by_title(const stand *s, const card_poem *poems, int n) {
  int64_t found = 0;
  for (int i = 0; i < n && n > 19; i++) {
    const int32_t *body = poems[i].ids + poems[i].n_prefix;
    int32_t size = poems[i].n - poems[i].n_prefix;
    double own = card_titles_fit(s->titles, s->model, &poems[i], body, size);
    bool best = true;
    for (int k = 1; k < 20 && best; k++) {
      best = card_titles_fit(s->titles, s->model, &poems[(i + k) % n], body, size) < own;
    }
    found += best;
  }
  return found;
}

static tally human_tally(const stand *s, const ink_dataset *data, const char *form, int others) {
  static card_poem poems[MOST_POEMS];
  tally out = {0};
  int n = choose(s, data, form, s->n_poem, poems);
  out.found = found_by_title(s, poems, n);
  for (int i = 0; i < n; i++) {
    card_poem *p = &poems[i];
    take_in(s, p->ids, p->n, p->n_prefix, p->text, ink_verse_form_find(form), others, &out);
    card_poem_free(p);
  }
  return out;
}

// Write to the briefs of test.bin and count what comes.
static tally written_tally(const stand *s, const char *form, bool free_form) {
  static card_poem poems[MOST_POEMS];
  static ink_poet_request requests[MOST_POEMS];
  static ink_poem_draft drafts[MOST_POEMS];
  ink_error error = {0};
  tally out = {0};
  int n = choose(s, s->test, form, s->n_poem, poems);
  for (int i = 0; i < n; i++) {
    requests[i] = ink_poet_default();
    requests[i].brief.field[INK_POEM_FORM] = form;
    requests[i].brief.field[INK_POEM_TITLE] = poems[i].title;
    requests[i].sampling = s->sampling;
    requests[i].sampling.seed = (uint64_t)i + 1;
    requests[i].candidates = s->candidates;
    requests[i].relevance = s->relevance;
    requests[i].free_form = free_form;
  }
  need(ink_poet_write_many(s->model, requests, (size_t)n, s->pool, NULL, drafts, &error), &error);
  for (int i = 0; i < n; i++) {
    card_poem *p = &poems[i];
    int32_t size = (int32_t)drafts[i].n_token;
    if (size > CARD_CONTEXT + 1 - p->n_prefix) size = CARD_CONTEXT + 1 - p->n_prefix;
    memcpy(p->ids + p->n_prefix, drafts[i].tokens, (size_t)size * sizeof *p->ids);
    p->n = p->n_prefix + size;
    take_in(s, p->ids, p->n, p->n_prefix, drafts[i].text, ink_verse_form_find(form), 1, &out);
    ink_poem_draft_free(&drafts[i]);
  }
  out.found = found_by_title(s, poems, n);
  for (int i = 0; i < n; i++) card_poem_free(&poems[i]);
  return out;
}

// All four forms, each printed, and their sum.
static tally all_forms(const stand *s, const char *name, const ink_dataset *human, int others,
                       bool free_form, bool each) {
  tally sum = {0};
  for (int f = 0; f < FORMS; f++) {
    char line[64];
    tally one =
        human ? human_tally(s, human, forms[f], others) : written_tally(s, forms[f], free_form);
    snprintf(line, sizeof line, "%s %s", name, forms[f]);
    if (each) print_tally(line, &one);
    add_tally(&sum, &one);
    free(one.pairs);
  }
  print_tally(name, &sum);
  return sum;
}

static void report_rates(const stand *s) {
  tally test = all_forms(s, "human, test", s->test, 1, false, true);
  tally train = all_forms(s, "human, training", s->train, 2, false, false);
  tally loose = all_forms(s, "free", NULL, 1, true, true);
  tally held = all_forms(s, "constrained", NULL, 1, false, true);
  printf("price of the constraint, as drawn: %.3f nats a character\n",
         held.nats / (double)held.characters - loose.nats / (double)loose.characters);
  stand usual = *s;
  usual.candidates = ink_poet_default().candidates;
  tally chosen = all_forms(&usual, "constrained, chosen", NULL, 1, false, false);
  free(chosen.pairs);
  stand plain = *s;
  plain.sampling = ink_sampling_default();
  plain.candidates = 1;
  tally drawn = all_forms(&plain, "constrained, T 1, top-p 1", NULL, 1, false, false);
  tally undrawn = all_forms(&plain, "free, T 1, top-p 1", NULL, 1, true, false);
  printf(
      "price of the constraint at T 1, top-p 1: %.3f nats a character; what it takes from the "
      "model (Kullback-Leibler): %.3f\n",
      drawn.nats / (double)drawn.characters - undrawn.nats / (double)undrawn.characters,
      drawn.raised / (double)drawn.admitted_characters);
  free(test.pairs);
  free(train.pairs);
  free(loose.pairs);
  free(held.pairs);
  free(drawn.pairs);
  free(undrawn.pairs);
}

// ---- acrostics ---------------------------------------------------------------------------------

// The first character of each line of a poem.
static void heads_of(const stand *s, const int32_t *ids, int32_t n, ink_text *heads) {
  bool begins = true;
  ink_text_clear(heads);
  for (int32_t i = 0; i < n; i++) {
    size_t size;
    const char *bytes = ink_tokenizer_bytes(s->model->tokenizer, ids[i], &size);
    bool mark = card_is_mark(s->model, ids[i]);
    if (begins && !mark) ink_text_add_bytes(heads, bytes, size);
    begins = mark;
  }
}

static void report_acrostics(const stand *s) {
  static card_poem poems[MOST_POEMS];
  int64_t asked = 0, exact = 0, refused = 0;
  for (int f = 0; f < FORMS; f++) {
    ink_error error = {0};
    int n = choose(s, s->test, forms[f], s->n_poem, poems);
    ink_text wanted = {0}, got = {0};
    for (int i = 0; i < n; i++) {
      ink_poet_request request = ink_poet_default();
      ink_poem_draft draft;
      heads_of(s, poems[i].ids + poems[i].n_prefix, poems[i].n - poems[i].n_prefix, &wanted);
      request.brief.field[INK_POEM_FORM] = forms[f];
      request.brief.field[INK_POEM_ACROSTIC] = ink_text_string(&wanted);
      request.sampling.seed = (uint64_t)i + 1;
      request.candidates = 1;
      asked++;
      if (ink_poet_write(s->model, &request, s->pool, NULL, &draft, &error) == INK_OK) {
        heads_of(s, draft.tokens, (int32_t)draft.n_token, &got);
        exact += !strcmp(ink_text_string(&got), ink_text_string(&wanted));
        ink_poem_draft_free(&draft);
      } else {
        refused++;
      }
      card_poem_free(&poems[i]);
    }
    ink_text_free(&wanted);
    ink_text_free(&got);
  }
  printf(
      "acrostics of human poems: %lld asked, %lld exact, %lld refused as impossible, %lld "
      "wrong\n",
      (long long)asked, (long long)exact, (long long)refused, (long long)(asked - exact - refused));
}

// ---- ways to draw ------------------------------------------------------------------------------

static void report_sweep(stand *s) {
  static const struct {
    float temperature, top_p;
    int candidates;
    double relevance;
  } ways[] = {{1, 1, 1, 0},         {0.9f, 0.95f, 1, 0}, {0.8f, 0.9f, 1, 0},
              {0.9f, 0.95f, 4, 0},  {0.9f, 0.95f, 4, 4}, {0.9f, 0.95f, 8, 4},
              {0.85f, 0.95f, 8, 4}, {0.8f, 0.9f, 8, 4},  {0.9f, 0.95f, 16, 4}};
  tally human = all_forms(s, "human, test", s->test, 1, false, false);
  free(human.pairs);
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    char name[64];
    s->sampling.temperature = ways[i].temperature;
    s->sampling.top_p = ways[i].top_p;
    s->candidates = ways[i].candidates;
    s->relevance = ways[i].relevance;
    snprintf(name, sizeof name, "T %.2g top-p %.2g of %d relevance %.2g",
             (double)s->sampling.temperature, (double)s->sampling.top_p, s->candidates,
             s->relevance);
    tally one = all_forms(s, name, NULL, 1, false, false);
    free(one.pairs);
    fflush(stdout);
  }
}

// ---- the command -------------------------------------------------------------------------------

static ink_dataset *open_part(const char *folder, const char *name) {
  ink_error error = {0};
  ink_dataset *data;
  char *path = ink_path_join(folder, name);
  if (!path) exit(1);
  need(ink_dataset_open(path, &data, &error), &error);
  free(path);
  return data;
}

int main(int argc, char **argv) {
  static const struct option options[] = {{"model", required_argument, NULL, 'm'},
                                          {"poems", required_argument, NULL, 'n'},
                                          {"candidates", required_argument, NULL, 'c'},
                                          {"only", required_argument, NULL, 'o'},
                                          {NULL, 0, NULL, 0}};
  stand s = {.sampling = ink_poet_default().sampling,
             .n_poem = 250,
             .candidates = 1,
             .relevance = ink_poet_default().relevance};
  const char *model = "models/poet", *only = "";
  for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (o == 'm') model = optarg;
    if (o == 'n') s.n_poem = atoi(optarg);
    if (o == 'c') s.candidates = atoi(optarg);
    if (o == 'o') only = optarg;
    if (o == '?') return 2;
  }
  if (optind + 1 != argc || s.n_poem < 1 || s.n_poem > MOST_POEMS) {
    fprintf(stderr,
            "usage: poet_card CORPUS [--model M] [--poems 1…%d of each form] [--candidates N] "
            "[--only loss|rates|acrostics|sweep]\n",
            MOST_POEMS);
    return 2;
  }
  ink_error error = {0};
  need(ink_model_open_at(model, &s.model, &error), &error);
  need(ink_verse_lexicon_of(s.model->tokenizer, &s.lexicon, &error), &error);
  s.pool = ink_pool_new(0);
  s.train = open_part(argv[optind], "train.bin");
  s.valid = open_part(argv[optind], "valid.bin");
  s.test = open_part(argv[optind], "test.bin");
  char sha256[INK_SHA256_HEX];
  need(ink_weights_sha256(s.model->weights, INK_HASH_COMPUTE, sha256, &error), &error);
  printf("%s, SHA-256 %s\n", model, sha256);
  if (!*only || !strcmp(only, "loss")) report_loss(&s);
  if (!*only || strcmp(only, "loss")) {
    need(card_lines_new(s.model, s.train, &s.lines, &error), &error);
    need(card_titles_new(s.model, s.train, &s.titles, &error), &error);
  }
  if (!*only || !strcmp(only, "rates")) report_rates(&s);
  if (!*only || !strcmp(only, "acrostics")) report_acrostics(&s);
  if (!strcmp(only, "sweep")) report_sweep(&s);
  card_lines_free(s.lines);
  card_titles_free(s.titles);
  ink_dataset_close(s.train);
  ink_dataset_close(s.valid);
  ink_dataset_close(s.test);
  ink_pool_free(s.pool);
  ink_verse_lexicon_free(s.lexicon);
  ink_model_free(s.model);
  return 0;
}
