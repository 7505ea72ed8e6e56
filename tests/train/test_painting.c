// The painter's runs: they learn, resume in the same bytes, do not depend on the team, and end in a
// scratch that paints.
#include <math.h>

#include "base/json.h"
#include "base/text.h"
#include "diffusion/pipeline.h"
#include "discs.h"
#include "files.h"
#include "scratch.h"
#include "tensor/gemm.h"
#include "testing.h"
#include "train/checkpoint.h"
#include "train/painting/autoencoder.h"
#include "train/painting/painter.h"
#include "train/painting/parts.h"
#include "train/painting/scenes.h"
#include "train/painting/studies.h"
#include "weights/safetensors.h"
#include "weights/weights.h"

// ---- recipes ------------------------------------------------------------------------------------

static const char autoencoder_form[] =
    "kind: autoencoder\nname: tiny\ndata: %s/data\n"
    "model: {latent_channels: 4, encoder_block_out_channels: [16, 16, 16], "
    "decoder_block_out_channels: [16, 16, 16], num_encoder_blocks: [1, 1, 1], "
    "num_decoder_blocks: [1, 1, 1]}\ninit: {seed: 5}\n"
    "optimizer: {muon_rate: 0.01, adam_rate: 0.003}\n"
    "run: {seed: 3, steps: %d, batch: 4, micro: 2, side: 32, precision: f32, warmup: 2, decay: 4, "
    "validate_every: 0, validate_pictures: 4%s}\n";

static const char painter_form[] =
    "kind: painter\nname: tiny\ndata: %s/data\nautoencoder: %s/autoencoder/tiny\nscenes: 6\n"
    "unet: {sample_size: 8, in_channels: 4, out_channels: 4, block_out_channels: [16, 32], "
    "down_block_types: [DownBlock2D, CrossAttnDownBlock2D], "
    "up_block_types: [CrossAttnUpBlock2D, UpBlock2D], attention_head_dim: [1, 2], "
    "cross_attention_dim: 32, norm_num_groups: 8}\n"
    "text_encoder: {vocab_size: 1024, hidden_size: 32, intermediate_size: 64, "
    "num_hidden_layers: 1, num_attention_heads: 2}\n"
    "sheet: {prompts: [a disc, 圆], steps: 2}\ninit: {seed: 5}\n"
    "optimizer: {muon_rate: 0.02, adam_rate: 0.005}\n"
    "run: {seed: 3, steps: %d, batch: 4, micro: 2, side: 32, precision: f32, warmup: 2, decay: 4, "
    "validate_every: 0, validate_pictures: 4%s}\n";

static const char *autoencoder_file(const char *name, int steps, const char *change) {
  ink_error error = {0};
  ink_text text = {0};
  ink_text_format(&text, autoencoder_form, scratch, steps, change);
  const char *path = in_scratch(name);
  assert_ok(ink_file_save(path, text.bytes, text.size, &error));
  ink_text_free(&text);
  return path;
}

static const char *painter_file(const char *name, int steps, const char *change) {
  ink_error error = {0};
  ink_text text = {0};
  ink_text_format(&text, painter_form, scratch, scratch, steps, change);
  const char *path = in_scratch(name);
  assert_ok(ink_file_save(path, text.bytes, text.size, &error));
  ink_text_free(&text);
  return path;
}

// ---- runs ---------------------------------------------------------------------------------------

static bool stop_there(void *context, const ink_train_report *report) {
  const int64_t *step = context;
  return report->step != *step;
}

static ink_status train_autoencoder(const char *out, int steps, int threads, int64_t stop_at) {
  ink_error error = {0};
  ink_autoencoder_recipe recipe;
  ink_autoencoder_trainer *trainer;
  ink_pool *pool = ink_pool_new(threads);
  ink_train_listener listener = {stop_there, NULL, &stop_at};
  assert_ok(ink_autoencoder_recipe_load(autoencoder_file("a.yaml", steps, ""), &recipe, &error));
  assert_ok(ink_autoencoder_trainer_new(&recipe, in_scratch(out), false, pool, &trainer, &error));
  ink_status status = ink_autoencoder_trainer_run(trainer, &listener, &error);
  if (status != INK_OK && status != INK_ERR_CANCELLED) print_error("%s\n", error.text);
  ink_autoencoder_trainer_free(trainer);
  ink_autoencoder_recipe_free(&recipe);
  ink_pool_free(pool);
  return status;
}

