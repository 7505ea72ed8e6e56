// The Hugging Face cache on disk: where things are, what is there, removing it.
#include "weights/cache.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "weights/check.h"
#include "weights/files.h"

static ink_status no_memory(ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "no memory for names in the model cache");
}

// -- Names ----------------------------------------------------------------------------------------

bool ink_commit_is_hex(const char *text) {
  return strlen(text) == 40 && strspn(text, "0123456789abcdef") == 40;
}

bool ink_hub_path_is_safe(const char *path) {
  size_t bad;
  if (!ink_name_valid(path, strlen(path), &bad) || strchr(path, '\\')) return false;
  for (const char *part = path;; part++) {
    if (*part == '.' || *part == '/' || *part == 0) return false;
    part = strchr(part, '/');
    if (!part) return true;
  }
}

bool ink_hub_etag_is_safe(const char *etag) {
  size_t length = strlen(etag);
  if (length < 1 || length > 128) return false;
  for (size_t i = 0; i < length; i++) {
    if (!isalnum((unsigned char)etag[i]) && etag[i] != '-' && etag[i] != '_') return false;
  }
  return true;
}

// One half of "ORG/REPO", as the hub allows them.
static bool is_repo_part(const char *text, size_t length) {
  if (length < 1 || length > 96 || text[0] == '.' || text[0] == '-' || text[length - 1] == '.' ||
      text[length - 1] == '-') {
    return false;
  }
  for (size_t i = 0; i < length; i++) {
    if (!isalnum((unsigned char)text[i]) && !strchr("-_.", text[i])) return false;
    if (i && (text[i] == '-' || text[i] == '.') && text[i] == text[i - 1]) return false;
  }
  return true;
}

ink_status ink_hub_ref_parse(const char *text, ink_hub_ref *ref, ink_error *error) {
  const char *start = strncmp(text, "hf://", 5) == 0 ? text + 5 : text;
  size_t org = strcspn(start, "/:@");
  const char *repo = start[org] == '/' ? start + org + 1 : NULL;
  size_t length = repo ? strcspn(repo, "/:@") : 0;
  const char *rest = repo ? repo + length : "";
  size_t quant = *rest == ':' ? strcspn(rest + 1, "@") : 0;
  const char *revision = *rest == ':' ? rest + 1 + quant : rest;
  *ref = (ink_hub_ref){.revision = "main"};
  bool fine = repo && is_repo_part(start, org) && is_repo_part(repo, length) && *rest != '/';
  if (fine && *rest == ':') {
    fine = quant > 0 && quant < sizeof ref->quant;
    for (size_t i = 0; fine && i < quant; i++) {
      fine = isalnum((unsigned char)rest[1 + i]) || strchr("-_.", rest[1 + i]);
    }
  }
  if (fine && *revision == '@') {
    fine = strlen(revision + 1) < sizeof ref->revision && ink_hub_path_is_safe(revision + 1);
  }
  if (!fine) {
    return ink_fail(error, INK_ERR_USAGE,
                    "\"%.*s\" is no model of the hub; write ORG/REPO, ORG/REPO:Q4_K_M or "
                    "ORG/REPO@REVISION",
                    INK_SHOWN(text));
  }
  snprintf(ref->repo, sizeof ref->repo, "%.*s/%.*s", (int)org, start, (int)length, repo);
  if (quant) snprintf(ref->quant, sizeof ref->quant, "%.*s", (int)quant, rest + 1);
  if (*revision == '@') snprintf(ref->revision, sizeof ref->revision, "%s", revision + 1);
  return INK_OK;
}

// -- Places ---------------------------------------------------------------------------------------

ink_status ink_path_from_environment(const char *variable, const char *ending, char **path,
                                     ink_error *error) {
  const char *set = getenv(variable), *home = getenv("HOME");
  if (!set || !set[0]) return INK_OK;
  char *expanded = strncmp(set, "~/", 2) == 0 && home ? ink_path_join(home, set + 2) : strdup(set);
  if (!expanded || !ending[0]) {
    *path = expanded;
  } else {
    *path = ink_path_join(expanded, ending);
    free(expanded);
  }
  return *path ? INK_OK : no_memory(error);
}

