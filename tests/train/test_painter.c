// The painter's data: what the builder takes and refuses, and that scenes are what their captions
// say, the same for everyone, and never what is held out.
#include <pthread.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "files.h"
#include "picture/codec.h"
#include "scratch.h"
#include "tokenizer/tokenizer.h"
#include "train/painter.h"
#include "train/scene.h"

// ---- a small source tree, drawn here ------------------------------------------------------------

typedef struct drawn {
  const char *code, *subgroup, *english, *chinese;
  uint8_t rgb[3];
} drawn;

// Real codes where a rule of the builder is wanted.
static const drawn DRAWN[] = {
    {"1F431", "animal-mammal", "cat face", "猫脸", {250, 170, 40}},
    {"1F408", "animal-mammal", "cat", "猫", {250, 170, 40}},
    {"1F98A", "animal-mammal", "fox", "狐狸", {240, 120, 30}},
    {"1F43B", "animal-mammal", "bear", "熊", {140, 90, 60}},
    {"1F418", "animal-mammal", "elephant", "大象", {150, 160, 165}},
    {"1F34E", "food-fruit", "red apple", "红苹果", {220, 40, 40}},
    {"1F34F", "food-fruit", "green apple", "青苹果", {90, 190, 60}},
    {"1F347", "food-fruit", "grapes", "葡萄", {140, 70, 190}},
    {"2B50", "sky-weather", "star", "星星", {250, 200, 50}},
    {"1F552", "time", "three o’clock", "三点", {120, 170, 200}},
    {"1F642", "face-smiling", "slightly smiling face", "呵呵", {250, 200, 50}},
    {"263A", "face-affection", "smiling face", "微笑", {250, 200, 50}},
    {"1F1E8-1F1F3", "country-flag", "flag", "旗", {220, 40, 40}},
    {"2764-FE0F", "heart", "red heart", "红心", {220, 40, 40}},
    {"1F499", "heart", "blue heart", "蓝心", {40, 100, 220}},
};
// Others, in made-up names, so that there is enough to hold something out.
enum { N_DRAWN = sizeof DRAWN / sizeof *DRAWN, N_MORE = 60 };
static const char *const SUBGROUPS[] = {"animal-mammal", "food-fruit",   "sky-weather",
                                        "time",          "face-smiling", "face-affection",
                                        "country-flag",  "heart",        "tool"};

// A disc with a dark rim, a white eye and a leg on the left, which mirroring moves.
static void save_disc(const char *path, int32_t side, const uint8_t rgb[3]) {
  ink_error error = {0};
  ink_picture picture = {0};
  assert_ok(ink_picture_new(side, side, 4, &picture, &error));
  for (int32_t y = 0; y < side; y++) {
    for (int32_t x = 0; x < side; x++) {
      int32_t dx = 2 * x + 1 - side, dy = 2 * y + 1 - side, d = dx * dx + dy * dy;
      int32_t r = side - 4, inner = r * 7 / 8;
      uint8_t *p = ink_picture_at(&picture, x, y);
      int32_t ex = dx - side / 4, ey = dy + side / 4;
      bool eye = ex * ex + ey * ey < side * side / 40;
      for (int c = 0; c < 3; c++) p[c] = d > inner * inner ? 20 : eye ? 255 : rgb[c];
      p[3] = d > r * r ? 0 : 255;
    }
  }
  ink_text file = {0};
  assert_ok(
      ink_picture_encode(&picture, INK_PICTURE_PNG, &(ink_picture_encoding){0}, &file, &error));
  assert_ok(ink_file_save(path, file.bytes, file.size, &error));
  ink_text_free(&file);
  ink_picture_free(&picture);
}

static void emoji_of(const char *code, char *out) {
  size_t used = 0;
  for (const char *at = code; *at;) {
    char *end;
    used += ink_utf8_encode((uint32_t)strtoul(at, &end, 16), out + used);
    at = *end == '-' ? end + 1 : end;
  }
  out[used] = 0;
}

static void file_name(const char *code, char *out) {
  size_t used = (size_t)sprintf(out, "emoji_u");
  for (const char *at = code; *at;) {
    size_t length = strcspn(at, "-");
    if (strncmp(at, "FE0F", 4) != 0) {
      if (used > 7) out[used++] = '_';
      for (size_t i = 0; i < length; i++) {
        out[used++] = (char)(at[i] >= 'A' && at[i] <= 'F' ? at[i] + 32 : at[i]);
      }
    }
    at += length + (at[length] == '-');
  }
  strcpy(out + used, ".png");
}

static void add_item(json_t *list, json_t *english, json_t *chinese, const char *folder,
                     const drawn *d) {
  char emoji[64], name[96], bare[64], path[512];
  int subgroup = 0;
  while (strcmp(SUBGROUPS[subgroup], d->subgroup) != 0) subgroup++;
  emoji_of(d->code, emoji);
  json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:i}", "hexcode", d->code, "emoji", emoji,
                                        "group", 0, "subgroup", subgroup));
  snprintf(bare, sizeof bare, "%s", emoji);
  char *selector = strstr(bare, "\xEF\xB8\x8F");
  if (selector) *selector = 0;
  json_object_set_new(english, bare, json_pack("{s:[s]}", "tts", d->english));
  json_object_set_new(chinese, bare, json_pack("{s:[s]}", "tts", d->chinese));
  file_name(d->code, name);
  snprintf(path, sizeof path, "noto-emoji/png/128/%s", name);
  save_disc(below(folder, path), 64, d->rgb);
  if (strcmp(d->code, "1F431") == 0 || strcmp(d->code, "1F98A") == 0) {
    snprintf(path, sizeof path, "blobmoji/png/128/%s", name);
    // The cat's drawing repeats, the fox's is another.
    uint8_t other[3] = {20, 200, 220};
    save_disc(below(folder, path), 60, d->code[4] == '1' ? d->rgb : other);
  }
}

