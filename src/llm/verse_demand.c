// Demands on a poem laid over the patterns of its form: what is asked for at each place, and which
// tone patterns and rhymes that leaves. A pattern that a demand does not fit drops out; when none
// is left, the one that fits the most demands says why.
#include <stdio.h>
#include <string.h>
#include <uchar.h>

#include "lang/prosody.h"
#include "lang/simplify.h"
#include "llm/verse_parts.h"

// Unroll a pattern into slots.
static void lay_out(const ink_verse_lexicon *lexicon, const ink_verse_pattern *pattern,
                    ink_verse_plan *out) {
  int n = 0, at = 0;
  out->pattern = pattern;
  for (int k = 0; k < pattern->n_clause; k++) {
    const ink_verse_clause *clause = &pattern->clauses[k];
    out->starts[k] = (uint8_t)at;
    at += clause->length;
    for (int i = 0; i < clause->length; i++)
      out->slots[n++] = (ink_verse_slot){INK_SLOT_CHARACTER, (uint8_t)k, (uint8_t)i};
    out->slots[n++] = (ink_verse_slot){INK_SLOT_MARK, (uint8_t)k, 0};
    if (clause->mark == u'。' && k + 1 < pattern->n_clause && lexicon->marks[INK_MARK_BREAK] >= 0)
      out->slots[n++] = (ink_verse_slot){INK_SLOT_BREAK, (uint8_t)k, 0};
    out->tones[k] = (uint8_t)((1 << clause->n_written) - 1);
  }
  out->slots[n++] = (ink_verse_slot){INK_SLOT_END, 0, 0};
  out->n_slot = n;
}

// Words of a rhyme that a plan still waits for from clause k on; echoes repeat a word and need
// none.
ink_verse_need ink_verse_needs_from(const ink_verse_plan *own, int k, int rhyme) {
  ink_verse_need out = {0, 0};
  for (; k < own->pattern->n_clause; k++) {
    const ink_verse_clause *clause = &own->pattern->clauses[k];
    if (clause->rhyme != rhyme || clause->echo) continue;
    if (ink_verse_ends_level(clause))
      out.level++;
    else
      out.deflected++;
  }
  return out;
}

enum { MOST_DEMANDED = 64 };

// A demand as simplified characters.
typedef struct demanded {
  uint32_t runes[MOST_DEMANDED];
  int n;
} demanded;

ink_rune_text ink_verse_rune_text(uint32_t rune) {
  ink_rune_text out = {{0}};
  ink_utf8_encode(rune, out.bytes);
  return out;
}

static ink_status read_demand(const char *text, const char *what, demanded *out, ink_error *error) {
  out->n = 0;
  if (!text) return INK_OK;
  // As a whole: 乾 stays in 乾坤, and becomes 干 elsewhere.
  ink_text simple = {0};
  ink_simplify(text, strlen(text), &simple);
  ink_status status = ink_text_status(&simple, error);
  for (size_t at = 0; at < simple.size && status == INK_OK;) {
    int32_t rune;
    at += ink_utf8_decode(simple.bytes + at, simple.size - at, &rune);
    if (rune == ' ' || rune == '\t' || rune == '\n' || rune == U'、' || rune == U'　') continue;
    if (rune < 0 || !ink_verse_is_han((uint32_t)rune)) {
      status = ink_fail(error, INK_ERR_USAGE, "the %s '%s' must be Chinese characters alone", what,
                        text);
    } else if (out->n == MOST_DEMANDED) {
      status =
          ink_fail(error, INK_ERR_USAGE, "the %s has more than %d characters", what, MOST_DEMANDED);
    } else {
      out->runes[out->n++] = (uint32_t)rune;
    }
  }
  ink_text_free(&simple);
  return status;
}

static ink_status must_be_words(const ink_verse_lexicon *lexicon, const demanded *given,
                                const char *what, ink_error *error) {
  for (int i = 0; i < given->n; i++) {
    if (ink_verse_token_of(lexicon, given->runes[i]) < 0)
      return ink_fail(error, INK_ERR_USAGE, "the %s asks for %s, which the model cannot write",
                      what, ink_verse_rune_text(given->runes[i]).bytes);
  }
  return INK_OK;
}

const char *ink_verse_tone_text(unsigned tones) {
  bool level = tones & INK_TONE_PING, deflected = tones & INK_TONE_ZE;
  return !tones ? "not in the rhyme book" : !deflected ? "平" : !level ? "仄" : "平 or 仄";
}

