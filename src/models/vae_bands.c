// The autoencoder in bands of rows. A layer reads the picture in one place and writes it to
// another, which the next layer reads: two places do for all. Norms are split (tensor/ops.h):
// statistics over the whole picture, then what they make of a band.
#include <string.h>

#include "models/vae_parts.h"

enum { BAND_BYTES = 8 << 20, FEWEST_ROWS = 8 };

typedef struct bands {
  ink_compute *c;
  ink_groups groups;
  ink_dtype dtype;
  size_t band_bytes;
  bool measuring;   // how large the places must be; nothing is computed
  size_t bytes[2];  // of the places
  void *memory[2];
  int now;       // the place of x
  ink_tensor x;  // the picture as it is now
} bands;

// ---- places -------------------------------------------------------------------------------------

// The other place, seen as a picture of this size.
static ink_tensor other_place(bands *b, int64_t height, int64_t width, int64_t channels) {
  int64_t shape[4] = {1, height, width, channels};
  ink_tensor y = ink_tensor_view(b->dtype, b->memory[!b->now], 4, shape);
  size_t bytes;
  if (!ink_tensor_bytes(b->dtype, 4, shape, &bytes)) {
    ink_compute_fail(b->c, INK_ERR_MEMORY, "a picture of %lld x %lld is too large to encode",
                     (long long)width, (long long)height);
  } else if (b->measuring && bytes > b->bytes[!b->now]) {
    b->bytes[!b->now] = bytes;
  }
  return y;
}

static void move_to(bands *b, const ink_tensor *y) {
  b->x = *y;
  b->now = !b->now;
}

static bool idle(const bands *b) {
  return b->measuring || b->c->error.status != INK_OK;
}

// Rows of a band of a picture like y.
static int64_t rows_of(const bands *b, const ink_tensor *y) {
  int64_t row = y->shape[2] * y->shape[3] * (y->dtype == INK_BF16 ? 2 : 4);
  int64_t rows = (int64_t)b->band_bytes / (row > 0 ? row : 1);
  return rows < FEWEST_ROWS ? FEWEST_ROWS : rows;
}

