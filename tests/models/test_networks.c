// The networks of Stable Diffusion against diffusers and transformers.
#include "models/controlnet.h"
#include "models/esrgan.h"
#include "models/unet_parts.h"
#include "models/vae_parts.h"
#include "networks_testing.h"
#include "tensor/tape.h"

static const double parity = 1e-4;

// ---- UNets -------------------------------------------------------------------------------------

static ink_unet *open_unet(const network_fixture *f) {
  ink_unet_config config;
  ink_unet *unet;
  ink_error error = {0};
  assert_ok(ink_unet_config_from_json(ink_weights_config(f->weights), f->name, &config, &error));
  assert_ok(ink_unet_new(&config, &(ink_source){.weights = f->weights}, &unet, &error));
  return unet;
}

static ink_unet_input unet_input(const network_fixture *f, int k) {
  return (ink_unet_input){.sample = find_expected(f, "sample.%d", k),
                          .timesteps = find_expected(f, "timesteps.%d", k),
                          .context = find_expected(f, "context.%d", k),
                          .pooled = find_expected(f, "pooled.%d", k),
                          .time_ids = find_expected(f, "time_ids.%d", k),
                          .guidance = find_expected(f, "guidance.%d", k)};
}

static const char *const unets[] = {"unet-sd1", "unet-sd2", "unet-xl", "unet-few", "unet-small"};
enum { N_UNETS = sizeof unets / sizeof *unets };

// Residual blocks, transformers and what halves the picture, one after the other.
static void every_step_down_and_the_middle_equal_diffusers(void **state) {
  (void)state;
  for (size_t i = 0; i < N_UNETS; i++) {
    network_fixture f = open_network(unets[i]);
    ink_compute *c = &f.compute;
    ink_unet *unet = open_unet(&f);
    for (int k = 0; k < 2; k++) {
      ink_unet_input input = unet_input(&f, k);
      ink_unet_pass pass = {.config = &unet->config,
                            .groups = {unet->config.n_group, unet->config.norm_epsilon},
                            .context = input.context};
      ink_tensor *skips[INK_UNET_MOST_SKIPS];
      size_t n;
      pass.time = ink_unet_embed_conditions(c, &unet->config, &unet->conditions, &input);
      ink_tensor *x = ink_run_convolution(c, input.sample, &unet->in, 1);
      x = ink_unet_run_down(c, &pass, unet->down, x, INK_UNET_MOST_SKIPS, skips, &n);
      assert_int_equal(n, ink_unet_n_skips(&unet->config));
      for (size_t j = 0; j < n; j++) {
        char what[32];
        snprintf(what, sizeof what, "skip.%d.%zu", k, j);
        check_close(&f, what, skips[j], find_expected(&f, "%s", what), parity);
      }
      assert_null(find_expected(&f, "skip.%d.%zu", k, n));
      assert_true(unet->config.mid == (find_expected(&f, "middle.%d", k) != NULL));
      if (!unet->config.mid) continue;
      x = ink_unet_run_middle(c, &pass, unet->middle, x);
      check_close(&f, "middle", x, find_expected(&f, "middle.%d", k), parity);
    }
    ink_unet_free(unet);
    close_network(&f);
  }
}

static void unet_equals_diffusers(const char *name) {
  network_fixture f = open_network(name);
  ink_unet *unet = open_unet(&f);
  for (int k = 0; k < 2; k++) {
    ink_unet_input input = unet_input(&f, k);
    ink_tensor *y = ink_unet_forward(&f.compute, unet, &input);
    check_close(&f, "output", y, find_expected(&f, "output.%d", k), parity);
  }
  ink_unet_free(unet);
  close_network(&f);
}

static void unet_of_stable_diffusion_1_equals_diffusers(void **state) {
  (void)state;
  unet_equals_diffusers("unet-sd1");
}

static void unet_of_stable_diffusion_2_equals_diffusers(void **state) {
  (void)state;
  unet_equals_diffusers("unet-sd2");
}

static void unet_of_stable_diffusion_xl_equals_diffusers(void **state) {
  (void)state;
  unet_equals_diffusers("unet-xl");
}

static void unet_for_inpainting_in_few_steps_equals_diffusers(void **state) {
  (void)state;
  unet_equals_diffusers("unet-few");
}

// Transformers of several depths in one level, and one residual block for a middle.
static void unet_of_a_smaller_xl_equals_diffusers(void **state) {
  (void)state;
  unet_equals_diffusers("unet-small");
}

static void a_prepared_text_does_not_change_a_byte(void **state) {
  (void)state;
  for (size_t i = 0; i < N_UNETS; i++) {
    network_fixture f = open_network(unets[i]);
    ink_unet *unet = open_unet(&f);
    ink_unet_input input = unet_input(&f, 0);
    ink_tensor *plain = ink_unet_forward(&f.compute, unet, &input);
    input.text = ink_unet_prepare_text(&f.compute, unet, input.context, INK_F32);
    input.context = NULL;
    ink_tensor *kept = ink_unet_forward(&f.compute, unet, &input);
    assert_non_null(kept);
    assert_memory_equal(plain->data, kept->data,
                        (size_t)ink_tensor_elements(plain) * sizeof(float));
    ink_unet_free(unet);
    close_network(&f);
  }
}

