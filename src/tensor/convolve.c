// Convolutions by blocks: a block of the result is the work of one thread, which stages the input
// it needs, some channels at a time, and runs the register tile over it and the prepared weight.
#include "tensor/convolve.h"

#include <string.h>

#include "base/checked.h"
#include "tensor/cpu/convolve.h"
#include "tensor/gemm.h"
#include "tensor/half.h"
#include "tensor/isa.h"
#include "tensor/operation.h"
#include "tensor/prepared_entry.h"

enum {
  BLOCK_PIXELS = 256,  // of the result in a block: with the taps around them they fit a cache
  BLOCK_WIDTH = 64,    // pixels of a row in a block
  LEAST_BLOCKS = 8,    // of each thread before blocks grow: the last of them leave others idle
  AT_ONCE = 4,         // output channels of a narrow result that are picked up together
  PHASES = 4,          // of an enlarged picture
  FOLDED_TAPS = 4      // of each
};

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int64_t divided_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

static const ink_convolve_kernels *kernels_for(bool bf16) {
#if defined(__x86_64__)
  const ink_cpu *cpu = ink_cpu_about();
  if (cpu->bf16 && bf16) return &ink_convolve_avx512_bf16;
  if (cpu->isa == INK_ISA_AVX512) return &ink_convolve_avx512;
  if (cpu->isa == INK_ISA_AVX2) return &ink_convolve_avx2;
#else
  (void)bf16;
#endif
  return &ink_convolve_portable;
}

// ---- weights ------------------------------------------------------------------------------------

// A prepared weight is a row of panels of `columns` output channels; a panel is a row of blocks of
// channels, a block one stretch of steps for each tap. A folded one is such a row for each phase. A
// narrow one has the taps of all output channels as columns, tap after tap.
typedef struct panels {
  const ink_convolve_kernels *kernels;
  int64_t out, channels;
  int64_t taps;   // of a convolution of the prepared weight
  int64_t block;  // channels of a block
  int64_t panel_bytes;
  bool round;  // to BF16 first, where the elements of the kernels are F32
  bool turned;
  bool narrow;
  int64_t phases;  // 1: not folded
  const ink_tensor *weight;
  int64_t weight_taps;  // of the weight as stored
  float *lines;         // scratch of a thread, see line_floats
  char *to;
} panels;

// Floats that a thread needs while it packs: a panel's lines as they are stored and, where they are
// folded or narrow, as they are packed.
static int64_t line_floats(const panels *p) {
  int64_t made = p->phases > 1 || p->narrow ? p->taps : 0;
  return p->kernels->columns * p->channels * (p->weight_taps + made);
}

static int64_t steps_of(const ink_convolve_kernels *kernels, int64_t channels) {
  return divided_up(channels, kernels->elements);
}

static int64_t step_bytes(const ink_convolve_kernels *kernels) {
  return kernels->columns * (int64_t)sizeof(float);
}

static int64_t block_offset(const panels *p, int64_t channel) {
  return steps_of(p->kernels, channel) * p->taps * step_bytes(p->kernels);
}

// The lines of a panel from the weight of the convolution that goes the other way.
static void turned_lines(const panels *p, int64_t first, int64_t columns, float *lines) {
  const float *weight = p->weight->data;
  for (int64_t i = 0; i < p->channels; i++) {
    const float *from = weight + (i * p->out + first) * p->taps;
    for (int64_t j = 0; j < columns; j++, from += p->taps) {
      float *to = lines + (j * p->channels + i) * p->taps;
      for (int64_t t = 0; t < p->taps; t++) to[t] = from[p->taps - 1 - t];
    }
  }
}

static void stored_lines(const panels *p, int64_t first, int64_t columns, float *lines) {
  const ink_dtype_info *type = ink_dtype_about(p->weight->dtype);
  int64_t length = p->channels * p->weight_taps;
  for (int64_t j = 0; j < columns; j++) {
    int64_t at = (first + j) * length / type->block_elements * (int64_t)type->block_bytes;
    ink_to_f32(p->weight->dtype, (const char *)p->weight->data + at, lines + j * length, length);
  }
}

