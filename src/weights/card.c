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

static ink_status no_memory(ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "no memory for the licence of a model");
}

// A copy when it is fit to be shown, else NULL.
static ink_status shown(const char *bytes, size_t size, char **copy, ink_error *error) {
  size_t bad;
  if (size > MOST_LICENSE || !ink_name_valid(bytes, size, &bad)) return INK_OK;
  *copy = strndup(bytes, size);
  return *copy ? INK_OK : no_memory(error);
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

static ink_status from_card(const char *text, char **found, ink_error *error) {
  const char *start;
  size_t size;
  json_t *value;
  if (!find_front_matter(text, &start, &size)) return INK_OK;
  ink_status status = ink_yaml_parse(start, size, "README.md", &value, error);
  if (status != INK_OK) return status == INK_ERR_MEMORY ? status : INK_OK;
  const json_t *license = json_object_get(value, "license");
  if (json_is_array(license)) license = json_array_get(license, 0);
  const char *name = json_string_value(license);
  const char *other = json_string_value(json_object_get(value, "license_name"));
  if (name && strcmp(name, "other") == 0 && other) name = other;
  if (name) status = shown(name, strlen(name), found, error);
  json_decref(value);
  return status;
}

ink_status ink_model_license(const char *path, char **license, ink_error *error) {
  char *folder = ink_file_is_folder(path) ? strdup(path) : ink_path_folder(path);
  char *card = folder ? ink_path_join(folder, "README.md") : NULL;
  char *text = NULL;
  size_t size;
  *license = NULL;
  ink_status status = card ? INK_OK : no_memory(error);
  if (card && ink_file_exists(card)) status = ink_file_read(card, MOST_CARD, &text, &size, error);
  if (text) status = from_card(text, license, error);
  free(text);
  free(card);
  free(folder);
  return status == INK_ERR_MEMORY ? status : INK_OK;
}

ink_status ink_weights_license(const ink_weights *weights, char **license, ink_error *error) {
  const ink_gguf *gguf = ink_weights_gguf(weights);
  ink_gguf_string stated = {0};
  INK_TRY(ink_model_license(ink_weights_path(weights), license, error));
  if (!*license && gguf &&
      ink_gguf_get_string(gguf, "general.license", true, &stated, NULL) == INK_OK) {
    INK_TRY(shown(stated.bytes, stated.size, license, error));
  }
  return INK_OK;
}
