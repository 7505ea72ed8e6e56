// Reading records, and telling how a piece came about.
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "desk/piece.h"

enum { MOST_RECORD = 1 << 26 };

static ink_status need(const json_t *object, const char *key, json_type type, const char *name,
                       ink_error *error) {
  const json_t *value = json_object_get(object, key);
  if (value && json_typeof(value) == type) return INK_OK;
  static const char *const texts[] = {
      [JSON_OBJECT] = "%s: /%s must be an object",
      [JSON_ARRAY] = "%s: /%s must be a list",
      [JSON_STRING] = "%s: /%s must be a string",
      [JSON_INTEGER] = "%s: /%s must be an integer",
  };
  return ink_fail(error, INK_ERR_FORMAT, texts[type], name, key);
}

static ink_status check_record(const json_t *record, const char *name, ink_error *error) {
  static const struct {
    const char *key;
    json_type type;
  } parts[] = {{"record", JSON_INTEGER},  {"identity", JSON_STRING}, {"created", JSON_STRING},
               {"producer", JSON_STRING}, {"playbook", JSON_OBJECT}, {"brief", JSON_OBJECT},
               {"recipe", JSON_OBJECT},   {"draft", JSON_OBJECT},    {"checks", JSON_ARRAY},
               {"label", JSON_OBJECT},    {"files", JSON_ARRAY}};
  if (!json_is_object(record)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: a record is an object", name);
  }
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    INK_TRY(need(record, parts[i].key, parts[i].type, name, error));
  }
  if (json_integer_value(json_object_get(record, "record")) != 1) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: records of version %lld are not known here",
                    name, (long long)json_integer_value(json_object_get(record, "record")));
  }
  const json_t *recipe = json_object_get(record, "recipe"),
               *model = json_object_get(recipe, "model");
  INK_TRY(need(recipe, "seed", JSON_INTEGER, name, error));
  if (json_integer_value(json_object_get(recipe, "seed")) < 0) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /recipe/seed is negative", name);
  }
  INK_TRY(need(recipe, "kernels", JSON_STRING, name, error));
  INK_TRY(need(recipe, "inkstone", JSON_STRING, name, error));
  INK_TRY(need(recipe, "model", JSON_OBJECT, name, error));
  INK_TRY(need(model, "name", JSON_STRING, name, error));
  INK_TRY(need(model, "sha256", JSON_STRING, name, error));
  INK_TRY(need(json_object_get(record, "playbook"), "name", JSON_STRING, name, error));
  INK_TRY(need(json_object_get(record, "playbook"), "sha256", JSON_STRING, name, error));
  INK_TRY(need(json_object_get(record, "draft"), "text", JSON_STRING, name, error));
  size_t i;
  json_t *file;
  json_array_foreach(json_object_get(record, "files"), i, file) {
    INK_TRY(need(file, "name", JSON_STRING, name, error));
    INK_TRY(need(file, "sha256", JSON_STRING, name, error));
    const char *file_name = json_string_value(json_object_get(file, "name"));
    if (strchr(file_name, '/') || file_name[0] == '.') {
      return ink_fail(error, INK_ERR_FORMAT, "%s: /files/%zu/name leads out of the folder", name,
                      i);
    }
  }
  return INK_OK;
}

ink_status ink_record_open(const char *path, json_t **record, char **folder, ink_error *error) {
  *record = NULL;
  *folder = NULL;
  bool is_folder = ink_file_is_folder(path);
  char *file = is_folder ? ink_path_join(path, "record.json") : strdup(path);
  char *where = is_folder ? strdup(path) : ink_path_folder(path);
  ink_status status = INK_OK;
  if (!file || !where) status = ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  if (status == INK_OK) status = ink_json_load(file, MOST_RECORD, record, error);
  if (status == INK_OK) status = check_record(*record, file, error);
  free(file);
  if (status != INK_OK) {
    json_decref(*record);
    *record = NULL;
    free(where);
    return status;
  }
  *folder = where;
  return INK_OK;
}

static const char *text_at(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "";
}

