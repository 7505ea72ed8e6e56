// The forward pass as it trains: gradients against finite differences, packed documents, dropout,
// fresh parameters.
#include "models_testing.h"
#include "tensor/tape.h"

static ink_decoder_config tiny(const char *architecture) {
  ink_decoder_config config = {.vocab = 19,
                               .context = 16,
                               .n_layer = 2,
                               .n_head = 4,
                               .n_kv_head = 2,
                               .head_dim = 8,
                               .hidden = 24,
                               .ff = 40,
                               .norm_epsilon = 1e-6f,
                               .rope_dim = 8,
                               .rope_theta = 10000};
  snprintf(config.architecture, sizeof config.architecture, "%s", architecture);
  if (strcmp(architecture, "gpt2") == 0) {
    config.n_head = config.n_kv_head = 3;
    config.rope_dim = 0;
    config.activation = INK_ACTIVATION_GELU_TANH;
    config.tied_head = config.qkv_bias = config.output_bias = config.mlp_bias = true;
  }
  if (strcmp(architecture, "llama") == 0) config.rope_style = INK_ROPE_PAIRS;
  if (strcmp(architecture, "qwen2") == 0) config.qkv_bias = true;
  if (strcmp(architecture, "qwen3") == 0) config.qk_norm = config.tied_head = true;
  return config;
}

static ink_decoder *fresh(const ink_decoder_config *config, ink_residual_init residual) {
  ink_error error = {0};
  ink_decoder *decoder;
  ink_decoder_init init = {.seed = 7, .std = 0.3f, .residual = residual};
  assert_ok(ink_decoder_new(config, &init, &decoder, &error));
  return decoder;
}

// Two documents of 5 and 7 tokens in one row of 12.
enum { N = 12, FIRST = 5 };
static int32_t ids[N] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8};
static int32_t targets[N] = {1, 4, 1, 5, -1, 2, 6, 5, 3, 5, 8, 9};
static int32_t positions[N] = {0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6};
static int32_t first_keys[N] = {0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 5, 5};

static ink_tensor row(int32_t *values, int64_t n) {
  return ink_tensor_view(INK_I32, values, 2, (int64_t[]){1, n});
}

// Loss of the two documents; with a tape, its gradients as well.
static double loss_of(const ink_decoder *decoder, bool backward, int threads) {
  ink_error error = {0};
  ink_compute c = {.arena = ink_arena_new(0), .pool = ink_pool_new(threads)};
  if (backward) c.tape = ink_tape_new(c.arena);
  ink_tensor id_row = row(ids, N), position_row = row(positions, N), key_row = row(first_keys, N);
  ink_decoder_input input = {.ids = &id_row, .positions = &position_row, .first_key = &key_row};
  ink_tensor *hidden = ink_decoder_forward(&c, decoder, &input);
  assert_ok(ink_compute_status(&c, &error));
  hidden = ink_reshape(&c, hidden, 2, (int64_t[]){N, -1});
  ink_tensor target = ink_tensor_view(INK_I32, targets, 1, (int64_t[]){N});
  float losses[N];
  ink_tensor *loss =
      ink_linear_cross_entropy(&c, hidden, ink_decoder_head_weight(decoder), &target, NULL, losses);
  assert_ok(ink_compute_status(&c, &error));
  if (backward) ink_tape_backward(&c, loss, 1);
  assert_ok(ink_compute_status(&c, &error));
  double sum = 0;
  for (int i = 0; i < N; i++) sum += targets[i] < 0 ? 0 : (double)losses[i];
  ink_pool_free(c.pool);
  ink_arena_free(c.arena);
  return sum;
}

// Make every parameter trainable; gradients lie one after another. malloc'ed, cleared.
static float *make_trainable(ink_decoder *decoder, ink_arena *arena, size_t *n_float) {
  ink_error error = {0};
  size_t n;
  ink_parameter *parameters = ink_decoder_parameters(decoder, &n);
  *n_float = (size_t)ink_decoder_size(decoder);
  float *gradients = calloc(*n_float, sizeof *gradients);
  float *next = gradients;
  for (size_t i = 0; i < n; i++) {
    ink_tensor *tensor = parameters[i].tensor;
    ink_tensor *gradient = ink_arena_take(arena, sizeof *gradient);
    *gradient = ink_tensor_view(INK_F32, next, tensor->rank, tensor->shape);
    assert_ok(ink_tape_parameter(arena, tensor, gradient, &error));
    next += ink_tensor_elements(tensor);
  }
  return gradients;
}

