// The GGUF writer: the header is put together in memory, the tensors pass through.
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/text.h"
#include "weights/check.h"
#include "weights/ggml_types.h"
#include "weights/gguf.h"

enum { VERSION = 3, DEFAULT_ALIGNMENT = 32, MAX_ALIGNMENT = 1 << 16, MAX_GGUF_RANK = 4 };

typedef struct declared {
  char *name;
  uint64_t bytes;
} declared;

struct ink_gguf_writer {
  ink_text values, tensors;  // as they stand in the file
  char **keys;
  size_t n_keys, key_room;
  declared *declared;
  size_t n_tensors, tensor_room;
  uint64_t alignment;
  uint64_t data_end;  // where the next tensor begins, from the start of the data
  ink_error error;    // sticky

  ink_file_writer file;
  bool open;
  size_t current;  // the tensor whose bytes come next
  uint64_t given;  // of them
};

static void fail(ink_gguf_writer *writer, ink_status status, const char *name, const char *why) {
  if (writer->error.status != INK_OK) return;
  ink_fail(&writer->error, status, "%.*s %s", INK_SHOWN(name), why);
}

static void put_number(ink_text *out, uint64_t value, size_t size) {
  char bytes[8];
  for (size_t i = 0; i < size; i++) bytes[i] = (char)(value >> (8 * i) & 0xFF);
  ink_text_add_bytes(out, bytes, size);
}

static void put_string(ink_text *out, const char *bytes, size_t size) {
  put_number(out, size, 8);
  ink_text_add_bytes(out, bytes, size);
}

static uint64_t padding(const ink_gguf_writer *writer, uint64_t size) {
  return (writer->alignment - size % writer->alignment) % writer->alignment;
}

// Make room for one more element of a growing table.
static bool grow(ink_gguf_writer *writer, void **table, size_t n, size_t *room, size_t element) {
  if (n < *room) return true;
  size_t larger = *room ? *room * 2 : 64, bytes;
  void *grown = ink_mul_size(larger, element, &bytes) ? realloc(*table, bytes) : NULL;
  if (!grown) {
    fail(writer, INK_ERR_MEMORY, "GGUF header:", "no memory");
    return false;
  }
  *table = grown;
  *room = larger;
  return true;
}

ink_gguf_writer *ink_gguf_writer_new(void) {
  ink_gguf_writer *writer = calloc(1, sizeof *writer);
  if (writer) writer->alignment = DEFAULT_ALIGNMENT;
  return writer;
}

void ink_gguf_writer_free(ink_gguf_writer *writer) {
  if (!writer) return;
  if (writer->open) ink_file_abandon(&writer->file);
  for (size_t i = 0; i < writer->n_keys; i++) free(writer->keys[i]);
  for (size_t i = 0; i < writer->n_tensors; i++) free(writer->declared[i].name);
  free(writer->keys);
  free(writer->declared);
  ink_text_free(&writer->values);
  ink_text_free(&writer->tensors);
  free(writer);
}

// -- Metadata -------------------------------------------------------------------------------------

// Begin an entry; false when it cannot be added.
static bool begin_value(ink_gguf_writer *writer, const char *key, ink_gguf_type type) {
  size_t bad;
  if (writer->error.status != INK_OK) return false;
  if (!ink_name_valid(key, strlen(key), &bad) || strlen(key) > UINT16_MAX) {
    fail(writer, INK_ERR_USAGE, key, "is no metadata key");
    return false;
  }
  if (!grow(writer, (void **)&writer->keys, writer->n_keys, &writer->key_room,
            sizeof *writer->keys)) {
    return false;
  }
  char *kept = strdup(key);
  if (!kept) {
    fail(writer, INK_ERR_MEMORY, key, "no memory");
    return false;
  }
  writer->keys[writer->n_keys++] = kept;
  put_string(&writer->values, key, strlen(key));
  put_number(&writer->values, type, 4);
  return true;
}

static bool begin_array(ink_gguf_writer *writer, const char *key, ink_gguf_type item_type,
                        uint64_t n) {
  if (!begin_value(writer, key, INK_GGUF_ARRAY)) return false;
  put_number(&writer->values, item_type, 4);
  put_number(&writer->values, n, 8);
  return true;
}

static uint32_t float_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static void set_alignment(ink_gguf_writer *writer, const char *key, int64_t alignment) {
  if (strcmp(key, "general.alignment") != 0) return;
  if (alignment < 8 || alignment > MAX_ALIGNMENT || alignment % 8 != 0 || writer->n_tensors) {
    fail(writer, INK_ERR_USAGE, key,
         "must be a multiple of 8, at most 65536, and come before the tensors");
    return;
  }
  writer->alignment = (uint64_t)alignment;
}

