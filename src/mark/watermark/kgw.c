// Green lists: the permutation that torch.randperm draws on the CPU, cut at its green share.
#include "mark/watermark/kgw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mersenne.h"

enum { MOST_VOCAB = 100000000 };

struct ink_kgw {
  ink_kgw_config config;
  size_t n_vocab, n_green;
  int32_t previous;  // whose list `green` is; -1: nobody's
  int32_t *order;
  bool *green;
};

ink_kgw_config ink_kgw_default(void) {
  return (ink_kgw_config){.share = 0.25, .bias = 2, .hash_key = 15485863};
}

ink_status ink_kgw_new(const ink_kgw_config *config, size_t n_vocab, ink_kgw **kgw,
                       ink_error *error) {
  *kgw = NULL;
  if (!(config->share > 0 && config->share < 1)) {
    return ink_fail(error, INK_ERR_USAGE, "the green share is %g; it must be between 0 and 1",
                    config->share);
  }
  if (!(config->bias >= 0 && config->bias <= 100)) {
    return ink_fail(error, INK_ERR_USAGE, "the green bias is %g; it must be from 0 to 100",
                    config->bias);
  }
  if (config->hash_key < 1 || config->hash_key > UINT32_MAX) {
    return ink_fail(error, INK_ERR_USAGE, "the hash key is %lld; it must be from 1 to %lld",
                    (long long)config->hash_key, (long long)UINT32_MAX);
  }
  if (n_vocab < 2 || n_vocab > MOST_VOCAB) {
    return ink_fail(error, INK_ERR_USAGE, "a vocabulary of %zu; green lists take 2 to %d", n_vocab,
                    MOST_VOCAB);
  }
  ink_kgw *made = calloc(1, sizeof *made);
  if (made) {
    *made = (ink_kgw){.config = *config,
                      .n_vocab = n_vocab,
                      .n_green = (size_t)((double)n_vocab * config->share),
                      .previous = -1,
                      .order = malloc(n_vocab * sizeof *made->order),
                      .green = malloc(n_vocab * sizeof *made->green)};
  }
  if (!made || !made->order || !made->green) {
    ink_kgw_free(made);
    return ink_fail(error, INK_ERR_MEMORY, "no memory for a watermark");
  }
  *kgw = made;
  return INK_OK;
}

void ink_kgw_free(ink_kgw *kgw) {
  if (!kgw) return;
  free(kgw->order);
  free(kgw->green);
  free(kgw);
}

const bool *ink_kgw_green(ink_kgw *k, int32_t previous) {
  if (previous == k->previous) return k->green;
  k->previous = previous;
  // The seed of torch's generator is 64 bits wide; its Mersenne twister takes the lower 32.
  ink_mersenne mersenne;
  ink_mersenne_seed(&mersenne, (uint32_t)((uint64_t)k->config.hash_key * (uint64_t)previous));
  for (size_t i = 0; i < k->n_vocab; i++) k->order[i] = (int32_t)i;
  memset(k->green, 0, k->n_vocab * sizeof *k->green);
  // Fisher and Yates from the front, as randperm: what is drawn after the green share is of no
  // matter.
  for (uint32_t i = 0, n = (uint32_t)k->n_vocab; i < k->n_green; i++) {
    // n_green is at most n_vocab. NOLINTNEXTLINE(clang-analyzer-core.DivideZero)
    uint32_t other = i + ink_mersenne_u32(&mersenne) % (n - i);
    int32_t drawn = k->order[other];
    k->order[other] = k->order[i];
    k->order[i] = drawn;
    k->green[drawn] = true;
  }
  return k->green;
}

static ink_status reweigh(void *self, const int32_t *written, size_t n, float *weights,
                          size_t n_vocab, ink_error *error) {
  ink_kgw *k = self;
  if (n == 0) return INK_OK;
  if (n_vocab != k->n_vocab) {
    return ink_fail(error, INK_ERR_INTERNAL, "green lists of %zu tokens for a vocabulary of %zu",
                    k->n_vocab, n_vocab);
  }
  const bool *green = ink_kgw_green(k, written[n - 1]);
  float factor = (float)exp(k->config.bias);
  // A table, because a branch that one token in four takes is foreseen by no machine.
  const float factors[2] = {1, factor};
  for (size_t i = 0; i < n_vocab; i++) weights[i] *= factors[green[i]];
  return INK_OK;
}

ink_reweigher ink_kgw_reweigher(ink_kgw *kgw) {
  return (ink_reweigher){.reweigh = reweigh, .self = kgw};
}

// ---- counting ----------------------------------------------------------------------------------

static int by_pair(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

ink_status ink_kgw_count(ink_kgw *k, const int32_t *tokens, size_t n, size_t *used, size_t *green,
                         ink_error *error) {
  *used = *green = 0;
  if (n < 2) return INK_OK;
  uint64_t *pairs = malloc((n - 1) * sizeof *pairs);
  if (!pairs) return ink_fail(error, INK_ERR_MEMORY, "no memory to score %zu tokens", n);
  for (size_t i = 1; i < n; i++) {
    pairs[i - 1] = (uint64_t)(uint32_t)tokens[i - 1] << 32 | (uint32_t)tokens[i];
  }
  // Sorted, equal pairs meet and each list is drawn once.
  qsort(pairs, n - 1, sizeof *pairs, by_pair);
  for (size_t i = 0; i + 1 < n; i++) {
    uint32_t target = (uint32_t)pairs[i];
    if ((i > 0 && pairs[i] == pairs[i - 1]) || target >= k->n_vocab) continue;
    *used += 1;
    *green += ink_kgw_green(k, (int32_t)(pairs[i] >> 32))[target];
  }
  free(pairs);
  return INK_OK;
}
