// Recipes of paintings: what they own, the plug-ins that a prompt names, the request they stand
// for.
#include "diffusion/recipe.h"

#include <stdlib.h>
#include <string.h>

#include "diffusion/prompt.h"
#include "diffusion/recipe_parts.h"

void ink_paint_recipe_free(ink_paint_recipe *recipe) {
  free(recipe->model);
  free(recipe->prompt);
  free(recipe->negative);
  free(recipe->hires_upscaler);
  free(recipe->taesd);
  for (size_t i = 0; i < recipe->n_loras; i++) free(recipe->loras[i].path);
  for (size_t i = 0; i < recipe->n_words; i++) {
    free(recipe->words[i].path);
    free(recipe->words[i].word);
  }
  for (size_t i = 0; i < recipe->n_controls; i++) {
    free(recipe->controls[i].kind);
    free(recipe->controls[i].model);
  }
  *recipe = (ink_paint_recipe){0};
}

ink_status ink_recipe_set_string(char **to, const char *text, ink_error *error) {
  char *copy = strdup(text ? text : "");
  if (!copy) return ink_fail(error, INK_ERR_MEMORY, "no memory for a recipe");
  free(*to);
  *to = copy;
  return INK_OK;
}

ink_status ink_paint_recipe_take_tags(ink_paint_recipe *r, ink_error *error) {
  ink_prompt_tags tags;
  ink_text rest = {0};
  if (!r->prompt) return INK_OK;
  ink_status status = ink_prompt_take_tags(r->prompt, &rest, &tags, error);
  if (status == INK_OK) status = ink_recipe_set_string(&r->prompt, ink_text_string(&rest), error);
  for (size_t i = 0; i < tags.n && status == INK_OK; i++) {
    if (r->n_loras == INK_PAINT_MOST_LORAS) {
      status = ink_fail(error, INK_ERR_USAGE, "at most %d plug-ins", INK_PAINT_MOST_LORAS);
      break;
    }
    r->loras[r->n_loras++] =
        (ink_paint_recipe_lora){.path = tags.items[i].name, .weight = tags.items[i].weight};
    tags.items[i].name = NULL;
  }
  ink_prompt_tags_free(&tags);
  ink_text_free(&rest);
  return status;
}

// ---- the request --------------------------------------------------------------------------------

ink_paint_request ink_paint_recipe_request(const ink_paint_recipe *r) {
  ink_paint_request q = ink_paint_request_default();
  if (r->prompt) q.prompt = r->prompt;
  if (r->negative) q.negative = r->negative;
  q.width = r->width;
  q.height = r->height;
  q.steps = r->steps;
  q.guidance_scale = r->guidance_scale;
  q.guidance_rescale = r->guidance_rescale;
  q.sampler = r->has_sampler ? &r->sampler : NULL;
  q.curve = r->has_curve ? &r->curve : NULL;
  q.eta = r->eta;
  q.clip_skip = r->clip_skip;
  q.seed = r->seed;
  q.stream = r->stream;
  q.noise = r->noise;
  q.kept_noise = r->watermark.kept;
  q.brownian = r->brownian;
  q.cache = r->cache;
  q.variation_seed = r->variation_seed;
  q.variation = r->variation;
  q.strength = r->strength;
  q.taesd_decode = r->taesd != NULL;
  q.precision = r->bf16 ? INK_PRECISION_BF16 : INK_PRECISION_F32;
  return q;
}
