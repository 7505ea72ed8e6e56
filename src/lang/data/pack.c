// Build-time program: turns the tables of this folder into C arrays.
//   pack_lang rhyme-book|simplification input.tsv output.h
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { MAX_COLUMNS = 8, MAX_CELLS = 128 };

typedef struct words {
  uint64_t *items;
  size_t count, capacity;
} words;

static bool add_word(words *list, uint64_t word) {
  if (list->count == list->capacity) {
    size_t capacity = list->capacity ? list->capacity * 2 : 4096;
    uint64_t *items = realloc(list->items, capacity * sizeof *items);
    if (!items) return false;
    list->items = items;
    list->capacity = capacity;
  }
  list->items[list->count++] = word;
  return true;
}

static int compare_words(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

// Split a line at tabs, in place; returns how many columns it has.
static int split(char *line, char *columns[MAX_COLUMNS]) {
  int n = 0;
  line[strcspn(line, "\n")] = 0;
  for (char *at = line; at && n < MAX_COLUMNS;) {
    columns[n++] = at;
    at = strchr(at, '\t');
    if (at) *at++ = 0;
  }
  return n;
}

static uint32_t next_rune(const char **at) {
  int32_t rune;
  *at += ink_utf8_decode(*at, strlen(*at), &rune);
  return rune < 0 ? 0 : (uint32_t)rune;
}

static const char *tone_name(const char *tone) {
  static const char *const names[][2] = {{"平", "INK_TONE_PING"},
                                         {"上", "INK_TONE_SHANG"},
                                         {"去", "INK_TONE_QU"},
                                         {"入", "INK_TONE_RU"}};
  for (size_t i = 0; i < 4; i++)
    if (!strcmp(tone, names[i][0])) return names[i][1];
  return NULL;
}

static bool print_words(FILE *out, words *list, const char *declaration, const char *format) {
  qsort(list->items, list->count, sizeof *list->items, compare_words);
  fprintf(out, "static const %s[] = {", declaration);
  for (size_t i = 0; i < list->count; i++) {
    fputs(i % 8 ? " " : "\n  ", out);
    fprintf(out, format, (unsigned long long)list->items[i]);
  }
  fprintf(out, "\n};\n");
  return list->count > 0;
}

// One word a reading: code point << 8 | cell << 1 | common.
static bool pack_rhyme_book(FILE *in, FILE *out) {
  char *line = NULL, *columns[MAX_COLUMNS], group[64] = "";
  size_t room = 0;
  words readings = {0};
  int cells = 0, groups = 0, group_of[MAX_CELLS] = {0}, ci_of[MAX_CELLS] = {0};
  bool good = true;
  fprintf(out, "static const ink_rhyme_group group_table[] = {\n");
  while (good && getline(&line, &room, in) > 0) {
    if (line[0] == '#') continue;
    if (split(line, columns) != 5 || !tone_name(columns[0]) || cells == MAX_CELLS ||
        strlen(columns[1]) >= sizeof group) {
      good = false;
      break;
    }
    if (strcmp(group, columns[1])) {
      strcpy(group, columns[1]);
      groups++;
      fprintf(out, "  {\"%s\", %s},\n", group, tone_name(columns[0]));
    }
    group_of[cells] = groups - 1;
    ci_of[cells] = atoi(columns[2]);
    for (int common = 1; common >= 0; common--)
      for (const char *at = columns[common ? 3 : 4]; *at && good;) {
        uint32_t rune = next_rune(&at);
        good = rune &&
               add_word(&readings, (uint64_t)rune << 8 | (uint64_t)cells << 1 | (uint64_t)common);
      }
    cells++;
  }
  fprintf(out, "};\n\n// Group and ci class.\nstatic const uint8_t cell_table[][2] = {");
  for (int i = 0; i < cells; i++)
    fprintf(out, "%s{%d, %d},", i % 8 ? " " : "\n  ", group_of[i], ci_of[i]);
  fprintf(out, "\n};\n\n");
  good = print_words(out, &readings, "uint32_t reading_table", "0x%llx,") && good;
  free(readings.items);
  free(line);
  return good;
}

// Each form of a character: form << 32 | simplified.
static bool pack_simplification(FILE *in, FILE *out) {
  char *line = NULL, *columns[MAX_COLUMNS];
  size_t room = 0;
  words pairs = {0};
  bool good = true;
  while (good && getline(&line, &room, in) > 0) {
    if (line[0] == '#') continue;
    if (split(line, columns) != 2) {
      good = false;
      break;
    }
    const char *at = columns[0];
    uint32_t simple = next_rune(&at);
    for (at = columns[1]; *at && good;) {
      uint32_t form = next_rune(&at);
      good = simple && form && add_word(&pairs, (uint64_t)form << 32 | simple);
    }
  }
  good = print_words(out, &pairs, "uint64_t pair_table", "0x%llx,") && good;
  free(pairs.items);
  free(line);
  return good;
}

int main(int argc, char **argv) {
  bool book = argc == 4 && !strcmp(argv[1], "rhyme-book");
  if (!book && !(argc == 4 && !strcmp(argv[1], "simplification"))) {
    fprintf(stderr, "usage: pack_lang rhyme-book|simplification input.tsv output.h\n");
    return 2;
  }
  FILE *in = fopen(argv[2], "r");
  FILE *out = in ? fopen(argv[3], "w") : NULL;
  if (!out) {
    fprintf(stderr, "pack_lang: %s: %s\n", in ? argv[3] : argv[2], strerror(errno));
    return 1;
  }
  bool good = book ? pack_rhyme_book(in, out) : pack_simplification(in, out);
  if (!good)
    fprintf(stderr, "pack_lang: %s: a line does not have the columns its header names\n", argv[2]);
  fclose(in);
  return fclose(out) == 0 && good ? 0 : 1;
}
