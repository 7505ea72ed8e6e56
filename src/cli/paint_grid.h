// Several pictures side by side on one sheet.
#ifndef INK_CLI_PAINT_GRID_H
#define INK_CLI_PAINT_GRID_H

#include "cli/painted.h"

// Zero-initialise it.
typedef struct ink_paint_grid {
  ink_picture *items;
  size_t n;
} ink_paint_grid;

// Keep a copy of a picture.
ink_status ink_paint_grid_add(ink_paint_grid *grid, const ink_picture *picture, ink_error *error);
void ink_paint_grid_free(ink_paint_grid *grid);

// Write the sheet, as square as may be, as NAME-grid beside the pictures, with marks as they have.
ink_status ink_paint_grid_write(const ink_paint_grid *grid, const ink_paint_output *output,
                                const ink_paint_recipe *recipe, json_t *files, json_t *identities,
                                ink_error *error);

#endif
