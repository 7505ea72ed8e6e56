// The subjects of test_operations.c: each operation as we call it beside its meaning in doubles.
#include "twins.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t count(const subject *s, int i) {
  int64_t n = 1;
  for (int d = 0; d < s->input[i].rank; d++) n *= s->input[i].shape[d];
  return n;
}

static int64_t width(const subject *s, int i) {
  return s->input[i].shape[s->input[i].rank - 1];
}

// ---- arithmetic --------------------------------------------------------------------------------

static ink_tensor *run_add(ink_compute *c, ink_tensor *const *in) {
  return ink_add(c, in[0], in[1]);
}
static void twin_add(const subject *s, double *const *in, double *out) {
  for (int64_t i = 0; i < count(s, 0); i++) out[i] = in[0][i] + in[1][i % count(s, 1)];
}

static ink_tensor *run_mul(ink_compute *c, ink_tensor *const *in) {
  return ink_mul(c, in[0], in[1]);
}
static void twin_mul(const subject *s, double *const *in, double *out) {
  for (int64_t i = 0; i < count(s, 0); i++) out[i] = in[0][i] * in[1][i % count(s, 1)];
}

// One operand on both sides: its gradient gathers twice.
static ink_tensor *run_square(ink_compute *c, ink_tensor *const *in) {
  return ink_mul(c, in[0], in[0]);
}
static void twin_square(const subject *s, double *const *in, double *out) {
  for (int64_t i = 0; i < count(s, 0); i++) out[i] = in[0][i] * in[0][i];
}

static ink_tensor *run_scale(ink_compute *c, ink_tensor *const *in) {
  return ink_scale(c, in[0], -1.75f);
}
static void twin_scale(const subject *s, double *const *in, double *out) {
  for (int64_t i = 0; i < count(s, 0); i++) out[i] = -1.75 * in[0][i];
}

static double sigmoid(double x) {
  return 1.0 / (1.0 + exp(-x));
}

static ink_tensor *run_silu(ink_compute *c, ink_tensor *const *in) {
  return ink_silu(c, in[0]);
}
static void twin_silu(const subject *s, double *const *in, double *out) {
  for (int64_t i = 0; i < count(s, 0); i++) out[i] = in[0][i] * sigmoid(in[0][i]);
}

static ink_tensor *run_gelu_erf(ink_compute *c, ink_tensor *const *in) {
  return ink_gelu(c, in[0], false);
}
static void twin_gelu_erf(const subject *s, double *const *in, double *out) {
  for (int64_t i = 0; i < count(s, 0); i++) {
    out[i] = 0.5 * in[0][i] * (1.0 + erf(in[0][i] / sqrt(2.0)));
  }
}

static ink_tensor *run_gelu_tanh(ink_compute *c, ink_tensor *const *in) {
  return ink_gelu(c, in[0], true);
}
static void twin_gelu_tanh(const subject *s, double *const *in, double *out) {
  for (int64_t i = 0; i < count(s, 0); i++) {
    double x = in[0][i];
    out[i] = 0.5 * x * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
  }
}

static ink_tensor *run_swiglu(ink_compute *c, ink_tensor *const *in) {
  return ink_swiglu(c, in[0], in[1]);
}
static void twin_swiglu(const subject *s, double *const *in, double *out) {
  for (int64_t i = 0; i < count(s, 0); i++) out[i] = in[0][i] * sigmoid(in[0][i]) * in[1][i];
}

static ink_tensor *run_dropout(ink_compute *c, ink_tensor *const *in) {
  return ink_dropout(c, in[0], 0.3f, ink_random_at(42, 7, 5));
}
static void twin_dropout(const subject *s, double *const *in, double *out) {
  ink_random random = ink_random_at(42, 7, 5);
  for (int64_t i = 0; i < count(s, 0); i++) {
    bool kept = (double)ink_random_u32(&random) >= floor((double)0.3f * 4294967296.0);
    out[i] = kept ? in[0][i] / (1.0 - (double)0.3f) : 0.0;
  }
}

static ink_tensor *run_sum(ink_compute *c, ink_tensor *const *in) {
  return ink_sum(c, in[0]);
}
static void twin_sum(const subject *s, double *const *in, double *out) {
  *out = 0.0;
  for (int64_t i = 0; i < count(s, 0); i++) *out += in[0][i];
}

static ink_tensor *run_relu(ink_compute *c, ink_tensor *const *in) {
  return ink_relu(c, in[0]);
}
static void twin_relu(const subject *s, double *const *in, double *out) {
  for (int64_t i = 0; i < count(s, 0); i++) out[i] = in[0][i] > 0.0 ? in[0][i] : 0.0;
}

static ink_tensor *run_tanh(ink_compute *c, ink_tensor *const *in) {
  return ink_tanh(c, in[0]);
}
static void twin_tanh(const subject *s, double *const *in, double *out) {
  for (int64_t i = 0; i < count(s, 0); i++) out[i] = tanh(in[0][i]);
}

