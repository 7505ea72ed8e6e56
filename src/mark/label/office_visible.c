// Visible labels of Office Open XML (ECMA-376, part 1): a paragraph (17.3.1), a worksheet whose tab
// bears the words (18.2.19), a box on a slide (19.3.1.43).
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mark/label/office.h"
#include "mark/label/xml_scan.h"

static const char *words_of(const ink_label_work *w) {
  const ink_label_request *r = w->request;
  return ink_label_wordings(r->kind, INK_LABEL_TEXT, r->language)[0];
}

static ink_label_style style_of(const ink_label_work *w) {
  return w->request->style ? *w->request->style : ink_label_style_default();
}

static const char *tongue_of(const ink_label_work *w) {
  const char *language = w->request->language;
  return language && strncmp(language, "zh", 2) == 0 ? "zh-CN" : "en-US";
}

// A namespace for what is put in, where the element around it has another prefix for it.
static void add_space(ink_text *out, const char *prefix, const char *space, const char *there) {
  if (strcmp(prefix, there) != 0) ink_text_format(out, " xmlns:%s=\"%s\"", prefix, space);
}

// Put a piece into a file of the package.
static ink_status put(ink_package *p, const char *name, ink_text *xml, const ink_xml_spot *spot,
                      const ink_text *piece, ink_error *error) {
  INK_TRY(ink_text_status(piece, error));
  INK_TRY(ink_xml_put(xml, spot, ink_text_string(piece), error));
  return ink_package_change_file(p, name, xml, false, error);
}

// ---- DOCX ---------------------------------------------------------------------------------------

typedef struct body {
  const char *bytes;
  char space[128], prefix[64];
  ink_xml_spot start, end;
  bool sections;  // the last child of the body states its sections: text comes before
} body;

static void open_body(void *context, const ink_xml_tag *tag) {
  body *b = context;
  if (tag->depth == 1 && strcmp(tag->name, "body") == 0 && !b->start.found) {
    snprintf(b->space, sizeof b->space, "%s", tag->space);
    snprintf(b->prefix, sizeof b->prefix, "%s", tag->prefix);
    b->start = b->end = ink_xml_inside(b->bytes, tag);
  }
  if (tag->depth != 2 || !b->start.found || strcmp(tag->space, b->space) != 0) return;
  b->sections = strcmp(tag->name, "sectPr") == 0;
  if (b->sections) b->end = ink_xml_at(tag->start);
}

static void close_body(void *context, const ink_xml_tag *tag) {
  body *b = context;
  bool closes = tag->depth == 1 && b->start.found && ink_xml_is(tag, b->space, "body");
  if (closes && !b->sections && !b->end.empty) b->end = ink_xml_at(tag->start);
}

// Colours and weight of its own, so that it can be read whatever the document's styles say.
static void add_paragraph(const ink_label_work *w, const body *b, ink_text *out) {
  ink_label_style s = style_of(w);
  const char *tongue = tongue_of(w);
  ink_text_add(out, "<w:p");
  add_space(out, "w", b->space, b->prefix);
  ink_text_format(
      out,
      "><w:pPr><w:shd w:val=\"clear\" w:color=\"auto\" w:fill=\"%02X%02X%02X\"/><w:spacing "
      "w:before=\"0\" w:after=\"240\"/><w:jc w:val=\"left\"/></w:pPr><w:r><w:rPr><w:b/><w:vanish "
      "w:val=\"0\"/><w:color w:val=\"%02X%02X%02X\"/><w:sz w:val=\"24\"/><w:szCs w:val=\"24\"/>"
      "<w:shd w:val=\"clear\" w:color=\"auto\" w:fill=\"%02X%02X%02X\"/><w:lang w:val=\"%s\" "
      "w:eastAsia=\"%s\"/></w:rPr><w:t>",
      s.plate[0], s.plate[1], s.plate[2], s.ink[0], s.ink[1], s.ink[2], s.plate[0], s.plate[1],
      s.plate[2], tongue, tongue);
  ink_xml_add_text(out, words_of(w));
  ink_text_add(out, "</w:t></w:r></w:p>");
}

