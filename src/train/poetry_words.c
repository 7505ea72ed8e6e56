// Key words of poems, and the character vocabulary.
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/text.h"
#include "train/poetry_parts.h"

// A pair is a word when it occurs this often, and this many times as often as chance would have it
// (pointwise mutual information of 2 nats).
enum { LEAST_COUNT = 100 };
static const double LEAST_RATIO = 7.389;

typedef struct word {
  uint64_t key;  // first character in the upper half
  double ratio;  // count / count expected by chance
} word;

struct ink_word_table {
  word *words;  // ascending by key
  size_t count;
};

static uint64_t key_of(const uint32_t *runes) {
  return (uint64_t)runes[0] << 32 | runes[1];
}

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

// Words of 5- and 7-character verse keep to its feet: 2+2+1 or 2+1+2, 2+2+2+1 or 2+2+1+2.
static bool on_foot(size_t place, size_t length) {
  if (length == 5) return place == 0 || place == 2 || place == 3;
  if (length == 7) return place == 0 || place == 2 || place == 4 || place == 5;
  return true;
}

typedef struct pair_visit {
  void (*see)(void *context, uint32_t at);
  void *context;
} pair_visit;

static void each_pair(const ink_corpus *corpus, ink_span body, const pair_visit *visit) {
  const uint32_t *runes = corpus->runes + body.at;
  for (size_t start = 0, i = 0; i <= body.size; i++) {
    if (i < body.size && ink_rune_is_han(runes[i])) continue;
    size_t length = i - start;
    for (size_t k = 0; k + 1 < length; k++) {
      if (on_foot(k, length) && runes[start + k] != runes[start + k + 1]) {
        visit->see(visit->context, body.at + (uint32_t)(start + k));
      }
    }
    start = i + 1;
  }
}

typedef struct pair_keys {
  const ink_corpus *corpus;
  uint64_t *keys;
  size_t count;
} pair_keys;

static void keep_key(void *context, uint32_t at) {
  pair_keys *keys = context;
  keys->keys[keys->count++] = key_of(keys->corpus->runes + at);
}

enum { RUNE_LIMIT = 0x110000 };

ink_status ink_word_table_new(const ink_corpus *corpus, ink_word_table **table, ink_error *error) {
  *table = calloc(1, sizeof **table);
  uint32_t *count = calloc(RUNE_LIMIT, sizeof *count);
  pair_keys keys = {corpus, malloc((corpus->n_rune + 1) * sizeof *keys.keys), 0};
  word *words = NULL;
  size_t found = 0;
  bool fine = *table && count && keys.keys;
  double total = 0;
  for (size_t i = 0; fine && i < corpus->n_poem; i++) {
    if (corpus->poems[i].split != INK_SPLIT_TRAIN) continue;
    ink_span body = corpus->poems[i].body;
    for (uint32_t k = 0; k < body.size; k++) count[corpus->runes[body.at + k]]++;
    total += body.size;
    each_pair(corpus, body, &(pair_visit){keep_key, &keys});
  }
  if (fine) {
    qsort(keys.keys, keys.count, sizeof *keys.keys, by_value);
    words = malloc((keys.count / LEAST_COUNT + 1) * sizeof *words);
    fine = words != NULL;
  }
  for (size_t i = 0, end; fine && i < keys.count; i = end) {
    for (end = i + 1; end < keys.count && keys.keys[end] == keys.keys[i];) end++;
    if (end - i < LEAST_COUNT) continue;
    double chance = (double)count[keys.keys[i] >> 32] * count[(uint32_t)keys.keys[i]] / total;
    double ratio = (double)(end - i) / chance;
    if (ratio >= LEAST_RATIO) words[found++] = (word){keys.keys[i], ratio};
  }
  free(keys.keys);
  free(count);
  if (!fine) {
    free(words);
    free(*table);
    *table = NULL;
    return ink_fail(error, INK_ERR_MEMORY, "no memory to find key words");
  }
  (*table)->words = words;
  (*table)->count = found;
  return INK_OK;
}

void ink_word_table_free(ink_word_table *table) {
  if (!table) return;
  free(table->words);
  free(table);
}

