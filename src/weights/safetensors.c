// The safetensors reader. The header is JSON of one fixed shape, so it is read by a scanner of that
// shape: a general parser would take many times the header's size in memory for hostile input and
// could not say at which byte a fault lies.
#include "weights/safetensors.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/file.h"
#include "base/text.h"
#include "weights/check.h"
#include "weights/element_types.h"

enum { MAX_HEADER = 100000000, MAX_RANK = 32, MAX_DEPTH = 32 };

typedef struct entry {
  ink_stored_tensor about;  // shape is set when all shapes are in place
  size_t shape_at;          // in the file's table of extents
  size_t header_at;         // byte of its description in the file
  uint64_t begin, end;      // in the data section
} entry;

typedef struct pair {
  const char *key, *value;
} pair;

struct ink_safetensors {
  ink_map map;  // empty for files in memory
  char *path;
  const unsigned char *bytes;
  size_t size;
  size_t data_start;
  entry *entries;
  size_t n, entry_room;
  const entry **by_name;
  int64_t *extents;
  size_t n_extents, extent_room;
  pair *metadata;
  size_t n_metadata, metadata_room;
  bool has_metadata;
  char *strings;  // all keys and values, unescaped, each ended by NUL
  void **copies;  // of tensors that are not aligned in the file
  size_t n_copies;
};

// Make room for one more element of a growing table.
static bool grow(void **table, size_t n, size_t *room, size_t element) {
  if (n < *room) return true;
  size_t larger = *room ? *room * 2 : 16, bytes;
  void *grown = ink_mul_size(larger, element, &bytes) ? realloc(*table, bytes) : NULL;
  if (!grown) return false;
  *table = grown;
  *room = larger;
  return true;
}

// -- The scanner ----------------------------------------------------------------------------------

typedef struct scanner {
  const unsigned char *bytes;
  size_t at, end;  // of the header
  char *room;      // for the next string
  const char *path;
  ink_error *error;
} scanner;

static ink_status fault(scanner *s, const char *expected) {
  return ink_fail_at(s->error, INK_ERR_FORMAT, (int64_t)s->at,
                     "%s: the header is not what safetensors writes: expected %s", s->path,
                     expected);
}

static ink_status no_memory(const char *path, ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for the tables of its header", path);
}

static void skip_space(scanner *s) {
  while (s->at < s->end && memchr(" \t\r\n", s->bytes[s->at], 4)) s->at++;
}

// The next character that is not space; 0 at the end.
static unsigned char peek(scanner *s) {
  skip_space(s);
  return s->at < s->end ? s->bytes[s->at] : 0;
}

static bool accept(scanner *s, char character) {
  if (peek(s) != (unsigned char)character) return false;
  s->at++;
  return true;
}

static ink_status expect(scanner *s, char character, const char *expected) {
  return accept(s, character) ? INK_OK : fault(s, expected);
}

static bool read_hex4(scanner *s, uint32_t *unit) {
  *unit = 0;
  if (s->end - s->at < 4) return false;
  for (int i = 0; i < 4; i++) {
    unsigned char c = s->bytes[s->at + (size_t)i];
    unsigned digit = c >= '0' && c <= '9'   ? c - (unsigned)'0'
                     : c >= 'a' && c <= 'f' ? c - 'a' + 10u
                     : c >= 'A' && c <= 'F' ? c - 'A' + 10u
                                            : 16u;
    if (digit > 15) return false;
    *unit = *unit << 4 | digit;
  }
  s->at += 4;
  return true;
}

// What follows "\u": one code point, of which a surrogate pair takes two escapes. NUL is refused,
// names are C strings here.
static ink_status read_unicode_escape(scanner *s, uint32_t *rune) {
  uint32_t low;
  if (!read_hex4(s, rune) || *rune == 0) return fault(s, "four hexadecimal digits, not 0000");
  if (*rune < 0xD800 || *rune > 0xDFFF) return INK_OK;
  bool paired = *rune < 0xDC00 && s->end - s->at >= 2 && memcmp(s->bytes + s->at, "\\u", 2) == 0;
  if (!paired) return fault(s, "a surrogate pair");
  s->at += 2;
  if (!read_hex4(s, &low) || low < 0xDC00 || low > 0xDFFF) return fault(s, "a low surrogate");
  *rune = 0x10000 + ((*rune - 0xD800) << 10) + (low - 0xDC00);
  return INK_OK;
}

