// Forms of Chinese verse: the packed tables and their names.
#include "lang/verse_form.h"

#include <string.h>

#include "base/text.h"
#include "lang/simplify.h"
#include "lang/verse_form_table.h"

const ink_verse_form *ink_verse_form_at(size_t index) {
  return index < sizeof form_table / sizeof *form_table ? &form_table[index] : NULL;
}

// Whether a name, in whatever characters, is the simplified `wanted`.
static bool names(const char *name, const char *wanted) {
  while (*name && *wanted) {
    int32_t given, expected;
    name += ink_utf8_decode(name, strlen(name), &given);
    wanted += ink_utf8_decode(wanted, strlen(wanted), &expected);
    if (given < 0 || ink_simplify_rune((uint32_t)given) != (uint32_t)expected) return false;
  }
  return !*name && !*wanted;
}

const ink_verse_form *ink_verse_form_find(const char *name) {
  const ink_verse_form *form;
  for (size_t i = 0; (form = ink_verse_form_at(i)); i++)
    for (const char *const *own = form->names; *own; own++)
      if (names(name, *own)) return form;
  return NULL;
}