// Along the gradient's own direction the loss must rise at the rate of the gradient's length.
static void check_slope(const ink_decoder *decoder, const ink_parameter *parameter,
                        const float *gradient) {
  size_t n = (size_t)ink_tensor_elements(parameter->tensor);
  float *values = parameter->tensor->data;
  double length = 0;
  for (size_t i = 0; i < n; i++) length += (double)gradient[i] * (double)gradient[i];
  length = sqrt(length);
  if (!(length > 1e-3)) fail_msg("%s has no gradient (%g)", parameter->name, length);
  // Small enough that the loss stays near its tangent, large enough to stand out of rounding.
  double step = fmin(1e-2, 0.1 / length);
  float *kept = malloc(n * sizeof *kept);
  memcpy(kept, values, n * sizeof *kept);
  double loss[2];
  for (int side = 0; side < 2; side++) {
    double signed_step = side ? step : -step;
    for (size_t i = 0; i < n; i++) {
      values[i] = (float)((double)kept[i] + signed_step * (double)gradient[i] / length);
    }
    loss[side] = loss_of(decoder, false, 1);
  }
  memcpy(values, kept, n * sizeof *kept);
  free(kept);
  double slope = (loss[1] - loss[0]) / (2 * step);
  if (!(fabs(slope - length) <= 1e-2 * length + 1e-3)) {
    fail_msg("%s: the loss rises by %g per step, its gradient says %g", parameter->name, slope,
             length);
  }
}

static void check_gradients(const char *architecture) {
  ink_decoder_config config = tiny(architecture);
  ink_decoder *decoder = fresh(&config, INK_RESIDUAL_PLAIN);
  ink_arena *arena = ink_arena_new(0);
  size_t n_float, n;
  float *gradients = make_trainable(decoder, arena, &n_float), *next = gradients;
  loss_of(decoder, true, 2);
  ink_parameter *parameters = ink_decoder_parameters(decoder, &n);
  for (size_t i = 0; i < n; i++) {
    check_slope(decoder, &parameters[i], next);
    next += ink_tensor_elements(parameters[i].tensor);
  }
  free(gradients);
  ink_arena_free(arena);
  ink_decoder_free(decoder);
}

static void gradients_of_every_gpt2_parameter_match_finite_differences(void **state) {
  (void)state;
  check_gradients("gpt2");
}

static void gradients_of_every_llama_parameter_match_finite_differences(void **state) {
  (void)state;
  check_gradients("llama");
}

static void gradients_of_every_qwen2_parameter_match_finite_differences(void **state) {
  (void)state;
  check_gradients("qwen2");
}

static void gradients_of_every_qwen3_parameter_match_finite_differences(void **state) {
  (void)state;
  check_gradients("qwen3");
}

static void threads_do_not_change_a_byte_of_the_gradients(void **state) {
  (void)state;
  static const int teams[] = {1, 2, 7};
  ink_decoder_config config = tiny("qwen3");
  float *first = NULL;
  for (size_t t = 0; t < 3; t++) {
    ink_decoder *decoder = fresh(&config, INK_RESIDUAL_PLAIN);
    ink_arena *arena = ink_arena_new(0);
    size_t n;
    float *gradients = make_trainable(decoder, arena, &n);
    loss_of(decoder, true, teams[t]);
    if (first) {
      assert_memory_equal(first, gradients, n * sizeof *gradients);
      free(gradients);
    } else {
      first = gradients;
    }
    ink_arena_free(arena);
    ink_decoder_free(decoder);
  }
  free(first);
}

static float *hidden_of(const ink_decoder *decoder, const ink_decoder_input *input, bool tape) {
  ink_error error = {0};
  ink_compute c = {.arena = ink_arena_new(0)};
  if (tape) c.tape = ink_tape_new(c.arena);
  const ink_tensor *hidden = ink_decoder_forward(&c, decoder, input);
  assert_ok(ink_compute_status(&c, &error));
  size_t bytes = (size_t)ink_tensor_elements(hidden) * sizeof(float);
  float *kept = malloc(bytes);
  memcpy(kept, hidden->data, bytes);
  ink_arena_free(c.arena);
  return kept;
}

