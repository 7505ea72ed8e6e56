// Look-up of messages. The pairs themselves stand in catalogue.inc, sorted by the English text.
#include "lang/catalogue.h"

#include <stdlib.h>
#include <string.h>

static const ink_message messages[] = {
#include "lang/catalogue.inc"
};

ink_language ink_language_current(void) {
  static const char *const variables[] = {"INKSTONE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"};
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
    const char *value = getenv(variables[i]);
    if (value && value[0]) return strncmp(value, "zh", 2) == 0 ? INK_LANGUAGE_ZH : INK_LANGUAGE_EN;
  }
  return INK_LANGUAGE_EN;
}

static int by_english(const void *key, const void *message) {
  return strcmp(key, ((const ink_message *)message)->english);
}

const char *ink_translate(const char *english, ink_language language) {
  if (!english || language == INK_LANGUAGE_EN) return english;
  const ink_message *found =
      bsearch(english, messages, sizeof messages / sizeof *messages, sizeof *messages, by_english);
  return found ? found->chinese : english;
}

const char *ink_tr(const char *english) {
  return ink_translate(english, ink_language_current());
}

const ink_message *ink_catalogue(size_t *n) {
  *n = sizeof messages / sizeof *messages;
  return messages;
}
