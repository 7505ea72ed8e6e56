// The painter's loss, its exam and its beginning.
#include "train/painting/painter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "diffusion/scheduler_config.h"
#include "tensor/gemm.h"
#include "train/painting/autoencoder.h"
#include "train/painting/painter_parts.h"
#include "weights/weights.h"

static ink_status no_memory(ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY,
                  "no memory for training; a smaller micro in the recipe needs less");
}

// ---- noise --------------------------------------------------------------------------------------

double ink_painter_weight(double alpha_cumprod, double gamma) {
  double snr_and_one = 1 / fmax(1 - alpha_cumprod, 1e-12);
  return fmin(snr_and_one, gamma) / snr_and_one;
}

void ink_painter_mix(double alpha_cumprod, size_t n, const float *latent, const float *noise,
                     float *noisy, float *v) {
  float signal = (float)sqrt(alpha_cumprod), rest = (float)sqrt(1 - alpha_cumprod);
  for (size_t i = 0; i < n; i++) {
    noisy[i] = signal * latent[i] + rest * noise[i];
    v[i] = signal * noise[i] - rest * latent[i];
  }
}

// Timesteps come as often as their weights say, so that no pass is spent on what hardly counts; all
// samples then weigh the same. The loss expected is that of even draws with weights.
static ink_status weigh_timesteps(ink_painter_trainer *t, ink_error *error) {
  int64_t n = t->schedule->config.n_train;
  t->weight_until = calloc((size_t)n + 1, sizeof *t->weight_until);
  if (!t->weight_until) return no_memory(error);
  for (int64_t i = 0; i < n; i++) {
    double alpha = ink_schedule_alpha_cumprod(t->schedule, i);
    t->weight_until[i + 1] = t->weight_until[i] + ink_painter_weight(alpha, t->recipe->gamma);
  }
  return INK_OK;
}

static float mean_weight(const ink_painter_trainer *t) {
  int64_t n = t->schedule->config.n_train;
  return (float)(t->weight_until[n] / (double)n);
}

int64_t ink_painter_timestep_at(const double *weight_until, int64_t n, double share) {
  int64_t first = 0, last = n - 1;
  double at = share * weight_until[n];
  while (first < last) {
    int64_t middle = (first + last) / 2;
    if (weight_until[middle + 1] > at) {
      last = middle;
    } else {
      first = middle + 1;
    }
  }
  return first;
}

// A batch as the networks see it.
typedef struct lesson {
  ink_tensor *noisy, *target, *timesteps, *weights, *ids;
} lesson;

static bool lesson_new(const ink_painter_trainer *t, ink_compute *c, int64_t n, lesson *out) {
  const ink_unet_config *g = ink_unet_about(t->unet);
  int64_t shape[4] = {n, g->sample_size, g->sample_size, g->out_channels};
  *out = (lesson){
      .noisy = ink_tensor_new(c->arena, INK_F32, 4, shape),
      .target = ink_tensor_new(c->arena, INK_F32, 4, shape),
      .timesteps = ink_tensor_new(c->arena, INK_F32, 1, &n),
      .weights = ink_tensor_new(c->arena, INK_F32, 1, &n),
      .ids = ink_tensor_new(c->arena, INK_I32, 2, (int64_t[]){n, t->recipe->text.context})};
  if (out->noisy && out->target && out->timesteps && out->weights && out->ids) return true;
  ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a batch");
  return false;
}

// Fill in sample i of a lesson.
static void set(const ink_painter_trainer *t, const lesson *l, int64_t i, int64_t timestep,
                const float *latent, const float *noise, const int32_t *ids) {
  size_t n = ink_studies_latent_size(t->studies), context = (size_t)t->recipe->text.context;
  double alpha = ink_schedule_alpha_cumprod(t->schedule, timestep);
  ink_painter_mix(alpha, n, latent, noise, (float *)l->noisy->data + (size_t)i * n,
                  (float *)l->target->data + (size_t)i * n);
  ((float *)l->timesteps->data)[i] = (float)timestep;
  ((float *)l->weights->data)[i] = mean_weight(t);
  memcpy((int32_t *)l->ids->data + (size_t)i * context, ids, context * sizeof *ids);
}

