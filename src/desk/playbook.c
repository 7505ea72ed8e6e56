// Reading playbooks and checking briefs against them.
#include "desk/playbook.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"

enum { MOST_PLAYBOOK = 1 << 20, MOST_INPUT_TEXT = 2000 };

static ink_status no_memory(ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "no memory for the playbook");
}

// ---- finding

static int by_name(const void *a, const void *b) {
  return strcmp(ink_path_name(*(char *const *)a), ink_path_name(*(char *const *)b));
}

static ink_status list_folder(const char *folder, char ***paths, size_t *n, ink_error *error) {
  DIR *open;
  ink_status status = ink_folder_open(folder, &open, error);
  if (!open) return status;
  for (struct dirent *entry; status == INK_OK && (entry = readdir(open));) {
    size_t length = strlen(entry->d_name);
    if (length <= 5 || strcmp(entry->d_name + length - 5, ".yaml") != 0) continue;
    char **more = realloc(*paths, (*n + 1) * sizeof **paths);
    if (more) *paths = more;
    char *path = more ? ink_path_join(folder, entry->d_name) : NULL;
    if (path) {
      (*paths)[(*n)++] = path;
    } else {
      status = no_memory(error);
    }
  }
  closedir(open);
  return status;
}

ink_status ink_playbook_list(char ***paths, size_t *n, ink_error *error) {
  char *where[INK_SHIPPED_FOLDERS] = {0};
  size_t n_folder;
  *paths = NULL;
  *n = 0;
  ink_status status = ink_folder_shipped("playbooks", where, &n_folder, error);
  // The first folder that has any is the one in force.
  for (size_t i = 0; i < n_folder; i++) {
    if (status == INK_OK && *n == 0) status = list_folder(where[i], paths, n, error);
    free(where[i]);
  }
  if (*n) qsort(*paths, *n, sizeof **paths, by_name);
  return status;
}

static bool is_path(const char *reference) {
  return strchr(reference, '/') || strstr(reference, ".yaml") || strstr(reference, ".json");
}

// "poem" of "/usr/share/inkstone/playbooks/poem.yaml".
static char *starter_name(const char *path) {
  const char *name = ink_path_name(path);
  return strndup(name, strlen(name) - strlen(".yaml"));
}

static ink_status not_found(const char *reference, const char *const *names, size_t n,
                            ink_error *error) {
  int nearest = ink_text_nearest(reference, names, n);
  if (nearest >= 0) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "no playbook \"%s\"; did you mean %s?", reference,
                    names[nearest]);
  }
  ink_text known = {0};
  for (size_t i = 0; i < n; i++) ink_text_format(&known, "%s%s", i ? ", " : "", names[i]);
  ink_status status = ink_text_status(&known, error);
  if (status == INK_OK) {
    status = ink_fail(error, INK_ERR_NOT_FOUND, "no playbook \"%s\"; there are: %s", reference,
                      n ? ink_text_string(&known) : "-");
  }
  ink_text_free(&known);
  return status;
}

static void free_strings(char **strings, size_t n) {
  for (size_t i = 0; strings && i < n; i++) free(strings[i]);
  free(strings);
}

static ink_status find_starter(const char *reference, char *const *paths, size_t n, char **path,
                               ink_error *error) {
  char **names = calloc(n + 1, sizeof *names);
  ink_status status = names ? INK_OK : no_memory(error);
  for (size_t i = 0; status == INK_OK && i < n && !*path; i++) {
    names[i] = starter_name(paths[i]);
    bool found = names[i] && strcmp(names[i], reference) == 0;
    if (found) *path = strdup(paths[i]);
    if (!names[i] || (found && !*path)) status = no_memory(error);
  }
  if (status == INK_OK && !*path) {
    status = not_found(reference, (const char *const *)names, n, error);
  }
  free_strings(names, n);
  return status;
}

static ink_status find(const char *reference, char **path, ink_error *error) {
  *path = NULL;
  if (is_path(reference)) {
    *path = strdup(reference);
    return *path ? INK_OK : no_memory(error);
  }
  char **paths;
  size_t n;
  ink_status status = ink_playbook_list(&paths, &n, error);
  if (status == INK_OK) status = find_starter(reference, paths, n, path, error);
  free_strings(paths, n);
  return status;
}

// ---- reading

