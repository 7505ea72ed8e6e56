// What is known of one model, gathered as JSON and printed as it is or for a person.
#include "cli/model_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/generation.h"
#include "lang/catalogue.h"
#include "models/decoder.h"
#include "tokenizer/tokenizer.h"
#include "weights/card.h"
#include "weights/weights.h"

// A number in steps of a thousand.
static const char *in_steps(double value, const char *const *units, int n, char out[32]) {
  int unit = 0;
  while (value >= 999.95 && unit < n - 1) {
    value /= 1000;
    unit++;
  }
  snprintf(out, 32, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
  return out;
}

const char *ink_cli_bytes(uint64_t bytes, char out[32]) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  return in_steps((double)bytes, units, 5, out);
}

static void put(json_t *object, const char *key, json_t *value) {
  json_object_set_new(object, key, value);
}

// -- Gathering ------------------------------------------------------------------------------------

static void put_architecture(const ink_weights *weights, json_t *out) {
  const ink_gguf *gguf = ink_weights_gguf(weights);
  ink_gguf_string name = {0};
  const char *type = json_string_value(json_object_get(ink_weights_config(weights), "model_type"));
  if (gguf) {
    ink_gguf_get_string(gguf, "general.architecture", false, &name, NULL);
    if (name.bytes) put(out, "architecture", json_stringn(name.bytes, name.size));
  } else if (type) {
    put(out, "architecture", json_string(type));
  }
}

// Sizes of decoders that this program knows; of others there are none, which is no fault here.
static void put_sizes(const ink_weights *weights, json_t *out) {
  ink_decoder_config g;
  const json_t *config = ink_weights_config(weights);
  ink_status status = ink_weights_gguf(weights) ? ink_decoder_config_from_gguf(weights, &g, NULL)
                      : config ? ink_decoder_config_from_json(config, "config.json", &g, NULL)
                               : INK_ERR_NOT_FOUND;
  put(out, "runs", json_boolean(status == INK_OK));
  if (status != INK_OK) return;
  put(out, "shape",
      json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b}", "vocab", g.vocab, "context",
                g.context, "layers", g.n_layer, "hidden", g.hidden, "feed_forward", g.ff, "heads",
                g.n_head, "key_heads", g.n_kv_head, "head_width", g.head_dim, "tied_head",
                g.tied_head));
}

static void put_tokenizer(const ink_weights *weights, json_t *out) {
  const ink_gguf *gguf = ink_weights_gguf(weights);
  ink_tokenizer *tokenizer = NULL;
  ink_error why = {0};
  ink_status status = gguf ? ink_tokenizer_from_gguf(gguf, &tokenizer, &why)
                           : ink_tokenizer_open(ink_weights_path(weights), &tokenizer, &why);
  if (status != INK_OK) {
    put(out, "tokenizer", json_pack("{s:s}", "error", why.text));
    return;
  }
  json_t *about = json_pack("{s:I, s:b}", "tokens", (json_int_t)ink_tokenizer_size(tokenizer),
                            "chat_template", ink_tokenizer_chat_template(tokenizer) != NULL);
  const struct {
    const char *key;
    int32_t id;
  } roles[] = {{"bos", ink_tokenizer_bos(tokenizer)},
               {"eos", ink_tokenizer_eos(tokenizer)},
               {"pad", ink_tokenizer_pad(tokenizer)},
               {"unknown", ink_tokenizer_unknown(tokenizer)}};
  for (size_t i = 0; about && i < sizeof roles / sizeof *roles; i++) {
    const char *token = ink_tokenizer_token(tokenizer, roles[i].id);
    if (token) {
      put(about, roles[i].key, json_pack("{s:i, s:s}", "id", (int)roles[i].id, "token", token));
    }
  }
  put(out, "tokenizer", about);
  ink_tokenizer_free(tokenizer);
}

static json_t *tensor_json(const ink_weights_entry *entry) {
  json_t *shape = json_array();
  for (int i = 0; shape && i < entry->rank; i++) {
    json_array_append_new(shape, json_integer(entry->shape[i]));
  }
  return json_pack("{s:s, s:s, s:o, s:I}", "name", entry->name, "type", entry->type_name, "shape",
                   shape, "bytes", (json_int_t)entry->bytes);
}

static void put_tensors(const ink_weights *weights, json_t *out) {
  json_t *types = json_object(), *tensors = json_array();
  json_int_t bytes = 0;
  for (size_t i = 0; i < ink_weights_count(weights); i++) {
    const ink_weights_entry *entry = ink_weights_at(weights, i);
    json_t *type = json_object_get(types, entry->type_name);
    json_int_t n = json_integer_value(json_object_get(type, "tensors"));
    json_int_t size = json_integer_value(json_object_get(type, "bytes"));
    put(types, entry->type_name,
        json_pack("{s:I, s:I}", "tensors", n + 1, "bytes", size + (json_int_t)entry->bytes));
    json_array_append_new(tensors, tensor_json(entry));
    bytes += (json_int_t)entry->bytes;
  }
  put(out, "parameters", json_integer(ink_weights_parameters(weights)));
  put(out, "bytes", json_integer(bytes));
  put(out, "types", types);
  put(out, "tensors", tensors);
}

