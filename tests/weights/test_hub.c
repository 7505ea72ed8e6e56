// Pulling from a hub: a small server on this machine behaves and misbehaves, the cache is looked at
// afterwards.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/hash.h"
#include "hub_server.h"
#include "scratch.h"
#include "weights/cache.h"

#define OTHER_COMMIT "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"
enum { BIG = 300000 };

static unsigned char big[BIG];
static const char config[] = "{\"model_type\": \"none\"}\n";

typedef struct bench {
  hub_server hub;
  char *folder;
} bench;

static const char *inside(const bench *b, const char *format, ...) INK_PRINTF(2, 3);
static const char *inside(const bench *b, const char *format, ...) {
  static char ring[8][1000];
  static int next;
  char *path = ring[next++ % 8];
  int n = snprintf(path, sizeof ring[0], "%s/", b->folder);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(path + n, sizeof ring[0] - (size_t)n, format, arguments);
  va_end(arguments);
  return path;
}

static hub_file *serve(bench *b, const char *path, const void *bytes, size_t size, bool lfs) {
  ink_error error = {0};
  hub_file *f = &b->hub.files[b->hub.n_files++];
  *f = (hub_file){.path = path, .bytes = bytes, .size = size, .lfs = lfs, .announced = size};
  if (lfs) {
    assert_ok(ink_sha256_of(bytes, size, f->etag, &error));
  } else {
    const char *copy = inside(b, "to-hash");
    assert_ok(ink_file_save(copy, bytes, size, &error));
    assert_ok(ink_git_blob_file(copy, f->etag, &error));
    unlink(copy);
  }
  return f;
}

static int open_bench(void **state) {
  static const char *const variables[] = {
      "HF_TOKEN",   "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_CACHE",
      "http_proxy", "all_proxy",     "ALL_PROXY",      "XDG_CACHE_HOME"};
  char endpoint[64];
  bench *b = calloc(1, sizeof *b);
  b->folder = scratch_make();
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) unsetenv(variables[i]);
  setenv("no_proxy", "*", 1);
  setenv("HF_HOME", b->folder, 1);
  b->hub.repo = "Org/Repo";
  hub_start(&b->hub);
  snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d/", b->hub.port);
  setenv("HF_ENDPOINT", endpoint, 1);
  uint32_t x = 1;
  for (size_t i = 0; i < BIG; i++) big[i] = (unsigned char)((x = x * 1664525u + 1013904223u) >> 24);
  serve(b, "config.json", config, sizeof config - 1, false);
  serve(b, "model.safetensors", big, BIG, true);
  *state = b;
  return 0;
}

static int close_bench(void **state) {
  bench *b = *state;
  hub_stop(&b->hub);
  scratch_remove(b->folder);
  free(b->folder);
  free(b);
  return 0;
}

static ink_status pull_with(const ink_hub_options *given, const char *reference, ink_error *error) {
  ink_hub_options options = given ? *given : (ink_hub_options){0};
  char *path;
  if (!options.backoff_ms) options.backoff_ms = 1;
  if (!options.retries) options.retries = 2;
  *error = (ink_error){0};
  ink_status status = ink_hub_pull(reference, &options, &path, error);
  free(path);
  return status;
}

static ink_status pull(const char *reference, ink_error *error) {
  return pull_with(NULL, reference, error);
}

static void assert_content(const char *path, const void *bytes, size_t size) {
  ink_error error = {0};
  char *got;
  size_t n;
  assert_ok(ink_file_read(path, 1 << 24, &got, &n, &error));
  assert_int_equal(n, size);
  assert_memory_equal(got, bytes, size);
  free(got);
}

// How often a text is in the log of requests.
static int asked(bench *b, const char *text) {
  int n = 0;
  pthread_mutex_lock(&b->hub.lock);
  for (const char *at = ink_text_string(&b->hub.log); (at = strstr(at, text)); at++) n++;
  pthread_mutex_unlock(&b->hub.lock);
  return n;
}

#define REPO "hub/models--Org--Repo"

