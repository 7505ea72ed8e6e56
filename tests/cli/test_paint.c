// inkstone paint as it is run: what it prints, writes and refuses, pictures that are repeated, and
// what they say of themselves.
#include <ctype.h>

#include "base/bytes.h"
#include "mark/c2pa/validate.h"
#include "pictures.h"
#include "program.h"
#include "tiny_taesd.h"

#define PAINT "$INK paint --model \"$FIXTURES/pipelines/sd1\" --steps 3 --size 64x64 "

// A model that was named by its path is named again: pictures do not tell paths.
#define AGAIN "$INK paint --model \"$FIXTURES/pipelines/sd1\" "

// One installation for all commands of a test: its key shapes the noise.
#define run_fine(...) expect_done(run_at_home(__VA_ARGS__))

// The same but for the signature, which is made anew each time.
static bool same_content(const char *one, const char *two) {
  const char *names[2] = {one, two};
  ink_text bare[2] = {{0}, {0}};
  ink_error error = {0};
  for (int i = 0; i < 2; i++) {
    size_t size;
    char *bytes = read_file(in_scratch(names[i]), &size);
    const unsigned char *file = (const unsigned char *)bytes;
    assert_ok(
        ink_carrier_remove(ink_carrier_for(names[i], file, size), file, size, &bare[i], &error));
    free(bytes);
  }
  bool same =
      bare[0].size == bare[1].size && memcmp(bare[0].bytes, bare[1].bytes, bare[0].size) == 0;
  ink_text_free(&bare[0]);
  ink_text_free(&bare[1]);
  return same;
}

static ink_c2pa_report report_of(const char *name) {
  size_t size;
  char *bytes = read_file(in_scratch(name), &size);
  const unsigned char *file = (const unsigned char *)bytes;
  ink_c2pa_report report = {0};
  ink_error error = {0};
  assert_ok(ink_c2pa_validate(file, size, ink_carrier_for(name, file, size), NULL, 0, NULL, &report,
                              &error));
  free(bytes);
  return report;
}

static void paint_prints_one_object_and_writes_the_picture(void **state) {
  (void)state;
  program_run run = run_here(PAINT "'A photo of a cat' --negative blurry --seed 5 -o a.png --json");
  json_t *json = json_of(&run);
  assert_string_equal(json_string_value(json_array_get(json_object_get(json, "files"), 0)),
                      "a.png");
  assert_int_equal(json_integer_value(json_object_get(json, "seed")), 5);
  assert_int_equal(json_integer_value(json_array_get(json_object_get(json, "size"), 1)), 64);
  const json_t *model = json_object_get(json, "model"), *timing = json_object_get(json, "timing");
  assert_int_equal(strlen(json_string_value(json_object_get(model, "sha256"))), 64);
  // PNDM, the model's own, evaluates its second step twice.
  assert_int_equal(json_array_size(json_object_get(timing, "step_seconds")), 4);
  assert_true(json_integer_value(json_object_get(timing, "peak_bytes")) > 0);
  assert_true(json_is_real(json_object_get(timing, "encode_seconds")));
  assert_true(json_is_real(json_object_get(timing, "decode_seconds")));
  assert_non_null(strstr(run.err, "seed 5"));
  json_decref(json);
  drop_run(&run);

  ink_picture_extras extras = {0};
  ink_picture picture = read_picture(in_scratch("a.png"), &extras);
  assert_int_equal(picture.width, 64);
  const char *parameters = ink_picture_note(&extras, "parameters");
  assert_non_null(strstr(parameters,
                         "A photo of a cat\nNegative prompt: blurry\nSteps: 3, "
                         "Sampler: PLMS, Schedule type: Automatic, CFG scale: 7.5, "
                         "Seed: 5, Size: 64x64"));
  assert_non_null(strstr(parameters, "Model: sd1, "));
  const char *recipe = ink_picture_note(&extras, "inkstone");
  assert_non_null(strstr(recipe, "\"name\":\"sd1\""));
  ink_picture_free(&picture);
  ink_picture_extras_free(&extras);
}

static void a_picture_says_that_it_was_generated(void **state) {
  (void)state;
  run_fine(PAINT "cat --seed 1 -o marked.png");
  run_fine(PAINT "cat --seed 1 --watermark gaussian --unmarked -o plain.png");
  ink_picture_extras extras = {0}, none = {0};
  ink_picture marked = read_picture(in_scratch("marked.png"), &extras);
  ink_picture plain = read_picture(in_scratch("plain.png"), &none);
  assert_non_null(strstr(extras.xmp, "trainedAlgorithmicMedia"));
  assert_non_null(strstr(extras.xmp, "ProduceID"));
  assert_null(none.xmp);
  // The label stands in the lower half; the rest is the picture.
  size_t half = ink_picture_bytes(&plain) / 2;
  assert_memory_equal(marked.pixels, plain.pixels, half);
  assert_memory_not_equal(marked.pixels + half, plain.pixels + half, half);
  ink_picture_free(&marked);
  ink_picture_free(&plain);
  ink_picture_extras_free(&extras);
}

static const char *action_of(const ink_c2pa_report *report, size_t i, const char *member) {
  const json_t *actions = ink_c2pa_assertion_of(report, "c2pa.actions.v2");
  const json_t *action = json_array_get(json_object_get(actions, "actions"), i);
  return json_string_value(json_object_get(action, member));
}

static void a_picture_is_signed_under_the_identity_of_its_labels(void **state) {
  (void)state;
  static const char *const names[] = {"signed.png", "signed.jpg", "signed.webp"};
  for (int i = 0; i < 3; i++) {
    char command[512];
    snprintf(command, sizeof command, PAINT "'a cat' --seed 6 --producer 0011studio -o %s",
             names[i]);
    run_fine("%s", command);
    ink_c2pa_report report = report_of(names[i]);
    assert_int_equal(report.state, INK_C2PA_VALID);
    assert_string_equal(action_of(&report, 0, "action"), "c2pa.created");
    assert_non_null(strstr(action_of(&report, 0, "digitalSourceType"), "/trainedAlgorithmicMedia"));
    const json_t *recipe = ink_c2pa_assertion_of(&report, "org.inkstone.recipe");
    assert_string_equal(json_string_value(json_object_get(recipe, "prompt")), "a cat");
    assert_non_null(ink_c2pa_assertion_of(&report, "c2pa.ai-disclosure"));
    assert_non_null(ink_c2pa_assertion_of(&report, "c2pa.thumbnail.claim"));
    assert_non_null(ink_c2pa_assertion_of(&report, "c2pa.ingredient.v3"));     // the prompt
    assert_non_null(ink_c2pa_assertion_of(&report, "c2pa.ingredient.v3__1"));  // the model
    ink_picture_extras extras = {0};
    ink_picture picture = read_picture(in_scratch(names[i]), &extras);
    char produced[256];
    assert_true(strncmp(report.active, "urn:c2pa:", 9) == 0);
    snprintf(produced, sizeof produced, "\"ProduceID\":\"%s\"", report.active + 9);
    assert_non_null(strstr(extras.xmp, produced));
    assert_non_null(strstr(extras.xmp, "0011studio"));
    assert_int_equal(report.active[9 + 14], '4');  // C2PA asks for UUIDs of version 4
    ink_picture_free(&picture);
    ink_picture_extras_free(&extras);
    ink_c2pa_report_free(&report);
  }
}