// Lay an acrostic over a plan; false, with the reason, when its length or a tone does not fit.
static bool lay_acrostic(const ink_verse *verse, const demanded *given, ink_verse_plan *own,
                         ink_error *error) {
  const ink_verse_pattern *pattern = own->pattern;
  if (given->n == 0) return true;
  if (given->n != pattern->n_line && given->n != pattern->n_sentence) {
    ink_fail(error, INK_ERR_USAGE,
             "the acrostic has %d characters; %s takes %d (one for each line) or %d (one for each "
             "sentence)",
             given->n, verse->form->names[0], pattern->n_line, pattern->n_sentence);
    return false;
  }
  bool begins = true;
  for (int k = 0, i = 0; k < pattern->n_clause; k++) {
    if (begins) own->fixed[own->starts[k]] = given->runes[i++];
    uint16_t ending = pattern->clauses[k].mark;
    begins = ending == u'。' || (ending == u'，' && given->n == pattern->n_line);
  }
  return true;
}

// As many rhyme words as the pattern has rhymes.
static bool count_rhymes(const ink_verse *verse, const demanded *given, const ink_verse_plan *own,
                         ink_error *error) {
  const ink_verse_pattern *pattern = own->pattern;
  int wanted = 0;
  for (int k = 0; k < pattern->n_clause; k++)
    wanted += pattern->clauses[k].rhyme >= 0 && !pattern->clauses[k].echo;
  if (given->n == 0 || given->n == wanted) return true;
  ink_fail(error, INK_ERR_USAGE, "there are %d rhyme words; %s (%s) takes %d", given->n,
           verse->form->names[0], pattern->name, wanted);
  return false;
}

// Lay fixed rhyme words over a plan.
static bool lay_rhymes(const ink_verse *verse, const demanded *given, ink_verse_plan *own,
                       ink_error *error) {
  const ink_verse_pattern *pattern = own->pattern;
  if (given->n == 0) return true;
  for (int k = 0, i = 0; k < pattern->n_clause; k++) {
    const ink_verse_clause *clause = &pattern->clauses[k];
    if (clause->rhyme < 0 || clause->echo) continue;
    uint32_t rune = given->runes[i++];
    for (int j = 0; j < k; j++) {
      const ink_verse_clause *other = &pattern->clauses[j];
      if (other->rhyme == clause->rhyme && own->fixed[own->starts[j] + other->length - 1] == rune) {
        ink_fail(error, INK_ERR_USAGE, "the rhyme word %s comes twice",
                 ink_verse_rune_text(rune).bytes);
        return false;
      }
    }
    uint32_t *place = &own->fixed[own->starts[k] + clause->length - 1];
    if (*place && *place != rune) {
      ink_fail(error, INK_ERR_USAGE, "acrostic and rhyme ask for %s and %s at the same place",
               ink_verse_rune_text(*place).bytes, ink_verse_rune_text(rune).bytes);
      return false;
    }
    *place = rune;
    ink_verse_word own_word = ink_verse_read_word(rune, INK_READINGS_ALL);
    if (!ink_verse_has_tone(&own_word, clause->tones[0][clause->length - 1])) {
      ink_fail(error, INK_ERR_USAGE, "the rhyme word %s is %s; clause %d of %s (%s) ends in %s",
               ink_verse_rune_text(rune).bytes, ink_verse_tone_text(own_word.tones), k + 1,
               verse->form->names[0], pattern->name, ink_verse_ends_level(clause) ? "平" : "仄");
      return false;
    }
    own->keys[clause->rhyme] &= ink_verse_keys_at(verse, clause, &own_word);
    if (!own->keys[clause->rhyme]) {
      ink_fail(error, INK_ERR_USAGE,
               "the rhyme word %s does not rhyme with those before it or with the rhyme asked for",
               ink_verse_rune_text(rune).bytes);
      return false;
    }
  }
  return true;
}

// An echo repeats its source, so what is asked of one is asked of the other.
static bool lay_echoes(ink_verse_plan *own, ink_error *error) {
  for (int k = 1; k < own->pattern->n_clause; k++) {
    const ink_verse_clause *clause = &own->pattern->clauses[k];
    if (!clause->echo) continue;
    for (int i = 0; i < clause->length; i++) {
      uint32_t *here = &own->fixed[own->starts[k] + i];
      uint32_t *source = here - clause->length;
      if (*here && *source && *here != *source) {
        ink_fail(error, INK_ERR_USAGE,
                 "clause %d repeats the end of the clause before it, but %s and %s are asked for",
                 k + 1, ink_verse_rune_text(*source).bytes, ink_verse_rune_text(*here).bytes);
        return false;
      }
      if (*here && !*source) *source = *here;
    }
  }
  return true;
}

