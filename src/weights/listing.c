// Reading a repository's listing, and choosing from it.
#include "weights/listing.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "weights/check.h"
#include "weights/files.h"

#define MOST_FILE ((int64_t)1 << 53)  // bytes: what JSON counts exactly
enum { MOST_SIDE = 64 << 20 };        // bytes of a file beside the weights

void ink_listing_free(ink_listing *listing) {
  for (size_t i = 0; i < listing->n; i++) free(listing->files[i].path);
  free(listing->files);
  *listing = (ink_listing){0};
}

// -- Reading --------------------------------------------------------------------------------------

static ink_status read_file(const json_t *item, const char *name, ink_listing *listing,
                            ink_error *error) {
  const char *path = NULL, *blob = NULL, *sha256 = NULL;
  INK_TRY(ink_json_get_string(item, "rfilename", name, &path, error));
  if (!path) return ink_fail(error, INK_ERR_FORMAT, "%s: a file without a name", name);
  if (!ink_hub_path_is_safe(path)) return INK_OK;
  ink_listed_file *file = &listing->files[listing->n];
  *file = (ink_listed_file){.size = -1};
  INK_TRY(ink_json_get_int(item, "size", name, 0, MOST_FILE, &file->size, error));
  INK_TRY(ink_json_get_string(item, "blobId", name, &blob, error));
  const json_t *lfs = json_object_get(item, "lfs");
  if (json_is_object(lfs)) {
    INK_TRY(ink_json_get_string(lfs, "sha256", name, &sha256, error));
    INK_TRY(ink_json_get_int(lfs, "size", name, 0, MOST_FILE, &file->size, error));
  }
  if ((blob && !ink_commit_is_hex(blob)) || (sha256 && !ink_sha256_is_hex(sha256))) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: the hash of %.*s is none", name, INK_SHOWN(path));
  }
  if (blob) snprintf(file->blob, sizeof file->blob, "%s", blob);
  if (sha256) snprintf(file->sha256, sizeof file->sha256, "%s", sha256);
  file->path = strdup(path);
  if (!file->path) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for it", name);
  listing->n++;
  return INK_OK;
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const ink_listed_file *)a)->path, ((const ink_listed_file *)b)->path);
}

static ink_status read_listing(const json_t *root, const char *name, ink_listing *listing,
                               ink_error *error) {
  const char *commit = NULL;
  if (!json_is_object(root)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: not a JSON object", name);
  }
  INK_TRY(ink_json_get_string(root, "sha", name, &commit, error));
  if (!commit || !ink_commit_is_hex(commit)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /sha is not the 40 digits of a commit", name);
  }
  snprintf(listing->commit, sizeof listing->commit, "%s", commit);
  const json_t *files = json_object_get(root, "siblings"), *item;
  if (!json_is_array(files)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /siblings is not a list", name);
  }
  size_t i;
  listing->files = calloc(json_array_size(files) + 1, sizeof *listing->files);
  if (!listing->files) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for it", name);
  json_array_foreach(files, i, item) {
    if (!json_is_object(item)) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: /siblings/%zu is not an object", name, i);
    }
    INK_TRY(read_file(item, name, listing, error));
  }
  if (listing->n) qsort(listing->files, listing->n, sizeof *listing->files, by_path);
  for (i = 1; i < listing->n; i++) {
    if (strcmp(listing->files[i - 1].path, listing->files[i].path) != 0) continue;
    return ink_fail(error, INK_ERR_FORMAT, "%s: %.*s is there twice", name,
                    INK_SHOWN(listing->files[i].path));
  }
  return INK_OK;
}

ink_status ink_listing_parse(const char *bytes, size_t size, const char *name, ink_listing *listing,
                             ink_error *error) {
  json_t *root;
  INK_TRY(ink_json_parse(bytes, size, name, &root, error));
  ink_status status = read_listing(root, name, listing, error);
  json_decref(root);
  return status;
}

// -- Choosing -------------------------------------------------------------------------------------