static void round_lines(float *lines, int64_t n) {
  for (int64_t i = 0; i < n; i++) lines[i] = ink_f32_from_bf16(ink_bf16_from_f32(lines[i]));
}

// The four taps of a phase from the nine of a kernel, for n kernels. Along each side a pixel of the
// first phase sees tap 0 of the pixel before and taps 1 and 2 of its own; one of the second 0 and 1
// of its own and 2 of the next.
static void fold_lines(const float *from, int64_t n, int64_t phase, float *to) {
  int64_t down = phase / 2, across = phase % 2;
  for (int64_t i = 0; i < n; i++, from += 9, to += FOLDED_TAPS) {
    // Columns 0 and 2 alone, and the middle one with its neighbour of the phase.
    float sum[2][3];
    for (int64_t x = 0; x < 3; x++) {
      float shared = from[3 + x] + from[down ? x : 6 + x];
      sum[0][x] = down ? shared : from[x];
      sum[1][x] = down ? from[6 + x] : shared;
    }
    for (int64_t y = 0; y < 2; y++) {
      float shared = sum[y][1] + sum[y][across ? 0 : 2];
      to[2 * y] = across ? shared : sum[y][0];
      to[2 * y + 1] = across ? sum[y][2] : shared;
    }
  }
}

// Kernels to lines of one tap each: line t * kernels + j is tap t of kernel j.
static void narrow_lines(const panels *p, int64_t kernels, const float *from, float *to) {
  for (int64_t j = 0; j < kernels; j++) {
    for (int64_t i = 0; i < p->channels; i++, from += p->weight_taps) {
      for (int64_t t = 0; t < p->weight_taps; t++) {
        to[(t * kernels + j) * p->channels + i] = from[t];
      }
    }
  }
}

static void pack_panel(void *context, size_t index, int thread) {
  const panels *p = context;
  const ink_convolve_kernels *kernels = p->kernels;
  int64_t first = (int64_t)index * kernels->columns, length = p->channels * p->taps;
  int64_t columns = smaller(kernels->columns, p->out - first);
  float *stored = p->lines + thread * line_floats(p), *lines = stored;
  int64_t whole = p->narrow ? columns / p->weight_taps : columns;
  (p->turned ? turned_lines : stored_lines)(p, first, whole, stored);
  if (p->phases > 1 || p->narrow) lines += kernels->columns * p->channels * p->weight_taps;
  if (p->narrow) narrow_lines(p, whole, stored, lines);
  for (int64_t phase = 0; phase < p->phases; phase++) {
    if (p->phases > 1) fold_lines(stored, columns * p->channels, phase, lines);
    if (p->round && !p->turned) round_lines(lines, columns * length);
    char *to =
        p->to + (phase * divided_up(p->out, kernels->columns) + (int64_t)index) * p->panel_bytes;
    for (int64_t channel = 0; channel < p->channels; channel += p->block) {
      int64_t n = smaller(p->block, p->channels - channel);
      for (int64_t tap = 0; tap < p->taps; tap++) {
        kernels->pack(lines + channel * p->taps + tap, length, p->taps, columns, n, to);
        to += steps_of(kernels, n) * step_bytes(kernels);
      }
    }
  }
}

typedef struct packing {
  ink_compute *c;
  panels panels;
} packing;

static void pack(void *context, void *to) {
  packing *p = context;
  p->panels.to = to;
  ink_pool_run(p->c->pool, (size_t)divided_up(p->panels.out, p->panels.kernels->columns),
               pack_panel, &p->panels);
}

