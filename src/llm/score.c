// How likely a decoder finds a text: log-probabilities of its tokens, perplexity (Jelinek et al.
// 1977).
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "llm/logits.h"
#include "llm/model.h"

// Positions that run together, and rows of logits that stand in memory at a time.
enum { CHUNK = 512, ROWS = 32 };

void ink_score_free(ink_score *score) {
  free(score->ids);
  free(score->logprobs);
  *score = (ink_score){0};
}

// Log-probabilities of the tokens that follow rows [0, n_row) of `hidden` (1, T, C).
static void score_rows(ink_compute *c, const ink_decoder *decoder, const ink_tensor *hidden,
                       const int32_t *next, int64_t n_row, double *logprobs) {
  for (int64_t row = 0; row < n_row; row += ROWS) {
    int64_t n = n_row - row < ROWS ? n_row - row : ROWS;
    ink_arena_mark mark = ink_arena_save(c->arena);
    const ink_tensor *logits = ink_decoder_head(c, decoder, ink_slice(c, hidden, 1, row, n));
    for (int64_t i = 0; logits && i < n; i++) {
      int64_t vocab = logits->shape[2];
      const float *line = (const float *)logits->data + i * vocab;
      logprobs[row + i] = (double)line[next[row + i]] - ink_log_sum_exp(line, (size_t)vocab);
    }
    ink_arena_release(c->arena, mark);
  }
}

static ink_status run(ink_compute *c, const ink_decoder *decoder, ink_kv_cache *cache,
                      const int32_t *ids, size_t n, double *logprobs, ink_error *error) {
  for (size_t start = 0; start + 1 < n; start += CHUNK) {
    int64_t length = (int64_t)(n - 1 - start < CHUNK ? n - 1 - start : CHUNK);
    ink_arena_mark mark = ink_arena_save(c->arena);
    ink_tensor piece =
        ink_tensor_view(INK_I32, (void *)(uintptr_t)(ids + start), 2, (int64_t[]){1, length});
    ink_decoder_input input = {.ids = &piece, .cache = cache};
    const ink_tensor *hidden = ink_decoder_forward(c, decoder, &input);
    score_rows(c, decoder, hidden, ids + start + 1, length, logprobs + start + 1);
    ink_arena_release(c->arena, mark);
    INK_TRY(ink_compute_status(c, error));
  }
  return INK_OK;
}

static ink_status check_ids(const ink_decoder_config *config, const int32_t *ids, size_t n,
                            ink_error *error) {
  if (n > (size_t)config->context) {
    return ink_fail(error, INK_ERR_USAGE,
                    "the text has %zu tokens, the model's context holds %d; score it in parts", n,
                    config->context);
  }
  for (size_t i = 0; i < n; i++) {
    if (ids[i] >= 0 && ids[i] < config->vocab) continue;
    return ink_fail(error, INK_ERR_USAGE, "token %d (element %zu) is not in the vocabulary of %d",
                    ids[i], i, config->vocab);
  }
  return INK_OK;
}

static ink_status fill(const ink_model *model, ink_pool *pool, const int32_t *ids, size_t n,
                       ink_score *score, ink_error *error) {
  score->ids = malloc((n + 1) * sizeof *score->ids);
  score->logprobs = calloc(n + 1, sizeof *score->logprobs);
  ink_compute c = {.arena = ink_arena_new(0), .pool = pool};
  ink_kv_cache *cache = NULL;
  ink_status status = INK_OK;
  if (!score->ids || !score->logprobs || !c.arena) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory to score %zu tokens", n);
  }
  if (status == INK_OK) {
    if (n > 0) memcpy(score->ids, ids, n * sizeof *ids);
    score->n = n;
    score->logprobs[0] = NAN;
    status = ink_kv_cache_new(ink_decoder_about(model->decoder), 1, n ? (int64_t)n : 1, INK_F32,
                              &cache, error);
  }
  if (status == INK_OK) status = run(&c, model->decoder, cache, ids, n, score->logprobs, error);
  ink_kv_cache_free(cache);
  ink_arena_free(c.arena);
  return status;
}

ink_status ink_llm_score(const ink_model *model, ink_pool *pool, const int32_t *ids, size_t n,
                         ink_score *score, ink_error *error) {
  *score = (ink_score){0};
  INK_TRY(check_ids(ink_decoder_about(model->decoder), ids, n, error));
  ink_status status = fill(model, pool, ids, n, score, error);
  if (status != INK_OK) {
    ink_score_free(score);
    return status;
  }
  for (size_t i = 1; i < n; i++) score->nll -= score->logprobs[i];
  score->perplexity = n > 1 ? exp(score->nll / (double)(n - 1)) : (double)NAN;
  return INK_OK;
}

ink_status ink_llm_score_text(const ink_model *model, ink_pool *pool, const char *text, size_t size,
                              ink_score *score, ink_error *error) {
  int32_t *ids = NULL;
  size_t n = 0;
  *score = (ink_score){0};
  INK_TRY(ink_tokenizer_encode(model->tokenizer, text, size, INK_ENCODE_AFFIX, &ids, &n, error));
  ink_status status = ink_llm_score(model, pool, ids, n, score, error);
  free(ids);
  return status;
}
