// A set of hashes.
#include "mark/watermark/context_set.h"

#include <stdlib.h>
#include <string.h>

// Where a hash is, or where it would go. The hashes are mixed well enough in their upper bits.
static size_t place_of(const ink_context_set *set, uint64_t hash) {
  size_t at = (size_t)(hash >> 20) & (set->size - 1);
  // What grow frees it has replaced. NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
  while (set->taken[at] && set->slots[at] != hash) at = (at + 1) & (set->size - 1);
  return at;
}

static ink_status grow(ink_context_set *set, ink_error *error) {
  size_t size = set->size ? 2 * set->size : 256;
  ink_context_set grown = {calloc(size, sizeof *grown.slots), calloc(size, sizeof *grown.taken),
                           size, set->used};
  if (!grown.slots || !grown.taken) {
    ink_context_set_free(&grown);
    return ink_fail(error, INK_ERR_MEMORY, "no memory to remember %zu contexts", size);
  }
  for (size_t i = 0; i < set->size; i++) {
    if (!set->taken[i]) continue;
    size_t at = place_of(&grown, set->slots[i]);
    grown.slots[at] = set->slots[i];
    grown.taken[at] = true;
  }
  ink_context_set_free(set);
  *set = grown;
  return INK_OK;
}

ink_status ink_context_set_add(ink_context_set *set, uint64_t hash, bool *is_new,
                               ink_error *error) {
  if (2 * set->used >= set->size) INK_TRY(grow(set, error));
  size_t at = place_of(set, hash);
  *is_new = !set->taken[at];  // NOLINT(clang-analyzer-unix.Malloc)
  if (*is_new) {
    set->taken[at] = true;
    set->slots[at] = hash;
    set->used++;
  }
  return INK_OK;
}

void ink_context_set_clear(ink_context_set *set) {
  if (set->taken) memset(set->taken, 0, set->size * sizeof *set->taken);
  set->used = 0;
}

void ink_context_set_free(ink_context_set *set) {
  free(set->slots);
  free(set->taken);
  *set = (ink_context_set){0};
}
