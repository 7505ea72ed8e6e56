// The tiny autoencoder (TAESD, madebyollin/taesd): blocks of three convolutions with a shortcut,
// no norms. FLUX.2's relative has a normalised detour in its blocks at the latents' size.
#include "models/taesd.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "models/config.h"
#include "models/network.h"
#include "weights/weights.h"

enum { POOL_GROUPS = 4, POOL_WIDTH = 4 };

typedef struct tiny_block {
  ink_convolution conv[3];
  ink_convolution pool1, pool2;  // 1x1; weight NULL: no detour
  ink_norm pool_norm;
} tiny_block;

// A level of the encoder is a convolution, then blocks; of the decoder blocks, then a convolution.
typedef struct tiny_level {
  ink_convolution conv;
  tiny_block *blocks;
  int32_t n;
} tiny_level;

typedef struct tiny_half {
  ink_convolution ends;  // to the latents, or from them
  tiny_level *levels;    // NULL: this half was left out
} tiny_half;

struct ink_taesd {
  ink_taesd_config config;
  ink_network networks[2];  // encoder, decoder
  tiny_half encoder, decoder;
  ink_parameter *parameters;  // of both
};

// ---- the forward pass --------------------------------------------------------------------------

// One layer of several that go over a picture together, band by band: what lies between them is
// read again before it leaves the cache, and no more of it is kept than is read again.
typedef struct stage {
  const ink_convolution *w;   // NULL: a picture that is there
  struct stage *from, *also;  // what it reads, and what is added to that; also NULL: nothing
  bool enlarged;              // reads all of `from` enlarged by two
  bool plain;                 // no rectifier
  int64_t height;
  ink_tensor rows;     // of its result: from `first` on
  bool whole;          // all rows are kept
  int64_t first, end;  // rows that are kept, and those that are made end before `end`
  int64_t wanted;      // rows that this band needs end before it
} stage;

static const ink_tensor *rows_of(ink_compute *c, const stage *s, int64_t begin, int64_t end) {
  return ink_slice(c, &s->rows, 1, begin - s->first, end - begin);
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b) {
  return a > b ? a : b;
}

// Give up rows before `needed` where others have to be made. Then those that read this stage went
// on by a whole band, so what is kept does not overlap its new place.
static void forget_rows(ink_compute *c, stage *s, int64_t needed) {
  if (s->whole || needed <= s->first || s->end >= s->wanted) return;
  stage moved = *s;
  moved.first = needed;
  const ink_tensor *kept = rows_of(c, s, needed, s->end);
  const ink_tensor *place = rows_of(c, &moved, needed, s->end);
  if (kept && place) ink_store(c, kept, place);
  s->first = needed;
}

// Make the rows that are wanted.
static void advance(ink_compute *c, stage *s) {
  int64_t begin = s->end, end = s->wanted;
  if (begin >= end) return;
  s->end = end;
  const ink_tensor *into = rows_of(c, s, begin, end);
  if (s->enlarged) {
    int64_t from = most(begin - 1, 0) / 2, to = least(end / 2 + 1, s->from->height);
    ink_conv2d_enlarged_into(c, rows_of(c, s->from, from, to), s->w->weight, s->w->bias,
                             begin - 2 * from, into);
    return;
  }
  bool top = begin == 0, bottom = end == s->height;
  ink_padding padding = {top, 1, bottom, 1};
  const ink_tensor *x = rows_of(c, s->from, begin - !top, end + !bottom);
  if (!x || !into) return;
  if (s->plain) {
    ink_conv2d_into(c, x, s->w->weight, s->w->bias, 1, padding, into);
  } else {
    const ink_tensor *also = s->also ? rows_of(c, s->also, begin, end) : NULL;
    ink_conv2d_relu_into(c, x, s->w->weight, s->w->bias, 1, padding, also, into);
  }
}

