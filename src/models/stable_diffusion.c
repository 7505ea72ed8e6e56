// Finding the parts of a Stable Diffusion. Keys that tell single files apart are those that other
// programs go by (diffusers, loaders/single_file_utils.py, CHECKPOINT_KEY_NAMES).
#include "models/stable_diffusion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "weights/check.h"
#include "weights/weights.h"

enum { MAX_JSON = 1 << 20 };

static ink_status no_memory(const char *path, ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to open it", path);
}

// ---- what a single file is ----------------------------------------------------------------------

static bool has(const ink_weights *weights, const char *name) {
  return ink_weights_entry_of(weights, name) != NULL;
}

// Models that are no Stable Diffusion 1, 2 or XL, by a tensor that only they have.
static const char *other_kind(const ink_weights *weights) {
  static const struct {
    const char *tensor, *kind;
  } kinds[] = {
      {"model.diffusion_model.joint_blocks.0.context_block.adaLN_modulation.1.weight",
       "Stable Diffusion 3"},
      {"model.diffusion_model.double_blocks.0.img_attn.norm.key_norm.scale", "FLUX.1"},
      {"double_blocks.0.img_attn.norm.key_norm.scale", "FLUX.1"},
      {"single_stream_modulation.lin.weight", "FLUX.2"},
      {"layers.0.adaLN_modulation.0.weight", "Z-Image"},
      {"transformer_blocks.0.img_mod.1.weight", "Qwen-Image"},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (has(weights, kinds[i].tensor)) return kinds[i].kind;
  }
  return NULL;
}

static void add_text(ink_sd_layout *layout, const char *prefix, ink_naming naming) {
  layout->texts[layout->n_text].prefix = prefix;
  layout->texts[layout->n_text++].naming = naming;
}

static void find_texts(const ink_weights *weights, ink_sd_layout *layout) {
  static const char *const of_one[] = {"cond_stage_model.transformer.",
                                       "conditioner.embedders.0.transformer."};
  static const char *const open[] = {"cond_stage_model.model.", "conditioner.embedders.0.model.",
                                     "conditioner.embedders.1.model."};
  char name[128];
  for (size_t i = 0; i < 2; i++) {
    for (int bare = 0; bare < 2; bare++) {
      snprintf(name, sizeof name, "%s%sembeddings.token_embedding.weight", of_one[i],
               bare ? "" : "text_model.");
      if (has(weights, name) && layout->n_text < INK_SD_TEXTS) {
        add_text(layout, of_one[i], INK_NAMING_DIFFUSERS);
      }
    }
  }
  for (size_t i = 0; i < 3; i++) {
    snprintf(name, sizeof name, "%stoken_embedding.weight", open[i]);
    if (has(weights, name) && layout->n_text < INK_SD_TEXTS) {
      add_text(layout, open[i], INK_NAMING_OPENCLIP);
    }
  }
}

static ink_status find_family(const ink_weights *weights, const ink_unet_config *unet,
                              ink_sd_layout *layout, ink_error *error) {
  bool two = layout->n_text == 2,
       open = layout->n_text == 1 && layout->texts[0].naming == INK_NAMING_OPENCLIP;
  if (unet->pooled) {
    layout->family = two || unet->context == 2048 ? INK_SD_XL : INK_SD_XL_REFINER;
  } else if (open || unet->context == 1024) {
    layout->family = INK_SD_2;
  } else if (unet->context == 768 || layout->n_text == 1) {
    layout->family = INK_SD_1;
  } else {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: a UNet for a text of width %d; those of Stable Diffusion 1 (768), 2 "
                    "(1024) and XL (2048, refiner 1280) are known",
                    ink_weights_path(weights), unet->context);
  }
  return INK_OK;
}

static void find_prediction(const ink_weights *weights, ink_sd_layout *layout) {
  // Of 2.x there are both kinds, and most files do not say.
  layout->prediction =
      layout->family == INK_SD_2 ? INK_SD_PREDICTS_UNKNOWN : INK_SD_PREDICTS_EPSILON;
  if (has(weights, "v_pred")) layout->prediction = INK_SD_PREDICTS_V;
  layout->zero_terminal_snr = has(weights, "ztsnr");
}