static void assert_same_bytes(const ink_tensor *a, const ink_tensor *b) {
  assert_true(a && b && ink_tensor_same_shape(a, b));
  assert_memory_equal(a->data, b->data, (size_t)ink_tensor_elements(a) * sizeof(float));
}

static ink_tensor *with_timestep(network_fixture *f, const ink_unet_input *input, float timestep) {
  int64_t n = input->sample->shape[0];
  ink_tensor *t = ink_tensor_new(f->compute.arena, INK_F32, 1, &n);
  assert_non_null(t);
  for (int64_t i = 0; i < n; i++) ((float *)t->data)[i] = timestep;
  return t;
}

// Kept at any depth, they give the whole evaluation at its own timestep, and at an earlier one the
// line through two evaluations meets the first.
static void deep_features_stand_in_for_the_deep_part(void **state) {
  (void)state;
  for (size_t i = 0; i < N_UNETS; i++) {
    network_fixture f = open_network(unets[i]);
    ink_compute *c = &f.compute;
    ink_unet *unet = open_unet(&f);
    ink_unet_input first = unet_input(&f, 0), second = unet_input(&f, 0);
    first.timesteps = with_timestep(&f, &first, 700);
    second.timesteps = with_timestep(&f, &first, 500);
    ink_unet_input third = unet_input(&f, 0);
    third.timesteps = with_timestep(&f, &first, 300);
    ink_tensor *at_700 = ink_unet_forward(c, unet, &first);
    ink_tensor *at_500 = ink_unet_forward(c, unet, &second);
    int32_t n = (int32_t)ink_unet_n_skips(&unet->config);
    ink_arena *arena = ink_arena_new(0);
    for (int32_t shallow = 1; shallow < n; shallow++) {
      ink_unet_deep deep = {.shallow = shallow, .arena = arena};
      first.deep = second.deep = &deep;
      assert_same_bytes(ink_unet_forward(c, unet, &first), at_700);
      deep.reuse = true;
      assert_same_bytes(ink_unet_forward(c, unet, &first), at_700);
      deep.reuse = false;
      assert_same_bytes(ink_unet_forward(c, unet, &second), at_500);
      deep.reuse = true;
      assert_same_bytes(ink_unet_forward(c, unet, &second), at_500);
      assert_same_bytes(ink_unet_forward(c, unet, &first), at_700);
      // Further along than half a step the line is not followed.
      ink_tensor *half =
          ink_add(c, ink_scale(c, deep.features[0], 1.5f), ink_scale(c, deep.features[1], -0.5f));
      third.deep = &deep;
      ink_tensor *far = ink_unet_forward(c, unet, &third);
      third.deep = &(ink_unet_deep){.shallow = shallow,
                                    .arena = arena,
                                    .reuse = true,
                                    .n = 1,
                                    .features = {half},
                                    .timesteps = {500}};
      assert_same_bytes(ink_unet_forward(c, unet, &third), far);
      // What is kept is really what is used.
      memset(deep.features[0]->data, 0, (size_t)ink_tensor_elements(deep.features[0]) * 4);
      ink_tensor *blank = ink_unet_forward(c, unet, &second);
      assert_memory_not_equal(blank->data, at_500->data,
                              (size_t)ink_tensor_elements(blank) * sizeof(float));
    }
    first.deep = &(ink_unet_deep){.shallow = n, .arena = arena};
    assert_null(ink_unet_forward(c, unet, &first));
    assert_int_equal(c->error.status, INK_ERR_USAGE);
    ink_arena_free(arena);
    ink_unet_free(unet);
    close_network(&f);
  }
}

static void threads_do_not_change_a_byte(void **state) {
  (void)state;
  network_fixture f = open_network("unet-xl");
  ink_unet *unet = open_unet(&f);
  ink_unet_input input = unet_input(&f, 1);
  ink_tensor *two = ink_unet_forward(&f.compute, unet, &input);
  f.compute.pool = NULL;
  ink_tensor *one = ink_unet_forward(&f.compute, unet, &input);
  assert_non_null(one);
  assert_memory_equal(one->data, two->data, (size_t)ink_tensor_elements(one) * sizeof(float));
  ink_unet_free(unet);
  close_network(&f);
}

// The root of the mean square difference, as a part of the wanted tensor's own.
static double relative_difference(const ink_tensor *found, const ink_tensor *wanted) {
  double difference = 0, size = 0;
  assert_true(found && ink_tensor_same_shape(found, wanted));
  for (int64_t i = 0; i < ink_tensor_elements(wanted); i++) {
    double a = (double)((float *)found->data)[i], b = (double)((float *)wanted->data)[i];
    difference += (a - b) * (a - b);
    size += b * b;
  }
  return sqrt(difference / size);
}

