// Random numbers against torch: seeds of other tools give the same noise here.
#include <math.h>

#include "base/seed_sequence.h"
#include "diffusion/brownian.h"
#include "diffusion/noise.h"
#include "testing.h"
#include "weights/safetensors.h"

static int open_fixture(void **state) {
  ink_error error = {0};
  ink_safetensors *file;
  assert_ok(ink_safetensors_open(fixture_path("diffusion/noise.safetensors"), &file, &error));
  *state = file;
  return 0;
}

static int close_fixture(void **state) {
  ink_safetensors_close(*state);
  return 0;
}

static void assert_near(const char *name, const float *ours, const float *theirs, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    double difference = fabs((double)ours[i] - (double)theirs[i]);
    if (!(difference <= 2e-6 * fmax(1, fabs((double)theirs[i])))) {
      fail_msg("%s[%d] is %.9g, not %.9g", name, (int)i, (double)ours[i], (double)theirs[i]);
    }
  }
}

static const ink_stored_tensor *brownian_fixture(const char *name, ink_safetensors **file) {
  ink_error error = {0};
  assert_ok(ink_safetensors_open(fixture_path("diffusion/brownian.safetensors"), file, &error));
  return name ? ink_safetensors_find(*file, name) : NULL;
}

static void seeds_of_seeds_equal_those_of_numpy(void **state) {
  (void)state;
  enum { KNOWN = 6, WORDS = 6 };
  ink_safetensors *file;
  const ink_stored_tensor *t = brownian_fixture("seeds", &file);
  assert_int_equal(t->shape[0], 16);
  for (int64_t i = 0; i < t->shape[0]; i++) {
    const uint32_t *row = (const uint32_t *)(const void *)t->data + i * (KNOWN + WORDS);
    uint64_t numbers[3];
    for (int k = 0; k < 3; k++) numbers[k] = row[2 * k] | (uint64_t)row[2 * k + 1] << 32;
    uint32_t words[WORDS];
    size_t n_keys = numbers[2] == UINT64_MAX ? 0 : 2;
    ink_seed_sequence(numbers[0], numbers + 1, n_keys, 24, words, WORDS);
    assert_memory_equal(words, row + KNOWN, sizeof words);
  }
  ink_safetensors_close(file);
}

static void brownian_noise_equals_torchsde(void **state) {
  (void)state;
  enum { N = 36 };
  ink_safetensors *file;
  ink_error error = {0};
  int n_seen = 0;
  brownian_fixture(NULL, &file);
  for (size_t i = 0; i < ink_safetensors_count(file); i++) {
    const ink_stored_tensor *t = ink_safetensors_at(file, i);
    char kind[8];
    unsigned long long seed;
    ink_brownian motion = {0};
    if (sscanf(t->name, "%4[a-z].%llu.%lf", kind, &seed, &motion.low) != 3) continue;
    const char *dot = strchr(strchr(strchr(t->name, '.') + 1, '.') + 1, '.');
    motion.high = strtod(strchr(dot + 1, '.') + 1, NULL);
    motion.seed = seed;
    assert_true(ink_noise_parse(kind, &motion.kind));
    const float *row = (const void *)t->data;
    for (int64_t k = 0; k < t->shape[0]; k++, row += 2 + N) {
      float ours[N];
      assert_ok(ink_brownian_step(&motion, (double)row[0], (double)row[1], ours, N, &error));
      assert_near(t->name, ours, row + 2, N);
    }
    n_seen++;
  }
  assert_int_equal(n_seen, 6);
  ink_safetensors_close(file);
}

