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

void ink_verse_form_list(ink_text *out) {
  const ink_verse_form *form;
  for (size_t i = 0; (form = ink_verse_form_at(i)); i++) {
    ink_text_format(out, "%s%s", i ? " " : "", form->names[0]);
  }
}

ink_status ink_verse_form_named(const char *name, const ink_verse_form **form, ink_error *error) {
  enum { MOST_NAMES = 512 };
  const char *known[MOST_NAMES];
  size_t n = 0;
  *form = ink_verse_form_find(name);
  if (*form) return INK_OK;
  const ink_verse_form *each;
  for (size_t i = 0; (each = ink_verse_form_at(i)); i++) {
    for (const char *const *own = each->names; *own && n < MOST_NAMES; own++) known[n++] = *own;
  }
  int nearest = ink_text_nearest(name, known, n);
  if (nearest >= 0) {
    return ink_fail(error, INK_ERR_USAGE, "no form \"%s\"; did you mean %s?", name, known[nearest]);
  }
  ink_text list = {0};
  ink_verse_form_list(&list);
  ink_status status = ink_text_status(&list, error);
  if (status == INK_OK) {
    status = ink_fail(error, INK_ERR_USAGE, "no form \"%s\"; there are: %s", name,
                      ink_text_string(&list));
  }
  ink_text_free(&list);
  return status;
}
