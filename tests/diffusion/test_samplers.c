// Samplers against diffusers and k-diffusion: what the network is asked, and the latent after each
// step, on a network that is a formula.
#include <math.h>

#include "base/json.h"
#include "diffusion/brownian.h"
#include "diffusion/sampler.h"
#include "diffusion/scheduler_config.h"
#include "testing.h"
#include "weights/safetensors.h"

enum { N = 36 };

// The formula of tests/reference/make_samplers.py.
static void answer(const float *x, double t, float *y) {
  double u = t / 1000;
  for (int i = 0; i < N; i++) {
    double v = (double)x[i];
    y[i] = (float)((0.9 - 0.5 * u) * v + (0.2 + 0.1 * u) * sin(1.7 * v + 0.3 * i));
  }
}

// A network that compares what it is asked with what the reference asked.
typedef struct witness {
  const float *inputs, *timesteps;
  int64_t n_expected, n_asked;
  double worst_input, worst_timestep;
} witness;

static double relative_difference(const float *ours, const float *theirs) {
  double most = 0, size = 0;
  for (int i = 0; i < N; i++) {
    most = fmax(most, fabs((double)ours[i] - (double)theirs[i]));
    size = fmax(size, fabs((double)theirs[i]));
  }
  return isnan(most) ? INFINITY : most / size;
}

static ink_status predict(void *context, const float *input, double timestep, float *output,
                          ink_error *error) {
  witness *w = context;
  if (w->n_asked >= w->n_expected) {
    return ink_fail(error, INK_ERR_INTERNAL, "asked more often than the reference was");
  }
  const float *expected = w->inputs + w->n_asked * N;
  w->worst_input = fmax(w->worst_input, relative_difference(input, expected));
  w->worst_timestep = fmax(w->worst_timestep, fabs(timestep - (double)w->timesteps[w->n_asked]));
  w->n_asked++;
  answer(input, timestep, output);
  return INK_OK;
}

typedef struct reference {
  ink_safetensors *tensors;
  json_t *cases;
} reference;

static const ink_stored_tensor *tensor_of(const reference *r, const char *name, const char *what) {
  char full[128];
  snprintf(full, sizeof full, "%s.%s", name, what);
  return ink_safetensors_find(r->tensors, full);
}

static const char *string_of(const json_t *object, const char *key) {
  return json_string_value(json_object_get(object, key));
}

static int open_reference(void **state) {
  static reference r;
  ink_error error = {0};
  assert_ok(
      ink_safetensors_open(fixture_path("diffusion/samplers.safetensors"), &r.tensors, &error));
  assert_ok(ink_json_load(fixture_path("diffusion/samplers.json"), 1 << 20, &r.cases, &error));
  *state = &r;
  return 0;
}

static int close_reference(void **state) {
  reference *r = *state;
  ink_safetensors_close(r->tensors);
  json_decref(r->cases);
  return 0;
}

static ink_schedule *schedule_of(const json_t *item, ink_sampler_kind kind) {
  ink_error error = {0};
  ink_scheduler_config config;
  ink_curve curve;
  assert_true(ink_curve_parse(string_of(item, "curve"), &curve));
  assert_ok(ink_scheduler_config_read(json_object_get(item, "config"), string_of(item, "name"),
                                      &kind, &config, &error));
  ink_schedule *schedule;
  int32_t steps = (int32_t)json_integer_value(json_object_get(item, "steps"));
  assert_ok(ink_schedule_new(&config.noise, ink_sampler_about(kind)->grid, curve, steps, &schedule,
                             &error));
  return schedule;
}

// The latent that the run begins with.
static void begin(const ink_sampler *sampler, int32_t first, const ink_noise_source *noise,
                  float latent[N]) {
  ink_error error = {0};
  assert_ok(noise->draw(noise->context, latent, N, &error));
  if (first == 0) {
    ink_sampler_begin(sampler, latent);
    return;
  }
  float clean[N];
  for (int i = 0; i < N; i++) clean[i] = -1 + 2 * (float)i / (N - 1);
  ink_sampler_add_noise(sampler, first, clean, latent, latent);
}

// The reference computes in single precision: coming down from sigma 4,096, where a zero terminal
// signal-to-noise ratio begins, it keeps some 12 bits fewer than ours.
static double tolerance_of(const json_t *item) {
  const json_t *config = json_object_get(item, "config");
  ink_sampler_kind kind;
  bool exploding = ink_sampler_parse(string_of(item, "sampler"), &kind) &&
                   ink_sampler_about(kind)->variance_exploding;
  return exploding && json_is_true(json_object_get(config, "rescale_betas_zero_snr")) ? 1e-4 : 1e-5;
}