static ink_status train_painter(const char *out, int threads, int64_t stop_at) {
  ink_error error = {0};
  ink_painter_recipe recipe;
  ink_painter_trainer *trainer;
  ink_pool *pool = ink_pool_new(threads);
  ink_train_listener listener = {stop_there, NULL, &stop_at};
  assert_ok(ink_painter_recipe_load(painter_file("p.yaml", 6, ""), &recipe, &error));
  assert_ok(ink_painter_trainer_new(&recipe, in_scratch(out), false, pool, NULL, &trainer, &error));
  ink_status status = ink_painter_trainer_run(trainer, &listener, &error);
  if (status != INK_OK && status != INK_ERR_CANCELLED) print_error("%s\n", error.text);
  ink_painter_trainer_free(trainer);
  ink_painter_recipe_free(&recipe);
  ink_pool_free(pool);
  return status;
}

static int set_up(void **state) {
  (void)state;
  ink_error error = {0};
  if (scratch_open(state) != 0) return -1;
  assert_ok(ink_folder_make(in_scratch("data"), &error));
  discs_make(in_scratch("data"));
  return train_autoencoder("autoencoder", 6, 2, 0) == INK_OK ? 0 : -1;
}

// ---- autoencoder --------------------------------------------------------------------------------

#define AUTOENCODER "tiny/diffusion_pytorch_model.safetensors"

static void autoencoder_learns(void **state) {
  (void)state;
  ink_error error = {0};
  ink_autoencoder_recipe recipe;
  ink_autoencoder_trainer *trainer;
  ink_train_report report;
  double first = 0, last = 0;
  assert_ok(ink_autoencoder_recipe_load(autoencoder_file("a.yaml", 60, ""), &recipe, &error));
  assert_ok(
      ink_autoencoder_trainer_new(&recipe, in_scratch("learn"), false, NULL, &trainer, &error));
  for (int i = 0; i < 60; i++) {
    assert_ok(ink_course_step(ink_autoencoder_trainer_course(trainer), &report, &error));
    if (i < 5) first += report.loss / 5;
    if (i >= 55) last += report.loss / 5;
  }
  if (!(last < first / 2)) fail_msg("the loss went from %.4f to %.4f only", first, last);
  ink_autoencoder_trainer_free(trainer);
  ink_autoencoder_recipe_free(&recipe);
}

static void resumed_autoencoder_ends_in_the_same_bytes(void **state) {
  (void)state;
  assert_int_equal(train_autoencoder("broken", 6, 2, 3), INK_ERR_CANCELLED);
  assert_int_equal(train_autoencoder("broken", 6, 2, 0), INK_OK);
  assert_same_files(in_scratch("autoencoder/" AUTOENCODER), in_scratch("broken/" AUTOENCODER));
  assert_same_files(in_scratch("autoencoder/" INK_CHECKPOINT_NAME),
                    in_scratch("broken/" INK_CHECKPOINT_NAME));
  assert_true(ink_file_exists(in_scratch("broken/loss.svg")));
  assert_true(ink_file_exists(in_scratch("broken/sheet-0000006.png")));
}

static void autoencoder_is_equal_bytes_for_any_team(void **state) {
  (void)state;
  assert_int_equal(train_autoencoder("five", 6, 5, 0), INK_OK);
  assert_same_files(in_scratch("autoencoder/" AUTOENCODER), in_scratch("five/" AUTOENCODER));
}

