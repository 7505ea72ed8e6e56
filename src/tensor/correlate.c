// Weight gradients of convolutions. The pixels of the result are cut into blocks; a task stages a
// block of the picture and of the gradient and adds all taps of its part of the weight. Blocks are
// dealt to chunks that each have sums of their own, joined in order at the end. How the work is cut
// depends on shapes alone.
#include "tensor/correlate.h"

#include <string.h>

#include "base/checked.h"
#include "tensor/cpu/correlate.h"
#include "tensor/isa.h"
#include "tensor/operation.h"

enum {
  BLOCK_PIXELS = 256,      // words of a block: panels of both sides stay in the second cache
  BLOCK_WIDTH = 128,       // pixels of a line in a block
  PARTS = 16,              // tasks that are wished for, so that a team ends together
  PARTIAL_SUMS = 1 << 18,  // floats in the sums of all chunks, when there are several
  MOST_CHUNKS = 64,
  SCATTERED = 8  // output channels of a task of the last step
};

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int64_t divided_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

static const ink_correlate_kernels *kernels_for(bool bf16) {
#if defined(__x86_64__)
  const ink_cpu *cpu = ink_cpu_about();
  if (cpu->bf16 && bf16) return &ink_correlate_avx512_bf16;
  if (cpu->isa == INK_ISA_AVX512) return &ink_correlate_avx512;
  if (cpu->isa == INK_ISA_AVX2) return &ink_correlate_avx2;
#else
  (void)bf16;
#endif
  return &ink_correlate_portable;
}

// One operand as it is staged: panels of `width` channels.
typedef struct side {
  int64_t channels, width, panels;
  int64_t lines, columns;  // of a picture's block
  int64_t panel_bytes;
} side;

typedef struct job {
  const ink_correlate_kernels *kernels;
  const ink_correlation *v;
  int64_t taps;
  bool of_picture;  // the picture's channels are the broadcast side
  side picture, gradient;
  int64_t images, rows, columns;  // words, lines and pixels of a block of the result
  int64_t blocks_batch, blocks_down, blocks_across, blocks;
  int64_t chunks, groups, group;  // group: panels of the loaded side in a task
  float *sums;                    // chunk by chunk: panel, tap, broadcast panel, row, column
  int64_t chunk_sums;
  float *bias;  // (chunks, out) or NULL
  char *scratch;
  size_t gradient_at, bias_at, scratch_bytes;
} job;

static const side *broadcast_side(const job *j) {
  return j->of_picture ? &j->picture : &j->gradient;
}

static const side *loaded_side(const job *j) {
  return j->of_picture ? &j->gradient : &j->picture;
}

static int64_t pixel_bytes(const side *s) {
  return s->width * (int64_t)sizeof(float);
}

static int64_t line_bytes(const side *s) {
  return s->columns * pixel_bytes(s);
}

typedef struct block {
  int64_t image, row, column;  // the first of the result; image counts pictures
  int64_t images, rows, columns;
} block;

// ---- staging ------------------------------------------------------------------------------------

// Where a stretch of pixels comes from: lines of height x width pictures.
typedef struct picture {
  const float *data;
  int64_t batch, height, width, channels;
} picture;

static void zero(const side *s, int64_t from, int64_t panels, int64_t pixels, char *to) {
  for (int64_t p = from; p < from + panels; p++, to += s->panel_bytes) {
    memset(to, 0, (size_t)(pixels * pixel_bytes(s)));
  }
}

// Pixels [x, x + columns) of line y of the pictures of one word, panels [panel, panel + panels).
static void stage_line(const job *j, const side *s, const picture *p, int64_t image, int64_t y,
                       int64_t x, int64_t columns, int64_t panel, int64_t panels, char *to,
                       float *sums) {
  int64_t before = x < 0 ? smaller(-x, columns) : 0;
  int64_t inside = smaller(p->width - (x + before), columns - before);
  if (y < 0 || y >= p->height || inside <= 0) {
    zero(s, panel, panels, columns, to);
    return;
  }
  zero(s, panel, panels, before, to);
  int64_t first = panel * s->width, n = smaller(panels * s->width, p->channels - first);
  int64_t next = p->height * p->width * p->channels;
  const float *from =
      p->data + ((image * p->height + y) * p->width + x + before) * p->channels + first;
  bool two = j->kernels->elements == 2 && image + 1 < p->batch;
  j->kernels->stage(from, two ? from + next : NULL, inside, p->channels, n, s->width,
                    s->panel_bytes, to + before * pixel_bytes(s), sums);
  zero(s, panel, panels, columns - before - inside, to + (before + inside) * pixel_bytes(s));
}

