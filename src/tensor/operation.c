// The common part of the operations: sticky failures, results, copies of strided operands, fixed
// ranges of work.
#include "tensor/operation.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "tensor/isa.h"

const ink_kernels *ink_kernels_here(void) {
#if defined(__x86_64__)
  static const ink_kernels *const tables[INK_ISA_COUNT] = {
      [INK_ISA_PORTABLE] = &ink_kernels_portable,
      [INK_ISA_AVX2] = &ink_kernels_avx2,
      [INK_ISA_AVX512] = &ink_kernels_avx512,
  };
  return tables[ink_cpu_about()->isa];
#else
  return &ink_kernels_portable;
#endif
}

// ---- failures -----------------------------------------------------------------------------------

ink_status ink_compute_status(const ink_compute *compute, ink_error *error) {
  if (error && compute->error.status != INK_OK) *error = compute->error;
  return compute->error.status;
}

ink_tensor *ink_compute_fail(ink_compute *compute, ink_status status, const char *format, ...) {
  if (compute->error.status != INK_OK) return NULL;
  char text[INK_ERROR_TEXT];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  ink_fail(&compute->error, status, "%s", text);
  return NULL;
}

bool ink_op_begin(ink_compute *c, const char *name, int n, const ink_tensor *const *inputs) {
  if (c->error.status != INK_OK) return false;
  for (int i = 0; i < n; i++) {
    if (!inputs[i]) {
      ink_compute_fail(c, INK_ERR_USAGE, "%s: operand %d is NULL", name, i + 1);
      return false;
    }
  }
  return true;
}

bool ink_op_begin1(ink_compute *c, const char *name, const ink_tensor *x) {
  return ink_op_begin(c, name, 1, &x);
}

bool ink_op_begin2(ink_compute *c, const char *name, const ink_tensor *x, const ink_tensor *y) {
  return ink_op_begin(c, name, 2, (const ink_tensor *const[]){x, y});
}

bool ink_op_expect(ink_compute *c, const char *name, const char *operand, const ink_tensor *x,
                   ink_dtype dtype) {
  if (x->dtype == dtype) return true;
  char shape[96];
  ink_compute_fail(c, INK_ERR_USAGE, "%s: %s %s is %s, not %s", name, operand,
                   ink_tensor_describe(x, shape), ink_dtype_about(x->dtype)->name,
                   ink_dtype_about(dtype)->name);
  return false;
}

bool ink_op_expect_float(ink_compute *c, const char *name, const char *operand,
                         const ink_tensor *x) {
  if (x->dtype == INK_F32 || x->dtype == INK_BF16) return true;
  char text[96];
  ink_compute_fail(c, INK_ERR_UNSUPPORTED, "%s: %s %s is %s, not F32 or BF16", name, operand,
                   ink_tensor_describe(x, text), ink_dtype_about(x->dtype)->name);
  return false;
}

ink_tensor *ink_op_misfit(ink_compute *c, const char *name, const ink_tensor *x,
                          const ink_tensor *y) {
  char first[96], second[96];
  return ink_compute_fail(c, INK_ERR_CONFLICT, "%s: shapes %s and %s do not fit", name,
                          ink_tensor_describe(x, first), ink_tensor_describe(y, second));
}

// ---- memory -------------------------------------------------------------------------------------

void *ink_op_take(ink_compute *c, const char *name, size_t count, size_t size) {
  size_t bytes;
  void *taken = ink_mul_size(count, size, &bytes) ? ink_arena_take(c->arena, bytes) : NULL;
  if (!taken) {
    ink_compute_fail(c, INK_ERR_MEMORY, "%s: no memory for %zu x %zu bytes", name, count, size);
  }
  return taken;
}

ink_tensor *ink_op_result(ink_compute *c, const char *name, ink_dtype dtype, int rank,
                          const int64_t *shape) {
  ink_tensor *y = ink_tensor_new(c->arena, dtype, rank, shape);
  if (!y) {
    ink_tensor wanted = ink_tensor_view(dtype, NULL, rank, shape);
    char text[96];
    ink_compute_fail(c, INK_ERR_MEMORY, "%s: no memory for a result %s", name,
                     ink_tensor_describe(&wanted, text));
  }
  return y;
}