ink_status ink_sd_layout_of(const ink_weights *weights, ink_sd_layout *layout, ink_error *error) {
  static const char prefix[] = "model.diffusion_model.";
  ink_unet_config unet;
  *layout = (ink_sd_layout){0};
  const char *other = other_kind(weights);
  if (other) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: this is %s; Stable Diffusion 1, 2 and XL are supported",
                    ink_weights_path(weights), other);
  }
  layout->unet = has(weights, "input_blocks.0.0.weight") ? "" : prefix;
  INK_TRY(ink_unet_config_from_weights(weights, layout->unet, &unet, error));
  if (has(weights, "first_stage_model.decoder.conv_in.weight")) layout->vae = "first_stage_model.";
  find_texts(weights, layout);
  INK_TRY(find_family(weights, &unet, layout, error));
  find_prediction(weights, layout);
  return INK_OK;
}

// ---- single files -------------------------------------------------------------------------------

static ink_status open_weights(ink_stable_diffusion *sd, const char *path, ink_weights **weights,
                               ink_error *error) {
  INK_TRY(ink_weights_open(path, weights, error));
  sd->weights[sd->n_weights++] = *weights;
  return INK_OK;
}

// How the states of a text encoder are taken, by the family.
static void set_use(const ink_stable_diffusion *sd, ink_sd_text *text, bool all_layers) {
  bool open = !ink_clip_about(text->clip)->quick_gelu;
  bool xl = sd->family == INK_SD_XL || sd->family == INK_SD_XL_REFINER;
  // XL takes the penultimate layer as it is; 2.x too, but normed, and folders of it lack the last.
  text->skip = xl || (sd->family == INK_SD_2 && all_layers) ? 1 : 0;
  text->final_norm = !xl;
  text->pooled = xl && open && ink_clip_about(text->clip)->projection > 0;
  text->pad = open ? 0 : -1;
}

static ink_status open_single_text(ink_stable_diffusion *sd, const ink_sd_layout *layout, size_t i,
                                   ink_error *error) {
  ink_clip_config config;
  const ink_weights *weights = sd->weights[0];
  ink_naming naming = layout->texts[i].naming;
  ink_source source = {.weights = weights, .prefix = layout->texts[i].prefix, .naming = naming};
  INK_TRY(ink_clip_config_from_weights(weights, source.prefix, naming, &config, error));
  INK_TRY(ink_clip_new(&config, &source, &sd->texts[i].clip, error));
  sd->n_text = i + 1;
  set_use(sd, &sd->texts[i], true);
  return INK_OK;
}

static ink_status open_single_vae(ink_stable_diffusion *sd, const char *prefix, ink_error *error) {
  ink_vae_config config;
  ink_source source = {.weights = sd->weights[0], .prefix = prefix, .naming = INK_NAMING_LDM};
  INK_TRY(ink_vae_config_from_weights(sd->weights[0], prefix, &config, error));
  if (sd->family == INK_SD_XL || sd->family == INK_SD_XL_REFINER) config.scaling_factor = 0.13025;
  return ink_vae_new(&config, &source, &sd->vae, error);
}

// Parts of CLIP that no text encoder here needs, as other programs save them beside it.
static bool is_beside_text(const char *name) {
  const char *last = strrchr(name, '.');
  return (strncmp(name, "cond_stage_model.", 17) == 0 || strncmp(name, "conditioner.", 12) == 0) &&
         last && (strcmp(last, ".logit_scale") == 0 || strcmp(last, ".text_projection") == 0);
}

// What training leaves in a file beside the networks: the noise schedule, averages, marks.
static bool is_leftover(const char *name) {
  static const char *const beginnings[] = {
      "alphas_cumprod", "betas",        "sqrt_",    "log_one_minus_", "posterior_",
      "model_ema.",     "lvlb_weights", "logvar",   "denoiser.",      "v_pred",
      "ztsnr",          "scale_factor", "edm_mean", "edm_std"};
  for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
    if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0) return true;
  }
  return false;
}

static bool belongs(const ink_sd_layout *layout, const char *name) {
  const char *prefixes[2 + INK_SD_TEXTS] = {layout->unet, layout->vae, layout->texts[0].prefix,
                                            layout->texts[1].prefix};
  for (size_t i = 0; i < 2 + INK_SD_TEXTS; i++) {
    if (prefixes[i] && strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) return true;
  }
  return is_leftover(name) || is_beside_text(name);
}

