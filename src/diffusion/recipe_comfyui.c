// Recipes of paintings as a graph for ComfyUI: the nodes that come with it, in the form of its
// /prompt (class_type, inputs; a link is [node, output]), which its editor opens from pictures.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "diffusion/recipe.h"

// Samplers and schedules by ComfyUI's names; NULL: it has none that is the same.
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

typedef struct graph {
  json_t *nodes;
  int n;
  bool failed;
} graph;

// An output of a node.
typedef struct output {
  int node, slot;
} output;

// What the nodes before the sampler hand on.
typedef struct wires {
  output model, clip, vae, positive, negative, latent;
} wires;

static json_t *from(output o) {
  char id[12];
  snprintf(id, sizeof id, "%d", o.node);
  return json_pack("[s,i]", id, o.slot);
}

// A node with these inputs, whose reference goes into it: its first output.
static output add(graph *g, const char *type, json_t *inputs) {
  char id[12];
  snprintf(id, sizeof id, "%d", ++g->n);
  json_t *node = json_pack("{s:s,s:o}", "class_type", type, "inputs", inputs);
  g->failed = g->failed || json_object_set_new(g->nodes, id, node) != 0;
  return (output){g->n, 0};
}

static output slot(output o, int number) {
  return (output){o.node, number};
}

// ---- what is opened -----------------------------------------------------------------------------

static wires add_models(graph *g, const ink_paint_recipe *r) {
  output loader =
      add(g, "CheckpointLoaderSimple", json_pack("{s:s}", "ckpt_name", r->model ? r->model : ""));
  wires w = {.model = loader, .clip = slot(loader, 1), .vae = slot(loader, 2)};
  for (size_t i = 0; i < r->n_loras; i++) {
    const ink_paint_recipe_lora *lora = &r->loras[i];
    output both = add(g, "LoraLoader",
                      json_pack("{s:s,s:f,s:f,s:o,s:o}", "lora_name", ink_path_name(lora->path),
                                "strength_model", lora->weight, "strength_clip", lora->weight,
                                "model", from(w.model), "clip", from(w.clip)));
    w.model = both;
    w.clip = slot(both, 1);
  }
  if (r->clip_skip) {
    w.clip = add(
        g, "CLIPSetLastLayer",
        json_pack("{s:i,s:o}", "stop_at_clip_layer", -(int)r->clip_skip - 1, "clip", from(w.clip)));
  }
  if (r->guidance_rescale > 0) {
    w.model =
        add(g, "RescaleCFG",
            json_pack("{s:f,s:o}", "multiplier", r->guidance_rescale, "model", from(w.model)));
  }
  return w;
}

static output add_text(graph *g, const wires *w, const char *text) {
  return add(g, "CLIPTextEncode",
             json_pack("{s:s,s:o}", "text", text ? text : "", "clip", from(w->clip)));
}

// A recipe knows pictures by their hash: the reader is told which one to choose.
static output add_picture(graph *g, const char *kind, const char *sha256) {
  char name[64];
  snprintf(name, sizeof name, "%.20s-%.10s.png", kind, sha256);
  return add(g, "LoadImage", json_pack("{s:s}", "image", name));
}

static void add_controls(graph *g, const ink_paint_recipe *r, wires *w) {
  for (size_t i = 0; i < r->n_controls; i++) {
    const ink_paint_recipe_control *c = &r->controls[i];
    output picture = add_picture(g, c->kind, c->picture_sha256);
    if (strcmp(c->kind, "canny") == 0) {
      picture = add(g, "Canny",
                    json_pack("{s:f,s:f,s:o}", "low_threshold", 100.0 / 255, "high_threshold",
                              200.0 / 255, "image", from(picture)));
    }
    output net =
        add(g, "ControlNetLoader", json_pack("{s:s}", "control_net_name", ink_path_name(c->model)));
    output both =
        add(g, "ControlNetApplyAdvanced",
            json_pack("{s:f,s:f,s:f,s:o,s:o,s:o,s:o}", "strength", c->weight, "start_percent",
                      c->start, "end_percent", c->end, "positive", from(w->positive), "negative",
                      from(w->negative), "control_net", from(net), "image", from(picture)));
    w->positive = both;
    w->negative = slot(both, 1);
  }
}

// ---- where painting begins ----------------------------------------------------------------------

