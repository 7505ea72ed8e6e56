// Pictures of the painter in the terminal.
#ifndef INK_CLI_PAINT_PREVIEW_H
#define INK_CLI_PAINT_PREVIEW_H

#include "diffusion/pipeline.h"

// Print the picture on stderr, at most so many rows of characters high (0: as the terminal is).
// Gives the rows that it took.
int ink_paint_print_picture(const ink_picture *picture, int most_rows);

// A preview that is drawn in one place again and again.
typedef struct ink_paint_screen {
  int rows;  // that the last one took
} ink_paint_screen;

// What to hand to a request: a listener that draws, where stderr is a terminal, else NULL. Both
// outlive the painting.
const ink_paint_preview *ink_paint_preview_open(ink_paint_screen *screen,
                                                ink_paint_preview *preview);

#endif
