// Every distinct dense shape of one step of Stable Diffusion 1.5 at 512 x 512 with guidance (batch
// 2), and of its decoder: time, GFLOP/s, share of what the register tile does on operands in cache,
// and the sum, which is what a step costs when nothing lies between the kernels.
//
//     build/bench/convolution [bf16|f32] [unet|decoder|all] [WORD]
//
// WORD: only the lines that hold it ("attention").
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/pool.h"
#include "base/random.h"
#include "tensor/cpu/convolve.h"
#include "tensor/gemm.h"
#include "tensor/isa.h"
#include "tensor/ops.h"
#include "tensor/prepared.h"

typedef enum kind { CONVOLUTION, LINEAR, ATTENTION, GROUP_NORM, LAYER_NORM, GEGLU, ADD } kind;

// CONVOLUTION: side of x, channels in and out, kernel side, stride. LINEAR: rows, channels in and
// out. ATTENTION: queries, keys, heads, width. The others: rows (of all the batch) and channels.
typedef struct shape {
  kind kind;
  int count;
  int64_t a, b, c, d, e;
} shape;

static const shape unet[] = {
    {CONVOLUTION, 1, 64, 4, 320, 3, 1},     {CONVOLUTION, 7, 64, 320, 320, 3, 1},
    {CONVOLUTION, 1, 64, 320, 320, 3, 2},   {CONVOLUTION, 1, 64, 960, 320, 3, 1},
    {CONVOLUTION, 2, 64, 640, 320, 3, 1},   {CONVOLUTION, 1, 64, 640, 640, 3, 1},
    {CONVOLUTION, 1, 64, 320, 4, 3, 1},     {CONVOLUTION, 1, 32, 320, 640, 3, 1},
    {CONVOLUTION, 6, 32, 640, 640, 3, 1},   {CONVOLUTION, 1, 32, 640, 640, 3, 2},
    {CONVOLUTION, 1, 32, 1920, 640, 3, 1},  {CONVOLUTION, 1, 32, 1280, 640, 3, 1},
    {CONVOLUTION, 1, 32, 960, 640, 3, 1},   {CONVOLUTION, 1, 32, 1280, 1280, 3, 1},
    {CONVOLUTION, 1, 16, 640, 1280, 3, 1},  {CONVOLUTION, 6, 16, 1280, 1280, 3, 1},
    {CONVOLUTION, 1, 16, 1280, 1280, 3, 2}, {CONVOLUTION, 2, 16, 2560, 1280, 3, 1},
    {CONVOLUTION, 1, 16, 1920, 1280, 3, 1}, {CONVOLUTION, 11, 8, 1280, 1280, 3, 1},
    {CONVOLUTION, 3, 8, 2560, 1280, 3, 1},  {CONVOLUTION, 1, 32, 320, 640, 1, 1},
    {CONVOLUTION, 1, 16, 640, 1280, 1, 1},  {CONVOLUTION, 3, 8, 2560, 1280, 1, 1},
    {CONVOLUTION, 2, 16, 2560, 1280, 1, 1}, {CONVOLUTION, 1, 16, 1920, 1280, 1, 1},
    {CONVOLUTION, 1, 32, 1920, 640, 1, 1},  {CONVOLUTION, 1, 32, 1280, 640, 1, 1},
    {CONVOLUTION, 1, 32, 960, 640, 1, 1},   {CONVOLUTION, 1, 64, 960, 320, 1, 1},
    {CONVOLUTION, 2, 64, 640, 320, 1, 1},   {LINEAR, 40, 8192, 320, 320, 0, 0},
    {LINEAR, 5, 8192, 320, 2560, 0, 0},     {LINEAR, 5, 8192, 1280, 320, 0, 0},
    {LINEAR, 40, 2048, 640, 640, 0, 0},     {LINEAR, 5, 2048, 640, 5120, 0, 0},
    {LINEAR, 5, 2048, 2560, 640, 0, 0},     {LINEAR, 40, 512, 1280, 1280, 0, 0},
    {LINEAR, 5, 512, 1280, 10240, 0, 0},    {LINEAR, 5, 512, 5120, 1280, 0, 0},
    {LINEAR, 8, 128, 1280, 1280, 0, 0},     {LINEAR, 1, 128, 1280, 10240, 0, 0},
    {LINEAR, 1, 128, 5120, 1280, 0, 0},     {ATTENTION, 5, 4096, 4096, 8, 40, 0},
    {ATTENTION, 5, 1024, 1024, 8, 80, 0},   {ATTENTION, 5, 256, 256, 8, 160, 0},
    {ATTENTION, 1, 64, 64, 8, 160, 0},      {ATTENTION, 5, 4096, 77, 8, 40, 0},
    {ATTENTION, 5, 1024, 77, 8, 80, 0},     {ATTENTION, 5, 256, 77, 8, 160, 0},
    {ATTENTION, 1, 64, 77, 8, 160, 0},      {GROUP_NORM, 13, 8192, 320, 0, 0, 0},
    {GROUP_NORM, 3, 8192, 640, 0, 0, 0},    {GROUP_NORM, 1, 8192, 960, 0, 0, 0},
    {GROUP_NORM, 12, 2048, 640, 0, 0, 0},   {GROUP_NORM, 3, 2048, 1280, 0, 0, 0},
    {GROUP_NORM, 12, 512, 1280, 0, 0, 0},   {LAYER_NORM, 15, 8192, 320, 0, 0, 0},
    {LAYER_NORM, 15, 2048, 640, 0, 0, 0},   {LAYER_NORM, 15, 512, 1280, 0, 0, 0},
    {GEGLU, 5, 8192, 1280, 0, 0, 0},        {GEGLU, 5, 2048, 2560, 0, 0, 0},
    {GEGLU, 5, 512, 5120, 0, 0, 0},         {ADD, 25, 8192, 320, 0, 0, 0},
    {ADD, 25, 2048, 640, 0, 0, 0},          {ADD, 25, 512, 1280, 0, 0, 0},
};

