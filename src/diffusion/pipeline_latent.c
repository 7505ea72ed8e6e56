// Between pictures and latents, and the network as samplers see it.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/pipeline_parts.h"

void ink_paint_turn_in(const ink_paint_run *run, const float *from, float *to) {
  int64_t pixels = run->h * run->w;
  for (int64_t c = 0; c < run->channels; c++) {
    for (int64_t i = 0; i < pixels; i++) to[i * run->channels + c] = from[c * pixels + i];
  }
}

void ink_paint_turn_out(const ink_paint_run *run, const float *from, float *to) {
  int64_t pixels = run->h * run->w;
  for (int64_t c = 0; c < run->channels; c++) {
    for (int64_t i = 0; i < pixels; i++) to[c * pixels + i] = from[i * run->channels + c];
  }
}

// ---- autoencoders -------------------------------------------------------------------------------

int32_t ink_paint_factor(const ink_pipeline *pipeline) {
  const ink_stable_diffusion *sd = pipeline->model;
  return sd->vae ? ink_vae_factor(sd->vae) : ink_taesd_factor(sd->taesd);
}

int64_t ink_paint_channels(const ink_pipeline *pipeline) {
  const ink_stable_diffusion *sd = pipeline->model;
  return sd->vae ? ink_vae_about(sd->vae)->latent_channels
                 : ink_taesd_about(sd->taesd)->latent_channels;
}

// The UNet's latents are (latent - shift) * scale. `taesd` NULL: the autoencoder is `vae`.
static void scales_of(const ink_vae *vae, const ink_taesd *taesd, double *scale, double *shift) {
  *scale = taesd ? ink_taesd_about(taesd)->scaling_factor : ink_vae_about(vae)->scaling_factor;
  *shift = taesd ? ink_taesd_about(taesd)->shift_factor : ink_vae_about(vae)->shift_factor;
}

// RGB bytes as a picture of [-1, 1].
static ink_tensor *picture_tensor(ink_compute *c, const ink_picture *picture) {
  int64_t shape[4] = {1, picture->height, picture->width, 3};
  ink_tensor *x = ink_tensor_new(c->arena, INK_F32, 4, shape);
  if (!x) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a picture to paint from");
  float *to = x->data;
  for (size_t i = 0; i < ink_picture_bytes(picture); i++) {
    to[i] = 2.0F * ((float)picture->pixels[i] / 255.0F) - 1.0F;
  }
  return x;
}

// The middle of the range where a picture is painted anew.
static void blank(ink_tensor *x, const ink_picture *mask) {
  if (!x) return;
  float *to = x->data;
  for (size_t i = 0; i < ink_picture_bytes(mask); i++, to += 3) {
    if (mask->pixels[i] >= 128) to[0] = to[1] = to[2] = 0;
  }
}

ink_status ink_paint_encode(ink_paint_run *run, const ink_picture *picture, const ink_picture *mask,
                            float *latent) {
  const ink_stable_diffusion *sd = run->pipeline->model;
  ink_compute *c = &run->compute;
  INK_TRY(ink_paint_enter(run, INK_PAINT_PICTURES));
  ink_arena_mark mark = ink_arena_save(c->arena);
  double scale, shift;
  scales_of(sd->vae, sd->taesd, &scale, &shift);
  ink_tensor *x = picture_tensor(c, picture);
  if (mask) blank(x, mask);
  if (sd->taesd) {
    ink_tensor *y = ink_taesd_encode(c, sd->taesd, x, ink_paint_activations(run));
    INK_TRY(ink_compute_status(c, run->error));
    memcpy(latent, y->data, run->n * sizeof *latent);
  } else {
    ink_vae_moments m = ink_vae_encode(c, sd->vae, x, ink_paint_activations(run));
    INK_TRY(ink_compute_status(c, run->error));
    INK_TRY(run->noise.draw(run->noise.context, run->drawn, run->n, run->error));
    const float *mean = m.mean->data, *log_variance = m.log_variance->data;
    for (size_t i = 0; i < run->n; i++) {
      latent[i] = mean[i] + expf(0.5F * log_variance[i]) * run->drawn[i];
    }
  }
  for (size_t i = 0; i < run->n; i++) {
    latent[i] = (float)(((double)latent[i] - shift) * scale);
  }
  ink_arena_release(c->arena, mark);
  return INK_OK;
}

// To nearest even by an addition that leaves no bits behind the point: compilers vectorise it.
static uint8_t to_byte(float value) {
  float unit = value * 0.5F + 0.5F, held = unit > 0 ? unit : 0;
  float rounded = 255.0F * (held < 1 ? held : 1) + 0x1.8p23F;
  uint32_t bits;
  memcpy(&bits, &rounded, sizeof bits);
  return (uint8_t)bits;
}

