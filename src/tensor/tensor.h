// Tensors: strided views of memory that somebody else owns, an arena, a mapped file or a caller.
#ifndef INK_TENSOR_TENSOR_H
#define INK_TENSOR_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

// Element types. The block types hold a row in blocks of a fixed number of elements, laid out as in
// ggml (GGUF specification, ggml-common.h): Q8_0 and Q4_0 32 elements, Q4_K and Q6_K 256.
typedef enum ink_dtype {
  INK_F32,
  INK_F16,
  INK_BF16,
  INK_I32,
  INK_Q8_0,
  INK_Q4_0,
  INK_Q4_K,
  INK_Q6_K,
  INK_DTYPE_COUNT
} ink_dtype;

typedef struct ink_dtype_info {
  const char *name;        // "F32", "Q4_K"
  int64_t block_elements;  // 1 for plain types
  size_t block_bytes;
} ink_dtype_info;

const ink_dtype_info *ink_dtype_about(ink_dtype dtype);
static inline bool ink_dtype_is_block(ink_dtype dtype) {
  return dtype >= INK_Q8_0 && dtype <= INK_Q6_K;
}

enum { INK_MAX_RANK = 5 };

struct ink_tape_slot;

// A view. Shapes are outermost first, as in PyTorch; strides count elements. Block types keep their
// last dimension contiguous and a multiple of the block. Tensors are small and copied freely; the
// memory behind `data` is not theirs.
typedef struct ink_tensor {
  ink_dtype dtype;
  int rank;
  int64_t shape[INK_MAX_RANK];
  int64_t stride[INK_MAX_RANK];
  void *data;
  struct ink_tape_slot *slot;  // where its gradient gathers (tensor/tape.h); NULL for a constant
} ink_tensor;

int64_t ink_tensor_elements(const ink_tensor *tensor);
// Bytes of a contiguous tensor of this type and shape; false when they do not fit a size_t or the
// last dimension is no multiple of the block.
bool ink_tensor_bytes(ink_dtype dtype, int rank, const int64_t *shape, size_t *bytes);
bool ink_tensor_is_contiguous(const ink_tensor *tensor);
bool ink_tensor_same_shape(const ink_tensor *a, const ink_tensor *b);

// A contiguous view of the caller's memory.
ink_tensor ink_tensor_view(ink_dtype dtype, void *data, int rank, const int64_t *shape);
// A new contiguous tensor (header and elements) in the arena, not cleared; NULL without memory.
ink_tensor *ink_tensor_new(ink_arena *arena, ink_dtype dtype, int rank, const int64_t *shape);

// "[2, 7, 64]" for messages.
const char *ink_tensor_describe(const ink_tensor *tensor, char out[96]);

#endif