static void a_parent_s_manifest_is_kept(void **state) {
  (void)state;
  run_fine(PAINT "cat --seed 1 -o parent.png");
  run_fine(PAINT "dog --init parent.png --seed 2 -o child.webp");
  ink_c2pa_report parent = report_of("parent.png"), child = report_of("child.webp");
  assert_int_equal(child.state, INK_C2PA_VALID);
  assert_string_equal(action_of(&child, 0, "action"), "c2pa.opened");
  assert_string_equal(action_of(&child, 1, "action"), "c2pa.edited");
  assert_non_null(strstr(action_of(&child, 1, "digitalSourceType"), "compositeWithTrained"));
  const json_t *ingredient = ink_c2pa_assertion_of(&child, "c2pa.ingredient.v3");
  assert_string_equal(json_string_value(json_object_get(ingredient, "relationship")), "parentOf");
  assert_string_equal(json_string_value(json_object_get(ingredient, "dc:title")), "parent.png");
  assert_non_null(json_object_get(ingredient, "thumbnail"));
  assert_non_null(json_object_get(ingredient, "activeManifest"));
  assert_int_equal(json_array_size(child.manifests), 2);
  assert_string_not_equal(parent.active, child.active);
  ink_c2pa_report_free(&parent);
  ink_c2pa_report_free(&child);
  // One that carries none is told by its hash.
  run_fine(PAINT "cat --init \"$FIXTURES/pipelines/init.png\" --seed 3 -o edited.png");
  child = report_of("edited.png");
  assert_int_equal(child.state, INK_C2PA_VALID);
  ingredient = ink_c2pa_assertion_of(&child, "c2pa.ingredient.v3");
  const char *instance = json_string_value(json_object_get(ingredient, "instanceID"));
  assert_non_null(strstr(instance, "sha256:"));
  assert_null(json_object_get(ingredient, "activeManifest"));
  ink_c2pa_report_free(&child);
  // A parent that was signed anew is the same picture still.
  run_fine(AGAIN "--from parent.png -o parent.png");
  run_fine(AGAIN "--from child.webp --init parent.png -o child2.webp");
  assert_true(same_content("child.webp", "child2.webp"));
}

static void nothing_is_painted_that_cannot_be_signed(void **state) {
  (void)state;
  run_fine("touch file");
  program_run run = run_here("export XDG_DATA_HOME=\"$PWD/file\" && " PAINT "cat -o unsigned.png");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "file/inkstone/keys"));
  drop_run(&run);
  run = run_here("test ! -e unsigned.png && unset HOME && " PAINT "cat -o un.png");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "XDG_DATA_HOME"));
  drop_run(&run);
  // Who asks for no marks needs no key, is told which law may apply, and gets no manifest.
  // But it is logged, or not painted.
  run = run_here("unset HOME && " PAINT "cat --unmarked -o waived.png");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "INKSTONE_LEDGER"));
  drop_run(&run);
  run = run_here(
      "test ! -e waived.png && unset HOME && export INKSTONE_LEDGER=\"$PWD/l.db\" "
      "&& " PAINT "cat --unmarked -o waived.png && $INK ledger list >&2");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.err, "waived.png  unmarked"));
  assert_non_null(strstr(run.err, "article 50"));
  drop_run(&run);
  ink_c2pa_report report = report_of("waived.png");
  assert_int_equal(report.state, INK_C2PA_NONE);
  ink_c2pa_report_free(&report);
}

// Any options but --unmarked, drawn by lot: what is written, if anything, is marked and signed.
static void whatever_the_options_no_picture_is_unmarked(void **state) {
  (void)state;
  static const char *const options[][4] = {
      {"", "--sampler euler-a", "--sampler ddim", "--sampler dpm++2m --schedule karras"},
      {"-o lot.png", "-o lot.jpg", "-o lot.webp", "-o lot.webp --lossless"},
      {"", "--count 2", "--count 3", ""},
      {"", "--init \"$FIXTURES/pipelines/init.png\"", "--init signed.webp",
       "--init \"$FIXTURES/pipelines/init.png\" --mask \"$FIXTURES/pipelines/mask.png\""},
      {"", "--json", "--show", "--quality 20"},
      {"", "--noise cpu", "--bf16", "--negative x"},
      {"", "--producer me", "--clip-skip 1", "--cfg 1"},
      {"", "--from signed.png", "--from signed.jpg --seed 3", "--cfg-rescale 0.2"}};
  enum { GROUPS = sizeof options / sizeof *options, DRAWS = 24 };
  int written = 0;
  uint64_t lot = 20261125;
  for (int i = 0; i < DRAWS; i++) {
    char command[2048];
    int size = snprintf(command, sizeof command, "rm -f lot*; " PAINT "'a cat' --seed %d", i);
    for (int j = 0; j < GROUPS; j++) {
      lot = lot * 6364136223846793005U + 1442695040888963407U;
      size += snprintf(command + size, sizeof command - (size_t)size, " %s", options[j][lot >> 62]);
    }
    program_run run = run_here("%s", command);
    drop_run(&run);
    run = run_here("ls | grep '^lot' || true");
    for (char *at = run.out, *name; (name = strsep(&at, "\n")) && *name; written++) {
      ink_c2pa_report report = report_of(name);
      if (report.state != INK_C2PA_VALID) fail_msg("%s: %s", command, name);
      ink_c2pa_report_free(&report);
      ink_picture_extras extras = {0};
      ink_picture picture = read_picture(in_scratch(name), &extras);
      if (!extras.xmp || !strstr(extras.xmp, "ProduceID")) fail_msg("%s: %s", command, name);
      ink_picture_free(&picture);
      ink_picture_extras_free(&extras);
    }
    drop_run(&run);
  }
  print_message("# %d pictures of %d runs\n", written, DRAWS);
  assert_true(written >= DRAWS / 2);
}

static void a_picture_is_repeated_byte_for_byte(void **state) {
  (void)state;
  run_fine(PAINT "'a [fox|cat]' --sampler euler-a --schedule karras --seed 9 -o 1.png");
  run_fine(AGAIN "--from 1.png -o 2.png");
  assert_true(same_content("1.png", "2.png"));
  run_fine(AGAIN "--from 1.png -o 3.webp && " AGAIN "--from 3.webp -o 4.webp");
  assert_true(same_content("3.webp", "4.webp"));
  run_fine(AGAIN "--from 1.png -o 5.jpg && " AGAIN "--from 5.jpg -o 6.jpg");
  assert_true(same_content("5.jpg", "6.jpg"));
  // Through other files it is the same picture still.
  run_fine(AGAIN "--from 6.jpg -o 7.png");
  assert_true(same_content("1.png", "7.png"));
  run_fine(AGAIN "--from 1.png --seed 10 -o 8.png");
  assert_false(same_content("1.png", "8.png"));
}

static void every_picture_of_a_run_can_be_repeated(void **state) {
  (void)state;
  run_fine(PAINT "cats --count 2 --seed 4 --sampler ddim -o many.png");
  assert_false(same_content("many-1.png", "many-2.png"));
  run_fine(AGAIN "--from many-2.png -o second.png");
  assert_true(same_content("many-2.png", "second.png"));
  run_fine(PAINT "cats --count 2 --seed 4 --noise cpu --sampler ddim -o torch.png");
  run_fine(PAINT "cats --seed 5 --noise cpu --sampler ddim -o five.png");
  assert_true(same_content("torch-2.png", "five.png"));
}

#define LED "--control-model \"$FIXTURES/control/one\" --control scribble:hint.png"

static void a_picture_can_be_led_by_others(void **state) {
  (void)state;
  run_fine("cp \"$FIXTURES/control/hint.png\" \"$FIXTURES/pipelines/init.png\" .");
  run_fine(PAINT "cat --seed 3 -o free.png");
  program_run run = run_at_home(PAINT "cat --seed 3 " LED ":0.5:0-0.8 -o led.png");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.err, "hint.png: 24 x 20, brought to 64 x 64"));
  drop_run(&run);
  assert_false(same_content("free.png", "led.png"));
  // Edges of the picture are something else, and several add up.
  run_fine(PAINT
           "cat --seed 3 --control-model \"$FIXTURES/control/one\" "
           "--control canny:hint.png -o edges.png");
  run_fine(PAINT "cat --seed 3 " LED
                 " --control canny:hint.png "
                 "--control-model \"$FIXTURES/control/two\" -o two.png");
  assert_false(same_content("led.png", "edges.png"));
  assert_false(same_content("edges.png", "two.png"));
  // Weight and share are part of the recipe.
  run_fine(AGAIN "--from led.png " LED " -o led2.png");
  assert_true(same_content("led.png", "led2.png"));
  run = run_at_home(AGAIN "--from led.png -o x.png");
  assert_int_equal(run.exit_code, 2);
  assert_non_null(strstr(run.err, "--control"));
  drop_run(&run);
  run = run_at_home(AGAIN
                    "--from led.png --control-model \"$FIXTURES/control/one\" "
                    "--control scribble:init.png -o x.png");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "init.png is not the picture"));
  drop_run(&run);
}

