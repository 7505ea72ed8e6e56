// CLIP's byte-level BPE (Radford et al. 2021; Sennrich, Haddow, Birch 2016) trained on captions:
// vocab.json and merges.txt in the order of openai/CLIP's simple_tokenizer.py. Each character
// beyond ASCII is one token, with and without the end of a word; no merge crosses its borders.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "train/painter_parts.h"

enum { BYTES = 256, SPECIALS = 2, MOST_SYMBOLS = 8192, MOST_WORD = 64, SLOTS = 1 << 16 };
#define WORD_END "</w>"

// ---- words --------------------------------------------------------------------------------------

static ink_status count(ink_painter_words *words, const char *word, size_t size, int64_t times,
                        ink_error *error) {
  char key[4 * MOST_WORD];
  if (size == 0 || size >= sizeof key) return INK_OK;
  for (size_t i = 0; i < size; i++) key[i] = (char)tolower((unsigned char)word[i]);
  key[size] = 0;
  json_int_t before = json_integer_value(json_object_get(words->counts, key));
  if (json_object_set_new(words->counts, key, json_integer(before + times)) != 0) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory for the words of captions");
  }
  return INK_OK;
}

typedef enum run_kind { RUN_SPACE, RUN_LETTER, RUN_DIGIT, RUN_OTHER } run_kind;