// Keep the tone patterns that fit the characters asked for; the ones for judging alone only where
// none for writing does.
static bool lay_tones(const ink_verse *verse, ink_verse_plan *own, ink_error *error) {
  for (int k = 0; k < own->pattern->n_clause; k++) {
    const ink_verse_clause *clause = &own->pattern->clauses[k];
    const uint32_t *fixed = &own->fixed[own->starts[k]];
    unsigned fits = 0, written = (1U << clause->n_written) - 1;
    int misfit = 0;
    for (int t = 0; t < clause->n_tones; t++) {
      bool good = true;
      for (int i = 0; i < clause->length && good; i++) {
        ink_verse_word own_word =
            fixed[i] ? ink_verse_read_word(fixed[i], INK_READINGS_ALL) : (ink_verse_word){0};
        good = !fixed[i] || ink_verse_has_tone(&own_word, clause->tones[t][i]);
        if (!good) misfit = i;
      }
      fits |= (unsigned)good << t;
    }
    if (!fits) {
      unsigned tones = ink_prosody_tones(fixed[misfit], INK_READINGS_ALL);
      ink_fail(error, INK_ERR_USAGE,
               "%s is %s and cannot be character %d of clause %d of %s (%s), which must be %s",
               ink_verse_rune_text(fixed[misfit]).bytes, ink_verse_tone_text(tones), misfit + 1,
               k + 1, verse->form->names[0], own->pattern->name,
               clause->tones[0][misfit] == INK_TONE_PING ? "平" : "仄");
      return false;
    }
    own->tones[k] = (uint8_t)(fits & written ? fits & written : fits);
  }
  return true;
}

static const char *const digits[] = {"", "一", "二", "三", "四", "五", "六", "七", "八", "九"};

// The number of a ci class by name ("第七部"), 0 when it is none.
static int class_find(const char *name) {
  for (int i = 1; i <= INK_CI_CLASSES; i++) {
    char full[32];
    snprintf(full, sizeof full, "第%s%s部", i < 10 ? "" : "十", digits[i % 10]);
    if (!strcmp(name, full)) return i;
  }
  return 0;
}

// The keys that a rhyme asked for by name stands for.
static ink_status read_group(ink_verse *verse, const char *name, uint32_t *keys, ink_error *error) {
  int group = verse->group = ink_rhyme_group_find(name), number = class_find(name);
  bool shi = verse->form->kind == INK_VERSE_SHI;
  if (group < 0 && (shi || !number))
    return ink_fail(error, INK_ERR_USAGE, "there is no rhyme '%s'; name one of 平水韻%s", name,
                    shi ? " (一东, 七阳 …)" : " (一东, 七阳 …) or a class (第一部 … 第十九部)");
  *keys = number ? UINT32_C(1) << number : 0;
  if (group < 0) return INK_OK;
  if (shi) {
    *keys = group < INK_VERSE_MOST_KEYS ? UINT32_C(1) << group : 0;
    return INK_OK;
  }
  // A group may be parted between two ci classes; any of its words may then begin.
  for (size_t id = 0; id < verse->lexicon->n_vocab; id++) {
    ink_reading readings[INK_READINGS_MAX];
    uint32_t rune = verse->lexicon->words[id].rune;
    size_t n = rune ? ink_prosody_readings(rune, readings) : 0;
    for (size_t i = 0; i < n; i++)
      if (readings[i].group == group) *keys |= UINT32_C(1) << readings[i].ci_class;
  }
  return INK_OK;
}

// Rhymes with so few words that a poem would be forced are left to those who ask for them.
enum { SPARE_WORDS = 8 };

static bool has_room(const ink_verse *verse, ink_verse_plan *own, ink_error *error) {
  bool shi = verse->form->kind == INK_VERSE_SHI;
  const ink_verse_lexicon *lexicon = verse->lexicon;
  const int *level = shi ? lexicon->level_groups : lexicon->level_classes;
  for (int r = 0; r < own->pattern->n_rhyme; r++) {
    ink_verse_need wanted = ink_verse_needs_from(own, 0, r);
    bool given = r == 0 && verse->group_given, fixed = false;
    for (int k = 0; k < own->pattern->n_clause; k++) {
      const ink_verse_clause *clause = &own->pattern->clauses[k];
      fixed = fixed || (clause->rhyme == r && own->fixed[own->starts[k] + clause->length - 1]);
    }
    int spare = given ? 0 : SPARE_WORDS;
    for (int key = 0; key < INK_VERSE_MOST_KEYS && !fixed; key++)
      if ((wanted.level && level[key] < wanted.level + spare) ||
          (wanted.deflected && lexicon->deflected_classes[key] < wanted.deflected + spare))
        own->keys[r] &= ~(UINT32_C(1) << key);
    if (!own->keys[r]) {
      ink_fail(error, INK_ERR_USAGE, "%s (%s) needs %d %s words in one rhyme; %s has not so many",
               verse->form->names[0], own->pattern->name, wanted.level + wanted.deflected,
               wanted.level && wanted.deflected ? "平 and 仄"
               : wanted.level                   ? "平"
                                                : "仄",
               given ? "the one asked for" : "the vocabulary");
      return false;
    }
  }
  return true;
}