static void assert_linked(const bench *b, const char *name, const char *target) {
  char got[400];
  ssize_t n = readlink(inside(b, REPO "/snapshots/" HUB_COMMIT "/%s", name), got, sizeof got - 1);
  assert_true(n > 0);
  got[n] = 0;
  assert_string_equal(got, target);
}

static void assert_not_linked(const bench *b) {
  assert_false(ink_file_exists(inside(b, REPO "/refs/main")));
  assert_false(ink_file_exists(inside(b, REPO "/snapshots")));
}

static void files_lie_as_other_programs_look_for_them(void **state) {
  bench *b = *state;
  ink_error error = {0};
  char target[200], *path;
  serve(b, "README.md", "# a card\n", 9, false);
  serve(b, "pytorch_model.bin", big, 10, true);
  serve(b, "onnx/model.onnx", big, 11, true);
  serve(b, "training.log", "x", 1, false);
  b->hub.redirects = true;
  assert_ok(ink_hub_pull("Org/Repo", NULL, &path, &error));
  assert_string_equal(path, inside(b, REPO "/snapshots/" HUB_COMMIT));
  free(path);
  assert_content(inside(b, REPO "/refs/main"), HUB_COMMIT, 40);
  snprintf(target, sizeof target, "../../blobs/%s", b->hub.files[1].etag);
  assert_linked(b, "model.safetensors", target);
  snprintf(target, sizeof target, "../../blobs/%s", b->hub.files[0].etag);
  assert_linked(b, "config.json", target);
  assert_content(inside(b, REPO "/snapshots/" HUB_COMMIT "/model.safetensors"), big, BIG);
  assert_content(inside(b, REPO "/snapshots/" HUB_COMMIT "/config.json"), config,
                 sizeof config - 1);
  assert_content(inside(b, REPO "/snapshots/" HUB_COMMIT "/README.md"), "# a card\n", 9);
  assert_true(ink_file_exists(inside(b, "hub/CACHEDIR.TAG")));
  assert_true(
      ink_file_exists(inside(b, "hub/.locks/models--Org--Repo/%s.lock", b->hub.files[1].etag)));
  char **names;
  size_t n;
  assert_ok(ink_folder_walk(inside(b, REPO), &names, &n, &error));
  assert_int_equal(n, 3 + 3 + 1);  // blobs, links, main: nothing else was taken
  ink_walk_free(names, n);
}

static void files_of_a_pipeline_keep_their_folders(void **state) {
  bench *b = *state;
  ink_error error = {0};
  char target[200], *path;
  b->hub.n_files = 0;
  serve(b, "model_index.json", "{}", 2, false);
  serve(b, "unet/config.json", "{\"a\": 1}", 8, false);
  hub_file *weights = serve(b, "unet/diffusion_pytorch_model.safetensors", big, 100, true);
  serve(b, "unet/diffusion_pytorch_model.fp16.safetensors", big, 50, true);
  serve(b, "v1-5.ckpt", big, 20, true);
  assert_ok(ink_hub_pull("Org/Repo", NULL, &path, &error));
  assert_string_equal(path, inside(b, REPO "/snapshots/" HUB_COMMIT));
  free(path);
  snprintf(target, sizeof target, "../../../blobs/%s", weights->etag);
  assert_linked(b, "unet/diffusion_pytorch_model.safetensors", target);
  assert_int_equal(asked(b, "fp16"), 0);
  assert_int_equal(asked(b, "ckpt"), 0);
}

static void a_second_pull_fetches_nothing(void **state) {
  bench *b = *state;
  ink_error error;
  assert_ok(pull("Org/Repo", &error));
  int before = asked(b, "GET /Org/Repo/resolve");
  assert_int_equal(before, 2);
  assert_ok(pull("Org/Repo@" HUB_COMMIT, &error));
  assert_int_equal(asked(b, "GET /Org/Repo/resolve"), before);
}

