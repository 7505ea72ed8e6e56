// Views and movement: which elements a view shows, what a copy holds, what is refused.
#include "base/arena.h"
#include "tensor/gemm.h"
#include "tensor/tape.h"
#include "testing.h"

static ink_compute fresh(void) {
  return (ink_compute){.arena = ink_arena_new(0)};
}

static void assert_refused(ink_compute *c, const void *result, ink_status status,
                           const char *const *words) {
  assert_null(result);
  ink_error error = {0};
  assert_int_equal(ink_compute_status(c, &error), status);
  for (; *words; words++) {
    if (!strstr(error.text, *words)) fail_msg("\"%s\" does not say \"%s\"", error.text, *words);
  }
  ink_arena_free(c->arena);
}

#define words_of(...) ((const char *const[]){__VA_ARGS__, NULL})

// 0, 1, 2, … in the given shape.
static ink_tensor *counting(ink_compute *c, int rank, const int64_t *shape) {
  ink_tensor *x = ink_tensor_new(c->arena, INK_F32, rank, shape);
  for (int64_t i = 0; i < ink_tensor_elements(x); i++) ((float *)x->data)[i] = (float)i;
  return x;
}

static float at(const ink_tensor *x, int64_t i, int64_t j, int64_t k) {
  return ((const float *)x->data)[i * x->stride[0] + j * x->stride[1] + k * x->stride[2]];
}

static void bytes_of_a_shape_are_checked_for_overflow_and_blocks(void **state) {
  (void)state;
  size_t bytes;
  assert_true(ink_tensor_bytes(INK_F32, 0, NULL, &bytes));
  assert_int_equal(bytes, 4);
  assert_true(ink_tensor_bytes(INK_Q4_K, 2, (int64_t[]){3, 512}, &bytes));
  assert_int_equal(bytes, 3 * 2 * 144);
  assert_false(ink_tensor_bytes(INK_Q4_K, 2, (int64_t[]){3, 500}, &bytes));
  assert_false(ink_tensor_bytes(INK_F32, 2, (int64_t[]){INT64_MAX, 2}, &bytes));
  assert_false(ink_tensor_bytes(INK_F32, 1, (int64_t[]){INT64_MAX}, &bytes));
  assert_false(ink_tensor_bytes(INK_F32, 1, (int64_t[]){-1}, &bytes));
  assert_false(ink_tensor_bytes(INK_F32, INK_MAX_RANK + 1, (int64_t[6]){1, 1, 1, 1, 1, 1}, &bytes));
}

static void describe_names_the_shape_and_never_overruns(void **state) {
  (void)state;
  char text[96];
  ink_tensor x = ink_tensor_view(INK_F32, NULL, 3, (int64_t[]){2, 7, 64});
  assert_string_equal(ink_tensor_describe(&x, text), "[2, 7, 64]");
  ink_tensor scalar = ink_tensor_view(INK_F32, NULL, 0, NULL);
  assert_string_equal(ink_tensor_describe(&scalar, text), "[]");
  ink_tensor huge = {.rank = 5};
  for (int i = 0; i < 5; i++) huge.shape[i] = INT64_MAX;
  assert_true(strlen(ink_tensor_describe(&huge, text)) < 96);
}

static void views_show_the_elements_they_name(void **state) {
  (void)state;
  ink_compute c = fresh();
  ink_tensor *x = counting(&c, 3, (int64_t[]){2, 3, 4});
  ink_tensor *turned = ink_permute(&c, x, (int[]){2, 0, 1});
  assert_int_equal(turned->shape[0], 4);
  ink_tensor *cut = ink_slice(&c, turned, 0, 1, 2);
  for (int64_t i = 0; i < 2; i++) {
    for (int64_t j = 0; j < 2; j++) {
      for (int64_t k = 0; k < 3; k++) {
        assert_true(at(cut, i, j, k) == (float)(j * 12 + k * 4 + i + 1));
      }
    }
  }
  ink_tensor *copied = ink_cast(&c, cut, INK_F32);
  assert_true(ink_tensor_is_contiguous(copied));
  for (int64_t i = 0; i < 12; i++) {
    assert_true(((float *)copied->data)[i] == at(cut, i / 6, i / 3 % 2, i % 3));
  }
  ink_tensor *flat = ink_reshape(&c, x, 2, (int64_t[]){-1, 6});
  assert_int_equal(flat->shape[0], 4);
  assert_ptr_equal(flat->data, x->data);
  ink_arena_free(c.arena);
}

