// Kernels over pictures, channel by channel. Included by cpu/body.h alone.

static inline vec get_typed(const bool bf16, const void *x, int64_t at, int64_t n) {
  return bf16 ? get_bf16((const uint16_t *)x + at, n) : get((const float *)x + at, n);
}

// `bf16` is a constant where these are inlined.
static inline __attribute__((always_inline)) void channel_sums_typed(
    const bool bf16, int64_t pixels, int64_t channels, const void *pivot, const void *x,
    float *sums, float *squares) {
  enum { SIDE = 4 };  // vectors of channels side by side
  for (int64_t c = 0; c < channels; c += SIDE * LANES) {
    vec s[SIDE] = {{0}}, q[SIDE] = {{0}}, p[SIDE];
    int64_t left = channels - c;
    if (left >= SIDE * LANES) {
      for (int j = 0; j < SIDE; j++) p[j] = get_typed(bf16, pivot, c + j * LANES, LANES);
      for (int64_t i = 0; i < pixels; i++) {
#pragma GCC unroll 4
        for (int j = 0; j < SIDE; j++) {
          vec d = get_typed(bf16, x, i * channels + c + j * LANES, LANES) - p[j];
          s[j] += d;
          q[j] += d * d;
        }
      }
      for (int j = 0; j < SIDE; j++) {
        store(sums + c + j * LANES, s[j]);
        store(squares + c + j * LANES, q[j]);
      }
      continue;
    }
    for (int64_t e = 0; e < left; e += LANES) {
      vec first = get_typed(bf16, pivot, c + e, left - e), sum_e = {0}, square_e = {0};
      for (int64_t i = 0; i < pixels; i++) {
        vec d = get_typed(bf16, x, i * channels + c + e, left - e) - first;
        sum_e += d;
        square_e += d * d;
      }
      put(sums + c + e, left - e, sum_e);
      put(squares + c + e, left - e, square_e);
    }
  }
}

static void channel_sums(bool bf16, int64_t pixels, int64_t channels, const void *pivot,
                         const void *x, float *sums, float *squares) {
  if (bf16) {
    channel_sums_typed(true, pixels, channels, pivot, x, sums, squares);
  } else {
    channel_sums_typed(false, pixels, channels, pivot, x, sums, squares);
  }
}

static inline __attribute__((always_inline)) void scale_channels_typed(
    const bool bf16, const bool silu_it, int64_t pixels, int64_t channels, const void *x,
    const float *factor, const float *term, void *y) {
  for (int64_t i = 0; i < pixels; i++) {
    for (int64_t c = 0; c < channels; c += LANES) {
      int64_t at = i * channels + c, left = channels - c;
      vec v = get_typed(bf16, x, at, left) * get(factor + c, left) + get(term + c, left);
      if (silu_it) v = v * (bf16 ? rough_sigmoid_of(v) : sigmoid_of(v));
      if (bf16) {
        put_bf16((uint16_t *)y + at, left, v);
      } else {
        put((float *)y + at, left, v);
      }
    }
  }
}

static void scale_channels(bool bf16, bool silu_it, int64_t pixels, int64_t channels, const void *x,
                           const float *factor, const float *term, void *y) {
  if (bf16 && silu_it) {
    scale_channels_typed(true, true, pixels, channels, x, factor, term, y);
  } else if (bf16) {
    scale_channels_typed(true, false, pixels, channels, x, factor, term, y);
  } else if (silu_it) {
    scale_channels_typed(false, true, pixels, channels, x, factor, term, y);
  } else {
    scale_channels_typed(false, false, pixels, channels, x, factor, term, y);
  }
}
