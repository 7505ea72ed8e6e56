// Labels of Office Open XML (DOCX, XLSX, PPTX; ECMA-376): the metadata label is the custom document
// property AIGC of docProps/custom.xml, a vt:lpwstr (GB 45438-2025, Annex E, by the guide
// TC260-PG-20258A). All other files of the package keep their bytes.
#include "mark/label/office.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mark/label/document_label.h"
#include "mark/label/xml_scan.h"

#define SCHEMAS "http://schemas.openxmlformats.org/"
#define STRICT "http://purl.oclc.org/ooxml/"

static const char custom_name[] = "docProps/custom.xml";
static const char root_relations[] = "_rels/.rels";

static const ink_office_dialect transitional = {
    .relation = SCHEMAS "officeDocument/2006/relationships",
    .drawing = SCHEMAS "drawingml/2006/main",
    .custom_type = SCHEMAS "officeDocument/2006/relationships/custom-properties",
    .worksheet_type = SCHEMAS "officeDocument/2006/relationships/worksheet",
    .custom = SCHEMAS "officeDocument/2006/custom-properties",
    .values = SCHEMAS "officeDocument/2006/docPropsVTypes"};
static const ink_office_dialect strict = {
    .relation = STRICT "officeDocument/relationships",
    .drawing = STRICT "drawingml/main",
    .custom_type = STRICT "officeDocument/relationships/customProperties",
    .worksheet_type = STRICT "officeDocument/relationships/worksheet",
    .custom = STRICT "officeDocument/customProperties",
    .values = STRICT "officeDocument/docPropsVTypes"};

const ink_office_dialect *ink_office_dialect_of(const char *space) {
  return strncmp(space, STRICT, sizeof STRICT - 1) == 0 ? &strict : &transitional;
}

// ---- relations ----------------------------------------------------------------------------------

static const char id_stem[] = "inkLabel";

// What is looked for among relations.
typedef struct relations {
  const char *bytes;
  const char *type, *id;  // NULL: any
  char target[INK_OFFICE_NAME];
  bool found, outside, is_signed, is_strict;
  unsigned next;  // number for an id of ours
  ink_xml_spot end;
  char prefix[64];
} relations;

static void open_relation(void *context, const ink_xml_tag *tag) {
  relations *r = context;
  if (tag->depth == 0) {
    snprintf(r->prefix, sizeof r->prefix, "%s%s", tag->prefix, tag->prefix[0] ? ":" : "");
    r->end = ink_xml_inside(r->bytes, tag);
  }
  if (!ink_xml_is(tag, INK_OFFICE_RELATIONS, "Relationship")) return;
  const char *type = ink_xml_attribute(tag, "", "Type"), *id = ink_xml_attribute(tag, "", "Id"),
             *target = ink_xml_attribute(tag, "", "Target"),
             *mode = ink_xml_attribute(tag, "", "TargetMode");
  if (!type || !id || !target) return;
  if (strstr(type, "/digital-signature/")) r->is_signed = true;
  if (strncmp(type, STRICT, sizeof STRICT - 1) == 0) r->is_strict = true;
  if (strncmp(id, id_stem, sizeof id_stem - 1) == 0) {
    unsigned long number = strtoul(id + sizeof id_stem - 1, NULL, 10);
    if (number >= r->next && number < 1000000000) r->next = (unsigned)number + 1;
  }
  bool fits = (!r->type || strcmp(type, r->type) == 0) && (!r->id || strcmp(id, r->id) == 0);
  if (!fits || r->found) return;
  r->found = true;
  r->outside = mode && strcasecmp(mode, "External") == 0;
  if (strlen(target) < sizeof r->target) {
    snprintf(r->target, sizeof r->target, "%s", target);
  } else {
    r->outside = true;
  }
}

static void close_relations(void *context, const ink_xml_tag *tag) {
  relations *r = context;
  if (tag->depth == 0 && !r->end.empty) r->end = ink_xml_at(tag->start);
}

// *there is false where there is no such file of relations.
static ink_status read_relations(const ink_package *p, const char *name, relations *r,
                                 ink_text *xml, bool *there, ink_error *error) {
  INK_TRY(ink_package_read(p, name, INK_PACKAGE_MOST_META, xml, there, error));
  if (!*there) return INK_OK;
  r->bytes = xml->bytes;
  const ink_xml_listener listener = {.context = r, .open = open_relation, .close = close_relations};
  return ink_xml_scan(name, xml->bytes, xml->size, 0, &listener, error);
}

ink_status ink_office_target(const ink_package *p, const char *name, const char *folder,
                             const char *id, char target[INK_OFFICE_NAME], bool *found,
                             ink_error *error) {
  relations r = {.id = id};
  ink_text xml = {0};
  bool there;
  ink_status status = read_relations(p, name, &r, &xml, &there, error);
  ink_text_free(&xml);
  *found = status == INK_OK && r.found && !r.outside &&
           ink_package_resolve(folder, r.target, target, INK_OFFICE_NAME);
  return status;
}