void ink_gguf_add_u32(ink_gguf_writer *writer, const char *key, uint32_t value) {
  set_alignment(writer, key, value);
  if (begin_value(writer, key, INK_GGUF_U32)) put_number(&writer->values, value, 4);
}

void ink_gguf_add_i32(ink_gguf_writer *writer, const char *key, int32_t value) {
  if (begin_value(writer, key, INK_GGUF_I32)) put_number(&writer->values, (uint32_t)value, 4);
}

void ink_gguf_add_u64(ink_gguf_writer *writer, const char *key, uint64_t value) {
  if (begin_value(writer, key, INK_GGUF_U64)) put_number(&writer->values, value, 8);
}

void ink_gguf_add_f32(ink_gguf_writer *writer, const char *key, float value) {
  if (begin_value(writer, key, INK_GGUF_F32)) put_number(&writer->values, float_bits(value), 4);
}

void ink_gguf_add_bool(ink_gguf_writer *writer, const char *key, bool value) {
  if (begin_value(writer, key, INK_GGUF_BOOL)) put_number(&writer->values, value, 1);
}

void ink_gguf_add_string(ink_gguf_writer *writer, const char *key, const char *bytes, size_t size) {
  if (begin_value(writer, key, INK_GGUF_STRING)) put_string(&writer->values, bytes, size);
}

void ink_gguf_add_strings(ink_gguf_writer *writer, const char *key, const ink_gguf_string *items,
                          size_t n) {
  if (!begin_array(writer, key, INK_GGUF_STRING, n)) return;
  for (size_t i = 0; i < n; i++) put_string(&writer->values, items[i].bytes, items[i].size);
}

void ink_gguf_add_i32s(ink_gguf_writer *writer, const char *key, const int32_t *items, size_t n) {
  if (!begin_array(writer, key, INK_GGUF_I32, n)) return;
  for (size_t i = 0; i < n; i++) put_number(&writer->values, (uint32_t)items[i], 4);
}

void ink_gguf_add_f32s(ink_gguf_writer *writer, const char *key, const float *items, size_t n) {
  if (!begin_array(writer, key, INK_GGUF_F32, n)) return;
  for (size_t i = 0; i < n; i++) put_number(&writer->values, float_bits(items[i]), 4);
}

void ink_gguf_add_value(ink_gguf_writer *writer, const ink_gguf_value *value) {
  set_alignment(writer, value->key, ink_gguf_item_int(value, 0));
  if (value->type == INK_GGUF_ARRAY) {
    if (!begin_array(writer, value->key, value->item_type, value->n)) return;
  } else {
    if (!begin_value(writer, value->key, value->type)) return;
    if (value->type == INK_GGUF_STRING) put_number(&writer->values, value->size, 8);
  }
  ink_text_add_bytes(&writer->values, value->data, value->size);
}

// -- Tensors --------------------------------------------------------------------------------------

void ink_gguf_add_tensor(ink_gguf_writer *writer, const char *name, ink_dtype dtype, int rank,
                         const int64_t *shape) {
  size_t bytes, bad;
  if (writer->error.status != INK_OK) return;
  if (!ink_name_valid(name, strlen(name), &bad) || rank > MAX_GGUF_RANK ||
      !ink_tensor_bytes(dtype, rank, shape, &bytes)) {
    fail(writer, INK_ERR_USAGE, name, "is no tensor that GGUF can hold");
    return;
  }
  uint64_t data_end;
  if (__builtin_add_overflow(writer->data_end, bytes + padding(writer, bytes), &data_end)) {
    fail(writer, INK_ERR_USAGE, name, "makes the file larger than any");
    return;
  }
  if (!grow(writer, (void **)&writer->declared, writer->n_tensors, &writer->tensor_room,
            sizeof *writer->declared)) {
    return;
  }
  char *kept = strdup(name);
  if (!kept) {
    fail(writer, INK_ERR_MEMORY, name, "no memory");
    return;
  }
  writer->declared[writer->n_tensors++] = (declared){kept, bytes};
  put_string(&writer->tensors, name, strlen(name));
  put_number(&writer->tensors, (uint64_t)rank, 4);
  for (int i = rank; i-- > 0;) put_number(&writer->tensors, (uint64_t)shape[i], 8);
  put_number(&writer->tensors, ink_ggml_type_of(dtype), 4);
  put_number(&writer->tensors, writer->data_end, 8);
  writer->data_end = data_end;
}