static const char APACHE[] =
    "  Apache License\n  Version 2.0, January 2004\n http://www.apache.org/\n";

static void save_annotations(const char *folder, const char *language, json_t *items) {
  ink_error error = {0};
  char path[256];
  snprintf(path, sizeof path, "cldr-annotations-full/annotations/%s/annotations.json", language);
  json_t *value = json_pack("{s:{s:o}}", "annotations", "annotations", items);
  assert_ok(ink_json_save(below(folder, path), value, &error));
  json_decref(value);
}

static char *make_sources(void) {
  static const char *const FOLDERS[] = {"noto-emoji/png/128",
                                        "blobmoji/png/128",
                                        "serenity/Base/res/emoji",
                                        "cldr-annotations-full/annotations/en",
                                        "cldr-annotations-full/annotations/zh",
                                        "emojibase-data/en",
                                        "emojibase-data/meta"};
  ink_error error = {0};
  char *folder = scratch_make();
  assert_non_null(folder);
  for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++) {
    assert_ok(ink_folder_make(below(folder, FOLDERS[i]), &error));
  }
  write_text(below(folder, "noto-emoji/LICENSE"), APACHE);
  write_text(below(folder, "noto-emoji/COMMIT"), "d79d23e6822e0f6e5731b114cbfb26b2a4e380da\n");
  write_text(below(folder, "blobmoji/LICENSE"), APACHE);
  write_text(
      below(folder, "serenity/LICENSE"),
      "BSD 2-Clause License\nCopyright (c) the developers\nRedistributions in binary form\n");
  write_text(below(folder, "cldr-annotations-full/LICENSE"),
             "UNICODE LICENSE V3\nPermission is hereby granted\n");
  write_text(below(folder, "emojibase-data/LICENSE"),
             "MIT License\nPermission is hereby\ngranted\n");
  write_text(below(folder, "cldr-annotations-full/package.json"), "{\"version\": \"48.2.0\"}\n");
  write_text(below(folder, "emojibase-data/package.json"), "{\"version\": \"17.0.0\"}\n");

  json_t *groups = json_object(), *list = json_array(), *english = json_object(),
         *chinese = json_object();
  for (size_t i = 0; i < sizeof SUBGROUPS / sizeof *SUBGROUPS; i++) {
    char number[24];
    snprintf(number, sizeof number, "%zu", i);
    json_object_set_new(groups, number, json_string(SUBGROUPS[i]));
  }
  for (int i = 0; i < N_DRAWN; i++) add_item(list, english, chinese, folder, &DRAWN[i]);
  for (int i = 0; i < N_MORE; i++) {
    char code[16], name[32], chinese_name[32];
    // Private use: no rule of the builder knows them.
    snprintf(code, sizeof code, "%X", 0xF0000 + i);
    snprintf(name, sizeof name, "odd tool %c%c", 'a' + i / 26, 'a' + i % 26);
    snprintf(chinese_name, sizeof chinese_name, "怪工具");
    ink_utf8_encode((uint32_t)(0x4E00 + i), chinese_name + strlen(chinese_name));
    chinese_name[12] = 0;
    drawn d = {code, "tool", name, chinese_name, {(uint8_t)(60 + i), 200, 80}};
    add_item(list, english, chinese, folder, &d);
  }
  json_t *wrapped = json_pack("{s:o}", "subgroups", groups);
  assert_ok(ink_json_save(below(folder, "emojibase-data/meta/groups.json"), wrapped, &error));
  assert_ok(ink_json_save(below(folder, "emojibase-data/en/data.json"), list, &error));
  json_decref(wrapped);
  json_decref(list);
  save_annotations(folder, "en", english);
  save_annotations(folder, "zh", chinese);
  static const uint8_t PIXEL[3] = {250, 170, 40};
  save_disc(below(folder, "serenity/Base/res/emoji/U+1F408.png"), 10, PIXEL);
  return folder;
}

typedef struct fixture {
  char *sources, *folder;
  ink_sprites *sprites;
} fixture;

static void build_into(const char *from, const char *out) {
  ink_error error = {0};
  ink_painter_options options = {.from = from, .out = out, .least = 10};
  assert_ok(ink_painter_build(&options, NULL, &error));
}

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  ink_error error = {0};
  f->sources = make_sources();
  f->folder = scratch_make();
  build_into(f->sources, f->folder);
  assert_ok(ink_sprites_open(f->folder, &f->sprites, &error));
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  ink_sprites_close(f->sprites);
  scratch_remove(f->sources);
  scratch_remove(f->folder);
  free(f->sources);
  free(f->folder);
  free(f);
  return 0;
}

static ink_scene_caption caption_of(const ink_sprites *sprites, ink_scene_split split,
                                    uint64_t index) {
  ink_error error = {0};
  ink_scene_caption caption;
  assert_ok(ink_scene_draw(sprites, split, 3, index, 0, NULL, &caption, &error));
  return caption;
}

// ---- the builder --------------------------------------------------------------------------------

static const char *reason_of(const json_t *manifest, const char *code) {
  size_t i;
  json_t *item;
  json_array_foreach(json_object_get(manifest, "left_out"), i, item) {
    if (strcmp(json_string_value(json_object_get(item, "code")), code) == 0) {
      return json_string_value(json_object_get(item, "reason"));
    }
  }
  return "";
}