static ink_tensor *run_gelu_quick(ink_compute *c, ink_tensor *const *in) {
  return ink_gelu_quick(c, in[0]);
}
static void twin_gelu_quick(const subject *s, double *const *in, double *out) {
  for (int64_t i = 0; i < count(s, 0); i++) out[i] = in[0][i] * sigmoid(1.702 * in[0][i]);
}

static ink_tensor *run_geglu(ink_compute *c, ink_tensor *const *in) {
  return ink_geglu(c, in[0]);
}
static void twin_geglu(const subject *s, double *const *in, double *out) {
  int64_t w = width(s, 0) / 2;
  for (int64_t i = 0; i < count(s, 0) / 2; i++) {
    double up = in[0][i / w * 2 * w + i % w], gate = in[0][i / w * 2 * w + w + i % w];
    out[i] = up * 0.5 * gate * (1.0 + erf(gate / sqrt(2.0)));
  }
}

// (B, H, W, C) and (B, 1, 1, C).
static double of_picture(const subject *s, double *const *in, int64_t i) {
  int64_t w = width(s, 0), picture = count(s, 0) / s->input[0].shape[0];
  return in[1][i / picture * w + i % w];
}
static void twin_add_picture(const subject *s, double *const *in, double *out) {
  for (int64_t i = 0; i < count(s, 0); i++) out[i] = in[0][i] + of_picture(s, in, i);
}
static void twin_mul_picture(const subject *s, double *const *in, double *out) {
  for (int64_t i = 0; i < count(s, 0); i++) out[i] = in[0][i] * of_picture(s, in, i);
}

// ---- pictures ----------------------------------------------------------------------------------

static void twin_convolution(const subject *s, double *const *in, double *out, int64_t stride,
                             ink_padding padding) {
  const int64_t *x = s->input[0].shape, *w = s->input[1].shape;
  int64_t height = (x[1] + padding.top + padding.bottom - w[2]) / stride + 1;
  int64_t columns = (x[2] + padding.left + padding.right - w[3]) / stride + 1;
  for (int64_t i = 0; i < x[0] * height * columns * w[0]; i++) {
    int64_t o = i % w[0], column = i / w[0] % columns, row = i / w[0] / columns % height;
    int64_t b = i / w[0] / columns / height;
    double sum = s->n_inputs > 2 ? in[2][o] : 0.0;
    for (int64_t t = 0; t < w[2] * w[3]; t++) {
      int64_t yy = row * stride - padding.top + t / w[3];
      int64_t xx = column * stride - padding.left + t % w[3];
      if (yy < 0 || yy >= x[1] || xx < 0 || xx >= x[2]) continue;
      for (int64_t c = 0; c < w[1]; c++) {
        sum += in[0][((b * x[1] + yy) * x[2] + xx) * w[1] + c] *
               in[1][(o * w[1] + c) * w[2] * w[3] + t];
      }
    }
    out[i] = sum;
  }
}

#define CONVOLUTION(name, stride, ...)                                           \
  static ink_tensor *run_##name(ink_compute *c, ink_tensor *const *in) {         \
    return ink_conv2d(c, in[0], in[1], in[2], stride, (ink_padding)__VA_ARGS__); \
  }                                                                              \
  static void twin_##name(const subject *s, double *const *in, double *out) {    \
    twin_convolution(s, in, out, stride, (ink_padding)__VA_ARGS__);              \
  }
CONVOLUTION(conv_same, 1, {1, 1, 1, 1})
CONVOLUTION(conv_point, 1, {0, 0, 0, 0})
CONVOLUTION(conv_down, 2, {0, 0, 1, 1})
CONVOLUTION(conv_down_even, 2, {1, 1, 1, 1})
CONVOLUTION(conv_odd, 3, {2, 0, 1, 4})

static ink_tensor *run_conv_bare(ink_compute *c, ink_tensor *const *in) {
  return ink_conv2d(c, in[0], in[1], NULL, 1, (ink_padding){1, 1, 1, 1});
}
static void twin_conv_bare(const subject *s, double *const *in, double *out) {
  twin_convolution(s, in, out, 1, (ink_padding){1, 1, 1, 1});
}

enum { GROUPS = 4 };

static void twin_groups(const subject *s, double *const *in, double *out, bool silu) {
  int64_t c = width(s, 0), batch = s->input[0].shape[0], pixels = count(s, 0) / batch / c;
  int64_t w = c / GROUPS;
  for (int64_t i = 0; i < batch * GROUPS; i++) {
    int64_t first = i / GROUPS * pixels * c + i % GROUPS * w;
    double mean = 0.0, variance = 0.0, n = (double)(pixels * w);
    for (int64_t e = 0; e < pixels * w; e++) mean += in[0][first + e / w * c + e % w] / n;
    for (int64_t e = 0; e < pixels * w; e++) {
      variance += pow(in[0][first + e / w * c + e % w] - mean, 2.0) / n;
    }
    for (int64_t e = 0; e < pixels * w; e++) {
      int64_t at = first + e / w * c + e % w, channel = i % GROUPS * w + e % w;
      double y = (in[0][at] - mean) / sqrt(variance + (double)1e-3f) * in[1][channel];
      y += in[2][channel];
      out[at] = silu ? y * sigmoid(y) : y;
    }
  }
}
static ink_tensor *run_group_norm(ink_compute *c, ink_tensor *const *in) {
  return ink_group_norm(c, in[0], GROUPS, in[1], in[2], 1e-3f);
}
static void twin_group_norm(const subject *s, double *const *in, double *out) {
  twin_groups(s, in, out, false);
}
static ink_tensor *run_group_norm_silu(ink_compute *c, ink_tensor *const *in) {
  return ink_group_norm_silu(c, in[0], GROUPS, in[1], in[2], 1e-3f);
}
static void twin_group_norm_silu(const subject *s, double *const *in, double *out) {
  twin_groups(s, in, out, true);
}

