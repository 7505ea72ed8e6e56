// A tiny autoencoder beside the model's own: what previews show, what decodes the picture, and what
// does not fit.
#include "diffusion/pipeline_parts.h"
#include "painting_testing.h"
#include "scratch.h"
#include "tiny_taesd.h"

enum { SIDE = 16, FACTOR = 2 };
#define SCALE 0.5

static int set_up(void **state) {
  if (scratch_open(state) != 0) return -1;
  make_tiny_taesd(scratch, &(tiny_taesd){FACTOR, 4, 3, SCALE, 7});
  return 0;
}

static ink_paint_request small_request(void) {
  static const ink_sampler_kind euler = INK_SAMPLER_EULER;
  ink_paint_request request = ink_paint_request_default();
  request.prompt = "A photo of a cat";
  request.width = request.height = SIDE;
  request.sampler = &euler;
  request.steps = 3;
  request.seed = 5;
  return request;
}

static ink_painting paint(ink_pipeline *pipeline, const ink_paint_request *request) {
  ink_error error = {0};
  ink_painting painting;
  assert_ok(ink_pipeline_paint(pipeline, request, &painting, &error));
  return painting;
}

static void set(ink_pipeline *pipeline, const char *name) {
  ink_error error = {0};
  assert_ok(ink_pipeline_set_taesd(pipeline, in_scratch(name), &error));
}

static int difference(const ink_picture *a, const ink_picture *b) {
  int most = 0;
  assert_true(a->width == b->width && a->height == b->height);
  for (size_t i = 0; i < ink_picture_bytes(a); i++) {
    int d = abs(a->pixels[i] - b->pixels[i]);
    if (d > most) most = d;
  }
  return most;
}

// ---- decoding -----------------------------------------------------------------------------------

// What the room of networks makes of a painting's latent.
static void assert_decoded_by(const ink_painting *painting, const char *name, double scale) {
  enum { H = SIDE / FACTOR, CHANNELS = 4 };
  ink_error error = {0};
  ink_weights *weights;
  ink_taesd *taesd;
  assert_ok(ink_weights_open(in_scratch(name), &weights, &error));
  assert_ok(ink_taesd_new_decoder(weights, &taesd, &error));
  ink_compute c = {.arena = ink_arena_new(0)};
  ink_tensor *x = ink_tensor_new(c.arena, INK_F32, 4, (int64_t[]){1, H, H, CHANNELS});
  for (size_t i = 0; i < (size_t)H * H; i++) {
    for (size_t k = 0; k < CHANNELS; k++) {
      ((float *)x->data)[i * CHANNELS + k] =
          (float)((double)painting->latent[k * H * H + i] / scale);
    }
  }
  const ink_tensor *y = ink_taesd_decode(&c, taesd, x, INK_F32);
  assert_ok(ink_compute_status(&c, &error));
  assert_memory_equal(y->data, painting->values, (size_t)SIDE * SIDE * 3 * sizeof(float));
  ink_arena_free(c.arena);
  ink_taesd_free(taesd);
  ink_weights_close(weights);
}

static void a_picture_is_decoded_with_it_where_asked(void **state) {
  (void)state;
  static const struct {
    const char *name;
    double scale;
  } layouts[] = {{"tiny", SCALE}, {"whole.safetensors", 1}, {"decoder.safetensors", 1}};
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_paint_request request = small_request();
  ink_painting own = paint(p, &request);
  for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
    set(p, layouts[i].name);
    request.taesd_decode = false;
    ink_painting still = paint(p, &request);
    assert_int_equal(difference(&own.picture, &still.picture), 0);
    request.taesd_decode = request.keep_values = true;
    ink_painting tiny = paint(p, &request);
    assert_decoded_by(&tiny, layouts[i].name, layouts[i].scale);
    assert_true(difference(&own.picture, &tiny.picture) > 0);
    ink_painting_free(&still);
    ink_painting_free(&tiny);
  }
  ink_painting_free(&own);
  ink_pipeline_free(p);
}

