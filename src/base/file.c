// Files: mapped, read whole, written whole or not at all.
#include "base/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_BUFFER = 1 << 18 };

static ink_status system_fault(ink_error *error, const char *path, const char *act) {
  int fault = errno;
  ink_status status = fault == ENOENT   ? INK_ERR_NOT_FOUND
                      : fault == ENOMEM ? INK_ERR_MEMORY
                                        : INK_ERR_IO;
  return ink_fail(error, status, "%s: cannot %s: %s", path, ink_error_say(error, act),
                  ink_error_say(error, strerror(fault)));
}

ink_status ink_map_open(const char *path, ink_map *map, ink_error *error) {
  *map = (ink_map){0};
  // A pipe that nobody writes to would hold the caller for ever; regular files do not mind.
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return system_fault(error, path, "open");
  struct stat info;
  ink_status status = INK_OK;
  if (fstat(descriptor, &info) != 0) {
    status = system_fault(error, path, "stat");
  } else if (!S_ISREG(info.st_mode)) {
    status = ink_fail(error, INK_ERR_IO, "%s: not a regular file", path);
  } else if (info.st_size > 0) {
    void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED && errno == ENOMEM) {
      status =
          ink_fail(error, INK_ERR_MEMORY,
                   "%s: no room to map its %lld MiB; allow the process more memory (ulimit -v)",
                   path, (long long)(info.st_size >> 20) + 1);
    } else if (data == MAP_FAILED) {
      status = system_fault(error, path, "map");
    } else {
      map->data = data;
      map->size = (size_t)info.st_size;
    }
  }
  close(descriptor);
  return status;
}

void ink_map_close(ink_map *map) {
  if (map->data) munmap((void *)map->data, map->size);
  *map = (ink_map){0};
}

void ink_map_let_go(const ink_map *map, const void *data, size_t size) {
  // A page that is read brings its neighbours along; those of earlier stretches go again.
  const uintptr_t around = 1 << 16;
  uintptr_t first = (uintptr_t)map->data, start = (uintptr_t)data;
  if (!map->data || start < first || start - first >= map->size) return;
  if (size > map->size - (start - first)) size = map->size - (start - first);
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t last = (first + map->size + page - 1) / page * page;
  uintptr_t end = start + size;
  start = start - first < around ? first : (start - around) / page * page;
  end = last - end < around ? last : (end + around) / page * page;
  // Private and never written: the pages are the file's. Whether the system heeds it changes
  // nothing.
  (void)madvise((void *)start, end - start, MADV_DONTNEED);
}

ink_status ink_file_read(const char *path, size_t most, char **bytes, size_t *size,
                         ink_error *error) {
  *bytes = NULL;
  *size = 0;
  bool standard = strcmp(path, "-") == 0;
  int descriptor = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return system_fault(error, path, "open");
  char *buffer = NULL;
  size_t used = 0, capacity = 0;
  ink_status status = INK_OK;
  for (;;) {
    if (capacity - used < 2) {
      size_t larger = capacity ? capacity * 2 : 1 << 14;
      char *grown = realloc(buffer, larger);
      if (!grown) {
        status = ink_fail(error, INK_ERR_MEMORY, "%s: no memory to read it", path);
        break;
      }
      buffer = grown;
      capacity = larger;
    }
    ssize_t got = read(descriptor, buffer + used, capacity - used - 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      status = system_fault(error, path, "read");
      break;
    }
    if (got == 0) break;
    used += (size_t)got;
    if (used > most) {
      status =
          ink_fail(error, INK_ERR_FORMAT, "%s: larger than the %zu bytes allowed here", path, most);
      break;
    }
  }
  if (!standard) close(descriptor);
  if (status != INK_OK) {
    free(buffer);
    return status;
  }
  buffer[used] = 0;
  *bytes = buffer;
  *size = used;
  return INK_OK;
}

ink_status ink_file_create(const char *path, ink_file_writer *writer, ink_error *error) {
  *writer = (ink_file_writer){.descriptor = -1};
  size_t length = strlen(path);
  writer->path = strdup(path);
  writer->temporary = calloc(length + sizeof ".XXXXXX", 1);
  writer->buffer = malloc(WRITE_BUFFER);
  if (!writer->path || !writer->temporary || !writer->buffer) {
    ink_file_abandon(writer);
    return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to write it", path);
  }
  memcpy(writer->temporary, path, length);
  memcpy(writer->temporary + length, ".XXXXXX", sizeof ".XXXXXX");
  writer->descriptor = mkstemp(writer->temporary);
  if (writer->descriptor < 0) {
    ink_status status = system_fault(error, path, "create a file beside it");
    free(writer->temporary);  // nothing was created under that name
    writer->temporary = NULL;
    ink_file_abandon(writer);
    return status;
  }
  mode_t mask = umask(0);
  umask(mask);
  fchmod(writer->descriptor, 0666 & ~mask);  // mkstemp made it private
  return INK_OK;
}

