// How a poem stands on a page.
#include "desk/verse_layout.h"

#include <stdlib.h>
#include <string.h>

static bool is_mark(int32_t rune) {
  static const int32_t marks[] = {0xFF0C, 0x3002, 0x3001, 0xFF01, 0xFF1F, 0xFF1B, 0xFF1A};
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
    if (rune == marks[i]) return true;
  }
  return false;
}

static bool ends_sentence(int32_t rune) {
  return rune == 0x3002 || rune == 0xFF01 || rune == 0xFF1F || rune == 0xFF1B;
}

// 平 or 仄 as the place demands it, else as the character is commonly read.
static const char *tone_name(const ink_verse_report *r, int clause, int place) {
  unsigned tones = r->clauses[clause].tones[place];
  unsigned held = tones & r->clauses[clause].demanded[place];
  if (held) tones = held;
  if ((tones & INK_TONE_PING) && (tones & INK_TONE_ZE)) {
    unsigned common = ink_prosody_tones(r->clauses[clause].runes[place], INK_READINGS_COMMON);
    if (common & tones) tones &= common;
  }
  return !tones ? "？" : tones & INK_TONE_PING ? "平" : "仄";
}

static void add_tones(const ink_verse_report *r, int clause, ink_text *out) {
  if (clause >= r->n_clause) return;
  int n = r->clauses[clause].length;
  for (int i = 0; i < n && i < INK_VERSE_PLACES; i++) ink_text_add(out, tone_name(r, clause, i));
}

typedef struct build {
  ink_verse_layout *layout;
  size_t capacity;
  ink_text bytes;            // strings of all lines, each with its NUL
  size_t text_at, tones_at;  // of the line that is being filled
} build;

// Close the line: its offsets are turned into pointers at the end, when the bytes no longer move.
static bool close_line(build *b, const ink_text *text, const ink_text *tones, bool rhymes) {
  ink_verse_layout *layout = b->layout;
  if (layout->n_line == b->capacity) {
    size_t capacity = b->capacity ? 2 * b->capacity : 16;
    ink_document_line *lines = realloc(layout->lines, capacity * sizeof *lines);
    if (!lines) return false;
    layout->lines = lines;
    b->capacity = capacity;
  }
  layout->lines[layout->n_line++] = (ink_document_line){.rhymes = rhymes};
  ink_text_add_bytes(&b->bytes, ink_text_string(text), text->size + 1);
  ink_text_add_bytes(&b->bytes, ink_text_string(tones), tones->size + 1);
  return !b->bytes.failed && !text->failed && !tones->failed;
}

static void point_lines(build *b) {
  ink_verse_layout *layout = b->layout;
  const char *at = layout->storage;
  for (size_t i = 0; i < layout->n_line; i++) {
    layout->lines[i].text = at;
    at += strlen(at) + 1;
    layout->lines[i].tones = at[0] ? at : NULL;
    at += strlen(at) + 1;
  }
}

static bool rhymes_at(const ink_verse_report *r, int clause) {
  return r->pattern && clause < r->pattern->n_clause && r->pattern->clauses[clause].rhyme >= 0;
}

static void name_rhymes(const ink_verse_report *r, ink_text *out) {
  for (int i = 0; r->pattern && i < r->pattern->n_rhyme; i++) {
    if (r->rhymes[i] < 0) continue;
    if (out->size) ink_text_add(out, "、");
    ink_verse_rhyme_name(r, i, out);
  }
}

ink_status ink_verse_lay_out(const char *text, const ink_verse_report *report,
                             ink_verse_layout *layout, ink_error *error) {
  bool by_sentence = report->form->kind == INK_VERSE_CI, ok = true;
  build b = {.layout = layout};
  ink_text line = {0}, tones = {0}, none = {0};
  *layout = (ink_verse_layout){0};
  int clause = 0;
  for (size_t at = 0, size = strlen(text), length; ok && at < size; at += length) {
    int32_t rune;
    length = ink_utf8_decode(text + at, size - at, &rune);
    if (rune == '\n') continue;
    ink_text_add_bytes(&line, text + at, length);
    if (!is_mark(rune)) continue;
    if (tones.size) ink_text_add(&tones, "　");
    add_tones(report, clause, &tones);
    bool sentence = ends_sentence(rune);
    if (!by_sentence || sentence) {
      ok = close_line(&b, &line, &tones, rhymes_at(report, clause));
      ink_text_clear(&line);
      ink_text_clear(&tones);
      bool gap = report->pattern && clause + 1 < report->pattern->n_clause &&
                 report->pattern->clauses[clause].stanza;
      if (ok && gap) ok = close_line(&b, &none, &none, false);
    }
    clause++;
  }
  if (ok && line.size) ok = close_line(&b, &line, &tones, false);
  layout->storage = b.bytes.bytes;
  if (ok && layout->storage) point_lines(&b);
  name_rhymes(report, &layout->rhyme_names);
  ink_text_free(&line);
  ink_text_free(&tones);
  if (ok && !layout->rhyme_names.failed) return INK_OK;
  ink_verse_layout_free(layout);
  return ink_fail(error, INK_ERR_MEMORY, "no memory to lay out the poem");
}

void ink_verse_layout_free(ink_verse_layout *layout) {
  free(layout->lines);
  free(layout->storage);
  ink_text_free(&layout->rhyme_names);
  *layout = (ink_verse_layout){0};
}
