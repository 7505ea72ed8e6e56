// Opening models: folders, shards, single files, split files, and what names and hashes they get.
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "files.h"
#include "scratch.h"
#include "weights/files.h"
#include "weights/weights.h"

static int set_up(void **state) {
  return scratch_open(state) || setenv("XDG_CACHE_HOME", scratch, 1);
}

static void a_hugging_face_folder_opens_with_its_config(void **state) {
  (void)state;
  ink_weights *weights;
  ink_error error = {0};
  assert_ok(ink_weights_open(fixture_path("models/llama"), &weights, &error));
  assert_int_equal(ink_weights_format_of(weights), INK_WEIGHTS_SAFETENSORS);
  assert_string_equal(ink_weights_name(weights), "llama");
  assert_int_equal(ink_weights_n_files(weights), 1);
  assert_string_equal(json_string_value(json_object_get(ink_weights_config(weights), "model_type")),
                      "llama");
  assert_null(ink_weights_gguf(weights));
  assert_non_null(ink_weights_find(weights, "model.embed_tokens.weight"));
  assert_null(ink_weights_find(weights, "model.embed_tokens"));
  ink_weights_close(weights);
}

static void a_gguf_file_has_the_same_numbers_as_the_folder(void **state) {
  (void)state;
  ink_weights *folder, *gguf;
  const ink_tensor *a, *b;
  ink_error error = {0};
  assert_ok(ink_weights_open(fixture_path("models/llama"), &folder, &error));
  assert_ok(ink_weights_open(fixture_path("models/llama/model.gguf"), &gguf, &error));
  assert_int_equal(ink_weights_format_of(gguf), INK_WEIGHTS_GGUF);
  assert_string_equal(ink_weights_name(gguf), "llama");  // not "model"
  assert_null(ink_weights_config(gguf));
  assert_non_null(ink_gguf_find(ink_weights_gguf(gguf), "general.architecture"));
  const int64_t any[] = {-1, -1};
  assert_ok(ink_weights_get(folder, "model.embed_tokens.weight", 2, any, &a, &error));
  assert_ok(ink_weights_get(gguf, "token_embd.weight", 2, a->shape, &b, &error));
  assert_int_equal(a->dtype, b->dtype);
  size_t bytes;
  assert_true(ink_tensor_bytes(a->dtype, a->rank, a->shape, &bytes) && bytes > 0);
  assert_memory_equal(a->data, b->data, bytes);
  ink_weights_close(folder);
  ink_weights_close(gguf);
}

static void shards_are_one_set_of_tensors(void **state) {
  (void)state;
  ink_weights *weights;
  ink_error error = {0};
  assert_ok(ink_weights_open(fixture_path("models/qwen2"), &weights, &error));
  assert_int_equal(ink_weights_n_files(weights), 3);
  json_t *index;
  assert_ok(ink_json_load(fixture_path("models/qwen2/model.safetensors.index.json"), 1 << 20,
                          &index, &error));
  const char *name;
  json_t *file, *map = json_object_get(index, "weight_map");
  assert_int_equal(ink_weights_count(weights), json_object_size(map));
  json_object_foreach(map, name, file) {
    const ink_weights_entry *entry = ink_weights_entry_of(weights, name);
    assert_non_null(entry);
    assert_string_equal(ink_path_name(ink_weights_file(weights, entry->file)),
                        json_string_value(file));
  }
  json_decref(index);
  ink_weights_close(weights);
}

static void getting_a_tensor_names_what_is_missing_or_wrong(void **state) {
  (void)state;
  ink_weights *weights;
  const ink_tensor *tensor;
  ink_error error = {0};
  assert_ok(ink_weights_open(fixture_path("models/llama"), &weights, &error));
  assert_int_equal(ink_weights_get(weights, "model.absent", 2, (int64_t[]){7, -1}, &tensor, &error),
                   INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "model.absent"));
  assert_non_null(strstr(error.text, "[7, any]"));
  assert_int_equal(
      ink_weights_get(weights, "model.embed_tokens.weight", 2, (int64_t[]){7, -1}, &tensor, &error),
      INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "model.embed_tokens.weight"));
  assert_non_null(strstr(error.text, "[7, any]"));
  assert_int_equal(
      ink_weights_get(weights, "model.embed_tokens.weight", 1, (int64_t[]){-1}, &tensor, &error),
      INK_ERR_CONFLICT);
  assert_null(tensor);
  ink_weights_close(weights);
}

