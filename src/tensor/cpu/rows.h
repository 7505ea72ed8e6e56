// Kernels over rows: reductions, normalisation, softmax, rotary positions. Included by cpu/body.h
// alone. Sums run in four registers, added in a fixed order, so that they depend on the row alone.

static float sum(const float *x, int64_t n) {
  vec s[4] = {{0}};
  int64_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    for (int j = 0; j < 4; j++) s[j] += load(x + i + j * LANES);
  }
  for (; i < n; i += LANES) s[0] += get(x + i, n - i);
  return sum_of((s[0] + s[1]) + (s[2] + s[3]));
}

static float dot(const float *x, const float *y, int64_t n) {
  vec s[4] = {{0}};
  int64_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    for (int j = 0; j < 4; j++) s[j] += load(x + i + j * LANES) * load(y + i + j * LANES);
  }
  for (; i < n; i += LANES) s[0] += get(x + i, n - i) * get(y + i, n - i);
  return sum_of((s[0] + s[1]) + (s[2] + s[3]));
}

static float maximum(const float *x, int64_t n) {
  vec m = splat(-INFINITY);
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) m = max_of(m, load(x + i));
  float most = greatest_of(m);
  for (; i < n; i++) most = x[i] > most ? x[i] : most;
  return most;
}

// Sum of (x - mean)^2.
static float squared_distance(const float *x, float mean, int64_t n) {
  vec s = {0};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    vec d = load(x + i) - mean;
    s += d * d;
  }
  float total = sum_of(s);
  for (; i < n; i++) total += (x[i] - mean) * (x[i] - mean);
  return total;
}

// ---- normalisation -----------------------------------------------------------------------------

static void rms_norm(int64_t rows, int64_t width, const float *x, const float *weight,
                     float epsilon, float *y, float *inverse) {
  for (int64_t row = 0; row < rows; row++, x += width, y += width) {
    float r = 1.0f / sqrtf(dot(x, x, width) / (float)width + epsilon);
    inverse[row] = r;
    for (int64_t i = 0; i < width; i += LANES) {
      put(y + i, width - i, get(x + i, width - i) * r * get(weight + i, width - i));
    }
  }
}

// y_i = x_i r w_i with r = (mean x^2 + epsilon)^(-1/2):
// dx_i = r w_i dy_i - x_i r^3 / C * sum_j(x_j w_j dy_j).
static void rms_norm_back(int64_t rows, int64_t width, const float *x, const float *weight,
                          const float *inverse, const float *dy, float *dx, bool add_it,
                          float *d_weight) {
  for (int64_t row = 0; row < rows; row++, x += width, dy += width) {
    float r = inverse[row];
    vec s = {0};
    for (int64_t i = 0; i < width; i += LANES) {
      int64_t left = width - i;
      vec xd = get(x + i, left) * get(dy + i, left);
      s += xd * get(weight + i, left);
      if (d_weight) put(d_weight + i, left, get(d_weight + i, left) + xd * r);
    }
    if (!dx) continue;
    float pull = sum_of(s) * r * r * r / (float)width;
    for (int64_t i = 0; i < width; i += LANES) {
      int64_t left = width - i;
      give(dx + i, left, add_it,
           get(dy + i, left) * get(weight + i, left) * r - get(x + i, left) * pull);
    }
    dx += width;
  }
}

static void layer_norm(int64_t rows, int64_t width, const float *x, const float *weight,
                       const float *bias, float epsilon, float *y, float *mean, float *inverse) {
  for (int64_t row = 0; row < rows; row++, x += width, y += width) {
    float m = sum(x, width) / (float)width;
    float r = 1.0f / sqrtf(squared_distance(x, m, width) / (float)width + epsilon);
    mean[row] = m;
    inverse[row] = r;
    for (int64_t i = 0; i < width; i += LANES) {
      int64_t left = width - i;
      vec v = (get(x + i, left) - m) * r * get(weight + i, left);
      put(y + i, left, bias ? v + get(bias + i, left) : v);
    }
  }
}

static void layer_norm_bf16(int64_t rows, int64_t width, const uint16_t *x, const float *weight,
                            const float *bias, float epsilon, uint16_t *y) {
  int64_t whole = width / LANES * LANES;
  for (int64_t row = 0; row < rows; row++, x += width, y += width) {
    vec s[2] = {{0}};
    for (int64_t i = 0; i < whole; i += LANES) s[i / LANES & 1] += load_bf16(x + i);
    if (whole < width) s[0] += get_bf16(x + whole, width - whole);
    float m = sum_of(s[0] + s[1]) / (float)width;
    vec q[2] = {{0}};
    for (int64_t i = 0; i < whole; i += LANES) {
      vec d = load_bf16(x + i) - m;
      q[i / LANES & 1] += d * d;
    }
    float square = sum_of(q[0] + q[1]);
    for (int64_t i = whole; i < width; i++) {
      float d = ink_f32_from_bf16(x[i]) - m;
      square += d * d;
    }
    float r = 1.0f / sqrtf(square / (float)width + epsilon);
    for (int64_t i = 0; i < width; i += LANES) {
      int64_t left = width - i;
      vec v = (get_bf16(x + i, left) - m) * r * get(weight + i, left);
      put_bf16(y + i, left, bias ? v + get(bias + i, left) : v);
    }
  }
}

