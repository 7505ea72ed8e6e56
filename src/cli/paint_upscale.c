// inkstone paint --upscale.
#include "cli/paint_upscale.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/paint_plugins.h"
#include "cli/painted.h"
#include "picture/codec.h"
#include "weights/weights.h"

ink_status ink_paint_open_upscaler(const char *name, ink_pool *pool, char sha256[INK_SHA256_HEX],
                                   ink_upscaler **upscaler, ink_error *error) {
  char *path, found[INK_SHA256_HEX];
  *upscaler = NULL;
  INK_TRY(ink_paint_find_plugin(name, NULL, INK_PAINT_UPSCALER, &path, error));
  ink_status status = ink_upscaler_open(path, pool, upscaler, error);
  if (status == INK_OK) {
    status = ink_weights_sha256(ink_upscaler_weights(*upscaler), INK_HASH_NOTED, found, error);
  }
  if (status == INK_OK && sha256[0] && strcmp(found, sha256) != 0) {
    status =
        ink_fail(error, INK_ERR_CONFLICT, "%s is not the upscaler that the picture used", path);
  }
  if (status == INK_OK) memcpy(sha256, found, sizeof found);
  free(path);
  return status;
}

// One run: what it opens, and what comes of it.
typedef struct job {
  ink_pool *pool;
  ink_upscaler *upscaler;
  ink_picture from, to;
  ink_paint_output output;
  ink_paint_recipe recipe;
  json_t *files, *identities;
  size_t peak;
  double seconds;
} job;

static ink_status open_all(job *j, const ink_paint_arguments *a, const char *path,
                           ink_error *error) {
  ink_paint_recipe *r = &j->recipe;
  INK_TRY(ink_picture_load(path, NULL, &j->from, NULL, error));
  INK_TRY(ink_paint_source_sha256(path, r->init_sha256, error));
  j->output = (ink_paint_output){.path = a->output,
                                 .count = 1,
                                 .quality = (int)a->quality,
                                 .lossless = a->lossless,
                                 .unmarked = a->unmarked,
                                 .show = a->show,
                                 .producer = a->producer};
  INK_TRY(ink_paint_output_open(&j->output, &a->signing, path, &j->from, error));
  j->pool = ink_pool_new((int)a->threads);
  if (!j->pool)
    return ink_fail(error, INK_ERR_MEMORY, "no memory for threads, or too many of them");
  INK_TRY(ink_paint_open_upscaler(a->upscale, j->pool, r->model_sha256, &j->upscaler, error));
  r->model = strdup(ink_path_name(a->upscale));
  r->prompt = strdup("");
  return r->model && r->prompt ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for a recipe");
}

static ink_status enlarge(job *j, const ink_paint_arguments *a, ink_error *error) {
  ink_paint_recipe *r = &j->recipe;
  double start = ink_clock_seconds();
  size_t ram = 0;
  if (a->ram) INK_TRY(ink_paint_read_bytes(a->ram, &ram, error));
  INK_TRY(ink_upscaler_run(j->upscaler, &j->from, a->bf16 ? INK_PRECISION_BF16 : INK_PRECISION_F32,
                           ram, &j->to, &j->peak, error));
  j->seconds = ink_clock_seconds() - start;
  r->upscaled = true;
  r->bf16 = a->bf16;
  r->width = j->to.width;
  r->height = j->to.height;
  return ink_paint_write(&j->output, r, 0, &j->to, j->files, j->identities, error);
}

static ink_status print(const job *j, ink_error *error) {
  return ink_cli_print_json(
      json_pack("{s:O,s:O,s:[i,i],s:{s:s,s:s},s:{s:f,s:I}}", "files", j->files, "identities",
                j->identities, "size", (int)j->recipe.width, (int)j->recipe.height, "model", "name",
                j->recipe.model, "sha256", j->recipe.model_sha256, "timing", "upscale_seconds",
                j->seconds, "peak_bytes", (json_int_t)j->peak),
      error);
}

ink_status ink_paint_upscale(const ink_paint_arguments *a, const char *path, ink_error *error) {
  job j = {.recipe = {.eta = (double)NAN}, .files = json_array(), .identities = json_array()};
  ink_status status = open_all(&j, a, path, error);
  if (status == INK_OK) status = enlarge(&j, a, error);
  if (status == INK_OK && a->json) status = print(&j, error);
  ink_paint_output_close(&j.output);
  ink_upscaler_free(j.upscaler);
  ink_pool_free(j.pool);
  ink_picture_free(&j.from);
  ink_picture_free(&j.to);
  ink_paint_recipe_free(&j.recipe);
  json_decref(j.files);
  json_decref(j.identities);
  return status;
}
