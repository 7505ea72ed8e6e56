// Attention of BF16 operands without a mask: pictures attend to themselves and to their text. Keys
// and values of each head are packed once; a tile of queries is the work of one thread. Machines
// without AVX-512 BF16 take the way of F32.
#include "tensor/attention_bf16.h"

#include <string.h>

#include "tensor/cpu/attend.h"
#include "tensor/isa.h"

#if defined(__x86_64__)

typedef struct attention {
  const ink_tensor *q, *k, *v;
  ink_tensor *y;
  int64_t heads, groups, queries, keys, width, columns;
  int64_t tiles, tile_rows;               // of one head
  int64_t panel_bytes, k_bytes, v_bytes;  // of one group
  float scale;
  char *packed_k, *packed_v;
  char *scratch;  // of each thread
  size_t scratch_bytes;
} attention;

static const uint16_t *row_at(const ink_tensor *x, int64_t b, int64_t t, int64_t head) {
  return (const uint16_t *)x->data + b * x->stride[0] + t * x->stride[1] + head * x->stride[2];
}

enum { PACKED_KEYS = 256 };  // of a packing task, a multiple of the panel

static void pack_task(void *context, size_t index, int thread) {
  (void)thread;
  const attention *a = context;
  int64_t parts = (a->keys + PACKED_KEYS - 1) / PACKED_KEYS;
  int64_t first = (int64_t)index % parts * PACKED_KEYS, group = (int64_t)index / parts;
  int64_t b = group / a->groups, g = group % a->groups;
  int64_t end = first + PACKED_KEYS < a->keys ? first + PACKED_KEYS : a->keys;
  char *k = a->packed_k + group * a->k_bytes;
  for (int64_t key = first; key < end; key += INK_ATTEND_PANEL) {
    int64_t n = end - key < INK_ATTEND_PANEL ? end - key : INK_ATTEND_PANEL;
    ink_attend_pack_keys(row_at(a->k, b, key, g), a->k->stride[1], n, a->width,
                         k + key / INK_ATTEND_PANEL * a->panel_bytes);
  }
  ink_attend_pack_values(row_at(a->v, b, first, g), a->v->stride[1], end - first, a->width,
                         a->columns, a->packed_v + group * a->v_bytes + first / 2 * a->columns * 4);
}

// What a tile takes of a thread's scratch: its arrays one behind the other.
typedef struct layout {
  size_t q, s, p, o, row;
} layout;

static layout layout_of(const attention *a) {
  size_t rows = INK_ATTEND_ROWS;
  return (layout){.q = rows * INK_ATTEND_Q_ROW,
                  .s = rows * INK_ATTEND_KEYS * sizeof(float),
                  .p = rows * INK_ATTEND_P_ROW,
                  .o = rows * (size_t)a->columns * sizeof(float),
                  .row = rows * sizeof(float)};
}

static size_t bytes_of_tile(const attention *a) {
  layout l = layout_of(a);
  return (l.q + l.s + l.p + l.o + 3 * l.row + 63) / 64 * 64;
}

static void lay_out(const attention *a, char *memory, ink_attend_tile *t) {
  layout l = layout_of(a);
  t->q = memory;
  t->s = (float *)(void *)(t->q + l.q);
  t->p = t->q + l.q + l.s;
  t->o = (float *)(void *)(t->p + l.p);
  t->greatest = t->o + l.o / sizeof(float);
  t->sum = t->greatest + INK_ATTEND_ROWS;
  t->shrink = t->sum + INK_ATTEND_ROWS;
}

