// The corpus as the poet's card looks at it.
#include "poet_card_corpus.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHORTEST_LINE = 5 };

ink_dataset_plan card_brief_plan(void) {
  ink_dataset_plan plan = ink_dataset_scoring_plan();
  for (int i = 0; i < INK_POEM_FIELDS; i++) {
    plan.drop[i] = i == INK_POEM_FORM || i == INK_POEM_TITLE ? 0.0f : 1.0f;
  }
  return plan;
}

static const char *form_of(int32_t id) {
  const char *name;
  for (size_t i = 0; (name = ink_poem_form_name(i)); i++) {
    if (ink_poem_value(INK_POEM_FORM, name) == id) return name;
  }
  return "";
}

static ink_status text_of(const ink_model *model, const int32_t *ids, size_t n, char **out,
                          ink_error *error) {
  ink_text text = {0};
  ink_status status =
      ink_tokenizer_decode(model->tokenizer, ids, n, INK_DECODE_SKIP_SPECIAL, &text, error);
  if (status == INK_OK) status = ink_text_status(&text, error);
  *out = status == INK_OK ? strdup(ink_text_string(&text)) : NULL;
  ink_text_free(&text);
  return status;
}

ink_status card_poem_read(const ink_model *model, const ink_dataset *dataset,
                          const ink_dataset_plan *plan, int64_t document, card_poem *poem,
                          ink_error *error) {
  uint16_t ids[CARD_CONTEXT + 1];
  *poem = (card_poem){.form = ""};
  INK_TRY(ink_dataset_document(dataset, plan, 0, document, ids, &poem->n, &poem->n_prefix, error));
  int32_t title = 0;
  for (int32_t i = 0; i < poem->n; i++) poem->ids[i] = ids[i];
  for (int32_t i = 1; i < poem->n_prefix; i++) {
    if (!poem->form[0]) poem->form = form_of(ids[i]);
    if (ids[i] == ink_poem_tag(INK_POEM_TITLE)) title = i + 1;
  }
  if (title) {
    size_t n = 0;
    while (!ink_tokenizer_is_special(model->tokenizer, poem->ids[title + (int32_t)n])) n++;
    INK_TRY(text_of(model, poem->ids + title, n, &poem->title, error));
  }
  return text_of(model, poem->ids + poem->n_prefix, (size_t)(poem->n - poem->n_prefix), &poem->text,
                 error);
}

void card_poem_free(card_poem *poem) {
  free(poem->title);
  free(poem->text);
  poem->title = poem->text = NULL;
}

bool card_is_mark(const ink_model *model, int32_t id) {
  static const char *const marks[] = {"，", "。", "？", "！", "；", "：", "、", "\n"};
  size_t size;
  const char *bytes = ink_tokenizer_bytes(model->tokenizer, id, &size);
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
    if (size == strlen(marks[i]) && memcmp(bytes, marks[i], size) == 0) return true;
  }
  return ink_tokenizer_is_special(model->tokenizer, id);
}

// ---- lines of training -------------------------------------------------------------------------

typedef struct line_place {
  uint64_t hash;
  int64_t poem;
} line_place;

struct card_lines {
  line_place *places;  // by hash, then poem
  size_t n, capacity;
};

static uint64_t hash_line(const int32_t *ids, int32_t n) {
  uint64_t hash = UINT64_C(14695981039346656037);  // FNV-1a over ids
  for (int32_t i = 0; i < n; i++) hash = (hash ^ (uint32_t)ids[i]) * UINT64_C(1099511628211);
  return hash;
}

static ink_status add_line(card_lines *lines, uint64_t hash, int64_t poem, ink_error *error) {
  if (lines->n == lines->capacity) {
    size_t capacity = lines->capacity ? 2 * lines->capacity : 1 << 20;
    line_place *grown = realloc(lines->places, capacity * sizeof *grown);
    if (!grown) return ink_fail(error, INK_ERR_MEMORY, "no memory for the lines of training");
    lines->places = grown;
    lines->capacity = capacity;
  }
  lines->places[lines->n++] = (line_place){hash, poem};
  return INK_OK;
}

static int by_hash(const void *a, const void *b) {
  const line_place *x = a, *y = b;
  if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
  return x->poem < y->poem ? -1 : x->poem > y->poem;
}

static ink_status gather(const ink_model *model, const ink_dataset *train, card_lines *lines,
                         ink_error *error) {
  bool mark[1 << 16];
  for (int32_t id = 0; id < 1 << 16; id++) {
    mark[id] = (size_t)id < ink_tokenizer_size(model->tokenizer) && card_is_mark(model, id);
  }
  ink_dataset_plan plan = ink_dataset_scoring_plan();
  plan.context = 4096;  // all but the longest poems whole
  static uint16_t sequence[4097];
  static int32_t ids[4097];
  for (int64_t d = 0; d < ink_dataset_documents(train); d++) {
    int32_t n, from;
    INK_TRY(ink_dataset_document(train, &plan, 0, d, sequence, &n, &from, error));
    for (int32_t i = 0; i < n; i++) ids[i] = sequence[i];
    for (int32_t i = from; i <= n; i++) {
      if (i < n && !mark[ids[i]]) continue;
      if (i - from >= SHORTEST_LINE) {
        INK_TRY(add_line(lines, hash_line(ids + from, i - from), d, error));
      }
      from = i + 1;
    }
  }
  qsort(lines->places, lines->n, sizeof *lines->places, by_hash);
  return INK_OK;
}

