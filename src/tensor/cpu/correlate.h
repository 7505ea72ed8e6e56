// The kernels of a convolution's weight gradient, which is the correlation of a picture with the
// gradient of the result: one table per instruction set and kind of element. Control stays in
// tensor/correlate.c.
//
// Both sides are staged as panels: some channels of every pixel of a block, one word each. In F32 a
// word is one element; in BF16 it is the same channel of the same pixel in two neighbouring
// pictures, so that every tap meets whole words. One side's words are broadcast, the other's loaded
// as vectors; a tap is an offset into the picture.
//
// Each element of a block's result is one chain of sums over pictures, lines and pixels in order,
// and blocks are added in order.
#ifndef INK_TENSOR_CPU_CORRELATE_H
#define INK_TENSOR_CPU_CORRELATE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ink_correlate_tile {
  int rows;              // words that are broadcast
  int64_t images;        // words of pictures,
  int64_t lines, steps;  // of so many lines of pixels
  const char *a, *b;     // panels: broadcast, loaded
  // Bytes from picture to picture, from line to line, and from pixel to pixel.
  int64_t a_image, a_line, a_step;
  int64_t b_image, b_line, b_step;
  float *sums;  // (rows, columns), added to
} ink_correlate_tile;

typedef struct ink_correlate_kernels {
  int rows, columns;  // of the register tile
  int elements;       // pictures of a word: 1 in F32, 2 in BF16
  // `channels` elements of `pixels` pixels `stride` elements apart, of one picture or of two
  // (`second`, NULL for zeros), as words in panels of `width`; pixels of a panel follow each other,
  // panels are panel_bytes apart. What is missing in the last panel is zero. Less than a vector may
  // be written behind a panel's last pixel. `sums` (channels) gathers the elements, NULL: does not.
  void (*stage)(const float *first, const float *second, int64_t pixels, int64_t stride,
                int64_t channels, int64_t width, int64_t panel_bytes, char *to, float *sums);
  void (*multiply)(const ink_correlate_tile *tile);
} ink_correlate_kernels;

extern const ink_correlate_kernels ink_correlate_portable;
#if defined(__x86_64__)
extern const ink_correlate_kernels ink_correlate_avx2, ink_correlate_avx512,
    ink_correlate_avx512_bf16;
#endif

#endif
