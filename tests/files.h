// Files that tests read, write and compare; what cannot be done fails the test.
#ifndef INK_TESTS_FILES_H
#define INK_TESTS_FILES_H

#include "base/file.h"
#include "testing.h"

// All of a file in malloc'ed memory, with a NUL behind it; *size may be NULL.
static inline char *read_file(const char *path, size_t *size) {
  ink_error error = {0};
  char *bytes;
  size_t n;
  assert_ok(ink_file_read(path, 1 << 28, &bytes, &n, &error));
  if (size) *size = n;
  return bytes;
}

static inline void write_file(const char *path, const void *bytes, size_t size) {
  ink_error error = {0};
  assert_ok(ink_file_save(path, bytes, size, &error));
}

static inline void write_text(const char *path, const char *text) {
  write_file(path, text, strlen(text));
}

static inline void copy_file(const char *from, const char *to) {
  size_t size;
  char *bytes = read_file(from, &size);
  write_file(to, bytes, size);
  free(bytes);
}

static inline bool same_files(const char *a, const char *b) {
  size_t n_left, n_right;
  char *left = read_file(a, &n_left), *right = read_file(b, &n_right);
  bool same = n_left == n_right && memcmp(left, right, n_left) == 0;
  free(left);
  free(right);
  return same;
}

static inline void assert_same_files(const char *a, const char *b) {
  if (!same_files(a, b)) fail_msg("%s and %s are not the same", a, b);
}

#endif
