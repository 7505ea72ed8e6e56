// The exponential race, "Gumbel" watermark (Aaronson, talk of 2022; Kirchenbauer et al. 2023 call
// it EXP): the draw itself is made by pseudo-random numbers that hang on the key and the tokens
// before. Each single token keeps its chance; the p-value is exact. The same prompt with the same
// key writes the same text, so contexts that come back are drawn freely.
#ifndef INK_MARK_WATERMARK_GUMBEL_H
#define INK_MARK_WATERMARK_GUMBEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "llm/llm.h"

enum { INK_GUMBEL_CONTEXT = 4 };  // tokens before that a draw hangs on

// The number of a token behind a context, uniform in (0, 1), by which the race can be run by hand.
// context: INK_GUMBEL_CONTEXT tokens.
double ink_gumbel_number(uint64_t key, const int32_t *context, int32_t token);

typedef struct ink_gumbel_stream ink_gumbel_stream;
// One text that is being written.
ink_status ink_gumbel_stream_new(uint64_t key, ink_gumbel_stream **stream, ink_error *error);
void ink_gumbel_stream_free(ink_gumbel_stream *stream);
// What a session takes: all weight goes to the winner of the race, least -ln(number) / weight.
ink_reweigher ink_gumbel_reweigher(ink_gumbel_stream *stream);

// Sum of -ln(1 - number) over the tokens whose context is met for the first time; *used counts
// them. In text without the mark the sum follows a Gamma distribution of shape *used and scale 1.
ink_status ink_gumbel_sum(uint64_t key, const int32_t *tokens, size_t n, size_t *used, double *sum,
                          ink_error *error);
// The chance of at least `sum` there: the upper regularised incomplete gamma function Q(used, sum).
double ink_gumbel_p_value(size_t used, double sum);

#endif
