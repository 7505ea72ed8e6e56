// Labels of OpenDocument texts (OASIS OpenDocument 1.3, part 3): a paragraph, and a user-defined
// field AIGC of meta.xml (4.3.2.19). GB 45438-2025, Annex E, fixes no place for it in this format.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark/label/label_parts.h"
#include "mark/label/package.h"
#include "mark/label/xml_scan.h"

#define NAMESPACE "urn:oasis:names:tc:opendocument:xmlns:"
#define OFFICE NAMESPACE "office:1.0"
#define TEXT NAMESPACE "text:1.0"
#define TABLE NAMESPACE "table:1.0"
#define STYLE NAMESPACE "style:1.0"
#define META NAMESPACE "meta:1.0"
#define MANIFEST NAMESPACE "manifest:1.0"
#define FO NAMESPACE "xsl-fo-compatible:1.0"

static const char manifest_name[] = "META-INF/manifest.xml";

// ---- what the manifest says ---------------------------------------------------------------------

typedef struct manifest {
  const char *bytes;
  bool encrypted, lists_meta;
  ink_xml_spot end;
} manifest;

static void open_entry(void *context, const ink_xml_tag *tag) {
  manifest *m = context;
  if (tag->depth == 0) m->end = ink_xml_inside(m->bytes, tag);
  if (ink_xml_is(tag, MANIFEST, "encryption-data")) m->encrypted = true;
  const char *path = ink_xml_attribute(tag, MANIFEST, "full-path");
  if (path && strcmp(path, "meta.xml") == 0) m->lists_meta = true;
}

static void close_manifest(void *context, const ink_xml_tag *tag) {
  manifest *m = context;
  if (tag->depth == 0 && !m->end.empty) m->end = ink_xml_at(tag->start);
}

static ink_status check_manifest(ink_package *p, bool adds_meta, ink_error *error) {
  ink_text xml = {0};
  manifest m = {0};
  const ink_xml_listener listener = {.context = &m, .open = open_entry, .close = close_manifest};
  ink_status status = ink_package_read(p, manifest_name, INK_PACKAGE_MOST_META, &xml, NULL, error);
  if (status == INK_OK) {
    m.bytes = xml.bytes;
    // Some writers name its document type.
    status = ink_xml_scan(manifest_name, xml.bytes, xml.size, INK_XML_DOCTYPE, &listener, error);
  }
  if (status == INK_OK && m.encrypted) {
    status = ink_fail(error, INK_ERR_UNSUPPORTED, "it is encrypted; label it before that");
  }
  if (status == INK_OK && adds_meta && !m.lists_meta) {
    static const char entry[] = "<m:file-entry xmlns:m=\"" MANIFEST
                                "\" m:full-path=\"meta.xml\" m:media-type=\"text/xml\"/>";
    status = ink_xml_put(&xml, &m.end, entry, error);
    if (status == INK_OK) status = ink_package_change_file(p, manifest_name, &xml, false, error);
  }
  ink_text_free(&xml);
  return status;
}

// ---- metadata -----------------------------------------------------------------------------------

typedef struct meta {
  const char *bytes;
  ink_xml_spot end;
} meta;

static void open_meta(void *context, const ink_xml_tag *tag) {
  meta *m = context;
  bool is = tag->depth == 1 && ink_xml_is(tag, OFFICE, "meta") && !m->end.found;
  if (is) m->end = ink_xml_inside(m->bytes, tag);
}

static void close_meta(void *context, const ink_xml_tag *tag) {
  meta *m = context;
  bool ends = tag->depth == 1 && ink_xml_is(tag, OFFICE, "meta") && m->end.found && !m->end.empty;
  if (ends) m->end = ink_xml_at(tag->start);
}

static ink_status put_field(ink_text *xml, const char *label, ink_error *error) {
  ink_text piece = {0};
  meta m = {.bytes = xml->bytes};
  const ink_xml_listener listener = {.context = &m, .open = open_meta, .close = close_meta};
  INK_TRY(ink_xml_scan("meta.xml", xml->bytes, xml->size, 0, &listener, error));
  if (!m.end.found) return ink_fail(error, INK_ERR_FORMAT, "meta.xml has no office:meta");
  ink_text_add(&piece, "<meta:user-defined xmlns:meta=\"" META
                       "\" meta:name=\"AIGC\" meta:value-type=\"string\">");
  ink_xml_add_text(&piece, label);
  ink_text_add(&piece, "</meta:user-defined>");
  ink_status status = ink_text_status(&piece, error);
  if (status == INK_OK) status = ink_xml_put(xml, &m.end, piece.bytes, error);
  ink_text_free(&piece);
  return status;
}

