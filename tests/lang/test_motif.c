// What a verse names that a picture can show.
#include "lang/motif.h"
#include "testing.h"

static void expect(const char *heading, const char *text, const char *first, const char *second) {
  const ink_motif *found[2];
  size_t n = ink_motifs_of(heading, text, 2, found);
  assert_int_equal(n, (first != NULL) + (second != NULL));
  if (first) assert_string_equal(found[0]->english, first);
  if (second) assert_string_equal(found[1]->english, second);
}

static void things_are_found_in_the_order_of_their_weight(void **state) {
  (void)state;
  expect(NULL, "床前明月光", "full moon", NULL);
  expect(NULL, "孤帆远影碧", "sailboat", NULL);
  expect(NULL, "雁过马嘶雁", "goose", "horse");
  expect("荷", "山山有月", "lotus", "mountain");
}

static void a_long_sign_hides_the_short_ones_in_it(void **state) {
  (void)state;
  expect(NULL, "残月", "crescent moon", NULL);
  expect(NULL, "落日", "sunset", NULL);
  expect(NULL, "天河", "milky way", NULL);
}

static void one_drawing_is_named_once(void **state) {
  (void)state;
  expect(NULL, "枫叶似秋", "maple leaf", "fallen leaf");
  expect(NULL, "枫秋", "maple leaf", NULL);
}

static void a_text_without_things_has_none(void **state) {
  (void)state;
  expect(NULL, "", NULL, NULL);
  expect(NULL, "何以之乎者也", NULL, NULL);
  expect("", "\xe6\x9c", NULL, NULL);
  const ink_motif *found[1];
  assert_int_equal(ink_motifs_of(NULL, "山", 0, found), 0);
}

int main(void) {
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(things_are_found_in_the_order_of_their_weight),
      cmocka_unit_test(a_long_sign_hides_the_short_ones_in_it),
      cmocka_unit_test(one_drawing_is_named_once),
      cmocka_unit_test(a_text_without_things_has_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
