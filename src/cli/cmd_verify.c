// inkstone verify: what a file says of itself, and whether it holds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/noting.h"
#include "lang/catalogue.h"
#include "mark/c2pa/validate.h"
#include "mark/detect.h"
#include "mark/keys.h"
#include "mark/label/label.h"
#include "mark/ledger/recover.h"

enum { MOST_FILE = 1 << 30 };

// What was found of a file.
typedef struct findings {
  ink_c2pa_report report;
  json_t *aigc;  // its metadata label, or NULL
  ink_recovery recovery;
  bool damaged;     // an archive in which nothing can be found
  ink_text damage;  // how
  bool own;         // this installation signed it
} findings;

typedef struct request {
  ink_string_list trust, stamp_trust;
  const char *sidecar, *carrier, *identity;
  bool recover, json;
} request;

// FILE.c2pa, or FILE with its ending replaced.
static bool find_sidecar(const char *path, char *found, size_t size) {
  const char *name = ink_path_name(path), *dot = strrchr(name, '.');
  if (dot && strcmp(dot, ".c2pa") == 0) return false;
  snprintf(found, size, "%s.c2pa", path);
  if (ink_file_exists(found)) return true;
  if (!dot) return false;
  snprintf(found, size, "%.*s.c2pa", (int)(dot - path), path);
  return ink_file_exists(found);
}

static ink_status open_anchors(const ink_string_list *paths, ink_anchors **anchors,
                               ink_error *error) {
  for (size_t i = 0; i < paths->n; i++) INK_TRY(ink_anchors_open(paths->items[i], anchors, error));
  return INK_OK;
}

// The manifest of a file that has none any more, from the ledger.
static ink_status recover(const request *r, const char *path, const ink_map *map,
                          const ink_c2pa_options *options, findings *found, ink_error *error) {
  ink_ledger *ledger;
  static const unsigned char empty[1];
  const unsigned char *bytes = map->data ? map->data : empty;
  if (r->identity && !ink_mark_is_identity(r->identity)) {
    return ink_fail(error, INK_ERR_USAGE, "the identity must be a UUID in lower case");
  }
  INK_TRY(ink_cli_ledger(&ledger, error));
  if (!ledger) return INK_OK;
  ink_status status =
      ink_recover(ledger, path, bytes, map->size, r->identity, &found->recovery, error);
  if (status == INK_OK && found->recovery.by) {
    ink_c2pa_report_free(&found->report);
    status = ink_recovery_validate(&found->recovery, path, bytes, map->size, options,
                                   &found->report, error);
  }
  ink_ledger_close(ledger);
  return status;
}

static ink_status validate(const request *r, const char *path, const ink_c2pa_options *options,
                           findings *found, ink_error *error) {
  ink_map map = {0}, side = {0};
  char beside[4096];
  const char *sidecar = r->sidecar;
  INK_TRY(ink_map_open(path, &map, error));
  if (!sidecar && find_sidecar(path, beside, sizeof beside)) sidecar = beside;
  ink_status status = sidecar ? ink_map_open(sidecar, &side, error) : INK_OK;
  const ink_carrier *carrier =
      r->carrier ? ink_carrier_named(r->carrier) : ink_carrier_for(path, map.data, map.size);
  if (r->sidecar) carrier = NULL;  // it goes before what may be in the file
  if (status == INK_OK && r->carrier && !carrier && !r->sidecar) {
    status = ink_fail(error, INK_ERR_USAGE, "no carrier is named \"%s\"", r->carrier);
  }
  if (status == INK_OK && (map.size > MOST_FILE || side.size > INK_STORE_MOST)) {
    status = ink_fail(error, INK_ERR_UNSUPPORTED, "%s: too long to be checked", path);
  }
  if (status == INK_OK) {
    status = ink_c2pa_validate(map.data, map.size, carrier, side.data, side.size, options,
                               &found->report, error);
    if (status != INK_OK) ink_context(error, status, "%s", path);
  }
  if (status == INK_OK && r->recover && found->report.state == INK_C2PA_NONE) {
    status = recover(r, path, &map, options, found, error);
  }
  if (status == INK_OK && found->report.state < INK_C2PA_VALID) {
    // Programs read English.
    ink_error said = {.translate = r->json ? NULL : error->translate};
    status =
        ink_detect_damage((const char *)map.data, map.size, &found->damaged, &found->damage, &said);
    if (status != INK_OK) ink_fail(error, status, "%s", said.text);
  }
  if (status == INK_OK) {
    // A label that cannot be read says nothing; the manifest is what was asked for.
    ink_error unread = {0};
    status = ink_label_read(path, map.data, map.size, &found->aigc, &unread);
    status = status == INK_ERR_MEMORY ? ink_fail(error, status, "%s", unread.text) : INK_OK;
  }
  ink_map_close(&map);
  ink_map_close(&side);
  return status;
}

