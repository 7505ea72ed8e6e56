// Models from the Hugging Face hub: its cache on disk, which we share with every other program
// (huggingface_hub, "Understand caching"), and downloads into it.
//
// Environment: HF_HOME, HF_HUB_CACHE (HUGGINGFACE_HUB_CACHE), XDG_CACHE_HOME, HF_ENDPOINT,
// HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE, INKSTONE_MODELS.
#ifndef INK_WEIGHTS_HUB_H
#define INK_WEIGHTS_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/progress.h"
#include "base/status.h"

// -- References ----------------------------------------------------------------------------------

// "ORG/REPO[:QUANT][@REVISION]", with or without "hf://". USAGE for anything else, also for names
// that would leave the cache folder.
typedef struct ink_hub_ref {
  char repo[200];      // "ORG/REPO"
  char quant[32];      // "Q4_K_M"; "" where none was asked for
  char revision[128];  // branch, tag or commit; "main" where none was asked for
} ink_hub_ref;
ink_status ink_hub_ref_parse(const char *text, ink_hub_ref *ref, ink_error *error);

// Find a model without the network. A plain word ("poet") is the name of a model that came with the
// program, a folder below one of ink_folder_shipped("models"); anything else, and a word that names
// none of these, is a path that exists; else ORG/REPO[:QUANT][@REVISION] in the cache. *path
// (malloc'ed, the caller's) is what ink_weights_open takes. NOT_FOUND says where was looked and
// names `model pull` where that can help.
ink_status ink_model_resolve(const char *reference, char **path, ink_error *error);

// Models that came with the program, ordered by name: `repo` is the name, `path` the folder,
// `bytes` those of its files; there is no commit. Goes with ink_hub_list_free.
typedef struct ink_hub_model ink_hub_model;
ink_status ink_shipped_list(ink_hub_model **models, size_t *n, ink_error *error);

// -- The cache -----------------------------------------------------------------------------------

// Where the cache is: $HF_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub or
// ~/.cache/huggingface/hub. malloc'ed; USAGE when no home is known.
ink_status ink_hub_folder(char **path, ink_error *error);

// One repository in the cache.
struct ink_hub_model {
  char *repo;         // "ORG/REPO"
  char *path;         // snapshot of its newest revision
  char commit[41];    // that revision
  uint64_t bytes;     // of all its blobs
  size_t incomplete;  // downloads that wait to be resumed
};

// All models in the cache, ordered by name. The array and its strings go with ink_hub_list_free.
ink_status ink_hub_list(ink_hub_model **models, size_t *n, ink_error *error);
void ink_hub_list_free(ink_hub_model *models, size_t n);

// Remove a repository (all revisions) from the cache; *bytes says how many were freed. NOT_FOUND
// when it is not there, CONFLICT while another process pulls it.
ink_status ink_hub_remove(const char *reference, uint64_t *bytes, ink_error *error);

// -- Downloads -----------------------------------------------------------------------------------

typedef struct ink_hub_options {
  const ink_progress *progress;  // counts bytes; a cancel leaves what is there for the next pull
  int64_t connect_seconds;       // 0: 15
  int64_t stall_seconds;         // give up a transfer that stands still this long; 0: 60
  int32_t retries;     // without progress: broken connections, 429 and 5xx; negative: none; 0: 5
  int64_t backoff_ms;  // before the first retry, doubled each time up to 30 s; 0: 500
  // The files that are wanted, by patterns over their whole paths (*, ?, [a-z]; * also crosses
  // folders, and "folder/" is all of it), as huggingface_hub's `allow_patterns`. None: see below.
  const char *const *include;
  size_t n_include;
} ink_hub_options;

// Bring ORG/REPO[:QUANT][@REVISION] into the cache and say where it is (*path, malloc'ed): what
// ink_weights_open takes. Takes safetensors, config and tokenizer where the repository has
// safetensors and no quantisation was named, else the GGUF whose name carries the quantisation
// (none named: Q4_K_M, then Q8_0, then the only one), without regard to case, with all its parts.
// With `include` it takes what the patterns name and nothing else, and *path is the folder in which
// that lies; a pattern that names nothing is NOT_FOUND, a quantisation beside them USAGE.
// Files that are in the cache are not asked for again; partial ones are resumed; LFS files are
// checked against their SHA-256, all against their size. One pull per repository at a time: a
// second process waits for the first.
// HF_TOKEN goes to the endpoint's host alone, never along a redirect to another. NOT_FOUND: no
// such repository, revision or quantisation (the ones there are listed). NETWORK: with the host,
// the HTTP status and what to do about it. CONFLICT: a file that is not what the hub announced.
// IO: disk full and the like. CANCELLED: the listener asked for it.
ink_status ink_hub_pull(const char *reference, const ink_hub_options *options, char **path,
                        ink_error *error);

#endif