static const shape decoder[] = {
    {CONVOLUTION, 1, 64, 4, 512, 3, 1},    {CONVOLUTION, 10, 64, 512, 512, 3, 1},
    {CONVOLUTION, 7, 128, 512, 512, 3, 1}, {CONVOLUTION, 1, 256, 512, 512, 3, 1},
    {CONVOLUTION, 1, 256, 512, 256, 3, 1}, {CONVOLUTION, 5, 256, 256, 256, 3, 1},
    {CONVOLUTION, 1, 512, 256, 256, 3, 1}, {CONVOLUTION, 1, 512, 256, 128, 3, 1},
    {CONVOLUTION, 5, 512, 128, 128, 3, 1}, {CONVOLUTION, 1, 512, 128, 3, 3, 1},
    {CONVOLUTION, 1, 256, 512, 256, 1, 1}, {CONVOLUTION, 1, 512, 256, 128, 1, 1},
    {LINEAR, 4, 4096, 512, 512, 0, 0},     {ATTENTION, 1, 4096, 4096, 1, 512, 0},
    {GROUP_NORM, 11, 4096, 512, 0, 0, 0},  {GROUP_NORM, 6, 16384, 512, 0, 0, 0},
    {GROUP_NORM, 1, 65536, 512, 0, 0, 0},  {GROUP_NORM, 5, 65536, 256, 0, 0, 0},
    {GROUP_NORM, 1, 262144, 256, 0, 0, 0}, {GROUP_NORM, 6, 262144, 128, 0, 0, 0},
    {ADD, 3, 65536, 256, 0, 0, 0},         {ADD, 3, 262144, 128, 0, 0, 0},
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static ink_tensor *noise(ink_arena *arena, ink_dtype dtype, int rank, const int64_t *sizes) {
  ink_tensor *x = ink_tensor_new(arena, dtype, rank, sizes);
  if (!x) exit(1);
  int64_t n = ink_tensor_elements(x), length = 4099;
  float values[4099];
  ink_random random = ink_random_at(1, (uint64_t)n, 0);
  for (int64_t i = 0; i < length; i++) values[i] = 0.05f * (float)ink_random_normal(&random);
  size_t size = ink_dtype_about(dtype)->block_bytes;
  for (int64_t i = 0; i < n; i += length) {
    ink_from_f32(dtype, values, (char *)x->data + (size_t)i * size,
                 n - i < length ? n - i : length);
  }
  return x;
}

// ---- the peak -----------------------------------------------------------------------------------

typedef struct spin {
  const ink_convolve_kernels *kernels;
  int times;
} spin;

static void spin_task(void *context, size_t index, int thread) {
  (void)index;
  (void)thread;
  const spin *s = context;
  static _Alignas(64) char a[32768], b[2][32768];
  static _Alignas(64) float sums[2][4096];
  int64_t tap = 0;
  ink_convolve_tile tile = {.rows = s->kernels->rows,
                            .columns = s->kernels->columns,
                            .taps = 1,
                            .steps = 128,
                            .tap = &tap,
                            .a = a,
                            .b = b[index % 2],
                            .sums = sums[index % 2],
                            .sums_stride = s->kernels->columns};
  for (int i = 0; i < s->times; i++) s->kernels->multiply(&tile);
}

static double peak(ink_pool *pool, const ink_convolve_kernels *kernels) {
  spin s = {kernels, 20000};
  double best = 0.0;
  for (int i = 0; i < 5; i++) {
    double begin = now();
    ink_pool_run(pool, (size_t)ink_pool_threads(pool), spin_task, &s);
    double work = 2.0 * kernels->rows * kernels->columns * kernels->elements * 128 * s.times;
    double rate = work * ink_pool_threads(pool) / (now() - begin);
    if (rate > best) best = rate;
  }
  return best;
}

// ---- shapes -------------------------------------------------------------------------------------

typedef struct operands {
  ink_tensor *x, *weight, *bias, *second, *third;
} operands;

static operands draw(ink_arena *arena, const shape *s, int64_t batch, ink_dtype dtype) {
  operands o = {0};
  switch (s->kind) {
    case CONVOLUTION:
      o.x = noise(arena, dtype, 4, (int64_t[]){batch, s->a, s->a, s->b});
      o.weight = noise(arena, dtype, 4, (int64_t[]){s->c, s->b, s->d, s->d});
      o.bias = noise(arena, INK_F32, 1, (int64_t[]){s->c});
      break;
    case LINEAR:
      o.x = noise(arena, dtype, 2, (int64_t[]){s->a, s->b});
      o.weight = noise(arena, dtype, 2, (int64_t[]){s->c, s->b});
      o.bias = noise(arena, INK_F32, 1, (int64_t[]){s->c});
      break;
    case ATTENTION:
      o.x = noise(arena, dtype, 4, (int64_t[]){batch, s->a, s->c, s->d});
      o.second = noise(arena, dtype, 4, (int64_t[]){batch, s->b, s->c, s->d});
      o.third = noise(arena, dtype, 4, (int64_t[]){batch, s->b, s->c, s->d});
      break;
    default:
      o.x = noise(arena, dtype, 3,
                  (int64_t[]){batch, s->a / batch, s->kind == GEGLU ? 2 * s->b : s->b});
      o.second = noise(arena, dtype, 3, (int64_t[]){batch, s->a / batch, s->b});
      o.weight = noise(arena, INK_F32, 1, (int64_t[]){s->b});
      o.bias = noise(arena, INK_F32, 1, (int64_t[]){s->b});
  }
  return o;
}

static void run(ink_compute *c, const shape *s, const operands *o) {
  int64_t pad = s->d / 2;
  switch (s->kind) {
    case CONVOLUTION:
      ink_conv2d(c, o->x, o->weight, o->bias, s->e, (ink_padding){pad, pad, pad, pad});
      break;
    case LINEAR:
      ink_linear(c, o->x, o->weight, o->bias);
      break;
    case ATTENTION:
      ink_attention(c, o->x, o->second, o->third, 0.1f, (ink_attention_mask){0});
      break;
    case GROUP_NORM:
      ink_group_norm_silu(c, o->x, 32, o->weight, o->bias, 1e-5f);
      break;
    case LAYER_NORM:
      ink_layer_norm(c, o->x, o->weight, o->bias, 1e-5f);
      break;
    case GEGLU:
      ink_geglu(c, o->x);
      break;
    case ADD:
      ink_add(c, o->x, o->second);
      break;
  }
}

static double work_of(const shape *s, int64_t batch) {
  double b = (double)batch;
  switch (s->kind) {
    case CONVOLUTION: {
      double side = (double)((s->a - 1) / s->e + 1);
      return 2.0 * b * side * side * (double)(s->b * s->c * s->d * s->d);
    }
    case LINEAR:
      return 2.0 * (double)(s->a * s->b * s->c);
    case ATTENTION:
      return 4.0 * b * (double)(s->a * s->b * s->c * s->d);
    default:
      return 0.0;
  }
}

static void name_of(const shape *s, char out[80]) {
  static const char *const names[] = {"convolution", "linear", "attention", "group norm + silu",
                                      "layer norm",  "geglu",  "add"};
  char text[48];
  if (s->kind == CONVOLUTION) {
    snprintf(text, sizeof text, "%lld^2 %lld>%lld %lldx%lld /%lld", (long long)s->a,
             (long long)s->b, (long long)s->c, (long long)s->d, (long long)s->d, (long long)s->e);
  } else if (s->kind == LINEAR) {
    snprintf(text, sizeof text, "%lld %lld>%lld", (long long)s->a, (long long)s->b,
             (long long)s->c);
  } else if (s->kind == ATTENTION) {
    snprintf(text, sizeof text, "%lld x %lld, %lld heads of %lld", (long long)s->a, (long long)s->b,
             (long long)s->c, (long long)s->d);
  } else {
    snprintf(text, sizeof text, "%lld x %lld", (long long)s->a, (long long)s->b);
  }
  snprintf(out, 80, "%-18s %s", names[s->kind], text);
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void bench(ink_pool *pool, const char *title, const shape *shapes, size_t n, int64_t batch,
                  ink_dtype dtype, double most, const char *word) {
  printf("\n%s, %s\n%-52s %5s %9s %9s %6s %9s\n", title, ink_dtype_about(dtype)->name, "", "times",
         "ms", "GFLOP/s", "share", "sum ms");
  double total = 0.0, work = 0.0, parts[7] = {0}, part_work[7] = {0};
  for (size_t i = 0; i < n; i++) {
    char name[80];
    name_of(&shapes[i], name);
    if (word && !strstr(name, word)) continue;
    ink_arena *arena = ink_arena_new(0);
    ink_prepared *prepared = ink_prepared_new(NULL, NULL);
    ink_compute c = {.arena = arena, .pool = pool, .prepared = prepared};
    operands o = draw(arena, &shapes[i], batch, dtype);
    ink_arena_mark mark = ink_arena_save(arena);
    enum { MOST = 25 };
    double took[MOST], begun = now();
    int runs = 0;
    run(&c, &shapes[i], &o);
    while (runs < MOST && (runs < 3 || now() - begun < 0.4)) {
      ink_arena_release(arena, mark);
      double begin = now();
      run(&c, &shapes[i], &o);
      took[runs++] = now() - begin;
    }
    ink_error error = {0};
    if (ink_compute_status(&c, &error) != INK_OK) {
      fprintf(stderr, "%s\n", error.text);
      exit(1);
    }
    qsort(took, (size_t)runs, sizeof *took, by_value);
    double median = took[runs / 2], flops = work_of(&shapes[i], batch);
    printf("%-52s %5d %9.3f", name, shapes[i].count, 1e3 * median);
    if (flops > 0.0) {
      printf(" %9.0f %5.0f%%", 1e-9 * flops / median, 100.0 * flops / median / most);
    } else {
      printf(" %9s %6s", "", "");
    }
    printf(" %9.1f\n", 1e3 * median * shapes[i].count);
    fflush(stdout);
    total += median * shapes[i].count;
    work += flops * shapes[i].count;
    parts[shapes[i].kind] += median * shapes[i].count;
    part_work[shapes[i].kind] += flops * shapes[i].count;
    ink_prepared_free(prepared);
    ink_arena_free(arena);
  }
  static const char *const names[] = {"convolutions", "linear layers", "attention", "group norms",
                                      "layer norms",  "geglu",         "additions"};
  for (int i = 0; i < 7; i++) {
    if (parts[i] == 0.0) continue;
    printf("  %-20s %8.1f ms", names[i], 1e3 * parts[i]);
    if (part_work[i] > 0.0) {
      printf("  %6.0f GFLOP  %5.0f GFLOP/s  %3.0f%%", 1e-9 * part_work[i],
             1e-9 * part_work[i] / parts[i], 100.0 * part_work[i] / parts[i] / most);
    }
    printf("\n");
  }
  printf("  sum                  %8.1f ms  %6.0f GFLOP  %5.0f GFLOP/s  %3.0f%%\n", 1e3 * total,
         1e-9 * work, 1e-9 * work / total, 100.0 * work / total / most);
}

int main(int argc, char **argv) {
  const char *what = argc > 2 ? argv[2] : "all", *word = argc > 3 ? argv[3] : NULL;
  ink_dtype dtype = argc > 1 && strcmp(argv[1], "f32") == 0 ? INK_F32 : INK_BF16;
  ink_pool *pool = ink_pool_new(0);
  const ink_convolve_kernels *kernels = &ink_convolve_portable;
#if defined(__x86_64__)
  const ink_cpu *cpu = ink_cpu_about();
  if (cpu->isa == INK_ISA_AVX2) kernels = &ink_convolve_avx2;
  if (cpu->isa == INK_ISA_AVX512) kernels = &ink_convolve_avx512;
  if (dtype == INK_BF16 && cpu->bf16) kernels = &ink_convolve_avx512_bf16;
#endif
  double most = peak(pool, kernels);
  printf("%d threads, register tile in cache: %.0f GFLOP/s\n", ink_pool_threads(pool), 1e-9 * most);
  if (strcmp(what, "decoder") != 0) {
    bench(pool, "Stable Diffusion 1.5, 512 x 512, one guided step", unet,
          sizeof unet / sizeof *unet, 2, dtype, most, word);
  }
  if (strcmp(what, "unet") != 0) {
    bench(pool, "Decoder, 512 x 512", decoder, sizeof decoder / sizeof *decoder, 1, dtype, most,
          word);
  }
  ink_pool_free(pool);
  return 0;
}
