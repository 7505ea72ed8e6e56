// inkstone replay and explain: rebuild a piece from its record; tell how it came about.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/noting.h"
#include "desk/piece.h"
#include "lang/catalogue.h"

static ink_status print_replay(const ink_replay *replay, bool json, ink_error *error) {
  bool same = replay->n_difference == 0;
  if (json) {
    json_t *list = json_array();
    for (size_t i = 0; i < replay->n_difference; i++) {
      json_array_append_new(list, json_string(replay->differences[i]));
    }
    json_t *result = json_pack("{s:b, s:O, s:o}", "same", same, "identity",
                               json_object_get(replay->record, "identity"), "differences", list);
    INK_TRY(ink_cli_print_json(result, error));
  } else if (same) {
    printf(ink_tr("rebuilt: %zu files, every byte as recorded\n"),
           json_array_size(json_object_get(replay->record, "files")));
  } else {
    for (size_t i = 0; i < replay->n_difference; i++) printf("%s\n", replay->differences[i]);
  }
  if (same) return INK_OK;
  return ink_fail(error, INK_ERR_CONFLICT,
                  "the piece is not what its record says; differences: %zu", replay->n_difference);
}

// A check leaves no piece; what it found is worth a row of its own.
static ink_status note(const ink_replay *replay, ink_error *error) {
  const json_t *recipe = json_object_get(replay->record, "recipe");
  const char *identity = json_string_value(json_object_get(replay->record, "identity"));
  json_t *details = json_pack("{s:b, s:I}", "same", (int)(replay->n_difference == 0), "differences",
                              (json_int_t)replay->n_difference);
  if (!details) return ink_fail(error, INK_ERR_MEMORY, "no memory for a row of the ledger");
  ink_ledger_entry entry = {
      .identity = identity && ink_mark_is_identity(identity) ? identity : NULL,
      .kind = "check",
      .command = "replay",
      .model_sha256 =
          json_string_value(json_object_get(json_object_get(recipe, "model"), "sha256")),
      .recipe = recipe,
      .details = details};
  ink_status status = ink_cli_note(&entry, error);
  json_decref(details);
  return status;
}

static ink_status run_replay(const ink_command *self, int argc, char **argv, ink_error *error) {
  bool json = false;
  int64_t threads = 0;
  ink_option options[] = {
      {.name = "json", .kind = INK_OPTION_FLAG, .value = &json, .help = "print the result as JSON"},
      ink_option_threads(&threads),
  };
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  if (n != 1) {
    return ink_fail(error, INK_ERR_USAGE, "name one piece: its folder or its record.json");
  }
  ink_cli_bar bar;
  ink_progress progress = ink_cli_progress(&bar, "replay");
  ink_pool *pool = ink_pool_new((int)threads);
  ink_replay replay;
  ink_status status = ink_piece_replay(argv[1], pool, &progress, &replay, error);
  ink_pool_free(pool);
  ink_cli_progress_end(&bar);
  if (status != INK_OK) return status;
  status = note(&replay, error);
  if (status == INK_OK) status = print_replay(&replay, json, error);
  ink_replay_free(&replay);
  return status;
}

static ink_status run_explain(const ink_command *self, int argc, char **argv, ink_error *error) {
  bool json = false;
  ink_option options[] = {
      {.name = "json", .kind = INK_OPTION_FLAG, .value = &json, .help = "print the record as JSON"},
  };
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  if (n != 1) {
    return ink_fail(error, INK_ERR_USAGE, "name one piece: its folder or its record.json");
  }
  json_t *record;
  char *folder;
  INK_TRY(ink_record_open(argv[1], &record, &folder, error));
  ink_status status = INK_OK;
  if (json) {
    status = ink_cli_print_json(json_incref(record), error);
  } else {
    ink_text text = {0};
    ink_record_explain(record, ink_language_current(), &text);
    status = ink_text_status(&text, error);
    if (status == INK_OK) fputs(ink_text_string(&text), stdout);
    ink_text_free(&text);
  }
  json_decref(record);
  free(folder);
  return status;
}

const ink_command ink_command_replay = {
    .name = "replay",
    .summary = "Rebuild a piece from its record and compare every byte",
    .usage = "replay PIECE",
    .examples = "inkstone replay autumn\n",
    .run = run_replay,
};

const ink_command ink_command_explain = {
    .name = "explain",
    .summary = "Tell how a piece came about",
    .usage = "explain PIECE",
    .examples = "inkstone explain autumn\n",
    .run = run_explain,
};
