// The GGUF reader: one pass that only checks, then one that fills tables whose sizes are known.
// Format: ggml, docs/gguf.md, "File Structure".
#include "weights/gguf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/file.h"
#include "weights/check.h"
#include "weights/ggml_types.h"

enum { MAX_DIMENSIONS = 4, MAX_KEY = 65535, DEFAULT_ALIGNMENT = 32 };

struct ink_gguf {
  ink_map map;  // empty for files in memory
  char *path;
  const unsigned char *bytes;
  size_t size;
  size_t alignment;
  size_t n_values, n_tensors;
  ink_gguf_value *values;
  ink_stored_tensor *tensors;
  int64_t (*shapes)[MAX_DIMENSIONS];  // of the tensors
  const ink_gguf_value **values_by_key;
  const ink_stored_tensor **tensors_by_name;
  char *names;  // keys and tensor names, each ended by NUL
};

static const struct {
  const char *name;
  size_t size;  // 0: not of fixed size
} value_types[INK_GGUF_TYPE_COUNT] = {
    [INK_GGUF_U8] = {"u8", 1},         [INK_GGUF_I8] = {"i8", 1},
    [INK_GGUF_U16] = {"u16", 2},       [INK_GGUF_I16] = {"i16", 2},
    [INK_GGUF_U32] = {"u32", 4},       [INK_GGUF_I32] = {"i32", 4},
    [INK_GGUF_F32] = {"f32", 4},       [INK_GGUF_BOOL] = {"bool", 1},
    [INK_GGUF_STRING] = {"string", 0}, [INK_GGUF_ARRAY] = {"array", 0},
    [INK_GGUF_U64] = {"u64", 8},       [INK_GGUF_I64] = {"i64", 8},
    [INK_GGUF_F64] = {"f64", 8},
};

// "u32", "string", "array" …; never NULL.
static const char *type_name(ink_gguf_type type) {
  return (unsigned)type < INK_GGUF_TYPE_COUNT ? value_types[type].name : "unknown";
}

// -- Little-endian bytes --------------------------------------------------------------------------

static int64_t load_signed(const unsigned char *bytes, size_t size) {
  if (size == 0) return 0;
  uint64_t value = ink_little(bytes, size);
  uint64_t sign = UINT64_C(1) << (8 * size - 1);
  return (int64_t)((value ^ sign) - sign);
}

// A place in the file, and whom to tell when it ends too soon.
typedef struct cursor {
  const unsigned char *bytes;
  size_t size, at;
  const char *path;
  ink_error *error;
} cursor;

static ink_status take(cursor *c, uint64_t size, const char *what, const unsigned char **bytes) {
  if (!ink_fits(c->at, size, c->size)) {
    return ink_fail_at(c->error, INK_ERR_FORMAT, (int64_t)c->at,
                       "%s: %s needs %llu bytes, but the file ends after %zu; it is cut short or "
                       "damaged, fetch it again",
                       c->path, what, (unsigned long long)size, c->size - c->at);
  }
  *bytes = c->bytes + c->at;
  c->at += (size_t)size;
  return INK_OK;
}

static ink_status take_number(cursor *c, size_t size, const char *what, uint64_t *value) {
  const unsigned char *bytes = NULL;
  INK_TRY(take(c, size, what, &bytes));
  *value = ink_little(bytes, size);
  return INK_OK;
}

static ink_status take_string(cursor *c, const char *what, ink_gguf_string *string) {
  uint64_t size = 0;
  const unsigned char *bytes = NULL;
  INK_TRY(take_number(c, 8, what, &size));
  INK_TRY(take(c, size, what, &bytes));
  *string = (ink_gguf_string){(const char *)bytes, (size_t)size};
  return INK_OK;
}

// A key or tensor name.
static ink_status take_name(cursor *c, const char *what, ink_gguf_string *name) {
  size_t at = c->at, bad = 0;
  INK_TRY(take_string(c, what, name));
  if (name->size == 0 || name->size > MAX_KEY) {
    return ink_fail_at(c->error, INK_ERR_FORMAT, (int64_t)at,
                       "%s: %s of %zu bytes; GGUF allows 1 to %d", c->path, what, name->size,
                       MAX_KEY);
  }
  if (!ink_name_valid(name->bytes, name->size, &bad)) {
    return ink_fail_at(c->error, INK_ERR_FORMAT, (int64_t)(at + 8 + bad),
                       "%s: %s that is not plain UTF-8 text", c->path, what);
  }
  return INK_OK;
}

