// Recipes of paintings as the parameters that A1111's readers know.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/json.h"
#include "diffusion/recipe_parts.h"

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

// A file's name without folders and ending, as A1111 names models and plug-ins.
static void add_stem(ink_text *text, const char *path) {
  const char *name = ink_path_name(path), *dot = strrchr(name, '.');
  ink_text_add_bytes(text, name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

// The prompt, and the plug-ins as A1111's readers expect them in it.
static ink_status set_prompt(ink_infotext *info, const ink_paint_recipe *r, ink_error *error) {
  ink_text text = {0};
  ink_text_add(&text, r->prompt ? r->prompt : "");
  for (size_t i = 0; i < r->n_loras; i++) {
    ink_text_add(&text, " <lora:");
    add_stem(&text, r->loras[i].path);
    ink_text_format(&text, ":%.10g>", r->loras[i].weight);
  }
  ink_status status = ink_text_status(&text, error);
  if (status == INK_OK)
    status = ink_recipe_set_string(&info->prompt, ink_text_string(&text), error);
  ink_text_free(&text);
  return status;
}

// The model's name; the ending of a file is not part of it.
static ink_status set_model(ink_infotext *info, const char *model, ink_error *error) {
  static const char *const endings[] = {".safetensors", ".ckpt", ".pt", ".pth", ".bin"};
  size_t size = strlen(model), kept = size;
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    size_t tail = strlen(endings[i]);
    if (size > tail && strcasecmp(model + size - tail, endings[i]) == 0) kept = size - tail;
  }
  ink_text text = {0};
  ink_text_add_bytes(&text, model, kept);
  ink_status status = ink_text_status(&text, error);
  if (status == INK_OK) status = ink_infotext_set(info, "Model", ink_text_string(&text), error);
  ink_text_free(&text);
  return status;
}

static void add_hash(ink_text *text, const char *path, const char *sha256, int digits) {
  if (!sha256[0]) return;
  if (text->size) ink_text_add(text, ", ");
  add_stem(text, path);
  ink_text_format(text, ": %.*s", digits, sha256);
}

// The hashes by which sites that host plug-ins and taught words find them.
static ink_status set_hashes(ink_infotext *info, const ink_paint_recipe *r, ink_error *error) {
  ink_text loras = {0}, words = {0};
  for (size_t i = 0; i < r->n_loras; i++) {
    add_hash(&loras, r->loras[i].path, r->loras[i].content_sha256, 12);
  }
  for (size_t i = 0; i < r->n_words; i++) {
    add_hash(&words, r->words[i].path, r->words[i].sha256, 10);
  }
  ink_status status = ink_text_status(&loras, error);
  if (status == INK_OK) status = ink_text_status(&words, error);
  if (status == INK_OK && loras.size) {
    status = ink_infotext_set(info, "Lora hashes", ink_text_string(&loras), error);
  }
  if (status == INK_OK && words.size) {
    status = ink_infotext_set(info, "TI hashes", ink_text_string(&words), error);
  }
  ink_text_free(&loras);
  ink_text_free(&words);
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
  INK_TRY(ink_recipe_set_string(&info->prompt, "", error));
  INK_TRY(ink_recipe_set_string(&info->negative, "", error));
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
  INK_TRY(ink_recipe_set_string(&info->negative, r->negative, error));
  INK_TRY(set_field(info, error, "Steps", "%d", (int)r->steps));
  INK_TRY(set_field(info, error, "Sampler", "%s", ink_sampler_about(r->sampler)->label));
  INK_TRY(set_field(info, error, "Schedule type", "%s", ink_curve_label(r->curve)));
  INK_TRY(set_field(info, error, "CFG scale", "%.10g", r->guidance_scale));
  INK_TRY(set_field(info, error, "Seed", "%llu", (unsigned long long)r->seed));
  INK_TRY(set_field(info, error, "Size", "%dx%d", (int)r->width, (int)r->height));
  if (r->model_sha256[0]) {
    INK_TRY(set_field(info, error, "Model hash", "%.10s", r->model_sha256));
  }
  if (r->model) INK_TRY(set_model(info, r->model, error));
  if (r->init_sha256[0] && r->hires_scale == 0) {
    INK_TRY(set_field(info, error, "Denoising strength", "%.10g", r->strength));
  }
  INK_TRY(set_more(info, r, error));
  INK_TRY(set_controls(info, r, error));
  if (r->taesd) INK_TRY(ink_infotext_set(info, "VAE Decoder", "TAESD", error));
  if (r->clip_skip) INK_TRY(set_field(info, error, "Clip skip", "%d", (int)r->clip_skip + 1));
  INK_TRY(set_hashes(info, r, error));
  INK_TRY(set_field(info, error, "RNG", "%s", generators[r->noise]));
  if (r->brownian) INK_TRY(ink_infotext_set(info, "Noise sampler", "Brownian tree", error));
  if (r->cache > 1) INK_TRY(set_field(info, error, "Step caching", "%d", (int)r->cache));
  return set_field(info, error, "Version", "inkstone %s", INKSTONE_VERSION);
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
  if (text && !ink_sampler_parse_scheduled(text, &r->sampler, &r->curve, &r->has_curve)) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "the sampler \"%s\" is not known; choose another",
                    text);
  }
  r->has_sampler = text != NULL;
  if (type && ink_curve_parse(type, &r->curve)) r->has_curve = r->curve != INK_CURVE_SPACED;
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
  return network ? ink_recipe_set_string(&r->hires_upscaler, upscaler, error) : INK_OK;
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
                                       "Noise sampler",
                                       "Step caching",
                                       "Lora hashes",
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
  double steps = 20, seed = 0, skip = 1, variation_seed = 0, cache = 0;
  r->guidance_scale = 7;
  r->strength = 0.75;
  r->eta = (double)NAN;
  INK_TRY(ink_recipe_set_string(&r->prompt, info->prompt, error));
  INK_TRY(ink_paint_recipe_take_tags(r, error));
  INK_TRY(ink_recipe_set_string(&r->negative, info->negative, error));
  const char *model = ink_infotext_get(info, "Model");
  if (model) INK_TRY(ink_recipe_set_string(&r->model, model, error));
  INK_TRY(number_of(info, "Steps", 1, INK_PAINT_MOST_STEPS, &steps, error));
  INK_TRY(number_of(info, "CFG scale", 0, 100, &r->guidance_scale, error));
  INK_TRY(number_of(info, "Seed", 0, 0x1p53, &seed, error));
  INK_TRY(number_of(info, "Variation seed", 0, 0x1p53, &variation_seed, error));
  INK_TRY(number_of(info, "Variation seed strength", 0, 1, &r->variation, error));
  r->variation_seed = (uint64_t)variation_seed;
  INK_TRY(number_of(info, "Clip skip", 1, 100, &skip, error));
  INK_TRY(number_of(info, "Step caching", 0, INK_PAINT_MOST_CACHE, &cache, error));
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
  r->cache = (int32_t)cache;
  // A1111 draws so for every sampler of the SDE and does not say it.
  const char *version = ink_infotext_get(info, "Version");
  bool ours = version && strncmp(version, "inkstone", 8) == 0;
  r->brownian = ours ? ink_infotext_get(info, "Noise sampler") != NULL
                     : r->has_sampler && ink_sampler_about(r->sampler)->sde;
  list_left(info, left);
  return ink_text_status(left, error);
}
