// The way down of a UNet, its middle, and its transformers (Rombach et al. 2022, section 3.3 and
// appendix; Vaswani et al. 2017; Shazeer 2020 for GEGLU). Time is embedded as in Ho et al. 2020.
#include "models/unet_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const float transformer_epsilon = 1e-6f, layer_epsilon = 1e-5f;

// ---- time and other conditions ------------------------------------------------------------------

// Sines and cosines of n numbers: (n, width), frequencies 10000^(-i / (half - shift)).
static ink_tensor *embed_numbers(ink_compute *c, const float *numbers, int64_t n, int32_t width,
                                 bool cosines_first, float shift) {
  int64_t shape[2] = {n, width}, half = width / 2;
  ink_tensor *y = ink_tensor_new(c->arena, INK_F32, 2, shape);
  if (!y) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for embedded numbers");
  for (int64_t i = 0; i < n; i++) {
    float *row = (float *)y->data + i * width;
    float *sines = cosines_first ? row + half : row, *cosines = cosines_first ? row : row + half;
    for (int64_t k = 0; k < half; k++) {
      float frequency = expf(-logf(10000.0f) * (float)k / ((float)half - shift));
      float angle = numbers[i] * frequency;
      sines[k] = sinf(angle);
      cosines[k] = cosf(angle);
    }
    if (width % 2) row[width - 1] = 0;
  }
  return y;
}

// The guidance scale as latent consistency models take it (Luo et al. 2023, arXiv 2310.04378).
static ink_tensor *embed_guidance(ink_compute *c, const ink_tensor *guidance, int64_t batch,
                                  int32_t width) {
  float *scaled = ink_arena_zeros(c->arena, (size_t)batch, sizeof *scaled);
  if (!scaled) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for embedded numbers");
  for (int64_t i = 0; guidance && i < batch; i++) {
    scaled[i] = 1000.0f * ((const float *)guidance->data)[i];
  }
  return embed_numbers(c, scaled, batch, width, false, 1);
}

static ink_tensor *two_layers(ink_compute *c, const ink_tensor *x, const ink_projection *first,
                              const ink_projection *second) {
  return ink_project(c, ink_silu(c, ink_project(c, x, first)), second);
}

ink_tensor *ink_unet_embed_conditions(ink_compute *c, const ink_unet_config *g,
                                      const ink_unet_conditions *w, const ink_unet_input *input) {
  int64_t batch = input->sample->shape[0];
  ink_tensor *x = embed_numbers(c, input->timesteps->data, batch, g->levels[0].channels,
                                g->flip_sin_to_cos, g->freq_shift);
  if (w->guidance.weight) {
    ink_tensor *guidance = embed_guidance(c, input->guidance, batch, g->time_cond);
    x = ink_add(c, x, ink_project(c, guidance, &w->guidance));
  }
  x = two_layers(c, x, &w->time1, &w->time2);
  if (w->add1.weight) {
    ink_tensor *ids = embed_numbers(c, input->time_ids->data, batch * g->n_time_id,
                                    g->time_id_width, g->flip_sin_to_cos, g->freq_shift);
    if (ids) ids = ink_reshape(c, ids, 2, (const int64_t[]){batch, -1});
    ink_tensor *added = ink_concat(c, 1, 2, (const ink_tensor *const[]){input->pooled, ids});
    x = ink_add(c, x, two_layers(c, added, &w->add1, &w->add2));
  }
  return ink_silu(c, x);  // every residual block begins so
}

// ---- transformers -------------------------------------------------------------------------------

static ink_tensor *attend_self(ink_compute *c, const ink_unet_layer *w, int32_t n_head,
                               const ink_tensor *x) {
  ink_tensor *q = ink_project(c, x, &w->q1), *k = ink_project(c, x, &w->k1),
             *v = ink_project(c, x, &w->v1);
  return ink_project(c, ink_attend_all(c, q, k, v, n_head), &w->out1);
}