// -- Metadata -------------------------------------------------------------------------------------

static ink_status take_type(cursor *c, const char *what, ink_gguf_type *type) {
  uint64_t number = 0;
  size_t at = c->at;
  INK_TRY(take_number(c, 4, what, &number));
  if (number >= INK_GGUF_TYPE_COUNT) {
    return ink_fail_at(c->error, INK_ERR_FORMAT, (int64_t)at,
                       "%s: %s %llu, but GGUF knows 0 to %d only", c->path, what,
                       (unsigned long long)number, INK_GGUF_TYPE_COUNT - 1);
  }
  *type = (ink_gguf_type)number;
  return INK_OK;
}

static ink_status take_bools(cursor *c, const unsigned char *bytes, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (bytes[i] > 1) {
      return ink_fail_at(c->error, INK_ERR_FORMAT, (int64_t)(bytes + i - c->bytes),
                         "%s: %u where a bool must be 0 or 1", c->path, bytes[i]);
    }
  }
  return INK_OK;
}

// The n values of one type that stand here.
static ink_status take_items(cursor *c, ink_gguf_type type, uint64_t n, ink_gguf_value *value) {
  value->data = c->bytes + c->at;
  if (type == INK_GGUF_STRING) {
    size_t start = c->at;
    for (uint64_t i = 0; i < n; i++) {
      ink_gguf_string string;
      INK_TRY(take_string(c, "a string", &string));
    }
    value->size = c->at - start;
    return INK_OK;
  }
  if (n > c->size) {  // every item takes at least a byte
    return ink_fail_at(c->error, INK_ERR_FORMAT, (int64_t)c->at,
                       "%s: an array of %llu items is larger than the file", c->path,
                       (unsigned long long)n);
  }
  uint64_t size = n * value_types[type].size;
  INK_TRY(take(c, size, n == 1 ? "a value" : "an array", &value->data));
  value->size = (size_t)size;
  return type == INK_GGUF_BOOL ? take_bools(c, value->data, value->size) : INK_OK;
}

static ink_status take_value(cursor *c, ink_gguf_string *key, ink_gguf_value *value) {
  *value = (ink_gguf_value){.n = 1};
  INK_TRY(take_name(c, "a metadata key", key));
  INK_TRY(take_type(c, "a value type", &value->type));
  value->item_type = value->type;
  if (value->type == INK_GGUF_ARRAY) {
    size_t at = c->at;
    INK_TRY(take_type(c, "an item type", &value->item_type));
    if (value->item_type == INK_GGUF_ARRAY) {
      return ink_fail_at(c->error, INK_ERR_UNSUPPORTED, (int64_t)at,
                         "%s: %.*s is an array of arrays, which no known model uses", c->path,
                         ink_name_shown(key->bytes, key->size), key->bytes);
    }
    INK_TRY(take_number(c, 8, "an array length", &value->n));
  }
  ink_status status = take_items(c, value->item_type, value->n, value);
  if (status == INK_OK && value->type == INK_GGUF_STRING) {  // the characters, without their count
    value->data += 8;
    value->size -= 8;
  }
  return status;
}

// -- Tensor descriptions --------------------------------------------------------------------------

