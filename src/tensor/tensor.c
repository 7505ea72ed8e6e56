// Views: shapes, strides, and the memory they span.
#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"

int64_t ink_tensor_elements(const ink_tensor *tensor) {
  int64_t n = 1;
  for (int i = 0; i < tensor->rank; i++) n *= tensor->shape[i];
  return n;
}

bool ink_tensor_bytes(ink_dtype dtype, int rank, const int64_t *shape, size_t *bytes) {
  if (dtype < 0 || dtype >= INK_DTYPE_COUNT || rank < 0 || rank > INK_MAX_RANK) return false;
  int64_t elements;
  if (!ink_mul_extents(shape, rank, &elements)) return false;
  const ink_dtype_info *type = ink_dtype_about(dtype);
  int64_t last = rank > 0 ? shape[rank - 1] : 1;
  if (last % type->block_elements != 0) return false;
  return ink_mul_size((size_t)(elements / type->block_elements), type->block_bytes, bytes);
}

bool ink_tensor_is_contiguous(const ink_tensor *tensor) {
  int64_t expected = 1;
  for (int i = tensor->rank - 1; i >= 0; i--) {
    if (tensor->shape[i] == 0) return true;
    if (tensor->shape[i] != 1 && tensor->stride[i] != expected) return false;
    expected *= tensor->shape[i];
  }
  return true;
}

bool ink_tensor_same_shape(const ink_tensor *a, const ink_tensor *b) {
  if (a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++) {
    if (a->shape[i] != b->shape[i]) return false;
  }
  return true;
}

ink_tensor ink_tensor_view(ink_dtype dtype, void *data, int rank, const int64_t *shape) {
  ink_tensor tensor = {.dtype = dtype, .rank = rank, .data = data};
  uint64_t stride = 1;  // wraps for a shape that fits no memory, which a message may still name
  for (int i = rank - 1; i >= 0; i--) {
    tensor.shape[i] = shape[i];
    tensor.stride[i] = (int64_t)stride;
    stride *= (uint64_t)shape[i];
  }
  return tensor;
}

ink_tensor *ink_tensor_new(ink_arena *arena, ink_dtype dtype, int rank, const int64_t *shape) {
  size_t bytes;
  if (!ink_tensor_bytes(dtype, rank, shape, &bytes)) return NULL;
  ink_tensor *tensor = ink_arena_take(arena, sizeof *tensor);
  void *data = ink_arena_take(arena, bytes);
  if (!tensor || !data) return NULL;
  *tensor = ink_tensor_view(dtype, data, rank, shape);
  return tensor;
}

const char *ink_tensor_describe(const ink_tensor *tensor, char out[96]) {
  size_t used = 0;
  out[used++] = '[';
  for (int i = 0; i < tensor->rank && used < 90; i++) {
    int n = snprintf(out + used, 94 - used, "%s%lld", i ? ", " : "", (long long)tensor->shape[i]);
    used += n > 0 ? (size_t)n : 0;
  }
  if (used > 94) used = 94;
  out[used] = ']';
  out[used + 1] = '\0';
  return out;
}
