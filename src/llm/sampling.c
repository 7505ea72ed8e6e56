// Drawing a token: temperature, top-k, top-p (Holtzman et al. 2020), min-p (Nguyen et al. 2024) and
// the repetition penalty (Keskar et al. 2019), with the meaning they have in transformers.
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "llm/llm.h"

ink_sampling ink_sampling_default(void) {
  return (ink_sampling){.temperature = 1, .top_p = 1, .repetition_penalty = 1};
}

static ink_status out_of_range(ink_error *error, const char *name, double value,
                               const char *range) {
  return ink_fail(error, INK_ERR_USAGE, "%s is %g; it must be %s", name, value, range);
}

ink_status ink_sampling_check(const ink_sampling *s, ink_error *error) {
  if (!(s->temperature >= 0 && s->temperature <= 100)) {
    return out_of_range(error, "temperature", (double)s->temperature, "from 0 to 100");
  }
  if (s->top_k < 0) return out_of_range(error, "top_k", s->top_k, "0 (all) or more");
  if (!(s->top_p > 0 && s->top_p <= 1)) {
    return out_of_range(error, "top_p", (double)s->top_p, "above 0 and at most 1");
  }
  if (!(s->min_p >= 0 && s->min_p < 1)) {
    return out_of_range(error, "min_p", (double)s->min_p, "at least 0 and below 1");
  }
  if (!(s->repetition_penalty > 0 && s->repetition_penalty <= 100)) {
    return out_of_range(error, "repetition_penalty", (double)s->repetition_penalty,
                        "above 0 and at most 100");
  }
  return INK_OK;
}

void ink_sample_penalty(const ink_sampling *s, const int32_t *tokens, size_t n_token, float *logits,
                        size_t n_vocab, void *scratch) {
  if (s->repetition_penalty == 1) return;
  unsigned char *seen = scratch;
  memset(seen, 0, n_vocab);
  for (size_t i = 0; i < n_token; i++) {
    if (tokens[i] < 0 || (size_t)tokens[i] >= n_vocab || seen[tokens[i]]) continue;
    seen[tokens[i]] = 1;
    float *x = &logits[tokens[i]];
    *x = *x < 0 ? *x * s->repetition_penalty : *x / s->repetition_penalty;
  }
}

// ---- the most likely candidates, one by one ----------------------------------------------------

typedef struct candidate {
  float weight;  // or logit
  int32_t id;
} candidate;

// More likely, or the lower id among equals.
static bool before(candidate a, candidate b) {
  return a.weight > b.weight || (a.weight == b.weight && a.id < b.id);
}

static void sift_down(candidate *heap, size_t n, size_t i) {
  candidate moving = heap[i];
  for (size_t child; (child = 2 * i + 1) < n; i = child) {
    if (child + 1 < n && before(heap[child + 1], heap[child])) child++;
    if (!before(heap[child], moving)) break;
    heap[i] = heap[child];
  }
  heap[i] = moving;
}

// Remove the most likely candidate; it stays behind the heap's end, so that n pops leave the n most
// likely ones there, the first of them last.
static candidate pop(candidate *heap, size_t *n) {
  candidate top = heap[0];
  heap[0] = heap[--*n];
  heap[*n] = top;
  sift_down(heap, *n, 0);
  return top;
}

static size_t make_heap(const float *logits, size_t n_vocab, candidate *heap) {
  size_t n = 0;
  for (size_t i = 0; i < n_vocab; i++) {
    if (logits[i] > -INFINITY) heap[n++] = (candidate){logits[i], (int32_t)i};
  }
  for (size_t i = n / 2; i-- > 0;) sift_down(heap, n, i);
  return n;
}

// ---- the draw ----------------------------------------------------------------------------------

// The k-th likeliest, or the last of its equals, which are kept as in transformers; of fewer than
// k the least likely.
static float least_of_top_k(int32_t k, const float *logits, size_t n_vocab, candidate *heap) {
  size_t n = make_heap(logits, n_vocab, heap);
  float least = -INFINITY;
  for (int32_t i = 0; i < k && n > 0; i++) least = pop(heap, &n).weight;
  return least;
}

// Weights by magnitude: the exponent and two bits of the mantissa. Larger weights have larger bins.
enum { BINS = 1024 };

