// What a decoder looks like, from config.json of transformers; the checks that hold for every
// source.
#include "models/config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/json.h"
#include "models/architecture.h"

enum { MOST = 1 << 30, MOST_LAYERS = 1 << 12, MOST_HEADS = 1 << 16, MOST_WIDTH = 1 << 24 };

ink_status ink_config_optional_size(const json_t *json, const char *name, const char *key,
                                    int32_t fallback, int32_t *out, ink_error *error) {
  int64_t value = fallback;
  INK_TRY(ink_json_get_int(json, key, name, 1, MOST, &value, error));
  *out = (int32_t)value;
  return INK_OK;
}

ink_status ink_config_size(const json_t *json, const char *name, const char *key, int32_t *out,
                           ink_error *error) {
  INK_TRY(ink_config_optional_size(json, name, key, 0, out, error));
  if (*out == 0) return ink_fail(error, INK_ERR_FORMAT, "%s: \"%s\" is missing", name, key);
  return INK_OK;
}

ink_status ink_config_epsilon(const json_t *json, const char *name, const char *key,
                              double fallback, float *out, ink_error *error) {
  double value = fallback;
  INK_TRY(ink_json_get_number(json, key, name, 0, 1, &value, error));
  *out = (float)value;
  return INK_OK;
}

ink_status ink_config_head_dim(const json_t *json, const char *name, int32_t fallback,
                               ink_decoder_config *config, ink_error *error) {
  INK_TRY(ink_config_optional_size(json, name, "head_dim", fallback, &config->head_dim, error));
  if (config->head_dim > 0) return INK_OK;
  if (config->hidden % config->n_head != 0) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s: a width of %d does not divide into %d attention heads", name,
                    config->hidden, config->n_head);
  }
  config->head_dim = config->hidden / config->n_head;
  return INK_OK;
}

ink_status ink_config_activation(const json_t *json, const char *name, const char *key,
                                 const char *fallback, ink_decoder_config *config,
                                 ink_error *error) {
  static const struct {
    const char *name;
    ink_activation activation;
  } known[] = {{"silu", INK_ACTIVATION_SWIGLU},
               {"gelu", INK_ACTIVATION_GELU},
               {"gelu_new", INK_ACTIVATION_GELU_TANH},
               {"gelu_pytorch_tanh", INK_ACTIVATION_GELU_TANH}};
  const char *value = fallback;
  INK_TRY(ink_json_get_string(json, key, name, &value, error));
  bool gated = strcmp(fallback, "silu") == 0;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].name, value) != 0) continue;
    if ((known[i].activation == INK_ACTIVATION_SWIGLU) != gated) break;
    config->activation = known[i].activation;
    return INK_OK;
  }
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%s: \"%s\" is \"%s\"; this architecture is known with %s", name, key, value,
                  gated ? "\"silu\"" : "\"gelu\", \"gelu_new\" and \"gelu_pytorch_tanh\"");
}

static ink_status read_scaling(const json_t *json, const char *name, ink_decoder_config *config,
                               ink_error *error) {
  const char *type = "default";
  INK_TRY(ink_json_get_string(json, "type", name, &type, error));
  INK_TRY(ink_json_get_string(json, "rope_type", name, &type, error));
  if (strcmp(type, "default") == 0) return INK_OK;
  bool llama3 = strcmp(type, "llama3") == 0;
  if (!llama3 && strcmp(type, "linear") != 0) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: rope scaling \"%s\" is not supported (known: linear, llama3)", name, type);
  }
  config->rope_scaling = llama3 ? INK_ROPE_LLAMA3 : INK_ROPE_LINEAR;
  config->rope_factor = 0;
  INK_TRY(ink_json_get_number(json, "factor", name, 1, 1e6, &config->rope_factor, error));
  if (config->rope_factor == 0) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: rope scaling \"%s\" lacks \"factor\"", name, type);
  }
  if (!llama3) return INK_OK;
  double low = 0, high = 0;
  INK_TRY(ink_json_get_number(json, "low_freq_factor", name, 1e-6, 1e6, &low, error));
  INK_TRY(ink_json_get_number(json, "high_freq_factor", name, 1e-6, 1e6, &high, error));
  config->rope_low_frequency_factor = low;
  config->rope_high_frequency_factor = high;
  INK_TRY(ink_config_size(json, name, "original_max_position_embeddings",
                          &config->rope_original_context, error));
  if (low == 0 || high <= low) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s: rope scaling \"llama3\" needs low_freq_factor (%g) below "
                    "high_freq_factor (%g)",
                    name, low, high);
  }
  return INK_OK;
}

