// Painting turned back: the noise that a picture was painted from is met again.
#include <math.h>

#include "base/random.h"
#include "diffusion/inversion.h"
#include "painting_testing.h"

// ---- against DDIM itself ------------------------------------------------------------------------

// A network that knows its data: independent normals of this mean and deviation.
typedef struct oracle {
  const ink_schedule *schedule;
  double mean, deviation;
  size_t n;
} oracle;

static ink_status predict(void *context, const float *x, double timestep, float *out,
                          ink_error *error) {
  (void)error;
  const oracle *o = context;
  double alpha = ink_schedule_alpha_cumprod(o->schedule, (int64_t)timestep);
  double a = sqrt(alpha), s = sqrt(1 - alpha), d2 = o->deviation * o->deviation;
  for (size_t i = 0; i < o->n; i++) {
    double clean = o->mean + d2 * a * ((double)x[i] - a * o->mean) / (d2 * a * a + s * s);
    double eps = ((double)x[i] - a * clean) / s;
    switch (o->schedule->config.prediction) {
      case INK_PREDICTS_V:
        out[i] = (float)(a * eps - s * clean);
        break;
      case INK_PREDICTS_SAMPLE:
        out[i] = (float)clean;
        break;
      case INK_PREDICTS_EPSILON:
      default:
        out[i] = (float)eps;
        break;
    }
  }
  return INK_OK;
}

static double correlation(const float *a, const float *b, size_t n) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < n; i++) {
    ab += (double)a[i] * (double)b[i];
    aa += (double)a[i] * (double)a[i];
    bb += (double)b[i] * (double)b[i];
  }
  return ab / sqrt(aa * bb);
}

static void ddim_is_turned_back_whatever_is_predicted(void **state) {
  (void)state;
  ink_error error = {0};
  enum { N = 512, STEPS = 20 };
  for (int i = 0; i < 12; i++) {
    ink_noise_config config = ink_noise_config_default();
    config.prediction = (ink_prediction)(i % 3);
    config.zero_terminal_snr = i / 3 % 2;
    config.final_alpha_one = i / 6;
    if (config.zero_terminal_snr) config.spacing = INK_SPACING_TRAILING;
    // Refused: pure noise says nothing of itself.
    if (config.zero_terminal_snr && config.prediction == INK_PREDICTS_EPSILON) continue;
    ink_schedule *schedule;
    ink_sampler *sampler;
    assert_ok(ink_schedule_new(&config, INK_GRID_DDIM, INK_CURVE_SPACED, STEPS, &schedule, &error));
    assert_ok(ink_sampler_new(INK_SAMPLER_DDIM, schedule, N, 0, &sampler, &error));
    oracle o = {schedule, 0.4, 0.7, N};
    ink_denoiser denoiser = {predict, &o};
    float noise[N], latent[N], clean[N];
    ink_random random = ink_random_at((uint64_t)i, 0, 0);
    for (int k = 0; k < N; k++) noise[k] = latent[k] = (float)ink_random_normal(&random);
    ink_sampler_begin(sampler, latent);
    assert_ok(ink_sampler_start(sampler, 0, &error));
    for (int k = 0; k < STEPS; k++) {
      assert_ok(ink_sampler_step(sampler, latent, &denoiser, NULL, &error));
    }
    memcpy(clean, latent, sizeof clean);
    assert_ok(ink_ddim_invert(schedule, N, 0, &denoiser, NULL, latent, &error));
    double plain = correlation(latent, noise, N);
    int wrong = 0;
    for (int k = 0; k < N; k++) wrong += (latent[k] > 0) != (noise[k] > 0);
    assert_ok(ink_ddim_invert(schedule, N, 40, &denoiser, NULL, clean, &error));
    double most = 0;
    for (int k = 0; k < N; k++) most = fmax(most, fabs((double)clean[k] - (double)noise[k]));
    print_message(
        "# predicts %d, zero snr %d, final %d: correlation %.4f, %d signs, corrected %.1e\n",
        (int)config.prediction, (int)config.zero_terminal_snr, (int)config.final_alpha_one, plain,
        wrong, most);
    assert_true(plain > 0.97 && wrong < N / 10);
    assert_true(most < 1e-2);
    ink_sampler_free(sampler);
    ink_schedule_free(schedule);
  }
}

// ---- under models -------------------------------------------------------------------------------

typedef struct kept {
  float values[4096];
  size_t n;
} kept;

// A shaper that only looks.
static ink_status look(void *context, int32_t channels, int32_t height, int32_t width, float *noise,
                       ink_error *error) {
  (void)error;
  kept *k = context;
  k->n = (size_t)(channels * height * width);
  assert_true(k->n <= sizeof k->values / sizeof *k->values);
  memcpy(k->values, noise, k->n * sizeof *noise);
  return INK_OK;
}

