// The part of ink_attention for BF16 queries. Private to the room.
#ifndef INK_TENSOR_ATTENTION_BF16_H
#define INK_TENSOR_ATTENTION_BF16_H

#include "tensor/operation.h"

// As ink_attention, whose checks have been made.
ink_tensor *ink_attention_bf16(ink_compute *c, const char *name, const ink_tensor *q,
                               const ink_tensor *k, const ink_tensor *v, float scale,
                               ink_attention_mask mask);

#endif
