// Patterns over PCRE2. A tokenizer file's expressions are written for Oniguruma (Ruby syntax), so
// they are translated first; where the two differ (Oniguruma 6.9, doc/RE; pcre2pattern(3)) the
// translation spells out what Oniguruma means.
#include "tokenizer/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "tokenizer/unicode.h"

enum {
  PATTERN_BYTES = 1 << 16,  // longest expression taken
  GROUP_DEPTH = 200,
  MATCH_LIMIT = 10000000,  // PCRE2's own default
  JIT_STACK = 1 << 22
};

// White_Space; PCRE2's \s counts U+180E too, which Unicode has not since version 6.3.
#define SPACES                                                                        \
  "\\x09-\\x0d\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}" \
  "\\x{205f}\\x{3000}"
// Alphabetic. Marks that have been since Unicode 15 or 16 follow; new letters are added by
// add_recent.
#define ALPHABETIC                                                                      \
  "\\p{Alphabetic}"                                                                     \
  "\\x{363}-\\x{36f}\\x{897}\\x{c04}\\x{cf3}\\x{f82}-\\x{f83}\\x{1dd3}-\\x{1de6}"       \
  "\\x{10d69}\\x{10efc}\\x{11080}-\\x{11081}\\x{11241}\\x{113b8}-\\x{113c0}\\x{113c2}"  \
  "\\x{113c5}\\x{113c7}-\\x{113ca}\\x{113cc}-\\x{113cd}\\x{11f00}-\\x{11f01}\\x{11f03}" \
  "\\x{11f34}-\\x{11f3a}\\x{11f3e}-\\x{11f40}\\x{1611e}-\\x{1612e}\\x{1e08f}"
#define HEX_DIGITS "0-9a-fA-F"

// -- Translation ---------------------------------------------------------------------------------

typedef struct translation {
  const char *source;
  size_t size;
  size_t at;
  const char *place;
  ink_text *out;
  size_t atom;  // where in *out the last atom begins, SIZE_MAX: there is none
  struct {
    size_t begin;   // where in *out the open group begins
    bool isolated;  // by (?i), which has no parenthesis of its own to close it
  } groups[GROUP_DEPTH];
  int depth;
  ink_error *error;
} translation;

static ink_status refuse(const translation *t, const char *what) {
  return ink_fail_at(t->error, INK_ERR_UNSUPPORTED, (int64_t)t->at,
                     "%s: the regular expression uses %s, which inkstone does not support",
                     t->place, what);
}

static int peek(const translation *t, size_t ahead) {
  return ahead < t->size - t->at ? (unsigned char)t->source[t->at + ahead] : -1;
}

// The code points of a general category (one or two letters) that PCRE2 may not know yet.
static void add_recent(ink_text *out, const char *category) {
  size_t letters = strlen(category);
  for (size_t i = 0; i < ink_unicode_n_recent; i++) {
    if (strncmp(ink_unicode_recent[i].category, category, letters) != 0) continue;
    uint32_t first = ink_unicode_recent[i].first, last = ink_unicode_recent[i].last;
    while (i + 1 < ink_unicode_n_recent && ink_unicode_recent[i + 1].first == last + 1 &&
           strncmp(ink_unicode_recent[i + 1].category, category, letters) == 0) {
      last = ink_unicode_recent[++i].last;
    }
    ink_text_format(out, first == last ? "\\x{%x}" : "\\x{%x}-\\x{%x}", first, last);
  }
}

// \w. Below U+0100 Oniguruma goes by the classes of ISO 8859-1, which take fractions and
// superscripts for digits.
static void add_word(ink_text *out) {
  ink_text_add(out, "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\xb2\\xb3\\xb9\\xbc-\\xbe");
  add_recent(out, "L");
  add_recent(out, "M");
  add_recent(out, "Nd");
}

static bool compiles(const char *pattern) {
  int fault;
  PCRE2_SIZE offset;
  pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                   PCRE2_UTF | PCRE2_UCP, &fault, &offset, NULL);
  pcre2_code_free(code);
  return code != NULL;
}

