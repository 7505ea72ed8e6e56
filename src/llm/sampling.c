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
  float logit;
  int32_t id;
} candidate;

// More likely, or the lower id among equals.
static bool before(candidate a, candidate b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
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

// The least likely candidate that top-k and top-p keep. Equals of the k-th are kept, as in
// transformers.
static candidate last_kept(const ink_sampling *s, const float *logits, size_t n_vocab, float most,
                           candidate *heap) {
  size_t n = make_heap(logits, n_vocab, heap), total = n;
  candidate last = {-INFINITY, INT32_MAX};
  double mass = 0;
  if (s->top_k > 0 && (size_t)s->top_k < total) {
    for (int32_t i = 0; i < s->top_k; i++) last = pop(heap, &n);
    while (n > 0 && heap[0].logit == last.logit) last = pop(heap, &n);
    for (size_t i = n; i < total; i++) mass += exp((double)heap[i].logit - (double)most);
  } else if (s->top_p < 1) {
    for (size_t i = 0; i < n; i++) mass += exp((double)heap[i].logit - (double)most);
  }
  if (s->top_p >= 1) return last;
  double wanted = (double)s->top_p * mass, got = 0;
  size_t popped = total - n;
  for (size_t i = 0; i < total && got < wanted; i++) {
    last = i < popped ? heap[total - 1 - i] : pop(heap, &n);
    got += exp((double)last.logit - (double)most);
  }
  return last;
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

ink_status ink_sample(const ink_sampling *s, float *logits, size_t n_vocab, size_t position,
                      void *scratch, int32_t *token, ink_error *error) {
  INK_TRY(most_likely(logits, n_vocab, token, error));
  if (s->temperature == 0) return INK_OK;
  float most = logits[*token] / s->temperature;
  for (size_t i = 0; i < n_vocab; i++) logits[i] /= s->temperature;

  candidate last = {-INFINITY, INT32_MAX};
  if (s->top_k > 0 || s->top_p < 1) last = last_kept(s, logits, n_vocab, most, scratch);
  float floor = s->min_p > 0 ? most + logf(s->min_p) : -INFINITY;
  double mass = 0;
  for (size_t i = 0; i < n_vocab; i++) {
    candidate here = {logits[i], (int32_t)i};
    bool kept = logits[i] > -INFINITY && logits[i] >= floor && !before(last, here);
    logits[i] = kept ? (float)exp((double)logits[i] - (double)most) : 0;
    mass += (double)logits[i];
  }
  ink_random random = ink_random_at(s->seed, s->piece, 2 * (uint64_t)position);
  double left = ink_random_double(&random) * mass;
  for (size_t i = 0; i < n_vocab; i++) {
    if (logits[i] == 0) continue;
    *token = (int32_t)i;
    left -= (double)logits[i];
    if (left < 0) break;
  }
  return INK_OK;
}