// BF16 keeps 8 bits: a part in 256, some twenty layers deep, and most where attention is
// peaked (unet-few).
static void bf16_activations_stay_near(void **state) {
  (void)state;
  static const double most[N_UNETS] = {0.05, 0.05, 0.1, 0.3, 0.12};
  for (size_t i = 0; i < N_UNETS; i++) {
    network_fixture f = open_network(unets[i]);
    ink_unet *unet = open_unet(&f);
    ink_unet_input input = unet_input(&f, 0);
    input.activations = INK_BF16;
    ink_tensor *y = ink_unet_forward(&f.compute, unet, &input);
    double difference = relative_difference(y, find_expected(&f, "output.0"));
    print_message("# %-10s bf16 %.3f\n", unets[i], difference);
    if (!(difference < most[i])) fail_msg("%s: BF16 differs by %g", unets[i], difference);
    ink_unet_free(unet);
    close_network(&f);
  }
}

// Between its start and its result a pass leaves nothing in the arena but the result.
static void a_pass_gives_its_memory_back(void **state) {
  (void)state;
  network_fixture f = open_network("unet-sd1");
  ink_unet *unet = open_unet(&f);
  ink_unet_input input = unet_input(&f, 0);
  size_t before = ink_arena_used(f.arena);
  ink_tensor *y = ink_unet_forward(&f.compute, unet, &input);
  size_t result = (size_t)ink_tensor_elements(y) * sizeof(float);
  assert_true(ink_arena_used(f.arena) - before < result + 1024);
  ink_unet_free(unet);
  close_network(&f);
}

// ---- ControlNet --------------------------------------------------------------------------------

static void controlnet_residuals_equal_diffusers_and_steer_the_unet_alike(void **state) {
  (void)state;
  network_fixture f = open_network("controlnet"), u = open_network("unet-sd1");
  ink_controlnet_config config;
  ink_controlnet *controlnet;
  ink_unet *unet = open_unet(&u);
  ink_error error = {0};
  assert_ok(ink_controlnet_config_from_json(ink_weights_config(f.weights), "controlnet", &config,
                                            &error));
  assert_ok(ink_controlnet_new(&config, &(ink_source){.weights = f.weights}, &controlnet, &error));
  ink_unet_input input = {.sample = find_expected(&f, "sample"),
                          .timesteps = find_expected(&f, "timesteps"),
                          .context = find_expected(&f, "context")};
  ink_tensor *hint = ink_tensor_new(f.arena, INK_F32, 4, (int64_t[]){2, 64, 64, 3});
  for (int i = 0; i < 2 * 64 * 64 * 3; i++) {
    ((float *)hint->data)[i] = (float)(0.5 + 0.5 * sin(0.37 * i));
  }
  ink_unet_residuals residuals;
  assert_true(ink_controlnet_forward(&f.compute, controlnet, &input, hint, 1, &residuals));
  for (size_t i = 0; i < residuals.n; i++) {
    check_close(&f, "skip", residuals.skips[i], find_expected(&f, "skip.%zu", i), parity);
  }
  assert_null(find_expected(&f, "skip.%zu", residuals.n));
  check_close(&f, "middle", residuals.middle, find_expected(&f, "middle"), parity);
  assert_true(ink_controlnet_forward(&f.compute, controlnet, &input, hint, 0.5f, &residuals));
  input.control = &residuals;
  check_close(&f, "output", ink_unet_forward(&f.compute, unet, &input), find_expected(&f, "output"),
              parity);
  ink_controlnet_free(controlnet);
  ink_unet_free(unet);
  close_network(&u);
  close_network(&f);
}

static void what_no_controlnet_sees_is_refused(void **state) {
  (void)state;
  network_fixture f = open_network("controlnet");
  ink_controlnet_config config;
  ink_controlnet *controlnet;
  ink_error error = {0};
  json_t *json = json_deep_copy(ink_weights_config(f.weights));
  json_object_set_new(json, "controlnet_conditioning_channel_order", json_string("bgr"));
  assert_ok(ink_controlnet_config_from_json(json, "controlnet", &config, &error));
  assert_true(config.bgr);
  json_object_set_new(json, "controlnet_conditioning_channel_order", json_string("gbr"));
  assert_int_equal(ink_controlnet_config_from_json(json, "controlnet", &config, &error),
                   INK_ERR_UNSUPPORTED);
  json_decref(json);
  assert_ok(ink_controlnet_config_from_json(ink_weights_config(f.weights), "controlnet", &config,
                                            &error));
  assert_false(config.bgr);
  assert_ok(ink_controlnet_new(&config, &(ink_source){.weights = f.weights}, &controlnet, &error));
  const ink_unet_input input = {.sample = find_expected(&f, "sample"),
                                .timesteps = find_expected(&f, "timesteps"),
                                .context = find_expected(&f, "context")};
  const int64_t shapes[][4] = {
      {2, 64, 64, 3}, {1, 64, 64, 3}, {2, 32, 64, 3}, {2, 64, 32, 3}, {2, 64, 64, 4}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    ink_compute c = {.arena = f.arena};
    ink_unet_residuals residuals;
    ink_tensor *hint = ink_tensor_new(f.arena, INK_F32, 4, shapes[i]);
    memset(hint->data, 0, (size_t)ink_tensor_elements(hint) * sizeof(float));
    assert_int_equal(ink_controlnet_forward(&c, controlnet, &input, hint, 1, &residuals), i == 0);
    assert_int_equal(ink_compute_status(&c, NULL), i ? INK_ERR_USAGE : INK_OK);
  }
  // Latents of odd sides leave what the UNet leaves: halves are rounded up.
  ink_compute c = {.arena = f.arena};
  ink_unet_residuals residuals;
  ink_unet_input odd = input;
  ink_tensor *sample = ink_tensor_new(f.arena, INK_F32, 4, (int64_t[]){2, 5, 7, 4});
  ink_tensor *hint = ink_tensor_new(f.arena, INK_F32, 4, (int64_t[]){2, 40, 56, 3});
  memset(sample->data, 0, (size_t)ink_tensor_elements(sample) * sizeof(float));
  memset(hint->data, 0, (size_t)ink_tensor_elements(hint) * sizeof(float));
  odd.sample = sample;
  assert_true(ink_controlnet_forward(&c, controlnet, &odd, hint, 1, &residuals));
  assert_int_equal(residuals.middle->shape[1], 2);
  assert_int_equal(residuals.middle->shape[2], 2);
  ink_controlnet_free(controlnet);
  close_network(&f);
}

