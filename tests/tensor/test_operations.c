// Every operation against its double-precision twin: results, gradients by central differences of
// the twin, strided operands, and equal bytes for any number of threads.
#include <math.h>

#include "base/arena.h"
#include "base/random.h"
#include "tensor/half.h"
#include "tensor/isa.h"
#include "tensor/tape.h"
#include "testing.h"
#include "twins.h"

// What an operand is: a parameter, a view of one, or computed from one. The gradient of what is
// computed is written by the first operation that contributes and added to by the others.
typedef enum layout {
  DENSE,     // a parameter
  CUT,       // columns of a parameter
  COMPUTED,  // computed, used once
  SHARED,    // computed, and used again by the loss itself
  TURNED,    // computed, its dimensions reversed
  ROWS,      // some rows of what is computed
  LAYOUTS
} layout;

// One run of a subject on given numbers: the result and the gradients, in order.
typedef struct outcome {
  int64_t n;
  float *y;
  float *gradient[MOST_INPUTS];
} outcome;

static int64_t input_elements(const subject *s, int i) {
  int64_t n = 1;
  for (int d = 0; d < s->input[i].rank; d++) n *= s->input[i].shape[d];
  return n;
}

// Call visit for every element of a view, in order.
static float *element(const ink_tensor *x, int64_t index) {
  int64_t offset = 0;
  for (int d = x->rank - 1; d >= 0; d--) {
    offset += index % x->shape[d] * x->stride[d];
    index /= x->shape[d];
  }
  return (float *)x->data + offset;
}

// The view of a parameter that shows `values` in their order; *gradient is the same view of the
// parameter's gradient.
static ink_tensor *operand(ink_compute *c, const subject *s, int i, layout how, const float *values,
                           ink_tensor *gradient) {
  int rank = s->input[i].rank;
  int64_t shape[INK_MAX_RANK];
  memcpy(shape, s->input[i].shape, sizeof shape);
  int order[INK_MAX_RANK];
  for (int d = 0; d < rank; d++) order[d] = d;
  int last = s->input[i].fixed_last ? rank - 1 : rank;  // dimensions that may be reordered
  if (how == TURNED) {
    for (int d = 0; d < last; d++) {
      order[d] = last - 1 - d;
      shape[last - 1 - d] = s->input[i].shape[d];
    }
  }
  if (how == CUT) shape[rank - 1] += 3;
  if (how == ROWS) shape[0] += 3;
  ink_tensor *parameter = ink_tensor_new(c->arena, INK_F32, rank, shape);
  ink_tensor *gathered = ink_tensor_new(c->arena, INK_F32, rank, shape);
  memset(gathered->data, 0, (size_t)ink_tensor_elements(gathered) * sizeof(float));
  ink_error error = {0};
  assert_ok(ink_tape_parameter(c->arena, parameter, gathered, &error));
  ink_tensor *x = parameter, *g = gathered, placed = *parameter;
  if (how == TURNED) {
    g = ink_permute(c, g, order);
    placed = *ink_permute(c, parameter, order);
  } else if (how == CUT || how == ROWS) {
    int dimension = how == CUT ? rank - 1 : 0;
    int64_t length = s->input[i].shape[dimension];
    g = ink_slice(c, g, dimension, 1, length);
    placed = *ink_slice(c, parameter, dimension, 1, length);
  }
  for (int64_t e = 0; e < ink_tensor_elements(parameter); e++) ((float *)parameter->data)[e] = 0.0f;
  for (int64_t e = 0; e < input_elements(s, i); e++) *element(&placed, e) = values[e];
  if (how >= COMPUTED) x = ink_scale(c, x, 1.0f);
  if (how == TURNED) x = ink_permute(c, x, order);
  if (how == CUT) x = ink_slice(c, x, rank - 1, 1, s->input[i].shape[rank - 1]);
  if (how == ROWS) x = ink_slice(c, x, 0, 1, s->input[i].shape[0]);
  assert_non_null(x);
  *gradient = *g;
  return x;
}

