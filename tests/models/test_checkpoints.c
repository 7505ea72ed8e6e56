// Single files of Stable Diffusion and diffusers folders: the same tensors from both, told apart by
// what is in them.
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "models/controlnet.h"
#include "models/stable_diffusion.h"
#include "networks_testing.h"
#include "scratch.h"
#include "weights/safetensors.h"

// ---- single files put together from the folders -------------------------------------------------

// One tensor of a single file.
typedef struct piece {
  char *name, *folder, *source, *change;
} piece;

// Read networks/single/NAME.txt; *text is malloc'ed and holds the pieces' strings.
static size_t read_pieces(const char *name, char **text, piece pieces[1024]) {
  char path[128];
  size_t size, n = 0;
  ink_error error = {0};
  snprintf(path, sizeof path, "networks/single/%s.txt", name);
  assert_ok(ink_file_read(fixture_path(path), 1 << 20, text, &size, &error));
  for (char *line = *text, *end; (end = strchr(line, '\n')); line = end + 1) {
    assert_true(n < 1024);
    piece *p = &pieces[n++];
    *end = 0;
    p->name = line;
    p->folder = strchr(p->name, '\t');
    *p->folder++ = 0;
    p->source = strchr(p->folder, '\t');
    *p->source++ = 0;
    p->change = strchr(p->source, '\t');
    *p->change++ = 0;
  }
  return n;
}

// The elements of a piece, as they stand in a single file, added to *bytes.
static void put_piece(const ink_weights *weights, const piece *p, ink_text *bytes,
                      ink_safetensors_entry *entry) {
  char names[512];
  snprintf(names, sizeof names, "%s", p->source);
  *entry = (ink_safetensors_entry){.name = p->name, .type_name = "F16"};
  int64_t rows = 0;
  for (char *name = strtok(names, "+"); name; name = strtok(NULL, "+")) {
    const ink_tensor *t = ink_weights_find(weights, name);
    // transformers 5 leaves this out of what it saves.
    if (!t && strncmp(name, "text_model.", 11) == 0) t = ink_weights_find(weights, name + 11);
    if (!t) fail_msg("%s: no %s", p->folder, name);
    assert_int_equal(t->dtype, INK_F16);
    rows += t->shape[0];
    entry->rank = t->rank;
    memcpy(entry->shape, t->shape, sizeof entry->shape);
    const uint16_t *values = t->data;
    if (p->change[0] == 'T') {
      for (int64_t j = 0; j < t->shape[1]; j++) {
        for (int64_t i = 0; i < t->shape[0]; i++) {
          ink_text_add_bytes(bytes, &values[i * t->shape[1] + j], 2);
        }
      }
    } else {
      ink_text_add_bytes(bytes, values, (size_t)ink_tensor_elements(t) * 2);
    }
  }
  entry->shape[0] = rows;
  if (p->change[0] == 'T') {
    int64_t columns = entry->shape[1];
    entry->shape[1] = entry->shape[0];
    entry->shape[0] = columns;
  }
  if (p->change[0] == '4') {
    entry->rank = 4;
    entry->shape[2] = entry->shape[3] = 1;
  }
}

static ink_weights *folder_of(const char *name, ink_weights *open[8], char names[8][32],
                              size_t *n) {
  for (size_t i = 0; i < *n; i++) {
    if (strcmp(names[i], name) == 0) return open[i];
  }
  snprintf(names[*n], sizeof names[*n], "%s", name);
  open[*n] = open_network_file(name, "");
  return open[(*n)++];
}

