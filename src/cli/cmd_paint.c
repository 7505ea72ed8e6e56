// inkstone paint: pictures from words, from pictures, and parts of pictures anew.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "cli/cli.h"
#include "cli/painted.h"
#include "diffusion/recipe.h"
#include "lang/catalogue.h"
#include "models/stable_diffusion.h"
#include "picture/codec.h"
#include "weights/hub.h"
#include "weights/weights.h"

// What the command line says, before it is laid over a recipe.
typedef struct arguments {
  const char *model, *output, *size, *sampler, *schedule, *negative, *noise, *init, *mask, *from;
  const char *producer;
  ink_signing_options signing;
  int64_t threads, steps, seed, count, clip_skip, quality;
  double cfg, cfg_rescale, eta, strength;
  ink_string_list loras;
  bool bf16, lossless, json, show, unmarked;
} arguments;

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
  NOISE,
  CLIP_SKIP,
  INIT,
  MASK,
  STRENGTH,
  LORA,
  FROM,
  QUALITY,
  LOSSLESS,
  BF16,
  SHOW,
  UNMARKED,
  PRODUCER,
  PASSPHRASE,
  JSON,
  N_OPTIONS
};

static ink_option text(const char *name, const char **value, const char *argument,
                       const char *help) {
  return (ink_option){
      .name = name, .kind = INK_OPTION_STRING, .value = value, .argument = argument, .help = help};
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

static void describe(arguments *a, ink_option o[N_OPTIONS]) {
  o[MODEL] = text("model", &a->model, "M", "model: a folder, a file, a name or ORG/REPO");
  o[MODEL].letter = 'm';
  o[THREADS] = whole("threads", &a->threads, 1, 256, "threads (default: one per processor)");
  o[THREADS].letter = 't';
  o[OUTPUT] = text("output", &a->output, "FILE", "write to this .png, .jpg or .webp (out.png)");
  o[OUTPUT].letter = 'o';
  o[SIZE] = text("size", &a->size, "WxH", "size in pixels (default: the model's own)");
  o[STEPS] = whole("steps", &a->steps, 1, INK_PAINT_MOST_STEPS, "steps (default 20)");
  o[CFG] = number("cfg", &a->cfg, 0, 100, "how closely to follow the prompt (default 7.5; 1: not)");
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
  o[NOISE] = text("noise", &a->noise, "G", "own, cpu (as diffusers), cuda (as A1111)");
  o[CLIP_SKIP] = whole("clip-skip", &a->clip_skip, 0, 100, "leave out last layers of the text");
  o[INIT] = text("init", &a->init, "FILE", "begin from this picture");
  o[MASK] = text("mask", &a->mask, "FILE", "paint anew where this picture is white");
  o[STRENGTH] = number("strength", &a->strength, 0, 1, "how far to leave the picture (0.75)");
  o[LORA] = (ink_option){.name = "lora",
                         .kind = INK_OPTION_LIST,
                         .value = &a->loras,
                         .argument = "F:W",
                         .help = "plug-in file and weight; may be repeated"};
  o[FROM] = text("from", &a->from, "FILE", "repeat the picture in this file; flags change it");
  o[QUALITY] = whole("quality", &a->quality, 1, 100, "quality of JPEG and WebP (default 92)");
  o[LOSSLESS] = flag("lossless", &a->lossless, "lossless WebP");
  o[BF16] = flag("bf16", &a->bf16, "compute in 16 bits: faster, slightly other pictures");
  o[SHOW] = flag("show", &a->show, "show the picture in the terminal");
  o[UNMARKED] =
      flag("unmarked", &a->unmarked, "leave out the labels that the law may ask for (EU, China)");
  o[PRODUCER] = text("producer", &a->producer, "NAME",
                     "provider code or name for the metadata label (default: inkstone)");
  o[PASSPHRASE] = (ink_option)INK_PASSPHRASE_OPTION(&a->signing);
  o[JSON] = flag("json", &a->json, "print one JSON object");
}

// ---- the recipe ---------------------------------------------------------------------------------

static ink_status replace(char **to, const char *text_, ink_error *error) {
  char *copy = strdup(text_);
  if (!copy) return ink_fail(error, INK_ERR_MEMORY, "no memory for a recipe");
  free(*to);
  *to = copy;
  return INK_OK;
}

// The recipe within a picture: our own, or else A1111's parameters.
static ink_status read_recipe(const char *path, ink_paint_recipe *recipe, ink_error *error) {
  ink_picture picture;
  ink_picture_extras extras = {0};
  INK_TRY(ink_picture_load(path, NULL, &picture, &extras, error));
  ink_picture_free(&picture);
  const char *own = ink_picture_note(&extras, "inkstone");
  const char *foreign = ink_picture_note(&extras, "parameters");
  ink_status status;
  if (own) {
    json_t *json = NULL;
    status = ink_json_parse(own, strlen(own), path, &json, error);
    if (status == INK_OK) status = ink_paint_recipe_from_json(json, path, recipe, error);
    json_decref(json);
  } else if (foreign) {
    ink_infotext info;
    ink_text left = {0};
    status = ink_infotext_parse(foreign, &info, error);
    if (status == INK_OK) status = ink_paint_recipe_from_infotext(&info, recipe, &left, error);
    if (status == INK_OK && left.size) {
      fprintf(stderr, ink_tr("%s: not obeyed: %s\n"), path, ink_text_string(&left));
    }
    ink_text_free(&left);
    ink_infotext_free(&info);
  } else {
    status = ink_fail(error, INK_ERR_NOT_FOUND, "%s: the picture holds no recipe", path);
  }
  ink_picture_extras_free(&extras);
  return status;
}

static ink_status lay_over(const arguments *a, const ink_option *o, const char *prompt,
                           ink_paint_recipe *r, ink_error *error) {
  if (prompt) INK_TRY(replace(&r->prompt, prompt, error));
  if (a->negative) INK_TRY(replace(&r->negative, a->negative, error));
  if (a->model) INK_TRY(replace(&r->model, a->model, error));
  if (!r->model) INK_TRY(replace(&r->model, "painter", error));
  int width = 0, height = 0, end = 0;
  if (a->size && (sscanf(a->size, "%5dx%5d%n", &width, &height, &end) != 2 || a->size[end])) {
    return ink_fail(error, INK_ERR_USAGE, "--size takes WIDTHxHEIGHT, not \"%s\"", a->size);
  }
  if (a->size) {
    r->width = width;
    r->height = height;
  }
  if (a->sampler && !(r->has_sampler = ink_sampler_parse(a->sampler, &r->sampler))) {
    ink_text names = {0};
    for (int i = 0; i < INK_SAMPLER_COUNT; i++) {
      ink_text_format(&names, " %s", ink_sampler_about((ink_sampler_kind)i)->name);
    }
    ink_status status = ink_fail(error, INK_ERR_USAGE, "no sampler \"%s\"; there are%s", a->sampler,
                                 ink_text_string(&names));
    ink_text_free(&names);
    return status;
  }
  if (a->schedule && !(r->has_curve = ink_curve_parse(a->schedule, &r->curve))) {
    return ink_fail(
        error, INK_ERR_USAGE,
        "no schedule \"%s\"; there are default, karras, exponential, beta, sgm-uniform, "
        "simple, ays and ays-xl",
        a->schedule);
  }
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
  if (o[SEED].given || !a->from) {
    r->seed = a->seed >= 0 ? (uint64_t)a->seed : ink_random_fresh_seed();
    r->stream = 0;
  }
  return INK_OK;
}

// "FILE:WEIGHT" or "FILE"; they stand in place of the recipe's.
static ink_status set_loras(const arguments *a, ink_paint_recipe *r, ink_error *error) {
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

// ---- what it is painted from --------------------------------------------------------------------

// A picture that the recipe needs: from the flag, and the one it was, if it says which.
static ink_status open_source(const char *flag_, const char *path, char sha256[INK_SHA256_HEX],
                              ink_picture *picture, ink_error *error) {
  if (!path && !sha256[0]) return INK_OK;
  if (!path) {
    return ink_fail(error, INK_ERR_USAGE, "the picture was painted from another; give it with %s",
                    flag_);
  }
  char found[INK_SHA256_HEX];
  INK_TRY(ink_paint_source_sha256(path, found, error));
  if (sha256[0] && strcmp(found, sha256) != 0) {
    return ink_fail(error, INK_ERR_CONFLICT, "%s is not the picture that was painted from", path);
  }
  memcpy(sha256, found, sizeof found);
  return ink_picture_load(path, NULL, picture, NULL, error);
}

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

static ink_status open_model(const arguments *a, ink_paint_recipe *r, ink_pool *pool,
                             ink_pipeline **pipeline, ink_error *error) {
  char *path;
  INK_TRY(ink_model_resolve(r->model, &path, error));
  ink_status status = ink_pipeline_open(path, pool, pipeline, error);
  free(path);
  INK_TRY(status);
  char found[INK_SHA256_HEX];
  INK_TRY(ink_stable_diffusion_sha256(ink_pipeline_about(*pipeline), INK_HASH_NOTED, found, error));
  bool other = r->model_sha256[0] && strcmp(found, r->model_sha256) != 0;
  if (other && a->model) {
    fprintf(stderr, ink_tr("%s is not the model that painted the picture\n"), r->model);
  } else if (other) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s is not the model that painted the picture; name one with --model",
                    r->model);
  }
  memcpy(r->model_sha256, found, sizeof found);
  for (size_t i = 0; i < r->n_loras; i++) {
    ink_paint_recipe_lora *lora = &r->loras[i];
    INK_TRY(ink_sha256_file(lora->path, found, error));
    if (lora->sha256[0] && strcmp(found, lora->sha256) != 0) {
      return ink_fail(error, INK_ERR_CONFLICT, "%s is not the plug-in that the picture used",
                      lora->path);
    }
    memcpy(lora->sha256, found, sizeof found);
    INK_TRY(ink_pipeline_merge_lora(*pipeline, lora->path, lora->weight, error));
    INK_TRY(keep_name(&lora->path, error));
  }
  return keep_name(&r->model, error);
}

