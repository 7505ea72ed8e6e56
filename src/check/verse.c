// Judges a poem against a form. A poem is laid over every pattern of the form whose clause ends it
// shares; the pattern with the fewest faults speaks for it.
#include "check/verse.h"

#include <string.h>
#include <uchar.h>

#include "lang/simplify.h"

enum { MOST_RUNES = INK_VERSE_CLAUSES * INK_VERSE_PLACES };

// A text as characters, simplified, and where its clauses end.
typedef struct verse_text {
  uint32_t runes[MOST_RUNES];
  bool ends[MOST_RUNES + 1];  // ends[i]: a mark stands behind the i-th character, from 1
  int n;
} verse_text;

static bool is_mark(uint32_t rune) {
  for (const char32_t *mark = U"，。、？！；：,.?!;:\n"; *mark; mark++)
    if (*mark == rune) return true;
  return false;
}

static bool is_passed_over(uint32_t rune) {
  for (const char32_t *mark = U" \t\r　“”‘’「」『』《》〈〉·・"; *mark; mark++)
    if (*mark == rune) return true;
  return false;
}

static ink_status read_text(const char *text, size_t size, verse_text *out, ink_error *error) {
  size_t bad;
  if (!ink_utf8_valid(text, size, &bad))
    return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)bad, "the text is not well-formed UTF-8");
  ink_text simple = {0};
  ink_simplify(text, size, &simple);
  ink_status status = ink_text_status(&simple, error);
  memset(out->ends, 0, sizeof out->ends);
  out->n = 0;
  for (size_t at = 0; status == INK_OK && at < simple.size;) {
    int32_t rune;
    at += ink_utf8_decode(simple.bytes + at, simple.size - at, &rune);
    if (is_mark((uint32_t)rune)) {
      out->ends[out->n] = true;
    } else if (!is_passed_over((uint32_t)rune)) {
      if (out->n == MOST_RUNES)
        status = ink_fail(error, INK_ERR_FORMAT, "the text is longer than any form of verse (%d)",
                          MOST_RUNES);
      else
        out->runes[out->n++] = (uint32_t)rune;
    }
  }
  ink_text_free(&simple);
  INK_TRY(status);
  if (out->n == 0) return ink_fail(error, INK_ERR_FORMAT, "the text has no characters to judge");
  out->ends[0] = false;
  out->ends[out->n] = true;
  return INK_OK;
}

// Every mark stands at a clause end, and every clause end but 、 has one.
static bool has_lengths_of(const verse_text *text, const ink_verse_pattern *pattern) {
  if (text->n != pattern->n_place) return false;
  int at = 0;
  for (int k = 0; k < pattern->n_clause; k++) {
    const ink_verse_clause *clause = &pattern->clauses[k];
    for (int i = 1; i < clause->length; i++)
      if (text->ends[at + i]) return false;
    at += clause->length;
    if (clause->mark != u'、' && !text->ends[at]) return false;
  }
  return true;
}

static void add_fault(ink_verse_report *report, ink_verse_fault_kind kind, int clause, int place,
                      uint32_t rune) {
  if (report->n_fault < INK_VERSE_FAULTS)
    report->faults[report->n_fault++] =
        (ink_verse_fault){kind, (uint8_t)clause, (uint8_t)place, rune};
}

static void judge_tones(const ink_verse_clause *clause, int k, ink_verse_report *report) {
  const uint8_t *tones = report->clauses[k].tones, *best = clause->tones[0];
  int fewest = INK_VERSE_PLACES + 1;
  for (int t = 0; t < clause->n_tones; t++) {
    int faults = 0;
    for (int i = 0; i < clause->length; i++)
      faults +=
          clause->tones[t][i] != (INK_TONE_PING | INK_TONE_ZE) && !(tones[i] & clause->tones[t][i]);
    if (faults < fewest) {
      fewest = faults;
      best = clause->tones[t];
    }
  }
  memcpy(report->clauses[k].demanded, best, clause->length);
  for (int i = 0; i < clause->length; i++)
    if (best[i] != (INK_TONE_PING | INK_TONE_ZE) && !(tones[i] & best[i])) {
      report->tones_ok = false;
      add_fault(report, tones[i] ? INK_VERSE_FAULT_TONE : INK_VERSE_FAULT_UNKNOWN, k, i,
                report->clauses[k].runes[i]);
    }
}

