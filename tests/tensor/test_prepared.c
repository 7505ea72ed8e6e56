// What a pipeline relies on when its weights are prepared once: the same bytes, and a source that
// is read a single time.
#include <math.h>

#include "base/arena.h"
#include "base/pool.h"
#include "base/random.h"
#include "tensor/ops.h"
#include "tensor/prepared.h"
#include "testing.h"

typedef struct seen {
  int times;
  const void *data;
  size_t bytes;
} seen;

static void source_read(void *context, const void *data, size_t bytes) {
  seen *s = context;
  s->times++;
  s->data = data;
  s->bytes = bytes;
}

static ink_tensor *noise(ink_compute *c, ink_dtype dtype, int rank, const int64_t *shape) {
  ink_tensor *x = ink_tensor_new(c->arena, INK_F32, rank, shape);
  ink_random random = ink_random_at(5, (uint64_t)rank, 0);
  for (int64_t i = 0; i < ink_tensor_elements(x); i++) {
    ((float *)x->data)[i] = (float)ink_random_normal(&random);
  }
  return dtype == INK_F32 ? x : ink_cast(c, x, dtype);
}

static ink_tensor *layer(ink_compute *c, const ink_tensor *x, const ink_tensor *weight) {
  if (weight->rank == 2) return ink_linear(c, x, weight, NULL);
  return ink_conv2d(c, x, weight, NULL, 1, (ink_padding){1, 1, 1, 1});
}

static void a_prepared_weight_gives_the_same_bytes_and_is_read_once(void **state) {
  (void)state;
  const ink_dtype types[] = {INK_F32, INK_F16, INK_BF16};
  for (int which = 0; which < 6; which++) {
    ink_arena *arena = ink_arena_new(0);
    ink_compute c = {.arena = arena};
    bool linear = which % 2;
    ink_tensor *x = noise(&c, INK_BF16, 4, (int64_t[]){2, 6, 5, 70});
    ink_tensor *weight = noise(&c, types[which / 2], linear ? 2 : 4, (int64_t[]){45, 70, 3, 3});
    ink_tensor *plain = layer(&c, x, weight);
    seen s = {0};
    c.prepared = ink_prepared_new(source_read, &s);
    ink_tensor *first = layer(&c, x, weight);
    size_t bytes, n;
    assert_true(ink_tensor_bytes(weight->dtype, weight->rank, weight->shape, &n));
    assert_int_equal(s.times, 1);
    assert_ptr_equal(s.data, weight->data);
    assert_int_equal(s.bytes, n);
    bytes = ink_prepared_bytes(c.prepared);
    assert_true(bytes > 0);
    memset(weight->data, 0, n);  // as if its pages were gone
    ink_tensor *second = layer(&c, x, weight);
    ink_error error = {0};
    assert_ok(ink_compute_status(&c, &error));
    size_t size = (size_t)ink_tensor_elements(plain) * 2;
    assert_memory_equal(first->data, plain->data, size);
    assert_memory_equal(second->data, plain->data, size);
    assert_int_equal(s.times, 1);
    assert_int_equal(ink_prepared_bytes(c.prepared), bytes);
    ink_prepared_free(c.prepared);
    ink_arena_free(arena);
  }
}

static void many_weights_are_told_apart(void **state) {
  (void)state;
  enum { WEIGHTS = 700 };
  ink_arena *arena = ink_arena_new(0);
  ink_compute c = {.arena = arena, .prepared = ink_prepared_new(NULL, NULL)};
  ink_tensor *x = noise(&c, INK_BF16, 2, (int64_t[]){1, 2});
  ink_tensor *all = noise(&c, INK_F32, 2, (int64_t[]){WEIGHTS, 2});
  for (int round = 0; round < 2; round++) {
    ink_compute plain = {.arena = arena};
    for (int i = 0; i < WEIGHTS; i++) {
      const ink_tensor *weight = ink_slice(&c, all, 0, i, 1);
      ink_tensor *y = ink_linear(&c, x, weight, NULL), *z = ink_linear(&plain, x, weight, NULL);
      assert_non_null(y);
      assert_non_null(z);
      assert_memory_equal(y->data, z->data, 2);
    }
  }
  ink_prepared_free(c.prepared);
  ink_arena_free(arena);
}

