// Whole pictures against diffusers' pipelines, and how a painting behaves.
#include "diffusion/extend.h"
#include "diffusion/hires.h"
#include "painting_testing.h"

// ---- parity -------------------------------------------------------------------------------------

static double paint_case(const json_t *item, const ink_stored_tensor *expected) {
  ink_sampler_kind sampler;
  ink_picture init = load_picture("pipelines/init.png"), mask = load_picture("pipelines/mask.png");
  ink_paint_request request = request_of(item, &sampler);
  if (json_is_true(json_object_get(item, "image"))) request.init = &init;
  if (json_is_true(json_object_get(item, "mask"))) request.mask = &mask;
  ink_pipeline *pipeline = open_pipeline(text_of(item, "model"), NULL);
  double most = difference_to(pipeline, &request, expected);
  ink_pipeline_free(pipeline);
  ink_picture_free(&init);
  ink_picture_free(&mask);
  return most;
}

static void pictures_equal_those_of_diffusers(void **state) {
  (void)state;
  assert_painted_as_diffusers("pipelines", "pipelines.json", 14, paint_case);
}

// ---- manners ------------------------------------------------------------------------------------

static ink_paint_request small_request(void) {
  ink_paint_request request = ink_paint_request_default();
  request.prompt = "A photo of a cat";
  request.width = request.height = 16;
  request.steps = 4;
  request.seed = 5;
  return request;
}

static void assert_same_picture(ink_pipeline *a, const ink_paint_request *one, ink_pipeline *b,
                                const ink_paint_request *two, bool same) {
  ink_error error = {0};
  ink_painting first, second;
  assert_ok(ink_pipeline_paint(a, one, &first, &error));
  assert_ok(ink_pipeline_paint(b, two, &second, &error));
  int difference =
      memcmp(first.picture.pixels, second.picture.pixels, ink_picture_bytes(&first.picture));
  assert_true((difference == 0) == same);
  ink_painting_free(&first);
  ink_painting_free(&second);
}

static void a_picture_is_the_same_on_any_number_of_threads(void **state) {
  (void)state;
  ink_pool *pool = ink_pool_new(3);
  ink_pipeline *alone = open_pipeline("sd1", NULL), *team = open_pipeline("sd1", pool);
  ink_paint_request request = small_request();
  assert_same_picture(alone, &request, team, &request, true);
  // And painted once more, with weights that are prepared by now.
  assert_same_picture(team, &request, team, &request, true);
  request.precision = INK_PRECISION_BF16;
  assert_same_picture(alone, &request, team, &request, true);
  ink_pipeline_free(alone);
  ink_pipeline_free(team);
  ink_pool_free(pool);
}

static void step_caching_is_the_same_on_any_number_of_threads(void **state) {
  (void)state;
  ink_pool *pool = ink_pool_new(3);
  const char *const names[] = {"sd1", "xl"};
  for (int i = 0; i < 2; i++) {
    ink_pipeline *alone = open_pipeline(names[i], NULL), *team = open_pipeline(names[i], pool);
    // The second evaluates the network twice in a step.
    ink_sampler_kind samplers[] = {INK_SAMPLER_DDIM, INK_SAMPLER_HEUN};
    for (int k = 0; k < 4; k++) {
      ink_paint_request plain = small_request();
      plain.sampler = &samplers[k % 2];
      plain.steps = 8;
      if (k > 1) plain.precision = INK_PRECISION_BF16;
      ink_paint_request cached = plain, idle = plain;
      cached.cache = 3;
      idle.cache = 1;
      assert_same_picture(alone, &cached, team, &cached, true);
      assert_same_picture(alone, &plain, alone, &cached, false);
      assert_same_picture(alone, &plain, alone, &idle, true);
      // Words that change on the way leave nothing of those before.
      if (k % 2) continue;
      plain.prompt = cached.prompt = "A photo of a [cat|dog]";
      assert_same_picture(alone, &plain, alone, &cached, true);
    }
    ink_pipeline_free(alone);
    ink_pipeline_free(team);
  }
  ink_pool_free(pool);
}

