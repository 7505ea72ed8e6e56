// The tape as a whole, and how operations fail: a small transformer's gradient, gathering, sharing,
// sticky errors, memory that runs out.
#include <math.h>

#include "base/arena.h"
#include "base/random.h"
#include "tensor/gemm.h"
#include "tensor/tape.h"
#include "testing.h"
#include "twins.h"

// ---- a small transformer -----------------------------------------------------------------------

enum { TIME = 9, HIDDEN = 12, HEADS = 3, WIDTH = 4, FF = 10, VOCABULARY = 11 };

typedef enum weight { TABLE, NORM, QKV, OUT, GATE, UP, DOWN, WEIGHTS } weight;

typedef struct network {
  ink_arena *arena;
  ink_tensor *value[WEIGHTS], *gradient[WEIGHTS];
} network;

static network begin(void) {
  static const int64_t shapes[WEIGHTS][2] = {
      {VOCABULARY, HIDDEN}, {HIDDEN, 0},  {3 * HIDDEN, HIDDEN}, {HIDDEN, HIDDEN},
      {FF, HIDDEN},         {FF, HIDDEN}, {HIDDEN, FF}};
  network n = {.arena = ink_arena_new(0)};
  ink_random random = ink_random_at(1, 2, 0);
  for (int i = 0; i < WEIGHTS; i++) {
    int rank = shapes[i][1] ? 2 : 1;
    n.value[i] = ink_tensor_new(n.arena, INK_F32, rank, shapes[i]);
    n.gradient[i] = ink_tensor_new(n.arena, INK_F32, rank, shapes[i]);
    for (int64_t e = 0; e < ink_tensor_elements(n.value[i]); e++) {
      ((float *)n.value[i]->data)[e] = (float)(0.5 * ink_random_normal(&random));
      ((float *)n.gradient[i]->data)[e] = 0.0f;
    }
    ink_error error = {0};
    assert_ok(ink_tape_parameter(n.arena, n.value[i], n.gradient[i], &error));
  }
  return n;
}

static int32_t ids[TIME] = {3, 1, 4, 1, 5, 9, 2, 6, 5}, targets[TIME] = {1, 4, 1, 5, 9, 2, 6, 5, 3};

// Joint q, k, v cut apart by slices, a residual stream, a head tied to the embedding.
static ink_tensor *forward(ink_compute *c, const network *n) {
  ink_tensor id = ink_tensor_view(INK_I32, ids, 2, (int64_t[]){1, TIME});
  ink_tensor target = ink_tensor_view(INK_I32, targets, 1, (int64_t[]){TIME});
  ink_tensor *x = ink_embedding(c, n->value[TABLE], &id);
  for (int layer = 0; layer < 2; layer++) {
    ink_tensor *h = ink_rms_norm(c, x, n->value[NORM], 1e-5f);
    ink_tensor *qkv = ink_linear(c, h, n->value[QKV], NULL), *part[3];
    for (int i = 0; i < 3; i++) {
      ink_tensor *slice = ink_slice(c, qkv, 2, i * HIDDEN, HIDDEN);
      part[i] = ink_reshape(c, slice, 4, (int64_t[]){1, TIME, HEADS, WIDTH});
    }
    ink_tensor *a =
        ink_attention(c, part[0], part[1], part[2], 0.5f, (ink_attention_mask){.causal = true});
    a = ink_reshape(c, a, 3, (int64_t[]){1, TIME, HIDDEN});
    x = ink_add(c, x, ink_linear(c, a, n->value[OUT], NULL));
    h = ink_rms_norm(c, x, n->value[NORM], 1e-5f);
    h = ink_swiglu(c, ink_linear(c, h, n->value[GATE], NULL), ink_linear(c, h, n->value[UP], NULL));
    x = ink_add(c, x, ink_linear(c, h, n->value[DOWN], NULL));
  }
  return ink_linear_cross_entropy(c, ink_reshape(c, x, 2, (int64_t[]){TIME, HIDDEN}),
                                  n->value[TABLE], &target, NULL, NULL);
}

static double loss_now(const network *n) {
  ink_arena_mark mark = ink_arena_save(n->arena);
  ink_compute c = {.arena = n->arena};
  ink_tensor *loss = forward(&c, n);
  ink_error error = {0};
  assert_ok(ink_compute_status(&c, &error));
  double value = (double)*(float *)loss->data;
  ink_arena_release(n->arena, mark);
  return value;
}

