// The options of inkstone paint, and how they are laid over a recipe.
#include "cli/paint_options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "cli/paint_words.h"
#include "lang/catalogue.h"
#include "picture/codec.h"

enum {
  MODEL,
  THREADS,
  OUTPUT,
  SIZE,
  STEPS,
  CFG,
  CFG_RESCALE,
  SAMPLER,
  SCHEDULE,
  ETA,
  NEGATIVE,
  SEED,
  COUNT,
  GRID,
  VARIATION,
  NOISE,
  BROWNIAN,
  CACHE,
  CLIP_SKIP,
  INIT,
  MASK,
  STRENGTH,
  EXTEND,
  HIRES,
  UPSCALE,
  LORA,
  LORA_DIR,
  LORA_PARTIAL,
  EMBEDDING,
  EMBEDDING_DIR,
  CONTROL,
  CONTROL_MODEL,
  TAESD,
  TAESD_DECODE,
  FROM,
  QUALITY,
  LOSSLESS,
  BF16,
  RAM,
  SHOW,
  PREVIEW,
  UNMARKED,
  WATERMARK,
  PRODUCER,
  KEY,
  CERTIFICATES,
  PASSPHRASE,
  TIMESTAMP,
  TRAINING,
  JSON,
  N_OPTIONS
};
_Static_assert((int)N_OPTIONS == (int)INK_PAINT_N_OPTIONS, "every option has its place");

static ink_option text(const char *name, const char **value, const char *argument,
                       const char *help) {
  return (ink_option){
      .name = name, .kind = INK_OPTION_STRING, .value = value, .argument = argument, .help = help};
}

static ink_option list(const char *name, ink_string_list *value, const char *argument,
                       const char *help) {
  return (ink_option){
      .name = name, .kind = INK_OPTION_LIST, .value = value, .argument = argument, .help = help};
}

static ink_option whole(const char *name, int64_t *value, double low, double high,
                        const char *help) {
  return (ink_option){.name = name,
                      .kind = INK_OPTION_INT,
                      .value = value,
                      .argument = "N",
                      .help = help,
                      .low = low,
                      .high = high};
}

static ink_option number(const char *name, double *value, double low, double high,
                         const char *help) {
  return (ink_option){.name = name,
                      .kind = INK_OPTION_NUMBER,
                      .value = value,
                      .argument = "X",
                      .help = help,
                      .low = low,
                      .high = high};
}

static ink_option flag(const char *name, bool *value, const char *help) {
  return (ink_option){.name = name, .kind = INK_OPTION_FLAG, .value = value, .help = help};
}

// ---- values, for shells -------------------------------------------------------------------------

static const char *noise_at(int i) {
  return i < INK_NOISE_COUNT ? ink_noise_name((ink_noise_kind)i) : NULL;
}

static const char *watermark_at(int i) {
  static const char *const names[] = {"gaussian", "public", "dwtdct", "none"};
  return i < 4 ? names[i] : NULL;
}

// The kinds that people know ControlNets by; all but canny are given as the network sees them.
static const char *const control_kinds[] = {"canny",    "depth",  "scribble", "lineart",
                                            "softedge", "normal", "pose",     "seg",
                                            "mlsd",     "tile",   "shuffle",  "image"};

