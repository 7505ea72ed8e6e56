// What text watermarks do to the weights of a whole vocabulary, one table per instruction set. All
// tables give the same bytes.
#ifndef INK_MARK_WATERMARK_CPU_DRAW_H
#define INK_MARK_WATERMARK_CPU_DRAW_H

#include <stddef.h>
#include <stdint.h>

// Sums of one round over strands: token t belongs to strand t % INK_DRAW_STRANDS. Joined by
// ink_draw_join in a fixed order.
enum { INK_DRAW_STRANDS = 16 };

// Two layers of a tournament: a bit of each for 64 tokens a word, those of the first and second
// layer, and what a weight is multiplied with where the bit is 0 or 1.
typedef struct ink_draw_layers {
  const uint64_t *first, *second;
  float first_factor[2], second_factor[2];
} ink_draw_layers;

typedef struct ink_draw_sums {
  double first[INK_DRAW_STRANDS];   // of the weights whose bit of the first layer is set
  double second[INK_DRAW_STRANDS];  // of the second
  double both[INK_DRAW_STRANDS];
} ink_draw_sums;

typedef struct ink_draw_kernels {
  // Places of weights above 0 in rising order, at most `most` of them; their number, or most + 1
  // where there are more.
  size_t (*present)(const float *weights, size_t n, size_t most, int32_t *places);
  // Add up n weights in strands.
  void (*sum)(const float *weights, size_t n, double strands[INK_DRAW_STRANDS]);
  // Multiply n weights by the factors of two layers, and add up what came out by the bits of the
  // next two (their factors are not looked at): one pass over memory.
  void (*two_layers)(const ink_draw_layers *now, const ink_draw_layers *next, float *weights,
                     size_t n, ink_draw_sums *sums);
  // The first place from `from` on whose weight may win an exponential race (gumbel.h) against an
  // arrival of `best`; n if none may. Who certainly loses is passed over, and nobody else for sure.
  size_t (*contender)(uint64_t hash, double best, const float *weights, size_t from, size_t n);
} ink_draw_kernels;

extern const ink_draw_kernels ink_draw_portable;
#if defined(__x86_64__)
extern const ink_draw_kernels ink_draw_avx2, ink_draw_avx512;
#endif

// The table of the instruction set in use (tensor/isa.h).
const ink_draw_kernels *ink_draw_kernels_here(void);

static inline double ink_draw_join(const double strands[INK_DRAW_STRANDS]) {
  double sum[INK_DRAW_STRANDS / 2];
  for (int i = 0; i < INK_DRAW_STRANDS / 2; i++) sum[i] = strands[2 * i] + strands[2 * i + 1];
  for (int n = INK_DRAW_STRANDS / 4; n > 0; n /= 2) {
    for (int i = 0; i < n; i++) sum[i] = sum[2 * i] + sum[2 * i + 1];
  }
  return sum[0];
}

#endif
