// Rhyme group and tone pattern of a poem, for its tags; the tables are those of lang/prosody.
#include <string.h>

#include "lang/prosody.h"
#include "train/poetry_parts.h"

enum { MOST_CLAUSES = 64 };

typedef struct clause {
  uint32_t at, size;
  bool ends_sentence;
} clause;

static int split_clauses(const uint32_t *body, size_t n, clause *clauses) {
  int count = 0;
  for (size_t start = 0, i = 0; i < n; i++) {
    if (ink_rune_is_han(body[i])) continue;
    if (i > start) {
      if (count == MOST_CLAUSES) return 0;
      bool strong = body[i] == U'。' || body[i] == U'！' || body[i] == U'？';
      clauses[count++] = (clause){(uint32_t)start, (uint32_t)(i - start), strong};
    }
    start = i + 1;
  }
  return count;
}

bool ink_poetry_form_is_regular(int form) {
  static const char *const REGULAR[] = {"五绝", "七绝", "五律", "七律", "五排", "七排", "五古",
                                        "七古", "四言", "五言", "六言", "七言", "六绝", "联"};
  const char *name = form < 0 ? NULL : ink_poem_form_name((size_t)form);
  for (size_t i = 0; name && i < sizeof REGULAR / sizeof *REGULAR; i++) {
    if (strcmp(name, REGULAR[i]) == 0) return true;
  }
  return false;
}

static bool form_is(int form, const char *name) {
  const char *own = form < 0 ? NULL : ink_poem_form_name((size_t)form);
  return own && strcmp(own, name) == 0;
}

static uint32_t last_rune(const uint32_t *body, const clause *line) {
  return body[line->at + line->size - 1];
}

// The group (0 … 105) that holds all rhyme words, level ones and common readings preferred; -1.
static int shared_group(const uint32_t *body, const clause *clauses, const int *rhymes, int n) {
  int best = -1, best_score = -1;
  for (int group = 0; group < INK_RHYME_GROUPS; group++) {
    int common = 0, i = 0;
    for (; i < n; i++) {
      uint32_t rune = last_rune(body, &clauses[rhymes[i]]);
      if (!ink_prosody_in_group(rune, group, INK_READINGS_ALL)) break;
      common += ink_prosody_in_group(rune, group, INK_READINGS_COMMON);
    }
    if (i < n) continue;
    int score = 2 * common + (ink_rhyme_group_at(group)->tone == INK_TONE_PING);
    if (score > best_score) {
      best_score = score;
      best = group;
    }
  }
  return best;
}

// The class of 词林正韵 (0 … 18) that holds all rhyme words; -1.
static int shared_ci_class(const uint32_t *body, const clause *clauses, const int *rhymes, int n) {
  uint32_t all = 0xFFFFFFFFu;
  for (int i = 0; i < n; i++) {
    ink_reading readings[INK_READINGS_MAX];
    size_t count = ink_prosody_readings(last_rune(body, &clauses[rhymes[i]]), readings);
    uint32_t own = 0;
    for (size_t k = 0; k < count; k++) {
      if (readings[k].ci_class < 32) own |= 1u << readings[k].ci_class;
    }
    all &= own;
  }
  for (int i = 1; i <= INK_CI_CLASSES; i++) {
    if (all >> i & 1) return i - 1;
  }
  return -1;
}

// Level or deflected at the even places of every clause, in the order 甲乙乙甲 of regulated verse
// (对 within a couplet, 粘 between two). True when no place is against the pattern that begins so.
static bool keeps_pattern(const uint32_t *body, const clause *clauses, int n, bool level_start) {
  for (int i = 0; i < n; i++) {
    bool level = level_start == (i % 4 == 0 || i % 4 == 3);
    for (uint32_t place = 1; place + 1 < clauses[i].size; place += 2) {
      bool wanted = level == (place % 4 == 1);
      unsigned tones = ink_prosody_tones(body[clauses[i].at + place], INK_READINGS_ALL);
      if (tones && !(tones & (unsigned)(wanted ? INK_TONE_PING : INK_TONE_ZE))) return false;
    }
  }
  return true;
}

static int index_in(const char *(*name_at)(size_t), const char *name) {
  for (size_t i = 0; name_at(i); i++) {
    if (strcmp(name_at(i), name) == 0) return (int)i;
  }
  return -1;
}

void ink_poetry_prosody(const uint32_t *body, size_t n, int form, int *pattern, int *rhyme) {
  *pattern = *rhyme = -1;
  clause clauses[MOST_CLAUSES];
  int rhymes[MOST_CLAUSES], n_rhyme = 0, count = split_clauses(body, n, clauses);
  bool regular = ink_poetry_form_is_regular(form) && count % 2 == 0;
  for (int i = 0; i < count; i++) {
    if (regular ? i % 2 == 1 : clauses[i].ends_sentence) rhymes[n_rhyme++] = i;
  }
  if (n_rhyme < 2) return;
  if (form_is(form, "词")) {
    int class = shared_ci_class(body, clauses, rhymes, n_rhyme);
    if (class >= 0) *rhyme = INK_RHYME_GROUPS + class;
    return;
  }
  if (!regular) return;
  int group = shared_group(body, clauses, rhymes, n_rhyme);
  *rhyme = group;
  if (!form_is(form, "五绝") && !form_is(form, "七绝") && !form_is(form, "五律") &&
      !form_is(form, "七律")) {
    return;
  }
  bool level = keeps_pattern(body, clauses, count, true);
  bool deflected = keeps_pattern(body, clauses, count, false);
  bool regulated =
      level != deflected && group >= 0 && ink_rhyme_group_at(group)->tone == INK_TONE_PING;
  if (!regulated) {
    *pattern = index_in(ink_poem_pattern_name, "拗");
    return;
  }
  bool joins = ink_prosody_in_group(last_rune(body, &clauses[0]), group, INK_READINGS_ALL);
  *pattern = index_in(ink_poem_pattern_name, level ? (joins ? "平起入韵" : "平起不入韵")
                                                   : (joins ? "仄起入韵" : "仄起不入韵"));
}
