// ControlNets beside the UNet: pictures that lead a painting (Zhang et al. 2023, arXiv 2302.05543).
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "diffusion/pipeline_parts.h"
#include "picture/edges.h"
#include "weights/weights.h"

enum { MAX_JSON = 1 << 20 };

// ---- the networks -------------------------------------------------------------------------------

static ink_status open_folder(const ink_weights *weights, ink_controlnet **controlnet,
                              ink_error *error) {
  const json_t *json = ink_weights_config(weights);
  const char *path = ink_weights_path(weights);
  ink_controlnet_config config;
  if (!json) return ink_fail(error, INK_ERR_NOT_FOUND, "%s: no config.json", path);
  INK_TRY(ink_controlnet_config_from_json(json, path, &config, error));
  return ink_controlnet_new(&config, &(ink_source){.weights = weights}, controlnet, error);
}

// Of a file in diffusers' names the config lies beside it.
static ink_status open_part(const ink_weights *weights, ink_controlnet **controlnet,
                            ink_error *error) {
  const char *path = ink_weights_path(weights);
  size_t folder = (size_t)(ink_path_name(path) - path);
  ink_controlnet_config config;
  ink_text beside = {0};
  json_t *json = NULL;
  ink_text_add_bytes(&beside, path, folder);
  ink_text_add(&beside, "config.json");
  ink_status status = ink_text_status(&beside, error);
  if (status == INK_OK && !ink_file_exists(ink_text_string(&beside))) {
    status = ink_fail(error, INK_ERR_NOT_FOUND,
                      "%s: a ControlNet in diffusers' layout; put its config.json beside it, or "
                      "name its folder",
                      path);
  }
  if (status == INK_OK) {
    status = ink_json_load(ink_text_string(&beside), MAX_JSON, &json, error);
  }
  if (status == INK_OK) {
    status = ink_controlnet_config_from_json(json, ink_text_string(&beside), &config, error);
  }
  if (status == INK_OK) {
    status = ink_controlnet_new(&config, &(ink_source){.weights = weights}, controlnet, error);
  }
  json_decref(json);
  ink_text_free(&beside);
  return status;
}

static ink_status open_file(const ink_weights *weights, ink_controlnet **controlnet,
                            ink_error *error) {
  static const char inside[] = "control_model.";
  if (ink_weights_entry_of(weights, "controlnet_cond_embedding.conv_in.weight")) {
    return open_part(weights, controlnet, error);
  }
  ink_source source = {.weights = weights, .naming = INK_NAMING_LDM, .prefix = ""};
  if (ink_weights_entry_of(weights, "control_model.input_hint_block.0.weight")) {
    source.prefix = inside;
  } else if (!ink_weights_entry_of(weights, "input_hint_block.0.weight")) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: this is no ControlNet",
                    ink_weights_path(weights));
  }
  ink_controlnet_config config;
  INK_TRY(ink_controlnet_config_from_weights(weights, source.prefix, &config, error));
  return ink_controlnet_new(&config, &source, controlnet, error);
}

// It adds to the UNet's skip connections, so their levels must be the same.
static ink_status check_family(const ink_pipeline *p, const ink_controlnet *net, const char *path,
                               ink_error *error) {
  const ink_unet_config *unet = ink_unet_about(p->model->unet),
                        *own = &ink_controlnet_about(net)->unet;
  const char *model = p->model->path;
  if (own->context != unet->context || own->pooled != unet->pooled) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s: this ControlNet was made for another model: it reads text of width %d, "
                    "but %s (%s) has %d",
                    path, own->context, model, ink_stable_diffusion_name(p->model), unet->context);
  }
  bool same = own->n_level == unet->n_level && own->in_channels == ink_paint_channels(p) &&
              ink_controlnet_factor(net) == ink_paint_factor(p);
  for (int32_t i = 0; same && i < own->n_level; i++) {
    same = own->levels[i].channels == unet->levels[i].channels &&
           own->levels[i].n_layer == unet->levels[i].n_layer;
  }
  if (same) return INK_OK;
  return ink_fail(error, INK_ERR_CONFLICT,
                  "%s: this ControlNet was made for another model: its levels are not those of %s",
                  path, model);
}

ink_status ink_pipeline_add_control(ink_pipeline *pipeline, const char *path, ink_error *error) {
  if (pipeline->n_controls == INK_PIPELINE_MOST_CONTROLS) {
    return ink_fail(error, INK_ERR_USAGE, "at most %d ControlNets at a time",
                    INK_PIPELINE_MOST_CONTROLS);
  }
  ink_weights *weights;
  ink_controlnet *net = NULL;
  INK_TRY(ink_weights_open(path, &weights, error));
  ink_status status = ink_file_is_folder(path) ? open_folder(weights, &net, error)
                                               : open_file(weights, &net, error);
  if (status == INK_OK) status = check_family(pipeline, net, path, error);
  if (status != INK_OK) {
    ink_controlnet_free(net);
    ink_weights_close(weights);
    return status;
  }
  pipeline->controls[pipeline->n_controls++] = (ink_pipeline_control){net, weights};
  return INK_OK;
}

const struct ink_weights *ink_pipeline_control_weights(const ink_pipeline *pipeline, size_t i) {
  return pipeline->controls[i].weights;
}

