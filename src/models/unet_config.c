// What a UNet looks like: from config.json of diffusers, from the tensors of a single file, and
// the checks that hold for every source.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "models/config.h"
#include "models/unet_parts.h"
#include "weights/check.h"
#include "weights/weights.h"

enum { MOST_CHANNELS = 1 << 16, MOST_LAYERS = 7, MOST_DEPTH = 64 };

ink_unet_config ink_unet_config_sd15(void) {
  ink_unet_config g = {.in_channels = 4,
                       .out_channels = 4,
                       .sample_size = 64,
                       .n_level = 4,
                       .mid = true,
                       .mid_cross = true,
                       .mid_pair = true,
                       .mid_depth = 1,
                       .n_group = 32,
                       .norm_epsilon = 1e-5f,
                       .context = 768,
                       .flip_sin_to_cos = true};
  static const int32_t channels[] = {320, 640, 1280, 1280};
  for (int i = 0; i < 4; i++) {
    g.levels[i] = (ink_unet_level){.channels = channels[i],
                                   .n_layer = 2,
                                   .cross_down = i < 3,
                                   .cross_up = i < 3,
                                   .depth = {1, 1},
                                   .depth_up = {1, 1, 1},
                                   .n_head = 8};
  }
  return g;
}

static ink_status check_level(const ink_unet_config *g, int32_t i, ink_error *error) {
  const ink_unet_level *level = &g->levels[i];
  bool cross = level->cross_down || level->cross_up || (g->mid_cross && i + 1 == g->n_level);
  if (level->channels < 1 || level->channels > MOST_CHANNELS || level->channels % g->n_group != 0) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "a UNet's level %d of %d channels does not divide into %d groups", i,
                    level->channels, g->n_group);
  }
  if (level->n_layer < 1 || level->n_layer > MOST_LAYERS) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "a UNet's level %d of %d layers; 1 to %d are supported", i, level->n_layer,
                    MOST_LAYERS);
  }
  if (cross && (level->n_head < 1 || level->channels % level->n_head != 0)) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "a UNet's level %d of %d channels does not divide into %d heads", i,
                    level->channels, level->n_head);
  }
  for (int32_t j = 0; j <= level->n_layer; j++) {
    int32_t down = level->cross_down && j < level->n_layer ? level->depth[j] : 1;
    int32_t up = level->cross_up ? level->depth_up[j] : 1;
    if (down >= 1 && down <= MOST_DEPTH && up >= 1 && up <= MOST_DEPTH) continue;
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "a UNet's level %d with transformers of %d and %d blocks; 1 to %d are "
                    "supported",
                    i, down, up, MOST_DEPTH);
  }
  return INK_OK;
}

ink_status ink_unet_check_config(const ink_unet_config *g, ink_error *error) {
  if (g->n_level < 1 || g->n_level > INK_UNET_LEVELS || g->n_group < 1 || g->in_channels < 1 ||
      g->in_channels > MOST_CHANNELS || g->out_channels < 1 || g->out_channels > MOST_CHANNELS ||
      g->context < 1 || g->context > MOST_CHANNELS || g->time_cond < 0 || g->pooled < 0 ||
      g->time_cond > MOST_CHANNELS || g->pooled > MOST_CHANNELS) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "a UNet of %d levels, %d channels in, %d out, a text of width %d is not "
                    "possible",
                    g->n_level, g->in_channels, g->out_channels, g->context);
  }
  if (g->pooled && (g->n_time_id < 1 || g->n_time_id > 64 || g->time_id_width < 2 ||
                    g->time_id_width > MOST_CHANNELS)) {
    return ink_fail(error, INK_ERR_CONFLICT, "a UNet with %d sizes and crops of width %d",
                    g->n_time_id, g->time_id_width);
  }
  int32_t half = g->levels[0].channels / 2;  // frequencies of a time
  if (g->time_cond == 1 || g->time_cond == 2 || g->levels[0].channels < 2 ||
      g->freq_shift >= (float)half ||
      (g->mid_cross && (g->mid_depth < 1 || g->mid_depth > MOST_DEPTH))) {
    return ink_fail(error, INK_ERR_CONFLICT, "a UNet whose time or middle part is not possible");
  }
  for (int32_t i = 0; i < g->n_level; i++) INK_TRY(check_level(g, i, error));
  return INK_OK;
}

