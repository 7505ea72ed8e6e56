// GGUF files: one file with typed metadata and named tensors, versions 2 and 3, little-endian
// (ggml, docs/gguf.md). Read by mapping, written in one pass.
#ifndef INK_WEIGHTS_GGUF_H
#define INK_WEIGHTS_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/tensor.h"
#include "weights/stored_tensor.h"

// -- Reading -------------------------------------------------------------------------------------

// Value types, with the numbers they have in the file.
typedef enum ink_gguf_type {
  INK_GGUF_U8,
  INK_GGUF_I8,
  INK_GGUF_U16,
  INK_GGUF_I16,
  INK_GGUF_U32,
  INK_GGUF_I32,
  INK_GGUF_F32,
  INK_GGUF_BOOL,
  INK_GGUF_STRING,
  INK_GGUF_ARRAY,
  INK_GGUF_U64,
  INK_GGUF_I64,
  INK_GGUF_F64,
  INK_GGUF_TYPE_COUNT
} ink_gguf_type;

// Bytes inside the mapped file: not NUL-terminated, and values need not be well-formed UTF-8.
typedef struct ink_gguf_string {
  const char *bytes;
  size_t size;
} ink_gguf_string;

// One metadata entry. All of it was checked against the file's size when it was opened.
typedef struct ink_gguf_value {
  const char *key;  // NUL-terminated, well-formed UTF-8
  ink_gguf_type type;
  ink_gguf_type item_type;  // of an ARRAY's items; else equal to type. Arrays of arrays are refused
  uint64_t n;               // items of an ARRAY; else 1
  const unsigned char
      *data;    // as stored, little-endian, unaligned; read it with the functions here
  size_t size;  // bytes at `data`
} ink_gguf_value;

typedef struct ink_gguf ink_gguf;

// Map and check a file. *file is the caller's (ink_gguf_close); NULL on failure. Everything the
// header declares is checked here, against the size of the file and before memory is taken: counts,
// lengths, types, dimensions, offsets (aligned, inside the file, not overlapping), names (unique).
// Memory grows with the number of entries the file really holds. FORMAT: with path and byte offset.
// UNSUPPORTED: version 1 or above 3, big-endian files, tensor types ggml has not named.
ink_status ink_gguf_open(const char *path, ink_gguf **file, ink_error *error);
// The same for bytes[0 … size) in memory, which must outlive *file; `name` is what errors call it.
ink_status ink_gguf_parse(const void *bytes, size_t size, const char *name, ink_gguf **file,
                          ink_error *error);
void ink_gguf_close(ink_gguf *file);
// The mapped file; empty for bytes in memory.
const struct ink_map *ink_gguf_map(const ink_gguf *file);

const char *ink_gguf_path(const ink_gguf *file);

// Entries in file order. Borrowed, as all that is handed out below, until ink_gguf_close.
size_t ink_gguf_n_values(const ink_gguf *file);
const ink_gguf_value *ink_gguf_value_at(const ink_gguf *file, size_t index);
// NULL when there is no such key.
const ink_gguf_value *ink_gguf_find(const ink_gguf *file, const char *key);

// Tensors in file order, with ggml's names of types ("Q5_K") and extents in the reverse of the
// file's order.
size_t ink_gguf_n_tensors(const ink_gguf *file);
const ink_stored_tensor *ink_gguf_tensor_at(const ink_gguf *file, size_t index);
const ink_stored_tensor *ink_gguf_find_tensor(const ink_gguf *file, const char *name);

// Typed members, in the manner of base/json.h. A key that is absent leaves *out as it was: then it
// is INK_OK, or NOT_FOUND when `required`. A value of another kind, or outside [low, high], is
// FORMAT and named with file and key. Integers of every width and sign are one kind, floats of both
// widths another, which integers fit as well.
ink_status ink_gguf_get_int(const ink_gguf *file, const char *key, bool required, int64_t low,
                            int64_t high, int64_t *out, ink_error *error);
