// JSON glue over jansson: parsing with errors that name the input, and typed members.
#ifndef INK_BASE_JSON_H
#define INK_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// Parse one JSON value (RFC 8259; duplicate keys refused). `name` is what errors call the input.
// The caller owns *value (json_decref). Nesting is bounded by jansson (2,048).
ink_status ink_json_parse(const char *bytes, size_t size, const char *name, json_t **value,
                          ink_error *error);
// Read and parse a file of at most `most` bytes.
ink_status ink_json_load(const char *path, size_t most, json_t **value, ink_error *error);
// Write pretty-printed with sorted or insertion-ordered keys and a final newline, atomically.
ink_status ink_json_save(const char *path, const json_t *value, ink_error *error);
// Serialise with two spaces of indentation and 15 digits a number; malloc'ed, NULL without memory.
char *ink_json_text(const json_t *value);

// Typed members of an object. A member that is absent or null leaves *out as it was and is no
// fault; one of another type, or out of [low, high], is FORMAT and named as "name: /key …".
ink_status ink_json_get_int(const json_t *object, const char *key, const char *name, int64_t low,
                            int64_t high, int64_t *out, ink_error *error);
ink_status ink_json_get_number(const json_t *object, const char *key, const char *name, double low,
                               double high, double *out, ink_error *error);
ink_status ink_json_get_bool(const json_t *object, const char *key, const char *name, bool *out,
                             ink_error *error);
// *out is borrowed from the object.
ink_status ink_json_get_string(const json_t *object, const char *key, const char *name,
                               const char **out, ink_error *error);

// FORMAT, naming the key and those that are known, when the object holds one that is not in the
// NULL-terminated list. A NULL object is fine.
ink_status ink_json_only(const json_t *object, const char *name, const char *const *known,
                         ink_error *error);

#endif
