// Reading playbooks and checking briefs against them.
#include "desk/playbook.h"

#include <dirent.h>
#include <errno.h>
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
// ----------------------------------------------------------------------------------------

static int by_name(const void *a, const void *b) {
  return strcmp(ink_path_name(*(char *const *)a), ink_path_name(*(char *const *)b));
}

static ink_status list_folder(const char *folder, char ***paths, size_t *n, ink_error *error) {
  DIR *open = opendir(folder);
  if (!open) return INK_OK;
  ink_status status = INK_OK;
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
  size_t n_folder = ink_folder_shipped("playbooks", where);
  ink_status status = INK_OK;
  *paths = NULL;
  *n = 0;
  // The first folder that has any is the one in force.
  for (size_t i = 0; i < n_folder; i++) {
    if (status == INK_OK && *n == 0 && where[i]) status = list_folder(where[i], paths, n, error);
    free(where[i]);
  }
  if (*n) qsort(*paths, *n, sizeof **paths, by_name);
  return status;
}

static ink_status find(const char *reference, char **path, ink_error *error) {
  if (strchr(reference, '/') || strstr(reference, ".yaml") || strstr(reference, ".json")) {
    *path = strdup(reference);
    return *path ? INK_OK : no_memory(error);
  }
  char **paths;
  size_t n;
  ink_text known = {0};
  *path = NULL;
  INK_TRY(ink_playbook_list(&paths, &n, error));
  for (size_t i = 0; i < n; i++) {
    const char *name = ink_path_name(paths[i]);
    size_t length = strlen(name) - 5;
    ink_text_format(&known, "%s%.*s", i ? ", " : "", (int)length, name);
    if (!*path && strlen(reference) == length && strncmp(reference, name, length) == 0) {
      *path = paths[i];
    } else {
      free(paths[i]);
    }
  }
  free(paths);
  ink_status status = INK_OK;
  if (!*path) {
    status = ink_fail(error, INK_ERR_NOT_FOUND, "no playbook \"%s\"; there are: %s", reference,
                      n ? ink_text_string(&known) : "none");
  }
  ink_text_free(&known);
  return status;
}

// ---- reading
// ----------------------------------------------------------------------------------------

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

static ink_status read_playbook(const char *path, ink_playbook *p, ink_error *error) {
  static const char *const known[] = {"playbook", "summary", "inputs",  "draft", "model",
                                      "settings", "checks",  "publish", NULL};
  static const char *const drafters[] = {"verse", NULL};
  static const char *const checks[] = {"verse", NULL};
  static const char *const formats[] = {"md", "html", NULL};
  if (!json_is_object(p->source)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: a playbook is a mapping", path);
  }
  INK_TRY(ink_json_only(p->source, path, known, error));
  INK_TRY(ink_json_get_string(p->source, "playbook", path, &p->name, error));
  INK_TRY(ink_json_get_string(p->source, "draft", path, &p->draft, error));
  INK_TRY(ink_json_get_string(p->source, "model", path, &p->model, error));
  INK_TRY(read_summary(json_object_get(p->source, "summary"), path, &p->summary, &p->summary_zh,
                       error));
  if (!p->name || !p->draft || !p->model) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /playbook, /draft and /model are needed", path);
  }
  if (strcmp(p->draft, drafters[0]) != 0) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /draft is \"%s\"; it is verse", path, p->draft);
  }
  p->settings = json_object_get(p->source, "settings");
  if (p->settings && !json_is_object(p->settings)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /settings must be a mapping", path);
  }
  INK_TRY(read_inputs(path, p, error));
  INK_TRY(read_words(path, p->source, "checks", checks, &p->checks, &p->n_check, error));
  return read_words(path, p->source, "publish", formats, &p->formats, &p->n_format, error);
}

ink_status ink_playbook_open(const char *reference, ink_playbook **playbook, ink_error *error) {
  char *path, *bytes = NULL;
  size_t size;
  *playbook = NULL;
  INK_TRY(find(reference, &path, error));
  ink_playbook *p = calloc(1, sizeof *p);
  ink_status status =
      p ? ink_file_read(path, MOST_PLAYBOOK, &bytes, &size, error) : no_memory(error);
  if (status == INK_OK) status = ink_sha256_of(bytes, size, p->sha256, error);
  if (status == INK_OK) status = ink_yaml_parse(bytes, size, path, &p->source, error);
  if (status == INK_OK) status = read_playbook(path, p, error);
  free(bytes);
  free(path);
  if (status != INK_OK) {
    ink_playbook_free(p);
    return status;
  }
  *playbook = p;
  return INK_OK;
}

void ink_playbook_free(ink_playbook *playbook) {
  if (!playbook) return;
  free(playbook->inputs);
  free(playbook->checks);
  free(playbook->formats);
  json_decref(playbook->source);
  free(playbook);
}

// ---- briefs
// -----------------------------------------------------------------------------------------

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
    if (errno || *end) {
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
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)brief, key, value) {
    ink_text known = {0};
    bool found = false;
    for (size_t i = 0; i < playbook->n_input; i++) {
      found = found || strcmp(playbook->inputs[i].name, key) == 0;
      ink_text_format(&known, "%s%s", i ? ", " : "", playbook->inputs[i].name);
    }
    ink_status status = INK_OK;
    if (!found) {
      status = ink_fail(error, INK_ERR_USAGE, "the playbook %s has no input \"%s\"; it has: %s",
                        playbook->name, key, ink_text_string(&known));
    }
    ink_text_free(&known);
    INK_TRY(status);
  }
  return INK_OK;
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