// ---- config.json of diffusers -------------------------------------------------------------------

// Choices of UNet2DConditionModel that exist in one form here.
static const ink_config_fixed fixed[] = {
    {"act_fn", "\"silu\""},
    {"addition_embed_type_num_heads", "64"},
    {"attention_type", "\"default\""},
    {"center_input_sample", "false"},
    {"class_embed_type", "null"},
    {"class_embeddings_concat", "false"},
    {"conv_in_kernel", "3"},
    {"conv_out_kernel", "3"},
    {"cross_attention_norm", "null"},
    {"downsample_padding", "1"},
    {"dual_cross_attention", "false"},
    {"encoder_hid_dim", "null"},
    {"encoder_hid_dim_type", "null"},
    {"mid_block_only_cross_attention", "null"},
    {"mid_block_scale_factor", "1"},
    {"num_attention_heads", "null"},
    {"num_class_embeds", "null"},
    {"only_cross_attention", "false"},
    {"resnet_out_scale_factor", "1"},
    {"resnet_skip_time_act", "false"},
    {"resnet_time_scale_shift", "\"default\""},
    {"time_embedding_act_fn", "null"},
    {"time_embedding_dim", "null"},
    {"time_embedding_type", "\"positional\""},
    {"timestep_post_act", "null"},
};

static ink_status read_block(const json_t *json, const char *name, const char *key, int i,
                             const char *plain, const char *cross, bool *is_cross,
                             ink_error *error) {
  const char *type = json_string_value(json_array_get(json_object_get(json, key), (size_t)i));
  if (!type) return ink_fail(error, INK_ERR_FORMAT, "%s: /%s/%d: must be a string", name, key, i);
  *is_cross = strcmp(type, cross) == 0;
  if (*is_cross || strcmp(type, plain) == 0) return INK_OK;
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%s: /%s/%d is the block type %.64s; %s and %s are supported", name, key, i, type,
                  plain, cross);
}

// The depths of a level's n transformers: one number for all, or a list.
static ink_status read_depths(const json_t *value, const char *name, const char *key, int n,
                              int32_t *out, ink_error *error) {
  bool list = json_is_array(value);
  if (list && json_array_size(value) != (size_t)n) {
    return ink_fail(error, INK_ERR_CONFLICT, "%s: /%s: %zu depths for %d layers", name, key,
                    json_array_size(value), n);
  }
  for (int i = 0; i < n; i++) {
    const json_t *depth = list ? json_array_get(value, (size_t)i) : value;
    if (!json_is_integer(depth) || json_integer_value(depth) < 1 ||
        json_integer_value(depth) > MOST_DEPTH) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: /%s: must hold whole numbers from 1 to %d", name,
                      key, MOST_DEPTH);
    }
    out[i] = (int32_t)json_integer_value(depth);
  }
  return INK_OK;
}

// transformer_layers_per_block: a number, or for each level a number or a list. Of lists the way up
// cannot be told; it is given in its own order, the coarsest level first.
static ink_status read_all_depths(const json_t *json, const char *name, ink_unet_config *g,
                                  ink_error *error) {
  static const char down_key[] = "transformer_layers_per_block",
                    up_key[] = "reverse_transformer_layers_per_block";
  const json_t *down = json_object_get(json, down_key), *up = json_object_get(json, up_key);
  json_t *one = json_integer(1);
  ink_status status = INK_OK;
  bool lists = json_is_array(down), up_lists = json_is_array(up);
  if (!down || json_is_null(down)) down = one;
  if (json_is_null(up)) up = NULL;
  if ((lists && json_array_size(down) != (size_t)g->n_level) ||
      (up_lists && json_array_size(up) != (size_t)g->n_level)) {
    status = ink_fail(error, INK_ERR_CONFLICT, "%s: /%s must be a list of %d", name, down_key,
                      g->n_level);
  }
  for (int i = 0; status == INK_OK && i < g->n_level; i++) {
    ink_unet_level *level = &g->levels[i];
    int from_end = g->n_level - 1 - i, n = level->n_layer;
    const json_t *value = lists ? json_array_get(down, (size_t)i) : down;
    status = read_depths(value, name, down_key, n, level->depth, error);
    if (status != INK_OK) break;
    if (json_is_array(value) && !up) {
      status = ink_fail(error, INK_ERR_CONFLICT, "%s: /%s has lists, and /%s is missing", name,
                        down_key, up_key);
      break;
    }
    const json_t *way_up = up_lists ? json_array_get(up, (size_t)from_end) : up ? up : value;
    status = read_depths(way_up, name, up ? up_key : down_key, n + 1, level->depth_up, error);
    if (i + 1 == g->n_level) g->mid_depth = level->depth[0];
  }
  json_decref(one);
  return status;
}

