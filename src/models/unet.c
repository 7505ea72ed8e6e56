// The denoising UNet (Rombach et al. 2022; Podell et al. 2023) in the form of diffusers'
// UNet2DConditionModel: down through levels of residual blocks and transformers, a middle, and up
// again with skip connections.
#include "models/unet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "models/config.h"
#include "models/naming.h"
#include "models/unet_parts.h"

// ---- the forward pass --------------------------------------------------------------------------

// One step up: the skip's channels beside x's.
static ink_tensor *step_up(ink_compute *c, const ink_unet_pass *pass, const ink_unet_step *w,
                           const ink_tensor *x, const ink_tensor *skip) {
  if (!x || !skip) return NULL;
  ink_scope scope = ink_scope_like(c, x, w->resnet.conv2.weight->shape[0]);
  x = ink_concat(c, 3, 2, (const ink_tensor *const[]){x, skip});
  return ink_scope_close(c, &scope, ink_unet_run_step(c, pass, w, x));
}

// Twice the size, less a row or column where the level below was rounded up.
static ink_tensor *enlarge(ink_compute *c, const ink_convolution *w, const ink_tensor *x,
                           const ink_tensor *skip) {
  if (!x || !skip) return NULL;
  ink_scope scope = ink_scope_open(
      c, x->dtype, 4, (int64_t[]){x->shape[0], skip->shape[1], skip->shape[2], x->shape[3]});
  // In F32 the order of sums stays the reference's: steps amplify the roundings of another.
  bool twice = 2 * x->shape[1] == skip->shape[1] && 2 * x->shape[2] == skip->shape[2];
  if (twice && x->dtype != INK_F32) {
    return ink_scope_close(c, &scope, ink_run_enlarged(c, x, w));
  }
  ink_tensor *y = ink_upsample_nearest(c, x, 2);
  if (y && y->shape[1] > skip->shape[1]) y = ink_slice(c, y, 1, 0, skip->shape[1]);
  if (y && y->shape[2] > skip->shape[2]) y = ink_slice(c, y, 2, 0, skip->shape[2]);
  return ink_scope_close(c, &scope, ink_run_convolution(c, y, w, 1));
}

// ---- deep features ------------------------------------------------------------------------------

static void keep(ink_compute *c, ink_unet_deep *deep, const ink_tensor *x, float timestep) {
  if (!x) return;
  for (int i = 0; i < 2; i++) {
    if (deep->features[i]) continue;
    deep->features[i] = ink_tensor_new(deep->arena, x->dtype, x->rank, x->shape);
    if (!deep->features[i]) {
      ink_compute_fail(c, INK_ERR_MEMORY, "no memory for the features of a step");
      return;
    }
  }
  // A second look at a timestep stands in for the first.
  if (deep->n == 0 || deep->timesteps[0] != timestep) {
    ink_tensor *oldest = deep->features[1];
    deep->features[1] = deep->features[0];
    deep->features[0] = oldest;
    deep->timesteps[1] = deep->timesteps[0];
    deep->timesteps[0] = timestep;
    if (deep->n < 2) deep->n++;
  }
  ink_store(c, x, deep->features[0]);
}

static ink_tensor *recall(ink_compute *c, const ink_unet_deep *deep, float timestep) {
  ink_tensor *last = deep->features[0], *before = deep->features[1];
  if (deep->n < 2 || timestep == deep->timesteps[0]) return last;
  float share = (timestep - deep->timesteps[0]) / (deep->timesteps[0] - deep->timesteps[1]);
  // Further along, the line has left the curve: on the painter this is 1 to 6 dB better than to
  // hold or to follow it (bench/step_caching).
  if (share > 0.5F) share = 0.5F;
  ink_scope scope = ink_scope_open(c, last->dtype, last->rank, last->shape);
  ink_tensor *y = ink_add(c, ink_scale(c, last, 1 + share), ink_scale(c, before, -share));
  return ink_scope_close(c, &scope, y);
}

