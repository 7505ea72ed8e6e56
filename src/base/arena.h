// Arenas: memory that is taken piece by piece and given back all at once, or back to a mark.
#ifndef INK_BASE_ARENA_H
#define INK_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct ink_arena ink_arena;

// A point in an arena to return to. Marks nest: release them in reverse order.
typedef struct ink_arena_mark {
  void *block;
  size_t used;
} ink_arena_mark;

// A new arena that never holds more than `limit` bytes (0: no limit). NULL when there is no memory.
ink_arena *ink_arena_new(size_t limit);
void ink_arena_free(ink_arena *arena);

// `size` bytes aligned to 64, not cleared; valid until the arena is freed or released to an earlier
// mark. NULL when memory or the limit is exhausted.
void *ink_arena_take(ink_arena *arena, size_t size);

// As ink_arena_take for `count` elements of `size` bytes, cleared; NULL also when the product
// overflows.
void *ink_arena_zeros(ink_arena *arena, size_t count, size_t size);

// Copy of a NUL-terminated string, NULL for NULL.
char *ink_arena_string(ink_arena *arena, const char *text);

ink_arena_mark ink_arena_save(const ink_arena *arena);
// Give back all that was taken since `mark`. The blocks stay with the arena for reuse.
void ink_arena_release(ink_arena *arena, ink_arena_mark mark);

// The system refused memory at least once, which a limit of its own does not count as: what was
// built here may lack something.
bool ink_arena_refused(const ink_arena *arena);
// Bytes in use now, and the most that were ever in use.
size_t ink_arena_used(const ink_arena *arena);
size_t ink_arena_peak(const ink_arena *arena);

#endif
