// Reading options, and the help made from their descriptions.
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "lang/catalogue.h"

static void print_help(const ink_command *command, const ink_option *options, size_t n) {
  printf("%s\n\n%s: inkstone %s\n\n%s:\n", ink_tr(command->summary), ink_tr("Usage"),
         command->usage, ink_tr("Options"));
  for (size_t i = 0; i < n; i++) {
    char names[80];
    char letter[8] = "    ";
    if (options[i].letter) snprintf(letter, sizeof letter, "-%c, ", options[i].letter);
    snprintf(names, sizeof names, "%s--%s%s%s", letter, options[i].name,
             options[i].argument ? " " : "", options[i].argument ? options[i].argument : "");
    printf("  %-30s %s\n", names, ink_tr(options[i].help));
  }
  printf("  %-30s %s\n", "-h, --help", ink_tr("print this help"));
  if (command->examples && command->examples[0]) {
    printf("\n%s:\n", ink_tr("Examples"));
    for (const char *line = command->examples; *line;) {
      size_t length = strcspn(line, "\n");
      printf("  %.*s\n", (int)length, line);
      line += length + (line[length] == '\n');
    }
  }
}

static ink_status unknown_option(const ink_option *options, size_t n, const char *given,
                                 ink_error *error) {
  enum { MOST_NAMES = 128 };
  const char *names[MOST_NAMES];
  if (n > MOST_NAMES) n = MOST_NAMES;
  for (size_t i = 0; i < n; i++) names[i] = options[i].name;
  int nearest = ink_text_nearest(given, names, n);
  if (nearest >= 0) {
    return ink_fail(error, INK_ERR_USAGE, "unknown option --%s; did you mean --%s?", given,
                    names[nearest]);
  }
  return ink_fail(error, INK_ERR_USAGE, "unknown option --%s; --help lists the options", given);
}

static ink_status read_number(const ink_option *option, const char *source, const char *text,
                              double *out, ink_error *error) {
  char *end;
  errno = 0;
  double number = strtod(text, &end);
  bool bounded = option->low < option->high || option->low > option->high;
  // Beyond 2^53 doubles do not hold every whole number; where bounds are, they say it.
  bool whole = option->kind != INK_OPTION_INT ||
               (number == floor(number) && (bounded || fabs(number) <= 0x1p53));
  if (end == text || *end || errno == ERANGE || isnan(number) || !whole) {
    return ink_fail(error, INK_ERR_USAGE,
                    option->kind == INK_OPTION_INT ? "%s takes a whole number, not \"%s\""
                                                   : "%s takes a number, not \"%s\"",
                    source, text);
  }
  if (bounded && (number < option->low || number > option->high)) {
    return ink_fail(error, INK_ERR_USAGE, "%s is %s; it must lie in %.17g … %.17g", source, text,
                    option->low, option->high);
  }
  *out = number;
  return INK_OK;
}

static ink_status assign(ink_option *option, const char *source, const char *text,
                         ink_error *error) {
  double number = 0;
  switch (option->kind) {
    case INK_OPTION_FLAG: {
      bool off = strcmp(text, "0") == 0 || strcmp(text, "false") == 0 || strcmp(text, "no") == 0;
      bool on = strcmp(text, "1") == 0 || strcmp(text, "true") == 0 || strcmp(text, "yes") == 0;
      if (!on && !off) {
        return ink_fail(error, INK_ERR_USAGE, "%s is yes or no, not \"%s\"", source, text);
      }
      *(bool *)option->value = on;
      break;
    }
    case INK_OPTION_INT:
      INK_TRY(read_number(option, source, text, &number, error));
      *(int64_t *)option->value = (int64_t)number;
      break;
    case INK_OPTION_NUMBER:
      INK_TRY(read_number(option, source, text, (double *)option->value, error));
      break;
    case INK_OPTION_STRING:
      *(const char **)option->value = text;
      break;
    case INK_OPTION_LIST: {
      ink_string_list *list = option->value;
      if (list->n == sizeof list->items / sizeof *list->items) {
        return ink_fail(error, INK_ERR_USAGE, "%s given more than %zu times", source, list->n);
      }
      list->items[list->n++] = text;
      break;
    }
  }
  option->given = true;
  return INK_OK;
}