static void a_strided_weight_is_never_kept(void **state) {
  (void)state;
  ink_arena *arena = ink_arena_new(0);
  ink_compute c = {.arena = arena, .prepared = ink_prepared_new(NULL, NULL)};
  ink_tensor *x = noise(&c, INK_BF16, 2, (int64_t[]){3, 20});
  ink_tensor *weight = noise(&c, INK_F32, 2, (int64_t[]){20, 7});
  assert_non_null(ink_linear(&c, x, ink_permute(&c, weight, (const int[]){1, 0}), NULL));
  assert_int_equal(ink_prepared_bytes(c.prepared), 0);
  ink_prepared_free(c.prepared);
  ink_arena_free(arena);
}

static void a_picture_has_the_same_bytes_alone_and_in_a_batch(void **state) {
  (void)state;
  ink_arena *arena = ink_arena_new(0);
  const ink_dtype types[] = {INK_F32, INK_BF16};
  for (int t = 0; t < 2; t++) {
    ink_compute c = {.arena = arena};
    ink_tensor *x = noise(&c, types[t], 4, (int64_t[]){3, 9, 21, 64});
    ink_tensor *weight = noise(&c, INK_F32, 4, (int64_t[]){40, 64, 3, 3});
    ink_tensor *ones = noise(&c, INK_F32, 1, (int64_t[]){64});
    ink_tensor *one = ink_slice(&c, x, 0, 1, 1);
    ink_tensor *all[] = {layer(&c, x, weight), ink_group_norm_silu(&c, x, 8, ones, ones, 1e-5f)};
    ink_tensor *own[] = {layer(&c, one, weight),
                         ink_group_norm_silu(&c, one, 8, ones, ones, 1e-5f)};
    for (int i = 0; i < 2; i++) {
      assert_non_null(all[i]);
      assert_non_null(own[i]);
      size_t n = (size_t)ink_tensor_elements(own[i]) * (t ? 2 : 4);
      assert_memory_equal((char *)all[i]->data + n, own[i]->data, n);
    }
  }
  ink_arena_free(arena);
}

static ink_tensor *absolute(ink_compute *c, const ink_tensor *x) {
  ink_tensor *y = ink_tensor_new(c->arena, INK_F32, x->rank, x->shape);
  assert_non_null(y);
  for (int64_t i = 0; i < ink_tensor_elements(x); i++) {
    ((float *)y->data)[i] = fabsf(((const float *)x->data)[i]);
  }
  return y;
}

// F32 is off by the order of its sums alone; BF16 by one rounding of each folded tap and of y.
static void a_folded_kernel_equals_the_convolution_of_the_enlarged_picture(void **state) {
  (void)state;
  const ink_dtype types[] = {INK_F32, INK_BF16};
  const int64_t shapes[][4] = {{2, 5, 7, 70}, {1, 9, 70, 33}, {1, 3, 4, 530}, {1, 1, 1, 4}};
  const ink_padding one = {1, 1, 1, 1};
  for (int which = 0; which < 8; which++) {
    ink_arena *arena = ink_arena_new(0);
    ink_compute c = {.arena = arena};
    const int64_t *shape = shapes[which / 2];
    bool f32 = which % 2 == 0;
    ink_tensor *x = noise(&c, types[which % 2], 4, shape);
    ink_tensor *weight = noise(&c, INK_F16, 4, (int64_t[]){45, shape[3], 3, 3});
    ink_tensor *bias = noise(&c, INK_F32, 1, (int64_t[]){45});
    ink_tensor *dense = ink_cast(&c, weight, INK_F32);
    ink_tensor *wide = ink_upsample_nearest(&c, ink_cast(&c, x, INK_F32), 2);
    ink_tensor *plain = ink_conv2d(&c, wide, dense, bias, 1, one);
    // What the terms of each element come to without their signs.
    ink_tensor *terms = ink_conv2d(&c, absolute(&c, wide), absolute(&c, dense), NULL, 1, one);
    ink_tensor *folded = ink_conv2d_enlarged(&c, x, weight, bias, 0, 2 * shape[1]);
    assert_non_null(folded);
    assert_true(ink_tensor_same_shape(folded, plain));
    const float *got = ink_cast(&c, folded, INK_F32)->data, *wanted = plain->data,
                *size = terms->data;
    for (int64_t i = 0; i < ink_tensor_elements(folded); i++) {
      double most =
          f32 ? 1e-6 * (double)size[i] + 1e-6 : ((double)size[i] + fabs((double)wanted[i])) / 256;
      if (!(fabs((double)got[i] - (double)wanted[i]) <= most)) {
        fail_msg("case %d, element %lld: %g instead of %g", which, (long long)i, (double)got[i],
                 (double)wanted[i]);
      }
    }
    ink_arena_free(arena);
  }
}