// The decoder alone learns: what the encoder makes of a scene, and its scale, stay as they were.
static void decoder_learns_alone(void **state) {
  (void)state;
  ink_error error = {0};
  ink_autoencoder_recipe recipe;
  ink_autoencoder_trainer *trainer;
  ink_taesd *before, *after;
  size_t n;
  assert_ok(ink_autoencoder_recipe_load(autoencoder_file("a.yaml", 6, ""), &recipe, &error));
  recipe.decoder_only = true;
  recipe.course.start = strdup(in_scratch("autoencoder/tiny"));
  assert_ok(
      ink_autoencoder_trainer_new(&recipe, in_scratch("alone"), false, NULL, &trainer, &error));
  assert_ok(ink_autoencoder_trainer_run(trainer, NULL, &error));
  ink_autoencoder_trainer_free(trainer);
  ink_autoencoder_recipe_free(&recipe);
  assert_ok(ink_autoencoder_load(in_scratch("autoencoder/tiny"), &before, NULL, &error));
  assert_ok(ink_autoencoder_load(in_scratch("alone/tiny"), &after, NULL, &error));
  assert_true(ink_taesd_about(before)->scaling_factor == ink_taesd_about(after)->scaling_factor);
  const ink_parameter *a = ink_taesd_parameters(before, &n), *b = ink_taesd_parameters(after, &n);
  bool changed = false;
  for (size_t i = 0; i < n; i++) {
    size_t bytes = (size_t)ink_tensor_elements(a[i].tensor) * sizeof(float);
    bool same = memcmp(a[i].tensor->data, b[i].tensor->data, bytes) == 0;
    if (strncmp(a[i].name, "encoder.", 8) == 0) assert_true(same);
    changed |= !same;
  }
  assert_true(changed);
  ink_taesd_free(before);
  ink_taesd_free(after);
}

static void scaling_factor_brings_latents_to_unit_deviation(void **state) {
  (void)state;
  ink_error error = {0};
  ink_taesd *taesd;
  json_t *config;
  ink_sprites *sprites;
  assert_ok(ink_autoencoder_load(in_scratch("autoencoder/tiny"), &taesd, &config, &error));
  assert_ok(ink_sprites_open(in_scratch("data"), &sprites, &error));
  double scale = ink_taesd_about(taesd)->scaling_factor, sum = 0, squares = 0;
  ink_arena *arena = ink_arena_new(0);
  ink_compute c = {.arena = arena};
  const ink_tensor *x = ink_scene_tensor(&c, sprites, INK_SCENE_TRAIN, 99, 0, 64, 32);
  const ink_tensor *z = ink_taesd_encode(&c, taesd, x, INK_F32);
  assert_ok(ink_compute_status(&c, &error));
  int64_t n = ink_tensor_elements(z);
  for (int64_t i = 0; i < n; i++) {
    double value = scale * (double)((const float *)z->data)[i];
    sum += value;
    squares += value * value;
  }
  double mean = sum / (double)n, deviation = sqrt(squares / (double)n - mean * mean);
  if (fabs(deviation - 1) > 0.1) fail_msg("scaled latents deviate by %.4f", deviation);
  ink_arena_free(arena);
  ink_sprites_close(sprites);
  json_decref(config);
  ink_taesd_free(taesd);
}

// ---- painter ------------------------------------------------------------------------------------

static void painter_learns(void **state) {
  (void)state;
  enum { STEPS = 120 };
  ink_error error = {0};
  ink_painter_recipe recipe;
  ink_painter_trainer *trainer;
  ink_train_report report;
  double first = 0, last = 0;
  assert_ok(ink_painter_recipe_load(painter_file("p.yaml", STEPS, ""), &recipe, &error));
  assert_ok(
      ink_painter_trainer_new(&recipe, in_scratch("paint"), false, NULL, NULL, &trainer, &error));
  for (int i = 0; i < STEPS; i++) {
    assert_ok(ink_course_step(ink_painter_trainer_course(trainer), &report, &error));
    if (i < 10) first += report.loss / 10;
    if (i >= STEPS - 10) last += report.loss / 10;
  }
  if (!(last < 0.6 * first)) fail_msg("the loss went from %.4f to %.4f only", first, last);
  ink_painter_trainer_free(trainer);
  ink_painter_recipe_free(&recipe);
}

