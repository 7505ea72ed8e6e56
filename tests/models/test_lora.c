// Plug-ins of several trainers, merged as PEFT merges them.
#include <math.h>
#include <unistd.h>

#include "base/random.h"
#include "files.h"
#include "models/lora.h"
#include "networks_testing.h"
#include "scratch.h"
#include "tensor/gemm.h"
#include "weights/safetensors.h"

static ink_stable_diffusion *open_pipeline(void) {
  static const char *const parts[][2] = {
      {"unet", "unet-sd1"}, {"vae", "vae"}, {"text_encoder", "clip-l"}};
  char target[4096];
  ink_error error = {0};
  ink_stable_diffusion *sd;
  if (!ink_file_exists(in_scratch("scheduler"))) {
    for (size_t i = 0; i < 3; i++) {
      assert_non_null(realpath(below(fixture_path("networks"), parts[i][1]), target));
      assert_int_equal(symlink(target, in_scratch(parts[i][0])), 0);
    }
    assert_ok(ink_folder_make(in_scratch("scheduler"), &error));
    write_text(in_scratch("scheduler/scheduler_config.json"), "{}");
  }
  assert_ok(ink_stable_diffusion_open(scratch, &sd, &error));
  return sd;
}

static ink_tensor *run_unet(ink_compute *c, const ink_stable_diffusion *sd,
                            const network_fixture *unet) {
  ink_unet_input input = {.sample = find_expected(unet, "sample.0"),
                          .timesteps = find_expected(unet, "timesteps.0"),
                          .context = find_expected(unet, "context.0")};
  return ink_unet_forward(c, sd->unet, &input);
}

static ink_tensor *run_text(ink_compute *c, const ink_stable_diffusion *sd, const ink_tensor *ids) {
  return ink_clip_forward(c, sd->texts[0].clip, &(ink_clip_input){.ids = ids}).hidden;
}

static void every_kind_is_merged_as_peft_does_and_comes_out_again(void **state) {
  (void)state;
  static const char *const kinds[] = {"peft", "kohya", "processor", "dora", "loha", "lokr"};
  ink_stable_diffusion *sd = open_pipeline();
  network_fixture unet = open_network("unet-sd1"), text = open_network("clip-l");
  ink_weights *expected = open_network_file("lora", "/expected.safetensors");
  ink_compute *c = &unet.compute;
  ink_tensor *before = run_unet(c, sd, &unet);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    char name[64];
    ink_error error = {0};
    ink_lora *lora;
    ink_lora_report report;
    snprintf(name, sizeof name, "/%s.safetensors", kinds[i]);
    ink_weights *file = open_network_file("lora", name);
    ink_lora_options options = {.unet_strength = 1, .text_strength = 1};
    assert_ok(ink_lora_merge(c, sd, file, &options, &lora, &report, &error));
    ink_weights_close(file);
    assert_true(report.n_unet > 0 && report.n_unmatched == 0);
    snprintf(name, sizeof name, "output.%s", kinds[i]);
    check_close(&unet, name, run_unet(c, sd, &unet), ink_weights_find(expected, name), 1e-4);
    snprintf(name, sizeof name, "hidden.%s", kinds[i]);
    const ink_tensor *hidden = ink_weights_find(expected, name);
    assert_true((report.n_text > 0) == (hidden != NULL));
    if (hidden) {
      check_close(&unet, name, run_text(c, sd, find_expected(&text, "ids")), hidden, 1e-4);
    }
    ink_lora_remove(lora);
    ink_tensor *after = run_unet(c, sd, &unet);
    assert_memory_equal(before->data, after->data,
                        (size_t)ink_tensor_elements(after) * sizeof(float));
  }
  ink_weights_close(expected);
  close_network(&text);
  close_network(&unet);
  ink_stable_diffusion_free(sd);
}