void ink_paint_options(ink_paint_arguments *a, ink_option o[INK_PAINT_N_OPTIONS]) {
  o[MODEL] = text("model", &a->model, "M", "model: a folder, a file, a name or ORG/REPO");
  o[MODEL].letter = 'm';
  o[THREADS] = ink_option_threads(&a->threads);
  o[OUTPUT] = text("output", &a->output, "FILE", "write to this .png, .jpg or .webp (out.png)");
  o[OUTPUT].letter = 'o';
  o[SIZE] = text("size", &a->size, "WxH",
                 "size in pixels (default: the model's own, in the form of --init)");
  o[STEPS] = whole("steps", &a->steps, 1, INK_PAINT_MOST_STEPS, "steps (default 20)");
  o[CFG] = number("cfg", &a->cfg, 0, 100,
                  "how closely to follow the prompt (default: the model's own, or 7.5; 1: not)");
  o[CFG_RESCALE] =
      number("cfg-rescale", &a->cfg_rescale, 0, 1, "keep contrast under strong guidance (0 … 1)");
  o[SAMPLER] = text("sampler", &a->sampler, "S", "euler, euler-a, heun, dpm2, dpm++2m, unipc, …");
  o[SCHEDULE] = text("schedule", &a->schedule, "S", "default, karras, exponential, beta, ays, …");
  o[ETA] = number("eta", &a->eta, 0, 1, "noise of stochastic samplers and DDIM");
  o[NEGATIVE] = text("negative", &a->negative, "P", "what the picture should not show");
  o[SEED] =
      whole("seed", &a->seed, -1, 0x1p53, "seed of the draws (-1: a fresh one, which is printed)");
  o[SEED].letter = 's';
  o[COUNT] = whole("count", &a->count, 1, 1000, "so many pictures");
  o[GRID] = flag("grid", &a->grid, "with --count: all of them side by side, too");
  o[VARIATION] = text("variation", &a->variation, "SEED:X",
                      "turn the noise towards that of another seed, by a share of 0 … 1");
  o[NOISE] = text("noise", &a->noise, "G", "own, cpu (as diffusers), cuda (as A1111)");
  o[BROWNIAN] = flag("brownian", &a->brownian,
                     "SDE samplers draw from one Brownian path, as A1111 and ComfyUI do");
  o[CACHE] =
      whole("cache", &a->cache, 0, INK_PAINT_MOST_CACHE,
            "compute the UNet's deep part in one step of N (5: about twice as fast; 0: all)");
  o[CLIP_SKIP] = whole("clip-skip", &a->clip_skip, 0, 100, "leave out last layers of the text");
  o[INIT] = text("init", &a->init, "FILE", "begin from this picture");
  o[MASK] = text("mask", &a->mask, "FILE", "paint anew where this picture is white");
  o[STRENGTH] = number("strength", &a->strength, 0, 1, "how far to leave the picture (0.75)");
  o[EXTEND] = text("extend", &a->extend, "T,R,B,L",
                   "paint margins around --init: pixels at top, right, bottom, left");
  o[HIRES] = text("hires", &a->hires, "X[:S[:U]]",
                  "enlarge by X and paint over with strength S; upscaler U (Lanczos)");
  o[UPSCALE] = text("upscale", &a->upscale, "MODEL",
                    "only enlarge the picture that is named instead of a prompt, by ESRGAN");
  o[LORA] = list("lora", &a->loras, "F:W", "plug-in file and weight; may be repeated");
  o[LORA_DIR] = text("lora-dir", &a->lora_dir, "DIR",
                     "where <lora:NAME:WEIGHT> in a prompt finds NAME (models' folder loras)");
  o[LORA_PARTIAL] = flag("lora-partial", &a->lora_partial,
                         "leave out what of a plug-in fits nothing, instead of refusing it");
  o[EMBEDDING] = list("embedding", &a->embeddings, "F:W",
                      "taught word: file, and the word if it is another; may be repeated");
  o[EMBEDDING_DIR] = text("embedding-dir", &a->embedding_dir, "DIR",
                          "where --embedding finds names (models' folder embeddings)");
  o[CONTROL] = list("control", &a->controls, "K:FILE",
                    "picture to be led by: KIND:FILE[:WEIGHT[:FROM-TO]]; may be repeated");
  o[CONTROL_MODEL] =
      list("control-model", &a->control_models, "M", "ControlNet for --control; may be repeated");
  o[TAESD] = text("taesd", &a->taesd, "M",
                  "tiny autoencoder for --preview; for the picture too with --taesd-decode");
  o[TAESD_DECODE] = flag("taesd-decode", &a->taesd_decode,
                         "decode the picture with --taesd too: quick, rougher (as "
                         "stable-diffusion.cpp's --taesd)");
  o[FROM] = text("from", &a->from, "FILE", "repeat the picture in this file; flags change it");
  o[QUALITY] = whole("quality", &a->quality, 1, 100, "quality of JPEG and WebP (default 92)");
  o[LOSSLESS] = flag("lossless", &a->lossless, "lossless WebP");
  o[BF16] = flag("bf16", &a->bf16, "compute in 16 bits: faster, slightly other pictures");
  o[RAM] = text("ram", &a->ram, "SIZE", "memory to stay within beside the mapped model: 2G, 800M");
  o[SHOW] = flag("show", &a->show, "show the picture in the terminal");
  o[PREVIEW] = flag("preview", &a->preview, "show the picture while it is painted");
  o[UNMARKED] =
      flag("unmarked", &a->unmarked, "leave out the labels that the law may ask for (EU, China)");
  o[WATERMARK] = text("watermark", &a->watermark, "W",
                      "gaussian (in the noise; default), public (found by anyone), dwtdct, none");
  o[PRODUCER] = text("producer", &a->producer, "NAME",
                     "provider code or name for the metadata label (default: inkstone)");
  o[KEY] = (ink_option)INK_KEY_OPTION(&a->signing);
  o[CERTIFICATES] = (ink_option)INK_CERTIFICATES_OPTION(&a->signing);
  o[PASSPHRASE] = (ink_option)INK_PASSPHRASE_OPTION(&a->signing);
  o[TIMESTAMP] = (ink_option)INK_TIMESTAMP_OPTION(&a->signing);
  o[TRAINING] = (ink_option)INK_TRAINING_OPTION(&a->signing);
  o[JSON] = flag("json", &a->json, "print one JSON object");
  o[SAMPLER].value_at = ink_paint_sampler_at;
  o[SCHEDULE].value_at = ink_paint_schedule_at;
  o[NOISE].value_at = noise_at;
  o[WATERMARK].value_at = watermark_at;
}

