// Picture files: read as Pillow reads them, written so that they come back, words and all.
#include "base/json.h"
#include "picture/codec.h"
#include "picture/terminal.h"
#include "pictures.h"
#include "scratch.h"
#include "testing.h"
#include "weights/safetensors.h"

static const char *picture_path(const char *name) {
  char full[512];
  snprintf(full, sizeof full, "picture/%s", name);
  return fixture_path(full);
}

static void check_notes(const char *name, const json_t *notes, const ink_picture_extras *extras) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)notes, key, value) {
    if (strcmp(key, "(icc)") == 0) {
      assert_int_equal(extras->icc_size, json_integer_value(value));
      continue;
    }
    const char *text = ink_picture_note(extras, key);
    if (!text) fail_msg("%s: no note \"%s\"", name, key);
    assert_string_equal(text, json_string_value(value));
  }
}

static void pictures_are_read_as_pillow_reads_them(void **state) {
  (void)state;
  ink_error error = {0};
  json_t *list, *item;
  ink_safetensors *expected;
  size_t i;
  assert_ok(ink_json_load(picture_path("pictures.json"), 1 << 20, &list, &error));
  assert_ok(ink_safetensors_open(picture_path("expected.safetensors"), &expected, &error));
  assert_int_equal(json_array_size(list), 44);
  json_array_foreach(list, i, item) {
    const char *name = json_string_value(json_object_get(item, "file"));
    ink_picture picture;
    ink_picture_extras extras = {0};
    assert_ok(ink_picture_load(picture_path(name), NULL, &picture, &extras, &error));
    const ink_stored_tensor *t = ink_safetensors_find(expected, name);
    if (picture.height != t->shape[0] || picture.width != t->shape[1] ||
        picture.channels != t->shape[2]) {
      fail_msg("%s: %d x %d x %d", name, picture.height, picture.width, picture.channels);
    }
    int most = 0;
    for (size_t k = 0; k < ink_picture_bytes(&picture); k++) {
      int difference = abs(picture.pixels[k] - t->data[k]);
      most = difference > most ? difference : most;
    }
    if (most > json_integer_value(json_object_get(item, "tolerance"))) {
      fail_msg("%s: pixels differ by %d", name, most);
    }
    check_notes(name, json_object_get(item, "notes"), &extras);
    ink_picture_free(&picture);
    ink_picture_extras_free(&extras);
  }
  ink_safetensors_close(expected);
  json_decref(list);
}

// ---- writing ------------------------------------------------------------------------------------

static ink_picture gradient(int32_t width, int32_t height, int32_t channels) {
  ink_error error = {0};
  ink_picture p;
  assert_ok(ink_picture_new(width, height, channels, &p, &error));
  for (int32_t y = 0; y < height; y++) {
    for (int32_t x = 0; x < width; x++) {
      for (int32_t c = 0; c < channels; c++) {
        ink_picture_at(&p, x, y)[c] = (uint8_t)(x * 5 + y * 4 + c * 20);
      }
    }
  }
  return p;
}

static const char parameters[] =
    "a fox, (red:1.2)\nNegative prompt: blurry, 模糊 🦊\nSteps: 20, Sampler: Euler a, Seed: 42";

static ink_picture_extras some_extras(void) {
  ink_error error = {0};
  ink_picture_extras extras = {0};
  assert_ok(ink_picture_note_set(&extras, "parameters", parameters, &error));
  assert_ok(ink_picture_note_set(&extras, "prompt", "{\"1\": {\"class_type\": \"K\"}}", &error));
  assert_ok(ink_picture_note_set(&extras, "inkstone", "{\"seed\": 42, \"名\": \"狐\"}", &error));
  ink_picture profiled;
  ink_picture_extras of_it = {0};
  assert_ok(ink_picture_load(picture_path("png-icc.png"), NULL, &profiled, &of_it, &error));
  extras.icc = of_it.icc;
  extras.icc_size = of_it.icc_size;
  assert_true(extras.icc_size > 100);
  ink_picture_free(&profiled);
  return extras;
}