static run_kind kind_of(int32_t rune) {
  if (rune == ' ' || rune == '\n' || rune == '\t') return RUN_SPACE;
  if (rune >= '0' && rune <= '9') return RUN_DIGIT;
  if ((rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z')) return RUN_LETTER;
  // Of what captions hold beyond ASCII: punctuation, else letters.
  bool mark = (rune >= 0x2010 && rune <= 0x2027) || (rune >= 0x3000 && rune <= 0x303F) ||
              (rune >= 0xFF00 && rune <= 0xFF0F) || (rune >= 0xFF1A && rune <= 0xFF20);
  return rune < 0x80 || mark ? RUN_OTHER : RUN_LETTER;
}

// 's, 't, 're, 've, 'm, 'll, 'd are words of their own.
static size_t contraction(const char *text) {
  static const char *const ENDINGS[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
  for (size_t i = 0; i < sizeof ENDINGS / sizeof *ENDINGS; i++) {
    if (strncmp(text, ENDINGS[i], strlen(ENDINGS[i])) == 0) return strlen(ENDINGS[i]);
  }
  return 0;
}

ink_status ink_painter_words_add(ink_painter_words *words, const char *text, int64_t times,
                                 ink_error *error) {
  size_t size = strlen(text);
  for (size_t at = 0; at < size;) {
    int32_t rune;
    size_t begin = at, whole = contraction(text + at);
    if (whole) {
      at += whole;
    } else {
      at += ink_utf8_decode(text + at, size - at, &rune);
      run_kind kind = kind_of(rune);
      while (at < size && (kind == RUN_LETTER || kind == RUN_OTHER)) {
        size_t step = ink_utf8_decode(text + at, size - at, &rune);
        if (kind_of(rune) != kind) break;
        at += step;
      }
      if (kind == RUN_SPACE) continue;
    }
    INK_TRY(count(words, text + begin, at - begin, times, error));
  }
  return INK_OK;
}

// ---- symbols ------------------------------------------------------------------------------------

typedef struct symbol {
  char text[3 * MOST_WORD];  // as vocab.json spells it
} symbol;

typedef struct merge {
  uint16_t left, right;
} merge;

typedef struct word {
  uint16_t symbols[MOST_WORD];
  int n;
  int64_t count;
  const char *text;
} word;

typedef struct trainer {
  symbol *symbols;  // bytes, bytes at the end of a word, then a symbol for each merge
  merge *merges;
  size_t n_merge;
  word *words;
  size_t n_word;
  uint16_t rank_of_byte[BYTES];
} trainer;

static size_t n_symbol(const trainer *t) {
  return 2 * BYTES + t->n_merge;
}

// GPT-2's printable stand-ins: bytes that print stand for themselves and come first.
static void make_bytes(trainer *t) {
  int at = 0, other = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (int b = 0; b < BYTES; b++) {
      bool prints = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      if (prints != (pass == 0)) continue;
      char text[5] = {0};
      ink_utf8_encode(prints ? (uint32_t)b : (uint32_t)(256 + other++), text);
      t->rank_of_byte[b] = (uint16_t)at;
      snprintf(t->symbols[at].text, sizeof t->symbols[at].text, "%s", text);
      snprintf(t->symbols[BYTES + at].text, sizeof t->symbols[at].text, "%s" WORD_END, text);
      at++;
    }
  }
}

static uint16_t add_merge(trainer *t, uint16_t left, uint16_t right) {
  for (size_t i = 0; i < t->n_merge; i++) {
    if (t->merges[i].left == left && t->merges[i].right == right) return (uint16_t)(2 * BYTES + i);
  }
  size_t id = n_symbol(t);
  // A symbol is at most a word of MOST_WORD symbols of at most two bytes each, and its end.
  char *to = t->symbols[id].text;
  size_t length = strlen(t->symbols[left].text), more = strlen(t->symbols[right].text);
  if (length + more >= sizeof t->symbols[id].text) more = sizeof t->symbols[id].text - 1 - length;
  memcpy(to, t->symbols[left].text, length);
  memcpy(to + length, t->symbols[right].text, more);
  t->merges[t->n_merge++] = (merge){left, right};
  return (uint16_t)id;
}

// The merges of one character beyond ASCII, and the symbol that comes of them. Its first bytes are
// never those of another's middle, so merges do not reach over.
static uint16_t add_character(trainer *t, const char *bytes, size_t size, bool at_end) {
  uint16_t left = t->rank_of_byte[(unsigned char)bytes[0]];
  for (size_t i = 1; i < size; i++) {
    uint16_t right = t->rank_of_byte[(unsigned char)bytes[i]];
    if (at_end && i + 1 == size) right = (uint16_t)(right + BYTES);
    left = add_merge(t, left, right);
  }
  return left;
}

static int by_text(const void *a, const void *b) {
  return strcmp(((const word *)a)->text, ((const word *)b)->text);
}

static ink_status collect(trainer *t, const ink_painter_words *words, ink_error *error) {
  t->words = calloc(json_object_size(words->counts) + 1, sizeof *t->words);
  if (!t->words) return ink_fail(error, INK_ERR_MEMORY, "no memory for the words of captions");
  const char *key;
  json_t *value;
  json_object_foreach(words->counts, key, value) {
    t->words[t->n_word++] = (word){.count = json_integer_value(value), .text = key};
  }
  qsort(t->words, t->n_word, sizeof *t->words, by_text);
  return INK_OK;
}

static int by_rune(const void *a, const void *b) {
  return *(const int32_t *)a - *(const int32_t *)b;
}

// Merges for all characters beyond ASCII, in the order of code points: first without, then with the
// end of a word.
static ink_status add_characters(trainer *t, int32_t most, ink_error *error) {
  int32_t *runes = NULL;
  size_t n = 0, capacity = 0;
  for (size_t w = 0; w < t->n_word; w++) {
    const char *text = t->words[w].text;
    size_t size = strlen(text);
    for (size_t at = 0; at < size;) {
      int32_t rune;
      at += ink_utf8_decode(text + at, size - at, &rune);
      if (rune < 0x80) continue;
      if (n == capacity) {
        capacity = capacity * 2 + 1024;
        int32_t *grown = realloc(runes, capacity * sizeof *runes);
        if (!grown) {
          free(runes);
          return ink_fail(error, INK_ERR_MEMORY, "no memory for the characters of captions");
        }
        runes = grown;
      }
      runes[n++] = rune;
    }
  }
  if (n) qsort(runes, n, sizeof *runes, by_rune);
  for (int end = 0; end < 2; end++) {
    for (size_t i = 0; i < n; i++) {
      char bytes[4];
      if (i && runes[i] == runes[i - 1]) continue;
      size_t size = ink_utf8_encode((uint32_t)runes[i], bytes);
      if (n_symbol(t) + 4 + SPECIALS > (size_t)most) {
        free(runes);
        return ink_fail(error, INK_ERR_UNSUPPORTED,
                        "the captions have more characters than a vocabulary of %d holds", most);
      }
      add_character(t, bytes, size, end == 1);
    }
  }
  free(runes);
  return INK_OK;
}

// Spell a word in symbols; false when it does not take part: with Chinese in it, or too long.
static bool spell(trainer *t, word *w) {
  size_t size = strlen(w->text);
  w->n = 0;
  for (size_t at = 0; at < size;) {
    int32_t rune;
    size_t step = ink_utf8_decode(w->text + at, size - at, &rune);
    bool end = at + step == size;
    if (rune >= 0x2E80 || rune < 0 || w->n == MOST_WORD) return false;
    uint16_t id = rune < 0x80 ? (uint16_t)(t->rank_of_byte[rune] + (end ? BYTES : 0))
                              : add_character(t, w->text + at, step, end);
    w->symbols[w->n++] = id;
    at += step;
  }
  return w->n > 1;
}

// ---- pairs --------------------------------------------------------------------------------------

typedef struct pair_count {
  uint32_t pair;  // left << 16 | right
  int64_t count;  // 0: empty
} pair_count;

static void tally(const trainer *t, pair_count *table) {
  memset(table, 0, SLOTS * sizeof *table);
  for (size_t w = 0; w < t->n_word; w++) {
    const word *from = &t->words[w];
    for (int i = 0; i + 1 < from->n; i++) {
      uint32_t pair = (uint32_t)from->symbols[i] << 16 | from->symbols[i + 1];
      size_t at = (pair * 2654435761u) >> 16 & (SLOTS - 1);
      while (table[at].count && table[at].pair != pair) at = (at + 1) & (SLOTS - 1);
      table[at].pair = pair;
      table[at].count += from->count;
    }
  }
}

// The most frequent pair; of equals the one whose spelling comes first. count 0: none is left.
static pair_count best_pair(const trainer *t, const pair_count *table) {
  pair_count best = {0};
  for (size_t i = 0; i < SLOTS; i++) {
    if (table[i].count == 0 || table[i].count < best.count) continue;
    if (table[i].count == best.count) {
      int order = strcmp(t->symbols[table[i].pair >> 16].text, t->symbols[best.pair >> 16].text);
      if (order == 0) {
        order =
            strcmp(t->symbols[table[i].pair & 0xFFFF].text, t->symbols[best.pair & 0xFFFF].text);
      }
      if (order >= 0) continue;
    }
    best = table[i];
  }
  return best;
}

static void apply(trainer *t, uint32_t pair, uint16_t id) {
  for (size_t w = 0; w < t->n_word; w++) {
    word *to = &t->words[w];
    int kept = 0;
    for (int i = 0; i < to->n; i++) {
      bool here = i + 1 < to->n && ((uint32_t)to->symbols[i] << 16 | to->symbols[i + 1]) == pair;
      to->symbols[kept++] = here ? id : to->symbols[i];
      i += here;
    }
    to->n = kept;
  }
}

static ink_status learn(trainer *t, int32_t most, ink_error *error) {
  size_t kept = 0;
  for (size_t w = 0; w < t->n_word; w++) {
    if (spell(t, &t->words[w])) t->words[kept++] = t->words[w];
  }
  t->n_word = kept;
  pair_count *table = malloc(SLOTS * sizeof *table);
  if (!table) return ink_fail(error, INK_ERR_MEMORY, "no memory to train the tokenizer");
  while (n_symbol(t) + SPECIALS < (size_t)most) {
    tally(t, table);
    pair_count best = best_pair(t, table);
    if (!best.count) break;
    apply(t, best.pair, add_merge(t, (uint16_t)(best.pair >> 16), (uint16_t)(best.pair & 0xFFFF)));
  }
  free(table);
  return INK_OK;
}

// ---- files --------------------------------------------------------------------------------------

static ink_status write_vocabulary(const trainer *t, ink_corpus_output *out, int32_t *size,
                                   ink_error *error) {
  json_t *ids = json_object();
  size_t n = n_symbol(t);
  for (size_t i = 0; i < n; i++) {
    json_object_set_new(ids, t->symbols[i].text, json_integer((json_int_t)i));
  }
  json_object_set_new(ids, "<|startoftext|>", json_integer((json_int_t)n));
  json_object_set_new(ids, "<|endoftext|>", json_integer((json_int_t)n + 1));
  bool whole = json_object_size(ids) == n + SPECIALS;
  *size = (int32_t)(n + SPECIALS);
  char *text = json_dumps(ids, JSON_COMPACT);
  json_decref(ids);
  if (!text) return ink_fail(error, INK_ERR_MEMORY, "no memory for %s", out->name);
  out->bytes = text;
  out->size = strlen(text);
  return whole ? INK_OK : ink_fail(error, INK_ERR_INTERNAL, "%s: two tokens are alike", out->name);
}

static ink_status write_merges(const trainer *t, ink_corpus_output *out, ink_error *error) {
  ink_text text = {0};
  ink_text_add(&text, "#version: 0.2\n");
  for (size_t i = 0; i < t->n_merge; i++) {
    ink_text_format(&text, "%s %s\n", t->symbols[t->merges[i].left].text,
                    t->symbols[t->merges[i].right].text);
  }
  return ink_corpus_output_text(&text, out, error);
}

ink_status ink_painter_tokenizer(const ink_painter_words *words, int32_t most,
                                 ink_corpus_output *vocabulary, ink_corpus_output *merges,
                                 int32_t *size, ink_error *error) {
  trainer t = {.symbols = calloc(MOST_SYMBOLS, sizeof *t.symbols),
               .merges = calloc(MOST_SYMBOLS, sizeof *t.merges)};
  ink_status status = t.symbols && t.merges && most <= MOST_SYMBOLS
                          ? INK_OK
                          : ink_fail(error, INK_ERR_MEMORY, "no memory to train the tokenizer");
  if (status == INK_OK) {
    make_bytes(&t);
    status = collect(&t, words, error);
  }
  if (status == INK_OK) status = add_characters(&t, most, error);
  if (status == INK_OK) status = learn(&t, most, error);
  if (status == INK_OK) status = write_vocabulary(&t, vocabulary, size, error);
  if (status == INK_OK) status = write_merges(&t, merges, error);
  free(t.words);
  free(t.symbols);
  free(t.merges);
  return status;
}
