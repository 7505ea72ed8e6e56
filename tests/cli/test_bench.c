// The command bench: what tools may read of it. No figure is judged.
#include "program.h"

static void bench_prints_every_figure_beside_its_limit(void **state) {
  (void)state;
  program_run run = run_program("\"$INK\" bench --roofline --rounds 1 --json");
  json_t *json = json_of(&run);
  assert_true(json_is_string(json_object_get(json, "kernels")));
  assert_true(json_integer_value(json_object_get(json, "threads")) > 0);
  const json_t *rows = json_object_get(json, "rows"), *row;
  size_t i, products = 0;
  json_array_foreach(rows, i, row) {
    assert_true(json_is_string(json_object_get(row, "work")));
    assert_true(json_is_string(json_object_get(row, "kind")));
    double rate = json_number_value(json_object_get(row, "rate"));
    assert_true(rate > 0);
    const json_t *limit = json_object_get(row, "limit");
    if (!limit) continue;
    products++;
    double share = json_number_value(json_object_get(row, "share"));
    assert_true(share * json_number_value(limit) > 0.999 * rate);
    assert_true(share * json_number_value(limit) < 1.001 * rate);
  }
  assert_true(products >= 30);
  json_decref(json);
  drop_run(&run);
}

static void an_unknown_part_is_wrong_usage(void **state) {
  (void)state;
  program_run run = run_program("\"$INK\" bench --only everything");
  assert_int_equal(run.exit_code, 2);
  assert_non_null(strstr(run.err, "everything"));
  drop_run(&run);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bench_prints_every_figure_beside_its_limit),
      cmocka_unit_test(an_unknown_part_is_wrong_usage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
