// Decoders: autoregressive Transformers behind one handle, whatever their architecture and file
// format. The same forward pass writes and trains.
#ifndef INK_MODELS_DECODER_H
#define INK_MODELS_DECODER_H

#include <jansson.h>

#include "models/kv_cache.h"
#include "tensor/ops.h"

struct ink_gguf_writer;
struct ink_weights;

// How rotary frequencies are stretched beyond the trained context. Others are refused by name.
typedef enum ink_rope_scaling {
  INK_ROPE_UNSCALED,
  INK_ROPE_LINEAR,  // positions divided by `factor` (Chen et al. 2023)
  INK_ROPE_LLAMA3   // long waves divided by `factor`, short ones kept, a ramp between (Llama 3.1)
} ink_rope_scaling;

typedef enum ink_activation {
  INK_ACTIVATION_SWIGLU,    // silu(gate x) * up x, then down
  INK_ACTIVATION_GELU,      // exact
  INK_ACTIVATION_GELU_TANH  // "gelu_new", "gelu_pytorch_tanh"
} ink_activation;

// What a decoder looks like. Fields an architecture does not have stay zero or false.
typedef struct ink_decoder_config {
  char architecture[32];  // name in the registry: "gpt2", "llama", "qwen2", "qwen3"
  int32_t vocab;
  int32_t context;  // most positions it was made for
  int32_t n_layer;
  int32_t n_head;
  int32_t n_kv_head;  // divides n_head
  int32_t head_dim;
  int32_t hidden;
  int32_t ff;
  float norm_epsilon;
  ink_activation activation;
  bool tied_head;    // the output projection is the token embedding
  bool qkv_bias;     // q, k and v projections have biases
  bool output_bias;  // so does the attention's output projection
  bool mlp_bias;     // so do the projections of the feed-forward part
  bool qk_norm;      // RMSNorm over each head of q and k, before the rotation

  int32_t rope_dim;  // first elements of a head that turn; 0: no rotary positions
  double rope_theta;
  ink_rope_style rope_style;
  ink_rope_scaling rope_scaling;
  double rope_factor;
  double rope_low_frequency_factor;   // LLAMA3
  double rope_high_frequency_factor;  // LLAMA3
  int32_t rope_original_context;      // LLAMA3
} ink_decoder_config;

// Read the config.json of Hugging Face transformers. Every field that matters is ranged; what is
// missing takes the default that transformers documents. `name` is what errors call the input.
// FORMAT: a field of the wrong type or range. CONFLICT: fields that contradict each other.
// UNSUPPORTED: an unknown architecture (the known ones are listed), rope scaling, activation, a
// sliding window.
ink_status ink_decoder_config_from_json(const json_t *json, const char *name,
                                        ink_decoder_config *config, ink_error *error);
// Read GGUF metadata: general.architecture and its keys. Errors as above.
ink_status ink_decoder_config_from_gguf(const struct ink_weights *weights,
                                        ink_decoder_config *config, ink_error *error);
// Add general.architecture and the keys of the architecture, as llama.cpp's converter does. A
// scaling of Llama 3 is no metadata there but a tensor, rope_freqs.weight. UNSUPPORTED: what GGUF
// cannot say of this architecture.
ink_status ink_decoder_config_to_gguf(const ink_decoder_config *config,
                                      struct ink_gguf_writer *writer, ink_error *error);
// As config.json for transformers, for models that were trained here; caller owns it. NULL without
// memory or for an architecture that is not in the registry.
json_t *ink_decoder_config_to_json(const ink_decoder_config *config);
// Check ranges and contradictions of a config that did not come from a file.
ink_status ink_decoder_config_check(const ink_decoder_config *config, const char *name,
                                    ink_error *error);

typedef struct ink_decoder ink_decoder;

// Bind a decoder to weights, by Hugging Face or GGUF names as the file's format has it. Tensors
// stay where they are; `weights` must outlive the decoder. A missing tensor is NOT_FOUND, one whose
// shape is not what the config says is CONFLICT, both by name.
ink_status ink_decoder_open(const ink_decoder_config *config, const struct ink_weights *weights,
                            ink_decoder **decoder, ink_error *error);
