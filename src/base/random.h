// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel Random Numbers: As Easy as
// 1, 2, 3" (SC 2011). A number depends on (seed, stream, position) alone, never on who asks first.
#ifndef INK_BASE_RANDOM_H
#define INK_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

// The block function: 128 bits of counter under a 64-bit key.
void ink_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

// A sequence within (seed, stream). Streams keep uses apart: one per piece, layer or sample.
typedef struct ink_random {
  uint64_t seed;
  uint64_t stream;
  uint64_t position;  // counts 32-bit words
  uint32_t block[4];  // the block that holds the words around `position`
} ink_random;

ink_random ink_random_at(uint64_t seed, uint64_t stream, uint64_t position);

uint32_t ink_random_u32(ink_random *random);
// Uniform in [0, 1) with 24 bits.
float ink_random_float(ink_random *random);
// Uniform in [0, 1) with 53 bits.
double ink_random_double(ink_random *random);
// Uniform in [0, bound), without bias (Lemire 2019, rejection); 0 for a bound of 0.
uint64_t ink_random_below(ink_random *random, uint64_t bound);
// Standard normal (Box and Muller 1958), in double precision; uses two doubles each.
double ink_random_normal(ink_random *random);

// A seed from the system's entropy, for runs that name none. It fits in 53 bits so that JSON keeps
// it exactly.
uint64_t ink_random_fresh_seed(void);

#endif
