// Products against sums in double precision: every operand type, stride, edge size, accumulate and
// bias, and the promise that neither threads nor other rows change a byte.
#include <math.h>

#include "base/random.h"
#include "tensor/gemm.h"
#include "tensor/isa.h"
#include "testing.h"

// A matrix with its memory: rows x columns, by rows or by columns, with a gap between lines.
typedef struct operand {
  ink_matrix m;
  void *memory;
} operand;

static operand operand_new(ink_dtype dtype, int64_t rows, int64_t columns, bool by_rows,
                           int64_t gap, uint64_t seed) {
  const ink_dtype_info *type = ink_dtype_about(dtype);
  int64_t lines = by_rows ? rows : columns, length = by_rows ? columns : rows;
  int64_t stride = length + gap * type->block_elements;
  float *values = malloc((size_t)(lines * stride + 1) * sizeof *values);
  ink_random random = ink_random_at(seed, 7, 0);
  for (int64_t i = 0; i < lines * stride; i++) {
    values[i] = (float)ink_random_normal(&random);
  }
  size_t bytes = (size_t)(lines * stride / type->block_elements) * type->block_bytes;
  operand o = {.memory = malloc(bytes + 1)};
  ink_from_f32(dtype, values, o.memory, lines * stride);
  free(values);
  o.m = (ink_matrix){dtype, o.memory, rows, columns, by_rows ? stride : 1, by_rows ? 1 : stride};
  return o;
}

// All elements in double precision, rows x columns.
static double *decoded(const ink_matrix *m) {
  const ink_dtype_info *type = ink_dtype_about(m->dtype);
  bool by_rows = m->column_stride == 1;
  int64_t lines = by_rows ? m->rows : m->columns, length = by_rows ? m->columns : m->rows;
  int64_t stride = by_rows ? m->row_stride : m->column_stride;
  double *out = malloc((size_t)(m->rows * m->columns + 1) * sizeof *out);
  float *line = malloc((size_t)(length + 1) * sizeof *line);
  for (int64_t i = 0; i < lines; i++) {
    ink_to_f32(
        m->dtype,
        (const char *)m->data + (size_t)(i * stride / type->block_elements) * type->block_bytes,
        line, length);
    for (int64_t j = 0; j < length; j++) {
      out[by_rows ? i * m->columns + j : j * m->columns + i] = (double)line[j];
    }
  }
  free(line);
  return out;
}

typedef struct setting {
  ink_dtype a_dtype, b_dtype;
  bool a_by_rows, b_by_rows;
  int64_t m, n, k, gap;
  bool bias, accumulate;
  ink_precision precision;
} setting;

// Largest deviation from the double-precision product, in units of sum |a||b| (the scale of
// rounding error in any order of summation).
static double deviation(const setting *s, ink_pool *pool) {
  operand a = operand_new(s->a_dtype, s->m, s->k, s->a_by_rows, s->gap, 1);
  operand b = operand_new(s->b_dtype, s->k, s->n, s->b_by_rows, s->gap, 2);
  double *da = decoded(&a.m), *db = decoded(&b.m);
  int64_t stride = s->n + s->gap;
  float *result = malloc((size_t)(s->m * stride + 1) * sizeof *result);
  float *before = malloc((size_t)(s->m * stride + 1) * sizeof *before);
  float *bias = malloc((size_t)(s->n + 1) * sizeof *bias);
  ink_random random = ink_random_at(3, 7, 0);
  for (int64_t i = 0; i < s->m * stride; i++) {
    before[i] = result[i] = (float)ink_random_normal(&random);
  }
  for (int64_t j = 0; j < s->n; j++) bias[j] = (float)ink_random_normal(&random);
  ink_error error = {0};
  assert_ok(ink_gemm(pool, s->precision, a.m, b.m, s->bias ? bias : NULL, result, stride,
                     s->accumulate, &error));
  double worst = 0;
  for (int64_t i = 0; i < s->m; i++) {
    for (int64_t j = 0; j < s->n; j++) {
      double sum = s->bias ? (double)bias[j] : 0, scale = fabs(sum) + 1e-30;
      if (s->accumulate) {
        sum += (double)before[i * stride + j];
        scale += fabs((double)before[i * stride + j]);
      }
      for (int64_t k = 0; k < s->k; k++) {
        double term = da[i * s->k + k] * db[k * s->n + j];
        sum += term;
        scale += fabs(term);
      }
      worst = fmax(worst, fabs((double)result[i * stride + j] - sum) / scale);
      if (isnan(result[i * stride + j])) worst = INFINITY;
    }
    for (int64_t j = s->n; j < stride; j++) {
      assert_true(result[i * stride + j] == before[i * stride + j]);
    }
  }
  free(bias);
  free(before);
  free(result);
  free(da);
  free(db);
  free(a.memory);
  free(b.memory);
  return worst;
}

