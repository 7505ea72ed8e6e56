// Checkpoints and the finished model's folder.
#include "train/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "weights/safetensors.h"

enum { MOST_TOKENIZER = 1 << 28, NAME_SIZE = 224 };

// Tensors on their way into a file, and how it will name and describe them.
typedef struct outgoing {
  ink_safetensors_entry *entries;
  const ink_tensor **tensors;
  char (*names)[NAME_SIZE];
  size_t n;
} outgoing;

static ink_status outgoing_new(outgoing *out, size_t most, ink_error *error) {
  *out = (outgoing){calloc(most, sizeof *out->entries), calloc(most, sizeof *out->tensors),
                    calloc(most, sizeof *out->names), 0};
  if (out->entries && out->tensors && out->names) return INK_OK;
  return ink_fail(error, INK_ERR_MEMORY, "no memory to save %zu tensors", most);
}

static void outgoing_free(outgoing *out) {
  free(out->entries);
  free(out->tensors);
  free(out->names);
}

static void outgoing_add(outgoing *out, const char *prefix, const char *name,
                         const ink_tensor *tensor) {
  ink_safetensors_entry *entry = &out->entries[out->n];
  snprintf(out->names[out->n], NAME_SIZE, "%s%s", prefix, name);
  entry->name = out->names[out->n];
  entry->type_name = ink_dtype_about(tensor->dtype)->name;
  entry->rank = tensor->rank;
  memcpy(entry->shape, tensor->shape, sizeof entry->shape);
  out->tensors[out->n++] = tensor;
}

static ink_status outgoing_write(const outgoing *out, const char *path,
                                 const char *const (*metadata)[2], size_t n_metadata,
                                 ink_error *error) {
  ink_safetensors_writer *writer;
  INK_TRY(ink_safetensors_create(path, out->entries, out->n, metadata, n_metadata, &writer, error));
  const size_t *order = ink_safetensors_writer_order(writer);
  ink_status status = INK_OK;
  for (size_t i = 0; status == INK_OK && i < out->n; i++) {
    const ink_tensor *tensor = out->tensors[order[i]];
    size_t bytes = 0;
    if (!ink_tensor_bytes(tensor->dtype, tensor->rank, tensor->shape, &bytes)) {
      status = ink_fail(error, INK_ERR_INTERNAL, "%s: %s has no size", path,
                        out->entries[order[i]].name);
    } else {
      status = ink_safetensors_writer_data(writer, tensor->data, bytes, error);
    }
  }
  if (status == INK_OK) status = ink_safetensors_writer_commit(writer, error);
  ink_safetensors_writer_free(writer);
  return status;
}

ink_status ink_checkpoint_save(const char *path, const char *recipe_sha256,
                               const ink_trained *trained, size_t n, const ink_train_state *state,
                               ink_error *error) {
  outgoing out;
  ink_status status = outgoing_new(&out, 4 * n, error);
  for (size_t i = 0; status == INK_OK && i < n; i++) {
    outgoing_add(&out, "value.", trained[i].name, trained[i].value);
    outgoing_add(&out, "first.", trained[i].name, trained[i].first);
    if (trained[i].second) outgoing_add(&out, "second.", trained[i].name, trained[i].second);
    if (trained[i].average) outgoing_add(&out, "average.", trained[i].name, trained[i].average);
  }
  char step[24], tokens[24], epoch[24], index[24];
  snprintf(step, sizeof step, "%lld", (long long)state->step);
  snprintf(tokens, sizeof tokens, "%lld", (long long)state->tokens);
  snprintf(epoch, sizeof epoch, "%llu", (unsigned long long)state->epoch);
  snprintf(index, sizeof index, "%llu", (unsigned long long)state->index);
  const char *metadata[][2] = {{"format", "inkstone-checkpoint-1"},
                               {"recipe", recipe_sha256},
                               {"step", step},
                               {"tokens", tokens},
                               {"epoch", epoch},
                               {"index", index}};
  if (status == INK_OK) {
    status = outgoing_write(&out, path, metadata, sizeof metadata / sizeof *metadata, error);
  }
  outgoing_free(&out);
  return status;
}

static ink_status counter(const ink_safetensors *file, const char *path, const char *key,
                          uint64_t *value, ink_error *error) {
  const char *text = ink_safetensors_metadata(file, key);
  char *end = NULL;
  errno = 0;
  if (text && text[0] >= '0' && text[0] <= '9') *value = strtoull(text, &end, 10);
  if (!end || *end || errno || *value > INT64_MAX) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: no whole number under \"%s\" in its metadata", path,
                    key);
  }
  return INK_OK;
}

// Find a tensor that must have the shape of `like`.
static ink_status wanted(const ink_safetensors *file, const char *path, const char *prefix,
                         const char *name, const ink_tensor *like, const ink_stored_tensor **found,
                         ink_error *error) {
  char full[NAME_SIZE];
  snprintf(full, sizeof full, "%s%s", prefix, name);
  const ink_stored_tensor *tensor = *found = ink_safetensors_find(file, full);
  bool fits = tensor && tensor->usable && tensor->dtype == INK_F32 && tensor->rank == like->rank;
  for (int d = 0; fits && d < like->rank; d++) fits = tensor->shape[d] == like->shape[d];
  if (fits) return INK_OK;
  return ink_fail(error, INK_ERR_CONFLICT,
                  "%s: has no tensor %s of the shape that the recipe's model needs", path, full);
}

