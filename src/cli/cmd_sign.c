// inkstone sign: a C2PA manifest for a file that is there.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/cli.h"
#include "cli/noting.h"
#include "cli/signing.h"
#include "lang/catalogue.h"
#include "mark/c2pa/parent.h"
#include "mark/mark.h"
#include "mark/picture_mark.h"
#include "picture/codec.h"

enum { MOST_FILE = 1 << 30, MOST_JSON = 1 << 22, MOST_ASSERTIONS = 16 };

typedef struct request {
  ink_signing_options signing;
  const char *out, *title, *source, *carrier, *metadata, *binding;
  ink_string_list assertions;
  int64_t reserve;
  bool sidecar, json, update, published;
} request;

// What the files that the request names hold.
typedef struct words {
  json_t *metadata;
  ink_c2pa_assertion assertions[MOST_ASSERTIONS];
  json_t *json[MOST_ASSERTIONS];
  char *labels[MOST_ASSERTIONS];
  size_t n;
} words;

#define IPTC "http://cv.iptc.org/newscodes/digitalsourcetype/"

// The carrier that was named, or that the file asks for.
static ink_status choose_carrier(const request *r, const char *path, const unsigned char *bytes,
                                 size_t size, const ink_carrier **carrier, ink_error *error) {
  *carrier = r->carrier ? ink_carrier_named(r->carrier) : ink_carrier_for(path, bytes, size);
  if (!*carrier && r->carrier) {
    return ink_fail(error, INK_ERR_USAGE, "no carrier is named \"%s\"", r->carrier);
  }
  if (!*carrier && !r->sidecar) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    size ? "no manifest fits into a file of this kind; --sidecar puts it beside"
                         : "it is empty; --sidecar puts a manifest beside it");
  }
  return INK_OK;
}

static void words_free(words *w) {
  json_decref(w->metadata);
  for (size_t i = 0; i < w->n; i++) {
    json_decref(w->json[i]);
    free(w->labels[i]);
  }
}

// Labels of others begin with their domain, as "org.example.review" does.
static bool is_own_label(const char *label) {
  static const char *const kept[] = {"c2pa.", "cawg.", "stds.", "schema."};
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
    if (strncmp(label, kept[i], strlen(kept[i])) == 0) return false;
  }
  for (const char *at = label; *at; at++) {
    bool good = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                (*at >= '0' && *at <= '9') || *at == '.' || *at == '-' || *at == '_';
    if (!good) return false;
  }
  return strchr(label, '.') && !strstr(label, "__") && strlen(label) <= 80;
}

static ink_status read_words(const request *r, words *w, ink_error *error) {
  if (r->metadata) {
    INK_TRY(ink_json_load(r->metadata, MOST_JSON, &w->metadata, error));
    if (!json_is_object(w->metadata)) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: metadata is a JSON object", r->metadata);
    }
  }
  for (size_t i = 0; i < r->assertions.n; i++) {
    const char *given = r->assertions.items[i], *sign = strchr(given, '=');
    if (i == MOST_ASSERTIONS) {
      return ink_fail(error, INK_ERR_USAGE, "more than %d assertions", MOST_ASSERTIONS);
    }
    char *label = sign ? strndup(given, (size_t)(sign - given)) : NULL;
    if (sign && !label) return ink_fail(error, INK_ERR_MEMORY, "no memory for an assertion");
    w->labels[w->n] = label;
    w->json[w->n++] = NULL;
    if (!label || !is_own_label(label)) {
      return ink_fail(
          error, INK_ERR_USAGE,
          "--assertion \"%s\": it is LABEL=FILE, with a label that begins with a domain "
          "of yours, as org.example.review does",
          given);
    }
    INK_TRY(ink_json_load(sign + 1, MOST_JSON, &w->json[w->n - 1], error));
    w->assertions[w->n - 1] = (ink_c2pa_assertion){.label = label, .json = w->json[w->n - 1]};
  }
  return INK_OK;
}

// The state after writing, of what an update left.
static ink_status check_update(const request *r, const unsigned char *bytes, size_t size,
                               const ink_carrier *carrier, const ink_text *out, ink_error *error) {
  ink_c2pa_report report = {0};
  const unsigned char *made = (const unsigned char *)out->bytes;
  ink_status status =
      r->sidecar ? ink_c2pa_validate(bytes, size, carrier, made, out->size, NULL, &report, error)
                 : ink_c2pa_validate(made, out->size, carrier, NULL, 0, NULL, &report, error);
  if (status == INK_OK && report.state < INK_C2PA_VALID) {
    status = ink_fail(error, INK_ERR_INTERNAL, "the update does not hold; nothing was written");
  }
  ink_c2pa_report_free(&report);
  return status;
}

