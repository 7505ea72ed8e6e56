// Picture files that lie or end early: errors that name the file, with no more memory asked for
// than the limits allow.
#include <dirent.h>

#include "files.h"
#include "picture/codec.h"
#include "requests.h"

static const ink_picture_limits limits = {.most_side = 1024, .most_pixels = 1 << 18};

static ink_status decode(const char *bytes, size_t size, ink_error *error) {
  unsigned char *copy = exact_copy(bytes, size);
  ink_picture picture;
  ink_picture_extras extras = {0};
  clear_requests();
  ink_status status = ink_picture_decode(copy, size, "a.png", &limits, &picture, &extras, error);
  assert_true(largest_request <= (size_t)limits.most_pixels * 4 + (1 << 16));
  if (status != INK_OK) {
    assert_null(picture.pixels);
    assert_int_equal(extras.n_notes, 0);
    if (!strstr(error->text, "a.png")) fail_msg("\"%s\" does not name the file", error->text);
  }
  ink_picture_free(&picture);
  ink_picture_extras_free(&extras);
  free(copy);
  return status;
}

typedef void (*visitor)(const char *name, const char *bytes, size_t size);

static int each_file(const char *folder, visitor visit) {
  struct dirent **items = NULL;
  int n = scandir(fixture_path(folder), &items, NULL, alphasort), seen = 0;
  for (int i = 0; i < n; i++) {
    const char *name = items[i]->d_name;
    const char *dot = strrchr(name, '.');
    bool picture =
        dot && name[0] != '.' &&
        (strcmp(dot, ".png") == 0 || strcmp(dot, ".jpg") == 0 || strcmp(dot, ".webp") == 0);
    char path[512];
    ink_error error = {0};
    char *bytes;
    size_t size;
    if (picture) {
      snprintf(path, sizeof path, "%s/%s", folder, name);
      assert_ok(ink_file_read(fixture_path(path), 1 << 20, &bytes, &size, &error));
      visit(name, bytes, size);
      free(bytes);
      seen++;
    }
    free(items[i]);
  }
  free(items);
  return seen;
}

static void must_fail(const char *name, const char *bytes, size_t size) {
  ink_error error = {0};
  if (decode(bytes, size, &error) == INK_OK) fail_msg("%s was read", name);
  print_message("# %-24s %s\n", name, error.text);
}

static void lies_are_refused(void **state) {
  (void)state;
  assert_int_equal(each_file("picture/hostile", must_fail), 23);
}

static void must_be_read(const char *name, const char *bytes, size_t size) {
  ink_error error = {0};
  if (decode(bytes, size, &error) != INK_OK) fail_msg("%s: %s", name, error.text);
}

static void words_out_of_order_do_not_cost_the_picture(void **state) {
  (void)state;
  assert_int_equal(each_file("picture/crooked", must_be_read), 7);
}

// Where the last byte of the pixels lies: what follows is closing matter that a reader may forgive.
static size_t pixels_end(const char *name, size_t size) {
  if (strstr(name, ".png")) return size - 1;  // the last byte of IEND's checksum counts
  if (strstr(name, ".jpg")) return size - 3;  // the end marker and one byte of padding
  return size - 1;
}

static void must_fail_when_cut(const char *name, const char *bytes, size_t size) {
  size_t step = size > 400 ? size / 200 : 1;
  for (size_t cut = 0; cut < pixels_end(name, size); cut += step) {
    ink_error error = {0};
    if (decode(bytes, cut, &error) == INK_OK) fail_msg("%s cut at %zu was read", name, cut);
  }
}

static void files_that_end_early_are_refused(void **state) {
  (void)state;
  assert_int_equal(each_file("picture", must_fail_when_cut), 44);
}

static void must_not_fall_over(const char *name, const char *bytes, size_t size) {
  (void)name;
  char *copy = malloc(size);
  for (size_t i = 0; i < size; i += 1 + size / 150) {
    static const unsigned char masks[] = {0x01, 0x80, 0xFF};
    for (size_t m = 0; m < sizeof masks; m++) {
      memcpy(copy, bytes, size);
      copy[i] = (char)(copy[i] ^ masks[m]);
      ink_error error = {0};
      decode(copy, size, &error);
    }
  }
  free(copy);
}

static void flipped_bits_do_no_harm(void **state) {
  (void)state;
  each_file("picture", must_not_fall_over);
}

static void limits_count_before_memory(void **state) {
  (void)state;
  ink_error error = {0};
  char *bytes;
  size_t size;
  assert_ok(ink_file_read(fixture_path("picture/png-4.png"), 1 << 20, &bytes, &size, &error));
  ink_picture picture;
  static const ink_picture_limits small[] = {{10, 1000}, {100, 76}};
  for (int i = 0; i < 2; i++) {
    assert_int_equal(ink_picture_decode(bytes, size, "a.png", &small[i], &picture, NULL, &error),
                     INK_ERR_USAGE);
    assert_non_null(strstr(error.text, "11 x 7"));
  }
  static const ink_picture_limits enough = {11, 77};
  assert_ok(ink_picture_decode(bytes, size, "a.png", &enough, &picture, NULL, &error));
  ink_picture_free(&picture);
  free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lies_are_refused),
      cmocka_unit_test(words_out_of_order_do_not_cost_the_picture),
      cmocka_unit_test(files_that_end_early_are_refused),
      cmocka_unit_test(flipped_bits_do_no_harm),
      cmocka_unit_test(limits_count_before_memory),
  };
  return cmocka_run_group_tests_name("hostile_picture", tests, NULL, NULL);
}
