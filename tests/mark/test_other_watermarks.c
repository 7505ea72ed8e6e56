// Green lists against transformers, and the exponential race against its own mathematics.
#include <math.h>

#include "base/hash.h"
#include "base/random.h"
#include "mark/watermark/gumbel.h"
#include "mark/watermark/kgw.h"
#include "testing.h"
#include "weights/safetensors.h"

static ink_safetensors *open_fixture(void) {
  ink_error error = {0};
  ink_safetensors *file;
  assert_ok(ink_safetensors_open(fixture_path("mark/watermarks.safetensors"), &file, &error));
  return file;
}

// ---- green lists -------------------------------------------------------------------------------

static void check_lists(size_t n) {
  ink_error error = {0};
  ink_safetensors *file = open_fixture();
  ink_kgw_config config = ink_kgw_default();
  ink_kgw *kgw;
  assert_ok(ink_kgw_new(&config, n, &kgw, &error));
  ink_sha256 hash;
  assert_ok(ink_sha256_start(&hash, &error));
  const int32_t previous[] = {0, 1, 42, 299, (int32_t)n - 1};
  for (int i = 0; i < 5; i++) {
    const bool *green = ink_kgw_green(kgw, previous[i]);
    for (size_t j = 0; j < n; j++) {
      unsigned char byte = green[j];
      ink_sha256_add(&hash, &byte, 1);
    }
  }
  char hex[INK_SHA256_HEX], key[32];
  ink_sha256_finish(&hash, hex);
  snprintf(key, sizeof key, "kgw.%zu.green", n);
  assert_string_equal(hex, ink_safetensors_metadata(file, key));
  ink_kgw_free(kgw);
  ink_safetensors_close(file);
}

static void green_lists_equal_transformers(void **state) {
  (void)state;
  check_lists(300);
  check_lists(50257);
}

static void green_pairs_are_counted_as_by_transformers(void **state) {
  (void)state;
  ink_error error = {0};
  ink_safetensors *file = open_fixture();
  ink_kgw_config config = ink_kgw_default();
  ink_kgw *kgw;
  assert_ok(ink_kgw_new(&config, 50257, &kgw, &error));
  const ink_stored_tensor *tokens = ink_safetensors_find(file, "transformers.tokens");
  const ink_stored_tensor *counts = ink_safetensors_find(file, "kgw.counts");
  assert_non_null(tokens);
  assert_non_null(counts);
  size_t used, green;
  assert_ok(ink_kgw_count(kgw, (const int32_t *)(const void *)tokens->data,
                          (size_t)tokens->shape[0], &used, &green, &error));
  const int32_t *expected = (const int32_t *)(const void *)counts->data;
  assert_int_equal(used, expected[0]);
  assert_int_equal(green, expected[1]);
  ink_kgw_free(kgw);
  ink_safetensors_close(file);
}

static void green_tokens_gain_the_bias_and_no_other(void **state) {
  (void)state;
  ink_error error = {0};
  ink_kgw_config config = ink_kgw_default();
  ink_kgw *kgw;
  assert_ok(ink_kgw_new(&config, 100, &kgw, &error));
  ink_reweigher r = ink_kgw_reweigher(kgw);
  float weights[100];
  for (int i = 0; i < 100; i++) weights[i] = 1;
  int32_t written[1] = {17};
  assert_ok(r.reweigh(r.self, written, 0, weights, 100, &error));
  for (int i = 0; i < 100; i++) assert_true(weights[i] == 1);
  assert_ok(r.reweigh(r.self, written, 1, weights, 100, &error));
  const bool *green = ink_kgw_green(kgw, 17);
  int n = 0;
  for (int i = 0; i < 100; i++) {
    assert_true(fabsf(weights[i] - (green[i] ? expf(2) : 1)) < 1e-5F);
    n += green[i];
  }
  assert_int_equal(n, 25);
  assert_int_equal(r.reweigh(r.self, written, 1, weights, 99, &error), INK_ERR_INTERNAL);
  ink_kgw_free(kgw);
}

static void green_lists_out_of_range_are_refused(void **state) {
  (void)state;
  const ink_kgw_config bad[] = {{0, 2, 1}, {1, 2, 1}, {NAN, 2, 1}, {0.5, -1, 1}, {0.5, 2, 0}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ink_error error = {0};
    ink_kgw *kgw;
    assert_int_equal(ink_kgw_new(&bad[i], 100, &kgw, &error), INK_ERR_USAGE);
    assert_null(kgw);
  }
}

// ---- the race ----------------------------------------------------------------------------------

static void the_winner_of_the_race_keeps_the_chances(void **state) {
  (void)state;
  ink_error error = {0};
  static const float chance[4] = {0.5F, 0.3F, 0.15F, 0.05F};
  int wins[4] = {0};
  enum { ROUNDS = 20000 };
  for (int32_t round = 0; round < ROUNDS; round++) {
    ink_gumbel_stream *stream;
    assert_ok(ink_gumbel_stream_new(11, &stream, &error));
    ink_reweigher r = ink_gumbel_reweigher(stream);
    int32_t written[4] = {round, 2, 3, 4};
    float weights[4];
    memcpy(weights, chance, sizeof weights);
    assert_ok(r.reweigh(r.self, written, 4, weights, 4, &error));
    for (int i = 0; i < 4; i++) wins[i] += weights[i] > 0;
    ink_gumbel_stream_free(stream);
  }
  for (int i = 0; i < 4; i++) {
    double p = (double)chance[i], share = (double)wins[i] / ROUNDS;
    assert_true(fabs(share - p) < 5 * sqrt(p * (1 - p) / ROUNDS));
  }
}