enum { FACTOR = 2 };

static ink_tensor *run_upsample(ink_compute *c, ink_tensor *const *in) {
  return ink_upsample_nearest(c, in[0], FACTOR);
}
static void twin_upsample(const subject *s, double *const *in, double *out) {
  const int64_t *x = s->input[0].shape;
  int64_t w = FACTOR * x[2], h = FACTOR * x[1];
  for (int64_t i = 0; i < FACTOR * FACTOR * count(s, 0); i++) {
    int64_t pixel = i / x[3], b = pixel / w / h;
    int64_t row = pixel / w % h / FACTOR, column = pixel % w / FACTOR;
    out[i] = in[0][((b * x[1] + row) * x[2] + column) * x[3] + i % x[3]];
  }
}
static ink_tensor *run_average_pool(ink_compute *c, ink_tensor *const *in) {
  return ink_average_pool(c, in[0], FACTOR);
}
static void twin_average_pool(const subject *s, double *const *in, double *out) {
  const int64_t *x = s->input[0].shape;
  int64_t w = x[2] / FACTOR, h = x[1] / FACTOR;
  for (int64_t i = 0; i < count(s, 0) / (FACTOR * FACTOR); i++) {
    int64_t pixel = i / x[3], b = pixel / w / h;
    int64_t row = pixel / w % h * FACTOR, column = pixel % w * FACTOR;
    out[i] = 0.0;
    for (int64_t t = 0; t < FACTOR * FACTOR; t++) {
      int64_t at = (b * x[1] + row + t / FACTOR) * x[2] + column + t % FACTOR;
      out[i] += in[0][at * x[3] + i % x[3]] / (FACTOR * FACTOR);
    }
  }
}

// ---- movement ----------------------------------------------------------------------------------

static ink_tensor *run_cast(ink_compute *c, ink_tensor *const *in) {
  return ink_cast(c, in[0], INK_F32);
}
static void twin_copy(const subject *s, double *const *in, double *out) {
  memcpy(out, in[0], (size_t)count(s, 0) * sizeof *out);
}

// (a, b, c) and (a, d, c) joined along dimension 1.
static ink_tensor *run_concat(ink_compute *c, ink_tensor *const *in) {
  return ink_concat(c, 1, 2, (const ink_tensor *const[]){in[0], in[1]});
}
static void twin_concat(const subject *s, double *const *in, double *out) {
  int64_t outer = s->input[0].shape[0], first = count(s, 0) / outer, second = count(s, 1) / outer;
  for (int64_t i = 0; i < outer; i++) {
    memcpy(out, in[0] + i * first, (size_t)first * sizeof *out);
    memcpy(out + first, in[1] + i * second, (size_t)second * sizeof *out);
    out += first + second;
  }
}

static const int32_t ids[6] = {4, 0, 4, 11, 4, 2};

static ink_tensor *run_embedding(ink_compute *c, ink_tensor *const *in) {
  ink_tensor t = ink_tensor_view(INK_I32, (void *)(uintptr_t)ids, 2, (int64_t[]){2, 3});
  return ink_embedding(c, in[0], &t);
}
static void twin_embedding(const subject *s, double *const *in, double *out) {
  int64_t w = width(s, 0);
  for (int i = 0; i < 6; i++) memcpy(out + i * w, in[0] + ids[i] * w, (size_t)w * sizeof *out);
}

// ---- products ----------------------------------------------------------------------------------

static ink_tensor *run_linear(ink_compute *c, ink_tensor *const *in) {
  return ink_linear(c, in[0], in[1], in[2]);
}
static ink_tensor *run_linear_bare(ink_compute *c, ink_tensor *const *in) {
  return ink_linear(c, in[0], in[1], NULL);
}
static void twin_linear(const subject *s, double *const *in, double *out) {
  int64_t k = width(s, 0), rows = count(s, 0) / k, m = s->input[1].shape[0];
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < m; j++) {
      double sum = s->n_inputs > 2 ? in[2][j] : 0.0;
      for (int64_t p = 0; p < k; p++) sum += in[0][i * k + p] * in[1][j * k + p];
      out[i * m + j] = sum;
    }
  }
}

