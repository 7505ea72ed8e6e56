// The table of tensor names. A row is one parameter; %d stands for the number of the layer, and
// ".weight" or ".bias" follows in both formats.
#include "weights/names.h"

#include <stdio.h>
#include <string.h>

typedef struct row {
  const char *hf, *gguf;
  ink_layout layout;
} row;

typedef struct architecture {
  const char *name;
  const char *prefix;  // that a bare model's checkpoint leaves out; "" when none does
  const row *rows;
  const char *const *buffers;  // Hugging Face names; ended by NULL
  bool rotates_neighbours;     // ggml turns pairs (2i, 2i + 1) here, and halves everywhere else
} architecture;

// LlamaForCausalLM and its kin.
static const row llama_rows[] = {
    {"model.embed_tokens", "token_embd", INK_LAYOUT_SAME},
    {"model.layers.%d.input_layernorm", "blk.%d.attn_norm", INK_LAYOUT_SAME},
    {"model.layers.%d.self_attn.q_proj", "blk.%d.attn_q", INK_LAYOUT_ROPE_Q},
    {"model.layers.%d.self_attn.k_proj", "blk.%d.attn_k", INK_LAYOUT_ROPE_K},
    {"model.layers.%d.self_attn.v_proj", "blk.%d.attn_v", INK_LAYOUT_SAME},
    {"model.layers.%d.self_attn.o_proj", "blk.%d.attn_output", INK_LAYOUT_SAME},
    {"model.layers.%d.self_attn.q_norm", "blk.%d.attn_q_norm", INK_LAYOUT_SAME},
    {"model.layers.%d.self_attn.k_norm", "blk.%d.attn_k_norm", INK_LAYOUT_SAME},
    {"model.layers.%d.post_attention_layernorm", "blk.%d.ffn_norm", INK_LAYOUT_SAME},
    {"model.layers.%d.mlp.gate_proj", "blk.%d.ffn_gate", INK_LAYOUT_SAME},
    {"model.layers.%d.mlp.up_proj", "blk.%d.ffn_up", INK_LAYOUT_SAME},
    {"model.layers.%d.mlp.down_proj", "blk.%d.ffn_down", INK_LAYOUT_SAME},
    {"model.norm", "output_norm", INK_LAYOUT_SAME},
    {"lm_head", "output", INK_LAYOUT_SAME},
    {NULL, NULL, INK_LAYOUT_SAME},
};
static const char *const llama_buffers[] = {"model.layers.%d.self_attn.rotary_emb.inv_freq",
                                            "model.rotary_emb.inv_freq", NULL};

static const row gpt2_rows[] = {
    {"transformer.wte", "token_embd", INK_LAYOUT_SAME},
    {"transformer.wpe", "position_embd", INK_LAYOUT_SAME},
    {"transformer.h.%d.ln_1", "blk.%d.attn_norm", INK_LAYOUT_SAME},
    {"transformer.h.%d.attn.c_attn", "blk.%d.attn_qkv", INK_LAYOUT_TRANSPOSED},
    {"transformer.h.%d.attn.c_proj", "blk.%d.attn_output", INK_LAYOUT_TRANSPOSED},
    {"transformer.h.%d.ln_2", "blk.%d.ffn_norm", INK_LAYOUT_SAME},
    {"transformer.h.%d.mlp.c_fc", "blk.%d.ffn_up", INK_LAYOUT_TRANSPOSED},
    {"transformer.h.%d.mlp.c_proj", "blk.%d.ffn_down", INK_LAYOUT_TRANSPOSED},
    {"transformer.ln_f", "output_norm", INK_LAYOUT_SAME},
    {"lm_head", "output", INK_LAYOUT_SAME},
    {NULL, NULL, INK_LAYOUT_SAME},
};
static const char *const gpt2_buffers[] = {"transformer.h.%d.attn.bias",
                                           "transformer.h.%d.attn.masked_bias", NULL};

static const architecture architectures[] = {
    {"gpt2", "transformer.", gpt2_rows, gpt2_buffers, false},
    {"llama", "", llama_rows, llama_buffers, true},
    {"qwen2", "", llama_rows, llama_buffers, false},
    {"qwen3", "", llama_rows, llama_buffers, false},
};
enum { N_ARCHITECTURES = sizeof architectures / sizeof *architectures };

