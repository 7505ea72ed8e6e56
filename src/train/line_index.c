// The index of training lines: which lines of a new poem were copied.
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/text.h"
#include "train/poetry.h"
#include "train/poetry_parts.h"

struct ink_line_index {
  ink_map map;
  const uint64_t *hashes;
  size_t count;
};

ink_status ink_poetry_line_index(const char *path, ink_line_index **index, ink_error *error) {
  *index = calloc(1, sizeof **index);
  if (!*index) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to open it", path);
  ink_lines_header header;
  size_t bytes;
  ink_status status = ink_map_open(path, &(*index)->map, error);
  const ink_map *map = &(*index)->map;
  if (status == INK_OK && map->size >= sizeof header) {
    memcpy(&header, map->data, sizeof header);
    if (memcmp(header.magic, INK_LINES_MAGIC, sizeof header.magic) == 0 &&
        header.version == INK_DATASET_VERSION &&
        ink_mul_size((size_t)header.count, sizeof(uint64_t), &bytes) &&
        bytes == map->size - sizeof header) {
      (*index)->hashes = (const uint64_t *)(const void *)(map->data + sizeof header);
      (*index)->count = (size_t)header.count;
      return INK_OK;
    }
  }
  if (status == INK_OK) {
    status = ink_fail(error, INK_ERR_FORMAT,
                      "%s: not a line index of inkstone train data poetry, or not whole", path);
  }
  ink_line_index_free(*index);
  *index = NULL;
  return status;
}

void ink_line_index_free(ink_line_index *index) {
  if (!index) return;
  ink_map_close(&index->map);
  free(index);
}

typedef struct tally {
  const ink_line_index *index;
  int64_t lines, copied;
} tally;

static bool look_up(void *context, uint64_t hash) {
  tally *sum = context;
  size_t low = 0, high = sum->index->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (sum->index->hashes[middle] < hash) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  sum->lines++;
  sum->copied += low < sum->index->count && sum->index->hashes[low] == hash;
  return true;
}

ink_status ink_line_index_count(const ink_line_index *index, const char *poem, int64_t *lines,
                                int64_t *copied, ink_error *error) {
  size_t size = strlen(poem), n = 0;
  uint32_t *runes = malloc((size + 1) * sizeof *runes);
  if (!runes) return ink_fail(error, INK_ERR_MEMORY, "no memory to read a poem");
  for (size_t at = 0; at < size;) {
    int32_t rune;
    at += ink_utf8_decode(poem + at, size - at, &rune);
    runes[n++] = rune < 0 ? INK_RUNE_INVALID : (uint32_t)rune;
  }
  tally sum = {.index = index};
  ink_poetry_each_line(runes, n, look_up, &sum);
  free(runes);
  *lines = sum.lines;
  *copied = sum.copied;
  return INK_OK;
}
