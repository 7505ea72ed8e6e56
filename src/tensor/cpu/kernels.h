// The kernels of the operations on contiguous F32 rows, one table per instruction set. The meaning
// is that of the portable table; the others differ by rounding alone.
#ifndef INK_TENSOR_CPU_KERNELS_H
#define INK_TENSOR_CPU_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

enum { INK_TILE_ROWS = 64, INK_TILE_KEYS = 64 };

// A tile of at most 64 query rows that walks over chunks of at most 64 keys (FlashAttention, Dao et
// al. 2022). Rows are any mix of queries and heads that share keys and values.
typedef struct ink_attention_tile {
  int rows, width;
  const float *q;  // (rows, width), scaled
  int64_t *first;  // first and last key of each row
  int64_t *last;
  int64_t low, high;  // all of them see keys of [low, high) alone
  float *greatest;    // running maximum of each row, -infinity at first
  float *sum;         // running sum of exponentials, 0 at first
  float *o;           // (rows, width), not yet divided by the sum
  // backward
  const float *lse;    // log of the sum of exponentials of each row
  const float *delta;  // sum of o * do of each row
  const float *d_o;    // (rows, width)
  float *d_q;          // (rows, width), gathers, for the scaled q
  // scratch
  float *turned;  // (width, 64)
  float *s, *ds;  // (64, 64)
} ink_attention_tile;