static void plug_ins_are_found_by_the_names_in_prompts(void **state) {
  (void)state;
  run_fine("mkdir -p plugs/deep words && cp \"$FIXTURES/embedding/style.safetensors\" plugs/deep/");
  run_fine(PAINT "cat --seed 2 -o bare.png");
  run_fine(PAINT "'cat <lora:style:0.5>' --lora-dir plugs --seed 2 -o tag.png");
  run_fine(PAINT "cat --lora plugs/deep/style.safetensors:0.5 --seed 2 -o flag.png");
  run_fine(AGAIN "--from tag.png --lora-dir plugs -o tag2.png");
  assert_false(same_content("bare.png", "tag.png"));
  assert_true(same_content("tag.png", "flag.png"));
  assert_true(same_content("tag.png", "tag2.png"));
  program_run run = run_here(PAINT "'cat <lora:nobody:0.5>' --lora-dir plugs -o x.png");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(
      run.err, "no LoRA \"nobody\": neither a file nor a name below plugs (there are style)"));
  assert_non_null(strstr(run.err, "give the file's path, or with --lora-dir the folder"));
  drop_run(&run);
  // Where nothing is found by its name the folders are named all the same.
  run = run_here(PAINT "cat --lora words/none.pt -o x.png");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "no LoRA \"words/none.pt\": neither a file nor a name below /"));
  assert_non_null(strstr(run.err, "models/loras; give the file's path"));
  drop_run(&run);
  run = run_here(PAINT "'cat <lora:nobody:much>' -o x.png");
  assert_int_equal(run.exit_code, 2);
  assert_non_null(strstr(run.err, "<lora:nobody:much>"));
  drop_run(&run);
  // Words by path, by name, and by another word.
  run_fine("cp \"$FIXTURES\"/embedding/m*.* \"$FIXTURES\"/embedding/learned.safetensors words");
  run_fine(PAINT "'moody cat' --seed 2 -o plain.png");
  run_fine(PAINT "'moody cat' --embedding words/moody.pt --seed 2 -o moody.png");
  run_fine(PAINT "'grim cat' --embedding moody:grim --embedding-dir words --seed 2 -o grim.png");
  assert_false(same_content("plain.png", "moody.png"));
  run_fine(AGAIN "--from grim.png --embedding-dir words -o grim2.png");
  assert_true(same_content("grim.png", "grim2.png"));
  run = run_here(PAINT "cat --embedding mood --embedding-dir words -o x.png");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err,
                         "no embedding \"mood\": neither a file nor a name below words (there are "
                         "learned, many, moody)"));
  drop_run(&run);
}

// The plug-in with one tensor more, which no network has a place for.
static void write_odd_plugin(const char *from, const char *to) {
  size_t size;
  char *bytes = read_file(in_scratch(from), &size);
  size_t length = (size_t)ink_little((const unsigned char *)bytes, 8);
  size_t data = size - 8 - length;
  json_t *header = json_loadb(bytes + 8, length, 0, NULL);
  assert_non_null(header);
  json_object_set_new(header, "lora_unet_nowhere.alpha",
                      json_pack("{s:s,s:[],s:[I,I]}", "dtype", "F32", "shape", "data_offsets",
                                (json_int_t)data, (json_int_t)data + 4));
  char *words = json_dumps(header, JSON_COMPACT);
  size_t n = strlen(words);
  ink_text file = {0};
  ink_error error = {0};
  for (int i = 0; i < 8; i++) ink_text_add_bytes(&file, &(char){(char)(n >> (8 * i))}, 1);
  ink_text_add_bytes(&file, words, n);
  ink_text_add_bytes(&file, bytes + 8 + length, data);
  ink_text_add_bytes(&file, "\0\0\200?", 4);
  assert_ok(ink_file_save(in_scratch(to), file.bytes, file.size, &error));
  ink_text_free(&file);
  free(words);
  free(bytes);
  json_decref(header);
}

static void what_of_a_plug_in_fits_nothing_is_told(void **state) {
  (void)state;
  run_fine("mkdir -p parts && cp \"$FIXTURES/embedding/style.safetensors\" parts/");
  write_odd_plugin("parts/style.safetensors", "parts/odd.safetensors");
  program_run run = run_at_home(PAINT "cat --lora parts/style.safetensors --seed 1 -o whole.png");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.err, "style.safetensors: "));
  assert_non_null(strstr(run.err, " weights of the UNet changed, "));
  drop_run(&run);
  run = run_at_home(PAINT "cat --lora parts/odd.safetensors -o x.png");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "fit no part of this model"));
  assert_non_null(strstr(run.err, "--lora-partial leaves them out"));
  drop_run(&run);
  run = run_at_home(PAINT "cat --lora parts/odd.safetensors --lora-partial --seed 1 -o part.png");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.err, "fit nothing and are left out"));
  drop_run(&run);
  run_fine(AGAIN "--from part.png --lora-dir parts -o part2.png");
  assert_true(same_content("part.png", "part2.png"));
  // Leaving out all of it would paint without it.
  run = run_at_home(
      "sed 's/lora_unet/lora_unit/g; s/lora_te/lora_tx/g' parts/style.safetensors "
      ">parts/none.safetensors && " PAINT
      "cat --lora parts/none.safetensors --lora-partial -o x.png");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "none.safetensors: nothing of it fits this model: "));
  drop_run(&run);
}

static void assert_size(const char *name, int32_t width, int32_t height) {
  ink_picture picture = read_picture(in_scratch(name), NULL);
  assert_int_equal(picture.width, width);
  assert_int_equal(picture.height, height);
  ink_picture_free(&picture);
}

static void large_pictures_and_sheets_are_repeated(void **state) {
  (void)state;
  run_fine(PAINT "cat --seed 3 --hires 1.5:0.6 --variation 8:0.3 -o hires.png");
  assert_size("hires.png", 96, 96);
  run_fine(AGAIN "--from hires.png -o hires2.png");
  assert_true(same_content("hires.png", "hires2.png"));
  run_fine(PAINT "cat --seed 3 --count 3 --grid -o sheet.png");
  assert_size("sheet-grid.png", 128, 128);
  run_fine(AGAIN "--from sheet-grid.png -o sheet2.png");
  assert_true(same_content("sheet-grid.png", "sheet2-grid.png"));
  assert_true(same_content("sheet-2.png", "sheet2-2.png"));
}

static void margins_are_painted_around_a_picture(void **state) {
  (void)state;
  run_fine(PAINT "cat --seed 3 --unmarked -o core.png");
  run_fine(
      "$INK paint sky --model \"$FIXTURES/pipelines/sd1\" --steps 3 --seed 4 --unmarked "
      "--init core.png --extend 8,0,0,16 -o wide.png");
  ink_picture core = read_picture(in_scratch("core.png"), NULL),
              wide = read_picture(in_scratch("wide.png"), NULL);
  assert_int_equal(wide.width, 80);
  assert_int_equal(wide.height, 72);
  for (int32_t y = 2; y < 64; y++) {
    assert_memory_equal(ink_picture_at(&wide, 18, 8 + y), ink_picture_at(&core, 2, y), 62 * 3);
  }
  ink_picture_free(&core);
  ink_picture_free(&wide);
  run_fine(AGAIN "--from wide.png --init core.png -o wide2.png");
  run_fine(AGAIN "--from wide2.png --init core.png -o wide3.png");
  assert_true(same_content("wide2.png", "wide3.png"));
}

