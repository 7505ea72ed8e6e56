// What was found: the specification's codes, kept and asked for.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mark/c2pa/validate_parts.h"

const char *ink_c2pa_state_name(ink_c2pa_state state) {
  static const char *const names[] = {"none", "Invalid", "Valid", "Trusted"};
  return names[state];
}

static const char *const kinds[] = {"success", "informational", "failure"};

const char *ink_finding_name(ink_finding kind) {
  return kinds[kind];
}

json_t *ink_results_new(ink_validator *v) {
  json_t *results = json_pack("{s:[], s:[], s:[]}", kinds[0], kinds[1], kinds[2]);
  if (!results) v->failed = true;
  return results;
}

void ink_find(ink_validator *v, json_t *results, ink_finding kind, const char *code,
              const ink_jumbf *box, const char *format, ...) {
  char text[320], there[sizeof text];
  ink_text uri = {0}, explanation = {0};
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  vsnprintf(there, sizeof there, ink_error_say(v->error, format), again);
  va_end(again);
  if (box) ink_jumbf_uri(box, &uri);
  ink_text_add_lossy(&explanation, text, strlen(text));
  json_t *finding = json_pack("{s:s, s:s, s:s}", "code", code, "url", ink_text_string(&uri),
                              "explanation", ink_text_string(&explanation));
  // A failure that goes missing would make a file valid.
  if (uri.failed || explanation.failed || !finding ||
      json_array_append_new(json_object_get(results, kinds[kind]), finding) != 0) {
    v->failed = true;
  }
  if (strcmp(text, there) != 0) {
    ink_text said = {0};
    ink_text_add_lossy(&said, there, strlen(there));
    json_t *words = json_string(ink_text_string(&said));
    if (said.failed ||
        json_object_set_new(v->report->said, ink_text_string(&explanation), words) != 0) {
      v->failed = true;
    }
    ink_text_free(&said);
  }
  ink_text_free(&uri);
  ink_text_free(&explanation);
}

// ---- the report

void ink_c2pa_report_free(ink_c2pa_report *report) {
  json_decref(report->results);
  json_decref(report->deltas);
  json_decref(report->manifests);
  json_decref(report->said);
  *report = (ink_c2pa_report){0};
}

static bool has_code(const json_t *list, const char *code) {
  size_t i;
  json_t *finding;
  json_array_foreach((json_t *)list, i, finding) {
    if (strcmp(json_string_value(json_object_get(finding, "code")), code) == 0) return true;
  }
  return false;
}

bool ink_c2pa_failed_with(const ink_c2pa_report *report, const char *code) {
  return has_code(json_object_get(report->results, "failure"), code);
}

bool ink_c2pa_says(const ink_c2pa_report *report, const char *code) {
  for (int i = 0; i < 3; i++) {
    if (has_code(json_object_get(report->results, kinds[i]), code)) return true;
  }
  return false;
}

// The manifest, as crJSON has it, that describes the content and binds it: the active one, or where
// that is an update the one that it updates. Borrowed; NULL when there is none.
static const json_t *described(const ink_c2pa_report *report) {
  size_t i;
  json_t *manifest;
  // Each stands before its ingredients, and an update has no other than what it updates.
  json_array_foreach(report->manifests, i, manifest) {
    if (!json_is_true(json_object_get(manifest, "isUpdateManifest"))) return manifest;
  }
  return NULL;
}

const json_t *ink_c2pa_assertion_of(const ink_c2pa_report *report, const char *label) {
  return json_object_get(json_object_get(described(report), "assertions"), label);
}