// With n_i = (x_i - mean) r and g_i = w_i dy_i: dx_i = r (g_i - mean(g) - n_i mean(g n)).
static void layer_norm_back(int64_t rows, int64_t width, const float *x, const float *weight,
                            const float *mean, const float *inverse, const float *dy, float *dx,
                            bool add_it, float *d_weight, float *d_bias) {
  for (int64_t row = 0; row < rows; row++, x += width, dy += width) {
    float m = mean[row], r = inverse[row];
    vec sum_g = {0}, sum_gn = {0};
    for (int64_t i = 0; i < width; i += LANES) {
      int64_t left = width - i;
      vec d = get(dy + i, left), n = (get(x + i, left) - m) * r, g = d * get(weight + i, left);
      sum_g += g;
      sum_gn += g * n;  // g is 0 in lanes beyond the row
      if (d_weight) put(d_weight + i, left, get(d_weight + i, left) + d * n);
      if (d_bias) put(d_bias + i, left, get(d_bias + i, left) + d);
    }
    if (!dx) continue;
    float mean_g = sum_of(sum_g) / (float)width, mean_gn = sum_of(sum_gn) / (float)width;
    for (int64_t i = 0; i < width; i += LANES) {
      int64_t left = width - i;
      vec n = (get(x + i, left) - m) * r, g = get(dy + i, left) * get(weight + i, left);
      give(dx + i, left, add_it, (g - mean_g - n * mean_gn) * r);
    }
    dx += width;
  }
}

// ---- softmax ------------------------------------------------------------------------------------

// y = e^(x - most); the sum of y. y may be x.
static float exponentials(const float *x, float most, float *y, int64_t n) {
  vec s = {0};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    vec e = exp_of(load(x + i) - most);
    store(y + i, e);
    s += e;
  }
  if (i < n) {
    put(y + i, n - i, exp_of(get(x + i, n - i) - most));
    s += get(y + i, n - i);
  }
  return sum_of(s);
}

static float sum_of_exponentials(const float *x, float most, int64_t n) {
  vec s = {0};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) s += exp_of(load(x + i) - most);
  float last[LANES] = {0};
  if (i < n) {
    put(last, n - i, exp_of(get(x + i, n - i) - most));
    s += load(last);
  }
  return sum_of(s);
}

static void softmax(int64_t rows, int64_t width, const float *x, float *y) {
  for (int64_t row = 0; row < rows; row++, x += width, y += width) {
    float total = exponentials(x, maximum(x, width), y, width);
    scale(1.0f / total, y, y, width);
  }
}

static void softmax_back(int64_t rows, int64_t width, const float *y, const float *dy, float *dx,
                         bool add_it) {
  for (int64_t row = 0; row < rows; row++, y += width, dy += width, dx += width) {
    float mean = dot(y, dy, width);
    for (int64_t i = 0; i < width; i += LANES) {
      int64_t left = width - i;
      give(dx + i, left, add_it, get(y + i, left) * (get(dy + i, left) - mean));
    }
  }
}

static void log_softmax(int64_t rows, int64_t width, const float *x, float *y) {
  for (int64_t row = 0; row < rows; row++, x += width, y += width) {
    float most = maximum(x, width);
    float log_total = logf(sum_of_exponentials(x, most, width));
    for (int64_t i = 0; i < width; i += LANES) {
      put(y + i, width - i, get(x + i, width - i) - most - log_total);
    }
  }
}

static void log_softmax_back(int64_t rows, int64_t width, const float *y, const float *dy,
                             float *dx, bool add_it) {
  for (int64_t row = 0; row < rows; row++, y += width, dy += width, dx += width) {
    float total = sum(dy, width);
    for (int64_t i = 0; i < width; i += LANES) {
      int64_t left = width - i;
      give(dx + i, left, add_it, get(dy + i, left) - exp_of(get(y + i, left)) * total);
    }
  }
}

static float cross_entropy(int64_t width, float *x, int64_t target, float factor, bool gradient) {
  float most = maximum(x, width), at_target = x[target] - most;
  if (!gradient) return logf(sum_of_exponentials(x, most, width)) - at_target;
  float total = exponentials(x, most, x, width);
  scale(factor / total, x, x, width);
  x[target] -= factor;
  return logf(total) - at_target;
}

// ---- rotary positions ---------------------------------------------------------------------------

static void rope(int64_t heads, int64_t width, int64_t half, const float *cosine, const float *sine,
                 bool halves, const float *x, float *y, bool add_it) {
  for (int64_t head = 0; head < heads; head++, x += width, y += width) {
    if (halves) {
      for (int64_t i = 0; i < half; i += LANES) {
        int64_t left = half - i;
        vec a = get(x + i, left), b = get(x + half + i, left);
        vec co = get(cosine + i, left), si = get(sine + i, left);
        give(y + i, left, add_it, a * co - b * si);
        give(y + half + i, left, add_it, b * co + a * si);
      }
    } else {
      for (int64_t i = 0; i < half; i++) {
        float a = x[2 * i] * cosine[i] - x[2 * i + 1] * sine[i];
        float b = x[2 * i + 1] * cosine[i] + x[2 * i] * sine[i];
        y[2 * i] = add_it ? y[2 * i] + a : a;
        y[2 * i + 1] = add_it ? y[2 * i + 1] + b : b;
      }
    }
    for (int64_t i = 2 * half; i < width; i += LANES) {
      give(y + i, width - i, add_it, get(x + i, width - i));
    }
  }
}
