// AdamW and Muon.
#include "train/optimizer.h"

#include <math.h>
#include <string.h>

#include "tensor/gemm.h"

// Work is cut into chunks of this many elements, whatever the team, so that sums keep their order.
enum { CHUNK = 1 << 15 };

struct ink_optimizer {
  ink_optimizer_options options;
  ink_trained *trained;
  size_t n;
  double *partial;  // one sum of squares per chunk of the largest tensor
  // Newton-Schulz scratch for the largest matrix: the iterate X and its successor, the Gram matrix
  // and its polynomial, and the update before orthogonalisation.
  float *x, *next, *gram, *square;
};

static size_t chunks_of(size_t elements) {
  return (elements + CHUNK - 1) / CHUNK;
}

static bool is_trainable(const ink_tensor *t) {
  return t && t->dtype == INK_F32 && ink_tensor_is_contiguous(t);
}

ink_status ink_optimizer_new(ink_arena *arena, const ink_optimizer_options *options,
                             ink_trained *trained, size_t n, ink_optimizer **optimizer,
                             ink_error *error) {
  ink_optimizer *made = ink_arena_zeros(arena, 1, sizeof *made);
  size_t largest = 1, largest_matrix = 1, largest_gram = 1;
  for (size_t i = 0; i < n; i++) {
    ink_trained *p = &trained[i];
    if (!is_trainable(p->value) || !is_trainable(p->gradient) ||
        !ink_tensor_same_shape(p->value, p->gradient)) {
      return ink_fail(error, INK_ERR_CONFLICT,
                      "%s: a trained tensor and its gradient must be contiguous F32 of one shape",
                      p->name);
    }
    if (p->rule == INK_RULE_MUON && p->value->rank != 2) {
      return ink_fail(error, INK_ERR_CONFLICT, "%s: Muon takes matrices only", p->name);
    }
    size_t elements = (size_t)ink_tensor_elements(p->value);
    if (elements > largest) largest = elements;
    if (p->rule == INK_RULE_MUON) {
      size_t rows = (size_t)p->value->shape[0], columns = (size_t)p->value->shape[1];
      size_t side = rows < columns ? rows : columns;
      if (elements > largest_matrix) largest_matrix = elements;
      if (side * side > largest_gram) largest_gram = side * side;
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
  if (made) {
    made->options = *options;
    made->trained = trained;
    made->n = n;
    made->partial = ink_arena_zeros(arena, chunks_of(largest), sizeof *made->partial);
    made->x = ink_arena_zeros(arena, largest_matrix, sizeof(float));
    made->next = ink_arena_zeros(arena, largest_matrix, sizeof(float));
    made->gram = ink_arena_zeros(arena, largest_gram, sizeof(float));
    made->square = ink_arena_zeros(arena, largest_gram, sizeof(float));
  }
  if (!made || !made->partial || !made->x || !made->next || !made->gram || !made->square) {
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

// Orthogonalise o->x (rows, columns), leaving the result there: five steps of the quintic
// Newton-Schulz iteration X <- aX + (bA + cA²)X, A = XX^T, with Jordan's coefficients, which drive
// all singular values into about [0.7, 1.2] from below 1. For a tall matrix A = X^T X instead and
// the polynomial multiplies from the right.
static ink_status orthogonalise(ink_optimizer *o, ink_pool *pool, int64_t rows, int64_t columns,
                                ink_error *error) {
  const float a = 3.4445f, b = -4.7750f, c = 2.0315f;
  size_t elements = (size_t)(rows * columns);
  int64_t side = rows < columns ? rows : columns;
  size_t gram_elements = (size_t)(side * side);
  double norm = sqrt(sum_of_squares(pool, o->partial, o->x, elements)) + 1e-7;
  run(pool, scale_task, (pass){.elements = elements, .out = o->x, .a = (float)(1 / norm)});
  for (int i = 0; i < 5; i++) {
    ink_matrix x = rows_of(o->x, rows, columns), xt = transposed(o->x, rows, columns);
    ink_matrix gram = rows_of(o->gram, side, side);
    bool tall = rows > columns;
    INK_TRY(ink_gemm(pool, INK_PRECISION_F32, tall ? xt : x, tall ? x : xt, NULL, o->gram, side,
                     false, error));
    INK_TRY(ink_gemm(pool, INK_PRECISION_F32, gram, gram, NULL, o->square, side, false, error));
    run(pool, blend_task,
        (pass){.elements = gram_elements, .out = o->gram, .in = o->square, .a = b, .b = c});
    INK_TRY(ink_gemm(pool, INK_PRECISION_F32, tall ? x : gram, tall ? gram : x, NULL, o->next,
                     columns, false, error));
    run(pool, blend_task, (pass){.elements = elements, .out = o->x, .in = o->next, .a = a, .b = 1});
  }
  return INK_OK;
}

static ink_status muon(ink_optimizer *o, ink_pool *pool, const ink_trained *p, double clip,
                       double scale, ink_error *error) {
  const ink_optimizer_options *options = &o->options;
  size_t elements = (size_t)ink_tensor_elements(p->value);
  int64_t rows = p->value->shape[0], columns = p->value->shape[1];
  run(pool, momentum_task,
      (pass){.elements = elements,
             .in = p->gradient->data,
             .first = p->first->data,
             .out = o->x,
             .a = (float)clip,
             .b = (float)options->muon_momentum});
  INK_TRY(orthogonalise(o, pool, rows, columns, error));
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
          .elements = elements, .in = o->x, .out = p->value->data, .a = (float)(-rate * stretch)});
  return INK_OK;
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
    if (o->trained[i].rule == INK_RULE_MUON) {
      INK_TRY(muon(o, pool, &o->trained[i], clip, scale, error));
    } else {
      adamw(o, pool, &o->trained[i], clip, scale, step);
    }
  }
  return INK_OK;
}

double ink_schedule_wsd(int64_t step, int64_t total, int64_t warmup, int64_t decay, double floor) {
  if (step < warmup) return (double)step / (double)warmup;
  int64_t left = total - step;
  if (left >= decay || decay <= 0) return 1;
  if (left < 0) left = 0;
  return floor + (1 - floor) * (double)left / (double)decay;
}