static void expect(const setting *s, ink_pool *pool, double most) {
  double found = deviation(s, pool);
  if (!(found <= most)) {
    fail_msg("%s(%s) x %s(%s) m %d n %d k %d bias %d accumulate %d precision %d: %g > %g",
             ink_dtype_about(s->a_dtype)->name, s->a_by_rows ? "rows" : "columns",
             ink_dtype_about(s->b_dtype)->name, s->b_by_rows ? "rows" : "columns", (int)s->m,
             (int)s->n, (int)s->k, s->bias, s->accumulate, (int)s->precision, found, most);
  }
}

static void f32_products_of_every_layout_match_double(void **state) {
  (void)state;
  static const int sizes[][3] = {{1, 1, 1},    {1, 5, 3},     {2, 3, 0},      {7, 1, 9},
                                 {5, 17, 33},  {13, 31, 64},  {64, 48, 129},  {33, 300, 70},
                                 {270, 33, 5}, {1, 700, 513}, {259, 515, 387}};
  ink_pool *pool = ink_pool_new(2);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    for (int form = 0; form < 32; form++) {
      setting s = {INK_F32,       INK_F32,       form & 1,         form >> 1 & 1,
                   sizes[i][0],   sizes[i][1],   sizes[i][2],      form & 4 ? 3 : 0,
                   form >> 3 & 1, form >> 4 & 1, INK_PRECISION_F32};
      expect(&s, pool, 2e-6);
    }
  }
  ink_pool_free(pool);
}

static void every_operand_type_matches_double(void **state) {
  (void)state;
  ink_pool *pool = ink_pool_new(2);
  static const int rows[] = {1, 2, 7, 40};
  for (int a = 0; a < 2; a++) {
    for (ink_dtype b = INK_F32; b < INK_DTYPE_COUNT; b++) {
      if (b == INK_I32) continue;
      for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        for (int form = 0; form < 8; form++) {
          if (ink_dtype_is_block(b) && form & 2) continue;  // stored by columns of b only
          setting s = {
              a ? INK_BF16 : INK_F32, b,    !(form & 1), form >> 1 & 1,    rows[r], 61, 768,
              form & 4 ? 1 : 0,       true, form & 1,    INK_PRECISION_F32};
          expect(&s, pool, 2e-6);
        }
      }
    }
  }
  ink_pool_free(pool);
}

static void bf16_precision_stays_within_its_rounding(void **state) {
  (void)state;
  for (int form = 0; form < 16; form++) {
    setting s = {INK_F32, INK_F32,       form & 1,      form >> 1 & 1,     67, 83, 259,
                 0,       form >> 2 & 1, form >> 3 & 1, INK_PRECISION_BF16};
    expect(&s, NULL, 1.0 / 256);  // two operands rounded by at most 2^-9 each
    // Operands that are bf16 already lose nothing.
    s.a_dtype = s.b_dtype = INK_BF16;
    expect(&s, NULL, 2e-6);
  }
}

static void threads_do_not_change_a_byte(void **state) {
  (void)state;
  static const ink_dtype types[] = {INK_F32, INK_BF16, INK_Q8_0, INK_Q4_K};
  static const int rows[] = {1, 5, 300};
  for (size_t t = 0; t < 4; t++) {
    for (size_t r = 0; r < 3; r++) {
      for (int precision = 0; precision < 2; precision++) {
        int64_t m = rows[r], n = 611, k = 512;
        operand a = operand_new(INK_F32, m, k, true, 0, 5);
        operand b = operand_new(types[t], k, n, false, 0, 6);
        size_t bytes = (size_t)(m * n) * sizeof(float);
        float *first = malloc(bytes), *other = malloc(bytes);
        ink_error error = {0};
        assert_ok(
            ink_gemm(NULL, (ink_precision)precision, a.m, b.m, NULL, first, n, false, &error));
        for (int threads = 2; threads <= 7; threads += 5) {
          ink_pool *pool = ink_pool_new(threads);
          memset(other, 255, bytes);
          assert_ok(
              ink_gemm(pool, (ink_precision)precision, a.m, b.m, NULL, other, n, false, &error));
          assert_memory_equal(first, other, bytes);
          ink_pool_free(pool);
        }
        free(first);
        free(other);
        free(a.memory);
        free(b.memory);
      }
    }
  }
}

static void rows_do_not_depend_on_other_rows(void **state) {
  (void)state;
  static const int shapes[][2] = {{61, 96}, {256, 256}, {688, 256}, {300, 768}, {1025, 512}};
  static const int counts[] = {1, 2, 3, 4, 5, 7, 8, 12, 13, 16, 31, 48, 64, 100, 512};
  ink_pool *pool = ink_pool_new(2);
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    for (ink_dtype type = INK_F32; type < INK_DTYPE_COUNT; type++) {
      int64_t n = shapes[s][0], k = shapes[s][1], most = 512;
      if (type == INK_I32 || k % ink_dtype_about(type)->block_elements != 0) continue;
      for (int precision = 0; precision < 2; precision++) {
        operand a = operand_new(INK_F32, most, k, true, 0, 8);
        operand b = operand_new(type, k, n, false, 0, 9);
        float *all = malloc((size_t)(most * n) * sizeof *all);
        float *some = malloc((size_t)(most * n) * sizeof *some);
        ink_error error = {0};
        assert_ok(ink_gemm(pool, (ink_precision)precision, a.m, b.m, NULL, all, n, false, &error));
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
          ink_matrix part = a.m;
          int64_t start = most - counts[c];
          part.rows = counts[c];
          part.data = (const float *)a.m.data + start * k;
          assert_ok(
              ink_gemm(pool, (ink_precision)precision, part, b.m, NULL, some, n, false, &error));
          if (memcmp(some, all + start * n, (size_t)(counts[c] * n) * sizeof *some) != 0) {
            fail_msg("%s n %d k %d precision %d: %d rows alone differ", ink_dtype_about(type)->name,
                     (int)n, (int)k, precision, counts[c]);
          }
        }
        free(all);
        free(some);
        free(a.memory);
        free(b.memory);
      }
    }
  }
  ink_pool_free(pool);
}

