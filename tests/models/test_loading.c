// Configs and files that are wrong: errors that name the field or the tensor. Right ones: read as
// they are and written back.
#include "base/json.h"
#include "models_testing.h"

static json_t *config_of(const char *name) {
  char path[600];
  snprintf(path, sizeof path, "%s/config.json", model_path(name));
  ink_error error = {0};
  json_t *json;
  assert_ok(ink_json_load(path, 1 << 20, &json, &error));
  return json;
}

// One change to a config.json that was right: `value` is JSON, NULL removes the key.
typedef struct change {
  const char *model, *key, *value;
  ink_status status;
  const char *says;  // a part of the message
} change;

static void contradictions_in_a_config_are_named(void **state) {
  (void)state;
  static const change changes[] = {
      {"llama", "model_type", "\"mamba\"", INK_ERR_UNSUPPORTED, "known: gpt2, llama, qwen2, qwen3"},
      {"llama", "model_type", NULL, INK_ERR_FORMAT, "model_type"},
      {"llama", "architectures", "[\"LlamaForSequenceClassification\"]", INK_ERR_UNSUPPORTED,
       "LlamaForCausalLM"},
      {"llama", "hidden_size", NULL, INK_ERR_FORMAT, "hidden_size"},
      {"llama", "hidden_size", "\"48\"", INK_ERR_FORMAT, "hidden_size"},
      {"llama", "hidden_size", "-48", INK_ERR_FORMAT, "hidden_size"},
      {"llama", "hidden_size", "50", INK_ERR_CONFLICT, "4 attention heads"},
      {"llama", "num_key_value_heads", "3", INK_ERR_CONFLICT, "3 key heads"},
      {"llama", "num_attention_heads", "0", INK_ERR_FORMAT, "num_attention_heads"},
      {"llama", "vocab_size", "99999999999", INK_ERR_FORMAT, "vocab_size"},
      {"llama", "num_hidden_layers", "100000000", INK_ERR_FORMAT, "number of layers"},
      {"llama", "rms_norm_eps", "7", INK_ERR_FORMAT, "rms_norm_eps"},
      {"llama", "hidden_act", "\"relu\"", INK_ERR_UNSUPPORTED, "relu"},
      {"llama", "head_dim", "15", INK_ERR_CONFLICT, "even"},
      {"llama", "rope_scaling", "{\"rope_type\": \"yarn\", \"factor\": 4}", INK_ERR_UNSUPPORTED,
       "\"yarn\""},
      {"llama", "rope_scaling", "{\"rope_type\": \"linear\"}", INK_ERR_FORMAT, "factor"},
      {"llama", "rope_scaling", "[]", INK_ERR_FORMAT, "rope_scaling"},
      {"llama", "rope_scaling",
       "{\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": "
       "1, \"original_max_position_embeddings\": 64}",
       INK_ERR_CONFLICT, "low_freq_factor"},
      {"llama", "partial_rotary_factor", "0.5", INK_ERR_UNSUPPORTED, "partial_rotary_factor"},
      {"qwen2", "use_sliding_window", "true", INK_ERR_UNSUPPORTED, "sliding-window"},
      {"qwen3", "layer_types", "[\"full_attention\", \"sliding_attention\"]", INK_ERR_UNSUPPORTED,
       "sliding-window"},
      {"gpt2", "activation_function", "\"silu\"", INK_ERR_UNSUPPORTED, "gelu_new"},
      {"gpt2", "scale_attn_by_inverse_layer_idx", "true", INK_ERR_UNSUPPORTED,
       "scale_attn_by_inverse_layer_idx"},
      {"gpt2", "n_head", "5", INK_ERR_CONFLICT, "5 attention heads"},
      {"gpt2", "tie_word_embeddings", "1", INK_ERR_FORMAT, "tie_word_embeddings"},
  };
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    const change *ch = &changes[i];
    json_t *json = config_of(ch->model);
    if (ch->value) {
      json_t *value = json_loads(ch->value, JSON_DECODE_ANY, NULL);
      assert_non_null(value);
      json_object_set_new(json, ch->key, value);
    } else {
      json_object_del(json, ch->key);
    }
    ink_decoder_config config;
    ink_error error = {0};
    ink_status status = ink_decoder_config_from_json(json, "config.json", &config, &error);
    if (status != ch->status || !strstr(error.text, ch->says) ||
        !strstr(error.text, "config.json")) {
      fail_msg("%s with %s = %s: %s: %s", ch->model, ch->key, ch->value ? ch->value : "nothing",
               ink_status_name(status), error.text);
    }
    json_decref(json);
  }
}

