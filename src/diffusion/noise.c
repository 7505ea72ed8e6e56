// Normals as torch draws them, and our own.
#include "diffusion/noise.h"

#include <math.h>
#include <string.h>

#include "base/random.h"

static const char *const kind_names[INK_NOISE_COUNT] = {"own", "cpu", "cuda"};

const char *ink_noise_name(ink_noise_kind kind) {
  return kind_names[kind];
}

bool ink_noise_parse(const char *name, ink_noise_kind *kind) {
  for (int i = 0; i < INK_NOISE_COUNT; i++) {
    if (strcmp(name, kind_names[i]) == 0) {
      *kind = (ink_noise_kind)i;
      return true;
    }
  }
  return false;
}

// ---- torch on the CPU

void ink_torch_cpu_seed(ink_torch_cpu *g, uint64_t seed) {
  *g = (ink_torch_cpu){0};
  ink_mersenne_seed(&g->mersenne, (uint32_t)seed);
}

uint32_t ink_torch_cpu_u32(ink_torch_cpu *g) {
  return ink_mersenne_u32(&g->mersenne);
}

static float uniform(ink_torch_cpu *g) {
  return (float)(ink_torch_cpu_u32(g) & 0xffffffu) * 0x1p-24f;
}

static double uniform_double(ink_torch_cpu *g) {
  uint64_t high = ink_torch_cpu_u32(g);
  uint64_t bits = high << 32 | ink_torch_cpu_u32(g);
  return (double)(bits & 0x1fffffffffffffull) * 0x1p-53;
}

// Sixteen uniforms become sixteen normals (Box and Muller 1958): 0 … 7 are radii, 8 … 15 angles.
static void box_muller_16(float *x) {
  for (int j = 0; j < 8; j++) {
    float radius = sqrtf(-2.0f * logf(1.0f - x[j]));
    float angle = 2.0f * (float)M_PI * x[j + 8];
    x[j] = radius * cosf(angle);
    x[j + 8] = radius * sinf(angle);
  }
}

static void box_muller_16_double(double *x) {
  for (int j = 0; j < 8; j++) {
    double radius = sqrt(-2 * log(1 - x[j]));
    double angle = 2 * M_PI * x[j + 8];
    x[j] = radius * cos(angle);
    x[j + 8] = radius * sin(angle);
  }
}

static double one_normal(ink_torch_cpu *g) {
  if (g->has_spare) {
    g->has_spare = false;
    return g->spare;
  }
  double angle = 2 * M_PI * uniform_double(g);
  double radius = sqrt(-2 * log1p(-uniform_double(g)));
  g->has_spare = true;
  g->spare = radius * sin(angle);
  return radius * cos(angle);
}

void ink_torch_cpu_normal(ink_torch_cpu *g, float *out, size_t n) {
  if (n < 16) {
    for (size_t i = 0; i < n; i++) out[i] = (float)one_normal(g);
    return;
  }
  for (size_t i = 0; i < n; i++) out[i] = uniform(g);
  for (size_t i = 0; i + 16 <= n; i += 16) box_muller_16(out + i);
  if (n % 16 == 0) return;
  float *last = out + n - 16;
  for (int i = 0; i < 16; i++) last[i] = uniform(g);
  box_muller_16(last);
}

void ink_torch_cpu_normal_double(ink_torch_cpu *g, double *out, size_t n) {
  if (n < 16) {
    for (size_t i = 0; i < n; i++) out[i] = one_normal(g);
    return;
  }
  for (size_t i = 0; i < n; i++) out[i] = uniform_double(g);
  for (size_t i = 0; i + 16 <= n; i += 16) box_muller_16_double(out + i);
  if (n % 16 == 0) return;
  double *last = out + n - 16;
  for (int i = 0; i < 16; i++) last[i] = uniform_double(g);
  box_muller_16_double(last);
}

// ---- Philox as on CUDA --------------------------------------------------------------------------

ink_torch_cuda ink_torch_cuda_seed(uint64_t seed, uint64_t threads) {
  return (ink_torch_cuda){.seed = seed, .threads = threads};
}

// curand's Box-Muller: two words to two normals, the sine first.
static void curand_pair(uint32_t x, uint32_t y, float out[2]) {
  const float scale = 0x1p-32f, turn = 0x1p-32f * 6.2831855f;
  float u = (float)x * scale + scale / 2;
  float v = (float)y * turn + turn / 2;
  float radius = sqrtf(-2.0f * logf(u));
  out[0] = radius * sinf(v);
  out[1] = radius * cosf(v);
}

