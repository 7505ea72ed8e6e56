// Views, copies, joins and rows of tables.
#include <string.h>

#include "tensor/gemm.h"
#include "tensor/operation.h"

// ---- views --------------------------------------------------------------------------------------

static ink_tensor *new_view(ink_compute *c, const char *name, const ink_tensor *x) {
  ink_tensor *y = ink_op_take(c, name, 1, sizeof *y);
  if (y) *y = *x;
  return y;
}

// Strides for x's elements under y's shape without moving them: runs of x's dimensions that lie
// one after another in memory are matched with runs of y's dimensions of the same size.
static bool strides_for(const ink_tensor *x, ink_tensor *y) {
  int j = y->rank - 1;
  for (int i = x->rank - 1; i >= 0;) {
    int64_t run = x->shape[i], stride = x->stride[i];
    while (i > 0 && (x->shape[i - 1] == 1 || x->stride[i - 1] == stride * run)) {
      run *= x->shape[--i];
    }
    i--;
    int64_t covered = 1;
    while (j >= 0 && (covered < run || y->shape[j] == 1)) {
      y->stride[j] = stride * covered;
      covered *= y->shape[j--];
    }
    if (covered != run) return false;
  }
  while (j >= 0 && y->shape[j] == 1) y->stride[j--] = 1;
  return j < 0;
}

ink_tensor *ink_reshape(ink_compute *c, const ink_tensor *x, int rank, const int64_t *shape) {
  const char *name = "ink_reshape";
  if (!ink_op_begin1(c, name, x)) return NULL;
  char text[96];
  if (rank < 0 || rank > INK_MAX_RANK) {
    return ink_compute_fail(c, INK_ERR_USAGE, "%s: %s to rank %d; at most %d dimensions", name,
                            ink_tensor_describe(x, text), rank, (int)INK_MAX_RANK);
  }
  int64_t sizes[INK_MAX_RANK] = {0}, known = 1, all = ink_tensor_elements(x);
  int open = -1;
  for (int i = 0; i < rank; i++) {
    sizes[i] = shape[i];
    if (shape[i] == -1 && open < 0) {
      open = i;
    } else if (shape[i] < 0 || __builtin_mul_overflow(known, shape[i], &known)) {
      known = -1;
      break;
    }
  }
  if (open >= 0 && known > 0 && all % known == 0) {
    sizes[open] = all / known;
    known = all;
  }
  ink_tensor wanted = ink_tensor_view(x->dtype, x->data, rank, sizes);
  if (known != all || (open >= 0 && sizes[open] < 0)) return ink_op_misfit(c, name, x, &wanted);
  if (ink_dtype_is_block(x->dtype) &&
      ink_op_width(&wanted) % ink_dtype_about(x->dtype)->block_elements != 0) {
    return ink_op_misfit(c, name, x, &wanted);
  }
  if (!ink_tensor_is_contiguous(x) && !strides_for(x, &wanted)) {
    return ink_compute_fail(c, INK_ERR_USAGE,
                            "%s: the elements of %s are strided so that the shape needs a copy; "
                            "make one with ink_cast",
                            name, ink_tensor_describe(x, text));
  }
  ink_tensor *y = new_view(c, name, x);
  if (!y) return NULL;
  *y = wanted;
  y->slot = x->slot;
  return y;
}

ink_tensor *ink_permute(ink_compute *c, const ink_tensor *x, const int *order) {
  const char *name = "ink_permute";
  if (!ink_op_begin1(c, name, x)) return NULL;
  char text[96];
  unsigned seen = 0;
  for (int i = 0; i < x->rank; i++) {
    if (order[i] >= 0 && order[i] < x->rank) seen |= 1u << order[i];
  }
  if (seen != (1u << x->rank) - 1) {
    return ink_compute_fail(c, INK_ERR_USAGE, "%s: the order does not name each dimension of %s",
                            name, ink_tensor_describe(x, text));
  }
  if (ink_dtype_is_block(x->dtype) && order[x->rank - 1] != x->rank - 1) {
    return ink_compute_fail(c, INK_ERR_USAGE, "%s: rows of blocks %s stay whole", name,
                            ink_tensor_describe(x, text));
  }
  ink_tensor *y = new_view(c, name, x);
  if (!y) return NULL;
  for (int i = 0; i < x->rank; i++) {
    y->shape[i] = x->shape[order[i]];
    y->stride[i] = x->stride[order[i]];
  }
  return y;
}

