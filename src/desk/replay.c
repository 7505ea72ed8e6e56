// Replay: make a piece again from its record and compare every byte.
#include <math.h>
#include <stdio.h>
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
  if (status == INK_OK && (!more || !line->bytes)) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory for the comparison");
  }
  if (status != INK_OK) {
    ink_text_free(line);
    return status;
  }
  replay->differences[replay->n_difference++] = line->bytes;  // theirs from here on
  return INK_OK;
}

static const char *text_at(const json_t *object, const char *key) {
  return json_string_value(json_object_get(object, key));
}

// What else decides a piece, apart from the order; each is named when it changed.
static const struct cause {
  const char *pointer, *is;
} causes[] = {{"/playbook/sha256", "the playbook's SHA-256 is %s, it was %s"},
              {"/recipe/model/name", "the model's name is %s, it was %s"},
              {"/recipe/model/sha256", "the model's SHA-256 is %s, it was %s"},
              {"/recipe/picture/model/sha256", "the painter's SHA-256 is %s, it was %s"}},
  circumstances[] = {{"/recipe/inkstone", "inkstone's version is %s, it was %s"},
                     {"/recipe/kernels", "the kernels in use are %s, they were %s"}};
enum {
  N_CAUSES = sizeof causes / sizeof *causes,
  N_CIRCUMSTANCES = sizeof circumstances / sizeof *circumstances
};

static const char *text_under(const json_t *value, const char *pointer) {
  char key[32];
  while (value && *pointer == '/') {
    size_t length = strcspn(++pointer, "/");
    snprintf(key, sizeof key, "%.*s", (int)length, pointer);
    value = json_object_get(value, key);
    pointer += length;
  }
  const char *text = json_string_value(value);
  return text ? text : "?";
}

static ink_status compare_causes(const json_t *then, const json_t *now, const struct cause *list,
                                 size_t n, ink_replay *replay, ink_error *error) {
  for (size_t i = 0; i < n; i++) {
    const char *was = text_under(then, list[i].pointer), *is = text_under(now, list[i].pointer);
    if (strcmp(was, is) == 0) continue;
    ink_text line = {0};
    ink_text_format(&line, ink_error_say(error, list[i].is), is, was);
    INK_TRY(differ(replay, &line, error));
  }
  return INK_OK;
}

static bool has_word_of_its_own(const char *pointer) {
  for (size_t i = 0; i < N_CAUSES; i++) {
    if (strcmp(causes[i].pointer, pointer) == 0) return true;
  }
  for (size_t i = 0; i < N_CIRCUMSTANCES; i++) {
    if (strcmp(circumstances[i].pointer, pointer) == 0) return true;
  }
  // A file's hash is compared with its bytes; a signature is looked at, no replay makes it again.
  return strncmp(pointer, "/files/", 7) == 0 &&
         (strstr(pointer, "/sha256") || strstr(pointer, "/signed"));
}

static void add_value(ink_text *out, const json_t *value) {
  enum { SHOWN = 60 };
  char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15))
                     : strdup("-");
  size_t length = text ? strlen(text) : 0, shown = length;
  if (length > SHOWN) {
    for (shown = SHOWN; ((unsigned char)text[shown] & 0xC0) == 0x80;) shown--;
  }
  ink_text_add_bytes(out, text ? text : "", shown);
  if (shown < length) ink_text_add(out, "…");
  free(text);
}

// Equal as far as a record spells numbers out.
static bool is_same(const json_t *a, const json_t *b) {
  if (!json_is_real(a) || !json_is_real(b)) return json_equal((json_t *)a, (json_t *)b);
  double x = json_real_value(a), y = json_real_value(b);
  return fabs(x - y) <= 1e-14 * fabs(x);
}