static const char *text_at(const json_t *object, const char *key) {
  return json_string_value(json_object_get(object, key));
}

// What the manifest says of how the content came about: the labels that it is.
static json_t *labels_of(const findings *found) {
  const ink_c2pa_report *report = &found->report;
  json_t *labels = json_array();
  const json_t *actions = ink_c2pa_assertion_of(report, "c2pa.actions.v2");
  if (!actions) actions = ink_c2pa_assertion_of(report, "c2pa.actions");
  size_t i;
  json_t *action;
  json_array_foreach(json_object_get(actions, "actions"), i, action) {
    const char *source = text_at(action, "digitalSourceType");
    if (!source) continue;
    // A name, or a map that holds one (v2).
    const json_t *agent = json_object_get(action, "softwareAgent");
    const char *name = json_is_string(agent) ? json_string_value(agent) : text_at(agent, "name");
    json_t *label = json_pack("{s:s, s:s?, s:s}", "kind", "c2pa", "action",
                              text_at(action, "action"), "digitalSourceType", source);
    if (name) json_object_set_new(label, "softwareAgent", json_string(name));
    json_array_append_new(labels, label);
  }
  if (found->aigc) {
    json_array_append_new(labels, json_pack("{s:s, s:O}", "kind", "GB 45438", "AIGC", found->aigc));
  }
  return labels;
}

// Whether this installation's keys signed it.
static ink_status find_own(findings *found, ink_error *error) {
  const json_t *manifest = json_array_get(found->report.manifests, 0);
  const json_t *signature = json_object_get(manifest, "signature");
  const char *serial = text_at(json_object_get(signature, "certificateInfo"), "serialNumber");
  char *folder = NULL;
  if (serial) INK_TRY(ink_keys_folder(&folder, error));
  ink_status status = folder ? ink_keys_know(folder, serial, &found->own, error) : INK_OK;
  free(folder);
  return status;
}

// "match", "mismatch", or null where there is no soft binding to compare.
static json_t *recovery_json(const findings *found) {
  static const char *const soft[] = {NULL, "match", "mismatch"};
  const ink_recovery *r = &found->recovery;
  return json_pack("{s:s, s:s, s:I, s:f, s:s?, s:b}", "by", ink_recovered_name(r->by), "identity",
                   r->identity, "row", (json_int_t)r->n, "p_value", r->p_value, "softBinding",
                   soft[found->report.soft], "content", (int)(r->by == INK_RECOVERED_CONTENT));
}

// crJSON, with the members that say it in short before it.
static ink_status print_json(const char *path, const findings *found, ink_error *error) {
  const ink_c2pa_report *report = &found->report;
  json_t *json =
      json_pack("{s:s, s:s, s:O, s:O, s:O, s:o, s:b, s:{s:s, s:s}, s:O, s:O, s:{s:s, s:s}}", "file",
                path, "state", ink_c2pa_state_name(report->state), "success",
                json_object_get(report->results, "success"), "failure",
                json_object_get(report->results, "failure"), "informational",
                json_object_get(report->results, "informational"), "labels", labels_of(found),
                "this_installation", (int)found->own, "@context", "@vocab",
                "https://c2pa.org/crjson/", "extras", "https://c2pa.org/crjson/extras/",
                "manifests", report->manifests, "ingredientDeltas", report->deltas, "jsonGenerator",
                "name", "inkstone", "version", INKSTONE_VERSION);
  bool fine = json != NULL;
  if (fine && found->damaged) {
    fine = json_object_set_new(json, "damaged", json_string(ink_text_string(&found->damage))) == 0;
  }
  if (fine && found->recovery.by) {
    fine = json_object_set_new(json, "recovered", recovery_json(found)) == 0;
  }
  if (fine) return ink_cli_print_json(json, error);
  json_decref(json);
  return ink_fail(error, INK_ERR_MEMORY, "no memory to tell what was found");
}