static ink_status read_summary(const json_t *object, const char *name, const char **english,
                               const char **chinese, ink_error *error) {
  INK_TRY(ink_json_get_string(object, "en", name, english, error));
  return ink_json_get_string(object, "zh", name, chinese, error);
}

static ink_status read_input(const char *path, const char *key, const json_t *value,
                             ink_playbook_input *input, ink_error *error) {
  static const char *const known[] = {"type",    "required", "least", "most",
                                      "default", "en",       "zh",    NULL};
  char name[512];
  snprintf(name, sizeof name, "%s: /inputs/%s", path, key);
  const char *type = "text";
  if (!json_is_object(value)) return ink_fail(error, INK_ERR_FORMAT, "%s must be a mapping", name);
  INK_TRY(ink_json_only(value, name, known, error));
  INK_TRY(ink_json_get_string(value, "type", name, &type, error));
  bool text = strcmp(type, "text") == 0;
  if (!text && strcmp(type, "whole") != 0) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /type is \"%s\"; it is text or whole", name, type);
  }
  *input = (ink_playbook_input){.name = key,
                                .kind = text ? INK_INPUT_TEXT : INK_INPUT_WHOLE,
                                .high = text ? MOST_INPUT_TEXT : INT64_C(1) << 53};
  int64_t limit = text ? MOST_INPUT_TEXT : INT64_C(1) << 53;
  INK_TRY(ink_json_get_bool(value, "required", name, &input->required, error));
  INK_TRY(ink_json_get_int(value, "least", name, text ? 0 : -limit, limit, &input->low, error));
  INK_TRY(ink_json_get_int(value, "most", name, input->low, limit, &input->high, error));
  INK_TRY(ink_json_get_string(value, "default", name, &input->fallback, error));
  return read_summary(value, name, &input->help, &input->help_zh, error);
}

static ink_status read_inputs(const char *path, ink_playbook *p, ink_error *error) {
  const json_t *inputs = json_object_get(p->source, "inputs");
  if (!json_is_object(inputs) || json_object_size(inputs) == 0) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /inputs must be a mapping of at least one", path);
  }
  p->inputs = calloc(json_object_size(inputs), sizeof *p->inputs);
  if (!p->inputs) return no_memory(error);
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)inputs, key, value) {
    INK_TRY(read_input(path, key, value, &p->inputs[p->n_input], error));
    p->n_input++;
  }
  return INK_OK;
}

// A list of words, each of which must be one of `known`.
static ink_status read_words(const char *path, const json_t *source, const char *key,
                             const char *const *known, const char ***words, size_t *n,
                             ink_error *error) {
  const json_t *list = json_object_get(source, key);
  if (list && !json_is_array(list)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /%s must be a list", path, key);
  }
  *words = calloc(json_array_size(list) + 1, sizeof **words);
  if (!*words) return no_memory(error);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *word = json_string_value(json_array_get(list, i));
    const char *const *at = known;
    while (word && *at && strcmp(*at, word) != 0) at++;
    if (!word || !*at) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: /%s/%zu is %s, which is not known here", path,
                      key, i, word ? word : "no word");
    }
    (*words)[(*n)++] = word;
  }
  return INK_OK;
}

static ink_status read_test(const char *path, size_t i, const json_t *value,
                            ink_playbook_test *test, ink_error *error) {
  static const char *const known[] = {"name", "set", "seed", "expect", "contains", NULL};
  static const char *const outcomes[] = {"made", "blocked", "refused"};
  char name[512];
  snprintf(name, sizeof name, "%s: /tests/%zu", path, i);
  if (!json_is_object(value)) return ink_fail(error, INK_ERR_FORMAT, "%s must be a mapping", name);
  INK_TRY(ink_json_only(value, name, known, error));
  const char *expect = outcomes[0];
  int64_t seed = 1;
  INK_TRY(ink_json_get_string(value, "name", name, &test->name, error));
  INK_TRY(ink_json_get_int(value, "seed", name, 0, INT64_C(1) << 53, &seed, error));
  INK_TRY(ink_json_get_string(value, "expect", name, &expect, error));
  INK_TRY(ink_json_get_string(value, "contains", name, &test->contains, error));
  test->seed = (uint64_t)seed;
  test->brief = json_object_get(value, "set");
  if (!test->name || !json_is_object(test->brief)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /name and /set are needed", name);
  }
  size_t at = 0, n = sizeof outcomes / sizeof *outcomes;
  while (at < n && strcmp(outcomes[at], expect) != 0) at++;
  if (at == n) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /expect is \"%s\"; it is made, blocked or refused",
                    name, expect);
  }
  test->expect = (ink_playbook_outcome)at;
  return INK_OK;
}

