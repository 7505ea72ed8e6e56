// Attention with online softmax (FlashAttention, Dao et al. 2022; backward after FlashAttention-2,
// Dao 2023). Keys are taken in chunks of 64 and spans of 512 counted from key 0, so that a row's
// bytes do not depend on which queries are computed beside it, nor on threads.
#include <math.h>
#include <string.h>

#include "tensor/attention_bf16.h"
#include "tensor/gemm.h"
#include "tensor/operation.h"

enum { SPAN = 512 };  // keys whose partial result is gathered before it joins the total

static int64_t least(int64_t x, int64_t y) {
  return x < y ? x : y;
}

static int64_t most(int64_t x, int64_t y) {
  return x > y ? x : y;
}

// One call: shapes, operands, and how rows are cut into tiles. A row is one head of one query; the
// heads that share keys and values share tiles.
typedef struct attention {
  const ink_kernels *kernels;
  int64_t batch, queries, keys, heads, groups, width;
  int64_t sharing;     // heads of a group
  int64_t tile_heads;  // of them in one tile
  int64_t tile_queries;
  ink_tensor q, k, v;
  float scale;
  bool causal;
  int64_t query_offset;
  const int32_t *first_key;  // (B, T) or NULL
  float *o;                  // (B, T, H, D)
  float *lse;                // (B, T, H), NULL when nobody goes back
  // forward, few tiles: each span is a task of its own and leaves its part here
  int64_t spans;
  float *parts;
  // backward
  const float *d_o;
  ink_tensor dq, dk, dv;
  const struct segment *segments;
  char *scratch;  // per thread
  size_t scratch_size;
} attention;

// What one thread works with, carved out of its scratch.
typedef struct workspace {
  ink_attention_tile tile;
  float *q, *d_o, *lse, *delta;
  float *total_o, *total_greatest, *total_sum;  // over the spans so far
  float *k, *v;                                 // a chunk of a 16-bit cache as F32
} workspace;

// Takes pieces of `memory` one behind the other, or only counts what they would take.
typedef struct carver {
  char *memory;
  bool counting;
  size_t used;
} carver;

static void *carve(carver *at, size_t count, size_t size) {
  size_t bytes = (count * size + 63) / 64 * 64;
  void *piece = at->counting ? NULL : at->memory + at->used;
  at->used += bytes;
  return piece;
}

static void carve_all(carver *at, workspace *w, int64_t width) {
  size_t rows = INK_TILE_ROWS, d = (size_t)width, keys = INK_TILE_KEYS, f = sizeof(float);
  w->q = carve(at, rows * d, f);
  w->d_o = carve(at, rows * d, f);
  w->lse = carve(at, rows, f);
  w->delta = carve(at, rows, f);
  w->total_o = carve(at, rows * d, f);
  w->total_greatest = carve(at, rows, f);
  w->total_sum = carve(at, rows, f);
  w->k = carve(at, keys * d, f);
  w->v = carve(at, keys * d, f);
  w->tile = (ink_attention_tile){.width = (int)width,
                                 .q = w->q,
                                 .d_o = w->d_o,
                                 .lse = w->lse,
                                 .delta = w->delta,
                                 .first = carve(at, rows, sizeof(int64_t)),
                                 .last = carve(at, rows, sizeof(int64_t)),
                                 .greatest = carve(at, rows, f),
                                 .sum = carve(at, rows, f),
                                 .o = carve(at, rows * d, f),
                                 .d_q = carve(at, rows * d, f),
                                 .turned = carve(at, keys * d, f),
                                 .s = carve(at, rows * keys, f),
                                 .ds = carve(at, rows * keys, f)};
}

static void lay_out(workspace *w, int64_t width, char *memory) {
  carve_all(&(carver){.memory = memory}, w, width);
}

static size_t bytes_of_workspace(int64_t width) {
  workspace counted;
  carver at = {.counting = true};
  carve_all(&at, &counted, width);
  return at.used;
}

// A tile's place: batch item, group, first head and query, how many of each.
typedef struct place {
  int64_t b, g, head, n_heads, query, n_queries;
} place;

static int64_t tiles_of_group(const attention *a) {
  int64_t down = (a->queries + a->tile_queries - 1) / a->tile_queries;
  int64_t across = (a->sharing + a->tile_heads - 1) / a->tile_heads;
  return down * across;
}

