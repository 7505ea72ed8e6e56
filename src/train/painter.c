// The painter's data builder: checks the licences of the sources, cuts the drawings out, and writes
// the folder that train/scene.h reads.
#include "train/painter.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "picture/codec.h"
#include "train/painter_parts.h"

enum { LARGEST_LICENCE = 1 << 20, LARGEST_DRAWING = 1 << 20, DEFAULT_LEAST = 500, OPAQUE = 8 };

// ---- sources ------------------------------------------------------------------------------------

typedef struct source {
  const char *folder, *url, *what, *licence;
  const char *known_commit;  // that was examined; NULL for packages, which state a version
  // Words of the licence file, in order, white space aside.
  const char *words[4];
  bool optional;
} source;

enum { NOTO, BLOB, PIXEL, CLDR, EMOJIBASE, SOURCES };

static const source SOURCE[SOURCES] = {
    [NOTO] = {"noto-emoji",
              "https://github.com/googlefonts/noto-emoji",
              "drawings",
              "Apache-2.0",
              "d79d23e6822e0f6e5731b114cbfb26b2a4e380da",
              {"Apache License", "Version 2.0, January 2004", NULL, NULL},
              false},
    [BLOB] = {"blobmoji",
              "https://github.com/C1710/blobmoji",
              "drawings in the older, rounder style",
              "Apache-2.0",
              "437784e59a5dc524aca8b8ea520ea1d889d5643e",
              {"Apache License", "Version 2.0, January 2004", NULL, NULL},
              false},
    [PIXEL] = {"serenity",
               "https://github.com/SerenityOS/serenity",
               "pixel art",
               "BSD-2-Clause",
               "5f37b60744d49b6ff217cfc60cce54a26f1d9c59",
               {"BSD 2-Clause License", "Copyright", "Redistributions in binary form", NULL},
               true},
    [CLDR] = {"cldr-annotations-full",
              "https://www.npmjs.com/package/cldr-annotations-full",
              "names",
              "Unicode-3.0",
              NULL,
              {"UNICODE LICENSE V3", "Permission is hereby granted", NULL, NULL},
              false},
    [EMOJIBASE] = {"emojibase-data",
                   "https://www.npmjs.com/package/emojibase-data",
                   "order and groups",
                   "MIT",
                   NULL,
                   {"MIT License", "Permission is hereby granted", NULL, NULL},
                   false},
};

typedef struct source_state {
  bool present;
  char commit[41], version[32];
  char *licence;  // the text
  char licence_sha256[INK_SHA256_HEX];
  int64_t drawings;
} source_state;

typedef struct file_record {
  char path[160];
  char sha256[INK_SHA256_HEX];
  int source;
  size_t concept;
} file_record;

typedef struct builder {
  const ink_painter_options *options;
  source_state sources[SOURCES];
  ink_painter_list list;
  ink_sprite_record *records;
  file_record *files;
  size_t n_sprite, sprite_capacity;
  uint8_t *pixels;
  size_t n_pixel, pixel_capacity;  // in bytes
  int64_t captions;
  int32_t vocabulary;
} builder;

static void builder_free(builder *b) {
  for (int i = 0; i < SOURCES; i++) free(b->sources[i].licence);
  ink_painter_list_free(&b->list);
  free(b->records);
  free(b->files);
  free(b->pixels);
}

// The words occur in this order; runs of white space in the text count as one space.
static bool has_words(const char *text, const char *const words[4]) {
  ink_text squeezed = {0};
  for (const char *p = text; *p; p++) {
    bool space = isspace((unsigned char)*p) != 0;
    if (!space) {
      ink_text_add_bytes(&squeezed, p, 1);
    } else if (squeezed.size && squeezed.bytes[squeezed.size - 1] != ' ') {
      ink_text_add(&squeezed, " ");
    }
  }
  const char *at = ink_text_string(&squeezed);
  for (int i = 0; i < 4 && words[i] && at; i++) {
    at = strstr(at, words[i]);
    if (at) at += strlen(words[i]);
  }
  bool found = at != NULL && !squeezed.failed;
  ink_text_free(&squeezed);
  return found;
}

static bool is_commit(const char *text) {
  return strspn(text, "0123456789abcdef") == 40 &&
         (text[40] == 0 || isspace((unsigned char)text[40]));
}

