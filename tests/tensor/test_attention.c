// What generation relies on: a token's attention has the same bytes however it is computed, in one
// pass, token by token from a cache, or beside others.
#include <math.h>

#include "base/arena.h"
#include "base/random.h"
#include "tensor/ops.h"
#include "testing.h"

enum { KEYS = 1200, HEADS = 6, GROUPS = 2, WIDTH = 24 };

typedef struct sequence {
  ink_arena *arena;
  ink_tensor *q, *k, *v;  // (1, KEYS, …)
} sequence;

static ink_tensor *noise(ink_arena *arena, int64_t heads, uint64_t stream) {
  ink_tensor *x = ink_tensor_new(arena, INK_F32, 4, (int64_t[]){1, KEYS, heads, WIDTH});
  ink_random random = ink_random_at(3, stream, 0);
  for (int64_t i = 0; i < ink_tensor_elements(x); i++) {
    ((float *)x->data)[i] = (float)ink_random_normal(&random);
  }
  return x;
}

static sequence begin(void) {
  ink_arena *arena = ink_arena_new(0);
  return (sequence){arena, noise(arena, HEADS, 0), noise(arena, GROUPS, 1),
                    noise(arena, GROUPS, 2)};
}

// Queries [from, to) over the keys before `to`, whose elements have the given type.
static const float *attend(ink_compute *c, const sequence *s, int64_t from, int64_t to,
                           ink_dtype type) {
  const ink_tensor *k = s->k, *v = s->v;
  if (type != INK_F32) {
    k = ink_cast(c, k, type);
    v = ink_cast(c, v, type);
  }
  ink_attention_mask mask = {.causal = true, .query_offset = from};
  ink_tensor *y = ink_attention(c, ink_slice(c, s->q, 1, from, to - from),
                                ink_slice(c, k, 1, 0, to), ink_slice(c, v, 1, 0, to), 0.2f, mask);
  ink_error error = {0};
  assert_ok(ink_compute_status(c, &error));
  return y->data;
}

static void a_token_from_the_cache_equals_the_same_token_in_one_pass(void **state) {
  (void)state;
  sequence s = begin();
  ink_pool *pool = ink_pool_new(3);
  const ink_dtype types[] = {INK_F32, INK_F16, INK_BF16};
  for (int t = 0; t < 3; t++) {
    ink_compute c = {.arena = s.arena, .pool = t == 1 ? NULL : pool};
    const float *whole = attend(&c, &s, 0, KEYS, types[t]);
    const int64_t row = HEADS * WIDTH;
    const int64_t cuts[][2] = {{0, 1},     {1, 2},     {63, 64},    {64, 65},        {500, 513},
                               {511, 512}, {512, 513}, {700, 1100}, {KEYS - 1, KEYS}};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
      const float *part = attend(&c, &s, cuts[i][0], cuts[i][1], types[t]);
      assert_memory_equal(part, whole + cuts[i][0] * row,
                          (size_t)((cuts[i][1] - cuts[i][0]) * row) * sizeof(float));
    }
  }
  ink_pool_free(pool);
  ink_arena_free(s.arena);
}

static void a_packed_document_equals_the_document_alone(void **state) {
  (void)state;
  sequence s = begin();
  ink_compute c = {.arena = s.arena};
  enum { FROM = 128, TO = 310, TIME = 400 };  // chunks are counted from key 0: a multiple of 64
  int32_t first[TIME];
  for (int i = 0; i < TIME; i++) first[i] = i < FROM ? 0 : i < TO ? FROM : TO;
  ink_tensor first_key = ink_tensor_view(INK_I32, first, 2, (int64_t[]){1, TIME});
  ink_tensor *q = ink_slice(&c, s.q, 1, 0, TIME), *k = ink_slice(&c, s.k, 1, 0, TIME);
  ink_tensor *v = ink_slice(&c, s.v, 1, 0, TIME);
  ink_tensor *packed = ink_attention(&c, q, k, v, 0.2f,
                                     (ink_attention_mask){.causal = true, .first_key = &first_key});
  ink_tensor *alone = ink_attention(
      &c, ink_slice(&c, q, 1, FROM, TO - FROM), ink_slice(&c, k, 1, FROM, TO - FROM),
      ink_slice(&c, v, 1, FROM, TO - FROM), 0.2f, (ink_attention_mask){.causal = true});
  assert_non_null(packed);
  assert_non_null(alone);
  assert_memory_equal((float *)packed->data + FROM * HEADS * WIDTH, alone->data,
                      (TO - FROM) * HEADS * WIDTH * sizeof(float));
  ink_arena_free(s.arena);
}