// Run n stages, each of which reads stages before it; the last one's rows are whole.
static void run_stages(ink_compute *c, stage *stages, int n, int64_t width) {
  enum { BAND_PIXELS = 1 << 15 };
  int64_t height = stages[n - 1].height, step = most(BAND_PIXELS / width, n);
  ink_arena_mark mark = ink_arena_save(c->arena);
  for (int i = 0; i < n; i++) {
    stage *s = &stages[i];
    if (s->whole) continue;
    // The rows of a band, and what others read again: no stage is further behind than all of them.
    // A stage that is not whole has a convolution.
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
    int64_t shape[4] = {1, least(step + n + 2, s->height), width, s->w->weight->shape[0]};
    const ink_tensor *rows = ink_tensor_new(c->arena, stages[0].rows.dtype, 4, shape);
    if (!rows) {
      ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a tiny autoencoder's activations");
      return;
    }
    s->rows = *rows;
  }
  for (int64_t at = 0; at < height && c->error.status == INK_OK; at += step) {
    ink_arena_mark band = ink_arena_save(c->arena);
    stages[n - 1].wanted = least(at + step, height);
    for (int i = n - 1; i > 0; i--) {
      stage *s = &stages[i];
      if (!s->enlarged) s->from->wanted = most(s->from->wanted, least(s->wanted + 1, s->height));
      if (s->also) s->also->wanted = most(s->also->wanted, s->wanted);
    }
    for (int i = 1; i < n; i++) {
      int64_t needed = stages[i].end;
      for (int j = i + 1; j < n; j++) {
        if (stages[j].from == &stages[i]) needed = least(needed, stages[j].end - 1);
        if (stages[j].also == &stages[i]) needed = least(needed, stages[j].end);
      }
      forget_rows(c, &stages[i], needed);
      advance(c, &stages[i]);
    }
    ink_arena_release(c->arena, band);
  }
  ink_arena_release(c->arena, mark);
}

static stage picture_stage(const ink_tensor *x) {
  int64_t height = x->shape[1];
  return (stage){.height = height, .rows = *x, .whole = true, .end = height, .wanted = height};
}

// The three stages of a block that reads *from.
static void block_stages(const tiny_block *w, stage *from, stage to[3]) {
  for (int i = 0; i < 3; i++) {
    to[i] = (stage){.w = &w->conv[i], .from = i ? &to[i - 1] : from, .height = from->height};
  }
  to[2].also = from;
}

// A block over one picture. The result may take the place of x.
static void run_bands(ink_compute *c, const tiny_block *w, const ink_tensor *x,
                      const ink_tensor *place) {
  stage stages[4] = {picture_stage(x)};
  block_stages(w, &stages[0], stages + 1);
  stages[3].rows = *place;
  stages[3].whole = true;
  run_stages(c, stages, 4, x->shape[2]);
}

// Where no tape is open the result takes the place of x, which nobody reads any more.
static ink_tensor *run_block(ink_compute *c, const tiny_block *w, ink_tensor *place) {
  if (!place) return NULL;
  const ink_tensor *x = place;
  ink_arena_mark mark = ink_arena_save(c->arena);
  if (w->pool1.weight) {
    ink_tensor *y = ink_run_convolution(c, x, &w->pool1, 1);
    y = ink_normalise_groups(c, y, &w->pool_norm, (ink_groups){POOL_GROUPS, 1e-5f});
    x = ink_add(c, x, ink_run_convolution(c, ink_relu(c, y), &w->pool2, 1));
    if (!x) return NULL;
  }
  if (c->tape) {
    ink_tensor *y = ink_run_convolution_relu(c, x, &w->conv[0], NULL);
    y = ink_run_convolution_relu(c, y, &w->conv[1], NULL);
    return ink_run_convolution_relu(c, y, &w->conv[2], x);
  }
  for (int64_t i = 0; i < x->shape[0]; i++) {
    const ink_tensor *one = ink_slice(c, x, 0, i, 1), *into = ink_slice(c, place, 0, i, 1);
    if (one && into) run_bands(c, w, one, into);
  }
  ink_arena_release(c->arena, mark);
  return c->error.status == INK_OK ? place : NULL;
}

