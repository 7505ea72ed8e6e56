// The finished painter as a folder of diffusers.
#include <stdlib.h>

#include "base/file.h"
#include "train/painting/painter_parts.h"

static ink_status no_memory(const char *folder, ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "no memory to write %s", folder);
}

static ink_status save_part(const char *folder, const char *part, const char *file,
                            const ink_parameter *parameters, size_t n, const json_t *config,
                            ink_error *error) {
  char *path = ink_path_join(folder, part);
  if (!path) return no_memory(folder, error);
  ink_status status = ink_part_save(path, file, parameters, n, config, error);
  free(path);
  return status;
}

static ink_status copy(const char *from_folder, const char *to_folder, const char *name,
                       ink_error *error) {
  enum { MOST = 1 << 28 };
  char *from = ink_path_join(from_folder, name), *to = ink_path_join(to_folder, name);
  char *bytes = NULL;
  size_t size;
  ink_status status = from && to ? INK_OK : no_memory(to_folder, error);
  if (status == INK_OK && ink_file_exists(from)) {
    status = ink_file_read(from, MOST, &bytes, &size, error);
    if (status == INK_OK) status = ink_file_save(to, bytes, size, error);
  }
  free(bytes);
  free(from);
  free(to);
  return status;
}

static ink_status save_tokenizer(const char *data, const char *folder, ink_error *error) {
  static const char *const files[] = {"vocab.json", "merges.txt", "tokenizer.json",
                                      "tokenizer_config.json", "special_tokens_map.json"};
  char *from = ink_path_join(data, "tokenizer"), *to = ink_path_join(folder, "tokenizer");
  ink_status status = from && to ? ink_folder_make(to, error) : no_memory(folder, error);
  for (size_t i = 0; status == INK_OK && i < sizeof files / sizeof *files; i++) {
    status = copy(from, to, files[i], error);
  }
  free(from);
  free(to);
  return status;
}

static ink_status save_scheduler(const json_t *scheduler, const char *folder, ink_error *error) {
  char *path = ink_path_join(folder, "scheduler");
  ink_status status = path ? ink_folder_make(path, error) : no_memory(folder, error);
  if (status == INK_OK) {
    status = ink_json_save_below(path, "scheduler_config.json", scheduler, error);
  }
  free(path);
  return status;
}

static ink_status save_index(const char *folder, ink_error *error) {
  static const char text[] =
      "{\"_class_name\": \"StableDiffusionPipeline\", \"_diffusers_version\": \"0.42.1\","
      "\"feature_extractor\": [null, null], \"image_encoder\": [null, null],"
      "\"requires_safety_checker\": false, \"safety_checker\": [null, null],"
      "\"scheduler\": [\"diffusers\", \"DDIMScheduler\"],"
      "\"text_encoder\": [\"transformers\", \"CLIPTextModel\"],"
      "\"tokenizer\": [\"transformers\", \"CLIPTokenizer\"],"
      "\"unet\": [\"diffusers\", \"UNet2DConditionModel\"],"
      "\"vae\": [\"diffusers\", \"AutoencoderTiny\"]}";
  json_t *index = json_loads(text, 0, NULL);
  ink_status status = ink_json_save_below(folder, "model_index.json", index, error);
  json_decref(index);
  return status;
}

// The text encoder's config with the tokenizer's own ids.
static ink_status save_text_encoder(const ink_painter_trainer *t, const char *folder,
                                    ink_error *error) {
  size_t n;
  const ink_parameter *parameters = ink_clip_parameters(t->clip, &n);
  json_t *config = json_deep_copy(t->recipe->text_config);
  int begin = ink_tokenizer_bos(t->tokenizer), end = ink_tokenizer_eos(t->tokenizer);
  if (!config || json_object_set_new(config, "bos_token_id", json_integer(begin)) != 0 ||
      json_object_set_new(config, "eos_token_id", json_integer(end)) != 0 ||
      json_object_set_new(config, "pad_token_id", json_integer(end)) != 0) {
    json_decref(config);
    return no_memory(folder, error);
  }
  ink_status status =
      save_part(folder, "text_encoder", "model.safetensors", parameters, n, config, error);
  json_decref(config);
  return status;
}

ink_status ink_painter_export(const ink_painter_trainer *t, const char *folder, ink_error *error) {
  static const char diffusers[] = "diffusion_pytorch_model.safetensors";
  const ink_painter_recipe *r = t->recipe;
  size_t n;
  INK_TRY(ink_folder_make(folder, error));
  const ink_parameter *parameters = ink_unet_parameters(t->unet, &n);
  INK_TRY(save_part(folder, "unet", diffusers, parameters, n, r->unet_config, error));
  INK_TRY(save_text_encoder(t, folder, error));
  parameters = ink_taesd_parameters(t->taesd, &n);
  INK_TRY(save_part(folder, "vae", diffusers, parameters, n, t->taesd_config, error));
  INK_TRY(save_tokenizer(r->course.data, folder, error));
  INK_TRY(save_scheduler(r->scheduler, folder, error));
  return save_index(folder, error);
}
