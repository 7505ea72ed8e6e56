// Inside the room: the blocks of a GIF, for who else looks into one.
#ifndef INK_MARK_C2PA_CARRIER_GIF_H
#define INK_MARK_C2PA_CARRIER_GIF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

typedef struct ink_gif_block {
  size_t start, end;
  bool is_image;
  unsigned char label;  // of an extension
} ink_gif_block;

// The next block from *at, which moves behind it; 0 stands for the first, behind the global colour
// table. False at the trailer, at the end, and where nothing can be read; *at then stays.
bool ink_gif_next(const unsigned char *bytes, size_t size, size_t *at, ink_gif_block *block);

// Behind the sub-blocks from `at`, whose data is appended to `data` (may be NULL); 0 when cut
// short.
size_t ink_gif_data(const unsigned char *bytes, size_t size, size_t at, ink_text *data);

#endif