static ink_tensor *run_encoder(ink_compute *c, const ink_taesd *taesd, const ink_tensor *picture) {
  const tiny_half *w = &taesd->encoder;
  ink_tensor *x = ink_run_convolution(c, picture, &w->levels[0].conv, 1);
  for (int32_t i = 0; i < taesd->config.n_level; i++) {
    if (i > 0) x = ink_run_convolution(c, x, &w->levels[i].conv, 2);
    for (int32_t j = 0; j < w->levels[i].n; j++) x = run_block(c, &w->levels[i].blocks[j], x);
  }
  return ink_run_convolution(c, x, &w->ends, 1);
}

// The last enlargement of x and all that follows it, over one picture.
static void run_last_level(ink_compute *c, const ink_convolution *enlarge, const tiny_level *level,
                           const ink_tensor *x, const ink_tensor *place) {
  int n = 3 * level->n + 3;
  ink_arena_mark mark = ink_arena_save(c->arena);
  stage *stages = ink_arena_zeros(c->arena, (size_t)n, sizeof *stages);
  if (!stages) {
    ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a tiny autoencoder's activations");
    return;
  }
  stages[0] = picture_stage(x);
  stages[1] =
      (stage){.w = enlarge, .from = &stages[0], .enlarged = true, .height = place->shape[1]};
  for (int32_t i = 0; i < level->n; i++) {
    block_stages(&level->blocks[i], &stages[1 + 3 * i], stages + 2 + 3 * i);
  }
  stages[n - 1] = (stage){.w = &level->conv,
                          .from = &stages[n - 2],
                          .plain = true,
                          .height = place->shape[1],
                          .rows = *place,
                          .whole = true};
  run_stages(c, stages, n, place->shape[2]);
  ink_arena_release(c->arena, mark);
}

static ink_tensor *finish(ink_compute *c, const ink_convolution *enlarge, const tiny_level *level,
                          const ink_tensor *x) {
  if (!x) return NULL;
  int64_t shape[4] = {x->shape[0], 2 * x->shape[1], 2 * x->shape[2], level->conv.weight->shape[0]};
  ink_tensor *y = ink_tensor_new(c->arena, x->dtype, 4, shape);
  if (!y) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a picture");
  for (int64_t i = 0; i < x->shape[0]; i++) {
    const ink_tensor *one = ink_slice(c, x, 0, i, 1), *into = ink_slice(c, y, 0, i, 1);
    if (one && into) run_last_level(c, enlarge, level, one, into);
  }
  return c->error.status == INK_OK ? y : NULL;
}

static ink_tensor *run_decoder(ink_compute *c, const ink_taesd *taesd, const ink_tensor *latents) {
  const tiny_half *w = &taesd->decoder;
  int32_t last = taesd->config.n_level - 1;
  // Latents beyond +-3 are bent back.
  ink_tensor *x = ink_scale(c, ink_tanh(c, ink_scale(c, latents, 1.0f / 3)), 3);
  x = ink_run_convolution_relu(c, x, &w->ends, NULL);
  for (int32_t i = 0; i <= last; i++) {
    for (int32_t j = 0; j < w->levels[i].n; j++) x = run_block(c, &w->levels[i].blocks[j], x);
    if (i + 1 == last && !c->tape) return finish(c, &w->levels[i].conv, &w->levels[last], x);
    x = i < last ? ink_run_enlarged(c, x, &w->levels[i].conv)
                 : ink_run_convolution(c, x, &w->levels[i].conv, 1);
  }
  return x;
}

// factor * x + shift of the same type.
static ink_tensor *rescale(ink_compute *c, const ink_tensor *x, float factor, float shift) {
  ink_tensor *one = ink_tensor_new(c->arena, INK_F32, 1, (const int64_t[]){x ? x->shape[3] : 1});
  if (!one) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a picture");
  for (int64_t i = 0; i < one->shape[0]; i++) ((float *)one->data)[i] = shift;
  return ink_add(c, ink_scale(c, x, factor), one);
}

