// Where the words of a text encoder come from. All encoders of Stable Diffusion read CLIP's
// vocabulary; folders bring it along, single files do not.
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "diffusion/pipeline_parts.h"
#include "weights/hub.h"

// CLIP's own repository, and the smallest download that holds the vocabulary.
static const char home[] = "openai/clip-vit-large-patch14";

// True for a vocabulary that the encoder can have been trained with.
static bool fits(const ink_tokenizer *tokenizer, const ink_clip *clip) {
  static const char begin[] = "<|startoftext|>", end[] = "<|endoftext|>";
  return ink_tokenizer_size(tokenizer) == (size_t)ink_clip_about(clip)->vocab &&
         ink_tokenizer_id(tokenizer, begin, sizeof begin - 1) >= 0 &&
         ink_tokenizer_id(tokenizer, end, sizeof end - 1) >= 0;
}

// Open the folder if there is one with a fitting vocabulary in it. NULL otherwise.
static ink_tokenizer *try_folder(const char *folder, const char *name, const ink_clip *clip) {
  ink_error ignored = {0};
  ink_tokenizer *tokenizer = NULL;
  char *path = ink_path_join(folder, name);
  if (path && ink_file_is_folder(path) &&
      ink_tokenizer_open(path, &tokenizer, &ignored) == INK_OK && !fits(tokenizer, clip)) {
    ink_tokenizer_free(tokenizer);
    tokenizer = NULL;
  }
  free(path);
  return tokenizer;
}

// In the cache: CLIP's repository, else any with CLIP's vocabulary in a folder `tokenizer`.
static ink_tokenizer *try_cache(const ink_clip *clip) {
  ink_error ignored = {0};
  ink_hub_model *models = NULL;
  ink_tokenizer *tokenizer = NULL;
  size_t n = 0;
  if (ink_hub_list(&models, &n, &ignored) != INK_OK) return NULL;
  for (size_t i = 0; i < n && !tokenizer; i++) {
    bool clips =
        strcmp(models[i].repo, home) == 0 || strncmp(models[i].repo, "laion/CLIP-", 11) == 0;
    if (clips) tokenizer = try_folder(models[i].path, ".", clip);
  }
  for (size_t i = 0; i < n && !tokenizer; i++) {
    tokenizer = try_folder(models[i].path, "tokenizer", clip);
  }
  ink_hub_list_free(models, n);
  return tokenizer;
}

// The folder that the file lies in, or a model's own; malloc'ed, NULL without memory.
static char *folder_of(const char *path) {
  if (ink_file_is_folder(path)) return ink_path_join(path, "");
  size_t size = (size_t)(ink_path_name(path) - path);
  return size ? strndup(path, size) : strdup("./");
}

ink_status ink_paint_open_tokenizer(const ink_stable_diffusion *sd, size_t which,
                                    ink_tokenizer **tokenizer, ink_error *error) {
  *tokenizer = NULL;
  if (sd->texts[which].tokenizer) {
    return ink_tokenizer_open(sd->texts[which].tokenizer, tokenizer, error);
  }
  const ink_clip *clip = sd->texts[which].clip;
  char *folder = folder_of(sd->path);
  if (!folder) return ink_fail(error, INK_ERR_MEMORY, "no memory to open %s", sd->path);
  ink_status status = INK_OK;
  char *beside = ink_path_join(folder, "tokenizer");
  if (beside && ink_file_is_folder(beside)) {
    status = ink_tokenizer_open(beside, tokenizer, error);
    if (status == INK_OK && !fits(*tokenizer, clip)) {
      status = ink_fail(error, INK_ERR_CONFLICT,
                        "%s: a vocabulary of %zu tokens; the text encoder of %s knows %d", beside,
                        ink_tokenizer_size(*tokenizer), sd->path, ink_clip_about(clip)->vocab);
      ink_tokenizer_free(*tokenizer);
      *tokenizer = NULL;
    }
  } else if (beside) {
    *tokenizer = try_cache(clip);
  }
  if (status == INK_OK && !*tokenizer) {
    status = ink_fail(error, INK_ERR_NOT_FOUND,
                      "%s: the model brings no vocabulary; put CLIP's vocab.json and merges.txt "
                      "into %stokenizer, or run `inkstone model pull %s --include vocab.json "
                      "--include merges.txt` once (1.5 MB), which every model of one file can use",
                      sd->path, folder, home);
  }
  free(beside);
  free(folder);
  return status;
}

// Single files of 2.x do not say what their UNet predicts: see by running it once.
ink_status ink_paint_probe(ink_stable_diffusion *sd, ink_pool *pool, ink_error *error) {
  if (sd->scheduler || sd->prediction != INK_SD_PREDICTS_UNKNOWN) return INK_OK;
  ink_compute c = {.arena = ink_arena_new(0), .pool = pool};
  if (!c.arena) return ink_fail(error, INK_ERR_MEMORY, "no memory to open %s", sd->path);
  sd->prediction = ink_stable_diffusion_probe(&c, sd);
  ink_status status = ink_compute_status(&c, error);
  ink_arena_free(c.arena);
  return status;
}
