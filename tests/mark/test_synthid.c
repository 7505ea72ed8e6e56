// The text watermark against transformers and DeepMind's package, and its own promises.
#include <math.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "mark/watermark/synthid.h"
#include "testing.h"
#include "weights/safetensors.h"

// Of the reference configuration (30 keys).
static const int64_t reference_keys[] = {654, 400, 836, 123, 340, 443, 597, 160, 57,  29,
                                         590, 639, 13,  715, 468, 990, 966, 226, 324, 585,
                                         118, 504, 421, 521, 129, 669, 732, 225, 90,  960};
enum { DEPTH = 30 };

static ink_synthid *open_reference(ink_synthid_variant variant) {
  ink_error error = {0};
  ink_synthid_config config = {.variant = variant, .ngram = 5, .depth = DEPTH};
  memcpy(config.keys, reference_keys, sizeof reference_keys);
  ink_synthid *synthid;
  assert_ok(ink_synthid_new(&config, &synthid, &error));
  return synthid;
}

static ink_safetensors *open_fixture(void) {
  ink_error error = {0};
  ink_safetensors *file;
  assert_ok(ink_safetensors_open(fixture_path("mark/watermarks.safetensors"), &file, &error));
  return file;
}

static const void *find(const ink_safetensors *file, const char *name, int64_t *n) {
  const ink_stored_tensor *tensor = ink_safetensors_find(file, name);
  if (!tensor) fail_msg("the fixture lacks %s", name);
  if (n) *n = tensor->shape[tensor->rank - 1];
  return tensor->data;
}

// ---- the bits ----------------------------------------------------------------------------------

static void check_million(ink_synthid_variant variant, const char *key) {
  ink_error error = {0};
  ink_safetensors *file = open_fixture();
  ink_synthid *s = open_reference(variant);
  ink_sha256 hash;
  assert_ok(ink_sha256_start(&hash, &error));
  for (uint64_t i = 0; i < 1000000; i++) {
    int32_t ids[5];
    for (uint64_t j = 0; j < 5; j++) {
      ids[j] = (int32_t)((((5 * i + j) * 0x9E3779B97F4A7C15U) >> 32) % 151936);
    }
    uint64_t bits = ink_synthid_bits(s, ink_synthid_context(s, ids), ids[4]);
    unsigned char bytes[DEPTH];
    for (int k = 0; k < DEPTH; k++) bytes[k] = bits >> k & 1;
    ink_sha256_add(&hash, bytes, sizeof bytes);
  }
  char hex[INK_SHA256_HEX];
  ink_sha256_finish(&hash, hex);
  assert_string_equal(hex, ink_safetensors_metadata(file, key));
  ink_synthid_free(s);
  ink_safetensors_close(file);
}

static void a_million_ngrams_have_the_bits_of_transformers(void **state) {
  (void)state;
  check_million(INK_SYNTHID_TRANSFORMERS, "transformers.million");
}

static void a_million_ngrams_have_the_bits_of_deepmind(void **state) {
  (void)state;
  check_million(INK_SYNTHID_DEEPMIND, "deepmind.million");
}

static void check_means(ink_synthid_variant variant, const char *name) {
  ink_error error = {0};
  ink_safetensors *file = open_fixture();
  ink_synthid *s = open_reference(variant);
  char key[64];
  int64_t n, n_fresh;
  snprintf(key, sizeof key, "%s.tokens", name);
  const int32_t *tokens = find(file, key, &n);
  snprintf(key, sizeof key, "%s.fresh", name);
  const int32_t *fresh = find(file, key, &n_fresh);
  size_t expected = 0;
  for (int64_t i = 0; i < n_fresh; i++) expected += fresh[i] == 1;
  assert_true(expected + 50 < (size_t)n_fresh);  // the text repeats itself
  snprintf(key, sizeof key, "%s.means", name);
  const float *means = find(file, key, NULL);
  ink_synthid_score score;
  assert_ok(ink_synthid_score_tokens(s, tokens, (size_t)n, &score, &error));
  assert_int_equal(score.used, expected);
  assert_true(fabs(score.mean - (double)means[0]) < 1e-6);
  assert_true(fabs(score.weighted_mean - (double)means[1]) < 1e-6);
  ink_synthid_free(s);
  ink_safetensors_close(file);
}