static ink_tensor *attend_text(ink_compute *c, const ink_unet_pass *pass, const ink_unet_layer *w,
                               int32_t n_head, const ink_tensor *x) {
  ink_tensor *q = ink_project(c, x, &w->q2);
  const ink_tensor *k =
      pass->text ? pass->text->keys[w->index] : ink_project(c, pass->context, &w->k2);
  const ink_tensor *v =
      pass->text ? pass->text->values[w->index] : ink_project(c, pass->context, &w->v2);
  return ink_project(c, ink_attend_all(c, q, k, v, n_head), &w->out2);
}

static ink_tensor *run_layer(ink_compute *c, const ink_unet_pass *pass, const ink_unet_layer *w,
                             int32_t n_head, ink_tensor *x) {
  if (!x) return NULL;
  ink_scope scope = ink_scope_open(c, x->dtype, x->rank, x->shape);
  ink_tensor *y = attend_self(c, w, n_head, ink_normalise(c, x, &w->norm1, layer_epsilon));
  x = ink_add(c, x, y);
  y = attend_text(c, pass, w, n_head, ink_normalise(c, x, &w->norm2, layer_epsilon));
  x = ink_add(c, x, y);
  y = ink_project(c, ink_normalise(c, x, &w->norm3, layer_epsilon), &w->up);
  y = ink_project(c, ink_geglu(c, y), &w->down);
  return ink_scope_close_sum(c, &scope, x, y);
}

static ink_tensor *run_transformer(ink_compute *c, const ink_unet_pass *pass,
                                   const ink_unet_transformer *w, const ink_tensor *x) {
  if (!x) return NULL;
  ink_scope scope = ink_scope_like(c, x, x->shape[3]);
  ink_groups groups = {pass->groups.n, transformer_epsilon};
  ink_tensor *y = ink_picture_rows(c, ink_normalise_groups(c, x, &w->norm, groups));
  y = ink_project(c, y, &w->in);
  for (int32_t i = 0; i < w->n_layer; i++) y = run_layer(c, pass, &w->layers[i], w->n_head, y);
  y = ink_rows_picture(c, ink_project(c, y, &w->out), x->shape[1], x->shape[2]);
  return ink_scope_close_sum(c, &scope, x, y);
}

// ---- ways ---------------------------------------------------------------------------------------

ink_tensor *ink_unet_run_step(ink_compute *c, const ink_unet_pass *pass, const ink_unet_step *w,
                              const ink_tensor *x) {
  ink_tensor *y = ink_run_resnet(c, &w->resnet, pass->groups, x, pass->time);
  return w->transformer.layers ? run_transformer(c, pass, &w->transformer, y) : y;
}

ink_tensor *ink_unet_run_down(ink_compute *c, const ink_unet_pass *pass, const ink_unet_way *down,
                              ink_tensor *x, size_t most, ink_tensor **skips, size_t *n) {
  *n = 0;
  skips[(*n)++] = x;
  for (int32_t i = 0; i < pass->config->n_level; i++) {
    for (int32_t j = 0; j < down[i].n && *n < most; j++) {
      x = ink_unet_run_step(c, pass, &down[i].steps[j], x);
      skips[(*n)++] = x;
    }
    if (!down[i].resample.weight || *n == most) continue;
    x = ink_run_convolution(c, x, &down[i].resample, 2);
    skips[(*n)++] = x;
  }
  return x;
}

ink_tensor *ink_unet_run_middle(ink_compute *c, const ink_unet_pass *pass,
                                const ink_unet_step steps[2], ink_tensor *x) {
  x = ink_unet_run_step(c, pass, &steps[0], x);
  return pass->config->mid_pair ? ink_unet_run_step(c, pass, &steps[1], x) : x;
}

// ---- parameters ---------------------------------------------------------------------------------