static void the_manifest_names_each_file_and_what_was_left_out(void **state) {
  fixture *f = *state;
  ink_error error = {0};
  json_t *manifest;
  assert_ok(ink_json_load(below(f->folder, "manifest.json"), 1 << 24, &manifest, &error));
  // 15 and 60 drawn: two cats are one, as are two apples and two hearts; two are left out.
  assert_int_equal(json_integer_value(json_object_get(manifest, "concepts")),
                   N_DRAWN - 3 - 2 + N_MORE);
  assert_int_equal(ink_sprites_concepts(f->sprites), N_DRAWN - 3 - 2 + N_MORE);
  assert_string_equal(reason_of(manifest, "263A"), "too like another face");
  assert_string_equal(reason_of(manifest, "1F1E8-1F1F3"), "subgroup country-flag");
  assert_string_equal(reason_of(manifest, "1F431"), "blobmoji repeats noto-emoji");
  const json_t *files = json_object_get(manifest, "files");
  // Plain ones, the fox's other style, the cat as pixel art.
  assert_int_equal(json_array_size(files), N_DRAWN - 2 + N_MORE + 1 + 1);
  size_t i;
  json_t *item;
  json_array_foreach(files, i, item) {
    const char *path = json_string_value(json_object_get(item, "path"));
    char sha256[INK_SHA256_HEX];
    assert_ok(ink_sha256_file(below(f->sources, path), sha256, &error));
    assert_string_equal(json_string_value(json_object_get(item, "sha256")), sha256);
    const char *licence = json_string_value(json_object_get(item, "licence"));
    assert_string_equal(licence, strncmp(path, "serenity", 8) == 0 ? "BSD-2-Clause" : "Apache-2.0");
  }
  const json_t *source = json_array_get(json_object_get(manifest, "sources"), 0);
  assert_string_equal(json_string_value(json_object_get(source, "commit")),
                      "d79d23e6822e0f6e5731b114cbfb26b2a4e380da");
  const json_t *outputs = json_object_get(manifest, "outputs");
  json_array_foreach(outputs, i, item) {
    char sha256[INK_SHA256_HEX];
    const char *name = json_string_value(json_object_get(item, "name"));
    assert_ok(ink_sha256_file(below(f->folder, name), sha256, &error));
    assert_string_equal(json_string_value(json_object_get(item, "sha256")), sha256);
  }
  json_decref(manifest);
}

static void the_notice_holds_every_licence(void **state) {
  fixture *f = *state;
  ink_error error = {0};
  char *text;
  size_t size;
  assert_ok(ink_file_read(below(f->folder, "NOTICE"), 1 << 20, &text, &size, &error));
  static const char *const EXPECTED[] = {"googlefonts/noto-emoji", "C1710/blobmoji",
                                         "Apache License",         "Redistributions in binary form",
                                         "UNICODE LICENSE V3",     "MIT License"};
  for (size_t i = 0; i < sizeof EXPECTED / sizeof *EXPECTED; i++) {
    if (!strstr(text, EXPECTED[i])) fail_msg("NOTICE lacks: %s", EXPECTED[i]);
  }
  free(text);
}

static void the_same_sources_give_the_same_bytes(void **state) {
  fixture *f = *state;
  static const char *const FILES[] = {"sprites.bin",   "concepts.json",
                                      "manifest.json", "tokenizer/vocab.json",
                                      "NOTICE",        "tokenizer/merges.txt"};
  ink_error error = {0};
  char *again = scratch_make();
  build_into(f->sources, again);
  for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
    char a[INK_SHA256_HEX], b[INK_SHA256_HEX];
    assert_ok(ink_sha256_file(below(f->folder, FILES[i]), a, &error));
    assert_ok(ink_sha256_file(below(again, FILES[i]), b, &error));
    assert_string_equal(a, b);
  }
  scratch_remove(again);
  free(again);
}

static void refuses(const char *from, ink_status expected, const char *words) {
  ink_error error = {0};
  char *out = scratch_make();
  ink_painter_options options = {.from = from, .out = out, .least = 10};
  assert_int_equal(ink_painter_build(&options, NULL, &error), expected);
  if (!strstr(error.text, words)) fail_msg("“%s” does not say “%s”", error.text, words);
  assert_int_equal(count_entries(out), 0);
  scratch_remove(out);
  free(out);
}

static void what_is_not_openly_licensed_or_not_whole_is_refused(void **state) {
  (void)state;
  ink_error error = {0};
  char *from = make_sources();
  refuses("/nowhere/at/all", INK_ERR_NOT_FOUND, "/nowhere/at/all");
  write_text(below(from, "blobmoji/LICENSE"), "All rights reserved.\n");
  refuses(from, INK_ERR_CONFLICT, "blobmoji/LICENSE");
  // The right words in another order are another licence.
  write_text(below(from, "blobmoji/LICENSE"), "Version 2.0, January 2004 Apache License");
  refuses(from, INK_ERR_CONFLICT, "blobmoji/LICENSE");
  write_text(below(from, "blobmoji/LICENSE"), APACHE);
  write_text(below(from, "noto-emoji/png/128/emoji_u1f98a.png"), "not a picture");
  refuses(from, INK_ERR_FORMAT, "emoji_u1f98a.png");
  static const uint8_t RED[3] = {220, 40, 40};
  save_disc(below(from, "noto-emoji/png/128/emoji_u1f98a.png"), 300, RED);
  refuses(from, INK_ERR_FORMAT, "emoji_u1f98a.png");
  save_disc(below(from, "noto-emoji/png/128/emoji_u1f98a.png"), 64, RED);
  write_text(below(from, "emojibase-data/en/data.json"), "[{\"subgroup\": 0}]");
  refuses(from, INK_ERR_FORMAT, "data.json");
  assert_ok(ink_folder_remove(below(from, "emojibase-data"), NULL, &error));
  refuses(from, INK_ERR_NOT_FOUND, "emojibase-data");
  scratch_remove(from);
  free(from);
}

static void too_few_drawings_are_told(void **state) {
  fixture *f = *state;
  ink_error error = {0};
  char *out = scratch_make();
  ink_painter_options options = {.from = f->sources, .out = out};
  assert_int_equal(ink_painter_build(&options, NULL, &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "at least 500"));
  assert_int_equal(count_entries(out), 0);
  scratch_remove(out);
  free(out);
}

