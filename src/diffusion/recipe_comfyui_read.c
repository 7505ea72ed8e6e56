// ComfyUI's graphs read as recipes: a checkpoint with plug-ins, two texts, an empty latent, one
// sampler. What else stands in a graph is named, and not obeyed.
#include <stdlib.h>
#include <string.h>

#include "diffusion/recipe_parts.h"

enum { MOST_LINKS = 64 };  // that are followed one after the other

typedef struct graph {
  const json_t *nodes;
  const char *name;  // of the file
  ink_text *left;
  ink_error *error;
} graph;

static const char *class_of(const json_t *node) {
  const char *found = json_string_value(json_object_get(node, "class_type"));
  return found ? found : "";
}

static bool is(const json_t *node, const char *type) {
  return strcmp(class_of(node), type) == 0;
}

static const json_t *input(const json_t *node, const char *key) {
  return json_object_get(json_object_get(node, "inputs"), key);
}

// The node that an input is linked to; NULL: it is a value, or none.
static const json_t *source(const graph *g, const json_t *node, const char *key) {
  const char *id = json_string_value(json_array_get(input(node, key), 0));
  return id ? json_object_get(g->nodes, id) : NULL;
}

static void leave(const graph *g, const char *what) {
  if (g->left->size && strstr(ink_text_string(g->left), what)) return;
  ink_text_format(g->left, "%s%.60s", g->left->size ? ", " : "", what);
}

static ink_status number_of(const graph *g, const json_t *node, const char *key, double low,
                            double high, double *out) {
  const json_t *value = input(node, key);
  double number = json_number_value(value);
  if (!json_is_number(value) || !(number >= low && number <= high)) {
    return ink_fail(g->error, INK_ERR_FORMAT,
                    "%s: %.40s in ComfyUI's graph is no number in %g … %g", g->name, key, low,
                    high);
  }
  *out = number;
  return INK_OK;
}

// ---- what is opened -----------------------------------------------------------------------------

static ink_status add_lora(const graph *g, const json_t *node, ink_paint_recipe *r) {
  if (r->n_loras == INK_PAINT_MOST_LORAS) {
    return ink_fail(g->error, INK_ERR_USAGE, "at most %d plug-ins", INK_PAINT_MOST_LORAS);
  }
  ink_paint_recipe_lora lora = {.weight = 1};
  INK_TRY(number_of(g, node, "strength_model", -100, 100, &lora.weight));
  const json_t *clip = input(node, "strength_clip");
  if (json_is_number(clip) && json_number_value(clip) != lora.weight) leave(g, "strength_clip");
  INK_TRY(ink_recipe_set_string(&lora.path, json_string_value(input(node, "lora_name")), g->error));
  // The one next to the checkpoint is first, and is found last.
  memmove(r->loras + 1, r->loras, r->n_loras * sizeof *r->loras);
  r->loras[0] = lora;
  r->n_loras++;
  return INK_OK;
}

static ink_status read_models(const graph *g, const json_t *sampler, ink_paint_recipe *r) {
  const json_t *at = source(g, sampler, "model");
  for (int i = 0; at && i < MOST_LINKS; i++, at = source(g, at, "model")) {
    if (is(at, "LoraLoader") || is(at, "LoraLoaderModelOnly")) INK_TRY(add_lora(g, at, r));
    const char *checkpoint = json_string_value(input(at, "ckpt_name"));
    if (checkpoint) return ink_recipe_set_string(&r->model, checkpoint, g->error);
  }
  return INK_OK;
}

// ---- texts --------------------------------------------------------------------------------------

// Square brackets are characters like others there.
static ink_status set_text(const graph *g, const char *text, char **to) {
  ink_text out = {0};
  for (; text && *text; text++) {
    if (*text == '[' || *text == ']') ink_text_add(&out, "\\");
    ink_text_add_bytes(&out, text, 1);
  }
  ink_status status = ink_text_status(&out, g->error);
  if (status == INK_OK) status = ink_recipe_set_string(to, ink_text_string(&out), g->error);
  ink_text_free(&out);
  return status;
}

