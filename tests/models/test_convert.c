// Whole models from one format to the other, held against the files that the reference tools wrote.
#include <signal.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/json.h"
#include "models/convert.h"
#include "models_testing.h"
#include "scratch.h"
#include "tokenizer/tokenizer.h"
#include "weights/cache.h"

static size_t files_in_folder(void) {
  char **names;
  size_t n;
  ink_error error = {0};
  assert_ok(ink_folder_walk(scratch, &names, &n, &error));
  ink_walk_free(names, n);
  return n;
}

static ink_status convert_with(const char *from, const char *to, ink_convert_options options,
                               ink_error *error) {
  size_t length = strlen(to);
  bool gguf = length > 5 && strcmp(to + length - 5, ".gguf") == 0;
  options.format = gguf ? INK_WEIGHTS_GGUF : INK_WEIGHTS_SAFETENSORS;
  options.replace = true;
  return ink_model_convert(from, to, &options, NULL, error);
}

static const char *convert(const char *from, const char *to, ink_quant quant) {
  ink_error error = {0};
  if (ink_file_is_folder(to)) scratch_remove(to);
  assert_ok(convert_with(from, to, (ink_convert_options){.quant = quant}, &error));
  return to;
}

static ink_weights *open_at(const char *path) {
  ink_error error = {0};
  ink_weights *weights;
  assert_ok(ink_weights_open(path, &weights, &error));
  return weights;
}

static void assert_same_tensor(const ink_weights_entry *a, const ink_weights_entry *b) {
  assert_int_equal(a->rank, b->rank);
  for (int i = 0; i < a->rank; i++) assert_int_equal(a->shape[i], b->shape[i]);
  assert_string_equal(a->type_name, b->type_name);
  assert_int_equal(a->bytes, b->bytes);
  if (strcmp(a->name, "rope_freqs.weight") == 0) {
    // Implementations of the power function differ in the last bit.
    const float *x = a->tensor.data, *y = b->tensor.data;
    for (int64_t i = 0; i < a->shape[0]; i++) assert_true(fabsf(x[i] - y[i]) <= 1e-6f * y[i]);
    return;
  }
  if (memcmp(a->tensor.data, b->tensor.data, a->bytes) != 0) fail_msg("%s differs", a->name);
}

static void assert_same_tensors(const char *ours, const char *theirs, const char *but) {
  ink_weights *a = open_at(ours), *b = open_at(theirs);
  assert_int_equal(ink_weights_count(a), ink_weights_count(b));
  for (size_t i = 0; i < ink_weights_count(b); i++) {
    const ink_weights_entry *entry = ink_weights_at(b, i);
    const ink_weights_entry *other = ink_weights_entry_of(a, entry->name);
    if (!other) fail_msg("%s: %s is missing", ours, entry->name);
    if (!but || strcmp(but, entry->name) != 0) assert_same_tensor(other, entry);
  }
  ink_weights_close(a);
  ink_weights_close(b);
}

// Everything the committed file says, ours says too, in the same bytes.
static void assert_same_metadata(const char *ours, const char *theirs) {
  ink_error error = {0};
  ink_gguf *a, *b;
  assert_ok(ink_gguf_open(ours, &a, &error));
  assert_ok(ink_gguf_open(theirs, &b, &error));
  for (size_t i = 0; i < ink_gguf_n_values(b); i++) {
    const ink_gguf_value *value = ink_gguf_value_at(b, i);
    if (strcmp(value->key, "general.name") == 0 || strcmp(value->key, "general.alignment") == 0) {
      continue;
    }
    const ink_gguf_value *other = ink_gguf_find(a, value->key);
    if (!other) fail_msg("%s: %s is missing", ours, value->key);
    bool same = other->type == value->type && other->item_type == value->item_type &&
                other->n == value->n && other->size == value->size &&
                memcmp(other->data, value->data, value->size) == 0;
    if (!same) fail_msg("%s: %s differs", ours, value->key);
  }
  ink_gguf_close(a);
  ink_gguf_close(b);
}

static const char *const both[] = {"gpt2", "llama", "llama-tied", "qwen2", "qwen3"};
enum { N_BOTH = sizeof both / sizeof *both };

