// CLIP's text encoder (Radford et al. 2021): a pre-norm Transformer with learned positions and
// causal attention. The text as a whole is the state at its end token.
#include "models/clip.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "models/config.h"
#include "models/naming.h"
#include "models/network.h"
#include "weights/weights.h"

typedef struct clip_layer {
  ink_norm norm1, norm2;
  ink_projection q, k, v, out;
  ink_projection up, down;
} clip_layer;

struct ink_clip {
  ink_clip_config config;
  ink_network network;
  ink_tensor *token_embedding, *position_embedding;
  clip_layer *layers;
  ink_norm final_norm;
  ink_projection projection;
};

// ---- the forward pass --------------------------------------------------------------------------

static ink_tensor *attention(ink_compute *c, const ink_clip *clip, const clip_layer *w,
                             const ink_tensor *x) {
  int32_t n_head = clip->config.n_head;
  ink_tensor *q = ink_split_heads(c, ink_project(c, x, &w->q), n_head);
  ink_tensor *k = ink_split_heads(c, ink_project(c, x, &w->k), n_head);
  ink_tensor *v = ink_split_heads(c, ink_project(c, x, &w->v), n_head);
  float scale = 1.0f / sqrtf((float)clip->config.hidden / (float)n_head);
  ink_tensor *y = ink_attention(c, q, k, v, scale, (ink_attention_mask){.causal = true});
  return ink_project(c, ink_merge_heads(c, y), &w->out);
}

static ink_tensor *feed_forward(ink_compute *c, const ink_clip *clip, const clip_layer *w,
                                const ink_tensor *x) {
  ink_tensor *y = ink_project(c, x, &w->up);
  y = clip->config.quick_gelu ? ink_gelu_quick(c, y) : ink_gelu(c, y, false);
  return ink_project(c, y, &w->down);
}

static ink_tensor *run_layer(ink_compute *c, const ink_clip *clip, const clip_layer *w,
                             ink_tensor *x) {
  if (!x) return NULL;
  float epsilon = clip->config.norm_epsilon;
  ink_scope scope = ink_scope_open(c, x->dtype, x->rank, x->shape);
  ink_tensor *y = attention(c, clip, w, ink_normalise(c, x, &w->norm1, epsilon));
  y = ink_add(c, x, y);
  y = ink_add(c, y, feed_forward(c, clip, w, ink_normalise(c, y, &w->norm2, epsilon)));
  return ink_scope_close(c, &scope, y);
}

static bool check_input(ink_compute *c, const ink_clip *clip, const ink_clip_input *input) {
  const ink_clip_config *g = &clip->config;
  const ink_tensor *ids = input->ids;
  char shape[96];
  if (c->error.status != INK_OK) return false;
  if (!ids || ids->dtype != INK_I32 || ids->rank != 2 || ids->shape[0] < 1 || ids->shape[1] < 1 ||
      ids->shape[1] > g->context || !ink_tensor_is_contiguous(ids)) {
    ink_compute_fail(c, INK_ERR_USAGE, "a text encoder takes ids I32 (B, 1 to %d), not %s",
                     g->context, ids ? ink_tensor_describe(ids, shape) : "nothing");
    return false;
  }
  if (input->skip < 0 || input->skip > g->n_layer) {
    ink_compute_fail(c, INK_ERR_USAGE, "a text encoder of %d layers cannot leave out %d",
                     g->n_layer, input->skip);
    return false;
  }
  const int32_t *values = ids->data;
  for (int64_t i = 0; i < ink_tensor_elements(ids); i++) {
    if (values[i] >= 0 && values[i] < g->vocab) continue;
    ink_compute_fail(c, INK_ERR_USAGE, "token %d is not in the text encoder's range 0 to %d",
                     values[i], g->vocab - 1);
    return false;
  }
  const ink_tensor *rows = input->embeddings;
  if (rows && (rows->dtype != INK_F32 || rows->rank != 3 || rows->shape[0] != ids->shape[0] ||
               rows->shape[1] != ids->shape[1] || rows->shape[2] != g->hidden)) {
    ink_compute_fail(c, INK_ERR_USAGE, "embeddings %s do not belong to these ids",
                     ink_tensor_describe(rows, shape));
    return false;
  }
  return true;
}

