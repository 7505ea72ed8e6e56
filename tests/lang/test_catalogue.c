// The catalogue: each message in both languages, said alike, and none left out.
#include <ctype.h>
#include <dirent.h>

#include "base/file.h"
#include "base/text.h"
#include "lang/catalogue.h"
#include "testing.h"

// ---- entries

static void entries_have_both_languages_and_stand_in_order(void **state) {
  (void)state;
  size_t n;
  const ink_message *all = ink_catalogue(&n);
  assert_true(n > 100);
  for (size_t i = 0; i < n; i++) {
    assert_true(all[i].english[0] && all[i].chinese[0]);
    assert_true(ink_utf8_valid(all[i].chinese, strlen(all[i].chinese), NULL));
    if (i && strcmp(all[i - 1].english, all[i].english) >= 0) {
      fail_msg("\"%s\" stands behind \"%s\"", all[i].english, all[i - 1].english);
    }
    assert_string_equal(ink_translate(all[i].english, INK_LANGUAGE_ZH), all[i].chinese);
  }
}

enum { MOST_SPECIFIERS = 16 };

// The conversions of a format, each without its flags, width and position: "lld", "s", ".12s".
static int specifiers_of(const char *format, char found[MOST_SPECIFIERS][16]) {
  int n = 0;
  for (const char *at = strchr(format, '%'); at; at = strchr(at, '%')) {
    if (at[1] == '%') {
      at += 2;
      continue;
    }
    char *end;
    long position = strtol(++at, &end, 10);
    int index = *end == '$' ? (int)position - 1 : n;
    at = *end == '$' ? end + 1 : at;
    at += strspn(at, "-+ #0123456789");
    size_t length = strspn(at, ".*0123456789hlzjt") + 1;
    assert_in_range(index, 0, MOST_SPECIFIERS - 1);
    assert_true(length < sizeof found[0]);
    snprintf(found[index], sizeof found[0], "%.*s", (int)length, at);
    n++;
  }
  return n;
}

static void format_specifiers_agree(void **state) {
  (void)state;
  size_t n;
  const ink_message *all = ink_catalogue(&n);
  for (size_t i = 0; i < n; i++) {
    char english[MOST_SPECIFIERS][16] = {{0}}, chinese[MOST_SPECIFIERS][16] = {{0}};
    int a = specifiers_of(all[i].english, english), b = specifiers_of(all[i].chinese, chinese);
    if (a != b || memcmp(english, chinese, sizeof english) != 0) {
      fail_msg("\"%s\" and \"%s\" take other arguments", all[i].english, all[i].chinese);
    }
  }
}

static void the_first_variable_that_is_set_chooses_the_language(void **state) {
  (void)state;
  static const char *const variables[] = {"INKSTONE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"};
  for (int i = 0; i < 4; i++) unsetenv(variables[i]);
  assert_int_equal(ink_language_current(), INK_LANGUAGE_EN);
  for (int i = 3; i >= 0; i--) {
    // Each outweighs those behind it in the list, which say the opposite.
    bool chinese = i % 2 == 1;
    setenv(variables[i], chinese ? "zh_CN.UTF-8" : "en_GB.UTF-8", 1);
    assert_int_equal(ink_language_current(), chinese ? INK_LANGUAGE_ZH : INK_LANGUAGE_EN);
  }
  setenv("INKSTONE_LANG", "zh", 1);
  assert_string_equal(ink_tr("error"), "错误");
  assert_string_equal(ink_tr("not in the catalogue"), "not in the catalogue");
  ink_error error = {.translate = ink_tr};
  ink_fail(&error, INK_ERR_USAGE, "%s must be a whole number", "seed");
  assert_string_equal(error.text, "seed 须是整数");
  for (int i = 0; i < 4; i++) unsetenv(variables[i]);
}

// ---- the sources

