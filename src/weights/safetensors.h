// Safetensors files: a JSON header and raw tensors (huggingface/safetensors, README "Format"). Read
// by mapping, written in one pass.
#ifndef INK_WEIGHTS_SAFETENSORS_H
#define INK_WEIGHTS_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/tensor.h"
#include "weights/stored_tensor.h"

// -- Reading -------------------------------------------------------------------------------------

typedef struct ink_safetensors ink_safetensors;

// Map and check a file. *file is the caller's (ink_safetensors_close); NULL on failure. As the
// reference implementation does, it refuses headers above 100 MB, tensors that overlap, leave holes
// or do not cover the data exactly, and sizes that contradict type and shape. Memory grows with the
// number of tensors, whatever the JSON looks like. FORMAT comes with path and byte offset.
ink_status ink_safetensors_open(const char *path, ink_safetensors **file, ink_error *error);
// The same for bytes[0 … size) in memory, which must outlive *file; `name` is what errors call it.
ink_status ink_safetensors_parse(const void *bytes, size_t size, const char *name,
                                 ink_safetensors **file, ink_error *error);
void ink_safetensors_close(ink_safetensors *file);
// The mapped file; empty for bytes in memory.
const struct ink_map *ink_safetensors_map(const ink_safetensors *file);

// Tensors ordered by their place in the file, with types as it spells them ("BF16", "I64"; usable
// are F32, F16, BF16 and I32). One whose place is not a multiple of its element (old writers did
// not pad) is copied. Borrowed until ink_safetensors_close.
size_t ink_safetensors_count(const ink_safetensors *file);
const ink_stored_tensor *ink_safetensors_at(const ink_safetensors *file, size_t index);
// NULL when there is none of that name.
const ink_stored_tensor *ink_safetensors_find(const ink_safetensors *file, const char *name);

// Entries of "__metadata__", in file order. Key and value are NUL-terminated.
size_t ink_safetensors_n_metadata(const ink_safetensors *file);
void ink_safetensors_metadata_at(const ink_safetensors *file, size_t index, const char **key,
                                 const char **value);
// The value of a key; NULL when there is none.
const char *ink_safetensors_metadata(const ink_safetensors *file, const char *key);

// -- Writing -------------------------------------------------------------------------------------

// What a file will hold.
typedef struct ink_safetensors_entry {
  const char *name;
  const char *type_name;  // the format's: "F32" (ink_dtype_about), or "U8", such as a picture's
  int rank;
  int64_t shape[INK_MAX_RANK];
} ink_safetensors_entry;

typedef struct ink_safetensors_writer ink_safetensors_writer;

// Create a file (base/file.h: it appears under its name when committed) and write the header: the
// tensors by falling element size and then by name, so that each is aligned, as the reference
// implementation does; padded with spaces so that the data begins at a multiple of 8. `metadata`
// holds n_metadata pairs key, value. USAGE: a type that the format does not have, a name twice or
// not UTF-8.
ink_status ink_safetensors_create(const char *path, const ink_safetensors_entry *entries, size_t n,
                                  const char *const (*metadata)[2], size_t n_metadata,
                                  ink_safetensors_writer **writer, ink_error *error);
// The order in which data is to come: n indices into the `entries` given. Borrowed.
const size_t *ink_safetensors_writer_order(const ink_safetensors_writer *writer);
// Bytes of the tensors in that order, in pieces of any size. More than declared are USAGE.
ink_status ink_safetensors_writer_data(ink_safetensors_writer *writer, const void *bytes,
                                       size_t size, ink_error *error);
// USAGE when data is missing. The writer is to be freed in any case.
ink_status ink_safetensors_writer_commit(ink_safetensors_writer *writer, ink_error *error);
// An uncommitted file is removed.
void ink_safetensors_writer_free(ink_safetensors_writer *writer);

#endif
