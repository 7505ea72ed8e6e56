// Replay: make a piece again from its record and compare every byte.
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "desk/piece.h"

enum { MOST_FILE = 1 << 28 };

static ink_status differ(ink_replay *replay, ink_text *line, ink_error *error) {
  ink_status status = ink_text_status(line, error);
  char **more = realloc(replay->differences, (replay->n_difference + 1) * sizeof *more);
  if (more) replay->differences = more;
  char *copy = more ? strdup(ink_text_string(line)) : NULL;
  ink_text_free(line);
  if (status != INK_OK) return status;
  if (!copy) return ink_fail(error, INK_ERR_MEMORY, "no memory for the comparison");
  replay->differences[replay->n_difference++] = copy;
  return INK_OK;
}

static const char *text_at(const json_t *object, const char *key) {
  return json_string_value(json_object_get(object, key));
}

// Recorded and present value of what decides a piece, each named when it changed.
static ink_status compare_causes(const json_t *then, const json_t *now, ink_replay *replay,
                                 ink_error *error) {
  static const struct {
    const char *part, *inner, *key, *name;
  } causes[] = {{"playbook", NULL, "sha256", "the playbook's SHA-256"},
                {"recipe", "model", "name", "the model's name"},
                {"recipe", "model", "sha256", "the model's SHA-256"},
                {"recipe", NULL, "inkstone", "inkstone's version"},
                {"recipe", NULL, "kernels", "the kernels in use"}};
  for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
    const json_t *a = json_object_get(then, causes[i].part);
    const json_t *b = json_object_get(now, causes[i].part);
    if (causes[i].inner) {
      a = json_object_get(a, causes[i].inner);
      b = json_object_get(b, causes[i].inner);
    }
    const char *was = text_at(a, causes[i].key), *is = text_at(b, causes[i].key);
    if (was && is && strcmp(was, is) == 0) continue;
    ink_text line = {0};
    ink_text_format(&line, "%s is %s, it was %s", causes[i].name, is ? is : "unknown",
                    was ? was : "unknown");
    INK_TRY(differ(replay, &line, error));
  }
  return INK_OK;
}

static size_t first_difference(const char *a, size_t n_a, const char *b, size_t n_b) {
  size_t i = 0;
  while (i < n_a && i < n_b && a[i] == b[i]) i++;
  return i;
}

// One file: rebuilt against recorded hash, and against what stands on disk.
static ink_status compare_file(const json_t *recorded, const ink_piece *piece, const char *folder,
                               ink_replay *replay, ink_error *error) {
  const char *name = text_at(recorded, "name"), *hash = text_at(recorded, "sha256");
  const ink_piece_file *rebuilt = NULL;
  for (size_t i = 0; i < piece->n_file; i++) {
    if (strcmp(piece->files[i].name, name) == 0) rebuilt = &piece->files[i];
  }
  ink_text line = {0};
  if (!rebuilt) {
    ink_text_format(&line, "%s was not made this time", name);
    return differ(replay, &line, error);
  }
  bool same = strcmp(rebuilt->sha256, hash) == 0;
  if (!same) {
    ink_text_format(&line, "%s came out with other bytes than recorded (sha256 %.12s…, was %.12s…)",
                    name, rebuilt->sha256, hash);
    INK_TRY(differ(replay, &line, error));
  }
  char *path = ink_path_join(folder, name), *bytes = NULL;
  size_t size = 0;
  ink_error fault = {0};
  ink_status status = path ? ink_file_read(path, MOST_FILE, &bytes, &size, &fault)
                           : ink_fail(&fault, INK_ERR_MEMORY, "no memory for a path");
  line = (ink_text){0};
  if (status != INK_OK) {
    ink_text_format(&line, "%s", fault.text);
    status = differ(replay, &line, error);
  } else if (same && (size != rebuilt->size || memcmp(bytes, rebuilt->bytes, size) != 0)) {
    size_t at = first_difference(bytes, size, rebuilt->bytes, rebuilt->size);
    ink_text_format(&line, "%s was changed since: byte %zu differs (%zu bytes on disk, %zu made)",
                    path, at, size, rebuilt->size);
    status = differ(replay, &line, error);
  }
  free(bytes);
  free(path);
  return status;
}

ink_status ink_piece_replay(const char *path, ink_pool *pool, const ink_progress *progress,
                            ink_replay *replay, ink_error *error) {
  char *folder;
  *replay = (ink_replay){0};
  INK_TRY(ink_record_open(path, &replay->record, &folder, error));
  const json_t *record = replay->record;
  ink_order order = {.playbook = text_at(json_object_get(record, "playbook"), "name"),
                     .brief = json_object_get(record, "brief"),
                     .seed = (uint64_t)json_integer_value(
                         json_object_get(json_object_get(record, "recipe"), "seed")),
                     .identity = text_at(record, "identity"),
                     .created = text_at(record, "created"),
                     .producer = text_at(record, "producer")};
  ink_piece piece = {0};
  ink_status status = ink_piece_make(&order, pool, progress, &piece, error);
  if (status == INK_ERR_BLOCKED) status = INK_OK;  // the missing files will be named
  if (status == INK_OK) status = compare_causes(record, piece.record, replay, error);
  const char *was = text_at(json_object_get(record, "draft"), "text");
  if (status == INK_OK && strcmp(was, piece.text) != 0) {
    ink_text line = {0};
    ink_text_add(&line, "the text came out differently");
    status = differ(replay, &line, error);
  }
  size_t i;
  json_t *file;
  json_array_foreach(json_object_get(record, "files"), i, file) {
    if (status == INK_OK) status = compare_file(file, &piece, folder, replay, error);
  }
  ink_piece_free(&piece);
  free(folder);
  if (status != INK_OK) ink_replay_free(replay);
  return status;
}

void ink_replay_free(ink_replay *replay) {
  for (size_t i = 0; i < replay->n_difference; i++) free(replay->differences[i]);
  free(replay->differences);
  json_decref(replay->record);
  *replay = (ink_replay){0};
}
