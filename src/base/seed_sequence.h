// Seeds out of seeds, as numpy.random.SeedSequence makes them (O'Neill, "Developing a seed_seq
// Alternative", 2015; NumPy NEP 19): for meeting others' numbers.
#ifndef INK_BASE_SEED_SEQUENCE_H
#define INK_BASE_SEED_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>

enum { INK_SEED_MOST_POOL = 32, INK_SEED_MOST_KEYS = 4 };

// As SeedSequence(entropy, spawn_key=keys, pool_size=pool).generate_state(n): n words to `out`.
// pool: 4 … INK_SEED_MOST_POOL, n_keys: at most INK_SEED_MOST_KEYS.
void ink_seed_sequence(uint64_t entropy, const uint64_t *keys, size_t n_keys, size_t pool,
                       uint32_t *out, size_t n);

#endif
