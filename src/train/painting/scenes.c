// Writing scenes into safetensors files, a block at a time.
#include "train/painting/scenes.h"

#include <stdlib.h>
#include <string.h>

ink_status ink_caption_encode(const ink_tokenizer *tokenizer, const char *text, int32_t context,
                              int32_t *ids, ink_error *error) {
  int32_t *words = NULL, begin = ink_tokenizer_bos(tokenizer), end = ink_tokenizer_eos(tokenizer);
  size_t n = 0;
  if (begin < 0 || end < 0 || context < 2) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "a tokenizer without begin and end tokens");
  }
  INK_TRY(ink_tokenizer_encode(tokenizer, text, strlen(text), INK_ENCODE_PLAIN, &words, &n, error));
  size_t room = (size_t)context - 2;
  if (n > room) n = room;
  ids[0] = begin;
  for (size_t i = 0; i < n; i++) ids[1 + i] = words[i];
  for (size_t i = n + 1; i < (size_t)context; i++) ids[i] = end;
  free(words);
  return INK_OK;
}

// ---- blocks of scenes --------------------------------------------------------------------------

enum { BLOCK = 512 };  // scenes that are drawn at once

typedef struct layout {
  const ink_scenes_source *source;
  ink_pool *pool;
  const ink_progress *progress;
  int64_t first;                       // of the block
  int32_t *captions, *counts, *kinds;  // of all scenes
  uint8_t *pictures;                   // of the block
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
static ink_status run_block(layout *l, ink_task task, const char *words, size_t *n,
                            ink_error *error) {
  int64_t all = l->source->n, left = all - l->first;
  *n = (size_t)(left < BLOCK ? left : BLOCK);
  if (!ink_progress_report(l->progress, l->first, all, words)) {
    return ink_fail(error, INK_ERR_CANCELLED, "stopped before the scenes were drawn");
  }
  for (size_t i = 0; i < *n; i++) l->errors[i] = (ink_error){.translate = error->translate};
  ink_pool_run(l->pool, *n, task, l);
  for (size_t i = 0; i < *n; i++) {
    if (l->errors[i].status == INK_OK) continue;
    *error = l->errors[i];
    return error->status;
  }
  return INK_OK;
}

static ink_status layout_new(const ink_scenes_source *source, ink_pool *pool,
                             const ink_progress *progress, layout **l, ink_error *error) {
  *l = calloc(1, sizeof **l);
  if (!*l) return ink_fail(error, INK_ERR_MEMORY, "no memory for a scene");
  **l = (layout){.source = source, .pool = pool, .progress = progress};
  return INK_OK;
}

// ---- files -------------------------------------------------------------------------------------

static ink_status find_words(layout *l, ink_error *error) {
  size_t n = (size_t)l->source->n;
  l->captions = calloc(n, captions_size(l->source) * sizeof *l->captions);
  l->counts = calloc(n, sizeof *l->counts);
  l->kinds = calloc(n, sizeof *l->kinds);
  if (!l->captions || !l->counts || !l->kinds) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory for a scene");
  }
  for (l->first = 0; l->first < l->source->n; l->first += BLOCK) {
    INK_TRY(run_block(l, word_task, "captions", &n, error));
  }
  return INK_OK;
}

static ink_status write_all(const char *path, const layout *l, const ink_scenes_content *content,
                            const char *const (*metadata)[2], size_t n_metadata, ink_error *error) {
  const ink_scenes_source *s = l->source;
  const ink_safetensors_entry entries[] = {
      {.name = "captions",
       .type_name = "I32",
       .rank = 3,
       .shape = {s->n, INK_SCENE_TEXTS, s->context}},
      {.name = "counts", .type_name = "I32", .rank = 1, .shape = {s->n}},
      {.name = "kinds", .type_name = "I32", .rank = 1, .shape = {s->n}},
      content->entry};
  enum { N = sizeof entries / sizeof *entries };
  const int32_t *const numbers[] = {l->captions, l->counts, l->kinds};
  ink_safetensors_writer *writer;
  INK_TRY(ink_safetensors_create(path, entries, N, metadata, n_metadata, &writer, error));
  ink_status status = INK_OK;
  for (size_t i = 0; status == INK_OK && i < N; i++) {
    size_t which = ink_safetensors_writer_order(writer)[i];
    if (which == N - 1) {
      status = content->write(content->context, writer, error);
      continue;
    }
    size_t values = (size_t)s->n * (which == 0 ? captions_size(s) : 1);
    status = ink_safetensors_writer_data(writer, numbers[which], values * sizeof(int32_t), error);
  }
  if (status == INK_OK) status = ink_safetensors_writer_commit(writer, error);
  ink_safetensors_writer_free(writer);
  return status;
}

ink_status ink_scenes_save(const char *path, const ink_scenes_source *source,
                           const ink_scenes_content *content, const char *const (*metadata)[2],
                           size_t n_metadata, ink_pool *pool, const ink_progress *progress,
                           ink_error *error) {
  layout *l;
  INK_TRY(layout_new(source, pool, progress, &l, error));
  ink_status status = find_words(l, error);
  if (status == INK_OK) status = write_all(path, l, content, metadata, n_metadata, error);
  free(l->captions);
  free(l->counts);
  free(l->kinds);
  free(l);
  return status;
}

static ink_status write_pictures(void *context, ink_safetensors_writer *writer, ink_error *error) {
  layout *l = context;
  size_t n;
  for (l->first = 0; l->first < l->source->n; l->first += BLOCK) {
    INK_TRY(run_block(l, draw_task, "drawing", &n, error));
    INK_TRY(ink_safetensors_writer_data(writer, l->pictures, n * picture_size(l->source), error));
  }
  return INK_OK;
}

ink_status ink_scenes_write(const char *path, const ink_scenes_source *source, ink_pool *pool,
                            const ink_progress *progress, ink_error *error) {
  layout *l;
  INK_TRY(layout_new(source, pool, progress, &l, error));
  l->pictures = malloc(BLOCK * picture_size(source));
  ink_scenes_content content = {.entry = {.name = "pictures",
                                          .type_name = "U8",
                                          .rank = 4,
                                          .shape = {source->n, source->side, source->side, 3}},
                                .write = write_pictures,
                                .context = l};
  const char *metadata[][2] = {{"format", "inkstone-scenes-1"}};
  ink_status status =
      l->pictures ? ink_scenes_save(path, source, &content, metadata, 1, pool, progress, error)
                  : ink_fail(error, INK_ERR_MEMORY, "no memory for a scene");
  free(l->pictures);
  free(l);
  return status;
}
