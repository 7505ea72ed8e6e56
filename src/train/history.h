// The history of a training run: one row an update, as CSV and as a chart.
#ifndef INK_TRAIN_HISTORY_H
#define INK_TRAIN_HISTORY_H

#include "base/status.h"
#include "train/trainer.h"

typedef struct ink_history {
  const ink_train_words *words;  // set before use
  ink_train_report *rows;
  size_t n, capacity;
} ink_history;

void ink_history_free(ink_history *history);
ink_status ink_history_add(ink_history *history, const ink_train_report *report, ink_error *error);

// folder/history.csv: step,tokens,loss,gradient_norm,rate,tokens_per_second,gflops,valid_loss,
// valid_character_loss (the last two empty where there was no validation), in the words of the run.
ink_status ink_history_save(const ink_history *history, const char *folder, ink_error *error);
// Read it back up to and with `step`. A folder without the file gives an empty history.
ink_status ink_history_load(ink_history *history, const char *folder, int64_t step,
                            ink_error *error);

// folder/loss.svg: training loss (smoothed, with the raw one behind it) and held-out loss over
// tokens.
ink_status ink_history_chart(const ink_history *history, const char *folder, const char *title,
                             ink_error *error);

#endif
