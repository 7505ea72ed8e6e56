// The tokens of a vocabulary: one pool of text, a table by id, and an open-addressing hash table by
// spelling.
#include "tokenizer/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

void ink_vocabulary_free(ink_vocabulary *vocabulary) {
  free(vocabulary->pool);
  free(vocabulary->tokens);
  free(vocabulary->slots);
  *vocabulary = (ink_vocabulary){0};
}

static uint64_t mix(uint64_t a, uint64_t b) {
  unsigned __int128 product = (unsigned __int128)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// Multiply and fold, eight bytes at a time. The seed keeps a file from choosing its collisions.
static uint32_t hash_of(uint64_t seed, const char *text, size_t size) {
  uint64_t hash = seed ^ size;
  while (size >= 8) {
    uint64_t eight;
    memcpy(&eight, text, 8);
    hash = mix(hash ^ eight, 0x9E3779B97F4A7C15u ^ seed);
    text += 8;
    size -= 8;
  }
  uint64_t rest = 0;
  for (size_t i = 0; i < size; i++) rest = rest << 8 | (unsigned char)text[i];
  hash = mix(hash ^ rest, 0xD6E8FEB86659FD93u ^ seed);
  return (uint32_t)(hash >> 16);
}

static bool grow(void **array, size_t *capacity, size_t needed, size_t item) {
  if (needed <= *capacity) return true;
  size_t larger = *capacity + *capacity / 2, bytes;
  if (larger < needed) larger = needed;
  if (!ink_mul_size(larger, item, &bytes)) return false;
  void *grown = realloc(*array, bytes);
  if (!grown) return false;
  *array = grown;
  *capacity = larger;
  return true;
}

static void place(ink_vocabulary *v, uint32_t hash, uint32_t id) {
  size_t at = hash & (v->n_slots - 1);
  while (v->slots[at].id_plus_one) at = (at + 1) & (v->n_slots - 1);
  v->slots[at] = (ink_vocabulary_slot){.hash = hash, .id_plus_one = id + 1};
}

// A table that stays at most half full with `n` tokens.
static bool fit_slots(ink_vocabulary *v, size_t n) {
  if (v->n_slots / 2 >= n && v->n_slots) return true;
  size_t slots = 64;
  while (slots / 2 < n) {
    if (slots > SIZE_MAX / 4 / sizeof *v->slots) return false;
    slots *= 2;
  }
  ink_vocabulary_slot *fresh = calloc(slots, sizeof *fresh);
  if (!fresh) return false;
  ink_vocabulary_slot *old = v->slots;
  size_t n_old = v->n_slots;
  v->slots = fresh;
  v->n_slots = slots;
  for (size_t i = 0; i < n_old; i++) {
    if (old[i].id_plus_one) place(v, old[i].hash, old[i].id_plus_one - 1);
  }
  free(old);
  return true;
}

// Copy into the pool, with a NUL behind. Offset 0 is never given out.
static bool pool_add(ink_vocabulary *v, const char *text, size_t size, uint32_t *at) {
  size_t start = v->pool_size ? v->pool_size : 1, end;
  if (!ink_add_size(start, size, &end) || end >= UINT32_MAX) return false;
  if (!grow((void **)&v->pool, &v->pool_capacity, end + 1, 1)) return false;
  if (size) memcpy(v->pool + start, text, size);
  v->pool[end] = 0;
  v->pool_size = end + 1;
  *at = (uint32_t)start;
  return true;
}

bool ink_vocabulary_reserve(ink_vocabulary *v, size_t n, size_t bytes) {
  return fit_slots(v, n) && grow((void **)&v->tokens, &v->tokens_capacity, n, sizeof *v->tokens) &&
         grow((void **)&v->pool, &v->pool_capacity, bytes, 1);
}

static bool same(const ink_vocabulary *v, uint32_t id, const char *text, size_t size) {
  const ink_token *token = &v->tokens[id];
  return token->text_size == size && memcmp(v->pool + token->text_at, text, size) == 0;
}

static int32_t find(const ink_vocabulary *v, uint32_t hash, const char *text, size_t size) {
  if (!v->n_slots) return -1;
  for (size_t at = hash & (v->n_slots - 1);; at = (at + 1) & (v->n_slots - 1)) {
    const ink_vocabulary_slot *slot = &v->slots[at];
    if (!slot->id_plus_one) return -1;
    if (slot->hash == hash && same(v, slot->id_plus_one - 1, text, size)) {
      return (int32_t)(slot->id_plus_one - 1);
    }
  }
}

int32_t ink_vocabulary_find(const ink_vocabulary *v, const char *text, size_t size) {
  if (size > v->longest) return -1;
  return find(v, hash_of(v->seed, text, size), text, size);
}

int32_t ink_vocabulary_find_inside(const ink_vocabulary *v, const char *text, size_t size) {
  int32_t id = ink_vocabulary_find(v, text, size);
  return id >= 0 && !v->tokens[id].outside ? id : -1;
}

ink_vocabulary_fault ink_vocabulary_add(ink_vocabulary *v, const char *text, size_t size,
                                        uint32_t id) {
  uint32_t hash = hash_of(v->seed, text, size);
  if (find(v, hash, text, size) >= 0) return INK_VOCABULARY_DUPLICATE_TEXT;
  if (ink_vocabulary_token(v, id)) return INK_VOCABULARY_DUPLICATE_ID;
  uint32_t at;
  if (id >= INT32_MAX || size >= UINT32_MAX || !fit_slots(v, v->n_tokens + 1) ||
      !grow((void **)&v->tokens, &v->tokens_capacity, (size_t)id + 1, sizeof *v->tokens) ||
      !pool_add(v, text, size, &at)) {
    return INK_VOCABULARY_MEMORY;
  }
  if (id >= v->n_ids) {
    memset(v->tokens + v->n_ids, 0, (id + 1 - v->n_ids) * sizeof *v->tokens);
    v->n_ids = (size_t)id + 1;
  }
  v->tokens[id] = (ink_token){.text_at = at,
                              .text_size = (uint32_t)size,
                              .bytes_at = at,
                              .bytes_size = (uint32_t)size,
                              .decoded_at = at,
                              .decoded_size = (uint32_t)size};
  if (size > v->longest) v->longest = size;
  v->n_tokens++;
  place(v, hash, id);
  return INK_VOCABULARY_OK;
}

bool ink_vocabulary_set_bytes(ink_vocabulary *v, uint32_t id, const char *bytes, size_t size) {
  if (same(v, id, bytes, size)) return true;
  uint32_t at;
  if (!pool_add(v, bytes, size, &at)) return false;
  v->tokens[id].bytes_at = at;
  v->tokens[id].bytes_size = (uint32_t)size;
  return true;
}

bool ink_vocabulary_set_decoded(ink_vocabulary *v, uint32_t id, const char *text, size_t size) {
  uint32_t at;
  if (!pool_add(v, text, size, &at)) return false;
  v->tokens[id].decoded_at = at;
  v->tokens[id].decoded_size = (uint32_t)size;
  return true;
}

const ink_token *ink_vocabulary_token(const ink_vocabulary *v, int64_t id) {
  if (id < 0 || (uint64_t)id >= v->n_ids || !v->tokens[id].text_at) return NULL;
  return &v->tokens[id];
}

const char *ink_vocabulary_text(const ink_vocabulary *v, const ink_token *token) {
  return v->pool + token->text_at;
}

const char *ink_vocabulary_bytes(const ink_vocabulary *v, const ink_token *token) {
  return v->pool + token->bytes_at;
}

const char *ink_vocabulary_decoded(const ink_vocabulary *v, const ink_token *token) {
  return v->pool + token->decoded_at;
}