// What a single file of Stable Diffusion needs of CLIP, without its 1.7 GB of weights.
static void files_asked_for_by_name_come_alone(void **state) {
  bench *b = *state;
  ink_error error = {0};
  char *path;
  serve(b, "vocab.json", "{\"a\": 0}", 8, false);
  serve(b, "merges.txt", "a b\n", 4, false);
  serve(b, "onnx/vocab.json", "{}", 2, false);
  static const char *const two[] = {"vocab.json", "merges.txt"}, *const wrong[] = {"*.json", "no*"},
                           *const folder[] = {"onnx/"}, *const any[] = {"*.json"};
  ink_hub_options options = {.include = two, .n_include = 2};
  assert_ok(ink_hub_pull("Org/Repo", &options, &path, &error));
  assert_string_equal(path, inside(b, REPO "/snapshots/" HUB_COMMIT));
  assert_content(inside(b, REPO "/snapshots/" HUB_COMMIT "/vocab.json"), "{\"a\": 0}", 8);
  assert_content(inside(b, REPO "/snapshots/" HUB_COMMIT "/merges.txt"), "a b\n", 4);
  free(path);
  assert_int_equal(asked(b, "GET /Org/Repo/resolve"), 2);
  assert_int_equal(asked(b, "model.safetensors"), 0);
  // Offline they are there, and others are not.
  setenv("HF_HUB_OFFLINE", "1", 1);
  assert_ok(pull_with(&options, "Org/Repo", &error));
  options = (ink_hub_options){.include = folder, .n_include = 1};
  assert_int_equal(pull_with(&options, "Org/Repo", &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "onnx/"));
  unsetenv("HF_HUB_OFFLINE");
  // A folder; a star, which crosses folders; a pattern that names nothing, with what there is.
  assert_ok(pull_with(&options, "Org/Repo", &error));
  assert_int_equal(asked(b, "GET /Org/Repo/resolve"), 3);
  assert_int_equal(asked(b, "GET /Org/Repo/resolve/" HUB_COMMIT "/onnx/vocab.json"), 1);
  options = (ink_hub_options){.include = any, .n_include = 1};
  assert_ok(pull_with(&options, "Org/Repo", &error));
  assert_int_equal(asked(b, "GET /Org/Repo/resolve/" HUB_COMMIT "/config.json"), 1);
  options = (ink_hub_options){.include = wrong, .n_include = 2};
  assert_int_equal(pull_with(&options, "Org/Repo", &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "\"no*\"; there are config.json, merges.txt"));
  assert_int_equal(pull_with(&options, "Org/Repo:Q8_0", &error), INK_ERR_USAGE);
  // The weights come with the next pull, and what is there is not asked for again.
  int before = asked(b, "GET /Org/Repo/resolve");
  assert_ok(pull("Org/Repo", &error));
  assert_int_equal(asked(b, "GET /Org/Repo/resolve"), before + 1);
}

static void the_quantisation_named_is_taken_with_all_its_parts(void **state) {
  bench *b = *state;
  ink_error error = {0};
  char *path;
  b->hub.n_files = 0;
  serve(b, "m-Q8_0.gguf", big, 10, true);
  serve(b, "m-Q4_K_M-00001-of-00002.gguf", big, 20, true);
  serve(b, "m-Q4_K_M-00002-of-00002.gguf", big, 30, true);
  serve(b, "mmproj-Q4_K_M.gguf", big, 40, true);
  assert_ok(ink_hub_pull("Org/Repo:q4_k_m", NULL, &path, &error));
  assert_string_equal(path,
                      inside(b, REPO "/snapshots/" HUB_COMMIT "/m-Q4_K_M-00001-of-00002.gguf"));
  free(path);
  assert_int_equal(asked(b, "GET /Org/Repo/resolve"), 2);
  assert_true(
      ink_file_exists(inside(b, REPO "/snapshots/" HUB_COMMIT "/m-Q4_K_M-00002-of-00002.gguf")));
  assert_int_equal(pull("Org/Repo:Q2_K", &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "m-Q8_0.gguf"));
  b->hub.n_files = 2;  // a part is missing
  assert_int_equal(pull("Org/Repo", &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "parts"));
  b->hub.n_files = 0;
  serve(b, "pytorch_model.bin", big, 10, true);
  assert_int_equal(pull("Org/Repo", &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "neither safetensors nor GGUF"));
}

