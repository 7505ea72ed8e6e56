// Pulling a repository into the cache: list, choose, fetch what is missing, and only then link it
// into the snapshot and move the reference (huggingface_hub, file_download.py, has the layout).
#include "weights/hub.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "weights/cache.h"
#include "weights/check.h"
#include "weights/files.h"
#include "weights/listing.h"
#include "weights/transfer.h"

enum { MOST_LISTING = 64 << 20, MOST_TOKEN = 4096 };

// A file that a pull takes.
typedef struct wanted {
  const ink_listed_file *file;
  char etag[132];  // the blob's name
  int64_t size;    // -1: unknown
  char *blob;      // its path
  bool there;      // in the cache already
} wanted;

typedef struct pull {
  const ink_hub_options *options;
  ink_hub_ref ref;
  ink_transfer *transfer;
  ink_listing listing;
  char *folder, *locks;  // of the repository, in the cache
  char *snapshot;
  int lock;
  wanted *files;
  size_t n;
  int64_t done, total;  // bytes to fetch
} pull;

static ink_status no_memory(ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "no memory to fetch a model");
}

static ink_status system_fault(const char *path, const char *act, ink_error *error) {
  bool full = errno == ENOSPC || errno == EDQUOT;
  return ink_fail(error, INK_ERR_IO, "%s: cannot %s: %s%s", path, act, strerror(errno),
                  full ? "; free some space and pull again" : "");
}

// -- The environment ------------------------------------------------------------------------------

static bool is_offline(void) {
  static const char *const yes[] = {"1", "on", "yes", "true"};
  const char *set = getenv("HF_HUB_OFFLINE");
  for (size_t i = 0; set && i < sizeof yes / sizeof *yes; i++) {
    if (strcasecmp(set, yes[i]) == 0) return true;
  }
  return false;
}

// A text without the white space around it. malloc'ed; NULL when nothing is left.
static char *trimmed(const char *text) {
  size_t start = strspn(text, " \t\r\n"), end = strlen(text);
  while (end > start && strchr(" \t\r\n", text[end - 1])) end--;
  return end > start ? strndup(text + start, end - start) : NULL;
}

// Where the token is kept: $HF_TOKEN_PATH, or "token" in the folder that HF_HOME names. malloc'ed;
// NULL where there is no place.
static ink_status token_path(char **path, ink_error *error) {
  static const struct {
    const char *variable, *ending;
  } places[] = {{"HF_TOKEN_PATH", ""},
                {"HF_HOME", "token"},
                {"XDG_CACHE_HOME", "huggingface/token"},
                {"HOME", ".cache/huggingface/token"}};
  *path = NULL;
  for (size_t i = 0; i < sizeof places / sizeof *places && !*path; i++) {
    INK_TRY(ink_path_from_environment(places[i].variable, places[i].ending, path, error));
  }
  return INK_OK;
}

// $HF_TOKEN, or the token file; NULL where there is none. malloc'ed.
static ink_status find_token(char **token, ink_error *error) {
  const char *set = getenv("HF_TOKEN");
  *token = set ? trimmed(set) : NULL;
  if (*token) return INK_OK;
  char *path, *text = NULL;
  size_t size;
  ink_status status = token_path(&path, error);
  if (path && ink_file_exists(path)) status = ink_file_read(path, MOST_TOKEN, &text, &size, error);
  if (text) *token = trimmed(text);
  free(text);
  free(path);
  return status;
}

static ink_status connect_hub(pull *p, ink_error *error) {
  const char *set = getenv("HF_ENDPOINT");
  char *token = NULL;
  ink_status status = find_token(&token, error);
  if (status == INK_OK) {
    status = ink_transfer_new(set && set[0] ? set : "https://huggingface.co", token, p->options,
                              &p->transfer, error);
  }
  free(token);
  return status;
}

// -- One pull at a time ---------------------------------------------------------------------------

