// Element types as safetensors names them (safetensors/src/tensor.rs, enum Dtype).
#ifndef INK_WEIGHTS_ELEMENT_TYPES_H
#define INK_WEIGHTS_ELEMENT_TYPES_H

#include <stdbool.h>

#include "tensor/tensor.h"

typedef struct ink_element_type {
  const char *name;  // "BF16", as in tensor/tensor.h where inkstone has the type as well
  unsigned bits;
  bool usable;      // inkstone computes with it
  ink_dtype dtype;  // when usable
} ink_element_type;

// NULL when there is none of that name. All stand in one array, in the format's order.
const ink_element_type *ink_element_type_of(const char *name);

#endif
