// RRDBNet (Wang et al. 2018, section 3.1): residual blocks in residual blocks, each of dense
// convolutions that see all that came before.
#include "models/esrgan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/network.h"
#include "weights/weights.h"

enum { DENSE = 5, IN_BLOCK = 3, FEWEST_ROWS = 16 };

typedef struct dense_block {
  ink_convolution conv[DENSE];
} dense_block;

struct ink_esrgan {
  ink_esrgan_config config;
  ink_network network;
  ink_convolution first, body, hr, last;
  ink_convolution up[3];
  dense_block *blocks;  // IN_BLOCK for each of n_block
};

// ---- the forward pass --------------------------------------------------------------------------

// max(x, 0.2 x).
static ink_tensor *leaky(ink_compute *c, const ink_tensor *x) {
  if (!x) return NULL;
  ink_scope scope = ink_scope_open(c, x->dtype, x->rank, x->shape);
  return ink_scope_close_sum(c, &scope, ink_scale(c, x, 0.2f), ink_scale(c, ink_relu(c, x), 0.8f));
}

// x + 0.2 * y.
static ink_tensor *add_part(ink_compute *c, const ink_tensor *x, const ink_tensor *y) {
  return ink_add(c, x, ink_scale(c, y, 0.2f));
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

// Rows of a picture.
typedef struct span {
  int64_t begin, end;
} span;

// `rows` and those around them that a convolution sees, within a picture.
static span around(span rows, int64_t by, int64_t height) {
  return (span){rows.begin > by ? rows.begin - by : 0, least(rows.end + by, height)};
}

// Rows `wanted` of a tensor that holds `held`.
static ink_tensor *part_of(ink_compute *c, const ink_tensor *x, span held, span wanted) {
  return ink_slice(c, x, 1, wanted.begin - held.begin, wanted.end - wanted.begin);
}

// One convolution of a dense block over rows `seen` of all that came before, for rows `rows`.
static ink_tensor *run_dense_layer(ink_compute *c, const ink_convolution *w, int n,
                                   ink_tensor *const *before, const span *held, span rows,
                                   int64_t height, bool activate) {
  span seen = around(rows, 1, height);
  const ink_tensor *parts[DENSE] = {NULL};
  if (!before[0]) return NULL;
  ink_scope scope = ink_scope_open(c, before[0]->dtype, 4,
                                   (int64_t[]){before[0]->shape[0], rows.end - rows.begin,
                                               before[0]->shape[2], w->weight->shape[0]});
  for (int i = 0; i < n; i++) parts[i] = part_of(c, before[i], held[i], seen);
  const ink_tensor *all = n > 1 ? ink_concat(c, 3, n, parts) : parts[0];
  ink_padding padding = {rows.begin == 0, 1, rows.end == height, 1};
  ink_tensor *y = ink_conv2d(c, all, w->weight, w->bias, 1, padding);
  return ink_scope_close(c, &scope, activate ? leaky(c, y) : y);
}

// Rows `rows` of a dense block, of which x holds `held`: those and five around them, for each of
// the convolutions sees one more.
static ink_tensor *run_dense_rows(ink_compute *c, const dense_block *w, ink_tensor *x, span held,
                                  span rows, int64_t height) {
  if (!x) return NULL;
  ink_scope scope = ink_scope_open(
      c, x->dtype, 4, (int64_t[]){x->shape[0], rows.end - rows.begin, x->shape[2], x->shape[3]});
  ink_tensor *before[DENSE] = {x};
  span have[DENSE] = {held};
  ink_tensor *y = NULL;
  for (int i = 0; i < DENSE; i++) {
    bool last = i + 1 == DENSE;
    span now = around(rows, DENSE - 1 - i, height);
    y = run_dense_layer(c, &w->conv[i], i + 1, before, have, now, height, !last);
    if (last) break;
    before[i + 1] = y;
    have[i + 1] = now;
  }
  return ink_scope_close(c, &scope, add_part(c, part_of(c, x, held, rows), y));
}

static ink_tensor *run_dense(ink_compute *c, const dense_block *w, ink_tensor *x) {
  if (!x) return NULL;
  span all = {0, x->shape[1]};
  return run_dense_rows(c, w, x, all, all, all.end);
}

static ink_tensor *run_block(ink_compute *c, const dense_block *w, ink_tensor *x) {
  if (!x) return NULL;
  ink_scope scope = ink_scope_like(c, x, x->shape[3]);
  ink_tensor *y = x;
  for (int i = 0; i < IN_BLOCK; i++) y = run_dense(c, &w[i], y);
  return ink_scope_close(c, &scope, add_part(c, x, y));
}

// Squares of factor x factor pixels as channels, in torch's order: channel, row, column.
static ink_tensor *unshuffle(ink_compute *c, const ink_tensor *x, int64_t factor) {
  int64_t h = x->shape[1] / factor, w = x->shape[2] / factor;
  int64_t shape[4] = {x->shape[0], h, w, x->shape[3] * factor * factor};
  ink_tensor *y = ink_tensor_new(c->arena, INK_F32, 4, shape);
  if (!y) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a picture");
  const float *from = x->data;
  for (int64_t b = 0; b < x->shape[0]; b++) {
    for (int64_t row = 0; row < x->shape[1]; row++) {
      for (int64_t column = 0; column < x->shape[2]; column++) {
        float *to = (float *)y->data + ((b * h + row / factor) * w + column / factor) * shape[3];
        int64_t place = row % factor * factor + column % factor;
        for (int64_t k = 0; k < x->shape[3]; k++) to[k * factor * factor + place] = *from++;
      }
    }
  }
  return y;
}

static ink_tensor *enlarge(ink_compute *c, const ink_convolution *w, const ink_tensor *x) {
  if (!x) return NULL;
  ink_scope scope = ink_scope_open(
      c, x->dtype, 4, (int64_t[]){x->shape[0], 2 * x->shape[1], 2 * x->shape[2], x->shape[3]});
  ink_tensor *y = ink_run_enlarged(c, x, w);
  return ink_scope_close(c, &scope, leaky(c, y));
}

static ink_tensor *run_trunk(ink_compute *c, const ink_esrgan *w, const ink_tensor *picture) {
  const ink_esrgan_config *g = &w->config;
  ink_tensor *first = ink_run_convolution(c, picture, &w->first, 1), *x = first;
  for (int32_t i = 0; i < g->n_block; i++) x = run_block(c, &w->blocks[i * IN_BLOCK], x);
  return ink_add(c, first, ink_run_convolution(c, x, &w->body, 1));
}

static ink_tensor *run_tail(ink_compute *c, const ink_esrgan *w, ink_tensor *x) {
  const ink_esrgan_config *g = &w->config;
  for (int32_t i = 0; i < g->n_up; i++) x = enlarge(c, &w->up[i], x);
  x = leaky(c, ink_run_convolution(c, x, &w->hr, 1));
  return ink_run_convolution(c, x, &w->last, 1);
}

// ---- the trunk in bands -------------------------------------------------------------------------

enum { BAND_BYTES = 64 << 20 };

// A dense block after the other, each in bands of rows, from one place to another: what a block has
// in between is as large as a band, and each pixel is made of the same numbers in the same order.

// The picture as it is, the outer block's input and what comes next; the trunk's own input.
typedef struct trunk_bands {
  ink_compute *c;
  const ink_esrgan *w;
  ink_tensor *place[3], *first;
  int64_t height, step;  // rows of the picture, and of a band
} trunk_bands;

static ink_tensor *rows_of(const trunk_bands *t, const ink_tensor *x, span rows) {
  return part_of(t->c, x, (span){0, t->height}, rows);
}

// A dense block from `from` to `to`; behind the third also its outer block's sum with `outer`.
static void run_dense_in_bands(const trunk_bands *t, const dense_block *w, const ink_tensor *from,
                               const ink_tensor *outer, const ink_tensor *to) {
  ink_compute *c = t->c;
  for (int64_t at = 0; at < t->height && c->error.status == INK_OK; at += t->step) {
    span rows = {at, least(at + t->step, t->height)}, seen = around(rows, DENSE, t->height);
    ink_arena_mark mark = ink_arena_save(c->arena);
    ink_tensor *y = run_dense_rows(c, w, rows_of(t, from, seen), seen, rows, t->height);
    if (outer) y = add_part(c, rows_of(t, outer, rows), y);
    ink_store(c, y, rows_of(t, to, rows));
    ink_arena_release(c->arena, mark);
  }
}

// first + convolution of x, rows by rows.
static void run_body_in_bands(const trunk_bands *t, const ink_tensor *x, const ink_tensor *to) {
  ink_compute *c = t->c;
  const ink_convolution *w = &t->w->body;
  for (int64_t at = 0; at < t->height && c->error.status == INK_OK; at += t->step) {
    span rows = {at, least(at + t->step, t->height)}, seen = around(rows, 1, t->height);
    ink_arena_mark mark = ink_arena_save(c->arena);
    ink_padding padding = {rows.begin == 0, 1, rows.end == t->height, 1};
    ink_tensor *y = ink_conv2d(c, rows_of(t, x, seen), w->weight, w->bias, 1, padding);
    ink_add_into(c, rows_of(t, t->first, rows), y, rows_of(t, to, rows));
    ink_arena_release(c->arena, mark);
  }
}

static ink_tensor *run_trunk_in_bands(ink_compute *c, const ink_esrgan *w,
                                      const ink_tensor *picture, size_t band_bytes) {
  const ink_esrgan_config *g = &w->config;
  ink_tensor *first = ink_run_convolution(c, picture, &w->first, 1);
  if (!first) return NULL;
  trunk_bands t = {.c = c, .w = w, .first = first, .height = first->shape[1]};
  for (int i = 0; i < 3; i++) {
    t.place[i] = ink_tensor_new(c->arena, first->dtype, 4, first->shape);
    if (!t.place[i]) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a picture");
  }
  // What a row of a band takes: all that a dense block has seen, twice, and its sums.
  int64_t channels = 2 * (g->features + (DENSE - 1) * (int64_t)g->growth) + 4 * g->features;
  int64_t row = first->shape[2] * channels * (int64_t)ink_dtype_about(first->dtype)->block_bytes;
  t.step = (int64_t)(band_bytes / (size_t)(row > 0 ? row : 1));
  if (t.step < FEWEST_ROWS) t.step = FEWEST_ROWS;
  ink_tensor *x = first;
  for (int32_t i = 0; i < g->n_block; i++) {
    const dense_block *blocks = &w->blocks[i * IN_BLOCK];
    // x stays for the sum; of the other places two take turns.
    int first_free = t.place[0] == x;
    int second_free = first_free + 1 + (t.place[first_free + 1] == x);
    ink_tensor *a = t.place[first_free], *b = t.place[second_free];
    run_dense_in_bands(&t, &blocks[0], x, NULL, a);
    run_dense_in_bands(&t, &blocks[1], a, NULL, b);
    run_dense_in_bands(&t, &blocks[2], b, x, a);
    x = a;
  }
  ink_tensor *y = t.place[t.place[0] == x];
  run_body_in_bands(&t, x, y);
  return c->error.status == INK_OK ? y : NULL;
}

// ---- the tail in bands --------------------------------------------------------------------------

// Behind the trunk the picture is large and each of its pixels sees few others: rows of it are made
// from the rows around them, which gives the bytes of the whole.

enum { TAIL_BYTES = 16 << 20 };

// Rows [begin, end) of what stage `stage` gives: 0 the trunk, 1 … n_up enlarged, then hr, then
// last.
static ink_tensor *stage_rows(ink_compute *c, const ink_esrgan *w, int32_t stage,
                              const ink_tensor *trunk, int64_t begin, int64_t end) {
  int32_t n_up = w->config.n_up;
  if (stage == 0) return ink_slice(c, trunk, 1, begin, end - begin);
  bool larger = stage <= n_up;
  int64_t height = trunk->shape[1] << least(stage, n_up);
  int64_t first = begin > 0 ? begin - 1 : 0, last = least(end + 1, height);
  int64_t from = larger ? first / 2 : first, to = larger ? (last + 1) / 2 : last;
  ink_tensor *x = stage_rows(c, w, stage - 1, trunk, from, to);
  if (larger) {
    const ink_convolution *up = &w->up[stage - 1];
    return leaky(c, ink_conv2d_enlarged(c, x, up->weight, up->bias, begin - 2 * from, end - begin));
  }
  const ink_convolution *conv = stage == n_up + 1 ? &w->hr : &w->last;
  ink_padding padding = {begin == 0, 1, end == height, 1};
  ink_tensor *y = ink_conv2d(c, x, conv->weight, conv->bias, 1, padding);
  return stage == n_up + 2 ? y : leaky(c, y);
}

// Into `result`, F32.
static void run_tail_in_bands(ink_compute *c, const ink_esrgan *w, const ink_tensor *trunk,
                              size_t band_bytes, const ink_tensor *result) {
  if (!trunk) return;
  int64_t height = result->shape[1];
  int64_t row = result->shape[2] * w->config.features * (int64_t)sizeof(float);
  int64_t step = least((int64_t)band_bytes, TAIL_BYTES) / row;
  if (step < FEWEST_ROWS) step = FEWEST_ROWS;
  for (int64_t at = 0; at < height && c->error.status == INK_OK; at += step) {
    int64_t end = least(at + step, height);
    ink_arena_mark mark = ink_arena_save(c->arena);
    ink_tensor *y = stage_rows(c, w, w->config.n_up + 2, trunk, at, end);
    if (y && y->dtype != INK_F32) y = ink_cast(c, y, INK_F32);
    ink_store(c, y, ink_slice(c, result, 1, at, end - at));
    ink_arena_release(c->arena, mark);
  }
}

ink_tensor *ink_esrgan_forward(ink_compute *c, const ink_esrgan *esrgan, const ink_tensor *picture,
                               ink_dtype activations, size_t band_bytes) {
  const ink_esrgan_config *g = &esrgan->config;
  char shape[96];
  if (c->error.status != INK_OK) return NULL;
  if (!picture || picture->dtype != INK_F32 || picture->rank != 4 ||
      picture->shape[3] != g->in_channels || picture->shape[0] < 1 || picture->shape[1] < 1 ||
      picture->shape[2] < 1 || picture->shape[1] % g->unshuffle ||
      picture->shape[2] % g->unshuffle || !ink_tensor_is_contiguous(picture)) {
    return ink_compute_fail(c, INK_ERR_USAGE,
                            "a picture to enlarge must be F32 (B, H, W, %d), H and W multiples of "
                            "%d: %s",
                            g->in_channels, g->unshuffle,
                            picture ? ink_tensor_describe(picture, shape) : "absent");
  }
  ink_scope scope = ink_scope_open(c, INK_F32, 4,
                                   (int64_t[]){picture->shape[0], picture->shape[1] * g->scale,
                                               picture->shape[2] * g->scale, g->out_channels});
  const ink_tensor *x = g->unshuffle > 1 ? unshuffle(c, picture, g->unshuffle) : picture;
  bool bf16 = activations == INK_BF16;
  if (bf16) x = ink_cast(c, x, INK_BF16);
  if (scope.result && picture->shape[0] == 1) {
    size_t bytes = band_bytes ? band_bytes : BAND_BYTES;
    run_tail_in_bands(c, esrgan, run_trunk_in_bands(c, esrgan, x, bytes), bytes, scope.result);
    ink_arena_release(c->arena, scope.mark);
    return c->error.status == INK_OK ? scope.result : NULL;
  }
  ink_tensor *y = run_tail(c, esrgan, run_trunk(c, esrgan, x));
  return ink_scope_close(c, &scope, bf16 ? ink_cast(c, y, INK_F32) : y);
}

// ---- parameters --------------------------------------------------------------------------------

static void bind_dense(ink_network_builder *b, const ink_esrgan_config *g, dense_block *w) {
  for (int64_t i = 0; i < DENSE; i++) {
    char name[16];
    snprintf(name, sizeof name, "conv%d", (int)i + 1);
    int64_t out = i + 1 < DENSE ? g->growth : g->features;
    w->conv[i] = ink_network_convolution(b, name, out, g->features + i * g->growth, 3, true);
  }
}

static void bind(ink_network_builder *b, ink_esrgan *w) {
  const ink_esrgan_config *g = &w->config;
  int64_t width = g->features, in = (int64_t)g->in_channels * g->unshuffle * g->unshuffle;
  w->first = ink_network_convolution(b, "conv_first", width, in, 3, true);
  w->blocks = ink_network_take(b, (size_t)g->n_block * IN_BLOCK, sizeof *w->blocks);
  for (int32_t i = 0; w->blocks && i < g->n_block * IN_BLOCK; i++) {
    ink_network_scope(b, "body.%d.rdb%d.", i / IN_BLOCK, i % IN_BLOCK + 1);
    bind_dense(b, g, &w->blocks[i]);
  }
  ink_network_scope(b, "%s", "");
  w->body = ink_network_convolution(b, "conv_body", width, width, 3, true);
  for (int32_t i = 0; i < g->n_up; i++) {
    char name[16];
    snprintf(name, sizeof name, "conv_up%d", i + 1);
    w->up[i] = ink_network_convolution(b, name, width, width, 3, true);
  }
  w->hr = ink_network_convolution(b, "conv_hr", width, width, 3, true);
  w->last = ink_network_convolution(b, "conv_last", g->out_channels, width, 3, true);
}

// Older files: a numbered sequence in which activations and enlargements count too.
static bool stored_name(const void *config, ink_naming naming, const char *name,
                        ink_stored_name *out) {
  const ink_esrgan_config *g = config;
  int i, rdb, conv, n = -1, used = 0;
  char *room = out->name;
  if (naming != INK_NAMING_LDM) return false;
  if (sscanf(name, "body.%d.rdb%d.conv%d.%n", &i, &rdb, &conv, &used) == 3 && used > 0) {
    n = snprintf(room, INK_NAME, "model.1.sub.%d.RDB%d.conv%d.0.%s", i, rdb, conv, name + used);
  } else if (sscanf(name, "conv_up%d.%n", &i, &used) == 1 && used > 0) {
    n = snprintf(room, INK_NAME, "model.%d.%s", 3 * i, name + used);
  } else if (strncmp(name, "conv_first.", 11) == 0) {
    n = snprintf(room, INK_NAME, "model.0.%s", name + 11);
  } else if (strncmp(name, "conv_body.", 10) == 0) {
    n = snprintf(room, INK_NAME, "model.1.sub.%d.%s", g->n_block, name + 10);
  } else if (strncmp(name, "conv_hr.", 8) == 0) {
    n = snprintf(room, INK_NAME, "model.%d.%s", 3 * g->n_up + 2, name + 8);
  } else if (strncmp(name, "conv_last.", 10) == 0) {
    n = snprintf(room, INK_NAME, "model.%d.%s", 3 * g->n_up + 4, name + 10);
  }
  out->part = 0;
  out->parts = 1;
  out->transposed = false;
  return n >= 0 && n < INK_NAME;
}

static ink_status check_config(const ink_esrgan_config *g, ink_error *error) {
  enum { MOST = 1 << 12 };
  bool fits = g->in_channels >= 1 && g->in_channels <= MOST && g->out_channels >= 1 &&
              g->out_channels <= MOST && g->features >= 1 && g->features <= MOST &&
              g->growth >= 1 && g->growth <= MOST && g->n_block >= 1 && g->n_block <= 256 &&
              g->n_up >= 0 && g->n_up <= 3 && g->unshuffle >= 1 &&
              (1 << g->n_up) == g->scale * g->unshuffle;
  if (fits) return INK_OK;
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "an upscaler of %d blocks, %d features, scale %d is not possible", g->n_block,
                  g->features, g->scale);
}

