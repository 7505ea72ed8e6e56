// Reading scheduler_config.json.
#include "diffusion/scheduler_config.h"

#include <string.h>

// ---- names --------------------------------------------------------------------------------------

// One of a NULL-terminated list of values; absent leaves *out as it was.
static ink_status read_choice(const json_t *file, const char *key, const char *name,
                              const char *const *values, int *out, ink_error *error) {
  const char *text = NULL;
  INK_TRY(ink_json_get_string(file, key, name, &text, error));
  if (!text) return INK_OK;
  for (int i = 0; values[i]; i++) {
    if (strcmp(text, values[i]) == 0) {
      *out = i;
      return INK_OK;
    }
  }
  return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: /%s \"%s\" is not one that inkstone knows", name,
                  key, text);
}

static ink_status sampler_of_class(const json_t *file, const char *name, ink_sampler_kind *kind,
                                   ink_error *error) {
  const char *class_ = NULL, *algorithm = NULL;
  INK_TRY(ink_json_get_string(file, "_class_name", name, &class_, error));
  INK_TRY(ink_json_get_string(file, "algorithm_type", name, &algorithm, error));
  if (!class_) return ink_fail(error, INK_ERR_FORMAT, "%s: /_class_name is missing", name);
  for (int i = 0; i < INK_SAMPLER_COUNT; i++) {
    const char *ours = ink_sampler_about((ink_sampler_kind)i)->class_;
    if (!ours || strcmp(ours, class_) != 0) continue;
    *kind = (ink_sampler_kind)i;
    if (*kind != INK_SAMPLER_DPMPP_2M || !algorithm || strcmp(algorithm, "dpmsolver++") == 0) {
      return INK_OK;
    }
    *kind = INK_SAMPLER_DPMPP_2M_SDE;
    if (strcmp(algorithm, "sde-dpmsolver++") == 0) return INK_OK;
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: /algorithm_type \"%s\" is not one that inkstone knows; choose a sampler",
                    name, algorithm);
  }
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%s: /_class_name \"%s\" has no counterpart here; choose a sampler", name,
                  class_);
}

// ---- defaults -----------------------------------------------------------------------------------

static ink_noise_config class_defaults(ink_sampler_kind kind) {
  const ink_sampler_info *info = ink_sampler_about(kind);
  ink_noise_config c = ink_noise_config_default();
  c.steps_offset = 0;
  c.skip_prk = false;
  bool whole = info->grid == INK_GRID_DDIM || info->grid == INK_GRID_PNDM;
  bool distilled = info->grid == INK_GRID_DISTILLED;
  if (!distilled) {
    c.beta_start = 0.0001;
    c.beta_end = 0.02;
    c.betas = INK_BETAS_LINEAR;
  }
  c.spacing = whole || distilled ? INK_SPACING_LEADING : INK_SPACING_LINSPACE;
  c.final_alpha_one = distilled || kind == INK_SAMPLER_DDIM;
  c.clip_sample = kind == INK_SAMPLER_DDIM;
  return c;
}

// ---- members ------------------------------------------------------------------------------------

static ink_status read_levels(const json_t *file, const char *name, ink_noise_config *c,
                              ink_error *error) {
  static const char *const betas[] = {"linear", "scaled_linear", "squaredcos_cap_v2", NULL};
  static const char *const predictions[] = {"epsilon", "v_prediction", "sample", NULL};
  int64_t n_train = c->n_train;
  int choice = (int)c->betas;
  INK_TRY(ink_json_get_int(file, "num_train_timesteps", name, 2, INK_MOST_TRAIN_TIMESTEPS, &n_train,
                           error));
  INK_TRY(ink_json_get_number(file, "beta_start", name, 0, 1, &c->beta_start, error));
  INK_TRY(ink_json_get_number(file, "beta_end", name, 0, 1, &c->beta_end, error));
  INK_TRY(read_choice(file, "beta_schedule", name, betas, &choice, error));
  c->n_train = (int32_t)n_train;
  c->betas = (ink_betas)choice;
  choice = (int)c->prediction;
  INK_TRY(read_choice(file, "prediction_type", name, predictions, &choice, error));
  c->prediction = (ink_prediction)choice;
  return ink_json_get_bool(file, "rescale_betas_zero_snr", name, &c->zero_terminal_snr, error);
}