// ---- autoencoders ------------------------------------------------------------------------------

static void vae_equals_diffusers(const char *name) {
  network_fixture f = open_network(name);
  ink_vae_config config;
  ink_vae *vae;
  ink_error error = {0};
  assert_ok(ink_vae_config_from_json(ink_weights_config(f.weights), name, &config, &error));
  assert_ok(ink_vae_new(&config, &(ink_source){.weights = f.weights}, &vae, &error));
  ink_compute *c = &f.compute;
  ink_vae_moments moments = ink_vae_encode(c, vae, find_expected(&f, "picture"), INK_F32);
  check_close(&f, "mean", moments.mean, find_expected(&f, "mean"), parity);
  check_close(&f, "variance", moments.log_variance, find_expected(&f, "log_variance"), parity);
  const ink_tensor *latents = find_expected(&f, "latents");
  check_close(&f, "decoded", ink_vae_decode(c, vae, latents, INK_F32), find_expected(&f, "decoded"),
              parity);
  check_close(&f, "bf16", ink_vae_decode(c, vae, latents, INK_BF16), find_expected(&f, "decoded"),
              0.1);
  ink_vae_free(vae);
  close_network(&f);
}

static void autoencoder_encodes_and_decodes_as_diffusers(void **state) {
  (void)state;
  vae_equals_diffusers("vae");
}

static void autoencoder_with_the_names_of_old_diffusers_equals_it(void **state) {
  (void)state;
  vae_equals_diffusers("vae-old");
}

// In F16, as others run it, the autoencoder of XL gives black pictures: sums beyond 65504.
static void activations_beyond_the_range_of_f16_do_not_overflow(void **state) {
  (void)state;
  network_fixture f = open_network("vae");
  ink_vae_config config;
  ink_vae *vae;
  ink_error error = {0};
  assert_ok(ink_vae_config_from_json(ink_weights_config(f.weights), "vae", &config, &error));
  assert_ok(ink_vae_new(&config, &(ink_source){.weights = f.weights}, &vae, &error));
  ink_tensor *latents = ink_scale(&f.compute, find_expected(&f, "latents"), 1e7f);
  ink_tensor *exact = ink_vae_decode(&f.compute, vae, latents, INK_F32);
  ink_tensor *half = ink_vae_decode(&f.compute, vae, latents, INK_BF16);
  assert_ok(ink_compute_status(&f.compute, &error));
  for (int64_t i = 0; i < ink_tensor_elements(half); i++) {
    assert_true(isfinite(((float *)half->data)[i]));
  }
  assert_true(relative_difference(half, exact) < 0.1);
  ink_vae_free(vae);
  close_network(&f);
}

static ink_taesd *open_taesd(const network_fixture *f, ink_taesd_config *config) {
  ink_taesd *taesd;
  ink_error error = {0};
  ink_source source = {.weights = f->weights};
  assert_ok(ink_taesd_config_from_json(ink_weights_config(f->weights), "taesd", config, &error));
  assert_ok(ink_taesd_new(config, &source, &source, &taesd, &error));
  return taesd;
}

static void tiny_autoencoder_encodes_and_decodes_as_diffusers(void **state) {
  (void)state;
  network_fixture f = open_network("taesd");
  ink_taesd_config config;
  ink_taesd *taesd = open_taesd(&f, &config);
  assert_true(config.scaling_factor == 0.5);
  size_t n;
  ink_taesd_parameters(taesd, &n);
  assert_int_equal(n, ink_weights_count(f.weights));
  check_close(&f, "encoded",
              ink_taesd_encode(&f.compute, taesd, find_expected(&f, "picture"), INK_F32),
              find_expected(&f, "encoded"), parity);
  check_close(&f, "decoded",
              ink_taesd_decode(&f.compute, taesd, find_expected(&f, "latents"), INK_F32),
              find_expected(&f, "decoded"), parity);
  ink_taesd_free(taesd);
  close_network(&f);
}

