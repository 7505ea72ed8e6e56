// inkstone paint: pictures from words, from pictures, and parts of pictures anew.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/paint_grid.h"
#include "cli/paint_options.h"
#include "cli/paint_preview.h"
#include "cli/paint_sources.h"
#include "cli/paint_upscale.h"
#include "cli/paint_watermark.h"
#include "cli/painted.h"
#include "lang/catalogue.h"
#include "picture/codec.h"

// ---- painting -----------------------------------------------------------------------------------

typedef struct job {
  const ink_paint_arguments *arguments;
  ink_paint_recipe *recipe;
  ink_paint_sources sources;
  ink_paint_output output;
  ink_paint_watermark watermark;
  json_t *files, *seeds, *identities;
  ink_painting painting;  // the last one; its picture has gone into the file
  int32_t width, height;  // of the last picture
  ink_paint_grid grid;
} job;

static ink_status paint_picture(job *j, bool last, ink_error *error) {
  const ink_paint_arguments *a = j->arguments;
  const ink_paint_hires *hires = &j->sources.hires;
  ink_cli_bar bar;
  ink_paint_screen screen;
  ink_paint_preview preview;
  ink_progress progress = ink_cli_progress(&bar, "paint");
  ink_noise_shaper shaper;
  ink_paint_request q;
  ink_pipeline *pipeline = j->sources.pipeline;
  INK_TRY(ink_paint_watermark_ready(&j->watermark, pipeline, j->recipe, &shaper, &q, error));
  q.progress = &progress;
  q.last = last;
  if (a->preview) q.preview = ink_paint_preview_open(&screen, &preview);
  if (a->ram) INK_TRY(ink_paint_read_bytes(a->ram, &q.ram, error));
  ink_paint_sources_use(&j->sources, &q);
  ink_painting_free(&j->painting);
  ink_status status = hires->scale > 0
                          ? ink_pipeline_paint_hires(pipeline, &q, hires, &j->painting, error)
                          : ink_pipeline_paint(pipeline, &q, &j->painting, error);
  ink_cli_progress_end(&bar);
  return status;
}

static ink_status paint_one(job *j, int64_t index, ink_error *error) {
  ink_paint_recipe *r = j->recipe;
  INK_TRY(paint_picture(j, index + 1 == j->arguments->count, error));
  j->width = j->painting.picture.width;
  j->height = j->painting.picture.height;
  if (j->arguments->grid) INK_TRY(ink_paint_grid_add(&j->grid, &j->painting.picture, error));
  INK_TRY(
      ink_paint_write(&j->output, r, index, &j->painting.picture, j->files, j->identities, error));
  json_array_append_new(j->seeds, json_integer((json_int_t)r->seed));
  return INK_OK;
}

static ink_status paint_all(job *j, ink_error *error) {
  ink_paint_recipe *r = j->recipe;
  uint64_t seed = r->seed, stream = r->stream;
  for (int64_t i = 0; i < j->arguments->count; i++) {
    INK_TRY(paint_one(j, i, error));
    // Other tools count seeds; our own generator counts pictures below one seed.
    if (r->noise == INK_NOISE_OWN) {
      r->stream++;
    } else {
      r->seed++;
    }
  }
  if (!j->arguments->grid) return INK_OK;
  // The sheet carries the recipe of its first picture, and how many follow.
  r->seed = seed;
  r->stream = stream;
  r->grid = (int32_t)j->arguments->count;
  return ink_paint_grid_write(&j->grid, &j->output, r, j->files, j->identities, error);
}

static ink_status print_result(const job *j, ink_error *error) {
  const ink_paint_recipe *r = j->recipe;
  json_t *steps = json_array();
  for (int32_t i = 0; i < j->painting.n_steps; i++) {
    json_array_append_new(steps, json_real(j->painting.step_seconds[i]));
  }
  json_t *json = json_pack(
      "{s:O,s:O,s:O,s:O,s:[i,i],s:{s:s,s:s},s:{s:f,s:o,s:f,s:I}}", "files", j->files, "seed",
      json_array_get(j->seeds, 0), "seeds", j->seeds, "identities", j->identities, "size",
      (int)j->width, (int)j->height, "model", "name", r->model, "sha256", r->model_sha256, "timing",
      "encode_seconds", j->painting.encode_seconds, "step_seconds", steps, "decode_seconds",
      j->painting.decode_seconds, "peak_bytes", (json_int_t)j->painting.peak_bytes);
  return ink_cli_print_json(json, error);
}

static ink_status run_job(const ink_paint_arguments *a, ink_paint_recipe *recipe,
                          ink_error *error) {
  job j = {.arguments = a,
           .recipe = recipe,
           .files = json_array(),
           .seeds = json_array(),
           .identities = json_array()};
  ink_pool *pool = ink_pool_new((int)a->threads);
  ink_status status =
      pool ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for threads, or too many of them");
  if (status == INK_OK) status = ink_paint_open_pictures(a, recipe, &j.sources, error);
  // The key before the work: a picture that cannot be signed is not painted.
  if (status == INK_OK) {
    j.output = (ink_paint_output){.path = a->output,
                                  .count = a->count,
                                  .quality = (int)a->quality,
                                  .lossless = a->lossless,
                                  .unmarked = a->unmarked,
                                  .show = a->show,
                                  .producer = a->producer};
    status = ink_paint_output_open(&j.output, &a->signing, a->init, &j.sources.init, error);
  }
  if (status == INK_OK) {
    bool over_another = j.sources.init.pixels != NULL, enlarged = recipe->hires_scale > 0;
    status = ink_paint_watermark_choose(a->watermark, a->from, over_another, enlarged, a->unmarked,
                                        recipe, &j.watermark, error);
  }
  if (status == INK_OK) status = ink_paint_watermark_open(&j.watermark, recipe, error);
  if (status == INK_OK) status = ink_paint_open_models(a, recipe, pool, &j.sources, error);
  if (status == INK_OK) status = paint_all(&j, error);
  if (status == INK_OK && a->json) status = print_result(&j, error);
  ink_paint_output_close(&j.output);
  ink_paint_grid_free(&j.grid);
  ink_painting_free(&j.painting);
  ink_paint_sources_free(&j.sources);
  ink_pool_free(pool);
  json_decref(j.files);
  json_decref(j.seeds);
  json_decref(j.identities);
  return status;
}