ink_status ink_office_relate(ink_package *p, const char *name, const char *type, const char *target,
                             char id[INK_OFFICE_ID], ink_error *error) {
  relations r = {.type = type};
  ink_text xml = {0}, piece = {0};
  bool there;
  ink_status status = read_relations(p, name, &r, &xml, &there, error);
  if (status == INK_OK && !there) {
    ink_text_add(&xml,
                 "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
                 "<Relationships xmlns=\"" INK_OFFICE_RELATIONS "\">");
    r.end = ink_xml_at(xml.size);
    ink_text_add(&xml, "</Relationships>");
  }
  char fresh[INK_OFFICE_ID];
  snprintf(fresh, sizeof fresh, "%s%u", id_stem, r.next);
  if (id) memcpy(id, fresh, sizeof fresh);
  ink_text_format(&piece, "<%sRelationship Id=\"%s\" Type=\"%s\" Target=\"%s\"/>", r.prefix, fresh,
                  type, target);
  if (status == INK_OK) status = ink_text_status(&piece, error);
  if (status == INK_OK) status = ink_xml_put(&xml, &r.end, piece.bytes, error);
  if (status == INK_OK) status = ink_package_change_file(p, name, &xml, false, error);
  ink_text_free(&piece);
  ink_text_free(&xml);
  return status;
}

// ---- content types ------------------------------------------------------------------------------

typedef struct types {
  const char *bytes, *name;
  bool found;
  ink_xml_spot end;
  char prefix[64];
} types;

static void open_type(void *context, const ink_xml_tag *tag) {
  types *t = context;
  if (tag->depth == 0) {
    snprintf(t->prefix, sizeof t->prefix, "%s%s", tag->prefix, tag->prefix[0] ? ":" : "");
    t->end = ink_xml_inside(t->bytes, tag);
  }
  const char *name = ink_xml_attribute(tag, "", "PartName");
  if (ink_xml_is(tag, INK_OFFICE_TYPES, "Override") && name && strcasecmp(name, t->name) == 0) {
    t->found = true;
  }
}

static void close_types(void *context, const ink_xml_tag *tag) {
  types *t = context;
  if (tag->depth == 0 && !t->end.empty) t->end = ink_xml_at(tag->start);
}

ink_status ink_office_state_type(ink_package *p, const char *name, const char *type,
                                 ink_error *error) {
  static const char list[] = "[Content_Types].xml";
  ink_text xml = {0}, piece = {0};
  types t = {.name = name};
  const ink_xml_listener listener = {.context = &t, .open = open_type, .close = close_types};
  ink_status status = ink_package_read(p, list, INK_PACKAGE_MOST_META, &xml, NULL, error);
  if (status == INK_OK) {
    t.bytes = xml.bytes;
    status = ink_xml_scan(list, xml.bytes, xml.size, 0, &listener, error);
  }
  if (status == INK_OK && !t.found) {
    ink_text_format(&piece, "<%sOverride PartName=\"%s\" ContentType=\"%s\"/>", t.prefix, name,
                    type);
    status = ink_text_status(&piece, error);
    if (status == INK_OK) status = ink_xml_put(&xml, &t.end, piece.bytes, error);
    if (status == INK_OK) status = ink_package_change_file(p, list, &xml, false, error);
  }
  ink_text_free(&piece);
  ink_text_free(&xml);
  return status;
}

// ---- the property -------------------------------------------------------------------------------

typedef struct properties {
  const char *bytes;
  bool known;  // the root is that of custom properties
  char prefix[64];
  const ink_office_dialect *dialect;
  long last;  // the greatest pid
  ink_xml_spot end;
} properties;

static void open_property(void *context, const ink_xml_tag *tag) {
  properties *c = context;
  if (tag->depth == 0) {
    c->dialect = ink_office_dialect_of(tag->space);
    c->known = ink_xml_is(tag, c->dialect->custom, "Properties");
    snprintf(c->prefix, sizeof c->prefix, "%s%s", tag->prefix, tag->prefix[0] ? ":" : "");
    c->end = ink_xml_inside(c->bytes, tag);
  }
  const char *pid = ink_xml_attribute(tag, "", "pid");
  long number = pid && tag->depth == 1 ? strtol(pid, NULL, 10) : 0;
  if (number > c->last) c->last = number;
}

static void close_properties(void *context, const ink_xml_tag *tag) {
  properties *c = context;
  if (tag->depth == 0 && !c->end.empty) c->end = ink_xml_at(tag->start);
}

static ink_status read_properties(ink_text *xml, properties *c, ink_error *error) {
  c->bytes = xml->bytes;
  const ink_xml_listener listener = {
      .context = c, .open = open_property, .close = close_properties};
  INK_TRY(ink_xml_scan(custom_name, xml->bytes, xml->size, 0, &listener, error));
  if (c->known && c->last < INT32_MAX) return INK_OK;
  return ink_fail(error, INK_ERR_FORMAT, "%s holds no custom properties", custom_name);
}

