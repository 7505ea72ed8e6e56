// Cleaning one poem: marks, simplified characters, lines, form.
#include <string.h>

#include "base/text.h"
#include "lang/simplify.h"
#include "train/poetry_parts.h"

enum { SHORTEST = 10, LONGEST = 8000 };

const char *ink_clean_name(ink_clean_verdict verdict) {
  static const char *const NAMES[] = {"kept",
                                      "empty",
                                      "gap",
                                      "editorial",
                                      "illegible",
                                      "under_10_characters",
                                      "over_8000_characters",
                                      "duplicate"};
  return verdict < INK_CLEAN_VERDICTS ? NAMES[verdict] : "unknown";
}

bool ink_rune_is_han(uint32_t r) {
  return (r >= 0x4E00 && r <= 0x9FFF) || (r >= 0x3400 && r <= 0x4DBF) ||
         (r >= 0x20000 && r <= 0x323AF) || (r >= 0xF900 && r <= 0xFAFF);
}

uint64_t ink_mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

uint64_t ink_rune_hash(const uint32_t *runes, size_t n) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (size_t i = 0; i < n; i++) hash = (hash ^ runes[i]) * 0x100000001B3u;
  return ink_mix64(hash);
}

static bool is_space(uint32_t r) {
  return r <= ' ' || r == 0x3000 || r == 0xA0 || r == 0xFEFF || (r >= 0x2000 && r <= 0x200F) ||
         r == 0x7F;
}

// One of ，。！？；：、 for the many ways they are typed; 0 for another character.
static uint32_t normal_mark(uint32_t r) {
  switch (r) {
    case ',':
    case U'，':
    case U'﹐':
      return U'，';
    case '.':
    case U'。':
    case U'．':
    case U'｡':
      return U'。';
    case '!':
    case U'！':
      return U'！';
    case '?':
    case U'？':
      return U'？';
    case ';':
    case U'；':
      return U'；';
    case ':':
    case U'：':
      return U'：';
    case U'、':
    case U'﹑':
    case U'､':
      return U'、';
    default:
      return 0;
  }
}

static bool is_quote(uint32_t r) {
  return r == U'「' || r == U'」' || r == U'『' || r == U'』' || r == U'“' || r == U'”' ||
         r == U'‘' || r == U'’' || r == '"' || r == '\'';
}

static bool is_gap(uint32_t r) {
  return r == U'□' || r == U'○' || r == U'●' || r == U'…' || r == U'■' || r == U'◇' || r == U'☐' ||
         r == U'〇' || r == U'囗';
}

static bool is_illegible(uint32_t r) {
  return r == 0xFFFD || (r >= 0xE000 && r <= 0xF8FF) || (r >= 0x2FF0 && r <= 0x2FFB) ||
         r >= 0xF0000;
}

static bool ends_sentence(uint32_t r) {
  return r == U'。' || r == U'！' || r == U'？';
}

// Simplify in place; the table gives one code point for each.
static ink_status simplify(uint32_t *runes, size_t n, ink_error *error) {
  ink_text from = {0}, to = {0};
  for (size_t i = 0; i < n; i++) ink_text_add_rune(&from, runes[i]);
  if (from.size) ink_simplify(from.bytes, from.size, &to);
  ink_status status = ink_text_status(&from, error);
  if (status == INK_OK) status = ink_text_status(&to, error);
  for (size_t at = 0, i = 0; status == INK_OK && at < to.size && i < n; i++) {
    int32_t rune;
    at += ink_utf8_decode(to.bytes + at, to.size - at, &rune);
    runes[i] = (uint32_t)rune;
  }
  ink_text_free(&from);
  ink_text_free(&to);
  return status;
}

// Keep characters and normalised marks; a mark after a mark goes, as does one at the beginning.
static ink_clean_verdict normalise(uint32_t *runes, size_t *n) {
  size_t kept = 0;
  for (size_t i = 0; i < *n; i++) {
    uint32_t r = runes[i], mark = normal_mark(r);
    if (is_space(r) || is_quote(r)) continue;
    if (is_gap(r)) return INK_CLEAN_GAP;
    if (is_illegible(r)) return INK_CLEAN_ILLEGIBLE;
    if (mark) {
      if (kept && ink_rune_is_han(runes[kept - 1])) runes[kept++] = mark;
    } else if (ink_rune_is_han(r)) {
      runes[kept++] = r;
    } else {
      return INK_CLEAN_EDITORIAL;
    }
  }
  // An open end is closed: 。 replaces a weaker mark.
  if (kept && !ink_rune_is_han(runes[kept - 1]) && !ends_sentence(runes[kept - 1])) kept--;
  if (kept && ink_rune_is_han(runes[kept - 1])) runes[kept++] = U'。';
  *n = kept;
  return kept ? INK_CLEAN_KEPT : INK_CLEAN_EMPTY;
}

// The common length of all clauses and their number, or length 0. 、 divides only when `pause`.
static size_t even_clauses(const uint32_t *runes, size_t n, bool pause, size_t *count) {
  size_t length = 0, current = 0;
  *count = 0;
  for (size_t i = 0; i < n; i++) {
    if (runes[i] == U'、' && !pause) continue;
    if (ink_rune_is_han(runes[i])) {
      current++;
      continue;
    }
    if (length && current != length) return 0;
    length = current;
    current = 0;
    ++*count;
  }
  return length;
}

