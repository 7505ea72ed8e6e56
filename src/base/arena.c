// Arenas: a chain of blocks, each filled from its start.
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"

enum {
  ALIGNMENT = 64,
  FIRST_BLOCK = 1 << 16,
  LARGEST_STEP = 1 << 26,
  HUGE_PAGE = 1 << 21,
  LARGE = 1 << 23
};

typedef struct block {
  struct block *next;  // blocks behind the current one are empty and waiting
  struct block *previous;
  size_t size;
  size_t used;
  unsigned char *bytes;  // aligned
} block;

struct ink_arena {
  block *first;
  block *current;
  size_t limit;
  size_t used;  // sum over blocks, padding included
  size_t peak;
  bool refused;
};

// A large block begins on the border of a huge page and asks for such pages: the system clears and
// maps them at once instead of 4 KiB at a time, and a walk through them looks up fewer addresses.
static unsigned char *take_bytes(size_t size) {
  size_t alignment = size >= LARGE ? HUGE_PAGE : ALIGNMENT;
  // C17 leaves sizes that are no multiple of the alignment to the library; sanitizers refuse them.
  if (size > SIZE_MAX - alignment) return NULL;
  size = (size + alignment - 1) / alignment * alignment;
  unsigned char *bytes = aligned_alloc(alignment, size);
#ifdef MADV_HUGEPAGE
  if (bytes && size >= LARGE) (void)madvise(bytes, size & ~(size_t)(HUGE_PAGE - 1), MADV_HUGEPAGE);
#endif
  return bytes;
}

static block *block_new(size_t size) {
  block *b = malloc(sizeof *b);
  if (!b) return NULL;
  b->bytes = take_bytes(size);
  if (!b->bytes) {
    free(b);
    return NULL;
  }
  b->next = b->previous = NULL;
  b->size = size;
  b->used = 0;
  return b;
}

static void block_free(block *b) {
  free(b->bytes);
  free(b);
}

ink_arena *ink_arena_new(size_t limit) {
  ink_arena *arena = calloc(1, sizeof *arena);
  if (arena) arena->limit = limit;
  return arena;
}

void ink_arena_free(ink_arena *arena) {
  if (!arena) return;
  for (block *b = arena->first; b;) {
    block *next = b->next;
    block_free(b);
    b = next;
  }
  free(arena);
}

// Make a block that holds at least `size` bytes the current one. Waiting blocks that are too small
// are dropped: they would never be used again at this depth.
static block *advance(ink_arena *arena, size_t size) {
  block *current = arena->current;
  block *waiting = current ? current->next : arena->first;
  while (waiting && waiting->size < size) {
    block *next = waiting->next;
    if (waiting->previous) {
      waiting->previous->next = next;
    } else {
      arena->first = next;
    }
    if (next) next->previous = waiting->previous;
    block_free(waiting);
    waiting = next;
  }
  if (!waiting) {
    size_t step = current ? current->size * 2 : FIRST_BLOCK;
    if (step > LARGEST_STEP) step = LARGEST_STEP;
    waiting = block_new(size > step ? size : step);
    if (!waiting) {
      arena->refused = true;
      return NULL;
    }
    waiting->previous = current;
    if (current) {
      current->next = waiting;
    } else {
      arena->first = waiting;
    }
  }
  arena->current = waiting;
  return waiting;
}

void *ink_arena_take(ink_arena *arena, size_t size) {
  size_t rounded;
  if (!ink_add_size(size ? size : 1, ALIGNMENT - 1, &rounded)) return NULL;
  rounded &= ~(size_t)(ALIGNMENT - 1);
  size_t total;
  if (!ink_add_size(arena->used, rounded, &total)) return NULL;
  if (arena->limit && total > arena->limit) return NULL;
  block *b = arena->current;
  if (!b || b->size - b->used < rounded) b = advance(arena, rounded);
  if (!b) return NULL;
  void *taken = b->bytes + b->used;
  b->used += rounded;
  arena->used = total;
  if (total > arena->peak) arena->peak = total;
  return taken;
}

void *ink_arena_zeros(ink_arena *arena, size_t count, size_t size) {
  size_t bytes;
  if (!ink_mul_size(count, size, &bytes)) return NULL;
  void *taken = ink_arena_take(arena, bytes);
  if (taken) memset(taken, 0, bytes);
  return taken;
}

char *ink_arena_string(ink_arena *arena, const char *text) {
  if (!text) return NULL;
  size_t size = strlen(text) + 1;
  char *copy = ink_arena_take(arena, size);
  if (copy) memcpy(copy, text, size);
  return copy;
}

ink_arena_mark ink_arena_save(const ink_arena *arena) {
  block *current = arena->current;
  return (ink_arena_mark){current, current ? current->used : 0};
}

void ink_arena_release(ink_arena *arena, ink_arena_mark mark) {
  while (arena->current && arena->current != mark.block) {
    arena->used -= arena->current->used;
    arena->current->used = 0;
    arena->current = arena->current->previous;
  }
  if (arena->current) {
    arena->used -= arena->current->used - mark.used;
    arena->current->used = mark.used;
  }
}

bool ink_arena_refused(const ink_arena *arena) {
  return arena->refused;
}

size_t ink_arena_used(const ink_arena *arena) {
  return arena->used;
}

size_t ink_arena_peak(const ink_arena *arena) {
  return arena->peak;
}