// Kernels decode coded weights in ways of their own; the values must be those of ink_to_f32.
static void a_coded_weight_gives_the_bytes_of_its_decoded_twin(void **state) {
  (void)state;
  static const int64_t depths[] = {32, 96, 160, 256, 288, 512, 768, 1024};
  static const int64_t counts[] = {1, 2, 3, 4, 5, 15, 40};
  const int64_t n = 183;  // two whole panels and more, and a rest
  ink_pool *pool = ink_pool_new(2);
  for (ink_dtype type = INK_F16; type < INK_DTYPE_COUNT; type++) {
    if (type == INK_I32) continue;
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++) {
      int64_t k = depths[d];
      if (k % ink_dtype_about(type)->block_elements != 0) continue;
      operand coded = operand_new(type, k, n, false, 1, 21);
      operand twin = operand_new(INK_F32, k, n, false, 0, 22);
      const ink_dtype_info *about = ink_dtype_about(type);
      int64_t line = coded.m.column_stride / about->block_elements * (int64_t)about->block_bytes;
      for (int64_t j = 0; j < n; j++) {
        ink_to_f32(type, (const char *)coded.memory + j * line, (float *)twin.memory + j * k, k);
      }
      for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        int64_t m = counts[c];
        operand a = operand_new(INK_F32, m, k, true, 0, 23);
        float *result = malloc((size_t)(m * n) * sizeof *result);
        float *expected = malloc((size_t)(m * n) * sizeof *expected);
        ink_error error = {0};
        assert_ok(ink_gemm(pool, INK_PRECISION_F32, a.m, coded.m, NULL, result, n, false, &error));
        assert_ok(ink_gemm(pool, INK_PRECISION_F32, a.m, twin.m, NULL, expected, n, false, &error));
        if (memcmp(result, expected, (size_t)(m * n) * sizeof *result) != 0) {
          fail_msg("%s: %d rows of k %d differ", about->name, (int)m, (int)k);
        }
        free(result);
        free(expected);
        free(a.memory);
      }
      free(coded.memory);
      free(twin.memory);
    }
  }
  ink_pool_free(pool);
}

static void operands_that_do_not_fit_are_errors(void **state) {
  (void)state;
  float memory[64] = {0}, result[64];
  ink_error error = {0};
  ink_matrix a = {INK_F32, memory, 4, 4, 4, 1}, b = {INK_F32, memory, 5, 4, 4, 1};
  assert_int_equal(ink_gemm(NULL, INK_PRECISION_F32, a, b, NULL, result, 4, false, &error),
                   INK_ERR_INTERNAL);
  b = (ink_matrix){INK_F32, memory, 4, 4, 2, 8};
  assert_int_not_equal(ink_gemm(NULL, INK_PRECISION_F32, a, b, NULL, result, 4, false, &error),
                       INK_OK);
  b = (ink_matrix){INK_I32, memory, 4, 4, 4, 1};
  assert_int_equal(ink_gemm(NULL, INK_PRECISION_F32, a, b, NULL, result, 4, false, &error),
                   INK_ERR_UNSUPPORTED);
  b = (ink_matrix){INK_Q8_0, memory, 4, 4, 1, 32};
  assert_int_not_equal(ink_gemm(NULL, INK_PRECISION_F32, a, b, NULL, result, 4, false, &error),
                       INK_OK);
}

static void the_forced_instruction_set_is_in_use(void **state) {
  (void)state;
  const char *wanted = getenv("INKSTONE_ISA");
  ink_error error = {0};
  if (!wanted) {
    assert_ok(ink_cpu_check(&error));
    return;
  }
  if (ink_cpu_check(&error) != INK_OK) {
    print_message("# %s\n", error.text);
    skip();
  }
  assert_string_equal(ink_isa_name(ink_cpu_about()->isa), wanted);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_forced_instruction_set_is_in_use),
      cmocka_unit_test(f32_products_of_every_layout_match_double),
      cmocka_unit_test(every_operand_type_matches_double),
      cmocka_unit_test(bf16_precision_stays_within_its_rounding),
      cmocka_unit_test(threads_do_not_change_a_byte),
      cmocka_unit_test(rows_do_not_depend_on_other_rows),
      cmocka_unit_test(a_coded_weight_gives_the_bytes_of_its_decoded_twin),
      cmocka_unit_test(operands_that_do_not_fit_are_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
