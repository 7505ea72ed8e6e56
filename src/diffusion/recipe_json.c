// Recipes of paintings as our own JSON.
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "diffusion/recipe_parts.h"

enum { VERSION = 1 };

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
  if (r->taesd) {
    put(json, "taesd", json_pack("{s:s,s:s}", "name", r->taesd, "sha256", r->taesd_sha256));
  }
  if (r->grid) put(json, "grid", json_integer(r->grid));
  if (r->upscaled) put(json, "upscaled", json_true());
}

static json_t *loras_to_json(const ink_paint_recipe *r) {
  json_t *list = json_array();
  for (size_t i = 0; i < r->n_loras; i++) {
    json_t *lora = json_pack("{s:s,s:s,s:f}", "path", r->loras[i].path, "sha256",
                             r->loras[i].sha256, "weight", r->loras[i].weight);
    if (r->loras[i].partial) put(lora, "partial", json_true());
    json_array_append_new(list, lora);
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

static json_t *watermark_to_json(const ink_paint_recipe_watermark *w) {
  json_t *json = json_object();
  if (w->gaussian_key[0]) put(json, "gaussian_shading", json_string(w->gaussian_key));
  if (w->kept > 0) put(json, "kept_noise", json_real(w->kept));
  if (w->dwt_dct) put(json, "dwt_dct", json_string("sdxl"));
  return json;
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
  if (r->brownian) put(json, "brownian", json_true());
  if (r->cache > 1) put(json, "cache", json_integer(r->cache));
  if (r->init_sha256[0]) {
    put(json, "init_sha256", json_string(r->init_sha256));
    put(json, "strength", json_real(r->strength));
  }
  if (r->mask_sha256[0]) put(json, "mask_sha256", json_string(r->mask_sha256));
  put_more(json, r);
  if (r->n_loras) put(json, "loras", loras_to_json(r));
  if (r->n_words) put(json, "embeddings", words_to_json(r));
  if (r->n_controls) put(json, "controls", controls_to_json(r));
  if (r->watermark.stated) put(json, "watermark", watermark_to_json(&r->watermark));
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
  return text ? ink_recipe_set_string(out, text, error) : INK_OK;
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
    INK_TRY(ink_recipe_set_string(&lora->path, "", error));
    INK_TRY(get_string(item, "path", name, &lora->path, error));
    INK_TRY(get_hash(item, "sha256", name, lora->sha256, error));
    lora->weight = 1;
    INK_TRY(ink_json_get_number(item, "weight", name, -100, 100, &lora->weight, error));
    INK_TRY(ink_json_get_bool(item, "partial", name, &lora->partial, error));
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
    INK_TRY(ink_recipe_set_string(&word->path, "", error));
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
    INK_TRY(ink_recipe_set_string(&c->kind, "image", error));
    INK_TRY(ink_recipe_set_string(&c->model, "", error));
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

static ink_status get_watermark(const json_t *json, const char *name, ink_paint_recipe_watermark *w,
                                ink_error *error) {
  const json_t *said = json_object_get(json, "watermark");
  const char *key = NULL, *message = NULL;
  if (!said) return INK_OK;
  if (!json_is_object(said)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /watermark is no object", name);
  }
  INK_TRY(ink_json_get_string(said, "gaussian_shading", name, &key, error));
  INK_TRY(ink_json_get_string(said, "dwt_dct", name, &message, error));
  INK_TRY(ink_json_get_number(said, "kept_noise", name, 0, 1, &w->kept, error));
  if (key && (strlen(key) != sizeof w->gaussian_key - 1 ||
              strspn(key, "0123456789abcdef") != sizeof w->gaussian_key - 1)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /watermark/gaussian_shading is no name of a key",
                    name);
  }
  if (message && strcmp(message, "sdxl") != 0) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /watermark/dwt_dct \"%s\" is not known", name,
                    message);
  }
  w->stated = true;
  if (key) memcpy(w->gaussian_key, key, sizeof w->gaussian_key);
  w->dwt_dct = message != NULL;
  return INK_OK;
}

static ink_status get_numbers(const json_t *json, const char *name, ink_paint_recipe *r,
                              ink_error *error) {
  const int64_t most = INT64_C(1) << 53;
  int64_t width = 0, height = 0, steps = 0, skip = 0, seed = 0, stream = 0, cache = 0;
  INK_TRY(ink_json_get_int(json, "width", name, 1, INK_PAINT_MOST_SIDE, &width, error));
  INK_TRY(ink_json_get_int(json, "height", name, 1, INK_PAINT_MOST_SIDE, &height, error));
  INK_TRY(ink_json_get_int(json, "steps", name, 1, INK_PAINT_MOST_STEPS, &steps, error));
  INK_TRY(ink_json_get_int(json, "clip_skip", name, 0, 100, &skip, error));
  INK_TRY(ink_json_get_int(json, "seed", name, 0, most, &seed, error));
  INK_TRY(ink_json_get_int(json, "picture", name, 0, most, &stream, error));
  INK_TRY(ink_json_get_int(json, "cache", name, 0, INK_PAINT_MOST_CACHE, &cache, error));
  INK_TRY(ink_json_get_bool(json, "brownian", name, &r->brownian, error));
  r->width = (int32_t)width;
  r->height = (int32_t)height;
  r->steps = (int32_t)steps;
  r->clip_skip = (int32_t)skip;
  r->seed = (uint64_t)seed;
  r->stream = (uint64_t)stream;
  r->cache = (int32_t)cache;
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

static ink_status get_taesd(const json_t *json, const char *name, ink_paint_recipe *r,
                            ink_error *error) {
  const json_t *taesd = json_object_get(json, "taesd");
  if (!taesd) return INK_OK;
  if (!json_is_object(taesd)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /taesd is no object", name);
  }
  INK_TRY(ink_recipe_set_string(&r->taesd, "", error));
  INK_TRY(get_string(taesd, "name", name, &r->taesd, error));
  return get_hash(taesd, "sha256", name, r->taesd_sha256, error);
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
  INK_TRY(get_taesd(json, name, r, error));
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
  INK_TRY(get_controls(json, name, r, error));
  return get_watermark(json, name, &r->watermark, error);
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