static void stage_picture(const job *j, const block *at, int64_t panel, int64_t panels, char *to) {
  const ink_correlation *v = j->v;
  const side *s = &j->picture;
  picture p = {v->x, v->batch, v->height, v->width, v->channels};
  int64_t lines = (at->rows - 1) * v->stride + v->kernel_height;
  int64_t columns = (at->columns - 1) * v->stride + v->kernel_width;
  for (int64_t i = 0; i < at->images; i++) {
    for (int64_t line = 0; line < lines; line++) {
      stage_line(j, s, &p, at->image + i * j->kernels->elements,
                 at->row * v->stride - v->top + line, at->column * v->stride - v->left, columns,
                 panel, panels, to + (i * s->lines + line) * line_bytes(s), NULL);
    }
  }
}

static void stage_gradient(const job *j, const block *at, int64_t panel, int64_t panels, char *to,
                           float *sums) {
  const ink_correlation *v = j->v;
  const side *s = &j->gradient;
  picture p = {v->dy, v->batch, v->y_height, v->y_width, v->out};
  for (int64_t i = 0; i < at->images; i++) {
    for (int64_t line = 0; line < at->rows; line++) {
      stage_line(j, s, &p, at->image + i * j->kernels->elements, at->row + line, at->column,
                 at->columns, panel, panels, to + (i * s->lines + line) * line_bytes(s), sums);
    }
  }
}

// ---- sums ---------------------------------------------------------------------------------------

// Floats of the sums of one tap of one loaded panel.
static int64_t tap_sums(const job *j) {
  const side *s = broadcast_side(j);
  return s->panels * s->width * j->kernels->columns;
}

static block block_at(const job *j, int64_t index) {
  int64_t across = index % j->blocks_across, rest = index / j->blocks_across;
  block at = {.image = rest / j->blocks_down * j->images * j->kernels->elements,
              .row = rest % j->blocks_down * j->rows,
              .column = across * j->columns};
  at.images = smaller(j->images, divided_up(j->v->batch - at.image, (int64_t)j->kernels->elements));
  at.rows = smaller(j->rows, j->v->y_height - at.row);
  at.columns = smaller(j->columns, j->v->y_width - at.column);
  return at;
}

// All taps of one loaded panel against all broadcast ones.
static void run_panel(const job *j, const block *at, const char *a, const char *b, float *sums) {
  const ink_correlation *v = j->v;
  const side *rows = broadcast_side(j), *columns = loaded_side(j);
  ink_correlate_tile tile = {.images = at->images,
                             .lines = at->rows,
                             .steps = at->columns,
                             .a_image = rows->lines * line_bytes(rows),
                             .a_line = line_bytes(rows),
                             .a_step = pixel_bytes(rows),
                             .b_image = columns->lines * line_bytes(columns),
                             .b_line = line_bytes(columns),
                             .b_step = pixel_bytes(columns)};
  if (j->of_picture) {
    tile.a_line *= v->stride;
    tile.a_step *= v->stride;
  } else {
    tile.b_line *= v->stride;
    tile.b_step *= v->stride;
  }
  for (int64_t tap = 0; tap < j->taps; tap++) {
    int64_t ty = tap / v->kernel_width, tx = tap % v->kernel_width;
    int64_t offset = ty * line_bytes(&j->picture) + tx * pixel_bytes(&j->picture);
    tile.b = b + (j->of_picture ? 0 : offset);
    for (int64_t p = 0; p < rows->panels; p++) {
      tile.rows = (int)smaller(rows->width, rows->channels - p * rows->width);
      tile.a = a + p * rows->panel_bytes + (j->of_picture ? offset : 0);
      tile.sums = sums + p * rows->width * j->kernels->columns;
      j->kernels->multiply(&tile);
    }
    sums += tap_sums(j);
  }
}

