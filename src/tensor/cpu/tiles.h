// Small products in cache and the attention that is built of them (FlashAttention, Dao et al. 2022;
// backward as in FlashAttention-2, Dao 2023). Included by cpu/body.h alone.

enum { BLOCK_ROWS = 6, BLOCK_VECTORS = REGISTERS / 8 };

// The register block: `rows` x `vectors` sums, one broadcast of a against `vectors` loads of b per
// step of k. rows and vectors are constants where this is inlined; a last, partial vector is
// `tail` elements wide (LANES: a full one).
static inline __attribute__((always_inline)) void register_block(
    const int rows, const int vectors, int64_t k, const float *restrict a, int64_t a_row,
    int64_t a_column, const float *restrict b, int64_t b_row, float *restrict c, int64_t c_row,
    bool add_it, int64_t tail) {
  vec s[BLOCK_ROWS][BLOCK_VECTORS];
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++) s[i][j] = (vec){0};
  }
  for (int64_t p = 0; p < k; p++) {
    vec line[BLOCK_VECTORS];
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++) {
      line[j] = tail < LANES ? get(b + p * b_row, tail) : load(b + p * b_row + j * LANES);
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
      vec factor = splat(a[i * a_row + p * a_column]);
#pragma GCC unroll 8
      for (int j = 0; j < vectors; j++) s[i][j] += factor * line[j];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++) {
      float *to = c + i * c_row + j * LANES;
      if (tail < LANES) {
        give(to, tail, add_it, s[i][j]);
      } else {
        store(to, add_it ? load(to) + s[i][j] : s[i][j]);
      }
    }
  }
}

// All rows of one column panel of `vectors` registers.
static inline __attribute__((always_inline)) void panel(const int vectors, int64_t m, int64_t k,
                                                        const float *a, int64_t a_row,
                                                        int64_t a_column, const float *b,
                                                        int64_t b_row, float *c, int64_t c_row,
                                                        bool add_it, int64_t tail) {
  int64_t i = 0;
  for (; i + BLOCK_ROWS <= m; i += BLOCK_ROWS) {
    register_block(BLOCK_ROWS, vectors, k, a + i * a_row, a_row, a_column, b, b_row, c + i * c_row,
                   c_row, add_it, tail);
  }
  for (; i + 2 <= m; i += 2) {
    register_block(2, vectors, k, a + i * a_row, a_row, a_column, b, b_row, c + i * c_row, c_row,
                   add_it, tail);
  }
  if (i < m) {
    register_block(1, vectors, k, a + i * a_row, a_row, a_column, b, b_row, c + i * c_row, c_row,
                   add_it, tail);
  }
}

static void block_product(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row,
                          int64_t a_column, const float *b, int64_t b_row, float *c, int64_t c_row,
                          bool add_it) {
  int64_t j = 0;
  for (; j + BLOCK_VECTORS * LANES <= n; j += BLOCK_VECTORS * LANES) {
    panel(BLOCK_VECTORS, m, k, a, a_row, a_column, b + j, b_row, c + j, c_row, add_it, LANES);
  }
  for (; j + LANES <= n; j += LANES) {
    panel(1, m, k, a, a_row, a_column, b + j, b_row, c + j, c_row, add_it, LANES);
  }
  if (j < n) panel(1, m, k, a, a_row, a_column, b + j, b_row, c + j, c_row, add_it, n - j);
}

// Columns [begin, end) of `turned` (width, 64) become rows [begin, end) of x (64, width); rows from
// n on count as 0. begin and end are multiples of LANES.
static void turn(int64_t begin, int64_t end, int64_t n, int64_t width, const float *x,
                 int64_t x_row, float *turned) {
  for (int64_t j = begin; j < end; j += LANES) {
    int64_t d = 0;
    for (; j + LANES <= n && d + LANES <= width; d += LANES) {
      vec square[LANES];
      for (int i = 0; i < LANES; i++) square[i] = load(x + (j + i) * x_row + d);
      transpose(square);
      for (int i = 0; i < LANES; i++) store(turned + (d + i) * INK_TILE_KEYS + j, square[i]);
    }
    for (; d < width; d++) {
      float *to = turned + d * INK_TILE_KEYS;
      for (int64_t i = j; i < j + LANES; i++) to[i] = i < n ? x[i * x_row + d] : 0.0f;
    }
  }
}

// The part of a chunk that a tile sees at all: keys [begin, end), [lanes_begin, lanes_end) in whole
// registers.
typedef struct window {
  int64_t begin, end, lanes_begin, lanes_end;
} window;