void ink_paint_free_controls(ink_pipeline *pipeline) {
  while (pipeline->n_controls) {
    ink_pipeline_control *control = &pipeline->controls[--pipeline->n_controls];
    ink_controlnet_free(control->net);
    ink_weights_close(control->weights);
  }
}

// ---- the pictures -------------------------------------------------------------------------------

ink_status ink_paint_check_controls(const ink_paint_run *run) {
  const ink_paint_request *q = run->request;
  ink_error *error = run->error;
  if (q->n_controls > INK_PAINT_MOST_CONTROLS) {
    return ink_fail(error, INK_ERR_USAGE, "%zu pictures to be led by; at most %d", q->n_controls,
                    INK_PAINT_MOST_CONTROLS);
  }
  for (size_t i = 0; i < q->n_controls; i++) {
    const ink_paint_control *control = &q->controls[i];
    if (control->model >= run->pipeline->n_controls || !control->picture) {
      return ink_fail(error, INK_ERR_USAGE, "picture %zu to be led by has no ControlNet", i + 1);
    }
    if (!(control->weight >= 0 && control->weight <= 10)) {
      return ink_fail(error, INK_ERR_USAGE, "a ControlNet's weight is %g; it must lie in 0 … 10",
                      control->weight);
    }
    if (!(control->start >= 0 && control->start < control->end && control->end <= 1)) {
      return ink_fail(error, INK_ERR_USAGE,
                      "a ControlNet leads from %g to %g of the steps; that must rise within 0 … 1",
                      control->start, control->end);
    }
  }
  return INK_OK;
}

// The picture that the network is shown.
static ink_status see(const ink_paint_run *run, const ink_paint_control *control,
                      ink_picture *out) {
  INK_TRY(ink_paint_fit(run, control->picture, 3, out));
  if (!control->canny) return INK_OK;
  ink_picture edges;
  ink_status status = ink_picture_canny(out, INK_CANNY_LOW, INK_CANNY_HIGH, &edges, run->error);
  ink_picture_free(out);
  INK_TRY(status);
  status = ink_picture_convert(&edges, 3, out, run->error);
  ink_picture_free(&edges);
  return status;
}

static ink_tensor *hint_of(ink_compute *c, const ink_picture *picture, int64_t batch, bool bgr) {
  ink_tensor *x =
      ink_tensor_new(c->arena, INK_F32, 4, (int64_t[]){batch, picture->height, picture->width, 3});
  if (!x) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a picture to be led by");
  float *to = x->data;
  size_t n = ink_picture_bytes(picture);
  for (int64_t b = 0; b < batch; b++) {
    for (size_t i = 0; i < n; i += 3, to += 3) {
      for (size_t k = 0; k < 3; k++) to[k] = (float)picture->pixels[i + (bgr ? 2 - k : k)] / 255.0F;
    }
  }
  return x;
}

ink_status ink_paint_see_controls(ink_paint_run *run) {
  const ink_paint_request *q = run->request;
  for (size_t i = 0; i < q->n_controls; i++) {
    const ink_controlnet_config *config =
        ink_controlnet_about(run->pipeline->controls[q->controls[i].model].net);
    if (config->hint_channels != 3) {
      return ink_fail(run->error, INK_ERR_UNSUPPORTED,
                      "a ControlNet that sees %d channels; pictures have 3", config->hint_channels);
    }
    ink_picture picture;
    INK_TRY(see(run, &q->controls[i], &picture));
    run->hints[i] = hint_of(&run->compute, &picture, run->guided ? 2 : 1, config->bgr);
    ink_picture_free(&picture);
    INK_TRY(ink_compute_status(&run->compute, run->error));
  }
  return INK_OK;
}

// ---- a step -------------------------------------------------------------------------------------

// Whether it leads during this step, told as diffusers does.
static bool leads(const ink_paint_run *run, const ink_paint_control *control) {
  return run->step_begins >= control->start && run->step_ends <= control->end &&
         control->weight > 0;
}

static void add(ink_compute *c, ink_unet_residuals *sum, const ink_unet_residuals *more) {
  if (!sum->middle) {
    *sum = *more;
    return;
  }
  for (size_t i = 0; i < sum->n; i++) sum->skips[i] = ink_add(c, sum->skips[i], more->skips[i]);
  sum->middle = ink_add(c, sum->middle, more->middle);
}

bool ink_paint_control_step(ink_paint_run *run, const ink_unet_input *unet_input,
                            const ink_tensor *sample, ink_unet_residuals *sum) {
  const ink_paint_request *q = run->request;
  ink_compute *c = &run->compute;
  ink_unet_input in = *unet_input;
  in.sample = sample;
  in.text = NULL;
  in.guidance = NULL;
  *sum = (ink_unet_residuals){0};
  for (size_t i = 0; i < q->n_controls; i++) {
    const ink_paint_control *control = &q->controls[i];
    ink_unet_residuals more = {0};
    if (!leads(run, control)) continue;
    const ink_controlnet *net = run->pipeline->controls[control->model].net;
    if (!ink_controlnet_forward(c, net, &in, run->hints[i], (float)control->weight, &more)) {
      return false;
    }
    add(c, sum, &more);
  }
  return sum->middle != NULL;
}