// The part of a URI that tells one assertion from another.
static const char *name_in(const char *uri) {
  const char *slash = strrchr(uri, '/');
  return slash ? slash + 1 : uri;
}

// Findings that say the same, as arrays under what they say, in the order of the first of each. The
// caller's; NULL where there is no memory.
static json_t *by_what_they_say(const json_t *list) {
  json_t *groups = json_object();
  ink_text said = {0};
  bool failed = !groups;
  for (size_t i = 0; !failed && i < json_array_size(list); i++) {
    json_t *finding = json_array_get(list, i);
    ink_text_clear(&said);
    ink_text_format(&said, "%s %s", text_at(finding, "code"), text_at(finding, "explanation"));
    json_t *group = json_object_get(groups, ink_text_string(&said));
    if (!group) {
      group = json_array();
      failed = json_object_set_new(groups, ink_text_string(&said), group) != 0;
    }
    failed = failed || said.failed || json_array_append(group, finding) != 0;
  }
  if (failed) {
    json_decref(groups);
    groups = NULL;
  }
  ink_text_free(&said);
  return groups;
}

// Findings that say the same share a line, which names what they are of.
static ink_status print_findings(const ink_c2pa_report *report, const char *sign,
                                 const json_t *list, ink_error *error) {
  json_t *groups = by_what_they_say(list), *group;
  if (!groups) return ink_fail(error, INK_ERR_MEMORY, "no memory to tell what was found");
  const char *key;
  json_object_foreach(groups, key, group) {
    const json_t *finding = json_array_get(group, 0);
    const char *code = text_at(finding, "code"), *english = text_at(finding, "explanation");
    const char *said = text_at(report->said, english);
    printf("  %s %s: %s", sign, code, said ? said : ink_tr(english));
    bool named = strncmp(code, "assertion.", 10) == 0;
    for (size_t i = 0; named && i < json_array_size(group); i++) {
      printf("%s%s", i ? ", " : " (", name_in(text_at(json_array_get(group, i), "url")));
    }
    printf("%s\n", named ? ")" : "");
  }
  json_decref(groups);
  return INK_OK;
}

// What the URI of an ingredient's assertion speaks of: its title, else the URI.
static const char *ingredient_title(const ink_c2pa_report *report, const char *uri) {
  size_t i;
  json_t *manifest;
  json_array_foreach(report->manifests, i, manifest) {
    const char *label = text_at(manifest, "label");
    if (!label || !strstr(uri, label)) continue;
    const json_t *assertion =
        json_object_get(json_object_get(manifest, "assertions"), name_in(uri));
    const char *title = text_at(assertion, "dc:title");
    if (title) return title;
  }
  return uri;
}

// What the content was made of: "parent: photo.jpg", "input: prompt, painter".
static void print_ingredients(const json_t *assertions) {
  static const struct {
    const char *relationship, *word;
  } kinds[] = {{"parentOf", "parent"}, {"componentOf", "part"}, {"inputTo", "input"}};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    size_t n = 0;
    const char *label;
    json_t *assertion;
    json_object_foreach((json_t *)assertions, label, assertion) {
      const char *relationship = text_at(assertion, "relationship");
      if (strncmp(label, "c2pa.ingredient", 15) != 0 || !relationship ||
          strcmp(relationship, kinds[k].relationship) != 0) {
        continue;
      }
      const char *title = text_at(assertion, "dc:title");
      if (n++ == 0) printf("  %s: ", ink_tr(kinds[k].word));
      printf("%s%s", n > 1 ? ", " : "", title ? title : "-");
    }
    if (n) putchar('\n');
  }
}

// The check report of a piece: "checks: verse ✓".
static void print_checks(const json_t *checks) {
  size_t i;
  json_t *check;
  if (!json_array_size(checks)) return;
  printf("  %s:", ink_tr("checks"));
  json_array_foreach((json_t *)checks, i, check) {
    const char *name = text_at(check, "name");
    bool passed = json_is_true(json_object_get(check, "passed"));
    printf("%s %s %s", i ? "," : "", name ? name : "-", passed ? "✓" : "✗");
  }
  putchar('\n');
}

