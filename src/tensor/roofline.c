// The limits of this machine, measured by loops that do nothing else.
#include "tensor/roofline.h"

#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "tensor/cpu/peak.h"
#include "tensor/isa.h"

enum {
  READ_BYTES = 256 << 20,  // of the whole team: far beyond any last-level cache of a desktop
  READ_TASK = 1 << 20,
  ROUNDS = 1 << 16,  // of a peak loop per task: about 0.2 ms
  TASKS_EACH = 100   // tasks of a thread per measurement
};

struct ink_roofline {
  ink_pool *pool;
  char *memory;
  float *sinks;  // one per thread, a cache line apart
  int64_t operations;
  ink_peak_loop loop;
  void (*read)(const void *data, size_t n, float *sink);
};

enum { SINK_STRIDE = 16 };

static ink_peak_loops loops_here(void) {
#if defined(__x86_64__)
  const ink_cpu *cpu = ink_cpu_about();
  if (cpu->isa == INK_ISA_AVX512) {
    ink_peak_loops loops = ink_peak_avx512;
    if (cpu->bf16) loops.bf16 = ink_peak_avx512_bf16;
    if (cpu->vnni) loops.int8 = ink_peak_avx512_vnni;
    return loops;
  }
  if (cpu->isa == INK_ISA_AVX2) return ink_peak_avx2;
#endif
  return ink_peak_portable;
}

ink_status ink_roofline_new(ink_pool *pool, ink_roofline **roofline, ink_error *error) {
  ink_roofline *r = calloc(1, sizeof *r);
  if (r) {
    r->pool = pool;
    r->memory = aligned_alloc(4096, READ_BYTES);
    r->sinks = calloc((size_t)ink_pool_threads(pool) * SINK_STRIDE, sizeof *r->sinks);
  }
  if (!r || !r->memory || !r->sinks) {
    ink_roofline_free(r);
    return ink_fail(error, INK_ERR_MEMORY, "no memory to measure the machine's limits with");
  }
  memset(r->memory, 0, READ_BYTES);
  *roofline = r;
  return INK_OK;
}

void ink_roofline_free(ink_roofline *r) {
  if (!r) return;
  free(r->memory);
  free(r->sinks);
  free(r);
}

static void loop_task(void *context, size_t index, int thread) {
  (void)index;
  ink_roofline *r = context;
  int64_t done = r->loop(ROUNDS, r->sinks + thread * SINK_STRIDE);
  if (index == 0) r->operations = done;
}

static void read_task(void *context, size_t index, int thread) {
  ink_roofline *r = context;
  r->read(r->memory + index * READ_TASK, READ_TASK, r->sinks + thread * SINK_STRIDE);
}

double ink_roofline_measure(ink_roofline *r, ink_roof roof) {
  ink_peak_loops loops = loops_here();
  if (roof == INK_ROOF_READ) {
    r->read = loops.read;
    double began = ink_clock_seconds();
    ink_pool_run(r->pool, READ_BYTES / READ_TASK, read_task, r);
    return READ_BYTES / (ink_clock_seconds() - began);
  }
  r->loop = roof == INK_ROOF_F32 ? loops.f32 : roof == INK_ROOF_BF16 ? loops.bf16 : loops.int8;
  if (!r->loop) return 0;
  size_t tasks = (size_t)ink_pool_threads(r->pool) * TASKS_EACH;
  double began = ink_clock_seconds();
  ink_pool_run(r->pool, tasks, loop_task, r);
  return (double)tasks * (double)r->operations / (ink_clock_seconds() - began);
}