// A config that asks for tensors which the file lacks, or has in another shape.
static void tensors_that_do_not_fit_the_config_are_named(void **state) {
  (void)state;
  static const struct {
    const char *model, *key, *value;
    ink_status status;
    const char *says;
  } cases[] = {
      {"llama", "num_hidden_layers", "3", INK_ERR_NOT_FOUND,
       "model.layers.2.input_layernorm.weight"},
      {"llama", "intermediate_size", "96", INK_ERR_CONFLICT, "mlp.gate_proj.weight"},
      {"llama", "attention_bias", "true", INK_ERR_NOT_FOUND, "self_attn.q_proj.bias"},
      {"llama", "vocab_size", "286", INK_ERR_CONFLICT, "embed_tokens.weight"},
      {"llama-tied", "tie_word_embeddings", "false", INK_ERR_NOT_FOUND, "lm_head.weight"},
      {"qwen3", "num_key_value_heads", "4", INK_ERR_CONFLICT, "self_attn.k_proj.weight"},
      {"qwen3", "model_type", "\"qwen2\"", INK_ERR_NOT_FOUND, "self_attn.q_proj.bias"},
      {"gpt2", "n_inner", "64", INK_ERR_CONFLICT, "mlp.c_fc.weight"},
      {"gpt2", "n_positions", "65", INK_ERR_CONFLICT, "wpe.weight"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_weights *weights = open_weights(cases[i].model);
    json_t *json = config_of(cases[i].model);
    json_object_set_new(json, cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
    json_object_del(json, "architectures");
    for (int trainable = 0; trainable < 2; trainable++) {
      ink_error error = {0};
      ink_decoder_config config;
      ink_decoder *decoder = NULL;
      assert_ok(ink_decoder_config_from_json(json, "config.json", &config, &error));
      ink_status status = trainable ? ink_decoder_open_trainable(&config, weights, &decoder, &error)
                                    : ink_decoder_open(&config, weights, &decoder, &error);
      assert_null(decoder);
      if (status != cases[i].status || !strstr(error.text, cases[i].says)) {
        fail_msg("%s with %s = %s: %s: %s", cases[i].model, cases[i].key, cases[i].value,
                 ink_status_name(status), error.text);
      }
    }
    json_decref(json);
    ink_weights_close(weights);
  }
}

static void assert_same_config(const ink_decoder_config *a, const ink_decoder_config *b) {
  assert_string_equal(a->architecture, b->architecture);
  assert_int_equal(a->vocab, b->vocab);
  assert_int_equal(a->context, b->context);
  assert_int_equal(a->n_layer, b->n_layer);
  assert_int_equal(a->n_head, b->n_head);
  assert_int_equal(a->n_kv_head, b->n_kv_head);
  assert_int_equal(a->head_dim, b->head_dim);
  assert_int_equal(a->hidden, b->hidden);
  assert_int_equal(a->ff, b->ff);
  assert_true(a->norm_epsilon == b->norm_epsilon);
  assert_int_equal(a->activation, b->activation);
  assert_int_equal(a->tied_head, b->tied_head);
  assert_int_equal(a->qkv_bias, b->qkv_bias);
  assert_int_equal(a->output_bias, b->output_bias);
  assert_int_equal(a->mlp_bias, b->mlp_bias);
  assert_int_equal(a->qk_norm, b->qk_norm);
  assert_int_equal(a->rope_dim, b->rope_dim);
  // GGUF stores it as a 32-bit float.
  assert_true(fabs(a->rope_theta - b->rope_theta) <= 1e-6 * a->rope_theta);
  assert_int_equal(a->rope_scaling, b->rope_scaling);
  assert_true(a->rope_factor == b->rope_factor);
  assert_true(a->rope_low_frequency_factor == b->rope_low_frequency_factor);
  assert_true(a->rope_high_frequency_factor == b->rope_high_frequency_factor);
  assert_int_equal(a->rope_original_context, b->rope_original_context);
}

static void configs_survive_a_round_trip_through_json(void **state) {
  (void)state;
  static const char *const names[] = {"gpt2", "llama", "llama-tied", "qwen2", "qwen3"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    ink_error error = {0};
    ink_decoder_config before, after;
    json_t *json = config_of(names[i]);
    assert_ok(ink_decoder_config_from_json(json, names[i], &before, &error));
    json_decref(json);
    json = ink_decoder_config_to_json(&before);
    assert_non_null(json);
    assert_ok(ink_decoder_config_from_json(json, names[i], &after, &error));
    json_decref(json);
    assert_same_config(&before, &after);
    assert_int_equal(before.rope_style, after.rope_style);
  }
}

// Folder and GGUF of one model describe the same decoder.
static void both_formats_give_the_same_config(void **state) {
  (void)state;
  static const char *const names[] = {"gpt2", "llama-tied", "qwen2", "qwen3"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[64];
    snprintf(path, sizeof path, "%s/model.gguf", names[i]);
    ink_error error = {0};
    ink_decoder_config folder, gguf;
    ink_weights *weights = open_weights(names[i]), *other = open_weights(path);
    assert_ok(read_config(weights, &folder, &error));
    assert_ok(read_config(other, &gguf, &error));
    bool llama = strncmp(names[i], "llama", 5) == 0;
    assert_int_equal(gguf.rope_style, llama ? INK_ROPE_PAIRS : INK_ROPE_HALVES);
    assert_same_config(&folder, &gguf);
    ink_weights_close(weights);
    ink_weights_close(other);
  }
}

static void inputs_outside_the_model_are_refused(void **state) {
  (void)state;
  ink_weights *weights = open_weights("qwen3");
  ink_decoder *decoder = open_decoder(weights);
  static int32_t high[] = {1, 288}, low[] = {-1}, far[] = {0, 512}, fine[] = {0, 1}, long_one[513];
  struct {
    ink_tensor ids, positions;
    bool with_positions;
    const char *says;
  } cases[] = {
      {ink_tensor_view(INK_I32, high, 2, (int64_t[]){1, 2}), {0}, false, "token 288"},
      {ink_tensor_view(INK_I32, low, 2, (int64_t[]){1, 1}), {0}, false, "token -1"},
      {ink_tensor_view(INK_I32, fine, 1, (int64_t[]){2}), {0}, false, "(B, T)"},
      {ink_tensor_view(INK_I32, fine, 2, (int64_t[]){1, 2}),
       ink_tensor_view(INK_I32, far, 2, (int64_t[]){1, 2}), true, "position 512"},
      {ink_tensor_view(INK_I32, fine, 2, (int64_t[]){1, 2}),
       ink_tensor_view(INK_I32, fine, 2, (int64_t[]){2, 1}), true, "shape"},
      {ink_tensor_view(INK_I32, long_one, 2, (int64_t[]){1, 513}), {0}, false, "513"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error = {0};
    ink_compute c = {.arena = ink_arena_new(0)};
    ink_decoder_input input = {.ids = &cases[i].ids};
    if (cases[i].with_positions) input.positions = &cases[i].positions;
    assert_null(ink_decoder_forward(&c, decoder, &input));
    assert_int_equal(ink_compute_status(&c, &error), INK_ERR_USAGE);
    if (!strstr(error.text, cases[i].says)) fail_msg("case %zu: %s", i, error.text);
    ink_arena_free(c.arena);
  }
  ink_decoder_free(decoder);
  ink_weights_close(weights);
}

// ---- the cache ---------------------------------------------------------------------------------

static const float *step(ink_compute *c, const ink_decoder *decoder, ink_kv_cache *cache,
                         int32_t *ids, int64_t n) {
  ink_error error = {0};
  ink_tensor view = ink_tensor_view(INK_I32, ids, 2, (int64_t[]){1, n});
  ink_decoder_input input = {.ids = &view, .cache = cache};
  ink_tensor *hidden = ink_decoder_forward(c, decoder, &input);
  assert_ok(ink_compute_status(c, &error));
  return (const float *)hidden->data + (n - 1) * hidden->shape[2];
}

static void a_truncated_cache_goes_on_as_a_fresh_one(void **state) {
  (void)state;
  ink_error error = {0};
  ink_weights *weights = open_weights("qwen3");
  ink_decoder *decoder = open_decoder(weights);
  const ink_decoder_config *config = ink_decoder_about(decoder);
  ink_compute c = {.arena = ink_arena_new(0)};
  int32_t ids[100], other[100];
  for (int i = 0; i < 100; i++) {
    ids[i] = i * 7 % config->vocab;
    other[i] = i < 40 ? ids[i] : i;
  }
  ink_kv_cache *fresh, *cut;
  assert_ok(ink_kv_cache_new(config, 1, 100, INK_F32, &fresh, &error));
  assert_ok(ink_kv_cache_new(config, 1, 100, INK_F32, &cut, &error));
  const float *expected = step(&c, decoder, fresh, ids, 100);
  step(&c, decoder, cut, other, 90);
  ink_kv_cache_truncate(cut, 40);
  size_t bytes = (size_t)config->hidden * sizeof(float);
  assert_memory_equal(step(&c, decoder, cut, ids + 40, 60), expected, bytes);
  ink_kv_cache_free(fresh);
  ink_kv_cache_free(cut);
  ink_arena_free(c.arena);
  ink_decoder_free(decoder);
  ink_weights_close(weights);
}

static void a_full_cache_refuses_with_its_numbers_and_stays_usable(void **state) {
  (void)state;
  ink_error error = {0};
  ink_weights *weights = open_weights("qwen3");
  ink_decoder *decoder = open_decoder(weights);
  ink_kv_cache *cache;
  assert_ok(ink_kv_cache_new(ink_decoder_about(decoder), 1, 5, INK_F16, &cache, &error));
  int32_t ids[6] = {1, 2, 3, 4, 5, 6};
  ink_compute c = {.arena = ink_arena_new(0)};
  ink_tensor view = ink_tensor_view(INK_I32, ids, 2, (int64_t[]){1, 6});
  ink_decoder_input input = {.ids = &view, .cache = cache};
  assert_null(ink_decoder_forward(&c, decoder, &input));
  assert_int_equal(ink_compute_status(&c, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "6 positions"));
  assert_non_null(strstr(error.text, "holds 5"));
  c.error = (ink_error){0};
  assert_int_equal(ink_kv_cache_length(cache), 0);
  step(&c, decoder, cache, ids, 5);
  assert_int_equal(ink_kv_cache_length(cache), 5);
  const ink_decoder_config *config = ink_decoder_about(decoder);
  assert_int_equal(ink_kv_cache_bytes(cache),
                   2 * config->n_layer * 5 * config->n_kv_head * config->head_dim * 2);
  ink_kv_cache_free(cache);
  ink_arena_free(c.arena);
  ink_decoder_free(decoder);
  ink_weights_close(weights);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(contradictions_in_a_config_are_named),
      cmocka_unit_test(tensors_that_do_not_fit_the_config_are_named),
      cmocka_unit_test(configs_survive_a_round_trip_through_json),
      cmocka_unit_test(both_formats_give_the_same_config),
      cmocka_unit_test(inputs_outside_the_model_are_refused),
      cmocka_unit_test(a_truncated_cache_goes_on_as_a_fresh_one),
      cmocka_unit_test(a_full_cache_refuses_with_its_numbers_and_stays_usable),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
