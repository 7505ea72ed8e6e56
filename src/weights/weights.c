// A model's weights: finds the files, opens them with their readers, and gives one table of names.
#include "weights/weights.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/json.h"
#include "weights/check.h"
#include "weights/files.h"

enum { MAX_CONFIG = 16 << 20, MAX_INDEX = 64 << 20, MAX_FILES = 100000 };

// One weight file; one of the readers is open.
typedef struct part {
  char *path;
  ink_gguf *gguf;
  ink_safetensors *safetensors;
  ink_torch *torch;
} part;

struct ink_weights {
  char *path;
  char *name;
  ink_weights_format format;
  part *parts;
  size_t n_parts;
  ink_weights_entry *entries;
  size_t n;
  const ink_weights_entry **by_name;
  json_t *config;
  ink_hash_notes *notes;
};

static ink_status no_memory(const char *path, ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to open it", path);
}

// -- Which files ----------------------------------------------------------------------------------

// Take over a malloc'ed path as the next part.
static ink_status add_part(ink_weights *weights, char *path, ink_error *error) {
  part *grown = path ? realloc(weights->parts, (weights->n_parts + 1) * sizeof *grown) : NULL;
  if (!grown) {
    free(path);
    return no_memory(weights->path, error);
  }
  weights->parts = grown;
  weights->parts[weights->n_parts++] = (part){.path = path};
  return INK_OK;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// The shards that an index names, each once, in the order of their names.
static ink_status add_shards(ink_weights *weights, const char *index_path, const json_t *map,
                             ink_error *error) {
  const char *key;
  json_t *file;
  size_t n = 0;
  const char **names = calloc(json_object_size(map) + 1, sizeof *names);
  if (!names) return no_memory(weights->path, error);
  ink_status status = INK_OK;
  json_object_foreach((json_t *)(uintptr_t)map, key, file) {
    const char *name = json_string_value(file);
    if (!name || !ink_file_name_is_plain(name)) {
      status = ink_fail(error, INK_ERR_FORMAT,
                        "%s: /weight_map/%.*s must be the name of a file in the same folder",
                        index_path, INK_SHOWN(key));
      break;
    }
    names[n++] = name;
  }
  if (status == INK_OK && n == 0) {
    status = ink_fail(error, INK_ERR_FORMAT, "%s: /weight_map names no files", index_path);
  }
  qsort(names, n, sizeof *names, by_text);
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    if (i > 0 && strcmp(names[i], names[i - 1]) == 0) continue;
    status = add_part(weights, ink_path_join(weights->path, names[i]), error);
  }
  free(names);
  return status;
}

// Every tensor that the index promises has to be in the shard it names.
static ink_status check_index(const ink_weights *weights, const char *index_path, const json_t *map,
                              ink_error *error) {
  const char *key;
  json_t *file;
  json_object_foreach((json_t *)(uintptr_t)map, key, file) {
    const ink_weights_entry *entry = ink_weights_entry_of(weights, key);
    const char *shard = entry ? ink_path_name(weights->parts[entry->file].path) : NULL;
    if (!shard || strcmp(shard, json_string_value(file)) != 0) {
      return ink_fail(error, INK_ERR_CONFLICT,
                      "%s: tensor %.*s is not in %s, where the index has it; fetch the model again",
                      index_path, INK_SHOWN(key), json_string_value(file));
    }
  }
  return INK_OK;
}

// The parts of a GGUF file: itself, or all that its name counts.
static ink_status add_gguf_parts(ink_weights *weights, const char *path, ink_error *error) {
  size_t stem, count;
  if (!ink_gguf_split_name(path, &stem, NULL, &count)) {
    return add_part(weights, strdup(path), error);
  }
  if (count > MAX_FILES) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: its name counts %zu parts", path, count);
  }
  for (size_t i = 1; i <= count; i++) {
    char *part_path = NULL;
    if (asprintf(&part_path, "%.*s-%05zu-of-%05zu.gguf", (int)stem, path, i, count) < 0) {
      part_path = NULL;
    }
    INK_TRY(add_part(weights, part_path, error));
    if (!ink_file_exists(weights->parts[i - 1].path)) {
      return ink_fail(error, INK_ERR_NOT_FOUND, "%s: part %zu of %zu is not there",
                      weights->parts[i - 1].path, i, count);
    }
  }
  return INK_OK;
}

