// Files of a corpus, from memory to the disk.
#include "train/corpus_output.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

ink_status ink_corpus_output_json(json_t *value, ink_corpus_output *out, ink_error *error) {
  char *text = value ? ink_json_text(value) : NULL;
  json_decref(value);
  size_t size = text ? strlen(text) : 0;
  out->bytes = text ? realloc(text, size + 1) : NULL;
  if (!out->bytes) {
    free(text);
    return ink_fail(error, INK_ERR_MEMORY, "no memory for %s", out->name);
  }
  ((char *)out->bytes)[size] = '\n';
  out->size = size + 1;
  return INK_OK;
}

ink_status ink_corpus_output_text(ink_text *text, ink_corpus_output *out, ink_error *error) {
  ink_status status = ink_text_status(text, error);
  if (status == INK_OK) {
    out->bytes = text->bytes;
    out->size = text->size;
    *text = (ink_text){0};
  }
  ink_text_free(text);
  return status;
}

ink_status ink_corpus_outputs_list(const ink_corpus_output *outputs, size_t n, json_t **list,
                                   ink_error *error) {
  *list = json_array();
  for (size_t i = 0; i < n; i++) {
    char sha256[INK_SHA256_HEX];
    ink_status status = ink_sha256_of(outputs[i].bytes, outputs[i].size, sha256, error);
    if (status != INK_OK) {
      json_decref(*list);
      *list = NULL;
      return status;
    }
    json_array_append_new(*list, json_pack("{s:s, s:I, s:s}", "name", outputs[i].name, "bytes",
                                           (json_int_t)outputs[i].size, "sha256", sha256));
  }
  return INK_OK;
}

// The file under its temporary name, all its bytes on the disk.
static ink_status put(const char *folder, const ink_corpus_output *output, ink_file_writer *writer,
                      ink_error *error) {
  char *path = ink_path_join(folder, output->name);
  if (!path) return ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  char *name = (char *)(uintptr_t)ink_path_name(path);
  name[-1] = 0;  // the folder it lies in
  ink_status status = ink_folder_make(path, error);
  name[-1] = '/';
  if (status == INK_OK) status = ink_file_create(path, writer, error);
  if (status == INK_OK) status = ink_file_write(writer, output->bytes, output->size, error);
  if (status == INK_OK) status = ink_file_sync(writer, error);
  free(path);
  return status;
}

ink_status ink_corpus_outputs_save(const char *folder, const ink_corpus_output *outputs, size_t n,
                                   ink_error *error) {
  ink_file_writer writers[INK_CORPUS_MOST_OUTPUTS] = {0};
  ink_status status = ink_folder_make(folder, error);
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    status = put(folder, &outputs[i], &writers[i], error);
  }
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    status = ink_file_commit(&writers[i], error);
  }
  for (size_t i = 0; i < n; i++) ink_file_abandon(&writers[i]);
  return status;
}
