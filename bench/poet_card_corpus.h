// The corpus as the poet's card looks at it: poems with their briefs, and the lines of training.
#ifndef INK_BENCH_POET_CARD_CORPUS_H
#define INK_BENCH_POET_CARD_CORPUS_H

#include "llm/model.h"
#include "train/dataset.h"

enum { CARD_CONTEXT = 256 };

// One poem as a sequence. Release with card_poem_free.
typedef struct card_poem {
  int32_t ids[CARD_CONTEXT + 1];  // from <bos> to <eos>
  int32_t n, n_prefix;
  const char *form;  // name, "" when it has none
  char *title;       // NULL when it has none
  char *text;        // the body
} card_poem;

// Read a document under a plan. The form is told where the plan shows it.
ink_status card_poem_read(const ink_model *model, const ink_dataset *dataset,
                          const ink_dataset_plan *plan, int64_t document, card_poem *poem,
                          ink_error *error);
void card_poem_free(card_poem *poem);
// Form and title shown, nothing else: the prompt of `inkstone write --form F --title T`.
ink_dataset_plan card_brief_plan(void);

// True for the tokens that part the lines of a body: marks, line break, <eos>.
bool card_is_mark(const ink_model *model, int32_t id);

// The different lines of the training poems with 5 characters or more.
typedef struct card_lines card_lines;
ink_status card_lines_new(const ink_model *model, const ink_dataset *train, card_lines **lines,
                          ink_error *error);
void card_lines_free(card_lines *lines);
// In how many training poems a line of n tokens stands: 0, 1, or 2 for more.
int card_lines_find(const card_lines *lines, const int32_t *ids, int32_t n);

// How titles and poems go together in training, character by character.
typedef struct card_titles card_titles;
ink_status card_titles_new(const ink_model *model, const ink_dataset *train, card_titles **titles,
                           ink_error *error);
void card_titles_free(card_titles *titles);
// How well a body fits a title: the mean, over its characters, of the greatest log ratio of how
// often a character of the title and it occur together to how often they would by chance.
double card_titles_fit(const card_titles *titles, const ink_model *model, const card_poem *title,
                       const int32_t *body, int32_t n);

#endif