// The first quarter of the steps is computed whole, and behind it one in as many as were asked for.
static void step_caching_computes_whole_as_often_as_asked(void **state) {
  (void)state;
  static const int32_t cases[][2] = {{1, 0}, {2, 3}, {3, 4}, {INK_PAINT_MOST_CACHE, 6}};
  ink_sampler_kind ddim = INK_SAMPLER_DDIM;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_paint_request request = small_request();
    request.sampler = &ddim;
    request.steps = 8;
    request.cache = cases[i][0];
    ink_painting painting;
    assert_ok(ink_pipeline_paint(p, &request, &painting, &error));
    assert_int_equal(painting.n_reused, cases[i][1]);
    ink_painting_free(&painting);
  }
  ink_pipeline_free(p);
}

static void an_sde_draws_from_one_path_where_asked(void **state) {
  (void)state;
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_picture init = load_picture("pipelines/init.png");
  ink_sampler_kind samplers[] = {INK_SAMPLER_DPMPP_SDE, INK_SAMPLER_DPMPP_2M_SDE,
                                 INK_SAMPLER_DPMPP_3M_SDE, INK_SAMPLER_EULER_ANCESTRAL};
  for (int i = 0; i < 4; i++) {
    for (int kind = 0; kind < INK_NOISE_COUNT; kind++) {
      ink_paint_request plain = small_request();
      plain.sampler = &samplers[i];
      plain.noise = (ink_noise_kind)kind;
      if (kind == INK_NOISE_CPU) {  // half of the steps, over their own range of sigmas
        plain.init = &init;
        plain.steps = 8;
        plain.strength = 0.5;
      }
      ink_paint_request brownian = plain;
      brownian.brownian = true;
      assert_same_picture(p, &plain, p, &brownian, i == 3);
      assert_same_picture(p, &brownian, p, &brownian, true);
    }
  }
  ink_picture_free(&init);
  ink_pipeline_free(p);
}

static void sixteen_bits_paint_nearly_the_same_picture(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_paint_request request = small_request();
  ink_painting exact = {0}, quick = {0};
  assert_ok(ink_pipeline_paint(p, &request, &exact, &error));
  request.precision = INK_PRECISION_BF16;
  assert_ok(ink_pipeline_paint(p, &request, &quick, &error));
  double squares = 0;
  size_t n = ink_picture_bytes(&exact.picture), changed = 0;
  for (size_t i = 0; i < n; i++) {
    double d = (double)exact.picture.pixels[i] - quick.picture.pixels[i];
    changed += d != 0;
    squares += d * d;
  }
  double psnr = 10 * log10(255.0 * 255 * (double)n / (squares + 1e-9));
  print_message("# %zu of %zu values differ, %.1f dB\n", changed, n, psnr);
  assert_true(changed > 0);  // it is another computation
  assert_true(psnr > 24);    // random weights are no gentle picture
  ink_painting_free(&exact);
  ink_painting_free(&quick);
  ink_pipeline_free(p);
}

static void what_is_asked_for_shows(void **state) {
  (void)state;
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_paint_request plain = small_request(), other = plain;
  other.seed = 6;
  assert_same_picture(p, &plain, p, &other, false);
  other = plain;
  other.stream = 1;
  assert_same_picture(p, &plain, p, &other, false);
  other = plain;
  other.prompt = "A photo of a (cat:1.4)";
  assert_same_picture(p, &plain, p, &other, false);
  other.prompt = "A photo of a [cat:dog:2]";
  assert_same_picture(p, &plain, p, &other, false);
  other.prompt = "A photo of a cat BREAK at night";
  assert_same_picture(p, &plain, p, &other, false);
  other = plain;
  other.clip_skip = 1;
  assert_same_picture(p, &plain, p, &other, false);
  // A schedule whose parts say the same changes nothing.
  other = plain;
  other.prompt = "A photo of a [cat:cat:2]";
  assert_same_picture(p, &plain, p, &other, true);
  ink_pipeline_free(p);
}

static void pixels_outside_the_mask_stay(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_picture init = load_picture("pipelines/init.png"), mask = load_picture("pipelines/mask.png");
  for (size_t i = 0; i < 16; i++) mask.pixels[15 * 16 + i] = 128;  // a soft edge below
  ink_paint_request request = small_request();
  request.init = &init;
  request.mask = &mask;
  request.strength = 1;
  ink_painting painting;
  assert_ok(ink_pipeline_paint(p, &request, &painting, &error));
  int changed = 0;
  for (size_t i = 0; i < 256; i++) {
    bool same = memcmp(painting.picture.pixels + 3 * i, init.pixels + 3 * i, 3) == 0;
    if (mask.pixels[i] == 0) assert_true(same);
    if (mask.pixels[i] == 255) changed += !same;
  }
  assert_true(changed > 50);
  ink_painting_free(&painting);
  ink_picture_free(&init);
  ink_picture_free(&mask);
  ink_pipeline_free(p);
}

