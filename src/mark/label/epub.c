// Labels of EPUB (EPUB 3.3, OPF 2.0.1): a page of its own in the reading order, and a meta AIGC in
// the package document. GB 45438-2025, Annex E, fixes no place for it in this format.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark/label/document_label.h"
#include "mark/label/label_parts.h"
#include "mark/label/package.h"
#include "mark/label/xml_scan.h"

#define OPF "http://www.idpf.org/2007/opf"

enum { NAME = 1024 };

// Places in the package document.
typedef struct book {
  const char *bytes;
  bool third;   // EPUB 3
  bool fixed;   // its pages are laid out beforehand
  bool layout;  // the text of a meta that says so is being read
  ink_xml_spot metadata, manifest, spine_start, spine_end;
  char prefix[3][64];  // of what stands in metadata, manifest, spine
  unsigned next;       // number for an id of ours
} book;

static const char id_stem[] = "ink-ai-label";

static void open_child(book *b, int which, const ink_xml_tag *tag, ink_xml_spot *spot) {
  snprintf(b->prefix[which], sizeof b->prefix[which], "%s%s", tag->prefix,
           tag->prefix[0] ? ":" : "");
  *spot = ink_xml_inside(b->bytes, tag);
}

static void open_part(void *context, const ink_xml_tag *tag) {
  book *b = context;
  const char *id = ink_xml_attribute(tag, "", "id"),
             *property = ink_xml_attribute(tag, "", "property");
  if (id && strncmp(id, id_stem, sizeof id_stem - 1) == 0) {
    unsigned long number = strtoul(id + sizeof id_stem - 1, NULL, 10);
    if (number >= b->next && number < 1000000000) b->next = (unsigned)number + 1;
  }
  if (tag->depth == 0) {
    const char *version = ink_xml_attribute(tag, "", "version");
    b->third = version && version[0] >= '3';
  }
  if (tag->depth == 1 && ink_xml_is(tag, OPF, "metadata") && !b->metadata.found) {
    open_child(b, 0, tag, &b->metadata);
  }
  if (tag->depth == 1 && ink_xml_is(tag, OPF, "manifest") && !b->manifest.found) {
    open_child(b, 1, tag, &b->manifest);
  }
  if (tag->depth == 1 && ink_xml_is(tag, OPF, "spine") && !b->spine_start.found) {
    open_child(b, 2, tag, &b->spine_start);
    b->spine_end = b->spine_start;
  }
  b->layout = tag->depth == 2 && property && strcmp(property, "rendition:layout") == 0;
}

static void close_part(void *context, const ink_xml_tag *tag) {
  book *b = context;
  b->layout = false;
  if (tag->depth != 1 || strcmp(tag->space, OPF) != 0) return;
  ink_xml_spot *spots[] = {&b->metadata, &b->manifest, &b->spine_end};
  static const char *const names[] = {"metadata", "manifest", "spine"};
  for (int i = 0; i < 3; i++) {
    bool ends = strcmp(tag->name, names[i]) == 0 && spots[i]->found && !spots[i]->empty;
    if (ends) *spots[i] = ink_xml_at(tag->start);
  }
}

static void read_part(void *context, const char *text, size_t size) {
  book *b = context;
  if (b->layout && memmem(text, size, "pre-paginated", 13)) b->fixed = true;
}

static const char *words_of(const ink_label_work *w) {
  const ink_label_request *r = w->request;
  return ink_label_wordings(r->kind, INK_LABEL_TEXT, r->language)[0];
}