ink_tensor *ink_slice(ink_compute *c, const ink_tensor *x, int dimension, int64_t start,
                      int64_t length) {
  const char *name = "ink_slice";
  if (!ink_op_begin1(c, name, x)) return NULL;
  const ink_dtype_info *type = ink_dtype_about(x->dtype);
  int64_t step = dimension == x->rank - 1 ? type->block_elements : 1;
  bool within = dimension >= 0 && dimension < x->rank && start >= 0 && length >= 0 &&
                start <= x->shape[dimension] && length <= x->shape[dimension] - start;
  if (!within || start % step != 0 || length % step != 0) {
    char text[96];
    return ink_compute_fail(c, INK_ERR_USAGE, "%s: [%lld, %lld + %lld) of dimension %d of %s", name,
                            (long long)start, (long long)start, (long long)length, dimension,
                            ink_tensor_describe(x, text));
  }
  ink_tensor *y = new_view(c, name, x);
  if (!y) return NULL;
  y->shape[dimension] = length;
  int64_t offset = start * x->stride[dimension] / type->block_elements;
  y->data = (char *)x->data + offset * (int64_t)type->block_bytes;
  return y;
}

// ---- copies -------------------------------------------------------------------------------------

typedef struct convert_job {
  ink_dtype from_type, to_type;
  const char *from;
  char *to;
  int64_t from_row, to_row;  // bytes from row to row
  int64_t width;
} convert_job;

// Rows from one type to another; by way of F32 a piece at a time when neither side is F32.
static void convert_rows(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const convert_job *j = context;
  enum { PIECE = 512 };  // a multiple of every block
  float piece[PIECE];
  const ink_dtype_info *from_type = ink_dtype_about(j->from_type);
  const ink_dtype_info *to_type = ink_dtype_about(j->to_type);
  for (int64_t row = begin; row < end; row++) {
    const char *from = j->from + row * j->from_row;
    char *to = j->to + row * j->to_row;
    if (j->to_type == INK_F32) {
      ink_to_f32(j->from_type, from, (float *)to, j->width);
      continue;
    }
    if (j->from_type == INK_F32) {
      ink_from_f32(j->to_type, (const float *)from, to, j->width);
      continue;
    }
    for (int64_t i = 0; i < j->width; i += PIECE) {
      int64_t n = j->width - i < PIECE ? j->width - i : PIECE;
      ink_to_f32(j->from_type,
                 from + i / from_type->block_elements * (int64_t)from_type->block_bytes, piece, n);
      ink_from_f32(j->to_type, piece, to + i * (int64_t)to_type->block_bytes, n);
    }
  }
}

// x's elements in order as `dtype` at `to`. x's rows must be contiguous and evenly spaced, which a
// contiguous tensor's are.
static void convert_dense(ink_compute *c, ink_dtype from_type, const void *from, ink_dtype to_type,
                          void *to, int64_t rows, int64_t width) {
  const ink_dtype_info *f = ink_dtype_about(from_type), *t = ink_dtype_about(to_type);
  if (f->block_elements == 1) {  // rows mean nothing: cut evenly
    int64_t all = rows * width;
    convert_job job = {from_type, to_type, from, to, 0, 0, all};
    if (all <= INK_GRAIN) {
      if (all > 0) convert_rows(&job, 0, 1, 0);
      return;
    }
    job.width = INK_GRAIN;
    job.from_row = INK_GRAIN * (int64_t)f->block_bytes;
    job.to_row = INK_GRAIN * (int64_t)t->block_bytes;
    int64_t whole = all / INK_GRAIN;
    ink_each_range(c->pool, whole, 1, convert_rows, &job);
    convert_job rest = job;
    rest.from += whole * job.from_row;
    rest.to += whole * job.to_row;
    rest.width = all - whole * INK_GRAIN;
    if (rest.width > 0) convert_rows(&rest, 0, 1, 0);
    return;
  }
  convert_job job = {.from_type = from_type,
                     .to_type = to_type,
                     .from = from,
                     .to = to,
                     .from_row = width / f->block_elements * (int64_t)f->block_bytes,
                     .to_row = width * (int64_t)t->block_bytes,
                     .width = width};
  ink_each_range(c->pool, rows, ink_row_grain(width), convert_rows, &job);
}

