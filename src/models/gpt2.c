// GPT-2 (Radford et al. 2019): learned positions, pre-norm blocks with LayerNorm, full attention
// and a GELU feed-forward part; the head is the token embedding.
#include "base/json.h"
#include "models/architecture.h"
#include "models/config.h"

static ink_tensor *embed(ink_compute *c, const ink_pass *pass) {
  const ink_decoder *d = pass->decoder;
  ink_tensor *tokens = ink_embedding(c, d->token_embedding, pass->input->ids);
  ink_tensor *positions = ink_embedding(c, d->position_embedding, pass->positions);
  return ink_drop(c, pass, 0, ink_add(c, tokens, positions));
}

static ink_tensor *attention(ink_compute *c, const ink_pass *pass, int32_t layer,
                             const ink_tensor *x) {
  const ink_block *w = &pass->decoder->blocks[layer];
  int32_t n_head = pass->decoder->config.n_head;
  ink_tensor *qkv = ink_split_heads(c, ink_project(c, x, &w->qkv), 3 * n_head);
  ink_tensor *q = ink_slice(c, qkv, 2, 0, n_head);
  ink_tensor *k = ink_slice(c, qkv, 2, n_head, n_head);
  ink_tensor *v = ink_slice(c, qkv, 2, 2 * n_head, n_head);
  return ink_project(c, ink_attend(c, pass, layer, q, k, v), &w->attention_output);
}

static ink_tensor *feed_forward(ink_compute *c, const ink_decoder *d, const ink_block *w,
                                const ink_tensor *x) {
  ink_tensor *y = ink_project(c, x, &w->up);
  y = ink_gelu(c, y, d->config.activation == INK_ACTIVATION_GELU_TANH);
  return ink_project(c, y, &w->down);
}

static ink_tensor *block(ink_compute *c, const ink_pass *pass, int32_t layer, ink_tensor *x) {
  const ink_decoder *d = pass->decoder;
  const ink_block *w = &d->blocks[layer];
  float epsilon = d->config.norm_epsilon;
  ink_tensor *y = attention(c, pass, layer, ink_normalise(c, x, &w->attention_norm, epsilon));
  x = ink_add(c, x, ink_drop(c, pass, 2 * layer + 1, y));
  y = feed_forward(c, d, w, ink_normalise(c, x, &w->mlp_norm, epsilon));
  return ink_add(c, x, ink_drop(c, pass, 2 * layer + 2, y));
}

static void bind(ink_binder *b, ink_decoder *d) {
  const ink_decoder_config *g = &d->config;
  int64_t hidden = g->hidden;
  d->token_embedding =
      ink_bind_table(b, INK_PARAMETER_EMBEDDING, "transformer.wte", g->vocab, hidden);
  d->position_embedding =
      ink_bind_table(b, INK_PARAMETER_EMBEDDING, "transformer.wpe", g->context, hidden);
  for (int32_t i = 0; i < g->n_layer; i++) {
    ink_block *w = &d->blocks[i];
    w->attention_norm = ink_bind_norm(b, "transformer.h.%d.ln_1", i, hidden, true);
    w->qkv = ink_bind_projection(b, "transformer.h.%d.attn.c_attn", i, 3 * hidden, hidden, true,
                                 INK_BIND_CONV1D);
    w->attention_output = ink_bind_projection(b, "transformer.h.%d.attn.c_proj", i, hidden, hidden,
                                              true, INK_BIND_CONV1D | INK_BIND_RESIDUAL);
    w->mlp_norm = ink_bind_norm(b, "transformer.h.%d.ln_2", i, hidden, true);
    w->up = ink_bind_projection(b, "transformer.h.%d.mlp.c_fc", i, g->ff, hidden, true,
                                INK_BIND_CONV1D);
    w->down = ink_bind_projection(b, "transformer.h.%d.mlp.c_proj", i, hidden, g->ff, true,
                                  INK_BIND_CONV1D | INK_BIND_RESIDUAL);
  }
  d->final_norm = ink_bind_norm(b, "transformer.ln_f", 0, hidden, true);
  d->head.weight = g->tied_head
                       ? d->token_embedding
                       : ink_bind_table(b, INK_PARAMETER_HEAD, "lm_head", g->vocab, hidden);
}

// GPT2Config of transformers.
static ink_status read_json(const json_t *json, const char *name, ink_decoder_config *g,
                            ink_error *error) {
  INK_TRY(ink_config_size(json, name, "n_embd", &g->hidden, error));
  INK_TRY(ink_config_size(json, name, "n_layer", &g->n_layer, error));
  INK_TRY(ink_config_size(json, name, "n_head", &g->n_head, error));
  INK_TRY(ink_config_optional_size(json, name, "n_positions", 1024, &g->context, error));
  INK_TRY(ink_config_optional_size(json, name, "n_inner", 4 * g->hidden, &g->ff, error));
  INK_TRY(ink_config_epsilon(json, name, "layer_norm_epsilon", 1e-5, &g->norm_epsilon, error));
  INK_TRY(ink_config_activation(json, name, "activation_function", "gelu_new", g, error));
  g->n_kv_head = g->n_head;
  g->tied_head = true;
  g->qkv_bias = g->output_bias = g->mlp_bias = true;
  INK_TRY(ink_json_get_bool(json, "tie_word_embeddings", name, &g->tied_head, error));
  bool scale = true, by_layer = false;
  INK_TRY(ink_json_get_bool(json, "scale_attn_weights", name, &scale, error));
  INK_TRY(ink_json_get_bool(json, "scale_attn_by_inverse_layer_idx", name, &by_layer, error));
  if (!scale || by_layer) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: scale_attn_weights false and scale_attn_by_inverse_layer_idx true are not "
                    "supported",
                    name);
  }
  return ink_config_head_dim(json, name, 0, g, error);
}

static bool write_json(const ink_decoder_config *g, json_t *json) {
  const char *activation = g->activation == INK_ACTIVATION_GELU ? "gelu" : "gelu_new";
  return ink_config_put_int(json, "n_embd", g->hidden) &&
         ink_config_put_int(json, "n_inner", g->ff) &&
         ink_config_put_int(json, "n_layer", g->n_layer) &&
         ink_config_put_int(json, "n_head", g->n_head) &&
         ink_config_put_int(json, "n_positions", g->context) &&
         ink_config_put_real(json, "layer_norm_epsilon", g->norm_epsilon) &&
         json_object_set_new(json, "activation_function", json_string(activation)) == 0;
}

const ink_architecture ink_architecture_gpt2 = {
    .name = "gpt2",
    .class_name = "GPT2LMHeadModel",
    .read_json = read_json,
    .write_json = write_json,
    .bind = bind,
    .embed = embed,
    .block = block,
};