ink_tensor *ink_op_result_into(ink_compute *c, const char *name, const ink_tensor *into,
                               ink_dtype dtype, int rank, const int64_t *shape) {
  if (!into) return ink_op_result(c, name, dtype, rank, shape);
  ink_tensor wanted = ink_tensor_view(dtype, NULL, rank, shape);
  if (c->tape) {
    return ink_compute_fail(c, INK_ERR_UNSUPPORTED, "%s: has no gradient into a place", name);
  }
  if (into->dtype != dtype || !ink_tensor_same_shape(into, &wanted) ||
      !ink_tensor_is_contiguous(into)) {
    return ink_op_misfit(c, name, into, &wanted);
  }
  ink_tensor *y = ink_op_take(c, name, 1, sizeof *y);
  if (y) *y = *into;
  return y;
}

ink_tensor *ink_op_result_like(ink_compute *c, const char *name, const ink_tensor *x) {
  return ink_op_result(c, name, x->dtype, x->rank, x->shape);
}

int64_t ink_op_width(const ink_tensor *x) {
  return x->rank > 0 ? x->shape[x->rank - 1] : 1;
}

int64_t ink_op_rows(const ink_tensor *x) {
  int64_t rows = 1;
  for (int i = 0; i + 1 < x->rank; i++) rows *= x->shape[i];
  return rows;
}

// ---- strided copies -----------------------------------------------------------------------------

typedef struct copy {
  const ink_tensor *x;  // the strided side
  char *dense;
  size_t size;
  bool gather;
  int64_t width;
} copy;

// Element offset of row `row` of x, rows counted over all dimensions but the last.
static int64_t row_offset(const ink_tensor *x, int64_t row) {
  int64_t offset = 0;
  for (int i = x->rank - 2; i >= 0; i--) {
    offset += row % x->shape[i] * x->stride[i];
    row /= x->shape[i];
  }
  return offset;
}

static void copy_rows(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const copy *job = context;
  const ink_tensor *x = job->x;
  size_t size = job->size;
  int64_t step = x->rank > 0 ? x->stride[x->rank - 1] : 1;
  for (int64_t row = begin; row < end; row++) {
    char *strided = (char *)x->data + row_offset(x, row) * (int64_t)size;
    char *dense = job->dense + row * job->width * (int64_t)size;
    char *to = job->gather ? dense : strided;
    const char *from = job->gather ? strided : dense;
    if (step == 1) {
      memcpy(to, from, (size_t)job->width * size);
      continue;
    }
    int64_t to_step = job->gather ? 1 : step, from_step = job->gather ? step : 1;
    if (size == 4) {
      uint32_t *t = (uint32_t *)to;
      const uint32_t *f = (const uint32_t *)from;
      for (int64_t i = 0; i < job->width; i++) t[i * to_step] = f[i * from_step];
    } else {
      uint16_t *t = (uint16_t *)to;
      const uint16_t *f = (const uint16_t *)from;
      for (int64_t i = 0; i < job->width; i++) t[i * to_step] = f[i * from_step];
    }
  }
}

static void copy_all(ink_pool *pool, const ink_tensor *x, char *dense, bool gather) {
  copy job = {.x = x,
              .dense = dense,
              .size = ink_dtype_about(x->dtype)->block_bytes,
              .gather = gather,
              .width = ink_op_width(x)};
  if (ink_tensor_elements(x) == 0) return;
  ink_each_range(pool, ink_op_rows(x), ink_row_grain(job.width), copy_rows, &job);
}

void ink_gather(ink_pool *pool, const ink_tensor *x, void *to) {
  copy_all(pool, x, to, true);
}

void ink_scatter(ink_pool *pool, const void *from, const ink_tensor *x) {
  copy_all(pool, x, (char *)(uintptr_t)from, false);
}

