// Reading the front matter of a model card.
#include "weights/card.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "weights/check.h"
#include "weights/files.h"

enum { MOST_CARD = 1 << 20, MOST_LICENSE = 80 };

// A copy when it is fit to be shown, else NULL.
static char *shown(const char *bytes, size_t size) {
  size_t bad;
  if (size > MOST_LICENSE || !ink_name_valid(bytes, size, &bad)) return NULL;
  return strndup(bytes, size);
}

// What stands between the first line, "---", and the next one like it.
static bool find_front_matter(const char *text, const char **start, size_t *size) {
  if (strncmp(text, "---\n", 4) != 0 && strncmp(text, "---\r\n", 5) != 0) return false;
  *start = strchr(text, '\n') + 1;
  const char *end = strncmp(*start, "---", 3) == 0 ? *start : strstr(*start, "\n---");
  if (!end) return false;
  *size = (size_t)(end - *start) + 1;
  return true;
}

static char *from_card(const char *text) {
  const char *start;
  size_t size;
  json_t *value;
  if (!find_front_matter(text, &start, &size)) return NULL;
  if (ink_yaml_parse(start, size, "README.md", &value, NULL) != INK_OK) return NULL;
  const json_t *license = json_object_get(value, "license");
  if (json_is_array(license)) license = json_array_get(license, 0);
  const char *name = json_string_value(license);
  const char *other = json_string_value(json_object_get(value, "license_name"));
  if (name && strcmp(name, "other") == 0 && other) name = other;
  char *found = name ? shown(name, strlen(name)) : NULL;
  json_decref(value);
  return found;
}

char *ink_model_license(const char *path) {
  char *folder = ink_file_is_folder(path) ? strdup(path) : ink_path_folder(path);
  char *card = folder ? ink_path_join(folder, "README.md") : NULL;
  char *text = NULL, *license = NULL;
  size_t size;
  if (card && ink_file_exists(card) &&
      ink_file_read(card, MOST_CARD, &text, &size, NULL) == INK_OK) {
    license = from_card(text);
  }
  free(text);
  free(card);
  free(folder);
  return license;
}

char *ink_weights_license(const ink_weights *weights) {
  const ink_gguf *gguf = ink_weights_gguf(weights);
  char *license = ink_model_license(ink_weights_path(weights));
  ink_gguf_string stated = {0};
  if (!license && gguf &&
      ink_gguf_get_string(gguf, "general.license", true, &stated, NULL) == INK_OK) {
    license = shown(stated.bytes, stated.size);
  }
  return license;
}
