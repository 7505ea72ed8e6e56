// PyTorch's files as a list of tensors.
#include "weights/torch.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/text.h"
#include "weights/check.h"
#include "weights/element_types.h"
#include "weights/pickle.h"
#include "weights/torch_old.h"
#include "weights/zip.h"

enum { MAX_PICKLE = 256 << 20, MAX_DEPTH = 16, LONGEST_NAME = 512 };

struct ink_torch {
  ink_map map;  // empty for files in memory
  const unsigned char *bytes;
  size_t size;
  bool old;  // no archive
  ink_zip zip;
  ink_torch_places places;  // of the storages of an old one
  char *path;
  const char *root;  // the folder in the archive that holds data.pkl, with its slash
  size_t root_size;
  ink_arena *arena;  // the pickle's values
  ink_stored_tensor *tensors;
  size_t n, room;
  size_t copied;  // bytes
  ink_error *error;
};

static ink_status no_memory(const ink_torch *file) {
  return ink_fail(file->error, INK_ERR_MEMORY, "%s: no memory to open it", file->path);
}

bool ink_torch_is(const unsigned char *start, size_t size) {
  bool zip = size >= 4 && memcmp(start, "PK\3\4", 4) == 0;
  return zip || (size >= 2 && start[0] == 0x80 && start[1] >= 1 && start[1] <= 5);
}

// -- The archive ----------------------------------------------------------------------------------

// The entry ROOT + folder + name; NULL when there is none.
static const ink_zip_entry *find_entry(const ink_torch *file, const char *folder, const char *name,
                                       size_t name_size) {
  char path[512];
  size_t folder_size = strlen(folder);
  if (file->root_size + folder_size + name_size > sizeof path) return NULL;
  if (file->root_size) memcpy(path, file->root, file->root_size);
  memcpy(path + file->root_size, folder, folder_size);
  memcpy(path + file->root_size + folder_size, name, name_size);
  return ink_zip_find(&file->zip, path, file->root_size + folder_size + name_size);
}

static ink_status check_stored(const ink_torch *file, const ink_zip_entry *entry) {
  if (entry->stored) return INK_OK;
  return ink_fail_at(file->error, INK_ERR_UNSUPPORTED, (int64_t)entry->header,
                     "%s: the entry %.*s is compressed or encrypted, which PyTorch does not do; "
                     "unpack the archive and pack it again with `zip -0 -r`",
                     file->path, ink_name_shown(entry->name, entry->name_size), entry->name);
}

// data.pkl stands in one folder, of any name.
static ink_status find_pickle(ink_torch *file, const ink_zip_entry **pickle) {
  static const char name[] = "data.pkl";
  enum { SIZE = sizeof name - 1 };
  *pickle = NULL;
  for (size_t i = 0; i < file->zip.n; i++) {
    const ink_zip_entry *e = &file->zip.entries[i];
    if (e->name_size < SIZE || memcmp(e->name + e->name_size - SIZE, name, SIZE) != 0) continue;
    size_t root_size = e->name_size - SIZE;
    if (root_size && memchr(e->name, '/', root_size) != e->name + root_size - 1) continue;
    if (*pickle) {
      return ink_fail_at(file->error, INK_ERR_FORMAT, (int64_t)e->header,
                         "%s: two pickles where PyTorch writes one", file->path);
    }
    *pickle = e;
    file->root = e->name;
    file->root_size = root_size;
  }
  if (!*pickle) {
    return ink_fail_at(file->error, INK_ERR_UNSUPPORTED, 0,
                       "%s: a ZIP archive without data.pkl: not a file of tensors that PyTorch "
                       "wrote",
                       file->path);
  }
  return check_stored(file, *pickle);
}

static ink_status check_byte_order(const ink_torch *file) {
  const ink_zip_entry *e = find_entry(file, "byteorder", "", 0);
  if (!e || (e->size == 6 && memcmp(file->bytes + e->offset, "little", 6) == 0)) return INK_OK;
  return ink_fail_at(file->error, INK_ERR_UNSUPPORTED, (int64_t)e->offset,
                     "%s: its numbers are not little-endian; save it again on a usual machine",
                     file->path);
}

// -- Tensors --------------------------------------------------------------------------------------