// The file COMMIT of an export, or .git/HEAD of a checkout whose head is detached.
static void read_commit(const char *folder, char commit[41]) {
  static const char *const NAMES[] = {"COMMIT", ".git/HEAD"};
  commit[0] = 0;
  for (int i = 0; i < 2 && !commit[0]; i++) {
    char *path = ink_path_join(folder, NAMES[i]), *text = NULL;
    size_t size;
    if (path && ink_file_read(path, 4096, &text, &size, NULL) == INK_OK && is_commit(text)) {
      memcpy(commit, text, 40);
      commit[40] = 0;
    }
    free(text);
    free(path);
  }
}

static ink_status read_version(const char *folder, char version[32], ink_error *error) {
  char *path = ink_path_join(folder, "package.json");
  json_t *value = NULL;
  ink_status status = path ? ink_json_load(path, LARGEST_LICENCE, &value, error)
                           : ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  const char *text = json_string_value(json_object_get(value, "version"));
  if (status == INK_OK && !text) {
    status = ink_fail(error, INK_ERR_FORMAT, "%s: states no version", path);
  }
  if (status == INK_OK) snprintf(version, 32, "%s", text);
  json_decref(value);
  free(path);
  return status;
}

static ink_status read_licence(const source *from, source_state *state, const char *folder,
                               ink_error *error) {
  char *path = ink_path_join(folder, "LICENSE");
  size_t size = 0;
  ink_status status = path ? ink_file_read(path, LARGEST_LICENCE, &state->licence, &size, error)
                           : ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  if (status == INK_OK && !has_words(state->licence, from->words)) {
    status = ink_fail(error, INK_ERR_CONFLICT,
                      "%s: is not the licence that is expected, %s; only openly licensed drawings "
                      "may be used",
                      path, from->licence);
  }
  if (status == INK_OK) status = ink_sha256_of(state->licence, size, state->licence_sha256, error);
  free(path);
  return status;
}

static ink_status open_source(builder *b, int i, ink_error *error) {
  const source *from = &SOURCE[i];
  source_state *state = &b->sources[i];
  char *folder = ink_path_join(b->options->from, from->folder);
  if (!folder) return ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  ink_status status = INK_OK;
  state->present = ink_file_is_folder(folder);
  if (!state->present && !from->optional) {
    status = ink_fail(error, INK_ERR_NOT_FOUND,
                      "%s: no such folder; --from must hold noto-emoji, blobmoji, "
                      "cldr-annotations-full and emojibase-data (%s is from %s)",
                      folder, from->folder, from->url);
  }
  if (status == INK_OK && state->present) {
    status = read_licence(from, state, folder, error);
    if (status == INK_OK && from->known_commit) read_commit(folder, state->commit);
    if (status == INK_OK && !from->known_commit) {
      status = read_version(folder, state->version, error);
    }
  }
  free(folder);
  return status;
}

// ---- drawings -----------------------------------------------------------------------------------

// Where a source keeps the drawing of a code, below --from.
static void drawing_path(int from, const char *code, char *path, size_t size) {
  char name[INK_PAINTER_NAME];
  size_t n = strlen(code);
  for (size_t i = 0; i <= n; i++) {
    char c = code[i] == '-' ? '_' : code[i];
    name[i] = from == PIXEL ? c : (char)tolower((unsigned char)c);
  }
  if (from == PIXEL) {
    // Here each code point is written out: U+1F43B_U+200D_U+2744.
    char spelt[2 * INK_PAINTER_NAME] = "";
    size_t used = 0;
    for (size_t i = 0; i < n && used + 3 < sizeof spelt; i++) {
      spelt[used++] = name[i];
      if (name[i] == '_') {
        spelt[used++] = 'U';
        spelt[used++] = '+';
      }
    }
    spelt[used] = 0;
    snprintf(path, size, "%s/Base/res/emoji/U+%s.png", SOURCE[from].folder, spelt);
  } else {
    snprintf(path, size, "%s/png/128/emoji_u%s.png", SOURCE[from].folder, name);
  }
}

static bool cut(const ink_picture *picture, int32_t box[4]) {
  int32_t left = picture->width, top = picture->height, right = -1, bottom = -1;
  for (int32_t y = 0; y < picture->height; y++) {
    for (int32_t x = 0; x < picture->width; x++) {
      if (ink_picture_at(picture, x, y)[3] < OPAQUE) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      if (y > bottom) bottom = y;
    }
  }
  box[0] = left;
  box[1] = top;
  box[2] = right - left + 1;
  box[3] = bottom - top + 1;
  return right >= left;
}