static bool stop(void *context, int64_t done, int64_t total, const char *state) {
  (void)done;
  (void)total;
  return strcmp(state, context) != 0;
}

static void a_build_that_is_stopped_leaves_nothing(void **state) {
  fixture *f = *state;
  static char *const STATES[] = {"drawings", "tokenizer"};
  for (int i = 0; i < 2; i++) {
    ink_error error = {0};
    char *out = scratch_make();
    ink_painter_options options = {.from = f->sources, .out = out, .least = 10};
    ink_progress progress = {stop, STATES[i]};
    assert_int_equal(ink_painter_build(&options, &progress, &error), INK_ERR_CANCELLED);
    assert_int_equal(count_entries(out), 0);
    scratch_remove(out);
    free(out);
  }
}

// ---- the folder ---------------------------------------------------------------------------------

static void expect_not_opened(const char *folder, ink_status expected) {
  ink_error error = {0};
  ink_sprites *sprites;
  assert_int_equal(ink_sprites_open(folder, &sprites, &error), expected);
  assert_null(sprites);
  assert_true(error.text[0] != 0);
}

static void damaged_sprites_are_refused(void **state) {
  fixture *f = *state;
  ink_error error = {0};
  char *folder = scratch_make(), *names, *bytes;
  size_t names_size, size;
  expect_not_opened(folder, INK_ERR_NOT_FOUND);
  assert_ok(ink_file_read(below(f->folder, "concepts.json"), 1 << 24, &names, &names_size, &error));
  assert_ok(ink_file_read(below(f->folder, "sprites.bin"), 1 << 28, &bytes, &size, &error));
  assert_ok(ink_file_save(below(folder, "concepts.json"), names, names_size, &error));
  const char *path = below(folder, "sprites.bin");
  for (size_t cut = 0; cut < size; cut += size / 23 + 1) {
    assert_ok(ink_file_save(path, bytes, cut, &error));
    expect_not_opened(folder, INK_ERR_FORMAT);
  }
  // Each field of the first record: offset, concept, sides, style, colour, tone, level, hue.
  static const int FIELDS[] = {64 + 7,  64 + 8,  64 + 11, 64 + 13,
                               64 + 14, 64 + 15, 64 + 16, 64 + 19};
  for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
    char kept = bytes[FIELDS[i]];
    bytes[FIELDS[i]] = (char)0x7F;
    assert_ok(ink_file_save(path, bytes, size, &error));
    expect_not_opened(folder, INK_ERR_FORMAT);
    bytes[FIELDS[i]] = kept;
  }
  assert_ok(ink_file_save(path, bytes, size, &error));
  ink_sprites *whole;
  assert_ok(ink_sprites_open(folder, &whole, &error));
  ink_sprites_close(whole);
  names[names_size - 1] = ' ';  // still JSON, but not the one that belongs to them
  assert_ok(ink_file_save(below(folder, "concepts.json"), names, names_size, &error));
  expect_not_opened(folder, INK_ERR_CONFLICT);
  free(names);
  free(bytes);
  scratch_remove(folder);
  free(folder);
}

// ---- scenes -------------------------------------------------------------------------------------

// Of the scenes of hash_scenes, on every machine. Changes when anything in them does.
#define SCENES_SHA256 "1a0dfb1486965659ce46cb1a9440f589e41a041000fd243c9a875df8ae7e75b9"

enum { SIDE = 48, SCENES = 256 };

static void hash_scenes(const ink_sprites *sprites, int32_t side, char sha256[INK_SHA256_HEX]) {
  ink_error error = {0};
  ink_sha256 hash;
  assert_ok(ink_sha256_start(&hash, &error));
  uint8_t *pixels = malloc((size_t)side * (size_t)side * 3);
  for (uint64_t i = 0; i < SCENES; i++) {
    ink_scene_caption caption;
    ink_scene_split split = i % 4 ? INK_SCENE_TRAIN : INK_SCENE_HELD_OUT;
    assert_ok(ink_scene_draw(sprites, split, 11, i, side, pixels, &caption, &error));
    ink_sha256_add(&hash, pixels, (size_t)side * (size_t)side * 3);
    for (int k = 0; k < caption.n_text; k++) {
      ink_sha256_add(&hash, caption.texts[k], strlen(caption.texts[k]) + 1);
    }
  }
  free(pixels);
  ink_sha256_finish(&hash, sha256);
}

typedef struct job {
  const ink_sprites *sprites;
  char sha256[INK_SHA256_HEX];
} job;

static void *run_job(void *context) {
  job *j = context;
  hash_scenes(j->sprites, SIDE, j->sha256);
  return NULL;
}

static void equal_arguments_give_equal_bytes_on_any_thread_and_machine(void **state) {
  fixture *f = *state;
  job jobs[4] = {{f->sprites, ""}, {f->sprites, ""}, {f->sprites, ""}, {f->sprites, ""}};
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
  }
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < 4; i++) assert_string_equal(jobs[i].sha256, SCENES_SHA256);
}

static void a_picture_does_not_depend_on_whether_its_caption_is_asked_for(void **state) {
  fixture *f = *state;
  ink_error error = {0};
  uint8_t with[SIDE * SIDE * 3], without[SIDE * SIDE * 3];
  for (uint64_t i = 0; i < 100; i++) {
    ink_scene_caption caption, alone;
    assert_ok(ink_scene_draw(f->sprites, INK_SCENE_TRAIN, 3, i, SIDE, with, &caption, &error));
    assert_ok(ink_scene_draw(f->sprites, INK_SCENE_TRAIN, 3, i, SIDE, without, NULL, &error));
    assert_ok(ink_scene_draw(f->sprites, INK_SCENE_TRAIN, 3, i, 0, NULL, &alone, &error));
    assert_memory_equal(with, without, sizeof with);
    assert_memory_equal(&caption, &alone, sizeof caption);
  }
  assert_int_equal(ink_scene_draw(f->sprites, INK_SCENE_TRAIN, 3, 0, 15, with, NULL, &error),
                   INK_ERR_USAGE);
  assert_int_equal(ink_scene_draw(f->sprites, INK_SCENE_TRAIN, 3, 0, 513, with, NULL, &error),
                   INK_ERR_USAGE);
}

