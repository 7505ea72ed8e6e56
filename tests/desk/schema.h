// A judge of JSON values by the part of JSON Schema 2020-12 that docs/schema uses. A keyword that
// it does not know fails the test, so that no rule of a schema goes untried.
#ifndef INK_TESTS_SCHEMA_H
#define INK_TESTS_SCHEMA_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <jansson.h>
#include <pcre2.h>

#include "base/text.h"
#include "testing.h"

typedef struct schema_judge {
  const json_t *root;
  char fault[512];  // the first one: where, and which keyword; "" for none
} schema_judge;

static bool schema_holds(schema_judge *judge, const json_t *schema, const json_t *value,
                         const char *at);

static bool schema_fault(schema_judge *judge, const char *at, const char *keyword) {
  if (!judge->fault[0]) {
    snprintf(judge->fault, sizeof judge->fault, "%s: %s", at[0] ? at : "/", keyword);
  }
  return false;
}

static bool schema_type_is(const char *type, const json_t *value) {
  if (strcmp(type, "object") == 0) return json_is_object(value);
  if (strcmp(type, "array") == 0) return json_is_array(value);
  if (strcmp(type, "string") == 0) return json_is_string(value);
  if (strcmp(type, "boolean") == 0) return json_is_boolean(value);
  if (strcmp(type, "integer") == 0) return json_is_integer(value);
  if (strcmp(type, "number") == 0) return json_is_number(value);
  fail_msg("the type \"%s\" is not known to this judge", type);
  return false;
}

static bool schema_any_type(const json_t *types, const json_t *value) {
  if (json_is_string(types)) return schema_type_is(json_string_value(types), value);
  size_t i;
  json_t *type;
  json_array_foreach((json_t *)types, i, type) {
    if (schema_type_is(json_string_value(type), value)) return true;
  }
  return false;
}

static bool schema_matches(const char *pattern, const char *text) {
  int number;
  PCRE2_SIZE offset;
  pcre2_code *code =
      pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &number, &offset, NULL);
  assert_non_null(code);
  pcre2_match_data *match = pcre2_match_data_create_from_pattern(code, NULL);
  bool found =
      pcre2_match(code, (PCRE2_SPTR)text, strlen(text), 0, PCRE2_DOLLAR_ENDONLY, match, NULL) > 0;
  pcre2_match_data_free(match);
  pcre2_code_free(code);
  return found;
}

static bool schema_object_holds(schema_judge *judge, const json_t *schema, const json_t *value,
                                const char *at) {
  const json_t *properties = json_object_get(schema, "properties");
  const json_t *others = json_object_get(schema, "additionalProperties");
  size_t i;
  json_t *name;
  json_array_foreach(json_object_get(schema, "required"), i, name) {
    if (!json_object_get(value, json_string_value(name))) {
      return schema_fault(judge, at, "required");
    }
  }
  const json_t *least = json_object_get(schema, "minProperties");
  if (least && (json_int_t)json_object_size(value) < json_integer_value(least)) {
    return schema_fault(judge, at, "minProperties");
  }
  const char *key;
  json_t *member;
  json_object_foreach((json_t *)value, key, member) {
    char below[256];
    snprintf(below, sizeof below, "%s/%s", at, key);
    const json_t *rule = json_object_get(properties, key);
    if (!rule) rule = others;
    if (json_is_false(rule)) return schema_fault(judge, below, "additionalProperties");
    if (rule && !schema_holds(judge, rule, member, below)) return false;
  }
  return true;
}

static bool schema_one_of(const json_t *values, const json_t *value) {
  size_t i;
  json_t *one;
  json_array_foreach((json_t *)values, i, one) {
    if (json_equal(one, (json_t *)value)) return true;
  }
  return false;
}

static bool schema_holds(schema_judge *judge, const json_t *schema, const json_t *value,
                         const char *at) {
  const char *keyword;
  json_t *rule;
  json_object_foreach((json_t *)schema, keyword, rule) {
    bool holds = true;
    if (strcmp(keyword, "$ref") == 0) {
      const char *path = json_string_value(rule);
      assert_memory_equal(path, "#/$defs/", 8);
      const json_t *target = json_object_get(json_object_get(judge->root, "$defs"), path + 8);
      assert_non_null(target);
      if (!schema_holds(judge, target, value, at)) return false;
    } else if (strcmp(keyword, "type") == 0) {
      holds = schema_any_type(rule, value);
    } else if (strcmp(keyword, "enum") == 0) {
      holds = schema_one_of(rule, value);
    } else if (strcmp(keyword, "const") == 0) {
      holds = json_equal(rule, (json_t *)value);
    } else if (strcmp(keyword, "pattern") == 0) {
      holds = !json_is_string(value) ||
              schema_matches(json_string_value(rule), json_string_value(value));
    } else if (strcmp(keyword, "minimum") == 0) {
      holds = !json_is_number(value) || json_number_value(value) >= json_number_value(rule);
    } else if (strcmp(keyword, "maximum") == 0) {
      holds = !json_is_number(value) || json_number_value(value) <= json_number_value(rule);
    } else if (strcmp(keyword, "items") == 0) {
      size_t i;
      json_t *item;
      json_array_foreach((json_t *)value, i, item) {
        char below[256];
        snprintf(below, sizeof below, "%s/%zu", at, i);
        if (!schema_holds(judge, rule, item, below)) return false;
      }
    } else if (!strstr(" properties required additionalProperties minProperties $schema title "
                       "description $defs ",
                       keyword)) {
      fail_msg("the keyword \"%s\" is not known to this judge", keyword);
    }
    if (!holds) return schema_fault(judge, at, keyword);
  }
  return !json_is_object(value) || schema_object_holds(judge, schema, value, at);
}

// "" when the value is what the schema describes, else where it is not and by which keyword.
static inline const char *schema_judge_value(schema_judge *judge, const json_t *schema,
                                             const json_t *value) {
  *judge = (schema_judge){.root = schema};
  bool holds = schema_holds(judge, schema, value, "");
  assert_int_equal(holds, judge->fault[0] == 0);
  return judge->fault;
}

#endif
