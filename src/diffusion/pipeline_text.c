// Prompts to what the UNet reads.
#include <stdlib.h>
#include <string.h>

#include "diffusion/pipeline_parts.h"

static ink_prompt_vocabulary vocabulary_of(const ink_sd_text *text, ink_paint_words *words) {
  const ink_tokenizer *tokenizer = words->pipeline->tokenizers[words->which];
  static const char comma[] = ",</w>";
  int32_t end = ink_tokenizer_eos(tokenizer), context = ink_clip_about(text->clip)->context;
  return (ink_prompt_vocabulary){.encode = ink_paint_encode_words,
                                 .context = words,
                                 .begin = ink_tokenizer_bos(tokenizer),
                                 .end = end,
                                 .pad = text->pad < 0 ? end : text->pad,
                                 .comma = ink_tokenizer_id(tokenizer, comma, sizeof comma - 1),
                                 .room = context - 2};
}

// What one encoder says of all prompts: hidden (sides, S, width) and projected (sides, P) or NULL.
typedef struct encoded {
  ink_tensor *hidden, *projected;
} encoded;

// One prompt: its chunks side by side.
static encoded encode_prompt(ink_paint_run *run, size_t which, const ink_prompt_chunks *chunks) {
  ink_compute *c = &run->kept;
  const ink_sd_text *text = &run->pipeline->model->texts[which];
  int64_t n = (int64_t)chunks->n, tokens = (int64_t)chunks->width;
  ink_tensor ids = ink_tensor_view(INK_I32, chunks->ids, 2, (int64_t[]){n, tokens});
  ink_clip_input input = {.ids = &ids,
                          .embeddings = ink_paint_teach(c, run->pipeline, which, &ids),
                          .skip = text->skip + run->request->clip_skip,
                          .final_norm = text->final_norm,
                          .pooled = text->pooled};
  ink_clip_output out = ink_clip_forward(c, text->clip, &input);
  if (!out.hidden) return (encoded){0};
  int64_t width = out.hidden->shape[2];
  if (chunks->weighted) {
    for (size_t i = 0; i < chunks->n; i++) {
      ink_prompt_apply_weights((float *)out.hidden->data + i * chunks->width * (size_t)width,
                               chunks->width, (size_t)width, chunks->weights + i * chunks->width);
    }
  }
  encoded e = {ink_reshape(c, out.hidden, 3, (int64_t[]){1, n * tokens, width}), 0};
  ink_tensor *pooled = out.projected ? out.projected : out.pooled;
  if (text->pooled && pooled) e.projected = ink_slice(c, pooled, 0, 0, 1);
  return e;
}

static void clear(const ink_tensor *x) {
  if (x) memset(x->data, 0, (size_t)ink_tensor_elements(x) * sizeof(float));
}

// All prompts under one encoder; the negative one first.
static ink_status encode_side_by_side(ink_paint_run *run, size_t which, const char *const *prompts,
                                      int sides, encoded *out) {
  const ink_stable_diffusion *sd = run->pipeline->model;
  const ink_sd_text *text = &sd->texts[which];
  ink_paint_words words = {run->pipeline, which};
  ink_prompt_vocabulary vocabulary = vocabulary_of(text, &words);
  ink_prompt_chunks chunks[2] = {{0}};
  ink_status status = INK_OK;
  size_t most = 1;
  for (int i = 0; i < sides && status == INK_OK; i++) {
    status = ink_prompt_encode(prompts[i], &vocabulary, &chunks[i], run->error);
    if (chunks[i].n > most) most = chunks[i].n;
  }
  encoded parts[2] = {{0}};
  bool xl = sd->family == INK_SD_XL || sd->family == INK_SD_XL_REFINER;
  for (int i = 0; i < sides && status == INK_OK; i++) {
    status = ink_prompt_chunks_extend(&chunks[i], most, &vocabulary, run->error);
    if (status != INK_OK) break;
    parts[i] = encode_prompt(run, which, &chunks[i]);
    // XL was trained with zeros, not with the encoding of nothing.
    if (xl && sides == 2 && i == 0 && prompts[0][0] == 0) {
      clear(parts[i].hidden);
      clear(parts[i].projected);
    }
  }
  for (int i = 0; i < 2; i++) ink_prompt_chunks_free(&chunks[i]);
  INK_TRY(status);
  *out = parts[0];
  if (sides == 2) {
    ink_compute *c = &run->kept;
    out->hidden =
        ink_concat(c, 0, 2, (const ink_tensor *const[]){parts[0].hidden, parts[1].hidden});
    if (parts[0].projected) {
      out->projected =
          ink_concat(c, 0, 2, (const ink_tensor *const[]){parts[0].projected, parts[1].projected});
    }
  }
  return ink_compute_status(&run->kept, run->error);
}

static ink_status encode_texts(ink_paint_run *run) {
  const ink_stable_diffusion *sd = run->pipeline->model;
  ink_compute *c = &run->kept;
  const char *both[2] = {ink_text_string(&run->negative), ink_text_string(&run->prompt)};
  int sides = run->guided ? 2 : 1;
  INK_TRY(ink_paint_enter(run, INK_PAINT_TEXTS));
  ink_arena_release(c->arena, (ink_arena_mark){0});
  const ink_tensor *hidden[INK_SD_TEXTS] = {0};
  run->pooled = NULL;
  run->deep = (ink_unet_deep){0};
  for (size_t i = 0; i < sd->n_text; i++) {
    encoded e;
    INK_TRY(encode_side_by_side(run, i, both + 2 - sides, sides, &e));
    ink_paint_let_text_go(run->pipeline, i);
    hidden[i] = e.hidden;
    if (e.projected) run->pooled = e.projected;
  }
  run->context = sd->n_text == 1 ? hidden[0] : ink_concat(c, 2, (int)sd->n_text, hidden);
  run->text = ink_unet_prepare_text(c, sd->unet, run->context, ink_paint_activations(run));
  return ink_compute_status(c, run->error);
}

ink_status ink_paint_texts(ink_paint_run *run, int32_t step) {
  const ink_paint_request *q = run->request;
  ink_text prompt = {0}, negative = {0};
  ink_status status = ink_prompt_at(q->prompt, step, run->schedule->n_steps, &prompt, run->error);
  if (status == INK_OK) {
    status = ink_prompt_at(q->negative ? q->negative : "", step, run->schedule->n_steps, &negative,
                           run->error);
  }
  bool same = run->context &&
              strcmp(ink_text_string(&prompt), ink_text_string(&run->prompt)) == 0 &&
              strcmp(ink_text_string(&negative), ink_text_string(&run->negative)) == 0;
  if (status != INK_OK || same) {
    ink_text_free(&prompt);
    ink_text_free(&negative);
    return status;
  }
  ink_text_free(&run->prompt);
  ink_text_free(&run->negative);
  run->prompt = prompt;
  run->negative = negative;
  return encode_texts(run);
}