// Takes the signs of a sine and keeps the sizes.
static ink_status shape(void *context, int32_t channels, int32_t height, int32_t width,
                        float *noise, ink_error *error) {
  (void)error;
  int32_t *seen = context;
  seen[0]++;
  seen[1] = channels * 10000 + height * 100 + width;
  for (int i = 0; i < channels * height * width; i++) {
    noise[i] = copysignf(noise[i], (float)sin((double)i));
  }
  return INK_OK;
}

static void the_first_noise_can_be_shaped(void **state) {
  (void)state;
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_paint_request one = small_request(), two = one, other = one, plain = one;
  int32_t seen[2] = {0};
  ink_noise_shaper shaper = {shape, seen};
  one.first_noise = two.first_noise = other.first_noise = &shaper;
  other.seed = 99;
  // Draws noise in every step: it is the same as without a shaper.
  ink_sampler_kind ancestral = INK_SAMPLER_EULER_ANCESTRAL;
  one.sampler = two.sampler = other.sampler = plain.sampler = &ancestral;
  one.width = two.width = other.width = plain.width = 24;
  assert_same_picture(p, &one, p, &two, true);
  assert_int_equal(seen[0], 2);
  assert_int_equal(seen[1], 40000 + 800 + 12);
  assert_same_picture(p, &one, p, &other, false);
  assert_same_picture(p, &one, p, &plain, false);
  ink_pipeline_free(p);
}

// Looked at and left as it is.
typedef struct seen_noise {
  float values[4096];
  int32_t n, channels, height, width;
} seen_noise;

static ink_status look(void *context, int32_t channels, int32_t height, int32_t width, float *noise,
                       ink_error *error) {
  (void)error;
  seen_noise *seen = context;
  seen->n = channels * height * width;
  seen->channels = channels;
  seen->height = height;
  seen->width = width;
  assert_in_range(seen->n, 100, sizeof seen->values / sizeof *seen->values);
  memcpy(seen->values, noise, (size_t)seen->n * sizeof *noise);
  return INK_OK;
}

// As latents (C, H, W) tell it: the mean square of what a place differs by from those around it.
static double difference_around(const float *latent, const seen_noise *noise, int row, int column) {
  int height = noise->height, width = noise->width, n = 0;
  double square = 0;
  for (int k = 0; k < 9; k++) {
    int y = row + k / 3 - 1, x = column + k % 3 - 1;
    if (k == 4 || y < 0 || x < 0 || y >= height || x >= width) continue;
    for (int c = 0; c < noise->channels; c++, n++) {
      const float *plane = latent + c * height * width;
      square += pow((double)plane[y * width + x] - (double)plane[row * width + column], 2);
    }
  }
  return square / n;
}

// Most of it where the latent is lively, and three tenths of that where it is plain. Sets `seen`
// for plain places, those between, and lively ones.
static void assert_kept(const ink_painting *without, const ink_painting *with,
                        const seen_noise *noise, bool seen[3]) {
  int area = noise->height * noise->width;
  for (int place = 0; place < area; place++) {
    double around =
        sqrt(difference_around(without->latent, noise, place / noise->width, place % noise->width));
    double share = 0.6 * (0.3 + 0.7 * fmin(fmax(around - 0.4, 0), 1));
    seen[around < 0.4 ? 0 : around < 1.4 ? 1 : 2] = true;
    for (int i = place; i < noise->n; i += area) {
      double expected =
          sqrt(1 - share * share) * (double)without->latent[i] + share * (double)noise->values[i];
      assert_true(fabs((double)with->latent[i] - expected) < 1e-5);
    }
  }
}