static void latents_of_tiny_models_lead_back_to_their_noise(void **state) {
  (void)state;
  ink_error error = {0};
  static const char *const names[] = {"sd1", "xl"};
  static kept k;
  for (int i = 0; i < 2; i++) {
    ink_pipeline *p = open_pipeline(names[i], NULL);
    // Euler's steps are DDIM's; diffusers' DDIM would confine these models' latents to [-1, 1].
    ink_sampler_kind euler = INK_SAMPLER_EULER;
    ink_noise_shaper shaper = {look, &k};
    ink_paint_request request = ink_paint_request_default();
    request.seed = 3;
    request.width = 48;
    request.height = 32;
    request.guidance_scale = 1;
    request.sampler = &euler;
    request.first_noise = &shaper;
    request.keep_values = true;
    ink_painting painting;
    assert_ok(ink_pipeline_paint(p, &request, &painting, &error));
    ink_inversion_options options = ink_inversion_options_default();
    options.width = 48;
    options.height = 32;
    options.steps = request.steps;
    double before = correlation(painting.latent, k.values, k.n);
    for (int corrections = 0; corrections < 3; corrections += 2) {
      options.corrections = corrections;
      ink_inversion inversion;
      assert_ok(ink_pipeline_invert_latent(p, painting.latent, &options, &inversion, &error));
      assert_int_equal((size_t)inversion.channels * (size_t)(inversion.height * inversion.width),
                       k.n);
      size_t right = 0;
      for (size_t j = 0; j < k.n; j++) right += (inversion.noise[j] > 0) == (k.values[j] > 0);
      double after = correlation(inversion.noise, k.values, k.n);
      print_message("# %s, %d corrections: correlation %.4f (latent %.4f), %zu of %zu signs\n",
                    names[i], corrections, after, before, right, k.n);
      assert_true(after > 0.95 && right * 10 > k.n * 9);
      ink_inversion_free(&inversion);
    }
    ink_painting_free(&painting);
    ink_pipeline_free(p);
  }
}

static bool stop_at_three(void *context, int64_t done, int64_t total, const char *words) {
  (void)context, (void)total, (void)words;
  return done < 3;
}

static void pictures_of_any_shape_are_brought_to_the_model(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_inversion_options options = ink_inversion_options_default();
  options.steps = 4;
  for (int channels = 1; channels <= 4; channels++) {
    ink_picture picture;
    ink_inversion inversion;
    assert_ok(ink_picture_new(37, 21, channels, &picture, &error));
    for (size_t i = 0; i < ink_picture_bytes(&picture); i++) picture.pixels[i] = (uint8_t)(i * 7);
    assert_ok(ink_pipeline_invert(p, &picture, &options, &inversion, &error));
    assert_int_equal(inversion.channels, 4);
    assert_int_equal(inversion.height, 8);
    assert_int_equal(inversion.width, 8);
    ink_inversion_free(&inversion);
    ink_progress progress = {stop_at_three, NULL};
    options.progress = &progress;
    assert_int_equal(ink_pipeline_invert(p, &picture, &options, &inversion, &error),
                     INK_ERR_CANCELLED);
    options.progress = NULL;
    assert_null(inversion.noise);
    ink_picture_free(&picture);
  }
  ink_pipeline_free(p);
}

static void models_that_paint_from_more_are_refused(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("inpaint", NULL);
  ink_inversion_options options = ink_inversion_options_default();
  ink_picture picture;
  ink_inversion inversion;
  assert_ok(ink_picture_new(16, 16, 3, &picture, &error));
  memset(picture.pixels, 9, ink_picture_bytes(&picture));
  assert_int_equal(ink_pipeline_invert(p, &picture, &options, &inversion, &error),
                   INK_ERR_UNSUPPORTED);
  ink_pipeline_free(p);
  p = open_pipeline("sd1", NULL);
  options.steps = 0;
  assert_int_equal(ink_pipeline_invert(p, &picture, &options, &inversion, &error), INK_ERR_USAGE);
  options.steps = 4;
  options.corrections = -1;
  assert_int_equal(ink_pipeline_invert(p, &picture, &options, &inversion, &error), INK_ERR_USAGE);
  options.corrections = 0;
  options.width = 17;
  assert_int_equal(ink_pipeline_invert(p, &picture, &options, &inversion, &error), INK_ERR_USAGE);
  ink_picture_free(&picture);
  ink_pipeline_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ddim_is_turned_back_whatever_is_predicted),
      cmocka_unit_test(latents_of_tiny_models_lead_back_to_their_noise),
      cmocka_unit_test(pictures_of_any_shape_are_brought_to_the_model),
      cmocka_unit_test(models_that_paint_from_more_are_refused),
  };
  return cmocka_run_group_tests_name("inversion", tests, NULL, NULL);
}
