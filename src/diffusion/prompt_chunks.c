// Long prompts as chunks of tokens.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/prompt.h"

enum { CHUNK = INK_PROMPT_CHUNK, BACKTRACK = 20 };

// The chunk that is being filled.
typedef struct filling {
  const ink_prompt_vocabulary *vocabulary;
  ink_prompt_chunks *chunks;
  int32_t ids[CHUNK];
  float weights[CHUNK];
  int n, comma;  // tokens; the place of the last comma, -1: none
  ink_error *error;
} filling;

static int room_of(const ink_prompt_vocabulary *v) {
  return v->room > 0 && v->room < CHUNK ? v->room : CHUNK;
}

static ink_status add_chunk(ink_prompt_chunks *chunks, const int32_t *ids, const float *weights,
                            int n, const ink_prompt_vocabulary *v, ink_error *error) {
  if (chunks->n >= INK_PROMPT_MOST_CHUNKS) {
    return ink_fail(error, INK_ERR_USAGE,
                    "a prompt of more than %d chunks of %d tokens; make it shorter",
                    INK_PROMPT_MOST_CHUNKS, room_of(v));
  }
  chunks->width = (size_t)room_of(v) + 2;
  size_t size = (chunks->n + 1) * chunks->width;
  int32_t *grown_ids = realloc(chunks->ids, size * sizeof *grown_ids);
  if (grown_ids) chunks->ids = grown_ids;
  float *grown_weights = realloc(chunks->weights, size * sizeof *grown_weights);
  if (grown_weights) chunks->weights = grown_weights;
  if (!grown_ids || !grown_weights) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory for the prompt");
  }
  int32_t *to = chunks->ids + chunks->n * chunks->width;
  float *weight = chunks->weights + chunks->n * chunks->width;
  for (size_t i = 0; i < chunks->width; i++) {
    to[i] = v->pad;
    weight[i] = 1;
  }
  to[0] = v->begin;
  to[n + 1] = v->end;
  if (n) {
    memcpy(to + 1, ids, (size_t)n * sizeof *ids);
    memcpy(weight + 1, weights, (size_t)n * sizeof *weights);
  }
  chunks->n++;
  return INK_OK;
}

static ink_status finish_chunk(filling *f) {
  INK_TRY(add_chunk(f->chunks, f->ids, f->weights, f->n, f->vocabulary, f->error));
  f->n = 0;
  f->comma = -1;
  return INK_OK;
}

// End a full chunk after its last comma and begin the next with what followed it.
static ink_status break_after_comma(filling *f) {
  int32_t ids[CHUNK];
  float weights[CHUNK];
  int kept = f->comma + 1, moved = f->n - kept;
  memcpy(ids, f->ids + kept, (size_t)moved * sizeof *ids);
  memcpy(weights, f->weights + kept, (size_t)moved * sizeof *weights);
  f->n = kept;
  INK_TRY(finish_chunk(f));
  memcpy(f->ids, ids, (size_t)moved * sizeof *ids);
  memcpy(f->weights, weights, (size_t)moved * sizeof *weights);
  f->n = moved;
  return INK_OK;
}

static ink_status add_token(filling *f, int32_t id, float weight) {
  if (id == f->vocabulary->comma) {
    f->comma = f->n;
  } else if (f->n == room_of(f->vocabulary) && f->comma >= 0 && f->n - f->comma <= BACKTRACK) {
    INK_TRY(break_after_comma(f));
  }
  if (f->n == room_of(f->vocabulary)) INK_TRY(finish_chunk(f));
  f->ids[f->n] = id;
  f->weights[f->n++] = weight;
  if (weight != 1) f->chunks->weighted = true;
  return INK_OK;
}

static ink_status add_piece(filling *f, const ink_prompt_piece *piece) {
  if (piece->breaks) return finish_chunk(f);
  int32_t *ids = NULL;
  size_t n = 0;
  INK_TRY(
      f->vocabulary->encode(f->vocabulary->context, piece->text, piece->size, &ids, &n, f->error));
  ink_status status = INK_OK;
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    status = add_token(f, ids[i], (float)piece->weight);
  }
  free(ids);
  return status;
}

ink_status ink_prompt_encode(const char *prompt, const ink_prompt_vocabulary *vocabulary,
                             ink_prompt_chunks *chunks, ink_error *error) {
  *chunks = (ink_prompt_chunks){0};
  ink_prompt_pieces pieces;
  INK_TRY(ink_prompt_weigh(prompt, &pieces, error));
  filling f = {.vocabulary = vocabulary, .chunks = chunks, .comma = -1, .error = error};
  ink_status status = INK_OK;
  for (size_t i = 0; i < pieces.n && status == INK_OK; i++) {
    status = add_piece(&f, &pieces.items[i]);
  }
  if (status == INK_OK && (f.n || chunks->n == 0)) status = finish_chunk(&f);
  ink_prompt_pieces_free(&pieces);
  if (status != INK_OK) ink_prompt_chunks_free(chunks);
  return status;
}

ink_status ink_prompt_chunks_extend(ink_prompt_chunks *chunks, size_t n,
                                    const ink_prompt_vocabulary *vocabulary, ink_error *error) {
  while (chunks->n < n) INK_TRY(add_chunk(chunks, NULL, NULL, 0, vocabulary, error));
  return INK_OK;
}

void ink_prompt_chunks_free(ink_prompt_chunks *chunks) {
  free(chunks->ids);
  free(chunks->weights);
  *chunks = (ink_prompt_chunks){0};
}

void ink_prompt_apply_weights(float *vectors, size_t n_tokens, size_t width, const float *weights) {
  double before = 0, after = 0;
  for (size_t t = 0; t < n_tokens; t++) {
    for (size_t i = 0; i < width; i++) {
      float *value = &vectors[t * width + i];
      before += (double)*value;
      *value *= weights[t];
      after += (double)*value;
    }
  }
  // Weights that cancel out leave no mean to keep.
  if (after == 0 || !isfinite(before / after)) return;
  float factor = (float)(before / after);
  for (size_t i = 0; i < n_tokens * width; i++) vectors[i] *= factor;
}