void ink_unet_bind_conditions(ink_network_builder *b, const ink_unet_config *g,
                              ink_unet_conditions *w) {
  int64_t channels = g->levels[0].channels, width = 4 * channels;
  ink_network_scope(b, "time_embedding.");
  if (g->time_cond) {
    w->guidance = ink_network_linear(b, "cond_proj", channels, g->time_cond, false);
  }
  w->time1 = ink_network_linear(b, "linear_1", width, channels, true);
  w->time2 = ink_network_linear(b, "linear_2", width, width, true);
  if (!g->pooled) return;
  int64_t added = g->pooled + (int64_t)g->n_time_id * g->time_id_width;
  ink_network_scope(b, "add_embedding.");
  w->add1 = ink_network_linear(b, "linear_1", width, added, true);
  w->add2 = ink_network_linear(b, "linear_2", width, width, true);
}

static void bind_layer(ink_network_builder *b, int64_t width, int64_t context, ink_unet_layer *w) {
  w->norm1 = ink_network_norm(b, "norm1", width);
  w->q1 = ink_network_linear(b, "attn1.to_q", width, width, false);
  w->k1 = ink_network_linear(b, "attn1.to_k", width, width, false);
  w->v1 = ink_network_linear(b, "attn1.to_v", width, width, false);
  w->out1 = ink_network_linear(b, "attn1.to_out.0", width, width, true);
  w->norm2 = ink_network_norm(b, "norm2", width);
  w->q2 = ink_network_linear(b, "attn2.to_q", width, width, false);
  w->k2 = ink_network_linear(b, "attn2.to_k", width, context, false);
  w->v2 = ink_network_linear(b, "attn2.to_v", width, context, false);
  w->out2 = ink_network_linear(b, "attn2.to_out.0", width, width, true);
  w->norm3 = ink_network_norm(b, "norm3", width);
  w->up = ink_network_linear(b, "ff.net.0.proj", 8 * width, width, true);
  w->down = ink_network_linear(b, "ff.net.2", width, 4 * width, true);
}

static void bind_transformer(ink_network_builder *b, const ink_unet_config *g, const char *block,
                             int32_t index, int64_t width, int32_t depth, int32_t n_head,
                             int32_t *n_cross, ink_unet_transformer *w) {
  ink_network_scope(b, "%s.attentions.%d.", block, index);
  w->n_layer = depth;
  w->n_head = n_head;
  w->norm = ink_network_norm(b, "norm", width);
  w->in = ink_network_linear(b, "proj_in", width, width, true);
  w->layers = ink_network_take(b, (size_t)depth, sizeof *w->layers);
  for (int32_t i = 0; w->layers && i < depth; i++) {
    ink_network_scope(b, "%s.attentions.%d.transformer_blocks.%d.", block, index, i);
    w->layers[i].index = (*n_cross)++;
    bind_layer(b, width, g->context, &w->layers[i]);
  }
  ink_network_scope(b, "%s.attentions.%d.", block, index);
  w->out = ink_network_linear(b, "proj_out", width, width, true);
}

void ink_unet_bind_step(ink_network_builder *b, const ink_unet_config *g, const char *block,
                        int32_t index, int64_t in, int64_t out, int32_t depth, int32_t n_head,
                        int32_t *n_cross, ink_unet_step *w) {
  ink_network_scope(b, "%s.resnets.%d.", block, index);
  ink_network_resnet(b, in, out, 4 * (int64_t)g->levels[0].channels, &w->resnet);
  if (depth > 0) bind_transformer(b, g, block, index, out, depth, n_head, n_cross, &w->transformer);
}