// ---- the recipe ---------------------------------------------------------------------------------

static ink_status replace(char **to, const char *text_, ink_error *error) {
  char *copy = strdup(text_);
  if (!copy) return ink_fail(error, INK_ERR_MEMORY, "no memory for a recipe");
  free(*to);
  *to = copy;
  return INK_OK;
}

static ink_status read_parameters(const char *words, ink_paint_recipe *recipe, ink_text *left,
                                  ink_error *error) {
  ink_infotext info;
  INK_TRY(ink_infotext_parse(words, &info, error));
  ink_status status = ink_paint_recipe_from_infotext(&info, recipe, left, error);
  ink_infotext_free(&info);
  return status;
}

static ink_status read_graph(const char *words, const char *path, ink_paint_recipe *recipe,
                             ink_text *left, ink_error *error) {
  json_t *json = NULL;
  INK_TRY(ink_json_parse(words, strlen(words), path, &json, error));
  ink_status status = ink_paint_recipe_from_comfyui(json, path, recipe, left, error);
  json_decref(json);
  return status;
}

// The recipe within a picture: our own, or else A1111's parameters, or else ComfyUI's graph.
ink_status ink_paint_read_recipe(const char *path, ink_paint_recipe *recipe, ink_error *error) {
  ink_picture picture;
  ink_picture_extras extras = {0};
  INK_TRY(ink_picture_load(path, NULL, &picture, &extras, error));
  ink_picture_free(&picture);
  const char *own = ink_picture_note(&extras, "inkstone");
  const char *parameters = ink_picture_note(&extras, "parameters");
  const char *graph = ink_picture_note(&extras, "prompt");
  ink_text left = {0};
  ink_status status;
  if (own) {
    json_t *json = NULL;
    status = ink_json_parse(own, strlen(own), path, &json, error);
    if (status == INK_OK) status = ink_paint_recipe_from_json(json, path, recipe, error);
    json_decref(json);
  } else if (parameters) {
    status = read_parameters(parameters, recipe, &left, error);
  } else if (graph) {
    status = read_graph(graph, path, recipe, &left, error);
  } else {
    status = ink_fail(error, INK_ERR_NOT_FOUND, "%s: the picture holds no recipe", path);
  }
  if (status == INK_OK && left.size) {
    fprintf(stderr, ink_tr("%s: not obeyed: %s\n"), path, ink_text_string(&left));
  }
  ink_text_free(&left);
  ink_picture_extras_free(&extras);
  return status;
}