static bool starts_with(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

static bool ends_with(const char *text, const char *end) {
  size_t size = strlen(text), end_size = strlen(end);
  return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static bool is_top(const char *path) {
  return strchr(path, '/') == NULL;
}

static bool has(const ink_listing *listing, const char *path) {
  for (size_t i = 0; i < listing->n; i++) {
    if (strcmp(listing->files[i].path, path) == 0) return true;
  }
  return false;
}

static bool is_document(const char *path) {
  return is_top(path) && (strcmp(path, "README.md") == 0 || starts_with(path, "LICENSE") ||
                          starts_with(path, "NOTICE"));
}

// Small files that say how the weights are to be used; not those of other programs' weights.
static bool is_side_file(const ink_listed_file *file) {
  static const char *const endings[] = {".json", ".txt", ".model", ".jinja"};
  static const char *const foreign[] = {"pytorch_model", "tf_model", "flax_model", "onnx",
                                        "openvino"};
  if (file->size > MOST_SIDE) return false;
  if (is_document(file->path)) return true;
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
    if (strstr(file->path, foreign[i])) return false;
  }
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    if (ends_with(file->path, endings[i])) return true;
  }
  return false;
}

// "unet/model.fp16.safetensors" is another form of "unet/model.safetensors"; where that is there,
// the variant is not needed.
static bool is_spare_variant(const ink_listing *listing, const char *path) {
  static const char *const variants[] = {".fp16.", ".bf16.", ".fp32.", ".non_ema."};
  for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
    const char *at = strstr(path, variants[i]);
    if (!at) continue;
    char *plain = NULL;
    size_t length = strlen(variants[i]);
    if (asprintf(&plain, "%.*s.%s", (int)(at - path), path, at + length) < 0) return false;
    bool spare = has(listing, plain);
    free(plain);
    if (spare) return true;
  }
  return false;
}

typedef enum kind { KIND_NONE, KIND_FOLDER, KIND_ANY_SAFETENSORS, KIND_PIPELINE } kind;

// In what form a repository keeps safetensors: as a model's folder, a pipeline of several (with
// model_index.json), or under names of its own (adapters).
static kind kind_of(const ink_listing *listing) {
  kind found = KIND_NONE;
  if (has(listing, "model_index.json")) return KIND_PIPELINE;
  for (size_t i = 0; i < listing->n; i++) {
    const char *path = listing->files[i].path;
    if (!is_top(path) || !ends_with(path, ".safetensors")) continue;
    if (starts_with(path, "model.") || starts_with(path, "model-")) return KIND_FOLDER;
    found = KIND_ANY_SAFETENSORS;
  }
  return found;
}

static bool is_weight(const ink_listing *listing, kind form, const char *path) {
  if (!ends_with(path, ".safetensors")) return false;
  if (form == KIND_PIPELINE) return !is_top(path) && !is_spare_variant(listing, path);
  if (!is_top(path)) return false;
  return form == KIND_ANY_SAFETENSORS || starts_with(path, "model.") || starts_with(path, "model-");
}

typedef struct selection {
  size_t *indices;
  size_t n;
  bool *taken;
} selection;

static void take(selection *s, size_t index) {
  if (s->taken[index]) return;
  s->taken[index] = true;
  s->indices[s->n++] = index;
}

static void select_safetensors(const ink_listing *listing, kind form, selection *s) {
  for (size_t i = 0; i < listing->n; i++) {
    const ink_listed_file *file = &listing->files[i];
    bool near = is_top(file->path) || form == KIND_PIPELINE;
    if (near && is_side_file(file)) take(s, i);
  }
  for (size_t i = 0; i < listing->n; i++) {
    if (is_weight(listing, form, listing->files[i].path)) take(s, i);
  }
}