static void noise_is_kept_as_far_as_asked_for(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_paint_request request = small_request();
  request.keep_values = true;
  ink_painting without, with;
  static seen_noise noise;
  ink_noise_shaper shaper = {look, &noise};
  request.first_noise = &shaper;
  assert_ok(ink_pipeline_paint(p, &request, &without, &error));
  request.kept_noise = 0.6;
  assert_ok(ink_pipeline_paint(p, &request, &with, &error));
  int n = noise.n;
  bool seen[3] = {false};
  assert_kept(&without, &with, &noise, seen);
  ink_painting_free(&without);
  ink_painting_free(&with);
  // Hardly painted over, an even picture stays so.
  ink_paint_request even = request;
  ink_picture grey;
  assert_ok(ink_picture_new(16, 16, 3, &grey, &error));
  memset(grey.pixels, 128, ink_picture_bytes(&grey));
  even.init = &grey;
  even.steps = 100;
  for (int i = 1; i <= 3; i++) {
    even.strength = 0.01 * i;
    even.kept_noise = 0;
    assert_ok(ink_pipeline_paint(p, &even, &without, &error));
    even.kept_noise = 0.6;
    assert_ok(ink_pipeline_paint(p, &even, &with, &error));
    assert_kept(&without, &with, &noise, seen);
    if (i < 3) ink_painting_free(&without);
    if (i < 3) ink_painting_free(&with);
  }
  ink_picture_free(&grey);
  assert_true(seen[0] && seen[1] && seen[2]);
  // Over another picture as well; under a mask only as far as it is white.
  ink_picture init = load_picture("pipelines/init.png"), mask;
  assert_ok(ink_picture_new(16, 16, 1, &mask, &error));
  memset(mask.pixels, 0, ink_picture_bytes(&mask));
  for (int32_t y = 0; y < 16; y++) memset(ink_picture_at(&mask, 8, y), 255, 8);
  for (int half = 0; half < 2; half++) {
    ink_painting_free(&without);
    ink_painting_free(&with);
    request.init = &init;
    request.strength = 0.7;
    request.mask = half ? &mask : NULL;
    request.kept_noise = 0;
    assert_ok(ink_pipeline_paint(p, &request, &without, &error));
    request.kept_noise = 0.6;
    assert_ok(ink_pipeline_paint(p, &request, &with, &error));
    int kept = 0;
    for (int i = 0; i < n; i++) {
      bool stays = half && i % noise.width < noise.width / 2;
      double changed = fabs((double)with.latent[i] - (double)without.latent[i]);
      if (stays) assert_true(changed < 1e-6);
      kept += changed > 1e-3;
    }
    assert_true(kept > n / 3);
  }
  ink_picture_free(&init);
  ink_picture_free(&mask);
  request.init = NULL;
  request.mask = NULL;
  request.kept_noise = 1.5;
  ink_painting none;
  assert_int_equal(ink_pipeline_paint(p, &request, &none, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "kept noise"));
  ink_painting_free(&without);
  ink_painting_free(&with);
  ink_pipeline_free(p);
}

// What is decided before is what happens.
static void plans_are_kept(void **state) {
  (void)state;
  ink_error error = {0};
  const char *const names[] = {"sd1", "xl"};
  for (int i = 0; i < 2; i++) {
    ink_pipeline *p = open_pipeline(names[i], NULL);
    ink_paint_request request = small_request();
    request.height = i ? 24 : 0;
    ink_paint_settled settled;
    ink_painting painting;
    assert_ok(ink_pipeline_settle(p, &request, &settled, &error));
    assert_ok(ink_pipeline_paint(p, &request, &painting, &error));
    assert_int_equal(settled.width, painting.width);
    assert_int_equal(settled.height, painting.height);
    assert_int_equal(settled.sampler, painting.sampler);
    assert_int_equal(settled.curve, painting.curve);
    ink_painting_free(&painting);
    ink_pipeline_free(p);
  }
}

static bool stop_at(void *context, int64_t done, int64_t total, const char *state) {
  (void)total, (void)state;
  return done < *(const int64_t *)context;
}

static void a_painting_stops_between_steps(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_paint_request request = small_request();
  int64_t at = 2;
  ink_progress progress = {stop_at, &at};
  request.progress = &progress;
  ink_painting painting;
  assert_int_equal(ink_pipeline_paint(p, &request, &painting, &error), INK_ERR_CANCELLED);
  assert_non_null(strstr(error.text, "2 of 5 steps"));
  assert_null(painting.picture.pixels);
  ink_pipeline_free(p);
}

