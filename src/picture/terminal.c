// Showing pictures where the command runs.
#include "picture/terminal.h"

#include <chafa.h>

// What the terminal can do by its environment, or what was asked for.
static ChafaTermInfo *terminal(ink_terminal_graphics graphics, ChafaPixelMode *mode,
                               ChafaCanvasMode *colours) {
  gchar **environment = g_get_environ();
  ChafaTermInfo *info = chafa_term_db_detect(chafa_term_db_get_default(), environment);
  g_strfreev(environment);
  // Asked for explicitly, a protocol is spoken whatever the environment says.
  if (graphics != INK_TERMINAL_AUTO) {
    ChafaTermInfo *all = chafa_term_db_get_fallback_info(chafa_term_db_get_default());
    chafa_term_info_supplement(info, all);
    chafa_term_info_unref(all);
  }
  static const ChafaPixelMode modes[] = {[INK_TERMINAL_BLOCKS] = CHAFA_PIXEL_MODE_SYMBOLS,
                                         [INK_TERMINAL_SIXEL] = CHAFA_PIXEL_MODE_SIXELS,
                                         [INK_TERMINAL_KITTY] = CHAFA_PIXEL_MODE_KITTY,
                                         [INK_TERMINAL_ITERM] = CHAFA_PIXEL_MODE_ITERM2};
  *mode = modes[graphics];
  if (graphics == INK_TERMINAL_AUTO) {
    *mode = chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_BEGIN_KITTY_IMMEDIATE_IMAGE_V1)
                ? CHAFA_PIXEL_MODE_KITTY
            : chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_BEGIN_ITERM2_IMAGE)
                ? CHAFA_PIXEL_MODE_ITERM2
            : chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_BEGIN_SIXELS)
                ? CHAFA_PIXEL_MODE_SIXELS
                : CHAFA_PIXEL_MODE_SYMBOLS;
  }
  *colours = chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_SET_COLOR_FGBG_DIRECT)
                 ? CHAFA_CANVAS_MODE_TRUECOLOR
             : chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_SET_COLOR_FGBG_256)
                 ? CHAFA_CANVAS_MODE_INDEXED_240
                 : CHAFA_CANVAS_MODE_INDEXED_16;
  return info;
}

static ChafaCanvas *canvas_for(const ink_picture *rgba, ink_terminal_size size, ChafaPixelMode mode,
                               ChafaCanvasMode colours, int *rows) {
  int columns = size.columns;
  *rows = size.rows;
  float shape = size.cell_height ? (float)size.cell_width / (float)size.cell_height : 0.5F;
  chafa_calc_canvas_geometry(rgba->width, rgba->height, &columns, rows, shape, FALSE, FALSE);
  ChafaSymbolMap *symbols = chafa_symbol_map_new();
  chafa_symbol_map_add_by_tags(symbols, CHAFA_SYMBOL_TAG_BLOCK | CHAFA_SYMBOL_TAG_SPACE);
  ChafaCanvasConfig *config = chafa_canvas_config_new();
  chafa_canvas_config_set_geometry(config, columns, *rows);
  chafa_canvas_config_set_symbol_map(config, symbols);
  chafa_canvas_config_set_pixel_mode(config, mode);
  chafa_canvas_config_set_canvas_mode(config, colours);
  if (size.cell_width > 0 && size.cell_height > 0) {
    chafa_canvas_config_set_cell_geometry(config, size.cell_width, size.cell_height);
  }
  ChafaCanvas *canvas = chafa_canvas_new(config);
  chafa_canvas_config_unref(config);
  chafa_symbol_map_unref(symbols);
  chafa_canvas_draw_all_pixels(canvas, CHAFA_PIXEL_RGBA8_UNASSOCIATED, rgba->pixels, rgba->width,
                               rgba->height, (int)ink_picture_row(rgba));
  return canvas;
}

ink_status ink_picture_to_terminal(const ink_picture *picture, ink_terminal_graphics graphics,
                                   ink_terminal_size size, ink_text *out, int *rows,
                                   ink_error *error) {
  if (size.columns < 1 || size.rows < 1 || size.columns > 1000 || size.rows > 1000) {
    return ink_fail(error, INK_ERR_USAGE, "a terminal of %d x %d; 1 … 1000 either way",
                    size.columns, size.rows);
  }
  ink_picture rgba;
  INK_TRY(ink_picture_convert(picture, 4, &rgba, error));
  ChafaPixelMode mode;
  ChafaCanvasMode colours;
  int taken;
  ChafaTermInfo *info = terminal(graphics, &mode, &colours);
  ChafaCanvas *canvas = canvas_for(&rgba, size, mode, colours, &taken);
  GString *text = chafa_canvas_print(canvas, info);
  ink_text_add_bytes(out, text->str, text->len);
  ink_text_add(out, "\n");
  if (rows) *rows = taken;
  g_string_free(text, TRUE);
  chafa_canvas_unref(canvas);
  chafa_term_info_unref(info);
  ink_picture_free(&rgba);
  return ink_text_status(out, error);
}