// What ran out of memory names an inner part or a plan; the ways out that are left are here.
static void say_ways_out(const ink_paint_arguments *a, const ink_paint_recipe *r,
                         ink_error *error) {
  char cause[INK_ERROR_TEXT];
  snprintf(cause, sizeof cause, "%s", error->text);
  ink_text ways = {0};
  ink_text_add(&ways, ink_tr(a->upscale ? "a smaller picture" : "a smaller picture (--size)"));
  const char *more[] = {!a->bf16 && !r->bf16 ? "16 bits (--bf16)" : NULL,
                        a->ram ? "a higher limit (--ram)" : "a limit to plan by (--ram SIZE)",
                        a->hires || r->hires_scale > 0 ? "less or no --hires" : NULL,
                        a->count > 1 ? "fewer pictures at once (--count)" : NULL};
  for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
    if (more[i]) ink_text_format(&ways, "%s%s", ink_tr(", "), ink_tr(more[i]));
  }
  ink_fail(error, INK_ERR_MEMORY, "%.360s; what helps: %s", cause, ink_text_string(&ways));
  ink_text_free(&ways);
}

static ink_status run_paint(const ink_command *self, int argc, char **argv, ink_error *error) {
  ink_paint_arguments a = {.output = "out.png", .seed = -1, .count = 1};
  ink_option options[INK_PAINT_N_OPTIONS];
  ink_paint_options(&a, options);
  ink_paint_recipe recipe = {
      .steps = 20, .guidance_scale = (double)NAN, .strength = 0.75, .eta = (double)NAN};
  ink_picture_format format;
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, INK_PAINT_N_OPTIONS, argc, argv, &n, &done, error));
  if (done) return INK_OK;
  if (n > 1) return ink_fail(error, INK_ERR_USAGE, "one prompt at a time; put it in quotes");
  if (n == 0 && a.upscale) return ink_fail(error, INK_ERR_USAGE, "name the picture to enlarge");
  if (n == 0 && !a.from) {
    return ink_fail(error, INK_ERR_USAGE, "say what to paint, or --from which picture");
  }
  if (a.unmarked) {
    fprintf(
        stderr, "%s\n",
        ink_tr("unmarked: who publishes the picture may have to label it (EU AI Act, article 50; "
               "China: GB 45438-2025)"));
  }
  // Before hours of painting: a name that cannot be written.
  INK_TRY(ink_picture_format_of(a.output, &format, error));
  if (a.upscale) {
    ink_status status = ink_paint_upscale(&a, argv[1], error);
    if (status == INK_ERR_MEMORY) say_ways_out(&a, &recipe, error);
    return status;
  }
  ink_status status = a.from ? ink_paint_read_recipe(a.from, &recipe, error) : INK_OK;
  // A sheet is repeated as a sheet.
  if (status == INK_OK && recipe.grid && a.count == 1) {
    a.grid = true;
    a.count = recipe.grid;
  }
  recipe.grid = 0;
  if (status == INK_OK) {
    status = ink_paint_lay_over(&a, options, n ? argv[1] : NULL, &recipe, error);
  }
  if (status == INK_OK) status = run_job(&a, &recipe, error);
  if (status == INK_ERR_MEMORY) say_ways_out(&a, &recipe, error);
  ink_paint_recipe_free(&recipe);
  return status;
}

const ink_command ink_command_paint = {
    .name = "paint",
    .summary = "Paint a picture",
    .usage = "paint PROMPT [OPTIONS]",
    .examples =
        "inkstone paint \"a blue cat and a star\" -o cat.png\n"
        "inkstone paint \"a lighthouse at (night:1.2)\" --model "
        "stable-diffusion-v1-5/stable-diffusion-v1-5 --sampler \"DPM++ 2M Karras\"\n"
        "inkstone paint \"a fox <lora:watercolour:0.8>\" --model v1-5-pruned-emaonly.safetensors "
        "--lora-dir Lora\n"
        "inkstone paint \"in winter\" --init photo.jpg --strength 0.6\n"
        "inkstone paint \"a house\" --control canny:photo.jpg:0.8 --control-model "
        "lllyasviel/sd-controlnet-canny\n"
        "inkstone paint \"a valley\" --hires 2 --variation 7:0.2 --count 4 --grid\n"
        "inkstone paint \"more sky\" --init photo.jpg --extend 256,0,0,0\n"
        "inkstone paint --upscale RealESRGAN_x4plus.pth photo.jpg -o large.png\n"
        "inkstone paint --from cat.png -o again.png\n",
    .run = run_paint,
};
