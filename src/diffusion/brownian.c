// A tree of halves. Each node's increment is split at its middle by a normal that its place in the
// tree seeds, so any stretch is found on the way down without keeping the tree.
#include "diffusion/brownian.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/random.h"
#include "base/seed_sequence.h"

enum { POOL = 24 };

typedef struct node {
  double start, end;
  uint64_t place, depth;  // place among the nodes of this depth
} node;

typedef struct walk {
  const ink_brownian *motion;
  size_t n;
  float *sum, *normals;
  ink_error *error;
} walk;

// To 6 decimals, as Python rounds: the decimal that is nearest to the exact value.
static double to_grid(double x) {
  char text[64];
  snprintf(text, sizeof text, "%.6f", x);
  return strtod(text, NULL);
}

static void draw(const ink_brownian *motion, uint32_t seed, float *out, size_t n) {
  if (motion->kind == INK_NOISE_CPU) {
    ink_torch_cpu generator;
    ink_torch_cpu_seed(&generator, seed);
    ink_torch_cpu_normal(&generator, out, n);
  } else if (motion->kind == INK_NOISE_CUDA) {
    ink_torch_cuda generator = ink_torch_cuda_seed(seed, 0);
    ink_torch_cuda_normal(&generator, out, n);
  } else {
    // Beside the streams of pictures, which are below 2^32.
    uint64_t stream = ((uint64_t)seed + 1) << 32 ^ motion->stream;
    ink_random random = ink_random_at(motion->seed, stream, 0);
    for (size_t i = 0; i < n; i++) out[i] = (float)ink_random_normal(&random);
  }
}

// The increment over the left half of a node, out of that over the whole.
static void split(const walk *w, const node *at, double middle, const float *whole, float *left) {
  uint32_t seed;
  ink_seed_sequence(w->motion->seed, (const uint64_t[]){at->place, at->depth}, 2, POOL, &seed, 1);
  draw(w->motion, seed, w->normals, w->n);
  double a = middle - at->start, b = at->end - middle, inverse = 1 / (at->end - at->start);
  float share = (float)a, scale = (float)inverse, deviation = (float)sqrt(a * b * inverse);
  for (size_t i = 0; i < w->n; i++) {
    float mean = share * whole[i] * scale;
    left[i] = mean + deviation * w->normals[i];
  }
}

// Add the increment over [from, to] within a node, whose own is `whole` and is overwritten.
static ink_status gather(walk *w, node at, float *whole, double from, double to) {
  float *left = NULL;
  size_t bytes;
  ink_status status = INK_OK;
  if (!ink_mul_size(w->n, sizeof *left, &bytes) || !(left = malloc(bytes))) {
    return ink_fail(w->error, INK_ERR_MEMORY, "no memory for the noise of a step");
  }
  while (status == INK_OK && (from != at.start || to != at.end)) {
    double middle = to_grid(0.5 * (at.end + at.start));
    if (!(middle > at.start && middle < at.end)) {
      status =
          ink_fail(w->error, INK_ERR_USAGE,
                   "no Brownian noise between sigmas of %g and %g; choose other steps", from, to);
      break;
    }
    split(w, &at, middle, whole, left);
    node first = {at.start, middle, 2 * at.place, at.depth + 1};
    node second = {middle, at.end, 2 * at.place + 1, at.depth + 1};
    if (to <= middle) {
      for (size_t i = 0; i < w->n; i++) whole[i] = left[i];
      at = first;
      continue;
    }
    for (size_t i = 0; i < w->n; i++) whole[i] -= left[i];
    at = second;
    if (from >= middle) continue;
    status = gather(w, first, left, from, middle);
    from = middle;
  }
  for (size_t i = 0; status == INK_OK && i < w->n; i++) w->sum[i] += whole[i];
  free(left);
  return status;
}

static double within(double x, double low, double high) {
  return fmin(fmax(x, low), high);
}

ink_status ink_brownian_step(const ink_brownian *motion, double from, double to, float *noise,
                             size_t n, ink_error *error) {
  float low = (float)motion->low, high = (float)motion->high, a = (float)fmin(from, to),
        b = (float)fmax(from, to);
  node top = {.start = to_grid((double)low), .end = to_grid((double)high)};
  // Half a step of the grid is what rounding may take a sigma out of the range.
  if (!(low > 0 && high > low && high < 1e9F && a >= low * 0.999F && b <= high * 1.001F && a < b)) {
    return ink_fail(error, INK_ERR_USAGE,
                    "no Brownian noise from sigma %g to %g in a run between %g and %g", from, to,
                    motion->low, motion->high);
  }
  size_t bytes;
  float *memory = NULL;
  if (!ink_mul_size(n, 2 * sizeof *memory, &bytes) || !(memory = malloc(bytes))) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory for the noise of a step");
  }
  walk w = {.motion = motion, .n = n, .sum = noise, .normals = memory, .error = error};
  float *whole = memory + n;
  uint32_t seed;
  ink_seed_sequence(motion->seed, NULL, 0, POOL, &seed, 1);
  draw(motion, seed, whole, n);
  float spread = (float)sqrt((double)high - (double)low);
  for (size_t i = 0; i < n; i++) {
    whole[i] *= spread;
    noise[i] = 0;
  }
  double start = to_grid(within((double)a, top.start, top.end));
  double end = to_grid(within((double)b, top.start, top.end));
  ink_status status = start < end ? gather(&w, top, whole, start, end) : INK_OK;
  float length = sqrtf(b - a), sign = from > to ? -1.0F : 1.0F;
  for (size_t i = 0; i < n; i++) noise[i] = noise[i] * sign / length;
  free(memory);
  return status;
}
