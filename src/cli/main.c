// The program: finds the command and hands over.
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "lang/catalogue.h"
#include "tensor/isa.h"

// Each is defined in its cmd_<name>.c.
extern const ink_command ink_command_chat, ink_command_completion, ink_command_explain,
    ink_command_make, ink_command_playbook, ink_command_replay, ink_command_score,
    ink_command_train, ink_command_version, ink_command_write;

static const ink_command *const commands[] = {
    &ink_command_chat,     &ink_command_completion, &ink_command_explain, &ink_command_make,
    &ink_command_playbook, &ink_command_replay,     &ink_command_score,   &ink_command_train,
    &ink_command_version,  &ink_command_write,
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

int main(int argc, char **argv) {
  ink_error error = {0};
  if (argc < 2) {
    print_overview(stderr);
    return INK_EXIT_USAGE;
  }
  const char *name = argv[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
    print_overview(stdout);
    return INK_EXIT_DONE;
  }
  if (strcmp(name, "--version") == 0) name = "version";
  if (strcmp(name, "--list-commands") == 0) {
    for (size_t i = 0; i < N_COMMANDS; i++) puts(commands[i]->name);
    return INK_EXIT_DONE;
  }
  if (ink_cpu_check(&error) != INK_OK) return ink_cli_fail(NULL, &error);
  for (size_t i = 0; i < N_COMMANDS; i++) {
    if (strcmp(commands[i]->name, name) == 0)
      return commands[i]->run(commands[i], argc - 1, argv + 1);
  }
  ink_fail(&error, INK_ERR_USAGE, "unknown command \"%s\"; `inkstone help` lists the commands",
           name);
  return ink_cli_fail(NULL, &error);
}
