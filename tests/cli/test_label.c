// inkstone label as it is run: in place and elsewhere, what it says, what it refuses.
#include <sys/stat.h>

#include "mark/c2pa/validate.h"
#include "program.h"

static const json_t *law_of(const json_t *json, size_t i, const char *list) {
  return json_object_get(json_array_get(json_object_get(json, "laws"), i), list);
}

static void a_file_is_labelled_in_place_and_keeps_its_permissions(void **state) {
  (void)state;
  const char *path = in_scratch("a.md"), *link = in_scratch("link.md");
  struct stat info;
  write_text(in_scratch("a.md"), "# T\n");
  assert_int_equal(chmod(path, 0640), 0);
  assert_int_equal(symlink("a.md", link), 0);
  program_run run = run_here("$INK label link.md --language zh --json");
  json_t *json = json_of(&run);
  assert_string_equal(json_string_value(json_object_get(json, "file")), "link.md");
  assert_string_equal(json_string_value(json_object_get(json, "format")), "markdown");
  assert_int_equal(json_array_size(json_object_get(json, "laws")), 3);
  assert_int_equal(json_array_size(law_of(json, 0, "got")), 2);
  assert_int_equal(json_array_size(law_of(json, 0, "missing")), 0);
  assert_int_equal(json_array_size(law_of(json, 2, "not_asked")), 1);
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0640);
  assert_int_equal(lstat(link, &info), 0);
  assert_true(S_ISLNK(info.st_mode));
  char *text = read_file(in_scratch("a.md"), NULL);
  assert_non_null(strstr(text, "**本内容由AI生成**"));
  assert_non_null(strstr(text, json_string_value(json_object_get(json, "identity"))));
  free(text);
  json_decref(json);
  drop_run(&run);
  run = run_here("$INK verify a.md --json");
  json = json_of(&run);
  assert_string_equal(json_string_value(json_object_get(json, "state")), "Valid");
  json_decref(json);
  drop_run(&run);
  // Once is enough: the label that is there is nobody's to replace, and the file stays as it was.
  text = read_file(in_scratch("a.md"), NULL);
  run = run_here("$INK label a.md");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "AIGC label already"));
  char *after = read_file(in_scratch("a.md"), NULL);
  assert_string_equal(text, after);
  free(text);
  free(after);
  drop_run(&run);
}

static void the_report_speaks_both_languages(void **state) {
  (void)state;
  write_text(in_scratch("b.txt"), "hello\n");
  program_run run = run_here("$INK label b.txt -o b1.txt --law cn,eu");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.out, "China, GB 45438-2025"));
  assert_non_null(strstr(run.out, "✓ visible label (5.1): \"AI-generated content\", start"));
  assert_non_null(strstr(run.out, "✗ signed metadata"));
  assert_null(strstr(run.out, "California"));
  drop_run(&run);
  run = run_here("INKSTONE_LANG=zh $INK label b.txt -o b2.txt --as suspected");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.out, "✓ 显式标识 (5.1): \"本内容疑似由AI生成\", start"));
  assert_null(strstr(run.out, "visible label"));
  drop_run(&run);
  char *text = read_file(in_scratch("b2.txt"), NULL);
  assert_string_equal(text, "本内容疑似由AI生成\n\nhello\n");
  free(text);
}