static ink_tensor *run_matmul(ink_compute *c, ink_tensor *const *in) {
  return ink_matmul(c, in[0], in[1]);
}
static void twin_matmul(const subject *s, double *const *in, double *out) {
  int64_t batch = s->input[0].shape[0], n = s->input[0].shape[1], k = s->input[0].shape[2];
  int64_t m = s->input[1].shape[2];
  for (int64_t b = 0; b < batch; b++) {
    for (int64_t i = 0; i < n; i++) {
      for (int64_t j = 0; j < m; j++) {
        double sum = 0.0;
        for (int64_t p = 0; p < k; p++) {
          sum += in[0][(b * n + i) * k + p] * in[1][(b * k + p) * m + j];
        }
        out[(b * n + i) * m + j] = sum;
      }
    }
  }
}

// ---- normalisation -----------------------------------------------------------------------------

static ink_tensor *run_rms_norm(ink_compute *c, ink_tensor *const *in) {
  return ink_rms_norm(c, in[0], in[1], 1e-3f);
}
static void twin_rms_norm(const subject *s, double *const *in, double *out) {
  int64_t w = width(s, 0);
  for (int64_t at = 0; at < count(s, 0); at += w) {
    double sum = 0.0;
    for (int64_t i = 0; i < w; i++) sum += in[0][at + i] * in[0][at + i];
    double root = sqrt(sum / (double)w + (double)1e-3f);
    for (int64_t i = 0; i < w; i++) out[at + i] = in[0][at + i] / root * in[1][i];
  }
}

static ink_tensor *run_layer_norm(ink_compute *c, ink_tensor *const *in) {
  return ink_layer_norm(c, in[0], in[1], in[2], 1e-3f);
}
static ink_tensor *run_layer_norm_bare(ink_compute *c, ink_tensor *const *in) {
  return ink_layer_norm(c, in[0], in[1], NULL, 1e-3f);
}
static void twin_layer_norm(const subject *s, double *const *in, double *out) {
  int64_t w = width(s, 0);
  for (int64_t at = 0; at < count(s, 0); at += w) {
    double mean = 0.0, variance = 0.0;
    for (int64_t i = 0; i < w; i++) mean += in[0][at + i] / (double)w;
    for (int64_t i = 0; i < w; i++) variance += pow(in[0][at + i] - mean, 2.0) / (double)w;
    for (int64_t i = 0; i < w; i++) {
      out[at + i] = (in[0][at + i] - mean) / sqrt(variance + (double)1e-3f) * in[1][i] +
                    (s->n_inputs > 2 ? in[2][i] : 0.0);
    }
  }
}

static double log_of_sum(const double *x, int64_t n) {
  double most = x[0], sum = 0.0;
  for (int64_t i = 1; i < n; i++) most = fmax(most, x[i]);
  for (int64_t i = 0; i < n; i++) sum += exp(x[i] - most);
  return most + log(sum);
}

static ink_tensor *run_softmax(ink_compute *c, ink_tensor *const *in) {
  return ink_softmax(c, in[0]);
}
static void twin_softmax(const subject *s, double *const *in, double *out) {
  int64_t w = width(s, 0);
  for (int64_t i = 0; i < count(s, 0); i++) {
    out[i] = exp(in[0][i] - log_of_sum(in[0] + i / w * w, w));
  }
}

static ink_tensor *run_log_softmax(ink_compute *c, ink_tensor *const *in) {
  return ink_log_softmax(c, in[0]);
}
static void twin_log_softmax(const subject *s, double *const *in, double *out) {
  int64_t w = width(s, 0);
  for (int64_t at = 0; at < count(s, 0); at += w) {
    double log_sum = log_of_sum(in[0] + at, w);
    for (int64_t i = 0; i < w; i++) out[at + i] = in[0][at + i] - log_sum;
  }
}

// ---- attention ---------------------------------------------------------------------------------

enum { ROPE_N = 3 };
static const float frequencies[ROPE_N] = {1.0f, 0.25f, 0.0625f};
static int32_t rope_position(int64_t b, int64_t t) {
  return (int32_t)(t % 5 + b);
}

static ink_tensor *run_rope_style(ink_compute *c, ink_tensor *x, ink_rope_style style) {
  int64_t batch = x->shape[0], time = x->shape[1];
  static int32_t position[512];
  ink_tensor positions = ink_tensor_view(INK_I32, position, 2, x->shape);
  for (int64_t i = 0; i < batch * time; i++) position[i] = rope_position(i / time, i % time);
  ink_tensor f = ink_tensor_view(INK_F32, (void *)(uintptr_t)frequencies, 1, (int64_t[]){ROPE_N});
  return ink_rope(c, x, &positions, &f, style);
}

static void twin_rope_style(const subject *s, const double *x, double *out, bool halves) {
  int64_t time = s->input[0].shape[1], heads = s->input[0].shape[2], w = width(s, 0);
  for (int64_t row = 0; row < count(s, 0) / w; row++, x += w, out += w) {
    memcpy(out, x, (size_t)w * sizeof *out);
    double position = rope_position(row / heads / time, row / heads % time);
    for (int i = 0; i < ROPE_N; i++) {
      int64_t a = halves ? i : 2 * i, b = halves ? i + ROPE_N : 2 * i + 1;
      double co = cos(position * (double)frequencies[i]);
      double si = sin(position * (double)frequencies[i]);
      out[a] = x[a] * co - x[b] * si;
      out[b] = x[b] * co + x[a] * si;
    }
  }
}