// The one GGUF model in a folder; of a split one, its first part.
static ink_status find_gguf(const char *folder, char **path, ink_error *error) {
  DIR *listing = opendir(folder);
  if (!listing) return ink_fail(error, INK_ERR_IO, "%s: %s", folder, strerror(errno));
  char first[256] = "";
  size_t n = 0;
  for (struct dirent *item; (item = readdir(listing));) {
    size_t number = 1, length = strlen(item->d_name);
    if (length < 5 || strcasecmp(item->d_name + length - 5, ".gguf") != 0) continue;
    if (ink_gguf_split_name(item->d_name, NULL, &number, NULL) && number != 1) continue;
    if (n++ == 0) snprintf(first, sizeof first, "%s", item->d_name);
  }
  closedir(listing);
  if (n == 1) {
    *path = ink_path_join(folder, first);
    return *path ? INK_OK : no_memory(folder, error);
  }
  if (n > 1) {
    return ink_fail(error, INK_ERR_USAGE,
                    "%s: %zu GGUF models in this folder; name one of them, such as %s/%s", folder,
                    n, folder, first);
  }
  return ink_fail(
      error, INK_ERR_NOT_FOUND,
      "%s: no weights: neither model.safetensors nor diffusion_pytorch_model.safetensors "
      "(nor their .index.json), nor pytorch_model.bin, nor a .gguf file",
      folder);
}

// -- Opening the parts ----------------------------------------------------------------------------

// Told by the first bytes; what is neither of the others is tried as safetensors.
static ink_status find_format(const char *path, ink_weights_format *format, ink_error *error) {
  FILE *file = fopen(path, "rbe");
  if (!file) {
    return ink_fail(error, errno == ENOENT ? INK_ERR_NOT_FOUND : INK_ERR_IO, "%s: %s", path,
                    strerror(errno));
  }
  unsigned char start[4] = {0};
  size_t size = fread(start, 1, sizeof start, file);
  fclose(file);
  *format = INK_WEIGHTS_SAFETENSORS;
  if (size == 4 && memcmp(start, "GGUF", 4) == 0) *format = INK_WEIGHTS_GGUF;
  if (ink_torch_is(start, size)) *format = INK_WEIGHTS_TORCH;
  return INK_OK;
}

// A split model says in each part which one it is.
static ink_status check_split(const ink_weights *weights, ink_error *error) {
  int64_t total = -1;
  size_t n_tensors = 0;
  for (size_t i = 0; i < weights->n_parts; i++) {
    const ink_gguf *gguf = weights->parts[i].gguf;
    int64_t number = 0, count = 1;
    INK_TRY(ink_gguf_get_int(gguf, "split.no", false, 0, MAX_FILES, &number, error));
    INK_TRY(ink_gguf_get_int(gguf, "split.count", false, 0, MAX_FILES, &count, error));
    if (count == 0) count = 1;
    if ((size_t)count != weights->n_parts || (count > 1 && (size_t)number != i)) {
      return ink_fail(error, INK_ERR_CONFLICT,
                      "%s: it says to be part %lld of %lld, but its name says part %zu of %zu",
                      weights->parts[i].path, (long long)number + 1, (long long)count, i + 1,
                      weights->n_parts);
    }
    if (i == 0) {
      INK_TRY(ink_gguf_get_int(gguf, "split.tensors.count", false, 0, INT64_MAX, &total, error));
    }
    n_tensors += ink_gguf_n_tensors(gguf);
  }
  if (weights->n_parts > 1 && total >= 0 && (uint64_t)total != n_tensors) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s: the parts hold %zu tensors, but %lld are announced", weights->path,
                    n_tensors, (long long)total);
  }
  return INK_OK;
}