static output scaled(graph *g, output picture, double width, double height) {
  return add(g, "ImageScale",
             json_pack("{s:s,s:i,s:i,s:s,s:o}", "upscale_method", "lanczos", "width", (int)width,
                       "height", (int)height, "crop", "disabled", "image", from(picture)));
}

static output encoded(graph *g, output picture, const wires *w) {
  return add(g, "VAEEncode", json_pack("{s:o,s:o}", "pixels", from(picture), "vae", from(w->vae)));
}

static void add_latent(graph *g, const ink_paint_recipe *r, wires *w) {
  ink_margins m = r->extend;
  bool extended = m.top || m.right || m.bottom || m.left;
  if (!r->init_sha256[0]) {
    w->latent = add(g, "EmptyLatentImage",
                    json_pack("{s:i,s:i,s:i}", "width", (int)r->width, "height", (int)r->height,
                              "batch_size", 1));
    return;
  }
  output picture = add_picture(g, "init", r->init_sha256), mask = {0};
  if (extended) {
    picture = add(
        g, "ImagePadForOutpaint",
        json_pack("{s:i,s:i,s:i,s:i,s:i,s:o}", "left", (int)m.left, "top", (int)m.top, "right",
                  (int)m.right, "bottom", (int)m.bottom, "feathering", 8, "image", from(picture)));
    mask = slot(picture, 1);
  } else {
    picture = scaled(g, picture, r->width, r->height);
  }
  if (r->mask_sha256[0] && !extended) {
    char name[32];
    snprintf(name, sizeof name, "mask-%.10s.png", r->mask_sha256);
    mask = add(g, "LoadImageMask", json_pack("{s:s,s:s}", "image", name, "channel", "red"));
  }
  w->latent = encoded(g, picture, w);
  if (mask.node) {
    w->latent = add(g, "SetLatentNoiseMask",
                    json_pack("{s:o,s:o}", "samples", from(w->latent), "mask", from(mask)));
  }
}

// ---- painting -----------------------------------------------------------------------------------

static output sampled(graph *g, const ink_paint_recipe *r, const wires *w, double denoise) {
  output latent =
      add(g, "KSampler",
          json_pack("{s:I,s:i,s:f,s:s,s:s,s:f,s:o,s:o,s:o,s:o}", "seed", (json_int_t)r->seed,
                    "steps", (int)r->steps, "cfg", r->guidance_scale, "sampler_name",
                    samplers[r->sampler], "scheduler", curves[r->curve], "denoise", denoise,
                    "model", from(w->model), "positive", from(w->positive), "negative",
                    from(w->negative), "latent_image", from(w->latent)));
  return add(g, "VAEDecode", json_pack("{s:o,s:o}", "samples", from(latent), "vae", from(w->vae)));
}

static output second_pass(graph *g, const ink_paint_recipe *r, wires *w, output picture) {
  if (r->hires_upscaler) {
    output net = add(g, "UpscaleModelLoader",
                     json_pack("{s:s}", "model_name", ink_path_name(r->hires_upscaler)));
    picture = add(g, "ImageUpscaleWithModel",
                  json_pack("{s:o,s:o}", "upscale_model", from(net), "image", from(picture)));
  }
  picture = scaled(g, picture, 8 * round(r->width * r->hires_scale / 8),
                   8 * round(r->height * r->hires_scale / 8));
  w->latent = encoded(g, picture, w);
  return sampled(g, r, w, r->hires_strength);
}

json_t *ink_paint_recipe_to_comfyui(const ink_paint_recipe *r) {
  if (r->upscaled || !samplers[r->sampler] || !curves[r->curve]) return NULL;
  graph g = {.nodes = json_object()};
  wires w = add_models(&g, r);
  w.positive = add_text(&g, &w, r->prompt);
  w.negative = add_text(&g, &w, r->negative);
  add_controls(&g, r, &w);
  add_latent(&g, r, &w);
  output picture = sampled(&g, r, &w, r->init_sha256[0] ? r->strength : 1.0);
  if (r->hires_scale > 0) picture = second_pass(&g, r, &w, picture);
  add(&g, "SaveImage",
      json_pack("{s:s,s:o}", "filename_prefix", "inkstone", "images", from(picture)));
  if (!g.failed) return g.nodes;
  json_decref(g.nodes);
  return NULL;
}
