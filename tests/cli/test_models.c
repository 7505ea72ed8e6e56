// inkstone model, as it is run.
#include "program.h"

static void the_list_names_what_came_with_the_program(void **state) {
  (void)state;
  program_run run = run_program("$INK model list --json");
  json_t *json = json_of(&run), *model;
  static const char *const shipped[] = {"painter", "poet"};
  size_t i;
  json_array_foreach(json_object_get(json, "models"), i, model) {
    assert_true(i < 2);
    assert_string_equal(json_string_value(json_object_get(model, "name")), shipped[i]);
    assert_string_equal(json_string_value(json_object_get(model, "place")), "shipped");
    assert_true(json_integer_value(json_object_get(model, "bytes")) > 1000000);
  }
  assert_int_equal(i, 2);
  json_decref(json);
  drop_run(&run);
}

static void show_tells_shape_types_tokenizer_and_licence(void **state) {
  (void)state;
  program_run run = run_program("$INK model show poet --json --sha256");
  json_t *json = json_of(&run);
  assert_string_equal(json_string_value(json_object_get(json, "architecture")), "qwen3");
  assert_string_equal(json_string_value(json_object_get(json, "license")), "apache-2.0");
  assert_int_equal(strlen(json_string_value(json_object_get(json, "sha256"))), 64);
  assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "shape"), "layers")),
                   6);
  assert_int_equal(
      json_integer_value(json_object_get(json_object_get(json, "tokenizer"), "tokens")), 8192);
  assert_non_null(json_object_get(json_object_get(json, "types"), "Q8_0"));
  assert_true(json_array_size(json_object_get(json, "tensors")) > 60);
  json_decref(json);
  drop_run(&run);
  run = run_program("INKSTONE_LANG=zh $INK model show poet");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.out, "架构: qwen3"));
  drop_run(&run);
}

static void show_tells_the_networks_of_what_paints(void **state) {
  (void)state;
  program_run run = run_program("$INK model show painter --json --sha256");
  json_t *json = json_of(&run), *about = json_object_get(json, "diffusion");
  assert_string_equal(json_string_value(json_object_get(json, "architecture")),
                      "Stable Diffusion 1");
  assert_string_equal(json_string_value(json_object_get(json, "format")), "diffusers");
  assert_string_equal(json_string_value(json_object_get(json, "license")), "apache-2.0");
  assert_int_equal(strlen(json_string_value(json_object_get(json, "sha256"))), 64);
  assert_int_equal(json_array_size(json_object_get(json, "files")), 3);
  assert_int_equal(json_integer_value(json_object_get(about, "side")), 128);
  assert_string_equal(json_string_value(json_object_get(about, "predicts")), "v");
  json_int_t sum = 0;
  size_t i;
  json_t *tensor;
  json_array_foreach(json_object_get(json, "tensors"), i, tensor) {
    sum += json_integer_value(json_object_get(tensor, "bytes"));
  }
  assert_int_equal(json_integer_value(json_object_get(json, "bytes")), sum);
  json_decref(json);
  drop_run(&run);
  run = run_program("$INK model show $FIXTURES/pipelines/xl");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.out, "architecture: Stable Diffusion XL\n"));
  assert_non_null(strstr(run.out, "picture: 16 x 16\n"));
  drop_run(&run);
  // One network alone is shown too, and a missing part is named.
  expect(run_program("$INK model show $FIXTURES/pipelines/sd1/unet"), 0, "format: safetensors\n");
  expect(run_program("cd \"$HOME\" && cp -r $FIXTURES/pipelines/sd1 sd && rm -r sd/unet && "
                     "$INK model show sd"),
         1, "no folder unet");
}

static void what_is_converted_scores_as_before(void **state) {
  (void)state;
  program_run run = run_program(
      "cd \"$HOME\" && $INK model convert $FIXTURES/models/qwen3 q.gguf && "
      "$INK model convert q.gguf folder && "
      "$INK score 'It is a small house' -m $FIXTURES/models/qwen3 >a && "
      "$INK score 'It is a small house' -m q.gguf >b && "
      "$INK score 'It is a small house' -m folder >c && cmp a b && cmp a c && "
      "$INK model quantize folder q4.gguf Q4_K_M && $INK model show q4.gguf");
  if (run.exit_code != 0) fail_msg("%s", run.err);
  assert_non_null(strstr(run.out, "Q8_0 x"));
  drop_run(&run);
}

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

// A repository without weights is whole where only these files were asked for.
static void files_are_pulled_by_their_names(void **state) {
  (void)state;
  static const char hub[] =
      "cd $HOME && R=hub/models--Org--Repo && mkdir -p $R/refs $R/snapshots/" COMMIT
      " && printf " COMMIT " >$R/refs/main && echo {} >$R/snapshots/" COMMIT
      "/vocab.json && export HF_HUB_CACHE=$HOME/hub HF_HUB_OFFLINE=1 && ";
  expect(run_program("%s$INK model pull Org/Repo --include vocab.json --include 'voc*'", hub), 0,
         "/hub/models--Org--Repo/snapshots/" COMMIT "\n");
  expect(run_program("%s$INK model pull Org/Repo --include vocab.json --include merges.txt", hub),
         1, "no \"merges.txt\" in ");
  expect(run_program("%s$INK model pull Org/Repo", hub), 1, "no weights in ");
}

static void wrong_usage_says_what_is_right(void **state) {
  (void)state;
  static const refusal cases[] = {
      {"$INK model", "list, pull, show", 2},
      {"$INK model fetch x", "list, pull, show", 2},
      {"$INK model show", "takes one model", 2},
      {"$INK model list --type F16", "no --type", 2},
      {"$INK model quantize poet x.gguf Q5_K_M", "Q4_K_M", 2},
      {"$INK model quantize poet x.gguf", "to which type", 2},
      {"$INK model convert poet /tmp/never-a-folder --type Q8_0", ".gguf", 1},
      {"$INK model rm Org/Repo </dev/null", "--yes", 2},
      {"$INK model rm Org/Repo --yes", "not in the cache", 1},
      {"$INK model rm poet --yes", "ORG/REPO", 2},
      {"HF_HUB_OFFLINE=1 $INK model pull Org/Repo", "HF_HUB_OFFLINE", 1},
      {"$INK model pull ../x", "ORG/REPO", 2},
      {"$INK model pull Org/Repo:Q8_0 --include '*.json'", "not both", 2},
      {"HF_HUB_OFFLINE=1 $INK model pull Org/Repo --include '*.json'", "HF_HUB_OFFLINE", 1},
      {"$INK model show poet --include '*.json'", "no --include", 2},
      {"HF_ENDPOINT=ftp://x $INK model pull Org/Repo", "HF_ENDPOINT", 2},
  };
  expect_refusals("%s", cases, sizeof cases / sizeof *cases);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_list_names_what_came_with_the_program),
      cmocka_unit_test(show_tells_shape_types_tokenizer_and_licence),
      cmocka_unit_test(show_tells_the_networks_of_what_paints),
      cmocka_unit_test(what_is_converted_scores_as_before),
      cmocka_unit_test(files_are_pulled_by_their_names),
      cmocka_unit_test(wrong_usage_says_what_is_right),
  };
  return cmocka_run_group_tests_name("models", tests, NULL, NULL);
}