static void train_once(const network *n, ink_pool *pool) {
  ink_arena_mark mark = ink_arena_save(n->arena);
  ink_compute c = {.arena = n->arena, .pool = pool, .tape = ink_tape_new(n->arena)};
  ink_tape_backward(&c, forward(&c, n), 1.0f);
  ink_error error = {0};
  assert_ok(ink_compute_status(&c, &error));
  ink_arena_release(n->arena, mark);
}

static void gradient_of_a_transformer_equals_finite_differences(void **state) {
  (void)state;
  network n = begin();
  train_once(&n, NULL);
  for (int i = 0; i < WEIGHTS; i++) {
    float *value = n.value[i]->data, *gradient = n.gradient[i]->data;
    int64_t elements = ink_tensor_elements(n.value[i]);
    for (int64_t e = 0; e < elements; e += 7) {
      // Along the gradient of one element a step of 1/64 keeps the noise of F32 below 1 %.
      const float step = 0x1p-6f;
      float there = value[e];
      value[e] = there + step;
      double above = loss_now(&n);
      value[e] = there - step;
      double below = loss_now(&n);
      value[e] = there;
      double wanted = (above - below) / (2.0 * (double)step);
      if (fabs((double)gradient[e] - wanted) > 0.01 + 0.02 * fabs(wanted)) {
        fail_msg("weight %d element %lld: %g, not %g", i, (long long)e, (double)gradient[e],
                 wanted);
      }
    }
  }
  ink_arena_free(n.arena);
}

static void gradients_gather_over_passes(void **state) {
  (void)state;
  network once = begin(), twice = begin();
  train_once(&once, NULL);
  train_once(&twice, NULL);
  train_once(&twice, NULL);
  for (int i = 0; i < WEIGHTS; i++) {
    const float *a = once.gradient[i]->data, *b = twice.gradient[i]->data;
    for (int64_t e = 0; e < ink_tensor_elements(once.gradient[i]); e++) {
      assert_true(fabsf(b[e] - 2.0f * a[e]) <= 1e-5f * (1.0f + fabsf(a[e])));
    }
  }
  ink_arena_free(once.arena);
  ink_arena_free(twice.arena);
}

static void a_training_pass_has_the_same_bytes_on_any_team(void **state) {
  (void)state;
  network alone = begin(), team = begin();
  ink_pool *pool = ink_pool_new(7);
  train_once(&alone, NULL);
  train_once(&team, pool);
  for (int i = 0; i < WEIGHTS; i++) {
    assert_memory_equal(alone.gradient[i]->data, team.gradient[i]->data,
                        (size_t)ink_tensor_elements(alone.gradient[i]) * sizeof(float));
  }
  ink_pool_free(pool);
  ink_arena_free(alone.arena);
  ink_arena_free(team.arena);
}

static void a_pass_leaves_the_arena_as_it_found_it(void **state) {
  (void)state;
  network n = begin();
  train_once(&n, NULL);
  size_t used = ink_arena_used(n.arena), peak = ink_arena_peak(n.arena);
  train_once(&n, NULL);
  assert_int_equal(ink_arena_used(n.arena), used);
  assert_int_equal(ink_arena_peak(n.arena), peak);
  ink_arena_free(n.arena);
}

static void what_does_not_lead_to_the_loss_gets_no_gradient(void **state) {
  (void)state;
  network n = begin();
  ink_compute c = {.arena = n.arena, .tape = ink_tape_new(n.arena)};
  ink_tensor *loss = ink_sum(&c, ink_silu(&c, n.value[OUT]));
  ink_mul(&c, n.value[GATE], n.value[UP]);  // computed, never used
  ink_tape_backward(&c, loss, 1.0f);
  assert_int_equal(ink_compute_status(&c, NULL), INK_OK);
  const float *idle = n.gradient[GATE]->data;
  for (int e = 0; e < FF * HIDDEN; e++) assert_true(idle[e] == 0.0f);
  assert_true(((float *)n.gradient[OUT]->data)[0] != 0.0f);
  ink_arena_free(n.arena);
}

