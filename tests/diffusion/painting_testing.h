// Paintings against those of diffusers: cases in JSON, pictures before they are rounded.
#ifndef INK_TESTS_PAINTING_TESTING_H
#define INK_TESTS_PAINTING_TESTING_H

#include <math.h>

#include "base/json.h"
#include "diffusion/pipeline.h"
#include "pictures.h"
#include "scratch.h"
#include "weights/safetensors.h"

static inline ink_pipeline *open_pipeline(const char *model, ink_pool *pool) {
  ink_error error = {0};
  ink_pipeline *pipeline;
  assert_ok(ink_pipeline_open(below(fixture_path("pipelines"), model), pool, &pipeline, &error));
  return pipeline;
}

static inline ink_picture load_picture(const char *path) {
  return read_picture(fixture_path(path), NULL);
}

static inline const char *text_of(const json_t *item, const char *key) {
  const char *text = json_string_value(json_object_get(item, key));
  return text ? text : "";
}

static inline double number_of(const json_t *item, const char *key, double otherwise) {
  const json_t *value = json_object_get(item, key);
  return value ? json_number_value(value) : otherwise;
}

// What a case asks for, but for pictures; `sampler` outlives the request.
static inline ink_paint_request request_of(const json_t *item, ink_sampler_kind *sampler) {
  assert_true(ink_sampler_parse(text_of(item, "sampler"), sampler));
  ink_paint_request request = ink_paint_request_default();
  request.prompt = text_of(item, "prompt");
  request.negative = text_of(item, "negative_prompt");
  request.width = (int32_t)number_of(item, "width", 0);
  request.height = (int32_t)number_of(item, "height", 0);
  request.steps = (int32_t)number_of(item, "num_inference_steps", 0);
  request.guidance_scale = number_of(item, "guidance_scale", 0);
  request.guidance_rescale = number_of(item, "guidance_rescale", 0);
  request.sampler = sampler;
  request.seed = (uint64_t)number_of(item, "seed", 0);
  request.noise = INK_NOISE_CPU;
  request.strength = number_of(item, "strength", 1);
  request.keep_values = true;
  return request;
}

// Paint and give the greatest difference to a picture F32 (H, W, 3) in [0, 1].
static inline double difference_to(ink_pipeline *pipeline, const ink_paint_request *request,
                                   const ink_stored_tensor *expected) {
  ink_error error = {0};
  ink_painting painting;
  assert_ok(ink_pipeline_paint(pipeline, request, &painting, &error));
  assert_int_equal(painting.picture.height, expected->shape[0]);
  assert_int_equal(painting.picture.width, expected->shape[1]);
  const float *theirs = (const void *)expected->data;
  double most = 0;
  for (size_t i = 0; i < ink_picture_bytes(&painting.picture); i++) {
    double ours = fmin(fmax((double)painting.values[i] * 0.5 + 0.5, 0), 1);
    double difference = fabs(ours - (double)theirs[i]);
    most = difference > most || isnan(difference) ? difference : most;
  }
  ink_painting_free(&painting);
  return most;
}

// The greatest difference of a case's painting to what diffusers painted.
typedef double (*paint_case_fn)(const json_t *item, const ink_stored_tensor *expected);

// All n cases of a JSON file of the fixtures' folder are painted as expected.safetensors beside it
// has them.
static inline void assert_painted_as_diffusers(const char *folder, const char *file, size_t n,
                                               paint_case_fn paint_case) {
  ink_error error = {0};
  json_t *cases, *item;
  ink_safetensors *expected;
  size_t i;
  folder = fixture_path(folder);
  assert_ok(ink_json_load(below(folder, file), 1 << 20, &cases, &error));
  assert_ok(ink_safetensors_open(below(folder, "expected.safetensors"), &expected, &error));
  assert_int_equal(json_array_size(cases), n);
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

#endif