// The file that is locked still has its name: a removal in between would have taken it away.
static bool is_current(int descriptor, const char *path) {
  struct stat held, named;
  return fstat(descriptor, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

// Wait for a lock as long as the listener lets us. *descriptor is to be closed.
static ink_status take_lock(const pull *p, const char *path, int *descriptor, ink_error *error) {
  for (;;) {
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) return system_fault(path, "open", error);
    while (flock(file, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) {
        ink_status status = system_fault(path, "lock", error);
        close(file);
        return status;
      }
      if (!ink_progress_report(p->options->progress, p->done, p->total,
                               "waiting for another download")) {
        close(file);
        return ink_fail(error, INK_ERR_CANCELLED, "%s: stopped", p->ref.repo);
      }
      struct timespec moment = {0, 100000000};
      nanosleep(&moment, NULL);
    }
    if (is_current(file, path)) {
      *descriptor = file;
      return INK_OK;
    }
    close(file);
  }
}

static ink_status lock_repository(pull *p, ink_error *error) {
  char *path = NULL;
  INK_TRY(ink_cache_locks(p->ref.repo, &p->locks, error));
  INK_TRY(ink_folder_make(p->locks, error));
  INK_TRY(ink_cache_lock_path(p->locks, &path, error));
  ink_status status = take_lock(p, path, &p->lock, error);
  free(path);
  return status;
}

// -- What to fetch --------------------------------------------------------------------------------

static ink_status list_repository(pull *p, ink_error *error) {
  ink_text path = {0}, body = {0};
  ink_text_format(&path, "api/models/%s/revision/", p->ref.repo);
  ink_url_escape(&path, p->ref.revision, false);
  ink_text_add(&path, "?blobs=true");
  char *url = path.failed ? NULL : ink_transfer_url(p->transfer, ink_text_string(&path));
  ink_status status = url ? INK_OK : no_memory(error);
  if (status == INK_OK) {
    status = ink_transfer_get(p->transfer, url, p->ref.repo, MOST_LISTING, &body, error);
  }
  if (status == INK_OK) {
    char name[260];
    snprintf(name, sizeof name, "the hub's list of %s", p->ref.repo);
    status = ink_listing_parse(ink_text_string(&body), body.size, name, &p->listing, error);
  }
  if (status == INK_OK && ink_commit_is_hex(p->ref.revision) &&
      strcmp(p->ref.revision, p->listing.commit) != 0) {
    status = ink_fail(error, INK_ERR_CONFLICT, "%s: asked for commit %s, the hub gives %s",
                      p->ref.repo, p->ref.revision, p->listing.commit);
  }
  free(url);
  ink_text_free(&body);
  ink_text_free(&path);
  return status;
}

// The address of a file at the commit; malloc'ed.
static char *file_url(const pull *p, const char *path) {
  ink_text text = {0};
  ink_text_format(&text, "%s/resolve/%s/", p->ref.repo, p->listing.commit);
  ink_url_escape(&text, path, true);
  char *url = text.failed ? NULL : ink_transfer_url(p->transfer, ink_text_string(&text));
  ink_text_free(&text);
  return url;
}

// Listing and head must tell the same.
static ink_status agree(const pull *p, const ink_listed_file *file, const ink_file_head *head,
                        ink_error *error) {
  const char *differs = NULL;
  if (head->commit[0] && strcmp(head->commit, p->listing.commit) != 0) differs = "commit";
  if (head->size >= 0 && file->size >= 0 && head->size != file->size) differs = "size";
  if (file->sha256[0] && head->etag[0] && strcmp(head->etag, file->sha256) != 0) differs = "hash";
  if (!differs) return INK_OK;
  return ink_fail(error, INK_ERR_CONFLICT, "%s: %.200s: the hub says two things about its %s",
                  p->ref.repo, file->path, differs);
}

static ink_status ask_about(pull *p, wanted *w, ink_error *error) {
  const ink_listed_file *file = w->file;
  char *url = file_url(p, file->path);
  if (!url) return no_memory(error);
  ink_file_head head;
  ink_status status = ink_transfer_head(p->transfer, url, file->path, &head, error);
  free(url);
  INK_TRY(status);
  INK_TRY(agree(p, file, &head, error));
  const char *etag = head.etag[0] ? head.etag : file->sha256[0] ? file->sha256 : file->blob;
  w->size = file->size >= 0 ? file->size : head.size;
  if (!ink_hub_etag_is_safe(etag)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: %.200s: the hub gives it no usable ETag",
                    p->ref.repo, file->path);
  }
  snprintf(w->etag, sizeof w->etag, "%s", etag);
  return INK_OK;
}