static void gguf_from_a_folder_equals_what_llama_cpps_layout_has(void **state) {
  (void)state;
  for (size_t i = 0; i < N_BOTH; i++) {
    char name[64];
    snprintf(name, sizeof name, "%s/model.gguf", both[i]);
    const char *ours = convert(model_path(both[i]), in_scratch("ours.gguf"), INK_QUANT_KEEP);
    assert_same_tensors(ours, model_path(name), NULL);
    assert_same_metadata(ours, model_path(name));
  }
}

static void a_folder_from_gguf_equals_the_one_it_was_made_from(void **state) {
  (void)state;
  for (size_t i = 0; i < N_BOTH; i++) {
    char name[64];
    snprintf(name, sizeof name, "%s/model.gguf", both[i]);
    const char *ours = convert(model_path(name), in_scratch("ours"), INK_QUANT_KEEP);
    assert_same_tensors(ours, model_path(both[i]), NULL);
    // The config tells the same decoder.
    ink_error error = {0};
    ink_decoder_config a, b;
    ink_weights *x = open_at(ours), *y = open_at(model_path(both[i]));
    assert_ok(ink_decoder_config_from_json(ink_weights_config(x), "ours", &a, &error));
    assert_ok(ink_decoder_config_from_json(ink_weights_config(y), "theirs", &b, &error));
    assert_true(fabs(a.rope_theta - b.rope_theta) <= 1e-6 * b.rope_theta);
    a.rope_theta = b.rope_theta;
    assert_memory_equal(&a, &b, sizeof a);
    ink_weights_close(x);
    ink_weights_close(y);
  }
}

static double parity_with(const char *path, const char *expected_name) {
  ink_weights *weights = open_at(path), *expected = open_weights(expected_name);
  ink_decoder *decoder = open_decoder(weights);
  const ink_tensor *ids = ink_weights_find(expected, "ids.33");
  const ink_tensor *logits = ink_weights_find(expected, "logits.33");
  float *ours = run_pieces(decoder, ids->data, 33, NULL, INK_F32, 2);
  double difference = largest_difference(ours, logits->data, (size_t)ink_tensor_elements(logits));
  free(ours);
  ink_decoder_free(decoder);
  ink_weights_close(weights);
  ink_weights_close(expected);
  return difference;
}

static void converted_models_give_the_logits_of_transformers(void **state) {
  (void)state;
  for (size_t i = 0; i < N_REFERENCES; i++) {
    if (references[i].quantised) continue;
    ink_weights *weights = open_weights(references[i].path);
    bool gguf = ink_weights_format_of(weights) == INK_WEIGHTS_GGUF;
    ink_weights_close(weights);
    const char *ours = convert(model_path(references[i].path),
                               in_scratch(gguf ? "other" : "other.gguf"), INK_QUANT_KEEP);
    double difference = parity_with(ours, references[i].expected);
    if (!(difference <= 1e-4)) fail_msg("%s: logits differ by %g", references[i].path, difference);
    // And there and back again.
    const char *again = convert(ours, in_scratch(gguf ? "again.gguf" : "again"), INK_QUANT_KEEP);
    difference = parity_with(again, references[i].expected);
    if (!(difference <= 1e-4)) fail_msg("%s: back, by %g", references[i].path, difference);
  }
}

static void the_tokenizer_comes_along(void **state) {
  (void)state;
  ink_error error = {0};
  for (size_t i = 0; i < N_BOTH; i++) {
    char name[64];
    json_t *score;
    snprintf(name, sizeof name, "%s/score.json", both[i]);
    assert_ok(ink_json_load(model_path(name), 1 << 20, &score, &error));
    const char *text = json_string_value(json_object_get(score, "text"));
    const json_t *expected = json_object_get(score, "ids");
    const char *gguf = convert(model_path(both[i]), in_scratch("ours.gguf"), INK_QUANT_KEEP);
    const char *back = convert(gguf, in_scratch("ours"), INK_QUANT_KEEP);
    const char *paths[] = {gguf, back};
    for (size_t j = 0; j < 2; j++) {
      ink_tokenizer *tokenizer;
      int32_t *ids;
      size_t n;
      assert_ok(ink_tokenizer_open(paths[j], &tokenizer, &error));
      assert_ok(ink_tokenizer_encode(tokenizer, text, strlen(text),
                                     INK_ENCODE_AFFIX | INK_ENCODE_SPECIAL, &ids, &n, &error));
      assert_int_equal(n, json_array_size(expected));
      for (size_t k = 0; k < n; k++) {
        assert_int_equal(ids[k], json_integer_value(json_array_get(expected, k)));
      }
      free(ids);
      ink_tokenizer_free(tokenizer);
    }
    json_decref(score);
  }
}