const ink_tensor *ink_painter_read(ink_compute *c, const ink_painter_trainer *t,
                                   const ink_tensor *ids) {
  ink_clip_input input = {.ids = ids, .final_norm = true};
  return ink_clip_forward(c, t->clip, &input).hidden;
}

// The network's v for a lesson.
static ink_tensor *predict(ink_compute *c, const ink_painter_trainer *t, const lesson *l) {
  ink_unet_input input = {.sample = l->noisy,
                          .timesteps = l->timesteps,
                          .context = ink_painter_read(c, t, l->ids),
                          .activations = INK_F32};
  return ink_unet_forward(c, t->unet, &input);
}

// ---- the loss -----------------------------------------------------------------------------------

static uint64_t common_divisor(uint64_t a, uint64_t b) {
  while (b) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

// The scene that a sample shows: each epoch visits all of them in steps of a stride that shares no
// divisor with their number.
static int64_t scene_of(const ink_painter_trainer *t, int64_t sample) {
  uint64_t n = (uint64_t)t->recipe->scenes, epoch = (uint64_t)sample / n;
  ink_random random =
      ink_painter_random(t->recipe->course.seed, INK_STREAM_SHUFFLE, (int64_t)epoch);
  uint64_t start = ink_random_below(&random, n), stride = 1 + ink_random_below(&random, n);
  while (common_divisor(stride, n) != 1) stride = stride % n + 1;
  return (int64_t)((start + (uint64_t)sample % n * stride) % n);
}

// Timesteps of a batch lie evenly in weight: each sample draws within a stretch of its own.
static int64_t timestep_of(const ink_painter_trainer *t, int64_t sample) {
  const ink_course_recipe *r = &t->recipe->course;
  ink_random random = ink_painter_random(r->seed, INK_STREAM_TIMESTEP, sample);
  double at = (double)(sample % r->batch) + ink_random_double(&random);
  return ink_painter_timestep_at(t->weight_until, t->schedule->config.n_train,
                                 at / (double)r->batch);
}

static const int32_t *caption_of(const ink_painter_trainer *t, int64_t sample, int64_t scene) {
  ink_random random = ink_painter_random(t->recipe->course.seed, INK_STREAM_CAPTION, sample);
  if (ink_random_double(&random) < t->recipe->drop) return t->nothing;
  uint64_t n = (uint64_t)ink_studies_n_caption(t->studies, scene);
  return ink_studies_caption(t->studies, scene, (int32_t)ink_random_below(&random, n));
}

static ink_tensor *loss(void *self, ink_compute *c, int64_t first, int64_t n) {
  const ink_painter_trainer *t = self;
  lesson l;
  size_t size = ink_studies_latent_size(t->studies);
  if (!lesson_new(t, c, n, &l)) return NULL;
  const ink_tensor *noise =
      ink_normal_tensor(c, t->recipe->course.seed, INK_STREAM_NOISE, first, 4, l.noisy->shape, 1);
  float *latent = ink_arena_zeros(c->arena, size, sizeof *latent);
  if (!noise || !latent) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a batch");
  for (int64_t i = 0; i < n; i++) {
    int64_t sample = first + i, scene = scene_of(t, sample);
    ink_to_f32(INK_F16, ink_studies_latent(t->studies, scene), latent, (int64_t)size);
    set(t, &l, i, timestep_of(t, sample), latent, (const float *)noise->data + (size_t)i * size,
        caption_of(t, sample, scene));
  }
  const ink_tensor *v = predict(c, t, &l);
  return ink_scale(c, ink_squared_error(c, v, l.target, l.weights), 1.0f / (float)size);
}

// ---- the exam -----------------------------------------------------------------------------------

enum { QUARTERS = 4 };

typedef struct marks {
  double error[2][QUARTERS];  // held out, new; by noise, the least first
  int64_t n[2][QUARTERS];
} marks;

// One micro-batch of the exam. Scene i is seen at one timestep, spread evenly over all scenes.
static ink_status examine(const ink_painter_trainer *t, ink_compute *c, int group, int64_t first,
                          int64_t n, marks *sum, ink_error *error) {
  int64_t all = t->recipe->course.validate_pictures, n_train = t->schedule->config.n_train;
  size_t size = ink_studies_latent_size(t->studies), context = (size_t)t->recipe->text.context;
  ink_arena_mark mark = ink_arena_save(c->arena);
  lesson l;
  ink_tensor *v = NULL;
  if (lesson_new(t, c, n, &l)) {
    const ink_tensor *noise =
        ink_normal_tensor(c, INK_HELD_OUT_SEED, INK_STREAM_NOISE, first, 4, l.noisy->shape, 1);
    for (int64_t i = 0; noise && i < n; i++) {
      size_t at = (size_t)(group * all + first + i);
      int64_t timestep = (2 * (first + i) + 1) * n_train / (2 * all);
      set(t, &l, i, timestep, t->exam_latents + at * size,
          (const float *)noise->data + (size_t)i * size, t->exam_captions + at * context);
    }
    v = predict(c, t, &l);
  }
  ink_status status = ink_compute_status(c, error);
  for (int64_t i = 0; v && status == INK_OK && i < n; i++) {
    const float *a = (const float *)v->data + (size_t)i * size;
    const float *b = (const float *)l.target->data + (size_t)i * size;
    double squares = 0;
    for (size_t j = 0; j < size; j++) {
      squares += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
    }
    int64_t quarter = (first + i) * QUARTERS / all;
    sum->error[group][quarter] += squares / (double)size;
    sum->n[group][quarter]++;
  }
  ink_arena_release(c->arena, mark);
  return status;
}

static double mean_of(const marks *m, int group) {
  double error = 0, n = 0;
  for (int i = 0; i < QUARTERS; i++) {
    error += m->error[group][i];
    n += (double)m->n[group][i];
  }
  return error / n;
}

static ink_status validate(void *self, ink_compute *c, ink_train_report *report,
                           const ink_train_listener *listener, ink_error *error) {
  const ink_painter_trainer *t = self;
  const ink_course_recipe *r = &t->recipe->course;
  marks sum = {0};
  for (int group = 0; group < 2; group++) {
    for (int64_t first = 0; first < r->validate_pictures; first += r->micro) {
      int64_t n = r->validate_pictures - first;
      INK_TRY(examine(t, c, group, first, n < r->micro ? n : r->micro, &sum, error));
    }
  }
  report->valid_loss = mean_of(&sum, 0);
  report->valid_second = mean_of(&sum, 1);
  char text[160];
  double by[QUARTERS];
  for (int i = 0; i < QUARTERS; i++) {
    by[i] = sum.n[0][i] ? sum.error[0][i] / (double)sum.n[0][i] : 0;
  }
  snprintf(text, sizeof text, "step %lld: held out by noise, the least first: %.4f %.4f %.4f %.4f",
           (long long)report->step, by[0], by[1], by[2], by[3]);
  if (listener && listener->note) listener->note(listener->context, text);
  return INK_OK;
}

static ink_status encode_exam(ink_painter_trainer *t, int group, ink_error *error) {
  const ink_course_recipe *r = &t->recipe->course;
  ink_scene_split split = group ? INK_SCENE_TRAIN : INK_SCENE_HELD_OUT;
  size_t size = ink_studies_latent_size(t->studies), context = (size_t)t->recipe->text.context;
  int64_t all = r->validate_pictures;
  ink_arena *arena = ink_arena_new(0);
  if (!arena) return no_memory(error);
  ink_status status = INK_OK;
  for (int64_t first = 0; status == INK_OK && first < all; first += r->micro) {
    int64_t n = all - first < r->micro ? all - first : r->micro;
    ink_arena_mark mark = ink_arena_save(arena);
    ink_compute c = {.arena = arena, .pool = t->pool, .precision = r->precision};
    const ink_tensor *x =
        ink_scene_tensor(&c, t->sprites, split, INK_HELD_OUT_SEED, first, n, r->side);
    const ink_tensor *z =
        ink_scale(&c, ink_taesd_encode(&c, t->taesd, x, INK_F32), (float)t->scale);
    status = ink_compute_status(&c, error);
    for (int64_t i = 0; status == INK_OK && i < n; i++) {
      ink_scene_caption caption;
      size_t at = (size_t)(group * all + first + i);
      memcpy(t->exam_latents + at * size, (const float *)z->data + (size_t)i * size,
             size * sizeof(float));
      status = ink_scene_draw(t->sprites, split, INK_HELD_OUT_SEED, (uint64_t)(first + i), r->side,
                              NULL, &caption, error);
      if (status != INK_OK) break;
      status = ink_caption_encode(t->tokenizer, caption.texts[(first + i) % caption.n_text],
                                  t->recipe->text.context, t->exam_captions + at * context, error);
    }
    ink_arena_release(arena, mark);
  }
  ink_arena_free(arena);
  return status;
}

static ink_status prepare_exam(ink_painter_trainer *t, ink_error *error) {
  size_t n = 2 * (size_t)t->recipe->course.validate_pictures;
  t->exam_latents = calloc(n, ink_studies_latent_size(t->studies) * sizeof(float));
  t->exam_captions = calloc(n, (size_t)t->recipe->text.context * sizeof(int32_t));
  if (!t->exam_latents || !t->exam_captions) return no_memory(error);
  INK_TRY(encode_exam(t, 0, error));
  return encode_exam(t, 1, error);
}

// ---- setting up ---------------------------------------------------------------------------------

static ink_status open_tokenizer(const ink_painter_recipe *r, const char *folder,
                                 ink_tokenizer **tokenizer, ink_error *error) {
  char *path = ink_path_join(folder, "tokenizer");
  if (!path) return no_memory(error);
  ink_status status = ink_tokenizer_open(path, tokenizer, error);
  if (status == INK_OK && ink_tokenizer_size(*tokenizer) > (size_t)r->text.vocab) {
    status =
        ink_fail(error, INK_ERR_CONFLICT, "%s has %zu tokens, but the recipe's vocab_size is %d",
                 path, ink_tokenizer_size(*tokenizer), r->text.vocab);
  }
  free(path);
  return status;
}

// What is drawn and how it is put into words; the caller's, whatever is returned.
static ink_status open_data(const ink_painter_recipe *r, const char *folder, ink_sprites **sprites,
                            ink_tokenizer **tokenizer, ink_error *error) {
  INK_TRY(ink_sprites_open(folder, sprites, error));
  INK_TRY(ink_sprites_choose(*sprites, (const char *const *)r->concepts, r->n_concept, error));
  ink_sprites_set_freedom(*sprites, r->freedom);
  return open_tokenizer(r, folder, tokenizer, error);
}

static ink_scenes_source scenes_of(const ink_painter_recipe *r, const ink_sprites *sprites,
                                   const ink_tokenizer *tokenizer) {
  return (ink_scenes_source){.sprites = sprites,
                             .tokenizer = tokenizer,
                             .split = INK_SCENE_TRAIN,
                             .seed = r->course.seed,
                             .n = r->scenes,
                             .side = r->course.side,
                             .context = r->text.context};
}

ink_status ink_painter_lay_out(const ink_painter_recipe *recipe, const char *data, int64_t n,
                               bool held_out, const char *out, ink_pool *pool,
                               const ink_progress *progress, ink_error *error) {
  ink_sprites *sprites = NULL;
  ink_tokenizer *tokenizer = NULL;
  ink_status status = open_data(recipe, data, &sprites, &tokenizer, error);
  if (status == INK_OK) {
    ink_scenes_source source = scenes_of(recipe, sprites, tokenizer);
    if (n) source.n = n;
    if (held_out) {
      source.split = INK_SCENE_HELD_OUT;
      source.seed = INK_HELD_OUT_SEED;
    }
    status = ink_scenes_write(out, &source, pool, progress, error);
  }
  ink_tokenizer_free(tokenizer);
  ink_sprites_close(sprites);
  return status;
}

static ink_status encode_nothing(ink_painter_trainer *t, ink_error *error) {
  int32_t context = t->recipe->text.context;
  t->nothing = calloc((size_t)context, sizeof *t->nothing);
  if (!t->nothing) return no_memory(error);
  return ink_caption_encode(t->tokenizer, "", context, t->nothing, error);
}

static ink_status check_sizes(const ink_painter_trainer *t, ink_error *error) {
  const ink_painter_recipe *r = t->recipe;
  int32_t channels = ink_taesd_about(t->taesd)->latent_channels;
  int32_t side = r->course.side / ink_taesd_factor(t->taesd);
  if (r->unet.in_channels == channels && r->unet.out_channels == channels &&
      r->unet.sample_size == side && r->course.side % ink_taesd_factor(t->taesd) == 0) {
    return INK_OK;
  }
  return ink_fail(error, INK_ERR_CONFLICT,
                  "%s makes latents of %d x %d with %d channels of a picture's %d; the recipe's "
                  "unet has %d x %d, %d channels in, %d out",
                  r->autoencoder, side, side, channels, r->course.side, r->unet.sample_size,
                  r->unet.sample_size, r->unet.in_channels, r->unet.out_channels);
}

static ink_status open_autoencoder(ink_painter_trainer *t, ink_error *error) {
  INK_TRY(ink_autoencoder_load(t->recipe->autoencoder, &t->taesd, &t->taesd_config, error));
  t->scale = ink_taesd_about(t->taesd)->scaling_factor;
  return check_sizes(t, error);
}

static ink_status open_studies(ink_painter_trainer *t, const char *out,
                               const ink_progress *progress, ink_error *error) {
  const ink_course_recipe *r = &t->recipe->course;
  INK_TRY(open_autoencoder(t, error));
  INK_TRY(ink_folder_make(out, error));
  char *path = ink_path_join(out, INK_STUDIES_NAME);
  if (!path) return no_memory(error);
  ink_studies_source source = {.scenes = scenes_of(t->recipe, t->sprites, t->tokenizer),
                               .taesd = t->taesd,
                               .scale = t->scale,
                               .micro = 16,
                               .precision = r->precision};
  ink_status status = ink_studies_open(path, &source, t->pool, progress, &t->studies, error);
  free(path);
  return status;
}

// Open the weights of a part to begin from; *weights NULL where there are none.
static ink_status start_of(const ink_course_recipe *r, const char *part, ink_source *source,
                           ink_weights **weights, ink_error *error) {
  *weights = NULL;
  *source = (ink_source){.seed = r->init_seed};
  if (!r->start) return INK_OK;
  char *path = ink_path_join(r->start, part);
  if (!path) return no_memory(error);
  ink_status status = ink_weights_open(path, weights, error);
  free(path);
  *source = (ink_source){.weights = *weights, .trainable = true};
  return status;
}

static bool ends_with(const char *text, const char *ending) {
  size_t n = strlen(text), m = strlen(ending);
  return n >= m && strcmp(text + n - m, ending) == 0;
}

// Every block begins as if it were not there, and the network by predicting nothing: what is added
// to the straight way begins at zero.
static void silence(ink_parameter *parameters, size_t n) {
  static const char *const names[] = {"conv_out.weight", "conv2.weight", "proj_out.weight",
                                      "self_attn.out_proj.weight", "mlp.fc2.weight"};
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < sizeof names / sizeof *names; j++) {
      const ink_tensor *x = parameters[i].tensor;
      if (!ends_with(parameters[i].name, names[j])) continue;
      memset(x->data, 0, (size_t)ink_tensor_elements(x) * sizeof(float));
    }
  }
}