// The four normals of `thread` at its `block`-th call.
static void curand_normal4(uint64_t seed, uint64_t thread, uint64_t block, float out[4]) {
  uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)thread,
                         (uint32_t)(thread >> 32)};
  uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  uint32_t words[4];
  ink_philox4x32(counter, key, words);
  curand_pair(words[0], words[1], out);
  curand_pair(words[2], words[3], out + 2);
}

void ink_torch_cuda_normal(ink_torch_cuda *g, float *out, size_t n) {
  if (n == 0) return;
  enum { BLOCK = 256, EACH = 4 };
  // A launch has whole blocks of threads.
  uint64_t threads = ((uint64_t)n + BLOCK - 1) / BLOCK * BLOCK;
  if (g->threads && threads > g->threads) threads = g->threads;
  uint64_t rounds = (n - 1) / (threads * EACH) + 1;
  for (uint64_t round = 0; round < rounds; round++) {
    for (uint64_t thread = 0; thread < threads; thread++) {
      float four[EACH];
      uint64_t first = round * threads * EACH + thread;
      if (first >= n) break;
      curand_normal4(g->seed, thread, g->offset / EACH + round, four);
      for (uint64_t k = 0; k < EACH && first + k * threads < n; k++) {
        out[first + k * threads] = four[k];
      }
    }
  }
  g->offset += rounds * EACH;
}

// ---- any of them --------------------------------------------------------------------------------

void ink_noise_start(ink_noise *noise, ink_noise_kind kind, uint64_t seed, uint64_t stream) {
  *noise = (ink_noise){.kind = kind, .seed = seed, .stream = stream};
  ink_torch_cpu_seed(&noise->cpu, seed);
  noise->cuda = ink_torch_cuda_seed(seed, 0);
}

static ink_status draw(void *context, float *out, size_t n, ink_error *error) {
  (void)error;
  ink_noise *noise = context;
  switch (noise->kind) {
    case INK_NOISE_CPU:
      ink_torch_cpu_normal(&noise->cpu, out, n);
      break;
    case INK_NOISE_CUDA:
      ink_torch_cuda_normal(&noise->cuda, out, n);
      break;
    case INK_NOISE_OWN:
    case INK_NOISE_COUNT:
    default: {
      ink_random random = ink_random_at(noise->seed, noise->stream, noise->position);
      for (size_t i = 0; i < n; i++) out[i] = (float)ink_random_normal(&random);
      noise->position = random.position;
      break;
    }
  }
  return INK_OK;
}

ink_noise_source ink_noise_source_of(ink_noise *noise) {
  return (ink_noise_source){.draw = draw, .context = noise};
}

// ---- variations ---------------------------------------------------------------------------------

// Angles between the columns of two noises: their sum of cosines over all of them tells whether
// they are as good as parallel.
static double cosine(const float *a, const float *b, int64_t height, int64_t width) {
  double dot = 0, of_a = 0, of_b = 0;
  for (int64_t y = 0; y < height; y++) {
    double p = (double)a[y * width], q = (double)b[y * width];
    dot += p * q;
    of_a += p * p;
    of_b += q * q;
  }
  return of_a > 0 && of_b > 0 ? dot / sqrt(of_a * of_b) : 1;
}

void ink_noise_turn(int64_t channels, int64_t height, int64_t width, double share,
                    const float *towards, float *noise) {
  double sum = 0;
  int64_t columns = channels * width;
  for (int64_t i = 0; i < columns; i++) {
    int64_t at = i / width * height * width + i % width;
    sum += cosine(noise + at, towards + at, height, width);
  }
  bool parallel = sum / (double)columns > 0.9995;
  for (int64_t i = 0; i < columns; i++) {
    int64_t at = i / width * height * width + i % width;
    double angle = acos(fmin(fmax(cosine(noise + at, towards + at, height, width), -1), 1));
    double from = 1 - share, to = share;
    if (!parallel && sin(angle) > 0) {
      from = sin((1 - share) * angle) / sin(angle);
      to = sin(share * angle) / sin(angle);
    }
    for (int64_t y = 0; y < height; y++) {
      float *value = &noise[at + y * width];
      *value = (float)(from * (double)*value + to * (double)towards[at + y * width]);
    }
  }
}
