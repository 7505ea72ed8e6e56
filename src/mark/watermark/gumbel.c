// The exponential race.
#include "mark/watermark/gumbel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "mark/watermark/context_set.h"
#include "mark/watermark/cpu/draw.h"

struct ink_gumbel_stream {
  uint64_t key;
  ink_context_set met;
  size_t steps;  // contexts that went in
};

// 64 bits of context under the key.
static uint64_t hash_of(uint64_t key, const int32_t *context) {
  uint32_t counter[4], block[4], words[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
  for (int i = 0; i < INK_GUMBEL_CONTEXT; i++) counter[i] = (uint32_t)context[i];
  ink_philox4x32(counter, words, block);
  return (uint64_t)block[1] << 32 | block[0];
}

// The number of a token behind a context: the centre of one of 2^32 equal cells: never 0, never 1.
static double number_of(uint64_t hash, int32_t token) {
  uint32_t counter[4] = {(uint32_t)token, 0, 0, 1}, block[4];
  uint32_t words[2] = {(uint32_t)hash, (uint32_t)(hash >> 32)};
  ink_philox4x32(counter, words, block);
  return ((double)block[0] + 0.5) * 0x1p-32;
}

double ink_gumbel_number(uint64_t key, const int32_t *context, int32_t token) {
  return number_of(hash_of(key, context), token);
}

ink_status ink_gumbel_stream_new(uint64_t key, ink_gumbel_stream **stream, ink_error *error) {
  *stream = calloc(1, sizeof **stream);
  if (!*stream) return ink_fail(error, INK_ERR_MEMORY, "no memory for a watermark");
  (*stream)->key = key;
  return INK_OK;
}

void ink_gumbel_stream_free(ink_gumbel_stream *stream) {
  if (!stream) return;
  ink_context_set_free(&stream->met);
  free(stream);
}

// Add the context of token n of a text, which is complete: n >= INK_GUMBEL_CONTEXT.
static ink_status meet(ink_gumbel_stream *stream, const int32_t *written, size_t n, uint64_t *hash,
                       bool *is_new, ink_error *error) {
  *hash = hash_of(stream->key, written + n - INK_GUMBEL_CONTEXT);
  return ink_context_set_add(&stream->met, *hash, is_new, error);
}

static ink_status reweigh(void *self, const int32_t *written, size_t n, float *weights,
                          size_t n_vocab, ink_error *error) {
  ink_gumbel_stream *stream = self;
  uint64_t hash;
  bool is_new;
  if (n != stream->steps) {  // another text, or one that went back
    ink_context_set_clear(&stream->met);
    for (size_t i = INK_GUMBEL_CONTEXT; i < n; i++) {
      INK_TRY(meet(stream, written, i, &hash, &is_new, error));
    }
    stream->steps = n;
  }
  stream->steps++;
  if (n < INK_GUMBEL_CONTEXT) return INK_OK;
  INK_TRY(meet(stream, written, n, &hash, &is_new, error));
  if (!is_new) return INK_OK;
  const ink_draw_kernels *kernels = ink_draw_kernels_here();
  size_t winner = n_vocab, i = 0;
  double best = INFINITY;
  while ((i = kernels->contender(hash, best, weights, i, n_vocab)) < n_vocab) {
    double arrival = -log(number_of(hash, (int32_t)i)) / (double)weights[i];
    if (arrival < best) {
      best = arrival;
      winner = i;
    }
    i++;
  }
  memset(weights, 0, n_vocab * sizeof *weights);
  if (winner < n_vocab) weights[winner] = 1;
  return INK_OK;
}

ink_reweigher ink_gumbel_reweigher(ink_gumbel_stream *stream) {
  return (ink_reweigher){.reweigh = reweigh, .self = stream};
}

ink_status ink_gumbel_sum(uint64_t key, const int32_t *tokens, size_t n, size_t *used, double *sum,
                          ink_error *error) {
  *used = 0;
  *sum = 0;
  ink_gumbel_stream stream = {.key = key};
  ink_status status = INK_OK;
  for (size_t i = INK_GUMBEL_CONTEXT; i < n && status == INK_OK; i++) {
    uint64_t hash;
    bool is_new = false;
    status = meet(&stream, tokens, i, &hash, &is_new, error);
    if (status != INK_OK || !is_new) continue;
    *used += 1;
    *sum -= log1p(-number_of(hash, tokens[i]));
  }
  ink_context_set_free(&stream.met);
  return status;
}

double ink_gumbel_p_value(size_t used, double sum) {
  // For a whole shape k the gamma tail is that of Poisson counts: sum over i < k of
  // e^-x x^i / i!, added from the largest terms on in logarithms.
  if (used == 0 || sum <= 0) return 1;
  double most = -INFINITY, total = 0;
  for (int pass = 0; pass < 2; pass++) {
    double term = -sum;  // log of term i
    for (size_t i = 0; i < used; i++) {
      if (i > 0) term += log(sum / (double)i);
      if (pass == 0 && term > most) most = term;
      if (pass == 1) total += exp(term - most);
    }
  }
  double p = exp(most) * total;
  return p < 1 ? p : 1;
}