static ink_tensor *rows(ink_compute *c, const ink_tensor *x, int64_t begin, int64_t end) {
  return ink_slice(c, x, 1, begin, end - begin);
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

// ---- layers -------------------------------------------------------------------------------------

// A convolution that may see its input normed or enlarged by two, or every second pixel of it.
typedef struct layer {
  const ink_convolution *convolution;
  const ink_norm *norm;  // and SiLU; NULL: none
  bool enlarge, halve;
} layer;

static ink_tensor *statistics_of(bands *b, const ink_norm *norm, const ink_tensor *x) {
  return ink_group_statistics(b->c, x, b->groups.n, norm->weight, norm->bias, b->groups.epsilon);
}

// Rows [begin, end) of the convolution of x enlarged into their place; NULL: a new one.
static ink_tensor *enlarge_band(bands *b, const ink_convolution *w, const ink_tensor *x,
                                int64_t begin, int64_t end, const ink_tensor *into) {
  int64_t from = begin > 0 ? (begin - 1) / 2 : 0, to = least(end / 2 + 1, x->shape[1]);
  const ink_tensor *part = rows(b->c, x, from, to);
  int64_t first = begin - 2 * from;
  if (!into) return ink_conv2d_enlarged(b->c, part, w->weight, w->bias, first, end - begin);
  ink_conv2d_enlarged_into(b->c, part, w->weight, w->bias, first, into);
  return NULL;
}

// Rows [begin, end) of the layer's output into their place; NULL: a new one.
static ink_tensor *run_band(bands *b, const layer *l, const ink_tensor *x,
                            const ink_tensor *statistics, int64_t begin, int64_t end,
                            const ink_tensor *into) {
  ink_compute *c = b->c;
  const ink_convolution *w = l->convolution;
  if (l->enlarge) return enlarge_band(b, w, x, begin, end, into);
  int64_t around = w->weight->shape[2] / 2, all = x->shape[1];
  int64_t first = l->halve ? 2 * begin : begin - around;
  int64_t last = l->halve ? 2 * end + 1 : end + around;
  ink_padding padding = {.left = around, .right = around};
  if (l->halve) padding = (ink_padding){.right = 1};
  padding.top = first < 0 ? -first : 0;
  padding.bottom = last > all ? last - all : 0;
  first += padding.top;
  last -= padding.bottom;
  ink_tensor *part = rows(c, x, first, last);
  if (part && part->dtype != b->dtype) part = ink_cast(c, part, b->dtype);
  if (statistics) part = ink_scale_channels(c, part, statistics, true);
  int64_t stride = l->halve ? 2 : 1;
  if (!into) return ink_conv2d(c, part, w->weight, w->bias, stride, padding);
  ink_conv2d_into(c, part, w->weight, w->bias, stride, padding, into);
  return NULL;
}

// The layer over all of x, into y.
static void run_layer_into(bands *b, const layer *l, const ink_tensor *x, const ink_tensor *y) {
  ink_compute *c = b->c;
  ink_arena_mark mark = ink_arena_save(c->arena);
  ink_tensor *statistics = l->norm ? statistics_of(b, l->norm, x) : NULL;
  int64_t step = rows_of(b, x->shape[1] * x->shape[3] > y->shape[1] * y->shape[3] ? x : y);
  for (int64_t at = 0; at < y->shape[1] && c->error.status == INK_OK; at += step) {
    int64_t end = least(at + step, y->shape[1]);
    ink_arena_mark band = ink_arena_save(c->arena);
    const ink_tensor *place = rows(c, y, at, end);
    bool direct = y->dtype == b->dtype;
    ink_tensor *part = run_band(b, l, x, statistics, at, end, direct ? place : NULL);
    if (!direct) ink_store(c, part, place);
    ink_arena_release(c->arena, band);
  }
  ink_arena_release(c->arena, mark);
}

static void run_layer(bands *b, const layer *l) {
  int64_t height = b->x.shape[1], width = b->x.shape[2];
  if (l->enlarge) height *= 2, width *= 2;
  if (l->halve) height /= 2, width /= 2;
  ink_tensor y = other_place(b, height, width, l->convolution->weight->shape[0]);
  if (!idle(b)) run_layer_into(b, l, &b->x, &y);
  move_to(b, &y);
}

// The second half of a residual block, over its first in the same place: rows that were replaced
// are still seen by those below, so the last of them is kept.
static void finish_resnet(bands *b, const ink_resnet *w, ink_tensor *h) {
  ink_compute *c = b->c;
  layer straight = {.convolution = &w->shortcut};
  ink_tensor *statistics = statistics_of(b, &w->norm2, h);
  ink_tensor *above =
      ink_tensor_new(c->arena, b->dtype, 4, (int64_t[]){1, 1, h->shape[2], h->shape[3]});
  if (!above) ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a band of a picture");
  int64_t height = h->shape[1], step = rows_of(b, h);
  for (int64_t at = 0; at < height && c->error.status == INK_OK; at += step) {
    int64_t end = least(at + step, height);
    ink_arena_mark band = ink_arena_save(c->arena);
    // Within `seen` the band begins at the second row, but for the picture's first.
    int64_t skip = at > 0, below = least(end + 1, height);
    ink_tensor *seen = ink_tensor_new(c->arena, b->dtype, 4,
                                      (int64_t[]){1, skip + below - at, h->shape[2], h->shape[3]});
    if (!seen) {
      ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a band of a picture");
      break;
    }
    if (skip) ink_scale_channels_into(c, above, statistics, true, rows(c, seen, 0, 1));
    ink_scale_channels_into(c, rows(c, h, at, below), statistics, true,
                            rows(c, seen, skip, seen->shape[1]));
    // Its own padding is where the picture ends; elsewhere there are rows.
    ink_padding padding = {!skip, 1, end == height, 1};
    ink_tensor *y = ink_conv2d(c, seen, w->conv2.weight, w->conv2.bias, 1, padding);
    const ink_tensor *x = w->shortcut.weight ? run_band(b, &straight, &b->x, NULL, at, end, NULL)
                                             : rows(c, &b->x, at, end);
    ink_store(c, rows(c, h, end - 1, end), above);
    ink_add_into(c, x, y, rows(c, h, at, end));
    ink_arena_release(c->arena, band);
  }
}

static void run_resnet(bands *b, const ink_resnet *w) {
  ink_compute *c = b->c;
  ink_tensor h = other_place(b, b->x.shape[1], b->x.shape[2], w->conv1.weight->shape[0]);
  if (!idle(b)) {
    ink_arena_mark mark = ink_arena_save(c->arena);
    run_layer_into(b, &(layer){.convolution = &w->conv1, .norm = &w->norm1}, &b->x, &h);
    finish_resnet(b, w, &h);
    ink_arena_release(c->arena, mark);
  }
  move_to(b, &h);
}

static void run_levels(bands *b, const ink_vae *vae, const ink_vae_half *w, bool up) {
  for (int32_t i = 0; i < vae->config.n_level; i++) {
    const ink_vae_level *level = &w->levels[i];
    for (int32_t j = 0; j < level->n; j++) run_resnet(b, &level->resnets[j]);
    if (!level->resample.weight) continue;
    run_layer(b, &(layer){.convolution = &level->resample, .enlarge = up, .halve = !up});
  }
}

// The middle sees all of a small picture at once.
static void run_middle(bands *b, const ink_vae_half *w) {
  ink_compute *c = b->c;
  if (idle(b)) return;
  ink_arena_mark mark = ink_arena_save(c->arena);
  ink_tensor *y = ink_vae_run_middle(c, &w->middle, b->groups, &b->x);
  ink_store(c, y, &b->x);
  ink_arena_release(c->arena, mark);
}

static void take_places(bands *b) {
  b->measuring = false;
  for (int i = 0; i < 2; i++) {
    b->memory[i] = ink_arena_take(b->c->arena, b->bytes[i] ? b->bytes[i] : 1);
    if (!b->memory[i]) ink_compute_fail(b->c, INK_ERR_MEMORY, "no memory for a picture");
  }
}

// ---- both ways ----------------------------------------------------------------------------------

static bands bands_of(ink_compute *c, const ink_vae *vae, ink_dtype activations,
                      size_t band_bytes) {
  return (bands){.c = c,
                 .groups = ink_vae_groups(vae),
                 .dtype = activations,
                 .band_bytes = band_bytes ? band_bytes : BAND_BYTES,
                 .measuring = true};
}

static void walk_down(bands *b, const ink_vae *vae, const ink_tensor *picture) {
  b->x = *picture;
  b->now = 0;
  run_layer(b, &(layer){.convolution = &vae->encoder.in});
  run_levels(b, vae, &vae->encoder, false);
  run_middle(b, &vae->encoder);
}

static void walk_up(bands *b, const ink_vae *vae, const ink_tensor *latents) {
  const ink_vae_half *w = &vae->decoder;
  b->x = *latents;
  b->now = 0;
  if (vae->post_quant.weight) run_layer(b, &(layer){.convolution = &vae->post_quant});
  run_layer(b, &(layer){.convolution = &w->in});
  run_middle(b, w);
  run_levels(b, vae, w, true);
}

ink_tensor *ink_vae_encode_bands(ink_compute *c, const ink_vae *vae, const ink_tensor *picture,
                                 ink_dtype activations, size_t band_bytes) {
  const ink_vae_half *w = &vae->encoder;
  bands b = bands_of(c, vae, activations, band_bytes);
  walk_down(&b, vae, picture);
  take_places(&b);
  walk_down(&b, vae, picture);
  ink_tensor *y =
      ink_run_convolution(c, ink_activate_groups(c, &b.x, &w->out_norm, b.groups), &w->out, 1);
  return vae->quant.weight ? ink_run_convolution(c, y, &vae->quant, 1) : y;
}

ink_tensor *ink_vae_decode_bands(ink_compute *c, const ink_vae *vae, const ink_tensor *latents,
                                 ink_dtype activations, size_t band_bytes) {
  const ink_vae_half *w = &vae->decoder;
  int64_t factor = ink_vae_factor(vae);
  bands b = bands_of(c, vae, activations, band_bytes);
  ink_scope scope =
      ink_scope_open(c, INK_F32, 4,
                     (int64_t[]){1, latents->shape[1] * factor, latents->shape[2] * factor,
                                 vae->config.out_channels});
  walk_up(&b, vae, latents);
  take_places(&b);
  walk_up(&b, vae, latents);
  if (scope.result) {
    layer last = {.convolution = &w->out, .norm = &w->out_norm};
    run_layer_into(&b, &last, &b.x, scope.result);
    ink_arena_release(c->arena, scope.mark);
  }
  return c->error.status == INK_OK ? scope.result : NULL;
}