typedef enum pass { LOOK, TAKE } pass;

// Look whether everything is there; then, in a second pass, take it.
static ink_status walk(const ink_safetensors *file, const char *path, ink_trained *trained,
                       size_t n, pass what, ink_error *error) {
  for (size_t i = 0; i < n; i++) {
    const struct {
      const char *prefix;
      ink_tensor *tensor;
    } parts[] = {{"value.", trained[i].value},
                 {"first.", trained[i].first},
                 {"second.", trained[i].second},
                 {"average.", trained[i].average}};
    for (size_t j = 0; j < sizeof parts / sizeof *parts; j++) {
      if (!parts[j].tensor) continue;
      const ink_stored_tensor *found;
      INK_TRY(wanted(file, path, parts[j].prefix, trained[i].name, parts[j].tensor, &found, error));
      if (what == TAKE) memcpy(parts[j].tensor->data, found->data, found->bytes);
    }
  }
  return INK_OK;
}

ink_status ink_checkpoint_load(const char *path, const char *recipe_sha256, bool force,
                               ink_trained *trained, size_t n, ink_train_state *state,
                               ink_error *error) {
  ink_safetensors *file;
  INK_TRY(ink_safetensors_open(path, &file, error));
  const char *recipe = ink_safetensors_metadata(file, "recipe");
  uint64_t step = 0, tokens = 0, epoch = 0, index = 0;
  ink_status status = INK_OK;
  if (!force && (!recipe || strcmp(recipe, recipe_sha256) != 0)) {
    status = ink_fail(error, INK_ERR_CONFLICT,
                      "%s: was made by another recipe; name another --out, or go on from it with "
                      "--force",
                      path);
  }
  if (status == INK_OK) status = counter(file, path, "step", &step, error);
  if (status == INK_OK) status = counter(file, path, "tokens", &tokens, error);
  if (status == INK_OK) status = counter(file, path, "epoch", &epoch, error);
  if (status == INK_OK) status = counter(file, path, "index", &index, error);
  if (status == INK_OK) status = walk(file, path, trained, n, LOOK, error);
  if (status == INK_OK) status = walk(file, path, trained, n, TAKE, error);
  if (status == INK_OK) *state = (ink_train_state){(int64_t)step, (int64_t)tokens, epoch, index};
  ink_safetensors_close(file);
  return status;
}

// ---- the finished model -------------------------------------------------------------------------

static ink_status copy_file(const char *from_folder, const char *name, const char *to_folder,
                            ink_error *error) {
  char *from = ink_path_join(from_folder, name), *to = ink_path_join(to_folder, name);
  char *bytes = NULL;
  size_t size;
  ink_status status = from && to ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  if (status == INK_OK && ink_file_exists(from)) {
    status = ink_file_read(from, MOST_TOKENIZER, &bytes, &size, error);
    if (status == INK_OK) status = ink_file_save(to, bytes, size, error);
  }
  free(bytes);
  free(from);
  free(to);
  return status;
}

static ink_status save_json(json_t *value, const char *folder, const char *name, ink_error *error) {
  char *path = ink_path_join(folder, name);
  ink_status status = value && path ? ink_json_save(path, value, error)
                                    : ink_fail(error, INK_ERR_MEMORY, "no memory for %s", name);
  free(path);
  json_decref(value);
  return status;
}

static ink_status save_weights(ink_decoder *decoder, const char *folder, ink_error *error) {
  size_t n;
  const ink_parameter *parameters = ink_decoder_parameters(decoder, &n);
  outgoing out;
  ink_status status = outgoing_new(&out, n, error);
  for (size_t i = 0; status == INK_OK && i < n; i++) {
    outgoing_add(&out, "", parameters[i].name, parameters[i].tensor);
  }
  char *path = ink_path_join(folder, "model.safetensors");
  if (status == INK_OK && !path) status = ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  const char *metadata[][2] = {{"format", "pt"}};  // what transformers asks of every file
  if (status == INK_OK) status = outgoing_write(&out, path, metadata, 1, error);
  free(path);
  outgoing_free(&out);
  return status;
}

ink_status ink_train_export(ink_decoder *decoder, const ink_recipe *recipe, const char *out,
                            ink_error *error) {
  char *folder = ink_path_join(out, recipe->name);
  if (!folder) return ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  ink_status status = ink_folder_make(folder, error);
  if (status == INK_OK) {
    status = save_json(ink_decoder_config_to_json(&recipe->model), folder, "config.json", error);
  }
  if (status == INK_OK) status = save_weights(decoder, folder, error);
  static const char *const files[] = {"tokenizer.json", "tokenizer_config.json",
                                      "generation_config.json"};
  for (size_t i = 0; status == INK_OK && i < sizeof files / sizeof *files; i++) {
    status = copy_file(recipe->data, files[i], folder, error);
  }
  free(folder);
  return status;
}
