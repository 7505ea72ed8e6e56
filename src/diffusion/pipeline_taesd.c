// A tiny autoencoder (TAESD) beside the model's own, for previews and quick decoding.
#include "diffusion/pipeline_parts.h"
#include "weights/weights.h"

static ink_status check_latents(const ink_pipeline *p, const ink_taesd *taesd, const char *path,
                                ink_error *error) {
  const ink_taesd_config *own = ink_taesd_about(taesd);
  int32_t factor = ink_taesd_factor(taesd), theirs = ink_paint_factor(p);
  int channels = (int)ink_paint_channels(p);
  if (own->out_channels != 3) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: a tiny autoencoder of pictures with %d channels; they have 3", path,
                    own->out_channels);
  }
  if (own->latent_channels == channels && factor == theirs) return INK_OK;
  return ink_fail(error, INK_ERR_CONFLICT,
                  "%s: this tiny autoencoder was made for another model: its latents have %d "
                  "channels and a factor of %d, those of %s (%s) %d channels and a factor of %d",
                  path, own->latent_channels, factor, p->model->path,
                  ink_stable_diffusion_name(p->model), channels, theirs);
}

// What the kernels made of an earlier one's weights goes with it.
static ink_status forget_earlier(ink_pipeline *p, ink_error *error) {
  if (!p->taesd) return INK_OK;
  ink_prepared *fresh = ink_paint_prepared(p);
  if (!fresh) return ink_fail(error, INK_ERR_MEMORY, "no memory for a tiny autoencoder");
  ink_prepared_free(p->prepared);
  p->prepared = fresh;
  ink_paint_free_taesd(p);
  return INK_OK;
}

ink_status ink_pipeline_set_taesd(ink_pipeline *pipeline, const char *path, ink_error *error) {
  ink_weights *weights;
  ink_taesd *taesd = NULL;
  INK_TRY(ink_weights_open(path, &weights, error));
  ink_status status = ink_taesd_new_decoder(weights, &taesd, error);
  if (status == INK_OK) status = check_latents(pipeline, taesd, path, error);
  if (status == INK_OK) status = forget_earlier(pipeline, error);
  if (status != INK_OK) {
    ink_taesd_free(taesd);
    ink_weights_close(weights);
    return status;
  }
  pipeline->taesd = taesd;
  pipeline->taesd_weights = weights;
  return INK_OK;
}

const struct ink_weights *ink_pipeline_taesd_weights(const ink_pipeline *pipeline) {
  return pipeline->taesd_weights;
}

void ink_paint_free_taesd(ink_pipeline *pipeline) {
  ink_taesd_free(pipeline->taesd);
  ink_weights_close(pipeline->taesd_weights);
  pipeline->taesd = NULL;
  pipeline->taesd_weights = NULL;
}
