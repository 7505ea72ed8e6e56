// Making and reading the file of studies: a safetensors file of latents (F16), captions (I32) and
// how many captions each scene has.
#include "train/painting/studies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/hash.h"
#include "train/painting/parts.h"
#include "weights/safetensors.h"

struct ink_studies {
  ink_safetensors *file;
  const uint16_t *latents;
  const int32_t *captions, *counts;
  size_t latent_size;
  int32_t context;
};

static ink_status no_memory(const char *path, ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for encoded scenes", path);
}

// ---- identity -----------------------------------------------------------------------------------

static void hash_encoder(ink_taesd *taesd, ink_sha256 *hash) {
  size_t n;
  const ink_parameter *parameters = ink_taesd_parameters(taesd, &n);
  for (size_t i = 0; i < n && strncmp(parameters[i].name, "encoder.", 8) == 0; i++) {
    const ink_tensor *x = parameters[i].tensor;
    size_t bytes = 0;
    if (ink_tensor_bytes(x->dtype, x->rank, x->shape, &bytes)) {
      ink_sha256_add(hash, x->data, bytes);
    }
  }
}

// The hash of all that decides the content. Of sprites and drawing it takes samples: pixels,
// captions and their ids.
static ink_status identity(const ink_studies_source *s, char hex[INK_SHA256_HEX],
                           ink_error *error) {
  enum { SAMPLES = 24 };
  char text[256];
  ink_sha256 hash;
  size_t bytes = (size_t)s->scenes.side * (size_t)s->scenes.side * 3;
  uint8_t *pixels = malloc(bytes);
  int32_t *ids = calloc((size_t)s->scenes.context, sizeof *ids);
  ink_status status = pixels && ids ? ink_sha256_start(&hash, error)
                                    : ink_fail(error, INK_ERR_MEMORY, "no memory for a scene");
  if (status != INK_OK) {
    free(pixels);
    free(ids);
    return status;
  }
  hash_encoder(s->taesd, &hash);
  int size = snprintf(text, sizeof text, "%.17g %llu %lld %d %d %d", s->scale,
                      (unsigned long long)s->scenes.seed, (long long)s->scenes.n, s->scenes.side,
                      s->scenes.context, (int)s->precision);
  ink_sha256_add(&hash, text, (size_t)size);
  for (int i = 0; status == INK_OK && i < SAMPLES; i++) {
    ink_scene_caption caption = {0};
    uint64_t index = (uint64_t)(s->scenes.n * i / SAMPLES);
    status = ink_scene_draw(s->scenes.sprites, s->scenes.split, s->scenes.seed, index,
                            s->scenes.side, pixels, &caption, error);
    for (int j = 0; status == INK_OK && j < caption.n_text; j++) {
      ink_sha256_add(&hash, caption.texts[j], strlen(caption.texts[j]) + 1);
      status =
          ink_caption_encode(s->scenes.tokenizer, caption.texts[j], s->scenes.context, ids, error);
      ink_sha256_add(&hash, ids, (size_t)s->scenes.context * sizeof *ids);
    }
    ink_sha256_add(&hash, pixels, bytes);
  }
  ink_sha256_finish(&hash, hex);
  free(pixels);
  free(ids);
  return status;
}

// ---- making -------------------------------------------------------------------------------------

static int32_t latent_side(const ink_studies_source *s) {
  return s->scenes.side / ink_taesd_factor(s->taesd);
}

typedef struct encoding {
  const ink_studies_source *source;
  ink_pool *pool;
  const ink_progress *progress;
} encoding;

static ink_status write_latents(void *context, ink_safetensors_writer *writer, ink_error *error) {
  const encoding *e = context;
  const ink_studies_source *s = e->source;
  ink_arena *arena = ink_arena_new(0);
  if (!arena) return ink_fail(error, INK_ERR_MEMORY, "no memory to encode scenes");
  ink_status status = INK_OK;
  for (int64_t first = 0; status == INK_OK && first < s->scenes.n; first += s->micro) {
    if (!ink_progress_report(e->progress, first, s->scenes.n, "encoding scenes")) {
      status = ink_fail(error, INK_ERR_CANCELLED, "stopped after %lld of %lld scenes",
                        (long long)first, (long long)s->scenes.n);
      break;
    }
    ink_arena_mark mark = ink_arena_save(arena);
    ink_compute c = {.arena = arena, .pool = e->pool, .precision = s->precision};
    int64_t n = s->scenes.n - first < s->micro ? s->scenes.n - first : s->micro;
    const ink_tensor *x = ink_scene_tensor(&c, s->scenes.sprites, s->scenes.split, s->scenes.seed,
                                           first, n, s->scenes.side);
    const ink_tensor *z =
        ink_scale(&c, ink_taesd_encode(&c, s->taesd, x, INK_F32), (float)s->scale);
    const ink_tensor *half = ink_cast(&c, z, INK_F16);
    status = ink_compute_status(&c, error);
    if (status == INK_OK) {
      status = ink_safetensors_writer_data(writer, half->data,
                                           (size_t)ink_tensor_elements(half) * 2, error);
    }
    ink_arena_release(arena, mark);
  }
  ink_arena_free(arena);
  return status;
}

