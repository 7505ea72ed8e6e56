// The program's messages in the reader's language: English in the code, Simplified Chinese from one
// catalogue, shared by the command line and the studio.
#ifndef INK_LANG_CATALOGUE_H
#define INK_LANG_CATALOGUE_H

#include <stddef.h>

typedef enum ink_language { INK_LANGUAGE_EN, INK_LANGUAGE_ZH } ink_language;

// The language of this process: INKSTONE_LANG, else LC_ALL, LC_MESSAGES, LANG; Chinese when the
// first one that is set begins with "zh", else English.
ink_language ink_language_current(void);

// `english` in a language; itself where the catalogue has no translation. Never NULL for non-NULL.
const char *ink_translate(const char *english, ink_language language);
// The same in the language of this process.
const char *ink_tr(const char *english);

// The catalogue as pairs, for the studio and for tests.
typedef struct ink_message {
  const char *english, *chinese;
} ink_message;
const ink_message *ink_catalogue(size_t *n);

#endif
