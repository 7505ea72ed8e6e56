// The visible label of a PDF.
#include "mark/label/pdf_visible.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "picture/canvas.h"

enum { DEEPEST = 64, MOST_KIDS = 1 << 20, STENCIL_CAPITAL = 40, SIGNATURES_EXIST = 1 };

// ---- numbers

// A real number or an integer, as it stands or referred to.
static bool read_real(ink_pdf *p, size_t at, double *number) {
  at = ink_pdf_resolve(p, at);
  size_t end = at ? ink_pdf_skip(p, at) : 0, i = at;
  double value = 0, unit = 1;
  bool negative = false, digits = false, fraction = false;
  if (!end || end - at > 24) return false;
  if (p->bytes[i] == '-' || p->bytes[i] == '+') negative = p->bytes[i++] == '-';
  for (; i < end; i++) {
    if (p->bytes[i] == '.' && !fraction) {
      fraction = true;
      continue;
    }
    if (p->bytes[i] < '0' || p->bytes[i] > '9') return false;
    value = value * 10 + (p->bytes[i] - '0');
    if (fraction) unit *= 10;
    digits = true;
  }
  *number = (negative ? -value : value) / unit;
  return digits;
}

// Hundredths of a point, with a point whatever the locale.
static void add_number(double value, ink_text *out) {
  long long hundredths = llround(value * 100);
  ink_text_format(out, "%s%lld.%02lld ", hundredths < 0 ? "-" : "", llabs(hundredths) / 100,
                  llabs(hundredths) % 100);
}

// ---- the page

typedef struct page {
  size_t at, number, generation;  // its dictionary
  double x, y, width, height;     // of what is shown of it, in its own directions
  int turns;                      // clockwise, of 90 degrees
} page;

// The first or last of a tree's pages; false where the tree is not what it should be.
static bool find_page(ink_pdf *p, size_t catalog, bool last, page *found) {
  size_t reference = ink_pdf_value(p, catalog, "/Pages");
  for (int depth = 0; depth < DEEPEST; depth++) {
    size_t behind = reference;
    if (!reference || !ink_pdf_read_reference(p, &behind, &found->number, &found->generation)) {
      return false;
    }
    found->at = ink_pdf_resolve(p, reference);
    if (!found->at || !ink_pdf_is_dictionary(p, found->at)) return false;
    size_t kids = ink_pdf_resolve(p, ink_pdf_value(p, found->at, "/Kids"));
    if (!kids) return ink_pdf_is_name(p, ink_pdf_value(p, found->at, "/Type"), "/Page");
    if (!ink_pdf_is_word(p, kids, "[")) return false;
    reference = 0;
    size_t at = ink_pdf_skip_space(p, kids + 1);
    for (int n = 0; n < MOST_KIDS && !ink_pdf_is_word(p, at, "]"); n++) {
      if (!reference || last) reference = at;
      at = ink_pdf_skip(p, at);
      if (!at) return false;
      at = ink_pdf_skip_space(p, at);
    }
  }
  return false;
}

// What a page says, or those above it say for it.
static size_t inherited(ink_pdf *p, size_t node, const char *key) {
  for (int depth = 0; node && depth < DEEPEST; depth++) {
    size_t value = ink_pdf_value(p, node, key);
    if (value) return ink_pdf_resolve(p, value);
    node = ink_pdf_resolve(p, ink_pdf_value(p, node, "/Parent"));
  }
  return 0;
}

static bool read_box(ink_pdf *p, size_t at, double box[4]) {
  if (!at || !ink_pdf_is_word(p, at, "[")) return false;
  at++;
  for (int i = 0; i < 4; i++) {
    at = ink_pdf_skip_space(p, at);
    if (!read_real(p, at, &box[i])) return false;
    at = ink_pdf_skip(p, at);
  }
  for (int i = 0; i < 2; i++) {
    double low = fmin(box[i], box[i + 2]), high = fmax(box[i], box[i + 2]);
    box[i] = low;
    box[i + 2] = high;
  }
  return true;
}

// What is shown is the crop box, as far as it lies on the medium.
static bool measure_page(ink_pdf *p, page *g) {
  enum { LEAST = 36, MOST = 1 << 20 };
  double medium[4], crop[4], degrees = 0;
  if (!read_box(p, inherited(p, g->at, "/MediaBox"), medium)) return false;
  if (read_box(p, inherited(p, g->at, "/CropBox"), crop)) {
    for (int i = 0; i < 2; i++) {
      medium[i] = fmax(medium[i], crop[i]);
      medium[i + 2] = fmin(medium[i + 2], crop[i + 2]);
    }
  }
  size_t rotate = inherited(p, g->at, "/Rotate");
  if (rotate && (!read_real(p, rotate, &degrees) || fmod(degrees, 90) != 0)) return false;
  g->turns = (int)fmod(fmod(degrees / 90, 4) + 4, 4);
  g->x = medium[0];
  g->y = medium[1];
  g->width = medium[2] - medium[0];
  g->height = medium[3] - medium[1];
  double least = fmin(g->width, g->height);
  // Contents in a list that does not end cannot be taken over.
  size_t contents = ink_pdf_resolve(p, ink_pdf_value(p, g->at, "/Contents"));
  if (contents && !ink_pdf_skip(p, contents)) return false;
  return least >= LEAST && g->width <= MOST && g->height <= MOST && fabs(g->x) <= MOST &&
         fabs(g->y) <= MOST;
}