// Two steps and the one over both are of the same path.
static void brownian_steps_add_up(void **state) {
  (void)state;
  enum { N = 500 };
  static float first[N], second[N], both[N], other[N];
  ink_error error = {0};
  ink_brownian motion = {.kind = INK_NOISE_OWN, .seed = 5, .stream = 3, .low = 0.03, .high = 14.6};
  assert_ok(ink_brownian_step(&motion, 14.6, 9, first, N, &error));
  assert_ok(ink_brownian_step(&motion, 9, 2, second, N, &error));
  assert_ok(ink_brownian_step(&motion, 14.6, 2, both, N, &error));
  double mean = 0, square = 0, cross = 0;
  for (int i = 0; i < N; i++) {
    double sum = (double)first[i] * sqrt(5.6) + (double)second[i] * sqrt(7);
    assert_true(fabs(sum - (double)both[i] * sqrt(12.6)) < 1e-5);
    mean += (double)first[i] / N;
    square += (double)(first[i] * first[i]) / N;
    cross += (double)(first[i] * second[i]) / N;
  }
  assert_true(fabs(mean) < 0.15 && fabs(square - 1) < 0.2 && fabs(cross) < 0.15);
  motion.stream = 4;
  assert_ok(ink_brownian_step(&motion, 14.6, 9, other, N, &error));
  assert_memory_not_equal(first, other, sizeof first);
  assert_int_equal(ink_brownian_step(&motion, 20, 9, other, N, &error), INK_ERR_USAGE);
  // A level that rounding took out of the range is the range's own; one beyond that is none.
  const double rounded = 0.03 * 0.9995;
  assert_ok(ink_brownian_step(&motion, 9, 0.03, first, N, &error));
  assert_ok(ink_brownian_step(&motion, 9, rounded, other, N, &error));
  for (int i = 0; i < N; i++) {
    assert_true(fabs((double)first[i] * sqrt(9 - 0.03) - (double)other[i] * sqrt(9 - rounded)) <
                1e-5);
  }
  assert_int_equal(ink_brownian_step(&motion, 9, 0.0299, other, N, &error), INK_ERR_USAGE);
  motion.high = motion.low;
  assert_int_equal(ink_brownian_step(&motion, 14.6, 9, other, N, &error), INK_ERR_USAGE);
}

static void mt19937_equals_its_published_vector(void **state) {
  (void)state;
  ink_torch_cpu g;
  ink_torch_cpu_seed(&g, 5489);  // the 10,000th word of the default seed: ISO C++, rand.predef
  uint32_t word = 0;
  for (int i = 0; i < 10000; i++) word = ink_torch_cpu_u32(&g);
  assert_int_equal(word, 4123659995u);
}

static void cpu_normals_equal_torch(void **state) {
  const ink_safetensors *file = *state;
  int n_seen = 0;
  for (size_t i = 0; i < ink_safetensors_count(file); i++) {
    const ink_stored_tensor *t = ink_safetensors_at(file, i);
    unsigned long long seed;
    int n, end = 0;
    if (sscanf(t->name, "cpu.%llu.%d%n", &seed, &n, &end) != 2 || t->name[end]) continue;
    float *ours = calloc((size_t)n, sizeof *ours), then[5];
    ink_torch_cpu g;
    ink_torch_cpu_seed(&g, seed);
    ink_torch_cpu_normal(&g, ours, (size_t)n);
    assert_near(t->name, ours, (const void *)t->data, n);
    ink_torch_cpu_normal(&g, then, 5);
    char name[80];
    snprintf(name, sizeof name, "%s.then", t->name);
    assert_near(name, then, (const void *)ink_safetensors_find(file, name)->data, 5);
    free(ours);
    n_seen++;
  }
  assert_int_equal(n_seen, 29);
}

static void cpu_normals_in_double_equal_torch(void **state) {
  const ink_safetensors *file = *state;
  const int sizes[] = {3, 15, 16, 37};
  for (int i = 0; i < 4; i++) {
    char name[40];
    snprintf(name, sizeof name, "cpu_double.42.%d", sizes[i]);
    const ink_stored_tensor *t = ink_safetensors_find(file, name);
    double ours[37], theirs[37];
    memcpy(theirs, t->data, (size_t)sizes[i] * sizeof *theirs);
    ink_torch_cpu g;
    ink_torch_cpu_seed(&g, 42);
    ink_torch_cpu_normal_double(&g, ours, (size_t)sizes[i]);
    for (int k = 0; k < sizes[i]; k++) assert_true(fabs(ours[k] - theirs[k]) < 1e-13);
  }
}

