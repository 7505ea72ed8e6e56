// Inside the room: frames of the ID3 tag at the start of an MP3 (ID3v2.3, ID3v2.4).
#ifndef INK_MARK_C2PA_CARRIER_MP3_H
#define INK_MARK_C2PA_CARRIER_MP3_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"

typedef struct ink_id3_frame {
  const char *id;  // four characters, without a NUL
  const unsigned char *data;
  size_t size;
} ink_id3_frame;

// Size of that tag with its head and foot; 0 without one, or where it is longer than the file.
size_t ink_id3_size(const unsigned char *bytes, size_t size);

// The next frame from *at (0 to begin with), which moves behind it; false at the end, and in tags
// of a kind that is not read here.
bool ink_id3_next(const unsigned char *bytes, size_t size, size_t *at, ink_id3_frame *frame);

// Append the file with a frame more, the first of its tag; *at is where its content lies.
// UNSUPPORTED: a tag of another kind, or no room.
ink_status ink_id3_add(const unsigned char *bytes, size_t size, const char *id,
                       const ink_text *content, ink_text *out, size_t *at, ink_error *error);

#endif
