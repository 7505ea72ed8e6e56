// The picture while it is painted. A latent is close enough to a small picture that three weighted
// sums of its channels show it; the weights are those that ComfyUI fitted (latent_formats.py).
#include <math.h>

#include "diffusion/pipeline_parts.h"

typedef struct factors {
  float of[4][3], bias[3];
} factors;

static const factors of_sd1 = {{{0.3512F, 0.2297F, 0.3227F},
                                {0.3250F, 0.4974F, 0.2350F},
                                {-0.2829F, 0.1762F, 0.2721F},
                                {-0.2120F, -0.2616F, -0.7177F}},
                               {0, 0, 0}};
static const factors of_xl = {{{0.3651F, 0.4232F, 0.4341F},
                               {-0.2533F, -0.0042F, 0.1068F},
                               {0.1076F, 0.1111F, -0.0362F},
                               {-0.3165F, -0.2492F, -0.2188F}},
                              {0.1084F, -0.0175F, -0.0011F}};

static uint8_t to_byte(float value) {
  return (uint8_t)lrintf(255.0F * fminf(fmaxf(value * 0.5F + 0.5F, 0), 1));
}

static ink_status mix(const ink_paint_run *run, const float *latent, ink_picture *out) {
  ink_sd_family family = run->pipeline->model->family;
  const factors *f = family == INK_SD_XL || family == INK_SD_XL_REFINER ? &of_xl : &of_sd1;
  ink_error unheard = {0};
  INK_TRY(ink_picture_new((int32_t)run->w, (int32_t)run->h, 3, out, &unheard));
  int64_t channels = run->channels < 4 ? run->channels : 4;
  for (int64_t i = 0; i < run->h * run->w; i++, latent += run->channels) {
    for (int k = 0; k < 3; k++) {
      float sum = f->bias[k];
      for (int64_t c = 0; c < channels; c++) sum += latent[c] * f->of[c][k];
      out->pixels[3 * i + k] = to_byte(sum);
    }
  }
  return INK_OK;
}

void ink_paint_show(ink_paint_run *run, int32_t step, int32_t n_steps) {
  const ink_paint_preview *preview = run->request->preview;
  const float *latent = ink_sampler_denoised(run->sampler);
  if (!preview || !latent) return;
  ink_painting painting = {0};
  const ink_pipeline *p = run->pipeline;
  const ink_taesd *taesd = p->taesd ? p->taesd : p->model->taesd;
  ink_status status;
  // A tiny autoencoder is quick; where weights come and go in turn it would not be.
  if (taesd && !run->one_part) {
    ink_error unheard = {0}, *heard = run->error;
    run->error = &unheard;
    status = ink_paint_decode(run, taesd, latent, &painting);
    run->error = heard;
  } else {
    status = mix(run, latent, &painting.picture);
  }
  if (status == INK_OK) preview->show(preview->context, step, n_steps, &painting.picture);
  ink_painting_free(&painting);
}
