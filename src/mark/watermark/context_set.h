// Inside the room: a set of hashes of contexts, so that each counts once.
#ifndef INK_MARK_WATERMARK_CONTEXT_SET_H
#define INK_MARK_WATERMARK_CONTEXT_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// Open addressing, grown as needed. Zero-initialise.
typedef struct ink_context_set {
  uint64_t *slots;
  bool *taken;
  size_t size;  // of the table, a power of two
  size_t used;
} ink_context_set;

// Add a hash; *is_new tells whether it was not there.
ink_status ink_context_set_add(ink_context_set *set, uint64_t hash, bool *is_new, ink_error *error);
// Empty it, keeping its memory.
void ink_context_set_clear(ink_context_set *set);
void ink_context_set_free(ink_context_set *set);

#endif