static void a_folder_without_weights_says_what_was_looked_for(void **state) {
  (void)state;
  ink_weights *weights;
  ink_error error = {0};
  assert_ok(ink_folder_make(in_scratch("none"), &error));
  assert_int_equal(ink_weights_open(in_scratch("none"), &weights, &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "model.safetensors"));
  write_text(in_scratch("none/pytorch_model.bin"), "");
  assert_int_equal(ink_weights_open(in_scratch("none"), &weights, &error), INK_ERR_FORMAT);
  assert_non_null(strstr(error.text, "pytorch_model.bin"));
  assert_int_equal(ink_weights_open(in_scratch("absent"), &weights, &error), INK_ERR_NOT_FOUND);
  assert_null(weights);
}

static void an_index_may_not_lead_out_of_its_folder(void **state) {
  (void)state;
  static const char *const names[] = {"../llama/model.safetensors", "/etc/passwd", "", ".hidden",
                                      "a/b"};
  ink_weights *weights;
  ink_error error = {0};
  assert_ok(ink_folder_make(in_scratch("leads"), &error));
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char index[200];
    snprintf(index, sizeof index, "{\"weight_map\":{\"a\":\"%s\"}}", names[i]);
    write_text(in_scratch("leads/model.safetensors.index.json"), index);
    assert_int_equal(ink_weights_open(in_scratch("leads"), &weights, &error), INK_ERR_FORMAT);
    assert_non_null(strstr(error.text, "same folder"));
  }
  write_text(in_scratch("leads/model.safetensors.index.json"), "{\"weight_map\":{\"a\":1}}");
  assert_int_equal(ink_weights_open(in_scratch("leads"), &weights, &error), INK_ERR_FORMAT);
  write_text(in_scratch("leads/model.safetensors.index.json"), "{\"weight_map\":{}}");
  assert_int_equal(ink_weights_open(in_scratch("leads"), &weights, &error), INK_ERR_FORMAT);
  write_text(in_scratch("leads/model.safetensors.index.json"), "{}");
  assert_int_equal(ink_weights_open(in_scratch("leads"), &weights, &error), INK_ERR_FORMAT);
  write_text(in_scratch("leads/model.safetensors.index.json"), "{\"weight_map\":{\"a\":\"gone\"}}");
  assert_int_equal(ink_weights_open(in_scratch("leads"), &weights, &error), INK_ERR_NOT_FOUND);
}

static void an_index_that_contradicts_its_shards_is_a_conflict(void **state) {
  (void)state;
  ink_weights *weights;
  ink_error error = {0};
  assert_ok(ink_folder_make(in_scratch("shards"), &error));
  copy_file(fixture_path("models/llama/model.safetensors"), in_scratch("shards/one.safetensors"));
  write_text(
      in_scratch("shards/model.safetensors.index.json"),
      "{\"weight_map\":{\"model.norm.weight\":\"one.safetensors\",\"x\":\"one.safetensors\"}}");
  assert_int_equal(ink_weights_open(in_scratch("shards"), &weights, &error), INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "tensor x "));
  copy_file(fixture_path("models/llama/model.safetensors"), in_scratch("shards/two.safetensors"));
  write_text(
      in_scratch("shards/model.safetensors.index.json"),
      "{\"weight_map\":{\"model.norm.weight\":\"one.safetensors\",\"y\":\"two.safetensors\"}}");
  assert_int_equal(ink_weights_open(in_scratch("shards"), &weights, &error), INK_ERR_FORMAT);
  assert_non_null(strstr(error.text, "one.safetensors and in two.safetensors"));
}

