// What a user calls a model, and where the Hugging Face cache keeps it.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "scratch.h"
#include "weights/cache.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define OTHER "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"

static int set_up(void **state) {
  static const char *const variables[] = {"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE",
                                          "XDG_CACHE_HOME"};
  for (size_t i = 0; i < 4; i++) unsetenv(variables[i]);
  if (scratch_open(state) != 0) return -1;
  setenv("HF_HUB_CACHE", in_scratch("hub"), 1);
  setenv("INKSTONE_MODELS", in_scratch("shipped"), 1);
  return 0;
}

static void save(const char *path, const char *text) {
  ink_error error = {0};
  char folder[500];
  snprintf(folder, sizeof folder, "%s", path);
  *strrchr(folder, '/') = 0;
  assert_ok(ink_folder_make(folder, &error));
  write_text(path, text);
}

static void references_are_taken_apart(void **state) {
  (void)state;
  static const struct {
    const char *text, *repo, *quant, *revision;
  } fine[] = {
      {"Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B", "", "main"},
      {"hf://Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B", "", "main"},
      {"a/b:Q4_K_M", "a/b", "Q4_K_M", "main"},
      {"a/b:q8_0@v1.0", "a/b", "q8_0", "v1.0"},
      {"a/b@refs/pr/3", "a/b", "", "refs/pr/3"},
  };
  ink_hub_ref ref;
  ink_error error = {0};
  for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
    assert_ok(ink_hub_ref_parse(fine[i].text, &ref, &error));
    assert_string_equal(ref.repo, fine[i].repo);
    assert_string_equal(ref.quant, fine[i].quant);
    assert_string_equal(ref.revision, fine[i].revision);
  }
}

static void references_that_could_leave_the_cache_are_refused(void **state) {
  (void)state;
  static const char *const wrong[] = {
      "",         "/",     "a",     "a/",     "/b",     "a/b/c",    "../b",          "a/..",
      "a/.b",     "./b",   "a/b:",  "a/b@",   "a/b:x@", "a/b@../x", "a/b@x/../../y", "a/b@/etc",
      "a/b:../x", "a b/c", "a/b\n", "a--b/c", "-a/b",   "a/b@x\\y", "hf:///b",       "http://a/b",
      "a/b:Q4:x"};
  ink_hub_ref ref;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    ink_error error = {0};
    if (ink_hub_ref_parse(wrong[i], &ref, &error) != INK_ERR_USAGE) {
      fail_msg("\"%s\" was taken", wrong[i]);
    }
  }
  char huge[400];
  memset(huge, 'a', sizeof huge);
  huge[200] = '/';
  huge[399] = 0;
  assert_int_equal(ink_hub_ref_parse(huge, &ref, NULL), INK_ERR_USAGE);
}

static void the_cache_lies_where_the_environment_says(void **state) {
  (void)state;
  char *path;
  ink_error error = {0};
  char *kept = strdup(getenv("HF_HUB_CACHE")), *home = strdup(getenv("HOME"));
  setenv("HOME", "/home/x", 1);
  unsetenv("HF_HUB_CACHE");
  assert_ok(ink_hub_folder(&path, &error));
  assert_string_equal(path, "/home/x/.cache/huggingface/hub");
  free(path);
  setenv("XDG_CACHE_HOME", "/xdg", 1);
  assert_ok(ink_hub_folder(&path, &error));
  assert_string_equal(path, "/xdg/huggingface/hub");
  free(path);
  setenv("HF_HOME", "~/hf", 1);
  assert_ok(ink_hub_folder(&path, &error));
  assert_string_equal(path, "/home/x/hf/hub");
  free(path);
  setenv("HUGGINGFACE_HUB_CACHE", "/legacy", 1);
  assert_ok(ink_hub_folder(&path, &error));
  assert_string_equal(path, "/legacy");
  free(path);
  setenv("HF_HUB_CACHE", "/own", 1);
  assert_ok(ink_hub_folder(&path, &error));
  assert_string_equal(path, "/own");
  free(path);
  unsetenv("XDG_CACHE_HOME");
  unsetenv("HF_HOME");
  unsetenv("HUGGINGFACE_HUB_CACHE");
  setenv("HF_HUB_CACHE", kept, 1);
  setenv("HOME", home, 1);
  free(kept);
  free(home);
}

