// What a decoder looks like, from the metadata of a GGUF file (ggml, docs/gguf.md, "Standardized
// key-value pairs"). What the metadata does not say is told from which tensors are there.
#include <stdio.h>
#include <string.h>

#include "models/architecture.h"
#include "weights/weights.h"

// Reads "ARCHITECTURE.key" of one file; the first failure is kept.
typedef struct reader {
  const ink_gguf *file;
  const char *architecture;
  ink_status status;
  ink_error *error;
} reader;

static const char *full_key(const reader *r, const char *key, char out[96]) {
  snprintf(out, 96, "%s.%s", r->architecture, key);
  return out;
}

static int32_t get_size(reader *r, const char *key, int32_t fallback) {
  char full[96];
  int64_t value = fallback;
  if (r->status == INK_OK) {
    r->status = ink_gguf_get_int(r->file, full_key(r, key, full), fallback == 0, 1, 1 << 30, &value,
                                 r->error);
  }
  return (int32_t)value;
}

static double get_number(reader *r, const char *key, double low, double high, double fallback) {
  char full[96];
  double value = fallback;
  if (r->status == INK_OK) {
    r->status =
        ink_gguf_get_number(r->file, full_key(r, key, full), false, low, high, &value, r->error);
  }
  return value;
}

static void refuse(reader *r, const char *what, const char *value) {
  if (r->status != INK_OK) return;
  r->status = ink_fail(r->error, INK_ERR_UNSUPPORTED, "%s: %s%s is not supported",
                       ink_gguf_path(r->file), what, value);
}

static void read_rope(reader *r, ink_decoder_config *g) {
  char full[96], name[32];
  g->rope_theta = get_number(r, "rope.freq_base", 1e-6, 1e15, 10000);
  g->rope_dim = get_size(r, "rope.dimension_count", g->head_dim);
  g->rope_style = strcmp(r->architecture, "llama") == 0 ? INK_ROPE_PAIRS : INK_ROPE_HALVES;
  ink_gguf_string type = {"none", 4};
  if (r->status == INK_OK) {
    r->status = ink_gguf_get_string(r->file, full_key(r, "rope.scaling.type", full), false, &type,
                                    r->error);
  }
  if (ink_gguf_string_is(type, "none")) return;
  if (!ink_gguf_string_is(type, "linear")) {
    snprintf(name, sizeof name, "\"%.*s\"", (int)(type.size < 28 ? type.size : 28), type.bytes);
    refuse(r, "rope scaling ", name);
    return;
  }
  g->rope_scaling = INK_ROPE_LINEAR;
  g->rope_factor = get_number(r, "rope.scaling.factor", 1, 1e6, 1);
}

static void read_sizes(reader *r, ink_decoder_config *g) {
  bool gpt2 = strcmp(r->architecture, "gpt2") == 0;
  g->context = get_size(r, "context_length", 0);
  g->hidden = get_size(r, "embedding_length", 0);
  g->n_layer = get_size(r, "block_count", 0);
  g->ff = get_size(r, "feed_forward_length", 0);
  g->n_head = get_size(r, "attention.head_count", 0);
  g->n_kv_head = get_size(r, "attention.head_count_kv", g->n_head);
  if (r->status != INK_OK) return;
  int32_t width = g->hidden / g->n_head;
  g->head_dim = get_size(r, "attention.key_length", width > 0 ? width : 1);
  if (get_size(r, "attention.value_length", g->head_dim) != g->head_dim) {
    refuse(r, "a value width that differs from the key width", "");
  }
  g->norm_epsilon = (float)get_number(
      r, gpt2 ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", 0, 1,
      gpt2 ? 1e-5 : 1e-6);
  if (get_size(r, "expert_count", 1) != 1) refuse(r, "a mixture of experts", "");
  if (get_size(r, "attention.sliding_window", g->context) < g->context) {
    refuse(r, "sliding-window attention", "");
  }
  g->activation = gpt2 ? INK_ACTIVATION_GELU_TANH : INK_ACTIVATION_SWIGLU;
  if (!gpt2) read_rope(r, g);
}

static bool has(const ink_weights *weights, const char *name) {
  return ink_weights_entry_of(weights, name) != NULL;
}