static ink_status tensor_fault(const ink_torch *file, const ink_stored_tensor *t,
                               const char *what) {
  return ink_fail_at(file->error, INK_ERR_FORMAT, (int64_t)t->offset, "%s: tensor %.*s %s",
                     file->path, INK_SHOWN(t->name), what);
}

// Where in the file a storage lies, of exactly its size.
static ink_status find_storage(const ink_torch *file, const ink_stored_tensor *t,
                               const ink_pickle_storage *storage, uint64_t *offset,
                               uint64_t *size) {
  size_t bytes;
  if (file->old) {
    const ink_torch_place *place =
        ink_torch_old_find(&file->places, storage->key, storage->key_size);
    if (!place) return tensor_fault(file, t, "is in a storage that the file does not hold");
    *offset = place->offset;
    *size = place->bytes;
    return INK_OK;
  }
  const ink_zip_entry *entry = find_entry(file, "data/", storage->key, storage->key_size);
  if (!entry) return tensor_fault(file, t, "is in a storage that the archive does not hold");
  INK_TRY(check_stored(file, entry));
  if (storage->elements > SIZE_MAX ||
      !ink_mul_size((size_t)storage->elements, storage->type->bytes, &bytes) ||
      bytes != entry->size) {
    return tensor_fault(file, t, "is in a storage that has another size in the archive");
  }
  *offset = entry->offset;
  *size = entry->size;
  return INK_OK;
}

// Whether the elements lie one behind the other, and if not, that none is used twice: each
// dimension steps over all that the ones with smaller steps reach. *span is one more than the last
// element reached.
static bool check_strides(const ink_pickle_tensor *p, int64_t *span, bool *contiguous) {
  int order[INK_PICKLE_MAX_RANK];
  int64_t dense = 1;
  int n = 0;
  *contiguous = true;
  *span = 1;
  for (int i = p->rank; i-- > 0;) {
    if (p->shape[i] == 1) continue;
    *contiguous = *contiguous && p->stride[i] == dense;
    if (!ink_mul_count(dense, p->shape[i], &dense)) return false;
    int at = n++;
    for (; at > 0 && p->stride[order[at - 1]] > p->stride[i]; at--) order[at] = order[at - 1];
    order[at] = i;
  }
  for (int k = 0; k < n; k++) {
    int64_t step;
    if (p->stride[order[k]] < *span ||
        !ink_mul_count(p->stride[order[k]], p->shape[order[k]] - 1, &step) ||
        __builtin_add_overflow(*span, step, span)) {
      return false;
    }
  }
  return true;
}

// Elements of a strided view in order.
static void gather(const ink_pickle_tensor *p, const unsigned char *from, unsigned char *to) {
  int64_t index[INK_PICKLE_MAX_RANK] = {0};
  size_t size = p->type->bytes;
  for (;;) {
    int64_t at = 0;
    for (int i = 0; i < p->rank; i++) at += index[i] * p->stride[i];
    memcpy(to, from + (size_t)at * size, size);
    to += size;
    int i = p->rank - 1;
    while (i >= 0 && ++index[i] == p->shape[i]) index[i--] = 0;
    if (i < 0) return;
  }
}

static ink_status copy_tensor(ink_torch *file, const ink_pickle_tensor *p, ink_stored_tensor *t) {
  if (t->bytes > file->size - file->copied) {
    return tensor_fault(file, t, "is one of so many views that they would outgrow the file");
  }
  unsigned char *copy = ink_arena_take(file->arena, t->bytes);
  if (!copy) return no_memory(file);
  file->copied += t->bytes;
  gather(p, t->data, copy);
  t->data = copy;
  return INK_OK;
}