// Whether a blob of the right size is there; one of another size is none.
static bool is_there(const wanted *w) {
  struct stat info;
  if (stat(w->blob, &info) != 0 || !S_ISREG(info.st_mode)) return false;
  return w->size < 0 || info.st_size == w->size;
}

static int64_t file_bytes(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 ? info.st_size : 0;
}

static ink_status plan_file(pull *p, wanted *w, ink_error *error) {
  INK_TRY(ask_about(p, w, error));
  if (asprintf(&w->blob, "%s/blobs/%s", p->folder, w->etag) < 0) {
    w->blob = NULL;
    return no_memory(error);
  }
  w->there = is_there(w);
  if (!w->there && w->size > 0) p->total += w->size;
  return INK_OK;
}

static ink_status plan_files(pull *p, ink_error *error) {
  size_t *indices;
  const ink_hub_options *o = p->options;
  if (o->n_include) {
    INK_TRY(ink_listing_include(&p->listing, p->ref.repo, o->include, o->n_include, &indices, &p->n,
                                error));
  } else {
    INK_TRY(ink_listing_select(&p->listing, &p->ref, &indices, &p->n, error));
  }
  p->files = calloc(p->n + 1, sizeof *p->files);
  ink_status status = p->files ? INK_OK : no_memory(error);
  for (size_t i = 0; i < p->n && status == INK_OK; i++) {
    p->files[i].file = &p->listing.files[indices[i]];
    status = plan_file(p, &p->files[i], error);
  }
  free(indices);
  return status;
}

// A full disk is better told before hours of downloading than after.
static ink_status check_space(const pull *p, ink_error *error) {
  struct statvfs disk;
  int64_t needed = p->total;
  for (size_t i = 0; i < p->n; i++) {
    char *partial;
    if (p->files[i].there || asprintf(&partial, "%s.incomplete", p->files[i].blob) < 0) continue;
    needed -= file_bytes(partial);
    free(partial);
  }
  if (statvfs(p->folder, &disk) != 0 || needed <= 0) return INK_OK;
  uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
  if ((uint64_t)needed <= free_bytes) return INK_OK;
  return ink_fail(error, INK_ERR_IO,
                  "%s: the disk is too full: %lld MB are needed in %s, %llu MB are free",
                  p->ref.repo, (long long)(needed / 1000000), p->folder,
                  (unsigned long long)(free_bytes / 1000000));
}

// -- Fetching -------------------------------------------------------------------------------------

// The content against the hash that the hub stated.
static ink_status check_content(const wanted *w, const char *partial, ink_error *error) {
  char hex[INK_SHA256_HEX];
  const char *expected = NULL;
  if (w->size >= 0 && file_bytes(partial) != w->size) {
    return ink_fail(error, INK_ERR_CONFLICT, "%s: %lld bytes came, %lld were announced",
                    w->file->path, (long long)file_bytes(partial), (long long)w->size);
  }
  if (ink_sha256_is_hex(w->etag)) {
    expected = w->etag;
    INK_TRY(ink_sha256_file(partial, hex, error));
  } else if (w->file->blob[0] && strcmp(w->file->blob, w->etag) == 0) {
    expected = w->etag;
    INK_TRY(ink_git_blob_file(partial, hex, error));
  }
  if (!expected || strcmp(hex, expected) == 0) return INK_OK;
  unlink(partial);
  return ink_fail(
      error, INK_ERR_CONFLICT,
      "%s: what came has the hash %.16s…, the hub announced %.16s…; it was thrown away, "
      "pull again",
      w->file->path, hex, expected);
}