static ink_status read_tests(const char *path, ink_playbook *p, ink_error *error) {
  const json_t *tests = json_object_get(p->source, "tests");
  if (!tests) return INK_OK;
  if (!json_is_array(tests)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /tests must be a list", path);
  }
  p->tests = calloc(json_array_size(tests) + 1, sizeof *p->tests);
  if (!p->tests) return no_memory(error);
  for (size_t i = 0; i < json_array_size(tests); i++) {
    INK_TRY(read_test(path, i, json_array_get(tests, i), &p->tests[i], error));
    p->n_test++;
  }
  return INK_OK;
}

static ink_status read_lock(const char *path, ink_playbook *p, ink_error *error) {
  static const char *const known[] = {"model", "inkstone", NULL};
  const json_t *lock = json_object_get(p->source, "lock");
  char name[512];
  snprintf(name, sizeof name, "%s: /lock", path);
  if (!lock) return INK_OK;
  if (!json_is_object(lock)) return ink_fail(error, INK_ERR_FORMAT, "%s must be a mapping", name);
  INK_TRY(ink_json_only(lock, name, known, error));
  INK_TRY(ink_json_get_string(lock, "model", name, &p->locked_model, error));
  return ink_json_get_string(lock, "inkstone", name, &p->locked_version, error);
}

static ink_status read_picture(const char *path, ink_playbook *p, ink_error *error) {
  const json_t *picture = json_object_get(p->source, "picture");
  char name[512];
  snprintf(name, sizeof name, "%s: /picture", path);
  p->pictured = picture != NULL;
  return picture ? ink_illustration_plan_read(picture, name, &p->picture, error) : INK_OK;
}

static ink_status read_playbook(const char *path, ink_playbook *p, ink_error *error) {
  static const char *const known[] = {"playbook", "summary",  "inputs", "draft",
                                      "model",    "settings", "checks", "picture",
                                      "publish",  "tests",    "lock",   NULL};
  static const char *const drafters[] = {"verse", NULL};
  static const char *const checks[] = {"verse", NULL};
  static const char *const formats[] = {"md", "html", "png", NULL};
  if (!json_is_object(p->source)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: a playbook is a mapping", path);
  }
  INK_TRY(ink_json_only(p->source, path, known, error));
  INK_TRY(ink_json_get_string(p->source, "playbook", path, &p->name, error));
  INK_TRY(ink_json_get_string(p->source, "draft", path, &p->draft, error));
  INK_TRY(ink_json_get_string(p->source, "model", path, &p->model, error));
  INK_TRY(read_summary(json_object_get(p->source, "summary"), path, &p->summary, &p->summary_zh,
                       error));
  if (!p->name || !p->name[0] || !p->draft || !p->model) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /playbook, /draft and /model are needed", path);
  }
  if (strchr(p->name, '/') || p->name[0] == '.') {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /playbook is a name, not a path", path);
  }
  if (strcmp(p->draft, drafters[0]) != 0) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /draft is \"%s\"; it is verse", path, p->draft);
  }
  p->settings = json_object_get(p->source, "settings");
  if (p->settings && !json_is_object(p->settings)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /settings must be a mapping", path);
  }
  INK_TRY(read_picture(path, p, error));
  INK_TRY(read_inputs(path, p, error));
  INK_TRY(read_tests(path, p, error));
  INK_TRY(read_lock(path, p, error));
  INK_TRY(read_words(path, p->source, "checks", checks, &p->checks, &p->n_check, error));
  INK_TRY(read_words(path, p->source, "publish", formats, &p->formats, &p->n_format, error));
  for (size_t i = 0; i < p->n_format; i++) {
    // read_words counts what it has put there.
    // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker)
    if (strcmp(p->formats[i], "png") != 0 || p->pictured) continue;
    return ink_fail(error, INK_ERR_FORMAT, "%s: /publish/%zu is png, and there is no /picture",
                    path, i);
  }
  return INK_OK;
}