static void a_long_document_does_not_depend_on_the_one_before_it(void **state) {
  (void)state;
  sequence s = begin();
  ink_compute c = {.arena = s.arena};
  enum { FROM = 300 };
  int32_t first[KEYS];
  for (int i = 0; i < KEYS; i++) first[i] = i < FROM ? 0 : FROM;
  ink_tensor all = ink_tensor_view(INK_I32, first, 2, (int64_t[]){1, KEYS});
  ink_tensor *own = ink_slice(&c, &all, 1, FROM, KEYS - FROM);
  ink_tensor *both = ink_attention(&c, s.q, s.k, s.v, 0.2f,
                                   (ink_attention_mask){.causal = true, .first_key = &all});
  ink_tensor *one =
      ink_attention(&c, ink_slice(&c, s.q, 1, FROM, KEYS - FROM), s.k, s.v, 0.2f,
                    (ink_attention_mask){.causal = true, .query_offset = FROM, .first_key = own});
  assert_non_null(both);
  assert_non_null(one);
  assert_memory_equal((float *)both->data + FROM * HEADS * WIDTH, one->data,
                      (KEYS - FROM) * HEADS * WIDTH * sizeof(float));
  ink_arena_free(s.arena);
}

static void rope_turns_by_any_position(void **state) {
  (void)state;
  ink_arena *arena = ink_arena_new(0);
  ink_compute c = {.arena = arena};
  float x[4 * 2] = {1, 0, 0, 1, 1, 0, 1, 0}, frequency = 0.5f;
  int32_t near[4] = {0, 3, -2, 1}, far[4] = {0, 3, 2, 100000};
  ink_tensor q = ink_tensor_view(INK_F32, x, 4, (int64_t[]){1, 4, 1, 2});
  ink_tensor f = ink_tensor_view(INK_F32, &frequency, 1, (int64_t[]){1});
  for (int which = 0; which < 2; which++) {
    int32_t *position = which ? far : near;
    ink_tensor p = ink_tensor_view(INK_I32, position, 1, (int64_t[]){4});
    ink_tensor *y = ink_rope(&c, &q, &p, &f, INK_ROPE_HALVES);
    assert_non_null(y);
    const float *turned = y->data;
    for (int i = 0; i < 4; i++) {
      double angle = 0.5 * position[i] + (i == 1 ? acos(-1.0) / 2 : 0.0);
      assert_true(fabs((double)turned[2 * i] - cos(angle)) < 1e-6);
      assert_true(fabs((double)turned[2 * i + 1] - sin(angle)) < 1e-6);
    }
  }
  ink_arena_free(arena);
}

static void batch_mates_do_not_change_a_byte(void **state) {
  (void)state;
  sequence s = begin();
  ink_compute c = {.arena = s.arena};
  // The sequence as three items of 400.
  ink_tensor *q = ink_reshape(&c, s.q, 4, (int64_t[]){3, 400, HEADS, WIDTH});
  ink_tensor *k = ink_reshape(&c, s.k, 4, (int64_t[]){3, 400, GROUPS, WIDTH});
  ink_tensor *v = ink_reshape(&c, s.v, 4, (int64_t[]){3, 400, GROUPS, WIDTH});
  ink_attention_mask mask = {.causal = true};
  ink_tensor *together = ink_attention(&c, q, k, v, 0.2f, mask);
  ink_tensor *one = ink_attention(&c, ink_slice(&c, q, 0, 1, 1), ink_slice(&c, k, 0, 1, 1),
                                  ink_slice(&c, v, 0, 1, 1), 0.2f, mask);
  assert_non_null(one);
  assert_memory_equal((float *)together->data + 400 * HEADS * WIDTH, one->data,
                      400 * HEADS * WIDTH * sizeof(float));
  ink_arena_free(s.arena);
}

static void a_query_without_keys_gives_zero(void **state) {
  (void)state;
  sequence s = begin();
  ink_compute c = {.arena = s.arena};
  int32_t first[2] = {0, 2};
  ink_tensor first_key = ink_tensor_view(INK_I32, first, 2, (int64_t[]){1, 2});
  ink_tensor *y = ink_attention(&c, ink_slice(&c, s.q, 1, 0, 2), ink_slice(&c, s.k, 1, 0, 2),
                                ink_slice(&c, s.v, 1, 0, 2), 0.2f,
                                (ink_attention_mask){.causal = true, .first_key = &first_key});
  assert_non_null(y);
  for (int i = 0; i < HEADS * WIDTH; i++) {
    assert_true(((float *)y->data)[HEADS * WIDTH + i] == 0.0f);
  }
  ink_tensor *nothing =
      ink_attention(&c, s.q, ink_slice(&c, s.k, 1, 0, 0), ink_slice(&c, s.v, 1, 0, 0), 0.2f,
                    (ink_attention_mask){.causal = false});
  assert_non_null(nothing);
  assert_true(((float *)nothing->data)[5] == 0.0f);
  ink_arena_free(s.arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_token_from_the_cache_equals_the_same_token_in_one_pass),
      cmocka_unit_test(a_packed_document_equals_the_document_alone),
      cmocka_unit_test(a_long_document_does_not_depend_on_the_one_before_it),
      cmocka_unit_test(rope_turns_by_any_position),
      cmocka_unit_test(batch_mates_do_not_change_a_byte),
      cmocka_unit_test(a_query_without_keys_gives_zero),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