static size_t bin_of(float weight) {
  uint32_t bits;
  memcpy(&bits, &weight, sizeof bits);
  return bits >> 21;
}

// Drop all but the likeliest weights that together reach `p` of the mass. Whole bins are taken
// first, so that only those of one bin need an order.
static void keep_nucleus(float p, float *weights, size_t n_vocab, double mass, candidate *heap) {
  double bins[BINS] = {0}, wanted = (double)p * mass, got = 0;
  for (size_t i = 0; i < n_vocab; i++) {
    if (weights[i] > 0) bins[bin_of(weights[i])] += (double)weights[i];
  }
  size_t bin = BINS - 1, n = 0;
  while (bin > 0 && got + bins[bin] < wanted) got += bins[bin--];
  for (size_t i = 0; i < n_vocab; i++) {
    if (weights[i] > 0 && bin_of(weights[i]) == bin) {
      heap[n++] = (candidate){weights[i], (int32_t)i};
    }
  }
  for (size_t i = n / 2; i-- > 0;) sift_down(heap, n, i);
  candidate last = {0, INT32_MAX};
  while (n > 0 && got < wanted) {
    last = pop(heap, &n);
    got += (double)last.weight;
  }
  for (size_t i = 0; i < n_vocab; i++) {
    if (weights[i] > 0 && before(last, (candidate){weights[i], (int32_t)i})) weights[i] = 0;
  }
}

static ink_status most_likely(const float *logits, size_t n_vocab, int32_t *token,
                              ink_error *error) {
  float most = -INFINITY;
  *token = -1;
  for (size_t i = 0; i < n_vocab; i++) {
    if (isnan(logits[i]) || logits[i] == INFINITY) {
      return ink_fail(error, INK_ERR_INTERNAL,
                      "the logit of token %zu is %g: the model's weights "
                      "are damaged or its numbers overflow",
                      i, (double)logits[i]);
    }
    if (logits[i] > most) {
      most = logits[i];
      *token = (int32_t)i;
    }
  }
  if (*token >= 0) return INK_OK;
  return ink_fail(error, INK_ERR_USAGE,
                  "no token is left to go on with: the constraints forbid all of them");
}

ink_status ink_sample_weigh(const ink_sampling *s, float *logits, size_t n_vocab, void *scratch,
                            ink_error *error) {
  int32_t first;
  INK_TRY(most_likely(logits, n_vocab, &first, error));
  if (s->temperature == 0) {
    for (size_t i = 0; i < n_vocab; i++) logits[i] = (int32_t)i == first ? 1 : 0;
    return INK_OK;
  }
  float most = logits[first] / s->temperature;
  for (size_t i = 0; i < n_vocab; i++) logits[i] /= s->temperature;

  float least = -INFINITY;
  if (s->top_k > 0) least = least_of_top_k(s->top_k, logits, n_vocab, scratch);
  double mass = 0;
  for (size_t i = 0; i < n_vocab; i++) {
    bool kept = logits[i] > -INFINITY && logits[i] >= least;
    logits[i] = kept ? (float)exp((double)logits[i] - (double)most) : 0;
    mass += (double)logits[i];
  }
  if (s->top_p < 1) keep_nucleus(s->top_p, logits, n_vocab, mass, scratch);
  for (size_t i = 0; i < n_vocab && s->min_p > 0; i++) {
    if (logits[i] < s->min_p) logits[i] = 0;
  }
  return INK_OK;
}

int32_t ink_sample_draw(const ink_sampling *s, const float *weights, size_t n_vocab,
                        size_t position) {
  double mass = 0;
  for (size_t i = 0; i < n_vocab; i++) mass += (double)weights[i];
  ink_random random = ink_random_at(s->seed, s->piece, 2 * (uint64_t)position);
  double left = ink_random_double(&random) * mass;
  int32_t token = -1;
  for (size_t i = 0; i < n_vocab; i++) {
    if (weights[i] == 0) continue;
    token = (int32_t)i;
    left -= (double)weights[i];
    if (left < 0) break;
  }
  return token;
}

ink_status ink_sample(const ink_sampling *s, float *logits, size_t n_vocab, size_t position,
                      void *scratch, int32_t *token, ink_error *error) {
  INK_TRY(ink_sample_weigh(s, logits, n_vocab, scratch, error));
  *token = ink_sample_draw(s, logits, n_vocab, position);
  return INK_OK;
}
