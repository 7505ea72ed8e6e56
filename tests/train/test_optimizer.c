// Optimisers and the schedule.
#include <math.h>

#include "base/random.h"
#include "testing.h"
#include "train/optimizer.h"

enum { ROWS = 24, COLUMNS = 10, SIZE = ROWS * COLUMNS };

static const ink_optimizer_options options = {.adam_rate = 0.01,
                                              .beta1 = 0.9,
                                              .beta2 = 0.95,
                                              .epsilon = 1e-8,
                                              .muon_rate = 0.02,
                                              .muon_momentum = 0.95,
                                              .adam_decay = 0.1,
                                              .muon_decay = 0.05,
                                              .clip = 1};

static void fill(float *out, size_t n, uint64_t stream, double scale) {
  ink_random random = ink_random_at(7, stream, 0);
  for (size_t i = 0; i < n; i++) out[i] = (float)(scale * ink_random_normal(&random));
}

// AdamW as in the paper's algorithm 2, in double precision.
static void adamw_follows_the_paper(void **state) {
  (void)state;
  ink_error error = {0};
  ink_arena *arena = ink_arena_new(0);
  const int64_t shape[] = {ROWS, COLUMNS};
  ink_trained t = {.name = "w", .rule = INK_RULE_ADAMW, .decay = true};
  t.value = ink_tensor_new(arena, INK_F32, 2, shape);
  t.gradient = ink_tensor_new(arena, INK_F32, 2, shape);
  float *value = t.value->data, *gradient = t.gradient->data;
  fill(value, SIZE, 1, 1);
  double twin[SIZE], m[SIZE] = {0}, v[SIZE] = {0};
  for (int i = 0; i < SIZE; i++) twin[i] = (double)value[i];
  ink_optimizer *optimizer;
  assert_ok(ink_optimizer_new(arena, &options, &t, 1, &optimizer, &error));
  for (int step = 1; step <= 20; step++) {
    fill(gradient, SIZE, (uint64_t)(100 + step), step % 2 ? 1 : 0.01);
    double squares = 0, norm;
    for (int i = 0; i < SIZE; i++) squares += (double)gradient[i] * (double)gradient[i];
    double clip = sqrt(squares) > 1 ? 1 / sqrt(squares) : 1, rate = 0.5 * options.adam_rate;
    assert_ok(ink_optimizer_step(optimizer, NULL, step, 0.5, &norm, &error));
    assert_true(fabs(norm - sqrt(squares)) < 1e-9 * norm);
    for (int i = 0; i < SIZE; i++) {
      double g = (double)gradient[i] * clip;
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.95 * v[i] + 0.05 * g * g;
      double mean = m[i] / (1 - pow(0.9, step)), square = v[i] / (1 - pow(0.95, step));
      twin[i] -= rate * options.adam_decay * twin[i];
      twin[i] -= rate * mean / (sqrt(square) + 1e-8);
      double off = fabs((double)value[i] - twin[i]);
      if (off > 4e-6) fail_msg("step %d, element %d: %g off", step, i, off);
    }
  }
  ink_arena_free(arena);
}

// The Newton-Schulz polynomial by itself, on singular values: what Muon's update must consist of.
static double newton_schulz(double s) {
  for (int i = 0; i < 5; i++) s = 3.4445 * s - 4.7750 * s * s * s + 2.0315 * pow(s, 5);
  return s;
}

// A gradient with known singular vectors: the update must have the same vectors and the
// polynomial's values. Columns of a scaled Hadamard-like basis keep it simple: diagonal matrices.
static void check_singular_values(ink_precision precision, double tolerance) {
  static const int64_t shapes[][2] = {{6, 6}, {12, 6}, {6, 12}, {6, 36}};
  ink_optimizer_options chosen = options;
  chosen.muon_precision = precision;
  for (size_t k = 0; k < 4; k++) {
    ink_error error = {0};
    ink_arena *arena = ink_arena_new(0);
    const int64_t rows = shapes[k][0], columns = shapes[k][1];
    ink_trained t = {.name = "w", .rule = INK_RULE_MUON, .decay = false};
    t.value = ink_tensor_new(arena, INK_F32, 2, shapes[k]);
    t.gradient = ink_tensor_new(arena, INK_F32, 2, shapes[k]);
    float *value = t.value->data, *gradient = t.gradient->data;
    memset(value, 0, (size_t)(rows * columns) * sizeof *value);
    memset(gradient, 0, (size_t)(rows * columns) * sizeof *gradient);
    double squares = 0;
    for (int i = 0; i < 6; i++) {
      gradient[i * columns + i] = (float)(0.05 * (i + 1));
      squares += 0.05 * 0.05 * (i + 1) * (i + 1);
    }
    ink_optimizer *optimizer;
    double norm;
    assert_ok(ink_optimizer_new(arena, &chosen, &t, 1, &optimizer, &error));
    assert_ok(ink_optimizer_step(optimizer, NULL, 1, 1, &norm, &error));
    double stretch = rows > columns ? sqrt((double)rows / (double)columns) : 1;
    for (int64_t i = 0; i < rows; i++) {
      for (int64_t j = 0; j < columns; j++) {
        double expected = 0;
        if (i == j)
          expected = -0.02 * stretch * newton_schulz(0.05 * (double)(i + 1) / sqrt(squares));
        double off = fabs((double)value[i * columns + j] - expected);
        if (!(off < tolerance)) fail_msg("%lld, %lld: %g off", (long long)i, (long long)j, off);
      }
    }
    ink_arena_free(arena);
  }
}