static void reshape_of_a_strided_view_moves_nothing_or_is_refused(void **state) {
  (void)state;
  ink_compute c = fresh();
  ink_tensor *x = counting(&c, 3, (int64_t[]){2, 3, 12});
  ink_tensor *part = ink_slice(&c, x, 2, 4, 4);  // as one of q, k, v of a joint projection
  ink_tensor *heads = ink_reshape(&c, part, 4, (int64_t[]){2, 3, 2, 2});
  assert_non_null(heads);
  for (int64_t i = 0; i < 24; i++) {
    const float *e = (const float *)heads->data + i / 12 * heads->stride[0] +
                     i / 4 % 3 * heads->stride[1] + i / 2 % 2 * heads->stride[2] +
                     i % 2 * heads->stride[3];
    assert_true(*e == (float)(i / 4 * 12 + 4 + i % 4));
  }
  assert_non_null(ink_reshape(&c, part, 2, (int64_t[]){6, 4}));
  ink_tensor *turned = ink_permute(&c, x, (int[]){1, 0, 2});
  assert_refused(&c, ink_reshape(&c, turned, 2, (int64_t[]){6, 12}), INK_ERR_USAGE,
                 words_of("ink_reshape", "[3, 2, 12]"));
}

static void reshape_refuses_another_number_of_elements(void **state) {
  (void)state;
  ink_compute c = fresh();
  ink_tensor *x = counting(&c, 2, (int64_t[]){2, 6});
  assert_refused(&c, ink_reshape(&c, x, 2, (int64_t[]){-1, 5}), INK_ERR_CONFLICT,
                 words_of("ink_reshape", "[2, 6]", "[-1, 5]"));
  c = fresh();
  x = counting(&c, 2, (int64_t[]){2, 6});
  assert_refused(&c, ink_reshape(&c, x, 2, (int64_t[]){-1, -1}), INK_ERR_CONFLICT,
                 words_of("ink_reshape"));
  c = fresh();
  x = counting(&c, 2, (int64_t[]){2, 6});
  assert_refused(&c, ink_reshape(&c, x, 2, (int64_t[]){INT64_MAX, INT64_MAX}), INK_ERR_CONFLICT,
                 words_of("ink_reshape"));
}

static void permute_and_slice_refuse_what_is_not_there(void **state) {
  (void)state;
  ink_compute c = fresh();
  ink_tensor *x = counting(&c, 2, (int64_t[]){2, 6});
  assert_refused(&c, ink_permute(&c, x, (int[]){0, 0}), INK_ERR_USAGE,
                 words_of("ink_permute", "[2, 6]"));
  const struct {
    int dimension;
    int64_t start, length;
  } wrong[] = {{2, 0, 1}, {-1, 0, 1}, {1, -1, 2}, {1, 5, 2}, {1, 0, -1}, {1, INT64_MAX, INT64_MAX}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    c = fresh();
    x = counting(&c, 2, (int64_t[]){2, 6});
    assert_refused(&c, ink_slice(&c, x, wrong[i].dimension, wrong[i].start, wrong[i].length),
                   INK_ERR_USAGE, words_of("ink_slice", "[2, 6]"));
  }
}

static void slices_of_blocks_fall_on_blocks(void **state) {
  (void)state;
  ink_compute c = fresh();
  float values[2 * 96];
  for (int i = 0; i < 192; i++) values[i] = (float)(i % 17) - 8.0f;
  ink_tensor *x = ink_tensor_new(c.arena, INK_Q8_0, 2, (int64_t[]){2, 96});
  ink_from_f32(INK_Q8_0, values, x->data, 192);
  ink_tensor *rows = ink_slice(&c, x, 0, 1, 1), *wide = ink_cast(&c, rows, INK_F32);
  assert_non_null(wide);
  for (int i = 0; i < 96; i++) {
    assert_true(((float *)wide->data)[i] - values[96 + i] < 0.05f);
    assert_true(((float *)wide->data)[i] - values[96 + i] > -0.05f);
  }
  ink_tensor *columns = ink_slice(&c, x, 1, 32, 64);
  assert_int_equal((char *)columns->data - (char *)x->data, 34);
  assert_refused(&c, ink_slice(&c, x, 1, 16, 32), INK_ERR_USAGE, words_of("ink_slice"));
}

