// The labels that a file carries, as far as its format is known here.
#ifndef INK_MARK_LABELS_H
#define INK_MARK_LABELS_H

#include <jansson.h>
#include <stddef.h>

// The metadata label of GB 45438-2025 in an HTML page (<meta name="AIGC">) or in the YAML front
// matter of a text; NULL when there is none that can be read. The caller owns it.
json_t *ink_labels_aigc(const char *bytes, size_t size);

#endif
