// Build-time program: turns the tables of this folder into C arrays.
//   pack_lang rhyme-book|simplification|verse-forms input… output.h
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

enum { MAX_FORMS = 128, MAX_PATTERNS = 512, MAX_NAMES = 8, PLACES = 10, TONES = 3 };

typedef struct verse_reader {
  FILE *out;
  const char *kind;
  int forms, patterns, clauses;
  int first_pattern[MAX_FORMS + 1];
  const char *kind_of[MAX_FORMS];
  // Of each pattern: its heading as C, first clause, and what the clauses add up to.
  char heading[MAX_PATTERNS][80];
  int first_clause[MAX_PATTERNS + 1], lines[MAX_PATTERNS], sentences[MAX_PATTERNS];
  int rhymes[MAX_PATTERNS], places[MAX_PATTERNS];
} verse_reader;

// One tone pattern: 平 仄 中; returns its length, 0 when it is none.
static int read_tones(const char **at, uint8_t tones[PLACES]) {
  int n = 0;
  for (; n < PLACES; n++) {
    if (!strncmp(*at, "平", 3)) {
      tones[n] = 1;
    } else if (!strncmp(*at, "仄", 3)) {
      tones[n] = 14;
    } else if (!strncmp(*at, "中", 3)) {
      tones[n] = 15;
    } else {
      break;
    }
    *at += 3;
  }
  return n;
}

// "=中仄平平|平仄(中平平平)A。" and the like.
static bool pack_clause(verse_reader *reader, const char *at, bool stanza) {
  uint8_t tones[TONES][PLACES] = {{0}};
  int n = 0, written = 0, length = 0, rhyme = -1, pattern = reader->patterns - 1;
  bool echo = *at == '=';
  at += echo;
  do {
    if (*at == '|') at++;
    bool judged = *at == '(';
    at += judged;
    if (n == TONES) return false;
    int size = read_tones(&at, tones[n]);
    if (!size || (n && size != length)) return false;
    length = size;
    n++;
    written += !judged;
    if (judged && *at++ != ')') return false;
  } while (*at == '|');
  if (*at >= 'A' && *at <= 'Z') rhyme = *at++ - 'A';
  if (rhyme >= reader->rhymes[pattern]) reader->rhymes[pattern] = rhyme + 1;
  const char *mark = at;
  bool sentence = !strcmp(mark, "。"), line = sentence || !strcmp(mark, "，");
  if (!line && strcmp(mark, "、")) return false;
  fprintf(reader->out, "  {%d, %d, %d, {", length, n, written);
  for (int i = 0; i < n; i++) {
    fprintf(reader->out, "{");
    for (int k = 0; k < length; k++) fprintf(reader->out, "%d,", tones[i][k]);
    fprintf(reader->out, "},");
  }
  fprintf(reader->out, "}, %d, %d, %d, u'%s'},\n", rhyme, echo, stanza, mark);
  reader->lines[pattern] += line;
  reader->sentences[pattern] += sentence;
  reader->places[pattern] += length;
  reader->clauses++;
  return true;
}

// The words behind "form" become a list of strings.
static void pack_names(verse_reader *reader, char *words_) {
  fprintf(reader->out, "static const char *const names_%d[] = {", reader->forms);
  for (char *word = strtok(words_, " "); word; word = strtok(NULL, " "))
    fprintf(reader->out, "\"%s\", ", word);
  fprintf(reader->out, "NULL};\n");
}