// The prepared weight, from the cache or made for this call in the arena.
static const char *prepare(ink_compute *c, const char *name, const panels *p, bool passing) {
  const ink_convolve_kernels *kernels = p->kernels;
  size_t n_panels = (size_t)(p->phases * divided_up(p->out, kernels->columns)), bytes, source;
  if (!ink_mul_size(n_panels, (size_t)p->panel_bytes, &bytes) ||
      !ink_tensor_bytes(p->weight->dtype, p->weight->rank, p->weight->shape, &source)) {
    ink_compute_fail(c, INK_ERR_MEMORY, "%s: a weight beyond memory", name);
    return NULL;
  }
  packing job = {.c = c, .panels = *p};
  ink_prepared_key key = {p->weight->data, kernels,     p->weight->dtype,
                          p->out,          p->channels, p->phases * p->taps};
  if (p->narrow) key.taps = -p->weight_taps;
  ink_arena_mark mark = ink_arena_save(c->arena);
  const char *prepared = NULL;
  if (!c->prepared || passing) {
    // The panels outlive the lines they are made of.
    char *to = ink_op_take(c, name, 1, bytes);
    mark = ink_arena_save(c->arena);
    job.panels.lines = ink_op_take(c, name, (size_t)ink_pool_threads(c->pool),
                                   (size_t)line_floats(p) * sizeof(float));
    if (to && job.panels.lines) {
      pack(&job, to);
      prepared = to;
    }
  } else {
    job.panels.lines = ink_op_take(c, name, (size_t)ink_pool_threads(c->pool),
                                   (size_t)line_floats(p) * sizeof(float));
    if (job.panels.lines) {
      prepared = ink_prepared_get(c->prepared, key, source, bytes, pack, &job);
      if (!prepared) {
        ink_compute_fail(c, INK_ERR_MEMORY, "%s: no memory for %zu bytes of prepared weight", name,
                         bytes);
      }
    }
  }
  ink_arena_release(c->arena, mark);
  return prepared;
}

// ---- blocks -------------------------------------------------------------------------------------

typedef struct job {
  const ink_convolve_kernels *kernels;
  const ink_convolution *v;
  const char *weight;
  panels panels;
  bool linear;
  int64_t pixel;                    // bytes from pixel to pixel as staged
  int64_t y_image, y_row, y_pixel;  // elements from one of the result to the next
  int64_t images, rows, width;      // of the result in a block
  int64_t blocks_batch, blocks_down, blocks_across;
  int64_t group;  // output channels of a block
  // Staged: rows of the patch follow each other; columns stand by their phase, the remainder of
  // their place by the stride, so that pixels of one tap lie side by side.
  int64_t patch_rows, patch_columns, phase_columns;
  const int64_t *tap;
  char *scratch;
  size_t staged_bytes, scratch_bytes;
} job;

static int64_t patch_at(const job *j, int64_t row, int64_t column) {
  int64_t stride = j->v->stride;
  return ((row * stride + column % stride) * j->phase_columns + column / stride) * j->pixel;
}

typedef struct block {
  int64_t image, row, column;  // the first of the result
  int64_t images, rows, columns;
} block;

static void clear_pixels(const job *j, int64_t pixels, size_t bytes, char *to) {
  for (int64_t p = 0; p < pixels; p++) memset(to + p * j->pixel, 0, bytes);
}

// Every stride-th of `columns` pixels of a line of the picture, from column x on, which need not be
// inside.
static void stage_phase(const job *j, const char *line, int64_t x, int64_t columns, int64_t n,
                        char *to) {
  const ink_convolution *v = j->v;
  int64_t size = (int64_t)ink_dtype_about(v->x_dtype)->block_bytes, stride = v->stride;
  size_t bytes = (size_t)(steps_of(j->kernels, n) * (int64_t)sizeof(float));
  int64_t pixels = divided_up(columns, stride);
  int64_t before = x < 0 ? smaller(divided_up(-x, stride), pixels) : 0;
  int64_t from = x + before * stride, inside = 0;
  if (from < v->width) inside = smaller(divided_up(v->width - from, stride), pixels - before);
  clear_pixels(j, before, bytes, to);
  j->kernels->stage(v->x_dtype, line + from * v->channels * size, stride * v->channels, inside, n,
                    to + before * j->pixel, j->pixel);
  clear_pixels(j, pixels - before - inside, bytes, to + (before + inside) * j->pixel);
}