static ink_status read_environment(ink_option *options, size_t n, ink_error *error) {
  for (size_t i = 0; i < n; i++) {
    if (options[i].kind == INK_OPTION_LIST || options[i].given) continue;
    char name[96];
    int size = snprintf(name, sizeof name, "INKSTONE_%s", options[i].name);
    for (int j = 0; j < size; j++) {
      name[j] = name[j] == '-' ? '_' : (char)toupper((unsigned char)name[j]);
    }
    const char *value = getenv(name);
    if (value && value[0]) INK_TRY(assign(&options[i], name, value, error));
  }
  return INK_OK;
}

// One argument that begins with a dash. *at moves on when it takes the next one as its value.
static ink_status read_option(ink_option *options, size_t n, int argc, char **argv, int *at,
                              ink_error *error) {
  const char *argument = argv[*at];
  ink_option *found = NULL;
  const char *value = NULL;
  bool negated = false;
  char source[80];
  if (argument[1] == '-') {
    size_t length = strcspn(argument + 2, "=");
    if (argument[2 + length] == '=') value = argument + 3 + length;
    snprintf(source, sizeof source, "--%.*s", (int)length, argument + 2);
    const char *name = source + 2;
    for (size_t i = 0; i < n; i++) {
      if (strcmp(options[i].name, name) == 0) found = &options[i];
    }
    for (size_t i = 0; !found && i < n && strncmp(name, "no-", 3) == 0; i++) {
      negated = options[i].kind == INK_OPTION_FLAG && strcmp(options[i].name, name + 3) == 0;
      if (negated) found = &options[i];
    }
    if (!found) return unknown_option(options, n, name, error);
  } else {
    snprintf(source, sizeof source, "-%c", argument[1]);
    for (size_t i = 0; i < n; i++) {
      if (options[i].letter && options[i].letter == argument[1]) found = &options[i];
    }
    if (!found) {
      return ink_fail(error, INK_ERR_USAGE, "unknown option %s; --help lists the options",
                      argument);
    }
    if (argument[2]) value = argument + 2;
  }
  if (found->kind == INK_OPTION_FLAG) {
    if (value) return ink_fail(error, INK_ERR_USAGE, "%s takes no value", source);
    return assign(found, source, negated ? "no" : "yes", error);
  }
  if (!value) {
    if (*at + 1 >= argc) {
      return ink_fail(error, INK_ERR_USAGE, "%s needs a value (%s)", source, found->argument);
    }
    value = argv[++*at];
  }
  return assign(found, source, value, error);
}

static void list_values(const ink_option *options, size_t n, const char *name) {
  for (size_t i = 0; i < n; i++) {
    if (strcmp(options[i].name, name) != 0 || !options[i].value_at) continue;
    for (int k = 0; options[i].value_at(k); k++) puts(options[i].value_at(k));
  }
}

ink_option ink_option_threads(int64_t *threads) {
  return (ink_option){.name = "threads",
                      .letter = 't',
                      .kind = INK_OPTION_INT,
                      .value = threads,
                      .argument = "N",
                      .help = "threads (default: one per processor)",
                      .low = 1,
                      .high = 256};
}

ink_status ink_options_read(const ink_command *command, ink_option *options, size_t n_options,
                            int argc, char **argv, int *n_positional, bool *done,
                            ink_error *error) {
  int kept = 0;
  *done = false;
  *n_positional = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--") == 0) break;
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      print_help(command, options, n_options);
      *done = true;
      return INK_OK;
    }
    if (strcmp(argv[i], "--list-options") == 0) {
      for (size_t j = 0; j < n_options; j++) printf("--%s\n", options[j].name);
      puts("--help");
      *done = true;
      return INK_OK;
    }
    if (strcmp(argv[i], "--list-values") == 0) {
      if (i + 1 < argc) list_values(options, n_options, argv[i + 1]);
      *done = true;
      return INK_OK;
    }
  }
  bool ended = false;
  for (int i = 1; i < argc; i++) {
    if (!ended && strcmp(argv[i], "--") == 0) {
      ended = true;
    } else if (!ended && argv[i][0] == '-' && argv[i][1]) {
      INK_TRY(read_option(options, n_options, argc, argv, &i, error));
    } else {
      argv[1 + kept++] = argv[i];
    }
  }
  *n_positional = kept;
  return read_environment(options, n_options, error);
}
