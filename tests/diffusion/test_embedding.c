// Taught words: pictures against diffusers', layouts of files, and what is refused.
#include "diffusion/pipeline_parts.h"
#include "painting_testing.h"
#include "scratch.h"
#include "weights/safetensors.h"

static double paint_case(const json_t *item, const ink_stored_tensor *expected) {
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

// One tensor for a word, or a pair of XL's.
static const char *write_word(const char *name, const ink_safetensors_entry *entries, size_t n) {
  ink_error error = {0};
  ink_safetensors_writer *writer;
  const char *path = in_scratch(name);
  assert_ok(ink_safetensors_create(path, entries, n, NULL, 0, &writer, &error));
  const size_t *order = ink_safetensors_writer_order(writer);
  for (size_t i = 0; i < n; i++) {
    size_t size = sizeof(float);
    for (int k = 0; k < entries[order[i]].rank; k++) size *= (size_t)entries[order[i]].shape[k];
    float *zeros = calloc(1, size);
    assert_ok(ink_safetensors_writer_data(writer, zeros, size, &error));
    free(zeros);
  }
  assert_ok(ink_safetensors_writer_commit(writer, &error));
  ink_safetensors_writer_free(writer);
  return path;
}

static void words_of_another_form_are_refused(void **state) {
  (void)state;
  static const struct {
    int rank;
    int64_t n;
    const char *word;
    ink_status status;
  } cases[] = {{2, 75, "a", INK_OK},
               {1, 1, "b", INK_OK},
               {2, 76, "c", INK_ERR_UNSUPPORTED},
               {2, 0, "d", INK_ERR_UNSUPPORTED},
               {3, 2, "e", INK_ERR_UNSUPPORTED},
               {1, 1, "", INK_ERR_USAGE},
               {1, 1, "f:1", INK_ERR_USAGE},
               {1, 1, "f]", INK_ERR_USAGE},
               {1, 1, "f\\", INK_ERR_USAGE},
               {1, 1, "f|g", INK_ERR_USAGE}};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  const int64_t width = ink_clip_about(p->model->texts[0].clip)->hidden;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error = {0};
    ink_safetensors_entry entry = {.name = "emb_params", .type_name = "F32", .rank = cases[i].rank};
    for (int k = 0; k < entry.rank; k++) entry.shape[k] = 1;
    if (entry.rank > 1) entry.shape[entry.rank - 2] = cases[i].n;
    entry.shape[entry.rank - 1] = width;
    const char *path = write_word("word.safetensors", &entry, 1);
    ink_status status = ink_pipeline_add_embedding(p, path, cases[i].word, &error);
    if (status != cases[i].status) fail_msg("case %zu: %s", i, error.text);
  }
  // A file whose name begins with a dot is called by all of it.
  ink_error error = {0};
  ink_safetensors_entry entry = {
      .name = "emb_params", .type_name = "F32", .rank = 1, .shape = {width}};
  assert_ok(ink_pipeline_add_embedding(p, write_word(".safetensors", &entry, 1), NULL, &error));
  assert_string_equal(ink_pipeline_word_at(p, 2), ".safetensors");
  // There is room for so many and no more.
  for (int i = 3; i <= INK_PIPELINE_MOST_WORDS; i++) {
    char word[16];
    snprintf(word, sizeof word, "w%d", i);
    ink_status status = ink_pipeline_add_embedding(p, in_scratch(".safetensors"), word, &error);
    assert_int_equal(status, i < INK_PIPELINE_MOST_WORDS ? INK_OK : INK_ERR_USAGE);
  }
  ink_pipeline_free(p);
}

// Of two encoders, a word that one of them was taught stands in the other as it is written.
static void a_word_of_one_encoder_is_none_of_the_other(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("xl", NULL);
  const int64_t width = ink_clip_about(p->model->texts[1].clip)->hidden;
  assert_false(ink_clip_about(p->model->texts[1].clip)->quick_gelu);
  ink_safetensors_entry entry = {
      .name = "clip_g", .type_name = "F32", .rank = 2, .shape = {3, width}};
  assert_ok(ink_pipeline_add_embedding(p, write_word("one.safetensors", &entry, 1), "cat", &error));
  for (size_t which = 0; which < 2; which++) {
    ink_paint_words words = {p, which};
    int32_t *ids, vocab = ink_clip_about(p->model->texts[which].clip)->vocab;
    size_t n, taught = 0;
    assert_ok(ink_paint_encode_words(&words, "a cat", 5, &ids, &n, &error));
    for (size_t i = 0; i < n; i++) taught += ids[i] >= vocab;
    assert_int_equal(taught, which ? 3 : 0);
    free(ids);
  }
  ink_pipeline_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pictures_of_taught_words_equal_those_of_diffusers),
      cmocka_unit_test(a_taught_word_is_not_seen_within_others),
      cmocka_unit_test(a_word_for_another_model_is_refused),
      cmocka_unit_test(words_of_another_form_are_refused),
      cmocka_unit_test(a_word_of_one_encoder_is_none_of_the_other),
  };
  return cmocka_run_group_tests_name("embedding", tests, scratch_open, scratch_close);
}
