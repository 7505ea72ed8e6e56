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

// ---- dropout -----------------------------------------------------------------------------------

enum { PHILOX_BLOCKS = 16 };  // blocks of four words drawn side by side, so that they vectorise

// Words [4 * block, 4 * block + 64) of the sequence (base/random.h: Philox4x32-10).
static void philox_words(uint64_t seed, uint64_t stream, uint64_t block,
                         uint32_t words[4 * PHILOX_BLOCKS]) {
  uint32_t c0[PHILOX_BLOCKS], c1[PHILOX_BLOCKS], c2[PHILOX_BLOCKS], c3[PHILOX_BLOCKS];
  for (int i = 0; i < PHILOX_BLOCKS; i++) {
    c0[i] = (uint32_t)(block + (uint64_t)i);
    c1[i] = (uint32_t)((block + (uint64_t)i) >> 32);
    c2[i] = (uint32_t)stream;
    c3[i] = (uint32_t)(stream >> 32);
  }
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < PHILOX_BLOCKS; i++) {
      uint64_t p0 = (uint64_t)0xD2511F53u * c0[i], p1 = (uint64_t)0xCD9E8D57u * c2[i];
      uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
      c1[i] = (uint32_t)p1;
      c3[i] = (uint32_t)p0;
      c0[i] = n0;
      c2[i] = n2;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < PHILOX_BLOCKS; i++) {
    words[4 * i] = c0[i];
    words[4 * i + 1] = c1[i];
    words[4 * i + 2] = c2[i];
    words[4 * i + 3] = c3[i];
  }
}

static void dropout(uint64_t seed, uint64_t stream, uint64_t first, uint32_t threshold,
                    float factor, const float *x, float *y, bool add_it, int64_t n) {
  uint32_t words[4 * PHILOX_BLOCKS];
  for (int64_t done = 0; done < n;) {
    uint64_t position = first + (uint64_t)done;
    philox_words(seed, stream, position / 4, words);
    int64_t skip = (int64_t)(position % 4), take = 4 * PHILOX_BLOCKS - skip;
    if (take > n - done) take = n - done;
    const uint32_t *word = words + skip;
    const float *from = x + done;
    float *to = y + done;
    if (add_it) {
      for (int64_t i = 0; i < take; i++) to[i] += word[i] >= threshold ? from[i] * factor : 0.0f;
    } else {
      for (int64_t i = 0; i < take; i++) to[i] = word[i] >= threshold ? from[i] * factor : 0.0f;
    }
    done += take;
  }
}