ink_status ink_playbook_parse(const char *bytes, size_t size, const char *path,
                              ink_playbook **playbook, ink_error *error) {
  *playbook = NULL;
  ink_playbook *p = calloc(1, sizeof *p);
  if (!p) return no_memory(error);
  p->path = strdup(path);
  p->text = malloc(size + 1);
  p->n_text = size;
  ink_status status = p->path && p->text ? INK_OK : no_memory(error);
  if (status == INK_OK) {
    memcpy(p->text, bytes, size);
    p->text[size] = 0;
    status = ink_sha256_of(bytes, size, p->sha256, error);
  }
  if (status == INK_OK) status = ink_yaml_parse(bytes, size, path, &p->source, error);
  if (status == INK_OK) status = read_playbook(path, p, error);
  if (status != INK_OK) {
    ink_playbook_free(p);
    return status;
  }
  *playbook = p;
  return INK_OK;
}

ink_status ink_playbook_open(const char *reference, ink_playbook **playbook, ink_error *error) {
  char *path, *bytes = NULL;
  size_t size;
  *playbook = NULL;
  ink_status status = find(reference, &path, error);
  if (status == INK_OK) status = ink_file_read(path, MOST_PLAYBOOK, &bytes, &size, error);
  if (status == INK_OK) status = ink_playbook_parse(bytes, size, path, playbook, error);
  if (status == INK_OK) (*playbook)->starter = !is_path(reference);
  free(bytes);
  free(path);
  return status;
}

void ink_playbook_free(ink_playbook *playbook) {
  if (!playbook) return;
  free(playbook->inputs);
  free(playbook->checks);
  free(playbook->formats);
  free(playbook->tests);
  free(playbook->path);
  free(playbook->text);
  json_decref(playbook->source);
  free(playbook);
}

// ---- lock

// The playbook's text without its line "lock: …". False when the lock takes several lines.
static bool without_lock(const ink_playbook *p, ink_text *out) {
  bool after_lock = false;
  for (const char *line = p->text; *line;) {
    size_t length = strcspn(line, "\n");
    length += line[length] == '\n';
    if (after_lock && (line[0] == ' ' || line[0] == '\t' || line[0] == '-')) return false;
    after_lock = strncmp(line, "lock:", 5) == 0;
    if (!after_lock) ink_text_add_bytes(out, line, length);
    line += length;
  }
  if (out->size && out->bytes[out->size - 1] != '\n') ink_text_add(out, "\n");
  return true;
}

ink_status ink_playbook_lock(const ink_playbook *playbook, const char *model_sha256,
                             ink_error *error) {
  size_t blank = strspn(playbook->text, " \t\r\n");
  ink_text text = {0};
  ink_status status = INK_OK;
  if (strlen(playbook->text) != playbook->n_text || playbook->text[blank] == '{' ||
      !without_lock(playbook, &text)) {
    status = ink_fail(error, INK_ERR_UNSUPPORTED,
                      "%s: only a lock of one line in a YAML file can be written; put there "
                      "\"lock\": {\"model\": \"%s\", \"inkstone\": \"%s\"}",
                      playbook->path, model_sha256, INKSTONE_VERSION);
  }
  ink_text_format(&text, "lock: {model: \"%s\", inkstone: \"%s\"}\n", model_sha256,
                  INKSTONE_VERSION);
  if (status == INK_OK) status = ink_text_status(&text, error);
  if (status == INK_OK) status = ink_file_save(playbook->path, text.bytes, text.size, error);
  ink_text_free(&text);
  return status;
}

// ---- briefs

// No line breaks and nothing that steers a terminal or turns the direction of a page.
static bool is_one_line(const char *text) {
  for (size_t at = 0, size = strlen(text); at < size;) {
    int32_t rune;
    at += ink_utf8_decode(text + at, size - at, &rune);
    bool control = rune < 0x20 || (rune >= 0x7F && rune < 0xA0);
    bool separator = rune == 0x2028 || rune == 0x2029 || rune == 0xFEFF;
    bool direction = (rune >= 0x202A && rune <= 0x202E) || (rune >= 0x2066 && rune <= 0x2069);
    if (control || separator || direction) return false;
  }
  return true;
}