static void cut_connections_go_on_where_they_ended(void **state) {
  bench *b = *state;
  ink_error error;
  b->hub.redirects = true;
  b->hub.cuts = 9;  // more than there are retries: each brings something
  b->hub.cut_at = 30000;
  assert_ok(pull("Org/Repo", &error));
  assert_content(inside(b, REPO "/snapshots/" HUB_COMMIT "/model.safetensors"), big, BIG);
  assert_int_equal(asked(b, "range=30000\n"), 2);  // to the hub and to the other host
  assert_int_equal(asked(b, "range=270000\n"), 2);
}

static void without_progress_it_gives_up_after_the_retries(void **state) {
  bench *b = *state;
  ink_error error;
  b->hub.cuts = 1000;
  b->hub.cut_at = 0;
  assert_int_equal(pull("Org/Repo", &error), INK_ERR_NETWORK);
  assert_non_null(strstr(error.text, "127.0.0.1"));
  assert_int_equal(asked(b, "GET /Org/Repo/resolve"), 3);
  assert_not_linked(b);
}

static void a_hub_without_ranges_is_asked_from_the_beginning(void **state) {
  bench *b = *state;
  ink_error error;
  b->hub.no_ranges = true;
  b->hub.cuts = 2;
  b->hub.cut_at = 100000;
  assert_ok(pull("Org/Repo", &error));
  assert_content(inside(b, REPO "/snapshots/" HUB_COMMIT "/model.safetensors"), big, BIG);
}

static void another_part_than_was_asked_for_is_refused(void **state) {
  bench *b = *state;
  ink_error error;
  b->hub.wrong_range = true;
  b->hub.cuts = 1;
  b->hub.cut_at = 100000;
  assert_int_equal(pull("Org/Repo", &error), INK_ERR_NETWORK);
  assert_non_null(strstr(error.text, "another part"));
  assert_not_linked(b);
}

static void a_transfer_that_stands_still_is_tried_again(void **state) {
  bench *b = *state;
  ink_error error;
  b->hub.stalls = 1;
  b->hub.files[0].size = b->hub.files[0].announced;
  ink_hub_options options = {.stall_seconds = 1};
  assert_ok(pull_with(&options, "Org/Repo", &error));
  assert_content(inside(b, REPO "/snapshots/" HUB_COMMIT "/model.safetensors"), big, BIG);
}

typedef struct limited {
  int64_t most;
} limited;

static bool stop_at(void *context, int64_t done, int64_t total, const char *state) {
  (void)total, (void)state;
  return done < ((const limited *)context)->most;
}

static void a_cancelled_pull_is_resumed_by_the_next(void **state) {
  bench *b = *state;
  ink_error error;
  limited limit = {100000};
  ink_progress progress = {stop_at, &limit};
  ink_hub_options options = {.progress = &progress};
  // The listener is asked between pieces: the cut makes sure that it is asked in the middle.
  b->hub.cuts = 1;
  b->hub.cut_at = 200000;
  assert_int_equal(pull_with(&options, "Org/Repo", &error), INK_ERR_CANCELLED);
  assert_not_linked(b);
  struct stat info;
  assert_int_equal(stat(inside(b, REPO "/blobs/%s.incomplete", b->hub.files[1].etag), &info), 0);
  assert_true(info.st_size >= 100000);
  ink_hub_model *models;
  size_t n;
  assert_ok(ink_hub_list(&models, &n, &error));
  assert_int_equal(n, 1);
  assert_int_equal(models[0].incomplete, 1);
  ink_hub_list_free(models, n);
  char range[40];
  snprintf(range, sizeof range, "range=%lld\n", (long long)info.st_size);
  assert_ok(pull("Org/Repo", &error));
  assert_int_equal(asked(b, range), 1);
  assert_content(inside(b, REPO "/snapshots/" HUB_COMMIT "/model.safetensors"), big, BIG);
}

