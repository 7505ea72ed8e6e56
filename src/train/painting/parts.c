// Scenes and noise as tensors, parts of a diffusers folder, contact sheets.
#include "train/painting/parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "picture/codec.h"
#include "weights/safetensors.h"

// ---- scenes and noise ---------------------------------------------------------------------------

ink_random ink_painter_random(uint64_t seed, ink_painter_stream use, int64_t sample) {
  return ink_random_at(seed, (uint64_t)use << 48 | (uint64_t)sample, 0);
}

typedef struct drawing {
  const ink_sprites *sprites;
  ink_scene_split split;
  uint64_t seed;
  int64_t first;
  int32_t side;
  uint8_t *bytes;
  float *values;
  ink_error *errors;  // one a picture
} drawing;

static void draw_task(void *context, size_t index, int thread) {
  (void)thread;
  const drawing *d = context;
  size_t size = (size_t)d->side * (size_t)d->side * 3;
  uint8_t *bytes = d->bytes + index * size;
  float *values = d->values + index * size;
  if (ink_scene_draw(d->sprites, d->split, d->seed, (uint64_t)d->first + index, d->side, bytes,
                     NULL, &d->errors[index]) != INK_OK) {
    return;
  }
  for (size_t i = 0; i < size; i++) values[i] = 2.0f * ((float)bytes[i] / 255.0f) - 1.0f;
}

ink_tensor *ink_scene_tensor(ink_compute *c, const ink_sprites *sprites, ink_scene_split split,
                             uint64_t seed, int64_t first, int64_t n, int32_t side) {
  if (c->error.status != INK_OK) return NULL;
  ink_tensor *x = ink_tensor_new(c->arena, INK_F32, 4, (int64_t[]){n, side, side, 3});
  drawing d = {.sprites = sprites, .split = split, .seed = seed, .first = first, .side = side};
  d.errors = ink_arena_zeros(c->arena, (size_t)n, sizeof *d.errors);
  d.bytes = x ? ink_arena_take(c->arena, (size_t)ink_tensor_elements(x)) : NULL;
  if (!x || !d.errors || !d.bytes) {
    return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for scenes");
  }
  d.values = x->data;
  ink_pool_run(c->pool, (size_t)n, draw_task, &d);
  for (int64_t i = 0; i < n; i++) {
    if (d.errors[i].status == INK_OK) continue;
    return ink_compute_fail(c, d.errors[i].status, "%s", d.errors[i].text);
  }
  return x;
}

typedef struct sowing {
  uint64_t seed;
  ink_painter_stream stream;
  int64_t first;
  size_t size;
  float *values, deviation;
} sowing;

static void sow_task(void *context, size_t index, int thread) {
  (void)thread;
  const sowing *s = context;
  ink_random random = ink_painter_random(s->seed, s->stream, s->first + (int64_t)index);
  float *values = s->values + index * s->size;
  for (size_t i = 0; i < s->size; i++) {
    values[i] = s->deviation * (float)ink_random_normal(&random);
  }
}

ink_tensor *ink_normal_tensor(ink_compute *c, uint64_t seed, ink_painter_stream stream,
                              int64_t first, int rank, const int64_t *shape, float deviation) {
  if (c->error.status != INK_OK) return NULL;
  ink_tensor *x = ink_tensor_new(c->arena, INK_F32, rank, shape);
  if (!x) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for noise");
  sowing s = {.seed = seed,
              .stream = stream,
              .first = first,
              .size = (size_t)(ink_tensor_elements(x) / shape[0]),
              .values = x->data,
              .deviation = deviation};
  ink_pool_run(c->pool, (size_t)shape[0], sow_task, &s);
  return x;
}

// ---- a part of a diffusers folder ---------------------------------------------------------------

static ink_status no_memory(const char *folder, ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "no memory to write %s", folder);
}

ink_status ink_json_save_below(const char *folder, const char *name, const json_t *value,
                               ink_error *error) {
  char *path = ink_path_join(folder, name);
  ink_status status = path && value ? ink_json_save(path, value, error) : no_memory(folder, error);
  free(path);
  return status;
}

static ink_status write_f16(ink_safetensors_writer *writer, const ink_tensor *tensor,
                            ink_error *error) {
  ink_arena *arena = ink_arena_new(0);
  if (!arena) return ink_fail(error, INK_ERR_MEMORY, "no memory to save a tensor");
  ink_compute c = {.arena = arena};
  const ink_tensor *half = ink_cast(&c, tensor, INK_F16);
  ink_status status = ink_compute_status(&c, error);
  if (status == INK_OK) {
    status = ink_safetensors_writer_data(writer, half->data, (size_t)ink_tensor_elements(half) * 2,
                                         error);
  }
  ink_arena_free(arena);
  return status;
}

static ink_status save_weights(const char *path, const ink_parameter *parameters, size_t n,
                               ink_error *error) {
  static const char *const metadata[][2] = {{"format", "pt"}};  // what transformers asks for
  ink_safetensors_entry *entries = calloc(n + 1, sizeof *entries);
  ink_safetensors_writer *writer = NULL;
  if (!entries) return no_memory(path, error);
  for (size_t i = 0; i < n; i++) {
    const ink_tensor *t = parameters[i].tensor;
    entries[i] =
        (ink_safetensors_entry){.name = parameters[i].name, .type_name = "F16", .rank = t->rank};
    memcpy(entries[i].shape, t->shape, sizeof entries[i].shape);
  }
  ink_status status = ink_safetensors_create(path, entries, n, metadata, 1, &writer, error);
  for (size_t i = 0; status == INK_OK && i < n; i++) {
    size_t at = ink_safetensors_writer_order(writer)[i];
    status = write_f16(writer, parameters[at].tensor, error);
  }
  if (status == INK_OK) status = ink_safetensors_writer_commit(writer, error);
  ink_safetensors_writer_free(writer);
  free(entries);
  return status;
}

ink_status ink_part_save(const char *folder, const char *file, const ink_parameter *parameters,
                         size_t n, const json_t *config, ink_error *error) {
  INK_TRY(ink_folder_make(folder, error));
  char *path = ink_path_join(folder, file);
  if (!path) return no_memory(folder, error);
  ink_status status = save_weights(path, parameters, n, error);
  free(path);
  return status == INK_OK ? ink_json_save_below(folder, "config.json", config, error) : status;
}

// ---- contact sheets -----------------------------------------------------------------------------

void ink_sheet_place(ink_picture *sheet, const ink_tensor *values, int64_t index, int32_t x,
                     int32_t y) {
  int64_t height = values->shape[1], row = values->shape[2] * 3;
  const float *from = (const float *)values->data + index * height * row;
  for (int64_t i = 0; i < height; i++, from += row) {
    uint8_t *to = ink_picture_at(sheet, x, y + (int32_t)i);
    for (int64_t j = 0; j < row; j++) {
      float unit = fminf(fmaxf(from[j] * 0.5f + 0.5f, 0), 1);
      to[j] = (uint8_t)lrintf(255 * unit);
    }
  }
}

ink_status ink_sheet_save(const ink_picture *sheet, const char *folder, int64_t step,
                          ink_error *error) {
  char name[48];
  snprintf(name, sizeof name, "sheet-%07lld.png", (long long)step);
  char *path = ink_path_join(folder, name);
  if (!path) return no_memory(folder, error);
  ink_text file = {0};
  ink_status status =
      ink_picture_encode(sheet, INK_PICTURE_PNG, &(ink_picture_encoding){0}, &file, error);
  if (status == INK_OK) status = ink_file_save(path, file.bytes, file.size, error);
  ink_text_free(&file);
  free(path);
  return status;
}