// ---- painting -----------------------------------------------------------------------------------

typedef struct job {
  const arguments *arguments;
  ink_paint_recipe *recipe;
  ink_pipeline *pipeline;
  ink_picture init, mask;
  ink_paint_output output;
  json_t *files, *seeds, *identities;
  ink_painting painting;  // the last one; its picture has gone into the file
} job;

static ink_status paint_one(job *j, int64_t index, ink_error *error) {
  ink_paint_recipe *r = j->recipe;
  ink_cli_bar bar;
  ink_progress progress = ink_cli_progress(&bar, "paint");
  ink_paint_request q = ink_paint_recipe_request(r);
  q.progress = &progress;
  if (j->init.pixels) q.init = &j->init;
  if (j->mask.pixels) q.mask = &j->mask;
  ink_painting_free(&j->painting);
  ink_status status = ink_pipeline_paint(j->pipeline, &q, &j->painting, error);
  ink_cli_progress_end(&bar);
  INK_TRY(status);
  // The recipe says what was done, not what was left open.
  r->width = j->painting.width;
  r->height = j->painting.height;
  r->sampler = j->painting.sampler;
  r->curve = j->painting.curve;
  r->has_sampler = r->has_curve = true;
  INK_TRY(
      ink_paint_write(&j->output, r, index, &j->painting.picture, j->files, j->identities, error));
  json_array_append_new(j->seeds, json_integer((json_int_t)r->seed));
  return INK_OK;
}

