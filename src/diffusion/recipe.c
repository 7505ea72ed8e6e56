// Recipes of paintings, to JSON and to A1111's parameters and back.
#include "diffusion/recipe.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "diffusion/prompt.h"

enum { VERSION = 1 };

void ink_paint_recipe_free(ink_paint_recipe *recipe) {
  free(recipe->model);
  free(recipe->prompt);
  free(recipe->negative);
  free(recipe->hires_upscaler);
  for (size_t i = 0; i < recipe->n_loras; i++) free(recipe->loras[i].path);
  for (size_t i = 0; i < recipe->n_words; i++) {
    free(recipe->words[i].path);
    free(recipe->words[i].word);
  }
  for (size_t i = 0; i < recipe->n_controls; i++) {
    free(recipe->controls[i].kind);
    free(recipe->controls[i].model);
  }
  *recipe = (ink_paint_recipe){0};
}

static ink_status set_string(char **to, const char *text, ink_error *error) {
  char *copy = strdup(text ? text : "");
  if (!copy) return ink_fail(error, INK_ERR_MEMORY, "no memory for a recipe");
  free(*to);
  *to = copy;
  return INK_OK;
}

ink_status ink_paint_recipe_take_tags(ink_paint_recipe *r, ink_error *error) {
  ink_prompt_tags tags;
  ink_text rest = {0};
  if (!r->prompt) return INK_OK;
  ink_status status = ink_prompt_take_tags(r->prompt, &rest, &tags, error);
  if (status == INK_OK) status = set_string(&r->prompt, ink_text_string(&rest), error);
  for (size_t i = 0; i < tags.n && status == INK_OK; i++) {
    if (r->n_loras == INK_PAINT_MOST_LORAS) {
      status = ink_fail(error, INK_ERR_USAGE, "at most %d plug-ins", INK_PAINT_MOST_LORAS);
      break;
    }
    r->loras[r->n_loras++] =
        (ink_paint_recipe_lora){.path = tags.items[i].name, .weight = tags.items[i].weight};
    tags.items[i].name = NULL;
  }
  ink_prompt_tags_free(&tags);
  ink_text_free(&rest);
  return status;
}

// ---- JSON ---------------------------------------------------------------------------------------

static void put(json_t *json, const char *key, json_t *value) {
  json_object_set_new(json, key, value);
}

static json_t *hires_to_json(const ink_paint_recipe *r) {
  json_t *json = json_pack("{s:f,s:f}", "scale", r->hires_scale, "strength", r->hires_strength);
  if (r->hires_upscaler) {
    put(json, "upscaler", json_string(r->hires_upscaler));
    put(json, "sha256", json_string(r->hires_sha256));
  }
  return json;
}

static bool has_margins(ink_margins m) {
  return m.top || m.right || m.bottom || m.left;
}

// What is done besides painting one picture once.
static void put_more(json_t *json, const ink_paint_recipe *r) {
  if (r->variation > 0) {
    put(json, "variation",
        json_pack("{s:I,s:f}", "seed", (json_int_t)r->variation_seed, "strength", r->variation));
  }
  if (has_margins(r->extend)) {
    put(json, "extend",
        json_pack("[i,i,i,i]", (int)r->extend.top, (int)r->extend.right, (int)r->extend.bottom,
                  (int)r->extend.left));
  }
  if (r->hires_scale > 0) put(json, "hires", hires_to_json(r));
  if (r->grid) put(json, "grid", json_integer(r->grid));
  if (r->upscaled) put(json, "upscaled", json_true());
}

static json_t *loras_to_json(const ink_paint_recipe *r) {
  json_t *list = json_array();
  for (size_t i = 0; i < r->n_loras; i++) {
    json_array_append_new(list, json_pack("{s:s,s:s,s:f}", "path", r->loras[i].path, "sha256",
                                          r->loras[i].sha256, "weight", r->loras[i].weight));
  }
  return list;
}

