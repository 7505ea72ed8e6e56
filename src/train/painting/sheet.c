// Contact sheets: what the painter makes of the recipe's prompts, all at once.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/sampler.h"
#include "train/painting/painter_parts.h"

// A painting of all prompts, side by side in the batch.
typedef struct easel {
  const ink_painter_trainer *trainer;
  ink_compute *compute;
  const ink_tensor *texts;  // of nothing, n times, then of the prompts: (2 n, context, width)
  int64_t n;
  size_t size;  // numbers in a latent
} easel;

static ink_status predict(void *context, const float *input, double timestep, float *output,
                          ink_error *error) {
  const easel *e = context;
  const ink_unet_config *g = ink_unet_about(e->trainer->unet);
  ink_compute *c = e->compute;
  ink_arena_mark mark = ink_arena_save(c->arena);
  int64_t batch = 2 * e->n;
  size_t half = (size_t)e->n * e->size;
  ink_tensor *sample = ink_tensor_new(
      c->arena, INK_F32, 4, (int64_t[]){batch, g->sample_size, g->sample_size, g->in_channels});
  ink_tensor *timesteps = ink_tensor_new(c->arena, INK_F32, 1, &batch);
  if (!sample || !timesteps) return ink_fail(error, INK_ERR_MEMORY, "no memory for a sheet");
  memcpy(sample->data, input, half * sizeof *input);
  memcpy((float *)sample->data + half, input, half * sizeof *input);
  for (int64_t i = 0; i < batch; i++) ((float *)timesteps->data)[i] = (float)timestep;
  ink_unet_input in = {
      .sample = sample, .timesteps = timesteps, .context = e->texts, .activations = INK_F32};
  const ink_tensor *y = ink_unet_forward(c, e->trainer->unet, &in);
  ink_status status = ink_compute_status(c, error);
  float guidance = (float)e->trainer->recipe->guidance;
  for (size_t i = 0; status == INK_OK && i < half; i++) {
    float without = ((const float *)y->data)[i], with = ((const float *)y->data)[half + i];
    output[i] = without + guidance * (with - without);
  }
  ink_arena_release(c->arena, mark);
  return status;
}

static const ink_tensor *read_prompts(const ink_painter_trainer *t, ink_compute *c,
                                      ink_error *error) {
  const ink_painter_recipe *r = t->recipe;
  int64_t n = (int64_t)r->n_prompt, context = r->text.context;
  ink_tensor *ids = ink_tensor_new(c->arena, INK_I32, 2, (int64_t[]){2 * n, context});
  if (!ids) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a sheet");
  int32_t *to = ids->data;
  for (int64_t i = 0; i < 2 * n; i++, to += context) {
    const char *text = i < n ? "" : r->prompts[i - n];
    ink_status status = ink_caption_encode(t->tokenizer, text, r->text.context, to, error);
    if (status != INK_OK) return ink_compute_fail(c, status, "%s", error->text);
  }
  return ink_painter_read(c, t, ids);
}

static ink_status hang(const ink_painter_trainer *t, const ink_tensor *pictures, int64_t step,
                       ink_error *error) {
  enum { COLUMNS = 6 };
  int32_t n = (int32_t)pictures->shape[0], side = (int32_t)pictures->shape[1];
  int32_t columns = n < COLUMNS ? n : COLUMNS, rows = (n + columns - 1) / columns;
  ink_picture sheet;
  INK_TRY(ink_picture_new(columns * side, rows * side, 3, &sheet, error));
  memset(sheet.pixels, 255, ink_picture_bytes(&sheet));
  for (int32_t i = 0; i < n; i++) {
    ink_sheet_place(&sheet, pictures, i, i % columns * side, i / columns * side);
  }
  ink_status status = ink_sheet_save(&sheet, ink_course_folder(t->course), step, error);
  ink_picture_free(&sheet);
  return status;
}

// Take the sampler from noise to latents (n, h, w, channels), in place.
static ink_status paint(easel *e, ink_tensor *latents, ink_error *error) {
  ink_sampler *sampler;
  ink_denoiser denoiser = {predict, e};
  const ink_schedule *schedule = e->trainer->schedule;
  INK_TRY(ink_sampler_new(INK_SAMPLER_DDIM, schedule, (size_t)e->n * e->size, 0, &sampler, error));
  ink_status status = ink_sampler_start(sampler, 0, error);
  if (status == INK_OK) ink_sampler_begin(sampler, latents->data);
  for (int32_t i = 0; status == INK_OK && i < schedule->n_steps; i++) {
    status = ink_sampler_step(sampler, latents->data, &denoiser, NULL, error);
  }
  ink_sampler_free(sampler);
  return status;
}

ink_status ink_painter_sheet(const ink_painter_trainer *t, ink_compute *c, int64_t step,
                             ink_error *error) {
  const ink_unet_config *g = ink_unet_about(t->unet);
  int64_t n = (int64_t)t->recipe->n_prompt;
  int64_t shape[4] = {n, g->sample_size, g->sample_size, g->in_channels};
  ink_arena_mark mark = ink_arena_save(c->arena);
  easel e = {.trainer = t,
             .compute = c,
             .n = n,
             .size = (size_t)(shape[1] * shape[2] * shape[3]),
             .texts = read_prompts(t, c, error)};
  ink_tensor *latents = ink_normal_tensor(c, INK_HELD_OUT_SEED, INK_STREAM_SHEET, 0, 4, shape, 1);
  ink_status status = ink_compute_status(c, error);
  if (status == INK_OK) status = paint(&e, latents, error);
  if (status == INK_OK) {
    const ink_tensor *y =
        ink_taesd_decode(c, t->taesd, ink_scale(c, latents, (float)(1 / t->scale)), INK_F32);
    status = ink_compute_status(c, error);
    if (status == INK_OK) status = hang(t, y, step, error);
  }
  ink_arena_release(c->arena, mark);
  return status;
}