static ink_status gather(const ink_weights *weights, bool hash, json_t *out, ink_error *error) {
  bool gguf = ink_weights_format_of(weights) == INK_WEIGHTS_GGUF;
  json_t *files = json_array();
  for (size_t i = 0; i < ink_weights_n_files(weights); i++) {
    json_array_append_new(files, json_string(ink_weights_file(weights, i)));
  }
  put(out, "name", json_string(ink_weights_name(weights)));
  put(out, "path", json_string(ink_weights_path(weights)));
  put(out, "format", json_string(gguf ? "gguf" : "safetensors"));
  put(out, "files", files);
  put_architecture(weights, out);
  char *license = ink_weights_license(weights);
  if (license) put(out, "license", json_string(license));
  free(license);
  put_sizes(weights, out);
  put_tokenizer(weights, out);
  put_tensors(weights, out);
  if (!hash) return INK_OK;
  char hex[INK_SHA256_HEX];
  INK_TRY(ink_weights_sha256(weights, INK_HASH_NOTED, hex, error));
  put(out, "sha256", json_string(hex));
  return INK_OK;
}

// -- For a person ---------------------------------------------------------------------------------

static const char *text_of(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "-";
}

// Text from a file must not steer the terminal.
static void print_safely(const char *text) {
  ink_cli_stream stream = {0};
  ink_cli_print(&stream, text, strlen(text));
}

static void print_line(const char *label, const char *text) {
  printf("%s: ", ink_tr(label));
  print_safely(text);
  putchar('\n');
}

static void print_shape(const json_t *model) {
  const json_t *shape = json_object_get(model, "shape");
  if (!shape) {
    printf("%s: %s\n", ink_tr("shape"), ink_tr("not a decoder that this program runs"));
    return;
  }
  static const char *const keys[] = {"layers",    "hidden",     "feed_forward", "heads",
                                     "key_heads", "head_width", "vocab",        "context"};
  printf("%s:", ink_tr("shape"));
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    printf("%s %s %lld", i ? "," : "", ink_tr(keys[i]),
           (long long)json_integer_value(json_object_get(shape, keys[i])));
  }
  putchar('\n');
}

static void print_tokenizer(const json_t *model) {
  const json_t *about = json_object_get(model, "tokenizer");
  const char *fault = json_string_value(json_object_get(about, "error"));
  if (fault) {
    print_line("tokenizer", fault);
    return;
  }
  printf("%s: %lld %s", ink_tr("tokenizer"),
         (long long)json_integer_value(json_object_get(about, "tokens")), ink_tr("tokens"));
  static const char *const roles[] = {"bos", "eos"};
  for (size_t i = 0; i < 2; i++) {
    const json_t *role = json_object_get(about, roles[i]);
    if (!role) continue;
    printf(", %s ", roles[i]);
    print_safely(text_of(role, "token"));
  }
  if (json_is_true(json_object_get(about, "chat_template"))) {
    printf(", %s", ink_tr("with a chat template"));
  }
  putchar('\n');
}

static void print_types(const json_t *model) {
  const char *name, *comma = "";
  json_t *type;
  char bytes[32];
  printf("%s: ", ink_tr("types"));
  json_object_foreach(json_object_get(model, "types"), name, type) {
    printf("%s%s x %lld (%s)", comma, name,
           (long long)json_integer_value(json_object_get(type, "tensors")),
           ink_cli_bytes((uint64_t)json_integer_value(json_object_get(type, "bytes")), bytes));
    comma = ", ";
  }
  putchar('\n');
}

static void print_tensors(const json_t *model) {
  size_t i, j;
  const json_t *tensor, *extent;
  putchar('\n');
  json_array_foreach(json_object_get(model, "tensors"), i, tensor) {
    printf("  %-8s", text_of(tensor, "type"));
    char shape[200];
    size_t used = 0;
    shape[0] = 0;
    json_array_foreach(json_object_get(tensor, "shape"), j, extent) {
      if (used > sizeof shape - 32) break;
      used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%lld", j ? " x " : "",
                               (long long)json_integer_value(extent));
    }
    printf(" %-20s ", shape);
    print_safely(text_of(tensor, "name"));
    putchar('\n');
  }
}

static void print_for_person(const json_t *model, bool tensors) {
  static const char *const counts[] = {"", "K", "M", "B", "T"};
  char bytes[32], count[32];
  size_t i;
  const json_t *file;
  print_line("name", text_of(model, "name"));
  json_array_foreach(json_object_get(model, "files"), i, file) {
    print_line("file", json_string_value(file));
  }
  print_line("format", text_of(model, "format"));
  print_line("architecture", text_of(model, "architecture"));
  print_shape(model);
  double n = (double)json_integer_value(json_object_get(model, "parameters"));
  printf("%s: %s\n", ink_tr("parameters"), in_steps(n, counts, 5, count));
  printf("%s: %s\n", ink_tr("size"),
         ink_cli_bytes((uint64_t)json_integer_value(json_object_get(model, "bytes")), bytes));
  print_types(model);
  print_tokenizer(model);
  const char *license = json_string_value(json_object_get(model, "license"));
  print_line("licence", license ? license : ink_tr("not stated"));
  if (json_object_get(model, "sha256")) print_line("sha256", text_of(model, "sha256"));
  if (tensors) print_tensors(model);
}

ink_status ink_model_show(const char *path, bool json, bool tensors, bool hash, ink_error *error) {
  ink_weights *weights;
  INK_TRY(ink_weights_open(path, &weights, error));
  json_t *model = json_object();
  ink_status status = model ? gather(weights, hash, model, error)
                            : ink_fail(error, INK_ERR_MEMORY, "no memory to show a model");
  ink_weights_close(weights);
  if (status == INK_OK && json) return ink_cli_print_json(model, error);
  if (status == INK_OK) print_for_person(model, tensors);
  json_decref(model);
  return status;
}
