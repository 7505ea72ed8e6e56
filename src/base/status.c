// Status codes and error reports.
#define INK_STATUS_ITSELF
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *ink_error_say(const ink_error *error, const char *english) {
  return error && error->translate ? error->translate(english) : english;
}

// A text that was cut at the end of its room loses a broken character and shows that it goes on.
static void show_cut(char *text, size_t room) {
  static const char more[] = "…";
  size_t end = room - sizeof more;
  while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80) end--;
  memcpy(text + end, more, sizeof more);
}

static void fill(ink_error *error, ink_status status, int64_t offset, const char *format,
                 va_list args) {
  if (!error) return;
  char text[INK_ERROR_TEXT];  // the arguments may point into error->text
  char where[64] = "";
  if (offset >= 0) {
    snprintf(where, sizeof where, ink_error_say(error, " (at byte %lld)"), (long long)offset);
  }
  size_t room = sizeof text - strlen(where);
  int length = vsnprintf(text, room, ink_error_say(error, format), args);
  if (length >= (int)room) show_cut(text, room);
  memcpy(text + strlen(text), where, strlen(where) + 1);
  error->status = status;
  error->offset = offset;
  memcpy(error->text, text, sizeof text);
}

ink_status ink_fail(ink_error *error, ink_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  fill(error, status, -1, format, args);
  va_end(args);
  return status;
}

ink_status ink_fail_at(ink_error *error, ink_status status, int64_t offset, const char *format,
                       ...) {
  va_list args;
  va_start(args, format);
  fill(error, status, offset, format, args);
  va_end(args);
  return status;
}

ink_status ink_context(ink_error *error, ink_status status, const char *format, ...) {
  if (!error || status == INK_OK) return status;
  char context[INK_ERROR_TEXT];
  va_list args;
  va_start(args, format);
  vsnprintf(context, sizeof context, ink_error_say(error, format), args);
  va_end(args);
  size_t n = strlen(context);
  if (strncmp(error->text, context, n) == 0 && strncmp(error->text + n, ": ", 2) == 0)
    return status;
  char text[2 * INK_ERROR_TEXT + 2];
  int length = snprintf(text, sizeof text, "%s: %s", context, error->text);
  if (length >= INK_ERROR_TEXT) show_cut(text, INK_ERROR_TEXT);
  memcpy(error->text, text, strlen(text) + 1);
  return status;
}

const char *ink_status_name(ink_status status) {
  static const char *const names[] = {"ok",      "usage",       "io",        "format",
                                      "memory",  "unsupported", "not_found", "conflict",
                                      "network", "cancelled",   "blocked",   "internal"};
  size_t index = (size_t)status;
  return index < sizeof names / sizeof *names ? names[index] : "unknown";
}