static place place_of(const attention *a, int64_t index) {
  int64_t across = (a->sharing + a->tile_heads - 1) / a->tile_heads;
  int64_t in_group = index % tiles_of_group(a), outer = index / tiles_of_group(a);
  place p = {.b = outer / a->groups, .g = outer % a->groups};
  int64_t head = in_group % across * a->tile_heads;
  p.query = in_group / across * a->tile_queries;
  p.head = p.g * a->sharing + head;
  p.n_heads = a->sharing - head < a->tile_heads ? a->sharing - head : a->tile_heads;
  p.n_queries = a->queries - p.query < a->tile_queries ? a->queries - p.query : a->tile_queries;
  return p;
}

static float *row_at(const ink_tensor *x, int64_t b, int64_t t, int64_t head) {
  return (float *)x->data + b * x->stride[0] + t * x->stride[1] + head * x->stride[2];
}

// Load the queries of a tile, scaled, and the keys each row sees.
static void load_tile(const attention *a, place p, workspace *w) {
  ink_attention_tile *t = &w->tile;
  t->rows = (int)(p.n_heads * p.n_queries);
  t->low = a->keys;
  t->high = 0;
  int row = 0;
  for (int64_t i = 0; i < p.n_queries; i++) {
    int64_t query = p.query + i;
    int64_t first = a->first_key ? a->first_key[p.b * a->queries + query] : 0;
    int64_t last = a->causal ? a->query_offset + query : a->keys - 1;
    if (first < 0) first = 0;
    if (last >= a->keys) last = a->keys - 1;
    if (first <= last) {
      t->low = least(t->low, first);
      t->high = most(t->high, last + 1);
    }
    for (int64_t h = 0; h < p.n_heads; h++, row++) {
      t->first[row] = first;
      t->last[row] = last;
      a->kernels->scale(a->scale, row_at(&a->q, p.b, query, p.head + h), w->q + row * a->width,
                        a->width);
    }
  }
}

// Rows [position, position + n) of keys or values as F32.
static const float *chunk_rows(const attention *a, const ink_tensor *x, int64_t b, int64_t g,
                               int64_t position, int64_t n, float *scratch, int64_t *stride) {
  if (x->dtype == INK_F32) {
    *stride = x->stride[1];
    return row_at(x, b, position, g);
  }
  const uint16_t *from =
      (const uint16_t *)x->data + b * x->stride[0] + position * x->stride[1] + g * x->stride[2];
  for (int64_t i = 0; i < n; i++) {
    ink_to_f32(x->dtype, from + i * x->stride[1], scratch + i * a->width, a->width);
  }
  *stride = a->width;
  return scratch;
}

static void clear(float *greatest, float *sum, float *o, int64_t rows, int64_t width) {
  for (int64_t i = 0; i < rows; i++) {
    greatest[i] = -INFINITY;
    sum[i] = 0.0f;
  }
  memset(o, 0, (size_t)(rows * width) * sizeof *o);
}

// The part of one span of keys, from `low` to `high`, for the loaded tile.
static void attend_span(const attention *a, place p, workspace *w, int64_t low, int64_t high) {
  ink_attention_tile *t = &w->tile;
  clear(t->greatest, t->sum, t->o, t->rows, a->width);
  for (int64_t at = low / INK_TILE_KEYS * INK_TILE_KEYS; at < high; at += INK_TILE_KEYS) {
    int64_t n = a->keys - at < INK_TILE_KEYS ? a->keys - at : INK_TILE_KEYS;
    int64_t k_stride, v_stride;
    const float *k = chunk_rows(a, &a->k, p.b, p.g, at, n, w->k, &k_stride);
    const float *v = chunk_rows(a, &a->v, p.b, p.g, at, n, w->v, &v_stride);
    a->kernels->attend(t, at, n, k, k_stride, v, v_stride);
  }
}

// Join the part of a later span to the total. A part that saw nothing changes no bit.
static void join(const attention *a, workspace *w, int64_t rows, const float *greatest,
                 const float *sum, const float *o) {
  for (int64_t i = 0; i < rows; i++) {
    if (greatest[i] == -INFINITY) continue;
    float most = w->total_greatest[i] > greatest[i] ? w->total_greatest[i] : greatest[i];
    float keep = expf(w->total_greatest[i] - most), take = expf(greatest[i] - most);
    w->total_greatest[i] = most;
    w->total_sum[i] = w->total_sum[i] * keep + sum[i] * take;
    float *to = w->total_o + i * a->width;
    a->kernels->scale(keep, to, to, a->width);
    a->kernels->scale_to(take, o + i * a->width, to, a->width);
  }
}

