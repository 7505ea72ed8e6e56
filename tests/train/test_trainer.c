// The trainer: it learns, resumes in the same bytes, and does not depend on the team.
#include <math.h>
#include <unistd.h>

#include "base/text.h"
#include "files.h"
#include "scratch.h"
#include "testing.h"
#include "train/checkpoint.h"
#include "train/poetry.h"
#include "train/trainer.h"

static int set_up(void **state) {
  (void)state;
  ink_error error = {0};
  if (scratch_open(state) != 0) return -1;
  char *data = ink_path_join(scratch, "data");
  ink_poetry_options options = {.from = fixture_path("train/chinese-poetry"),
                                .out = data,
                                .commit = "0123456789012345678901234567890123456789",
                                .least = 1};
  ink_status status = ink_poetry_build(&options, NULL, &error);
  if (status != INK_OK) print_error("%s\n", error.text);
  free(data);
  return status == INK_OK ? 0 : -1;
}

// A recipe with a tiny model; `change` is appended to the run section, `steps` decides its length.
static const char *recipe_file(const char *name, int steps, const char *change) {
  ink_error error = {0};
  ink_text text = {0};
  ink_text_format(&text,
                  "name: tiny\ndata: %s/data\n"
                  "model: {model_type: qwen3, vocab_size: 8192, hidden_size: 32, "
                  "intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 2, "
                  "num_key_value_heads: 1, head_dim: 16, max_position_embeddings: 256, "
                  "tie_word_embeddings: true}\n"
                  "init: {seed: 5}\n"
                  "run: {seed: 3, steps: %d, batch_tokens: 1024, micro_tokens: 512, context: 256, "
                  "warmup: 2, decay: 4, validate_every: 0, dropout: 0.1%s}\n",
                  scratch, steps, change);
  const char *path = in_scratch(name);
  assert_ok(ink_file_save(path, text.bytes, text.size, &error));
  ink_text_free(&text);
  return path;
}

static ink_recipe recipe_of(const char *name, int steps, const char *change) {
  ink_error error = {0};
  ink_recipe recipe;
  assert_ok(ink_recipe_load(recipe_file(name, steps, change), &recipe, &error));
  return recipe;
}

typedef struct watch {
  int64_t stop_at;
  int64_t reports;
} watch;

static bool stop_there(void *context, const ink_train_report *report) {
  watch *w = context;
  w->reports++;
  return report->step != w->stop_at;
}

static ink_status train(const char *out, int threads, int64_t stop_at) {
  ink_error error = {0};
  ink_recipe recipe = recipe_of("recipe.yaml", 8, ", precision: f32");
  ink_pool *pool = ink_pool_new(threads);
  ink_trainer *trainer;
  watch w = {.stop_at = stop_at};
  ink_train_listener listener = {stop_there, NULL, &w};
  assert_ok(ink_trainer_new(&recipe, in_scratch(out), false, pool, &trainer, &error));
  ink_status status = ink_trainer_run(trainer, &listener, &error);
  if (status != INK_OK && status != INK_ERR_CANCELLED) print_error("%s\n", error.text);
  ink_trainer_free(trainer);
  ink_pool_free(pool);
  ink_recipe_free(&recipe);
  return status;
}

static void resumed_run_ends_in_the_same_bytes(void **state) {
  (void)state;
  assert_int_equal(train("whole", 2, 8), INK_OK);
  assert_int_equal(train("broken", 2, 3), INK_ERR_CANCELLED);
  assert_int_equal(train("broken", 2, 8), INK_OK);
  assert_same_files(in_scratch("whole/tiny/model.safetensors"),
                    in_scratch("broken/tiny/model.safetensors"));
  assert_same_files(in_scratch("whole/checkpoint.safetensors"),
                    in_scratch("broken/checkpoint.safetensors"));
  assert_true(ink_file_exists(in_scratch("broken/loss.svg")));
  assert_true(ink_file_exists(in_scratch("broken/tiny/config.json")));
  assert_true(ink_file_exists(in_scratch("broken/tiny/tokenizer.json")));
}