static void a_picture_can_be_enlarged_alone(void **state) {
  (void)state;
  run_fine("cp \"$FIXTURES/pipelines/init.png\" .");
  program_run run = run_here(
      "$INK paint --upscale \"$FIXTURES/networks/esrgan/model-x4.pth\" init.png "
      "-o large.png --json");
  json_t *json = json_of(&run);
  assert_int_equal(json_integer_value(json_array_get(json_object_get(json, "size"), 0)), 64);
  json_decref(json);
  drop_run(&run);
  assert_size("large.png", 64, 64);
  // Within little memory it is the same; with less it says what it takes.
  run_fine(
      "$INK paint --upscale \"$FIXTURES/networks/esrgan/model-x4.pth\" init.png --ram 16M "
      "--unmarked -o small.png && $INK paint --upscale "
      "\"$FIXTURES/networks/esrgan/model-x4.pth\" init.png --unmarked -o free.png && "
      "cmp small.png free.png");
  run = run_here(
      "$INK paint --upscale \"$FIXTURES/networks/esrgan/model-x4.pth\" init.png "
      "--ram 1k -o x.png");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "takes at least"));
  assert_non_null(strstr(run.err, "what helps: a smaller picture, 16 bits (--bf16), a higher"));
  drop_run(&run);
  run = run_here("$INK paint --upscale nobody init.png -o x.png; ls x.png* .x.png* 2>/dev/null");
  assert_non_null(strstr(run.err, "no upscaler \"nobody\": neither a file nor a name below /"));
  assert_non_null(strstr(run.err, "give the file's path, or put it there"));
  assert_null(strstr(run.err, "-dir"));
  assert_string_equal(run.out, "");
  drop_run(&run);
  run = run_at_home(AGAIN "--from large.png -o x.png");
  assert_int_equal(run.exit_code, 2);
  assert_non_null(strstr(run.err, "--upscale model-x4.pth"));
  drop_run(&run);
}

// Whichever part runs out of memory: the words name ways out, and nothing half-written is left.
static void without_memory_the_ways_out_are_named(void **state) {
  (void)state;
#if defined(__SANITIZE_ADDRESS__)
  skip();  // its shadow is larger than any limit
#endif
  int failed = 0;
  run_fine("mkdir -p tight");
  for (int mib = 88; mib <= 1024; mib += 24) {
    program_run run = run_here(
        "cd tight && ulimit -v %d && $INK paint cat --model \"$FIXTURES/pipelines/sd1\" "
        "--steps 1 --size 256x256 --threads 2 --unmarked -o x.png; code=$?; ls -A; exit $code",
        mib << 10);
    if (run.exit_code == 0) {
      assert_string_equal(run.out, "x.png\n");
      drop_run(&run);
      break;
    }
    // A model that cannot even be mapped has a way out of its own.
    bool helps = strstr(run.err, "what helps: a smaller picture (--size), 16 bits") != NULL;
    if (run.exit_code != 1 || (!helps && !strstr(run.err, "ulimit -v"))) {
      fail_msg("%d MiB: exit %d: %s", mib, run.exit_code, run.err);
    }
    assert_string_equal(run.out, "");
    drop_run(&run);
    failed += helps;
  }
  assert_in_range(failed, 2, 30);
}

static void what_is_no_size_or_margin_is_refused(void **state) {
  (void)state;
  static const char *const bad[][2] = {
      {"--ram lots", "no amount of memory"},
      {"--ram 1k", "takes at least"},
      {"--variation 3", "SEED:STRENGTH"},
      {"--variation 3:2", "SEED:STRENGTH"},
      {"--hires 9", "SCALE[:STRENGTH"},
      {"--hires 2:0", "SCALE[:STRENGTH"},
      {"--hires 2:0.5:nobody", "no upscaler \"nobody\""},
      {"--extend 8", "--init"},
      {"--init init.png --extend 1,2", "TOP,RIGHT,BOTTOM,LEFT"},
      {"--init init.png --hires 2", "enlarge it first"},
  };
  run_fine("cp \"$FIXTURES/pipelines/init.png\" .");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    program_run run = run_here(PAINT "cat %s -o x.png", bad[i][0]);
    assert_true(run.exit_code == 1 || run.exit_code == 2);
    if (!strstr(run.err, bad[i][1])) fail_msg("%s: %s", bad[i][0], run.err);
    drop_run(&run);
  }
}

static void a_control_that_is_wrong_is_refused_by_name(void **state) {
  (void)state;
  static const char *const bad[][2] = {
      {"--control canny:hint.png", "--control-model"},
      {"--control-model one --control hint.png", "KIND:FILE"},
      {"--control-model one --control dog:hint.png", "kinds are canny, depth"},
      {"--control-model one --control-model two --control canny:hint.png", "give one, or one"},
      {"--control-model \"$FIXTURES/control/one\" --control canny:none.png", "none.png"},
      {"--control-model \"$FIXTURES/control/one\" --control canny:hint.png:11", "0 … 10"},
      {"--control-model \"$FIXTURES/control/one\" --control canny:hint.png:1:0.5-0.2", "rise"},
      {"--control-model \"$FIXTURES/control/xl\" --control canny:hint.png", "another model"},
  };
  run_fine("cp \"$FIXTURES/control/hint.png\" .");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    program_run run = run_here(PAINT "cat %s -o x.png", bad[i][0]);
    assert_true(run.exit_code == 1 || run.exit_code == 2);
    if (!strstr(run.err, bad[i][1])) fail_msg("%s: %s", bad[i][0], run.err);
    drop_run(&run);
  }
}

static void a_picture_from_a_picture_asks_for_it_again(void **state) {
  (void)state;
  run_fine("cp \"$FIXTURES/pipelines/init.png\" \"$FIXTURES/pipelines/mask.png\" .");
  run_fine(PAINT "cat --init init.png --mask mask.png --strength 0.9 --seed 3 -o part.png");
  run_fine(AGAIN "--from part.png --init init.png --mask mask.png -o part2.png");
  assert_true(same_content("part.png", "part2.png"));
  program_run run = run_here(AGAIN "--from part.png -o x.png");
  assert_int_equal(run.exit_code, 2);
  assert_non_null(strstr(run.err, "--init"));
  drop_run(&run);
  run = run_here(AGAIN "--from part.png --init mask.png --mask mask.png -o x.png");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "not the picture"));
  drop_run(&run);
}

static void a_named_model_needs_no_flag_to_repeat(void **state) {
  (void)state;
  run_fine(
      "export INKSTONE_MODELS=\"$FIXTURES/pipelines\" && "
      "$INK paint cat --model sd1 --sampler euler --steps 2 --size 64x64 --seed 2 -o named.png && "
      "$INK paint --from named.png -o named2.png");
  assert_true(same_content("named.png", "named2.png"));
  program_run run = run_at_home("$INK paint --from named.png -o x.png");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "sd1"));
  drop_run(&run);
  run = run_at_home("$INK paint --from named.png --model \"$FIXTURES/pipelines/xl\" -o x.png");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.err, "not the model"));
  drop_run(&run);
}

static void a_model_says_how_closely_it_follows(void **state) {
  (void)state;
  run_fine(
      "$INK paint 'a house' --steps 1 --seed 1 -o own.png && $INK paint 'a house' --steps 1 --seed "
      "1 "
      "--cfg 7.5 -o asked.png && " PAINT "cat --seed 1 -o silent.png");
  static const struct {
    const char *name;
    double scale;
  } cases[] = {{"own.png", 4}, {"asked.png", 7.5}, {"silent.png", 7.5}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_c2pa_report report = report_of(cases[i].name);
    const json_t *recipe = ink_c2pa_assertion_of(&report, "org.inkstone.recipe");
    double scale = json_number_value(json_object_get(recipe, "guidance_scale"));
    if (scale != cases[i].scale) fail_msg("%s: %g", cases[i].name, scale);
    ink_c2pa_report_free(&report);
  }
}

static json_t *watermark_of(const char *name) {
  ink_c2pa_report report = report_of(name);
  json_t *said = json_incref(
      json_object_get(ink_c2pa_assertion_of(&report, "org.inkstone.recipe"), "watermark"));
  assert_true(json_is_object(said));
  ink_c2pa_report_free(&report);
  return said;
}

// The signed recipe says what a picture carries: by default the installation's mark in its noise.
static void what_a_picture_carries_stands_in_its_recipe(void **state) {
  (void)state;
  static const struct {
    const char *flags;
    bool gaussian, dwt_dct;
  } cases[] = {{"", true, false},
               {"--watermark none", false, false},
               {"--watermark dwtdct --size 256x256 --steps 1", false, true},
               {"--watermark public,dwtdct --size 256x256 --steps 1", true, true},
               {"--noise cpu", false, false},
               {"--noise cpu --watermark gaussian", true, false},
               // Small latents keep their noise over another picture as well.
               {"--init \"$FIXTURES/pipelines/init.png\"", true, false},
               {"--init \"$FIXTURES/pipelines/init.png\" --size 512x512 --steps 1 --strength 1",
                false, false},
               {"--hires 2", false, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char command[600];
    snprintf(command, sizeof command, PAINT "cat --seed 1 --sampler ddim %s -o carries.png",
             cases[i].flags);
    run_fine("%s", command);
    json_t *said = watermark_of("carries.png");
    assert_int_equal(json_object_get(said, "gaussian_shading") != NULL, cases[i].gaussian);
    assert_int_equal(json_object_get(said, "dwt_dct") != NULL, cases[i].dwt_dct);
    json_decref(said);
  }
  // What goes without says so.
  program_run run = run_here(PAINT "cat --watermark none -o x.png");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.err, "no picture watermark"));
  drop_run(&run);
}