static ink_status open_parts(ink_weights *weights, ink_error *error) {
  for (size_t i = 0; i < weights->n_parts; i++) {
    part *p = &weights->parts[i];
    switch (weights->format) {
      case INK_WEIGHTS_GGUF:
        INK_TRY(ink_gguf_open(p->path, &p->gguf, error));
        break;
      case INK_WEIGHTS_SAFETENSORS:
        INK_TRY(ink_safetensors_open(p->path, &p->safetensors, error));
        break;
      case INK_WEIGHTS_TORCH:
        INK_TRY(ink_torch_open(p->path, &p->torch, error));
        break;
    }
  }
  return weights->format == INK_WEIGHTS_GGUF ? check_split(weights, error) : INK_OK;
}

// -- The table ------------------------------------------------------------------------------------

static ink_weights_entry entry_of(const ink_stored_tensor *tensor, size_t file) {
  ink_weights_entry entry = {.name = tensor->name,
                             .type_name = tensor->type_name,
                             .usable = tensor->usable,
                             .rank = tensor->rank,
                             .shape = tensor->shape,
                             .bytes = tensor->bytes,
                             .offset = tensor->offset,
                             .file = file};
  if (tensor->usable) {
    entry.tensor = ink_tensor_view(tensor->dtype, (void *)(uintptr_t)tensor->data, tensor->rank,
                                   tensor->shape);
  }
  return entry;
}

static size_t part_count(const part *p) {
  if (p->gguf) return ink_gguf_n_tensors(p->gguf);
  return p->torch ? ink_torch_count(p->torch) : ink_safetensors_count(p->safetensors);
}

static const ink_map *part_map(const part *p) {
  if (p->gguf) return ink_gguf_map(p->gguf);
  return p->torch ? ink_torch_map(p->torch) : ink_safetensors_map(p->safetensors);
}

static const ink_stored_tensor *part_tensor(const part *p, size_t index) {
  if (p->gguf) return ink_gguf_tensor_at(p->gguf, index);
  return p->torch ? ink_torch_at(p->torch, index) : ink_safetensors_at(p->safetensors, index);
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const ink_weights_entry *const *)a)->name,
                (*(const ink_weights_entry *const *)b)->name);
}

static ink_status make_table(ink_weights *weights, ink_error *error) {
  size_t n = 0;
  for (size_t i = 0; i < weights->n_parts; i++) n += part_count(&weights->parts[i]);
  weights->entries = calloc(n + 1, sizeof *weights->entries);
  weights->by_name = calloc(n + 1, sizeof *weights->by_name);
  if (!weights->entries || !weights->by_name) return no_memory(weights->path, error);
  for (size_t i = 0; i < weights->n_parts; i++) {
    size_t count = part_count(&weights->parts[i]);
    for (size_t j = 0; j < count; j++) {
      weights->by_name[weights->n] = &weights->entries[weights->n];
      weights->entries[weights->n++] = entry_of(part_tensor(&weights->parts[i], j), i);
    }
  }
  qsort(weights->by_name, n, sizeof *weights->by_name, by_name);
  for (size_t i = 1; i < n; i++) {
    const ink_weights_entry *a = weights->by_name[i - 1], *b = weights->by_name[i];
    if (strcmp(a->name, b->name) == 0) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: tensor %.*s is in %s and in %s", weights->path,
                      INK_SHOWN(a->name), ink_path_name(weights->parts[a->file].path),
                      ink_path_name(weights->parts[b->file].path));
    }
  }
  return INK_OK;
}

// -- Opening --------------------------------------------------------------------------------------

static ink_status load_config(ink_weights *weights, const char *folder, ink_error *error) {
  char *path = ink_path_join(folder, "config.json");
  if (!path) return no_memory(folder, error);
  ink_status status = INK_OK;
  if (ink_file_exists(path)) {
    status = ink_json_load(path, MAX_CONFIG, &weights->config, error);
    if (status == INK_OK && !json_is_object(weights->config)) {
      status = ink_fail(error, INK_ERR_FORMAT, "%s: must be an object", path);
    }
  }
  free(path);
  return status;
}