static void the_gguf_is_chosen_by_the_word_in_its_name(void **state) {
  (void)state;
  static const char *const paths[] = {"README.md",
                                      "m-IQ4_XS.gguf",
                                      "m-Q4_K_S.gguf",
                                      "m-q4_k_m-variant.gguf",
                                      "m-q4_k_m.gguf",
                                      "mmproj-m-Q8_0.gguf",
                                      "m.Q8_0.gguf",
                                      "imatrix-Q6_K.gguf",
                                      "BF16/m-BF16-00002-of-00002.gguf",
                                      "BF16/m-BF16-00001-of-00002.gguf"};
  enum { N = sizeof paths / sizeof *paths };
  size_t index;
  ink_error error = {0};
  assert_ok(ink_hub_choose_gguf("a/b", paths, N, "", &index, &error));
  assert_string_equal(paths[index], "m-q4_k_m.gguf");
  assert_ok(ink_hub_choose_gguf("a/b", paths, N, "q8_0", &index, &error));
  assert_string_equal(paths[index], "m.Q8_0.gguf");
  assert_ok(ink_hub_choose_gguf("a/b", paths, N, "bf16", &index, &error));
  assert_string_equal(paths[index], "BF16/m-BF16-00001-of-00002.gguf");
  // "Q4_K" is not "Q4_K_M", "Q4_XS" is not "IQ4_XS".
  assert_int_equal(ink_hub_choose_gguf("a/b", paths, N, "Q4_K", &index, &error), INK_ERR_NOT_FOUND);
  assert_int_equal(ink_hub_choose_gguf("a/b", paths, N, "4_XS", &index, &error), INK_ERR_NOT_FOUND);
  assert_int_equal(ink_hub_choose_gguf("a/b", paths, N, "Q6_K", &index, &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "m-Q4_K_S.gguf"));
  // Without Q4_K_M it is Q8_0; without both the only one; of several others the user is asked.
  assert_ok(ink_hub_choose_gguf("a/b", paths + 5, 2, "", &index, &error));
  assert_int_equal(index, 1);
  assert_ok(ink_hub_choose_gguf("a/b", paths, 2, "", &index, &error));
  assert_int_equal(index, 1);
  assert_int_equal(ink_hub_choose_gguf("a/b", paths, 3, "", &index, &error), INK_ERR_NOT_FOUND);
  assert_ok(ink_hub_choose_gguf("a/b", paths, 1, "", &index, &error));
  assert_int_equal(index, 1);  // none at all
}

static void make_repo(void) {
  ink_error error = {0};
  const char *blob = in_scratch("hub/models--Org--Repo/blobs/abc");
  save(blob, "weights");
  save(in_scratch("hub/models--Org--Repo/blobs/def.incomplete"), "half");
  save(in_scratch("hub/models--Org--Repo/refs/main"), COMMIT);
  assert_ok(ink_folder_make(in_scratch("hub/models--Org--Repo/snapshots/" COMMIT "/sub"), &error));
  assert_int_equal(symlink("../../blobs/abc", in_scratch("hub/models--Org--Repo/snapshots/" COMMIT
                                                         "/model.safetensors")),
                   0);
  assert_int_equal(
      symlink("../../../blobs/abc",
              in_scratch("hub/models--Org--Repo/snapshots/" COMMIT "/sub/model-Q8_0.gguf")),
      0);
  save(in_scratch("hub/.locks/models--Org--Repo/abc.lock"), "");
  save(in_scratch("hub/version.txt"), "1");
  save(in_scratch("hub/models--no-repo/x"), "");
}

