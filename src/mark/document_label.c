// Labels of office documents: unpacked by libzip, read by libxml2.
#include "mark/document_label.h"

#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum { MOST_PROPERTIES = 1 << 20 };

// A file of an archive, unpacked as far as `most` bytes; NULL where it is not there, is larger, or
// does not unpack. malloc'ed.
static char *unpack(zip_t *archive, const char *name, size_t most, size_t *size) {
  zip_file_t *file = zip_fopen(archive, name, 0);
  char *bytes = file ? malloc(most + 1) : NULL;
  zip_int64_t got = 0;
  *size = 0;
  // Whatever the archive says of sizes: one byte more than the most is too much.
  while (bytes && *size <= most && (got = zip_fread(file, bytes + *size, most + 1 - *size)) > 0) {
    *size += (size_t)got;
  }
  if (file) zip_fclose(file);
  if (bytes && got == 0 && *size <= most) return bytes;
  free(bytes);
  return NULL;
}

static bool is_element(const xmlNode *node, const char *name) {
  return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

// <property name="AIGC"><vt:lpwstr>{…}</vt:lpwstr></property>
static json_t *find_property(const xmlNode *properties) {
  for (const xmlNode *node = properties ? properties->children : NULL; node; node = node->next) {
    if (!is_element(node, "property")) continue;
    xmlChar *name = xmlGetProp(node, BAD_CAST "name");
    bool found = name && strcmp((const char *)name, "AIGC") == 0;
    xmlFree(name);
    if (!found) continue;
    xmlChar *text = xmlNodeGetContent(node);
    json_t *aigc = text ? json_loads((const char *)text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    xmlFree(text);
    if (json_is_object(aigc)) return aigc;
    json_decref(aigc);
  }
  return NULL;
}

ink_status ink_document_aigc(const void *bytes, size_t size, json_t **aigc, ink_error *error) {
  zip_error_t fault;
  *aigc = NULL;
  zip_error_init(&fault);
  zip_source_t *source = zip_source_buffer_create(bytes, size, 0, &fault);
  zip_t *archive = source ? zip_open_from_source(source, ZIP_RDONLY, &fault) : NULL;
  if (source && !archive) zip_source_free(source);
  zip_error_fini(&fault);
  if (!source) return ink_fail(error, INK_ERR_MEMORY, "no memory to read a document");
  if (!archive) return INK_OK;
  size_t length;
  char *xml = unpack(archive, "docProps/custom.xml", MOST_PROPERTIES, &length);
  // No network, no entities: a document type is not read at all.
  int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
  xmlDoc *document = xml && !memmem(xml, length, "<!DOCTYPE", 9)
                         ? xmlReadMemory(xml, (int)length, "custom.xml", NULL, options)
                         : NULL;
  if (document) *aigc = find_property(xmlDocGetRootElement(document));
  xmlFreeDoc(document);
  free(xml);
  zip_discard(archive);
  return INK_OK;
}
