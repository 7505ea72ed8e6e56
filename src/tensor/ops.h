// The operations: eager, over strided views, results in the context's arena. The same call trains:
// while a tape is open, each operation records how to run backward.
//
// Errors are sticky, as with stdio: the first failure (shapes that do not fit, no memory) is kept
// in the context, that call and every later one returns NULL, and NULL inputs are allowed. So a
// forward pass reads like its paper and is checked once, with ink_compute_status, at its end.
//
// Every operation gives the same bytes for any number of threads. Letters in the comments: B batch,
// T time (queries), S time (keys), H heads, D width of a head, N rows, C channels, V vocabulary;
// for pictures H and W are height and width.
//
// Where a comment says F32 or BF16, a BF16 operand is a constant to the tape, sums are kept in F32,
// and the result has the type of the first operand.
#ifndef INK_TENSOR_OPS_H
#define INK_TENSOR_OPS_H

#include "base/arena.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/status.h"
#include "tensor/tensor.h"

struct ink_tape;
struct ink_prepared;

// What dense products of F32 operands are computed in. BF16 rounds both operands and sums in F32;
// on a machine without bf16 instructions it falls back to F32.
typedef enum ink_precision { INK_PRECISION_F32, INK_PRECISION_BF16 } ink_precision;

// Where a computation happens. The caller owns arena, pool and tape.
typedef struct ink_compute {
  ink_arena *arena;       // results live here
  ink_pool *pool;         // NULL: this thread alone
  struct ink_tape *tape;  // NULL: nothing is recorded
  ink_precision precision;
  // Weights as the kernels want them, kept from call to call (tensor/prepared.h). NULL: dense
  // operations prepare theirs each time, which is right while weights change.
  struct ink_prepared *prepared;
  ink_error error;  // sticky
} ink_compute;

// INK_OK, or the first failure since the context was made; copies it to *error (may be NULL).
ink_status ink_compute_status(const ink_compute *compute, ink_error *error);
// Record a failure from outside (an operation of a higher room) the same way; returns NULL.
ink_tensor *ink_compute_fail(ink_compute *compute, ink_status status, const char *format, ...)
    INK_PRINTF(3, 4);

// ---- views: no elements move ------------------------------------------------------------------

// The same elements, in order, under another shape; one dimension may be -1. The input must be
// contiguous.
ink_tensor *ink_reshape(ink_compute *c, const ink_tensor *x, int rank, const int64_t *shape);
// Dimensions reordered: result dimension i is x's dimension order[i].
ink_tensor *ink_permute(ink_compute *c, const ink_tensor *x, const int *order);
// Elements [start, start + length) of one dimension.
ink_tensor *ink_slice(ink_compute *c, const ink_tensor *x, int dimension, int64_t start,
                      int64_t length);

// ---- movement ---------------------------------------------------------------------------------

// A contiguous copy as F32, F16 or BF16 (from any type, block types included, towards F32).
ink_tensor *ink_cast(ink_compute *c, const ink_tensor *x, ink_dtype dtype);
// Copy x over the elements of `into` (same shape, plain types); no gradient. For caches.
void ink_store(ink_compute *c, const ink_tensor *x, const ink_tensor *into);
// Join along one dimension.
ink_tensor *ink_concat(ink_compute *c, int dimension, int n, const ink_tensor *const *parts);
// Rows of a table (V, C), any dtype, by ids (I32, any shape): result ids' shape + (C), F32.
ink_tensor *ink_embedding(ink_compute *c, const ink_tensor *table, const ink_tensor *ids);

// ---- arithmetic (F32 or BF16) -------------------------------------------------------------------

// The second operand is broadcast over leading dimensions, or over inner ones: (B, 1, 1, C) against
// (B, H, W, C). It may be F32 or BF16 whatever the first is.
ink_tensor *ink_add(ink_compute *c, const ink_tensor *a, const ink_tensor *b);
// The sum into a place, as ink_conv2d_into has it; it may be a's own.
void ink_add_into(ink_compute *c, const ink_tensor *a, const ink_tensor *b, const ink_tensor *into);
ink_tensor *ink_mul(ink_compute *c, const ink_tensor *a, const ink_tensor *b);
ink_tensor *ink_scale(ink_compute *c, const ink_tensor *x, float factor);
ink_tensor *ink_silu(ink_compute *c, const ink_tensor *x);
// GELU (Hendrycks and Gimpel 2016): exact with erf, or by the tanh approximation.
ink_tensor *ink_gelu(ink_compute *c, const ink_tensor *x, bool tanh_approximation);
// x * sigmoid(1.702 x), the approximation that CLIP uses.
ink_tensor *ink_gelu_quick(ink_compute *c, const ink_tensor *x);
ink_tensor *ink_relu(ink_compute *c, const ink_tensor *x);
ink_tensor *ink_tanh(ink_compute *c, const ink_tensor *x);
// x (…, 2 n) = [up, gate] side by side: up * gelu(gate) with erf, (…, n) (GEGLU, Shazeer 2020, in
// the order of diffusers).
ink_tensor *ink_geglu(ink_compute *c, const ink_tensor *x);
// silu(gate) * up, one pass (SwiGLU, Shazeer 2020).
ink_tensor *ink_swiglu(ink_compute *c, const ink_tensor *gate, const ink_tensor *up);
// Inverted dropout; element i of the result depends on (random.seed, random.stream, i) alone.
// Outside training (no tape) or with rate 0 it returns x.
ink_tensor *ink_dropout(ink_compute *c, const ink_tensor *x, float rate, ink_random random);
// Sum of all elements (F32), as a tensor of rank 0; fixed reduction tree.
ink_tensor *ink_sum(ink_compute *c, const ink_tensor *x);