// In bands, several at the larger sizes, and as a tape has it, in whole layers.
static void a_tiny_autoencoder_gives_the_same_in_bands_alone_and_for_any_threads(void **state) {
  (void)state;
  network_fixture f = open_network("taesd");
  ink_taesd_config config;
  ink_taesd *taesd = open_taesd(&f, &config);
  ink_error error = {0};
  ink_compute c = {.arena = ink_arena_new(0)};
  int64_t height = 520 / ink_taesd_factor(taesd), width = 132 / ink_taesd_factor(taesd);
  ink_tensor *latents =
      ink_tensor_new(c.arena, INK_F32, 4, (int64_t[]){2, height, width, config.latent_channels});
  ink_random random = ink_random_at(3, 1, 0);
  for (int64_t i = 0; i < ink_tensor_elements(latents); i++) {
    ((float *)latents->data)[i] = (float)ink_random_normal(&random);
  }
  for (int bf16 = 0; bf16 < 2; bf16++) {
    ink_dtype type = bf16 ? INK_BF16 : INK_F32;
    ink_tensor *y = ink_taesd_decode(&c, taesd, latents, type);
    assert_non_null(y);
    c.pool = ink_pool_new(3);
    ink_tensor *alone = ink_taesd_decode(&c, taesd, ink_slice(&c, latents, 0, 1, 1), type);
    ink_pool_free(c.pool);
    c.pool = NULL;
    assert_ok(ink_compute_status(&c, &error));
    size_t n = (size_t)ink_tensor_elements(alone);
    assert_true(n > 2 * 32768);
    assert_memory_equal(alone->data, (float *)y->data + n, n * sizeof(float));
    if (bf16) continue;
    ink_compute taped = {.arena = c.arena, .tape = ink_tape_new(c.arena)};
    ink_tensor *whole = ink_taesd_decode(&taped, taesd, latents, INK_F32);
    assert_ok(ink_compute_status(&taped, &error));
    check_close(&f, "decoded in bands", y, whole, parity);
  }
  ink_taesd_free(taesd);
  ink_arena_free(c.arena);
  close_network(&f);
}

static void what_no_tiny_autoencoder_takes_is_refused(void **state) {
  (void)state;
  network_fixture f = open_network("taesd");
  ink_taesd_config config;
  ink_taesd *taesd = open_taesd(&f, &config);
  const int64_t side = 2 * ink_taesd_factor(taesd);
  // Sides that are no multiples, channels, batches of none.
  const int64_t shapes[][4] = {{1, side, side, 3},
                               {1, side, side + 1, 3},
                               {1, side + 1, side, 3},
                               {1, side, side, 4},
                               {0, side, side, 3}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    ink_compute c = {.arena = f.arena};
    ink_tensor *x = ink_tensor_new(f.arena, INK_F32, 4, shapes[i]);
    memset(x->data, 0, (size_t)ink_tensor_elements(x) * sizeof(float));
    assert_int_equal(ink_taesd_encode(&c, taesd, x, INK_F32) != NULL, i == 0);
    assert_int_equal(ink_compute_status(&c, NULL), i ? INK_ERR_USAGE : INK_OK);
  }
  ink_compute taped = {.arena = f.arena, .tape = ink_tape_new(f.arena)};
  assert_null(ink_taesd_decode(&taped, taesd, find_expected(&f, "latents"), INK_BF16));
  assert_int_equal(ink_compute_status(&taped, NULL), INK_ERR_USAGE);
  // Nor levels of several widths, which no published one has.
  ink_error error = {0};
  ink_source source = {.weights = f.weights};
  ink_taesd *other;
  for (int half = 0; half < 2; half++) {
    ink_taesd_config g = config;
    (half ? g.encoder_channels : g.decoder_channels)[1]++;
    assert_int_equal(ink_taesd_new(&g, &source, &source, &other, &error), INK_ERR_UNSUPPORTED);
    assert_null(other);
  }
  ink_taesd_free(taesd);
  close_network(&f);
}

