// Inside the room: what recipes of all kinds have in common.
#ifndef INK_TRAIN_RECIPE_PARTS_H
#define INK_TRAIN_RECIPE_PARTS_H

#include "base/json.h"
#include "tensor/ops.h"
#include "train/optimizer.h"

// The file as a mapping, and its hash. *root is the caller's.
ink_status ink_recipe_read(const char *path, json_t **root, char sha256[65], ink_error *error);

// A member of an object as malloc'ed text; absent or empty it stays as it was, or is FORMAT where
// it is needed.
ink_status ink_recipe_string(const json_t *object, const char *key, const char *name, bool needed,
                             char **out, ink_error *error);
// A section with these keys and no others; *out NULL where it is absent.
ink_status ink_recipe_section(const json_t *root, const char *key, const char *name,
                              const char *const *known, const json_t **out, ink_error *error);
// The section `optimizer`.
ink_status ink_recipe_optimizer(const json_t *root, const char *name,
                                ink_optimizer_options *options, bool *muon, ink_error *error);
// "precision" of the section `run`.
ink_status ink_recipe_precision(const json_t *run, const char *name, ink_precision *precision,
                                ink_error *error);

#endif
