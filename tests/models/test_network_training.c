// The networks of Stable Diffusion train by the code that runs them: every parameter's gradient
// against finite differences.
#include "networks_testing.h"
#include "tensor/tape.h"

// One network under test: its parameters, and a pass over it.
typedef struct trained {
  network_fixture fixture;
  void *network;
  ink_parameter *parameters;
  size_t n;
  ink_tensor *(*run)(ink_compute *c, const struct trained *t);
} trained;

// The weights of the sum that is the loss: no two elements count alike.
static ink_tensor *loss_of(ink_compute *c, const trained *t) {
  ink_tensor *y = t->run(c, t);
  if (!y) return NULL;
  ink_tensor *weights = ink_tensor_new(c->arena, INK_F32, y->rank, y->shape);
  int64_t n = ink_tensor_elements(y);
  for (int64_t i = 0; i < n; i++) {
    ((float *)weights->data)[i] = sinf(1.7f * (float)i + 0.3f) / sqrtf((float)n);
  }
  return ink_sum(c, ink_mul(c, y, weights));
}

static double loss_at(const trained *t) {
  ink_error error = {0};
  ink_compute c = {.arena = ink_arena_new(0), .pool = t->fixture.pool};
  ink_tensor *loss = loss_of(&c, t);
  assert_ok(ink_compute_status(&c, &error));
  double value = (double)*(float *)loss->data;
  ink_arena_free(c.arena);
  return value;
}

// The element of each parameter with the largest gradient, and what moving it does to the loss.
static void check_gradients(trained *t) {
  ink_error error = {0};
  ink_arena *lasting = ink_arena_new(0), *passing = ink_arena_new(0);
  ink_tensor *gradients[1024];
  assert_true(t->n > 0 && t->n <= 1024);
  for (size_t i = 0; i < t->n; i++) {
    ink_tensor *p = t->parameters[i].tensor;
    gradients[i] = ink_tensor_new(lasting, INK_F32, p->rank, p->shape);
    memset(gradients[i]->data, 0, (size_t)ink_tensor_elements(p) * sizeof(float));
    assert_ok(ink_tape_parameter(lasting, p, gradients[i], &error));
  }
  ink_compute c = {.arena = passing, .pool = t->fixture.pool, .tape = ink_tape_new(passing)};
  ink_tape_backward(&c, loss_of(&c, t), 1);
  assert_ok(ink_compute_status(&c, &error));
  size_t wrong = 0;
  for (size_t i = 0; i < t->n; i++) {
    const float *g = gradients[i]->data;
    int64_t best = 0;
    for (int64_t k = 0; k < ink_tensor_elements(gradients[i]); k++) {
      if (fabsf(g[k]) > fabsf(g[best])) best = k;
    }
    float *value = (float *)t->parameters[i].tensor->data + best, kept = *value;
    double difference = 0, h = 1e-3;
    *value = kept + (float)h;
    difference += loss_at(t);
    *value = kept - (float)h;
    difference -= loss_at(t);
    *value = kept;
    difference /= 2 * h;
    // Sums of single precision leave some 1e-3 of noise, corners of ReLU more.
    if (fabs(difference - (double)g[best]) > 0.03 * fabs((double)g[best]) + 6e-3) {
      print_message("# %s: %s: %g by the tape, %g by differences\n", t->fixture.name,
                    t->parameters[i].name, (double)g[best], difference);
      wrong++;
    }
  }
  if (wrong) fail_msg("%s: %zu of %zu gradients are wrong", t->fixture.name, wrong, t->n);
  ink_arena_free(passing);
  ink_arena_free(lasting);
}

// ---- UNets -------------------------------------------------------------------------------------

static ink_tensor *run_unet(ink_compute *c, const trained *t) {
  const network_fixture *f = &t->fixture;
  ink_unet_input input = {.sample = find_expected(f, "sample.1"),
                          .timesteps = find_expected(f, "timesteps.1"),
                          .context = find_expected(f, "context.1"),
                          .pooled = find_expected(f, "pooled.1"),
                          .time_ids = find_expected(f, "time_ids.1"),
                          .guidance = find_expected(f, "guidance.1")};
  return ink_unet_forward(c, t->network, &input);
}