ink_status ink_hub_folder(char **path, ink_error *error) {
  static const struct {
    const char *variable, *ending;
  } places[] = {{"HF_HUB_CACHE", ""},
                {"HUGGINGFACE_HUB_CACHE", ""},
                {"HF_HOME", "hub"},
                {"XDG_CACHE_HOME", "huggingface/hub"},
                {"HOME", ".cache/huggingface/hub"}};
  *path = NULL;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    INK_TRY(ink_path_from_environment(places[i].variable, places[i].ending, path, error));
    if (*path) return INK_OK;
  }
  return ink_fail(error, INK_ERR_USAGE, "no place for models: set HF_HOME, or HOME");
}

// "models--ORG--REPO".
static void folder_name(const char *repo, char *out, size_t size) {
  const char *slash = strchr(repo, '/');
  snprintf(out, size, "models--%.*s--%s", (int)(slash - repo), repo, slash + 1);
}

static ink_status below_hub(const char *between, const char *repo, char **path, ink_error *error) {
  char name[260], *hub;
  *path = NULL;
  INK_TRY(ink_hub_folder(&hub, error));
  folder_name(repo, name, sizeof name);
  char *parent = between[0] ? ink_path_join(hub, between) : strdup(hub);
  if (parent) *path = ink_path_join(parent, name);
  free(parent);
  free(hub);
  return *path ? INK_OK : no_memory(error);
}

ink_status ink_cache_folder(const char *repo, char **path, ink_error *error) {
  return below_hub("", repo, path, error);
}

ink_status ink_cache_locks(const char *repo, char **path, ink_error *error) {
  return below_hub(".locks", repo, path, error);
}

ink_status ink_cache_lock_path(const char *locks, char **path, ink_error *error) {
  *path = ink_path_join(locks, "inkstone-pull.lock");
  return *path ? INK_OK : no_memory(error);
}

// The commit that a revision (a branch, a tag, or a commit itself) stands at in the cache.
// NOT_FOUND when it is not there.
static ink_status read_commit(const char *folder, const char *revision, char commit[INK_COMMIT_HEX],
                              ink_error *error) {
  char *path = NULL, *text = NULL;
  size_t size = 0;
  if (ink_commit_is_hex(revision)) {
    snprintf(commit, INK_COMMIT_HEX, "%s", revision);
    return INK_OK;
  }
  if (asprintf(&path, "%s/refs/%s", folder, revision) < 0) return no_memory(error);
  ink_status status = ink_file_read(path, 4096, &text, &size, error);
  if (status == INK_OK) {
    text[strcspn(text, " \r\n")] = 0;
    if (ink_commit_is_hex(text)) {
      snprintf(commit, INK_COMMIT_HEX, "%s", text);
    } else {
      status =
          ink_fail(error, INK_ERR_FORMAT, "%s: not the 40 digits of a commit; remove it", path);
    }
  }
  free(text);
  free(path);
  return status;
}

// -- Choosing a GGUF ------------------------------------------------------------------------------

// True when a path carries a quantisation as a word of its own: "…-Q4_K_M.gguf", "Q4_K_M/…".
static bool carries(const char *path, const char *quant) {
  size_t length = strlen(quant);
  for (const char *at = path; (at = strcasestr(at, quant)); at++) {
    bool starts = at == path || strchr("-._/", at[-1]);
    bool ends = at[length] && strchr("-./", at[length]);
    if (starts && ends) return true;
  }
  return false;
}

static bool is_gguf_model(const char *path) {
  size_t length = strlen(path), number = 1;
  if (length < 6 || strcasecmp(path + length - 5, ".gguf") != 0) return false;
  if (strcasestr(path, "mmproj") || strcasestr(path, "imatrix")) return false;
  return !ink_gguf_split_name(path, NULL, &number, NULL) || number == 1;
}

// The best of those that carry it: the shortest path, so that plain models go before variants.
static size_t find_quant(const char *const *paths, size_t n, const char *quant) {
  size_t best = n;
  for (size_t i = 0; i < n; i++) {
    if (!is_gguf_model(paths[i]) || !carries(paths[i], quant)) continue;
    if (best == n || strlen(paths[i]) < strlen(paths[best])) best = i;
  }
  return best;
}

