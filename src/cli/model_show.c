// What is known of one model, gathered as JSON and printed as it is or for a person.
#include "cli/model_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/generation.h"
#include "lang/catalogue.h"
#include "models/decoder.h"
#include "models/stable_diffusion.h"
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
static ink_status put_sizes(const ink_weights *weights, json_t *out, ink_error *error) {
  ink_decoder_config g;
  const json_t *config = ink_weights_config(weights);
  ink_status status = ink_weights_gguf(weights) ? ink_decoder_config_from_gguf(weights, &g, error)
                      : config ? ink_decoder_config_from_json(config, "config.json", &g, error)
                               : INK_ERR_NOT_FOUND;
  if (status == INK_ERR_MEMORY) return status;
  put(out, "runs", json_boolean(status == INK_OK));
  if (status != INK_OK) return INK_OK;
  put(out, "shape",
      json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b}", "vocab", g.vocab, "context",
                g.context, "layers", g.n_layer, "hidden", g.hidden, "feed_forward", g.ff, "heads",
                g.n_head, "key_heads", g.n_kv_head, "head_width", g.head_dim, "tied_head",
                g.tied_head));
  return INK_OK;
}

static ink_status put_tokenizer(const ink_weights *weights, json_t *out, ink_error *error) {
  const ink_gguf *gguf = ink_weights_gguf(weights);
  const char *path = ink_weights_path(weights);
  ink_tokenizer *tokenizer = NULL;
  ink_error why = {0};
  char *folder = ink_file_is_folder(path) ? strdup(path) : ink_path_folder(path);
  ink_status status = gguf     ? ink_tokenizer_from_gguf(gguf, &tokenizer, &why)
                      : folder ? ink_tokenizer_open(folder, &tokenizer, &why)
                               : ink_fail(&why, INK_ERR_MEMORY, "no memory for a path");
  free(folder);
  if (status == INK_ERR_MEMORY) return ink_fail(error, status, "%s", why.text);
  if (status != INK_OK) {
    put(out, "tokenizer", json_pack("{s:s}", "error", why.text));
    return INK_OK;
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
  return INK_OK;
}

static json_t *text_encoder_json(const ink_clip *clip) {
  const ink_clip_config *g = ink_clip_about(clip);
  return json_pack("{s:i, s:i, s:i, s:i, s:i}", "layers", g->n_layer, "hidden", g->hidden, "heads",
                   g->n_head, "vocab", g->vocab, "context", g->context);
}

// The networks of a Stable Diffusion, and what it paints.
static void put_diffusion(const ink_stable_diffusion *sd, json_t *out) {
  static const char *const predictions[] = {[INK_SD_PREDICTS_EPSILON] = "epsilon",
                                            [INK_SD_PREDICTS_V] = "v",
                                            [INK_SD_PREDICTS_SAMPLE] = "sample"};
  const ink_unet_config *g = ink_unet_about(sd->unet);
  json_t *about = json_object(), *channels = json_array(), *texts = json_array();
  for (int32_t i = 0; i < g->n_level; i++) {
    json_array_append_new(channels, json_integer(g->levels[i].channels));
  }
  for (size_t i = 0; i < sd->n_text; i++) {
    json_array_append_new(texts, text_encoder_json(sd->texts[i].clip));
  }
  if (sd->prediction != INK_SD_PREDICTS_UNKNOWN) {
    put(about, "predicts", json_string(predictions[sd->prediction]));
  }
  put(about, "unet", json_pack("{s:o, s:i}", "channels", channels, "context", g->context));
  put(about, "text_encoders", texts);
  if (sd->vae || sd->taesd) {
    int32_t factor = sd->vae ? ink_vae_factor(sd->vae) : ink_taesd_factor(sd->taesd);
    put(about, "side", json_integer(g->sample_size * factor));
    put(about, "autoencoder",
        json_pack("{s:s, s:i, s:i}", "class", sd->vae ? "AutoencoderKL" : "AutoencoderTiny",
                  "latent_channels",
                  sd->vae ? ink_vae_about(sd->vae)->latent_channels
                          : ink_taesd_about(sd->taesd)->latent_channels,
                  "factor", factor));
  }
  const char *scheduler = json_string_value(json_object_get(sd->scheduler, "_class_name"));
  if (scheduler) put(about, "scheduler", json_string(scheduler));
  put(out, "diffusion", about);
}

static json_t *tensor_json(const ink_weights_entry *entry, const char *file) {
  json_t *shape = json_array();
  for (int i = 0; shape && i < entry->rank; i++) {
    json_array_append_new(shape, json_integer(entry->shape[i]));
  }
  return json_pack("{s:s, s:s, s:o, s:I, s:s}", "name", entry->name, "type", entry->type_name,
                   "shape", shape, "bytes", (json_int_t)entry->bytes, "file", file);
}

static void add_to(json_t *object, const char *key, json_int_t n) {
  put(object, key, json_integer(json_integer_value(json_object_get(object, key)) + n));
}

static void add_tensor(const ink_weights_entry *entry, const char *file, json_t *out) {
  json_t *types = json_object_get(out, "types"), *type = json_object_get(types, entry->type_name);
  if (!type) {
    type = json_object();
    put(types, entry->type_name, type);
  }
  add_to(type, "tensors", 1);
  add_to(type, "bytes", (json_int_t)entry->bytes);
  add_to(out, "bytes", (json_int_t)entry->bytes);
  json_array_append_new(json_object_get(out, "tensors"), tensor_json(entry, file));
}

// The files of all parts, and the tensors in them.
static void put_weights(ink_weights *const *parts, size_t n, json_t *out) {
  json_t *files = json_array();
  put(out, "files", files);
  put(out, "parameters", json_integer(0));
  put(out, "bytes", json_integer(0));
  put(out, "types", json_object());
  put(out, "tensors", json_array());
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < ink_weights_n_files(parts[i]); j++) {
      json_array_append_new(files, json_string(ink_weights_file(parts[i], j)));
    }
    for (size_t j = 0; j < ink_weights_count(parts[i]); j++) {
      const ink_weights_entry *entry = ink_weights_at(parts[i], j);
      add_tensor(entry, ink_weights_file(parts[i], entry->file), out);
    }
    add_to(out, "parameters", ink_weights_parameters(parts[i]));
  }
}