// A string, unescaped into the room for strings; never longer there than in the header.
static ink_status read_string(scanner *s, const char **string, const char *expected) {
  static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  INK_TRY(expect(s, '"', expected));
  *string = s->room;
  for (;;) {
    unsigned char c = s->at < s->end ? s->bytes[s->at] : 0;
    if (c < 0x20) return fault(s, "the end of a string");
    s->at++;
    if (c == '"') break;
    if (c != '\\') {
      *s->room++ = (char)c;
      continue;
    }
    c = s->at < s->end ? s->bytes[s->at] : 0;
    const char *escape = c ? strchr(escapes, c) : NULL;
    if (escape) {
      s->at++;
      *s->room++ = meant[escape - escapes];
    } else if (c == 'u') {
      uint32_t rune;
      s->at++;
      INK_TRY(read_unicode_escape(s, &rune));
      s->room += ink_utf8_encode(rune, s->room);
    } else {
      return fault(s, "an escape of JSON");
    }
  }
  *s->room++ = 0;
  return INK_OK;
}

// A whole number that is not negative, as JSON writes it.
static ink_status read_count(scanner *s, uint64_t *count) {
  unsigned char first = peek(s);
  if (first < '0' || first > '9') return fault(s, "a whole number that is not negative");
  *count = 0;
  size_t start = s->at;
  while (s->at < s->end && s->bytes[s->at] >= '0' && s->bytes[s->at] <= '9') {
    unsigned digit = s->bytes[s->at] - (unsigned)'0';
    if (__builtin_mul_overflow(*count, 10u, count) ||
        __builtin_add_overflow(*count, digit, count)) {
      return fault(s, "a number below 2^64");
    }
    s->at++;
  }
  if (first == '0' && s->at - start > 1) return fault(s, "a number without leading zeros");
  if (s->at < s->end && memchr(".eE", s->bytes[s->at], 3)) return fault(s, "a whole number");
  return INK_OK;
}

static ink_status skip_value(scanner *s, int depth);

static ink_status skip_items(scanner *s, char close, bool keyed, int depth) {
  if (depth >= MAX_DEPTH) return fault(s, "less deeply nested values");
  s->at++;
  if (accept(s, close)) return INK_OK;
  do {
    if (keyed) {
      const char *key;
      char *room = s->room;
      INK_TRY(read_string(s, &key, "a key"));
      s->room = room;
      INK_TRY(expect(s, ':', "a colon"));
    }
    INK_TRY(skip_value(s, depth + 1));
  } while (accept(s, ','));
  return expect(s, close, "a comma or the end of a list");
}

// A value of a member that the format does not define.
static ink_status skip_value(scanner *s, int depth) {
  static const char *const words[] = {"true", "false", "null"};
  unsigned char first = peek(s);
  if (first == '{') return skip_items(s, '}', true, depth);
  if (first == '[') return skip_items(s, ']', false, depth);
  if (first == '"') {
    const char *string;
    char *room = s->room;
    INK_TRY(read_string(s, &string, "a string"));
    s->room = room;
    return INK_OK;
  }
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    size_t length = strlen(words[i]);
    if (s->end - s->at >= length && memcmp(s->bytes + s->at, words[i], length) == 0) {
      s->at += length;
      return INK_OK;
    }
  }
  size_t start = s->at;
  while (s->at < s->end && memchr("+-.0123456789eE", s->bytes[s->at], 15)) s->at++;
  return s->at > start ? INK_OK : fault(s, "a value");
}

// -- The header -----------------------------------------------------------------------------------

