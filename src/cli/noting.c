// Rows of the ledger, as commands write them.
#include "cli/noting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "lang/catalogue.h"

ink_status ink_cli_note(const ink_ledger_entry *entry, ink_error *error) {
  ink_error fault = {.translate = error->translate};
  ink_status status = ink_ledger_note(entry, &fault);
  if (status == INK_OK) return INK_OK;
  if (entry->unmarked) {
    return ink_fail(error, status, "written, but not logged as it has to be: %s", fault.text);
  }
  fprintf(stderr, ink_tr("warning: written, but not in the ledger: %s\n"), fault.text);
  return INK_OK;
}

ink_status ink_cli_ledger(ink_ledger **ledger, ink_error *error) {
  char *path;
  *ledger = NULL;
  INK_TRY(ink_ledger_path(&path, error));
  ink_status status =
      path && ink_file_exists(path) ? ink_ledger_open(path, false, ledger, error) : INK_OK;
  free(path);
  return status;
}

ink_status ink_cli_note_text(const ink_cli_model *m, const ink_cli_sampling *sampling,
                             const ink_cli_mark *mark, const char *command, const char *text,
                             size_t n_token, ink_error *error) {
  bool off = strcmp(sampling->watermark, "off") == 0;
  if (!text[0] || (!mark->watermark && !(off && n_token >= INK_WATERMARK_LEAST_TOKENS))) {
    return INK_OK;
  }
  char sha256[INK_SHA256_HEX], label[96];
  INK_TRY(ink_weights_sha256(m->model->weights, INK_HASH_NOTED, sha256, error));
  const char *labels[] = {label};
  if (mark->watermark) {
    snprintf(label, sizeof label, "watermark:%s", ink_watermark_id(mark->watermark));
  }
  json_t *recipe = json_pack("{s:s, s:s, s:I, s:s}", "inkstone", INKSTONE_VERSION, "model", sha256,
                             "seed", (json_int_t)sampling->seed, "watermark", sampling->watermark);
  ink_ledger_file file = {.bytes = text, .size = strlen(text)};
  ink_ledger_entry entry = {.kind = "text",
                            .command = command,
                            .model_sha256 = sha256,
                            .recipe = recipe,
                            .files = &file,
                            .n_file = 1,
                            .labels = labels,
                            .n_label = mark->watermark ? 1 : 0,
                            .unmarked = !mark->watermark,
                            .law = mark->watermark ? NULL : INK_CLI_TEXT_LAW};
  ink_status status = recipe ? ink_cli_note(&entry, error)
                             : ink_fail(error, INK_ERR_MEMORY, "no memory for a row of the ledger");
  json_decref(recipe);
  return status;
}