// Its two namings; and a scale that only a config tells.
static void the_same_decoder_in_any_layout_decodes_the_same(void **state) {
  (void)state;
  ink_pipeline *p = open_pipeline("sd1", NULL), *q = open_pipeline("sd1", NULL);
  ink_paint_request request = small_request();
  request.taesd_decode = true;
  set(p, "tiny");
  ink_painting scaled = paint(p, &request);
  set(p, "decoder.safetensors");
  set(q, "whole.safetensors");
  ink_painting one = paint(p, &request), two = paint(q, &request);
  assert_int_equal(difference(&one.picture, &two.picture), 0);
  assert_true(difference(&one.picture, &scaled.picture) > 0);
  ink_painting_free(&scaled);
  ink_painting_free(&one);
  ink_painting_free(&two);
  ink_pipeline_free(p);
  ink_pipeline_free(q);
}

// Weights of a new one may lie where those of an earlier one lay.
static void nothing_of_an_earlier_one_is_left(void **state) {
  (void)state;
  static const int turns[] = {0, 0, 1, 1, 0, 1, 0, 0, 1};
  ink_error error = {0};
  ink_paint_request request = small_request();
  ink_painting alone[2];
  const char *paths[2] = {in_scratch("tiny"), in_scratch("other/tiny")};
  make_tiny_taesd(in_scratch("other"), &(tiny_taesd){FACTOR, 4, 3, SCALE, 8});
  request.taesd_decode = true;
  for (int i = 0; i < 2; i++) {
    ink_pipeline *p = open_pipeline("sd1", NULL);
    assert_ok(ink_pipeline_set_taesd(p, paths[i], &error));
    alone[i] = paint(p, &request);
    ink_pipeline_free(p);
  }
  assert_true(difference(&alone[0].picture, &alone[1].picture) > 0);
  ink_pipeline *p = open_pipeline("sd1", NULL);
  for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
    assert_ok(ink_pipeline_set_taesd(p, paths[turns[i]], &error));
    ink_painting painting = paint(p, &request);
    assert_int_equal(difference(&painting.picture, &alone[turns[i]].picture), 0);
    ink_painting_free(&painting);
  }
  for (int i = 0; i < 2; i++) ink_painting_free(&alone[i]);
  ink_pipeline_free(p);
}

// ---- previews -----------------------------------------------------------------------------------

typedef struct watcher {
  int seen, side;
  ink_picture last;
} watcher;

static void watch(void *context, int32_t step, int32_t n_steps, const ink_picture *picture) {
  watcher *w = context;
  ink_error error = {0};
  assert_int_equal(step, ++w->seen);
  assert_true(step <= n_steps && picture->width == w->side && picture->height == w->side);
  ink_picture_free(&w->last);
  assert_ok(ink_picture_convert(picture, 3, &w->last, &error));
}

static void previews_are_decoded_with_it(void **state) {
  (void)state;
  ink_pipeline *p = open_pipeline("sd1", NULL);
  watcher w = {.side = SIDE / FACTOR};
  ink_paint_preview preview = {watch, &w};
  ink_paint_request request = small_request(), watched = request, tiny = request;
  ink_painting plain = paint(p, &request);
  watched.preview = &preview;
  ink_painting colours = paint(p, &watched);
  assert_int_equal(w.seen, request.steps);
  set(p, "tiny");
  w.seen = 0;
  w.side = SIDE;
  ink_painting decoded = paint(p, &watched);
  assert_int_equal(w.seen, request.steps);
  assert_int_equal(difference(&plain.picture, &colours.picture), 0);
  assert_int_equal(difference(&plain.picture, &decoded.picture), 0);
  // The last step has made all of the picture out.
  tiny.taesd_decode = true;
  ink_painting end = paint(p, &tiny);
  assert_true(difference(&end.picture, &w.last) <= 1);
  ink_painting_free(&plain);
  ink_painting_free(&colours);
  ink_painting_free(&decoded);
  ink_painting_free(&end);
  ink_picture_free(&w.last);
  ink_pipeline_free(p);
}

// The least memory that the request is painted within.
static size_t least_memory(ink_pipeline *p, ink_paint_request request) {
  size_t low = 1000, high = (size_t)1 << 26;
  while (high - low > 1) {
    ink_error error = {0};
    ink_painting painting;
    request.ram = low + (high - low) / 2;
    ink_status status = ink_pipeline_paint(p, &request, &painting, &error);
    if (status == INK_OK) {
      high = request.ram;
      ink_painting_free(&painting);
    } else {
      assert_int_equal(status, INK_ERR_MEMORY);
      low = request.ram;
    }
  }
  return high;
}