// Twice half of it is the whole; nothing of it changes nothing.
static void strengths_add_up(void **state) {
  (void)state;
  ink_stable_diffusion *sd = open_pipeline();
  network_fixture unet = open_network("unet-sd1");
  ink_weights *expected = open_network_file("lora", "/expected.safetensors");
  ink_weights *file = open_network_file("lora", "/kohya.safetensors");
  ink_compute *c = &unet.compute;
  ink_error error = {0};
  ink_lora *loras[3];
  static const double strengths[] = {0.5, 0, 0.5};
  for (size_t i = 0; i < 3; i++) {
    ink_lora_options options = {.unet_strength = strengths[i], .text_strength = 0};
    assert_ok(ink_lora_merge(c, sd, file, &options, &loras[i], NULL, &error));
  }
  check_close(&unet, "halves", run_unet(c, sd, &unet), ink_weights_find(expected, "output.kohya"),
              1e-4);
  for (size_t i = 3; i-- > 0;) ink_lora_remove(loras[i]);
  check_close(&unet, "none", run_unet(c, sd, &unet), find_expected(&unet, "output.0"), 1e-4);
  ink_weights_close(file);
  ink_weights_close(expected);
  close_network(&unet);
  ink_stable_diffusion_free(sd);
}

static void a_plug_in_for_another_model_is_refused_by_name(void **state) {
  (void)state;
  ink_stable_diffusion *sd = open_pipeline();
  network_fixture unet = open_network("unet-sd1");
  ink_compute *c = &unet.compute;
  ink_error error = {0};
  ink_lora *lora;
  ink_lora_report report;
  ink_tensor *before = run_unet(c, sd, &unet);
  // A network's own weights are no plug-in: every tensor is unmatched.
  ink_weights *file = open_network_file("unet-sd2", "");
  ink_lora_options options = {.unet_strength = 1, .text_strength = 1};
  assert_int_equal(ink_lora_merge(c, sd, file, &options, &lora, &report, &error), INK_ERR_CONFLICT);
  assert_null(lora);
  assert_int_equal(report.n_unmatched, ink_weights_count(file));
  assert_non_null(strstr(error.text, ink_weights_at(file, 0)->name));
  options.allow_unmatched = true;
  assert_ok(ink_lora_merge(c, sd, file, &options, &lora, &report, &error));
  assert_int_equal(report.n_unet + report.n_text, 0);
  ink_lora_remove(lora);
  options.unet_strength = NAN;
  assert_int_equal(ink_lora_merge(c, sd, file, &options, &lora, &report, &error), INK_ERR_USAGE);
  ink_weights_close(file);
  ink_tensor *after = run_unet(c, sd, &unet);
  assert_memory_equal(before->data, after->data,
                      (size_t)ink_tensor_elements(after) * sizeof(float));
  close_network(&unet);
  ink_stable_diffusion_free(sd);
}

// ---- against the formulas of the papers ---------------------------------------------------------

enum { MOST_PARTS = 8, OUT = 8, IN = 8, SIDE = 3, TAPS = SIDE * SIDE };

// One tensor of a plug-in, of numbers that follow from `seed` where there is no value.
typedef struct part {
  const char *ending;
  int rank;
  int64_t shape[4];
  float value;
} part;

typedef struct plug_in {
  ink_weights *file;
  double *values[MOST_PARTS];
} plug_in;