// The first noise from a generator, that of steps from a Brownian motion.
typedef struct sde_noise {
  ink_noise_source noise;
  ink_brownian motion;
} sde_noise;

static ink_status draw_first(void *context, float *out, size_t n, ink_error *error) {
  const sde_noise *s = context;
  return s->noise.draw(s->noise.context, out, n, error);
}

static ink_status draw_between(void *context, double from, double to, float *out, size_t n,
                               ink_error *error) {
  const sde_noise *s = context;
  return ink_brownian_step(&s->motion, from, to, out, n, error);
}

static ink_brownian motion_of(const json_t *item, const ink_schedule *schedule) {
  return (ink_brownian){.kind = INK_NOISE_CPU,
                        .seed = (uint64_t)json_integer_value(json_object_get(item, "seed")),
                        .low = schedule->sigmas[schedule->n_steps - 1],
                        .high = schedule->sigmas[0]};
}

// Run one case; returns the largest relative difference of latents.
static double run_case(const reference *r, const json_t *item) {
  const char *name = string_of(item, "name");
  ink_error error = {0};
  ink_sampler_kind kind;
  assert_true(ink_sampler_parse(string_of(item, "sampler"), &kind));
  ink_schedule *schedule = schedule_of(item, kind);
  const json_t *eta = json_object_get(item, "eta");
  ink_sampler *sampler;
  assert_ok(
      ink_sampler_new(kind, schedule, N, eta ? json_number_value(eta) : NAN, &sampler, &error));
  int32_t first = (int32_t)json_integer_value(json_object_get(item, "first"));
  assert_ok(ink_sampler_start(sampler, first, &error));

  const ink_stored_tensor *inputs = tensor_of(r, name, "inputs");
  const ink_stored_tensor *latents = tensor_of(r, name, "latents");
  const ink_stored_tensor *timesteps = tensor_of(r, name, "timesteps");
  witness w = {.inputs = (const void *)inputs->data,
               .timesteps = (const void *)timesteps->data,
               .n_expected = inputs->shape[0]};
  ink_denoiser denoiser = {predict, &w};
  ink_noise generator;
  ink_noise_start(&generator, INK_NOISE_CPU,
                  (uint64_t)json_integer_value(json_object_get(item, "seed")), 0);
  ink_noise_source noise = ink_noise_source_of(&generator);
  sde_noise sde = {.noise = noise, .motion = motion_of(item, schedule)};
  if (json_is_true(json_object_get(item, "brownian"))) {
    assert_true(ink_sampler_is_sde(sampler));
    noise = (ink_noise_source){.draw = draw_first, .context = &sde, .between = draw_between};
  }

  float latent[N];
  begin(sampler, first, &noise, latent);
  const float *expected = (const void *)latents->data;
  double worst = relative_difference(latent, expected);
  int64_t step = 1;
  for (; ink_sampler_done(sampler) < schedule->n_steps; step++) {
    assert_true(step < latents->shape[0]);
    assert_ok(ink_sampler_step(sampler, latent, &denoiser, &noise, &error));
    worst = fmax(worst, relative_difference(latent, expected + step * N));
  }
  print_message("# %-22s latents %.1e inputs %.1e timesteps %.1e\n", name, worst, w.worst_input,
                w.worst_timestep);
  if (step != latents->shape[0]) fail_msg("%s: %d steps", name, (int)step);
  if (w.n_asked != w.n_expected) fail_msg("%s: asked %d times", name, (int)w.n_asked);
  if (!(w.worst_timestep < 2e-3)) fail_msg("%s: timestep off by %g", name, w.worst_timestep);
  if (!(w.worst_input <= tolerance_of(item))) fail_msg("%s: input off by %g", name, w.worst_input);
  const ink_stored_tensor *sigmas = tensor_of(r, name, "sigmas");
  for (int64_t i = 0; sigmas && i < sigmas->shape[0]; i++) {
    double theirs = (double)((const float *)(const void *)sigmas->data)[i];
    if (!(fabs(schedule->sigmas[i] - theirs) <= 2e-6 * theirs)) {
      fail_msg("%s: sigma %d is %.9g, not %.9g", name, (int)i, schedule->sigmas[i], theirs);
    }
  }
  ink_sampler_free(sampler);
  ink_schedule_free(schedule);
  return worst;
}

