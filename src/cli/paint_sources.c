// What a painting is made of: models, plug-ins, pictures.
#include "cli/paint_sources.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/paint_plugins.h"
#include "cli/paint_upscale.h"
#include "cli/painted.h"
#include "lang/catalogue.h"
#include "models/stable_diffusion.h"
#include "picture/codec.h"
#include "weights/hub.h"
#include "weights/weights.h"

// ---- pictures -----------------------------------------------------------------------------------

// A picture that the recipe needs: from the flag, and the one it was, if it says which.
static ink_status open_source(const char *flag_, const char *path, char sha256[INK_SHA256_HEX],
                              ink_picture *picture, ink_error *error) {
  if (!path && !sha256[0]) return INK_OK;
  if (!path) {
    return ink_fail(error, INK_ERR_USAGE, "the picture was painted from another; give it with %s",
                    flag_);
  }
  char found[INK_SHA256_HEX];
  ink_status status = ink_paint_source_sha256(path, found, error);
  if (status != INK_OK) return ink_context(error, status, "%s", flag_);
  if (sha256[0] && strcmp(found, sha256) != 0) {
    return ink_fail(error, INK_ERR_CONFLICT, "%s is not the picture that was painted from", path);
  }
  memcpy(sha256, found, sizeof found);
  return ink_picture_load(path, NULL, picture, NULL, error);
}

// ---- models -------------------------------------------------------------------------------------

// A picture tells its model's name to the world, but not where it lies on this machine.
static ink_status keep_name(char **reference, ink_error *error) {
  if (!ink_file_exists(*reference) && !ink_file_is_folder(*reference)) return INK_OK;
  size_t size = strlen(*reference);
  while (size > 1 && (*reference)[size - 1] == '/') (*reference)[--size] = 0;
  char *name = strdup(ink_path_name(*reference));
  if (!name) return ink_fail(error, INK_ERR_MEMORY, "no memory for a recipe");
  free(*reference);
  *reference = name;
  return INK_OK;
}

// Whether the recipe's hash is met; a model that was named anew may be another.
static ink_status check_model(const char *found, char known[INK_SHA256_HEX], const char *name,
                              bool named, const char *flag_, ink_error *error) {
  bool other = known[0] && strcmp(found, known) != 0;
  if (other && !named) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s is not the model that painted the picture; name one with %s", name, flag_);
  }
  if (other) fprintf(stderr, ink_tr("%s is not the model that painted the picture\n"), name);
  memcpy(known, found, INK_SHA256_HEX);
  return INK_OK;
}

static ink_status open_model(const ink_paint_arguments *a, ink_paint_recipe *r, ink_pool *pool,
                             ink_pipeline **pipeline, ink_error *error) {
  char *path, found[INK_SHA256_HEX];
  ink_status status = ink_model_resolve(r->model, &path, error);
  if (status == INK_ERR_NOT_FOUND && a->from && !a->model) {
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    "the picture was painted by \"%s\", which is not found by that name; say where "
                    "it is with --model",
                    r->model);
  }
  INK_TRY(status);
  status = ink_pipeline_open(path, pool, pipeline, error);
  free(path);
  INK_TRY(status);
  INK_TRY(ink_stable_diffusion_sha256(ink_pipeline_about(*pipeline), INK_HASH_NOTED, found, error));
  INK_TRY(check_model(found, r->model_sha256, r->model, a->model != NULL, "--model", error));
  if (isnan(r->guidance_scale)) {
    double advised = ink_pipeline_about(*pipeline)->guidance_scale;
    r->guidance_scale = advised > 0 ? advised : ink_paint_request_default().guidance_scale;
  }
  INK_TRY(ink_paint_open_plugins(a, r, *pipeline, error));
  return keep_name(&r->model, error);
}

// ---- the tiny autoencoder -----------------------------------------------------------------------