static void store_writes_through_a_view_and_converts(void **state) {
  (void)state;
  ink_compute c = fresh();
  ink_tensor *x = counting(&c, 2, (int64_t[]){3, 2});
  ink_tensor *cache = ink_tensor_new(c.arena, INK_F16, 2, (int64_t[]){3, 5});
  memset(cache->data, 0, 30);
  ink_store(&c, x, ink_slice(&c, cache, 1, 2, 2));
  ink_tensor *seen = ink_cast(&c, cache, INK_F32);
  assert_non_null(seen);
  for (int i = 0; i < 15; i++) {
    int column = i % 5;
    float wanted = column == 2 || column == 3 ? (float)(i / 5 * 2 + column - 2) : 0.0f;
    assert_true(((float *)seen->data)[i] == wanted);
  }
  ink_store(&c, x, cache);
  assert_refused(&c, NULL, INK_ERR_CONFLICT, words_of("ink_store", "[3, 2]", "[3, 5]"));
}

static void casts_round_and_widen_any_length(void **state) {
  (void)state;
  ink_compute c = fresh();
  // More than one range of work, with a remainder; 16 bits hold these exactly.
  const int64_t n = 40007;
  ink_tensor *x = ink_tensor_new(c.arena, INK_F32, 1, &n);
  for (int64_t i = 0; i < n; i++) ((float *)x->data)[i] = (float)(i % 200 - 100);
  const ink_dtype types[] = {INK_F16, INK_BF16};
  for (int t = 0; t < 2; t++) {
    ink_tensor *narrow = ink_cast(&c, x, types[t]), *wide = ink_cast(&c, narrow, INK_F32);
    assert_non_null(wide);
    assert_memory_equal(wide->data, x->data, (size_t)n * sizeof(float));
  }
  assert_non_null(ink_cast(&c, ink_cast(&c, x, INK_F16), INK_BF16));
  assert_refused(&c, ink_cast(&c, x, INK_Q8_0), INK_ERR_UNSUPPORTED, words_of("ink_cast", "Q8_0"));
}

static void embedding_reads_any_type_and_refuses_ids_outside(void **state) {
  (void)state;
  ink_compute c = fresh();
  float table[4 * 32];
  for (int i = 0; i < 128; i++) table[i] = (float)(i / 32 + 1) * (i % 2 ? 127.0f : -127.0f);
  const ink_dtype types[] = {INK_F32, INK_F16, INK_BF16, INK_Q8_0};
  int32_t id[3] = {3, 0, 3};
  ink_tensor ids = ink_tensor_view(INK_I32, id, 2, (int64_t[]){3, 1});
  for (int t = 0; t < 4; t++) {
    ink_tensor *stored = ink_tensor_new(c.arena, types[t], 2, (int64_t[]){4, 32});
    ink_from_f32(types[t], table, stored->data, 128);
    ink_tensor *rows = ink_embedding(&c, stored, &ids);
    assert_non_null(rows);
    assert_int_equal(rows->rank, 3);
    assert_memory_equal(rows->data, table + 96, 32 * sizeof(float));
    assert_memory_equal((float *)rows->data + 32, table, 32 * sizeof(float));
  }
  ink_tensor f32 = ink_tensor_view(INK_F32, table, 2, (int64_t[]){4, 32});
  id[1] = 4;
  assert_refused(&c, ink_embedding(&c, &f32, &ids), INK_ERR_USAGE,
                 words_of("ink_embedding", "id 4", "[4, 32]"));
  c = fresh();
  id[1] = -1;
  assert_refused(&c, ink_embedding(&c, &f32, &ids), INK_ERR_USAGE, words_of("id -1"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_of_a_shape_are_checked_for_overflow_and_blocks),
      cmocka_unit_test(describe_names_the_shape_and_never_overruns),
      cmocka_unit_test(views_show_the_elements_they_name),
      cmocka_unit_test(reshape_of_a_strided_view_moves_nothing_or_is_refused),
      cmocka_unit_test(reshape_refuses_another_number_of_elements),
      cmocka_unit_test(permute_and_slice_refuse_what_is_not_there),
      cmocka_unit_test(slices_of_blocks_fall_on_blocks),
      cmocka_unit_test(store_writes_through_a_view_and_converts),
      cmocka_unit_test(casts_round_and_widen_any_length),
      cmocka_unit_test(embedding_reads_any_type_and_refuses_ids_outside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
