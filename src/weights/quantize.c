// Types of a quantisation (the mixes follow llama.cpp, src/llama-quant.cpp), and tensors carried
// over row by row.
#include "weights/quantize.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "tensor/blocks.h"
#include "tensor/gemm.h"
#include "weights/check.h"

static const char *const names[INK_QUANT_COUNT] = {
    [INK_QUANT_KEEP] = "KEEP", [INK_QUANT_F32] = "F32",       [INK_QUANT_F16] = "F16",
    [INK_QUANT_BF16] = "BF16", [INK_QUANT_Q8_0] = "Q8_0",     [INK_QUANT_Q4_0] = "Q4_0",
    [INK_QUANT_Q6_K] = "Q6_K", [INK_QUANT_Q4_K_M] = "Q4_K_M",
};

const char *ink_quant_name(ink_quant quant) {
  return names[quant];
}

ink_status ink_quant_parse(const char *name, ink_quant *quant, ink_error *error) {
  for (int i = 0; i < INK_QUANT_COUNT; i++) {
    bool is = strcasecmp(name, names[i]) == 0;
    if (i == INK_QUANT_Q4_K_M) is = is || strcasecmp(name, "Q4_K") == 0;
    if (!is) continue;
    *quant = (ink_quant)i;
    return INK_OK;
  }
  return ink_fail(error, INK_ERR_USAGE,
                  "\"%.*s\" is no type to convert to; known are F32, F16, BF16, Q8_0, Q6_K, "
                  "Q4_K_M, Q4_0",
                  INK_SHOWN(name));
}

// The number of the layer in "blk.N.…", -1 where there is none.
static int64_t layer_of(const char *name) {
  if (strncmp(name, "blk.", 4) != 0) return -1;
  char *end;
  long layer = strtol(name + 4, &end, 10);
  return end > name + 4 && *end == '.' && layer >= 0 ? layer : -1;
}

// The layers whose attn_v and ffn_down get more bits: the first and last eighth, and every third.
static bool is_heavy_layer(int64_t layer, int64_t n_layer) {
  return layer < n_layer / 8 || layer >= 7 * n_layer / 8 || (layer - n_layer / 8) % 3 == 2;
}

static ink_dtype mix_q4_k_m(const char *name, int64_t n_layer) {
  int64_t layer = layer_of(name);
  if (layer < 0) return INK_Q4_K;
  if (strstr(name, ".attn_qkv.")) return INK_Q6_K;
  bool heavy = strstr(name, ".attn_v.") || strstr(name, ".ffn_down.");
  return heavy && is_heavy_layer(layer, n_layer) ? INK_Q6_K : INK_Q4_K;
}

// What the rows of a tensor allow.
static ink_dtype fit_rows(ink_dtype dtype, int64_t columns) {
  if ((dtype == INK_Q4_K || dtype == INK_Q6_K) && columns % INK_SUPER_BLOCK != 0) dtype = INK_Q8_0;
  if (ink_dtype_is_block(dtype) && columns % ink_dtype_about(dtype)->block_elements != 0) {
    dtype = INK_F16;
  }
  return dtype;
}

ink_dtype ink_quant_dtype(ink_quant quant, const char *gguf_name, int rank, const int64_t *shape,
                          ink_dtype stored, int64_t n_layer, bool tied_head) {
  if (stored == INK_I32) return stored;
  if (rank < 2 || strncmp(gguf_name, "position_embd.", 14) == 0) return INK_F32;
  bool head = strcmp(gguf_name, "output.weight") == 0 ||
              (tied_head && strcmp(gguf_name, "token_embd.weight") == 0);
  ink_dtype wanted = stored;
  switch (quant) {
    case INK_QUANT_F32:
      return INK_F32;
    case INK_QUANT_F16:
      return INK_F16;
    case INK_QUANT_BF16:
      return INK_BF16;
    case INK_QUANT_Q8_0:
      wanted = INK_Q8_0;
      break;
    case INK_QUANT_Q4_0:
      wanted = head ? INK_Q6_K : INK_Q4_0;
      break;
    case INK_QUANT_Q4_K_M:
      wanted = head ? INK_Q6_K : mix_q4_k_m(gguf_name, n_layer);
      break;
    case INK_QUANT_Q6_K:
      wanted = INK_Q6_K;
      break;
    default:
      return stored;
  }
  return fit_rows(wanted, shape[rank - 1]);
}

