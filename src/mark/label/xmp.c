// Labels in XMP, through libxml2.
#include "mark/label/xmp.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <limits.h>
#include <string.h>

#include "base/text.h"
#include "mark/label/xml_scan.h"

#define RDF "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
#define IPTC INK_XMP_IPTC
#define XMP "http://ns.adobe.com/xap/1.0/"
#define TC260 INK_XMP_TC260

// What a reader looks for around the XML (ISO 16684-1, 7.3.2), and an empty packet.
static const char header[] = "<?xpacket begin=\"\xEF\xBB\xBF\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n";
static const char trailer[] = "\n<?xpacket end=\"w\"?>";
static const char empty[] = "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"" RDF
                            "\"><rdf:Description rdf:about=\"\"/></rdf:RDF></x:xmpmeta>";

// ---- reading -----------------------------------------------------------------------------------

static ink_status parse(const char *packet, size_t size, xmlDoc **document, ink_error *error) {
  if (!packet) {
    packet = empty;
    size = sizeof empty - 1;
  }
  if (size > INT_MAX / 2) return ink_fail(error, INK_ERR_UNSUPPORTED, "XMP of %zu bytes", size);
  xmlParserCtxt *parser = xmlNewParserCtxt();
  if (!parser) return ink_fail(error, INK_ERR_MEMORY, "no memory for XMP");
  *document = xmlCtxtReadMemory(parser, packet, (int)size, "XMP", "UTF-8",
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
  // A prefix of no namespace would gain a meaning from the namespaces of labels.
  bool named = parser->nsWellFormed;
  xmlFreeParserCtxt(parser);
  if (*document && !named) {
    xmlFreeDoc(*document);
    *document = NULL;
  }
  if (!*document) return ink_fail(error, INK_ERR_FORMAT, "its XMP is not well-formed XML");
  if ((*document)->intSubset) {
    xmlFreeDoc(*document);
    *document = NULL;
    return ink_fail(error, INK_ERR_UNSUPPORTED, "its XMP declares a document type or entities");
  }
  return INK_OK;
}

static bool is_named(const xmlNode *node, const char *space, const char *name) {
  return node->type == XML_ELEMENT_NODE && node->ns &&
         strcmp((const char *)node->ns->href, space) == 0 &&
         strcmp((const char *)node->name, name) == 0;
}

static xmlNode *child_named(const xmlNode *parent, const char *space, const char *name) {
  for (xmlNode *node = parent ? parent->children : NULL; node; node = node->next) {
    if (is_named(node, space, name)) return node;
  }
  return NULL;
}

static ink_status find_rdf(xmlDoc *document, xmlNode **rdf, ink_error *error) {
  xmlNode *root = xmlDocGetRootElement(document);
  *rdf = root && is_named(root, RDF, "RDF") ? root : child_named(root, RDF, "RDF");
  if (*rdf) return INK_OK;
  return ink_fail(error, INK_ERR_FORMAT, "its XMP has no rdf:RDF");
}

// A simple property, wherever it stands: an element or an attribute of any description. Freed by
// xmlFree; NULL where there is none.
static xmlChar *value_of(const xmlNode *rdf, const char *space, const char *name) {
  for (const xmlNode *d = rdf->children; d; d = d->next) {
    if (!is_named(d, RDF, "Description")) continue;
    const xmlNode *element = child_named(d, space, name);
    xmlChar *resource = element ? xmlGetNsProp(element, BAD_CAST "resource", BAD_CAST RDF) : NULL;
    if (resource) return resource;
    if (element) return xmlNodeGetContent(element);
    xmlChar *attribute = xmlGetNsProp(d, BAD_CAST name, BAD_CAST space);
    if (attribute) return attribute;
  }
  return NULL;
}

ink_status ink_xmp_check_source(const char *there, const char **source, ink_error *error) {
  if (!*there || !*source || strcmp(there, *source) == 0) return INK_OK;
  *source = NULL;
  if (strstr(there, "lgorithmic")) return INK_OK;
  return ink_fail(error, INK_ERR_CONFLICT,
                  "its metadata say that its source is %s, which is another's to change", there);
}

ink_status ink_xmp_keep_source(const char *packet, size_t size, const char **source,
                               ink_error *error) {
  if (!packet || size == 0 || !*source) return INK_OK;
  xmlDoc *document;
  xmlNode *rdf;
  INK_TRY(parse(packet, size, &document, error));
  ink_status status = find_rdf(document, &rdf, error);
  xmlChar *value = status == INK_OK ? value_of(rdf, IPTC, "DigitalSourceType") : NULL;
  if (value) status = ink_xmp_check_source((const char *)value, source, error);
  xmlFree(value);
  xmlFreeDoc(document);
  return status;
}

ink_status ink_xmp_aigc(const char *packet, size_t size, json_t **aigc, ink_error *error) {
  *aigc = NULL;
  if (!packet || size == 0) return INK_OK;
  xmlDoc *document;
  xmlNode *rdf;
  INK_TRY(parse(packet, size, &document, error));
  ink_status status = find_rdf(document, &rdf, error);
  xmlChar *value = status == INK_OK ? value_of(rdf, TC260, "AIGC") : NULL;
  if (value) {
    *aigc = json_loads((const char *)value, 0, NULL);
    if (!json_is_object(*aigc)) {
      json_decref(*aigc);
      *aigc = NULL;
      status = ink_fail(error, INK_ERR_FORMAT, "its AIGC label is no JSON object");
    }
  }
  xmlFree(value);
  xmlFreeDoc(document);
  return status;
}

// ---- writing -----------------------------------------------------------------------------------

static xmlNs *space_of(xmlDoc *document, xmlNode *description, const char *space,
                       const char *prefix) {
  xmlNs *ns = xmlSearchNsByHref(document, description, BAD_CAST space);
  return ns && ns->prefix ? ns : xmlNewNs(description, BAD_CAST space, BAD_CAST prefix);
}

// Drop a property from all descriptions.
static void drop(xmlNode *rdf, const char *space, const char *name) {
  for (xmlNode *d = rdf->children; d; d = d->next) {
    if (!is_named(d, RDF, "Description")) continue;
    xmlNode *element;
    while ((element = child_named(d, space, name))) {
      xmlUnlinkNode(element);
      xmlFreeNode(element);
    }
    xmlAttr *attribute = xmlHasNsProp(d, BAD_CAST name, BAD_CAST space);
    if (attribute) xmlRemoveProp(attribute);
  }
}

static bool set(xmlDoc *document, xmlNode *rdf, xmlNode *description, const char *space,
                const char *prefix, const char *name, const char *value) {
  if (!value) return true;
  drop(rdf, space, name);
  xmlNs *ns = space_of(document, description, space, prefix);
  return ns && xmlNewTextChild(description, ns, BAD_CAST name, BAD_CAST value);
}

// The same label may stand there; another one is not touched.
static ink_status check_aigc(const xmlNode *rdf, const json_t *aigc, ink_error *error) {
  xmlChar *there = value_of(rdf, TC260, "AIGC");
  if (!there || !aigc) {
    xmlFree(there);
    return INK_OK;
  }
  json_t *label = json_loads((const char *)there, 0, NULL);
  bool same = label && json_equal(label, aigc);
  const char *id = json_string_value(json_object_get(label, "ProduceID"));
  ink_status status =
      same ? INK_OK
           : ink_fail(error, INK_ERR_CONFLICT,
                      "it bears another AIGC label already (ProduceID %s), which must stay",
                      id ? id : "?");
  json_decref(label);
  xmlFree(there);
  return status;
}

static ink_status apply(xmlDoc *document, const ink_xmp_labels *l, ink_error *error) {
  xmlNode *rdf;
  INK_TRY(find_rdf(document, &rdf, error));
  INK_TRY(check_aigc(rdf, l->aigc, error));
  xmlNode *d = child_named(rdf, RDF, "Description");
  if (!d) d = xmlNewTextChild(rdf, rdf->ns, BAD_CAST "Description", NULL);
  char *aigc = l->aigc ? json_dumps(l->aigc, JSON_COMPACT) : NULL;
  bool fine = d && (aigc || !l->aigc);
  fine = fine && set(document, rdf, d, IPTC, "Iptc4xmpExt", "DigitalSourceType", l->source_type);
  fine = fine && set(document, rdf, d, IPTC, "Iptc4xmpExt", "AISystemUsed", l->system);
  fine =
      fine && set(document, rdf, d, IPTC, "Iptc4xmpExt", "AISystemVersionUsed", l->system_version);
  fine = fine && set(document, rdf, d, IPTC, "Iptc4xmpExt", "AIPromptInformation", l->prompt);
  fine = fine && set(document, rdf, d, XMP, "xmp", "CreatorTool", l->creator_tool);
  fine = fine && set(document, rdf, d, TC260, "TC260", "AIGC", aigc);
  free(aigc);
  return fine ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for XMP");
}

static ink_status check_values(const ink_xmp_labels *l, ink_error *error) {
  const char *const values[] = {l->source_type, l->system, l->system_version, l->prompt,
                                l->creator_tool};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    const char *value = values[i];
    if (value && !ink_utf8_valid(value, strlen(value), NULL)) {
      return ink_fail(error, INK_ERR_USAGE, "a label for XMP is not well-formed UTF-8");
    }
    for (const char *at = value; at && *at; at++) {
      if ((unsigned char)*at < ' ' && !strchr("\t\n\r", *at)) {
        return ink_fail(error, INK_ERR_USAGE,
                        "a label for XMP has a control character, which XML cannot hold");
      }
    }
  }
  return INK_OK;
}