static ink_status check_foreign(const ink_weights *weights, const ink_sd_layout *layout,
                                ink_error *error) {
  size_t n = 0;
  ink_text names = {0};
  for (size_t i = 0; i < ink_weights_count(weights); i++) {
    const char *name = ink_weights_at(weights, i)->name;
    if (belongs(layout, name)) continue;
    if (n++ < 3) ink_text_format(&names, "%s%.*s", n > 1 ? ", " : "", INK_SHOWN(name));
  }
  ink_status status = INK_OK;
  if (n > 0) {
    status = ink_fail(error, INK_ERR_CONFLICT,
                      "%s: %zu tensors that belong to no part of Stable Diffusion: %s%s",
                      ink_weights_path(weights), n, ink_text_string(&names), n > 3 ? ", …" : "");
  }
  ink_text_free(&names);
  return status;
}

static ink_status open_single(ink_stable_diffusion *sd, ink_error *error) {
  ink_weights *weights;
  ink_sd_layout layout;
  ink_unet_config unet;
  INK_TRY(open_weights(sd, sd->path, &weights, error));
  INK_TRY(ink_sd_layout_of(weights, &layout, error));
  INK_TRY(check_foreign(weights, &layout, error));
  sd->family = layout.family;
  sd->prediction = layout.prediction;
  sd->zero_terminal_snr = layout.zero_terminal_snr;
  ink_source source = {.weights = weights, .prefix = layout.unet, .naming = INK_NAMING_LDM};
  INK_TRY(ink_unet_config_from_weights(weights, layout.unet, &unet, error));
  INK_TRY(ink_unet_new(&unet, &source, &sd->unet, error));
  for (size_t i = 0; i < layout.n_text; i++) {
    INK_TRY(open_single_text(sd, &layout, i, error));
  }
  return layout.vae ? open_single_vae(sd, layout.vae, error) : INK_OK;
}

// ---- diffusers folders --------------------------------------------------------------------------

// The path of a part; *path is malloc'ed.
static ink_status part_path(const ink_stable_diffusion *sd, const char *part, char **path,
                            ink_error *error) {
  *path = ink_path_join(sd->path, part);
  return *path ? INK_OK : no_memory(sd->path, error);
}

static bool has_part(const ink_stable_diffusion *sd, const char *part) {
  return ink_folder_has(sd->path, part);
}

// The weights of a part, with its config.json, which must be there.
static ink_status open_part(ink_stable_diffusion *sd, const char *part, ink_weights **weights,
                            ink_error *error) {
  char *path;
  INK_TRY(part_path(sd, part, &path, error));
  ink_status status = open_weights(sd, path, weights, error);
  if (status == INK_OK && !ink_weights_config(*weights)) {
    status = ink_fail(error, INK_ERR_NOT_FOUND, "%s: no config.json", path);
  }
  free(path);
  return status;
}

static ink_status open_unet_part(ink_stable_diffusion *sd, ink_error *error) {
  ink_weights *weights;
  ink_unet_config config;
  INK_TRY(open_part(sd, "unet", &weights, error));
  INK_TRY(ink_unet_config_from_json(ink_weights_config(weights), ink_weights_path(weights), &config,
                                    error));
  return ink_unet_new(&config, &(ink_source){.weights = weights}, &sd->unet, error);
}

static ink_status open_text_part(ink_stable_diffusion *sd, const char *part, const char *tokenizer,
                                 ink_error *error) {
  ink_weights *weights;
  ink_clip_config config;
  ink_sd_text *text = &sd->texts[sd->n_text];
  INK_TRY(open_part(sd, part, &weights, error));
  INK_TRY(ink_clip_config_from_json(ink_weights_config(weights), ink_weights_path(weights), &config,
                                    error));
  INK_TRY(ink_clip_new(&config, &(ink_source){.weights = weights}, &text->clip, error));
  sd->n_text++;
  if (has_part(sd, tokenizer)) INK_TRY(part_path(sd, tokenizer, &text->tokenizer, error));
  return INK_OK;
}

