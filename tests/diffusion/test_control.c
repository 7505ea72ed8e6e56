// ControlNets in the pipeline: pictures against diffusers', and what is refused.
#include "painting_testing.h"

enum { MOST = 2 };

static double paint_case(const json_t *item, const ink_stored_tensor *expected) {
  ink_error error = {0};
  ink_sampler_kind sampler;
  ink_picture init = load_picture("pipelines/init.png"), mask = load_picture("pipelines/mask.png");
  ink_picture shown[MOST] = {{0}};
  ink_paint_control controls[MOST];
  ink_paint_request request = request_of(item, &sampler);
  if (json_is_true(json_object_get(item, "image"))) request.init = &init;
  if (json_is_true(json_object_get(item, "mask"))) request.mask = &mask;
  ink_pipeline *pipeline = open_pipeline(text_of(item, "model"), NULL);
  const json_t *list = json_object_get(item, "controls"), *entry;
  size_t i;
  json_array_foreach(list, i, entry) {
    const char *name = json_string_value(json_array_get(entry, 1));
    assert_ok(ink_pipeline_add_control(
        pipeline, below(fixture_path("control"), json_string_value(json_array_get(entry, 0))),
        &error));
    // Edges are found here; diffusers was given OpenCV's.
    bool canny = strcmp(name, "edges.png") == 0;
    shown[i] = load_picture("control/hint.png");
    controls[i] = (ink_paint_control){.model = i,
                                      .picture = &shown[i],
                                      .canny = canny,
                                      .weight = json_number_value(json_array_get(entry, 2)),
                                      .start = json_number_value(json_array_get(entry, 3)),
                                      .end = json_number_value(json_array_get(entry, 4))};
  }
  request.controls = controls;
  request.n_controls = json_array_size(list);
  double most = difference_to(pipeline, &request, expected);
  ink_pipeline_free(pipeline);
  ink_picture_free(&init);
  ink_picture_free(&mask);
  for (i = 0; i < MOST; i++) ink_picture_free(&shown[i]);
  return most;
}

static void led_pictures_equal_those_of_diffusers(void **state) {
  (void)state;
  assert_painted_as_diffusers("control", "control.json", 9, paint_case);
}

static void a_controlnet_of_another_family_is_refused(void **state) {
  (void)state;
  ink_pipeline *sd1 = open_pipeline("sd1", NULL);
  ink_error error = {0};
  assert_int_equal(ink_pipeline_add_control(sd1, fixture_path("control/xl"), &error),
                   INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "control/xl: this ControlNet was made for another model"));
  error = (ink_error){0};
  assert_int_equal(ink_pipeline_add_control(sd1, fixture_path("networks/unet-sd1"), &error),
                   INK_ERR_UNSUPPORTED);
  error = (ink_error){0};
  assert_int_equal(ink_pipeline_add_control(sd1, fixture_path("control/none"), &error),
                   INK_ERR_NOT_FOUND);
  // A file of a folder works like the folder, for its config.json lies beside it.
  assert_ok(ink_pipeline_add_control(
      sd1, fixture_path("control/one/diffusion_pytorch_model.safetensors"), &error));
  for (int i = 1; i < INK_PIPELINE_MOST_CONTROLS; i++) {
    assert_ok(ink_pipeline_add_control(sd1, fixture_path("control/one"), &error));
  }
  assert_int_equal(ink_pipeline_add_control(sd1, fixture_path("control/one"), &error),
                   INK_ERR_USAGE);
  ink_pipeline_free(sd1);
}

static void controls_out_of_range_are_refused(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  assert_ok(ink_pipeline_add_control(p, fixture_path("control/one"), &error));
  ink_picture hint = load_picture("control/hint.png");
  const ink_paint_control fine = {.picture = &hint, .weight = 1, .end = 1};
  enum { BAD = 9 };
  ink_paint_control bad[BAD];
  for (int i = 0; i < BAD; i++) bad[i] = fine;
  bad[0].model = 1;
  bad[1].picture = NULL;
  bad[2].weight = (double)NAN;
  bad[3].start = 1;
  bad[4].end = 1.5;
  bad[5].weight = -0.1;
  bad[6].weight = 10.1;
  bad[7].start = -0.1;
  bad[8].start = bad[8].end = 0.5;
  for (int i = 0; i < BAD; i++) {
    ink_paint_request request = ink_paint_request_default();
    ink_painting painting;
    request.controls = &bad[i];
    request.n_controls = 1;
    assert_int_equal(ink_pipeline_paint(p, &request, &painting, &error), INK_ERR_USAGE);
  }
  ink_paint_control many[INK_PAINT_MOST_CONTROLS + 1];
  for (int i = 0; i <= INK_PAINT_MOST_CONTROLS; i++) many[i] = fine;
  ink_paint_request request = ink_paint_request_default();
  ink_painting painting;
  request.controls = many;
  request.n_controls = INK_PAINT_MOST_CONTROLS + 1;
  assert_int_equal(ink_pipeline_paint(p, &request, &painting, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "pictures to be led by"));
  ink_picture_free(&hint);
  ink_pipeline_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(led_pictures_equal_those_of_diffusers),
      cmocka_unit_test(a_controlnet_of_another_family_is_refused),
      cmocka_unit_test(controls_out_of_range_are_refused),
  };
  return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
