// Reading a recipe.
#include "train/recipe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/yaml.h"
#include "train/recipe_parts.h"

enum { MOST_RECIPE = 1 << 20 };

ink_status ink_recipe_string(const json_t *object, const char *key, const char *name, bool needed,
                             char **out, ink_error *error) {
  const char *text = NULL;
  INK_TRY(ink_json_get_string(object, key, name, &text, error));
  if (!text || !text[0]) {
    if (!needed) return INK_OK;
    return ink_fail(error, INK_ERR_FORMAT, "%s: /%s is missing", name, key);
  }
  *out = strdup(text);
  return *out ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "%s: no memory to read it", name);
}

ink_status ink_recipe_section(const json_t *root, const char *key, const char *name,
                              const char *const *known, const json_t **out, ink_error *error) {
  *out = json_object_get(root, key);
  if (*out && !json_is_object(*out)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /%s must be a mapping", name, key);
  }
  return ink_json_only(*out, name, known, error);
}

static ink_status read_model(const json_t *root, const char *name, ink_recipe *r,
                             ink_error *error) {
  const json_t *model = json_object_get(root, "model");
  if (!json_is_object(model)) {
    return ink_fail(error, INK_ERR_FORMAT,
                    "%s: /model is missing: the fields of a config.json, such as model_type, "
                    "hidden_size, num_hidden_layers",
                    name);
  }
  return ink_decoder_config_from_json(model, name, &r->model, error);
}

static ink_status read_init(const json_t *root, const char *name, ink_recipe *r, ink_error *error) {
  static const char *const known[] = {"seed", "std", "residual", "from", NULL};
  const json_t *init;
  const char *residual = "scaled";
  int64_t seed = 0;
  double std = 0.02;
  INK_TRY(ink_recipe_section(root, "init", name, known, &init, error));
  INK_TRY(ink_json_get_int(init, "seed", name, 0, INT64_C(1) << 53, &seed, error));
  INK_TRY(ink_json_get_number(init, "std", name, 1e-6, 10, &std, error));
  INK_TRY(ink_json_get_string(init, "residual", name, &residual, error));
  INK_TRY(ink_recipe_string(init, "from", name, false, &r->start, error));
  r->init.seed = (uint64_t)seed;
  r->init.std = (float)std;
  if (strcmp(residual, "plain") == 0) {
    r->init.residual = INK_RESIDUAL_PLAIN;
  } else if (strcmp(residual, "scaled") == 0) {
    r->init.residual = INK_RESIDUAL_SCALED;
  } else if (strcmp(residual, "zero") == 0) {
    r->init.residual = INK_RESIDUAL_ZERO;
  } else {
    return ink_fail(error, INK_ERR_FORMAT,
                    "%s: /init/residual is \"%s\"; it is plain, scaled or zero", name, residual);
  }
  return INK_OK;
}

ink_status ink_recipe_optimizer(const json_t *root, const char *name, ink_optimizer_options *o,
                                bool *muon, ink_error *error) {
  static const char *const known[] = {
      "muon",          "adam_rate",  "muon_rate",  "beta1", "beta2", "epsilon",
      "muon_momentum", "adam_decay", "muon_decay", "clip",  NULL};
  *o = (ink_optimizer_options){.adam_rate = 3e-3,
                               .beta1 = 0.9,
                               .beta2 = 0.95,
                               .epsilon = 1e-8,
                               .muon_rate = 0.02,
                               .muon_momentum = 0.95,
                               .adam_decay = 0.1,
                               .muon_decay = 0.1,
                               .clip = 1};
  const json_t *s;
  *muon = true;
  INK_TRY(ink_recipe_section(root, "optimizer", name, known, &s, error));
  INK_TRY(ink_json_get_bool(s, "muon", name, muon, error));
  INK_TRY(ink_json_get_number(s, "adam_rate", name, 0, 10, &o->adam_rate, error));
  INK_TRY(ink_json_get_number(s, "muon_rate", name, 0, 10, &o->muon_rate, error));
  INK_TRY(ink_json_get_number(s, "beta1", name, 0, 0.99999, &o->beta1, error));
  INK_TRY(ink_json_get_number(s, "beta2", name, 0, 0.99999, &o->beta2, error));
  INK_TRY(ink_json_get_number(s, "epsilon", name, 1e-16, 1, &o->epsilon, error));
  INK_TRY(ink_json_get_number(s, "muon_momentum", name, 0, 0.99999, &o->muon_momentum, error));
  INK_TRY(ink_json_get_number(s, "adam_decay", name, 0, 10, &o->adam_decay, error));
  INK_TRY(ink_json_get_number(s, "muon_decay", name, 0, 10, &o->muon_decay, error));
  return ink_json_get_number(s, "clip", name, 0, 1e9, &o->clip, error);
}