static void round_trip(ink_picture_format format, int32_t channels, bool lossless, int tolerance) {
  ink_error error = {0};
  ink_picture p = gradient(21, 13, channels), back;
  ink_picture_extras extras = some_extras(), found = {0};
  if (channels < 3) {
    free(extras.icc);  // a profile of RGB has no place in a grey PNG
    extras.icc = NULL;
    extras.icc_size = 0;
  }
  ink_picture_encoding encoding = {.quality = 95, .lossless = lossless, .extras = &extras};
  ink_text one = {0}, two = {0};
  assert_ok(ink_picture_encode(&p, format, &encoding, &one, &error));
  assert_ok(ink_picture_encode(&p, format, &encoding, &two, &error));
  assert_int_equal(one.size, two.size);
  assert_memory_equal(one.bytes, two.bytes, one.size);
  assert_ok(ink_picture_decode(one.bytes, one.size, "back", NULL, &back, &found, &error));
  assert_int_equal(back.width, p.width);
  assert_int_equal(back.height, p.height);
  bool widened = format == INK_PICTURE_WEBP && channels < 3;
  assert_int_equal(back.channels, widened ? channels + 2 : channels);
  for (size_t i = 0; i < ink_picture_bytes(&p) && !widened; i++) {
    assert_true(abs(back.pixels[i] - p.pixels[i]) <= tolerance);
  }
  for (size_t i = 0; i < extras.n_notes; i++) {
    const char *text = ink_picture_note(&found, extras.notes[i].key);
    assert_non_null(text);
    assert_string_equal(text, extras.notes[i].text);
  }
  assert_int_equal(found.icc_size, extras.icc_size);
  if (extras.icc_size) assert_memory_equal(found.icc, extras.icc, extras.icc_size);
  ink_text_free(&one);
  ink_text_free(&two);
  ink_picture_free(&p);
  ink_picture_free(&back);
  ink_picture_extras_free(&extras);
  ink_picture_extras_free(&found);
}

// The entries of an Exif block's first directory, big-endian: does one have this tag?
static bool has_tag(const unsigned char *tiff, int tag) {
  int n = tiff[8] << 8 | tiff[9];
  for (int i = 0; i < n; i++) {
    const unsigned char *entry = tiff + 10 + 12 * i;
    if ((entry[0] << 8 | entry[1]) == tag) return true;
  }
  return false;
}

// Readers that take Exif's Model (0x0110) for JSON fail on a graph there; ComfyUI's takes it from
// any string, as "prompt" or as "Prompt".
static void the_graph_stands_in_exif_s_make(void **state) {
  (void)state;
  static const ink_picture_format formats[] = {INK_PICTURE_JPEG, INK_PICTURE_WEBP};
  for (int i = 0; i < 2; i++) {
    ink_error error = {0};
    ink_picture p = gradient(8, 6, 3), back;
    ink_picture_extras extras = {0}, found = {0};
    ink_text file = {0};
    assert_ok(ink_picture_note_set(&extras, "prompt", "{\"1\":{}}", &error));
    ink_picture_encoding encoding = {.quality = 95, .extras = &extras};
    assert_ok(ink_picture_encode(&p, formats[i], &encoding, &file, &error));
    char *tiff = memmem(file.bytes, file.size, "MM\0*", 4),
         *graph = memmem(file.bytes, file.size, "Prompt:{\"1\":{}}", 15);
    assert_non_null(tiff);
    assert_non_null(graph);
    assert_true(has_tag((const unsigned char *)tiff, 0x010F));
    assert_false(has_tag((const unsigned char *)tiff, 0x0110));
    // As ComfyUI's own nodes write it, in Model and small.
    graph[0] = 'p';
    tiff[11] = 0x10;
    assert_ok(ink_picture_decode(file.bytes, file.size, "x", NULL, &back, &found, &error));
    assert_string_equal(ink_picture_note(&found, "prompt"), "{\"1\":{}}");
    ink_text_free(&file);
    ink_picture_free(&p);
    ink_picture_free(&back);
    ink_picture_extras_free(&extras);
    ink_picture_extras_free(&found);
  }
}