// Items of a class for \p{name}.
static ink_status add_property(translation *t, const char *name) {
  static const struct {
    const char *name, *category;
  } long_names[] = {
      {"Letter", "L"},    {"Mark", "M"},   {"Number", "N"}, {"Punctuation", "P"},
      {"Punct", "P"},     {"Symbol", "S"}, {"Digit", "Nd"}, {"Uppercase_Letter", "Lu"},
      {"Separator", "Z"}, {"Other", "C"}};
  for (size_t i = 0; i < sizeof long_names / sizeof long_names[0]; i++) {
    if (strcmp(name, long_names[i].name) == 0) name = long_names[i].category;
  }
  char pattern[64];
  if (strlen(name) <= 2) {
    snprintf(pattern, sizeof pattern, "\\p{%s}", name);
    if (!compiles(pattern)) return refuse(t, "a property of characters that is not known");
    ink_text_add(t->out, pattern);
    if (strchr("LMNPS", name[0])) add_recent(t->out, name);
    return INK_OK;
  }
  if (strcmp(name, "Space") == 0 || strcmp(name, "White_Space") == 0) {
    ink_text_add(t->out, SPACES);
    return INK_OK;
  }
  if (strcmp(name, "Alpha") == 0 || strcmp(name, "Alphabetic") == 0) {
    ink_text_add(t->out, ALPHABETIC);
    add_recent(t->out, "L");
    return INK_OK;
  }
  // A script is the script of the character itself; PCRE2 takes a bare name for its extensions.
  snprintf(pattern, sizeof pattern, "\\p{sc:%s}", name);
  if (!compiles(pattern)) {
    snprintf(pattern, sizeof pattern, "\\p{%s}", name);
    if (!compiles(pattern)) return refuse(t, "a property of characters that is not known");
  }
  ink_text_add(t->out, pattern);
  if (strcmp(name, "Han") == 0)
    ink_text_add(t->out, "\\x{2b739}\\x{2ebf0}-\\x{2ee5d}\\x{31350}-\\x{323af}");
  return INK_OK;
}

// \p{name}, \p{^name}, \P{name}; t->at stands on the backslash.
static ink_status translate_property(translation *t, bool in_class) {
  bool negated = t->source[t->at + 1] == 'P';
  size_t at = t->at + 2;
  if (at >= t->size || t->source[at] != '{') return refuse(t, "\\p without braces");
  at++;
  if (at < t->size && t->source[at] == '^') {
    negated = !negated;
    at++;
  }
  char name[40];
  size_t length = 0;
  while (at < t->size && t->source[at] != '}' && length + 1 < sizeof name) {
    char c = t->source[at++];
    if (c != '_' && (c < '0' || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') || c > 'z')) {
      return refuse(t, "a property of characters that is not known");
    }
    name[length++] = c;
  }
  name[length] = 0;
  if (length == 0 || at >= t->size || t->source[at] != '}') {
    return refuse(t, "a property of characters that is not known");
  }
  if (in_class) {
    if (negated) {  // a class cannot take characters away again
      ink_text_format(t->out, "\\P{%s}", name);
    } else {
      INK_TRY(add_property(t, name));
    }
  } else {
    ink_text_add(t->out, negated ? "[^" : "[");
    INK_TRY(add_property(t, name));
    ink_text_add(t->out, "]");
  }
  t->at = at + 1;
  return INK_OK;
}

// An escape, inside a class or outside; t->at stands on the backslash.
static ink_status translate_escape(translation *t, bool in_class) {
  int c = peek(t, 1);
  ink_text *out = t->out;
  switch (c) {
    case -1:
      return ink_fail_at(t->error, INK_ERR_FORMAT, (int64_t)t->at,
                         "%s: the regular expression ends in a backslash", t->place);
    case 'p':
    case 'P':
      return translate_property(t, in_class);
    case 's':
      ink_text_add(out, in_class ? SPACES : "[" SPACES "]");
      break;
    case 'S':
      ink_text_add(out, in_class ? "\\P{White_Space}" : "[^" SPACES "]");
      break;
    case 'h':
      ink_text_add(out, in_class ? HEX_DIGITS : "[" HEX_DIGITS "]");
      break;
    case 'H':
      if (in_class) return refuse(t, "\\H inside brackets");
      ink_text_add(out, "[^" HEX_DIGITS "]");
      break;
    case 'd':
    case 'D':
      if (in_class && c == 'D') {
        ink_text_add(out, "\\P{Nd}");
        break;
      }
      if (!in_class) ink_text_add(out, c == 'D' ? "[^" : "[");
      ink_text_add(out, "\\p{Nd}");
      add_recent(out, "Nd");
      if (!in_class) ink_text_add(out, "]");
      break;
    case 'w':
    case 'W':
      if (in_class && c == 'W') return refuse(t, "\\W inside brackets");
      if (!in_class) ink_text_add(out, c == 'W' ? "[^" : "[");
      add_word(out);
      if (!in_class) ink_text_add(out, "]");
      break;
    case 'b':
    case 'B': {
      if (in_class) {
        ink_text_add(out, "\\x08");
        break;
      }
      ink_text word = {0};
      add_word(&word);
      const char *w = ink_text_string(&word);
      if (c == 'b') {
        ink_text_format(out, "(?:(?<=[%s])(?![%s])|(?<![%s])(?=[%s]))", w, w, w, w);
      } else {
        ink_text_format(out, "(?:(?<=[%s])(?=[%s])|(?<![%s])(?![%s]))", w, w, w, w);
      }
      if (word.failed) out->failed = true;
      ink_text_free(&word);
      break;
    }
    case 'v':
      ink_text_add(out, "\\x0b");
      break;
    case 'u': {
      char digits[5] = {0};
      for (size_t i = 0; i < 4; i++) {
        int digit = peek(t, 2 + i);
        if (digit < 0 || !strchr("0123456789abcdefABCDEF", digit)) {
          return refuse(t, "\\u without four hexadecimal digits");
        }
        digits[i] = (char)digit;
      }
      ink_text_format(out, "\\x{%s}", digits);
      t->at += 6;
      return INK_OK;
    }
    case 'x':
    case 't':
    case 'n':
    case 'r':
    case 'f':
    case 'a':
    case 'e':
      ink_text_format(out, "\\%c", c);
      break;
    case 'A':
    case 'z':
    case 'Z':
      if (in_class) return refuse(t, "an anchor inside brackets");
      ink_text_format(out, "\\%c", c);
      break;
    default:
      if (c < 0x80 &&
          ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))) {
        char what[32];
        snprintf(what, sizeof what, "the escape \\%c", c);
        return refuse(t, what);
      }
      // An escaped sign is itself; of a longer character the rest follows as it is.
      if (c < 0x80) ink_text_add(out, "\\");
      ink_text_add_bytes(out, t->source + t->at + 1, 1);
      break;
  }
  t->at += 2;
  return INK_OK;
}

