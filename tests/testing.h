// What every test file includes: cmocka and the way to fixtures and public test data.
#ifndef INK_TESTS_TESTING_H
#define INK_TESTS_TESTING_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

// cmocka 1.1.5 says "not ok … # SKIP" in TAP, which meson counts as a failure. Say what is missing
// with print_message, then skip(): it leaves the test, in the test's own function.
#undef skip
#define skip() return

// Fail the test with the error's own words when `expression` is not INK_OK. Uses a variable
// `error`.
#define assert_ok(expression)                                                \
  do {                                                                       \
    if ((expression) != INK_OK) fail_msg("%s: %s", #expression, error.text); \
  } while (0)

// Path of a committed fixture, relative to tests/fixtures. The result lives in a ring of buffers.
static inline const char *fixture_path(const char *name) {
  static char ring[8][4096];
  static int next;
  char *path = ring[next++ % 8];
  const char *folder = getenv("INKSTONE_FIXTURES");
  snprintf(path, sizeof ring[0], "%s/%s", folder ? folder : "tests/fixtures", name);
  return path;
}

// Path of a file in the public test data, or NULL (say so and skip) when that is not there.
static inline const char *shared_path(const char *name) {
  static char ring[8][4096];
  static int next;
  char *path = ring[next++ % 8];
  const char *folder = getenv("INKSTONE_SHARED");
  if (!folder) return NULL;
  snprintf(path, sizeof ring[0], "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  fclose(file);
  return path;
}

#endif