static ink_tensor *run_rope_halves(ink_compute *c, ink_tensor *const *in) {
  return run_rope_style(c, in[0], INK_ROPE_HALVES);
}
static void twin_rope_halves(const subject *s, double *const *in, double *out) {
  twin_rope_style(s, in[0], out, true);
}
static ink_tensor *run_rope_pairs(ink_compute *c, ink_tensor *const *in) {
  return run_rope_style(c, in[0], INK_ROPE_PAIRS);
}
static void twin_rope_pairs(const subject *s, double *const *in, double *out) {
  twin_rope_style(s, in[0], out, false);
}

// Scores over keys [first, last] of each query; grouped heads.
static void twin_attend(const subject *s, double *const *in, double *out, bool causal,
                        int64_t offset, int32_t (*first_key)(int64_t b, int64_t t)) {
  int64_t batch = s->input[0].shape[0], time = s->input[0].shape[1], heads = s->input[0].shape[2];
  int64_t w = width(s, 0), keys = s->input[1].shape[1], groups = s->input[1].shape[2];
  double *p = malloc((size_t)keys * sizeof *p);
  for (int64_t row = 0; row < batch * time * heads; row++) {
    int64_t h = row % heads, t = row / heads % time, b = row / heads / time;
    int64_t g = h / (heads / groups);
    int64_t first = first_key ? first_key(b, t) : 0;
    int64_t last = causal && offset + t < keys ? offset + t : keys - 1;
    for (int64_t d = 0; d < w; d++) out[row * w + d] = 0.0;
    if (first > last) continue;
    for (int64_t j = first; j <= last; j++) {
      p[j] = 0.0;
      for (int64_t d = 0; d < w; d++) {
        p[j] += 0.3 * in[0][row * w + d] * in[1][((b * keys + j) * groups + g) * w + d];
      }
    }
    double log_sum = log_of_sum(p + first, last - first + 1);
    for (int64_t j = first; j <= last; j++) {
      double weight = exp(p[j] - log_sum);
      for (int64_t d = 0; d < w; d++) {
        out[row * w + d] += weight * in[2][((b * keys + j) * groups + g) * w + d];
      }
    }
  }
  free(p);
}

static ink_tensor *run_attention_causal(ink_compute *c, ink_tensor *const *in) {
  return ink_attention(c, in[0], in[1], in[2], 0.3f, (ink_attention_mask){.causal = true});
}
static void twin_attention_causal(const subject *s, double *const *in, double *out) {
  twin_attend(s, in, out, true, 0, NULL);
}

static ink_tensor *run_attention_full(ink_compute *c, ink_tensor *const *in) {
  return ink_attention(c, in[0], in[1], in[2], 0.3f, (ink_attention_mask){.causal = false});
}
static void twin_attention_full(const subject *s, double *const *in, double *out) {
  twin_attend(s, in, out, false, 0, NULL);
}

// A few queries at the end of a long cache: keys in several spans.
enum { CACHED = 1100 };
static ink_tensor *run_attention_cached(ink_compute *c, ink_tensor *const *in) {
  return ink_attention(c, in[0], in[1], in[2], 0.3f,
                       (ink_attention_mask){.causal = true, .query_offset = CACHED});
}
static void twin_attention_cached(const subject *s, double *const *in, double *out) {
  twin_attend(s, in, out, true, CACHED, NULL);
}

// Packed documents: new ones begin at 0, 20 and 71 (20 and 90 in odd items). One query sees
// nothing.
static int32_t packed_first(int64_t b, int64_t t) {
  if (t == 13) return 14;
  int32_t second = b % 2 ? 90 : 71;
  return t >= second ? second : t >= 20 ? 20 : 0;
}
static int32_t long_first(int64_t b, int64_t t) {
  (void)b;
  return (int32_t)(t / 150 * 150);
}
static ink_tensor *run_attention_long(ink_compute *c, ink_tensor *const *in) {
  int64_t time = in[0]->shape[1];
  static int32_t first[1024];
  ink_tensor first_key = ink_tensor_view(INK_I32, first, 2, in[0]->shape);
  for (int64_t i = 0; i < time; i++) first[i] = long_first(0, i);
  return ink_attention(c, in[0], in[1], in[2], 0.3f,
                       (ink_attention_mask){.causal = true, .first_key = &first_key});
}
static void twin_attention_long(const subject *s, double *const *in, double *out) {
  twin_attend(s, in, out, true, 0, long_first);
}

static ink_tensor *run_attention_packed(ink_compute *c, ink_tensor *const *in) {
  int64_t batch = in[0]->shape[0], time = in[0]->shape[1];
  static int32_t first[512];
  ink_tensor first_key = ink_tensor_view(INK_I32, first, 2, in[0]->shape);
  for (int64_t i = 0; i < batch * time; i++) first[i] = packed_first(i / time, i % time);
  return ink_attention(c, in[0], in[1], in[2], 0.3f,
                       (ink_attention_mask){.causal = true, .first_key = &first_key});
}
static void twin_attention_packed(const subject *s, double *const *in, double *out) {
  twin_attend(s, in, out, true, 0, packed_first);
}