static void tile_task(void *context, size_t index, int thread) {
  const attention *a = context;
  int64_t head = (int64_t)index / a->tiles, first = (int64_t)index % a->tiles * a->tile_rows;
  int64_t b = head / a->heads, h = head % a->heads;
  int64_t group = b * a->groups + h / (a->heads / a->groups);
  int64_t left = a->queries - first;
  ink_attend_tile t = {.rows = (int)(left < a->tile_rows ? left : a->tile_rows),
                       .width = a->width,
                       .keys = a->keys,
                       .scale = a->scale,
                       .k = a->packed_k + group * a->k_bytes,
                       .v = a->packed_v + group * a->v_bytes,
                       .columns = a->columns};
  lay_out(a, a->scratch + (size_t)thread * a->scratch_bytes, &t);
  size_t bytes = (size_t)a->width * sizeof(uint16_t);
  for (int i = 0; i < t.rows; i++) {
    char *q = t.q + i * INK_ATTEND_Q_ROW;
    memcpy(q, row_at(a->q, b, first + i, h), bytes);
    memset(q + bytes, 0, sizeof(uint16_t));
  }
  ink_attend_bf16(&t);
  ink_attend_finish(&t, (uint16_t *)(uintptr_t)row_at(a->y, b, first, h), a->y->stride[1]);
}

static bool run(ink_compute *c, const char *name, attention *a) {
  int64_t batch = a->q->shape[0], panels = (a->keys + INK_ATTEND_PANEL - 1) / INK_ATTEND_PANEL;
  a->columns = (a->width + 15) / 16 * 16;
  a->panel_bytes = (a->width + 1) / 2 * INK_ATTEND_PANEL * 4;
  a->k_bytes = panels * a->panel_bytes;
  a->v_bytes = (a->keys + 1) / 2 * a->columns * 4;
  a->tiles = (a->queries + INK_ATTEND_ROWS - 1) / INK_ATTEND_ROWS;
  a->tile_rows = (a->queries + a->tiles - 1) / a->tiles;
  int64_t parts = (a->keys + PACKED_KEYS - 1) / PACKED_KEYS;
  ink_arena_mark mark = ink_arena_save(c->arena);
  size_t groups = (size_t)(batch * a->groups), threads = (size_t)ink_pool_threads(c->pool);
  a->packed_k = ink_op_take(c, name, groups, (size_t)a->k_bytes);
  a->packed_v = ink_op_take(c, name, groups, (size_t)a->v_bytes);
  a->scratch_bytes = bytes_of_tile(a);
  a->scratch = ink_op_take(c, name, threads, a->scratch_bytes);
  bool fine = a->packed_k && a->packed_v && a->scratch;
  if (fine) {
    memset(a->scratch, 0, threads * a->scratch_bytes);
    ink_pool_run(c->pool, groups * (size_t)parts, pack_task, a);
    ink_pool_run(c->pool, (size_t)(batch * a->heads * a->tiles), tile_task, a);
  }
  ink_arena_release(c->arena, mark);
  return fine;
}

#endif

static bool fast(const ink_tensor *q, const ink_tensor *k, float scale, ink_attention_mask mask) {
#if defined(__x86_64__)
  return ink_cpu_about()->bf16 && !mask.causal && !mask.first_key && scale > 0.0f &&
         q->shape[3] <= INK_ATTEND_WIDTH && k->shape[1] > 0;
#else
  (void)q, (void)k, (void)scale, (void)mask;
  return false;
#endif
}

ink_tensor *ink_attention_bf16(ink_compute *c, const char *name, const ink_tensor *q,
                               const ink_tensor *k, const ink_tensor *v, float scale,
                               ink_attention_mask mask) {
  if (!ink_op_expect(c, name, "keys", k, INK_BF16) ||
      !ink_op_expect(c, name, "values", v, INK_BF16)) {
    return NULL;
  }
  ink_tensor *y = ink_op_result(c, name, INK_BF16, q->rank, q->shape);
  if (!y || ink_tensor_elements(q) == 0) return y;
#if defined(__x86_64__)
  if (fast(q, k, scale, mask)) {
    attention a = {.q = q,
                   .k = k,
                   .v = v,
                   .y = y,
                   .heads = q->shape[2],
                   .groups = k->shape[2],
                   .queries = q->shape[1],
                   .keys = k->shape[1],
                   .width = q->shape[3],
                   .scale = scale};
    return run(c, name, &a) ? y : NULL;
  }
#endif
  ink_arena_mark mark = ink_arena_save(c->arena);
  ink_tensor *o = ink_attention(c, ink_cast(c, q, INK_F32), k, v, scale, mask);
  if (o) ink_store(c, o, y);
  ink_arena_release(c->arena, mark);
  return o ? y : NULL;
}
