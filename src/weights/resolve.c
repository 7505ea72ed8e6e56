// From what a user calls a model to where it lies, without the network.
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "weights/cache.h"
#include "weights/check.h"
#include "weights/files.h"
#include "weights/hub.h"

static ink_status take_path(char *path, const char *reference, char **out, ink_error *error) {
  *out = path;
  if (path) return INK_OK;
  return ink_fail(error, INK_ERR_MEMORY, "no memory to look for the model %s", reference);
}

// A folder of this name below one of those that came with the program; NULL when there is none.
static ink_status find_shipped(const char *name, char **found, ink_error *error) {
  char *folders[INK_SHIPPED_FOLDERS];
  size_t n;
  *found = NULL;
  ink_status status = ink_folder_shipped("models", folders, &n, error);
  for (size_t i = 0; i < n; i++) {
    if (status == INK_OK && !*found) {
      status = take_path(ink_path_join(folders[i], name), name, found, error);
    }
    if (*found && !ink_file_is_folder(*found)) {
      free(*found);
      *found = NULL;
    }
    free(folders[i]);
  }
  return status;
}

static ink_status not_found(const char *reference, ink_error *error) {
  char *folders[INK_SHIPPED_FOLDERS];
  size_t n;
  INK_TRY(ink_folder_shipped("models", folders, &n, error));
  ink_text where = {0};
  for (size_t i = 0; i < n; i++) {
    ink_text_format(&where, "%s%s", i ? ", " : "", folders[i]);
    free(folders[i]);
  }
  ink_status status = ink_text_status(&where, error);
  if (status == INK_OK) {
    status =
        ink_fail(error, INK_ERR_NOT_FOUND,
                 "no model \"%.*s\": neither a path nor a model in %.400s; `inkstone model list` "
                 "shows what is there",
                 INK_SHOWN(reference), ink_text_string(&where));
  }
  ink_text_free(&where);
  return status;
}

ink_status ink_model_resolve(const char *reference, char **path, ink_error *error) {
  ink_hub_ref ref;
  *path = NULL;
  bool word = ink_file_name_is_plain(reference);
  if (word) INK_TRY(find_shipped(reference, path, error));
  if (*path) return INK_OK;
  if (reference[0] && ink_file_exists(reference)) {
    return take_path(strdup(reference), reference, path, error);
  }
  if (word || ink_hub_ref_parse(reference, &ref, NULL) != INK_OK) {
    return not_found(reference, error);
  }
  ink_error inner = {0};
  ink_status status = ink_cache_find(&ref, path, &inner);
  if (status == INK_ERR_NOT_FOUND && !*path) {
    return ink_fail(error, status,
                    "%.*s is neither a path nor in the cache (%.300s); `inkstone model pull %.*s` "
                    "fetches it",
                    INK_SHOWN(reference), inner.text, INK_SHOWN(reference));
  }
  if (status != INK_OK && error) *error = inner;
  return status;
}

// -- What came with the program -------------------------------------------------------------------

// Add the folder `name` below `parent`, unless a model of that name is there: earlier places hide
// later ones.
static ink_status add_shipped(const char *parent, const char *name, ink_hub_model **models,
                              size_t *n, ink_error *error) {
  for (size_t i = 0; i < *n; i++) {
    if (strcmp((*models)[i].repo, name) == 0) return INK_OK;
  }
  char *path = ink_path_join(parent, name);
  if (path && !ink_file_is_folder(path)) {
    free(path);
    return INK_OK;
  }
  ink_hub_model *grown = realloc(*models, (*n + 1) * sizeof **models);
  char *kept = strdup(name);
  if (grown) *models = grown;
  if (!path || !grown || !kept) {
    free(path);
    free(kept);
    return ink_fail(error, INK_ERR_MEMORY, "no memory for the list of models");
  }
  ink_hub_model *model = &grown[(*n)++];
  *model = (ink_hub_model){.repo = kept, .path = path};
  return ink_folder_measure(path, &model->bytes, error);
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const ink_hub_model *)a)->repo, ((const ink_hub_model *)b)->repo);
}

ink_status ink_shipped_list(ink_hub_model **models, size_t *n, ink_error *error) {
  char *folders[INK_SHIPPED_FOLDERS];
  size_t n_folders;
  *models = NULL;
  *n = 0;
  ink_status status = ink_folder_shipped("models", folders, &n_folders, error);
  for (size_t i = 0; i < n_folders; i++) {
    DIR *listing = NULL;
    if (status == INK_OK) status = ink_folder_open(folders[i], &listing, error);
    for (struct dirent *item; listing && status == INK_OK && (item = readdir(listing));) {
      if (ink_file_name_is_plain(item->d_name)) {
        status = add_shipped(folders[i], item->d_name, models, n, error);
      }
    }
    if (listing) closedir(listing);
    free(folders[i]);
  }
  if (*n) qsort(*models, *n, sizeof **models, by_name);
  if (status == INK_OK) return INK_OK;
  ink_hub_list_free(*models, *n);
  *models = NULL;
  *n = 0;
  return status;
}