static plug_in write_plug_in(const char *stem, const part *parts, size_t n) {
  ink_error error = {0};
  ink_safetensors_entry entries[MOST_PARTS] = {{0}};
  char names[MOST_PARTS][256];
  float *data[MOST_PARTS];
  plug_in p = {0};
  ink_safetensors_writer *writer;
  for (size_t i = 0; i < n; i++) {
    int64_t elements = 1;
    snprintf(names[i], sizeof names[i], "%s%s", stem, parts[i].ending);
    entries[i] =
        (ink_safetensors_entry){.name = names[i], .type_name = "F32", .rank = parts[i].rank};
    for (int k = 0; k < parts[i].rank; k++) elements *= entries[i].shape[k] = parts[i].shape[k];
    data[i] = calloc((size_t)elements, sizeof *data[i]);
    p.values[i] = calloc((size_t)elements, sizeof *p.values[i]);
    ink_random random = ink_random_at(9, i, 0);
    for (int64_t k = 0; k < elements; k++) {
      data[i][k] = parts[i].value != 0 ? parts[i].value : (float)ink_random_normal(&random) * 0.4F;
      p.values[i][k] = (double)data[i][k];
    }
  }
  const char *path = in_scratch("plug-in.safetensors");
  assert_ok(ink_safetensors_create(path, entries, n, NULL, 0, &writer, &error));
  const size_t *order = ink_safetensors_writer_order(writer);
  for (size_t i = 0; i < n; i++) {
    size_t size = sizeof(float);
    for (int k = 0; k < entries[order[i]].rank; k++) size *= (size_t)entries[order[i]].shape[k];
    assert_ok(ink_safetensors_writer_data(writer, data[order[i]], size, &error));
  }
  assert_ok(ink_safetensors_writer_commit(writer, &error));
  ink_safetensors_writer_free(writer);
  for (size_t i = 0; i < n; i++) free(data[i]);
  assert_ok(ink_weights_open(path, &p.file, &error));
  return p;
}

static void plug_in_free(plug_in *p) {
  ink_weights_close(p->file);
  for (int i = 0; i < MOST_PARTS; i++) free(p->values[i]);
}

static ink_tensor *parameter(ink_parameter *parameters, size_t n, const char *name) {
  for (size_t i = 0; i < n; i++) {
    if (strcmp(parameters[i].name, name) == 0) return parameters[i].tensor;
  }
  fail_msg("no %s", name);
  return NULL;
}

static ink_tensor *unet_weight(const ink_stable_diffusion *sd, const char *name) {
  size_t n;
  ink_parameter *parameters = ink_unet_parameters(sd->unet, &n);
  return parameter(parameters, n, name);
}

static double *values_of(const ink_tensor *x) {
  int64_t n = ink_tensor_elements(x);
  double *values = calloc((size_t)n, sizeof *values);
  float *plain = calloc((size_t)n, sizeof *plain);
  ink_to_f32(x->dtype, x->data, plain, n);
  for (int64_t i = 0; i < n; i++) values[i] = (double)plain[i];
  free(plain);
  return values;
}

// What a module adds to weight (o, i) at tap t.
typedef double (*change_of)(double *const *p, int64_t o, int64_t i, int64_t t);

// sum over a, b of left[a] core[a][b][t] right[b], for factors of rank 2 of which `left` is (rank,
// out) and `right` (rank, in).
static double tucker_of(const double *core, const double *left, int64_t out, int64_t o,
                        const double *right, int64_t in, int64_t i, int64_t t) {
  double sum = 0;
  for (int64_t a = 0; a < 2; a++) {
    for (int64_t b = 0; b < 2; b++) {
      sum += left[a * out + o] * core[(a * 2 + b) * TAPS + t] * right[b * in + i];
    }
  }
  return sum;
}

// Parts: up (out, 2), middle, down (2, in), alpha 3.
static double locon(double *const *p, int64_t o, int64_t i, int64_t t) {
  double left[2 * OUT];
  for (int64_t k = 0; k < OUT; k++) {
    left[k] = p[0][2 * k];
    left[OUT + k] = p[0][2 * k + 1];
  }
  return 1.5 * tucker_of(p[1], left, OUT, o, p[2], IN, i, t);
}

static double loha(double *const *p, int64_t o, int64_t i, int64_t t) {
  return 1.5 * tucker_of(p[0], p[1], OUT, o, p[2], IN, i, t) *
         tucker_of(p[3], p[4], OUT, o, p[5], IN, i, t);
}

// Whole (2, 4), and (4, 2) of each tap.
static double lokr(double *const *p, int64_t o, int64_t i, int64_t t) {
  return 1.5 * p[0][o / 4 * 4 + i / 2] * tucker_of(p[1], p[2], 4, o % 4, p[3], 2, i % 2, t);
}

