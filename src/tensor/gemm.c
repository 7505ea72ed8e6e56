// Products: the operand with fewer lines is packed once for all, the other tile by tile of the
// result; the register tile runs over the panels (Goto and van de Geijn, "Anatomy of
// High-Performance Matrix Multiplication", 2008). A line is a row of a or a column of b.
#include "tensor/gemm.h"

#include <stdlib.h>

#include "base/checked.h"
#include "tensor/cpu/gemm.h"
#include "tensor/isa.h"

enum {
  // Lines of a tile's own operand: its panels of one block of k stay in the second-level cache
  // beside what they meet there.
  OWN_ROWS = 98,
  OWN_COLUMNS = 256,
  // Rows of a shared a that meet a tile's columns at a time, for the same reason.
  MEETING_ROWS = 252,
  // Lines of one packing task of the shared operand.
  PACK_LINES = 64,
  // Below this many multiplications a second thread costs more than it does.
  SMALL_WORK = 1 << 17
};

// Most bytes of packed panels at a time: what a last-level cache may hold. Beyond it the shared
// operand comes in several rounds.
static const int64_t most_shared = 24 << 20;

// One operand cut into panels of `width` lines and blocks of k.
typedef struct side {
  ink_matrix m;
  bool by_rows;  // a line is a row: operand a
  int64_t lines, width, panel_bytes;
  void (*pack)(const ink_gemm_lines *from, int64_t count, int64_t k, void *panels, float *scratch);
} side;

typedef struct product {
  const ink_gemm_kernels *kernels;
  int64_t k, block, blocks;  // elements of k, of a block of it, and how many blocks
  side a, b;
  const side *shared, *own;
  const float *bias;
  float *result;
  int64_t result_stride;
  bool accumulate;
  int64_t first, lines;       // of the shared operand in this round
  int64_t packs;              // packing tasks per block
  int64_t tiles, own_panels;  // of the own operand
  char *panels;               // of the shared operand: block by block
  char *scratch;              // per thread: panels of a tile, and room for packing
  size_t scratch_bytes, tile_bytes;
} product;

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int64_t divided_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// The table for this machine and this kind of element; BF16 falls back to F32.
static const ink_gemm_kernels *kernels_for(ink_dtype element) {
#if defined(__x86_64__)
  const ink_cpu *cpu = ink_cpu_about();
  if (cpu->bf16 && element == INK_BF16) return &ink_gemm_avx512_bf16;
  if (cpu->isa == INK_ISA_AVX512) return &ink_gemm_avx512;
  if (cpu->isa == INK_ISA_AVX2) return &ink_gemm_avx2;
#else
  (void)element;
#endif
  return &ink_gemm_portable;
}

// Element (row, column); of a block type, column is the first of a block.
static const char *element_at(const ink_matrix *m, int64_t row, int64_t column) {
  const ink_dtype_info *type = ink_dtype_about(m->dtype);
  int64_t index = row * m->row_stride + column * m->column_stride;
  return (const char *)m->data + index / type->block_elements * (int64_t)type->block_bytes;
}

static int64_t bytes_of(const ink_matrix *m, int64_t stride) {
  const ink_dtype_info *type = ink_dtype_about(m->dtype);
  return stride / type->block_elements * (int64_t)type->block_bytes;
}

// Pack `count` lines from `line` on and the elements of k from `k` on.
static void pack(const side *s, int64_t line, int64_t count, int64_t k, int64_t depth, char *panels,
                 char *scratch) {
  const ink_matrix *m = &s->m;
  bool along = s->by_rows ? m->column_stride == 1 : m->row_stride == 1;
  int64_t line_stride = s->by_rows ? m->row_stride : m->column_stride;
  int64_t k_stride = s->by_rows ? m->column_stride : m->row_stride;
  int64_t group = INK_GEMM_LINES / s->width * s->width;
  for (int64_t i = 0; i < count; i += group) {
    const char *data = s->by_rows ? element_at(m, line + i, k) : element_at(m, k, line + i);
    ink_gemm_lines lines = {m->dtype, data, bytes_of(m, along ? line_stride : k_stride), along};
    s->pack(&lines, smaller(group, count - i), depth, panels + i / s->width * s->panel_bytes,
            (float *)(void *)scratch);
  }
}