static ink_status put_names(const char *path, json_t *out, ink_error *error) {
  char *name = ink_model_name(path);
  if (!name) return ink_fail(error, INK_ERR_MEMORY, "no memory to show a model");
  put(out, "name", json_string(name));
  put(out, "path", json_string(path));
  free(name);
  return INK_OK;
}

static void put_license(char *license, json_t *out) {
  if (license) put(out, "license", json_string(license));
  free(license);
}

static const char *format_of(const ink_weights *weights) {
  static const char *const names[] = {[INK_WEIGHTS_SAFETENSORS] = "safetensors",
                                      [INK_WEIGHTS_GGUF] = "gguf",
                                      [INK_WEIGHTS_TORCH] = "pytorch"};
  return names[ink_weights_format_of(weights)];
}

static ink_status gather_weights(ink_weights *weights, bool hash, json_t *out, ink_error *error) {
  char *license;
  INK_TRY(put_names(ink_weights_path(weights), out, error));
  put(out, "format", json_string(format_of(weights)));
  put_architecture(weights, out);
  INK_TRY(ink_weights_license(weights, &license, error));
  put_license(license, out);
  INK_TRY(put_sizes(weights, out, error));
  INK_TRY(put_tokenizer(weights, out, error));
  put_weights(&weights, 1, out);
  if (!hash) return INK_OK;
  char hex[INK_SHA256_HEX];
  INK_TRY(ink_weights_sha256(weights, INK_HASH_NOTED, hex, error));
  put(out, "sha256", json_string(hex));
  return INK_OK;
}

static ink_status gather_diffusion(const ink_stable_diffusion *sd, bool hash, json_t *out,
                                   ink_error *error) {
  char *license;
  INK_TRY(put_names(sd->path, out, error));
  put(out, "format",
      json_string(ink_file_is_folder(sd->path) ? "diffusers" : format_of(sd->weights[0])));
  put(out, "architecture", json_string(ink_stable_diffusion_name(sd)));
  INK_TRY(ink_model_license(sd->path, &license, error));
  put_license(license, out);
  put(out, "runs", json_true());
  put_diffusion(sd, out);
  put_weights(sd->weights, sd->n_weights, out);
  if (!hash) return INK_OK;
  char hex[INK_SHA256_HEX];
  INK_TRY(ink_stable_diffusion_sha256(sd, INK_HASH_NOTED, hex, error));
  put(out, "sha256", json_string(hex));
  return INK_OK;
}

