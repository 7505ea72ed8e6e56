// Pictures of the painter on their way out.
#include "cli/painted.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/noting.h"
#include "cli/paint_preview.h"
#include "lang/catalogue.h"
#include "mark/ledger/picture_identity.h"
#include "mark/watermark/dwt_dct.h"
#include "mark/watermark/picture_watermark.h"

// ---- what they are painted from -----------------------------------------------------------------

ink_status ink_paint_source_sha256(const char *path, char hex[INK_SHA256_HEX], ink_error *error) {
  ink_map map;
  ink_place place = {0};
  ink_text bare = {0};
  INK_TRY(ink_map_open(path, &map, error));
  const ink_carrier *carrier = ink_carrier_for(NULL, map.data, map.size);
  ink_error unread = {0};
  // A manifest that cannot be told from the rest belongs to it.
  bool is_signed = carrier &&
                   ink_carrier_find(carrier, map.data, map.size, &place, &unread) == INK_OK &&
                   place.present && !place.code &&
                   ink_carrier_remove(carrier, map.data, map.size, &bare, &unread) == INK_OK;
  ink_status status = unread.status == INK_ERR_MEMORY
                          ? ink_fail(error, unread.status, "%s", unread.text)
                      : is_signed ? ink_sha256_of(bare.bytes, bare.size, hex, error)
                                  : ink_sha256_of(map.data, map.size, hex, error);
  ink_text_free(&bare);
  ink_place_free(&place);
  ink_map_close(&map);
  return status;
}

static ink_status read_parent(ink_paint_output *output, const char *path,
                              const ink_picture *picture, ink_error *error) {
  ink_map map;
  INK_TRY(ink_map_open(path, &map, error));
  const ink_carrier *carrier = ink_carrier_for(NULL, map.data, map.size);
  ink_c2pa_parent *parent = &output->parent;
  ink_status status =
      ink_c2pa_parent_read(ink_path_name(path), carrier, map.data, map.size, parent, error);
  ink_map_close(&map);
  if (status == INK_OK) status = ink_mark_thumbnail(picture, &parent->thumbnail, error);
  if (status == INK_OK && parent->fault[0]) {
    fprintf(stderr, ink_tr("%s: its manifest cannot be kept: %s\n"), path, parent->fault);
  }
  output->has_parent = status == INK_OK;
  return status;
}

// A name that cannot be written is told before the work.
static ink_status check_place(const char *path, ink_error *error) {
  if (ink_file_is_folder(path)) {
    return ink_fail(error, INK_ERR_USAGE, "%s is a folder; name a file", path);
  }
  char *folder = ink_path_folder(path);
  if (!folder) return ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  ink_status status = INK_OK;
  if (!ink_file_is_folder(folder)) {
    status = ink_fail(error, INK_ERR_NOT_FOUND, "%s: no such folder; make it first, for %s", folder,
                      ink_path_name(path));
  } else if (access(folder, W_OK | X_OK) != 0) {
    status = ink_fail(error, INK_ERR_IO, "%s: nothing can be written there (%s)", folder,
                      ink_tr(strerror(errno)));
  }
  free(folder);
  return status;
}

ink_status ink_paint_output_open(ink_paint_output *output, const ink_signing_options *signing,
                                 const char *init, const ink_picture *init_picture,
                                 ink_error *error) {
  INK_TRY(check_place(output->path, error));
  // What is left unmarked on request has to be logged: that it can be is asked before the work.
  if (output->unmarked) return ink_ledger_ready(error);
  INK_TRY(ink_signing_open(signing, &output->signer, error));
  output->training = signing->training;
  ink_signing_stamp(signing, false, &output->stamper, output->signer);
  return init ? read_parent(output, init, init_picture, error) : INK_OK;
}

void ink_paint_output_close(ink_paint_output *output) {
  ink_signer_free(output->signer);
  ink_c2pa_parent_free(&output->parent);
  output->signer = NULL;
}

// ---- one picture --------------------------------------------------------------------------------

// The reference goes with it.
static char *words_of(json_t *json) {
  char *words =
      json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17)) : NULL;
  json_decref(json);
  return words;
}

static ink_status note_json(ink_picture_extras *extras, const char *key, json_t *json,
                            ink_error *error) {
  char *words = words_of(json);
  if (!words) return ink_fail(error, INK_ERR_MEMORY, "no memory for the picture's recipe");
  ink_status status = ink_picture_note_set(extras, key, words, error);
  free(words);
  return status;
}

