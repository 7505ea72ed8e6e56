// A table of prepared weights, by address and form.
#include "tensor/prepared.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "tensor/prepared_entry.h"

typedef struct entry {
  ink_prepared_key key;
  void *data;  // NULL: an empty place
} entry;

struct ink_prepared {
  ink_prepared_source source;
  void *context;
  pthread_mutex_t mutex;
  ink_arena *arena;  // the prepared weights
  entry *entries;    // open addressing, a power of two
  size_t capacity, count, bytes;
};

ink_prepared *ink_prepared_new(ink_prepared_source source, void *context) {
  ink_prepared *prepared = calloc(1, sizeof *prepared);
  if (!prepared) return NULL;
  prepared->arena = ink_arena_new(0);
  if (!prepared->arena) {
    free(prepared);
    return NULL;
  }
  prepared->source = source;
  prepared->context = context;
  pthread_mutex_init(&prepared->mutex, NULL);
  return prepared;
}

void ink_prepared_free(ink_prepared *prepared) {
  if (!prepared) return;
  ink_arena_free(prepared->arena);
  free(prepared->entries);
  pthread_mutex_destroy(&prepared->mutex);
  free(prepared);
}

size_t ink_prepared_bytes(const ink_prepared *prepared) {
  return prepared ? prepared->bytes : 0;
}

static bool same(const ink_prepared_key *a, const ink_prepared_key *b) {
  return a->data == b->data && a->form == b->form && a->dtype == b->dtype && a->out == b->out &&
         a->in == b->in && a->taps == b->taps;
}

// The place of a key, or the empty place where it belongs. The table is never full.
static entry *place(entry *entries, size_t capacity, const ink_prepared_key *key) {
  uint64_t hash = ((uint64_t)(uintptr_t)key->data >> 4) * 0x9E3779B97F4A7C15u;
  hash ^= (uint64_t)(uintptr_t)key->form >> 4;
  for (size_t i = (size_t)(hash >> 32);; i++) {
    entry *at = &entries[i & (capacity - 1)];
    if (!at->data || same(&at->key, key)) return at;
  }
}

static bool grow(ink_prepared *prepared) {
  if (2 * prepared->count < prepared->capacity) return true;
  size_t capacity = prepared->capacity ? 2 * prepared->capacity : 256;
  entry *entries = calloc(capacity, sizeof *entries);
  if (!entries) return false;
  for (size_t i = 0; i < prepared->capacity; i++) {
    const entry *old = &prepared->entries[i];
    if (old->data) *place(entries, capacity, &old->key) = *old;
  }
  free(prepared->entries);
  prepared->entries = entries;
  prepared->capacity = capacity;
  return true;
}

const void *ink_prepared_get(ink_prepared *prepared, ink_prepared_key key, size_t source_bytes,
                             size_t bytes, ink_prepare prepare, void *context) {
  pthread_mutex_lock(&prepared->mutex);
  void *data = NULL;
  if (grow(prepared)) {
    entry *at = place(prepared->entries, prepared->capacity, &key);
    if (at->data) {
      data = at->data;
    } else if ((data = ink_arena_take(prepared->arena, bytes)) != NULL) {
      prepare(context, data);
      *at = (entry){key, data};
      prepared->count++;
      prepared->bytes += bytes;
      if (prepared->source) prepared->source(prepared->context, key.data, source_bytes);
    }
  }
  pthread_mutex_unlock(&prepared->mutex);
  return data;
}
