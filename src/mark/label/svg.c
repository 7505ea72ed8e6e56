// Labels of SVG (SVG 1.1 and 2): words on a plate, drawn last, and XMP in <metadata>, where ISO
// 16684-1 has it in this format; GB 45438-2025, Annex E, names XMP for pictures and not SVG. What
// stands in the file keeps its bytes.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mark/label/label_parts.h"
#include "mark/label/xml_scan.h"
#include "mark/label/xmp.h"

#define SVG "http://www.w3.org/2000/svg"
#define RDF "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

enum { MOST_VALUE = 1 << 16 };

// A property of the XMP that is there.
typedef struct property {
  const char *space, *name;
  bool found;
  ink_text value;
} property;

enum { AIGC, SOURCE, SYSTEM, SYSTEM_VERSION, PROMPT, N_PROPERTY };

typedef struct drawing {
  const char *bytes;
  bool is_svg;
  ink_xml_spot start, end;           // in the root
  ink_xml_spot metadata, rdf;        // in the first of each; rdf: at its end
  size_t metadata_depth, rdf_depth;  // of what is open, one more; 0: none
  property properties[N_PROPERTY];
  property *reading;  // whose text is being read
  size_t reading_depth;
  char view[128], width[32], height[32], ratio[64];  // attributes of the root; "" without
} drawing;

static void keep(char *to, size_t room, const ink_xml_tag *tag, const char *name) {
  const char *value = ink_xml_attribute(tag, "", name);
  snprintf(to, room, "%s", value ? value : "");
}

static void open_root(drawing *d, const ink_xml_tag *tag) {
  d->is_svg = ink_xml_is(tag, SVG, "svg");
  d->start = d->end = ink_xml_inside(d->bytes, tag);
  keep(d->view, sizeof d->view, tag, "viewBox");
  keep(d->width, sizeof d->width, tag, "width");
  keep(d->height, sizeof d->height, tag, "height");
  keep(d->ratio, sizeof d->ratio, tag, "preserveAspectRatio");
}

static void open_properties(drawing *d, const ink_xml_tag *tag) {
  for (int i = 0; i < N_PROPERTY; i++) {
    property *p = &d->properties[i];
    const char *value = ink_xml_attribute(tag, p->space, p->name);
    bool is = ink_xml_is(tag, p->space, p->name);
    if (p->found || (!value && !is)) continue;
    p->found = true;
    const char *resource = is ? ink_xml_attribute(tag, RDF, "resource") : NULL;
    if (value || resource) {
      ink_text_add(&p->value, value ? value : resource);
    } else {
      d->reading = p;
      d->reading_depth = tag->depth;
    }
  }
}

static void open_tag(void *context, const ink_xml_tag *tag) {
  drawing *d = context;
  if (tag->depth == 0) open_root(d, tag);
  if (tag->depth == 1 && ink_xml_is(tag, SVG, "metadata")) {
    if (!d->metadata.found) d->metadata = ink_xml_inside(d->bytes, tag);
    d->metadata_depth = tag->depth + 1;
  }
  if (d->metadata_depth && !d->rdf.found && ink_xml_is(tag, RDF, "RDF")) {
    d->rdf = ink_xml_inside(d->bytes, tag);
    d->rdf_depth = tag->depth + 1;
  }
  if (d->metadata_depth) open_properties(d, tag);
}

static void close_tag(void *context, const ink_xml_tag *tag) {
  drawing *d = context;
  if (d->reading && d->reading_depth == tag->depth) d->reading = NULL;
  if (d->rdf_depth == tag->depth + 1) {
    if (!d->rdf.empty) d->rdf = ink_xml_at(tag->start);
    d->rdf_depth = 0;
  }
  if (d->metadata_depth == tag->depth + 1) d->metadata_depth = 0;
  if (tag->depth == 0 && !d->end.empty) d->end = ink_xml_at(tag->start);
}

static void read_text(void *context, const char *text, size_t size) {
  const drawing *d = context;
  if (d->reading && d->reading->value.size + size <= MOST_VALUE) {
    ink_text_add_bytes(&d->reading->value, text, size);
  }
}

static void drawing_free(drawing *d) {
  for (int i = 0; i < N_PROPERTY; i++) ink_text_free(&d->properties[i].value);
}