static const architecture *find_architecture(const char *name) {
  for (size_t i = 0; i < N_ARCHITECTURES; i++) {
    if (strcmp(architectures[i].name, name) == 0) return &architectures[i];
  }
  return NULL;
}

// A name taken apart by a pattern.
typedef struct match {
  const char *layer;  // digits, where the pattern has %d
  int n_digits;
  const char *ending;  // what follows the pattern
} match;

static bool matches(const char *pattern, const char *name, match *found) {
  *found = (match){.layer = ""};
  const char *hole = strstr(pattern, "%d");
  size_t before = hole ? (size_t)(hole - pattern) : strlen(pattern);
  if (strncmp(name, pattern, before) != 0) return false;
  name += before;
  if (hole) {
    found->layer = name;
    found->n_digits = (int)strspn(name, "0123456789");
    if (found->n_digits < 1 || found->n_digits > 5) return false;
    if (found->n_digits > 1 && name[0] == '0') return false;
    name += found->n_digits;
    size_t after = strlen(hole + 2);
    if (strncmp(name, hole + 2, after) != 0) return false;
    name += after;
  }
  found->ending = name;
  return true;
}

static bool is_parameter_ending(const char *ending) {
  return strcmp(ending, ".weight") == 0 || strcmp(ending, ".bias") == 0;
}

static bool fill(const char *pattern, const match *found, char out[INK_TENSOR_NAME]) {
  const char *hole = strstr(pattern, "%d");
  int n = hole ? snprintf(out, INK_TENSOR_NAME, "%.*s%.*s%s%s", (int)(hole - pattern), pattern,
                          found->n_digits, found->layer, hole + 2, found->ending)
               : snprintf(out, INK_TENSOR_NAME, "%s%s", pattern, found->ending);
  return n > 0 && n < INK_TENSOR_NAME;
}

// A name in its full spelling: with the prefix that bare models leave out. `lm_head` never has it.
static const char *full_name(const architecture *a, const char *hf, char out[2 * INK_TENSOR_NAME]) {
  size_t length = strlen(a->prefix);
  bool bare = length && strncmp(hf, a->prefix, length) != 0 && strncmp(hf, "lm_head", 7) != 0;
  if (!bare || strlen(hf) >= INK_TENSOR_NAME) return hf;
  snprintf(out, 2 * INK_TENSOR_NAME, "%s%s", a->prefix, hf);
  return out;
}

static ink_layout layout_of(const architecture *a, const row *r, const match *found) {
  switch (r->layout) {
    case INK_LAYOUT_TRANSPOSED:  // vectors have nothing to turn
      return strcmp(found->ending, ".bias") == 0 ? INK_LAYOUT_SAME : r->layout;
    case INK_LAYOUT_ROPE_Q:
    case INK_LAYOUT_ROPE_K:
      return a->rotates_neighbours ? r->layout : INK_LAYOUT_SAME;
    default:
      return r->layout;
  }
}

bool ink_names_to_gguf(const char *name, const char *hf, char gguf[INK_TENSOR_NAME],
                       ink_layout *layout) {
  char room[2 * INK_TENSOR_NAME];
  const architecture *a = find_architecture(name);
  if (!a) return false;
  hf = full_name(a, hf, room);
  for (const row *r = a->rows; r->hf; r++) {
    match found;
    if (!matches(r->hf, hf, &found) || !is_parameter_ending(found.ending)) continue;
    *layout = layout_of(a, r, &found);
    return fill(r->gguf, &found, gguf);
  }
  return false;
}

bool ink_names_to_hf(const char *name, const char *gguf, char hf[INK_TENSOR_NAME],
                     ink_layout *layout) {
  const architecture *a = find_architecture(name);
  if (!a) return false;
  for (const row *r = a->rows; r->hf; r++) {
    match found;
    if (!matches(r->gguf, gguf, &found) || !is_parameter_ending(found.ending)) continue;
    *layout = layout_of(a, r, &found);
    return fill(r->hf, &found, hf);
  }
  return false;
}

bool ink_names_is_buffer(const char *name, const char *hf) {
  char room[2 * INK_TENSOR_NAME];
  const architecture *a = find_architecture(name);
  if (!a) return false;
  hf = full_name(a, hf, room);
  for (const char *const *pattern = a->buffers; *pattern; pattern++) {
    match found;
    if (matches(*pattern, hf, &found) && !found.ending[0]) return true;
  }
  return false;
}