static void two_ggufs_in_a_folder_ask_which_one(void **state) {
  (void)state;
  ink_weights *weights;
  ink_error error = {0};
  assert_ok(ink_folder_make(in_scratch("ggufs"), &error));
  copy_file(fixture_path("models/llama/model.gguf"), in_scratch("ggufs/a.gguf"));
  assert_ok(ink_weights_open(in_scratch("ggufs"), &weights, &error));
  ink_weights_close(weights);
  copy_file(fixture_path("models/llama/model.gguf"), in_scratch("ggufs/b.gguf"));
  assert_int_equal(ink_weights_open(in_scratch("ggufs"), &weights, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "2 GGUF models"));
}

static void a_single_file_is_known_by_its_content(void **state) {
  (void)state;
  ink_weights *weights;
  ink_error error = {0};
  copy_file(fixture_path("models/llama/model.gguf"), in_scratch("named.safetensors"));
  assert_ok(ink_weights_open(in_scratch("named.safetensors"), &weights, &error));
  assert_int_equal(ink_weights_format_of(weights), INK_WEIGHTS_GGUF);
  assert_string_equal(ink_weights_name(weights), "named");
  ink_weights_close(weights);
  write_text(in_scratch("text.gguf"), "hello, this is no model");
  assert_int_equal(ink_weights_open(in_scratch("text.gguf"), &weights, &error), INK_ERR_FORMAT);
}

static void names_in_the_hub_cache_are_org_and_repository(void **state) {
  (void)state;
  ink_error error = {0};
  assert_ok(ink_folder_make(in_scratch("hub/models--Org--My--Repo/snapshots/0123"), &error));
  char *name = ink_model_name(in_scratch("hub/models--Org--My--Repo/snapshots/0123"));
  assert_string_equal(name, "Org/My--Repo");
  free(name);
  name = ink_model_name("/x/models--Org--Repo/snapshots/0123/file-Q8_0.gguf");
  assert_string_equal(name, "Org/Repo");
  free(name);
  name = ink_model_name("poet-q8_0-00001-of-00003.gguf");
  assert_string_equal(name, "poet-q8_0");
  free(name);
}

static void the_hash_of_one_file_is_the_hash_of_its_bytes(void **state) {
  (void)state;
  ink_weights *weights;
  char hex[INK_SHA256_HEX], of_file[INK_SHA256_HEX];
  ink_error error = {0};
  const char *path = fixture_path("models/llama/model.safetensors");
  assert_ok(ink_sha256_file(path, of_file, &error));
  assert_ok(ink_weights_open(fixture_path("models/llama"), &weights, &error));
  assert_ok(ink_weights_sha256(weights, INK_HASH_COMPUTE, hex, &error));
  assert_string_equal(hex, of_file);
  assert_ok(ink_weights_sha256(weights, INK_HASH_NOTED, hex, &error));
  assert_string_equal(hex, of_file);
  ink_weights_close(weights);
}

static void the_hash_of_shards_is_that_of_their_list(void **state) {
  (void)state;
  ink_weights *weights;
  char hex[INK_SHA256_HEX], of_shards[INK_SHA256_HEX], command[2000];
  ink_error error = {0};
  snprintf(command, sizeof command,
           "cd '%s' && sha256sum model-*.safetensors | sha256sum | cut -c 1-64",
           fixture_path("models/qwen2"));
  FILE *shell = popen(command, "r");
  assert_non_null(fgets(of_shards, sizeof of_shards, shell));
  pclose(shell);
  assert_ok(ink_weights_open(fixture_path("models/qwen2"), &weights, &error));
  assert_ok(ink_weights_sha256(weights, INK_HASH_NOTED, hex, &error));
  assert_string_equal(hex, of_shards);
  ink_weights_close(weights);
}