// Stage channels [channel, channel + n) of what a block needs.
static void stage(const job *j, const block *at, int64_t channel, int64_t n, char *staged) {
  const ink_convolution *v = j->v;
  int64_t size = (int64_t)ink_dtype_about(v->x_dtype)->block_bytes, stride = v->stride;
  int64_t rows = (at->rows - 1) * stride + v->kernel_height;
  int64_t columns = (at->columns - 1) * stride + v->kernel_width;
  int64_t x0 = at->column * stride - v->left;
  for (int64_t image = 0; image < at->images; image++) {
    for (int64_t row = 0; row < rows; row++) {
      int64_t y = at->row * stride - v->top + row;
      bool inside = y >= 0 && y < v->height;
      const char *line =
          (const char *)v->x +
          ((((at->image + image) * v->height + y) * v->width) * v->channels + channel) * size;
      for (int64_t phase = 0; phase < stride && phase < columns; phase++) {
        char *to = staged + patch_at(j, image * j->patch_rows + row, phase);
        if (inside) {
          stage_phase(j, line, x0 + phase, columns - phase, n, to);
        } else {
          clear_pixels(j, divided_up(columns - phase, stride),
                       (size_t)(steps_of(j->kernels, n) * (int64_t)sizeof(float)), to);
        }
      }
    }
  }
}

// All tiles of a block for one panel and one block of channels.
static void run_panel(const job *j, const block *at, ink_convolve_tile tile, int64_t panel,
                      bool last, const char *staged, float *sums) {
  const ink_convolution *v = j->v;
  int64_t out = panel * j->kernels->columns, stride = v->stride;
  int64_t size = (int64_t)ink_dtype_about(v->y_dtype)->block_bytes;
  tile.columns = (int)smaller(j->kernels->columns, v->out - out);
  if (last && v->bias) tile.bias = v->bias + out;
  int64_t tiles = divided_up(at->columns, j->kernels->rows);
  for (int64_t image = 0; image < at->images; image++) {
    for (int64_t row = 0; row < at->rows; row++) {
      const char *a = staged + patch_at(j, image * j->patch_rows + row * stride, 0);
      int64_t pixel = (image * at->rows + row) * at->columns;
      int64_t y = (at->image + image) * j->y_image + (at->row + row) * j->y_row +
                  at->column * j->y_pixel + out;
      for (int64_t t = 0; t < tiles; t++) {
        int64_t begin = at->columns * t / tiles, end = at->columns * (t + 1) / tiles;
        tile.rows = (int)(end - begin);
        tile.a = a + begin * j->pixel;
        tile.sums = sums + (pixel + begin) * tile.sums_stride;
        int64_t place = (y + begin * j->y_pixel) * size;
        if (last) tile.y = (char *)v->y + place;
        if (last && v->also) tile.also = (const char *)v->also + place;
        j->kernels->multiply(&tile);
      }
    }
  }
}

// One row of a narrow result: `from` holds the products of the patch, the first tap's first,
// patch_columns pixels a row. Taps are added in their order.
static void pick_up(const job *j, const float *from, int64_t columns, void *y, int64_t at) {
  const ink_convolution *v = j->v;
  int64_t width = j->kernels->columns;
  for (int64_t x = 0; x < columns; x++, from += width) {
    for (int64_t first = 0; first < v->out; first += AT_ONCE) {
      float sum[AT_ONCE] = {0};
      const float *tap = from + first;
      for (int64_t row = 0; row < v->kernel_height; row++) {
        for (int64_t i = 0; i < v->kernel_width; i++, tap += width + v->out) {
          // Values beyond the last channel are of no matter.
          for (int64_t k = 0; k < AT_ONCE; k++) sum[k] += tap[k];
        }
        tap += (j->patch_columns - v->kernel_width) * width;
      }
      for (int64_t k = 0; k < AT_ONCE && first + k < v->out; k++, at++) {
        float value = sum[k] + (v->bias ? v->bias[first + k] : 0);
        if (v->y_dtype == INK_BF16) {
          ((uint16_t *)y)[at] = ink_bf16_from_f32(value);
        } else {
          ((float *)y)[at] = value;
        }
      }
    }
  }
}

