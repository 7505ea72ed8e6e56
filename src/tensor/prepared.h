// Prepared weights: what dense operations make of a weight once, so that a model's code stays
// `conv(x, w.conv1)` and every call after the first finds the weight as its kernel reads it. One
// lives with each pipeline, beside the weights; any number of computations may share it.
#ifndef INK_TENSOR_PREPARED_H
#define INK_TENSOR_PREPARED_H

#include <stddef.h>

#include "base/status.h"

typedef struct ink_prepared ink_prepared;

// Called when `bytes` at `data`, the elements of a weight, have been prepared and will not be read
// again: whoever mapped them may let go of their pages.
typedef void (*ink_prepared_source)(void *context, const void *data, size_t bytes);

// An empty cache. `source` may be NULL. NULL without memory.
ink_prepared *ink_prepared_new(ink_prepared_source source, void *context);
// Weights are known by the address of their elements: free the cache before those, or before they
// change.
void ink_prepared_free(ink_prepared *prepared);

// Bytes that prepared weights hold.
size_t ink_prepared_bytes(const ink_prepared *prepared);

#endif