static void every_step_equals_the_reference(void **state) {
  const reference *r = *state;
  bool seen[INK_SAMPLER_COUNT] = {false};
  size_t i;
  json_t *item;
  json_array_foreach(r->cases, i, item) {
    double worst = run_case(r, item);
    if (!(worst <= tolerance_of(item)))
      fail_msg("%s: latents off by %g", string_of(item, "name"), worst);
    ink_sampler_kind kind;
    assert_true(ink_sampler_parse(string_of(item, "sampler"), &kind));
    seen[kind] = true;
  }
  for (int k = 0; k < INK_SAMPLER_COUNT; k++) assert_true(seen[k]);
}

// ---- manners ------------------------------------------------------------------------------------

static ink_status plain(void *context, const float *input, double timestep, float *output,
                        ink_error *error) {
  (void)error;
  ++*(int *)context;
  answer(input, timestep, output);
  return INK_OK;
}

static ink_sampler *make(ink_sampler_kind kind, ink_curve curve, int32_t steps,
                         ink_schedule **schedule) {
  ink_error error = {0};
  ink_noise_config config = ink_noise_config_default();
  ink_sampler *sampler;
  assert_ok(
      ink_schedule_new(&config, ink_sampler_about(kind)->grid, curve, steps, schedule, &error));
  assert_ok(ink_sampler_new(kind, *schedule, N, NAN, &sampler, &error));
  return sampler;
}

static void run_to_the_end(ink_sampler *sampler, const ink_schedule *schedule, float latent[N]) {
  ink_error error = {0};
  int calls = 0;
  ink_denoiser denoiser = {plain, &calls};
  ink_noise generator;
  ink_noise_start(&generator, INK_NOISE_OWN, 1, 0);
  ink_noise_source noise = ink_noise_source_of(&generator);
  assert_ok(ink_sampler_start(sampler, 0, &error));
  begin(sampler, 0, &noise, latent);
  while (ink_sampler_done(sampler) < schedule->n_steps) {
    assert_ok(ink_sampler_step(sampler, latent, &denoiser, &noise, &error));
  }
}

static void a_sampler_started_anew_repeats_itself(void **state) {
  (void)state;
  for (int kind = 0; kind < INK_SAMPLER_COUNT; kind++) {
    ink_schedule *schedule;
    ink_sampler *sampler = make((ink_sampler_kind)kind, INK_CURVE_SPACED, 6, &schedule);
    float one[N], two[N];
    run_to_the_end(sampler, schedule, one);
    run_to_the_end(sampler, schedule, two);
    assert_memory_equal(one, two, sizeof one);
    ink_error error = {0};
    assert_int_equal(ink_sampler_step(sampler, one, NULL, NULL, &error), INK_ERR_USAGE);
    ink_sampler_free(sampler);
    ink_schedule_free(schedule);
  }
}

static void every_curve_ends_in_finite_numbers(void **state) {
  (void)state;
  for (int kind = 0; kind < INK_SAMPLER_COUNT; kind++) {
    ink_grid grid = ink_sampler_about((ink_sampler_kind)kind)->grid;
    for (int curve = 0; curve < INK_CURVE_COUNT; curve++) {
      bool spaced_only =
          grid == INK_GRID_DDIM || grid == INK_GRID_PNDM || grid == INK_GRID_DISTILLED;
      if (spaced_only && curve != INK_CURVE_SPACED) continue;
      for (int32_t steps = 1; steps <= 40; steps += 13) {
        ink_schedule *schedule;
        ink_sampler *sampler = make((ink_sampler_kind)kind, (ink_curve)curve, steps, &schedule);
        for (int32_t i = 0; i < steps && !spaced_only; i++) {
          assert_true(schedule->sigmas[i] > schedule->sigmas[i + 1]);
        }
        float latent[N];
        run_to_the_end(sampler, schedule, latent);
        for (int i = 0; i < N; i++) assert_true(isfinite(latent[i]));
        ink_sampler_free(sampler);
        ink_schedule_free(schedule);
      }
    }
  }
}

// A run of DPM++ 2M by itself: the latent before its last step and behind it.
static void last_step(int32_t steps, ink_schedule **schedule, float before[N], float after[N]) {
  ink_error error = {0};
  ink_noise_config config = ink_noise_config_default();
  ink_sampler *sampler;
  int calls = 0;
  ink_denoiser denoiser = {plain, &calls};
  config.final_sigma_min = true;
  assert_ok(ink_schedule_new(&config, INK_GRID_DPM, INK_CURVE_SPACED, steps, schedule, &error));
  assert_ok(ink_sampler_new(INK_SAMPLER_DPMPP_2M, *schedule, N, NAN, &sampler, &error));
  assert_ok(ink_sampler_start(sampler, 0, &error));
  for (int i = 0; i < N; i++) after[i] = (float)sin(i);
  while (ink_sampler_done(sampler) < steps) {
    memcpy(before, after, N * sizeof *before);
    assert_ok(ink_sampler_step(sampler, after, &denoiser, NULL, &error));
  }
  ink_sampler_free(sampler);
}

