// The noise of a picture, before `inkstone detect`.
#include "cli/detect_noise.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/noting.h"
#include "lang/catalogue.h"
#include "mark/keys.h"
#include "mark/ledger/noise_records.h"
#include "models/stable_diffusion.h"
#include "picture/codec.h"
#include "weights/hub.h"

enum { MOST_KEYS = 3 };

typedef struct key_ring {
  ink_shading_key keys[MOST_KEYS];
  size_t n;
} key_ring;

// An own key that is there but cannot be read is no reason to look for nothing else.
static ink_status gather_keys(const ink_detect_noise_options *options, key_ring *ring,
                              ink_detection *detection, ink_error *error) {
  char *folder;
  INK_TRY(ink_keys_folder(&folder, error));
  ink_error absent = ink_cli_error();
  ink_status status =
      folder ? ink_shading_key_open(folder, false, &ring->keys[0], &absent) : INK_ERR_NOT_FOUND;
  free(folder);
  if (status == INK_OK) ring->n++;
  if (status == INK_ERR_MEMORY) return ink_fail(error, status, "%s", absent.text);
  if (status != INK_OK && status != INK_ERR_NOT_FOUND) {
    ink_detect_unread(INK_EVIDENCE_WATERMARK, "gaussian-shading:own", absent.text, detection);
  }
  INK_TRY(ink_shading_key_of(NULL, 0, &ring->keys[ring->n++], error));
  if (options->keys) INK_TRY(ink_shading_key_read(options->keys, &ring->keys[ring->n++], error));
  return INK_OK;
}

static ink_status search_for(const ink_detect_noise_options *options, const key_ring *ring,
                             ink_picture_watermark_search *search, ink_error *error) {
  *search = (ink_picture_watermark_search){
      .keys = ring->keys, .n_key = ring->n, .steps = (int32_t)options->steps};
  if (!options->size) return INK_OK;
  int width = 0, height = 0, end = 0;
  if (sscanf(options->size, "%5dx%5d%n", &width, &height, &end) != 2 || options->size[end] ||
      width < 1 || height < 1) {
    return ink_fail(error, INK_ERR_USAGE, "--size takes WIDTHxHEIGHT, not \"%s\"", options->size);
  }
  search->width = width;
  search->height = height;
  return INK_OK;
}

// What the ledger knows, under the same model. Without a ledger, or where it cannot be read, the
// rest of the evidence stands.
static ink_status look_it_up(ink_pipeline *pipeline, const ink_picture *picture, int64_t most,
                             const ink_picture_watermark_search *search,
                             const ink_picture_watermark_finding *finding, ink_detection *detection,
                             ink_error *error) {
  ink_ledger *ledger = NULL;
  ink_noise_record record = {0};
  char sha256[INK_SHA256_HEX];
  ink_error unread = ink_cli_error();
  if (most == 0) return INK_OK;
  ink_status status = ink_cli_ledger(&ledger, &unread);
  if (status == INK_OK && ledger) {
    status =
        ink_stable_diffusion_sha256(ink_pipeline_about(pipeline), INK_HASH_NOTED, sha256, &unread);
  }
  if (status == INK_OK && ledger) {
    ink_noise_records_search among = {.keys = search->keys,
                                      .n_key = search->n_key,
                                      .model_sha256 = sha256,
                                      .most = most,
                                      .inversion = *search};
    status = ink_noise_records_find(ledger, pipeline, picture, finding, &among, &record, &unread);
    if (status == INK_OK) ink_detect_noise_record(&record, detection);
  }
  ink_ledger_close(ledger);
  if (status == INK_ERR_CANCELLED || status == INK_ERR_MEMORY)
    return ink_fail(error, status, "%s", unread.text);
  if (status != INK_OK) fprintf(stderr, ink_tr("warning: %s\n"), unread.text);
  return INK_OK;
}

static ink_status look(ink_pipeline *pipeline, const ink_picture *picture,
                       const ink_detect_noise_options *options, ink_detection *detection,
                       ink_error *error) {
  key_ring ring = {0};
  ink_picture_watermark_search search;
  ink_picture_watermark_finding finding;
  char id[INK_SHADING_KEY_ID];
  ink_cli_bar bar;
  INK_TRY(gather_keys(options, &ring, detection, error));
  INK_TRY(search_for(options, &ring, &search, error));
  ink_progress progress = ink_cli_progress(&bar, "detect");
  search.progress = &progress;
  ink_status status = ink_picture_watermark_find(pipeline, picture, &search, &finding, error);
  if (status == INK_OK) status = ink_shading_key_id(&ring.keys[finding.key], id, error);
  if (status == INK_OK) {
    ink_detect_noise(&finding, id, detection);
    status = look_it_up(pipeline, picture, options->records, &search, &finding, detection, error);
  }
  ink_cli_progress_end(&bar);
  ink_picture_watermark_finding_free(&finding);
  return status;
}

// NULL without an error: the default is not here, or not whole.
static ink_status open_model(const char *model, ink_pool *pool, ink_pipeline **pipeline,
                             ink_error *error) {
  char *path = NULL;
  ink_error absent = ink_cli_error();
  *pipeline = NULL;
  ink_status status = ink_model_resolve(model ? model : "painter", &path, &absent);
  if (status == INK_OK) status = ink_pipeline_open(path, pool, pipeline, &absent);
  free(path);
  if (status == INK_ERR_NOT_FOUND && !model) {
    fprintf(stderr, "%s\n",
            ink_tr("no painter is at hand, so the picture's noise was not looked into; name the "
                   "model that may have painted it with --model"));
    return INK_OK;
  }
  return status == INK_OK ? status : ink_fail(error, status, "%s", absent.text);
}

ink_status ink_detect_noise_of(const ink_detect_noise_options *options, const char *model,
                               int threads, const char *name, const char *bytes, size_t size,
                               ink_detection *detection, ink_error *error) {
  ink_pipeline *pipeline = NULL;
  ink_picture picture = {0};
  ink_pool *pool = ink_pool_new(threads);
  ink_status status =
      pool ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for threads, or too many of them");
  if (status == INK_OK) status = open_model(model, pool, &pipeline, error);
  if (status == INK_OK && pipeline) {
    status = ink_picture_decode(bytes, size, name, NULL, &picture, NULL, error);
    if (status == INK_OK) status = look(pipeline, &picture, options, detection, error);
  }
  ink_picture_free(&picture);
  ink_pipeline_free(pipeline);
  ink_pool_free(pool);
  return status;
}