static double difference(double *const *p, int64_t o, int64_t i, int64_t t) {
  return p[0][(o * IN + i) * TAPS + t];
}

#define CONV "down_blocks.0.resnets.0.conv1"
#define FLAT "down_blocks_0_resnets_0_conv1"
#define CORE \
  { 2, 2, SIDE, SIDE }

// Over the taps of a convolution, where each factor is small and a core lies between them.
static void cores_over_the_taps_are_those_of_the_papers(void **state) {
  (void)state;
  static const struct {
    const char *stem;
    part parts[MOST_PARTS];
    size_t n;
    change_of change;
  } cases[] = {{"lycoris_" FLAT,
                {{".lora_up.weight", 4, {OUT, 2, 1, 1}, 0},
                 {".lora_mid.weight", 4, CORE, 0},
                 {".lora_down.weight", 4, {2, IN, 1, 1}, 0},
                 {".alpha", 0, {0}, 3}},
                4,
                locon},
               {"base_model.model." CONV,
                {{".hada_t1", 4, CORE, 0},
                 {".hada_w1_a", 2, {2, OUT}, 0},
                 {".hada_w1_b", 2, {2, IN}, 0},
                 {".hada_t2", 4, CORE, 0},
                 {".hada_w2_a", 2, {2, OUT}, 0},
                 {".hada_w2_b", 2, {2, IN}, 0},
                 {".alpha", 0, {0}, 3}},
                7,
                loha},
               {"lora_unet_" FLAT,
                {{".lokr_w1", 2, {2, 4}, 0},
                 {".lokr_t2", 4, CORE, 0},
                 {".lokr_w2_a", 2, {2, 4}, 0},
                 {".lokr_w2_b", 2, {2, 2}, 0},
                 {".alpha", 0, {0}, 3}},
                5,
                lokr},
               {"unet." CONV, {{".diff", 4, {OUT, IN, SIDE, SIDE}, 0}}, 1, difference}};
  ink_stable_diffusion *sd = open_pipeline();
  ink_compute c = {.arena = ink_arena_new(0)};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    ink_error error = {0};
    ink_lora *lora;
    ink_lora_report report;
    ink_tensor *weight = unet_weight(sd, CONV ".weight");
    double *before = values_of(weight);
    plug_in p = write_plug_in(cases[k].stem, cases[k].parts, cases[k].n);
    assert_ok(ink_lora_merge(&c, sd, p.file,
                             &(ink_lora_options){.unet_strength = -0.5, .text_strength = 7}, &lora,
                             &report, &error));
    assert_int_equal(report.n_unet, 1);
    double *after = values_of(weight);
    for (int64_t o = 0; o < OUT; o++) {
      for (int64_t i = 0; i < IN; i++) {
        for (int64_t t = 0; t < TAPS; t++) {
          int64_t at = (o * IN + i) * TAPS + t;
          double wanted = before[at] - 0.5 * cases[k].change(p.values, o, i, t);
          if (!(fabs(after[at] - wanted) < 1e-5)) fail_msg("case %zu: %g", k, after[at] - wanted);
        }
      }
    }
    ink_lora_remove(lora);
    free(before);
    free(after);
    plug_in_free(&p);
  }
  ink_arena_free(c.arena);
  ink_stable_diffusion_free(sd);
}

