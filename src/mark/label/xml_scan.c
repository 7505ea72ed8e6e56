// XML with places, through Expat.
#include "mark/label/xml_scan.h"

#include <expat.h>
#include <string.h>
#include <strings.h>

enum { MOST_SIZE = 1 << 26, PART = 1 << 20 };

// Between the namespace, the name and the prefix, which cannot hold it.
static const char parting = '\n';

typedef struct scan {
  XML_Parser parser;
  const char *bytes;
  size_t size;
  unsigned options;
  const ink_xml_listener *listener;
  size_t depth;
  const char *fault;  // why the reading was stopped
  ink_status status;
} scan;

static void stop(scan *s, ink_status status, const char *fault) {
  if (s->fault) return;
  s->status = status;
  s->fault = fault;
  XML_StopParser(s->parser, XML_FALSE);
}

// Expat's name, "space\nname\nprefix", in its parts. The copy that is parted lives in `room`.
typedef struct name_room {
  char bytes[512];
} name_room;

static bool part_name(scan *s, const char *given, name_room *room, ink_xml_tag *tag) {
  size_t n = strlen(given);
  if (n >= sizeof room->bytes) {
    stop(s, INK_ERR_UNSUPPORTED, "a name of more than 500 bytes");
    return false;
  }
  memcpy(room->bytes, given, n + 1);
  tag->space = tag->prefix = "";
  tag->name = room->bytes;
  char *first = strchr(room->bytes, parting);
  if (!first) return true;
  *first = 0;
  tag->space = room->bytes;
  tag->name = first + 1;
  char *second = strchr(first + 1, parting);
  if (second) {
    *second = 0;
    tag->prefix = second + 1;
  }
  return true;
}

static void place(const scan *s, ink_xml_tag *tag) {
  XML_Index at = XML_GetCurrentByteIndex(s->parser);
  int count = XML_GetCurrentByteCount(s->parser);
  tag->start = at > 0 ? (size_t)at : 0;
  tag->end = tag->start + (count > 0 ? (size_t)count : 0);
}

static void on_open(void *context, const char *given, const char **attributes) {
  scan *s = context;
  ink_xml_tag tag = {.attributes = attributes, .depth = s->depth++};
  name_room room;
  if (s->depth > INK_XML_MOST_DEPTH) {
    stop(s, INK_ERR_FORMAT, "elements nested too deep");
    return;
  }
  if (!part_name(s, given, &room, &tag)) return;
  place(s, &tag);
  if (s->listener->open) s->listener->open(s->listener->context, &tag);
}

static void on_close(void *context, const char *given) {
  scan *s = context;
  ink_xml_tag tag = {.depth = --s->depth};
  name_room room;
  if (!part_name(s, given, &room, &tag)) return;
  place(s, &tag);
  if (s->listener->close) s->listener->close(s->listener->context, &tag);
}

static void on_text(void *context, const char *text, int size) {
  const scan *s = context;
  if (s->listener->text) s->listener->text(s->listener->context, text, (size_t)size);
}

static void on_doctype(void *context, const char *name, const char *system, const char *public,
                       int declares) {
  (void)name;
  (void)system;
  (void)public;
  scan *s = context;
  if (declares || !(s->options & INK_XML_DOCTYPE)) {
    stop(s, INK_ERR_UNSUPPORTED, "a document type or entities of its own");
  }
}

static void on_declaration(void *context, const char *version, const char *encoding,
                           int standalone) {
  (void)version;
  (void)standalone;
  scan *s = context;
  bool known = !encoding || strcasecmp(encoding, "UTF-8") == 0 ||
               strcasecmp(encoding, "US-ASCII") == 0 || (s->options & INK_XML_READ);
  if (!known) stop(s, INK_ERR_UNSUPPORTED, "an encoding other than UTF-8");
}

static bool feed(scan *s) {
  for (size_t at = 0; at < s->size || at == 0;) {
    size_t n = s->size - at < PART ? s->size - at : PART;
    bool last = at + n == s->size;
    if (XML_Parse(s->parser, s->bytes + at, (int)n, last) != XML_STATUS_OK) return false;
    if (last) break;
    at += n;
  }
  return true;
}

