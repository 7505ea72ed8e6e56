// A text file (a page, Markdown, plain) as those see it who look for marks in it, label it or keep
// a record of it: its words apart from their dress, and its metadata label.
#ifndef INK_MARK_TEXT_FILE_H
#define INK_MARK_TEXT_FILE_H

#include <jansson.h>

#include "base/text.h"

// Add its words: without YAML front matter, HTML markup, Markdown's escapes and emphasis, and a
// manifest that it carries. `name` (a path, or NULL) tells HTML by its ending, or the text does by
// its beginning. FORMAT: no HTML where it should be; UNSUPPORTED: 2 GiB of it.
ink_status ink_text_file_words(const char *name, const char *bytes, size_t size, ink_text *words,
                               ink_error *error);

// The metadata label of GB 45438-2025 in a page (<meta name="AIGC">) or in front matter. *aigc is
// the caller's: NULL where there is none, JSON's null where it cannot be read. Errors as above.
ink_status ink_text_file_label(const char *name, const char *bytes, size_t size, json_t **aigc,
                               ink_error *error);

#endif