typedef struct give_job {
  const float *from;
  float *to;
} give_job;

static void add_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const give_job *j = context;
  ink_kernels_here()->add_to(j->from + begin, j->to + begin, end - begin);
}

// The gradient of a copy.
static void give(ink_compute *c, const ink_tensor *x, const float *dy) {
  ink_gradient to = ink_gradient_of(c, x);
  if (!to.data) return;
  int64_t n = ink_tensor_elements(x);
  if (to.add) {
    give_job job = {dy, to.data};
    ink_each_range(c->pool, n, INK_GRAIN, add_range, &job);
  } else if (n > 0) {
    memcpy(to.data, dy, (size_t)n * sizeof *dy);
  }
  ink_gradient_done(c, &to);
}

typedef struct copy_record {
  ink_record record;
  ink_tensor x;
} copy_record;

static void cast_back(ink_compute *c, ink_record *record) {
  copy_record *r = (copy_record *)record;
  if (!ink_gradient_move(c, &r->x, record)) give(c, &r->x, record->output->gradient);
}

ink_tensor *ink_cast(ink_compute *c, const ink_tensor *x, ink_dtype dtype) {
  const char *name = "ink_cast";
  if (!ink_op_begin1(c, name, x)) return NULL;
  char text[96];
  if (dtype != INK_F32 && dtype != INK_F16 && dtype != INK_BF16) {
    return ink_compute_fail(c, INK_ERR_UNSUPPORTED, "%s: %s to %s; F32, F16 and BF16 can be made",
                            name, ink_tensor_describe(x, text), ink_dtype_about(dtype)->name);
  }
  ink_tensor *y = ink_op_result(c, name, dtype, x->rank, x->shape);
  if (!y) return NULL;
  if (ink_dtype_is_block(x->dtype) && !ink_tensor_is_contiguous(x)) {
    return ink_compute_fail(c, INK_ERR_UNSUPPORTED, "%s: a strided view %s of blocks", name,
                            ink_tensor_describe(x, text));
  }
  if (x->dtype == dtype) {
    ink_gather(c->pool, x, y->data);
  } else {
    const void *from = ink_dtype_is_block(x->dtype) ? x->data : ink_op_dense(c, name, x);
    if (!from) return NULL;
    convert_dense(c, x->dtype, from, dtype, y->data, ink_op_rows(x), ink_op_width(x));
  }
  if (dtype == INK_F32 && ink_op_differentiable(c, x)) {
    copy_record *r = ink_op_record(c, sizeof *r, cast_back, y);
    if (!r) return NULL;
    r->x = *x;
  }
  return y;
}

void ink_store(ink_compute *c, const ink_tensor *x, const ink_tensor *into) {
  const char *name = "ink_store";
  if (!ink_op_begin2(c, name, x, into)) return;
  char text[96];
  if (!ink_tensor_same_shape(x, into)) {
    ink_op_misfit(c, name, x, into);
    return;
  }
  if (ink_dtype_is_block(x->dtype) || ink_dtype_is_block(into->dtype)) {
    ink_compute_fail(c, INK_ERR_UNSUPPORTED, "%s: blocks %s", name, ink_tensor_describe(x, text));
    return;
  }
  ink_arena_mark mark = ink_arena_save(c->arena);
  const void *from = ink_op_dense(c, name, x);
  if (from && x->dtype != into->dtype) {
    void *converted = ink_op_take(c, name, (size_t)ink_tensor_elements(x),
                                  ink_dtype_about(into->dtype)->block_bytes);
    if (converted) {
      convert_dense(c, x->dtype, from, into->dtype, converted, ink_op_rows(x), ink_op_width(x));
    }
    from = converted;
  }
  if (from) ink_scatter(c->pool, from, into);
  ink_arena_release(c->arena, mark);
}

