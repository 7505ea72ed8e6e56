// Whole pictures against diffusers' pipelines, and how a painting behaves.
#include "painting_testing.h"

// ---- parity -------------------------------------------------------------------------------------

static double paint_case(const json_t *item, const ink_safetensor *expected) {
  ink_sampler_kind sampler;
  ink_picture init = load_picture("pipelines/init.png"), mask = load_picture("pipelines/mask.png");
  ink_paint_request request = request_of(item, &sampler);
  if (json_is_true(json_object_get(item, "image"))) request.init = &init;
  if (json_is_true(json_object_get(item, "mask"))) request.mask = &mask;
  ink_pipeline *pipeline = open_pipeline(text_of(item, "model"), NULL);
  double most = difference_to(pipeline, &request, expected);
  ink_pipeline_free(pipeline);
  ink_picture_free(&init);
  ink_picture_free(&mask);
  return most;
}

static void pictures_equal_those_of_diffusers(void **state) {
  (void)state;
  ink_error error = {0};
  json_t *cases, *item;
  ink_safetensors *expected;
  size_t i;
  assert_ok(ink_json_load(fixture_path("pipelines/pipelines.json"), 1 << 20, &cases, &error));
  assert_ok(
      ink_safetensors_open(fixture_path("pipelines/expected.safetensors"), &expected, &error));
  assert_int_equal(json_array_size(cases), 14);
  bool fine = true;
  json_array_foreach(cases, i, item) {
    const char *name = text_of(item, "name");
    double most = paint_case(item, ink_safetensors_find(expected, name));
    print_message("# %-16s %.1e\n", name, most);
    fine = fine && most <= 1e-4;
  }
  assert_true(fine);
  ink_safetensors_close(expected);
  json_decref(cases);
}

// ---- manners ------------------------------------------------------------------------------------

static ink_paint_request small_request(void) {
  ink_paint_request request = ink_paint_request_default();
  request.prompt = "A photo of a cat";
  request.width = request.height = 16;
  request.steps = 4;
  request.seed = 5;
  return request;
}

static void assert_same_picture(ink_pipeline *a, const ink_paint_request *one, ink_pipeline *b,
                                const ink_paint_request *two, bool same) {
  ink_error error = {0};
  ink_painting first, second;
  assert_ok(ink_pipeline_paint(a, one, &first, &error));
  assert_ok(ink_pipeline_paint(b, two, &second, &error));
  int difference =
      memcmp(first.picture.pixels, second.picture.pixels, ink_picture_bytes(&first.picture));
  assert_true((difference == 0) == same);
  ink_painting_free(&first);
  ink_painting_free(&second);
}

static void a_picture_is_the_same_on_any_number_of_threads(void **state) {
  (void)state;
  ink_pool *pool = ink_pool_new(3);
  ink_pipeline *alone = open_pipeline("sd1", NULL), *team = open_pipeline("sd1", pool);
  ink_paint_request request = small_request();
  assert_same_picture(alone, &request, team, &request, true);
  // And painted once more, with weights that are prepared by now.
  assert_same_picture(team, &request, team, &request, true);
  request.precision = INK_PRECISION_BF16;
  assert_same_picture(alone, &request, team, &request, true);
  ink_pipeline_free(alone);
  ink_pipeline_free(team);
  ink_pool_free(pool);
}

static void sixteen_bits_paint_nearly_the_same_picture(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_paint_request request = small_request();
  ink_painting exact = {0}, quick = {0};
  assert_ok(ink_pipeline_paint(p, &request, &exact, &error));
  request.precision = INK_PRECISION_BF16;
  assert_ok(ink_pipeline_paint(p, &request, &quick, &error));
  double squares = 0;
  size_t n = ink_picture_bytes(&exact.picture), changed = 0;
  for (size_t i = 0; i < n; i++) {
    double d = (double)exact.picture.pixels[i] - quick.picture.pixels[i];
    changed += d != 0;
    squares += d * d;
  }
  double psnr = 10 * log10(255.0 * 255 * (double)n / (squares + 1e-9));
  print_message("# %zu of %zu values differ, %.1f dB\n", changed, n, psnr);
  assert_true(changed > 0);  // it is another computation
  assert_true(psnr > 24);    // random weights are no gentle picture
  ink_painting_free(&exact);
  ink_painting_free(&quick);
  ink_pipeline_free(p);
}

static void what_is_asked_for_shows(void **state) {
  (void)state;
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_paint_request plain = small_request(), other = plain;
  other.seed = 6;
  assert_same_picture(p, &plain, p, &other, false);
  other = plain;
  other.stream = 1;
  assert_same_picture(p, &plain, p, &other, false);
  other = plain;
  other.prompt = "A photo of a (cat:1.4)";
  assert_same_picture(p, &plain, p, &other, false);
  other.prompt = "A photo of a [cat:dog:2]";
  assert_same_picture(p, &plain, p, &other, false);
  other.prompt = "A photo of a cat BREAK at night";
  assert_same_picture(p, &plain, p, &other, false);
  other = plain;
  other.clip_skip = 1;
  assert_same_picture(p, &plain, p, &other, false);
  // A schedule whose parts say the same changes nothing.
  other = plain;
  other.prompt = "A photo of a [cat:cat:2]";
  assert_same_picture(p, &plain, p, &other, true);
  ink_pipeline_free(p);
}