static void a_folded_kernel_gives_the_same_bytes_in_bands_and_for_any_threads(void **state) {
  (void)state;
  const ink_dtype types[] = {INK_F32, INK_BF16};
  const int64_t height = 11, width = 37, out = 45;
  for (int which = 0; which < 6; which++) {
    ink_arena *arena = ink_arena_new(0);
    ink_compute c = {.arena = arena};
    size_t row = (size_t)(2 * width * out) * (which % 2 ? 2 : 4);
    ink_tensor *x = noise(&c, types[which % 2], 4, (int64_t[]){1, height, width, 300});
    ink_tensor *weight = noise(&c, INK_F16, 4, (int64_t[]){out, 300, 3, 3});
    ink_tensor *whole = ink_conv2d_enlarged(&c, x, weight, NULL, 0, 2 * height);
    assert_non_null(whole);
    seen s = {0};
    c.pool = ink_pool_new(which / 2 + 1);
    c.prepared = ink_prepared_new(source_read, &s);
    // Bands of five rows begin at even and at odd ones.
    for (int64_t at = 0; at < 2 * height; at += 5) {
      int64_t end = at + 5 < 2 * height ? at + 5 : 2 * height;
      int64_t from = at > 0 ? (at - 1) / 2 : 0, to = end / 2 + 1 < height ? end / 2 + 1 : height;
      ink_tensor *part = ink_slice(&c, x, 1, from, to - from);
      ink_tensor *band = ink_conv2d_enlarged(&c, part, weight, NULL, at - 2 * from, end - at);
      assert_non_null(band);
      ink_tensor *place = ink_tensor_new(arena, x->dtype, 4, band->shape);
      ink_conv2d_enlarged_into(&c, part, weight, NULL, at - 2 * from, place);
      const char *wanted = (const char *)whole->data + (size_t)at * row;
      assert_memory_equal(band->data, wanted, (size_t)(end - at) * row);
      assert_memory_equal(place->data, wanted, (size_t)(end - at) * row);
    }
    assert_int_equal(s.times, 1);
    ink_error error = {0};
    assert_ok(ink_compute_status(&c, &error));
    ink_prepared_free(c.prepared);
    ink_pool_free(c.pool);
    ink_arena_free(arena);
  }
}

// In F32 the bytes of the steps one by one; in BF16 without what they round on the way.
static void a_rectified_convolution_equals_its_steps(void **state) {
  (void)state;
  const ink_dtype types[] = {INK_F32, INK_BF16};
  const ink_padding one = {1, 1, 1, 1};
  // Channels of one block and of several; so few results that they are laid out in another way.
  const int64_t channels[] = {66, 66, 530, 66}, outs[] = {45, 45, 45, 3};
  for (int which = 0; which < 16; which++) {
    ink_arena *arena = ink_arena_new(0);
    ink_compute c = {.arena = arena, .pool = ink_pool_new(which / 4 == 1 ? 2 : 1)};
    const int64_t in = channels[which / 4], out = outs[which / 4];
    bool f32 = which % 2 == 0, has_also = which / 2 % 2 == 0;
    ink_tensor *x = noise(&c, types[which % 2], 4, (int64_t[]){2, 9, 70, in});
    ink_tensor *weight = noise(&c, INK_F32, 4, (int64_t[]){out, in, 3, 3});
    ink_tensor *bias = noise(&c, INK_F32, 1, (int64_t[]){out});
    ink_tensor *also = has_also ? noise(&c, types[which % 2], 4, (int64_t[]){2, 9, 70, out}) : NULL;
    ink_tensor *plain = ink_conv2d(&c, x, weight, bias, 1, one);
    ink_tensor *steps = ink_relu(&c, also ? ink_add(&c, also, plain) : plain);
    ink_tensor *fused = ink_conv2d_relu(&c, x, weight, bias, 1, one, also);
    assert_non_null(steps);
    assert_non_null(fused);
    size_t bytes = (size_t)ink_tensor_elements(fused) * (f32 ? 4 : 2);
    if (f32) assert_memory_equal(fused->data, steps->data, bytes);
    const float *got = ink_cast(&c, fused, INK_F32)->data;
    const float *wanted = ink_cast(&c, steps, INK_F32)->data;
    const float *term = ink_cast(&c, plain, INK_F32)->data;
    for (int64_t i = 0; i < ink_tensor_elements(fused); i++) {
      double most = (fabs((double)term[i]) + 2 * fabs((double)wanted[i])) / 256 + 1e-4;
      assert_true(got[i] >= 0 && fabs((double)got[i] - (double)wanted[i]) <= most);
    }
    // In the place of what is added.
    const ink_tensor *place = also ? also : ink_tensor_new(arena, x->dtype, 4, fused->shape);
    ink_conv2d_relu_into(&c, x, weight, bias, 1, one, also, place);
    assert_memory_equal(place->data, fused->data, bytes);
    ink_error error = {0};
    assert_ok(ink_compute_status(&c, &error));
    ink_pool_free(c.pool);
    ink_arena_free(arena);
  }
}

