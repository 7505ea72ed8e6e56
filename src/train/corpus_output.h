// The files that a corpus is made of, in memory until all are whole: what the data builders share.
#ifndef INK_TRAIN_CORPUS_OUTPUT_H
#define INK_TRAIN_CORPUS_OUTPUT_H

#include <jansson.h>

#include "base/text.h"

typedef struct ink_corpus_output {
  const char *name;  // below the folder; may name a folder there
  void *bytes;       // malloc'ed
  size_t size;
} ink_corpus_output;

enum { INK_CORPUS_MOST_OUTPUTS = 16 };

// Take a JSON value (NULL: there was no memory for it) as the file's content.
ink_status ink_corpus_output_json(json_t *value, ink_corpus_output *out, ink_error *error);
// Take a text, which is empty after it, also on failure.
ink_status ink_corpus_output_text(ink_text *text, ink_corpus_output *out, ink_error *error);

// Names, sizes and SHA-256 of n files, for the manifest; a new list.
ink_status ink_corpus_outputs_list(const ink_corpus_output *outputs, size_t n, json_t **list,
                                   ink_error *error);
// Write n files, at most INK_CORPUS_MOST_OUTPUTS, into a folder, which is made: all of them, or
// none.
ink_status ink_corpus_outputs_save(const char *folder, const ink_corpus_output *outputs, size_t n,
                                   ink_error *error);

#endif