// ---- products ---------------------------------------------------------------------------------

// x (…, in), F32 or BF16, times weight (out, in) transposed, plus bias (out) or NULL: (…, out). The
// weight may be F32, F16, BF16 or a block type (constants then), or a strided F32 view such as a
// transposed Conv1D. Rows of the result do not depend on how many rows there are. With BF16 x the
// weight is rounded to BF16.
ink_tensor *ink_linear(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                       const ink_tensor *bias);
// a (…, N, K) times b (…, K, M); leading dimensions equal. F32.
ink_tensor *ink_matmul(ink_compute *c, const ink_tensor *a, const ink_tensor *b);

// ---- normalisation over the last dimension ------------------------------------------------------

// RMSNorm (Zhang and Sennrich 2019): x / sqrt(mean(x^2) + epsilon) * weight. weight (C).
ink_tensor *ink_rms_norm(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                         float epsilon);
// LayerNorm (Ba et al. 2016), biased variance. x F32 or BF16; weight (C), bias (C) or NULL.
ink_tensor *ink_layer_norm(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                           const ink_tensor *bias, float epsilon);
ink_tensor *ink_softmax(ink_compute *c, const ink_tensor *x);
ink_tensor *ink_log_softmax(ink_compute *c, const ink_tensor *x);

// ---- pictures: (B, H, W, C), F32 or BF16 --------------------------------------------------------

typedef struct ink_padding {
  int64_t top, left, bottom, right;  // zeros around the picture
} ink_padding;

// Convolution as in torch.nn.Conv2d: result pixel (y, x) is the sum over the kernel's taps and the
// channels of x[y * stride - top + tap_y][x * stride - left + tap_x] * weight, plus bias (out) or
// NULL. weight (out, C, kh, kw), contiguous, F32, F16 or BF16 (the latter two constants); rounded
// to BF16 with BF16 x. Result (B, H', W', out) with H' = (H + top + bottom - kh) / stride + 1.
ink_tensor *ink_conv2d(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                       const ink_tensor *bias, int64_t stride, ink_padding padding);
// The same into a place: contiguous memory of the result's type and shape that nobody reads
// meanwhile. Gives back what it took besides. No gradient: UNSUPPORTED while a tape is open.
void ink_conv2d_into(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                     const ink_tensor *bias, int64_t stride, ink_padding padding,
                     const ink_tensor *into);
// relu(conv2d(…) + also), `also` of the result's type and shape or NULL. Where no tape is open it
// is one pass, and with BF16 x rounded once.
ink_tensor *ink_conv2d_relu(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                            const ink_tensor *bias, int64_t stride, ink_padding padding,
                            const ink_tensor *also);
// The same into a place, which may be `also`'s own.
void ink_conv2d_relu_into(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                          const ink_tensor *bias, int64_t stride, ink_padding padding,
                          const ink_tensor *also, const ink_tensor *into);
// Rows [first, first + rows) of conv2d(upsample_nearest(x, 2)) with a 3 x 3 kernel and padding 1,
// in four ninths of the multiplications: taps that meet the same pixel of x are added first, and
// rounded to BF16, where they are, behind the sum. Rows of x that are not given count as zeros, so
// a band of a picture brings the row above and the row below it. Result (B, rows, 2 W, out). No
// gradient: UNSUPPORTED while a tape is open.
ink_tensor *ink_conv2d_enlarged(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                                const ink_tensor *bias, int64_t first, int64_t rows);
// The same into a place, as many rows as it has.
void ink_conv2d_enlarged_into(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                              const ink_tensor *bias, int64_t first, const ink_tensor *into);
// GroupNorm (Wu and He 2018) over height, width and the channels of each of `groups` groups, biased
// variance. x (B, …, C); weight (C), bias (C), F32.
ink_tensor *ink_group_norm(ink_compute *c, const ink_tensor *x, int64_t groups,
                           const ink_tensor *weight, const ink_tensor *bias, float epsilon);