// The text at the end of a chain of conditionings; its encoder may leave out layers.
static ink_status read_text(const graph *g, const json_t *sampler, const char *which, char **to,
                            ink_paint_recipe *r) {
  const json_t *at = source(g, sampler, which);
  for (int i = 0; at && i < MOST_LINKS; i++) {
    if (strncmp(class_of(at), "CLIPTextEncode", 14) == 0) break;
    const json_t *next = source(g, at, which);
    at = next ? next : source(g, at, "conditioning");
  }
  const json_t *text = at ? input(at, "text") : NULL;
  if (at && !text) text = input(at, "text_g");
  if (!json_is_string(text)) {
    return ink_fail(g->error, INK_ERR_UNSUPPORTED,
                    "%s: the %s text in ComfyUI's graph does not stand in a node for texts; give "
                    "the prompt",
                    g->name, which);
  }
  const json_t *clip = source(g, at, "clip");
  for (int i = 0; clip && i < MOST_LINKS; i++, clip = source(g, clip, "clip")) {
    double layer = -1;
    if (!is(clip, "CLIPSetLastLayer")) continue;
    INK_TRY(number_of(g, clip, "stop_at_clip_layer", -100, -1, &layer));
    r->clip_skip = (int32_t)-layer - 1;
    break;
  }
  return set_text(g, json_string_value(text), to);
}

// ---- sampler ------------------------------------------------------------------------------------

// The sampler that begins from nothing, else the first one.
static const json_t *find_sampler(const graph *g) {
  const json_t *first = NULL, *node;
  const char *id;
  json_object_foreach((json_t *)g->nodes, id, node) {
    if (!is(node, "KSampler")) continue;
    if (is(source(g, node, "latent_image"), "EmptyLatentImage")) return node;
    if (!first) first = node;
  }
  return first;
}

static ink_status read_sampler(const graph *g, const json_t *node, ink_paint_recipe *r) {
  const char *sampler = json_string_value(input(node, "sampler_name")),
             *schedule = json_string_value(input(node, "scheduler"));
  double seed = 0, steps = 0, denoise = 1;
  INK_TRY(number_of(g, node, "seed", 0, 0x1p53, &seed));
  INK_TRY(number_of(g, node, "steps", 1, INK_PAINT_MOST_STEPS, &steps));
  INK_TRY(number_of(g, node, "cfg", 0, 100, &r->guidance_scale));
  INK_TRY(number_of(g, node, "denoise", 0, 1, &denoise));
  if (!sampler || !ink_sampler_parse(sampler, &r->sampler)) {
    return ink_fail(g->error, INK_ERR_UNSUPPORTED,
                    "the sampler \"%s\" is not known; choose another", sampler ? sampler : "");
  }
  r->has_sampler = true;
  if (schedule && ink_curve_parse(schedule, &r->curve)) {
    r->has_curve = r->curve != INK_CURVE_SPACED;
  } else {
    leave(g, "scheduler");
  }
  r->seed = (uint64_t)seed;
  r->steps = (int32_t)steps;
  r->strength = denoise;
  r->noise = INK_NOISE_CPU;
  r->brownian = ink_sampler_about(r->sampler)->sde;
  const json_t *latent = source(g, node, "latent_image");
  if (!is(latent, "EmptyLatentImage")) return INK_OK;
  double width = 0, height = 0;
  INK_TRY(number_of(g, latent, "width", 1, 1 << 16, &width));
  INK_TRY(number_of(g, latent, "height", 1, 1 << 16, &height));
  r->width = (int32_t)width;
  r->height = (int32_t)height;
  if (denoise < 1) leave(g, "denoise");
  return INK_OK;
}

static void list_left(const graph *g, const json_t *sampler) {
  static const char *const obeyed[] = {"CheckpointLoaderSimple",
                                       "CheckpointLoader",
                                       "LoraLoader",
                                       "LoraLoaderModelOnly",
                                       "CLIPTextEncode",
                                       "CLIPSetLastLayer",
                                       "EmptyLatentImage",
                                       "VAEDecode",
                                       "SaveImage",
                                       "PreviewImage"};
  const json_t *node;
  const char *id;
  json_object_foreach((json_t *)g->nodes, id, node) {
    bool known = node == sampler;
    for (size_t i = 0; i < sizeof obeyed / sizeof *obeyed; i++)
      known = known || is(node, obeyed[i]);
    if (!known && class_of(node)[0]) leave(g, class_of(node));
  }
}

ink_status ink_paint_recipe_from_comfyui(const json_t *nodes, const char *name, ink_paint_recipe *r,
                                         ink_text *left, ink_error *error) {
  graph g = {nodes, name, left, error};
  const json_t *sampler = json_is_object(nodes) ? find_sampler(&g) : NULL;
  if (!sampler) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: ComfyUI's graph has no KSampler, which is what can be repeated", name);
  }
  INK_TRY(read_sampler(&g, sampler, r));
  INK_TRY(read_models(&g, sampler, r));
  INK_TRY(read_text(&g, sampler, "positive", &r->prompt, r));
  INK_TRY(read_text(&g, sampler, "negative", &r->negative, r));
  list_left(&g, sampler);
  return ink_text_status(left, error);
}
