// ControlNet (Zhang et al. 2023): the UNet's way down, a small network for the picture, and 1x1
// convolutions on everything that is left behind.
#include "models/controlnet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "models/config.h"
#include "models/naming.h"
#include "models/unet_parts.h"
#include "weights/weights.h"

typedef struct hint_network {
  ink_convolution in, out;
  ink_convolution blocks[2 * INK_CONTROLNET_LEVELS];  // by turns keeping the size and halving it
} hint_network;

struct ink_controlnet {
  ink_controlnet_config config;
  ink_network network;
  ink_unet_conditions conditions;
  ink_convolution in;
  hint_network hint;
  ink_unet_way *down;
  ink_unet_step middle[2];
  ink_convolution zero_skips[INK_UNET_MOST_SKIPS], zero_middle;
  int32_t n_cross;
};

// ---- the forward pass --------------------------------------------------------------------------

int32_t ink_controlnet_factor(const ink_controlnet *controlnet) {
  return 1 << (controlnet->config.n_hint - 1);
}

static ink_tensor *run_hint(ink_compute *c, const ink_controlnet *w, const ink_tensor *hint) {
  ink_tensor *x = ink_silu(c, ink_run_convolution(c, hint, &w->hint.in, 1));
  for (int32_t i = 0; i + 1 < w->config.n_hint; i++) {
    x = ink_silu(c, ink_run_convolution(c, x, &w->hint.blocks[2 * i], 1));
    x = ink_silu(c, ink_run_convolution(c, x, &w->hint.blocks[2 * i + 1], 2));
  }
  return ink_run_convolution(c, x, &w->hint.out, 1);
}

static bool check_hint(ink_compute *c, const ink_controlnet *w, const ink_unet_input *input,
                       const ink_tensor *hint) {
  char shape[96];
  int64_t factor = ink_controlnet_factor(w);
  const ink_tensor *sample = input->sample;
  if (hint && hint->dtype == INK_F32 && hint->rank == 4 && hint->shape[0] == sample->shape[0] &&
      hint->shape[1] == factor * sample->shape[1] && hint->shape[2] == factor * sample->shape[2] &&
      hint->shape[3] == w->config.hint_channels) {
    return true;
  }
  ink_compute_fail(c, INK_ERR_USAGE,
                   "a ControlNet's picture must be F32, %lld times the latents' size, with %d "
                   "channels: %s",
                   (long long)factor, w->config.hint_channels,
                   hint ? ink_tensor_describe(hint, shape) : "absent");
  return false;
}

// A 1x1 convolution, F32 and scaled, into a place taken before.
static const ink_tensor *leave(ink_compute *c, const ink_convolution *w, const ink_tensor *x,
                               float strength, ink_tensor *place) {
  ink_tensor *y = ink_scale(c, ink_run_convolution(c, x, w, 1), strength);
  if (!y || c->tape) return y;
  ink_store(c, y->dtype == INK_F32 ? y : ink_cast(c, y, INK_F32), place);
  return place;
}

// Places of the residuals, which outlive the pass.
static bool take_places(ink_compute *c, const ink_unet_config *g, const ink_tensor *sample,
                        ink_tensor **places, size_t *n) {
  int64_t shape[4] = {sample->shape[0], sample->shape[1], sample->shape[2], g->levels[0].channels};
  *n = 0;
  for (int32_t i = 0; i < g->n_level; i++) {
    int32_t more = g->levels[i].n_layer + (i == 0);
    shape[3] = g->levels[i].channels;
    for (int32_t j = 0; j < more; j++) places[(*n)++] = ink_tensor_new(c->arena, INK_F32, 4, shape);
    if (i + 1 == g->n_level) break;
    shape[1] = (shape[1] + 1) / 2;
    shape[2] = (shape[2] + 1) / 2;
    places[(*n)++] = ink_tensor_new(c->arena, INK_F32, 4, shape);
  }
  places[*n] = ink_tensor_new(c->arena, INK_F32, 4, shape);
  for (size_t i = 0; i <= *n; i++) {
    if (places[i]) continue;
    ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a ControlNet's residuals");
    return false;
  }
  return true;
}

static void run(ink_compute *c, const ink_controlnet *w, const ink_unet_input *input,
                const ink_tensor *hint, float strength, ink_tensor *const *places,
                ink_unet_residuals *out) {
  const ink_unet_config *g = &w->config.unet;
  bool bf16 = input->activations == INK_BF16;
  ink_tensor *skips[INK_UNET_MOST_SKIPS];
  ink_unet_pass pass = {.config = g,
                        .groups = {g->n_group, g->norm_epsilon},
                        .time = ink_unet_embed_conditions(c, g, &w->conditions, input),
                        .context = bf16 ? ink_cast(c, input->context, INK_BF16) : input->context};
  const ink_tensor *sample = bf16 ? ink_cast(c, input->sample, INK_BF16) : input->sample;
  ink_tensor *x = ink_run_convolution(c, sample, &w->in, 1);
  x = ink_add(c, x, run_hint(c, w, bf16 ? ink_cast(c, hint, INK_BF16) : hint));
  x = ink_unet_run_down(c, &pass, w->down, x, INK_UNET_MOST_SKIPS, skips, &out->n);
  x = ink_unet_run_middle(c, &pass, w->middle, x);
  for (size_t i = 0; i < out->n; i++) {
    out->skips[i] = leave(c, &w->zero_skips[i], skips[i], strength, places[i]);
  }
  out->middle = leave(c, &w->zero_middle, x, strength, places[out->n]);
}