// Write NAME.safetensors into the scratch folder; without the tensor `left_out`, with `added`.
static const char *make_single(const char *name, const char *left_out, const char *added) {
  static char path[4096];
  static piece pieces[1024];
  static ink_safetensors_entry entries[1025];
  char *text, names[8][32];
  ink_weights *folders[8];
  ink_text bytes[1025];
  size_t n_folders = 0, n = 0, n_pieces = read_pieces(name, &text, pieces);
  ink_error error = {0};
  memset(bytes, 0, sizeof bytes);
  for (size_t i = 0; i < n_pieces; i++) {
    if (left_out && strcmp(pieces[i].name, left_out) == 0) continue;
    put_piece(folder_of(pieces[i].folder, folders, names, &n_folders), &pieces[i], &bytes[n],
              &entries[n]);
    n++;
  }
  if (added) {
    entries[n] =
        (ink_safetensors_entry){.name = added, .type_name = "F16", .rank = 1, .shape = {1}};
    ink_text_add_bytes(&bytes[n++], "\0\0", 2);
  }
  snprintf(path, sizeof path, "%s/%s.safetensors", scratch, name);
  ink_safetensors_writer *writer;
  assert_ok(ink_safetensors_create(path, entries, n, NULL, 0, &writer, &error));
  const size_t *order = ink_safetensors_writer_order(writer);
  for (size_t i = 0; i < n; i++) {
    const ink_text *data = &bytes[order[i]];
    assert_ok(ink_safetensors_writer_data(writer, data->bytes, data->size, &error));
  }
  assert_ok(ink_safetensors_writer_commit(writer, &error));
  ink_safetensors_writer_free(writer);
  for (size_t i = 0; i < n; i++) ink_text_free(&bytes[i]);
  for (size_t i = 0; i < n_folders; i++) ink_weights_close(folders[i]);
  free(text);
  return path;
}

// Both networks have the same parameters, bit for bit.
static void check_same(const char *what, const ink_parameter *a, size_t n, const ink_parameter *b,
                       size_t m) {
  assert_true(n == m && n > 0);
  for (size_t i = 0; i < n; i++) {
    assert_string_equal(a[i].name, b[i].name);
    const ink_tensor *x = a[i].tensor, *y = b[i].tensor;
    size_t bytes;
    assert_true(ink_tensor_same_shape(x, y) && x->dtype == y->dtype);
    assert_true(ink_tensor_bytes(x->dtype, x->rank, x->shape, &bytes));
    if (memcmp(x->data, y->data, bytes) != 0) fail_msg("%s: %s differs", what, a[i].name);
  }
}

static void check_unet(const ink_weights *single, const char *folder) {
  ink_unet_config config;
  ink_unet *from_file, *from_folder;
  ink_error error = {0};
  ink_weights *weights = open_network_file(folder, "");
  size_t n, m;
  assert_ok(ink_unet_config_from_json(ink_weights_config(weights), folder, &config, &error));
  assert_ok(ink_unet_new(&config, &(ink_source){.weights = weights}, &from_folder, &error));
  ink_source source = {
      .weights = single, .prefix = "model.diffusion_model.", .naming = INK_NAMING_LDM};
  assert_ok(ink_unet_new(&config, &source, &from_file, &error));
  ink_parameter *a = ink_unet_parameters(from_file, &n);
  ink_parameter *b = ink_unet_parameters(from_folder, &m);
  check_same(folder, a, n, b, m);
  ink_unet_free(from_file);
  ink_unet_free(from_folder);
  ink_weights_close(weights);
}

static void check_vae(const ink_weights *single, const char *folder) {
  ink_vae_config config;
  ink_vae *from_file, *from_folder;
  ink_error error = {0};
  ink_weights *weights = open_network_file(folder, "");
  size_t n, m;
  assert_ok(ink_vae_config_from_json(ink_weights_config(weights), folder, &config, &error));
  assert_ok(ink_vae_new(&config, &(ink_source){.weights = weights}, &from_folder, &error));
  ink_source source = {.weights = single, .prefix = "first_stage_model.", .naming = INK_NAMING_LDM};
  assert_ok(ink_vae_new(&config, &source, &from_file, &error));
  ink_parameter *a = ink_vae_parameters(from_file, &n);
  ink_parameter *b = ink_vae_parameters(from_folder, &m);
  check_same(folder, a, n, b, m);
  ink_vae_free(from_file);
  ink_vae_free(from_folder);
  ink_weights_close(weights);
}