ink_status card_lines_new(const ink_model *model, const ink_dataset *train, card_lines **lines,
                          ink_error *error) {
  *lines = calloc(1, sizeof **lines);
  if (!*lines) return ink_fail(error, INK_ERR_MEMORY, "no memory for the lines of training");
  return gather(model, train, *lines, error);
}

void card_lines_free(card_lines *lines) {
  if (!lines) return;
  free(lines->places);
  free(lines);
}

int card_lines_find(const card_lines *lines, const int32_t *ids, int32_t n) {
  uint64_t hash = hash_line(ids, n);
  size_t low = 0, high = lines->n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (lines->places[middle].hash < hash) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == lines->n || lines->places[low].hash != hash) return 0;
  int64_t first = lines->places[low].poem;
  for (; low < lines->n && lines->places[low].hash == hash; low++) {
    if (lines->places[low].poem != first) return 2;
  }
  return 1;
}

// ---- titles ------------------------------------------------------------------------------------

struct card_titles {
  int32_t vocab;
  double documents;
  uint16_t
      *together;  // (vocab, vocab): titles with the first, bodies with the second; at most 65535
  int32_t *in_title, *in_body;
};

// The characters of the title, each once.
static int32_t title_ids(const ink_model *model, const int32_t *ids, int32_t n_prefix,
                         int32_t *out) {
  int32_t n = 0, i = 0;
  while (i < n_prefix && ids[i] != ink_poem_tag(INK_POEM_TITLE)) i++;
  for (i++; i < n_prefix && !ink_tokenizer_is_special(model->tokenizer, ids[i]); i++) {
    bool known = false;
    for (int32_t k = 0; k < n; k++) known = known || out[k] == ids[i];
    if (!known) out[n++] = ids[i];
  }
  return n;
}

ink_status card_titles_new(const ink_model *model, const ink_dataset *train, card_titles **titles,
                           ink_error *error) {
  card_titles *t = *titles = calloc(1, sizeof *t);
  if (!t) return ink_fail(error, INK_ERR_MEMORY, "no memory for titles");
  t->vocab = (int32_t)ink_tokenizer_size(model->tokenizer);
  size_t vocab = (size_t)t->vocab;
  t->together = calloc(vocab * vocab, sizeof *t->together);
  t->in_title = calloc(vocab, sizeof *t->in_title);
  t->in_body = calloc(vocab, sizeof *t->in_body);
  int64_t *seen = calloc(vocab, sizeof *seen);
  if (!t->together || !t->in_title || !t->in_body || !seen) {
    free(seen);
    return ink_fail(error, INK_ERR_MEMORY, "no memory for titles");
  }
  ink_dataset_plan plan = card_brief_plan();
  ink_status status = INK_OK;
  for (int64_t d = 0; status == INK_OK && d < ink_dataset_documents(train); d++) {
    uint16_t sequence[CARD_CONTEXT + 1];
    int32_t ids[CARD_CONTEXT + 1], title[CARD_CONTEXT + 1], n, n_prefix;
    status = ink_dataset_document(train, &plan, 0, d, sequence, &n, &n_prefix, error);
    if (status != INK_OK) break;
    for (int32_t i = 0; i < n; i++) ids[i] = sequence[i];
    int32_t n_title = title_ids(model, ids, n_prefix, title);
    if (n_title == 0) continue;
    t->documents++;
    for (int32_t k = 0; k < n_title; k++) t->in_title[title[k]]++;
    for (int32_t i = n_prefix; i < n; i++) {
      if (seen[ids[i]] == d + 1) continue;
      seen[ids[i]] = d + 1;
      t->in_body[ids[i]]++;
      for (int32_t k = 0; k < n_title; k++) {
        uint16_t *count = &t->together[(size_t)title[k] * vocab + (size_t)ids[i]];
        if (*count < UINT16_MAX) ++*count;
      }
    }
  }
  free(seen);
  return status;
}

void card_titles_free(card_titles *titles) {
  if (!titles) return;
  free(titles->together);
  free(titles->in_title);
  free(titles->in_body);
  free(titles);
}

double card_titles_fit(const card_titles *t, const ink_model *model, const card_poem *title,
                       const int32_t *body, int32_t n) {
  int32_t heads[CARD_CONTEXT + 1], n_head = title_ids(model, title->ids, title->n_prefix, heads);
  double sum = 0;
  int32_t counted = 0;
  for (int32_t i = 0; i < n; i++) {
    if (card_is_mark(model, body[i])) continue;
    double best = 0;
    for (int32_t k = 0; k < n_head; k++) {
      double by_chance = (double)t->in_title[heads[k]] * (double)t->in_body[body[i]] / t->documents;
      double found = t->together[(size_t)heads[k] * (size_t)t->vocab + (size_t)body[i]];
      // Half a document more on both sides keeps what is rare near zero.
      double ratio = log((found + 0.5) / (by_chance + 0.5));
      if (ratio > best) best = ratio;
    }
    sum += best;
    counted++;
  }
  return counted ? sum / counted : 0;
}
