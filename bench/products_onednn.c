// Products of x (M, K) with a weight (N, K) beside those of oneDNN's matmul, in turn in one
// process: ratio first. Usage: products_onednn [ROUNDS]
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/progress.h"
#include "base/random.h"
#include "tensor/gemm.h"

typedef struct shape {
  const char *work;
  int64_t m, n, k;
} shape;

static const shape shapes[] = {
    {"poet up", 2048, 768, 256},      {"poet down", 2048, 256, 768},
    {"gpt2 up", 1024, 3072, 768},     {"gpt2 down", 1024, 768, 3072},
    {"llama-1b up", 512, 8192, 2048}, {"llama-1b down", 512, 2048, 8192},
};

enum { MOST_ROUNDS = 99 };

static void must(dnnl_status_t status, const char *what) {
  if (status == dnnl_success) return;
  fprintf(stderr, "oneDNN: %s failed (%d)\n", what, (int)status);
  exit(1);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int n) {
  qsort(values, (size_t)n, sizeof *values, ascending);
  return values[n / 2];
}

// y = x w^T with F32 memory; in BF16 mode oneDNN is handed BF16 operands made beforehand, which
// ours rounds within the measured time.
typedef struct peer {
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  dnnl_primitive_t primitive;
  dnnl_memory_t x, w, y;
} peer;

static dnnl_memory_t memory_of(peer *p, const dnnl_memory_desc_t *desc, void *data) {
  dnnl_memory_t memory;
  must(dnnl_memory_create(&memory, desc, p->engine, data), "memory");
  return memory;
}

static peer peer_new(const shape *s, bool bf16, void *x, void *w, float *y) {
  peer p;
  must(dnnl_engine_create(&p.engine, dnnl_cpu, 0), "engine");
  must(dnnl_stream_create(&p.stream, p.engine, dnnl_stream_default_flags), "stream");
  dnnl_data_type_t type = bf16 ? dnnl_bf16 : dnnl_f32;
  dnnl_memory_desc_t xd, wd, yd;
  const dnnl_dims_t x_shape = {s->m, s->k}, w_shape = {s->k, s->n}, y_shape = {s->m, s->n};
  must(dnnl_memory_desc_init_by_tag(&xd, 2, x_shape, type, dnnl_ab), "x");
  must(dnnl_memory_desc_init_by_tag(&wd, 2, w_shape, type, dnnl_ba), "w");
  must(dnnl_memory_desc_init_by_tag(&yd, 2, y_shape, dnnl_f32, dnnl_ab), "y");
  dnnl_matmul_desc_t desc;
  must(dnnl_matmul_desc_init(&desc, &xd, &wd, NULL, &yd), "matmul");
  dnnl_primitive_desc_t primitive_desc;
  must(dnnl_primitive_desc_create(&primitive_desc, &desc, NULL, p.engine, NULL), "primitive");
  must(dnnl_primitive_create(&p.primitive, primitive_desc), "primitive");
  dnnl_primitive_desc_destroy(primitive_desc);
  p.x = memory_of(&p, &xd, x);
  p.w = memory_of(&p, &wd, w);
  p.y = memory_of(&p, &yd, y);
  return p;
}

static void peer_run(peer *p) {
  const dnnl_exec_arg_t arguments[] = {
      {DNNL_ARG_SRC, p->x}, {DNNL_ARG_WEIGHTS, p->w}, {DNNL_ARG_DST, p->y}};
  must(dnnl_primitive_execute(p->primitive, p->stream, 3, arguments), "product");
  must(dnnl_stream_wait(p->stream), "product");
}

static void peer_free(peer *p) {
  dnnl_memory_destroy(p->x);
  dnnl_memory_destroy(p->w);
  dnnl_memory_destroy(p->y);
  dnnl_primitive_destroy(p->primitive);
  dnnl_stream_destroy(p->stream);
  dnnl_engine_destroy(p->engine);
}

static float *random_floats(int64_t n) {
  float *x = malloc((size_t)n * sizeof *x);
  ink_random random = ink_random_at(1, 0, 0);
  for (int64_t i = 0; x && i < n; i++) x[i] = ink_random_float(&random) - 0.5f;
  return x;
}

static void *as_bf16(const float *x, int64_t n) {
  void *y = malloc((size_t)n * 2);
  if (y) ink_from_f32(INK_BF16, x, y, n);
  return y;
}

static void compare(ink_pool *pool, const shape *s, bool bf16, int rounds) {
  float *x = random_floats(s->m * s->k), *w = random_floats(s->n * s->k);
  float *y = random_floats(s->m * s->n);
  void *half_x = x ? as_bf16(x, s->m * s->k) : NULL, *half_w = w ? as_bf16(w, s->n * s->k) : NULL;
  if (!x || !w || !y || !half_x || !half_w) exit(1);
  peer p = peer_new(s, bf16, bf16 ? half_x : x, bf16 ? half_w : w, y);
  ink_matrix a = {INK_F32, x, s->m, s->k, s->k, 1}, b = {INK_F32, w, s->k, s->n, 1, s->k};
  double work = 2.0 * (double)s->m * (double)s->n * (double)s->k;
  double ours[MOST_ROUNDS], theirs[MOST_ROUNDS];
  ink_error error = {0};
  int times = 1 + (int)(4e10 / work);
  for (int i = -1; i < rounds; i++) {  // the first round warms both up
    usleep(20000);                     // their threads spin for a while after their last product
    double began = ink_clock_seconds();
    for (int j = 0; j < times; j++) {
      if (ink_gemm(pool, bf16 ? INK_PRECISION_BF16 : INK_PRECISION_F32, a, b, NULL, y, s->n, false,
                   &error) != INK_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
      }
    }
    double middle = ink_clock_seconds();
    for (int j = 0; j < times; j++) peer_run(&p);
    if (i < 0) continue;
    ours[i] = work * times / (middle - began) * 1e-9;
    theirs[i] = work * times / (ink_clock_seconds() - middle) * 1e-9;
  }
  double we = median(ours, rounds), they = median(theirs, rounds);
  printf("%5.2f  %-14s %lldx%lldx%lld %-4s  inkstone %.0f, oneDNN %.0f GFLOP/s\n", we / they,
         s->work, (long long)s->m, (long long)s->n, (long long)s->k, bf16 ? "bf16" : "f32", we,
         they);
  peer_free(&p);
  free(x);
  free(w);
  free(y);
  free(half_x);
  free(half_w);
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 5;
  if (rounds < 1 || rounds > MOST_ROUNDS) {
    fprintf(stderr, "usage: products_onednn [ROUNDS]   1 to %d rounds\n", (int)MOST_ROUNDS);
    return 2;
  }
  ink_pool *pool = ink_pool_new(0);
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    for (int bf16 = 0; bf16 < 2; bf16++) compare(pool, &shapes[i], bf16, rounds);
  }
  ink_pool_free(pool);
  return 0;
}
