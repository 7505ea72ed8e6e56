// Optimisers: AdamW (Loshchilov and Hutter 2019) and Muon (Jordan et al. 2024), which replaces the
// momentum of a weight matrix by the nearest orthogonal one; the WSD schedule; averaged weights.
#ifndef INK_TRAIN_OPTIMIZER_H
#define INK_TRAIN_OPTIMIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/pool.h"
#include "base/status.h"
#include "tensor/ops.h"
#include "tensor/tensor.h"

typedef enum ink_rule { INK_RULE_ADAMW, INK_RULE_MUON } ink_rule;

// One trained tensor, F32 and contiguous. The optimiser changes value and its own state.
typedef struct ink_trained {
  const char *name;
  ink_tensor *value;
  ink_tensor *gradient;
  ink_rule rule;
  bool decay;          // weight decay applies (matrices; not norms and biases)
  ink_tensor *first;   // AdamW: mean of gradients; Muon: momentum
  ink_tensor *second;  // AdamW: mean of squares; Muon: NULL
  // A running average of `value`, made by the caller and kept by ink_average_update; NULL: none.
  ink_tensor *average;
} ink_trained;

typedef struct ink_optimizer_options {
  double adam_rate;  // learning rate of AdamW at the plateau
  double beta1, beta2, epsilon;
  double muon_rate;      // learning rate of Muon at the plateau
  double muon_momentum;  // Nesterov
  // Of Muon's products. BF16 (as Jordan's) is about twice as fast; the update's singular values
  // are then off by a few hundredths.
  ink_precision muon_precision;
  double adam_decay, muon_decay;  // decoupled weight decay, times the rate
  double clip;                    // largest global gradient norm; 0: no clipping
} ink_optimizer_options;

typedef struct ink_optimizer ink_optimizer;

// The states (first, second) and scratch are taken from `arena`, cleared; `trained` is kept, not
// copied. Gradients and values must not move. Muon takes a tensor of rank 3 or more, such as a
// convolution's (out, in, k, k), as the matrix of its first dimension and all others.
ink_status ink_optimizer_new(ink_arena *arena, const ink_optimizer_options *options,
                             ink_trained *trained, size_t n, ink_optimizer **optimizer,
                             ink_error *error);

// One update from the gathered gradients with both rates multiplied by `scale` (the schedule).
// `step` counts from 1. *norm receives the gradient norm before clipping. A norm that is not finite
// is CONFLICT and changes nothing. Equal bytes for any number of threads.
ink_status ink_optimizer_step(ink_optimizer *optimizer, ink_pool *pool, int64_t step, double scale,
                              double *norm, ink_error *error);

// average <- decay * average + (1 - decay) * value for each tensor that has one.
void ink_average_update(ink_pool *pool, const ink_trained *trained, size_t n, double decay);
// Exchange the bytes of value and average: the averaged model computes until the next call.
void ink_average_swap(ink_pool *pool, const ink_trained *trained, size_t n);

// Warm-up, stable, decay (Hu et al. 2024, MiniCPM): linear from 0 over `warmup` steps, 1, then
// linear to `floor` over the last `decay` steps of `total`. `step` counts from 1.
double ink_schedule_wsd(int64_t step, int64_t total, int64_t warmup, int64_t decay, double floor);

#endif