static ink_status put_metadata(ink_package *p, const json_t *aigc, ink_error *error) {
  ink_text xml = {0};
  bool there;
  char *label = json_dumps(aigc, JSON_COMPACT);
  if (!label) return ink_fail(error, INK_ERR_MEMORY, "no memory for the label");
  ink_status status = ink_package_read(p, "meta.xml", INK_PACKAGE_MOST_META, &xml, &there, error);
  if (status == INK_OK && !there) {
    ink_text_add(&xml,
                 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<office:document-meta "
                 "xmlns:office=\"" OFFICE
                 "\" office:version=\"1.3\"><office:meta>"
                 "</office:meta></office:document-meta>");
    status = ink_text_status(&xml, error);
  }
  if (status == INK_OK) status = put_field(&xml, label, error);
  if (status == INK_OK) status = ink_package_change_file(p, "meta.xml", &xml, true, error);
  ink_text_free(&xml);
  free(label);
  return status;
}

// ---- the paragraph ------------------------------------------------------------------------------

typedef struct content {
  const char *bytes;
  ink_xml_spot styles;  // in the automatic styles
  size_t body;          // where office:body begins
  ink_xml_spot start, end;
  bool whole;     // office:text is no sequence of pages
  unsigned next;  // number for a style of ours
} content;

static const char style_stem[] = "inkAILabel";

// What comes before the words of a text (3.4, office-text-content-prelude), and behind them.
static bool is_prelude(const ink_xml_tag *tag) {
  static const char *const texts[] = {"tracked-changes",      "variable-decls",
                                      "sequence-decls",       "user-field-decls",
                                      "dde-connection-decls", "alphabetical-index-auto-mark-file"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    if (ink_xml_is(tag, TEXT, texts[i])) return true;
  }
  return ink_xml_is(tag, OFFICE, "forms") || ink_xml_is(tag, TABLE, "calculation-settings") ||
         ink_xml_is(tag, TABLE, "content-validations") || ink_xml_is(tag, TABLE, "label-ranges");
}

static bool is_epilogue(const ink_xml_tag *tag) {
  static const char *const tables[] = {"named-expressions", "database-ranges", "data-pilot-tables",
                                       "consolidation", "dde-links"};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    if (ink_xml_is(tag, TABLE, tables[i])) return true;
  }
  return false;
}

enum { OF_TEXT = 3 };  // depth of what stands in office:text

static void open_content(void *context, const ink_xml_tag *tag) {
  content *c = context;
  const char *style = ink_xml_attribute(tag, STYLE, "name");
  if (style && strncmp(style, style_stem, sizeof style_stem - 1) == 0) {
    unsigned long number = strtoul(style + sizeof style_stem - 1, NULL, 10);
    if (number >= c->next && number < 1000000000) c->next = (unsigned)number + 1;
  }
  if (tag->depth == 1 && ink_xml_is(tag, OFFICE, "automatic-styles")) {
    c->styles = ink_xml_inside(c->bytes, tag);
  }
  if (tag->depth == 1 && ink_xml_is(tag, OFFICE, "body")) c->body = tag->start;
  if (tag->depth == 2 && ink_xml_is(tag, OFFICE, "text") && !c->start.found) {
    c->start = c->end = ink_xml_inside(c->bytes, tag);
    c->whole = true;
  }
  if (tag->depth == OF_TEXT && ink_xml_is(tag, TEXT, "page-sequence")) c->whole = false;
}

// Behind the prelude, and behind what is no epilogue.
static void close_content(void *context, const ink_xml_tag *tag) {
  content *c = context;
  if (tag->depth != OF_TEXT || !c->start.found) return;
  if (is_prelude(tag)) c->start = ink_xml_at(tag->end);
  if (!is_epilogue(tag)) c->end = ink_xml_at(tag->end);
}

static const char *words_of(const ink_label_work *w) {
  const ink_label_request *r = w->request;
  return ink_label_wordings(r->kind, INK_LABEL_TEXT, r->language)[0];
}

