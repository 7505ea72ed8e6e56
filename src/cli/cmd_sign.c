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

enum { MOST_FILE = 1 << 30 };

typedef struct request {
  ink_signing_options signing;
  const char *out, *title, *source, *carrier, *training;
  bool sidecar, json;
} request;

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
                    "%s: no manifest fits into a file of this kind; --sidecar puts it beside",
                    path);
  }
  return INK_OK;
}

static ink_status sign_bytes(const request *r, const char *path, const unsigned char *bytes,
                             size_t size, const char *identity, ink_text *out, ink_error *error) {
  const ink_carrier *carrier;
  char created[24];
  ink_signer *signer;
  ink_c2pa_parent parent = {0};
  ink_text source = {0};
  INK_TRY(choose_carrier(r, path, bytes, size, &carrier, error));
  ink_cli_stamper stamper = {0};
  INK_TRY(ink_signing_open(&r->signing, &signer, error));
  // Who asks for a time-stamp of a file that is there can ask again.
  ink_signing_stamp(&r->signing, true, &stamper, signer);
  ink_clock_utc(created);
  const char *title = r->title ? r->title : ink_path_name(path);
  ink_text_format(&source, "%s%s", strstr(r->source, "://") ? "" : IPTC, r->source);
  ink_status status = ink_text_status(&source, error);
  // A file that was signed before is the parent of the new one: its manifests are kept.
  if (status == INK_OK) {
    status = ink_c2pa_parent_read(title, carrier, bytes, size, &parent, error);
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
                                  .training = r->training};
    if (derived && !r->sidecar) {
      bytes = (const unsigned char *)parent.bare.bytes;
      size = parent.bare.size;
    }
    status = ink_c2pa_sign(bytes, size, r->sidecar ? NULL : carrier, &manifest, signer, out, error);
  }
  ink_c2pa_parent_free(&parent);
  ink_text_free(&source);
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

static ink_status sign(const request *r, const char *path, ink_error *error) {
  ink_map map;
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
  if (r->training && strcmp(r->training, "allowed") != 0 &&
      strcmp(r->training, "notAllowed") != 0) {
    return ink_fail(error, INK_ERR_USAGE, "--training is allowed or notAllowed, not \"%s\"",
                    r->training);
  }
  INK_TRY(ink_mark_identity(identity, error));
  INK_TRY(ink_map_open(path, &map, error));
  ink_status status = map.size > MOST_FILE
                          ? ink_fail(error, INK_ERR_UNSUPPORTED, "%s: more than 1 GiB", path)
                          : sign_bytes(r, path, map.data, map.size, identity, &signed_file, error);
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
    json_t *json = json_pack("{s:s, s:s}", "file", out, "identity", identity);
    char *text = ink_json_text(json);
    puts(text ? text : "");
    free(text);
    json_decref(json);
  } else {
    printf("%s · %s\n", out, identity);
  }
  return INK_OK;
}

static int run(const ink_command *self, int argc, char **argv) {
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
      {.name = "training",
       .kind = INK_OPTION_STRING,
       .value = &r.training,
       .argument = "USE",
       .help = "say whether models may learn from it: allowed or notAllowed"},
      {.name = "carrier",
       .kind = INK_OPTION_STRING,
       .value = &r.carrier,
       .argument = "NAME",
       .help = "how the file carries it (default: by content and name)"},
      INK_PASSPHRASE_OPTION(&r.signing),
      INK_TIMESTAMP_OPTION(&r.signing),
      {.name = "json", .kind = INK_OPTION_FLAG, .value = &r.json, .help = "print one JSON object"},
  };
  ink_error error = ink_cli_error();
  int n;
  bool done;
  ink_status status = ink_options_read(self, options, sizeof options / sizeof *options, argc, argv,
                                       &n, &done, &error);
  if (status == INK_OK && done) return INK_EXIT_DONE;
  if (status == INK_OK && n != 1) status = ink_fail(&error, INK_ERR_USAGE, "name one file");
  if (status == INK_OK) status = sign(&r, argv[1], &error);
  return status == INK_OK ? INK_EXIT_DONE : ink_cli_fail(self, &error);
}

const ink_command ink_command_sign = {
    .name = "sign",
    .summary = "Give a file a signed C2PA manifest",
    .usage = "sign FILE --out FILE [OPTIONS]",
    .examples =
        "inkstone sign picture.png --out signed.png\n"
        "inkstone sign notes.txt --sidecar\n",
    .run = run,
};