static void print_labels(const findings *found) {
  json_t *labels = labels_of(found), *label;
  size_t i;
  json_array_foreach(labels, i, label) {
    const char *action = text_at(label, "action");
    if (action) {
      const char *agent = text_at(label, "softwareAgent");
      printf("  %s · %s%s%s\n", action, text_at(label, "digitalSourceType"), agent ? " · " : "",
             agent ? agent : "");
      continue;
    }
    const json_t *aigc = json_object_get(label, "AIGC");
    const char *kind = text_at(aigc, "Label"), *producer = text_at(aigc, "ContentProducer"),
               *id = text_at(aigc, "ProduceID");
    printf("  AIGC · Label %s · %s · %s\n", kind ? kind : "-",
           producer && producer[0] ? producer : "-", id && id[0] ? id : "-");
  }
  json_decref(labels);
}

static void print_recovery(const findings *found) {
  static const char *const ways[] = {"",
                                     "by its content, which is whole",
                                     "by the watermark in its pixels",
                                     "by its label, which anybody can write",
                                     "by its words",
                                     "by the identity that was given"};
  const ink_recovery *r = &found->recovery;
  printf(ink_tr("  stripped; the ledger holds its manifest (row %lld), found %s\n"),
         (long long)r->n, ink_tr(ways[r->by]));
  if (found->report.soft == INK_C2PA_SOFT_MATCH) {
    printf("  %s\n", ink_tr("the watermark is the one that the manifest speaks of"));
  } else if (found->report.soft == INK_C2PA_SOFT_MISMATCH) {
    printf("  %s\n", ink_tr("the watermark is not the one that the manifest speaks of"));
  }
}

// What was found of the manifest, and of what went into it.
static ink_status print_results(const ink_c2pa_report *report, ink_error *error) {
  static const struct {
    const char *sign, *kind;
  } lists[] = {{"✗", "failure"}, {"·", "informational"}, {"✓", "success"}};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    INK_TRY(print_findings(report, lists[i].sign, json_object_get(report->results, lists[i].kind),
                           error));
  }
  size_t i;
  json_t *delta;
  json_array_foreach(report->deltas, i, delta) {
    const json_t *added = json_object_get(delta, "validationDeltas");
    const json_t *failure = json_object_get(added, "failure");
    const json_t *informational = json_object_get(added, "informational");
    if (!json_array_size(failure) && !json_array_size(informational)) continue;
    const char *uri = text_at(delta, "ingredientAssertionURI");
    printf(ink_tr("  of what went into it, %s:\n"), ingredient_title(report, uri));
    INK_TRY(print_findings(report, "  ✗", failure, error));
    INK_TRY(print_findings(report, "  ·", informational, error));
  }
  return INK_OK;
}

static ink_status print_text(const char *path, findings *found, ink_error *error) {
  const ink_c2pa_report *report = &found->report;
  char *name = strdup(path);
  static const char *const words[] = {"it has no manifest", "its manifest does not hold",
                                      "its manifest holds; who signed it is not on a list of trust",
                                      "its manifest holds, and its signer is trusted"};
  if (!name) return ink_fail(error, INK_ERR_MEMORY, "no memory to tell what was found");
  ink_cli_clean(name);
  printf("%s: %s: %s\n", name, ink_c2pa_state_name(report->state),
         found->damaged ? ink_text_string(&found->damage) : ink_tr(words[report->state]));
  free(name);
  if (report->state == INK_C2PA_NONE) return INK_OK;
  // What strangers wrote is shown, and forges no line of ours.
  json_t *said[] = {report->manifests, report->results, report->deltas, report->said, found->aigc};
  for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
    INK_TRY(ink_cli_clean_json(said[i], error));
  }
  const json_t *manifest = json_array_get(report->manifests, 0);
  const json_t *signature = json_object_get(manifest, "signature");
  const json_t *certificate = json_object_get(signature, "certificateInfo");
  const json_t *subject = json_object_get(certificate, "subject");
  const char *signer = text_at(subject, "CN");
  if (found->recovery.by) print_recovery(found);
  if (signer) {
    printf("  %s %s%s\n", ink_tr("signed by"), signer,
           found->own ? ink_tr(" (this installation)") : "");
  }
  const json_t *assertions = json_object_get(manifest, "assertions");
  const char *made = text_at(json_object_get(signature, "timeStampInfo"), "timestamp");
  if (made) printf("  %s %s\n", ink_tr("time-stamped"), made);
  print_labels(found);
  print_ingredients(assertions);
  print_checks(json_object_get(assertions, "org.inkstone.checks"));
  INK_TRY(print_results(report, error));
  printf("%s\n",
         ink_tr("A manifest proves who signed and that nothing changed since; not that it is "
                "true."));
  return INK_OK;
}

