// Types of a quantisation, blocks against ggml's reference, and the passage of tensors.
#include <math.h>

#include "base/pool.h"
#include "tensor/gemm.h"
#include "testing.h"
#include "weights/quantize.h"

static void names_are_read_without_regard_to_case(void **state) {
  (void)state;
  ink_error error = {0};
  ink_quant quant;
  for (int i = 0; i < INK_QUANT_COUNT; i++) {
    assert_ok(ink_quant_parse(ink_quant_name((ink_quant)i), &quant, &error));
    assert_int_equal(quant, i);
  }
  assert_ok(ink_quant_parse("q4_k_m", &quant, &error));
  assert_int_equal(quant, INK_QUANT_Q4_K_M);
  assert_ok(ink_quant_parse("q4_k", &quant, &error));
  assert_int_equal(quant, INK_QUANT_Q4_K_M);
  assert_int_equal(ink_quant_parse("q5_k_m", &quant, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "Q4_K_M"));
}

static void the_mix_of_q4_k_m_is_that_of_llama_cpp(void **state) {
  (void)state;
  const int64_t wide[] = {64, 512}, narrow[] = {64, 96}, odd[] = {64, 40};
  static const struct {
    const char *name;
    ink_dtype expected;
  } cases[] = {// Of 16 layers: the first two, the last two, and 4, 7, 10, 13.
               {"blk.0.attn_v.weight", INK_Q6_K},   {"blk.1.ffn_down.weight", INK_Q6_K},
               {"blk.2.attn_v.weight", INK_Q4_K},   {"blk.3.attn_v.weight", INK_Q4_K},
               {"blk.4.attn_v.weight", INK_Q6_K},   {"blk.5.ffn_down.weight", INK_Q4_K},
               {"blk.7.ffn_down.weight", INK_Q6_K}, {"blk.13.attn_v.weight", INK_Q6_K},
               {"blk.14.attn_v.weight", INK_Q6_K},  {"blk.15.ffn_down.weight", INK_Q6_K},
               {"blk.0.attn_q.weight", INK_Q4_K},   {"blk.0.ffn_up.weight", INK_Q4_K},
               {"output.weight", INK_Q6_K},         {"token_embd.weight", INK_Q4_K},
               {"blk.3.attn_qkv.weight", INK_Q6_K}, {"position_embd.weight", INK_F32}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_dtype got = ink_quant_dtype(INK_QUANT_Q4_K_M, cases[i].name, 2, wide, INK_F16, 16, false);
    if (got != cases[i].expected) fail_msg("%s is %s", cases[i].name, ink_dtype_about(got)->name);
  }
#define TYPE(quant, name, rank, shape, tied) \
  ink_quant_dtype(quant, name, rank, shape, INK_BF16, 16, tied)
  assert_int_equal(TYPE(INK_QUANT_Q4_K_M, "token_embd.weight", 2, wide, true), INK_Q6_K);
  assert_int_equal(TYPE(INK_QUANT_Q4_0, "token_embd.weight", 2, wide, true), INK_Q6_K);
  assert_int_equal(TYPE(INK_QUANT_Q4_0, "output.weight", 2, narrow, false), INK_Q8_0);
  assert_int_equal(TYPE(INK_QUANT_Q4_K_M, "blk.3.ffn_up.weight", 2, narrow, false), INK_Q8_0);
  assert_int_equal(TYPE(INK_QUANT_Q4_K_M, "blk.3.ffn_up.weight", 2, odd, false), INK_F16);
  assert_int_equal(TYPE(INK_QUANT_Q8_0, "blk.3.ffn_up.weight", 2, odd, false), INK_F16);
  for (int i = 0; i < INK_QUANT_COUNT; i++) {
    assert_int_equal(TYPE((ink_quant)i, "blk.3.attn_norm.weight", 1, wide, false), INK_F32);
  }
  assert_int_equal(TYPE(INK_QUANT_KEEP, "blk.3.ffn_up.weight", 2, wide, false), INK_BF16);
}

typedef struct fixture {
  ink_safetensors *file;
} fixture;

static int open_fixture(void **state) {
  static fixture f;
  *state = &f;
  return ink_safetensors_open(fixture_path("weights/quants.safetensors"), &f.file, NULL) != INK_OK;
}

static int close_fixture(void **state) {
  ink_safetensors_close(((fixture *)*state)->file);
  return 0;
}

static const ink_stored_tensor *tensor_of(const fixture *f, const char *type, const char *what) {
  char name[32];
  snprintf(name, sizeof name, "%s.%s", type, what);
  const ink_stored_tensor *tensor = ink_safetensors_find(f->file, name);
  if (!tensor) fail_msg("%s is missing", name);
  return tensor;
}