// [:name:] inside brackets; t->at stands on its bracket.
static ink_status translate_posix(translation *t) {
  static const struct {
    const char *name, *items, *recent[2];
  } classes[] = {{"[:space:]", SPACES, {NULL, NULL}},
                 {"[:alpha:]", ALPHABETIC, {"L", NULL}},
                 {"[:digit:]", "\\p{Nd}", {"Nd", NULL}},
                 {"[:alnum:]", ALPHABETIC "\\p{Nd}", {"L", "Nd"}},
                 {"[:punct:]", "\\p{P}\\p{S}", {"P", "S"}},
                 {"[:upper:]", "\\p{Uppercase}", {"Lu", NULL}},
                 {"[:lower:]", "\\p{Lowercase}", {"Ll", NULL}},
                 {"[:xdigit:]", HEX_DIGITS, {NULL, NULL}}};
  for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
    size_t length = strlen(classes[i].name);
    if (t->size - t->at < length || memcmp(t->source + t->at, classes[i].name, length) != 0) {
      continue;
    }
    ink_text_add(t->out, classes[i].items);
    for (int k = 0; k < 2; k++) {
      if (classes[i].recent[k]) add_recent(t->out, classes[i].recent[k]);
    }
    t->at += length;
    return INK_OK;
  }
  return refuse(t, "a bracket expression inside brackets");
}

static ink_status translate_class(translation *t) {
  size_t start = t->at;
  ink_text_add(t->out, "[");
  t->at++;
  if (peek(t, 0) == '^') {
    ink_text_add(t->out, "^");
    t->at++;
  }
  if (peek(t, 0) == ']') return refuse(t, "an empty bracket expression");
  while (t->at < t->size && t->source[t->at] != ']') {
    char c = t->source[t->at];
    if (c == '\\') {
      INK_TRY(translate_escape(t, true));
    } else if (c == '[') {
      INK_TRY(translate_posix(t));
    } else if (c == '&' && peek(t, 1) == '&') {
      return refuse(t, "an intersection of brackets (&&)");
    } else {
      ink_text_add_bytes(t->out, &c, 1);
      t->at++;
    }
  }
  if (t->at >= t->size) {
    return ink_fail_at(t->error, INK_ERR_FORMAT, (int64_t)start,
                       "%s: the regular expression has an open bracket", t->place);
  }
  ink_text_add(t->out, "]");
  t->at++;
  return INK_OK;
}