static ink_status open_indexed(ink_weights *weights, const char *index_path, ink_error *error) {
  json_t *index;
  INK_TRY(ink_json_load(index_path, MAX_INDEX, &index, error));
  const json_t *map = json_object_get(index, "weight_map");
  ink_status status = INK_OK;
  if (!json_is_object(map)) {
    status = ink_fail(error, INK_ERR_FORMAT, "%s: /weight_map must be an object", index_path);
  }
  if (status == INK_OK) status = add_shards(weights, index_path, map, error);
  if (status == INK_OK) status = open_parts(weights, error);
  if (status == INK_OK) status = make_table(weights, error);
  if (status == INK_OK) status = check_index(weights, index_path, map, error);
  json_decref(index);
  return status;
}

static ink_status open_file(ink_weights *weights, const char *path, ink_error *error) {
  INK_TRY(find_format(path, &weights->format, error));
  bool gguf = weights->format == INK_WEIGHTS_GGUF;
  if (gguf) {
    INK_TRY(add_gguf_parts(weights, path, error));
  } else {
    INK_TRY(add_part(weights, strdup(path), error));
  }
  INK_TRY(open_parts(weights, error));
  INK_TRY(make_table(weights, error));
  if (gguf) return INK_OK;
  char *folder = ink_path_folder(path);
  if (!folder) return no_memory(path, error);
  ink_status status = load_config(weights, folder, error);
  free(folder);
  return status;
}

// Weights in a Hugging Face folder, best first.
static const char *const folder_files[] = {
    "model.safetensors",
    "model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "model.fp16.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    "pytorch_model.bin",
    "diffusion_pytorch_model.bin",
};

static ink_status open_folder(ink_weights *weights, ink_error *error) {
  char *path = NULL;
  for (size_t i = 0; i < sizeof folder_files / sizeof *folder_files; i++) {
    path = ink_path_join(weights->path, folder_files[i]);
    if (!path) return no_memory(weights->path, error);
    if (ink_file_exists(path)) break;
    free(path);
    path = NULL;
  }
  ink_status status = path ? INK_OK : find_gguf(weights->path, &path, error);
  if (status == INK_OK && strstr(ink_path_name(path), ".index.json")) {
    weights->format = INK_WEIGHTS_SAFETENSORS;
    status = open_indexed(weights, path, error);
    if (status == INK_OK) status = load_config(weights, weights->path, error);
  } else if (status == INK_OK) {
    status = open_file(weights, path, error);
  }
  free(path);
  return status;
}

ink_status ink_weights_open(const char *path, ink_weights **weights, ink_error *error) {
  *weights = NULL;
  if (!ink_file_exists(path)) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s: no such file or folder", path);
  }
  ink_weights *new = calloc(1, sizeof *new);
  if (new) {
    new->path = strdup(path);
    new->name = ink_model_name(path);
    new->notes = ink_hash_notes_new();
  }
  ink_status status;
  if (!new || !new->path || !new->name || !new->notes) {
    status = no_memory(path, error);
  } else if (ink_file_is_folder(path)) {
    status = open_folder(new, error);
  } else {
    status = open_file(new, path, error);
  }
  if (status != INK_OK) {
    ink_weights_close(new);
    return status;
  }
  *weights = new;
  return INK_OK;
}

void ink_weights_close(ink_weights *weights) {
  if (!weights) return;
  for (size_t i = 0; i < weights->n_parts; i++) {
    ink_gguf_close(weights->parts[i].gguf);
    ink_safetensors_close(weights->parts[i].safetensors);
    ink_torch_close(weights->parts[i].torch);
    free(weights->parts[i].path);
  }
  free(weights->parts);
  free(weights->entries);
  free(weights->by_name);
  json_decref(weights->config);
  ink_hash_notes_free(weights->notes);
  free(weights->path);
  free(weights->name);
  free(weights);
}

// -- Access ---------------------------------------------------------------------------------------

void ink_weights_let_go(const ink_weights *weights, const void *data, size_t bytes) {
  for (size_t i = 0; i < weights->n_parts; i++)
    ink_map_let_go(part_map(&weights->parts[i]), data, bytes);
}

ink_weights_format ink_weights_format_of(const ink_weights *weights) {
  return weights->format;
}

const char *ink_weights_path(const ink_weights *weights) {
  return weights->path;
}

const char *ink_weights_name(const ink_weights *weights) {
  return weights->name;
}

