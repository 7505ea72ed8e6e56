// A second judge of regulated verse; see docs/prosody.md, "Regulated verse".
#include "independent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Level and deflected readings, and the level groups (at most 30) of each code point.
enum { CODE_POINTS = 0x40000 };

struct rhyme_book {
  bool level[CODE_POINTS], deflected[CODE_POINTS];
  unsigned groups[CODE_POINTS];
};

// The next code point of well-formed UTF-8; 0 at the end or when it is none.
static unsigned next(const char **at) {
  const unsigned char *s = (const unsigned char *)*at;
  int size = s[0] < 0x80 ? 1 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
  unsigned rune = size == 1 ? s[0] : s[0] & (0x7FU >> size);
  if (s[0] == 0) return 0;
  for (int i = 1; i < size; i++) {
    if ((s[i] & 0xC0) != 0x80) return 0;
    rune = rune << 6 | (s[i] & 0x3F);
  }
  *at += size;
  return rune < CODE_POINTS ? rune : 0;
}

rhyme_book *rhyme_book_read(const char *path) {
  FILE *file = fopen(path, "r");
  rhyme_book *book = calloc(1, sizeof *book);
  char *line = NULL, seen[64] = "";
  size_t room = 0;
  int group = -1, rows = 0;
  while (file && book && getline(&line, &room, file) > 0) {
    if (line[0] == '#') continue;
    // Tone, group, ci class, characters in common use, characters in rare use.
    char *tabs[4], *at = line;
    int n = 0;
    for (; n < 4 && (at = strchr(at, '\t')); n++) {
      *at = 0;
      tabs[n] = ++at;
    }
    if (n < 4) break;
    rows++;
    bool level = !strcmp(line, "平");
    if (level && strcmp(seen, tabs[0])) {
      snprintf(seen, sizeof seen, "%s", tabs[0]);
      group++;
    }
    for (int column = 2; column < 4; column++) {
      const char *text = tabs[column];
      for (unsigned rune; (rune = next(&text)) && rune != '\n';) {
        if (level) {
          book->level[rune] = true;
          book->groups[rune] |= 1U << group;
        } else {
          book->deflected[rune] = true;
        }
      }
    }
  }
  free(line);
  if (file) fclose(file);
  if (!book || group != 29 || rows < 106) {
    fprintf(stderr, "%s: not the rhyme book (%d level groups, %d rows)\n", path, group + 1, rows);
    free(book);
    return NULL;
  }
  return book;
}

void rhyme_book_free(rhyme_book *book) {
  free(book);
}

static bool can_be(const rhyme_book *book, unsigned rune, bool level) {
  return level ? book->level[rune] : book->deflected[rune];
}

// A line by the tones of its fifth-last-but-three and last characters: in five characters the
// second and the fifth. Seven have two more in front: the second opposite to the fourth, the first
// free.
static bool line_fits(const rhyme_book *book, const unsigned *line, int width, bool second,
                      bool last) {
  if (width == 7) {
    if (!can_be(book, line[1], !second)) return false;
    line += 2;
  }
  bool level0 = can_be(book, line[0], true), level2 = can_be(book, line[2], true);
  bool deflected2 = can_be(book, line[2], false);
  if (!can_be(book, line[1], second) || !can_be(book, line[4], last)) return false;
  bool level3 = can_be(book, line[3], true), deflected3 = can_be(book, line[3], false);
  if (!second && !last) return level3;                          // 中仄中平仄
  if (!second && last) return deflected2 && level3;             // 中仄仄平平: no 三平尾
  if (second && last) return deflected3 && (level0 || level2);  // 平平中仄平: no 孤平
  // 中平平仄仄; with a level first also 平平仄仄仄, and 平平仄平仄, which swaps two tones.
  return (deflected3 && level2) || (level0 && deflected2 && (deflected3 || level3));
}

static int read_poem(const char *poem, unsigned *runes, int *ends, int most) {
  int n = 0, lines = 0;
  for (unsigned rune; (rune = next(&poem));) {
    if (rune == 0xFF0C || rune == 0x3002 || rune == 0xFF1F || rune == 0xFF01) {
      if (lines == 8) return -1;
      ends[lines++] = n;
    } else if (rune != '\n') {
      if (n == most) return -1;
      runes[n++] = rune;
    }
  }
  return *poem ? -1 : lines;
}

bool is_legal_verse(const rhyme_book *book, const char *poem, int lines, int width, char *why) {
  unsigned runes[64];
  int ends[8];
  strcpy(why, "lines or their lengths");
  if (read_poem(poem, runes, ends, 64) != lines) return false;
  for (int i = 0; i < lines; i++)
    if (ends[i] != (i + 1) * width) return false;
  strcpy(why, "tones");
  for (int way = 0; way < 4; way++) {
    bool begins_level = way & 1, first_rhymes = way & 2, fits = true;
    for (int i = 0; i < lines && fits; i++) {
      // 对: the lines of a couplet differ in their second character; 粘: neighbours of two couplets
      // agree. So 1 4 5 8 have one tone there, 2 3 6 7 the other.
      bool second = (i % 4 == 0 || i % 4 == 3) == begins_level;
      bool last = i % 2 == 1 || (i == 0 && first_rhymes);
      fits = line_fits(book, runes + i * width, width, second, last);
    }
    if (!fits) continue;
    unsigned shared = ~0U;
    bool distinct = true;
    for (int i = first_rhymes ? 0 : 1; i < lines; i += i ? 2 : 1) {
      shared &= book->groups[runes[(i + 1) * width - 1]];
      for (int j = first_rhymes ? 0 : 1; j < i; j += j ? 2 : 1)
        distinct = distinct && runes[(j + 1) * width - 1] != runes[(i + 1) * width - 1];
    }
    if (shared && distinct) return true;
    snprintf(why, 200, "%s", shared ? "a rhyme word comes twice" : "no common rhyme group");
  }
  return false;
}