// ---- loss --------------------------------------------------------------------------------------

static int32_t target_of(int64_t row, int64_t vocabulary) {
  return row % 7 == 3 ? -1 : (int32_t)(row * 31 % vocabulary);
}
static float weight_of(int64_t row) {
  return row % 5 == 0 ? 0.0f : 0.25f * (float)(row % 5);
}

static ink_tensor *run_loss(ink_compute *c, ink_tensor *const *in) {
  int64_t n = in[0]->shape[0];
  static int32_t target[512];
  static float weight[512];
  for (int64_t i = 0; i < n; i++) {
    target[i] = target_of(i, in[1]->shape[0]);
    weight[i] = weight_of(i);
  }
  ink_tensor targets = ink_tensor_view(INK_I32, target, 1, &n);
  ink_tensor weights = ink_tensor_view(INK_F32, weight, 1, &n);
  return ink_linear_cross_entropy(c, in[0], in[1], &targets, &weights, NULL);
}
static void twin_loss(const subject *s, double *const *in, double *out) {
  int64_t n = s->input[0].shape[0], w = width(s, 0), vocabulary = s->input[1].shape[0];
  double *logits = malloc((size_t)vocabulary * sizeof *logits);
  *out = 0.0;
  for (int64_t i = 0; i < n; i++) {
    if (target_of(i, vocabulary) < 0) continue;
    for (int64_t v = 0; v < vocabulary; v++) {
      logits[v] = 0.0;
      for (int64_t d = 0; d < w; d++) logits[v] += in[0][i * w + d] * in[1][v * w + d];
    }
    double nll = log_of_sum(logits, vocabulary) - logits[target_of(i, vocabulary)];
    *out += (double)weight_of(i) * nll;
  }
  free(logits);
}

static ink_tensor *weights_of(const ink_tensor *x) {
  static float weight[512];
  static ink_tensor weights;
  for (int64_t i = 0; i < x->shape[0]; i++) weight[i] = weight_of(i);
  weights = ink_tensor_view(INK_F32, weight, 1, x->shape);
  return &weights;
}
static ink_tensor *run_squared_error(ink_compute *c, ink_tensor *const *in) {
  return ink_squared_error(c, in[0], in[1], weights_of(in[0]));
}
static ink_tensor *run_squared_error_bare(ink_compute *c, ink_tensor *const *in) {
  return ink_squared_error(c, in[0], in[1], NULL);
}
static ink_tensor *run_huber(ink_compute *c, ink_tensor *const *in) {
  return ink_huber(c, in[0], in[1], weights_of(in[0]), 0.7f);
}
static void twin_distance(const subject *s, double *const *in, double *out, bool huber,
                          bool weighted) {
  double delta = (double)0.7f;
  int64_t item = count(s, 0) / s->input[0].shape[0];
  *out = 0.0;
  for (int64_t i = 0; i < count(s, 0); i++) {
    double d = fabs(in[0][i] - in[1][i]), loss = d * d;
    if (huber) loss = d <= delta ? 0.5 * d * d : delta * (d - 0.5 * delta);
    *out += loss * (weighted ? (double)weight_of(i / item) : 1.0);
  }
}
static void twin_squared_error(const subject *s, double *const *in, double *out) {
  twin_distance(s, in, out, false, true);
}
static void twin_squared_error_bare(const subject *s, double *const *in, double *out) {
  twin_distance(s, in, out, false, false);
}
static void twin_huber(const subject *s, double *const *in, double *out) {
  twin_distance(s, in, out, true, true);
}

