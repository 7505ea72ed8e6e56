// Fuzz target: the CBOR reader; what it reads without floating point and indefinite lengths is
// written again and read as the same.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mark/c2pa/cbor.h"

static volatile unsigned sink;

static bool same(const ink_cbor *a, const ink_cbor *b) {
  if (a->kind != b->kind || a->n != b->n || a->size != b->size) return false;
  if (a->kind == INK_CBOR_MAP) return true;  // sorted now
  if (a->size && memcmp(a->bytes, b->bytes, a->size) != 0) return false;
  const ink_cbor *x = a->first, *y = b->first;
  for (; x && y; x = x->next, y = y->next) {
    if (!same(x, y)) return false;
  }
  return !x && !y;
}

static void look(const ink_cbor *item) {
  int64_t value;
  sink += ink_cbor_int(item, &value);
  for (size_t i = 0; i < item->size; i++) sink += item->bytes[i];
  for (size_t i = 0; i < item->span_size; i++) sink += item->span[i];
  sink += ink_cbor_get(item, "url") != NULL;
  sink += ink_cbor_get_int(item, 33) != NULL;
  for (const ink_cbor *at = item->first; at; at = at->next) look(at);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ink_error error = {0};
  const ink_cbor *item, *again;
  ink_arena *arena = ink_arena_new(1 << 26);
  if (!arena) return 0;
  if (ink_cbor_read(arena, bytes, size, "input", &item, &error) == INK_OK) {
    ink_cbor_builder builder = {.arena = arena};
    ink_text out = {0};
    look(item);
    if (ink_cbor_write(&builder, item, &out, &error) == INK_OK) {
      if (ink_cbor_read(arena, out.bytes, out.size, "again", &again, &error) != INK_OK) abort();
      if (!same(item, again)) abort();
    }
    ink_text_free(&out);
  }
  ink_arena_free(arena);
  return 0;
}