// Large enough to be noted: one tensor of n bytes of zeros, but for the last.
static void save_large(const char *path, char last) {
  enum { N = 2 << 20 };
  char header[100];
  ink_error error = {0};
  char *bytes = calloc(1, N + 100);
  int size = snprintf(header, sizeof header,
                      "{\"a\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]}}", N, N);
  bytes[0] = (char)size;
  memcpy(bytes + 8, header, (size_t)size);
  bytes[8 + size + N - 1] = last;
  assert_ok(ink_file_save(path, bytes, (size_t)(8 + size + N), &error));
  free(bytes);
}

static void a_noted_hash_is_dropped_when_the_file_changes(void **state) {
  (void)state;
  ink_weights *weights;
  char first[INK_SHA256_HEX], second[INK_SHA256_HEX], of_file[INK_SHA256_HEX];
  ink_error error = {0};
  const char *path = in_scratch("large.safetensors");
  save_large(path, 1);
  assert_ok(ink_weights_open(path, &weights, &error));
  assert_ok(ink_weights_sha256(weights, INK_HASH_NOTED, first, &error));
  ink_weights_close(weights);
  assert_true(ink_file_is_folder(in_scratch("inkstone/sha256")));

  save_large(path, 2);
  assert_ok(ink_weights_open(path, &weights, &error));
  assert_ok(ink_weights_sha256(weights, INK_HASH_NOTED, second, &error));
  assert_ok(ink_sha256_file(path, of_file, &error));
  assert_string_equal(second, of_file);
  assert_string_not_equal(first, second);
  ink_weights_close(weights);
}

static void a_noted_hash_is_used_and_never_when_computing_is_asked_for(void **state) {
  (void)state;
  ink_weights *weights;
  char hex[INK_SHA256_HEX], of_file[INK_SHA256_HEX], command[600];
  ink_error error = {0};
  const char *path = in_scratch("noted.safetensors");
  save_large(path, 3);
  assert_ok(ink_sha256_file(path, of_file, &error));
  assert_ok(ink_weights_open(path, &weights, &error));
  assert_ok(ink_weights_sha256(weights, INK_HASH_NOTED, hex, &error));
  ink_weights_close(weights);
  // Falsify all notes: 64 digits "a" in the place of the hash.
  snprintf(command, sizeof command, "cd '%s/inkstone/sha256' && sed -i 's/[0-9a-f]*$/%s/' *",
           scratch, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
  assert_int_equal(system(command), 0);
  assert_ok(ink_weights_open(path, &weights, &error));
  assert_ok(ink_weights_sha256(weights, INK_HASH_NOTED, hex, &error));
  assert_string_not_equal(hex, of_file);
  assert_ok(ink_weights_sha256(weights, INK_HASH_COMPUTE, hex, &error));
  assert_string_equal(hex, of_file);
  ink_weights_close(weights);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_hugging_face_folder_opens_with_its_config),
      cmocka_unit_test(a_gguf_file_has_the_same_numbers_as_the_folder),
      cmocka_unit_test(shards_are_one_set_of_tensors),
      cmocka_unit_test(getting_a_tensor_names_what_is_missing_or_wrong),
      cmocka_unit_test(a_folder_without_weights_says_what_was_looked_for),
      cmocka_unit_test(an_index_may_not_lead_out_of_its_folder),
      cmocka_unit_test(an_index_that_contradicts_its_shards_is_a_conflict),
      cmocka_unit_test(two_ggufs_in_a_folder_ask_which_one),
      cmocka_unit_test(a_single_file_is_known_by_its_content),
      cmocka_unit_test(names_in_the_hub_cache_are_org_and_repository),
      cmocka_unit_test(the_hash_of_one_file_is_the_hash_of_its_bytes),
      cmocka_unit_test(the_hash_of_shards_is_that_of_their_list),
      cmocka_unit_test(a_noted_hash_is_dropped_when_the_file_changes),
      cmocka_unit_test(a_noted_hash_is_used_and_never_when_computing_is_asked_for),
  };
  return cmocka_run_group_tests_name("weights", tests, set_up, scratch_close);
}
