// Running the program itself: what it prints and how it exits.
#ifndef INK_TESTS_PROGRAM_H
#define INK_TESTS_PROGRAM_H

#include <stdarg.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "scratch.h"
#include "testing.h"

typedef struct program_run {
  int exit_code;
  char *out, *err;
} program_run;

// Run a shell command line in which $INK stands for the program and $FIXTURES for the fixtures,
// in an environment of its own.
static inline program_run run_program(const char *format, ...) {
  ink_error error = {0};
  char command[4096], line[12000], path[4096];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(command, sizeof command, format, arguments);
  va_end(arguments);
  char *folder = scratch_make();
  assert_non_null(folder);
  snprintf(
      line, sizeof line,
      "export HOME='%s' INK='%s' FIXTURES='%s'; unset XDG_STATE_HOME XDG_CACHE_HOME XDG_DATA_HOME "
      "INKSTONE_LEDGER HF_HOME HF_HUB_CACHE LANG LC_ALL LC_MESSAGES INKSTONE_LANG; (%s) >'%s/out' "
      "2>'%s/err'",
      folder, getenv("INKSTONE_PROGRAM"), getenv("INKSTONE_FIXTURES"), command, folder, folder);
  int status = system(line);
  assert_true(status != -1 && WIFEXITED(status));
  program_run run = {.exit_code = WEXITSTATUS(status)};
  size_t size;
  snprintf(path, sizeof path, "%s/out", folder);
  assert_ok(ink_file_read(path, 1 << 24, &run.out, &size, &error));
  snprintf(path, sizeof path, "%s/err", folder);
  assert_ok(ink_file_read(path, 1 << 24, &run.err, &size, &error));
  scratch_remove(folder);
  free(folder);
  return run;
}

static inline void drop_run(program_run *run) {
  free(run->out);
  free(run->err);
}

// Standard output as the one JSON object it must be.
static inline json_t *json_of(const program_run *run) {
  ink_error error = {0};
  json_t *json;
  if (run->exit_code != 0) fail_msg("exit %d: %s", run->exit_code, run->err);
  assert_ok(ink_json_parse(run->out, strlen(run->out), "stdout", &json, &error));
  assert_true(json_is_object(json));
  return json;
}

#endif
