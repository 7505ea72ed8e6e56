// AdamW and Muon.
#include "train/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "tensor/gemm.h"

// Work is cut into chunks of this many elements, whatever the team, so that sums keep their order.
enum { CHUNK = 1 << 15 };

struct ink_optimizer {
  ink_optimizer_options options;
  ink_trained *trained;
  size_t n;
  double *partial;  // one sum of squares per chunk of the largest tensor
  // Muon's tensors, those with most work first, and what the largest of them needs as scratch.
  const ink_trained **matrices;
  size_t n_matrices;
  size_t largest_matrix, largest_gram;
};

enum { GRAMS = 4 };

// Newton-Schulz scratch: the iterate X and its successor, the Gram matrix, its polynomial and what
// else is made of it, and sums of squares.
typedef struct workspace {
  float *x, *next, *gram[GRAMS];
  double *partial;
  ink_status status;
  ink_error error;
} workspace;

static size_t chunks_of(size_t elements) {
  return (elements + CHUNK - 1) / CHUNK;
}

static bool is_trainable(const ink_tensor *t) {
  return t && t->dtype == INK_F32 && ink_tensor_is_contiguous(t);
}

static double work_of(const ink_trained *p) {
  double rows = (double)p->value->shape[0];
  double columns = (double)ink_tensor_elements(p->value) / rows;
  return rows * columns * (rows < columns ? rows : columns);
}

static int by_work(const void *a, const void *b) {
  const ink_trained *x = *(const ink_trained *const *)a, *y = *(const ink_trained *const *)b;
  double first = work_of(x), second = work_of(y);
  if (first != second) return first < second ? 1 : -1;
  return x < y ? -1 : x > y;
}

ink_status ink_optimizer_new(ink_arena *arena, const ink_optimizer_options *options,
                             ink_trained *trained, size_t n, ink_optimizer **optimizer,
                             ink_error *error) {
  ink_optimizer *made = ink_arena_zeros(arena, 1, sizeof *made);
  const ink_trained **matrices = ink_arena_zeros(arena, n + 1, sizeof *matrices);
  size_t largest = 1, largest_matrix = 1, largest_gram = 1, n_matrices = 0;
  if (!made || !matrices) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory for the optimiser's state");
  }
  for (size_t i = 0; i < n; i++) {
    ink_trained *p = &trained[i];
    if (!is_trainable(p->value) || !is_trainable(p->gradient) ||
        !ink_tensor_same_shape(p->value, p->gradient)) {
      return ink_fail(error, INK_ERR_CONFLICT,
                      "%s: a trained tensor and its gradient must be contiguous F32 of one shape",
                      p->name);
    }
    if (p->rule == INK_RULE_MUON && p->value->rank < 2) {
      return ink_fail(error, INK_ERR_CONFLICT, "%s: Muon takes no vectors", p->name);
    }
    size_t elements = (size_t)ink_tensor_elements(p->value);
    if (elements > largest) largest = elements;
    if (p->rule == INK_RULE_MUON) {
      size_t rows = (size_t)p->value->shape[0], columns = elements / rows;
      size_t side = rows < columns ? rows : columns;
      if (elements > largest_matrix) largest_matrix = elements;
      if (side * side > largest_gram) largest_gram = side * side;
      matrices[n_matrices++] = p;
    }
    p->first = ink_tensor_new(arena, INK_F32, p->value->rank, p->value->shape);
    if (!p->first) return ink_fail(error, INK_ERR_MEMORY, "no memory for the optimiser's state");
    memset(p->first->data, 0, elements * sizeof(float));
    p->second = NULL;
    if (p->rule == INK_RULE_ADAMW) {
      p->second = ink_tensor_new(arena, INK_F32, p->value->rank, p->value->shape);
      if (!p->second) return ink_fail(error, INK_ERR_MEMORY, "no memory for the optimiser's state");
      memset(p->second->data, 0, elements * sizeof(float));
    }
  }
  qsort(matrices, n_matrices, sizeof *matrices, by_work);
  *made = (ink_optimizer){.options = *options,
                          .trained = trained,
                          .n = n,
                          .partial = ink_arena_zeros(arena, chunks_of(largest), sizeof(double)),
                          .matrices = matrices,
                          .n_matrices = n_matrices,
                          .largest_matrix = largest_matrix,
                          .largest_gram = largest_gram};
  if (!made->partial) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory for the optimiser's state");
  }
  *optimizer = made;
  return INK_OK;
}

