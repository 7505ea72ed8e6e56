// Philox4x32-10 and the distributions drawn from it.
#include "base/random.h"

#include <math.h>
#include <sys/random.h>
#include <time.h>

void ink_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0;
    uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
    uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

static void refill(ink_random *random) {
  uint64_t block = random->position / 4;
  uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)random->stream,
                         (uint32_t)(random->stream >> 32)};
  uint32_t key[2] = {(uint32_t)random->seed, (uint32_t)(random->seed >> 32)};
  ink_philox4x32(counter, key, random->block);
}

ink_random ink_random_at(uint64_t seed, uint64_t stream, uint64_t position) {
  ink_random random = {.seed = seed, .stream = stream, .position = position};
  refill(&random);
  return random;
}

uint32_t ink_random_u32(ink_random *random) {
  if (random->position % 4 == 0) refill(random);
  return random->block[random->position++ % 4];
}

float ink_random_float(ink_random *random) {
  return (float)(ink_random_u32(random) >> 8) * 0x1p-24f;
}

static uint64_t next_u64(ink_random *random) {
  uint64_t low = ink_random_u32(random);
  return low | (uint64_t)ink_random_u32(random) << 32;
}

double ink_random_double(ink_random *random) {
  return (double)(next_u64(random) >> 11) * 0x1p-53;
}

uint64_t ink_random_below(ink_random *random, uint64_t bound) {
  if (bound == 0) return 0;
  uint64_t threshold = -bound % bound;  // 2^64 mod bound: results below it would be too frequent
  for (;;) {
    __extension__ unsigned __int128 product = (unsigned __int128)next_u64(random) * bound;
    if ((uint64_t)product >= threshold) return (uint64_t)(product >> 64);
  }
}

double ink_random_normal(ink_random *random) {
  double u = 1.0 - ink_random_double(random);  // (0, 1]: its logarithm is finite
  double v = ink_random_double(random);
  return sqrt(-2.0 * log(u)) * cos(2.0 * 3.14159265358979323846 * v);
}

uint64_t ink_random_fresh_seed(void) {
  uint64_t seed;
  if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    seed = (uint64_t)now.tv_sec * 1000000007u ^ (uint64_t)now.tv_nsec;
  }
  return seed >> 11;
}
