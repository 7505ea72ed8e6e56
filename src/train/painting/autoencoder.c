// The autoencoder's loss, its measures and its end.
#include "train/painting/autoencoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/painting/parts.h"
#include "weights/weights.h"

struct ink_autoencoder_trainer {
  const ink_autoencoder_recipe *recipe;
  ink_sprites *sprites;
  ink_taesd *taesd;
  double scale;  // of the latents, where only the decoder learns
  ink_course *course;
};

// ---- the loss -----------------------------------------------------------------------------------

// Summed over pictures, the mean over each picture's values of Huber's loss over delta.
static ink_tensor *distance(ink_compute *c, const ink_tensor *x, const ink_tensor *target,
                            double delta, double weight) {
  if (!x || !target) return NULL;
  double values = (double)ink_tensor_elements(x) / (double)x->shape[0];
  return ink_scale(c, ink_huber(c, x, target, NULL, (float)delta),
                   (float)(weight / (delta * values)));
}

// Summed over pictures, the mean square of x's values.
static ink_tensor *mean_square(ink_compute *c, const ink_tensor *x, double weight) {
  if (!x) return NULL;
  double values = (double)ink_tensor_elements(x) / (double)x->shape[0];
  return ink_scale(c, ink_sum(c, ink_mul(c, x, x)), (float)(weight / values));
}

// What each pixel's difference from its neighbour at the right or below is off by.
static ink_tensor *edges(ink_compute *c, const ink_tensor *off, int dimension, double weight) {
  if (!off) return NULL;
  int64_t n = off->shape[dimension] - 1;
  const ink_tensor *here = ink_slice(c, off, dimension, 0, n);
  const ink_tensor *next = ink_slice(c, off, dimension, 1, n);
  return mean_square(c, ink_add(c, next, ink_scale(c, here, -1)), weight);
}

static ink_tensor *loss_of(const ink_autoencoder_recipe *r, ink_compute *c, const ink_tensor *x,
                           const ink_tensor *y, const ink_tensor *latents) {
  ink_tensor *loss = distance(c, y, x, r->delta, r->pixels);
  if (r->half > 0) {
    loss = ink_add(
        c, loss,
        distance(c, ink_average_pool(c, y, 2), ink_average_pool(c, x, 2), r->delta, r->half));
  }
  if (r->quarter > 0) {
    loss = ink_add(
        c, loss,
        distance(c, ink_average_pool(c, y, 4), ink_average_pool(c, x, 4), r->delta, r->quarter));
  }
  if (r->edges > 0) {
    const ink_tensor *off = ink_add(c, y, ink_scale(c, x, -1));
    loss = ink_add(c, loss, edges(c, off, 1, r->edges / 2));
    loss = ink_add(c, loss, edges(c, off, 2, r->edges / 2));
  }
  if (r->latents > 0) loss = ink_add(c, loss, mean_square(c, latents, r->latents));
  return loss;
}

static ink_tensor *loss(void *self, ink_compute *c, int64_t first, int64_t n) {
  const ink_autoencoder_trainer *t = self;
  const ink_autoencoder_recipe *r = t->recipe;
  const ink_tensor *x =
      ink_scene_tensor(c, t->sprites, INK_SCENE_TRAIN, r->course.seed, first, n, r->course.side);
  const ink_tensor *latents = ink_taesd_encode(c, t->taesd, x, INK_F32), *noisy = latents;
  if (latents && r->noise > 0) {
    noisy = ink_add(c, latents,
                    ink_normal_tensor(c, r->course.seed, INK_STREAM_LATENT_NOISE, first, 4,
                                      latents->shape, (float)r->noise));
  }
  return loss_of(r, c, x, ink_taesd_decode(c, t->taesd, noisy, INK_F32), latents);
}

// ---- measures -----------------------------------------------------------------------------------

typedef struct tally {
  double loss, squares;  // squares of values in [0, 1]
  int64_t pictures, values;
} tally;

static void count(const ink_tensor *x, const ink_tensor *y, double delta, tally *sum) {
  const float *a = x->data, *b = y->data;
  int64_t n = ink_tensor_elements(x);
  double loss = 0, squares = 0;
  for (int64_t i = 0; i < n; i++) {
    double d = fabs((double)a[i] - (double)b[i]);
    loss += d <= delta ? d * d / (2 * delta) : d - delta / 2;
    double unit = (fmin(fmax((double)b[i], -1), 1) - (double)a[i]) / 2;
    squares += unit * unit;
  }
  sum->loss += loss;
  sum->squares += squares;
  sum->values += n;
  sum->pictures += x->shape[0];
}

enum { SHEET_COLUMNS = 8, SHEET_ROWS = 2 };  // a row is originals above what came back

