// Inside the room: Python pickles (protocols 2 to 5; CPython, Lib/pickletools.py) as far as
// PyTorch writes tensors with them. It is a reader and no interpreter of Python: it builds values,
// imports nothing and calls nothing. What trainers are known to keep beside tensors (the best loss
// as a NumPy number, the class of a callback) is a THING of which nothing is known; any other
// global is an error that names it.
#ifndef INK_WEIGHTS_PICKLE_H
#define INK_WEIGHTS_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

typedef enum ink_pickle_kind {
  INK_PICKLE_NONE,
  INK_PICKLE_BOOL,
  INK_PICKLE_INT,
  INK_PICKLE_REAL,
  INK_PICKLE_TEXT,
  INK_PICKLE_TUPLE,
  INK_PICKLE_LIST,
  INK_PICKLE_SET,
  INK_PICKLE_DICT,
  INK_PICKLE_GLOBAL,   // one of those below, by its number
  INK_PICKLE_STORAGE,  // a tensor's memory, in the archive
  INK_PICKLE_TENSOR,
  INK_PICKLE_THING,  // of a class that holds no tensors
  INK_PICKLE_MARK
} ink_pickle_kind;

typedef struct ink_pickle_value {
  ink_pickle_kind kind;
  uint32_t size;  // of TEXT, in bytes
  union {
    int64_t number;
    const char *text;  // in the pickle's bytes, not NUL-terminated
    struct ink_pickle_items *items;
    const struct ink_pickle_storage *storage;
    const struct ink_pickle_tensor *tensor;
  } of;
} ink_pickle_value;

// A TUPLE, LIST or SET; of a DICT keys and values by turns.
typedef struct ink_pickle_items {
  ink_pickle_value *at;
  size_t n, room;
  bool seen;  // for those who walk through the values, which may lead in a circle
} ink_pickle_items;

// Element types, as torch names its storages ("FloatStorage") and dtypes ("float32").
typedef struct ink_torch_type {
  const char *storage;    // NULL where only the dtype exists
  const char *dtype;      // as an attribute of torch
  const char *type_name;  // as in safetensors: "F32"
  unsigned bytes;
} ink_torch_type;

typedef struct ink_pickle_storage {
  const ink_torch_type *type;
  const char *key;  // "17": the file data/17 of the archive; not NUL-terminated
  size_t key_size;
  uint64_t elements;
  const struct ink_pickle_storage *before;  // the one that the pickle described before
} ink_pickle_storage;

enum { INK_PICKLE_MAX_RANK = 32 };

typedef struct ink_pickle_tensor {
  const ink_pickle_storage *storage;
  const ink_torch_type *type;
  uint64_t offset;  // in elements of its type
  int rank;
  const int64_t *shape, *stride;  // not negative
  size_t at;                      // byte of the pickle where it was made
} ink_pickle_tensor;

typedef struct ink_pickle {
  ink_pickle_value root;
  const ink_pickle_storage *storages;  // the last one described, from which the others follow
  size_t size;                         // bytes that it took
} ink_pickle;

// Read the pickle bytes[0 … size), which must outlive *root; it begins at byte `base` of the file
// `name`, for errors. Values live in the arena, in proportion to `size`.
ink_status ink_pickle_read(const void *bytes, size_t size, uint64_t base, const char *name,
                           ink_arena *arena, ink_pickle_value *root, ink_error *error);
// The same for the pickle that the bytes begin with, whatever follows it.
ink_status ink_pickle_read_first(const void *bytes, size_t size, uint64_t base, const char *name,
                                 ink_arena *arena, ink_pickle *pickle, ink_error *error);

#endif