static ink_status open_networks(ink_painter_trainer *t, ink_error *error) {
  const ink_painter_recipe *r = t->recipe;
  ink_source source;
  ink_weights *weights;
  ink_status status = start_of(&r->course, "unet", &source, &weights, error);
  if (status == INK_OK) status = ink_unet_new(&r->unet, &source, &t->unet, error);
  ink_weights_close(weights);
  INK_TRY(status);
  status = start_of(&r->course, "text_encoder", &source, &weights, error);
  if (status == INK_OK) status = ink_clip_new(&r->text, &source, &t->clip, error);
  ink_weights_close(weights);
  INK_TRY(status);
  if (r->course.start) return INK_OK;
  size_t n;
  ink_parameter *parameters = ink_unet_parameters(t->unet, &n);
  silence(parameters, n);
  parameters = ink_clip_parameters(t->clip, &n);
  silence(parameters, n);
  return INK_OK;
}

static ink_status lay_out_noise(ink_painter_trainer *t, ink_error *error) {
  ink_scheduler_config config;
  INK_TRY(ink_scheduler_config_read(t->recipe->scheduler, "the recipe's scheduler", NULL, &config,
                                    error));
  INK_TRY(ink_schedule_new(&config.noise, INK_GRID_DDIM, INK_CURVE_SPACED, t->recipe->sheet_steps,
                           &t->schedule, error));
  return weigh_timesteps(t, error);
}

