// Single files: where their vocabulary comes from, and what their UNet predicts.
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
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
  assert_non_null(strstr(error.text,
                         "inkstone model pull openai/clip-vit-large-patch14 --include "
                         "vocab.json --include merges.txt`"));
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

// CLIP's own repository with nothing but the two files that the message asks for.
static void two_files_of_clip_are_enough_for_a_single_file(void **state) {
  (void)state;
  ink_error error = {0};
  json_t *all, *pair;
  size_t i;
  assert_ok(
      ink_json_load(fixture_path("pipelines/sd1/tokenizer/tokenizer.json"), 1 << 24, &all, &error));
  const json_t *model = json_object_get(all, "model");
  ink_text merges = {0};
  ink_text_add(&merges, "#version: 0.2\n");
  json_array_foreach(json_object_get(model, "merges"), i, pair) {
    if (json_is_string(pair)) {
      ink_text_format(&merges, "%s\n", json_string_value(pair));
    } else {
      ink_text_format(&merges, "%s %s\n", json_string_value(json_array_get(pair, 0)),
                      json_string_value(json_array_get(pair, 1)));
    }
  }
  char *vocab = json_dumps(json_object_get(model, "vocab"), 0);
  assert_non_null(vocab);
  assert_ok(ink_file_save(in_scratch("vocab.json"), vocab, strlen(vocab), &error));
  assert_ok(ink_file_save(in_scratch("merges.txt"), merges.bytes, merges.size, &error));
  free(vocab);
  ink_text_free(&merges);
  json_decref(all);
#define CLIP "models--openai--clip-vit-large-patch14"
  shell("rm -rf tokenizer && mkdir -p " CLIP "/snapshots/" COMMIT " " CLIP
        "/refs && mv vocab.json merges.txt " CLIP "/snapshots/" COMMIT " && printf " COMMIT
        " > %s/refs/main",
        CLIP);
  ink_stable_diffusion *sd = single_file();
  ink_tokenizer *tokenizer;
  assert_ok(ink_paint_open_tokenizer(sd, 0, &tokenizer, &error));
  assert_int_equal(ink_tokenizer_bos(tokenizer),
                   ink_tokenizer_id(tokenizer, "<|startoftext|>", 15));
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
      cmocka_unit_test(two_files_of_clip_are_enough_for_a_single_file),
      cmocka_unit_test(what_a_single_file_predicts_is_found_out),
  };
  return cmocka_run_group_tests_name("opening", tests, set_up, scratch_close);
}