// The group asked for is on the side of the pattern's first rhyme.
static bool suits_group(const ink_verse *verse, const ink_verse_pattern *pattern,
                        ink_error *error) {
  const ink_rhyme_group *group = ink_rhyme_group_at(verse->group);
  for (int k = 0; group && k < pattern->n_clause; k++) {
    if (pattern->clauses[k].rhyme != 0) continue;
    if (ink_verse_ends_level(&pattern->clauses[k]) == (group->tone == INK_TONE_PING)) return true;
    ink_fail(error, INK_ERR_USAGE, "%s (%s) begins with a rhyme in %s; %s is not one",
             verse->form->names[0], pattern->name,
             ink_verse_ends_level(&pattern->clauses[k]) ? "平" : "仄", group->name);
    return false;
  }
  return true;
}

// Lay all demands over one pattern. Returns how many steps that went well: FITS when all did.
enum { FITS = 7 };
static int make_plan(const ink_verse *verse, const ink_verse_pattern *pattern,
                     const demanded *acrostic, const demanded *rhymes, uint32_t keys,
                     ink_verse_plan *own, ink_error *error) {
  memset(own, 0, sizeof *own);
  lay_out(verse->lexicon, pattern, own);
  for (int r = 0; r < pattern->n_rhyme; r++) own->keys[r] = r == 0 ? keys : ~UINT32_C(0);
  int fits = !suits_group(verse, pattern, error)          ? 0
             : !lay_acrostic(verse, acrostic, own, error) ? 1
             : !count_rhymes(verse, rhymes, own, error)   ? 2
             : !lay_rhymes(verse, rhymes, own, error)     ? 3
             : !lay_echoes(own, error)                    ? 4
             : !lay_tones(verse, own, error)              ? 5
             : !has_room(verse, own, error)               ? 6
                                                          : FITS;
  for (int i = 0; i < pattern->n_place; i++)
    own->fixed_tokens[i] = own->fixed[i] ? ink_verse_token_of(verse->lexicon, own->fixed[i]) : -1;
  return fits;
}

ink_status ink_verse_make_plans(ink_verse *verse, const ink_verse_demand *demand,
                                ink_error *error) {
  demanded acrostic, rhymes;
  INK_TRY(read_demand(demand->acrostic, "acrostic", &acrostic, error));
  INK_TRY(must_be_words(verse->lexicon, &acrostic, "acrostic", error));
  INK_TRY(read_demand(demand->rhymes, "list of rhyme words", &rhymes, error));
  INK_TRY(must_be_words(verse->lexicon, &rhymes, "list of rhyme words", error));
  uint32_t keys = ~UINT32_C(0);
  verse->group = -1;
  verse->group_given = demand->group && *demand->group;
  if (verse->group_given) INK_TRY(read_group(verse, demand->group, &keys, error));
  bool named = demand->pattern && *demand->pattern, found = false;
  ink_error reason = {0};
  int furthest = -1;
  for (int p = 0; p < verse->form->n_pattern; p++) {
    const ink_verse_pattern *pattern = &verse->form->patterns[p];
    if (named && strcmp(pattern->name, demand->pattern) != 0) continue;
    found = true;
    // The pattern that comes furthest tells why, the most usual one among equals.
    ink_error own = {0};
    int fits =
        make_plan(verse, pattern, &acrostic, &rhymes, keys, &verse->plans[verse->n_plan], &own);
    if (fits == FITS) {
      verse->n_plan++;
    } else if (fits > furthest) {
      furthest = fits;
      reason = own;
    }
  }
  if (!found)
    return ink_fail(error, INK_ERR_USAGE, "%s has no pattern '%s'", verse->form->names[0],
                    demand->pattern);
  if (!verse->n_plan) return ink_fail(error, reason.status, "%s", reason.text);
  return INK_OK;
}