static void finish_tile(const attention *a, place p, workspace *w) {
  int64_t row = 0;
  for (int64_t i = 0; i < p.n_queries; i++) {
    for (int64_t h = 0; h < p.n_heads; h++, row++) {
      int64_t at = (p.b * a->queries + p.query + i) * a->heads + p.head + h;
      float sum = w->total_sum[row];  // 0 for a query that sees no key: its result is 0
      a->kernels->scale(sum > 0.0f ? 1.0f / sum : 0.0f, w->total_o + row * a->width,
                        a->o + at * a->width, a->width);
      if (a->lse) a->lse[at] = sum > 0.0f ? w->total_greatest[row] + logf(sum) : -INFINITY;
    }
  }
}

static void tile_task(void *context, size_t index, int thread) {
  const attention *a = context;
  workspace w;
  lay_out(&w, a->width, a->scratch + (size_t)thread * a->scratch_size);
  place p = place_of(a, (int64_t)index);
  load_tile(a, p, &w);
  clear(w.total_greatest, w.total_sum, w.total_o, w.tile.rows, a->width);
  for (int64_t span = w.tile.low / SPAN * SPAN; span < w.tile.high; span += SPAN) {
    attend_span(a, p, &w, most(w.tile.low, span), least(w.tile.high, span + SPAN));
    join(a, &w, w.tile.rows, w.tile.greatest, w.tile.sum, w.tile.o);
  }
  finish_tile(a, p, &w);
}

// Floats of a part: o, greatest, sum.
static int64_t part_size(const attention *a) {
  return INK_TILE_ROWS * (a->width + 2);
}

static void span_task(void *context, size_t index, int thread) {
  const attention *a = context;
  workspace w;
  lay_out(&w, a->width, a->scratch + (size_t)thread * a->scratch_size);
  place p = place_of(a, (int64_t)index / a->spans);
  int64_t span = (int64_t)index % a->spans * SPAN;
  load_tile(a, p, &w);
  float *part = a->parts + (int64_t)index * part_size(a);
  w.tile.o = part;
  w.tile.greatest = part + INK_TILE_ROWS * a->width;
  w.tile.sum = w.tile.greatest + INK_TILE_ROWS;
  attend_span(a, p, &w, most(w.tile.low, span), least(w.tile.high, span + SPAN));
}

static void join_task(void *context, size_t index, int thread) {
  const attention *a = context;
  workspace w;
  lay_out(&w, a->width, a->scratch + (size_t)thread * a->scratch_size);
  place p = place_of(a, (int64_t)index);
  int64_t rows = p.n_heads * p.n_queries;
  clear(w.total_greatest, w.total_sum, w.total_o, rows, a->width);
  for (int64_t span = 0; span < a->spans; span++) {
    const float *part = a->parts + ((int64_t)index * a->spans + span) * part_size(a);
    const float *greatest = part + INK_TILE_ROWS * a->width;
    join(a, &w, rows, greatest, greatest + INK_TILE_ROWS, part);
  }
  finish_tile(a, p, &w);
}

// ---- backward -----------------------------------------------------------------------------------

// Queries [begin, end) of one batch item whose keys no other query sees.
typedef struct segment {
  int64_t b, begin, end;
} segment;

enum { LEAST_SEGMENT = 256 };  // queries

// Cut a batch item where a document begins, in segments that are worth a task. Returns how many.
static int64_t cut(const attention *a, int64_t b, segment *to) {
  int64_t n = 0, end = a->queries, lowest = a->keys;  // first key seen from here on
  for (int64_t t = a->queries - 1; t > 0 && a->causal && a->first_key; t--) {
    lowest = least(lowest, a->first_key[b * a->queries + t]);
    if (lowest < a->query_offset + t || end - t < LEAST_SEGMENT) continue;
    to[n++] = (segment){b, t, end};
    end = t;
  }
  if (end > 0) to[n++] = (segment){b, 0, end};
  return n;
}