static void run_task(void *context, size_t index, int thread) {
  const job *j = context;
  int64_t chunk = (int64_t)index / j->groups, group = (int64_t)index % j->groups;
  int64_t first = group * j->group;
  int64_t panels = smaller(j->group, loaded_side(j)->panels - first);
  int64_t all = broadcast_side(j)->panels;
  char *staged_picture = j->scratch + (size_t)thread * j->scratch_bytes;
  char *staged_gradient = staged_picture + j->gradient_at;
  float *block_bias = NULL, *bias = NULL;
  // Every element of the gradient is staged by group 0, or by the group it is loaded in.
  if (j->bias && (j->of_picture || group == 0)) {
    int64_t begin = j->of_picture ? first * j->gradient.width : 0;
    block_bias = (float *)(void *)(staged_picture + j->bias_at);
    bias = j->bias + chunk * j->v->out + begin;
  }
  int64_t n_bias = j->of_picture
                       ? smaller(panels * j->gradient.width, j->v->out - first * j->gradient.width)
                       : j->v->out;
  int64_t panel_sums = j->taps * tap_sums(j);
  float *sums = j->sums + chunk * j->chunk_sums + first * panel_sums;
  memset(sums, 0, (size_t)(panels * panel_sums) * sizeof *sums);
  if (bias) memset(bias, 0, (size_t)n_bias * sizeof *bias);
  int64_t begin = chunk * j->blocks / j->chunks, end = (chunk + 1) * j->blocks / j->chunks;
  for (int64_t i = begin; i < end; i++) {
    block at = block_at(j, i);
    if (bias) memset(block_bias, 0, (size_t)n_bias * sizeof *bias);
    stage_picture(j, &at, j->of_picture ? 0 : first, j->of_picture ? all : panels, staged_picture);
    stage_gradient(j, &at, j->of_picture ? first : 0, j->of_picture ? panels : all, staged_gradient,
                   block_bias);
    if (bias) ink_kernels_here()->add_to(block_bias, bias, n_bias);
    const char *a = j->of_picture ? staged_picture : staged_gradient;
    const char *b = j->of_picture ? staged_gradient : staged_picture;
    for (int64_t panel = 0; panel < panels; panel++) {
      run_panel(j, &at, a, b + panel * loaded_side(j)->panel_bytes, sums + panel * panel_sums);
    }
  }
}

// ---- the end ------------------------------------------------------------------------------------

static void join_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const job *j = context;
  for (int64_t chunk = 1; chunk < j->chunks; chunk++) {
    ink_kernels_here()->add_to(j->sums + chunk * j->chunk_sums + begin, j->sums + begin,
                               end - begin);
  }
}

// Rows of the weight's gradient from the sums.
static void scatter_range(void *context, int64_t begin, int64_t end, int64_t range) {
  (void)range;
  const job *j = context;
  const ink_correlation *v = j->v;
  int64_t columns = j->kernels->columns, tap_size = tap_sums(j);
  for (int64_t o = begin; o < end; o++) {
    float *to = v->d_weight + o * v->channels * j->taps;
    for (int64_t channel = 0; channel < v->channels; channel++, to += j->taps) {
      int64_t row = j->of_picture ? channel : o, column = j->of_picture ? o : channel;
      const float *from =
          j->sums + column / columns * j->taps * tap_size + row * columns + column % columns;
      for (int64_t tap = 0; tap < j->taps; tap++) {
        float x = from[tap * tap_size];
        to[tap] = v->add ? to[tap] + x : x;
      }
    }
  }
}

static void join_bias(const job *j) {
  const ink_correlation *v = j->v;
  for (int64_t o = 0; o < v->out; o++) {
    float sum = 0.0f;
    for (int64_t chunk = 0; chunk < j->chunks; chunk++) sum += j->bias[chunk * v->out + o];
    v->d_bias[o] = v->add_bias ? v->d_bias[o] + sum : sum;
  }
}

// ---- cutting ------------------------------------------------------------------------------------

static side side_of(int64_t channels, int64_t width, int64_t lines, int64_t columns,
                    int64_t images) {
  side s = {.channels = channels, .width = width, .lines = lines, .columns = columns};
  s.panels = divided_up(channels, width);
  // Staging may write a vector behind a panel.
  s.panel_bytes = (images * lines * line_bytes(&s) + 2 * 64 + 63) / 64 * 64;
  return s;
}

