// Taught words: pictures against diffusers', layouts of files, and what is refused.
#include "diffusion/pipeline_parts.h"
#include "painting_testing.h"

static double paint_case(const json_t *item, const ink_safetensor *expected) {
  ink_error error = {0};
  ink_sampler_kind sampler;
  ink_paint_request request = request_of(item, &sampler);
  ink_pipeline *pipeline = open_pipeline(text_of(item, "model"), NULL);
  const json_t *entry;
  size_t i;
  json_array_foreach(json_object_get(item, "words"), i, entry) {
    const char *file = json_string_value(json_array_get(entry, 0)),
               *word = json_string_value(json_array_get(entry, 1));
    // The word that the file or its name says.
    assert_ok(
        ink_pipeline_add_embedding(pipeline, below(fixture_path("embedding"), file), NULL, &error));
    assert_string_equal(ink_pipeline_word_at(pipeline, i), word);
  }
  double most = difference_to(pipeline, &request, expected);
  ink_pipeline_free(pipeline);
  return most;
}

static void pictures_of_taught_words_equal_those_of_diffusers(void **state) {
  (void)state;
  assert_painted_as_diffusers("embedding", "embedding.json", 5, paint_case);
}

static size_t tokens_of(const ink_pipeline *p, const char *text, size_t *taught) {
  ink_error error = {0};
  ink_paint_words words = {p, 0};
  int32_t *ids, vocab = ink_clip_about(p->model->texts[0].clip)->vocab;
  size_t n;
  assert_ok(ink_paint_encode_words(&words, text, strlen(text), &ids, &n, &error));
  *taught = 0;
  for (size_t i = 0; i < n; i++) *taught += ids[i] >= vocab;
  free(ids);
  return n;
}

static void a_taught_word_is_not_seen_within_others(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  size_t taught;
  assert_ok(ink_pipeline_add_embedding(p, fixture_path("embedding/moody.pt"), "cat", &error));
  assert_int_equal(tokens_of(p, "cat", &taught), 2);
  assert_int_equal(taught, 2);
  tokens_of(p, "a cat, CAT (cat)", &taught);
  assert_int_equal(taught, 6);
  tokens_of(p,
            "cats concat cat_ \xe7\x8c\xab"
            "cat",
            &taught);
  assert_int_equal(taught, 0);
  // The longer of two goes first.
  assert_ok(ink_pipeline_add_embedding(p, fixture_path("embedding/many.safetensors"),
                                       "cat at night", &error));
  assert_int_equal(tokens_of(p, "cat at night", &taught), 3);
  ink_pipeline_free(p);
}

static void a_word_for_another_model_is_refused(void **state) {
  (void)state;
  ink_pipeline *sd1 = open_pipeline("sd1", NULL);
  ink_error error = {0};
  // Vectors for OpenCLIP alone.
  assert_int_equal(
      ink_pipeline_add_embedding(sd1, fixture_path("embedding/pair.safetensors"), NULL, &error),
      INK_ERR_CONFLICT);
  error = (ink_error){0};
  assert_int_equal(
      ink_pipeline_add_embedding(sd1, fixture_path("embedding/expected.safetensors"), NULL, &error),
      INK_ERR_UNSUPPORTED);
  assert_non_null(strstr(error.text, "no textual inversion"));
  error = (ink_error){0};
  assert_int_equal(ink_pipeline_add_embedding(sd1, fixture_path("embedding/learned.safetensors"),
                                              "(fox)", &error),
                   INK_ERR_USAGE);
  assert_ok(ink_pipeline_add_embedding(sd1, fixture_path("embedding/learned.safetensors"), "fox",
                                       &error));
  assert_int_equal(
      ink_pipeline_add_embedding(sd1, fixture_path("embedding/many.safetensors"), "Fox", &error),
      INK_ERR_CONFLICT);
  ink_pipeline_free(sd1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pictures_of_taught_words_equal_those_of_diffusers),
      cmocka_unit_test(a_taught_word_is_not_seen_within_others),
      cmocka_unit_test(a_word_for_another_model_is_refused),
  };
  return cmocka_run_group_tests_name("embedding", tests, NULL, NULL);
}
