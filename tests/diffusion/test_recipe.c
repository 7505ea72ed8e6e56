// Recipes of paintings: what goes into a picture comes out again, and A1111's words are understood.
#include <math.h>
#include <stdlib.h>

#include "diffusion/recipe.h"
#include "testing.h"

static ink_paint_recipe full_recipe(void) {
  ink_paint_recipe r = {.model = strdup("a/b"),
                        .prompt = strdup("狐狸, \"red\""),
                        .negative = strdup("blur"),
                        .width = 64,
                        .height = 48,
                        .steps = 7,
                        .clip_skip = 1,
                        .guidance_scale = 6.25,
                        .guidance_rescale = 0.5,
                        .strength = 0.3,
                        .eta = 0.25,
                        .has_sampler = true,
                        .has_curve = true,
                        .sampler = INK_SAMPLER_DPMPP_2M,
                        .curve = INK_CURVE_KARRAS,
                        .seed = (UINT64_C(1) << 53) - 1,
                        .stream = 3,
                        .noise = INK_NOISE_CUDA,
                        .bf16 = true,
                        .variation_seed = 9,
                        .variation = 0.25,
                        .brownian = true,
                        .cache = 5,
                        .extend = {8, 0, 16, 24},
                        .hires_scale = 1.5,
                        .hires_strength = 0.375,
                        .hires_upscaler = strdup("u.pth"),
                        .taesd = strdup("taesd.pth"),
                        .grid = 4,
                        .n_loras = 1,
                        .n_words = 1,
                        .n_controls = 1,
                        .watermark = {true, "0123456789abcdef", true, 0.25}};
  memset(r.model_sha256, 'a', 64);
  memset(r.init_sha256, 'b', 64);
  memset(r.mask_sha256, 'c', 64);
  r.loras[0] = (ink_paint_recipe_lora){.path = strdup("x.safetensors"), .weight = -0.5};
  r.words[0] = (ink_paint_recipe_word){.path = strdup("w.pt"), .word = strdup("w")};
  r.controls[0] = (ink_paint_recipe_control){
      .kind = strdup("canny"), .model = strdup("c/d"), .weight = 0.5, .start = 0.125, .end = 0.75};
  memset(r.hires_sha256, 'd', 64);
  memset(r.taesd_sha256, 'e', 64);
  return r;
}

static void json_gives_the_recipe_back(void **state) {
  (void)state;
  ink_error error = {0};
  ink_paint_recipe r = full_recipe(), back;
  json_t *json = ink_paint_recipe_to_json(&r);
  assert_ok(ink_paint_recipe_from_json(json, "x", &back, &error));
  json_t *again = ink_paint_recipe_to_json(&back);
  assert_true(json_equal(json, again));
  assert_string_equal(back.prompt, r.prompt);
  assert_true(back.seed == r.seed && back.stream == 3 && back.bf16);
  assert_int_equal(back.noise, INK_NOISE_CUDA);
  assert_string_equal(back.loras[0].path, "x.safetensors");
  assert_true(back.variation_seed == 9 && back.variation == 0.25 && back.grid == 4);
  assert_true(back.brownian && back.cache == 5);
  assert_true(back.extend.bottom == 16 && back.extend.left == 24);
  assert_true(back.hires_scale == 1.5 && back.hires_strength == 0.375);
  assert_string_equal(back.hires_upscaler, "u.pth");
  assert_string_equal(back.taesd, "taesd.pth");
  assert_string_equal(back.taesd_sha256, r.taesd_sha256);
  assert_true(ink_paint_recipe_request(&back).taesd_decode);
  assert_string_equal(back.words[0].word, "w");
  assert_true(back.controls[0].weight == 0.5 && back.controls[0].start == 0.125);
  assert_string_equal(back.watermark.gaussian_key, "0123456789abcdef");
  assert_true(back.watermark.stated && back.watermark.dwt_dct && back.watermark.kept == 0.25);
  ink_paint_request request = ink_paint_recipe_request(&back);
  assert_true(request.kept_noise == 0.25 && request.brownian && request.cache == 5);
  json_decref(json);
  json_decref(again);
  ink_paint_recipe_free(&r);
  ink_paint_recipe_free(&back);
}