ink_unet_way *ink_unet_bind_down(ink_network_builder *b, const ink_unet_config *g,
                                 int32_t *n_cross) {
  ink_unet_way *ways = ink_network_take(b, (size_t)g->n_level, sizeof *ways);
  int64_t in = g->levels[0].channels;
  for (int32_t i = 0; ways && i < g->n_level; i++) {
    const ink_unet_level *level = &g->levels[i];
    char block[64];
    snprintf(block, sizeof block, "down_blocks.%d", i);
    ways[i].n = level->n_layer;
    ways[i].steps = ink_network_take(b, (size_t)level->n_layer, sizeof *ways[i].steps);
    for (int32_t j = 0; ways[i].steps && j < level->n_layer; j++) {
      ink_unet_bind_step(b, g, block, j, in, level->channels,
                         level->cross_down ? level->depth[j] : 0, level->n_head, n_cross,
                         &ways[i].steps[j]);
      in = level->channels;
    }
    if (i + 1 == g->n_level) continue;
    ink_network_scope(b, "%s.downsamplers.0.", block);
    ways[i].resample = ink_network_convolution(b, "conv", in, in, 3, true);
  }
  return ways;
}

void ink_unet_bind_middle(ink_network_builder *b, const ink_unet_config *g, int32_t *n_cross,
                          ink_unet_step steps[2]) {
  const ink_unet_level *level = &g->levels[g->n_level - 1];
  ink_unet_bind_step(b, g, "mid_block", 0, level->channels, level->channels,
                     g->mid_cross ? g->mid_depth : 0, level->n_head, n_cross, &steps[0]);
  if (!g->mid_pair) return;
  ink_unet_bind_step(b, g, "mid_block", 1, level->channels, level->channels, 0, 0, n_cross,
                     &steps[1]);
}

size_t ink_unet_n_skips(const ink_unet_config *config) {
  size_t n = (size_t)config->n_level;  // the first, and one behind each level but the last
  for (int32_t i = 0; i < config->n_level; i++) n += (size_t)config->levels[i].n_layer;
  return n;
}

// ---- what goes in -------------------------------------------------------------------------------

// The tensor must be F32 with this shape (-1: any extent).
static bool expect(ink_compute *c, const char *what, const ink_tensor *x, int rank,
                   const int64_t *shape) {
  char found[96];
  bool same = x && x->dtype == INK_F32 && x->rank == rank && ink_tensor_is_contiguous(x);
  for (int i = 0; same && i < rank; i++) {
    same = x->shape[i] > 0 && (shape[i] < 0 || x->shape[i] == shape[i]);
  }
  if (same) return true;
  ink_tensor wanted = {.rank = rank};
  memcpy(wanted.shape, shape, (size_t)rank * sizeof *shape);
  char text[96];
  ink_compute_fail(c, INK_ERR_USAGE, "%s must be F32 %s (-1: any), not %s", what,
                   ink_tensor_describe(&wanted, text),
                   x ? ink_tensor_describe(x, found) : "absent");
  return false;
}

bool ink_unet_check_input(ink_compute *c, const ink_unet_config *g, const ink_unet_input *input) {
  if (c->error.status != INK_OK) return false;
  if (!expect(c, "the latent picture", input->sample, 4, (int64_t[]){-1, -1, -1, g->in_channels})) {
    return false;
  }
  int64_t batch = input->sample->shape[0];
  if (!expect(c, "timesteps", input->timesteps, 1, &batch)) return false;
  if (!input->text &&
      !expect(c, "the text", input->context, 3, (int64_t[]){batch, -1, g->context})) {
    return false;
  }
  if (g->pooled &&
      (!expect(c, "the pooled text", input->pooled, 2, (int64_t[]){batch, g->pooled}) ||
       !expect(c, "sizes and crops", input->time_ids, 2, (int64_t[]){batch, g->n_time_id}))) {
    return false;
  }
  if (g->time_cond && input->guidance && !expect(c, "guidance", input->guidance, 1, &batch)) {
    return false;
  }
  if (input->activations != INK_F32 && (input->activations != INK_BF16 || c->tape)) {
    ink_compute_fail(c, INK_ERR_USAGE, "activations are F32, or BF16 where nothing is trained");
    return false;
  }
  return true;
}