static void check_clip(const ink_weights *single, const char *prefix, ink_naming naming,
                       const char *folder) {
  ink_clip_config config;
  ink_clip *from_file, *from_folder;
  ink_error error = {0};
  ink_weights *weights = open_network_file(folder, "");
  size_t n, m;
  assert_ok(ink_clip_config_from_json(ink_weights_config(weights), folder, &config, &error));
  assert_ok(ink_clip_new(&config, &(ink_source){.weights = weights}, &from_folder, &error));
  ink_source source = {.weights = single, .prefix = prefix, .naming = naming};
  assert_ok(ink_clip_new(&config, &source, &from_file, &error));
  ink_parameter *a = ink_clip_parameters(from_file, &n);
  ink_parameter *b = ink_clip_parameters(from_folder, &m);
  check_same(folder, a, n, b, m);
  ink_clip_free(from_file);
  ink_clip_free(from_folder);
  ink_weights_close(weights);
}

static void check_controlnet(const ink_weights *single) {
  ink_controlnet_config config, found;
  ink_controlnet *from_file, *from_folder;
  ink_error error = {0};
  ink_weights *weights = open_network_file("controlnet", "");
  size_t n, m;
  assert_ok(
      ink_controlnet_config_from_json(ink_weights_config(weights), "controlnet", &config, &error));
  assert_ok(ink_controlnet_new(&config, &(ink_source){.weights = weights}, &from_folder, &error));
  ink_source source = {.weights = single, .prefix = "control_model.", .naming = INK_NAMING_LDM};
  assert_ok(ink_controlnet_new(&config, &source, &from_file, &error));
  ink_parameter *a = ink_controlnet_parameters(from_file, &n);
  ink_parameter *b = ink_controlnet_parameters(from_folder, &m);
  check_same("controlnet", a, n, b, m);
  // The tiny one has other groups than published ones, which is all that its shapes do not say.
  assert_int_equal(ink_controlnet_config_from_weights(single, source.prefix, &found, &error),
                   INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "32 groups"));
  assert_int_equal(found.n_hint, config.n_hint);
  assert_int_equal(found.hint_channels, config.hint_channels);
  assert_memory_equal(found.hint_widths, config.hint_widths, 4 * sizeof *config.hint_widths);
  ink_controlnet_free(from_file);
  ink_controlnet_free(from_folder);
  ink_weights_close(weights);
}

static void a_controlnet_in_the_originals_names_gives_the_tensors_of_the_folder(void **state) {
  (void)state;
  ink_weights *single;
  ink_error error = {0};
  assert_ok(ink_weights_open(make_single("control", NULL, NULL), &single, &error));
  check_controlnet(single);
  ink_weights_close(single);
}

static void a_single_file_gives_the_tensors_of_the_folders(void **state) {
  (void)state;
  static const struct {
    const char *name, *unet, *vae;
    struct {
      const char *prefix, *folder;
      ink_naming naming;
    } texts[2];
  } files[] = {
      {"sd1",
       "unet-sd1",
       "vae",
       {{"cond_stage_model.transformer.", "clip-l", INK_NAMING_DIFFUSERS}}},
      {"sd2", "unet-sd2", NULL, {{"cond_stage_model.model.", "clip-h", INK_NAMING_OPENCLIP}}},
      {"xl",
       "unet-xl",
       NULL,
       {{"conditioner.embedders.0.transformer.", "clip-l", INK_NAMING_DIFFUSERS},
        {"conditioner.embedders.1.model.", "clip-h", INK_NAMING_OPENCLIP}}},
  };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    ink_weights *single;
    ink_error error = {0};
    assert_ok(ink_weights_open(make_single(files[i].name, NULL, NULL), &single, &error));
    check_unet(single, files[i].unet);
    if (files[i].vae) check_vae(single, files[i].vae);
    for (size_t j = 0; j < 2 && files[i].texts[j].prefix; j++) {
      check_clip(single, files[i].texts[j].prefix, files[i].texts[j].naming,
                 files[i].texts[j].folder);
    }
    ink_weights_close(single);
  }
}