ink_status ink_office_show_text(ink_package *p, const ink_label_work *w, ink_labelled *out,
                                ink_error *error) {
  static const char name[] = "word/document.xml";
  ink_text xml = {0}, piece = {0};
  body b = {0};
  const ink_xml_listener listener = {.context = &b, .open = open_body, .close = close_body};
  ink_status status = ink_package_read(p, name, INK_PACKAGE_MOST_TEXT, &xml, NULL, error);
  if (status == INK_OK) {
    b.bytes = xml.bytes;
    status = ink_xml_scan(name, xml.bytes, xml.size, 0, &listener, error);
  }
  if (status == INK_OK && !b.start.found) {
    status = ink_fail(error, INK_ERR_FORMAT, "%s has no body", name);
  }
  if (status == INK_OK) {
    add_paragraph(w, &b, &piece);
    status = put(p, name, &xml, w->request->at_end ? &b.end : &b.start, &piece, error);
    snprintf(out->visible, sizeof out->visible, "\"%s\", %s", words_of(w),
             w->request->at_end ? "end" : "start");
  }
  ink_text_free(&piece);
  ink_text_free(&xml);
  return status;
}

// ---- XLSX ---------------------------------------------------------------------------------------

enum { MOST_NAME = 31 };  // characters (18.3.1.73)

typedef struct workbook {
  const char *bytes;
  char space[128], prefix[64];
  const ink_office_dialect *dialect;
  ink_xml_spot end;
  unsigned long last;  // the greatest sheetId
  const char *words;
  char name[2 * MOST_NAME];
  bool taken;
} workbook;

static void open_workbook(void *context, const ink_xml_tag *tag) {
  workbook *b = context;
  if (tag->depth == 0) {
    snprintf(b->space, sizeof b->space, "%s", tag->space);
    b->dialect = ink_office_dialect_of(tag->space);
  }
  if (tag->depth == 1 && ink_xml_is(tag, b->space, "sheets") && !b->end.found) {
    snprintf(b->prefix, sizeof b->prefix, "%s%s", tag->prefix, tag->prefix[0] ? ":" : "");
    b->end = ink_xml_inside(b->bytes, tag);
  }
  if (tag->depth != 2 || !ink_xml_is(tag, b->space, "sheet")) return;
  const char *id = ink_xml_attribute(tag, "", "sheetId"),
             *name = ink_xml_attribute(tag, "", "name");
  unsigned long number = id ? strtoul(id, NULL, 10) : 0;
  if (number > b->last) b->last = number;
  if (name && strcasecmp(name, b->name) == 0) b->taken = true;
}

static void close_workbook(void *context, const ink_xml_tag *tag) {
  workbook *b = context;
  bool closes = tag->depth == 1 && b->end.found && ink_xml_is(tag, b->space, "sheets");
  if (closes && !b->end.empty) b->end = ink_xml_at(tag->start);
}

static const char workbook_name[] = "xl/workbook.xml";

// Its tab: the words, with a number where another has that name. Chinese words are short; English
// ones, whose characters are bytes, give way to the number.
static ink_status read_workbook(const ink_text *xml, workbook *b, ink_error *error) {
  enum { TRIES = 100 };
  const ink_xml_listener listener = {.context = b, .open = open_workbook, .close = close_workbook};
  for (int i = 1; i <= TRIES; i++) {
    const char *words = b->words;
    *b = (workbook){.bytes = xml->bytes, .words = words};
    int digits = i == 1 ? 0 : snprintf(b->name, sizeof b->name, " %d", i);
    snprintf(b->name, sizeof b->name, i == 1 ? "%.*s" : "%.*s %d", MOST_NAME - digits, words, i);
    INK_TRY(ink_xml_scan(workbook_name, xml->bytes, xml->size, 0, &listener, error));
    if (!b->end.found || b->last >= 65534) {
      return ink_fail(error, INK_ERR_FORMAT, "%s names no worksheets", workbook_name);
    }
    if (!b->taken) return INK_OK;
  }
  return ink_fail(error, INK_ERR_CONFLICT, "%s: its worksheets have the names of labels",
                  workbook_name);
}

