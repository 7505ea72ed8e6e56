// The kernels of convolutions and of linear layers over prepared weights (a linear layer is a
// convolution of one tap), one table per instruction set and kind of element. Control stays in
// tensor/convolve.c.
//
// The input is staged: the pixels that a block of the result needs, some channels of each, stand
// `pixel_bytes` apart in cache, so that a row of the register tile is a pixel and a tap is an
// offset. No matrix of patches is ever made.
//
// Each element of a result is one chain of sums over taps and channels for each block of
// INK_CONVOLVE_CHANNELS (INK_LINEAR_CHANNELS for one tap) channels, and the blocks are added in
// order. It depends on nothing but its own pixel and channel, so tiles and threads never change a
// byte. (Few output channels in BF16: one chain over channels for each tap, the taps in order.)
#ifndef INK_TENSOR_CPU_CONVOLVE_H
#define INK_TENSOR_CPU_CONVOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/tensor.h"

enum { INK_CONVOLVE_CHANNELS = 256, INK_LINEAR_CHANNELS = 640 };

// One register tile of a result.
typedef struct ink_convolve_tile {
  int rows;             // pixels that follow each other in the staged input
  int columns;          // output channels
  bool linear;          // which of the two distances between pixels
  int64_t taps, steps;  // steps of k for each tap
  const int64_t *tap;   // bytes from a
  const char *a, *b;    // staged input, panel of the weight
  float *sums;          // of the blocks so far; rows are `sums_stride` floats apart
  int64_t sums_stride;
  bool add;  // to what sums hold; otherwise the first block
  // The last block ends in the result, rows `y_stride` elements apart; NULL: in sums.
  void *y;
  int64_t y_stride;
  bool y_bf16;
  bool y_add;         // to what y, F32, holds
  const float *bias;  // of the tile's first column, or NULL
  const void *also;   // of y's type and its rows: added behind the bias; or NULL
  bool relu;          // max(0, …) last
} ink_convolve_tile;

typedef struct ink_convolve_kernels {
  int rows, columns;       // of the register tile
  int elements;            // of k per step: 1 in F32, 2 in BF16
  int64_t pixel_bytes[2];  // from pixel to pixel as staged; [1] for linear layers
  // n channels of each of `pixels` pixels, `stride` elements apart, as staged, to_bytes apart:
  // elements, zero up to a whole step.
  void (*stage)(ink_dtype dtype, const void *from, int64_t stride, int64_t pixels, int64_t n,
                char *to, int64_t to_bytes);
  // One tap of one block of a panel: column j's channel i stands at from[j * out + i * in]. `to`
  // holds step after step; columns from `columns` on are zero. in is at most 2^20.
  void (*pack)(const float *from, int64_t out, int64_t in, int64_t columns, int64_t channels,
               void *to);
  void (*multiply)(const ink_convolve_tile *tile);
} ink_convolve_kernels;

extern const ink_convolve_kernels ink_convolve_portable;
#if defined(__x86_64__)
extern const ink_convolve_kernels ink_convolve_avx2, ink_convolve_avx512, ink_convolve_avx512_bf16;
#endif

#endif
