// The tape: reverse-mode differentiation of what was computed while it was open.
#ifndef INK_TENSOR_TAPE_H
#define INK_TENSOR_TAPE_H

#include "tensor/ops.h"

typedef struct ink_tape ink_tape;

// A tape that keeps its records and the gradients of intermediate results in `arena` (that of the
// forward pass). It is gone when the arena is released to a mark taken before. NULL without memory.
ink_tape *ink_tape_new(ink_arena *arena);

// Make a parameter: gradients for `tensor` (F32, contiguous) gather in `gradient` (same shape, F32,
// contiguous; the caller clears it). Lives in `arena`, once per parameter, not per step.
ink_status ink_tape_parameter(ink_arena *arena, ink_tensor *tensor, ink_tensor *gradient,
                              ink_error *error);

// Run everything on c->tape backward from `loss` (rank 0), whose own gradient is `seed`. Gradients
// are added to what the parameters' buffers hold, in an order that does not depend on threads.
void ink_tape_backward(ink_compute *c, const ink_tensor *loss, float seed);

#endif