static ink_status lay_numbers(const ink_paint_arguments *a, const ink_option *o, const char *prompt,
                              ink_paint_recipe *r, ink_error *error) {
  if (prompt) INK_TRY(replace(&r->prompt, prompt, error));
  if (a->negative) INK_TRY(replace(&r->negative, a->negative, error));
  if (a->model) INK_TRY(replace(&r->model, a->model, error));
  if (!r->model) INK_TRY(replace(&r->model, "painter", error));
  int width = 0, height = 0, end = 0;
  if (a->size && (sscanf(a->size, "%9dx%9d%n", &width, &height, &end) != 2 || a->size[end] ||
                  width < 1 || height < 1)) {
    return ink_fail(error, INK_ERR_USAGE, "--size takes WIDTHxHEIGHT, such as 512x768, not \"%s\"",
                    a->size);
  }
  if (a->size) {
    r->width = width;
    r->height = height;
  }
  INK_TRY(ink_paint_set_sampler(a, r, error));
  if (a->noise && !ink_noise_parse(a->noise, &r->noise)) {
    return ink_fail(error, INK_ERR_USAGE, "--noise is own, cpu or cuda, not \"%s\"", a->noise);
  }
  if (o[STEPS].given) r->steps = (int32_t)a->steps;
  if (o[CFG].given) r->guidance_scale = a->cfg;
  if (o[CFG_RESCALE].given) r->guidance_rescale = a->cfg_rescale;
  if (o[ETA].given) r->eta = a->eta;
  if (o[CLIP_SKIP].given) r->clip_skip = (int32_t)a->clip_skip;
  if (o[STRENGTH].given) r->strength = a->strength;
  if (o[BF16].given) r->bf16 = a->bf16;
  if (o[BROWNIAN].given) r->brownian = a->brownian;
  if (o[CACHE].given) r->cache = (int32_t)a->cache;
  if (o[SEED].given || !a->from) {
    r->seed = a->seed >= 0 ? (uint64_t)a->seed : ink_random_fresh_seed();
    r->stream = 0;
  }
  return INK_OK;
}

ink_status ink_paint_read_bytes(const char *text_, size_t *bytes, ink_error *error) {
  static const struct {
    const char *unit;
    double factor;
  } units[] = {{"", 1},         {"b", 1},       {"k", 0x1p10},  {"kb", 0x1p10},
               {"kib", 0x1p10}, {"m", 0x1p20},  {"mb", 0x1p20}, {"mib", 0x1p20},
               {"g", 0x1p30},   {"gb", 0x1p30}, {"gib", 0x1p30}};
  char *rest;
  double value = strtod(text_, &rest);
  while (*rest == ' ') rest++;
  for (size_t i = 0; rest != text_ && i < sizeof units / sizeof *units; i++) {
    double all = value * units[i].factor;
    if (strcasecmp(rest, units[i].unit) != 0 || !(all >= 1 && all < 0x1p60)) continue;
    *bytes = (size_t)all;
    return INK_OK;
  }
  return ink_fail(error, INK_ERR_USAGE, "\"%s\" is no amount of memory; write 2G or 800M", text_);
}

// "SEED:STRENGTH".
static ink_status set_variation(const ink_paint_arguments *a, ink_paint_recipe *r,
                                ink_error *error) {
  if (!a->variation) return INK_OK;
  unsigned long long seed;
  int end = 0;
  double share;
  if (sscanf(a->variation, "%16llu:%lf%n", &seed, &share, &end) != 2 || a->variation[end] ||
      !(share >= 0 && share <= 1) || seed > 1ULL << 53) {
    return ink_fail(error, INK_ERR_USAGE,
                    "--variation takes SEED:STRENGTH with a strength of 0 to 1, not \"%s\"",
                    a->variation);
  }
  r->variation_seed = seed;
  r->variation = share;
  return INK_OK;
}