// Neither NaN nor infinity passes, whatever the bounds.
ink_status ink_gguf_get_number(const ink_gguf *file, const char *key, bool required, double low,
                               double high, double *out, ink_error *error);
ink_status ink_gguf_get_bool(const ink_gguf *file, const char *key, bool required, bool *out,
                             ink_error *error);
ink_status ink_gguf_get_string(const ink_gguf *file, const char *key, bool required,
                               ink_gguf_string *out, ink_error *error);
// An array whose items are of the kind of `item_type` (as above). When the key is absent and not
// required *out stays.
ink_status ink_gguf_get_array(const ink_gguf *file, const char *key, bool required,
                              ink_gguf_type item_type, const ink_gguf_value **out,
                              ink_error *error);

// The i-th item of an array (or the value itself, i = 0) as an integer or a number. Beyond the
// end, for another kind, or for a u64 above INT64_MAX: 0.
int64_t ink_gguf_item_int(const ink_gguf_value *value, uint64_t i);
double ink_gguf_item_number(const ink_gguf_value *value, uint64_t i);
// Walk an array of strings: start with *at = 0; false at the end. Constant time per string.
bool ink_gguf_next_string(const ink_gguf_value *array, size_t *at, ink_gguf_string *out);

// True when the string equals a NUL-terminated one.
bool ink_gguf_string_is(ink_gguf_string string, const char *text);

// -- Writing -------------------------------------------------------------------------------------

// A GGUF v3 file in the making: metadata first, then the tensors' names and shapes, then, after
// ink_gguf_writer_open, their data in the same order. Errors of the adding functions (no memory, a
// key or name twice) are kept and come out of ink_gguf_writer_open.
typedef struct ink_gguf_writer ink_gguf_writer;

// NULL without memory.
ink_gguf_writer *ink_gguf_writer_new(void);
// Give up or clean up: an uncommitted file is removed.
void ink_gguf_writer_free(ink_gguf_writer *writer);

// Metadata, in file order. Tensors are aligned to 32 bytes, or as a general.alignment added before
// them says.
void ink_gguf_add_u32(ink_gguf_writer *writer, const char *key, uint32_t value);
void ink_gguf_add_i32(ink_gguf_writer *writer, const char *key, int32_t value);
void ink_gguf_add_u64(ink_gguf_writer *writer, const char *key, uint64_t value);
void ink_gguf_add_f32(ink_gguf_writer *writer, const char *key, float value);
void ink_gguf_add_bool(ink_gguf_writer *writer, const char *key, bool value);
void ink_gguf_add_string(ink_gguf_writer *writer, const char *key, const char *bytes, size_t size);
void ink_gguf_add_strings(ink_gguf_writer *writer, const char *key, const ink_gguf_string *items,
                          size_t n);
void ink_gguf_add_i32s(ink_gguf_writer *writer, const char *key, const int32_t *items, size_t n);
void ink_gguf_add_f32s(ink_gguf_writer *writer, const char *key, const float *items, size_t n);
// Copy an entry of an open file, bit by bit; under its own key.
void ink_gguf_add_value(ink_gguf_writer *writer, const ink_gguf_value *value);

// Declare a tensor; shape outermost first, rank at most 4.
void ink_gguf_add_tensor(ink_gguf_writer *writer, const char *name, ink_dtype dtype, int rank,
                         const int64_t *shape);

// Create the file (base/file.h: it appears under its name when committed) and write the header.
ink_status ink_gguf_writer_open(ink_gguf_writer *writer, const char *path, ink_error *error);
// Bytes of the tensors in the order declared, in pieces of any size: the writer knows where one
// ends and puts the padding in. More bytes than declared are USAGE.
ink_status ink_gguf_writer_data(ink_gguf_writer *writer, const void *bytes, size_t size,
                                ink_error *error);
// USAGE when data is missing.
ink_status ink_gguf_writer_commit(ink_gguf_writer *writer, ink_error *error);

#endif