static const char *regular_form(size_t length, size_t clauses) {
  if (clauses == 2 && length >= 4) return "联";
  switch (length) {
    case 4:
      return "四言";
    case 5:
      return clauses == 4 ? "五绝" : clauses == 8 ? "五律" : "五言";
    case 6:
      return clauses == 4 ? "六绝" : "六言";
    case 7:
      return clauses == 4 ? "七绝" : clauses == 8 ? "七律" : "七言";
    default:
      return "杂言";
  }
}

static int8_t form_index(const char *name) {
  for (size_t i = 0; ink_poem_form_name(i); i++) {
    if (strcmp(ink_poem_form_name(i), name) == 0) return (int8_t)i;
  }
  return -1;
}

// Couplets, one a line: the first clause ends in a weak mark, the second in a strong one.
static size_t set_couplets(const uint32_t *from, size_t n, bool pause, uint32_t *to) {
  size_t put = 0, clause = 0;
  for (size_t i = 0; i < n; i++) {
    uint32_t r = from[i];
    if (ink_rune_is_han(r)) {
      to[put++] = r;
      continue;
    }
    if (r == U'、' && !pause) continue;
    bool second = clause++ % 2 == 1;
    if (second) {
      to[put++] = ends_sentence(r) || r == U'；' ? r : U'。';
      if (i + 1 < n) to[put++] = U'\n';
    } else {
      to[put++] = r == U'。' || r == U'、' ? U'，' : r;
    }
  }
  return put;
}

static size_t set_sentences(const uint32_t *from, size_t n, uint32_t *to) {
  size_t put = 0;
  for (size_t i = 0; i < n; i++) {
    to[put++] = from[i];
    if (ends_sentence(from[i]) && i + 1 < n) to[put++] = U'\n';
  }
  return put;
}

static ink_clean_verdict judge(uint32_t *runes, size_t *n) {
  ink_clean_verdict verdict = normalise(runes, n);
  if (verdict != INK_CLEAN_KEPT) return verdict;
  size_t characters = 0;
  for (size_t i = 0; i < *n; i++) characters += ink_rune_is_han(runes[i]);
  if (characters < SHORTEST) return INK_CLEAN_SHORT;
  return characters > LONGEST ? INK_CLEAN_LONG : INK_CLEAN_KEPT;
}

ink_status ink_poetry_clean_body(uint32_t *runes, size_t *n, bool lyric, int8_t *form,
                                 ink_clean_verdict *verdict, ink_error *error) {
  *verdict = judge(runes, n);
  if (*verdict != INK_CLEAN_KEPT) return INK_OK;
  INK_TRY(simplify(runes, *n, error));

  // Set the lines in the upper half of the buffer, then bring them down.
  uint32_t *set = runes + *n;
  size_t count = 0, length = 0, put;
  bool pause = false;
  if (!lyric) {
    length = even_clauses(runes, *n, false, &count);
    if (length < 4 || length > 7) {
      pause = true;
      length = even_clauses(runes, *n, true, &count);
    }
  }
  bool regular = length >= 4 && length <= 7;
  *form = form_index(lyric ? "词" : regular ? regular_form(length, count) : "杂言");
  put = regular && count % 2 == 0 ? set_couplets(runes, *n, pause, set)
                                  : set_sentences(runes, *n, set);
  memmove(runes, set, put * sizeof *runes);
  *n = put;
  return INK_OK;
}

static uint32_t closing(uint32_t r) {
  switch (r) {
    case U'（':
      return U'）';
    case '(':
      return ')';
    case '[':
      return ']';
    case '{':
      return '}';
    case U'〔':
      return U'〕';
    case U'〖':
      return U'〗';
    case U'【':
      return U'】';
    case U'［':
      return U'］';
    default:
      return 0;
  }
}

// ○ after a numeral is a zero, "其一○三"; elsewhere it stands for a lost character.
static bool is_zero(const uint32_t *before, size_t n, uint32_t r) {
  if (n == 0 || (r != U'○' && r != U'〇')) return false;
  for (const uint32_t *digit = U"〇一二三四五六七八九十百"; *digit; digit++) {
    if (before[n - 1] == *digit) return true;
  }
  return false;
}

ink_status ink_poetry_clean_field(uint32_t *runes, size_t *n, size_t most, ink_error *error) {
  size_t kept = 0;
  uint32_t wait = 0;
  for (size_t i = 0; i < *n; i++) {
    uint32_t r = runes[i], mark = normal_mark(r);
    if (wait) {
      if (r == wait) wait = 0;
    } else if (closing(r)) {
      wait = closing(r);
    } else if (is_zero(runes, kept, r)) {
      runes[kept++] = U'〇';
    } else if (is_gap(r) || is_illegible(r)) {
      kept = 0;
      break;
    } else if (mark && r != ':' && r != '.') {
      runes[kept++] = mark;
    } else if (ink_rune_is_han(r) || r == U'·' || r == U'《' || r == U'》') {
      runes[kept++] = r;
    }
  }
  while (kept && normal_mark(runes[kept - 1])) kept--;
  if (kept > most) kept = 0;
  *n = kept;
  return simplify(runes, kept, error);
}