// Forward and backward with the loss sum(y * direction).
static outcome run_in(ink_precision precision, ink_arena *arena, ink_pool *pool, const subject *s,
                      layout how, float *const *values, const float *direction) {
  ink_compute c = {
      .arena = arena, .pool = pool, .tape = ink_tape_new(arena), .precision = precision};
  ink_tensor *in[MOST_INPUTS], gradient[MOST_INPUTS];
  for (int i = 0; i < s->n_inputs; i++) in[i] = operand(&c, s, i, how, values[i], &gradient[i]);
  ink_tensor *y = s->run(&c, in);
  ink_error error = {0};
  assert_ok(ink_compute_status(&c, &error));
  ink_tensor towards = ink_tensor_view(INK_F32, (void *)(uintptr_t)direction, y->rank, y->shape);
  ink_tensor *loss = ink_sum(&c, ink_mul(&c, y, &towards));
  for (int i = 0; i < s->n_inputs && how == SHARED; i++)
    loss = ink_add(&c, loss, ink_sum(&c, in[i]));
  ink_tape_backward(&c, loss, 0.5f);
  assert_ok(ink_compute_status(&c, &error));
  outcome o = {.n = ink_tensor_elements(y)};
  o.y = ink_arena_take(arena, (size_t)o.n * sizeof(float));
  memcpy(o.y, y->data, (size_t)o.n * sizeof(float));
  for (int i = 0; i < s->n_inputs; i++) {
    int64_t n = input_elements(s, i);
    o.gradient[i] = ink_arena_take(arena, (size_t)n * sizeof(float));
    for (int64_t e = 0; e < n; e++) o.gradient[i][e] = *element(&gradient[i], e);
  }
  return o;
}

static outcome run(ink_arena *arena, ink_pool *pool, const subject *s, layout how,
                   float *const *values, const float *direction) {
  return run_in(INK_PRECISION_F32, arena, pool, s, how, values, direction);
}

typedef struct numbers {
  ink_arena *arena;
  float *values[MOST_INPUTS];
  double *exact[MOST_INPUTS];
  float *direction;
  double *y;
} numbers;

enum { MOST_RESULTS = 1 << 17 };

static numbers draw(const subject *s) {
  numbers d = {.arena = ink_arena_new(0)};
  ink_random random = ink_random_at(2026, 11, 0);
  for (int i = 0; i < s->n_inputs; i++) {
    int64_t n = input_elements(s, i);
    d.values[i] = ink_arena_take(d.arena, (size_t)n * sizeof(float));
    d.exact[i] = ink_arena_take(d.arena, (size_t)n * sizeof(double));
    for (int64_t e = 0; e < n; e++) {
      d.values[i][e] = (float)ink_random_normal(&random);
      d.exact[i][e] = (double)d.values[i][e];
    }
  }
  d.direction = ink_arena_take(d.arena, MOST_RESULTS * sizeof(float));
  for (int e = 0; e < MOST_RESULTS; e++) d.direction[e] = (float)ink_random_normal(&random);
  d.y = ink_arena_take(d.arena, MOST_RESULTS * sizeof(double));
  return d;
}

static double loss_of_twin(const subject *s, const numbers *d, int64_t n) {
  s->twin(s, d->exact, d->y);
  double sum = 0.0;
  for (int64_t e = 0; e < n; e++) sum += d->y[e] * (double)d->direction[e];
  return 0.5 * sum;
}

static void assert_close(const subject *s, const char *what, int64_t at, double got, double wanted,
                         double tolerance) {
  if (!(fabs(got - wanted) <= tolerance * (1.0 + fabs(wanted)))) {
    fail_msg("%s: %s %lld is %.9g, not %.9g", s->name, what, (long long)at, got, wanted);
  }
}