static void resumed_painter_ends_in_the_same_bytes(void **state) {
  (void)state;
  assert_int_equal(train_painter("p-whole", 2, 0), INK_OK);
  assert_int_equal(train_painter("p-broken", 2, 2), INK_ERR_CANCELLED);
  assert_int_equal(train_painter("p-broken", 2, 0), INK_OK);
  assert_same_files(in_scratch("p-whole/" INK_CHECKPOINT_NAME),
                    in_scratch("p-broken/" INK_CHECKPOINT_NAME));
  assert_same_files(in_scratch("p-whole/tiny/unet/diffusion_pytorch_model.safetensors"),
                    in_scratch("p-broken/tiny/unet/diffusion_pytorch_model.safetensors"));
  assert_same_files(in_scratch("p-whole/tiny/text_encoder/model.safetensors"),
                    in_scratch("p-broken/tiny/text_encoder/model.safetensors"));
  assert_true(ink_file_exists(in_scratch("p-broken/sheet-0000006.png")));
}

// What is saved is the average of the weights, not the weights.
static void exported_weights_are_the_averages(void **state) {
  (void)state;
  ink_error error = {0};
  ink_safetensors *checkpoint;
  ink_weights *weights;
  static const char name[] = "time_embedding.linear_1.weight";
  assert_int_equal(train_painter("p-average", 2, 0), INK_OK);
  assert_ok(
      ink_safetensors_open(in_scratch("p-average/" INK_CHECKPOINT_NAME), &checkpoint, &error));
  assert_ok(ink_weights_open(in_scratch("p-average/tiny/unet"), &weights, &error));
  const ink_stored_tensor *average =
      ink_safetensors_find(checkpoint, "average.unet.time_embedding.linear_1.weight");
  const ink_stored_tensor *value =
      ink_safetensors_find(checkpoint, "value.unet.time_embedding.linear_1.weight");
  const ink_tensor *saved = ink_weights_find(weights, name);
  assert_true(average && value && saved && saved->dtype == INK_F16);
  double off_average = 0, off_value = 0;
  for (int64_t i = 0; i < ink_tensor_elements(saved); i++) {
    float x;
    ink_to_f32(INK_F16, (const uint16_t *)saved->data + i, &x, 1);
    off_average = fmax(off_average,
                       fabs((double)x - (double)((const float *)(const void *)average->data)[i]));
    off_value =
        fmax(off_value, fabs((double)x - (double)((const float *)(const void *)value->data)[i]));
  }
  assert_true(off_average < 5e-4);
  assert_true(off_value > 4 * off_average);
  ink_weights_close(weights);
  ink_safetensors_close(checkpoint);
}

static void painter_is_equal_bytes_for_any_team(void **state) {
  (void)state;
  assert_int_equal(train_painter("p-one", 1, 0), INK_OK);
  assert_int_equal(train_painter("p-five", 5, 0), INK_OK);
  assert_same_files(in_scratch("p-one/" INK_CHECKPOINT_NAME),
                    in_scratch("p-five/" INK_CHECKPOINT_NAME));
}

static void finished_painter_paints(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *pipeline;
  ink_painting painting;
  assert_int_equal(train_painter("p-paint", 2, 0), INK_OK);
  assert_ok(ink_pipeline_open(in_scratch("p-paint/tiny"), NULL, &pipeline, &error));
  assert_int_equal(ink_pipeline_side(pipeline), 32);
  ink_paint_request request = ink_paint_request_default();
  // Longer than the text encoder's 32 positions.
  request.prompt =
      "a blue disc, a red disc, a green disc, a disc, a disc, a disc, a disc, a disc, a disc, a "
      "disc, a disc, a disc, a disc, a disc, a disc, a disc, a disc, a disc, a disc, a disc";
  request.steps = 3;
  assert_ok(ink_pipeline_paint(pipeline, &request, &painting, &error));
  assert_int_equal(painting.picture.width, 32);
  ink_painting_free(&painting);
  ink_pipeline_free(pipeline);
}