// Latents of FLUX.2 by the published pair of files: a drawn picture comes back as it was.
static void a_published_tiny_autoencoder_gives_a_picture_back(void **state) {
  (void)state;
  enum { SIDE = 128 };
  const char *paths[] = {shared_path("taesd/taef2_encoder.pth"),
                         shared_path("taesd/taef2_decoder.pth")};
  if (!paths[0] || !paths[1]) skip();
  ink_weights *halves[2];
  ink_taesd_config config;
  ink_taesd *taesd;
  ink_error error = {0};
  for (int i = 0; i < 2; i++) assert_ok(ink_weights_open(paths[i], &halves[i], &error));
  assert_ok(ink_taesd_config_from_weights(halves[0], halves[1], &config, &error));
  assert_true(config.pooled && config.latent_channels == 32 && config.n_level == 4);
  ink_source encoder = {.weights = halves[0], .naming = INK_NAMING_LDM};
  ink_source decoder = {.weights = halves[1], .naming = INK_NAMING_LDM};
  assert_ok(ink_taesd_new(&config, &encoder, &decoder, &taesd, &error));
  ink_compute c = {.arena = ink_arena_new(0), .pool = ink_pool_new(2)};
  ink_tensor *picture = ink_tensor_new(c.arena, INK_F32, 4, (int64_t[]){1, SIDE, SIDE, 3});
  for (int y = 0; y < SIDE; y++) {
    for (int x = 0; x < SIDE; x++) {
      float *pixel = (float *)picture->data + (y * SIDE + x) * 3;
      bool sun = (x - 88) * (x - 88) + (y - 36) * (y - 36) < 18 * 18;
      bool hill = (float)y > 84 + 10 * sinf((float)x / 17),
           house = x > 24 && x < 56 && y > 60 && y < 100;
      pixel[0] = sun ? 0.95f : house ? 0.5f : hill ? -0.6f : -0.4f + 0.006f * (float)y;
      pixel[1] = sun ? 0.7f : house ? -0.3f : hill ? 0.2f : 0.1f + 0.004f * (float)y;
      pixel[2] = sun ? -0.2f : house ? -0.5f : hill ? -0.7f : 0.8f;
    }
  }
  ink_tensor *latents = ink_taesd_encode(&c, taesd, picture, INK_F32);
  ink_tensor *back = ink_taesd_decode(&c, taesd, latents, INK_F32);
  assert_ok(ink_compute_status(&c, &error));
  assert_true(latents->shape[1] == SIDE / 8 && latents->shape[3] == 32);
  double sum = 0;
  int64_t n = ink_tensor_elements(picture);
  for (int64_t i = 0; i < n; i++) {
    double d = (double)((float *)picture->data)[i] - (double)((float *)back->data)[i];
    sum += d * d / 4;  // the range is 2 wide
  }
  double psnr = -10 * log10(sum / (double)n);
  print_message("# PSNR %.1f dB\n", psnr);
  assert_true(psnr > 28);
  ink_taesd_free(taesd);
  ink_pool_free(c.pool);
  ink_arena_free(c.arena);
  for (int i = 0; i < 2; i++) ink_weights_close(halves[i]);
}

// ---- an upscaler -------------------------------------------------------------------------------

static void upscaler_equals_its_paper_under_newer_and_older_names(void **state) {
  (void)state;
  for (int scale = 4; scale >= 2; scale -= 2) {
    char file[32], result[8];
    snprintf(file, sizeof file, "/model-x%d.pth", scale);
    snprintf(result, sizeof result, "x%d", scale);
    network_fixture f = {.name = "esrgan",
                         .weights = open_network_file("esrgan", file),
                         .expected = open_network_file("esrgan", "/expected.safetensors"),
                         .arena = ink_arena_new(0),
                         .pool = ink_pool_new(2)};
    f.compute = (ink_compute){.arena = f.arena, .pool = f.pool};
    ink_esrgan_config config;
    ink_naming naming;
    ink_esrgan *esrgan;
    ink_error error = {0};
    assert_ok(ink_esrgan_config_from_weights(f.weights, &config, &naming, &error));
    assert_true(config.scale == scale && config.n_block == 2 && config.unshuffle == 4 / scale);
    assert_true(naming == (scale == 4 ? INK_NAMING_DIFFUSERS : INK_NAMING_LDM));
    ink_source source = {.weights = f.weights, .naming = naming};
    assert_ok(ink_esrgan_new(&config, &source, &esrgan, &error));
    ink_tensor *y =
        ink_esrgan_forward(&f.compute, esrgan, find_expected(&f, "picture"), INK_F32, 0);
    check_close(&f, result, y, find_expected(&f, "%s", result), parity);
    // Sides that are no multiples of what it takes together, and scales that it does not have.
    for (int side = 0; side < 2; side++) {
      ink_compute c = {.arena = f.arena};
      ink_tensor *x = ink_tensor_new(f.arena, INK_F32, 4, (int64_t[]){1, 8 + side, 9 - side, 3});
      memset(x->data, 0, (size_t)ink_tensor_elements(x) * sizeof(float));
      assert_int_equal(ink_esrgan_forward(&c, esrgan, x, INK_F32, 0) != NULL, scale == 4);
      assert_int_equal(ink_compute_status(&c, NULL), scale == 4 ? INK_OK : INK_ERR_USAGE);
    }
    ink_esrgan *other;
    ink_esrgan_config wrong = config;
    wrong.scale = 3;
    assert_int_equal(ink_esrgan_new(&wrong, &source, &other, &error), INK_ERR_UNSUPPORTED);
    ink_esrgan_free(esrgan);
    close_network(&f);
  }
}

// ---- text encoders -----------------------------------------------------------------------------

