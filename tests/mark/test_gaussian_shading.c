// Noise that carries an identity: as normal as any, read back under damage, never found where it
// is not.
#include <math.h>

#include "base/random.h"
#include "mark/gaussian_shading.h"
#include "testing.h"

static const ink_latent_shape large = {4, 64, 64}, small = {4, 16, 16};

static void draw(uint64_t seed, size_t n, float *noise) {
  ink_random random = ink_random_at(seed, 3, 0);
  for (size_t i = 0; i < n; i++) noise[i] = (float)ink_random_normal(&random);
}

static ink_shading_key everyone(void) {
  ink_error error = {0};
  ink_shading_key key;
  assert_ok(ink_shading_key_of(NULL, 0, &key, &error));
  return key;
}

static void identity_of(uint64_t seed, uint8_t identity[16]) {
  ink_random random = ink_random_at(seed, 4, 0);
  for (int i = 0; i < 16; i++) identity[i] = (uint8_t)ink_random_u32(&random);
}

static void identities_are_read_from_untouched_noise(void **state) {
  (void)state;
  ink_error error = {0};
  ink_shading_key key = everyone();
  const ink_latent_shape shapes[] = {large,       small,       {4, 8, 8},
                                     {8, 16, 16}, {4, 17, 23}, {16, 9, 30}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    size_t n = (size_t)(shapes[i].channels * shapes[i].height * shapes[i].width);
    float *noise = malloc(n * sizeof *noise);
    uint8_t identity[16];
    draw(i, n, noise);
    identity_of(i, identity);
    assert_ok(ink_shading_apply(&key, (uint16_t)(i * 7919), identity, shapes[i], noise, &error));
    ink_shading_reading r;
    assert_ok(ink_shading_read(&key, shapes[i], noise, &r, &error));
    assert_memory_equal(r.identity, identity, 16);
    assert_int_equal(r.nonce, (uint16_t)(i * 7919));
    assert_true(r.agreement == 1 && r.certainty == 1 && r.p_value < 1e-30);
    free(noise);
  }
}

// Mix with other noise so that signs agree as often as an inversion of the damaged picture leaves
// them.
static void damage(float *noise, size_t n, double agreement, uint64_t seed) {
  ink_random random = ink_random_at(seed, 5, 0);
  for (size_t i = 0; i < n; i++) {
    if (ink_random_double(&random) > agreement) noise[i] = -noise[i];
  }
}

static void small_latents_are_found_when_three_signs_of_four_agree(void **state) {
  (void)state;
  ink_error error = {0};
  ink_shading_key key = everyone();
  enum { PICTURES = 20, N = 4 * 16 * 16 };
  int found = 0;
  for (uint64_t i = 0; i < PICTURES; i++) {
    float noise[N];
    uint8_t identity[16];
    draw(i, N, noise);
    identity_of(i, identity);
    assert_ok(ink_shading_apply(&key, (uint16_t)(i * 331), identity, small, noise, &error));
    damage(noise, N, 0.75, i);
    ink_shading_reading r;
    assert_ok(ink_shading_read(&key, small, noise, &r, &error));
    found += r.p_value < 1e-6;
  }
  assert_int_equal(found, PICTURES);
}

static void large_latents_give_their_identity_when_three_signs_of_four_agree(void **state) {
  (void)state;
  ink_error error = {0};
  ink_shading_key key = everyone();
  enum { N = 4 * 64 * 64 };
  static float noise[N];
  for (uint64_t i = 0; i < 3; i++) {
    uint8_t identity[16];
    draw(i, N, noise);
    identity_of(i, identity);
    assert_ok(ink_shading_apply(&key, (uint16_t)i, identity, large, noise, &error));
    damage(noise, N, 0.75, i);
    ink_shading_reading r;
    assert_ok(ink_shading_read(&key, large, noise, &r, &error));
    assert_memory_equal(r.identity, identity, 16);
    assert_true(r.p_value < 1e-100);
  }
}