// Rows and widths are odd, larger than one range of work, and not multiples of any register.
const subject subjects[] = {
    {"add", 2, {{3, {3, 90, 101}, false}, {3, {3, 90, 101}, false}}, run_add, twin_add, 0, 2},
    {"add_broadcast", 2, {{3, {3, 90, 101}, false}, {1, {101}, false}}, run_add, twin_add, 0, 1},
    {"mul", 2, {{2, {270, 101}, false}, {2, {270, 101}, false}}, run_mul, twin_mul, 0, 1},
    {"mul_broadcast", 2, {{3, {30, 9, 101}, false}, {2, {9, 101}, false}}, run_mul, twin_mul, 0, 2},
    {"square", 1, {{2, {270, 101}, false}}, run_square, twin_square, 0, 0},
    {"scale", 1, {{2, {270, 101}, false}}, run_scale, twin_scale, 0, 1},
    {"silu", 1, {{2, {270, 101}, false}}, run_silu, twin_silu, 0, 1},
    {"gelu_erf", 1, {{2, {270, 101}, false}}, run_gelu_erf, twin_gelu_erf, 0, 1},
    {"gelu_tanh", 1, {{2, {270, 101}, false}}, run_gelu_tanh, twin_gelu_tanh, 0, 1},
    {"swiglu", 2, {{2, {270, 101}, false}, {2, {270, 101}, false}}, run_swiglu, twin_swiglu, 0, 2},
    {"dropout", 1, {{2, {270, 101}, false}}, run_dropout, twin_dropout, 0, 0},
    {"sum", 1, {{2, {270, 101}, false}}, run_sum, twin_sum, 1e-4, 0},
    {"copy", 1, {{3, {9, 30, 101}, false}}, run_cast, twin_copy, 0, 0},
    {"concat",
     2,
     {{3, {4, 70, 33}, false}, {3, {4, 81, 33}, false}},
     run_concat,
     twin_concat,
     0,
     2},
    {"embedding", 1, {{2, {12, 130}, true}}, run_embedding, twin_embedding, 0, 0},
    {"linear",
     3,
     {{3, {5, 61, 37}, false}, {2, {43, 37}, false}, {1, {43}, false}},
     run_linear,
     twin_linear,
     1e-5,
     1},
    {"linear_bare",
     2,
     {{2, {305, 37}, false}, {2, {43, 37}, false}},
     run_linear_bare,
     twin_linear,
     1e-5,
     1},
    {"matmul",
     2,
     {{3, {3, 41, 19}, false}, {3, {3, 19, 27}, false}},
     run_matmul,
     twin_matmul,
     1e-5,
     0},
    {"rms_norm",
     2,
     {{3, {3, 121, 101}, false}, {1, {101}, false}},
     run_rms_norm,
     twin_rms_norm,
     0,
     0},
    {"rms_norm_of_heads",
     2,
     {{4, {2, 91, 4, 64}, false}, {1, {64}, false}},
     run_rms_norm,
     twin_rms_norm,
     0,
     0},
    {"layer_norm",
     3,
     {{2, {363, 101}, false}, {1, {101}, false}, {1, {101}, false}},
     run_layer_norm,
     twin_layer_norm,
     0,
     1},
    {"layer_norm_bare",
     2,
     {{2, {363, 101}, false}, {1, {101}, false}},
     run_layer_norm_bare,
     twin_layer_norm,
     0,
     1},
    {"softmax", 1, {{2, {270, 101}, false}}, run_softmax, twin_softmax, 0, 0},
    {"softmax_narrow", 1, {{2, {3000, 5}, false}}, run_softmax, twin_softmax, 0, 0},
    {"log_softmax_narrow", 1, {{2, {3000, 5}, false}}, run_log_softmax, twin_log_softmax, 0, 0},
    {"log_softmax", 1, {{2, {270, 101}, false}}, run_log_softmax, twin_log_softmax, 1e-5, 0},
    {"rope_halves", 1, {{4, {2, 130, 5, 21}, false}}, run_rope_halves, twin_rope_halves, 0, 0},
    {"rope_pairs", 1, {{4, {2, 130, 5, 21}, false}}, run_rope_pairs, twin_rope_pairs, 0, 0},
    {"attention_causal",
     3,
     {{4, {2, 131, 4, 20}, true}, {4, {2, 131, 2, 20}, true}, {4, {2, 131, 2, 20}, true}},
     run_attention_causal,
     twin_attention_causal,
     0,
     3},
    {"attention_full",
     3,
     {{4, {1, 67, 3, 32}, true}, {4, {1, 90, 1, 32}, true}, {4, {1, 90, 1, 32}, true}},
     run_attention_full,
     twin_attention_full,
     0,
     3},
    {"attention_heads_of_40",
     3,
     {{4, {2, 70, 4, 40}, true}, {4, {2, 133, 2, 40}, true}, {4, {2, 133, 2, 40}, true}},
     run_attention_full,
     twin_attention_full,
     1e-5,
     3},
    {"attention_heads_of_80",
     3,
     {{4, {1, 61, 2, 80}, true}, {4, {1, 77, 2, 80}, true}, {4, {1, 77, 2, 80}, true}},
     run_attention_full,
     twin_attention_full,
     1e-5,
     3},
    {"attention_heads_of_160",
     3,
     {{4, {1, 64, 2, 160}, true}, {4, {1, 257, 1, 160}, true}, {4, {1, 257, 1, 160}, true}},
     run_attention_full,
     twin_attention_full,
     1e-5,
     3},
    {"attention_heads_of_33",
     3,
     {{4, {1, 13, 2, 33}, true}, {4, {1, 3, 2, 33}, true}, {4, {1, 3, 2, 33}, true}},
     run_attention_full,
     twin_attention_full,
     1e-5,
     3},
    {"attention_one_wide_head",
     3,
     {{4, {1, 62, 1, 512}, true}, {4, {1, 130, 1, 512}, true}, {4, {1, 130, 1, 512}, true}},
     run_attention_full,
     twin_attention_full,
     5e-5,
     3},
    {"attention_packed",
     3,
     {{4, {2, 131, 4, 20}, true}, {4, {2, 131, 4, 20}, true}, {4, {2, 131, 4, 20}, true}},
     run_attention_packed,
     twin_attention_packed,
     0,
     0},
    {"attention_long",
     3,
     {{4, {1, 800, 2, 16}, true}, {4, {1, 800, 1, 16}, true}, {4, {1, 800, 1, 16}, true}},
     run_attention_long,
     twin_attention_long,
     0,
     0},
    {"attention_cached",
     3,
     {{4, {1, 3, 4, 20}, true},
      {4, {1, CACHED + 3, 2, 20}, true},
      {4, {1, CACHED + 3, 2, 20}, true}},
     run_attention_cached,
     twin_attention_cached,
     0,
     0},
    {"relu", 1, {{2, {270, 101}, false}}, run_relu, twin_relu, 0, 1},
    {"tanh", 1, {{2, {270, 101}, false}}, run_tanh, twin_tanh, 0, 1},
    {"gelu_quick", 1, {{2, {270, 101}, false}}, run_gelu_quick, twin_gelu_quick, 0, 1},
    {"geglu", 1, {{3, {3, 90, 202}, false}}, run_geglu, twin_geglu, 0, 1},
    {"add_picture",
     2,
     {{4, {3, 9, 10, 101}, false}, {4, {3, 1, 1, 101}, false}},
     run_add,
     twin_add_picture,
     0,
     1},
    {"mul_picture",
     2,
     {{4, {3, 9, 10, 101}, false}, {4, {3, 1, 1, 101}, false}},
     run_mul,
     twin_mul_picture,
     0,
     2},
    {"conv2d_same",
     3,
     {{4, {2, 9, 17, 5}, false}, {4, {37, 5, 3, 3}, false}, {1, {37}, false}},
     run_conv_same,
     twin_conv_same,
     1e-5,
     1},
    {"conv2d_point",
     3,
     {{4, {2, 9, 17, 21}, false}, {4, {37, 21, 1, 1}, false}, {1, {37}, false}},
     run_conv_point,
     twin_conv_point,
     1e-5,
     1},
    {"conv2d_down",
     3,
     {{4, {2, 8, 18, 5}, false}, {4, {37, 5, 3, 3}, false}, {1, {37}, false}},
     run_conv_down,
     twin_conv_down,
     1e-5,
     1},
    {"conv2d_down_even",
     3,
     {{4, {2, 9, 16, 6}, false}, {4, {3, 6, 3, 3}, false}, {1, {3}, false}},
     run_conv_down_even,
     twin_conv_down_even,
     1e-5,
     1},
    {"conv2d_odd",
     3,
     {{4, {3, 11, 13, 3}, false}, {4, {35, 3, 4, 2}, false}, {1, {35}, false}},
     run_conv_odd,
     twin_conv_odd,
     1e-5,
     1},
    // Several blocks of channels, and of pixels.
    {"conv2d_deep",
     2,
     {{4, {1, 3, 70, 300}, false}, {4, {7, 300, 3, 3}, false}},
     run_conv_bare,
     twin_conv_bare,
     1e-4,
     1},
    // Several blocks of pixels, wide and of several pictures, whose sums are joined.
    {"conv2d_wide",
     3,
     {{4, {3, 20, 141, 3}, false}, {4, {5, 3, 3, 3}, false}, {1, {5}, false}},
     run_conv_same,
     twin_conv_same,
     1e-5,
     1},
    {"conv2d_many",
     3,
     {{4, {37, 4, 4, 33}, false}, {4, {16, 33, 3, 3}, false}, {1, {16}, false}},
     run_conv_down_even,
     twin_conv_down_even,
     1e-5,
     1},
    {"group_norm",
     3,
     {{4, {3, 9, 13, 20}, false}, {1, {20}, false}, {1, {20}, false}},
     run_group_norm,
     twin_group_norm,
     0,
     1},
    {"group_norm_wide",
     3,
     {{3, {2, 130, 132}, false}, {1, {132}, false}, {1, {132}, false}},
     run_group_norm,
     twin_group_norm,
     0,
     1},
    {"group_norm_silu",
     3,
     {{4, {3, 9, 13, 20}, false}, {1, {20}, false}, {1, {20}, false}},
     run_group_norm_silu,
     twin_group_norm_silu,
     0,
     1},
    {"upsample_nearest", 1, {{4, {2, 9, 13, 11}, false}}, run_upsample, twin_upsample, 0, 1},
    {"average_pool", 1, {{4, {2, 18, 26, 11}, false}}, run_average_pool, twin_average_pool, 0, 1},
    {"linear_cross_entropy",
     2,
     {{2, {301, 19}, false}, {2, {97, 19}, false}},
     run_loss,
     twin_loss,
     1e-3,
     0},
    {"squared_error",
     2,
     {{4, {7, 31, 13, 9}, false}, {4, {7, 31, 13, 9}, false}},
     run_squared_error,
     twin_squared_error,
     0,
     0},
    {"squared_error_bare",
     2,
     {{2, {301, 101}, false}, {2, {301, 101}, false}},
     run_squared_error_bare,
     twin_squared_error_bare,
     0,
     0},
    {"huber",
     2,
     {{4, {7, 31, 13, 9}, false}, {4, {7, 31, 13, 9}, false}},
     run_huber,
     twin_huber,
     0,
     0},
};
const int n_subjects = (int)(sizeof subjects / sizeof *subjects);
