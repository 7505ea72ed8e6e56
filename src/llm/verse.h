// Verse that keeps its form while it is being written: an automaton over (pattern, clause, place)
// which, for each step, knows the tokens that are allowed. Every beginning it permits can be
// completed. The forms are those of lang/verse_form.h, the rules those of docs/prosody.md.
//
// Several patterns of a form stay possible side by side and drop out as characters are chosen; the
// rhyme is open until its first word, unless it is asked for.
#ifndef INK_LLM_VERSE_H
#define INK_LLM_VERSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "lang/verse_form.h"
#include "llm/llm.h"

struct ink_tokenizer;

// A vocabulary as verse sees it: tones and rhymes of each token, and the tokens of the marks.
typedef struct ink_verse_lexicon ink_verse_lexicon;

// runes[id]: the one character that token writes, or -1 for all others. `ends`: the tokens that end
// a poem, of which there must be one. USAGE when the vocabulary lacks ， or 。 or has fewer than
// 500 characters with a reading. Release with ink_verse_lexicon_free.
ink_status ink_verse_lexicon_new(const int32_t *runes, size_t n_vocab, const int32_t *ends,
                                 size_t n_end, ink_verse_lexicon **lexicon, ink_error *error);
// The same from a tokenizer, which is not kept.
ink_status ink_verse_lexicon_of(const struct ink_tokenizer *tokenizer, ink_verse_lexicon **lexicon,
                                ink_error *error);
void ink_verse_lexicon_free(ink_verse_lexicon *lexicon);

// What a poem must be. UTF-8, simplified or traditional; NULL or "" leaves a demand out.
typedef struct ink_verse_demand {
  const ink_verse_form *form;
  const char *pattern;   // tone pattern by name: "平起入韵"
  const char *acrostic;  // 藏头: one character for every line, or one for every sentence
  const char *rhymes;    // 步韵: the rhyme words in order, all of them
  // Rhyme: a group of 平水韻 ("一东", "东"); in ci also a class ("第一部"). Of a pattern with
  // several rhymes, the first.
  const char *group;
  const char *opening;  // the text that the poem begins with, marks included
  bool repeat;  // let characters come again; else one that stood in the poem comes again only
                // doubled (年年), in an echo, where it was asked for, or where no other is left
} ink_verse_demand;

typedef struct ink_verse ink_verse;

// An automaton at its beginning, behind the opening. The lexicon must outlive it. USAGE: a demand
// that no poem of the form in this vocabulary can meet, with the character and the reason. Release
// with ink_verse_free.
ink_status ink_verse_new(const ink_verse_lexicon *lexicon, const ink_verse_demand *demand,
                         ink_verse **verse, ink_error *error);
void ink_verse_free(ink_verse *verse);
// Back to where ink_verse_new left it, for another poem. No allocation here or below.
void ink_verse_restart(ink_verse *verse);

// Set bit id % 64 of bits[id / 64] for each token that may come next, clear all others up to
// n_vocab. At least one is set until ink_verse_done.
void ink_verse_allowed(ink_verse *verse, uint64_t *bits);
// Take a step. USAGE when the token was not allowed; the automaton then stands as before.
ink_status ink_verse_accept(ink_verse *verse, int32_t token, ink_error *error);
// True behind the end token.
bool ink_verse_done(const ink_verse *verse);
// The pattern, once it is the only one left; else NULL.
const ink_verse_pattern *ink_verse_settled(const ink_verse *verse);

// The opening in simplified characters, with the line breaks between its sentences; "" for none.
const char *ink_verse_opening(const ink_verse *verse);

// As a processor of a session, whose prompt ends with ink_verse_opening.
ink_logit_processor ink_verse_processor(ink_verse *verse);

#endif
