// Rhyme and tone of Chinese characters: 平水韻 derived from 廣韻, and the wider classes in which ci
// rhymes. docs/prosody.md says how the table came about and how well it agrees with others.
#ifndef INK_LANG_PROSODY_H
#define INK_LANG_PROSODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  INK_RHYME_GROUPS = 106,  // of 平水韻
  INK_CI_CLASSES = 19,     // numbered from 1; 15 to 19 hold the entering tone
  INK_READINGS_MAX = 16    // no character has more
};

// The four tones as a set of bits.
typedef enum ink_tone {
  INK_TONE_PING = 1,
  INK_TONE_SHANG = 2,
  INK_TONE_QU = 4,
  INK_TONE_RU = 8,
  INK_TONE_ZE = INK_TONE_SHANG | INK_TONE_QU | INK_TONE_RU  // deflected
} ink_tone;

// Which readings count. A rhyme book keeps readings that verse never uses (不 as a level tone):
// judging a text takes them all, writing one takes only the common.
typedef enum ink_reading_set { INK_READINGS_ALL, INK_READINGS_COMMON } ink_reading_set;

typedef struct ink_reading {
  uint8_t group;     // 0 … INK_RHYME_GROUPS - 1, in the book's order
  uint8_t ci_class;  // 1 … INK_CI_CLASSES
  uint8_t tone;      // one ink_tone
  bool common;
} ink_reading;

typedef struct ink_rhyme_group {
  const char *name;  // "一东"
  ink_tone tone;
} ink_rhyme_group;

// All readings of a character, simplified or traditional; returns their number, 0 for a character
// the book does not know. A simplified character has the readings of all forms it stands for.
size_t ink_prosody_readings(uint32_t rune, ink_reading out[INK_READINGS_MAX]);

// The tones of a character as a set of ink_tone; 0 when unknown.
unsigned ink_prosody_tones(uint32_t rune, ink_reading_set which);

// True when one of its readings is in the group.
bool ink_prosody_in_group(uint32_t rune, int group, ink_reading_set which);

// The group at an index below INK_RHYME_GROUPS, else NULL.
const ink_rhyme_group *ink_rhyme_group_at(int index);

// The index of a group by name: "一东", "东", with its tone before it ("上平一东", "入声一屋") or
// in traditional characters ("一東"); -1 when there is none.
int ink_rhyme_group_find(const char *name);

#endif