static void pixels_outside_the_mask_stay(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_picture init = load_picture("pipelines/init.png"), mask = load_picture("pipelines/mask.png");
  for (size_t i = 0; i < 16; i++) mask.pixels[15 * 16 + i] = 128;  // a soft edge below
  ink_paint_request request = small_request();
  request.init = &init;
  request.mask = &mask;
  request.strength = 1;
  ink_painting painting;
  assert_ok(ink_pipeline_paint(p, &request, &painting, &error));
  int changed = 0;
  for (size_t i = 0; i < 256; i++) {
    bool same = memcmp(painting.picture.pixels + 3 * i, init.pixels + 3 * i, 3) == 0;
    if (mask.pixels[i] == 0) assert_true(same);
    if (mask.pixels[i] == 255) changed += !same;
  }
  assert_true(changed > 50);
  ink_painting_free(&painting);
  ink_picture_free(&init);
  ink_picture_free(&mask);
  ink_pipeline_free(p);
}

static ink_status constant(void *context, float *noise, size_t n, ink_error *error) {
  (void)error;
  ++*(int *)context;
  for (size_t i = 0; i < n; i++) noise[i] = (float)sin((double)i);
  return INK_OK;
}

static void the_first_noise_can_be_given(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_paint_request one = small_request(), two = one;
  int calls = 0;
  ink_noise_source source = {constant, &calls};
  one.first_noise = two.first_noise = &source;
  two.seed = 99;
  ink_sampler_kind euler = INK_SAMPLER_EULER;
  one.sampler = two.sampler = &euler;
  assert_same_picture(p, &one, p, &two, true);
  assert_int_equal(calls, 2);
  (void)error;
  ink_pipeline_free(p);
}

static bool stop_at(void *context, int64_t done, int64_t total, const char *state) {
  (void)total, (void)state;
  return done < *(const int64_t *)context;
}

static void a_painting_stops_between_steps(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_paint_request request = small_request();
  int64_t at = 2;
  ink_progress progress = {stop_at, &at};
  request.progress = &progress;
  ink_painting painting;
  assert_int_equal(ink_pipeline_paint(p, &request, &painting, &error), INK_ERR_CANCELLED);
  assert_non_null(strstr(error.text, "2 of 5 steps"));
  assert_null(painting.picture.pixels);
  ink_pipeline_free(p);
}

static void requests_out_of_range_are_refused(void **state) {
  (void)state;
  ink_pipeline *p = open_pipeline("sd1", NULL), *inpaint = open_pipeline("inpaint", NULL);
  ink_picture mask = load_picture("pipelines/mask.png");
  const ink_paint_request fine = small_request();
  ink_paint_request bad[10];
  for (int i = 0; i < 10; i++) bad[i] = fine;
  bad[0].width = 17;
  bad[1].height = 8192;
  bad[2].steps = 0;
  bad[3].steps = 1001;
  bad[4].guidance_scale = (double)NAN;
  bad[5].guidance_rescale = 2;
  bad[6].clip_skip = 3;
  bad[7].mask = &mask;
  bad[8].eta = -1;
  bad[9].prompt = "\xff";
  static const char *const words[] = {"width",   "height", "steps",   "steps", "guidance",
                                      "rescale", "clip",   "picture", "eta",   "UTF-8"};
  for (int i = 0; i < 10; i++) {
    ink_error error = {0};
    ink_painting painting;
    assert_int_equal(ink_pipeline_paint(p, &bad[i], &painting, &error), INK_ERR_USAGE);
    if (!strstr(error.text, words[i])) fail_msg("\"%s\" does not say %s", error.text, words[i]);
    assert_null(painting.picture.pixels);
  }
  ink_error error = {0};
  ink_painting painting;
  assert_int_equal(ink_pipeline_paint(inpaint, &fine, &painting, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "inpainting"));
  ink_picture_free(&mask);
  ink_pipeline_free(p);
  ink_pipeline_free(inpaint);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pictures_equal_those_of_diffusers),
      cmocka_unit_test(a_picture_is_the_same_on_any_number_of_threads),
      cmocka_unit_test(sixteen_bits_paint_nearly_the_same_picture),
      cmocka_unit_test(what_is_asked_for_shows),
      cmocka_unit_test(pixels_outside_the_mask_stay),
      cmocka_unit_test(the_first_noise_can_be_given),
      cmocka_unit_test(a_painting_stops_between_steps),
      cmocka_unit_test(requests_out_of_range_are_refused),
  };
  return cmocka_run_group_tests_name("pipeline", tests, NULL, NULL);
}
