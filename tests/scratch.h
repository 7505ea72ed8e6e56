// Folders that tests write into and take away again.
#ifndef INK_TESTS_SCRATCH_H
#define INK_TESTS_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static inline int scratch_remove_one(const char *path, const struct stat *info, int kind,
                                     struct FTW *walk) {
  (void)info;
  (void)kind;
  (void)walk;
  return remove(path);
}

// Remove a folder and all in it.
static inline void scratch_remove(const char *path) {
  if (path) nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

// A new empty folder; malloc'ed path.
static inline char *scratch_make(void) {
  const char *base = getenv("TMPDIR");
  char path[4096];
  snprintf(path, sizeof path, "%s/ink-test-XXXXXX", base && *base ? base : "/tmp");
  return mkdtemp(path) ? strdup(path) : NULL;
}

#endif
