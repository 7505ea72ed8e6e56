// The autoencoder of latent diffusion (Rombach et al. 2022; Esser et al. 2021, arXiv 2012.09841,
// for its form): levels of residual blocks, one attention over the whole picture at the smallest
// size.
#include "models/vae.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "models/config.h"
#include "models/naming.h"
#include "models/vae_parts.h"
#include "weights/weights.h"

// ---- the forward pass --------------------------------------------------------------------------

static ink_tensor *attention(ink_compute *c, const ink_vae_middle *w, ink_groups groups,
                             const ink_tensor *x) {
  if (!x) return NULL;
  ink_scope scope = ink_scope_like(c, x, x->shape[3]);
  ink_tensor *y = ink_picture_rows(c, ink_normalise_groups(c, x, &w->norm, groups));
  ink_tensor *q = ink_project(c, y, &w->q), *k = ink_project(c, y, &w->k),
             *v = ink_project(c, y, &w->v);
  y = ink_project(c, ink_attend_all(c, q, k, v, 1), &w->out);
  y = ink_rows_picture(c, y, x->shape[1], x->shape[2]);
  return ink_scope_close_sum(c, &scope, x, y);
}

ink_tensor *ink_vae_run_middle(ink_compute *c, const ink_vae_middle *w, ink_groups groups,
                               ink_tensor *x) {
  x = ink_run_resnet(c, &w->first, groups, x, NULL);
  if (w->q.weight) x = attention(c, w, groups, x);
  return ink_run_resnet(c, &w->second, groups, x, NULL);
}

// Half the size. The original pads below and to the right alone.
static ink_tensor *halve(ink_compute *c, const ink_convolution *w, const ink_tensor *x) {
  return ink_conv2d(c, x, w->weight, w->bias, 2, (ink_padding){0, 0, 1, 1});
}

// Twice the size; the enlarged picture is given back.
static ink_tensor *enlarge(ink_compute *c, const ink_convolution *w, const ink_tensor *x) {
  if (!x) return NULL;
  ink_scope scope = ink_scope_open(
      c, x->dtype, 4, (int64_t[]){x->shape[0], 2 * x->shape[1], 2 * x->shape[2], x->shape[3]});
  return ink_scope_close(c, &scope, ink_run_enlarged(c, x, w));
}

static ink_tensor *run_out(ink_compute *c, const ink_vae_half *w, ink_groups groups,
                           ink_tensor *x) {
  return ink_run_convolution(c, ink_activate_groups(c, x, &w->out_norm, groups), &w->out, 1);
}

static ink_tensor *run_encoder(ink_compute *c, const ink_vae *vae, const ink_tensor *picture) {
  const ink_vae_half *w = &vae->encoder;
  ink_groups groups = ink_vae_groups(vae);
  ink_tensor *x = ink_run_convolution(c, picture, &w->in, 1);
  for (int32_t i = 0; i < vae->config.n_level; i++) {
    const ink_vae_level *level = &w->levels[i];
    for (int32_t j = 0; j < level->n; j++) {
      x = ink_run_resnet(c, &level->resnets[j], groups, x, NULL);
    }
    if (level->resample.weight) x = halve(c, &level->resample, x);
  }
  x = run_out(c, w, groups, ink_vae_run_middle(c, &w->middle, groups, x));
  return vae->quant.weight ? ink_run_convolution(c, x, &vae->quant, 1) : x;
}

static ink_tensor *run_decoder(ink_compute *c, const ink_vae *vae, const ink_tensor *latents) {
  const ink_vae_half *w = &vae->decoder;
  ink_groups groups = ink_vae_groups(vae);
  const ink_tensor *z = latents;
  if (vae->post_quant.weight) z = ink_run_convolution(c, z, &vae->post_quant, 1);
  ink_tensor *x = ink_run_convolution(c, z, &w->in, 1);
  x = ink_vae_run_middle(c, &w->middle, groups, x);
  for (int32_t i = 0; i < vae->config.n_level; i++) {
    const ink_vae_level *level = &w->levels[i];
    for (int32_t j = 0; j < level->n; j++) {
      x = ink_run_resnet(c, &level->resnets[j], groups, x, NULL);
    }
    if (level->resample.weight) x = enlarge(c, &level->resample, x);
  }
  return run_out(c, w, groups, x);
}

