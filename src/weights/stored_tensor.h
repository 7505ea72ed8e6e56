// A tensor as a file of weights holds it: what the reader of each format hands out.
#ifndef INK_WEIGHTS_STORED_TENSOR_H
#define INK_WEIGHTS_STORED_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/tensor.h"

// All that it points to is the file's, until that is closed.
typedef struct ink_stored_tensor {
  const char *name;       // NUL-terminated, well-formed UTF-8
  const char *type_name;  // the format's name for its type: "BF16", "Q5_K", "I64"
  bool usable;            // a type and rank that inkstone computes with
  ink_dtype dtype;        // when usable
  int rank;
  const int64_t *shape;  // rank of them, outermost first
  uint64_t offset;       // from the start of the file
  size_t bytes;
  // In the mapped file; a usable tensor that is not aligned or not contiguous there is a copy in
  // memory, in order.
  const unsigned char *data;
} ink_stored_tensor;

#endif
