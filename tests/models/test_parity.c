// Decoders against transformers: same logits from every format, with and without a cache.
#include "models_testing.h"

static const int whole[] = {1000, 0}, one_by_one[] = {1, 0}, odd[] = {3, 1, 5, 0};

// Largest difference from the reference over all prompts of one model, run in some way.
static double parity(const reference *r, const int *pieces, ink_dtype cache_type) {
  ink_weights *weights = open_weights(r->path), *expected = open_weights(r->expected);
  ink_decoder *decoder = open_decoder(weights);
  double most = 0;
  for (size_t i = 0; i < sizeof prompt_lengths / sizeof *prompt_lengths; i++) {
    char name[32];
    snprintf(name, sizeof name, "ids.%d", prompt_lengths[i]);
    const ink_tensor *ids = ink_weights_find(expected, name);
    snprintf(name, sizeof name, "logits.%d", prompt_lengths[i]);
    const ink_tensor *logits = ink_weights_find(expected, name);
    assert_non_null(ids);
    assert_non_null(logits);
    assert_int_equal(logits->shape[0], prompt_lengths[i]);
    assert_int_equal(logits->shape[1], ink_decoder_about(decoder)->vocab);
    float *ours = run_pieces(decoder, ids->data, ids->shape[0], pieces, cache_type, 2);
    double difference = largest_difference(ours, logits->data, (size_t)ink_tensor_elements(logits));
    if (difference > most) most = difference;
    free(ours);
  }
  ink_decoder_free(decoder);
  ink_weights_close(weights);
  ink_weights_close(expected);
  return most;
}

static void check_parity(const int *pieces, ink_dtype cache_type, double tolerance) {
  for (size_t i = 0; i < N_REFERENCES; i++) {
    double most = parity(&references[i], pieces, cache_type);
    print_message("# %-24s %.2e\n", references[i].path, most);
    if (!(most <= tolerance)) {
      fail_msg("%s: logits differ by %g from transformers", references[i].path, most);
    }
  }
}

static void logits_equal_transformers_without_a_cache(void **state) {
  (void)state;
  check_parity(NULL, INK_F32, 1e-4);
}

static void logits_equal_transformers_with_the_prompt_prefilled_whole(void **state) {
  (void)state;
  check_parity(whole, INK_F32, 1e-4);
}

static void logits_equal_transformers_token_by_token(void **state) {
  (void)state;
  check_parity(one_by_one, INK_F32, 1e-4);
}

static void logits_equal_transformers_in_odd_chunks(void **state) {
  (void)state;
  check_parity(odd, INK_F32, 1e-4);
}

// Halves keep 11 bits: the error of keys and values is near 5e-4 of their size.
static void logits_stay_near_with_a_cache_of_halves(void **state) {
  (void)state;
  check_parity(odd, INK_F16, 3e-2);
}

static void the_cache_and_its_chunks_do_not_change_a_byte(void **state) {
  (void)state;
  for (size_t i = 0; i < N_REFERENCES; i++) {
    ink_weights *weights = open_weights(references[i].path);
    ink_weights *expected = open_weights(references[i].expected);
    ink_decoder *decoder = open_decoder(weights);
    const ink_tensor *ids = ink_weights_find(expected, "ids.33");
    size_t bytes = (size_t)(33 * ink_decoder_about(decoder)->vocab) * sizeof(float);
    float *plain = run_pieces(decoder, ids->data, 33, NULL, INK_F32, 2);
    const int *ways[] = {whole, one_by_one, odd};
    for (size_t way = 0; way < 3; way++) {
      float *other = run_pieces(decoder, ids->data, 33, ways[way], INK_F32, 2);
      if (memcmp(plain, other, bytes) != 0) {
        fail_msg("%s: way %zu gives other bytes", references[i].path, way);
      }
      free(other);
    }
    free(plain);
    ink_decoder_free(decoder);
    ink_weights_close(weights);
    ink_weights_close(expected);
  }
}

