// Judges a poem against a form: lengths, tones, rhyme, repeated rhyme words, acrostic. What "legal"
// means is stated in docs/prosody.md.
#ifndef INK_CHECK_VERSE_H
#define INK_CHECK_VERSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "lang/catalogue.h"
#include "lang/verse_form.h"

typedef enum ink_verse_fault_kind {
  INK_VERSE_FAULT_LENGTH,    // the line has not as many characters as the form asks
  INK_VERSE_FAULT_TONE,      // the character has no reading of the tone that its place demands
  INK_VERSE_FAULT_UNKNOWN,   // … because the rhyme book does not know it at all
  INK_VERSE_FAULT_RHYME,     // the character does not rhyme with the others
  INK_VERSE_FAULT_REPEATED,  // a rhyme word stood in an earlier rhyme (a fault in shi, a remark in
                             // ci)
  INK_VERSE_FAULT_ECHO,      // the clause does not repeat the end of the one before (叠句)
  INK_VERSE_FAULT_ACROSTIC   // the line does not begin with its character of the acrostic
} ink_verse_fault_kind;

typedef struct ink_verse_fault {
  ink_verse_fault_kind kind;
  uint8_t clause, place;  // from 0
  uint32_t rune;          // the character at fault; 0 where it is missing
} ink_verse_fault;

enum { INK_VERSE_FAULTS = 64 };

typedef struct ink_verse_report {
  const ink_verse_form *form;
  // The pattern that fits best; NULL when the lines have the lengths of none.
  const ink_verse_pattern *pattern;
  bool legal;  // lengths, tones, rhyme and echoes hold, rhyme words are distinct (shi), and the
               // acrostic reads as asked
  bool length_ok, tones_ok, rhyme_ok, distinct_ok, echo_ok, acrostic_ok;
  // For each rhyme of the pattern, what it rhymes in: a group of 平水韻 (shi) or a ci class; -1
  // where the rhyme words have nothing in common.
  int rhymes[INK_VERSE_RHYMES];
  int n_clause;
  struct {
    uint8_t length;                      // characters given
    uint8_t expected;                    // and asked for; 0 beyond the form's end
    uint32_t runes[INK_VERSE_PLACES];    // the first of them
    uint8_t tones[INK_VERSE_PLACES];     // their tones, sets of ink_tone, 0: unknown
    uint8_t demanded[INK_VERSE_PLACES];  // what the places allow
  } clauses[INK_VERSE_CLAUSES];
  ink_verse_fault faults[INK_VERSE_FAULTS];
  int n_fault;  // at most INK_VERSE_FAULTS are kept
} ink_verse_report;

// Judge `text`: UTF-8, simplified or traditional, clauses parted by marks or line breaks; quotation
// and book marks are passed over. Marks may differ from the form's in kind, and 、 may be missing.
// `form` NULL: the form that it fits best. `acrostic` (may be NULL): one character for every line
// or for every sentence. FORMAT: no well-formed UTF-8, or no verse at all; NOT_FOUND: no form has
// such lines (only when form is NULL); USAGE: the acrostic has a length of neither kind.
ink_status ink_check_verse(const char *text, size_t size, const ink_verse_form *form,
                           const char *acrostic, ink_verse_report *report, ink_error *error);

// Name of a kind of fault for JSON: "length", "tone", …
const char *ink_verse_fault_name(ink_verse_fault_kind kind);

// A sentence about a fault, with the character and its place, 1-based.
void ink_verse_fault_text(const ink_verse_report *report, const ink_verse_fault *fault,
                          ink_language language, ink_text *out);

// Append what rhyme 0 … n_rhyme - 1 rhymes in, where report->rhymes[rhyme] >= 0: "一东", "第七部".
void ink_verse_rhyme_name(const ink_verse_report *report, int rhyme, ink_text *out);

// The report as an object: form, pattern, legal, length, tones, rhyme, distinct, acrostic, rhymes
// [names], lines [{text, tones, ok}], faults [{kind, line, place, character, text}]. The caller
// owns it; NULL without memory.
json_t *ink_verse_report_json(const ink_verse_report *report);

#endif