static void add_sheet(const workbook *b, ink_text *out) {
  ink_text_format(out,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
                  "<worksheet xmlns=\"%s\"><dimension ref=\"A1\"/><cols><col min=\"1\" max=\"1\" "
                  "width=\"48\" customWidth=\"1\"/></cols><sheetData><row r=\"1\"><c r=\"A1\" "
                  "t=\"inlineStr\"><is><t>",
                  b->space);
  ink_xml_add_text(out, b->words);
  ink_text_add(out, "</t></is></c></row></sheetData></worksheet>");
}

// At the end: names and views count worksheets from the first, and go on meaning what they did.
ink_status ink_office_show_sheet(ink_package *p, const ink_label_work *w, ink_labelled *out,
                                 ink_error *error) {
  static const char type[] =
      "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml";
  ink_text xml = {0}, piece = {0}, sheet = {0};
  workbook b = {.words = words_of(w)};
  char name[64], full[72], id[INK_OFFICE_ID];
  snprintf(name, sizeof name, "worksheets/ai-label.xml");
  for (int i = 2; snprintf(full, sizeof full, "xl/%s", name), ink_package_has(p, full); i++) {
    snprintf(name, sizeof name, "worksheets/ai-label%d.xml", i);
  }
  ink_status status = ink_package_read(p, workbook_name, INK_PACKAGE_MOST_META, &xml, NULL, error);
  if (status == INK_OK) status = read_workbook(&xml, &b, error);
  if (status == INK_OK) {
    status = ink_office_relate(p, "xl/_rels/workbook.xml.rels", b.dialect->worksheet_type, name, id,
                               error);
  }
  if (status == INK_OK) {
    ink_text_format(&piece, "<%ssheet name=\"", b.prefix);
    ink_xml_add_text(&piece, b.name);
    ink_text_format(&piece, "\" sheetId=\"%lu\" r:id=\"%s\" xmlns:r=\"%s\"/>", b.last + 1, id,
                    b.dialect->relation);
    status = put(p, workbook_name, &xml, &b.end, &piece, error);
  }
  if (status == INK_OK) {
    add_sheet(&b, &sheet);
    status = ink_package_change_file(p, full, &sheet, false, error);
  }
  if (status == INK_OK) {
    char part[80];
    snprintf(part, sizeof part, "/%s", full);
    status = ink_office_state_type(p, part, type, error);
  }
  snprintf(out->visible, sizeof out->visible, "\"%s\", a worksheet of that name at the end",
           b.words);
  ink_text_free(&sheet);
  ink_text_free(&piece);
  ink_text_free(&xml);
  return status;
}

// ---- PPTX ---------------------------------------------------------------------------------------

enum { MOST_SLIDES = 4096 };

typedef struct presentation {
  int64_t width, height;  // of slides, in 914400ths of an inch
  char relation[128];     // namespace of ids
  char (*ids)[INK_OFFICE_ID];
  size_t n;
} presentation;

static int64_t length_of(const ink_xml_tag *tag, const char *name) {
  const char *value = ink_xml_attribute(tag, "", name);
  return value ? strtoll(value, NULL, 10) : 0;
}

static void open_presentation(void *context, const ink_xml_tag *tag) {
  presentation *p = context;
  if (tag->depth == 0) {
    snprintf(p->relation, sizeof p->relation, "%s", ink_office_dialect_of(tag->space)->relation);
  }
  if (tag->depth == 1 && strcmp(tag->name, "sldSz") == 0) {
    p->width = length_of(tag, "cx");
    p->height = length_of(tag, "cy");
  }
  if (tag->depth != 2 || strcmp(tag->name, "sldId") != 0 || p->n == MOST_SLIDES) return;
  const char *id = ink_xml_attribute(tag, p->relation, "id");
  if (id && strlen(id) < INK_OFFICE_ID) snprintf(p->ids[p->n++], INK_OFFICE_ID, "%s", id);
}

typedef struct slide {
  const char *bytes;
  char space[128], prefix[64];
  bool hidden;
  unsigned long last;  // the greatest id of a shape
  ink_xml_spot end;
  bool settled;  // the end is before the list of extensions
} slide;