static bool check(ink_compute *c, const tiny_half *half, const char *what, const ink_tensor *x,
                  int32_t channels, int32_t factor, ink_dtype activations) {
  char shape[96];
  if (c->error.status != INK_OK) return false;
  if (!half->levels) {
    ink_compute_fail(c, INK_ERR_USAGE, "this half of the tiny autoencoder was not loaded: %s",
                     what);
    return false;
  }
  if (!x || x->dtype != INK_F32 || x->rank != 4 || x->shape[3] != channels || x->shape[0] < 1 ||
      x->shape[1] < 1 || x->shape[2] < 1 || x->shape[1] % factor || x->shape[2] % factor) {
    ink_compute_fail(c, INK_ERR_USAGE, "%s must be F32 (B, H, W, %d), H and W multiples of %d: %s",
                     what, channels, factor, x ? ink_tensor_describe(x, shape) : "absent");
    return false;
  }
  if (activations != INK_F32 && (activations != INK_BF16 || c->tape)) {
    ink_compute_fail(c, INK_ERR_USAGE, "activations are F32, or BF16 where nothing is trained");
    return false;
  }
  return true;
}

int32_t ink_taesd_factor(const ink_taesd *taesd) {
  return 1 << (taesd->config.n_level - 1);
}

ink_tensor *ink_taesd_encode(ink_compute *c, const ink_taesd *taesd, const ink_tensor *picture,
                             ink_dtype activations) {
  const ink_taesd_config *g = &taesd->config;
  int32_t factor = ink_taesd_factor(taesd);
  if (!check(c, &taesd->encoder, "a picture to encode", picture, g->in_channels, factor,
             activations)) {
    return NULL;
  }
  ink_scope scope = ink_scope_open(c, INK_F32, 4,
                                   (int64_t[]){picture->shape[0], picture->shape[1] / factor,
                                               picture->shape[2] / factor, g->latent_channels});
  const ink_tensor *x = rescale(c, picture, 0.5f, 0.5f);
  bool bf16 = activations == INK_BF16;
  ink_tensor *y = run_encoder(c, taesd, bf16 ? ink_cast(c, x, INK_BF16) : x);
  return ink_scope_close(c, &scope, bf16 ? ink_cast(c, y, INK_F32) : y);
}

ink_tensor *ink_taesd_decode(ink_compute *c, const ink_taesd *taesd, const ink_tensor *latents,
                             ink_dtype activations) {
  const ink_taesd_config *g = &taesd->config;
  int32_t factor = ink_taesd_factor(taesd);
  if (!check(c, &taesd->decoder, "latents to decode", latents, g->latent_channels, 1,
             activations)) {
    return NULL;
  }
  ink_scope scope = ink_scope_open(c, INK_F32, 4,
                                   (int64_t[]){latents->shape[0], latents->shape[1] * factor,
                                               latents->shape[2] * factor, g->out_channels});
  bool bf16 = activations == INK_BF16;
  ink_tensor *y = run_decoder(c, taesd, bf16 ? ink_cast(c, latents, INK_BF16) : latents);
  if (bf16) y = ink_cast(c, y, INK_F32);
  return ink_scope_close(c, &scope, rescale(c, y, 2, -1));
}

// ---- parameters --------------------------------------------------------------------------------

static void bind_block(ink_network_builder *b, const char *half, int32_t layer, int64_t width,
                       bool pooled, tiny_block *w) {
  ink_network_scope(b, "%s.layers.%d.", half, layer);
  for (int i = 0; i < 3; i++) {
    char name[16];
    snprintf(name, sizeof name, "conv.%d", 2 * i);
    w->conv[i] = ink_network_convolution(b, name, width, width, 3, true);
  }
  if (!pooled) return;
  w->pool1 = ink_network_convolution(b, "pool.0", POOL_WIDTH * width, width, 1, false);
  w->pool_norm = ink_network_norm(b, "pool.1", POOL_WIDTH * width);
  w->pool2 = ink_network_convolution(b, "pool.3", width, POOL_WIDTH * width, 1, false);
}

