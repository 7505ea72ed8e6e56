// Llama (Touvron et al. 2023; Grattafiori et al. 2024), Qwen2 (Yang et al. 2024) and Qwen3 (Yang et
// al. 2025): pre-norm blocks of grouped-query attention with rotary positions, and SwiGLU. Biases
// on q, k, v (Qwen2) and norms on q and k (Qwen3) are data of the config.
#include "base/json.h"
#include "models/architecture.h"
#include "models/config.h"

static ink_tensor *embed(ink_compute *c, const ink_pass *pass) {
  return ink_drop(c, pass, 0, ink_embedding(c, pass->decoder->token_embedding, pass->input->ids));
}

// q, k and v: projected, split into heads, normed where the model does.
static ink_tensor *heads(ink_compute *c, const ink_pass *pass, const ink_tensor *x,
                         const ink_projection *projection, const ink_norm *norm, int32_t n_head) {
  ink_tensor *y = ink_split_heads(c, ink_project(c, x, projection), n_head);
  return norm && norm->weight ? ink_normalise(c, y, norm, pass->decoder->config.norm_epsilon) : y;
}

static ink_tensor *attention(ink_compute *c, const ink_pass *pass, int32_t layer,
                             const ink_tensor *x) {
  const ink_decoder *d = pass->decoder;
  const ink_decoder_config *config = &d->config;
  const ink_block *w = &d->blocks[layer];
  ink_tensor *q = heads(c, pass, x, &w->q, &w->q_norm, config->n_head);
  ink_tensor *k = heads(c, pass, x, &w->k, &w->k_norm, config->n_kv_head);
  ink_tensor *v = heads(c, pass, x, &w->v, NULL, config->n_kv_head);
  q = ink_rope(c, q, pass->positions, d->rope_frequencies, config->rope_style);
  k = ink_rope(c, k, pass->positions, d->rope_frequencies, config->rope_style);
  return ink_project(c, ink_attend(c, pass, layer, q, k, v), &w->attention_output);
}

static ink_tensor *feed_forward(ink_compute *c, const ink_block *w, const ink_tensor *x) {
  ink_tensor *gate = ink_project(c, x, &w->gate);
  ink_tensor *up = ink_project(c, x, &w->up);
  return ink_project(c, ink_swiglu(c, gate, up), &w->down);
}

static ink_tensor *block(ink_compute *c, const ink_pass *pass, int32_t layer, ink_tensor *x) {
  const ink_block *w = &pass->decoder->blocks[layer];
  float epsilon = pass->decoder->config.norm_epsilon;
  ink_tensor *y = attention(c, pass, layer, ink_normalise(c, x, &w->attention_norm, epsilon));
  x = ink_add(c, x, ink_drop(c, pass, 2 * layer + 1, y));
  y = feed_forward(c, w, ink_normalise(c, x, &w->mlp_norm, epsilon));
  return ink_add(c, x, ink_drop(c, pass, 2 * layer + 2, y));
}

static void bind(ink_binder *b, ink_decoder *d) {
  const ink_decoder_config *g = &d->config;
  int64_t width = (int64_t)g->n_head * g->head_dim, kv_width = (int64_t)g->n_kv_head * g->head_dim;
  d->token_embedding =
      ink_bind_table(b, INK_PARAMETER_EMBEDDING, "model.embed_tokens", g->vocab, g->hidden);
  for (int32_t i = 0; i < g->n_layer; i++) {
    ink_block *w = &d->blocks[i];
    w->attention_norm = ink_bind_norm(b, "model.layers.%d.input_layernorm", i, g->hidden, false);
    w->q = ink_bind_projection(b, "model.layers.%d.self_attn.q_proj", i, width, g->hidden,
                               g->qkv_bias, 0);
    w->k = ink_bind_projection(b, "model.layers.%d.self_attn.k_proj", i, kv_width, g->hidden,
                               g->qkv_bias, 0);
    w->v = ink_bind_projection(b, "model.layers.%d.self_attn.v_proj", i, kv_width, g->hidden,
                               g->qkv_bias, 0);
    if (g->qk_norm) {
      w->q_norm = ink_bind_norm(b, "model.layers.%d.self_attn.q_norm", i, g->head_dim, false);
      w->k_norm = ink_bind_norm(b, "model.layers.%d.self_attn.k_norm", i, g->head_dim, false);
    }
    w->attention_output = ink_bind_projection(b, "model.layers.%d.self_attn.o_proj", i, g->hidden,
                                              width, g->output_bias, INK_BIND_RESIDUAL);
    w->mlp_norm = ink_bind_norm(b, "model.layers.%d.post_attention_layernorm", i, g->hidden, false);
    w->gate = ink_bind_projection(b, "model.layers.%d.mlp.gate_proj", i, g->ff, g->hidden,
                                  g->mlp_bias, 0);
    w->up =
        ink_bind_projection(b, "model.layers.%d.mlp.up_proj", i, g->ff, g->hidden, g->mlp_bias, 0);
    w->down = ink_bind_projection(b, "model.layers.%d.mlp.down_proj", i, g->hidden, g->ff,
                                  g->mlp_bias, INK_BIND_RESIDUAL);
  }
  d->final_norm = ink_bind_norm(b, "model.norm", 0, g->hidden, false);
  d->head.weight = g->tied_head
                       ? d->token_embedding
                       : ink_bind_table(b, INK_PARAMETER_HEAD, "lm_head", g->vocab, g->hidden);
}

