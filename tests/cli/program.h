// Running the program itself: what it prints and how it exits.
#ifndef INK_TESTS_PROGRAM_H
#define INK_TESTS_PROGRAM_H

#include <stdarg.h>
#include <sys/wait.h>

#include "base/hash.h"
#include "base/json.h"
#include "files.h"
#include "scratch.h"

typedef struct program_run {
  int exit_code;
  char *out, *err;
} program_run;

// Run a shell command line in which $INK stands for the program, $FIXTURES for the fixtures and
// $HERE for the scratch folder, in an environment of its own.
static inline program_run run_program(const char *format, ...) {
  char command[4096], line[12000];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(command, sizeof command, format, arguments);
  va_end(arguments);
  char *folder = scratch_make();
  assert_non_null(folder);
  snprintf(
      line, sizeof line,
      "export HOME='%s' INK='%s' FIXTURES='%s' HERE='%s'; unset XDG_STATE_HOME XDG_CACHE_HOME "
      "XDG_DATA_HOME INKSTONE_LEDGER HF_HOME HF_HUB_CACHE LANG LC_ALL LC_MESSAGES INKSTONE_LANG; "
      "(%s) >'%s/out' 2>'%s/err'",
      folder, getenv("INKSTONE_PROGRAM"), getenv("INKSTONE_FIXTURES"), scratch ? scratch : "",
      command, folder, folder);
  int status = system(line);
  assert_true(status != -1 && WIFEXITED(status));
  program_run run = {.exit_code = WEXITSTATUS(status),
                     .out = read_file(below(folder, "out"), NULL),
                     .err = read_file(below(folder, "err"), NULL)};
  scratch_remove(folder);
  free(folder);
  return run;
}

// In the scratch folder; with it for a home, so that all commands of a test are of one installation
// and its keys.
#define IN_SCRATCH "cd \"$HERE\" && "
#define AT_HOME IN_SCRATCH "export HOME=\"$HERE\" && "
#define run_here(...) run_program(IN_SCRATCH __VA_ARGS__)
#define run_at_home(...) run_program(AT_HOME __VA_ARGS__)

static inline void drop_run(program_run *run) {
  free(run->out);
  free(run->err);
}

// A run that must end so and say so.
static inline void expect(program_run run, int exit_code, const char *says) {
  if (run.exit_code != exit_code || (!strstr(run.err, says) && !strstr(run.out, says))) {
    fail_msg("exit %d, wanted %d and \"%s\":\n%s%s", run.exit_code, exit_code, says, run.out,
             run.err);
  }
  drop_run(&run);
}

// A run of which nothing but its success is asked.
static inline void expect_done(program_run run) {
  expect(run, 0, "");
}

// Command lines that are refused, each with a word that its message has to have.
typedef struct refusal {
  const char *line, *word;
  int exit_code;
} refusal;

// `around` is a command line in which %s stands for each of them.
static inline void expect_refusals(const char *around, const refusal *lines, size_t n) {
  for (size_t i = 0; i < n; i++) {
    program_run run = run_program(around, lines[i].line);
    if (run.exit_code != lines[i].exit_code || !strcasestr(run.err, lines[i].word)) {
      fail_msg("%s: exit %d: %s", lines[i].line, run.exit_code, run.err);
    }
    drop_run(&run);
  }
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

static inline json_t *json_of_done(program_run run) {
  json_t *json = json_of(&run);
  drop_run(&run);
  return json;
}

// A member that must be a string.
static inline const char *text_at(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  if (!text) fail_msg("\"%s\" is not a string", key);
  return text;
}

#endif