// What a side of the split has drawn: concepts, colours of each, pairs.
typedef struct seen {
  bool concepts[128], colours[128][INK_SCENE_COLOURS], pairs[128][128];
} seen;

static void note_scene(seen *s, const ink_scene_caption *c) {
  for (int i = 0; i < c->n_object; i++) {
    s->concepts[c->objects[i].concept] = true;
    if (c->style != INK_STYLE_SILHOUETTE) {
      s->colours[c->objects[i].concept][c->objects[i].colour] = true;
    }
  }
  if (c->n_object == 2) {
    s->pairs[c->objects[0].concept][c->objects[1].concept] = true;
    s->pairs[c->objects[1].concept][c->objects[0].concept] = true;
  }
}

static void what_is_held_out_is_never_drawn_for_training(void **state) {
  fixture *f = *state;
  seen *train = calloc(1, sizeof *train);
  int novelties[4] = {0};
  for (uint64_t i = 0; i < 60000; i++) {
    ink_scene_caption c = caption_of(f->sprites, INK_SCENE_TRAIN, i);
    assert_int_equal(c.novelty, INK_NOVEL_NOTHING);
    note_scene(train, &c);
  }
  for (uint64_t i = 0; i < 6000; i++) {
    ink_scene_caption c = caption_of(f->sprites, INK_SCENE_HELD_OUT, i);
    novelties[c.novelty]++;
    int32_t a = c.objects[0].concept, b = c.objects[c.n_object - 1].concept;
    if (c.novelty == INK_NOVEL_CONCEPT) {
      assert_true(ink_sprites_held_out(f->sprites, a));
      assert_false(train->concepts[a]);
    } else {
      // Composition is judged with parts that training has shown.
      assert_true(train->concepts[a] && train->concepts[b]);
      if (c.novelty == INK_NOVEL_COLOUR) assert_false(train->colours[a][c.objects[0].colour]);
      if (c.novelty == INK_NOVEL_PAIR) assert_false(train->pairs[a][b]);
    }
  }
  assert_int_equal(novelties[INK_NOVEL_NOTHING], 0);
  for (int i = 1; i < 4; i++) assert_in_range(novelties[i], 1500, 2500);
  free(train);
}

static void only_chosen_concepts_are_drawn(void **state) {
  fixture *f = *state;
  ink_error error = {0};
  const char *held_out = NULL, *chosen[3] = {0};
  size_t n = 0;
  for (int32_t i = ink_sprites_concepts(f->sprites) - 1; i >= 0; i--) {
    const char *name = ink_sprites_english(f->sprites, i);
    if (ink_sprites_held_out(f->sprites, i)) {
      held_out = name;
    } else if (n < 2) {
      chosen[n++] = name;
    }
  }
  assert_int_equal(n, 2);
  assert_non_null(held_out);
  chosen[2] = chosen[0];  // once more
  ink_sprites *sprites;
  assert_ok(ink_sprites_open(f->folder, &sprites, &error));
  assert_ok(ink_sprites_choose(sprites, chosen, 3, &error));
  bool met[2] = {false};
  for (uint64_t i = 0; i < 2000; i++) {
    ink_scene_caption c = caption_of(sprites, INK_SCENE_TRAIN, i);
    for (int k = 0; k < c.n_object; k++) {
      const char *name = ink_sprites_english(sprites, c.objects[k].concept);
      assert_true(strcmp(name, chosen[0]) == 0 || strcmp(name, chosen[1]) == 0);
      met[strcmp(name, chosen[1]) == 0] = true;
    }
  }
  assert_true(met[0] && met[1]);
  assert_ok(ink_sprites_choose(sprites, NULL, 0, &error));
  bool another = false;
  for (uint64_t i = 0; i < 100; i++) {
    const char *name =
        ink_sprites_english(sprites, caption_of(sprites, INK_SCENE_TRAIN, i).objects[0].concept);
    another = another || (strcmp(name, chosen[0]) != 0 && strcmp(name, chosen[1]) != 0);
  }
  assert_true(another);
  assert_int_equal(ink_sprites_choose(sprites, (const char *const[]){"sonnet"}, 1, &error),
                   INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "sonnet"));
  assert_int_equal(ink_sprites_choose(sprites, &held_out, 1, &error), INK_ERR_CONFLICT);
  ink_sprites_close(sprites);
}

// Rows and columns that a scene's object covers on white.
static void extent_of(const ink_sprites *sprites, uint64_t index, int extent[4]) {
  enum { EDGE = 128 };
  static uint8_t pixels[EDGE * EDGE * 3];
  ink_error error = {0};
  assert_ok(ink_scene_draw(sprites, INK_SCENE_TRAIN, 1, index, EDGE, pixels, NULL, &error));
  memcpy(extent, (int[]){EDGE, EDGE, -1, -1}, 4 * sizeof *extent);
  for (int i = 0; i < EDGE * EDGE; i++) {
    int x = i % EDGE, y = i / EDGE;
    if (pixels[i * 3] == 255 && pixels[i * 3 + 1] == 255 && pixels[i * 3 + 2] == 255) continue;
    extent[0] = x < extent[0] ? x : extent[0];
    extent[1] = y < extent[1] ? y : extent[1];
    extent[2] = x > extent[2] ? x : extent[2];
    extent[3] = y > extent[3] ? y : extent[3];
  }
}