static ink_status grow(builder *b, size_t bytes, ink_error *error) {
  if (b->n_sprite == b->sprite_capacity) {
    size_t larger = b->sprite_capacity * 2 + 256;
    ink_sprite_record *records = realloc(b->records, larger * sizeof *records);
    if (records) b->records = records;
    file_record *files = realloc(b->files, larger * sizeof *files);
    if (files) b->files = files;
    if (!records || !files) return ink_fail(error, INK_ERR_MEMORY, "no memory for the drawings");
    b->sprite_capacity = larger;
  }
  if (b->pixel_capacity - b->n_pixel < bytes) {
    size_t larger = b->pixel_capacity * 2 + bytes;
    uint8_t *pixels = realloc(b->pixels, larger);
    if (!pixels) return ink_fail(error, INK_ERR_MEMORY, "no memory for the drawings");
    b->pixels = pixels;
    b->pixel_capacity = larger;
  }
  return INK_OK;
}

static ink_status keep_drawing(builder *b, const ink_picture *picture, const char *path,
                               const char *sha256, int from, size_t concept,
                               ink_scene_colour colour, ink_error *error) {
  int32_t box[4];
  if (picture->width > 2 * INK_SPRITE_SIDE || picture->height > 2 * INK_SPRITE_SIDE ||
      !cut(picture, box)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: empty, or larger than a drawing of %d pixels", path,
                    INK_SPRITE_SIDE);
  }
  ink_picture part = {0}, small = {0};
  INK_TRY(ink_picture_crop(picture, box[0], box[1], box[2], box[3], &part, error));
  int32_t longer = box[2] > box[3] ? box[2] : box[3];
  ink_status status = INK_OK;
  if (longer > INK_SPRITE_SIDE) {  // a few of the older drawings are wider
    int32_t width = box[2] * INK_SPRITE_SIDE / longer, height = box[3] * INK_SPRITE_SIDE / longer;
    status = ink_picture_resize(&part, width, height, INK_RESIZE_BILINEAR, &small, error);
    ink_picture_free(&part);
    part = small;
  }
  size_t bytes = status == INK_OK ? ink_picture_bytes(&part) : 0;
  if (status == INK_OK) status = grow(b, bytes, error);
  if (status == INK_OK) {
    ink_sprite_record *record = &b->records[b->n_sprite];
    *record = (ink_sprite_record){
        .offset = b->n_pixel,
        .concept = (uint16_t) concept,
        .width = (uint16_t)part.width,
        .height = (uint16_t)part.height,
        .style = (uint8_t)(from == BLOB    ? INK_STYLE_BLOB
                           : from == PIXEL ? INK_STYLE_PIXEL
                                           : INK_STYLE_PLAIN),
        .colour = (uint8_t)colour,
    };
    ink_sprite_measure(part.pixels, part.width, part.height, record);
    file_record *file = &b->files[b->n_sprite++];
    *file = (file_record){.source = from, .concept = concept};
    snprintf(file->path, sizeof file->path, "%s", path);
    snprintf(file->sha256, sizeof file->sha256, "%s", sha256);
    memcpy(b->pixels + b->n_pixel, part.pixels, bytes);
    b->n_pixel += bytes;
    b->sources[from].drawings++;
  }
  ink_picture_free(&part);
  return status;
}

// Read a drawing when the source has one; *found says whether.
static ink_status read_drawing(builder *b, int from, const ink_painter_drawing *drawing,
                               size_t concept, bool *found, ink_error *error) {
  char name[160], sha256[INK_SHA256_HEX];
  *found = false;
  if (!b->sources[from].present) return INK_OK;
  drawing_path(from, drawing->code, name, sizeof name);
  char *path = ink_path_join(b->options->from, name);
  if (!path) return ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  char *bytes = NULL;
  size_t size;
  ink_picture picture = {0}, rgba = {0};
  ink_status status = INK_OK;
  if (ink_file_exists(path)) {
    *found = true;
    status = ink_file_read(path, LARGEST_DRAWING, &bytes, &size, error);
    if (status == INK_OK) status = ink_sha256_of(bytes, size, sha256, error);
    if (status == INK_OK) {
      status = ink_picture_decode(bytes, size, path, NULL, &picture, NULL, error);
    }
    if (status == INK_OK) status = ink_picture_convert(&picture, 4, &rgba, error);
    if (status == INK_OK) {
      status = keep_drawing(b, &rgba, name, sha256, from, concept, drawing->colour, error);
    }
  }
  free(bytes);
  free(path);
  ink_picture_free(&picture);
  ink_picture_free(&rgba);
  return status;
}