ink_status ink_config_rope(const json_t *json, const char *name, ink_decoder_config *config,
                           ink_error *error) {
  config->rope_style = INK_ROPE_HALVES;
  config->rope_theta = 10000;
  double turning = 1;
  INK_TRY(ink_json_get_number(json, "rope_theta", name, 1e-6, 1e15, &config->rope_theta, error));
  INK_TRY(ink_json_get_number(json, "partial_rotary_factor", name, 1e-6, 1, &turning, error));
  static const char *const keys[] = {"rope_scaling", "rope_parameters"};
  for (size_t i = 0; i < 2; i++) {
    const json_t *inner = json_object_get(json, keys[i]);
    if (!inner || json_is_null(inner)) continue;
    if (!json_is_object(inner)) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: /%s is not an object", name, keys[i]);
    }
    INK_TRY(ink_json_get_number(inner, "rope_theta", name, 1e-6, 1e15, &config->rope_theta, error));
    INK_TRY(ink_json_get_number(inner, "partial_rotary_factor", name, 1e-6, 1, &turning, error));
    INK_TRY(read_scaling(inner, name, config, error));
  }
  if (turning != 1) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: \"partial_rotary_factor\" %g is not supported by this architecture", name,
                    turning);
  }
  return INK_OK;
}

ink_status ink_config_full_attention(const json_t *json, const char *name, ink_error *error) {
  bool sliding = false;
  INK_TRY(ink_json_get_bool(json, "use_sliding_window", name, &sliding, error));
  size_t i;
  const json_t *type;
  json_array_foreach(json_object_get(json, "layer_types"), i, type) {
    const char *text = json_string_value(type);
    if (!text || strcmp(text, "full_attention") != 0) sliding = true;
  }
  if (sliding) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: sliding-window attention is not supported (\"use_sliding_window\", "
                    "\"layer_types\")",
                    name);
  }
  return INK_OK;
}

ink_status ink_decoder_config_check(const ink_decoder_config *g, const char *name,
                                    ink_error *error) {
  if (!ink_architecture_find(g->architecture, name, error)) return INK_ERR_UNSUPPORTED;
  const struct {
    const char *name;
    int32_t value, most;
  } sizes[] = {{"vocabulary", g->vocab, MOST_WIDTH},
               {"context", g->context, MOST},
               {"number of layers", g->n_layer, MOST_LAYERS},
               {"number of heads", g->n_head, MOST_HEADS},
               {"number of key heads", g->n_kv_head, MOST_HEADS},
               {"head width", g->head_dim, MOST_HEADS},
               {"width", g->hidden, MOST_WIDTH},
               {"feed-forward width", g->ff, MOST_WIDTH}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    if (sizes[i].value < 1 || sizes[i].value > sizes[i].most) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: a %s of %d is out of range (1 to %d)", name,
                      sizes[i].name, sizes[i].value, sizes[i].most);
    }
  }
  if (g->n_head % g->n_kv_head != 0) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s: %d attention heads cannot share %d key heads evenly", name, g->n_head,
                    g->n_kv_head);
  }
  if ((int64_t)g->n_head * g->head_dim > MOST_WIDTH) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: %d heads of width %d are more than supported", name,
                    g->n_head, g->head_dim);
  }
  if (!(g->norm_epsilon >= 0 && g->norm_epsilon <= 1)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: a norm epsilon of %g is out of range (0 to 1)",
                    name, (double)g->norm_epsilon);
  }
  if (g->rope_dim < 0 || g->rope_dim > g->head_dim || g->rope_dim % 2 != 0) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s: rotary positions on %d of a head's %d elements; an even number is needed",
                    name, g->rope_dim, g->head_dim);
  }
  return INK_OK;
}

