// SVG: the store is base64 text in <metadata><c2pa:manifest> below the root; that text alone is
// left out of the hash (C2PA specification 2.4, appendix A.3.3).
#include <string.h>

#include "mark/c2pa/carrier.h"

static const char opening[] = "<metadata><c2pa:manifest xmlns:c2pa=\"http://c2pa.org/manifest\">";
static const char closing[] = "</c2pa:manifest></metadata>";

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

static ink_status embed(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                        size_t *length, ink_error *error) {
  (void)carrier;
  tag root;
  size_t at = 0;
  if (!next_tag(bytes, size, &at, &root) || !is(&root, "svg") || root.empty || root.closes) {
    return ink_fail(error, INK_ERR_FORMAT, "SVG: its root is not an element svg with content");
  }
  ink_text_add_bytes(out, bytes, root.end);
  ink_text_add(out, opening);
  *start = root.end + sizeof opening - 1;
  size_t before = out->size;
  ink_base64_add(out, store, store_size);
  *length = out->size - before;
  ink_text_add(out, closing);
  ink_text_add_bytes(out, bytes + root.end, size - root.end);
  return ink_text_status(out, error);
}

static ink_status take_out(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                           const ink_place *place, ink_text *out, ink_error *error) {
  (void)carrier;
  size_t before = sizeof opening - 1, end = place->start + place->length;
  if (place->start < before || !begins(bytes, size, place->start - before, opening) ||
      !begins(bytes, size, end, closing)) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "SVG: its manifest stands in an element of another writer");
  }
  end += sizeof closing - 1;
  ink_text_add_bytes(out, bytes, place->start - before);
  ink_text_add_bytes(out, bytes + end, size - end);
  return ink_text_status(out, error);
}

const ink_carrier ink_carrier_svg = {.name = "svg",
                                     .media_type = "image/svg+xml",
                                     .endings = {"svg"},
                                     .recognise = recognise,
                                     .find = find,
                                     .embed = embed,
                                     .remove = take_out};