static ink_status make(const char *path, const ink_studies_source *s, const char *hash,
                       ink_pool *pool, const ink_progress *progress, ink_error *error) {
  int64_t side = latent_side(s), channels = ink_taesd_about(s->taesd)->latent_channels;
  encoding e = {.source = s, .pool = pool, .progress = progress};
  ink_scenes_content content = {.entry = {.name = "latents",
                                          .type_name = "F16",
                                          .rank = 4,
                                          .shape = {s->scenes.n, side, side, channels}},
                                .write = write_latents,
                                .context = &e};
  const char *metadata[][2] = {{"format", "inkstone-studies-1"}, {"source", hash}};
  return ink_scenes_save(path, &s->scenes, &content, metadata, 2, pool, progress, error);
}

// ---- reading ------------------------------------------------------------------------------------

// The tensor of a name with this type and these dimensions; NULL where it is not so.
static const void *part(const ink_safetensors *file, const char *name, ink_dtype dtype, int rank,
                        const int64_t *shape) {
  const ink_stored_tensor *t = ink_safetensors_find(file, name);
  bool fits = t && t->usable && t->dtype == dtype && t->rank == rank;
  for (int i = 0; fits && i < rank; i++) fits = t->shape[i] == shape[i];
  return fits ? t->data : NULL;
}

static ink_status read(const char *path, const ink_studies_source *s, ink_studies *studies,
                       ink_error *error) {
  int64_t side = latent_side(s), channels = ink_taesd_about(s->taesd)->latent_channels;
  const ink_safetensors *file = studies->file;
  studies->context = s->scenes.context;
  studies->latent_size = (size_t)(side * side * channels);
  studies->latents =
      part(file, "latents", INK_F16, 4, (int64_t[]){s->scenes.n, side, side, channels});
  studies->captions = part(file, "captions", INK_I32, 3,
                           (int64_t[]){s->scenes.n, INK_SCENE_TEXTS, s->scenes.context});
  studies->counts = part(file, "counts", INK_I32, 1, &s->scenes.n);
  bool sound = studies->latents && studies->captions && studies->counts;
  for (int64_t i = 0; sound && i < s->scenes.n; i++) {
    sound = studies->counts[i] >= 1 && studies->counts[i] <= INK_SCENE_TEXTS;
  }
  if (sound) return INK_OK;
  return ink_fail(error, INK_ERR_FORMAT, "%s: not a whole file of encoded scenes; remove it", path);
}

// Whether the file is there and was made from this source.
static bool is_of(const char *path, const char *hash) {
  ink_safetensors *file;
  ink_error unused = {0};
  if (!ink_file_exists(path) || ink_safetensors_open(path, &file, &unused) != INK_OK) return false;
  const char *source = ink_safetensors_metadata(file, "source");
  bool same = source && strcmp(source, hash) == 0;
  ink_safetensors_close(file);
  return same;
}

ink_status ink_studies_open(const char *path, const ink_studies_source *source, ink_pool *pool,
                            const ink_progress *progress, ink_studies **studies, ink_error *error) {
  char hash[INK_SHA256_HEX];
  *studies = NULL;
  INK_TRY(identity(source, hash, error));
  if (!is_of(path, hash)) INK_TRY(make(path, source, hash, pool, progress, error));
  ink_studies *made = calloc(1, sizeof *made);
  if (!made) return no_memory(path, error);
  ink_status status = ink_safetensors_open(path, &made->file, error);
  if (status == INK_OK) status = read(path, source, made, error);
  if (status != INK_OK) {
    ink_studies_close(made);
    return status;
  }
  *studies = made;
  return INK_OK;
}

void ink_studies_close(ink_studies *studies) {
  if (!studies) return;
  ink_safetensors_close(studies->file);
  free(studies);
}

const uint16_t *ink_studies_latent(const ink_studies *studies, int64_t index) {
  return studies->latents + (size_t)index * studies->latent_size;
}

size_t ink_studies_latent_size(const ink_studies *studies) {
  return studies->latent_size;
}

int32_t ink_studies_n_caption(const ink_studies *studies, int64_t index) {
  return studies->counts[index];
}

const int32_t *ink_studies_caption(const ink_studies *studies, int64_t index, int32_t which) {
  return studies->captions + (index * INK_SCENE_TEXTS + which) * studies->context;
}