static void means_over_fresh_contexts_equal_the_references(void **state) {
  (void)state;
  check_means(INK_SYNTHID_TRANSFORMERS, "transformers");
  check_means(INK_SYNTHID_DEEPMIND, "deepmind");
}

// ---- the tournament ----------------------------------------------------------------------------

static void ramp(float *scores, int64_t n) {
  for (uint64_t i = 0; i < (uint64_t)n; i++) {
    scores[i] = (float)(6 * (double)(uint32_t)(i * 2654435761U) / 4294967296.0);
  }
}

// Run the steps of the fixture; every `keep`th probability must be the reference's.
static void check_steps(int64_t n, size_t n_step, int64_t keep) {
  ink_error error = {0};
  ink_safetensors *file = open_fixture();
  ink_synthid *s = open_reference(INK_SYNTHID_TRANSFORMERS);
  ink_synthid_stream *stream;
  assert_ok(ink_synthid_stream_new(s, &stream, &error));
  ink_reweigher reweigher = ink_synthid_reweigher(stream);
  char key[64];
  snprintf(key, sizeof key, "steps.%lld.drawn", (long long)n);
  const int32_t *drawn = find(file, key, NULL);
  snprintf(key, sizeof key, "steps.%lld.after", (long long)n);
  int64_t kept;
  const float *after = find(file, key, &kept);
  float *scores = malloc((size_t)n * sizeof *scores),
        *weights = malloc((size_t)n * sizeof *weights);
  if (keep == 1) {
    snprintf(key, sizeof key, "steps.%lld.scores", (long long)n);
    memcpy(scores, find(file, key, NULL), (size_t)n * sizeof *scores);
  } else {
    ramp(scores, n);
  }
  size_t changed = 0;
  for (size_t step = 0; step < n_step; step++) {
    for (int64_t i = 0; i < n; i++) weights[i] = (float)exp((double)scores[i]);
    float before = weights[0];
    assert_ok(reweigher.reweigh(reweigher.self, drawn, step, weights, (size_t)n, &error));
    changed += before != weights[0];
    double total = 0;
    for (int64_t i = 0; i < n; i++) total += (double)weights[i];
    for (int64_t i = 0; i < kept; i++) {
      double ours = (double)weights[i * keep] / total;
      double theirs = (double)after[(int64_t)step * kept + i];
      if (!(fabs(ours - theirs) <= 1e-7 + 2e-4 * theirs)) {
        fail_msg("%lld tokens, step %zu, token %lld: %g instead of %g", (long long)n, step,
                 (long long)(i * keep), ours, theirs);
      }
    }
  }
  assert_true(changed > 0 || scores[0] == -INFINITY);
  free(scores);
  free(weights);
  ink_synthid_stream_free(stream);
  ink_synthid_free(s);
  ink_safetensors_close(file);
}

static void a_tournament_gives_the_chances_of_transformers(void **state) {
  (void)state;
  check_steps(300, 24, 1);
  check_steps(900, 24, 1);
}

static void a_vocabulary_beyond_the_table_gives_the_chances_of_transformers(void **state) {
  (void)state;
  check_steps(70000, 3, 97);
}

// A tournament as the paper has it, in double precision.
static void play(const ink_synthid *s, int64_t context, double *chances, size_t n) {
  double total = 0;
  for (size_t i = 0; i < n; i++) total += chances[i];
  for (size_t i = 0; i < n; i++) chances[i] /= total;
  for (size_t layer = 0; layer < ink_synthid_about(s)->depth; layer++) {
    double mass = 0;
    for (size_t i = 0; i < n; i++) {
      if (ink_synthid_bits(s, context, (int32_t)i) >> layer & 1) mass += chances[i];
    }
    for (size_t i = 0; i < n; i++) {
      double bit = (double)(ink_synthid_bits(s, context, (int32_t)i) >> layer & 1);
      chances[i] *= 1 + bit - mass;
    }
  }
}