static void models_are_found_by_path_by_name_and_in_the_cache(void **state) {
  (void)state;
  char *path;
  ink_error error = {0};
  make_repo();
  save(in_scratch("shipped/poet/model.safetensors"), "");
  save(in_scratch("own/model.gguf"), "");

  assert_ok(ink_model_resolve(in_scratch("own/model.gguf"), &path, &error));
  assert_string_equal(path, in_scratch("own/model.gguf"));
  free(path);
  assert_ok(ink_model_resolve("poet", &path, &error));
  assert_string_equal(path, in_scratch("shipped/poet"));
  free(path);
  assert_ok(ink_model_resolve("Org/Repo", &path, &error));
  assert_string_equal(path, in_scratch("hub/models--Org--Repo/snapshots/" COMMIT));
  free(path);
  assert_ok(ink_model_resolve("hf://Org/Repo:q8_0@" COMMIT, &path, &error));
  assert_string_equal(path,
                      in_scratch("hub/models--Org--Repo/snapshots/" COMMIT "/sub/model-Q8_0.gguf"));
  free(path);

  assert_int_equal(ink_model_resolve("painter", &path, &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, scratch));
  assert_int_equal(ink_model_resolve("Org/Other", &path, &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "model pull Org/Other"));
  assert_int_equal(ink_model_resolve("Org/Repo@" OTHER, &path, &error), INK_ERR_NOT_FOUND);
  assert_int_equal(ink_model_resolve("Org/Repo:Q2_K", &path, &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "Q8_0"));
  assert_int_equal(ink_model_resolve("../../etc", &path, &error), INK_ERR_NOT_FOUND);
  assert_int_equal(ink_model_resolve("", &path, &error), INK_ERR_NOT_FOUND);
}

static void the_list_tells_size_commit_and_what_is_unfinished(void **state) {
  (void)state;
  ink_hub_model *models;
  size_t n;
  ink_error error = {0};
  assert_ok(ink_hub_list(&models, &n, &error));
  assert_int_equal(n, 1);
  assert_string_equal(models[0].repo, "Org/Repo");
  assert_string_equal(models[0].commit, COMMIT);
  assert_int_equal(models[0].bytes, 11);
  assert_int_equal(models[0].incomplete, 1);
  assert_string_equal(models[0].path, in_scratch("hub/models--Org--Repo/snapshots/" COMMIT));
  ink_hub_list_free(models, n);
  setenv("HF_HUB_CACHE", in_scratch("nothing"), 1);
  assert_ok(ink_hub_list(&models, &n, &error));
  assert_int_equal(n, 0);
  setenv("HF_HUB_CACHE", in_scratch("hub"), 1);
}

static void removing_frees_the_repository_and_follows_no_link(void **state) {
  (void)state;
  uint64_t bytes;
  ink_error error = {0};
  save(in_scratch("outside/precious"), "keep me");
  assert_int_equal(symlink(in_scratch("outside"), in_scratch("hub/models--Org--Repo/link")), 0);

  const char *lock = in_scratch("hub/.locks/models--Org--Repo/inkstone-pull.lock");
  save(lock, "");
  int held = open(lock, O_RDWR);
  assert_int_equal(flock(held, LOCK_EX), 0);
  assert_int_equal(ink_hub_remove("Org/Repo", &bytes, &error), INK_ERR_CONFLICT);
  assert_true(ink_file_exists(in_scratch("hub/models--Org--Repo/blobs/abc")));
  close(held);

  assert_ok(ink_hub_remove("Org/Repo", &bytes, &error));
  assert_int_equal(bytes, 11 + 40);
  assert_false(ink_file_exists(in_scratch("hub/models--Org--Repo")));
  assert_false(ink_file_exists(in_scratch("hub/.locks/models--Org--Repo")));
  assert_true(ink_file_exists(in_scratch("outside/precious")));
  assert_true(ink_file_exists(in_scratch("hub/version.txt")));
  assert_int_equal(ink_hub_remove("Org/Repo", &bytes, &error), INK_ERR_NOT_FOUND);
  assert_int_equal(ink_hub_remove("..", &bytes, &error), INK_ERR_USAGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(references_are_taken_apart),
      cmocka_unit_test(references_that_could_leave_the_cache_are_refused),
      cmocka_unit_test(the_cache_lies_where_the_environment_says),
      cmocka_unit_test(the_gguf_is_chosen_by_the_word_in_its_name),
      cmocka_unit_test(models_are_found_by_path_by_name_and_in_the_cache),
      cmocka_unit_test(the_list_tells_size_commit_and_what_is_unfinished),
      cmocka_unit_test(removing_frees_the_repository_and_follows_no_link),
  };
  return cmocka_run_group_tests_name("cache", tests, set_up, scratch_close);
}
