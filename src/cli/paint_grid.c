// Sheets of pictures.
#include "cli/paint_grid.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

ink_status ink_paint_grid_add(ink_paint_grid *grid, const ink_picture *picture, ink_error *error) {
  ink_picture *grown = realloc(grid->items, (grid->n + 1) * sizeof *grown);
  if (!grown) return ink_fail(error, INK_ERR_MEMORY, "no memory for a sheet of pictures");
  grid->items = grown;
  INK_TRY(ink_picture_convert(picture, 3, &grown[grid->n], error));
  grid->n++;
  return INK_OK;
}

void ink_paint_grid_free(ink_paint_grid *grid) {
  for (size_t i = 0; i < grid->n; i++) ink_picture_free(&grid->items[i]);
  free(grid->items);
  *grid = (ink_paint_grid){0};
}

static ink_status lay_out(const ink_paint_grid *grid, ink_picture *sheet, ink_error *error) {
  int32_t n = (int32_t)grid->n, columns = 1;
  while (columns * columns < n) columns++;
  int32_t rows = (n + columns - 1) / columns;
  int64_t width = grid->items[0].width, height = grid->items[0].height;
  if (width * columns > INK_PICTURE_MOST_SIDE || height * rows > INK_PICTURE_MOST_SIDE) {
    return ink_fail(error, INK_ERR_USAGE, "%d pictures are too many for one sheet", (int)n);
  }
  INK_TRY(ink_picture_new((int32_t)width * columns, (int32_t)height * rows, 3, sheet, error));
  memset(sheet->pixels, 255, ink_picture_bytes(sheet));
  for (int32_t i = 0; i < n; i++) {
    INK_TRY(ink_picture_composite(sheet, &grid->items[i], (int32_t)width * (i % columns),
                                  (int32_t)height * (i / columns), error));
  }
  return INK_OK;
}

ink_status ink_paint_grid_write(const ink_paint_grid *grid, const ink_paint_output *output,
                                const ink_paint_recipe *recipe, json_t *files, json_t *identities,
                                ink_error *error) {
  const char *dot = strrchr(ink_path_name(output->path), '.');
  size_t stem = dot ? (size_t)(dot - output->path) : strlen(output->path);
  ink_paint_output one = *output;
  ink_text path = {0};
  ink_picture sheet = {0};
  ink_text_add_bytes(&path, output->path, stem);
  ink_text_format(&path, "-grid%s", dot ? dot : "");
  ink_status status = ink_text_status(&path, error);
  one.path = ink_text_string(&path);
  one.count = 1;
  if (status == INK_OK) status = lay_out(grid, &sheet, error);
  if (status == INK_OK) {
    status = ink_paint_write(&one, recipe, 0, &sheet, files, identities, error);
  }
  ink_picture_free(&sheet);
  ink_text_free(&path);
  return status;
}