// A block of a narrow result: the products of all pixels of its patch, and what belongs together.
static void run_narrow(const job *j, const block *at, char *staged, float *products) {
  const ink_convolution *v = j->v;
  int64_t rows = at->rows + v->kernel_height - 1, columns = at->columns + v->kernel_width - 1;
  int64_t width = j->kernels->columns, tiles = divided_up(columns, j->kernels->rows);
  for (int64_t channel = 0; channel < v->channels; channel += j->panels.block) {
    int64_t n = smaller(j->panels.block, v->channels - channel);
    stage(j, at, channel, n, staged);
    ink_convolve_tile tile = {.taps = 1,
                              .steps = steps_of(j->kernels, n),
                              .tap = j->tap,
                              .sums_stride = width,
                              .add = channel > 0,
                              .b = j->weight + block_offset(&j->panels, channel)};
    for (int64_t line = 0; line < at->images * rows; line++) {
      int64_t row = line / rows * j->patch_rows + line % rows;
      for (int64_t t = 0; t < tiles; t++) {
        int64_t begin = columns * t / tiles, end = columns * (t + 1) / tiles;
        tile.rows = (int)(end - begin);
        tile.a = staged + patch_at(j, row, begin);
        tile.sums = products + (row * j->patch_columns + begin) * width;
        j->kernels->multiply(&tile);
      }
    }
  }
  for (int64_t line = 0; line < at->images * at->rows; line++) {
    int64_t image = line / at->rows, row = line % at->rows;
    pick_up(
        j, products + (image * j->patch_rows + row) * j->patch_columns * width, at->columns, v->y,
        (at->image + image) * j->y_image + (at->row + row) * j->y_row + at->column * j->y_pixel);
  }
}

static void run_block(void *context, size_t index, int thread) {
  const job *j = context;
  const ink_convolution *v = j->v;
  int64_t across = (int64_t)index % j->blocks_across, rest = (int64_t)index / j->blocks_across;
  int64_t down = rest % j->blocks_down;
  rest /= j->blocks_down;
  int64_t batch = rest % j->blocks_batch, group = rest / j->blocks_batch;
  block at = {batch * j->images, down * j->rows, across * j->width, 0, 0, 0};
  at.images = smaller(j->images, v->batch - at.image);
  at.rows = smaller(j->rows, v->y_height - at.row);
  at.columns = smaller(j->width, v->y_width - at.column);
  char *staged = j->scratch + (size_t)thread * j->scratch_bytes;
  float *sums = (float *)(void *)(staged + j->staged_bytes);
  if (j->panels.narrow) {
    run_narrow(j, &at, staged, sums);
    return;
  }
  int64_t columns = j->kernels->columns, first = group * j->group / columns;
  int64_t end = divided_up(smaller((group + 1) * j->group, v->out), columns);
  for (int64_t channel = 0; channel < v->channels; channel += j->panels.block) {
    int64_t n = smaller(j->panels.block, v->channels - channel);
    bool last = channel + n == v->channels;
    stage(j, &at, channel, n, staged);
    ink_convolve_tile tile = {.linear = j->linear,
                              .taps = j->panels.taps,
                              .steps = steps_of(j->kernels, n),
                              .tap = j->tap,
                              .sums_stride = j->group,
                              .add = channel > 0,
                              .y_stride = j->y_pixel,
                              .y_bf16 = v->y_dtype == INK_BF16,
                              .y_add = v->add,
                              .relu = v->relu};
    for (int64_t panel = first; panel < end; panel++) {
      tile.b = j->weight + panel * j->panels.panel_bytes + block_offset(&j->panels, channel);
      run_panel(j, &at, tile, panel, last, staged, sums + (panel - first) * columns);
    }
  }
}

