// What stands in a text file.
#include "mark/text_file.h"

#include <libxml/HTMLparser.h>
#include <string.h>
#include <strings.h>

#include "base/yaml.h"
#include "mark/c2pa/carrier.h"
#include "mark/label/front_matter.h"

// By its ending or, whatever that is, by its content, as labels and manifests go by.
static bool is_html(const char *name, const char *bytes, size_t size) {
  const char *dot = name ? strrchr(name, '.') : NULL;
  if (dot && (strcasecmp(dot, ".html") == 0 || strcasecmp(dot, ".htm") == 0 ||
              strcasecmp(dot, ".xhtml") == 0)) {
    return true;
  }
  return ink_carrier_named("html")->recognise((const unsigned char *)bytes, size);
}

static bool is_element(const xmlNode *node, const char *name) {
  return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

// What a reader sees as text, element by element in document order; blocks end lines.
static void collect_text(const xmlNode *first, ink_text *words) {
  for (const xmlNode *node = first; node; node = node->next) {
    if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) {
      ink_text_add(words, (const char *)node->content);
      continue;
    }
    if (node->type != XML_ELEMENT_NODE) continue;
    bool silent = is_element(node, "script") || is_element(node, "style") ||
                  is_element(node, "head") || is_element(node, "template");
    if (silent) continue;
    collect_text(node->children, words);
    const htmlElemDesc *about = htmlTagLookup(node->name);
    if (is_element(node, "br") || (about && !about->isinline)) ink_text_add(words, "\n");
  }
}

static ink_status parse_html(const char *name, const char *bytes, size_t size, xmlDoc **document,
                             ink_error *error) {
  if (size > INT32_MAX) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: too large to be read as HTML", name);
  }
  // No network and no entities from outside; depth is bounded by libxml2 (256).
  int options = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET;
  *document = htmlReadMemory(bytes, (int)size, name, "UTF-8", options);
  return *document ? INK_OK
                   : ink_fail(error, INK_ERR_FORMAT, "%s: no HTML can be read in it", name);
}

// Markdown's own characters, where they are escapes or emphasis, are no words.
static void add_plain(const char *bytes, size_t size, ink_text *words) {
  for (size_t i = 0; i < size; i++) {
    bool escape =
        bytes[i] == '\\' && i + 1 < size && strchr("\\`*_{}[]()#+-.!<>|&~\n", bytes[i + 1]);
    if (!escape && bytes[i] != '*') ink_text_add_bytes(words, bytes + i, 1);
  }
}

static ink_status add_words(const char *name, const char *bytes, size_t size, ink_text *words,
                            ink_error *error) {
  ink_front_matter front;
  if (is_html(name, bytes, size)) {
    xmlDoc *document;
    INK_TRY(parse_html(name ? name : "text", bytes, size, &document, error));
    collect_text(xmlDocGetRootElement(document), words);
    xmlFreeDoc(document);
  } else if (ink_front_matter_find(bytes, size, &front)) {
    add_plain(bytes + front.body, size - front.body, words);
  } else {
    ink_text_add_bytes(words, bytes, size);
  }
  return ink_text_status(words, error);
}

ink_status ink_text_file_words(const char *name, const char *bytes, size_t size, ink_text *words,
                               ink_error *error) {
  // A signed text holds its manifest among the words, as a comment or invisibly.
  const unsigned char *file = (const unsigned char *)bytes;
  const ink_carrier *carrier = ink_carrier_for(name, file, size);
  ink_text bare = {0};
  bool is_signed = carrier && ink_carrier_remove(carrier, file, size, &bare, NULL) == INK_OK;
  ink_status status = is_signed ? add_words(name, ink_text_string(&bare), bare.size, words, error)
                                : add_words(name, bytes, size, words, error);
  ink_text_free(&bare);
  return status;
}

// ---- the label ----------------------------------------------------------------------------------

// The content of <meta name="AIGC">; NULL where there is none. Freed by xmlFree.
static xmlChar *find_meta(const xmlNode *first) {
  for (const xmlNode *node = first; node; node = node->next) {
    if (node->type != XML_ELEMENT_NODE) continue;
    if (is_element(node, "meta")) {
      xmlChar *name = xmlGetProp(node, BAD_CAST "name");
      bool found = name && strcasecmp((const char *)name, "AIGC") == 0;
      xmlFree(name);
      if (found) return xmlGetProp(node, BAD_CAST "content");
    }
    xmlChar *below = find_meta(node->children);
    if (below) return below;
  }
  return NULL;
}

static json_t *html_metadata(const xmlDoc *document) {
  xmlChar *content = find_meta(xmlDocGetRootElement(document));
  json_t *aigc = content ? json_loads((const char *)content, 0, NULL) : NULL;
  if (content && !aigc) aigc = json_null();
  xmlFree(content);
  return aigc;
}

// Front matter that is no YAML says nothing, as the prose of a file that begins with a rule.
static ink_status front_matter_metadata(const char *yaml, size_t size, json_t **aigc,
                                        ink_error *error) {
  json_t *json = NULL;
  ink_error unread = {0};
  ink_status status = ink_yaml_parse(yaml, size, "front matter", &json, &unread);
  if (status == INK_ERR_MEMORY) return ink_fail(error, status, "%s", unread.text);
  if (status != INK_OK) return INK_OK;
  *aigc = json_incref(json_object_get(json, "AIGC"));
  json_decref(json);
  return INK_OK;
}

ink_status ink_text_file_label(const char *name, const char *bytes, size_t size, json_t **aigc,
                               ink_error *error) {
  ink_front_matter front;
  *aigc = NULL;
  if (is_html(name, bytes, size)) {
    xmlDoc *document;
    INK_TRY(parse_html(name ? name : "text", bytes, size, &document, error));
    *aigc = html_metadata(document);
    xmlFreeDoc(document);
  } else if (ink_front_matter_find(bytes, size, &front)) {
    INK_TRY(front_matter_metadata(bytes + front.yaml, front.yaml_end - front.yaml, aigc, error));
  }
  return INK_OK;
}
