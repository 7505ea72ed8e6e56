// Reading JSON in one pass (RFC 8259).
#include "tokenizer/scan.h"

#include <string.h>

enum { DEPTH = 2048 };  // of values inside each other, as base/json.h allows

void ink_scan_end(ink_scan *scan) {
  ink_text_free(&scan->text);
}

ink_status ink_scan_fail(const ink_scan *scan, const char *what) {
  return ink_fail_at(scan->error, INK_ERR_FORMAT, (int64_t)scan->at, "%s: not valid JSON: %s",
                     scan->name, what);
}

char ink_scan_peek(ink_scan *scan) {
  while (scan->at < scan->size) {
    char c = scan->bytes[scan->at];
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return c;
    scan->at++;
  }
  return 0;
}

static int hex4(const char *digits) {
  int value = 0;
  for (int i = 0; i < 4; i++) {
    char c = digits[i];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

// \uXXXX, two of them for a character beyond U+FFFF; scan->at stands behind the u.
static ink_status read_rune(ink_scan *scan) {
  const char *at = scan->bytes + scan->at;
  size_t left = scan->size - scan->at;
  int32_t rune = left >= 4 ? hex4(at) : -1;
  if (rune < 0) return ink_scan_fail(scan, "\\u without four hexadecimal digits");
  scan->at += 4;
  if (rune >= 0xD800 && rune <= 0xDFFF) {
    int low = left >= 10 && at[4] == '\\' && at[5] == 'u' ? hex4(at + 6) : -1;
    if (rune > 0xDBFF || low < 0xDC00 || low > 0xDFFF) {
      return ink_scan_fail(scan, "half of a surrogate pair");
    }
    rune = 0x10000 + ((rune - 0xD800) << 10) + (low - 0xDC00);
    scan->at += 6;
  }
  if (rune == 0) return ink_scan_fail(scan, "a NUL inside a string is not supported");
  ink_text_add_rune(&scan->text, (uint32_t)rune);
  return INK_OK;
}

static ink_status read_escape(ink_scan *scan) {
  static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  char c = scan->at < scan->size ? scan->bytes[scan->at] : 0;
  if (c == 'u') {
    scan->at++;
    return read_rune(scan);
  }
  const char *name = c ? strchr(names, c) : NULL;
  if (!name) return ink_scan_fail(scan, "an unknown escape");
  ink_text_add_bytes(&scan->text, &values[name - names], 1);
  scan->at++;
  return INK_OK;
}

ink_status ink_scan_read_string(ink_scan *scan, ink_scan_string *out) {
  if (ink_scan_peek(scan) != '"') return ink_scan_fail(scan, "a string is missing");
  size_t opened = scan->at++;
  ink_text_clear(&scan->text);
  bool copied = false;
  for (;;) {
    size_t start = scan->at;
    unsigned char seen = 0, c = 0;
    while (scan->at < scan->size) {
      c = (unsigned char)scan->bytes[scan->at];
      if (c == '"' || c == '\\' || c < 0x20) break;
      seen |= c;
      scan->at++;
    }
    if (scan->at == scan->size) {
      scan->at = opened;
      return ink_scan_fail(scan, "a string without an end");
    }
    size_t bad;
    if (seen >= 0x80 && !ink_utf8_valid(scan->bytes + start, scan->at - start, &bad)) {
      scan->at = start + bad;
      return ink_scan_fail(scan, "a string that is not well-formed UTF-8");
    }
    if (c == '"' && !copied) {
      *out = (ink_scan_string){scan->bytes + start, scan->at - start};
      scan->at++;
      return INK_OK;
    }
    ink_text_add_bytes(&scan->text, scan->bytes + start, scan->at - start);
    copied = true;
    if (c < 0x20) return ink_scan_fail(scan, "a control character inside a string");
    scan->at++;
    if (c == '"') break;
    INK_TRY(read_escape(scan));
  }
  INK_TRY(ink_text_status(&scan->text, scan->error));
  *out = (ink_scan_string){ink_text_string(&scan->text), scan->text.size};
  return INK_OK;
}

ink_status ink_scan_read_integer(ink_scan *scan, int64_t *out) {
  char c = ink_scan_peek(scan);
  if (c < '0' || c > '9') return ink_scan_fail(scan, "a whole number from 0 on is missing");
  size_t start = scan->at;
  int64_t value = 0;
  while (scan->at < scan->size) {
    c = scan->bytes[scan->at];
    if (c < '0' || c > '9') break;
    if (value > (INT64_MAX - 9) / 10) return ink_scan_fail(scan, "a number that is too large");
    value = value * 10 + (c - '0');
    scan->at++;
  }
  if (scan->at - start > 1 && scan->bytes[start] == '0') {
    return ink_scan_fail(scan, "a number with a leading zero");
  }
  if (scan->at < scan->size && (c == '.' || c == 'e' || c == 'E')) {
    return ink_scan_fail(scan, "a whole number is wanted");
  }
  *out = value;
  return INK_OK;
}

ink_status ink_scan_enter(ink_scan *scan, char bracket) {
  if (ink_scan_peek(scan) != bracket) {
    return ink_scan_fail(scan, bracket == '{' ? "an object is missing" : "an array is missing");
  }
  scan->at++;
  return INK_OK;
}

// The end of a container, or the comma before what follows.
static ink_status next(ink_scan *scan, char bracket, size_t *count, bool *more) {
  char c = ink_scan_peek(scan);
  *more = c != bracket;
  if (!*more) {
    scan->at++;
    return INK_OK;
  }
  if (*count) {
    if (c != ',') return ink_scan_fail(scan, "a comma is missing");
    scan->at++;
  }
  ++*count;
  return INK_OK;
}

ink_status ink_scan_next_member(ink_scan *scan, size_t *count, bool *more, ink_scan_string *key) {
  INK_TRY(next(scan, '}', count, more));
  if (!*more) return INK_OK;
  INK_TRY(ink_scan_read_string(scan, key));
  if (ink_scan_peek(scan) != ':') return ink_scan_fail(scan, "a colon is missing");
  scan->at++;
  return INK_OK;
}

ink_status ink_scan_next_item(ink_scan *scan, size_t *count, bool *more) {
  return next(scan, ']', count, more);
}

static ink_status skip_string(ink_scan *scan) {
  size_t opened = scan->at++;
  while (scan->at < scan->size) {
    char c = scan->bytes[scan->at++];
    if (c == '"') return INK_OK;
    if (c == '\\') scan->at++;
  }
  scan->at = opened;
  return ink_scan_fail(scan, "a string without an end");
}

ink_status ink_scan_skip(ink_scan *scan) {
  char open[DEPTH];
  size_t depth = 0;
  do {
    char c = ink_scan_peek(scan);
    if (c == 0) return ink_scan_fail(scan, "it ends too early");
    if (c == '"') {
      INK_TRY(skip_string(scan));
    } else if (c == '{' || c == '[') {
      if (depth == DEPTH) return ink_scan_fail(scan, "too many values inside each other");
      open[depth++] = c;
      scan->at++;
    } else if (c == '}' || c == ']') {
      if (depth == 0 || open[depth - 1] != (c == '}' ? '{' : '[')) {
        return ink_scan_fail(scan, "brackets that do not match");
      }
      depth--;
      scan->at++;
    } else if (c == ',' || c == ':') {
      if (depth == 0) return ink_scan_fail(scan, "a value is missing");
      scan->at++;
    } else {
      size_t start = scan->at;
      while (scan->at < scan->size && !strchr(",:]}[{\" \n\r\t", scan->bytes[scan->at])) scan->at++;
      if (scan->at == start) return ink_scan_fail(scan, "a value is missing");
    }
  } while (depth > 0);
  return INK_OK;
}

ink_status ink_scan_read_value(ink_scan *scan, json_t **out) {
  *out = NULL;
  ink_scan_peek(scan);
  size_t start = scan->at;
  INK_TRY(ink_scan_skip(scan));
  json_error_t fault;
  *out = json_loadb(scan->bytes + start, scan->at - start, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                    &fault);
  if (*out) return INK_OK;
  scan->at = start + (fault.position > 0 ? (size_t)fault.position : 0);
  return ink_scan_fail(scan, fault.text);
}

ink_status ink_scan_finish(ink_scan *scan) {
  if (ink_scan_peek(scan) || scan->at < scan->size) {
    return ink_scan_fail(scan, "something follows its end");
  }
  return INK_OK;
}
