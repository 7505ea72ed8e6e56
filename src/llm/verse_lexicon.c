// The vocabulary as verse sees it: tones and rhymes of each token.
#include <stdlib.h>
#include <uchar.h>

#include "lang/prosody.h"
#include "llm/verse_parts.h"

const uint32_t ink_verse_marks[INK_MARKS] = {U'，', U'、', U'。', U'？', U'！', U'\n'};

bool ink_verse_is_han(uint32_t rune) {
  return (rune >= 0x4E00 && rune <= 0x9FFF) || (rune >= 0x3400 && rune <= 0x4DBF) ||
         (rune >= 0x20000 && rune <= 0x3FFFF) || rune == U'〇';
}

ink_verse_word ink_verse_read_word(uint32_t rune, ink_reading_set which) {
  ink_verse_word out = {.rune = rune};
  ink_reading readings[INK_READINGS_MAX];
  size_t n = ink_prosody_readings(rune, readings);
  for (size_t i = 0; i < n; i++) {
    if (which == INK_READINGS_COMMON && !readings[i].common) continue;
    out.tones |= readings[i].tone;
    if (readings[i].tone == INK_TONE_PING) {
      out.level_groups |= UINT32_C(1) << readings[i].group;
      out.level_classes |= UINT32_C(1) << readings[i].ci_class;
    } else {
      out.deflected_classes |= UINT32_C(1) << readings[i].ci_class;
    }
  }
  return out;
}

void ink_verse_count_keys(uint32_t keys, int counts[INK_VERSE_MOST_KEYS]) {
  for (int k = 0; k < INK_VERSE_MOST_KEYS; k++) counts[k] += (int)(keys >> k & 1);
}

int32_t ink_verse_token_of(const ink_verse_lexicon *lexicon, uint32_t rune) {
  for (size_t id = 0; id < lexicon->n_vocab; id++)
    if (lexicon->words[id].rune == rune) return (int32_t)id;
  return -1;
}

static void put(uint64_t *set, size_t id) {
  set[id / 64] |= UINT64_C(1) << (id % 64);
}

static void put_keys(uint64_t *const *sets, uint32_t keys, size_t id) {
  for (int k = 0; k < INK_VERSE_MOST_KEYS; k++)
    if (keys >> k & 1) put(sets[k], id);
}

// Sort the characters into sets, so that a step need not look at each of them.
static ink_status make_sets(ink_verse_lexicon *lexicon, ink_error *error) {
  size_t n_tone = sizeof lexicon->with_tone / sizeof *lexicon->with_tone;
  lexicon->n_set = (lexicon->n_vocab + 63) / 64;
  lexicon->sets =
      calloc((1 + n_tone + 3 * INK_VERSE_MOST_KEYS) * (lexicon->n_set + 1), sizeof *lexicon->sets);
  if (!lexicon->sets)
    return ink_fail(error, INK_ERR_MEMORY, "no memory for the lexicon of %zu tokens",
                    lexicon->n_vocab);
  uint64_t *next = lexicon->characters = lexicon->sets;
  next += lexicon->n_set;
  for (size_t t = 0; t < n_tone; t++, next += lexicon->n_set) lexicon->with_tone[t] = next;
  for (int k = 0; k < INK_VERSE_MOST_KEYS; k++, next += 3 * lexicon->n_set) {
    lexicon->with_level_group[k] = next;
    lexicon->with_level_class[k] = next + lexicon->n_set;
    lexicon->with_deflected_class[k] = next + 2 * lexicon->n_set;
  }
  for (size_t id = 0; id < lexicon->n_vocab; id++) {
    const ink_verse_word *own = &lexicon->words[id];
    if (!own->rune) continue;
    put(lexicon->characters, id);
    for (size_t t = 0; t < n_tone; t++)
      if (own->tones & t) put(lexicon->with_tone[t], id);
    put_keys(lexicon->with_level_group, own->level_groups, id);
    put_keys(lexicon->with_level_class, own->level_classes, id);
    put_keys(lexicon->with_deflected_class, own->deflected_classes, id);
  }
  return INK_OK;
}

static ink_status fill_lexicon(ink_verse_lexicon *lexicon, const int32_t *runes, ink_error *error) {
  size_t known = 0;
  for (size_t id = 0; id < lexicon->n_vocab; id++) {
    for (int m = 0; m < INK_MARKS; m++)
      if (runes[id] == (int32_t)ink_verse_marks[m] && lexicon->marks[m] < 0)
        lexicon->marks[m] = (int32_t)id;
    if (runes[id] < 0 || !ink_verse_is_han((uint32_t)runes[id])) continue;
    ink_verse_word *own = &lexicon->words[id];
    *own = ink_verse_read_word((uint32_t)runes[id], INK_READINGS_COMMON);
    known += own->tones != 0;
    ink_verse_count_keys(own->level_groups, lexicon->level_groups);
    ink_verse_count_keys(own->level_classes, lexicon->level_classes);
    ink_verse_count_keys(own->deflected_classes, lexicon->deflected_classes);
  }
  if (lexicon->marks[INK_MARK_COMMA] < 0 || lexicon->marks[INK_MARK_STOP] < 0 ||
      known < INK_VERSE_LEAST_WORDS)
    return ink_fail(
        error, INK_ERR_USAGE,
        "the vocabulary is not one for verse: it needs ， and 。 and at least %d Chinese "
        "characters as tokens of their own, and has %zu",
        INK_VERSE_LEAST_WORDS, known);
  return make_sets(lexicon, error);
}

ink_status ink_verse_lexicon_new(const int32_t *runes, size_t n_vocab, const int32_t *ends,
                                 size_t n_end, ink_verse_lexicon **lexicon, ink_error *error) {
  *lexicon = NULL;
  if (n_end == 0) return ink_fail(error, INK_ERR_USAGE, "the vocabulary has no end token");
  ink_verse_lexicon *own = calloc(1, sizeof *own);
  ink_verse_word *words = calloc(n_vocab ? n_vocab : 1, sizeof *words);
  if (!own || !words) {
    free(own);
    free(words);
    return ink_fail(error, INK_ERR_MEMORY, "no memory for the lexicon of %zu tokens", n_vocab);
  }
  own->words = words;
  own->n_vocab = n_vocab;
  for (int m = 0; m < INK_MARKS; m++) own->marks[m] = -1;
  for (size_t i = 0; i < n_end && own->n_end < INK_VERSE_MOST_ENDS; i++)
    if (ends[i] >= 0 && (size_t)ends[i] < n_vocab) own->ends[own->n_end++] = ends[i];
  ink_status status = fill_lexicon(own, runes, error);
  if (status != INK_OK) {
    ink_verse_lexicon_free(own);
    return status;
  }
  *lexicon = own;
  return INK_OK;
}

void ink_verse_lexicon_free(ink_verse_lexicon *lexicon) {
  if (!lexicon) return;
  free(lexicon->words);
  free(lexicon->sets);
  free(lexicon);
}
