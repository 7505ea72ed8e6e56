// Generation parameters: A1111's text is read, and what we write reads the same.
#include "diffusion/infotext.h"
#include "testing.h"

static void a1111_parameters_are_read(void **state) {
  (void)state;
  ink_error error = {0};
  ink_infotext info;
  assert_ok(ink_infotext_parse(
      "a fox, (red:1.2)\nin the snow\nNegative prompt: blurry,\nlow quality\n"
      "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 42, "
      "Size: 512x768, Model: \"a, b: \\\"c\\\"\", Lora hashes: \"x: 1, y: 2\", Version: v1.9",
      &info, &error));
  assert_string_equal(info.prompt, "a fox, (red:1.2)\nin the snow");
  assert_string_equal(info.negative, "blurry,\nlow quality");
  assert_int_equal(info.n, 9);
  assert_string_equal(ink_infotext_get(&info, "Sampler"), "DPM++ 2M");
  assert_string_equal(ink_infotext_get(&info, "Size"), "512x768");
  assert_string_equal(ink_infotext_get(&info, "Model"), "a, b: \"c\"");
  assert_string_equal(ink_infotext_get(&info, "Lora hashes"), "x: 1, y: 2");
  assert_string_equal(ink_infotext_get(&info, "Version"), "v1.9");
  assert_null(ink_infotext_get(&info, "VAE"));
  ink_infotext_free(&info);
}

static void a_text_without_fields_is_a_prompt(void **state) {
  (void)state;
  ink_error error = {0};
  ink_infotext info;
  static const char *const prompts[] = {"", "just words", "a: b, c: d", "one\ntwo: x"};
  for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
    assert_ok(ink_infotext_parse(prompts[i], &info, &error));
    assert_string_equal(info.prompt, prompts[i]);
    assert_null(info.negative);
    assert_int_equal(info.n, 0);
    ink_infotext_free(&info);
  }
  assert_ok(
      ink_infotext_parse("Negative prompt: x\nSteps: 1, Seed: 2, Size: 3x4\n", &info, &error));
  assert_string_equal(info.prompt, "");
  assert_string_equal(info.negative, "x");
  assert_string_equal(ink_infotext_get(&info, "Seed"), "2");
  ink_infotext_free(&info);
}

static void what_is_written_reads_the_same(void **state) {
  (void)state;
  ink_error error = {0};
  ink_infotext info = {.prompt = strdup("狐狸\nin snow"), .negative = strdup("blur")}, back;
  static const char *const fields[][2] = {
      {"Steps", "20"}, {"Sampler", "Euler a"}, {"Model", "a, \"b\": c\nd"},
      {"Size", "8x6"}, {"Note", "\"quoted\""}, {"Empty", ""}};
  enum { N = sizeof fields / sizeof *fields };
  for (size_t i = 0; i < N; i++) {
    assert_ok(ink_infotext_set(&info, fields[i][0], "before", &error));
    assert_ok(ink_infotext_set(&info, fields[i][0], fields[i][1], &error));
  }
  ink_text text = {0};
  assert_ok(ink_infotext_format(&info, &text, &error));
  assert_ok(ink_infotext_parse(text.bytes, &back, &error));
  assert_string_equal(back.prompt, info.prompt);
  assert_string_equal(back.negative, info.negative);
  assert_int_equal(back.n, N);
  for (size_t i = 0; i < N; i++) {
    assert_string_equal(ink_infotext_get(&back, fields[i][0]), fields[i][1]);
  }
  ink_text_free(&text);
  ink_infotext_free(&back);
  ink_infotext_free(&info);
}

static void crooked_fields_are_survived(void **state) {
  (void)state;
  ink_error error = {0};
  ink_infotext info;
  static const char *const texts[] = {
      "p\nSteps: 1, Seed: \"unfinished, Size: 2x2, Model: x",
      "p\nSteps: 1, Seed: \"bad \\u12\", Size: 2x2",
      "p\nSteps: 1,, : ,Seed: 2, Size: 3",
      "\n\n\n",
      "Negative prompt:\nNegative prompt:",
      "Steps:,Seed:,Size:,",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    assert_ok(ink_infotext_parse(texts[i], &info, &error));
    assert_non_null(info.prompt);
    ink_infotext_free(&info);
  }
  char *long_ = calloc(INK_INFOTEXT_MOST_BYTES + 2, 1);
  memset(long_, 'x', INK_INFOTEXT_MOST_BYTES + 1);
  assert_int_equal(ink_infotext_parse(long_, &info, &error), INK_ERR_USAGE);
  free(long_);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a1111_parameters_are_read),
      cmocka_unit_test(a_text_without_fields_is_a_prompt),
      cmocka_unit_test(what_is_written_reads_the_same),
      cmocka_unit_test(crooked_fields_are_survived),
  };
  return cmocka_run_group_tests_name("hostile_infotext", tests, NULL, NULL);
}