static void content_of_another_hash_is_thrown_away(void **state) {
  bench *b = *state;
  ink_error error;
  static unsigned char other[BIG];
  memcpy(other, big, BIG);
  other[BIG - 1] ^= 1;
  b->hub.files[1].bytes = other;
  assert_int_equal(pull("Org/Repo", &error), INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "hash"));
  assert_not_linked(b);
  assert_false(ink_file_exists(inside(b, REPO "/blobs/%s.incomplete", b->hub.files[1].etag)));
  assert_false(ink_file_exists(inside(b, REPO "/blobs/%s", b->hub.files[1].etag)));
  // A beginning from elsewhere is found out as well.
  b->hub.files[1].bytes = big;
  assert_ok(ink_file_save(inside(b, REPO "/blobs/%s.incomplete", b->hub.files[1].etag), other + 1,
                          5000, &error));
  assert_int_equal(pull("Org/Repo", &error), INK_ERR_CONFLICT);
  assert_ok(pull("Org/Repo", &error));
  assert_content(inside(b, REPO "/snapshots/" HUB_COMMIT "/model.safetensors"), big, BIG);
}

static void small_files_are_held_against_their_id_in_git(void **state) {
  bench *b = *state;
  ink_error error;
  b->hub.files[0].bytes = (const unsigned char *)"{\"model_type\": \"evil\"}\n";
  assert_int_equal(pull("Org/Repo", &error), INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "config.json"));
  assert_not_linked(b);
}

static void more_or_less_than_announced_is_refused(void **state) {
  bench *b = *state;
  ink_error error;
  b->hub.extra = 1;
  assert_int_equal(pull("Org/Repo", &error), INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "announced"));
  b->hub.extra = 0;
  b->hub.files[1].size = BIG - 1;
  assert_int_equal(pull("Org/Repo", &error), INK_ERR_NETWORK);
  assert_non_null(strstr(error.text, "model.safetensors"));
  assert_not_linked(b);
}

static void the_token_goes_to_the_endpoint_alone(void **state) {
  bench *b = *state;
  ink_error error;
  b->hub.token = "hf_secret";
  b->hub.redirects = b->hub.listing_moved = true;
  assert_int_equal(pull("Org/Repo", &error), INK_ERR_NETWORK);
  assert_non_null(strstr(error.text, "HF_TOKEN"));
  setenv("HF_TOKEN", " hf_secret\n", 1);
  assert_ok(pull("Org/Repo", &error));
  assert_int_equal(asked(b, "host=localhost"), 2);  // listing and content
  for (const char *at = ink_text_string(&b->hub.log); (at = strstr(at, "host=localhost"));) {
    at = strchr(at, ' ');
    assert_int_equal(strncmp(at, " token= range", 13), 0);
  }
  assert_true(asked(b, "token=Bearer hf_secret") >= 4);
  setenv("HF_TOKEN", "two words", 1);
  assert_int_equal(pull("Org/Repo", &error), INK_ERR_USAGE);
  assert_null(strstr(error.text, "two words"));
  unsetenv("HF_TOKEN");
}

static void the_token_file_is_read(void **state) {
  bench *b = *state;
  ink_error error;
  b->hub.token = "hf_file";
  assert_ok(ink_file_save(inside(b, "token"), "hf_file\n", 8, &error));
  assert_ok(pull("Org/Repo", &error));
  setenv("HF_TOKEN_PATH", inside(b, "elsewhere"), 1);
  assert_int_equal(pull("Org/Repo", &error), INK_ERR_NETWORK);
  assert_ok(ink_file_save(inside(b, "elsewhere"), "hf_file", 7, &error));
  assert_ok(pull("Org/Repo", &error));
  unsetenv("HF_TOKEN_PATH");
}

