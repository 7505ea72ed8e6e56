// The Hugging Face cache on disk (huggingface_hub, "Understand caching"):
//   models--ORG--REPO/refs/REVISION          the commit a branch or tag stood at
//   models--ORG--REPO/blobs/ETAG             a file's content; ETAG is its SHA-256 for LFS files
//   models--ORG--REPO/snapshots/COMMIT/NAME  a link to its blob
//   .locks/models--ORG--REPO/                held while one is written
#ifndef INK_WEIGHTS_CACHE_H
#define INK_WEIGHTS_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "weights/hub.h"

enum { INK_COMMIT_HEX = 41 };

// True for 40 lower-case hexadecimal digits.
bool ink_commit_is_hex(const char *text);
// True for a relative path of plain names ("onnx/model.onnx"): no part is empty, begins with a dot
// ("..", ".git") or has control characters or a backslash.
bool ink_hub_path_is_safe(const char *path);
// True for what may be a blob's name: 1 to 128 letters, digits, '-' and '_'.
bool ink_hub_etag_is_safe(const char *etag);

// $VARIABLE/ending, "~/" taken as the home folder. malloc'ed; *path stays as it is when the
// variable is not set.
ink_status ink_path_from_environment(const char *variable, const char *ending, char **path,
                                     ink_error *error);

// Folder of a repository in the cache, "…/models--ORG--REPO", and of its locks. malloc'ed.
ink_status ink_cache_folder(const char *repo, char **path, ink_error *error);
ink_status ink_cache_locks(const char *repo, char **path, ink_error *error);
// The file in the folder of locks that is flocked during a pull. malloc'ed.
ink_status ink_cache_lock_path(const char *locks, char **path, ink_error *error);

// Which of n paths in a repository is the GGUF model that carries a quantisation; "" takes Q4_K_M,
// then Q8_0, then the only one. Of a split model it is the first part; projectors (mmproj) and
// importance matrices are no models. NOT_FOUND lists the models there are; when there is none at
// all *index is n and the status INK_OK.
ink_status ink_hub_choose_gguf(const char *repo, const char *const *paths, size_t n,
                               const char *quant, size_t *index, ink_error *error);

// Names of all files below a folder, relative to it, sorted; links to files count. *names and its
// strings go with ink_walk_free.
ink_status ink_folder_walk(const char *folder, char ***names, size_t *n, ink_error *error);
void ink_walk_free(char **names, size_t n);
// Add up the bytes of the files in a folder and below; one that cannot be read has none. The one
// failure is MEMORY.
ink_status ink_folder_measure(const char *folder, uint64_t *bytes, ink_error *error);

// The folder of a reference's revision in the cache, whatever of it is there. malloc'ed. NOT_FOUND
// when the cache lacks it.
ink_status ink_cache_snapshot(const ink_hub_ref *ref, char **path, ink_error *error);

// What ink_weights_open takes for a reference in the cache: the snapshot when it holds safetensors
// and no quantisation is asked for, else the GGUF in it. NOT_FOUND when the cache lacks it.
ink_status ink_cache_find(const ink_hub_ref *ref, char **path, ink_error *error);

#endif