static void another_installation_cannot_repeat_a_keyed_picture(void **state) {
  (void)state;
  run_fine(PAINT "cat --seed 1 --sampler ddim -o keyed.png");
  run_fine(PAINT "cat --seed 1 --sampler ddim --watermark public -o public.png");
  run_fine(PAINT "cat --seed 1 --sampler ddim --watermark none -o bare.png");
  run_fine(PAINT "cat --seed 2 --sampler ddim -o other.png");
  assert_false(same_content("keyed.png", "public.png"));
  assert_false(same_content("keyed.png", "bare.png"));
  assert_false(same_content("keyed.png", "other.png"));
  program_run run = run_here(AGAIN "--from keyed.png -o x.png");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "a key that is not here"));
  assert_non_null(strstr(run.err, "--watermark gaussian"));
  drop_run(&run);
  run = run_here(AGAIN "--from keyed.png --watermark gaussian -o x.png");
  assert_int_equal(run.exit_code, 0);
  drop_run(&run);
  assert_false(same_content("keyed.png", "x.png"));
  // Without a key of its own, or with the key that all have, a picture is everybody's to repeat.
  run = run_here(AGAIN "--from public.png -o public2.png && " AGAIN "--from bare.png -o bare2.png");
  assert_int_equal(run.exit_code, 0);
  drop_run(&run);
  assert_true(same_content("public.png", "public2.png"));
  assert_true(same_content("bare.png", "bare2.png"));
  // The key lies beside the one that signs, for its owner alone.
  run_fine(
      "test \"$(stat -c %%a \"$HOME/.local/share/inkstone/keys/watermark.key\")\" = 600 && "
      "rm \"$HOME/.local/share/inkstone/keys/watermark.key\"");
  run = run_at_home(AGAIN "--from keyed.png -o x.png");
  assert_int_equal(run.exit_code, 1);
  drop_run(&run);
}

static const json_t *noise_of(const json_t *detection) {
  size_t i;
  const json_t *one;
  json_array_foreach(json_object_get(detection, "evidence"), i, one) {
    const char *name = json_string_value(json_object_get(one, "name"));
    if (strncmp(name, "gaussian-shading:", 17) == 0) return one;
  }
  return NULL;
}

// This model's autoencoder is random, so that nothing is found; but it is looked for.
static void detect_looks_into_the_noise_under_a_model_that_is_named(void **state) {
  (void)state;
  run_fine(PAINT "cat --seed 1 --sampler ddim -o looked.png");
  program_run run = run_at_home(
      "$INK detect looked.png --model \"$FIXTURES/pipelines/sd1\" "
      "--steps 4 --size 64x64 --json");
  json_t *json = json_of(&run);
  const json_t *noise = noise_of(json);
  assert_non_null(noise);
  // All signs but those under the label.
  assert_in_range(json_integer_value(json_object_get(noise, "used")), 2048, 4095);
  assert_true(json_number_value(json_object_get(noise, "p_value")) > 1e-6);
  assert_string_equal(json_string_value(json_object_get(json, "verdict")), "generated");
  json_decref(json);
  drop_run(&run);
  run = run_at_home("$INK detect looked.png --model \"$FIXTURES/pipelines/sd1\" --steps 4");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.out, "signs agree; under another key or model: cannot tell"));
  drop_run(&run);
  // Without the painter at hand that is said; a model that is named must be one that paints.
  run = run_here("export INKSTONE_MODELS=\"$PWD\" && $INK detect looked.png");
  assert_int_equal(run.exit_code, 0);
  assert_true(strstr(run.err, "no painter is at hand") || strstr(run.out, "gaussian-shading"));
  drop_run(&run);
  run = run_here("$INK detect looked.png --model \"$FIXTURES/models/gpt2\"");
  assert_int_equal(run.exit_code, 1);
  drop_run(&run);
  run = run_here("$INK detect looked.png --size 4 --model \"$FIXTURES/pipelines/sd1\"");
  assert_int_equal(run.exit_code, 2);
  drop_run(&run);
}

// One key that is damaged hides what the others show no less than what stands in the labels.
static void a_key_that_cannot_be_read_is_one_piece_of_evidence(void **state) {
  (void)state;
  static const char damage[] =
      "mkdir -p hurt/.local && cp -r .local/share hurt/.local/ && export HOME=\"$PWD/hurt\" && "
      "echo x >\"$HOME/.local/share/inkstone/keys/watermark.key\" && ";
  run_fine(PAINT "cat --seed 1 --sampler ddim -o looked.png");
  program_run run = run_at_home(
      "%s$INK detect looked.png --model \"$FIXTURES/pipelines/sd1\" --steps 4 --size 64x64 --json",
      damage);
  json_t *json = json_of(&run), *one;
  assert_string_equal(json_string_value(json_object_get(json, "verdict")), "generated");
  size_t i, n_unread = 0, n_looked = 0;
  json_array_foreach(json_object_get(json, "evidence"), i, one) {
    bool noise = strncmp(text_at(one, "name"), "gaussian-shading:", 17) == 0;
    if (json_is_true(json_object_get(one, "unread"))) {
      n_unread++;
      assert_string_equal(text_at(one, "name"), "gaussian-shading:own");
      assert_non_null(strstr(text_at(one, "detail"), "watermark.key"));
      assert_null(json_object_get(one, "p_value"));
      assert_true(json_is_false(json_object_get(one, "found")));
    } else if (noise) {
      n_looked++;
      assert_true(json_is_real(json_object_get(one, "p_value")));
    }
  }
  assert_int_equal(n_unread, 1);
  assert_true(n_looked >= 1);
  json_decref(json);
  drop_run(&run);
  run = run_at_home(
      "%sINKSTONE_LANG=zh $INK detect looked.png --model \"$FIXTURES/pipelines/sd1\" --steps 4",
      damage);
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.out, "! gaussian-shading:own"));
  assert_non_null(strstr(run.out, "无法查看"));
  drop_run(&run);
  // One that was asked for by its name has to be read.
  run = run_at_home(
      "$INK detect looked.png --watermark-keys looked.png --model \"$FIXTURES/pipelines/sd1\"");
  assert_int_equal(run.exit_code, 1);
  drop_run(&run);
}

static void whether_models_may_learn_from_a_picture_is_said(void **state) {
  (void)state;
  run_fine(PAINT "cat --seed 1 --training notAllowed -o mine.png");
  ink_c2pa_report report = report_of("mine.png");
  assert_int_equal(report.state, INK_C2PA_VALID);
  const json_t *entries =
      json_object_get(ink_c2pa_assertion_of(&report, "cawg.training-mining"), "entries");
  assert_string_equal(text_at(json_object_get(entries, "cawg.ai_generative_training"), "use"),
                      "notAllowed");
  ink_c2pa_report_free(&report);
  run_fine(PAINT "cat --seed 1 -o unsaid.png");
  report = report_of("unsaid.png");
  assert_null(ink_c2pa_assertion_of(&report, "cawg.training-mining"));
  ink_c2pa_report_free(&report);
  expect(run_at_home(PAINT "cat --training maybe -o x.png"), 2, "--training is allowed or");
}