static void bind_blocks(ink_network_builder *b, const char *half, int32_t *layer, int64_t width,
                        int32_t n, bool pooled, tiny_level *w) {
  w->n = n;
  w->blocks = ink_network_take(b, (size_t)n, sizeof *w->blocks);
  for (int32_t j = 0; w->blocks && j < n; j++) {
    bind_block(b, half, (*layer)++, width, pooled, &w->blocks[j]);
  }
}

static ink_convolution bind_conv(ink_network_builder *b, const char *half, int32_t *layer,
                                 int64_t out, int64_t in, bool bias) {
  char name[16];
  ink_network_scope(b, "%s.layers.", half);
  snprintf(name, sizeof name, "%d", (*layer)++);
  return ink_network_convolution(b, name, out, in, 3, bias);
}

// Layers are numbered as they follow each other; activations and enlargements count too.
static void bind_encoder(ink_network_builder *b, const ink_taesd_config *g, tiny_half *w) {
  int32_t layer = 0;
  w->levels = ink_network_take(b, (size_t)g->n_level, sizeof *w->levels);
  for (int32_t i = 0; w->levels && i < g->n_level; i++) {
    int64_t width = g->encoder_channels[i];
    w->levels[i].conv =
        bind_conv(b, "encoder", &layer, width, i == 0 ? g->in_channels : width, i == 0);
    bind_blocks(b, "encoder", &layer, width, g->encoder_blocks[i], g->pooled && i + 1 == g->n_level,
                &w->levels[i]);
  }
  w->ends = bind_conv(b, "encoder", &layer, g->latent_channels, g->encoder_channels[g->n_level - 1],
                      true);
}

static void bind_decoder(ink_network_builder *b, const ink_taesd_config *g, tiny_half *w) {
  int32_t layer = 0, last = g->n_level - 1;
  w->ends = bind_conv(b, "decoder", &layer, g->decoder_channels[0], g->latent_channels, true);
  layer++;
  w->levels = ink_network_take(b, (size_t)g->n_level, sizeof *w->levels);
  for (int32_t i = 0; w->levels && i < g->n_level; i++) {
    int64_t width = g->decoder_channels[i];
    bind_blocks(b, "decoder", &layer, width, g->decoder_blocks[i], g->pooled && i == 0,
                &w->levels[i]);
    if (i < last) layer++;
    w->levels[i].conv =
        bind_conv(b, "decoder", &layer, i < last ? width : g->out_channels, width, i == last);
  }
}

// The project's own files number the decoder's layers from its clamp on, and have no "layers.".
static bool stored_name(const void *config, ink_naming naming, const char *name,
                        ink_stored_name *out) {
  (void)config;
  if (naming != INK_NAMING_LDM) return false;
  bool decoder = strncmp(name, "decoder.", 8) == 0;
  const char *number = strstr(name, ".layers.");
  if (!number) return false;
  char *rest;
  long layer = strtol(number + 8, &rest, 10) + decoder;
  int n = snprintf(out->name, sizeof out->name, "%ld%s", layer, rest);
  return n >= 0 && n < (int)sizeof out->name;
}

static ink_status check_config(const ink_taesd_config *g, ink_error *error) {
  enum { MOST = 1 << 16, MOST_BLOCKS = 64 };
  bool fits = g->in_channels >= 1 && g->in_channels <= MOST && g->out_channels >= 1 &&
              g->out_channels <= MOST && g->latent_channels >= 1 && g->latent_channels <= MOST &&
              g->n_level >= 1 && g->n_level <= INK_TAESD_LEVELS;
  for (int32_t i = 0; fits && i < g->n_level; i++) {
    fits = g->encoder_channels[i] >= 1 && g->encoder_channels[i] <= MOST &&
           g->decoder_channels[i] >= 1 && g->decoder_channels[i] <= MOST &&
           g->encoder_blocks[i] >= 1 && g->encoder_blocks[i] <= MOST_BLOCKS &&
           g->decoder_blocks[i] >= 1 && g->decoder_blocks[i] <= MOST_BLOCKS &&
           // Convolutions between the levels do not change the channels.
           g->encoder_channels[i] == g->encoder_channels[0] &&
           g->decoder_channels[i] == g->decoder_channels[0];
  }
  if (fits) return INK_OK;
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "a tiny autoencoder of %d levels whose channels change on the way, or that is "
                  "not possible otherwise",
                  g->n_level);
}