// ---- joins --------------------------------------------------------------------------------------

typedef struct concat_record {
  ink_record record;
  ink_tensor y;
  int dimension, n;
  ink_tensor parts[];
} concat_record;

// The part of y that `part` fills, from `start` of the dimension on.
static ink_tensor window(const ink_tensor *y, const ink_tensor *part, int dimension, int64_t start,
                         void *base) {
  ink_tensor view = *y;
  view.slot = NULL;
  view.shape[dimension] = part->shape[dimension];
  view.data =
      (char *)base + start * y->stride[dimension] * (int64_t)ink_dtype_about(y->dtype)->block_bytes;
  return view;
}

static void concat_back(ink_compute *c, ink_record *record) {
  concat_record *r = (concat_record *)record;
  int64_t start = 0;
  for (int i = 0; i < r->n; i++) {
    const ink_tensor *part = &r->parts[i];
    if (part->slot) {
      ink_gradient to = ink_gradient_of(c, part);
      if (!to.data) return;
      ink_tensor view = window(&r->y, part, r->dimension, start, record->output->gradient);
      if (to.add) {
        ink_tensor target = ink_tensor_view(INK_F32, to.data, part->rank, part->shape);
        ink_arena_mark mark = ink_arena_save(c->arena);
        const float *dense = ink_op_dense(c, "ink_tape_backward", &view);
        if (dense) ink_scatter_add(c->pool, dense, &target);
        ink_arena_release(c->arena, mark);
      } else {
        ink_gather(c->pool, &view, to.data);
      }
      ink_gradient_done(c, &to);
    }
    start += part->shape[r->dimension];
  }
}

ink_tensor *ink_concat(ink_compute *c, int dimension, int n, const ink_tensor *const *parts) {
  const char *name = "ink_concat";
  if (c->error.status != INK_OK) return NULL;
  if (n < 1) return ink_compute_fail(c, INK_ERR_USAGE, "%s: nothing to join", name);
  if (!ink_op_begin(c, name, n, parts)) return NULL;
  const ink_tensor *first = parts[0];
  char text[96];
  if (dimension < 0 || dimension >= first->rank || ink_dtype_is_block(first->dtype)) {
    return ink_compute_fail(c, INK_ERR_USAGE, "%s: dimension %d of %s %s", name, dimension,
                            ink_dtype_about(first->dtype)->name, ink_tensor_describe(first, text));
  }
  int64_t shape[INK_MAX_RANK];
  memcpy(shape, first->shape, sizeof shape);
  shape[dimension] = 0;
  bool differentiable = false;
  for (int i = 0; i < n; i++) {
    ink_tensor like = *parts[i];
    like.shape[dimension] = first->shape[dimension];
    if (!ink_tensor_same_shape(&like, first)) return ink_op_misfit(c, name, first, parts[i]);
    if (!ink_op_expect(c, name, "operand", parts[i], first->dtype)) return NULL;
    shape[dimension] += parts[i]->shape[dimension];
    differentiable |= ink_op_differentiable(c, parts[i]);
  }
  ink_tensor *y = ink_op_result(c, name, first->dtype, first->rank, shape);
  if (!y) return NULL;
  int64_t start = 0;
  for (int i = 0; i < n; i++) {
    ink_tensor view = window(y, parts[i], dimension, start, y->data);
    ink_arena_mark mark = ink_arena_save(c->arena);
    const void *from = ink_op_dense(c, name, parts[i]);
    if (!from) return NULL;
    ink_scatter(c->pool, from, &view);
    ink_arena_release(c->arena, mark);
    start += parts[i]->shape[dimension];
  }
  if (differentiable && y->dtype == INK_F32) {
    size_t size = sizeof(concat_record) + (size_t)n * sizeof(ink_tensor);
    concat_record *r = ink_op_record(c, size, concat_back, y);
    if (!r) return NULL;
    r->y = *y;
    r->dimension = dimension;
    r->n = n;
    for (int i = 0; i < n; i++) r->parts[i] = *parts[i];
  }
  return y;
}