static ink_status note_recipe(const ink_paint_recipe *r, ink_picture_extras *extras,
                              ink_error *error) {
  ink_infotext info;
  ink_text words = {0};
  ink_status status = ink_paint_recipe_to_infotext(r, &info, error);
  if (status == INK_OK) status = ink_infotext_format(&info, &words, error);
  if (status == INK_OK) {
    status = ink_picture_note_set(extras, "parameters", ink_text_string(&words), error);
  }
  ink_infotext_free(&info);
  ink_text_free(&words);
  INK_TRY(status);
  json_t *graph = ink_paint_recipe_to_comfyui(r);
  if (graph) INK_TRY(note_json(extras, "prompt", graph, error));
  return note_json(extras, "inkstone", ink_paint_recipe_to_json(r), error);
}

// FILE, or FILE-2 and so on before its ending.
static ink_status name_of(const char *output, int64_t index, int64_t count, ink_text *name,
                          ink_error *error) {
  const char *dot = strrchr(ink_path_name(output), '.');
  size_t stem = dot ? (size_t)(dot - output) : strlen(output);
  ink_text_clear(name);
  ink_text_add_bytes(name, output, stem);
  if (count > 1) ink_text_format(name, "-%lld", (long long)index + 1);
  ink_text_add(name, dot ? dot : "");
  return ink_text_status(name, error);
}

// What was put in beside prompt and model, with its hash.
static size_t list_inputs(const ink_paint_recipe *r, char (*instances)[8 + INK_SHA256_HEX],
                          ink_c2pa_ingredient *list) {
  size_t n = 0;
  if (r->mask_sha256[0]) {
    snprintf(instances[n], sizeof *instances, "sha256:%s", r->mask_sha256);
    list[n] =
        (ink_c2pa_ingredient){.relationship = "inputTo", .title = "mask", .instance = instances[n]};
    n++;
  }
  for (size_t i = 0; i < r->n_loras; i++, n++) {
    snprintf(instances[n], sizeof *instances, "sha256:%s", r->loras[i].sha256);
    list[n] = (ink_c2pa_ingredient){.relationship = "inputTo",
                                    .title = r->loras[i].path,
                                    .instance = instances[n],
                                    .data_type = "c2pa.types.model"};
  }
  for (size_t i = 0; i < r->n_words; i++, n++) {
    snprintf(instances[n], sizeof *instances, "sha256:%s", r->words[i].sha256);
    list[n] = (ink_c2pa_ingredient){.relationship = "inputTo",
                                    .title = r->words[i].path,
                                    .instance = instances[n],
                                    .data_type = "c2pa.types.model"};
  }
  if (r->taesd) {
    snprintf(instances[n], sizeof *instances, "sha256:%s", r->taesd_sha256);
    list[n] = (ink_c2pa_ingredient){.relationship = "inputTo",
                                    .title = r->taesd,
                                    .instance = instances[n],
                                    .data_type = "c2pa.types.model"};
    n++;
  }
  for (size_t i = 0; i < r->n_controls; i++) {
    const ink_paint_recipe_control *control = &r->controls[i];
    snprintf(instances[n], sizeof *instances, "sha256:%s", control->picture_sha256);
    list[n] = (ink_c2pa_ingredient){
        .relationship = "inputTo", .title = control->kind, .instance = instances[n]};
    n++;
    snprintf(instances[n], sizeof *instances, "sha256:%s", control->model_sha256);
    list[n] = (ink_c2pa_ingredient){.relationship = "inputTo",
                                    .title = control->model,
                                    .instance = instances[n],
                                    .data_type = "c2pa.types.model"};
    n++;
  }
  return n;
}

ink_status ink_paint_identity(const ink_paint_recipe *recipe, char uuid[INK_UUID_TEXT],
                              ink_error *error) {
  char *words = words_of(ink_paint_recipe_to_json(recipe));
  if (!words) return ink_fail(error, INK_ERR_MEMORY, "no memory for the picture's recipe");
  ink_status status = ink_mark_identity_of(words, strlen(words), uuid, error);
  free(words);
  return status;
}

static ink_status mark(const ink_paint_output *o, const ink_paint_recipe *recipe,
                       ink_picture_marks *marks, ink_picture *picture, ink_picture_extras *extras,
                       ink_marked_picture **marked, ink_error *error) {
  if (recipe->watermark.dwt_dct) {
    size_t n;
    INK_TRY(ink_dwt_dct_write(picture, ink_dwt_dct_messages(&n), error));
  }
  if (o->unmarked) return ink_mark_waive(picture, extras, marked, error);
  char identity[INK_UUID_TEXT];
  INK_TRY(ink_paint_identity(recipe, identity, error));
  marks->identity = identity;
  return ink_mark_painting(picture, extras, marks, marked, error);
}

// JPEG knows no transparency; that is no reason to lose what was painted.
static ink_status fit_format(const ink_paint_output *o, ink_picture *picture, ink_error *error) {
  static const uint8_t white[3] = {255, 255, 255};
  ink_picture_format format;
  ink_picture flat;
  INK_TRY(ink_picture_format_of(o->path, &format, error));
  if (format != INK_PICTURE_JPEG || !ink_picture_has_alpha(picture)) return INK_OK;
  INK_TRY(ink_picture_flatten(picture, white, &flat, error));
  fprintf(stderr, ink_tr("%s: JPEG has no transparency; laid on white\n"), o->path);
  ink_picture_free(picture);
  *picture = flat;
  return INK_OK;
}

