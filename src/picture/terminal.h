// Pictures in the terminal, through chafa.
#ifndef INK_PICTURE_TERMINAL_H
#define INK_PICTURE_TERMINAL_H

#include "base/text.h"
#include "picture/picture.h"

typedef enum ink_terminal_graphics {
  INK_TERMINAL_AUTO,  // the best that the environment says this terminal can do
  INK_TERMINAL_BLOCKS,
  INK_TERMINAL_SIXEL,
  INK_TERMINAL_KITTY,
  INK_TERMINAL_ITERM
} ink_terminal_graphics;

typedef struct ink_terminal_size {
  int columns, rows;            // of characters to fill at most
  int cell_width, cell_height;  // pixels of a character; 0: unknown
} ink_terminal_size;

// Append the characters and control sequences that show the picture, its shape kept, at the cursor;
// rows end in line breaks. *rows (may be NULL) becomes how many rows of characters it takes.
ink_status ink_picture_to_terminal(const ink_picture *picture, ink_terminal_graphics graphics,
                                   ink_terminal_size size, ink_text *out, int *rows,
                                   ink_error *error);

#endif