static ink_status fill_text(const ink_playbook_input *input, const json_t *given, json_t *filled,
                            ink_error *error) {
  const char *text = given ? json_string_value(given) : input->fallback;
  if (given && !text) {
    return ink_fail(error, INK_ERR_USAGE, "%s must be a text", input->name);
  }
  if (!text || !text[0]) {
    if (!input->required) return INK_OK;
    return ink_fail(error, INK_ERR_USAGE, "%s is needed: --set %s=…", input->name, input->name);
  }
  if (!is_one_line(text)) {
    return ink_fail(error, INK_ERR_USAGE, "%s must be one line of text, without control characters",
                    input->name);
  }
  int64_t length = (int64_t)ink_utf8_length(text, strlen(text));
  if (length < input->low || length > input->high) {
    return ink_fail(error, INK_ERR_USAGE,
                    "%s has %lld characters; it must have between %lld and %lld", input->name,
                    (long long)length, (long long)input->low, (long long)input->high);
  }
  return json_object_set_new(filled, input->name, json_string(text)) == 0
             ? INK_OK
             : ink_fail(error, INK_ERR_USAGE, "%s is not valid UTF-8", input->name);
}

// Whole numbers may come as text, from the command line and from tables.
static ink_status fill_whole(const ink_playbook_input *input, const json_t *given, json_t *filled,
                             ink_error *error) {
  const char *text = given ? json_string_value(given) : input->fallback;
  int64_t number = 0;
  if (json_is_integer(given)) {
    number = json_integer_value(given);
  } else if (text && text[0]) {
    char *end;
    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno || *end || end == text) {
      return ink_fail(error, INK_ERR_USAGE, "%s takes a whole number, not \"%s\"", input->name,
                      text);
    }
  } else if (given && !text) {
    return ink_fail(error, INK_ERR_USAGE, "%s must be a whole number", input->name);
  } else {
    if (!input->required) return INK_OK;
    return ink_fail(error, INK_ERR_USAGE, "%s is needed: --set %s=…", input->name, input->name);
  }
  if (number < input->low || number > input->high) {
    return ink_fail(error, INK_ERR_USAGE, "%s is %lld; it must lie in %lld … %lld", input->name,
                    (long long)number, (long long)input->low, (long long)input->high);
  }
  return json_object_set_new(filled, input->name, json_integer(number)) == 0 ? INK_OK
                                                                             : no_memory(error);
}

static ink_status refuse_unknown(const ink_playbook *playbook, const json_t *brief,
                                 ink_error *error) {
  const char **names = calloc(playbook->n_input + 1, sizeof *names);
  if (!names) return no_memory(error);
  for (size_t i = 0; i < playbook->n_input; i++) names[i] = playbook->inputs[i].name;
  ink_status status = INK_OK;
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)brief, key, value) {
    size_t at = 0;
    while (at < playbook->n_input && strcmp(names[at], key) != 0) at++;
    if (at < playbook->n_input) continue;
    ink_text known = {0};
    int nearest = ink_text_nearest(key, names, playbook->n_input);
    for (size_t i = 0; i < playbook->n_input; i++) {
      ink_text_format(&known, "%s%s", i ? ", " : "", names[i]);
    }
    if (nearest >= 0) {
      status = ink_fail(error, INK_ERR_USAGE,
                        "the playbook %s has no input \"%s\"; did you mean %s? It has: %s",
                        playbook->name, key, names[nearest], ink_text_string(&known));
    } else {
      status = ink_fail(error, INK_ERR_USAGE, "the playbook %s has no input \"%s\"; it has: %s",
                        playbook->name, key, ink_text_string(&known));
    }
    ink_text_free(&known);
    break;
  }
  free(names);
  return status;
}

ink_status ink_playbook_fill(const ink_playbook *playbook, const json_t *brief, json_t **filled,
                             ink_error *error) {
  *filled = NULL;
  if (brief && !json_is_object(brief)) {
    return ink_fail(error, INK_ERR_USAGE, "a brief is an object of inputs and values");
  }
  INK_TRY(refuse_unknown(playbook, brief, error));
  json_t *made = json_object();
  if (!made) return no_memory(error);
  ink_status status = INK_OK;
  for (size_t i = 0; status == INK_OK && i < playbook->n_input; i++) {
    const ink_playbook_input *input = &playbook->inputs[i];
    const json_t *given = json_object_get(brief, input->name);
    if (json_is_null(given)) given = NULL;
    status = input->kind == INK_INPUT_TEXT ? fill_text(input, given, made, error)
                                           : fill_whole(input, given, made, error);
  }
  if (status != INK_OK) {
    json_decref(made);
    return status;
  }
  *filled = made;
  return INK_OK;
}