// Read a description, its extents into `shape`; offset is still relative to the data section. All
// of it is checked but where it lies.
static ink_status take_tensor(cursor *c, ink_gguf_string *name, int64_t shape[MAX_DIMENSIONS],
                              ink_stored_tensor *tensor) {
  *tensor = (ink_stored_tensor){.shape = shape};
  INK_TRY(take_name(c, "a tensor name", name));
  size_t at = c->at;
  uint64_t rank = 0, type = 0, extent = 0;
  INK_TRY(take_number(c, 4, "a number of dimensions", &rank));
  if (rank > MAX_DIMENSIONS) {
    return ink_fail_at(c->error, INK_ERR_FORMAT, (int64_t)at,
                       "%s: tensor %.*s has %llu dimensions; GGUF allows %d", c->path,
                       ink_name_shown(name->bytes, name->size), name->bytes,
                       (unsigned long long)rank, MAX_DIMENSIONS);
  }
  int64_t elements = 1;
  bool fits = true;
  tensor->rank = (int)rank;
  at = c->at;
  for (int i = 0; i < tensor->rank; i++) {
    INK_TRY(take_number(c, 8, "a dimension", &extent));
    fits = fits && extent <= INT64_MAX && ink_mul_count(elements, (int64_t)extent, &elements);
    shape[tensor->rank - 1 - i] = (int64_t)extent;
  }
  if (!fits) {
    return ink_fail_at(c->error, INK_ERR_FORMAT, (int64_t)at,
                       "%s: the dimensions of tensor %.*s multiply to more than fits", c->path,
                       ink_name_shown(name->bytes, name->size), name->bytes);
  }
  size_t type_at = c->at;
  INK_TRY(take_number(c, 4, "a tensor type", &type));
  const ink_ggml_type *about = ink_ggml_type_about((uint32_t)type);
  if (!about) {
    return ink_fail_at(c->error, INK_ERR_UNSUPPORTED, (int64_t)type_at,
                       "%s: tensor %.*s has type %llu, which this build does not know", c->path,
                       ink_name_shown(name->bytes, name->size), name->bytes,
                       (unsigned long long)type);
  }
  tensor->type_name = about->name;
  tensor->usable = about->usable;
  tensor->dtype = about->dtype;
  int64_t row = tensor->rank ? shape[tensor->rank - 1] : 1;
  if (row % about->block_elements != 0) {
    return ink_fail_at(c->error, INK_ERR_FORMAT, (int64_t)at,
                       "%s: tensor %.*s has rows of %lld elements, no multiple of the %lld in a "
                       "block of %s",
                       c->path, ink_name_shown(name->bytes, name->size), name->bytes,
                       (long long)row, (long long)about->block_elements, about->name);
  }
  int64_t blocks = elements / about->block_elements;
  if ((uint64_t)blocks > c->size / about->block_bytes) {
    return ink_fail_at(c->error, INK_ERR_FORMAT, (int64_t)at,
                       "%s: tensor %.*s is larger than the file", c->path,
                       ink_name_shown(name->bytes, name->size), name->bytes);
  }
  tensor->bytes = (size_t)blocks * about->block_bytes;
  return take_number(c, 8, "a tensor offset", &tensor->offset);
}

// -- The whole file -------------------------------------------------------------------------------

static ink_status read_start(cursor *c, ink_gguf *file) {
  const unsigned char *magic = NULL;
  uint64_t version = 0, n_tensors = 0, n_values = 0;
  INK_TRY(take(c, 4, "the mark GGUF", &magic));
  if (memcmp(magic, "GGUF", 4) != 0) {
    return ink_fail_at(c->error, INK_ERR_FORMAT, 0, "%s: not a GGUF file", c->path);
  }
  INK_TRY(take_number(c, 4, "the version", &version));
  if ((version & 0xFFFF) == 0 && version != 0) {
    return ink_fail_at(c->error, INK_ERR_UNSUPPORTED, 4,
                       "%s: a big-endian GGUF file; gguf-convert-endian from the gguf package "
                       "makes it little-endian",
                       c->path);
  }
  if (version != 2 && version != 3) {
    return ink_fail_at(c->error, INK_ERR_UNSUPPORTED, 4,
                       "%s: GGUF version %llu; versions 2 and 3 can be read, convert the model "
                       "anew",
                       c->path, (unsigned long long)version);
  }
  // The least an entry takes bounds how many there can be.
  enum { LEAST_TENSOR = 8 + 1 + 4 + 4 + 8, LEAST_VALUE = 8 + 1 + 4 + 1 };
  size_t at = c->at;
  INK_TRY(take_number(c, 8, "the number of tensors", &n_tensors));
  INK_TRY(take_number(c, 8, "the number of metadata entries", &n_values));
  size_t left = c->size - c->at;
  if (n_tensors > left / LEAST_TENSOR || n_values > left / LEAST_VALUE) {
    return ink_fail_at(c->error, INK_ERR_FORMAT, (int64_t)at,
                       "%s: %llu tensors and %llu metadata entries are declared, more than the "
                       "file's %zu bytes can hold",
                       c->path, (unsigned long long)n_tensors, (unsigned long long)n_values,
                       c->size);
  }
  file->n_tensors = (size_t)n_tensors;
  file->n_values = (size_t)n_values;
  return INK_OK;
}