static void operation_equals_its_twin(void **state) {
  const subject *s = *state;
  numbers d = draw(s);
  for (int how = 0; how < LAYOUTS; how++) {
    outcome o = run(d.arena, NULL, s, (layout)how, d.values, d.direction);
    assert_true(o.n <= MOST_RESULTS);
    s->twin(s, d.exact, d.y);
    double tolerance = s->tolerance > 0.0 ? s->tolerance : 2e-6;
    for (int64_t e = 0; e < o.n; e++) {
      assert_close(s, "result", e, (double)o.y[e], d.y[e], tolerance);
    }
  }
  ink_arena_free(d.arena);
}

static void gradient_equals_finite_differences(void **state) {
  const subject *s = *state;
  numbers d = draw(s);
  for (int how = 0; how < LAYOUTS; how++) {
    outcome o = run(d.arena, NULL, s, (layout)how, d.values, d.direction);
    ink_random random = ink_random_at(7, (uint64_t)how, 0);
    for (int i = 0; i < s->n_inputs; i++) {
      for (int sample = 0; sample < 8; sample++) {
        int64_t e = (int64_t)ink_random_below(&random, (uint64_t)input_elements(s, i));
        const double step = 1e-4;
        double there = d.exact[i][e];
        d.exact[i][e] = there + step;
        double above = loss_of_twin(s, &d, o.n);
        d.exact[i][e] = there - step;
        double below = loss_of_twin(s, &d, o.n);
        d.exact[i][e] = there;
        double wanted = (above - below) / (2.0 * step) + (how == SHARED ? 0.5 : 0.0);
        assert_close(s, "gradient", e, (double)o.gradient[i][e], wanted, 3e-5);
      }
    }
  }
  ink_arena_free(d.arena);
}

static void bytes_do_not_depend_on_threads(void **state) {
  const subject *s = *state;
  numbers d = draw(s);
  outcome alone = run(d.arena, NULL, s, DENSE, d.values, d.direction);
  const int teams[] = {2, 7};
  for (int t = 0; t < 2; t++) {
    ink_pool *pool = ink_pool_new(teams[t]);
    outcome o = run(d.arena, pool, s, DENSE, d.values, d.direction);
    assert_memory_equal(o.y, alone.y, (size_t)alone.n * sizeof(float));
    for (int i = 0; i < s->n_inputs; i++) {
      assert_memory_equal(o.gradient[i], alone.gradient[i],
                          (size_t)input_elements(s, i) * sizeof(float));
    }
    ink_pool_free(pool);
  }
  ink_arena_free(d.arena);
}

// How far b is from a, relative to a.
static double distance(const float *a, const float *b, int64_t n) {
  double off = 0.0, size = 1e-12;
  for (int64_t e = 0; e < n; e++) {
    off += pow((double)a[e] - (double)b[e], 2.0);
    size += pow((double)a[e], 2.0);
  }
  return sqrt(off / size);
}

// Products whose operands are rounded to BF16, forward and backward.
static void bf16_products_stay_within_their_rounding_for_any_threads(void **state) {
  const subject *s = *state;
  numbers d = draw(s);
  const int teams[] = {1, 2, 7};
  outcome exact = run(d.arena, NULL, s, SHARED, d.values, d.direction), first = {0};
  for (int t = 0; t < 3; t++) {
    ink_pool *pool = ink_pool_new(teams[t]);
    outcome o = run_in(INK_PRECISION_BF16, d.arena, pool, s, SHARED, d.values, d.direction);
    ink_pool_free(pool);
    if (t == 0) {
      first = o;
      assert_true(distance(exact.y, o.y, o.n) < 0.01);
    }
    assert_memory_equal(o.y, first.y, (size_t)o.n * sizeof(float));
    for (int i = 0; i < s->n_inputs; i++) {
      int64_t n = input_elements(s, i);
      if (t == 0) assert_true(distance(exact.gradient[i], o.gradient[i], n) < 0.02);
      assert_memory_equal(o.gradient[i], first.gradient[i], (size_t)n * sizeof(float));
    }
  }
  ink_arena_free(d.arena);
}

