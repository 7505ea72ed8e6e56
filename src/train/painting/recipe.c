// Reading the painter's recipes.
#include "train/painting/recipe.h"

#include <stdlib.h>
#include <string.h>

#include "train/recipe_parts.h"

// ---- what all have in common --------------------------------------------------------------------

static ink_status read_init(const json_t *root, const char *name, ink_course_recipe *r,
                            ink_error *error) {
  static const char *const known[] = {"seed", "from", NULL};
  const json_t *s;
  int64_t seed = 0;
  INK_TRY(ink_recipe_section(root, "init", name, known, &s, error));
  INK_TRY(ink_json_get_int(s, "seed", name, 0, INT64_C(1) << 53, &seed, error));
  r->init_seed = (uint64_t)seed;
  return ink_recipe_string(s, "from", name, false, &r->start, error);
}

static ink_status check_run(const char *name, const ink_course_recipe *r, ink_error *error) {
  if (!r->steps) return ink_fail(error, INK_ERR_FORMAT, "%s: /run/steps is missing", name);
  if (r->batch % r->micro) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /run/micro is %lld; it must divide batch (%lld)",
                    name, (long long)r->micro, (long long)r->batch);
  }
  return INK_OK;
}

static ink_status read_run(const json_t *root, const char *name, ink_course_recipe *r,
                           ink_error *error) {
  enum { MOST_STEPS = 1000000000 };
  static const char *const known[] = {"seed",
                                      "steps",
                                      "batch",
                                      "micro",
                                      "side",
                                      "precision",
                                      "warmup",
                                      "decay",
                                      "floor",
                                      "average",
                                      "validate_every",
                                      "validate_pictures",
                                      "sheet_minutes",
                                      "checkpoint_minutes",
                                      NULL};
  const json_t *s;
  int64_t seed = 0, side = 128;
  r->batch = 32;
  r->warmup = 100;
  r->decay = -1;
  r->average = 0.999;
  r->validate_every = 500;
  r->validate_pictures = 64;
  r->sheet_minutes = 20;
  r->checkpoint_minutes = 5;
  INK_TRY(ink_recipe_section(root, "run", name, known, &s, error));
  INK_TRY(ink_json_get_int(s, "seed", name, 0, INT64_C(1) << 53, &seed, error));
  INK_TRY(ink_json_get_int(s, "steps", name, 1, MOST_STEPS, &r->steps, error));
  INK_TRY(ink_json_get_int(s, "batch", name, 1, 65536, &r->batch, error));
  INK_TRY(ink_json_get_int(s, "micro", name, 1, 65536, &r->micro, error));
  INK_TRY(ink_json_get_int(s, "side", name, 16, 512, &side, error));
  INK_TRY(ink_recipe_precision(s, name, &r->precision, error));
  INK_TRY(ink_json_get_int(s, "warmup", name, 0, MOST_STEPS, &r->warmup, error));
  INK_TRY(ink_json_get_int(s, "decay", name, 0, MOST_STEPS, &r->decay, error));
  INK_TRY(ink_json_get_number(s, "floor", name, 0, 1, &r->floor, error));
  INK_TRY(ink_json_get_number(s, "average", name, 0, 0.999999, &r->average, error));
  INK_TRY(ink_json_get_int(s, "validate_every", name, 0, MOST_STEPS, &r->validate_every, error));
  INK_TRY(ink_json_get_int(s, "validate_pictures", name, 1, 65536, &r->validate_pictures, error));
  INK_TRY(ink_json_get_number(s, "sheet_minutes", name, 0, 1e6, &r->sheet_minutes, error));
  INK_TRY(
      ink_json_get_number(s, "checkpoint_minutes", name, 0.01, 1e6, &r->checkpoint_minutes, error));
  r->seed = (uint64_t)seed;
  r->side = (int32_t)side;
  if (!r->micro) r->micro = r->batch;
  if (r->decay < 0) r->decay = r->steps * 3 / 10;
  return check_run(name, r, error);
}

static ink_status read_course(const json_t *root, const char *name, ink_course_recipe *r,
                              ink_error *error) {
  INK_TRY(ink_recipe_string(root, "name", name, true, &r->name, error));
  INK_TRY(ink_recipe_string(root, "data", name, true, &r->data, error));
  INK_TRY(read_init(root, name, r, error));
  INK_TRY(ink_recipe_optimizer(root, name, &r->optimizer, &r->muon, error));
  INK_TRY(read_run(root, name, r, error));
  r->optimizer.muon_precision = r->precision;
  return INK_OK;
}