static ink_status note_alignment(cursor *c, const ink_gguf_value *value, ink_gguf *file) {
  uint64_t alignment = value->type == INK_GGUF_U32 ? ink_little(value->data, 4) : 0;
  if (alignment == 0 || alignment % 8 != 0) {
    return ink_fail_at(c->error, INK_ERR_FORMAT, (int64_t)(value->data - c->bytes),
                       "%s: general.alignment must be a u32 and a multiple of 8", c->path);
  }
  file->alignment = (size_t)alignment;
  return INK_OK;
}

// Where a tensor lies: offsets count from the data section.
static ink_status place_tensor(cursor *c, const ink_gguf *file, size_t data_start, size_t at,
                               ink_gguf_string name, ink_stored_tensor *tensor) {
  if (tensor->offset % file->alignment != 0) {
    return ink_fail_at(c->error, INK_ERR_FORMAT, (int64_t)at,
                       "%s: tensor %.*s stands at offset %llu, no multiple of the alignment %zu",
                       c->path, ink_name_shown(name.bytes, name.size), name.bytes,
                       (unsigned long long)tensor->offset, file->alignment);
  }
  if (data_start > c->size || !ink_fits(tensor->offset, tensor->bytes, c->size - data_start)) {
    return ink_fail_at(c->error, INK_ERR_FORMAT, (int64_t)at,
                       "%s: tensor %.*s takes %zu bytes at offset %llu of the data, but the file "
                       "has %zu there; it is cut short or damaged, fetch it again",
                       c->path, ink_name_shown(name.bytes, name.size), name.bytes, tensor->bytes,
                       (unsigned long long)tensor->offset,
                       data_start > c->size ? 0 : c->size - data_start);
  }
  tensor->offset += data_start;
  tensor->data = c->bytes + tensor->offset;
  return INK_OK;
}

// Walk everything once without taking memory. *names is the room that all names need.
static ink_status check_all(cursor *c, ink_gguf *file, size_t *data_start, size_t *names) {
  ink_gguf_string name;
  *names = 0;
  file->alignment = DEFAULT_ALIGNMENT;
  for (size_t i = 0; i < file->n_values; i++) {
    ink_gguf_value value;
    INK_TRY(take_value(c, &name, &value));
    if (ink_gguf_string_is(name, "general.alignment")) INK_TRY(note_alignment(c, &value, file));
    *names += name.size + 1;
  }
  size_t tensors_at = c->at;
  ink_stored_tensor tensor;
  int64_t shape[MAX_DIMENSIONS];
  for (size_t i = 0; i < file->n_tensors; i++) {
    INK_TRY(take_tensor(c, &name, shape, &tensor));
    *names += name.size + 1;
  }
  size_t past = c->at % file->alignment;
  if (!ink_add_size(c->at, past ? file->alignment - past : 0, data_start)) *data_start = SIZE_MAX;
  c->at = tensors_at;
  for (size_t i = 0; i < file->n_tensors; i++) {
    size_t at = c->at;
    INK_TRY(take_tensor(c, &name, shape, &tensor));
    INK_TRY(place_tensor(c, file, *data_start, at, name, &tensor));
  }
  return INK_OK;
}

static const char *keep_name(char **room, ink_gguf_string name) {
  char *kept = *room;
  memcpy(kept, name.bytes, name.size);
  kept[name.size] = 0;
  *room += name.size + 1;
  return kept;
}

static int by_key(const void *a, const void *b) {
  return strcmp((*(const ink_gguf_value *const *)a)->key, (*(const ink_gguf_value *const *)b)->key);
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const ink_stored_tensor *const *)a)->name,
                (*(const ink_stored_tensor *const *)b)->name);
}

static int by_place(const void *a, const void *b) {
  const ink_stored_tensor *x = *(const ink_stored_tensor *const *)a;
  const ink_stored_tensor *y = *(const ink_stored_tensor *const *)b;
  if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
  return (x->bytes > y->bytes) - (x->bytes < y->bytes);  // empty ones first
}

