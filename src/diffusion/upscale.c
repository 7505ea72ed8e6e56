// Enlarging pictures with ESRGAN.
#include "diffusion/upscale.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/esrgan.h"
#include "tensor/prepared.h"
#include "weights/weights.h"

struct ink_upscaler {
  ink_weights *weights;
  ink_esrgan *net;
  ink_pool *pool;
  ink_prepared *prepared;
};

// A weight has been prepared; its file is not read again.
static void let_go(void *context, const void *data, size_t bytes) {
  ink_weights_let_go(context, data, bytes);
}

static ink_status open_net(ink_upscaler *u, ink_error *error) {
  ink_esrgan_config config;
  ink_naming naming;
  INK_TRY(ink_esrgan_config_from_weights(u->weights, &config, &naming, error));
  if (config.in_channels != 3 || config.out_channels != 3) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: it enlarges %d channels; pictures have 3",
                    ink_weights_path(u->weights), config.in_channels);
  }
  ink_source source = {.weights = u->weights, .naming = naming};
  INK_TRY(ink_esrgan_new(&config, &source, &u->net, error));
  u->prepared = ink_prepared_new(let_go, u->weights);
  return u->prepared ? INK_OK
                     : ink_fail(error, INK_ERR_MEMORY, "%s: no memory to open it",
                                ink_weights_path(u->weights));
}

ink_status ink_upscaler_open(const char *path, ink_pool *pool, ink_upscaler **out,
                             ink_error *error) {
  *out = NULL;
  ink_upscaler *u = calloc(1, sizeof *u);
  if (!u) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to open it", path);
  u->pool = pool;
  ink_status status = ink_weights_open(path, &u->weights, error);
  if (status == INK_OK) status = open_net(u, error);
  if (status != INK_OK) {
    ink_upscaler_free(u);
    return status;
  }
  *out = u;
  return INK_OK;
}

void ink_upscaler_free(ink_upscaler *u) {
  if (!u) return;
  ink_prepared_free(u->prepared);
  ink_esrgan_free(u->net);
  ink_weights_close(u->weights);
  free(u);
}

// So many times wider and higher: 1, 2, 4 or 8.
static int32_t scale_of(const ink_upscaler *u) {
  return ink_esrgan_about(u->net)->scale;
}

const struct ink_weights *ink_upscaler_weights(const ink_upscaler *u) {
  return u->weights;
}

// RGB in [0, 1], its last rows and columns carried on to multiples of what the network takes.
static ink_tensor *input_of(ink_compute *c, const ink_picture *rgb, int32_t multiple) {
  int64_t h = (rgb->height + multiple - 1) / multiple * (int64_t)multiple,
          w = (rgb->width + multiple - 1) / multiple * (int64_t)multiple;
  ink_tensor *x = ink_tensor_new(c->arena, INK_F32, 4, (int64_t[]){1, h, w, 3});
  if (!x) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a picture to enlarge");
  float *to = x->data;
  for (int64_t i = 0; i < h; i++) {
    int32_t y = (int32_t)(i < rgb->height ? i : rgb->height - 1);
    for (int64_t j = 0; j < w; j++) {
      const uint8_t *from = ink_picture_at(rgb, (int32_t)(j < rgb->width ? j : rgb->width - 1), y);
      for (int k = 0; k < 3; k++) *to++ = (float)from[k] / 255.0F;
    }
  }
  return x;
}

// One enlargement, on the team of the upscaler or another.
typedef struct enlargement {
  const ink_upscaler *u;
  const ink_picture *rgb;
  ink_precision precision;
  ink_pool *pool;
  ink_prepared *prepared;
  size_t band_bytes;
} enlargement;

// The network's picture, in the context's arena.
static ink_tensor *run_net(ink_compute *c, const enlargement *e) {
  const ink_esrgan_config *g = ink_esrgan_about(e->u->net);
  ink_dtype activations = e->precision == INK_PRECISION_BF16 ? INK_BF16 : INK_F32;
  return ink_esrgan_forward(c, e->u->net, input_of(c, e->rgb, g->unshuffle), activations,
                            e->band_bytes);
}

static ink_compute compute_of(const enlargement *e) {
  return (ink_compute){.arena = ink_arena_new(0),
                       .pool = e->pool,
                       .precision = e->precision,
                       .prepared = e->prepared};
}

static void to_bytes(const ink_tensor *y, ink_picture *out) {
  for (int32_t i = 0; i < out->height; i++) {
    const float *from = (const float *)y->data + i * y->shape[2] * 3;
    uint8_t *to = ink_picture_at(out, 0, i);
    for (size_t k = 0; k < ink_picture_row(out); k++) {
      to[k] = (uint8_t)lrintf(255.0F * fminf(fmaxf(from[k], 0), 1));
    }
  }
}

