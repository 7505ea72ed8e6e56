// Fuzz target: prompts, generation parameters, ComfyUI's graphs.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/infotext.h"
#include "diffusion/prompt.h"
#include "diffusion/recipe.h"

// A tokenizer of one id per byte.
static ink_status encode(void *context, const char *text, size_t size, int32_t **ids, size_t *n,
                         ink_error *error) {
  (void)context;
  *ids = malloc((size + 1) * sizeof **ids);
  if (!*ids) return ink_fail(error, INK_ERR_MEMORY, "no memory");
  for (size_t i = 0; i < size; i++) (*ids)[i] = (unsigned char)text[i];
  *n = size;
  return INK_OK;
}

static void try_prompt(const char *text) {
  static const ink_prompt_vocabulary vocabulary = {
      .encode = encode, .begin = 256, .end = 257, .pad = 257, .comma = ','};
  ink_error error = {0};
  ink_text plain = {0}, rest = {0};
  ink_prompt_tags tags;
  if (ink_prompt_take_tags(text, &rest, &tags, &error) == INK_OK) {
    if (rest.size > strlen(text)) abort();
    ink_prompt_tags_free(&tags);
  }
  ink_text_free(&rest);
  if (ink_prompt_at(text, 4, 9, &plain, &error) == INK_OK) {
    // What a schedule leaves is no longer than what it was made from.
    if (plain.size > strlen(text)) abort();
    ink_prompt_chunks chunks;
    if (ink_prompt_encode(ink_text_string(&plain), &vocabulary, &chunks, &error) == INK_OK) {
      for (size_t i = 0; i < chunks.n * chunks.width; i++) {
        if (chunks.ids[i] < 0 || chunks.ids[i] > 257) abort();
      }
      ink_prompt_chunks_free(&chunks);
    }
  }
  ink_text_free(&plain);
}

static void try_infotext(const char *text) {
  ink_error error = {0};
  ink_infotext info, back;
  if (ink_infotext_parse(text, &info, &error) != INK_OK) return;
  ink_text again = {0};
  if (ink_infotext_format(&info, &again, &error) == INK_OK) {
    if (ink_infotext_parse(again.bytes, &back, &error) == INK_OK) ink_infotext_free(&back);
  }
  ink_text_free(&again);
  ink_infotext_free(&info);
}

static void try_graph(const char *text) {
  json_t *json = json_loads(text, 0, NULL);
  if (!json) return;
  ink_error error = {0};
  ink_paint_recipe recipe = {0};
  ink_text left = {0};
  if (ink_paint_recipe_from_comfyui(json, "x", &recipe, &left, &error) == INK_OK) {
    if (!recipe.prompt || !recipe.negative || recipe.steps < 1) abort();
  }
  ink_text_free(&left);
  ink_paint_recipe_free(&recipe);
  json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  char *text = malloc(size + 1);
  if (!text) return 0;
  memcpy(text, bytes, size);
  text[size] = 0;
  try_prompt(text);
  try_infotext(text);
  try_graph(text);
  free(text);
  return 0;
}