// A safetensors file with the names and shapes that networks/real/names.txt lists for NAME; its
// data is a hole.
static const char *make_hollow(const char *name, const char *added) {
  static char path[4096];
  char *text;
  size_t size, rank_end = strlen(name);
  ink_error error = {0};
  ink_text header = {0};
  uint64_t offset = 0;
  assert_ok(ink_file_read(fixture_path("networks/real/names.txt"), 1 << 20, &text, &size, &error));
  ink_text_add(&header, "{");
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    if (strncmp(line, name, rank_end) != 0 || line[rank_end] != ' ') continue;
    char *key = line + rank_end + 1, *shape = strchr(key, ' ');
    *shape++ = 0;
    uint64_t bytes = 2;
    ink_text_format(&header, "%s\"%s\":{\"dtype\":\"F16\",\"shape\":[", offset ? "," : "", key);
    for (char *end = shape; *shape; shape = *end ? end + 1 : end) {
      uint64_t extent = strtoull(shape, &end, 10);
      bytes *= extent;
      ink_text_format(&header, "%llu%s", (unsigned long long)extent, *end ? "," : "");
    }
    ink_text_format(&header, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)offset,
                    (unsigned long long)(offset + bytes));
    offset += bytes;
  }
  if (added) {
    ink_text_format(&header,
                    ",\"%s\":{\"dtype\":\"F16\",\"shape\":[0],\"data_offsets\":[%llu,%llu]}", added,
                    (unsigned long long)offset, (unsigned long long)offset);
  }
  ink_text_add(&header, "}");
  snprintf(path, sizeof path, "%s/%s-hollow.safetensors", scratch, name);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  uint64_t length = header.size;
  for (int i = 0; i < 8; i++) fputc((int)(length >> (8 * i) & 0xFF), file);
  fwrite(header.bytes, 1, header.size, file);
  fclose(file);
  assert_int_equal(truncate(path, (off_t)(8 + header.size + offset)), 0);
  ink_text_free(&header);
  free(text);
  return path;
}

// ---- what is missing or foreign -----------------------------------------------------------------

static ink_status try_unet(const char *path, ink_error *error) {
  ink_weights *single, *folder = open_network_file("unet-sd1", "");
  ink_unet_config config;
  ink_unet *unet;
  assert_int_equal(
      ink_unet_config_from_json(ink_weights_config(folder), "unet-sd1", &config, error), INK_OK);
  ink_weights_close(folder);
  assert_int_equal(ink_weights_open(path, &single, error), INK_OK);
  ink_source source = {
      .weights = single, .prefix = "model.diffusion_model.", .naming = INK_NAMING_LDM};
  ink_status status = ink_unet_new(&config, &source, &unet, error);
  assert_true((status == INK_OK) == (unet != NULL));
  ink_unet_free(unet);
  ink_weights_close(single);
  return status;
}

static void a_missing_tensor_is_named_as_the_file_would_have_it(void **state) {
  (void)state;
  ink_error error = {0};
  const char *left_out = "model.diffusion_model.output_blocks.2.1.conv.weight";
  assert_int_equal(try_unet(make_single("sd1", left_out, NULL), &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, left_out));
  assert_non_null(strstr(error.text, "up_blocks.0.upsamplers.0.conv.weight"));
}

static void a_foreign_tensor_is_named(void **state) {
  (void)state;
  ink_error error = {0};
  const char *added = "model.diffusion_model.input_blocks.1.2.weight";
  assert_int_equal(try_unet(make_single("sd1", NULL, added), &error), INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, added));
  added = "surprise.weight";
  ink_stable_diffusion *sd;
  const char *path = make_hollow("sd15", added);
  assert_int_equal(ink_stable_diffusion_open(path, &sd, &error), INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, added));
  assert_null(sd);
  remove(path);
}

