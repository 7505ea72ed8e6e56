// Names of models and of their parts, and hashes noted for the next start.
#include "weights/files.h"

#include <ctype.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "weights/check.h"

bool ink_file_name_is_plain(const char *name) {
  size_t bad;
  return name[0] != '.' && !strchr(name, '/') && ink_name_valid(name, strlen(name), &bad);
}

static bool read_digits(const char *text, size_t *number) {
  *number = 0;
  for (int i = 0; i < 5; i++) {
    if (!isdigit((unsigned char)text[i])) return false;
    *number = *number * 10 + (size_t)(text[i] - '0');
  }
  return true;
}

bool ink_gguf_split_name(const char *path, size_t *stem, size_t *number, size_t *count) {
  static const char form[] = "-00001-of-00001.gguf";
  size_t length = strlen(path), ending = sizeof form - 1, first, all;
  if (length <= ending) return false;
  const char *end = path + length - ending;
  if (end[0] != '-' || strncmp(end + 6, "-of-", 4) != 0 || strcasecmp(end + 15, ".gguf") != 0 ||
      !read_digits(end + 1, &first) || !read_digits(end + 10, &all)) {
    return false;
  }
  if (first < 1 || first > all) return false;
  if (stem) *stem = length - ending;
  if (number) *number = first;
  if (count) *count = all;
  return true;
}

// Where "ORG--REPO" stands in a path of a Hugging Face cache, ".../models--ORG--REPO/snapshots/…";
// NULL in others.
static const char *find_in_hub(const char *path, size_t *size) {
  static const char mark[] = "/models--";
  const char *start = NULL;
  for (const char *at = path; (at = strstr(at, mark)); at++) start = at + sizeof mark - 1;
  const char *end = start ? strchr(start, '/') : NULL;
  if (!end || strncmp(end, "/snapshots/", 11) != 0) return NULL;
  *size = (size_t)(end - start);
  return start;
}

// "ORG/REPO" for what stands there.
static char *name_in_hub(const char *start, size_t size) {
  char *name = strndup(start, size);
  char *dashes = name ? strstr(name, "--") : NULL;
  if (dashes) {
    *dashes = '/';
    memmove(dashes + 1, dashes + 2, strlen(dashes + 2) + 1);
  }
  return name;
}

char *ink_model_name(const char *path) {
  static const char *const generic[] = {"model", "weights", "ggml-model"};
  char room[PATH_MAX], *real = realpath(path, room);
  bool folder = ink_file_is_folder(path);
  // A file in the cache is a link out of the snapshot: there the given path tells more.
  size_t size;
  const char *hub = find_in_hub(path, &size);
  if (!hub && real) hub = find_in_hub(real, &size);
  if (hub) return name_in_hub(hub, size);
  char *name = strdup(ink_path_name(real ? real : path));
  if (name && !folder) {
    size_t stem;
    char *dot = strrchr(name, '.');
    if (ink_gguf_split_name(name, &stem, NULL, NULL)) dot = name + stem;
    if (dot && dot != name) *dot = 0;
    for (size_t i = 0; real && name && i < sizeof generic / sizeof *generic; i++) {
      if (strcmp(name, generic[i]) != 0) continue;
      char *parent = ink_path_folder(real);
      free(name);
      name = parent ? strdup(ink_path_name(parent)) : NULL;
      free(parent);
    }
  }
  return name;
}

// -- Hashes ---------------------------------------------------------------------------------------

enum { NOTED_FROM = 1 << 20 };  // smaller files are hashed faster than a note is read

struct ink_hash_notes {
  pthread_mutex_t lock;
  char hex[INK_SHA256_HEX];  // "" until known
};

ink_hash_notes *ink_hash_notes_new(void) {
  ink_hash_notes *notes = calloc(1, sizeof *notes);
  if (notes) pthread_mutex_init(&notes->lock, NULL);
  return notes;
}

void ink_hash_notes_free(ink_hash_notes *notes) {
  if (!notes) return;
  pthread_mutex_destroy(&notes->lock);
  free(notes);
}