static void training_is_equal_bytes_for_any_team(void **state) {
  (void)state;
  assert_int_equal(train("one", 1, 8), INK_OK);
  assert_int_equal(train("seven", 7, 8), INK_OK);
  assert_same_files(in_scratch("one/tiny/model.safetensors"),
                    in_scratch("seven/tiny/model.safetensors"));
}

static void training_learns_and_held_out_loss_is_finite(void **state) {
  (void)state;
  ink_error error = {0};
  ink_recipe recipe = recipe_of("learn.yaml", 40, ", precision: f32");
  ink_trainer *trainer;
  ink_train_report report = {0};
  assert_ok(ink_trainer_new(&recipe, in_scratch("learn"), false, NULL, &trainer, &error));
  assert_ok(ink_trainer_step(trainer, &report, &error));
  double first = report.loss;
  assert_true(fabs(first - log(8192)) < 0.3);  // fresh weights know nothing
  for (int i = 0; i < 39; i++) assert_ok(ink_trainer_step(trainer, &report, &error));
  if (report.loss > first - 2) fail_msg("loss went from %.3f to %.3f only", first, report.loss);
  double loss, characters;
  assert_ok(
      ink_trainer_score(trainer, in_scratch("data/train.bin"), 4, &loss, &characters, &error));
  assert_true(isfinite(loss) && loss > 0 && isfinite(characters));
  ink_trainer_free(trainer);
  ink_recipe_free(&recipe);
}

static void checkpoint_of_another_recipe_is_refused(void **state) {
  (void)state;
  ink_error error = {0};
  assert_int_equal(train("mine", 1, 2), INK_ERR_CANCELLED);
  ink_recipe other = recipe_of("other.yaml", 9, ", precision: f32");
  ink_trainer *trainer;
  assert_int_equal(ink_trainer_new(&other, in_scratch("mine"), false, NULL, &trainer, &error),
                   INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "another recipe"));
  assert_ok(ink_trainer_new(&other, in_scratch("mine"), true, NULL, &trainer, &error));
  ink_trainer_free(trainer);
  ink_recipe_free(&other);
}

static void truncated_checkpoint_is_an_error(void **state) {
  (void)state;
  ink_error error = {0};
  assert_int_equal(train("cut", 1, 1), INK_ERR_CANCELLED);
  const char *path = in_scratch("cut/" INK_CHECKPOINT_NAME);
  assert_int_equal(truncate(path, 5000), 0);
  ink_recipe recipe = recipe_of("recipe.yaml", 8, ", precision: f32");
  ink_trainer *trainer;
  assert_int_equal(ink_trainer_new(&recipe, in_scratch("cut"), false, NULL, &trainer, &error),
                   INK_ERR_FORMAT);
  assert_non_null(strstr(error.text, INK_CHECKPOINT_NAME));
  ink_recipe_free(&recipe);
}

static void recipes_are_checked(void **state) {
  (void)state;
  static const struct {
    const char *change, *word;
  } bad[] = {{", precision: f16", "precision"},
             {", lr: 3", "/lr"},
             {", checkpoint_minutes: 0", "checkpoint_minutes"},
             {", seed: 4", "duplicate key"},
             {", floor: no", "floor"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ink_error error = {0};
    ink_recipe recipe;
    const char *path = recipe_file("bad.yaml", 5, bad[i].change);
    assert_int_equal(ink_recipe_load(path, &recipe, &error), INK_ERR_FORMAT);
    if (!strstr(error.text, bad[i].word)) {
      fail_msg("%s: %s", bad[i].change, error.text);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(resumed_run_ends_in_the_same_bytes),
      cmocka_unit_test(training_is_equal_bytes_for_any_team),
      cmocka_unit_test(training_learns_and_held_out_loss_is_finite),
      cmocka_unit_test(checkpoint_of_another_recipe_is_refused),
      cmocka_unit_test(truncated_checkpoint_is_an_error),
      cmocka_unit_test(recipes_are_checked),
  };
  return cmocka_run_group_tests(tests, set_up, scratch_close);
}