ink_status ink_hub_choose_gguf(const char *repo, const char *const *paths, size_t n,
                               const char *quant, size_t *index, ink_error *error) {
  size_t count = 0, last = n;
  ink_text names = {0};
  for (size_t i = 0; i < n; i++) {
    if (!is_gguf_model(paths[i])) continue;
    count++;
    last = i;
    ink_text_format(&names, "%s%s", names.size ? ", " : "", ink_path_name(paths[i]));
  }
  *index = quant[0] ? find_quant(paths, n, quant) : find_quant(paths, n, "Q4_K_M");
  if (*index == n && !quant[0]) *index = find_quant(paths, n, "Q8_0");
  if (*index == n && !quant[0] && count == 1) *index = last;
  ink_status status = INK_OK;
  if (*index == n && count > 0) {
    status = quant[0]
                 ? ink_fail(error, INK_ERR_NOT_FOUND, "%s: no GGUF of type %s; there are %.400s",
                            repo, quant, ink_text_string(&names))
                 : ink_fail(error, INK_ERR_NOT_FOUND,
                            "%s: which GGUF? Name one as %s:TYPE; there are %.400s", repo, repo,
                            ink_text_string(&names));
  } else if (*index == n && quant[0]) {
    status =
        ink_fail(error, INK_ERR_NOT_FOUND, "%s: it has no GGUF, of type %s or other", repo, quant);
  }
  ink_text_free(&names);
  return status;
}

// -- Finding --------------------------------------------------------------------------------------

void ink_walk_free(char **names, size_t n) {
  for (size_t i = 0; i < n; i++) free(names[i]);
  free(names);
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static ink_status walk(const char *folder, const char *below, int depth, char ***names, size_t *n,
                       ink_error *error) {
  enum { DEEPEST = 16 };
  char *path = below[0] ? ink_path_join(folder, below) : strdup(folder);
  DIR *listing = path ? opendir(path) : NULL;
  ink_status status = path ? INK_OK : no_memory(error);
  if (path && !listing) {
    status = ink_fail(error, errno == ENOMEM ? INK_ERR_MEMORY : INK_ERR_IO, "%s: %s", path,
                      ink_error_say(error, strerror(errno)));
  }
  for (struct dirent *item; status == INK_OK && (item = readdir(listing));) {
    if (item->d_name[0] == '.') continue;
    char *name = below[0] ? ink_path_join(below, item->d_name) : strdup(item->d_name);
    char *full = name ? ink_path_join(folder, name) : NULL;
    char **grown = full ? realloc(*names, (*n + 1) * sizeof **names) : NULL;
    if (grown) *names = grown;
    if (!grown) {
      free(name);
      status = no_memory(error);
    } else if (ink_file_is_folder(full)) {
      if (depth < DEEPEST) status = walk(folder, name, depth + 1, names, n, error);
      free(name);
    } else {
      (*names)[(*n)++] = name;
    }
    free(full);
  }
  if (listing) closedir(listing);
  free(path);
  return status;
}

ink_status ink_folder_walk(const char *folder, char ***names, size_t *n, ink_error *error) {
  *names = NULL;
  *n = 0;
  ink_status status = walk(folder, "", 0, names, n, error);
  if (status != INK_OK) {
    ink_walk_free(*names, *n);
    *names = NULL;
    *n = 0;
    return status;
  }
  if (*n) qsort(*names, *n, sizeof **names, by_text);
  return INK_OK;
}

ink_status ink_folder_measure(const char *folder, uint64_t *bytes, ink_error *error) {
  char **names;
  size_t n;
  *bytes = 0;
  ink_status status = ink_folder_walk(folder, &names, &n, error);
  if (status != INK_OK) return status == INK_ERR_MEMORY ? status : INK_OK;
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    struct stat info;
    char *path = ink_path_join(folder, names[i]);
    if (!path) status = no_memory(error);
    if (path && stat(path, &info) == 0) *bytes += (uint64_t)info.st_size;
    free(path);
  }
  ink_walk_free(names, n);
  return status;
}

// True for a file that makes a snapshot a folder of safetensors: the weights of a model or an
// adapter, their index, or the index of a pipeline of several models.
static bool speaks_of_folder(const char *name) {
  static const char ending[] = ".safetensors";
  size_t length = strlen(name);
  if (strchr(name, '/')) return false;
  return strcmp(name, "model.safetensors.index.json") == 0 ||
         strcmp(name, "model_index.json") == 0 ||
         (length >= sizeof ending && strcmp(name + length - (sizeof ending - 1), ending) == 0);
}

