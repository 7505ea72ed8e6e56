// Pictures that lost everything but their looks, recognised by their noise through the ledger: the
// shipped painter paints them, JPEG of quality 50 at three quarters of the size is left of them.
#include "pictures.h"
#include "program.h"

// Two installations, each with its keys and its ledger.
#define AT(home) "mkdir -p " home " && export HOME=\"$PWD/" home "\" && "

// Pixels alone, smaller and coarser.
static void wear_out(const char *from, const char *to) {
  ink_error error = {0};
  ink_picture picture = read_picture(in_scratch(from), NULL), smaller;
  assert_ok(ink_picture_resize(&picture, picture.width * 3 / 4, picture.height * 3 / 4,
                               INK_RESIZE_LANCZOS, &smaller, &error));
  ink_text file = encoded_picture(&smaller, INK_PICTURE_JPEG, 50);
  write_file(in_scratch(to), file.bytes, file.size);
  ink_text_free(&file);
  ink_picture_free(&picture);
  ink_picture_free(&smaller);
}

static json_t *detect(const char *home, const char *name, const char *options) {
  return json_of_done(
      run_here("export HOME=\"$PWD/%s\" && $INK detect %s --json %s", home, name, options));
}

static const json_t *evidence_of(const json_t *detection, const char *name) {
  size_t i;
  const json_t *one;
  json_array_foreach(json_object_get(detection, "evidence"), i, one) {
    if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0) return one;
  }
  return NULL;
}

static bool is_true(const json_t *object, const char *member) {
  return json_is_true(json_object_get(object, member));
}

enum { PICTURES = 3 };

// Under the public key, so that a model paints the same noise in every run of the test.
static void paint_all(void) {
  static const char *const prompts[PICTURES] = {"a red fox", "a green frog", "a house"};
  for (int i = 0; i < PICTURES; i++) {
    expect_done(
        run_here(AT("one") "$INK paint '%s' --cfg 4 --seed %d --watermark public -o %d.png --json "
                           ">%d.json",
                 prompts[i], i + 1, i, i));
    char from[16], to[16];
    snprintf(from, sizeof from, "%d.png", i);
    snprintf(to, sizeof to, "%d.jpg", i);
    wear_out(from, to);
  }
}

static char *identity_of(int i) {
  json_t *json = json_of_done(run_here("cat %d.json", i));
  char *identity =
      strdup(json_string_value(json_array_get(json_object_get(json, "identities"), 0)));
  json_decref(json);
  return identity;
}

// How much a picture keeps depends on what is in it: one of three may keep too little.
static void a_stripped_and_worn_picture_is_recognised_by_the_ledger(void **state) {
  (void)state;
  paint_all();
  int recognised = 0;
  for (int i = 0; i < PICTURES; i++) {
    char name[16], *identity = identity_of(i);
    snprintf(name, sizeof name, "%d.jpg", i);
    json_t *json = detect("one", name, "");
    const json_t *noise = evidence_of(json, "gaussian-shading:ledger");
    assert_int_equal(json_integer_value(json_object_get(noise, "tried")), PICTURES);
    print_message("# %s: p = %.1e\n", name, json_number_value(json_object_get(noise, "p_value")));
    if (is_true(noise, "found")) {
      recognised++;
      assert_string_equal(json_string_value(json_object_get(noise, "identity")), identity);
      assert_int_equal(json_integer_value(json_object_get(noise, "row")), i + 1);
      assert_string_equal(json_string_value(json_object_get(json, "verdict")), "generated");
      const json_t *record = evidence_of(json, "ledger");
      assert_true(is_true(record, "found"));
      const char *detail = json_string_value(json_object_get(record, "detail"));
      assert_non_null(strstr(detail, "by its watermark"));
      assert_non_null(strstr(detail, identity));
    }
    json_decref(json);
    free(identity);
  }
  assert_true(recognised >= PICTURES - 1);
}