// Training goes on from a finished painter: its first loss is not that of a fresh one.
static void painter_begins_from_a_finished_one(void **state) {
  (void)state;
  ink_error error = {0};
  ink_painter_recipe recipe;
  ink_painter_trainer *trainer;
  ink_train_report fresh, later;
  assert_int_equal(train_painter("p-start", 2, 0), INK_OK);
  assert_ok(ink_painter_recipe_load(painter_file("p.yaml", 6, ""), &recipe, &error));
  assert_ok(
      ink_painter_trainer_new(&recipe, in_scratch("p-a"), false, NULL, NULL, &trainer, &error));
  assert_ok(ink_course_step(ink_painter_trainer_course(trainer), &fresh, &error));
  ink_painter_trainer_free(trainer);
  recipe.course.start = strdup(in_scratch("p-start/tiny"));
  assert_ok(
      ink_painter_trainer_new(&recipe, in_scratch("p-b"), false, NULL, NULL, &trainer, &error));
  assert_ok(ink_course_step(ink_painter_trainer_course(trainer), &later, &error));
  assert_true(later.loss != fresh.loss);
  ink_painter_trainer_free(trainer);
  ink_painter_recipe_free(&recipe);
}

// Scenes are encoded once for one encoder, and anew for another.
static bool refuse(void *context, int64_t done, int64_t total, const char *words) {
  (void)context;
  (void)done;
  (void)total;
  (void)words;
  return false;
}

static void studies_belong_to_their_autoencoder(void **state) {
  (void)state;
  ink_error error = {0};
  ink_studies *studies;
  ink_studies_source source = {
      .scenes = {.split = INK_SCENE_TRAIN, .n = 3, .side = 32, .context = 8},
      .scale = 1,
      .micro = 2};
  uint16_t first[8 * 8 * 4];
  assert_ok(ink_sprites_open(in_scratch("data"), (ink_sprites **)&source.scenes.sprites, &error));
  assert_ok(ink_tokenizer_open(in_scratch("data/tokenizer"),
                               (ink_tokenizer **)&source.scenes.tokenizer, &error));
  assert_ok(ink_autoencoder_load(in_scratch("autoencoder/tiny"), &source.taesd, NULL, &error));
  const char *path = in_scratch("studies.safetensors");
  assert_ok(ink_studies_open(path, &source, NULL, NULL, &studies, &error));
  assert_int_equal(ink_studies_latent_size(studies), 8 * 8 * 4);
  assert_true(ink_studies_n_caption(studies, 2) >= 2);
  const int32_t *ids = ink_studies_caption(studies, 0, 0);
  assert_int_equal(ids[0], ink_tokenizer_bos(source.scenes.tokenizer));
  assert_int_equal(ids[7], ink_tokenizer_eos(source.scenes.tokenizer));
  memcpy(first, ink_studies_latent(studies, 0), sizeof first);
  ink_studies_close(studies);
  size_t n;
  ink_parameter *parameters = ink_taesd_parameters(source.taesd, &n);
  ((float *)parameters[n - 1].tensor->data)[0] += 1;  // the decoder's: nothing to do
  ink_progress never = {.report = refuse};
  assert_ok(ink_studies_open(path, &source, NULL, &never, &studies, &error));
  assert_memory_equal(first, ink_studies_latent(studies, 0), sizeof first);
  ink_studies_close(studies);
  ((float *)parameters[0].tensor->data)[0] += 1;
  assert_int_equal(ink_studies_open(path, &source, NULL, &never, &studies, &error),
                   INK_ERR_CANCELLED);
  assert_ok(ink_studies_open(path, &source, NULL, NULL, &studies, &error));
  assert_memory_not_equal(first, ink_studies_latent(studies, 0), sizeof first);
  ink_studies_close(studies);
  ink_sprites_close((ink_sprites *)(uintptr_t)source.scenes.sprites);
  ink_tokenizer_free((ink_tokenizer *)(uintptr_t)source.scenes.tokenizer);
  ink_taesd_free(source.taesd);
}

static const void *tensor_of(const ink_safetensors *file, const char *name) {
  const ink_stored_tensor *tensor = ink_safetensors_find(file, name);
  assert_non_null(tensor);
  return tensor->data;
}