static ink_status open_vae_part(ink_stable_diffusion *sd, ink_error *error) {
  ink_weights *weights;
  INK_TRY(open_part(sd, "vae", &weights, error));
  const json_t *json = ink_weights_config(weights);
  const char *name = ink_weights_path(weights);
  const char *class_name = json_string_value(json_object_get(json, "_class_name"));
  ink_source source = {.weights = weights};
  if (class_name && strcmp(class_name, "AutoencoderTiny") == 0) {
    ink_taesd_config tiny;
    INK_TRY(ink_taesd_config_from_json(json, name, &tiny, error));
    return ink_taesd_new(&tiny, &source, &source, &sd->taesd, error);
  }
  ink_vae_config config;
  INK_TRY(ink_vae_config_from_json(json, name, &config, error));
  return ink_vae_new(&config, &source, &sd->vae, error);
}

static ink_status read_scheduler(ink_stable_diffusion *sd, ink_error *error) {
  static const char *const names[] = {
      [INK_SD_PREDICTS_EPSILON] = "epsilon",
      [INK_SD_PREDICTS_V] = "v_prediction",
      [INK_SD_PREDICTS_SAMPLE] = "sample",
  };
  char *path = ink_path_join(sd->path, "scheduler/scheduler_config.json");
  if (!path) return no_memory(sd->path, error);
  ink_status status = ink_json_load(path, MAX_JSON, &sd->scheduler, error);
  const char *type = "epsilon";
  if (status == INK_OK) {
    status = ink_json_get_string(sd->scheduler, "prediction_type", path, &type, error);
  }
  if (status == INK_OK) {
    status = ink_json_get_bool(sd->scheduler, "rescale_betas_zero_snr", path,
                               &sd->zero_terminal_snr, error);
  }
  for (int i = INK_SD_PREDICTS_EPSILON; status == INK_OK && i <= INK_SD_PREDICTS_SAMPLE; i++) {
    if (strcmp(type, names[i]) == 0) sd->prediction = (ink_sd_prediction)i;
  }
  if (status == INK_OK && sd->prediction == INK_SD_PREDICTS_UNKNOWN) {
    status = ink_fail(error, INK_ERR_UNSUPPORTED,
                      "%s: /prediction_type is %.64s; epsilon, v_prediction and sample are known",
                      path, type);
  }
  free(path);
  return status;
}

// What to paint with where nobody says otherwise. The file is ours to write and others' to leave
// out.
static ink_status read_advice(ink_stable_diffusion *sd, ink_error *error) {
  json_t *json = NULL;
  char *path = ink_path_join(sd->path, "generation_config.json");
  if (!path) return no_memory(sd->path, error);
  ink_status status = INK_OK;
  if (ink_file_exists(path)) status = ink_json_load(path, MAX_JSON, &json, error);
  if (status == INK_OK && json) {
    status = ink_json_get_number(json, "guidance_scale", path, 1, 100, &sd->guidance_scale, error);
  }
  json_decref(json);
  free(path);
  return status;
}

static void tell_family(ink_stable_diffusion *sd) {
  const ink_unet_config *g = ink_unet_about(sd->unet);
  bool open = sd->n_text == 1 && !ink_clip_about(sd->texts[0].clip)->quick_gelu;
  if (g->pooled) {
    sd->family = sd->n_text == 2 ? INK_SD_XL : INK_SD_XL_REFINER;
  } else {
    sd->family = open ? INK_SD_2 : INK_SD_1;
  }
  for (size_t i = 0; i < sd->n_text; i++) set_use(sd, &sd->texts[i], false);
}

static ink_status open_folder(ink_stable_diffusion *sd, ink_error *error) {
  if (!has_part(sd, "unet")) {
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    "%s: no folder unet: not a Stable Diffusion in diffusers' layout", sd->path);
  }
  INK_TRY(open_unet_part(sd, error));
  if (has_part(sd, "text_encoder")) {
    INK_TRY(open_text_part(sd, "text_encoder", "tokenizer", error));
  }
  if (has_part(sd, "text_encoder_2")) {
    INK_TRY(open_text_part(sd, "text_encoder_2", "tokenizer_2", error));
  }
  if (sd->n_text == 0) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s: no folder text_encoder or text_encoder_2",
                    sd->path);
  }
  INK_TRY(open_vae_part(sd, error));
  INK_TRY(read_scheduler(sd, error));
  INK_TRY(read_advice(sd, error));
  tell_family(sd);
  return INK_OK;
}

// ---- all ----------------------------------------------------------------------------------------