static void free_course(ink_course_recipe *r) {
  free(r->name);
  free(r->data);
  free(r->start);
}

// A section that holds the fields of a published config.json: a copy with its class and the fixed
// fields added. `known` lists what a recipe may say.
static ink_status read_config(const json_t *root, const char *key, const char *name,
                              const char *const *known, const char *fixed, json_t **out,
                              ink_error *error) {
  const json_t *s;
  json_error_t unused;
  INK_TRY(ink_recipe_section(root, key, name, known, &s, error));
  if (!s) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /%s is missing: the fields of a config.json", name,
                    key);
  }
  *out = json_loads(fixed, 0, &unused);
  if (!*out || json_object_update(*out, (json_t *)(uintptr_t)s) != 0) {
    return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to read it", name);
  }
  return INK_OK;
}

// ---- autoencoder --------------------------------------------------------------------------------

static ink_status read_autoencoder_loss(const json_t *root, const char *name,
                                        ink_autoencoder_recipe *r, ink_error *error) {
  static const char *const known[] = {"delta", "pixels",  "half",  "quarter",
                                      "edges", "latents", "noise", NULL};
  const json_t *s;
  r->delta = 0.1;
  r->pixels = 1;
  r->half = 0.5;
  r->quarter = 0.5;
  r->edges = 0.5;
  r->latents = 0.003;
  r->noise = 0.1;
  INK_TRY(ink_recipe_section(root, "loss", name, known, &s, error));
  INK_TRY(ink_json_get_number(s, "delta", name, 1e-4, 10, &r->delta, error));
  INK_TRY(ink_json_get_number(s, "pixels", name, 0, 1e4, &r->pixels, error));
  INK_TRY(ink_json_get_number(s, "half", name, 0, 1e4, &r->half, error));
  INK_TRY(ink_json_get_number(s, "quarter", name, 0, 1e4, &r->quarter, error));
  INK_TRY(ink_json_get_number(s, "edges", name, 0, 1e4, &r->edges, error));
  INK_TRY(ink_json_get_number(s, "latents", name, 0, 1e4, &r->latents, error));
  return ink_json_get_number(s, "noise", name, 0, 10, &r->noise, error);
}

static ink_status read_learn(const json_t *root, const char *name, ink_autoencoder_recipe *r,
                             ink_error *error) {
  const char *learn = "all";
  INK_TRY(ink_json_get_string(root, "learn", name, &learn, error));
  r->decoder_only = strcmp(learn, "decoder") == 0;
  if (!r->decoder_only && strcmp(learn, "all") != 0) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /learn is \"%s\"; it is all or decoder", name,
                    learn);
  }
  if (r->decoder_only && !r->course.start) {
    return ink_fail(error, INK_ERR_FORMAT,
                    "%s: /learn is decoder, but /init/from names no autoencoder whose encoder is "
                    "to stay",
                    name);
  }
  return INK_OK;
}

static ink_status read_autoencoder(const json_t *root, const char *name, ink_autoencoder_recipe *r,
                                   ink_error *error) {
  static const char *const known[] = {"kind", "name", "data",      "learn", "model",
                                      "loss", "init", "optimizer", "run",   NULL};
  static const char *const fields[] = {
      "latent_channels",    "encoder_block_out_channels", "decoder_block_out_channels",
      "num_encoder_blocks", "num_decoder_blocks",         NULL};
  static const char fixed[] =
      "{\"_class_name\": \"AutoencoderTiny\", \"_diffusers_version\": \"0.42.1\","
      "\"act_fn\": \"relu\", \"in_channels\": 3, \"out_channels\": 3, \"latent_channels\": 8,"
      "\"encoder_block_out_channels\": [32, 32, 32, 32],"
      "\"decoder_block_out_channels\": [32, 32, 32, 32],"
      "\"num_encoder_blocks\": [1, 2, 2, 2], \"num_decoder_blocks\": [2, 2, 2, 1],"
      "\"latent_magnitude\": 3, \"latent_shift\": 0.5, \"force_upcast\": false,"
      "\"upsample_fn\": \"nearest\", \"upsampling_scaling_factor\": 2, \"scaling_factor\": 1.0,"
      "\"shift_factor\": 0.0}";
  INK_TRY(ink_json_only(root, name, known, error));
  INK_TRY(read_course(root, name, &r->course, error));
  INK_TRY(read_learn(root, name, r, error));
  INK_TRY(read_config(root, "model", name, fields, fixed, &r->config, error));
  INK_TRY(ink_taesd_config_from_json(r->config, name, &r->model, error));
  INK_TRY(read_autoencoder_loss(root, name, r, error));
  int32_t factor = 1 << (r->model.n_level - 1);
  // The loss looks at pictures of a quarter of the side.
  if (r->course.side % (factor > 4 ? factor : 4)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /run/side is %d; it must be a multiple of %d", name,
                    r->course.side, factor > 4 ? factor : 4);
  }
  return INK_OK;
}