// silu(group_norm(x)) in one pass.
ink_tensor *ink_group_norm_silu(ink_compute *c, const ink_tensor *x, int64_t groups,
                                const ink_tensor *weight, const ink_tensor *bias, float epsilon);
// GroupNorm in two steps, for pictures that are normed a part at a time: what the whole picture's
// statistics make of each channel, F32 (B, 2, C), factors and then terms; and x * factor + term,
// with SiLU behind it where asked for. Together they give the bytes of the operations above. No
// gradient: UNSUPPORTED while a tape is open.
ink_tensor *ink_group_statistics(ink_compute *c, const ink_tensor *x, int64_t groups,
                                 const ink_tensor *weight, const ink_tensor *bias, float epsilon);
ink_tensor *ink_scale_channels(ink_compute *c, const ink_tensor *x, const ink_tensor *statistics,
                               bool silu);
void ink_scale_channels_into(ink_compute *c, const ink_tensor *x, const ink_tensor *statistics,
                             bool silu, const ink_tensor *into);
// Every pixel becomes a square of factor x factor pixels.
ink_tensor *ink_upsample_nearest(ink_compute *c, const ink_tensor *x, int64_t factor);
// Every square of factor x factor pixels becomes its mean; height and width are multiples.
ink_tensor *ink_average_pool(ink_compute *c, const ink_tensor *x, int64_t factor);

// ---- attention --------------------------------------------------------------------------------

typedef enum ink_rope_style {
  INK_ROPE_HALVES,  // pairs (i, i + n/2): Hugging Face layout, GGUF "neox"
  INK_ROPE_PAIRS    // pairs (2i, 2i + 1): Su et al. 2021, GGUF llama
} ink_rope_style;

// Rotary positions (Su et al. 2021) on x (B, T, H, D). positions I32 (B, T) or (T); frequencies F32
// (n/2) radians per position, n <= D: the first n of D elements turn, the rest pass.
ink_tensor *ink_rope(ink_compute *c, const ink_tensor *x, const ink_tensor *positions,
                     const ink_tensor *frequencies, ink_rope_style style);

typedef struct ink_attention_mask {
  bool causal;
  // Position of query 0 among the keys: with a cache that holds n tokens, n. Query t sees keys up
  // to query_offset + t.
  int64_t query_offset;
  // I32 (B, T): the first key each query may see, for packed documents; NULL: key 0.
  const ink_tensor *first_key;
} ink_attention_mask;

// softmax(scale * q k^T, masked) v with online softmax (Dao et al. 2022), fixed key chunks.
// q (B, T, H, D); k, v (B, S, G, D) with H a multiple of G (grouped queries), F32, or F16/BF16 for
// a cache (constants then); last dimension contiguous. Result (B, T, H, D), contiguous. With BF16
// q, k and v are BF16 and nothing is masked: probabilities are rounded to BF16.
ink_tensor *ink_attention(ink_compute *c, const ink_tensor *q, const ink_tensor *k,
                          const ink_tensor *v, float scale, ink_attention_mask mask);

// ---- losses -----------------------------------------------------------------------------------

// Sum over rows of weights[n] * -log softmax(x[n] · weight^T)[targets[n]], a tensor of rank 0; the
// logits (N, V) are never materialised whole. x (N, C), weight (V, C) F32, targets I32 (N), weights
// F32 (N) or NULL for ones; a target of -1 counts nothing. row_nll (N floats) receives the
// unweighted losses when not NULL.
ink_tensor *ink_linear_cross_entropy(ink_compute *c, const ink_tensor *x, const ink_tensor *weight,
                                     const ink_tensor *targets, const ink_tensor *weights,
                                     float *row_nll);
// Sum of (x - target)^2 over all elements, each item of the leading dimension B times its weight: a
// tensor of rank 0. x and target F32 of one shape; weights F32 (B), a constant, or NULL for ones.
ink_tensor *ink_squared_error(ink_compute *c, const ink_tensor *x, const ink_tensor *target,
                              const ink_tensor *weights);
// As above with Huber's loss (Huber 1964) of d = x - target: d^2 / 2 where |d| <= delta, else
// delta * (|d| - delta / 2). Divided by delta it is the smooth L1 loss; as delta falls, L1.
ink_tensor *ink_huber(ink_compute *c, const ink_tensor *x, const ink_tensor *target,
                      const ink_tensor *weights, float delta);

#endif