static int64_t depth_of(const product *p, int64_t block) {
  return smaller(p->block, p->k - block * p->block);
}

static char *shared_panels(const product *p, int64_t block) {
  int64_t panels = divided_up(p->lines, p->shared->width);
  return p->panels + block * panels * p->shared->panel_bytes;
}

static void pack_shared(void *context, size_t index, int thread) {
  const product *p = context;
  const side *s = p->shared;
  char *scratch = p->scratch + (size_t)thread * p->scratch_bytes + p->tile_bytes;
  int64_t each = PACK_LINES / s->width * s->width;
  int64_t block = (int64_t)index / p->packs, line = (int64_t)index % p->packs * each;
  pack(s, p->first + line, smaller(each, p->lines - line), block * p->block, depth_of(p, block),
       shared_panels(p, block) + line / s->width * s->panel_bytes, scratch);
}

// Panels of rows [i0, i0 + rows) by panels of columns [j0, j0 + columns), one block of k: a panel
// of b stays in the first-level cache while those of a pass.
static void multiply(const product *p, int64_t block, int64_t i0, int64_t rows, const char *a,
                     int64_t j0, int64_t columns, const char *b) {
  const ink_gemm_kernels *kernels = p->kernels;
  bool add = p->accumulate || block > 0, last = block + 1 == p->blocks;
  bool a_along_k = p->a.m.column_stride == 1;
  int64_t depth = depth_of(p, block);
  for (int64_t j = 0; j < columns; j += kernels->columns, b += kernels->b_bytes) {
    const float *bias = last && p->bias ? p->bias + j0 + j : NULL;
    float *to = p->result + i0 * p->result_stride + j0 + j;
    const char *panel = a;
    for (int64_t i = 0; i < rows; i += kernels->rows, panel += kernels->a_bytes) {
      kernels->multiply(smaller(kernels->rows, rows - i), smaller(kernels->columns, columns - j),
                        depth, panel, a_along_k, b, to + i * p->result_stride, p->result_stride,
                        add, bias);
    }
  }
}

static void run_tile(void *context, size_t index, int thread) {
  const product *p = context;
  const side *own = p->own;
  char *panels = p->scratch + (size_t)thread * p->scratch_bytes;
  int64_t line = (int64_t)index * p->own_panels / p->tiles * own->width;
  int64_t end = smaller(((int64_t)index + 1) * p->own_panels / p->tiles * own->width, own->lines);
  for (int64_t block = 0; block < p->blocks; block++) {
    pack(own, line, end - line, block * p->block, depth_of(p, block), panels,
         panels + p->tile_bytes);
    const char *shared = shared_panels(p, block);
    if (own->by_rows) {
      multiply(p, block, line, end - line, panels, p->first, p->lines, shared);
      continue;
    }
    int64_t rows = MEETING_ROWS / p->kernels->rows * p->kernels->rows;
    for (int64_t i = 0; i < p->lines; i += rows) {
      multiply(p, block, p->first + i, smaller(rows, p->lines - i),
               shared + i / p->kernels->rows * p->kernels->a_bytes, line, end - line, panels);
    }
  }
}

// Cut the work; the cut never changes a byte. Tiles are a multiple of the team, so that it ends
// together, and never fewer panels than they.
static void cut(product *p, int threads) {
  bool share_a = p->a.lines < p->b.lines;
  p->shared = share_a ? &p->a : &p->b;
  p->own = share_a ? &p->b : &p->a;
  int64_t each = (share_a ? OWN_COLUMNS : OWN_ROWS) / p->own->width;
  // Few rows use a panel once: let it not leave the first cache before.
  if (share_a && p->a.lines <= p->kernels->rows) each = 1;
  p->own_panels = divided_up(p->own->lines, p->own->width);
  int64_t tiles = divided_up(p->own_panels, each < 1 ? 1 : each);
  p->tiles = smaller(divided_up(tiles, threads) * threads, p->own_panels);
  p->tile_bytes = (size_t)(divided_up(p->own_panels, p->tiles) * p->own->panel_bytes);
  p->scratch_bytes = p->tile_bytes + INK_GEMM_SCRATCH;
  int64_t per_panel = p->blocks * p->shared->panel_bytes;
  int64_t panels = most_shared / per_panel;
  if (panels < PACK_LINES / p->shared->width) panels = PACK_LINES / p->shared->width;
  p->lines = smaller(panels * p->shared->width, p->shared->lines);
}