// Lengths of rows or of columns, of which a share is taken by the strength; what has no length
// keeps none.
static void dora_gives_rows_or_columns_their_length(void **state) {
  (void)state;
#define WIDE "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
  enum { ROWS = 8, COLUMNS = 12 };
  static const struct {
    const char *name;
    int rank;
    int64_t shape[4];
    bool rows;
    int64_t in, taps;
  } cases[] = {{WIDE, 2, {ROWS, 1}, true, COLUMNS, 1},
               {WIDE, 2, {1, COLUMNS}, false, COLUMNS, 1},
               {CONV, 4, {1, IN, 1, 1}, false, IN, TAPS},
               {CONV, 4, {OUT, 1, 1, 1}, true, IN, TAPS}};
  ink_stable_diffusion *sd = open_pipeline();
  ink_compute c = {.arena = ink_arena_new(0)};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    ink_error error = {0};
    ink_lora *lora;
    char stem[128], weight_name[128];
    int64_t in = cases[k].in, taps = cases[k].taps, all = ROWS * in * taps;
    snprintf(stem, sizeof stem, "unet.%s", cases[k].name);
    snprintf(weight_name, sizeof weight_name, "%s.weight", cases[k].name);
    part parts[] = {{".lora_B.weight", 2, {ROWS, 1}, 0},
                    {".lora_A.weight", 2, {1, in}, 0},
                    {".dora_scale", cases[k].rank, {0}, 1.5F}};
    if (taps > 1) {
      parts[0] = (part){".lora_B.weight", 4, {ROWS, 1, 1, 1}, 0};
      parts[1] = (part){".lora_A.weight", 4, {1, in, SIDE, SIDE}, 0};
    }
    memcpy(parts[2].shape, cases[k].shape, sizeof parts[2].shape);
    ink_tensor *weight = unet_weight(sd, weight_name);
    double *before = values_of(weight);
    plug_in p = write_plug_in(stem, parts, 3);
    assert_ok(ink_lora_merge(&c, sd, p.file,
                             &(ink_lora_options){.unet_strength = 0.25, .text_strength = 1}, &lora,
                             NULL, &error));
    double *after = values_of(weight), lengths[COLUMNS] = {0};
    for (int pass = 0; pass < 2; pass++) {
      for (int64_t at = 0; at < all; at++) {
        int64_t o = at / (in * taps), i = at / taps % in, line = cases[k].rows ? o : i;
        double whole = before[at] + p.values[0][o] * p.values[1][at % (in * taps)];
        if (pass == 0) lengths[line] += whole * whole;
        double wanted = before[at] + 0.25 * (whole * 1.5 / sqrt(lengths[line]) - before[at]);
        if (pass && !(fabs(after[at] - wanted) < 1e-5)) {
          fail_msg("case %zu, %lld: %g instead of %g", k, (long long)at, after[at], wanted);
        }
      }
    }
    ink_lora_remove(lora);
    free(before);
    free(after);
    plug_in_free(&p);
  }
  ink_arena_free(c.arena);
  ink_stable_diffusion_free(sd);
}

// A bias has a difference of its own; a name that fits twice changes a weight once.
static void biases_and_names_of_every_trainer_are_found(void **state) {
  (void)state;
  static const struct {
    const char *stem, *down, *up;
  } cases[] = {{"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k",
                ".lora_down.weight", ".lora_up.weight"},
               {"lycoris_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k",
                ".lora_down.weight", ".lora_up.weight"},
               {"unet." WIDE, ".lora.down.weight", ".lora.up.weight"},
               {"base_model.model." WIDE, ".lora_A.default.weight", ".lora_B.default.weight"},
               {"unet." WIDE, ".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"},
               {"unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_k",
                "_lora.down.weight", "_lora.up.weight"},
               {"down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_k",
                "_lora.down.weight", "_lora.up.weight"}};
  const ink_lora_options options = {.unet_strength = 1, .text_strength = 1};
  ink_stable_diffusion *sd = open_pipeline();
  ink_compute c = {.arena = ink_arena_new(0)};
  ink_error error = {0};
  ink_lora *lora;
  ink_lora_report report;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const part parts[] = {{cases[k].down, 2, {1, 12}, 0}, {cases[k].up, 2, {8, 1}, 0}};
    plug_in p = write_plug_in(cases[k].stem, parts, 2);
    assert_ok(ink_lora_merge(&c, sd, p.file, &options, &lora, &report, &error));
    if (report.n_unet != 1 || report.n_text || report.n_unmatched) fail_msg("%s", cases[k].stem);
    ink_lora_remove(lora);
    plug_in_free(&p);
  }
  const part both[] = {{".diff", 4, {OUT, IN, SIDE, SIDE}, 0.5F}, {".diff_b", 1, {OUT}, 0.25F}};
  ink_tensor *bias = unet_weight(sd, CONV ".bias");
  double *before = values_of(bias);
  plug_in p = write_plug_in("lora_unet_" FLAT, both, 2);
  assert_ok(ink_lora_merge(&c, sd, p.file, &options, &lora, &report, &error));
  assert_int_equal(report.n_unet, 2);
  double *after = values_of(bias);
  for (int i = 0; i < OUT; i++) assert_true(fabs(after[i] - before[i] - 0.25) < 1e-6);
  ink_lora_remove(lora);
  free(before);
  free(after);
  plug_in_free(&p);
  ink_arena_free(c.arena);
  ink_stable_diffusion_free(sd);
}