// Where all fits, previews are decoded; where the model's parts come in turn they are colours, and
// take nothing from what is allowed.
static void previews_keep_within_memory(void **state) {
  (void)state;
  enum { LARGE = 64 };
  ink_pipeline *p = open_pipeline("sd1", NULL);
  watcher w = {.side = LARGE};
  ink_paint_preview preview = {watch, &w};
  ink_paint_request request = small_request();
  request.width = request.height = LARGE;
  request.steps = 1;
  size_t least = least_memory(p, request);
  ink_painting plain = paint(p, &request);
  set(p, "tiny");
  request.preview = &preview;
  request.ram = (size_t)1 << 30;
  ink_painting roomy = paint(p, &request);
  w.seen = 0;
  w.side = LARGE / FACTOR;
  request.ram = least;
  ink_painting tight = paint(p, &request);
  assert_int_equal(w.seen, 1);
  assert_true(tight.peak_bytes <= least);
  assert_int_equal(difference(&plain.picture, &roomy.picture), 0);
  assert_int_equal(difference(&plain.picture, &tight.picture), 0);
  ink_painting_free(&plain);
  ink_painting_free(&roomy);
  ink_painting_free(&tight);
  ink_picture_free(&w.last);
  ink_pipeline_free(p);
}

// ---- what does not fit --------------------------------------------------------------------------

static void assert_refused(ink_pipeline *p, const char *path, ink_status status, const char *one,
                           const char *two) {
  ink_error error = {0};
  ink_status found = ink_pipeline_set_taesd(p, path, &error);
  if (found != status || !strstr(error.text, one) || !strstr(error.text, two)) {
    fail_msg("%s: %d: %s", path, (int)found, error.text);
  }
}

static void what_does_not_fit_is_refused_and_changes_nothing(void **state) {
  (void)state;
  ink_error error = {0};
  ink_painting painting;
  ink_pipeline *p = open_pipeline("sd1", NULL);
  ink_paint_request request = small_request();
  request.taesd_decode = true;
  assert_int_equal(ink_pipeline_paint(p, &request, &painting, &error), INK_ERR_USAGE);
  set(p, "tiny");
  ink_painting before = paint(p, &request);
  // A factor of 4 instead of 2.
  assert_refused(p, fixture_path("networks/taesd"), INK_ERR_CONFLICT, "factor of 4", "factor of 2");
  make_tiny_taesd(in_scratch("wide"), &(tiny_taesd){FACTOR, 16, 3, 1, 7});
  assert_refused(p, in_scratch("wide/decoder.safetensors"), INK_ERR_CONFLICT, "16 channels",
                 "4 channels");
  assert_refused(p, in_scratch("encoder.safetensors"), INK_ERR_UNSUPPORTED, "encoder.safetensors",
                 "name its decoder");
  assert_refused(p, fixture_path("pipelines/expected.safetensors"), INK_ERR_NOT_FOUND,
                 "expected.safetensors", "TAESD");
  assert_refused(p, fixture_path("pipelines/sd1/vae"), INK_ERR_UNSUPPORTED, "AutoencoderKL",
                 "AutoencoderTiny");
  assert_refused(p, fixture_path("pipelines/init.png"), INK_ERR_FORMAT, "init.png", "");
  assert_refused(p, in_scratch("none.pth"), INK_ERR_NOT_FOUND, "none.pth", "");
  ink_painting after = paint(p, &request);
  assert_int_equal(difference(&before.picture, &after.picture), 0);
  ink_painting_free(&before);
  ink_painting_free(&after);
  ink_pipeline_free(p);
}