static void threads_do_not_change_a_byte(void **state) {
  (void)state;
  static const int teams[] = {1, 2, 7};
  for (size_t i = 0; i < N_REFERENCES; i++) {
    ink_weights *weights = open_weights(references[i].path);
    ink_weights *expected = open_weights(references[i].expected);
    ink_decoder *decoder = open_decoder(weights);
    const ink_tensor *ids = ink_weights_find(expected, "ids.33");
    size_t bytes = (size_t)(33 * ink_decoder_about(decoder)->vocab) * sizeof(float);
    float *first = NULL;
    for (size_t t = 0; t < 3; t++) {
      float *logits = run_pieces(decoder, ids->data, 33, odd, INK_F32, teams[t]);
      if (!first) {
        first = logits;
        continue;
      }
      if (memcmp(first, logits, bytes) != 0) {
        fail_msg("%s: %d threads give other bytes", references[i].path, teams[t]);
      }
      free(logits);
    }
    free(first);
    ink_decoder_free(decoder);
    ink_weights_close(weights);
    ink_weights_close(expected);
  }
}

// Llama's GGUF keeps rotated pairs and GPT-2's folder transposed projections: a copy to train on
// undoes both.
static void a_trainable_copy_gives_the_same_logits(void **state) {
  (void)state;
  for (size_t i = 0; i < N_REFERENCES; i++) {
    ink_error error = {0};
    ink_decoder_config config;
    ink_weights *weights = open_weights(references[i].path);
    ink_weights *expected = open_weights(references[i].expected);
    assert_ok(read_config(weights, &config, &error));
    ink_decoder *decoder;
    ink_status status = ink_decoder_open_trainable(&config, weights, &decoder, &error);
    if (ink_weights_entry_of(weights, "rope_freqs.weight")) {
      assert_int_equal(status, INK_ERR_UNSUPPORTED);
    } else {
      assert_ok(status);
      assert_int_equal(ink_decoder_about(decoder)->rope_style, INK_ROPE_HALVES);
      const ink_tensor *ids = ink_weights_find(expected, "ids.33");
      const ink_tensor *logits = ink_weights_find(expected, "logits.33");
      float *ours = run_pieces(decoder, ids->data, 33, NULL, INK_F32, 2);
      double most = largest_difference(ours, logits->data, (size_t)ink_tensor_elements(logits));
      if (!(most <= 1e-4)) fail_msg("%s: logits differ by %g", references[i].path, most);
      free(ours);
    }
    ink_decoder_free(decoder);
    ink_weights_close(weights);
    ink_weights_close(expected);
  }
}

// Names and shapes are those of the Hugging Face checkpoint, whichever file they came from.
static void trainable_parameters_are_those_of_the_checkpoint(void **state) {
  (void)state;
  static const char *const pairs[][2] = {{"gpt2", "gpt2/model.gguf"},
                                         {"llama-tied", "llama-tied/model.gguf"},
                                         {"qwen2", "qwen2/model.gguf"},
                                         {"qwen3", "qwen3/model.gguf"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    ink_error error = {0};
    ink_weights *folder = open_weights(pairs[i][0]), *gguf = open_weights(pairs[i][1]);
    ink_decoder_config config;
    ink_decoder *decoder;
    assert_ok(read_config(gguf, &config, &error));
    assert_ok(ink_decoder_open_trainable(&config, gguf, &decoder, &error));
    size_t n;
    const ink_parameter *parameters = ink_decoder_parameters(decoder, &n);
    assert_int_equal(n, ink_weights_count(folder));
    assert_int_equal(ink_decoder_size(decoder), ink_weights_parameters(folder));
    for (size_t j = 0; j < n; j++) {
      const ink_tensor *stored = ink_weights_find(folder, parameters[j].name);
      if (!stored) fail_msg("%s is not in %s", parameters[j].name, pairs[i][0]);
      if (!ink_tensor_same_shape(stored, parameters[j].tensor)) {
        fail_msg("%s has another shape", parameters[j].name);
      }
      assert_memory_equal(stored->data, parameters[j].tensor->data,
                          (size_t)ink_tensor_elements(stored) * sizeof(float));
    }
    ink_decoder_free(decoder);
    ink_weights_close(folder);
    ink_weights_close(gguf);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(logits_equal_transformers_without_a_cache),
      cmocka_unit_test(logits_equal_transformers_with_the_prompt_prefilled_whole),
      cmocka_unit_test(logits_equal_transformers_token_by_token),
      cmocka_unit_test(logits_equal_transformers_in_odd_chunks),
      cmocka_unit_test(logits_stay_near_with_a_cache_of_halves),
      cmocka_unit_test(the_cache_and_its_chunks_do_not_change_a_byte),
      cmocka_unit_test(threads_do_not_change_a_byte),
      cmocka_unit_test(a_trainable_copy_gives_the_same_logits),
      cmocka_unit_test(trainable_parameters_are_those_of_the_checkpoint),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
