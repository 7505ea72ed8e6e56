// Front matter, as Jekyll began it.
#include "mark/label/front_matter.h"

#include <string.h>

bool ink_front_matter_find(const char *bytes, size_t size, ink_front_matter *front) {
  size_t at = size >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0, line_size;
  for (size_t line = 0; at < size; line++, at += line_size) {
    const char *end = memchr(bytes + at, '\n', size - at);
    line_size = end ? (size_t)(end - bytes) + 1 - at : size - at;
    size_t length = line_size;
    while (length && memchr("\r\n \t", bytes[at + length - 1], 4)) length--;
    bool rule = length == 3 && memcmp(bytes + at, "---", 3) == 0;
    if (line == 0 && !rule) return false;
    if (line == 0) front->yaml = at + line_size;
    if (line > 0 && rule) {
      front->yaml_end = at;
      front->body = at + line_size;
      return true;
    }
  }
  return false;
}
