// CBOR (RFC 8949): reading with bounds, and the deterministic encoding.
#include "mark/c2pa/cbor.h"

#include <cbor.h>
#include <stdlib.h>
#include <string.h>

// ---- reading

// One head, as libcbor's callbacks report it.
typedef struct head {
  ink_cbor item;
  bool indefinite, ends;
} head;

static void on_uint8(void *h, uint8_t n) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_UINT, .n = n}};
}
static void on_uint16(void *h, uint16_t n) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_UINT, .n = n}};
}
static void on_uint32(void *h, uint32_t n) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_UINT, .n = n}};
}
static void on_uint64(void *h, uint64_t n) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_UINT, .n = n}};
}
static void on_negint8(void *h, uint8_t n) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_NEGINT, .n = n}};
}
static void on_negint16(void *h, uint16_t n) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_NEGINT, .n = n}};
}
static void on_negint32(void *h, uint32_t n) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_NEGINT, .n = n}};
}
static void on_negint64(void *h, uint64_t n) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_NEGINT, .n = n}};
}
static void on_bytes(void *h, cbor_data bytes, size_t size) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_BYTES, .bytes = bytes, .size = size}};
}
static void on_text(void *h, cbor_data bytes, size_t size) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_TEXT, .bytes = bytes, .size = size}};
}
static void on_bytes_start(void *h) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_BYTES}, .indefinite = true};
}
static void on_text_start(void *h) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_TEXT}, .indefinite = true};
}
static void on_array(void *h, size_t n) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_ARRAY, .n = n}};
}
static void on_map(void *h, size_t n) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_MAP, .n = n}};
}
static void on_array_start(void *h) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_ARRAY}, .indefinite = true};
}
static void on_map_start(void *h) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_MAP}, .indefinite = true};
}
static void on_tag(void *h, uint64_t n) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_TAG, .n = n}};
}
static void on_float(void *h, float number) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_FLOAT, .number = (double)number}};
}
static void on_double(void *h, double number) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_FLOAT, .number = number}};
}
static void on_null(void *h) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_NULL}};
}
static void on_undefined(void *h) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_UNDEFINED}};
}
static void on_bool(void *h, bool value) {
  *(head *)h = (head){.item = {.kind = INK_CBOR_BOOL, .n = value}};
}
static void on_break(void *h) {
  *(head *)h = (head){.ends = true};
}

static const struct cbor_callbacks on_head = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint8 = on_negint8,
    .negint16 = on_negint16,
    .negint32 = on_negint32,
    .negint64 = on_negint64,
    .byte_string = on_bytes,
    .byte_string_start = on_bytes_start,
    .string = on_text,
    .string_start = on_text_start,
    .array_start = on_array,
    .indef_array_start = on_array_start,
    .map_start = on_map,
    .indef_map_start = on_map_start,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .null = on_null,
    .undefined = on_undefined,
    .boolean = on_bool,
    .indef_break = on_break,
};

// One head. Tags below 24 are read here: libcbor 0.8 refuses those that it has no name for, and
// COSE's is one of them.
static bool read_head(const unsigned char *bytes, size_t size, head *h, size_t *read,
                      bool *too_short) {
  if (size && bytes[0] >> 5 == 6 && (bytes[0] & 0x1F) < 24) {
    on_tag(h, bytes[0] & 0x1F);
    *read = 1;
    return true;
  }
  struct cbor_decoder_result got = cbor_stream_decode(bytes, size, &on_head, h);
  *read = got.read;
  *too_short = got.status == CBOR_DECODER_NEDATA;
  return got.status == CBOR_DECODER_FINISHED;
}

typedef struct reader {
  ink_arena *arena;
  const unsigned char *bytes;
  size_t size, at, n_item;
  const char *name;
} reader;

static ink_status malformed(const reader *r, const char *what, ink_error *error) {
  return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)r->at, "%s: %s", r->name, what);
}

static ink_status read_item(reader *r, int depth, bool may_end, ink_cbor **out, bool *ended,
                            ink_error *error);

static void append(ink_cbor *parent, ink_cbor *item) {
  if (parent->last) {
    parent->last->next = item;
  } else {
    parent->first = item;
  }
  parent->last = item;
}