static ink_status read_steps(const json_t *file, const char *name, ink_noise_config *c,
                             ink_error *error) {
  static const char *const spacings[] = {"leading", "trailing", "linspace", NULL};
  static const char *const finals[] = {"zero", "sigma_min", NULL};
  int spacing = (int)c->spacing, final = c->final_sigma_min;
  int64_t offset = c->steps_offset, original = c->original_steps, order = c->solver_order;
  INK_TRY(read_choice(file, "timestep_spacing", name, spacings, &spacing, error));
  INK_TRY(read_choice(file, "final_sigmas_type", name, finals, &final, error));
  INK_TRY(ink_json_get_int(file, "steps_offset", name, 0, c->n_train - 1, &offset, error));
  INK_TRY(
      ink_json_get_int(file, "original_inference_steps", name, 1, c->n_train, &original, error));
  INK_TRY(ink_json_get_int(file, "solver_order", name, 1, 3, &order, error));
  INK_TRY(ink_json_get_number(file, "timestep_scaling", name, 0, 1e6, &c->timestep_scaling, error));
  INK_TRY(ink_json_get_bool(file, "set_alpha_to_one", name, &c->final_alpha_one, error));
  INK_TRY(ink_json_get_bool(file, "skip_prk_steps", name, &c->skip_prk, error));
  INK_TRY(ink_json_get_bool(file, "clip_sample", name, &c->clip_sample, error));
  INK_TRY(ink_json_get_number(file, "clip_sample_range", name, 0, 1e6, &c->clip_range, error));
  c->spacing = (ink_spacing)spacing;
  c->final_sigma_min = final == 1;
  c->steps_offset = (int32_t)offset;
  c->original_steps = (int32_t)original;
  c->solver_order = (int32_t)order;
  return INK_OK;
}

// Members that would change the picture and that nothing here obeys.
static ink_status refuse_unknown_ways(const json_t *file, const char *name, ink_error *error) {
  static const char *const switches[] = {"thresholding", "use_flow_sigmas", "use_lu_lambdas",
                                         "use_dynamic_shifting", NULL};
  for (int i = 0; switches[i]; i++) {
    bool on = false;
    INK_TRY(ink_json_get_bool(file, switches[i], name, &on, error));
    if (on) {
      return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: /%s is not supported", name, switches[i]);
    }
  }
  const json_t *betas = json_object_get(file, "trained_betas");
  if (betas && !json_is_null(betas)) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: /trained_betas is not supported", name);
  }
  return INK_OK;
}

static ink_status read_curve(const json_t *file, const char *name, ink_curve *curve,
                             ink_error *error) {
  bool karras = false, exponential = false, beta = false;
  INK_TRY(ink_json_get_bool(file, "use_karras_sigmas", name, &karras, error));
  INK_TRY(ink_json_get_bool(file, "use_exponential_sigmas", name, &exponential, error));
  INK_TRY(ink_json_get_bool(file, "use_beta_sigmas", name, &beta, error));
  *curve = karras        ? INK_CURVE_KARRAS
           : exponential ? INK_CURVE_EXPONENTIAL
           : beta        ? INK_CURVE_BETA
                         : INK_CURVE_SPACED;
  return INK_OK;
}

ink_status ink_scheduler_config_read(const json_t *file, const char *name,
                                     const ink_sampler_kind *chosen, ink_scheduler_config *config,
                                     ink_error *error) {
  if (!json_is_object(file)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: not a JSON object", name);
  }
  if (chosen) {
    config->sampler = *chosen;
  } else {
    INK_TRY(sampler_of_class(file, name, &config->sampler, error));
  }
  config->noise = class_defaults(config->sampler);
  INK_TRY(read_levels(file, name, &config->noise, error));
  INK_TRY(read_steps(file, name, &config->noise, error));
  INK_TRY(refuse_unknown_ways(file, name, error));
  return read_curve(file, name, &config->curve, error);
}