ink_status ink_paint_decode(ink_paint_run *run, const ink_taesd *taesd, const float *latent,
                            ink_painting *painting) {
  const ink_stable_diffusion *sd = run->pipeline->model;
  if (!taesd) taesd = sd->taesd;
  ink_compute *c = &run->compute;
  INK_TRY(ink_paint_enter(run, INK_PAINT_PICTURES));
  ink_arena_mark mark = ink_arena_save(c->arena);
  double scale, shift;
  scales_of(sd->vae, taesd, &scale, &shift);
  ink_picture *picture = &painting->picture;
  ink_tensor *x =
      ink_tensor_new(c->arena, INK_F32, 4, (int64_t[]){1, run->h, run->w, run->channels});
  if (!x) return ink_fail(run->error, INK_ERR_MEMORY, "no memory to decode a picture");
  for (size_t i = 0; i < run->n; i++) {
    ((float *)x->data)[i] = (float)((double)latent[i] / scale + shift);
  }
  ink_dtype activations = ink_paint_activations(run);
  ink_tensor *y = taesd ? ink_taesd_decode(c, taesd, x, activations)
                        : ink_vae_decode(c, sd->vae, x, activations);
  INK_TRY(ink_compute_status(c, run->error));
  if (y->shape[3] != 3) {
    return ink_fail(run->error, INK_ERR_UNSUPPORTED,
                    "%s: an autoencoder of pictures with %d channels; they have 3", sd->path,
                    (int)y->shape[3]);
  }
  INK_TRY(ink_picture_new((int32_t)y->shape[2], (int32_t)y->shape[1], 3, picture, run->error));
  const float *values = y->data;
  size_t n = ink_picture_bytes(picture);
  for (size_t i = 0; i < n; i++) picture->pixels[i] = to_byte(values[i]);
  if (run->request->keep_values) {
    painting->values = calloc(n + 1, sizeof *values);
    painting->latent = calloc(run->n, sizeof *latent);
    if (!painting->values || !painting->latent)
      return ink_fail(run->error, INK_ERR_MEMORY, "no memory for values");
    memcpy(painting->values, values, n * sizeof *values);
    ink_paint_turn_out(run, latent, painting->latent);
  }
  ink_arena_release(c->arena, mark);
  return INK_OK;
}

// ---- painting from a picture --------------------------------------------------------------------

ink_status ink_paint_fit(const ink_paint_run *run, const ink_picture *from, int32_t channels,
                         ink_picture *out) {
  static const uint8_t white[3] = {255, 255, 255};
  ink_picture flat, plain;
  INK_TRY(ink_picture_flatten(from, white, &flat, run->error));
  ink_status status = ink_picture_convert(&flat, channels, &plain, run->error);
  ink_picture_free(&flat);
  INK_TRY(status);
  status = ink_picture_resize(&plain, run->width, run->height, INK_RESIZE_LANCZOS, out, run->error);
  ink_picture_free(&plain);
  return status;
}

// The mask at the latent's size: the mean of each pixel's square.
static void shrink_mask(ink_paint_run *run) {
  int32_t factor = ink_paint_factor(run->pipeline);
  for (int64_t y = 0; y < run->h; y++) {
    for (int64_t x = 0; x < run->w; x++) {
      uint32_t sum = 0;
      for (int32_t i = 0; i < factor * factor; i++) {
        sum += *ink_picture_at(&run->mask_picture, (int32_t)x * factor + i % factor,
                               (int32_t)y * factor + i / factor);
      }
      run->mask[y * run->w + x] = (float)sum / (255.0F * (float)(factor * factor));
    }
  }
}

ink_status ink_paint_begin_from(ink_paint_run *run, bool with_latent) {
  const ink_paint_request *q = run->request;
  INK_TRY(ink_paint_fit(run, q->init, 3, &run->init));
  if (q->mask) {
    INK_TRY(ink_paint_fit(run, q->mask, 1, &run->mask_picture));
    shrink_mask(run);
  }
  return with_latent ? ink_paint_encode(run, &run->init, NULL, run->clean) : INK_OK;
}

// ---- the network --------------------------------------------------------------------------------

// What a network is shown: the latent once or twice, with mask and masked latent where it is wider
// than the latent.
static ink_tensor *sample_tensor(ink_paint_run *run, const float *input, int64_t batch,
                                 int64_t wide) {
  int64_t c = run->channels;
  ink_tensor *x =
      ink_tensor_new(run->compute.arena, INK_F32, 4, (int64_t[]){batch, run->h, run->w, wide});
  if (!x) return ink_compute_fail(&run->compute, INK_ERR_MEMORY, "no memory for a step");
  float *to = x->data;
  int64_t pixels = run->h * run->w;
  for (int64_t i = 0; i < batch * pixels; i++, to += wide) {
    int64_t pixel = i % pixels;
    memcpy(to, input + pixel * c, (size_t)c * sizeof *to);
    if (wide == c) continue;
    to[c] = run->mask[pixel];
    memcpy(to + c + 1, run->masked + pixel * c, (size_t)c * sizeof *to);
  }
  return x;
}