static void the_race_is_won_by_the_first_to_arrive(void **state) {
  (void)state;
  ink_error error = {0};
  enum { TOKENS = 3001 };
  static float weights[TOKENS], after[TOKENS];
  for (int32_t round = 0; round < 400; round++) {
    int32_t written[4] = {round, 7, 1, 2};
    size_t winner = TOKENS, n = round % 5 == 4 ? (size_t)(round % 40) : TOKENS;
    double best = INFINITY;
    ink_random random = ink_random_at(9, 1, 100000 * (uint64_t)round);
    for (size_t i = 0; i < n; i++) {
      // Flat, falling, and with most tokens out of the draw; also weights that are hardly any.
      float draw = ink_random_float(&random);
      weights[i] = round % 3 == 0   ? 1
                   : round % 3 == 1 ? expf(-60 * draw)
                                    : (draw < 0.9F ? 0 : draw * 1e-38F);
      after[i] = weights[i];
      double arrival = -log(ink_gumbel_number(3, written, (int32_t)i)) / (double)weights[i];
      if (weights[i] > 0 && arrival < best) {
        best = arrival;
        winner = i;
      }
    }
    ink_gumbel_stream *stream;
    assert_ok(ink_gumbel_stream_new(3, &stream, &error));
    ink_reweigher r = ink_gumbel_reweigher(stream);
    assert_ok(r.reweigh(r.self, written, 4, after, n, &error));
    ink_gumbel_stream_free(stream);
    for (size_t i = 0; i < n; i++) assert_true(after[i] == (i == winner ? 1 : 0));
  }
}

static void p_values_of_the_race_are_those_of_a_gamma_law(void **state) {
  (void)state;
  // mpmath.gammainc(k, x, regularized=True)
  static const struct {
    size_t k;
    double x, q;
  } known[] = {{1, 1, 0.3678794411714},       {2, 5, 0.04042768199451},
               {10, 5, 0.9681719426938},      {100, 100, 0.4867012017209},
               {200, 260, 4.750012444301e-5}, {1000, 1200, 1.288160608628e-9},
               {5, 100, 1.613930533698e-37}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    double p = ink_gumbel_p_value(known[i].k, known[i].x);
    if (!(fabs(p / known[i].q - 1) < 1e-9)) {
      fail_msg("Q(%zu, %g) is %.13g, not %.13g", known[i].k, known[i].x, p, known[i].q);
    }
  }
}

enum { VOCAB = 500 };

// As in the language of test_synthid.c, with fewer words.
static void write_text(ink_reweigher *r, uint64_t seed, int32_t *tokens, size_t n) {
  ink_error error = {0};
  ink_sampling sampling = ink_sampling_default();
  sampling.seed = seed;
  for (size_t i = 0; i < n; i++) {
    float weights[VOCAB] = {0};
    ink_random random = ink_random_at(seed, 7, 1000 * i);
    for (int rank = 1; rank <= 64; rank++) {
      weights[ink_random_below(&random, VOCAB)] = 1.0F / (float)rank;
    }
    if (r) assert_ok(r->reweigh(r->self, tokens, i, weights, VOCAB, &error));
    tokens[i] = ink_sample_draw(&sampling, weights, VOCAB, i);
  }
}

static void the_race_is_found_and_other_texts_are_not(void **state) {
  (void)state;
  ink_error error = {0};
  enum { TEXTS = 200, TOKENS = 200 };
  int found = 0, mistaken = 0;
  for (uint64_t i = 0; i < TEXTS; i++) {
    int32_t tokens[TOKENS];
    size_t used;
    double sum;
    ink_gumbel_stream *stream;
    assert_ok(ink_gumbel_stream_new(5, &stream, &error));
    ink_reweigher r = ink_gumbel_reweigher(stream);
    write_text(&r, i, tokens, TOKENS);
    ink_gumbel_stream_free(stream);
    assert_ok(ink_gumbel_sum(5, tokens, TOKENS, &used, &sum, &error));
    found += ink_gumbel_p_value(used, sum) < 0.01;
    write_text(NULL, i, tokens, TOKENS);
    assert_ok(ink_gumbel_sum(5, tokens, TOKENS, &used, &sum, &error));
    mistaken += ink_gumbel_p_value(used, sum) < 0.01;
  }
  assert_true(found >= TEXTS * 99 / 100);
  assert_true(mistaken <= 8);  // 2 expected
}

static void contexts_that_come_back_are_drawn_freely(void **state) {
  (void)state;
  ink_error error = {0};
  ink_gumbel_stream *stream;
  assert_ok(ink_gumbel_stream_new(5, &stream, &error));
  ink_reweigher r = ink_gumbel_reweigher(stream);
  int32_t written[12] = {1, 2, 3, 4, 5, 1, 2, 3, 4, 9, 9, 9};
  float weights[3];
  for (size_t n = 4; n < 10; n++) {
    weights[0] = weights[1] = weights[2] = 1;
    assert_ok(r.reweigh(r.self, written, n, weights, 3, &error));
    float sum = weights[0] + weights[1] + weights[2];
    assert_true(sum == (n == 9 ? 3 : 1));  // 1 2 3 4 came back
  }
  ink_gumbel_stream_free(stream);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(green_lists_equal_transformers),
      cmocka_unit_test(green_pairs_are_counted_as_by_transformers),
      cmocka_unit_test(green_tokens_gain_the_bias_and_no_other),
      cmocka_unit_test(green_lists_out_of_range_are_refused),
      cmocka_unit_test(the_winner_of_the_race_keeps_the_chances),
      cmocka_unit_test(the_race_is_won_by_the_first_to_arrive),
      cmocka_unit_test(p_values_of_the_race_are_those_of_a_gamma_law),
      cmocka_unit_test(the_race_is_found_and_other_texts_are_not),
      cmocka_unit_test(contexts_that_come_back_are_drawn_freely),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