static void few_tokens_or_many_give_the_chances_of_the_definition(void **state) {
  (void)state;
  ink_error error = {0};
  ink_synthid_config config;
  assert_ok(ink_synthid_config_of(NULL, 0, &config, &error));
  config.depth = 7;  // odd: its last layer goes alone
  ink_synthid *s;
  assert_ok(ink_synthid_new(&config, &s, &error));
  enum { TOKENS = 70001 };  // beyond the table, and no whole word of bits
  const size_t left[] = {0, 1, 2, 63, 700, TOKENS / 16, TOKENS / 16 + 1, 40000, TOKENS};
  float *weights = malloc(TOKENS * sizeof *weights);
  double *chances = malloc(TOKENS * sizeof *chances);
  assert_true(weights && chances);
  for (size_t l = 0; l < sizeof left / sizeof *left; l++) {
    for (size_t i = 0; i < TOKENS; i++) weights[i] = 0;
    for (size_t i = 0; i < left[l]; i++) {
      // 7919 has no divisor in common with 70001: every place once, the last one among the first.
      weights[(TOKENS - 1 + 7919 * i) % TOKENS] = 1 / (float)(i + 1);
    }
    for (size_t i = 0; i < TOKENS; i++) chances[i] = (double)weights[i];
    ink_synthid_stream *stream;
    assert_ok(ink_synthid_stream_new(s, &stream, &error));
    ink_reweigher r = ink_synthid_reweigher(stream);
    int32_t written[4] = {5, (int32_t)l, 3, 8};
    assert_ok(r.reweigh(r.self, written, 4, weights, TOKENS, &error));
    ink_synthid_stream_free(stream);
    if (left[l] > 0) play(s, ink_synthid_context(s, written), chances, TOKENS);
    double total = 0;
    for (size_t i = 0; i < TOKENS; i++) total += (double)weights[i];
    for (size_t i = 0; i < TOKENS; i++) {
      double ours = total > 0 ? (double)weights[i] / total : (double)weights[i];
      if (!(fabs(ours - chances[i]) <= 1e-12 + 1e-5 * chances[i])) {
        fail_msg("%zu left, token %zu: %g instead of %g", left[l], i, ours, chances[i]);
      }
    }
  }
  free(weights);
  free(chances);
  ink_synthid_free(s);
}

static void a_stream_that_is_taken_back_goes_on_as_if_it_had_never_left(void **state) {
  (void)state;
  ink_error error = {0};
  ink_synthid *s = open_reference(INK_SYNTHID_TRANSFORMERS);
  ink_synthid_stream *a, *b;
  assert_ok(ink_synthid_stream_new(s, &a, &error));
  assert_ok(ink_synthid_stream_new(s, &b, &error));
  int32_t written[40];
  for (int i = 0; i < 40; i++) written[i] = i % 9;  // contexts come back
  float one[64], two[64];
  ink_reweigher ra = ink_synthid_reweigher(a), rb = ink_synthid_reweigher(b);
  size_t left_alone = 0;
  for (size_t n = 0; n < 40; n++) {
    for (int i = 0; i < 64; i++) one[i] = two[i] = 1;
    assert_ok(ra.reweigh(ra.self, written, n, one, 64, &error));
    if (n % 7 == 3) {  // b tries another text in between
      float other[64];
      for (int i = 0; i < 64; i++) other[i] = 1;
      assert_ok(rb.reweigh(rb.self, written, 0, other, 64, &error));
    }
    assert_ok(rb.reweigh(rb.self, written, n, two, 64, &error));
    assert_memory_equal(one, two, sizeof one);
    left_alone += one[0] == 1 && one[1] == 1 && one[2] == 1;
  }
  assert_true(left_alone > 20);
  ink_synthid_stream_free(a);
  ink_synthid_stream_free(b);
  ink_synthid_free(s);
}

// ---- found and not found -----------------------------------------------------------------------

enum { VOCAB = 2000 };

// A text of a made-up language in which every next token has the same falling chances over some
// tokens, about `bits` of entropy each.
static void write_text(ink_synthid_stream *stream, uint64_t seed, double steepness, int32_t *tokens,
                       size_t n) {
  ink_error error = {0};
  ink_sampling sampling = ink_sampling_default();
  sampling.seed = seed;
  float weights[VOCAB];
  for (size_t i = 0; i < n; i++) {
    ink_random random = ink_random_at(seed, 7, 100000 * i);
    for (int t = 0; t < VOCAB; t++) weights[t] = 0;
    for (int rank = 1; rank <= 256; rank++) {
      weights[ink_random_below(&random, VOCAB)] = (float)pow(rank, -steepness);
    }
    if (stream) {
      ink_reweigher r = ink_synthid_reweigher(stream);
      assert_ok(r.reweigh(r.self, tokens, i, weights, VOCAB, &error));
    }
    tokens[i] = ink_sample_draw(&sampling, weights, VOCAB, i);
  }
}