static void what_is_written_comes_back(void **state) {
  (void)state;
  for (int32_t channels = 1; channels <= 4; channels++) {
    round_trip(INK_PICTURE_PNG, channels, false, 0);
    round_trip(INK_PICTURE_WEBP, channels, true, 0);
  }
  round_trip(INK_PICTURE_JPEG, 1, false, 6);
  round_trip(INK_PICTURE_JPEG, 3, false, 12);
  round_trip(INK_PICTURE_WEBP, 3, false, 40);
}

static void a_file_is_of_its_ending(void **state) {
  (void)state;
  ink_error error = {0};
  char *folder = scratch_make();
  static const char *const names[] = {"a.png", "b.JPG", "c.jpeg", "d.webp"};
  ink_picture p = gradient(8, 6, 3), back;
  for (size_t i = 0; i < 4; i++) {
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    assert_ok(save_picture(&p, path, NULL, &error));
    assert_ok(ink_picture_load(path, NULL, &back, NULL, &error));
    assert_int_equal(back.width, 8);
    ink_picture_free(&back);
  }
  assert_int_equal(save_picture(&p, "x.gif", NULL, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "x.gif"));
  ink_picture_free(&p);
  scratch_remove(folder);
  free(folder);
}

static void what_a_format_cannot_hold_is_refused(void **state) {
  (void)state;
  ink_error error = {0};
  ink_text out = {0};
  ink_picture p = gradient(8, 6, 4);
  assert_int_equal(ink_picture_encode(&p, INK_PICTURE_JPEG, NULL, &out, &error),
                   INK_ERR_UNSUPPORTED);
  assert_non_null(strstr(error.text, "flatten"));
  ink_picture_free(&p);
  p = gradient(16384, 1, 3);
  assert_int_equal(ink_picture_encode(&p, INK_PICTURE_WEBP, NULL, &out, &error), INK_ERR_USAGE);
  ink_picture_encoding encoding = {.quality = 101};
  assert_int_equal(ink_picture_encode(&p, INK_PICTURE_PNG, &encoding, &out, &error), INK_ERR_USAGE);
  // Words beyond a JPEG's marker; PNG and WebP take them.
  ink_picture_free(&p);
  p = gradient(8, 6, 3);
  char *words = malloc(40001);
  memset(words, 'w', 40000);
  words[40000] = 0;
  ink_picture_extras extras = {0};
  assert_ok(ink_picture_note_set(&extras, "parameters", words, &error));
  encoding = (ink_picture_encoding){.extras = &extras};
  assert_int_equal(ink_picture_encode(&p, INK_PICTURE_JPEG, &encoding, &out, &error),
                   INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "choose PNG"));
  assert_ok(ink_picture_encode(&p, INK_PICTURE_PNG, &encoding, &out, &error));
  assert_ok(ink_picture_encode(&p, INK_PICTURE_WEBP, &encoding, &out, &error));
  ink_picture_extras_free(&extras);
  // The same of XMP.
  words = realloc(words, 65601);
  memset(words, 'w', 65600);
  words[65600] = 0;
  extras.xmp = words;
  error = (ink_error){0};
  assert_int_equal(ink_picture_encode(&p, INK_PICTURE_JPEG, &encoding, &out, &error),
                   INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "the XMP takes"));
  assert_ok(ink_picture_encode(&p, INK_PICTURE_PNG, &encoding, &out, &error));
  ink_text_free(&out);
  ink_picture_extras_free(&extras);
  ink_picture_free(&p);
}

static void assert_holds(const ink_text *file, const char *what, size_t size, bool held) {
  assert_int_equal(memmem(file->bytes, file->size, what, size) != NULL, held);
}

