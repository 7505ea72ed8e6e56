// The generation parameters that A1111 writes into pictures and that many tools read:
//   prompt
//   Negative prompt: …
//   Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 512x512, …
// Values with a comma, colon or line break are JSON strings.
#ifndef INK_DIFFUSION_INFOTEXT_H
#define INK_DIFFUSION_INFOTEXT_H

#include "base/text.h"

typedef struct ink_infotext_field {
  char *key, *value;
} ink_infotext_field;

// Zero-initialise it.
typedef struct ink_infotext {
  char *prompt, *negative;  // NULL: not there
  ink_infotext_field *fields;
  size_t n;
} ink_infotext;

enum { INK_INFOTEXT_MOST_BYTES = 1 << 20 };

// Read such a text; any text is one, at worst a prompt alone. USAGE: too long. Free it in any case.
ink_status ink_infotext_parse(const char *text, ink_infotext *info, ink_error *error);
void ink_infotext_free(ink_infotext *info);
// The value of a key; NULL when there is none.
const char *ink_infotext_get(const ink_infotext *info, const char *key);
// Change or add a field, in order of first mention.
ink_status ink_infotext_set(ink_infotext *info, const char *key, const char *value,
                            ink_error *error);
// Append the text.
ink_status ink_infotext_format(const ink_infotext *info, ink_text *out, ink_error *error);

#endif