ink_status ink_xmp_label(const char *packet, size_t size, const ink_xmp_labels *labels,
                         ink_text *out, ink_error *error) {
  xmlDoc *document;
  INK_TRY(check_values(labels, error));
  INK_TRY(parse(size ? packet : NULL, size, &document, error));
  ink_status status = apply(document, labels, error);
  if (status == INK_OK) {
    // The root alone: the packet's own processing instructions are written anew.
    xmlBuffer *buffer = xmlBufferCreate();
    int written = buffer ? xmlNodeDump(buffer, document, xmlDocGetRootElement(document), 0, 0) : -1;
    ink_text_add(out, header);
    if (written > 0) ink_text_add_bytes(out, xmlBufferContent(buffer), (size_t)written);
    ink_text_add(out, trailer);
    xmlBufferFree(buffer);
    status = written > 0 ? ink_text_status(out, error)
                         : ink_fail(error, INK_ERR_MEMORY, "no memory for XMP");
  }
  xmlFreeDoc(document);
  return status;
}

static void add_property(ink_text *out, const char *name, const char *value) {
  if (!value) return;
  ink_text_format(out, "<%s>", name);
  ink_xml_add_text(out, value);
  ink_text_format(out, "</%s>", name);
}

ink_status ink_xmp_describe(const ink_xmp_labels *l, ink_text *out, ink_error *error) {
  INK_TRY(check_values(l, error));
  char *aigc = l->aigc ? json_dumps(l->aigc, JSON_COMPACT) : NULL;
  if (l->aigc && !aigc) return ink_fail(error, INK_ERR_MEMORY, "no memory for XMP");
  ink_text_add(out,
               "<rdf:Description rdf:about=\"\" xmlns:rdf=\"" RDF "\" xmlns:Iptc4xmpExt=\"" IPTC
               "\" xmlns:xmp=\"" XMP "\" xmlns:TC260=\"" TC260 "\">");
  add_property(out, "Iptc4xmpExt:DigitalSourceType", l->source_type);
  add_property(out, "Iptc4xmpExt:AISystemUsed", l->system);
  add_property(out, "Iptc4xmpExt:AISystemVersionUsed", l->system_version);
  add_property(out, "Iptc4xmpExt:AIPromptInformation", l->prompt);
  add_property(out, "xmp:CreatorTool", l->creator_tool);
  add_property(out, "TC260:AIGC", aigc);
  ink_text_add(out, "</rdf:Description>");
  free(aigc);
  return ink_text_status(out, error);
}