static ink_status set_extend(const ink_paint_arguments *a, const ink_option *o, ink_paint_recipe *r,
                             ink_error *error) {
  if (!a->extend) return INK_OK;
  if (a->mask) {
    return ink_fail(error, INK_ERR_USAGE,
                    "--extend makes its own mask; paint the margins first, and then the part");
  }
  if (!a->init && !r->init_sha256[0]) {
    return ink_fail(error, INK_ERR_USAGE, "--extend needs the picture to extend: --init FILE");
  }
  INK_TRY(ink_margins_parse(a->extend, &r->extend, error));
  // New margins are painted whole, and the size is that of the canvas.
  if (!o[STRENGTH].given) r->strength = 1;
  if (!a->size) r->width = r->height = 0;
  return INK_OK;
}

// "SCALE[:STRENGTH[:UPSCALER]]".
static ink_status set_hires(const ink_paint_arguments *a, ink_paint_recipe *r, ink_error *error) {
  if (!a->hires) return INK_OK;
  double scale, strength = 0.5;
  int end = 0, more = 0;
  bool fine = sscanf(a->hires, "%lf%n", &scale, &end) == 1;
  const char *rest = a->hires + end;
  if (fine && *rest == ':' && sscanf(rest, ":%lf%n", &strength, &more) == 1) rest += more;
  if (!fine || (*rest && (*rest != ':' || !rest[1])) || !(scale > 1 && scale <= 8) ||
      !(strength > 0 && strength <= 1)) {
    return ink_fail(error, INK_ERR_USAGE,
                    "--hires takes SCALE[:STRENGTH[:UPSCALER]], a scale above 1 up to 8 and a "
                    "strength up to 1, not \"%s\"",
                    a->hires);
  }
  r->hires_scale = scale;
  r->hires_strength = strength;
  free(r->hires_upscaler);
  r->hires_upscaler = NULL;
  r->hires_sha256[0] = 0;
  bool network = *rest && strcasecmp(rest + 1, "lanczos") != 0;
  return network ? replace(&r->hires_upscaler, rest + 1, error) : INK_OK;
}

// "FILE:WEIGHT" or "FILE"; they stand in place of the recipe's.
static ink_status set_loras(const ink_paint_arguments *a, ink_paint_recipe *r, ink_error *error) {
  for (size_t i = 0; i < r->n_loras && a->loras.n; i++) free(r->loras[i].path);
  if (a->loras.n) r->n_loras = 0;
  for (size_t i = 0; i < a->loras.n; i++) {
    if (r->n_loras == INK_PAINT_MOST_LORAS) {
      return ink_fail(error, INK_ERR_USAGE, "at most %d plug-ins", INK_PAINT_MOST_LORAS);
    }
    ink_paint_recipe_lora *lora = &r->loras[r->n_loras];
    *lora = (ink_paint_recipe_lora){0};
    INK_TRY(replace(&lora->path, a->loras.items[i], error));
    r->n_loras++;
    lora->weight = 1;
    char *colon = strrchr(lora->path, ':'), *end = NULL;
    double weight = colon ? strtod(colon + 1, &end) : 1;
    if (colon && end != colon + 1 && !*end) {
      lora->weight = weight;
      *colon = 0;
    }
  }
  return INK_OK;
}