// Where the record and the record made again part, by JSON pointer; of a list the first place only.
static ink_status compare_values(const json_t *then, const json_t *now, const char *pointer,
                                 ink_replay *replay, ink_error *error) {
  if (is_same(then, now) || has_word_of_its_own(pointer)) return INK_OK;
  char below[256];
  const char *key;
  json_t *value;
  if (json_is_object(then) && json_is_object(now)) {
    json_object_foreach((json_t *)then, key, value) {
      snprintf(below, sizeof below, "%s/%s", pointer, key);
      INK_TRY(compare_values(value, json_object_get(now, key), below, replay, error));
    }
    json_object_foreach((json_t *)now, key, value) {
      snprintf(below, sizeof below, "%s/%s", pointer, key);
      if (json_object_get(then, key)) continue;
      INK_TRY(compare_values(NULL, value, below, replay, error));
    }
    return INK_OK;
  }
  if (json_is_array(then) && json_array_size(then) == json_array_size(now)) {
    for (size_t i = 0; i < json_array_size(then); i++) {
      size_t before = replay->n_difference;
      snprintf(below, sizeof below, "%s/%zu", pointer, i);
      INK_TRY(
          compare_values(json_array_get(then, i), json_array_get(now, i), below, replay, error));
      if (replay->n_difference > before) break;
    }
    return INK_OK;
  }
  ink_text line = {0}, was = {0}, is = {0};
  add_value(&was, then);
  add_value(&is, now);
  ink_text_format(&line, ink_error_say(error, "record.json: %s is %s, made again it is %s"),
                  pointer, ink_text_string(&was), ink_text_string(&is));
  line.failed = line.failed || was.failed || is.failed;
  ink_text_free(&was);
  ink_text_free(&is);
  return differ(replay, &line, error);
}

static size_t first_difference(const char *a, size_t n_a, const char *b, size_t n_b) {
  size_t i = 0;
  while (i < n_a && i < n_b && a[i] == b[i]) i++;
  return i;
}

// A signed file on disk: what it says, and its content without the signature, which no replay makes
// again.
static ink_status compare_signed(ink_replay *replay, const char *name, const char *path,
                                 const char *bytes, size_t size, const ink_piece_file *rebuilt,
                                 ink_error *error) {
  ink_text bare = {0}, fault = {0}, line = {0};
  ink_status status = ink_piece_unsign(replay->record, name, bytes, size, &bare, &fault, error);
  bool changed = rebuilt && status == INK_OK &&
                 (bare.size != rebuilt->size || memcmp(bare.bytes, rebuilt->bytes, bare.size) != 0);
  if (changed) {
    ink_text_format(&line,
                    ink_error_say(error,
                                  "%s was changed since: byte %zu of its content differs (%zu "
                                  "bytes, %zu made)"),
                    path, first_difference(bare.bytes, bare.size, rebuilt->bytes, rebuilt->size),
                    bare.size, rebuilt->size);
    status = differ(replay, &line, error);
  }
  if (status == INK_OK && fault.size) {
    status = differ(replay, &fault, error);
  } else {
    ink_text_free(&fault);
  }
  ink_text_free(&bare);
  return status;
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
    ink_text_format(&line, ink_error_say(error, "%s was not made this time"), name);
    return differ(replay, &line, error);
  }
  bool same = strcmp(rebuilt->sha256, hash) == 0;
  if (!same) {
    ink_text_format(&line,
                    ink_error_say(error,
                                  "%s came out with other bytes than recorded (SHA-256 "
                                  "%.12s…, it was %.12s…)"),
                    name, rebuilt->sha256, hash);
    INK_TRY(differ(replay, &line, error));
  }
  char *path = ink_path_join(folder, name), *bytes = NULL;
  size_t size = 0;
  ink_error fault = {.translate = error ? error->translate : NULL};
  ink_status status = path ? ink_file_read(path, MOST_FILE, &bytes, &size, &fault)
                           : ink_fail(&fault, INK_ERR_MEMORY, "no memory for a path");
  line = (ink_text){0};
  if (status == INK_ERR_NOT_FOUND) {
    ink_text_format(&line, ink_error_say(error, "%s is missing"), path);
    status = differ(replay, &line, error);
  } else if (status != INK_OK) {
    ink_text_add(&line, fault.text);
    status = differ(replay, &line, error);
  } else if (json_object_get(recorded, "signed")) {
    status = compare_signed(replay, name, path, bytes, size, same ? rebuilt : NULL, error);
  } else if (same && (size != rebuilt->size || memcmp(bytes, rebuilt->bytes, size) != 0)) {
    size_t at = first_difference(bytes, size, rebuilt->bytes, rebuilt->size);
    ink_text_format(&line,
                    ink_error_say(error,
                                  "%s was changed since: byte %zu differs (%zu bytes on "
                                  "disk, %zu made)"),
                    path, at, size, rebuilt->size);
    status = differ(replay, &line, error);
  }
  free(bytes);
  free(path);
  return status;
}