// Whatever goes in by its whole path: a file tells names, but no folder of this machine.
static void no_picture_tells_where_things_lie_on_this_machine(void **state) {
  (void)state;
  static const char folder[] = "s3cretfolder";
  static const char *const runs[] = {
      "'moody cat' --lora \"$D/style.safetensors:0.5\" --embedding \"$D/moody.pt\" -o tell-a.png",
      "\"cat <lora:$D/style.safetensors:0.5>\" -o tell-b.png",
      "cat --init \"$D/init.png\" --mask \"$D/mask.png\" -o tell-c.webp",
      "cat --control canny:\"$D/hint.png\" --control-model \"$D/one\" -o tell-d.jpg",
      "cat --taesd \"$D/tiny\" --taesd-decode --watermark none -o tell-e.png",
      "cat --size 32x32 --hires 2:0.5:\"$D/model-x4.pth\" -o tell-f.png",
      "cat --count 2 --grid -o \"$D/g.png\" && cd \"$D\" && for f in g*; do cp $f ../tell-$f; done",
      "--from \"$D/g-1.png\" --seed 4 -o tell-h.png",
      "--upscale \"$D/model-x4.pth\" \"$D/init.png\" -o tell-i.png"};
  run_fine(
      "mkdir s3cretfolder && cp -r \"$FIXTURES/pipelines/sd1\" \"$FIXTURES/control/one\" "
      "\"$FIXTURES/control/hint.png\" \"$FIXTURES/pipelines/init.png\" "
      "\"$FIXTURES/pipelines/mask.png\" \"$FIXTURES/embedding/style.safetensors\" "
      "\"$FIXTURES/embedding/moody.pt\" \"$FIXTURES/networks/esrgan/model-x4.pth\" s3cretfolder");
  make_tiny_taesd(in_scratch("s3cretfolder"), &(tiny_taesd){2, 4, 3, 1, 7});
  for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
    bool upscale = strncmp(runs[i], "--upscale", 9) == 0;
    run_fine("export D=\"$PWD/s3cretfolder\" && $INK paint %s %s",
             upscale ? "" : "--model \"$D/sd1\" --steps 2 --size 64x64", runs[i]);
  }
  program_run run = run_here("ls tell-*");
  int n = 0;
  for (char *at = run.out, *name; (name = strsep(&at, "\n")) && *name; n++) {
    size_t size;
    char *bytes = read_file(in_scratch(name), &size);
    if (memmem(bytes, size, folder, strlen(folder))) fail_msg("%s tells a folder", name);
    free(bytes);
    // Notes may be compressed, assertions in another encoding.
    ink_picture_extras extras = {0};
    ink_picture picture = read_picture(in_scratch(name), &extras);
    static const char *const keys[] = {"parameters", "prompt", "inkstone"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
      const char *note = ink_picture_note(&extras, keys[k]);
      if (note && strstr(note, folder)) fail_msg("%s tells a folder in %s", name, keys[k]);
    }
    ink_picture_free(&picture);
    ink_picture_extras_free(&extras);
    ink_c2pa_report report = report_of(name);
    char *said = json_dumps(report.manifests, JSON_COMPACT);
    assert_null(strstr(said, folder));
    free(said);
    ink_c2pa_report_free(&report);
  }
  assert_true(n >= 11);
  drop_run(&run);
  run = run_here("$INK verify tell-a.png && $INK verify tell-i.png");
  assert_non_null(strstr(run.out, "style.safetensors"));
  assert_non_null(strstr(run.out, "model-x4.pth"));
  drop_run(&run);
}

// ---- a tiny autoencoder -------------------------------------------------------------------------

static json_t *taesd_of(const char *name) {
  ink_c2pa_report report = report_of(name);
  json_t *taesd =
      json_incref(json_object_get(ink_c2pa_assertion_of(&report, "org.inkstone.recipe"), "taesd"));
  ink_c2pa_report_free(&report);
  return taesd;
}

static void a_picture_decoded_by_a_tiny_autoencoder_is_repeated(void **state) {
  (void)state;
  make_tiny_taesd(in_scratch("lies"), &(tiny_taesd){2, 4, 3, 1, 7});
  run_fine(PAINT "cats --seed 3 --watermark none -o own.png");
  // It decodes what is shown, and leaves the picture alone.
  run_fine(PAINT "cats --seed 3 --watermark none --taesd lies/tiny --preview -o shown.png");
  assert_true(same_content("own.png", "shown.png"));
  assert_null(taesd_of("shown.png"));
  run_fine(PAINT
           "cats --seed 3 --watermark none --taesd lies/decoder.safetensors --taesd-decode "
           "-o tiny.png");
  expect(run_at_home("$INK verify tiny.png"), 0, ", decoder.safetensors\n");
  json_t *taesd = taesd_of("tiny.png");
  char sha256[INK_SHA256_HEX];
  ink_error error = {0};
  assert_ok(ink_sha256_file(in_scratch("lies/decoder.safetensors"), sha256, &error));
  assert_string_equal(json_string_value(json_object_get(taesd, "name")), "decoder.safetensors");
  assert_string_equal(json_string_value(json_object_get(taesd, "sha256")), sha256);
  json_decref(taesd);
  run_fine(AGAIN "--from tiny.png --taesd lies/decoder.safetensors -o again.png");
  assert_true(same_content("tiny.png", "again.png"));
  run_fine(AGAIN "--from tiny.png --no-taesd-decode -o without.png");
  assert_true(same_content("own.png", "without.png"));
  // Another one only where it is asked for anew, and then it is said.
  program_run run =
      run_at_home(AGAIN "--from tiny.png --taesd lies/tiny --taesd-decode -o other.png");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.err, "lies/tiny is not the model that painted the picture"));
  drop_run(&run);
  assert_false(same_content("tiny.png", "other.png"));
}

static void a_tiny_autoencoder_that_is_wrong_is_refused_by_name(void **state) {
  (void)state;
  static const refusal bad[] = {
      {PAINT "x --taesd tiny", "--taesd-decode", 2},
      {PAINT "x --taesd-decode", "name it with --taesd", 2},
      {PAINT "x --taesd-decode --taesd none.pth", "none.pth", 1},
      {PAINT "x --preview --taesd \"$FIXTURES/networks/taesd\"", "factor of 4", 1},
      {PAINT "x --preview --taesd \"$FIXTURES/pipelines/sd1/vae\"", "AutoencoderTiny", 1},
      {PAINT "x --preview --taesd encoder.safetensors", "name its decoder", 1},
      {AGAIN "--from used.png -o x.png", "decoder.safetensors; give it with --taesd", 2},
      {AGAIN "--from used.png --taesd whole.safetensors -o x.png", "whole.safetensors is not", 1},
  };
  make_tiny_taesd(in_scratch("wrong"), &(tiny_taesd){2, 4, 3, 1, 7});
  run_fine("cd wrong && " PAINT
           "cats --taesd decoder.safetensors --taesd-decode -o used.png && "
           "rm decoder.safetensors");
  expect_refusals(AT_HOME "cd wrong && %s", bad, sizeof bad / sizeof *bad);
}

static void what_cannot_be_painted_is_refused_with_a_word(void **state) {
  (void)state;
  static const refusal bad[] = {
      {"$INK paint", "say what to paint", 2},
      {PAINT "x -o x.gif", ".png", 2},
      {PAINT "x --sampler nope", "dpm++2m", 2},
      {PAINT "x --schedule nope", "karras", 2},
      {PAINT "x --sampler Eulr", "did you mean euler?", 2},
      {PAINT "x --sampler dpm++2n", "did you mean dpm++2m?", 2},
      {PAINT "x --schedule karas", "did you mean karras?", 2},
      {PAINT "x --noise nope", "cuda", 2},
      {PAINT "x --watermark nope", "dwtdct", 2},
      {PAINT "x --watermark none,gaussian", "alone", 2},
      {PAINT "x --watermark dwtdct", "65536", 2},
      {PAINT "x --watermark gaussian --hires 2", "painted from another", 2},
      {PAINT "x --size 16", "WIDTHxHEIGHT", 2},
      {PAINT "x --size 0x0", "such as 512x768", 2},
      {PAINT "x --size 17x16", "multiples of 2 up to 4096, such as 18 x 16", 2},
      {PAINT "x --size 7x9999999", "such as 8 x 4096", 2},
      {PAINT "x --steps 0", "steps", 2},
      {PAINT "x --seed 99999999999999999999", "it must lie in -1", 2},
      {PAINT "x --seed 1.5", "whole number", 2},
      {PAINT "x --cfg nan", "takes a number", 2},
      {PAINT "x --strength 2", "0 … 1", 2},
      {PAINT "x --strength 0.5", "--init FILE", 2},
      {PAINT "x --strength 0.5 --hires 2", "SCALE:STRENGTH", 2},
      {PAINT "\"$(printf 'caf\\351')\"", "not UTF-8; set the terminal to UTF-8", 2},
      {PAINT "x --negative \"$(printf 'a\\001')\"", "control character", 2},
      {PAINT "x -o nowhere/x.png", "nowhere: no such folder", 1},
      {"mkdir -p f.png && " PAINT "x -o f.png", "f.png is a folder", 2},
      {PAINT "x --sampler ddim --schedule karras", "default", 2},
      {PAINT "x --mask \"$FIXTURES/pipelines/mask.png\"", "picture", 2},
      {"$INK paint x --model \"$FIXTURES/models/gpt2\" -o x.png", "gpt2", 1},
      {AGAIN "--from \"$FIXTURES/pipelines/init.png\" -o x.png", "recipe", 1},
      {AGAIN "--from \"$FIXTURES/picture/hostile/bad-crc.png\" -o x.png", "bad-crc.png", 1},
  };
  expect_refusals(IN_SCRATCH "%s", bad, sizeof bad / sizeof *bad);
}

