// CBOR (RFC 8949): a bounded reader, and a writer of the deterministic encoding (section 4.2.1).
// Items live in an arena. Heads are read and written by libcbor; sizes and nesting are ours, since
// a declared length must meet the bytes that are left before anything is taken for it.
#ifndef INK_MARK_C2PA_CBOR_H
#define INK_MARK_C2PA_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"

typedef enum ink_cbor_kind {
  INK_CBOR_UINT,    // n
  INK_CBOR_NEGINT,  // -1 - n
  INK_CBOR_BYTES,   // bytes, size
  INK_CBOR_TEXT,    // bytes, size: well-formed UTF-8
  INK_CBOR_ARRAY,   // n items from `first`
  INK_CBOR_MAP,     // n pairs: key, value, key, value … from `first`
  INK_CBOR_TAG,     // n, on the item `first`
  INK_CBOR_BOOL,    // n is 0 or 1
  INK_CBOR_NULL,
  INK_CBOR_UNDEFINED,
  INK_CBOR_FLOAT  // number
} ink_cbor_kind;

typedef struct ink_cbor {
  ink_cbor_kind kind;
  uint64_t n;
  double number;
  const unsigned char *bytes;
  size_t size;
  struct ink_cbor *first, *last, *next;
  // The item as it was encoded; borrowed from the input. NULL in items that were built.
  const unsigned char *span;
  size_t span_size;
} ink_cbor;

// What the reader accepts at most: levels of nesting, items, and pairs of one map.
enum { INK_CBOR_DEPTH = 32, INK_CBOR_ITEMS = 1 << 18, INK_CBOR_PAIRS = 1 << 10 };

// Read the one item that `bytes` are. Indefinite lengths are read. Keys are text or integers; a map
// with two equal ones, and text that is not UTF-8, are FORMAT. `name` is what errors call the
// input. The items borrow `bytes`.
ink_status ink_cbor_read(ink_arena *arena, const void *bytes, size_t size, const char *name,
                         const ink_cbor **item, ink_error *error);

// The value under a text key, or under an integer one, of a map; NULL when absent or not a map.
const ink_cbor *ink_cbor_get(const ink_cbor *map, const char *key);
const ink_cbor *ink_cbor_get_int(const ink_cbor *map, int64_t key);
// The same, and NULL too when the value is of another kind.
const ink_cbor *ink_cbor_member(const ink_cbor *map, const char *key, ink_cbor_kind kind);
// True for text that equals a string.
bool ink_cbor_is(const ink_cbor *item, const char *text);
// Text or bytes as a string in the arena; NULL for NULL, for other kinds, for a NUL within.
const char *ink_cbor_string(ink_arena *arena, const ink_cbor *item);
// Value of an integer item in the range of int64_t; false for any other item.
bool ink_cbor_int(const ink_cbor *item, int64_t *value);

// ---- building

// Items that are built never fail one by one: where memory runs out they are NULL, adding NULL or
// to NULL marks nothing, and ink_cbor_write refuses what is incomplete through `failed`.
typedef struct ink_cbor_builder {
  ink_arena *arena;
  bool failed;
} ink_cbor_builder;

ink_cbor *ink_cbor_new_int(ink_cbor_builder *builder, int64_t value);
ink_cbor *ink_cbor_new_bool(ink_cbor_builder *builder, bool value);
ink_cbor *ink_cbor_new_null(ink_cbor_builder *builder);
// Text and bytes are borrowed.
ink_cbor *ink_cbor_new_text(ink_cbor_builder *builder, const char *text);
ink_cbor *ink_cbor_new_bytes(ink_cbor_builder *builder, const void *bytes, size_t size);
ink_cbor *ink_cbor_new_array(ink_cbor_builder *builder);
ink_cbor *ink_cbor_new_map(ink_cbor_builder *builder);
ink_cbor *ink_cbor_new_tag(ink_cbor_builder *builder, uint64_t tag, ink_cbor *item);
void ink_cbor_add(ink_cbor_builder *builder, ink_cbor *array, ink_cbor *item);
void ink_cbor_put(ink_cbor_builder *builder, ink_cbor *map, const char *key, ink_cbor *value);
void ink_cbor_put_text(ink_cbor_builder *builder, ink_cbor *map, const char *key, const char *text);
void ink_cbor_put_int(ink_cbor_builder *builder, ink_cbor *map, int64_t key, ink_cbor *value);

// Append the deterministic encoding: shortest heads, definite lengths, keys in the bytewise order
// of their encodings. INTERNAL for items with floating-point numbers, which no manifest of ours
// holds.
ink_status ink_cbor_write(const ink_cbor_builder *builder, const ink_cbor *item, ink_text *out,
                          ink_error *error);

#endif