// What follows "(": its options change letters, all else is as it is.
static ink_status translate_group(translation *t) {
  if (t->depth == GROUP_DEPTH) return refuse(t, "more than 200 groups inside each other");
  t->groups[t->depth].begin = t->out->size;
  t->groups[t->depth++].isolated = false;
  t->atom = SIZE_MAX;
  ink_text_add(t->out, "(");
  t->at++;
  int c = peek(t, 0);
  if (c == '*') return refuse(t, "a verb (*…)");
  if (c != '?') return INK_OK;
  ink_text_add(t->out, "?");
  t->at++;
  c = peek(t, 0);
  if (c >= 0 && strchr(":=!>", c)) {
    ink_text_format(t->out, "%c", c);
    t->at++;
    return INK_OK;
  }
  if (c == '<') {  // look-behind, or a name, which is as it is
    ink_text_add(t->out, "<");
    t->at++;
    return INK_OK;
  }
  for (; (c = peek(t, 0)) >= 0; t->at++) {
    if (c == 'm') {
      ink_text_add(t->out, "s");  // Ruby's m lets the dot match a newline
    } else if (c == 'i' || c == '-') {
      ink_text_format(t->out, "%c", c);
    } else {
      break;
    }
  }
  if (c != ':' && c != ')') return refuse(t, "an unknown kind of group");
  // In Ruby a(?i)b|c is a(?i:b|c).
  t->groups[t->depth - 1].isolated = c == ')';
  ink_text_add(t->out, ":");
  t->at++;
  return INK_OK;
}

static void close_isolated(translation *t) {
  while (t->depth > 0 && t->groups[t->depth - 1].isolated) {
    t->depth--;
    ink_text_add(t->out, ")");
  }
}

// {n,m} behind an atom. Ruby knows {,m}, and takes a + behind the braces, or a ? behind {n}, for a
// second repetition where PCRE2 makes the first possessive or lazy.
static ink_status translate_braces(translation *t, bool *is_repeat) {
  size_t at = t->at + 1, digits = 0, commas = 0;
  while (at < t->size && ((t->source[at] >= '0' && t->source[at] <= '9') || t->source[at] == ',')) {
    if (t->source[at] == ',')
      commas++;
    else
      digits++;
    at++;
  }
  *is_repeat = at < t->size && t->source[at] == '}' && digits > 0 && commas <= 1;
  if (!*is_repeat) return INK_OK;
  if (t->atom == SIZE_MAX) return refuse(t, "a repetition of nothing");
  ink_text_add(t->out, t->source[t->at + 1] == ',' ? "{0" : "{");
  ink_text_add_bytes(t->out, t->source + t->at + 1, at - t->at);
  t->at = at + 1;
  if (peek(t, 0) == '+' || (peek(t, 0) == '?' && commas == 0)) {
    ink_text_add(t->out, "(?:)");  // room for what goes around the atom
    if (t->out->failed) return INK_OK;
    char *atom = t->out->bytes + t->atom;
    memmove(atom + 3, atom, t->out->size - t->atom - 4);
    memcpy(atom, "(?:", 3);
    t->out->bytes[t->out->size - 1] = ')';
  }
  return INK_OK;
}

// Append to *out what the expression is in PCRE2's syntax (options UTF, UCP, MULTILINE).
static ink_status translate_pattern(const char *source, size_t size, const char *place,
                                    ink_text *out, ink_error *error) {
  translation t = {
      .source = source, .size = size, .place = place, .out = out, .atom = SIZE_MAX, .error = error};
  while (t.at < size && !out->failed) {
    char c = source[t.at];
    size_t begin = out->size;
    switch (c) {
      case '\\':
        INK_TRY(translate_escape(&t, false));
        t.atom = begin;
        break;
      case '[':
        INK_TRY(translate_class(&t));
        t.atom = begin;
        break;
      case '(':
        INK_TRY(translate_group(&t));
        break;
      case ')':
        close_isolated(&t);
        if (t.depth == 0) {
          return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)t.at,
                             "%s: the regular expression closes a group that is not open", place);
        }
        t.atom = t.groups[--t.depth].begin;
        ink_text_add(out, ")");
        t.at++;
        break;
      case '{': {
        bool is_repeat;
        INK_TRY(translate_braces(&t, &is_repeat));
        if (!is_repeat) {
          ink_text_add(out, "\\{");
          t.atom = begin;
          t.at++;
        }
        break;
      }
      case '|':
        t.atom = SIZE_MAX;
        ink_text_add(out, "|");
        t.at++;
        break;
      case '*':
      case '+':
      case '?':
        ink_text_add_bytes(out, &c, 1);
        t.at++;
        break;
      default: {
        int32_t rune;
        size_t length = ink_utf8_decode(source + t.at, size - t.at, &rune);
        ink_text_add_bytes(out, source + t.at, length);
        t.atom = begin;
        t.at += length;
        break;
      }
    }
  }
  close_isolated(&t);
  return ink_text_status(out, error);
}