// Cut the result into blocks. Blocks never change a byte.
static void cut(job *j, int threads) {
  const ink_convolution *v = j->v;
  int64_t columns = j->kernels->columns;
  int64_t pixels = BLOCK_PIXELS, all = v->batch * v->y_height * v->y_width;
  // Few channels leave room for twice as many, and less of a block is the border of another.
  bool thin = !j->linear && j->panels.block <= INK_CONVOLVE_CHANNELS / 2;
  if (thin && all >= 2 * BLOCK_PIXELS * LEAST_BLOCKS * threads) pixels *= 2;
  j->width = j->linear ? pixels : BLOCK_WIDTH;
  j->width = divided_up(v->y_width, divided_up(v->y_width, j->width));
  j->rows = pixels / j->width;
  if (j->rows < 1) j->rows = 1;
  j->rows = divided_up(v->y_height, divided_up(v->y_height, j->rows));
  j->images = pixels / (j->width * j->rows);
  if (j->images < 1) j->images = 1;
  if (j->images > v->batch) j->images = v->batch;
  j->blocks_across = divided_up(v->y_width, j->width);
  j->blocks_down = divided_up(v->y_height, j->rows);
  j->blocks_batch = divided_up(v->batch, j->images);
  // Few blocks of pixels: output channels are cut as well.
  int64_t blocks = j->blocks_across * j->blocks_down * j->blocks_batch;
  int64_t n_panels = divided_up(v->out, columns);
  int64_t groups = divided_up(v->out, j->linear && v->channels > j->panels.block ? 320 : 1280);
  while (blocks * groups < 4 * threads && groups < n_panels) groups *= 2;
  if (groups > n_panels) groups = n_panels;
  j->group = divided_up(n_panels, groups) * columns;
}

// Channels of a block: as even as whole lines of cache allow, so that the last is not a short one.
// It depends on the number of channels alone.
static int64_t even_block(int64_t channels, bool linear) {
  int64_t most = linear ? INK_LINEAR_CHANNELS : INK_CONVOLVE_CHANNELS;
  return divided_up(divided_up(channels, divided_up(channels, most)), 32) * 32;
}

// Run the job's convolution with its prepared weight.
static bool run(ink_compute *c, const char *name, job *j) {
  const ink_convolution *v = j->v;
  ink_arena_mark mark = ink_arena_save(c->arena);
  int64_t *tap = ink_op_take(c, name, (size_t)j->panels.taps, sizeof *tap);
  int threads = ink_pool_threads(c->pool);
  cut(j, threads);
  j->patch_rows = (j->rows - 1) * v->stride + v->kernel_height;
  j->patch_columns = (j->width - 1) * v->stride + v->kernel_width;
  j->phase_columns = divided_up(j->patch_columns, v->stride);
  j->staged_bytes = (size_t)patch_at(j, j->images * j->patch_rows, 0);
  int64_t floats = j->images * j->rows * j->width * j->group;
  if (j->panels.narrow) {
    floats = j->images * j->patch_rows * j->patch_columns * j->kernels->columns + AT_ONCE;
  }
  size_t sums = (size_t)floats * sizeof(float);
  j->scratch_bytes = (j->staged_bytes + sums + 63) / 64 * 64;
  j->scratch = ink_op_take(c, name, (size_t)threads, j->scratch_bytes);
  bool fine = tap && j->scratch;
  if (fine) {
    for (int64_t i = 0; i < j->panels.taps; i++) {
      tap[i] = patch_at(j, i / v->kernel_width, i % v->kernel_width);
    }
    j->tap = tap;
    int64_t groups = divided_up(v->out, j->group);
    ink_pool_run(c->pool, (size_t)(groups * j->blocks_batch * j->blocks_down * j->blocks_across),
                 run_block, j);
  }
  ink_arena_release(c->arena, mark);
  return fine;
}

// ---- enlarged pictures --------------------------------------------------------------------------

// Along one side, lines `first`, … of the enlarged picture whose remainder by two is `which`: they
// are at, at + 2, … of the `length` that are wanted, and each sees two lines of x, those of the
// first from -before on.
typedef struct side {
  int64_t at, count, before;
} side;