static void recipes_that_lie_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *text, *word;
  } bad[] = {
      {"[]", "object"},
      {"{}", "version"},
      {"{\"version\": 2}", "version"},
      {"{\"version\": 1, \"width\": 100000}", "width"},
      {"{\"version\": 1, \"steps\": -1}", "steps"},
      {"{\"version\": 1, \"seed\": \"x\"}", "seed"},
      {"{\"version\": 1, \"sampler\": \"x\"}", "sampler"},
      {"{\"version\": 1, \"schedule\": \"x\"}", "schedule"},
      {"{\"version\": 1, \"noise\": \"x\"}", "noise"},
      {"{\"version\": 1, \"prompt\": 3}", "prompt"},
      {"{\"version\": 1, \"init_sha256\": \"zz\"}", "SHA"},
      {"{\"version\": 1, \"loras\": {}}", "loras"},
      {"{\"version\": 1, \"loras\": [{\"weight\": 1e9}]}", "weight"},
      {"{\"version\": 1, \"guidance_scale\": 1e9}", "guidance"},
      {"{\"version\": 1, \"extend\": [1, 2, 3]}", "extend"},
      {"{\"version\": 1, \"extend\": [1, 2, 3, -1]}", "extend"},
      {"{\"version\": 1, \"hires\": {\"scale\": 100}}", "scale"},
      {"{\"version\": 1, \"variation\": {\"strength\": 2}}", "strength"},
      {"{\"version\": 1, \"controls\": [{\"weight\": -1}]}", "weight"},
      {"{\"version\": 1, \"embeddings\": 1}", "embeddings"},
      {"{\"version\": 1, \"watermark\": []}", "watermark"},
      {"{\"version\": 1, \"cache\": 101}", "cache"},
      {"{\"version\": 1, \"taesd\": \"x\"}", "taesd"},
      {"{\"version\": 1, \"taesd\": {\"sha256\": \"zz\"}}", "SHA"},
      {"{\"version\": 1, \"watermark\": {\"gaussian_shading\": \"x\"}}", "key"},
      {"{\"version\": 1, \"watermark\": {\"dwt_dct\": \"x\"}}", "dwt_dct"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ink_error error = {0};
    ink_paint_recipe r;
    json_t *json = json_loads(bad[i].text, 0, NULL);
    assert_int_equal(ink_paint_recipe_from_json(json, "x.png", &r, &error), INK_ERR_FORMAT);
    if (!strstr(error.text, bad[i].word)) fail_msg("\"%s\"", error.text);
    json_decref(json);
  }
}

static ink_paint_recipe from_text(const char *text, ink_text *left) {
  ink_error error = {0};
  ink_infotext info;
  ink_paint_recipe r = {0};
  assert_ok(ink_infotext_parse(text, &info, &error));
  assert_ok(ink_paint_recipe_from_infotext(&info, &r, left, &error));
  ink_infotext_free(&info);
  return r;
}

static void parameters_of_a1111_are_understood(void **state) {
  (void)state;
  ink_text left = {0};
  ink_paint_recipe r = from_text(
      "fox\nNegative prompt: blur\nSteps: 30, Sampler: DPM++ 2M Karras, CFG scale: 5.5, Seed: 77, "
      "Size: 512x768, Clip skip: 2, Model: v1-5, Hires upscale: 2, ENSD: 31337",
      &left);
  assert_string_equal(r.model, "v1-5");
  assert_int_equal(r.sampler, INK_SAMPLER_DPMPP_2M);
  assert_int_equal(r.curve, INK_CURVE_KARRAS);
  assert_true(r.has_sampler && r.has_curve);
  assert_int_equal(r.noise, INK_NOISE_CUDA);
  assert_int_equal(r.clip_skip, 1);
  assert_int_equal(r.steps, 30);
  assert_int_equal(r.height, 768);
  assert_true(r.seed == 77 && r.guidance_scale == 5.5);
  assert_string_equal(ink_text_string(&left), "ENSD");
  assert_true(r.hires_scale == 2 && r.hires_strength == r.strength);
  ink_paint_recipe_free(&r);
  ink_text_free(&left);
  r = from_text("x\nSteps: 4, Sampler: Euler a, Schedule type: SGM Uniform, Seed: 1, RNG: CPU",
                &left);
  assert_int_equal(r.sampler, INK_SAMPLER_EULER_ANCESTRAL);
  assert_int_equal(r.curve, INK_CURVE_SGM_UNIFORM);
  assert_int_equal(r.noise, INK_NOISE_CPU);
  assert_int_equal(left.size, 0);
  assert_false(r.brownian);
  ink_paint_recipe_free(&r);
  // A1111 draws the noise of these from a Brownian tree, and does not say it.
  r = from_text("x\nSteps: 4, Sampler: DPM++ SDE Karras, Seed: 1", &left);
  assert_int_equal(r.sampler, INK_SAMPLER_DPMPP_SDE);
  assert_true(r.brownian);
  ink_paint_recipe_free(&r);
  ink_text_free(&left);
}