static ink_tensor *filled(ink_compute *c, int64_t n, double value) {
  ink_tensor *x = ink_tensor_new(c->arena, INK_F32, 1, &n);
  if (!x) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a step");
  for (int64_t i = 0; i < n; i++) ((float *)x->data)[i] = (float)value;
  return x;
}

// XL: size of the original, corner of the crop, size of the target; for the refiner a score instead
// of the target.
static ink_tensor *time_ids(ink_paint_run *run, int64_t batch) {
  int64_t n = ink_unet_about(run->pipeline->model->unet)->n_time_id;
  ink_tensor *x = ink_tensor_new(run->compute.arena, INK_F32, 2, (int64_t[]){batch, n});
  if (!x) return ink_compute_fail(&run->compute, INK_ERR_MEMORY, "no memory for a step");
  for (int64_t i = 0; i < batch; i++) {
    bool negative = run->guided && i == 0;
    float score = negative ? 2.5F : 6.0F;  // diffusers' aesthetic scores
    float height = (float)run->height, width = (float)run->width;
    const float ids[6] = {height, width, 0, 0, n == 5 ? score : height, width};
    memcpy((float *)x->data + i * n, ids, (size_t)n * sizeof *ids);
  }
  return x;
}

// Standard deviation, as torch takes it.
static double deviation(const float *x, size_t n) {
  double mean = 0, sum = 0;
  for (size_t i = 0; i < n; i++) mean += (double)x[i];
  mean /= (double)n;
  for (size_t i = 0; i < n; i++) sum += ((double)x[i] - mean) * ((double)x[i] - mean);
  return sqrt(sum / (double)(n > 1 ? n - 1 : 1));
}

// Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598), and its contrast mended.
static void guide(const ink_paint_run *run, const float *both, float *output) {
  const float *without = both, *with = both + run->n;
  float scale = (float)run->request->guidance_scale;
  for (size_t i = 0; i < run->n; i++) output[i] = without[i] + scale * (with[i] - without[i]);
  double share = run->request->guidance_rescale, now = deviation(output, run->n);
  if (share == 0 || now == 0) return;
  float factor = (float)(share * (deviation(with, run->n) / now) + (1 - share));
  for (size_t i = 0; i < run->n; i++) output[i] *= factor;
}

// What is deep in the UNet changes most while the picture takes shape: all of the first steps are
// computed whole.
static ink_unet_deep *cache(ink_paint_run *run) {
  int32_t every = run->request->cache;
  if (every < 2) return NULL;
  ink_unet_deep *deep = &run->deep;
  deep->shallow = 1;
  deep->arena = run->kept.arena;
  deep->reuse = deep->n > 0 && run->step_begins >= 0.25 && ++run->since < every;
  if (!deep->reuse) run->since = 0;
  run->reused += deep->reuse;
  return deep;
}

ink_status ink_paint_predict(void *context, const float *input, double timestep, float *output,
                             ink_error *error) {
  ink_paint_run *run = context;
  ink_compute *c = &run->compute;
  const ink_unet *unet = run->pipeline->model->unet;
  const ink_unet_config *config = ink_unet_about(unet);
  INK_TRY(ink_paint_enter(run, INK_PAINT_STEPS));
  ink_arena_mark mark = ink_arena_save(c->arena);
  int64_t batch = run->guided ? 2 : 1;
  ink_unet_input in = {.sample = sample_tensor(run, input, batch, config->in_channels),
                       .timesteps = filled(c, batch, timestep),
                       .context = run->context,
                       .text = run->text,
                       .deep = cache(run),
                       .activations = ink_paint_activations(run)};
  if (config->pooled) {
    in.pooled = run->pooled;
    in.time_ids = time_ids(run, batch);
  }
  if (config->time_cond) in.guidance = filled(c, batch, run->request->guidance_scale - 1);
  ink_unet_residuals control;
  if (run->request->n_controls) {
    const ink_tensor *sample = config->in_channels == run->channels
                                   ? in.sample
                                   : sample_tensor(run, input, batch, run->channels);
    if (ink_paint_control_step(run, &in, sample, &control)) in.control = &control;
    INK_TRY(ink_compute_status(c, error));
  }
  ink_tensor *y = ink_unet_forward(c, unet, &in);
  INK_TRY(ink_compute_status(c, error));
  if (run->guided) {
    guide(run, y->data, output);
  } else {
    memcpy(output, y->data, run->n * sizeof *output);
  }
  ink_arena_release(c->arena, mark);
  return INK_OK;
}