static ink_status select_gguf(const ink_listing *listing, const ink_hub_ref *ref, selection *s,
                              ink_error *error) {
  const char **paths = calloc(listing->n + 1, sizeof *paths);
  if (!paths) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for its files", ref->repo);
  for (size_t i = 0; i < listing->n; i++) paths[i] = listing->files[i].path;
  size_t index;
  ink_status status = ink_hub_choose_gguf(ref->repo, paths, listing->n, ref->quant, &index, error);
  if (status == INK_OK && index == listing->n) {
    status =
        ink_fail(error, INK_ERR_NOT_FOUND, "%s: it has neither safetensors nor GGUF", ref->repo);
  }
  size_t stem = 0, count = 0, number, parts = 0;
  for (size_t i = 0; i < listing->n && status == INK_OK; i++) {
    if (is_document(paths[i])) take(s, i);
  }
  if (status == INK_OK && ink_gguf_split_name(paths[index], &stem, NULL, &count)) {
    for (size_t i = 0; i < listing->n; i++) {
      size_t other, all;
      if (!ink_gguf_split_name(paths[i], &other, &number, &all) || other != stem || all != count ||
          strncmp(paths[i], paths[index], stem) != 0) {
        continue;
      }
      take(s, i);
      parts++;
    }
    if (parts != count) {
      status = ink_fail(error, INK_ERR_NOT_FOUND, "%s: of %s there are %zu parts, not %zu",
                        ref->repo, paths[index], parts, count);
    }
  } else if (status == INK_OK) {
    take(s, index);
  }
  free(paths);
  return status;
}

ink_status ink_listing_select(const ink_listing *listing, const ink_hub_ref *ref, size_t **indices,
                              size_t *n, ink_error *error) {
  *indices = NULL;
  *n = 0;
  selection s = {.indices = calloc(listing->n + 1, sizeof *s.indices),
                 .taken = calloc(listing->n + 1, sizeof *s.taken)};
  ink_status status = INK_OK;
  kind form = ref->quant[0] ? KIND_NONE : kind_of(listing);
  if (!s.indices || !s.taken) {
    status = ink_fail(error, INK_ERR_MEMORY, "%s: no memory for its files", ref->repo);
  } else if (form != KIND_NONE) {
    select_safetensors(listing, form, &s);
  } else {
    status = select_gguf(listing, ref, &s, error);
  }
  free(s.taken);
  if (status != INK_OK) {
    free(s.indices);
    return status;
  }
  *indices = s.indices;
  *n = s.n;
  return INK_OK;
}

// -- What is asked for by name --------------------------------------------------------------------

bool ink_hub_path_matches(const char *pattern, const char *path) {
  if (ends_with(pattern, "/")) return starts_with(path, pattern);
  return fnmatch(pattern, path, FNM_NOESCAPE) == 0;
}

static ink_status names_nothing(const ink_listing *listing, const char *repo, const char *pattern,
                                ink_error *error) {
  ink_text names = {0};
  for (size_t i = 0; i < listing->n; i++) {
    ink_text_format(&names, "%s%s", i ? ", " : "", listing->files[i].path);
  }
  ink_status status =
      ink_fail(error, INK_ERR_NOT_FOUND, "%s: no file is named by \"%.*s\"; there are %.400s", repo,
               INK_SHOWN(pattern), names.size ? ink_text_string(&names) : "-");
  ink_text_free(&names);
  return status;
}

ink_status ink_listing_include(const ink_listing *listing, const char *repo,
                               const char *const *include, size_t n_include, size_t **indices,
                               size_t *n, ink_error *error) {
  *n = 0;
  *indices = calloc(listing->n + 1, sizeof **indices);
  bool *met = calloc(n_include + 1, sizeof *met);
  ink_status status = INK_OK;
  if (!*indices || !met) {
    status = ink_fail(error, INK_ERR_MEMORY, "%s: no memory for its files", repo);
  }
  for (size_t i = 0; status == INK_OK && i < listing->n; i++) {
    bool wanted = false;
    for (size_t j = 0; j < n_include; j++) {
      if (!ink_hub_path_matches(include[j], listing->files[i].path)) continue;
      wanted = met[j] = true;
    }
    if (wanted) (*indices)[(*n)++] = i;
  }
  for (size_t j = 0; status == INK_OK && j < n_include; j++) {
    if (!met[j]) status = names_nothing(listing, repo, include[j], error);
  }
  free(met);
  if (status == INK_OK) return INK_OK;
  free(*indices);
  *indices = NULL;
  *n = 0;
  return status;
}
