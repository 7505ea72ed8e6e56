// Inside the room: what the files of the verse automaton share.
#ifndef INK_LLM_VERSE_PARTS_H
#define INK_LLM_VERSE_PARTS_H

#include "base/text.h"
#include "llm/verse.h"

enum {
  INK_VERSE_MOST_CHARACTERS = INK_VERSE_CLAUSES * INK_VERSE_PLACES,
  INK_VERSE_MOST_SLOTS = INK_VERSE_MOST_CHARACTERS + 2 * INK_VERSE_CLAUSES + 1,
  INK_VERSE_MOST_KEYS = 32,    // level groups of 平水韻 (30), or ci classes by number
  INK_VERSE_MOST_ENDS = 8,     // end tokens
  INK_VERSE_LEAST_WORDS = 500  // characters with a reading that a vocabulary must have
};

enum { INK_VERSE_ANY = INK_TONE_PING | INK_TONE_ZE };

// What a character is to verse. Sets of rhyme keys: bit g for group g (the 30 level groups come
// first in the book), bit c for ci class c.
typedef struct ink_verse_word {
  uint32_t rune;  // 0: no character
  uint8_t tones;  // ink_tone
  uint32_t level_groups, level_classes, deflected_classes;
} ink_verse_word;

typedef enum ink_verse_mark {
  INK_MARK_COMMA,
  INK_MARK_PAUSE,
  INK_MARK_STOP,
  INK_MARK_QUESTION,
  INK_MARK_EXCLAMATION,
  INK_MARK_BREAK,
  INK_MARKS
} ink_verse_mark;

struct ink_verse_lexicon {
  ink_verse_word *words;  // by token
  // Sets of tokens, bit id % 64 of word id / 64; n_set words each, in one block.
  size_t n_set;
  uint64_t *sets;
  uint64_t *characters;
  uint64_t *with_tone[INK_VERSE_ANY + 1];  // those that have one of these tones
  uint64_t *with_level_group[INK_VERSE_MOST_KEYS], *with_level_class[INK_VERSE_MOST_KEYS],
      *with_deflected_class[INK_VERSE_MOST_KEYS];
  size_t n_vocab;
  int32_t marks[INK_MARKS];  // tokens, -1 where the vocabulary has none
  int32_t ends[INK_VERSE_MOST_ENDS];
  size_t n_end;
  // How many characters have a key.
  int level_groups[INK_VERSE_MOST_KEYS], level_classes[INK_VERSE_MOST_KEYS],
      deflected_classes[INK_VERSE_MOST_KEYS];
};

// True for what a poem is written with.
bool ink_verse_is_han(uint32_t rune);
// The characters of the marks, in the order of ink_verse_mark.
extern const uint32_t ink_verse_marks[INK_MARKS];
ink_verse_word ink_verse_read_word(uint32_t rune, ink_reading_set which);
// Add one to the count of each key in the set.
void ink_verse_count_keys(uint32_t keys, int counts[INK_VERSE_MOST_KEYS]);
// The token of a character, or -1.
int32_t ink_verse_token_of(const ink_verse_lexicon *lexicon, uint32_t rune);

typedef enum ink_verse_slot_kind {
  INK_SLOT_CHARACTER,
  INK_SLOT_MARK,
  INK_SLOT_BREAK,
  INK_SLOT_END
} ink_verse_slot_kind;

typedef struct ink_verse_slot {
  uint8_t kind, clause, place;
} ink_verse_slot;

// A pattern with the demands laid over it; does not change while writing.
typedef struct ink_verse_plan {
  const ink_verse_pattern *pattern;
  ink_verse_slot slots[INK_VERSE_MOST_SLOTS];
  int n_slot;
  uint8_t starts[INK_VERSE_CLAUSES];          // index of the clause's first character in the poem
  uint32_t fixed[INK_VERSE_MOST_CHARACTERS];  // the character asked for at a place, or 0
  int32_t fixed_tokens[INK_VERSE_MOST_CHARACTERS];  // its token, or -1
  uint8_t tones[INK_VERSE_CLAUSES];  // tone patterns of the clause that may be used, as bits
  uint32_t keys[INK_VERSE_RHYMES];   // rhyme keys that may be used
} ink_verse_plan;

// Words of one rhyme that are still to come, by side.
typedef struct ink_verse_need {
  int level, deflected;
} ink_verse_need;

// What changes while writing.
typedef struct ink_verse_state {
  int step;        // tokens taken
  int n;           // characters taken
  unsigned alive;  // patterns, as bits
  bool done;
  uint8_t tones[INK_VERSE_PATTERNS];  // of the clause at hand
  uint32_t keys[INK_VERSE_PATTERNS][INK_VERSE_RHYMES];
  ink_verse_need needs[INK_VERSE_PATTERNS][INK_VERSE_RHYMES];
  uint32_t runes[INK_VERSE_MOST_CHARACTERS];
  int32_t tokens[INK_VERSE_MOST_CHARACTERS];  // of the characters; -1 for one that is not of the
                                              // vocabulary
} ink_verse_state;

struct ink_verse {
  const ink_verse_lexicon *lexicon;
  const ink_verse_form *form;
  ink_verse_plan plans[INK_VERSE_PATTERNS];
  int n_plan;
  bool repeat;
  bool group_given;
  int group;  // the one of 平水韻 that was asked for, or -1
  ink_verse_state now, begin;
  ink_text opening;  // as it was taken, with its line breaks
  uint64_t *bits;    // of the processor
  uint64_t *fresh;   // of ink_verse_allowed
};

// Whether a clause ends in a level tone; all its tone patterns agree on that.
static inline bool ink_verse_ends_level(const ink_verse_clause *clause) {
  return clause->tones[0][clause->length - 1] == INK_TONE_PING;
}

static inline bool ink_verse_has_tone(const ink_verse_word *own, uint8_t allowed) {
  return allowed == INK_VERSE_ANY || own->tones & allowed;
}

// The keys of a character at the end of a clause.
static inline uint32_t ink_verse_keys_at(const ink_verse *verse, const ink_verse_clause *clause,
                                         const ink_verse_word *own) {
  if (verse->form->kind == INK_VERSE_SHI) return own->level_groups;
  return ink_verse_ends_level(clause) ? own->level_classes : own->deflected_classes;
}

// The tokens that have a key there, by key.
static inline uint64_t *const *ink_verse_sets_at(const ink_verse *verse,
                                                 const ink_verse_clause *clause) {
  const ink_verse_lexicon *lexicon = verse->lexicon;
  if (verse->form->kind == INK_VERSE_SHI) return lexicon->with_level_group;
  return ink_verse_ends_level(clause) ? lexicon->with_level_class : lexicon->with_deflected_class;
}

// Words of a rhyme that a plan still waits for from clause k on; echoes repeat a word, need none.
ink_verse_need ink_verse_needs_from(const ink_verse_plan *plan, int k, int rhyme);

// What the demands make of the patterns (verse_demand.c): verse->plans, n_plan, group.
ink_status ink_verse_make_plans(ink_verse *verse, const ink_verse_demand *demand, ink_error *error);
// "平", "仄", "平 or 仄" for messages.
const char *ink_verse_tone_text(unsigned tones);

// A character as a string, for messages.
typedef struct ink_rune_text {
  char bytes[5];
} ink_rune_text;
ink_rune_text ink_verse_rune_text(uint32_t rune);

#endif