// -- Patterns ------------------------------------------------------------------------------------

struct ink_pattern {
  pcre2_code *code;  // of a regular expression
  char *source;      // the same as the file has it
  size_t source_size;
  bool jit;
  char *literal;
  size_t size;
  bool (*is)(int32_t rune);
  char place[256];
};

struct ink_matcher {
  pcre2_match_data *data;
  pcre2_match_context *context;
  pcre2_jit_stack *stack;
};

static ink_status new_pattern(const char *place, ink_pattern **out, ink_error *error) {
  *out = calloc(1, sizeof **out);
  if (!*out) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for a pattern", place);
  snprintf((*out)->place, sizeof(*out)->place, "%s", place);
  return INK_OK;
}

ink_status ink_pattern_regex(const char *source, size_t size, const char *place, ink_pattern **out,
                             ink_error *error) {
  *out = NULL;
  if (size > PATTERN_BYTES) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: a regular expression of %zu bytes; at most %d are supported", place, size,
                    PATTERN_BYTES);
  }
  ink_text text = {0};
  ink_pattern *pattern = NULL;
  ink_status status = translate_pattern(source, size, place, &text, error);
  if (status == INK_OK) status = new_pattern(place, &pattern, error);
  if (status == INK_OK && !(pattern->source = malloc(size + 1))) {
    status = ink_fail(error, INK_ERR_MEMORY, "%s: no memory for a pattern", place);
  }
  if (status == INK_OK) {
    if (size) memcpy(pattern->source, source, size);
    pattern->source[size] = 0;
    pattern->source_size = size;
  }
  pcre2_compile_context *context = NULL;
  if (status == INK_OK && !(context = pcre2_compile_context_create(NULL))) {
    status = ink_fail(error, INK_ERR_MEMORY, "%s: no memory for a pattern", place);
  }
  if (status == INK_OK) {
    int fault;
    PCRE2_SIZE offset;
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pattern->code = pcre2_compile((PCRE2_SPTR)ink_text_string(&text), text.size,
                                  PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                                  &fault, &offset, context);
    if (!pattern->code) {
      PCRE2_UCHAR words[160] = {0};
      pcre2_get_error_message(fault, words, sizeof words);
      status = ink_fail(error, INK_ERR_FORMAT, "%s: not a valid regular expression: %s", place,
                        (const char *)words);
    } else {
      // Without JIT (a hardened kernel, a machine PCRE2 has none for) matching is slower, not
      // other.
      pattern->jit = pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE) == 0;
    }
  }
  pcre2_compile_context_free(context);
  ink_text_free(&text);
  if (status != INK_OK) {
    ink_pattern_free(pattern);
    return status;
  }
  *out = pattern;
  return INK_OK;
}

ink_status ink_pattern_literal(const char *bytes, size_t size, const char *place, ink_pattern **out,
                               ink_error *error) {
  *out = NULL;
  if (size == 0) return ink_fail(error, INK_ERR_FORMAT, "%s: the string is empty", place);
  ink_pattern *pattern;
  INK_TRY(new_pattern(place, &pattern, error));
  pattern->literal = malloc(size);
  if (!pattern->literal) {
    ink_pattern_free(pattern);
    return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for a pattern", place);
  }
  memcpy(pattern->literal, bytes, size);
  pattern->size = size;
  *out = pattern;
  return INK_OK;
}

ink_status ink_pattern_runes(bool (*is)(int32_t rune), ink_pattern **out, ink_error *error) {
  INK_TRY(new_pattern("", out, error));
  (*out)->is = is;
  return INK_OK;
}

const char *ink_pattern_source(const ink_pattern *pattern, size_t *size, bool *regex) {
  *regex = pattern->source != NULL;
  *size = *regex ? pattern->source_size : pattern->size;
  return *regex ? pattern->source : pattern->literal;
}

void ink_pattern_free(ink_pattern *pattern) {
  if (!pattern) return;
  pcre2_code_free(pattern->code);
  free(pattern->literal);
  free(pattern->source);
  free(pattern);
}