// Every second pixel of the same, with more around the picture than a step is wide.
static void a_convolution_of_every_second_pixel_is_a_part_of_the_whole(void **state) {
  (void)state;
  const ink_dtype types[] = {INK_F32, INK_BF16};
  const ink_padding paddings[] = {{3, 2, 2, 3}, {0, 1, 1, 0}, {2, 3, 1, 2}, {1, 0, 0, 1}};
  for (int which = 0; which < 8; which++) {
    ink_arena *arena = ink_arena_new(0);
    ink_compute c = {.arena = arena};
    ink_tensor *x = noise(&c, types[which % 2], 4, (int64_t[]){2, 9, 13, 40});
    ink_tensor *weight = noise(&c, INK_F32, 4, (int64_t[]){20, 40, 5, 5});
    ink_tensor *all = ink_conv2d(&c, x, weight, NULL, 1, paddings[which / 2]);
    ink_tensor *some = ink_conv2d(&c, x, weight, NULL, 2, paddings[which / 2]);
    assert_non_null(all);
    assert_non_null(some);
    const size_t size = 20 * (which % 2 ? sizeof(uint16_t) : sizeof(float));
    for (int64_t i = 0; i < 2 * some->shape[1] * some->shape[2]; i++) {
      int64_t column = i % some->shape[2], row = i / some->shape[2] % some->shape[1],
              image = i / some->shape[2] / some->shape[1];
      int64_t at = (image * all->shape[1] + 2 * row) * all->shape[2] + 2 * column;
      assert_memory_equal((char *)some->data + (size_t)i * size,
                          (char *)all->data + (size_t)at * size, size);
    }
    ink_arena_free(arena);
  }
}

