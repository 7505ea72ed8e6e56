// Tensor names and metadata keys of the two formats, per architecture: Hugging Face transformers on
// one side, GGUF on the other (gguf-py's constants and tensor mapping, llama.cpp's model names).
#ifndef INK_WEIGHTS_NAMES_H
#define INK_WEIGHTS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INK_TENSOR_NAME = 96 };

// How a tensor's elements stand in GGUF, seen from Hugging Face's layout.
typedef enum ink_layout {
  INK_LAYOUT_SAME,
  INK_LAYOUT_TRANSPOSED,  // GPT-2 keeps its projections (in, out); GGUF has them (out, in)
  INK_LAYOUT_ROPE_Q,      // rows of each query head reordered from halves to pairs (llama)
  INK_LAYOUT_ROPE_K       // the same for key heads
} ink_layout;

// An architecture is named "gpt2", "llama", "qwen2" or "qwen3", as model_type in config.json and
// general.architecture in GGUF name it.

// The GGUF name of a Hugging Face tensor ("model.layers.3.self_attn.q_proj.weight" gives
// "blk.3.attn_q.weight"); false when the table has none, as for buffers that are no parameters.
// GPT-2 names pass with and without the leading "transformer.".
bool ink_names_to_gguf(const char *architecture, const char *hf, char gguf[INK_TENSOR_NAME],
                       ink_layout *layout);
// The way back, in the spelling that transformers writes.
bool ink_names_to_hf(const char *architecture, const char *gguf, char hf[INK_TENSOR_NAME],
                     ink_layout *layout);
// True for a Hugging Face tensor that is a buffer and no parameter (attention masks, rotary
// frequencies, position ids): conversions leave it out.
bool ink_names_is_buffer(const char *architecture, const char *hf);

#endif