static ink_status place_tensor(ink_torch *file, const ink_pickle_tensor *p, ink_stored_tensor *t) {
  uint64_t offset = 0, size = 0;
  int64_t elements, span = 0;
  bool contiguous = true;
  INK_TRY(find_storage(file, t, p->storage, &offset, &size));
  if (!ink_mul_extents(p->shape, p->rank, &elements)) {
    return tensor_fault(file, t, "has a shape that multiplies to more than fits");
  }
  if (elements && !check_strides(p, &span, &contiguous)) {
    return tensor_fault(file, t, "is a view that uses an element more than once");
  }
  uint64_t room = size / p->type->bytes;
  if (!ink_fits(p->offset, (uint64_t)span, room)) {
    return tensor_fault(file, t, "reaches beyond its storage");
  }
  t->bytes = (size_t)elements * p->type->bytes;  // within the storage, as no element counts twice
  t->offset = offset + p->offset * p->type->bytes;
  t->data = file->bytes + t->offset;
  const ink_element_type *type = ink_element_type_of(p->type->type_name);
  t->usable = type && type->usable && p->rank <= INK_MAX_RANK;
  if (t->usable) t->dtype = type->dtype;
  bool aligned = (uintptr_t)t->data % p->type->bytes == 0;
  return !t->usable || t->bytes == 0 || (contiguous && aligned) ? INK_OK : copy_tensor(file, p, t);
}

static ink_status add_tensor(ink_torch *file, const char *name, const ink_pickle_tensor *p) {
  if (file->n == file->room) {
    size_t room = file->room ? file->room * 2 : 64, bytes;
    ink_stored_tensor *grown =
        ink_mul_size(room, sizeof *grown, &bytes) ? realloc(file->tensors, bytes) : NULL;
    if (!grown) return no_memory(file);
    file->tensors = grown;
    file->room = room;
  }
  ink_stored_tensor *t = &file->tensors[file->n];
  *t = (ink_stored_tensor){.name = ink_arena_string(file->arena, name),
                           .type_name = p->type->type_name,
                           .rank = p->rank,
                           .shape = p->shape};
  if (!t->name) return no_memory(file);
  INK_TRY(place_tensor(file, p, t));
  file->n++;
  return INK_OK;
}

// -- Names ----------------------------------------------------------------------------------------

static bool has_tensors(const ink_pickle_items *dict) {
  for (size_t i = 1; i < dict->n; i += 2) {
    if (dict->at[i].kind == INK_PICKLE_TENSOR) return true;
  }
  return false;
}

// What counts in a training checkpoint.
static ink_pickle_items *inner_dict(ink_pickle_items *dict) {
  static const char *const names[] = {"state_dict", "params_ema", "params"};
  for (size_t k = 0; k < sizeof names / sizeof *names && !has_tensors(dict); k++) {
    for (size_t i = 0; i + 1 < dict->n; i += 2) {
      const ink_pickle_value *key = &dict->at[i], *value = key + 1;
      if (key->kind == INK_PICKLE_TEXT && value->kind == INK_PICKLE_DICT &&
          key->size == strlen(names[k]) && memcmp(key->of.text, names[k], key->size) == 0) {
        return value->of.items;
      }
    }
  }
  return dict;
}

// Tensors in a dict and in those inside it, their names joined by dots in *name. Whatever is no
// tensor (step counts, settings) is passed over.
static ink_status walk(ink_torch *file, ink_pickle_items *dict, ink_text *name, int depth) {
  if (dict->seen || depth == MAX_DEPTH) {
    return ink_fail_at(file->error, INK_ERR_FORMAT, 0,
                       "%s: dicts that stand in two places or too deep in each other", file->path);
  }
  dict->seen = true;
  size_t stem = name->size;
  for (size_t i = 0; i + 1 < dict->n; i += 2) {
    const ink_pickle_value *key = &dict->at[i], *value = key + 1;
    if (value->kind != INK_PICKLE_TENSOR && value->kind != INK_PICKLE_DICT) continue;
    if (key->kind != INK_PICKLE_TEXT) continue;
    size_t bad;
    if (!ink_name_valid(key->of.text, key->size, &bad) || stem + key->size > LONGEST_NAME) {
      return ink_fail_at(file->error, INK_ERR_FORMAT, 0,
                         "%s: a tensor's name is empty, too long or has control characters",
                         file->path);
    }
    ink_text_add_bytes(name, key->of.text, key->size);
    if (name->failed) return no_memory(file);
    if (value->kind == INK_PICKLE_TENSOR) {
      INK_TRY(add_tensor(file, name->bytes, value->of.tensor));
    } else {
      ink_text_add(name, ".");
      INK_TRY(walk(file, value->of.items, name, depth + 1));
    }
    name->size = stem;
  }
  return INK_OK;
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const ink_stored_tensor *const *)a)->name,
                (*(const ink_stored_tensor *const *)b)->name);
}