static ink_status drawing_read(const unsigned char *bytes, size_t size, drawing *d,
                               ink_error *error) {
  *d = (drawing){.bytes = (const char *)bytes,
                 .properties = {{INK_XMP_TC260, "AIGC", false, {0}},
                                {INK_XMP_IPTC, "DigitalSourceType", false, {0}},
                                {INK_XMP_IPTC, "AISystemUsed", false, {0}},
                                {INK_XMP_IPTC, "AISystemVersionUsed", false, {0}},
                                {INK_XMP_IPTC, "AIPromptInformation", false, {0}}}};
  const ink_xml_listener listener = {d, open_tag, close_tag, read_text};
  ink_status status = ink_xml_scan("SVG", d->bytes, size, INK_XML_DOCTYPE, &listener, error);
  if (status == INK_OK && !d->is_svg) {
    status = ink_fail(error, INK_ERR_FORMAT, "SVG: its root is not svg in SVG's namespace");
  }
  if (status != INK_OK) drawing_free(d);
  return status;
}

static ink_status read_aigc(const char *name, const unsigned char *bytes, size_t size,
                            json_t **aigc, ink_error *error) {
  (void)name;
  drawing d;
  *aigc = NULL;
  INK_TRY(drawing_read(bytes, size, &d, error));
  const property *p = &d.properties[AIGC];
  if (p->found) {
    *aigc = json_loads(ink_text_string(&p->value), 0, NULL);
    if (!json_is_object(*aigc)) {
      json_decref(*aigc);
      *aigc = json_null();
    }
  }
  drawing_free(&d);
  return INK_OK;
}

// ---- metadata -----------------------------------------------------------------------------------

// What is there stays, and is not said a second time.
static ink_status put_metadata(const ink_label_work *w, const drawing *d, ink_text *xml,
                               ink_labelled *out, ink_error *error) {
  const ink_label_request *r = w->request;
  const property *p = d->properties;
  const char *source = w->source_type;
  if (p[SOURCE].found) {
    INK_TRY(ink_xmp_check_source(ink_text_string(&p[SOURCE].value), &source, error));
  }
  ink_xmp_labels labels = {.source_type = p[SOURCE].found ? NULL : source,
                           .system = p[SYSTEM].found ? NULL : r->system,
                           .system_version = p[SYSTEM_VERSION].found ? NULL : r->system_version,
                           .prompt = p[PROMPT].found ? NULL : r->prompt,
                           .aigc = w->aigc};
  out->tells_source = w->source_type != NULL;
  ink_text piece = {0};
  ink_status status;
  ink_xml_spot spot = d->rdf;
  if (spot.found) {
    status = ink_xmp_describe(&labels, &piece, error);
  } else {
    spot = d->metadata.found ? d->metadata : d->start;
    if (!d->metadata.found) ink_text_add(&piece, "<metadata xmlns=\"" SVG "\">");
    status = ink_xmp_label(NULL, 0, &labels, &piece, error);
    if (!d->metadata.found) ink_text_add(&piece, "</metadata>");
  }
  if (status == INK_OK) status = ink_text_status(&piece, error);
  if (status == INK_OK) status = ink_xml_put(xml, &spot, ink_text_string(&piece), error);
  ink_text_free(&piece);
  return status;
}

// ---- the visible label --------------------------------------------------------------------------

// A length in CSS pixels; 0: none that is fixed.
static double pixels(const char *text) {
  static const struct {
    const char *unit;
    double pixels;
  } units[] = {{"", 1},           {"px", 1},         {"pt", 4. / 3}, {"pc", 16},
               {"mm", 96 / 25.4}, {"cm", 96 / 2.54}, {"in", 96},     {"q", 96 / 101.6}};
  char *end;
  double number = strtod(text, &end);
  if (end == text || !isfinite(number) || number <= 0) return 0;
  size_t n = strcspn(end, " \t\r\n");
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    bool is = strlen(units[i].unit) == n && strncasecmp(end, units[i].unit, n) == 0;
    if (is) return number * units[i].pixels;
  }
  return 0;
}

// What of the drawing is shown, in its own units.
typedef struct region {
  double x, y, width, height;  // 0 wide: all of a window that is not known
  double larger;               // the shorter side of what is shown by the shorter side of this
} region;