// Mean difference of two drawings on white, each drawn 16 pixels wide, in 256ths of the full range:
// tells another drawing from a copy with slight changes.
static int32_t difference(const builder *b, const ink_sprite_record *a,
                          const ink_sprite_record *other, void *work) {
  enum { SIDE = 16, SIZE = SIDE * SIDE * 3 };
  uint8_t pictures[2][SIZE];
  const ink_sprite_record *both[2] = {a, other};
  for (int i = 0; i < 2; i++) {
    ink_scene_canvas canvas = {SIDE, pictures[i], work};
    memset(pictures[i], 255, SIZE);
    ink_scene_lay(&canvas, b->pixels + both[i]->offset, both[i]->width, both[i]->height, 0, 0,
                  SIDE * 256, SIDE * 256, false, false);
  }
  int32_t sum = 0;
  for (int i = 0; i < SIZE; i++) sum += abs(pictures[0][i] - pictures[1][i]);
  return sum / SIZE;
}

// Take back the newest drawing when it only repeats the first of its concept.
static ink_status drop_repetition(builder *b, size_t first, const char *code, ink_error *error) {
  enum { ALIKE = 8 };
  void *work = malloc(ink_scene_work_size(16));
  if (!work) return ink_fail(error, INK_ERR_MEMORY, "no memory to compare drawings");
  const ink_sprite_record *newest = &b->records[b->n_sprite - 1];
  bool alike = difference(b, &b->records[first], newest, work) < ALIKE;
  free(work);
  if (!alike) return INK_OK;
  b->n_pixel = newest->offset;
  b->sources[b->files[--b->n_sprite].source].drawings--;
  return ink_painter_leave_out(&b->list, code, "blobmoji repeats noto-emoji", error);
}

// Plain drawings first, then the other styles of the first. A concept without a plain one is left
// out: *kept says whether it stays.
static ink_status read_concept(builder *b, const ink_painter_concept *concept, size_t index,
                               bool *kept, ink_error *error) {
  bool found;
  size_t first = b->n_sprite;
  *kept = false;
  for (int i = 0; i < concept->n_drawing; i++) {
    INK_TRY(read_drawing(b, NOTO, &concept->drawings[i], index, &found, error));
    if (i == 0 && !found) {
      return ink_painter_leave_out(&b->list, concept->drawings[0].code, "no drawing in noto-emoji",
                                   error);
    }
  }
  *kept = true;
  for (int style = BLOB; style <= PIXEL; style++) {
    for (int i = 0; i < concept->n_drawing; i++) {
      INK_TRY(read_drawing(b, style, &concept->drawings[i], index, &found, error));
      if (!found) continue;
      if (style == BLOB) INK_TRY(drop_repetition(b, first, concept->drawings[i].code, error));
      break;
    }
  }
  return INK_OK;
}

static ink_status read_drawings(builder *b, const ink_progress *progress, ink_error *error) {
  size_t n = b->list.n_concept, kept = 0;
  for (size_t i = 0; i < n; i++) {
    bool keep;
    ink_painter_concept concept = b->list.concepts[i];
    INK_TRY(read_concept(b, &concept, kept, &keep, error));
    if (keep) b->list.concepts[kept++] = concept;
    if (i % 32 == 0 && !ink_progress_report(progress, (int64_t)i, (int64_t)n, "drawings")) {
      return ink_fail(error, INK_ERR_CANCELLED, "%s: stopped while reading drawings",
                      b->options->from);
    }
  }
  b->list.n_concept = kept;
  int64_t least = b->options->least ? b->options->least : DEFAULT_LEAST;
  if ((int64_t)kept < least) {
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    "%s: only %zu concepts with drawings, at least %lld are expected: the sources "
                    "are not complete",
                    b->options->from, kept, (long long)least);
  }
  return INK_OK;
}

// ---- outputs ------------------------------------------------------------------------------------

enum {
  VOCABULARY_SIZE = 4096,
  CAPTIONS = 40000,  // whose words the tokenizer learns
  NAME_WEIGHT = 20   // of a name, beside the captions it occurs in
};