ink_matcher *ink_matcher_new(void) {
  ink_matcher *matcher = calloc(1, sizeof *matcher);
  if (!matcher) return NULL;
  matcher->data = pcre2_match_data_create(1, NULL);
  matcher->context = pcre2_match_context_create(NULL);
  if (!matcher->data || !matcher->context) {
    ink_matcher_free(matcher);
    return NULL;
  }
  pcre2_set_match_limit(matcher->context, MATCH_LIMIT);
  return matcher;
}

void ink_matcher_free(ink_matcher *matcher) {
  if (!matcher) return;
  pcre2_match_data_free(matcher->data);
  pcre2_match_context_free(matcher->context);
  pcre2_jit_stack_free(matcher->stack);
  free(matcher);
}

static int run(const ink_pattern *pattern, ink_matcher *matcher, const char *text, size_t size,
               size_t from) {
  if (pattern->jit) {
    return pcre2_jit_match(pattern->code, (PCRE2_SPTR)text, size, from, 0, matcher->data,
                           matcher->context);
  }
  return pcre2_match(pattern->code, (PCRE2_SPTR)text, size, from, PCRE2_NO_UTF_CHECK, matcher->data,
                     matcher->context);
}

static ink_status find_regex(const ink_pattern *pattern, ink_matcher *matcher, const char *text,
                             size_t size, size_t from, ink_match *match, ink_error *error) {
  int result = run(pattern, matcher, text, size, from);
  if (result == PCRE2_ERROR_JIT_STACKLIMIT && !matcher->stack) {
    matcher->stack = pcre2_jit_stack_create(1 << 16, JIT_STACK, NULL);
    if (matcher->stack) {
      pcre2_jit_stack_assign(matcher->context, NULL, matcher->stack);
      result = run(pattern, matcher, text, size, from);
    }
  }
  if (result == PCRE2_ERROR_NOMATCH) return INK_OK;
  if (result < 0) {
    PCRE2_UCHAR words[160] = {0};
    pcre2_get_error_message(result, words, sizeof words);
    return ink_fail_at(error, INK_ERR_UNSUPPORTED, (int64_t)from,
                       "%s: the regular expression needs too much work on this text (%s)",
                       pattern->place, (const char *)words);
  }
  const PCRE2_SIZE *span = pcre2_get_ovector_pointer(matcher->data);
  *match = (ink_match){.found = true, .start = span[0], .end = span[1]};
  return INK_OK;
}

// The next match at or after `from` in well-formed UTF-8 text[0 … size). Backtracking beyond the
// limit is UNSUPPORTED.
static ink_status find_match(const ink_pattern *pattern, ink_matcher *matcher, const char *text,
                             size_t size, size_t from, ink_match *match, ink_error *error) {
  match->found = false;
  if (from > size) return INK_OK;
  if (pattern->code) return find_regex(pattern, matcher, text, size, from, match, error);
  if (pattern->literal) {
    const char *hit =
        size > from ? memmem(text + from, size - from, pattern->literal, pattern->size) : NULL;
    if (!hit) return INK_OK;
    size_t start = (size_t)(hit - text);
    *match = (ink_match){.found = true, .start = start, .end = start + pattern->size};
    return INK_OK;
  }
  while (from < size) {
    int32_t rune;
    size_t length = ink_utf8_decode(text + from, size - from, &rune);
    if (pattern->is(rune)) {
      *match = (ink_match){.found = true, .start = from, .end = from + length};
      return INK_OK;
    }
    from += length;
  }
  return INK_OK;
}

ink_matches ink_matches_of(const ink_pattern *pattern, ink_matcher *matcher, const char *text,
                           size_t size) {
  return (ink_matches){.pattern = pattern,
                       .matcher = matcher,
                       .text = text,
                       .size = size,
                       .at = size ? 0 : 1,  // in an empty text the reference looks for nothing
                       .last_end = SIZE_MAX};
}

ink_status ink_matches_next(ink_matches *matches, ink_match *match, ink_error *error) {
  for (;;) {
    INK_TRY(find_match(matches->pattern, matches->matcher, matches->text, matches->size,
                       matches->at, match, error));
    if (!match->found) return INK_OK;
    if (match->start < match->end || match->end != matches->last_end) {
      matches->at = matches->last_end = match->end;
      return INK_OK;
    }
    if (matches->at >= matches->size) {
      match->found = false;
      return INK_OK;
    }
    int32_t rune;
    matches->at += ink_utf8_decode(matches->text + matches->at, matches->size - matches->at, &rune);
  }
}