bool ink_controlnet_forward(ink_compute *c, const ink_controlnet *controlnet,
                            const ink_unet_input *input, const ink_tensor *hint, float strength,
                            ink_unet_residuals *residuals) {
  ink_tensor *places[INK_UNET_MOST_SKIPS + 1] = {0};
  size_t n;
  ink_unet_input own = *input;
  own.text = NULL;  // that is the UNet's
  if (!ink_unet_check_input(c, &controlnet->config.unet, &own) ||
      !check_hint(c, controlnet, input, hint)) {
    return false;
  }
  if (!c->tape && !take_places(c, &controlnet->config.unet, input->sample, places, &n)) {
    return false;
  }
  ink_arena_mark mark = ink_arena_save(c->arena);
  run(c, controlnet, &own, hint, strength, places, residuals);
  if (!c->tape) ink_arena_release(c->arena, mark);
  return c->error.status == INK_OK;
}

// ---- parameters --------------------------------------------------------------------------------

static void bind_hint(ink_network_builder *b, const ink_controlnet_config *g, hint_network *w) {
  ink_network_scope(b, "controlnet_cond_embedding.");
  w->in = ink_network_convolution(b, "conv_in", g->hint_widths[0], g->hint_channels, 3, true);
  for (int32_t i = 0; i + 1 < g->n_hint; i++) {
    int64_t width = g->hint_widths[i], next = g->hint_widths[i + 1];
    char name[32];
    snprintf(name, sizeof name, "blocks.%d", 2 * i);
    w->blocks[2 * i] = ink_network_convolution(b, name, width, width, 3, true);
    snprintf(name, sizeof name, "blocks.%d", 2 * i + 1);
    w->blocks[2 * i + 1] = ink_network_convolution(b, name, next, width, 3, true);
  }
  w->out = ink_network_convolution(b, "conv_out", g->unet.levels[0].channels,
                                   g->hint_widths[g->n_hint - 1], 3, true);
}

// One 1x1 convolution for each tensor that the way down leaves.
static void bind_zeros(ink_network_builder *b, const ink_unet_config *g, ink_controlnet *w) {
  size_t n = 0;
  ink_network_scope(b, "controlnet_down_blocks.");
  for (int32_t i = 0; i < g->n_level; i++) {
    int64_t width = g->levels[i].channels;
    int32_t more = g->levels[i].n_layer + (i == 0) + (i + 1 < g->n_level);
    for (int32_t j = 0; j < more; j++) {
      char name[32];
      snprintf(name, sizeof name, "%zu", n);
      w->zero_skips[n++] = ink_network_convolution(b, name, width, width, 1, true);
    }
  }
  int64_t last = g->levels[g->n_level - 1].channels;
  ink_network_scope(b, "%s", "");
  w->zero_middle = ink_network_convolution(b, "controlnet_mid_block", last, last, 1, true);
}

static void bind(ink_network_builder *b, ink_controlnet *w) {
  const ink_unet_config *g = &w->config.unet;
  ink_network_scope(b, "%s", "");
  w->in = ink_network_convolution(b, "conv_in", g->levels[0].channels, g->in_channels, 3, true);
  ink_unet_bind_conditions(b, g, &w->conditions);
  bind_hint(b, &w->config, &w->hint);
  w->down = ink_unet_bind_down(b, g, &w->n_cross);
  ink_unet_bind_middle(b, g, &w->n_cross, w->middle);
  bind_zeros(b, g, w);
}

static ink_status check_config(const ink_controlnet_config *g, ink_error *error) {
  INK_TRY(ink_unet_check_config(&g->unet, error));
  bool fits =
      g->n_hint >= 1 && g->n_hint <= INK_CONTROLNET_LEVELS && g->hint_channels >= 1 && g->unet.mid;
  for (int32_t i = 0; fits && i < g->n_hint; i++) fits = g->hint_widths[i] >= 1;
  if (fits) return INK_OK;
  return ink_fail(error, INK_ERR_CONFLICT, "a ControlNet of %d hint levels is not possible",
                  g->n_hint);
}

// The hint network is numbered through, its activations too; how far depends on its levels.
static int hint_end(const ink_controlnet_config *g) {
  return 4 * (g->n_hint - 1) + 2;
}

static bool stored_name(const void *config, ink_naming naming, const char *name,
                        ink_stored_name *out) {
  static const char last[] = "controlnet_cond_embedding.conv_out.";
  const ink_controlnet_config *g = config;
  if (naming == INK_NAMING_LDM && strncmp(name, last, sizeof last - 1) == 0) {
    *out = (ink_stored_name){.parts = 1};
    snprintf(out->name, sizeof out->name, "input_hint_block.%d.%s", hint_end(g),
             name + sizeof last - 1);
    return true;
  }
  return ink_unet_stored_name(&g->unet, naming, name, out);
}

