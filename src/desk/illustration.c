// Illustrating a text: motifs become a prompt, the prompt a picture.
#include "desk/illustration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "diffusion/pipeline.h"
#include "lang/motif.h"
#include "mark/watermark/picture_watermark.h"
#include "models/stable_diffusion.h"
#include "weights/hub.h"

enum { MOST_MOTIFS = 4, LEAST_SIDE = 64, MOST_SIDE = 4096 };
static const double MOST_KEPT = 0.4;  // of the noise (ink_paint_request.kept_noise)

ink_status ink_illustration_plan_read(const json_t *json, const char *name,
                                      ink_illustration_plan *plan, ink_error *error) {
  static const char *const known[] = {"model", "steps", "guidance", "side", "motifs", NULL};
  *plan = (ink_illustration_plan){.model = "painter", .guidance = 4};
  int64_t steps = 20, side = 384, motifs = 2;
  if (!json_is_object(json)) return ink_fail(error, INK_ERR_FORMAT, "%s must be a mapping", name);
  INK_TRY(ink_json_only(json, name, known, error));
  INK_TRY(ink_json_get_string(json, "model", name, &plan->model, error));
  INK_TRY(ink_json_get_int(json, "steps", name, 1, INK_PAINT_MOST_STEPS, &steps, error));
  INK_TRY(ink_json_get_number(json, "guidance", name, 1, 30, &plan->guidance, error));
  INK_TRY(ink_json_get_int(json, "side", name, LEAST_SIDE, MOST_SIDE, &side, error));
  INK_TRY(ink_json_get_int(json, "motifs", name, 1, MOST_MOTIFS, &motifs, error));
  plan->steps = (int32_t)steps;
  plan->side = (int32_t)side;
  plan->motifs = (int32_t)motifs;
  return INK_OK;
}

// "一轮满月和一座山"; empty when the text names nothing.
static void compose_prompt(const ink_illustration_plan *plan, const char *heading, const char *text,
                           ink_text *prompt) {
  const ink_motif *motifs[MOST_MOTIFS];
  size_t n = ink_motifs_of(heading, text, (size_t)plan->motifs, motifs);
  for (size_t i = 0; i < n; i++) {
    ink_text_format(prompt, "%s%s", i ? "和" : "", motifs[i]->phrase);
  }
}

static ink_status paint(ink_pipeline *pipeline, const ink_illustration_plan *plan,
                        const char *prompt, uint64_t seed, const ink_noise_shaper *shaper,
                        double kept_noise, const ink_progress *progress, ink_picture *picture,
                        ink_error *error) {
  ink_paint_request request = ink_paint_request_default();
  request.prompt = prompt;
  request.steps = plan->steps;
  request.guidance_scale = plan->guidance;
  request.seed = seed;
  request.first_noise = shaper;
  request.kept_noise = kept_noise;
  request.progress = progress;
  ink_painting painting = {0};
  ink_status status = ink_pipeline_paint(pipeline, &request, &painting, error);
  if (status == INK_OK) {
    status = ink_picture_resize(&painting.picture, plan->side, plan->side, INK_RESIZE_LANCZOS,
                                picture, error);
  }
  ink_painting_free(&painting);
  return status;
}

// The public key, and the identity that the noise is to carry.
static ink_status ready_mark(const char *identity, ink_picture_watermark *mark,
                             char key_id[INK_SHADING_KEY_ID], ink_error *error) {
  if (!ink_identity_bytes(identity, mark->identity)) {
    return ink_fail(error, INK_ERR_USAGE, "\"%s\" is no identity: it takes a UUID in lower case",
                    identity);
  }
  INK_TRY(ink_shading_key_of(NULL, 0, &mark->key, error));
  return ink_shading_key_id(&mark->key, key_id, error);
}

ink_status ink_illustrate(const ink_illustration_plan *plan, const char *heading, const char *text,
                          uint64_t seed, const char *identity, ink_pool *pool,
                          const ink_progress *progress, ink_illustration *illustration,
                          ink_error *error) {
  ink_picture_watermark mark;
  ink_noise_shaper shaper = ink_picture_watermark_shaper(&mark);
  ink_text prompt = {0};
  ink_pipeline *pipeline = NULL;
  char *path = NULL;
  compose_prompt(plan, heading, text, &prompt);
  ink_status status = ink_text_status(&prompt, error);
  if (status == INK_OK && prompt.size == 0) return INK_OK;
  if (status == INK_OK) status = ink_model_resolve(plan->model, &path, error);
  if (status == INK_OK) status = ink_pipeline_open(path, pool, &pipeline, error);
  if (status == INK_OK) {
    status = ink_stable_diffusion_sha256(ink_pipeline_about(pipeline), INK_HASH_COMPUTE,
                                         illustration->model_sha256, error);
  }
  if (status == INK_OK && identity) {
    int32_t side = ink_pipeline_side(pipeline);
    // A page is looked at: less of the grain than a picture by itself bears.
    illustration->kept_noise = fmin(ink_picture_watermark_kept(pipeline, side, side), MOST_KEPT);
    status = ready_mark(identity, &mark, illustration->key_id, error);
  }
  if (status == INK_OK) {
    status = paint(pipeline, plan, prompt.bytes, seed, identity ? &shaper : NULL,
                   illustration->kept_noise, progress, &illustration->picture, error);
  }
  if (status == INK_OK) {
    illustration->model = strdup(ink_path_name(path));
    illustration->prompt = strdup(prompt.bytes);
    if (!illustration->model || !illustration->prompt) {
      status = ink_fail(error, INK_ERR_MEMORY, "no memory for the picture");
    }
  }
  ink_pipeline_free(pipeline);
  ink_text_free(&prompt);
  free(path);
  if (status != INK_OK) ink_illustration_free(illustration);
  return status;
}

void ink_illustration_free(ink_illustration *illustration) {
  ink_picture_free(&illustration->picture);
  free(illustration->prompt);
  free(illustration->model);
  *illustration = (ink_illustration){0};
}

json_t *ink_illustration_json(const ink_illustration *illustration,
                              const ink_illustration_plan *plan) {
  double kept = illustration->kept_noise;
  json_t *share = kept > 0 ? json_real(kept) : NULL;
  json_t *mark = illustration->key_id[0] ? json_pack("{s:s, s:o*}", "gaussian_shading",
                                                     illustration->key_id, "kept_noise", share)
                                         : NULL;
  return json_pack("{s:{s:s, s:s}, s:s, s:i, s:f, s:i, s:o*}", "model", "name", illustration->model,
                   "sha256", illustration->model_sha256, "prompt", illustration->prompt, "steps",
                   (int)plan->steps, "guidance", plan->guidance, "side", (int)plan->side,
                   "watermark", mark);
}