static json_t *words_to_json(const ink_paint_recipe *r) {
  json_t *list = json_array();
  for (size_t i = 0; i < r->n_words; i++) {
    const ink_paint_recipe_word *w = &r->words[i];
    json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "path", w->path, "sha256", w->sha256,
                                          "word", w->word ? w->word : ""));
  }
  return list;
}

static json_t *controls_to_json(const ink_paint_recipe *r) {
  json_t *list = json_array();
  for (size_t i = 0; i < r->n_controls; i++) {
    const ink_paint_recipe_control *c = &r->controls[i];
    json_array_append_new(
        list, json_pack("{s:s,s:{s:s,s:s},s:s,s:f,s:f,s:f}", "kind", c->kind, "model", "name",
                        c->model, "sha256", c->model_sha256, "picture_sha256", c->picture_sha256,
                        "weight", c->weight, "start", c->start, "end", c->end));
  }
  return list;
}

json_t *ink_paint_recipe_to_json(const ink_paint_recipe *r) {
  json_t *json = json_pack(
      "{s:i,s:{s:s,s:s},s:s,s:s,s:i,s:i,s:i,s:f,s:I,s:I,s:s}", "version", VERSION, "model", "name",
      r->model ? r->model : "", "sha256", r->model_sha256, "prompt", r->prompt ? r->prompt : "",
      "negative", r->negative ? r->negative : "", "width", (int)r->width, "height", (int)r->height,
      "steps", (int)r->steps, "guidance_scale", r->guidance_scale, "seed", (json_int_t)r->seed,
      "picture", (json_int_t)r->stream, "noise", ink_noise_name(r->noise));
  if (!json) return NULL;
  if (r->has_sampler) put(json, "sampler", json_string(ink_sampler_about(r->sampler)->name));
  if (r->has_curve) put(json, "schedule", json_string(ink_curve_name(r->curve)));
  if (r->guidance_rescale != 0) put(json, "guidance_rescale", json_real(r->guidance_rescale));
  if (!isnan(r->eta)) put(json, "eta", json_real(r->eta));
  if (r->clip_skip) put(json, "clip_skip", json_integer(r->clip_skip));
  if (r->bf16) put(json, "bf16", json_true());
  if (r->init_sha256[0]) {
    put(json, "init_sha256", json_string(r->init_sha256));
    put(json, "strength", json_real(r->strength));
  }
  if (r->mask_sha256[0]) put(json, "mask_sha256", json_string(r->mask_sha256));
  put_more(json, r);
  if (r->n_loras) put(json, "loras", loras_to_json(r));
  if (r->n_words) put(json, "embeddings", words_to_json(r));
  if (r->n_controls) put(json, "controls", controls_to_json(r));
  return json;
}

static ink_status get_hash(const json_t *json, const char *key, const char *name,
                           char out[INK_SHA256_HEX], ink_error *error) {
  const char *text = NULL;
  INK_TRY(ink_json_get_string(json, key, name, &text, error));
  if (!text) return INK_OK;
  if (strlen(text) >= INK_SHA256_HEX || strspn(text, "0123456789abcdef") != strlen(text)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /%s is no SHA-256", name, key);
  }
  memcpy(out, text, strlen(text) + 1);
  return INK_OK;
}

static ink_status get_string(const json_t *json, const char *key, const char *name, char **out,
                             ink_error *error) {
  const char *text = NULL;
  INK_TRY(ink_json_get_string(json, key, name, &text, error));
  return text ? set_string(out, text, error) : INK_OK;
}

static ink_status get_names(const json_t *json, const char *name, ink_paint_recipe *r,
                            ink_error *error) {
  const char *sampler = NULL, *curve = NULL, *noise = NULL;
  INK_TRY(ink_json_get_string(json, "sampler", name, &sampler, error));
  INK_TRY(ink_json_get_string(json, "schedule", name, &curve, error));
  INK_TRY(ink_json_get_string(json, "noise", name, &noise, error));
  r->has_sampler = sampler != NULL;
  r->has_curve = curve != NULL;
  if (sampler && !ink_sampler_parse(sampler, &r->sampler)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /sampler \"%s\" is not known", name, sampler);
  }
  if (curve && !ink_curve_parse(curve, &r->curve)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /schedule \"%s\" is not known", name, curve);
  }
  if (noise && !ink_noise_parse(noise, &r->noise)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /noise \"%s\" is not known", name, noise);
  }
  return INK_OK;
}