ink_status ink_xml_scan(const char *what, const char *bytes, size_t size, unsigned options,
                        const ink_xml_listener *listener, ink_error *error) {
  if (size > MOST_SIZE) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: more than 64 MiB of XML", what);
  }
  scan s = {.bytes = bytes ? bytes : "", .size = size, .options = options, .listener = listener};
  s.parser = XML_ParserCreateNS(options & INK_XML_READ ? NULL : "UTF-8", parting);
  if (!s.parser) return ink_fail(error, INK_ERR_MEMORY, "no memory to read XML");
  XML_SetReturnNSTriplet(s.parser, 1);
  XML_SetUserData(s.parser, &s);
  XML_SetElementHandler(s.parser, on_open, on_close);
  XML_SetCharacterDataHandler(s.parser, on_text);
  XML_SetStartDoctypeDeclHandler(s.parser, on_doctype);
  XML_SetXmlDeclHandler(s.parser, on_declaration);
  ink_status status = INK_OK;
  if (!feed(&s)) {
    enum XML_Error code = XML_GetErrorCode(s.parser);
    int64_t at = (int64_t)XML_GetCurrentByteIndex(s.parser);
    if (s.fault) {
      status = ink_fail(error, s.status, "%s: %s", what, ink_error_say(error, s.fault));
    } else if (code == XML_ERROR_NO_MEMORY) {
      status = ink_fail(error, INK_ERR_MEMORY, "no memory to read XML");
    } else {
      status = ink_fail_at(error, INK_ERR_FORMAT, at, "%s is not well-formed XML (%s)", what,
                           XML_ErrorString(code));
    }
  }
  XML_ParserFree(s.parser);
  return status;
}

bool ink_xml_is(const ink_xml_tag *tag, const char *space, const char *name) {
  return strcmp(tag->name, name) == 0 && strcmp(tag->space, space) == 0;
}

const char *ink_xml_attribute(const ink_xml_tag *tag, const char *space, const char *name) {
  size_t n_space = strlen(space), n_name = strlen(name);
  for (const char *const *a = tag->attributes; a && a[0]; a += 2) {
    const char *at = a[0];
    if (n_space) {
      if (strncmp(at, space, n_space) != 0 || at[n_space] != parting) continue;
      at += n_space + 1;
    }
    if (strncmp(at, name, n_name) != 0) continue;
    // Without a namespace nothing follows, with one there may be a prefix.
    if (at[n_name] == 0 || (n_space && at[n_name] == parting)) return a[1];
  }
  return NULL;
}

ink_xml_spot ink_xml_inside(const char *bytes, const ink_xml_tag *open) {
  bool empty = open->end - open->start >= 2 && bytes[open->end - 2] == '/';
  return (ink_xml_spot){
      .found = true, .at = open->end, .empty = empty ? open->end - open->start : 0};
}

ink_xml_spot ink_xml_at(size_t at) {
  return (ink_xml_spot){.found = true, .at = at};
}

ink_status ink_xml_put(ink_text *xml, const ink_xml_spot *spot, const char *piece,
                       ink_error *error) {
  ink_text out = {0};
  if (spot->empty) {
    const char *tag = xml->bytes + spot->at - spot->empty;
    ink_text_add_bytes(&out, xml->bytes, spot->at - 2);
    ink_text_add(&out, ">");
    ink_text_add(&out, piece);
    ink_text_add(&out, "</");
    ink_text_add_bytes(&out, tag + 1, strcspn(tag + 1, " \t\r\n/"));
    ink_text_add(&out, ">");
  } else {
    ink_text_add_bytes(&out, xml->bytes, spot->at);
    ink_text_add(&out, piece);
  }
  ink_text_add_bytes(&out, xml->bytes + spot->at, xml->size - spot->at);
  ink_status status = ink_text_status(&out, error);
  ink_text_free(xml);
  *xml = out;
  return status;
}

void ink_xml_add_text(ink_text *out, const char *text) {
  for (; *text; text++) {
    const char *reference = *text == '&'    ? "&amp;"
                            : *text == '<'  ? "&lt;"
                            : *text == '>'  ? "&gt;"
                            : *text == '"'  ? "&quot;"
                            : *text == '\'' ? "&apos;"
                                            : NULL;
    ink_text_add_bytes(out, reference ? reference : text, reference ? strlen(reference) : 1);
  }
}