// ---- drawing

// From the page as it is shown, its lower left corner at 0 0, to its own coordinates.
static void add_upright(const page *g, ink_text *out) {
  static const int turn[4][4] = {{1, 0, 0, 1}, {0, 1, -1, 0}, {-1, 0, 0, -1}, {0, -1, 1, 0}};
  bool right = g->turns == 1 || g->turns == 2, top = g->turns == 2 || g->turns == 3;
  for (int i = 0; i < 4; i++) ink_text_format(out, "%d ", turn[g->turns][i]);
  add_number(g->x + (right ? g->width : 0), out);
  add_number(g->y + (top ? g->height : 0), out);
  ink_text_add(out, "cm\n");
}

static void add_colour(const uint8_t rgb[3], double opacity, ink_text *out) {
  // Over paper: a page has no word for half covered ink without a resource.
  for (int i = 0; i < 3; i++) add_number((opacity * rgb[i] + (1 - opacity) * 255) / 255, out);
  ink_text_add(out, "rg\n");
}

// Letters as an inline image whose set bits take the colour; a row begins with a byte.
static void add_stencil(const ink_picture *letters, ink_text *out) {
  static const char digits[] = "0123456789ABCDEF";
  ink_text_format(out, "BI /W %d /H %d /IM true /BPC 1 /F /AHx ID\n", (int)letters->width,
                  (int)letters->height);
  for (int32_t y = 0; y < letters->height; y++) {
    for (int32_t x = 0; x < letters->width; x += 8) {
      unsigned byte = 0xFF;
      for (int32_t i = 0; i < 8 && x + i < letters->width; i++) {
        if (ink_picture_at(letters, x + i, y)[3] > 127) byte &= ~(0x80U >> i);
      }
      ink_text_format(out, "%c%c", digits[byte >> 4 & 15], digits[byte & 15]);
    }
    ink_text_add(out, "\n");
  }
  ink_text_add(out, ">\nEI\n");
}

// The words for who reads the page by ear or copies it: UTF-16 in hexadecimal digits.
static void add_actual_text(const char *words, ink_text *out) {
  size_t size = strlen(words);
  ink_text_add(out, "/Span << /ActualText <FEFF");
  for (size_t i = 0; i < size;) {
    int32_t rune;
    i += ink_utf8_decode(words + i, size - i, &rune);
    ink_text_format(out, "%04X", (unsigned)rune);  // the words are ours, of the basic plane
  }
  ink_text_add(out, "> >> BDC\n");
}

static void add_label(const page *g, const ink_label_style *s, const char *words,
                      const ink_picture *letters, double capital, ink_text *out) {
  bool across = g->turns % 2;
  double width = across ? g->height : g->width, height = across ? g->width : g->height;
  double margin = capital / 2, unit = capital / STENCIL_CAPITAL, edge = 2 * capital;
  double inner = letters->width * unit, tall = letters->height * unit;
  // A long label on a narrow page gets as wide as the page.
  double fit = fmin(1, (width - 2 * margin) / (inner + 2 * margin));
  inner *= fit;
  tall *= fit;
  edge = fmin(edge, (width - inner - 2 * margin) / 2);
  bool top = s->place == INK_LABEL_TOP || s->place == INK_LABEL_TOP_LEFT ||
             s->place == INK_LABEL_TOP_RIGHT;
  bool left = s->place == INK_LABEL_TOP_LEFT || s->place == INK_LABEL_BOTTOM_LEFT;
  bool middle = s->place == INK_LABEL_TOP || s->place == INK_LABEL_BOTTOM;
  double w = inner + 2 * margin, h = tall + 2 * margin;
  double x = middle ? (width - w) / 2 : left ? edge : width - w - edge;
  double y = top ? height - h - capital : capital;
  ink_text_add(out, "Q\nq\n");
  add_upright(g, out);
  add_actual_text(words, out);
  add_colour(s->plate, s->opacity, out);
  const double plate[4] = {x, y, w, h};
  for (int i = 0; i < 4; i++) add_number(plate[i], out);
  ink_text_add(out, "re f\n");
  add_colour(s->ink, 1, out);
  const double image[6] = {inner, 0, 0, tall, x + margin, y + margin};
  for (int i = 0; i < 6; i++) add_number(image[i], out);
  ink_text_add(out, "cm\n");
  add_stencil(letters, out);
  ink_text_add(out, "EMC\nQ\n");
}