// What does not hold, to say why it is not updated.
static const char *first_failure(const ink_c2pa_report *report) {
  size_t i;
  json_t *finding;
  json_array_foreach(json_object_get(report->results, "failure"), i, finding) {
    const char *code = json_string_value(json_object_get(finding, "code"));
    if (code && strcmp(code, "signingCredential.untrusted") != 0) return code;
  }
  return "ingredient";
}

static ink_status update_bytes(const request *r, const unsigned char *bytes, size_t size,
                               const ink_carrier *carrier, ink_c2pa_manifest *manifest,
                               const ink_c2pa_parent *parent, const ink_signer *signer,
                               ink_text *out, ink_error *error) {
  ink_c2pa_action actions[3] = {{.action = "c2pa.opened"}};
  if (!parent->is_signed) {
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    "it has no manifest that could be updated; `inkstone sign` without --update "
                    "gives it one");
  }
  if (parent->report.state < INK_C2PA_VALID) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "its manifest does not hold (%s), and an update would not either",
                    first_failure(&parent->report));
  }
  manifest->n_action = 1;
  manifest->actions = actions;
  if (manifest->metadata) actions[manifest->n_action++].action = "c2pa.edited.metadata";
  if (r->published) actions[manifest->n_action++].action = "c2pa.published";
  INK_TRY(ink_c2pa_update(bytes, size, r->sidecar ? NULL : carrier, manifest, signer, out, error));
  return check_update(r, bytes, size, carrier, out, error);
}

// What the file was: signed before, in itself or with --update beside itself.
static ink_status read_parent(const char *title, const ink_carrier *carrier,
                              const unsigned char *bytes, size_t size, const ink_map *beside,
                              ink_c2pa_parent *parent, ink_error *error) {
  if (beside->data) {
    return ink_c2pa_parent_beside(title, carrier, bytes, size, beside->data, beside->size, parent,
                                  error);
  }
  return ink_c2pa_parent_read(title, carrier, bytes, size, parent, error);
}

// What a picture looks like, in small. One that cannot be read is signed without.
static ink_status take_thumbnail(const char *path, const unsigned char *bytes, size_t size,
                                 ink_text *thumbnail, ink_error *error) {
  ink_picture picture;
  ink_error unread = {0};
  if (!ink_picture_recognise(bytes, size)) return INK_OK;
  ink_status status = ink_picture_decode(bytes, size, path, NULL, &picture, NULL, &unread);
  if (status == INK_ERR_MEMORY) return ink_fail(error, status, "%s", unread.text);
  if (status != INK_OK) return INK_OK;
  status = ink_mark_thumbnail(&picture, thumbnail, error);
  ink_picture_free(&picture);
  return status;
}