// -- The file -------------------------------------------------------------------------------------

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// The first text that stands there twice; NULL when all differ. Sorts.
static const char *find_twice(const char **texts, size_t n) {
  qsort(texts, n, sizeof *texts, by_text);
  for (size_t i = 1; i < n; i++) {
    if (strcmp(texts[i - 1], texts[i]) == 0) return texts[i];
  }
  return NULL;
}

static void check_names(ink_gguf_writer *writer) {
  size_t most = writer->n_keys > writer->n_tensors ? writer->n_keys : writer->n_tensors;
  const char **texts = calloc(most + 1, sizeof *texts);
  if (!texts) {
    fail(writer, INK_ERR_MEMORY, "GGUF header:", "no memory");
    return;
  }
  for (size_t i = 0; i < writer->n_keys; i++) texts[i] = writer->keys[i];
  const char *twice = find_twice(texts, writer->n_keys);
  if (twice) fail(writer, INK_ERR_USAGE, twice, "is added twice as a metadata key");
  for (size_t i = 0; i < writer->n_tensors; i++) texts[i] = writer->declared[i].name;
  twice = find_twice(texts, writer->n_tensors);
  if (twice) fail(writer, INK_ERR_USAGE, twice, "is added twice as a tensor");
  free(texts);
}

static ink_status put_padding(ink_gguf_writer *writer, uint64_t size, ink_error *error) {
  static const char zeros[512];
  for (uint64_t left = padding(writer, size), now; left; left -= now) {
    now = left < sizeof zeros ? left : sizeof zeros;
    INK_TRY(ink_file_write(&writer->file, zeros, (size_t)now, error));
  }
  return INK_OK;
}

// Go on to the next tensor that has bytes, padding behind those that are complete.
static ink_status skip_complete(ink_gguf_writer *writer, ink_error *error) {
  while (writer->current < writer->n_tensors &&
         writer->given == writer->declared[writer->current].bytes) {
    INK_TRY(put_padding(writer, writer->given, error));
    writer->current++;
    writer->given = 0;
  }
  return INK_OK;
}

ink_status ink_gguf_writer_open(ink_gguf_writer *writer, const char *path, ink_error *error) {
  check_names(writer);
  if (writer->error.status == INK_OK) ink_text_status(&writer->values, &writer->error);
  if (writer->error.status == INK_OK) ink_text_status(&writer->tensors, &writer->error);
  if (writer->error.status != INK_OK) {
    return ink_fail(error, writer->error.status, "%s: %s", path, writer->error.text);
  }
  ink_text start = {0};
  ink_text_add(&start, "GGUF");
  put_number(&start, VERSION, 4);
  put_number(&start, writer->n_tensors, 8);
  put_number(&start, writer->n_keys, 8);
  ink_status status = ink_text_status(&start, error);
  if (status == INK_OK) status = ink_file_create(path, &writer->file, error);
  writer->open = status == INK_OK;
  if (status == INK_OK) status = ink_file_write(&writer->file, start.bytes, start.size, error);
  ink_text_free(&start);
  INK_TRY(status);
  INK_TRY(ink_file_write(&writer->file, writer->values.bytes, writer->values.size, error));
  INK_TRY(ink_file_write(&writer->file, writer->tensors.bytes, writer->tensors.size, error));
  INK_TRY(put_padding(writer, writer->file.written, error));
  return skip_complete(writer, error);
}

ink_status ink_gguf_writer_data(ink_gguf_writer *writer, const void *bytes, size_t size,
                                ink_error *error) {
  const char *at = bytes;
  while (size) {
    if (writer->current == writer->n_tensors) {
      return ink_fail(error, INK_ERR_USAGE, "%s: more data than its tensors have",
                      writer->open ? writer->file.path : "GGUF file");
    }
    uint64_t left = writer->declared[writer->current].bytes - writer->given;
    size_t now = size < left ? size : (size_t)left;
    INK_TRY(ink_file_write(&writer->file, at, now, error));
    at += now;
    size -= now;
    writer->given += now;
    INK_TRY(skip_complete(writer, error));
  }
  return INK_OK;
}

ink_status ink_gguf_writer_commit(ink_gguf_writer *writer, ink_error *error) {
  if (!writer->open) return ink_fail(error, INK_ERR_USAGE, "GGUF file: not open");
  if (writer->current < writer->n_tensors) {
    return ink_fail(error, INK_ERR_USAGE, "%s: the data of tensor %.*s is missing",
                    writer->file.path, INK_SHOWN(writer->declared[writer->current].name));
  }
  writer->open = false;
  return ink_file_commit(&writer->file, error);
}