static ink_status check_name(scanner *s, const char *name, size_t at) {
  size_t bad;
  if (ink_name_valid(name, strlen(name), &bad)) return INK_OK;
  return ink_fail_at(s->error, INK_ERR_FORMAT, (int64_t)at,
                     "%s: a name that is empty or has control characters", s->path);
}

static ink_status read_metadata(scanner *s, ink_safetensors *file) {
  if (file->has_metadata) return fault(s, "__metadata__ once");
  file->has_metadata = true;
  INK_TRY(expect(s, '{', "an object of strings"));
  if (accept(s, '}')) return INK_OK;
  do {
    pair found;
    skip_space(s);
    size_t at = s->at;
    INK_TRY(read_string(s, &found.key, "a key"));
    INK_TRY(check_name(s, found.key, at));
    INK_TRY(expect(s, ':', "a colon"));
    INK_TRY(read_string(s, &found.value, "a string"));
    if (!grow((void **)&file->metadata, file->n_metadata, &file->metadata_room,
              sizeof *file->metadata)) {
      return no_memory(s->path, s->error);
    }
    file->metadata[file->n_metadata++] = found;
  } while (accept(s, ','));
  return expect(s, '}', "a comma or the end of __metadata__");
}

static ink_status read_dtype(scanner *s, ink_stored_tensor *tensor, unsigned *bits) {
  const char *name;
  char *room = s->room;
  skip_space(s);
  size_t at = s->at;
  INK_TRY(read_string(s, &name, "a dtype"));
  const ink_element_type *type = ink_element_type_of(name);
  if (!type) {
    return ink_fail_at(s->error, INK_ERR_UNSUPPORTED, (int64_t)at,
                       "%s: tensor %.*s has dtype \"%.32s\", which this build does not know",
                       s->path, INK_SHOWN(tensor->name), name);
  }
  tensor->type_name = type->name;
  tensor->usable = type->usable;
  tensor->dtype = type->dtype;
  *bits = type->bits;
  s->room = room;
  return INK_OK;
}

static ink_status read_shape(scanner *s, ink_safetensors *file, entry *e) {
  e->shape_at = file->n_extents;
  INK_TRY(expect(s, '[', "a shape"));
  if (accept(s, ']')) return INK_OK;
  do {
    uint64_t extent;
    INK_TRY(read_count(s, &extent));
    if (extent > INT64_MAX) return fault(s, "an extent below 2^63");
    if (e->about.rank == MAX_RANK) return fault(s, "at most 32 dimensions");
    if (!grow((void **)&file->extents, file->n_extents, &file->extent_room,
              sizeof *file->extents)) {
      return no_memory(s->path, s->error);
    }
    file->extents[file->n_extents++] = (int64_t)extent;
    e->about.rank++;
  } while (accept(s, ','));
  return expect(s, ']', "a comma or the end of a shape");
}

static ink_status read_offsets(scanner *s, entry *e) {
  INK_TRY(expect(s, '[', "two offsets"));
  INK_TRY(read_count(s, &e->begin));
  INK_TRY(expect(s, ',', "two offsets"));
  INK_TRY(read_count(s, &e->end));
  return expect(s, ']', "two offsets");
}