// As diffusers has it (lower_order_final): below 15 steps the last one looks not back.
static void the_last_of_few_steps_is_of_first_order(void **state) {
  (void)state;
  for (int32_t steps = 14; steps <= 15; steps++) {
    ink_schedule *schedule;
    float before[N], after[N], said[N];
    last_step(steps, &schedule, before, after);
    double from = schedule->sigmas[steps - 1], to = schedule->sigmas[steps];
    double alpha = 1 / sqrt(1 + from * from), alpha_to = 1 / sqrt(1 + to * to), worst = 0;
    answer(before, schedule->timesteps[steps - 1], said);
    for (int i = 0; i < N; i++) {
      double signal = ((double)before[i] - from * alpha * (double)said[i]) / alpha;
      double first =
          to * alpha_to / (from * alpha) * (double)before[i] + alpha_to * (1 - to / from) * signal;
      worst = fmax(worst, fabs(first - (double)after[i]));
    }
    print_message("# %d steps: the last is off first order by %.1e\n", (int)steps, worst);
    assert_true(steps < 15 ? worst < 1e-5 : worst > 1e-4);
    ink_schedule_free(schedule);
  }
}

// Without noise DPM++ 2M SDE is DPM++ 2M.
static void a_stochastic_sampler_without_noise_is_none(void **state) {
  (void)state;
  ink_error error = {0};
  ink_schedule *schedule;
  ink_sampler *plain_one = make(INK_SAMPLER_DPMPP_2M, INK_CURVE_SPACED, 6, &schedule), *quiet;
  assert_ok(ink_sampler_new(INK_SAMPLER_DPMPP_2M_SDE, schedule, N, 0, &quiet, &error));
  float one[N], two[N];
  run_to_the_end(plain_one, schedule, one);
  run_to_the_end(quiet, schedule, two);
  for (int i = 0; i < N; i++) assert_true(fabsf(one[i] - two[i]) < 1e-5F);
  ink_sampler_free(plain_one);
  ink_sampler_free(quiet);
  ink_schedule_free(schedule);
}

// Runge-Kutta's four evaluations begin at the first step.
static void pndm_begins_in_the_middle_without_runge_kutta_alone(void **state) {
  (void)state;
  for (int skip = 0; skip < 2; skip++) {
    ink_error error = {0};
    ink_noise_config config = ink_noise_config_default();
    ink_schedule *schedule;
    ink_sampler *sampler;
    config.skip_prk = skip;
    assert_ok(ink_schedule_new(&config, INK_GRID_PNDM, INK_CURVE_SPACED, 20, &schedule, &error));
    assert_ok(ink_sampler_new(INK_SAMPLER_PNDM, schedule, N, NAN, &sampler, &error));
    assert_ok(ink_sampler_start(sampler, 0, &error));
    assert_int_equal(ink_sampler_start(sampler, 5, &error), skip ? INK_OK : INK_ERR_UNSUPPORTED);
    ink_sampler_free(sampler);
    ink_schedule_free(schedule);
  }
}

static void a_stochastic_sampler_asks_for_a_source(void **state) {
  (void)state;
  ink_schedule *schedule;
  ink_sampler *sampler = make(INK_SAMPLER_EULER_ANCESTRAL, INK_CURVE_SPACED, 4, &schedule);
  ink_error error = {0};
  int calls = 0;
  ink_denoiser denoiser = {plain, &calls};
  float latent[N] = {0};
  assert_int_equal(ink_sampler_step(sampler, latent, &denoiser, NULL, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "Euler a"));
  ink_sampler_free(sampler);
  ink_schedule_free(schedule);
}

static ink_status failing(void *context, const float *input, double timestep, float *output,
                          ink_error *error) {
  (void)context, (void)input, (void)timestep, (void)output;
  return ink_fail(error, INK_ERR_CANCELLED, "stopped");
}