// True when x is F32 (B, H, W, channels) and its sides are multiples of `factor`.
static bool check(ink_compute *c, const char *what, const ink_tensor *x, int32_t channels,
                  int32_t factor, ink_dtype activations) {
  char shape[96];
  if (c->error.status != INK_OK) return false;
  bool fits = x && x->dtype == INK_F32 && x->rank == 4 && x->shape[3] == channels &&
              x->shape[0] > 0 && x->shape[1] > 0 && x->shape[2] > 0 && x->shape[1] % factor == 0 &&
              x->shape[2] % factor == 0;
  if (!fits) {
    ink_compute_fail(c, INK_ERR_USAGE, "%s must be F32 (B, H, W, %d), H and W multiples of %d: %s",
                     what, channels, factor, x ? ink_tensor_describe(x, shape) : "absent");
  } else if (activations != INK_F32 && (activations != INK_BF16 || c->tape)) {
    ink_compute_fail(c, INK_ERR_USAGE, "activations are F32, or BF16 where nothing is trained");
    fits = false;
  }
  return fits;
}

int32_t ink_vae_factor(const ink_vae *vae) {
  return 1 << (vae->config.n_level - 1);
}

// x within [-30, 20], without a gradient beyond, as the reference has it: exp of it must not
// overflow.
static void confine(ink_tensor *x) {
  float *values = x->data;
  for (int64_t i = 0; i < ink_tensor_elements(x); i++) {
    if (values[i] > 20) values[i] = 20;
    if (values[i] < -30) values[i] = -30;
  }
}

static ink_tensor *dense_part(ink_compute *c, const ink_tensor *x, int64_t start, int64_t n) {
  return ink_cast(c, ink_slice(c, x, 3, start, n), INK_F32);
}

ink_vae_moments ink_vae_encode(ink_compute *c, const ink_vae *vae, const ink_tensor *picture,
                               ink_dtype activations) {
  const ink_vae_config *g = &vae->config;
  ink_vae_moments moments = {0};
  int32_t factor = ink_vae_factor(vae), z = g->latent_channels;
  if (!check(c, "a picture to encode", picture, g->in_channels, factor, activations)) {
    return moments;
  }
  ink_scope scope = ink_scope_open(c, activations, 4,
                                   (int64_t[]){picture->shape[0], picture->shape[1] / factor,
                                               picture->shape[2] / factor, 2 * (int64_t)z});
  bool bands = ink_vae_in_bands(c, picture);
  if (!bands && activations == INK_BF16) picture = ink_cast(c, picture, INK_BF16);
  ink_tensor *both = ink_scope_close(
      c, &scope,
      bands ? ink_vae_encode_bands(c, vae, picture, activations, 0) : run_encoder(c, vae, picture));
  moments.mean = dense_part(c, both, 0, z);
  moments.log_variance = dense_part(c, both, z, z);
  if (c->error.status != INK_OK) return (ink_vae_moments){0};
  confine(moments.log_variance);
  return moments;
}

ink_tensor *ink_vae_decode(ink_compute *c, const ink_vae *vae, const ink_tensor *latents,
                           ink_dtype activations) {
  const ink_vae_config *g = &vae->config;
  int32_t factor = ink_vae_factor(vae);
  if (!check(c, "latents to decode", latents, g->latent_channels, 1, activations)) return NULL;
  if (ink_vae_in_bands(c, latents)) return ink_vae_decode_bands(c, vae, latents, activations, 0);
  ink_scope scope = ink_scope_open(c, INK_F32, 4,
                                   (int64_t[]){latents->shape[0], latents->shape[1] * factor,
                                               latents->shape[2] * factor, g->out_channels});
  bool bf16 = activations == INK_BF16;
  if (bf16) latents = ink_cast(c, latents, INK_BF16);
  ink_tensor *picture = run_decoder(c, vae, latents);
  if (bf16) picture = ink_cast(c, picture, INK_F32);
  return ink_scope_close(c, &scope, picture);
}

// ---- parameters --------------------------------------------------------------------------------