// ---- elementwise passes, one chunk a task -------------------------------------------------------

typedef struct pass {
  size_t elements;
  const float *in;
  float *out, *first, *second;
  double *partial;
  float a, b, c, d, e, f;
} pass;

static size_t chunk_range(const pass *p, size_t index, size_t *begin) {
  *begin = index * CHUNK;
  return p->elements - *begin < CHUNK ? p->elements : *begin + CHUNK;
}

static void squares_task(void *context, size_t index, int thread) {
  (void)thread;
  pass *p = context;
  size_t begin, end = chunk_range(p, index, &begin);
  double lanes[8] = {0};
  size_t i = begin;
  for (; i + 8 <= end; i += 8) {
    for (size_t j = 0; j < 8; j++) lanes[j] += (double)p->in[i + j] * (double)p->in[i + j];
  }
  for (; i < end; i++) lanes[0] += (double)p->in[i] * (double)p->in[i];
  p->partial[index] = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
                      ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

static double sum_of_squares(ink_pool *pool, double *partial, const float *in, size_t elements) {
  pass p = {.elements = elements, .in = in, .partial = partial};
  size_t n = chunks_of(elements);
  ink_pool_run(pool, n, squares_task, &p);
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += partial[i];
  return sum;
}

// a: clip factor, b: beta1, c: beta2, d: rate / bias1, e: 1 / sqrt(bias2), f: epsilon. The decay
// has been folded into out by scale_task before.
static void adamw_task(void *context, size_t index, int thread) {
  (void)thread;
  pass *p = context;
  size_t begin, end = chunk_range(p, index, &begin);
  const float *restrict gradient = p->in;
  float *restrict value = p->out, *restrict first = p->first, *restrict second = p->second;
  for (size_t i = begin; i < end; i++) {
    float g = gradient[i] * p->a;
    float m = first[i] = p->b * first[i] + (1 - p->b) * g;
    float v = second[i] = p->c * second[i] + (1 - p->c) * g * g;
    value[i] -= p->d * m / (sqrtf(v) * p->e + p->f);
  }
}

static void scale_task(void *context, size_t index, int thread) {
  (void)thread;
  pass *p = context;
  size_t begin, end = chunk_range(p, index, &begin);
  for (size_t i = begin; i < end; i++) p->out[i] *= p->a;
}

// Momentum first = b * first + (1 - b) * g and the Nesterov look-ahead out = (1 - b) * g + b *
// first, with g = a * in.
static void momentum_task(void *context, size_t index, int thread) {
  (void)thread;
  pass *p = context;
  size_t begin, end = chunk_range(p, index, &begin);
  const float *restrict gradient = p->in;
  float *restrict first = p->first, *restrict out = p->out;
  for (size_t i = begin; i < end; i++) {
    float g = gradient[i] * p->a;
    float m = first[i] = p->b * first[i] + (1 - p->b) * g;
    out[i] = (1 - p->b) * g + p->b * m;
  }
}

// out += a * in
static void axpy_task(void *context, size_t index, int thread) {
  (void)thread;
  pass *p = context;
  size_t begin, end = chunk_range(p, index, &begin);
  const float *restrict in = p->in;
  float *restrict out = p->out;
  for (size_t i = begin; i < end; i++) out[i] += p->a * in[i];
}

// out = a * out + b * in
static void blend_task(void *context, size_t index, int thread) {
  (void)thread;
  pass *p = context;
  size_t begin, end = chunk_range(p, index, &begin);
  const float *restrict in = p->in;
  float *restrict out = p->out;
  for (size_t i = begin; i < end; i++) out[i] = p->a * out[i] + p->b * in[i];
}

static void run(ink_pool *pool, ink_task task, pass p) {
  ink_pool_run(pool, chunks_of(p.elements), task, &p);
}

// ---- Muon ---------------------------------------------------------------------------------------

static ink_matrix rows_of(const float *data, int64_t rows, int64_t columns) {
  return (ink_matrix){INK_F32, data, rows, columns, columns, 1};
}

static ink_matrix transposed(const float *data, int64_t rows, int64_t columns) {
  return (ink_matrix){INK_F32, data, columns, rows, 1, columns};
}

static const float newton_a = 3.4445f, newton_b = -4.7750f, newton_c = 2.0315f;

static ink_status product(ink_pool *pool, ink_precision precision, ink_matrix a, ink_matrix b,
                          float *to, ink_error *error) {
  return ink_gemm(pool, precision, a, b, NULL, to, b.columns, false, error);
}

// gram <- b gram + c gram^2; square is scratch.
static ink_status polynomial(ink_pool *pool, ink_precision precision, int64_t side, float *gram,
                             float *square, ink_error *error) {
  ink_matrix a = rows_of(gram, side, side);
  INK_TRY(product(pool, precision, a, a, square, error));
  run(pool, blend_task,
      (pass){.elements = (size_t)(side * side),
             .out = gram,
             .in = square,
             .a = newton_b,
             .b = newton_c});
  return INK_OK;
}

static void add_to_diagonal(float *square, int64_t side, float x) {
  for (int64_t i = 0; i < side; i++) square[i * side + i] += x;
}

// X <- P4(A4) … P0(A0) X with Pk(A) = aI + bA + cA²: since X_{k+1} X_{k+1}^T = Pk Ak Pk, the
// iteration runs on Gram matrices alone and meets X at its two ends. They are squares of X, and
// rounding them would drown small singular values: F32 but for the last product.
static ink_status iterate_gram(const workspace *w, ink_pool *pool, ink_precision precision,
                               int64_t rows, int64_t columns, ink_error *error) {
  const ink_precision f32 = INK_PRECISION_F32;
  bool tall = rows > columns;
  int64_t side = tall ? columns : rows;
  ink_matrix x = rows_of(w->x, rows, columns), xt = transposed(w->x, rows, columns);
  float *gram = w->gram[0], *factor = w->gram[1], *whole = w->gram[2], *spare = w->gram[3];
  size_t bytes = (size_t)(side * side) * sizeof(float);
  INK_TRY(product(pool, f32, tall ? xt : x, tall ? x : xt, gram, error));
  for (int i = 0; i < 5; i++) {
    memcpy(factor, gram, bytes);
    INK_TRY(polynomial(pool, f32, side, factor, spare, error));
    add_to_diagonal(factor, side, newton_a);
    ink_matrix f = rows_of(factor, side, side);
    if (i == 0) {
      memcpy(whole, factor, bytes);
    } else {
      INK_TRY(product(pool, f32, f, rows_of(whole, side, side), spare, error));
      float *next = spare;
      spare = whole;
      whole = next;
    }
    if (i == 4) break;
    INK_TRY(product(pool, f32, f, rows_of(gram, side, side), spare, error));
    INK_TRY(product(pool, f32, rows_of(spare, side, side), f, gram, error));
  }
  ink_matrix q = rows_of(whole, side, side);
  INK_TRY(product(pool, precision, tall ? x : q, tall ? q : x, w->next, error));
  memcpy(w->x, w->next, (size_t)(rows * columns) * sizeof(float));
  return INK_OK;
}

// Orthogonalise w->x (rows, columns), leaving the result there: five steps of the quintic
// Newton-Schulz iteration X <- aX + (bA + cA²)X, A = XX^T, with Jordan's coefficients, which drive
// all singular values into about [0.7, 1.2] from below 1. For a tall matrix A = X^T X instead and
// the polynomial multiplies from the right.
static ink_status orthogonalise(const workspace *w, ink_pool *pool, ink_precision precision,
                                int64_t rows, int64_t columns, ink_error *error) {
  size_t elements = (size_t)(rows * columns);
  bool tall = rows > columns;
  int64_t side = tall ? columns : rows, length = tall ? rows : columns;
  double norm = sqrt(sum_of_squares(pool, w->partial, w->x, elements)) + 1e-7;
  run(pool, scale_task, (pass){.elements = elements, .out = w->x, .a = (float)(1 / norm)});
  // In multiplications of side^3: 10 length / side + 5, at double speed in BF16, against
  // 2 length / side + 16.
  if (2 * length > (precision == INK_PRECISION_BF16 ? 8 : 3) * side) {
    return iterate_gram(w, pool, precision, rows, columns, error);
  }
  for (int i = 0; i < 5; i++) {
    ink_matrix x = rows_of(w->x, rows, columns), xt = transposed(w->x, rows, columns);
    ink_matrix gram = rows_of(w->gram[0], side, side);
    INK_TRY(product(pool, precision, tall ? xt : x, tall ? x : xt, w->gram[0], error));
    INK_TRY(polynomial(pool, precision, side, w->gram[0], w->gram[1], error));
    INK_TRY(product(pool, precision, tall ? x : gram, tall ? gram : x, w->next, error));
    run(pool, blend_task,
        (pass){.elements = elements, .out = w->x, .in = w->next, .a = newton_a, .b = 1});
  }
  return INK_OK;
}

static ink_status muon(const ink_optimizer *o, const workspace *w, ink_pool *pool,
                       const ink_trained *p, double clip, double scale, ink_error *error) {
  const ink_optimizer_options *options = &o->options;
  size_t elements = (size_t)ink_tensor_elements(p->value);
  int64_t rows = p->value->shape[0], columns = (int64_t)elements / rows;
  run(pool, momentum_task,
      (pass){.elements = elements,
             .in = p->gradient->data,
             .first = p->first->data,
             .out = w->x,
             .a = (float)clip,
             .b = (float)options->muon_momentum});
  INK_TRY(orthogonalise(w, pool, options->muon_precision, rows, columns, error));
  double rate = scale * options->muon_rate;
  double stretch = rows > columns ? sqrt((double)rows / (double)columns) : 1;
  if (p->decay && options->muon_decay > 0) {
    run(pool, scale_task,
        (pass){.elements = elements,
               .out = p->value->data,
               .a = (float)(1 - rate * options->muon_decay)});
  }
  run(pool, axpy_task,
      (pass){
          .elements = elements, .in = w->x, .out = p->value->data, .a = (float)(-rate * stretch)});
  return INK_OK;
}

// Many matrices are tasks of the team, each by one thread; few are done one after the other by all.
typedef struct muon_job {
  const ink_optimizer *o;
  workspace *workspaces;
  double clip, scale;
} muon_job;

static void muon_task(void *context, size_t index, int thread) {
  const muon_job *j = context;
  workspace *w = &j->workspaces[thread];
  if (w->status != INK_OK) return;
  w->status = muon(j->o, w, NULL, j->o->matrices[index], j->clip, j->scale, &w->error);
}

static ink_status muon_all(const ink_optimizer *o, ink_pool *pool, double clip, double scale,
                           ink_error *error) {
  if (o->n_matrices == 0) return INK_OK;
  size_t threads = (size_t)ink_pool_threads(pool), bytes;
  bool apart = threads > 1 && o->n_matrices >= 4 * threads;
  size_t n = apart ? threads : 1;
  size_t matrix = (o->largest_matrix + 15) / 16 * 16, gram = (o->largest_gram + 15) / 16 * 16;
  size_t floats = 2 * matrix + GRAMS * gram, sums = (chunks_of(o->largest_matrix) + 7) / 8 * 8;
  size_t each = floats * sizeof(float) + sums * sizeof(double);
  workspace *workspaces = calloc(n, sizeof *workspaces);
  char *memory = ink_mul_size(n, each, &bytes) ? aligned_alloc(64, bytes) : NULL;
  ink_status status = INK_OK;
  if (!workspaces || !memory) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory for Muon's matrices");
  }
  for (size_t i = 0; status == INK_OK && i < n; i++) {
    workspace *w = &workspaces[i];
    w->x = (float *)(void *)(memory + i * each);
    w->next = w->x + matrix;
    for (size_t k = 0; k < GRAMS; k++) w->gram[k] = w->next + matrix + k * gram;
    w->partial = (double *)(void *)(w->gram[0] + GRAMS * gram);
  }
  if (status == INK_OK && apart) {
    muon_job job = {o, workspaces, clip, scale};
    ink_pool_run(pool, o->n_matrices, muon_task, &job);
    for (size_t i = 0; status == INK_OK && i < n; i++) {
      status = workspaces[i].status;
      if (status != INK_OK && error) *error = workspaces[i].error;
    }
  }
  for (size_t i = 0; status == INK_OK && !apart && i < o->n_matrices; i++) {
    status = muon(o, workspaces, pool, o->matrices[i], clip, scale, error);
  }
  free(memory);
  free(workspaces);
  return status;
}