// "FILE:WORD" or "FILE"; they stand in place of the recipe's.
static ink_status set_words(const ink_paint_arguments *a, ink_paint_recipe *r, ink_error *error) {
  for (size_t i = 0; i < r->n_words && a->embeddings.n; i++) {
    free(r->words[i].path);
    free(r->words[i].word);
  }
  if (a->embeddings.n) r->n_words = 0;
  for (size_t i = 0; i < a->embeddings.n; i++) {
    ink_paint_recipe_word *word = &r->words[r->n_words];
    *word = (ink_paint_recipe_word){0};
    INK_TRY(replace(&word->path, a->embeddings.items[i], error));
    r->n_words++;
    char *colon = strrchr(word->path, ':');
    if (!colon || !colon[1] || ink_file_exists(word->path)) continue;
    INK_TRY(replace(&word->word, colon + 1, error));
    *colon = 0;
  }
  return INK_OK;
}

// ---- pictures to be led by ----------------------------------------------------------------------

static bool is_control_kind(const char *name, size_t size) {
  for (size_t i = 0; i < sizeof control_kinds / sizeof *control_kinds; i++) {
    if (strlen(control_kinds[i]) == size && memcmp(control_kinds[i], name, size) == 0) return true;
  }
  return false;
}

static ink_status unknown_kind(const char *flag_, ink_error *error) {
  ink_text names = {0};
  for (size_t i = 0; i < sizeof control_kinds / sizeof *control_kinds; i++) {
    ink_text_format(&names, "%s%s", i ? ", " : "", control_kinds[i]);
  }
  ink_status status =
      ink_fail(error, INK_ERR_USAGE,
               "--control takes KIND:FILE[:WEIGHT[:FROM-TO]], not \"%s\"; kinds are %s", flag_,
               ink_text_string(&names));
  ink_text_free(&names);
  return status;
}

// Take "FROM-TO" and then "WEIGHT" off the end of a path.
static void read_tail(ink_paint_control_flag *out) {
  double start, end, weight;
  int all = 0;
  char *colon = strrchr(out->path, ':');
  if (colon && sscanf(colon + 1, "%lf-%lf%n", &start, &end, &all) == 2 && !colon[1 + all]) {
    out->start = start;
    out->end = end;
    *colon = 0;
    colon = strrchr(out->path, ':');
  }
  if (colon && sscanf(colon + 1, "%lf%n", &weight, &all) == 1 && !colon[1 + all]) {
    out->weight = weight;
    *colon = 0;
  }
}

ink_status ink_paint_read_control(const char *flag_, ink_paint_control_flag *out,
                                  ink_error *error) {
  *out = (ink_paint_control_flag){.weight = (double)NAN, .start = (double)NAN, .end = (double)NAN};
  const char *colon = strchr(flag_, ':');
  size_t size = colon ? (size_t)(colon - flag_) : 0;
  if (!colon || !colon[1] || !is_control_kind(flag_, size)) return unknown_kind(flag_, error);
  memcpy(out->kind, flag_, size);
  out->path = strdup(colon + 1);
  if (!out->path) return ink_fail(error, INK_ERR_MEMORY, "no memory for a recipe");
  read_tail(out);
  return INK_OK;
}

static ink_status set_control(const char *flag_, ink_paint_recipe_control *control,
                              ink_error *error) {
  ink_paint_control_flag read;
  INK_TRY(ink_paint_read_control(flag_, &read, error));
  ink_status status = replace(&control->kind, read.kind, error);
  if (!isnan(read.weight)) control->weight = read.weight;
  if (!isnan(read.start)) control->start = read.start;
  if (!isnan(read.end)) control->end = read.end;
  free(read.path);
  return status;
}