static bool read_view(const char *text, region *g) {
  double v[4];
  for (int i = 0; i < 4; i++) {
    char *end;
    v[i] = strtod(text, &end);
    if (end == text || !isfinite(v[i])) return false;
    text = end + strspn(end, " \t\r\n,");
  }
  *g = (region){v[0], v[1], v[2], v[3], 1};
  return v[2] > 0 && v[3] > 0 && !*text;
}

// NULL, or why it cannot be told.
static const char *find_region(const drawing *d, region *g) {
  double width = pixels(d->width), height = pixels(d->height);
  *g = (region){.width = width, .height = height, .larger = 1};
  if (!d->view[0]) {
    if (width <= 0 || height <= 0) g->width = g->height = 0;
    return NULL;
  }
  if (!read_view(d->view, g)) return "its viewBox cannot be read";
  double view = g->width / g->height;
  bool bent = strstr(d->ratio, "none") || strstr(d->ratio, "slice");
  if (width <= 0 || height <= 0) {
    return bent ? "its drawing is stretched or cut to a window that is not known" : NULL;
  }
  double wider = width / height / view;
  if (bent && fabs(wider - 1) > 0.01) return "its drawing is stretched or cut to its window";
  // The window shows more than the drawing on two sides.
  double shown_width = g->width * fmax(1, wider), shown_height = g->height * fmax(1, 1 / wider);
  g->larger = fmin(shown_width, shown_height) / fmin(g->width, g->height);
  return NULL;
}

// Coordinates in which the shorter side of the region is SIDE long. Of one that is not known a
// square at the label's corner is taken, as large as its shorter side.
enum { SIDE = 1000 };

typedef struct plate {
  const char *words;
  double across, down;  // size of the region
  double em, x, y, width, height;
} plate;

static double widest(const char *words) {
  double most = 0;
  for (const char *at = words; *at;) {
    size_t n = strcspn(at, "\n");
    most = fmax(most, ink_label_ems(at, n));
    at += n + (at[n] == '\n');
  }
  return most;
}

static int lines_of(const char *words) {
  int n = 1;
  for (const char *at = words; *at; at++) n += *at == '\n';
  return n;
}

// False when no wording fits.
static bool lay_out(const ink_label_request *r, const ink_label_style *s, const region *g,
                    plate *p) {
  static const double line = 1.25, inset = 0.3;
  const char *const *wordings = ink_label_wordings(r->kind, INK_LABEL_PICTURE, r->language);
  double margin = 0.02 * SIDE, side = fmin(g->width, g->height);
  p->across = side > 0 ? SIDE * g->width / side : SIDE;
  p->down = side > 0 ? SIDE * g->height / side : SIDE;
  p->em = SIDE * s->height * g->larger / ink_label_capital;
  for (; *wordings; wordings++) {
    p->words = *wordings;
    p->width = (widest(p->words) + 2 * inset) * p->em;
    p->height = (lines_of(p->words) * line + 2 * inset) * p->em;
    if (p->width + 2 * margin > p->across || p->height + 2 * margin > p->down) continue;
    bool top = s->place == INK_LABEL_TOP || s->place == INK_LABEL_TOP_LEFT ||
               s->place == INK_LABEL_TOP_RIGHT;
    bool left = s->place == INK_LABEL_TOP_LEFT || s->place == INK_LABEL_BOTTOM_LEFT;
    bool middle = s->place == INK_LABEL_TOP || s->place == INK_LABEL_BOTTOM;
    p->y = top ? margin : p->down - margin - p->height;
    p->x = left ? margin : middle ? (p->across - p->width) / 2 : p->across - margin - p->width;
    return true;
  }
  return false;
}

static const char *align(ink_label_place place) {
  static const char *const names[INK_LABEL_PLACES] = {
      [INK_LABEL_BOTTOM_RIGHT] = "xMaxYMax", [INK_LABEL_BOTTOM_LEFT] = "xMinYMax",
      [INK_LABEL_TOP_RIGHT] = "xMaxYMin",    [INK_LABEL_TOP_LEFT] = "xMinYMin",
      [INK_LABEL_BOTTOM] = "xMidYMax",       [INK_LABEL_TOP] = "xMidYMin"};
  return names[place];
}

