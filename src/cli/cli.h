// The command line: how a command describes itself, how its options are read, how it speaks.
// One file per command, cmd_<name>.c; main.c holds the list.
#ifndef INK_CLI_CLI_H
#define INK_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/progress.h"
#include "base/status.h"

enum { INK_EXIT_DONE = 0, INK_EXIT_FAILED = 1, INK_EXIT_USAGE = 2, INK_EXIT_BLOCKED = 3 };

typedef struct ink_command {
  const char *name;      // of one below another with all words: "train data"
  const char *summary;   // one line, English, in the catalogue
  const char *usage;     // what follows "inkstone ": "write [PROMPT] [OPTIONS]"
  const char *examples;  // lines of commands that work as they stand, each ended by \n
  // argv[0] is the command's name. What went wrong is said by main.c, which knows its exit code.
  ink_status (*run)(const struct ink_command *self, int argc, char **argv, ink_error *error);
  // Commands that its first argument chooses, NULL behind the last; NULL: none.
  const struct ink_command *const *below;
} ink_command;

// Repeated strings of a LIST option; borrowed from argv.
typedef struct ink_string_list {
  const char *items[64];
  size_t n;
} ink_string_list;

typedef enum ink_option_kind {
  INK_OPTION_FLAG,    // bool *; --name, --no-name
  INK_OPTION_INT,     // int64_t *, within [low, high]
  INK_OPTION_NUMBER,  // double *, within [low, high]
  INK_OPTION_STRING,  // const char **
  INK_OPTION_LIST     // ink_string_list *
} ink_option_kind;

// One option. Every option but LIST can also be set by the environment variable INKSTONE_<NAME>
// (upper case, '-' as '_'); the flag beats it.
typedef struct ink_option {
  const char *name;  // without dashes
  char letter;       // short form, or 0
  ink_option_kind kind;
  void *value;
  const char *argument;  // "N", "FILE"; NULL for flags
  const char *help;      // English, in the catalogue
  double low, high;      // both 0: any value
  // The values that it knows, by number, NULL behind the last; NULL: any. For shells.
  const char *(*value_at)(int i);
  bool given;  // out: it was on the command line or in the environment
} ink_option;

// The option --threads, -t, that all commands with heavy work have.
ink_option ink_option_threads(int64_t *threads);

// Read argv into the options' values; what is left are the positional arguments, moved to the front
// of argv (argv[0] stays), *n_positional of them. "--" ends options, "-" is positional. Unknown
// flags, missing or out-of-range values are USAGE with the nearest known name. --help prints help
// and --list-options the option names, --list-values NAME what an option knows (for shell
// completion): *done is then true and the command has nothing left to do.
ink_status ink_options_read(const ink_command *command, ink_option *options, size_t n_options,
                            int argc, char **argv, int *n_positional, bool *done, ink_error *error);

// An empty error that will speak the language of this process.
ink_error ink_cli_error(void);

// Print "inkstone COMMAND: error: …" to stderr (in red on a terminal without NO_COLOR) and return
// the exit code that belongs to the status.
int ink_cli_fail(const ink_command *command, const ink_error *error);

// What files say is shown as text and steers no terminal: control characters, line ends among them,
// what turns the direction of writing, and what is no UTF-8 become question marks, in place.
void ink_cli_clean(char *text);
// The same in all strings below a value. Keys stay.
ink_status ink_cli_clean_json(json_t *json, ink_error *error);

// Print one JSON object on stdout and release it; NULL (no memory to make it) is MEMORY.
ink_status ink_cli_print_json(json_t *json, ink_error *error);

// A listener that draws a progress bar on stderr when that is a terminal, else stays silent, and
// that turns Ctrl-C into a cancel (a second Ctrl-C ends the process). Call ink_cli_progress_end
// when the work is over.
typedef struct ink_cli_bar {
  const char *label;
  double started, drawn;
  bool terminal, shown;
} ink_cli_bar;
ink_progress ink_cli_progress(ink_cli_bar *bar, const char *label);
void ink_cli_progress_end(ink_cli_bar *bar);
// True once Ctrl-C was pressed since ink_cli_catch_interrupts.
void ink_cli_catch_interrupts(void);
bool ink_cli_interrupted(void);

#endif