static ink_status open_taesd(const ink_paint_arguments *a, ink_paint_recipe *r,
                             ink_paint_sources *s, ink_error *error) {
  const char *name = r->taesd ? r->taesd : a->taesd;
  char *path, found[INK_SHA256_HEX];
  if (!name) return INK_OK;
  ink_status status = ink_model_resolve(name, &path, error);
  if (status == INK_ERR_NOT_FOUND && !a->taesd) {
    return ink_fail(error, INK_ERR_USAGE,
                    "the picture was decoded with the tiny autoencoder %s; give it with --taesd",
                    name);
  }
  INK_TRY(status);
  status = ink_pipeline_set_taesd(s->pipeline, path, error);
  free(path);
  INK_TRY(status);
  if (!r->taesd) return INK_OK;
  INK_TRY(
      ink_weights_sha256(ink_pipeline_taesd_weights(s->pipeline), INK_HASH_NOTED, found, error));
  // It has to be named in any case: only who asks anew for decoding with it wants another.
  INK_TRY(check_model(found, r->taesd_sha256, name, a->taesd_decode, "--taesd", error));
  return keep_name(&r->taesd, error);
}

// ---- the size -----------------------------------------------------------------------------------

static void say_size(const char *path, const ink_picture *picture, int32_t width, int32_t height) {
  if (!path || (picture->width == width && picture->height == height)) return;
  fprintf(stderr, ink_tr("%s: %d x %d, brought to %d x %d\n"), path, (int)picture->width,
          (int)picture->height, (int)width, (int)height);
}

static int32_t side_near(double side, int32_t factor) {
  double near = factor * round(side / factor);
  if (near > INK_PAINT_MOST_SIDE) return INK_PAINT_MOST_SIDE / factor * factor;
  return near < factor ? factor : (int32_t)near;
}

// Where no size is asked for, a picture that is painted over keeps its form: its own size where the
// model is at home with that, else as many pixels as the model's own size has.
static void settle_size(const ink_paint_arguments *a, ink_paint_recipe *r,
                        const ink_paint_sources *s) {
  const ink_picture *init = &s->init;
  if (!init->pixels) return;
  if (!r->width && !r->height) {
    int32_t factor = ink_pipeline_factor(s->pipeline), side = ink_pipeline_side(s->pipeline);
    double share = sqrt((double)init->width * init->height) / side;
    bool fits =
        init->width % factor == 0 && init->height % factor == 0 && share >= 0.75 && share <= 1.5;
    r->width = fits ? init->width : side_near(init->width / share, factor);
    r->height = fits ? init->height : side_near(init->height / share, factor);
  }
  say_size(a->init, init, r->width, r->height);
  bool alike = s->mask.width == init->width && s->mask.height == init->height;
  if (s->mask.pixels && !alike) say_size(a->mask, &s->mask, r->width, r->height);
}

// ---- ControlNets --------------------------------------------------------------------------------

// The network of control i: one that was opened for an earlier one, or a new one.
static ink_status open_control_model(const ink_paint_arguments *a, ink_paint_recipe *r, size_t i,
                                     ink_paint_sources *s, ink_error *error) {
  ink_paint_recipe_control *control = &r->controls[i];
  char *path, found[INK_SHA256_HEX];
  size_t model = 0;
  for (size_t k = 0; k < i; k++) {
    if (strcmp(r->controls[k].model, control->model) == 0) {
      s->controls[i].model = s->controls[k].model;
      memcpy(control->model_sha256, r->controls[k].model_sha256, INK_SHA256_HEX);
      return INK_OK;
    }
    if (s->controls[k].model >= model) model = s->controls[k].model + 1;
  }
  ink_status status = ink_model_resolve(control->model, &path, error);
  if (status != INK_OK) return ink_context(error, status, "%s", "--control-model");
  status = ink_pipeline_add_control(s->pipeline, path, error);
  free(path);
  INK_TRY(status);
  s->controls[i].model = model;
  INK_TRY(ink_weights_sha256(ink_pipeline_control_weights(s->pipeline, model), INK_HASH_NOTED,
                             found, error));
  return check_model(found, control->model_sha256, control->model, a->control_models.n > 0,
                     "--control-model", error);
}

