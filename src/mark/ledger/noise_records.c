// The ledger's identities against a picture's noise.
#include "mark/ledger/noise_records.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "diffusion/recipe.h"
#include "mark/c2pa/validate.h"

// A record, and how well the noise agrees with it as it is.
typedef struct candidate {
  int64_t n;
  char identity[INK_UUID_TEXT];
  uint8_t bytes[INK_SHADING_IDENTITY];
  char store[INK_SHA256_HEX];  // of its manifest; "": none was kept
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

// The manifests of all files of a row hold the recipe.
static const char *store_of(const json_t *row) {
  const json_t *files = json_object_get(row, "files"), *file;
  size_t i;
  json_array_foreach(files, i, file) {
    if (text_at(file, "store")[0]) return text_at(file, "store");
  }
  return "";
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
  snprintf(c.store, sizeof c.store, "%s", store_of(row));
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

// ---- as they are --------------------------------------------------------------------------------

// Where a record names its key, that one alone is tried.
static bool fits(const candidate *c, const char *key_id) {
  return !c->key_id[0] || strcmp(c->key_id, key_id) == 0;
}

static ink_status try_all(const gathering *g, const ink_picture_watermark_finding *finding,
                          const ink_noise_records_search *search, size_t *n_test,
                          ink_error *error) {
  const ink_inversion *v = &finding->inversion;
  ink_latent_shape shape = {v->channels, v->height, v->width};
  ink_shading_matcher *matcher;
  INK_TRY(ink_shading_matcher_new(shape, v->noise, NULL, &matcher, error));
  ink_status status = INK_OK;
  for (size_t i = 0; i < g->n; i++) g->list[i].p = 1;
  for (size_t k = 0; k < search->n_key && status == INK_OK; k++) {
    char id[INK_SHADING_KEY_ID];
    status = ink_shading_key_id(&search->keys[k], id, error);
    for (size_t i = 0; i < g->n && status == INK_OK; i++) {
      candidate *c = &g->list[i];
      if (!fits(c, id)) continue;
      double p;
      status = ink_shading_matcher_try(matcher, &search->keys[k], c->bytes, &p, error);
      (*n_test)++;
      if (p >= c->p) continue;
      c->p = p;
      c->key = k;
    }
  }
  ink_shading_matcher_free(matcher);
  return status;
}

static int by_likeness(const void *a, const void *b) {
  const candidate *x = a, *y = b;
  if (x->p != y->p) return x->p < y->p ? -1 : 1;
  return x->n > y->n ? -1 : x->n < y->n;
}

// ---- with their recipes -------------------------------------------------------------------------

// A piece's recipe tells of its picture in a member; a painting's is its own.
static ink_status read_recipe(const json_t *json, ink_paint_recipe *recipe, ink_error *error) {
  const json_t *picture = json_object_get(json, "picture");
  if (!json_is_object(picture)) {
    return ink_paint_recipe_from_json(json, "the ledger's recipe", recipe, error);
  }
  int64_t seed = 0;
  *recipe = (ink_paint_recipe){.eta = (double)NAN};
  INK_TRY(ink_json_get_int(json, "seed", "the ledger's recipe", 0, INT64_C(1) << 53, &seed, error));
  recipe->seed = (uint64_t)seed;
  return INK_OK;
}

static ink_status recipe_of(ink_ledger *ledger, const candidate *c, ink_paint_recipe *recipe,
                            ink_error *error) {
  unsigned char *store;
  size_t size;
  ink_c2pa_report report = {0};
  *recipe = (ink_paint_recipe){0};
  INK_TRY(ink_ledger_store(ledger, c->store, &store, &size, error));
  static const unsigned char nothing[1];
  ink_status status = ink_c2pa_validate(nothing, 0, NULL, store, size, NULL, &report, error);
  if (status == INK_OK) {
    const json_t *json = ink_c2pa_assertion_of(&report, "org.inkstone.recipe");
    status = json ? read_recipe(json, recipe, error)
                  : ink_fail(error, INK_ERR_NOT_FOUND, "no recipe in the manifest of row %lld",
                             (long long)c->n);
  }
  ink_c2pa_report_free(&report);
  free(store);
  return status;
}

// Weigh the signs by the sizes of the first noise as the recipe's seed gives them.
static ink_status weigh_up(ink_pipeline *pipeline, const ink_picture *picture,
                           const ink_picture_watermark_finding *finding,
                           const ink_noise_records_search *search, const ink_paint_recipe *recipe,
                           candidate *c, ink_error *error) {
  ink_paint_request request = ink_paint_recipe_request(recipe);
  ink_first_noise first;
  ink_inversion other = {0};
  const ink_inversion *v = &finding->inversion;
  INK_TRY(ink_pipeline_first_noise(pipeline, &request, &first, error));
  ink_status status = INK_OK;
  if (first.height != v->height || first.width != v->width || first.channels != v->channels) {
    int32_t factor = ink_pipeline_factor(pipeline);
    status =
        ink_picture_watermark_invert(pipeline, picture, &search->inversion, first.width * factor,
                                     first.height * factor, &other, error);
    v = &other;
  }
  ink_latent_shape shape = {first.channels, first.height, first.width};
  ink_shading_matcher *matcher = NULL;
  if (status == INK_OK) {
    status = ink_shading_matcher_new(shape, v->noise, first.values, &matcher, error);
  }
  c->p = 1;
  for (size_t k = 0; k < search->n_key && status == INK_OK; k++) {
    char id[INK_SHADING_KEY_ID];
    double p;
    status = ink_shading_key_id(&search->keys[k], id, error);
    if (status != INK_OK || !fits(c, id)) continue;
    status = ink_shading_matcher_try(matcher, &search->keys[k], c->bytes, &p, error);
    if (status != INK_OK || p >= c->p) continue;
    c->p = p;
    c->key = k;
  }
  ink_shading_matcher_free(matcher);
  ink_inversion_free(&other);
  ink_first_noise_free(&first);
  return status;
}

static void keep_best(ink_noise_record *record, const candidate *c, double tests, bool by_recipe) {
  const double ways = 2;
  double p = fmin(c->p * tests * ways, 1);
  if (record->n && p >= record->p_value) return;
  record->p_value = p;
  record->by_recipe = by_recipe;
  record->key = c->key;
  record->n = c->n;
  memcpy(record->identity, c->identity, sizeof record->identity);
}

static ink_status look_closely(ink_ledger *ledger, ink_pipeline *pipeline,
                               const ink_picture *picture,
                               const ink_picture_watermark_finding *finding,
                               const ink_noise_records_search *search, const gathering *g,
                               size_t n_test, ink_noise_record *record, ink_error *error) {
  for (size_t i = 0; i < g->n && i < INK_NOISE_RECIPES; i++) {
    candidate *c = &g->list[i];
    ink_paint_recipe recipe;
    ink_error unread = {0};
    if (!c->store[0]) continue;
    ink_status status = recipe_of(ledger, c, &recipe, &unread);
    if (status == INK_OK) {
      status = weigh_up(pipeline, picture, finding, search, &recipe, c, &unread);
      // One size was inverted for this: only the records count.
      if (status == INK_OK) keep_best(record, c, (double)n_test, true);
    }
    ink_paint_recipe_free(&recipe);
    if (status == INK_ERR_MEMORY || status == INK_ERR_CANCELLED) {
      return ink_fail(error, status, "%s", unread.text);
    }
  }
  return INK_OK;
}

ink_status ink_noise_records_find(ink_ledger *ledger, ink_pipeline *pipeline,
                                  const ink_picture *picture,
                                  const ink_picture_watermark_finding *finding,
                                  const ink_noise_records_search *search, ink_noise_record *record,
                                  ink_error *error) {
  *record = (ink_noise_record){.p_value = 1};
  gathering g = {.model = search->model_sha256};
  int64_t most = search->most ? search->most : INK_NOISE_RECORDS;
  ink_ledger_query query = {.label = INK_PICTURE_WATERMARK_LABEL, .last = most};
  ink_status status = ink_ledger_each(ledger, &query, gather, &g, error);
  if (status == INK_OK && g.no_memory) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory for the ledger's identities");
  }
  size_t n_test = 0;
  if (status == INK_OK && g.n) status = try_all(&g, finding, search, &n_test, error);
  if (status == INK_OK && g.n) {
    const ink_inversion *v = &finding->inversion;
    record->tried = g.n;
    record->n_sign = (size_t)v->channels * (size_t)v->height * (size_t)v->width;
    record->more = (int64_t)g.n == most;
    qsort(g.list, g.n, sizeof *g.list, by_likeness);
    keep_best(record, &g.list[0], (double)(n_test * finding->n_size), false);
    status = look_closely(ledger, pipeline, picture, finding, search, &g, n_test, record, error);
    record->found = record->p_value < INK_PICTURE_WATERMARK_P_VALUE;
  }
  free(g.list);
  return status;
}