// ---- config.json of transformers: LlamaConfig, Qwen2Config, Qwen3Config ------------------------

// Sizes that all three share. Their defaults are those of released models and fit no other, so a
// size that is missing is an error.
static ink_status read_common(const json_t *json, const char *name, ink_decoder_config *g,
                              ink_error *error) {
  INK_TRY(ink_config_size(json, name, "hidden_size", &g->hidden, error));
  INK_TRY(ink_config_size(json, name, "intermediate_size", &g->ff, error));
  INK_TRY(ink_config_size(json, name, "num_hidden_layers", &g->n_layer, error));
  INK_TRY(ink_config_size(json, name, "num_attention_heads", &g->n_head, error));
  INK_TRY(
      ink_config_optional_size(json, name, "num_key_value_heads", g->n_head, &g->n_kv_head, error));
  INK_TRY(ink_config_epsilon(json, name, "rms_norm_eps", 1e-6, &g->norm_epsilon, error));
  INK_TRY(ink_config_activation(json, name, "hidden_act", "silu", g, error));
  INK_TRY(ink_config_rope(json, name, g, error));
  return ink_json_get_bool(json, "tie_word_embeddings", name, &g->tied_head, error);
}

static ink_status read_llama(const json_t *json, const char *name, ink_decoder_config *g,
                             ink_error *error) {
  INK_TRY(read_common(json, name, g, error));
  INK_TRY(
      ink_config_optional_size(json, name, "max_position_embeddings", 2048, &g->context, error));
  INK_TRY(ink_config_head_dim(json, name, 0, g, error));
  INK_TRY(ink_json_get_bool(json, "attention_bias", name, &g->qkv_bias, error));
  g->output_bias = g->qkv_bias;
  return ink_json_get_bool(json, "mlp_bias", name, &g->mlp_bias, error);
}

static ink_status read_qwen2(const json_t *json, const char *name, ink_decoder_config *g,
                             ink_error *error) {
  INK_TRY(read_common(json, name, g, error));
  INK_TRY(
      ink_config_optional_size(json, name, "max_position_embeddings", 32768, &g->context, error));
  INK_TRY(ink_config_head_dim(json, name, 0, g, error));
  g->qkv_bias = true;
  return ink_config_full_attention(json, name, error);
}

static ink_status read_qwen3(const json_t *json, const char *name, ink_decoder_config *g,
                             ink_error *error) {
  INK_TRY(read_common(json, name, g, error));
  INK_TRY(
      ink_config_optional_size(json, name, "max_position_embeddings", 32768, &g->context, error));
  INK_TRY(ink_config_head_dim(json, name, 128, g, error));
  INK_TRY(ink_json_get_bool(json, "attention_bias", name, &g->qkv_bias, error));
  g->output_bias = g->qkv_bias;
  g->qk_norm = true;
  return ink_config_full_attention(json, name, error);
}

static bool write_json(const ink_decoder_config *g, json_t *json) {
  bool ok = ink_config_put_int(json, "hidden_size", g->hidden) &&
            ink_config_put_int(json, "intermediate_size", g->ff) &&
            ink_config_put_int(json, "num_hidden_layers", g->n_layer) &&
            ink_config_put_int(json, "num_attention_heads", g->n_head) &&
            ink_config_put_int(json, "num_key_value_heads", g->n_kv_head) &&
            ink_config_put_int(json, "head_dim", g->head_dim) &&
            ink_config_put_int(json, "max_position_embeddings", g->context) &&
            ink_config_put_real(json, "rms_norm_eps", g->norm_epsilon) &&
            json_object_set_new(json, "hidden_act", json_string("silu")) == 0 &&
            ink_config_put_rope(json, g);
  if (g->architecture[0] == 'l') {
    ok = ok && json_object_set_new(json, "mlp_bias", json_boolean(g->mlp_bias)) == 0;
  }
  if (!g->qk_norm && g->qkv_bias && !g->output_bias) return ok;
  return ok && json_object_set_new(json, "attention_bias", json_boolean(g->qkv_bias)) == 0;
}

const ink_architecture ink_architecture_llama = {
    .name = "llama",
    .class_name = "LlamaForCausalLM",
    .read_json = read_llama,
    .write_json = write_json,
    .bind = bind,
    .embed = embed,
    .block = block,
};

const ink_architecture ink_architecture_qwen2 = {
    .name = "qwen2",
    .class_name = "Qwen2ForCausalLM",
    .read_json = read_qwen2,
    .write_json = write_json,
    .bind = bind,
    .embed = embed,
    .block = block,
};

const ink_architecture ink_architecture_qwen3 = {
    .name = "qwen3",
    .class_name = "Qwen3ForCausalLM",
    .read_json = read_qwen3,
    .write_json = write_json,
    .bind = bind,
    .embed = embed,
    .block = block,
};