// A folder of diffusers or a single file with the networks of a Stable Diffusion.
static ink_status is_diffusion(const char *path, bool *is, ink_error *error) {
  *is = false;
  if (ink_file_is_folder(path)) {
    *is = ink_folder_has(path, "model_index.json");
    return INK_OK;
  }
  ink_weights *weights;
  ink_sd_layout layout;
  ink_error ignored = {0};
  ink_status status = ink_weights_open(path, &weights, &ignored);
  if (status == INK_OK) {
    if (!ink_weights_gguf(weights)) {
      status = ink_sd_layout_of(weights, &layout, &ignored);
      *is = status == INK_OK;
    }
    ink_weights_close(weights);
  }
  return status == INK_ERR_MEMORY ? ink_fail(error, status, "%s", ignored.text) : INK_OK;
}

static ink_status gather(const char *path, bool hash, json_t *out, ink_error *error) {
  ink_weights *weights;
  ink_status status;
  bool diffusion;
  INK_TRY(is_diffusion(path, &diffusion, error));
  if (diffusion) {
    ink_stable_diffusion *sd;
    INK_TRY(ink_stable_diffusion_open(path, &sd, error));
    status = gather_diffusion(sd, hash, out, error);
    ink_stable_diffusion_free(sd);
  } else {
    INK_TRY(ink_weights_open(path, &weights, error));
    status = gather_weights(weights, hash, out, error);
    ink_weights_close(weights);
  }
  return status;
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

static void print_numbers(const char *label, const json_t *object, const char *const *keys, int n) {
  printf("%s:", ink_tr(label));
  for (int i = 0; i < n; i++) {
    printf("%s %s %lld", i ? "," : "", ink_tr(keys[i]),
           (long long)json_integer_value(json_object_get(object, keys[i])));
  }
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
  print_numbers("shape", shape, keys, 8);
}

static void print_diffusion(const json_t *about) {
  static const char *const keys[] = {"layers", "hidden", "heads", "vocab", "context"};
  size_t i;
  const json_t *item, *autoencoder = json_object_get(about, "autoencoder");
  const json_t *unet = json_object_get(about, "unet");
  int side = (int)json_integer_value(json_object_get(about, "side"));
  if (side) printf("%s: %d x %d\n", ink_tr("picture"), side, side);
  json_array_foreach(json_object_get(about, "text_encoders"), i, item) {
    print_numbers("text encoder", item, keys, 5);
  }
  printf("UNet: %s", ink_tr("channels"));
  json_array_foreach(json_object_get(unet, "channels"), i, item) {
    printf("%s %lld", i ? "," : "", (long long)json_integer_value(item));
  }
  const char *predicts = json_string_value(json_object_get(about, "predicts"));
  if (predicts) printf("; %s %s", ink_tr("predicts"), predicts);
  putchar('\n');
  if (autoencoder) {
    printf("%s: %s, %s %lld\n", ink_tr("autoencoder"), text_of(autoencoder, "class"),
           ink_tr("latent channels"),
           (long long)json_integer_value(json_object_get(autoencoder, "latent_channels")));
  }
  if (json_object_get(about, "scheduler")) print_line("scheduler", text_of(about, "scheduler"));
}

static void print_tokenizer(const json_t *model) {
  const json_t *about = json_object_get(model, "tokenizer");
  if (!about) return;
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
  const char *file = NULL;
  json_array_foreach(json_object_get(model, "tensors"), i, tensor) {
    if (!file || strcmp(file, text_of(tensor, "file")) != 0) {
      file = text_of(tensor, "file");
      putchar('\n');
      print_safely(file);
      printf(":\n");
    }
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
  const json_t *diffusion = json_object_get(model, "diffusion");
  if (diffusion) {
    print_diffusion(diffusion);
  } else {
    print_shape(model);
  }
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
  json_t *model = json_object();
  if (!model) return ink_fail(error, INK_ERR_MEMORY, "no memory to show a model");
  ink_status status = gather(path, hash, model, error);
  if (status == INK_OK && json) return ink_cli_print_json(model, error);
  if (status == INK_OK) print_for_person(model, tensors);
  json_decref(model);
  return status;
}