static ink_status same_length(const json_t *json, const char *name, const char *key, int n,
                              ink_error *error) {
  const json_t *list = json_object_get(json, key);
  if (json_array_size(list) == (size_t)n) return INK_OK;
  return ink_fail(error, INK_ERR_CONFLICT,
                  "%s: /%s must be a list of %d, as /block_out_channels is", name, key, n);
}

ink_status ink_unet_read_levels(const json_t *json, const char *name, ink_unet_config *g,
                                ink_error *error) {
  int32_t channels[INK_UNET_LEVELS], layers[INK_UNET_LEVELS], heads[INK_UNET_LEVELS];
  int32_t n_group = 32;
  int n;
  INK_TRY(ink_config_only(json, name, fixed, sizeof fixed / sizeof *fixed, error));
  INK_TRY(ink_config_levels(json, name, "block_out_channels", &n, error));
  INK_TRY(same_length(json, name, "down_block_types", n, error));
  INK_TRY(ink_config_sizes(json, name, "block_out_channels", n, 0, channels, error));
  INK_TRY(ink_config_sizes(json, name, "layers_per_block", n, 2, layers, error));
  // Misnamed in diffusers: it is the number of heads.
  INK_TRY(ink_config_sizes(json, name, "attention_head_dim", n, 8, heads, error));
  g->n_level = n;
  for (int i = 0; i < n; i++) {
    ink_unet_level *level = &g->levels[i];
    *level = (ink_unet_level){.channels = channels[i], .n_layer = layers[i], .n_head = heads[i]};
    INK_TRY(read_block(json, name, "down_block_types", i, "DownBlock2D", "CrossAttnDownBlock2D",
                       &level->cross_down, error));
    if (level->n_layer > MOST_LAYERS) {
      return ink_fail(error, INK_ERR_UNSUPPORTED,
                      "%s: /layers_per_block: %d layers; 1 to %d are supported", name,
                      level->n_layer, MOST_LAYERS);
    }
  }
  INK_TRY(read_all_depths(json, name, g, error));
  INK_TRY(ink_config_optional_size(json, name, "norm_num_groups", 32, &n_group, error));
  g->n_group = n_group;
  INK_TRY(ink_config_epsilon(json, name, "norm_eps", 1e-5, &g->norm_epsilon, error));
  INK_TRY(ink_config_optional_size(json, name, "in_channels", 4, &g->in_channels, error));
  INK_TRY(ink_config_optional_size(json, name, "cross_attention_dim", 1280, &g->context, error));
  INK_TRY(ink_json_get_bool(json, "use_linear_projection", name, &g->linear_projection, error));
  g->flip_sin_to_cos = true;
  INK_TRY(ink_json_get_bool(json, "flip_sin_to_cos", name, &g->flip_sin_to_cos, error));
  double shift = 0;
  INK_TRY(ink_json_get_number(json, "freq_shift", name, 0, 1, &shift, error));
  g->freq_shift = (float)shift;
  return INK_OK;
}

static ink_status read_middle(const json_t *json, const char *name, ink_unet_config *g,
                              ink_error *error) {
  const json_t *value = json_object_get(json, "mid_block_type");
  const char *type = value ? json_string_value(value) : "UNetMidBlock2DCrossAttn";
  g->mid = type != NULL;
  g->mid_cross = g->mid_pair = g->mid && strcmp(type, "UNetMidBlock2DCrossAttn") == 0;
  if (!value || json_is_null(value) || g->mid_cross) return INK_OK;
  if (type && strcmp(type, "UNetMidBlock2D") == 0) return INK_OK;  // one residual block alone
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%s: /mid_block_type is %.64s; UNetMidBlock2DCrossAttn, UNetMidBlock2D and null "
                  "are supported",
                  name, type ? type : "no string");
}

