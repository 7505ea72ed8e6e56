// Plug-ins and taught words of inkstone paint.
#include "cli/paint_plugins.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "lang/catalogue.h"
#include "models/lora.h"

// ---- by name ------------------------------------------------------------------------------------

enum { MOST_DEPTH = 8, MOST_LISTED = 12 };

// A search below folders for a file of this name.
typedef struct search {
  const char *name;
  char *found;
  ink_text others;  // stems of what else is there
  size_t n_others;
  bool failed;  // no memory to look everywhere
} search;

// The length of a weight file's name without its ending; 0 for other files.
static size_t stem_size(const char *file) {
  static const char *const endings[] = {".safetensors", ".pt", ".ckpt", ".bin", ".pth"};
  size_t size = strlen(file);
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    size_t tail = strlen(endings[i]);
    if (size > tail && strcasecmp(file + size - tail, endings[i]) == 0) return size - tail;
  }
  return 0;
}

static void consider(search *s, const char *folder, const char *file) {
  size_t stem = stem_size(file), size = strlen(s->name);
  if (stem == 0) return;
  bool same = strcmp(file, s->name) == 0 || (size == stem && memcmp(file, s->name, stem) == 0);
  if (same && !s->found) {
    s->found = ink_path_join(folder, file);
    s->failed = s->failed || !s->found;
  } else if (!same && s->n_others++ < MOST_LISTED) {
    ink_text_format(&s->others, "%s%.*s", s->n_others > 1 ? ", " : "", (int)stem, file);
  }
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_shown(const struct dirent *entry) {
  return entry->d_name[0] != '.';
}

static void look_below(search *s, const char *folder, int depth) {
  struct dirent **entries = NULL;
  errno = 0;
  int n = depth < MOST_DEPTH ? scandir(folder, &entries, is_shown, by_name) : 0;
  s->failed = s->failed || (n < 0 && errno == ENOMEM);
  for (int i = 0; i < n; i++) {
    char *path = ink_path_join(folder, entries[i]->d_name);
    s->failed = s->failed || !path;
    if (path && ink_file_is_folder(path)) {
      look_below(s, path, depth + 1);
    } else if (path) {
      consider(s, folder, entries[i]->d_name);
    }
    free(path);
    free(entries[i]);
  }
  free(entries);
}

static ink_status not_found(const search *s, ink_paint_plugin kind, const char *where,
                            const char *there, ink_error *error) {
  const char *name = s->name;
  switch (kind) {
    case INK_PAINT_LORA:
      return ink_fail(error, INK_ERR_NOT_FOUND,
                      "no LoRA \"%.120s\": neither a file nor a name below %.280s%s; give the "
                      "file's path, or with --lora-dir the folder that it lies in",
                      name, where, there);
    case INK_PAINT_EMBEDDING:
      return ink_fail(error, INK_ERR_NOT_FOUND,
                      "no embedding \"%.120s\": neither a file nor a name below %.280s%s; give the "
                      "file's path, or with --embedding-dir the folder that it lies in",
                      name, where, there);
    default:
      return ink_fail(error, INK_ERR_NOT_FOUND,
                      "no upscaler \"%.120s\": neither a file nor a name below %.280s%s; give the "
                      "file's path, or put it there",
                      name, where, there);
  }
}

ink_status ink_paint_find_plugin(const char *name, const char *folder, ink_paint_plugin kind,
                                 char **path, ink_error *error) {
  static const char *const folders_of[] = {"loras", "embeddings", "upscalers"};
  *path = NULL;
  if (ink_file_exists(name)) {
    *path = strdup(name);
    return *path ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for a recipe");
  }
  search s = {.name = name};
  ink_text where = {0}, there = {0};
  ink_status status = INK_OK;
  if (folder) {
    ink_text_add(&where, folder);
    look_below(&s, folder, 0);
  } else {
    char *folders[INK_SHIPPED_FOLDERS];
    size_t n;
    status = ink_folder_shipped("models", folders, &n, error);
    for (size_t i = 0; i < n; i++) {
      char *below = ink_path_join(folders[i], folders_of[kind]);
      ink_text_format(&where, "%s%s", i ? ", " : "", below ? below : "");
      if (below) look_below(&s, below, 0);
      s.failed = s.failed || !below;
      free(below);
      free(folders[i]);
    }
  }
  *path = s.found;
  if (status == INK_OK && (s.failed || s.others.failed)) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory to look for %s", name);
  }
  if (status == INK_OK && !s.found) {
    if (s.n_others) {
      ink_text_add(&there, " (");
      ink_text_add(&there, ink_error_say(error, "there are "));
      ink_text_format(&there, "%s%s)", ink_text_string(&s.others),
                      s.n_others > MOST_LISTED ? ", …" : "");
    }
    status = not_found(&s, kind, ink_text_string(&where), ink_text_string(&there), error);
  }
  ink_text_free(&where);
  ink_text_free(&there);
  ink_text_free(&s.others);
  return status;
}

// ---- opening ------------------------------------------------------------------------------------

enum { PIECE = 1 << 16 };  // of a file, small enough to stay in cache for a second hash

// Where the content of a safetensors file begins; 0 for others, which begin otherwise.
static size_t content_begin(const ink_map *map) {
  uint64_t header = map->size > 8 ? ink_little(map->data, 8) : 0;
  bool fits = map->size > 8 && header <= map->size - 8 && map->data[8] == '{';
  return fits ? 8 + (size_t)header : 0;
}

