// What the builder learned of its input, and the writing of all outputs. Internal to the builder.
#ifndef INK_TRAIN_POETRY_WRITE_H
#define INK_TRAIN_POETRY_WRITE_H

#include "base/hash.h"
#include "base/progress.h"
#include "train/poetry_parts.h"

typedef struct ink_poetry_file {
  char *path;  // below the checkout
  char sha256[INK_SHA256_HEX];
  size_t bytes;
  int64_t items, kept;
} ink_poetry_file;

typedef struct ink_poetry_report {
  char commit[41];  // "" when unknown
  ink_poetry_file *files;
  size_t n_file;
  const char *absent[16];  // optional folders that are not there
  size_t n_absent;
  int64_t verdicts[INK_CLEAN_VERDICTS];
  int64_t n_cluster, largest_cluster;
} ink_poetry_report;

// Write every output of the builder into `folder`: all, or none.
ink_status ink_poetry_write(const ink_corpus *corpus, const ink_poetry_report *report,
                            const char *folder, const ink_progress *progress, ink_error *error);

#endif
