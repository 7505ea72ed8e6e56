// The weight gradient of a convolution, on raw memory: the ground under the backward of ink_conv2d.
#ifndef INK_TENSOR_CORRELATE_H
#define INK_TENSOR_CORRELATE_H

#include "tensor/ops.h"

// x (batch, height, width, channels) and dy (batch, y_height, y_width, out), contiguous F32.
typedef struct ink_correlation {
  const float *x, *dy;
  int64_t batch, height, width, channels;
  int64_t y_height, y_width, out;
  int64_t kernel_height, kernel_width, stride;
  int64_t top, left;  // padding; what is read below and to the right of x is zero as well
  float *d_weight;    // (out, channels, kh, kw), contiguous; written
  bool add;           // added to instead
  float *d_bias;      // (out), or NULL
  bool add_bias;
} ink_correlation;

// Run it, in products of BF16 elements when c->precision says so. Failures are recorded under
// `name`.
void ink_correlate(ink_compute *c, const char *name, const ink_correlation *correlation);

#endif