static side side_of(int64_t which, int64_t first, int64_t length) {
  int64_t at = (which + first) % 2, line = (first + at) / 2;
  return (side){.at = at, .count = (length - at + 1) / 2, .before = 1 - which - line};
}

static bool run_phases(ink_compute *c, const char *name, job *j, const char *weight) {
  const ink_convolution *v = j->v;
  int64_t size = (int64_t)ink_dtype_about(v->y_dtype)->block_bytes;
  j->y_image = v->y_height * v->y_width * v->out;
  j->y_row = 2 * v->y_width * v->out;
  j->y_pixel = 2 * v->out;
  for (int64_t phase = 0; phase < PHASES; phase++) {
    side down = side_of(phase / 2, v->row, v->y_height), across = side_of(phase % 2, 0, v->y_width);
    if (down.count < 1 || across.count < 1) continue;
    ink_convolution part = *v;
    part.kernel_height = part.kernel_width = 2;
    part.top = down.before;
    part.left = across.before;
    part.y_height = down.count;
    part.y_width = across.count;
    part.y = (char *)v->y + (down.at * v->y_width + across.at) * v->out * size;
    j->v = &part;
    j->weight = weight + phase * divided_up(v->out, j->kernels->columns) * j->panels.panel_bytes;
    if (!run(c, name, j)) return false;
  }
  j->v = v;
  return true;
}

// A few output channels, as of a picture behind its decoder, would leave most lanes of a register
// without work: there the taps of all of them are columns of one product a pixel, and a pixel of
// the result picks up what belongs to it from the pixels around it. In BF16 alone: F32 keeps the
// order of its sums.
static bool is_narrow(const ink_convolution *v, const ink_convolve_kernels *kernels) {
  int64_t taps = v->kernel_height * v->kernel_width;
  return kernels->elements == 2 && taps > 1 && v->out * taps <= kernels->columns &&
         v->stride == 1 && !v->enlarged && !v->turned && !v->add && !v->relu;
}

bool ink_convolve(ink_compute *c, const char *name, const ink_convolution *v) {
  int64_t taps = v->kernel_height * v->kernel_width;
  if (v->batch * v->y_height * v->y_width * v->out == 0) return true;
  if (v->channels == 0) {
    ink_compute_fail(c, INK_ERR_CONFLICT, "%s: an input without channels", name);
    return false;
  }
  bool bf16 = v->x_dtype == INK_BF16 || c->precision == INK_PRECISION_BF16;
  job j = {.kernels = kernels_for(bf16), .v = v, .linear = taps == 1};
  bool narrow = is_narrow(v, j.kernels);
  j.panels = (panels){.kernels = j.kernels,
                      .out = narrow ? v->out * taps : v->out,
                      .channels = v->channels,
                      .taps = narrow        ? 1
                              : v->enlarged ? FOLDED_TAPS
                                            : taps,
                      .block = even_block(v->channels, j.linear),
                      .round = v->x_dtype == INK_BF16 && j.kernels->elements == 1,
                      .turned = v->turned,
                      .narrow = narrow,
                      .phases = v->enlarged ? PHASES : 1,
                      .weight = v->weight,
                      .weight_taps = taps};
  j.panels.panel_bytes = block_offset(&j.panels, v->channels);
  j.pixel = j.kernels->pixel_bytes[j.linear];
  ink_arena_mark mark = ink_arena_save(c->arena);
  const char *weight = prepare(c, name, &j.panels, v->passing);
  bool fine = weight != NULL;
  if (fine && v->enlarged) {
    fine = run_phases(c, name, &j, weight);
  } else if (fine) {
    j.weight = weight;
    j.y_image = v->y_height * v->y_width * v->out;
    j.y_row = v->y_width * v->out;
    j.y_pixel = v->out;
    fine = run(c, name, &j);
  }
  ink_arena_release(c->arena, mark);
  return fine;
}