typedef void (*bind_half)(ink_network_builder *b, const ink_taesd_config *g, tiny_half *w);

// One half from its source. In one folder the other half's tensors are not foreign.
static ink_status build_half(ink_taesd *taesd, int which, const ink_source *source,
                             const ink_source *other, bind_half bind, ink_error *error) {
  if (!source) return INK_OK;
  ink_source here = *source;
  if (other && source->weights == other->weights) here.allow_foreign = true;
  ink_network_builder b;
  ink_network_start(&b, &taesd->networks[which], &here, &taesd->config, stored_name, error);
  if (b.status == INK_OK) bind(&b, &taesd->config, which ? &taesd->decoder : &taesd->encoder);
  return ink_network_finish(&b);
}

static ink_status join_parameters(ink_taesd *taesd, ink_error *error) {
  size_t n = taesd->networks[0].n, m = taesd->networks[1].n;
  taesd->parameters = calloc(n + m + 1, sizeof *taesd->parameters);
  if (!taesd->parameters) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory for a tiny autoencoder");
  }
  for (size_t i = 0; i < n; i++) taesd->parameters[i] = taesd->networks[0].parameters[i];
  for (size_t i = 0; i < m; i++) taesd->parameters[n + i] = taesd->networks[1].parameters[i];
  return INK_OK;
}

ink_status ink_taesd_new(const ink_taesd_config *config, const ink_source *encoder,
                         const ink_source *decoder, ink_taesd **taesd, ink_error *error) {
  ink_error unused = {0};
  if (!error) error = &unused;
  *taesd = NULL;
  INK_TRY(check_config(config, error));
  ink_taesd *new = calloc(1, sizeof *new);
  if (!new) return ink_fail(error, INK_ERR_MEMORY, "no memory for a tiny autoencoder");
  new->config = *config;
  ink_status status = build_half(new, 0, encoder, decoder, bind_encoder, error);
  if (status == INK_OK) status = build_half(new, 1, decoder, encoder, bind_decoder, error);
  if (status == INK_OK) status = join_parameters(new, error);
  if (status != INK_OK) {
    ink_taesd_free(new);
    return status;
  }
  *taesd = new;
  return INK_OK;
}

void ink_taesd_free(ink_taesd *taesd) {
  if (!taesd) return;
  ink_network_free(&taesd->networks[0]);
  ink_network_free(&taesd->networks[1]);
  free(taesd->parameters);
  free(taesd);
}

const ink_taesd_config *ink_taesd_about(const ink_taesd *taesd) {
  return &taesd->config;
}

ink_parameter *ink_taesd_parameters(ink_taesd *taesd, size_t *n) {
  *n = taesd->networks[0].n + taesd->networks[1].n;
  return taesd->parameters;
}

// ---- config.json of diffusers -------------------------------------------------------------------

