// The machine's limits: each is there where the instruction set has it, and nowhere else.
#include "tensor/isa.h"
#include "tensor/roofline.h"
#include "testing.h"

static void limits_are_those_of_the_instruction_set_in_use(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pool *pool = ink_pool_new(2);
  ink_roofline *roofline;
  assert_ok(ink_roofline_new(pool, &roofline, &error));
  assert_true(ink_roofline_measure(roofline, INK_ROOF_F32) > 0);
  assert_true(ink_roofline_measure(roofline, INK_ROOF_READ) > 0);
  const ink_cpu *cpu = ink_cpu_about();
  assert_int_equal(ink_roofline_measure(roofline, INK_ROOF_BF16) > 0, cpu->bf16);
  assert_int_equal(ink_roofline_measure(roofline, INK_ROOF_INT8) > 0, cpu->vnni);
  ink_roofline_free(roofline);
  ink_pool_free(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(limits_are_those_of_the_instruction_set_in_use),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