static void a_config_of_another_model_is_a_conflict_of_shapes(void **state) {
  (void)state;
  ink_weights *one = open_network_file("unet-sd1", ""), *two = open_network_file("unet-few", "");
  ink_unet_config config;
  ink_unet *unet;
  ink_error error = {0};
  assert_ok(ink_unet_config_from_json(ink_weights_config(two), "unet-few", &config, &error));
  assert_int_equal(ink_unet_new(&config, &(ink_source){.weights = one}, &unet, &error),
                   INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "conv_in.weight"));
  ink_weights_close(one);
  ink_weights_close(two);
}

// ---- published files ----------------------------------------------------------------------------

static void check_same_config(const char *name, const ink_unet_config *found,
                              const ink_unet_config *wanted) {
  print_message("# %s\n", name);
  assert_int_equal(found->in_channels, wanted->in_channels);
  assert_int_equal(found->out_channels, wanted->out_channels);
  assert_int_equal(found->n_level, wanted->n_level);
  assert_int_equal(found->context, wanted->context);
  assert_int_equal(found->pooled, wanted->pooled);
  assert_int_equal(found->n_time_id, wanted->n_time_id);
  assert_int_equal(found->time_id_width, wanted->time_id_width);
  assert_int_equal(found->mid_depth, wanted->mid_depth);
  assert_true(found->mid && found->mid_cross && found->mid_pair);
  for (int i = 0; i < wanted->n_level; i++) {
    const ink_unet_level *a = &found->levels[i], *b = &wanted->levels[i];
    assert_int_equal(a->channels, b->channels);
    assert_int_equal(a->n_layer, b->n_layer);
    assert_int_equal(a->n_head, b->n_head);
    assert_true(a->cross_down == b->cross_down && a->cross_up == b->cross_up);
    for (int j = 0; j <= b->n_layer; j++) {
      if (b->cross_down && j < b->n_layer) assert_int_equal(a->depth[j], b->depth[j]);
      if (b->cross_up) assert_int_equal(a->depth_up[j], b->depth_up[j]);
    }
  }
}

// Config and kind of each published model, from its file's names and shapes alone, are what
// diffusers has for it.
static void published_files_are_told_apart(void **state) {
  (void)state;
  static const struct {
    const char *name, *added;
    ink_sd_family family;
    ink_sd_prediction prediction;
    int32_t in_channels;
  } files[] = {
      {"sd15", NULL, INK_SD_1, INK_SD_PREDICTS_EPSILON, 4},
      {"sd15-inpaint", NULL, INK_SD_1, INK_SD_PREDICTS_EPSILON, 9},
      {"sd21", NULL, INK_SD_2, INK_SD_PREDICTS_UNKNOWN, 4},
      {"sd21", "v_pred", INK_SD_2, INK_SD_PREDICTS_V, 4},
      {"xl", NULL, INK_SD_XL, INK_SD_PREDICTS_EPSILON, 4},
      {"xl", "v_pred", INK_SD_XL, INK_SD_PREDICTS_V, 4},
      {"refiner", NULL, INK_SD_XL_REFINER, INK_SD_PREDICTS_EPSILON, 4},
  };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    ink_weights *weights;
    ink_sd_layout layout;
    ink_unet_config found, wanted;
    ink_error error = {0};
    char config[128];
    json_t *json;
    snprintf(config, sizeof config, "networks/real/%s.json", files[i].name);
    assert_ok(ink_json_load(fixture_path(config), 1 << 20, &json, &error));
    assert_ok(ink_unet_config_from_json(json, config, &wanted, &error));
    const char *path = make_hollow(files[i].name, files[i].added);
    assert_ok(ink_weights_open(path, &weights, &error));
    assert_ok(ink_sd_layout_of(weights, &layout, &error));
    assert_int_equal(layout.family, files[i].family);
    assert_int_equal(layout.prediction, files[i].prediction);
    assert_ok(ink_unet_config_from_weights(weights, layout.unet, &found, &error));
    assert_int_equal(found.in_channels, files[i].in_channels);
    check_same_config(files[i].name, &found, &wanted);
    ink_weights_close(weights);
    remove(path);
    json_decref(json);
  }
}