static void bind_middle(ink_network_builder *b, const ink_vae_config *g, const char *half,
                        ink_vae_middle *w) {
  int64_t channels = g->channels[g->n_level - 1];
  ink_network_scope(b, "%s.mid_block.resnets.0.", half);
  ink_network_resnet(b, channels, channels, 0, &w->first);
  if (g->mid_attention) {
    ink_network_scope(b, "%s.mid_block.attentions.0.", half);
    w->norm = ink_network_norm(b, "group_norm", channels);
    w->q = ink_network_linear(b, "to_q", channels, channels, true);
    w->k = ink_network_linear(b, "to_k", channels, channels, true);
    w->v = ink_network_linear(b, "to_v", channels, channels, true);
    w->out = ink_network_linear(b, "to_out.0", channels, channels, true);
  }
  ink_network_scope(b, "%s.mid_block.resnets.1.", half);
  ink_network_resnet(b, channels, channels, 0, &w->second);
}

// The levels of one half; each has a residual block more on the way up.
static ink_vae_level *bind_levels(ink_network_builder *b, const ink_vae_config *g, const char *half,
                                  const char *way, int64_t in, bool up) {
  ink_vae_level *levels = ink_network_take(b, (size_t)g->n_level, sizeof *levels);
  for (int32_t i = 0; levels && i < g->n_level; i++) {
    int64_t out = g->channels[up ? g->n_level - 1 - i : i];
    levels[i].n = g->n_layer + up;
    levels[i].resnets = ink_network_take(b, (size_t)levels[i].n, sizeof *levels[i].resnets);
    for (int32_t j = 0; levels[i].resnets && j < levels[i].n; j++) {
      ink_network_scope(b, "%s.%s_blocks.%d.resnets.%d.", half, way, i, j);
      ink_network_resnet(b, in, out, 0, &levels[i].resnets[j]);
      in = out;
    }
    if (i + 1 == g->n_level) continue;
    ink_network_scope(b, "%s.%s_blocks.%d.%ssamplers.0.", half, way, i, way);
    levels[i].resample = ink_network_convolution(b, "conv", out, out, 3, true);
  }
  return levels;
}

static void bind_encoder(ink_network_builder *b, const ink_vae_config *g, ink_vae_half *w) {
  ink_network_scope(b, "encoder.");
  w->in = ink_network_convolution(b, "conv_in", g->channels[0], g->in_channels, 3, true);
  w->levels = bind_levels(b, g, "encoder", "down", g->channels[0], false);
  bind_middle(b, g, "encoder", &w->middle);
  int64_t last = g->channels[g->n_level - 1];
  ink_network_scope(b, "encoder.");
  w->out_norm = ink_network_norm(b, "conv_norm_out", last);
  w->out = ink_network_convolution(b, "conv_out", 2 * (int64_t)g->latent_channels, last, 3, true);
}

static void bind_decoder(ink_network_builder *b, const ink_vae_config *g, ink_vae_half *w) {
  int64_t last = g->channels[g->n_level - 1];
  ink_network_scope(b, "decoder.");
  w->in = ink_network_convolution(b, "conv_in", last, g->latent_channels, 3, true);
  bind_middle(b, g, "decoder", &w->middle);
  w->levels = bind_levels(b, g, "decoder", "up", last, true);
  ink_network_scope(b, "decoder.");
  w->out_norm = ink_network_norm(b, "conv_norm_out", g->channels[0]);
  w->out = ink_network_convolution(b, "conv_out", g->out_channels, g->channels[0], 3, true);
}

static void bind(ink_network_builder *b, ink_vae *vae) {
  const ink_vae_config *g = &vae->config;
  int64_t z = g->latent_channels;
  bind_encoder(b, g, &vae->encoder);
  ink_network_scope(b, "%s", "");
  if (g->quant) vae->quant = ink_network_convolution(b, "quant_conv", 2 * z, 2 * z, 1, true);
  if (g->post_quant) vae->post_quant = ink_network_convolution(b, "post_quant_conv", z, z, 1, true);
  bind_decoder(b, g, &vae->decoder);
}