static ink_status get_loras(const json_t *json, const char *name, ink_paint_recipe *r,
                            ink_error *error) {
  const json_t *list = json_object_get(json, "loras");
  size_t n = json_array_size(list);
  if ((list && !json_is_array(list)) || n > INK_PAINT_MOST_LORAS) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /loras is no list of up to %d", name,
                    INK_PAINT_MOST_LORAS);
  }
  for (size_t i = 0; i < n; i++) {
    const json_t *item = json_array_get(list, i);
    ink_paint_recipe_lora *lora = &r->loras[r->n_loras++];
    INK_TRY(set_string(&lora->path, "", error));
    INK_TRY(get_string(item, "path", name, &lora->path, error));
    INK_TRY(get_hash(item, "sha256", name, lora->sha256, error));
    lora->weight = 1;
    INK_TRY(ink_json_get_number(item, "weight", name, -100, 100, &lora->weight, error));
  }
  return INK_OK;
}

static ink_status get_words(const json_t *json, const char *name, ink_paint_recipe *r,
                            ink_error *error) {
  const json_t *list = json_object_get(json, "embeddings");
  size_t n = json_array_size(list);
  if ((list && !json_is_array(list)) || n > INK_PIPELINE_MOST_WORDS) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /embeddings is no list of up to %d", name,
                    INK_PIPELINE_MOST_WORDS);
  }
  for (size_t i = 0; i < n; i++) {
    const json_t *item = json_array_get(list, i);
    ink_paint_recipe_word *word = &r->words[r->n_words++];
    INK_TRY(set_string(&word->path, "", error));
    INK_TRY(get_string(item, "path", name, &word->path, error));
    INK_TRY(get_string(item, "word", name, &word->word, error));
    INK_TRY(get_hash(item, "sha256", name, word->sha256, error));
  }
  return INK_OK;
}

static ink_status get_controls(const json_t *json, const char *name, ink_paint_recipe *r,
                               ink_error *error) {
  const json_t *list = json_object_get(json, "controls");
  size_t n = json_array_size(list);
  if ((list && !json_is_array(list)) || n > INK_PAINT_MOST_CONTROLS) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /controls is no list of up to %d", name,
                    INK_PAINT_MOST_CONTROLS);
  }
  for (size_t i = 0; i < n; i++) {
    const json_t *item = json_array_get(list, i), *model = json_object_get(item, "model");
    ink_paint_recipe_control *c = &r->controls[r->n_controls++];
    c->weight = c->end = 1;
    INK_TRY(set_string(&c->kind, "image", error));
    INK_TRY(set_string(&c->model, "", error));
    INK_TRY(get_string(item, "kind", name, &c->kind, error));
    INK_TRY(get_string(model, "name", name, &c->model, error));
    INK_TRY(get_hash(model, "sha256", name, c->model_sha256, error));
    INK_TRY(get_hash(item, "picture_sha256", name, c->picture_sha256, error));
    INK_TRY(ink_json_get_number(item, "weight", name, 0, 10, &c->weight, error));
    INK_TRY(ink_json_get_number(item, "start", name, 0, 1, &c->start, error));
    INK_TRY(ink_json_get_number(item, "end", name, 0, 1, &c->end, error));
  }
  return INK_OK;
}