// Each of two text encoders has names of its own.
static void plug_ins_of_two_text_encoders_are_told_apart(void **state) {
  (void)state;
  static const struct {
    const char *prefix;
    bool flat, changes[2];
  } cases[] = {{"lora_te1_", true, {true, false}},
               {"lora_te_", true, {true, false}},
               {"lora_te2_", true, {false, true}},
               {"text_encoder.", false, {true, false}},
               {"text_encoder_2.", false, {false, true}}};
  ink_error error = {0};
  ink_stable_diffusion *sd;
  ink_compute c = {.arena = ink_arena_new(0)};
  assert_ok(ink_stable_diffusion_open(fixture_path("pipelines/xl"), &sd, &error));
  assert_int_equal(sd->n_text, 2);
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    static const char name[] = "text_model.encoder.layers.0.mlp.fc1";
    char stem[128];
    snprintf(stem, sizeof stem, "%s%s", cases[k].prefix, name);
    for (char *at = stem + strlen(cases[k].prefix); cases[k].flat && *at; at++) {
      if (*at == '.') *at = '_';
    }
    ink_tensor *weights[2];
    double *before[2];
    for (size_t i = 0; i < 2; i++) {
      size_t n;
      ink_parameter *parameters = ink_clip_parameters(sd->texts[i].clip, &n);
      weights[i] = parameter(parameters, n, "text_model.encoder.layers.0.mlp.fc1.weight");
      before[i] = values_of(weights[i]);
    }
    const int64_t *shape = weights[cases[k].changes[1]]->shape;
    const part parts[] = {{".lora_down.weight", 2, {1, shape[1]}, 0.5F},
                          {".lora_up.weight", 2, {shape[0], 1}, 0.5F}};
    plug_in p = write_plug_in(stem, parts, 2);
    ink_lora *lora;
    assert_ok(ink_lora_merge(&c, sd, p.file,
                             &(ink_lora_options){.unet_strength = 9, .text_strength = 2}, &lora,
                             NULL, &error));
    for (size_t i = 0; i < 2; i++) {
      double *after = values_of(weights[i]), wanted = cases[k].changes[i] ? 0.5 : 0;
      if (!(fabs(after[0] - before[i][0] - wanted) < 1e-6)) fail_msg("%s", cases[k].prefix);
      free(after);
    }
    ink_lora_remove(lora);
    for (size_t i = 0; i < 2; i++) free(before[i]);
    plug_in_free(&p);
  }
  ink_arena_free(c.arena);
  ink_stable_diffusion_free(sd);
}

