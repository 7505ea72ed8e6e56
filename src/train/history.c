// The history of a training run, as CSV and as a chart (SVG 1.1).
#include "train/history.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

void ink_history_free(ink_history *history) {
  free(history->rows);
  *history = (ink_history){.words = history->words};
}

ink_status ink_history_add(ink_history *history, const ink_train_report *report, ink_error *error) {
  if (history->n == history->capacity) {
    size_t capacity = history->capacity ? 2 * history->capacity : 1024;
    ink_train_report *rows = realloc(history->rows, capacity * sizeof *rows);
    if (!rows) return ink_fail(error, INK_ERR_MEMORY, "no memory for the training history");
    history->rows = rows;
    history->capacity = capacity;
  }
  history->rows[history->n++] = *report;
  return INK_OK;
}

static ink_status save_text(ink_text *text, const char *folder, const char *name,
                            ink_error *error) {
  ink_status status = ink_text_status(text, error);
  char *path = status == INK_OK ? ink_path_join(folder, name) : NULL;
  if (status == INK_OK && !path) status = ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  if (status == INK_OK) status = ink_file_save(path, ink_text_string(text), text->size, error);
  free(path);
  ink_text_free(text);
  return status;
}

ink_status ink_history_save(const ink_history *history, const char *folder, ink_error *error) {
  ink_text text = {0};
  const ink_train_words *words = history->words;
  ink_text_format(&text,
                  "step,%s,loss,gradient_norm,rate,%s_per_second,gflops,valid_loss,valid_%s\n",
                  words->unit, words->unit, words->second);
  for (size_t i = 0; i < history->n; i++) {
    const ink_train_report *r = &history->rows[i];
    ink_text_format(&text, "%lld,%lld,%.17g,%.9g,%.9g,%.1f,%.2f,", (long long)r->step,
                    (long long)r->tokens, r->loss, r->gradient_norm, r->rate, r->tokens_per_second,
                    r->gflops);
    if (r->validated) {
      ink_text_format(&text, "%.17g,%.17g", r->valid_loss, r->valid_second);
    } else {
      ink_text_add(&text, ",");
    }
    ink_text_add(&text, "\n");
  }
  return save_text(&text, folder, "history.csv", error);
}

static ink_status parse_row(const char *path, size_t line, char *row, ink_train_report *report,
                            ink_error *error) {
  double fields[9] = {0};
  bool present[9] = {false};
  char *at = row;
  for (size_t i = 0; i < 9; i++) {
    char *end;
    fields[i] = strtod(at, &end);
    present[i] = end != at;
    char expected = i < 8 ? ',' : 0;
    if (*end != expected || (!present[i] && i < 7)) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: line %zu is not a row of nine numbers", path,
                      line);
    }
    at = end + 1;
  }
  *report = (ink_train_report){.step = (int64_t)fields[0],
                               .tokens = (int64_t)fields[1],
                               .loss = fields[2],
                               .gradient_norm = fields[3],
                               .rate = fields[4],
                               .tokens_per_second = fields[5],
                               .gflops = fields[6],
                               .validated = present[7] && present[8],
                               .valid_loss = fields[7],
                               .valid_second = fields[8]};
  return INK_OK;
}

ink_status ink_history_load(ink_history *history, const char *folder, int64_t step,
                            ink_error *error) {
  char *path = ink_path_join(folder, "history.csv");
  if (!path) return ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  char *bytes = NULL;
  size_t size;
  ink_status status = INK_OK;
  if (ink_file_exists(path)) status = ink_file_read(path, (size_t)1 << 30, &bytes, &size, error);
  char *rest = bytes;
  for (size_t line = 1; status == INK_OK && rest && *rest; line++) {
    char *row = strsep(&rest, "\n");
    if (line == 1 || !*row) continue;
    ink_train_report report = {0};
    status = parse_row(path, line, row, &report, error);
    if (status == INK_OK && report.step > step) break;
    if (status == INK_OK) status = ink_history_add(history, &report, error);
  }
  free(bytes);
  free(path);
  return status;
}

// ---- the chart ----------------------------------------------------------------------------------

enum { WIDTH = 860, HEIGHT = 460, LEFT = 70, RIGHT = 20, TOP = 50, BOTTOM = 60 };

typedef struct axes {
  double most_tokens, low, high;  // data ranges
} axes;

static double x_of(const axes *a, double tokens) {
  return LEFT + (WIDTH - LEFT - RIGHT) * tokens / a->most_tokens;
}

static double y_of(const axes *a, double loss) {
  double clamped = loss > a->high ? a->high : loss < a->low ? a->low : loss;
  return TOP + (HEIGHT - TOP - BOTTOM) * (a->high - clamped) / (a->high - a->low);
}

