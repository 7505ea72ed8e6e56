// Folders that tests write into and take away again.
#ifndef INK_TESTS_SCRATCH_H
#define INK_TESTS_SCRATCH_H

#include <dirent.h>
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

// "folder/name". The result lives in a ring of buffers, and so may the folder.
static inline const char *below(const char *folder, const char *name) {
  static char ring[16][8192];
  static int next;
  char path[sizeof ring[0]];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return memcpy(ring[next++ % 16], path, sizeof path);
}

// How much is in a folder; nothing where there is none.
static inline int count_entries(const char *folder) {
  DIR *directory = opendir(folder);
  if (!directory) return 0;
  int n = -2;
  while (readdir(directory)) n++;
  closedir(directory);
  return n;
}

// The folder of a group of tests or of each test: cmocka's setup and teardown.
static char *scratch;

static inline int scratch_open(void **state) {
  (void)state;
  scratch = scratch_make();
  return scratch ? 0 : -1;
}

static inline int scratch_close(void **state) {
  (void)state;
  scratch_remove(scratch);
  free(scratch);
  scratch = NULL;
  return 0;
}

static inline const char *in_scratch(const char *name) {
  return below(scratch, name);
}

#endif
