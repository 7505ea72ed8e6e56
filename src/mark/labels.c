// Finding metadata labels again.
#include "mark/labels.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "base/yaml.h"

enum { MOST_LABEL = 1 << 14, MOST_FRONT = 1 << 20 };

// An attribute's value up to its quotation mark, with the references that our writer uses resolved.
static bool read_attribute(const char *at, const char *end, ink_text *out) {
  static const struct {
    const char *reference, *text;
  } known[] = {{"&quot;", "\""}, {"&#39;", "'"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&amp;", "&"}};
  const char *begin = at;
  while (at < end && *at != '"' && at - begin < MOST_LABEL) {
    size_t length = 1;
    const char *text = NULL;
    for (size_t i = 0; *at == '&' && i < sizeof known / sizeof *known; i++) {
      size_t n = strlen(known[i].reference);
      if ((size_t)(end - at) < n || memcmp(at, known[i].reference, n) != 0) continue;
      text = known[i].text;
      length = n;
    }
    ink_text_add_bytes(out, text ? text : at, 1);
    at += length;
  }
  return at < end && *at == '"' && out->bytes && !out->failed;
}

static json_t *in_page(const char *bytes, size_t size) {
  static const char meta[] = "<meta name=\"AIGC\" content=\"";
  const char *at = memmem(bytes, size, meta, sizeof meta - 1);
  json_t *label = NULL;
  ink_text text = {0};
  if (at && read_attribute(at + sizeof meta - 1, bytes + size, &text)) {
    ink_json_parse(text.bytes, text.size, "AIGC", &label, NULL);
  }
  ink_text_free(&text);
  return label;
}

static json_t *in_front_matter(const char *bytes, size_t size) {
  if (size < 8 || memcmp(bytes, "---\n", 4) != 0) return NULL;
  const char *begin = bytes + 4;
  const char *end = memmem(begin, size - 4, "\n---", 4);
  json_t *front = NULL, *label = NULL;
  if (end && end - begin < MOST_FRONT &&
      ink_yaml_parse(begin, (size_t)(end + 1 - begin), "front matter", &front, NULL) == INK_OK) {
    label = json_incref(json_object_get(front, "AIGC"));
  }
  json_decref(front);
  return label;
}

json_t *ink_labels_aigc(const char *bytes, size_t size) {
  json_t *label = in_front_matter(bytes, size);
  if (!label) label = in_page(bytes, size);
  if (json_is_object(label)) return label;
  json_decref(label);
  return NULL;
}