static ink_status save_model(const ink_painter_trainer *t, ink_error *error) {
  char *folder = ink_path_join(ink_course_folder(t->course), t->recipe->course.name);
  ink_status status = folder ? ink_painter_export(t, folder, error) : no_memory(error);
  free(folder);
  return status;
}

// With each sheet goes the model that painted it, so that it can be tried meanwhile.
static ink_status sheet(void *self, ink_compute *c, int64_t step, ink_error *error) {
  INK_TRY(ink_painter_sheet(self, c, step, error));
  return save_model(self, error);
}

static ink_status finish(void *self, ink_compute *c, const ink_train_listener *listener,
                         ink_error *error) {
  (void)c;
  (void)listener;
  return save_model(self, error);
}

static ink_status start_course(ink_painter_trainer *t, const char *out, bool force,
                               ink_error *error) {
  static const ink_train_words words = {"pictures", "squared error of v", "new_scenes"};
  ink_course_work work = {.self = t,
                          .words = &words,
                          .loss = loss,
                          .validate = validate,
                          .sheet = t->recipe->n_prompt ? sheet : NULL,
                          .finish = finish};
  size_t n;
  INK_TRY(ink_course_new(&t->recipe->course, &work, out, t->pool, &t->course, error));
  const ink_parameter *parameters = ink_unet_parameters(t->unet, &n);
  INK_TRY(ink_course_learn(t->course, "unet.", parameters, n, error));
  parameters = ink_clip_parameters(t->clip, &n);
  INK_TRY(ink_course_learn(t->course, "text_encoder.", parameters, n, error));
  return ink_course_ready(t->course, force, error);
}