static void back_tile(const attention *a, place p, workspace *w) {
  int64_t d = a->width, row = 0;
  load_tile(a, p, w);
  for (int64_t t = 0; t < p.n_queries; t++) {
    for (int64_t h = 0; h < p.n_heads; h++, row++) {
      int64_t at = (p.b * a->queries + p.query + t) * a->heads + p.head + h;
      memcpy(w->d_o + row * d, a->d_o + at * d, (size_t)d * sizeof(float));
      w->lse[row] = a->lse[at];
      w->delta[row] = a->kernels->dot(a->o + at * d, a->d_o + at * d, d);
    }
  }
  if (w->tile.d_q) memset(w->tile.d_q, 0, (size_t)(row * d) * sizeof(float));
  for (int64_t at = w->tile.low / INK_TILE_KEYS * INK_TILE_KEYS; at < w->tile.high;
       at += INK_TILE_KEYS) {
    int64_t n = least(a->keys - at, INK_TILE_KEYS), k_stride, v_stride;
    const float *k = chunk_rows(a, &a->k, p.b, p.g, at, n, w->k, &k_stride);
    const float *v = chunk_rows(a, &a->v, p.b, p.g, at, n, w->v, &v_stride);
    float *dk = a->dk.data ? row_at(&a->dk, p.b, at, p.g) : NULL;
    float *dv = a->dv.data ? row_at(&a->dv, p.b, at, p.g) : NULL;
    a->kernels->attend_back(&w->tile, at, n, k, k_stride, v, v_stride, dk, a->dk.stride[1], dv,
                            a->dv.stride[1]);
  }
  if (!w->tile.d_q) return;
  row = 0;
  for (int64_t t = 0; t < p.n_queries; t++) {
    for (int64_t h = 0; h < p.n_heads; h++, row++) {
      a->kernels->scale_to(a->scale, w->tile.d_q + row * d,
                           row_at(&a->dq, p.b, p.query + t, p.head + h), d);
    }
  }
}

// One group of one segment: its keys and values belong to this task alone. Probabilities are
// computed again from the log of the sums.
static void back_task(void *context, size_t index, int thread) {
  const attention *a = context;
  workspace w;
  lay_out(&w, a->width, a->scratch + (size_t)thread * a->scratch_size);
  if (!a->dq.data) w.tile.d_q = NULL;
  const segment *s = &a->segments[(int64_t)index / a->groups];
  place p = {.b = s->b, .g = (int64_t)index % a->groups};
  for (p.query = s->begin; p.query < s->end; p.query += a->tile_queries) {
    p.n_queries = least(s->end - p.query, a->tile_queries);
    for (int64_t head = 0; head < a->sharing; head += a->tile_heads) {
      p.head = p.g * a->sharing + head;
      p.n_heads = least(a->sharing - head, a->tile_heads);
      back_tile(a, p, &w);
    }
  }
}

typedef struct attention_record {
  ink_record record;
  attention a;
} attention_record;

static bool take_scratch(ink_compute *c, attention *a) {
  a->scratch_size = bytes_of_workspace(a->width);
  a->scratch = ink_op_take(c, "ink_attention", (size_t)ink_pool_threads(c->pool), a->scratch_size);
  return a->scratch != NULL;
}

static void attention_back(ink_compute *c, ink_record *record) {
  attention a = ((attention_record *)record)->a;
  a.d_o = record->output->gradient;
  a.dq = ink_gradient_view(c, &a.q);
  a.dk = ink_gradient_view(c, &a.k);
  a.dv = ink_gradient_view(c, &a.v);
  if (c->error.status != INK_OK) return;
  ink_arena_mark mark = ink_arena_save(c->arena);
  int64_t most_segments = a.batch * (a.queries / LEAST_SEGMENT + 1), n = 0;
  segment *segments = ink_op_take(c, "ink_attention", (size_t)most_segments, sizeof *segments);
  if (segments && take_scratch(c, &a)) {
    for (int64_t b = 0; b < a.batch; b++) n += cut(&a, b, segments + n);
    a.segments = segments;
    ink_pool_run(c->pool, (size_t)(n * a.groups), back_task, &a);
  }
  ink_arena_release(c->arena, mark);
}

