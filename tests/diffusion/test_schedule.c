// Training noise against diffusers, the beta distribution against SciPy, and refusals.
#include <math.h>

#include "diffusion/beta_distribution.h"
#include "diffusion/scheduler_config.h"
#include "testing.h"
#include "weights/safetensors.h"

static void alphas_cumprod_equal_diffusers(void **state) {
  (void)state;
  ink_error error = {0};
  ink_safetensors *file;
  assert_ok(ink_safetensors_open(fixture_path("diffusion/schedules.safetensors"), &file, &error));
  static const char *const names[] = {"linear", "scaled_linear", "squaredcos_cap_v2"};
  for (int betas = 0; betas < 3; betas++) {
    for (int zero = 0; zero < 2; zero++) {
      ink_noise_config config = ink_noise_config_default();
      config.betas = (ink_betas)betas;
      config.zero_terminal_snr = zero;
      ink_schedule *s;
      assert_ok(ink_schedule_new(&config, INK_GRID_CONTINUOUS, INK_CURVE_SPACED, 10, &s, &error));
      char name[64];
      snprintf(name, sizeof name, "%s%s.alphas_cumprod", names[betas], zero ? ".zero" : "");
      const float *theirs = (const void *)ink_safetensors_find(file, name)->data;
      for (int i = 0; i < 1000; i++) {
        double difference = fabs((double)s->alphas_cumprod[i] - (double)theirs[i]);
        // An ulp; a few where the products are taken apart and put together again.
        if (!(difference <= (zero ? 5e-7 : 1.2e-7))) {
          fail_msg("%s[%d] is %.9g, not %.9g", name, i, (double)s->alphas_cumprod[i],
                   (double)theirs[i]);
        }
      }
      // Beyond either end there is what lies there.
      assert_true(ink_schedule_alpha_cumprod(s, 1000) == (double)s->alphas_cumprod[999]);
      assert_true(ink_schedule_alpha_cumprod(s, INT64_MAX) == (double)s->alphas_cumprod[999]);
      assert_true(ink_schedule_alpha_cumprod(s, -1) ==
                  (config.final_alpha_one ? 1 : (double)s->alphas_cumprod[0]));
      ink_schedule_free(s);
    }
  }
  ink_safetensors_close(file);
}

static void beta_quantiles_equal_scipy(void **state) {
  (void)state;
  ink_error error = {0};
  ink_safetensors *file;
  assert_ok(ink_safetensors_open(fixture_path("diffusion/schedules.safetensors"), &file, &error));
  const float *table = (const void *)ink_safetensors_find(file, "beta.quantiles")->data;
  for (int i = 0; i < 41; i++) {
    double ours = ink_beta_distribution_quantile(i / 40.0, 0.6, 0.6);
    assert_true(fabs(ours - (double)table[41 + i]) <= 1e-7);
  }
  ink_safetensors_close(file);
}

static void timestep_of_a_level_is_its_own(void **state) {
  (void)state;
  ink_error error = {0};
  ink_noise_config config = ink_noise_config_default();
  ink_schedule *s;
  assert_ok(ink_schedule_new(&config, INK_GRID_CONTINUOUS, INK_CURVE_SPACED, 10, &s, &error));
  for (int t = 0; t < 1000; t += 37) {
    double found = ink_schedule_timestep_of(s, (double)s->train_sigmas[t]);
    assert_true(fabs(found - t) < 1e-3);
  }
  assert_true(ink_schedule_timestep_of(s, 0) == 0);
  assert_true(ink_schedule_timestep_of(s, 1e9) == 999);
  ink_schedule_free(s);
}

static void refuse(ink_noise_config config, ink_grid grid, ink_curve curve, int32_t steps,
                   const char *word) {
  ink_error error = {0};
  ink_schedule *s;
  assert_int_equal(ink_schedule_new(&config, grid, curve, steps, &s, &error), INK_ERR_USAGE);
  assert_null(s);
  if (!strstr(error.text, word)) fail_msg("\"%s\" does not say %s", error.text, word);
}

static void what_cannot_be_laid_out_is_refused(void **state) {
  (void)state;
  ink_noise_config fine = ink_noise_config_default(), bad = fine;
  refuse(fine, INK_GRID_CONTINUOUS, INK_CURVE_SPACED, 0, "steps");
  refuse(fine, INK_GRID_CONTINUOUS, INK_CURVE_SPACED, 1001, "steps");
  refuse(fine, INK_GRID_DDIM, INK_CURVE_KARRAS, 10, "karras");
  refuse(fine, INK_GRID_DDIM, INK_CURVE_SPACED, 1000, "offset");
  refuse(fine, INK_GRID_DISTILLED, INK_CURVE_SPACED, 51, "distilled");
  bad.n_train = 1;
  refuse(bad, INK_GRID_DDIM, INK_CURVE_SPACED, 1, "timesteps");
  bad = fine;
  bad.n_train = INT32_MAX;
  refuse(bad, INK_GRID_DDIM, INK_CURVE_SPACED, 1, "timesteps");
  bad = fine;
  bad.beta_end = (double)NAN;
  refuse(bad, INK_GRID_DDIM, INK_CURVE_SPACED, 1, "betas");
  bad = fine;
  bad.zero_terminal_snr = true;
  refuse(bad, INK_GRID_DDIM, INK_CURVE_SPACED, 4, "signal-to-noise");
  bad = fine;
  bad.skip_prk = false;
  refuse(bad, INK_GRID_PNDM, INK_CURVE_SPACED, 3, "4 steps");
  bad = fine;
  bad.solver_order = 4;
  refuse(bad, INK_GRID_DPM, INK_CURVE_SPACED, 4, "order");
}