static void without_freedom_things_stand_in_the_middle(void **state) {
  fixture *f = *state;
  ink_error error = {0};
  ink_sprites *sprites;
  assert_ok(ink_sprites_open(f->folder, &sprites, &error));
  int moved = 0, n = 0;
  for (uint64_t i = 0; i < 400; i++) {
    ink_scene_caption free_caption = caption_of(sprites, INK_SCENE_TRAIN, i);
    if (free_caption.kind != INK_SCENE_ONE || free_caption.background != INK_COLOUR_NONE) continue;
    int was[4], is[4];
    extent_of(sprites, i, was);
    ink_sprites_set_freedom(sprites, 0);
    ink_scene_caption held = caption_of(sprites, INK_SCENE_TRAIN, i);
    extent_of(sprites, i, is);
    ink_sprites_set_freedom(sprites, 1);
    assert_string_equal(held.texts[0], free_caption.texts[0]);
    // The middle of the drawing, to a pixel for rounding at either edge.
    assert_in_range(is[0] + is[2], 124, 130);
    assert_in_range(is[1] + is[3], 124, 130);
    moved += abs(was[0] + was[2] - 127) > 3 || abs(was[1] + was[3] - 127) > 3;
    n++;
  }
  assert_true(n > 50);
  assert_true(moved > n / 2);
  ink_sprites_close(sprites);
}

static void every_concept_comes_equally_often_and_kinds_in_their_shares(void **state) {
  fixture *f = *state;
  enum { N = 40000 };
  static const double SHARES[INK_SCENE_KINDS] = {0.42, 0.19, 0.22, 0.09, 0.08};
  int kinds[INK_SCENE_KINDS] = {0}, plain[128] = {0}, n_train = 0;
  for (uint64_t i = 0; i < N; i++) {
    ink_scene_caption c = caption_of(f->sprites, INK_SCENE_TRAIN, i);
    kinds[c.kind]++;
    if (c.kind == INK_SCENE_ONE) plain[c.objects[0].concept]++;
  }
  for (int k = 0; k < INK_SCENE_KINDS; k++) {
    double share = (double)kinds[k] / N;
    if (share < SHARES[k] - 0.01 || share > SHARES[k] + 0.01) fail_msg("kind %d: %.3f", k, share);
  }
  int32_t n = ink_sprites_concepts(f->sprites);
  for (int32_t i = 0; i < n; i++) n_train += !ink_sprites_held_out(f->sprites, i);
  for (int32_t i = 0; i < n; i++) {
    if (ink_sprites_held_out(f->sprites, i)) continue;
    double expected = (double)kinds[INK_SCENE_ONE] / n_train;
    if (plain[i] < expected * 0.7 || plain[i] > expected * 1.3) {
      fail_msg("%s: %d, %.0f expected", ink_sprites_english(f->sprites, i), plain[i], expected);
    }
  }
}

static bool is_ground(const uint8_t *p, const uint8_t ground[3]) {
  return abs(p[0] - ground[0]) + abs(p[1] - ground[1]) + abs(p[2] - ground[2]) < 24;
}

// Parts of the picture that hang together and differ from its corner.
static int count_parts(const uint8_t *pixels, int32_t side) {
  uint8_t *left = calloc((size_t)side * (size_t)side, 1);
  int32_t *stack = malloc((size_t)side * (size_t)side * sizeof *stack);
  int n = 0;
  for (int32_t i = 0; i < side * side; i++) left[i] = !is_ground(pixels + (size_t)i * 3, pixels);
  for (int32_t i = 0; i < side * side; i++) {
    if (!left[i]) continue;
    int32_t top = 0, area = 0;
    left[i] = 0;
    stack[top++] = i;
    while (top) {
      int32_t at = stack[--top], x = at % side, y = at / side;
      area++;
      const int32_t next[4] = {x ? at - 1 : -1, x + 1 < side ? at + 1 : -1, y ? at - side : -1,
                               y + 1 < side ? at + side : -1};
      for (int k = 0; k < 4; k++) {
        if (next[k] < 0 || !left[next[k]]) continue;
        left[next[k]] = 0;
        stack[top++] = next[k];
      }
    }
    n += area > side * side / 400;
  }
  free(left);
  free(stack);
  return n;
}

static void there_are_as_many_objects_as_the_caption_says(void **state) {
  fixture *f = *state;
  ink_error error = {0};
  enum { WIDE = 128 };
  uint8_t *pixels = malloc(WIDE * WIDE * 3);
  int checked[5] = {0};
  for (uint64_t i = 0; i < 3000; i++) {
    ink_scene_caption c = caption_of(f->sprites, INK_SCENE_TRAIN, i);
    if (c.style == INK_STYLE_OUTLINE) continue;
    assert_ok(ink_scene_draw(f->sprites, INK_SCENE_TRAIN, 3, i, WIDE, pixels, NULL, &error));
    int expected = c.kind == INK_SCENE_TWO ? 2 : c.count, got = count_parts(pixels, WIDE);
    if (got != expected) fail_msg("scene %d: %d parts: %s", (int)i, got, c.texts[0]);
    checked[expected]++;
  }
  free(pixels);
  for (int n = 1; n <= 4; n++) assert_true(checked[n] > 20);
}

// Mean colour of what is neither background, rim nor eye.
static void mean_colour(const uint8_t *pixels, int32_t side, int32_t from_x, int32_t to_x,
                        double mean[3]) {
  double sum[3] = {0}, n = 0;
  for (int32_t y = 0; y < side; y++) {
    for (int32_t x = from_x; x < to_x; x++) {
      const uint8_t *p = pixels + ((size_t)y * (size_t)side + (size_t)x) * 3;
      if (is_ground(p, pixels) || p[0] + p[1] + p[2] < 90 || p[0] + p[1] + p[2] > 740) continue;
      for (int c = 0; c < 3; c++) sum[c] += p[c];
      n++;
    }
  }
  for (int c = 0; c < 3; c++) mean[c] = n > 0 ? sum[c] / n : 0;
}