static void add_lines(const plate *p, ink_text *out) {
  int line = 0;
  for (const char *at = p->words; *at; line++) {
    char one[128];
    size_t n = strcspn(at, "\n");
    snprintf(one, sizeof one, "%.*s", (int)n, at);
    ink_text_format(out, "<tspan x=\"%.1f\" y=\"%.1f\">", p->x + p->width / 2,
                    p->y + (0.3 + 1.25 * line + 0.98) * p->em);
    ink_xml_add_text(out, one);
    ink_text_add(out, "</tspan>");
    at += n + (at[n] == '\n');
  }
}

static void add_label(const ink_label_style *s, const region *g, const plate *p, ink_text *out) {
  ink_text_add(out, "<svg xmlns=\"" SVG "\"");
  if (g->width > 0) {
    ink_text_format(out, " x=\"%.9g\" y=\"%.9g\" width=\"%.9g\" height=\"%.9g\"", g->x, g->y,
                    g->width, g->height);
  } else {
    ink_text_add(out, " x=\"0\" y=\"0\" width=\"100%\" height=\"100%\"");
  }
  ink_text_format(
      out,
      " viewBox=\"0 0 %.9g %.9g\" preserveAspectRatio=\"%s meet\" style=\"display:inline;"
      "visibility:visible;opacity:1\"><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
      "style=\"fill:#%02x%02x%02x;fill-opacity:%.3f;stroke:none\"/><text style=\"font-family:",
      p->across, p->down, align(s->place), p->x, p->y, p->width, p->height, s->plate[0],
      s->plate[1], s->plate[2], s->opacity);
  ink_text_add(out, s->font ? "&quot;" : "sans-serif");
  for (const char *at = s->font ? s->font : ""; *at; at++) {
    char one[2] = {*at, 0};
    if (!strchr("\"\\;{}", *at)) ink_xml_add_text(out, one);
  }
  ink_text_format(out,
                  "%s;font-size:%.1fpx;font-weight:bold;text-anchor:middle;"
                  "fill:#%02x%02x%02x;stroke:none\">",
                  s->font ? "&quot;,sans-serif" : "", p->em, s->ink[0], s->ink[1], s->ink[2]);
  add_lines(p, out);
  ink_text_add(out, "</text></svg>");
}

static ink_status put_visible(const ink_label_work *w, const drawing *d, ink_text *xml,
                              ink_labelled *out, ink_error *error) {
  ink_label_style s = w->request->style ? *w->request->style : ink_label_style_default();
  region g;
  plate p;
  out->no_visible = find_region(d, &g);
  if (!out->no_visible && !lay_out(w->request, &s, &g, &p)) {
    out->no_visible = "its drawing is too narrow for legible words";
  }
  if (out->no_visible) return INK_OK;
  ink_text piece = {0};
  add_label(&s, &g, &p, &piece);
  ink_status status = ink_text_status(&piece, error);
  if (status == INK_OK) status = ink_xml_put(xml, &d->end, piece.bytes, error);
  ink_text_free(&piece);
  char words[64];
  snprintf(words, sizeof words, "%s", p.words);
  for (char *at = words; *at; at++) *at = *at == '\n' ? ' ' : *at;
  snprintf(out->visible, sizeof out->visible, "\"%s\", %s, capitals %.1f %% of the shorter side",
           words, ink_label_place_name(s.place), 100 * s.height);
  return status;
}

// ---- all of it ----------------------------------------------------------------------------------

static ink_status label(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  drawing d;
  ink_text xml = {0};
  out->visible_rule = "5.2";
  out->metadata_rule = "Annex E";
  out->unfixed = true;
  INK_TRY(drawing_read(w->bytes, w->size, &d, error));
  ink_text_add_bytes(&xml, w->bytes, w->size);
  ink_status status = ink_text_status(&xml, error);
  // Those further back first, so that places before them stay. An empty root is opened once.
  if (status == INK_OK && w->request->visible) status = put_visible(w, &d, &xml, out, error);
  if (d.start.empty && out->visible[0]) {
    d.start.at -= 1;  // <svg/> has become <svg>
    d.start.empty = 0;
  }
  if (status == INK_OK) status = put_metadata(w, &d, &xml, out, error);
  drawing_free(&d);
  snprintf(out->metadata, sizeof out->metadata, "XMP TC260:AIGC");
  if (status != INK_OK) {
    ink_text_free(&xml);
    return status;
  }
  out->file = xml;
  return INK_OK;
}

static const char *const formats[] = {"svg", NULL};
const ink_labeller ink_labeller_svg = {
    .formats = formats, .disclosed = true, .label = label, .read = read_aigc};