static ink_status fill_tables(cursor *c, ink_gguf *file, size_t data_start, size_t names) {
  // One more than needed, so that NULL always means no memory.
  file->values = calloc(file->n_values + 1, sizeof *file->values);
  file->tensors = calloc(file->n_tensors + 1, sizeof *file->tensors);
  file->shapes = calloc(file->n_tensors + 1, sizeof *file->shapes);
  file->values_by_key = calloc(file->n_values + 1, sizeof *file->values_by_key);
  file->tensors_by_name = calloc(file->n_tensors + 1, sizeof *file->tensors_by_name);
  file->names = malloc(names + 1);
  if (!file->values || !file->tensors || !file->shapes || !file->values_by_key ||
      !file->tensors_by_name || !file->names) {
    return ink_fail(c->error, INK_ERR_MEMORY, "%s: no memory for the tables of its header",
                    c->path);
  }
  char *room = file->names;
  ink_gguf_string name;
  for (size_t i = 0; i < file->n_values; i++) {
    INK_TRY(take_value(c, &name, &file->values[i]));
    file->values[i].key = keep_name(&room, name);
    file->values_by_key[i] = &file->values[i];
  }
  for (size_t i = 0; i < file->n_tensors; i++) {
    size_t at = c->at;
    INK_TRY(take_tensor(c, &name, file->shapes[i], &file->tensors[i]));
    INK_TRY(place_tensor(c, file, data_start, at, name, &file->tensors[i]));
    file->tensors[i].name = keep_name(&room, name);
    file->tensors_by_name[i] = &file->tensors[i];
  }
  return INK_OK;
}

static ink_status check_overlaps(ink_gguf *file, ink_error *error) {
  const ink_stored_tensor **order = file->tensors_by_name;  // sorted by name afterwards
  qsort(order, file->n_tensors, sizeof *order, by_place);
  for (size_t i = 1; i < file->n_tensors; i++) {
    if (order[i]->offset < order[i - 1]->offset + order[i - 1]->bytes) {
      return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)order[i]->offset,
                         "%s: tensors %.*s and %.*s overlap", file->path,
                         INK_SHOWN(order[i - 1]->name), INK_SHOWN(order[i]->name));
    }
  }
  return INK_OK;
}

// Sorting makes look-up and the search for duplicates n log n, whatever the names are.
static ink_status sort_names(ink_gguf *file, ink_error *error) {
  qsort(file->values_by_key, file->n_values, sizeof *file->values_by_key, by_key);
  for (size_t i = 1; i < file->n_values; i++) {
    if (by_key(&file->values_by_key[i - 1], &file->values_by_key[i]) == 0) {
      const ink_gguf_value *twice = file->values_by_key[i];
      return ink_fail_at(error, INK_ERR_FORMAT, twice->data - file->bytes,
                         "%s: the metadata key %.*s stands there twice", file->path,
                         INK_SHOWN(twice->key));
    }
  }
  qsort(file->tensors_by_name, file->n_tensors, sizeof *file->tensors_by_name, by_name);
  for (size_t i = 1; i < file->n_tensors; i++) {
    if (by_name(&file->tensors_by_name[i - 1], &file->tensors_by_name[i]) == 0) {
      const ink_stored_tensor *twice = file->tensors_by_name[i];
      return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)twice->offset,
                         "%s: the tensor %.*s stands there twice", file->path,
                         INK_SHOWN(twice->name));
    }
  }
  return INK_OK;
}

static ink_status parse(ink_gguf *file, ink_error *error) {
  cursor c = {file->bytes, file->size, 0, file->path, error};
  size_t data_start, names;
  INK_TRY(read_start(&c, file));
  size_t entries_at = c.at;
  INK_TRY(check_all(&c, file, &data_start, &names));
  c.at = entries_at;
  INK_TRY(fill_tables(&c, file, data_start, names));
  INK_TRY(check_overlaps(file, error));
  return sort_names(file, error);
}

static ink_status finish(ink_gguf *file, ink_status status, ink_gguf **out) {
  if (status != INK_OK) {
    ink_gguf_close(file);
    return status;
  }
  *out = file;
  return INK_OK;
}

ink_status ink_gguf_parse(const void *bytes, size_t size, const char *name, ink_gguf **file,
                          ink_error *error) {
  *file = NULL;
  ink_gguf *new = calloc(1, sizeof *new);
  if (new) new->path = strdup(name);
  if (!new || !new->path) {
    free(new);
    return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to open it", name);
  }
  new->bytes = bytes;
  new->size = size;
  return finish(new, parse(new, error), file);
}

ink_status ink_gguf_open(const char *path, ink_gguf **file, ink_error *error) {
  ink_map map = {0};
  *file = NULL;
  INK_TRY(ink_map_open(path, &map, error));
  ink_status status = ink_gguf_parse(map.data, map.size, path, file, error);
  if (status == INK_OK) {
    (*file)->map = map;
  } else {
    ink_map_close(&map);
  }
  return status;
}

