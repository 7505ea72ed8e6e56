// Status codes and error reports.
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(ink_error *error, ink_status status, int64_t offset, const char *format,
                 va_list args) {
  if (!error) return;
  char text[INK_ERROR_TEXT];  // the arguments may point into error->text
  vsnprintf(text, sizeof text, format, args);
  error->status = status;
  error->offset = offset;
  if (offset >= 0) {
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, " (at byte %lld)", (long long)offset);
  }
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
  vsnprintf(context, sizeof context, format, args);
  va_end(args);
  char text[2 * INK_ERROR_TEXT + 2];
  snprintf(text, sizeof text, "%s: %s", context, error->text);
  snprintf(error->text, sizeof error->text, "%.*s", INK_ERROR_TEXT - 1, text);
  return status;
}

const char *ink_status_name(ink_status status) {
  static const char *const names[] = {"ok",      "usage",       "io",        "format",
                                      "memory",  "unsupported", "not_found", "conflict",
                                      "network", "cancelled",   "blocked",   "internal"};
  size_t index = (size_t)status;
  return index < sizeof names / sizeof *names ? names[index] : "unknown";
}
