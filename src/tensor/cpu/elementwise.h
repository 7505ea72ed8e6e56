// Elementwise kernels. Included by cpu/body.h alone.

static void add(const float *a, const float *b, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) put(y + i, n - i, get(a + i, n - i) + get(b + i, n - i));
}

static void add_to(const float *x, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) put(y + i, n - i, get(y + i, n - i) + get(x + i, n - i));
}

static void mul(const float *a, const float *b, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) put(y + i, n - i, get(a + i, n - i) * get(b + i, n - i));
}

static void mul_to(const float *a, const float *b, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    put(y + i, n - i, get(y + i, n - i) + get(a + i, n - i) * get(b + i, n - i));
  }
}

static void scale(float factor, const float *x, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) put(y + i, n - i, factor * get(x + i, n - i));
}

static void scale_to(float factor, const float *x, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    put(y + i, n - i, get(y + i, n - i) + factor * get(x + i, n - i));
  }
}

// Write x, or add it to what is there.
static inline void give(float *p, int64_t n, bool add_it, vec x) {
  put(p, n, add_it ? get(p, n) + x : x);
}

// ---- activations -------------------------------------------------------------------------------

static void silu(const float *x, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    vec v = get(x + i, n - i);
    put(y + i, n - i, v * sigmoid_of(v));
  }
}

// d/dx x s(x) = s (1 + x (1 - s)).
static inline vec silu_slope(vec x, vec sigmoid) {
  return sigmoid * (1.0f + x * (1.0f - sigmoid));
}

static void silu_back(const float *x, const float *dy, float *dx, bool add_it, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    vec v = get(x + i, n - i);
    give(dx + i, n - i, add_it, get(dy + i, n - i) * silu_slope(v, sigmoid_of(v)));
  }
}

// ---- channels of pictures, backward -------------------------------------------------------------

// `n` channels from channel c on; `vectors` of them when it is more than one. vectors and silu_it
// are constants where this is inlined.
static inline __attribute__((always_inline)) void products_of(const int vectors, const bool silu_it,
                                                              int64_t n, int64_t pixels,
                                                              int64_t channels, const float *x,
                                                              const float *dy, const float *factor,
                                                              const float *term, float *to,
                                                              float *sums, float *products) {
  enum { SIDE = 4 };
  vec s[SIDE] = {{0}}, p[SIDE] = {{0}}, f[SIDE], t[SIDE];
  for (int j = 0; j < vectors && silu_it; j++) {
    f[j] = get(factor + j * LANES, n - j * LANES);
    t[j] = get(term + j * LANES, n - j * LANES);
  }
  for (int64_t i = 0; i < pixels; i++) {
#pragma GCC unroll 4
    for (int j = 0; j < vectors; j++) {
      int64_t at = i * channels + j * LANES, left = n - j * LANES;
      vec v = get(x + at, left), d = get(dy + at, left);
      if (silu_it) {
        vec y = v * f[j] + t[j];
        d = d * silu_slope(y, sigmoid_of(y));
        if (left >= LANES) {
          store(to + at, d);
        } else {
          put(to + at, left, d);
        }
      }
      s[j] += d;
      p[j] += v * d;
    }
  }
  for (int j = 0; j < vectors; j++) {
    put(sums + j * LANES, n - j * LANES, s[j]);
    put(products + j * LANES, n - j * LANES, p[j]);
  }
}

static void channel_products(int64_t pixels, int64_t channels, const float *x, const float *dy,
                             const float *factor, const float *term, float *to, float *sums,
                             float *products) {
  for (int64_t c = 0; c < channels;) {
    int64_t left = channels - c;
    bool wide = left >= 4 * LANES;
    if (to && wide) {
      products_of(4, true, 4 * LANES, pixels, channels, x + c, dy + c, factor + c, term + c, to + c,
                  sums + c, products + c);
    } else if (to) {
      products_of(1, true, left, pixels, channels, x + c, dy + c, factor + c, term + c, to + c,
                  sums + c, products + c);
    } else if (wide) {
      products_of(4, false, 4 * LANES, pixels, channels, x + c, dy + c, NULL, NULL, NULL, sums + c,
                  products + c);
    } else {
      products_of(1, false, left, pixels, channels, x + c, dy + c, NULL, NULL, NULL, sums + c,
                  products + c);
    }
    c += wide ? 4 * LANES : LANES;
  }
}

