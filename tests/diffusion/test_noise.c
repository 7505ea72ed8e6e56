// Random numbers against torch: seeds of other tools give the same noise here.
#include <math.h>

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
    const ink_safetensor *t = ink_safetensors_at(file, i);
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
    const ink_safetensor *t = ink_safetensors_find(file, name);
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
    const ink_safetensor *t = ink_safetensors_at(file, i);
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
      cmocka_unit_test(cpu_normals_equal_torch),
      cmocka_unit_test(cpu_normals_in_double_equal_torch),
      cmocka_unit_test(cuda_normals_follow_the_published_layout),
      cmocka_unit_test(own_noise_is_normal_and_keyed),
      cmocka_unit_test(names_find_their_generator),
  };
  return cmocka_run_group_tests_name("noise", tests, open_fixture, close_fixture);
}
