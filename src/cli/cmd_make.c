// inkstone make: a brief becomes a finished piece.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "cli/cli.h"
#include "cli/noting.h"
#include "cli/signing.h"
#include "desk/piece.h"
#include "desk/playbook.h"
#include "lang/catalogue.h"
#include "mark/watermark/picture_watermark.h"

enum { MOST_BRIEF = 1 << 24 };

// The brief: a file's members, and --set over them.
static ink_status read_brief(const char *path, const ink_string_list *sets, json_t **brief,
                             ink_error *error) {
  *brief = NULL;
  if (path) INK_TRY(ink_json_load(path, MOST_BRIEF, brief, error));
  if (!*brief) *brief = json_object();
  if (!json_is_object(*brief)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: a brief is an object of inputs and values", path);
  }
  for (size_t i = 0; i < sets->n; i++) {
    const char *equals = strchr(sets->items[i], '=');
    if (!equals || equals == sets->items[i]) {
      return ink_fail(error, INK_ERR_USAGE, "--set takes NAME=VALUE, not \"%s\"", sets->items[i]);
    }
    char *key = strndup(sets->items[i], (size_t)(equals - sets->items[i]));
    int failed = key ? json_object_set_new(*brief, key, json_string(equals + 1)) : -1;
    free(key);
    if (failed) return ink_fail(error, INK_ERR_USAGE, "--set %s: not valid UTF-8", sets->items[i]);
  }
  return INK_OK;
}

typedef struct request {
  ink_signing_options signing;
  const char *out, *brief_path, *producer;
  ink_string_list sets;
  int64_t seed, threads;
  bool seed_given, replace, json;
} request;

// The seed of --seed, else of the brief, else a fresh one; in the brief it would be said twice.
static ink_status choose_seed(const request *r, json_t *brief, uint64_t *seed, ink_error *error) {
  const json_t *given = json_object_get(brief, "seed");
  *seed = r->seed_given ? (uint64_t)r->seed : ink_random_fresh_seed();
  if (!given) return INK_OK;
  const char *text = json_string_value(given);
  char *end = NULL;
  long long value = json_is_integer(given) ? json_integer_value(given)
                    : text                 ? strtoll(text, &end, 10)
                                           : -1;
  if (value < 0 || (end && (*end || end == text)) || value > (INT64_C(1) << 53)) {
    return ink_fail(error, INK_ERR_USAGE, "seed is a whole number from 0 to 2^53");
  }
  if (!r->seed_given) *seed = (uint64_t)value;
  json_object_del(brief, "seed");
  return INK_OK;
}

// Where a reader begins: the page, or the folder where there is none.
static const char *first_file(const ink_piece *piece) {
  for (size_t i = 0; i < piece->n_file; i++) {
    if (strcmp(piece->files[i].name, "poem.html") == 0) return piece->files[i].name;
  }
  return "";
}

static void print_summary(const ink_piece *piece, const char *folder) {
  const json_t *check, *checks = json_object_get(piece->record, "checks");
  size_t i;
  bool zh = ink_language_current() == INK_LANGUAGE_ZH;
  printf("%s\n", piece->text);
  json_array_foreach(checks, i, check) {
    printf("%s %s\n", json_is_true(json_object_get(check, "passed")) ? "✓" : "✗",
           json_string_value(json_object_get(check, zh ? "summary_zh" : "summary")));
  }
  printf("%s · %s\n",
         json_string_value(json_object_get(json_object_get(piece->record, "label"), "visible")),
         json_string_value(json_object_get(piece->record, "identity")));
  if (folder) printf("%s/%s\n", folder, first_file(piece));
}

// The record, and beside it where the piece lies (null: nowhere).
static ink_status print_json(const ink_piece *piece, const char *folder, ink_error *error) {
  json_t *result = json_copy(piece->record);
  json_object_set_new(result, "folder", folder ? json_string(folder) : json_null());
  char *text = ink_json_text(result);
  json_decref(result);
  if (!text) return ink_fail(error, INK_ERR_MEMORY, "no memory for the result");
  puts(text);
  free(text);
  return INK_OK;
}

