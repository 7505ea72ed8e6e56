// Signing a piece's files, the last of its marks; and finding them as they were signed.
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "desk/piece.h"
#include "mark/c2pa/manifest.h"
#include "mark/c2pa/validate.h"

enum { MOST_FILE = 1 << 28 };

static const char *text_at(const json_t *object, const char *key) {
  return json_string_value(json_object_get(object, key));
}

// What a reader would call the piece.
static const char *title_of(const json_t *record) {
  const json_t *brief = json_object_get(record, "brief");
  const char *title = text_at(brief, "title");
  if (!title) title = text_at(brief, "theme");
  if (!title) title = text_at(json_object_get(record, "draft"), "form");
  return title ? title : "inkstone";
}

// The brief and the model are what went in; recipe and checks stand as they are in the record.
static ink_status sign_file(const json_t *record, const char *brief, const ink_signer *signer,
                            const char *training, ink_piece_file *file, ink_error *error) {
  const json_t *recipe = json_object_get(record, "recipe");
  const json_t *model = json_object_get(recipe, "model");
  const char *name = text_at(model, "name");
  char instance[8 + INK_SHA256_HEX];
  snprintf(instance, sizeof instance, "sha256:%s", text_at(model, "sha256"));
  const unsigned char *bytes = (const unsigned char *)file->bytes;
  const ink_carrier *carrier = ink_carrier_for(file->name, bytes, file->size);
  if (!carrier) {
    return ink_fail(error, INK_ERR_INTERNAL, "no carrier of manifests for %s", file->name);
  }
  ink_c2pa_ingredient ingredients[3] = {{.relationship = "inputTo",
                                         .title = "brief",
                                         .format = "application/json",
                                         .data = brief,
                                         .data_size = strlen(brief)},
                                        {.relationship = "inputTo",
                                         .title = name,
                                         .instance = instance,
                                         .data_type = "c2pa.types.generator"}};
  // The painter, where there is a picture.
  const json_t *painter = json_object_get(json_object_get(recipe, "picture"), "model");
  char painted_by[8 + INK_SHA256_HEX];
  if (painter) {
    snprintf(painted_by, sizeof painted_by, "sha256:%s", text_at(painter, "sha256"));
    ingredients[2] = (ink_c2pa_ingredient){.relationship = "inputTo",
                                           .title = text_at(painter, "name"),
                                           .instance = painted_by,
                                           .data_type = "c2pa.types.generator"};
  }
  ink_c2pa_action created = {.action = "c2pa.created",
                             .source_type = INK_SOURCE_TRAINED,
                             .agent_name = name,
                             .agent_version = instance};
  ink_c2pa_assertion assertions[] = {{"org.inkstone.recipe", recipe},
                                     {"org.inkstone.checks", json_object_get(record, "checks")}};
  ink_c2pa_manifest manifest = {.identity = text_at(record, "identity"),
                                .created = text_at(record, "created"),
                                .title = title_of(record),
                                .actions = &created,
                                .n_action = 1,
                                .ingredients = ingredients,
                                .n_ingredient = painter ? 3 : 2,
                                .assertions = assertions,
                                .n_assertion = 2,
                                .training = training,
                                .model = name,
                                .oversight = "prompt_guided"};
  ink_text out = {0};
  ink_status status = ink_c2pa_sign(bytes, file->size, carrier, &manifest, signer, &out, error);
  if (status != INK_OK) {
    ink_text_free(&out);
    return status;
  }
  free(file->bytes);
  file->bytes = out.bytes;
  file->size = out.size;
  return INK_OK;
}

ink_status ink_piece_sign(ink_piece *piece, const ink_signer *signer, const char *training,
                          ink_error *error) {
  char *brief = json_dumps(json_object_get(piece->record, "brief"), JSON_COMPACT);
  if (!brief) return ink_fail(error, INK_ERR_MEMORY, "no memory to sign the piece");
  ink_status status = INK_OK;
  json_t *files = json_object_get(piece->record, "files");
  for (size_t i = 0; status == INK_OK && i < piece->n_file; i++) {
    char hash[INK_SHA256_HEX];
    status = sign_file(piece->record, brief, signer, training, &piece->files[i], error);
    if (status == INK_OK) {
      status = ink_sha256_of(piece->files[i].bytes, piece->files[i].size, hash, error);
    }
    if (status != INK_OK) break;
    json_t *signed_as =
        json_pack("{s:s+, s:I, s:s}", "manifest", "urn:c2pa:", text_at(piece->record, "identity"),
                  "bytes", (json_int_t)piece->files[i].size, "sha256", hash);
    if (!signed_as || json_object_set_new(json_array_get(files, i), "signed", signed_as) != 0) {
      status = ink_fail(error, INK_ERR_MEMORY, "no memory to sign the piece");
    }
  }
  free(brief);
  return status;
}