// The hash of a file, and that of what stands behind `begin`, from one reading.
static ink_status hash_both(const ink_map *map, size_t begin, char whole[INK_SHA256_HEX],
                            char behind[INK_SHA256_HEX], ink_error *error) {
  ink_sha256 all, rest;
  INK_TRY(ink_sha256_start(&all, error));
  ink_status status = ink_sha256_start(&rest, error);
  if (status != INK_OK) {
    ink_sha256_finish(&all, NULL);
    return status;
  }
  ink_sha256_add(&all, map->data, begin);
  for (size_t at = begin; at < map->size; at += PIECE) {
    size_t size = map->size - at < PIECE ? map->size - at : PIECE;
    ink_sha256_add(&all, map->data + at, size);
    ink_sha256_add(&rest, map->data + at, size);
  }
  ink_sha256_finish(&all, whole);
  ink_sha256_finish(&rest, behind);
  return INK_OK;
}

// The file's hash, which the recipe may know. With it, where it is asked for, the one by which
// A1111 and the sites that host plug-ins know one: of what stands behind the header of a
// safetensors file, which notes may change.
static ink_status check_hash(const char *path, char sha256[INK_SHA256_HEX],
                             char content[INK_SHA256_HEX], ink_error *error) {
  char found[INK_SHA256_HEX];
  ink_map map;
  if (content) content[0] = 0;
  INK_TRY(ink_map_open(path, &map, error));
  size_t begin = content ? content_begin(&map) : 0;
  ink_status status = begin ? hash_both(&map, begin, found, content, error)
                            : ink_sha256_of(map.data, map.size, found, error);
  ink_map_close(&map);
  INK_TRY(status);
  if (sha256[0] && strcmp(found, sha256) != 0) {
    return ink_fail(error, INK_ERR_CONFLICT, "%s is not the plug-in that the picture used", path);
  }
  memcpy(sha256, found, sizeof found);
  return INK_OK;
}

// A picture tells a plug-in's name to the world, but not where it lies on this machine.
static ink_status keep_file_name(char **to, const char *path, ink_error *error) {
  char *name = strdup(ink_path_name(path));
  if (!name) return ink_fail(error, INK_ERR_MEMORY, "no memory for a recipe");
  free(*to);
  *to = name;
  return INK_OK;
}

// What a plug-in changed is said; a part that fits nothing is no secret, and all of it an error.
static ink_status tell_coverage(const char *path, const ink_lora_report *report, ink_status status,
                                ink_error *error) {
  size_t n_changed = report->n_unet + report->n_text, n_left = report->n_unmatched;
  const char *more = n_left > 3 ? ", …" : "";
  if (status == INK_ERR_CONFLICT && n_left && n_changed) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s: %zu tensors fit no part of this model: %s%s; --lora-partial leaves them "
                    "out",
                    path, n_left, report->unmatched, more);
  }
  INK_TRY(status);
  if (n_left && !n_changed) {
    return ink_fail(error, INK_ERR_CONFLICT, "%s: nothing of it fits this model: %s%s", path,
                    report->unmatched, more);
  }
  fprintf(stderr, ink_tr("%s: %zu weights of the UNet changed, %zu of the text encoder\n"), path,
          report->n_unet, report->n_text);
  if (!n_left) return INK_OK;
  fprintf(stderr, ink_tr("%s: %zu tensors fit nothing and are left out: %s%s\n"), path, n_left,
          report->unmatched, more);
  return INK_OK;
}

static ink_status open_lora(const ink_paint_arguments *a, ink_paint_recipe_lora *lora,
                            ink_pipeline *pipeline, ink_error *error) {
  char *path;
  ink_lora_report report = {0};
  bool partial = a->lora_partial || lora->partial;
  INK_TRY(ink_paint_find_plugin(lora->path, a->lora_dir, INK_PAINT_LORA, &path, error));
  ink_status status = check_hash(path, lora->sha256, lora->content_sha256, error);
  if (status == INK_OK) {
    status = ink_pipeline_merge_lora(pipeline, path, lora->weight, partial, &report, error);
    status = tell_coverage(path, &report, status, error);
  }
  lora->partial = report.n_unmatched > 0;
  if (status == INK_OK) status = keep_file_name(&lora->path, path, error);
  free(path);
  return status;
}

static ink_status open_word(const ink_paint_arguments *a, ink_paint_recipe_word *word, size_t i,
                            ink_pipeline *pipeline, ink_error *error) {
  char *path;
  INK_TRY(ink_paint_find_plugin(word->path, a->embedding_dir, INK_PAINT_EMBEDDING, &path, error));
  ink_status status = check_hash(path, word->sha256, NULL, error);
  if (status == INK_OK) status = ink_pipeline_add_embedding(pipeline, path, word->word, error);
  if (status == INK_OK) status = keep_file_name(&word->path, path, error);
  if (status == INK_OK && !word->word) {
    status = keep_file_name(&word->word, ink_pipeline_word_at(pipeline, i), error);
  }
  free(path);
  return status;
}

ink_status ink_paint_open_plugins(const ink_paint_arguments *a, ink_paint_recipe *r,
                                  ink_pipeline *pipeline, ink_error *error) {
  for (size_t i = 0; i < r->n_loras; i++) INK_TRY(open_lora(a, &r->loras[i], pipeline, error));
  for (size_t i = 0; i < r->n_words; i++) INK_TRY(open_word(a, &r->words[i], i, pipeline, error));
  return INK_OK;
}