ink_status ink_decoder_config_from_gguf(const ink_weights *weights, ink_decoder_config *config,
                                        ink_error *error) {
  *config = (ink_decoder_config){0};
  const ink_gguf *file = ink_weights_gguf(weights);
  if (!file) {
    return ink_fail(error, INK_ERR_USAGE, "%s is not a GGUF file", ink_weights_path(weights));
  }
  ink_gguf_string name;
  INK_TRY(ink_gguf_get_string(file, "general.architecture", true, &name, error));
  snprintf(config->architecture, sizeof config->architecture, "%.*s",
           (int)(name.size < 31 ? name.size : 31), name.bytes);
  if (!ink_architecture_find(config->architecture, ink_gguf_path(file), error)) {
    return INK_ERR_UNSUPPORTED;
  }
  reader r = {.file = file, .architecture = config->architecture, .error = error};
  read_sizes(&r, config);
  INK_TRY(r.status);

  const ink_weights_entry *table = ink_weights_entry_of(weights, "token_embd.weight");
  if (!table || table->rank != 2 || table->shape[0] < 1 || table->shape[0] > INT32_MAX) {
    return ink_fail(error, table ? INK_ERR_CONFLICT : INK_ERR_NOT_FOUND,
                    "%s: token_embd.weight, the table of tokens, is %s", ink_gguf_path(file),
                    table ? "no matrix" : "missing");
  }
  config->vocab = (int32_t)table->shape[0];
  config->tied_head = !has(weights, "output.weight");
  config->qkv_bias = has(weights, "blk.0.attn_q.bias") || has(weights, "blk.0.attn_qkv.bias");
  config->output_bias = has(weights, "blk.0.attn_output.bias");
  config->mlp_bias = has(weights, "blk.0.ffn_up.bias");
  config->qk_norm =
      strcmp(config->architecture, "qwen3") == 0 || has(weights, "blk.0.attn_q_norm.weight");
  return ink_decoder_config_check(config, ink_gguf_path(file), error);
}

// -- Writing --------------------------------------------------------------------------------------

static void put_size(ink_gguf_writer *writer, const ink_decoder_config *g, const char *key,
                     int32_t value) {
  char full[96];
  snprintf(full, sizeof full, "%s.%s", g->architecture, key);
  ink_gguf_add_u32(writer, full, (uint32_t)value);
}

static void put_number(ink_gguf_writer *writer, const ink_decoder_config *g, const char *key,
                       double value) {
  char full[96];
  snprintf(full, sizeof full, "%s.%s", g->architecture, key);
  ink_gguf_add_f32(writer, full, (float)value);
}

static void put_rope(ink_gguf_writer *writer, const ink_decoder_config *g) {
  char full[96];
  put_number(writer, g, "rope.freq_base", g->rope_theta);
  if (g->rope_scaling != INK_ROPE_LINEAR) return;
  snprintf(full, sizeof full, "%s.rope.scaling.type", g->architecture);
  ink_gguf_add_string(writer, full, "linear", 6);
  put_number(writer, g, "rope.scaling.factor", g->rope_factor);
}

ink_status ink_decoder_config_to_gguf(const ink_decoder_config *g, ink_gguf_writer *writer,
                                      ink_error *error) {
  bool gpt2 = strcmp(g->architecture, "gpt2") == 0, llama = strcmp(g->architecture, "llama") == 0;
  if (gpt2 && g->activation != INK_ACTIVATION_GELU_TANH) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "a GPT-2 with the exact GELU: GGUF knows the architecture with \"gelu_new\" "
                    "alone");
  }
  put_size(writer, g, "block_count", g->n_layer);
  put_size(writer, g, "context_length", g->context);
  put_size(writer, g, "embedding_length", g->hidden);
  put_size(writer, g, "feed_forward_length", g->ff);
  put_size(writer, g, "attention.head_count", g->n_head);
  if (gpt2) {
    put_number(writer, g, "attention.layer_norm_epsilon", (double)g->norm_epsilon);
    return INK_OK;
  }
  put_size(writer, g, "attention.head_count_kv", g->n_kv_head);
  put_rope(writer, g);
  put_number(writer, g, "attention.layer_norm_rms_epsilon", (double)g->norm_epsilon);
  put_size(writer, g, "attention.key_length", g->head_dim);
  put_size(writer, g, "attention.value_length", g->head_dim);
  if (llama) {
    put_size(writer, g, "vocab_size", g->vocab);
    put_size(writer, g, "rope.dimension_count", g->rope_dim);
  }
  return INK_OK;
}