// What a word may rhyme in, by index: the groups of 平水韻, then, in ci, the ci classes.
enum { CLASSES = INK_RHYME_GROUPS, RHYMES = INK_RHYME_GROUPS + INK_CI_CLASSES + 1 };

static void rhymes_of(const ink_verse_report *report, int k, bool set[RHYMES]) {
  const ink_verse_clause *clause = &report->pattern->clauses[k];
  ink_reading readings[INK_READINGS_MAX];
  size_t n = ink_prosody_readings(report->clauses[k].runes[clause->length - 1], readings);
  memset(set, 0, RHYMES * sizeof *set);
  for (size_t i = 0; i < n; i++) {
    if (!(readings[i].tone & clause->tones[0][clause->length - 1])) continue;
    set[readings[i].group] = true;
    if (report->form->kind == INK_VERSE_CI) set[CLASSES + readings[i].ci_class] = true;
  }
}

// The class or group that most of a rhyme's words share; faults for those outside. Ci may rhyme as
// shi does, within a group that its classes part (杯 台 回 in 十灰).
static void judge_rhyme(int rhyme, ink_verse_report *report) {
  const ink_verse_pattern *pattern = report->pattern;
  bool set[RHYMES];
  int words = 0, votes[RHYMES] = {0}, best = RHYMES - 1;
  for (int k = 0; k < pattern->n_clause; k++) {
    if (pattern->clauses[k].rhyme != rhyme) continue;
    words++;
    rhymes_of(report, k, set);
    for (int i = 0; i < RHYMES; i++) votes[i] += set[i];
  }
  for (int i = RHYMES - 2; i >= 0; i--)  // ci classes first
    if (votes[i] > votes[best]) best = i;
  report->rhymes[rhyme] = votes[best] >= 2 ? best : -1;
  if (votes[best] == words) return;
  report->rhyme_ok = false;
  for (int k = 0; k < pattern->n_clause; k++) {
    if (pattern->clauses[k].rhyme != rhyme) continue;
    rhymes_of(report, k, set);
    if (!set[best])
      add_fault(report, INK_VERSE_FAULT_RHYME, k, pattern->clauses[k].length - 1,
                report->clauses[k].runes[pattern->clauses[k].length - 1]);
  }
}

static void judge_repetition(ink_verse_report *report) {
  const ink_verse_pattern *pattern = report->pattern;
  for (int k = 0; k < pattern->n_clause; k++) {
    const ink_verse_clause *clause = &pattern->clauses[k];
    const uint32_t *runes = report->clauses[k].runes;
    if (clause->echo) {
      const uint32_t *before =
          report->clauses[k - 1].runes + pattern->clauses[k - 1].length - clause->length;
      if (memcmp(runes, before, clause->length * sizeof *runes) != 0) {
        report->echo_ok = false;
        add_fault(report, INK_VERSE_FAULT_ECHO, k, 0, runes[0]);
      }
      continue;
    }
    for (int j = 0; j < k && clause->rhyme >= 0; j++) {
      if (pattern->clauses[j].rhyme != clause->rhyme || pattern->clauses[j].echo) continue;
      if (report->clauses[j].runes[pattern->clauses[j].length - 1] == runes[clause->length - 1]) {
        report->distinct_ok = false;
        add_fault(report, INK_VERSE_FAULT_REPEATED, k, clause->length - 1,
                  runes[clause->length - 1]);
        break;
      }
    }
  }
}

