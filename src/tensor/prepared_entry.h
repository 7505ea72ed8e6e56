// How operations find and make prepared weights. Private to the room.
#ifndef INK_TENSOR_PREPARED_ENTRY_H
#define INK_TENSOR_PREPARED_ENTRY_H

#include <stdbool.h>

#include "tensor/prepared.h"
#include "tensor/tensor.h"

// What tells one prepared weight from another: where its elements stand, their type and shape, and
// the form it takes (the table of kernels that reads it).
typedef struct ink_prepared_key {
  const void *data, *form;
  ink_dtype dtype;
  int64_t out, in, taps;
} ink_prepared_key;

// Fill `to` with the prepared weight.
typedef void (*ink_prepare)(void *context, void *to);

// The prepared weight, made now (`bytes` long, from `source_bytes` of elements) if it is not there.
// NULL without memory.
const void *ink_prepared_get(ink_prepared *prepared, ink_prepared_key key, size_t source_bytes,
                             size_t bytes, ink_prepare prepare, void *context);

#endif