static void add_property(const properties *c, const char *label, ink_text *out) {
  // The first number that may be given is 2 (ECMA-376, part 1, 22.3.2.2).
  ink_text_format(out,
                  "<%sproperty fmtid=\"{D5CDD505-2E9C-101B-9397-08002B2CF9AE}\" pid=\"%ld\" "
                  "name=\"AIGC\"><vt:lpwstr xmlns:vt=\"%s\">",
                  c->prefix, c->last < 2 ? 2 : c->last + 1, c->dialect->values);
  ink_xml_add_text(out, label);
  ink_text_format(out, "</vt:lpwstr></%sproperty>", c->prefix);
}

static ink_status put_property(ink_package *p, const ink_office_dialect *dialect, const char *label,
                               ink_error *error) {
  ink_text xml = {0}, piece = {0};
  properties c = {0};
  bool there;
  ink_status status = ink_package_read(p, custom_name, INK_PACKAGE_MOST_META, &xml, &there, error);
  if (status == INK_OK && !there) {
    ink_text_format(&xml,
                    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
                    "<Properties xmlns=\"%s\"></Properties>",
                    dialect->custom);
    status = ink_text_status(&xml, error);
  }
  if (status == INK_OK) status = read_properties(&xml, &c, error);
  if (status == INK_OK) {
    add_property(&c, label, &piece);
    status = ink_text_status(&piece, error);
  }
  if (status == INK_OK) status = ink_xml_put(&xml, &c.end, piece.bytes, error);
  if (status == INK_OK) status = ink_package_change_file(p, custom_name, &xml, true, error);
  ink_text_free(&piece);
  ink_text_free(&xml);
  return status;
}

static ink_status put_metadata(ink_package *p, const json_t *aigc, ink_error *error) {
  static const char type[] = "application/vnd.openxmlformats-officedocument.custom-properties+xml";
  relations all = {0}, r;
  ink_text xml = {0};
  bool there;
  char name[INK_OFFICE_NAME];
  ink_status status = read_relations(p, root_relations, &all, &xml, &there, error);
  ink_text_free(&xml);
  INK_TRY(status);
  if (all.is_signed) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "it bears a digital signature of Office, which a label would break; label it "
                    "before it is signed");
  }
  const ink_office_dialect *dialect = all.is_strict ? &strict : &transitional;
  r = (relations){.type = dialect->custom_type};
  status = read_relations(p, root_relations, &r, &xml, &there, error);
  ink_text_free(&xml);
  INK_TRY(status);
  if (!r.found) {
    INK_TRY(ink_office_relate(p, root_relations, dialect->custom_type, custom_name, NULL, error));
  } else if (r.outside || !ink_package_resolve("", r.target, name, sizeof name) ||
             strcmp(name, custom_name) != 0) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "its custom properties do not stand in %s, where the label has to",
                    custom_name);
  }
  INK_TRY(ink_office_state_type(p, "/docProps/custom.xml", type, error));
  if (!aigc) return INK_OK;
  char *label = json_dumps(aigc, JSON_COMPACT);
  if (!label) return ink_fail(error, INK_ERR_MEMORY, "no memory for the label");
  status = put_property(p, dialect, label, error);
  free(label);
  return status;
}

// ---- all of it ----------------------------------------------------------------------------------

typedef ink_status show_function(ink_package *package, const ink_label_work *work,
                                 ink_labelled *out, ink_error *error);

static ink_status label_package(ink_package *p, const ink_label_work *w, show_function *show,
                                ink_labelled *out, ink_error *error) {
  out->visible_rule = "5.1";
  out->metadata_rule = "Annex E";
  if (w->aigc) INK_TRY(put_metadata(p, w->aigc, error));
  if (w->request->visible) INK_TRY(show(p, w, out, error));
  snprintf(out->metadata, sizeof out->metadata, "docProps/custom.xml AIGC");
  return ink_package_write(p, &out->file, error);
}

static ink_status label(const ink_label_work *w, show_function *show, ink_labelled *out,
                        ink_error *error) {
  ink_package p = {0};
  INK_TRY(ink_package_open_strictly(w->bytes, w->size, &p, error));
  ink_status status = label_package(&p, w, show, out, error);
  ink_package_close(&p);
  return status;
}

static ink_status label_docx(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  return label(w, ink_office_show_text, out, error);
}

static ink_status label_xlsx(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  return label(w, ink_office_show_sheet, out, error);
}

static ink_status label_pptx(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  return label(w, ink_office_show_slide, out, error);
}

ink_status ink_label_read_document(const char *name, const unsigned char *bytes, size_t size,
                                   json_t **aigc, ink_error *error) {
  (void)name;
  ink_package p = {0};
  *aigc = NULL;
  INK_TRY(ink_package_open_strictly(bytes, size, &p, error));
  ink_status status = ink_document_label(&p, aigc, error);
  ink_package_close(&p);
  return status;
}

static const char *const docx[] = {"docx", NULL}, *const xlsx[] = {"xlsx", NULL},
                         *const pptx[] = {"pptx", NULL};
const ink_labeller ink_labeller_docx = {
    .formats = docx, .label = label_docx, .read = ink_label_read_document};
const ink_labeller ink_labeller_xlsx = {
    .formats = xlsx, .label = label_xlsx, .read = ink_label_read_document};
const ink_labeller ink_labeller_pptx = {
    .formats = pptx, .label = label_pptx, .read = ink_label_read_document};