static void refusals_say_what_to_do(void **state) {
  static const struct {
    int status;
    const char *code, *words;
    ink_status expected;
    int tries;
  } cases[] = {
      {401, NULL, "set HF_TOKEN", INK_ERR_NETWORK, 1},
      {401, "RepoNotFound", "no such repository", INK_ERR_NOT_FOUND, 1},
      {403, "GatedRepo", "terms", INK_ERR_NETWORK, 1},
      {404, NULL, "no such repository", INK_ERR_NOT_FOUND, 1},
      {404, "RevisionNotFound", "no such revision", INK_ERR_NOT_FOUND, 1},
      {418, NULL, "HTTP 418", INK_ERR_NETWORK, 1},
      {429, NULL, "too many requests", INK_ERR_NETWORK, 3},
      {503, NULL, "try again later", INK_ERR_NETWORK, 3},
  };
  bench *b = *state;
  ink_error error;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int before = b->hub.n_requests;
    b->hub.fail_status = cases[i].status;
    b->hub.fail_code = cases[i].code;
    b->hub.failures = 1000;
    assert_int_equal(pull("Org/Repo", &error), cases[i].expected);
    if (!strstr(error.text, cases[i].words) || !strstr(error.text, "Org/Repo")) {
      fail_msg("HTTP %d: %s", cases[i].status, error.text);
    }
    assert_int_equal(b->hub.n_requests - before, cases[i].tries);
  }
  assert_false(ink_file_exists(inside(b, "hub")));
}

static void passing_failures_are_waited_out(void **state) {
  bench *b = *state;
  ink_error error;
  b->hub.fail_status = 503;
  b->hub.failures = 2;
  assert_ok(pull("Org/Repo", &error));
  // As long as the hub asks for.
  scratch_remove(inside(b, "hub"));
  b->hub.fail_status = 429;
  b->hub.fail_path = "resolve";
  b->hub.failures = 1;
  b->hub.retry_after = 1;
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  assert_ok(pull("Org/Repo", &error));
  clock_gettime(CLOCK_MONOTONIC, &end);
  double seconds =
      (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
  assert_true(seconds >= 1);
}

static void redirects_without_end_are_left(void **state) {
  bench *b = *state;
  ink_error error;
  b->hub.loops = true;
  assert_int_equal(pull("Org/Repo", &error), INK_ERR_NETWORK);
  assert_non_null(strstr(error.text, "without end"));
  assert_true(b->hub.n_requests < 40);
}

static void names_that_would_leave_the_cache_are_not_written(void **state) {
  bench *b = *state;
  ink_error error;
  static const char *const names[] = {"../../../evil.safetensors",
                                      "/tmp/evil.safetensors",
                                      ".git/config.json",
                                      "a/../../../evil.json",
                                      "a\\\\evil.json",
                                      "evil\\u0000.json",
                                      "evil\\n.json",
                                      "",
                                      "x//evil.json",
                                      "./evil.json"};
  ink_text listing = {0};
  ink_text_format(&listing, "{\"sha\":\"%s\",\"siblings\":[", HUB_COMMIT);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (i == 5) continue;  // JSON with a NUL is refused whole, below
    ink_text_format(&listing, "{\"rfilename\":\"%s\",\"size\":1},", names[i]);
  }
  ink_text_format(&listing, "{\"rfilename\":\"model.safetensors\",\"size\":%d}]}", BIG);
  b->hub.listing = ink_text_string(&listing);
  assert_ok(pull("Org/Repo", &error));
  char **found;
  size_t n;
  assert_ok(ink_folder_walk(b->folder, &found, &n, &error));
  for (size_t i = 0; i < n; i++) assert_null(strstr(found[i], "evil"));
  ink_walk_free(found, n);
  assert_false(ink_file_exists("/tmp/evil.safetensors"));
  assert_int_equal(asked(b, "evil"), 0);
  ink_text_free(&listing);
}

