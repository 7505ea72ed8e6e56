// The ledger's identities against noise: which of them are tried, and what each try costs.
#include <math.h>

#include "base/random.h"
#include "diffusion/painting_testing.h"
#include "mark/ledger/noise_records.h"
#include "marking.h"

enum { CHANNELS = 4, SIDE = 16, VALUES = CHANNELS * SIDE * SIDE, ROWS = 10 };
static const ink_latent_shape shape = {CHANNELS, SIDE, SIDE};
static const char model[] = "1111111111111111111111111111111111111111111111111111111111111111";
static const char another[] = "2222222222222222222222222222222222222222222222222222222222222222";

static ink_ledger *ledger;
static ink_shading_key keys[2];
static char key_ids[2][INK_SHADING_KEY_ID];

static int set_up(void **state) {
  ink_error error = {0};
  if (scratch_open(state) != 0) return -1;
  for (int i = 0; i < 2; i++) {
    assert_ok(ink_shading_key_of(i ? "mine" : NULL, i ? 4 : 0, &keys[i], &error));
    assert_ok(ink_shading_key_id(&keys[i], key_ids[i], &error));
  }
  return ink_ledger_open(in_scratch("ledger.db"), true, &ledger, &error);
}

static int take_down(void **state) {
  ink_ledger_close(ledger);
  return scratch_close(state);
}

static const char *identity_of(int i) {
  static char identity[INK_UUID_TEXT];
  snprintf(identity, sizeof identity, "%08x-ceb2-4faa-b6bf-329bf39fa1e4", (unsigned)i);
  return identity;
}

// A row of this identity; `noise` are the details of its noise, NULL for none.
static void append(int i, const char *of_model, json_t *noise) {
  static const char *const labels[] = {INK_PICTURE_WATERMARK_LABEL};
  ink_error error = {0};
  ink_ledger_file file = {.bytes = "x", .size = 1};
  json_t *details = noise ? json_pack("{s:o}", "noise", noise) : NULL;
  ink_ledger_entry entry = {.identity = identity_of(i),
                            .kind = "picture",
                            .command = "paint",
                            .model_sha256 = of_model,
                            .files = &file,
                            .n_file = 1,
                            .labels = labels,
                            .n_label = 1,
                            .details = details};
  assert_ok(ink_ledger_append(ledger, &entry, &error));
  json_decref(details);
}

// Noise of a picture of this identity, of which a third is lost.
static void make_noise(const ink_shading_key *key, int i, float noise[VALUES]) {
  ink_error error = {0};
  uint8_t bytes[INK_SHADING_IDENTITY];
  ink_random random = ink_random_at(7, 0, 0);
  for (int k = 0; k < VALUES; k++) noise[k] = (float)ink_random_normal(&random);
  assert_true(ink_identity_bytes(identity_of(i), bytes));
  assert_ok(ink_shading_apply(key, bytes, shape, noise, &error));
  for (int k = 0; k < VALUES; k += 3) noise[k] = (float)ink_random_normal(&random);
}

// What the ledger knows of it, under the first of the keys or both.
static ink_noise_record look_up(float noise[VALUES], size_t n_key, size_t n_size, int64_t most) {
  ink_error error = {0};
  ink_noise_record record;
  ink_picture_watermark_finding finding = {.n_size = n_size,
                                           .inversion = {noise, CHANNELS, SIDE, SIDE}};
  ink_noise_records_search search = {
      .keys = keys, .n_key = n_key, .model_sha256 = model, .most = most};
  assert_ok(ink_noise_records_find(ledger, NULL, NULL, &finding, &search, &record, &error));
  return record;
}

static void an_identity_is_found_among_others(void **state) {
  (void)state;
  float noise[VALUES];
  for (int i = 0; i < ROWS; i++) append(i, model, NULL);
  for (int key = 0; key < 2; key++) {
    make_noise(&keys[key], 6, noise);
    ink_noise_record record = look_up(noise, 2, 1, 0);
    assert_true(record.found && record.p_value < 1e-12);
    assert_int_equal(record.n, 7);
    assert_string_equal(record.identity, identity_of(6));
    assert_int_equal(record.key, key);
    assert_int_equal(record.tried, ROWS);
    assert_int_equal(record.n_sign, VALUES);
    assert_false(record.more);
  }
  // Nobody's noise.
  make_noise(&keys[0], ROWS, noise);
  ink_noise_record record = look_up(noise, 2, 1, 0);
  assert_false(record.found);
  assert_true(record.p_value > 1e-3);
}