// A file of scenes holds what ink_scene_draw gives, whatever the team; a stopped one leaves none.
static void scenes_go_into_a_file_as_they_are_drawn(void **state) {
  (void)state;
  enum { SCENES = 5, SIDE = 32, CONTEXT = 12 };
  ink_error error = {0};
  ink_sprites *sprites;
  ink_tokenizer *tokenizer;
  ink_safetensors *file;
  ink_pool *pool = ink_pool_new(2);
  ink_progress never = {.report = refuse};
  assert_ok(ink_sprites_open(in_scratch("data"), &sprites, &error));
  assert_ok(ink_tokenizer_open(in_scratch("data/tokenizer"), &tokenizer, &error));
  ink_scenes_source source = {.sprites = sprites,
                              .tokenizer = tokenizer,
                              .split = INK_SCENE_HELD_OUT,
                              .seed = 3,
                              .n = SCENES,
                              .side = SIDE,
                              .context = CONTEXT};
  assert_int_equal(ink_scenes_write(in_scratch("no.scenes"), &source, NULL, &never, &error),
                   INK_ERR_CANCELLED);
  assert_false(ink_file_exists(in_scratch("no.scenes")));
  assert_ok(ink_scenes_write(in_scratch("one.scenes"), &source, NULL, NULL, &error));
  assert_ok(ink_scenes_write(in_scratch("two.scenes"), &source, pool, NULL, &error));
  assert_same_files(in_scratch("one.scenes"), in_scratch("two.scenes"));
  assert_ok(ink_safetensors_open(in_scratch("one.scenes"), &file, &error));
  assert_string_equal(ink_safetensors_find(file, "pictures")->type_name, "U8");
  const uint8_t *pictures = tensor_of(file, "pictures");
  const int32_t *captions = tensor_of(file, "captions"), *counts = tensor_of(file, "counts"),
                *kinds = tensor_of(file, "kinds");
  for (int i = 0; i < SCENES; i++) {
    uint8_t drawn[SIDE * SIDE * 3];
    int32_t ids[CONTEXT];
    ink_scene_caption caption;
    assert_ok(
        ink_scene_draw(sprites, INK_SCENE_HELD_OUT, 3, (uint64_t)i, SIDE, drawn, &caption, &error));
    assert_memory_equal(pictures + (size_t)i * sizeof drawn, drawn, sizeof drawn);
    assert_int_equal(counts[i], caption.n_text);
    assert_int_equal(kinds[i], caption.kind);
    const int32_t *kept = captions + (size_t)i * INK_SCENE_TEXTS * CONTEXT;
    for (int j = 0; j < INK_SCENE_TEXTS; j++) {
      const char *text = j < caption.n_text ? caption.texts[j] : "";
      assert_ok(ink_caption_encode(tokenizer, text, CONTEXT, ids, &error));
      assert_memory_equal(kept + (size_t)j * CONTEXT, ids, sizeof ids);
    }
  }
  ink_safetensors_close(file);
  ink_tokenizer_free(tokenizer);
  ink_sprites_close(sprites);
  ink_pool_free(pool);
}

static void weights_fall_with_signal_and_keep_pure_noise(void **state) {
  (void)state;
  assert_true(fabs(ink_painter_weight(0, 5) - 1) < 1e-12);
  assert_true(fabs(ink_painter_weight(0.8, 5) - 1) < 1e-12);  // the ratio is 4, and one more 5
  assert_true(fabs(ink_painter_weight(0.9, 5) - 0.5) < 1e-12);
  assert_true(ink_painter_weight(0.9999, 5) < 0.001);
}

static void timesteps_come_as_often_as_they_weigh(void **state) {
  (void)state;
  static const double until[] = {0, 1, 1, 4, 6};  // weights 1, 0, 3, 2
  int64_t counts[4] = {0};
  for (int i = 0; i < 600; i++) counts[ink_painter_timestep_at(until, 4, (i + 0.5) / 600)]++;
  assert_int_equal(counts[0], 100);
  assert_int_equal(counts[1], 0);
  assert_int_equal(counts[2], 300);
  assert_int_equal(counts[3], 200);
  assert_int_equal(ink_painter_timestep_at(until, 4, 0), 0);
  assert_int_equal(ink_painter_timestep_at(until, 4, 1), 3);
}