ink_status ink_stable_diffusion_open(const char *path, ink_stable_diffusion **sd,
                                     ink_error *error) {
  ink_error unused = {0};
  if (!error) error = &unused;
  *sd = NULL;
  ink_stable_diffusion *new = calloc(1, sizeof *new);
  if (new) new->path = strdup(path);
  if (!new || !new->path) {
    free(new);
    return no_memory(path, error);
  }
  ink_status status = ink_file_is_folder(path) ? open_folder(new, error) : open_single(new, error);
  if (status != INK_OK) {
    ink_stable_diffusion_free(new);
    return status;
  }
  *sd = new;
  return INK_OK;
}

void ink_stable_diffusion_free(ink_stable_diffusion *sd) {
  if (!sd) return;
  for (size_t i = 0; i < INK_SD_TEXTS; i++) {
    ink_clip_free(sd->texts[i].clip);
    free(sd->texts[i].tokenizer);
  }
  ink_unet_free(sd->unet);
  ink_vae_free(sd->vae);
  ink_taesd_free(sd->taesd);
  json_decref(sd->scheduler);
  for (size_t i = 0; i < sd->n_weights; i++) ink_weights_close(sd->weights[i]);
  free(sd->path);
  free(sd);
}

const char *ink_stable_diffusion_name(const ink_stable_diffusion *sd) {
  static const char *const names[][2] = {
      [INK_SD_1] = {"Stable Diffusion 1", "Stable Diffusion 1 (inpainting)"},
      [INK_SD_2] = {"Stable Diffusion 2", "Stable Diffusion 2 (inpainting)"},
      [INK_SD_XL] = {"Stable Diffusion XL", "Stable Diffusion XL (inpainting)"},
      [INK_SD_XL_REFINER] = {"Stable Diffusion XL refiner", "Stable Diffusion XL refiner"}};
  return names[sd->family][ink_unet_about(sd->unet)->in_channels == 9];
}

ink_status ink_stable_diffusion_sha256(const ink_stable_diffusion *sd, ink_hash_trust trust,
                                       char hex[INK_SHA256_HEX], ink_error *error) {
  ink_text all = {0};
  ink_status status = INK_OK;
  for (size_t i = 0; i < sd->n_weights && status == INK_OK; i++) {
    status = ink_weights_sha256(sd->weights[i], trust, hex, error);
    ink_text_format(&all, "%s\n", hex);
  }
  if (status == INK_OK) status = ink_text_status(&all, error);
  if (status == INK_OK && sd->n_weights > 1) {
    status = ink_sha256_of(ink_text_string(&all), all.size, hex, error);
  }
  ink_text_free(&all);
  return status;
}

static ink_tensor *filled(ink_compute *c, int rank, const int64_t *shape, float value) {
  ink_tensor *x = ink_tensor_new(c->arena, INK_F32, rank, shape);
  if (!x) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory to probe a UNet");
  for (int64_t i = 0; i < ink_tensor_elements(x); i++) ((float *)x->data)[i] = value;
  return x;
}

// A picture of one value at the last timestep, as A1111's web UI tells the two kinds apart, with
// its threshold.
ink_sd_prediction ink_stable_diffusion_probe(ink_compute *c, const ink_stable_diffusion *sd) {
  const ink_unet_config *g = ink_unet_about(sd->unet);
  ink_sd_prediction found = INK_SD_PREDICTS_UNKNOWN;
  ink_arena_mark mark = ink_arena_save(c->arena);
  ink_unet_input input = {
      .sample = filled(c, 4, (int64_t[]){1, 8, 8, g->in_channels}, 0.5f),
      .timesteps = filled(c, 1, (int64_t[]){1}, 999),
      .context = filled(c, 3, (int64_t[]){1, 2, g->context}, 0.5f),
      .pooled = g->pooled ? filled(c, 2, (int64_t[]){1, g->pooled}, 0.5f) : NULL,
      .time_ids = g->pooled ? filled(c, 2, (int64_t[]){1, g->n_time_id}, 64) : NULL};
  ink_tensor *y = ink_unet_forward(c, sd->unet, &input);
  if (y) {
    double mean = 0;
    int64_t n = ink_tensor_elements(y);
    for (int64_t i = 0; i < n; i++) mean += (double)((float *)y->data)[i] - 0.5;
    found = mean / (double)n < -1 ? INK_SD_PREDICTS_V : INK_SD_PREDICTS_EPSILON;
  }
  ink_arena_release(c->arena, mark);
  return found;
}
