// Draws against a slow sampler written here from the definitions.
#include <math.h>

#include "base/random.h"
#include "llm/llm.h"
#include "testing.h"

enum { VOCAB = 300 };

static void make_logits(uint64_t seed, float *logits) {
  ink_random random = ink_random_at(seed, 99, 0);
  for (int i = 0; i < VOCAB; i++) {
    double logit = 3 * ink_random_normal(&random);
    // Every other case is full of equals.
    logits[i] = (float)(seed % 2 ? round(logit) : logit);
  }
  // Tokens that a constraint forbade.
  for (int i = 40; i < 60; i++) logits[i] = -INFINITY;
}

typedef struct ranked {
  double logit;
  int id;
} ranked;

static int by_rank(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->logit != y->logit) return x->logit < y->logit ? 1 : -1;
  return x->id - y->id;
}

// Probabilities after all filters, by sorting everything.
static void reference(const ink_sampling *s, const float *logits, double *probability) {
  ranked all[VOCAB];
  int n = 0;
  for (int i = 0; i < VOCAB; i++) {
    probability[i] = 0;
    if (logits[i] > -INFINITY) {
      all[n++] = (ranked){(double)(logits[i] / s->temperature), i};
    }
  }
  qsort(all, (size_t)n, sizeof *all, by_rank);
  if (s->top_k > 0 && s->top_k < n) {
    int k = s->top_k;
    while (k < n && all[k].logit == all[s->top_k - 1].logit) k++;
    n = k;
  }
  double mass = 0, reached = 0;
  for (int i = 0; i < n; i++) mass += exp(all[i].logit - all[0].logit);
  if (s->top_p < 1) {
    int kept = 0;
    while (kept < n && reached < (double)s->top_p * mass) {
      reached += exp(all[kept++].logit - all[0].logit);
    }
    n = kept;
  }
  int kept = 0;
  while (kept < n && exp(all[kept].logit - all[0].logit) >= (double)s->min_p * (1 - 1e-6)) kept++;
  n = kept;
  mass = 0;
  for (int i = 0; i < n; i++) mass += exp(all[i].logit - all[0].logit);
  for (int i = 0; i < n; i++) probability[all[i].id] = exp(all[i].logit - all[0].logit) / mass;
}

static int32_t draw(const ink_sampling *sampling, const float *logits, size_t position) {
  ink_error error = {0};
  float copy[VOCAB];
  uint64_t scratch[VOCAB];
  int32_t token = -1;
  memcpy(copy, logits, sizeof copy);
  assert_ok(ink_sample(sampling, copy, VOCAB, position, scratch, &token, &error));
  return token;
}

static const struct {
  float temperature;
  int32_t top_k;
  float top_p, min_p;
} settings[] = {
    {1, 0, 1, 0},
    {0.7f, 0, 1, 0},
    {2.5f, 0, 1, 0},
    {1, 5, 1, 0},
    {1, 1, 1, 0},
    {1, 299, 1, 0},
    {1, 0, 0.9f, 0},
    {1, 0, 0.01f, 0},
    {1.3f, 0, 0.999f, 0},
    {1, 0, 1, 0.1f},
    {1, 0, 1, 0.9f},
    {0.8f, 40, 0.95f, 0.05f},
    {1.5f, 20, 0.5f, 0.01f},
};
enum { N_SETTINGS = sizeof settings / sizeof *settings };

static ink_sampling sampling_of(size_t i) {
  ink_sampling s = ink_sampling_default();
  s.temperature = settings[i].temperature;
  s.top_k = settings[i].top_k;
  s.top_p = settings[i].top_p;
  s.min_p = settings[i].min_p;
  return s;
}

// Pearson's chi-square over tokens with an expected count of at least 8, the rest in one bin.
static void draws_follow_the_filtered_distribution(void **state) {
  (void)state;
  enum { DRAWS = 20000 };
  for (size_t i = 0; i < N_SETTINGS; i++) {
    ink_sampling s = sampling_of(i);
    float logits[VOCAB];
    double probability[VOCAB];
    int count[VOCAB] = {0};
    make_logits(i, logits);
    reference(&s, logits, probability);
    for (size_t n = 0; n < DRAWS; n++) {
      s.seed = n;
      int32_t token = draw(&s, logits, 7);
      if (probability[token] == 0) fail_msg("setting %zu drew a filtered token %d", i, token);
      count[token]++;
    }
    double chi = 0, rest = 0, rest_count = 0;
    int bins = 0;
    for (int t = 0; t < VOCAB; t++) {
      double expected = DRAWS * probability[t];
      if (expected < 8) {
        rest += expected;
        rest_count += count[t];
        continue;
      }
      chi += (count[t] - expected) * (count[t] - expected) / expected;
      bins++;
    }
    if (rest > 8) {
      chi += (rest_count - rest) * (rest_count - rest) / rest;
      bins++;
    }
    // Mean and deviation of chi-square with bins - 1 degrees of freedom; 5 deviations.
    double degrees = bins - 1;
    if (chi > degrees + 5 * sqrt(2 * degrees) + 1e-9) {
      fail_msg("setting %zu: chi-square %g with %g degrees of freedom", i, chi, degrees);
    }
  }
}