// Pass 0 prints the names of the forms, pass 1 the clauses.
static bool pack_forms(verse_reader *reader, FILE *in, int pass) {
  char *line = NULL, held[256] = "";
  size_t room = 0;
  bool good = true;
  while (good) {
    bool more = getline(&line, &room, in) > 0;
    if (more) line[strcspn(line, "\n")] = 0;
    if (more && (line[0] == '#' || !line[0])) continue;
    bool stanza = more && !strcmp(line, "-");
    if (pass && held[0]) good = pack_clause(reader, held, stanza);
    held[0] = 0;
    if (!more) break;
    if (stanza) continue;
    if (!strncmp(line, "form ", 5)) {
      good = good && reader->forms < MAX_FORMS;
      if (good && !pass) pack_names(reader, line + 5);
      if (good) {
        reader->kind_of[reader->forms] = reader->kind;
        reader->first_pattern[reader->forms++] = reader->patterns;
        reader->first_pattern[reader->forms] = reader->patterns;
      }
    } else if (!strncmp(line, "pattern ", 8)) {
      char name[48];
      float share;
      good =
          good && reader->patterns < MAX_PATTERNS && sscanf(line + 8, "%47s %f", name, &share) == 2;
      if (!good) break;
      snprintf(reader->heading[reader->patterns], sizeof reader->heading[0], "\"%s\", %.3ff", name,
               (double)share);
      reader->first_clause[reader->patterns++] = reader->clauses;
      reader->first_pattern[reader->forms] = reader->patterns;
    } else {
      good = good && strlen(line) < sizeof held;
      if (good) strcpy(held, line);
    }
  }
  if (!good) fprintf(stderr, "pack_lang: not a form of verse: %s\n", line);
  free(line);
  return good;
}

static bool pack_verse(char **paths, int n, FILE *out) {
  static verse_reader reader;
  bool good = true;
  for (int pass = 0; pass < 2 && good; pass++) {
    reader = (verse_reader){.out = out};
    if (pass) fprintf(out, "\nstatic const ink_verse_clause clause_table[] = {\n");
    for (int i = 0; i < n && good; i++) {
      FILE *in = fopen(paths[i], "r");
      if (!in) return false;
      reader.kind = strstr(paths[i], "shi.txt") ? "INK_VERSE_SHI" : "INK_VERSE_CI";
      good = pack_forms(&reader, in, pass);
      fclose(in);
    }
  }
  reader.first_clause[reader.patterns] = reader.clauses;
  fprintf(out, "};\n\nstatic const ink_verse_pattern pattern_table[] = {\n");
  for (int i = 0; i < reader.patterns; i++)
    fprintf(out, "  {%s, clause_table + %d, %d, %d, %d, %d, %d},\n", reader.heading[i],
            reader.first_clause[i], reader.first_clause[i + 1] - reader.first_clause[i],
            reader.lines[i], reader.sentences[i], reader.rhymes[i], reader.places[i]);
  fprintf(out, "};\n\nstatic const ink_verse_form form_table[] = {\n");
  for (int i = 0; i < reader.forms; i++)
    fprintf(out, "  {names_%d, %s, pattern_table + %d, %d},\n", i, reader.kind_of[i],
            reader.first_pattern[i], reader.first_pattern[i + 1] - reader.first_pattern[i]);
  fprintf(out, "};\n");
  return good && reader.forms > 0;
}

static bool pack_table(const char *path, bool (*pack)(FILE *in, FILE *out), FILE *out) {
  FILE *in = fopen(path, "r");
  bool good = in && pack(in, out);
  if (in) fclose(in);
  return good;
}

int main(int argc, char **argv) {
  const char *what = argc >= 4 ? argv[1] : "";
  bool book = !strcmp(what, "rhyme-book"), simple = !strcmp(what, "simplification");
  if (!book && !simple && strcmp(what, "verse-forms")) {
    fprintf(stderr, "usage: pack_lang rhyme-book|simplification|verse-forms input... output.h\n");
    return 2;
  }
  FILE *out = fopen(argv[argc - 1], "w");
  if (!out) {
    fprintf(stderr, "pack_lang: %s: %s\n", argv[argc - 1], strerror(errno));
    return 1;
  }
  bool good = book     ? pack_table(argv[2], pack_rhyme_book, out)
              : simple ? pack_table(argv[2], pack_simplification, out)
                       : pack_verse(argv + 2, argc - 3, out);
  if (!good)
    fprintf(stderr, "pack_lang: %s: not readable, or a line that its header does not describe\n",
            argv[2]);
  return fclose(out) == 0 && good ? 0 : 1;
}
