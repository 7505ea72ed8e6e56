// From words to a marked picture and back to its identity, under tiny models. Their autoencoders
// are random and lose everything, so pictures are stood for by their latents in eight bits.
#include <math.h>

#include "base/random.h"
#include "diffusion/painting_testing.h"
#include "mark/label/picture_label.h"
#include "mark/watermark/picture_watermark.h"

static const char *const uuid = "1b4e28ba-2fa1-41d2-883f-0016d3cca427";

static ink_picture_watermark watermark_of(const char *secret) {
  ink_error error = {0};
  ink_picture_watermark w;
  assert_ok(ink_shading_key_of(secret, secret ? strlen(secret) : 0, &w.key, &error));
  assert_true(ink_identity_bytes(uuid, w.identity));
  return w;
}

// As bytes would keep them: steps of a 255th of what all values span.
static void round_to_bytes(float *x, size_t n) {
  float low = x[0], high = x[0];
  for (size_t i = 0; i < n; i++) {
    low = fminf(low, x[i]);
    high = fmaxf(high, x[i]);
  }
  for (size_t i = 0; i < n; i++) {
    x[i] = low + roundf((x[i] - low) / (high - low) * 255) * (high - low) / 255;
  }
}

static void the_identity_of_a_painting_is_read_back(void **state) {
  (void)state;
  ink_error error = {0};
  static const char *const models[] = {"sd1", "xl"};
  static const char *const samplers[] = {"euler", "dpm++2m"};
  for (int i = 0; i < 2; i++) {
    ink_pipeline *p = open_pipeline(models[i], NULL);
    ink_picture_watermark w = watermark_of(NULL), other = watermark_of("another");
    ink_noise_shaper shaper = ink_picture_watermark_shaper(&w);
    ink_paint_request request = ink_paint_request_default();
    ink_sampler_kind sampler;
    assert_true(ink_sampler_parse(samplers[i], &sampler));
    request.prompt = "a cat";
    request.guidance_scale = 2;
    request.width = request.height = 96;
    request.seed = (uint64_t)i;
    request.steps = 10;
    request.sampler = &sampler;
    request.first_noise = &shaper;
    request.keep_values = true;
    ink_painting painting;
    assert_ok(ink_pipeline_paint(p, &request, &painting, &error));
    ink_inversion_options options = ink_inversion_options_default();
    options.width = options.height = 96;
    ink_inversion v;
    round_to_bytes(painting.latent, 4 * 48 * 48);
    assert_ok(ink_pipeline_invert_latent(p, painting.latent, &options, &v, &error));
    ink_latent_shape shape = {v.channels, v.height, v.width};
    ink_shading_reading r, of_other;
    double known;
    assert_ok(ink_shading_read(&w.key, shape, v.noise, &r, &error));
    print_message("# %s, %s: %zu of %zu signs, p = %.1e\n", models[i], samplers[i], r.hits, r.n,
                  r.p_value);
    assert_true(r.sure && r.p_value < 1e-30);
    assert_memory_equal(r.identity, w.identity, sizeof w.identity);
    assert_ok(ink_shading_match(&w.key, w.identity, shape, v.noise, &known, &error));
    assert_true(known <= r.p_value && known > 0);
    assert_ok(ink_shading_read(&other.key, shape, v.noise, &of_other, &error));
    assert_true(of_other.p_value > 1e-3);
    ink_inversion_free(&v);
    ink_painting_free(&painting);
    ink_pipeline_free(p);
  }
}