static void blend_channels(int64_t pixels, int64_t channels, const float *a, const float *a_factor,
                           const float *b, const float *b_factor, const float *term, float *y,
                           bool add_it) {
  for (int64_t i = 0; i < pixels; i++) {
    for (int64_t c = 0; c < channels; c += LANES) {
      int64_t at = i * channels + c, left = channels - c;
      vec v = get(term + c, left) + get(a + at, left) * get(a_factor + c, left) +
              get(b + at, left) * get(b_factor + c, left);
      if (add_it) v = get(y + at, left) + v;
      if (left >= LANES) {
        store(y + at, v);
      } else {
        put(y + at, left, v);
      }
    }
  }
}

static void swiglu(const float *gate, const float *up, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    vec g = get(gate + i, n - i);
    put(y + i, n - i, g * sigmoid_of(g) * get(up + i, n - i));
  }
}

static void swiglu_back(const float *gate, const float *up, const float *dy, float *d_gate,
                        bool add_gate, float *d_up, bool add_up, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    int64_t left = n - i;
    vec g = get(gate + i, left), d = get(dy + i, left), s = sigmoid_of(g);
    if (d_gate) give(d_gate + i, left, add_gate, d * get(up + i, left) * silu_slope(g, s));
    if (d_up) give(d_up + i, left, add_up, d * (g * s));
  }
}

// GELU by tanh: 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
static const float gelu_a = 0.7978845608f, gelu_b = 0.044715f;

static void gelu_tanh(const float *x, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    vec v = get(x + i, n - i);
    vec t = tanh_of(gelu_a * (v + gelu_b * v * v * v));
    put(y + i, n - i, 0.5f * v * (1.0f + t));
  }
}

static void gelu_tanh_back(const float *x, const float *dy, float *dx, bool add_it, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    vec v = get(x + i, n - i);
    vec t = tanh_of(gelu_a * (v + gelu_b * v * v * v));
    vec slope = gelu_a * (1.0f + 3.0f * gelu_b * v * v);
    vec d = 0.5f * (1.0f + t) + 0.5f * v * (1.0f - t * t) * slope;
    give(dx + i, n - i, add_it, get(dy + i, n - i) * d);
  }
}

// The cumulative normal distribution at x.
static inline vec normal_cdf(vec x) {
  vec tail = 0.5f * erfc_of(max_of(x, -x) * 0.70710678f);
  return choose(x > splat(0.0f), 1.0f - tail, tail);
}

static void gelu_erf(const float *x, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    vec v = get(x + i, n - i);
    put(y + i, n - i, v * normal_cdf(v));
  }
}

static void gelu_erf_back(const float *x, const float *dy, float *dx, bool add_it, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    vec v = get(x + i, n - i);
    vec density = 0.3989422804f * exp_of(-0.5f * v * v);
    give(dx + i, n - i, add_it, get(dy + i, n - i) * (normal_cdf(v) + v * density));
  }
}

// x sigmoid(1.702 x).
static void gelu_quick(const float *x, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    vec v = get(x + i, n - i);
    put(y + i, n - i, v * sigmoid_of(1.702f * v));
  }
}

static void gelu_quick_back(const float *x, const float *dy, float *dx, bool add_it, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    vec v = 1.702f * get(x + i, n - i);
    give(dx + i, n - i, add_it, get(dy + i, n - i) * silu_slope(v, sigmoid_of(v)));
  }
}

static void relu(const float *x, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    put(y + i, n - i, max_of(splat(0.0f), get(x + i, n - i)));  // NaN stays
  }
}

static void relu_back(const float *x, const float *dy, float *dx, bool add_it, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    vec v = get(x + i, n - i);
    give(dx + i, n - i, add_it, choose(v > splat(0.0f), get(dy + i, n - i), splat(0.0f)));
  }
}

static void hyperbolic_tangent(const float *x, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) put(y + i, n - i, tanh_of(get(x + i, n - i)));
}

static void hyperbolic_tangent_back(const float *x, const float *dy, float *dx, bool add_it,
                                    int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    vec t = tanh_of(get(x + i, n - i));
    give(dx + i, n - i, add_it, get(dy + i, n - i) * (1.0f - t * t));
  }
}

