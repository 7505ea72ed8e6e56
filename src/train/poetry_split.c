// Clusters of near-duplicate poems, found by the lines they share, and the split by cluster.
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "train/poetry_parts.h"

enum { BIG_CLUSTER = 64 };

typedef struct line_hash {
  uint64_t hash;
  uint32_t poem;
} line_hash;

typedef struct line_list {
  line_hash *items;
  size_t count, capacity;
  uint32_t poem;  // that the next lines belong to
} line_list;

static bool add_line(void *context, uint64_t hash) {
  line_list *list = context;
  if (list->count == list->capacity) {
    size_t larger = list->capacity ? list->capacity * 2 : 1 << 16, bytes;
    if (!ink_mul_size(larger, sizeof *list->items, &bytes)) return false;
    line_hash *grown = realloc(list->items, bytes);
    if (!grown) return false;
    list->items = grown;
    list->capacity = larger;
  }
  list->items[list->count++] = (line_hash){hash, list->poem};
  return true;
}

bool ink_poetry_each_line(const uint32_t *runes, size_t n, ink_line_visit visit, void *context) {
  uint32_t joined[2 * INK_LINE_CHARACTERS];
  size_t previous = 0, start = 0;  // previous: characters of a short clause, kept in `joined`
  for (size_t i = 0; i <= n; i++) {
    if (i < n && ink_rune_is_han(runes[i])) continue;
    size_t size = i - start;
    if (size >= INK_LINE_CHARACTERS) {
      if (!visit(context, ink_rune_hash(runes + start, size))) return false;
      previous = 0;
    } else if (size) {
      memcpy(joined + previous, runes + start, size * sizeof *joined);
      if (previous && previous + size >= INK_LINE_CHARACTERS) {
        if (!visit(context, ink_rune_hash(joined, previous + size))) return false;
      }
      memmove(joined, runes + start, size * sizeof *joined);
      previous = size;
    }
    start = i + 1;
  }
  return true;
}

static int by_hash(const void *a, const void *b) {
  const line_hash *x = a, *y = b;
  if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
  return (x->poem > y->poem) - (x->poem < y->poem);
}

static uint32_t root_of(uint32_t *parent, uint32_t x) {
  while (parent[x] != x) {
    parent[x] = parent[parent[x]];
    x = parent[x];
  }
  return x;
}

static ink_poetry_split split_of(uint64_t smallest_hash, uint32_t size) {
  // One percent each; the hash is mixed again so that being the smallest does not matter.
  uint64_t place = ink_mix64(smallest_hash ^ 0x5DEECE66Du) % 1000;
  if (size > BIG_CLUSTER || place >= 20) return INK_SPLIT_TRAIN;
  return place < 10 ? INK_SPLIT_VALID : INK_SPLIT_TEST;
}

ink_status ink_poetry_split_corpus(ink_corpus *corpus, int64_t *n_cluster, int64_t *largest,
                                   ink_error *error) {
  size_t n = corpus->n_poem;
  *n_cluster = *largest = 0;
  line_list lines = {0};
  uint32_t *parent = calloc(n + 1, sizeof *parent);
  uint32_t *size = calloc(n + 1, sizeof *size);
  uint64_t *smallest = calloc(n + 1, sizeof *smallest);
  bool fine = parent && size && smallest;
  for (size_t i = 0; fine && i < n; i++) {
    parent[i] = (uint32_t)i;
    lines.poem = (uint32_t)i;
    ink_span body = corpus->poems[i].body;
    fine = ink_poetry_each_line(corpus->runes + body.at, body.size, add_line, &lines);
  }
  if (fine && lines.count) {
    qsort(lines.items, lines.count, sizeof *lines.items, by_hash);
    for (size_t i = 1; i < lines.count; i++) {
      if (lines.items[i].hash != lines.items[i - 1].hash) continue;
      uint32_t a = root_of(parent, lines.items[i].poem);
      uint32_t b = root_of(parent, lines.items[i - 1].poem);
      if (a != b) parent[a > b ? a : b] = a > b ? b : a;
    }
  }
  for (size_t i = 0; fine && i < n; i++) {
    uint32_t root = root_of(parent, (uint32_t)i);
    uint64_t hash = corpus->poems[i].hash;
    if (size[root]++ == 0 || hash < smallest[root]) smallest[root] = hash;
  }
  for (size_t i = 0; fine && i < n; i++) {
    uint32_t root = root_of(parent, (uint32_t)i);
    corpus->poems[i].split = (uint8_t)split_of(smallest[root], size[root]);
    if (root == i) ++*n_cluster;
    if (size[root] > *largest) *largest = size[root];
  }
  free(lines.items);
  free(parent);
  free(size);
  free(smallest);
  return fine ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory to cluster %zu poems", n);
}
