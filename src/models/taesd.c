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
  ink_convolution shortcut;      // weight NULL: none
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

static ink_tensor *run_block(ink_compute *c, const tiny_block *w, const ink_tensor *x) {
  if (!x) return NULL;
  ink_scope scope = ink_scope_like(c, x, w->conv[0].weight->shape[0]);
  if (w->pool1.weight) {
    ink_tensor *y = ink_run_convolution(c, x, &w->pool1, 1);
    y = ink_normalise_groups(c, y, &w->pool_norm, (ink_groups){POOL_GROUPS, 1e-5f});
    x = ink_add(c, x, ink_run_convolution(c, ink_relu(c, y), &w->pool2, 1));
  }
  ink_tensor *y = ink_relu(c, ink_run_convolution(c, x, &w->conv[0], 1));
  y = ink_relu(c, ink_run_convolution(c, y, &w->conv[1], 1));
  y = ink_run_convolution(c, y, &w->conv[2], 1);
  const ink_tensor *straight = w->shortcut.weight ? ink_run_convolution(c, x, &w->shortcut, 1) : x;
  return ink_scope_close(c, &scope, ink_relu(c, ink_add(c, straight, y)));
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

static ink_tensor *enlarge(ink_compute *c, const ink_convolution *w, const ink_tensor *x) {
  if (!x) return NULL;
  ink_scope scope = ink_scope_open(
      c, x->dtype, 4,
      (int64_t[]){x->shape[0], 2 * x->shape[1], 2 * x->shape[2], w->weight->shape[0]});
  return ink_scope_close(c, &scope, ink_run_enlarged(c, x, w));
}

static ink_tensor *run_decoder(ink_compute *c, const ink_taesd *taesd, const ink_tensor *latents) {
  const tiny_half *w = &taesd->decoder;
  int32_t last = taesd->config.n_level - 1;
  // Latents beyond +-3 are bent back.
  ink_tensor *x = ink_scale(c, ink_tanh(c, ink_scale(c, latents, 1.0f / 3)), 3);
  x = ink_relu(c, ink_run_convolution(c, x, &w->ends, 1));
  for (int32_t i = 0; i <= last; i++) {
    for (int32_t j = 0; j < w->levels[i].n; j++) x = run_block(c, &w->levels[i].blocks[j], x);
    x = i < last ? enlarge(c, &w->levels[i].conv, x)
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