static ink_status set_up(ink_painter_trainer *t, const char *out, bool force,
                         const ink_progress *progress, ink_error *error) {
  const ink_painter_recipe *r = t->recipe;
  INK_TRY(open_data(r, r->course.data, &t->sprites, &t->tokenizer, error));
  INK_TRY(encode_nothing(t, error));
  INK_TRY(lay_out_noise(t, error));
  INK_TRY(open_networks(t, error));
  INK_TRY(open_studies(t, out, progress, error));
  INK_TRY(prepare_exam(t, error));
  return start_course(t, out, force, error);
}

ink_status ink_painter_trainer_new(const ink_painter_recipe *recipe, const char *out, bool force,
                                   ink_pool *pool, const ink_progress *progress,
                                   ink_painter_trainer **trainer, ink_error *error) {
  *trainer = NULL;
  ink_painter_trainer *made = calloc(1, sizeof *made);
  if (!made) return no_memory(error);
  made->recipe = recipe;
  made->pool = pool;
  ink_status status = set_up(made, out, force, progress, error);
  if (status != INK_OK) {
    ink_painter_trainer_free(made);
    return status;
  }
  *trainer = made;
  return INK_OK;
}

void ink_painter_trainer_free(ink_painter_trainer *t) {
  if (!t) return;
  ink_course_free(t->course);
  ink_studies_close(t->studies);
  ink_schedule_free(t->schedule);
  ink_unet_free(t->unet);
  ink_clip_free(t->clip);
  ink_taesd_free(t->taesd);
  json_decref(t->taesd_config);
  ink_tokenizer_free(t->tokenizer);
  ink_sprites_close(t->sprites);
  free(t->weight_until);
  free(t->nothing);
  free(t->exam_latents);
  free(t->exam_captions);
  free(t);
}

ink_status ink_painter_trainer_run(ink_painter_trainer *t, const ink_train_listener *listener,
                                   ink_error *error) {
  return ink_course_run(t->course, listener, error);
}

ink_course *ink_painter_trainer_course(ink_painter_trainer *t) {
  return t->course;
}