ink_status ink_taesd_config_from_json(const json_t *json, const char *name,
                                      ink_taesd_config *config, ink_error *error) {
  static const ink_config_fixed fixed[] = {{"act_fn", "\"relu\""},
                                           {"upsample_fn", "\"nearest\""},
                                           {"upsampling_scaling_factor", "2"},
                                           {"latent_magnitude", "3"},
                                           {"latent_shift", "0.5"}};
  ink_taesd_config g = {0};
  int n;
  INK_TRY(ink_config_class(json, name, "AutoencoderTiny", error));
  INK_TRY(ink_config_only(json, name, fixed, sizeof fixed / sizeof *fixed, error));
  INK_TRY(ink_config_levels(json, name, "encoder_block_out_channels", &n, error));
  g.n_level = n;
  INK_TRY(
      ink_config_sizes(json, name, "encoder_block_out_channels", n, 0, g.encoder_channels, error));
  INK_TRY(
      ink_config_sizes(json, name, "decoder_block_out_channels", n, 64, g.decoder_channels, error));
  INK_TRY(ink_config_sizes(json, name, "num_encoder_blocks", n, 3, g.encoder_blocks, error));
  INK_TRY(ink_config_sizes(json, name, "num_decoder_blocks", n, 3, g.decoder_blocks, error));
  INK_TRY(ink_config_optional_size(json, name, "in_channels", 3, &g.in_channels, error));
  INK_TRY(ink_config_optional_size(json, name, "out_channels", 3, &g.out_channels, error));
  INK_TRY(ink_config_optional_size(json, name, "latent_channels", 4, &g.latent_channels, error));
  g.scaling_factor = 1;
  INK_TRY(ink_json_get_number(json, "scaling_factor", name, 1e-6, 1e6, &g.scaling_factor, error));
  INK_TRY(ink_json_get_number(json, "shift_factor", name, -1e6, 1e6, &g.shift_factor, error));
  *config = g;
  ink_status status = check_config(config, error);
  return status == INK_OK ? INK_OK : ink_context(error, status, "%s", name);
}

// ---- the project's own files --------------------------------------------------------------------

// A convolution by the number that its layer has in the project's own files, in either naming.
static const ink_weights_entry *layer_of(const ink_weights *weights, const char *half, int layer,
                                         const char *ending) {
  char name[64];
  snprintf(name, sizeof name, "%d.%s", layer, ending);
  const ink_weights_entry *entry = ink_weights_entry_of(weights, name);
  if (!entry) {
    int before = strcmp(half, "decoder") == 0;  // diffusers do not count the decoder's clamp
    snprintf(name, sizeof name, "%s.layers.%d.%s", half, layer - before, ending);
    entry = ink_weights_entry_of(weights, name);
  }
  return entry && entry->rank == 4 && entry->shape[0] <= 1 << 16 && entry->shape[1] <= 1 << 16
             ? entry
             : NULL;
}

static ink_status no_taesd(const ink_weights *weights, ink_error *error) {
  return ink_fail(error, INK_ERR_NOT_FOUND,
                  "%s: not one half of a tiny autoencoder (TAESD): its layers are not there",
                  ink_weights_path(weights));
}

// Levels begin at a convolution of their own; the last one has no blocks behind it.
static ink_status read_encoder(const ink_weights *weights, ink_taesd_config *g, ink_error *error) {
  int layer = 0;
  const ink_weights_entry *conv;
  for (g->n_level = 0; (conv = layer_of(weights, "encoder", layer, "weight")); layer++) {
    if (!layer_of(weights, "encoder", layer + 1, "conv.0.weight")) break;
    if (g->n_level == INK_TAESD_LEVELS) return no_taesd(weights, error);
    if (g->n_level == 0) g->in_channels = (int32_t)conv->shape[1];
    g->encoder_channels[g->n_level] = (int32_t)conv->shape[0];
    for (; layer_of(weights, "encoder", layer + 1, "conv.0.weight"); layer++) {
      g->encoder_blocks[g->n_level]++;
      g->pooled = layer_of(weights, "encoder", layer + 1, "pool.0.weight") != NULL;
    }
    g->n_level++;
  }
  if (!conv || g->n_level == 0) return no_taesd(weights, error);
  g->latent_channels = (int32_t)conv->shape[0];
  return INK_OK;
}