// Channels of a panel that is broadcast: even, at most the tile's rows.
static int64_t even_rows(const ink_correlate_kernels *kernels, int64_t channels) {
  return divided_up(channels, divided_up(channels, kernels->rows));
}

static void cut(job *j) {
  const ink_correlation *v = j->v;
  const ink_correlate_kernels *kernels = j->kernels;
  int64_t words = divided_up(v->batch, kernels->elements);
  j->columns = divided_up(v->y_width, divided_up(v->y_width, BLOCK_WIDTH));
  j->rows = smaller(v->y_height, BLOCK_PIXELS / j->columns);
  j->rows = divided_up(v->y_height, divided_up(v->y_height, j->rows));
  j->images = smaller(words, divided_up(BLOCK_PIXELS, j->columns * j->rows));
  j->images = divided_up(words, divided_up(words, j->images));
  j->blocks_across = divided_up(v->y_width, j->columns);
  j->blocks_down = divided_up(v->y_height, j->rows);
  j->blocks_batch = divided_up(words, j->images);
  j->blocks = j->blocks_across * j->blocks_down * j->blocks_batch;
  // The side whose channels fill vectors better is loaded.
  int64_t columns = kernels->columns;
  j->of_picture = divided_up(v->out, columns) * columns * v->channels <
                  divided_up(v->channels, columns) * columns * v->out;
  j->picture = side_of(v->channels, j->of_picture ? even_rows(kernels, v->channels) : columns,
                       (j->rows - 1) * v->stride + v->kernel_height,
                       (j->columns - 1) * v->stride + v->kernel_width, j->images);
  j->gradient = side_of(v->out, j->of_picture ? columns : even_rows(kernels, v->out), j->rows,
                        j->columns, j->images);
  j->chunk_sums = loaded_side(j)->panels * j->taps * tap_sums(j);
  j->chunks = smaller(smaller(j->blocks, MOST_CHUNKS), PARTIAL_SUMS / j->chunk_sums);
  if (j->chunks < 1) j->chunks = 1;
  j->groups = smaller(loaded_side(j)->panels, divided_up(PARTS, j->chunks));
  j->group = divided_up(loaded_side(j)->panels, j->groups);
  j->groups = divided_up(loaded_side(j)->panels, j->group);
}

void ink_correlate(ink_compute *c, const char *name, const ink_correlation *v) {
  job j = {.kernels = kernels_for(c->precision == INK_PRECISION_BF16),
           .v = v,
           .taps = v->kernel_height * v->kernel_width};
  if (v->out * v->channels * j.taps == 0) return;
  if (v->batch * v->y_height * v->y_width == 0) {
    size_t n = (size_t)(v->out * v->channels * j.taps);
    if (!v->add) memset(v->d_weight, 0, n * sizeof(float));
    if (v->d_bias && !v->add_bias) memset(v->d_bias, 0, (size_t)v->out * sizeof(float));
    return;
  }
  cut(&j);
  int64_t loaded = j.of_picture ? j.gradient.panel_bytes : j.picture.panel_bytes;
  int64_t broadcast = broadcast_side(&j)->panels * broadcast_side(&j)->panel_bytes;
  loaded *= j.group;
  j.gradient_at = (size_t)(j.of_picture ? broadcast : loaded);
  j.bias_at = (size_t)(broadcast + loaded);
  size_t bias = ((size_t)divided_up(v->out, 64) * 64 + 64) * sizeof(float);
  j.scratch_bytes = j.bias_at + bias;
  ink_arena_mark mark = ink_arena_save(c->arena);
  j.sums = ink_op_take(c, name, (size_t)(j.chunks * j.chunk_sums), sizeof *j.sums);
  j.scratch = ink_op_take(c, name, (size_t)ink_pool_threads(c->pool), j.scratch_bytes);
  if (v->d_bias) {
    j.bias = ink_op_take(c, name, (size_t)(j.chunks * v->out), sizeof *j.bias);
  }
  if (c->error.status == INK_OK) {
    ink_pool_run(c->pool, (size_t)(j.chunks * j.groups), run_task, &j);
    if (j.chunks > 1) ink_each_range(c->pool, j.chunk_sums, INK_GRAIN, join_range, &j);
    ink_each_range(c->pool, v->out, SCATTERED, scatter_range, &j);
    if (j.bias) join_bias(&j);
  }
  ink_arena_release(c->arena, mark);
}