// The chunks of a string of indefinite length, joined.
static ink_status read_chunks(reader *r, ink_cbor *string, int depth, ink_error *error) {
  ink_cbor chunks = {0};
  for (bool ended = false; !ended;) {
    ink_cbor *chunk;
    INK_TRY(read_item(r, depth + 1, true, &chunk, &ended, error));
    if (ended) break;
    if (chunk->kind != string->kind) {
      return malformed(r, "a chunk of a CBOR string is of another type", error);
    }
    append(&chunks, chunk);
    string->size += chunk->size;  // each lies in the input: the sum cannot wrap
  }
  unsigned char *joined = ink_arena_take(r->arena, string->size + 1);
  if (!joined) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for its CBOR", r->name);
  string->bytes = joined;
  for (const ink_cbor *chunk = chunks.first; chunk; chunk = chunk->next) {
    if (chunk->size) memcpy(joined, chunk->bytes, chunk->size);
    joined += chunk->size;
  }
  return INK_OK;
}

static bool is_key(const ink_cbor *item) {
  return item->kind == INK_CBOR_TEXT || item->kind == INK_CBOR_UINT ||
         item->kind == INK_CBOR_NEGINT;
}

static bool same_key(const ink_cbor *a, const ink_cbor *b) {
  return a->kind == b->kind && a->n == b->n && a->size == b->size &&
         (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
}

static ink_status check_map(const reader *r, ink_cbor *map, uint64_t n_item, ink_error *error) {
  if (n_item % 2) return malformed(r, "a key of a CBOR map has no value", error);
  map->n = n_item / 2;
  if (map->n > INK_CBOR_PAIRS) return malformed(r, "a CBOR map has too many members", error);
  for (const ink_cbor *a = map->first; a; a = a->next->next) {
    if (!is_key(a)) return malformed(r, "a key of a CBOR map is no text and no integer", error);
    for (const ink_cbor *b = a->next->next; b; b = b->next->next) {
      if (same_key(a, b)) return malformed(r, "a CBOR map has a key twice", error);
    }
  }
  return INK_OK;
}

// Items of an array, or keys and values of a map, in `n` items or up to the break.
static ink_status read_items(reader *r, ink_cbor *parent, bool indefinite, int depth,
                             ink_error *error) {
  bool map = parent->kind == INK_CBOR_MAP;
  uint64_t n = parent->n, got = 0;
  // Each item takes a byte at least.
  if (!indefinite && n > (r->size - r->at) / (map ? 2 : 1)) {
    return malformed(r, "a CBOR collection is longer than its input", error);
  }
  if (map) n *= 2;
  for (bool ended = false; indefinite || got < n; got++) {
    ink_cbor *item;
    INK_TRY(read_item(r, depth + 1, indefinite, &item, &ended, error));
    if (ended) break;
    append(parent, item);
  }
  if (map) return check_map(r, parent, got, error);
  parent->n = got;
  return INK_OK;
}

static ink_status read_item(reader *r, int depth, bool may_end, ink_cbor **out, bool *ended,
                            ink_error *error) {
  head h = {0};
  size_t begin = r->at;
  if (depth > INK_CBOR_DEPTH) return malformed(r, "its CBOR is nested too deeply", error);
  if (++r->n_item > INK_CBOR_ITEMS) return malformed(r, "its CBOR has too many items", error);
  size_t read = 0;
  bool too_short = false;
  if (!read_head(r->bytes + r->at, r->size - r->at, &h, &read, &too_short)) {
    return malformed(r, too_short ? "its CBOR ends too early" : "not a CBOR item", error);
  }
  r->at += read;
  if (h.ends) {
    if (!may_end) return malformed(r, "a CBOR break stands where none may", error);
    *ended = true;
    return INK_OK;
  }
  ink_cbor *item = ink_arena_take(r->arena, sizeof *item);
  if (!item) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for its CBOR", r->name);
  *item = h.item;
  if (item->kind == INK_CBOR_ARRAY || item->kind == INK_CBOR_MAP) {
    INK_TRY(read_items(r, item, h.indefinite, depth, error));
  } else if (item->kind == INK_CBOR_TAG) {
    ink_cbor *content;
    INK_TRY(read_item(r, depth + 1, false, &content, NULL, error));
    append(item, content);
  } else if (h.indefinite) {
    INK_TRY(read_chunks(r, item, depth, error));
  }
  if (item->kind == INK_CBOR_TEXT && !ink_utf8_valid((const char *)item->bytes, item->size, NULL)) {
    return malformed(r, "a CBOR text is not UTF-8", error);
  }
  item->span = r->bytes + begin;
  item->span_size = r->at - begin;
  *out = item;
  return INK_OK;
}

ink_status ink_cbor_read(ink_arena *arena, const void *bytes, size_t size, const char *name,
                         const ink_cbor **item, ink_error *error) {
  reader r = {.arena = arena, .bytes = bytes, .size = size, .name = name};
  ink_cbor *read = NULL;
  *item = NULL;
  if (!size) return malformed(&r, "no CBOR in it", error);
  INK_TRY(read_item(&r, 0, false, &read, NULL, error));
  if (r.at != size) return malformed(&r, "bytes follow its CBOR", error);
  *item = read;
  return INK_OK;
}

bool ink_cbor_is(const ink_cbor *item, const char *text) {
  return item && item->kind == INK_CBOR_TEXT && item->size == strlen(text) &&
         memcmp(item->bytes, text, item->size) == 0;
}

const ink_cbor *ink_cbor_get(const ink_cbor *map, const char *key) {
  if (!map || map->kind != INK_CBOR_MAP) return NULL;
  for (const ink_cbor *at = map->first; at; at = at->next->next) {
    if (ink_cbor_is(at, key)) return at->next;
  }
  return NULL;
}

const ink_cbor *ink_cbor_get_int(const ink_cbor *map, int64_t key) {
  if (!map || map->kind != INK_CBOR_MAP) return NULL;
  for (const ink_cbor *at = map->first; at; at = at->next->next) {
    int64_t value;
    if (ink_cbor_int(at, &value) && value == key) return at->next;
  }
  return NULL;
}

const ink_cbor *ink_cbor_member(const ink_cbor *map, const char *key, ink_cbor_kind kind) {
  const ink_cbor *value = ink_cbor_get(map, key);
  return value && value->kind == kind ? value : NULL;
}

const char *ink_cbor_string(ink_arena *arena, const ink_cbor *item) {
  if (!item || (item->kind != INK_CBOR_TEXT && item->kind != INK_CBOR_BYTES)) return NULL;
  if (item->size && memchr(item->bytes, 0, item->size)) return NULL;
  char *string = ink_arena_take(arena, item->size + 1);
  if (!string) return NULL;
  if (item->size) memcpy(string, item->bytes, item->size);
  string[item->size] = 0;
  return string;
}

bool ink_cbor_int(const ink_cbor *item, int64_t *value) {
  if (!item || item->n > INT64_MAX) return false;
  if (item->kind == INK_CBOR_UINT) {
    *value = (int64_t)item->n;
  } else if (item->kind == INK_CBOR_NEGINT) {
    *value = -1 - (int64_t)item->n;
  } else {
    return false;
  }
  return true;
}

// ---- building

static ink_cbor *build(ink_cbor_builder *builder, ink_cbor value) {
  ink_cbor *item = ink_arena_take(builder->arena, sizeof *item);
  if (item) {
    *item = value;
  } else {
    builder->failed = true;
  }
  return item;
}

ink_cbor *ink_cbor_new_int(ink_cbor_builder *builder, int64_t value) {
  if (value >= 0) return build(builder, (ink_cbor){.kind = INK_CBOR_UINT, .n = (uint64_t)value});
  return build(builder, (ink_cbor){.kind = INK_CBOR_NEGINT, .n = (uint64_t)(-1 - value)});
}

ink_cbor *ink_cbor_new_bool(ink_cbor_builder *builder, bool value) {
  return build(builder, (ink_cbor){.kind = INK_CBOR_BOOL, .n = value});
}

ink_cbor *ink_cbor_new_null(ink_cbor_builder *builder) {
  return build(builder, (ink_cbor){.kind = INK_CBOR_NULL});
}

ink_cbor *ink_cbor_new_text(ink_cbor_builder *builder, const char *text) {
  return build(builder, (ink_cbor){.kind = INK_CBOR_TEXT,
                                   .bytes = (const unsigned char *)text,
                                   .size = strlen(text)});
}

ink_cbor *ink_cbor_new_bytes(ink_cbor_builder *builder, const void *bytes, size_t size) {
  return build(builder, (ink_cbor){.kind = INK_CBOR_BYTES, .bytes = bytes, .size = size});
}

ink_cbor *ink_cbor_new_array(ink_cbor_builder *builder) {
  return build(builder, (ink_cbor){.kind = INK_CBOR_ARRAY});
}

ink_cbor *ink_cbor_new_map(ink_cbor_builder *builder) {
  return build(builder, (ink_cbor){.kind = INK_CBOR_MAP});
}

ink_cbor *ink_cbor_new_tag(ink_cbor_builder *builder, uint64_t tag, ink_cbor *item) {
  ink_cbor *tagged = build(builder, (ink_cbor){.kind = INK_CBOR_TAG, .n = tag});
  if (tagged && item) append(tagged, item);
  return tagged;
}

void ink_cbor_add(ink_cbor_builder *builder, ink_cbor *array, ink_cbor *item) {
  if (!array || !item) {
    builder->failed = true;
    return;
  }
  append(array, item);
  array->n++;
}

static void put(ink_cbor_builder *builder, ink_cbor *map, ink_cbor *key, ink_cbor *value) {
  if (!map || !key || !value) {
    builder->failed = true;
    return;
  }
  append(map, key);
  append(map, value);
  map->n++;
}

void ink_cbor_put(ink_cbor_builder *builder, ink_cbor *map, const char *key, ink_cbor *value) {
  put(builder, map, ink_cbor_new_text(builder, key), value);
}

void ink_cbor_put_text(ink_cbor_builder *builder, ink_cbor *map, const char *key,
                       const char *text) {
  put(builder, map, ink_cbor_new_text(builder, key), ink_cbor_new_text(builder, text));
}

void ink_cbor_put_int(ink_cbor_builder *builder, ink_cbor *map, int64_t key, ink_cbor *value) {
  put(builder, map, ink_cbor_new_int(builder, key), value);
}

// A pair of a map with its key's encoding, which decides its place.
typedef struct pair {
  ink_text key;
  const ink_cbor *value;
} pair;

static int by_key(const void *a, const void *b) {
  const ink_text *x = &((const pair *)a)->key, *y = &((const pair *)b)->key;
  int order = memcmp(x->bytes, y->bytes, x->size < y->size ? x->size : y->size);
  return order ? order : (x->size > y->size) - (x->size < y->size);
}

static ink_status write_item(const ink_cbor *item, ink_text *out, ink_error *error);

static ink_status write_pairs(const ink_cbor *map, ink_text *out, ink_error *error) {
  pair *pairs = calloc((size_t)map->n + 1, sizeof *pairs);
  if (!pairs) return ink_fail(error, INK_ERR_MEMORY, "no memory for a CBOR map");
  ink_status status = INK_OK;
  size_t n = 0;
  for (const ink_cbor *at = map->first; at && status == INK_OK; at = at->next->next) {
    status = write_item(at, &pairs[n].key, error);
    if (status == INK_OK) status = ink_text_status(&pairs[n].key, error);
    pairs[n++].value = at->next;
  }
  if (status == INK_OK) qsort(pairs, n, sizeof *pairs, by_key);
  for (size_t i = 0; i < n; i++) {
    if (status == INK_OK) {
      ink_text_add_bytes(out, pairs[i].key.bytes, pairs[i].key.size);
      status = write_item(pairs[i].value, out, error);
    }
    ink_text_free(&pairs[i].key);
  }
  free(pairs);
  return status;
}

static ink_status write_item(const ink_cbor *item, ink_text *out, ink_error *error) {
  unsigned char bytes[16];
  size_t size = 0;
  switch (item->kind) {
    case INK_CBOR_UINT:
      size = cbor_encode_uint(item->n, bytes, sizeof bytes);
      break;
    case INK_CBOR_NEGINT:
      size = cbor_encode_negint(item->n, bytes, sizeof bytes);
      break;
    case INK_CBOR_BYTES:
      size = cbor_encode_bytestring_start(item->size, bytes, sizeof bytes);
      break;
    case INK_CBOR_TEXT:
      size = cbor_encode_string_start(item->size, bytes, sizeof bytes);
      break;
    case INK_CBOR_ARRAY:
      size = cbor_encode_array_start((size_t)item->n, bytes, sizeof bytes);
      break;
    case INK_CBOR_MAP:
      size = cbor_encode_map_start((size_t)item->n, bytes, sizeof bytes);
      break;
    case INK_CBOR_TAG:
      size = cbor_encode_tag(item->n, bytes, sizeof bytes);
      break;
    case INK_CBOR_BOOL:
      size = cbor_encode_bool(item->n != 0, bytes, sizeof bytes);
      break;
    case INK_CBOR_NULL:
      size = cbor_encode_null(bytes, sizeof bytes);
      break;
    case INK_CBOR_UNDEFINED:
      size = cbor_encode_undef(bytes, sizeof bytes);
      break;
    case INK_CBOR_FLOAT:
      break;
  }
  if (!size) return ink_fail(error, INK_ERR_INTERNAL, "a number that no manifest holds");
  ink_text_add_bytes(out, bytes, size);
  if (item->kind == INK_CBOR_BYTES || item->kind == INK_CBOR_TEXT) {
    ink_text_add_bytes(out, item->bytes, item->size);
    return INK_OK;
  }
  if (item->kind == INK_CBOR_MAP) return write_pairs(item, out, error);
  for (const ink_cbor *at = item->first; at; at = at->next) INK_TRY(write_item(at, out, error));
  return INK_OK;
}

ink_status ink_cbor_write(const ink_cbor_builder *builder, const ink_cbor *item, ink_text *out,
                          ink_error *error) {
  if (builder->failed || !item) return ink_fail(error, INK_ERR_MEMORY, "no memory for CBOR");
  INK_TRY(write_item(item, out, error));
  return ink_text_status(out, error);
}
