// The tape: a list of records, newest first, and the gradients that gather while it is walked.
#include "tensor/tape.h"

#include <string.h>

#include "tensor/operation.h"

// A gradient buffer whose owner has been dealt with, waiting for the next one of its size.
typedef struct spare {
  struct spare *next;
  int64_t elements;
  float *buffer;
} spare;

struct ink_tape {
  ink_arena *arena;
  ink_record *last;
  spare *spares;
  spare *empty;  // nodes without a buffer
};

ink_tape *ink_tape_new(ink_arena *arena) {
  ink_tape *tape = ink_arena_zeros(arena, 1, sizeof *tape);
  if (tape) tape->arena = arena;
  return tape;
}

ink_status ink_tape_parameter(ink_arena *arena, ink_tensor *tensor, ink_tensor *gradient,
                              ink_error *error) {
  char shape[96], other[96];
  if (tensor->dtype != INK_F32 || gradient->dtype != INK_F32 || !ink_tensor_is_contiguous(tensor) ||
      !ink_tensor_is_contiguous(gradient) || !ink_tensor_same_shape(tensor, gradient)) {
    return ink_fail(error, INK_ERR_USAGE,
                    "a parameter %s %s and its gradient %s %s must be contiguous F32 of one shape",
                    ink_dtype_about(tensor->dtype)->name, ink_tensor_describe(tensor, shape),
                    ink_dtype_about(gradient->dtype)->name, ink_tensor_describe(gradient, other));
  }
  ink_tape_slot *slot = ink_arena_take(arena, sizeof *slot);
  if (!slot) return ink_fail(error, INK_ERR_MEMORY, "no memory for a parameter's tape slot");
  *slot = (ink_tape_slot){.base = tensor->data,
                          .elements = ink_tensor_elements(tensor),
                          .gradient = gradient->data,
                          .parameter = true};
  tensor->slot = slot;
  return INK_OK;
}

void *ink_op_record(ink_compute *c, size_t size, ink_backward backward, ink_tensor *y) {
  ink_record *record = ink_arena_zeros(c->tape->arena, 1, size);
  ink_tape_slot *slot = ink_arena_zeros(c->tape->arena, 1, sizeof *slot);
  if (!record || !slot) {
    ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a record on the tape");
    return NULL;
  }
  slot->base = y->data;
  slot->elements = ink_tensor_elements(y);
  y->slot = slot;
  record->previous = c->tape->last;
  record->backward = backward;
  record->output = slot;
  c->tape->last = record;
  return record;
}

// ---- gradients ---------------------------------------------------------------------------------

static float *buffer_take(ink_compute *c, int64_t elements) {
  for (spare **at = &c->tape->spares; *at; at = &(*at)->next) {
    if ((*at)->elements != elements) continue;
    spare *found = *at;
    *at = found->next;
    found->next = c->tape->empty;
    c->tape->empty = found;
    return found->buffer;
  }
  return ink_op_take(c, "ink_tape_backward", (size_t)elements, sizeof(float));
}

static void buffer_give(ink_compute *c, float *buffer, int64_t elements) {
  spare *node = c->tape->empty;
  if (node) {
    c->tape->empty = node->next;
  } else {
    node = ink_arena_take(c->tape->arena, sizeof *node);
    if (!node) return;  // the buffer is merely not used again
  }
  *node = (spare){.next = c->tape->spares, .elements = elements, .buffer = buffer};
  c->tape->spares = node;
}

// The buffer of a slot; *fresh when it has just been made and holds nothing yet.
static float *slot_gradient(ink_compute *c, ink_tape_slot *slot, bool *fresh) {
  *fresh = !slot->gradient;
  if (*fresh) slot->gradient = buffer_take(c, slot->elements);
  return slot->gradient;
}

static float *place_in(const ink_tape_slot *slot, const ink_tensor *x) {
  return slot->gradient + ((const float *)x->data - slot->base);
}

ink_tensor ink_gradient_view(ink_compute *c, const ink_tensor *x) {
  ink_tensor view = *x;
  view.slot = NULL;
  view.data = NULL;
  if (!x->slot) return view;
  bool fresh;
  if (!slot_gradient(c, x->slot, &fresh)) return view;
  if (fresh) memset(x->slot->gradient, 0, (size_t)x->slot->elements * sizeof(float));
  view.data = place_in(x->slot, x);
  return view;
}

ink_gradient ink_gradient_of(ink_compute *c, const ink_tensor *x) {
  ink_gradient gradient = {0};
  if (!x->slot) return gradient;
  if (!ink_tensor_is_contiguous(x)) {
    gradient.view = ink_gradient_view(c, x);
    gradient.strided = true;
    if (gradient.view.data) {
      gradient.data =
          ink_op_take(c, "ink_tape_backward", (size_t)ink_tensor_elements(x), sizeof(float));
    }
    return gradient;
  }
  bool fresh;
  if (!slot_gradient(c, x->slot, &fresh)) return gradient;
  if (fresh && ink_tensor_elements(x) != x->slot->elements) {
    memset(x->slot->gradient, 0, (size_t)x->slot->elements * sizeof(float));
  }
  gradient.data = place_in(x->slot, x);
  gradient.add = !fresh;
  return gradient;
}

void ink_gradient_done(ink_compute *c, ink_gradient *gradient) {
  if (gradient->strided && gradient->data)
    ink_scatter_add(c->pool, gradient->data, &gradient->view);
}

bool ink_gradient_move(ink_compute *c, const ink_tensor *x, ink_record *record) {
  (void)c;
  ink_tape_slot *to = x->slot, *from = record->output;
  if (!to || to->gradient || to->elements != from->elements || !ink_tensor_is_contiguous(x)) {
    return false;
  }
  to->gradient = from->gradient;
  from->gradient = NULL;
  return true;
}

void ink_tape_backward(ink_compute *c, const ink_tensor *loss, float seed) {
  if (!ink_op_begin1(c, "ink_tape_backward", loss)) return;
  if (!c->tape || !loss->slot || loss->slot->elements != 1 || loss->slot->parameter) {
    ink_compute_fail(c, INK_ERR_USAGE,
                     "ink_tape_backward: the loss must be one number computed from parameters "
                     "while the tape was open");
    return;
  }
  bool fresh;
  float *start = slot_gradient(c, loss->slot, &fresh);
  if (!start) return;
  *start = seed;
  for (ink_record *record = c->tape->last; record; record = record->previous) {
    ink_tape_slot *output = record->output;
    if (!output->gradient) continue;  // nothing downstream leads to the loss
    record->backward(c, record);
    if (c->error.status != INK_OK) return;
    if (output->gradient) buffer_give(c, output->gradient, output->elements);
    output->gradient = NULL;
  }
}
