// The painter that ships in models/painter: diffusers paints the same pictures with it.
#include "painting_testing.h"
#include "weights/hub.h"

static const ink_safetensor *find(const ink_safetensors *file, const char *what, const char *name) {
  char key[64];
  snprintf(key, sizeof key, "%s.%s", what, name);
  const ink_safetensor *tensor = ink_safetensors_find(file, key);
  assert_non_null(tensor);
  return tensor;
}

static int difference_of(ink_pipeline *painter, const ink_safetensors *file, const char *name) {
  ink_error error = {0};
  const ink_safetensor *prompt = find(file, "prompt", name), *picture = find(file, "picture", name);
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

int main(void) {
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(diffusers_paints_the_same_pictures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
