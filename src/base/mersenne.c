// MT19937.
#include "base/mersenne.h"

enum { N = INK_MERSENNE_WORDS, M = 397 };

void ink_mersenne_seed(ink_mersenne *m, uint32_t seed) {
  m->state[0] = seed;
  for (uint32_t i = 1; i < N; i++) {
    uint32_t last = m->state[i - 1];
    m->state[i] = 1812433253U * (last ^ (last >> 30)) + i;
  }
  m->next = N;
}

static inline uint32_t twisted(uint32_t here, uint32_t next, uint32_t far) {
  uint32_t mixed = (here & 0x80000000U) | (next & 0x7FFFFFFFU);
  return far ^ (mixed >> 1) ^ (-(mixed & 1) & 0x9908B0DFU);
}

// In runs without a wrap. A word needs none that was made less than N - M words before it, so that
// compilers vectorise them.
static void twist(uint32_t state[N]) {
  for (int i = 0; i < N - M; i++) state[i] = twisted(state[i], state[i + 1], state[i + M]);
  for (int i = N - M; i < 2 * (N - M); i++)
    state[i] = twisted(state[i], state[i + 1], state[i + M - N]);
  for (int i = 2 * (N - M); i < N - 1; i++)
    state[i] = twisted(state[i], state[i + 1], state[i + M - N]);
  state[N - 1] = twisted(state[N - 1], state[0], state[M - 1]);
}

uint32_t ink_mersenne_u32(ink_mersenne *m) {
  if (m->next == N) {
    twist(m->state);
    m->next = 0;
  }
  uint32_t y = m->state[m->next++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9D2C5680U;
  y ^= (y << 15) & 0xEFC60000U;
  return y ^ (y >> 18);
}