ink_status ink_controlnet_new(const ink_controlnet_config *config, const ink_source *source,
                              ink_controlnet **controlnet, ink_error *error) {
  ink_error unused = {0};
  if (!error) error = &unused;
  *controlnet = NULL;
  INK_TRY(check_config(config, error));
  ink_controlnet *new = calloc(1, sizeof *new);
  if (!new) return ink_fail(error, INK_ERR_MEMORY, "no memory for a ControlNet");
  new->config = *config;
  ink_network_builder b;
  ink_network_start(&b, &new->network, source, &new->config, stored_name, error);
  if (b.status == INK_OK) bind(&b, new);
  ink_status status = ink_network_finish(&b);
  if (status != INK_OK) {
    ink_controlnet_free(new);
    return status;
  }
  *controlnet = new;
  return INK_OK;
}

void ink_controlnet_free(ink_controlnet *controlnet) {
  if (!controlnet) return;
  ink_network_free(&controlnet->network);
  free(controlnet);
}

const ink_controlnet_config *ink_controlnet_about(const ink_controlnet *controlnet) {
  return &controlnet->config;
}

ink_parameter *ink_controlnet_parameters(ink_controlnet *controlnet, size_t *n) {
  *n = controlnet->network.n;
  return controlnet->network.parameters;
}

// ---- config.json of diffusers -------------------------------------------------------------------

ink_status ink_controlnet_config_from_json(const json_t *json, const char *name,
                                           ink_controlnet_config *config, ink_error *error) {
  static const ink_config_fixed fixed[] = {{"global_pool_conditions", "false"},
                                           {"mid_block_type", "\"UNetMidBlock2DCrossAttn\""}};
  static const int32_t usual[] = {16, 32, 96, 256};
  ink_controlnet_config g = {0};
  INK_TRY(ink_config_class(json, name, "ControlNetModel", error));
  INK_TRY(ink_config_only(json, name, fixed, sizeof fixed / sizeof *fixed, error));
  INK_TRY(ink_unet_read_levels(json, name, &g.unet, error));
  INK_TRY(ink_unet_read_added(json, name, &g.unet, error));
  g.unet.out_channels = g.unet.in_channels;
  g.unet.mid = g.unet.mid_cross = g.unet.mid_pair = true;
  INK_TRY(
      ink_config_optional_size(json, name, "conditioning_channels", 3, &g.hint_channels, error));
  const char *key = "conditioning_embedding_out_channels";
  int n = 4;
  bool given = json_is_array(json_object_get(json, key));
  if (given) INK_TRY(ink_config_levels(json, name, key, &n, error));
  g.n_hint = n;
  memcpy(g.hint_widths, usual, sizeof usual);
  if (given) INK_TRY(ink_config_sizes(json, name, key, n, 0, g.hint_widths, error));
  const char *order = "rgb";
  INK_TRY(ink_json_get_string(json, "controlnet_conditioning_channel_order", name, &order, error));
  g.bgr = strcmp(order, "bgr") == 0;
  if (!g.bgr && strcmp(order, "rgb") != 0) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: /controlnet_conditioning_channel_order is %.64s; rgb and bgr are known",
                    name, order);
  }
  *config = g;
  ink_status status = check_config(config, error);
  return status == INK_OK ? INK_OK : ink_context(error, status, "%s", name);
}

// ---- single files -------------------------------------------------------------------------------

static const ink_weights_entry *hint_layer(const ink_weights *weights, const char *prefix, int i) {
  char name[2 * INK_NAME];
  snprintf(name, sizeof name, "%sinput_hint_block.%d.weight", prefix ? prefix : "", i);
  const ink_weights_entry *entry = ink_weights_entry_of(weights, name);
  return entry && entry->rank == 4 && entry->shape[0] <= 1 << 16 && entry->shape[1] <= 1 << 16
             ? entry
             : NULL;
}

ink_status ink_controlnet_config_from_weights(const ink_weights *weights, const char *prefix,
                                              ink_controlnet_config *config, ink_error *error) {
  ink_controlnet_config g = {0};
  INK_TRY(ink_unet_levels_from_weights(weights, prefix, &g.unet, error));
  const ink_weights_entry *layer = hint_layer(weights, prefix, 0);
  if (layer) g.hint_channels = (int32_t)layer->shape[1];
  for (; layer && g.n_hint < INK_CONTROLNET_LEVELS; g.n_hint++) {
    g.hint_widths[g.n_hint] = (int32_t)layer->shape[0];
    // Two convolutions between levels; what follows the last stands alone.
    layer = hint_layer(weights, prefix, 4 * g.n_hint + 4);
  }
  *config = g;
  ink_status status = check_config(config, error);
  return status == INK_OK ? INK_OK : ink_context(error, status, "%s", ink_weights_path(weights));
}