// `acrostic` holds a character for every line, or one for every sentence.
static ink_status judge_acrostic(const uint32_t *acrostic, int n, ink_verse_report *report,
                                 ink_error *error) {
  const ink_verse_pattern *pattern = report->pattern;
  if (n == 0) return INK_OK;
  if (n != pattern->n_line && n != pattern->n_sentence)
    return ink_fail(
        error, INK_ERR_USAGE,
        "the acrostic has %d characters; %s takes %d (one for each line) or %d (one for "
        "each sentence)",
        n, report->form->names[0], pattern->n_line, pattern->n_sentence);
  bool begins = true;  // a unit begins at this clause
  for (int k = 0, i = 0; k < pattern->n_clause; k++) {
    if (begins && report->clauses[k].runes[0] != acrostic[i++]) {
      report->acrostic_ok = false;
      add_fault(report, INK_VERSE_FAULT_ACROSTIC, k, 0, report->clauses[k].runes[0]);
    }
    uint16_t mark = pattern->clauses[k].mark;
    begins = mark == u'。' || (mark == u'，' && n == pattern->n_line);
  }
  return INK_OK;
}

// Lay the text over one pattern whose lengths it has.
static ink_status judge(const verse_text *text, const ink_verse_form *form,
                        const ink_verse_pattern *pattern, const uint32_t *acrostic, int n_acrostic,
                        ink_verse_report *report, ink_error *error) {
  *report = (ink_verse_report){.form = form,
                               .pattern = pattern,
                               .length_ok = true,
                               .tones_ok = true,
                               .rhyme_ok = true,
                               .distinct_ok = true,
                               .echo_ok = true,
                               .acrostic_ok = true,
                               .n_clause = pattern->n_clause};
  for (int r = 0; r < INK_VERSE_RHYMES; r++) report->rhymes[r] = -1;
  for (int k = 0, at = 0; k < pattern->n_clause; k++) {
    uint8_t length = pattern->clauses[k].length;
    report->clauses[k].length = report->clauses[k].expected = length;
    for (int i = 0; i < length; i++, at++) {
      report->clauses[k].runes[i] = text->runes[at];
      report->clauses[k].tones[i] = (uint8_t)ink_prosody_tones(text->runes[at], INK_READINGS_ALL);
    }
    judge_tones(&pattern->clauses[k], k, report);
  }
  for (int r = 0; r < pattern->n_rhyme; r++) judge_rhyme(r, report);
  judge_repetition(report);
  INK_TRY(judge_acrostic(acrostic, n_acrostic, report, error));
  report->legal = report->tones_ok && report->rhyme_ok && report->echo_ok && report->acrostic_ok &&
                  (report->distinct_ok || form->kind == INK_VERSE_CI);
  return INK_OK;
}

// The text has the lengths of no pattern: compare its clauses with those of the usual one.
static void report_lengths(const verse_text *text, const ink_verse_form *form,
                           ink_verse_report *report) {
  *report = (ink_verse_report){.form = form, .distinct_ok = true, .acrostic_ok = true};
  for (int r = 0; r < INK_VERSE_RHYMES; r++) report->rhymes[r] = -1;
  const ink_verse_pattern *usual = &form->patterns[0];
  int k = 0;
  for (int at = 0; at < text->n && k < INK_VERSE_CLAUSES; k++) {
    int length = 0;
    do {
      if (length < INK_VERSE_PLACES) {
        report->clauses[k].runes[length] = text->runes[at];
        report->clauses[k].tones[length] =
            (uint8_t)ink_prosody_tones(text->runes[at], INK_READINGS_ALL);
      }
      length++;
    } while (!text->ends[++at]);
    report->clauses[k].length = (uint8_t)(length < 255 ? length : 255);
  }
  report->n_clause = k > usual->n_clause ? k : usual->n_clause;
  for (k = 0; k < report->n_clause; k++) {
    report->clauses[k].expected = k < usual->n_clause ? usual->clauses[k].length : 0;
    if (report->clauses[k].length != report->clauses[k].expected)
      add_fault(report, INK_VERSE_FAULT_LENGTH, k, 0, report->clauses[k].runes[0]);
  }
}

