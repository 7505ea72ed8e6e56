// HTTP for the hub, through libcurl: one request at a time, redirects followed by hand so that the
// token goes to the endpoint alone, failures that may pass tried again.
#ifndef INK_WEIGHTS_TRANSFER_H
#define INK_WEIGHTS_TRANSFER_H

#include <stddef.h>
#include <stdint.h>

#include "base/progress.h"
#include "base/status.h"
#include "base/text.h"
#include "weights/hub.h"

typedef struct ink_transfer ink_transfer;

// Ready to talk to `endpoint` ("https://host[:port][/path]"). `token` may be NULL. The strings are
// copied, `options` is borrowed. USAGE: no http(s) address, a token with control characters.
ink_status ink_transfer_new(const char *endpoint, const char *token, const ink_hub_options *options,
                            ink_transfer **transfer, ink_error *error);
void ink_transfer_free(ink_transfer *transfer);

// `path` below the endpoint; every part is to be escaped already. malloc'ed; NULL without memory.
char *ink_transfer_url(const ink_transfer *transfer, const char *path);

// GET a document of at most `most` bytes into *body. `what` is what errors call it.
ink_status ink_transfer_get(ink_transfer *transfer, const char *url, const char *what, size_t most,
                            ink_text *body, ink_error *error);

// What the hub says of a file.
typedef struct ink_file_head {
  char etag[132];    // without quotes; that of the content for LFS files; "" where none is said
  char commit[132];  // X-Repo-Commit; "" where it is not said
  int64_t size;      // -1 where it is not said
} ink_file_head;
// HEAD, answered by the endpoint itself: redirects to other hosts are not followed.
ink_status ink_transfer_head(ink_transfer *transfer, const char *url, const char *what,
                             ink_file_head *head, ink_error *error);

// A file on its way to disk.
typedef struct ink_download {
  const char *url, *what;
  int descriptor;  // open for writing; what is in it is taken for the beginning of the file
  int64_t size;    // that it must have in the end, -1: unknown
  int64_t done;    // of all files before this one, and
  int64_t total;   // of all together, for the progress
  int64_t have;    // out: bytes in the file
} ink_download;
// Fetch what is missing, by Range where something is there. On failure the file keeps what came,
// for the next time; CONFLICT, when the hub sends more than `size`, empties it.
ink_status ink_transfer_download(ink_transfer *transfer, ink_download *download, ink_error *error);

#endif
