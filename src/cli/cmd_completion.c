// inkstone completion: scripts that let a shell complete commands and options.
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const char bash_script[] =
    "_inkstone() {\n"
    "  local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}\n"
    "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
    "    COMPREPLY=($(compgen -W \"$(inkstone --list-commands)\" -- \"$word\"))\n"
    "  elif [ \"${word#-}\" != \"$word\" ]; then\n"
    "    COMPREPLY=($(compgen -W \"$(inkstone \"$command\" --list-options 2>/dev/null)\" -- "
    "\"$word\"))\n"
    "  else\n"
    "    local before=${COMP_WORDS[COMP_CWORD-1]} values=\n"
    "    [ \"${before#--}\" = \"$before\" ] ||\n"
    "      values=$(inkstone \"$command\" --list-values \"${before#--}\" 2>/dev/null)\n"
    "    if [ -n \"$values\" ]; then\n"
    "      COMPREPLY=($(compgen -W \"$values\" -- \"$word\"))\n"
    "    else\n"
    "      COMPREPLY=($(compgen -f -- \"$word\"))\n"
    "    fi\n"
    "  fi\n"
    "}\n"
    "complete -o filenames -F _inkstone inkstone\n";

static const char zsh_script[] =
    "#compdef inkstone\n"
    "_inkstone() {\n"
    "  if (( CURRENT == 2 )); then\n"
    "    compadd -- ${(f)\"$(inkstone --list-commands)\"}\n"
    "  elif [[ $words[CURRENT] == -* ]]; then\n"
    "    compadd -- ${(f)\"$(inkstone $words[2] --list-options 2>/dev/null)\"}\n"
    "  else\n"
    "    local -a values\n"
    "    [[ $words[CURRENT-1] == --* ]] && values=(${(f)\"$(inkstone $words[2] --list-values "
    "${words[CURRENT-1]#--} 2>/dev/null)\"})\n"
    "    if (( $#values )); then compadd -- $values; else _files; fi\n"
    "  fi\n"
    "}\n"
    "compdef _inkstone inkstone\n";

static const char fish_script[] =
    "complete -c inkstone -n __fish_use_subcommand -f -a '(inkstone --list-commands)'\n"
    "complete -c inkstone -n 'not __fish_use_subcommand' -a "
    "'(inkstone (commandline -opc)[2] --list-options 2>/dev/null)'\n"
    "complete -c inkstone -n 'string match -q -- \"--*\" (commandline -opc)[-1]' -a "
    "'(inkstone (commandline -opc)[2] --list-values (string sub -s 3 -- (commandline -opc)[-1]) "
    "2>/dev/null)'\n";

static ink_status run(const ink_command *self, int argc, char **argv, ink_error *error) {
  int n;
  bool done;
  INK_TRY(ink_options_read(self, NULL, 0, argc, argv, &n, &done, error));
  if (done) return INK_OK;
  const char *script = NULL;
  if (n == 1 && strcmp(argv[1], "bash") == 0) script = bash_script;
  if (n == 1 && strcmp(argv[1], "zsh") == 0) script = zsh_script;
  if (n == 1 && strcmp(argv[1], "fish") == 0) script = fish_script;
  if (!script) return ink_fail(error, INK_ERR_USAGE, "name one shell: bash, zsh or fish");
  fputs(script, stdout);
  return INK_OK;
}

const ink_command ink_command_completion = {
    .name = "completion",
    .summary = "Print a completion script for a shell",
    .usage = "completion bash|zsh|fish",
    .examples = "inkstone completion bash > ~/.local/share/bash-completion/completions/inkstone\n",
    .run = run,
};