static ink_status sign_bytes(const request *r, const char *path, const unsigned char *bytes,
                             size_t size, const ink_map *beside, const words *w,
                             const char *identity, ink_text *out, ink_error *error) {
  const ink_carrier *carrier;
  char created[24];
  ink_signer *signer;
  ink_c2pa_parent parent = {0};
  ink_text source = {0}, name = {0}, thumbnail = {0};
  INK_TRY(choose_carrier(r, path, bytes, size, &carrier, error));
  ink_cli_stamper stamper = {0};
  INK_TRY(ink_signing_open(&r->signing, &signer, error));
  // Who asks for a time-stamp of a file that is there can ask again.
  ink_signing_stamp(&r->signing, true, &stamper, signer);
  ink_clock_utc(created);
  // A name may be any bytes, a title is text.
  ink_text_add_lossy(&name, ink_path_name(path), strlen(ink_path_name(path)));
  const char *title = r->title ? r->title : ink_text_string(&name);
  ink_text_format(&source, "%s%s", strstr(r->source, "://") ? "" : IPTC, r->source);
  ink_status status = ink_text_status(&source, error);
  if (status == INK_OK) status = ink_text_status(&name, error);
  if (status == INK_OK && !r->update) {
    status = take_thumbnail(path, bytes, size, &thumbnail, error);
  }
  // A file that was signed before is the parent of the new one: its manifests are kept.
  if (status == INK_OK) {
    status = read_parent(title, carrier, bytes, size, beside, &parent, error);
  }
  if (status == INK_OK && parent.fault[0]) {
    status = ink_fail(error, INK_ERR_FORMAT, "its manifest cannot be kept: %s", parent.fault);
  }
  if (status == INK_OK) {
    bool derived = parent.is_signed;
    ink_c2pa_action action = {.action = derived ? "c2pa.opened" : "c2pa.created",
                              .source_type = derived ? NULL : source.bytes};
    ink_c2pa_manifest manifest = {.identity = identity,
                                  .created = created,
                                  .title = title,
                                  .format = carrier ? carrier->media_type : NULL,
                                  .actions = &action,
                                  .n_action = 1,
                                  .ingredients = &parent.ingredient,
                                  .n_ingredient = derived,
                                  .thumbnail = thumbnail.bytes,
                                  .thumbnail_size = thumbnail.size,
                                  .training = r->signing.training,
                                  .assertions = w->assertions,
                                  .n_assertion = w->n,
                                  .metadata = w->metadata,
                                  .binding = r->binding && strcmp(r->binding, "boxes") == 0
                                                 ? INK_C2PA_BIND_BOXES
                                                 : INK_C2PA_BIND_DATA,
                                  .reserve = (size_t)r->reserve};
    if (r->update) {
      status = update_bytes(r, bytes, size, carrier, &manifest, &parent, signer, out, error);
    } else {
      if (derived && !r->sidecar) {
        bytes = (const unsigned char *)parent.bare.bytes;
        size = parent.bare.size;
      }
      status =
          ink_c2pa_sign(bytes, size, r->sidecar ? NULL : carrier, &manifest, signer, out, error);
    }
  }
  ink_c2pa_parent_free(&parent);
  ink_text_free(&source);
  ink_text_free(&name);
  ink_text_free(&thumbnail);
  ink_signer_free(signer);
  return status;
}

// What was signed; with a sidecar the file itself stays as it was.
static ink_status note(const request *r, const char *path, const char *out, const ink_map *map,
                       const ink_text *made, const char *identity, ink_error *error) {
  static const char *const labels[] = {"C2PA"};
  ink_ledger_file file = {.path = out, .bytes = made->bytes, .size = made->size};
  if (r->sidecar) {
    file = (ink_ledger_file){.path = path,
                             .bytes = map->data,
                             .size = map->size,
                             .sidecar = made->bytes,
                             .sidecar_size = made->size};
  }
  ink_ledger_entry entry = {.identity = identity,
                            .kind = "file",
                            .command = "sign",
                            .files = &file,
                            .n_file = 1,
                            .labels = labels,
                            .n_label = 1};
  return ink_cli_note(&entry, error);
}

static ink_status check_request(const request *r, ink_error *error) {
  if (r->binding && strcmp(r->binding, "data") != 0 && strcmp(r->binding, "boxes") != 0) {
    return ink_fail(error, INK_ERR_USAGE, "--binding is data or boxes, not \"%s\"", r->binding);
  }
  if (r->update && (r->binding || r->title)) {
    return ink_fail(error, INK_ERR_USAGE,
                    "an update keeps the binding and the title of what it updates");
  }
  if (r->published && !r->update) {
    return ink_fail(error, INK_ERR_USAGE, "--published goes with --update");
  }
  return INK_OK;
}