static void explain_brief(const json_t *brief, ink_text *out) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)brief, key, value) {
    if (json_is_integer(value)) {
      ink_text_format(out, "  %s = %lld\n", key, (long long)json_integer_value(value));
    } else if (json_is_string(value)) {
      ink_text_format(out, "  %s = %s\n", key, json_string_value(value));
    }
  }
}

static void explain_checks(const json_t *checks, ink_language language, ink_text *out) {
  size_t i;
  json_t *check;
  const char *summary = language == INK_LANGUAGE_ZH ? "summary_zh" : "summary";
  json_array_foreach((json_t *)checks, i, check) {
    bool passed = json_is_true(json_object_get(check, "passed"));
    ink_text_format(out, "  %s %s: %s\n", passed ? "✓" : "✗", text_at(check, "name"),
                    text_at(check, summary));
    size_t j;
    json_t *line;
    json_array_foreach(json_object_get(check, "lines"), j, line) {
      bool rhymes = json_is_true(json_object_get(line, "rhymes"));
      ink_text_format(out, "      %s  %s%s%s\n", text_at(line, "text"), text_at(line, "tones"),
                      rhymes ? "  " : "", rhymes ? ink_translate("rhyme", language) : "");
    }
  }
}

void ink_record_explain(const json_t *record, ink_language language, ink_text *out) {
  const json_t *playbook = json_object_get(record, "playbook");
  const json_t *recipe = json_object_get(record, "recipe");
  const json_t *model = json_object_get(recipe, "model"),
               *sampler = json_object_get(recipe, "sampler");
  const json_t *label = json_object_get(record, "label"), *draft = json_object_get(record, "draft");
#define SAY(english) ink_translate(english, language)
  ink_text_format(out, "%s\n", text_at(draft, "text"));
  ink_text_format(out, SAY("piece %s\nmade %s\n\n"), text_at(record, "identity"),
                  text_at(record, "created"));
  ink_text_format(out, SAY("asked for (playbook %s, SHA-256 %.12s…)\n"), text_at(playbook, "name"),
                  text_at(playbook, "sha256"));
  explain_brief(json_object_get(record, "brief"), out);
  ink_text_format(out, SAY("\nwritten by\n  model %s (SHA-256 %.12s…)\n  seed %lld\n"),
                  text_at(model, "name"), text_at(model, "sha256"),
                  (long long)json_integer_value(json_object_get(recipe, "seed")));
  ink_text_format(out,
                  SAY("  temperature %g, top-p %g; %lld candidates, of which number %lld (%.3f "
                      "nats a token)\n"),
                  json_number_value(json_object_get(sampler, "temperature")),
                  json_number_value(json_object_get(sampler, "top_p")),
                  (long long)json_integer_value(json_object_get(sampler, "candidates")),
                  (long long)json_integer_value(json_object_get(draft, "candidate")) + 1,
                  -json_number_value(json_object_get(draft, "logprob")));
  ink_text_format(out, SAY("  inkstone %s, kernels %s\n"), text_at(recipe, "inkstone"),
                  text_at(recipe, "kernels"));
  const json_t *picture = json_object_get(recipe, "picture");
  if (picture) {
    ink_text_format(out, SAY("\npainted by\n  model %s (SHA-256 %.12s…)\n  asked for %s\n"),
                    text_at(json_object_get(picture, "model"), "name"),
                    text_at(json_object_get(picture, "model"), "sha256"),
                    text_at(picture, "prompt"));
    if (json_object_get(picture, "watermark")) {
      ink_text_add(out, SAY("  its noise carries the piece's identity\n"));
    }
  }
  ink_text_add(out, SAY("\nchecked\n"));
  explain_checks(json_object_get(record, "checks"), language, out);
  ink_text_format(out, SAY("\nlabelled\n  %s (visible)\n  AIGC metadata: producer %s\n"),
                  text_at(label, "visible"), text_at(record, "producer"));
  ink_text_add(out, SAY("\nfiles\n"));
#undef SAY
  size_t i;
  json_t *file;
  json_array_foreach(json_object_get(record, "files"), i, file) {
    ink_text_format(out, "  %s  SHA-256 %.12s…\n", text_at(file, "name"), text_at(file, "sha256"));
  }
}
