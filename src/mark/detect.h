// Is a text or a picture machine-made? What it says of itself (signed manifest, metadata, visible
// labels) and what its words or pixels carry (watermarks), as evidence and one verdict with its
// doubt.
#ifndef INK_MARK_DETECT_H
#define INK_MARK_DETECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"
#include "mark/watermark/watermark.h"

typedef enum ink_evidence_kind {
  INK_EVIDENCE_MANIFEST,   // C2PA, whole and signed, that names a generator as the source
  INK_EVIDENCE_METADATA,   // the AIGC label of GB 45438-2025
  INK_EVIDENCE_LABEL,      // a label for readers
  INK_EVIDENCE_WATERMARK,  // in the choice of words, in the pixels
  INK_EVIDENCE_RECORD      // a row of this installation's ledger
} ink_evidence_kind;

typedef struct ink_evidence {
  ink_evidence_kind kind;
  bool found;
  // What is found says "perhaps": a label for what may be or is suspected to be generated, written
  // by who did not make it.
  bool doubtful;
  bool unread;        // it could not be looked at: why stands in `detail`
  double p_value;     // a watermark's; NaN for the others
  double p_limit;     // it counts as found below this
  size_t used;        // tokens, or blocks of a picture, that a watermark was looked for in
  size_t tried;       // records of the ledger that it was looked for by; 0: it was not
  int64_t row;        // the ledger's that agrees best
  char name[64];      // "AIGC", "synthid:…"
  char identity[40];  // the piece's, where a watermark carries it; "" for none
  char detail[200];   // the label's words, the metadata's identity; "" for none. UTF-8
} ink_evidence;

typedef enum ink_verdict {
  INK_VERDICT_GENERATED,   // it says so, or carries a watermark
  INK_VERDICT_SUSPECTED,   // it is labelled as what may be or is suspected to be, and no more
  INK_VERDICT_NO_MARK,     // long enough, and nothing found: which does not make it a person's work
  INK_VERDICT_CANNOT_TELL  // nothing found, and too short to say more
} ink_verdict;
// "generated", "suspected", "no_mark", "cannot_tell".
const char *ink_verdict_name(ink_verdict verdict);

enum { INK_MAX_EVIDENCE = 16 };

struct ink_picture_watermark_finding;

typedef struct ink_detection {
  ink_verdict verdict;
  // The least of the watermarks' p-values, times how many were looked for (Bonferroni); at most 1.
  double p_value;
  ink_evidence evidence[INK_MAX_EVIDENCE];
  size_t n_evidence;
} ink_detection;

// A text watermark counts as found below this: one text in a thousand is named wrongly.
#define INK_DETECT_P_VALUE 1e-3
// One in pictures below this: its bits are not as independent as the p-value takes them to be.
#define INK_DETECT_PICTURE_P_VALUE 1e-6

// The metadata label of GB 45438-2025 in a page (<meta name="AIGC">) or in the front matter of a
// text; NULL when there is none that can be read. The caller owns it.
ink_status ink_detect_aigc(const char *name, const char *bytes, size_t size, json_t **aigc,
                           ink_error *error);

// Look for metadata and visible labels in a text file.
ink_status ink_detect_labels(const char *name, const char *bytes, size_t size,
                             ink_detection *detection, ink_error *error);
// Look for a watermark in the tokens of its words.
ink_status ink_detect_watermark(ink_watermark *watermark, const int32_t *tokens, size_t n,
                                ink_detection *detection, ink_error *error);
// Look at a picture: the labels in its XMP and the watermark of Stable Diffusion's scripts. Errors
// as ink_picture_decode.
ink_status ink_detect_picture(const char *name, const char *bytes, size_t size,
                              ink_detection *detection, ink_error *error);
// Look for the metadata label alone, in documents and sounds (PDF, WAV, MP3), and listen for the
// audible one in a WAV. One that cannot be read says nothing.
ink_status ink_detect_metadata(const char *name, const char *bytes, size_t size,
                               ink_detection *detection, ink_error *error);
// True for the first bytes of a ZIP archive, as office documents and EPUBs are.
bool ink_detect_is_archive(const char *bytes, size_t size);
// Look for the metadata label of an office document. Its words are not read. An archive that is
// damaged is evidence that could not be looked at.
ink_status ink_detect_document(const char *name, const char *bytes, size_t size,
                               ink_detection *detection, ink_error *error);
// True for an archive whose bytes contradict themselves or are cut short; `why` gets how, in the
// language of `error`. MEMORY is the status.
ink_status ink_detect_damage(const char *bytes, size_t size, bool *damaged, ink_text *why,
                             ink_error *error);
// Say of something that it could not be looked at, and why: the rest of the evidence stands.
void ink_detect_unread(ink_evidence_kind kind, const char *name, const char *why,
                       ink_detection *detection);
// Take what was found in a picture's noise; `key_id` names the key that agrees best.
void ink_detect_noise(const struct ink_picture_watermark_finding *finding, const char *key_id,
                      ink_detection *detection);
// Take what the ledger's records found in it (mark/ledger/noise_records.h); nothing where none was
// tried.
struct ink_noise_record;
void ink_detect_noise_record(const struct ink_noise_record *record, ink_detection *detection);
// Look for a C2PA manifest in any file that may carry one. A manifest that does not hold is named,
// and proves nothing.
ink_status ink_detect_manifest(const char *name, const char *bytes, size_t size,
                               ink_detection *detection, ink_error *error);
// What this installation's ledger knows of the file (mark/ledger/recover.h); after the manifest.
struct ink_recovery;
void ink_detect_record(const struct ink_recovery *recovery, ink_detection *detection);
// The verdict on the evidence so far.
void ink_detect_conclude(ink_detection *detection);

#endif
