// What a hub says is in a repository (hub API, GET /api/models/REPO/revision/REVISION?blobs=true),
// and which of it a pull takes. Whatever the hub says is foreign: names are checked before they
// become paths.
#ifndef INK_WEIGHTS_LISTING_H
#define INK_WEIGHTS_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/status.h"
#include "weights/cache.h"

// One file of a repository. Files whose names must not become paths (ink_hub_path_is_safe) are not
// listed.
typedef struct ink_listed_file {
  char *path;
  int64_t size;                 // -1 where it is not said
  char blob[41];                // the file's id in git, SHA-1; "" where it is not said
  char sha256[INK_SHA256_HEX];  // of LFS files; else ""
} ink_listed_file;

typedef struct ink_listing {
  char commit[INK_COMMIT_HEX];
  ink_listed_file *files;
  size_t n;
} ink_listing;

// Parse the hub's JSON; `name` is what errors call it. Zero-initialise *listing; free it in any
// case. FORMAT: no commit, members of the wrong type, sizes below 0, a path twice.
ink_status ink_listing_parse(const char *bytes, size_t size, const char *name, ink_listing *listing,
                             ink_error *error);
void ink_listing_free(ink_listing *listing);

// The files that a pull of `ref` takes, as hub.h says: n indices, malloc'ed, those beside the
// weights first. NOT_FOUND: no weights, or not of that quantisation (those there are, are named).
ink_status ink_listing_select(const ink_listing *listing, const ink_hub_ref *ref, size_t **indices,
                              size_t *n, ink_error *error);

// True where a pattern of ink_hub_options.include names a path.
bool ink_hub_path_matches(const char *pattern, const char *path);
// The files that n_include patterns name, as ink_listing_select gives them. NOT_FOUND: a pattern
// that names none (files there are, are named).
ink_status ink_listing_include(const ink_listing *listing, const char *repo,
                               const char *const *include, size_t n_include, size_t **indices,
                               size_t *n, ink_error *error);

#endif