// A file that cannot be written is told before the model is even looked for.
static void where_a_picture_goes_is_asked_before_the_work(void **state) {
  (void)state;
  program_run run = run_at_home("$INK paint cat --model nowhere -o no/such/x.png");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "no/such: no such folder; make it first, for x.png"));
  drop_run(&run);
}

static void samplers_go_by_the_names_that_others_give_them(void **state) {
  (void)state;
  run_fine(PAINT "cat --seed 4 --sampler dpm++2m --schedule karras -o ours.png");
  run_fine(PAINT "cat --seed 4 --sampler 'DPM++ 2M Karras' -o a1111.png");
  run_fine(PAINT "cat --seed 4 --sampler dpmpp_2m --schedule Karras -o comfy.png");
  run_fine(PAINT "cat --seed 4 --sampler 'DPM++ 2M Karras' --schedule simple -o simple.png");
  assert_true(same_content("ours.png", "a1111.png"));
  assert_true(same_content("ours.png", "comfy.png"));
  assert_false(same_content("ours.png", "simple.png"));
}

// Pictures of others: the model's name is theirs, and never ours by default.
static void a_picture_of_another_tool_asks_for_its_model(void **state) {
  (void)state;
  static const char *const notes[][2] = {
      {"parameters",
       "a cat\nSteps: 3, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 64x64, "
       "Model: dreamy, VAE hash: 123"},
      {"prompt",
       "{\"1\":{\"class_type\":\"CheckpointLoaderSimple\",\"inputs\":{\"ckpt_name\":\"dreamy\"}},"
       "\"2\":{\"class_type\":\"CLIPTextEncode\",\"inputs\":{\"text\":\"a "
       "cat\",\"clip\":[\"1\",1]}},"
       "\"3\":{\"class_type\":\"EmptyLatentImage\",\"inputs\":{\"width\":64,\"height\":64}},"
       "\"4\":{\"class_type\":\"KSampler\",\"inputs\":{\"seed\":5,\"steps\":3,\"cfg\":7,"
       "\"denoise\":1,\"sampler_name\":\"euler_ancestral\",\"scheduler\":\"normal\",\"model\":"
       "[\"1\",0],\"positive\":[\"2\",0],\"negative\":[\"2\",0],\"latent_image\":[\"3\",0]}},"
       "\"5\":{\"class_type\":\"VAELoader\",\"inputs\":{}}}"}};
  for (int i = 0; i < 2; i++) {
    ink_error error = {0};
    ink_picture picture;
    ink_picture_extras extras = {0};
    ink_text bytes = {0};
    assert_ok(ink_picture_new(64, 64, 3, &picture, &error));
    memset(picture.pixels, 90, ink_picture_bytes(&picture));
    assert_ok(ink_picture_note_set(&extras, notes[i][0], notes[i][1], &error));
    ink_picture_encoding encoding = {.extras = &extras};
    assert_ok(ink_picture_encode(&picture, INK_PICTURE_PNG, &encoding, &bytes, &error));
    assert_ok(ink_file_save(in_scratch("theirs.png"), bytes.bytes, bytes.size, &error));
    ink_text_free(&bytes);
    ink_picture_free(&picture);
    ink_picture_extras_free(&extras);
    program_run run = run_at_home("$INK paint --from theirs.png -o x.png");
    assert_int_equal(run.exit_code, 1);
    assert_non_null(strstr(run.err, "painted by \"dreamy\""));
    assert_non_null(strstr(run.err, i ? "not obeyed: VAELoader" : "not obeyed: VAE hash"));
    drop_run(&run);
    run = run_at_home(AGAIN "--from theirs.png -o met.png");
    assert_int_equal(run.exit_code, 0);
    assert_non_null(strstr(run.err, "seed 5"));
    drop_run(&run);
    assert_size("met.png", 64, 64);
  }
}

static void save_as(const char *name, const ink_picture *picture) {
  ink_text bytes = {0};
  ink_error error = {0};
  assert_ok(ink_picture_encode(picture, INK_PICTURE_PNG, NULL, &bytes, &error));
  assert_ok(ink_file_save(in_scratch(name), bytes.bytes, bytes.size, &error));
  ink_text_free(&bytes);
}

// Transparent on the left, half seen on the right; the lower half is painted anew.
static void transparency_is_kept_outside_the_mask(void **state) {
  (void)state;
  ink_error error = {0};
  ink_picture glass, mask;
  assert_ok(ink_picture_new(64, 64, 4, &glass, &error));
  assert_ok(ink_picture_new(64, 64, 1, &mask, &error));
  for (int32_t y = 0; y < 64; y++) {
    for (int32_t x = 0; x < 64; x++) {
      memcpy(ink_picture_at(&glass, x, y), (uint8_t[]){200, 10, 90, x < 32 ? 0 : 128}, 4);
      *ink_picture_at(&mask, x, y) = y < 32 ? 0 : 255;
    }
  }
  save_as("glass.png", &glass);
  save_as("lower.png", &mask);
  ink_picture_free(&glass);
  ink_picture_free(&mask);
  run_fine(PAINT "cat --init glass.png --mask lower.png --seed 1 -o pane.png");
  ink_picture pane = read_picture(in_scratch("pane.png"), NULL);
  assert_int_equal(pane.channels, 4);
  const uint8_t *seen = ink_picture_at(&pane, 60, 2);
  assert_int_equal(ink_picture_at(&pane, 2, 2)[3], 0);
  assert_int_equal(seen[3], 128);
  assert_true(seen[0] == 200 && seen[1] == 10 && seen[2] == 90);
  assert_int_equal(ink_picture_at(&pane, 2, 60)[3], 255);
  assert_int_equal(ink_picture_at(&pane, 60, 60)[3], 255);
  ink_picture_free(&pane);
  run_fine(AGAIN "--from pane.png --init glass.png --mask lower.png -o pane2.png");
  assert_true(same_content("pane.png", "pane2.png"));
  // JPEG has no place for it, which is no reason to lose the work.
  program_run run = run_at_home(PAINT "cat --init glass.png --mask lower.png --seed 1 -o pane.jpg");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.err, "laid on white"));
  drop_run(&run);
}

static void a_weight_in_full_width_brackets_is_pointed_out(void **state) {
  (void)state;
  static const struct {
    const char *prompt;
    bool told;
  } prompts[] = {{"一只（红色：1.3）的狐狸", true},
                 {"（red:1.3）", true},
                 {"一只(红色:1.3)的狐狸", false},
                 {"狐狸（红色）", false},
                 {"（1.3）", false}};
  for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
    program_run run = run_at_home(PAINT "'%s' -o wide.png", prompts[i].prompt);
    assert_int_equal(run.exit_code, 0);
    assert_int_equal(strstr(run.err, "full-width") != NULL, prompts[i].told);
    drop_run(&run);
  }
}

static void the_manual_names_every_flag(void **state) {
  (void)state;
  ink_error error = {0};
  char *manual;
  size_t size;
  assert_ok(ink_file_read(fixture_path("../../docs/painting.md"), 1 << 20, &manual, &size, &error));
  program_run run = run_program("$INK paint --list-options");
  int n = 0;
  for (char *at = run.out, *name; (name = strsep(&at, "\n")) && *name; n++) {
    // Whole names: --control does not stand for --control-model.
    const char *found = manual;
    size_t length = strlen(name);
    if (strcmp(name, "--help") == 0) continue;
    while ((found = strstr(found, name)) &&
           (found[length] == '-' || isalpha((unsigned char)found[length])))
      found++;
    if (!found) fail_msg("docs/painting.md does not name %s", name);
  }
  assert_true(n > 40);
  drop_run(&run);
  free(manual);
}