static ink_status download(pull *p, wanted *w, const char *partial, ink_error *error) {
  char *url = file_url(p, w->file->path);
  if (!url) return no_memory(error);
  int descriptor = open(partial, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    free(url);
    return system_fault(partial, "open", error);
  }
  ink_download d = {.url = url,
                    .what = w->file->path,
                    .descriptor = descriptor,
                    .size = w->size,
                    .done = p->done,
                    .total = p->total};
  ink_status status = ink_transfer_download(p->transfer, &d, error);
  if (status == INK_OK && fsync(descriptor) != 0) status = system_fault(partial, "sync", error);
  if (close(descriptor) != 0 && status == INK_OK) status = system_fault(partial, "close", error);
  free(url);
  return status;
}

static ink_status fetch_locked(pull *p, wanted *w, ink_error *error) {
  if (is_there(w)) return INK_OK;  // another program was quicker
  char *partial;
  if (asprintf(&partial, "%s.incomplete", w->blob) < 0) return no_memory(error);
  ink_status status = download(p, w, partial, error);
  if (status == INK_OK) status = check_content(w, partial, error);
  if (status == INK_OK && rename(partial, w->blob) != 0) {
    status = system_fault(w->blob, "rename into place", error);
  }
  free(partial);
  return status;
}

// Under the lock that huggingface_hub takes for a blob.
static ink_status fetch(pull *p, wanted *w, ink_error *error) {
  char *lock;
  int held;
  if (asprintf(&lock, "%s/%s.lock", p->locks, w->etag) < 0) return no_memory(error);
  ink_status status = take_lock(p, lock, &held, error);
  free(lock);
  INK_TRY(status);
  status = fetch_locked(p, w, error);
  close(held);
  if (status == INK_OK && w->size > 0) p->done += w->size;
  return status;
}

// -- Linking --------------------------------------------------------------------------------------

// snapshots/COMMIT/a/b -> ../../../blobs/ETAG
static ink_status link_file(const pull *p, const wanted *w, ink_error *error) {
  char *path = ink_path_join(p->snapshot, w->file->path), *fresh = NULL, here[4096];
  char *folder = path ? ink_path_folder(path) : NULL;
  ink_text target = {0};
  ink_text_add(&target, "../../");
  for (const char *at = w->file->path; (at = strchr(at, '/')); at++) ink_text_add(&target, "../");
  ink_text_format(&target, "blobs/%s", w->etag);
  ink_status status = ink_text_status(&target, error);
  if (status == INK_OK && (!folder || asprintf(&fresh, "%s.%ld", path, (long)getpid()) < 0)) {
    fresh = NULL;
    status = no_memory(error);
  }
  if (status == INK_OK) status = ink_folder_make(folder, error);
  if (status == INK_OK) {
    ssize_t size = readlink(path, here, sizeof here - 1);
    here[size > 0 ? size : 0] = 0;
    if (strcmp(here, target.bytes) != 0 &&
        (symlink(target.bytes, fresh) != 0 || rename(fresh, path) != 0)) {
      status = system_fault(path, "link", error);
      unlink(fresh);
    }
  }
  ink_text_free(&target);
  free(fresh);
  free(folder);
  free(path);
  return status;
}

// A branch or tag now stands at the commit.
static ink_status move_reference(const pull *p, ink_error *error) {
  if (ink_commit_is_hex(p->ref.revision)) return INK_OK;
  char *path;
  if (asprintf(&path, "%s/refs/%s", p->folder, p->ref.revision) < 0) return no_memory(error);
  char *folder = ink_path_folder(path);
  ink_status status = folder ? ink_folder_make(folder, error) : no_memory(error);
  if (status == INK_OK) {
    status = ink_file_save(path, p->listing.commit, strlen(p->listing.commit), error);
  }
  free(folder);
  free(path);
  return status;
}

// Backup programs pass over folders that hold this file (Cache Directory Tagging Specification).
static void tag_cache(void) {
  static const char text[] =
      "Signature: 8a477f597d28d172789f06886806bc55\n"
      "# A cache of models that can be fetched again; see https://bford.info/cachedir/\n";
  char *hub = NULL;
  if (ink_hub_folder(&hub, NULL) != INK_OK) return;
  char *path = ink_path_join(hub, "CACHEDIR.TAG");
  if (path && !ink_file_exists(path)) ink_file_save(path, text, sizeof text - 1, NULL);
  free(path);
  free(hub);
}