// -- Passage --------------------------------------------------------------------------------------

enum {
  TASK_ELEMENTS = 1 << 16,  // that one task of the team takes at a time
  PIECE = INK_SUPER_BLOCK,  // elements of a row that are turned at once: whole blocks of any type
  CHUNK_BYTES = 8 << 20     // beyond this more memory makes nothing faster
};

// A tensor as rows, and the rows that are being made now.
typedef struct rows {
  const ink_passage *passage;
  int64_t n, columns;     // of the result
  size_t row_bytes;       // of the result
  size_t from_row_bytes;  // of the source
  bool turned;
  int64_t head_rows;     // rows of one head, 0: rows stay where they are
  int64_t first, count;  // now
  int64_t per_task;
  float *values;         // count * columns; NULL where bytes are copied
  unsigned char *bytes;  // count * row_bytes
} rows;

static bool is_turned(const ink_passage *p) {
  return p->layout == INK_LAYOUT_TRANSPOSED && p->from->rank == 2;
}

void ink_passage_shape(const ink_passage *passage, int64_t shape[INK_MAX_RANK]) {
  const ink_weights_entry *from = passage->from;
  for (int i = 0; i < from->rank; i++) {
    shape[i] = from->shape[is_turned(passage) ? from->rank - 1 - i : i];
  }
}

// The row of the source that a row of the result is. Hugging Face keeps the halves of a head one
// behind the other (p, i), GGUF's llama side by side (i, p).
static int64_t source_row(const rows *r, int64_t row) {
  if (!r->head_rows) return row;
  int64_t start = row - row % r->head_rows, within = row % r->head_rows, half = r->head_rows / 2;
  return r->passage->to_gguf ? start + within % 2 * half + within / 2
                             : start + within % half * 2 + within / half;
}

static const unsigned char *source(const rows *r) {
  return r->passage->from->tensor.data;
}

// Columns of the source become rows of the result, a piece of each source row at a time.
static void turn(const rows *r, int64_t first, int64_t n) {
  const ink_dtype_info *type = ink_dtype_about(r->passage->from->tensor.dtype);
  float piece[PIECE];
  for (int64_t start = first; start < first + n; start += PIECE) {
    int64_t length = first + n - start < PIECE ? first + n - start : PIECE;
    size_t offset = (size_t)(start / type->block_elements) * type->block_bytes;
    for (int64_t column = 0; column < r->columns; column++) {
      ink_to_f32(r->passage->from->tensor.dtype,
                 source(r) + (size_t)column * r->from_row_bytes + offset, piece, length);
      for (int64_t i = 0; i < length; i++) {
        r->values[(start - r->first + i) * r->columns + column] = piece[i];
      }
    }
  }
}

static void make_rows(void *context, size_t index, int thread) {
  (void)thread;
  const rows *r = context;
  int64_t first = r->first + (int64_t)index * r->per_task, end = r->first + r->count;
  int64_t n = end - first < r->per_task ? end - first : r->per_task;
  unsigned char *out = r->bytes + (size_t)(first - r->first) * r->row_bytes;
  if (!r->values) {
    for (int64_t i = 0; i < n; i++, out += r->row_bytes) {
      memcpy(out, source(r) + (size_t)source_row(r, first + i) * r->from_row_bytes, r->row_bytes);
    }
    return;
  }
  float *values = r->values + (first - r->first) * r->columns;
  if (r->turned) {
    turn(r, first, n);
  } else {
    for (int64_t i = 0; i < n; i++) {
      ink_to_f32(r->passage->from->tensor.dtype,
                 source(r) + (size_t)source_row(r, first + i) * r->from_row_bytes,
                 values + i * r->columns, r->columns);
    }
  }
  ink_from_f32(r->passage->dtype, values, out, n * r->columns);
}