static ink_status flush(ink_file_writer *writer, const unsigned char *bytes, size_t size,
                        ink_error *error) {
  while (size) {
    ssize_t put = write(writer->descriptor, bytes, size);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return system_fault(error, writer->path, "write");
    bytes += put;
    size -= (size_t)put;
  }
  return INK_OK;
}

ink_status ink_file_write(ink_file_writer *writer, const void *bytes, size_t size,
                          ink_error *error) {
  if (size > WRITE_BUFFER - writer->used) {
    INK_TRY(flush(writer, writer->buffer, writer->used, error));
    writer->used = 0;
  }
  if (size >= WRITE_BUFFER) {
    INK_TRY(flush(writer, bytes, size, error));
  } else if (size) {
    memcpy(writer->buffer + writer->used, bytes, size);
    writer->used += size;
  }
  writer->written += size;
  return INK_OK;
}

ink_status ink_file_sync(ink_file_writer *writer, ink_error *error) {
  INK_TRY(flush(writer, writer->buffer, writer->used, error));
  writer->used = 0;
  return fsync(writer->descriptor) == 0 ? INK_OK : system_fault(error, writer->path, "sync");
}

ink_status ink_file_commit(ink_file_writer *writer, ink_error *error) {
  ink_status status = ink_file_sync(writer, error);
  int descriptor = writer->descriptor;
  writer->descriptor = -1;
  if (close(descriptor) != 0 && status == INK_OK) {
    status = system_fault(error, writer->path, "close");
  }
  if (status == INK_OK && rename(writer->temporary, writer->path) != 0) {
    status = system_fault(error, writer->path, "rename into place");
  }
  if (status == INK_OK) {
    free(writer->temporary);
    writer->temporary = NULL;
  }
  ink_file_abandon(writer);
  return status;
}

void ink_file_abandon(ink_file_writer *writer) {
  if (writer->path && writer->descriptor >= 0) close(writer->descriptor);
  if (writer->temporary) unlink(writer->temporary);
  free(writer->path);
  free(writer->temporary);
  free(writer->buffer);
  *writer = (ink_file_writer){.descriptor = -1};
}

static ink_status save(const char *path, const void *bytes, size_t size, bool private,
                       ink_error *error) {
  ink_file_writer writer;
  INK_TRY(ink_file_create(path, &writer, error));
  if (private) fchmod(writer.descriptor, 0600);
  ink_status status = ink_file_write(&writer, bytes, size, error);
  if (status != INK_OK) {
    ink_file_abandon(&writer);
    return status;
  }
  return ink_file_commit(&writer, error);
}

ink_status ink_file_save(const char *path, const void *bytes, size_t size, ink_error *error) {
  return save(path, bytes, size, false, error);
}

ink_status ink_file_save_private(const char *path, const void *bytes, size_t size,
                                 ink_error *error) {
  return save(path, bytes, size, true, error);
}

bool ink_file_exists(const char *path) {
  struct stat info;
  return stat(path, &info) == 0;
}

bool ink_file_is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

ink_status ink_folder_make(const char *path, ink_error *error) {
  char *copy = strdup(path);
  if (!copy) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to make the folder", path);
  ink_status status = INK_OK;
  for (char *at = copy + 1; status == INK_OK; at++) {
    if (*at != '/' && *at != 0) continue;
    char kept = *at;
    *at = 0;
    if (mkdir(copy, 0777) != 0 && (errno != EEXIST || !ink_file_is_folder(copy))) {
      if (errno == EEXIST) errno = ENOTDIR;  // the reason a person can act on
      status = system_fault(error, copy, "make the folder");
    }
    *at = kept;
    if (!kept) break;
  }
  free(copy);
  return status;
}

// What the system writes of a folder's entries at a time.
typedef union entries {
  struct dirent64 first;
  char bytes[4096];
} entries;

// Remove one entry of an open folder with all below it.
static bool remove_entry(int descriptor, const char *name, uint64_t *bytes);

// Remove what is below an open folder, never following a link. Takes the descriptor over, and no
// memory: what was half made goes even where there is none.
static bool remove_below(int descriptor, uint64_t *bytes) {
  bool all = true;
  entries some;
  ssize_t size;
  while ((size = getdents64(descriptor, some.bytes, sizeof some)) > 0) {
    for (ssize_t at = 0; at < size;) {
      const struct dirent64 *item = (const struct dirent64 *)(const void *)(some.bytes + at);
      all = remove_entry(descriptor, item->d_name, bytes) && all;
      at += item->d_reclen;
    }
  }
  close(descriptor);
  return all && size == 0;
}