static ink_status print_piece(const request *r, const ink_piece *piece, const char *folder,
                              ink_error *error) {
  if (r->json) return print_json(piece, folder, error);
  print_summary(piece, folder);
  return INK_OK;
}

static ink_status note(const ink_piece *piece, const char *folder, ink_error *error) {
  static const char *const labels[] = {"visible", "AIGC", "C2PA", INK_PICTURE_WATERMARK_LABEL};
  const json_t *recipe = json_object_get(piece->record, "recipe");
  const json_t *picture = json_object_get(recipe, "picture");
  const json_t *key = json_object_get(json_object_get(picture, "watermark"), "gaussian_shading");
  // Under which key and painter its picture is recognised (mark/ledger/noise_records.h).
  json_t *details = key ? json_pack("{s:{s:O, s:O}}", "noise", "key", key, "model",
                                    json_object_get(json_object_get(picture, "model"), "sha256"))
                        : NULL;
  ink_ledger_file *files = calloc(piece->n_file + 1, sizeof *files);
  ink_status status = files ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for the ledger");
  size_t n = 0;
  for (; status == INK_OK && n < piece->n_file; n++) {
    char *path = ink_path_join(folder, piece->files[n].name);
    if (!path) {
      status = ink_fail(error, INK_ERR_MEMORY, "no memory for the ledger");
      break;
    }
    files[n] = (ink_ledger_file){
        .path = path, .bytes = piece->files[n].bytes, .size = piece->files[n].size};
  }
  ink_ledger_entry entry = {
      .identity = json_string_value(json_object_get(piece->record, "identity")),
      .kind = "piece",
      .command = "make",
      .model_sha256 =
          json_string_value(json_object_get(json_object_get(recipe, "model"), "sha256")),
      .recipe = recipe,
      .files = files,
      .n_file = n,
      .labels = labels,
      .n_label = sizeof labels / sizeof *labels - (key ? 0 : 1),
      .text = piece->text,
      .details = details};
  if (status == INK_OK) status = ink_cli_note(&entry, error);
  while (n) free((char *)(uintptr_t)files[--n].path);
  free(files);
  json_decref(details);
  return status;
}

static ink_status make(const request *r, const char *out, const ink_order *order,
                       const ink_progress *progress, ink_error *error) {
  ink_piece piece = {0};
  if (!r->replace) INK_TRY(ink_piece_room(out, error));
  ink_pool *pool = ink_pool_new((int)r->threads);
  ink_status status = ink_piece_make(order, pool, progress, &piece, error);
  ink_pool_free(pool);
  if (status == INK_OK) status = ink_piece_save(&piece, out, r->replace, error);
  if (status == INK_OK) status = note(&piece, out, error);
  // Whoever waits for a piece that was blocked wants to see it, and why.
  if (status == INK_OK) {
    status = print_piece(r, &piece, out, error);
    fprintf(stderr, ink_tr("seed %llu\n"), (unsigned long long)order->seed);
  } else if (status == INK_ERR_BLOCKED && piece.record) {
    ink_error unprinted = ink_cli_error();
    if (print_piece(r, &piece, NULL, &unprinted) != INK_OK) *error = unprinted;
  }
  ink_piece_free(&piece);
  return status;
}