// Try the patterns of one form; *best keeps the report with the fewest faults over all calls.
static ink_status try_form(const verse_text *text, const ink_verse_form *form,
                           const uint32_t *acrostic, int n_acrostic, bool *found,
                           ink_verse_report *best, ink_error *error) {
  for (int p = 0; p < form->n_pattern; p++) {
    if (!has_lengths_of(text, &form->patterns[p])) continue;
    ink_verse_report report;
    INK_TRY(judge(text, form, &form->patterns[p], acrostic, n_acrostic, &report, error));
    if (!*found || report.n_fault < best->n_fault) *best = report;
    *found = true;
  }
  return INK_OK;
}

ink_status ink_check_verse(const char *text, size_t size, const ink_verse_form *form,
                           const char *acrostic, ink_verse_report *report, ink_error *error) {
  verse_text verse, head = {.n = 0};
  INK_TRY(read_text(text, size, &verse, error));
  if (acrostic && *acrostic) INK_TRY(read_text(acrostic, strlen(acrostic), &head, error));
  bool found = false;
  if (form) {
    INK_TRY(try_form(&verse, form, head.runes, head.n, &found, report, error));
    if (!found) report_lengths(&verse, form, report);
    return INK_OK;
  }
  const ink_verse_form *any;
  for (size_t i = 0; (any = ink_verse_form_at(i)); i++) {
    bool fits =
        !head.n || head.n == any->patterns[0].n_line || head.n == any->patterns[0].n_sentence;
    if (fits) INK_TRY(try_form(&verse, any, head.runes, head.n, &found, report, error));
  }
  if (!found)
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    "no form of verse has lines of these lengths; name one with --form to see how "
                    "the text differs from it");
  return INK_OK;
}

const char *ink_verse_fault_name(ink_verse_fault_kind kind) {
  static const char *const names[] = {"length",   "tone", "unknown", "rhyme",
                                      "repeated", "echo", "acrostic"};
  return names[kind];
}

void ink_verse_fault_text(const ink_verse_report *report, const ink_verse_fault *fault,
                          ink_language language, ink_text *out) {
  char rune[5] = {0};
  if (fault->rune) ink_utf8_encode(fault->rune, rune);
  int clause = fault->clause + 1, place = fault->place + 1;
  bool level = report->clauses[fault->clause].demanded[fault->place] == INK_TONE_PING;
  switch (fault->kind) {
    case INK_VERSE_FAULT_LENGTH:
      ink_text_format(
          out, ink_translate("clause %d has %d characters, the form asks for %d", language), clause,
          report->clauses[fault->clause].length, report->clauses[fault->clause].expected);
      break;
    case INK_VERSE_FAULT_TONE:
      ink_text_format(
          out, ink_translate("clause %d, character %d: %s is %s, the place asks for %s", language),
          clause, place, rune, level ? "仄" : "平", level ? "平" : "仄");
      break;
    case INK_VERSE_FAULT_UNKNOWN:
      ink_text_format(
          out, ink_translate("clause %d, character %d: the rhyme book does not know %s", language),
          clause, place, rune);
      break;
    case INK_VERSE_FAULT_RHYME:
      ink_text_format(out, ink_translate("clause %d: %s does not rhyme with the others", language),
                      clause, rune);
      break;
    case INK_VERSE_FAULT_REPEATED:
      ink_text_format(out,
                      ink_translate("clause %d: the rhyme word %s stood there before", language),
                      clause, rune);
      break;
    case INK_VERSE_FAULT_ECHO:
      ink_text_format(
          out, ink_translate("clause %d should repeat the end of the clause before it", language),
          clause);
      break;
    case INK_VERSE_FAULT_ACROSTIC:
      ink_text_format(
          out,
          ink_translate("clause %d begins with %s, not with its character of the acrostic",
                        language),
          clause, rune);
      break;
  }
}