static void requests_out_of_range_are_refused(void **state) {
  (void)state;
  ink_pipeline *p = open_pipeline("sd1", NULL), *inpaint = open_pipeline("inpaint", NULL);
  ink_picture mask = load_picture("pipelines/mask.png");
  const ink_paint_request fine = small_request();
  enum { BAD = 12 };
  ink_paint_request bad[BAD];
  for (int i = 0; i < BAD; i++) bad[i] = fine;
  bad[0].width = 17;
  bad[1].height = 8192;
  bad[2].steps = 0;
  bad[3].steps = 1001;
  bad[4].guidance_scale = (double)NAN;
  bad[5].guidance_rescale = 2;
  bad[6].clip_skip = 3;
  bad[7].mask = &mask;
  bad[8].eta = -1;
  bad[9].prompt = "\xff";
  bad[10].cache = -1;
  bad[11].cache = INK_PAINT_MOST_CACHE + 1;
  static const char *const words[BAD] = {"18 x 16",  "x 4096",  "steps", "steps",
                                         "guidance", "rescale", "clip",  "picture",
                                         "eta",      "UTF-8",   "cache", "cache"};
  for (int i = 0; i < BAD; i++) {
    ink_error error = {0};
    ink_painting painting;
    assert_int_equal(ink_pipeline_paint(p, &bad[i], &painting, &error), INK_ERR_USAGE);
    if (!strstr(error.text, words[i])) fail_msg("\"%s\" does not say %s", error.text, words[i]);
    assert_null(painting.picture.pixels);
  }
  ink_error error = {0};
  ink_painting painting;
  assert_int_equal(ink_pipeline_paint(inpaint, &fine, &painting, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "inpainting"));
  ink_picture_free(&mask);
  ink_pipeline_free(p);
  ink_pipeline_free(inpaint);
}

static void a_picture_within_little_memory_is_the_same(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_paint_request request = small_request();
  request.width = request.height = 64;
  ink_painting free_of = {0}, tight = {0};
  assert_ok(ink_pipeline_paint(p, &request, &free_of, &error));
  // Too little is refused with what it takes; that much is enough, and kept to.
  request.ram = 1000;
  assert_int_equal(ink_pipeline_paint(p, &request, &tight, &error), INK_ERR_MEMORY);
  const char *number = strstr(error.text, "at least ");
  assert_non_null(number);
  size_t mib = strtoull(number + 9, NULL, 10);
  assert_true(mib > 0 && mib < 64);
  request.ram = mib << 20;
  error = (ink_error){0};
  assert_ok(ink_pipeline_paint(p, &request, &tight, &error));
  assert_true(tight.peak_bytes <= request.ram);
  assert_memory_equal(tight.picture.pixels, free_of.picture.pixels,
                      ink_picture_bytes(&free_of.picture));
  ink_painting_free(&tight);
  // With room for all of it nothing is prepared twice.
  request.ram = (size_t)1 << 40;
  assert_ok(ink_pipeline_paint(p, &request, &tight, &error));
  assert_memory_equal(tight.picture.pixels, free_of.picture.pixels,
                      ink_picture_bytes(&free_of.picture));
  ink_painting_free(&tight);
  ink_painting_free(&free_of);
  ink_pipeline_free(p);
}

static void a_variation_lies_between_two_seeds(void **state) {
  (void)state;
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_paint_request one = small_request(), other = one, between = one;
  ink_sampler_kind ddim = INK_SAMPLER_DDIM;
  one.sampler = other.sampler = between.sampler = &ddim;
  other.seed = between.variation_seed = 77;
  assert_same_picture(p, &one, p, &between, true);
  between.variation = 0.4;
  assert_same_picture(p, &one, p, &between, false);
  assert_same_picture(p, &other, p, &between, false);
  between.variation = 1;
  assert_same_picture(p, &other, p, &between, true);
  ink_pipeline_free(p);
}