static void gradients_of_unets_equal_finite_differences(void **state) {
  (void)state;
  static const char *const names[] = {"unet-sd2", "unet-xl"};
  for (size_t i = 0; i < 2; i++) {
    ink_unet_config config;
    ink_unet *unet;
    ink_error error = {0};
    trained t = {.fixture = open_network(names[i]), .run = run_unet};
    const ink_weights *weights = t.fixture.weights;
    assert_ok(ink_unet_config_from_json(ink_weights_config(weights), names[i], &config, &error));
    ink_source source = {.weights = weights, .trainable = true};
    assert_ok(ink_unet_new(&config, &source, &unet, &error));
    t.network = unet;
    t.parameters = ink_unet_parameters(unet, &t.n);
    check_gradients(&t);
    ink_unet_free(unet);
    close_network(&t.fixture);
  }
}

// ---- autoencoders ------------------------------------------------------------------------------

// There and back.
static ink_tensor *run_vae(ink_compute *c, const trained *t) {
  ink_vae_moments moments =
      ink_vae_encode(c, t->network, find_expected(&t->fixture, "picture"), INK_F32);
  ink_tensor *picture = ink_vae_decode(c, t->network, moments.mean, INK_F32);
  return picture;
}

static void gradients_of_the_autoencoder_equal_finite_differences(void **state) {
  (void)state;
  ink_vae_config config;
  ink_vae *vae;
  ink_error error = {0};
  trained t = {.fixture = open_network("vae-old"), .run = run_vae};
  const ink_weights *weights = t.fixture.weights;
  assert_ok(ink_vae_config_from_json(ink_weights_config(weights), "vae-old", &config, &error));
  ink_source source = {.weights = weights, .trainable = true};
  assert_ok(ink_vae_new(&config, &source, &vae, &error));
  t.network = vae;
  t.parameters = ink_vae_parameters(vae, &t.n);
  check_gradients(&t);
  ink_vae_free(vae);
  close_network(&t.fixture);
}

static ink_tensor *run_taesd(ink_compute *c, const trained *t) {
  ink_tensor *latents =
      ink_taesd_encode(c, t->network, find_expected(&t->fixture, "picture"), INK_F32);
  return ink_taesd_decode(c, t->network, latents, INK_F32);
}

static void gradients_of_the_tiny_autoencoder_equal_finite_differences(void **state) {
  (void)state;
  ink_taesd_config config;
  ink_taesd *taesd;
  ink_error error = {0};
  trained t = {.fixture = open_network("taesd"), .run = run_taesd};
  const ink_weights *weights = t.fixture.weights;
  assert_ok(ink_taesd_config_from_json(ink_weights_config(weights), "taesd", &config, &error));
  ink_source source = {.weights = weights, .trainable = true};
  assert_ok(ink_taesd_new(&config, &source, &source, &taesd, &error));
  t.network = taesd;
  t.parameters = ink_taesd_parameters(taesd, &t.n);
  check_gradients(&t);
  ink_taesd_free(taesd);
  close_network(&t.fixture);
}

// ---- text encoders -----------------------------------------------------------------------------

static ink_tensor *run_clip(ink_compute *c, const trained *t) {
  ink_clip_input input = {
      .ids = find_expected(&t->fixture, "ids"), .final_norm = true, .pooled = true};
  ink_clip_output out = ink_clip_forward(c, t->network, &input);
  return ink_concat(c, 1, 2,
                    (const ink_tensor *const[]){
                        out.hidden ? ink_reshape(c, out.hidden, 2, (const int64_t[]){2, -1}) : NULL,
                        out.projected});
}

static void gradients_of_the_text_encoder_equal_finite_differences(void **state) {
  (void)state;
  ink_clip_config config;
  ink_clip *clip;
  ink_error error = {0};
  trained t = {.fixture = open_network("clip-h"), .run = run_clip};
  const ink_weights *weights = t.fixture.weights;
  assert_ok(ink_clip_config_from_json(ink_weights_config(weights), "clip-h", &config, &error));
  ink_source source = {.weights = weights, .trainable = true};
  assert_ok(ink_clip_new(&config, &source, &clip, &error));
  t.network = clip;
  t.parameters = ink_clip_parameters(clip, &t.n);
  check_gradients(&t);
  ink_clip_free(clip);
  close_network(&t.fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gradients_of_unets_equal_finite_differences),
      cmocka_unit_test(gradients_of_the_autoencoder_equal_finite_differences),
      cmocka_unit_test(gradients_of_the_tiny_autoencoder_equal_finite_differences),
      cmocka_unit_test(gradients_of_the_text_encoder_equal_finite_differences),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