static ink_status get_numbers(const json_t *json, const char *name, ink_paint_recipe *r,
                              ink_error *error) {
  const int64_t most = INT64_C(1) << 53;
  int64_t width = 0, height = 0, steps = 0, skip = 0, seed = 0, stream = 0;
  INK_TRY(ink_json_get_int(json, "width", name, 1, INK_PAINT_MOST_SIDE, &width, error));
  INK_TRY(ink_json_get_int(json, "height", name, 1, INK_PAINT_MOST_SIDE, &height, error));
  INK_TRY(ink_json_get_int(json, "steps", name, 1, INK_PAINT_MOST_STEPS, &steps, error));
  INK_TRY(ink_json_get_int(json, "clip_skip", name, 0, 100, &skip, error));
  INK_TRY(ink_json_get_int(json, "seed", name, 0, most, &seed, error));
  INK_TRY(ink_json_get_int(json, "picture", name, 0, most, &stream, error));
  r->width = (int32_t)width;
  r->height = (int32_t)height;
  r->steps = (int32_t)steps;
  r->clip_skip = (int32_t)skip;
  r->seed = (uint64_t)seed;
  r->stream = (uint64_t)stream;
  r->eta = (double)NAN;
  INK_TRY(ink_json_get_number(json, "guidance_scale", name, 0, 100, &r->guidance_scale, error));
  INK_TRY(ink_json_get_number(json, "guidance_rescale", name, 0, 1, &r->guidance_rescale, error));
  INK_TRY(ink_json_get_number(json, "strength", name, 0, 1, &r->strength, error));
  INK_TRY(ink_json_get_number(json, "eta", name, 0, 1, &r->eta, error));
  return ink_json_get_bool(json, "bf16", name, &r->bf16, error);
}

static ink_status get_margins(const json_t *json, const char *name, ink_paint_recipe *r,
                              ink_error *error) {
  const json_t *list = json_object_get(json, "extend");
  int32_t *to[4] = {&r->extend.top, &r->extend.right, &r->extend.bottom, &r->extend.left};
  for (size_t i = 0; list && i < 4; i++) {
    const json_t *item = json_array_get(list, i);
    json_int_t value = json_is_integer(item) ? json_integer_value(item) : -1;
    if (json_array_size(list) != 4 || value < 0 || value > INK_PAINT_MOST_SIDE) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: /extend must be four numbers from 0 to %d", name,
                      INK_PAINT_MOST_SIDE);
    }
    *to[i] = (int32_t)value;
  }
  return INK_OK;
}

static ink_status get_more(const json_t *json, const char *name, ink_paint_recipe *r,
                           ink_error *error) {
  int64_t seed = 0, grid = 0;
  const json_t *variation = json_object_get(json, "variation"),
               *hires = json_object_get(json, "hires");
  INK_TRY(ink_json_get_int(variation, "seed", name, 0, INT64_C(1) << 53, &seed, error));
  INK_TRY(ink_json_get_number(variation, "strength", name, 0, 1, &r->variation, error));
  INK_TRY(ink_json_get_number(hires, "scale", name, 1, 8, &r->hires_scale, error));
  INK_TRY(ink_json_get_number(hires, "strength", name, 0, 1, &r->hires_strength, error));
  INK_TRY(get_string(hires, "upscaler", name, &r->hires_upscaler, error));
  INK_TRY(get_hash(hires, "sha256", name, r->hires_sha256, error));
  INK_TRY(ink_json_get_int(json, "grid", name, 0, 1000, &grid, error));
  r->variation_seed = (uint64_t)seed;
  r->grid = (int32_t)grid;
  return get_margins(json, name, r, error);
}

static ink_status from_json(const json_t *json, const char *name, ink_paint_recipe *r,
                            ink_error *error) {
  int64_t version = 0;
  INK_TRY(ink_json_get_int(json, "version", name, 0, INT32_MAX, &version, error));
  if (version != VERSION) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: a recipe of version %d; this program reads %d",
                    name, (int)version, VERSION);
  }
  const json_t *model = json_object_get(json, "model");
  INK_TRY(get_string(model, "name", name, &r->model, error));
  INK_TRY(get_hash(model, "sha256", name, r->model_sha256, error));
  INK_TRY(get_string(json, "prompt", name, &r->prompt, error));
  INK_TRY(get_string(json, "negative", name, &r->negative, error));
  INK_TRY(get_hash(json, "init_sha256", name, r->init_sha256, error));
  INK_TRY(get_hash(json, "mask_sha256", name, r->mask_sha256, error));
  INK_TRY(ink_json_get_bool(json, "upscaled", name, &r->upscaled, error));
  if (r->upscaled) return INK_OK;
  INK_TRY(get_numbers(json, name, r, error));
  INK_TRY(get_names(json, name, r, error));
  INK_TRY(get_more(json, name, r, error));
  INK_TRY(get_loras(json, name, r, error));
  INK_TRY(get_words(json, name, r, error));
  return get_controls(json, name, r, error);
}

