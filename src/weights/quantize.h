// What tensors become when a model is converted: the types of a quantisation, and the passage of
// one tensor from a mapped file to another type and layout, piece by piece.
#ifndef INK_WEIGHTS_QUANTIZE_H
#define INK_WEIGHTS_QUANTIZE_H

#include "base/pool.h"
#include "base/status.h"
#include "weights/names.h"
#include "weights/weights.h"

// What the tensors become. Vectors (norms, biases) and tables of positions stay F32 in GGUF in all
// of them.
typedef enum ink_quant {
  INK_QUANT_KEEP,  // as they are
  INK_QUANT_F32,
  INK_QUANT_F16,
  INK_QUANT_BF16,
  INK_QUANT_Q8_0,
  INK_QUANT_Q4_0,    // output projection in Q6_K where its rows allow
  INK_QUANT_Q4_K_M,  // llama.cpp's mix: Q6_K for the output projection and half of attn_v, ffn_down
                     // and, where llama.cpp takes Q5_K, attn_qkv
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

// One tensor on its way.
typedef struct ink_passage {
  const ink_weights_entry *from;  // of a usable type
  ink_dtype dtype;                // of the result
  ink_layout layout;
  bool to_gguf;    // the way `layout` is gone: from Hugging Face's to GGUF's, or back
  int64_t n_head;  // that its rows are divided among, for INK_LAYOUT_ROPE_*
} ink_passage;

// Shape of the result: that of `from`, turned where the layout says so.
void ink_passage_shape(const ink_passage *passage, int64_t shape[INK_MAX_RANK]);

// Takes the bytes of the result in order. A status other than INK_OK ends the passage.
typedef ink_status (*ink_passage_sink)(void *context, const void *bytes, size_t size,
                                       ink_error *error);

// Pass a tensor to `sink` with at most `ram` bytes of memory beside the mapped file. The same bytes
// for any number of threads. MEMORY when one row of the tensor needs more than `ram`, by its name;
// CONFLICT when its rows do not divide among the heads.
ink_status ink_passage_run(const ink_passage *passage, size_t ram, ink_pool *pool,
                           ink_passage_sink sink, void *context, ink_error *error);

#endif