// Resized, a picture of other proportions than the painter's own does not tell its size; the ledger
// does.
static void a_picture_is_looked_at_in_the_size_that_the_ledger_knows(void **state) {
  (void)state;
  expect_done(run_here(AT("wide") "$INK paint 'a red fox and a blue bird' --size 192x128 "
                                  "--seed 5 --watermark public -o wide.png"));
  wear_out("wide.png", "wide.jpg");
  json_t *json = detect("wide", "wide.jpg", "");
  const json_t *noise = evidence_of(json, "gaussian-shading:ledger");
  print_message("# p = %.1e\n", json_number_value(json_object_get(noise, "p_value")));
  assert_true(is_true(noise, "found"));
  json_decref(json);
  // Another picture's proportions fit none of the records.
  json = detect("wide", "0.jpg", "");
  assert_null(evidence_of(json, "gaussian-shading:ledger"));
  json_decref(json);
}

// The picture of a piece keeps less of its noise, and enough.
static void a_worn_picture_of_a_poem_is_recognised(void **state) {
  (void)state;
  expect_done(
      run_here(AT("poet") "$INK make poem --set theme=春江 --set form=七绝 --seed 2 --out poem"));
  wear_out("poem/poem.png", "poem.jpg");
  json_t *json = detect("poet", "poem.jpg", "");
  const json_t *noise = evidence_of(json, "gaussian-shading:ledger");
  print_message("# p = %.1e\n", json_number_value(json_object_get(noise, "p_value")));
  assert_true(is_true(noise, "found"));
  json_decref(json);
}

static void the_newest_records_are_tried_as_far_as_asked_for(void **state) {
  (void)state;
  json_t *json = detect("one", "0.jpg", "--records 1");
  const json_t *noise = evidence_of(json, "gaussian-shading:ledger");
  assert_int_equal(json_integer_value(json_object_get(noise, "tried")), 1);
  assert_false(is_true(noise, "found"));
  assert_true(json_is_null(json_object_get(noise, "row")));
  assert_non_null(strstr(json_string_value(json_object_get(noise, "detail")), "older ones not"));
  json_decref(json);
  json = detect("one", "0.jpg", "--records 0");
  assert_null(evidence_of(json, "gaussian-shading:ledger"));
  json_decref(json);
}

static void a_foreign_picture_is_not_recognised(void **state) {
  (void)state;
  // Under a key of its own: the public one would be found without any record.
  expect_done(run_here(
      AT("two") "$INK key init && $INK paint 'a red fox' --cfg 4 --seed 77 -o foreign.png"));
  wear_out("foreign.png", "foreign.jpg");
  json_t *json = detect("one", "foreign.jpg", "");
  const json_t *noise = evidence_of(json, "gaussian-shading:ledger");
  assert_non_null(noise);
  assert_false(is_true(noise, "found"));
  assert_true(json_number_value(json_object_get(noise, "p_value")) > 1e-3);
  assert_false(is_true(evidence_of(json, "ledger"), "found"));
  assert_string_not_equal(json_string_value(json_object_get(json, "verdict")), "generated");
  json_decref(json);
  program_run run = run_here(
      "export HOME=\"$PWD/one\" && $INK detect foreign.jpg && INKSTONE_LANG=zh $INK "
      "detect foreign.jpg");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.out, "none of the ledger's records"));
  assert_non_null(strstr(run.out, "账本记录"));
  drop_run(&run);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_stripped_and_worn_picture_is_recognised_by_the_ledger),
      cmocka_unit_test(a_picture_is_looked_at_in_the_size_that_the_ledger_knows),
      cmocka_unit_test(a_worn_picture_of_a_poem_is_recognised),
      cmocka_unit_test(the_newest_records_are_tried_as_far_as_asked_for),
      cmocka_unit_test(a_foreign_picture_is_not_recognised),
  };
  return cmocka_run_group_tests_name("noise_records", tests, scratch_open, scratch_close);
}