ink_status ink_paint_recipe_from_json(const json_t *json, const char *name,
                                      ink_paint_recipe *recipe, ink_error *error) {
  *recipe = (ink_paint_recipe){0};
  if (!json_is_object(json)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: a recipe is a JSON object", name);
  }
  ink_status status = from_json(json, name, recipe, error);
  if (status != INK_OK) ink_paint_recipe_free(recipe);
  return status;
}

// ---- A1111's parameters -------------------------------------------------------------------------

// Schedules by the names that A1111 has for them.
static const char *const curve_labels[INK_CURVE_COUNT] = {
    "Automatic",   "Karras", "Exponential",      "Beta",
    "SGM Uniform", "Simple", "Align Your Steps", "Align Your Steps XL"};

static ink_status set_field(ink_infotext *info, ink_error *error, const char *key,
                            const char *format, ...) INK_PRINTF(4, 5);
static ink_status set_field(ink_infotext *info, ink_error *error, const char *key,
                            const char *format, ...) {
  char text[128];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return ink_infotext_set(info, key, text, error);
}

// As A1111's extension for ControlNets writes what it did.
static ink_status set_controls(ink_infotext *info, const ink_paint_recipe *r, ink_error *error) {
  for (size_t i = 0; i < r->n_controls; i++) {
    const ink_paint_recipe_control *c = &r->controls[i];
    ink_text text = {0};
    char key[24];
    snprintf(key, sizeof key, "ControlNet %zu", i);
    bool canny = strcmp(c->kind, "canny") == 0;
    ink_text_format(&text,
                    "Module: %s, Model: %s [%.8s], Weight: %.10g, Resize Mode: Just Resize, %s"
                    "Guidance Start: %.10g, Guidance End: %.10g, Control Mode: Balanced",
                    canny ? "canny" : "none", c->model, c->model_sha256, c->weight,
                    canny ? "Threshold A: 100, Threshold B: 200, " : "", c->start, c->end);
    ink_status status = ink_text_status(&text, error);
    if (status == INK_OK) status = ink_infotext_set(info, key, ink_text_string(&text), error);
    ink_text_free(&text);
    INK_TRY(status);
  }
  return INK_OK;
}

// The prompt, and the plug-ins as A1111's readers expect them in it.
static ink_status set_prompt(ink_infotext *info, const ink_paint_recipe *r, ink_error *error) {
  ink_text text = {0};
  ink_text_add(&text, r->prompt ? r->prompt : "");
  for (size_t i = 0; i < r->n_loras; i++) {
    const char *name = strrchr(r->loras[i].path, '/');
    name = name ? name + 1 : r->loras[i].path;
    const char *dot = strrchr(name, '.');
    int size = (int)(dot && dot > name ? (size_t)(dot - name) : strlen(name));
    ink_text_format(&text, " <lora:%.*s:%.10g>", size, name, r->loras[i].weight);
  }
  ink_status status = ink_text_status(&text, error);
  if (status == INK_OK) status = set_string(&info->prompt, ink_text_string(&text), error);
  ink_text_free(&text);
  return status;
}

// Variations and the second pass, by A1111's names for them.
static ink_status set_more(ink_infotext *info, const ink_paint_recipe *r, ink_error *error) {
  if (r->variation > 0) {
    INK_TRY(
        set_field(info, error, "Variation seed", "%llu", (unsigned long long)r->variation_seed));
    INK_TRY(set_field(info, error, "Variation seed strength", "%.10g", r->variation));
  }
  if (r->hires_scale == 0) return INK_OK;
  INK_TRY(set_field(info, error, "Denoising strength", "%.10g", r->hires_strength));
  INK_TRY(set_field(info, error, "Hires upscale", "%.10g", r->hires_scale));
  return ink_infotext_set(info, "Hires upscaler", r->hires_upscaler ? r->hires_upscaler : "Lanczos",
                          error);
}

