// Pictures of the painter in the terminal.
#include "cli/paint_preview.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lang/catalogue.h"
#include "mark/label/wording.h"
#include "picture/terminal.h"

enum { PREVIEW_ROWS = 16 };

int ink_paint_print_picture(const ink_picture *picture, int most_rows) {
  struct winsize w = {0};
  ioctl(STDERR_FILENO, TIOCGWINSZ, &w);
  ink_terminal_size size = {.columns = w.ws_col ? w.ws_col : 80,
                            .rows = w.ws_row > 1 ? w.ws_row - 1 : 24};
  if (w.ws_xpixel && w.ws_ypixel && w.ws_col && w.ws_row) {
    size.cell_width = w.ws_xpixel / w.ws_col;
    size.cell_height = w.ws_ypixel / w.ws_row;
  }
  if (most_rows > 0 && size.rows > most_rows) size.rows = most_rows;
  ink_text out = {0};
  ink_error error = {0};
  int rows = 0;
  if (ink_picture_to_terminal(picture, INK_TERMINAL_AUTO, size, &out, &rows, &error) == INK_OK) {
    fwrite(out.bytes, 1, out.size, stderr);
    fflush(stderr);
  }
  ink_text_free(&out);
  return rows;
}

static void draw(void *context, int32_t step, int32_t n_steps, const ink_picture *picture) {
  ink_paint_screen *screen = context;
  (void)step, (void)n_steps;
  // The line of progress stands below; the picture goes over the one before.
  fputs("\r\033[K", stderr);
  if (screen->rows > 0) fprintf(stderr, "\033[%dA", screen->rows);
  screen->rows = ink_paint_print_picture(picture, PREVIEW_ROWS);
}

const ink_paint_preview *ink_paint_preview_open(ink_paint_screen *screen,
                                                ink_paint_preview *preview) {
  *screen = (ink_paint_screen){0};
  *preview = (ink_paint_preview){draw, screen};
  if (!isatty(STDERR_FILENO)) return NULL;
  // An interface shows the label beside what it shows (GB 45438-2025, 5.6).
  bool zh = ink_language_current() == INK_LANGUAGE_ZH;
  fprintf(stderr, "%s\n",
          ink_label_wordings(INK_LABEL_OWN, INK_LABEL_PICTURE, zh ? "zh" : "en")[0]);
  return preview;
}
