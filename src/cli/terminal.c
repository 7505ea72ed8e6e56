// How the program speaks to a person: errors, progress, Ctrl-C.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "lang/catalogue.h"

ink_error ink_cli_error(void) {
  return (ink_error){.translate = ink_tr};
}

// True when stderr is a terminal that takes colour (NO_COLOR unset or empty, TERM not dumb).
static bool wants_colour(void) {
  const char *no = getenv("NO_COLOR");
  const char *term = getenv("TERM");
  return isatty(STDERR_FILENO) && !(no && no[0]) && term && strcmp(term, "dumb") != 0;
}

static bool steers(int32_t rune) {
  bool control = rune < 0x20 || (rune >= 0x7F && rune < 0xA0);
  bool turns = (rune >= 0x202A && rune <= 0x202E) || (rune >= 0x2066 && rune <= 0x2069);
  return control || turns || rune == 0x2028 || rune == 0x2029;
}

static void clean(char *text, bool keep_lines) {
  size_t size = strlen(text);
  for (size_t at = 0; at < size;) {
    int32_t rune;
    size_t length = ink_utf8_decode(text + at, size - at, &rune);
    if (rune < 0 || (steers(rune) && !(keep_lines && rune == '\n'))) memset(text + at, '?', length);
    at += length;
  }
}

void ink_cli_clean(char *text) {
  clean(text, false);
}

ink_status ink_cli_clean_json(json_t *json, ink_error *error) {
  const char *key;
  json_t *value;
  size_t i;
  json_object_foreach(json, key, value) {
    INK_TRY(ink_cli_clean_json(value, error));
  }
  json_array_foreach(json, i, value) {
    INK_TRY(ink_cli_clean_json(value, error));
  }
  if (!json_is_string(json)) return INK_OK;
  char *text = strdup(json_string_value(json));
  if (text) clean(text, false);
  bool fine = text && json_string_set(json, text) == 0;
  free(text);
  return fine ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for the result");
}

int ink_cli_fail(const ink_command *command, const ink_error *error) {
  const char *red = wants_colour() ? "\033[31m" : "", *plain = wants_colour() ? "\033[0m" : "";
  char text[sizeof error->text];
  memcpy(text, error->text, sizeof text);
  clean(text, true);
  fflush(stdout);
  fprintf(stderr, "inkstone%s%s: %s%s:%s %s\n", command ? " " : "", command ? command->name : "",
          red, ink_tr("error"), plain, text);
  switch (error->status) {
    case INK_OK:
      return INK_EXIT_DONE;
    case INK_ERR_USAGE:
      return INK_EXIT_USAGE;
    case INK_ERR_BLOCKED:
      return INK_EXIT_BLOCKED;
    default:
      return INK_EXIT_FAILED;
  }
}

ink_status ink_cli_print_json(json_t *json, ink_error *error) {
  char *text = json ? ink_json_text(json) : NULL;
  json_decref(json);
  if (!text) return ink_fail(error, INK_ERR_MEMORY, "no memory for the result");
  bool printed = puts(text) >= 0 && fflush(stdout) == 0;
  free(text);
  return printed ? INK_OK : ink_fail(error, INK_ERR_IO, "the result could not be printed");
}

// A signal handler can reach nothing but a global.
static volatile sig_atomic_t interrupts;

static void on_interrupt(int number) {
  if (interrupts++) {
    signal(number, SIG_DFL);
    raise(number);
  }
}

void ink_cli_catch_interrupts(void) {
  struct sigaction action = {.sa_handler = on_interrupt};
  interrupts = 0;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

bool ink_cli_interrupted(void) {
  return interrupts > 0;
}

static bool draw(void *context, int64_t done, int64_t total, const char *state) {
  ink_cli_bar *bar = context;
  double now = ink_clock_seconds();
  bool last = total > 0 && done >= total;
  if (bar->terminal && (now - bar->drawn >= 0.1 || last)) {
    char gauge[25] = "";
    if (total > 0) {
      int filled = (int)(24 * done / total);
      for (int i = 0; i < 24; i++) gauge[i] = i < filled ? '=' : i == filled ? '>' : ' ';
      fprintf(stderr, "\r\033[K%s [%s] %3d %%  %s", bar->label, gauge, (int)(100 * done / total),
              state ? ink_tr(state) : "");
      // Nothing is known of the time before the first step is done.
      double left = done > 0 ? (now - bar->started) * (double)(total - done) / (double)done : 0;
      if (done > 0 && !last) {
        fprintf(stderr, ink_tr("  %02d:%02d left"), (int)left / 60, (int)left % 60);
      }
    } else {
      fprintf(stderr, "\r\033[K%s %lld %s", bar->label, (long long)done, state ? state : "");
    }
    fflush(stderr);
    bar->drawn = now;
    bar->shown = true;
  }
  return !ink_cli_interrupted();
}

ink_progress ink_cli_progress(ink_cli_bar *bar, const char *label) {
  *bar = (ink_cli_bar){.label = label, .started = ink_clock_seconds()};
  bar->terminal = isatty(STDERR_FILENO) == 1;
  ink_cli_catch_interrupts();
  return (ink_progress){draw, bar};
}

void ink_cli_progress_end(ink_cli_bar *bar) {
  if (bar->shown) fputs("\r\033[K", stderr);
  bar->shown = false;
}
