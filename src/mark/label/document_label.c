// Labels of documents, read.
#include "mark/label/document_label.h"

#include <string.h>

#include "mark/label/xml_scan.h"

#define CONTAINER "urn:oasis:names:tc:opendocument:xmlns:container"
#define META "urn:oasis:names:tc:opendocument:xmlns:meta:1.0"

// The first element that holds a label, and what it holds.
typedef struct finder {
  bool (*holds)(const ink_xml_tag *tag);
  size_t depth;  // of the element whose text is read, one more; 0: outside
  bool found;
  ink_text text;
} finder;

static void open_holder(void *context, const ink_xml_tag *tag) {
  finder *f = context;
  if (f->found || !f->holds(tag)) return;
  f->found = true;
  const char *content = ink_xml_attribute(tag, "", "content");
  if (content) {
    ink_text_add(&f->text, content);
  } else {
    f->depth = tag->depth + 1;
  }
}

static void close_holder(void *context, const ink_xml_tag *tag) {
  finder *f = context;
  if (f->depth == tag->depth + 1) f->depth = 0;
}

static void read_holder(void *context, const char *text, size_t size) {
  finder *f = context;
  if (f->depth) ink_text_add_bytes(&f->text, text, size);
}

static bool is_named_aigc(const char *name) {
  if (!name) return false;
  const char *colon = strrchr(name, ':');
  return strcmp(colon ? colon + 1 : name, "AIGC") == 0;
}

// <property name="AIGC"><vt:lpwstr>{…}</vt:lpwstr></property>
static bool is_property(const ink_xml_tag *tag) {
  const char *name = ink_xml_attribute(tag, "", "name");
  return tag->depth == 1 && strcmp(tag->name, "property") == 0 && name && strcmp(name, "AIGC") == 0;
}

// <meta:user-defined meta:name="AIGC">{…}</meta:user-defined>
static bool is_user_defined(const ink_xml_tag *tag) {
  const char *name = ink_xml_attribute(tag, META, "name");
  return ink_xml_is(tag, META, "user-defined") && name && strcmp(name, "AIGC") == 0;
}

// <meta name="AIGC" content="{…}"/> as in EPUB 2, <meta property="…:AIGC">{…}</meta> as in EPUB 3
static bool is_meta(const ink_xml_tag *tag) {
  return strcmp(tag->name, "meta") == 0 && (is_named_aigc(ink_xml_attribute(tag, "", "name")) ||
                                            is_named_aigc(ink_xml_attribute(tag, "", "property")));
}

static ink_status find_in(const ink_package *p, const char *name, unsigned options,
                          bool (*holds)(const ink_xml_tag *tag), json_t **aigc, ink_error *error) {
  ink_text xml = {0};
  bool there = false;
  finder f = {.holds = holds};
  const ink_xml_listener listener = {&f, open_holder, close_holder, read_holder};
  ink_status status = ink_package_read(p, name, INK_PACKAGE_MOST_META, &xml, &there, error);
  if (status == INK_OK && there) {
    status = ink_xml_scan(name, xml.bytes, xml.size, options | INK_XML_READ, &listener, error);
  }
  if (status == INK_OK && f.found) status = ink_text_status(&f.text, error);
  if (status == INK_OK && f.found) {
    json_t *json = json_loads(ink_text_string(&f.text), JSON_REJECT_DUPLICATES, NULL);
    // In some files the label is wrapped.
    json_t *inner = json_object_get(json, "AIGC");
    *aigc = json_is_object(json) ? json_incref(inner ? inner : json) : json_null();
    json_decref(json);
  }
  ink_text_free(&f.text);
  ink_text_free(&xml);
  return status;
}

// ---- EPUB ---------------------------------------------------------------------------------------

typedef struct renditions {
  char *name;
  size_t room, n;
  bool fits;
} renditions;

static void open_rootfile(void *context, const ink_xml_tag *tag) {
  renditions *r = context;
  const char *path = ink_xml_attribute(tag, "", "full-path");
  if (!ink_xml_is(tag, CONTAINER, "rootfile") || !path || r->n++) return;
  r->fits = ink_package_resolve("", path, r->name, r->room);
}

ink_status ink_epub_package_name(const ink_package *p, char *name, size_t room, ink_error *error) {
  static const char container[] = "META-INF/container.xml";
  ink_text xml = {0};
  renditions r = {.name = name, .room = room};
  const ink_xml_listener listener = {.context = &r, .open = open_rootfile};
  ink_status status = ink_package_read(p, container, INK_PACKAGE_MOST_META, &xml, NULL, error);
  if (status == INK_OK) {
    status = ink_xml_scan(container, xml.bytes, xml.size, INK_XML_READ, &listener, error);
  }
  ink_text_free(&xml);
  INK_TRY(status);
  if (r.n > 1) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "EPUB: it has several renditions, which are not labelled here");
  }
  if (r.n && r.fits) return INK_OK;
  return ink_fail(error, INK_ERR_NOT_FOUND, "EPUB: its container names no package document");
}

// ---- all ----------------------------------------------------------------------------------------

ink_status ink_document_label(const ink_package *p, json_t **aigc, ink_error *error) {
  *aigc = NULL;
  INK_TRY(find_in(p, "docProps/custom.xml", 0, is_property, aigc, error));
  if (!*aigc && ink_package_has(p, "mimetype")) {
    INK_TRY(find_in(p, "meta.xml", 0, is_user_defined, aigc, error));
  }
  if (!*aigc && ink_package_has(p, "META-INF/container.xml")) {
    char name[1024];
    INK_TRY(ink_epub_package_name(p, name, sizeof name, error));
    INK_TRY(find_in(p, name, INK_XML_DOCTYPE, is_meta, aigc, error));
  }
  return INK_OK;
}

ink_status ink_document_aigc(const void *bytes, size_t size, json_t **aigc, ink_error *error) {
  ink_package p = {0};
  ink_error unread = {0};
  *aigc = NULL;
  ink_status status = ink_package_open(bytes, size, &p, &unread);
  if (status == INK_OK) status = ink_document_label(&p, aigc, &unread);
  ink_package_close(&p);
  if (!json_is_object(*aigc)) {
    json_decref(*aigc);
    *aigc = NULL;
  }
  // What cannot be read says nothing.
  return status == INK_ERR_MEMORY ? ink_fail(error, status, "%s", unread.text) : INK_OK;
}
