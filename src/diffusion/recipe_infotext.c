// Recipes of paintings as the parameters that A1111's readers know, and as ComfyUI's graph.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "diffusion/recipe_parts.h"

// Schedules by the names that A1111 has for them.
static const char *const curve_labels[INK_CURVE_COUNT] = {
    "Automatic", "Karras",           "Exponential",         "Beta",    "SGM Uniform",
    "Simple",    "Align Your Steps", "Align Your Steps XL", "Trailing"};

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
  if (status == INK_OK)
    status = ink_recipe_set_string(&info->prompt, ink_text_string(&text), error);
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
  if (r->taesd) INK_TRY(ink_infotext_set(info, "VAE Decoder", "TAESD", error));
  if (r->clip_skip) INK_TRY(set_field(info, error, "Clip skip", "%d", (int)r->clip_skip + 1));
  INK_TRY(set_field(info, error, "RNG", "%s", generators[r->noise]));
  if (r->brownian) INK_TRY(ink_infotext_set(info, "Noise sampler", "Brownian tree", error));
  if (r->cache > 1) INK_TRY(set_field(info, error, "Step caching", "%d", (int)r->cache));
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
                                                          "dpmpp_sde",
                                                          "dpmpp_3m_sde",
                                                          "ddim",
                                                          NULL,
                                                          "uni_pc",
                                                          "lcm",
                                                          NULL};
  static const char *const curves[INK_CURVE_COUNT] = {
      "normal", "karras", "exponential", "beta", "sgm_uniform", "simple", NULL, NULL, NULL};
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