static void adamw(ink_optimizer *o, ink_pool *pool, const ink_trained *p, double clip, double scale,
                  int64_t step) {
  const ink_optimizer_options *options = &o->options;
  size_t elements = (size_t)ink_tensor_elements(p->value);
  double rate = scale * options->adam_rate;
  if (p->decay && options->adam_decay > 0) {
    run(pool, scale_task,
        (pass){.elements = elements,
               .out = p->value->data,
               .a = (float)(1 - rate * options->adam_decay)});
  }
  run(pool, adamw_task,
      (pass){.elements = elements,
             .in = p->gradient->data,
             .out = p->value->data,
             .first = p->first->data,
             .second = p->second->data,
             .a = (float)clip,
             .b = (float)options->beta1,
             .c = (float)options->beta2,
             .d = (float)(rate / (1 - pow(options->beta1, (double)step))),
             .e = (float)(1 / sqrt(1 - pow(options->beta2, (double)step))),
             .f = (float)options->epsilon});
}

ink_status ink_optimizer_step(ink_optimizer *o, ink_pool *pool, int64_t step, double scale,
                              double *norm, ink_error *error) {
  double squares = 0;
  for (size_t i = 0; i < o->n; i++) {
    const ink_tensor *g = o->trained[i].gradient;
    squares += sum_of_squares(pool, o->partial, g->data, (size_t)ink_tensor_elements(g));
  }
  *norm = sqrt(squares);
  if (!isfinite(*norm)) {
    return ink_fail(
        error, INK_ERR_CONFLICT,
        "step %lld: the gradient is not finite; lower the learning rates or resume from "
        "an earlier checkpoint",
        (long long)step);
  }
  double clip = o->options.clip > 0 && *norm > o->options.clip ? o->options.clip / *norm : 1;
  for (size_t i = 0; i < o->n; i++) {
    if (o->trained[i].rule == INK_RULE_ADAMW) {
      adamw(o, pool, &o->trained[i], clip, scale, step);
    }
  }
  return muon_all(o, pool, clip, scale, error);
}

