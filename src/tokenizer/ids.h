// A growing list of token ids.
#ifndef INK_TOKENIZER_IDS_H
#define INK_TOKENIZER_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Zero-initialise it; `at` is malloc'ed. Out of memory it turns `failed` and ignores additions.
typedef struct ink_ids {
  int32_t *at;
  size_t n, capacity;
  bool failed;
} ink_ids;

// Room for `more` further ids; false, and failed, without memory.
bool ink_ids_reserve(ink_ids *ids, size_t more);

static inline void ink_ids_add(ink_ids *ids, int32_t id) {
  if (ids->n < ids->capacity || ink_ids_reserve(ids, 1)) ids->at[ids->n++] = id;
}

#endif