static ink_status prepare(const request *r, const char *reference, const ink_progress *progress,
                          ink_error *error) {
  char identity[INK_UUID_TEXT], created[24];
  json_t *brief = NULL;
  ink_playbook *playbook = NULL;
  ink_text folder = {0};
  ink_order order = {.identity = identity, .created = created, .producer = r->producer};
  ink_status status = ink_playbook_open(reference, &playbook, error);
  if (status == INK_OK) status = read_brief(r->brief_path, &r->sets, &brief, error);
  if (status == INK_OK) status = choose_seed(r, brief, &order.seed, error);
  if (status == INK_OK) status = ink_mark_identity(identity, error);
  if (status == INK_OK && r->out && !r->out[0]) {
    status = ink_fail(error, INK_ERR_USAGE, "--out needs the name of a folder");
  }
  if (status == INK_OK) {
    if (r->out) {
      ink_text_add(&folder, r->out);
    } else {
      ink_text_format(&folder, "%s-%.8s", playbook->name, identity);
    }
    status = ink_text_status(&folder, error);
  }
  ink_signer *signer = NULL;
  ink_cli_stamper stamper = {0};
  if (status == INK_OK) status = ink_signing_open(&r->signing, &signer, error);
  // A piece is not lost for a server that does not answer.
  if (status == INK_OK) ink_signing_stamp(&r->signing, false, &stamper, signer);
  if (status == INK_OK) {
    ink_clock_utc(created);
    order.signer = signer;
    order.training = r->signing.training;
    order.playbook = playbook;
    order.brief = brief;
    status = make(r, folder.bytes, &order, progress, error);
  }
  ink_signer_free(signer);
  ink_text_free(&folder);
  json_decref(brief);
  ink_playbook_free(playbook);
  return status;
}

static ink_status run(const ink_command *self, int argc, char **argv, ink_error *error) {
  request r = {0};
  ink_option options[] = {
      {.name = "set",
       .letter = 's',
       .kind = INK_OPTION_LIST,
       .value = &r.sets,
       .argument = "NAME=VALUE",
       .help = "give an input of the playbook a value"},
      {.name = "brief",
       .kind = INK_OPTION_STRING,
       .value = &r.brief_path,
       .argument = "FILE",
       .help = "inputs and values from a JSON file"},
      {.name = "out",
       .letter = 'o',
       .kind = INK_OPTION_STRING,
       .value = &r.out,
       .argument = "DIR",
       .help = "folder for the piece (default: PLAYBOOK-IDENTITY here)"},
      {.name = "seed",
       .kind = INK_OPTION_INT,
       .value = &r.seed,
       .argument = "N",
       .help = "seed of all chance (default: a fresh one)",
       .low = 0,
       .high = 0x1p53},
      {.name = "producer",
       .kind = INK_OPTION_STRING,
       .value = &r.producer,
       .argument = "NAME",
       .help = "provider code or name for the metadata label (default: inkstone)"},
      INK_KEY_OPTION(&r.signing),
      INK_CERTIFICATES_OPTION(&r.signing),
      INK_PASSPHRASE_OPTION(&r.signing),
      INK_TIMESTAMP_OPTION(&r.signing),
      INK_TRAINING_OPTION(&r.signing),
      {.name = "replace",
       .kind = INK_OPTION_FLAG,
       .value = &r.replace,
       .help = "replace a piece that is already in the folder"},
      {.name = "json",
       .kind = INK_OPTION_FLAG,
       .value = &r.json,
       .help = "print the record as JSON"},
      ink_option_threads(&r.threads),
  };
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  if (n != 1) {
    return ink_fail(error, INK_ERR_USAGE,
                    "name one playbook; `inkstone playbook list` shows what there is");
  }
  r.seed_given = options[3].given;
  ink_cli_bar bar;
  ink_progress progress = ink_cli_progress(&bar, argv[1]);
  ink_status status = prepare(&r, argv[1], &progress, error);
  ink_cli_progress_end(&bar);
  return status;
}

const ink_command ink_command_make = {
    .name = "make",
    .summary = "Turn a brief into a finished, checked and labelled piece",
    .usage = "make PLAYBOOK [--set NAME=VALUE]... [OPTIONS]",
    .examples =
        "inkstone make poem --set theme=秋夜 --set form=七绝 --out autumn\n"
        "inkstone make poem --set title=秋夜山居 --set form=七律 --set acrostic=我爱中华\n"
        "echo '{\"theme\": \"江南春\", \"form\": \"浣溪沙\"}' | inkstone make poem --brief - "
        "--seed 3 --json\n",
    .run = run,
};