// ---- rows of a table ----------------------------------------------------------------------------

typedef struct embedding_job {
  ink_tensor table;
  const int32_t *ids;
  int64_t n, width;
  float *y;
} embedding_job;

typedef struct embedding_record {
  ink_record record;
  embedding_job job;
} embedding_record;

static void embedding_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const embedding_job *j = context;
  const ink_dtype_info *type = ink_dtype_about(j->table.dtype);
  int64_t row = j->table.stride[0] / type->block_elements * (int64_t)type->block_bytes;
  for (int64_t i = begin; i < end; i++) {
    ink_to_f32(j->table.dtype, (const char *)j->table.data + j->ids[i] * row, j->y + i * j->width,
               j->width);
  }
}

enum { STRIPE = 64 };

// Each task owns a stripe of columns and adds the rows in their order, so that equal ids never
// meet between threads.
static void embedding_stripe(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const embedding_job *j = context;
  const ink_kernels *kernels = ink_kernels_here();
  for (int64_t i = 0; i < j->n; i++) {
    kernels->add_to(j->y + i * j->width + begin,
                    (float *)j->table.data + j->ids[i] * j->table.stride[0] + begin, end - begin);
  }
}

static void embedding_back(ink_compute *c, ink_record *record) {
  embedding_record *r = (embedding_record *)record;
  embedding_job job = r->job;
  job.table = ink_gradient_view(c, &r->job.table);
  if (!job.table.data) return;
  job.y = record->output->gradient;
  ink_each_range(c->pool, job.width, STRIPE, embedding_stripe, &job);
}

ink_tensor *ink_embedding(ink_compute *c, const ink_tensor *table, const ink_tensor *ids) {
  const char *name = "ink_embedding";
  if (!ink_op_begin2(c, name, table, ids) || !ink_op_expect(c, name, "ids", ids, INK_I32)) {
    return NULL;
  }
  if (table->rank != 2 || ids->rank >= INK_MAX_RANK) return ink_op_misfit(c, name, table, ids);
  char text[96];
  if (table->stride[1] != 1 && table->shape[1] > 1) {
    return ink_compute_fail(c, INK_ERR_USAGE, "%s: rows of the table %s are strided", name,
                            ink_tensor_describe(table, text));
  }
  int64_t shape[INK_MAX_RANK] = {0};
  memcpy(shape, ids->shape, (size_t)ids->rank * sizeof *shape);
  shape[ids->rank] = table->shape[1];
  ink_tensor *y = ink_op_result(c, name, INK_F32, ids->rank + 1, shape);
  embedding_job job = {.table = *table,
                       .ids = ink_op_dense_ids(c, name, ids),
                       .n = ink_tensor_elements(ids),
                       .width = table->shape[1]};
  if (!y || !job.ids) return NULL;
  for (int64_t i = 0; i < job.n; i++) {
    if (job.ids[i] < 0 || job.ids[i] >= table->shape[0]) {
      return ink_compute_fail(c, INK_ERR_USAGE, "%s: id %d at place %lld; the table %s has %lld",
                              name, (int)job.ids[i], (long long)i, ink_tensor_describe(table, text),
                              (long long)table->shape[0]);
    }
  }
  job.y = y->data;
  ink_each_range(c->pool, job.n, ink_row_grain(job.width), embedding_range, &job);
  if (table->dtype == INK_F32 && ink_op_differentiable(c, table)) {
    embedding_record *r = ink_op_record(c, sizeof *r, embedding_back, y);
    if (!r) return NULL;
    r->job = job;
  }
  return y;
}
