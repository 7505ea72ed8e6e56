// The poet's corpus, built from a checkout of github.com/chinese-poetry/chinese-poetry.
#ifndef INK_TRAIN_POETRY_H
#define INK_TRAIN_POETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/progress.h"
#include "base/status.h"

typedef struct ink_poetry_options {
  const char *from;    // the checkout
  const char *out;     // folder to write; made when absent
  const char *commit;  // of the checkout, 40 hexadecimal digits; NULL: read from its .git
  // Fewest documents the result must hold, 0 for the default of 1,000: a guard against a checkout
  // that is mostly missing. Tests lower it.
  int64_t least;
} ink_poetry_options;

// Read, clean, simplify, split and write train.bin, valid.bin, test.bin, lines.bin, tokenizer.json,
// tokenizer_config.json and manifest.json (docs/poet-data.md). The same checkout gives the same
// bytes. No file appears under its name before all are written; a build that fails or is cancelled
// leaves nothing behind. NOT_FOUND names a folder that is missing, FORMAT a file that is not as
// expected.
ink_status ink_poetry_build(const ink_poetry_options *options, const ink_progress *progress,
                            ink_error *error);

// The lines of the training poems that have at least 7 characters, as sorted 64-bit hashes: tells
// which lines of a new poem were copied.
typedef struct ink_line_index ink_line_index;

ink_status ink_poetry_line_index(const char *path, ink_line_index **index, ink_error *error);
void ink_line_index_free(ink_line_index *index);
// Count the lines of a poem (UTF-8, simplified), and those of them that a training poem has too.
// A line is a clause of 7 or more characters, or two neighbouring shorter clauses that together
// have as many: in 5-character verse every two lines that follow one another.
ink_status ink_line_index_count(const ink_line_index *index, const char *poem, int64_t *lines,
                                int64_t *copied, ink_error *error);

#endif