// What other readers rely on: ASCII in the chunk that all know, colour at full resolution where
// quality is asked for, and colours that nothing shows.
static void files_hold_what_readers_rely_on(void **state) {
  (void)state;
  ink_error error = {0};
  static const char *const texts[] = {"plain words", "模糊"};
  for (int i = 0; i < 2; i++) {
    ink_picture p = gradient(8, 6, 3);
    ink_picture_extras extras = {0};
    ink_text out = {0};
    assert_ok(ink_picture_note_set(&extras, "parameters", texts[i], &error));
    const ink_picture_encoding encoding = {.extras = &extras};
    assert_ok(ink_picture_encode(&p, INK_PICTURE_PNG, &encoding, &out, &error));
    assert_holds(&out, "tEXtparameters", 14, i == 0);
    assert_holds(&out, "iTXtparameters", 14, i == 1);
    ink_text_free(&out);
    ink_picture_extras_free(&extras);
    // The first of three components, which lies at every pixel or at every second one.
    assert_ok(ink_picture_encode(&p, INK_PICTURE_JPEG,
                                 &(ink_picture_encoding){.quality = i ? 90 : 89}, &out, &error));
    assert_holds(&out, "\3\1\x22", 3, i == 0);
    assert_holds(&out, "\3\1\x11", 3, i == 1);
    ink_text_free(&out);
    ink_picture_free(&p);
  }
  ink_picture p = gradient(8, 6, 4), back;
  ink_text out = {0};
  for (size_t i = 3; i < ink_picture_bytes(&p); i += 4) p.pixels[i] = i % 8 ? 255 : 0;
  for (size_t i = 3; i < ink_picture_bytes(&p) / 2; i += 4) p.pixels[i] = 0;
  assert_ok(ink_picture_encode(&p, INK_PICTURE_WEBP, &(ink_picture_encoding){.lossless = true},
                               &out, &error));
  assert_ok(ink_picture_decode(out.bytes, out.size, "x", NULL, &back, NULL, &error));
  assert_memory_equal(back.pixels, p.pixels, ink_picture_bytes(&p));
  ink_text_free(&out);
  ink_picture_free(&p);
  ink_picture_free(&back);
}

static void put32(char *at, size_t value) {
  for (int i = 0; i < 4; i++) at[i] = (char)(value >> 8 * i);
}

// Some writers put JPEG's header before a WebP's Exif; a moving picture is no picture.
static void webp_of_other_writers_is_read_or_refused(void **state) {
  (void)state;
  ink_error error = {0};
  ink_picture p = gradient(8, 6, 3), back;
  ink_picture_extras extras = {0}, found = {0};
  ink_text out = {0}, other = {0};
  assert_ok(ink_picture_note_set(&extras, "parameters", "words", &error));
  assert_ok(ink_picture_encode(&p, INK_PICTURE_WEBP, &(ink_picture_encoding){.extras = &extras},
                               &out, &error));
  const char *exif = memmem(out.bytes, out.size, "EXIF", 4);
  assert_non_null(exif);
  size_t at = (size_t)(exif - out.bytes) + 8;
  size_t size = (unsigned char)exif[4] | (size_t)(unsigned char)exif[5] << 8;
  ink_text_add_bytes(&other, out.bytes, at);
  ink_text_add_bytes(&other, "Exif\0\0", 6);
  ink_text_add_bytes(&other, out.bytes + at, out.size - at);
  put32(other.bytes + at - 4, size + 6);
  put32(other.bytes + 4, other.size - 8);
  assert_ok(ink_picture_decode(other.bytes, other.size, "x", NULL, &back, &found, &error));
  assert_string_equal(ink_picture_note(&found, "parameters"), "words");
  ink_picture_free(&back);
  ink_picture_extras_free(&found);
  static const char moving[] = "RIFF\x16\0\0\0WEBPVP8X\x0A\0\0\0\2\0\0\0\7\0\0\5\0\0";
  assert_int_equal(
      ink_picture_decode(moving, sizeof moving - 1, "x.webp", NULL, &back, NULL, &error),
      INK_ERR_UNSUPPORTED);
  assert_non_null(strstr(error.text, "animation"));
  ink_text_free(&out);
  ink_text_free(&other);
  ink_picture_extras_free(&extras);
  ink_picture_free(&p);
}