// Append the string literals that stand side by side at *at, which ends behind them.
static void read_literals(const char **at, ink_text *out) {
  while (**at == '"') {
    for ((*at)++; **at && **at != '"'; (*at)++) {
      if (**at != '\\') {
        ink_text_add_bytes(out, *at, 1);
        continue;
      }
      (*at)++;
      ink_text_add(out, **at == 'n' ? "\n" : **at == 't' ? "\t" : **at == '"' ? "\"" : "\\");
    }
    if (**at) (*at)++;
    while (isspace((unsigned char)**at)) (*at)++;
  }
}

static bool has_words(const char *text) {
  for (const char *at = text; *at; at++) {
    if (*at == '%') {
      at += strcspn(at, "sduxgfc");
      if (!*at) return false;
    } else if (isalpha((unsigned char)*at)) {
      return true;
    }
  }
  return false;
}

static int missing;

static void demand(const char *text, const char *path) {
  if (!has_words(text) || strcmp(ink_translate(text, INK_LANGUAGE_ZH), text) != 0) return;
  print_message("# %s: no Chinese for \"%s\"\n", path, text);
  missing++;
}

// All literals of the first argument that begins with one or holds one: the branches of a choice
// are texts alike. `at` stands behind the opening bracket, or behind the '=' of a member.
static void check_argument(const char *at, const char *path) {
  int depth = 0;
  bool found = false;
  while (*at && *at != ';' && depth >= 0) {
    if (*at == '\'') {
      at += at[1] == '\\' ? 4 : 3;
    } else if (*at == '"') {
      ink_text text = {0};
      read_literals(&at, &text);
      if (depth == 0) {
        demand(ink_text_string(&text), path);
        found = true;
      }
      ink_text_free(&text);
    } else {
      depth += *at == '(' || *at == '{';
      depth -= *at == ')' || *at == '}';
      if (*at == ',' && depth == 0 && found) return;
      at++;
    }
  }
}

static void check_source(const char *path, bool errors_too) {
  static const char *const help[] = {".help = ", ".summary = "};
  static const char *const sayers[] = {
      "ink_tr(",      "ink_translate(", "ink_error_say(", "ink_fail(",
      "ink_fail_at(", "ink_context(",   "system_fault(",  "SAY("};
  ink_error error = {0};
  char *bytes;
  size_t size;
  assert_ok(ink_file_read(path, 1 << 24, &bytes, &size, &error));
  for (size_t i = 0; i < 2; i++) {
    for (const char *at = bytes; (at = strstr(at, help[i]));) {
      at += strlen(help[i]);
      check_argument(at, path);
    }
  }
  for (size_t i = 0; i < (errors_too ? 8 : 1); i++) {
    for (const char *at = bytes; (at = strstr(at, sayers[i]));) {
      bool whole = at == bytes || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
      at += strlen(sayers[i]);
      if (whole) check_argument(at, path);
    }
  }
  free(bytes);
}

static void check_room(const char *folder, bool errors_too) {
  DIR *open = opendir(folder);
  assert_non_null(open);
  for (struct dirent *entry; (entry = readdir(open));) {
    size_t length = strlen(entry->d_name);
    char path[8192];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (length > 2 && strcmp(entry->d_name + length - 2, ".c") == 0) {
      check_source(path, errors_too);
    } else if (entry->d_name[0] != '.' && ink_file_is_folder(path)) {
      check_room(path, errors_too);
    }
  }
  closedir(open);
}

// What the commands, the desk and the painter say to a person has its Chinese; so has every line of
// help. Faults deep inside a model file stay in English where nobody has translated them.
static void nothing_that_a_person_meets_is_left_in_one_language(void **state) {
  (void)state;
  static const char *const rooms[] = {"base", "check", "cli",     "desk",   "diffusion",
                                      "lang", "mark",  "picture", "publish"};
  missing = 0;
  for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
    char folder[64];
    snprintf(folder, sizeof folder, "../../src/%s", rooms[i]);
    check_room(fixture_path(folder), true);
  }
  check_room(fixture_path("../../src"), false);
  assert_int_equal(missing, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(entries_have_both_languages_and_stand_in_order),
      cmocka_unit_test(format_specifiers_agree),
      cmocka_unit_test(the_first_variable_that_is_set_chooses_the_language),
      cmocka_unit_test(nothing_that_a_person_meets_is_left_in_one_language),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
