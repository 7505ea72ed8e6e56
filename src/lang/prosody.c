// Rhyme and tone of Chinese characters: lookups in the packed rhyme book.
#include "lang/prosody.h"

#include <string.h>

#include "base/text.h"
#include "lang/pingshui_table.h"
#include "lang/simplify.h"

enum { READINGS = sizeof reading_table / sizeof *reading_table };

_Static_assert(sizeof group_table / sizeof *group_table == INK_RHYME_GROUPS,
               "the rhyme book has 106 groups");

// The first reading of a character at or after `rune` in the sorted table.
static size_t first_reading(uint32_t rune) {
  size_t low = 0, high = READINGS;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (reading_table[middle] >> 8 < rune)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

size_t ink_prosody_readings(uint32_t rune, ink_reading out[INK_READINGS_MAX]) {
  size_t n = 0;
  for (size_t i = first_reading(rune); i < READINGS && reading_table[i] >> 8 == rune; i++) {
    const uint8_t *cell = cell_table[reading_table[i] >> 1 & 127];
    out[n++] = (ink_reading){.group = cell[0],
                             .ci_class = cell[1],
                             .tone = (uint8_t)group_table[cell[0]].tone,
                             .common = reading_table[i] & 1};
    if (n == INK_READINGS_MAX) break;
  }
  return n;
}

unsigned ink_prosody_tones(uint32_t rune, ink_reading_set which) {
  ink_reading readings[INK_READINGS_MAX];
  size_t n = ink_prosody_readings(rune, readings);
  unsigned tones = 0;
  for (size_t i = 0; i < n; i++)
    if (which == INK_READINGS_ALL || readings[i].common) tones |= readings[i].tone;
  return tones;
}

bool ink_prosody_in_group(uint32_t rune, int group, ink_reading_set which) {
  ink_reading readings[INK_READINGS_MAX];
  size_t n = ink_prosody_readings(rune, readings);
  for (size_t i = 0; i < n; i++)
    if (readings[i].group == group && (which == INK_READINGS_ALL || readings[i].common))
      return true;
  return false;
}

const ink_rhyme_group *ink_rhyme_group_at(int index) {
  return index >= 0 && index < INK_RHYME_GROUPS ? &group_table[index] : NULL;
}

// What follows `prefix` in a name, compared in simplified characters; NULL when it does not begin
// so.
static const char *after(const char *name, const char *prefix) {
  while (*prefix) {
    int32_t given, wanted;
    name += ink_utf8_decode(name, strlen(name), &given);
    prefix += ink_utf8_decode(prefix, strlen(prefix), &wanted);
    if (given < 0 || ink_simplify_rune((uint32_t)given) != (uint32_t)wanted) return NULL;
  }
  return name;
}

// The character a group is named after: what follows its ordinal.
static const char *bare_name(const char *name) {
  const char *last = name;
  for (const char *at = name; *at;) {
    int32_t rune;
    last = at;
    at += ink_utf8_decode(at, strlen(at), &rune);
  }
  return last;
}

int ink_rhyme_group_find(const char *name) {
  static const char *const tones[] = {"上平声", "下平声", "上平", "下平", "平声", "上声",
                                      "去声",   "入声",   "平",   "上",   "去",   "入"};
  const char *rest = name;
  for (size_t t = 0; t < sizeof tones / sizeof *tones; t++) {
    const char *end = after(name, tones[t]);
    if (end && *end) {
      rest = end;
      break;
    }
  }
  for (int i = 0; i < INK_RHYME_GROUPS; i++) {
    const char *full = after(rest, group_table[i].name);
    const char *bare = after(rest, bare_name(group_table[i].name));
    if ((full && !*full) || (bare && !*bare)) return i;
  }
  return -1;
}