static ink_status find_in_snapshot(const ink_hub_ref *ref, const char *snapshot, char **path,
                                   ink_error *error) {
  char **names;
  size_t n, index;
  INK_TRY(ink_folder_walk(snapshot, &names, &n, error));
  bool folder = false;
  for (size_t i = 0; i < n && !ref->quant[0]; i++) folder = folder || speaks_of_folder(names[i]);
  ink_status status = INK_OK;
  if (folder) {
    *path = strdup(snapshot);
    if (!*path) status = no_memory(error);
  } else {
    status =
        ink_hub_choose_gguf(ref->repo, (const char *const *)names, n, ref->quant, &index, error);
    if (status == INK_OK && index == n) {
      status = ink_fail(error, INK_ERR_NOT_FOUND, "%s: no weights in %s", ref->repo, snapshot);
    } else if (status == INK_OK) {
      *path = ink_path_join(snapshot, names[index]);
      if (!*path) status = no_memory(error);
    }
  }
  ink_walk_free(names, n);
  return status;
}

ink_status ink_cache_snapshot(const ink_hub_ref *ref, char **path, ink_error *error) {
  char *folder, commit[INK_COMMIT_HEX];
  *path = NULL;
  INK_TRY(ink_cache_folder(ref->repo, &folder, error));
  ink_status status = read_commit(folder, ref->revision, commit, error);
  if (status == INK_OK && asprintf(path, "%s/snapshots/%s", folder, commit) < 0) {
    *path = NULL;
    status = no_memory(error);
  }
  if (status == INK_OK && !ink_file_is_folder(*path)) {
    status = ink_fail(error, INK_ERR_NOT_FOUND, "%s: not in the cache", *path);
    free(*path);
    *path = NULL;
  }
  free(folder);
  return status;
}

ink_status ink_cache_find(const ink_hub_ref *ref, char **path, ink_error *error) {
  char *snapshot;
  *path = NULL;
  INK_TRY(ink_cache_snapshot(ref, &snapshot, error));
  ink_status status = find_in_snapshot(ref, snapshot, path, error);
  free(snapshot);
  return status;
}

// -- Listing and removing -------------------------------------------------------------------------

// "ORG/REPO" for "models--ORG--REPO"; false for other names.
static bool repo_of(const char *name, char *out, size_t size) {
  if (strncmp(name, "models--", 8) != 0) return false;
  const char *dashes = strstr(name + 8, "--");
  if (!dashes || strlen(name) >= size) return false;
  snprintf(out, size, "%.*s/%s", (int)(dashes - name - 8), name + 8, dashes + 2);
  ink_hub_ref ref;
  return ink_hub_ref_parse(out, &ref, NULL) == INK_OK;
}

static ink_status measure_blobs(const char *folder, ink_hub_model *model, ink_error *error) {
  static const char ending[] = ".incomplete";
  char *blobs = ink_path_join(folder, "blobs"), **names = NULL;
  size_t n = 0;
  ink_status status = blobs ? ink_folder_walk(blobs, &names, &n, error) : no_memory(error);
  if (status != INK_ERR_MEMORY) status = INK_OK;  // without blobs there are none to count
  for (size_t i = 0; i < n; i++) {
    struct stat info;
    char *path = ink_path_join(blobs, names[i]);
    size_t length = strlen(names[i]);
    if (!path) status = no_memory(error);
    if (path && stat(path, &info) == 0) model->bytes += (uint64_t)info.st_size;
    model->incomplete +=
        length > sizeof ending && strcmp(names[i] + length - (sizeof ending - 1), ending) == 0;
    free(path);
  }
  ink_walk_free(names, n);
  free(blobs);
  return status;
}