static void open_slide(void *context, const ink_xml_tag *tag) {
  slide *s = context;
  if (tag->depth == 0) {
    const char *show = ink_xml_attribute(tag, "", "show");
    snprintf(s->space, sizeof s->space, "%s", tag->space);
    s->hidden = show && (strcmp(show, "0") == 0 || strcmp(show, "false") == 0);
  }
  if (tag->depth == 2 && ink_xml_is(tag, s->space, "spTree") && !s->end.found) {
    snprintf(s->prefix, sizeof s->prefix, "%s", tag->prefix);
    s->end = ink_xml_inside(s->bytes, tag);
  }
  if (tag->depth == 3 && s->end.found && !s->settled && ink_xml_is(tag, s->space, "extLst")) {
    s->end = ink_xml_at(tag->start);
    s->settled = true;
  }
  const char *id = strcmp(tag->name, "cNvPr") == 0 ? ink_xml_attribute(tag, "", "id") : NULL;
  unsigned long number = id ? strtoul(id, NULL, 10) : 0;
  if (number > s->last && number < INT32_MAX) s->last = number;
}

static void close_slide(void *context, const ink_xml_tag *tag) {
  slide *s = context;
  bool closes = tag->depth == 2 && ink_xml_is(tag, s->space, "spTree") && s->end.found;
  if (closes && !s->settled && !s->end.empty) {
    s->end = ink_xml_at(tag->start);
    s->settled = true;
  }
}

// Where the box stands, in 914400ths of an inch.
typedef struct box {
  int64_t x, y, width, height;
  double points;  // size of its letters
} box;

// A slide is shown as a picture: its letters are as high as those of pictures have to be (5.2).
static box lay_out(const presentation *p, const ink_label_style *s, const char *words) {
  enum { POINT = 12700 };
  static const double line = 1.3;
  double side = (double)(p->width < p->height ? p->width : p->height);
  double ems = ink_label_ems(words, strlen(words)) + 0.8;
  box b = {.points = ceil(side * s->height / ink_label_capital / POINT)};
  double em = b.points * POINT, most = 0.94 * (double)p->width;
  double lines = ceil(ems * em / most);
  b.width = (int64_t)fmin(ems * em, most);
  b.height = (int64_t)((lines * line + 0.2) * em);
  int64_t margin = (int64_t)(0.02 * side);
  bool top = s->place == INK_LABEL_TOP || s->place == INK_LABEL_TOP_LEFT ||
             s->place == INK_LABEL_TOP_RIGHT;
  bool left = s->place == INK_LABEL_TOP_LEFT || s->place == INK_LABEL_BOTTOM_LEFT;
  bool middle = s->place == INK_LABEL_TOP || s->place == INK_LABEL_BOTTOM;
  b.y = top ? margin : p->height - b.height - margin;
  b.x = left ? margin : middle ? (p->width - b.width) / 2 : p->width - b.width - margin;
  return b;
}

static void add_box(const ink_label_work *w, const slide *s, const box *b, ink_text *out) {
  ink_label_style style = style_of(w);
  const ink_office_dialect *dialect = ink_office_dialect_of(s->space);
  ink_text_add(out, "<p:sp");
  add_space(out, "p", s->space, s->prefix);
  ink_text_format(
      out,
      " xmlns:a=\"%s\"><p:nvSpPr><p:cNvPr id=\"%lu\" name=\"AI label\"/><p:cNvSpPr txBox=\"1\"/>"
      "<p:nvPr/></p:nvSpPr><p:spPr><a:xfrm><a:off x=\"%lld\" y=\"%lld\"/><a:ext cx=\"%lld\" "
      "cy=\"%lld\"/></a:xfrm><a:prstGeom prst=\"rect\"><a:avLst/></a:prstGeom><a:solidFill>"
      "<a:srgbClr val=\"%02X%02X%02X\"><a:alpha val=\"%d\"/></a:srgbClr></a:solidFill></p:spPr>",
      dialect->drawing, s->last + 1, (long long)b->x, (long long)b->y, (long long)b->width,
      (long long)b->height, style.plate[0], style.plate[1], style.plate[2],
      (int)lround(style.opacity * 100000));
  ink_text_format(
      out,
      "<p:txBody><a:bodyPr wrap=\"square\" lIns=\"0\" tIns=\"0\" rIns=\"0\" bIns=\"0\" "
      "anchor=\"ctr\"><a:noAutofit/></a:bodyPr><a:lstStyle/><a:p><a:pPr marL=\"0\" indent=\"0\" "
      "algn=\"ctr\"><a:buNone/></a:pPr><a:r><a:rPr lang=\"%s\" sz=\"%d\" b=\"1\"><a:solidFill>"
      "<a:srgbClr val=\"%02X%02X%02X\"/></a:solidFill></a:rPr><a:t>",
      tongue_of(w), (int)(100 * b->points), style.ink[0], style.ink[1], style.ink[2]);
  ink_xml_add_text(out, words_of(w));
  ink_text_add(out, "</a:t></a:r></a:p></p:txBody></p:sp>");
}