static void a_second_pass_paints_over_the_enlarged_first(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_paint_request request = small_request(), by_hand = request;
  ink_paint_hires hires = {.scale = 1.6, .strength = 0.5};
  ink_painting large, small, again;
  assert_ok(ink_pipeline_paint_hires(p, &request, &hires, &large, &error));
  assert_int_equal(large.width, 16);
  assert_int_equal(large.picture.width, 26);
  assert_int_equal(large.n_steps, 5 + 3);  // PNDM, which takes one more
  ink_picture init;
  assert_ok(ink_pipeline_paint(p, &request, &small, &error));
  assert_ok(ink_picture_resize(&small.picture, 26, 26, INK_RESIZE_LANCZOS, &init, &error));
  by_hand.init = &init;
  by_hand.strength = 0.5;
  by_hand.width = by_hand.height = 26;
  assert_ok(ink_pipeline_paint(p, &by_hand, &again, &error));
  assert_memory_equal(again.picture.pixels, large.picture.pixels, ink_picture_bytes(&init));
  for (int32_t i = 0; i < large.n_steps; i++) assert_true(large.step_seconds[i] > 0);
  ink_painting_free(&large);
  // The first noise is the first pass's alone, whose size it has.
  int32_t seen[2] = {0};
  ink_noise_shaper shaper = {shape, seen};
  ink_paint_request shaped = request;
  shaped.first_noise = &shaper;
  assert_ok(ink_pipeline_paint_hires(p, &shaped, &hires, &large, &error));
  assert_int_equal(seen[0], 1);
  ink_painting_free(&large);
  assert_int_equal(ink_pipeline_paint_hires(p, &by_hand, &hires, &large, &error), INK_ERR_USAGE);
  const ink_paint_hires wrong[] = {{.scale = 1, .strength = 0.5},
                                   {.scale = 8.01, .strength = 0.5},
                                   {.scale = 2, .strength = 0},
                                   {.scale = 2, .strength = 1.01},
                                   {.scale = NAN, .strength = 0.5}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(ink_pipeline_paint_hires(p, &request, &wrong[i], &large, &error),
                     INK_ERR_USAGE);
    assert_non_null(strstr(error.text, "a second pass"));
  }
  ink_painting_free(&small);
  ink_painting_free(&again);
  ink_picture_free(&init);
  ink_pipeline_free(p);
}

// Whatever its sides, a picture is enlarged as if its edges went on.
static void odd_sides_are_enlarged_as_if_the_edges_went_on(void **state) {
  (void)state;
  ink_error error = {0};
  ink_upscaler *u;
  ink_picture odd, even, large[2];
  assert_ok(ink_upscaler_open(fixture_path("networks/esrgan/model-x2.pth"), NULL, &u, &error));
  assert_ok(ink_picture_new(7, 5, 3, &odd, &error));
  for (size_t i = 0; i < ink_picture_bytes(&odd); i++) odd.pixels[i] = (uint8_t)(i * 53 % 256);
  assert_ok(ink_picture_pad(&odd, 0, 0, 1, 1, NULL, &even, &error));
  assert_ok(ink_upscaler_run(u, &odd, INK_PRECISION_F32, 0, &large[0], NULL, &error));
  assert_ok(ink_upscaler_run(u, &even, INK_PRECISION_F32, 0, &large[1], NULL, &error));
  assert_int_equal(large[0].width, 14);
  assert_int_equal(large[0].height, 10);
  for (int32_t y = 0; y < 10; y++) {
    assert_memory_equal(ink_picture_at(&large[0], 0, y), ink_picture_at(&large[1], 0, y), 14 * 3);
  }
  for (int i = 0; i < 2; i++) ink_picture_free(&large[i]);
  ink_picture_free(&odd);
  ink_picture_free(&even);
  ink_upscaler_free(u);
}

static void count_steps(void *context, int32_t step, int32_t n_steps, const ink_picture *picture) {
  int *seen = context;
  assert_int_equal(step, ++*seen);
  assert_true(step <= n_steps && picture->width == 8 && picture->channels == 3);
}

static void each_step_can_be_watched(void **state) {
  (void)state;
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_paint_request plain = small_request(), watched = plain;
  int seen = 0;
  ink_paint_preview preview = {count_steps, &seen};
  watched.preview = &preview;
  assert_same_picture(p, &plain, p, &watched, true);
  assert_int_equal(seen, 5);
  ink_pipeline_free(p);
}