static void listings_that_contradict_themselves_are_refused(void **state) {
#define ONE(file) "{\"sha\":\"" HUB_COMMIT "\",\"siblings\":[" file "]}"
#define MODEL "\"rfilename\":\"model.safetensors\""
  static const struct {
    const char *listing;
    ink_status expected;
  } cases[] = {
      {"", INK_ERR_FORMAT},
      {"[]", INK_ERR_FORMAT},
      {"{\"siblings\":[]}", INK_ERR_FORMAT},
      {"{\"sha\":\"../../x\",\"siblings\":[]}", INK_ERR_FORMAT},
      {"{\"sha\":\"" HUB_COMMIT "\",\"siblings\":{}}", INK_ERR_FORMAT},
      {ONE("7"), INK_ERR_FORMAT},
      {ONE("{}"), INK_ERR_FORMAT},
      {ONE("{" MODEL ",\"size\":-1}"), INK_ERR_FORMAT},
      {ONE("{" MODEL ",\"size\":1e300}"), INK_ERR_FORMAT},
      {ONE("{" MODEL ",\"size\":\"1\"}"), INK_ERR_FORMAT},
      {ONE("{" MODEL ",\"lfs\":{\"sha256\":\"../../x\"}}"), INK_ERR_FORMAT},
      {ONE("{" MODEL ",\"blobId\":\"x\"}"), INK_ERR_FORMAT},
      {ONE("{" MODEL "},{" MODEL "}"), INK_ERR_FORMAT},
      {ONE("{\"rfilename\":\"a\\u0000b.json\"}"), INK_ERR_FORMAT},
      {ONE("{" MODEL ",\"size\":5}"), INK_ERR_CONFLICT},
      {ONE("{" MODEL ",\"lfs\":{\"sha256\":"
           "\"0000000000000000000000000000000000000000000000000000000000000000\"}}"),
       INK_ERR_CONFLICT},
      {ONE(""), INK_ERR_NOT_FOUND},
  };
  bench *b = *state;
  ink_error error;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    b->hub.listing = cases[i].listing;
    ink_status status = pull("Org/Repo", &error);
    if (status != cases[i].expected) {
      fail_msg("%s: %s (%s)", cases[i].listing, ink_status_name(status), error.text);
    }
  }
  b->hub.listing = NULL;
  assert_int_equal(pull("Org/Repo@" OTHER_COMMIT, &error), INK_ERR_CONFLICT);
  assert_not_linked(b);
}

static void etags_that_are_no_names_are_refused(void **state) {
  bench *b = *state;
  ink_error error;
  b->hub.listing = ONE("{" MODEL "}");
  static const char *const etags[] = {"../../../evil", "", "a b", "a/b"};
  for (size_t i = 0; i < sizeof etags / sizeof *etags; i++) {
    snprintf(b->hub.files[1].etag, sizeof b->hub.files[1].etag, "%s", etags[i]);
    assert_int_equal(pull("Org/Repo", &error), INK_ERR_FORMAT);
    assert_non_null(strstr(error.text, "ETag"));
  }
}

static void offline_the_cache_alone_answers(void **state) {
  bench *b = *state;
  ink_error error;
  setenv("HF_HUB_OFFLINE", "1", 1);
  assert_int_equal(pull("Org/Repo", &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "HF_HUB_OFFLINE"));
  assert_int_equal(b->hub.n_requests, 0);
  setenv("HF_HUB_OFFLINE", "0", 1);
  assert_ok(pull("Org/Repo", &error));
  int before = b->hub.n_requests;
  setenv("HF_HUB_OFFLINE", "true", 1);
  assert_ok(pull("Org/Repo", &error));
  assert_int_equal(b->hub.n_requests, before);
}

typedef struct waiting {
  atomic_int asked;
  int lock;
} waiting;

static bool release_after_a_while(void *context, int64_t done, int64_t total, const char *state) {
  (void)done, (void)total;
  waiting *w = context;
  if (state && strstr(state, "another") && ++w->asked == 3) close(w->lock);
  return true;
}

static void a_second_pull_waits_for_the_first(void **state) {
  bench *b = *state;
  ink_error error;
  assert_ok(ink_folder_make(inside(b, "hub/.locks/models--Org--Repo"), &error));
  waiting w = {.lock = open(inside(b, "hub/.locks/models--Org--Repo/inkstone-pull.lock"),
                            O_RDWR | O_CREAT, 0666)};
  assert_int_equal(flock(w.lock, LOCK_EX), 0);
  ink_progress progress = {release_after_a_while, &w};
  ink_hub_options options = {.progress = &progress};
  assert_ok(pull_with(&options, "Org/Repo", &error));
  assert_int_equal(w.asked, 3);
}