// A picture that was only enlarged has no sampler and no seed.
static ink_status upscaled_to_infotext(const ink_paint_recipe *r, ink_infotext *info,
                                       ink_error *error) {
  INK_TRY(set_string(&info->prompt, "", error));
  INK_TRY(set_string(&info->negative, "", error));
  INK_TRY(ink_infotext_set(info, "Postprocess upscaler", r->model ? r->model : "", error));
  INK_TRY(set_field(info, error, "Size", "%dx%d", (int)r->width, (int)r->height));
  return set_field(info, error, "Version", "inkstone %s", INKSTONE_VERSION);
}

ink_status ink_paint_recipe_to_infotext(const ink_paint_recipe *r, ink_infotext *info,
                                        ink_error *error) {
  static const char *const generators[INK_NOISE_COUNT] = {"inkstone", "CPU", "NV"};
  *info = (ink_infotext){0};
  if (r->upscaled) return upscaled_to_infotext(r, info, error);
  INK_TRY(set_prompt(info, r, error));
  INK_TRY(set_string(&info->negative, r->negative, error));
  INK_TRY(set_field(info, error, "Steps", "%d", (int)r->steps));
  INK_TRY(set_field(info, error, "Sampler", "%s", ink_sampler_about(r->sampler)->label));
  INK_TRY(set_field(info, error, "Schedule type", "%s", curve_labels[r->curve]));
  INK_TRY(set_field(info, error, "CFG scale", "%.10g", r->guidance_scale));
  INK_TRY(set_field(info, error, "Seed", "%llu", (unsigned long long)r->seed));
  INK_TRY(set_field(info, error, "Size", "%dx%d", (int)r->width, (int)r->height));
  if (r->model_sha256[0]) {
    INK_TRY(set_field(info, error, "Model hash", "%.10s", r->model_sha256));
  }
  if (r->model) INK_TRY(ink_infotext_set(info, "Model", r->model, error));
  if (r->init_sha256[0] && r->hires_scale == 0) {
    INK_TRY(set_field(info, error, "Denoising strength", "%.10g", r->strength));
  }
  INK_TRY(set_more(info, r, error));
  INK_TRY(set_controls(info, r, error));
  if (r->clip_skip) INK_TRY(set_field(info, error, "Clip skip", "%d", (int)r->clip_skip + 1));
  INK_TRY(set_field(info, error, "RNG", "%s", generators[r->noise]));
  return set_field(info, error, "Version", "inkstone %s", INKSTONE_VERSION);
}

json_t *ink_paint_recipe_to_comfyui(const ink_paint_recipe *r) {
  static const char *const samplers[INK_SAMPLER_COUNT] = {"euler",
                                                          "euler_ancestral",
                                                          "heun",
                                                          "dpm_2",
                                                          "dpmpp_2m",
                                                          "dpmpp_2m_sde",
                                                          "dpmpp_2s_ancestral",
                                                          "dpmpp_3m_sde",
                                                          "ddim",
                                                          NULL,
                                                          "uni_pc",
                                                          "lcm",
                                                          NULL};
  static const char *const curves[INK_CURVE_COUNT] = {
      "normal", "karras", "exponential", "beta", "sgm_uniform", "simple", NULL, NULL};
  if (r->upscaled || !samplers[r->sampler] || !curves[r->curve]) return NULL;
  return json_pack(
      "{s:{s:s,s:{s:s}},s:{s:s,s:{s:s,s:[s,i]}},s:{s:s,s:{s:s,s:[s,i]}},s:{s:s,s:{s:i,s:i,s:i}},"
      "s:{s:s,s:{s:I,s:i,s:f,s:s,s:s,s:f,s:[s,i],s:[s,i],s:[s,i],s:[s,i]}},"
      "s:{s:s,s:{s:[s,i],s:[s,i]}},s:{s:s,s:{s:s,s:[s,i]}}}",
      "1", "class_type", "CheckpointLoaderSimple", "inputs", "ckpt_name", r->model ? r->model : "",
      "2", "class_type", "CLIPTextEncode", "inputs", "text", r->prompt ? r->prompt : "", "clip",
      "1", 1, "3", "class_type", "CLIPTextEncode", "inputs", "text", r->negative ? r->negative : "",
      "clip", "1", 1, "4", "class_type", "EmptyLatentImage", "inputs", "width", (int)r->width,
      "height", (int)r->height, "batch_size", 1, "5", "class_type", "KSampler", "inputs", "seed",
      (json_int_t)r->seed, "steps", (int)r->steps, "cfg", r->guidance_scale, "sampler_name",
      samplers[r->sampler], "scheduler", curves[r->curve], "denoise", 1.0, "model", "1", 0,
      "positive", "2", 0, "negative", "3", 0, "latent_image", "4", 0, "6", "class_type",
      "VAEDecode", "inputs", "samples", "5", 0, "vae", "1", 2, "7", "class_type", "SaveImage",
      "inputs", "filename_prefix", "inkstone", "images", "6", 0);
}