static void parameters_with_wrong_numbers_are_refused(void **state) {
  (void)state;
  static const char *const bad[] = {
      "x\nSteps: no, Seed: 1, Size: 8x8", "x\nSteps: 1, Seed: -5, Size: 8x8",
      "x\nSteps: 1, Seed: 1, Size: large", "x\nSteps: 1, Seed: 1, Sampler: Magic",
      "x\nSteps: 1, Seed: 1, CFG scale: nan"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ink_error error = {0};
    ink_infotext info;
    ink_paint_recipe r = {0};
    ink_text left = {0};
    assert_ok(ink_infotext_parse(bad[i], &info, &error));
    ink_status status = ink_paint_recipe_from_infotext(&info, &r, &left, &error);
    assert_true(status == INK_ERR_FORMAT || status == INK_ERR_UNSUPPORTED);
    assert_true(error.text[0]);
    ink_infotext_free(&info);
    ink_paint_recipe_free(&r);
    ink_text_free(&left);
  }
}

static void what_we_write_as_parameters_reads_the_same(void **state) {
  (void)state;
  ink_error error = {0};
  ink_paint_recipe r = full_recipe(), back = {0};
  ink_infotext info, again;
  ink_text text = {0}, left = {0};
  assert_ok(ink_paint_recipe_to_infotext(&r, &info, &error));
  assert_ok(ink_infotext_format(&info, &text, &error));
  assert_ok(ink_infotext_parse(text.bytes, &again, &error));
  assert_ok(ink_paint_recipe_from_infotext(&again, &back, &left, &error));
  assert_string_equal(ink_text_string(&left), "ControlNet 0, VAE Decoder");
  assert_int_equal(back.sampler, r.sampler);
  assert_int_equal(back.curve, r.curve);
  assert_int_equal(back.noise, r.noise);
  assert_int_equal(back.clip_skip, r.clip_skip);
  assert_true(back.seed == r.seed && back.variation_seed == 9 && back.variation == 0.25);
  assert_true(back.brownian && back.cache == 5);
  assert_true(back.hires_scale == 1.5 && back.hires_strength == 0.375);
  assert_string_equal(back.hires_upscaler, "u.pth");
  assert_string_equal(back.prompt, r.prompt);
  ink_text_free(&text);
  ink_text_free(&left);
  ink_infotext_free(&info);
  ink_infotext_free(&again);
  ink_paint_recipe_free(&r);
  ink_paint_recipe_free(&back);
}

// Inputs of the nth node of a class; NULL when there are fewer.
static const json_t *inputs_of(const json_t *graph, const char *type, int nth) {
  for (size_t id = 1; id <= json_object_size(graph); id++) {
    char key[12];
    snprintf(key, sizeof key, "%zu", id);
    const json_t *node = json_object_get(graph, key);
    const char *found = json_string_value(json_object_get(node, "class_type"));
    if (strcmp(found, type) == 0 && nth-- == 0) return json_object_get(node, "inputs");
  }
  return NULL;
}

// The class of the node that an input comes from.
static const char *source_of(const json_t *graph, const json_t *inputs, const char *name) {
  const char *id = json_string_value(json_array_get(json_object_get(inputs, name), 0));
  return json_string_value(json_object_get(json_object_get(graph, id), "class_type"));
}

// Every link of the graph leads to a node that stands before.
static void assert_hangs_together(json_t *graph) {
  const char *id, *name;
  json_t *node, *input;
  json_object_foreach(graph, id, node) {
    assert_true(json_is_string(json_object_get(node, "class_type")));
    json_object_foreach(json_object_get(node, "inputs"), name, input) {
      if (!json_is_array(input)) continue;
      const char *from = json_string_value(json_array_get(input, 0));
      assert_non_null(json_object_get(graph, from));
      assert_true(atoi(from) < atoi(id));
    }
  }
}

