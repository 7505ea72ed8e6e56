// Convolutions and linear layers of Stable Diffusion 1.5 by oneDNN and by us, turn by turn in one
// run: GFLOP/s of each. Pictures are NHWC on both sides and weights are prepared in advance.
//
//     build/bench/peer_onednn [bf16|f32]
#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/pool.h"
#include "tensor/ops.h"
#include "tensor/prepared.h"

typedef struct shape {
  int64_t batch, side, channels, out, kernel, stride;
} shape;

// The distinct kinds of shapes of a step and of the decoder; a linear layer is a kernel of 1.
static const shape shapes[] = {
    {2, 64, 320, 320, 3, 1},  {2, 64, 960, 320, 3, 1},   {2, 32, 640, 640, 3, 1},
    {2, 32, 640, 640, 3, 2},  {2, 16, 1280, 1280, 3, 1}, {2, 16, 2560, 1280, 3, 1},
    {2, 8, 1280, 1280, 3, 1}, {2, 64, 320, 320, 1, 1},   {2, 64, 320, 2560, 1, 1},
    {2, 32, 2560, 640, 1, 1}, {2, 16, 1280, 1280, 1, 1}, {2, 16, 1280, 10240, 1, 1},
    {1, 128, 512, 512, 3, 1}, {1, 256, 256, 256, 3, 1},  {1, 512, 128, 128, 3, 1},
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(dnnl_status_t status) {
  if (status == dnnl_success) return;
  fprintf(stderr, "oneDNN: status %d\n", (int)status);
  exit(1);
}

typedef struct peer {
  dnnl_primitive_t primitive;
  dnnl_stream_t stream;
  dnnl_exec_arg_t args[4];
} peer;

static dnnl_memory_t memory_of(const dnnl_memory_desc_t *d, dnnl_engine_t engine) {
  dnnl_memory_t memory;
  check(dnnl_memory_create(&memory, d, engine, DNNL_MEMORY_ALLOCATE));
  void *data;
  check(dnnl_memory_get_data_handle(memory, &data));
  memset(data, 0x3c, dnnl_memory_desc_get_size(d));
  return memory;
}

static peer peer_new(const shape *s, bool bf16) {
  static dnnl_engine_t engine;
  static dnnl_stream_t stream;
  if (!engine) {
    check(dnnl_engine_create(&engine, dnnl_cpu, 0));
    check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
  }
  dnnl_data_type_t type = bf16 ? dnnl_bf16 : dnnl_f32;
  int64_t pad = s->kernel / 2, side = (s->side - 1) / s->stride + 1;
  dnnl_memory_desc_t x, w, b, y;
  check(dnnl_memory_desc_init_by_tag(&x, 4, (dnnl_dims_t){s->batch, s->channels, s->side, s->side},
                                     type, dnnl_nhwc));
  check(dnnl_memory_desc_init_by_tag(
      &w, 4, (dnnl_dims_t){s->out, s->channels, s->kernel, s->kernel}, type, dnnl_format_tag_any));
  check(dnnl_memory_desc_init_by_tag(&b, 1, (dnnl_dims_t){s->out}, dnnl_f32, dnnl_a));
  check(dnnl_memory_desc_init_by_tag(&y, 4, (dnnl_dims_t){s->batch, s->out, side, side}, type,
                                     dnnl_nhwc));
  dnnl_convolution_desc_t d;
  check(dnnl_convolution_forward_desc_init(&d, dnnl_forward_inference, dnnl_convolution_direct, &x,
                                           &w, &b, &y, (dnnl_dims_t){s->stride, s->stride},
                                           (dnnl_dims_t){pad, pad}, (dnnl_dims_t){pad, pad}));
  dnnl_primitive_desc_t pd;
  check(dnnl_primitive_desc_create(&pd, &d, NULL, engine, NULL));
  peer p = {.stream = stream};
  check(dnnl_primitive_create(&p.primitive, pd));
  p.args[0] = (dnnl_exec_arg_t){DNNL_ARG_SRC, memory_of(&x, engine)};
  const dnnl_memory_desc_t *weights = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
  p.args[1] = (dnnl_exec_arg_t){DNNL_ARG_WEIGHTS, memory_of(weights, engine)};
  p.args[2] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, memory_of(&b, engine)};
  p.args[3] = (dnnl_exec_arg_t){DNNL_ARG_DST, memory_of(&y, engine)};
  return p;
}