static ink_status number_of(const ink_infotext *info, const char *key, double low, double high,
                            double *out, ink_error *error) {
  const char *text = ink_infotext_get(info, key);
  if (!text) return INK_OK;
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end || !(value >= low && value <= high)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s is \"%.40s\"; it must be a number in %g … %g", key,
                    text, low, high);
  }
  *out = value;
  return INK_OK;
}

static ink_status sampler_of(const ink_infotext *info, ink_paint_recipe *r, ink_error *error) {
  const char *text = ink_infotext_get(info, "Sampler"),
             *type = ink_infotext_get(info, "Schedule type");
  char label[64];
  snprintf(label, sizeof label, "%s", text ? text : "");
  // Before version 1.9 the schedule was part of the sampler's name.
  for (int i = 1; i < INK_CURVE_COUNT; i++) {
    size_t size = strlen(label), tail = strlen(curve_labels[i]);
    if (size <= tail + 1 || strcasecmp(label + size - tail, curve_labels[i]) != 0) continue;
    label[size - tail - 1] = 0;
    type = curve_labels[i];
  }
  if (text) {
    r->has_sampler = ink_sampler_parse(label, &r->sampler);
    if (!r->has_sampler) {
      return ink_fail(error, INK_ERR_UNSUPPORTED, "the sampler \"%s\" is not known; choose another",
                      text);
    }
  }
  for (int i = 0; type && i < INK_CURVE_COUNT; i++) {
    if (strcasecmp(type, curve_labels[i]) != 0) continue;
    r->curve = (ink_curve)i;
    r->has_curve = i > 0;
  }
  return INK_OK;
}

// Upscalers that are there: Lanczos, and networks by their file.
static bool is_upscaler(const char *name) {
  size_t size = strlen(name);
  bool file = (size > 4 && strcmp(name + size - 4, ".pth") == 0) ||
              (size > 12 && strcmp(name + size - 12, ".safetensors") == 0);
  return file || strcmp(name, "Lanczos") == 0;
}

// A1111's second pass; its strength is the denoising strength then.
static ink_status hires_of(const ink_infotext *info, ink_paint_recipe *r, ink_error *error) {
  const char *upscaler = ink_infotext_get(info, "Hires upscaler");
  double scale = 1;
  INK_TRY(number_of(info, "Hires upscale", 1, 8, &scale, error));
  if (scale <= 1) return INK_OK;
  r->hires_scale = scale;
  r->hires_strength = r->strength;
  bool network = upscaler && is_upscaler(upscaler) && strcmp(upscaler, "Lanczos") != 0;
  return network ? set_string(&r->hires_upscaler, upscaler, error) : INK_OK;
}

