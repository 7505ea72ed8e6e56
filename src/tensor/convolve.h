// Convolutions and linear layers over prepared weights, on raw memory: the ground under ink_conv2d
// and, for BF16 activations, ink_linear.
#ifndef INK_TENSOR_CONVOLVE_H
#define INK_TENSOR_CONVOLVE_H

#include "tensor/ops.h"

// x (batch, height, width, channels) and y (batch, y_height, y_width, out) are contiguous, each F32
// or BF16. A linear layer is one row of pixels and a kernel of one tap.
typedef struct ink_convolution {
  ink_dtype x_dtype, y_dtype;
  const void *x;
  void *y;
  int64_t batch, height, width, channels;
  int64_t y_height, y_width, out;
  int64_t kernel_height, kernel_width, stride;
  int64_t top, left;         // padding; what is read below and to the right of x is zero as well
  const float *bias;         // or NULL
  const ink_tensor *weight;  // (out, channels[, kh, kw]), contiguous, of any type
  bool passing;              // the weight passes: nothing to keep
  // The weight is that of the convolution whose data gradient this is: (channels, out, kh, kw), the
  // taps turned by half a circle. F32, and passing.
  bool turned;
  bool add;  // to what y, which is F32, holds
  // y = relu(y + also), rounded once. `also` is of y's type and shape, or NULL.
  const void *also;
  bool relu;
  // The picture is seen enlarged by two, every pixel a square of four, and y is rows `row`, … of
  // its convolution with a 3 x 3 kernel and padding 1, zeros beyond x. Pixels of y of one phase
  // (the remainders of their place by two) see two by two pixels of x, so the kernel is folded:
  // taps that meet the same pixel are added, 16 taps for four pixels instead of 36.
  bool enlarged;
  int64_t row;
} ink_convolution;

// Run it: products of BF16 elements when x is BF16 or `precision` says so, F32 otherwise. The
// weight is prepared now unless c->prepared has it. Failures are recorded under `name`.
bool ink_convolve(ink_compute *c, const char *name, const ink_convolution *convolution);

#endif