// With the same number in [0, 1) the slow sampler lands on the same token.
static void a_draw_inverts_the_distribution_in_order_of_ids(void **state) {
  (void)state;
  for (size_t i = 0; i < N_SETTINGS; i++) {
    ink_sampling s = sampling_of(i);
    s.piece = 3;
    float logits[VOCAB];
    double probability[VOCAB];
    make_logits(i + 50, logits);
    reference(&s, logits, probability);
    for (size_t position = 0; position < 300; position++) {
      s.seed = 1000 + i;
      ink_random random = ink_random_at(s.seed, 3, 2 * position);
      double u = ink_random_double(&random), sum = 0;
      int32_t token = draw(&s, logits, position);
      for (int t = 0; t < token; t++) sum += probability[t];
      if (!(u >= sum - 1e-6 && u <= sum + probability[token] + 1e-6)) {
        fail_msg("setting %zu, position %zu: token %d for %g", i, position, token, u);
      }
    }
  }
}

static void draws_depend_on_seed_piece_and_position(void **state) {
  (void)state;
  float logits[VOCAB];
  make_logits(5, logits);
  ink_sampling s = ink_sampling_default();
  s.temperature = 5;
  ink_sampling piece = s, seed = s;
  piece.piece = 1;
  seed.seed = 1;
  int same_piece = 0, same_seed = 0, same_position = 0;
  for (size_t i = 0; i < 200; i++) {
    int32_t token = draw(&s, logits, i);
    assert_int_equal(token, draw(&s, logits, i));
    same_piece += token == draw(&piece, logits, i);
    same_seed += token == draw(&seed, logits, i);
    same_position += token == draw(&s, logits, i + 1);
  }
  assert_true(same_piece < 60 && same_seed < 60 && same_position < 60);
}

static void temperature_zero_takes_the_most_likely_and_the_lowest_id(void **state) {
  (void)state;
  float logits[VOCAB];
  make_logits(1, logits);
  logits[120] = logits[200] = 50;
  ink_sampling s = ink_sampling_default();
  s.temperature = 0;
  for (uint64_t seed = 0; seed < 5; seed++) {
    s.seed = seed;
    assert_int_equal(draw(&s, logits, seed), 120);
  }
}

static void the_penalty_counts_each_token_once(void **state) {
  (void)state;
  float logits[4] = {2, -3, 5, 1};
  unsigned char scratch[32];
  const int32_t tokens[] = {0, 1, 0, 0, 1, 77, -1};
  ink_sampling s = ink_sampling_default();
  s.repetition_penalty = 1.25f;
  ink_sample_penalty(&s, tokens, 7, logits, 4, scratch);
  assert_true(logits[0] == 2 / 1.25f && logits[1] == -3 * 1.25f);
  assert_true(logits[2] == 5 && logits[3] == 1);
}

static void no_token_left_is_an_error(void **state) {
  (void)state;
  float logits[3] = {-INFINITY, -INFINITY, -INFINITY};
  uint64_t scratch[3];
  int32_t token;
  ink_error error = {0};
  ink_sampling s = ink_sampling_default();
  assert_int_equal(ink_sample(&s, logits, 3, 0, scratch, &token, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "constraints"));
  float broken[3] = {0, NAN, 0};
  assert_int_equal(ink_sample(&s, broken, 3, 0, scratch, &token, &error), INK_ERR_INTERNAL);
  assert_non_null(strstr(error.text, "token 1"));
}

static void fields_out_of_range_are_refused_by_name(void **state) {
  (void)state;
  ink_sampling good = ink_sampling_default(), bad[] = {good, good, good, good, good, good, good};
  bad[0].temperature = -0.1f;
  bad[1].temperature = NAN;
  bad[2].top_k = -1;
  bad[3].top_p = 0;
  bad[4].top_p = 1.5f;
  bad[5].min_p = 1;
  bad[6].repetition_penalty = 0;
  const char *const names[] = {"temperature", "temperature",       "top_k", "top_p", "top_p",
                               "min_p",       "repetition_penalty"};
  ink_error error = {0};
  assert_ok(ink_sampling_check(&good, &error));
  for (size_t i = 0; i < 7; i++) {
    assert_int_equal(ink_sampling_check(&bad[i], &error), INK_ERR_USAGE);
    assert_non_null(strstr(error.text, names[i]));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(draws_follow_the_filtered_distribution),
      cmocka_unit_test(a_draw_inverts_the_distribution_in_order_of_ids),
      cmocka_unit_test(draws_depend_on_seed_piece_and_position),
      cmocka_unit_test(temperature_zero_takes_the_most_likely_and_the_lowest_id),
      cmocka_unit_test(the_penalty_counts_each_token_once),
      cmocka_unit_test(no_token_left_is_an_error),
      cmocka_unit_test(fields_out_of_range_are_refused_by_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