size_t ink_weights_n_files(const ink_weights *weights) {
  return weights->n_parts;
}

const char *ink_weights_file(const ink_weights *weights, size_t index) {
  return weights->parts[index].path;
}

size_t ink_weights_count(const ink_weights *weights) {
  return weights->n;
}

const ink_weights_entry *ink_weights_at(const ink_weights *weights, size_t index) {
  return &weights->entries[index];
}

int64_t ink_weights_parameters(const ink_weights *weights) {
  int64_t total = 0;
  for (size_t i = 0; i < weights->n; i++) {
    int64_t elements = 1;  // the readers have checked the product
    for (int j = 0; j < weights->entries[i].rank; j++) elements *= weights->entries[i].shape[j];
    total += elements;
  }
  return total;
}

static int name_order(const void *name, const void *entry) {
  return strcmp(name, (*(const ink_weights_entry *const *)entry)->name);
}

const ink_weights_entry *ink_weights_entry_of(const ink_weights *weights, const char *name) {
  const ink_weights_entry **found =
      bsearch(name, weights->by_name, weights->n, sizeof *weights->by_name, name_order);
  return found ? *found : NULL;
}

const ink_tensor *ink_weights_find(const ink_weights *weights, const char *name) {
  const ink_weights_entry *entry = ink_weights_entry_of(weights, name);
  return entry && entry->usable ? &entry->tensor : NULL;
}

// "[2, any, 64]" for messages.
static const char *describe(int rank, const int64_t *shape, char *out, size_t size) {
  size_t used = (size_t)snprintf(out, size, "[");
  for (int i = 0; i < rank && used < size - 1; i++) {
    const char *comma = i ? ", " : "";
    int n = shape[i] < 0 ? snprintf(out + used, size - used, "%sany", comma)
                         : snprintf(out + used, size - used, "%s%lld", comma, (long long)shape[i]);
    used += n > 0 ? (size_t)n : 0;
  }
  if (used < size - 1) snprintf(out + used, size - used, "]");
  return out;
}

ink_status ink_weights_get(const ink_weights *weights, const char *name, int rank,
                           const int64_t *shape, const ink_tensor **tensor, ink_error *error) {
  char wanted[160], found[160];
  *tensor = NULL;
  const ink_weights_entry *entry = ink_weights_entry_of(weights, name);
  if (!entry) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s: no tensor %s; one of shape %s belongs here",
                    weights->path, name, describe(rank, shape, wanted, sizeof wanted));
  }
  bool same = entry->rank == rank;
  for (int i = 0; same && i < rank; i++) same = shape[i] < 0 || shape[i] == entry->shape[i];
  if (!same) {
    return ink_fail(error, INK_ERR_CONFLICT, "%s: tensor %s has shape %s where %s belongs",
                    weights->path, name, describe(entry->rank, entry->shape, found, sizeof found),
                    describe(rank, shape, wanted, sizeof wanted));
  }
  if (entry->rank > INK_MAX_RANK) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: tensor %s has %d dimensions, more than %d",
                    weights->path, name, entry->rank, INK_MAX_RANK);
  }
  if (!entry->usable) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: tensor %s has type %s, which inkstone does not compute with; take the "
                    "model in F32, F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K",
                    weights->path, name, entry->type_name);
  }
  *tensor = &entry->tensor;
  return INK_OK;
}

const json_t *ink_weights_config(const ink_weights *weights) {
  return weights->config;
}

const ink_gguf *ink_weights_gguf(const ink_weights *weights) {
  return weights->format == INK_WEIGHTS_GGUF ? weights->parts[0].gguf : NULL;
}

ink_status ink_weights_sha256(const ink_weights *weights, ink_hash_trust trust,
                              char hex[INK_SHA256_HEX], ink_error *error) {
  const char **paths = calloc(weights->n_parts, sizeof *paths);
  if (!paths) return no_memory(weights->path, error);
  for (size_t i = 0; i < weights->n_parts; i++) paths[i] = weights->parts[i].path;
  ink_status status =
      ink_hash_files(weights->notes, paths, weights->n_parts, trust == INK_HASH_NOTED, hex, error);
  free(paths);
  return status;
}
