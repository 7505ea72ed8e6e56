// Inside the room: the YAML that a text begins with, between two lines "---".
#ifndef INK_MARK_LABEL_FRONT_MATTER_H
#define INK_MARK_LABEL_FRONT_MATTER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct ink_front_matter {
  size_t yaml, yaml_end;  // of the YAML, with its last end of line
  size_t body;            // behind the line that ends it
} ink_front_matter;

// False for a text without. A byte order mark may stand before it; lines may end with CRLF.
bool ink_front_matter_find(const char *bytes, size_t size, ink_front_matter *front);

#endif