static void place(ink_picture *sheet, const ink_tensor *x, const ink_tensor *y, int64_t first) {
  int32_t side = (int32_t)x->shape[1];
  for (int64_t i = 0; i < x->shape[0] && first + i < SHEET_COLUMNS * SHEET_ROWS; i++) {
    int32_t column = (int32_t)(first + i) % SHEET_COLUMNS,
            row = (int32_t)(first + i) / SHEET_COLUMNS;
    ink_sheet_place(sheet, x, i, column * side, 2 * row * side);
    ink_sheet_place(sheet, y, i, column * side, (2 * row + 1) * side);
  }
}

static ink_status look_at(ink_autoencoder_trainer *t, ink_compute *c, int64_t first, int64_t n,
                          ink_picture *sheet, tally *sum, ink_error *error) {
  const ink_autoencoder_recipe *r = t->recipe;
  ink_arena_mark mark = ink_arena_save(c->arena);
  const ink_tensor *x = ink_scene_tensor(c, t->sprites, INK_SCENE_HELD_OUT, INK_HELD_OUT_SEED,
                                         first, n, r->course.side);
  const ink_tensor *y =
      ink_taesd_decode(c, t->taesd, ink_taesd_encode(c, t->taesd, x, INK_F32), INK_F32);
  ink_status status = ink_compute_status(c, error);
  if (status == INK_OK) {
    count(x, y, r->delta, sum);
    place(sheet, x, y, first);
  }
  ink_arena_release(c->arena, mark);
  return status;
}

static ink_status validate(void *self, ink_compute *c, ink_train_report *report,
                           const ink_train_listener *listener, ink_error *error) {
  (void)listener;
  ink_autoencoder_trainer *t = self;
  const ink_course_recipe *r = &t->recipe->course;
  ink_picture sheet;
  tally sum = {0};
  INK_TRY(ink_picture_new(SHEET_COLUMNS * r->side, 2 * SHEET_ROWS * r->side, 3, &sheet, error));
  memset(sheet.pixels, 255, ink_picture_bytes(&sheet));
  ink_status status = INK_OK;
  for (int64_t first = 0; status == INK_OK && first < r->validate_pictures; first += r->micro) {
    int64_t n = r->validate_pictures - first;
    status = look_at(t, c, first, n < r->micro ? n : r->micro, &sheet, &sum, error);
  }
  if (status == INK_OK) {
    status = ink_sheet_save(&sheet, ink_course_folder(t->course), report->step, error);
  }
  ink_picture_free(&sheet);
  if (status != INK_OK) return status;
  report->valid_loss = sum.loss / (double)sum.values;
  report->valid_second = -10 * log10(sum.squares / (double)sum.values + 1e-12);
  return INK_OK;
}

// ---- the end ------------------------------------------------------------------------------------

// Mean and deviation of the latents of training scenes that the run has not seen.
static ink_status measure_latents(ink_autoencoder_trainer *t, ink_compute *c, double *mean,
                                  double *deviation, ink_error *error) {
  enum { SCENES = 256 };
  const ink_course_recipe *r = &t->recipe->course;
  double sum = 0, squares = 0, n = 0;
  for (int64_t first = 0; first < SCENES; first += r->micro) {
    ink_arena_mark mark = ink_arena_save(c->arena);
    const ink_tensor *x =
        ink_scene_tensor(c, t->sprites, INK_SCENE_TRAIN, r->seed + 1, first, r->micro, r->side);
    const ink_tensor *z = ink_taesd_encode(c, t->taesd, x, INK_F32);
    ink_status status = ink_compute_status(c, error);
    for (int64_t i = 0; status == INK_OK && i < ink_tensor_elements(z); i++) {
      double value = (double)((const float *)z->data)[i];
      sum += value;
      squares += value * value;
      n++;
    }
    ink_arena_release(c->arena, mark);
    INK_TRY(status);
  }
  *mean = sum / n;
  *deviation = sqrt(fmax(squares / n - *mean * *mean, 1e-12));
  return INK_OK;
}

static ink_status finish(void *self, ink_compute *c, const ink_train_listener *listener,
                         ink_error *error) {
  ink_autoencoder_trainer *t = self;
  double mean, deviation, scale = t->scale;
  char text[128];
  INK_TRY(measure_latents(t, c, &mean, &deviation, error));
  if (!t->recipe->decoder_only) scale = 1 / deviation;
  snprintf(text, sizeof text, "latents: mean %.4f, deviation %.4f", mean, deviation);
  if (listener && listener->note) listener->note(listener->context, text);
  json_t *config = json_deep_copy(t->recipe->config);
  char *folder = ink_path_join(ink_course_folder(t->course), t->recipe->course.name);
  ink_status status =
      config && folder && json_object_set_new(config, "scaling_factor", json_real(scale)) == 0
          ? INK_OK
          : ink_fail(error, INK_ERR_MEMORY, "no memory to save the autoencoder");
  size_t n;
  const ink_parameter *parameters = ink_taesd_parameters(t->taesd, &n);
  if (status == INK_OK) {
    status =
        ink_part_save(folder, "diffusion_pytorch_model.safetensors", parameters, n, config, error);
  }
  free(folder);
  json_decref(config);
  return status;
}