static void without_a_tape_nothing_is_recorded(void **state) {
  (void)state;
  network n = begin();
  ink_compute c = {.arena = n.arena};
  ink_tensor *y = ink_silu(&c, n.value[OUT]);
  assert_null(y->slot);
  // Dropout is the identity then, whatever the rate.
  assert_ptr_equal(ink_dropout(&c, y, 0.5f, ink_random_at(1, 1, 0)), y);
  ink_tape_backward(&c, ink_sum(&c, y), 1.0f);
  ink_error error = {0};
  assert_int_equal(ink_compute_status(&c, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "ink_tape_backward"));
  ink_arena_free(n.arena);
}

static void a_parameter_must_match_its_gradient(void **state) {
  (void)state;
  ink_arena *arena = ink_arena_new(0);
  ink_tensor *x = ink_tensor_new(arena, INK_F32, 2, (int64_t[]){2, 3});
  ink_tensor *g = ink_tensor_new(arena, INK_F32, 2, (int64_t[]){3, 2});
  ink_error error = {0};
  assert_int_equal(ink_tape_parameter(arena, x, g, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "[2, 3]"));
  assert_non_null(strstr(error.text, "[3, 2]"));
  ink_arena_free(arena);
}

static void bf16_gradients_stay_within_their_rounding(void **state) {
  (void)state;
  network exact = begin(), rounded = begin();
  train_once(&exact, NULL);
  ink_compute c = {
      .arena = rounded.arena, .tape = ink_tape_new(rounded.arena), .precision = INK_PRECISION_BF16};
  ink_tape_backward(&c, forward(&c, &rounded), 1.0f);
  assert_int_equal(ink_compute_status(&c, NULL), INK_OK);
  for (int i = 0; i < WEIGHTS; i++) {
    double off = 0.0, size = 0.0;
    for (int64_t e = 0; e < ink_tensor_elements(exact.gradient[i]); e++) {
      double a = (double)((float *)exact.gradient[i]->data)[e];
      double b = (double)((float *)rounded.gradient[i]->data)[e];
      off += (a - b) * (a - b);
      size += a * a;
    }
    assert_true(sqrt(off / size) < 0.03);
  }
  ink_arena_free(exact.arena);
  ink_arena_free(rounded.arena);
}

static void quantised_weights_pass_gradients_through(void **state) {
  (void)state;
  ink_arena *arena = ink_arena_new(0);
  enum { ROWS = 3, IN = 64, OUTS = 5 };
  float w[OUTS * IN], x[ROWS * IN];
  for (int i = 0; i < OUTS * IN; i++) w[i] = (float)((i * 37) % 255 - 127) / 127.0f;
  for (int i = 0; i < ROWS * IN; i++) x[i] = (float)((i * 11) % 19) / 19.0f;
  float wide[OUTS * IN], gradients[2][ROWS * IN];
  ink_tensor *stored = ink_tensor_new(arena, INK_Q8_0, 2, (int64_t[]){OUTS, IN});
  ink_from_f32(INK_Q8_0, w, stored->data, OUTS * IN);
  ink_to_f32(INK_Q8_0, stored->data, wide, OUTS * IN);
  ink_tensor plain = ink_tensor_view(INK_F32, wide, 2, (int64_t[]){OUTS, IN});
  for (int i = 0; i < 2; i++) {
    ink_tensor input = ink_tensor_view(INK_F32, x, 2, (int64_t[]){ROWS, IN});
    ink_tensor gradient = ink_tensor_view(INK_F32, gradients[i], 2, (int64_t[]){ROWS, IN});
    memset(gradients[i], 0, sizeof gradients[i]);
    ink_error error = {0};
    assert_ok(ink_tape_parameter(arena, &input, &gradient, &error));
    ink_compute c = {.arena = arena, .tape = ink_tape_new(arena)};
    ink_tensor *y = ink_linear(&c, &input, i ? stored : &plain, NULL);
    ink_tape_backward(&c, ink_sum(&c, ink_silu(&c, y)), 1.0f);
    assert_ok(ink_compute_status(&c, &error));
  }
  for (int i = 0; i < ROWS * IN; i++) {
    assert_true(fabsf(gradients[0][i] - gradients[1][i]) < 0.05f);
  }
  assert_true(fabsf(gradients[0][7]) > 0.01f);
  ink_arena_free(arena);
}