static void blocks_mean_what_they_mean_in_ggml(void **state) {
  static const ink_dtype types[] = {INK_Q8_0, INK_Q4_0, INK_Q4_K, INK_Q6_K};
  const fixture *f = *state;
  for (size_t i = 0; i < 4; i++) {
    const char *name = ink_dtype_about(types[i])->name;
    const ink_stored_tensor *blocks = tensor_of(f, name, "blocks"),
                            *values = tensor_of(f, name, "values");
    int64_t n = values->shape[0] * values->shape[1];
    float *ours = malloc((size_t)n * sizeof *ours);
    ink_to_f32(types[i], blocks->data, ours, n);
    for (int64_t j = 0; j < n; j++) {
      float expected = ((const float *)(const void *)values->data)[j];
      if (ours[j] != expected) {
        fail_msg("%s: value %lld is %g, not %g", name, (long long)j, (double)ours[j],
                 (double)expected);
      }
    }
    free(ours);
  }
}

static void q8_0_and_q4_0_give_the_bytes_of_ggml(void **state) {
  static const ink_dtype types[] = {INK_Q8_0, INK_Q4_0};
  const fixture *f = *state;
  for (size_t i = 0; i < 2; i++) {
    const char *name = ink_dtype_about(types[i])->name;
    const ink_stored_tensor *input = tensor_of(f, name, "input"),
                            *reference = tensor_of(f, name, "reference");
    unsigned char *ours = calloc(1, reference->bytes);
    ink_from_f32(types[i], (const float *)(const void *)input->data, ours,
                 input->shape[0] * input->shape[1]);
    assert_memory_equal(ours, reference->data, reference->bytes);
    free(ours);
  }
}

static void q4_k_and_q6_k_come_as_near_as_ggml(void **state) {
  static const ink_dtype types[] = {INK_Q4_K, INK_Q6_K};
  const fixture *f = *state;
  for (size_t i = 0; i < 2; i++) {
    const char *name = ink_dtype_about(types[i])->name;
    const ink_stored_tensor *input = tensor_of(f, name, "input"),
                            *reference = tensor_of(f, name, "reference");
    const float *rmse = (const float *)(const void *)tensor_of(f, name, "rmse")->data;
    const float *rows = (const float *)(const void *)input->data;
    int64_t columns = input->shape[1];
    unsigned char *blocks = calloc(1, reference->bytes);
    float *back = malloc((size_t)columns * sizeof *back);
    double ours_sum = 0, theirs_sum = 0;
    for (int64_t row = 0; row < input->shape[0]; row++) {
      const float *x = rows + row * columns;
      double sum = 0;
      ink_from_f32(types[i], x, blocks, columns);
      ink_to_f32(types[i], blocks, back, columns);
      for (int64_t j = 0; j < columns; j++)
        sum += (double)(back[j] - x[j]) * (double)(back[j] - x[j]);
      double ours = sqrt(sum / (double)columns), theirs = (double)rmse[row];
      ours_sum += theirs > 0 ? ours / theirs : 1;
      theirs_sum += 1;
      if (ours > 1.1 * theirs + 1e-12) {
        fail_msg("%s, row %lld: error %g, ggml's %g", name, (long long)row, ours, theirs);
      }
    }
    print_message("# %s: error %.4f of ggml's\n", name, ours_sum / theirs_sum);
    assert_true(ours_sum <= theirs_sum * 1.001);
    free(blocks);
    free(back);
  }
}

static void halves_are_rounded_to_nearest_even(void **state) {
  static const ink_dtype types[] = {INK_F16, INK_BF16};
  const fixture *f = *state;
  for (size_t i = 0; i < 2; i++) {
    const char *name = ink_dtype_about(types[i])->name;
    const ink_stored_tensor *input = tensor_of(f, name, "input"),
                            *output = tensor_of(f, name, "output");
    const float *x = (const float *)(const void *)input->data;
    const uint16_t *expected = (const uint16_t *)(const void *)output->data;
    int64_t n = input->shape[0];
    uint16_t *ours = malloc((size_t)n * sizeof *ours);
    ink_from_f32(types[i], x, ours, n);
    for (int64_t j = 0; j < n; j++) {
      float back;
      ink_to_f32(types[i], &ours[j], &back, 1);
      bool same = isnan(x[j]) ? isnan(back) : ours[j] == expected[j];
      if (!same) fail_msg("%s of %a is %04x, not %04x", name, (double)x[j], ours[j], expected[j]);
    }
    free(ours);
  }
}

// -- Passage --------------------------------------------------------------------------------------