static void muon_maps_singular_values_by_the_polynomial(void **state) {
  (void)state;
  check_singular_values(INK_PRECISION_F32, 1e-5);
  check_singular_values(INK_PRECISION_BF16, 2e-3);
}

// A large matrix or many of all forms by Muon, and one by AdamW.
enum { MANY = 40, MOST = 300 * 260 };

static void shape_of(int i, int n, int64_t shape[2]) {
  shape[0] = n == 2 ? 300 : 3 + 7 * i % 30;
  shape[1] = n == 2 ? 260 : 2 + 11 * i % 50;
}

static void run_steps(int n, int threads, float *out) {
  ink_error error = {0};
  ink_arena *arena = ink_arena_new(0);
  ink_pool *pool = ink_pool_new(threads);
  ink_trained t[MANY];
  int64_t shape[2];
  for (int i = 0; i < n; i++) {
    shape_of(i, n, shape);
    t[i] =
        (ink_trained){.name = "w", .rule = i == 1 ? INK_RULE_ADAMW : INK_RULE_MUON, .decay = true};
    t[i].value = ink_tensor_new(arena, INK_F32, 2, shape);
    t[i].gradient = ink_tensor_new(arena, INK_F32, 2, shape);
    fill(t[i].value->data, (size_t)ink_tensor_elements(t[i].value), (uint64_t)i, 1);
  }
  ink_optimizer *optimizer;
  assert_ok(ink_optimizer_new(arena, &options, t, (size_t)n, &optimizer, &error));
  for (int step = 1; step <= 3; step++) {
    double norm;
    for (int i = 0; i < n; i++) {
      fill(t[i].gradient->data, (size_t)ink_tensor_elements(t[i].value),
           (uint64_t)(1000 * step + i), 1);
    }
    assert_ok(ink_optimizer_step(optimizer, pool, step, 1, &norm, &error));
  }
  for (int i = 0; i < n; i++) {
    size_t elements = (size_t)ink_tensor_elements(t[i].value);
    memcpy(out, t[i].value->data, elements * sizeof *out);
    out += elements;
  }
  ink_pool_free(pool);
  ink_arena_free(arena);
}

static void updates_are_equal_bytes_for_any_team(void **state) {
  (void)state;
  static float one[2 * MOST], other[2 * MOST];
  const int numbers[] = {2, MANY};
  for (int i = 0; i < 2; i++) {
    memset(one, 0, sizeof one);
    memset(other, 0, sizeof other);
    run_steps(numbers[i], 1, one);
    run_steps(numbers[i], 2, other);
    assert_memory_equal(one, other, sizeof one);
    run_steps(numbers[i], 7, other);
    assert_memory_equal(one, other, sizeof one);
  }
}

static void gradient_that_is_not_finite_changes_nothing(void **state) {
  (void)state;
  ink_error error = {0};
  ink_arena *arena = ink_arena_new(0);
  const int64_t shape[] = {4};
  ink_trained t = {.name = "b", .rule = INK_RULE_ADAMW};
  t.value = ink_tensor_new(arena, INK_F32, 1, shape);
  t.gradient = ink_tensor_new(arena, INK_F32, 1, shape);
  float *value = t.value->data, *gradient = t.gradient->data;
  fill(value, 4, 1, 1);
  fill(gradient, 4, 2, 1);
  gradient[2] = NAN;
  float before[4];
  memcpy(before, value, sizeof before);
  ink_optimizer *optimizer;
  double norm;
  assert_ok(ink_optimizer_new(arena, &options, &t, 1, &optimizer, &error));
  assert_int_equal(ink_optimizer_step(optimizer, NULL, 3, 1, &norm, &error), INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "step 3"));
  assert_memory_equal(before, value, sizeof before);
  t.rule = INK_RULE_MUON;
  assert_int_equal(ink_optimizer_new(arena, &options, &t, 1, &optimizer, &error), INK_ERR_CONFLICT);
  ink_arena_free(arena);
}

static void schedule_warms_up_stays_and_decays(void **state) {
  (void)state;
  assert_true(fabs(ink_schedule_wsd(5, 100, 10, 20, 0.1) - 0.5) < 1e-12);
  assert_true(ink_schedule_wsd(10, 100, 10, 20, 0.1) == 1);
  assert_true(ink_schedule_wsd(80, 100, 10, 20, 0.1) == 1);
  assert_true(fabs(ink_schedule_wsd(90, 100, 10, 20, 0.1) - 0.55) < 1e-12);
  assert_true(fabs(ink_schedule_wsd(100, 100, 10, 20, 0.1) - 0.1) < 1e-12);
  assert_true(ink_schedule_wsd(100, 100, 0, 0, 0) == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(adamw_follows_the_paper),
      cmocka_unit_test(muon_maps_singular_values_by_the_polynomial),
      cmocka_unit_test(updates_are_equal_bytes_for_any_team),
      cmocka_unit_test(gradient_that_is_not_finite_changes_nothing),
      cmocka_unit_test(schedule_warms_up_stays_and_decays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
