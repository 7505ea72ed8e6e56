// Playbooks: what a kind of piece asks for and the steps that make it, as a YAML file.
#ifndef INK_DESK_PLAYBOOK_H
#define INK_DESK_PLAYBOOK_H

#include <jansson.h>

#include "base/hash.h"
#include "base/status.h"
#include "desk/illustration.h"

typedef enum ink_input_kind { INK_INPUT_TEXT, INK_INPUT_WHOLE } ink_input_kind;

typedef struct ink_playbook_input {
  const char *name;
  ink_input_kind kind;
  bool required;
  int64_t low, high;     // TEXT: characters; WHOLE: value
  const char *fallback;  // TEXT without a value takes this; NULL: stays out
  const char *help;      // English, or
  const char *help_zh;   // Chinese
} ink_playbook_input;

// A promise that the playbook makes about itself: a brief and a seed, and what becomes of them.
typedef enum ink_playbook_outcome {
  INK_OUTCOME_MADE,     // a finished piece
  INK_OUTCOME_BLOCKED,  // a draft that a check does not let pass
  INK_OUTCOME_REFUSED   // a brief or demand that is refused
} ink_playbook_outcome;

typedef struct ink_playbook_test {
  const char *name;
  const json_t *brief;  // an object
  uint64_t seed;
  ink_playbook_outcome expect;
  const char *contains;  // MADE, BLOCKED: words of the text; REFUSED: of the reason; or NULL
} ink_playbook_test;

// Strings belong to the playbook.
typedef struct ink_playbook {
  const char *name;
  const char *summary, *summary_zh;
  const char *draft;       // which drafter: "verse"
  const char *model;       // reference of the model
  const json_t *settings;  // of the drafter; an object
  ink_playbook_input *inputs;
  size_t n_input;
  bool pictured;                  // the piece gets a picture
  ink_illustration_plan picture;  // where it does
  const char **checks;            // names, in order
  size_t n_check;
  const char **formats;  // "md", "html", "png"
  size_t n_format;
  ink_playbook_test *tests;
  size_t n_test;
  const char *locked_model;     // SHA-256 that the model must have, or NULL
  const char *locked_version;   // version that inkstone must have, or NULL
  char sha256[INK_SHA256_HEX];  // of the file
  json_t *source;               // what it was read from
  char *path;                   // of the file
  char *text;                   // its bytes
  size_t n_text;
  bool starter;  // found by its name among the starter playbooks
} ink_playbook;

// Open by path, or by name among the starter playbooks (INKSTONE_PLAYBOOKS, the installed folder,
// the source tree). NOT_FOUND lists the names that are there; FORMAT names file and key.
ink_status ink_playbook_open(const char *reference, ink_playbook **playbook, ink_error *error);
// The same from the bytes of a file, which errors call `path`.
ink_status ink_playbook_parse(const char *bytes, size_t size, const char *path,
                              ink_playbook **playbook, ink_error *error);
void ink_playbook_free(ink_playbook *playbook);

// Write into the playbook's file the line `lock: {model: …, inkstone: …}`, in place of one that is
// there, all else as it stands: from then on it is refused with another model or version.
// UNSUPPORTED: the file is JSON, or its lock takes several lines.
ink_status ink_playbook_lock(const ink_playbook *playbook, const char *model_sha256,
                             ink_error *error);

// Check a brief, an object of strings and whole numbers, against the inputs, and fill in fallbacks:
// *filled (the caller's) holds one string or integer per input that has a value. USAGE names the
// input that is missing, unknown, of the wrong kind or out of range, and what is known.
ink_status ink_playbook_fill(const ink_playbook *playbook, const json_t *brief, json_t **filled,
                             ink_error *error);

// Paths of all starter playbooks, sorted; malloc'ed strings in a malloc'ed array.
ink_status ink_playbook_list(char ***paths, size_t *n, ink_error *error);

#endif