// ---- recipes are checked ------------------------------------------------------------------------

static void recipes_are_checked(void **state) {
  (void)state;
  static const struct {
    const char *change, *word;
  } bad[] = {{", lr: 3", "/lr"},
             {", average: 2", "/average"},
             {", seed: 4", "duplicate key"},
             {"}\nkindness: {a: 1", "/kindness"},
             {"}\nloss: {hinge: 1", "/hinge"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ink_error error = {0};
    ink_autoencoder_recipe autoencoder;
    ink_painter_recipe painter;
    const char *path = autoencoder_file("bad.yaml", 5, bad[i].change);
    assert_int_equal(ink_autoencoder_recipe_load(path, &autoencoder, &error), INK_ERR_FORMAT);
    if (!strstr(error.text, bad[i].word)) fail_msg("%s: %s", bad[i].change, error.text);
    path = painter_file("bad.yaml", 5, bad[i].change);
    assert_int_equal(ink_painter_recipe_load(path, &painter, &error), INK_ERR_FORMAT);
    if (!strstr(error.text, bad[i].word)) fail_msg("%s: %s", bad[i].change, error.text);
  }
}

static void a_recipe_names_its_concepts_as_a_list_of_words(void **state) {
  (void)state;
  ink_error error = {0};
  ink_painter_recipe recipe;
  const char *path = painter_file("c.yaml", 5, "}\nconcepts: [cat, 3]\nloss: {gamma: 5");
  assert_int_equal(ink_painter_recipe_load(path, &recipe, &error), INK_ERR_FORMAT);
  assert_non_null(strstr(error.text, "/concepts/1"));
  path = painter_file("c.yaml", 5, "}\nconcepts: [cat, full moon]\nloss: {gamma: 5");
  assert_ok(ink_painter_recipe_load(path, &recipe, &error));
  assert_int_equal(recipe.n_concept, 2);
  assert_string_equal(recipe.concepts[1], "full moon");
  ink_painter_recipe_free(&recipe);
}

static void recipes_say_their_kind(void **state) {
  (void)state;
  ink_error error = {0};
  ink_recipe_kind kind;
  assert_ok(ink_recipe_kind_of(autoencoder_file("a.yaml", 5, ""), &kind, &error));
  assert_int_equal(kind, INK_RECIPE_AUTOENCODER);
  assert_ok(ink_recipe_kind_of(painter_file("p.yaml", 5, ""), &kind, &error));
  assert_int_equal(kind, INK_RECIPE_PAINTER);
  assert_ok(ink_file_save(in_scratch("k.yaml"), "kind: sculptor\n", 15, &error));
  assert_int_equal(ink_recipe_kind_of(in_scratch("k.yaml"), &kind, &error), INK_ERR_FORMAT);
  assert_non_null(strstr(error.text, "/kind"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(autoencoder_learns),
      cmocka_unit_test(resumed_autoencoder_ends_in_the_same_bytes),
      cmocka_unit_test(autoencoder_is_equal_bytes_for_any_team),
      cmocka_unit_test(decoder_learns_alone),
      cmocka_unit_test(scaling_factor_brings_latents_to_unit_deviation),
      cmocka_unit_test(painter_learns),
      cmocka_unit_test(resumed_painter_ends_in_the_same_bytes),
      cmocka_unit_test(exported_weights_are_the_averages),
      cmocka_unit_test(painter_is_equal_bytes_for_any_team),
      cmocka_unit_test(finished_painter_paints),
      cmocka_unit_test(painter_begins_from_a_finished_one),
      cmocka_unit_test(studies_belong_to_their_autoencoder),
      cmocka_unit_test(scenes_go_into_a_file_as_they_are_drawn),
      cmocka_unit_test(weights_fall_with_signal_and_keep_pure_noise),
      cmocka_unit_test(timesteps_come_as_often_as_they_weigh),
      cmocka_unit_test(recipes_are_checked),
      cmocka_unit_test(a_recipe_names_its_concepts_as_a_list_of_words),
      cmocka_unit_test(recipes_say_their_kind),
  };
  return cmocka_run_group_tests(tests, set_up, scratch_close);
}
