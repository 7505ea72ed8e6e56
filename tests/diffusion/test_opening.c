// Single files: where their vocabulary comes from, and what their UNet predicts.
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "diffusion/pipeline_parts.h"
#include "scratch.h"
#include "testing.h"

#define COMMIT "1111111111111111111111111111111111111111"

static int set_up(void **state) {
  return scratch_open(state) || setenv("HF_HUB_CACHE", scratch, 1);
}

static void shell(const char *format, const char *what) {
  char command[8192];
  int n = snprintf(command, sizeof command, "cd '%s' && ", scratch);
  snprintf(command + n, sizeof command - (size_t)n, format, what);
  assert_int_equal(system(command), 0);
}

// A model whose text encoder came, as it were, from a single file in the scratch folder.
static ink_stable_diffusion *single_file(void) {
  ink_error error = {0};
  ink_stable_diffusion *sd;
  assert_ok(ink_stable_diffusion_open(fixture_path("pipelines/sd1"), &sd, &error));
  free(sd->path);
  free(sd->texts[0].tokenizer);
  json_decref(sd->scheduler);
  sd->path = strdup(in_scratch("model.safetensors"));
  sd->texts[0].tokenizer = NULL;
  sd->scheduler = NULL;
  return sd;
}

static void a_single_file_finds_its_vocabulary_beside_it_or_in_the_cache(void **state) {
  (void)state;
  ink_error error = {0};
  ink_stable_diffusion *sd = single_file();
  ink_tokenizer *tokenizer;
  assert_int_equal(ink_paint_open_tokenizer(sd, 0, &tokenizer, &error), INK_ERR_NOT_FOUND);
  assert_null(tokenizer);
  assert_non_null(strstr(error.text, "inkstone model pull openai/clip-vit-large-patch14"));
  assert_non_null(strstr(error.text, scratch));

  // A repository with another vocabulary is of no use; one with the right one is.
  shell("mkdir -p models--a--a/snapshots/" COMMIT
        "/tokenizer models--a--a/refs && cp '%s'/* "
        "models--a--a/snapshots/" COMMIT "/tokenizer && printf " COMMIT " > models--a--a/refs/main",
        fixture_path("tokenizer/clip"));
  error = (ink_error){0};
  assert_int_equal(ink_paint_open_tokenizer(sd, 0, &tokenizer, &error), INK_ERR_NOT_FOUND);
  shell("mkdir -p models--b--b/snapshots/" COMMIT
        " models--b--b/refs && cp -r '%s' "
        "models--b--b/snapshots/" COMMIT " && printf " COMMIT " > models--b--b/refs/main",
        fixture_path("pipelines/sd1/tokenizer"));
  assert_ok(ink_paint_open_tokenizer(sd, 0, &tokenizer, &error));
  ink_tokenizer_free(tokenizer);

  // What lies beside the file goes before, and must fit.
  shell("mkdir tokenizer && cp '%s'/* tokenizer", fixture_path("tokenizer/clip"));
  assert_int_equal(ink_paint_open_tokenizer(sd, 0, &tokenizer, &error), INK_ERR_CONFLICT);
  shell("cp '%s'/* tokenizer && rm -r models--b--b", fixture_path("pipelines/sd1/tokenizer"));
  assert_ok(ink_paint_open_tokenizer(sd, 0, &tokenizer, &error));
  ink_tokenizer_free(tokenizer);
  ink_stable_diffusion_free(sd);
}

static void what_a_single_file_predicts_is_found_out(void **state) {
  (void)state;
  ink_error error = {0};
  ink_stable_diffusion *sd = single_file();
  ink_compute c = {.arena = ink_arena_new(0)};
  ink_sd_prediction probed = ink_stable_diffusion_probe(&c, sd);
  sd->prediction = INK_SD_PREDICTS_UNKNOWN;
  assert_ok(ink_paint_probe(sd, NULL, &error));
  assert_int_equal(sd->prediction, probed);
  // A file that says so is believed.
  sd->prediction = INK_SD_PREDICTS_SAMPLE;
  assert_ok(ink_paint_probe(sd, NULL, &error));
  assert_int_equal(sd->prediction, INK_SD_PREDICTS_SAMPLE);
  ink_arena_free(c.arena);
  ink_stable_diffusion_free(sd);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_single_file_finds_its_vocabulary_beside_it_or_in_the_cache),
      cmocka_unit_test(what_a_single_file_predicts_is_found_out),
  };
  return cmocka_run_group_tests_name("opening", tests, set_up, scratch_close);
}