static ink_tensor *filled(ink_arena *arena, ink_dtype dtype, int rank, const int64_t *sizes) {
  ink_tensor *x = ink_tensor_new(arena, dtype, rank, sizes);
  if (!x) exit(1);
  memset(x->data, 0x3c, (size_t)ink_tensor_elements(x) * ink_dtype_about(dtype)->block_bytes);
  return x;
}

int main(int argc, char **argv) {
  bool bf16 = !(argc > 1 && strcmp(argv[1], "f32") == 0);
  ink_dtype dtype = bf16 ? INK_BF16 : INK_F32;
  ink_pool *pool = ink_pool_new(0);
  char threads[16];
  snprintf(threads, sizeof threads, "%d", ink_pool_threads(pool));
  if (!getenv("OMP_NUM_THREADS")) {  // read when the library is loaded: begin anew with it
    setenv("OMP_NUM_THREADS", threads, 0);
    setenv("OMP_WAIT_POLICY", "passive", 0);  // its threads must not spin on our turns
    execv("/proc/self/exe", argv);
  }
  const dnnl_version_t *version = dnnl_version();
  printf("%s threads, %s; GFLOP/s, best of the turns\n%-34s %10s %10s\n", threads,
         ink_dtype_about(dtype)->name, "", "inkstone", "oneDNN");
  double seconds[2] = {0}, total = 0.0;
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    const shape *s = &shapes[i];
    ink_arena *arena = ink_arena_new(0);
    ink_compute c = {.arena = arena, .pool = pool, .prepared = ink_prepared_new(NULL, NULL)};
    ink_tensor *x = filled(arena, dtype, 4, (int64_t[]){s->batch, s->side, s->side, s->channels});
    ink_tensor *w = filled(arena, dtype, 4, (int64_t[]){s->out, s->channels, s->kernel, s->kernel});
    ink_tensor *b = filled(arena, INK_F32, 1, (int64_t[]){s->out});
    ink_arena_mark mark = ink_arena_save(arena);
    int64_t pad = s->kernel / 2, side = (s->side - 1) / s->stride + 1;
    peer p = peer_new(s, bf16);
    double best[2] = {1e9, 1e9}, begun = now();
    for (int turn = 0; turn < 40 && (turn < 6 || now() - begun < 1.0); turn++) {
      double begin = now();
      if (turn % 2 == 0) {
        ink_conv2d(&c, x, w, b, s->stride, (ink_padding){pad, pad, pad, pad});
        ink_arena_release(arena, mark);
      } else {
        check(dnnl_primitive_execute(p.primitive, p.stream, 4, p.args));
        check(dnnl_stream_wait(p.stream));
      }
      double took = now() - begin;
      if (took < best[turn % 2]) best[turn % 2] = took;
    }
    double flops = 2.0 * (double)(s->batch * side * side * s->out) *
                   (double)(s->channels * s->kernel * s->kernel);
    printf("%lld x %lld^2 %lld>%lld %lldx%lld /%lld", (long long)s->batch, (long long)s->side,
           (long long)s->channels, (long long)s->out, (long long)s->kernel, (long long)s->kernel,
           (long long)s->stride);
    printf("\t%10.0f %10.0f\n", 1e-9 * flops / best[0], 1e-9 * flops / best[1]);
    fflush(stdout);
    for (int k = 0; k < 2; k++) seconds[k] += best[k];
    total += flops;
    for (int k = 0; k < 4; k++) dnnl_memory_destroy(p.args[k].memory);
    dnnl_primitive_destroy(p.primitive);
    ink_prepared_free(c.prepared);
    ink_arena_free(arena);
  }
  printf("together\t%10.0f %10.0f   (oneDNN %d.%d.%d)\n", 1e-9 * total / seconds[0],
         1e-9 * total / seconds[1], version->major, version->minor, version->patch);
  ink_pool_free(pool);
  return 0;
}
