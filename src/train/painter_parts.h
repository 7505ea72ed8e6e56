// What the files of the painter's data builder share.
#ifndef INK_TRAIN_PAINTER_PARTS_H
#define INK_TRAIN_PAINTER_PARTS_H

#include <jansson.h>

#include "base/hash.h"
#include "base/text.h"
#include "train/corpus_output.h"
#include "train/painter.h"
#include "train/scene_parts.h"

enum { INK_PAINTER_DRAWINGS = 12, INK_PAINTER_NAME = 96, INK_PAINTER_MEASURE = 16 };

// A drawing of a concept: code points as Emojibase writes them, without FE0F, joined by "-".
typedef struct ink_painter_drawing {
  char code[INK_PAINTER_NAME];
  ink_scene_colour colour;
} ink_painter_drawing;

typedef struct ink_painter_concept {
  char english[INK_CONCEPT_NAMES][INK_PAINTER_NAME];
  ink_noun_form forms[INK_CONCEPT_NAMES];
  char chinese[INK_CONCEPT_NAMES][INK_PAINTER_NAME];
  int n_english, n_chinese;
  char measure[INK_PAINTER_MEASURE];
  bool no_mirror, no_colour, no_count, no_pair, no_silhouette;
  ink_painter_drawing drawings[INK_PAINTER_DRAWINGS];
  int n_drawing;
} ink_painter_concept;

typedef struct ink_painter_left_out {
  char code[INK_PAINTER_NAME];
  char reason[INK_PAINTER_NAME];
} ink_painter_left_out;

typedef struct ink_painter_list {
  ink_painter_concept *concepts;
  size_t n_concept, concept_capacity;
  ink_painter_left_out *left_out;
  size_t n_left_out, left_out_capacity;
} ink_painter_list;

// What can be drawn, in Emojibase's order, with names in both languages.
ink_status ink_painter_list_read(const char *from, ink_painter_list *list, ink_error *error);
ink_status ink_painter_leave_out(ink_painter_list *list, const char *code, const char *reason,
                                 ink_error *error);
void ink_painter_list_free(ink_painter_list *list);

// vocab.json and merges.txt as CLIP reads them, of these words with how often each occurs.
// Chinese characters stand alone: no merge crosses from one to another.
typedef struct ink_painter_words {
  json_t *counts;  // word to number
} ink_painter_words;

// Count the words of a text as CLIP splits it: lower case, by white space and kind of character.
ink_status ink_painter_words_add(ink_painter_words *words, const char *text, int64_t times,
                                 ink_error *error);
ink_status ink_painter_tokenizer(const ink_painter_words *words, int32_t most,
                                 ink_corpus_output *vocabulary, ink_corpus_output *merges,
                                 int32_t *size, ink_error *error);

#endif