void ink_gguf_close(ink_gguf *file) {
  if (!file) return;
  ink_map_close(&file->map);
  free(file->values);
  free(file->tensors);
  free(file->shapes);
  free(file->values_by_key);
  free(file->tensors_by_name);
  free(file->names);
  free(file->path);
  free(file);
}

const ink_map *ink_gguf_map(const ink_gguf *file) {
  return &file->map;
}

// -- Access ---------------------------------------------------------------------------------------

const char *ink_gguf_path(const ink_gguf *file) {
  return file->path;
}

size_t ink_gguf_n_values(const ink_gguf *file) {
  return file->n_values;
}

const ink_gguf_value *ink_gguf_value_at(const ink_gguf *file, size_t index) {
  return &file->values[index];
}

static int key_order(const void *key, const void *value) {
  return strcmp(key, (*(const ink_gguf_value *const *)value)->key);
}

const ink_gguf_value *ink_gguf_find(const ink_gguf *file, const char *key) {
  const ink_gguf_value **found =
      bsearch(key, file->values_by_key, file->n_values, sizeof *file->values_by_key, key_order);
  return found ? *found : NULL;
}

size_t ink_gguf_n_tensors(const ink_gguf *file) {
  return file->n_tensors;
}

const ink_stored_tensor *ink_gguf_tensor_at(const ink_gguf *file, size_t index) {
  return &file->tensors[index];
}

static int name_order(const void *name, const void *tensor) {
  return strcmp(name, (*(const ink_stored_tensor *const *)tensor)->name);
}

const ink_stored_tensor *ink_gguf_find_tensor(const ink_gguf *file, const char *name) {
  const ink_stored_tensor **found = bsearch(name, file->tensors_by_name, file->n_tensors,
                                            sizeof *file->tensors_by_name, name_order);
  return found ? *found : NULL;
}

bool ink_gguf_string_is(ink_gguf_string string, const char *text) {
  return strlen(text) == string.size && memcmp(string.bytes, text, string.size) == 0;
}

// -- Typed members --------------------------------------------------------------------------------

typedef enum kind { KIND_INT, KIND_NUMBER, KIND_BOOL, KIND_STRING, KIND_ARRAY } kind;

static kind kind_of(ink_gguf_type type) {
  switch (type) {
    case INK_GGUF_F32:
    case INK_GGUF_F64:
      return KIND_NUMBER;
    case INK_GGUF_BOOL:
      return KIND_BOOL;
    case INK_GGUF_STRING:
      return KIND_STRING;
    case INK_GGUF_ARRAY:
      return KIND_ARRAY;
    default:
      return KIND_INT;
  }
}

static bool is_kind(ink_gguf_type type, kind wanted) {
  kind is = kind_of(type);
  return is == wanted || (wanted == KIND_NUMBER && is == KIND_INT);
}

// The item at an index, or NULL when there is none. Not for strings.
static const unsigned char *item(const ink_gguf_value *value, uint64_t i) {
  return i < value->n ? value->data + i * value_types[value->item_type].size : NULL;
}

int64_t ink_gguf_item_int(const ink_gguf_value *value, uint64_t i) {
  if (kind_of(value->item_type) != KIND_INT) return 0;
  const unsigned char *bytes = item(value, i);
  size_t size = value_types[value->item_type].size;
  if (!bytes) return 0;
  switch (value->item_type) {
    case INK_GGUF_I8:
    case INK_GGUF_I16:
    case INK_GGUF_I32:
    case INK_GGUF_I64:
      return load_signed(bytes, size);
    default: {
      uint64_t number = ink_little(bytes, size);
      return number <= INT64_MAX ? (int64_t)number : 0;
    }
  }
}

double ink_gguf_item_number(const ink_gguf_value *value, uint64_t i) {
  if (kind_of(value->item_type) == KIND_INT) {
    if (value->item_type == INK_GGUF_U64) {
      const unsigned char *bytes = item(value, i);
      return bytes ? (double)ink_little(bytes, 8) : 0;
    }
    return (double)ink_gguf_item_int(value, i);
  }
  if (kind_of(value->item_type) != KIND_NUMBER) return 0;
  const unsigned char *bytes = item(value, i);
  if (!bytes) return 0;
  if (value->item_type == INK_GGUF_F32) {
    uint32_t bits = (uint32_t)ink_little(bytes, 4);
    float number;
    memcpy(&number, &bits, sizeof number);
    return (double)number;
  }
  uint64_t bits = ink_little(bytes, 8);
  double number;
  memcpy(&number, &bits, sizeof number);
  return number;
}