// From the step that takes skips[n - 1] on. What reaches the last `deep->shallow` of them is kept.
static ink_tensor *run_up(ink_compute *c, const ink_unet_pass *pass, const ink_unet_way *up,
                          ink_tensor *x, ink_tensor *const *skips, size_t n, ink_unet_deep *deep,
                          float timestep) {
  size_t left = ink_unet_n_skips(pass->config);
  for (int32_t i = 0; i < pass->config->n_level; i++) {
    for (int32_t j = 0; j < up[i].n; j++, left--) {
      if (left > n) continue;
      if (deep && !deep->reuse && left == (size_t)deep->shallow) keep(c, deep, x, timestep);
      x = step_up(c, pass, &up[i].steps[j], x, skips[left - 1]);
    }
    if (up[i].resample.weight && left < n) x = enlarge(c, &up[i].resample, x, skips[left - 1]);
  }
  return x;
}

static void add_control(ink_compute *c, const ink_unet_residuals *control, ink_tensor **skips,
                        size_t n, ink_tensor **x) {
  for (size_t i = 0; i < n; i++) skips[i] = ink_add(c, skips[i], control->skips[i]);
  *x = ink_add(c, *x, control->middle);
}

static ink_tensor *run(ink_compute *c, const ink_unet *unet, const ink_unet_input *input) {
  const ink_unet_config *g = &unet->config;
  ink_tensor *skips[INK_UNET_MOST_SKIPS], *x;
  size_t n;
  ink_unet_deep *deep = input->deep;
  float timestep = *(const float *)input->timesteps->data;
  bool bf16 = input->activations == INK_BF16, reuse = deep && deep->reuse;
  ink_unet_pass pass = {
      .config = g,
      .groups = {g->n_group, g->norm_epsilon},
      .time = ink_unet_embed_conditions(c, g, &unet->conditions, input),
      .context = bf16 && input->context ? ink_cast(c, input->context, INK_BF16) : input->context,
      .text = input->text};
  const ink_tensor *sample = bf16 ? ink_cast(c, input->sample, INK_BF16) : input->sample;
  x = ink_run_convolution(c, sample, &unet->in, 1);
  size_t most = reuse ? (size_t)deep->shallow : INK_UNET_MOST_SKIPS;
  x = ink_unet_run_down(c, &pass, unet->down, x, most, skips, &n);
  if (g->mid && !reuse) x = ink_unet_run_middle(c, &pass, unet->middle, x);
  if (input->control) add_control(c, input->control, skips, n, &x);
  if (reuse) x = recall(c, deep, timestep);
  x = run_up(c, &pass, unet->up, x, skips, n, deep, timestep);
  x = ink_run_convolution(c, ink_activate_groups(c, x, &unet->out_norm, pass.groups), &unet->out,
                          1);
  return bf16 ? ink_cast(c, x, INK_F32) : x;
}

static bool check_text(ink_compute *c, const ink_unet *unet, const ink_unet_input *input) {
  if (!input->text || unet->n_cross == 0) return true;
  if (input->text->n == unet->n_cross &&
      input->text->keys[0]->shape[0] == input->sample->shape[0] &&
      input->text->keys[0]->dtype == input->activations) {
    return true;
  }
  ink_compute_fail(c, INK_ERR_USAGE,
                   "the prepared text is of another network, batch or type of activations");
  return false;
}

static bool check_control(ink_compute *c, const ink_unet *unet, const ink_unet_input *input) {
  const ink_unet_residuals *control = input->control;
  size_t n = ink_unet_n_skips(&unet->config);
  if (!control || (control->n == n && control->middle)) return true;
  ink_compute_fail(c, INK_ERR_USAGE, "a ControlNet's %zu residuals do not fit a UNet with %zu",
                   control->n, n);
  return false;
}