ink_status ink_recipe_precision(const json_t *object, const char *name, ink_precision *precision,
                                ink_error *error) {
  const char *text = "bf16";
  INK_TRY(ink_json_get_string(object, "precision", name, &text, error));
  if (strcmp(text, "bf16") == 0) {
    *precision = INK_PRECISION_BF16;
  } else if (strcmp(text, "f32") == 0) {
    *precision = INK_PRECISION_F32;
  } else {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /run/precision is \"%s\"; it is f32 or bf16", name,
                    text);
  }
  return INK_OK;
}

static ink_status read_run(const json_t *root, const char *name, ink_recipe *r, ink_error *error) {
  static const char *const known[] = {"seed",
                                      "steps",
                                      "batch_tokens",
                                      "micro_tokens",
                                      "context",
                                      "precision",
                                      "dropout",
                                      "warmup",
                                      "decay",
                                      "floor",
                                      "validate_every",
                                      "validate_documents",
                                      "checkpoint_minutes",
                                      NULL};
  const json_t *s;
  int64_t seed = 0, context = 256;
  double dropout = 0;
  r->steps = 0;
  r->batch_tokens = 8192;
  r->micro_tokens = 0;
  r->warmup = 100;
  r->decay = -1;
  r->floor = 0;
  r->validate_every = 500;
  r->validate_documents = 1000;
  r->checkpoint_minutes = 5;
  INK_TRY(ink_recipe_section(root, "run", name, known, &s, error));
  INK_TRY(ink_json_get_int(s, "seed", name, 0, INT64_C(1) << 53, &seed, error));
  INK_TRY(ink_json_get_int(s, "steps", name, 1, 1000000000, &r->steps, error));
  INK_TRY(ink_json_get_int(s, "context", name, 8, 1 << 20, &context, error));
  INK_TRY(ink_json_get_int(s, "batch_tokens", name, 8, 1 << 26, &r->batch_tokens, error));
  INK_TRY(ink_json_get_int(s, "micro_tokens", name, 8, 1 << 24, &r->micro_tokens, error));
  INK_TRY(ink_recipe_precision(s, name, &r->precision, error));
  INK_TRY(ink_json_get_number(s, "dropout", name, 0, 0.9, &dropout, error));
  INK_TRY(ink_json_get_int(s, "warmup", name, 0, 1000000000, &r->warmup, error));
  INK_TRY(ink_json_get_int(s, "decay", name, 0, 1000000000, &r->decay, error));
  INK_TRY(ink_json_get_number(s, "floor", name, 0, 1, &r->floor, error));
  INK_TRY(ink_json_get_int(s, "validate_every", name, 0, 1000000000, &r->validate_every, error));
  INK_TRY(ink_json_get_int(s, "validate_documents", name, 0, 1000000000, &r->validate_documents,
                           error));
  INK_TRY(
      ink_json_get_number(s, "checkpoint_minutes", name, 0.01, 1e6, &r->checkpoint_minutes, error));
  r->seed = (uint64_t)seed;
  r->context = (int32_t)context;
  r->dropout = (float)dropout;
  if (!r->micro_tokens) r->micro_tokens = r->batch_tokens;
  if (r->decay < 0) r->decay = r->steps * 3 / 10;
  if (!r->steps) return ink_fail(error, INK_ERR_FORMAT, "%s: /run/steps is missing", name);
  if (r->batch_tokens % r->micro_tokens || r->micro_tokens < context) {
    return ink_fail(
        error, INK_ERR_FORMAT,
        "%s: /run/micro_tokens is %lld; it must divide batch_tokens (%lld) and hold one "
        "context (%lld)",
        name, (long long)r->micro_tokens, (long long)r->batch_tokens, (long long)context);
  }
  if (context > r->model.context) {
    return ink_fail(error, INK_ERR_FORMAT,
                    "%s: /run/context is %lld, but the model has only %d positions", name,
                    (long long)context, r->model.context);
  }
  return INK_OK;
}

