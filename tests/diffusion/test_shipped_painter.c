// The painter that ships in models/painter: diffusers paints the same pictures with it.
#include "models/stable_diffusion.h"
#include "painting_testing.h"
#include "resident.h"
#include "weights/hub.h"

static const ink_stored_tensor *find(const ink_safetensors *file, const char *what,
                                     const char *name) {
  char key[64];
  snprintf(key, sizeof key, "%s.%s", what, name);
  const ink_stored_tensor *tensor = ink_safetensors_find(file, key);
  assert_non_null(tensor);
  return tensor;
}

static int difference_of(ink_pipeline *painter, const ink_safetensors *file, const char *name) {
  ink_error error = {0};
  const ink_stored_tensor *prompt = find(file, "prompt", name),
                          *picture = find(file, "picture", name);
  const float *how = (const void *)find(file, "how", name)->data;
  char text[256];
  snprintf(text, sizeof text, "%.*s", (int)prompt->shape[0], (const char *)prompt->data);
  ink_paint_request request = ink_paint_request_default();
  request.prompt = text;
  request.seed = (uint64_t)how[0];
  request.steps = (int32_t)how[1];
  request.guidance_scale = (double)how[2];
  request.noise = INK_NOISE_CPU;
  ink_painting painting;
  assert_ok(ink_pipeline_paint(painter, &request, &painting, &error));
  assert_int_equal(painting.picture.height, picture->shape[0]);
  assert_int_equal(painting.picture.width, picture->shape[1]);
  int most = 0;
  for (size_t i = 0; i < ink_picture_bytes(&painting.picture); i++) {
    int difference = abs((int)painting.picture.pixels[i] - (int)picture->data[i]);
    if (difference > most) most = difference;
  }
  ink_painting_free(&painting);
  print_message("# %s: %d of 255\n", name, most);
  return most;
}

static void diffusers_paints_the_same_pictures(void **state) {
  (void)state;
  static const char *const cases[] = {"en", "zh", "free"};
  ink_error error = {0};
  ink_safetensors *file;
  ink_pipeline *painter;
  ink_pool *pool = ink_pool_new(0);
  assert_ok(ink_safetensors_open(fixture_path("diffusion/painter.safetensors"), &file, &error));
  assert_ok(ink_pipeline_open(fixture_path("../../models/painter"), pool, &painter, &error));
  assert_int_equal(ink_pipeline_side(painter), 128);
  bool fine = true;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fine = difference_of(painter, file, cases[i]) <= 2 && fine;
  }
  assert_true(fine);
  ink_pipeline_free(painter);
  ink_safetensors_close(file);
  ink_pool_free(pool);
}

// What is kept of the deep part serves as long as it is fresh: the oftener it is computed, the
// nearer the picture is to the exact one.
static void step_caching_stays_near(void **state) {
  (void)state;
  // Few, and in few steps: a painting takes minutes where sanitizers watch.
  static const char *const prompts[] = {"a red fox", "a penguin"};
  ink_error error = {0};
  ink_pipeline *painter;
  ink_pool *pool = ink_pool_new(0);
  assert_ok(ink_pipeline_open(fixture_path("../../models/painter"), pool, &painter, &error));
  double seldom = 0, often = 0;
  for (size_t i = 0; i < 2; i++) {
    ink_paint_request request = ink_paint_request_default();
    request.prompt = prompts[i];
    request.seed = i;
    request.steps = 12;
    request.guidance_scale = 4;  // as its folder advises
    ink_painting exact, one, other;
    assert_ok(ink_pipeline_paint(painter, &request, &exact, &error));
    request.cache = 3;
    assert_ok(ink_pipeline_paint(painter, &request, &one, &error));
    request.cache = 2;
    assert_ok(ink_pipeline_paint(painter, &request, &other, &error));
    seldom += psnr_of(&one.picture, &exact.picture) / 2;
    often += psnr_of(&other.picture, &exact.picture) / 2;
    ink_painting_free(&exact);
    ink_painting_free(&one);
    ink_painting_free(&other);
  }
  print_message("# computed in one step of 3: %.1f dB, of 2: %.1f dB\n", seldom, often);
  assert_true(seldom >= 16 && often >= seldom + 3);
  ink_pipeline_free(painter);
  ink_pool_free(pool);
}

static void a_file_leaves_memory_as_it_is_prepared(void **state) {
  (void)state;
  static const char unet[] = "painter/unet/diffusion_pytorch_model.safetensors",
                    text[] = "painter/text_encoder/model.safetensors";
  ink_error error = {0};
  ink_pipeline *painter;
  if (resident_kib(unet) < 0) skip();
  assert_ok(ink_pipeline_open(fixture_path("../../models/painter"), NULL, &painter, &error));
  ink_paint_request request = ink_paint_request_default();
  request.prompt = "a cat";
  request.steps = 1;
  request.precision = INK_PRECISION_BF16;
  ink_painting first, again;
  assert_ok(ink_pipeline_paint(painter, &request, &first, &error));
  long all = 0;
  const ink_stable_diffusion *sd = ink_pipeline_about(painter);
  for (size_t i = 0; i < sd->n_weights; i++) {
    for (size_t j = 0; j < ink_weights_count(sd->weights[i]); j++) {
      all += (long)(ink_weights_at(sd->weights[i], j)->bytes >> 10);
    }
  }
  long left = resident_kib(unet) + resident_kib(text);
  print_message("# %ld of %ld KiB are left\n", left, all);
  // The kernel maps some pages around each that is touched, more of them in a fresh file.
  assert_true(left < all / 2);
  // A last picture leaves none of the UNet's prepared weights behind, and is the same.
  request.last = true;
  assert_ok(ink_pipeline_paint(painter, &request, &again, &error));
  assert_memory_equal(again.picture.pixels, first.picture.pixels,
                      ink_picture_bytes(&first.picture));
  assert_true(again.peak_bytes <= first.peak_bytes);
  ink_painting_free(&first);
  ink_painting_free(&again);
  ink_pipeline_free(painter);
}

int main(void) {
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(diffusers_paints_the_same_pictures),
      cmocka_unit_test(step_caching_stays_near),
      cmocka_unit_test(a_file_leaves_memory_as_it_is_prepared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