ink_tensor *ink_clip_embed(ink_compute *c, const ink_clip *clip, const ink_tensor *ids) {
  ink_clip_input input = {.ids = ids};
  return check_input(c, clip, &input) ? ink_embedding(c, clip->token_embedding, ids) : NULL;
}

static ink_tensor *embed(ink_compute *c, const ink_clip *clip, const ink_clip_input *input) {
  const ink_tensor *tokens = input->embeddings;
  if (!tokens) tokens = ink_embedding(c, clip->token_embedding, input->ids);
  int64_t time = input->ids->shape[1];
  ink_tensor *places = ink_tensor_new(c->arena, INK_I32, 1, &time);
  if (!places) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for positions");
  for (int64_t i = 0; i < time; i++) ((int32_t *)places->data)[i] = (int32_t)i;
  return ink_add(c, tokens, ink_embedding(c, clip->position_embedding, places));
}

// Where a text ends: at its first end token, or (as OpenCLIP and older configs have it) at its
// highest id. Without one it is the first token, as in the reference.
static int64_t end_of(const ink_clip *clip, const int32_t *ids, int64_t n) {
  int64_t at = 0;
  for (int64_t i = 0; i < n; i++) {
    if (clip->config.end_token < 0) {
      if (ids[i] > ids[at]) at = i;
    } else if (ids[i] == clip->config.end_token) {
      return i;
    }
  }
  return at;
}

// The states (B, C) at the texts' ends.
static ink_tensor *pool(ink_compute *c, const ink_clip *clip, const ink_tensor *ids,
                        const ink_tensor *x) {
  if (!x) return NULL;
  int64_t batch = x->shape[0], time = x->shape[1];
  const ink_tensor **rows = ink_arena_zeros(c->arena, (size_t)batch, sizeof *rows);
  if (!rows) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for the pooled text");
  for (int64_t b = 0; b < batch; b++) {
    int64_t end = end_of(clip, (const int32_t *)ids->data + b * time, time);
    rows[b] = ink_slice(c, ink_slice(c, x, 0, b, 1), 1, end, 1);
  }
  ink_tensor *joined = ink_concat(c, 0, (int)batch, rows);
  return joined ? ink_reshape(c, joined, 2, (const int64_t[]){batch, -1}) : NULL;
}

ink_clip_output ink_clip_forward(ink_compute *c, const ink_clip *clip,
                                 const ink_clip_input *input) {
  ink_clip_output out = {0};
  if (!check_input(c, clip, input)) return out;
  const ink_clip_config *g = &clip->config;
  int32_t last = g->n_layer - input->skip;
  ink_tensor *x = embed(c, clip, input);
  for (int32_t i = 0; i <= g->n_layer && (i <= last || input->pooled); i++) {
    if (i == last) out.hidden = x;
    if (i < g->n_layer && (i < last || input->pooled)) {
      x = run_layer(c, clip, &clip->layers[i], x);
    }
  }
  if (input->final_norm) {
    out.hidden = ink_normalise(c, out.hidden, &clip->final_norm, g->norm_epsilon);
  }
  if (input->pooled) {
    x = ink_normalise(c, x, &clip->final_norm, g->norm_epsilon);
    out.pooled = pool(c, clip, input->ids, x);
    if (clip->projection.weight) out.projected = ink_project(c, out.pooled, &clip->projection);
  }
  return c->error.status == INK_OK ? out : (ink_clip_output){0};
}

// ---- parameters --------------------------------------------------------------------------------

static void bind(ink_network_builder *b, ink_clip *clip) {
  const ink_clip_config *g = &clip->config;
  int64_t hidden = g->hidden;
  ink_network_scope(b, "text_model.embeddings.");
  clip->token_embedding = ink_network_table(b, "token_embedding.weight", g->vocab, hidden);
  clip->position_embedding = ink_network_table(b, "position_embedding.weight", g->context, hidden);
  clip->layers = ink_network_take(b, (size_t)g->n_layer, sizeof *clip->layers);
  for (int32_t i = 0; clip->layers && i < g->n_layer; i++) {
    clip_layer *w = &clip->layers[i];
    ink_network_scope(b, "text_model.encoder.layers.%d.", i);
    w->norm1 = ink_network_norm(b, "layer_norm1", hidden);
    w->q = ink_network_linear(b, "self_attn.q_proj", hidden, hidden, true);
    w->k = ink_network_linear(b, "self_attn.k_proj", hidden, hidden, true);
    w->v = ink_network_linear(b, "self_attn.v_proj", hidden, hidden, true);
    w->out = ink_network_linear(b, "self_attn.out_proj", hidden, hidden, true);
    w->norm2 = ink_network_norm(b, "layer_norm2", hidden);
    w->up = ink_network_linear(b, "mlp.fc1", g->ff, hidden, true);
    w->down = ink_network_linear(b, "mlp.fc2", hidden, g->ff, true);
  }
  ink_network_scope(b, "text_model.");
  clip->final_norm = ink_network_norm(b, "final_layer_norm", hidden);
  ink_network_scope(b, "%s", "");
  if (g->projection) {
    clip->projection = ink_network_linear(b, "text_projection", g->projection, hidden, false);
  }
}