ink_status ink_esrgan_new(const ink_esrgan_config *config, const ink_source *source,
                          ink_esrgan **esrgan, ink_error *error) {
  ink_error unused = {0};
  if (!error) error = &unused;
  *esrgan = NULL;
  INK_TRY(check_config(config, error));
  ink_esrgan *new = calloc(1, sizeof *new);
  if (!new) return ink_fail(error, INK_ERR_MEMORY, "no memory for an upscaler");
  new->config = *config;
  ink_network_builder b;
  ink_network_start(&b, &new->network, source, &new->config, stored_name, error);
  if (b.status == INK_OK) bind(&b, new);
  ink_status status = ink_network_finish(&b);
  if (status != INK_OK) {
    ink_esrgan_free(new);
    return status;
  }
  *esrgan = new;
  return INK_OK;
}

void ink_esrgan_free(ink_esrgan *esrgan) {
  if (!esrgan) return;
  ink_network_free(&esrgan->network);
  free(esrgan);
}

const ink_esrgan_config *ink_esrgan_about(const ink_esrgan *esrgan) {
  return &esrgan->config;
}

// ---- files --------------------------------------------------------------------------------------

static const ink_weights_entry *find(const ink_weights *weights, const char *pattern, int number) {
  char name[96];
  const char *hole = strstr(pattern, "%d");
  if (hole) {
    snprintf(name, sizeof name, "%.*s%d%s", (int)(hole - pattern), pattern, number, hole + 2);
  } else {
    snprintf(name, sizeof name, "%s", pattern);
  }
  const ink_weights_entry *entry = ink_weights_entry_of(weights, name);
  return entry && entry->rank == 4 && entry->shape[0] <= 1 << 12 && entry->shape[1] <= 1 << 12
             ? entry
             : NULL;
}

