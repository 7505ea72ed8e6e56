// SVG: the store is base64 text in <metadata><c2pa:manifest> below the root; that text alone is
// left out of the hash (C2PA specification 2.4, appendix A.3.3).
#include <string.h>

#include "mark/c2pa/carrier.h"

static const char opening[] = "<metadata><c2pa:manifest xmlns:c2pa=\"http://c2pa.org/manifest\">";
static const char closing[] = "</c2pa:manifest></metadata>";
// Into metadata that are there only the element goes; the other quotes tell it from the above.
static const char opening_element[] = "<c2pa:manifest xmlns:c2pa='http://c2pa.org/manifest'>";
static const char closing_element[] = "</c2pa:manifest>";

// One tag of XML; comments, processing instructions, declarations and CDATA are passed over.
typedef struct tag {
  size_t start, end;  // end: behind '>'
  bool closes, empty;
  const char *name;
  size_t name_size;
} tag;

static bool begins(const unsigned char *bytes, size_t size, size_t at, const char *what) {
  size_t n = strlen(what);
  return size - at >= n && memcmp(bytes + at, what, n) == 0;
}

static size_t behind(const unsigned char *bytes, size_t size, size_t from, const char *what) {
  size_t at = ink_find_bytes(bytes, size, from, what);
  return at == size ? size : at + strlen(what);
}

// Behind a declaration, whose internal subset may hold '>' between brackets.
static size_t behind_declaration(const unsigned char *bytes, size_t size, size_t at) {
  bool subset = false;
  for (; at < size; at++) {
    if (bytes[at] == '[') subset = true;
    if (bytes[at] == ']') subset = false;
    if (bytes[at] == '>' && !subset) return at + 1;
  }
  return size;
}

static bool next_tag(const unsigned char *bytes, size_t size, size_t *at, tag *out) {
  for (;;) {
    const unsigned char *found = *at < size ? memchr(bytes + *at, '<', size - *at) : NULL;
    if (!found) return false;
    size_t i = (size_t)(found - bytes);
    if (begins(bytes, size, i, "<!--")) {
      *at = behind(bytes, size, i, "-->");
    } else if (begins(bytes, size, i, "<![CDATA[")) {
      *at = behind(bytes, size, i, "]]>");
    } else if (begins(bytes, size, i, "<?")) {
      *at = behind(bytes, size, i, "?>");
    } else if (begins(bytes, size, i, "<!")) {
      *at = behind_declaration(bytes, size, i);
    } else {
      size_t j = i + 1;
      *out = (tag){.start = i, .closes = j < size && bytes[j] == '/'};
      j += out->closes;
      out->name = (const char *)bytes + j;
      while (j < size && !memchr(" \t\r\n/>", bytes[j], 6)) j++;
      out->name_size = (size_t)((const char *)bytes + j - out->name);
      unsigned char quote = 0;
      for (; j < size && (quote || bytes[j] != '>'); j++) {
        if (quote ? bytes[j] == quote : bytes[j] == '"' || bytes[j] == '\'') {
          quote = quote ? 0 : bytes[j];
        }
      }
      if (j >= size) return false;
      out->empty = bytes[j - 1] == '/';
      out->end = *at = j + 1;
      return true;
    }
  }
}

static bool is(const tag *t, const char *name) {
  return t->name_size == strlen(name) && memcmp(t->name, name, t->name_size) == 0;
}

static bool recognise(const unsigned char *bytes, size_t size) {
  tag first;
  size_t at = 0, most = size < 1 << 16 ? size : 1 << 16;
  return next_tag(bytes, most, &at, &first) && !first.closes &&
         (is(&first, "svg") || is(&first, "svg:svg"));
}

static ink_status find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       ink_place *place, ink_error *error) {
  (void)carrier;
  tag t;
  size_t depth = 0;
  bool metadata = false;
  for (size_t at = 0; next_tag(bytes, size, &at, &t);) {
    if (depth == 1) metadata = is(&t, "metadata") && !t.closes && !t.empty;
    if (depth == 2 && metadata && is(&t, "c2pa:manifest") && !t.closes && !t.empty) {
      if (place->present) {
        return ink_place_fault(place, "general.error", "the SVG has several c2pa:manifest");
      }
      place->present = true;
      place->start = t.end;
      size_t end = t.end;
      while (end < size && bytes[end] != '<') end++;
      place->length = end - t.end;
      if (!ink_base64_read((const char *)bytes + t.end, place->length, &place->store)) {
        return ink_place_fault(place, "general.error", "c2pa:manifest is not base64");
      }
    }
    if (t.closes) {
      if (depth) depth--;
    } else if (!t.empty) {
      depth++;
    }
  }
  return ink_text_status(&place->store, error);
}

// Behind the tag that opens the last metadata of the root; 0: it has none. Other readers look into
// the last.
static size_t last_metadata(const unsigned char *bytes, size_t size) {
  tag t;
  size_t depth = 0, found = 0;
  for (size_t at = 0; next_tag(bytes, size, &at, &t);) {
    if (depth == 1 && is(&t, "metadata") && !t.closes && !t.empty) found = t.end;
    if (t.closes) {
      if (depth) depth--;
    } else if (!t.empty) {
      depth++;
    }
  }
  return found;
}

static ink_status embed(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                        size_t *length, ink_error *error) {
  (void)carrier;
  tag root;
  size_t at = 0;
  if (!next_tag(bytes, size, &at, &root) || !is(&root, "svg") || root.empty || root.closes) {
    return ink_fail(error, INK_ERR_FORMAT, "SVG: its root is not an element svg with content");
  }
  size_t metadata = last_metadata(bytes, size), place = metadata ? metadata : root.end;
  size_t begin = out->size;
  ink_text_add_bytes(out, bytes, place);
  ink_text_add(out, metadata ? opening_element : opening);
  *start = out->size - begin;
  ink_base64_add(out, store, store_size);
  *length = out->size - begin - *start;
  ink_text_add(out, metadata ? closing_element : closing);
  ink_text_add_bytes(out, bytes + place, size - place);
  return ink_text_status(out, error);
}

static ink_status take_out(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                           const ink_place *place, ink_text *out, ink_error *error) {
  (void)carrier;
  size_t before = sizeof opening - 1, end = place->start + place->length;
  size_t begin = place->start - before, after = end + sizeof closing - 1;
  if (place->start < before || !begins(bytes, size, begin, opening) ||
      !begins(bytes, size, end, closing)) {
    // In metadata that were there, or another writer's: only the element.
    tag t = {0};
    for (size_t at = 0; next_tag(bytes, size, &at, &t) && t.end < place->start;) continue;
    begin = t.start;
    after = end + sizeof closing_element - 1;
    if (t.end != place->start || !begins(bytes, size, end, closing_element)) {
      return ink_fail(error, INK_ERR_UNSUPPORTED,
                      "SVG: its manifest stands in an element of another writer");
    }
  }
  ink_text_add_bytes(out, bytes, begin);
  ink_text_add_bytes(out, bytes + after, size - after);
  return ink_text_status(out, error);
}

const ink_carrier ink_carrier_svg = {.name = "svg",
                                     .media_type = "image/svg+xml",
                                     .endings = {"svg"},
                                     .recognise = recognise,
                                     .find = find,
                                     .embed = embed,
                                     .remove = take_out};