ink_status ink_recipe_read(const char *path, json_t **root, char sha256[65], ink_error *error) {
  char *bytes;
  size_t size;
  *root = NULL;
  INK_TRY(ink_file_read(path, MOST_RECIPE, &bytes, &size, error));
  ink_status status = ink_yaml_parse(bytes, size, path, root, error);
  if (status == INK_OK) status = ink_sha256_of(bytes, size, sha256, error);
  free(bytes);
  if (status == INK_OK && !json_is_object(*root)) {
    status =
        ink_fail(error, INK_ERR_FORMAT, "%s: a recipe is a mapping with model, data, run", path);
  }
  if (status != INK_OK) {
    json_decref(*root);
    *root = NULL;
  }
  return status;
}

ink_status ink_recipe_kind_of(const char *path, ink_recipe_kind *kind, ink_error *error) {
  static const char *const names[] = {"decoder", "autoencoder", "painter"};
  const char *text = names[0];
  char sha256[65];
  json_t *root;
  INK_TRY(ink_recipe_read(path, &root, sha256, error));
  ink_status status = ink_json_get_string(root, "kind", path, &text, error);
  int found = -1;
  for (int i = 0; status == INK_OK && i < (int)(sizeof names / sizeof *names); i++) {
    if (strcmp(text, names[i]) == 0) found = i;
  }
  if (status == INK_OK && found < 0) {
    status = ink_fail(error, INK_ERR_FORMAT,
                      "%s: /kind is \"%s\"; it is decoder, autoencoder or painter", path, text);
  }
  json_decref(root);
  if (status == INK_OK) *kind = (ink_recipe_kind)found;
  return status;
}

ink_status ink_recipe_load(const char *path, ink_recipe *recipe, ink_error *error) {
  static const char *const known[] = {"kind", "name",      "data", "model",
                                      "init", "optimizer", "run",  NULL};
  *recipe = (ink_recipe){0};
  json_t *root;
  INK_TRY(ink_recipe_read(path, &root, recipe->sha256, error));
  ink_status status = ink_json_only(root, path, known, error);
  if (status == INK_OK) status = ink_recipe_string(root, "name", path, true, &recipe->name, error);
  if (status == INK_OK) status = ink_recipe_string(root, "data", path, true, &recipe->data, error);
  if (status == INK_OK) status = read_model(root, path, recipe, error);
  if (status == INK_OK) status = read_init(root, path, recipe, error);
  if (status == INK_OK)
    status = ink_recipe_optimizer(root, path, &recipe->optimizer, &recipe->muon, error);
  if (status == INK_OK) status = read_run(root, path, recipe, error);
  json_decref(root);
  if (status != INK_OK) ink_recipe_free(recipe);
  return status;
}

void ink_recipe_free(ink_recipe *recipe) {
  free(recipe->name);
  free(recipe->data);
  free(recipe->start);
  recipe->name = recipe->data = recipe->start = NULL;
}
