// Inside the room: what an architecture provides to the registry, and how it binds its parameters.
#ifndef INK_MODELS_ARCHITECTURE_H
#define INK_MODELS_ARCHITECTURE_H

#include "models/decoder.h"
#include "models/layers.h"

// A transformer block, whichever norms and projections its architecture has; the rest is zero.
typedef struct ink_block {
  ink_norm attention_norm;
  ink_projection q, k, v;  // llama
  ink_projection qkv;      // gpt2: the three in one
  ink_norm q_norm, k_norm;
  ink_projection attention_output;
  ink_norm mlp_norm;
  ink_projection gate, up, down;
} ink_block;

struct ink_decoder {
  ink_decoder_config config;
  const struct ink_architecture *architecture;
  ink_arena *arena;  // parameters it owns, blocks, names
  ink_tensor *token_embedding;
  ink_tensor *position_embedding;  // gpt2
  ink_block *blocks;
  ink_norm final_norm;
  ink_projection head;
  ink_tensor *rope_frequencies;  // (rope_dim / 2), NULL without rotary positions
  ink_parameter *parameters;
  size_t n_parameter, parameter_capacity;
};

// One forward pass: what all its layers need.
typedef struct ink_pass {
  const ink_decoder *decoder;
  const ink_decoder_input *input;
  ink_tensor *positions;  // I32 (B, T) or (T)
  ink_attention_mask mask;
} ink_pass;

enum {
  INK_BIND_RESIDUAL = 1 << 0,  // writes into the residual stream
  INK_BIND_CONV1D = 1 << 1,    // Hugging Face stores (in, out): GPT-2's Conv1D
};

// One parameter that a decoder asks for.
typedef struct ink_parameter_request {
  const char *name;  // in a Hugging Face checkpoint
  ink_parameter_role role;
  int rank;          // 1 or 2
  int64_t shape[2];  // (out, in) for projections, whatever way they are stored
  unsigned flags;
} ink_parameter_request;

// Binds the parameters of a decoder one by one, from a source: fresh numbers or a file.
typedef struct ink_binder ink_binder;
struct ink_binder {
  ink_decoder *decoder;
  // The tensor for a request; *transposed when it is stored (in, out). NULL, with the error filled,
  // on failure.
  ink_tensor *(*take)(ink_binder *b, const ink_parameter_request *request, bool *transposed);
  const struct ink_weights *weights;
  const ink_decoder_init *init;
  ink_status status;  // the first failure; what follows it is skipped
  ink_error *error;
};

// name.weight as a table (rows, columns).
ink_tensor *ink_bind_table(ink_binder *b, ink_parameter_role role, const char *name, int64_t rows,
                           int64_t columns);
// name.weight and, with `bias`, name.bias. %d in the name stands for `layer`.
ink_norm ink_bind_norm(ink_binder *b, const char *name, int32_t layer, int64_t width, bool bias);
ink_projection ink_bind_projection(ink_binder *b, const char *name, int32_t layer, int64_t out,
                                   int64_t in, bool bias, unsigned flags);

// Make a decoder whose parameters come from the binder's source; the rest of the binder is filled
// here. On failure *decoder is NULL.
ink_status ink_decoder_build(const ink_decoder_config *config, ink_binder *binder,
                             ink_decoder **decoder, ink_error *error);

typedef struct ink_architecture {
  const char *name;        // in GGUF and as model_type in config.json
  const char *class_name;  // in "architectures" of config.json
  // Fill what config.json says; general checks follow.
  ink_status (*read_json)(const json_t *json, const char *name, ink_decoder_config *config,
                          ink_error *error);
  bool (*write_json)(const ink_decoder_config *config, json_t *json);
  void (*bind)(ink_binder *b, ink_decoder *decoder);
  ink_tensor *(*embed)(ink_compute *c, const ink_pass *pass);
  ink_tensor *(*block)(ink_compute *c, const ink_pass *pass, int32_t layer, ink_tensor *x);
} ink_architecture;

extern const ink_architecture ink_architecture_gpt2, ink_architecture_llama, ink_architecture_qwen2,
    ink_architecture_qwen3;

// By its name; NULL and an error that lists the known ones. `input` is what errors call the file.
const ink_architecture *ink_architecture_find(const char *name, const char *input,
                                              ink_error *error);

#endif
