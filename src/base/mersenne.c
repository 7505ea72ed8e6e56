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

static void twist(uint32_t state[N]) {
  for (int i = 0; i < N; i++) {
    uint32_t mixed = (state[i] & 0x80000000U) | (state[(i + 1) % N] & 0x7FFFFFFFU);
    uint32_t odd = (mixed & 1) ? 0x9908B0DFU : 0;
    state[i] = state[(i + M) % N] ^ (mixed >> 1) ^ odd;
  }
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
