// YAML 1.2 (through libfyaml) read as JSON values, so that one set of typed getters serves both.
#ifndef INK_BASE_YAML_H
#define INK_BASE_YAML_H

#include "base/json.h"

// Parse one YAML document. Plain scalars that JSON knows (numbers, true, false, null) keep their
// type, all others are strings; aliases and duplicate keys are refused. Caller owns
// *value.
ink_status ink_yaml_parse(const char *bytes, size_t size, const char *name, json_t **value,
                          ink_error *error);

#endif