// A file may hold thousands; so many are kept.
static void notes_of_a_file_are_counted(void **state) {
  (void)state;
  ink_error error = {0};
  ink_picture p = gradient(8, 6, 3), back;
  ink_picture_extras extras = {0}, found = {0};
  ink_text out = {0};
  for (int i = 0; i < 70; i++) {
    char key[16];
    snprintf(key, sizeof key, "n%d", i);
    assert_ok(ink_picture_note_set(&extras, key, "x", &error));
  }
  assert_ok(ink_picture_encode(&p, INK_PICTURE_PNG, &(ink_picture_encoding){.extras = &extras},
                               &out, &error));
  assert_ok(ink_picture_decode(out.bytes, out.size, "x", NULL, &back, &found, &error));
  assert_int_equal(found.n_notes, 64);
  assert_non_null(ink_picture_note(&found, "n63"));
  ink_text_free(&out);
  ink_picture_free(&p);
  ink_picture_free(&back);
  ink_picture_extras_free(&extras);
  ink_picture_extras_free(&found);
}

static void notes_have_keys_and_utf8(void **state) {
  (void)state;
  ink_error error = {0};
  ink_picture_extras extras = {0};
  char longest[81];
  memset(longest, 'k', 80);
  longest[80] = 0;
  static const char *const bad[] = {"", " a", "a ", "a:b", "a\nb", "键"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(ink_picture_note_set(&extras, bad[i], "x", &error), INK_ERR_USAGE);
  }
  assert_int_equal(ink_picture_note_set(&extras, longest, "x", &error), INK_ERR_USAGE);
  assert_int_equal(ink_picture_note_set(&extras, "a", "\xff", &error), INK_ERR_USAGE);
  assert_ok(ink_picture_note_set(&extras, "a", "one", &error));
  assert_ok(ink_picture_note_set(&extras, "a", "two", &error));
  assert_int_equal(extras.n_notes, 1);
  assert_string_equal(ink_picture_note(&extras, "a"), "two");
  ink_picture_extras_free(&extras);
}

// ---- terminal -----------------------------------------------------------------------------------

static void the_terminal_is_spoken_to_in_its_protocol(void **state) {
  (void)state;
  static const struct {
    ink_terminal_graphics graphics;
    const char *begin;
  } protocols[] = {{INK_TERMINAL_SIXEL, "\x1bP"},
                   {INK_TERMINAL_KITTY, "\x1b_G"},
                   {INK_TERMINAL_ITERM, "\x1b]1337;"}};
  ink_error error = {0};
  ink_picture p = gradient(40, 20, 3);
  ink_terminal_size size = {.columns = 20, .rows = 20, .cell_width = 8, .cell_height = 16};
  int rows;
  for (size_t i = 0; i < 3; i++) {
    ink_text out = {0};
    assert_ok(ink_picture_to_terminal(&p, protocols[i].graphics, size, &out, &rows, &error));
    if (!strstr(out.bytes, protocols[i].begin)) fail_msg("protocol %d is not spoken", (int)i);
    ink_text_free(&out);
  }
  ink_text out = {0};
  assert_ok(ink_picture_to_terminal(&p, INK_TERMINAL_BLOCKS, size, &out, &rows, &error));
  int lines = 0;
  for (size_t i = 0; i < out.size; i++) lines += out.bytes[i] == '\n';
  assert_int_equal(rows, 5);  // 40 x 20 pixels on 20 columns of half-wide cells
  assert_int_equal(lines, rows);
  ink_text_free(&out);
  size.rows = 0;
  assert_int_equal(ink_picture_to_terminal(&p, INK_TERMINAL_BLOCKS, size, &out, &rows, &error),
                   INK_ERR_USAGE);
  ink_picture_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pictures_are_read_as_pillow_reads_them),
      cmocka_unit_test(what_is_written_comes_back),
      cmocka_unit_test(the_graph_stands_in_exif_s_make),
      cmocka_unit_test(a_file_is_of_its_ending),
      cmocka_unit_test(what_a_format_cannot_hold_is_refused),
      cmocka_unit_test(files_hold_what_readers_rely_on),
      cmocka_unit_test(webp_of_other_writers_is_read_or_refused),
      cmocka_unit_test(notes_of_a_file_are_counted),
      cmocka_unit_test(notes_have_keys_and_utf8),
      cmocka_unit_test(the_terminal_is_spoken_to_in_its_protocol),
  };
  return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