static void add_rows(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const copy *job = context;
  const ink_tensor *x = job->x;
  int64_t step = x->rank > 0 ? x->stride[x->rank - 1] : 1;
  for (int64_t row = begin; row < end; row++) {
    float *to = (float *)x->data + row_offset(x, row);
    const float *from = (const float *)job->dense + row * job->width;
    for (int64_t i = 0; i < job->width; i++) to[i * step] += from[i];
  }
}

void ink_scatter_add(ink_pool *pool, const float *from, const ink_tensor *x) {
  copy job = {.x = x, .dense = (char *)(uintptr_t)from, .width = ink_op_width(x)};
  if (ink_tensor_elements(x) == 0) return;
  ink_each_range(pool, ink_op_rows(x), ink_row_grain(job.width), add_rows, &job);
}

static const void *dense(ink_compute *c, const char *name, const ink_tensor *x) {
  if (ink_tensor_is_contiguous(x)) return x->data;
  void *copied =
      ink_op_take(c, name, (size_t)ink_tensor_elements(x), ink_dtype_about(x->dtype)->block_bytes);
  if (copied) ink_gather(c->pool, x, copied);
  return copied;
}

const float *ink_op_dense(ink_compute *c, const char *name, const ink_tensor *x) {
  return dense(c, name, x);
}

const int32_t *ink_op_dense_ids(ink_compute *c, const char *name, const ink_tensor *x) {
  return dense(c, name, x);
}

// ---- ranges -------------------------------------------------------------------------------------

typedef struct ranges {
  int64_t n, grain;
  ink_range_task task;
  void *context;
} ranges;

static void run_range(void *context, size_t index, int thread) {
  (void)thread;
  const ranges *job = context;
  int64_t begin = (int64_t)index * job->grain;
  int64_t end = begin + job->grain < job->n ? begin + job->grain : job->n;
  job->task(job->context, begin, end, (int64_t)index);
}

void ink_each_range(ink_pool *pool, int64_t n, int64_t grain, ink_range_task task, void *context) {
  ranges job = {n, grain, task, context};
  if (n > 0) ink_pool_run(pool, (size_t)((n + grain - 1) / grain), run_range, &job);
}

int64_t ink_row_grain(int64_t width) {
  int64_t rows = width > 0 ? INK_GRAIN / width : INK_GRAIN;
  return rows < 1 ? 1 : rows;
}

typedef struct column_sums {
  const ink_kernels *kernels;
  const float *x, *y;
  int64_t rows, width, grain, chunks;
  float *partial;  // (chunks, width)
  float *to;
  bool add;
} column_sums;

static void sum_chunk(void *context, int64_t begin, int64_t end, int64_t range) {
  const column_sums *job = context;
  float *partial = job->partial + range * job->width;
  memset(partial, 0, (size_t)job->width * sizeof *partial);
  for (int64_t row = begin; row < end; row++) {
    const float *x = job->x + row * job->width;
    if (job->y) {
      job->kernels->mul_to(x, job->y + row * job->width, partial, job->width);
    } else {
      job->kernels->add_to(x, partial, job->width);
    }
  }
}

static void sum_partials(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const column_sums *job = context;
  float *to = job->to + begin;
  if (!job->add) memset(to, 0, (size_t)(end - begin) * sizeof *to);
  for (int64_t chunk = 0; chunk < job->chunks; chunk++) {
    job->kernels->add_to(job->partial + chunk * job->width + begin, to, end - begin);
  }
}

void ink_column_sums(ink_compute *c, const char *name, const float *x, const float *y, int64_t rows,
                     int64_t width, float *to, bool add) {
  if (width == 0) return;
  column_sums job = {.kernels = ink_kernels_here(),
                     .x = x,
                     .y = y,
                     .rows = rows,
                     .width = width,
                     .grain = ink_row_grain(width),
                     .to = to,
                     .add = add};
  job.chunks = (rows + job.grain - 1) / job.grain;
  ink_arena_mark mark = ink_arena_save(c->arena);
  job.partial = ink_op_take(c, name, (size_t)(job.chunks * width), sizeof(float));
  if (job.partial) {
    ink_each_range(c->pool, rows, job.grain, sum_chunk, &job);
    ink_each_range(c->pool, width, 256, sum_partials, &job);
  }
  ink_arena_release(c->arena, mark);
}