// A round step that gives between four and nine ticks over `range`.
static double tick_step(double range) {
  double step = pow(10, floor(log10(range / 4)));
  while (range / step > 9) step *= range / step > 18 ? 5 : 2;
  return step;
}

static void draw_axes(ink_text *svg, const axes *a, const ink_train_words *words,
                      const char *title) {
  ink_text_format(svg,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                  "font-family=\"sans-serif\" font-size=\"13\" fill=\"#333\">\n"
                  "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n"
                  "<text x=\"%d\" y=\"28\" font-size=\"17\">%s</text>\n",
                  WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT, title);
  double step = tick_step(a->high - a->low);
  int first = (int)ceil(a->low / step), last = (int)floor((a->high + 1e-9) / step);
  for (int i = first; i <= last; i++) {
    double v = i * step;
    ink_text_format(svg,
                    "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#e4e4e4\"/>"
                    "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                    LEFT, WIDTH - RIGHT, y_of(a, v), y_of(a, v), LEFT - 8, y_of(a, v) + 4, v);
  }
  bool millions = a->most_tokens >= 2e6;
  double unit = millions ? 1e6 : 1;
  step = tick_step(a->most_tokens / unit);
  for (double v = 0; v * unit <= a->most_tokens * (1 + 1e-9); v += step) {
    ink_text_format(svg, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
                    x_of(a, v * unit), HEIGHT - BOTTOM + 20, v);
  }
  ink_text_format(
      svg,
      "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s%s</text>\n"
      "<text transform=\"translate(18 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
      (WIDTH + LEFT - RIGHT) / 2, HEIGHT - 18, millions ? "million " : "", words->unit,
      (HEIGHT + TOP - BOTTOM) / 2, words->loss);
}

// One curve through at most ~1,500 points. kind 0: raw loss, 1: smoothed, 2: held-out.
static void draw_curve(ink_text *svg, const ink_history *h, const axes *a, int kind) {
  static const char *const styles[] = {"stroke=\"#c9d6e8\" stroke-width=\"1\"",
                                       "stroke=\"#2b5c9e\" stroke-width=\"2\"",
                                       "stroke=\"#c2452d\" stroke-width=\"2\""};
  ink_text_format(svg, "<polyline fill=\"none\" %s points=\"", styles[kind]);
  size_t every = kind == 2 ? 1 : h->n / 1500 + 1;
  double smooth = h->rows[0].loss;
  for (size_t i = 0; i < h->n; i++) {
    const ink_train_report *r = &h->rows[i];
    double share = 1.0 / (i < 50 ? (double)i + 1 : 50);
    smooth += share * (r->loss - smooth);
    if (kind == 2 ? !r->validated : i % every != 0 && i + 1 != h->n) continue;
    double v = kind == 0 ? r->loss : kind == 1 ? smooth : r->valid_loss;
    ink_text_format(svg, "%.1f,%.1f ", x_of(a, (double)r->tokens), y_of(a, v));
  }
  ink_text_add(svg, "\"/>\n");
}

ink_status ink_history_chart(const ink_history *h, const char *folder, const char *title,
                             ink_error *error) {
  if (h->n == 0) return INK_OK;
  axes a = {(double)h->rows[h->n - 1].tokens, h->rows[0].loss, h->rows[0].loss};
  const ink_train_report *held_out = NULL;
  for (size_t i = 0; i < h->n; i++) {
    const ink_train_report *r = &h->rows[i];
    a.low = fmin(a.low, r->loss);
    a.high = fmax(a.high, r->loss);
    if (r->validated) {
      held_out = r;
      a.low = fmin(a.low, r->valid_loss);
    }
  }
  if (a.high - a.low < 1e-3) a.high = a.low + 1e-3;
  // The first steps fall so steeply that they would flatten all the rest.
  if (a.high > a.low + 4) a.high = a.low + 4;
  ink_text svg = {0};
  draw_axes(&svg, &a, h->words, title);
  draw_curve(&svg, h, &a, 0);
  draw_curve(&svg, h, &a, 1);
  if (held_out) draw_curve(&svg, h, &a, 2);
  ink_text_format(&svg,
                  "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"#2b5c9e\">training</text>\n",
                  WIDTH - RIGHT, TOP + 14);
  if (held_out) {
    ink_text_format(&svg,
                    "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"#c2452d\">held out: "
                    "%.3f</text>\n",
                    WIDTH - RIGHT, TOP + 32, held_out->valid_loss);
  }
  ink_text_add(&svg, "</svg>\n");
  return save_text(&svg, folder, "loss.svg", error);
}
