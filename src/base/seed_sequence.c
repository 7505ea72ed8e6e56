// O'Neill's hash of seeds with the constants that NumPy has for it.
#include "base/seed_sequence.h"

static uint32_t hash(uint32_t value, uint32_t *constant, uint32_t factor) {
  value ^= *constant;
  *constant *= factor;
  value *= *constant;
  return value ^ value >> 16;
}

static uint32_t mix(uint32_t x, uint32_t y) {
  uint32_t z = 0xCA01F9DDU * x - 0x4973F715U * y;
  return z ^ z >> 16;
}

// A number as words, the low one first; 0 is one word.
static size_t add_words(uint64_t number, uint32_t *words) {
  words[0] = (uint32_t)number;
  words[1] = (uint32_t)(number >> 32);
  return words[1] ? 2 : 1;
}

void ink_seed_sequence(uint64_t entropy, const uint64_t *keys, size_t n_keys, size_t pool,
                       uint32_t *out, size_t n) {
  const uint32_t factor_in = 0x931E8875U, factor_out = 0x58F38DEDU;
  uint32_t words[INK_SEED_MOST_POOL + 2 * (INK_SEED_MOST_KEYS + 1)] = {0},
                                                                mixed[INK_SEED_MOST_POOL];
  size_t n_words = add_words(entropy, words);
  // Entropy is padded, so that keys never take the place of more of it.
  if (n_keys && n_words < pool) n_words = pool;
  for (size_t i = 0; i < n_keys; i++) n_words += add_words(keys[i], words + n_words);
  uint32_t constant = 0x43B0D7E5U;
  for (size_t i = 0; i < pool; i++) mixed[i] = hash(words[i], &constant, factor_in);
  for (size_t from = 0; from < pool; from++) {
    for (size_t to = 0; to < pool; to++) {
      if (to != from) mixed[to] = mix(mixed[to], hash(mixed[from], &constant, factor_in));
    }
  }
  for (size_t from = pool; from < n_words; from++) {
    for (size_t to = 0; to < pool; to++) {
      mixed[to] = mix(mixed[to], hash(words[from], &constant, factor_in));
    }
  }
  constant = 0x8B51F9DDU;
  // A pool is never empty. NOLINTNEXTLINE(clang-analyzer-core.DivideZero)
  for (size_t i = 0; i < n; i++) out[i] = hash(mixed[i % pool], &constant, factor_out);
}
