// Writing scenes into a safetensors file, a block at a time.
#include "train/painting/scenes.h"

#include <stdlib.h>

#include "base/checked.h"
#include "train/painting/studies.h"
#include "weights/safetensors.h"

enum { BLOCK = 512 };  // scenes that are drawn at once

typedef struct layout {
  const ink_scenes_source *source;
  int64_t first;  // of the block
  int32_t *captions, *counts, *kinds;
  uint8_t *pictures;  // of the block
  ink_error errors[BLOCK];
} layout;

static size_t picture_size(const ink_scenes_source *s) {
  return (size_t)s->side * (size_t)s->side * 3;
}

static size_t captions_size(const ink_scenes_source *s) {
  return (size_t)INK_SCENE_TEXTS * (size_t)s->context;
}

// What is said of one scene, and what it is.
static void word_task(void *context, size_t index, int thread) {
  (void)thread;
  layout *l = context;
  const ink_scenes_source *s = l->source;
  ink_error *error = &l->errors[index];
  size_t at = (size_t)l->first + index;
  ink_scene_caption caption;
  if (ink_scene_draw(s->sprites, s->split, s->seed, at, s->side, NULL, &caption, error) != INK_OK) {
    return;
  }
  l->counts[at] = caption.n_text;
  l->kinds[at] = (int32_t)caption.kind;
  int32_t *ids = l->captions + at * captions_size(s);
  for (int i = 0; i < INK_SCENE_TEXTS; i++, ids += s->context) {
    const char *text = i < caption.n_text ? caption.texts[i] : "";
    if (ink_caption_encode(s->tokenizer, text, s->context, ids, error) != INK_OK) return;
  }
}

static void draw_task(void *context, size_t index, int thread) {
  (void)thread;
  layout *l = context;
  const ink_scenes_source *s = l->source;
  uint64_t at = (uint64_t)l->first + index;
  ink_scene_draw(s->sprites, s->split, s->seed, at, s->side, l->pictures + index * picture_size(s),
                 NULL, &l->errors[index]);
}

// Run `task` on each scene of the block that begins at l->first; *n of them.
static ink_status run_block(layout *l, ink_task task, const char *words, size_t *n, ink_pool *pool,
                            const ink_progress *progress, ink_error *error) {
  int64_t all = l->source->n, left = all - l->first;
  *n = (size_t)(left < BLOCK ? left : BLOCK);
  if (!ink_progress_report(progress, l->first, all, words)) {
    return ink_fail(error, INK_ERR_CANCELLED, "stopped before the scenes were drawn");
  }
  for (size_t i = 0; i < *n; i++) l->errors[i] = (ink_error){.translate = error->translate};
  ink_pool_run(pool, *n, task, l);
  for (size_t i = 0; i < *n; i++) {
    if (l->errors[i].status == INK_OK) continue;
    *error = l->errors[i];
    return error->status;
  }
  return INK_OK;
}

static ink_status write_pictures(ink_safetensors_writer *writer, layout *l, ink_pool *pool,
                                 const ink_progress *progress, ink_error *error) {
  size_t n;
  for (l->first = 0; l->first < l->source->n; l->first += BLOCK) {
    INK_TRY(run_block(l, draw_task, "drawing", &n, pool, progress, error));
    INK_TRY(ink_safetensors_writer_data(writer, l->pictures, n * picture_size(l->source), error));
  }
  return INK_OK;
}

static ink_status write_all(const char *path, layout *l, ink_pool *pool,
                            const ink_progress *progress, ink_error *error) {
  const ink_scenes_source *s = l->source;
  const ink_safetensors_entry entries[] = {
      {.name = "captions",
       .dtype = INK_I32,
       .rank = 3,
       .shape = {s->n, INK_SCENE_TEXTS, s->context}},
      {.name = "counts", .dtype = INK_I32, .rank = 1, .shape = {s->n}},
      {.name = "kinds", .dtype = INK_I32, .rank = 1, .shape = {s->n}},
      {.name = "pictures", .rank = 4, .shape = {s->n, s->side, s->side, 3}, .bytes = true}};
  const int32_t *const numbers[] = {l->captions, l->counts, l->kinds};
  const char *metadata[][2] = {{"format", "inkstone-scenes-1"}};
  ink_safetensors_writer *writer;
  INK_TRY(ink_safetensors_create(path, entries, 4, metadata, 1, &writer, error));
  ink_status status = INK_OK;
  for (size_t i = 0; status == INK_OK && i < 4; i++) {
    size_t which = ink_safetensors_writer_order(writer)[i];
    if (which == 3) {
      status = write_pictures(writer, l, pool, progress, error);
      continue;
    }
    size_t values = (size_t)s->n * (which == 0 ? captions_size(s) : 1);
    status = ink_safetensors_writer_data(writer, numbers[which], values * sizeof(int32_t), error);
  }
  if (status == INK_OK) status = ink_safetensors_writer_commit(writer, error);
  ink_safetensors_writer_free(writer);
  return status;
}

ink_status ink_scenes_write(const char *path, const ink_scenes_source *source, ink_pool *pool,
                            const ink_progress *progress, ink_error *error) {
  size_t n = (size_t)source->n, unused;
  layout *l = calloc(1, sizeof *l);
  if (l) {
    l->source = source;
    l->captions = calloc(n, captions_size(source) * sizeof *l->captions);
    l->counts = calloc(n, sizeof *l->counts);
    l->kinds = calloc(n, sizeof *l->kinds);
    l->pictures = malloc(BLOCK * picture_size(source));
  }
  ink_status status = l && l->captions && l->counts && l->kinds && l->pictures
                          ? INK_OK
                          : ink_fail(error, INK_ERR_MEMORY, "%s: no memory for scenes", path);
  for (int64_t first = 0; status == INK_OK && first < source->n; first += BLOCK) {
    l->first = first;
    status = run_block(l, word_task, "captions", &unused, pool, progress, error);
  }
  if (status == INK_OK) status = write_all(path, l, pool, progress, error);
  if (l) {
    free(l->captions);
    free(l->counts);
    free(l->kinds);
    free(l->pictures);
  }
  free(l);
  return status;
}