// The snapshot a person means: that of "main", else the one changed last; "" where there is none.
static ink_status newest_commit(const char *folder, char commit[INK_COMMIT_HEX], ink_error *error) {
  ink_status status = read_commit(folder, "main", commit, error);
  if (status == INK_OK || status == INK_ERR_MEMORY) return status;
  commit[0] = 0;
  char *snapshots = ink_path_join(folder, "snapshots");
  DIR *listing = NULL;
  status = snapshots ? ink_folder_open(snapshots, &listing, error) : no_memory(error);
  time_t newest = 0;
  for (struct dirent *item; listing && (item = readdir(listing));) {
    struct stat info;
    if (!ink_commit_is_hex(item->d_name)) continue;
    if (fstatat(dirfd(listing), item->d_name, &info, 0) != 0) continue;
    if (commit[0] && info.st_mtime <= newest) continue;
    newest = info.st_mtime;
    snprintf(commit, INK_COMMIT_HEX, "%s", item->d_name);
  }
  if (listing) closedir(listing);
  free(snapshots);
  return status;
}

static ink_status add_model(const char *hub, const char *name, ink_hub_model **models, size_t *n,
                            ink_error *error) {
  char repo[260];
  if (!repo_of(name, repo, sizeof repo)) return INK_OK;
  ink_hub_model *grown = realloc(*models, (*n + 1) * sizeof **models);
  if (!grown) return no_memory(error);
  *models = grown;
  ink_hub_model *model = &grown[(*n)++];
  *model = (ink_hub_model){.repo = strdup(repo)};
  char *folder = ink_path_join(hub, name);
  ink_status status = folder && model->repo ? INK_OK : no_memory(error);
  if (status == INK_OK) status = newest_commit(folder, model->commit, error);
  if (status == INK_OK) status = measure_blobs(folder, model, error);
  if (status == INK_OK && model->commit[0]) {
    if (asprintf(&model->path, "%s/snapshots/%s", folder, model->commit) < 0) model->path = NULL;
  } else if (status == INK_OK) {
    model->path = strdup(folder);
  }
  free(folder);
  return status == INK_OK && !model->path ? no_memory(error) : status;
}

static int by_repo(const void *a, const void *b) {
  return strcmp(((const ink_hub_model *)a)->repo, ((const ink_hub_model *)b)->repo);
}

ink_status ink_hub_list(ink_hub_model **models, size_t *n, ink_error *error) {
  char *hub;
  *models = NULL;
  *n = 0;
  INK_TRY(ink_hub_folder(&hub, error));
  DIR *listing = opendir(hub);
  ink_status status = INK_OK;
  if (!listing && errno != ENOENT) {
    status = ink_fail(error, INK_ERR_IO, "%s: %s", hub, strerror(errno));
  }
  for (struct dirent *item; listing && status == INK_OK && (item = readdir(listing));) {
    status = add_model(hub, item->d_name, models, n, error);
  }
  if (listing) closedir(listing);
  free(hub);
  if (status != INK_OK) {
    ink_hub_list_free(*models, *n);
    *models = NULL;
    *n = 0;
    return status;
  }
  if (*n) qsort(*models, *n, sizeof **models, by_repo);
  return INK_OK;
}

void ink_hub_list_free(ink_hub_model *models, size_t n) {
  for (size_t i = 0; i < n; i++) {
    free(models[i].repo);
    free(models[i].path);
  }
  free(models);
}

ink_status ink_hub_remove(const char *reference, uint64_t *bytes, ink_error *error) {
  ink_hub_ref ref;
  char *folder, *locks = NULL, *lock = NULL;
  uint64_t of_locks = 0;
  *bytes = 0;
  INK_TRY(ink_hub_ref_parse(reference, &ref, error));
  INK_TRY(ink_cache_folder(ref.repo, &folder, error));
  ink_status status = INK_OK;
  int held = -1;
  if (!ink_file_is_folder(folder)) {
    status = ink_fail(error, INK_ERR_NOT_FOUND, "%s is not in the cache (%s)", ref.repo, folder);
  }
  if (status == INK_OK) status = ink_cache_locks(ref.repo, &locks, error);
  if (status == INK_OK) status = ink_cache_lock_path(locks, &lock, error);
  if (status == INK_OK) held = open(lock, O_RDWR | O_CLOEXEC);
  if (held >= 0 && flock(held, LOCK_EX | LOCK_NB) != 0) {
    status = ink_fail(error, INK_ERR_CONFLICT, "%s is being pulled; stop that first", ref.repo);
  }
  if (status == INK_OK) status = ink_folder_remove(folder, bytes, error);
  if (status == INK_OK) status = ink_folder_remove(locks, &of_locks, error);
  if (held >= 0) close(held);
  free(lock);
  free(locks);
  free(folder);
  return status;
}