static void quantised_models_equal_those_of_the_reference(void **state) {
  (void)state;
  const char *ours = convert(model_path("qwen3"), in_scratch("q.gguf"), INK_QUANT_Q8_0);
  assert_same_tensors(ours, model_path("qwen3/model-q8_0.gguf"), NULL);
  assert_same_metadata(ours, model_path("qwen3/model-q8_0.gguf"));
  double difference = parity_with(ours, "qwen3/expected-q8_0.safetensors");
  assert_true(difference <= 1e-3);
  // From GGUF it comes to the same. The head is kept better than the reference keeps it here.
  ours = convert(model_path("qwen3/model.gguf"), in_scratch("q.gguf"), INK_QUANT_Q4_0);
  assert_same_tensors(ours, model_path("qwen3/model-q4_0.gguf"), "token_embd.weight");
}

static void wide_rows_become_super_blocks_that_stay_near(void **state) {
  (void)state;
  const char *full = convert(model_path("qwen3-k"), in_scratch("full"), INK_QUANT_F32);
  const char *ours = convert(full, in_scratch("k.gguf"), INK_QUANT_Q4_K_M);
  ink_weights *a = open_at(ours), *b = open_weights("qwen3-k/model.gguf");
  assert_string_equal(ink_weights_entry_of(a, "token_embd.weight")->type_name, "Q6_K");
  assert_string_equal(ink_weights_entry_of(a, "blk.0.attn_q.weight")->type_name, "Q4_K");
  assert_string_equal(ink_weights_entry_of(a, "blk.0.attn_v.weight")->type_name, "Q6_K");
  assert_string_equal(ink_weights_entry_of(a, "blk.0.attn_output.weight")->type_name, "Q8_0");
  assert_string_equal(ink_weights_entry_of(a, "blk.0.attn_norm.weight")->type_name, "F32");
  ink_weights_close(a);
  ink_weights_close(b);
  assert_true(parity_with(ours, "qwen3-k/expected.safetensors") <= 0.5);
}

static void a_folder_keeps_its_files_when_its_type_changes(void **state) {
  (void)state;
  ink_error error = {0};
  const char *ours = convert(model_path("qwen2"), in_scratch("half"), INK_QUANT_BF16);
  ink_weights *weights = open_at(ours);
  assert_string_equal(
      json_string_value(json_object_get(ink_weights_config(weights), "torch_dtype")), "bfloat16");
  for (size_t i = 0; i < ink_weights_count(weights); i++) {
    assert_string_equal(ink_weights_at(weights, i)->type_name, "BF16");
  }
  ink_weights_close(weights);
  char *a, *b;
  size_t n, m;
  assert_ok(ink_file_read(in_scratch("half/tokenizer.json"), 1 << 24, &a, &n, &error));
  assert_ok(ink_file_read(model_path("qwen2/tokenizer.json"), 1 << 24, &b, &m, &error));
  assert_int_equal(n, m);
  assert_memory_equal(a, b, n);
  free(a);
  free(b);
  assert_false(ink_file_exists(in_scratch("half/model.safetensors.index.json")));
}

static void bytes_know_neither_threads_nor_memory(void **state) {
  (void)state;
  ink_error error = {0};
  char *first = NULL;
  size_t size = 0;
  static const struct {
    int threads;
    size_t ram;
  } ways[] = {{0, 0}, {2, 0}, {7, 0}, {2, 200000}};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    ink_pool *pool = ways[i].threads ? ink_pool_new(ways[i].threads) : NULL;
    assert_ok(convert_with(
        model_path("gpt2"), in_scratch("ways.gguf"),
        (ink_convert_options){.quant = INK_QUANT_Q8_0, .pool = pool, .ram = ways[i].ram}, &error));
    ink_pool_free(pool);
    char *bytes;
    size_t n;
    assert_ok(ink_file_read(in_scratch("ways.gguf"), 1 << 24, &bytes, &n, &error));
    if (first) {
      assert_int_equal(n, size);
      assert_memory_equal(bytes, first, n);
      free(bytes);
    } else {
      first = bytes;
      size = n;
    }
  }
  free(first);
}

static bool refuse_soon(void *context, int64_t done, int64_t total, const char *what) {
  (void)total, (void)what;
  (void)context;
  return done < 20000;
}