// Type and shape give the size; the offsets have to say the same and lie in the file.
static ink_status check_size(scanner *s, const ink_safetensors *file, entry *e, unsigned bits) {
  int64_t elements, all_bits;
  // Without extents there need not be a table of them.
  const int64_t *shape = e->about.rank ? file->extents + e->shape_at : NULL;
  if (!ink_mul_extents(shape, e->about.rank, &elements)) {
    return ink_fail_at(s->error, INK_ERR_FORMAT, (int64_t)e->header_at,
                       "%s: the shape of tensor %.*s multiplies to more than fits", s->path,
                       INK_SHOWN(e->about.name));
  }
  if (!ink_mul_count(elements, bits, &all_bits) || all_bits % 8 != 0) {
    return ink_fail_at(s->error, INK_ERR_FORMAT, (int64_t)e->header_at,
                       "%s: tensor %.*s of %lld elements of %s has no size in bytes", s->path,
                       INK_SHOWN(e->about.name), (long long)elements, e->about.type_name);
  }
  uint64_t data_size = file->size - file->data_start;
  if (e->begin > e->end || e->end > data_size) {
    return ink_fail_at(s->error, INK_ERR_FORMAT, (int64_t)e->header_at,
                       "%s: tensor %.*s lies at bytes %llu … %llu of the data, which has %llu; the "
                       "file is cut short or damaged, fetch it again",
                       s->path, INK_SHOWN(e->about.name), (unsigned long long)e->begin,
                       (unsigned long long)e->end, (unsigned long long)data_size);
  }
  if (e->end - e->begin != (uint64_t)all_bits / 8) {
    return ink_fail_at(
        s->error, INK_ERR_FORMAT, (int64_t)e->header_at,
        "%s: tensor %.*s has %llu bytes of data, but its type and shape ask for %lld", s->path,
        INK_SHOWN(e->about.name), (unsigned long long)(e->end - e->begin),
        (long long)(all_bits / 8));
  }
  e->about.bytes = (size_t)(e->end - e->begin);
  e->about.offset = file->data_start + e->begin;
  if (e->about.rank > INK_MAX_RANK) e->about.usable = false;
  return INK_OK;
}

static ink_status read_tensor(scanner *s, ink_safetensors *file, const char *name, size_t at) {
  entry e = {.about = {.name = name}, .header_at = at};
  unsigned bits = 0;
  bool has_type = false, has_shape = false, has_offsets = false;
  INK_TRY(expect(s, '{', "the description of a tensor"));
  do {
    const char *key;
    char *room = s->room;
    skip_space(s);
    INK_TRY(read_string(s, &key, "dtype, shape or data_offsets"));
    INK_TRY(expect(s, ':', "a colon"));
    bool *seen = strcmp(key, "dtype") == 0          ? &has_type
                 : strcmp(key, "shape") == 0        ? &has_shape
                 : strcmp(key, "data_offsets") == 0 ? &has_offsets
                                                    : NULL;
    s->room = room;
    if (!seen) {
      INK_TRY(skip_value(s, 0));
      continue;
    }
    if (*seen) return fault(s, "each member once");
    *seen = true;
    if (seen == &has_type) {
      INK_TRY(read_dtype(s, &e.about, &bits));
    } else if (seen == &has_shape) {
      INK_TRY(read_shape(s, file, &e));
    } else {
      INK_TRY(read_offsets(s, &e));
    }
  } while (accept(s, ','));
  INK_TRY(expect(s, '}', "a comma or the end of a description"));
  if (!has_type || !has_shape || !has_offsets) {
    return ink_fail_at(s->error, INK_ERR_FORMAT, (int64_t)at,
                       "%s: tensor %.*s lacks dtype, shape or data_offsets", s->path,
                       INK_SHOWN(name));
  }
  INK_TRY(check_size(s, file, &e, bits));
  if (!grow((void **)&file->entries, file->n, &file->entry_room, sizeof *file->entries)) {
    return no_memory(s->path, s->error);
  }
  file->entries[file->n++] = e;
  return INK_OK;
}

static ink_status read_header(scanner *s, ink_safetensors *file) {
  if (s->at >= s->end || s->bytes[s->at] != '{') return fault(s, "an opening brace at once");
  s->at++;
  if (!accept(s, '}')) {
    do {
      const char *name;
      skip_space(s);
      size_t at = s->at;
      INK_TRY(read_string(s, &name, "the name of a tensor"));
      INK_TRY(check_name(s, name, at));
      INK_TRY(expect(s, ':', "a colon"));
      if (strcmp(name, "__metadata__") == 0) {
        INK_TRY(read_metadata(s, file));
      } else {
        INK_TRY(read_tensor(s, file, name, at));
      }
    } while (accept(s, ','));
    INK_TRY(expect(s, '}', "a comma or the end of the header"));
  }
  skip_space(s);
  return s->at == s->end ? INK_OK : fault(s, "nothing but spaces behind the header");
}