ink_status ink_autoencoder_recipe_load(const char *path, ink_autoencoder_recipe *recipe,
                                       ink_error *error) {
  *recipe = (ink_autoencoder_recipe){0};
  json_t *root;
  INK_TRY(ink_recipe_read(path, &root, recipe->course.sha256, error));
  ink_status status = read_autoencoder(root, path, recipe, error);
  json_decref(root);
  if (status != INK_OK) ink_autoencoder_recipe_free(recipe);
  return status;
}

void ink_autoencoder_recipe_free(ink_autoencoder_recipe *recipe) {
  free_course(&recipe->course);
  json_decref(recipe->config);
  *recipe = (ink_autoencoder_recipe){0};
}

// ---- painter ------------------------------------------------------------------------------------

static const char unet_fixed[] =
    "{\"_class_name\": \"UNet2DConditionModel\", \"_diffusers_version\": \"0.42.1\","
    "\"act_fn\": \"silu\", \"center_input_sample\": false, \"downsample_padding\": 1,"
    "\"flip_sin_to_cos\": true, \"freq_shift\": 0, \"in_channels\": 8, \"out_channels\": 8,"
    "\"layers_per_block\": 1, \"mid_block_scale_factor\": 1, \"norm_eps\": 1e-05,"
    "\"norm_num_groups\": 32, \"sample_size\": 16, \"use_linear_projection\": true}";

static const char text_fixed[] =
    "{\"architectures\": [\"CLIPTextModel\"], \"model_type\": \"clip_text_model\","
    "\"hidden_act\": \"quick_gelu\", \"attention_dropout\": 0.0, \"dropout\": 0.0,"
    "\"initializer_factor\": 1.0, \"initializer_range\": 0.02, \"layer_norm_eps\": 1e-05,"
    "\"max_position_embeddings\": 32, \"dtype\": \"float16\"}";

// Noise by Nichol and Dhariwal's cosine, stretched so that the last timestep is noise alone; 16x16
// latents lose their content earlier than larger ones do.
static const char scheduler_fixed[] =
    "{\"_class_name\": \"DDIMScheduler\", \"_diffusers_version\": \"0.42.1\","
    "\"num_train_timesteps\": 1000, \"beta_start\": 0.00085, \"beta_end\": 0.012,"
    "\"beta_schedule\": \"squaredcos_cap_v2\", \"trained_betas\": null, \"clip_sample\": false,"
    "\"set_alpha_to_one\": true, \"steps_offset\": 1, \"prediction_type\": \"v_prediction\","
    "\"thresholding\": false, \"timestep_spacing\": \"trailing\","
    "\"rescale_betas_zero_snr\": true}";

static ink_status read_networks(const json_t *root, const char *name, ink_painter_recipe *r,
                                ink_error *error) {
  static const char *const unet_fields[] = {"sample_size",
                                            "in_channels",
                                            "out_channels",
                                            "block_out_channels",
                                            "layers_per_block",
                                            "down_block_types",
                                            "up_block_types",
                                            "mid_block_type",
                                            "attention_head_dim",
                                            "cross_attention_dim",
                                            "norm_num_groups",
                                            "transformer_layers_per_block",
                                            NULL};
  static const char *const text_fields[] = {"vocab_size",          "hidden_size",
                                            "intermediate_size",   "num_hidden_layers",
                                            "num_attention_heads", "bos_token_id",
                                            "eos_token_id",        "pad_token_id",
                                            "projection_dim",      NULL};
  static const char *const scheduler_fields[] = {"beta_schedule", "beta_start", "beta_end", NULL};
  INK_TRY(read_config(root, "unet", name, unet_fields, unet_fixed, &r->unet_config, error));
  INK_TRY(ink_unet_config_from_json(r->unet_config, name, &r->unet, error));
  INK_TRY(read_config(root, "text_encoder", name, text_fields, text_fixed, &r->text_config, error));
  INK_TRY(ink_clip_config_from_json(r->text_config, name, &r->text, error));
  if (json_object_get(root, "scheduler")) {
    INK_TRY(read_config(root, "scheduler", name, scheduler_fields, scheduler_fixed, &r->scheduler,
                        error));
  } else {
    r->scheduler = json_loads(scheduler_fixed, 0, NULL);
  }
  if (r->text.hidden != r->unet.context) {
    return ink_fail(error, INK_ERR_FORMAT,
                    "%s: /unet/cross_attention_dim is %d, but the text encoder's hidden_size is %d",
                    name, r->unet.context, r->text.hidden);
  }
  return INK_OK;
}