// ---- BF16 --------------------------------------------------------------------------------------

// The result of a subject with BF16 operands, as F32, and its bytes.
static const float *run_halves(ink_compute *c, const subject *s, const numbers *d, int64_t *n,
                               const uint16_t **bytes) {
  ink_tensor *in[MOST_INPUTS] = {0};
  for (int i = 0; i < s->n_inputs; i++) {
    in[i] = ink_tensor_new(c->arena, INK_F32, s->input[i].rank, s->input[i].shape);
    memcpy(in[i]->data, d->values[i], (size_t)input_elements(s, i) * sizeof(float));
    if (i < s->halves) in[i] = ink_cast(c, in[i], INK_BF16);
  }
  ink_tensor *y = s->run(c, in), *wide = ink_cast(c, y, INK_F32);
  ink_error error = {0};
  assert_ok(ink_compute_status(c, &error));
  assert_int_equal(y->dtype, INK_BF16);
  *n = ink_tensor_elements(y);
  *bytes = y->data;
  return wide->data;
}

static void round_all(const subject *s, numbers *d) {
  for (int i = 0; i < s->n_inputs; i++) {
    for (int64_t e = 0; e < input_elements(s, i); e++) {
      d->values[i][e] = ink_f32_from_bf16(ink_bf16_from_f32(d->values[i][e]));
      d->exact[i][e] = (double)d->values[i][e];
    }
  }
}

static void operation_of_bf16_equals_its_twin_for_any_threads(void **state) {
  const subject *s = *state;
  numbers d = draw(s);
  round_all(s, &d);
  s->twin(s, d.exact, d.y);
  ink_compute alone = {.arena = d.arena};
  int64_t n, again_n;
  const uint16_t *bytes, *again;
  const float *y = run_halves(&alone, s, &d, &n, &bytes);
  for (int64_t e = 0; e < n; e++) assert_close(s, "result", e, (double)y[e], d.y[e], 8e-3);
  const int teams[] = {2, 7};
  for (int t = 0; t < 2; t++) {
    ink_pool *pool = ink_pool_new(teams[t]);
    ink_compute c = {.arena = d.arena, .pool = pool};
    run_halves(&c, s, &d, &again_n, &again);
    assert_int_equal(again_n, n);
    assert_memory_equal(again, bytes, (size_t)n * sizeof *bytes);
    ink_pool_free(pool);
  }
  ink_arena_free(d.arena);
}

int main(void) {
  ink_error error = {0};
  if (ink_cpu_check(&error) != INK_OK) {
    printf("1..0 # SKIP %s\n", error.text);
    return 0;
  }
  static char names[512][96];
  struct CMUnitTest tests[512];
  static const struct {
    const char *promise;
    CMUnitTestFunction function;
  } promises[] = {{"equals_its_twin", operation_equals_its_twin},
                  {"gradient_equals_finite_differences", gradient_equals_finite_differences},
                  {"bytes_do_not_depend_on_threads", bytes_do_not_depend_on_threads},
                  {"of_bf16_equals_its_twin_for_any_threads",
                   operation_of_bf16_equals_its_twin_for_any_threads},
                  {"in_bf16_products_stays_within_its_rounding_for_any_threads",
                   bf16_products_stay_within_their_rounding_for_any_threads}};
  size_t n = 0;
  for (int p = 0; p < 5; p++) {
    for (int i = 0; i < n_subjects; i++) {
      if (p == 3 && subjects[i].halves == 0) continue;
      snprintf(names[n], sizeof names[n], "%s_%s", subjects[i].name, promises[p].promise);
      tests[n] = (struct CMUnitTest){names[n], promises[p].function, NULL, NULL,
                                     (void *)(uintptr_t)&subjects[i]};
      n++;
    }
  }
  return _cmocka_run_group_tests("operations", tests, n, NULL, NULL);
}