// -- Tables ---------------------------------------------------------------------------------------

static int by_place(const void *a, const void *b) {
  const entry *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  if (x->end != y->end) return x->end < y->end ? -1 : 1;
  return strcmp(x->about.name, y->about.name);
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const entry *const *)a)->about.name, (*(const entry *const *)b)->about.name);
}

static int by_key(const void *a, const void *b) {
  return strcmp(((const pair *)a)->key, ((const pair *)b)->key);
}

static ink_status check_cover(const ink_safetensors *file, ink_error *error) {
  uint64_t end = 0;
  for (size_t i = 0; i < file->n; i++) {
    const entry *e = &file->entries[i];
    if (e->begin != end) {
      return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)e->header_at,
                         "%s: tensor %.*s begins at byte %llu of the data, but the one before it "
                         "ends at %llu",
                         file->path, INK_SHOWN(e->about.name), (unsigned long long)e->begin,
                         (unsigned long long)end);
    }
    end = e->end;
  }
  if (end != file->size - file->data_start) {
    return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)(file->data_start + end),
                       "%s: %llu bytes behind the last tensor belong to none", file->path,
                       (unsigned long long)(file->size - file->data_start - end));
  }
  return INK_OK;
}

static ink_status check_duplicates(ink_safetensors *file, ink_error *error) {
  // One more than needed, so that NULL always means no memory.
  file->by_name = calloc(file->n + 1, sizeof *file->by_name);
  pair *sorted = calloc(file->n_metadata + 1, sizeof *sorted);
  if (!file->by_name || !sorted) {
    free(sorted);
    return no_memory(file->path, error);
  }
  for (size_t i = 0; i < file->n; i++) file->by_name[i] = &file->entries[i];
  qsort(file->by_name, file->n, sizeof *file->by_name, by_name);
  for (size_t i = 1; i < file->n; i++) {
    if (by_name(&file->by_name[i - 1], &file->by_name[i]) == 0) {
      free(sorted);
      return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)file->by_name[i]->header_at,
                         "%s: the tensor %.*s stands there twice", file->path,
                         INK_SHOWN(file->by_name[i]->about.name));
    }
  }
  ink_status status = INK_OK;
  for (size_t i = 0; i < file->n_metadata; i++) sorted[i] = file->metadata[i];
  qsort(sorted, file->n_metadata, sizeof *sorted, by_key);
  for (size_t i = 1; i < file->n_metadata && status == INK_OK; i++) {
    if (by_key(&sorted[i - 1], &sorted[i]) != 0) continue;
    status = ink_fail_at(error, INK_ERR_FORMAT, 8, "%s: the key %.*s stands twice in __metadata__",
                         file->path, INK_SHOWN(sorted[i].key));
  }
  free(sorted);
  return status;
}

static ink_status place_data(ink_safetensors *file, ink_error *error) {
  file->copies = calloc(file->n + 1, sizeof *file->copies);
  if (!file->copies) return no_memory(file->path, error);
  for (size_t i = 0; i < file->n; i++) {
    ink_stored_tensor *tensor = &file->entries[i].about;
    tensor->shape = file->extents ? file->extents + file->entries[i].shape_at : NULL;
    tensor->data = file->bytes + tensor->offset;
    size_t element = tensor->usable ? ink_dtype_about(tensor->dtype)->block_bytes : 1;
    if ((uintptr_t)tensor->data % element == 0 || tensor->bytes == 0) continue;
    void *copy = malloc(tensor->bytes);
    if (!copy) {
      return ink_fail(
          error, INK_ERR_MEMORY,
          "%s: tensor %.*s is not aligned in the file, and there is no memory for a copy",
          file->path, INK_SHOWN(tensor->name));
    }
    memcpy(copy, tensor->data, tensor->bytes);
    tensor->data = copy;
    file->copies[file->n_copies++] = copy;
  }
  return INK_OK;
}