static ink_scene_colour nearest_colour(const double mean[3]) {
  static const uint8_t PAINT[INK_SCENE_COLOURS][3] = {
      {0},           {218, 38, 38},  {246, 132, 24},  {250, 205, 36},
      {58, 168, 66}, {44, 110, 224}, {136, 68, 192},  {248, 134, 182},
      {132, 80, 42}, {46, 46, 50},   {238, 239, 242}, {142, 144, 150}};
  int best = 0;
  double least = 1e9;
  for (int i = 1; i < INK_SCENE_COLOURS; i++) {
    double d = 0;
    for (int c = 0; c < 3; c++) d += (mean[c] - PAINT[i][c]) * (mean[c] - PAINT[i][c]);
    if (d < least) {
      least = d;
      best = i;
    }
  }
  return (ink_scene_colour)best;
}

static void objects_have_the_colours_that_the_caption_names_from_left_to_right(void **state) {
  fixture *f = *state;
  ink_error error = {0};
  enum { WIDE = 128 };
  uint8_t *pixels = malloc(WIDE * WIDE * 3);
  int checked = 0, wrong = 0, pairs = 0;
  for (uint64_t i = 0; i < 6000; i++) {
    ink_scene_caption c = caption_of(f->sprites, INK_SCENE_TRAIN, i);
    if (c.style != INK_STYLE_PLAIN || c.background) continue;
    assert_ok(ink_scene_draw(f->sprites, INK_SCENE_TRAIN, 3, i, WIDE, pixels, NULL, &error));
    for (int k = 0; k < c.n_object; k++) {
      // White and black meet the rims and grounds that are not counted.
      ink_scene_colour colour = c.objects[k].colour;
      if (!colour || colour == INK_COLOUR_WHITE || colour == INK_COLOUR_BLACK) continue;
      double mean[3];
      int32_t from = c.n_object == 2 ? k * WIDE / 2 : 0;
      mean_colour(pixels, WIDE, from, c.n_object == 2 ? from + WIDE / 2 : WIDE, mean);
      checked++;
      pairs += c.n_object == 2;
      wrong += nearest_colour(mean) != colour;
    }
  }
  free(pixels);
  assert_true(checked > 500 && pairs > 100);
  // Discs of made-up greens and the like: natural colours need not be those of the palette.
  if (wrong * 50 > checked) fail_msg("%d of %d have another colour", wrong, checked);
}

// ---- captions -----------------------------------------------------------------------------------

static bool is_drawn_as(const ink_sprites *sprites, const char *text) {
  for (uint64_t i = 0; i < 120000; i++) {
    ink_scene_caption c = caption_of(sprites, INK_SCENE_TRAIN, i);
    for (int k = 0; k < c.n_text; k++) {
      if (strcmp(c.texts[k], text) == 0) return true;
    }
  }
  return false;
}

static void common_wishes_are_among_the_captions(void **state) {
  fixture *f = *state;
  static const char *const WISHES[] = {"a cat",        "一只猫",
                                       "a blue cat",   "一只红色的狐狸",
                                       "an elephant",  "an orange bear",
                                       "three apples", "三个苹果",
                                       "grapes",       "一串葡萄",
                                       "a red apple",  "a cat on a blue background",
                                       "画一只狐狸",   "红狐狸",

                                       "猫的剪影",     "pixel art of a cat",
                                       "2只狐狸",      "a picture of a fox"};
  for (size_t i = 0; i < sizeof WISHES / sizeof *WISHES; i++) {
    if (!is_drawn_as(f->sprites, WISHES[i])) fail_msg("never drawn: %s", WISHES[i]);
  }
}

static void two_objects_are_named_from_left_to_right(void **state) {
  fixture *f = *state;
  int checked = 0, joined = 0, sided = 0;
  for (uint64_t i = 0; i < 20000; i++) {
    ink_scene_caption c = caption_of(f->sprites, INK_SCENE_TRAIN, i);
    if (c.kind != INK_SCENE_TWO) continue;
    for (int k = 0; k < c.n_text; k++) {
      bool english = ink_utf8_length(c.texts[k], strlen(c.texts[k])) == strlen(c.texts[k]);
      const char *(*name_of)(const ink_sprites *, int32_t) =
          english ? ink_sprites_english : ink_sprites_chinese;
      const char *left = strstr(c.texts[k], name_of(f->sprites, c.objects[0].concept));
      const char *right = strstr(c.texts[k], name_of(f->sprites, c.objects[1].concept));
      if (!left || !right) continue;  // by another name
      bool turned = strstr(c.texts[k], " to the right of ") || strstr(c.texts[k], "的右边");
      if ((left < right) == turned) fail_msg("in the wrong order: %s", c.texts[k]);
      checked++;
      joined += strstr(c.texts[k], english ? " and " : "和") != NULL;
      sided += turned || strstr(c.texts[k], english ? " to the left of " : "左边") != NULL;
    }
  }
  assert_true(checked > 5000 && joined * 2 > checked && sided * 20 > checked);
}