static ink_status sign(const request *r, const char *path, ink_error *error) {
  ink_map map, beside = {0};
  words w = {0};
  ink_text signed_file = {0};
  char identity[INK_UUID_TEXT], sidecar[4096];
  const char *out = r->out;
  if (!out && r->sidecar) {
    if (snprintf(sidecar, sizeof sidecar, "%s.c2pa", path) >= (int)sizeof sidecar) {
      return ink_fail(error, INK_ERR_USAGE, "%s: the path is too long", path);
    }
    out = sidecar;
  }
  if (!out) return ink_fail(error, INK_ERR_USAGE, "name the signed file with --out");
  INK_TRY(check_request(r, error));
  INK_TRY(ink_mark_identity(identity, error));
  INK_TRY(ink_map_open(path, &map, error));
  ink_status status = map.size > MOST_FILE ? ink_fail(error, INK_ERR_UNSUPPORTED, "more than 1 GiB")
                                           : read_words(r, &w, error);
  // The manifest that is updated lies where the new one will.
  if (status == INK_OK && r->update && r->sidecar) status = ink_map_open(out, &beside, error);
  if (status == INK_OK) {
    status = sign_bytes(r, path, map.data, map.size, &beside, &w, identity, &signed_file, error);
  }
  ink_map_close(&beside);
  words_free(&w);
  if (status != INK_OK) {
    ink_context(error, status, "%s", path);
  } else {
    status = ink_file_save(out, signed_file.bytes, signed_file.size, error);
    if (status == INK_OK) status = note(r, path, out, &map, &signed_file, identity, error);
  }
  ink_map_close(&map);
  ink_text_free(&signed_file);
  INK_TRY(status);
  if (r->json) {
    return ink_cli_print_json(json_pack("{s:s, s:s}", "file", out, "identity", identity), error);
  } else {
    printf("%s · %s\n", out, identity);
  }
  return INK_OK;
}

static ink_status run(const ink_command *self, int argc, char **argv, ink_error *error) {
  request r = {.source = "trainedAlgorithmicMedia"};
  ink_option options[] = {
      {.name = "out",
       .letter = 'o',
       .kind = INK_OPTION_STRING,
       .value = &r.out,
       .argument = "FILE",
       .help = "the signed file (with --sidecar: the manifest)"},
      {.name = "sidecar",
       .kind = INK_OPTION_FLAG,
       .value = &r.sidecar,
       .help = "leave the file as it is and put the manifest beside it"},
      {.name = "title",
       .kind = INK_OPTION_STRING,
       .value = &r.title,
       .argument = "TEXT",
       .help = "title of the work (default: the file's name)"},
      {.name = "source",
       .kind = INK_OPTION_STRING,
       .value = &r.source,
       .argument = "TYPE",
       .help = "IPTC digital source type (default: trainedAlgorithmicMedia)"},
      INK_TRAINING_OPTION(&r.signing),
      {.name = "carrier",
       .kind = INK_OPTION_STRING,
       .value = &r.carrier,
       .argument = "NAME",
       .help = "how the file carries it (default: by content and name)"},
      {.name = "update",
       .kind = INK_OPTION_FLAG,
       .value = &r.update,
       .help = "say something later of a file that is signed, whose content stays as it is"},
      {.name = "metadata",
       .kind = INK_OPTION_STRING,
       .value = &r.metadata,
       .argument = "FILE",
       .help = "fields for the manifest (JSON-LD: an @context, and names with a prefix)"},
      {.name = "assertion",
       .kind = INK_OPTION_LIST,
       .value = &r.assertions,
       .argument = "LABEL=FILE",
       .help =
           "an assertion of your own (JSON), as org.example.review=review.json; may be repeated"},
      {.name = "published",
       .kind = INK_OPTION_FLAG,
       .value = &r.published,
       .help = "with --update: say that the file was published"},
      {.name = "binding",
       .kind = INK_OPTION_STRING,
       .value = &r.binding,
       .argument = "WAY",
       .help = "data (default) or boxes: what of the file is hashed, its bytes or its parts"},
      {.name = "reserve",
       .kind = INK_OPTION_INT,
       .value = &r.reserve,
       .low = 0,
       .high = INK_C2PA_RESERVE_MOST,
       .argument = "BYTES",
       .help = "leave room for later updates in formats that state the manifest's length"},
      INK_KEY_OPTION(&r.signing),
      INK_CERTIFICATES_OPTION(&r.signing),
      INK_PASSPHRASE_OPTION(&r.signing),
      INK_TIMESTAMP_OPTION(&r.signing),
      {.name = "json", .kind = INK_OPTION_FLAG, .value = &r.json, .help = "print one JSON object"},
  };
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  if (n != 1) return ink_fail(error, INK_ERR_USAGE, "name one file");
  return sign(&r, argv[1], error);
}

const ink_command ink_command_sign = {
    .name = "sign",
    .summary = "Give a file a signed C2PA manifest",
    .usage = "sign FILE --out FILE [OPTIONS]",
    .examples =
        "inkstone sign picture.png --out signed.png\n"
        "inkstone sign notes.txt --sidecar\n"
        "inkstone sign signed.png --update --timestamp-url http://stamps.example --out later.png\n",
    .run = run,
};
