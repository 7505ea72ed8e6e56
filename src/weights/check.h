// Checks that the readers of this room share.
#ifndef INK_WEIGHTS_CHECK_H
#define INK_WEIGHTS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

// True when a name from a file may be kept, compared and printed as a C string: not empty, UTF-8,
// no NUL and no control characters (which could steer a terminal). Else *bad is the first byte at
// fault.
bool ink_name_valid(const char *bytes, size_t size, size_t *bad);

// How many bytes of a name a message quotes, for "%.*s": at most 96, never part of a character.
int ink_name_shown(const char *bytes, size_t size);
// The two arguments of that "%.*s".
#define INK_SHOWN(name) ink_name_shown(name, strlen(name)), name

#endif