// Of few output channels, whose taps are columns of one product, and of the same among many.
static void few_output_channels_equal_the_same_among_many(void **state) {
  (void)state;
  static const struct {
    int64_t few, kernel, channels;
  } cases[] = {{3, 3, 64}, {1, 3, 300}, {1, 5, 33}, {7, 2, 70}, {8, 2, 530}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_arena *arena = ink_arena_new(0);
    int64_t few = cases[i].few, k = cases[i].kernel, channels = cases[i].channels;
    ink_compute c = {.arena = arena};
    ink_tensor *x = noise(&c, INK_BF16, 4, (int64_t[]){2, 11, 75, channels});
    ink_tensor *weight = noise(&c, INK_F32, 4, (int64_t[]){40, channels, k, k});
    ink_tensor *bias = noise(&c, INK_F32, 1, (int64_t[]){40});
    ink_tensor *size = ink_conv2d(&c, absolute(&c, ink_cast(&c, x, INK_F32)), absolute(&c, weight),
                                  NULL, 1, (ink_padding){1, 1, 1, 1});
    ink_tensor *many = ink_conv2d(&c, x, weight, bias, 1, (ink_padding){1, 1, 1, 1});
    ink_tensor *part = ink_slice(&c, weight, 0, 0, few), *first = ink_slice(&c, bias, 0, 0, few);
    ink_tensor *y = ink_conv2d(&c, x, part, first, 1, (ink_padding){1, 1, 1, 1});
    assert_non_null(many);
    assert_non_null(y);
    const float *got = ink_cast(&c, y, INK_F32)->data, *wanted = ink_cast(&c, many, INK_F32)->data;
    for (int64_t p = 0; p < ink_tensor_elements(y) / few; p++) {
      for (int64_t j = 0; j < few; j++) {
        double a = (double)got[p * few + j], b = (double)wanted[p * 40 + j];
        double most = 1e-6 * (double)((float *)size->data)[p * 40 + j] + fabs(b) / 128 + 1e-6;
        if (!(fabs(a - b) <= most)) {
          fail_msg("case %zu, pixel %lld, channel %lld: %g instead of %g", i, (long long)p,
                   (long long)j, a, b);
        }
      }
    }
    // The same bytes for any number of threads, kept panels and a picture alone.
    seen s = {0};
    c.pool = ink_pool_new(3);
    c.prepared = ink_prepared_new(source_read, &s);
    for (int again = 0; again < 2; again++) {
      ink_tensor *alone =
          ink_conv2d(&c, ink_slice(&c, x, 0, 1, 1), part, first, 1, (ink_padding){1, 1, 1, 1});
      assert_non_null(alone);
      size_t n = (size_t)ink_tensor_elements(alone);
      assert_memory_equal(alone->data, (uint16_t *)y->data + n, n * 2);
    }
    assert_int_equal(s.times, 1);
    ink_prepared_free(c.prepared);
    ink_pool_free(c.pool);
    ink_arena_free(arena);
  }
}

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  ink_arena *arena = ink_arena_new(0);
  ink_compute make = {.arena = arena};
  ink_tensor *x = noise(&make, INK_F32, 4, (int64_t[]){1, 4, 4, 6});
  ink_tensor *weight = noise(&make, INK_F32, 4, (int64_t[]){5, 6, 3, 3});
  ink_tensor *thin = noise(&make, INK_F32, 4, (int64_t[]){5, 4, 3, 3});
  ink_tensor *vector = noise(&make, INK_F32, 1, (int64_t[]){6});
  ink_padding none = {0}, negative = {-1, 0, 0, 0};
  ink_tensor *wide = noise(&make, INK_F32, 4, (int64_t[]){5, 6, 5, 5});
  for (int i = 0; i < 13; i++) {
    ink_compute c = {.arena = arena};
    ink_tensor *y = NULL;
    if (i == 0) y = ink_conv2d(&c, x, thin, NULL, 1, none);
    if (i == 1) y = ink_conv2d(&c, x, weight, vector, 1, none);
    if (i == 2) y = ink_conv2d(&c, x, weight, NULL, 0, none);
    if (i == 3) y = ink_conv2d(&c, x, weight, NULL, 1, negative);
    if (i == 4) y = ink_conv2d(&c, ink_slice(&c, x, 1, 0, 2), weight, NULL, 1, none);
    if (i == 5) y = ink_group_norm(&c, x, 4, vector, vector, 1e-5f);
    if (i == 6) y = ink_average_pool(&c, x, 3);
    if (i == 7) y = ink_geglu(&c, ink_slice(&c, x, 3, 0, 3));
    if (i == 8) y = ink_conv2d_enlarged(&c, x, thin, NULL, 0, 8);
    if (i == 9) y = ink_conv2d_enlarged(&c, x, wide, NULL, 0, 8);
    if (i == 10) y = ink_conv2d_enlarged(&c, x, weight, NULL, 1, 8);
    if (i == 12) y = ink_conv2d_relu(&c, x, weight, NULL, 1, none, x);
    if (i == 11) y = ink_conv2d_enlarged(&c, x, weight, NULL, -1, 8);
    assert_null(y);
    assert_int_not_equal(ink_compute_status(&c, NULL), INK_OK);
  }
  ink_arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_prepared_weight_gives_the_same_bytes_and_is_read_once),
      cmocka_unit_test(many_weights_are_told_apart),
      cmocka_unit_test(a_strided_weight_is_never_kept),
      cmocka_unit_test(a_picture_has_the_same_bytes_alone_and_in_a_batch),
      cmocka_unit_test(a_folded_kernel_equals_the_convolution_of_the_enlarged_picture),
      cmocka_unit_test(a_folded_kernel_gives_the_same_bytes_in_bands_and_for_any_threads),
      cmocka_unit_test(a_rectified_convolution_equals_its_steps),
      cmocka_unit_test(a_convolution_of_every_second_pixel_is_a_part_of_the_whole),
      cmocka_unit_test(few_output_channels_equal_the_same_among_many),
      cmocka_unit_test(what_does_not_fit_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