static void row_losses_come_unweighted(void **state) {
  (void)state;
  ink_arena *arena = ink_arena_new(0);
  float x[3 * 2] = {1, 0, 0, 1, 1, 1}, w[2 * 2] = {2, 0, 0, 3}, share[3] = {0.5f, 0.0f, 1.0f};
  int32_t target[3] = {0, 1, -1};
  ink_tensor xs = ink_tensor_view(INK_F32, x, 2, (int64_t[]){3, 2});
  ink_tensor ws = ink_tensor_view(INK_F32, w, 2, (int64_t[]){2, 2});
  ink_tensor ts = ink_tensor_view(INK_I32, target, 1, (int64_t[]){3});
  ink_tensor weights = ink_tensor_view(INK_F32, share, 1, (int64_t[]){3});
  ink_compute c = {.arena = arena};
  float nll[3] = {-1, -1, -1};
  ink_tensor *loss = ink_linear_cross_entropy(&c, &xs, &ws, &ts, &weights, nll);
  assert_non_null(loss);
  double first = log(1.0 + exp(-2.0)), second = log(1.0 + exp(-3.0));
  assert_true(fabs((double)nll[0] - first) < 1e-6);
  assert_true(fabs((double)nll[1] - second) < 1e-6);
  assert_true(nll[2] == 0.0f);
  assert_true(fabs((double)*(float *)loss->data - 0.5 * first) < 1e-6);
  target[1] = 2;
  assert_null(ink_linear_cross_entropy(&c, &xs, &ws, &ts, &weights, nll));
  ink_error error = {0};
  assert_int_equal(ink_compute_status(&c, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "target 2 at row 1"));
  ink_arena_free(arena);
}

static void a_number_that_is_not_one_reaches_the_loss(void **state) {
  (void)state;
  ink_arena *arena = ink_arena_new(0);
  float x[2 * 3] = {1, 2, 3, 1, NAN, 3}, w[40 * 3];
  for (int i = 0; i < 120; i++) w[i] = 0.1f;
  int32_t target[2] = {0, 1};
  ink_tensor xs = ink_tensor_view(INK_F32, x, 2, (int64_t[]){2, 3});
  ink_tensor ws = ink_tensor_view(INK_F32, w, 2, (int64_t[]){40, 3});
  ink_tensor ts = ink_tensor_view(INK_I32, target, 1, (int64_t[]){2});
  ink_compute c = {.arena = arena};
  ink_tensor *loss = ink_linear_cross_entropy(&c, &xs, &ws, &ts, NULL, NULL);
  assert_true(isnan(*(float *)loss->data));
  ink_tensor *y = ink_softmax(&c, &xs);
  assert_true(isnan(((float *)y->data)[4]));
  assert_true(((float *)y->data)[0] > 0.0f);
  ink_arena_free(arena);
}

static void exponentials_are_within_a_few_units_in_the_last_place(void **state) {
  (void)state;
  ink_arena *arena = ink_arena_new(0);
  enum { POINTS = 100000 };
  ink_tensor *x = ink_tensor_new(arena, INK_F32, 2, (int64_t[]){POINTS, 2});
  float *rows = x->data;
  for (int i = 0; i < POINTS; i++) {
    rows[2 * i] = -80.0f * (float)i / POINTS;
    rows[2 * i + 1] = 0.0f;
  }
  ink_compute c = {.arena = arena};
  const float *y = ink_softmax(&c, x)->data;
  // e^x / (1 + e^x) over 1 / (1 + e^x): three roundings besides that of e^x.
  for (int i = 0; i < POINTS; i++) {
    double ratio = (double)y[2 * i] / (double)y[2 * i + 1];
    double wanted = exp((double)rows[2 * i]);
    assert_true(fabs(ratio / wanted - 1.0) < 4e-7);
  }
  rows[0] = -INFINITY;
  y = ink_softmax(&c, ink_slice(&c, x, 0, 0, 1))->data;
  assert_true(y[0] == 0.0f && y[1] == 1.0f);
  ink_arena_free(arena);
}

// ---- failures -----------------------------------------------------------------------------------