static side side_of(ink_matrix m, bool by_rows, const ink_gemm_kernels *kernels) {
  return (side){.m = m,
                .by_rows = by_rows,
                .lines = by_rows ? m.rows : m.columns,
                .width = by_rows ? kernels->rows : kernels->columns,
                .panel_bytes = by_rows ? kernels->a_bytes : kernels->b_bytes,
                .pack = by_rows ? kernels->pack_a : kernels->pack_b};
}

static ink_status check(const ink_matrix *a, const ink_matrix *b, int64_t result_stride,
                        ink_error *error) {
  if (a->columns != b->rows || a->rows < 0 || a->columns < 0 || b->columns < 0) {
    return ink_fail(error, INK_ERR_INTERNAL, "product of %lld x %lld and %lld x %lld",
                    (long long)a->rows, (long long)a->columns, (long long)b->rows,
                    (long long)b->columns);
  }
  bool unit = (a->row_stride == 1 || a->column_stride == 1) &&
              (b->row_stride == 1 || b->column_stride == 1);
  if (!unit || result_stride < b->columns) {
    return ink_fail(error, INK_ERR_INTERNAL, "product of operands without a stride of 1");
  }
  bool known_a = a->dtype == INK_F32 || a->dtype == INK_BF16;
  bool known_b = b->dtype != INK_I32 && (int)b->dtype >= 0 && b->dtype < INK_DTYPE_COUNT;
  if (!known_a || !known_b) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "product of operands of these element types");
  }
  if (ink_dtype_is_block(b->dtype)) {
    int64_t block = ink_dtype_about(b->dtype)->block_elements;
    if (b->row_stride != 1 || b->rows % block != 0 || b->column_stride % block != 0) {
      return ink_fail(error, INK_ERR_INTERNAL, "product with a block type not seen by its rows");
    }
  }
  return INK_OK;
}

ink_status ink_gemm(ink_pool *pool, ink_precision precision, ink_matrix a, ink_matrix b,
                    const float *bias, float *result, int64_t result_stride, bool accumulate,
                    ink_error *error) {
  INK_TRY(check(&a, &b, result_stride, error));
  if (a.rows == 0 || b.columns == 0) return INK_OK;
  // Products of BF16 operands are exact in F32, so the faster instruction loses nothing.
  bool pairs = precision == INK_PRECISION_BF16 || (a.dtype == INK_BF16 && b.dtype == INK_BF16);
  const ink_gemm_kernels *kernels = kernels_for(pairs ? INK_BF16 : INK_F32);
  product p = {.kernels = kernels,
               .k = a.columns,
               .block = INK_GEMM_STEPS * kernels->elements,
               .a = side_of(a, true, kernels),
               .b = side_of(b, false, kernels),
               .bias = bias,
               .result = result,
               .result_stride = result_stride,
               .accumulate = accumulate};
  // A product without terms is its bias, or zero: one empty block.
  p.blocks = p.k > 0 ? divided_up(p.k, p.block) : 1;
  if (a.rows * b.columns * a.columns < SMALL_WORK) pool = NULL;
  int threads = ink_pool_threads(pool);
  cut(&p, threads);
  int64_t most = divided_up(p.lines, p.shared->width) * p.blocks * p.shared->panel_bytes;
  size_t own, bytes;
  if (!ink_mul_size(p.scratch_bytes, (size_t)threads, &own) ||
      !ink_add_size(own, (size_t)most, &bytes) || !(p.scratch = aligned_alloc(64, bytes))) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory for the panels of a product");
  }
  p.panels = p.scratch + own;
  int64_t round = p.lines;
  for (; p.first < p.shared->lines; p.first += round) {
    p.lines = smaller(round, p.shared->lines - p.first);
    p.packs = divided_up(p.lines, PACK_LINES / p.shared->width * p.shared->width);
    ink_pool_run(pool, (size_t)(p.packs * p.blocks), pack_shared, &p);
    ink_pool_run(pool, (size_t)p.tiles, run_tile, &p);
  }
  free(p.scratch);
  return INK_OK;
}