static ink_status check_config(const ink_clip_config *g, ink_error *error) {
  if (g->vocab < 1 || g->context < 1 || g->n_layer < 1 || g->n_layer > 1024 || g->n_head < 1 ||
      g->hidden < 1 || g->ff < 1 || g->projection < 0 || g->hidden % g->n_head != 0) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "a text encoder of %d layers, width %d, %d heads, %d tokens is not possible",
                    g->n_layer, g->hidden, g->n_head, g->vocab);
  }
  return INK_OK;
}

ink_status ink_clip_new(const ink_clip_config *config, const ink_source *source, ink_clip **clip,
                        ink_error *error) {
  ink_error unused = {0};
  if (!error) error = &unused;
  *clip = NULL;
  INK_TRY(check_config(config, error));
  ink_clip *new = calloc(1, sizeof *new);
  if (!new) return ink_fail(error, INK_ERR_MEMORY, "no memory for a text encoder");
  new->config = *config;
  ink_network_builder b;
  ink_network_start(&b, &new->network, source, config, ink_clip_stored_name, error);
  if (b.status == INK_OK) bind(&b, new);
  ink_status status = ink_network_finish(&b);
  if (status != INK_OK) {
    ink_clip_free(new);
    return status;
  }
  *clip = new;
  return INK_OK;
}

void ink_clip_free(ink_clip *clip) {
  if (!clip) return;
  ink_network_free(&clip->network);
  free(clip);
}

const ink_clip_config *ink_clip_about(const ink_clip *clip) {
  return &clip->config;
}

ink_parameter *ink_clip_parameters(ink_clip *clip, size_t *n) {
  *n = clip->network.n;
  return clip->network.parameters;
}

// ---- config.json of transformers: CLIPTextConfig ------------------------------------------------

ink_clip_config ink_clip_config_large(void) {
  return (ink_clip_config){.vocab = 49408,
                           .context = 77,
                           .n_layer = 12,
                           .n_head = 12,
                           .hidden = 768,
                           .ff = 3072,
                           .quick_gelu = true,
                           .norm_epsilon = 1e-5f,
                           .end_token = -1};
}

// Whether the model has a projection: its class says so.
static ink_status read_class(const json_t *json, const char *name, bool *projected,
                             ink_error *error) {
  const char *class = json_string_value(json_array_get(json_object_get(json, "architectures"), 0));
  *projected = class && strcmp(class, "CLIPTextModelWithProjection") == 0;
  if (!class || *projected || strcmp(class, "CLIPTextModel") == 0) return INK_OK;
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%s: /architectures is %.64s; text encoders are CLIPTextModel or "
                  "CLIPTextModelWithProjection",
                  name, class);
}

static ink_status read_activation(const json_t *json, const char *name, ink_clip_config *g,
                                  ink_error *error) {
  const char *activation = "quick_gelu";
  INK_TRY(ink_json_get_string(json, "hidden_act", name, &activation, error));
  g->quick_gelu = strcmp(activation, "quick_gelu") == 0;
  if (g->quick_gelu || strcmp(activation, "gelu") == 0) return INK_OK;
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%s: /hidden_act is %.64s; only quick_gelu and gelu are supported", name,
                  activation);
}