// A file may name as many levels as it likes; there is room for eight.
static void decoders_of_more_levels_than_there_are_are_refused(void **state) {
  (void)state;
  for (int levels = INK_TAESD_LEVELS; levels <= INK_TAESD_LEVELS + 1; levels++) {
    enum { MOST = 64 };
    ink_error error = {0};
    ink_safetensors_entry entries[MOST] = {{0}};
    char names[MOST][64];
    int n = 0;
    ink_safetensors_writer *writer;
    snprintf(names[n++], sizeof *names, "1.weight");
    for (int i = 0; i < levels; i++) {
      snprintf(names[n++], sizeof *names, "%d.conv.0.weight", 3 + 3 * i);
      snprintf(names[n++], sizeof *names, "%d.weight", i + 1 < levels ? 5 + 3 * i : 4 + 3 * i);
    }
    for (int i = 0; i < n; i++) {
      entries[i] = (ink_safetensors_entry){
          .name = names[i], .type_name = "F32", .rank = 4, .shape = {1, 1, 1, 1}};
    }
    const char *path = in_scratch("levels.safetensors");
    assert_ok(ink_safetensors_create(path, entries, (size_t)n, NULL, 0, &writer, &error));
    for (int i = 0; i < n; i++) {
      assert_ok(ink_safetensors_writer_data(writer, &(float){0}, sizeof(float), &error));
    }
    assert_ok(ink_safetensors_writer_commit(writer, &error));
    ink_safetensors_writer_free(writer);
    ink_weights *weights;
    ink_taesd_config config = {0};
    assert_ok(ink_weights_open(path, &weights, &error));
    ink_status status = ink_taesd_config_from_weights(NULL, weights, &config, &error);
    assert_int_equal(status, levels == INK_TAESD_LEVELS ? INK_OK : INK_ERR_NOT_FOUND);
    if (status == INK_OK) assert_int_equal(config.n_level, levels);
    ink_weights_close(weights);
  }
}

// An autoencoder whose pictures are grey: as one set, and as the model's own.
static void pictures_of_other_channels_are_refused(void **state) {
  (void)state;
  ink_error error = {0};
  ink_painting painting;
  ink_pipeline *p = open_pipeline("sd1", NULL), *grey;
  char command[12800];
  make_tiny_taesd(in_scratch("grey"), &(tiny_taesd){FACTOR, 4, 1, 1, 7});
  assert_refused(p, in_scratch("grey/decoder.safetensors"), INK_ERR_UNSUPPORTED,
                 "decoder.safetensors", "1 channels");
  snprintf(command, sizeof command, "cd '%s' && cp -r '%s' sd && rm -r sd/vae && mv tiny sd/vae",
           in_scratch("grey"), fixture_path("pipelines/sd1"));
  assert_int_equal(system(command), 0);
  assert_ok(ink_pipeline_open(in_scratch("grey/sd"), NULL, &grey, &error));
  ink_paint_request request = small_request();
  assert_int_equal(ink_pipeline_paint(grey, &request, &painting, &error), INK_ERR_UNSUPPORTED);
  assert_non_null(strstr(error.text, "1 channels"));
  ink_pipeline_free(grey);
  ink_pipeline_free(p);
}

// That of FLUX.2 in torch's zip: opened, and its 32 channels seen.
static void a_published_decoder_of_another_family_is_refused(void **state) {
  (void)state;
  const char *path = shared_path("taesd/taef2_decoder.pth");
  if (!path) {
    print_message("# no taesd/taef2_decoder.pth\n");
    skip();
  }
  ink_pipeline *p = open_pipeline("sd1", NULL);
  assert_refused(p, path, INK_ERR_CONFLICT, "32 channels", "4 channels");
  assert_refused(p, shared_path("taesd/taef2_encoder.pth"), INK_ERR_UNSUPPORTED, "taef2_encoder",
                 "name its decoder");
  ink_pipeline_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_picture_is_decoded_with_it_where_asked),
      cmocka_unit_test(the_same_decoder_in_any_layout_decodes_the_same),
      cmocka_unit_test(nothing_of_an_earlier_one_is_left),
      cmocka_unit_test(previews_are_decoded_with_it),
      cmocka_unit_test(previews_keep_within_memory),
      cmocka_unit_test(what_does_not_fit_is_refused_and_changes_nothing),
      cmocka_unit_test(pictures_of_other_channels_are_refused),
      cmocka_unit_test(decoders_of_more_levels_than_there_are_are_refused),
      cmocka_unit_test(a_published_decoder_of_another_family_is_refused),
  };
  return cmocka_run_group_tests_name("taesd", tests, set_up, scratch_close);
}