static void the_first_failure_stays_and_later_calls_do_nothing(void **state) {
  (void)state;
  ink_arena *arena = ink_arena_new(0);
  ink_compute c = {.arena = arena};
  ink_tensor *x = ink_tensor_new(arena, INK_F32, 2, (int64_t[]){2, 3});
  ink_tensor *w = ink_tensor_new(arena, INK_F32, 2, (int64_t[]){5, 4});
  ink_tensor *y = ink_linear(&c, x, w, NULL);
  assert_null(y);
  y = ink_silu(&c, ink_add(&c, y, x));  // NULL in, NULL out
  assert_null(y);
  assert_null(ink_silu(&c, x));
  assert_null(ink_concat(&c, 0, 0, NULL));
  ink_tape_backward(&c, y, 1.0f);
  ink_error error = {0};
  assert_int_equal(ink_compute_status(&c, &error), INK_ERR_CONFLICT);
  assert_string_equal(error.text, "ink_linear: shapes [2, 3] and [5, 4] do not fit");
  ink_arena_free(arena);
}

static void operands_that_do_not_fit_are_named(void **state) {
  (void)state;
  ink_arena *arena = ink_arena_new(0);
  ink_tensor *a = ink_tensor_new(arena, INK_F32, 2, (int64_t[]){2, 3});
  ink_tensor *b = ink_tensor_new(arena, INK_F32, 2, (int64_t[]){3, 2});
  ink_tensor *v = ink_tensor_new(arena, INK_F32, 1, (int64_t[]){2});
  ink_tensor *h = ink_tensor_new(arena, INK_F32, 4, (int64_t[]){1, 2, 3, 4});
  ink_tensor *g = ink_tensor_new(arena, INK_F32, 4, (int64_t[]){1, 2, 2, 4});
  ink_tensor *i = ink_tensor_new(arena, INK_I32, 1, (int64_t[]){5});
  memset(i->data, 0, 20);
  const ink_attention_mask all = {0};
  for (int which = 0;; which++) {
    ink_compute c = {.arena = arena};
    const ink_tensor *result;
    const char *name, *first, *second;
#define wrong(number, call, says, x, y) \
  case number:                          \
    result = call;                      \
    name = says;                        \
    first = x;                          \
    second = y;                         \
    break
    switch (which) {
      wrong(0, ink_add(&c, a, b), "ink_add", "[2, 3]", "[3, 2]");
      wrong(1, ink_mul(&c, v, a), "ink_mul", "[2]", "[2, 3]");
      wrong(2, ink_swiglu(&c, a, b), "ink_swiglu", "[2, 3]", "[3, 2]");
      wrong(3, ink_linear(&c, a, b, NULL), "ink_linear", "[2, 3]", "[3, 2]");
      wrong(4, ink_linear(&c, a, a, ink_slice(&c, v, 0, 0, 1)), "ink_linear", "[2, 3]", "[1]");
      wrong(5, ink_matmul(&c, a, a), "ink_matmul", "[2, 3]", "[2, 3]");
      wrong(6, ink_rms_norm(&c, a, v, 1e-5f), "ink_rms_norm", "[2, 3]", "[2]");
      wrong(7, ink_layer_norm(&c, b, v, i, 1e-5f), "ink_layer_norm", "[5]", "I32");
      wrong(8, ink_rope(&c, h, i, v, INK_ROPE_HALVES), "ink_rope", "[1, 2, 3, 4]", "[5]");
      wrong(9, ink_attention(&c, h, g, g, 1.0f, all), "ink_attention", "[1, 2, 3, 4]",
            "[1, 2, 2, 4]");
      wrong(10, ink_attention(&c, g, g, h, 1.0f, all), "ink_attention", "[1, 2, 2, 4]",
            "[1, 2, 3, 4]");
      wrong(11, ink_linear_cross_entropy(&c, a, b, i, NULL, NULL), "ink_linear_cross_entropy",
            "[2, 3]", "[3, 2]");
      wrong(12, ink_linear_cross_entropy(&c, a, a, i, NULL, NULL), "ink_linear_cross_entropy",
            "[2, 3]", "[5]");
      wrong(13, ink_concat(&c, 0, 2, (const ink_tensor *const[]){a, b}), "ink_concat", "[2, 3]",
            "[3, 2]");
      wrong(14, ink_silu(&c, i), "ink_silu", "I32", "F32");
      wrong(15, ink_embedding(&c, a, v), "ink_embedding", "F32", "I32");
      wrong(16, ink_sum(&c, i), "ink_sum", "I32", "F32");
      wrong(17, ink_softmax(&c, i), "ink_softmax", "I32", "F32");
      wrong(18, ink_dropout(&c, a, 1.0f, ink_random_at(0, 0, 0)), "ink_dropout", "rate", "1");
      wrong(19, ink_add(&c, a, NULL), "ink_add", "operand 2", "NULL");
      wrong(20, ink_attention(&c, h, NULL, h, 1.0f, all), "ink_attention", "operand 2", "NULL");
      wrong(21, ink_squared_error(&c, a, b, NULL), "ink_squared_error", "[2, 3]", "[3, 2]");
      wrong(22, ink_squared_error(&c, b, b, v), "ink_squared_error", "[3, 2]", "[2]");
      wrong(23, ink_huber(&c, a, a, NULL, 0.0f), "ink_huber", "delta", "0");
      default:
        assert_int_equal(which, 24);
        ink_arena_free(arena);
        return;
    }
#undef wrong
    assert_null(result);
    ink_error error = {0};
    assert_int_not_equal(ink_compute_status(&c, &error), INK_OK);
    if (!strstr(error.text, name) || !strstr(error.text, first) || !strstr(error.text, second)) {
      fail_msg("case %d says: %s", which, error.text);
    }
  }
}

