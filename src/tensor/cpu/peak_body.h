// The loops in vectors of the instruction set at hand. Included with INK_TABLE naming the table to
// define.
#include "tensor/cpu/peak.h"
#include "tensor/cpu/vector.h"

// Independent sums: enough to cover the latency of an operation, few enough for the registers.
enum { SUMS = REGISTERS * 3 / 4 };

static int64_t f32(int64_t steps, float *sink) {
  vec sum[SUMS], x = splat(*sink), y = splat(0.5f);
#pragma GCC unroll 24
  for (int i = 0; i < SUMS; i++) sum[i] = x + (float)i;
  for (int64_t k = 0; k < steps; k++) {
#pragma GCC unroll 24
    for (int i = 0; i < SUMS; i++) sum[i] = sum[i] * y + x;
  }
#pragma GCC unroll 24
  for (int i = 0; i < SUMS; i++) x += sum[i];
  *sink = sum_of(x);
  return steps * SUMS * LANES * 2;
}

static void read(const void *data, size_t n, float *sink) {
  const float *p = data, *end = p + n / sizeof *p;
  vec a = {0}, b = {0}, c = {0}, d = {0};
  for (; p < end; p += 4 * LANES) {
    a += load(p);
    b += load(p + LANES);
    c += load(p + 2 * LANES);
    d += load(p + 3 * LANES);
  }
  *sink = sum_of((a + b) + (c + d));
}

const ink_peak_loops INK_TABLE = {.f32 = f32, .read = read};
