// Options of `write` that ask for verse.
#ifndef INK_CLI_VERSE_OPTIONS_H
#define INK_CLI_VERSE_OPTIONS_H

#include "cli/generation.h"
#include "llm/poet.h"

typedef struct ink_cli_verse {
  const char *form, *title, *theme, *author, *acrostic, *rhyme, *rhymes;
  int64_t candidates;
} ink_cli_verse;

enum { INK_CLI_VERSE_OPTIONS = 8 };

void ink_cli_verse_options(ink_cli_verse *verse, ink_option *options);
// True when one of them was given.
bool ink_cli_verse_asked(const ink_cli_verse *verse);

// Write a poem that begins with `opening` (NULL: from nothing) and print it, or the JSON object.
ink_status ink_cli_write_verse(const ink_cli_model *model, ink_cli_sampling *sampling,
                               const ink_cli_verse *verse, const char *opening, bool json,
                               ink_error *error);

#endif