static void trailing_is_the_spacing_of_that_name(void **state) {
  (void)state;
  static const ink_grid grids[] = {INK_GRID_CONTINUOUS, INK_GRID_DPM, INK_GRID_DDIM};
  for (int i = 0; i < 3; i++) {
    ink_error error = {0};
    ink_noise_config config = ink_noise_config_default();
    ink_schedule *asked, *meant;
    assert_ok(ink_schedule_new(&config, grids[i], INK_CURVE_TRAILING, 4, &asked, &error));
    config.spacing = INK_SPACING_TRAILING;
    assert_ok(ink_schedule_new(&config, grids[i], INK_CURVE_SPACED, 4, &meant, &error));
    assert_true(asked->timesteps[0] == 999);
    assert_memory_equal(asked->timesteps, meant->timesteps, 4 * sizeof *meant->timesteps);
    assert_memory_equal(asked->sigmas, meant->sigmas, 5 * sizeof *meant->sigmas);
    ink_schedule_free(asked);
    ink_schedule_free(meant);
  }
}

static ink_status read(const char *text, ink_scheduler_config *config, ink_error *error) {
  json_t *json = json_loads(text, 0, NULL);
  assert_non_null(json);
  ink_status status = ink_scheduler_config_read(json, "scheduler_config.json", NULL, config, error);
  json_decref(json);
  return status;
}

static void scheduler_config_names_sampler_and_noise(void **state) {
  (void)state;
  ink_error error = {0};
  ink_scheduler_config c;
  assert_ok(
      read("{\"_class_name\": \"PNDMScheduler\", \"beta_start\": 0.00085, \"beta_end\": 0.012,"
           "\"beta_schedule\": \"scaled_linear\", \"skip_prk_steps\": true,"
           "\"steps_offset\": 1, \"set_alpha_to_one\": false, \"trained_betas\": null}",
           &c, &error));
  assert_int_equal(c.sampler, INK_SAMPLER_PNDM);
  assert_int_equal(c.noise.betas, INK_BETAS_SCALED_LINEAR);
  assert_int_equal(c.noise.steps_offset, 1);
  assert_true(c.noise.skip_prk && !c.noise.final_alpha_one && !c.noise.clip_sample);
  assert_ok(
      read("{\"_class_name\": \"DPMSolverMultistepScheduler\", \"use_karras_sigmas\": true,"
           "\"algorithm_type\": \"sde-dpmsolver++\", \"prediction_type\": \"v_prediction\"}",
           &c, &error));
  assert_int_equal(c.sampler, INK_SAMPLER_DPMPP_2M_SDE);
  assert_int_equal(c.curve, INK_CURVE_KARRAS);
  assert_int_equal(c.noise.prediction, INK_PREDICTS_V);
  assert_int_equal(c.noise.spacing, INK_SPACING_LINSPACE);
}

static void scheduler_config_that_is_not_understood_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *text, *word;
    ink_status status;
  } bad[] = {
      {"{}", "_class_name", INK_ERR_FORMAT},
      {"[]", "object", INK_ERR_FORMAT},
      {"{\"_class_name\": \"VQDiffusionScheduler\"}", "VQDiffusion", INK_ERR_UNSUPPORTED},
      {"{\"_class_name\": \"DDIMScheduler\", \"thresholding\": true}", "thresholding",
       INK_ERR_UNSUPPORTED},
      {"{\"_class_name\": \"DDIMScheduler\", \"trained_betas\": [0.1]}", "trained_betas",
       INK_ERR_UNSUPPORTED},
      {"{\"_class_name\": \"DDIMScheduler\", \"beta_schedule\": \"wild\"}", "wild",
       INK_ERR_UNSUPPORTED},
      {"{\"_class_name\": \"DDIMScheduler\", \"num_train_timesteps\": 1e9}", "num_train",
       INK_ERR_FORMAT},
      {"{\"_class_name\": \"DDIMScheduler\", \"num_train_timesteps\": 100000000}", "num_train",
       INK_ERR_FORMAT},
      {"{\"_class_name\": \"DPMSolverMultistepScheduler\", \"algorithm_type\": \"dpmsolver\"}",
       "algorithm_type", INK_ERR_UNSUPPORTED},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ink_error error = {0};
    ink_scheduler_config c;
    assert_int_equal(read(bad[i].text, &c, &error), bad[i].status);
    if (!strstr(error.text, bad[i].word)) fail_msg("\"%s\"", error.text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(alphas_cumprod_equal_diffusers),
      cmocka_unit_test(beta_quantiles_equal_scipy),
      cmocka_unit_test(timestep_of_a_level_is_its_own),
      cmocka_unit_test(what_cannot_be_laid_out_is_refused),
      cmocka_unit_test(trailing_is_the_spacing_of_that_name),
      cmocka_unit_test(scheduler_config_names_sampler_and_noise),
      cmocka_unit_test(scheduler_config_that_is_not_understood_is_refused),
  };
  return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
