// Labels for files that are there, made here or elsewhere: visible, in the metadata, and in a
// signed manifest, as the laws that are named ask for; and word of what each of them got.
#ifndef INK_MARK_LABEL_LABEL_H
#define INK_MARK_LABEL_LABEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"
#include "mark/c2pa/signer.h"
#include "mark/label/picture_label.h"
#include "mark/label/wording.h"

enum {
  INK_LAW_CN = 1,  // GB 45438-2025 and the Measures of 2025
  INK_LAW_EU = 2,  // Regulation (EU) 2024/1689, article 50, and its code of practice of 2026
  INK_LAW_CA = 4   // California, Business and Professions Code 22757 ff. (SB 942)
};

// "cn,eu": the laws of a list; USAGE names those there are.
ink_status ink_laws_parse(const char *list, unsigned *laws, ink_error *error);

typedef struct ink_label_request {
  unsigned laws;
  ink_label_kind kind;
  bool visible;                  // USAGE when it is false and China's law is asked for
  const char *identity;          // UUID
  const char *created;           // RFC 3339, UTC
  const char *language;          // of the visible label: "zh…", else English
  const ink_label_style *style;  // of pictures; pages take its colours
  bool at_end;                   // where texts and sounds have it: at the end, else at the start
  // Who puts the label on, as ink_mark_options has it; NULL: "inkstone".
  const char *producer;
  // What made the content, where that is known; NULL leaves it out.
  const char *system, *system_version, *prompt;
  const char *source_type;  // of IPTC, a URI; NULL: trainedAlgorithmicMedia
  int quality;              // of JPEG and WebP that are encoded anew; 0: 95
} ink_label_request;

enum { INK_LABEL_MOST_ITEMS = 24 };

typedef enum ink_label_outcome {
  INK_LABEL_GOT,
  INK_LABEL_MISSING,
  INK_LABEL_NOT_ASKED  // of content of this kind, or of who puts the label on
} ink_label_outcome;

// One thing that a law asks for. `what`, `clause`, `why` and `note` are English constants.
typedef struct ink_label_item {
  unsigned law;
  const char *what, *clause;
  ink_label_outcome outcome;
  char detail[240];  // what it got
  const char *why;   // why it did not; NULL when it did
  const char *note;  // a word on it; NULL: none
} ink_label_item;

// Zero-initialise it.
typedef struct ink_label_result {
  bool is_signed;
  char manifest[64];   // "urn:c2pa:…"; "" without
  const char *format;  // "png", "markdown" …
  char visible[240];   // the label, as it can be read; "" without
  char metadata[120];  // where the metadata label stands; "" without
  ink_label_item items[INK_LABEL_MOST_ITEMS];
  size_t n_item;
} ink_label_result;

// True when labelling the file needs a signature: a law asks for one, or it bears one that would no
// longer hold.
bool ink_label_signs(const char *name, const unsigned char *bytes, size_t size, unsigned laws);

// Append to `out` the file with its labels, and fill `result`. `name` is its path: its ending tells
// texts apart, its last part is the title in the manifest. `signer` may be NULL where
// ink_label_signs is false. CONFLICT when it bears another metadata label, or says that its source
// is another, which are nobody's to replace (Measures, article 10); UNSUPPORTED for other formats;
// USAGE for a label that breaks the rules.
ink_status ink_label_file(const char *name, const unsigned char *bytes, size_t size,
                          const ink_label_request *request, const ink_signer *signer, ink_text *out,
                          ink_label_result *result, ink_error *error);

// The metadata label of a file of any of these formats, parsed; NULL where there is none that can
// be read. The caller's (json_decref).
ink_status ink_label_read(const char *name, const unsigned char *bytes, size_t size, json_t **aigc,
                          ink_error *error);

#endif