static ink_status paint_all(job *j, ink_error *error) {
  ink_paint_recipe *r = j->recipe;
  for (int64_t i = 0; i < j->arguments->count; i++) {
    INK_TRY(paint_one(j, i, error));
    // Other tools count seeds; our own generator counts pictures below one seed.
    if (r->noise == INK_NOISE_OWN) {
      r->stream++;
    } else {
      r->seed++;
    }
  }
  return INK_OK;
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
      (int)r->width, (int)r->height, "model", "name", r->model, "sha256", r->model_sha256, "timing",
      "encode_seconds", j->painting.encode_seconds, "step_seconds", steps, "decode_seconds",
      j->painting.decode_seconds, "peak_bytes", (json_int_t)j->painting.peak_bytes);
  return ink_cli_print_json(json, error);
}

static ink_status run_job(const arguments *a, ink_paint_recipe *recipe, ink_error *error) {
  job j = {.arguments = a,
           .recipe = recipe,
           .files = json_array(),
           .seeds = json_array(),
           .identities = json_array()};
  ink_pool *pool = ink_pool_new((int)a->threads);
  ink_status status =
      pool ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "threads could not be started");
  if (status == INK_OK) {
    status = open_source("--init", a->init, recipe->init_sha256, &j.init, error);
  }
  if (status == INK_OK) {
    status = open_source("--mask", a->mask, recipe->mask_sha256, &j.mask, error);
  }
  // The key before the work: a picture that cannot be signed is not painted.
  if (status == INK_OK) {
    j.output = (ink_paint_output){.path = a->output,
                                  .count = a->count,
                                  .quality = (int)a->quality,
                                  .lossless = a->lossless,
                                  .unmarked = a->unmarked,
                                  .show = a->show,
                                  .producer = a->producer};
    status = ink_paint_output_open(&j.output, &a->signing, a->init, &j.init, error);
  }
  if (status == INK_OK) status = open_model(a, recipe, pool, &j.pipeline, error);
  if (status == INK_OK) status = paint_all(&j, error);
  if (status == INK_OK && a->json) status = print_result(&j, error);
  ink_paint_output_close(&j.output);
  ink_painting_free(&j.painting);
  ink_pipeline_free(j.pipeline);
  ink_picture_free(&j.init);
  ink_picture_free(&j.mask);
  ink_pool_free(pool);
  json_decref(j.files);
  json_decref(j.seeds);
  json_decref(j.identities);
  return status;
}