static void comfyui_graph_says_what_was_painted(void **state) {
  (void)state;
  ink_paint_recipe r = full_recipe();
  json_t *graph = ink_paint_recipe_to_comfyui(&r);
  assert_non_null(graph);
  assert_hangs_together(graph);
  const json_t *first = inputs_of(graph, "KSampler", 0), *second = inputs_of(graph, "KSampler", 1);
  assert_string_equal(json_string_value(json_object_get(first, "sampler_name")), "dpmpp_2m");
  assert_string_equal(json_string_value(json_object_get(first, "scheduler")), "karras");
  assert_true(json_real_value(json_object_get(first, "denoise")) == 0.3);
  assert_true(json_real_value(json_object_get(second, "denoise")) == 0.375);
  assert_null(inputs_of(graph, "KSampler", 2));
  assert_string_equal(source_of(graph, first, "positive"), "ControlNetApplyAdvanced");
  assert_string_equal(source_of(graph, first, "negative"), "ControlNetApplyAdvanced");
  assert_string_equal(source_of(graph, first, "latent_image"), "SetLatentNoiseMask");
  assert_string_equal(source_of(graph, first, "model"), "RescaleCFG");
  const json_t *lora = inputs_of(graph, "LoraLoader", 0);
  assert_string_equal(json_string_value(json_object_get(lora, "lora_name")), "x.safetensors");
  assert_true(json_real_value(json_object_get(lora, "strength_model")) == -0.5);
  const json_t *skip = inputs_of(graph, "CLIPSetLastLayer", 0);
  assert_int_equal(json_integer_value(json_object_get(skip, "stop_at_clip_layer")), -2);
  assert_string_equal(source_of(graph, skip, "clip"), "LoraLoader");
  const json_t *scale = inputs_of(graph, "ImageScale", 0);
  assert_int_equal(json_integer_value(json_object_get(scale, "width")), 96);
  assert_non_null(inputs_of(graph, "ImageUpscaleWithModel", 0));
  assert_string_equal(source_of(graph, inputs_of(graph, "SaveImage", 0), "images"), "VAEDecode");
  // Each of a pair of outputs goes its own way, and the second pass to sides of whole latents.
  static const struct {
    const char *from, *name;
    int slot;
  } links[] = {{"KSampler", "positive", 0}, {"KSampler", "negative", 1}};
  for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
    const json_t *link = json_object_get(inputs_of(graph, links[i].from, 0), links[i].name);
    assert_int_equal(json_integer_value(json_array_get(link, 1)), links[i].slot);
  }
  const json_t *led = inputs_of(graph, "ControlNetApplyAdvanced", 0);
  assert_true(json_real_value(json_object_get(led, "start_percent")) == r.controls[0].start);
  assert_true(json_real_value(json_object_get(led, "end_percent")) == r.controls[0].end);
  assert_true(r.controls[0].start != r.controls[0].end);
  const json_t *padded = inputs_of(graph, "ImagePadForOutpaint", 0);
  const int32_t margins[] = {r.extend.top, r.extend.right, r.extend.bottom, r.extend.left};
  static const char *const sides[] = {"top", "right", "bottom", "left"};
  for (int i = 0; i < 4; i++) {
    assert_int_equal(json_integer_value(json_object_get(padded, sides[i])), margins[i]);
  }
  // The margins' own mask is the one that counts.
  assert_string_equal(source_of(graph, inputs_of(graph, "SetLatentNoiseMask", 0), "mask"),
                      "ImagePadForOutpaint");
  json_decref(graph);
  r.hires_scale = 1.45;
  graph = ink_paint_recipe_to_comfyui(&r);
  assert_int_equal(json_integer_value(json_object_get(inputs_of(graph, "ImageScale", 0), "width")),
                   96);
  json_decref(graph);
  r.upscaled = true;
  assert_null(ink_paint_recipe_to_comfyui(&r));
  r.upscaled = false;
  r.sampler = INK_SAMPLER_TCD;
  assert_null(ink_paint_recipe_to_comfyui(&r));
  ink_paint_recipe_free(&r);
}