static ink_status check_config(const ink_vae_config *g, ink_error *error) {
  enum { MOST = 1 << 16 };
  bool fits = g->in_channels >= 1 && g->in_channels <= MOST && g->out_channels >= 1 &&
              g->out_channels <= MOST && g->latent_channels >= 1 && g->latent_channels <= MOST &&
              g->n_level >= 1 && g->n_level <= INK_VAE_LEVELS && g->n_layer >= 1 &&
              g->n_layer <= 64 && g->n_group >= 1 && g->scaling_factor > 0;
  for (int32_t i = 0; fits && i < g->n_level; i++) {
    fits = g->channels[i] >= 1 && g->channels[i] <= MOST && g->channels[i] % g->n_group == 0;
  }
  if (fits) return INK_OK;
  return ink_fail(error, INK_ERR_CONFLICT,
                  "an autoencoder of %d levels and %d latent channels whose channels do not divide "
                  "into %d groups, or that is not possible otherwise",
                  g->n_level, g->latent_channels, g->n_group);
}

ink_status ink_vae_new(const ink_vae_config *config, const ink_source *source, ink_vae **vae,
                       ink_error *error) {
  ink_error unused = {0};
  if (!error) error = &unused;
  *vae = NULL;
  INK_TRY(check_config(config, error));
  ink_vae *new = calloc(1, sizeof *new);
  if (!new) return ink_fail(error, INK_ERR_MEMORY, "no memory for an autoencoder");
  new->config = *config;
  ink_network_builder b;
  ink_network_start(&b, &new->network, source, &new->config, ink_vae_stored_name, error);
  if (b.status == INK_OK) bind(&b, new);
  ink_status status = ink_network_finish(&b);
  if (status != INK_OK) {
    ink_vae_free(new);
    return status;
  }
  *vae = new;
  return INK_OK;
}

void ink_vae_free(ink_vae *vae) {
  if (!vae) return;
  ink_network_free(&vae->network);
  free(vae);
}

const ink_vae_config *ink_vae_about(const ink_vae *vae) {
  return &vae->config;
}

ink_parameter *ink_vae_parameters(ink_vae *vae, size_t *n) {
  *n = vae->network.n;
  return vae->network.parameters;
}

// ---- config.json of diffusers -------------------------------------------------------------------

ink_vae_config ink_vae_config_sd15(void) {
  return (ink_vae_config){.in_channels = 3,
                          .out_channels = 3,
                          .latent_channels = 4,
                          .n_level = 4,
                          .channels = {128, 256, 512, 512},
                          .n_layer = 2,
                          .n_group = 32,
                          .mid_attention = true,
                          .quant = true,
                          .post_quant = true,
                          .scaling_factor = 0.18215};
}

static ink_status read_blocks(const json_t *json, const char *name, const char *key, int n,
                              const char *only, ink_error *error) {
  const json_t *list = json_object_get(json, key);
  if (json_array_size(list) != (size_t)n) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s: /%s must be a list of %d, as /block_out_channels is", name, key, n);
  }
  for (int i = 0; i < n; i++) {
    const char *type = json_string_value(json_array_get(list, (size_t)i));
    if (type && strcmp(type, only) == 0) continue;
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: /%s/%d is the block type %.64s; %s is known",
                    name, key, i, type ? type : "(no string)", only);
  }
  return INK_OK;
}

