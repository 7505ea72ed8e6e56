// Files: mapped, read whole, written so that a crash or a full disk never leaves half of one.
#ifndef INK_BASE_FILE_H
#define INK_BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// A read-only view of a whole file. Zero-initialise it; an empty file has data NULL and size 0.
typedef struct ink_map {
  const unsigned char *data;
  size_t size;
} ink_map;

// Map a regular file. Fails with NOT_FOUND or IO; the path is in the text.
ink_status ink_map_open(const char *path, ink_map *map, ink_error *error);
void ink_map_close(ink_map *map);
// Give back the memory behind data[0 … size) where it lies in the map, and behind what the system
// maps around it: it is the file's, and read again when it is needed. Elsewhere nothing happens.
void ink_map_let_go(const ink_map *map, const void *data, size_t size);

// Read a whole file of at most `most` bytes into malloc'ed memory the caller frees, with a NUL
// behind it that *size does not count. "-" reads standard input.
ink_status ink_file_read(const char *path, size_t most, char **bytes, size_t *size,
                         ink_error *error);

// A file that appears under its name only when finished: it is written beside it under a temporary
// name, synced, and renamed over. Zero-initialise it.
typedef struct ink_file_writer {
  int descriptor;
  char *path;
  char *temporary;
  unsigned char *buffer;
  size_t used;
  uint64_t written;  // bytes so far, the buffered ones counted
} ink_file_writer;

ink_status ink_file_create(const char *path, ink_file_writer *writer, ink_error *error);
ink_status ink_file_write(ink_file_writer *writer, const void *bytes, size_t size,
                          ink_error *error);
// Bring all that was written to the disk, still under the temporary name: after this the commit of
// several files that belong together cannot fail for want of room.
ink_status ink_file_sync(ink_file_writer *writer, ink_error *error);
// Sync, rename into place, release. On failure the temporary file is removed.
ink_status ink_file_commit(ink_file_writer *writer, ink_error *error);
// Give up: remove the temporary file, release. Safe on a zeroed or finished writer.
void ink_file_abandon(ink_file_writer *writer);

// ink_file_create, write and commit in one.
ink_status ink_file_save(const char *path, const void *bytes, size_t size, ink_error *error);

// The same for what nobody else may read (mode 0600).
ink_status ink_file_save_private(const char *path, const void *bytes, size_t size,
                                 ink_error *error);

bool ink_file_exists(const char *path);
bool ink_file_is_folder(const char *path);
// Make a folder and those above it; one that is there already is no fault.
ink_status ink_folder_make(const char *path, ink_error *error);

// Remove a folder with all that is in it, following no link; *bytes (may be NULL) grows by what was
// freed. A folder that is not there is no fault.
ink_status ink_folder_remove(const char *path, uint64_t *bytes, ink_error *error);

// Open a folder, to read what is in it. *listing is NULL where it is not there or may not be read;
// the one failure is MEMORY.
ink_status ink_folder_open(const char *path, DIR **listing, ink_error *error);
// Whether a folder holds something of this name. Takes no memory.
bool ink_folder_has(const char *folder, const char *name);

// "folder/name" in malloc'ed memory; NULL without memory.
char *ink_path_join(const char *folder, const char *name);
// What follows the last slash.
const char *ink_path_name(const char *path);
// What stands before it, "." when there is none. malloc'ed; NULL without memory.
char *ink_path_folder(const char *path);

typedef enum ink_folder {
  INK_FOLDER_CONFIG,
  INK_FOLDER_CACHE,
  INK_FOLDER_DATA,
  INK_FOLDER_STATE
} ink_folder;
// $XDG_…_HOME/inkstone by the XDG Base Directory Specification 0.8, or its default below $HOME;
// malloc'ed, not created; NULL when neither is set, which is INK_OK.
ink_status ink_folder_user(ink_folder kind, char **path, ink_error *error);

enum { INK_SHIPPED_FOLDERS = 3 };
// Folders for what comes with the program, `kind` being "models" or "playbooks", in the order of
// search: $INKSTONE_MODELS (upper case of the kind), then share/inkstone/KIND beside the folder of
// the running program, as installed, then KIND beside it, as built in the source tree. malloc'ed
// strings, *n of them, which need not exist on disk.
ink_status ink_folder_shipped(const char *kind, char *folders[INK_SHIPPED_FOLDERS], size_t *n,
                              ink_error *error);

#endif