static void add_page(const ink_label_work *w, bool third, ink_text *out) {
  ink_label_style s = w->request->style ? *w->request->style : ink_label_style_default();
  bool zh = w->request->language && strncmp(w->request->language, "zh", 2) == 0;
  const char *tongue = zh ? "zh-Hans" : "en", *words = words_of(w);
  ink_text_add(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
  ink_text_add(out, third ? "<!DOCTYPE html>\n"
                          : "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.1//EN\" "
                            "\"http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd\">\n");
  ink_text_format(out,
                  "<html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"%s\"><head><title>%s"
                  "</title></head><body><p style=\"margin:2em 0;padding:.5em 1em;"
                  "background:#%02x%02x%02x;color:#%02x%02x%02x;font-weight:bold\">%s</p></body>"
                  "</html>\n",
                  tongue, words, s.plate[0], s.plate[1], s.plate[2], s.ink[0], s.ink[1], s.ink[2],
                  words);
}

// A name that no file has, beside the package document.
static ink_status name_page(const ink_package *p, const char *opf, char name[NAME],
                            const char **short_name, ink_error *error) {
  const char *slash = strrchr(opf, '/');
  int folder = slash ? (int)(slash + 1 - opf) : 0;
  for (int i = 1; i < 1000; i++) {
    int n = i == 1 ? snprintf(name, NAME, "%.*sai-label.xhtml", folder, opf)
                   : snprintf(name, NAME, "%.*sai-label-%d.xhtml", folder, opf, i);
    if (n >= NAME) break;
    *short_name = name + folder;
    if (!ink_package_has(p, name)) return INK_OK;
  }
  return ink_fail(error, INK_ERR_UNSUPPORTED, "EPUB: no name is left for a page");
}

static ink_status put(ink_text *xml, const ink_xml_spot *spot, ink_text *piece, ink_error *error) {
  ink_status status = ink_text_status(piece, error);
  if (status == INK_OK) status = ink_xml_put(xml, spot, ink_text_string(piece), error);
  ink_text_clear(piece);
  return status;
}

// The page, named in the manifest and put into the reading order; from the end of the package
// document on, so that places before stay where they are.
static ink_status show(ink_package *p, const ink_label_work *w, const char *opf, const book *b,
                       ink_text *xml, ink_text *piece, ink_error *error) {
  char name[NAME];
  const char *short_name = NULL;
  ink_text page = {0};
  INK_TRY(name_page(p, opf, name, &short_name, error));
  ink_text_format(piece, "<%sitemref idref=\"%s%u\"%s/>", b->prefix[2], id_stem, b->next,
                  b->fixed ? " properties=\"rendition:layout-reflowable\"" : "");
  INK_TRY(put(xml, w->request->at_end ? &b->spine_end : &b->spine_start, piece, error));
  ink_text_format(piece, "<%sitem id=\"%s%u\" href=\"%s\" media-type=\"application/xhtml+xml\"/>",
                  b->prefix[1], id_stem, b->next, short_name);
  INK_TRY(put(xml, &b->manifest, piece, error));
  add_page(w, b->third, &page);
  ink_status status = ink_package_change_file(p, name, &page, false, error);
  ink_text_free(&page);
  return status;
}

static ink_status put_metadata(const ink_label_work *w, const book *b, ink_text *xml,
                               ink_text *piece, ink_error *error) {
  char *label = json_dumps(w->aigc, JSON_COMPACT);
  if (!label) return ink_fail(error, INK_ERR_MEMORY, "no memory for the label");
  ink_text_format(piece, "<%smeta name=\"AIGC\" content=\"", b->prefix[0]);
  ink_xml_add_text(piece, label);
  ink_text_add(piece, "\"/>");
  free(label);
  return put(xml, &b->metadata, piece, error);
}

static ink_status label_book(ink_package *p, const ink_label_work *w, const char *opf,
                             ink_text *xml, ink_labelled *out, ink_error *error) {
  book b = {0};
  ink_text piece = {0};
  const ink_xml_listener listener = {&b, open_part, close_part, read_part};
  INK_TRY(ink_package_read(p, opf, INK_PACKAGE_MOST_META, xml, NULL, error));
  b.bytes = xml->bytes;
  INK_TRY(ink_xml_scan(opf, xml->bytes, xml->size, INK_XML_DOCTYPE, &listener, error));
  bool ordered = b.metadata.found && b.manifest.found && b.spine_start.found &&
                 b.metadata.at < b.manifest.at && b.manifest.at < b.spine_start.at;
  if (!ordered) {
    return ink_fail(error, INK_ERR_FORMAT,
                    "EPUB: %s lacks metadata, manifest and spine in this order", opf);
  }
  ink_status status = INK_OK;
  if (w->request->visible) {
    status = show(p, w, opf, &b, xml, &piece, error);
    snprintf(out->visible, sizeof out->visible, "\"%s\", %s page", words_of(w),
             w->request->at_end ? "last" : "first");
  }
  if (status == INK_OK && w->aigc) status = put_metadata(w, &b, xml, &piece, error);
  if (status == INK_OK) status = ink_package_change_file(p, opf, xml, false, error);
  ink_text_free(&piece);
  return status;
}

static ink_status label(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  ink_package p = {0};
  char opf[NAME];
  ink_text xml = {0};
  out->visible_rule = "5.1";
  out->metadata_rule = "Annex E";
  out->unfixed = true;
  INK_TRY(ink_package_open_strictly(w->bytes, w->size, &p, error));
  ink_status status = ink_epub_package_name(&p, opf, sizeof opf, error);
  if (status == INK_OK && ink_package_has(&p, "META-INF/signatures.xml")) {
    status = ink_fail(error, INK_ERR_UNSUPPORTED,
                      "it bears an XML signature, which a label would break; label it before it is "
                      "signed");
  }
  if (status == INK_OK && (w->aigc || w->request->visible)) {
    status = label_book(&p, w, opf, &xml, out, error);
  }
  if (status == INK_OK) status = ink_package_write(&p, &out->file, error);
  snprintf(out->metadata, sizeof out->metadata, "package document, meta AIGC");
  ink_text_free(&xml);
  ink_package_close(&p);
  return status;
}

static const char *const formats[] = {"epub", NULL};
const ink_labeller ink_labeller_epub = {
    .formats = formats, .label = label, .read = ink_label_read_document};
