// Attention of BF16 queries over packed BF16 keys and values, without a mask (FlashAttention, Dao
// et al. 2022): products by AVX-512 BF16, sums in F32, probabilities rounded to BF16. Control stays
// in tensor/attention_bf16.c.
#ifndef INK_TENSOR_CPU_ATTEND_H
#define INK_TENSOR_CPU_ATTEND_H

#include <stdint.h>

enum {
  INK_ATTEND_ROWS = 60,    // queries of a tile: a multiple of 12, 6 and 5
  INK_ATTEND_KEYS = 256,   // of a chunk; the running maximum moves once a chunk
  INK_ATTEND_WIDTH = 512,  // the most a head may have
  INK_ATTEND_PANEL = 32,   // keys side by side in a panel
  // Bytes from row to row of queries and of probabilities: a line of cache more than a power of
  // two.
  INK_ATTEND_Q_ROW = 2 * INK_ATTEND_WIDTH + 64,
  INK_ATTEND_P_ROW = 2 * INK_ATTEND_KEYS + 64
};

// One tile of queries of one head. Rows behind the last query are computed and of no matter.
typedef struct ink_attend_tile {
  int rows;
  int64_t width, keys;
  float scale;      // positive
  char *q;          // (INK_ATTEND_ROWS, INK_ATTEND_Q_ROW): BF16, zero to a whole pair
  const char *k;    // panels: for each pair of elements, the pairs of 32 keys
  const char *v;    // for each pair of keys, `columns` pairs of elements
  int64_t columns;  // width in whole registers of 16
  float *s;         // scratch (INK_ATTEND_ROWS, INK_ATTEND_KEYS)
  char *p;          // scratch (INK_ATTEND_ROWS, INK_ATTEND_P_ROW)
  float *o;         // (INK_ATTEND_ROWS, columns), not yet divided by the sum
  float *greatest, *sum, *shrink;  // (INK_ATTEND_ROWS)
} ink_attend_tile;

#if defined(__x86_64__)
// Rows [first, first + n) of keys (a stretch of 32, fewer at the end), `stride` elements apart, as
// a panel; of values, n a multiple of 2 but at the end.
void ink_attend_pack_keys(const uint16_t *k, int64_t stride, int64_t n, int64_t width, char *panel);
void ink_attend_pack_values(const uint16_t *v, int64_t stride, int64_t n, int64_t width,
                            int64_t columns, char *pairs);
// All keys for one tile.
void ink_attend_bf16(const ink_attend_tile *tile);
// Rows of o divided by their sums, BF16, `stride` elements apart.
void ink_attend_finish(const ink_attend_tile *tile, uint16_t *y, int64_t stride);
#endif

#endif
