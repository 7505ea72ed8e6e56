// Names of tensors in both formats, checked against files that the reference tools wrote.
#include "testing.h"
#include "weights/names.h"
#include "weights/weights.h"

// Every tensor of the Hugging Face folder has its counterpart in the GGUF file and the other way
// round.
static void names_and_the_way_back_lead_to_the_tensors_of_the_fixtures(void **state) {
  (void)state;
  static const char *const models[] = {"gpt2", "llama", "qwen2", "qwen3"};
  for (size_t i = 0; i < 4; i++) {
    char path[100], name[INK_TENSOR_NAME];
    ink_weights *folder, *gguf;
    ink_layout layout, back;
    ink_error error = {0};
    snprintf(path, sizeof path, "models/%s", models[i]);
    assert_ok(ink_weights_open(fixture_path(path), &folder, &error));
    snprintf(path, sizeof path, "models/%s/model.gguf", models[i]);
    assert_ok(ink_weights_open(fixture_path(path), &gguf, &error));
    size_t known = 0;
    for (size_t j = 0; j < ink_weights_count(folder); j++) {
      const ink_weights_entry *entry = ink_weights_at(folder, j);
      if (ink_names_is_buffer(models[i], entry->name)) continue;
      char hf[INK_TENSOR_NAME];
      assert_true(ink_names_to_gguf(models[i], entry->name, name, &layout));
      const ink_weights_entry *other = ink_weights_entry_of(gguf, name);
      assert_non_null(other);
      assert_int_equal(other->rank, entry->rank);
      for (int k = 0; k < entry->rank; k++) {
        int from = layout == INK_LAYOUT_TRANSPOSED ? entry->rank - 1 - k : k;
        assert_int_equal(other->shape[k], entry->shape[from]);
      }
      assert_true(ink_names_to_hf(models[i], name, hf, &back));
      assert_string_equal(hf, entry->name);
      assert_int_equal(back, layout);
      known++;
    }
    // The factors of Llama 3's long waves are a table of GGUF's own.
    size_t extra = ink_weights_entry_of(gguf, "rope_freqs.weight") ? 1 : 0;
    assert_int_equal(known + extra, ink_weights_count(gguf));
    ink_weights_close(folder);
    ink_weights_close(gguf);
  }
}

static void gpt2_names_pass_without_their_first_part(void **state) {
  (void)state;
  char name[INK_TENSOR_NAME];
  ink_layout layout;
  assert_true(ink_names_to_gguf("gpt2", "h.11.attn.c_attn.weight", name, &layout));
  assert_string_equal(name, "blk.11.attn_qkv.weight");
  assert_int_equal(layout, INK_LAYOUT_TRANSPOSED);
  assert_true(ink_names_to_gguf("gpt2", "h.11.attn.c_attn.bias", name, &layout));
  assert_int_equal(layout, INK_LAYOUT_SAME);
  assert_true(ink_names_to_gguf("gpt2", "lm_head.weight", name, &layout));
  assert_string_equal(name, "output.weight");
  assert_true(ink_names_is_buffer("gpt2", "h.0.attn.bias"));
  assert_true(ink_names_is_buffer("gpt2", "transformer.h.0.attn.masked_bias"));
  assert_false(ink_names_is_buffer("gpt2", "h.0.attn.c_attn.bias"));
}

static void only_llama_reorders_rows_for_the_rotation(void **state) {
  (void)state;
  char name[INK_TENSOR_NAME];
  ink_layout layout;
  assert_true(ink_names_to_gguf("llama", "model.layers.3.self_attn.q_proj.weight", name, &layout));
  assert_string_equal(name, "blk.3.attn_q.weight");
  assert_int_equal(layout, INK_LAYOUT_ROPE_Q);
  assert_true(ink_names_to_gguf("llama", "model.layers.3.self_attn.k_proj.bias", name, &layout));
  assert_int_equal(layout, INK_LAYOUT_ROPE_K);
  assert_true(ink_names_to_gguf("qwen3", "model.layers.3.self_attn.q_proj.weight", name, &layout));
  assert_int_equal(layout, INK_LAYOUT_SAME);
}

static void names_of_no_parameter_are_not_known(void **state) {
  (void)state;
  static const char *const wrong[] = {"model.layers.3.self_attn.q_proj",
                                      "model.layers..self_attn.q_proj.weight",
                                      "model.layers.03.self_attn.q_proj.weight",
                                      "model.layers.3.self_attn.q_proj.weight.x",
                                      "model.layers.999999.self_attn.q_proj.weight",
                                      "model.layers.-1.self_attn.q_proj.weight",
                                      "",
                                      "model.embed_tokens.scales",
                                      "visual.embed_tokens.weight"};
  char name[INK_TENSOR_NAME];
  ink_layout layout;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_false(ink_names_to_gguf("llama", wrong[i], name, &layout));
  }
  assert_false(ink_names_to_gguf("bloom", "lm_head.weight", name, &layout));
  assert_false(ink_names_to_hf("llama", "blk.3.attn_qkv.weight", name, &layout));
  char huge[1000];
  memset(huge, 'h', sizeof huge);
  huge[sizeof huge - 1] = 0;
  assert_false(ink_names_to_gguf("gpt2", huge, name, &layout));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_and_the_way_back_lead_to_the_tensors_of_the_fixtures),
      cmocka_unit_test(gpt2_names_pass_without_their_first_part),
      cmocka_unit_test(only_llama_reorders_rows_for_the_rotation),
      cmocka_unit_test(names_of_no_parameter_are_not_known),
  };
  return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