enum { CONCEPTS, SPRITES, VOCABULARY, MERGES, CONFIG, SPECIAL, NOTICE, MANIFEST, OUTPUTS };

static const char *const OUTPUT_NAMES[OUTPUTS] = {"concepts.json",
                                                  "sprites.bin",
                                                  "tokenizer/vocab.json",
                                                  "tokenizer/merges.txt",
                                                  "tokenizer/tokenizer_config.json",
                                                  "tokenizer/special_tokens_map.json",
                                                  "NOTICE",
                                                  "manifest.json"};

static json_t *concept_json(const ink_painter_concept *c) {
  static const char *const FORMS[] = {"one", "plural", "mass"};
  json_t *english = json_array(), *chinese = json_array();
  for (int i = 0; i < c->n_english; i++) {
    json_array_append_new(
        english, json_pack("{s:s, s:s}", "name", c->english[i], "form", FORMS[c->forms[i]]));
  }
  for (int i = 0; i < c->n_chinese; i++) {
    json_array_append_new(chinese, json_string(c->chinese[i]));
  }
  json_t *item = json_pack("{s:s, s:o, s:o, s:s, s:b}", "key", c->drawings[0].code, "english",
                           english, "chinese", chinese, "measure", c->measure, "held_out", 0);
  struct {
    const char *name;
    bool is;
  } traits[] = {{"no_mirror", c->no_mirror},
                {"no_colour", c->no_colour},
                {"no_count", c->no_count},
                {"no_pair", c->no_pair},
                {"no_silhouette", c->no_silhouette}};
  for (size_t i = 0; i < sizeof traits / sizeof *traits; i++) {
    if (traits[i].is) json_object_set_new(item, traits[i].name, json_true());
  }
  json_object_set_new(item, "held_out",
                      json_boolean(ink_scene_key_is_held_out(c->drawings[0].code)));
  return item;
}

static ink_status concepts_output(const builder *b, ink_corpus_output *out, ink_error *error) {
  json_t *list = json_array();
  for (size_t i = 0; i < b->list.n_concept; i++) {
    json_array_append_new(list, concept_json(&b->list.concepts[i]));
  }
  return ink_corpus_output_json(json_pack("{s:s, s:i, s:o}", "format", "inkstone painter concepts",
                                          "version", INK_SPRITES_VERSION, "concepts", list),
                                out, error);
}