static void other_diffusion_models_are_refused_by_name(void **state) {
  (void)state;
  ink_weights *weights;
  ink_sd_layout layout;
  ink_error error = {0};
  const char *path = make_hollow("sd15", "double_blocks.0.img_attn.norm.key_norm.scale");
  assert_ok(ink_weights_open(path, &weights, &error));
  assert_int_equal(ink_sd_layout_of(weights, &layout, &error), INK_ERR_UNSUPPORTED);
  assert_non_null(strstr(error.text, "FLUX.1"));
  ink_weights_close(weights);
  remove(path);
}

// ---- folders ------------------------------------------------------------------------------------

// A pipeline folder whose parts are links to the fixtures.
static void make_folder(const char *name, const char *const (*parts)[2], size_t n,
                        const char *scheduler) {
  char path[256], target[4096];
  ink_error error = {0};
  snprintf(path, sizeof path, "%s/scheduler", name);
  assert_ok(ink_folder_make(in_scratch(path), &error));
  for (size_t i = 0; i < n; i++) {
    snprintf(path, sizeof path, "networks/%s", parts[i][1]);
    assert_non_null(realpath(fixture_path(path), target));
    snprintf(path, sizeof path, "%s/%s", name, parts[i][0]);
    assert_int_equal(symlink(target, in_scratch(path)), 0);
  }
  snprintf(path, sizeof path, "%s/scheduler/scheduler_config.json", name);
  assert_ok(ink_file_save(in_scratch(path), scheduler, strlen(scheduler), &error));
}

static void a_diffusers_folder_gives_all_its_parts(void **state) {
  (void)state;
  static const char *const sd2[][2] = {
      {"unet", "unet-sd2"}, {"vae", "taesd"}, {"text_encoder", "clip-h"}};
  static const char *const xl[][2] = {{"unet", "unet-xl"},
                                      {"vae", "vae"},
                                      {"text_encoder", "clip-l"},
                                      {"text_encoder_2", "clip-h"},
                                      {"tokenizer", "clip-l"}};
  ink_stable_diffusion *sd;
  ink_error error = {0};
  make_folder("sd2", sd2, 3,
              "{\"prediction_type\":\"v_prediction\",\"rescale_betas_zero_snr\":true}");
  assert_ok(ink_stable_diffusion_open(in_scratch("sd2"), &sd, &error));
  assert_int_equal(sd->family, INK_SD_2);
  assert_int_equal(sd->prediction, INK_SD_PREDICTS_V);
  assert_true(sd->zero_terminal_snr && sd->taesd && !sd->vae && sd->n_text == 1);
  assert_true(sd->texts[0].skip == 0 && sd->texts[0].final_norm && sd->texts[0].pad == 0);
  ink_stable_diffusion_free(sd);
  make_folder("xl", xl, 5, "{\"prediction_type\":\"epsilon\"}");
  assert_ok(ink_stable_diffusion_open(in_scratch("xl"), &sd, &error));
  assert_int_equal(sd->family, INK_SD_XL);
  assert_int_equal(sd->prediction, INK_SD_PREDICTS_EPSILON);
  assert_true(sd->vae && !sd->taesd && sd->n_text == 2 && sd->scheduler);
  assert_true(sd->texts[0].skip == 1 && !sd->texts[0].final_norm && sd->texts[0].pad == -1);
  assert_true(!sd->texts[0].pooled && sd->texts[1].pooled);
  assert_true(sd->texts[0].tokenizer && !sd->texts[1].tokenizer);
  ink_stable_diffusion_free(sd);
}

