// What this room knows about files: names of models and of their parts, and hashes noted so that a
// large model is read through once and not at every start.
#ifndef INK_WEIGHTS_FILES_H
#define INK_WEIGHTS_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/hash.h"
#include "base/status.h"

// True for the name of a file in a folder: not empty, no slash, no leading dot, no control
// characters.
bool ink_file_name_is_plain(const char *name);

// True when a path ends as parts of split GGUF models do, "-00002-of-00005.gguf". *stem is the
// length before that ending, *number and *count what it says (1 <= number <= count); each may be
// NULL.
bool ink_gguf_split_name(const char *path, size_t *stem, size_t *number, size_t *count);

// Hashes that this process has computed for one set of files.
typedef struct ink_hash_notes ink_hash_notes;
ink_hash_notes *ink_hash_notes_new(void);
void ink_hash_notes_free(ink_hash_notes *notes);

// SHA-256 of a set of files as ink_weights_sha256 defines it. `noted`: hashes noted earlier will
// do.
ink_status ink_hash_files(ink_hash_notes *notes, const char *const *paths, size_t n, bool noted,
                          char hex[INK_SHA256_HEX], ink_error *error);

// True for 64 lower-case hexadecimal digits.
bool ink_sha256_is_hex(const char *text);

#endif