static ink_status open_control_picture(const ink_paint_arguments *a, ink_paint_recipe *r, size_t i,
                                       ink_paint_sources *s, ink_error *error) {
  ink_paint_recipe_control *control = &r->controls[i];
  ink_paint_control_flag read = {0};
  if (i < a->controls.n) INK_TRY(ink_paint_read_control(a->controls.items[i], &read, error));
  ink_picture *hint = &s->hints[i];
  ink_status status = open_source("--control", read.path, control->picture_sha256, hint, error);
  int32_t side = ink_pipeline_side(s->pipeline), width = r->width ? r->width : side,
          height = r->height ? r->height : side;
  if (status == INK_OK) say_size(read.path, hint, width, height);
  free(read.path);
  INK_TRY(status);
  s->controls[i].picture = hint;
  s->controls[i].canny = strcmp(control->kind, "canny") == 0;
  s->controls[i].weight = control->weight;
  s->controls[i].start = control->start;
  s->controls[i].end = control->end;
  return INK_OK;
}

static ink_status open_controls(const ink_paint_arguments *a, ink_paint_recipe *r,
                                ink_paint_sources *s, ink_error *error) {
  for (size_t i = 0; i < r->n_controls; i++) {
    INK_TRY(open_control_picture(a, r, i, s, error));
    INK_TRY(open_control_model(a, r, i, s, error));
    s->n_controls++;
  }
  for (size_t i = 0; i < r->n_controls; i++) INK_TRY(keep_name(&r->controls[i].model, error));
  return INK_OK;
}

// ---- margins, and the second pass ---------------------------------------------------------------

static ink_status extend(ink_paint_recipe *r, ink_paint_sources *s, ink_error *error) {
  ink_margins m = r->extend;
  if (!m.top && !m.right && !m.bottom && !m.left) return INK_OK;
  static const uint8_t white[3] = {255, 255, 255};
  ink_picture flat, canvas;
  INK_TRY(ink_picture_flatten(&s->init, white, &flat, error));
  ink_picture_free(&s->mask);
  ink_status status =
      ink_picture_extend(&flat, m, ink_pipeline_factor(s->pipeline), &canvas, &s->mask, error);
  ink_picture_free(&flat);
  INK_TRY(status);
  ink_picture_free(&s->init);
  s->init = canvas;
  if (!r->width) r->width = canvas.width;
  if (!r->height) r->height = canvas.height;
  return INK_OK;
}

static ink_status open_hires(ink_paint_recipe *r, ink_pool *pool, ink_paint_sources *s,
                             ink_error *error) {
  s->hires = (ink_paint_hires){.scale = r->hires_scale, .strength = r->hires_strength};
  if (r->hires_scale == 0 || !r->hires_upscaler) return INK_OK;
  INK_TRY(
      ink_paint_open_upscaler(r->hires_upscaler, pool, r->hires_sha256, &s->hires.upscaler, error));
  return keep_name(&r->hires_upscaler, error);
}

// ---- all ----------------------------------------------------------------------------------------

ink_status ink_paint_open_pictures(const ink_paint_arguments *a, ink_paint_recipe *recipe,
                                   ink_paint_sources *s, ink_error *error) {
  INK_TRY(open_source("--init", a->init, recipe->init_sha256, &s->init, error));
  return open_source("--mask", a->mask, recipe->mask_sha256, &s->mask, error);
}

ink_status ink_paint_open_models(const ink_paint_arguments *a, ink_paint_recipe *recipe,
                                 ink_pool *pool, ink_paint_sources *s, ink_error *error) {
  INK_TRY(open_model(a, recipe, pool, &s->pipeline, error));
  INK_TRY(open_taesd(a, recipe, s, error));
  INK_TRY(extend(recipe, s, error));
  settle_size(a, recipe, s);
  INK_TRY(open_hires(recipe, pool, s, error));
  return open_controls(a, recipe, s, error);
}

void ink_paint_sources_free(ink_paint_sources *s) {
  ink_pipeline_free(s->pipeline);
  ink_upscaler_free(s->hires.upscaler);
  ink_picture_free(&s->init);
  ink_picture_free(&s->mask);
  for (size_t i = 0; i < INK_PAINT_MOST_CONTROLS; i++) ink_picture_free(&s->hints[i]);
  *s = (ink_paint_sources){0};
}

void ink_paint_sources_use(const ink_paint_sources *s, ink_paint_request *request) {
  if (s->init.pixels) request->init = &s->init;
  if (s->mask.pixels) request->mask = &s->mask;
  request->controls = s->controls;
  request->n_controls = s->n_controls;
}