// The playbook of a record: its text, or the starter of its name.
static ink_status open_playbook(const json_t *recorded, ink_playbook **playbook, ink_error *error) {
  const char *name = text_at(recorded, "name"), *text = text_at(recorded, "text");
  if (text) return ink_playbook_parse(text, strlen(text), name, playbook, error);
  return ink_playbook_open(name, playbook, error);
}

static ink_status compare_piece(const json_t *record, const ink_piece *piece, const char *folder,
                                ink_replay *replay, ink_error *error) {
  INK_TRY(compare_causes(record, piece->record, causes, N_CAUSES, replay, error));
  // With another cause all that follows from it is other too; its first effect is enough.
  if (replay->n_difference == 0) {
    // Other kernels round sums otherwise: the log-probability is theirs, the rest must not change.
    const char *kernels = "/recipe/kernels", *logprob = "logprob";
    if (strcmp(text_under(record, kernels), text_under(piece->record, kernels)) != 0) {
      json_t *draft = json_object_get(piece->record, "draft");
      json_object_set(draft, logprob, json_object_get(json_object_get(record, "draft"), logprob));
    }
    INK_TRY(compare_values(record, piece->record, "", replay, error));
  } else if (piece->text && strcmp(text_under(record, "/draft/text"), piece->text) != 0) {
    ink_text line = {0};
    ink_text_add(&line, ink_error_say(error, "the text came out differently"));
    INK_TRY(differ(replay, &line, error));
  }
  size_t i;
  json_t *file;
  json_array_foreach(json_object_get(record, "files"), i, file) {
    INK_TRY(compare_file(file, piece, folder, replay, error));
  }
  if (replay->n_difference == 0) return INK_OK;
  return compare_causes(record, piece->record, circumstances, N_CIRCUMSTANCES, replay, error);
}

// Whether the noise of its picture carries its identity.
static bool is_shaded(const json_t *record) {
  const json_t *picture = json_object_get(json_object_get(record, "recipe"), "picture");
  return json_object_get(json_object_get(picture, "watermark"), "gaussian_shading") != NULL;
}

ink_status ink_piece_replay(const char *path, ink_pool *pool, const ink_progress *progress,
                            ink_replay *replay, ink_error *error) {
  char *folder;
  *replay = (ink_replay){0};
  INK_TRY(ink_record_open(path, &replay->record, &folder, error));
  const json_t *record = replay->record;
  ink_playbook *playbook = NULL;
  ink_status status = open_playbook(json_object_get(record, "playbook"), &playbook, error);
  ink_order order = {.playbook = playbook,
                     .brief = json_object_get(record, "brief"),
                     .seed = (uint64_t)json_integer_value(
                         json_object_get(json_object_get(record, "recipe"), "seed")),
                     .identity = text_at(record, "identity"),
                     .created = text_at(record, "created"),
                     .producer = text_at(record, "producer"),
                     .bare_noise = !is_shaded(record)};
  ink_piece piece = {0};
  if (status == INK_OK) status = ink_piece_make(&order, pool, progress, &piece, error);
  if (status == INK_ERR_BLOCKED) status = INK_OK;  // so it was, or its files will be named
  if (status == INK_OK) status = compare_piece(record, &piece, folder, replay, error);
  ink_piece_free(&piece);
  ink_playbook_free(playbook);
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
