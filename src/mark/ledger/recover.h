// Finding a piece's record again when its metadata was stripped, and with it its manifest: by the
// content, by the identity that a watermark or a label still names, by the words, or by an identity
// that is given (C2PA specification 2.4, sections 9.3 and 18.10: soft bindings).
#ifndef INK_MARK_LEDGER_RECOVER_H
#define INK_MARK_LEDGER_RECOVER_H

#include "mark/c2pa/validate.h"
#include "mark/ledger/ledger.h"

typedef enum ink_recovered_by {
  INK_RECOVERED_NOT,
  // Every byte but the manifest's is as it left. Of texts, line ends at the very end aside: whoever
  // takes out a last line leaves one more or less.
  INK_RECOVERED_CONTENT,
  INK_RECOVERED_WATERMARK,  // the pixels carry the identity
  INK_RECOVERED_LABEL,      // the AIGC label that is left names it: anybody can write that
  INK_RECOVERED_WORDS,      // the words are the same in another dress
  INK_RECOVERED_GIVEN       // the caller named it
} ink_recovered_by;
// "content", "watermark", "label", "words", "given".
const char *ink_recovered_name(ink_recovered_by by);

// Zero-initialise it; release with ink_recovery_free.
typedef struct ink_recovery {
  ink_recovered_by by;
  char identity[INK_UUID_TEXT];
  int64_t n;             // the ledger's row
  double p_value;        // of a watermark; 0 for the others
  json_t *row;           // of the ledger
  const json_t *file;    // the file in it that this one was, borrowed from the row; or NULL
  unsigned char *store;  // its manifest store, malloc'ed; NULL where none was kept
  size_t store_size;
  // The content is the file's first bytes and this ending.
  size_t content_size;
  const char *ending;
} ink_recovery;

// Look a file up in a ledger. `identity` (a UUID) is taken for granted; NULL: it is looked for.
// That nothing is found is INK_OK.
ink_status ink_recover(ink_ledger *ledger, const char *name, const void *bytes, size_t size,
                       const char *identity, ink_recovery *recovery, ink_error *error);
void ink_recovery_free(ink_recovery *recovery);

// Validate a file against the manifest store that was recovered for it. Where its content is what
// it was, the store is put back in memory at its old place, and all of it can hold; else the hard
// binding cannot, and report->soft tells whether the manifest's soft binding is that of the file.
ink_status ink_recovery_validate(const ink_recovery *recovery, const char *name, const void *bytes,
                                 size_t size, const ink_c2pa_options *options,
                                 ink_c2pa_report *report, ink_error *error);

#endif
