// JSON glue over jansson.
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

ink_status ink_json_parse(const char *bytes, size_t size, const char *name, json_t **value,
                          ink_error *error) {
  json_error_t fault;
  *value = json_loadb(bytes, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &fault);
  if (*value) return INK_OK;
  return ink_fail_at(error, INK_ERR_FORMAT, fault.position, "%s: not valid JSON: line %d: %s", name,
                     fault.line, fault.text);
}

ink_status ink_json_load(const char *path, size_t most, json_t **value, ink_error *error) {
  char *bytes;
  size_t size;
  *value = NULL;
  INK_TRY(ink_file_read(path, most, &bytes, &size, error));
  ink_status status = ink_json_parse(bytes, size, path, value, error);
  free(bytes);
  return status;
}

char *ink_json_text(const json_t *value) {
  // 15 digits bring every decimal of up to 15 back as it was written: 0.9, not 0.90000000000000002.
  return json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(15) | JSON_ENCODE_ANY);
}

ink_status ink_json_save(const char *path, const json_t *value, ink_error *error) {
  char *text = ink_json_text(value);
  if (!text) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to write it", path);
  ink_file_writer writer;
  ink_status status = ink_file_create(path, &writer, error);
  if (status == INK_OK) {
    status = ink_file_write(&writer, text, strlen(text), error);
    if (status == INK_OK) status = ink_file_write(&writer, "\n", 1, error);
    if (status == INK_OK) {
      status = ink_file_commit(&writer, error);
    } else {
      ink_file_abandon(&writer);
    }
  }
  free(text);
  return status;
}

static const json_t *member(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return json_is_null(value) ? NULL : value;
}

ink_status ink_json_get_int(const json_t *object, const char *key, const char *name, int64_t low,
                            int64_t high, int64_t *out, ink_error *error) {
  const json_t *value = member(object, key);
  if (!value) return INK_OK;
  if (!json_is_integer(value)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /%s must be an integer", name, key);
  }
  int64_t number = json_integer_value(value);
  if (number < low || number > high) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /%s is %lld; it must lie in %lld … %lld", name, key,
                    (long long)number, (long long)low, (long long)high);
  }
  *out = number;
  return INK_OK;
}

ink_status ink_json_get_number(const json_t *object, const char *key, const char *name, double low,
                               double high, double *out, ink_error *error) {
  const json_t *value = member(object, key);
  if (!value) return INK_OK;
  if (!json_is_number(value)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /%s must be a number", name, key);
  }
  double number = json_number_value(value);
  if (!(number >= low && number <= high)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /%s is %g; it must lie in %g … %g", name, key,
                    number, low, high);
  }
  *out = number;
  return INK_OK;
}

ink_status ink_json_get_bool(const json_t *object, const char *key, const char *name, bool *out,
                             ink_error *error) {
  const json_t *value = member(object, key);
  if (!value) return INK_OK;
  if (!json_is_boolean(value)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /%s must be true or false", name, key);
  }
  *out = json_is_true(value);
  return INK_OK;
}

ink_status ink_json_get_string(const json_t *object, const char *key, const char *name,
                               const char **out, ink_error *error) {
  const json_t *value = member(object, key);
  if (!value) return INK_OK;
  if (!json_is_string(value)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /%s must be a string", name, key);
  }
  *out = json_string_value(value);
  return INK_OK;
}

ink_status ink_json_only(const json_t *object, const char *name, const char *const *known,
                         ink_error *error) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)object, key, value) {
    const char *const *at = known;
    while (*at && strcmp(*at, key) != 0) at++;
    if (*at) continue;
    ink_text list = {0};
    for (at = known; *at; at++) ink_text_format(&list, "%s%s", at == known ? "" : ", ", *at);
    ink_status status = ink_fail(error, INK_ERR_FORMAT, "%s: unknown key /%s; known here: %s", name,
                                 key, ink_text_string(&list));
    ink_text_free(&list);
    return status;
  }
  return INK_OK;
}