static void hex_to_bytes(const char *hex, uint8_t bytes[32]) {
  for (int i = 0; i < 32; i++) {
    unsigned value = 0;
    for (int k = 0; k < 2; k++) {
      char c = hex[2 * i + k];
      value = value * 16 + (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    bytes[i] = (uint8_t)value;
  }
}

static ink_status sprites_output(builder *b, const ink_corpus_output *concepts,
                                 ink_corpus_output *out, ink_error *error) {
  char sha256[INK_SHA256_HEX];
  INK_TRY(ink_sha256_of(concepts->bytes, concepts->size, sha256, error));
  ink_sprites_header header = {.version = INK_SPRITES_VERSION, .sprites = (uint32_t)b->n_sprite};
  size_t head = sizeof header + b->n_sprite * sizeof *b->records;
  memcpy(header.magic, INK_SPRITES_MAGIC, sizeof header.magic);
  hex_to_bytes(sha256, header.concepts_sha256);
  header.size = head + b->n_pixel;
  for (size_t i = 0; i < b->n_sprite; i++) b->records[i].offset += head;
  out->size = head + b->n_pixel;
  out->bytes = malloc(out->size);
  if (!out->bytes) return ink_fail(error, INK_ERR_MEMORY, "no memory for %s", out->name);
  uint8_t *to = out->bytes;
  memcpy(to, &header, sizeof header);
  memcpy(to + sizeof header, b->records, b->n_sprite * sizeof *b->records);
  memcpy(to + head, b->pixels, b->n_pixel);
  return INK_OK;
}

static ink_status notice_output(const builder *b, ink_corpus_output *out, ink_error *error) {
  ink_text text = {0};
  ink_text_add(&text,
               "These drawings and names were taken from the works below, cut out and put together "
               "by\n`inkstone train data pictures`. manifest.json names each file.\n");
  for (int i = 0; i < SOURCES; i++) {
    const source_state *state = &b->sources[i];
    if (!state->present) continue;
    const char *which = *state->commit ? state->commit : state->version;
    ink_text_format(&text, "\n%s %s\n%s\nTaken: %s. Licence: %s, below.\n", SOURCE[i].folder, which,
                    SOURCE[i].url, SOURCE[i].what, SOURCE[i].licence);
  }
  for (int i = 0; i < SOURCES; i++) {
    bool again = i == BLOB && strcmp(b->sources[BLOB].licence, b->sources[NOTO].licence) == 0;
    if (!b->sources[i].present || again) continue;
    ink_text_format(&text, "\n---- %s ----\n\n%s", SOURCE[i].folder, b->sources[i].licence);
    if (text.size && text.bytes[text.size - 1] != '\n') ink_text_add(&text, "\n");
  }
  return ink_corpus_output_text(&text, out, error);
}

static json_t *sources_json(const builder *b) {
  json_t *list = json_array();
  for (int i = 0; i < SOURCES; i++) {
    const source_state *state = &b->sources[i];
    if (!state->present) continue;
    json_t *item = json_pack("{s:s, s:s, s:s, s:s, s:s}", "folder", SOURCE[i].folder, "url",
                             SOURCE[i].url, "taken", SOURCE[i].what, "licence", SOURCE[i].licence,
                             "licence_sha256", state->licence_sha256);
    if (SOURCE[i].known_commit) {
      json_object_set_new(item, "commit",
                          *state->commit ? json_string(state->commit) : json_null());
      json_object_set_new(item, "examined_commit", json_string(SOURCE[i].known_commit));
      json_object_set_new(item, "drawings", json_integer(state->drawings));
    } else {
      json_object_set_new(item, "version", json_string(state->version));
    }
    json_array_append_new(list, item);
  }
  return list;
}

static ink_status manifest_output(const builder *b, ink_corpus_output *outputs, ink_error *error) {
  json_t *files = json_array(), *left_out = json_array(), *written;
  for (size_t i = 0; i < b->n_sprite; i++) {
    const file_record *file = &b->files[i];
    json_array_append_new(files, json_pack("{s:s, s:s, s:s, s:s}", "path", file->path, "sha256",
                                           file->sha256, "licence", SOURCE[file->source].licence,
                                           "concept", b->list.concepts[file->concept].english[0]));
  }
  for (size_t i = 0; i < b->list.n_left_out; i++) {
    json_array_append_new(left_out, json_pack("{s:s, s:s}", "code", b->list.left_out[i].code,
                                              "reason", b->list.left_out[i].reason));
  }
  ink_status status = ink_corpus_outputs_list(outputs, MANIFEST, &written, error);
  if (status != INK_OK) {
    json_decref(files);
    json_decref(left_out);
    return status;
  }
  int64_t held_out = 0;
  for (size_t i = 0; i < b->list.n_concept; i++) {
    held_out += ink_scene_key_is_held_out(b->list.concepts[i].drawings[0].code);
  }
  return ink_corpus_output_json(
      json_pack("{s:s, s:i, s:I, s:I, s:I, s:i, s:o, s:o, s:o, s:o}", "format",
                "inkstone painter data", "version", INK_SPRITES_VERSION, "concepts",
                (json_int_t)b->list.n_concept, "concepts_held_out", (json_int_t)held_out, "sprites",
                (json_int_t)b->n_sprite, "vocabulary", (int)b->vocabulary, "sources",
                sources_json(b), "files", files, "left_out", left_out, "outputs", written),
      &outputs[MANIFEST], error);
}

static ink_status constant_output(const char *text, ink_corpus_output *out, ink_error *error) {
  ink_text copy = {0};
  ink_text_add(&copy, text);
  return ink_corpus_output_text(&copy, out, error);
}

// The words of captions as they will be drawn, and those of all names.
static ink_status count_words(const builder *b, const ink_corpus_output *outputs,
                              ink_painter_words *words, ink_error *error) {
  for (size_t i = 0; i < b->list.n_concept; i++) {
    const ink_painter_concept *c = &b->list.concepts[i];
    for (int k = 0; k < c->n_english; k++) {
      INK_TRY(ink_painter_words_add(words, c->english[k], NAME_WEIGHT, error));
    }
    for (int k = 0; k < c->n_chinese; k++) {
      INK_TRY(ink_painter_words_add(words, c->chinese[k], NAME_WEIGHT, error));
    }
  }
  ink_sprites *sprites;
  INK_TRY(ink_sprites_read(outputs[CONCEPTS].bytes, outputs[CONCEPTS].size, outputs[CONCEPTS].name,
                           outputs[SPRITES].bytes, outputs[SPRITES].size, outputs[SPRITES].name,
                           &sprites, error));
  ink_status status = INK_OK;
  for (uint64_t i = 0; i < CAPTIONS && status == INK_OK; i++) {
    ink_scene_caption caption;
    status = ink_scene_draw(sprites, INK_SCENE_TRAIN, 0, i, 0, NULL, &caption, error);
    for (int k = 0; k < caption.n_text && status == INK_OK; k++) {
      status = ink_painter_words_add(words, caption.texts[k], 1, error);
    }
  }
  ink_sprites_close(sprites);
  return status;
}

static ink_status tokenizer_outputs(builder *b, ink_corpus_output *outputs, ink_error *error) {
  ink_painter_words words = {json_object()};
  ink_status status =
      words.counts ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for words");
  if (status == INK_OK) status = count_words(b, outputs, &words, error);
  if (status == INK_OK) {
    status = ink_painter_tokenizer(&words, VOCABULARY_SIZE, &outputs[VOCABULARY], &outputs[MERGES],
                                   &b->vocabulary, error);
  }
  json_decref(words.counts);
  if (status != INK_OK) return status;
  INK_TRY(
      constant_output("{\n"
                      "  \"add_prefix_space\": false,\n"
                      "  \"bos_token\": \"<|startoftext|>\",\n"
                      "  \"clean_up_tokenization_spaces\": true,\n"
                      "  \"do_lower_case\": true,\n"
                      "  \"eos_token\": \"<|endoftext|>\",\n"
                      "  \"errors\": \"replace\",\n"
                      "  \"model_max_length\": 32,\n"
                      "  \"pad_token\": \"<|endoftext|>\",\n"
                      "  \"tokenizer_class\": \"CLIPTokenizer\",\n"
                      "  \"unk_token\": \"<|endoftext|>\"\n"
                      "}\n",
                      &outputs[CONFIG], error));
  return constant_output(
      "{\n"
      "  \"bos_token\": \"<|startoftext|>\",\n"
      "  \"eos_token\": \"<|endoftext|>\",\n"
      "  \"pad_token\": \"<|endoftext|>\",\n"
      "  \"unk_token\": \"<|endoftext|>\"\n"
      "}\n",
      &outputs[SPECIAL], error);
}

static ink_status write_all(builder *b, const ink_progress *progress, ink_error *error) {
  ink_corpus_output outputs[OUTPUTS] = {0};
  for (int i = 0; i < OUTPUTS; i++) outputs[i].name = OUTPUT_NAMES[i];
  ink_status status = concepts_output(b, &outputs[CONCEPTS], error);
  if (status == INK_OK) status = sprites_output(b, &outputs[CONCEPTS], &outputs[SPRITES], error);
  if (status == INK_OK && !ink_progress_report(progress, 0, 0, "tokenizer")) {
    status = ink_fail(error, INK_ERR_CANCELLED, "stopped before the tokenizer");
  }
  if (status == INK_OK) status = tokenizer_outputs(b, outputs, error);
  if (status == INK_OK) status = notice_output(b, &outputs[NOTICE], error);
  if (status == INK_OK) status = manifest_output(b, outputs, error);
  if (status == INK_OK) status = ink_corpus_outputs_save(b->options->out, outputs, OUTPUTS, error);
  for (int i = 0; i < OUTPUTS; i++) free(outputs[i].bytes);
  return status;
}

static ink_status build(builder *b, const ink_progress *progress, ink_error *error) {
  for (int i = 0; i < SOURCES; i++) INK_TRY(open_source(b, i, error));
  INK_TRY(ink_painter_list_read(b->options->from, &b->list, error));
  INK_TRY(read_drawings(b, progress, error));
  return write_all(b, progress, error);
}

ink_status ink_painter_build(const ink_painter_options *options, const ink_progress *progress,
                             ink_error *error) {
  if (!options->from || !options->out) {
    return ink_fail(error, INK_ERR_USAGE, "data pictures needs --from DIR and --out DIR");
  }
  if (!ink_file_is_folder(options->from)) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s: no such folder", options->from);
  }
  builder b = {.options = options};
  ink_status status = build(&b, progress, error);
  builder_free(&b);
  return status;
}