static void texts_of_200_tokens_are_found_and_others_are_not(void **state) {
  (void)state;
  ink_error error = {0};
  ink_synthid_config config;
  assert_ok(ink_synthid_config_of(NULL, 0, &config, &error));
  ink_synthid *s;
  assert_ok(ink_synthid_new(&config, &s, &error));
  ink_synthid_stream *stream;
  assert_ok(ink_synthid_stream_new(s, &stream, &error));
  enum { TEXTS = 300, TOKENS = 200 };
  int32_t tokens[TOKENS];
  int found = 0, mistaken = 0;
  double sum = 0, squares = 0;
  for (uint64_t i = 0; i < TEXTS; i++) {
    ink_synthid_score score;
    write_text(stream, i, 1.6, tokens, TOKENS);  // about 3 bits a token
    assert_ok(ink_synthid_score_tokens(s, tokens, TOKENS, &score, &error));
    found += score.p_value < 0.01;
    write_text(NULL, i, 1.6, tokens, TOKENS);
    assert_ok(ink_synthid_score_tokens(s, tokens, TOKENS, &score, &error));
    mistaken += score.p_value < 0.01;
    sum += score.z;
    squares += score.z * score.z;
  }
  print_message("# found %d, mistaken %d of %d; z of unmarked text %.3f +- %.3f\n", found, mistaken,
                TEXTS, sum / TEXTS, sqrt(squares / TEXTS));
  assert_true(found >= TEXTS * 99 / 100);
  assert_true(mistaken <= 10);  // 3 expected; 11 or more in one of 2,000 honest runs
  assert_true(fabs(sum / TEXTS) < 0.2 && fabs(sqrt(squares / TEXTS) - 1) < 0.15);
  ink_synthid_stream_free(stream);
  ink_synthid_free(s);
}

static void other_keys_do_not_find_the_mark(void **state) {
  (void)state;
  ink_error error = {0};
  ink_synthid_config mine, yours;
  assert_ok(ink_synthid_config_of("mine", 4, &mine, &error));
  assert_ok(ink_synthid_config_of("yours", 5, &yours, &error));
  ink_synthid *a, *b;
  assert_ok(ink_synthid_new(&mine, &a, &error));
  assert_ok(ink_synthid_new(&yours, &b, &error));
  assert_string_not_equal(ink_synthid_id(a), ink_synthid_id(b));
  ink_synthid_stream *stream;
  assert_ok(ink_synthid_stream_new(a, &stream, &error));
  int32_t tokens[1000];
  write_text(stream, 3, 1.2, tokens, 1000);
  ink_synthid_score score;
  assert_ok(ink_synthid_score_tokens(a, tokens, 1000, &score, &error));
  assert_true(score.p_value < 1e-12);
  assert_ok(ink_synthid_score_tokens(b, tokens, 1000, &score, &error));
  assert_true(score.p_value > 1e-3);
  ink_synthid_stream_free(stream);
  ink_synthid_free(a);
  ink_synthid_free(b);
}

static void the_mean_chance_of_a_token_is_untouched(void **state) {
  (void)state;
  // Over many contexts the tournament takes nothing from any token: each keeps its chance.
  ink_error error = {0};
  ink_synthid *s = open_reference(INK_SYNTHID_TRANSFORMERS);
  ink_synthid_stream *stream;
  assert_ok(ink_synthid_stream_new(s, &stream, &error));
  ink_reweigher r = ink_synthid_reweigher(stream);
  enum { TOKENS = 8, ROUNDS = 20000 };
  static const double chance[TOKENS] = {0.4, 0.25, 0.15, 0.1, 0.05, 0.03, 0.015, 0.005};
  double sum[TOKENS] = {0};
  for (int32_t round = 0; round < ROUNDS; round++) {
    int32_t written[4] = {round, 1, round / 7, 5};
    float weights[TOKENS];
    for (int i = 0; i < TOKENS; i++) weights[i] = (float)chance[i];
    assert_ok(r.reweigh(r.self, written, 4, weights, TOKENS, &error));
    for (int i = 0; i < TOKENS; i++) sum[i] += (double)weights[i] / ROUNDS;
  }
  for (int i = 0; i < TOKENS; i++) {
    double error_bar = 5 * sqrt(chance[i] * (1 - chance[i]) / ROUNDS);
    if (!(fabs(sum[i] - chance[i]) < error_bar)) {
      fail_msg("token %d: %g instead of %g", i, sum[i], chance[i]);
    }
  }
  ink_synthid_stream_free(stream);
  ink_synthid_free(s);
}