// How many rows at once: as memory allows, and whole pieces where rows are turned.
static ink_status plan_rows(rows *r, size_t ram, ink_error *error) {
  size_t one = r->row_bytes + (r->values ? (size_t)r->columns * sizeof(float) : 0);
  int64_t least = r->turned ? PIECE : 1;
  if (least > r->n) least = r->n;
  if (least * (int64_t)one > (int64_t)(ram > INT64_MAX ? INT64_MAX : ram)) {
    return ink_fail(error, INK_ERR_MEMORY, "%.*s needs %lld bytes to convert; %zu are allowed",
                    INK_SHOWN(r->passage->from->name), (long long)(least * (int64_t)one), ram);
  }
  size_t allowed = ram < CHUNK_BYTES ? ram : CHUNK_BYTES;
  int64_t count = (int64_t)(allowed / (one ? one : 1));
  r->count = count < least ? least : count > r->n ? r->n : count;
  r->per_task = r->columns ? TASK_ELEMENTS / r->columns : r->count;
  if (r->per_task < 1) r->per_task = 1;
  if (r->turned) {
    r->count = r->count < r->n ? r->count / PIECE * PIECE : r->count;
    r->per_task = (r->per_task + PIECE - 1) / PIECE * PIECE;
  }
  return INK_OK;
}

static ink_status pass_rows(rows *r, ink_pool *pool, ink_passage_sink sink, void *context,
                            ink_error *error) {
  int64_t most = r->count;
  for (r->first = 0; r->first < r->n; r->first += most) {
    r->count = r->n - r->first < most ? r->n - r->first : most;
    ink_pool_run(pool, (size_t)((r->count + r->per_task - 1) / r->per_task), make_rows, r);
    INK_TRY(sink(context, r->bytes, (size_t)r->count * r->row_bytes, error));
  }
  return INK_OK;
}

// Bytes as they are, in pieces so that the listener is heard now and then.
static ink_status pass_bytes(const ink_weights_entry *from, ink_passage_sink sink, void *context,
                             ink_error *error) {
  const unsigned char *at = from->tensor.data;
  for (size_t left = from->bytes, now; left; left -= now, at += now) {
    now = left < CHUNK_BYTES ? left : CHUNK_BYTES;
    INK_TRY(sink(context, at, now, error));
  }
  return INK_OK;
}

ink_status ink_passage_run(const ink_passage *passage, size_t ram, ink_pool *pool,
                           ink_passage_sink sink, void *context, ink_error *error) {
  const ink_weights_entry *from = passage->from;
  bool same_type = from->tensor.dtype == passage->dtype;
  rows r = {.passage = passage, .turned = is_turned(passage)};
  bool rope = passage->layout == INK_LAYOUT_ROPE_Q || passage->layout == INK_LAYOUT_ROPE_K;
  if (same_type && !r.turned && !rope) return pass_bytes(from, sink, context, error);

  // A vector whose elements change places is a matrix of one column.
  int64_t shape[INK_MAX_RANK] = {0};
  ink_passage_shape(passage, shape);
  bool column = rope && from->rank == 1;
  r.columns = column || from->rank == 0 ? 1 : shape[from->rank - 1];
  r.n = 1;
  for (int i = 0; i < from->rank - !column; i++) r.n *= shape[i];
  if (rope) {
    if (passage->n_head < 1 || r.n % passage->n_head != 0 || r.n / passage->n_head % 2 != 0) {
      return ink_fail(error, INK_ERR_CONFLICT,
                      "%.*s: %lld rows do not divide among %lld heads of even width",
                      INK_SHOWN(from->name), (long long)r.n, (long long)passage->n_head);
    }
    r.head_rows = r.n / passage->n_head;
  }
  if (r.n == 0 || r.columns == 0) return INK_OK;
  int64_t from_columns = r.turned ? r.n : r.columns;
  if (!ink_tensor_bytes(passage->dtype, 1, &r.columns, &r.row_bytes) ||
      !ink_tensor_bytes(from->tensor.dtype, 1, &from_columns, &r.from_row_bytes)) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%.*s: rows of %lld elements do not fit %s",
                    INK_SHOWN(from->name), (long long)r.columns,
                    ink_dtype_about(passage->dtype)->name);
  }
  // Only tells plan_rows that values are needed.
  float none;
  r.values = same_type && !r.turned ? NULL : &none;
  INK_TRY(plan_rows(&r, ram, error));
  size_t elements = (size_t)(r.count * r.columns);
  r.bytes = malloc((size_t)r.count * r.row_bytes + 1);
  r.values = r.values ? malloc((elements + 1) * sizeof(float)) : NULL;
  bool fine = r.bytes && (r.values || (same_type && !r.turned));
  ink_status status = fine ? pass_rows(&r, pool, sink, context, error)
                           : ink_fail(error, INK_ERR_MEMORY, "%.*s: no memory to convert it",
                                      INK_SHOWN(from->name));
  free(r.values);
  free(r.bytes);
  return status;
}