// *shown is false for a slide that is hidden, or is no slide.
static ink_status read_slide(const ink_package *p, const char *name, slide *s, ink_text *xml,
                             bool *shown, ink_error *error) {
  bool there;
  *s = (slide){.last = 1};
  *shown = false;
  const ink_xml_listener listener = {.context = s, .open = open_slide, .close = close_slide};
  INK_TRY(ink_package_read(p, name, INK_PACKAGE_MOST_TEXT, xml, &there, error));
  if (!there) return INK_OK;
  s->bytes = xml->bytes;
  INK_TRY(ink_xml_scan(name, xml->bytes, xml->size, 0, &listener, error));
  *shown = s->end.found && !s->hidden;
  return INK_OK;
}

static ink_status find_slide(const ink_package *p, const presentation *pres, bool at_end,
                             char name[INK_OFFICE_NAME], slide *s, ink_text *xml, bool *shown,
                             ink_error *error) {
  *shown = false;
  for (size_t i = 0; i < pres->n && !*shown; i++) {
    bool found;
    const char *id = pres->ids[at_end ? pres->n - 1 - i : i];
    INK_TRY(
        ink_office_target(p, "ppt/_rels/presentation.xml.rels", "ppt/", id, name, &found, error));
    if (!found) continue;
    ink_text_free(xml);
    INK_TRY(read_slide(p, name, s, xml, shown, error));
  }
  return INK_OK;
}

static ink_status show_on_slide(ink_package *p, const ink_label_work *w, const presentation *pres,
                                ink_labelled *out, ink_error *error) {
  char name[INK_OFFICE_NAME];
  ink_text xml = {0}, piece = {0};
  slide s = {0};
  bool shown;
  ink_label_style style = style_of(w);
  ink_status status = find_slide(p, pres, w->request->at_end, name, &s, &xml, &shown, error);
  if (status == INK_OK && shown) {
    box b = lay_out(pres, &style, words_of(w));
    add_box(w, &s, &b, &piece);
    status = put(p, name, &xml, &s.end, &piece, error);
    snprintf(out->visible, sizeof out->visible, "\"%s\", %s slide, %s, %.0f pt", words_of(w),
             w->request->at_end ? "last" : "first", ink_label_place_name(style.place), b.points);
  } else if (status == INK_OK) {
    out->no_visible = "it has no slide that is shown";
  }
  ink_text_free(&piece);
  ink_text_free(&xml);
  return status;
}

ink_status ink_office_show_slide(ink_package *p, const ink_label_work *w, ink_labelled *out,
                                 ink_error *error) {
  static const char name[] = "ppt/presentation.xml";
  enum { LEAST = 914400 / 4, MOST = 914400 * 100 };
  presentation pres = {.ids = malloc(MOST_SLIDES * sizeof *pres.ids)};
  ink_text xml = {0};
  if (!pres.ids) return ink_fail(error, INK_ERR_MEMORY, "no memory for a list of slides");
  const ink_xml_listener listener = {.context = &pres, .open = open_presentation};
  ink_status status = ink_package_read(p, name, INK_PACKAGE_MOST_META, &xml, NULL, error);
  if (status == INK_OK) status = ink_xml_scan(name, xml.bytes, xml.size, 0, &listener, error);
  if (status == INK_OK &&
      (pres.width < LEAST || pres.width > MOST || pres.height < LEAST || pres.height > MOST)) {
    status = ink_fail(error, INK_ERR_FORMAT, "%s does not say how large slides are", name);
  }
  if (status == INK_OK) status = show_on_slide(p, w, &pres, out, error);
  ink_text_free(&xml);
  free(pres.ids);
  return status;
}
