// Conversion of whole models: between Hugging Face folders and GGUF, and to other element types.
// Works tensor by tensor, so that memory does not grow with the model.
#ifndef INK_WEIGHTS_QUANTIZE_H
#define INK_WEIGHTS_QUANTIZE_H

#include "base/pool.h"
#include "base/progress.h"
#include "base/status.h"
#include "weights/weights.h"

// What the tensors become. Vectors (norms, biases) stay F32 in GGUF in all of them.
typedef enum ink_quant {
  INK_QUANT_KEEP,  // as they are
  INK_QUANT_F32,
  INK_QUANT_F16,
  INK_QUANT_BF16,
  INK_QUANT_Q8_0,
  INK_QUANT_Q4_0,    // output projection in Q6_K where its rows allow
  INK_QUANT_Q4_K_M,  // llama.cpp's mix: Q6_K for the output projection and half of attn_v,
                     // ffn_down
  INK_QUANT_Q6_K,
  INK_QUANT_COUNT
} ink_quant;

// "Q4_K_M"; and back, without regard to case ("Q4_K" is Q4_K_M). USAGE lists what is known.
const char *ink_quant_name(ink_quant quant);
ink_status ink_quant_parse(const char *name, ink_quant *quant, ink_error *error);

// The type that it gives a tensor of this GGUF name and shape in a model of n_layer layers.
// Rows that are no multiple of a type's block fall back, Q4_K and Q6_K to Q8_0 and then F16.
ink_dtype ink_quant_dtype(ink_quant quant, const char *gguf_name, int rank, const int64_t *shape,
                          ink_dtype stored, int64_t n_layer, bool tied_head);

typedef struct ink_convert_options {
  ink_weights_format format;  // what to write
  ink_quant quant;
  size_t ram;  // bytes to use at most beside the mapped input; 0: 512 MiB. MEMORY names the tensor
               // that needs more
  ink_pool *pool;                // NULL: this thread alone
  const ink_progress *progress;  // counts bytes of input; NULL: nobody listens
} ink_convert_options;

typedef struct ink_convert_report {
  size_t tensors;
  uint64_t bytes_before, bytes_after;  // of tensor data
  size_t skipped;                      // buffers left out
} ink_convert_report;

// Write the model `from` (as ink_weights_open takes it) to `to`: a .gguf file, or a folder that
// gets model.safetensors, config.json and the tokenizer's files. Names, layouts (names.h), config
// and tokenizer are translated when the format changes: tokenizer.json of byte-level BPE and
// character vocabularies to tokenizer.ggml.* and back. Nothing appears under its name before it is
// whole. UNSUPPORTED: an architecture, tensor type or tokenizer that cannot be carried over; block
// types in safetensors. CONFLICT: `to` is the input. *report may be NULL.
ink_status ink_weights_convert(const char *from, const char *to, const ink_convert_options *options,
                               ink_convert_report *report, ink_error *error);

#endif
