// HTML: the store is base64 text in <script type="application/c2pa"> in the head, an element that
// is left out of the hash whole (C2PA specification 2.4, appendix A.7).
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

static ink_status read_script(const unsigned char *bytes, size_t size, size_t at, size_t end,
                              size_t *next, ink_place *place) {
  size_t close = find_close(bytes, size, end, "</script");
  size_t behind = close == size ? size : tag_end(bytes, size, close);
  *next = behind;
  if (place->present) {
    return ink_place_fault(place, "manifest.html.multipleManifests",
                           "the page has several manifests");
  }
  place->present = true;
  place->start = at;
  place->length = behind - at;
  // One way of writing the element: what no hash covers must not vary unseen.
  if (end - at != sizeof opening - 1 || memcmp(bytes + at, opening, end - at) != 0 ||
      behind - close != sizeof closing - 1 || memcmp(bytes + close, closing, behind - close) != 0) {
    return ink_place_fault(place, "general.error",
                           "the script element is not written as the specification writes it");
  }
  if (!ink_base64_read((const char *)bytes + end, close - end, &place->store)) {
    return ink_place_fault(place, "general.error", "the script element does not hold base64");
  }
  return INK_OK;
}

static ink_status find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       ink_place *place, ink_error *error) {
  static const char *const raw[][2] = {{"<style", "</style"},
                                       {"<title", "</title"},
                                       {"<noscript", "</noscript"},
                                       {"<template", "</template"}};
  (void)carrier;
  for (size_t at = 0; at < size;) {
    const unsigned char *found = memchr(bytes + at, '<', size - at);
    if (!found) break;
    at = (size_t)(found - bytes);
    if (size - at >= 4 && memcmp(found, "<!--", 4) == 0) {
      size_t end = ink_find_bytes(bytes, size, at + 4, "-->");
      at = end == size ? size : end + 3;
      continue;
    }
    if (is_tag(bytes, size, at, "</head") || is_tag(bytes, size, at, "<body")) break;
    size_t end = tag_end(bytes, size, at), next = end;
    if (is_tag(bytes, size, at, "<script")) {
      if (contains(bytes, at, end, "application/c2pa")) {
        INK_TRY(read_script(bytes, size, at, end, &next, place));
        if (place->code) return INK_OK;
      } else {
        next = find_close(bytes, size, end, "</script");
      }
    } else if (is_tag(bytes, size, at, "<link") && contains(bytes, at, end, "c2pa-manifest")) {
      return ink_place_fault(
          place, place->present ? "manifest.html.multipleManifests" : "manifest.inaccessible",
          "the page refers to a manifest elsewhere, which is not fetched");
    }
    for (size_t i = 0; i < sizeof raw / sizeof *raw; i++) {
      if (is_tag(bytes, size, at, raw[i][0])) next = find_close(bytes, size, end, raw[i][1]);
    }
    at = next;
  }
  return ink_text_status(&place->store, error);
}

// Before </head>, so that the page's character set is still declared within its first bytes.
static ink_status embed(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                        size_t *length, ink_error *error) {
  (void)carrier;
  size_t at = 0;
  for (; at < size; at++) {
    const unsigned char *found = memchr(bytes + at, '<', size - at);
    if (!found) break;
    at = (size_t)(found - bytes);
    if (size - at >= 4 && memcmp(found, "<!--", 4) == 0) {
      at = ink_find_bytes(bytes, size, at + 4, "-->");
    } else if (is_tag(bytes, size, at, "<script") || is_tag(bytes, size, at, "<style") ||
               is_tag(bytes, size, at, "<title")) {
      const char *close = is_tag(bytes, size, at, "<script")  ? "</script"
                          : is_tag(bytes, size, at, "<style") ? "</style"
                                                              : "</title";
      at = find_close(bytes, size, at, close);
    } else if (is_tag(bytes, size, at, "</head")) {
      break;
    }
  }
  if (at >= size || !is_tag(bytes, size, at, "</head")) {
    return ink_fail(error, INK_ERR_FORMAT,
                    "HTML: no </head>, before which a manifest could stand; write one");
  }
  ink_text_add_bytes(out, bytes, at);
  *start = at;
  size_t before = out->size;
  ink_text_add(out, opening);
  ink_base64_add(out, store, store_size);
  ink_text_add(out, closing);
  *length = out->size - before;
  ink_text_add_bytes(out, bytes + at, size - at);
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
