// The ledger: one row for every piece that leaves this installation, in an SQLite database of the
// user's data folder. It only grows, and each row holds the hash of the one before it, so that a
// row that was changed, taken out or put in between shows. Beside the rows lie the manifest stores
// of the pieces: what was stripped from a file is found again here.
//
// A row's hash is SHA-256 over its canonical JSON: the members command, details, files, identity,
// kind, labels, law, model, n, previous, recipe, time, unmarked, sorted, without white space, in
// UTF-8, numbers whole.
#ifndef INK_MARK_LEDGER_LEDGER_H
#define INK_MARK_LEDGER_LEDGER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/status.h"
#include "mark/mark.h"

// Article 9 of China's Measures for Labelling (2025): where content was given without its label on
// a user's request, the log is kept for six months and longer. No six months are longer than this.
enum { INK_LEDGER_KEEP_DAYS = 184 };

// A file as it was left. What it carries is found by its carrier: the manifest store, and the hash
// of the content without it.
typedef struct ink_ledger_file {
  const char *path;   // NULL: standard output
  const void *bytes;  // NULL: read from the path
  size_t size;
  const void *sidecar;  // a manifest store that lies beside it; NULL for none
  size_t sidecar_size;
} ink_ledger_file;

// What happened. Everything is borrowed; NULL leaves a member out.
typedef struct ink_ledger_entry {
  const char *identity;      // UUID of the piece; NULL: a fresh one
  int64_t at;                // seconds since 1970; 0: the clock
  const char *kind;          // "piece", "picture", "text", "file", "check"
  const char *command;       // that left it: "make"
  const char *model_sha256;  // of the model
  const json_t *recipe;      // its canonical JSON is hashed
  const ink_ledger_file *files;
  size_t n_file;
  const char *const *labels;  // "visible", "AIGC", "C2PA", "watermark:…"
  size_t n_label;
  const char *text;       // the words of the piece alone, to be known by; NULL for none
  bool unmarked;          // labels were left out because the user asked for it
  const char *law;        // that was named then
  const json_t *details;  // an object: what else is worth keeping
} ink_ledger_entry;

typedef struct ink_ledger ink_ledger;

// $INKSTONE_LEDGER, else ledger.db in the user's data folder; malloc'ed, NULL (and INK_OK) when
// there is no home.
ink_status ink_ledger_path(char **path, ink_error *error);

// Open a ledger, to append (it is made where there is none, readable by its owner alone) or to read
// (NOT_FOUND where there is none). IO when the folder cannot be written, FORMAT when the file is no
// ledger. Processes may have it open at once; who has to wait for another does so for a while.
ink_status ink_ledger_open(const char *path, bool append, ink_ledger **ledger, ink_error *error);
void ink_ledger_close(ink_ledger *ledger);

// Append a row, with all manifest stores of its files, at once or not at all; on the disk when it
// returns.
ink_status ink_ledger_append(ink_ledger *ledger, const ink_ledger_entry *entry, ink_error *error);
// Append to the user's ledger: what every command does whose work leaves a piece.
ink_status ink_ledger_note(const ink_ledger_entry *entry, ink_error *error);
// Whether a row could be appended to the user's ledger now, without doing it.
ink_status ink_ledger_ready(ink_error *error);

// Which rows: zero members ask for nothing.
typedef struct ink_ledger_query {
  const char *identity;  // a UUID or its beginning
  int64_t n;             // a row's number
  int64_t last;          // of those, at most so many, the newest
  const char *hash;      // SHA-256 that a file, its content, its store or words have
  const char *label;     // that it carries
} ink_ledger_query;

// Hand each row that is asked for, oldest first, to `take` as an object with its members and its
// hash. `take` borrows it and returns false to end.
ink_status ink_ledger_each(ink_ledger *ledger, const ink_ledger_query *query,
                           bool (*take)(void *context, const json_t *row), void *context,
                           ink_error *error);

// A manifest store that lies beside the rows, by its SHA-256. NOT_FOUND when it does not; CONFLICT
// when its bytes have another hash. malloc'ed, the caller's.
ink_status ink_ledger_store(ink_ledger *ledger, const char *sha256, unsigned char **store,
                            size_t *size, ink_error *error);

// What a walk along the chain found.
typedef struct ink_ledger_verdict {
  int64_t n_row, first, last;  // of the rows that are there
  char head[INK_SHA256_HEX];   // hash of the last row: note it elsewhere to notice lost ends
  // The first row that does not fit, 0 for none; its piece, and what differs in plain words.
  int64_t broken;
  char identity[INK_UUID_TEXT];
  char what[240];
} ink_ledger_verdict;

// Follow the chain from the first row to the last. `holds` (NULL: none) is the hash of a row that
// must be among them. What is wrong stands in the verdict and is INK_OK. Other processes append
// meanwhile; their rows are followed as well.
ink_status ink_ledger_verify(ink_ledger *ledger, const char *holds, ink_ledger_verdict *verdict,
                             ink_error *error);

typedef enum ink_ledger_presence {
  INK_LEDGER_SAME,
  INK_LEDGER_CHANGED,
  INK_LEDGER_MISSING
} ink_ledger_presence;
// Look for the files that rows name, each by the newest row that does, and compare their hashes.
ink_status ink_ledger_check_files(ink_ledger *ledger,
                                  void (*take)(void *context, const char *path, int64_t n,
                                               ink_ledger_presence presence),
                                  void *context, ink_error *error);

// Take out all rows that are older than `before` (seconds since 1970), but the chain stays whole: a
// row of kind "checkpoint" tells what was taken out and the hash that the rest begins with.
// CONFLICT names a row among them that the law wants kept at the time `now`, or where the chain is
// broken: then nothing is taken out. *n is how many went. The chain is followed before others have
// to wait.
ink_status ink_ledger_prune(ink_ledger *ledger, int64_t before, int64_t now, int64_t *n,
                            ink_error *error);

// SHA-256 of a text's words alone: what is left of a text whose dress, manifest and line ends
// changed. NOT_FOUND for files that are no text or hold few words.
ink_status ink_ledger_words(const char *name, const void *bytes, size_t size,
                            char hex[INK_SHA256_HEX], ink_error *error);

#endif