static void what_fails_leaves_nothing_behind(void **state) {
  (void)state;
  ink_error error = {0};
  size_t before = files_in_folder();
  ink_progress progress = {refuse_soon, NULL};
  const char *const targets[] = {"never.gguf", "never"};
  for (size_t i = 0; i < 2; i++) {
    ink_convert_options options = {.progress = &progress};
    assert_int_equal(convert_with(model_path("llama"), in_scratch(targets[i]), options, &error),
                     INK_ERR_CANCELLED);
    struct rlimit limit, small = {.rlim_cur = 100000};
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    small.rlim_max = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    ink_status status =
        convert_with(model_path("llama"), in_scratch(targets[i]), (ink_convert_options){0}, &error);
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_int_equal(status, INK_ERR_IO);
    status = convert_with(model_path("llama"), in_scratch(targets[i]),
                          (ink_convert_options){.quant = INK_QUANT_F16, .ram = 100}, &error);
    assert_int_equal(status, INK_ERR_MEMORY);
    assert_false(ink_file_exists(in_scratch(targets[i])));
  }
  assert_int_equal(files_in_folder(), before);
}

static void inputs_and_what_is_there_are_not_overwritten(void **state) {
  (void)state;
  ink_error error = {0};
  const char *gguf = convert(model_path("qwen3"), in_scratch("kept.gguf"), INK_QUANT_KEEP);
  assert_int_equal(convert_with(gguf, gguf, (ink_convert_options){0}, &error), INK_ERR_CONFLICT);
  ink_convert_options options = {.format = INK_WEIGHTS_GGUF};
  assert_int_equal(ink_model_convert(model_path("qwen2"), gguf, &options, NULL, &error),
                   INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "--force"));
  const char *kept = convert(gguf, in_scratch("kept"), INK_QUANT_KEEP);
  assert_int_equal(convert_with(gguf, kept, (ink_convert_options){0}, &error), INK_ERR_CONFLICT);
  assert_int_equal(convert_with(kept, kept, (ink_convert_options){0}, &error), INK_ERR_CONFLICT);
  assert_same_tensors(kept, model_path("qwen3"), NULL);
  // An empty folder is as good as none.
  assert_ok(ink_folder_make(in_scratch("empty"), &error));
  assert_ok(convert_with(gguf, in_scratch("empty"), (ink_convert_options){0}, &error));
  assert_same_tensors(in_scratch("empty"), model_path("qwen3"), NULL);
}

static void what_a_format_cannot_hold_is_refused(void **state) {
  (void)state;
  ink_error error = {0};
  assert_int_equal(convert_with(model_path("qwen3"), in_scratch("x"),
                                (ink_convert_options){.quant = INK_QUANT_Q8_0}, &error),
                   INK_ERR_UNSUPPORTED);
  assert_non_null(strstr(error.text, ".gguf"));
  assert_int_equal(convert_with(model_path("qwen3/model-q8_0.gguf"), in_scratch("x"),
                                (ink_convert_options){0}, &error),
                   INK_ERR_UNSUPPORTED);
  assert_non_null(strstr(error.text, "name a type"));
  assert_int_equal(convert_with(fixture_path("models/nothing"), in_scratch("x"),
                                (ink_convert_options){0}, &error),
                   INK_ERR_NOT_FOUND);
  assert_false(ink_file_exists(in_scratch("x")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gguf_from_a_folder_equals_what_llama_cpps_layout_has),
      cmocka_unit_test(a_folder_from_gguf_equals_the_one_it_was_made_from),
      cmocka_unit_test(converted_models_give_the_logits_of_transformers),
      cmocka_unit_test(the_tokenizer_comes_along),
      cmocka_unit_test(quantised_models_equal_those_of_the_reference),
      cmocka_unit_test(wide_rows_become_super_blocks_that_stay_near),
      cmocka_unit_test(a_folder_keeps_its_files_when_its_type_changes),
      cmocka_unit_test(bytes_know_neither_threads_nor_memory),
      cmocka_unit_test(what_fails_leaves_nothing_behind),
      cmocka_unit_test(inputs_and_what_is_there_are_not_overwritten),
      cmocka_unit_test(what_a_format_cannot_hold_is_refused),
  };
  return cmocka_run_group_tests_name("convert", tests, scratch_open, scratch_close);
}