// -- The whole ------------------------------------------------------------------------------------

static ink_status make_folders(pull *p, ink_error *error) {
  char *blobs = ink_path_join(p->folder, "blobs");
  ink_status status = blobs ? ink_folder_make(blobs, error) : no_memory(error);
  free(blobs);
  INK_TRY(status);
  tag_cache();
  if (asprintf(&p->snapshot, "%s/snapshots/%s", p->folder, p->listing.commit) >= 0) return INK_OK;
  p->snapshot = NULL;
  return no_memory(error);
}

static ink_status run(pull *p, ink_error *error) {
  INK_TRY(connect_hub(p, error));
  // Before anything is made on disk: a name that no hub knows leaves nothing behind.
  INK_TRY(list_repository(p, error));
  INK_TRY(ink_cache_folder(p->ref.repo, &p->folder, error));
  INK_TRY(plan_files(p, error));
  INK_TRY(lock_repository(p, error));
  INK_TRY(make_folders(p, error));
  INK_TRY(check_space(p, error));
  for (size_t i = 0; i < p->n; i++) {
    if (!p->files[i].there) INK_TRY(fetch(p, &p->files[i], error));
  }
  for (size_t i = 0; i < p->n; i++) INK_TRY(link_file(p, &p->files[i], error));
  return move_reference(p, error);
}

// The folder of a revision in the cache, in which every pattern names a file.
static ink_status find_included(const ink_hub_ref *ref, const ink_hub_options *options, char **path,
                                ink_error *error) {
  char **names, *folder;
  size_t n;
  INK_TRY(ink_cache_snapshot(ref, &folder, error));
  ink_status status = ink_folder_walk(folder, &names, &n, error);
  for (size_t j = 0; status == INK_OK && j < options->n_include; j++) {
    bool met = false;
    for (size_t i = 0; i < n && !met; i++)
      met = ink_hub_path_matches(options->include[j], names[i]);
    if (met) continue;
    status = ink_fail(error, INK_ERR_NOT_FOUND, "no \"%.*s\" in %s", INK_SHOWN(options->include[j]),
                      folder);
  }
  ink_walk_free(names, n);
  if (status == INK_OK) {
    *path = folder;
  } else {
    free(folder);
  }
  return status;
}

// What a pull of these files gives.
static ink_status find_pulled(const ink_hub_ref *ref, const ink_hub_options *options, char **path,
                              ink_error *error) {
  if (options->n_include) return find_included(ref, options, path, error);
  return ink_cache_find(ref, path, error);
}

static ink_status find_offline(const ink_hub_ref *ref, const ink_hub_options *options, char **path,
                               ink_error *error) {
  ink_error inner = {0};
  ink_status status = find_pulled(ref, options, path, &inner);
  if (status == INK_OK) return INK_OK;
  return ink_fail(error, status, "%s: HF_HUB_OFFLINE is set and it is not in the cache (%.300s)",
                  ref->repo, inner.text);
}

ink_status ink_hub_pull(const char *reference, const ink_hub_options *options, char **path,
                        ink_error *error) {
  static const ink_hub_options defaults;
  pull p = {.options = options ? options : &defaults, .lock = -1};
  *path = NULL;
  INK_TRY(ink_hub_ref_parse(reference, &p.ref, error));
  if (p.options->n_include && p.ref.quant[0]) {
    return ink_fail(error, INK_ERR_USAGE, "%s: name files or a type, not both", reference);
  }
  if (is_offline()) return find_offline(&p.ref, p.options, path, error);
  ink_status status = run(&p, error);
  if (status == INK_OK) {
    ink_hub_ref pulled = p.ref;
    snprintf(pulled.revision, sizeof pulled.revision, "%s", p.listing.commit);
    status = find_pulled(&pulled, p.options, path, error);
  }
  if (p.lock >= 0) close(p.lock);
  for (size_t i = 0; i < p.n && p.files; i++) free(p.files[i].blob);
  free(p.files);
  free(p.snapshot);
  free(p.folder);
  free(p.locks);
  ink_listing_free(&p.listing);
  ink_transfer_free(p.transfer);
  return status;
}