// ---- setting up ---------------------------------------------------------------------------------

ink_status ink_autoencoder_load(const char *folder, ink_taesd **taesd, json_t **config,
                                ink_error *error) {
  ink_weights *weights;
  ink_taesd_config model;
  *taesd = NULL;
  INK_TRY(ink_weights_open(folder, &weights, error));
  const json_t *json = ink_weights_config(weights);
  ink_status status = json ? ink_taesd_config_from_json(json, folder, &model, error)
                           : ink_fail(error, INK_ERR_NOT_FOUND, "%s: no config.json", folder);
  ink_source source = {.weights = weights, .trainable = true};
  if (status == INK_OK) status = ink_taesd_new(&model, &source, &source, taesd, error);
  if (status == INK_OK && config) {
    *config = json_deep_copy(json);
    if (!*config) status = ink_fail(error, INK_ERR_MEMORY, "%s: no memory to read it", folder);
  }
  if (status != INK_OK) {
    ink_taesd_free(*taesd);
    *taesd = NULL;
  }
  ink_weights_close(weights);
  return status;
}

// The finished model's config.json must be of the recipe's shape; its scale stays.
static ink_status read_start(ink_autoencoder_trainer *t, const ink_weights *weights,
                             ink_error *error) {
  const char *name = ink_weights_path(weights);
  const json_t *json = ink_weights_config(weights);
  ink_taesd_config config;
  if (!json) return ink_fail(error, INK_ERR_NOT_FOUND, "%s: no config.json", name);
  INK_TRY(ink_taesd_config_from_json(json, name, &config, error));
  t->scale = config.scaling_factor;
  return INK_OK;
}

static ink_status open_network(ink_autoencoder_trainer *t, ink_error *error) {
  const ink_course_recipe *r = &t->recipe->course;
  ink_source source = {.seed = r->init_seed};
  ink_weights *weights = NULL;
  if (r->start) {
    INK_TRY(ink_weights_open(r->start, &weights, error));
    source = (ink_source){.weights = weights, .trainable = true};
  }
  ink_status status = weights ? read_start(t, weights, error) : INK_OK;
  if (status == INK_OK) {
    status = ink_taesd_new(&t->recipe->model, &source, &source, &t->taesd, error);
  }
  ink_weights_close(weights);
  return status;
}

// Those of the encoder come first (ink_taesd_parameters).
static bool is_of_encoder(const ink_parameter *parameter) {
  return strncmp(parameter->name, "encoder.", 8) == 0;
}

static ink_status set_up(ink_autoencoder_trainer *t, const char *out, bool force, ink_pool *pool,
                         ink_error *error) {
  static const ink_train_words words = {"pictures", "loss", "psnr"};
  ink_course_work work = {
      .self = t, .words = &words, .loss = loss, .validate = validate, .finish = finish};
  INK_TRY(ink_sprites_open(t->recipe->course.data, &t->sprites, error));
  INK_TRY(open_network(t, error));
  INK_TRY(ink_course_new(&t->recipe->course, &work, out, pool, &t->course, error));
  size_t n, first = 0;
  const ink_parameter *parameters = ink_taesd_parameters(t->taesd, &n);
  while (t->recipe->decoder_only && first < n && is_of_encoder(&parameters[first])) first++;
  INK_TRY(ink_course_learn(t->course, "", parameters + first, n - first, error));
  return ink_course_ready(t->course, force, error);
}

ink_status ink_autoencoder_trainer_new(const ink_autoencoder_recipe *recipe, const char *out,
                                       bool force, ink_pool *pool,
                                       ink_autoencoder_trainer **trainer, ink_error *error) {
  *trainer = NULL;
  ink_autoencoder_trainer *made = calloc(1, sizeof *made);
  if (!made) return ink_fail(error, INK_ERR_MEMORY, "no memory for training");
  made->recipe = recipe;
  ink_status status = set_up(made, out, force, pool, error);
  if (status != INK_OK) {
    ink_autoencoder_trainer_free(made);
    return status;
  }
  *trainer = made;
  return INK_OK;
}

void ink_autoencoder_trainer_free(ink_autoencoder_trainer *trainer) {
  if (!trainer) return;
  ink_course_free(trainer->course);
  ink_taesd_free(trainer->taesd);
  ink_sprites_close(trainer->sprites);
  free(trainer);
}

ink_status ink_autoencoder_trainer_run(ink_autoencoder_trainer *trainer,
                                       const ink_train_listener *listener, ink_error *error) {
  return ink_course_run(trainer->course, listener, error);
}

ink_course *ink_autoencoder_trainer_course(ink_autoencoder_trainer *trainer) {
  return trainer->course;
}