bool ink_sha256_is_hex(const char *text) {
  return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

// In the Hugging Face cache a large file is a link to blobs/SHA-256, checked when it was fetched.
static bool hash_from_blob(const char *path, char hex[INK_SHA256_HEX]) {
  char room[PATH_MAX], *real = realpath(path, room);
  const char *name = real ? ink_path_name(real) : "";
  bool is_blob =
      ink_sha256_is_hex(name) && name - real >= 7 && strncmp(name - 7, "/blobs/", 7) == 0;
  if (is_blob) memcpy(hex, name, INK_SHA256_HEX);
  return is_blob;
}

// Where the hash of a file is noted, and the line that must stand there for the note to hold.
static bool describe_note(const char *path, char **note_path, char line[160]) {
  struct stat info;
  char name[INK_SHA256_HEX];
  char room[PATH_MAX], *real = realpath(path, room);
  *note_path = NULL;
  bool known =
      real && stat(real, &info) == 0 && ink_sha256_of(real, strlen(real), name, NULL) == INK_OK;
  char *cache = NULL;
  if (known) (void)ink_folder_user(INK_FOLDER_CACHE, &cache, NULL);  // without it nothing is noted
  char *folder = cache ? ink_path_join(cache, "sha256") : NULL;
  if (folder) *note_path = ink_path_join(folder, name);
  free(folder);
  free(cache);
  if (!*note_path) return false;
  snprintf(line, 160, "1 %lld %lld %lld.%09ld %lld.%09ld ", (long long)info.st_size,
           (long long)info.st_ino, (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
           (long long)info.st_ctim.tv_sec, info.st_ctim.tv_nsec);
  return true;
}

static bool read_note(const char *note_path, const char *line, char hex[INK_SHA256_HEX]) {
  char *text;
  size_t size, length = strlen(line);
  if (!ink_file_exists(note_path)) return false;
  if (ink_file_read(note_path, 400, &text, &size, NULL) != INK_OK) return false;
  bool holds = size == length + 65 && strncmp(text, line, length) == 0;
  if (holds) {
    text[length + 64] = 0;
    holds = ink_sha256_is_hex(text + length);
    if (holds) memcpy(hex, text + length, INK_SHA256_HEX);
  }
  free(text);
  return holds;
}

// Notes are a convenience: where they cannot be kept the hash is computed again next time.
static void write_note(const char *note_path, const char *line, const char *hex) {
  char *folder = ink_path_folder(note_path);
  char text[240];
  int size = snprintf(text, sizeof text, "%s%s\n", line, hex);
  if (folder && ink_folder_make(folder, NULL) == INK_OK) {
    ink_file_save(note_path, text, (size_t)size, NULL);
  }
  free(folder);
}

static ink_status hash_file(const char *path, bool noted, char hex[INK_SHA256_HEX],
                            ink_error *error) {
  char *note_path;
  char line[160], after[160];
  if (noted && hash_from_blob(path, hex)) return INK_OK;
  bool notable = describe_note(path, &note_path, line);
  if (noted && notable && read_note(note_path, line, hex)) {
    free(note_path);
    return INK_OK;
  }
  ink_status status = ink_sha256_file(path, hex, error);
  char *same_path = NULL;
  if (status == INK_OK && notable && describe_note(path, &same_path, after) &&
      strcmp(line, after) == 0) {  // not changed while it was read
    write_note(note_path, line, hex);
  }
  free(same_path);
  free(note_path);
  return status;
}

static ink_status hash_all(const char *const *paths, size_t n, bool noted, char hex[INK_SHA256_HEX],
                           ink_error *error) {
  if (n == 1) return hash_file(paths[0], noted, hex, error);
  ink_text list = {0};
  ink_status status = INK_OK;
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    status = hash_file(paths[i], noted, hex, error);
    if (status == INK_OK) ink_text_format(&list, "%s  %s\n", hex, ink_path_name(paths[i]));
  }
  if (status == INK_OK) status = ink_text_status(&list, error);
  if (status == INK_OK) status = ink_sha256_of(list.bytes, list.size, hex, error);
  ink_text_free(&list);
  return status;
}

ink_status ink_hash_files(ink_hash_notes *notes, const char *const *paths, size_t n, bool noted,
                          char hex[INK_SHA256_HEX], ink_error *error) {
  pthread_mutex_lock(&notes->lock);
  ink_status status = INK_OK;
  if (noted && notes->hex[0]) {
    memcpy(hex, notes->hex, INK_SHA256_HEX);
  } else {
    status = hash_all(paths, n, noted, hex, error);
    if (status == INK_OK) memcpy(notes->hex, hex, INK_SHA256_HEX);
  }
  pthread_mutex_unlock(&notes->lock);
  return status;
}
