// Patterns that split or replace text: a regular expression from a tokenizer file, a literal
// string, or a class of code points.
#ifndef INK_TOKENIZER_PATTERN_H
#define INK_TOKENIZER_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

typedef struct ink_pattern ink_pattern;

// Compile a regular expression as the reference implementation understands it: Oniguruma's Ruby
// syntax over UTF-8 (Oniguruma 6.9, doc/RE; Unicode 16). `place` is what errors call it, file and
// JSON pointer. An expression that is not valid is FORMAT; one that uses what cannot be carried
// over faithfully is UNSUPPORTED.
ink_status ink_pattern_regex(const char *source, size_t size, const char *place, ink_pattern **out,
                             ink_error *error);
// The string itself; it must not be empty.
ink_status ink_pattern_literal(const char *bytes, size_t size, const char *place, ink_pattern **out,
                               ink_error *error);
// Any one code point that `is` accepts.
ink_status ink_pattern_runes(bool (*is)(int32_t rune), ink_pattern **out, ink_error *error);
void ink_pattern_free(ink_pattern *pattern);

// What it was made from: the regular expression as the file has it (*regex true) or the string.
// NULL for a class of code points. Valid as long as the pattern.
const char *ink_pattern_source(const ink_pattern *pattern, size_t *size, bool *regex);

// What one thread needs for matching; it serves any pattern. NULL without memory.
typedef struct ink_matcher ink_matcher;
ink_matcher *ink_matcher_new(void);
void ink_matcher_free(ink_matcher *matcher);

typedef struct ink_match {
  bool found;
  size_t start, end;
} ink_match;

// A walk over all matches, left to right, not overlapping, as Oniguruma's scan does it: an empty
// match right behind the previous one is passed over.
typedef struct ink_matches {
  const ink_pattern *pattern;
  ink_matcher *matcher;
  const char *text;
  size_t size;
  size_t at;
  size_t last_end;  // SIZE_MAX before the first match
} ink_matches;

ink_matches ink_matches_of(const ink_pattern *pattern, ink_matcher *matcher, const char *text,
                           size_t size);
// match->found is false at the end.
ink_status ink_matches_next(ink_matches *matches, ink_match *match, ink_error *error);

#endif