static bool check(ink_compute *c, const char *name, const ink_tensor *q, const ink_tensor *k,
                  const ink_tensor *v, const ink_tensor *first_key) {
  if (!ink_op_expect_float(c, name, "queries", q)) return false;
  bool fits = q->rank == 4 && k->rank == 4 && q->shape[0] == k->shape[0] &&
              q->shape[3] == k->shape[3] && q->shape[3] > 0 && k->shape[2] > 0 &&
              q->shape[2] % k->shape[2] == 0;
  if (!fits) {
    ink_op_misfit(c, name, q, k);
    return false;
  }
  if (!ink_tensor_same_shape(k, v)) {
    ink_op_misfit(c, name, k, v);
    return false;
  }
  const ink_tensor *kv[] = {k, v};
  for (int i = 0; i < 2; i++) {
    ink_dtype type = kv[i]->dtype;
    if (type == INK_F32 || type == INK_F16 || type == INK_BF16) continue;
    ink_compute_fail(c, INK_ERR_UNSUPPORTED, "%s: keys and values of type %s", name,
                     ink_dtype_about(type)->name);
    return false;
  }
  const ink_tensor *all[] = {q, k, v};
  for (int i = 0; i < 3; i++) {
    if (all[i]->stride[3] == 1 || all[i]->shape[3] == 1) continue;
    char text[96];
    ink_compute_fail(c, INK_ERR_USAGE, "%s: the last dimension of %s is strided", name,
                     ink_tensor_describe(all[i], text));
    return false;
  }
  if (first_key) {
    if (!ink_op_expect(c, name, "first keys", first_key, INK_I32)) return false;
    if (first_key->rank != 2 || first_key->shape[0] != q->shape[0] ||
        first_key->shape[1] != q->shape[1]) {
      ink_op_misfit(c, name, q, first_key);
      return false;
    }
  }
  return true;
}

ink_tensor *ink_attention(ink_compute *c, const ink_tensor *q, const ink_tensor *k,
                          const ink_tensor *v, float scale, ink_attention_mask mask) {
  const char *name = "ink_attention";
  const ink_tensor *inputs[] = {q, k, v};
  if (!ink_op_begin(c, name, 3, inputs) || !check(c, name, q, k, v, mask.first_key)) return NULL;
  if (q->dtype == INK_BF16) return ink_attention_bf16(c, name, q, k, v, scale, mask);
  ink_tensor *y = ink_op_result_like(c, name, q);
  if (!y) return NULL;
  bool record =
      ink_op_differentiable(c, q) || ink_op_differentiable(c, k) || ink_op_differentiable(c, v);
  attention a = {.kernels = ink_kernels_here(),
                 .batch = q->shape[0],
                 .queries = q->shape[1],
                 .heads = q->shape[2],
                 .width = q->shape[3],
                 .keys = k->shape[1],
                 .groups = k->shape[2],
                 .q = *q,
                 .k = *k,
                 .v = *v,
                 .scale = scale,
                 .causal = mask.causal,
                 .query_offset = mask.query_offset,
                 .first_key = mask.first_key ? ink_op_dense_ids(c, name, mask.first_key) : NULL,
                 .o = y->data};
  if (record) {
    a.lse = ink_op_take(c, name, (size_t)(a.batch * a.queries * a.heads), sizeof(float));
  }
  if (c->error.status != INK_OK) return NULL;
  a.sharing = a.heads / a.groups;
  a.tile_heads = least(most(a.sharing, 1), INK_TILE_ROWS);
  a.tile_queries = INK_TILE_ROWS / a.tile_heads;

  int64_t tiles = a.batch * a.groups * (a.sharing > 0 ? tiles_of_group(&a) : 0);
  a.spans = (a.keys + SPAN - 1) / SPAN;
  ink_arena_mark scratch = ink_arena_save(c->arena);
  if (!take_scratch(c, &a)) return NULL;
  if (a.queries * a.tile_heads < INK_TILE_ROWS && a.spans > 1) {
    a.parts = ink_op_take(c, name, (size_t)(tiles * a.spans * part_size(&a)), sizeof(float));
    if (!a.parts) return NULL;
    ink_pool_run(c->pool, (size_t)(tiles * a.spans), span_task, &a);
    ink_pool_run(c->pool, (size_t)tiles, join_task, &a);
  } else {
    ink_pool_run(c->pool, (size_t)tiles, tile_task, &a);
  }
  ink_arena_release(c->arena, scratch);
  if (record) {
    attention_record *r = ink_op_record(c, sizeof *r, attention_back, y);
    if (!r) return NULL;
    r->a = a;
  }
  return y;
}