ink_status ink_clip_config_from_json(const json_t *json, const char *name, ink_clip_config *config,
                                     ink_error *error) {
  ink_clip_config g = {0};
  bool projected = false;
  if (!json_is_object(json)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: must be an object", name);
  }
  INK_TRY(read_class(json, name, &projected, error));
  INK_TRY(ink_config_size(json, name, "vocab_size", &g.vocab, error));
  INK_TRY(ink_config_size(json, name, "hidden_size", &g.hidden, error));
  INK_TRY(ink_config_size(json, name, "intermediate_size", &g.ff, error));
  INK_TRY(ink_config_size(json, name, "num_hidden_layers", &g.n_layer, error));
  INK_TRY(ink_config_size(json, name, "num_attention_heads", &g.n_head, error));
  INK_TRY(ink_config_optional_size(json, name, "max_position_embeddings", 77, &g.context, error));
  INK_TRY(ink_config_epsilon(json, name, "layer_norm_eps", 1e-5, &g.norm_epsilon, error));
  INK_TRY(read_activation(json, name, &g, error));
  if (projected) {
    INK_TRY(ink_config_optional_size(json, name, "projection_dim", 512, &g.projection, error));
  }
  // Configs written before transformers knew the right end token say 2 and mean the highest id.
  int64_t end = 49407;
  INK_TRY(ink_json_get_int(json, "eos_token_id", name, 0, INT32_MAX, &end, error));
  g.end_token = end == 2 ? -1 : (int32_t)end;
  *config = g;
  return check_config(config, error);
}

// ---- single files -------------------------------------------------------------------------------

// The shape of a parameter below the prefix; NULL when it is not there.
static const ink_weights_entry *entry_of(const ink_weights *weights, const char *prefix,
                                         ink_naming naming, const char *name) {
  ink_stored_name stored = {.parts = 1};
  char full[2 * INK_NAME];
  if (naming == INK_NAMING_DIFFUSERS) {
    snprintf(stored.name, sizeof stored.name, "%s", name);
  } else if (!ink_clip_stored_name(NULL, naming, name, &stored)) {
    return NULL;
  }
  snprintf(full, sizeof full, "%s%s", prefix ? prefix : "", stored.name);
  const ink_weights_entry *entry = ink_weights_entry_of(weights, full);
  if (entry || strncmp(stored.name, "text_model.", 11) != 0) return entry;
  snprintf(full, sizeof full, "%s%s", prefix ? prefix : "", stored.name + 11);
  return ink_weights_entry_of(weights, full);
}

ink_status ink_clip_config_from_weights(const ink_weights *weights, const char *prefix,
                                        ink_naming naming, ink_clip_config *config,
                                        ink_error *error) {
  const ink_weights_entry *tokens =
      entry_of(weights, prefix, naming, "text_model.embeddings.token_embedding.weight");
  const ink_weights_entry *places =
      entry_of(weights, prefix, naming, "text_model.embeddings.position_embedding.weight");
  const ink_weights_entry *up =
      entry_of(weights, prefix, naming, "text_model.encoder.layers.0.mlp.fc1.weight");
  if (!tokens || !places || !up || tokens->rank != 2 || places->rank != 2 || up->rank != 2 ||
      tokens->shape[0] > INT32_MAX || tokens->shape[1] > INT32_MAX ||
      places->shape[0] > INT32_MAX || up->shape[0] > INT32_MAX) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s: no text encoder below %s",
                    ink_weights_path(weights), prefix ? prefix : "its names");
  }
  ink_clip_config g = {.vocab = (int32_t)tokens->shape[0],
                       .hidden = (int32_t)tokens->shape[1],
                       .context = (int32_t)places->shape[0],
                       .ff = (int32_t)up->shape[0],
                       .n_head = (int32_t)tokens->shape[1] / 64,
                       .quick_gelu = naming != INK_NAMING_OPENCLIP,
                       .norm_epsilon = 1e-5f,
                       .end_token = -1};
  char name[INK_NAME];
  for (g.n_layer = 0; g.n_layer < 1024; g.n_layer++) {
    snprintf(name, sizeof name, "text_model.encoder.layers.%d.mlp.fc1.weight", g.n_layer);
    if (!entry_of(weights, prefix, naming, name)) break;
  }
  const ink_weights_entry *projection = entry_of(weights, prefix, naming, "text_projection.weight");
  if (projection && projection->rank == 2) {
    int side = naming == INK_NAMING_OPENCLIP ? 1 : 0;
    g.projection = (int32_t)projection->shape[side];
  }
  *config = g;
  return check_config(config, error);
}