static void an_incomplete_folder_names_what_is_missing(void **state) {
  (void)state;
  static const char *const parts[][2] = {{"unet", "unet-sd1"}, {"text_encoder", "clip-l"}};
  ink_stable_diffusion *sd;
  ink_error error = {0};
  make_folder("half", parts, 2, "{}");
  assert_int_equal(ink_stable_diffusion_open(in_scratch("half"), &sd, &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "vae"));
  assert_int_equal(ink_stable_diffusion_open(in_scratch("half/scheduler"), &sd, &error),
                   INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "unet"));
}

// ---- configs ------------------------------------------------------------------------------------

static void unknown_block_types_and_options_are_refused_by_name(void **state) {
  (void)state;
  static const struct {
    const char *change, *word;
    ink_status status;
  } changes[] = {
      {"{\"down_block_types\":[\"AttnDownBlock2D\",\"DownBlock2D\",\"DownBlock2D\"]}",
       "AttnDownBlock2D", INK_ERR_UNSUPPORTED},
      {"{\"up_block_types\":[\"UpBlock2D\",\"SkipUpBlock2D\",\"UpBlock2D\"]}", "SkipUpBlock2D",
       INK_ERR_UNSUPPORTED},
      {"{\"mid_block_type\":\"UNetMidBlock2DSimpleCrossAttn\"}", "SimpleCrossAttn",
       INK_ERR_UNSUPPORTED},
      {"{\"act_fn\":\"gelu\"}", "act_fn", INK_ERR_UNSUPPORTED},
      {"{\"addition_embed_type\":\"image\"}", "image", INK_ERR_UNSUPPORTED},
      {"{\"class_embed_type\":\"timestep\"}", "class_embed_type", INK_ERR_UNSUPPORTED},
      {"{\"resnet_time_scale_shift\":\"scale_shift\"}", "scale_shift", INK_ERR_UNSUPPORTED},
      {"{\"_class_name\":\"UNet3DConditionModel\"}", "UNet3D", INK_ERR_UNSUPPORTED},
      {"{\"block_out_channels\":[8,12]}", "down_block_types", INK_ERR_CONFLICT},
      {"{\"block_out_channels\":[8,12,0]}", "block_out_channels", INK_ERR_FORMAT},
      {"{\"block_out_channels\":8}", "block_out_channels", INK_ERR_FORMAT},
      {"{\"norm_num_groups\":5}", "groups", INK_ERR_CONFLICT},
      {"{\"transformer_layers_per_block\":[1,[1,1],1]}", "reverse_transformer", INK_ERR_CONFLICT},
      {"{\"transformer_layers_per_block\":[1,[1],1]}", "depths", INK_ERR_CONFLICT},
      {"{\"transformer_layers_per_block\":[1,1]}", "list of 3", INK_ERR_CONFLICT},
      {"{\"transformer_layers_per_block\":0}", "transformer_layers", INK_ERR_FORMAT},
      {"{\"attention_head_dim\":5}", "heads", INK_ERR_CONFLICT},
      {"{\"attention_head_dim\":[2,2]}", "attention_head_dim", INK_ERR_CONFLICT},
      {"{\"layers_per_block\":100}", "layers", INK_ERR_UNSUPPORTED},
      {"{\"cross_attention_dim\":-1}", "cross_attention_dim", INK_ERR_FORMAT},
      {"{\"in_channels\":\"four\"}", "in_channels", INK_ERR_FORMAT},
  };
  ink_weights *weights = open_network_file("unet-sd1", "");
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    json_t *json = json_deep_copy(ink_weights_config(weights));
    json_t *change = json_loads(changes[i].change, 0, NULL);
    ink_unet_config config;
    ink_error error = {0};
    assert_non_null(change);
    json_object_update(json, change);
    ink_status status = ink_unet_config_from_json(json, "unet/config.json", &config, &error);
    if (status != changes[i].status || !strstr(error.text, changes[i].word)) {
      fail_msg("%s: got %s: %s", changes[i].change, ink_status_name(status), error.text);
    }
    json_decref(json);
    json_decref(change);
  }
  ink_weights_close(weights);
}

