// Forms of Chinese verse as data: regulated verse (五绝 七绝 五律 七律) and ci (词牌). The tables
// are src/lang/data/shi.txt and ci.txt; docs/prosody.md says how they came about.
#ifndef INK_LANG_VERSE_FORM_H
#define INK_LANG_VERSE_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"
#include "lang/prosody.h"

enum {
  INK_VERSE_PLACES = 10,   // characters in a clause at most
  INK_VERSE_TONES = 3,     // tone patterns of a clause
  INK_VERSE_PATTERNS = 4,  // of a form
  INK_VERSE_CLAUSES = 32,  // of a pattern
  INK_VERSE_RHYMES = 4     // rhymes of a pattern
};

typedef enum ink_verse_kind {
  INK_VERSE_SHI,  // rhymes by group of 平水韻, in a level tone
  INK_VERSE_CI    // rhymes by ci class
} ink_verse_kind;

// What stands between two marks.
typedef struct ink_verse_clause {
  uint8_t length;     // characters
  uint8_t n_tones;    // tone patterns that are legal …
  uint8_t n_written;  // … and how many of them, from the first, a writer uses
  uint8_t tones[INK_VERSE_TONES][INK_VERSE_PLACES];  // the tones a place allows, bits of ink_tone
  int rhyme;      // the rhyme its last character belongs to, 0 … n_rhyme - 1; -1: none
  bool echo;      // repeats the last characters of the clause before (叠句)
  bool stanza;    // a stanza ends here and another follows
  uint16_t mark;  // 、 within a line, ， between lines, 。 at the end of a sentence
} ink_verse_clause;

// One way to fill a form.
typedef struct ink_verse_pattern {
  const char *name;  // "平起入韵", "正体"
  float share;       // of the poems in this form that follow it
  const ink_verse_clause *clauses;
  uint8_t n_clause;
  uint8_t n_line;      // parted by ， and 。
  uint8_t n_sentence;  // ended by 。
  uint8_t n_rhyme;     // different rhymes
  uint8_t n_place;     // characters
} ink_verse_pattern;

typedef struct ink_verse_form {
  const char *const *names;  // the first is the usual one; NULL behind the last
  ink_verse_kind kind;
  const ink_verse_pattern *patterns;  // the most usual first
  uint8_t n_pattern;                  // 1 … INK_VERSE_PATTERNS
} ink_verse_form;

// The form at an index, NULL beyond the last.
const ink_verse_form *ink_verse_form_at(size_t index);

// A form by any of its names, in simplified or traditional characters; NULL when there is none.
const ink_verse_form *ink_verse_form_find(const char *name);

// The same where a person named it: USAGE suggests the nearest name, or lists the forms there are.
ink_status ink_verse_form_named(const char *name, const ink_verse_form **form, ink_error *error);

// Append the usual names of all forms, parted by spaces.
void ink_verse_form_list(ink_text *out);

#endif