static void a_full_disk_is_named_and_what_came_is_kept(void **state) {
  bench *b = *state;
  ink_error error;
  struct rlimit before, small = {.rlim_cur = 100000};
  signal(SIGXFSZ, SIG_IGN);
  getrlimit(RLIMIT_FSIZE, &before);
  small.rlim_max = before.rlim_max;
  setrlimit(RLIMIT_FSIZE, &small);
  ink_status status = pull("Org/Repo", &error);
  setrlimit(RLIMIT_FSIZE, &before);
  assert_int_equal(status, INK_ERR_IO);
  assert_non_null(strstr(error.text, "free some space"));
  assert_not_linked(b);
  assert_ok(pull("Org/Repo", &error));
  assert_int_equal(asked(b, "range=100000\n"), 1);
  // Far more than any disk has: told before the first byte is asked for.
  b->hub.listing = ONE("{" MODEL ",\"size\":4000000000000000}");
  b->hub.files[1].announced = 4000000000000000;
  memset(b->hub.files[1].etag, 'e', 64);
  int fetched = asked(b, "GET /Org/Repo/resolve");
  assert_int_equal(pull("Org/Repo", &error), INK_ERR_IO);
  assert_non_null(strstr(error.text, "too full"));
  assert_int_equal(asked(b, "GET /Org/Repo/resolve"), fetched);
}

static void endpoints_that_are_no_web_addresses_are_refused(void **state) {
  (void)state;
  ink_error error;
  static const char *const wrong[] = {"ftp://127.0.0.1", "file:///etc", "nonsense://", "://"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    setenv("HF_ENDPOINT", wrong[i], 1);
    assert_int_equal(pull("Org/Repo", &error), INK_ERR_USAGE);
    assert_non_null(strstr(error.text, "HF_ENDPOINT"));
  }
}

int main(void) {
#define WITH_HUB(test) cmocka_unit_test_setup_teardown(test, open_bench, close_bench)
  const struct CMUnitTest tests[] = {
      WITH_HUB(files_lie_as_other_programs_look_for_them),
      WITH_HUB(files_of_a_pipeline_keep_their_folders),
      WITH_HUB(a_second_pull_fetches_nothing),
      WITH_HUB(files_asked_for_by_name_come_alone),
      WITH_HUB(the_quantisation_named_is_taken_with_all_its_parts),
      WITH_HUB(cut_connections_go_on_where_they_ended),
      WITH_HUB(without_progress_it_gives_up_after_the_retries),
      WITH_HUB(a_hub_without_ranges_is_asked_from_the_beginning),
      WITH_HUB(another_part_than_was_asked_for_is_refused),
      WITH_HUB(a_transfer_that_stands_still_is_tried_again),
      WITH_HUB(a_cancelled_pull_is_resumed_by_the_next),
      WITH_HUB(content_of_another_hash_is_thrown_away),
      WITH_HUB(small_files_are_held_against_their_id_in_git),
      WITH_HUB(more_or_less_than_announced_is_refused),
      WITH_HUB(the_token_goes_to_the_endpoint_alone),
      WITH_HUB(the_token_file_is_read),
      WITH_HUB(refusals_say_what_to_do),
      WITH_HUB(passing_failures_are_waited_out),
      WITH_HUB(redirects_without_end_are_left),
      WITH_HUB(names_that_would_leave_the_cache_are_not_written),
      WITH_HUB(listings_that_contradict_themselves_are_refused),
      WITH_HUB(etags_that_are_no_names_are_refused),
      WITH_HUB(offline_the_cache_alone_answers),
      WITH_HUB(a_second_pull_waits_for_the_first),
      WITH_HUB(a_full_disk_is_named_and_what_came_is_kept),
      WITH_HUB(endpoints_that_are_no_web_addresses_are_refused),
  };
  return cmocka_run_group_tests_name("hub", tests, NULL, NULL);
}