static void noise_without_the_mark_is_not_found(void **state) {
  (void)state;
  ink_error error = {0};
  ink_shading_key key = everyone(), other;
  assert_ok(ink_shading_key_of("secret", 6, &other, &error));
  enum { PICTURES = 30, N = 4 * 16 * 16 };
  double least = 1;
  for (uint64_t i = 0; i < PICTURES; i++) {
    float noise[N];
    uint8_t identity[16];
    draw(i, N, noise);
    identity_of(i, identity);
    ink_shading_reading r;
    if (i % 2) assert_ok(ink_shading_apply(&other, 3, identity, small, noise, &error));
    assert_ok(ink_shading_read(&key, small, noise, &r, &error));
    if (r.p_value < least) least = r.p_value;
  }
  print_message("# least p-value of %d: %.2g\n", PICTURES, least);
  assert_true(least > 1e-3);
}

static int by_size(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

// Anderson and Darling (1954) against the standard normal, both parameters known: 3.857 is the
// value that one in a hundred samples passes.
static double anderson_darling(float *noise, size_t n) {
  qsort(noise, n, sizeof *noise, by_size);
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    double low = 0.5 * erfc(-(double)noise[i] / sqrt(2));
    double high = 0.5 * erfc((double)noise[n - 1 - i] / sqrt(2));
    sum += (2.0 * (double)i + 1) * (log(low) + log(high));
  }
  return -(double)n - sum / (double)n;
}

static void marked_noise_is_normal(void **state) {
  (void)state;
  ink_error error = {0};
  ink_shading_key key = everyone();
  enum { N = 4 * 64 * 64 };
  static float noise[N];
  uint8_t identity[16] = {0};  // the plainest of messages
  int above = 0;
  for (uint64_t i = 0; i < 100; i++) {
    draw(i, N, noise);
    assert_ok(ink_shading_apply(&key, (uint16_t)i, identity, large, noise, &error));
    // Neighbours are as independent as they should be.
    double product = 0;
    for (size_t j = 0; j + 1 < N; j++) product += (double)noise[j] * (double)noise[j + 1];
    assert_true(fabs(product / sqrt((double)N)) < 5);
    above += anderson_darling(noise, N) > 3.857;
  }
  assert_true(above <= 5);  // one expected
}

static void fair_coins_are_counted_exactly(void **state) {
  (void)state;
  assert_true(fabs(ink_fair_coins(10, 10) - 1.0 / 1024) < 1e-15);
  assert_true(fabs(ink_fair_coins(10, 5) - 638.0 / 1024) < 1e-12);
  assert_true(ink_fair_coins(10, 0) == 1 && ink_fair_coins(10, 11) == 0);
  // mpmath: sum of binomial(512, i) / 2^512 for i from 384.
  assert_true(fabs(ink_fair_coins(512, 384) / 4.97386585205e-31 - 1) < 1e-9);
}

static void shapes_without_elements_are_refused(void **state) {
  (void)state;
  ink_error error = {0};
  ink_shading_key key = everyone();
  uint8_t identity[16] = {0};
  float noise[1] = {0};
  ink_shading_reading r;
  const ink_latent_shape bad[] = {{0, 1, 1}, {1, -1, 1}, {INT32_MAX, INT32_MAX, INT32_MAX}};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(ink_shading_apply(&key, 0, identity, bad[i], noise, &error), INK_ERR_USAGE);
    assert_int_equal(ink_shading_read(&key, bad[i], noise, &r, &error), INK_ERR_USAGE);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(identities_are_read_from_untouched_noise),
      cmocka_unit_test(small_latents_are_found_when_three_signs_of_four_agree),
      cmocka_unit_test(large_latents_give_their_identity_when_three_signs_of_four_agree),
      cmocka_unit_test(noise_without_the_mark_is_not_found),
      cmocka_unit_test(marked_noise_is_normal),
      cmocka_unit_test(fair_coins_are_counted_exactly),
      cmocka_unit_test(shapes_without_elements_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