static ink_status parse(ink_safetensors *file, ink_error *error) {
  if (file->size < 8) {
    return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)file->size,
                       "%s: %zu bytes are too few for a safetensors file", file->path, file->size);
  }
  uint64_t header = ink_little(file->bytes, 8);
  if (header > MAX_HEADER || header > file->size - 8) {
    return ink_fail_at(error, INK_ERR_FORMAT, 0,
                       "%s: a header of %llu bytes is declared, where the file has %zu and the "
                       "format allows %d; it is no safetensors file, or cut short",
                       file->path, (unsigned long long)header, file->size - 8, MAX_HEADER);
  }
  file->data_start = 8 + (size_t)header;
  size_t bad;
  if (!ink_utf8_valid((const char *)file->bytes + 8, (size_t)header, &bad)) {
    return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)(8 + bad),
                       "%s: the header is not UTF-8 text", file->path);
  }
  file->strings = malloc((size_t)header + 1);
  if (!file->strings) return no_memory(file->path, error);
  scanner s = {file->bytes, 8, file->data_start, file->strings, file->path, error};
  INK_TRY(read_header(&s, file));
  if (file->n) qsort(file->entries, file->n, sizeof *file->entries, by_place);
  INK_TRY(check_cover(file, error));
  INK_TRY(check_duplicates(file, error));
  return place_data(file, error);
}

ink_status ink_safetensors_parse(const void *bytes, size_t size, const char *name,
                                 ink_safetensors **file, ink_error *error) {
  *file = NULL;
  ink_safetensors *new = calloc(1, sizeof *new);
  if (new) new->path = strdup(name);
  if (!new || !new->path) {
    free(new);
    return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to open it", name);
  }
  new->bytes = bytes;
  new->size = size;
  ink_status status = parse(new, error);
  if (status != INK_OK) {
    ink_safetensors_close(new);
    return status;
  }
  *file = new;
  return INK_OK;
}

ink_status ink_safetensors_open(const char *path, ink_safetensors **file, ink_error *error) {
  ink_map map = {0};
  *file = NULL;
  INK_TRY(ink_map_open(path, &map, error));
  ink_status status = ink_safetensors_parse(map.data, map.size, path, file, error);
  if (status == INK_OK) {
    (*file)->map = map;
  } else {
    ink_map_close(&map);
  }
  return status;
}

void ink_safetensors_close(ink_safetensors *file) {
  if (!file) return;
  ink_map_close(&file->map);
  for (size_t i = 0; i < file->n_copies; i++) free(file->copies[i]);
  free(file->copies);
  free(file->entries);
  free(file->by_name);
  free(file->extents);
  free(file->metadata);
  free(file->strings);
  free(file->path);
  free(file);
}

const ink_map *ink_safetensors_map(const ink_safetensors *file) {
  return &file->map;
}

// -- Access ---------------------------------------------------------------------------------------

size_t ink_safetensors_count(const ink_safetensors *file) {
  return file->n;
}

const ink_stored_tensor *ink_safetensors_at(const ink_safetensors *file, size_t index) {
  return &file->entries[index].about;
}

static int name_order(const void *name, const void *tensor) {
  return strcmp(name, (*(const entry *const *)tensor)->about.name);
}

const ink_stored_tensor *ink_safetensors_find(const ink_safetensors *file, const char *name) {
  const entry **found = bsearch(name, file->by_name, file->n, sizeof *file->by_name, name_order);
  return found ? &(*found)->about : NULL;
}

size_t ink_safetensors_n_metadata(const ink_safetensors *file) {
  return file->n_metadata;
}

void ink_safetensors_metadata_at(const ink_safetensors *file, size_t index, const char **key,
                                 const char **value) {
  *key = file->metadata[index].key;
  *value = file->metadata[index].value;
}

const char *ink_safetensors_metadata(const ink_safetensors *file, const char *key) {
  for (size_t i = 0; i < file->n_metadata; i++) {
    if (strcmp(file->metadata[i].key, key) == 0) return file->metadata[i].value;
  }
  return NULL;
}