void ink_verse_rhyme_name(const ink_verse_report *report, int rhyme, ink_text *out) {
  static const char *const digits[] = {"", "一", "二", "三", "四", "五", "六", "七", "八", "九"};
  int index = report->rhymes[rhyme], number = index - CLASSES;
  if (number < 0)
    ink_text_add(out, ink_rhyme_group_at(index)->name);
  else
    ink_text_format(out, "第%s%s部", number < 10 ? "" : "十", digits[number % 10]);
}

static json_t *text_json(ink_text *text) {
  json_t *value = text->failed ? NULL : json_stringn(ink_text_string(text), text->size);
  ink_text_clear(text);
  return value;
}

// Characters and tones of a clause: 平 or 仄, 通 for either, ？ for unknown.
static json_t *clause_json(const ink_verse_report *report, int k, ink_text *scratch) {
  int n = report->clauses[k].length;
  if (n > INK_VERSE_PLACES) n = INK_VERSE_PLACES;
  for (int i = 0; i < n; i++) ink_text_add_rune(scratch, report->clauses[k].runes[i]);
  json_t *text = text_json(scratch);
  for (int i = 0; i < n; i++) {
    unsigned tones = report->clauses[k].tones[i];
    bool level = tones & INK_TONE_PING, deflected = tones & INK_TONE_ZE;
    ink_text_add(scratch, !tones ? "？" : !deflected ? "平" : !level ? "仄" : "通");
  }
  json_t *tones = text_json(scratch);
  bool ok = true;
  for (int i = 0; i < report->n_fault; i++)
    ok =
        ok && (report->faults[i].clause != k || report->faults[i].kind == INK_VERSE_FAULT_REPEATED);
  return json_pack("{s:o, s:o, s:b}", "text", text, "tones", tones, "ok", ok);
}

json_t *ink_verse_report_json(const ink_verse_report *report) {
  ink_text scratch = {0};
  json_t *rhymes = json_array(), *lines = json_array(), *faults = json_array();
  for (int r = 0; report->pattern && r < report->pattern->n_rhyme; r++) {
    if (report->rhymes[r] >= 0) ink_verse_rhyme_name(report, r, &scratch);
    json_array_append_new(rhymes, report->rhymes[r] >= 0 ? text_json(&scratch) : json_null());
  }
  for (int k = 0; k < report->n_clause; k++)
    json_array_append_new(lines, clause_json(report, k, &scratch));
  for (int i = 0; i < report->n_fault; i++) {
    const ink_verse_fault *fault = &report->faults[i];
    if (fault->rune) ink_text_add_rune(&scratch, fault->rune);
    json_t *character = text_json(&scratch);
    ink_verse_fault_text(report, fault, INK_LANGUAGE_EN, &scratch);
    json_array_append_new(
        faults, json_pack("{s:s, s:i, s:i, s:o, s:o}", "kind", ink_verse_fault_name(fault->kind),
                          "line", fault->clause + 1, "place", fault->place + 1, "character",
                          character, "text", text_json(&scratch)));
  }
  ink_text_free(&scratch);
  return json_pack("{s:s, s:s?, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:o, s:o, s:o}", "form",
                   report->form->names[0], "pattern",
                   report->pattern ? report->pattern->name : NULL, "legal", report->legal, "length",
                   report->length_ok, "tones", report->tones_ok, "rhyme", report->rhyme_ok,
                   "distinct", report->distinct_ok, "echo", report->echo_ok, "acrostic",
                   report->acrostic_ok, "rhymes", rhymes, "lines", lines, "faults", faults);
}
