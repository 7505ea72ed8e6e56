// Passes over a vocabulary: every instruction set gives the bytes of the portable twin.
#include <math.h>

#include "base/random.h"
#include "mark/watermark/cpu/draw.h"
#include "tensor/isa.h"
#include "testing.h"

enum { MOST = 5000, WORDS = MOST / 64 + 1 };

// What this machine can run besides the twin.
static size_t tables(const ink_draw_kernels *found[2]) {
  size_t n = 0;
#if defined(__x86_64__)
  if (ink_cpu_about()->isa >= INK_ISA_AVX2) found[n++] = &ink_draw_avx2;
  if (ink_cpu_about()->isa >= INK_ISA_AVX512) found[n++] = &ink_draw_avx512;
#else
  (void)found;
#endif
  return n;
}

typedef struct draw {
  float weights[MOST];
  uint64_t bits[4][WORDS];
  ink_draw_layers now, next;
} draw;

// Weights of which `share` are above 0, over many magnitudes, and bits at random.
static void prepare(uint64_t seed, float share, draw *d) {
  ink_random random = ink_random_at(seed, 1, 0);
  for (int i = 0; i < MOST; i++) {
    float u = ink_random_float(&random), v = ink_random_float(&random);
    d->weights[i] = u < share ? expf(-40 * v) : 0;
  }
  for (int row = 0; row < 4; row++) {
    for (int i = 0; i < WORDS; i++) {
      d->bits[row][i] = ink_random_u32(&random);
      d->bits[row][i] = d->bits[row][i] << 32 | ink_random_u32(&random);
    }
  }
  d->now = (ink_draw_layers){d->bits[0], d->bits[1], {0.3F, 1.3F}, {0.77F, 1.77F}};
  d->next = (ink_draw_layers){.first = d->bits[2], .second = d->bits[3]};
}

static const size_t sizes[] = {0, 1, 3, 15, 16, 17, 63, 64, 65, 1000, 1023, 1024, 1025, 2048, 4999};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void the_portable_passes_do_what_they_say(void **state) {
  (void)state;
  static draw d, before;
  for (int s = 0; s < SIZES; s++) {
    size_t n = sizes[s], count = 0;
    prepare((uint64_t)s, 0.4F, &d);
    before = d;
    double strands[INK_DRAW_STRANDS] = {0}, total = 0, first = 0, second = 0, both = 0;
    ink_draw_sums sums = {{0}, {0}, {0}};
    ink_draw_portable.sum(d.weights, n, strands);
    ink_draw_portable.two_layers(&d.now, &d.next, d.weights, n, &sums);
    for (size_t i = 0; i < n; i++) {
      bool bit[4];
      for (int row = 0; row < 4; row++) bit[row] = d.bits[row][i / 64] >> i % 64 & 1;
      float x = before.weights[i] * d.now.first_factor[bit[0]];
      x *= d.now.second_factor[bit[1]];
      assert_true(d.weights[i] == x);
      total += (double)before.weights[i];
      count += before.weights[i] > 0;
      first += bit[2] ? (double)x : 0;
      second += bit[3] ? (double)x : 0;
      both += bit[2] && bit[3] ? (double)x : 0;
    }
    for (size_t i = n; i < MOST; i++) assert_true(d.weights[i] == before.weights[i]);
    assert_true(fabs(ink_draw_join(strands) - total) <= 1e-5 * total);
    assert_true(fabs(ink_draw_join(sums.first) - first) <= 1e-5 * first);
    assert_true(fabs(ink_draw_join(sums.second) - second) <= 1e-5 * second);
    assert_true(fabs(ink_draw_join(sums.both) - both) <= 1e-5 * both);
    int32_t places[MOST];
    assert_int_equal(ink_draw_portable.present(d.weights, n, MOST, places), count);
    for (size_t i = 0, at = 0; i < n; i++) {
      if (before.weights[i] > 0) assert_int_equal(places[at++], i);
    }
    if (count > 0) {
      assert_int_equal(ink_draw_portable.present(d.weights, n, count - 1, places), count);
    }
  }
}

static void every_instruction_set_gives_the_bytes_of_the_portable_one(void **state) {
  (void)state;
  const ink_draw_kernels *found[2];
  size_t n_found = tables(found);
  static draw a, b;
  for (size_t t = 0; t < n_found; t++) {
    for (int s = 0; s < SIZES; s++) {
      size_t n = sizes[s];
      prepare((uint64_t)s, s % 2 ? 1 : 0.1F, &a);
      prepare((uint64_t)s, s % 2 ? 1 : 0.1F, &b);
      int32_t mine[MOST] = {0}, theirs[MOST] = {0};
      size_t present = ink_draw_portable.present(a.weights, n, 100, mine);
      assert_int_equal(found[t]->present(b.weights, n, 100, theirs), present);
      assert_memory_equal(mine, theirs, sizeof mine);
      double x[INK_DRAW_STRANDS] = {0}, y[INK_DRAW_STRANDS] = {0};
      ink_draw_portable.sum(a.weights, n, x);
      found[t]->sum(b.weights, n, y);
      assert_memory_equal(x, y, sizeof x);
      ink_draw_sums p = {{0}, {0}, {0}}, q = p;
      ink_draw_portable.two_layers(&a.now, &a.next, a.weights, n, &p);
      found[t]->two_layers(&b.now, &b.next, b.weights, n, &q);
      assert_memory_equal(a.weights, b.weights, sizeof a.weights);
      assert_memory_equal(&p, &q, sizeof p);
      for (double best = 1e6; best > 1e-3; best /= 10) {
        for (size_t from = 0; from <= n; from++) {
          size_t next = ink_draw_portable.contender(77, best, a.weights, from, n);
          assert_int_equal(found[t]->contender(77, best, b.weights, from, n), next);
          from = next;
        }
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_portable_passes_do_what_they_say),
      cmocka_unit_test(every_instruction_set_gives_the_bytes_of_the_portable_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