ink_status ink_vae_config_from_json(const json_t *json, const char *name, ink_vae_config *config,
                                    ink_error *error) {
  static const ink_config_fixed fixed[] = {
      {"act_fn", "\"silu\""}, {"latents_mean", "null"}, {"latents_std", "null"}};
  ink_vae_config g = {.mid_attention = true, .quant = true, .post_quant = true};
  int n;
  INK_TRY(ink_config_class(json, name, "AutoencoderKL", error));
  INK_TRY(ink_config_only(json, name, fixed, sizeof fixed / sizeof *fixed, error));
  INK_TRY(ink_config_levels(json, name, "block_out_channels", &n, error));
  g.n_level = n;
  INK_TRY(ink_config_sizes(json, name, "block_out_channels", n, 0, g.channels, error));
  INK_TRY(read_blocks(json, name, "down_block_types", n, "DownEncoderBlock2D", error));
  INK_TRY(read_blocks(json, name, "up_block_types", n, "UpDecoderBlock2D", error));
  INK_TRY(ink_config_optional_size(json, name, "in_channels", 3, &g.in_channels, error));
  INK_TRY(ink_config_optional_size(json, name, "out_channels", 3, &g.out_channels, error));
  INK_TRY(ink_config_optional_size(json, name, "latent_channels", 4, &g.latent_channels, error));
  INK_TRY(ink_config_optional_size(json, name, "layers_per_block", 1, &g.n_layer, error));
  INK_TRY(ink_config_optional_size(json, name, "norm_num_groups", 32, &g.n_group, error));
  INK_TRY(ink_json_get_bool(json, "mid_block_add_attention", name, &g.mid_attention, error));
  INK_TRY(ink_json_get_bool(json, "use_quant_conv", name, &g.quant, error));
  INK_TRY(ink_json_get_bool(json, "use_post_quant_conv", name, &g.post_quant, error));
  g.scaling_factor = 0.18215;
  INK_TRY(ink_json_get_number(json, "scaling_factor", name, 1e-6, 1e6, &g.scaling_factor, error));
  INK_TRY(ink_json_get_number(json, "shift_factor", name, -1e6, 1e6, &g.shift_factor, error));
  *config = g;
  ink_status status = check_config(config, error);
  return status == INK_OK ? INK_OK : ink_context(error, status, "%s", name);
}

// ---- single files -------------------------------------------------------------------------------

static const ink_weights_entry *find(const ink_weights *weights, const char *prefix,
                                     const char *format, ...) INK_PRINTF(3, 4);
static const ink_weights_entry *find(const ink_weights *weights, const char *prefix,
                                     const char *format, ...) {
  char name[2 * INK_NAME];
  int n = snprintf(name, sizeof name, "%s", prefix ? prefix : "");
  va_list arguments;
  va_start(arguments, format);
  if (n >= 0 && n < (int)sizeof name) {
    vsnprintf(name + n, sizeof name - (size_t)n, format, arguments);
  }
  va_end(arguments);
  return ink_weights_entry_of(weights, name);
}

ink_status ink_vae_config_from_weights(const ink_weights *weights, const char *prefix,
                                       ink_vae_config *config, ink_error *error) {
  const ink_weights_entry *in = find(weights, prefix, "encoder.conv_in.weight");
  const ink_weights_entry *out = find(weights, prefix, "decoder.conv_out.weight");
  const ink_weights_entry *latent = find(weights, prefix, "decoder.conv_in.weight");
  if (!in || !out || !latent || in->rank != 4 || out->rank != 4 || latent->rank != 4 ||
      in->shape[1] > 1 << 16 || out->shape[0] > 1 << 16 || latent->shape[1] > 1 << 16) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s: no autoencoder below %s",
                    ink_weights_path(weights), prefix ? prefix : "its names");
  }
  ink_vae_config g = {.in_channels = (int32_t)in->shape[1],
                      .out_channels = (int32_t)out->shape[0],
                      .latent_channels = (int32_t)latent->shape[1],
                      .n_group = 32,
                      .scaling_factor = 0.18215};
  for (; g.n_level < INK_VAE_LEVELS; g.n_level++) {
    const ink_weights_entry *conv =
        find(weights, prefix, "encoder.down.%d.block.0.conv1.weight", g.n_level);
    if (!conv || conv->rank != 4 || conv->shape[0] > 1 << 16) break;
    g.channels[g.n_level] = (int32_t)conv->shape[0];
  }
  while (g.n_layer < 64 &&
         find(weights, prefix, "encoder.down.0.block.%d.conv1.weight", g.n_layer)) {
    g.n_layer++;
  }
  g.mid_attention = find(weights, prefix, "encoder.mid.attn_1.q.weight") != NULL;
  g.quant = find(weights, prefix, "quant_conv.weight") != NULL;
  g.post_quant = find(weights, prefix, "post_quant_conv.weight") != NULL;
  *config = g;
  ink_status status = check_config(config, error);
  return status == INK_OK ? INK_OK : ink_context(error, status, "%s", ink_weights_path(weights));
}
