// The red and green lists of Kirchenbauer et al., "A Watermark for Large Language Models" (ICML
// 2023), as transformers has them (WatermarkLogitsProcessor, seeding "lefthash", one token of
// context): the token before picks a green share of the vocabulary, and green tokens are made
// likelier. Text in this mark differs from unmarked text; SynthID-Text (mark/watermark/synthid.h)
// costs nothing.
#ifndef INK_MARK_WATERMARK_KGW_H
#define INK_MARK_WATERMARK_KGW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "llm/llm.h"

typedef struct ink_kgw_config {
  double share;      // of the vocabulary that is green, in (0, 1)
  double bias;       // added to green logits, in [0, 100]
  int64_t hash_key;  // 1 … 2^32 - 1, so that the key times a token fits 64 bits
} ink_kgw_config;

// The defaults of transformers: a quarter, 2.0 and 15485863.
ink_kgw_config ink_kgw_default(void);

typedef struct ink_kgw ink_kgw;

// For a vocabulary of n_vocab tokens, 2 … 100,000,000. USAGE names what is out of range. Holds
// scratch, so one per thread. Release with ink_kgw_free.
ink_status ink_kgw_new(const ink_kgw_config *config, size_t n_vocab, ink_kgw **kgw,
                       ink_error *error);
void ink_kgw_free(ink_kgw *kgw);

// The green tokens behind `previous`: true at their places. Borrowed until the next call.
const bool *ink_kgw_green(ink_kgw *kgw, int32_t previous);
// What a session takes. The first token of a text is left alone: its context is not part of it.
ink_reweigher ink_kgw_reweigher(ink_kgw *kgw);

// How many of the pairs of neighbours in a text, each different pair once, end green.
ink_status ink_kgw_count(ink_kgw *kgw, const int32_t *tokens, size_t n, size_t *used, size_t *green,
                         ink_error *error);

#endif