static void cuda_normals_follow_the_published_layout(void **state) {
  const ink_safetensors *file = *state;
  int n_seen = 0;
  for (size_t i = 0; i < ink_safetensors_count(file); i++) {
    const ink_stored_tensor *t = ink_safetensors_at(file, i);
    unsigned long long seed, threads;
    int n;
    if (sscanf(t->name, "cuda.%llu.%d.%llu", &seed, &n, &threads) != 3) continue;
    float *ours = calloc((size_t)n, sizeof *ours);
    ink_torch_cuda g = ink_torch_cuda_seed(seed, threads);
    for (int draw = 0; draw < 2; draw++) {
      ink_torch_cuda_normal(&g, ours, (size_t)n);
      assert_near(t->name, ours, (const float *)(const void *)t->data + draw * n, n);
    }
    free(ours);
    n_seen++;
  }
  assert_int_equal(n_seen, 4);
}

static void own_noise_is_normal_and_keyed(void **state) {
  (void)state;
  enum { N = 20000 };
  static float one[N], two[N];
  ink_error error = {0};
  ink_noise noise;
  ink_noise_start(&noise, INK_NOISE_OWN, 11, 3);
  ink_noise_source source = ink_noise_source_of(&noise);
  assert_ok(source.draw(source.context, one, N, &error));
  double mean = 0, square = 0;
  for (int i = 0; i < N; i++) {
    mean += (double)one[i] / N;
    square += (double)one[i] * (double)one[i] / N;
  }
  assert_true(fabs(mean) < 0.03 && fabs(square - 1) < 0.04);
  // Drawn in pieces it is the same sequence; another stream is another.
  ink_noise_start(&noise, INK_NOISE_OWN, 11, 3);
  assert_ok(source.draw(source.context, two, 7, &error));
  assert_ok(source.draw(source.context, two + 7, N - 7, &error));
  assert_memory_equal(one, two, sizeof one);
  ink_noise_start(&noise, INK_NOISE_OWN, 11, 4);
  assert_ok(source.draw(source.context, two, N, &error));
  int equal = 0;
  for (int i = 0; i < N; i++) equal += one[i] == two[i];
  assert_true(equal < 10);
}

static void names_find_their_generator(void **state) {
  (void)state;
  ink_noise_kind kind;
  for (int i = 0; i < INK_NOISE_COUNT; i++) {
    assert_true(ink_noise_parse(ink_noise_name((ink_noise_kind)i), &kind));
    assert_int_equal(kind, i);
  }
  assert_false(ink_noise_parse("gpu2", &kind));
}

static void noise_between_two_seeds_equals_a1111s(void **state) {
  (void)state;
  static const char *const shares[] = {"0.0", "0.25", "0.8", "1.0", "near"};
  ink_error error = {0};
  ink_safetensors *file;
  assert_ok(ink_safetensors_open(fixture_path("diffusion/variation.safetensors"), &file, &error));
  const float *low = (const void *)ink_safetensors_find(file, "low")->data;
  for (int i = 0; i < 5; i++) {
    float noise[120], towards[120];
    const float *expected = (const void *)ink_safetensors_find(file, shares[i])->data;
    const float *high = (const void *)ink_safetensors_find(file, "high")->data;
    memcpy(noise, low, sizeof noise);
    for (int k = 0; k < 120; k++) towards[k] = i == 4 ? low[k] * 1.001F : high[k];
    ink_noise_turn(4, 6, 5, i == 4 ? 0.3 : atof(shares[i]), towards, noise);
    for (int k = 0; k < 120; k++) {
      assert_true(fabs((double)noise[k] - (double)expected[k]) < 1e-5);
    }
  }
  ink_safetensors_close(file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(noise_between_two_seeds_equals_a1111s),
      cmocka_unit_test(mt19937_equals_its_published_vector),
      cmocka_unit_test(seeds_of_seeds_equal_those_of_numpy),
      cmocka_unit_test(brownian_noise_equals_torchsde),
      cmocka_unit_test(brownian_steps_add_up),
      cmocka_unit_test(cpu_normals_equal_torch),
      cmocka_unit_test(cpu_normals_in_double_equal_torch),
      cmocka_unit_test(cuda_normals_follow_the_published_layout),
      cmocka_unit_test(own_noise_is_normal_and_keyed),
      cmocka_unit_test(names_find_their_generator),
  };
  return cmocka_run_group_tests_name("noise", tests, open_fixture, close_fixture);
}