static void list_left(const ink_infotext *info, ink_text *left) {
  static const char *const obeyed[] = {"Steps",
                                       "Sampler",
                                       "Schedule type",
                                       "CFG scale",
                                       "Seed",
                                       "Size",
                                       "Model hash",
                                       "Model",
                                       "Denoising strength",
                                       "Clip skip",
                                       "RNG",
                                       "Version",
                                       "Variation seed",
                                       "Variation seed strength",
                                       "Hires upscale"};
  for (size_t i = 0; i < info->n; i++) {
    bool known = false;
    for (size_t k = 0; k < sizeof obeyed / sizeof *obeyed; k++) {
      known = known || strcmp(info->fields[i].key, obeyed[k]) == 0;
    }
    if (strcmp(info->fields[i].key, "Hires upscaler") == 0) {
      known = is_upscaler(info->fields[i].value);
    }
    if (!known) ink_text_format(left, "%s%s", left->size ? ", " : "", info->fields[i].key);
  }
}

ink_status ink_paint_recipe_from_infotext(const ink_infotext *info, ink_paint_recipe *r,
                                          ink_text *left, ink_error *error) {
  double steps = 20, seed = 0, skip = 1, variation_seed = 0;
  r->guidance_scale = 7;
  r->strength = 0.75;
  r->eta = (double)NAN;
  INK_TRY(set_string(&r->prompt, info->prompt, error));
  INK_TRY(ink_paint_recipe_take_tags(r, error));
  INK_TRY(set_string(&r->negative, info->negative, error));
  INK_TRY(number_of(info, "Steps", 1, INK_PAINT_MOST_STEPS, &steps, error));
  INK_TRY(number_of(info, "CFG scale", 0, 100, &r->guidance_scale, error));
  INK_TRY(number_of(info, "Seed", 0, 0x1p53, &seed, error));
  INK_TRY(number_of(info, "Variation seed", 0, 0x1p53, &variation_seed, error));
  INK_TRY(number_of(info, "Variation seed strength", 0, 1, &r->variation, error));
  r->variation_seed = (uint64_t)variation_seed;
  INK_TRY(number_of(info, "Clip skip", 1, 100, &skip, error));
  INK_TRY(number_of(info, "Denoising strength", 0, 1, &r->strength, error));
  INK_TRY(hires_of(info, r, error));
  r->steps = (int32_t)steps;
  r->seed = (uint64_t)seed;
  r->clip_skip = (int32_t)skip - 1;
  const char *size = ink_infotext_get(info, "Size"), *rng = ink_infotext_get(info, "RNG");
  int width = 0, height = 0;
  if (size && sscanf(size, "%5dx%5d", &width, &height) != 2) {
    return ink_fail(error, INK_ERR_FORMAT, "Size is \"%.40s\"; it must be WIDTHxHEIGHT", size);
  }
  r->width = width;
  r->height = height;
  r->noise = !rng || strcmp(rng, "NV") == 0 || strcmp(rng, "GPU") == 0 ? INK_NOISE_CUDA
             : strcmp(rng, "CPU") == 0                                 ? INK_NOISE_CPU
                                                                       : INK_NOISE_OWN;
  INK_TRY(sampler_of(info, r, error));
  list_left(info, left);
  return ink_text_status(left, error);
}

// ---- the request --------------------------------------------------------------------------------

ink_paint_request ink_paint_recipe_request(const ink_paint_recipe *r) {
  ink_paint_request q = ink_paint_request_default();
  if (r->prompt) q.prompt = r->prompt;
  if (r->negative) q.negative = r->negative;
  q.width = r->width;
  q.height = r->height;
  q.steps = r->steps;
  q.guidance_scale = r->guidance_scale;
  q.guidance_rescale = r->guidance_rescale;
  q.sampler = r->has_sampler ? &r->sampler : NULL;
  q.curve = r->has_curve ? &r->curve : NULL;
  q.eta = r->eta;
  q.clip_skip = r->clip_skip;
  q.seed = r->seed;
  q.stream = r->stream;
  q.noise = r->noise;
  q.variation_seed = r->variation_seed;
  q.variation = r->variation;
  q.strength = r->strength;
  q.precision = r->bf16 ? INK_PRECISION_BF16 : INK_PRECISION_F32;
  return q;
}