static void comfyui_graph_of_words_alone_is_its_default_one(void **state) {
  (void)state;
  ink_paint_recipe r = {.model = strdup("m.safetensors"),
                        .prompt = strdup("a fox"),
                        .width = 512,
                        .height = 768,
                        .steps = 20,
                        .guidance_scale = 7,
                        .seed = 5};
  json_t *graph = ink_paint_recipe_to_comfyui(&r);
  assert_hangs_together(graph);
  assert_int_equal(json_object_size(graph), 7);
  const json_t *sampler = inputs_of(graph, "KSampler", 0);
  assert_int_equal(json_integer_value(json_object_get(sampler, "seed")), 5);
  assert_true(json_real_value(json_object_get(sampler, "denoise")) == 1);
  assert_string_equal(source_of(graph, sampler, "latent_image"), "EmptyLatentImage");
  const json_t *loader = inputs_of(graph, "CheckpointLoaderSimple", 0);
  assert_string_equal(json_string_value(json_object_get(loader, "ckpt_name")), "m.safetensors");
  json_decref(graph);
  ink_paint_recipe_free(&r);
}

static ink_paint_recipe from_graph(json_t *graph, ink_text *left) {
  ink_error error = {0};
  ink_paint_recipe r = {0};
  assert_non_null(graph);
  assert_ok(ink_paint_recipe_from_comfyui(graph, "x.png", &r, left, &error));
  json_decref(graph);
  return r;
}

static void graphs_of_comfyui_are_understood(void **state) {
  (void)state;
  ink_text left = {0};
  ink_paint_recipe r = {.model = strdup("m.safetensors"),
                        .prompt = strdup("a fox [sic]"),
                        .negative = strdup("blur"),
                        .width = 512,
                        .height = 768,
                        .steps = 25,
                        .clip_skip = 1,
                        .guidance_scale = 6.5,
                        .sampler = INK_SAMPLER_DPMPP_2M_SDE,
                        .curve = INK_CURVE_KARRAS,
                        .seed = 156680208700286,
                        .n_loras = 2};
  r.loras[0] = (ink_paint_recipe_lora){.path = strdup("x.safetensors"), .weight = 0.5};
  r.loras[1] = (ink_paint_recipe_lora){.path = strdup("y.safetensors"), .weight = -1};
  ink_paint_recipe back = from_graph(ink_paint_recipe_to_comfyui(&r), &left);
  assert_string_equal(ink_text_string(&left), "");
  assert_string_equal(back.model, "m.safetensors");
  // Square brackets are no syntax there.
  assert_string_equal(back.prompt, "a fox \\[sic\\]");
  assert_string_equal(back.negative, "blur");
  assert_true(back.width == 512 && back.height == 768 && back.steps == 25);
  assert_true(back.guidance_scale == 6.5 && back.seed == r.seed && back.clip_skip == 1);
  assert_true(back.sampler == r.sampler && back.curve == r.curve && back.has_curve);
  // ComfyUI's random numbers: torch's on the CPU, and a Brownian tree.
  assert_true(back.noise == INK_NOISE_CPU && back.brownian);
  assert_int_equal(back.n_loras, 2);
  assert_string_equal(back.loras[0].path, "x.safetensors");
  assert_true(back.loras[1].weight == -1);
  ink_paint_recipe_free(&back);
  ink_paint_recipe_free(&r);
  // What is not obeyed is named, the second pass too; the first is taken.
  r = full_recipe();
  r.init_sha256[0] = r.mask_sha256[0] = 0;
  r.extend = (ink_margins){0};
  back = from_graph(ink_paint_recipe_to_comfyui(&r), &left);
  assert_non_null(strstr(ink_text_string(&left), "ControlNetApplyAdvanced"));
  assert_non_null(strstr(ink_text_string(&left), "KSampler"));
  assert_true(back.width == 64 && back.strength == 1);
  assert_string_equal(back.prompt, r.prompt);
  ink_paint_recipe_free(&back);
  ink_paint_recipe_free(&r);
  ink_text_free(&left);
}

