// A piece: what an order became. Making it is a function of the order alone, so that the same
// function makes a piece and, from its record, makes it again.
#ifndef INK_DESK_PIECE_H
#define INK_DESK_PIECE_H

#include <jansson.h>

#include "base/hash.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/status.h"
#include "base/text.h"
#include "desk/playbook.h"
#include "lang/catalogue.h"
#include "mark/c2pa/signer.h"
#include "mark/mark.h"

// All that decides a piece. Strings are borrowed.
typedef struct ink_order {
  const ink_playbook *playbook;
  const json_t *brief;  // inputs and values, before fallbacks
  uint64_t seed;
  const char *identity;      // UUID
  const char *created;       // RFC 3339
  const char *producer;      // for the metadata label; NULL: inkstone
  bool text_only;            // no picture, whatever the playbook says
  bool bare_noise;           // its picture's noise does not carry the identity: old records
  const char *training;      // said where it is signed: "allowed", "notAllowed"; NULL: unsaid
  const ink_signer *signer;  // signs the files; NULL: they stay unsigned, as replay compares them
} ink_order;

typedef struct ink_piece_file {
  const char *name;  // "poem.md"
  char *bytes;
  size_t size;
  char sha256[INK_SHA256_HEX];  // of the content: before it was signed
} ink_piece_file;

typedef struct ink_piece {
  json_t *record;  // docs/record.md
  ink_piece_file *files;
  size_t n_file;
  char *text;    // the draft, for a terminal
  bool blocked;  // a check did not pass; there are no files then
} ink_piece;

// Draft, check, mark, publish into memory. Zero-initialise *piece; release with ink_piece_free.
// Demands that cannot be met are USAGE. A piece whose checks fail is BLOCKED: *piece then holds the
// record and the text, but no files.
ink_status ink_piece_make(const ink_order *order, ink_pool *pool, const ink_progress *progress,
                          ink_piece *piece, ink_error *error);
void ink_piece_free(ink_piece *piece);

// Write files and record.json into a folder, which is made. CONFLICT, unless `replace`, when it
// holds a piece or a file of such a name. All of it appears, or on a fault nothing: a piece that
// was there stays.
ink_status ink_piece_save(const ink_piece *piece, const char *folder, bool replace,
                          ink_error *error);

// CONFLICT when a folder holds a piece; to be asked before the work is done.
ink_status ink_piece_room(const char *folder, ink_error *error);

// Try one of the playbook's tests in memory. *held says whether it came out as promised, *found
// (appended) what happened: the text or the reason. Failures other than a refusal are the status.
ink_status ink_piece_try(const ink_playbook *playbook, const ink_playbook_test *test,
                         ink_pool *pool, const ink_progress *progress, bool *held, ink_text *found,
                         ink_error *error);

// Sign the files of a piece that is made: each gets a manifest with recipe and checks, and says so
// in the record. `training` (may be NULL) is that of the order.
ink_status ink_piece_sign(ink_piece *piece, const ink_signer *signer, const char *training,
                          ink_error *error);
// A signed file, as read: `bare` gets it without its manifest, `fault` (empty: none) what is wrong
// with the signature, or with what it says against the record.
ink_status ink_piece_unsign(const json_t *record, const char *name, const char *bytes, size_t size,
                            ink_text *bare, ink_text *fault, ink_error *error);
// Read the signed files of a piece that was saved, and check them. IO names what does not hold.
ink_status ink_piece_check_saved(const ink_piece *piece, const char *folder, ink_error *error);

// What a replay found. differences: lines for a person in the language of the error, one per thing
// that is not as recorded; empty when the piece was rebuilt byte for byte, the record says what was
// found again, and the files on disk are those bytes. Another version of inkstone or other kernels
// are named only where something came out differently.
typedef struct ink_replay {
  json_t *record;
  char **differences;
  size_t n_difference;
} ink_replay;

// Read folder/record.json (or the record's own path), make the piece again and compare. NOT_FOUND
// and FORMAT when there is no readable record.
ink_status ink_piece_replay(const char *folder, ink_pool *pool, const ink_progress *progress,
                            ink_replay *replay, ink_error *error);
void ink_replay_free(ink_replay *replay);

// Read and check a record; the caller owns *record. *folder (malloc'ed) is where its files are.
ink_status ink_record_open(const char *path, json_t **record, char **folder, ink_error *error);

// Tell, in a language, how a piece came about.
void ink_record_explain(const json_t *record, ink_language language, ink_text *out);

#endif