static int count(const ink_weights *weights, const char *pattern, int first, int step, int most) {
  int n = 0;
  while (n < most && find(weights, pattern, first + n * step)) n++;
  return n;
}

ink_status ink_esrgan_config_from_weights(const ink_weights *weights, ink_esrgan_config *config,
                                          ink_naming *naming, ink_error *error) {
  bool old = find(weights, "model.0.weight", 0) != NULL;
  ink_esrgan_config g = {.unshuffle = 1};
  const ink_weights_entry *first = find(weights, old ? "model.0.weight" : "conv_first.weight", 0);
  const ink_weights_entry *dense =
      find(weights, old ? "model.1.sub.0.RDB1.conv1.0.weight" : "body.0.rdb1.conv1.weight", 0);
  // The older files' last layer is the highest in the sequence, two behind the one before it.
  g.n_up = old ? count(weights, "model.%d.weight", 3, 3, 3)
               : count(weights, "conv_up%d.weight", 1, 1, 3);
  const ink_weights_entry *last =
      old ? find(weights, "model.%d.weight", 3 * g.n_up + 4) : find(weights, "conv_last.weight", 0);
  if (!first || !dense || !last) {
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    "%s: not an upscaler of the form ESRGAN: neither conv_first and body.0.rdb1, "
                    "nor model.0 and model.1.sub.0.RDB1",
                    ink_weights_path(weights));
  }
  g.n_block = old ? count(weights, "model.1.sub.%d.RDB1.conv1.0.weight", 0, 1, 256)
                  : count(weights, "body.%d.rdb1.conv1.weight", 0, 1, 256);
  g.features = (int32_t)first->shape[0];
  g.growth = (int32_t)dense->shape[0];
  g.out_channels = g.in_channels = (int32_t)last->shape[0];
  for (int32_t factor = 2; factor <= 4; factor *= 2) {
    if (first->shape[1] == (int64_t)g.in_channels * factor * factor) g.unshuffle = factor;
  }
  g.scale = (1 << g.n_up) / g.unshuffle;
  *naming = old ? INK_NAMING_LDM : INK_NAMING_DIFFUSERS;
  *config = g;
  ink_status status = check_config(config, error);
  return status == INK_OK ? INK_OK : ink_context(error, status, "%s", ink_weights_path(weights));
}