bool ink_gguf_next_string(const ink_gguf_value *array, size_t *at, ink_gguf_string *out) {
  if (array->type != INK_GGUF_ARRAY || array->item_type != INK_GGUF_STRING || *at >= array->size) {
    return false;
  }
  const unsigned char *bytes = array->data + *at;
  *out = (ink_gguf_string){(const char *)bytes + 8, (size_t)ink_little(bytes, 8)};
  *at += 8 + out->size;
  return true;
}

// Find a key of the wanted kind. *value is NULL when it is absent and need not be there.
static ink_status member(const ink_gguf *file, const char *key, bool required, kind wanted,
                         const char *wanted_name, const ink_gguf_value **value, ink_error *error) {
  *value = ink_gguf_find(file, key);
  if (!*value) {
    if (!required) return INK_OK;
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s: the metadata lacks %s", file->path, key);
  }
  if (!is_kind((*value)->type, wanted)) {
    return ink_fail_at(error, INK_ERR_FORMAT, (*value)->data - file->bytes,
                       "%s: %s must be %s, not %s", file->path, key, wanted_name,
                       type_name((*value)->type));
  }
  return INK_OK;
}

ink_status ink_gguf_get_int(const ink_gguf *file, const char *key, bool required, int64_t low,
                            int64_t high, int64_t *out, ink_error *error) {
  const ink_gguf_value *value;
  INK_TRY(member(file, key, required, KIND_INT, "an integer", &value, error));
  if (!value) return INK_OK;
  bool beyond = value->type == INK_GGUF_U64 && ink_little(value->data, 8) > INT64_MAX;
  int64_t number = ink_gguf_item_int(value, 0);
  if (beyond || number < low || number > high) {
    return ink_fail_at(error, INK_ERR_FORMAT, value->data - file->bytes,
                       "%s: %s is %.0f; it must lie in %lld … %lld", file->path, key,
                       ink_gguf_item_number(value, 0), (long long)low, (long long)high);
  }
  *out = number;
  return INK_OK;
}

ink_status ink_gguf_get_number(const ink_gguf *file, const char *key, bool required, double low,
                               double high, double *out, ink_error *error) {
  const ink_gguf_value *value;
  INK_TRY(member(file, key, required, KIND_NUMBER, "a number", &value, error));
  if (!value) return INK_OK;
  double number = ink_gguf_item_number(value, 0);
  if (!isfinite(number) || number < low || number > high) {
    return ink_fail_at(error, INK_ERR_FORMAT, value->data - file->bytes,
                       "%s: %s is %g; it must lie in %g … %g", file->path, key, number, low, high);
  }
  *out = number;
  return INK_OK;
}

ink_status ink_gguf_get_bool(const ink_gguf *file, const char *key, bool required, bool *out,
                             ink_error *error) {
  const ink_gguf_value *value;
  INK_TRY(member(file, key, required, KIND_BOOL, "a bool", &value, error));
  if (value) *out = value->data[0] != 0;
  return INK_OK;
}

ink_status ink_gguf_get_string(const ink_gguf *file, const char *key, bool required,
                               ink_gguf_string *out, ink_error *error) {
  const ink_gguf_value *value;
  INK_TRY(member(file, key, required, KIND_STRING, "a string", &value, error));
  if (value) *out = (ink_gguf_string){(const char *)value->data, value->size};
  return INK_OK;
}

ink_status ink_gguf_get_array(const ink_gguf *file, const char *key, bool required,
                              ink_gguf_type item_type, const ink_gguf_value **out,
                              ink_error *error) {
  const ink_gguf_value *value;
  INK_TRY(member(file, key, required, KIND_ARRAY, "an array", &value, error));
  if (!value) return INK_OK;
  if (!is_kind(value->item_type, kind_of(item_type))) {
    return ink_fail_at(error, INK_ERR_FORMAT, value->data - file->bytes,
                       "%s: the items of %s must be %s, not %s", file->path, key,
                       type_name(item_type), type_name(value->item_type));
  }
  *out = value;
  return INK_OK;
}