static void clip_equals_transformers(const char *name) {
  network_fixture f = open_network(name);
  ink_clip_config config;
  ink_clip *clip;
  ink_error error = {0};
  assert_ok(ink_clip_config_from_json(ink_weights_config(f.weights), name, &config, &error));
  assert_ok(ink_clip_new(&config, &(ink_source){.weights = f.weights}, &clip, &error));
  ink_clip_input input = {.ids = find_expected(&f, "ids")};
  for (input.skip = 0; input.skip <= config.n_layer; input.skip++) {
    for (int norm = 0; norm < 2; norm++) {
      input.final_norm = norm;
      input.pooled = input.skip == 1;
      ink_clip_output out = ink_clip_forward(&f.compute, clip, &input);
      check_close(
          &f, norm ? "normed" : "hidden", out.hidden,
          find_expected(&f, "%s.%d", norm ? "normed" : "hidden", config.n_layer - input.skip),
          parity);
      if (!input.pooled) continue;
      check_close(&f, "pooled", out.pooled, find_expected(&f, "pooled"), parity);
      assert_true((out.projected != NULL) == (config.projection > 0));
      if (out.projected) {
        check_close(&f, "projected", out.projected, find_expected(&f, "projected"), parity);
      }
    }
  }
  ink_clip_free(clip);
  close_network(&f);
}

static void text_encoder_with_quick_gelu_equals_transformers(void **state) {
  (void)state;
  clip_equals_transformers("clip-l");
}

static void text_encoder_with_projection_equals_transformers(void **state) {
  (void)state;
  clip_equals_transformers("clip-h");
}

static void embeddings_in_place_of_ids_take_their_effect(void **state) {
  (void)state;
  network_fixture f = open_network("clip-l");
  ink_clip_config config;
  ink_clip *clip;
  ink_error error = {0};
  assert_ok(ink_clip_config_from_json(ink_weights_config(f.weights), "clip-l", &config, &error));
  assert_ok(ink_clip_new(&config, &(ink_source){.weights = f.weights}, &clip, &error));
  ink_clip_input input = {.ids = find_expected(&f, "ids")};
  ink_tensor *rows = ink_clip_embed(&f.compute, clip, input.ids);
  input.embeddings = rows;
  ink_clip_output same = ink_clip_forward(&f.compute, clip, &input);
  check_close(&f, "embedded", same.hidden, find_expected(&f, "hidden.3"), parity);
  ((float *)rows->data)[0] += 3;
  ink_clip_output other = ink_clip_forward(&f.compute, clip, &input);
  assert_true(fabsf(((float *)other.hidden->data)[0] - ((float *)same.hidden->data)[0]) > 0.01f);
  ink_clip_free(clip);
  close_network(&f);
}

// Twice the same picture at once goes through whole; one alone goes in bands of rows, of any size.
static void check_upscaler_in_bands(int32_t n_up) {
  enum { H = 40, W = 40 };
  ink_compute compute = {.arena = ink_arena_new(0)}, *c = &compute;
  ink_esrgan_config config = {.in_channels = 3,
                              .out_channels = 3,
                              .scale = 1 << n_up,
                              .unshuffle = 1,
                              .features = 32,
                              .growth = 32,
                              .n_block = 2,
                              .n_up = n_up};
  ink_esrgan *esrgan;
  ink_error error = {0};
  assert_ok(ink_esrgan_new(&config, &(ink_source){.seed = 3}, &esrgan, &error));
  ink_tensor *two = ink_tensor_new(c->arena, INK_F32, 4, (int64_t[]){2, H, W, 3});
  int64_t n = ink_tensor_elements(two) / 2;
  float *values = two->data;
  for (int64_t i = 0; i < n; i++) values[i] = values[i + n] = (float)sin(0.7 * (double)i);
  const ink_tensor *one = ink_slice(c, two, 0, 0, 1);
  for (int dtype = 0; dtype < 2; dtype++) {
    ink_dtype activations = dtype ? INK_BF16 : INK_F32;
    ink_tensor *whole = ink_esrgan_forward(c, esrgan, two, activations, 0);
    size_t taken[2];
    for (int small = 0; small < 2; small++) {
      ink_compute own = {.arena = ink_arena_new(0)};
      ink_tensor *bands = ink_esrgan_forward(&own, esrgan, one, activations, small ? 1 : 0);
      assert_ok(ink_compute_status(&own, &error));
      assert_memory_equal(bands->data, whole->data, (size_t)ink_tensor_elements(bands) * 4);
      taken[small] = ink_arena_peak(own.arena);
      ink_arena_free(own.arena);
    }
    assert_true(taken[1] < taken[0]);
  }
  ink_esrgan_free(esrgan);
  ink_arena_free(c->arena);
}

static void an_upscaler_in_bands_gives_the_bytes_of_the_whole(void **state) {
  (void)state;
  check_upscaler_in_bands(0);
  check_upscaler_in_bands(2);
}

