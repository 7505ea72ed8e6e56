// Double-precision twins of the operations, written from their definitions and from nothing else.
#ifndef INK_TESTS_TENSOR_TWINS_H
#define INK_TESTS_TENSOR_TWINS_H

#include "tensor/ops.h"

enum { MOST_INPUTS = 4 };

// An operation with its arguments: how we call it, and what it means.
typedef struct subject {
  const char *name;
  int n_inputs;
  struct {
    int rank;
    int64_t shape[INK_MAX_RANK];
    bool fixed_last;  // the operation wants the last dimension contiguous
  } input[MOST_INPUTS];
  ink_tensor *(*run)(ink_compute *c, ink_tensor *const *in);
  // out receives the elements of the result in order.
  void (*twin)(const struct subject *subject, double *const *in, double *out);
  double tolerance;  // of the result, relative to 1; 0: 2e-6
  int halves;        // leading operands that may be BF16; 0: none
} subject;

extern const subject subjects[];
extern const int n_subjects;

#endif