static void a_picture_without_the_mark_is_not_found(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_picture_watermark one = watermark_of(NULL), two = watermark_of("another");
  ink_shading_key keys[2] = {one.key, two.key};
  ink_picture_watermark_search search = {.keys = keys, .n_key = 2, .steps = 5};
  static const int32_t sizes[][4] = {// width and height of the picture, and of what is looked at
                                     {16, 16, 16, 16},
                                     {15, 16, 16, 16},
                                     {22, 11, 22, 12},
                                     {5, 5, 16, 16}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    ink_picture picture;
    assert_ok(ink_picture_new(sizes[i][0], sizes[i][1], 3, &picture, &error));
    ink_random random = ink_random_at(i, 0, 0);
    for (size_t k = 0; k < ink_picture_bytes(&picture); k++) {
      picture.pixels[k] = (uint8_t)ink_random_u32(&random);
    }
    ink_picture_watermark_finding f;
    assert_ok(ink_picture_watermark_find(p, &picture, &search, &f, &error));
    assert_false(f.found);
    assert_true(f.p_value > 1e-3 && f.p_value <= 1);
    assert_int_equal(f.width, sizes[i][2]);
    assert_int_equal(f.height, sizes[i][3]);
    assert_int_equal(f.identity[0], 0);
    ink_picture_watermark_finding_free(&f);
    search.width = 24;
    search.height = 20;
    assert_ok(ink_picture_watermark_find(p, &picture, &search, &f, &error));
    assert_int_equal(f.inversion.width, 12);
    assert_int_equal(f.inversion.height, 10);
    ink_picture_watermark_finding_free(&f);
    search.width = search.height = 0;
    ink_picture_free(&picture);
  }
  search.n_key = 0;
  ink_picture picture = {0};
  ink_picture_watermark_finding f;
  assert_int_equal(ink_picture_watermark_find(p, &picture, &search, &f, &error), INK_ERR_USAGE);
  ink_pipeline_free(p);
}

// What stands in a label's place, a label or anything else, is not asked.
static void what_lies_under_the_label_says_nothing(void **state) {
  (void)state;
  ink_error error = {0};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_picture_watermark w = watermark_of(NULL);
  ink_picture_watermark_search search = {.keys = &w.key, .n_key = 1, .steps = 2};
  enum { SIDE = 128, AT = 64 };  // the model's autoencoder halves sides
  ink_picture picture;
  ink_label_box box;
  ink_label_style style = ink_label_style_default();
  assert_ok(ink_picture_new(SIDE, SIDE, 3, &picture, &error));
  memset(picture.pixels, 90, ink_picture_bytes(&picture));
  assert_ok(ink_label_box_of(SIDE, SIDE, "en", &style, &box, &error));
  ink_inversion v;
  assert_ok(ink_picture_watermark_invert(p, &picture, &search, SIDE, SIDE, &v, &error));
  assert_int_equal(v.width, AT);
  int under = 0, beside = 0;
  for (int y = 0; y < AT; y++) {
    for (int x = 0; x < AT; x++) {
      bool covered = 2 * x >= box.x && 2 * x < box.x + box.width && 2 * y >= box.y &&
                     2 * y < box.y + box.height;
      under += covered && v.noise[y * AT + x] != 0;
      beside += y < AT / 2 && v.noise[y * AT + x] == 0;
    }
  }
  assert_int_equal(under, 0);
  assert_int_equal(beside, 0);
  ink_inversion_free(&v);
  ink_picture_free(&picture);
  ink_pipeline_free(p);
}

static void identities_are_bytes(void **state) {
  (void)state;
  uint8_t bytes[INK_UUID_BYTES];
  char back[INK_UUID_TEXT];
  assert_true(ink_identity_bytes(uuid, bytes));
  assert_int_equal(bytes[0], 0x1b);
  assert_int_equal(bytes[15], 0x27);
  ink_mark_identity_text(bytes, back);
  assert_string_equal(back, uuid);
  assert_false(ink_identity_bytes("1b4e28ba", bytes));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_identity_of_a_painting_is_read_back),
      cmocka_unit_test(a_picture_without_the_mark_is_not_found),
      cmocka_unit_test(what_lies_under_the_label_says_nothing),
      cmocka_unit_test(identities_are_bytes),
  };
  return cmocka_run_group_tests_name("picture_watermark", tests, NULL, NULL);
}