static void texts_are_whole_distinct_and_in_both_languages(void **state) {
  fixture *f = *state;
  int64_t english = 0, chinese = 0;
  for (uint64_t i = 0; i < 20000; i++) {
    ink_scene_caption c = caption_of(f->sprites, i % 2 ? INK_SCENE_TRAIN : INK_SCENE_HELD_OUT, i);
    assert_in_range(c.n_text, 3, INK_SCENE_TEXTS);
    bool has[2] = {false, false};
    for (int k = 0; k < c.n_text; k++) {
      size_t size = strlen(c.texts[k]);
      assert_in_range(size, 1, INK_SCENE_TEXT_BYTES - 1);
      assert_true(ink_utf8_valid(c.texts[k], size, NULL));
      assert_null(strstr(c.texts[k], "  "));
      assert_true(c.texts[k][0] != ' ' && c.texts[k][size - 1] != ' ');
      bool is_chinese = ink_utf8_length(c.texts[k], size) < size;
      has[is_chinese] = true;
      *(is_chinese ? &chinese : &english) += 1;
      for (int m = 0; m < k; m++) assert_string_not_equal(c.texts[k], c.texts[m]);
    }
    assert_true(has[0] && has[1]);
  }
  assert_true(english * 10 > (english + chinese) * 4 && chinese * 10 > (english + chinese) * 4);
}

// ---- the tokenizer ------------------------------------------------------------------------------

static void characters_are_one_token_and_texts_come_back(void **state) {
  fixture *f = *state;
  ink_error error = {0};
  ink_tokenizer *tokenizer;
  assert_ok(ink_tokenizer_open(below(f->folder, "tokenizer"), &tokenizer, &error));
  static const struct {
    const char *text;
    size_t tokens;
  } CASES[] = {{"猫", 1},  {"一只红色的狐狸", 7}, {"一颗星星", 4},
               {"cat", 1}, {"a star", 2},         {"红", 1},
               {"，", 1}};
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    int32_t *ids;
    size_t n;
    assert_ok(ink_tokenizer_encode(tokenizer, CASES[i].text, strlen(CASES[i].text),
                                   INK_ENCODE_PLAIN, &ids, &n, &error));
    if (n != CASES[i].tokens) fail_msg("%s: %zu tokens", CASES[i].text, n);
    free(ids);
  }
  assert_int_equal(ink_tokenizer_eos(tokenizer), (int32_t)ink_tokenizer_size(tokenizer) - 1);
  assert_int_equal(ink_tokenizer_bos(tokenizer), (int32_t)ink_tokenizer_size(tokenizer) - 2);
  ink_tokenizer_free(tokenizer);
}

static void captions_fit_a_context_of_32(void **state) {
  fixture *f = *state;
  ink_error error = {0};
  ink_tokenizer *tokenizer;
  assert_ok(ink_tokenizer_open(below(f->folder, "tokenizer"), &tokenizer, &error));
  for (uint64_t i = 0; i < 4000; i++) {
    ink_scene_caption c = caption_of(f->sprites, INK_SCENE_TRAIN, i);
    for (int k = 0; k < c.n_text; k++) {
      int32_t *ids;
      size_t n;
      assert_ok(ink_tokenizer_encode(tokenizer, c.texts[k], strlen(c.texts[k]), INK_ENCODE_AFFIX,
                                     &ids, &n, &error));
      if (n > 32) fail_msg("%zu tokens: %s", n, c.texts[k]);
      free(ids);
    }
  }
  ink_tokenizer_free(tokenizer);
}

// tests/reference/make_painter_tokenizer.py wrote what transformers' CLIPTokenizer gives.
static void ids_equal_those_of_transformers(void **state) {
  (void)state;
  ink_error error = {0};
  ink_tokenizer *tokenizer;
  json_t *expected;
  assert_ok(ink_tokenizer_open(fixture_path("train/painter-tokenizer"), &tokenizer, &error));
  assert_ok(ink_json_load(fixture_path("train/painter-tokenizer/expected.json"), 1 << 24, &expected,
                          &error));
  size_t i;
  json_t *item;
  assert_true(json_array_size(expected) > 100);
  json_array_foreach(expected, i, item) {
    const char *text = json_string_value(json_object_get(item, "text"));
    const json_t *want = json_object_get(item, "ids");
    int32_t *ids;
    size_t n;
    assert_ok(
        ink_tokenizer_encode(tokenizer, text, strlen(text), INK_ENCODE_AFFIX, &ids, &n, &error));
    bool equal = n == json_array_size(want);
    for (size_t k = 0; k < n && equal; k++) {
      equal = ids[k] == (int32_t)json_integer_value(json_array_get(want, k));
    }
    if (!equal) fail_msg("other ids: %s", text);
    free(ids);
  }
  json_decref(expected);
  ink_tokenizer_free(tokenizer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_manifest_names_each_file_and_what_was_left_out),
      cmocka_unit_test(the_notice_holds_every_licence),
      cmocka_unit_test(the_same_sources_give_the_same_bytes),
      cmocka_unit_test(what_is_not_openly_licensed_or_not_whole_is_refused),
      cmocka_unit_test(too_few_drawings_are_told),
      cmocka_unit_test(a_build_that_is_stopped_leaves_nothing),
      cmocka_unit_test(damaged_sprites_are_refused),
      cmocka_unit_test(equal_arguments_give_equal_bytes_on_any_thread_and_machine),
      cmocka_unit_test(a_picture_does_not_depend_on_whether_its_caption_is_asked_for),
      cmocka_unit_test(what_is_held_out_is_never_drawn_for_training),
      cmocka_unit_test(only_chosen_concepts_are_drawn),
      cmocka_unit_test(without_freedom_things_stand_in_the_middle),
      cmocka_unit_test(every_concept_comes_equally_often_and_kinds_in_their_shares),
      cmocka_unit_test(there_are_as_many_objects_as_the_caption_says),
      cmocka_unit_test(objects_have_the_colours_that_the_caption_names_from_left_to_right),
      cmocka_unit_test(common_wishes_are_among_the_captions),
      cmocka_unit_test(two_objects_are_named_from_left_to_right),
      cmocka_unit_test(texts_are_whole_distinct_and_in_both_languages),
      cmocka_unit_test(characters_are_one_token_and_texts_come_back),
      cmocka_unit_test(captions_fit_a_context_of_32),
      cmocka_unit_test(ids_equal_those_of_transformers),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