// Nothing of a plug-in is left out in silence, and the networks are then as they were.
static void modules_that_do_not_fit_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *what;
    part parts[MOST_PARTS];
    size_t n;
  } cases[] = {
      {"no way up", {{".lora_down.weight", 2, {1, 12}, 0}}, 1},
      {"no way down", {{".lora_up.weight", 2, {8, 1}, 0}}, 1},
      {"two ranks", {{".lora_down.weight", 2, {2, 12}, 0}, {".lora_up.weight", 2, {8, 3}, 0}}, 2},
      {"too wide", {{".lora_down.weight", 2, {1, 13}, 0}, {".lora_up.weight", 2, {8, 1}, 0}}, 2},
      {"turned", {{".lora_down.weight", 2, {1, 8}, 0}, {".lora_up.weight", 2, {12, 1}, 0}}, 2},
      {"other rows of as many",
       {{".lora_down.weight", 2, {1, 24}, 0}, {".lora_up.weight", 2, {4, 1}, 0}},
       2},
      {"a core of five sides' rank",
       {{".lora_down.weight", 2, {2, 12}, 0},
        {".lora_up.weight", 2, {8, 2}, 0},
        {".lora_mid.weight", 2, {2, 2}, 0}},
       3},
      {"half of a product", {{".hada_w1_a", 2, {8, 2}, 0}, {".hada_w1_b", 2, {2, 12}, 0}}, 2},
      {"factors of two shapes",
       {{".hada_w1_a", 2, {8, 2}, 0},
        {".hada_w1_b", 2, {2, 12}, 0},
        {".hada_w2_a", 2, {8, 2}, 0},
        {".hada_w2_b", 2, {2, 11}, 0}},
       4},
      {"half of a Kronecker product", {{".lokr_w1", 2, {2, 3}, 0}}, 1},
      {"lengths of neither side",
       {{".lora_down.weight", 2, {1, 12}, 0},
        {".lora_up.weight", 2, {8, 1}, 0},
        {".dora_scale", 2, {1, 8}, 1}},
       3},
      {"an alpha alone", {{".alpha", 0, {0}, 1}}, 1},
      {"what nobody knows", {{".lora_other.weight", 2, {8, 12}, 0}}, 1}};
  ink_stable_diffusion *sd = open_pipeline();
  ink_tensor *weight = unet_weight(sd, WIDE ".weight");
  const void *data = weight->data;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    ink_error error = {0};
    ink_lora *lora;
    ink_compute c = {.arena = ink_arena_new(0)};
    plug_in p = write_plug_in("unet." WIDE, cases[k].parts, cases[k].n);
    const ink_lora_options options = {.unet_strength = 1, .text_strength = 1};
    ink_status status = ink_lora_merge(&c, sd, p.file, &options, &lora, NULL, &error);
    if (status != INK_ERR_CONFLICT) {
      fail_msg("%s: %s: %s", cases[k].what, ink_status_name(status), error.text);
    }
    assert_null(lora);
    assert_ptr_equal(weight->data, data);
    plug_in_free(&p);
    ink_arena_free(c.arena);
  }
  const ink_lora_options loud[] = {{.unet_strength = 101}, {.text_strength = -101}};
  for (int i = 0; i < 2; i++) {
    const part parts[] = {{".lora_down.weight", 2, {1, 12}, 0}, {".lora_up.weight", 2, {8, 1}, 0}};
    ink_error error = {0};
    ink_lora *lora;
    ink_compute c = {.arena = ink_arena_new(0)};
    plug_in p = write_plug_in("unet." WIDE, parts, 2);
    assert_int_equal(ink_lora_merge(&c, sd, p.file, &loud[i], &lora, NULL, &error), INK_ERR_USAGE);
    plug_in_free(&p);
    ink_arena_free(c.arena);
  }
  ink_stable_diffusion_free(sd);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_is_merged_as_peft_does_and_comes_out_again),
      cmocka_unit_test(strengths_add_up),
      cmocka_unit_test(a_plug_in_for_another_model_is_refused_by_name),
      cmocka_unit_test(cores_over_the_taps_are_those_of_the_papers),
      cmocka_unit_test(dora_gives_rows_or_columns_their_length),
      cmocka_unit_test(biases_and_names_of_every_trainer_are_found),
      cmocka_unit_test(plug_ins_of_two_text_encoders_are_told_apart),
      cmocka_unit_test(modules_that_do_not_fit_are_refused),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