static void a_failing_network_stops_the_run(void **state) {
  (void)state;
  for (int kind = 0; kind < INK_SAMPLER_COUNT; kind++) {
    ink_schedule *schedule;
    ink_sampler *sampler = make((ink_sampler_kind)kind, INK_CURVE_SPACED, 4, &schedule);
    ink_error error = {0};
    ink_denoiser denoiser = {failing, NULL};
    float latent[N] = {0};
    assert_int_equal(ink_sampler_step(sampler, latent, &denoiser, NULL, &error), INK_ERR_CANCELLED);
    assert_int_equal(ink_sampler_done(sampler), 0);
    ink_sampler_free(sampler);
    ink_schedule_free(schedule);
  }
}

static void names_and_labels_find_their_sampler(void **state) {
  (void)state;
  ink_sampler_kind kind;
  for (int i = 0; i < INK_SAMPLER_COUNT; i++) {
    assert_true(ink_sampler_parse(ink_sampler_about((ink_sampler_kind)i)->name, &kind));
    assert_int_equal(kind, i);
    assert_true(ink_sampler_parse(ink_sampler_about((ink_sampler_kind)i)->label, &kind));
    assert_int_equal(kind, i);
  }
  assert_true(ink_sampler_parse("dpm++ 2M", &kind));
  assert_false(ink_sampler_parse("euler b", &kind));
}

static void names_of_a1111_and_comfyui_find_sampler_and_schedule(void **state) {
  (void)state;
  static const struct {
    const char *name;
    ink_sampler_kind kind;
    int curve;  // -1: the name says none
  } known[] = {{"euler_ancestral", INK_SAMPLER_EULER_ANCESTRAL, -1},
               {"dpm_2", INK_SAMPLER_DPM2, -1},
               {"dpmpp_2m", INK_SAMPLER_DPMPP_2M, -1},
               {"dpmpp_2s_ancestral", INK_SAMPLER_DPMPP_2S_ANCESTRAL, -1},
               {"dpmpp_3m_sde", INK_SAMPLER_DPMPP_3M_SDE, -1},
               {"uni_pc", INK_SAMPLER_UNIPC, -1},
               {"DPM++ 2M Karras", INK_SAMPLER_DPMPP_2M, INK_CURVE_KARRAS},
               {"DPM++ 2M SDE Exponential", INK_SAMPLER_DPMPP_2M_SDE, INK_CURVE_EXPONENTIAL},
               {"Euler SGM Uniform", INK_SAMPLER_EULER, INK_CURVE_SGM_UNIFORM}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    ink_sampler_kind kind;
    ink_curve curve = INK_CURVE_COUNT;
    bool has_curve;
    if (!ink_sampler_parse_scheduled(known[i].name, &kind, &curve, &has_curve)) {
      fail_msg("%s", known[i].name);
    }
    assert_int_equal(kind, known[i].kind);
    assert_int_equal(has_curve, known[i].curve >= 0);
    if (has_curve) assert_int_equal(curve, known[i].curve);
  }
  // Not the same method as one that is here.
  static const char *const unknown[] = {"DPM2 a", "dpm_2_ancestral", "DPM++ 2M Magic", "", "+"};
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
    ink_sampler_kind kind;
    ink_curve curve;
    bool has_curve;
    assert_false(ink_sampler_parse_scheduled(unknown[i], &kind, &curve, &has_curve));
  }
  static const struct {
    const char *name;
    ink_curve curve;
  } curves[] = {{"Automatic", INK_CURVE_SPACED},           {"normal", INK_CURVE_SPACED},
                {"sgm_uniform", INK_CURVE_SGM_UNIFORM},    {"Align Your Steps", INK_CURVE_AYS},
                {"Align Your Steps XL", INK_CURVE_AYS_XL}, {"KARRAS", INK_CURVE_KARRAS}};
  for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
    ink_curve curve;
    assert_true(ink_curve_parse(curves[i].name, &curve));
    assert_int_equal(curve, curves[i].curve);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_step_equals_the_reference, open_reference,
                                      close_reference),
      cmocka_unit_test(a_sampler_started_anew_repeats_itself),
      cmocka_unit_test(every_curve_ends_in_finite_numbers),
      cmocka_unit_test(the_last_of_few_steps_is_of_first_order),
      cmocka_unit_test(a_stochastic_sampler_without_noise_is_none),
      cmocka_unit_test(pndm_begins_in_the_middle_without_runge_kutta_alone),
      cmocka_unit_test(a_stochastic_sampler_asks_for_a_source),
      cmocka_unit_test(a_failing_network_stops_the_run),
      cmocka_unit_test(names_and_labels_find_their_sampler),
      cmocka_unit_test(names_of_a1111_and_comfyui_find_sampler_and_schedule),
  };
  return cmocka_run_group_tests_name("samplers", tests, NULL, NULL);
}