// Behind the clamp (0), the convolution from the latents (1) and its activation (2): blocks, an
// enlargement, a convolution, and so on; the last convolution has no enlargement before it.
static ink_status read_decoder(const ink_weights *weights, ink_taesd_config *g, ink_error *error) {
  const ink_weights_entry *conv = layer_of(weights, "decoder", 1, "weight");
  if (!conv) return no_taesd(weights, error);
  g->latent_channels = (int32_t)conv->shape[1];
  int32_t channels = (int32_t)conv->shape[0];
  int layer = 3;
  for (g->n_level = 0; layer_of(weights, "decoder", layer, "conv.0.weight"); layer++) {
    if (g->n_level == INK_TAESD_LEVELS) return no_taesd(weights, error);
    if (g->n_level == 0) g->pooled = layer_of(weights, "decoder", layer, "pool.0.weight") != NULL;
    g->decoder_channels[g->n_level] = channels;
    for (; layer_of(weights, "decoder", layer, "conv.0.weight"); layer++)
      g->decoder_blocks[g->n_level]++;
    g->n_level++;
    conv = layer_of(weights, "decoder", layer, "weight");
    if (conv) break;
    conv = layer_of(weights, "decoder", ++layer, "weight");
  }
  if (!conv || g->n_level == 0) return no_taesd(weights, error);
  g->out_channels = (int32_t)conv->shape[0];
  return INK_OK;
}

ink_status ink_taesd_config_from_weights(const ink_weights *encoder, const ink_weights *decoder,
                                         ink_taesd_config *config, ink_error *error) {
  ink_taesd_config e = {0}, d = {0};
  if (!encoder && !decoder) return ink_fail(error, INK_ERR_USAGE, "no tiny autoencoder was given");
  if (encoder) INK_TRY(read_encoder(encoder, &e, error));
  if (decoder) INK_TRY(read_decoder(decoder, &d, error));
  if (encoder && decoder &&
      (e.n_level != d.n_level || e.latent_channels != d.latent_channels || e.pooled != d.pooled)) {
    return ink_fail(error, INK_ERR_CONFLICT, "%s and %s are halves of different autoencoders",
                    ink_weights_path(encoder), ink_weights_path(decoder));
  }
  ink_taesd_config g = encoder ? e : d;
  g.in_channels = encoder ? e.in_channels : d.out_channels;
  g.out_channels = decoder ? d.out_channels : e.in_channels;
  g.scaling_factor = 1;
  for (int32_t i = 0; i < g.n_level; i++) {
    const ink_taesd_config *other = decoder ? &d : NULL;
    g.decoder_channels[i] = other ? other->decoder_channels[i] : e.encoder_channels[0];
    g.decoder_blocks[i] = other ? other->decoder_blocks[i] : 1;
    g.encoder_channels[i] = encoder ? e.encoder_channels[i] : d.decoder_channels[0];
    g.encoder_blocks[i] = encoder ? e.encoder_blocks[i] : 1;
  }
  *config = g;
  return check_config(config, error);
}

ink_status ink_taesd_new_decoder(const ink_weights *weights, ink_taesd **taesd, ink_error *error) {
  const json_t *json = ink_weights_config(weights);
  const char *path = ink_weights_path(weights);
  ink_source source = {.weights = weights};
  ink_taesd_config config;
  *taesd = NULL;
  if (json) {
    INK_TRY(ink_taesd_config_from_json(json, path, &config, error));
  } else {
    if (!layer_of(weights, "decoder", 1, "weight") && layer_of(weights, "encoder", 0, "weight") &&
        layer_of(weights, "encoder", 1, "conv.0.weight")) {
      return ink_fail(error, INK_ERR_UNSUPPORTED,
                      "%s: the encoder of a tiny autoencoder (TAESD); name its decoder", path);
    }
    INK_TRY(ink_taesd_config_from_weights(NULL, weights, &config, error));
    bool own = ink_weights_entry_of(weights, "1.weight") != NULL;
    source.naming = own ? INK_NAMING_LDM : INK_NAMING_DIFFUSERS;
  }
  // The encoder lies beside it.
  source.allow_foreign = source.naming == INK_NAMING_DIFFUSERS;
  return ink_taesd_new(&config, NULL, &source, taesd, error);
}