static void packed_documents_do_not_see_each_other(void **state) {
  (void)state;
  static const char *const names[] = {"gpt2", "llama", "qwen2", "qwen3"};
  for (size_t i = 0; i < 4; i++) {
    ink_decoder_config config = tiny(names[i]);
    ink_decoder *decoder = fresh(&config, INK_RESIDUAL_PLAIN);
    ink_tensor all = row(ids, N), all_positions = row(positions, N), keys = row(first_keys, N);
    ink_tensor first = row(ids, FIRST), second = row(ids + FIRST, N - FIRST);
    float *packed = hidden_of(
        decoder, &(ink_decoder_input){.ids = &all, .positions = &all_positions, .first_key = &keys},
        false);
    float *one = hidden_of(decoder, &(ink_decoder_input){.ids = &first}, false);
    float *other = hidden_of(decoder, &(ink_decoder_input){.ids = &second}, false);
    size_t width = (size_t)config.hidden;
    assert_true(largest_difference(packed, one, FIRST * width) <= 1e-5);
    assert_true(largest_difference(packed + FIRST * width, other, (N - FIRST) * width) <= 1e-5);
    free(packed);
    free(one);
    free(other);
    ink_decoder_free(decoder);
  }
}

static void linear_rope_scaling_divides_positions(void **state) {
  (void)state;
  ink_decoder_config plain = tiny("qwen3"), scaled = plain;
  scaled.rope_scaling = INK_ROPE_LINEAR;
  scaled.rope_factor = 2;
  ink_decoder *a = fresh(&plain, INK_RESIDUAL_PLAIN), *b = fresh(&scaled, INK_RESIDUAL_PLAIN);
  int32_t doubled[7] = {0, 2, 4, 6, 8, 10, 12};
  ink_tensor some = row(ids, 7), places = row(doubled, 7);
  ink_decoder_input at_single = {.ids = &some}, at_double = {.ids = &some, .positions = &places};
  float *x = hidden_of(a, &at_single, false), *y = hidden_of(b, &at_double, false);
  float *z = hidden_of(a, &at_double, false);
  size_t n = (size_t)(7 * plain.hidden);
  assert_true(largest_difference(x, y, n) <= 1e-6);
  assert_true(largest_difference(x, z, n) > 1e-2);
  free(x);
  free(y);
  free(z);
  ink_decoder_free(a);
  ink_decoder_free(b);
}

// Rows of a batch are sequences of their own.
static void a_sequence_does_not_depend_on_its_batch_mates(void **state) {
  (void)state;
  ink_decoder_config config = tiny("qwen3");
  ink_decoder *decoder = fresh(&config, INK_RESIDUAL_PLAIN);
  ink_tensor both = ink_tensor_view(INK_I32, ids, 2, (int64_t[]){2, N / 2});
  ink_tensor alone = row(ids + N / 2, N / 2);
  float *batch = hidden_of(decoder, &(ink_decoder_input){.ids = &both}, false);
  float *single = hidden_of(decoder, &(ink_decoder_input){.ids = &alone}, false);
  size_t half = (size_t)(config.hidden * N / 2);
  assert_memory_equal(batch + half, single, half * sizeof *single);
  free(batch);
  free(single);
  ink_decoder_free(decoder);
}

static void dropout_depends_on_seed_and_step_alone_and_trains_only(void **state) {
  (void)state;
  ink_decoder_config config = tiny("qwen3");
  ink_decoder *decoder = fresh(&config, INK_RESIDUAL_PLAIN);
  ink_tensor all = row(ids, N);
  ink_decoder_input plain = {.ids = &all}, dropped = plain, later;
  dropped.dropout = 0.25f;
  dropped.dropout_seed = 3;
  later = dropped;
  later.dropout_step = 1;
  size_t bytes = (size_t)(config.hidden * N) * sizeof(float);
  float *a = hidden_of(decoder, &plain, true), *b = hidden_of(decoder, &dropped, true);
  float *c = hidden_of(decoder, &dropped, true), *d = hidden_of(decoder, &later, true);
  float *e = hidden_of(decoder, &dropped, false);
  assert_memory_not_equal(a, b, bytes);
  assert_memory_equal(b, c, bytes);
  assert_memory_not_equal(b, d, bytes);
  assert_memory_equal(a, e, bytes);
  free(a);
  free(b);
  free(c);
  free(d);
  free(e);
  ink_decoder_free(decoder);
}

static const ink_parameter *named(ink_decoder *decoder, const char *name) {
  size_t n;
  ink_parameter *parameters = ink_decoder_parameters(decoder, &n);
  for (size_t i = 0; i < n; i++) {
    if (strcmp(parameters[i].name, name) == 0) return &parameters[i];
  }
  fail_msg("no parameter %s", name);
  return NULL;
}