// ---- the update

static void add_stream(ink_pdf_writer *w, size_t number, const ink_text *content) {
  ink_pdf_begin(w, number, 0);
  ink_text_format(w->out, "<< /Length %zu >>\nstream\n", content->size);
  ink_text_add_bytes(w->out, content->bytes, content->size);
  ink_text_add(w->out, "\nendstream\nendobj\n");
}

// The page once more, its contents between ours. Whatever state they leave is undone by Q.
static void add_page(ink_pdf_writer *w, const page *g, size_t before, size_t behind) {
  ink_pdf *p = &w->pdf;
  size_t contents = ink_pdf_value(p, g->at, "/Contents"), list = ink_pdf_resolve(p, contents);
  ink_pdf_begin(w, g->number, g->generation);
  ink_text_add(w->out, "<<");
  for (size_t at = ink_pdf_skip_space(p, g->at + 2); !ink_pdf_is_word(p, at, ">>");) {
    size_t value = ink_pdf_skip_space(p, ink_pdf_skip(p, at)), end = ink_pdf_skip(p, value);
    if (!ink_pdf_is_name(p, at, "/Contents")) {
      ink_text_add(w->out, "\n");
      ink_text_add_bytes(w->out, p->bytes + at, end - at);
    }
    at = ink_pdf_skip_space(p, end);
  }
  ink_text_format(w->out, "\n/Contents [%zu 0 R ", before);
  if (list && ink_pdf_is_word(p, list, "[")) {
    size_t close = ink_pdf_skip(p, list);
    ink_text_add_bytes(w->out, p->bytes + list + 1, close - list - 2);
  } else if (list) {
    ink_text_add_bytes(w->out, p->bytes + contents, ink_pdf_skip(p, contents) - contents);
  }
  ink_text_format(w->out, " %zu 0 R] >>\nendobj\n", behind);
}

// A signature that is there covers the pages as they are.
static bool bears_signature(ink_pdf *p, size_t catalog) {
  size_t form = ink_pdf_resolve(p, ink_pdf_value(p, catalog, "/AcroForm"));
  size_t flags = form ? ink_pdf_resolve(p, ink_pdf_value(p, form, "/SigFlags")) : 0, number = 0;
  return (flags && ink_pdf_read_number(p, &flags, &number) && (number & SIGNATURES_EXIST)) ||
         ink_pdf_value(p, catalog, "/Perms");
}

ink_status ink_pdf_show_label(ink_pdf_writer *w, const ink_label_work *work, ink_labelled *out,
                              ink_error *error) {
  const ink_label_request *r = work->request;
  const char *words = ink_label_wordings(r->kind, INK_LABEL_TEXT, r->language)[0];
  ink_label_style style = r->style ? *r->style : ink_label_style_default();
  page g = {0};
  INK_TRY(ink_label_style_check(&style, error));
  if (bears_signature(&w->pdf, w->catalog)) {
    out->no_visible = "it bears a signature, which a label drawn on a page would break";
  } else if (!find_page(&w->pdf, w->catalog, r->at_end, &g) || !measure_page(&w->pdf, &g)) {
    out->no_visible = "its pages cannot be told from what is read of it here";
  }
  if (out->no_visible) return INK_OK;
  ink_picture letters;
  ink_lettering lettering = {.text = words,
                             .language = r->language,
                             .font = style.font,
                             .capital_height = STENCIL_CAPITAL,
                             .colour = {0, 0, 0, 255}};
  INK_TRY(ink_canvas_letter(&lettering, &letters, error));
  // Pages are read from nearer than pictures are: the height is that of their larger words.
  double capital = fmax(7, style.height * 0.3 * fmin(g.width, g.height));
  ink_text before = {0}, behind = {0};
  ink_text_add(&before, "q");
  add_label(&g, &style, words, &letters, capital, &behind);
  ink_picture_free(&letters);
  ink_status status = ink_text_status(&before, error);
  if (status == INK_OK) status = ink_text_status(&behind, error);
  if (status == INK_OK) {
    size_t first = w->next++, second = w->next++;
    add_stream(w, first, &before);
    add_stream(w, second, &behind);
    add_page(w, &g, first, second);
    snprintf(out->visible, sizeof out->visible, "\"%s\", %s page, %s, capitals of %.0f pt", words,
             r->at_end ? "last" : "first", ink_label_place_name(style.place), capital);
  }
  ink_text_free(&before);
  ink_text_free(&behind);
  return status;
}