// ---- fresh --------------------------------------------------------------------------------------

// Networks without a file: as many parameters as published for Stable Diffusion 1.5.
static void the_real_shapes_have_the_published_sizes(void **state) {
  (void)state;
  ink_unet_config unet = ink_unet_config_sd15(), wanted;
  json_t *json;
  ink_error error = {0};
  assert_ok(ink_json_load(fixture_path("networks/real/sd15.json"), 1 << 20, &json, &error));
  assert_ok(ink_unet_config_from_json(json, "sd15", &wanted, &error));
  check_same_config("sd15", &unet, &wanted);
  json_decref(json);
  ink_vae_config config = ink_vae_config_sd15();
  ink_vae *vae;
  assert_ok(ink_vae_new(&config, &(ink_source){.seed = 1, .rough = true}, &vae, &error));
  size_t n;
  int64_t total = 0;
  const ink_parameter *parameters = ink_vae_parameters(vae, &n);
  for (size_t i = 0; i < n; i++) total += ink_tensor_elements(parameters[i].tensor);
  assert_int_equal(total, 83653863);
  assert_int_equal(parameters[0].tensor->dtype, INK_BF16);
  ink_vae_free(vae);
}

static void fresh_numbers_depend_on_seed_and_name_alone(void **state) {
  (void)state;
  ink_weights *weights = open_network_file("unet-sd1", "");
  ink_unet_config config;
  ink_unet *unets[3];
  ink_error error = {0};
  assert_ok(ink_unet_config_from_json(ink_weights_config(weights), "unet-sd1", &config, &error));
  for (size_t i = 0; i < 3; i++) {
    if (i == 1) config.out_channels = 5;
    assert_ok(ink_unet_new(&config, &(ink_source){.seed = i == 2 ? 8 : 7}, &unets[i], &error));
    config.out_channels = 4;
  }
  size_t n;
  ink_parameter *a = ink_unet_parameters(unets[0], &n), *b = ink_unet_parameters(unets[1], &n),
                *d = ink_unet_parameters(unets[2], &n);
  assert_memory_equal(a[0].tensor->data, b[0].tensor->data, 100);
  assert_memory_not_equal(a[0].tensor->data, d[0].tensor->data, 100);
  // Norms begin at one, and the last convolution's bias at zero.
  assert_string_equal(a[n - 4].name, "conv_norm_out.weight");
  assert_true(((float *)a[n - 4].tensor->data)[0] == 1 && ((float *)a[n - 1].tensor->data)[0] == 0);
  for (size_t i = 0; i < 3; i++) ink_unet_free(unets[i]);
  ink_weights_close(weights);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_single_file_gives_the_tensors_of_the_folders),
      cmocka_unit_test(a_controlnet_in_the_originals_names_gives_the_tensors_of_the_folder),
      cmocka_unit_test(a_missing_tensor_is_named_as_the_file_would_have_it),
      cmocka_unit_test(a_foreign_tensor_is_named),
      cmocka_unit_test(a_config_of_another_model_is_a_conflict_of_shapes),
      cmocka_unit_test(published_files_are_told_apart),
      cmocka_unit_test(other_diffusion_models_are_refused_by_name),
      cmocka_unit_test(a_diffusers_folder_gives_all_its_parts),
      cmocka_unit_test(an_incomplete_folder_names_what_is_missing),
      cmocka_unit_test(unknown_block_types_and_options_are_refused_by_name),
      cmocka_unit_test(the_real_shapes_have_the_published_sizes),
      cmocka_unit_test(fresh_numbers_depend_on_seed_and_name_alone),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