static void geglu(const float *up, const float *gate, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    vec g = get(gate + i, n - i);
    put(y + i, n - i, get(up + i, n - i) * (g * normal_cdf(g)));
  }
}

static void geglu_bf16(const uint16_t *up, const uint16_t *gate, uint16_t *y, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    vec g = get_bf16(gate + i, n - i);
    put_bf16(y + i, n - i, get_bf16(up + i, n - i) * (g * normal_cdf(g)));
  }
}

static void geglu_back(const float *up, const float *gate, const float *dy, float *d_up,
                       float *d_gate, bool add_it, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    int64_t left = n - i;
    vec g = get(gate + i, left), d = get(dy + i, left), cdf = normal_cdf(g);
    vec density = 0.3989422804f * exp_of(-0.5f * g * g);
    give(d_up + i, left, add_it, d * (g * cdf));
    give(d_gate + i, left, add_it, d * get(up + i, left) * (cdf + g * density));
  }
}

// ---- distances ---------------------------------------------------------------------------------

// NaN stays.
static inline vec held_within(float delta, vec x) {
  return max_of(splat(-delta), min_of(splat(delta), x));
}

static float huber(float delta, const float *x, const float *y, int64_t n) {
  vec sum = {0};
  for (int64_t i = 0; i < n; i += LANES) {
    vec d = get(x + i, n - i) - get(y + i, n - i), held = held_within(delta, d);
    sum += held * (d - 0.5f * held);
  }
  return sum_of(sum);
}

static void huber_back(float delta, float factor, const float *x, const float *y, float *dx,
                       bool add_it, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    vec d = get(x + i, n - i) - get(y + i, n - i);
    give(dx + i, n - i, add_it, factor * held_within(delta, d));
  }
}

// ---- dropout -----------------------------------------------------------------------------------

// Words of the sequence (base/random.h: Philox4x32-10) that one call draws: as many blocks of four
// as there are 64-bit lanes, side by side.
enum { DRAWN = 2 * LANES };

// Words [4 * block, 4 * block + DRAWN). Only the low half of a lane counts until the end.
static inline void philox_words(uint64_t seed, uint64_t stream, uint64_t block,
                                uint32_t words[DRAWN]) {
  wide_vec c0, c1, c2 = (wide_vec){0} + (uint32_t)stream, c3 = (wide_vec){0} + (stream >> 32);
  for (int i = 0; i < LANES / 2; i++) {
    c0[i] = block + (uint64_t)i;
    c1[i] = (block + (uint64_t)i) >> 32;
  }
  const wide_vec m0 = (wide_vec){0} + 0xD2511F53u, m1 = (wide_vec){0} + 0xCD9E8D57u;
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  for (int round = 0; round < 10; round++) {
    wide_vec p0 = mul_halves(m0, c0), p1 = mul_halves(m1, c2);
    c0 = (p1 >> 32) ^ c1 ^ k0;
    c2 = (p0 >> 32) ^ c3 ^ k1;
    c1 = p1;
    c3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  wide_vec first = (c0 & 0xffffffffu) | c1 << 32, second = (c2 & 0xffffffffu) | c3 << 32;
  wide_vec low, high;
  interleave(first, second, &low, &high);
  memcpy(words, &low, sizeof low);
  memcpy(words + LANES, &high, sizeof high);
}

static void dropout(uint64_t seed, uint64_t stream, uint64_t first, uint32_t threshold,
                    float factor, const float *x, float *y, bool add_it, int64_t n) {
  uint32_t words[DRAWN + LANES] = {0};
  for (int64_t done = 0; done < n;) {
    uint64_t position = first + (uint64_t)done;
    philox_words(seed, stream, position / 4, words);
    int64_t skip = (int64_t)(position % 4), take = DRAWN - skip;
    if (take > n - done) take = n - done;
    for (int64_t i = 0; i < take; i += LANES) {
      uvec word;
      memcpy(&word, words + skip + i, sizeof word);
      ivec keep = (ivec)(word >= threshold);
      vec kept = (vec)((ivec)(get(x + done + i, take - i) * factor) & keep);
      give(y + done + i, take - i, add_it, kept);
    }
    done += take;
  }
}