typedef struct ink_kernels {
  // y = a + b, a * b, factor * x; the _to kinds add to y.
  void (*add)(const float *a, const float *b, float *y, int64_t n);
  void (*add_to)(const float *x, float *y, int64_t n);
  void (*mul)(const float *a, const float *b, float *y, int64_t n);
  void (*mul_to)(const float *a, const float *b, float *y, int64_t n);
  void (*scale)(float factor, const float *x, float *y, int64_t n);
  void (*scale_to)(float factor, const float *x, float *y, int64_t n);

  // Backward ones take x and dy and give dx, adding to it when told.
  void (*silu)(const float *x, float *y, int64_t n);
  void (*silu_back)(const float *x, const float *dy, float *dx, bool add, int64_t n);
  void (*gelu_tanh)(const float *x, float *y, int64_t n);
  void (*gelu_tanh_back)(const float *x, const float *dy, float *dx, bool add, int64_t n);
  void (*gelu_erf)(const float *x, float *y, int64_t n);
  void (*gelu_erf_back)(const float *x, const float *dy, float *dx, bool add, int64_t n);
  void (*gelu_quick)(const float *x, float *y, int64_t n);
  void (*gelu_quick_back)(const float *x, const float *dy, float *dx, bool add, int64_t n);
  void (*relu)(const float *x, float *y, int64_t n);
  void (*relu_back)(const float *x, const float *dy, float *dx, bool add, int64_t n);
  void (*tanh)(const float *x, float *y, int64_t n);
  void (*tanh_back)(const float *x, const float *dy, float *dx, bool add, int64_t n);
  // up * gelu_erf(gate); d_up and d_gate are written, or added to when told.
  void (*geglu)(const float *up, const float *gate, float *y, int64_t n);
  void (*geglu_bf16)(const uint16_t *up, const uint16_t *gate, uint16_t *y, int64_t n);
  void (*geglu_back)(const float *up, const float *gate, const float *dy, float *d_up,
                     float *d_gate, bool add, int64_t n);
  void (*swiglu)(const float *gate, const float *up, float *y, int64_t n);
  // d_gate or d_up may be NULL.
  void (*swiglu_back)(const float *gate, const float *up, const float *dy, float *d_gate,
                      bool add_gate, float *d_up, bool add_up, int64_t n);
  // y = x * factor where the Philox word `first + i` of (seed, stream) is at least threshold.
  void (*dropout)(uint64_t seed, uint64_t stream, uint64_t first, uint32_t threshold, float factor,
                  const float *x, float *y, bool add, int64_t n);

  // Sum of Huber's loss of d = x - y: d^2 / 2, going on as a straight line beyond |d| = delta.
  // Back: dx (+)= factor * d, held within delta.
  float (*huber)(float delta, const float *x, const float *y, int64_t n);
  void (*huber_back)(float delta, float factor, const float *x, const float *y, float *dx, bool add,
                     int64_t n);

  float (*sum)(const float *x, int64_t n);
  float (*dot)(const float *x, const float *y, int64_t n);
  float (*maximum)(const float *x, int64_t n);

  // Over `rows` rows of `width`. inverse (rows) keeps 1 / root mean square or 1 / deviation.
  void (*rms_norm)(int64_t rows, int64_t width, const float *x, const float *weight, float epsilon,
                   float *y, float *inverse);
  // d_weight (width) gathers and may be NULL, as may dx.
  void (*rms_norm_back)(int64_t rows, int64_t width, const float *x, const float *weight,
                        const float *inverse, const float *dy, float *dx, bool add,
                        float *d_weight);
  void (*layer_norm)(int64_t rows, int64_t width, const float *x, const float *weight,
                     const float *bias, float epsilon, float *y, float *mean, float *inverse);
  void (*layer_norm_bf16)(int64_t rows, int64_t width, const uint16_t *x, const float *weight,
                          const float *bias, float epsilon, uint16_t *y);
  void (*layer_norm_back)(int64_t rows, int64_t width, const float *x, const float *weight,
                          const float *mean, const float *inverse, const float *dy, float *dx,
                          bool add, float *d_weight, float *d_bias);
  // Over pixels of `channels` elements, F32 or BF16: for each channel the sums of x - pivot and of
  // its square.
  void (*channel_sums)(bool bf16, int64_t pixels, int64_t channels, const void *pivot,
                       const void *x, float *sums, float *squares);
  // y = x * factor + term, channel by channel, with SiLU behind it when told.
  void (*scale_channels)(bool bf16, bool silu, int64_t pixels, int64_t channels, const void *x,
                         const float *factor, const float *term, void *y);
  // Backward, F32: channel by channel the sums of g and of x * g, where g is dy or, with `to`, dy
  // through the slope of SiLU at x * factor + term, which is kept there.
  void (*channel_products)(int64_t pixels, int64_t channels, const float *x, const float *dy,
                           const float *factor, const float *term, float *to, float *sums,
                           float *products);
  // y (+)= a * a_factor + b * b_factor + term, channel by channel.
  void (*blend_channels)(int64_t pixels, int64_t channels, const float *a, const float *a_factor,
                         const float *b, const float *b_factor, const float *term, float *y,
                         bool add);
  void (*softmax)(int64_t rows, int64_t width, const float *x, float *y);
  void (*softmax_back)(int64_t rows, int64_t width, const float *y, const float *dy, float *dx,
                       bool add);
  void (*log_softmax)(int64_t rows, int64_t width, const float *x, float *y);
  void (*log_softmax_back)(int64_t rows, int64_t width, const float *y, const float *dy, float *dx,
                           bool add);
  // -log softmax(x)[target]; x becomes factor * (softmax(x) - one_hot(target)) when `gradient`.
  float (*cross_entropy)(int64_t width, float *x, int64_t target, float factor, bool gradient);

  // Turn the pairs of `heads` rows by angles given as cosines and sines (half of them); elements
  // after 2 * half pass. `halves` picks pairs (i, i + half), else (2i, 2i + 1).
  void (*rope)(int64_t heads, int64_t width, int64_t half, const float *cosine, const float *sine,
               bool halves, const float *x, float *y, bool add);

  // c (m, n) (+)= a (m, k) b (k, n): small blocks in cache. Element (i, p) of a stands at
  // a[i * a_row + p * a_column]; rows of b and c are contiguous. Sums run in the order of k.
  void (*block_product)(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row,
                        int64_t a_column, const float *b, int64_t b_row, float *c, int64_t c_row,
                        bool add);
  // n keys, the first at position `position`; their rows are k_stride and v_stride elements apart.
  void (*attend)(ink_attention_tile *tile, int64_t position, int64_t n, const float *k,
                 int64_t k_stride, const float *v, int64_t v_stride);
  // d_k and d_v gather and may be NULL, as may tile->d_q.
  void (*attend_back)(ink_attention_tile *tile, int64_t position, int64_t n, const float *k,
                      int64_t k_stride, const float *v, int64_t v_stride, float *d_k,
                      int64_t d_k_stride, float *d_v, int64_t d_v_stride);
} ink_kernels;

extern const ink_kernels ink_kernels_portable;
#if defined(__x86_64__)
extern const ink_kernels ink_kernels_avx2;
extern const ink_kernels ink_kernels_avx512;
#endif

// The table of the instruction set in use (tensor/isa.h).
const ink_kernels *ink_kernels_here(void);

#endif
