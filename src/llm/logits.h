// Inside the room: arithmetic on a row of logits.
#ifndef INK_LLM_LOGITS_H
#define INK_LLM_LOGITS_H

#include <math.h>
#include <stddef.h>

// log of the sum of exp(logits), summed in order, in double precision.
static inline double ink_log_sum_exp(const float *logits, size_t n) {
  double most = -INFINITY, sum = 0;
  for (size_t i = 0; i < n; i++) {
    if ((double)logits[i] > most) most = (double)logits[i];
  }
  for (size_t i = 0; i < n; i++) sum += exp((double)logits[i] - most);
  return most + log(sum);
}

#endif