static void graphs_that_are_none_are_refused(void **state) {
  (void)state;
  // The last one leads in a circle.
  static const struct {
    const char *text, *word;
  } bad[] = {
      {"[]", "no KSampler"},
      {"{}", "no KSampler"},
      {"{\"1\": 5, \"2\": {\"class_type\": 5}}", "no KSampler"},
      {"{\"1\": {\"class_type\": \"KSampler\"}}", "seed"},
      {"{\"1\": {\"class_type\": \"KSampler\", \"inputs\": {\"seed\": [\"2\", 0]}}}", "seed"},
      {"{\"1\": {\"class_type\": \"KSampler\", \"inputs\": {\"seed\": 1, \"steps\": 2, \"cfg\": 7, "
       "\"denoise\": 1, \"sampler_name\": \"magic\"}}}",
       "magic"},
      {"{\"1\": {\"class_type\": \"KSampler\", \"inputs\": {\"seed\": 1, \"steps\": 2, \"cfg\": 7, "
       "\"denoise\": 1, \"sampler_name\": \"euler\", \"model\": [\"2\", 0], \"positive\": [\"2\", "
       "0]}}, "
       "\"2\": {\"class_type\": \"Loop\", \"inputs\": {\"model\": [\"2\", 0], \"positive\": "
       "[\"2\", 0]}}}",
       "positive text"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ink_error error = {0};
    ink_paint_recipe r = {0};
    ink_text left = {0};
    json_t *json = json_loads(bad[i].text, 0, NULL);
    assert_non_null(json);
    ink_status status = ink_paint_recipe_from_comfyui(json, "x.png", &r, &left, &error);
    assert_true(status == INK_ERR_FORMAT || status == INK_ERR_UNSUPPORTED);
    if (!strstr(error.text, bad[i].word)) fail_msg("\"%s\"", error.text);
    json_decref(json);
    ink_text_free(&left);
    ink_paint_recipe_free(&r);
  }
}

// As A1111 writes them: names without endings, hashes of plug-ins' content and of words' files.
static void parameters_name_models_and_plug_ins_by_stem_and_hash(void **state) {
  (void)state;
  ink_error error = {0};
  ink_paint_recipe r = full_recipe();
  ink_infotext info;
  free(r.model);
  r.model = strdup("v1.5-pruned.safetensors");
  memset(r.loras[0].content_sha256, '1', 64);
  memset(r.words[0].sha256, '2', 64);
  assert_ok(ink_paint_recipe_to_infotext(&r, &info, &error));
  assert_string_equal(ink_infotext_get(&info, "Model"), "v1.5-pruned");
  assert_string_equal(ink_infotext_get(&info, "Lora hashes"), "x: 111111111111");
  assert_string_equal(ink_infotext_get(&info, "TI hashes"), "w: 2222222222");
  assert_non_null(strstr(info.prompt, " <lora:x:-0.5>"));
  ink_infotext_free(&info);
  // Several are a list; an ending is one in any case, and a name that is nothing else is a name.
  static const char *const models[][2] = {
      {"a.SafeTensors", "a"}, {".ckpt", ".ckpt"}, {"a.b", "a.b"}, {"x.pt.bin", "x.pt"}};
  r.loras[r.n_loras] = (ink_paint_recipe_lora){.path = strdup("dir/y.pt"), .weight = 1};
  memset(r.loras[r.n_loras++].content_sha256, '3', 64);
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    free(r.model);
    r.model = strdup(models[i][0]);
    assert_ok(ink_paint_recipe_to_infotext(&r, &info, &error));
    assert_string_equal(ink_infotext_get(&info, "Model"), models[i][1]);
    assert_string_equal(ink_infotext_get(&info, "Lora hashes"), "x: 111111111111, y: 333333333333");
    ink_infotext_free(&info);
  }
  ink_paint_recipe_free(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(json_gives_the_recipe_back),
      cmocka_unit_test(recipes_that_lie_are_refused),
      cmocka_unit_test(parameters_of_a1111_are_understood),
      cmocka_unit_test(parameters_with_wrong_numbers_are_refused),
      cmocka_unit_test(what_we_write_as_parameters_reads_the_same),
      cmocka_unit_test(comfyui_graph_says_what_was_painted),
      cmocka_unit_test(comfyui_graph_of_words_alone_is_its_default_one),
      cmocka_unit_test(graphs_of_comfyui_are_understood),
      cmocka_unit_test(graphs_that_are_none_are_refused),
      cmocka_unit_test(parameters_name_models_and_plug_ins_by_stem_and_hash),
  };
  return cmocka_run_group_tests_name("hostile_recipe", tests, NULL, NULL);
}