// What was found, as the command's end: a file that holds is no error.
static ink_status end_with(const request *r, const char *path, const findings *found,
                           ink_error *error) {
  if (found->damaged) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: %s", path, ink_text_string(&found->damage));
  }
  if (found->report.state == INK_C2PA_NONE && r->recover) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s has no manifest, and the ledger does not know it",
                    path);
  }
  if (found->report.state == INK_C2PA_NONE) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s has no manifest", path);
  }
  if (found->report.state != INK_C2PA_INVALID) return INK_OK;
  if (found->recovery.by) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s: its manifest was found, but its content was changed", path);
  }
  return ink_fail(error, INK_ERR_CONFLICT, "%s: its manifest does not hold", path);
}

static ink_status verify(const request *r, const char *path, ink_error *error) {
  ink_anchors *trust = NULL, *stamp_trust = NULL;
  findings found = {0};
  ink_status status = open_anchors(&r->trust, &trust, error);
  if (status == INK_OK) status = open_anchors(&r->stamp_trust, &stamp_trust, error);
  if (status == INK_OK) {
    ink_c2pa_options options = {.anchors = trust, .stamp_anchors = stamp_trust};
    status = validate(r, path, &options, &found, error);
  }
  if (status == INK_OK) status = find_own(&found, error);
  if (status == INK_OK && r->json) {
    status = print_json(path, &found, error);
  } else if (status == INK_OK) {
    status = print_text(path, &found, error);
  }
  if (status == INK_OK) status = end_with(r, path, &found, error);
  ink_c2pa_report_free(&found.report);
  ink_recovery_free(&found.recovery);
  ink_text_free(&found.damage);
  json_decref(found.aigc);
  ink_anchors_free(trust);
  ink_anchors_free(stamp_trust);
  return status;
}

static ink_status run(const ink_command *self, int argc, char **argv, ink_error *error) {
  request r = {0};
  ink_option options[] = {
      {.name = "trust",
       .kind = INK_OPTION_LIST,
       .value = &r.trust,
       .argument = "FILE",
       .help = "certificates (PEM) whose signatures are trusted; may be repeated"},
      {.name = "trust-stamps",
       .kind = INK_OPTION_LIST,
       .value = &r.stamp_trust,
       .argument = "FILE",
       .help = "certificates (PEM) whose time-stamps are trusted; may be repeated"},
      {.name = "sidecar",
       .kind = INK_OPTION_STRING,
       .value = &r.sidecar,
       .argument = "FILE",
       .help = "manifest beside the file (default: FILE.c2pa where it is)"},
      {.name = "recover",
       .kind = INK_OPTION_FLAG,
       .value = &r.recover,
       .help = "look for the manifest of a stripped file in the ledger"},
      {.name = "identity",
       .kind = INK_OPTION_STRING,
       .value = &r.identity,
       .argument = "UUID",
       .help = "with --recover: the piece that the file is said to be"},
      {.name = "carrier",
       .kind = INK_OPTION_STRING,
       .value = &r.carrier,
       .argument = "NAME",
       .help = "how the file carries it (default: by content and name)"},
      {.name = "json", .kind = INK_OPTION_FLAG, .value = &r.json, .help = "print one JSON object"},
  };
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  if (n != 1) return ink_fail(error, INK_ERR_USAGE, "name one file");
  return verify(&r, argv[1], error);
}

const ink_command ink_command_verify = {
    .name = "verify",
    .summary = "Check a file's signed manifest",
    .usage = "verify FILE [--json] [OPTIONS]",
    .examples =
        "inkstone verify autumn/poem.html\n"
        "inkstone verify photo.jpg --trust trust-list.pem --json\n",
    .run = run,
};