// A list of strings below `section`, each copied.
static ink_status read_strings(const json_t *section, const char *name, const char *place,
                               size_t most, char ***strings, size_t *n_string, ink_error *error) {
  const char *key = strrchr(place, '/') + 1;
  const json_t *list = json_object_get(section, key);
  size_t n = json_array_size(list);
  if (!list) return INK_OK;
  if (!json_is_array(list) || n > most) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: %s must be a list of at most %zu", name, place,
                    most);
  }
  *strings = calloc(n + 1, sizeof **strings);
  for (size_t i = 0; *strings && i < n; i++) {
    const char *text = json_string_value(json_array_get(list, i));
    if (!text) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: %s/%zu must be a string", name, place, i);
    }
    (*strings)[i] = strdup(text);
    if (!(*strings)[i]) break;
    *n_string = i + 1;
  }
  if (*n_string == n) return INK_OK;
  return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to read it", name);
}

static void free_strings(char **strings, size_t n) {
  for (size_t i = 0; i < n; i++) free(strings[i]);
  free(strings);
}

static ink_status read_sheet(const json_t *root, const char *name, ink_painter_recipe *r,
                             ink_error *error) {
  static const char *const known[] = {"prompts", "guidance", "steps", NULL};
  enum { MOST_PROMPTS = 64 };
  const json_t *s;
  int64_t steps = 20;
  r->guidance = 4;
  INK_TRY(ink_recipe_section(root, "sheet", name, known, &s, error));
  INK_TRY(ink_json_get_number(s, "guidance", name, 0, 100, &r->guidance, error));
  INK_TRY(ink_json_get_int(s, "steps", name, 1, 1000, &steps, error));
  r->sheet_steps = (int32_t)steps;
  return read_strings(s, name, "/sheet/prompts", MOST_PROMPTS, &r->prompts, &r->n_prompt, error);
}

static ink_status read_painter(const json_t *root, const char *name, ink_painter_recipe *r,
                               ink_error *error) {
  static const char *const known[] = {"kind",      "name",     "data",    "autoencoder",
                                      "scenes",    "concepts", "unet",    "text_encoder",
                                      "scheduler", "loss",     "sheet",   "init",
                                      "optimizer", "run",      "freedom", NULL};
  static const char *const loss[] = {"gamma", "drop", NULL};
  const json_t *s;
  r->scenes = 60000;
  r->freedom = 1;
  r->gamma = 5;
  r->drop = 0.1;
  INK_TRY(ink_json_only(root, name, known, error));
  INK_TRY(read_course(root, name, &r->course, error));
  INK_TRY(ink_recipe_string(root, "autoencoder", name, true, &r->autoencoder, error));
  INK_TRY(ink_json_get_int(root, "scenes", name, 1, 10000000, &r->scenes, error));
  INK_TRY(read_strings(root, name, "/concepts", 10000, &r->concepts, &r->n_concept, error));
  INK_TRY(ink_json_get_number(root, "freedom", name, 0, 1, &r->freedom, error));
  INK_TRY(read_networks(root, name, r, error));
  INK_TRY(ink_recipe_section(root, "loss", name, loss, &s, error));
  INK_TRY(ink_json_get_number(s, "gamma", name, 1, 1e9, &r->gamma, error));
  INK_TRY(ink_json_get_number(s, "drop", name, 0, 1, &r->drop, error));
  return read_sheet(root, name, r, error);
}

ink_status ink_painter_recipe_load(const char *path, ink_painter_recipe *recipe, ink_error *error) {
  *recipe = (ink_painter_recipe){0};
  json_t *root;
  INK_TRY(ink_recipe_read(path, &root, recipe->course.sha256, error));
  ink_status status = read_painter(root, path, recipe, error);
  json_decref(root);
  if (status != INK_OK) ink_painter_recipe_free(recipe);
  return status;
}

void ink_painter_recipe_free(ink_painter_recipe *recipe) {
  free_course(&recipe->course);
  free(recipe->autoencoder);
  free_strings(recipe->prompts, recipe->n_prompt);
  free_strings(recipe->concepts, recipe->n_concept);
  json_decref(recipe->unet_config);
  json_decref(recipe->text_config);
  json_decref(recipe->scheduler);
  *recipe = (ink_painter_recipe){0};
}
