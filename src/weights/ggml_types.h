// ggml's tensor types: their numbers in GGUF files and the sizes of their blocks (ggml.h, enum
// ggml_type; ggml-common.h).
#ifndef INK_WEIGHTS_GGML_TYPES_H
#define INK_WEIGHTS_GGML_TYPES_H

#include "tensor/tensor.h"

typedef struct ink_ggml_type {
  const char *name;
  int64_t block_elements;
  size_t block_bytes;
  bool usable;  // inkstone computes with it, as `dtype`
  ink_dtype dtype;
} ink_ggml_type;

// NULL for a number that names no type, or one that ggml has given up.
const ink_ggml_type *ink_ggml_type_about(uint32_t type);
// ggml's number for a type of ours.
uint32_t ink_ggml_type_of(ink_dtype dtype);

#endif