ink_status ink_unet_read_added(const json_t *json, const char *name, ink_unet_config *g,
                               ink_error *error) {
  const char *type = NULL;
  int32_t width = 0;
  INK_TRY(ink_json_get_string(json, "addition_embed_type", name, &type, error));
  if (!type) return INK_OK;
  if (strcmp(type, "text_time") != 0) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: /addition_embed_type is %.64s; only text_time is supported", name, type);
  }
  INK_TRY(ink_config_size(json, name, "addition_time_embed_dim", &g->time_id_width, error));
  INK_TRY(ink_config_size(json, name, "projection_class_embeddings_input_dim", &width, error));
  // The file tells the sum alone. The refiner's is 1280 + 5 * 256: it has the score of beauty in
  // place of the target's two sizes.
  g->n_time_id = width == 2560 && g->time_id_width == 256 ? 5 : 6;
  int64_t pooled = (int64_t)width - (int64_t)g->n_time_id * g->time_id_width;
  g->pooled = (int32_t)(pooled > 0 ? pooled : 0);
  if (pooled > 0) return INK_OK;
  return ink_fail(
      error, INK_ERR_CONFLICT,
      "%s: /projection_class_embeddings_input_dim %d leaves no room for the pooled text", name,
      width);
}

ink_status ink_unet_config_from_json(const json_t *json, const char *name, ink_unet_config *config,
                                     ink_error *error) {
  ink_unet_config g = {0};
  INK_TRY(ink_config_class(json, name, "UNet2DConditionModel", error));
  INK_TRY(ink_unet_read_levels(json, name, &g, error));
  INK_TRY(same_length(json, name, "up_block_types", g.n_level, error));
  for (int i = 0; i < g.n_level; i++) {
    INK_TRY(read_block(json, name, "up_block_types", i, "UpBlock2D", "CrossAttnUpBlock2D",
                       &g.levels[g.n_level - 1 - i].cross_up, error));
  }
  INK_TRY(ink_config_optional_size(json, name, "out_channels", 4, &g.out_channels, error));
  INK_TRY(ink_config_optional_size(json, name, "sample_size", 64, &g.sample_size, error));
  INK_TRY(ink_config_optional_size(json, name, "time_cond_proj_dim", 0, &g.time_cond, error));
  INK_TRY(read_middle(json, name, &g, error));
  INK_TRY(ink_unet_read_added(json, name, &g, error));
  *config = g;
  ink_status status = ink_unet_check_config(config, error);
  return status == INK_OK ? INK_OK : ink_context(error, status, "%s", name);
}

// ---- single files -------------------------------------------------------------------------------

typedef struct file {
  const ink_weights *weights;
  const char *prefix;
} file;

static const ink_weights_entry *find(const file *f, const char *format, ...) INK_PRINTF(2, 3);
static const ink_weights_entry *find(const file *f, const char *format, ...) {
  char name[2 * INK_NAME];
  int n = snprintf(name, sizeof name, "%s", f->prefix ? f->prefix : "");
  va_list arguments;
  va_start(arguments, format);
  if (n >= 0 && n < (int)sizeof name) {
    vsnprintf(name + n, sizeof name - (size_t)n, format, arguments);
  }
  va_end(arguments);
  return ink_weights_entry_of(f->weights, name);
}

static int32_t extent(const ink_weights_entry *entry, int i) {
  return entry && i < entry->rank && entry->shape[i] <= MOST_CHANNELS ? (int32_t)entry->shape[i]
                                                                      : 0;
}

// How many blocks the transformer in a numbered block has; 0: none is there.
static int32_t depth_of(const file *f, const char *side, int block) {
  int32_t depth = 0;
  while (depth <= MOST_DEPTH &&
         find(f, "%s.%d.1.transformer_blocks.%d.norm1.weight", side, block, depth)) {
    depth++;
  }
  return depth;
}

// The levels, one after the other: residual blocks until a convolution that halves the picture.
static ink_status read_blocks(const file *f, ink_unet_config *g) {
  ink_unet_level *level = &g->levels[0];
  for (int block = 1;; block++) {
    const ink_weights_entry *resnet = find(f, "input_blocks.%d.0.in_layers.2.weight", block);
    if (resnet) {
      if (level->n_layer == MOST_LAYERS) return INK_ERR_UNSUPPORTED;
      if (level->n_layer == 0) g->n_level++;
      level->channels = extent(resnet, 0);
      int32_t depth = depth_of(f, "input_blocks", block);
      level->depth[level->n_layer++] = depth;
      level->cross_down = depth > 0;
      continue;
    }
    if (!find(f, "input_blocks.%d.0.op.weight", block)) return INK_OK;
    if (g->n_level == INK_UNET_LEVELS) return INK_ERR_UNSUPPORTED;
    level = &g->levels[g->n_level];
  }
}