// One network for all, or one for each.
static ink_status set_controls(const ink_paint_arguments *a, ink_paint_recipe *r,
                               ink_error *error) {
  size_t n = a->controls.n, n_model = a->control_models.n;
  if (n > INK_PAINT_MOST_CONTROLS) {
    return ink_fail(error, INK_ERR_USAGE, "at most %d pictures to be led by",
                    INK_PAINT_MOST_CONTROLS);
  }
  if (n && r->n_controls && n != r->n_controls) {
    return ink_fail(error, INK_ERR_USAGE,
                    "the picture was led by %zu others; give as many with --control",
                    r->n_controls);
  }
  for (; r->n_controls < n; r->n_controls++) {
    r->controls[r->n_controls] = (ink_paint_recipe_control){.weight = 1, .end = 1};
  }
  for (size_t i = 0; i < n; i++) {
    INK_TRY(set_control(a->controls.items[i], &r->controls[i], error));
  }
  if (n_model > 1 && n_model != r->n_controls) {
    return ink_fail(error, INK_ERR_USAGE,
                    "%zu of --control-model for %zu of --control; give one, or one for each",
                    n_model, r->n_controls);
  }
  for (size_t i = 0; n_model && i < r->n_controls; i++) {
    INK_TRY(replace(&r->controls[i].model, a->control_models.items[n_model > 1 ? i : 0], error));
  }
  for (size_t i = 0; i < r->n_controls; i++) {
    if (r->controls[i].model && r->controls[i].model[0]) continue;
    return ink_fail(error, INK_ERR_USAGE,
                    "--control needs a ControlNet: name its folder, file or ORG/REPO with "
                    "--control-model");
  }
  return INK_OK;
}

// ---- the tiny autoencoder -----------------------------------------------------------------------

// The recipe knows it only where it decodes the picture.
static ink_status set_taesd(const ink_paint_arguments *a, const ink_option *o, ink_paint_recipe *r,
                            ink_error *error) {
  if (o[TAESD_DECODE].given && !a->taesd_decode) {
    free(r->taesd);
    r->taesd = NULL;
    r->taesd_sha256[0] = 0;
  }
  if (a->taesd_decode && !a->taesd && !r->taesd) {
    return ink_fail(error, INK_ERR_USAGE,
                    "--taesd-decode needs the tiny autoencoder; name it with --taesd");
  }
  if (a->taesd && !a->preview && !a->taesd_decode && !r->taesd) {
    return ink_fail(error, INK_ERR_USAGE,
                    "--taesd decodes what --preview shows; add that, or --taesd-decode to decode "
                    "the picture itself with it");
  }
  bool decodes = a->taesd_decode || r->taesd;
  return a->taesd && decodes ? replace(&r->taesd, a->taesd, error) : INK_OK;
}

// ---- all ----------------------------------------------------------------------------------------

// Flags that only mean something beside others: nothing is passed over in silence.
static ink_status check_together(const ink_paint_arguments *a, const ink_option *o,
                                 const ink_paint_recipe *r, ink_error *error) {
  if (o[STRENGTH].given && !a->init && !r->init_sha256[0]) {
    return ink_fail(error, INK_ERR_USAGE,
                    r->hires_scale > 0
                        ? "--strength is that of --init; --hires takes its own: SCALE:STRENGTH"
                        : "--strength needs the picture to begin from: --init FILE");
  }
  if (a->mask && !a->init && !r->init_sha256[0]) {
    return ink_fail(error, INK_ERR_USAGE, "--mask needs the picture to begin from: --init FILE");
  }
  return INK_OK;
}

ink_status ink_paint_lay_over(const ink_paint_arguments *arguments, const ink_option *options,
                              const char *prompt, ink_paint_recipe *recipe, ink_error *error) {
  if (recipe->upscaled) {
    return ink_fail(error, INK_ERR_USAGE,
                    "the picture was only enlarged; enlarge it again with --upscale %s PICTURE",
                    recipe->model ? recipe->model : "MODEL");
  }
  INK_TRY(lay_numbers(arguments, options, prompt, recipe, error));
  INK_TRY(set_variation(arguments, recipe, error));
  INK_TRY(set_extend(arguments, options, recipe, error));
  INK_TRY(set_hires(arguments, recipe, error));
  INK_TRY(set_loras(arguments, recipe, error));
  INK_TRY(ink_paint_recipe_take_tags(recipe, error));
  INK_TRY(set_words(arguments, recipe, error));
  INK_TRY(set_taesd(arguments, options, recipe, error));
  INK_TRY(ink_paint_check_prompts(recipe, error));
  INK_TRY(check_together(arguments, options, recipe, error));
  return set_controls(arguments, recipe, error);
}