static ink_status check_duplicates(const ink_torch *file) {
  const ink_stored_tensor **sorted = calloc(file->n + 1, sizeof *sorted);
  if (!sorted) return no_memory(file);
  for (size_t i = 0; i < file->n; i++) sorted[i] = &file->tensors[i];
  qsort(sorted, file->n, sizeof *sorted, by_name);
  ink_status status = INK_OK;
  for (size_t i = 1; i < file->n && status == INK_OK; i++) {
    if (by_name(&sorted[i - 1], &sorted[i]) == 0) {
      status = tensor_fault(file, sorted[i], "stands there twice");
    }
  }
  free(sorted);
  return status;
}

// -- Opening --------------------------------------------------------------------------------------

static ink_status read_archive(ink_torch *file, ink_pickle_value *root) {
  const ink_zip_entry *pickle;
  INK_TRY(ink_zip_read(file->bytes, file->size, file->path, &file->zip, file->error));
  INK_TRY(find_pickle(file, &pickle));
  INK_TRY(check_byte_order(file));
  if (pickle->size > MAX_PICKLE) {
    return ink_fail_at(file->error, INK_ERR_FORMAT, (int64_t)pickle->header,
                       "%s: a pickle of %llu bytes; at most %d are read", file->path,
                       (unsigned long long)pickle->size, MAX_PICKLE);
  }
  return ink_pickle_read(file->bytes + pickle->offset, (size_t)pickle->size, pickle->offset,
                         file->path, file->arena, root, file->error);
}

static ink_status parse(ink_torch *file, const void *bytes, size_t size) {
  ink_pickle_value root;
  file->bytes = bytes;
  file->size = size;
  file->old = ink_torch_old_is(bytes, size);
  if (!file->old && size >= 1 && file->bytes[0] == 0x80) {
    return ink_fail_at(file->error, INK_ERR_UNSUPPORTED, 0,
                       "%s: a bare pickle that is not of PyTorch's form; write it with torch.save",
                       file->path);
  }
  INK_TRY(file->old ? ink_torch_old_read(bytes, size, file->path, file->arena, &root, &file->places,
                                         file->error)
                    : read_archive(file, &root));
  if (root.kind != INK_PICKLE_DICT) {
    return ink_fail_at(file->error, INK_ERR_UNSUPPORTED, 0,
                       "%s: its content is no dict of tensors; save the model's state_dict()",
                       file->path);
  }
  ink_text name = {0};
  ink_status status = walk(file, inner_dict(root.of.items), &name, 0);
  ink_text_free(&name);
  return status == INK_OK ? check_duplicates(file) : status;
}

ink_status ink_torch_parse(const void *bytes, size_t size, const char *name, ink_torch **file,
                           ink_error *error) {
  *file = NULL;
  ink_torch *new = calloc(1, sizeof *new);
  if (new) {
    new->path = strdup(name);
    new->arena = ink_arena_new(0);
    new->error = error;
  }
  if (!new || !new->path || !new->arena) {
    ink_torch_close(new);
    return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to open it", name);
  }
  ink_status status = parse(new, bytes, size);
  if (status != INK_OK) {
    ink_torch_close(new);
    return status;
  }
  new->error = NULL;
  *file = new;
  return INK_OK;
}

ink_status ink_torch_open(const char *path, ink_torch **file, ink_error *error) {
  ink_map map = {0};
  *file = NULL;
  INK_TRY(ink_map_open(path, &map, error));
  ink_status status = ink_torch_parse(map.data, map.size, path, file, error);
  if (status == INK_OK) {
    (*file)->map = map;
  } else {
    ink_map_close(&map);
  }
  return status;
}

void ink_torch_close(ink_torch *file) {
  if (!file) return;
  ink_map_close(&file->map);
  ink_zip_free(&file->zip);
  ink_arena_free(file->arena);
  free(file->tensors);
  free(file->path);
  free(file);
}

const ink_map *ink_torch_map(const ink_torch *file) {
  return &file->map;
}

size_t ink_torch_count(const ink_torch *file) {
  return file->n;
}

const ink_stored_tensor *ink_torch_at(const ink_torch *file, size_t index) {
  return &file->tensors[index];
}
