// Inside the room: the painter's trainer and what its files share.
#ifndef INK_TRAIN_PAINTING_PAINTER_PARTS_H
#define INK_TRAIN_PAINTING_PAINTER_PARTS_H

#include "diffusion/schedule.h"
#include "train/painting/painter.h"
#include "train/painting/parts.h"
#include "train/painting/studies.h"

struct ink_painter_trainer {
  const ink_painter_recipe *recipe;
  ink_pool *pool;
  ink_sprites *sprites;
  ink_tokenizer *tokenizer;
  ink_taesd *taesd;
  json_t *taesd_config;
  double scale;  // of latents
  ink_studies *studies;
  ink_unet *unet;
  ink_clip *clip;
  ink_schedule *schedule;  // of training
  double *weight_until;    // sums of the loss weights of the timesteps before each, and of all
  ink_course *course;
  int32_t *nothing;  // ids of the empty caption
  // Scenes that measure: validate_pictures held out, then as many like those of training.
  float *exam_latents;
  int32_t *exam_captions;
};

// Noise of one sample's latent and its target.
//   noisy = sqrt(a) latent + sqrt(1 - a) noise,  v = sqrt(a) noise - sqrt(1 - a) latent
void ink_painter_mix(double alpha_cumprod, size_t n, const float *latent, const float *noise,
                     float *noisy, float *v);

// What the text encoder makes of captions: ids I32 (B, context) to F32 (B, context, width).
const ink_tensor *ink_painter_read(ink_compute *c, const ink_painter_trainer *t,
                                   const ink_tensor *ids);

// Paint the recipe's prompts and write the sheet.
ink_status ink_painter_sheet(const ink_painter_trainer *t, ink_compute *c, int64_t step,
                             ink_error *error);

// Write a diffusers folder.
ink_status ink_painter_export(const ink_painter_trainer *t, const char *folder, ink_error *error);

#endif