// One after the other on one file, through the program alone: labelled, verified, found again.
static void documents_and_drawings_are_labelled_signed_and_found(void **state) {
  (void)state;
  static const struct {
    const char *file, *format;
    bool fixed, disclosed;
  } cases[] = {{"text.docx", "docx", true, false},   {"sheets.xlsx", "xlsx", true, false},
               {"slides.pptx", "pptx", true, false}, {"third.epub", "epub", false, false},
               {"text.odt", "odt", false, false},    {"plain.svg", "svg", false, true},
               {"film.gif", "gif", true, true}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *file = cases[i].file;
    program_run run = run_here(
        "$INK label \"$FIXTURES/mark/%s\" -o '%s' --law cn,eu,ca --language zh "
        "--as declared --json",
        file, file);
    json_t *json = json_of(&run);
    assert_string_equal(json_string_value(json_object_get(json, "format")), cases[i].format);
    const json_t *china = law_of(json, 0, "got");
    assert_int_equal(json_array_size(china), 2);
    assert_int_equal(json_object_get(json_array_get(china, 1), "note") == NULL, cases[i].fixed);
    assert_int_equal(json_array_size(law_of(json, 2, "not_asked")) == 1, !cases[i].disclosed);
    char identity[64];
    snprintf(identity, sizeof identity, "%s", json_string_value(json_object_get(json, "identity")));
    json_decref(json);
    drop_run(&run);
    run = run_here("$INK verify '%s' --json", file);
    json = json_of(&run);
    assert_string_equal(json_string_value(json_object_get(json, "state")), "Valid");
    json_decref(json);
    drop_run(&run);
    run = run_here("$INK detect '%s'", file);
    assert_int_equal(run.exit_code, 0);
    assert_non_null(strstr(run.out, "Label 2"));
    assert_non_null(strstr(run.out, "AI-generated"));
    drop_run(&run);
    // As it was signed, and no other way.
    run = run_here("$INK label '%s'", file);
    assert_int_equal(run.exit_code, 1);
    assert_non_null(strstr(run.err, identity));
    drop_run(&run);
  }
}

static void what_cannot_be_labelled_is_refused_with_a_word(void **state) {
  (void)state;
  static const refusal bad[] = {
      {"$INK label", "name one file", 2},
      {"$INK label c.txt --law uk", "california", 2},
      {"$INK label c.txt --as mine", "declared", 2},
      {"$INK label c.txt --place middle", "top-left", 2},
      {"$INK label c.txt --height 0.04", "0.05", 2},
      {"$INK label c.txt --ink 777777 --plate 777777", "contrast", 2},
      {"$INK label c.txt --ink red", "colour", 2},
      {"$INK label c.txt --language fr", "zh", 2},
      {"$INK label c.txt --no-visible --law cn", "visible", 2},
      {"$INK label c.txt --producer '某公司'", "ASCII", 2},
      {"$INK label none.txt", "none.txt", 1},
      {"$INK label \"$FIXTURES/mark/expired.pem\" -o x.pem", "not labelled", 1},
      {"$INK label \"$FIXTURES/mark/plain.gif\" -o x.gif", "too small", 2},
      {"$INK label \"$FIXTURES/mark/plain.docx\" -o x.docx", "AIGC label already", 1},
      {"$INK label \"$FIXTURES/picture/hostile/bad-crc.png\" -o x.png", "bad-crc.png", 1},
      {"$INK label c.txt -o none/c.txt", "none", 1},
      {"XDG_DATA_HOME=\"$PWD/c.txt\" $INK label c.py -o d.py", "signing key", 1},
  };
  write_text(in_scratch("c.txt"), "hello\n");
  write_text(in_scratch("c.py"), "hello\n");
  expect_refusals(IN_SCRATCH "%s", bad, sizeof bad / sizeof *bad);
  // Each names its file once.
  program_run run = run_program("$INK label $FIXTURES/picture/hostile/bad-crc.png -o x.png");
  const char *named = strstr(run.err, "bad-crc.png");
  assert_non_null(named);
  assert_null(strstr(named + 1, "bad-crc.png"));
  drop_run(&run);
  char *text = read_file(in_scratch("c.txt"), NULL);
  assert_string_equal(text, "hello\n");
  free(text);
}

static void help_and_completion_know_it(void **state) {
  (void)state;
  program_run run = run_program("$INK label --help");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.out, "inkstone label picture.png --law cn,eu"));
  drop_run(&run);
  run = run_program("$INK label --list-options && $INK --list-commands");
  assert_non_null(strstr(run.out, "--law\n"));
  assert_non_null(strstr(run.out, "\nlabel\n"));
  drop_run(&run);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_is_labelled_in_place_and_keeps_its_permissions),
      cmocka_unit_test(the_report_speaks_both_languages),
      cmocka_unit_test(documents_and_drawings_are_labelled_signed_and_found),
      cmocka_unit_test(what_cannot_be_labelled_is_refused_with_a_word),
      cmocka_unit_test(help_and_completion_know_it),
  };
  return cmocka_run_group_tests_name("label_command", tests, scratch_open, scratch_close);
}