ink_status ink_piece_unsign(const json_t *record, const char *name, const char *bytes, size_t size,
                            ink_text *bare, ink_text *fault, ink_error *error) {
  const unsigned char *file = (const unsigned char *)bytes;
  const ink_carrier *carrier = ink_carrier_for(name, file, size);
  ink_c2pa_report report = {0};
  INK_TRY(ink_c2pa_validate(file, size, carrier, NULL, 0, NULL, &report, error));
  char expected[16 + INK_UUID_TEXT];
  snprintf(expected, sizeof expected, "urn:c2pa:%s", text_at(record, "identity"));
  const json_t *recipe = ink_c2pa_assertion_of(&report, "org.inkstone.recipe");
  const json_t *checks = ink_c2pa_assertion_of(&report, "org.inkstone.checks");
  if (report.state == INK_C2PA_NONE) {
    ink_text_format(fault, ink_error_say(error, "%s is not signed any more"), name);
  } else if (report.state == INK_C2PA_INVALID) {
    const json_t *first = json_array_get(json_object_get(report.results, "failure"), 0);
    const char *code = text_at(first, "code");
    // That nobody is trusted is no fault; another one stands behind it.
    if (code && strcmp(code, "signingCredential.untrusted") == 0) {
      code = text_at(json_array_get(json_object_get(report.results, "failure"), 1), "code");
    }
    ink_text_format(fault, ink_error_say(error, "%s: its signature does not hold (%s)"), name,
                    code ? code : "?");
  } else if (strcmp(report.active, expected) != 0) {
    ink_text_format(fault, ink_error_say(error, "%s is signed as another piece, %s"), name,
                    report.active);
  } else if (!json_equal(recipe, json_object_get(record, "recipe")) ||
             !json_equal(checks, json_object_get(record, "checks"))) {
    ink_text_format(
        fault,
        ink_error_say(error, "%s is signed with another recipe or other checks than recorded"),
        name);
  }
  bool takes = report.state != INK_C2PA_NONE && carrier;
  ink_c2pa_report_free(&report);
  ink_error unread = {0};
  // A file whose manifest cannot be taken out is compared as it is.
  if (!takes || ink_carrier_remove(carrier, file, size, bare, &unread) != INK_OK) {
    ink_text_clear(bare);
    ink_text_add_bytes(bare, bytes, size);
  }
  if (fault->failed) return ink_text_status(fault, error);
  return ink_text_status(bare, error);
}

ink_status ink_piece_check_saved(const ink_piece *piece, const char *folder, ink_error *error) {
  ink_status status = INK_OK;
  for (size_t i = 0; status == INK_OK && i < piece->n_file; i++) {
    const json_t *recorded = json_array_get(json_object_get(piece->record, "files"), i);
    if (!json_object_get(recorded, "signed")) continue;
    char *path = ink_path_join(folder, piece->files[i].name), *bytes = NULL;
    char hash[INK_SHA256_HEX] = "";
    size_t size = 0;
    ink_text bare = {0}, fault = {0};
    status = path ? ink_file_read(path, MOST_FILE, &bytes, &size, error)
                  : ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
    if (status == INK_OK) {
      status =
          ink_piece_unsign(piece->record, piece->files[i].name, bytes, size, &bare, &fault, error);
    }
    if (status == INK_OK) status = ink_sha256_of(bare.bytes, bare.size, hash, error);
    if (status == INK_OK && fault.size) {
      status = ink_fail(error, INK_ERR_IO, "written, but %s", ink_text_string(&fault));
    } else if (status == INK_OK && strcmp(hash, piece->files[i].sha256) != 0) {
      status =
          ink_fail(error, INK_ERR_IO, "%s was written with other bytes than were signed", path);
    }
    ink_text_free(&bare);
    ink_text_free(&fault);
    free(bytes);
    free(path);
  }
  return status;
}
