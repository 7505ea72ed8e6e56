// MT19937 (Matsumoto and Nishimura, "Mersenne Twister", TOMACS 8(1), 1998), seeded as their 2002
// init_genrand: the generator behind torch's CPU random numbers. For meeting others' numbers; our
// own are Philox (base/random.h).
#ifndef INK_BASE_MERSENNE_H
#define INK_BASE_MERSENNE_H

#include <stdint.h>

enum { INK_MERSENNE_WORDS = 624 };

typedef struct ink_mersenne {
  uint32_t state[INK_MERSENNE_WORDS];
  int next;  // word of the state that comes next
} ink_mersenne;

void ink_mersenne_seed(ink_mersenne *mersenne, uint32_t seed);
uint32_t ink_mersenne_u32(ink_mersenne *mersenne);

#endif