static ink_status put_style(const ink_label_work *w, const content *c, ink_text *xml,
                            ink_error *error) {
  ink_label_style s = w->request->style ? *w->request->style : ink_label_style_default();
  ink_text piece = {0};
  if (!c->styles.found) {
    ink_text_add(&piece, "<office:automatic-styles xmlns:office=\"" OFFICE "\">");
  }
  ink_text_format(
      &piece,
      "<style:style xmlns:style=\"" STYLE "\" xmlns:fo=\"" FO
      "\" style:name=\"%s%u\" "
      "style:family=\"paragraph\"><style:paragraph-properties fo:margin-top=\"0cm\" "
      "fo:margin-bottom=\"0.4cm\" fo:background-color=\"#%02x%02x%02x\"/><style:text-properties "
      "fo:color=\"#%02x%02x%02x\" fo:font-size=\"12pt\" fo:font-weight=\"bold\" "
      "text:display=\"true\" xmlns:text=\"" TEXT "\"/></style:style>",
      style_stem, c->next, s.plate[0], s.plate[1], s.plate[2], s.ink[0], s.ink[1], s.ink[2]);
  if (!c->styles.found) ink_text_add(&piece, "</office:automatic-styles>");
  ink_xml_spot spot = c->styles.found ? c->styles : ink_xml_at(c->body);
  ink_status status = ink_text_status(&piece, error);
  if (status == INK_OK) status = ink_xml_put(xml, &spot, piece.bytes, error);
  ink_text_free(&piece);
  return status;
}

static ink_status put_paragraph(const ink_label_work *w, ink_text *xml, ink_labelled *out,
                                ink_error *error) {
  ink_text piece = {0};
  content c = {.bytes = xml->bytes};
  const ink_xml_listener listener = {.context = &c, .open = open_content, .close = close_content};
  INK_TRY(ink_xml_scan("content.xml", xml->bytes, xml->size, 0, &listener, error));
  if (!c.start.found || c.styles.at > c.body) {
    return ink_fail(error, INK_ERR_FORMAT, "content.xml holds no text");
  }
  if (!c.whole) {
    out->no_visible = "its text is a sequence of pages, to which none is added here";
    return INK_OK;
  }
  ink_text_format(&piece, "<text:p xmlns:text=\"" TEXT "\" text:style-name=\"%s%u\">", style_stem,
                  c.next);
  ink_xml_add_text(&piece, words_of(w));
  ink_text_add(&piece, "</text:p>");
  ink_status status = ink_text_status(&piece, error);
  // The text stands behind the styles: it goes in first.
  const ink_xml_spot *spot = w->request->at_end ? &c.end : &c.start;
  if (status == INK_OK) status = ink_xml_put(xml, spot, piece.bytes, error);
  if (status == INK_OK) status = put_style(w, &c, xml, error);
  ink_text_free(&piece);
  snprintf(out->visible, sizeof out->visible, "\"%s\", %s", words_of(w),
           w->request->at_end ? "end" : "start");
  return status;
}

// ---- all of it ----------------------------------------------------------------------------------

static ink_status label_document(ink_package *p, const ink_label_work *w, ink_labelled *out,
                                 ink_error *error) {
  if (ink_package_has(p, "META-INF/documentsignatures.xml")) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "it bears an XML signature, which a label would break; label it before it is "
                    "signed");
  }
  INK_TRY(check_manifest(p, w->aigc && !ink_package_has(p, "meta.xml"), error));
  if (w->aigc) INK_TRY(put_metadata(p, w->aigc, error));
  if (w->request->visible) {
    ink_text xml = {0};
    ink_status status =
        ink_package_read(p, "content.xml", INK_PACKAGE_MOST_TEXT, &xml, NULL, error);
    if (status == INK_OK) status = put_paragraph(w, &xml, out, error);
    if (status == INK_OK && out->visible[0]) {
      status = ink_package_change_file(p, "content.xml", &xml, false, error);
    }
    ink_text_free(&xml);
    INK_TRY(status);
  }
  return ink_package_write(p, &out->file, error);
}

static ink_status label(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  ink_package p = {0};
  out->visible_rule = "5.1";
  out->metadata_rule = "Annex E";
  out->unfixed = true;
  INK_TRY(ink_package_open_strictly(w->bytes, w->size, &p, error));
  ink_status status = label_document(&p, w, out, error);
  snprintf(out->metadata, sizeof out->metadata, "meta.xml, user-defined AIGC");
  ink_package_close(&p);
  return status;
}

static const char *const formats[] = {"odt", NULL};
const ink_labeller ink_labeller_odt = {
    .formats = formats, .label = label, .read = ink_label_read_document};