// Forward and backward of a subject in an arena that holds `limit` bytes more than its operands.
static ink_status run_within(const subject *s, size_t limit) {
  ink_arena *lasting = ink_arena_new(0), *tight = ink_arena_new(limit);
  ink_compute c = {.arena = tight, .tape = ink_tape_new(tight)};
  ink_tensor *in[MOST_INPUTS];
  for (int i = 0; i < s->n_inputs; i++) {
    in[i] = ink_tensor_new(lasting, INK_F32, s->input[i].rank, s->input[i].shape);
    ink_tensor *g = ink_tensor_new(lasting, INK_F32, s->input[i].rank, s->input[i].shape);
    size_t bytes = (size_t)ink_tensor_elements(g) * sizeof(float);
    memset(in[i]->data, 0, bytes);
    memset(g->data, 0, bytes);
    ink_error error = {0};
    assert_ok(ink_tape_parameter(lasting, in[i], g, &error));
  }
  ink_status status = INK_ERR_MEMORY;
  if (c.tape) {
    ink_tape_backward(&c, ink_sum(&c, s->run(&c, in)), 1.0f);
    status = ink_compute_status(&c, NULL);
  }
  ink_arena_free(tight);
  ink_arena_free(lasting);
  return status;
}

static void memory_that_runs_out_anywhere_is_an_error(void **state) {
  (void)state;
  for (int i = 0; i < n_subjects; i++) {
    const subject *s = &subjects[i];
    size_t limit = 64;
    ink_status status;
    int failures = -1;
    do {
      status = run_within(s, limit);
      assert_true(status == INK_OK || status == INK_ERR_MEMORY);
      limit += limit / 4 / 64 * 64 + 64;
      failures++;
    } while (status != INK_OK);
    assert_true(failures > 3);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gradient_of_a_transformer_equals_finite_differences),
      cmocka_unit_test(gradients_gather_over_passes),
      cmocka_unit_test(a_training_pass_has_the_same_bytes_on_any_team),
      cmocka_unit_test(a_pass_leaves_the_arena_as_it_found_it),
      cmocka_unit_test(what_does_not_lead_to_the_loss_gets_no_gradient),
      cmocka_unit_test(without_a_tape_nothing_is_recorded),
      cmocka_unit_test(a_parameter_must_match_its_gradient),
      cmocka_unit_test(bf16_gradients_stay_within_their_rounding),
      cmocka_unit_test(quantised_weights_pass_gradients_through),
      cmocka_unit_test(row_losses_come_unweighted),
      cmocka_unit_test(a_number_that_is_not_one_reaches_the_loss),
      cmocka_unit_test(exponentials_are_within_a_few_units_in_the_last_place),
      cmocka_unit_test(the_first_failure_stays_and_later_calls_do_nothing),
      cmocka_unit_test(operands_that_do_not_fit_are_named),
      cmocka_unit_test(memory_that_runs_out_anywhere_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