// ---- what is refused ---------------------------------------------------------------------------

static void a_text_too_short_for_one_ngram_says_nothing(void **state) {
  (void)state;
  ink_error error = {0};
  ink_synthid *s = open_reference(INK_SYNTHID_TRANSFORMERS);
  int32_t tokens[4] = {1, 2, 3, 4};
  ink_synthid_score score;
  for (size_t n = 0; n <= 4; n++) {
    assert_ok(ink_synthid_score_tokens(s, tokens, n, &score, &error));
    assert_int_equal(score.used, 0);
    assert_true(score.p_value == 1);
  }
  ink_synthid_free(s);
}

static ink_status read_text(const char *text, ink_synthid_config *config, ink_error *error) {
  char path[] = "/tmp/inkstone-synthid-XXXXXX";
  int file = mkstemp(path);
  assert_true(file >= 0);
  assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
  close(file);
  ink_status status = ink_synthid_config_read(path, config, error);
  remove(path);
  return status;
}

static void a_watermarking_config_of_transformers_is_read(void **state) {
  (void)state;
  ink_error error = {0};
  ink_synthid_config config;
  assert_ok(
      read_text("{\"ngram_len\": 5, \"keys\": [654, -400], \"sampling_table_size\": 65536,"
                " \"sampling_table_seed\": 3, \"context_history_size\": 1024,"
                " \"skip_first_ngram_calls\": false, \"debug_mode\": false}",
                &config, &error));
  assert_int_equal(config.depth, 2);
  assert_int_equal(config.keys[1], -400);
  assert_int_equal(config.table_seed, 3);
  assert_int_equal(config.variant, INK_SYNTHID_TRANSFORMERS);
}

static void a_config_that_we_cannot_follow_is_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"[]",
                                    "{}",
                                    "{\"keys\": []}",
                                    "{\"keys\": [1.5]}",
                                    "{\"keys\": [1], \"ngram_len\": 1}",
                                    "{\"keys\": [1], \"ngram_len\": 17}",
                                    "{\"keys\": [1], \"sampling_table_size\": 1000}",
                                    "{\"keys\": [1], \"context_history_size\": 10}",
                                    "{\"keys\": [1], \"variant\": \"kgw\"}",
                                    "{\"keys\": [1], \"skip_first_ngram_calls\": true}",
                                    "{\"keys\": [1], \"colour\": 1}",
                                    "{\"keys\": \"1\"}",
                                    "{\"keys\": [1], \"sampling_table_seed\": -1}"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ink_error error = {0};
    ink_synthid_config config;
    if (read_text(bad[i], &config, &error) == INK_OK) fail_msg("%s was accepted", bad[i]);
    assert_true(error.text[0] != 0);
  }
  ink_error error = {0};
  ink_synthid *s;
  ink_synthid_config config = {.ngram = 5, .depth = 65};
  assert_int_equal(ink_synthid_new(&config, &s, &error), INK_ERR_USAGE);
  assert_null(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_million_ngrams_have_the_bits_of_transformers),
      cmocka_unit_test(a_million_ngrams_have_the_bits_of_deepmind),
      cmocka_unit_test(means_over_fresh_contexts_equal_the_references),
      cmocka_unit_test(a_tournament_gives_the_chances_of_transformers),
      cmocka_unit_test(a_vocabulary_beyond_the_table_gives_the_chances_of_transformers),
      cmocka_unit_test(few_tokens_or_many_give_the_chances_of_the_definition),
      cmocka_unit_test(a_stream_that_is_taken_back_goes_on_as_if_it_had_never_left),
      cmocka_unit_test(texts_of_200_tokens_are_found_and_others_are_not),
      cmocka_unit_test(other_keys_do_not_find_the_mark),
      cmocka_unit_test(the_mean_chance_of_a_token_is_untouched),
      cmocka_unit_test(a_text_too_short_for_one_ngram_says_nothing),
      cmocka_unit_test(a_watermarking_config_of_transformers_is_read),
      cmocka_unit_test(a_config_that_we_cannot_follow_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