static const word *word_of(const ink_word_table *table, uint64_t key) {
  size_t low = 0, high = table->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (table->words[middle].key == key) return &table->words[middle];
    if (table->words[middle].key < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return NULL;
}

typedef struct theme_choice {
  const ink_word_table *table;
  const ink_corpus *corpus;
  uint32_t at[INK_THEME_WORDS];
  const word *words[INK_THEME_WORDS];
  int count;
} theme_choice;

static void consider(void *context, uint32_t at) {
  theme_choice *theme = context;
  const word *found = word_of(theme->table, key_of(theme->corpus->runes + at));
  if (!found) return;
  int place = theme->count;
  for (int i = 0; i < theme->count; i++) {
    if (theme->words[i] == found) return;
  }
  while (place > 0 && theme->words[place - 1]->ratio < found->ratio) place--;
  if (place == INK_THEME_WORDS) return;
  int last = theme->count < INK_THEME_WORDS ? theme->count++ : INK_THEME_WORDS - 1;
  for (int i = last; i > place; i--) {
    theme->words[i] = theme->words[i - 1];
    theme->at[i] = theme->at[i - 1];
  }
  theme->words[place] = found;
  theme->at[place] = at;
}

int ink_word_table_theme(const ink_word_table *table, const ink_corpus *corpus,
                         const ink_poem *poem, uint32_t words[INK_THEME_WORDS]) {
  theme_choice best = {.table = table, .corpus = corpus};
  each_pair(corpus, poem->body, &(pair_visit){consider, &best});
  memcpy(words, best.at, (size_t)best.count * sizeof *words);
  return best.count;
}

typedef struct rune_count {
  uint32_t rune, count;
} rune_count;

static int by_count(const void *a, const void *b) {
  const rune_count *x = a, *y = b;
  if (x->count != y->count) return x->count > y->count ? -1 : 1;
  return (x->rune > y->rune) - (x->rune < y->rune);
}

static void count_span(const ink_corpus *corpus, ink_span span, rune_count *counts) {
  for (uint32_t i = 0; i < span.size; i++) counts[corpus->runes[span.at + i]].count++;
}

typedef struct rune_id {
  uint32_t rune;
  int32_t id;
} rune_id;

static int by_rune(const void *a, const void *b) {
  const rune_id *x = a, *y = b;
  return (x->rune > y->rune) - (x->rune < y->rune);
}

ink_status ink_char_vocabulary_new(const ink_corpus *corpus, ink_char_vocabulary *vocabulary,
                                   ink_error *error) {
  *vocabulary = (ink_char_vocabulary){0};
  rune_count *counts = calloc(RUNE_LIMIT, sizeof *counts);
  if (!counts) return ink_fail(error, INK_ERR_MEMORY, "no memory to count characters");
  for (uint32_t i = 0; i < RUNE_LIMIT; i++) counts[i].rune = i;
  for (size_t i = 0; i < corpus->n_poem; i++) {
    const ink_poem *poem = &corpus->poems[i];
    count_span(corpus, poem->body, counts);
    count_span(corpus, poem->tune, counts);
    count_span(corpus, poem->author, counts);
    count_span(corpus, poem->title, counts);
  }
  // Marks that the serialisation itself needs are there whatever the corpus holds.
  for (const uint32_t *mark = U"\n，。！？；：、·《》＜"; *mark; mark++) counts[*mark].count++;
  qsort(counts, RUNE_LIMIT, sizeof *counts, by_count);

  int32_t first = (int32_t)ink_poem_control_count() + 256, n = 0;
  while (first + n < INK_POET_VOCABULARY && counts[n].count) n++;
  vocabulary->runes = malloc(((size_t)n + 1) * sizeof *vocabulary->runes);
  vocabulary->sorted = malloc(((size_t)n + 1) * sizeof *vocabulary->sorted);
  vocabulary->sorted_id = malloc(((size_t)n + 1) * sizeof *vocabulary->sorted_id);
  rune_id *pairs = malloc(((size_t)n + 1) * sizeof *pairs);
  bool fine = vocabulary->runes && vocabulary->sorted && vocabulary->sorted_id && pairs;
  for (int32_t i = 0; fine && i < n; i++) {
    vocabulary->runes[i] = counts[i].rune;
    pairs[i] = (rune_id){counts[i].rune, first + i};
  }
  if (fine) qsort(pairs, (size_t)n, sizeof *pairs, by_rune);
  for (int32_t i = 0; fine && i < n; i++) {
    vocabulary->sorted[i] = pairs[i].rune;
    vocabulary->sorted_id[i] = pairs[i].id;
  }
  free(pairs);
  free(counts);
  vocabulary->n_rune = n;
  vocabulary->first_character = first;
  vocabulary->size = first + n;
  if (fine) return INK_OK;
  ink_char_vocabulary_free(vocabulary);
  return ink_fail(error, INK_ERR_MEMORY, "no memory for the vocabulary");
}

void ink_char_vocabulary_free(ink_char_vocabulary *vocabulary) {
  free(vocabulary->runes);
  free(vocabulary->sorted);
  free(vocabulary->sorted_id);
  *vocabulary = (ink_char_vocabulary){0};
}

int ink_char_vocabulary_encode(const ink_char_vocabulary *vocabulary, uint32_t rune,
                               uint16_t ids[4]) {
  int32_t low = 0, high = vocabulary->n_rune;
  while (low < high) {
    int32_t middle = low + (high - low) / 2;
    if (vocabulary->sorted[middle] < rune) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low < vocabulary->n_rune && vocabulary->sorted[low] == rune) {
    ids[0] = (uint16_t)vocabulary->sorted_id[low];
    return 1;
  }
  char bytes[4];
  size_t size = ink_utf8_encode(rune, bytes);
  for (size_t i = 0; i < size; i++) {
    ids[i] = (uint16_t)(ink_poem_control_count() + (unsigned char)bytes[i]);
  }
  return (int)size;
}
