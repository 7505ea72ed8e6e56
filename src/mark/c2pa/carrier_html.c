// HTML: the store is base64 text in <script type="application/c2pa"> in the head, an element that
// is left out of the hash whole (C2PA specification 2.4, appendix A.7).
#include "mark/c2pa/carrier_html.h"

#include <string.h>
#include <strings.h>

#include "mark/c2pa/carrier.h"

static const char opening[] = "<script type=\"application/c2pa\">";
static const char closing[] = "</script>";

static bool is_space(unsigned char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

// "<name" or "</name" in any case, followed by what ends a name.
static bool is_tag(const unsigned char *bytes, size_t size, size_t at, const char *tag) {
  size_t n = strlen(tag);
  if (size - at <= n || strncasecmp((const char *)bytes + at, tag, n) != 0) return false;
  unsigned char next = bytes[at + n];
  return is_space(next) || next == '>' || next == '/';
}

// Behind the '>' of the tag at `at`; size when it has none.
static size_t tag_end(const unsigned char *bytes, size_t size, size_t at) {
  unsigned char quote = 0;
  for (; at < size; at++) {
    if (quote) {
      if (bytes[at] == quote) quote = 0;
    } else if (bytes[at] == '"' || bytes[at] == '\'') {
      quote = bytes[at];
    } else if (bytes[at] == '>') {
      return at + 1;
    }
  }
  return size;
}

// The next "</name" from `at`, in any case; size when there is none.
static size_t find_close(const unsigned char *bytes, size_t size, size_t at, const char *close) {
  for (; at < size; at++) {
    const unsigned char *found = memchr(bytes + at, '<', size - at);
    if (!found) return size;
    at = (size_t)(found - bytes);
    if (is_tag(bytes, size, at, close)) return at;
  }
  return size;
}

static bool contains(const unsigned char *bytes, size_t begin, size_t end, const char *what) {
  size_t n = strlen(what);
  for (size_t i = begin; end - i >= n; i++) {
    if (strncasecmp((const char *)bytes + i, what, n) == 0) return true;
  }
  return false;
}

// One tag of the head. Comments are passed over, and what elements hold as plain text.
typedef struct tag {
  size_t start, end;     // end: behind '>'
  size_t close, behind;  // script: where its closing tag begins, and behind that
  bool script, link, head_ends;
} tag;

// The next tag from *at, which moves behind it. The head ends with </head> or with the body.
static bool next_tag(const unsigned char *bytes, size_t size, size_t *at, tag *out) {
  static const char *const plain[][2] = {{"<style", "</style"},
                                         {"<title", "</title"},
                                         {"<noscript", "</noscript"},
                                         {"<template", "</template"}};
  for (;;) {
    const unsigned char *found = *at < size ? memchr(bytes + *at, '<', size - *at) : NULL;
    if (!found) return false;
    size_t i = (size_t)(found - bytes);
    if (size - i >= 4 && memcmp(found, "<!--", 4) == 0) {
      size_t end = ink_find_bytes(bytes, size, i + 4, "-->");
      *at = end == size ? size : end + 3;
      continue;
    }
    *out = (tag){.start = i, .end = tag_end(bytes, size, i)};
    out->head_ends = is_tag(bytes, size, i, "</head");
    if (is_tag(bytes, size, i, "<body")) return false;
    out->link = is_tag(bytes, size, i, "<link");
    out->script = is_tag(bytes, size, i, "<script");
    *at = out->end;
    if (out->script) {
      out->close = find_close(bytes, size, out->end, "</script");
      *at = out->behind = out->close == size ? size : tag_end(bytes, size, out->close);
    }
    for (size_t j = 0; j < sizeof plain / sizeof *plain; j++) {
      if (is_tag(bytes, size, i, plain[j][0])) *at = find_close(bytes, size, out->end, plain[j][1]);
    }
    return true;
  }
}

static ink_status read_script(const unsigned char *bytes, const tag *t, ink_place *place) {
  if (place->present) {
    return ink_place_fault(place, "manifest.html.multipleManifests",
                           "the page has several manifests");
  }
  place->present = true;
  place->start = t->start;
  place->length = t->behind - t->start;
  // One way of writing the element: what no hash covers must not vary unseen.
  size_t opens = t->end - t->start, closes = t->behind - t->close;
  if (opens != sizeof opening - 1 || memcmp(bytes + t->start, opening, opens) != 0 ||
      closes != sizeof closing - 1 || memcmp(bytes + t->close, closing, closes) != 0) {
    return ink_place_fault(place, "general.error",
                           "the script element is not written as the specification writes it");
  }
  if (!ink_base64_read((const char *)bytes + t->end, t->close - t->end, &place->store)) {
    return ink_place_fault(place, "general.error", "the script element does not hold base64");
  }
  return INK_OK;
}

static ink_status find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       ink_place *place, ink_error *error) {
  (void)carrier;
  tag t;
  for (size_t at = 0; next_tag(bytes, size, &at, &t) && !t.head_ends;) {
    if (t.script && contains(bytes, t.start, t.end, "application/c2pa")) {
      INK_TRY(read_script(bytes, &t, place));
      if (place->code) return INK_OK;
    } else if (t.link && contains(bytes, t.start, t.end, "c2pa-manifest")) {
      return ink_place_fault(
          place, place->present ? "manifest.html.multipleManifests" : "manifest.inaccessible",
          "the page refers to a manifest elsewhere, which is not fetched");
    }
  }
  return ink_text_status(&place->store, error);
}

bool ink_html_find_places(const unsigned char *bytes, size_t size, ink_html_places *places) {
  tag t = {0};
  for (size_t at = 0; !t.head_ends;) {
    if (!next_tag(bytes, size, &at, &t)) return false;
  }
  places->head_end = t.start;
  size_t body = t.end;
  while (body < size && is_space(bytes[body])) body++;
  bool tagged = body < size && is_tag(bytes, size, body, "<body");
  places->body_begin = tagged ? tag_end(bytes, size, body) : t.end;
  places->body_end = size;
  for (size_t at = places->body_begin; at < size; at++) {
    at = find_close(bytes, size, at, "</body");
    if (at < size) places->body_end = at;
  }
  return true;
}

// Before </head>, so that the page's character set is still declared within its first bytes.
static ink_status embed(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                        size_t *length, ink_error *error) {
  (void)carrier;
  tag t = {0};
  for (size_t at = 0; !t.head_ends;) {
    if (!next_tag(bytes, size, &at, &t)) {
      return ink_fail(error, INK_ERR_FORMAT,
                      "HTML: no </head>, before which a manifest could stand; write one");
    }
  }
  ink_text_add_bytes(out, bytes, t.start);
  *start = t.start;
  size_t before = out->size;
  ink_text_add(out, opening);
  ink_base64_add(out, store, store_size);
  ink_text_add(out, closing);
  *length = out->size - before;
  ink_text_add_bytes(out, bytes + t.start, size - t.start);
  return ink_text_status(out, error);
}

static bool recognise(const unsigned char *bytes, size_t size) {
  size_t at = size >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  while (at < size && is_space(bytes[at])) at++;
  return at < size && (is_tag(bytes, size, at, "<!doctype") || is_tag(bytes, size, at, "<html"));
}

const ink_carrier ink_carrier_html = {.name = "html",
                                      .media_type = "text/html",
                                      .endings = {"html", "htm"},
                                      .recognise = recognise,
                                      .find = find,
                                      .embed = embed};
