// PyTorch's files before the archives.
#include "weights/torch_old.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"

// The first pickle, of protocol 2 as torch.save has by default.
static const unsigned char magic[] = {0x80, 2,    0x8A, 10,   0x6C, 0xFC, 0x9C, 0x46,
                                      0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, '.'};

typedef struct stream {
  const unsigned char *bytes;
  size_t size, at;
  const char *name;
  ink_arena *arena;
  ink_error *error;
} stream;

bool ink_torch_old_is(const unsigned char *bytes, size_t size) {
  return size >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

static ink_status fault(const stream *s, const char *what) {
  return ink_fail_at(s->error, INK_ERR_FORMAT, (int64_t)s->at,
                     "%s: a file of PyTorch before 1.6 %s", s->name, what);
}

static ink_status next_pickle(stream *s, ink_pickle *pickle) {
  INK_TRY(ink_pickle_read_first(s->bytes + s->at, s->size - s->at, s->at, s->name, s->arena, pickle,
                                s->error));
  s->at += pickle->size;
  return INK_OK;
}

static bool is_text(const ink_pickle_value *value, const char *word) {
  return value->kind == INK_PICKLE_TEXT && value->size == strlen(word) &&
         memcmp(value->of.text, word, value->size) == 0;
}

static ink_status check_machine(stream *s, const ink_pickle_value *machine) {
  for (size_t i = 0; machine->kind == INK_PICKLE_DICT && i + 1 < machine->of.items->n; i += 2) {
    const ink_pickle_value *key = &machine->of.items->at[i];
    if (is_text(key, "little_endian") && key[1].kind == INK_PICKLE_BOOL && key[1].of.number) {
      return INK_OK;
    }
  }
  return ink_fail_at(s->error, INK_ERR_UNSUPPORTED, (int64_t)s->at,
                     "%s: its numbers are not little-endian; save it again on a usual machine",
                     s->name);
}

// ---- storages -----------------------------------------------------------------------------------

static int compare_keys(const char *a, size_t a_size, const char *b, size_t b_size) {
  int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
  return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int by_key(const void *a, const void *b) {
  const ink_pickle_storage *x = ((const ink_torch_place *)a)->storage;
  const ink_pickle_storage *y = ((const ink_torch_place *)b)->storage;
  return compare_keys(x->key, x->key_size, y->key, y->key_size);
}

// The storages that the object names, each key once.
static ink_status list_storages(stream *s, const ink_pickle_storage *first,
                                ink_torch_places *places) {
  size_t n = 0, kept = 0;
  for (const ink_pickle_storage *one = first; one; one = one->before) n++;
  ink_torch_place *at = ink_arena_zeros(s->arena, n + 1, sizeof *at);
  if (!at) return ink_fail(s->error, INK_ERR_MEMORY, "%s: no memory to open it", s->name);
  n = 0;
  for (const ink_pickle_storage *one = first; one; one = one->before) at[n++].storage = one;
  qsort(at, n, sizeof *at, by_key);
  for (size_t i = 0; i < n; i++) {
    if (kept == 0 || by_key(&at[kept - 1], &at[i]) != 0) {
      at[kept++] = at[i];
    } else if (at[kept - 1].storage->type != at[i].storage->type ||
               at[kept - 1].storage->elements != at[i].storage->elements) {
      return fault(s, "describes one storage in two ways");
    }
  }
  *places = (ink_torch_places){.at = at, .n = kept};
  return INK_OK;
}

static ink_torch_place *find(const ink_torch_places *places, const char *key, size_t key_size) {
  ink_pickle_storage storage = {.key = key, .key_size = key_size};
  ink_torch_place wanted = {.storage = &storage};
  return places->n ? bsearch(&wanted, places->at, places->n, sizeof wanted, by_key) : NULL;
}

const ink_torch_place *ink_torch_old_find(const ink_torch_places *places, const char *key,
                                          size_t key_size) {
  const ink_torch_place *place = find(places, key, key_size);
  return place && place->offset ? place : NULL;
}

static ink_status place_storage(stream *s, const ink_pickle_value *key,
                                const ink_torch_places *places) {
  enum { COUNT = 8 };
  ink_torch_place *place =
      key->kind == INK_PICKLE_TEXT ? find(places, key->of.text, key->size) : NULL;
  if (!place) return fault(s, "has a storage that its object does not name");
  if (place->offset) return fault(s, "has a storage twice");
  if (s->size - s->at < COUNT) return fault(s, "is cut short");
  if (ink_little(s->bytes + s->at, COUNT) != place->storage->elements) {
    return fault(s, "has a storage of another size than its object says");
  }
  s->at += COUNT;
  size_t bytes;
  if (place->storage->elements > SIZE_MAX ||
      !ink_mul_size((size_t)place->storage->elements, place->storage->type->bytes, &bytes) ||
      bytes > s->size - s->at) {
    return fault(s, "is cut short");
  }
  place->offset = s->at;
  place->bytes = bytes;
  s->at += bytes;
  return INK_OK;
}

ink_status ink_torch_old_read(const unsigned char *bytes, size_t size, const char *name,
                              ink_arena *arena, ink_pickle_value *root, ink_torch_places *places,
                              ink_error *error) {
  stream s = {.bytes = bytes, .size = size, .name = name, .arena = arena, .error = error};
  ink_pickle pickle;
  s.at = sizeof magic;
  INK_TRY(next_pickle(&s, &pickle));  // the protocol, 1001 in all of them
  INK_TRY(next_pickle(&s, &pickle));
  INK_TRY(check_machine(&s, &pickle.root));
  INK_TRY(next_pickle(&s, &pickle));
  *root = pickle.root;
  INK_TRY(list_storages(&s, pickle.storages, places));
  INK_TRY(next_pickle(&s, &pickle));
  if (pickle.root.kind != INK_PICKLE_LIST) return fault(&s, "has no list of storages");
  const ink_pickle_items *keys = pickle.root.of.items;
  for (size_t i = 0; i < keys->n; i++) INK_TRY(place_storage(&s, &keys->at[i], places));
  return s.at == size ? INK_OK : fault(&s, "goes on behind its end");
}
