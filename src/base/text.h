// Growing strings and UTF-8.
#ifndef INK_BASE_TEXT_H
#define INK_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// A growing byte string, NUL-terminated at all times once something was added. Zero-initialise it.
// When memory runs out it turns `failed`, ignores further additions, and ink_text_status says so:
// check once, at the end.
typedef struct ink_text {
  char *bytes;  // NULL while empty
  size_t size;  // without the NUL
  size_t capacity;
  bool failed;
} ink_text;

void ink_text_free(ink_text *text);
// Empty it, keeping the memory.
void ink_text_clear(ink_text *text);
void ink_text_add(ink_text *text, const char *string);
void ink_text_add_bytes(ink_text *text, const void *bytes, size_t size);
void ink_text_add_rune(ink_text *text, uint32_t rune);
void ink_text_format(ink_text *text, const char *format, ...) INK_PRINTF(2, 3);
// The string; "" while empty. Valid until the next change.
const char *ink_text_string(const ink_text *text);
ink_status ink_text_status(const ink_text *text, ink_error *error);

enum { INK_RUNE_INVALID = 0xFFFD };

// Decode one code point at bytes[0 … size). Returns how many bytes it took (at least 1 while
// size > 0, 0 at the end). Ill-formed UTF-8 (Unicode 15, table 3-7: overlong, surrogate, beyond
// U+10FFFF, truncated) gives *rune = -1 and takes one byte.
size_t ink_utf8_decode(const char *bytes, size_t size, int32_t *rune);
// Encode a code point (not a surrogate, at most 0x10FFFF); returns its length, 1 to 4.
size_t ink_utf8_encode(uint32_t rune, char out[4]);
// True when all of it is well-formed; *bad (may be NULL) then stays, else is the offset of the
// fault.
bool ink_utf8_valid(const char *bytes, size_t size, size_t *bad);
// Length of the ill-formed part that begins where ink_utf8_decode gave -1, at least 1: the longest
// beginning of a well-formed sequence there, or else one byte (Unicode 15, section 3.9, maximal
// subparts). *incomplete (may be NULL) says that more bytes could still make it well-formed.
size_t ink_utf8_ill_formed(const char *bytes, size_t size, bool *incomplete);
// Append bytes with each ill-formed part replaced by U+FFFD.
void ink_text_add_lossy(ink_text *text, const char *bytes, size_t size);
// Code points in well-formed text (ill-formed bytes count one each).
size_t ink_utf8_length(const char *bytes, size_t size);

// Append text with all but ASCII letters, digits and "-._~" (and slashes, if `slashes`) as %XX
// (RFC 3986, section 2).
void ink_url_escape(ink_text *out, const char *text, bool slashes);

// The name that a person most likely meant: the index of the nearest of n names, counting inserted,
// lost, changed and swapped characters, or -1 when none is near (more than one character in four,
// and one more, is wrong).
int ink_text_nearest(const char *given, const char *const *names, size_t n);

#endif
