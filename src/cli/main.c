// The program: finds the command and hands over.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "lang/catalogue.h"
#include "tensor/isa.h"

// Each is defined in its cmd_<name>.c.
extern const ink_command ink_command_bench, ink_command_chat, ink_command_completion,
    ink_command_detect, ink_command_explain, ink_command_key, ink_command_label, ink_command_ledger,
    ink_command_make, ink_command_model, ink_command_paint, ink_command_playbook,
    ink_command_replay, ink_command_score, ink_command_sign, ink_command_train, ink_command_verify,
    ink_command_version, ink_command_write;

static const ink_command *const commands[] = {
    &ink_command_bench,   &ink_command_chat,    &ink_command_completion, &ink_command_detect,
    &ink_command_explain, &ink_command_key,     &ink_command_label,      &ink_command_ledger,
    &ink_command_make,    &ink_command_model,   &ink_command_paint,      &ink_command_playbook,
    &ink_command_replay,  &ink_command_score,   &ink_command_sign,       &ink_command_train,
    &ink_command_verify,  &ink_command_version, &ink_command_write,
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_overview(FILE *out) {
  fprintf(out, "inkstone\n\n%s: inkstone COMMAND [OPTIONS]\n\n%s:\n", ink_tr("Usage"),
          ink_tr("Commands"));
  for (size_t i = 0; i < N_COMMANDS; i++) {
    fprintf(out, "  %-12s %s\n", commands[i]->name, ink_tr(commands[i]->summary));
  }
  fprintf(out, "\n%s\n",
          ink_tr("Run `inkstone COMMAND --help` for a command's options and examples."));
}

static const ink_command *find_command(const char *name, ink_error *error) {
  const char *names[N_COMMANDS];
  for (size_t i = 0; i < N_COMMANDS; i++) {
    if (strcmp(commands[i]->name, name) == 0) return commands[i];
    names[i] = commands[i]->name;
  }
  int nearest = ink_text_nearest(name, names, N_COMMANDS);
  if (nearest >= 0) {
    ink_fail(error, INK_ERR_USAGE, "unknown command \"%s\"; did you mean %s?", name,
             names[nearest]);
  } else {
    ink_fail(error, INK_ERR_USAGE, "unknown command \"%s\"; `inkstone help` lists the commands",
             name);
  }
  return NULL;
}

// The command below this one whose last word is `word`; NULL when there is none.
static const ink_command *command_below(const ink_command *command, const char *word) {
  for (size_t i = 0; command->below && command->below[i]; i++) {
    if (strcmp(strrchr(command->below[i]->name, ' ') + 1, word) == 0) return command->below[i];
  }
  return NULL;
}

static int run_command(int argc, char **argv) {
  ink_error error = ink_cli_error();
  const ink_command *command = find_command(argv[0], &error), *below;
  if (!command) return ink_cli_fail(NULL, &error);
  for (; argc > 1 && (below = command_below(command, argv[1])); argc--, argv++) command = below;
  ink_status status = command->run(command, argc, argv, &error);
  // What was printed has arrived only when the last of it was taken: a full disk speaks up here.
  if (status == INK_OK && (fflush(stdout) != 0 || ferror(stdout))) {
    status = ink_fail(&error, INK_ERR_IO, "the output could not be written: %s",
                      ink_error_say(&error, strerror(errno)));
  }
  return status == INK_OK ? INK_EXIT_DONE : ink_cli_fail(command, &error);
}

int main(int argc, char **argv) {
  signal(SIGXFSZ, SIG_IGN);  // a file over the shell's limit is a fault to report, not an end
  if (argc < 2) {
    print_overview(stderr);
    return INK_EXIT_USAGE;
  }
  const char *name = argv[1];
  bool help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0;
  if (help && argc == 2) {
    print_overview(stdout);
    return INK_EXIT_DONE;
  }
  if (strcmp(name, "--list-commands") == 0) {
    for (size_t i = 0; i < N_COMMANDS; i++) puts(commands[i]->name);
    return INK_EXIT_DONE;
  }
  ink_error error = ink_cli_error();
  if (ink_cpu_check(&error) != INK_OK) return ink_cli_fail(NULL, &error);
  static char version[] = "version", ask[] = "--help";
  if (help) return run_command(2, (char *[]){argv[2], ask, NULL});
  if (strcmp(name, "--version") == 0) argv[1] = version;
  return run_command(argc - 1, argv + 1);
}
