// YAML 1.2 read as JSON values.
#include "base/yaml.h"

#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

enum { MOST_DEPTH = 64 };

static ink_status convert(struct fy_node *node, const char *name, int depth, json_t **out,
                          ink_error *error);

static ink_status refuse(const char *name, struct fy_node *node, const char *why,
                         ink_error *error) {
  struct fy_token *token = node ? fy_node_get_scalar_token(node) : NULL;
  const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
  if (mark) return ink_fail(error, INK_ERR_FORMAT, "%s: line %d: %s", name, mark->line + 1, why);
  return ink_fail(error, INK_ERR_FORMAT, "%s: %s", name, why);
}

// The JSON schema of YAML 1.2 (chapter 10.2) for plain scalars; anything else is a string.
static json_t *scalar(const char *text, size_t size, bool plain) {
  if (plain) {
    if (size == 0 || (size == 4 && memcmp(text, "null", 4) == 0) || (size == 1 && *text == '~')) {
      return json_null();
    }
    if (size == 4 && memcmp(text, "true", 4) == 0) return json_true();
    if (size == 5 && memcmp(text, "false", 5) == 0) return json_false();
    if (strchr("-0123456789", *text)) {
      json_t *number = json_loadb(text, size, JSON_DECODE_ANY, NULL);
      if (number) return number;
    }
  }
  return json_stringn(text, size);
}

static ink_status convert_mapping(struct fy_node *node, const char *name, int depth, json_t *object,
                                  ink_error *error) {
  void *at = NULL;
  for (struct fy_node_pair *pair; (pair = fy_node_mapping_iterate(node, &at));) {
    struct fy_node *key_node = fy_node_pair_key(pair);
    size_t size = 0;
    const char *key = key_node ? fy_node_get_scalar(key_node, &size) : NULL;
    if (!key) return refuse(name, key_node, "keys must be plain words", error);
    char *copy = strndup(key, size);
    json_t *value = NULL;
    ink_status status = copy ? convert(fy_node_pair_value(pair), name, depth + 1, &value, error)
                             : ink_fail(error, INK_ERR_MEMORY, "%s: no memory to read it", name);
    if (status == INK_OK && json_object_get(object, copy)) {
      json_decref(value);
      status = refuse(name, key_node, "this key stands twice", error);
    } else if (status == INK_OK && json_object_set_new(object, copy, value) != 0) {
      status = refuse(name, key_node, "this key is not valid UTF-8", error);
    }
    free(copy);
    INK_TRY(status);
  }
  return INK_OK;
}

static ink_status convert(struct fy_node *node, const char *name, int depth, json_t **out,
                          ink_error *error) {
  *out = NULL;
  if (depth > MOST_DEPTH) return refuse(name, node, "nested more than 64 deep", error);
  if (!node) {
    *out = json_null();
    return INK_OK;
  }
  // Aliases would let a small file describe an enormous value.
  if (fy_node_is_alias(node)) return refuse(name, node, "aliases (*name) are not read here", error);
  ink_status status = INK_OK;
  switch (fy_node_get_type(node)) {
    case FYNT_SCALAR: {
      size_t size = 0;
      const char *text = fy_node_get_scalar(node, &size);
      *out = scalar(text ? text : "", size, fy_node_get_style(node) == FYNS_PLAIN);
      break;
    }
    case FYNT_SEQUENCE: {
      *out = json_array();
      void *at = NULL;
      for (struct fy_node *item;
           status == INK_OK && *out && (item = fy_node_sequence_iterate(node, &at));) {
        json_t *value;
        status = convert(item, name, depth + 1, &value, error);
        if (status == INK_OK) json_array_append_new(*out, value);
      }
      break;
    }
    case FYNT_MAPPING:
      *out = json_object();
      if (*out) status = convert_mapping(node, name, depth, *out, error);
      break;
  }
  if (status == INK_OK && !*out) status = refuse(name, node, "text that is not valid UTF-8", error);
  if (status != INK_OK) {
    json_decref(*out);
    *out = NULL;
  }
  return status;
}

// Collected diagnostics go into our error; what the library would print besides goes nowhere.
static void print_nothing(struct fy_diag *diagnostics, void *user, const char *text, size_t size) {
  (void)diagnostics;
  (void)user;
  (void)text;
  (void)size;
}

ink_status ink_yaml_parse(const char *bytes, size_t size, const char *name, json_t **value,
                          ink_error *error) {
  *value = NULL;
  size_t bad;
  if (!ink_utf8_valid(bytes, size, &bad)) {
    return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)bad, "%s: not valid UTF-8", name);
  }
  struct fy_diag_cfg quiet;
  fy_diag_cfg_default(&quiet);
  quiet.fp = NULL;
  quiet.output_fn = print_nothing;
  struct fy_diag *diagnostics = fy_diag_create(&quiet);
  if (!diagnostics) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to read it", name);
  fy_diag_set_collect_errors(diagnostics, true);
  struct fy_parse_cfg how = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2,
                             .diag = diagnostics};
  struct fy_document *document = fy_document_build_from_string(&how, bytes, size);
  ink_status status;
  if (document) {
    status = convert(fy_document_root(document), name, 0, value, error);
  } else {
    void *at = NULL;
    struct fy_diag_error *fault = fy_diag_errors_iterate(diagnostics, &at);
    status = fault ? ink_fail(error, INK_ERR_FORMAT, "%s: not valid YAML: line %d: %s", name,
                              fault->line, fault->msg)
                   : ink_fail(error, INK_ERR_FORMAT, "%s: not valid YAML", name);
  }
  fy_document_destroy(document);
  fy_diag_destroy(diagnostics);
  return status;
}