static void margins_are_painted_and_the_picture_stays(void **state) {
  (void)state;
  ink_error error = {0};
  ink_margins m;
  assert_ok(ink_margins_parse("3,0,2,8", &m, &error));
  ink_picture init = load_picture("pipelines/init.png"), canvas, mask;
  assert_ok(ink_picture_extend(&init, m, 4, &canvas, &mask, &error));
  assert_int_equal(canvas.width, 24);
  assert_int_equal(canvas.height, 24);  // 21, and up to a multiple
  for (int32_t y = 0; y < 24; y++) {
    for (int32_t x = 0; x < 24; x++) {
      bool inside = x >= 8 && y >= 3 && y < 19, deep = x >= 12 && y >= 7 && y < 15;
      uint8_t value = *ink_picture_at(&mask, x, y);
      if (!inside) assert_int_equal(value, 255);
      if (deep) assert_int_equal(value, 0);
      if (inside) {
        assert_true(value < 255);
        assert_memory_equal(ink_picture_at(&canvas, x, y), ink_picture_at(&init, x - 8, y - 3), 3);
      }
    }
  }
  // A side without a margin has no seam; margins grow below and to the right alone.
  ink_picture plain;
  assert_ok(ink_picture_new(19, 10, 3, &plain, &error));
  memset(plain.pixels, 77, ink_picture_bytes(&plain));
  ink_picture more, shade;
  assert_ok(ink_picture_extend(&plain, (ink_margins){.right = 1}, 4, &more, &shade, &error));
  assert_int_equal(more.width, 20);
  assert_int_equal(more.height, 12);
  for (int32_t x = 0; x < 20; x++) {
    static const uint8_t fading[] = {51, 102, 153, 204, 255};
    uint8_t value = *ink_picture_at(&shade, x, 0);
    assert_int_equal(value, x < 15 ? 0 : fading[x - 15]);
  }
  assert_int_equal(*ink_picture_at(&shade, 0, 11), 255);
  assert_int_equal(*ink_picture_at(&shade, 0, 9), 204);
  ink_picture_free(&more);
  ink_picture_free(&shade);
  const ink_margins large[] = {{.left = INK_PICTURE_MOST_SIDE}, {.top = INK_PICTURE_MOST_SIDE}};
  for (int i = 0; i < 2; i++) {
    assert_int_equal(ink_picture_extend(&plain, large[i], 4, &more, &shade, &error), INK_ERR_USAGE);
    assert_null(more.pixels);
    assert_non_null(strstr(error.text, "too large"));
  }
  ink_picture_free(&plain);
  static const char *const bad[] = {"",          "1,2",      "-1",       "0",
                                    "1,2,3,4,5", "1,2,3,x",  "-1,2,2,2", "2,-1,2,2",
                                    "2,2,-1,2",  "2,2,2,-1", "99999999"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(ink_margins_parse(bad[i], &m, &error), INK_ERR_USAGE);
  }
  ink_picture_free(&init);
  ink_picture_free(&canvas);
  ink_picture_free(&mask);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pictures_equal_those_of_diffusers),
      cmocka_unit_test(a_picture_is_the_same_on_any_number_of_threads),
      cmocka_unit_test(step_caching_is_the_same_on_any_number_of_threads),
      cmocka_unit_test(step_caching_computes_whole_as_often_as_asked),
      cmocka_unit_test(an_sde_draws_from_one_path_where_asked),
      cmocka_unit_test(sixteen_bits_paint_nearly_the_same_picture),
      cmocka_unit_test(what_is_asked_for_shows),
      cmocka_unit_test(pixels_outside_the_mask_stay),
      cmocka_unit_test(the_first_noise_can_be_shaped),
      cmocka_unit_test(noise_is_kept_as_far_as_asked_for),
      cmocka_unit_test(plans_are_kept),
      cmocka_unit_test(a_painting_stops_between_steps),
      cmocka_unit_test(requests_out_of_range_are_refused),
      cmocka_unit_test(a_picture_within_little_memory_is_the_same),
      cmocka_unit_test(a_variation_lies_between_two_seeds),
      cmocka_unit_test(a_second_pass_paints_over_the_enlarged_first),
      cmocka_unit_test(odd_sides_are_enlarged_as_if_the_edges_went_on),
      cmocka_unit_test(each_step_can_be_watched),
      cmocka_unit_test(margins_are_painted_and_the_picture_stays),
  };
  return cmocka_run_group_tests_name("pipeline", tests, NULL, NULL);
}