static int run_paint(const ink_command *self, int argc, char **argv) {
  arguments a = {.output = "out.png", .seed = -1, .count = 1};
  ink_option options[N_OPTIONS];
  describe(&a, options);
  ink_error error = ink_cli_error();
  ink_paint_recipe recipe = {
      .steps = 20, .guidance_scale = 7.5, .strength = 0.75, .eta = (double)NAN};
  ink_picture_format format;
  int n;
  bool done;
  ink_status status = ink_options_read(self, options, N_OPTIONS, argc, argv, &n, &done, &error);
  if (status == INK_OK && done) return INK_EXIT_DONE;
  if (status == INK_OK && n > 1) {
    status = ink_fail(&error, INK_ERR_USAGE, "one prompt at a time; put it in quotes");
  }
  if (status == INK_OK && n == 0 && !a.from) {
    status = ink_fail(&error, INK_ERR_USAGE, "say what to paint, or --from which picture");
  }
  if (status == INK_OK && a.unmarked) {
    fprintf(
        stderr, "%s\n",
        ink_tr("unmarked: who publishes the picture may have to label it (EU AI Act, article 50; "
               "China: GB 45438-2025)"));
  }
  // Before hours of painting: a name that cannot be written.
  if (status == INK_OK) status = ink_picture_format_of(a.output, &format, &error);
  if (status == INK_OK && a.from) status = read_recipe(a.from, &recipe, &error);
  if (status == INK_OK) status = lay_over(&a, options, n ? argv[1] : NULL, &recipe, &error);
  if (status == INK_OK) status = set_loras(&a, &recipe, &error);
  if (status == INK_OK) status = run_job(&a, &recipe, &error);
  ink_paint_recipe_free(&recipe);
  return status == INK_OK ? INK_EXIT_DONE : ink_cli_fail(self, &error);
}

const ink_command ink_command_paint = {
    .name = "paint",
    .summary = "Paint a picture",
    .usage = "paint PROMPT [OPTIONS]",
    .examples =
        "inkstone paint \"a blue cat and a star\" -o cat.png\n"
        "inkstone paint \"a lighthouse at (night:1.2)\" --model runwayml/stable-diffusion-v1-5 "
        "--steps 25\n"
        "inkstone paint \"in winter\" --init photo.jpg --strength 0.6\n"
        "inkstone paint --from cat.png -o again.png\n",
    .run = run_paint,
};