// The same as F32 copies of its own, laid out as Hugging Face does (rope style HALVES): for
// training on. `weights` may be closed afterwards.
ink_status ink_decoder_open_trainable(const ink_decoder_config *config,
                                      const struct ink_weights *weights, ink_decoder **decoder,
                                      ink_error *error);

// How the projections that write into the residual stream (attention output, feed-forward down)
// begin.
typedef enum ink_residual_init {
  INK_RESIDUAL_PLAIN,   // as the others
  INK_RESIDUAL_SCALED,  // standard deviation / sqrt(2 n_layer) (GPT-2, section 2.3)
  INK_RESIDUAL_ZERO
} ink_residual_init;

typedef struct ink_decoder_init {
  uint64_t seed;
  float std;  // 0.02 in GPT-2, Llama and Qwen
  ink_residual_init residual;
} ink_decoder_init;

// A decoder with fresh F32 parameters: matrices normal with `std`, norms one, biases zero. The
// numbers of a tensor are keyed by (seed, its name), so that they do not depend on its neighbours.
ink_status ink_decoder_new(const ink_decoder_config *config, const ink_decoder_init *init,
                           ink_decoder **decoder, ink_error *error);
void ink_decoder_free(ink_decoder *decoder);

const ink_decoder_config *ink_decoder_about(const ink_decoder *decoder);

// What a parameter is, for optimisers that treat them apart.
typedef enum ink_parameter_role {
  INK_PARAMETER_EMBEDDING,  // tokens or positions; also the head when it is tied
  INK_PARAMETER_MATRIX,     // projections inside the blocks
  INK_PARAMETER_VECTOR,     // norm weights and biases
  INK_PARAMETER_HEAD        // an output projection of its own
} ink_parameter_role;

typedef struct ink_parameter {
  const char *name;    // as in a Hugging Face checkpoint (weights/names.h has GGUF's)
  ink_tensor *tensor;  // in that checkpoint's shape; make it trainable with ink_tape_parameter
  ink_parameter_role role;
} ink_parameter;

// All parameters, each once (a tied head is not listed), in the order of the forward pass. The
// array belongs to the decoder.
ink_parameter *ink_decoder_parameters(ink_decoder *decoder, size_t *n);
// Number of scalars in them.
int64_t ink_decoder_size(const ink_decoder *decoder);

typedef struct ink_decoder_input {
  const ink_tensor *ids;        // I32 (B, T)
  const ink_tensor *positions;  // I32 (B, T); NULL: 0 … T-1 behind what the cache holds
  ink_kv_cache *cache;          // NULL: the ids are all there is; never together with a tape
  // Instead of `cache`: B different caches of one sequence each, of any lengths, so that sequences
  // that have nothing in common share one pass; or NULL. No positions and first keys then.
  ink_kv_cache *const *caches;
  const ink_tensor *first_key;  // I32 (B, T) for packed documents: first key a query sees; or NULL
  // Dropout on the embedding and on what each half block adds; only while a tape is open. The mask
  // depends on (seed, step, place) alone.
  float dropout;
  uint64_t dropout_seed;
  uint64_t dropout_step;
} ink_decoder_input;

// Hidden states after the final norm, (B, T, C). With a cache the new keys and values are appended
// and it is T longer when all went well. A sequence has the same bytes whatever stands beside it.
// Ids outside the vocabulary and positions outside the context are USAGE, with their numbers.
// Errors stay in the compute context; NULL then.
ink_tensor *ink_decoder_forward(ink_compute *c, const ink_decoder *decoder,
                                const ink_decoder_input *input);
// Logits (…, V) of hidden states (…, C).
ink_tensor *ink_decoder_head(ink_compute *c, const ink_decoder *decoder, const ink_tensor *hidden);
// The weight (V, C) behind them, for ink_linear_cross_entropy.
const ink_tensor *ink_decoder_head_weight(const ink_decoder *decoder);

#endif