static bool check_deep(ink_compute *c, const ink_unet *unet, const ink_unet_input *input) {
  const ink_unet_deep *deep = input->deep;
  if (!deep) return true;
  int32_t most = (int32_t)ink_unet_n_skips(&unet->config) - 1;
  const ink_tensor *kept = deep->features[0], *sample = input->sample;
  if (deep->shallow < 1 || deep->shallow > most) {
    ink_compute_fail(c, INK_ERR_USAGE, "%d steps of a UNet anew; it can be 1 … %d", deep->shallow,
                     most);
    return false;
  }
  if (c->tape || deep->arena == c->arena || (deep->reuse ? deep->n == 0 : !deep->arena)) {
    ink_compute_fail(c, INK_ERR_USAGE, "no deep features are kept");
    return false;
  }
  if (kept && (kept->shape[0] != sample->shape[0] || kept->dtype != input->activations)) {
    ink_compute_fail(c, INK_ERR_USAGE, "the kept features are of another batch or type");
    return false;
  }
  return true;
}

ink_tensor *ink_unet_forward(ink_compute *c, const ink_unet *unet, const ink_unet_input *input) {
  if (!ink_unet_check_input(c, &unet->config, input) || !check_text(c, unet, input) ||
      !check_control(c, unet, input) || !check_deep(c, unet, input)) {
    return NULL;
  }
  ink_scope scope = ink_scope_open(c, INK_F32, 4,
                                   (int64_t[]){input->sample->shape[0], input->sample->shape[1],
                                               input->sample->shape[2], unet->config.out_channels});
  return ink_scope_close(c, &scope, run(c, unet, input));
}

// ---- the text's keys and values -----------------------------------------------------------------

static void prepare_way(ink_compute *c, const ink_unet_way *way, const ink_tensor *context,
                        ink_tensor **keys, ink_tensor **values) {
  for (int32_t j = 0; j < way->n; j++) {
    const ink_unet_transformer *t = &way->steps[j].transformer;
    for (int32_t k = 0; t->layers && k < t->n_layer; k++) {
      keys[t->layers[k].index] = ink_project(c, context, &t->layers[k].k2);
      values[t->layers[k].index] = ink_project(c, context, &t->layers[k].v2);
    }
  }
}

ink_unet_text *ink_unet_prepare_text(ink_compute *c, const ink_unet *unet,
                                     const ink_tensor *context, ink_dtype activations) {
  if (c->error.status != INK_OK) return NULL;
  if (!context || context->rank != 3 || context->shape[2] != unet->config.context) {
    ink_compute_fail(c, INK_ERR_USAGE, "the text must be (B, S, %d)", unet->config.context);
    return NULL;
  }
  size_t n = (size_t)unet->n_cross + 1;
  ink_unet_text *text = ink_arena_zeros(c->arena, 1, sizeof *text);
  ink_tensor **keys = ink_arena_zeros(c->arena, n, sizeof *keys);
  ink_tensor **values = ink_arena_zeros(c->arena, n, sizeof *values);
  if (!text || !keys || !values) {
    ink_compute_fail(c, INK_ERR_MEMORY, "no memory for the text's keys and values");
    return NULL;
  }
  if (activations == INK_BF16) context = ink_cast(c, context, INK_BF16);
  for (int32_t i = 0; i < unet->config.n_level; i++) {
    prepare_way(c, &unet->down[i], context, keys, values);
    prepare_way(c, &unet->up[i], context, keys, values);
  }
  ink_unet_way middle = {.steps = (ink_unet_step *)(uintptr_t)unet->middle, .n = 2};
  if (unet->config.mid) prepare_way(c, &middle, context, keys, values);
  *text = (ink_unet_text){.keys = keys, .values = values, .n = unet->n_cross};
  return c->error.status == INK_OK ? text : NULL;
}

// ---- parameters --------------------------------------------------------------------------------