static bool remove_entry(int descriptor, const char *name, uint64_t *bytes) {
  struct stat info;
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return true;
  if (fstatat(descriptor, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return false;
  if (S_ISDIR(info.st_mode)) {
    int inner = openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool emptied = inner >= 0 && remove_below(inner, bytes);
    return unlinkat(descriptor, name, AT_REMOVEDIR) == 0 && emptied;
  }
  if (S_ISREG(info.st_mode)) *bytes += (uint64_t)info.st_size;
  return unlinkat(descriptor, name, 0) == 0;
}

ink_status ink_folder_remove(const char *path, uint64_t *bytes, ink_error *error) {
  uint64_t freed = 0;
  int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) return INK_OK;
  if (descriptor < 0 || !remove_below(descriptor, bytes ? bytes : &freed) || rmdir(path) != 0) {
    return ink_fail(error, INK_ERR_IO, "%s: could not be removed whole: %s", path, strerror(errno));
  }
  return INK_OK;
}

ink_status ink_folder_open(const char *path, DIR **listing, ink_error *error) {
  *listing = opendir(path);
  return *listing || errno != ENOMEM ? INK_OK : system_fault(error, path, "open");
}

bool ink_folder_has(const char *folder, const char *name) {
  char path[PATH_MAX];  // the system knows no longer ones
  int length = snprintf(path, sizeof path, "%s/%s", folder, name);
  return length > 0 && (size_t)length < sizeof path && ink_file_exists(path);
}

char *ink_path_join(const char *folder, const char *name) {
  size_t length = strlen(folder);
  const char *slash = length && folder[length - 1] == '/' ? "" : "/";
  size_t size = length + strlen(slash) + strlen(name) + 1;
  char *path = malloc(size);
  if (path) snprintf(path, size, "%s%s%s", folder, slash, name);
  return path;
}

const char *ink_path_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

char *ink_path_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return strdup(".");
  return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static ink_status no_path(ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
}

ink_status ink_folder_user(ink_folder kind, char **path, ink_error *error) {
  static const struct {
    const char *variable, *fallback;
  } places[] = {[INK_FOLDER_CONFIG] = {"XDG_CONFIG_HOME", ".config"},
                [INK_FOLDER_CACHE] = {"XDG_CACHE_HOME", ".cache"},
                [INK_FOLDER_DATA] = {"XDG_DATA_HOME", ".local/share"},
                [INK_FOLDER_STATE] = {"XDG_STATE_HOME", ".local/state"}};
  const char *set = getenv(places[kind].variable), *home = getenv("HOME");
  *path = NULL;
  if (set && set[0] == '/') {  // relative ones are to be ignored
    *path = ink_path_join(set, "inkstone");
  } else if (home && home[0]) {
    char *base = ink_path_join(home, places[kind].fallback);
    if (base) *path = ink_path_join(base, "inkstone");
    free(base);
  } else {
    return INK_OK;
  }
  return *path ? INK_OK : no_path(error);
}

// The folder above the one that the running program lies in, if that is known.
static bool program_prefix(char prefix[PATH_MAX]) {
  ssize_t size = readlink("/proc/self/exe", prefix, PATH_MAX - 1);
  if (size <= 0) return false;
  prefix[size] = 0;
  for (int i = 0; i < 2; i++) {
    char *slash = strrchr(prefix, '/');
    if (!slash) return false;
    *slash = 0;
  }
  return true;
}

ink_status ink_folder_shipped(const char *kind, char *folders[INK_SHIPPED_FOLDERS], size_t *n,
                              ink_error *error) {
  char variable[64], installed[64], prefix[PATH_MAX];
  snprintf(variable, sizeof variable, "INKSTONE_%s", kind);
  for (char *at = variable; *at; at++) *at = (char)toupper((unsigned char)*at);
  snprintf(installed, sizeof installed, "share/inkstone/%s", kind);
  const char *set = getenv(variable);
  size_t wanted = 0;
  if (set && set[0]) folders[wanted++] = strdup(set);
  if (program_prefix(prefix)) {
    folders[wanted++] = ink_path_join(prefix, installed);
    folders[wanted++] = ink_path_join(prefix, kind);
  }
  bool fine = true;
  for (size_t i = 0; i < wanted; i++) fine = fine && folders[i];
  for (size_t i = 0; !fine && i < wanted; i++) free(folders[i]);
  *n = fine ? wanted : 0;
  return fine ? INK_OK : no_path(error);
}