// ---- averages -----------------------------------------------------------------------------------

void ink_average_update(ink_pool *pool, const ink_trained *trained, size_t n, double decay) {
  for (size_t i = 0; i < n; i++) {
    if (!trained[i].average) continue;
    run(pool, blend_task,
        (pass){.elements = (size_t)ink_tensor_elements(trained[i].value),
               .out = trained[i].average->data,
               .in = trained[i].value->data,
               .a = (float)decay,
               .b = (float)(1 - decay)});
  }
}

static void swap_task(void *context, size_t index, int thread) {
  (void)thread;
  pass *p = context;
  size_t begin, end = chunk_range(p, index, &begin);
  for (size_t i = begin; i < end; i++) {
    float kept = p->out[i];
    p->out[i] = p->first[i];
    p->first[i] = kept;
  }
}

void ink_average_swap(ink_pool *pool, const ink_trained *trained, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (!trained[i].average) continue;
    run(pool, swap_task,
        (pass){.elements = (size_t)ink_tensor_elements(trained[i].value),
               .out = trained[i].average->data,
               .first = trained[i].value->data});
  }
}

// ---- the schedule -------------------------------------------------------------------------------

double ink_schedule_wsd(int64_t step, int64_t total, int64_t warmup, int64_t decay, double floor) {
  if (step < warmup) return (double)step / (double)warmup;
  int64_t left = total - step;
  if (left >= decay || decay <= 0) return 1;
  if (left < 0) left = 0;
  return floor + (1 - floor) * (double)left / (double)decay;
}
