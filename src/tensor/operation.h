// What every operation is made of: sticky checks, results, records on the tape, work in fixed
// ranges. Private to the room.
#ifndef INK_TENSOR_OPERATION_H
#define INK_TENSOR_OPERATION_H

#include "tensor/cpu/kernels.h"
#include "tensor/ops.h"
#include "tensor/tape.h"

// Where the gradient of a tensor, and of every view of it, gathers. A view's gradient is the same
// view of the gradient, so views need no record of their own.
typedef struct ink_tape_slot {
  const float *base;  // first element of the tensor the slot was made for
  int64_t elements;   // it is contiguous
  float *gradient;    // laid out as the tensor; NULL until somebody contributes
  bool parameter;     // the buffer is the caller's: always add
} ink_tape_slot;

// One step back. An operation's own record begins with this one.
typedef struct ink_record ink_record;
typedef void (*ink_backward)(ink_compute *c, ink_record *record);
struct ink_record {
  ink_record *previous;
  ink_backward backward;
  ink_tape_slot *output;
};

// ---- beginning ---------------------------------------------------------------------------------

// True when the operation may run: no failure so far, and no NULL among the inputs (else the
// failure is recorded).
bool ink_op_begin(ink_compute *c, const char *name, int n, const ink_tensor *const *inputs);
// As above for the usual numbers of inputs.
bool ink_op_begin1(ink_compute *c, const char *name, const ink_tensor *x);
bool ink_op_begin2(ink_compute *c, const char *name, const ink_tensor *x, const ink_tensor *y);

// Record a failure unless the tensor has this type.
bool ink_op_expect(ink_compute *c, const char *name, const char *operand, const ink_tensor *x,
                   ink_dtype dtype);
// As above for F32 or BF16.
bool ink_op_expect_float(ink_compute *c, const char *name, const char *operand,
                         const ink_tensor *x);
// The failure of two shapes that do not fit; returns NULL.
ink_tensor *ink_op_misfit(ink_compute *c, const char *name, const ink_tensor *x,
                          const ink_tensor *y);

// Memory of the context's arena; NULL records the failure.
void *ink_op_take(ink_compute *c, const char *name, size_t count, size_t size);
// A new contiguous result; NULL records the failure.
ink_tensor *ink_op_result(ink_compute *c, const char *name, ink_dtype dtype, int rank,
                          const int64_t *shape);
ink_tensor *ink_op_result_like(ink_compute *c, const char *name, const ink_tensor *x);
// The same, or where `into` is given its place: contiguous memory of this type and shape, no tape.
ink_tensor *ink_op_result_into(ink_compute *c, const char *name, const ink_tensor *into,
                               ink_dtype dtype, int rank, const int64_t *shape);

// The elements of an F32 (or, seen as bytes, BF16) or I32 tensor in order: its own memory, or a
// copy in the arena when it is strided. NULL when memory fails.
const float *ink_op_dense(ink_compute *c, const char *name, const ink_tensor *x);
const int32_t *ink_op_dense_ids(ink_compute *c, const char *name, const ink_tensor *x);

// Elements in order from a strided plain tensor (4 or 2 bytes each), and back.
void ink_gather(ink_pool *pool, const ink_tensor *x, void *to);
void ink_scatter(ink_pool *pool, const void *from, const ink_tensor *x);
// As ink_scatter for F32, adding.
void ink_scatter_add(ink_pool *pool, const float *from, const ink_tensor *x);

// Rows and width of a tensor seen as a matrix over its last dimension; a rank of 0 is one by one.
int64_t ink_op_width(const ink_tensor *x);
int64_t ink_op_rows(const ink_tensor *x);

// ---- recording ---------------------------------------------------------------------------------

// True when a tape is open and x leads to a parameter.
static inline bool ink_op_differentiable(const ink_compute *c, const ink_tensor *x) {
  return c->tape && x && x->slot;
}
// A record of `size` bytes, cleared, for result y, which gets its slot. NULL records the failure.
void *ink_op_record(ink_compute *c, size_t size, ink_backward backward, ink_tensor *y);

// Where a backward step writes the gradient of one input: n elements in order.
typedef struct ink_gradient {
  float *data;      // NULL: the input is a constant
  bool add;         // add to what is there; otherwise write
  ink_tensor view;  // when strided: the place `data`, a scratch, is added to in the end
  bool strided;
} ink_gradient;

// Take the arena's scratch mark after all of these.
ink_gradient ink_gradient_of(ink_compute *c, const ink_tensor *x);
void ink_gradient_done(ink_compute *c, ink_gradient *gradient);
// The same place as a view with x's own strides, for operations that write rows where they lie;
// what it holds is valid (cleared when new). data NULL: a constant.
ink_tensor ink_gradient_view(ink_compute *c, const ink_tensor *x);
// Hand the buffer of an output's gradient to input x when nobody has contributed to it yet; false
// when it must be copied.
bool ink_gradient_move(ink_compute *c, const ink_tensor *x, ink_record *record);

// ---- work in fixed ranges -----------------------------------------------------------------------

enum { INK_GRAIN = 16384 };  // elements of one task of an elementwise operation

typedef void (*ink_range_task)(void *context, int64_t begin, int64_t end, int64_t range);

// Run task over [0, n) in ranges of `grain` (the last may be shorter). What a range covers does not
// depend on the team.
void ink_each_range(ink_pool *pool, int64_t n, int64_t grain, ink_range_task task, void *context);
// Rows of `width` elements that make a range of about INK_GRAIN elements.
int64_t ink_row_grain(int64_t width);

// to[j] (+)= sum over rows of x[r][j] (* y[r][j] when y is not NULL), in fixed chunks of rows.
void ink_column_sums(ink_compute *c, const char *name, const float *x, const float *y, int64_t rows,
                     int64_t width, float *to, bool add);

#endif
