// Inside the room: the form that torch.save wrote before PyTorch 1.6 (torch/serialization.py,
// _legacy_save), one stream of five pickles (a magic number, the protocol, the machine, the object,
// the keys of its storages) and, in the order of the keys, a count of elements and the elements of
// each storage. Community upscalers are still passed on so.
#ifndef INK_WEIGHTS_TORCH_OLD_H
#define INK_WEIGHTS_TORCH_OLD_H

#include "weights/pickle.h"

// Where a storage lies.
typedef struct ink_torch_place {
  const ink_pickle_storage *storage;
  uint64_t offset, bytes;  // in the file; offset 0: nowhere
} ink_torch_place;

typedef struct ink_torch_places {
  ink_torch_place *at;  // by key
  size_t n;
} ink_torch_places;

// True for bytes that begin with the magic number.
bool ink_torch_old_is(const unsigned char *bytes, size_t size);

// Read the pickles, and find the storages. Values and places live in the arena. FORMAT: a file cut
// short, storages of other sizes than the object gives them, bytes behind the last one.
// UNSUPPORTED: numbers that are not little-endian, and as ink_pickle_read.
ink_status ink_torch_old_read(const unsigned char *bytes, size_t size, const char *name,
                              ink_arena *arena, ink_pickle_value *root, ink_torch_places *places,
                              ink_error *error);

// The place of the storage of that key; NULL where the file holds none.
const ink_torch_place *ink_torch_old_find(const ink_torch_places *places, const char *key,
                                          size_t key_size);

#endif