static inline window window_of(const ink_attention_tile *t, int64_t position, int64_t n) {
  window w = {t->low - position, t->high - position, 0, 0};
  if (w.begin < 0) w.begin = 0;
  if (w.end > n) w.end = n;
  w.lanes_begin = w.begin / LANES * LANES;
  w.lanes_end = (w.end + LANES - 1) / LANES * LANES;
  return w;
}

// Scores of one row outside the keys it may see become -infinity. It sees keys [from, to).
static inline void mask_row(float *s, window w, int64_t from, int64_t to) {
  if (from < w.lanes_begin) from = w.lanes_begin;
  if (to < from) to = from;
  for (int64_t j = w.lanes_begin; j < from && j < w.lanes_end; j++) s[j] = -INFINITY;
  for (int64_t j = to; j < w.lanes_end; j++) s[j] = -INFINITY;
}

static void attend(ink_attention_tile *t, int64_t position, int64_t n, const float *k,
                   int64_t k_stride, const float *v, int64_t v_stride) {
  int64_t width = t->width;
  window w = window_of(t, position, n);
  int64_t at = w.lanes_begin, lanes = w.lanes_end - at;
  turn(at, w.lanes_end, n, width, k, k_stride, t->turned);
  block_product(t->rows, lanes, width, t->q, width, 1, t->turned + at, INK_TILE_KEYS, t->s + at,
                INK_TILE_KEYS, false);
  for (int row = 0; row < t->rows; row++) {
    float *s = t->s + row * INK_TILE_KEYS, *o = t->o + row * width;
    mask_row(s, w, t->first[row] - position, t->last[row] + 1 - position);
    float before = t->greatest[row], most = maximum(s + at, lanes);
    if (most < before) most = before;
    float held = most == -INFINITY ? 0.0f : most;  // nothing seen so far: every term is 0
    float total = exponentials(s + at, held, s + at, lanes);
    if (most != before) {
      float shrink = exp_of(splat(before - held))[0];
      t->sum[row] *= shrink;
      scale(shrink, o, o, width);
      t->greatest[row] = most;
    }
    t->sum[row] += total;
  }
  block_product(t->rows, width, w.end - w.begin, t->s + w.begin, INK_TILE_KEYS, 1,
                v + w.begin * v_stride, v_stride, t->o, width, true);
}

static void attend_back(ink_attention_tile *t, int64_t position, int64_t n, const float *k,
                        int64_t k_stride, const float *v, int64_t v_stride, float *d_k,
                        int64_t d_k_stride, float *d_v, int64_t d_v_stride) {
  int64_t width = t->width;
  window w = window_of(t, position, n);
  int64_t at = w.lanes_begin, lanes = w.lanes_end - at, begin = w.begin, keys = w.end - begin;
  turn(at, w.lanes_end, n, width, k, k_stride, t->turned);
  block_product(t->rows, lanes, width, t->q, width, 1, t->turned + at, INK_TILE_KEYS, t->s + at,
                INK_TILE_KEYS, false);
  turn(at, w.lanes_end, n, width, v, v_stride, t->turned);
  block_product(t->rows, lanes, width, t->d_o, width, 1, t->turned + at, INK_TILE_KEYS, t->ds + at,
                INK_TILE_KEYS, false);
  for (int row = 0; row < t->rows; row++) {
    float *s = t->s + row * INK_TILE_KEYS, *ds = t->ds + row * INK_TILE_KEYS;
    mask_row(s, w, t->first[row] - position, t->last[row] + 1 - position);
    float lse = t->lse[row] == -INFINITY ? 0.0f : t->lse[row], delta = t->delta[row];
    for (int64_t j = at; j < w.lanes_end; j += LANES) {
      vec p = exp_of(load(s + j) - lse);
      store(s + j, p);
      store(ds + j, p * (load(ds + j) - delta));
    }
  }
  const float *s = t->s + begin, *ds = t->ds + begin;
  if (t->d_q) {
    block_product(t->rows, width, keys, ds, INK_TILE_KEYS, 1, k + begin * k_stride, k_stride,
                  t->d_q, width, true);
  }
  if (d_k) {
    block_product(keys, width, t->rows, ds, 1, INK_TILE_KEYS, t->q, width, d_k + begin * d_k_stride,
                  d_k_stride, true);
  }
  if (d_v) {
    block_product(keys, width, t->rows, s, 1, INK_TILE_KEYS, t->d_o, width,
                  d_v + begin * d_v_stride, d_v_stride, true);
  }
}