static ink_status publish(const ink_paint_output *o, const ink_marked_picture *marked,
                          int64_t index, ink_text *name, ink_error *error) {
  ink_publish_picture_options options = {
      .quality = o->quality, .lossless = o->lossless, .signer = o->signer};
  INK_TRY(name_of(o->path, index, o->count, name, error));
  return ink_publish_picture(marked, ink_text_string(name), &options, NULL, error);
}

#define UNMARKED_LAW "EU AI Act, article 50; China: GB 45438-2025"

static ink_status note(const ink_marked_picture *marked, const ink_paint_recipe *recipe,
                       const json_t *json, const char *path, ink_error *error) {
  const char *labels[7] = {"visible", "AIGC", "DigitalSourceType", "C2PA"};
  size_t n_label = 4;
  const char *identity = ink_marked_picture_identity(marked);
  if (ink_picture_identity_fits(ink_marked_picture_pixels(marked))) {
    labels[n_label++] = "watermark:" INK_PICTURE_IDENTITY;
  }
  json_t *details = NULL;
  if (recipe->watermark.gaussian_key[0]) {
    labels[n_label++] = INK_PICTURE_WATERMARK_LABEL;
    details = json_pack("{s:{s:s, s:i, s:i}}", "noise", "key", recipe->watermark.gaussian_key,
                        "width", (int)recipe->width, "height", (int)recipe->height);
  }
  if (recipe->watermark.dwt_dct) labels[n_label++] = "watermark:dwtDct";
  ink_ledger_file file = {.path = path};
  ink_ledger_entry entry = {.identity = identity,
                            .kind = "picture",
                            .command = "paint",
                            .model_sha256 = recipe->model_sha256,
                            .recipe = json,
                            .files = &file,
                            .n_file = 1,
                            .labels = labels,
                            .n_label = identity ? n_label : 0,
                            .unmarked = !identity,
                            .law = identity ? NULL : UNMARKED_LAW,
                            .details = details};
  ink_status status = ink_cli_note(&entry, error);
  json_decref(details);
  return status;
}

ink_status ink_paint_write(const ink_paint_output *output, const ink_paint_recipe *recipe,
                           int64_t index, ink_picture *picture, json_t *files, json_t *identities,
                           ink_error *error) {
  enum { MOST = INK_PAINT_MOST_LORAS + INK_PIPELINE_MOST_WORDS + 2 * INK_PAINT_MOST_CONTROLS + 2 };
  char instances[MOST][8 + INK_SHA256_HEX];
  ink_c2pa_ingredient inputs[MOST];
  ink_picture_extras extras = {0};
  ink_marked_picture *marked = NULL;
  ink_text name = {0};
  json_t *json = ink_paint_recipe_to_json(recipe);
  if (json) json_object_set_new(json, "inkstone", json_string(INKSTONE_VERSION));
  ink_picture_marks marks = {
      .language = ink_language_current() == INK_LANGUAGE_ZH ? "zh-Hans" : "en",
      .producer = output->producer,
      .training = output->training,
      .model = recipe->model,
      .model_version = recipe->model_sha256,
      .prompt = recipe->prompt,
      .recipe = json,
      .inputs = inputs,
      .n_input = list_inputs(recipe, instances, inputs),
      .parent = output->has_parent ? &output->parent : NULL};
  ink_status status =
      json ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for the picture's recipe");
  if (status == INK_OK) status = fit_format(output, picture, error);
  if (status == INK_OK) status = note_recipe(recipe, &extras, error);
  if (status == INK_OK) status = mark(output, recipe, &marks, picture, &extras, &marked, error);
  if (status == INK_OK) status = publish(output, marked, index, &name, error);
  if (status == INK_OK) {
    const char *identity = ink_marked_picture_identity(marked);
    json_array_append_new(files, json_string(ink_text_string(&name)));
    json_array_append_new(identities, identity ? json_string(identity) : json_null());
    if (recipe->upscaled) {
      fprintf(stderr, "%s\n", ink_text_string(&name));
    } else {
      fprintf(stderr, "seed %llu  %s\n", (unsigned long long)recipe->seed, ink_text_string(&name));
    }
    if (output->show) ink_paint_print_picture(ink_marked_picture_pixels(marked), 0);
    status = note(marked, recipe, json, ink_text_string(&name), error);
  }
  ink_marked_picture_free(marked);
  ink_picture_extras_free(&extras);
  ink_text_free(&name);
  json_decref(json);
  return status;
}
