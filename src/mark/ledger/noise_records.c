// The ledger's identities against a picture's noise.
#include "mark/ledger/noise_records.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// A record, and how well the noise of its size agrees with it.
typedef struct candidate {
  int64_t n;
  char identity[INK_UUID_TEXT];
  uint8_t bytes[INK_SHADING_IDENTITY];
  int32_t width, height;  // that it was painted in; 0: not told, so the model's own
  char key_id[INK_SHADING_KEY_ID];
  size_t key;
  double p;
} candidate;

typedef struct gathering {
  const char *model;
  candidate *list;
  size_t n, room;
  bool no_memory;
} gathering;

static const char *text_at(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "";
}

static int32_t side_at(const json_t *object, const char *key) {
  json_int_t side = json_integer_value(json_object_get(object, key));
  return side > 0 && side <= INK_PAINT_MOST_SIDE ? (int32_t)side : 0;
}

static bool gather(void *context, const json_t *row) {
  gathering *g = context;
  // Pieces name the painter of their picture apart, since their model is the writer.
  const json_t *noise = json_object_get(json_object_get(row, "details"), "noise");
  const char *model = text_at(noise, "model");
  if (!model[0]) model = text_at(row, "model");
  candidate c = {.n = json_integer_value(json_object_get(row, "n"))};
  if (strcmp(model, g->model) != 0 || !ink_identity_bytes(text_at(row, "identity"), c.bytes)) {
    return true;
  }
  snprintf(c.identity, sizeof c.identity, "%s", text_at(row, "identity"));
  c.width = side_at(noise, "width");
  c.height = side_at(noise, "height");
  snprintf(c.key_id, sizeof c.key_id, "%s", text_at(noise, "key"));
  if (g->n == g->room) {
    size_t room = 2 * g->room + 64;
    candidate *list = realloc(g->list, room * sizeof *list);
    if (!list) {
      g->no_memory = true;
      return false;
    }
    g->list = list;
    g->room = room;
  }
  g->list[g->n++] = c;
  return true;
}

// ---- the picture in their sizes
// ------------------------------------------------------------------

// The noise of the picture at one size; that which was found already is not its own.
typedef struct sight {
  int32_t width, height;  // of the latent
  ink_inversion own;
  ink_shading_matcher *matcher;
} sight;

typedef struct trial {
  ink_pipeline *pipeline;
  const ink_picture *picture;
  const ink_picture_watermark_finding *finding;
  const ink_noise_records_search *search;
  char (*key_ids)[INK_SHADING_KEY_ID];
  sight sights[INK_NOISE_SIZES];
  size_t n_sight, n_test, tried;
} trial;

// Proportions that rounding to pixels may have made of others.
static bool is_likely(const ink_picture *picture, int32_t width, int32_t height) {
  double ratio = (double)picture->width * height / ((double)picture->height * width);
  return ratio > 0.9 && ratio < 1.1;
}

// The picture in this record's size; *s is NULL where that is not looked at.
static ink_status see(trial *t, const candidate *c, sight **s, ink_error *error) {
  const ink_inversion *v = &t->finding->inversion;
  int32_t width = v->width, height = v->height;
  *s = NULL;
  if (c->width && c->height) {
    int32_t factor = ink_pipeline_factor(t->pipeline);
    if (!is_likely(t->picture, c->width, c->height)) return INK_OK;
    width = c->width / factor;
    height = c->height / factor;
  }
  for (size_t i = 0; i < t->n_sight; i++) {
    if (t->sights[i].width == width && t->sights[i].height == height) {
      *s = &t->sights[i];
      return INK_OK;
    }
  }
  if (t->n_sight == INK_NOISE_SIZES) return INK_OK;
  sight *one = &t->sights[t->n_sight];
  *one = (sight){.width = width, .height = height};
  if (width != v->width || height != v->height) {
    INK_TRY(ink_picture_watermark_invert(t->pipeline, t->picture, &t->search->inversion, c->width,
                                         c->height, &one->own, error));
    v = &one->own;
  }
  t->n_sight++;
  ink_latent_shape shape = {v->channels, v->height, v->width};
  INK_TRY(ink_shading_matcher_new(shape, v->noise, &one->matcher, error));
  *s = one;
  return INK_OK;
}

static void end_trial(trial *t) {
  for (size_t i = 0; i < t->n_sight; i++) {
    ink_shading_matcher_free(t->sights[i].matcher);
    ink_inversion_free(&t->sights[i].own);
  }
  free(t->key_ids);
}

// ---- trying
// --------------------------------------------------------------------------------------

static ink_status try_one(trial *t, candidate *c, ink_error *error) {
  sight *s;
  INK_TRY(see(t, c, &s, error));
  if (!s) return INK_OK;
  t->tried++;
  for (size_t k = 0; k < t->search->n_key; k++) {
    // Where a record names its key, that one alone is tried.
    if (c->key_id[0] && strcmp(c->key_id, t->key_ids[k]) != 0) continue;
    double p;
    INK_TRY(ink_shading_matcher_try(s->matcher, &t->search->keys[k], c->bytes, &p, error));
    t->n_test++;
    if (p >= c->p) continue;
    c->p = p;
    c->key = k;
  }
  return INK_OK;
}

// The newest first, since of the sizes the first ones are looked at.
static ink_status try_all(trial *t, gathering *g, ink_noise_record *record, ink_error *error) {
  t->key_ids = calloc(t->search->n_key, sizeof *t->key_ids);
  if (!t->key_ids) return ink_fail(error, INK_ERR_MEMORY, "no memory for the ledger's identities");
  for (size_t k = 0; k < t->search->n_key; k++) {
    INK_TRY(ink_shading_key_id(&t->search->keys[k], t->key_ids[k], error));
  }
  const candidate *best = NULL;
  for (size_t i = g->n; i-- > 0;) {
    candidate *c = &g->list[i];
    c->p = 1;
    INK_TRY(try_one(t, c, error));
    if (!best || c->p < best->p) best = c;
  }
  const ink_inversion *v = &t->finding->inversion;
  record->tried = t->tried;
  record->n_sign = (size_t)v->channels * (size_t)v->height * (size_t)v->width;
  if (!best || t->tried == 0) return INK_OK;
  // Which of its sizes the finding has was chosen by how well the keys agree with it.
  record->p_value = fmin(best->p * (double)(t->n_test * t->finding->n_size), 1);
  record->found = record->p_value < INK_PICTURE_WATERMARK_P_VALUE;
  record->key = best->key;
  record->n = best->n;
  memcpy(record->identity, best->identity, sizeof record->identity);
  return INK_OK;
}

ink_status ink_noise_records_find(ink_ledger *ledger, ink_pipeline *pipeline,
                                  const ink_picture *picture,
                                  const ink_picture_watermark_finding *finding,
                                  const ink_noise_records_search *search, ink_noise_record *record,
                                  ink_error *error) {
  *record = (ink_noise_record){.p_value = 1};
  gathering g = {.model = search->model_sha256};
  trial t = {.pipeline = pipeline, .picture = picture, .finding = finding, .search = search};
  int64_t most = search->most ? search->most : INK_NOISE_RECORDS;
  ink_ledger_query query = {.label = INK_PICTURE_WATERMARK_LABEL, .last = most};
  ink_status status = ink_ledger_each(ledger, &query, gather, &g, error);
  if (status == INK_OK && g.no_memory) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory for the ledger's identities");
  }
  if (status == INK_OK && g.n) {
    record->more = (int64_t)g.n == most;
    status = try_all(&t, &g, record, error);
  }
  end_trial(&t);
  free(g.list);
  return status;
}