// Channels of what the way down leaves, in order.
static size_t skip_channels(const ink_unet_config *g, int32_t *channels) {
  size_t n = 0;
  channels[n++] = g->levels[0].channels;
  for (int32_t i = 0; i < g->n_level; i++) {
    int32_t more = g->levels[i].n_layer + (i + 1 < g->n_level);
    for (int32_t j = 0; j < more; j++) channels[n++] = g->levels[i].channels;
  }
  return n;
}

static ink_unet_way *bind_up(ink_network_builder *b, const ink_unet_config *g, int32_t *n_cross) {
  int32_t skips[INK_UNET_MOST_SKIPS];
  size_t n = skip_channels(g, skips);
  int64_t in = g->levels[g->n_level - 1].channels;
  ink_unet_way *ways = ink_network_take(b, (size_t)g->n_level, sizeof *ways);
  for (int32_t i = 0; ways && i < g->n_level; i++) {
    const ink_unet_level *level = &g->levels[g->n_level - 1 - i];
    char block[64];
    snprintf(block, sizeof block, "up_blocks.%d", i);
    ways[i].n = level->n_layer + 1;
    ways[i].steps = ink_network_take(b, (size_t)ways[i].n, sizeof *ways[i].steps);
    for (int32_t j = 0; ways[i].steps && j < ways[i].n; j++) {
      // The way up takes as many as the way down left.
      // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult)
      ink_unet_bind_step(b, g, block, j, in + skips[--n], level->channels,
                         level->cross_up ? level->depth_up[j] : 0, level->n_head, n_cross,
                         &ways[i].steps[j]);
      in = level->channels;
    }
    if (i + 1 == g->n_level) continue;
    ink_network_scope(b, "%s.upsamplers.0.", block);
    ways[i].resample = ink_network_convolution(b, "conv", in, in, 3, true);
  }
  return ways;
}

static void bind(ink_network_builder *b, ink_unet *unet) {
  const ink_unet_config *g = &unet->config;
  int64_t first = g->levels[0].channels;
  ink_network_scope(b, "%s", "");
  unet->in = ink_network_convolution(b, "conv_in", first, g->in_channels, 3, true);
  ink_unet_bind_conditions(b, g, &unet->conditions);
  unet->down = ink_unet_bind_down(b, g, &unet->n_cross);
  if (g->mid) ink_unet_bind_middle(b, g, &unet->n_cross, unet->middle);
  unet->up = bind_up(b, g, &unet->n_cross);
  ink_network_scope(b, "%s", "");
  unet->out_norm = ink_network_norm(b, "conv_norm_out", first);
  unet->out = ink_network_convolution(b, "conv_out", g->out_channels, first, 3, true);
}

ink_status ink_unet_new(const ink_unet_config *config, const ink_source *source, ink_unet **unet,
                        ink_error *error) {
  ink_error unused = {0};
  if (!error) error = &unused;
  *unet = NULL;
  INK_TRY(ink_unet_check_config(config, error));
  ink_unet *new = calloc(1, sizeof *new);
  if (!new) return ink_fail(error, INK_ERR_MEMORY, "no memory for a UNet");
  new->config = *config;
  ink_network_builder b;
  ink_network_start(&b, &new->network, source, &new->config, ink_unet_stored_name, error);
  if (b.status == INK_OK) bind(&b, new);
  ink_status status = ink_network_finish(&b);
  if (status != INK_OK) {
    ink_unet_free(new);
    return status;
  }
  *unet = new;
  return INK_OK;
}

void ink_unet_free(ink_unet *unet) {
  if (!unet) return;
  ink_network_free(&unet->network);
  free(unet);
}

const ink_unet_config *ink_unet_about(const ink_unet *unet) {
  return &unet->config;
}

ink_parameter *ink_unet_parameters(ink_unet *unet, size_t *n) {
  *n = unet->network.n;
  return unet->network.parameters;
}