typedef struct gathered {
  unsigned char *bytes;
  size_t size;
} gathered;

static ink_status gather(void *context, const void *bytes, size_t size, ink_error *error) {
  (void)error;
  gathered *g = context;
  g->bytes = realloc(g->bytes, g->size + size + 1);
  memcpy(g->bytes + g->size, bytes, size);
  g->size += size;
  return INK_OK;
}

static gathered pass(const ink_passage *p, size_t ram, int threads) {
  ink_error error = {0};
  gathered g = {0};
  ink_pool *pool = threads ? ink_pool_new(threads) : NULL;
  assert_ok(ink_passage_run(p, ram, pool, gather, &g, &error));
  ink_pool_free(pool);
  return g;
}

static ink_weights_entry entry_of(ink_dtype dtype, void *data, int rank, const int64_t *shape) {
  ink_weights_entry entry = {
      .name = "x", .type_name = "F32", .usable = true, .rank = rank, .shape = shape};
  entry.tensor = ink_tensor_view(dtype, data, rank, shape);
  ink_tensor_bytes(dtype, rank, shape, &entry.bytes);
  return entry;
}

static void turning_is_exact_and_knows_no_memory_or_threads(void **state) {
  (void)state;
  enum { ROWS = 700, COLUMNS = 300 };
  const int64_t shape[] = {ROWS, COLUMNS};
  float *data = malloc(ROWS * COLUMNS * sizeof *data);
  for (int i = 0; i < ROWS * COLUMNS; i++) data[i] = (float)i;
  ink_weights_entry entry = entry_of(INK_F32, data, 2, shape);
  ink_passage p = {
      .from = &entry, .dtype = INK_F32, .layout = INK_LAYOUT_TRANSPOSED, .to_gguf = true};
  const size_t rams[] = {1 << 30, 2000000, 1 << 21};
  for (size_t i = 0; i < 3; i++) {
    gathered g = pass(&p, rams[i], i == 1 ? 3 : 0);
    assert_int_equal(g.size, ROWS * COLUMNS * sizeof(float));
    const float *out = (const float *)(const void *)g.bytes;
    for (int r = 0; r < COLUMNS; r++) {
      for (int c = 0; c < ROWS; c++) {
        if (out[r * ROWS + c] != data[c * COLUMNS + r]) fail_msg("at %d, %d", r, c);
      }
    }
    free(g.bytes);
  }
  ink_error error = {0};
  gathered none = {0};
  assert_int_equal(ink_passage_run(&p, 1000, NULL, gather, &none, &error), INK_ERR_MEMORY);
  assert_non_null(strstr(error.text, "x needs"));
  free(data);
}

static void heads_are_woven_and_unwoven(void **state) {
  (void)state;
  float rows[8] = {0, 1, 2, 3, 10, 11, 12, 13};  // two heads of width 4: halves 0 1 | 2 3
  const float woven[8] = {0, 2, 1, 3, 10, 12, 11, 13};
  const int64_t shape[] = {8, 1};
  for (int rank = 1; rank <= 2; rank++) {
    ink_weights_entry entry = entry_of(INK_F32, rows, rank, shape);
    ink_passage p = {.from = &entry,
                     .dtype = INK_F32,
                     .layout = INK_LAYOUT_ROPE_Q,
                     .to_gguf = true,
                     .n_head = 2};
    gathered g = pass(&p, 1 << 20, 2);
    assert_memory_equal(g.bytes, woven, sizeof woven);
    entry = entry_of(INK_F32, g.bytes, rank, shape);
    p.to_gguf = false;
    gathered back = pass(&p, 1 << 20, 0);
    assert_memory_equal(back.bytes, rows, sizeof rows);
    p.n_head = 3;
    ink_error error = {0};
    assert_int_equal(ink_passage_run(&p, 1 << 20, NULL, gather, &back, &error), INK_ERR_CONFLICT);
    free(back.bytes);
    free(g.bytes);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_are_read_without_regard_to_case),
      cmocka_unit_test(the_mix_of_q4_k_m_is_that_of_llama_cpp),
      cmocka_unit_test(blocks_mean_what_they_mean_in_ggml),
      cmocka_unit_test(q8_0_and_q4_0_give_the_bytes_of_ggml),
      cmocka_unit_test(q4_k_and_q6_k_come_as_near_as_ggml),
      cmocka_unit_test(halves_are_rounded_to_nearest_even),
      cmocka_unit_test(turning_is_exact_and_knows_no_memory_or_threads),
      cmocka_unit_test(heads_are_woven_and_unwoven),
  };
  return cmocka_run_group_tests_name("quantize", tests, open_fixture, close_fixture);
}