static ink_status enlarge(const enlargement *e, ink_picture *out, size_t *peak, ink_error *error) {
  int32_t scale = scale_of(e->u);
  ink_compute c = compute_of(e);
  if (!c.arena) return ink_fail(error, INK_ERR_MEMORY, "no memory to enlarge a picture");
  ink_tensor *y = run_net(&c, e);
  ink_status status = ink_compute_status(&c, error);
  if (status == INK_OK) {
    status = ink_picture_new(e->rgb->width * scale, e->rgb->height * scale, 3, out, error);
  }
  if (status == INK_OK) to_bytes(y, out);
  if (peak) *peak = ink_arena_peak(c.arena) + ink_prepared_bytes(e->prepared);
  ink_arena_free(c.arena);
  return status;
}

// ---- memory -------------------------------------------------------------------------------------

enum { MIB = 1 << 20 };

// What results and prepared weights take with such bands: the same code on a team that computes
// nothing, over memory that nobody touches.
static ink_status rehearse(enlargement e, ink_pool *idle, size_t *bytes, ink_error *error) {
  e.pool = idle;
  e.prepared = ink_prepared_new(NULL, NULL);
  ink_compute c = compute_of(&e);
  ink_status status = e.prepared && c.arena
                          ? INK_OK
                          : ink_fail(error, INK_ERR_MEMORY, "no memory to plan an enlargement");
  if (status == INK_OK) {
    run_net(&c, &e);
    status = ink_compute_status(&c, error);
    *bytes = ink_arena_peak(c.arena) + ink_prepared_bytes(e.prepared);
  }
  ink_arena_free(c.arena);
  ink_prepared_free(e.prepared);
  return status;
}

// Choose bands with which the enlargement fits into `ram`: the usual ones, or the smallest.
static ink_status plan(enlargement *e, size_t ram, ink_error *error) {
  ink_pool *idle = ink_pool_new_idle(e->pool);
  if (!idle) return ink_fail(error, INK_ERR_MEMORY, "no memory to plan an enlargement");
  int64_t scale = scale_of(e->u);
  // The picture and what comes of it, as bytes.
  size_t own = (size_t)(e->rgb->width * e->rgb->height * (1 + scale * scale)) * 4, bytes = 0;
  ink_status status = rehearse(*e, idle, &bytes, error);
  if (status == INK_OK && own + bytes > ram) {
    e->band_bytes = 1;
    status = rehearse(*e, idle, &bytes, error);
  }
  ink_pool_free(idle);
  INK_TRY(status);
  if (own + bytes <= ram) return INK_OK;
  return ink_fail(error, INK_ERR_MEMORY,
                  "enlarging %d x %d takes at least %zu MiB beside the mapped model, more than the "
                  "%zu MiB allowed",
                  (int)e->rgb->width, (int)e->rgb->height, (own + bytes) / MIB + 1, ram / MIB);
}

// Alpha of the picture, enlarged, laid beside the colours.
static ink_status put_alpha(const ink_picture *picture, ink_picture *out, ink_error *error) {
  ink_picture full, large, with;
  INK_TRY(ink_picture_convert(picture, 4, &full, error));
  ink_status status =
      ink_picture_resize(&full, out->width, out->height, INK_RESIZE_LANCZOS, &large, error);
  ink_picture_free(&full);
  INK_TRY(status);
  status = ink_picture_convert(out, 4, &with, error);
  if (status == INK_OK) {
    for (size_t i = 3; i < ink_picture_bytes(&with); i += 4) with.pixels[i] = large.pixels[i];
    ink_picture_free(out);
    *out = with;
  }
  ink_picture_free(&large);
  return status;
}

// Let go of what the kernels made of the weights: whoever limits memory has other uses for it.
static ink_status forget(ink_upscaler *u, ink_error *error) {
  ink_prepared *fresh = ink_prepared_new(let_go, u->weights);
  if (!fresh) return ink_fail(error, INK_ERR_MEMORY, "no memory for prepared weights");
  ink_prepared_free(u->prepared);
  u->prepared = fresh;
  return INK_OK;
}

ink_status ink_upscaler_run(ink_upscaler *u, const ink_picture *picture, ink_precision precision,
                            size_t ram, ink_picture *out, size_t *peak, ink_error *error) {
  *out = (ink_picture){0};
  int64_t scale = scale_of(u);
  if (picture->width * scale > INK_PICTURE_MOST_SIDE ||
      picture->height * scale > INK_PICTURE_MOST_SIDE) {
    return ink_fail(error, INK_ERR_USAGE, "%d x %d enlarged by %d is too large",
                    (int)picture->width, (int)picture->height, (int)scale);
  }
  ink_picture rgb;
  INK_TRY(ink_picture_convert(picture, 3, &rgb, error));
  enlargement e = {
      .u = u, .rgb = &rgb, .precision = precision, .pool = u->pool, .prepared = u->prepared};
  ink_status status = ram ? plan(&e, ram, error) : INK_OK;
  if (status == INK_OK) status = enlarge(&e, out, peak, error);
  if (ram && status == INK_OK) status = forget(u, error);
  if (status == INK_OK && ink_picture_has_alpha(picture)) status = put_alpha(picture, out, error);
  ink_picture_free(&rgb);
  if (status != INK_OK) ink_picture_free(out);
  return status;
}