static void shells_complete_what_options_know(void **state) {
  (void)state;
  program_run run = run_program("$INK paint --list-values sampler; $INK paint --list-values model");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.out, "dpm++2m-sde\n"));
  assert_null(strstr(run.out, "karras"));
  drop_run(&run);
  run = run_program(
      "command -v bash >/dev/null || exit 77; cd && mkdir bin && ln -s \"$INK\" bin/inkstone && "
      "PATH=\"$PWD/bin:$PATH\" bash -c '. "
      "<(inkstone completion bash); COMP_WORDS=(inkstone paint --schedule sg); COMP_CWORD=3; "
      "_inkstone; echo \"${COMPREPLY[@]}\"'; rm -r bin");
  if (run.exit_code != 77) assert_string_equal(run.out, "sgm-uniform\n");
  drop_run(&run);
}

// The tiny model's own size is 16 x 16, its factor 2.
static void a_picture_that_is_painted_over_keeps_its_form(void **state) {
  (void)state;
  static const struct {
    int width, height;        // of the picture that is begun from
    int to_width, to_height;  // 0: as it is
  } sizes[] = {{20, 14, 0, 0}, {24, 22, 0, 0}, {64, 32, 22, 12}, {21, 14, 20, 14}, {4, 8, 12, 22}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    ink_picture picture;
    ink_error error = {0};
    char said[64];
    assert_ok(ink_picture_new(sizes[i].width, sizes[i].height, 3, &picture, &error));
    memset(picture.pixels, 90, ink_picture_bytes(&picture));
    save_as("from.png", &picture);
    ink_picture_free(&picture);
    program_run run =
        run_at_home(AGAIN "cat --steps 3 --unmarked --init from.png --seed 1 -o over.png");
    assert_int_equal(run.exit_code, 0);
    bool kept = sizes[i].to_width == 0;
    int width = kept ? sizes[i].width : sizes[i].to_width,
        height = kept ? sizes[i].height : sizes[i].to_height;
    snprintf(said, sizeof said, "from.png: %d x %d, brought to %d x %d", sizes[i].width,
             sizes[i].height, width, height);
    assert_true((strstr(run.err, said) == NULL) == kept);
    drop_run(&run);
    assert_size("over.png", width, height);
  }
}

// What others read: plug-ins with the hash that sites know them by, and ComfyUI's graph, in PNG
// and, where readers of JSON in Model would fail, in Exif's Make.
static void parameters_are_written_as_others_read_them(void **state) {
  (void)state;
  run_fine("mkdir -p told && cp \"$FIXTURES/embedding/style.safetensors\" told/");
  run_fine(PAINT
           "'cat <lora:style:0.5>' --lora-dir told --sampler euler --seed 2 -o told.png && " AGAIN
           "--from told.png --lora-dir told -o told.webp");
  size_t size;
  char *bytes = read_file(in_scratch("told/style.safetensors"), &size), hash[INK_SHA256_HEX],
       words[80];
  ink_error error = {0};
  size_t head = 8 + (size_t)ink_little((const unsigned char *)bytes, 8);
  assert_ok(ink_sha256_of(bytes + head, size - head, hash, &error));
  free(bytes);
  snprintf(words, sizeof words, "Lora hashes: \"style: %.12s\"", hash);
  ink_picture picture;
  ink_picture_extras extras = {0};
  picture = read_picture(in_scratch("told.png"), &extras);
  assert_non_null(strstr(ink_picture_note(&extras, "parameters"), words));
  assert_non_null(strstr(ink_picture_note(&extras, "parameters"), "cat <lora:style:0.5>"));
  assert_non_null(
      strstr(ink_picture_note(&extras, "prompt"), "\"lora_name\":\"style.safetensors\""));
  ink_picture_free(&picture);
  ink_picture_extras_free(&extras);
  bytes = read_file(in_scratch("told.webp"), &size);
  assert_non_null(memmem(bytes, size, "Prompt:{\"1\":{\"class_type\":", 26));
  free(bytes);
}

static void faults_of_painting_are_said_in_chinese(void **state) {
  (void)state;
  static const struct {
    const char *flags, *word;
  } said[] = {{"--size 17x16", "此模型要求 2 的倍数"},
              {"--sampler eulr", "是否想用 euler"},
              {"--init file", "不是 PNG、JPEG 或 WebP"},
              {"--lora foreign.safetensors", "此插件属于另一种模型"}};
  run_fine(
      "echo no > file && cp \"$FIXTURES/networks/lora/kohya.safetensors\" foreign.safetensors");
  for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
    program_run run = run_at_home("export INKSTONE_LANG=zh && " PAINT "x %s", said[i].flags);
    assert_int_not_equal(run.exit_code, 0);
    if (!strstr(run.err, said[i].word)) fail_msg("%s", run.err);
    drop_run(&run);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(paint_prints_one_object_and_writes_the_picture),
      cmocka_unit_test(a_picture_says_that_it_was_generated),
      cmocka_unit_test(a_picture_is_signed_under_the_identity_of_its_labels),
      cmocka_unit_test(a_parent_s_manifest_is_kept),
      cmocka_unit_test(nothing_is_painted_that_cannot_be_signed),
      cmocka_unit_test(whatever_the_options_no_picture_is_unmarked),
      cmocka_unit_test(a_picture_is_repeated_byte_for_byte),
      cmocka_unit_test(every_picture_of_a_run_can_be_repeated),
      cmocka_unit_test(a_picture_from_a_picture_asks_for_it_again),
      cmocka_unit_test(a_picture_can_be_led_by_others),
      cmocka_unit_test(plug_ins_are_found_by_the_names_in_prompts),
      cmocka_unit_test(what_of_a_plug_in_fits_nothing_is_told),
      cmocka_unit_test(large_pictures_and_sheets_are_repeated),
      cmocka_unit_test(margins_are_painted_around_a_picture),
      cmocka_unit_test(a_picture_can_be_enlarged_alone),
      cmocka_unit_test(without_memory_the_ways_out_are_named),
      cmocka_unit_test(what_is_no_size_or_margin_is_refused),
      cmocka_unit_test(a_control_that_is_wrong_is_refused_by_name),
      cmocka_unit_test(a_named_model_needs_no_flag_to_repeat),
      cmocka_unit_test(a_model_says_how_closely_it_follows),
      cmocka_unit_test(what_a_picture_carries_stands_in_its_recipe),
      cmocka_unit_test(another_installation_cannot_repeat_a_keyed_picture),
      cmocka_unit_test(detect_looks_into_the_noise_under_a_model_that_is_named),
      cmocka_unit_test(a_key_that_cannot_be_read_is_one_piece_of_evidence),
      cmocka_unit_test(whether_models_may_learn_from_a_picture_is_said),
      cmocka_unit_test(no_picture_tells_where_things_lie_on_this_machine),
      cmocka_unit_test(a_picture_decoded_by_a_tiny_autoencoder_is_repeated),
      cmocka_unit_test(a_tiny_autoencoder_that_is_wrong_is_refused_by_name),
      cmocka_unit_test(where_a_picture_goes_is_asked_before_the_work),
      cmocka_unit_test(samplers_go_by_the_names_that_others_give_them),
      cmocka_unit_test(a_picture_that_is_painted_over_keeps_its_form),
      cmocka_unit_test(transparency_is_kept_outside_the_mask),
      cmocka_unit_test(a_picture_of_another_tool_asks_for_its_model),
      cmocka_unit_test(a_weight_in_full_width_brackets_is_pointed_out),
      cmocka_unit_test(the_manual_names_every_flag),
      cmocka_unit_test(shells_complete_what_options_know),
      cmocka_unit_test(parameters_are_written_as_others_read_them),
      cmocka_unit_test(faults_of_painting_are_said_in_chinese),
      cmocka_unit_test(what_cannot_be_painted_is_refused_with_a_word),
  };
  return cmocka_run_group_tests_name("paint", tests, scratch_open, scratch_close);
}