// Twice the same picture at once goes through whole; one alone goes in bands of rows, of any size.
static void an_autoencoder_in_bands_gives_the_bytes_of_the_whole(void **state) {
  (void)state;
  enum { H = 22, W = 24 };
  ink_compute compute = {.arena = ink_arena_new(0)}, *c = &compute;
  ink_vae_config config = {.in_channels = 3,
                           .out_channels = 3,
                           .latent_channels = 4,
                           .n_level = 2,
                           .channels = {8, 16},
                           .n_layer = 1,
                           .n_group = 4,
                           .quant = true,
                           .post_quant = true,
                           .scaling_factor = 1};
  ink_vae *vae;
  ink_error error = {0};
  assert_ok(ink_vae_new(&config, &(ink_source){.seed = 3}, &vae, &error));
  int64_t factor = ink_vae_factor(vae), z = config.latent_channels;
  ink_tensor *two = ink_tensor_new(c->arena, INK_F32, 4, (int64_t[]){2, H, W, z});
  ink_tensor *big = ink_tensor_new(c->arena, INK_F32, 4, (int64_t[]){2, H * factor, W * factor, 3});
  ink_tensor *both[2] = {two, big};
  for (int k = 0; k < 2; k++) {
    int64_t n = ink_tensor_elements(both[k]) / 2;
    float *values = both[k]->data;
    for (int64_t i = 0; i < n; i++) values[i] = values[i + n] = (float)sin(0.7 * (double)i);
  }
  for (int dtype = 0; dtype < 2; dtype++) {
    ink_dtype activations = dtype ? INK_BF16 : INK_F32;
    ink_tensor *whole = ink_vae_decode(c, vae, two, activations);
    size_t used = ink_arena_used(c->arena);
    ink_tensor *bands = ink_vae_decode(c, vae, ink_slice(c, two, 0, 0, 1), activations);
    assert_ok(ink_compute_status(c, &error));
    assert_memory_equal(bands->data, whole->data, (size_t)ink_tensor_elements(bands) * 4);
    // Nothing but the result stays.
    assert_true(ink_arena_used(c->arena) < used + (size_t)ink_tensor_elements(bands) * 4 + 4096);
    ink_tensor *small = ink_vae_decode_bands(c, vae, ink_slice(c, two, 0, 0, 1), activations, 1);
    assert_ok(ink_compute_status(c, &error));
    assert_memory_equal(small->data, whole->data, (size_t)ink_tensor_elements(small) * 4);
    ink_vae_moments a = ink_vae_encode(c, vae, big, activations);
    ink_vae_moments b = ink_vae_encode(c, vae, ink_slice(c, big, 0, 0, 1), activations);
    assert_ok(ink_compute_status(c, &error));
    assert_memory_equal(b.mean->data, a.mean->data, (size_t)ink_tensor_elements(b.mean) * 4);
    assert_memory_equal(b.log_variance->data, a.log_variance->data,
                        (size_t)ink_tensor_elements(b.mean) * 4);
    small = ink_vae_encode_bands(c, vae, ink_slice(c, big, 0, 0, 1), activations, 1);
    ink_tensor *mean = ink_cast(c, ink_slice(c, small, 3, 0, z), INK_F32);
    assert_ok(ink_compute_status(c, &error));
    assert_memory_equal(mean->data, a.mean->data, (size_t)ink_tensor_elements(mean) * 4);
  }
  ink_vae_free(vae);
  ink_arena_free(c->arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_upscaler_in_bands_gives_the_bytes_of_the_whole),
      cmocka_unit_test(an_autoencoder_in_bands_gives_the_bytes_of_the_whole),
      cmocka_unit_test(every_step_down_and_the_middle_equal_diffusers),
      cmocka_unit_test(unet_of_stable_diffusion_1_equals_diffusers),
      cmocka_unit_test(unet_of_stable_diffusion_2_equals_diffusers),
      cmocka_unit_test(unet_of_stable_diffusion_xl_equals_diffusers),
      cmocka_unit_test(unet_for_inpainting_in_few_steps_equals_diffusers),
      cmocka_unit_test(unet_of_a_smaller_xl_equals_diffusers),
      cmocka_unit_test(a_prepared_text_does_not_change_a_byte),
      cmocka_unit_test(deep_features_stand_in_for_the_deep_part),
      cmocka_unit_test(threads_do_not_change_a_byte),
      cmocka_unit_test(bf16_activations_stay_near),
      cmocka_unit_test(a_pass_gives_its_memory_back),
      cmocka_unit_test(controlnet_residuals_equal_diffusers_and_steer_the_unet_alike),
      cmocka_unit_test(what_no_controlnet_sees_is_refused),
      cmocka_unit_test(autoencoder_encodes_and_decodes_as_diffusers),
      cmocka_unit_test(autoencoder_with_the_names_of_old_diffusers_equals_it),
      cmocka_unit_test(activations_beyond_the_range_of_f16_do_not_overflow),
      cmocka_unit_test(tiny_autoencoder_encodes_and_decodes_as_diffusers),
      cmocka_unit_test(a_tiny_autoencoder_gives_the_same_in_bands_alone_and_for_any_threads),
      cmocka_unit_test(what_no_tiny_autoencoder_takes_is_refused),
      cmocka_unit_test(a_published_tiny_autoencoder_gives_a_picture_back),
      cmocka_unit_test(upscaler_equals_its_paper_under_newer_and_older_names),
      cmocka_unit_test(text_encoder_with_quick_gelu_equals_transformers),
      cmocka_unit_test(text_encoder_with_projection_equals_transformers),
      cmocka_unit_test(embeddings_in_place_of_ids_take_their_effect),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
