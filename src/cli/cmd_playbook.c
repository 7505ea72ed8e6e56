// inkstone playbook: what kinds of piece there are and what they ask for.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "desk/playbook.h"
#include "lang/catalogue.h"

static const char *in_language(const char *english, const char *chinese) {
  bool zh = ink_language_current() == INK_LANGUAGE_ZH;
  const char *text = zh && chinese ? chinese : english;
  return text ? text : "";
}

static ink_status list(ink_error *error) {
  char **paths;
  size_t n;
  ink_status status = ink_playbook_list(&paths, &n, error);
  for (size_t i = 0; i < n; i++) {
    ink_playbook *playbook;
    if (status == INK_OK) status = ink_playbook_open(paths[i], &playbook, error);
    if (status == INK_OK) {
      printf("%-12s %s\n", playbook->name, in_language(playbook->summary, playbook->summary_zh));
      ink_playbook_free(playbook);
    }
    free(paths[i]);
  }
  free(paths);
  return status;
}

static ink_status show(const char *reference, bool json, ink_error *error) {
  ink_playbook *p;
  INK_TRY(ink_playbook_open(reference, &p, error));
  if (json) {
    char *text = ink_json_text(p->source);
    puts(text ? text : "");
    free(text);
  } else {
    printf("%s: %s\n\n", p->name, in_language(p->summary, p->summary_zh));
    for (size_t i = 0; i < p->n_input; i++) {
      const ink_playbook_input *input = &p->inputs[i];
      printf("  %-12s %s%s%s%s\n", input->name, in_language(input->help, input->help_zh),
             input->fallback ? " [" : "", input->fallback ? input->fallback : "",
             input->fallback ? "]" : "");
    }
    printf("\nsha256 %s\n", p->sha256);
  }
  ink_playbook_free(p);
  return INK_OK;
}

static int run(const ink_command *self, int argc, char **argv) {
  bool json = false;
  ink_option options[] = {
      {.name = "json",
       .kind = INK_OPTION_FLAG,
       .value = &json,
       .help = "print the playbook as JSON"},
  };
  ink_error error = {0};
  int n;
  bool done;
  ink_status status = ink_options_read(self, options, sizeof options / sizeof *options, argc, argv,
                                       &n, &done, &error);
  if (status == INK_OK && done) return INK_EXIT_DONE;
  if (status == INK_OK) {
    if (n == 1 && strcmp(argv[1], "list") == 0) {
      status = list(&error);
    } else if (n == 2 && strcmp(argv[1], "show") == 0) {
      status = show(argv[2], json, &error);
    } else {
      status = ink_fail(&error, INK_ERR_USAGE, "say `playbook list` or `playbook show NAME`");
    }
  }
  return status == INK_OK ? INK_EXIT_DONE : ink_cli_fail(self, &error);
}

const ink_command ink_command_playbook = {
    .name = "playbook",
    .summary = "List playbooks, show what one asks for",
    .usage = "playbook list | playbook show NAME",
    .examples = "inkstone playbook list\ninkstone playbook show poem\n",
    .run = run,
};