static void every_try_is_paid_for(void **state) {
  (void)state;
  float noise[VALUES];
  make_noise(&keys[0], 6, noise);
  append(6, model, NULL);
  double one = look_up(noise, 1, 1, 0).p_value;
  assert_true(one > 0 && one < 1e-12);
  assert_true(fabs(look_up(noise, 2, 1, 0).p_value / one - 2) < 1e-9);
  assert_true(fabs(look_up(noise, 1, 3, 0).p_value / one - 3) < 1e-9);
  for (int i = 0; i < ROWS; i++) append(ROWS + i, model, NULL);
  assert_true(fabs(look_up(noise, 1, 1, 0).p_value / one - (ROWS + 1)) < 1e-9);
}

static void a_key_that_is_named_alone_is_tried(void **state) {
  (void)state;
  float noise[VALUES];
  make_noise(&keys[1], 6, noise);
  append(6, model, json_pack("{s:s}", "key", key_ids[0]));
  assert_false(look_up(noise, 2, 1, 0).found);
  append(6, model, json_pack("{s:s}", "key", key_ids[1]));
  ink_noise_record record = look_up(noise, 2, 1, 0);
  assert_true(record.found);
  assert_int_equal(record.n, 2);
  assert_int_equal(record.key, 1);
}

static void pictures_of_this_model_alone_are_tried(void **state) {
  (void)state;
  float noise[VALUES];
  make_noise(&keys[0], 6, noise);
  append(6, another, NULL);
  ink_noise_record record = look_up(noise, 1, 1, 0);
  assert_int_equal(record.tried, 0);
  assert_false(record.found);
  // A piece is of its writer's model, and names its painter apart.
  append(6, another, json_pack("{s:s}", "model", model));
  record = look_up(noise, 1, 1, 0);
  assert_int_equal(record.tried, 1);
  assert_true(record.found);
}

static void the_newest_are_tried_as_far_as_asked_for(void **state) {
  (void)state;
  float noise[VALUES];
  make_noise(&keys[0], 6, noise);
  for (int i = 0; i < ROWS; i++) append(i, model, NULL);
  ink_noise_record record = look_up(noise, 1, 1, ROWS - 7);
  assert_int_equal(record.tried, ROWS - 7);
  assert_true(record.more);
  assert_false(record.found);
  record = look_up(noise, 1, 1, ROWS - 6);
  assert_true(record.more && record.found);
  assert_false(look_up(noise, 1, 1, ROWS + 1).more);
}

// What is known of a square picture whose noise was found at 16 x 16, with this model at hand.
static ink_noise_record look_in_sizes(ink_pipeline *pipeline, float noise[VALUES]) {
  ink_error error = {0};
  ink_noise_record record;
  ink_picture picture;
  assert_ok(ink_picture_new(24, 24, 3, &picture, &error));
  memset(picture.pixels, 90, ink_picture_bytes(&picture));
  ink_picture_watermark_finding finding = {.n_size = 1, .inversion = {noise, CHANNELS, SIDE, SIDE}};
  ink_noise_records_search search = {.keys = keys, .n_key = 1, .model_sha256 = model};
  assert_ok(ink_noise_records_find(ledger, pipeline, &picture, &finding, &search, &record, &error));
  ink_picture_free(&picture);
  return record;
}

// Each size costs an inversion: so many are looked at, the newest first.
static void records_are_tried_in_their_sizes_as_far_as_it_is_worth(void **state) {
  (void)state;
  float noise[VALUES];
  ink_pipeline *pipeline = open_pipeline("sd1", NULL);
  int factor = (int)ink_pipeline_factor(pipeline);
  make_noise(&keys[0], 6, noise);
  append(6, model, json_pack("{s:i, s:i}", "width", SIDE * factor, "height", SIDE * factor));
  assert_true(look_in_sizes(pipeline, noise).found);
  // Of other proportions, so not tried.
  append(7, model, json_pack("{s:i, s:i}", "width", 32 * factor, "height", SIDE * factor));
  assert_int_equal(look_in_sizes(pipeline, noise).tried, 1);
  for (int i = 0; i < INK_NOISE_SIZES; i++) {
    assert_true(look_in_sizes(pipeline, noise).found);
    int side = (4 + 2 * i) * factor;
    append(8 + i, model, json_pack("{s:i, s:i}", "width", side, "height", side));
  }
  ink_noise_record record = look_in_sizes(pipeline, noise);
  assert_int_equal(record.tried, INK_NOISE_SIZES);
  assert_false(record.found);
  ink_pipeline_free(pipeline);
}

#define WITH_LEDGER(test) cmocka_unit_test_setup_teardown(test, set_up, take_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_LEDGER(an_identity_is_found_among_others),
      WITH_LEDGER(every_try_is_paid_for),
      WITH_LEDGER(a_key_that_is_named_alone_is_tried),
      WITH_LEDGER(pictures_of_this_model_alone_are_tried),
      WITH_LEDGER(records_are_tried_in_their_sizes_as_far_as_it_is_worth),
      WITH_LEDGER(the_newest_are_tried_as_far_as_asked_for),
  };
  return cmocka_run_group_tests_name("ledger_noise", tests, NULL, NULL);
}