static double deviation(const ink_tensor *tensor) {
  const float *values = tensor->data;
  double square = 0;
  for (int64_t i = 0; i < ink_tensor_elements(tensor); i++) {
    square += (double)values[i] * (double)values[i];
  }
  return sqrt(square / (double)ink_tensor_elements(tensor));
}

static void fresh_parameters_follow_their_names_and_not_their_neighbours(void **state) {
  (void)state;
  ink_decoder_config small = tiny("qwen3"), deep = small;
  deep.n_layer = 5;
  ink_decoder *a = fresh(&small, INK_RESIDUAL_PLAIN), *b = fresh(&deep, INK_RESIDUAL_PLAIN);
  const char *name = "model.layers.1.mlp.up_proj.weight";
  const ink_tensor *x = named(a, name)->tensor, *y = named(b, name)->tensor;
  const ink_tensor *z = named(a, "model.layers.0.mlp.up_proj.weight")->tensor;
  size_t bytes = (size_t)ink_tensor_elements(x) * sizeof(float);
  assert_memory_equal(x->data, y->data, bytes);
  assert_memory_not_equal(x->data, z->data, bytes);
  assert_true(fabs(deviation(x) - 0.3) < 0.03);
  ink_decoder_free(a);
  ink_decoder_free(b);
}

static void residual_projections_begin_as_asked(void **state) {
  (void)state;
  static const struct {
    ink_residual_init residual;
    double expected;
  } cases[] = {{INK_RESIDUAL_PLAIN, 0.3}, {INK_RESIDUAL_SCALED, 0.15}, {INK_RESIDUAL_ZERO, 0}};
  ink_decoder_config config = tiny("llama");
  for (size_t i = 0; i < 3; i++) {
    ink_decoder *decoder = fresh(&config, cases[i].residual);
    const char *const residual[] = {"model.layers.0.self_attn.o_proj.weight",
                                    "model.layers.1.mlp.down_proj.weight"};
    for (size_t j = 0; j < 2; j++) {
      double is = deviation(named(decoder, residual[j])->tensor);
      assert_true(fabs(is - cases[i].expected) <= 0.1 * cases[i].expected);
    }
    assert_true(deviation(named(decoder, "model.layers.0.mlp.up_proj.weight")->tensor) > 0.25);
    assert_int_equal(named(decoder, "lm_head.weight")->role, INK_PARAMETER_HEAD);
    assert_int_equal(named(decoder, "model.embed_tokens.weight")->role, INK_PARAMETER_EMBEDDING);
    assert_int_equal(named(decoder, "model.norm.weight")->role, INK_PARAMETER_VECTOR);
    ink_decoder_free(decoder);
  }
}

static void a_cache_cannot_be_trained_through(void **state) {
  (void)state;
  ink_error error = {0};
  ink_decoder_config config = tiny("qwen3");
  ink_decoder *decoder = fresh(&config, INK_RESIDUAL_PLAIN);
  ink_kv_cache *cache;
  assert_ok(ink_kv_cache_new(&config, 1, N, INK_F32, &cache, &error));
  ink_compute c = {.arena = ink_arena_new(0)};
  c.tape = ink_tape_new(c.arena);
  ink_tensor all = row(ids, N);
  ink_decoder_input input = {.ids = &all, .cache = cache};
  assert_null(ink_decoder_forward(&c, decoder, &input));
  assert_int_equal(ink_compute_status(&c, NULL), INK_ERR_USAGE);
  assert_int_equal(ink_kv_cache_length(cache), 0);
  ink_arena_free(c.arena);
  ink_kv_cache_free(cache);
  ink_decoder_free(decoder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gradients_of_every_gpt2_parameter_match_finite_differences),
      cmocka_unit_test(gradients_of_every_llama_parameter_match_finite_differences),
      cmocka_unit_test(gradients_of_every_qwen2_parameter_match_finite_differences),
      cmocka_unit_test(gradients_of_every_qwen3_parameter_match_finite_differences),
      cmocka_unit_test(threads_do_not_change_a_byte_of_the_gradients),
      cmocka_unit_test(packed_documents_do_not_see_each_other),
      cmocka_unit_test(linear_rope_scaling_divides_positions),
      cmocka_unit_test(a_sequence_does_not_depend_on_its_batch_mates),
      cmocka_unit_test(dropout_depends_on_seed_and_step_alone_and_trains_only),
      cmocka_unit_test(fresh_parameters_follow_their_names_and_not_their_neighbours),
      cmocka_unit_test(residual_projections_begin_as_asked),
      cmocka_unit_test(a_cache_cannot_be_trained_through),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
