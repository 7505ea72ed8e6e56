// A tail-biting code, its encoder and decoder.
#include "mark/watermark/convolutional.h"

#include <math.h>
#include <string.h>

enum { N = INK_CONVOLUTIONAL_BITS, MEMORY = 8, STATES = 1 << MEMORY };

// Taps on the newest bit (the highest) and the eight before it.
static const uint32_t generators[INK_CONVOLUTIONAL_CODES] = {0753, 0561};

static unsigned code_bit(int which, uint32_t window) {
  return (unsigned)__builtin_parity(generators[which] & window);
}

void ink_convolutional_encode(const uint8_t bits[N / 8], uint8_t code[INK_CONVOLUTIONAL_CODES][N]) {
  for (int i = 0; i < N; i++) {
    uint32_t window = 0;
    for (int back = 0; back <= MEMORY; back++) {
      int at = (i - back + N) % N;
      window |= (uint32_t)(bits[at / 8] >> (7 - at % 8) & 1) << (MEMORY - back);
    }
    for (int which = 0; which < INK_CONVOLUTIONAL_CODES; which++) {
      code[which][i] = (uint8_t)code_bit(which, window);
    }
  }
}

// What a step knows: the pair of code bits of each window of nine bits, and what a pair gains.
typedef struct trellis {
  uint8_t pair[STATES * 2];
  double gain[N][4];
} trellis;

static void lay_out(const double votes[INK_CONVOLUTIONAL_CODES][N], trellis *t) {
  for (uint32_t window = 0; window < STATES * 2; window++) {
    t->pair[window] = (uint8_t)(code_bit(0, window) | code_bit(1, window) << 1);
  }
  for (int step = 0; step < N; step++) {
    for (int pair = 0; pair < 4; pair++) {
      t->gain[step][pair] = (pair & 1 ? votes[0][step] : -votes[0][step]) +
                            (pair & 2 ? votes[1][step] : -votes[1][step]);
    }
  }
}

// Which of its two predecessors each state came from, step by step.
typedef struct survivors {
  uint8_t older[N][STATES / 8];
} survivors;

// A state is the last eight bits, the newest highest. Its predecessors share all but the oldest.
static void take_step(const trellis *t, int step, const double *from, double *to, uint8_t *older) {
  const double *gain = t->gain[step];
  for (uint32_t state = 0; state < STATES; state++) {
    uint32_t window = state << 1, previous = window & (STATES - 1);
    double zero = from[previous] + gain[t->pair[window]],
           one = from[previous + 1] + gain[t->pair[window + 1]];
    if (state % 8 == 0) older[state / 8] = 0;
    if (one > zero) older[state / 8] |= (uint8_t)(1 << state % 8);
    to[state] = one > zero ? one : zero;
  }
}

// The best ring that passes the state at its seam; its score.
static double follow(const trellis *t, uint32_t seam, survivors *kept) {
  double scores[2][STATES];
  for (uint32_t state = 0; state < STATES; state++) scores[0][state] = -INFINITY;
  scores[0][seam] = 0;
  for (int step = 0; step < N; step++) {
    take_step(t, step, scores[step % 2], scores[(step + 1) % 2], kept->older[step]);
  }
  return scores[N % 2][seam];
}

static void walk_back(uint32_t state, const survivors *kept, uint8_t bits[N / 8]) {
  memset(bits, 0, N / 8);
  for (int step = N - 1; step >= 0; step--) {
    if (state >> (MEMORY - 1)) bits[step / 8] |= (uint8_t)(1 << (7 - step % 8));
    uint32_t oldest = kept->older[step][state / 8] >> state % 8 & 1;
    state = (state << 1 | oldest) & (STATES - 1);
  }
}

void ink_convolutional_decode(const double votes[INK_CONVOLUTIONAL_CODES][N], uint8_t bits[N / 8]) {
  // A ring ends in the state that it began in. All 256 are tried: with one half of the code word
  // alone every state leads to a perfect path, and only one of them closes.
  trellis t;
  survivors kept;
  double best = -INFINITY;
  lay_out(votes, &t);
  for (uint32_t seam = 0; seam < STATES; seam++) {
    double score = follow(&t, seam, &kept);
    if (seam > 0 && !(score > best)) continue;
    best = score;
    walk_back(seam, &kept, bits);
  }
}
