// The measurements behind `inkstone bench`: work of real shapes on random numbers, which runs at
// the speed of real weights, each beside the limit of the machine measured in turn with it.
#ifndef INK_CLI_BENCHMARK_H
#define INK_CLI_BENCHMARK_H

#include <jansson.h>

#include "base/pool.h"
#include "tensor/roofline.h"

typedef struct ink_benchmark {
  ink_pool *pool;
  ink_roofline *roofline;
  int rounds;    // each figure is the median of so many
  json_t *rows;  // array that receives one object per figure
  // A finished figure, for a person: work, kind, rate in units of 1e9, limit in the same (0: none),
  // and what else there is to say.
  void (*show)(const char *work, const char *kind, double rate, double limit, const char *more);
} ink_benchmark;

// The machine's limits themselves.
void ink_benchmark_limits(ink_benchmark *b);
// Dense products of the shapes of the poet, GPT-2 124M and Llama-3.2-1B in F32 and BF16.
ink_status ink_benchmark_products(ink_benchmark *b, ink_error *error);
// One update (forward, backward, optimiser) of the poet's and GPT-2 124M's shapes in F32 and BF16.
ink_status ink_benchmark_training(ink_benchmark *b, ink_error *error);

// The weights of Llama-3.2-1B, coded as BF16, Q8_0, Q4_K and Q6_K: steps of decoding beside the
// rate of reading, a prompt beside the F32 limit. Takes 2.5 GB.
ink_status ink_benchmark_weights(ink_benchmark *b, ink_error *error);

// ---- for the measurements --------------------------------------------------------------------

double ink_benchmark_median(double *values, int n);
// Add a figure to the rows and show it. rate and limit are per second.
void ink_benchmark_add(ink_benchmark *b, const char *work, const char *kind, double rate,
                       double limit, const char *more);

#endif
