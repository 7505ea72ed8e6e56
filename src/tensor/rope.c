// Rotary position embedding (RoFormer, Su et al. 2021).
#include <math.h>

#include "tensor/operation.h"

typedef struct rope_job {
  const ink_kernels *kernels;
  int64_t heads, width, half;
  const int32_t *row_of;       // (B * T): the row of the tables for each position
  const float *cosine, *sine;  // (rows, half)
  bool halves, add;
  const float *x;
  float *y;
} rope_job;

typedef struct rope_record {
  ink_record record;
  ink_tensor x;
  rope_job job;
  const float *negative_sine;
} rope_record;

static void rope_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const rope_job *j = context;
  for (int64_t i = begin; i < end; i++) {
    int64_t at = i * j->heads * j->width, angle = (int64_t)j->row_of[i] * j->half;
    j->kernels->rope(j->heads, j->width, j->half, j->cosine + angle, j->sine + angle, j->halves,
                     j->x + at, j->y + at, j->add);
  }
}

static void rope_back(ink_compute *c, ink_record *record) {
  rope_record *r = (rope_record *)record;
  ink_gradient dx = ink_gradient_of(c, &r->x);
  if (!dx.data) return;
  rope_job job = r->job;  // the turn back is the transpose
  job.sine = r->negative_sine;
  job.x = record->output->gradient;
  job.y = dx.data;
  job.add = dx.add;
  ink_each_range(c->pool, r->x.shape[0] * r->x.shape[1], ink_row_grain(job.heads * job.width),
                 rope_range, &job);
  ink_gradient_done(c, &dx);
}

typedef struct table_job {
  const int32_t *position;  // of each row; NULL: row r is position r
  const float *frequencies;
  int64_t half;
  float *cosine, *sine, *negative_sine;
} table_job;

// Angles are products in F32, as the models were trained with.
static void table_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const table_job *j = context;
  for (int64_t row = begin; row < end; row++) {
    float position = (float)(j->position ? j->position[row] : row);
    for (int64_t i = 0; i < j->half; i++) {
      float angle = position * j->frequencies[i];
      j->cosine[row * j->half + i] = cosf(angle);
      j->sine[row * j->half + i] = sinf(angle);
      if (j->negative_sine) j->negative_sine[row * j->half + i] = -sinf(angle);
    }
  }
}

ink_tensor *ink_rope(ink_compute *c, const ink_tensor *x, const ink_tensor *positions,
                     const ink_tensor *frequencies, ink_rope_style style) {
  const char *name = "ink_rope";
  const ink_tensor *inputs[] = {x, positions, frequencies};
  if (!ink_op_begin(c, name, 3, inputs) || !ink_op_expect(c, name, "operand", x, INK_F32) ||
      !ink_op_expect(c, name, "positions", positions, INK_I32) ||
      !ink_op_expect(c, name, "frequencies", frequencies, INK_F32)) {
    return NULL;
  }
  int p = positions->rank;
  bool fits = x->rank == 4 && (p == 1 || (p == 2 && positions->shape[0] == x->shape[0])) &&
              positions->shape[p - 1] == x->shape[1];
  if (!fits) return ink_op_misfit(c, name, x, positions);
  if (frequencies->rank != 1 || 2 * frequencies->shape[0] > x->shape[3]) {
    return ink_op_misfit(c, name, x, frequencies);
  }
  int64_t n = x->shape[0] * x->shape[1], half = frequencies->shape[0];
  ink_tensor *y = ink_op_result_like(c, name, x);
  const int32_t *position = ink_op_dense_ids(c, name, positions);
  int32_t *row_of = ink_op_take(c, name, (size_t)n, sizeof *row_of);
  rope_job job = {.kernels = ink_kernels_here(),
                  .heads = x->shape[2],
                  .width = x->shape[3],
                  .half = half,
                  .row_of = row_of,
                  .halves = style == INK_ROPE_HALVES,
                  .x = ink_op_dense(c, name, x)};
  if (c->error.status != INK_OK) return NULL;

  // Positions repeat over a batch: a table up to the greatest is small unless they are few and far.
  int64_t given = ink_tensor_elements(positions), greatest = 0;
  bool negative = false;
  for (int64_t i = 0; i < given; i++) {
    greatest = position[i] > greatest ? position[i] : greatest;
    negative |= position[i] < 0;
  }
  bool by_position = !negative && greatest < given;
  int64_t rows = by_position ? greatest + 1 : given;
  for (int64_t i = 0; i < n; i++) {
    row_of[i] = by_position ? position[i % given] : (int32_t)(i % given);
  }
  bool record = ink_op_differentiable(c, x);
  size_t size = (size_t)(rows * half);
  table_job table = {.position = by_position ? NULL : position,
                     .frequencies = ink_op_dense(c, name, frequencies),
                     .half = half,
                     .cosine = ink_op_take(c, name, size, sizeof(float)),
                     .sine = ink_op_take(c, name, size, sizeof(float)),
                     .negative_sine = record ? ink_op_take(c, name, size, sizeof(float)) : NULL};
  if (c->error.status != INK_OK) return NULL;
  ink_each_range(c->pool, rows, 64, table_range, &table);
  job.cosine = table.cosine;
  job.sine = table.sine;
  job.y = y->data;
  ink_each_range(c->pool, n, ink_row_grain(job.heads * job.width), rope_range, &job);
  if (record) {
    rope_record *r = ink_op_record(c, sizeof *r, rope_back, y);
    if (!r) return NULL;
    r->x = *x;
    r->job = job;
    r->negative_sine = table.negative_sine;
  }
  return y;
}