// The architecture that config.json names, by model_type and by class: the two must agree.
static ink_status find_architecture(const json_t *json, const char *name,
                                    const ink_architecture **found, ink_error *error) {
  const char *type = NULL, *class_name = NULL;
  INK_TRY(ink_json_get_string(json, "model_type", name, &type, error));
  const json_t *classes = json_object_get(json, "architectures");
  if (json_is_array(classes)) class_name = json_string_value(json_array_get(classes, 0));
  if (!type) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: \"model_type\" is missing", name);
  }
  *found = ink_architecture_find(type, name, error);
  if (!*found) return INK_ERR_UNSUPPORTED;
  if (class_name && strcmp(class_name, (*found)->class_name) != 0) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: \"architectures\" is %s; of model_type \"%s\", only %s writes text", name,
                    class_name, type, (*found)->class_name);
  }
  return INK_OK;
}

ink_status ink_decoder_config_from_json(const json_t *json, const char *name,
                                        ink_decoder_config *config, ink_error *error) {
  *config = (ink_decoder_config){0};
  if (!json_is_object(json)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: not a JSON object", name);
  }
  const ink_architecture *architecture = NULL;
  INK_TRY(find_architecture(json, name, &architecture, error));
  snprintf(config->architecture, sizeof config->architecture, "%s", architecture->name);
  INK_TRY(ink_config_size(json, name, "vocab_size", &config->vocab, error));
  INK_TRY(architecture->read_json(json, name, config, error));
  if (config->rope_theta > 0 && config->rope_dim == 0) config->rope_dim = config->head_dim;
  return ink_decoder_config_check(config, name, error);
}

bool ink_config_put_int(json_t *json, const char *key, int64_t value) {
  return json_object_set_new(json, key, json_integer(value)) == 0;
}

bool ink_config_put_real(json_t *json, const char *key, float value) {
  char text[32];
  for (int digits = 1; digits <= 9; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, (double)value);
    if (strtof(text, NULL) == value) break;
  }
  return json_object_set_new(json, key, json_real(strtod(text, NULL))) == 0;
}

bool ink_config_put_rope(json_t *json, const ink_decoder_config *config) {
  bool ok = json_object_set_new(json, "rope_theta", json_real(config->rope_theta)) == 0;
  if (config->rope_scaling == INK_ROPE_UNSCALED) return ok;
  bool llama3 = config->rope_scaling == INK_ROPE_LLAMA3;
  json_t *scaling = json_object();
  ok = ok && json_object_set_new(json, "rope_scaling", scaling) == 0 &&
       json_object_set_new(scaling, "rope_type", json_string(llama3 ? "llama3" : "linear")) == 0 &&
       json_object_set_new(scaling, "factor", json_real(config->rope_factor)) == 0;
  if (!ok || !llama3) return ok;
  return json_object_set_new(scaling, "low_freq_factor",
                             json_real(config->rope_low_frequency_factor)) == 0 &&
         json_object_set_new(scaling, "high_freq_factor",
                             json_real(config->rope_high_frequency_factor)) == 0 &&
         ink_config_put_int(scaling, "original_max_position_embeddings",
                            config->rope_original_context);
}

json_t *ink_decoder_config_to_json(const ink_decoder_config *config) {
  ink_error ignored = {0};
  const ink_architecture *architecture =
      ink_architecture_find(config->architecture, "config", &ignored);
  json_t *json = architecture ? json_object() : NULL;
  if (!json) return NULL;
  bool ok =
      json_object_set_new(json, "architectures", json_pack("[s]", architecture->class_name)) == 0 &&
      json_object_set_new(json, "model_type", json_string(architecture->name)) == 0 &&
      ink_config_put_int(json, "vocab_size", config->vocab) &&
      architecture->write_json(config, json) &&
      json_object_set_new(json, "tie_word_embeddings", json_boolean(config->tied_head)) == 0;
  if (ok) return json;
  json_decref(json);
  return NULL;
}