static void read_up_blocks(const file *f, ink_unet_config *g) {
  int block = 0;
  for (int i = g->n_level; i-- > 0;) {
    ink_unet_level *level = &g->levels[i];
    for (int32_t j = 0; j <= level->n_layer; j++) {
      level->depth_up[j] = depth_of(f, "output_blocks", block++);
      level->cross_up = level->depth_up[j] > 0;
    }
  }
}

static int32_t text_width(const file *f) {
  for (int block = 1; block < 64; block++) {
    const ink_weights_entry *k =
        find(f, "input_blocks.%d.1.transformer_blocks.0.attn2.to_k.weight", block);
    if (k) return extent(k, 1);
  }
  return extent(find(f, "middle_block.1.transformer_blocks.0.attn2.to_k.weight"), 1);
}

// What the way down, the middle and the conditions tell, which a ControlNet has too.
ink_status ink_unet_levels_from_weights(const ink_weights *weights, const char *prefix,
                                        ink_unet_config *config, ink_error *error) {
  file f = {weights, prefix};
  const ink_weights_entry *in = find(&f, "input_blocks.0.0.weight");
  if (!in || in->rank != 4) {
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    "%s: no network of Stable Diffusion 1, 2 or XL below %s (%s%s)",
                    ink_weights_path(weights), prefix ? prefix : "its names", prefix ? prefix : "",
                    "input_blocks.0.0.weight");
  }
  ink_unet_config g = {.in_channels = extent(in, 1),
                       .out_channels = extent(in, 1),
                       .sample_size = 64,
                       .n_group = 32,
                       .norm_epsilon = 1e-5f,
                       .flip_sin_to_cos = true};
  if (read_blocks(&f, &g) != INK_OK) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: a UNet of more than %d levels, or %d layers in one",
                    ink_weights_path(weights), INK_UNET_LEVELS, MOST_LAYERS);
  }
  g.context = text_width(&f);
  g.mid = find(&f, "middle_block.0.in_layers.2.weight") != NULL;
  g.mid_pair = find(&f, "middle_block.2.in_layers.2.weight") != NULL;
  while (g.mid_depth <= MOST_DEPTH &&
         find(&f, "middle_block.1.transformer_blocks.%d.norm1.weight", g.mid_depth)) {
    g.mid_depth++;
  }
  g.mid_cross = g.mid_depth > 0;
  g.time_cond = extent(find(&f, "time_embed.cond_proj.weight"), 1);
  int32_t added = extent(find(&f, "label_emb.0.0.weight"), 1);
  if (added > 0) {
    g.time_id_width = 256;
    g.n_time_id = added == 2560 ? 5 : 6;
    g.pooled = added - g.n_time_id * g.time_id_width;
  }
  bool first_generation = g.context == 768;
  g.linear_projection = !first_generation;
  for (int i = 0; i < g.n_level; i++) {
    int32_t channels = g.levels[i].channels;
    g.levels[i].n_head = first_generation || channels % 64 != 0 ? 8 : channels / 64;
  }
  *config = g;
  return INK_OK;
}

ink_status ink_unet_config_from_weights(const ink_weights *weights, const char *prefix,
                                        ink_unet_config *config, ink_error *error) {
  file f = {weights, prefix};
  ink_unet_config g;
  INK_TRY(ink_unet_levels_from_weights(weights, prefix, &g, error));
  const ink_weights_entry *out = find(&f, "out.2.weight");
  if (!out || out->rank != 4) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s: a UNet without its last layer (%sout.2.weight)",
                    ink_weights_path(weights), prefix ? prefix : "");
  }
  g.out_channels = extent(out, 0);
  read_up_blocks(&f, &g);
  *config = g;
  ink_status status = ink_unet_check_config(config, error);
  return status == INK_OK ? INK_OK : ink_context(error, status, "%s", ink_weights_path(weights));
}
