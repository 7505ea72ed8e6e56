// Plug-ins of several trainers, merged as PEFT merges them.
#include <unistd.h>

#include "files.h"
#include "models/lora.h"
#include "networks_testing.h"
#include "scratch.h"

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_is_merged_as_peft_does_and_comes_out_again),
      cmocka_unit_test(strengths_add_up),
      cmocka_unit_test(a_plug_in_for_another_model_is_refused_by_name),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
